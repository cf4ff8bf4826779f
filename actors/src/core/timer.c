/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers as behaviors and clients see them. How an entry becomes due is in wait.c.
 *
 * There are three sorts, all entries WAIT_TIMER of the actor that they belong to:
 *
 *   of the actor itself    its message is a MESSAGE_TIMER of kind TIMER
 *   of a client            the same of kind CAST, made by the client's worker and brought by a SYSTEM_TIMER_SET; it may
 *                          have a name, under which the client replaces and cancels it
 *   an end                 its message is a SYSTEM_STOP, which goes to another's system lane when the time has come
 *
 * Everything an entry needs later is made when it is set, so that being due needs no memory. Names are a short list in
 * the extra; one whose timer is over is taken out by the next who walks the list.
 *
 * Thread: the actor's owner, but the requests: the owner of the worker that asks. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

/* The body of a SYSTEM_TIMER_SET or SYSTEM_TIMER_CANCEL. */
struct timer_job {
    struct message *tick;      /* SET: the timer's message */
    struct named_timer *named; /* SET with a name: its entry */
    uint64_t after_ns, period_ns;
    enum troupe_every missed;
    uint8_t name_len;          /* CANCEL: it stands behind */
    char name[TROUPE_TYPE_BYTES_MAX];
};

static struct timer_job *job_of(struct message *request)
{
    return (struct timer_job *)(void *)(request + 1);
}

/* ---- start and cancel ---- */

/* Start a timer whose message is made, and the timer's then. */
static int start(troupe_ctx *ctx, struct message *message, uint64_t deadline_ns, uint64_t period_ns,
                 enum troupe_every every, uint64_t *ret_timer)
{
    struct pool *pool = &ctx->worker->pool;
    struct extra *extra = troupe__extra(pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->waits.timers >= TROUPE_TIMERS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    uint64_t id = troupe__wait_add(pool, &extra->waits, WAIT_TIMER, deadline_ns);
    if (!id)
        return TROUPE_E_NO_MEMORY;
    struct wait *wait = troupe__wait_find(&extra->waits, id, WAIT_TIMER);
    message->deadline_ns = deadline_ns; /* of this tick: the next is counted from it, so that none drifts */
    wait->message = message;
    wait->tag_or_period = period_ns;
    wait->every = (uint8_t)every;
    *ret_timer = id;
    return 0;
}

static void cancel(troupe_ctx *ctx, struct wait *wait)
{
    if (!wait->in_mailbox)
        troupe__message_free(&ctx->worker->pool, wait->message);
    troupe__wait_remove(&ctx->actor->extra->waits, wait); /* its message, if on its way, finds no entry */
}

/* ---- what behaviors call ---- */

static int check(const struct actor *actor)
{
    return actor_is_killed(actor) ? TROUPE_E_KILLED : actor->ending ? TROUPE_E_STATE : 0;
}

static int start_message(troupe_ctx *ctx, uint64_t deadline_ns, uint64_t period_ns, enum troupe_every every,
                         const char *type, troupe_body body, uint64_t *ret_timer)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    struct message_parts parts = {.what = MESSAGE_TIMER,
                                  .kind = TROUPE_MSG_TIMER,
                                  .type = troupe_view_of(type),
                                  .body = body,
                                  .from = actor_ref(worker->system, actor)};
    int rc = check(actor);
    if (rc == 0)
        rc = troupe__message_check(parts.type, &body);
    if (rc)
        return rc;
    struct message *message = troupe__message_new(&worker->pool, &parts);
    if (!message)
        return TROUPE_E_NO_MEMORY;
    message->msg.op = (uint16_t)troupe__kind_find(actor_kind(actor), parts.type); /* it need not be in the table */
    rc = start(ctx, message, deadline_ns, period_ns, every, ret_timer);
    if (rc)
        troupe__message_free(&worker->pool, message);
    return rc;
}

