/* SPDX-License-Identifier: Apache-2.0
 *
 * A turn: how a claimed actor runs.
 *
 * Before each message the signals are looked at: kill > stop > system > messages. System messages are bounded by
 * TROUPE_TURN_SYSTEM_MAX before a message gets its chance, messages by TROUPE_TURN_MESSAGES_MAX before the actor goes
 * to the back of the queue. What it sends counts as well (TROUPE_TURN_SENDS_MAX, after Erlang's reductions): one who
 * sends much makes way for who receives it, while that is still in the processor's cache. When nothing is left the
 * actor goes idle, by one compare-and-swap of its mailbox word; if something came meanwhile the swap fails and the turn
 * goes on.
 *
 * While the lane is paused (call_wait, an open start) messages that may not pass are moved to a deferred list, in
 * order, and put back in front when the pause ends. So each is looked at once, however long the pause.
 *
 * Thread: the owner of the worker. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/compiler.h"

/* ---- the next message ---- */

static bool passes(const struct actor *actor, const struct message *message)
{
    if (actor->ending || actor->pause == PAUSE_TRACED)
        return true; /* to be disposed of; or told of */
    if (actor->pause & PAUSE_SUSPENDED)
        return message->what == MESSAGE_ARGS;
    if (actor->pause & PAUSE_CALL)
        return message->what == MESSAGE_REPLY && message->call_id == actor->extra->call_awaited;
    return message->what == MESSAGE_REPLY || message->what == MESSAGE_TIMER ||
           message->what == MESSAGE_GROUP_RESULTS; /* starting */
}

static void defer(struct actor *actor, struct message *message)
{
    struct extra *extra = actor->extra;
    actor->handled--; /* it still waits */
    message->next = NULL;
    if (extra->deferred_head)
        extra->deferred_tail->next = message;
    else
        extra->deferred_head = message;
    extra->deferred_tail = message;
}

void troupe__turn_resume(struct actor *actor, uint8_t pause)
{
    actor->pause &= (uint8_t)~pause;
    struct extra *extra = actor->extra;
    if (!extra || !extra->deferred_head)
        return;
    if (TROUPE_PLANTED(4) && actor->inbox_head) {
        actor->inbox_tail->next = extra->deferred_head;
        actor->inbox_tail = extra->deferred_tail;
        extra->deferred_head = extra->deferred_tail = NULL;
        return;
    }
    /* All in front again: if another pause holds, they are deferred again in the same order. */
    if (!actor->inbox_head)
        actor->inbox_tail = extra->deferred_tail;
    extra->deferred_tail->next = actor->inbox_head;
    actor->inbox_head = extra->deferred_head;
    extra->deferred_head = extra->deferred_tail = NULL;
}

static void release_bytes(struct actor *actor, const struct message *message)
{
    if (message->droppable && message->msg.body_len > TROUPE_SMALL_BODY_BYTES)
        atomic_sub_relaxed(&actor->mailbox_bytes, message->msg.body_len);
}

/* Policy drop oldest: senders may run ahead of the bound; what is too much goes, oldest first. */
static bool is_excess(const struct actor *actor, const struct message *message)
{
    return message->droppable && atomic_load_relaxed(&actor->policy) == TROUPE_DROP_OLDEST &&
           mailbox_depth(actor) - actor->handled >= atomic_load_relaxed(&actor->messages_max);
}

static APART struct message *next_message(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    struct message *message;
    while ((message = mailbox_pop(actor))) {
        if (actor->pause && !passes(actor, message)) {
            defer(actor, message);
            troupe__alarm_look(ctx->worker, actor);
            continue;
        }
        if (!is_excess(actor, message)) {
            if (actor->exact)
                mailbox_settle(actor);
            return message;
        }
        struct message *oldest = troupe__postpone_take_oldest(actor);
        troupe__turn_dispose(ctx->worker, actor, oldest ? oldest : message, TROUPE_E_SHED);
        if (oldest) {
            if (actor->exact)
                mailbox_settle(actor);
            return message;
        }
    }
    return NULL;
}

