/* SPDX-License-Identifier: Apache-2.0
 *
 * What one can see: a peek from outside, an actor's own account by its system lane, walks, sums.
 *
 * A peek reads a slot that its owner may be changing. Every field it reads is atomic, and it reads the generation
 * before and after: if that changed, the actor it was asked about has ended. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

/* False when the slot's actor changed meanwhile. */
static bool peek_at(troupe_system *system, struct actor *actor, uint32_t generation, troupe_peek *ret_peek)
{
    const struct kind *kind = actor_kind(actor);
    uint8_t state = atomic_load_acquire(&actor->state);
    if (!kind || state == 0 || state == TROUPE_STATE_STOPPED)
        return false;
    ret_peek->ref = (troupe_ref){system->home, actor->slot, generation};
    ret_peek->behavior = kind->behavior;
    ret_peek->state = (enum troupe_actor_state)state;
    ret_peek->mailbox_depth = mailbox_depth(actor);
    ret_peek->mailbox_bytes = atomic_load_relaxed(&actor->mailbox_bytes);
    ret_peek->mailbox_messages_max = atomic_load_relaxed(&actor->messages_max);
    ret_peek->mailbox_bytes_max = atomic_load_relaxed(&actor->bytes_max);
    ret_peek->mailbox_policy = (enum troupe_mailbox_policy)atomic_load_relaxed(&actor->policy);
    ret_peek->processed = atomic_load_relaxed(&actor->processed);
    ret_peek->started_ms = atomic_load_relaxed(&actor->started_ms);
    uint8_t marks = atomic_load_relaxed(&actor->marks);
    uint32_t parent_slot = atomic_load_relaxed(&actor->parent_slot);
    ret_peek->is_suspended = marks & ACTOR_IS_SUSPENDED;
    ret_peek->is_traced = marks & ACTOR_IS_TRACED;
    ret_peek->parent = (troupe_ref){0};
    if (parent_slot) /* it outlives its children, so its generation is right if this one's is */
        ret_peek->parent = actor_ref(system, slots_at(&system->slots, parent_slot));
    troupe__names_copy(&system->names, actor->slot, generation, ret_peek->name);
    atomic_thread_fence(memory_order_acquire); /* what was read above was read before the generation */
    return actor_generation(actor) == generation;
}

int troupe_system_peek(troupe_system *system, troupe_ref ref, troupe_peek *ret_peek)
{
    struct actor *actor;
    int rc = troupe__find(system, ref, &actor);
    if (rc)
        return rc;
    troupe_peek peek;
    if (!peek_at(system, actor, ref.generation, &peek))
        return TROUPE_E_GONE;
    *ret_peek = peek;
    return 0;
}

bool troupe_system_scan(troupe_system *system, uint64_t *cursor, uint32_t slots,
                        bool (*fn)(void *user, const troupe_peek *peek), void *user)
{
    uint32_t end = atomic_load_acquire(&system->slots.end);
    uint64_t slot = *cursor ? *cursor : 1;
    bool more = true;
    for (; more && slot < end && slots > 0; slot++, slots--) {
        struct actor *actor = slots_at(&system->slots, (uint32_t)slot);
        troupe_peek peek;
        uint32_t generation = actor_generation(actor);
        if (generation && peek_at(system, actor, generation, &peek))
            more = fn(user, &peek);
    }
    *cursor = slot;
    return slot < end;
}

/* ---- an actor's own account ---- */

static void list_links(const struct extra *extra, troupe_info *info)
{
    uint32_t n = 0;
    for (const struct bond *bond = extra->bonds.first; bond && n < TROUPE_INFO_REFS_MAX; bond = bond->next)
        if (bond->kind == BOND_LINK)
            info->links[n++] = bond->ref;
}

static void list_children(const troupe_system *system, const struct extra *extra, troupe_info *info)
{
    uint32_t n = 0;
    for (const struct child *child = extra->children.specs_first; child && n < TROUPE_INFO_REFS_MAX;
         child = child->next)
        if (child->slot)
            info->children[n++] = actor_ref(system, slots_at(&system->slots, child->slot));
    for (uint32_t slot = extra->children.first; slot && n < TROUPE_INFO_REFS_MAX;) {
        const struct actor *actor = slots_at(&system->slots, slot);
        info->children[n++] = actor_ref(system, actor);
        slot = actor->sibling_next;
    }
}