int troupe_timer_after(troupe_ctx *ctx, uint64_t delay_ms, const char *type, troupe_body body, uint64_t *ret_timer)
{
    if (delay_ms > TROUPE_TIMER_DELAY_MS_MAX)
        return TROUPE_E_INVALID;
    return start_message(ctx, ctx->worker->now_ns + delay_ms * NS_PER_MS, 0, TROUPE_EVERY_SKIP, type, body, ret_timer);
}

int troupe_timer_at(troupe_ctx *ctx, uint64_t at_ms, const char *type, troupe_body body, uint64_t *ret_timer)
{
    uint64_t now_ms = troupe_now_ms(ctx);
    return troupe_timer_after(ctx, at_ms > now_ms ? at_ms - now_ms : 0, type, body, ret_timer);
}

int troupe_timer_every(troupe_ctx *ctx, uint64_t period_ms, enum troupe_every missed, const char *type,
                       troupe_body body, uint64_t *ret_timer)
{
    if (period_ms == 0 || period_ms > TROUPE_TIMER_DELAY_MS_MAX)
        return TROUPE_E_INVALID;
    uint64_t period_ns = period_ms * NS_PER_MS;
    return start_message(ctx, ctx->worker->now_ns + period_ns, period_ns, missed, type, body, ret_timer);
}

static int end_after(troupe_ctx *ctx, troupe_ref ref, enum troupe_stop_mode mode, uint64_t delay_ms, troupe_view detail,
                     uint64_t *ret_timer)
{
    struct pool *pool = &ctx->worker->pool;
    int rc = check(ctx->actor);
    if (rc)
        return rc;
    if (delay_ms > TROUPE_TIMER_DELAY_MS_MAX || !troupe_ref_is_actor(ref))
        return TROUPE_E_INVALID;
    detail = troupe__reason_cut(detail);
    struct message *stop = troupe__message_new_bare(pool, SYSTEM_STOP, detail.len + 1);
    if (!stop)
        return TROUPE_E_NO_MEMORY;
    troupe__message_set_text(stop, detail);
    stop->cause = (uint8_t)mode;
    stop->msg.from = ref; /* until it is sent: who is to end */
    rc = start(ctx, stop, ctx->worker->now_ns + delay_ms * NS_PER_MS, 0, TROUPE_EVERY_SKIP, ret_timer);
    if (rc)
        troupe__message_free(pool, stop);
    return rc;
}

int troupe_exit_after(troupe_ctx *ctx, troupe_ref ref, uint64_t delay_ms, const char *detail, uint64_t *ret_timer)
{
    return end_after(ctx, ref, TROUPE_STOP, delay_ms, troupe_view_of(detail ? detail : ""), ret_timer);
}

int troupe_kill_after(troupe_ctx *ctx, troupe_ref ref, uint64_t delay_ms, uint64_t *ret_timer)
{
    return end_after(ctx, ref, TROUPE_KILL, delay_ms, (troupe_view){"", 0}, ret_timer);
}

void troupe__timer_end_other(troupe_ctx *ctx, struct message *stop)
{
    troupe_ref ref = stop->msg.from;
    stop->msg.from = (troupe_ref){0};
    stop->deadline_ns = 0;
    if (troupe__send_system(ctx->worker, ref, stop,
                            SIGNAL_SYSTEM | (stop->cause == TROUPE_KILL ? SIGNAL_KILL : SIGNAL_STOP)))
        troupe__message_free(&ctx->worker->pool, stop); /* it has ended already */
}

int troupe_timer_cancel(troupe_ctx *ctx, uint64_t timer)
{
    struct extra *extra = ctx->actor->extra;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    struct wait *wait = extra ? troupe__wait_find(&extra->waits, timer, WAIT_TIMER) : NULL;
    if (!wait)
        return TROUPE_E_NOT_FOUND;
    if (TROUPE_PLANTED(3) && wait->in_mailbox)
        return 0;
    cancel(ctx, wait);
    return 0;
}

/* ---- names ---- */

static void drop_named(struct pool *pool, struct named_timer **at)
{
    struct named_timer *named = *at;
    *at = named->next;
    troupe__pool_free(pool, named, sizeof *named);
}