void troupe__turn_dispose(troupe_worker *worker, struct actor *actor, struct message *message, int error)
{
    troupe_ref self = actor_ref(worker->system, actor);
    release_bytes(actor, message);
    switch (message->what) {
    case MESSAGE_USER:
        troupe__dead_letter(worker, &self, &message->msg.from, troupe_msg_type(&message->msg), error);
        troupe__answer_with_error(worker, message, self, error, (troupe_view){"", 0});
        break;
    case MESSAGE_ARGS:
        troupe__answer_with_error(worker, message, self, error, (troupe_view){"", 0});
        break;
    default:
        troupe__message_free(&worker->pool, message);
    }
}

/* ---- the message lane ---- */

RARE static void after_unusual(troupe_ctx *ctx, int rc)
{
    troupe_view detail = {ctx->detail, ctx->detail_len};
    if (actor_is_killed(ctx->actor)) {
        /* The signal comes next and is the cause, whatever the function returned. */
    } else if (rc < 0)
        troupe__life_stop(ctx, TROUPE_EXIT_FAILED, rc, detail);
    else if (ctx->stop_self)
        troupe__life_stop(ctx, TROUPE_EXIT_NORMAL, 0, detail);
    ctx->traced_end = rc < 0 || ctx->stop_self;
    ctx->stop_self = false;
    ctx->detail_len = 0;
}

/* A function of the behavior has returned: end the actor if it failed or asked for it. */
static inline void after_function(troupe_ctx *ctx, int rc)
{
    if (rc < 0 || ctx->stop_self || ctx->detail_len)
        after_unusual(ctx, rc);
}

/* The turn of a call ended without an answer. */
static RARE void answer_for_behavior(troupe_ctx *ctx, struct message *call, int rc)
{
    troupe_worker *worker = ctx->worker;
    troupe_ref self = actor_ref(worker->system, ctx->actor);
    const troupe_behavior *behavior = actor_kind(ctx->actor)->behavior;
    int error = ctx->answer_failed ? TROUPE_E_NO_MEMORY : rc < 0 ? TROUPE_E_ACTOR_FAILED : TROUPE_E_NO_REPLY;
    if (actor_is_killed(ctx->actor))
        error = TROUPE_E_KILLED;
    if (error == TROUPE_E_NO_REPLY && call->msg.op != TROUPE_OP_NONE &&
        (behavior->types[call->msg.op].flags & TROUPE_TYPE_CAST)) {
        troupe_answer null_answer = {.body = {"null", 4}, .ref = self};
        if (troupe__answer(worker, call, self, &null_answer) == 0) {
            troupe__message_free(&worker->pool, call);
            return;
        }
        error = TROUPE_E_NO_MEMORY;
    }
    troupe__inspect_note_error(ctx, error, (troupe_view){ctx->detail, ctx->detail_len});
    troupe__answer_with_error(worker, call, self, error, (troupe_view){ctx->detail, ctx->detail_len});
}

/* Has the caller given up? Time stands still for a worker while it polls; a turn before this one may have been long, so
 * for an outsider, to whom "timeout" was said already, the clock is asked. */
static bool is_too_late(const troupe_worker *worker, const struct message *call)
{
    const troupe_system_config *config = &worker->system->config;
    uint64_t now_ns = worker->now_ns;
    if (!call->deadline_ns)
        return false;
    if (call->reply_to == REPLY_REQUEST && config->clock_ns)
        now_ns += config->clock_ns(config->user) - worker->clock_at_now_ns;
    return call->deadline_ns <= now_ns;
}

