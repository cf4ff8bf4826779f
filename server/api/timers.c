/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/actors/{ref}/timers and a cast's ?delay=: messages that an actor is to handle later. A timer belongs to the actor
 * and ends with it; the id in the path is the client's, who replaces and cancels by it. */
#include <string.h>

#include "access/access.h"
#include "api/actor_doc.h"
#include "api/check.h"
#include "api/contract.h"
#include "api/handlers.h"
#include "api/inspect.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/timers.h"
#include "base/clock.h"

enum { AT_BYTES_MAX = 40 };

static const char when_rule[] = "say when: after_ms or at, every_ms, or both";

/* ---- documents ---- */

static void add_time(struct text *text, const struct api_env *env, uint64_t mono_ms, uint64_t now_ms)
{
    char at[CLOCK_TEXT_BYTES];
    clock_format(env->started_wall_ms + (mono_ms - env->started_mono_ms), at);
    text_printf(text, ",\"due_at\":\"%s\",\"due_in_ms\":%llu", at,
                (unsigned long long)(mono_ms > now_ms ? mono_ms - now_ms : 0));
}

static void add_timer(struct text *text, const struct api_env *env, const troupe_timer *timer, uint64_t now_ms)
{
    static const char *const actions[] = {
        [TROUPE_TIMER_MESSAGE] = "message", [TROUPE_TIMER_STOP] = "stop", [TROUPE_TIMER_KILL] = "kill",
    };
    text_add_str(text, "{\"id\":");
    if (timer->name[0] != '\0')
        text_add_json(text, troupe_view_of(timer->name));
    else
        text_add_str(text, "null");
    text_printf(text, ",\"action\":\"%s\",\"target\":", actions[timer->what]);
    actor_doc_ref(text, timer->target);
    text_add_str(text, ",\"type\":");
    if (timer->type[0] != '\0')
        text_add_json(text, troupe_view_of(timer->type));
    else
        text_add_str(text, "null");
    add_time(text, env, timer->due_ms, now_ms);
    if (timer->period_ms != 0)
        text_printf(text, ",\"every_ms\":%llu", (unsigned long long)timer->period_ms);
    else
        text_add_str(text, ",\"every_ms\":null");
    text_printf(text, ",\"missed\":\"%s\",\"set_by\":\"%s\"}", timer->missed == TROUPE_EVERY_BURST ? "burst" : "skip",
                timer->from_outside ? "client" : "actor");
}

/* ---- look ---- */

static void list_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct text document = {0};
    if (answer->error != 0) {
        inspect_refuse(req, answer);
        return;
    }
    const troupe_timer_page *page = answer->timers;
    text_add_str(&document, "{\"items\":[");
    for (uint32_t i = 0; i < page->count; i++) {
        text_add_str(&document, i > 0 ? "," : "");
        add_timer(&document, req->env, &page->timers[i], page->now_ms);
    }
    text_printf(&document, "],\"next\":null,\"total\":%u}", (unsigned)page->total);
    api_reply_text(req, 200, &document, NULL, 0);
}

static void refuse_unknown(struct api_request *req)
{
    api_refuse(req, TROUPE_E_NOT_FOUND, "timer", "the actor has no timer of this id; GET /v1/actors/{ref}/timers lists "
               "them");
}

static void get_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct text document = {0};
    if (answer->error != 0) {
        inspect_refuse(req, answer);
        return;
    }
    const troupe_timer_page *page = answer->timers;
    uint32_t i = 0;
    while (i < page->count && !troupe_view_equal(troupe_view_of(page->timers[i].name), req->params[1]))
        i++;
    if (i == page->count) {
        refuse_unknown(req);
        return;
    }
    add_timer(&document, req->env, &page->timers[i], page->now_ms);
    api_reply_text(req, 200, &document, NULL, 0);
}

static bool check_id(struct api_request *req)
{
    if (check_is_word(req->params[1]))
        return true;
    api_refuse(req, TROUPE_E_INVALID, "timer", "the id of a timer is 1 to 64 of A-Z a-z 0-9 _ . : -");
    return false;
}

