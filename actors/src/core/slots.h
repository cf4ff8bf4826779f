/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of actors: chunks of slots that are made when needed and never moved or freed while the system lives.
 *
 * Free slots are reused oldest first: each worker has a queue of those whose actors ended on it, long queues pass to a
 * shared one, and new slots are cut from the end of the table in runs. Slot 0 is never used: 0 means no slot. A slot
 * whose generations are used up is not given back. What lies in one worker's queue is not seen by the others, so the
 * limit of a small table may be felt early.
 *
 * Threads: slots_at by any; take and give by the owner of the worker's queue. */
#ifndef TROUPE_CORE_SLOTS_H
#define TROUPE_CORE_SLOTS_H

#include "core/actor.h"

#ifdef __wasm__
#define SLOTS_CHUNK_BITS 6
#else
#define SLOTS_CHUNK_BITS 12
#endif
#define SLOTS_CHUNK (1u << SLOTS_CHUNK_BITS)
#define SLOTS_RUN 64u          /* cut from the table at once */
#define SLOTS_QUEUE_MAX 4096u  /* a worker's free slots; half of them move to the shared queue */

/* A queue of free slots, linked by sibling_next. */
struct slot_queue {
    uint32_t first, last, count;
};

struct slot_table {
    _Atomic(struct actor *) *chunks; /* directory; entries are set once under the lock */
    uint32_t slots_max;
    _Atomic uint32_t end;            /* slots below it have memory; set under the lock, release */
    uint32_t cut;                    /* under the lock: slots below it were given out */
    struct slot_queue shared;        /* under the lock */
    struct troupe__lock lock;
};

struct slot_cache {                  /* of a worker */
    struct slot_queue free;
    uint32_t run_next, run_end;      /* new slots cut but not used yet */
};

TROUPE_MUST_USE int troupe__slots_init(struct slot_table *table, uint32_t slots_max);
void troupe__slots_fini(struct slot_table *table);

/* Take a free slot; NULL when memory or slots are used up. */
struct actor *troupe__slots_take(struct slot_table *table, struct slot_cache *cache);
void troupe__slots_give(struct slot_table *table, struct slot_cache *cache, struct actor *actor);

/* A slot below the table's end, which was loaded with acquire. */
static inline struct actor *slots_have(const struct slot_table *table, uint32_t slot)
{
    return &atomic_load_relaxed(&table->chunks[slot >> SLOTS_CHUNK_BITS])[slot & (SLOTS_CHUNK - 1)];
}

/* The slot, or NULL when there never was one. */
static inline struct actor *slots_at(const struct slot_table *table, uint32_t slot)
{
    /* Acquire pairs with the release in grow: the chunk's address and zeroed memory are seen. */
    if (slot == 0 || slot >= atomic_load_acquire(&table->end))
        return NULL;
    return slots_have(table, slot);
}

#endif
