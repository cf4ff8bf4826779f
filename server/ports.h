/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's two listening sockets: bound once at the start, and replaced at run time when somebody asks for it. The
 * new socket is made by who asks, so that he is told when it cannot be; the control thread then accepts from it,
 * publishes it, and closes the old one.
 *
 * Thread: as each function says. */
#ifndef TROUPE_SERVER_PORTS_H
#define TROUPE_SERVER_PORTS_H

#include <troupe/error.h>

#include "config.h"
#include "io/listen.h"

enum ports_purpose { PORTS_API = 0, PORTS_PEER = 1, PORTS_COUNT = 2 };

struct ports;

/* Bind what the configuration says, or take what systemd hands over. Thread: before others are made.
 * Fails: an exit status (enum config_exit), with words. */
TROUPE_MUST_USE int ports_new(const struct config *config, struct ports **ret_ports, char *words, size_t words_cap);

/* Close them all and free. NULL is legal. */
void ports_free(struct ports *ports);

/* How ports_ask rouses the control thread. Thread: before others are made. */
void ports_set_wake(struct ports *ports, void (*wake)(void *user), void *user);

/* Listen on another port of the same address: 0 for any free one, which is only for a port that nobody has chosen.
 * ret_listener is what will be used, without its descriptor. Any thread.
 * Fails: TROUPE_E_INVALID (it cannot be bound, or was chosen), TROUPE_E_NO_MEMORY; with words. */
TROUPE_MUST_USE int ports_ask(struct ports *ports, enum ports_purpose purpose, unsigned port,
                              struct listener *ret_listener, char *words, size_t words_cap);

/* The present socket. Thread: control (and before others are made). */
const struct listener *ports_at(const struct ports *ports, enum ports_purpose purpose);

/* Put a socket that was asked for into its place: its purpose, and the old one, which the caller owns from now on.
 * False: none was asked for. Thread: control. */
bool ports_take(struct ports *ports, enum ports_purpose *ret_purpose, struct listener *ret_old);

/* Close one: the node stops. Thread: control. */
void ports_close(struct ports *ports, enum ports_purpose purpose);

#endif