void timers_list(struct api_request *req)
{
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_timers(req->worker, &req->core, list_done, req->actor, INSPECT_TIMEOUT_MS);
}

void timers_get(struct api_request *req)
{
    if (!check_id(req) || !api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_timers(req->worker, &req->core, get_done, req->actor, INSPECT_TIMEOUT_MS);
}

/* ---- set ---- */

struct timer_body {
    char type[TROUPE_TYPE_BYTES_MAX + 1];
    troupe_view body;            /* ptr NULL: none */
    uint32_t after_ms;           /* UINT32_MAX: not given */
    char at[AT_BYTES_MAX + 1];   /* "": not given */
    uint32_t every_ms;           /* 0: once */
    uint32_t missed;             /* enum troupe_every */
};

static const char *const missed_words[] = {[TROUPE_EVERY_SKIP] = "skip", [TROUPE_EVERY_BURST] = "burst", NULL};

static const struct check_field fields[] = {
    {.name = "type", .type = CHECK_TEXT, .required = true, .max = TROUPE_TYPE_BYTES_MAX,
     .offset = offsetof(struct timer_body, type)},
    {.name = "body", .type = CHECK_ANY, .offset = offsetof(struct timer_body, body)},
    {.name = "after_ms", .type = CHECK_UINT, .max = UINT32_MAX - 1, .offset = offsetof(struct timer_body, after_ms)},
    {.name = "at", .type = CHECK_TEXT, .max = AT_BYTES_MAX, .offset = offsetof(struct timer_body, at)},
    {.name = "every_ms", .type = CHECK_UINT, .min = 1, .max = UINT32_MAX - 1,
     .offset = offsetof(struct timer_body, every_ms)},
    {.name = "missed", .type = CHECK_WORD, .words = missed_words, .offset = offsetof(struct timer_body, missed)},
    {.name = NULL},
};

/* The time until the first message. False: the request was answered. */
static bool read_when(struct api_request *req, const struct timer_body *body, uint64_t *ret_after_ms)
{
    bool has_after = body->after_ms != UINT32_MAX, has_at = body->at[0] != '\0';
    uint64_t at_ms, now_ms = req->env->started_wall_ms + (req->now_ms - req->env->started_mono_ms);
    if ((has_after && has_at) || (!has_after && !has_at && body->every_ms == 0)) {
        api_refuse(req, TROUPE_E_SCHEMA, has_at ? "at" : "after_ms", "%s", when_rule);
        return false;
    }
    *ret_after_ms = has_after ? body->after_ms : body->every_ms;
    if (!has_at)
        return true;
    if (!clock_parse(body->at, &at_ms) || (at_ms > now_ms && at_ms - now_ms > TROUPE_TIMER_DELAY_MS_MAX)) {
        api_refuse(req, TROUPE_E_SCHEMA, "at",
                   "at is a time of RFC 3339, such as 2026-01-02T03:04:05Z, at most 400 days ahead");
        return false;
    }
    *ret_after_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    return true;
}

static bool check_message(struct api_request *req, troupe_view type, troupe_view body, const char *prefix)
{
    struct schema_fault fault;
    char field[sizeof "/body" + SCHEMA_POINTER_BYTES];
    const struct schema *schema = contract_of_body(req->env->system, req->actor, type);
    if (schema == NULL || schema_check(schema, body, &fault) == 0)
        return true;
    struct text words;
    text_init_fixed(&words, field, sizeof field);
    text_add_str(&words, prefix);
    text_add_str(&words, fault.pointer);
    field[words.len] = '\0';
    api_refuse(req, fault.error, fault.error == TROUPE_E_SCHEMA ? field : NULL, "%s", fault.detail);
    return false;
}

static void refuse_set(struct api_request *req, const troupe_answer *answer)
{
    troupe_peek peek;
    if (answer->error == TROUPE_E_UNKNOWN_TYPE && troupe_system_peek(req->env->system, req->actor, &peek) == 0)
        api_refuse(req, TROUPE_E_UNKNOWN_TYPE, "type",
                   "the behavior %s does not take this type; GET /v1/behaviors/%s lists its types", peek.behavior->name,
                   peek.behavior->name);
    else
        inspect_refuse(req, answer);
}

/* The timer as it was set: what the request said. */
static void set_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct timer_body body = {.after_ms = UINT32_MAX};
    struct check_fault fault;
    struct text document = {0};
    uint64_t after_ms;
    if (answer->error != 0) {
        refuse_set(req, answer);
        return;
    }
    if (check_object(req->body, req->body_len, fields, &body, &fault) != 0 || !read_when(req, &body, &after_ms))
        return; /* it was good when the timer was set */
    troupe_timer timer = {.due_ms = req->now_ms + after_ms, .period_ms = body.every_ms, .what = TROUPE_TIMER_MESSAGE,
                          .missed = (enum troupe_every)body.missed, .from_outside = true, .target = req->actor};
    memcpy(timer.name, req->params[1].ptr, req->params[1].len);
    memcpy(timer.type, body.type, sizeof timer.type);
    add_timer(&document, req->env, &timer, req->now_ms);
    api_reply_text(req, 200, &document, NULL, 0);
}

