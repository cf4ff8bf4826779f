/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an actor: starting -> running -> draining -> stopping -> stopped, never back.
 *
 * Spawn. The slot is filled, its mailbox opens with the ARGS message as its first, and the actor is scheduled; init
 * runs in its first turn. The ARGS message carries who waits for the start, and becomes the parent's "started". A child
 * without args gets it only when init runs, so that a million fresh actors do not hold a million messages.
 *
 * End, in this order (troupe__life_stop, then finish once no child is left):
 *   1. the mailbox refuses; what waits in it, and the calls that were kept, are answered with an error
 *   2. the children end, newest first, each with its shutdown timeout, then by kill
 *   3. the stop hook (not after a kill or a failed start), then fini
 *   4. names are given back, groups are left; then downs and exit signals go out, and who waits for the end is answered
 *   5. mailbox and system lane are shut; what came meanwhile is answered as to one who is gone; then its topic ends
 *   6. the parent is told, and gives the slot back when it has seen it; without a parent the slot is given back here
 *
 * Nothing in the end needs memory: downs, signals and answers are made of messages that were reserved for them. (Long
 * words are told in a larger message where there is memory for one, and cut where there is not.) */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

static const char *const exit_words[] = {"normal", "stopped", "drained",   "shutdown",    "failed",     "killed",
                                         "linked", "intensity", "not_started", "noproc", "unreachable"};

const char *troupe_exit_word(enum troupe_exit_cause cause)
{
    return (unsigned)cause < sizeof exit_words / sizeof exit_words[0] ? exit_words[cause] : "unknown";
}

struct extra *troupe__extra(struct pool *pool, struct actor *actor)
{
    if (!actor->extra) {
        actor->extra = troupe__pool_alloc_zeroed(pool, sizeof *actor->extra);
        if (actor->extra) {
            actor->extra->timer.owner = actor;
            actor->extra->timer_deadline_ns = UINT64_MAX;
            actor->extra->children.restarts_max = TROUPE_RESTARTS_DEFAULT;
            actor->extra->children.restart_period_ms = TROUPE_RESTART_PERIOD_MS_DEFAULT;
        }
    }
    return actor->extra;
}

/* ---- spawn ---- */

