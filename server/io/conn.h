/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection of a worker: its state and deadline, the body it collects, and who looks after it when its client does
 * not get on. Knows sockets, but not the HTTP library.
 *
 * Thread: the worker's. */
#ifndef TROUPE_SERVER_CONN_H
#define TROUPE_SERVER_CONN_H

#include "base/log.h"
#include "io/http_mhd.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

enum {
    CONN_TARGET_BYTES = 256,        /* longer targets come from malloc */
    CONN_BODY_BYTES = 1024,         /* longer bodies come from malloc */
    CONN_HOST_BYTES_MAX = 80,       /* of a Host that is remembered as allowed */
    CONN_DISCARD_BYTES_MAX = 32 << 20, /* of a body whose request is refused already */
    CONN_BYTES_PER_MS = 32          /* the slowest that a body may be, beside its base */
};

/* Between requests; a head, a body is coming; the answer is not there yet; the answer is being sent. */
enum conn_state { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_WAITING, CONN_SENDING };

struct conn {
    struct api_request req;         /* first: a request is its connection */
    struct http *http;
    struct MHD_Connection *mhd;
    struct MHD_Response *response;  /* built, not queued yet */
    unsigned status;
    size_t response_len;
    enum conn_state state;
    bool begun;                     /* the head was looked at */
    bool refused;                   /* answered before the body was read */
    bool suspended, watched, gone, failed;
    bool taken;                     /* not HTTP's any more: its socket lives on elsewhere */
    bool suspicious;                /* idle, yet bytes came: since suspicious_ms */
    uint64_t deadline_ms;           /* of the state; 0: none */
    uint64_t suspicious_ms, received, requests, requests_seen;
    uint64_t discarded;
    uint64_t accounted;             /* bytes of all heads and bodies so far ... */
    bool is_uncounted;              /* ... but for one of unknown length */
    struct conn *next, *prev;       /* all connections, in the order of the sweep */
    struct conn *fresh_next, *fresh_prev; /* suspended and not watched yet, oldest first */
    bool is_fresh;
    uint64_t suspended_ms;
    int fd;
    char *body;                     /* body_inline or from malloc */
    size_t body_len, body_cap;
    char *target;                   /* target_inline or from malloc */
    struct identify_memory identity; /* the last token */
    size_t host_len;
    char host[CONN_HOST_BYTES_MAX];      /* the last Host that was allowed */
    char target_inline[CONN_TARGET_BYTES];
    char body_inline[CONN_BODY_BYTES];
};

struct http {
    struct http_config config;
    struct MHD_Daemon *daemon;
    int fd, gone_fd;
    uint64_t now_ms;
    unsigned connections, requests, in_pass;
    bool again, is_retiring, is_taking;
    struct conn all;                /* ring: next is the one to sweep first */
    struct conn fresh;              /* ring */
    struct log_gate gate;
};

/* Join and leave the ring of all connections. */
void conn_link(struct conn *conn);
void conn_unlink(struct conn *conn);

/* Change the state; allowance_ms is how long it may last, 0 for as long as it takes. */
void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowance_ms);

/* Notice the client's end while the connection waits: from the next tick on, since most answers come sooner. The
 * connection then comes out of http->gone_fd. */
void conn_watch(struct conn *conn);
void conn_unwatch(struct conn *conn);

/* Collect body bytes, or drop them when nobody wants them; what is too much is refused. False: the client sends on and
 * on and shall be cut off. */
bool conn_take_body(struct conn *conn, const char *bytes, size_t len);
void conn_drop_body(struct conn *conn);

/* Account for the bytes of a request. */
void conn_account(struct conn *conn, uint64_t head_bytes, uint64_t body_bytes, bool is_chunked);

/* Has the library read more than the requests so far? A client that begins to speak another protocol without waiting
 * for the answer would lose what it read. */
bool conn_is_ahead(const struct conn *conn);

/* Answer that the body is too large. */
void conn_refuse_size(struct conn *conn);

/* Enforce the deadlines; see http_tick. */
void conn_tick(struct http *http, uint64_t now_ms);

#endif