static void fill_info(troupe_system *system, struct actor *actor, troupe_info *info)
{
    const struct extra *extra = actor->extra;
    memset(info, 0, sizeof *info);
    peek_at(system, actor, actor_generation(actor), &info->peek);
    uint32_t state_bytes = actor_kind(actor)->behavior->state_bytes;
    info->parent = info->peek.parent;
    info->mailbox_bytes = info->peek.mailbox_bytes + (uint64_t)info->peek.mailbox_depth * sizeof(struct message);
    info->memory_bytes =
        sizeof *actor + (state_bytes > ACTOR_STATE_INLINE_BYTES ? state_bytes : 0) + info->mailbox_bytes;
    if (!extra)
        return;
    if (extra->last_error) {
        const struct last_error *last = extra->last_error;
        info->last_error = last->error;
        info->last_error_ms = last->at_ms;
        memcpy(info->last_error_detail, last->detail, last->len);
        info->last_error_detail[last->len] = '\0';
    }
    info->memory_bytes += (sizeof *extra + extra->waits.capacity * (sizeof(struct wait) + sizeof(uint32_t)) +
                                     extra->bonds.count * sizeof(struct bond));
    info->links_count = extra->bonds.counts[BOND_LINK];
    info->monitors_count = extra->bonds.counts[BOND_MONITORS];
    info->monitored_by_count = extra->bonds.counts[BOND_MONITORED_BY];
    info->children_count = extra->children.count;
    info->timers_count = extra->waits.timers;
    info->calls_count = extra->waits.calls;
    info->kept_count = extra->waits.kept;
    info->restarts = extra->children.restarts;
    list_links(extra, info);
    list_children(system, extra, info);
}

void troupe__info_on_request(troupe_ctx *ctx, struct message *request)
{
    troupe_worker *worker = ctx->worker;
    /* The request came with room for the account and goes back as the answer. */
    troupe_info *info = (troupe_info *)(void *)((char *)request + ((const char *)request->msg.body - (char *)request));
    fill_info(worker->system, ctx->actor, info);
    request->msg.from = troupe_self(ctx);
    request->msg.status = 0;
    if (request->reply_worker == worker->index)
        troupe__request_on_message(worker, request);
    else
        troupe__worker_post(worker->system, request->reply_worker, request);
}

/* ---- sums ---- */

uint64_t troupe__system_memory(const troupe_system *system)
{
    uint64_t bytes = troupe__heap_bytes();
    uint64_t actors = 0; /* a worker alone may have ended more than it spawned: the sum is right */
    for (uint32_t i = 0; i < troupe__workers_all(system); i++) {
        const troupe_worker *worker = system->workers[i];
        bytes += troupe__pool_used_bytes(&worker->pool);
        actors += atomic_load_relaxed(&worker->stats.spawned) - atomic_load_relaxed(&worker->stats.ended);
    }
    return bytes + ((int64_t)actors > 0 ? actors * sizeof(struct actor) : 0);
}

static void sum_worker(troupe_stats *sum, const struct worker_stats *stats)
{
#define SUM(field) sum->field += atomic_load_relaxed(&stats->field)
    SUM(spawned);
    SUM(ended);
    SUM(failed);
    SUM(killed);
    SUM(restarts);
    SUM(turns);
    SUM(turns_long);
    SUM(turns_inline);
    SUM(messages);
    SUM(calls);
    SUM(steals);
    SUM(dead_letters);
    SUM(dead_full);
    SUM(dead_gone);
    SUM(dead_shed);
    SUM(timeouts);
    SUM(turns_blocking);
#undef SUM
}

void troupe_system_stats(troupe_system *system, troupe_stats *ret_stats)
{
    troupe_stats sum = {0};
    for (uint32_t i = 0; i < troupe__workers_all(system); i++) {
        const troupe_worker *worker = system->workers[i];
        sum_worker(&sum, &worker->stats);
        sum.blocking_busy += worker->is_blocking && atomic_load_relaxed(&worker->turn_actor);
    }
    sum.blocking_waiting = atomic_load_relaxed(&system->blocking.count);
    sum.actors = sum.spawned > sum.ended ? sum.spawned - sum.ended : 0;
    sum.names = atomic_load_relaxed(&system->names.count);
    sum.memory_bytes = troupe__system_memory(system);
    sum.alarms_set = atomic_load_relaxed(&system->alarms.set);
    sum.alarms_missed = atomic_load_relaxed(&system->alarms.missed);
    *ret_stats = sum;
}

static void sum_kind(troupe_behavior_stats *sum, const struct kind_stats *stats)
{
    sum->spawned += atomic_load_relaxed(&stats->spawned);
    sum->ended += atomic_load_relaxed(&stats->ended);
    sum->failed += atomic_load_relaxed(&stats->failed);
    sum->messages += atomic_load_relaxed(&stats->messages);
    sum->turns += atomic_load_relaxed(&stats->turns);
    sum->busy_ns += atomic_load_relaxed(&stats->busy_ns);
}

void troupe_system_behavior_stats(troupe_system *system, const troupe_behavior *behavior,
                                  troupe_behavior_stats *ret_stats)
{
    troupe_behavior_stats sum = {0};
    uint32_t count = atomic_load_acquire(&system->kinds_count), index = 0;
    while (index < count && system->kinds[index].behavior != behavior)
        index++;
    for (uint32_t i = 0; index < count && i < troupe__workers_all(system); i++)
        sum_kind(&sum, &system->workers[i]->kind_stats[index]);
    sum.actors = sum.spawned > sum.ended ? sum.spawned - sum.ended : 0;
    *ret_stats = sum;
}

bool troupe_system_is_overloaded(const troupe_system *system) { return atomic_load_relaxed(&system->overloaded); }
