/* SPDX-License-Identifier: Apache-2.0
 *
 * Children: what their parent hears of them, and how they are ended.
 *
 * A child that ends leaves its slot, with cause and words, on the parent's stack of ended children; the parent looks at
 * it before its next message, in the order of the ends. What follows, in this order of questions:
 *
 *   the parent ends           the child is forgotten
 *   it was terminated         it stays listed as ended; a temporary one is forgotten
 *   its group is stopping     it is to be started with the others; a temporary one is forgotten
 *   it is to be restarted     restart.c
 *   else it ended for good    it is forgotten, or kept as ended; if it was significant, its parent may end too
 *
 * The behavior is told when all that is settled, but before the restart, so that it can end a child that would come
 * back.
 *
 * The end of a parent: children stop one after another, newest first (they drain, if it was drained); each has its
 * shutdown timeout, then is killed. A killed parent's children are killed at once. The next step waits for the real
 * end. When the node ends the children of its own supervisor are told one by one, as those without parent are, and it
 * goes last.
 *
 * Thread: the parent's owner, but troupe__child_ended. */
#include "core/children.h"
#include "core/mailbox.h"

#include "base/mem.h"

/* ---- events ---- */

static int notify(troupe_ctx *ctx, const troupe_child_event *event)
{
    const troupe_behavior *behavior = actor_kind(ctx->actor)->behavior;
    if (!behavior->child || ctx->actor->ending || actor_is_killed(ctx->actor))
        return 0;
    return behavior->child(ctx, actor_state(ctx->actor), event);
}

int troupe__supervisor_on_started(troupe_ctx *ctx, struct message *message)
{
    troupe_ref ref = message->msg.from;
    troupe__message_free(&ctx->worker->pool, message);
    struct actor *actor = slots_at(&ctx->worker->system->slots, ref.slot);
    /* The state first (acquire: spawn sets it last): of a slot that somebody is filling again nothing else is read. */
    if (!actor || atomic_load_acquire(&actor->state) == TROUPE_STATE_STOPPED ||
        actor_generation(actor) != ref.generation || actor->parent_slot != ctx->actor->slot)
        return 0; /* it has ended, which this actor was told, or will be */
    struct child *child = actor->supervised ? actor->child : NULL;
    struct child_group *group = &ctx->actor->extra->children.group;
    bool is_awaited = child && group->starting == child;
    if (is_awaited)
        group->starting = NULL;
    troupe_child_event event = {.what = TROUPE_CHILD_STARTED, .ref = ref, .child = child ? child->opts.child_tag : 0};
    int rc = notify(ctx, &event);
    if (rc == 0 && is_awaited && !ctx->stop_self)
        troupe__restart_proceed(ctx);
    return rc;
}

/* ---- ends ---- */

void troupe__child_ended(troupe_worker *worker, struct actor *actor)
{
    struct actor *parent = slots_at(&worker->system->slots, actor->parent_slot);
    /* A parent outlives its children, and so does its extra. */
    _Atomic uint32_t *stack = &parent->extra->ended_children;
    uint32_t top = atomic_load_relaxed(stack);
    do
        actor->run_next = top;
    while (!atomic_cas_weak_acq_rel(stack, &top, actor->slot)); /* publishes cause and words; pairs with the exchange */
    /* Who finds others there needs not tell: the first of them has told, or is about to, and all are taken together. */
    if (top == 0)
        troupe__worker_raise(worker, parent, actor_generation(parent), SIGNAL_CHILD);
}

/* A child has ended for good, and nobody asked for that: does this actor end too? */
static void shut_down_with(troupe_ctx *ctx, bool was_significant)
{
    static const char words[] = "its significant children have ended";
    const struct child_list *list = &ctx->actor->extra->children;
    if (was_significant && (list->auto_shutdown == TROUPE_AUTO_ANY ||
                            (list->auto_shutdown == TROUPE_AUTO_ALL && list->significant_count == 0)))
        troupe__life_stop(ctx, TROUPE_EXIT_NORMAL, 0, (troupe_view){words, sizeof words - 1});
}

