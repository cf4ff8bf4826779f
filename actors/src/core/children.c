/* SPDX-License-Identifier: Apache-2.0
 *
 * The children of an actor: two lists in the order of their starts, and what the actor asks of them.
 *
 * A child that is started again, or has wishes of its own, has a struct child, which outlives its incarnations; the
 * others are linked through their slots. The order between the two lists is that of `seq`. A child with a tag is found
 * in a table of buckets. That table grows when there is memory; without it finding is slower, and nothing fails.
 *
 * Thread: the parent's owner. */
#include "core/children.h"
#include "core/mailbox.h"

#include "base/mem.h"

#define TAGS_FIRST 8u
#define CHILD_SEQ_MAX (UINT32_MAX >> 1) /* it has 31 bits in an actor */

/* ---- by tag ---- */

static struct child **bucket_of(const struct child_list *list, uint64_t tag)
{
    return &list->tags[(tag * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & list->tags_mask];
}

static void grow_tags(struct pool *pool, struct child_list *list)
{
    uint32_t size = list->tags ? (list->tags_mask + 1) * 2 : TAGS_FIRST;
    struct child **tags = troupe__pool_alloc_zeroed(pool, size * sizeof *tags);
    if (!tags)
        return;
    if (list->tags)
        troupe__pool_free(pool, list->tags, (list->tags_mask + 1) * sizeof *tags);
    list->tags = tags;
    list->tags_mask = size - 1;
    for (struct child *child = list->specs_first; child; child = child->next) {
        if (!child->opts.child_tag)
            continue;
        struct child **bucket = bucket_of(list, child->opts.child_tag);
        child->tag_next = *bucket;
        *bucket = child;
    }
}

/* State: it is in the list. */
static void tag_add(struct pool *pool, struct child_list *list, struct child *child)
{
    if (!child->opts.child_tag)
        return;
    list->tags_count++;
    if (!list->tags || list->tags_count > list->tags_mask + 1) {
        struct child **before = list->tags;
        grow_tags(pool, list);
        if (list->tags != before || !list->tags)
            return; /* it was put there with the others, or there is no table */
    }
    struct child **bucket = bucket_of(list, child->opts.child_tag);
    child->tag_next = *bucket;
    *bucket = child;
}

static void tag_remove(struct child_list *list, const struct child *child)
{
    if (!child->opts.child_tag)
        return;
    list->tags_count--;
    if (!list->tags)
        return;
    struct child **at = bucket_of(list, child->opts.child_tag);
    while (*at != child)
        at = &(*at)->tag_next;
    *at = child->tag_next;
}

static struct child *find(const troupe_ctx *ctx, uint64_t tag)
{
    if (!ctx->actor->extra || !tag)
        return NULL;
    const struct child_list *list = &ctx->actor->extra->children;
    struct child *child = list->tags ? *bucket_of(list, tag) : list->specs_first;
    while (child && child->opts.child_tag != tag)
        child = list->tags ? child->tag_next : child->next;
    return child;
}

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
    list->plain_count++;
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
    list->plain_count--;
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

static void spec_add(struct pool *pool, struct child_list *list, struct child *child)
{
    child->prev = list->specs_last;
    if (child->prev)
        child->prev->next = child;
    else
        list->specs_first = child;
    list->specs_last = child;
    list->specs_count++;
    if (list->group.phase == GROUP_STOPPING)
        list->group.cursor = child; /* it is the newest now */
    tag_add(pool, list, child);
}

void troupe__child_drop(troupe_worker *worker, struct extra *extra, struct child *child)
{
    struct child_list *list = &extra->children;
    struct child_group *group = &list->group;
    troupe__child_set_pending(extra, child, false);
    troupe__child_set_counted(list, child, false);
    if (group->cursor == child)
        group->cursor = group->phase == GROUP_STOPPING ? child->prev : child->next;
    if (group->starting == child)
        group->starting = NULL;
    if (list->deciding == child)
        list->deciding = NULL;
    if (child->prev)
        child->prev->next = child->next;
    else
        list->specs_first = child->next;
    if (child->next)
        child->next->prev = child->prev;
    else
        list->specs_last = child->prev;
    tag_remove(list, child);
    list->specs_count--;
    list->supervisors_count -= child->supervises;
    if (child->window)
        troupe__pool_free(&worker->pool, child->window, sizeof *child->window);
    troupe__pool_free(&worker->pool, child, child->block_bytes);
}

void troupe__child_set_pending(struct extra *extra, struct child *child, bool pending)
{
    struct wait *wait = troupe__wait_find(&extra->waits, child->restart_wait, WAIT_RESTART);
    extra->children.restarting_count += pending;
    extra->children.restarting_count -= child_waits(child);
    if (child->restart_wait && wait)
        troupe__wait_remove(&extra->waits, wait);
    child->restart_wait = 0;
    child->pending = pending;
}

void troupe__child_set_counted(struct child_list *list, struct child *child, bool counted)
{
    counted = counted && child->opts.significant;
    list->significant_count += counted;
    list->significant_count -= child->counted;
    child->counted = counted;
}

/* So many were started that the numbers are used up: give those who are there new ones, in the same order. */
static void renumber(const troupe_system *system, struct child_list *list)
{
    struct child *spec = list->specs_first;
    struct actor *plain = list->first ? slots_at(&system->slots, list->first) : NULL;
    uint32_t seq = 0, from_seq = 0;
    while (spec || plain) {
        bool is_spec = spec && (!plain || spec->seq < plain->child_seq);
        seq++;
        if (from_seq == 0 && (is_spec ? spec->seq : plain->child_seq) >= list->group.from_seq)
            from_seq = seq;
        if (!is_spec) {
            plain->child_seq = seq & CHILD_SEQ_MAX;
            plain = plain->sibling_next ? slots_at(&system->slots, plain->sibling_next) : NULL;
            continue;
        }
        spec->seq = seq;
        if (spec->slot)
            slots_at(&system->slots, spec->slot)->child_seq = seq & CHILD_SEQ_MAX;
        spec = spec->next;
    }
    list->group.from_seq = from_seq ? from_seq : seq + 1;
    list->next_seq = seq;
}

int troupe__child_add(troupe_worker *worker, struct actor *parent, struct actor *actor, const struct kind *kind,
                      const troupe_spawn_opts *opts)
{
    struct extra *extra = troupe__extra(&worker->pool, parent);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    struct child_list *list = &extra->children;
    struct child *child = list->restarting;
    bool is_new = false, supervises = kind->behavior->child != NULL;
    if (!child && list->children_max && list->plain_count + list->specs_count >= list->children_max)
        return TROUPE_E_LIMIT;
    bool has_wishes =
        opts->restart != TROUPE_TEMPORARY || opts->shutdown_timeout_ms || opts->child_tag || opts->significant;
    if (!child && has_wishes) {
        child = new_child(&worker->pool, opts);
        if (!child)
            return TROUPE_E_NO_MEMORY;
        is_new = true;
    }
    if ((is_new || !child) && list->next_seq == CHILD_SEQ_MAX)
        renumber(worker->system, list);
    actor->supervised = child != NULL;
    actor->child_seq = (child && !is_new ? child->seq : ++list->next_seq) & CHILD_SEQ_MAX;
    list->count++;
    if (!child) {
        list->supervisors_count += supervises;
        list_add(worker->system, list, actor);
        return 0;
    }
    actor->child = child;
    child->slot = actor->slot;
    child->started_ns = worker->now_ns;
    if (is_new) {
        child->seq = actor->child_seq;
        child->supervises = supervises;
        list->supervisors_count += supervises;
        spec_add(&worker->pool, list, child);
    }
    troupe__child_set_counted(list, child, true);
    if (list->strategy != TROUPE_ONE_FOR_ONE || list->group.phase != GROUP_IDLE)
        atomic_or_relaxed(&actor->marks, ACTOR_TELLS_START);
    return 0;
}

void troupe__child_remove(troupe_worker *worker, struct extra *extra, struct actor *actor)
{
    struct child_list *list = &extra->children;
    struct child *child = actor->supervised ? actor->child : NULL;
    struct wait *wait = NULL;
    list->count--;
    if (list->stopping_slot == actor->slot) {
        list->stopping_slot = 0;
        wait = troupe__wait_find(&extra->waits, list->shutdown_wait, WAIT_SHUTDOWN);
        list->shutdown_wait = 0;
        if (wait)
            troupe__wait_remove(&extra->waits, wait);
    }
    if (!child) {
        list->supervisors_count -= actor_kind(actor)->behavior->child != NULL;
        list_remove(worker->system, list, actor);
        return;
    }
    wait = child->shutdown_wait ? troupe__wait_find(&extra->waits, child->shutdown_wait, WAIT_SHUTDOWN) : NULL;
    if (wait)
        troupe__wait_remove(&extra->waits, wait);
    child->shutdown_wait = 0;
    child->slot = 0;
}

int troupe__child_respawn(troupe_ctx *ctx, struct child *child, enum child_start start, troupe_ref *ret_ref)
{
    troupe_worker *worker = ctx->worker;
    struct child_list *list = &ctx->actor->extra->children;
    struct message *args = troupe__spawn_args(worker, &child->opts, troupe_self(ctx));
    if (!args)
        return TROUPE_E_NO_MEMORY;
    list->restarting = child;
    int rc = troupe__spawn(worker, &child->opts, &(struct spawn_origin){ctx->actor, args}, ret_ref);
    list->restarting = NULL;
    if (rc) {
        troupe__message_free(&worker->pool, args);
        return rc;
    }
    troupe__child_set_pending(ctx->actor->extra, child, false);
    child->start = (uint8_t)start;
    child->restarts += start == CHILD_AGAIN;
    return 0;
}

/* ---- what behaviors ask ---- */

uint32_t troupe_children_count(const troupe_ctx *ctx)
{
    return ctx->actor->extra ? ctx->actor->extra->children.count : 0;
}

void troupe_children_counts(const troupe_ctx *ctx, troupe_children *ret_counts)
{
    const struct extra *extra = ctx->actor->extra;
    const struct child_list *list = extra ? &extra->children : NULL;
    uint32_t specs = list ? list->specs_count + list->plain_count : 0;
    uint32_t supervisors = list ? list->supervisors_count : 0;
    *ret_counts = (troupe_children){.specs = specs,
                                    .active = list ? list->count : 0,
                                    .restarting = list ? list->restarting_count : 0,
                                    .supervisors = supervisors,
                                    .workers = specs - supervisors};
}

static enum troupe_child_state state_of(const struct actor *actor)
{
    enum troupe_actor_state state = actor_state_now(actor);
    return state == TROUPE_STATE_STARTING  ? TROUPE_CHILD_IS_STARTING
           : state == TROUPE_STATE_RUNNING ? TROUPE_CHILD_IS_RUNNING
                                           : TROUPE_CHILD_IS_STOPPING;
}

static void look_at_plain(const troupe_system *system, const struct actor *actor, troupe_child *ret_child)
{
    *ret_child = (troupe_child){.ref = actor_ref(system, actor),
                                .state = state_of(actor),
                                .supervises = actor_kind(actor)->behavior->child != NULL,
                                .behavior = troupe_view_of(actor_kind(actor)->behavior->name)};
}

static void look_at_spec(const troupe_system *system, const struct child *child, troupe_child *ret_child)
{
    const struct actor *actor = child->slot ? slots_at(&system->slots, child->slot) : NULL;
    *ret_child = (troupe_child){.child = child->opts.child_tag,
                                .state = child_waits(child) ? TROUPE_CHILD_IS_RESTARTING : TROUPE_CHILD_IS_ENDED,
                                .restart = child->opts.restart,
                                .significant = child->opts.significant,
                                .supervises = child->supervises,
                                .restarts = child->restarts,
                                .behavior = troupe_view_of(child->opts.behavior),
                                .name = child->opts.name};
    if (actor) {
        ret_child->ref = actor_ref(system, actor);
        ret_child->state = child->terminating ? TROUPE_CHILD_IS_STOPPING : state_of(actor);
    }
}

void troupe_children_each(const troupe_ctx *ctx, bool (*fn)(void *user, const troupe_child *child), void *user)
{
    const troupe_system *system = ctx->worker->system;
    if (!ctx->actor->extra)
        return;
    const struct child_list *list = &ctx->actor->extra->children;
    const struct child *spec = list->specs_first;
    const struct actor *plain = list->first ? slots_at(&system->slots, list->first) : NULL;
    bool goes_on = true;
    while (goes_on && (spec || plain)) {
        troupe_child child;
        if (!plain || (spec && spec->seq < plain->child_seq)) {
            look_at_spec(system, spec, &child);
            spec = spec->next;
        } else {
            look_at_plain(system, plain, &child);
            plain = plain->sibling_next ? slots_at(&system->slots, plain->sibling_next) : NULL;
        }
        goes_on = fn(user, &child);
    }
}

int troupe_child_find(const troupe_ctx *ctx, uint64_t tag, troupe_child *ret_child)
{
    const struct child *child = find(ctx, tag);
    if (!child)
        return TROUPE_E_NOT_FOUND;
    look_at_spec(ctx->worker->system, child, ret_child);
    return 0;
}

/* May this actor change its children now, and is there such a one? */
static int find_to_change(const troupe_ctx *ctx, uint64_t tag, struct child **ret_child)
{
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    *ret_child = find(ctx, tag);
    return *ret_child ? 0 : TROUPE_E_NOT_FOUND;
}

/* Tell a living child to stop, with a time of its own; others may be told meanwhile. */
static int begin_to_terminate(troupe_ctx *ctx, struct child *child)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    if (child->terminating)
        return 0;
    if (extra->children.stopping_slot == child->slot) { /* told already, with its group; it just does not come back */
        child->terminating = true;
        return 0;
    }
    uint32_t timeout_ms = child->opts.shutdown_timeout_ms ? child->opts.shutdown_timeout_ms
                                                          : TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT;
    uint64_t deadline_ns = worker->now_ns + timeout_ms * NS_PER_MS;
    uint64_t id = troupe__wait_add(&worker->pool, &extra->waits, WAIT_SHUTDOWN, deadline_ns);
    if (!id)
        return TROUPE_E_NO_MEMORY;
    struct wait *wait = troupe__wait_find(&extra->waits, id, WAIT_SHUTDOWN);
    struct actor *actor = slots_at(&worker->system->slots, child->slot);
    wait->tag_or_period = child->slot;
    troupe_ref ref = actor_ref(worker->system, actor);
    if (troupe__stop_send(worker, ref, TROUPE_STOP, (troupe_view){"", 0}, STOP_BY_PARENT) == TROUPE_E_NO_MEMORY) {
        troupe__wait_remove(&extra->waits, wait);
        return TROUPE_E_NO_MEMORY;
    }
    child->shutdown_wait = id;
    child->terminating = true; /* when it has ended already: its end is on its way */
    return 0;
}