int troupe__spawn_check(const troupe_spawn_opts *opts)
{
    if (opts->mailbox_messages_max > TROUPE_MAILBOX_MESSAGES_MAX)
        return TROUPE_E_LIMIT;
    if ((unsigned)opts->mailbox_policy > TROUPE_DROP_NEWEST || (unsigned)opts->restart > TROUPE_PERMANENT ||
        opts->caller.subject.len > TROUPE_SUBJECT_BYTES_MAX ||
        (opts->args.content_type && strlen(opts->args.content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX) ||
        (opts->significant && opts->restart == TROUPE_PERMANENT)) /* it never ends for good */
        return TROUPE_E_INVALID;
    if (opts->name.len && !troupe__name_is_valid(opts->name))
        return TROUPE_E_INVALID;
    if (opts->args.len > TROUPE_BODY_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    return 0;
}

struct message *troupe__spawn_args(troupe_worker *worker, const troupe_spawn_opts *opts, troupe_ref from)
{
    struct message_parts parts = {.what = MESSAGE_ARGS,
                                  .kind = TROUPE_MSG_ARGS,
                                  .body = opts->args.ptr ? opts->args : troupe_body_none(),
                                  .subject = opts->caller.subject,
                                  .from = from,
                                  .own_type = ""};
    struct message *args = troupe__message_new(&worker->pool, &parts);
    if (args)
        args->deadline_ns =
            (opts->start_timeout_ms ? opts->start_timeout_ms : TROUPE_START_TIMEOUT_MS_DEFAULT) * NS_PER_MS;
    return args;
}

/* Fill the slot of an actor that nobody knows yet. */
static void fill(troupe_worker *worker, struct actor *actor, struct kind *kind, const troupe_spawn_opts *opts,
                 struct message *args)
{
    const troupe_system_config *config = &worker->system->config;
    uint32_t messages_max = opts->mailbox_messages_max ? opts->mailbox_messages_max : config->mailbox_messages_max;
    atomic_store_relaxed(&actor->kind, kind);
    atomic_store_relaxed(&actor->messages_max, messages_max);
    atomic_store_relaxed(&actor->bytes_max,
                         opts->mailbox_bytes_max ? opts->mailbox_bytes_max : config->mailbox_bytes_max);
    atomic_store_relaxed(&actor->policy, (uint8_t)opts->mailbox_policy);
    atomic_store_relaxed(&actor->started_ms, worker->now_ns / NS_PER_MS);
    atomic_store_relaxed(&actor->processed, 0);
    actor->exact = messages_max < MAILBOX_EXACT_BELOW;
    actor->pause = 0;
    actor->ending = actor->began = actor->drains = actor->bursts = false;
    actor->exit_cause = TROUPE_EXIT_NORMAL;
    actor->exit_error = 0;
    actor->system_head = NULL;
    if (args) {
        args->next = NULL;
        args->target_generation = actor_generation(actor);
    }
    actor->inbox_head = actor->inbox_tail = args;
    actor->captured = args != NULL;
    actor->handled = 0;
}

int troupe__spawn(troupe_worker *worker, const troupe_spawn_opts *opts, const struct spawn_origin *origin,
                  troupe_ref *ret_ref)
{
    struct kind *kind = troupe__kind_named(worker->system, opts->behavior);
    int rc = kind ? troupe__spawn_check(opts) : TROUPE_E_UNKNOWN_BEHAVIOR;
    return rc ? rc : troupe__spawn_kind(worker, kind, opts, origin, ret_ref);
}

int troupe__spawn_kind(troupe_worker *worker, struct kind *kind, const troupe_spawn_opts *opts,
                       const struct spawn_origin *origin, troupe_ref *ret_ref)
{
    troupe_system *system = worker->system;
    struct name_entry *name = NULL;
    int rc = 0;
    struct actor *actor = troupe__slots_take(&system->slots, &worker->slots);
    if (!actor)
        return atomic_load_relaxed(&system->slots.end) >= system->slots.slots_max ? TROUPE_E_LIMIT : TROUPE_E_NO_MEMORY;

    uint32_t state_bytes = kind->behavior->state_bytes;
    actor->state_ptr = actor->inline_state;
    if (state_bytes > ACTOR_STATE_INLINE_BYTES &&
        !(actor->state_ptr = troupe__pool_alloc_zeroed(&worker->pool, state_bytes))) {
        troupe__slots_give(&system->slots, &worker->slots, actor);
        return TROUPE_E_NO_MEMORY;
    }
    memset(actor->inline_state, 0, sizeof actor->inline_state);
    uint32_t generation = actor_generation(actor) + 1;
    actor->has_name = opts->name.len > 0;
    atomic_store_relaxed(&actor->parent_slot, origin->parent ? origin->parent->slot : 0);
    bool is_child = origin->parent && actor_kind(origin->parent) != &system->root_kind;
    bool blocks = (kind->behavior->flags & TROUPE_BEHAVIOR_BLOCKING) && system->config.blocking_workers;
    atomic_store_relaxed(&actor->marks, (uint8_t)((is_child ? ACTOR_IS_CHILD : 0) | (blocks ? ACTOR_BLOCKS : 0)));
    if (opts->name.len) {
        troupe_ref holder, self = {system->home, actor->slot, generation};
        rc = troupe__name_take(system, opts->name, self, &name, &holder);
        if (rc == TROUPE_E_NAME_TAKEN)
            *ret_ref = holder;
    }
    if (rc == 0 && origin->parent && (rc = troupe__child_add(worker, origin->parent, actor, kind, opts)) && name)
        troupe__names_remove(&system->names, name);
    if (rc) {
        if (actor->state_ptr != actor->inline_state)
            troupe__pool_free(&worker->pool, actor->state_ptr, state_bytes);
        troupe__slots_give(&system->slots, &worker->slots, actor);
        return rc;
    }
    /* From here on nothing fails. Stale references see either the old generation or the new one. */
    atomic_store_relaxed(&actor->identity, (uint64_t)generation << 32 | (origin->args ? 0 : SIGNAL_START));
    fill(worker, actor, kind, opts, origin->args);
    /* Release: a late request for a predecessor that finds the lane open finds the new generation too. */
    atomic_store_release(&actor->system_lane, NULL);
    /* Release: who sees the state, or an open word, sees what was filled in. */
    atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_STARTING);
    atomic_store_release(&actor->word, WORD_OWNED | (origin->args ? WORD_ONE : 0));
    counter_add(&worker->stats.spawned, 1);
    counter_add(&worker->kind_stats[kind->index].spawned, 1);
    *ret_ref = actor_ref(system, actor);
    if (name)
        troupe__name_taken(system, name);
    troupe__worker_schedule(worker, actor);
    return 0;
}

int troupe_spawn(troupe_ctx *ctx, const troupe_spawn_opts *opts, troupe_ref *ret_ref)
{
    troupe_worker *worker = ctx->worker;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    struct message *args = NULL;
    if ((opts->args.len || opts->caller.subject.len || opts->start_timeout_ms) &&
        !(args = troupe__spawn_args(worker, opts, actor_ref(worker->system, ctx->actor))))
        return TROUPE_E_NO_MEMORY;
    troupe_ref ref = {0};
    int rc = troupe__spawn(worker, opts, &(struct spawn_origin){ctx->actor, args}, &ref);
    if (rc) {
        if (args)
            troupe__message_free(&worker->pool, args);
        return rc;
    }
    *ret_ref = ref;
    if (opts->link && (rc = troupe_link(ctx, ref))) {
        struct actor *actor = slots_at(&worker->system->slots, ref.slot);
        if (actor->supervised)
            actor->child->opts.restart = TROUPE_TEMPORARY; /* who was told that there is no child gets none later */
        int ignored = troupe_stop(ctx, ref, TROUPE_KILL, "its link could not be made");
        (void)ignored; /* without memory for that either, it lives on as a plain child */
    }
    return rc;
}

/* ---- start ---- */

/* The parent that is to hear that its child runs, or NULL. */
static const struct actor *parent_to_tell(const troupe_system *system, const struct actor *actor)
{
    uint32_t slot = atomic_load_relaxed(&actor->parent_slot);
    const struct actor *parent = slot ? slots_at(&system->slots, slot) : NULL;
    bool hears =
        parent && (actor_kind(parent)->behavior->child || (atomic_load_relaxed(&actor->marks) & ACTOR_TELLS_START));
    return hears ? parent : NULL;
}

bool troupe__life_begins_at_once(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    if (actor_kind(actor)->behavior->init || parent_to_tell(ctx->worker->system, actor))
        return false;
    actor->began = true;
    if (actor_state_now(actor) == TROUPE_STATE_STARTING)
        atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_RUNNING);
    return true;
}

