/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: who is in a group, and in which groups an actor is. */
#include "core/group.h"

#include "base/mem.h"
#include "base/plant.h"
#include "core/worker.h"

#define BUCKETS_FIRST 16u
#define FULL_ON_AVERAGE 2u /* memberships a bucket before a shard doubles */
#define VECTOR_FIRST 4u

/* ---- the blocks of a group; under the lock of its shard ---- */

static bool add_block(struct group *group)
{
    if (group->blocks_count == group->blocks_capacity) {
        uint32_t capacity = group->blocks_capacity ? group->blocks_capacity * 2 : VECTOR_FIRST;
        struct group_block **blocks = troupe_realloc(group->blocks, capacity * sizeof *blocks);
        if (!blocks)
            return false;
        group->blocks = blocks;
        group->blocks_capacity = capacity;
    }
    struct group_block *block = troupe_alloc(sizeof *block);
    if (!block)
        return false;
    block->used = block->live = 0;
    group->blocks[group->blocks_count++] = block;
    return true;
}

/* Add a member behind all others. Returns its number, 0: no memory. */
static uint64_t append(struct group *group, uint32_t slot, uint32_t generation)
{
    struct group_block *last = group->blocks_count ? group->blocks[group->blocks_count - 1] : NULL;
    if (!last || last->used == GROUP_BLOCK) {
        if (!add_block(group))
            return 0;
        last = group->blocks[group->blocks_count - 1];
    }
    last->entries[last->used++] = (struct group_entry){++group->last_number, slot, generation};
    last->live++;
    return group->last_number;
}

