/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: asked, answered, kept.
 *
 * A call is a message that says who waits for the answer: an actor, with the id of an entry in its wait table, or an
 * outsider's request. An answer travels as a message that needs no room, or, when the request belongs to the worker at
 * hand, as a function call. A call always ends: by its answer, by the end of who was asked, or by its deadline, for
 * which the caller looks itself; a late answer finds no entry and is dropped. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/compiler.h"
#include "base/mem.h"

/* ---- ask ---- */

static int call(troupe_ctx *ctx, const troupe_ref *to, const char *type, const troupe_body *body, uint32_t timeout_ms,
                troupe_reply_fn then, uint64_t tag, bool pauses)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending)
        return TROUPE_E_STATE;
    if (timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&worker->pool, actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->waits.calls >= TROUPE_CALLS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    uint64_t deadline_ns =
        worker->now_ns + (timeout_ms ? timeout_ms : worker->system->config.call_timeout_ms) * NS_PER_MS;
    uint64_t id = troupe__wait_add(&worker->pool, &extra->waits, WAIT_CALL, deadline_ns);
    if (!id)
        return TROUPE_E_NO_MEMORY;
    struct wait *wait = troupe__wait_find(&extra->waits, id, WAIT_CALL);
    wait->then = then;
    wait->tag_or_period = tag;
    wait->pauses = pauses;

    int rc = troupe__send_call(ctx, to, type, body, id, deadline_ns);
    if (rc) {
        troupe__wait_remove(&extra->waits, wait);
        return rc;
    }
    counter_add(&worker->stats.calls, 1);
    if (pauses) {
        extra->call_awaited = id;
        actor->pause |= PAUSE_CALL;
    }
    return 0;
}

int troupe_call(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body, uint32_t timeout_ms,
                troupe_reply_fn then, uint64_t tag)
{
    return call(ctx, &to, type, &body, timeout_ms, then, tag, false);
}

int troupe_call_wait(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body, uint32_t timeout_ms,
                     troupe_reply_fn then, uint64_t tag)
{
    if ((ctx->actor->pause & PAUSE_CALL) || troupe_ref_equal(to, troupe_self(ctx)))
        return TROUPE_E_STATE;
    return call(ctx, &to, type, &body, timeout_ms, then, tag, true);
}

int troupe__call_end(troupe_ctx *ctx, struct wait *wait, troupe_msg *reply)
{
    struct extra *extra = ctx->actor->extra;
    troupe_reply_fn then = wait->then;
    reply->kind = TROUPE_MSG_REPLY;
    reply->tag = wait->tag_or_period;
    if (wait->pauses) {
        extra->call_awaited = 0;
        troupe__turn_resume(ctx->actor, PAUSE_CALL);
        troupe__wait_release_overdue(&extra->waits);
    }
    troupe__wait_remove(&extra->waits, wait);
    return then(ctx, actor_state(ctx->actor), reply);
}

int troupe__call_on_reply(troupe_ctx *ctx, struct message *reply)
{
    struct extra *extra = ctx->actor->extra;
    struct wait *wait = extra ? troupe__wait_find(&extra->waits, reply->call_id, WAIT_CALL) : NULL;
    int rc = wait ? troupe__call_end(ctx, wait, &reply->msg) : 0; /* none: it came after its deadline */
    troupe__message_free(&ctx->worker->pool, reply);
    return rc;
}

/* ---- answer ---- */

/* Write what an answer says into a message for the caller. */
static void fill_reply(struct message *reply, const struct message *asked, const troupe_answer *answer)
{
    reply->call_id = asked->call_id;
    reply->msg.status = answer->error;
    reply->msg.app_status = answer->app_status;
    reply->msg.app_code_len = (uint8_t)answer->app_code.len;
}

static RARE struct message *new_reply(troupe_worker *worker, troupe_ref from, const troupe_answer *answer)
{
    struct message_parts parts = {.what = MESSAGE_REPLY, .kind = TROUPE_MSG_REPLY, .from = from};
    char words[TROUPE_TYPE_BYTES_MAX + TROUPE_REASON_BYTES_MAX];
    if (answer->error) { /* an error's body: the application's code, then the detail */
        troupe_view detail = troupe__reason_cut(answer->detail);
        if (answer->app_code.len)
            memcpy(words, answer->app_code.ptr, answer->app_code.len);
        if (detail.len)
            memcpy(words + answer->app_code.len, detail.ptr, detail.len);
        parts.body = troupe_body_json(words, answer->app_code.len + detail.len);
    } else {
        parts.body = troupe_body_bytes(answer->body.ptr, answer->body.len, answer->content_type);
    }
    return troupe__message_new(&worker->pool, &parts);
}

