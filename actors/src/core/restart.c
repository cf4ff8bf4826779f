/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is started again after the end of a child, how often, when, and in which order (after Erlang's supervisor.erl).
 *
 *   restart    permanent: after every end. transient: after abnormal ones (a kill is one). temporary: never
 *   intensity  more than `restarts` incidents in `period`: the parent ends its children and fails (intensity). An
 *              incident is one end that leads to restarts, however many
 *   backoff    the delay doubles with each restart in a row, with jitter; a child that lived longer than the period
 *              starts from the beginning
 *   a restart that fails is an end of its own: it counts, and is tried again. It does not count while the registry is
 *   lost, when no child with a name can be started: that is nobody's fault, and passes
 *
 * one_for_one: the child alone; while it waits it can be ended like any other.
 *
 * one_for_all, rest_for_one: a group, which is the child and all that were started after it, or all. There is one group
 * at a time, and its phases are
 *
 *   idle       an incident -> stopping
 *   stopping   members are told to stop, newest first, each when the one before has really ended (or was killed, after
 *              its time). None is left -> waiting, or starting when there is no delay
 *   waiting    the delay of the child whose incident it was. Over -> starting
 *   starting   the pending members are started, oldest first, each when the one before has started. None is left ->
 *              idle
 *
 * A member that ends while the group stops has ended with the others, whatever the cause. An incident in a later phase,
 * or of an older child, counts, widens the group down to that child, and begins anew with stopping. Temporary members
 * are stopped and not started; all other members are, also those who were ended before (as in Erlang). A child that is
 * added meanwhile is started at once, and is a member like others.
 *
 * The node's own supervisor (troupe.root) must not fail for one child: it counts intensity for each, and gives up that
 * child alone. A stop or drain by an outsider is final also for a permanent child, or nobody could ever remove it.
 *
 * Thread: the parent's owner. */
#include "core/children.h"
#include "core/mailbox.h"

#include "base/mem.h"

#define RESPAWN_RETRY_NS (100 * NS_PER_MS) /* when a respawn itself failed and there is no backoff */

/* ---- who, how often ---- */

/* Under the node's supervisor: what the outsider asked for, or the node's own end. */
static bool is_final(const troupe_system *system, enum troupe_exit_cause cause)
{
    return cause == TROUPE_EXIT_STOPPED || cause == TROUPE_EXIT_DRAINED || atomic_load_relaxed(&system->draining);
}

bool troupe__restart_is_wanted(const troupe_system *system, const struct child_list *list, const struct child *child,
                               enum troupe_exit_cause cause)
{
    bool asked_once = child->start == CHILD_BY_HAND ||
                      (child->start == CHILD_FIRST && (child->opts.start_once || list->window_per_child));
    if (cause == TROUPE_EXIT_NOT_STARTED && asked_once)
        return false;
    if (list->window_per_child && is_final(system, cause))
        return false;
    return child->opts.restart == TROUPE_PERMANENT ||
           (child->opts.restart == TROUPE_TRANSIENT && troupe_exit_is_abnormal(cause) &&
            !(TROUPE_PLANTED(9) && cause == TROUPE_EXIT_KILLED));
}

/* One more restart: is it one too many? The window is made at the first; without memory for it none is allowed. */
static bool is_within_intensity(troupe_worker *worker, struct child_list *list, struct child *child)
{
    struct restart_window **window = list->window_per_child ? &child->window : &list->window;
    if (!*window) {
        *window = troupe__pool_alloc(&worker->pool, sizeof **window);
        if (!*window)
            return false;
        restart_window_init(*window, list->restarts_max + TROUPE_PLANTED(6), list->restart_period_ms * NS_PER_MS);
    }
    return restart_window_add(*window, worker->now_ns);
}

int troupe_supervise(troupe_ctx *ctx, const troupe_supervision *how)
{
    uint32_t restarts = how->period_ms ? how->restarts : TROUPE_RESTARTS_DEFAULT;
    uint32_t period_ms = how->period_ms ? how->period_ms : TROUPE_RESTART_PERIOD_MS_DEFAULT;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    if (restarts > TROUPE_RESTARTS_MAX || (unsigned)how->strategy > TROUPE_REST_FOR_ONE ||
        (unsigned)how->auto_shutdown > TROUPE_AUTO_ALL)
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    struct child_list *list = &extra->children;
    list->strategy = (uint8_t)how->strategy;
    list->auto_shutdown = (uint8_t)how->auto_shutdown;
    list->children_max = how->children_max;
    list->keep_ended = how->keep_ended;
    list->restarts_max = restarts;
    list->restart_period_ms = period_ms;
    if (list->window)
        restart_window_init(list->window, restarts, period_ms * NS_PER_MS);
    return 0;
}

/* This actor fails, or, if it is the node's supervisor, lets the child go. */
static void give_up(troupe_ctx *ctx, struct child *child)
{
    static const char words[] = " failed too often and is given up";
    char text[TROUPE_TYPE_BYTES_MAX + 2 + TROUPE_NAME_BYTES_MAX + sizeof words], *at = text;
    size_t behavior_len = strlen(child->opts.behavior);
    if (!ctx->actor->extra->children.window_per_child) {
        troupe__life_stop(ctx, TROUPE_EXIT_INTENSITY, TROUPE_E_SUPERVISION,
                          (troupe_view){child->opts.behavior, behavior_len});
        return;
    }
    at = (char *)memcpy(at, child->opts.behavior, behavior_len) + behavior_len;
    if (child->opts.name.len) {
        *at++ = ' ';
        *at++ = '@';
        at = (char *)memcpy(at, child->opts.name.ptr, child->opts.name.len) + child->opts.name.len;
    }
    memcpy(at, words, sizeof words);
    troupe_log(ctx, TROUPE_LOG_ERROR, text);
    troupe__child_drop(ctx->worker, ctx->actor->extra, child);
}

/* Count an incident of this child and tell how long to wait. False: one too many, this actor or the child is over. */
static bool count_incident(troupe_ctx *ctx, struct child *child, uint64_t *ret_delay_ns)
{
    troupe_worker *worker = ctx->worker;
    struct child_list *list = &ctx->actor->extra->children;
    if (!is_within_intensity(worker, list, child)) {
        give_up(ctx, child);
        return false;
    }
    if (worker->now_ns - child->started_ns > list->restart_period_ms * NS_PER_MS)
        child->attempts = 0;
    list->restarts++;
    counter_add(&worker->stats.restarts, 1);
    *ret_delay_ns =
        backoff_delay_ns(&worker->rng, child->opts.backoff_min_ms, child->opts.backoff_max_ms, child->attempts++);
    return true;
}

/* ---- one alone ---- */

static bool restart_later(troupe_ctx *ctx, struct child *child, uint64_t delay_ns)
{
    struct extra *extra = ctx->actor->extra;
    uint64_t id = troupe__wait_add(&ctx->worker->pool, &extra->waits, WAIT_RESTART, ctx->worker->now_ns + delay_ns);
    if (!id)
        return false;
    troupe__wait_find(&extra->waits, id, WAIT_RESTART)->child = child;
    child->restart_wait = id;
    return true;
}

static void restart_alone(troupe_ctx *ctx, struct child *child)
{
    uint64_t delay_ns;
    while (count_incident(ctx, child, &delay_ns)) {
        if (delay_ns == 0) {
            troupe_ref ref;
            if (troupe__child_respawn(ctx, child, CHILD_AGAIN, &ref) == 0)
                return;
            delay_ns = RESPAWN_RETRY_NS;
        }
        if (restart_later(ctx, child, delay_ns))
            return;
    }
}

/* ---- a group ---- */

bool troupe__restart_is_member(const struct child_list *list, uint32_t seq)
{
    return list->group.phase == GROUP_STOPPING && seq >= list->group.from_seq;
}

void troupe__restart_abandon(struct extra *extra)
{
    struct child_group *group = &extra->children.group;
    struct wait *wait = group->wait ? troupe__wait_find(&extra->waits, group->wait, WAIT_RESTART) : NULL;
    if (wait)
        troupe__wait_remove(&extra->waits, wait);
    *group = (struct child_group){0};
}

/* The oldest that has not started yet. */
static const struct child *first_to_start(const struct child_group *group)
{
    const struct child *child = group->starting ? group->starting : group->cursor;
    while (child && child != group->starting && !child->pending)
        child = child->next;
    return child;
}

/* Begin with stopping, or widen the group that there is. */
static void begin_group(troupe_ctx *ctx, const struct child *failed, uint64_t delay_ns)
{
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    struct child_group before = list->group, *group = &list->group;
    uint32_t from_seq = list->strategy == TROUPE_ONE_FOR_ALL ? 0 : failed->seq;
    const struct child *next = before.phase == GROUP_STARTING ? first_to_start(&before) : NULL;
    if (next && next->seq < from_seq)
        from_seq = next->seq;
    if ((before.phase == GROUP_STOPPING || before.phase == GROUP_WAITING) && before.from_seq < from_seq)
        from_seq = before.from_seq;
    troupe__restart_abandon(extra);
    *group = (struct child_group){.phase = GROUP_STOPPING,
                                  .from_seq = from_seq,
                                  .delay_ns = delay_ns > before.delay_ns ? delay_ns : before.delay_ns,
                                  .cursor = list->specs_last};
    for (struct child *child = list->specs_last; child && child->seq >= from_seq; child = child->prev) {
        if (child->slot)
            continue;
        troupe__child_set_pending(extra, child, true);
        troupe__child_set_counted(list, child, true);
    }
}

/* The newest member that lives; the cursor goes back to it, so that nobody is looked at twice. */
static struct actor *newest_member(troupe_ctx *ctx)
{
    const troupe_system *system = ctx->worker->system;
    struct child_list *list = &ctx->actor->extra->children;
    struct child_group *group = &list->group;
    while (group->cursor && group->cursor->seq >= group->from_seq && !group->cursor->slot)
        group->cursor = group->cursor->prev;
    struct child *spec = group->cursor && group->cursor->seq >= group->from_seq ? group->cursor : NULL;
    struct actor *plain = list->last ? slots_at(&system->slots, list->last) : NULL;
    if (plain && plain->child_seq < group->from_seq)
        plain = NULL;
    if (!spec || (plain && plain->child_seq > spec->seq))
        return plain;
    return slots_at(&system->slots, spec->slot);
}

static bool stop_next_member(troupe_ctx *ctx)
{
    struct child_list *list = &ctx->actor->extra->children;
    if (list->stopping_slot)
        return true;
    struct actor *actor = newest_member(ctx);
    if (!actor)
        return false;
    troupe__supervisor_stop(ctx, actor, false);
    return !TROUPE_PLANTED(15);
}

static void begin_starting(troupe_ctx *ctx)
{
    struct child_list *list = &ctx->actor->extra->children;
    list->group.phase = GROUP_STARTING;
    list->group.delay_ns = 0;
    list->group.cursor = list->specs_first;
}

/* Wait for a while before the starts. False without memory for that: then they begin at once. */
static bool wait_before_starting(troupe_ctx *ctx, uint64_t delay_ns)
{
    struct extra *extra = ctx->actor->extra;
    uint64_t id = troupe__wait_add(&ctx->worker->pool, &extra->waits, WAIT_RESTART, ctx->worker->now_ns + delay_ns);
    if (!id)
        return false;
    troupe__wait_find(&extra->waits, id, WAIT_RESTART)->child = NULL;
    extra->children.group.phase = GROUP_WAITING;
    extra->children.group.wait = id;
    return true;
}

/* Start the next pending member. A start that cannot even be made is an incident. */
static void start_next_member(troupe_ctx *ctx)
{
    struct child_list *list = &ctx->actor->extra->children;
    struct child_group *group = &list->group;
    while (group->cursor && !group->cursor->pending)
        group->cursor = group->cursor->next;
    struct child *child = group->cursor;
    if (!child) {
        *group = (struct child_group){0};
        return;
    }
    troupe_ref ref;
    uint64_t delay_ns = 0;
    int rc = troupe__child_respawn(ctx, child, CHILD_AGAIN, &ref);
    if (rc == 0)
        group->starting = TROUPE_PLANTED(16) ? NULL : child;
    else if (rc == TROUPE_E_REGISTRY_LOST && wait_before_starting(ctx, RESPAWN_RETRY_NS))
        group->from_seq = child->seq;
    else if (count_incident(ctx, child, &delay_ns))
        begin_group(ctx, child, delay_ns > RESPAWN_RETRY_NS ? delay_ns : RESPAWN_RETRY_NS);
}

void troupe__restart_proceed(troupe_ctx *ctx)
{
    struct child_group *group = &ctx->actor->extra->children.group;
    while (!ctx->actor->ending) {
        if (group->phase == GROUP_STOPPING) {
            if (stop_next_member(ctx) || (group->delay_ns && wait_before_starting(ctx, group->delay_ns)))
                return;
            begin_starting(ctx);
        } else if (group->phase == GROUP_STARTING && !group->starting) {
            start_next_member(ctx);
        } else {
            return;
        }
    }
}

/* ---- both ---- */

void troupe__restart(troupe_ctx *ctx, struct child *child)
{
    const struct child_list *list = &ctx->actor->extra->children;
    uint64_t delay_ns;
    if (list->strategy == TROUPE_ONE_FOR_ONE && list->group.phase == GROUP_IDLE) { /* a group begun is a group ended */
        restart_alone(ctx, child);
    } else if (count_incident(ctx, child, &delay_ns)) {
        begin_group(ctx, child, delay_ns);
        troupe__restart_proceed(ctx);
    }
}

void troupe__restart_on_due(troupe_ctx *ctx, struct child *child)
{
    if (!child) {
        ctx->actor->extra->children.group.wait = 0;
        begin_starting(ctx);
        troupe__restart_proceed(ctx);
        return;
    }
    child->restart_wait = 0;
    child->pending = true;
    troupe_ref ref;
    int rc = troupe__child_respawn(ctx, child, CHILD_AGAIN, &ref);
    if (rc && !(rc == TROUPE_E_REGISTRY_LOST && restart_later(ctx, child, RESPAWN_RETRY_NS)))
        troupe__restart(ctx, child);
}