/* Settle what becomes of a child that has ended, and say whether it is started again. */
static bool settle(troupe_ctx *ctx, struct child *child, enum troupe_exit_cause cause, bool *ret_for_good)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    bool was_terminated = child->terminating, is_temporary = child->opts.restart == TROUPE_TEMPORARY;
    bool in_group = troupe__restart_is_member(list, child->seq);
    child->terminating = false;
    if (ctx->actor->ending) {
        troupe__child_drop(worker, extra, child);
        return false;
    }
    if (!was_terminated && ((in_group && !is_temporary) ||
                            (!in_group && troupe__restart_is_wanted(worker->system, list, child, cause)))) {
        troupe__child_set_pending(extra, child, true);
        return true;
    }
    *ret_for_good = !was_terminated && !in_group;
    bool is_kept = was_terminated || list->keep_ended;
    if (cause == TROUPE_EXIT_NOT_STARTED && !was_terminated)
        is_kept = child->start == CHILD_BY_HAND || (list->keep_ended && child->start == CHILD_AGAIN);
    troupe__child_set_counted(list, child, false);
    if (is_temporary || !is_kept)
        troupe__child_drop(worker, extra, child);
    return false;
}

static int on_ended(troupe_ctx *ctx, struct actor *actor)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    struct child *child = actor->supervised ? actor->child : NULL;
    struct message *words = actor->inbox_head;
    enum troupe_exit_cause cause = (enum troupe_exit_cause)actor->exit_cause;
    bool is_significant = child && child->opts.significant, for_good = false;
    troupe_child_event event = {.what = TROUPE_CHILD_ENDED,
                                .ref = actor_ref(worker->system, actor),
                                .child = child ? child->opts.child_tag : 0,
                                .exit = {cause, actor->exit_error, {"", 0}}};
    if (words)
        event.exit.detail = (troupe_view){words->msg.body, words->msg.body_len};
    if (child && list->group.starting == child)
        list->group.starting = NULL;
    troupe__child_remove(worker, extra, actor);
    actor->inbox_head = NULL;
    actor->supervised = false;
    troupe__slots_give(&worker->system->slots, &worker->slots, actor);

    bool in_group = child && troupe__restart_is_member(list, child->seq);
    bool restarts = child && settle(ctx, child, cause, &for_good);
    if (restarts)
        event.what = TROUPE_CHILD_RESTARTING;
    list->deciding = restarts ? child : NULL;
    int rc = notify(ctx, &event);
    bool is_left = restarts && list->deciding == child && child->pending; /* the behavior may have ended it */
    list->deciding = NULL;
    if (words)
        troupe__message_free(&worker->pool, words);
    if (rc || ctx->stop_self || ctx->actor->ending || actor_is_killed(ctx->actor))
        return rc;
    if (for_good)
        shut_down_with(ctx, is_significant);
    if (is_left && !in_group)
        troupe__restart(ctx, child);
    else
        troupe__restart_proceed(ctx);
    return 0;
}

int troupe__supervisor_on_children(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    if (!extra)
        return 0;
    /* Acquire pairs with the push: the children's last words are seen. */
    uint32_t slot = atomic_exchange_acq_rel(&extra->ended_children, 0), oldest = 0;
    while (slot) {
        struct actor *actor = slots_at(&ctx->worker->system->slots, slot);
        slot = actor->run_next;
        actor->run_next = oldest;
        oldest = actor->slot;
    }
    int rc = 0;
    while (oldest) {
        struct actor *actor = slots_at(&ctx->worker->system->slots, oldest);
        oldest = actor->run_next;
        int result = on_ended(ctx, actor);
        if (rc == 0)
            rc = result; /* the first failure counts; the other ends are noted all the same */
    }
    return rc;
}

/* ---- the parent's end ---- */

/* State: those that do not live are forgotten. */
static struct actor *newest_child(const troupe_system *system, struct child_list *list)
{
    struct actor *plain = list->last ? slots_at(&system->slots, list->last) : NULL;
    struct child *spec = list->specs_last;
    if (!spec)
        return plain;
    struct actor *supervised = slots_at(&system->slots, spec->slot);
    return plain && plain->child_seq > supervised->child_seq ? plain : supervised;
}

