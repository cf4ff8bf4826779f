/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Read the number in a file; UINT64_MAX when there is none ("max" is the word for no limit). */
static uint64_t read_number(const char *path)
{
    unsigned long long number = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return UINT64_MAX;
    if (fscanf(file, "%llu", &number) != 1)
        number = UINT64_MAX;
    fclose(file);
    return number;
}

/* The limit of this process's cgroup and of those above it, version 2 and then version 1. */
static uint64_t cgroup_limit(void)
{
    char line[512], path[640];
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *group = strstr(line, "::") != NULL ? strstr(line, "::") + 2 : strstr(line, ":memory:");
        bool is_v2 = strstr(line, "::") != NULL;
        if (group == NULL)
            continue;
        group += is_v2 ? 0 : strlen(":memory:");
        group[strcspn(group, "\n")] = '\0';
        for (;;) {
            snprintf(path, sizeof path, is_v2 ? "/sys/fs/cgroup%s/memory.max"
                                              : "/sys/fs/cgroup/memory%s/memory.limit_in_bytes",
                     strcmp(group, "/") == 0 ? "" : group);
            uint64_t number = read_number(path);
            limit = number < limit ? number : limit;
            char *slash = strrchr(group, '/');
            if (slash == NULL || group[0] == '\0')
                break;
            *slash = '\0';
        }
    }
    if (file != NULL)
        fclose(file);
    return limit;
}

uint64_t host_memory(unsigned percent)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = cgroup_limit();
    return (limit < machine ? limit : machine) / 100 * percent;
}

bool host_raise_files(uint64_t files, uint64_t *ret_files)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur != files) {
        struct rlimit wanted = {.rlim_cur = files < limit.rlim_max ? files : limit.rlim_max,
                                .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
            limit.rlim_cur = wanted.rlim_cur;
    }
    *ret_files = limit.rlim_cur;
    return limit.rlim_cur >= files;
}

unsigned host_cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

bool host_random(void *ptr, size_t len)
{
    ssize_t got;
    do {
        got = getrandom(ptr, len, 0);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)len;
}

/* A directory in /tmp is only good when it is ours and nobody else can write in it. */
static bool is_private_dir(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() && (st.st_mode & 022) == 0;
}

static bool make_private_dir(const char *path)
{
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && is_private_dir(path);
}

bool host_runtime_dir(char *dir, size_t cap)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/') {
        int len = snprintf(dir, cap, "%s/troupe", runtime);
        if (len > 0 && (size_t)len < cap && make_private_dir(dir))
            return true;
    }
    int len = snprintf(dir, cap, "/tmp/troupe-%u", (unsigned)getuid());
    return len > 0 && (size_t)len < cap && make_private_dir(dir);
}

void host_notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;
    if (len == 0 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* When systemd does not listen there is nobody to tell. */
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}
