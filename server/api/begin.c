/* SPDX-License-Identifier: Apache-2.0
 *
 * The first look at a request: Host, Origin, rate, route, method, query, token and its grants, content type. Every
 * refusal that needs no body is decided here, before a byte of the body is of interest. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/assets.h"
#include "api/head_check.h"
#include "api/authorize.h"
#include "api/path.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/media.h"

static bool refuse_host(struct api_request *req)
{
    api_refuse(req, TROUPE_E_WRONG_HOST, "Host",
               "this node is not %.*s; use an IP address, localhost or the advertised name, or start the node with "
               "--allow-host", (int)(req->host.len < 100 ? req->host.len : 100), req->host.ptr);
    return false;
}

static bool check_origin(struct api_request *req)
{
    if (!req->host_is_trusted && !origin_host_is_allowed(&req->env->origins, req->host))
        return refuse_host(req);
    req->host_is_trusted = true;
    if (req->origin.ptr == NULL)
        return true;
    if (!origin_is_allowed(&req->env->origins, req->origin, req->host)) {
        api_refuse(req, TROUPE_E_WRONG_ORIGIN, "Origin",
                   "pages of %.*s may not use this node; start the node with --allow-origin for it",
                   (int)(req->origin.len < 100 ? req->origin.len : 100), req->origin.ptr);
        return false;
    }
    req->allow_origin = true;
    return true;
}

static bool is_json(const char *content_type)
{
    size_t len = strcspn(content_type, "; ");
    return media_is(content_type, "application/json") ||
           (len > 5 && strncasecmp(content_type + len - 5, "+json", 5) == 0);
}

/* curl -d sends the form type; it means JSON here, as does none at all. NULL stands for JSON. */
static bool check_content_type(struct api_request *req)
{
    if (req->content_type == NULL || req->route->body == API_BODY_NONE)
        return true;
    if (media_is(req->content_type, "application/x-www-form-urlencoded") ||
        strcasecmp(req->content_type, "application/json") == 0) {
        req->content_type = NULL;
        return true;
    }
    if (req->route->body == API_BODY_DOCUMENT && !is_json(req->content_type)) {
        api_refuse(req, TROUPE_E_MEDIA_TYPE, "Content-Type", "this route takes JSON; send Content-Type: "
                                                             "application/json, or none");
        return false;
    }
    if (strlen(req->content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX) {
        api_refuse(req, TROUPE_E_MEDIA_TYPE, "Content-Type", "a content type has at most %d bytes",
                   TROUPE_CONTENT_TYPE_BYTES_MAX);
        return false;
    }
    return true;
}

static bool is_known_parameter(const struct api_route *route, troupe_view name)
{
    for (const struct api_param *param = route->query; param != NULL && param->name != NULL; param++) {
        if (troupe_view_equal(name, troupe_view_of(param->name)))
            return true;
    }
    return false;
}

static bool refuse_parameter(struct api_request *req, troupe_view name)
{
    char known_text[256], name_text[65];
    struct text known;
    size_t len = name.len < sizeof name_text ? name.len : sizeof name_text - 1;
    memcpy(name_text, name.ptr, len);
    name_text[len] = '\0';
    text_init_fixed(&known, known_text, sizeof known_text);
    for (const struct api_param *param = req->route->query; param != NULL && param->name != NULL; param++)
        text_printf(&known, "%s%s", known.len > 0 ? ", " : "", param->name);
    api_refuse(req, TROUPE_E_INVALID, name_text, known.len > 0 ? "this route takes the parameters %s"
                                                               : "this route takes no parameters%s", known_text);
    return false;
}

static bool parse_query(struct api_request *req, char *query, size_t len)
{
    int error = path_query(query, len, req->query, &req->query_count);
    if (error != 0) {
        api_refuse(req, TROUPE_E_INVALID, "query", error == TROUPE_E_LIMIT
                   ? "the query has more than 16 parameters"
                   : "the query has a bad %%XX escape, a control character or bytes that are not UTF-8");
        return false;
    }
    if (strncmp(req->route->path, "/v1/", 4) != 0)
        return true;
    for (unsigned i = 0; i < req->query_count; i++) {
        if (!is_known_parameter(req->route, req->query[i].name))
            return refuse_parameter(req, req->query[i].name);
        for (unsigned j = 0; j < i; j++) {
            if (troupe_view_equal(req->query[i].name, req->query[j].name)) {
                api_refuse(req, TROUPE_E_INVALID, "query", "a parameter is given twice; give each one once");
                return false;
            }
        }
    }
    return true;
}

static bool decode_params(struct api_request *req)
{
    for (unsigned i = 0; i < req->params_count; i++) {
        if (memchr(req->params[i].ptr, '%', req->params[i].len) == NULL)
            continue; /* the head has ASCII only */
        if (path_decode(&req->params[i]) != 0) {
            api_refuse(req, TROUPE_E_INVALID, "path", "segment %u of the variable ones in the path has a bad %%XX "
                                                      "escape, a control character or bytes that are not UTF-8", i + 1);
            return false;
        }
    }
    return true;
}

static void answer_options(struct api_request *req, const char *allow)
{
    struct api_header headers[4] = {{"Allow", allow}};
    unsigned count = 1;
    if (req->allow_origin && req->is_preflight) {
        headers[count++] = (struct api_header){"Access-Control-Allow-Methods", allow};
        headers[count++] = (struct api_header){"Access-Control-Allow-Headers",
                                               "Content-Type, Accept, Authorization, If-None-Match, Last-Event-ID"};
        headers[count++] = (struct api_header){"Access-Control-Max-Age", "600"};
    }
    api_reply_empty(req, 204, headers, count);
}

/* No row for this method: OPTIONS is answered, HEAD is GET, another is told what there is. */
static bool refuse_method(struct api_request *req, const struct api_route *route)
{
    char allow_text[128];
    struct text allow;
    text_init_fixed(&allow, allow_text, sizeof allow_text);
    router_allow(route->path, &allow);
    if (req->method == API_OPTIONS) {
        answer_options(req, allow_text);
        return false;
    }
    char detail[192];
    struct text words;
    text_init_fixed(&words, detail, sizeof detail);
    text_printf(&words, "this route takes %s", allow_text);
    struct api_problem problem = {
        .error = TROUPE_E_BAD_METHOD, .detail = {detail, words.len}, .allow = allow_text,
    };
    api_reply_problem(req, &problem);
    return false;
}

static bool find_route(struct api_request *req, size_t path_len)
{
    troupe_view segments[PATH_SEGMENTS_MAX];
    unsigned count = path_split(req->target, path_len, segments);
    const struct api_route *route = NULL;
    int error = TROUPE_E_NO_ROUTE;
    if (count <= PATH_SEGMENTS_MAX)
        error = router_find(req->method, segments, count, &route, req->params, &req->params_count);
    if (error == TROUPE_E_NO_ROUTE) {
        route = assets_route((troupe_view){req->target, path_len});
        error = route == NULL ? error : req->method == API_GET || req->method == API_HEAD ? 0 : TROUPE_E_BAD_METHOD;
    }
    if (error == TROUPE_E_BAD_METHOD)
        return refuse_method(req, route);
    if (error != 0) {
        api_refuse(req, TROUPE_E_NO_ROUTE, NULL, "nothing is served at this path; /openapi.json lists the routes");
        return false;
    }
    req->route = route;
    return true;
}

/* The registry is left out: a lease must not be lost because many nodes share an address. It has its secret. */
static bool check_address_rate(struct api_request *req)
{
    if (req->env->access == NULL || head_target_is_registry((troupe_view){req->target, req->target_len}))
        return true;
    return api_take_rate(req, access_address_take_rate(req->env->access, req->transport->fd(req), req->now_ms),
                         "your address sends more than --address-rate lets it; wait, or send less often");
}

bool api_begin(struct api_request *req)
{
    if (!check_origin(req) || !check_address_rate(req))
        return false;
    if (req->target_len == 1 && req->target[0] == '*') {
        answer_options(req, "GET, HEAD, POST, DELETE, OPTIONS");
        return false;
    }
    char *query = memchr(req->target, '?', req->target_len);
    size_t path_len = query != NULL ? (size_t)(query - req->target) : req->target_len;
    if (req->target_len == 0 || req->target[0] != '/') {
        api_refuse(req, TROUPE_E_INVALID, "path", "the target of a request begins with /");
        return false;
    }
    if (!find_route(req, path_len) || !decode_params(req))
        return false;
    if (query != NULL && !parse_query(req, query + 1, req->target_len - path_len - 1))
        return false;
    return identify_request(req) && authorize_begin(req) && check_content_type(req);
}

void api_run(struct api_request *req)
{
    req->route->handle(req);
}
