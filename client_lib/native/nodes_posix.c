/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the nodes of this user on this machine by their ports files. What another user could have put there is not
 * believed: the directory must be ours, no link, and writable by nobody else; the file ours and regular; the process
 * alive and ours. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/ports.h"

static _Thread_local char dir_path[512]; /* lent to callers by troupe_client_nodes_find */

static bool is_ours_to_write(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/* Alive, and where /proc can tell, ours. */
static bool is_our_process(int64_t pid)
{
    char path[64];
    struct stat st;
    if (kill((pid_t)pid, 0) != 0 && errno != EPERM) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
    return stat(path, &st) != 0 || st.st_uid == geteuid();
}

/* Read a whole small file of ours; returns its length, or -1. */
static ssize_t read_small_file(int dir_fd, const char *name, char *bytes, size_t cap)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t len = -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid()) {
        len = read(fd, bytes, cap);
    }
    if (fd >= 0) {
        close(fd);
    }
    return len;
}

static bool read_entry(int dir_fd, const char *name, troupe_client_node_entry *ret_entry)
{
    char json[TROUPE_PORTS_FILE_BYTES_MAX];
    ssize_t len = read_small_file(dir_fd, name, json, sizeof json);
    if (len <= 0 || troupe__ports_parse(json, (size_t)len, ret_entry) != 0 || !is_our_process(ret_entry->pid)) {
        return false;
    }
    snprintf(ret_entry->path, sizeof ret_entry->path, "%s/%s", dir_path, name);
    return true;
}

/* The directory in dir_path when it can be believed, else NULL. */
static DIR *open_dir(void)
{
    int fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 && is_ours_to_write(fd) ? fdopendir(fd) : NULL;
    if (dir == NULL && fd >= 0) {
        close(fd);
    }
    return dir;
}

/* The nodes of a directory. Fails: TROUPE_E_LIMIT */
static int read_dir(DIR *dir, troupe_client_node_entry *entries, size_t entries_max, size_t *ret_count)
{
    size_t count = 0;
    for (struct dirent *item = readdir(dir); item != NULL; item = readdir(dir)) {
        troupe_client_node_entry entry;
        if (!troupe__ports_is_name(item->d_name) || !read_entry(dirfd(dir), item->d_name, &entry)) {
            continue;
        }
        if (count == entries_max) {
            return TROUPE_E_LIMIT;
        }
        entries[count++] = entry;
    }
    *ret_count = count;
    return 0;
}

int troupe_client_nodes_find(troupe_client_node_entry *entries, size_t entries_max, size_t *ret_count,
                             const char **ret_dir)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    size_t count = 0;
    DIR *dir = NULL;
    if (runtime != NULL && runtime[0] == '/') {
        snprintf(dir_path, sizeof dir_path, "%s/troupe", runtime);
        dir = open_dir();
    }
    if (dir == NULL) {
        snprintf(dir_path, sizeof dir_path, "/tmp/troupe-%lu", (unsigned long)geteuid());
        dir = open_dir();
    }
    int rc = dir != NULL ? read_dir(dir, entries, entries_max, &count) : 0;
    if (dir != NULL) {
        closedir(dir);
    }
    if (rc != 0) {
        return rc;
    }
    *ret_count = count;
    if (ret_dir != NULL) {
        *ret_dir = dir_path;
    }
    return 0;
}
