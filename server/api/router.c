/* SPDX-License-Identifier: Apache-2.0 */
#include "api/router.h"

#include <string.h>

static const char *const method_words[] = {"", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};

enum api_method api_method_parse(troupe_view word)
{
    for (unsigned i = 1; i < sizeof method_words / sizeof method_words[0]; i++) {
        if (troupe_view_equal(word, troupe_view_of(method_words[i])))
            return (enum api_method)i;
    }
    return API_METHOD_OTHER;
}

const char *api_method_word(enum api_method method)
{
    return method_words[method];
}

/* Behind the segment of a path that is this text, or is "{...}", which takes any that is not empty; NULL: it is
 * another. */
static const char *match(const char *at, troupe_view segment)
{
    if (at[0] == '{')
        return segment.len > 0 ? strchr(at, '}') + 1 : NULL;
    size_t len = 0;
    while (len < segment.len && at[len] == segment.ptr[len])
        len++;
    return len == segment.len && (at[len] == '/' || at[len] == '\0') ? at + len : NULL;
}

/* Compare one path with the segments. */
static bool matches(const char *path, const troupe_view *segments, unsigned count, troupe_view *params,
                    unsigned *ret_params_count)
{
    unsigned params_count = 0;
    const char *at = path + 1;
    for (unsigned i = 0; i < count; i++) {
        if (at[0] == '{')
            params[params_count++] = segments[i];
        at = match(at, segments[i]);
        if (at == NULL)
            return false;
        bool is_end = at[0] == '\0';
        if (is_end != (i + 1 == count))
            return false;
        at += is_end ? 0 : 1;
    }
    *ret_params_count = params_count;
    return true;
}

int router_find(enum api_method method, const troupe_view *segments, unsigned count,
                const struct api_route **ret_route, troupe_view *params, unsigned *ret_params_count)
{
    const struct api_route *route;
    if (method == API_HEAD)
        method = API_GET;
    for (unsigned i = 0; (route = router_at(i)) != NULL; i++) {
        if (route->method != method || !matches(route->path, segments, count, params, ret_params_count))
            continue;
        *ret_route = route;
        return 0;
    }
    for (unsigned i = 0; (route = router_at(i)) != NULL; i++) {
        if (!matches(route->path, segments, count, params, ret_params_count))
            continue;
        *ret_route = route;
        return TROUPE_E_BAD_METHOD;
    }
    return TROUPE_E_NO_ROUTE;
}

void router_allow(const char *path, struct text *ret_allow)
{
    const struct api_route *route;
    for (unsigned i = 0; (route = router_at(i)) != NULL; i++) {
        if (strcmp(route->path, path) != 0)
            continue;
        text_add_str(ret_allow, api_method_word(route->method));
        text_add_str(ret_allow, route->method == API_GET ? ", HEAD, " : ", ");
    }
    text_add_str(ret_allow, "OPTIONS");
}

const troupe_view *api_query(const struct api_request *req, const char *name)
{
    for (unsigned i = 0; i < req->query_count; i++) {
        if (troupe_view_equal(req->query[i].name, troupe_view_of(name)))
            return &req->query[i].value;
    }
    return NULL;
}
