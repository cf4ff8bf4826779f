/* SPDX-License-Identifier: Apache-2.0
 *
 * Children: one_for_one supervision with intensity and backoff (after Erlang's supervisor.erl), and the ordered end.
 *
 * A child that ends leaves its slot, with cause and words, on the parent's stack of ended children; the parent looks at
 * it before its next message, in the order of the ends:
 *
 *   restart    permanent: after every end. transient: after abnormal ones (a kill is one). temporary: never
 *   intensity  more than `restarts` restarts in `period`: the parent ends its children and fails (intensity)
 *   backoff    the delay doubles with each restart in a row, with jitter; a child that lived longer than the period
 *              starts from the beginning. While it waits the child can be ended like any other
 *   a restart that fails is an end of its own: it counts, and is tried again. It does not count while the registry is
 *   lost, when no child with a name can be started: that is nobody's fault, and passes
 *
 * The node's own supervisor (troupe.root) holds what outsiders spawned with a restart policy. It must not fail for one
 * of them: it counts intensity for each child and gives up that child alone. A stop or drain by an outsider is final also
 * for a permanent child, or nobody could ever remove it; and a first start that fails is final, as the outsider is told
 * so. When the node ends its children are told one by one, as those without parent are, and it goes last.
 *
 * The end of a parent: children stop one after another, newest first; each has its shutdown timeout, then is killed. A
 * killed parent's children are killed at once. The next step waits for the real end.
 *
 * Thread: the parent's owner, but troupe__child_ended. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

#define RESPAWN_RETRY_NS (100 * NS_PER_MS) /* when a respawn itself failed and there is no backoff */

/* ---- the lists ---- */

static void list_add(const troupe_system *system, struct child_list *list, struct actor *actor)
{
    actor->sibling_prev = list->last;
    actor->sibling_next = 0;
    if (list->last)
        slots_at(&system->slots, list->last)->sibling_next = actor->slot;
    else
        list->first = actor->slot;
    list->last = actor->slot;
}

static void list_remove(const troupe_system *system, struct child_list *list, struct actor *actor)
{
    if (actor->sibling_prev)
        slots_at(&system->slots, actor->sibling_prev)->sibling_next = actor->sibling_next;
    else
        list->first = actor->sibling_next;
    if (actor->sibling_next)
        slots_at(&system->slots, actor->sibling_next)->sibling_prev = actor->sibling_prev;
    else
        list->last = actor->sibling_prev;
}

/* Copy the wishes of a child, for its restarts. */
static struct child *new_child(struct pool *pool, const troupe_spawn_opts *opts)
{
    size_t behavior_len = strlen(opts->behavior);
    size_t type_len = opts->args.content_type ? strlen(opts->args.content_type) : 0;
    size_t block_bytes = sizeof(struct child) + opts->args.len + behavior_len + 1 + opts->name.len + type_len + 1;
    struct child *child = troupe__pool_alloc_zeroed(pool, block_bytes);
    if (!child)
        return NULL;
    child->block_bytes = block_bytes;
    child->opts = *opts;
    child->opts.caller = (troupe_caller){0};
    child->opts.link = false; /* the first incarnation's */
    char *at = child->text;
    child->opts.args.ptr = at;
    if (opts->args.len)
        memcpy(at, opts->args.ptr, opts->args.len);
    at += opts->args.len;
    child->opts.behavior = memcpy(at, opts->behavior, behavior_len + 1);
    at += behavior_len + 1;
    child->opts.name.ptr = at;
    if (opts->name.len)
        memcpy(at, opts->name.ptr, opts->name.len);
    at += opts->name.len;
    if (type_len)
        child->opts.args.content_type = memcpy(at, opts->args.content_type, type_len + 1);
    return child;
}

static void drop_child(troupe_worker *worker, struct child_list *list, struct child *child)
{
    if (child->prev)
        child->prev->next = child->next;
    else
        list->specs_first = child->next;
    if (child->next)
        child->next->prev = child->prev;
    else
        list->specs_last = child->prev;
    if (child->window)
        troupe__pool_free(&worker->pool, child->window, sizeof *child->window);
    troupe__pool_free(&worker->pool, child, child->block_bytes);
}

