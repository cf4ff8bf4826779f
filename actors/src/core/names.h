/* SPDX-License-Identifier: Apache-2.0
 *
 * Names: unique, held by an actor until it gives them back or has ended (after its clean-up, once, compared by
 * identity). The node that keeps the names of a cluster has those of other nodes' actors in the table, too.
 *
 * A hash table in shards, each under a lock; a second table finds the names of a slot of this node. Clients choose names,
 * so the hash is keyed (SipHash-1-3 with a key from the seed). Where both are changed, the lock of the slot's shard is
 * taken first and the name's inside it, so that a name of this node is in both or in none.
 *
 * Pins. While the world is told that an actor has taken a name, or gives it back (the hook `named`), nobody else may have
 * it: else the news of the next holder could overtake. So who tells pins the entry: it stays in the table until it is
 * unpinned or removed by who pinned it. A drop by others meanwhile is noted, and done by the unpin.
 *
 * Threads: any; an entry of this node's actor is pinned by the actor's owner only. */
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
    troupe_ref ref;
    bool pinned, giving, dropped;    /* under the lock of the slot's shard; giving: pinned to be removed */
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
    troupe_home home;                /* of this node; set once */
    uint64_t key[2];
    _Atomic uint64_t count;
    _Atomic bool closed;             /* actors of this node can take no name, and find none */
    _Atomic(struct name_entry *) lost; /* taken from actors of this node, who are to be told: a stack */
};

void troupe__names_init(struct names *names, troupe_home home, uint64_t seed);
void troupe__names_fini(struct names *names);

/* Is it a name at all: 1..255 bytes of UTF-8 without control characters, not "." or ".."? */
bool troupe__name_is_valid(troupe_view name);

/* Take a name for an actor of whatever home. One of this node's is pinned when ret_entry is not NULL.
 * Fails: TROUPE_E_NAME_TAKEN (*ret_holder), TROUPE_E_INVALID, TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY. */
int troupe__names_take(struct names *names, troupe_view name, troupe_ref ref, struct name_entry **ret_entry,
                       troupe_ref *ret_holder);

/* Let others at an entry again. False: it was dropped meanwhile and is out of the table; it belongs to the caller. */
bool troupe__names_unpin(struct names *names, struct name_entry *entry);

/* Pin a name of an actor of this node, or with an empty view its newest one, in order to remove it. NULL: it has none. */
struct name_entry *troupe__names_pin(struct names *names, troupe_view name, troupe_ref ref);

/* Remove and free an entry that is pinned so. */
void troupe__names_remove(struct names *names, struct name_entry *entry);

/* Take a name from an actor of whatever home. *ret_entry is the entry of one of this node's, which belongs to the caller;
 * NULL for others, and when it is pinned: then who pinned it gets it. Fails: TROUPE_E_NOT_FOUND. */
int troupe__names_drop(struct names *names, troupe_view name, troupe_ref ref, struct name_entry **ret_entry);

/* Free an entry that is out of the table. */
void troupe__names_free(struct name_entry *entry);

/* Who holds it. Fails: TROUPE_E_NOT_FOUND. */
int troupe__names_find(struct names *names, troupe_view name, troupe_ref *ret_ref);

/* The newest name of an actor of this node, copied with a NUL into TROUPE_NAME_BYTES_MAX + 1 bytes; or "". */
void troupe__names_copy(struct names *names, uint32_t slot, uint32_t generation, char *ret_name);

/* Walk all names in slices; see troupe_system_scan_names. */
bool troupe__names_scan(struct names *names, uint64_t *cursor, uint32_t count,
                        bool (*fn)(void *user, troupe_view name, troupe_ref ref), void *user);

#endif
