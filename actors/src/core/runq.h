/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's run queue: a ring of RUNQ_SIZE actors; the owner pushes at the tail, the owner and thieves take at the
 * head (after tokio's queue.rs). A thief takes half. When the ring is full, half of it goes to the system's inject
 * queue.
 *
 * Beside the ring is one place in front of all, for one to whom much is sent: it runs while that is in the processor's
 * cache, and is not left behind where each of its many senders has a turn. Only an empty place is taken, and the owner
 * takes from the ring each second time (worker.c), so nobody in the ring waits more than twice as long for it.
 *
 * An actor is in at most one queue: only who claimed its mailbox word may push it.
 *
 * Orders: a push writes the entry, then releases the tail; who takes acquires the tail, reads the entry, and makes it
 * its own by moving the head. The owner pushes only while fewer than RUNQ_SIZE lie between its view of the head and the
 * tail, so an entry is not overwritten before the head has passed it; a thief that read one too late fails its swap.
 * The place in front is filled by the owner with release and emptied by an exchange. */
#ifndef TROUPE_CORE_RUNQ_H
#define TROUPE_CORE_RUNQ_H

#include "base/atomic.h"

#define RUNQ_SIZE 256u

struct actor;

struct runq {
    _Atomic uint32_t head; /* any */
    char pad[60];          /* keeps thieves off the owner's line */
    _Atomic uint32_t tail; /* owner writes */
    _Atomic(struct actor *) front; /* or NULL */
    _Atomic(struct actor *) ring[RUNQ_SIZE];
};

static inline uint32_t runq_depth(const struct runq *queue)
{
    return atomic_load_acquire(&queue->tail) - atomic_load_acquire(&queue->head);
}

/* Is nothing in it, neither in the ring nor in front? Thread: owner; others: advisory. */
static inline bool runq_is_empty(const struct runq *queue)
{
    return runq_depth(queue) == 0 && !atomic_load_relaxed(&queue->front);
}

/* Put an actor in front; false when one is there. Thread: owner. */
static inline bool runq_push_front(struct runq *queue, struct actor *actor)
{
    if (atomic_load_relaxed(&queue->front))
        return false;
    atomic_store_release(&queue->front, actor); /* pairs with the exchange of a thief */
    return true;
}

/* Take the actor in front, or NULL. Thread: owner, or a thief. */
static inline struct actor *runq_take_front(struct runq *queue)
{
    return atomic_load_relaxed(&queue->front) ? atomic_exchange_acq_rel(&queue->front, NULL) : NULL;
}

/* The same for the owner of a queue that has no thieves. */
static inline struct actor *runq_take_front_alone(struct runq *queue)
{
    struct actor *actor = atomic_load_relaxed(&queue->front);
    atomic_store_relaxed(&queue->front, NULL);
    return actor;
}

/* False when full. Thread: owner. */
static inline bool runq_push(struct runq *queue, struct actor *actor)
{
    uint32_t tail = atomic_load_relaxed(&queue->tail);
    /* Acquire pairs with the swap that moved the head: the entry was read before it is overwritten. */
    if (tail - atomic_load_acquire(&queue->head) >= RUNQ_SIZE)
        return false;
    atomic_store_relaxed(&queue->ring[tail % RUNQ_SIZE], actor);
    atomic_store_release(&queue->tail, tail + 1);
    return true;
}

/* Take up to n of the oldest into out. Thread: owner, or a thief. */
static inline uint32_t runq_take(struct runq *queue, struct actor **out, uint32_t n)
{
    uint32_t head = atomic_load_acquire(&queue->head);
    for (;;) {
        uint32_t waiting = atomic_load_acquire(&queue->tail) - head;
        if (waiting > RUNQ_SIZE) {
            head = atomic_load_acquire(&queue->head); /* head was stale when tail was read */
            continue;
        }
        uint32_t count = waiting < n ? waiting : n;
        if (count == 0)
            return 0;
        for (uint32_t i = 0; i < count; i++)
            out[i] = atomic_load_relaxed(&queue->ring[(head + i) % RUNQ_SIZE]);
        if (atomic_cas_weak_acq_rel(&queue->head, &head, head + count))
            return count;
    }
}

/* The same for the owner of a ring that has no thieves, without a locked instruction. */
static inline bool runq_take_alone(struct runq *queue, struct actor **out)
{
    uint32_t head = atomic_load_relaxed(&queue->head);
    if (head == atomic_load_relaxed(&queue->tail))
        return false;
    *out = atomic_load_relaxed(&queue->ring[head % RUNQ_SIZE]);
    atomic_store_relaxed(&queue->head, head + 1);
    return true;
}

#endif
