/* SPDX-License-Identifier: Apache-2.0
 *
 * What an actor waits for that no actor answers: HTTP requests, which the host makes, and the mere passing of time.
 *
 * Both are calls in the actor's table of waits. A request goes to the host by a hook, together with who waits for it;
 * its answer may come from any thread, as a notice in the inbox of the worker that the actor's slot stands for. There
 * it becomes a reply as that of a call; memory that is too short for one leaves the call to its deadline. A late answer
 * finds no entry and is dropped.
 *
 * Thread: the actor's owner, but for troupe_system_answer. */
#include "core/outside.h"

#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

struct outside_notice {
    struct message notice; /* NOTICE_OUTSIDE */
    troupe_outside who;
    int error;
    uint16_t app_status;
    bool has_content_type;
    uint32_t body_at, body_len;
    char bytes[];          /* content type NUL, body */
};

/* ---- ask ---- */

/* Begin to wait. Fails: KILLED, STATE, LIMIT, NO_MEMORY. */
static int open_wait(troupe_ctx *ctx, uint32_t timeout_ms, bool pauses, troupe_reply_fn then, uint64_t tag,
                     uint64_t *ret_id)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending || (pauses && (actor->pause & PAUSE_CALL)))
        return TROUPE_E_STATE;
    struct extra *extra = troupe__extra(&worker->pool, actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->waits.calls >= TROUPE_CALLS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    uint64_t id = troupe__wait_add(&worker->pool, &extra->waits, WAIT_CALL, worker->now_ns + timeout_ms * NS_PER_MS);
    if (!id)
        return TROUPE_E_NO_MEMORY;
    struct wait *wait = troupe__wait_find(&extra->waits, id, WAIT_CALL);
    wait->then = then;
    wait->tag_or_period = tag;
    wait->pauses = pauses;
    *ret_id = id;
    return 0;
}

static void begin_pause(struct actor *actor, uint64_t id)
{
    actor->extra->call_awaited = id;
    actor->pause |= PAUSE_CALL;
}

static int ask(troupe_ctx *ctx, const troupe_http *request, troupe_reply_fn then, uint64_t tag, bool pauses)
{
    const troupe_system_config *config = &ctx->worker->system->config;
    troupe_http whole = *request;
    int rc = troupe__http_check(request);
    if (rc)
        return rc;
    if (!config->http)
        return TROUPE_E_FORBIDDEN;
    if (!whole.method)
        whole.method = whole.body.ptr ? "POST" : "GET";
    if (!whole.timeout_ms)
        whole.timeout_ms = TROUPE_HTTP_TIMEOUT_MS_DEFAULT;
    troupe_outside who = {.actor = troupe_self(ctx)};
    if ((rc = open_wait(ctx, whole.timeout_ms, pauses, then, tag, &who.call)))
        return rc;
    if ((rc = config->http(config->user, who, &whole))) {
        struct wait_table *waits = &ctx->actor->extra->waits;
        troupe__wait_remove(waits, troupe__wait_find(waits, who.call, WAIT_CALL));
        return rc;
    }
    counter_add(&ctx->worker->stats.calls, 1);
    if (pauses)
        begin_pause(ctx->actor, who.call);
    return 0;
}

int troupe_http_request(troupe_ctx *ctx, const troupe_http *request, troupe_reply_fn then, uint64_t tag)
{
    return ask(ctx, request, then, tag, false);
}

int troupe_http_request_wait(troupe_ctx *ctx, const troupe_http *request, troupe_reply_fn then, uint64_t tag)
{
    return ask(ctx, request, then, tag, true);
}

int troupe_pause(troupe_ctx *ctx, uint32_t delay_ms, troupe_reply_fn then, uint64_t tag)
{
    uint64_t id;
    if (delay_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        return TROUPE_E_INVALID;
    int rc = open_wait(ctx, delay_ms, true, then, tag, &id);
    if (rc)
        return rc;
    troupe__wait_find(&ctx->actor->extra->waits, id, WAIT_CALL)->is_delay = true;
    begin_pause(ctx->actor, id);
    return 0;
}

/* ---- the answer ---- */

int troupe_system_answer(troupe_system *system, troupe_outside who, const troupe_answer *answer)
{
    troupe_view body = answer->error ? troupe__reason_cut(answer->detail) : answer->body;
    size_t type_len = !answer->error && answer->content_type ? strlen(answer->content_type) : 0;
    if (type_len > TROUPE_CONTENT_TYPE_BYTES_MAX || body.len > TROUPE_BODY_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    struct outside_notice *notice = troupe_alloc(sizeof *notice + type_len + 1 + body.len);
    if (!notice)
        return TROUPE_E_NO_MEMORY;
    memset(&notice->notice, 0, sizeof notice->notice);
    notice->notice.what = NOTICE_OUTSIDE;
    notice->who = who;
    notice->error = answer->error;
    notice->app_status = answer->app_status;
    notice->has_content_type = type_len > 0;
    notice->body_at = (uint32_t)type_len + 1;
    notice->body_len = (uint32_t)body.len;
    if (type_len)
        memcpy(notice->bytes, answer->content_type, type_len);
    notice->bytes[type_len] = '\0';
    if (body.len)
        memcpy(notice->bytes + notice->body_at, body.ptr, body.len);
    troupe__worker_post(system, who.actor.slot % system->config.workers, &notice->notice);
    return 0;
}

void troupe__outside_on_notice(troupe_worker *worker, struct message *message)
{
    struct outside_notice *notice = (struct outside_notice *)(void *)message; /* its first member */
    struct message_parts parts = {.what = MESSAGE_REPLY,
                                  .kind = TROUPE_MSG_REPLY,
                                  .body = troupe_body_bytes(notice->bytes + notice->body_at, notice->body_len,
                                                            notice->has_content_type ? notice->bytes : NULL),
                                  .from = {.home = worker->system->home},
                                  .own_type = ""};
    struct message *reply = troupe__message_new(&worker->pool, &parts);
    if (reply) {
        reply->call_id = notice->who.call;
        reply->msg.status = notice->error;
        reply->msg.app_status = notice->app_status;
        troupe__send_reserved(worker, notice->who.actor, reply);
    }
    troupe_free(notice);
}