static void handle_user(troupe_ctx *ctx, struct message *message)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    bool is_call = message->msg.kind == TROUPE_MSG_CALL;
    if (is_call && is_too_late(worker, message)) {
        troupe__message_free(&worker->pool, message); /* its caller has given up */
        return;
    }
    counter_add(&worker->stats.messages, 1);
    counter_add(&actor->processed, 1);
    ctx->message = message;
    ctx->answered = !is_call;
    ctx->kept = ctx->answer_failed = false;
    int rc = actor_kind(actor)->behavior->receive(ctx, actor_state(actor), &message->msg);
    ctx->message = NULL;
    if (!ctx->answered || ctx->answer_failed)
        answer_for_behavior(ctx, message, rc);
    else if (!ctx->kept)
        troupe__message_free(&worker->pool, message);
    after_function(ctx, rc);
}

static void handle_args(troupe_ctx *ctx, struct message *message)
{
    struct actor *actor = ctx->actor;
    const troupe_behavior *behavior = actor_kind(actor)->behavior;
    actor->began = true;
    int rc = behavior->init ? behavior->init(ctx, actor_state(actor), &message->msg) : 0;
    if (actor_is_killed(actor)) {
        troupe__turn_dispose(ctx->worker, actor, message, TROUPE_E_KILLED);
        return; /* the signal is next */
    }
    troupe__life_on_init(ctx, message, rc);
}

static int handle_name_lost(troupe_ctx *ctx, struct message *message)
{
    const troupe_behavior *behavior = actor_kind(ctx->actor)->behavior;
    int rc = 0;
    message->msg.kind = TROUPE_MSG_NAME_LOST;
    if (behavior->flags & TROUPE_BEHAVIOR_NAME_LOST)
        rc = behavior->receive(ctx, actor_state(ctx->actor), &message->msg);
    troupe__message_free(&ctx->worker->pool, message);
    return rc;
}

/* True when the actor is no more. */
static APART bool dispatch(troupe_ctx *ctx, struct message *message)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    int rc = 0;
    if (message->target_generation != actor_generation(actor)) {
        troupe__turn_dispose(worker, actor, message, TROUPE_E_GONE); /* it was for a predecessor in this slot */
        return false;
    }
    bool forgets = TROUPE_PLANTED(7) && actor_state_now(actor) == TROUPE_STATE_DRAINING && !actor->inbox_head;
    if (actor->ending || forgets) {
        troupe__turn_dispose(worker, actor, message, TROUPE_E_STOPPED);
        return false;
    }
    release_bytes(actor, message);
    switch (message->what) {
    case MESSAGE_USER:
        handle_user(ctx, message);
        return troupe__life_proceed(ctx);
    case MESSAGE_ARGS:
        handle_args(ctx, message);
        return troupe__life_proceed(ctx);
    case MESSAGE_REPLY:
        rc = troupe__call_on_reply(ctx, message);
        break;
    case MESSAGE_TIMER:
        rc = troupe__wait_on_timer(ctx, message);
        break;
    case MESSAGE_DOWN:
        rc = troupe__bond_on_down(ctx, message);
        break;
    case MESSAGE_EXIT:
        rc = troupe__bond_on_exit(ctx, message);
        break;
    case MESSAGE_WRITABLE:
        rc = troupe__bond_on_writable(ctx, message);
        break;
    case MESSAGE_EVENT:
        rc = troupe__follow_on_note(ctx, message);
        break;
    case MESSAGE_GROUP_RESULTS:
        rc = troupe__group_call_on_results(ctx, message);
        break;
    default: /* MESSAGE_NAME_LOST */
        rc = handle_name_lost(ctx, message);
    }
    after_function(ctx, rc);
    return troupe__life_proceed(ctx);
}

/* ---- the system lane ---- */

/* Append what is new in the system lane to what was taken from it. */
static void take_system_lane(struct actor *actor)
{
    if (!atomic_load_relaxed(&actor->system_lane))
        return;
    /* Acquire pairs with the push; the lane is never shut here, only the owner shuts it. */
    struct message *list = message_reverse(atomic_exchange_acq_rel(&actor->system_lane, NULL)),
                   **end = &actor->system_head;
    while (*end)
        end = &(*end)->next;
    *end = list;
}

