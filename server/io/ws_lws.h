/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSocket by libwebsockets, on a worker's libev loop: the sockets of sessions (session/session.h). ws_lws.c is the
 * only file that knows the library. What becomes of a session's frames is the session's affair.
 *
 * The library's part is made with the first session, so that a node without any does not pay for it.
 *
 * Thread: the worker's, for all but ws_new and ws_free (before and after it runs). */
#ifndef TROUPE_SERVER_WS_LWS_H
#define TROUPE_SERVER_WS_LWS_H

#include "api/api.h"
#include "io/http_mhd.h"
#include "io/traffic.h"

#define WS_PROTOCOL "troupe.v1.json"

struct ev_loop;
struct farewell;
struct ws;

struct ws_config {
    const struct api_env *env;
    troupe_worker *worker;
    struct traffic_worker *traffic;
    struct http_shared *shared;  /* messages that are coming in share the budget of bodies */
    struct farewell *farewell;  /* borrowed: takes the sockets of sessions that have ended */
    _Atomic unsigned *connections; /* of the worker; counted down when a session's socket is closed */
    struct ev_loop *ev;          /* borrowed */
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int ws_new(const struct ws_config *config, struct ws **ret_ws);

/* Close all sockets at once and free. */
void ws_free(struct ws *ws);

/* Open a session on the socket of a request that asks for the upgrade, and has been checked. Owns: fd, also on failure;
 * to->token on success. Fails: TROUPE_E_NO_MEMORY, TROUPE_E_LIMIT (the token's connections), TROUPE_E_INTERNAL. */
TROUPE_MUST_USE int ws_take(struct ws *ws, const struct api_request *req, int fd, const struct api_takeover *to);

/* Write the frames that sessions have queued since the last time. */
void ws_flush(struct ws *ws);

/* True when ws_flush has something to do. */
bool ws_is_due(const struct ws *ws);

/* Every WS_TICK_MS while there are sessions: pings, and the deadlines of all. */
#define WS_TICK_MS 250u
void ws_tick(struct ws *ws, uint64_t now_ms);

unsigned ws_sessions(const struct ws *ws);

/* Tell all sessions to go to another node; each is closed when its calls are answered. */
void ws_drain(struct ws *ws);

/* Close all sessions with 1001. */
void ws_stop(struct ws *ws);

#endif
