/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking inside an actor and intervening, by its system lane: state views, suspension, the start and end of traces,
 * and the errors it answered with. Timers that clients set are in timer.c; info is in info.c.
 *
 * The way of each: the worker that asks makes a message with all that is needed (for a trace, its topic too) and raises
 * SIGNAL_SYSTEM; the actor, between two messages, does what it says and turns the message into the answer. A view is
 * the one that runs code of the behavior: as a call that is being handled, which it answers with troupe_reply.
 *
 * Suspension is a pause of the message lane (PAUSE_SUSPENDED): what comes is set aside in order, as while the actor
 * waits for a call, and counts against the mailbox. Deadlines of its own calls come due when it is resumed; timers send
 * their one message, which waits with the others.
 *
 * Thread: the actor's owner, but the requests: the owner of the worker that asks. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

static void answer(troupe_ctx *ctx, struct message *request, int error, const char *words)
{
    troupe__answer_with_error(ctx->worker, request, troupe_self(ctx), error, troupe_view_of(words));
}

static void set_mark(struct actor *actor, uint8_t mark, bool on)
{
    if (on)
        atomic_fetch_or_explicit(&actor->marks, mark, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&actor->marks, (uint8_t)~mark, memory_order_relaxed);
}

/* ---- views ---- */

static bool is_running(const struct actor *actor)
{
    return actor->began && !actor->ending && !(actor->pause & PAUSE_STARTING);
}

static void on_view(troupe_ctx *ctx, struct message *request)
{
    const troupe_behavior *behavior = actor_kind(ctx->actor)->behavior;
    if (!behavior->view) {
        answer(ctx, request, TROUPE_E_NO_VIEW, "");
        return;
    }
    ctx->message = request;
    ctx->answered = ctx->kept = ctx->answer_failed = false;
    int rc = behavior->view(ctx, actor_state(ctx->actor));
    bool answered = ctx->answered && !ctx->answer_failed;
    ctx->message = NULL;
    ctx->answered = true;
    ctx->answer_failed = ctx->stop_self = false; /* what a view may not do, it has not done */
    if (answered)
        troupe__message_free(&ctx->worker->pool, request);
    else
        troupe__answer_with_error(ctx->worker, request, troupe_self(ctx), rc < 0 ? rc : TROUPE_E_NO_REPLY,
                                  (troupe_view){ctx->detail, ctx->detail_len});
    ctx->detail_len = 0;
}

/* ---- suspension ---- */

static void on_suspend(troupe_ctx *ctx, struct message *request)
{
    struct actor *actor = ctx->actor;
    int rc = 0;
    if (!request->cause)
        troupe__inspect_resume(ctx);
    else if (actor_state_now(actor) == TROUPE_STATE_DRAINING)
        rc = TROUPE_E_NOT_RUNNING; /* it is to come to its end */
    else if (!troupe__extra(&ctx->worker->pool, actor))
        rc = TROUPE_E_NO_MEMORY;
    else {
        actor->pause |= PAUSE_SUSPENDED;
        set_mark(actor, ACTOR_IS_SUSPENDED, true);
    }
    answer(ctx, request, rc, "");
}

void troupe__inspect_resume(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    if (!(actor->pause & PAUSE_SUSPENDED))
        return;
    set_mark(actor, ACTOR_IS_SUSPENDED, false);
    if (TROUPE_PLANTED(21)) { /* what was set aside stays there until something else resumes the lane */
        actor->pause &= (uint8_t)~PAUSE_SUSPENDED;
        return;
    }
    troupe__turn_resume(actor, PAUSE_SUSPENDED);
    troupe__wait_release_overdue(&actor->extra->waits);
    atomic_or_relaxed(&actor->identity, SIGNAL_TIMER); /* they are looked at in this turn */
}

/* ---- traces ---- */

static void on_trace(troupe_ctx *ctx, struct message *request)
{
    struct trace_job *job = (struct trace_job *)(void *)(request + 1);
    struct trace *trace = job->trace;
    int rc = 0;
    troupe__trace_end(ctx, trace ? "replaced" : "stopped");
    if (trace && (rc = troupe__trace_begin(ctx, trace)))
        troupe__trace_free(trace);
    if (rc == 0 && trace) {
        ctx->actor->pause |= PAUSE_TRACED;
        set_mark(ctx->actor, ACTOR_IS_TRACED, true);
    }
    answer(ctx, request, rc, rc == TROUPE_E_LIMIT ? "as many actors of the node are traced as may" : "");
}

