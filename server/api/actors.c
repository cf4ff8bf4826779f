/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/actors: list, look at and stop actors. Spawning is in spawn.c. */
#include <string.h>

#include "api/actor_doc.h"
#include "api/audit.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/router.h"

enum { INFO_TIMEOUT_MS = 1000 };

/* ---- list ---- */

struct list {
    struct api_request *req;
    struct page page;
    const troupe_view *behavior, *name;
    unsigned state;              /* 0: any */
};

static bool is_wanted(const struct list *list, const troupe_peek *peek)
{
    if (list->behavior != NULL && !troupe_view_equal(*list->behavior, troupe_view_of(peek->behavior->name)))
        return false;
    if (list->name != NULL && !troupe_view_equal(*list->name, troupe_view_of(peek->name)))
        return false;
    return list->state == 0 || list->state == (unsigned)peek->state;
}

static bool add_actor(void *user, const troupe_peek *peek)
{
    struct list *list = user;
    const struct access_target target = {
        .behavior = troupe_view_of(peek->behavior->name), .name = troupe_view_of(peek->name),
    };
    if (!is_wanted(list, peek) || !access_allows(list->req->token, ACCESS_READ, &target))
        return true;
    actor_doc_short(page_add(&list->page), list->req->env, peek, list->req->now_ms);
    return page_is_open(&list->page);
}

static bool parse_state(struct list *list)
{
    const troupe_view *word = api_query(list->req, "state");
    if (word == NULL)
        return true;
    for (unsigned state = TROUPE_STATE_STARTING; state <= TROUPE_STATE_STOPPED; state++) {
        if (troupe_view_equal(*word, troupe_view_of(troupe_actor_state_word((enum troupe_actor_state)state)))) {
            list->state = state;
            return true;
        }
    }
    api_refuse(list->req, TROUPE_E_INVALID, "state",
               "state must be one of starting, running, draining, stopping, stopped");
    return false;
}

/* Filters that name another host or node match nothing here. */
static bool is_elsewhere(const struct api_request *req)
{
    const troupe_view *host = api_query(req, "host");
    const troupe_view *node = api_query(req, "node");
    return (host != NULL && !troupe_view_equal(*host, troupe_view_of("native"))) ||
           (node != NULL && !troupe_view_equal(*node, troupe_view_of(req->env->node)));
}

void actors_list(struct api_request *req)
{
    struct list list = {.req = req, .behavior = api_query(req, "behavior"), .name = api_query(req, "name")};
    if (!parse_state(&list) || !page_begin(&list.page, req, 'a'))
        return;
    bool more = !is_elsewhere(req) && troupe_system_scan(req->env->system, &list.page.cursor, PAGE_SLOTS_MAX, add_actor,
                                                         &list);
    page_reply(&list.page, "/v1/actors", more);
}

/* ---- one actor ---- */

/* An actor in a long turn does not answer: then what one sees from outside is better than nothing. */
static void reply_peek(struct api_request *req, troupe_ref ref)
{
    troupe_peek peek;
    int error = troupe_system_peek(req->env->system, ref, &peek);
    if (error != 0) {
        troupe_answer answer = {.error = error};
        api_reply_answer(req, &answer, ref);
        return;
    }
    struct text document = {0};
    actor_doc_short(&document, req->env, &peek, req->now_ms);
    api_reply_text(req, 200, &document, NULL, 0);
}

static void info_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct text document = {0};
    if (answer->error == 0) {
        actor_doc_full(&document, req->env, answer->info, req->now_ms);
        api_reply_text(req, 200, &document, NULL, 0);
    } else if (answer->error == TROUPE_E_TIMEOUT) {
        reply_peek(req, req->actor);
    } else {
        api_reply_answer(req, answer, (troupe_ref){0});
    }
}

void actors_get(struct api_request *req)
{
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_info(req->worker, &req->core, info_done, req->actor, INFO_TIMEOUT_MS);
}

/* ---- stop ---- */

static const char *const stop_words[] = {[TROUPE_STOP] = "stop", [TROUPE_DRAIN] = "drain", [TROUPE_KILL] = "kill"};

static void stop_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    const troupe_view *reason = api_query(req, "reason");
    audit_log(req, stop_words[req->flags], req->actor, NULL, reason != NULL ? *reason : (troupe_view){"", 0},
              answer->error);
    if (answer->error == 0)
        api_reply_empty(req, 204, NULL, 0);
    else if (answer->error == TROUPE_E_TIMEOUT)
        api_reply_empty(req, 202, NULL, 0);
    else
        api_reply_answer(req, answer, (troupe_ref){0});
}

void actors_stop(struct api_request *req)
{
    uint32_t timeout_ms = TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT;
    const troupe_view *mode = api_query(req, "mode");
    const troupe_view *reason = api_query(req, "reason");
    req->flags = TROUPE_STOP;
    while (mode != NULL && req->flags <= TROUPE_KILL &&
           !troupe_view_equal(*mode, troupe_view_of(stop_words[req->flags])))
        req->flags++;
    if (req->flags > TROUPE_KILL) {
        api_refuse(req, TROUPE_E_INVALID, "mode", "mode must be one of stop, drain, kill");
        return;
    }
    if (reason != NULL && reason->len > TROUPE_REASON_BYTES_MAX) {
        api_refuse(req, TROUPE_E_INVALID, "reason", "reason has at most %d bytes", TROUPE_REASON_BYTES_MAX);
        return;
    }
    if (!api_query_duration(req, "timeout", 1, TROUPE_CALL_TIMEOUT_MS_MAX, &timeout_ms) ||
        !api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_stop(req->worker, &req->core, stop_done, req->actor, (enum troupe_stop_mode)req->flags,
                        reason != NULL ? *reason : (troupe_view){"", 0}, timeout_ms);
}