/* The block in which this number is or would be. State: there is a block. */
static uint32_t block_of(const struct group *group, uint64_t number)
{
    uint32_t low = 0, high = group->blocks_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (group->blocks[middle]->entries[0].number <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The first entry in the block with this number or a higher one. */
static uint32_t entry_of(const struct group_block *block, uint64_t number)
{
    uint32_t low = 0, high = block->used;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (block->entries[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_block(struct group *group, uint32_t at)
{
    troupe_free(group->blocks[at]);
    group->blocks_count--;
    memmove(group->blocks + at, group->blocks + at + 1, (group->blocks_count - at) * sizeof group->blocks[0]);
    if (group->blocks_count == 0) {
        troupe_free(group->blocks);
        group->blocks = NULL;
        group->blocks_capacity = 0;
    }
}

static void close_holes(struct group_block *block)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->used; i++)
        if (block->entries[i].generation)
            block->entries[kept++] = block->entries[i];
    block->used = kept;
}

/* Make a block and the one behind it one, if both are nearly empty. */
static void join_with_next(struct group *group, uint32_t at)
{
    if (at + 1 >= group->blocks_count)
        return;
    struct group_block *block = group->blocks[at], *next = group->blocks[at + 1];
    if (block->live + next->live > GROUP_BLOCK / 2)
        return;
    close_holes(block);
    close_holes(next);
    memcpy(block->entries + block->used, next->entries, next->used * sizeof next->entries[0]);
    block->used += next->used;
    block->live += next->live;
    drop_block(group, at + 1);
}

static void take_out(struct group *group, uint64_t number)
{
    uint32_t at = block_of(group, number);
    struct group_block *block = group->blocks[at];
    block->entries[entry_of(block, number)].generation = 0;
    if (--block->live == 0) {
        drop_block(group, at);
    } else {
        join_with_next(group, at);
        if (at > 0)
            join_with_next(group, at - 1);
    }
}

uint32_t troupe__group_slice(struct group *group, uint64_t *cursor, uint64_t upto, troupe_ref *refs, uint32_t max)
{
    struct group_shard *shard = troupe__group_shard(group);
    uint32_t count = 0;
    if (max > GROUP_SLICE)
        max = GROUP_SLICE;
    troupe__lock_acquire(&shard->lock);
    uint32_t at = group->blocks_count ? block_of(group, *cursor + 1) : 0;
    for (uint32_t first = *cursor > 0; count < max && at < group->blocks_count; at++, first = 0) {
        const struct group_block *block = group->blocks[at];
        for (uint32_t i = first ? entry_of(block, *cursor + 1) : 0; i < block->used && count < max; i++) {
            const struct group_entry *entry = &block->entries[i];
            if (!entry->generation)
                continue;
            if (entry->number > upto)
                break;
            *cursor = entry->number;
            refs[count++] = (troupe_ref){group->system->home, entry->slot, entry->generation};
        }
    }
    troupe__lock_release(&shard->lock);
    return count;
}

uint64_t troupe__group_last(struct group *group)
{
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    uint64_t last = group->last_number;
    troupe__lock_release(&shard->lock);
    return last;
}

/* ---- the memberships of an actor; under the lock of its slot's shard ---- */

static struct member_shard *slots_of(troupe_system *system, uint32_t slot)
{
    return &system->groups.by_slot[slot % GROUP_SHARDS];
}

static struct membership **bucket_of(const struct member_shard *shard, uint32_t slot)
{
    return &shard->buckets[slot / GROUP_SHARDS & (shard->buckets_count - 1)];
}

static bool is_of(const struct membership *membership, uint32_t slot, uint32_t generation)
{
    return membership->slot == slot && membership->generation == generation;
}

/* The link that holds the actor's membership, in this group or with NULL in any, or the end of the chain; NULL without
 * buckets. *ret_count, if asked for, is how many it has in front of that. */
static struct membership **find_link(const struct member_shard *shard, uint32_t slot, uint32_t generation,
                                     const struct group *group, uint32_t *ret_count)
{
    if (!shard->buckets)
        return NULL;
    struct membership **at = bucket_of(shard, slot);
    for (; *at; at = &(*at)->next) {
        if (!is_of(*at, slot, generation))
            continue;
        if (!group || (*at)->group == group)
            break;
        ++*ret_count;
    }
    return at;
}

static bool make_room(struct member_shard *shard)
{
    if (shard->count < shard->buckets_count * FULL_ON_AVERAGE)
        return true;
    struct member_shard larger = {.buckets_count = shard->buckets_count ? shard->buckets_count * 2 : BUCKETS_FIRST};
    larger.buckets = troupe__port_alloc_zeroed(larger.buckets_count * sizeof larger.buckets[0]);
    if (!larger.buckets)
        return shard->buckets_count > 0; /* longer chains then */
    for (uint32_t i = 0; i < shard->buckets_count; i++) {
        for (struct membership *membership = shard->buckets[i], *next; membership; membership = next) {
            next = membership->next;
            struct membership **bucket = bucket_of(&larger, membership->slot);
            membership->next = *bucket;
            *bucket = membership;
        }
    }
    if (shard->buckets)
        troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
    shard->buckets = larger.buckets;
    shard->buckets_count = larger.buckets_count;
    return true;
}

/* Mark the actor as one that is in groups, unless it has shut its system lane meanwhile, or is another one already. */
static bool mark(struct actor *actor, uint32_t generation)
{
    atomic_fetch_or_explicit(&actor->marks, ACTOR_IN_GROUP, memory_order_seq_cst); /* pairs with shut in life.c */
    return atomic_load_seq(&actor->system_lane) != SYSTEM_LANE_SHUT && actor_generation(actor) == generation;
}

/* ---- join and leave ---- */

/* Under the lock of the slot's shard, with the membership new to it. */
static int add_to_group(struct group *group, struct membership *membership)
{
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    membership->number = append(group, membership->slot, membership->generation);
    if (membership->number) {
        if (atomic_add_relaxed(&group->size, 1) == 0)
            atomic_add_relaxed(&group->scope->size, 1);
        troupe__group_note_change(group, membership, false);
    }
    troupe__lock_release(&shard->lock);
    return membership->number ? 0 : TROUPE_E_NO_MEMORY;
}

/* Under the lock of the slot's shard, with the membership out of it. The group is held for the caller. */
static bool take_from_group(struct group *group, struct membership *membership)
{
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    group->holds++;
    take_out(group, membership->number);
    if (atomic_sub_relaxed(&group->size, 1) == 1)
        atomic_sub_relaxed(&group->scope->size, 1);
    troupe__group_note_change(group, membership, true);
    bool unused = troupe__membership_unuse(membership);
    troupe__lock_release(&shard->lock);
    return unused;
}

/* Join, unless it has already: then *ret_is_new is false. */
static int join(struct group *group, struct actor *actor, uint32_t generation, struct membership *membership,
                bool *ret_is_new)
{
    struct member_shard *shard = slots_of(group->system, actor->slot);
    uint32_t count = 0;
    int rc = 0;
    troupe__lock_acquire(&shard->lock);
    struct membership **at = find_link(shard, actor->slot, generation, group, &count);
    *ret_is_new = !at || !*at;
    if (*ret_is_new) {
        if (count >= TROUPE_GROUPS_PER_ACTOR_MAX)
            rc = TROUPE_E_LIMIT;
        else if (!make_room(shard))
            rc = TROUPE_E_NO_MEMORY;
        else if (!mark(actor, generation))
            rc = TROUPE_E_GONE;
        else
            rc = add_to_group(group, membership);
    }
    if (rc == 0 && *ret_is_new) {
        struct membership **bucket = bucket_of(shard, actor->slot);
        membership->next = *bucket;
        *bucket = membership;
        shard->count++;
    }
    troupe__lock_release(&shard->lock);
    return rc;
}

int troupe__group_join(troupe_system *system, troupe_worker *worker, troupe_view scope, troupe_view name,
                       troupe_ref ref)
{
    struct actor *actor;
    struct group *group;
    if (!troupe__group_words(scope, name, false))
        return TROUPE_E_INVALID;
    int rc = troupe__find(system, ref, &actor);
    if (rc == 0)
        rc = troupe__group_hold(system, scope, name, true, &group);
    if (rc)
        return rc;
    bool is_new = false;
    struct membership *membership = troupe_alloc(sizeof *membership);
    rc = TROUPE_E_NO_MEMORY;
    if (membership) {
        memset(membership, 0, sizeof *membership);
        membership->group = group;
        membership->slot = ref.slot;
        membership->generation = ref.generation;
        membership->users = 1;
        rc = join(group, actor, ref.generation, membership, &is_new);
    }
    if (rc || !is_new)
        troupe_free(membership);
    else
        troupe__group_tell(group, worker);
    troupe__group_release(group);
    return rc;
}

/* Leave one group, or with NULL any. False: there is none. */
static bool leave(troupe_system *system, troupe_worker *worker, uint32_t slot, uint32_t generation, struct group *group)
{
    struct member_shard *shard = slots_of(system, slot);
    struct membership *membership = NULL;
    uint32_t count = 0;
    bool unused = false;
    troupe__lock_acquire(&shard->lock);
    struct membership **at = find_link(shard, slot, generation, group, &count);
    if (at && *at) {
        membership = *at;
        *at = membership->next;
        shard->count--;
        group = membership->group;
        unused = take_from_group(group, membership);
    }
    troupe__lock_release(&shard->lock);
    if (!membership)
        return false;
    if (unused)
        troupe_free(membership);
    troupe__group_tell(group, worker);
    troupe__group_release(group);
    return true;
}

int troupe__group_leave(troupe_system *system, troupe_worker *worker, troupe_view scope, troupe_view name,
                        troupe_ref ref)
{
    struct actor *actor;
    struct group *group;
    if (!troupe__group_words(scope, name, false))
        return TROUPE_E_INVALID;
    int rc = troupe__find(system, ref, &actor);
    if (rc == 0)
        rc = troupe__group_hold(system, scope, name, false, &group);
    if (rc)
        return rc;
    rc = leave(system, worker, ref.slot, ref.generation, group) ? 0 : TROUPE_E_NOT_FOUND;
    troupe__group_release(group);
    return rc;
}

void troupe__groups_on_end(troupe_worker *worker, const struct actor *actor, uint32_t generation)
{
    while (leave(worker->system, worker, actor->slot, generation, NULL) && !TROUPE_PLANTED(17)) {
        /* one after another, so that no lock is held long */
    }
}

/* ---- what behaviors and outsiders call ---- */

int troupe_system_group_join(troupe_system *system, troupe_view scope, troupe_view group, troupe_ref ref)
{
    return troupe__group_join(system, NULL, scope, group, ref);
}

int troupe_system_group_leave(troupe_system *system, troupe_view scope, troupe_view group, troupe_ref ref)
{
    return troupe__group_leave(system, NULL, scope, group, ref);
}

uint32_t troupe_system_group_members(troupe_system *system, troupe_view scope, troupe_view group, uint64_t *cursor,
                                     troupe_ref *refs, uint32_t refs_max)
{
    struct group *found;
    uint32_t count = 0;
    if (!troupe__group_words(scope, group, false) || troupe__group_hold(system, scope, group, false, &found))
        return 0;
    for (uint32_t got = 1; got > 0 && count < refs_max; count += got)
        got = troupe__group_slice(found, cursor, UINT64_MAX, refs + count, refs_max - count);
    troupe__group_release(found);
    return count;
}

uint32_t troupe_group_members(troupe_ctx *ctx, const char *scope, const char *group, uint64_t *cursor, troupe_ref *refs,
                              uint32_t refs_max)
{
    return troupe_system_group_members(ctx->worker->system, troupe_view_of(scope), troupe_view_of(group), cursor, refs,
                                       refs_max);
}

/* May this actor change groups? */
static int check_state(const troupe_ctx *ctx)
{
    return actor_is_killed(ctx->actor) ? TROUPE_E_KILLED : ctx->actor->ending ? TROUPE_E_STATE : 0;
}

int troupe_group_add(troupe_ctx *ctx, const char *scope, const char *group, troupe_ref ref)
{
    int rc = check_state(ctx);
    return rc ? rc
              : troupe__group_join(ctx->worker->system, ctx->worker, troupe_view_of(scope), troupe_view_of(group), ref);
}

int troupe_group_remove(troupe_ctx *ctx, const char *scope, const char *group, troupe_ref ref)
{
    int rc = check_state(ctx);
    return rc ? rc
              : troupe__group_leave(ctx->worker->system, ctx->worker, troupe_view_of(scope), troupe_view_of(group),
                                    ref);
}

int troupe_group_join(troupe_ctx *ctx, const char *scope, const char *group)
{
    return troupe_group_add(ctx, scope, group, troupe_self(ctx));
}

int troupe_group_leave(troupe_ctx *ctx, const char *scope, const char *group)
{
    return troupe_group_remove(ctx, scope, group, troupe_self(ctx));
}