static void on_stop(troupe_ctx *ctx, struct message *request)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    static const enum troupe_exit_cause causes[] = {
        [TROUPE_STOP] = TROUPE_EXIT_STOPPED, [TROUPE_DRAIN] = TROUPE_EXIT_DRAINED, [TROUPE_KILL] = TROUPE_EXIT_KILLED};
    enum troupe_stop_mode mode = (enum troupe_stop_mode)request->cause;
    enum troupe_exit_cause cause = causes[mode];
    if (request->call_id == STOP_BY_PARENT && mode != TROUPE_KILL)
        cause = TROUPE_EXIT_SHUTDOWN;
    troupe_view detail = {request->msg.body, request->msg.body_len};
    bool waits = request->reply_to != REPLY_NOBODY;
    bool is_full = waits && actor->extra && actor->extra->stop_waiters_count == TROUPE_STOPS_PER_ACTOR_MAX;
    if (is_full && mode != TROUPE_KILL) { /* so many have asked for its end before */
        troupe__answer_with_error(worker, request, actor_ref(worker->system, actor), TROUPE_E_LIMIT,
                                  troupe_view_of("as many wait for its end as may; kill it, or try again later"));
        return;
    }
    if (mode == TROUPE_DRAIN) {
        troupe__life_drain(ctx, cause, detail);
    } else {
        actor->drains = false;
        troupe__life_stop(ctx, cause, 0, detail);
    }
    struct extra *extra = waits && !is_full ? troupe__extra(&worker->pool, actor) : NULL;
    if (extra) { /* answered at the end */
        request->next = extra->stop_waiters;
        extra->stop_waiters = request;
        extra->stop_waiters_count++;
    } else { /* it ends, but nobody waits for that */
        troupe__answer_with_error(worker, request, actor_ref(worker->system, actor),
                                  is_full ? TROUPE_E_TIMEOUT : TROUPE_E_NO_MEMORY, (troupe_view){"", 0});
    }
}

static void dispatch_system(troupe_ctx *ctx, struct message *message)
{
    if (message->target_generation != actor_generation(ctx->actor)) {
        troupe__bond_refuse(ctx->worker, message, (troupe_ref){ctx->worker->system->home, ctx->actor->slot,
                                                               message->target_generation});
        return;
    }
    switch (message->what) {
    case SYSTEM_STOP:
        on_stop(ctx, message);
        break;
    case SYSTEM_MONITOR:
        troupe__bond_on_monitor(ctx, message);
        break;
    case SYSTEM_DEMONITOR:
        troupe__bond_on_demonitor(ctx, message);
        break;
    case SYSTEM_LINK:
        troupe__bond_on_link(ctx, message);
        break;
    case SYSTEM_UNLINK:
        troupe__bond_on_unlink(ctx, message);
        break;
    case SYSTEM_WANT_WRITABLE:
        troupe__bond_on_want_writable(ctx, message);
        break;
    case SYSTEM_INFO:
        troupe__info_on_request(ctx, message);
        break;
    case SYSTEM_CHILD_STARTED:
        after_function(ctx, troupe__supervisor_on_started(ctx, message));
        break;
    case SYSTEM_VIEW:
    case SYSTEM_SUSPEND:
    case SYSTEM_TRACE:
    case SYSTEM_TIMER_SET:
    case SYSTEM_TIMER_CANCEL:
    case SYSTEM_TIMERS:
        troupe__inspect_on_request(ctx, message);
        break;
    case SYSTEM_PROBE:
        troupe__probe_answer(ctx->worker, message, troupe_self(ctx), 0);
        break;
    case SYSTEM_PROBED:
        after_function(ctx, troupe__probe_on_answer(ctx, message));
        break;
    default: /* SYSTEM_SPAWN */
        troupe__root_on_spawn(ctx, message);
    }
}

