/* SPDX-License-Identifier: Apache-2.0 */
#include "io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, INHERITED_FIRST = 3, INHERITED_MAX = 8 };

/* ---- addresses ---- */

static socklen_t make_address(const char *host, unsigned port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret_address;
    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof *v6;
    }
    memset(ret_address, 0, sizeof *ret_address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    (void)inet_pton(AF_INET, host, &v4->sin_addr);
    return sizeof *v4;
}

/* Where it is really bound. */
static bool read_back(struct listener *listener)
{
    struct sockaddr_storage address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;
    socklen_t len = sizeof address;
    if (getsockname(listener->fd, (struct sockaddr *)&address, &len) != 0)
        return false;
    bool is_v6 = address.ss_family == AF_INET6;
    if (!is_v6 && address.ss_family != AF_INET) {
        errno = EAFNOSUPPORT;
        return false;
    }
    listener->port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    return inet_ntop(address.ss_family, is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr,
                     listener->host, sizeof listener->host) != NULL;
}

bool listen_is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* ---- our own ---- */

static const char *remedy_of(int error)
{
    return error == EADDRINUSE      ? "stop what uses the port, or take port 0 for a free one"
           : error == EACCES        ? "take a port from 1024 up, or 0 for a free one"
           : error == EADDRNOTAVAIL ? "take an address of this machine"
           : error == EMFILE        ? "raise the limit of open files"
                                    : "take another address";
}

bool listen_open(const char *flag, const char *host, unsigned port, struct listener *ret_listener, char *words,
                 size_t words_cap)
{
    struct sockaddr_storage address;
    const int on = 1, off = 0;
    const char *what = "make a socket for";
    socklen_t len = make_address(host, port, &address);
    struct listener made = {.fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (made.fd < 0)
        goto out;
    /* SO_REUSEADDR lets a port be taken again whose old connections linger; a port in use is still refused. */
    (void)setsockopt(made.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        (void)setsockopt(made.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    what = "bind";
    if (bind(made.fd, (struct sockaddr *)&address, len) != 0)
        goto out;
    what = "listen on";
    if (listen(made.fd, BACKLOG) != 0)
        goto out;
    what = "read back";
    if (read_back(&made)) {
        *ret_listener = made;
        return true;
    }
out:
    snprintf(words, words_cap, "%s: cannot %s %s port %u: %s; %s", flag, what, host, port, strerror(errno),
             remedy_of(errno));
    listen_close(&made);
    return false;
}

void listen_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

/* ---- inherited ---- */

static bool is_listening_tcp(int fd)
{
    int accepts = 0, type = 0;
    socklen_t accepts_len = sizeof accepts, type_len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &accepts_len) == 0 && accepts != 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

static bool take(int fd, struct listener *listener, const char *purpose, char *words, size_t words_cap)
{
    struct listener taken = {.fd = fd, .is_inherited = true};
    if (listener->fd >= 0) {
        snprintf(words, words_cap, "LISTEN_FDS: descriptor %d is a second socket for %s; one is enough", fd, purpose);
        return false;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || !is_listening_tcp(fd) || !read_back(&taken)) {
        snprintf(words, words_cap, "LISTEN_FDS: descriptor %d is no listening TCP socket; give ListenStream= an "
                                   "address and a port", fd);
        return false;
    }
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    *listener = taken;
    return true;
}

/* Number `index` of a list with colons, or "". */
static void copy_name(const char *names, unsigned index, char *name, size_t cap)
{
    for (; index > 0 && names != NULL; index--) {
        names = strchr(names, ':');
        names = names != NULL ? names + 1 : NULL;
    }
    snprintf(name, cap, "%.*s", names != NULL ? (int)strcspn(names, ":") : 0, names != NULL ? names : "");
}

/* The sockets with a name of ours go first, then the others fill what is left. */
static bool take_all(unsigned count, struct listener *api, struct listener *peer, char *words, size_t words_cap)
{
    const char *names = getenv("LISTEN_FDNAMES");
    for (int named = 1; named >= 0; named--) {
        for (unsigned i = 0; i < count; i++) {
            char name[16];
            copy_name(names, i, name, sizeof name);
            bool is_api = strcmp(name, "api") == 0, is_peer = strcmp(name, "peer") == 0;
            if ((is_api || is_peer) != (named == 1))
                continue;
            bool for_api = is_api || (!is_peer && api->fd < 0);
            if (!take(INHERITED_FIRST + (int)i, for_api ? api : peer, for_api ? "api" : "peer", words, words_cap))
                return false;
        }
    }
    return true;
}

bool listen_inherit(struct listener *api, struct listener *peer, char *words, size_t words_cap)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    bool is_good = true;
    if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid()) {
        char *end;
        long count = strtol(fds, &end, 10);
        is_good = *end == '\0' && count >= 0 && count <= INHERITED_MAX;
        if (is_good)
            is_good = take_all((unsigned)count, api, peer, words, words_cap);
        else
            snprintf(words, words_cap, "LISTEN_FDS: '%s' is not right; it must be a number from 0 to %d", fds,
                     INHERITED_MAX);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return is_good;
}