void timers_set(struct api_request *req)
{
    struct timer_body body = {.after_ms = UINT32_MAX};
    struct check_fault fault;
    troupe_timer_opts opts = {.name = req->params[1], .caller = {.subject = access_subject(req->token)}};
    if (!check_id(req))
        return;
    if (check_object(req->body, req->body_len, fields, &body, &fault) != 0) {
        api_refuse_body(req, &fault);
        return;
    }
    req->message_type = troupe_view_of(body.type); /* the grant must cover it */
    bool is_found = api_resolve(req, req->params[0], &req->actor);
    req->message_type = (troupe_view){NULL, 0}; /* it is on this stack */
    if (!is_found || !read_when(req, &body, &opts.after_ms))
        return;
    opts.type = troupe_view_of(body.type);
    opts.body = body.body.ptr != NULL ? troupe_body_json(body.body.ptr, body.body.len) : troupe_body_none();
    opts.every_ms = body.every_ms;
    opts.missed = (enum troupe_every)body.missed;
    if (!check_message(req, opts.type, (troupe_view){opts.body.ptr, opts.body.len}, "/body"))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_timer_set(req->worker, &req->core, set_done, req->actor, &opts, INSPECT_TIMEOUT_MS);
}

/* ---- cancel ---- */

static void cancel_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    if (answer->error == 0)
        api_reply_empty(req, 204, NULL, 0);
    else if (answer->error == TROUPE_E_NOT_FOUND && answer->detail.len > 0)
        refuse_unknown(req);
    else
        inspect_refuse(req, answer);
}

void timers_cancel(struct api_request *req)
{
    if (!check_id(req) || !api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_timer_cancel(req->worker, &req->core, cancel_done, req->actor, req->params[1], INSPECT_TIMEOUT_MS);
}

/* ---- a cast with a delay ---- */

static void delay_done(troupe_request *core, const troupe_answer *answer)
{
    static const char accepted[] = "{\"accepted\":1}";
    struct api_request *req = core->user;
    if (answer->error != 0)
        refuse_set(req, answer);
    else
        api_reply(req, 202, "application/json", accepted, sizeof accepted - 1, API_STATIC, NULL, 0);
}

void timers_cast_later(struct api_request *req, uint32_t delay_ms)
{
    const troupe_timer_opts opts = {
        .type = req->params[1], .body = troupe_body_bytes(req->body, req->body_len, req->content_type),
        .after_ms = delay_ms, .caller = {.subject = access_subject(req->token)},
    };
    req->core = (troupe_request){.user = req};
    troupe_request_timer_set(req->worker, &req->core, delay_done, req->actor, &opts, INSPECT_TIMEOUT_MS);
}