/* The actor ends: those that wait for a start, or are only listed, are over at once. */
static void sweep(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    if (extra->children.swept)
        return;
    extra->children.swept = true;
    troupe__restart_abandon(extra);
    for (struct child *child = extra->children.specs_first, *next; child; child = next) {
        next = child->next;
        if (!child->slot)
            troupe__child_drop(ctx->worker, extra, child);
    }
}

static void kill_child(troupe_ctx *ctx, struct actor *actor, const char *words)
{
    troupe_ref ref = actor_ref(ctx->worker->system, actor);
    /* The slot stays the child's until this actor gives it back, so a bare signal cannot hit another one. */
    if (troupe__stop_send(ctx->worker, ref, TROUPE_KILL, troupe_view_of(words), STOP_BY_PARENT) == TROUPE_E_NO_MEMORY)
        troupe__worker_raise(ctx->worker, actor, ref.generation, SIGNAL_KILL);
}

void troupe__supervisor_stop(troupe_ctx *ctx, struct actor *actor, bool kill)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    list->stopping_slot = actor->slot;
    if (!kill && actor->supervised && actor->child->terminating)
        return; /* it has been told, and has a time */
    enum troupe_stop_mode mode = ctx->actor->ending && ctx->actor->drains ? TROUPE_DRAIN : TROUPE_STOP;
    uint32_t timeout_ms = actor->supervised ? actor->child->opts.shutdown_timeout_ms : 0;
    uint64_t deadline_ns = worker->now_ns + (timeout_ms ? timeout_ms : TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT) * NS_PER_MS;
    if (!kill) {
        list->shutdown_wait = troupe__wait_add(&worker->pool, &extra->waits, WAIT_SHUTDOWN, deadline_ns);
        struct wait *wait = troupe__wait_find(&extra->waits, list->shutdown_wait, WAIT_SHUTDOWN);
        if (wait)
            wait->tag_or_period = actor->slot;
        kill = !wait || troupe__stop_send(worker, actor_ref(worker->system, actor), mode, (troupe_view){"", 0},
                                          STOP_BY_PARENT) == TROUPE_E_NO_MEMORY;
    }
    if (kill)
        kill_child(ctx, actor, "its parent was killed, or memory is out");
}

bool troupe__supervisor_stop_next(troupe_ctx *ctx)
{
    struct child_list *list = &ctx->actor->extra->children;
    if (list->stopping_slot)
        return true;
    sweep(ctx);
    if (list->count == 0)
        return false;
    troupe__supervisor_stop(ctx, newest_child(ctx->worker->system, list), ctx->actor->exit_cause == TROUPE_EXIT_KILLED);
    return true;
}

void troupe__supervisor_kill_stopping(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    if (extra && extra->children.stopping_slot)
        kill_child(ctx, slots_at(&ctx->worker->system->slots, extra->children.stopping_slot), "its parent was killed");
}

void troupe__supervisor_on_shutdown_due(troupe_ctx *ctx, uint32_t slot)
{
    struct child_list *list = &ctx->actor->extra->children;
    struct actor *actor = slots_at(&ctx->worker->system->slots, slot);
    if (list->stopping_slot == slot)
        list->shutdown_wait = 0;
    if (actor->supervised)
        actor->child->shutdown_wait = 0;
    kill_child(ctx, actor, "its shutdown timeout passed");
}

void troupe__supervisor_fini(troupe_worker *worker, struct actor *actor)
{
    struct extra *extra = actor->extra;
    struct child_list *list = &extra->children;
    while (list->specs_first)
        troupe__child_drop(worker, extra, list->specs_first);
    if (list->tags)
        troupe__pool_free(&worker->pool, list->tags, (list->tags_mask + 1) * sizeof *list->tags);
    if (list->window)
        troupe__pool_free(&worker->pool, list->window, sizeof *list->window);
}