static void start_done(troupe_ctx *ctx, struct message *args)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    troupe_ref self = actor_ref(worker->system, actor);
    if (actor_state_now(actor) == TROUPE_STATE_STARTING)
        atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_RUNNING);
    if (args->reply_to != REPLY_NOBODY) {
        mailbox_settle(actor); /* who hears of the start may look: the args no longer count as waiting */
        troupe_answer answer = {.ref = self};
        if (troupe__answer(worker, args, self, &answer) == 0)
            troupe__message_free(&worker->pool, args);
        else
            troupe__answer_with_error(worker, args, self, TROUPE_E_NO_MEMORY, (troupe_view){"", 0});
        return;
    }
    const struct actor *parent = parent_to_tell(worker->system, actor);
    if (parent) {
        args->what = SYSTEM_CHILD_STARTED;
        args->msg.from = self;
        if (troupe__send_system(worker, actor_ref(worker->system, parent), args, SIGNAL_SYSTEM) == 0)
            return;
    }
    troupe__message_free(&worker->pool, args);
}

/* What the one who waits for the start is told: the behavior's own 4xx, or that it failed. */
static int start_error(int error)
{
    int status = troupe_error_lookup(error)->http_status;
    if (error == TROUPE_E_START_TIMEOUT)
        return error;
    return status >= 400 && status < 500 ? error : TROUPE_E_START_FAILED;
}

static void start_failed(troupe_ctx *ctx, struct message *args, int error)
{
    struct extra *extra = ctx->actor->extra;
    troupe_view detail = {ctx->detail, ctx->detail_len};
    if (extra && extra->children.count)
        extra->args = args; /* answered at the end, when none of them is left */
    else
        troupe__answer_with_error(ctx->worker, args, actor_ref(ctx->worker->system, ctx->actor), start_error(error),
                                  detail);
    troupe__life_stop(ctx, TROUPE_EXIT_NOT_STARTED, error, detail);
    ctx->detail_len = 0;
}