/* The usual one: a small body and nothing else. */
static inline struct message *new_usual_reply(troupe_worker *worker, troupe_ref from, const troupe_answer *answer)
{
    struct message *reply = troupe__message_take_small(&worker->pool, MESSAGE_REPLY, answer->body.len);
    if (!reply)
        return NULL;
    reply->msg.kind = TROUPE_MSG_REPLY;
    reply->msg.from = from;
    reply->msg.type = "";
    reply->msg.body = reply + 1;
    reply->msg.body_len = (uint32_t)answer->body.len;
    if (answer->body.len)
        memcpy(reply + 1, answer->body.ptr, answer->body.len);
    return reply;
}

int troupe__answer(troupe_worker *worker, const struct message *asked, troupe_ref from, const troupe_answer *answer)
{
    if (asked->reply_to == REPLY_NOBODY)
        return 0;
    if (asked->reply_to == REPLY_REQUEST && asked->reply_worker == worker->index) {
        troupe__request_complete(worker, asked->call_id, answer);
        return 0;
    }
    bool is_usual = !answer->error && !answer->content_type && answer->body.len <= TROUPE_SMALL_BODY_BYTES;
    struct message *reply = is_usual ? new_usual_reply(worker, from, answer) : new_reply(worker, from, answer);
    if (!reply)
        return TROUPE_E_NO_MEMORY;
    fill_reply(reply, asked, answer);
    if (asked->reply_to == REPLY_ACTOR)
        troupe__send_reserved(worker, asked->msg.from, reply);
    else
        troupe__worker_post(worker->system, asked->reply_worker, reply);
    return 0;
}

void troupe__answer_with_error(troupe_worker *worker, struct message *asked, troupe_ref from, int error,
                               troupe_view detail)
{
    troupe_answer answer = {.error = error, .detail = detail, .ref = from};
    if (asked->reply_to == REPLY_NOBODY) {
        troupe__message_free(&worker->pool, asked);
        return;
    }
    if (asked->reply_to == REPLY_REQUEST && asked->reply_worker == worker->index) {
        uint64_t call_id = asked->call_id;
        troupe__request_complete(worker, call_id, &answer);
        troupe__message_free(&worker->pool, asked);
        return;
    }
    /* The words are sent whole where there is memory. Else the call itself goes back, with as many as it has room
     * for. */
    if (detail.len > troupe__message_text_room(asked) && troupe__answer(worker, asked, from, &answer) == 0) {
        troupe__message_free(&worker->pool, asked);
        return;
    }
    troupe_ref caller = asked->msg.from;
    uint8_t reply_to = asked->reply_to;
    troupe__message_set_text(asked, detail);
    asked->what = MESSAGE_REPLY;
    asked->msg.kind = TROUPE_MSG_REPLY;
    asked->msg.op = TROUPE_OP_NONE;
    asked->msg.from = from;
    asked->reply_to = REPLY_NOBODY;
    fill_reply(asked, asked, &answer);
    if (reply_to == REPLY_ACTOR)
        troupe__send_reserved(worker, caller, asked);
    else
        troupe__worker_post(worker->system, asked->reply_worker, asked);
}

/* ---- what behaviors call ---- */

