/* SPDX-License-Identifier: Apache-2.0
 *
 * Event streams: GET /v1/events and /v1/actors/{ref}/events. Where one begins is decided here; the socket then goes to
 * io/sse.c. */
#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/router.h"
#include "session/event_id.h"

static bool read_id(struct api_request *req, const char *field, troupe_view text, struct api_takeover *to)
{
    if (event_id_parse(text, &to->after) != 0) {
        api_refuse(req, TROUPE_E_INVALID, field, "%s is the id of an event, such as 3f1c9a77d0b2e468.17", field);
        return false;
    }
    to->from = TROUPE_FROM_AFTER;
    return true;
}

/* Where to begin: Last-Event-ID is what a browser sends when it comes back, so it wins; then after, then from. An empty
 * one is no id: a browser sends it when no event had one. */
static bool read_start(struct api_request *req, struct api_takeover *to)
{
    const troupe_view *from = api_query(req, "from"), *after = api_query(req, "after");
    if (from != NULL && !troupe_view_equal(*from, troupe_view_of("now")) &&
        !troupe_view_equal(*from, troupe_view_of("oldest"))) {
        api_refuse(req, TROUPE_E_INVALID, "from", "from is now or oldest");
        return false;
    }
    to->from = from != NULL && from->ptr[0] == 'o' ? TROUPE_FROM_OLDEST : TROUPE_FROM_NOW;
    if (from == NULL && req->route->handle == events_trace)
        to->from = TROUPE_FROM_OLDEST;
    if (after != NULL && !read_id(req, "after", *after, to))
        return false;
    return req->last_event_id.len == 0 || read_id(req, "Last-Event-ID", req->last_event_id, to);
}

/* Which types: ?types=a,b.* */
static bool read_types(struct api_request *req, struct api_takeover *to)
{
    const troupe_view *types = api_query(req, "types");
    troupe_filter filter;
    if (types == NULL)
        return true;
    if (troupe_filter_parse(*types, &filter) != 0) {
        api_refuse(req, TROUPE_E_INVALID, "types",
                   "types is 1 to %u types of events with commas between; one may end with "
                   "a *, and then it is the beginning of types",
                   TROUPE_FILTER_TYPES_MAX);
        return false;
    }
    to->types = *types;
    return true;
}

static void begin(struct api_request *req, struct api_takeover *to)
{
    if (!read_start(req, to) || !read_types(req, to))
        return;
    if (req->method == API_HEAD) {
        api_reply(req, 200, "text/event-stream", "", 0, API_STATIC, NULL, 0);
        return;
    }
    api_hand_over(req, to);
}

void events_cluster(struct api_request *req)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token, .is_cluster = true};
    begin(req, &to);
}

/* What nobody took, as far as it is told (alerts.h). */
void events_dead(struct api_request *req)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token, .topic = req->env->dead};
    begin(req, &to);
}

/* The trace of an actor, from its beginning unless told otherwise; one that is over is read to its end. */
void events_trace(struct api_request *req)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token};
    if (!api_resolve(req, req->params[0], &to.ref))
        return;
    if (troupe_system_trace(req->env->system, to.ref, &to.topic) != 0) {
        api_refuse(req, TROUPE_E_NOT_FOUND, "ref", "the actor is not traced; begin with POST /v1/actors/{ref}/trace");
        return;
    }
    begin(req, &to);
    troupe_topic_release(to.topic);
}

void events_topic(struct api_request *req, troupe_topic *topic)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token, .topic = topic};
    begin(req, &to);
}

void events_actor(struct api_request *req)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token};
    if (api_resolve(req, req->params[0], &to.ref))
        begin(req, &to);
}
