/* SPDX-License-Identifier: Apache-2.0
 *
 * The inject queue of a system: what did not fit into the workers' rings, in batches of half a ring.
 *
 * The oldest batch is taken first, but for one case: when most actors of the newest batch have just been spawned, it is
 * taken. So a tree of spawns is walked in depth, on memory that the processor has at hand; in breadth a tree of a
 * million leaves would have all of them alive at once. So that nobody starves under a flood of spawns, every
 * INJECT_OLDEST_EVERY-th take is of the oldest batch all the same. Within a batch the order is that of the ring.
 *
 * A batch is linked through its actors; only the ends are noted here. When there is no room to note one more, the
 * newest batch grows: what is queued is never refused.
 *
 * Threads: any, under the lock; count may be read without it. */
#ifndef TROUPE_CORE_INJECT_H
#define TROUPE_CORE_INJECT_H

#include "core/slots.h"

#define INJECT_BATCHES 256u
#define INJECT_OLDEST_EVERY 8u

struct inject_batch {
    uint32_t first, last;  /* slots, linked by run_next */
    bool is_young;         /* most were just spawned */
};

struct inject_queue {
    struct troupe__lock lock;
    _Atomic uint32_t count; /* actors */
    uint32_t oldest;        /* index of the oldest batch */
    uint32_t batches_count;
    uint32_t takes;         /* with a young batch at hand */
    bool in_order;          /* set once: the oldest comes first, young or not */
    struct inject_batch batches[INJECT_BATCHES]; /* a ring */
};

/* Queue n actors, at least one, as a batch; the first is the first to run. */
static inline void inject_put(struct inject_queue *queue, const struct slot_table *slots, struct actor **actors,
                              uint32_t n)
{
    struct inject_batch batch = {.first = actors[0]->slot, .last = actors[n - 1]->slot};
    uint32_t young = 0;
    for (uint32_t i = 0; i < n; i++) {
        young += atomic_load_relaxed(&actors[i]->state) == TROUPE_STATE_STARTING;
        actors[i]->run_next = i + 1 < n ? actors[i + 1]->slot : 0;
    }
    batch.is_young = young > n / 2;
    troupe__lock_acquire(&queue->lock);
    if (queue->batches_count < INJECT_BATCHES) {
        queue->batches[(queue->oldest + queue->batches_count++) % INJECT_BATCHES] = batch;
    } else {
        struct inject_batch *newest = &queue->batches[(queue->oldest + INJECT_BATCHES - 1) % INJECT_BATCHES];
        slots_at(slots, newest->last)->run_next = batch.first;
        newest->last = batch.last;
    }
    atomic_store_seq(&queue->count, atomic_load_relaxed(&queue->count) + n); /* pairs with who parks and looks */
    troupe__lock_release(&queue->lock);
}

/* Take up to n actors of one batch into out, and no more than the fair share of one of so many workers. */
static inline uint32_t inject_take(struct inject_queue *queue, const struct slot_table *slots, uint32_t workers,
                                   struct actor **out, uint32_t n)
{
    if (atomic_load_relaxed(&queue->count) == 0)
        return 0;
    uint32_t taken = 0;
    troupe__lock_acquire(&queue->lock);
    uint32_t waiting = atomic_load_relaxed(&queue->count), share = waiting / workers + 1;
    if (waiting) {
        struct inject_batch *oldest = &queue->batches[queue->oldest];
        struct inject_batch *newest = &queue->batches[(queue->oldest + queue->batches_count - 1) % INJECT_BATCHES];
        bool in_depth = newest->is_young && !queue->in_order && ++queue->takes % INJECT_OLDEST_EVERY != 0;
        struct inject_batch *batch = in_depth ? newest : oldest;
        while (taken < n && taken < share && batch->first) {
            out[taken] = slots_at(slots, batch->first);
            batch->first = out[taken++]->run_next;
        }
        if (!batch->first) {
            queue->oldest = (queue->oldest + (batch == oldest)) % INJECT_BATCHES;
            queue->batches_count--;
        }
        atomic_store_seq(&queue->count, waiting - taken);
    }
    troupe__lock_release(&queue->lock);
    return taken;
}

#endif
