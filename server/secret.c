/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

enum { RANDOM_BYTES = 32 };

/* Read a whole small file into the secret. Returns 0, or an errno; EINVAL: it is too short or too long. */
static int read_whole(int fd, struct registry_secret *ret_secret)
{
    unsigned char bytes[AUTH_SECRET_BYTES_MAX + 8];
    size_t len = 0;
    ssize_t got = 1;
    while (len < sizeof bytes && got > 0) {
        got = read(fd, bytes + len, sizeof bytes - len);
        if (got < 0)
            return errno;
        len += (size_t)got;
    }
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (len < AUTH_SECRET_BYTES_MIN || len > AUTH_SECRET_BYTES_MAX)
        return EINVAL;
    memcpy(ret_secret->bytes, bytes, len);
    ret_secret->len = len;
    return 0;
}

int secret_read(const char *path, struct registry_secret *ret_secret, char *words, size_t words_cap)
{
    /* O_NONBLOCK: a FIFO in its place must not hold the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd >= 0 ? read_whole(fd, ret_secret) : errno;
    if (fd >= 0)
        close(fd);
    if (error == EINVAL)
        snprintf(words, words_cap, "--secret-file: %s must hold %d to %d bytes; make one with: head -c 32 "
                                   "/dev/urandom | base64", path, AUTH_SECRET_BYTES_MIN, AUTH_SECRET_BYTES_MAX);
    else if (error != 0)
        snprintf(words, words_cap, "--secret-file: cannot read %s: %s; name a file that this user can read", path,
                 strerror(error));
    return error == 0 ? 0 : -1;
}

/* ---- on one machine ---- */

static int make_path(const char *cluster, char path[static SECRET_PATH_BYTES])
{
    char dir[SECRET_PATH_BYTES - 64];
    if (!host_runtime_dir(dir, sizeof dir))
        return ENOENT;
    snprintf(path, SECRET_PATH_BYTES, "%s/%s.secret", dir, cluster);
    return 0;
}

/* A file that others could have written, or read, is not the secret. */
static int read_own(const char *path, struct registry_secret *ret_secret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &st) != 0                                   ? errno
                : st.st_uid != getuid() || (st.st_mode & 077) != 0 ? EPERM
                                                                   : read_whole(fd, ret_secret);
    close(fd);
    return error;
}

/* The file is written aside and linked to its name, so that it is never seen half written, nor replaced. */
static int write_new(const char *path)
{
    char temp[SECRET_PATH_BYTES + 32], line[2 * RANDOM_BYTES + 2];
    unsigned char random[RANDOM_BYTES];
    if (!host_random(random, sizeof random))
        return EIO;
    for (int i = 0; i < RANDOM_BYTES; i++)
        snprintf(line + 2 * i, 3, "%02x", random[i]);
    line[2 * RANDOM_BYTES] = '\n';
    snprintf(temp, sizeof temp, "%s.%ld.tmp", path, (long)getpid());
    unlink(temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int error = write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1 ? 0 : EIO;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && link(temp, path) != 0)
        error = errno;
    unlink(temp);
    return error;
}

int secret_make(const char *cluster, struct registry_secret *ret_secret, char ret_path[static SECRET_PATH_BYTES],
                char *words, size_t words_cap)
{
    char path[SECRET_PATH_BYTES];
    int error = make_path(cluster, path);
    if (error == 0)
        error = write_new(path);
    if (error == 0 || error == EEXIST)
        error = read_own(path, ret_secret);
    if (error == 0)
        memcpy(ret_path, path, sizeof path);
    else
        snprintf(words, words_cap, "the cluster's secret cannot be kept in the runtime directory: %s; name a "
                                   "--secret-file", strerror(error));
    return error == 0 ? 0 : -1;
}

int secret_find(const char *cluster, struct registry_secret *ret_secret, char *words, size_t words_cap)
{
    char path[SECRET_PATH_BYTES] = "";
    int error = make_path(cluster, path);
    if (error == 0)
        error = read_own(path, ret_secret);
    if (error != 0)
        snprintf(words, words_cap, "the secret of cluster %s is not there: %s: %s; give this node and the first one "
                                   "the same --secret-file, or run both as the same user on one machine", cluster, path,
                 strerror(error));
    return error == 0 ? 0 : -1;
}
