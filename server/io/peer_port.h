/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends of the first frames of a peer port (peer/hello.h): answering those that come, and asking another node who
 * it is. Nothing here blocks: a connection has PEER_DEADLINE_MS for its hello, and when PEER_WAITING_MAX are waiting
 * the oldest makes room, so that no slow or silent stranger keeps a node out.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_PEER_PORT_H
#define TROUPE_SERVER_PEER_PORT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "peer/hello.h"

enum { PEER_DEADLINE_MS = 5000, PEER_WAITING_MAX = 64 };

struct peer_port;

struct peer_port_config {
    struct ev_loop *ev;
    const struct registry_secret *secret; /* borrowed; may still be empty, then nobody is answered */
    const char *cluster;         /* borrowed */
    uint64_t node;
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int peer_port_new(const struct peer_port_config *config, struct peer_port **ret_port);

/* Close all connections, those that ask included (their `done` does not run), and free. NULL is legal. */
void peer_port_free(struct peer_port *port);

/* Accept from this socket from now on (borrowed); -1: from none. */
void peer_port_listen(struct peer_port *port, int fd);

/* Is this node at the other end of the connection? Owns: fd. done runs once, never from inside this: error 0, or why
 * not, and then the words say it for people. Returns the id for peer_port_forget, 0: no memory, fd is closed. */
typedef void (*peer_asked_fn)(void *user, int error, const char *words);
uint64_t peer_port_ask(struct peer_port *port, int fd, uint64_t node, uint32_t timeout_ms, peer_asked_fn done,
                       void *user);
void peer_port_forget(struct peer_port *port, uint64_t id);

#endif
