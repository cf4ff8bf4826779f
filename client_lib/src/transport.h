/* SPDX-License-Identifier: Apache-2.0
 *
 * What the client needs of the world: ways to exchange a request for an answer and to follow a stream, a clock, a wait
 * and random bits. libcurl natively (native/), a script on virtual time in the unit tests.
 *
 * Thread: that of the client. */
#ifndef TROUPE_CLIENT_TRANSPORT_H
#define TROUPE_CLIENT_TRANSPORT_H

#include "src/request.h"

/* Who takes a stream. Both return false to have it closed. */
struct stream_sink {
    bool (*on_open)(void *user); /* the answer is a stream; its bytes follow */
    bool (*on_bytes)(void *user, const char *bytes, size_t len);
    void *user;
};

struct transport {
    /* Exchange one request for an answer of any status.
     * Owns:  *ret_reply is owned by the caller: body and content_type are from malloc and never NULL.
     * Fails: TROUPE_E_UNREACHABLE, TROUPE_E_TIMEOUT, TROUPE_E_TOO_LARGE, TROUPE_E_MALFORMED, TROUPE_E_NO_MEMORY */
    int (*exchange)(struct transport *transport, const struct http_request *request, troupe_client_reply *ret_reply,
                    troupe_client_problem *problem);

    /* Exchange one request whose answer, if it is 200 and text/event-stream, goes to the sink until it ends, the sink
     * closes it, request->stop_fd can be read, or nothing has come for silence_ms. Any other answer is taken as by
     * exchange; the reply of a stream has no body. Owns, Fails: as exchange; a stream that breaks fails too. */
    int (*follow)(struct transport *transport, const struct http_request *request, uint32_t silence_ms,
                  const struct stream_sink *sink, troupe_client_reply *ret_reply, troupe_client_problem *problem);

    uint64_t (*now_ms)(struct transport *transport);                        /* monotonic */
    void (*wait_ms)(struct transport *transport, uint32_t ms, int stop_fd); /* or less long, once that can be read */
    bool (*is_stopped)(struct transport *transport, int stop_fd);           /* can it? Never when it is 0 */
    uint32_t (*random)(struct transport *transport);

    /* Release the transport itself. */
    void (*free)(struct transport *transport);
};

/* Make a client on a transport; `base` is normalised. Owns: takes the transport, also on failure. */
TROUPE_MUST_USE int troupe__client_new_on(struct transport *transport, const char *base, troupe_client **ret_client,
                                          troupe_client_problem *problem);

/* The client's own transport. Lives: as long as the client. */
struct transport *troupe__client_transport(troupe_client *client);

/* Make the problem of an answer that was a success, but not in the words of this API; returns TROUPE_E_MALFORMED. */
int troupe__client_odd_answer(int http_status, const char *what, troupe_client_problem *problem);

#endif
