/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket session of the subprotocol troupe.v1.json: complete text messages in, an ordered, bounded queue of frames
 * out. Knows no socket, no library of WebSocket and no clock. What the frames are is in docs/websocket.md.
 *
 * States: open (frames are taken), closing (only what is in the queue is still sent, then the driver closes with the
 * code). A session lives as long as its socket.
 *
 * Thread: the worker's that owns the session. */
#ifndef TROUPE_SERVER_SESSION_H
#define TROUPE_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/system.h>

#include "access/access.h"
#include "api/api.h"

struct session;

/* Close codes of RFC 6455 part 7.4.1, and those registered since. A session asks for 1000, 1001, 1008, 1009, 1011 and
 * 1013; the others are its driver's. */
enum session_close {
    SESSION_NORMAL = 1000, SESSION_GOING_AWAY = 1001, SESSION_PROTOCOL_ERROR = 1002, SESSION_UNSUPPORTED = 1003,
    SESSION_NOT_UTF8 = 1007, SESSION_POLICY = 1008, SESSION_TOO_BIG = 1009, SESSION_INTERNAL = 1011,
    SESSION_TRY_LATER = 1013
};

struct session_config {
    const struct api_env *env;
    troupe_worker *worker;
    struct access_token *token;  /* NULL: there are no tokens. The session takes a hold of its own */
    troupe_home home;            /* s., for tests; all zero: random bits */
    const char *peer;            /* "127.0.0.1:5123", copied, for audit lines */
    size_t frame_bytes_max;      /* of an incoming message: --body-max and 4 KiB for what is around the body */
    size_t queue_bytes_max;      /* of frames that wait to be written; a session that has more is closed with 1013 */

    /* These run on the session's thread, also inside the functions below, and must not call the session back, but
     * session_free is legal. */
    void *user;
    void (*wants_write)(void *user);                 /* the queue is not empty any more */
    void (*wants_close)(void *user, unsigned code, const char *reason); /* once; reason is a literal. What is queued is
                                                                           to be sent first, if the client takes it */
    uint32_t (*take_rate)(void *user, uint64_t now_ms); /* of the address: 0, or ms to wait; NULL: no limit */
};

/* Fails: TROUPE_E_NO_MEMORY, TROUPE_E_LIMIT (the token's connections), TROUPE_E_INTERNAL (no random bits). */
TROUPE_MUST_USE int session_new(const struct session_config *config, uint64_t now_ms, struct session **ret_session);

/* The socket is gone: calls that are open are given up, monitors and subscriptions end. Nothing of `config` runs any
 * more. NULL is legal. */
void session_free(struct session *session);

/* A whole text message has come. Bad ones are answered with an error frame, or end the session. The driver tells the
 * worker the time before this. */
void session_on_text(struct session *session, const char *text, size_t len, uint64_t now_ms);

/* The next frame to write, borrowed until session_pop; false when there is none. SESSION_HEADROOM bytes before it are
 * the driver's to write in. */
#define SESSION_HEADROOM 16
bool session_peek(struct session *session, char **ret_frame, size_t *ret_len);
void session_pop(struct session *session);

/* About once a second: what has a deadline. */
void session_tick(struct session *session, uint64_t now_ms);

/* The node drains: tell the client by bye (it shall go to another node) and close when its calls are answered. */
void session_drain(struct session *session);

/* Is something under way that the end of the node should wait for: open calls, spawns and stops, or frames that are not written? */
bool session_is_busy(const struct session *session);

#endif
