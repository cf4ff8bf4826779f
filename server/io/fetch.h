/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP requests of the node itself, to other nodes, and those of behaviors to the world outside: libcurl's multi
 * interface on the control loop. fetch.c is the only file that knows the library. Connections are kept for the next
 * request of the same struct fetch. There are no redirects, no proxies, no cookies, no other protocol; an answer has at
 * most FETCH_ANSWER_BYTES_MAX bytes.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_FETCH_H
#define TROUPE_SERVER_FETCH_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

enum { FETCH_ANSWER_BYTES_MAX = 1 << 20, FETCH_URL_BYTES = 1024, FETCH_REQUESTS_MAX = 512 };

struct fetch;

/* What came of a request. Borrowed while `done` runs, but fd. */
struct fetch_answer {
    const char *trouble;         /* NULL: there is an answer; else why not, for people */
    int error;                   /* with trouble: TROUPE_E_UNREACHABLE, TIMEOUT, TOO_LARGE or FORBIDDEN */
    unsigned status;
    const char *content_type;    /* or NULL */
    troupe_view proof;           /* the header Troupe-Proof, or empty */
    troupe_view body;
    int fd;                      /* of a request to connect only: owned by `done`; else -1 */
    bool has_no_address;         /* the name of the host had become none when it ended */
};

typedef void (*fetch_done_fn)(void *user, uint64_t id, const struct fetch_answer *answer);

struct sockaddr;

/* What is different for a request to the world outside: https is one more protocol, with its certificates verified by
 * the machine's authorities or those in $SSL_CERT_FILE. */
struct fetch_outside {
    const char *const *headers;  /* "Name: value"; ends with NULL */
    const char *content_type;    /* of the body */
    bool (*guards)(const struct sockaddr *address); /* is it one not to connect to? NULL: none is */
};

struct fetch_request {
    const char *method;          /* NULL: connect only, and give the socket */
    const char *url;
    const char *authorization;   /* NULL: none */
    const char *body;            /* copied */
    size_t body_len;
    uint32_t timeout_ms;
    const struct fetch_outside *outside; /* NULL: a request of the node itself */
    bool is_once;                /* close the connection behind it */
    fetch_done_fn done;
    void *user;
};

/* Make it; the library is only set up by the first request. Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int fetch_new(struct ev_loop *ev, struct fetch **ret_fetch);

/* Abort what is under way and free. NULL is legal. */
void fetch_free(struct fetch *fetch);

/* Start a request: done runs once, never from inside this. Returns its id, 0: TROUPE_E_LIMIT or no memory. */
uint64_t fetch_start(struct fetch *fetch, const struct fetch_request *request);

/* Then done does not run. Legal for one that is over. */
void fetch_abort(struct fetch *fetch, uint64_t id);

#endif