void troupe__life_on_init(troupe_ctx *ctx, struct message *args, int result)
{
    if (result == TROUPE_STARTING && !ctx->stop_self) {
        struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
        uint64_t deadline_ns = ctx->worker->now_ns + args->deadline_ns;
        if (extra)
            extra->start_wait = troupe__wait_add(&ctx->worker->pool, &extra->waits, WAIT_START, deadline_ns);
        if (extra && extra->start_wait) {
            extra->args = args;
            ctx->actor->pause |= PAUSE_STARTING;
            return;
        }
        result = TROUPE_E_NO_MEMORY;
    }
    if (result < 0) {
        start_failed(ctx, args, result);
        return;
    }
    start_done(ctx, args);
    if (ctx->stop_self)
        troupe__life_stop(ctx, TROUPE_EXIT_NORMAL, 0, (troupe_view){ctx->detail, ctx->detail_len});
    ctx->stop_self = false;
    ctx->detail_len = 0;
}

int troupe_started(troupe_ctx *ctx, int error)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (!(actor->pause & PAUSE_STARTING) || actor->ending)
        return TROUPE_E_STATE;
    struct message *args = extra->args;
    extra->args = NULL;
    struct wait *wait = troupe__wait_find(&extra->waits, extra->start_wait, WAIT_START);
    if (wait)
        troupe__wait_remove(&extra->waits, wait);
    extra->start_wait = 0;
    troupe__turn_resume(actor, PAUSE_STARTING);
    if (error)
        start_failed(ctx, args, error);
    else
        start_done(ctx, args);
    return 0;
}

void troupe__life_on_start_due(troupe_ctx *ctx)
{
    int rc = troupe_started(ctx, TROUPE_E_START_TIMEOUT);
    (void)rc; /* a start that is over already is no error here */
}

/* ---- end ---- */

static void drop_words(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    if (!extra || !extra->exit_detail)
        return;
    troupe__message_free(&ctx->worker->pool, extra->exit_detail);
    extra->exit_detail = NULL;
}

/* Keep the words of the end. */
static void keep_words(troupe_ctx *ctx, troupe_view detail)
{
    struct pool *pool = &ctx->worker->pool;
    struct extra *extra = detail.len ? troupe__extra(pool, ctx->actor) : NULL;
    struct message *words = extra ? troupe__message_new_bare(pool, MESSAGE_USER, detail.len + 1) : NULL;
    if (!words)
        return;
    troupe__message_set_text(words, detail);
    drop_words(ctx);
    extra->exit_detail = words;
}

void troupe__life_drain(troupe_ctx *ctx, enum troupe_exit_cause cause, troupe_view detail)
{
    struct actor *actor = ctx->actor;
    if (actor_state_now(actor) >= TROUPE_STATE_DRAINING)
        return;
    keep_words(ctx, detail);
    actor->exit_cause = (uint8_t)cause;
    actor->drains = true;
    mailbox_close(actor);
    atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_DRAINING);
    troupe__inspect_resume(ctx); /* or it would never come to its end */
}

static void dispose_list(troupe_ctx *ctx, struct message *list, int error)
{
    while (list) {
        struct message *next = list->next;
        troupe__turn_dispose(ctx->worker, ctx->actor, list, error);
        list = next;
    }
}

/* Answer everything that waits in the mailbox and everything that was kept. */
static void answer_all(troupe_ctx *ctx, int error)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    dispose_list(ctx, troupe__postpone_take_all(actor), error);
    if (extra && extra->deferred_head) {
        struct message *list = extra->deferred_head;
        extra->deferred_head = extra->deferred_tail = NULL;
        for (const struct message *message = list; message; message = message->next)
            actor->handled++;
        dispose_list(ctx, list, error);
    }
    struct message *message;
    while ((message = mailbox_pop(actor)))
        troupe__turn_dispose(ctx->worker, actor, message, error);
    mailbox_settle(actor);
}

