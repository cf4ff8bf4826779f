/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets: bound once, listening, read back, and kept; nothing is bound twice and no port is shared
 * (no SO_REUSEPORT). Port 0 takes a free one. What systemd hands over (LISTEN_FDS) is taken as it is.
 *
 * Thread: before threads are made, and then control. */
#ifndef TROUPE_SERVER_LISTEN_H
#define TROUPE_SERVER_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct listener {
    int fd;                      /* owned; -1: none */
    char host[INET6_ADDRSTRLEN]; /* as bound, without brackets */
    unsigned port;
    bool is_inherited;
};

/* Bind an IP address and listen. A v6 address takes v4 too where it is [::]. False with a line in words that names the
 * flag and the remedy. */
bool listen_open(const char *flag, const char *host, unsigned port, struct listener *ret_listener, char *words,
                 size_t words_cap);

/* Take the sockets of LISTEN_FDS: LISTEN_FDNAMES says which is "api" and which is "peer"; a nameless one is the API's,
 * the next the peer port's. What is not there stays as it was. The variables are unset. False with words, when a
 * socket is no listening TCP socket or nobody's. */
bool listen_inherit(struct listener *api, struct listener *peer, char *words, size_t words_cap);

/* Legal for one whose fd is -1. */
void listen_close(struct listener *listener);

/* 0.0.0.0 or [::]? */
bool listen_is_any(const char *host);

#endif