int troupe_child_terminate(troupe_ctx *ctx, uint64_t tag)
{
    struct child *child;
    int rc = find_to_change(ctx, tag, &child);
    if (rc)
        return rc;
    if (child->slot)
        return begin_to_terminate(ctx, child);
    if (!(TROUPE_PLANTED(14) && child->restart_wait))
        troupe__child_set_pending(ctx->actor->extra, child, false);
    troupe__child_set_counted(&ctx->actor->extra->children, child, false);
    return 0;
}

int troupe_child_restart(troupe_ctx *ctx, uint64_t tag, troupe_ref *ret_ref)
{
    struct child *child;
    int rc = find_to_change(ctx, tag, &child);
    if (rc)
        return rc;
    if (child->slot || child_waits(child) || troupe__restart_is_member(&ctx->actor->extra->children, child->seq))
        return TROUPE_E_STATE;
    child->attempts = 0;
    return troupe__child_respawn(ctx, child, CHILD_BY_HAND, ret_ref);
}

int troupe_child_delete(troupe_ctx *ctx, uint64_t tag)
{
    struct child *child;
    int rc = find_to_change(ctx, tag, &child);
    if (rc)
        return rc;
    if (child->slot || child_waits(child))
        return TROUPE_E_STATE;
    troupe__child_drop(ctx->worker, ctx->actor->extra, child);
    return 0;
}