/* Take out the names whose timers are over. Returns how many are left. */
static uint32_t clean_names(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    uint32_t count = 0;
    struct named_timer **at = &extra->named_timers;
    while (*at) {
        if (!troupe__wait_find(&extra->waits, (*at)->wait, WAIT_TIMER)) {
            drop_named(&ctx->worker->pool, at);
            continue;
        }
        count++;
        at = &(*at)->next;
    }
    return count;
}

static struct named_timer **find_named(struct extra *extra, troupe_view name)
{
    struct named_timer **at = &extra->named_timers;
    while (*at && !troupe_view_equal((troupe_view){(*at)->name, (*at)->len}, name))
        at = &(*at)->next;
    return at;
}

/* Cancel the timer of this name; false: there is none. */
static bool cancel_named(troupe_ctx *ctx, troupe_view name)
{
    struct extra *extra = ctx->actor->extra;
    struct named_timer **at = extra ? find_named(extra, name) : NULL;
    if (!at || !*at)
        return false;
    struct wait *wait = troupe__wait_find(&extra->waits, (*at)->wait, WAIT_TIMER);
    if (wait && !(TROUPE_PLANTED(20) && wait->in_mailbox))
        cancel(ctx, wait);
    drop_named(&ctx->worker->pool, at);
    return wait != NULL;
}

void troupe__timer_fini(struct pool *pool, struct extra *extra)
{
    while (extra->named_timers)
        drop_named(pool, &extra->named_timers);
}

/* ---- clients: at the actor ---- */

static void answer(troupe_ctx *ctx, struct message *request, int error, const char *words)
{
    troupe__answer_with_error(ctx->worker, request, troupe_self(ctx), error, troupe_view_of(words));
}

void troupe__timer_drop_job(troupe_worker *worker, struct message *request)
{
    struct timer_job *job = job_of(request);
    if (job->tick)
        troupe__message_free(&worker->pool, job->tick);
    if (job->named)
        troupe__pool_free(&worker->pool, job->named, sizeof *job->named);
    job->tick = NULL;
    job->named = NULL;
}

