/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP by libmicrohttpd, in external epoll mode: one object per worker, driven by its loop, and one of the control
 * thread, for the registry. http_mhd.c is the only file that knows the library.
 *
 * Thread: the driver's, for all but http_new and http_free (before and after it runs). */
#ifndef TROUPE_SERVER_HTTP_MHD_H
#define TROUPE_SERVER_HTTP_MHD_H

#include "api/api.h"
#include "io/traffic.h"

/* What the HTTP objects of all workers share. */
struct http_shared {
    _Atomic uint64_t bodies_bytes; /* memory of request bodies that are being read; any thread */
    uint64_t bodies_bytes_max;
};

struct http_config {
    const struct api_env *env;
    troupe_worker *worker;       /* NULL: the control thread's, which runs no actor */
    bool is_control;             /* serves the routes that are on_control, and health */
    struct traffic_worker *traffic;
    struct http_shared *shared;
    _Atomic unsigned *connections; /* of this object: counted up by the control thread, down here */
    uint64_t head_timeout_ms, idle_timeout_ms;
    /* Take a connection out of HTTP: `fd` is a second descriptor of its socket. Owns: fd, also on failure. NULL: no
     * connection is given away. */
    int (*take)(void *user, const struct api_request *req, int fd, const struct api_takeover *to);
    void *user;
};

struct http;

/* Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INTERNAL (the library did not start). */
TROUPE_MUST_USE int http_new(const struct http_config *config, struct http **ret_http);

/* Close all connections; requests that wait are cancelled. */
void http_free(struct http *http);

/* Two descriptors to watch for reading: requests that come in, clients that leave while they wait. */
int http_fd(const struct http *http);
int http_gone_fd(const struct http *http);

/* Take over a connection whose first head is whole. Owns: fd, also on failure. */
void http_add(struct http *http, int fd);

/* Serve what is ready. Returns the ms until it must be called again, 0 for at once, UINT64_MAX for never. */
uint64_t http_run(struct http *http, uint64_t now_ns);

/* True when http_run has something to do without a descriptor being readable. */
bool http_is_due(const struct http *http);

/* http_gone_fd is readable. */
void http_on_gone(struct http *http);

/* Every HTTP_TICK_MS while there are connections: enforce the deadlines of requests. */
#define HTTP_TICK_MS 250u
void http_tick(struct http *http, uint64_t now_ms);

unsigned http_connections(const struct http *http);

/* Requests under way, from their first line to the last byte of their answer. */
unsigned http_requests(const struct http *http);

/* From now on answers say Connection: close, and idle connections are closed. */
void http_retire(struct http *http);

#endif