int troupe__child_add(troupe_worker *worker, struct actor *parent, struct actor *actor, const troupe_spawn_opts *opts)
{
    struct extra *extra = troupe__extra(&worker->pool, parent);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    struct child_list *list = &extra->children;
    struct child *child = list->restarting;
    bool is_new = false;
    if (!child && (opts->restart != TROUPE_TEMPORARY || opts->shutdown_timeout_ms || opts->child_tag)) {
        child = new_child(&worker->pool, opts);
        if (!child)
            return TROUPE_E_NO_MEMORY;
        is_new = true;
    }
    actor->supervised = child != NULL;
    actor->child_seq = (child && !is_new ? child->seq : ++list->next_seq) & (UINT32_MAX >> 1);
    list->count++;
    if (!child) {
        list_add(worker->system, list, actor);
        return 0;
    }
    actor->child = child;
    child->slot = actor->slot;
    child->started_ns = worker->now_ns;
    if (is_new) {
        child->seq = actor->child_seq;
        child->prev = list->specs_last;
        if (child->prev)
            child->prev->next = child;
        else
            list->specs_first = child;
        list->specs_last = child;
    }
    return 0;
}

uint32_t troupe_children_count(const troupe_ctx *ctx)
{
    return ctx->actor->extra ? ctx->actor->extra->children.count : 0;
}

int troupe_supervise(troupe_ctx *ctx, uint32_t restarts, uint32_t period_ms)
{
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    if (restarts > TROUPE_RESTARTS_MAX || period_ms == 0)
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    struct child_list *list = &extra->children;
    list->restarts_max = restarts;
    list->restart_period_ms = period_ms;
    if (list->window)
        restart_window_init(list->window, restarts, period_ms * NS_PER_MS);
    return 0;
}

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
    troupe_child_event event = {
        .what = TROUPE_CHILD_STARTED, .ref = ref, .child = actor->supervised ? actor->child->opts.child_tag : 0};
    return notify(ctx, &event);
}

/* ---- restart ---- */

/* Under the node's supervisor: what the outsider asked for, or has been told already, or the node's own end. */
static bool is_final(const troupe_system *system, const struct child *child, enum troupe_exit_cause cause)
{
    return cause == TROUPE_EXIT_STOPPED || cause == TROUPE_EXIT_DRAINED ||
           (cause == TROUPE_EXIT_NOT_STARTED && child->attempts == 0) || atomic_load_relaxed(&system->draining);
}