static int check_answer(const troupe_answer *answer)
{
    if (answer->body.len > TROUPE_BODY_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    if (answer->content_type && strlen(answer->content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX)
        return TROUPE_E_INVALID;
    return 0;
}

/* Answer the call at hand once. */
static int reply_now(troupe_ctx *ctx, const troupe_answer *answer)
{
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->answered || !ctx->message)
        return TROUPE_E_STATE;
    int rc = check_answer(answer);
    if (rc)
        return rc;
    ctx->answered = true;
    rc = troupe__answer(ctx->worker, ctx->message, troupe_self(ctx), answer);
    if (rc)
        ctx->answer_failed = true; /* the caller is told after the turn, in the call's own memory */
    return rc;
}

static int reply_error_now(troupe_ctx *ctx, const troupe_answer *answer)
{
    int rc = reply_now(ctx, answer);
    if (rc == 0 && ctx->message->what == MESSAGE_USER)
        troupe__inspect_note_error(ctx, answer->error, answer->detail);
    return rc;
}

int troupe_reply(troupe_ctx *ctx, troupe_body body)
{
    troupe_answer answer = {.body = {body.ptr, body.len}, .content_type = body.content_type};
    return reply_now(ctx, &answer);
}

int troupe_reply_error(troupe_ctx *ctx, int error, const char *detail)
{
    if (error >= 0)
        return TROUPE_E_INVALID;
    troupe_answer answer = {.error = error, .detail = troupe__reason_cut(troupe_view_of(detail))};
    return reply_error_now(ctx, &answer);
}

static bool app_error_is_valid(troupe_view code, unsigned status)
{
    return troupe__is_word(code) && status >= 400 && status <= 499;
}

int troupe_reply_app_error(troupe_ctx *ctx, const char *code, unsigned status, const char *detail)
{
    troupe_answer answer = {.error = TROUPE_E_APP,
                            .app_code = troupe_view_of(code),
                            .app_status = (uint16_t)status,
                            .detail = troupe__reason_cut(troupe_view_of(detail))};
    return app_error_is_valid(answer.app_code, status) ? reply_error_now(ctx, &answer) : TROUPE_E_INVALID;
}

int troupe_reply_keep(troupe_ctx *ctx, troupe_handle *ret_handle)
{
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (ctx->answered || !ctx->message || ctx->message->what != MESSAGE_USER) /* a view answers at once */
        return TROUPE_E_STATE;
    struct extra *extra = troupe__extra(&ctx->worker->pool, actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->waits.kept >= TROUPE_KEPT_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    uint64_t deadline_ns = ctx->message->deadline_ns ? ctx->message->deadline_ns : UINT64_MAX;
    uint64_t id = troupe__wait_add(&ctx->worker->pool, &extra->waits, WAIT_KEPT, deadline_ns);
    if (!id)
        return TROUPE_E_NO_MEMORY;
    troupe__wait_find(&extra->waits, id, WAIT_KEPT)->message = ctx->message;
    ctx->kept = ctx->answered = true;
    *ret_handle = (troupe_handle){(uint32_t)id, (uint32_t)(id >> 32)};
    return 0;
}

const troupe_msg *troupe_kept_msg(troupe_ctx *ctx, troupe_handle handle)
{
    struct extra *extra = ctx->actor->extra;
    uint64_t id = (uint64_t)handle.generation << 32 | handle.index;
    const struct wait *wait = extra ? troupe__wait_find(&extra->waits, id, WAIT_KEPT) : NULL;
    return wait && wait->deadline_ns > ctx->worker->now_ns ? &wait->message->msg : NULL;
}

static int reply_kept(troupe_ctx *ctx, troupe_handle handle, const troupe_answer *answer)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    uint64_t id = (uint64_t)handle.generation << 32 | handle.index;
    struct wait *wait = extra ? troupe__wait_find(&extra->waits, id, WAIT_KEPT) : NULL;
    if (!wait)
        return TROUPE_E_STATE; /* used up, or too late */
    int rc = check_answer(answer);
    if (rc)
        return rc;
    struct message *asked = wait->message;
    troupe__wait_remove(&extra->waits, wait);
    if (asked == ctx->message) { /* kept in this very turn, which still needs the message */
        ctx->kept = ctx->answered = false;
        return reply_now(ctx, answer);
    }
    rc = troupe__answer(worker, asked, troupe_self(ctx), answer);
    if (rc)
        troupe__answer_with_error(worker, asked, troupe_self(ctx), rc, (troupe_view){"", 0});
    else
        troupe__message_free(&worker->pool, asked);
    return rc;
}

int troupe_reply_to(troupe_ctx *ctx, troupe_handle handle, troupe_body body)
{
    troupe_answer answer = {.body = {body.ptr, body.len}, .content_type = body.content_type};
    return reply_kept(ctx, handle, &answer);
}

int troupe_reply_error_to(troupe_ctx *ctx, troupe_handle handle, int error, const char *detail)
{
    if (error >= 0)
        return TROUPE_E_INVALID;
    troupe_answer answer = {.error = error, .detail = troupe__reason_cut(troupe_view_of(detail))};
    return reply_kept(ctx, handle, &answer);
}

int troupe_reply_app_error_to(troupe_ctx *ctx, troupe_handle handle, const char *code, unsigned status,
                              const char *detail)
{
    troupe_answer answer = {.error = TROUPE_E_APP,
                            .app_code = troupe_view_of(code),
                            .app_status = (uint16_t)status,
                            .detail = troupe__reason_cut(troupe_view_of(detail))};
    return app_error_is_valid(answer.app_code, status) ? reply_kept(ctx, handle, &answer) : TROUPE_E_INVALID;
}
