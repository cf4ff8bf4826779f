/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of sockets as text. Thread: any. */
#ifndef TROUPE_SERVER_PEER_H
#define TROUPE_SERVER_PEER_H

#include <stddef.h>
#include <sys/socket.h>

/* "127.0.0.1:5123" or "[::1]:5123"; "" when it is neither. */
void peer_format_address(const struct sockaddr_storage *address, char *text, size_t cap);

/* The other end of a socket. */
void peer_format(int fd, char *text, size_t cap);

#endif