/* Kill and stop overtake what is in the system lane: take them out of it. */
static void run_stops(troupe_ctx *ctx, bool kills)
{
    struct message **at = &ctx->actor->system_head;
    while (*at) {
        struct message *message = *at;
        if (message->what == SYSTEM_STOP && (!kills || message->cause == TROUPE_KILL)) {
            *at = message->next;
            dispatch_system(ctx, message);
        } else {
            at = &message->next;
        }
    }
}

static bool is_bond_request(const struct message *message)
{
    return message->what == SYSTEM_MONITOR || message->what == SYSTEM_DEMONITOR || message->what == SYSTEM_LINK ||
           message->what == SYSTEM_UNLINK;
}

void troupe__turn_take_bonds(troupe_ctx *ctx)
{
    take_system_lane(ctx->actor);
    struct message **at = &ctx->actor->system_head;
    while (*at) {
        struct message *message = *at;
        if (is_bond_request(message)) {
            *at = message->next;
            dispatch_system(ctx, message);
        } else {
            at = &message->next;
        }
    }
}

/* The actor was spawned without args. */
static void start_without_args(troupe_ctx *ctx)
{
    if (troupe__life_begins_at_once(ctx))
        return;
    const troupe_spawn_opts no_wishes = {0};
    troupe_ref parent = troupe_parent(ctx);
    struct message *args = troupe__spawn_args(ctx->worker, &no_wishes, parent);
    if (args)
        handle_args(ctx, args);
    else
        troupe__life_stop(ctx, TROUPE_EXIT_NOT_STARTED, TROUPE_E_NO_MEMORY, (troupe_view){"", 0});
}

/* True when the actor is no more. */
static APART bool run_signals(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    /* Clears all: what they announce is taken below. Sequentially consistent as the raise. */
    uint32_t signals =
        (uint32_t)atomic_fetch_and_explicit(&actor->identity, ~UINT64_C(0xffffffff), memory_order_seq_cst);
    take_system_lane(actor);
    if (signals & SIGNAL_KILL) {
        run_stops(ctx, true);
        troupe__life_stop(ctx, TROUPE_EXIT_KILLED, 0, (troupe_view){"", 0}); /* without memory: no words */
    }
    if (signals & SIGNAL_STOP)
        run_stops(ctx, false);
    if (signals & SIGNAL_CHILD)
        after_function(ctx, troupe__supervisor_on_children(ctx));
    if (troupe__life_proceed(ctx))
        return true;
    uint32_t share = TROUPE_TURN_SYSTEM_MAX;
    while (actor->system_head && !actor_is_killed(actor) && share-- > 0) {
        struct message *message = actor->system_head;
        actor->system_head = message->next;
        dispatch_system(ctx, message);
        if (troupe__life_proceed(ctx))
            return true;
    }
    if (actor->system_head) /* the rest after the next message */
        atomic_or_relaxed(&actor->identity, SIGNAL_SYSTEM);
    if ((signals & SIGNAL_START) && !actor_is_killed(actor) && !actor->ending) {
        start_without_args(ctx);
        return troupe__life_proceed(ctx);
    }
    if ((signals & SIGNAL_TIMER) && !actor_is_killed(actor)) { /* the end takes no notice of deadlines */
        after_function(ctx, troupe__wait_on_due(ctx));
        return troupe__life_proceed(ctx);
    }
    return false;
}

/* ---- the turn ---- */

/* Leave the actor's deadlines with a wheel, and tell waiting senders of room. */
static APART void leave_extra(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    uint64_t earliest_ns = troupe__wait_earliest(&extra->waits);
    bool looks = extra->waits.kept && actor_state_now(ctx->actor) == TROUPE_STATE_DRAINING;
    if (looks && extra->askers_look_ns < earliest_ns)
        earliest_ns = extra->askers_look_ns;
    if (earliest_ns <= ctx->worker->now_ns)
        atomic_or_relaxed(&ctx->actor->identity, SIGNAL_TIMER); /* already due, as in a burst: at once */
    else if (earliest_ns != UINT64_MAX)
        troupe__worker_arm(ctx->worker, ctx->actor, earliest_ns);
    if (extra->bonds.counts[BOND_WRITER])
        troupe__bond_on_room(ctx);
}