static bool wants_restart(const troupe_system *system, const struct child_list *list, const struct child *child,
                          enum troupe_exit_cause cause)
{
    if (list->window_per_child && is_final(system, child, cause))
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

static int restart_later(troupe_ctx *ctx, struct child *child, uint64_t delay_ns)
{
    struct extra *extra = ctx->actor->extra;
    child->restart_wait =
        troupe__wait_add(&ctx->worker->pool, &extra->waits, WAIT_RESTART, ctx->worker->now_ns + delay_ns);
    if (!child->restart_wait)
        return TROUPE_E_NO_MEMORY;
    troupe__wait_find(&extra->waits, child->restart_wait, WAIT_RESTART)->child = child;
    return 0;
}

static int respawn(troupe_ctx *ctx, struct child *child)
{
    troupe_worker *worker = ctx->worker;
    struct child_list *list = &ctx->actor->extra->children;
    struct message *args = troupe__spawn_args(worker, &child->opts, troupe_self(ctx));
    int rc = TROUPE_E_NO_MEMORY;
    if (args) {
        troupe_ref ref;
        list->restarting = child;
        rc = troupe__spawn(worker, &child->opts, &(struct spawn_origin){ctx->actor, args}, &ref);
        list->restarting = NULL;
        if (rc)
            troupe__message_free(&worker->pool, args);
    }
    return rc;
}

static void log_given_up(troupe_ctx *ctx, const struct child *child)
{
    static const char words[] = " failed too often and is given up";
    char text[TROUPE_TYPE_BYTES_MAX + 2 + TROUPE_NAME_BYTES_MAX + sizeof words], *at = text;
    size_t behavior_len = strlen(child->opts.behavior);
    at = (char *)memcpy(at, child->opts.behavior, behavior_len) + behavior_len;
    if (child->opts.name.len) {
        *at++ = ' ';
        *at++ = '@';
        at = (char *)memcpy(at, child->opts.name.ptr, child->opts.name.len) + child->opts.name.len;
    }
    memcpy(at, words, sizeof words);
    troupe_log(ctx, TROUPE_LOG_ERROR, text);
}

/* A child is to be started again, after an end or a start that failed. Returns 0 or the failure of this actor. */
static int restart(troupe_ctx *ctx, struct child *child)
{
    troupe_worker *worker = ctx->worker;
    struct child_list *list = &ctx->actor->extra->children;
    while (is_within_intensity(worker, list, child)) {
        if (worker->now_ns - child->started_ns > list->restart_period_ms * NS_PER_MS)
            child->attempts = 0;
        list->restarts++;
        counter_add(&worker->stats.restarts, 1);
        uint64_t delay_ns =
            backoff_delay_ns(&worker->rng, child->opts.backoff_min_ms, child->opts.backoff_max_ms, child->attempts++);
        if (delay_ns == 0) {
            if (respawn(ctx, child) == 0)
                return 0;
            delay_ns = RESPAWN_RETRY_NS;
        }
        if (restart_later(ctx, child, delay_ns) == 0)
            return 0;
    }
    if (!list->window_per_child) {
        troupe__life_stop(ctx, TROUPE_EXIT_INTENSITY, TROUPE_E_SUPERVISION, (troupe_view){child->opts.behavior, strlen(child->opts.behavior)});
        return 0;
    }
    log_given_up(ctx, child);
    drop_child(worker, list, child);
    return 0;
}

int troupe__supervisor_on_restart_due(troupe_ctx *ctx, struct child *child)
{
    child->restart_wait = 0;
    int rc = respawn(ctx, child);
    if (rc == 0 || (rc == TROUPE_E_REGISTRY_LOST && restart_later(ctx, child, RESPAWN_RETRY_NS) == 0))
        return 0;
    return restart(ctx, child);
}

/* ---- ends ---- */

void troupe__child_ended(troupe_worker *worker, struct actor *actor)
{
    struct actor *parent = slots_at(&worker->system->slots, actor->parent_slot);
    _Atomic uint32_t *stack = &parent->extra->ended_children; /* a parent outlives its children, and so does its extra */
    uint32_t top = atomic_load_relaxed(stack);
    do
        actor->run_next = top;
    while (!atomic_cas_weak_acq_rel(stack, &top, actor->slot)); /* publishes cause and words; pairs with the exchange */
    /* Who finds others there needs not tell: the first of them has told, or is about to, and all are taken together. */
    if (top == 0)
        troupe__worker_raise(worker, parent, actor_generation(parent), SIGNAL_CHILD);
}

static int on_ended(troupe_ctx *ctx, struct actor *actor)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    struct child *child = actor->supervised ? actor->child : NULL;
    struct message *words = actor->inbox_head;
    enum troupe_exit_cause cause = (enum troupe_exit_cause)actor->exit_cause;
    troupe_child_event event = {.what = TROUPE_CHILD_ENDED,
                                .ref = actor_ref(worker->system, actor),
                                .child = child ? child->opts.child_tag : 0,
                                .exit = {cause, actor->exit_error, {"", 0}}};
    if (words)
        event.exit.detail = (troupe_view){words->msg.body, words->msg.body_len};
    list->count--;
    if (list->stopping_slot == actor->slot) {
        list->stopping_slot = 0;
        struct wait *wait = troupe__wait_find(&extra->waits, list->shutdown_wait, WAIT_SHUTDOWN);
        if (wait)
            troupe__wait_remove(&extra->waits, wait);
    }
    if (child)
        child->slot = 0;
    else
        list_remove(worker->system, list, actor);
    actor->inbox_head = NULL;
    actor->supervised = false;
    troupe__slots_give(&worker->system->slots, &worker->slots, actor);

