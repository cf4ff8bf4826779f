/* SPDX-License-Identifier: Apache-2.0
 *
 * The REST API without an HTTP library: what a request is, how it is answered, and what all requests share.
 *
 * The life of a request: the transport fills a struct api_request, api_begin() checks Host, Origin, route, method and
 * content type when the head is there, and api_run() calls the handler when the body is there. A handler answers with
 * api_reply() or one of its kin, exactly once: at once, or later from the `done` of req->core. Until it did, the
 * transport keeps the request; when the client goes away first, the transport cancels req->core and tells
 * req->cancelled.
 *
 * Thread: a request belongs to the worker whose thread owns its connection. */
#ifndef TROUPE_SERVER_API_H
#define TROUPE_SERVER_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/system.h>

#include "api/identify.h"
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
    _Atomic uint64_t blocked_since_ms[TROUPE_WORKERS_MAX]; /* of blocking worker i: since when its turn has been seen to
                                                              last; 0: it was not. Set by the control thread */
};

/* Figures of the transport, summed over its threads. */
struct api_traffic {
    uint64_t requests[6];        /* by status class: [2] is 2xx */
    uint64_t connections_opened;
    uint64_t connections, waiting; /* now: open connections; requests whose answer is not there yet */
    uint64_t heads_refused[16];  /* by enum head_reason */
    uint64_t sessions, frames_in, frames_out; /* WebSocket; sessions are those of now */
    uint64_t streams, events_out, events_lagged; /* event streams; streams are those of now */
    uint64_t heads_timed_out, heads_waiting, connections_refused, connections_swept;
};

struct access;
struct access_token;
struct place;
struct cluster;
struct ports;
struct registry_service;

/* What all requests share; set once, before a worker gets its first connection. */
struct api_env {
    troupe_system *system;
    const char *version;
    char node[TROUPE_HOME_TEXT_MAX];
    char cluster[TROUPE_HOME_TEXT_MAX];
    const char *url;             /* "http://127.0.0.1:41873", as it was at the start */
    struct ports *ports;         /* where the node listens */
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
    char *asyncapi;              /* the same of the sessions */
    size_t asyncapi_len;
    struct access *access;
    struct registry_service *registry; /* control thread only */
    struct place *place;
    struct http_out *http_out;   /* requests of behaviors */
    struct cluster *members;     /* the node's view of its cluster; `cluster` is its id */
    troupe_topic *events;        /* of the cluster: what GET /v1/events shows */
    troupe_topic *dead;          /* of dead letters: what GET /v1/events/dead shows */
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

/* What becomes of a connection that is not HTTP's any more. */
enum api_takeover_kind { API_TO_WEBSOCKET = 1, API_TO_EVENTS = 2 };
struct api_takeover {
    enum api_takeover_kind kind;
    struct access_token *token;  /* held for the taker; NULL: none */
    /* WebSocket */
    troupe_view key;             /* Sec-WebSocket-Key */
    const char *protocol;        /* the subprotocol to answer, or NULL */
    /* events */
    bool is_cluster;             /* the cluster's events, not those of an actor */
    troupe_topic *topic;         /* or those of this topic, until it ends; borrowed during the call */
    troupe_view types;           /* a filter as text (troupe_filter_parse); empty: all */
    troupe_ref ref;
    enum troupe_from from;
    troupe_event_id after;
};

/* What carries requests. All run on the request's thread. */
struct api_transport {
    void (*send)(struct api_request *req, const struct api_response *response);
    void (*peer)(struct api_request *req, char *text, size_t cap); /* "127.0.0.1:5123", for audit lines */
    /* Take the connection out of HTTP: it is the answer to the request. All views are copied. 0, or TROUPE_E_... and
     * then the request is still to be answered. Only inside the handler (a suspended connection cannot go). */
    int (*take_over)(struct api_request *req, const struct api_takeover *to);
    int (*fd)(struct api_request *req);
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
    troupe_view authorization;   /* "Bearer ...", ptr NULL: none */
    troupe_view last_event_id;
    struct {
        bool is_upgrade;         /* Connection: upgrade and Upgrade: websocket came */
        troupe_view version, key; /* ptr NULL: none, or several of them */
        troupe_view protocols;   /* the list of subprotocols, ptr NULL: none */
        unsigned protocol_lines; /* fields that gave such a list */
    } websocket;
    bool accepts_gzip;
    bool is_preflight;           /* Access-Control-Request-Method came */
    struct identify_memory *identity; /* of the connection; NULL: it remembers nothing */
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
    struct access_token *token;  /* who asks; NULL: there are no tokens. Held until the request is over */
    /* the handler's own while it waits */
    troupe_view message_type;    /* of a message whose type is not the path's {type}: what a grant must cover */
    troupe_request core;
    troupe_request more;         /* a second question that follows from the answer to core */
    bool has_more;
    void (*cancelled)(struct api_request *req); /* not NULL: is told once when the client goes before the answer */
    void *waiting;               /* with that */
    troupe_ref actor;
    uint32_t flags;
    bool is_answered;
};

/* Check the head and find the route. False: it was answered with a refusal, and the body is of no interest. */
bool api_begin(struct api_request *req);

/* Run the handler of the route. */
void api_run(struct api_request *req);

#endif
