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
    if (after != NULL && !read_id(req, "after", *after, to))
        return false;
    return req->last_event_id.len == 0 || read_id(req, "Last-Event-ID", req->last_event_id, to);
}

static void begin(struct api_request *req, struct api_takeover *to)
{
    if (!read_start(req, to))
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

void events_actor(struct api_request *req)
{
    struct api_takeover to = {.kind = API_TO_EVENTS, .token = req->token};
    if (api_resolve(req, req->params[0], &to.ref))
        begin(req, &to);
}