    int rc = 0;
    if (child && !ctx->actor->ending && wants_restart(worker->system, list, child, cause)) {
        event.what = TROUPE_CHILD_RESTARTING;
        rc = notify(ctx, &event);
        if (rc == 0)
            rc = restart(ctx, child);
    } else {
        rc = notify(ctx, &event);
        if (child)
            drop_child(worker, list, child);
    }
    if (words)
        troupe__message_free(&worker->pool, words);
    return rc;
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

static struct actor *newest_child(const troupe_system *system, struct child_list *list)
{
    struct actor *plain = list->last ? slots_at(&system->slots, list->last) : NULL;
    struct child *spec = list->specs_last;
    if (!spec)
        return plain;
    struct actor *supervised = slots_at(&system->slots, spec->slot);
    return plain && plain->child_seq > supervised->child_seq ? plain : supervised;
}

/* Those in backoff are over at once. */
static void drop_waiting(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    for (struct child *child = extra->children.specs_first, *next; child; child = next) {
        next = child->next;
        if (child->slot)
            continue;
        struct wait *wait = troupe__wait_find(&extra->waits, child->restart_wait, WAIT_RESTART);
        if (wait)
            troupe__wait_remove(&extra->waits, wait);
        drop_child(ctx->worker, &extra->children, child);
    }
}

static void kill_child(troupe_ctx *ctx, struct actor *actor, const char *words)
{
    troupe_ref ref = actor_ref(ctx->worker->system, actor);
    /* The slot stays the child's until this actor gives it back, so a bare signal cannot hit another one. */
    if (troupe__stop_send(ctx->worker, ref, TROUPE_KILL, troupe_view_of(words), STOP_BY_PARENT) == TROUPE_E_NO_MEMORY)
        troupe__worker_raise(ctx->worker, actor, ref.generation, SIGNAL_KILL);
}

bool troupe__supervisor_stop_next(troupe_ctx *ctx)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct child_list *list = &extra->children;
    if (list->stopping_slot)
        return true;
    drop_waiting(ctx);
    if (list->count == 0)
        return false;
    struct actor *actor = newest_child(worker->system, list);
    list->stopping_slot = actor->slot;
    uint32_t timeout_ms = actor->supervised ? actor->child->opts.shutdown_timeout_ms : 0;
    uint64_t deadline_ns = worker->now_ns + (timeout_ms ? timeout_ms : TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT) * NS_PER_MS;
    bool kill = ctx->actor->exit_cause == TROUPE_EXIT_KILLED;
    if (!kill) {
        list->shutdown_wait = troupe__wait_add(&worker->pool, &extra->waits, WAIT_SHUTDOWN, deadline_ns);
        kill = !list->shutdown_wait ||
               troupe__stop_send(worker, actor_ref(worker->system, actor), TROUPE_STOP, (troupe_view){"", 0},
                                 STOP_BY_PARENT) == TROUPE_E_NO_MEMORY;
    }
    if (kill)
        kill_child(ctx, actor, "its parent was killed, or memory is out");
    return true;
}

static void kill_stopping(troupe_ctx *ctx, const char *words)
{
    struct extra *extra = ctx->actor->extra;
    if (extra && extra->children.stopping_slot)
        kill_child(ctx, slots_at(&ctx->worker->system->slots, extra->children.stopping_slot), words);
}

void troupe__supervisor_kill_stopping(troupe_ctx *ctx) { kill_stopping(ctx, "its parent was killed"); }

void troupe__supervisor_on_shutdown_due(troupe_ctx *ctx)
{
    ctx->actor->extra->children.shutdown_wait = 0;
    kill_stopping(ctx, "its shutdown timeout passed");
}

void troupe__supervisor_fini(troupe_worker *worker, struct actor *actor)
{
    struct child_list *list = &actor->extra->children;
    while (list->specs_first)
        drop_child(worker, list, list->specs_first);
    if (list->window)
        troupe__pool_free(&worker->pool, list->window, sizeof *list->window);
}
