/* SPDX-License-Identifier: Apache-2.0
 *
 * The REST API without an HTTP library: what a request is, how it is answered, and what all requests share.
 *
 * The life of a request: the transport fills a struct api_request, api_begin() checks Host, Origin, route, method and
 * content type when the head is there, and api_run() calls the handler when the body is there. A handler answers with
 * api_reply() or one of its kin, exactly once: at once, or later from the `done` of req->core. Until it did, the
 * transport keeps the request; when the client goes away first, the transport cancels req->core.
 *
 * Thread: a request belongs to the worker whose thread owns its connection. */
#ifndef TROUPE_SERVER_API_H
#define TROUPE_SERVER_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/system.h>

#include "api/origin.h"
#include "base/text.h"

enum {
    API_PARAMS_MAX = 3,          /* variable segments of a path */
    API_QUERY_MAX = 16,          /* parameters of a query */
    API_HEADERS_MAX = 8          /* that a handler may add to a reply */
};

enum api_method {
    API_METHOD_OTHER = 0, API_GET, API_HEAD, API_POST, API_PUT, API_DELETE, API_OPTIONS, API_PATCH
};
enum api_method api_method_parse(troupe_view word);
const char *api_method_word(enum api_method method);

enum api_phase { API_STARTING = 0, API_UP = 1, API_DRAINING = 2, API_STOPPING = 3 };

/* What the health routes and the watchdog share. Any thread, advisory. */
struct api_health {
    _Atomic int phase;           /* enum api_phase; set by the control thread */
    _Atomic unsigned stuck;      /* workers whose turn lasts over 10 s; set by the control thread */
};

/* Figures of the transport, summed over its threads. */
struct api_traffic {
    uint64_t requests[6];        /* by status class: [2] is 2xx */
    uint64_t connections_opened;
    uint64_t connections, waiting; /* now: open connections; requests whose answer is not there yet */
    uint64_t heads_refused[16];  /* by enum head_reason */
    uint64_t heads_timed_out, heads_waiting, connections_refused, connections_swept;
};

/* What all requests share; set once before threads are made. */
struct api_env {
    troupe_system *system;
    const char *version;
    char node[TROUPE_HOME_TEXT_MAX];
    char cluster[TROUPE_HOME_TEXT_MAX];
    const char *url;             /* "http://127.0.0.1:41873" */
    const char *host;            /* of the API port as bound, and ... */
    unsigned port;
    uint64_t started_mono_ms, started_wall_ms;
    size_t body_max;
    uint64_t memory_max;
    unsigned connections_max;
    struct origin_rules origins;
    struct api_health *health;
    void (*traffic)(void *user, struct api_traffic *ret_traffic); /* any thread */
    void *traffic_user;
    char *openapi;               /* the document, made at start */
    size_t openapi_len;
};

struct api_header {
    const char *name;
    const char *value;
};

/* Who owns the bytes of a body that is sent. */
enum api_body { API_COPY, API_STATIC, API_MALLOCED };

struct api_request;

struct api_response {
    unsigned status;
    const char *content_type;    /* NULL: there is no body */
    const void *body;
    size_t len;
    enum api_body owner;
    const struct api_header *headers;
    unsigned headers_count;
    bool close;                  /* say Connection: close */
};

/* What carries requests. Both run on the request's thread. */
struct api_transport {
    void (*send)(struct api_request *req, const struct api_response *response);
    void (*peer)(struct api_request *req, char *text, size_t cap); /* "127.0.0.1:5123", for audit lines */
};

struct api_query_item {
    troupe_view name, value;     /* decoded */
};

struct api_route;

struct api_request {
    /* set by the transport */
    const struct api_env *env;
    const struct api_transport *transport;
    troupe_worker *worker;
    uint64_t now_ms;             /* monotonic, when the handler is run */
    enum api_method method;
    char *target;                /* path and query as they came; decoded in place by api_begin */
    size_t target_len;
    troupe_view host, origin;    /* origin.ptr NULL: none */
    const char *content_type;    /* NULL: none given */
    troupe_view if_none_match;
    bool accepts_gzip;
    bool is_preflight;           /* Access-Control-Request-Method came */
    bool host_is_trusted;        /* this Host was allowed before on this connection; set by api_begin too */
    const char *body;            /* with api_run */
    size_t body_len;
    /* set by api_begin */
    const struct api_route *route;
    unsigned params_count;
    troupe_view params[API_PARAMS_MAX];
    unsigned query_count;
    struct api_query_item query[API_QUERY_MAX];
    bool allow_origin;           /* Origin came and is allowed: CORS headers are due */
    /* the handler's own while it waits */
    troupe_request core;
    troupe_request more;         /* a second question that follows from the answer to core */
    bool has_more;
    troupe_ref actor;
    uint32_t flags;
    bool is_answered;
};

/* Check the head and find the route. False: it was answered with a refusal, and the body is of no interest. */
bool api_begin(struct api_request *req);

/* Run the handler of the route. */
void api_run(struct api_request *req);

#endif
