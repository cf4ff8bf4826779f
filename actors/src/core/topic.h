/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: rings of events, and the cursors that read them.
 *
 *   topic.c          the ring and the publisher's side; the table that finds the topic of an actor
 *   subscription.c   the subscribers' side: one place for each worker, cursors, who is told that there is news
 *   follow.c         actors that follow, see follow.h
 *   filter.c         which types a reader wants
 *
 * An event is one counted block, written once and shared by the ring and all who read it. A topic keeps the last ones,
 * with numbers that count up from 1. A subscriber is a number: the next event it wants. So publishing costs the same
 * for any number of subscribers, one that is slow holds up nobody, and one that the ring has overtaken knows by how
 * much.
 *
 * Who is told. A subscriber that has read everything waits in the list of its worker's place, and the place sets the
 * worker's bit in `waiting`. A publisher takes all bits and puts one notice, which lies ready in the place, into the
 * inbox of each of these workers: so a publication costs one push for each worker that waits, however many wait there.
 * The worker then runs `ready` for its list, some in each poll.
 *
 * Nobody sleeps through an event: the reader sets the bit and then looks at `newest` (and `ended`) once more; the
 * publisher sets `newest` and then looks at the bits. All four are sequentially consistent, so one of the two sees the
 * other. While the place is armed (its bit was set and its notice has not been seen) later waiters need not set it
 * again: what they have not seen was published after the look that armed the place, so its notice is still to come.
 *
 * The topic of an actor hangs in a table by slot and generation, made by the actor's first publication or by its first
 * subscriber, whichever comes first. A subscriber is no owner of the actor, so it cannot look into its `extra`; it sets
 * a mark on the slot and then looks whether the actor's system lane is shut; the end shuts the lane and then looks at
 * the mark. Again one of the two sees the other, and an actor without topic pays one load at its end.
 *
 * Memory is that of troupe_alloc: any thread may free it, and it counts against the node's budget.
 *
 * Threads: said at each field and function. */
#ifndef TROUPE_CORE_TOPIC_H
#define TROUPE_CORE_TOPIC_H

#include <troupe/system.h>

#include "base/atomic.h"
#include "core/message.h"
#include "port/port.h"

#define TOPIC_SHARDS 16u
#define TOPIC_CACHE 8u                    /* events that a place holds, so that its readers need not take the lock */
#define TOPIC_CACHE_BYTES_MAX (16u << 10) /* ... of this body size at most */
#define TOPIC_READY_PER_POLL 1024u        /* ready callbacks that a worker runs before its actors get their turns */

struct actor;
struct follow_note;
struct group;

/* Written once, before it is in the ring. */
struct topic_event {
    _Atomic uint32_t holds;
    uint32_t body_len;
    uint64_t seq;
    troupe_ref from;              /* whom it tells of; zeroed: the publisher */
    struct topic_event *next_out; /* the publisher's: in the list of those that it has taken out of the ring */
    uint16_t body_at;             /* in bytes */
    uint8_t type_len;
    bool has_content_type;    /* it stands behind the type */
    _Alignas(8) char bytes[]; /* type NUL content type NUL, to 8, body */
};

struct topic_cached {
    struct topic_event *event; /* held once */
    uint32_t readers;          /* subscriptions whose last read gave it */
};

struct topic_list {
    troupe_subscription *first, *last;
};

/* The subscribers of one worker. Its owner's, but for the notice while that is on its way. Lives as long as the
 * topic. */
struct topic_place {
    struct message notice; /* NOTICE_TOPIC; on its way at most once */
    struct troupe_topic *topic;
    struct topic_place *next;  /* among the worker's places that have somebody to tell */
    bool armed;                /* the bit was set, and its notice was not seen yet */
    bool queued;               /* it is among those; the topic is held for that */
    uint32_t reading;          /* subscriptions in no list */
    struct topic_list waiting; /* for news, oldest first */
    struct topic_list due;     /* to be told, in this order */
    struct topic_cached cache[TOPIC_CACHE];
};

struct troupe_topic {
    /* Set once. */
    troupe_system *system;
    uint64_t epoch;
    uint32_t slot, generation; /* whose it is; 0: the system's own */
    struct group *group;       /* or that of its joins and leaves; NULL: of none */

    /* Any thread. */
    _Atomic uint32_t holds;
    _Atomic bool ended;       /* set once, under the lock; read without */
    _Atomic uint64_t newest;  /* number of the newest event, 0: none yet; set under the lock, read without */
    _Atomic uint64_t waiting; /* bit i: the place of worker i is armed */

    /* Under the lock. */
    struct troupe__lock lock;
    struct topic_event **ring; /* event n is at n & (capacity - 1) */
    uint32_t capacity;
    uint64_t oldest;     /* number of the oldest event in the ring; newest + 1: none */
    uint64_t body_bytes; /* of those in the ring */
    struct follow_note *followers, *followers_last; /* who have read all, oldest first */
    bool telling;        /* they are being told: the notice is on its way, or a worker has the topic in its list */

    /* Followers: the teller's. */
    struct message follow_notice;       /* NOTICE_FOLLOW */
    struct troupe_topic *telling_next;  /* in the worker's list */

    /* Under the lock of the table's shard. */
    struct troupe_topic *next; /* in its bucket */

    /* Entry i is set by the owner of worker i, before its bit in `waiting` is. */
    struct topic_place *places[];
};

struct topic_shard {
    struct troupe__lock lock;
    struct troupe_topic **buckets;
    uint32_t buckets_count, count;
};

struct topic_table {
    struct topic_shard shards[TOPIC_SHARDS];
    _Atomic uint64_t made; /* for epochs */
};

/* ---- topic.c ---- */

static inline void topic_hold(struct troupe_topic *topic) { atomic_add_relaxed(&topic->holds, 1); }

/* The last one frees it. Thread: any. */
void troupe__topic_drop(struct troupe_topic *topic);

static inline void topic_event_hold(struct topic_event *event) { atomic_add_relaxed(&event->holds, 1); }
void troupe__topic_event_drop(struct topic_event *event);

/* As troupe_topic_publish. `from` may be NULL; so may worker: the thread at hand drives none. */
int troupe__topic_publish(troupe_topic *topic, troupe_worker *worker, troupe_view type, const troupe_body *body,
                          const troupe_ref *from, troupe_event_id *ret_id);

/* A topic of the system's own, or of a group. NULL: no memory. Thread: any. */
struct troupe_topic *troupe__topic_make(troupe_system *system, struct group *group);

/* Find the topic of a living actor, or make it; held for the caller. Thread: any.
 * Fails: TROUPE_E_GONE (it has ended meanwhile), TROUPE_E_NO_MEMORY. */
int troupe__topic_of(troupe_system *system, struct actor *actor, uint32_t generation, struct troupe_topic **ret_topic);

/* The actor has ended, its system lane is shut, and somebody has set its mark. Thread: its owner. */
void troupe__topic_on_end(troupe_system *system, const struct actor *actor, uint32_t generation);

void troupe__topics_fini(struct topic_table *table);

/* ---- subscription.c ---- */

/* Where a reader begins. Thread: any. */
troupe_event_id troupe__topic_first_wanted(struct troupe_topic *topic, enum troupe_from from, troupe_event_id after);

/* Thread, from here on: the owner of the worker. */

/* The notice of a place has come. */
void troupe__topic_on_notice(troupe_worker *worker, struct message *notice);

/* Run `ready` for those that are to be told, TOPIC_READY_PER_POLL at most. */
void troupe__topics_run(troupe_worker *worker);

#endif
