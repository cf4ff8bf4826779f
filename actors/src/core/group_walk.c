/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: the walk through the groups, in slices.
 *
 * A group's place in the walk is its hash with the bits below the shard's reversed, as a name's is (names.c): each
 * bucket is one range of places, and stays one when a shard doubles. So a group that is there all the time is shown
 * once. */
#include "core/group.h"

#include "base/mem.h"
#include "core/worker.h"

#define SHOWN_MAX 8u /* groups that are copied at a time */

struct shown {
    uint64_t place;
    uint32_t size;
    uint8_t scope_len, name_len;
    char scope[TROUPE_TYPE_BYTES_MAX], name[TROUPE_TYPE_BYTES_MAX];
};

static uint64_t reversed(uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits);
}

#define PLACE_BITS (64 - GROUP_SHARD_BITS)

static uint64_t place_of(uint64_t hash)
{
    return hash >> PLACE_BITS << PLACE_BITS | reversed(hash) >> GROUP_SHARD_BITS;
}

static void show(struct shown *shown, const struct group *group)
{
    shown->place = place_of(group->hash);
    shown->size = atomic_load_relaxed(&group->size);
    shown->scope_len = group->scope_len;
    shown->name_len = group->name_len;
    memcpy(shown->scope, group->text, group->scope_len);
    memcpy(shown->name, group_name(group).ptr, group->name_len);
}

/* Copy the next groups, or scopes, of the bucket in which this place is, in their order; returns how many. *ret_next is
 * the place behind them, 0 behind the last bucket of all. */
static uint32_t copy_bucket(struct group_table *table, bool scopes, uint64_t from, struct shown shown[static SHOWN_MAX],
                            uint64_t *ret_next)
{
    const struct group *found[SHOWN_MAX];
    uint32_t count = 0;
    struct group_shard *shard = &table->by_name[from >> PLACE_BITS];
    troupe__lock_acquire(&shard->lock);
    unsigned range_bits = PLACE_BITS - (shard->buckets_count ? (unsigned)__builtin_ctz(shard->buckets_count) : 0);
    uint64_t next = ((from >> range_bits) + 1) << range_bits;
    const struct group *group =
        shard->buckets ? shard->buckets[reversed(from << GROUP_SHARD_BITS) & (shard->buckets_count - 1)] : NULL;
    for (; group; group = group->next) {
        uint64_t place = place_of(group->hash);
        if ((group->name_len == 0) != scopes || atomic_load_relaxed(&group->size) == 0 || place < from ||
            (count == SHOWN_MAX && place > place_of(found[count - 1]->hash)))
            continue;
        uint32_t at = count < SHOWN_MAX ? count++ : SHOWN_MAX - 1;
        for (; at > 0 && place_of(found[at - 1]->hash) > place; at--)
            found[at] = found[at - 1];
        found[at] = group;
    }
    for (uint32_t i = 0; i < count; i++)
        show(&shown[i], found[i]);
    troupe__lock_release(&shard->lock);
    *ret_next = count == SHOWN_MAX ? shown[count - 1].place + 1 : next;
    return count;
}

bool troupe_system_scan_groups(troupe_system *system, bool scopes, uint64_t *cursor, uint32_t buckets,
                               bool (*fn)(void *user, troupe_view scope, troupe_view group, uint32_t size), void *user)
{
    struct shown shown[SHOWN_MAX];
    for (; buckets > 0; buckets--) {
        uint64_t next;
        uint32_t copied = copy_bucket(&system->groups, scopes, *cursor, shown, &next);
        for (uint32_t i = 0; i < copied; i++) {
            const struct shown *at = &shown[i];
            *cursor = at->place + 1;
            if (!fn(user, (troupe_view){at->scope, at->scope_len}, (troupe_view){at->name, at->name_len}, at->size))
                return *cursor != 0;
        }
        *cursor = next;
        if (next == 0)
            return false;
    }
    return true;
}
