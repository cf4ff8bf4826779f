/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of this node: unique, held by an actor until it gives them back or has ended (after its clean-up, once, compared
 * by identity).
 *
 * A hash table in shards, each under a lock; a second table finds the first name of a slot. Clients choose names, so the
 * hash is keyed (SipHash-1-3 with a key from the seed).
 *
 * Threads: any. */
#ifndef TROUPE_CORE_NAMES_H
#define TROUPE_CORE_NAMES_H

#include <troupe/ref.h>
#include <troupe/view.h>

#include "base/atomic.h"
#include "port/port.h"

#define NAME_SHARDS 64u

/* Owned by the table. */
struct name_entry {
    struct name_entry *next;         /* in the bucket */
    struct name_entry *next_by_slot;
    uint64_t hash;
    uint32_t slot, generation;
    uint16_t len;
    char text[];
};

struct name_shard {
    struct troupe__lock lock;
    struct name_entry **buckets;
    uint32_t buckets_count, count;
};

struct names {
    struct name_shard by_name[NAME_SHARDS];
    struct name_shard by_slot[NAME_SHARDS];
    uint64_t key[2];
    _Atomic uint64_t count;
};

void troupe__names_init(struct names *names, uint64_t seed);
void troupe__names_fini(struct names *names);

/* Is it a name at all: 1..255 bytes of UTF-8 without control characters, not "." or ".."? */
bool troupe__name_is_valid(troupe_view name);

/* Take a name. Fails: TROUPE_E_NAME_TAKEN (*ret_slot and *ret_generation: the holder), TROUPE_E_INVALID,
 * TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY. */
int troupe__names_take(struct names *names, troupe_view name, uint32_t slot, uint32_t generation, uint32_t *ret_slot,
                       uint32_t *ret_generation);

/* Give a name back, if it is held by this one. Fails: TROUPE_E_NOT_FOUND. */
int troupe__names_give(struct names *names, troupe_view name, uint32_t slot, uint32_t generation);

/* Give back all names of one holder. */
void troupe__names_give_all(struct names *names, uint32_t slot, uint32_t generation);

/* Who holds it. Fails: TROUPE_E_NOT_FOUND. */
int troupe__names_find(struct names *names, troupe_view name, uint32_t *ret_slot, uint32_t *ret_generation);

/* The newest name of a holder, or empty. Lives: while the holder keeps it, so for the holder itself. */
troupe_view troupe__names_newest(struct names *names, uint32_t slot, uint32_t generation);

/* The same, copied with a NUL into TROUPE_NAME_BYTES_MAX + 1 bytes. Thread: any. */
void troupe__names_copy(struct names *names, uint32_t slot, uint32_t generation, char *ret_name);

/* Walk all names in slices; see troupe_system_scan_names. `fn` is called without a lock, with a copy of the name. */
bool troupe__names_scan(struct names *names, uint64_t *cursor, uint32_t count,
                        bool (*fn)(void *user, troupe_view name, uint32_t slot, uint32_t generation), void *user);

#endif