/* Draining, and nothing that was accepted is open: no message, no call of its own, no call to answer. */
static bool is_drained(troupe_ctx *ctx)
{
    const struct actor *actor = ctx->actor;
    if (mailbox_depth(actor) != actor->captured)
        return false; /* accepted before it drained, and not in the private list yet */
    if (actor->extra)
        troupe__wait_look_for_askers(ctx);
    return !(actor->pause & ~PAUSE_TRACED) &&
           (!actor->extra || (actor->extra->waits.calls == 0 && actor->extra->waits.kept == 0));
}

/* Make way for others. Who has handled its share and has as much again before it gets each second turn, until it has
 * caught up: of many senders each has a turn, and so its mailbox would be full most of the time. */
static APART void make_way(troupe_ctx *ctx, uint32_t handled)
{
    struct actor *actor = ctx->actor;
    mailbox_settle(actor);
    troupe__alarm_look(ctx->worker, actor);
    if (actor->extra)
        leave_extra(ctx);
    actor->bursts = ctx->sends >= TROUPE_TURN_SENDS_MAX;
    if (handled >= TROUPE_TURN_MESSAGES_MAX && mailbox_depth(actor) >= TROUPE_TURN_MESSAGES_MAX)
        troupe__worker_schedule_next(ctx->worker, actor);
    else
        troupe__worker_schedule(ctx->worker, actor);
}

/* The usual: one ordinary message after the other, with nothing else to look at. Does what next_message and dispatch
 * would, with all that cannot change in between at hand. Returns how many were handled in the turn so far; the rest,
 * and what the last one asked for, is left to `run`. */
static uint32_t run_usual(troupe_ctx *ctx, uint32_t handled)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    if (actor->exact || atomic_load_relaxed(&actor->policy) == TROUPE_DROP_OLDEST)
        return handled;
    const struct kind *kind = actor_kind(actor);
    const troupe_behavior *behavior = kind->behavior;
    void *state = actor_state(actor);
    uint32_t before = handled, generation = actor_generation(actor);
    uint32_t look_at = troupe__turn_next_look(worker, kind, handled);
    mailbox_capture(actor); /* also when older ones wait: what has just come is still in the cache */
    while (handled < look_at && ctx->sends < TROUPE_TURN_SENDS_MAX) {
        if ((uint32_t)atomic_load_relaxed(&actor->identity) || actor->pause || actor->ending)
            break;
        if (!actor->inbox_head && mailbox_capture(actor) == 0)
            break;
        struct message *message = actor->inbox_head;
        bool is_call = message->msg.kind == TROUPE_MSG_CALL;
        if (message->what != MESSAGE_USER || message->target_generation != generation ||
            message->msg.body_len > TROUPE_SMALL_BODY_BYTES || (is_call && is_too_late(worker, message)))
            break;
        mailbox_take_head(actor, message);
        handled++;
        ctx->message = message;
        ctx->answered = !is_call;
        ctx->kept = ctx->answer_failed = false;
        int rc = behavior->receive(ctx, state, &message->msg);
        ctx->message = NULL;
        if (!ctx->answered || ctx->answer_failed)
            answer_for_behavior(ctx, message, rc);
        else if (!ctx->kept)
            troupe__message_free(&worker->pool, message);
        if (rc < 0 || ctx->stop_self || ctx->detail_len) {
            after_unusual(ctx, rc);
            break;
        }
    }
    counter_add(&worker->stats.messages, handled - before);
    counter_add(&actor->processed, handled - before);
    return handled;
}

