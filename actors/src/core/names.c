/* SPDX-License-Identifier: Apache-2.0
 *
 * See names.h. An entry of this node's actor is in two tables, by its name and by the slot of its holder; one of another
 * home only in the first. */
#include "core/names.h"

#include <troupe/limits.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/utf8.h"

#define BUCKETS_FIRST 16u
#define FULL_ON_AVERAGE 2u /* entries a bucket before the table doubles */

void troupe__names_init(struct names *names, troupe_home home, uint64_t seed)
{
    names->home = home;
    for (int i = 0; i < 2; i++)
        names->key[i] = rng_mix(&seed);
}

static size_t entry_bytes(size_t len) { return sizeof(struct name_entry) + len + 1; }

void troupe__names_free(struct name_entry *entry) { troupe__port_free(entry, entry_bytes(entry->len)); }

void troupe__names_fini(struct names *names)
{
    for (struct name_entry *lost = atomic_load_relaxed(&names->lost), *next; lost; lost = next) {
        next = lost->next;
        troupe__names_free(lost);
    }
    atomic_store_relaxed(&names->lost, NULL);
    for (uint32_t i = 0; i < NAME_SHARDS; i++) {
        struct name_shard *shard = &names->by_name[i], *slots = &names->by_slot[i];
        for (uint32_t k = 0; k < shard->buckets_count; k++) {
            for (struct name_entry *entry = shard->buckets[k], *next; entry; entry = next) {
                next = entry->next;
                troupe__names_free(entry);
            }
        }
        if (shard->buckets)
            troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
        if (slots->buckets)
            troupe__port_free(slots->buckets, slots->buckets_count * sizeof slots->buckets[0]);
        *shard = *slots = (struct name_shard){0};
    }
}

