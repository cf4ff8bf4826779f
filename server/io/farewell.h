/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets at their end: we have said our last word and shut our side, and wait until the client has read it and ends
 * its side. What it still sends is dropped. Closing at once, with bytes unread, would make TCP reset the connection,
 * and the client might never see the last word (RFC 7230, part 6.6).
 *
 * Thread: the loop's, for all but farewell_new and farewell_free (before and after it runs). */
#ifndef TROUPE_SERVER_FAREWELL_H
#define TROUPE_SERVER_FAREWELL_H

#include "api/api.h"

struct ev_loop;
struct farewell;

struct farewell_config {
    const struct api_env *env;
    _Atomic unsigned *connections; /* counted down when a socket is closed */
    struct ev_loop *ev;          /* borrowed */
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int farewell_new(const struct farewell_config *config, struct farewell **ret_farewell);

/* Close all at once and free. */
void farewell_free(struct farewell *farewell);

/* Shut our side and take the socket. Owns: fd and its place among the connections, unless it is false: then there are
 * too many, or no memory, or the client has ended its side already. */
TROUPE_MUST_USE bool farewell_take(struct farewell *farewell, int fd, uint64_t now_ms);

/* Close what is past its deadline. */
void farewell_tick(struct farewell *farewell, uint64_t now_ms);

unsigned farewell_count(const struct farewell *farewell);

#endif
