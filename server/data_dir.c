/* SPDX-License-Identifier: Apache-2.0 */
#include "data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <troupe/ref.h>

/* Read a small file into buf as a C string without its last newline. Returns -1 when it cannot be read. */
static int read_small(int dir, const char *name, char *buf, size_t cap)
{
    /* O_NONBLOCK: a FIFO in its place must not hold the start. */
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    ssize_t len = read(fd, buf, cap - 1);
    close(fd);
    if (len < 0)
        return -1;
    buf[len] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return 0;
}

/* Write a small file whole or not at all. */
static int write_small(int dir, const char *name, const char *text)
{
    char temp[32], line[64];
    snprintf(temp, sizeof temp, "%s.tmp", name);
    int len = snprintf(line, sizeof line, "%s\n", text);
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    int failed = write(fd, line, (size_t)len) != len || fsync(fd) != 0;
    failed |= close(fd) != 0;
    if (failed || renameat(dir, temp, dir, name) != 0 || fsync(dir) != 0) {
        int error = errno;
        unlinkat(dir, temp, 0);
        errno = error;
        return -1;
    }
    return 0;
}

static int lock(int dir, const char *path, char *words, size_t cap)
{
    int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        snprintf(words, cap, "--data-dir: cannot write in %s: %s; make it writable, or name another directory", path,
                 strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    snprintf(words, cap, errno == EWOULDBLOCK
             ? "--data-dir: %s is in use by another node; stop that one, or name another directory%s"
             : "--data-dir: cannot lock %s: %s; name a directory on a local disk",
             path, errno == EWOULDBLOCK ? "" : strerror(errno));
    close(fd);
    return -1;
}

static int check_layout(int dir, const char *path, char *words, size_t cap)
{
    char text[32], wanted[16];
    snprintf(wanted, sizeof wanted, "%d", DATA_DIR_LAYOUT);
    if (read_small(dir, "layout", text, sizeof text) == 0) {
        if (strcmp(text, wanted) == 0)
            return 0;
        snprintf(words, cap, "--data-dir: %s has layout '%s' and this version reads %s; use the version that wrote it",
                 path, text, wanted);
        return -1;
    }
    if (errno == ENOENT && write_small(dir, "layout", wanted) == 0)
        return 0;
    snprintf(words, cap, "--data-dir: cannot read or write %s/layout: %s; make it writable, or name another directory",
             path, strerror(errno));
    return -1;
}

/* "c." and the digits of a node's id. */
static bool is_cluster(const char *text)
{
    troupe_home home;
    char node[DATA_DIR_CLUSTER_BYTES];
    if (strlen(text) != DATA_DIR_CLUSTER_BYTES - 1 || strncmp(text, "c.", 2) != 0)
        return false;
    memcpy(node, text, sizeof node);
    node[0] = 'n';
    return troupe_home_parse(node, sizeof node - 1, &home) == 0;
}

static int read_cluster(struct data_dir *data, char *words, size_t cap)
{
    char known[2 * DATA_DIR_CLUSTER_BYTES];
    if (read_small(data->dir_fd, "cluster", known, sizeof known) != 0) {
        if (errno == ENOENT)
            return 0;
        snprintf(words, cap, "--data-dir: cannot read %s/cluster: %s; make it readable and writable", data->path,
                 strerror(errno));
        return -1;
    }
    if (!is_cluster(known)) {
        snprintf(words, cap, "--data-dir: %s/cluster is damaged: it holds no cluster id; restore it from a copy, or "
                             "remove it to begin a new cluster", data->path);
        return -1;
    }
    memcpy(data->cluster, known, sizeof data->cluster);
    return 0;
}

int data_dir_open(const char *path, struct data_dir *ret_data, char *words, size_t words_cap)
{
    struct data_dir data = {.path = path, .dir_fd = -1, .lock_fd = -1};
    struct stat st;
    *ret_data = data;
    if (path == NULL || path[0] == '\0') {
        ret_data->path = NULL;
        return 0;
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        data.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data.dir_fd < 0) {
        snprintf(words, words_cap, "--data-dir: cannot open or make %s: %s; name a directory that can be written", path,
                 strerror(errno));
        return -1;
    }
    data.lock_fd = lock(data.dir_fd, path, words, words_cap);
    data.had_members = fstatat(data.dir_fd, "members", &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (data.lock_fd < 0 || check_layout(data.dir_fd, path, words, words_cap) != 0 ||
        read_cluster(&data, words, words_cap) != 0) {
        data_dir_close(&data);
        return -1;
    }
    *ret_data = data;
    return 0;
}

int data_dir_keep_cluster(struct data_dir *data, const char *cluster, char *words, size_t words_cap)
{
    if (data->path == NULL || strcmp(data->cluster, cluster) == 0)
        return 0;
    if (data->cluster[0] != '\0') {
        snprintf(words, words_cap, "--data-dir: %s belongs to cluster %s, and this is %s; name another directory",
                 data->path, data->cluster, cluster);
        return -1;
    }
    if (write_small(data->dir_fd, "cluster", cluster) != 0) {
        snprintf(words, words_cap, "--data-dir: cannot write %s/cluster: %s; make it readable and writable", data->path,
                 strerror(errno));
        return -1;
    }
    snprintf(data->cluster, sizeof data->cluster, "%s", cluster);
    return 0;
}

int data_dir_keep_members(struct data_dir *data)
{
    if (data->path == NULL || data->had_members)
        return 0;
    if (write_small(data->dir_fd, "members", "1") != 0)
        return -1;
    data->had_members = true;
    return 0;
}

void data_dir_close(struct data_dir *data)
{
    if (data->lock_fd >= 0)
        close(data->lock_fd);
    if (data->dir_fd >= 0)
        close(data->dir_fd);
    data->lock_fd = data->dir_fd = -1;
}