bool troupe__name_is_valid(troupe_view name)
{
    if (name.len == 0 || name.len > TROUPE_NAME_BYTES_MAX)
        return false;
    if (name.ptr[0] == '.' && (name.len == 1 || (name.len == 2 && name.ptr[1] == '.')))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    for (const char *at = name.ptr, *end = at + name.len; at < end;) {
        size_t len = troupe__utf8_length(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

/* ---- by name ---- */

static struct name_shard *shard_of(struct names *names, uint64_t hash) { return &names->by_name[hash >> 58]; }

static struct name_entry *find_in(const struct name_shard *shard, uint64_t hash, troupe_view name)
{
    if (!shard->buckets)
        return NULL;
    struct name_entry *entry = shard->buckets[hash & (shard->buckets_count - 1)];
    while (entry && !(entry->hash == hash && entry->len == name.len && memcmp(entry->text, name.ptr, name.len) == 0))
        entry = entry->next;
    return entry;
}

/* The link by which an entry hangs in its table: by name, or by slot. */
static struct name_entry **next_of(struct name_entry *entry, bool by_slot)
{
    return by_slot ? &entry->next_by_slot : &entry->next;
}

static uint32_t bucket_of(const struct name_entry *entry, bool by_slot, uint32_t buckets_count)
{
    return (by_slot ? entry->ref.slot / NAME_SHARDS : (uint32_t)entry->hash) & (buckets_count - 1);
}

/* Under the shard's lock. */
static bool make_room(struct name_shard *shard, bool by_slot)
{
    if (shard->count < shard->buckets_count * FULL_ON_AVERAGE)
        return true;
    uint32_t count = shard->buckets_count ? shard->buckets_count * 2 : BUCKETS_FIRST;
    struct name_entry **buckets = troupe__port_alloc_zeroed(count * sizeof *buckets);
    if (!buckets)
        return shard->buckets_count > 0; /* longer chains then */
    for (uint32_t i = 0; i < shard->buckets_count; i++) {
        for (struct name_entry *entry = shard->buckets[i], *next; entry; entry = next) {
            next = *next_of(entry, by_slot);
            struct name_entry **bucket = &buckets[bucket_of(entry, by_slot, count)];
            *next_of(entry, by_slot) = *bucket;
            *bucket = entry;
        }
    }
    if (shard->buckets)
        troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
    shard->buckets = buckets;
    shard->buckets_count = count;
    return true;
}

static void add(struct name_shard *shard, struct name_entry *entry, bool by_slot)
{
    struct name_entry **bucket = &shard->buckets[bucket_of(entry, by_slot, shard->buckets_count)];
    *next_of(entry, by_slot) = *bucket;
    *bucket = entry;
    shard->count++;
}

static void take_out(struct name_shard *shard, struct name_entry *entry, bool by_slot)
{
    struct name_entry **at = &shard->buckets[bucket_of(entry, by_slot, shard->buckets_count)];
    while (*at != entry)
        at = next_of(*at, by_slot);
    *at = *next_of(entry, by_slot);
    shard->count--;
}

static struct name_shard *slot_shard_of(struct names *names, uint32_t slot)
{
    return &names->by_slot[slot % NAME_SHARDS];
}

static bool is_held_by(const struct name_entry *entry, uint32_t slot, uint32_t generation)
{
    return entry->ref.slot == slot && entry->ref.generation == generation;
}

/* Under the slot's lock: how many names a holder has. */
static uint32_t count_by_slot(const struct name_shard *slots, uint32_t slot, uint32_t generation)
{
    uint32_t count = 0;
    const struct name_entry *entry = slots->buckets[(slot / NAME_SHARDS) & (slots->buckets_count - 1)];
    for (; entry; entry = entry->next_by_slot)
        count += is_held_by(entry, slot, generation);
    return count;
}

/* Under the slot's lock: a name of the holder (this one, or with an empty view the newest). */
static struct name_entry *find_by_slot(const struct name_shard *slots, uint32_t slot, uint32_t generation,
                                       troupe_view name)
{
    if (!slots->buckets)
        return NULL;
    struct name_entry *entry = slots->buckets[(slot / NAME_SHARDS) & (slots->buckets_count - 1)];
    for (; entry; entry = entry->next_by_slot) {
        if (is_held_by(entry, slot, generation) &&
            (name.len == 0 || troupe_view_equal(name, (troupe_view){entry->text, entry->len})))
            return entry;
    }
    return NULL;
}

/* Put an entry into the table of names, unless the name is taken. */
static int enter(struct names *names, struct name_entry *entry, troupe_ref *ret_holder)
{
    struct name_shard *shard = shard_of(names, entry->hash);
    int rc = 0;
    troupe__lock_acquire(&shard->lock);
    const struct name_entry *holder = find_in(shard, entry->hash, (troupe_view){entry->text, entry->len});
    if (holder) {
        *ret_holder = holder->ref;
        rc = TROUPE_E_NAME_TAKEN;
    } else if (make_room(shard, false)) {
        add(shard, entry, false);
        atomic_add_relaxed(&names->count, 1);
    } else {
        rc = TROUPE_E_NO_MEMORY;
    }
    troupe__lock_release(&shard->lock);
    return rc;
}

/* Put an entry into both tables. */
static int enter_both(struct names *names, struct name_entry *entry, troupe_ref *ret_holder)
{
    struct name_shard *slots = slot_shard_of(names, entry->ref.slot);
    int rc = TROUPE_E_NO_MEMORY;
    troupe__lock_acquire(&slots->lock);
    if (make_room(slots, true)) {
        bool has_all = count_by_slot(slots, entry->ref.slot, entry->ref.generation) >= TROUPE_NAMES_PER_ACTOR_MAX;
        rc = has_all ? TROUPE_E_LIMIT : enter(names, entry, ret_holder);
    }
    if (rc == 0)
        add(slots, entry, true);
    troupe__lock_release(&slots->lock);
    return rc;
}

int troupe__names_take(struct names *names, troupe_view name, troupe_ref ref, struct name_entry **ret_entry,
                       troupe_ref *ret_holder)
{
    if (!troupe__name_is_valid(name))
        return TROUPE_E_INVALID;
    struct name_entry *entry = troupe__port_alloc(entry_bytes(name.len));
    if (!entry)
        return TROUPE_E_NO_MEMORY;
    *entry = (struct name_entry){.hash = siphash13(names->key, name.ptr, name.len),
                                 .ref = ref,
                                 .pinned = ret_entry != NULL,
                                 .len = (uint16_t)name.len};
    memcpy(entry->text, name.ptr, name.len);
    entry->text[name.len] = '\0';
    bool is_ours = troupe_home_equal(ref.home, names->home);
    int rc = is_ours ? enter_both(names, entry, ret_holder) : enter(names, entry, ret_holder);
    if (rc)
        troupe__names_free(entry);
    else if (ret_entry)
        *ret_entry = entry;
    return rc;
}

static void leave(struct names *names, struct name_entry *entry)
{
    struct name_shard *shard = shard_of(names, entry->hash);
    troupe__lock_acquire(&shard->lock);
    take_out(shard, entry, false);
    troupe__lock_release(&shard->lock);
    atomic_sub_relaxed(&names->count, 1);
}

/* Under the slot's lock. */
static void leave_both(struct names *names, struct name_shard *slots, struct name_entry *entry)
{
    take_out(slots, entry, true);
    leave(names, entry);
}

bool troupe__names_unpin(struct names *names, struct name_entry *entry)
{
    struct name_shard *slots = slot_shard_of(names, entry->ref.slot);
    troupe__lock_acquire(&slots->lock);
    bool dropped = entry->dropped;
    entry->pinned = false;
    if (dropped)
        leave_both(names, slots, entry);
    troupe__lock_release(&slots->lock);
    return !dropped;
}

struct name_entry *troupe__names_pin(struct names *names, troupe_view name, troupe_ref ref)
{
    struct name_shard *slots = slot_shard_of(names, ref.slot);
    troupe__lock_acquire(&slots->lock);
    struct name_entry *entry = find_by_slot(slots, ref.slot, ref.generation, name);
    if (entry)
        entry->pinned = entry->giving = true;
    troupe__lock_release(&slots->lock);
    return entry;
}

void troupe__names_remove(struct names *names, struct name_entry *entry)
{
    struct name_shard *slots = slot_shard_of(names, entry->ref.slot);
    troupe__lock_acquire(&slots->lock);
    leave_both(names, slots, entry);
    troupe__lock_release(&slots->lock);
    troupe__names_free(entry);
}

/* Take a name from an actor of another home. */
static int drop_foreign(struct names *names, troupe_view name, troupe_ref ref)
{
    uint64_t hash = siphash13(names->key, name.ptr, name.len);
    struct name_shard *shard = shard_of(names, hash);
    troupe__lock_acquire(&shard->lock);
    struct name_entry *entry = find_in(shard, hash, name);
    if (entry && !troupe_ref_equal(entry->ref, ref))
        entry = NULL;
    if (entry)
        take_out(shard, entry, false);
    troupe__lock_release(&shard->lock);
    if (!entry)
        return TROUPE_E_NOT_FOUND;
    atomic_sub_relaxed(&names->count, 1);
    troupe__names_free(entry);
    return 0;
}

int troupe__names_drop(struct names *names, troupe_view name, troupe_ref ref, struct name_entry **ret_entry)
{
    *ret_entry = NULL;
    if (name.len == 0)
        return TROUPE_E_NOT_FOUND;
    if (!troupe_home_equal(ref.home, names->home))
        return drop_foreign(names, name, ref);
    struct name_shard *slots = slot_shard_of(names, ref.slot);
    troupe__lock_acquire(&slots->lock);
    struct name_entry *entry = find_by_slot(slots, ref.slot, ref.generation, name);
    int rc = !entry || entry->giving || entry->dropped ? TROUPE_E_NOT_FOUND : 0;
    if (rc == 0 && entry->pinned) {
        entry->dropped = true;
    } else if (rc == 0) {
        leave_both(names, slots, entry);
        *ret_entry = entry;
    }
    troupe__lock_release(&slots->lock);
    return rc;
}

int troupe__names_find(struct names *names, troupe_view name, troupe_ref *ret_ref)
{
    uint64_t hash = siphash13(names->key, name.ptr, name.len);
    struct name_shard *shard = shard_of(names, hash);
    int rc = TROUPE_E_NOT_FOUND;
    troupe__lock_acquire(&shard->lock);
    const struct name_entry *entry = find_in(shard, hash, name);
    if (entry) {
        *ret_ref = entry->ref;
        rc = 0;
    }
    troupe__lock_release(&shard->lock);
    return rc;
}

void troupe__names_copy(struct names *names, uint32_t slot, uint32_t generation, char *ret_name)
{
    struct name_shard *slots = slot_shard_of(names, slot);
    ret_name[0] = '\0';
    troupe__lock_acquire(&slots->lock);
    const struct name_entry *entry = find_by_slot(slots, slot, generation, (troupe_view){"", 0});
    if (entry)
        memcpy(ret_name, entry->text, entry->len + 1u);
    troupe__lock_release(&slots->lock);
}

/* ---- the walk ----
 *
 * A name's place in the walk is its hash with the bits below the shard's reversed: that is a fixed order in which each
 * bucket is one range, and stays one when a table doubles. So a walk shows each name that is there all the time exactly
 * once, whatever comes and goes meanwhile. (SCAN of Redis counts its buckets this way.) */

#define SHARD_BITS 6u /* of NAME_SHARDS */
#define SHOWN_MAX 8u  /* names that are copied at a time */

struct shown {
    uint64_t place;
    troupe_ref ref;
    uint16_t len;
    char text[TROUPE_NAME_BYTES_MAX];
};

static uint64_t reversed(uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits);
}

static uint64_t place_of(uint64_t hash) { return hash >> 58 << 58 | reversed(hash) >> SHARD_BITS; }

/* Copy the next names of the bucket in which this place is, in their order; returns how many. *ret_next is the place
 * behind them, 0 behind the last bucket of all. */
static uint32_t copy_bucket(struct names *names, uint64_t from, struct shown shown[static SHOWN_MAX],
                            uint64_t *ret_next)
{
    const struct name_entry *found[SHOWN_MAX];
    uint32_t count = 0;
    struct name_shard *shard = &names->by_name[from >> 58];
    troupe__lock_acquire(&shard->lock);
    unsigned bits = shard->buckets_count ? (unsigned)__builtin_ctz(shard->buckets_count) : 0;
    unsigned range_bits = 64 - SHARD_BITS - bits;
    uint64_t next = ((from >> range_bits) + 1) << range_bits;
    const struct name_entry *entry =
        shard->buckets ? shard->buckets[reversed(from << SHARD_BITS) & (shard->buckets_count - 1)] : NULL;
    for (; entry; entry = entry->next) {
        uint64_t place = place_of(entry->hash);
        if (place < from || (count == SHOWN_MAX && place > place_of(found[count - 1]->hash)))
            continue;
        uint32_t at = count < SHOWN_MAX ? count++ : SHOWN_MAX - 1;
        for (; at > 0 && place_of(found[at - 1]->hash) > place; at--)
            found[at] = found[at - 1];
        found[at] = entry;
    }
    for (uint32_t i = 0; i < count; i++) {
        shown[i].place = place_of(found[i]->hash);
        shown[i].ref = found[i]->ref;
        shown[i].len = found[i]->len;
        memcpy(shown[i].text, found[i]->text, found[i]->len);
    }
    troupe__lock_release(&shard->lock);
    *ret_next = count == SHOWN_MAX ? shown[count - 1].place + 1 : next;
    return count;
}

bool troupe__names_scan(struct names *names, uint64_t *cursor, uint32_t count,
                        bool (*fn)(void *user, troupe_view name, troupe_ref ref), void *user)
{
    struct shown shown[SHOWN_MAX];
    for (; count > 0; count--) {
        uint64_t next;
        uint32_t copied = copy_bucket(names, *cursor, shown, &next);
        for (uint32_t i = 0; i < copied; i++) {
            *cursor = shown[i].place + 1;
            if (!fn(user, (troupe_view){shown[i].text, shown[i].len}, shown[i].ref))
                return *cursor != 0;
        }
        *cursor = next;
        if (next == 0)
            return false;
    }
    return true;
}