void troupe__life_stop(troupe_ctx *ctx, enum troupe_exit_cause cause, int error, troupe_view detail)
{
    struct actor *actor = ctx->actor;
    if (actor->ending) {
        /* A kill is not for waiting: the children go at once, and the stop hook is not run. */
        if (cause == TROUPE_EXIT_KILLED && actor->exit_cause != TROUPE_EXIT_KILLED) {
            actor->exit_cause = TROUPE_EXIT_KILLED;
            actor->exit_error = 0;
            troupe__supervisor_kill_stopping(ctx);
        }
        return;
    }
    if (cause != (enum troupe_exit_cause)actor->exit_cause) { /* a drain is cut short, and so it is for the children */
        drop_words(ctx);
        actor->drains = false;
    }
    actor->ending = true;
    actor->exit_cause = (uint8_t)cause;
    actor->exit_error = error;
    keep_words(ctx, detail);
    mailbox_close(actor);
    atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_STOPPING);
    actor->pause = 0;
    troupe__follow_stop_all(ctx); /* before their notes in the mailbox go */
    answer_all(ctx, cause == TROUPE_EXIT_KILLED ? TROUPE_E_KILLED : TROUPE_E_STOPPED);
    if (actor->extra)
        troupe__group_call_stop_all(ctx);
    if (actor->extra)
        troupe__wait_stop_all(ctx, cause);
    actor->pause = PAUSE_STOPPING;
    if (cause == TROUPE_EXIT_KILLED)
        troupe__supervisor_kill_stopping(ctx); /* one that its group was stopping */
}

static void answer_stop_waiters(troupe_ctx *ctx, struct message *list)
{
    troupe_worker *worker = ctx->worker;
    troupe_ref self = actor_ref(worker->system, ctx->actor);
    while (list) {
        struct message *next = list->next;
        troupe_answer done = {.ref = self};
        if (troupe__answer(worker, list, self, &done) == 0)
            troupe__message_free(&worker->pool, list);
        else
            troupe__answer_with_error(worker, list, self, TROUPE_OK, (troupe_view){"", 0});
        list = next;
    }
}

static void refuse_list(troupe_worker *worker, struct message *list, troupe_ref self)
{
    while (list) {
        struct message *next = list->next;
        troupe__bond_refuse(worker, list, self);
        list = next;
    }
}

/* Shut both lanes and refuse what came late. */
static void shut(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    troupe_ref self = actor_ref(ctx->worker->system, actor);
    mailbox_shut(actor);
    struct message *inbox = actor->inbox_head;
    actor->inbox_head = actor->inbox_tail = NULL;
    dispose_list(ctx, inbox, TROUPE_E_GONE);
    /* Sequentially consistent: who subscribes sets its mark and then looks whether the lane is shut (topic.c). */
    struct message *late =
        message_reverse(atomic_exchange_explicit(&actor->system_lane, SYSTEM_LANE_SHUT, memory_order_seq_cst));
    refuse_list(ctx->worker, actor->system_head, self);
    refuse_list(ctx->worker, late, self);
    actor->system_head = NULL;
}

