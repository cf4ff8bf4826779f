/* SPDX-License-Identifier: Apache-2.0
 *
 * The route table: REST dispatch and openapi.json are made from it, so they cannot disagree. One row is one operation.
 *
 * Thread: any; the table is constant. */
#ifndef TROUPE_SERVER_ROUTER_H
#define TROUPE_SERVER_ROUTER_H

#include "access/access.h"
#include "api/api.h"

/* What a route does with the body of a request. */
enum api_body_kind {
    API_BODY_NONE,               /* read and dropped */
    API_BODY_DOCUMENT,           /* JSON that the API reads */
    API_BODY_MESSAGE             /* bytes for an actor, with their content type */
};

struct api_param {
    const char *name;
    const char *schema;          /* JSON Schema, as text */
    const char *summary;
};

struct api_result {
    unsigned status;
    const char *summary;
    const char *content_type;    /* NULL: no body */
    const char *schema;          /* name of a component, or NULL: any */
};

/* What a grant must cover for a route; it is also what the authorization matrix is made from. */
enum api_target {
    API_TARGET_NODE = 0,         /* the node as a whole: a grant for everything */
    API_TARGET_ACTOR,            /* {ref}: checked when it is resolved, by api_resolve */
    API_TARGET_NAME,             /* {name}: checked by the handler, with its holder */
    API_TARGET_BEHAVIOR,         /* {behavior} */
    API_TARGET_SPAWN,            /* behavior and name in the body */
    API_TARGET_LIST,             /* a grant for some; items are filtered */
    API_TARGET_GROUP,            /* {group}, of ?scope=: checked by the handler */
    API_TARGET_MEMBER,           /* the same, and {ref}, for all types of messages */
    API_TARGET_SECRET            /* no token: the cluster's secret (the registry) */
};

struct api_route {
    enum api_method method;      /* HEAD is answered by GET rows */
    const char *path;            /* "/v1/actors/{ref}" */
    const char *operation;       /* operationId */
    const char *tag;             /* NULL: no operation of the REST API, so not in openapi.json */
    const char *summary;
    void (*handle)(struct api_request *req);
    enum api_body_kind body;
    const char *body_schema;     /* name of a component, with API_BODY_DOCUMENT */
    const struct api_param *query; /* ends with a NULL name; NULL: none */
    const struct api_result *results; /* ends with status 0 */
    const unsigned short *problems; /* statuses of problems beside those of every route; ends with 0; NULL: none */
    enum access_scope scope;     /* ACCESS_PUBLIC: anybody */
    enum api_target target;
    bool on_control;             /* served by the control thread's HTTP object, and only there */
};

/* Row i, or NULL past the end. */
const struct api_route *router_at(unsigned i);

/* The parameters that stand in paths. NULL: no such name. */
const struct api_param *router_path_param(troupe_view name);

/* Find the row of a path that was split into raw segments, and note the variable segments in params.
 * Fails: TROUPE_E_NO_ROUTE; TROUPE_E_BAD_METHOD, then *ret_route is a row of the same path. */
TROUPE_MUST_USE int router_find(enum api_method method, const troupe_view *segments, unsigned count,
                                const struct api_route **ret_route, troupe_view *params, unsigned *ret_params_count);

/* The methods of a path, for Allow: "GET, HEAD, POST, OPTIONS". */
void router_allow(const char *path, struct text *ret_allow);

/* The value of a query parameter, NULL when it was not given. */
const troupe_view *api_query(const struct api_request *req, const char *name);

#endif