/* ---- what was asked ---- */

void troupe__inspect_drop_job(troupe_worker *worker, struct message *request)
{
    if (request->what == SYSTEM_TIMER_SET)
        troupe__timer_drop_job(worker, request);
    else if (request->what == SYSTEM_TRACE)
        troupe__trace_free(((struct trace_job *)(void *)(request + 1))->trace);
}

void troupe__inspect_on_request(troupe_ctx *ctx, struct message *request)
{
    bool needs_running = request->what == SYSTEM_VIEW;
    if (request->what == SYSTEM_TIMERS) {
        troupe__timer_on_list(ctx, request);
        return;
    }
    if (ctx->actor->ending || (needs_running && !is_running(ctx->actor))) {
        troupe__inspect_drop_job(ctx->worker, request);
        answer(ctx, request, TROUPE_E_NOT_RUNNING, "");
        return;
    }
    switch (request->what) {
    case SYSTEM_VIEW:
        on_view(ctx, request);
        break;
    case SYSTEM_SUSPEND:
        on_suspend(ctx, request);
        break;
    case SYSTEM_TRACE:
        on_trace(ctx, request);
        break;
    case SYSTEM_TIMER_SET:
        troupe__timer_on_set(ctx, request);
        break;
    default: /* SYSTEM_TIMER_CANCEL */
        troupe__timer_on_cancel(ctx, request);
    }
}

void troupe__inspect_refuse(troupe_worker *worker, struct message *request, troupe_ref target)
{
    troupe__inspect_drop_job(worker, request);
    troupe__answer_with_error(worker, request, target, TROUPE_E_GONE, (troupe_view){"", 0});
}

/* ---- errors ---- */

void troupe__inspect_note_error(troupe_ctx *ctx, int error, troupe_view detail)
{
    ctx->traced_error = error;
    struct pool *pool = &ctx->worker->pool;
    struct extra *extra = troupe__extra(pool, ctx->actor);
    if (!extra)
        return;
    if (!extra->last_error)
        extra->last_error = troupe__pool_alloc(pool, sizeof *extra->last_error);
    struct last_error *last = extra->last_error;
    if (!last)
        return;
    detail = troupe__reason_cut(detail);
    last->error = error;
    last->at_ms = troupe_now_ms(ctx);
    last->len = (uint8_t)detail.len;
    if (detail.len)
        memcpy(last->detail, detail.ptr, detail.len);
}

/* ---- at the worker that asks ---- */

void troupe_request_view(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         uint32_t timeout_ms)
{
    troupe__request_ask(worker, request, done, ref, troupe__message_new_bare(&worker->pool, SYSTEM_VIEW, 0),
                        SIGNAL_SYSTEM, timeout_ms);
}

void troupe_request_suspend(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                            bool suspend, uint32_t timeout_ms)
{
    struct message *message = troupe__message_new_bare(&worker->pool, SYSTEM_SUSPEND, 0);
    if (message)
        message->cause = suspend;
    troupe__request_ask(worker, request, done, ref, message, SIGNAL_SYSTEM, timeout_ms);
}

static struct trace *new_trace(troupe_system *system, uint32_t messages, bool bodies)
{
    struct trace *trace = troupe_alloc(sizeof *trace);
    if (!trace)
        return NULL;
    *trace = (struct trace){.left = messages, .bodies = bodies};
    if (troupe_topic_new(system, &trace->topic) == 0)
        return trace;
    troupe_free(trace);
    return NULL;
}

void troupe_request_trace(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                          uint32_t messages, bool bodies, uint32_t timeout_ms)
{
    if (messages > TROUPE_TRACE_MESSAGES_MAX) {
        troupe__request_refuse(request, done, TROUPE_E_INVALID, ref);
        return;
    }
    struct trace *trace = messages ? new_trace(worker->system, messages, bodies) : NULL;
    struct message *message = messages && !trace ? NULL
                                                 : troupe__message_new_bare(&worker->pool, SYSTEM_TRACE,
                                                                            sizeof(struct trace_job));
    if (message)
        ((struct trace_job *)(void *)(message + 1))->trace = trace;
    else
        troupe__trace_free(trace);
    troupe__request_ask(worker, request, done, ref, message, SIGNAL_SYSTEM, timeout_ms);
}