static void finish(troupe_ctx *ctx)
{
    troupe__turn_take_bonds(ctx); /* first: it may give the actor its extra */
    troupe_worker *worker = ctx->worker;
    troupe_system *system = worker->system;
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    const troupe_behavior *behavior = actor_kind(actor)->behavior;
    troupe_ref self = actor_ref(system, actor);
    enum troupe_exit_cause cause = (enum troupe_exit_cause)actor->exit_cause;
    struct message *words = extra ? extra->exit_detail : NULL;
    troupe_exit exit = {cause, actor->exit_error,
                        words ? (troupe_view){words->msg.body, words->msg.body_len} : (troupe_view){"", 0}};

    if (behavior->stop && actor->began && cause != TROUPE_EXIT_KILLED && cause != TROUPE_EXIT_NOT_STARTED)
        behavior->stop(ctx, actor_state(actor), &exit);
    if (behavior->fini)
        behavior->fini(actor_state(actor));
    if (actor->has_name && !TROUPE_PLANTED(5))
        troupe__name_give_all(system, self);
    if (atomic_load_seq(&actor->marks) & ACTOR_IN_GROUP)
        troupe__groups_on_end(worker, actor, self.generation);
    if (extra) {
        troupe__bond_on_end(ctx, cause, actor->exit_error, exit.detail);
        answer_stop_waiters(ctx, extra->stop_waiters);
    }
    shut(ctx);
    if (atomic_load_seq(&actor->marks) & ACTOR_HAS_TOPIC)
        troupe__topic_on_end(system, actor, self.generation);
    if (atomic_load_seq(&actor->marks) & ACTOR_IN_GROUP) /* who made it join meanwhile saw it shut, or is seen here */
        troupe__groups_on_end(worker, actor, self.generation);
    if (extra && extra->args)
        troupe__answer_with_error(worker, extra->args, self,
                                  cause == TROUPE_EXIT_KILLED        ? TROUPE_E_KILLED
                                  : cause == TROUPE_EXIT_NOT_STARTED ? start_error(exit.error)
                                                                     : TROUPE_E_START_FAILED,
                                  exit.detail);
    if (extra) {
        troupe__trace_end(ctx, "ended");
        if (extra->has_trace_place)
            troupe__trace_forget(system, self);
        troupe__worker_disarm(worker, actor);
        troupe__timer_fini(&worker->pool, extra);
        if (extra->last_error)
            troupe__pool_free(&worker->pool, extra->last_error, sizeof *extra->last_error);
        troupe__wait_fini(&worker->pool, &extra->waits);
        troupe__supervisor_fini(worker, actor);
        if (extra->topic)
            troupe__topic_drop(extra->topic);
        troupe__pool_free(&worker->pool, extra, sizeof *extra);
        actor->extra = NULL;
    }
    if (actor->state_ptr != actor->inline_state)
        troupe__pool_free(&worker->pool, actor->state_ptr, behavior->state_bytes);
    actor->state_ptr = NULL;
    struct kind_stats *sums = &worker->kind_stats[actor_kind(actor)->index];
    counter_add(&worker->stats.ended, 1);
    counter_add(&sums->ended, 1);
    counter_add(&sums->failed, troupe_exit_is_abnormal(cause) && cause != TROUPE_EXIT_KILLED);
    if (cause == TROUPE_EXIT_KILLED)
        counter_add(&worker->stats.killed, 1);
    else if (troupe_exit_is_abnormal(cause))
        counter_add(&worker->stats.failed, 1);
    if (system->config.ended)
        system->config.ended(system->config.user, self, behavior->name, &exit);
    atomic_store_release(&actor->state, (uint8_t)TROUPE_STATE_STOPPED);
    if (atomic_load_relaxed(&actor->parent_slot)) {
        actor->inbox_head = words; /* the parent reads and frees it */
        troupe__child_ended(worker, actor);
    } else {
        if (words)
            troupe__message_free(&worker->pool, words);
        troupe__slots_give(&system->slots, &worker->slots, actor);
    }
}

bool troupe__life_proceed(troupe_ctx *ctx)
{
    if (!ctx->actor->ending || (ctx->actor->extra && troupe__supervisor_stop_next(ctx)))
        return false;
    finish(ctx);
    return true;
}

void troupe_stop_self(troupe_ctx *ctx, const char *detail)
{
    ctx->stop_self = true;
    troupe__ctx_set_detail(ctx, detail);
}

int troupe_fail(troupe_ctx *ctx, int error, const char *detail)
{
    troupe__ctx_set_detail(ctx, detail);
    return error;
}

void troupe__ctx_set_detail(troupe_ctx *ctx, const char *detail)
{
    troupe_view words = troupe__reason_cut(troupe_view_of(detail));
    if (words.len)
        memcpy(ctx->detail, words.ptr, words.len);
    ctx->detail[words.len] = '\0';
    ctx->detail_len = (uint8_t)words.len;
}

int troupe_stop(troupe_ctx *ctx, troupe_ref ref, enum troupe_stop_mode mode, const char *detail)
{
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if ((unsigned)mode > TROUPE_KILL)
        return TROUPE_E_INVALID;
    return troupe__stop_send(ctx->worker, ref, mode, troupe_view_of(detail), 0);
}

int troupe__stop_send(troupe_worker *worker, troupe_ref ref, enum troupe_stop_mode mode, troupe_view detail,
                      uint64_t call_id)
{
    detail = troupe__reason_cut(detail);
    struct message *request = troupe__message_new_bare(&worker->pool, SYSTEM_STOP, detail.len + 1);
    if (!request)
        return TROUPE_E_NO_MEMORY;
    troupe__message_set_text(request, detail);
    request->cause = (uint8_t)mode;
    request->call_id = call_id;
    int rc =
        troupe__send_system(worker, ref, request, SIGNAL_SYSTEM | (mode == TROUPE_KILL ? SIGNAL_KILL : SIGNAL_STOP));
    if (rc)
        troupe__message_free(&worker->pool, request);
    return rc;
}
