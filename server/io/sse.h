/* SPDX-License-Identifier: Apache-2.0
 *
 * Event streams: sockets that were HTTP requests, to which the events of a topic are written as server-sent events
 * (session/stream.h). An own writer on libev, because an HTTP library holds a connection's memory and thread of control
 * for as long as its answer lasts.
 *
 * Thread: the worker's, for all but sse_new and sse_free (before and after it runs). */
#ifndef TROUPE_SERVER_SSE_H
#define TROUPE_SERVER_SSE_H

#include "api/api.h"
#include "io/traffic.h"

struct ev_loop;
struct sse;

struct sse_config {
    const struct api_env *env;
    troupe_worker *worker;
    struct traffic_worker *traffic;
    _Atomic unsigned *connections; /* of the worker; counted down when a stream is closed */
    struct ev_loop *ev;          /* borrowed */
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int sse_new(const struct sse_config *config, struct sse **ret_sse);

/* Close all streams and free. */
void sse_free(struct sse *sse);

/* Answer a request by a stream. Owns: fd, also on failure; to->token on success. Fails, with nothing sent: as
 * troupe_subscribe, and TROUPE_E_LIMIT (the token's connections). */
TROUPE_MUST_USE int sse_take(struct sse *sse, const struct api_request *req, int fd, const struct api_takeover *to);

/* Write the events that have come since the last time. */
void sse_flush(struct sse *sse);

/* True when sse_flush has something to do. */
bool sse_is_due(const struct sse *sse);

/* Every SSE_TICK_MS while there are streams: comments that keep them open, and the deadlines of all. */
#define SSE_TICK_MS 250u
void sse_tick(struct sse *sse, uint64_t now_ms);

unsigned sse_streams(const struct sse *sse);

/* Write what there is, then close all streams. */
void sse_stop(struct sse *sse);

#endif
