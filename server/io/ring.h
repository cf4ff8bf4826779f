/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of links that are embedded in what they link: joining and leaving take no memory and no search.
 *
 * Thread: the ring's owner. */
#ifndef TROUPE_SERVER_RING_H
#define TROUPE_SERVER_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring {
    struct ring *next, *prev;    /* of a ring's own head, and of a link that is in none: itself */
};

/* The struct whose member `member` is the link `link`. */
#define RING_OF(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void ring_init(struct ring *link) { link->next = link->prev = link; }

static inline bool ring_is_empty(const struct ring *ring) { return ring->next == ring; }

/* Leave the ring; legal for a link that is in none. */
static inline void ring_remove(struct ring *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    ring_init(link);
}

/* Go to the end of a ring, out of the one where the link is now. */
static inline void ring_append(struct ring *ring, struct ring *link)
{
    ring_remove(link);
    link->prev = ring->prev;
    link->next = ring;
    ring->prev->next = link;
    ring->prev = link;
}

#endif