/* Replace the timer of the same name, or take one more. Returns 0 or an error; on success the job is empty. */
static int set(troupe_ctx *ctx, struct timer_job *job)
{
    struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    uint64_t now_ns = ctx->worker->now_ns, id;
    troupe_view name = job->named ? (troupe_view){job->named->name, job->named->len} : (troupe_view){"", 0};
    bool replaces = job->named && *find_named(extra, name);
    if (job->named && !replaces && clean_names(ctx) >= TROUPE_NAMED_TIMERS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    if (replaces)
        cancel_named(ctx, name); /* first: its entry serves the new one, so that this cannot fail for want of memory */
    int rc = start(ctx, job->tick, now_ns + job->after_ns, job->period_ns, job->missed, &id);
    if (rc)
        return rc;
    job->tick = NULL;
    if (job->named) {
        job->named->wait = id;
        job->named->next = extra->named_timers;
        extra->named_timers = job->named;
        job->named = NULL;
    }
    return 0;
}

void troupe__timer_on_set(troupe_ctx *ctx, struct message *request)
{
    int rc = set(ctx, job_of(request));
    troupe__timer_drop_job(ctx->worker, request);
    answer(ctx, request, rc, rc == TROUPE_E_LIMIT ? "the actor has as many timers as it may" : "");
}

void troupe__timer_on_cancel(troupe_ctx *ctx, struct message *request)
{
    const struct timer_job *job = job_of(request);
    bool found = cancel_named(ctx, (troupe_view){job->name, job->name_len});
    answer(ctx, request, found ? 0 : TROUPE_E_NOT_FOUND, found ? "" : "the actor has no timer of this name");
}

/* ---- lists ---- */

static void put_text(char *to, troupe_view text)
{
    size_t len = text.len < TROUPE_TYPE_BYTES_MAX ? text.len : TROUPE_TYPE_BYTES_MAX;
    memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void show(const troupe_ctx *ctx, const struct wait *wait, troupe_view name, troupe_timer *ret_timer)
{
    const struct message *message = wait->message;
    const struct extra *extra = ctx->actor->extra;
    bool ends = message->what == SYSTEM_STOP;
    ret_timer->id = troupe__wait_id(&extra->waits, wait);
    ret_timer->due_ms = message->deadline_ns / NS_PER_MS;
    ret_timer->period_ms = wait->tag_or_period / NS_PER_MS;
    ret_timer->what = TROUPE_TIMER_MESSAGE;
    if (ends)
        ret_timer->what = message->cause == TROUPE_KILL ? TROUPE_TIMER_KILL : TROUPE_TIMER_STOP;
    ret_timer->missed = (enum troupe_every)wait->every;
    ret_timer->from_outside = !ends && message->msg.kind == TROUPE_MSG_CAST;
    ret_timer->target = ends ? message->msg.from : troupe_self(ctx);
    put_text(ret_timer->name, name);
    put_text(ret_timer->type, ends ? (troupe_view){"", 0} : troupe_msg_type(&message->msg));
}

static const struct named_timer *name_of(const struct extra *extra, uint64_t id)
{
    const struct named_timer *named = extra->named_timers;
    while (named && named->wait != id)
        named = named->next;
    return named;
}

uint32_t troupe_timer_list(const troupe_ctx *ctx, troupe_timer *timers, uint32_t max)
{
    const struct extra *extra = ctx->actor->extra;
    uint32_t count = 0;
    if (!extra)
        return 0;
    for (const struct named_timer *named = extra->named_timers; named && count < max; named = named->next) {
        uint32_t index = (uint32_t)named->wait;
        const struct wait *wait = &extra->waits.entries[index];
        if (wait->generation == (uint32_t)(named->wait >> 32) && wait->kind == WAIT_TIMER)
            show(ctx, wait, (troupe_view){named->name, named->len}, &timers[count++]);
    }
    for (uint32_t i = 0; i < extra->waits.used && count < max && count < extra->waits.timers; i++) {
        const struct wait *wait = &extra->waits.entries[i];
        if (wait->kind == WAIT_TIMER && !name_of(extra, troupe__wait_id(&extra->waits, wait)))
            show(ctx, wait, (troupe_view){"", 0}, &timers[count++]);
    }
    return extra->waits.timers;
}

void troupe__timer_on_list(troupe_ctx *ctx, struct message *request)
{
    /* The request came with room for the page and goes back as the answer. */
    troupe_timer_page *page = (troupe_timer_page *)(void *)(request + 1);
    page->total = troupe_timer_list(ctx, page->timers, TROUPE_TIMER_PAGE_MAX);
    page->count = page->total < TROUPE_TIMER_PAGE_MAX ? page->total : TROUPE_TIMER_PAGE_MAX;
    page->now_ms = troupe_now_ms(ctx);
    request->msg.from = troupe_self(ctx);
    request->msg.status = 0;
    if (request->reply_worker == ctx->worker->index)
        troupe__request_on_message(ctx->worker, request);
    else
        troupe__worker_post(ctx->worker->system, request->reply_worker, request);
}

/* ---- clients: at the worker that asks ---- */

static int check_opts(const troupe_timer_opts *opts)
{
    bool ok = (opts->name.len == 0 || troupe__is_word(opts->name)) && opts->after_ms <= TROUPE_TIMER_DELAY_MS_MAX &&
              opts->every_ms <= TROUPE_TIMER_DELAY_MS_MAX && (unsigned)opts->missed <= TROUPE_EVERY_BURST &&
              opts->caller.subject.len <= TROUPE_SUBJECT_BYTES_MAX;
    return ok ? troupe__message_check(opts->type, &opts->body) : TROUPE_E_INVALID;
}

/* The message that the actor will handle, as that of a cast from outside. */
static int make_tick(troupe_worker *worker, const struct actor *actor, const troupe_timer_opts *opts,
                     struct message **ret_tick)
{
    const struct kind *kind = actor_kind(actor);
    uint32_t op = troupe__kind_find(kind, opts->type);
    if (op == TROUPE_OP_NONE && !((kind->behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) && troupe__is_word(opts->type)))
        return TROUPE_E_UNKNOWN_TYPE;
    struct message_parts parts = {.what = MESSAGE_TIMER,
                                  .kind = TROUPE_MSG_CAST,
                                  .type = opts->type,
                                  .body = opts->body,
                                  .subject = opts->caller.subject,
                                  .from = {.home = *troupe__caller_home(worker->system, &opts->caller)},
                                  .own_type = op == TROUPE_OP_NONE ? NULL : kind->behavior->types[op].name};
    *ret_tick = troupe__message_new(&worker->pool, &parts);
    if (!*ret_tick)
        return TROUPE_E_NO_MEMORY;
    (*ret_tick)->msg.op = (uint16_t)op;
    return 0;
}

/* A request with an empty job. */
static struct message *new_request(troupe_worker *worker, enum message_what what)
{
    struct message *request = troupe__message_new_bare(&worker->pool, what, sizeof(struct timer_job));
    if (request)
        memset(job_of(request), 0, sizeof(struct timer_job));
    return request;
}

static int make_set(troupe_worker *worker, troupe_ref ref, const troupe_timer_opts *opts, struct message *request)
{
    struct actor *actor;
    struct timer_job *job = job_of(request);
    int rc = check_opts(opts);
    if (rc == 0 && atomic_load_relaxed(&worker->system->overloaded))
        rc = TROUPE_E_OVERLOADED; /* it holds its body for as long as the client likes */
    if (rc == 0)
        rc = troupe__find(worker->system, ref, &actor);
    if (rc == 0)
        rc = make_tick(worker, actor, opts, &job->tick);
    if (rc)
        return rc;
    job->after_ns = opts->after_ms * NS_PER_MS;
    job->period_ns = opts->every_ms * NS_PER_MS;
    job->missed = opts->missed;
    if (opts->name.len == 0)
        return 0;
    job->named = troupe__pool_alloc(&worker->pool, sizeof *job->named);
    if (!job->named)
        return TROUPE_E_NO_MEMORY;
    job->named->len = (uint8_t)opts->name.len;
    memcpy(job->named->name, opts->name.ptr, opts->name.len);
    return 0;
}

void troupe_request_timer_set(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                              const troupe_timer_opts *opts, uint32_t timeout_ms)
{
    struct message *message = new_request(worker, SYSTEM_TIMER_SET);
    int rc = message ? make_set(worker, ref, opts, message) : 0;
    if (rc) {
        troupe__timer_drop_job(worker, message);
        troupe__message_free(&worker->pool, message);
        troupe__request_refuse(request, done, rc, ref);
        return;
    }
    troupe__request_ask(worker, request, done, ref, message, SIGNAL_SYSTEM, timeout_ms);
}

void troupe_request_timer_cancel(troupe_worker *worker, troupe_request *request, troupe_request_fn done,
                                 troupe_ref ref, troupe_view name, uint32_t timeout_ms)
{
    if (!troupe__is_word(name)) {
        troupe__request_refuse(request, done, TROUPE_E_INVALID, ref);
        return;
    }
    struct message *message = new_request(worker, SYSTEM_TIMER_CANCEL);
    if (message) {
        job_of(message)->name_len = (uint8_t)name.len;
        memcpy(job_of(message)->name, name.ptr, name.len);
    }
    troupe__request_ask(worker, request, done, ref, message, SIGNAL_SYSTEM, timeout_ms);
}

void troupe_request_timers(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                           uint32_t timeout_ms)
{
    troupe__request_ask(worker, request, done, ref,
                        troupe__message_new_bare(&worker->pool, SYSTEM_TIMERS, sizeof(troupe_timer_page)),
                        SIGNAL_SYSTEM, timeout_ms);
}
