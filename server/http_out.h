/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP requests of behaviors (troupe/http.h): from their worker to the control thread, judged there by the rules of
 * --allow-http, made by io/fetch.c, and answered to the actor.
 *
 * Limits: HTTP_OUT_FLIGHTS_MAX requests are under way at a time, the others wait in their order; HTTP_OUT_REQUESTS_MAX
 * and HTTP_OUT_BYTES_MAX bound all of them, and what is more is refused with TROUPE_E_LIMIT. A request has its deadline
 * from the moment it was asked for.
 *
 * Thread: control (or main), but http_out_ask and http_out_figures. */
#ifndef TROUPE_SERVER_HTTP_OUT_H
#define TROUPE_SERVER_HTTP_OUT_H

#include <stdint.h>

#include <troupe/http.h>
#include <troupe/system.h>

enum { HTTP_OUT_FLIGHTS_MAX = 64, HTTP_OUT_REQUESTS_MAX = 4096, HTTP_OUT_BYTES_MAX = 64 << 20 };

struct http_out;
struct ev_loop;

struct http_out_config {
    troupe_system *system;       /* borrowed, this and below */
    const char *const *allow;    /* rules, see http_rule.h; ends with NULL */
    void (*wake_control)(void *user); /* any thread: let http_out_run run */
    void *user;
};

/* What became of requests so far, and how many there are now. */
struct http_out_figures {
    uint64_t answered, failed, forbidden, refused; /* refused: TROUPE_E_LIMIT at once */
    uint64_t waiting, in_flight;
};

/* Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INVALID (a rule). */
TROUPE_MUST_USE int http_out_new(const struct http_out_config *config, struct http_out **ret_out);

/* Let requests be made on this loop. Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int http_out_attach(struct http_out *out, struct ev_loop *ev);

/* Abort what is under way. State: before the loop is freed; http_out_run does nothing from now on. NULL is legal. */
void http_out_detach(struct http_out *out);

/* State: nobody asks any more. NULL is legal. */
void http_out_free(struct http_out *out);

/* The hook `http` of troupe_system_config. Any thread. Fails: TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int http_out_ask(struct http_out *out, troupe_outside who, const troupe_http *request);

/* Take what was asked for, and begin what may begin. */
void http_out_run(struct http_out *out);

/* Any thread. NULL is legal. */
void http_out_figures(const struct http_out *out, struct http_out_figures *ret_figures);

#endif