/* Is there nothing to do but to go idle? The word tells of messages that came since the last capture. */
static bool is_empty(const struct actor *actor)
{
    return !actor->inbox_head && !actor->system_head && !(uint32_t)atomic_load_relaxed(&actor->identity) &&
           mailbox_depth(actor) == actor->captured;
}

/* Run until nothing is left or the share is used up. Returns the number of messages handled. */
static uint32_t run(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    for (uint32_t handled = 0;;) {
        if ((uint32_t)atomic_load_relaxed(&actor->identity)) {
            ctx->deadlines = 0;
            if (run_signals(ctx))
                return handled;
            handled += ctx->deadlines;
            if (actor->system_head)
                handled += TROUPE_TURN_SYSTEM_MAX; /* a full share of them, and more wait: SIGNAL_SYSTEM is set */
            if (actor_is_killed(actor))
                continue; /* meanwhile: a kill comes before the next message */
        }
        uint32_t before = handled;
        handled = run_usual(ctx, handled);
        if (actor->ending && troupe__life_proceed(ctx))
            return handled;
        bool went_on = handled != before, used_up = false;
        struct message *message = went_on ? NULL : next_message(ctx);
        if (message) {
            handled++;
            went_on = true;
            bool is_gone = actor->pause & PAUSE_TRACED ? troupe__trace_message(ctx, message, dispatch)
                                                       : dispatch(ctx, message);
            if (is_gone)
                return handled;
        }
        if (went_on || actor->system_head || handled >= TROUPE_TURN_MESSAGES_MAX) {
            used_up = ctx->sends >= TROUPE_TURN_SENDS_MAX ||
                      troupe__turn_is_used_up(ctx->worker, actor_kind(actor), handled);
            if (!is_empty(actor)) {
                if (!used_up)
                    continue;
                make_way(ctx, handled);
                return handled;
            }
        }
        if (actor_state_now(actor) == TROUPE_STATE_DRAINING && !actor->ending && is_drained(ctx)) {
            troupe__life_stop(ctx, (enum troupe_exit_cause)actor->exit_cause, 0, (troupe_view){"", 0});
            if (troupe__life_proceed(ctx))
                return handled;
        }
        if (actor->extra)
            leave_extra(ctx);
        if (actor->bursts || used_up)
            actor->bursts = ctx->sends >= TROUPE_TURN_SENDS_MAX;
        /* After it no longer ours, unless a signal came before we let go. */
        if (mailbox_go_idle(actor) && (actor_signals(actor) == 0 || !mailbox_claim(actor)))
            return handled;
        if (used_up) {
            make_way(ctx, handled);
            return handled;
        }
    }
}

void troupe__turn_run(troupe_worker *worker, struct actor *actor)
{
    troupe_ctx *ctx = &worker->ctx;
    ctx->worker = worker;
    ctx->actor = actor;
    ctx->message = NULL;
    ctx->answered = true;
    ctx->kept = ctx->answer_failed = ctx->stop_self = false;
    ctx->timer = CTX_TIMER_NONE;
    ctx->detail_len = 0;
    ctx->sends = 0;
    struct kind *kind = actor_kind(actor);
    struct kind_stats *sums = &worker->kind_stats[kind->index];
    uint64_t messages_before = atomic_load_relaxed(&worker->stats.messages);
    uint32_t generation = actor_generation(actor);
    worker->in_turn = true;
    counter_add(&worker->turn_count, 1);
    atomic_store_release(&worker->turn_actor, actor); /* pairs with the watchdog's acquire */
    uint32_t messages = run(ctx);
    atomic_store_relaxed(&worker->turn_actor, NULL);
    worker->in_turn = false;
    counter_add(&worker->stats.turns, 1);
    counter_add(&sums->turns, 1);
    counter_add(&sums->messages, atomic_load_relaxed(&worker->stats.messages) - messages_before);
    if (worker->system->config.clock_ns)
        troupe__turn_time(worker, kind, actor, generation, messages);
}
