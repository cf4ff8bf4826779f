/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of messages from thread to thread inside the server: many put in, one takes all out, in the order of each
 * sender. A stack of one word, emptied whole and turned over, so that nobody waits and nothing is ever freed under
 * somebody's feet.
 *
 * Thread: crossing_put any; crossing_take the one owner. */
#ifndef TROUPE_SERVER_CROSSING_H
#define TROUPE_SERVER_CROSSING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Embed it in what crosses. */
struct crossing_item {
    struct crossing_item *next;
};

struct crossing {
    _Atomic(struct crossing_item *) last;
};

/* True: the crossing was empty, so the owner has to be woken. The release publishes the item's bytes to who takes. */
static inline bool crossing_put(struct crossing *crossing, struct crossing_item *item)
{
    struct crossing_item *last = atomic_load_explicit(&crossing->last, memory_order_relaxed);
    do {
        item->next = last;
    } while (!atomic_compare_exchange_weak_explicit(&crossing->last, &last, item, memory_order_release,
                                                    memory_order_relaxed));
    return last == NULL;
}

/* A look without taking: costs a load. */
static inline bool crossing_is_empty(struct crossing *crossing)
{
    return atomic_load_explicit(&crossing->last, memory_order_relaxed) == NULL;
}

/* All that came, oldest first. Pairs with the release of crossing_put. */
static inline struct crossing_item *crossing_take(struct crossing *crossing)
{
    struct crossing_item *item = atomic_exchange_explicit(&crossing->last, NULL, memory_order_acquire);
    struct crossing_item *first = NULL;
    while (item != NULL) {
        struct crossing_item *next = item->next;
        item->next = first;
        first = item;
        item = next;
    }
    return first;
}

#endif
