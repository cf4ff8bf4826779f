/* SPDX-License-Identifier: Apache-2.0
 *
 * An actor in memory: 192 bytes with room for 48 bytes of the behavior's state, in a table of slots that never moves
 * and is never unmapped while the system lives. So any thread may look at any slot at any time; what it finds there is
 * judged by the generation.
 *
 * What an idle actor does not need (calls, timers, links, children) is in `extra`, which is made on first use.
 *
 * Threads: fields marked any may be touched by all; the others belong to the owner: the turn that runs the actor, from
 * the claim of the mailbox word to going idle. */
#ifndef TROUPE_CORE_ACTOR_H
#define TROUPE_CORE_ACTOR_H

#include <troupe/behavior.h>
#include <troupe/system.h>

#include "base/atomic.h"
#include "core/message.h"

/* Signals: looked at before each message. */
#define SIGNAL_KILL 1u    /* a SYSTEM_STOP with mode kill is in the system lane */
#define SIGNAL_STOP 2u    /* one with another mode is */
#define SIGNAL_SYSTEM 4u  /* the system lane is not empty */
#define SIGNAL_TIMER 8u   /* the earliest deadline has come */
#define SIGNAL_CHILD 16u  /* a child has ended */
#define SIGNAL_START 32u  /* init is to be run, without args and with nobody waiting for it */

/* Why the message lane is paused; each bit is set and cleared by the owner. */
#define PAUSE_CALL 1u     /* troupe_call_wait: only that reply passes */
#define PAUSE_STARTING 2u /* init has not ended: only replies, results and timers pass */
#define PAUSE_STOPPING 4u /* children are being ended: nothing passes */
#define PAUSE_SUSPENDED 8u /* by an operator: nothing but ARGS passes */
#define PAUSE_TRACED 16u  /* no pause: each message is told to a trace */

/* Marks: set by spawn, or any thread; a mark that was meant for a predecessor does no harm. */
#define ACTOR_IS_CHILD 1u  /* it has a parent, which ends it when the node ends */
#define ACTOR_HAS_TOPIC 2u /* there may be a topic for it in the table */
#define ACTOR_IN_GROUP 8u  /* it may be a member of groups */
#define ACTOR_TELLS_START 128u /* its parent waits for its start, hook or not */
#define ACTOR_IS_SUSPENDED 16u /* as PAUSE_SUSPENDED and PAUSE_TRACED, for others to see */
#define ACTOR_IS_TRACED 32u
#define ACTOR_HAS_ALARM 64u /* its long mailbox was told already */
#define ACTOR_BLOCKS 4u    /* it is run by blocking workers; set by spawn alone */

#define ACTOR_STATE_INLINE_BYTES 48u
#define SYSTEM_LANE_SHUT ((struct message *)(uintptr_t)1)

struct kind; /* a registered behavior, see system.h of the core */

struct actor {
    /* Any thread. */
    _Atomic uint64_t word;                 /* mailbox.h */
    _Atomic uint64_t identity;             /* generation << 32 | signals: none but SYSTEM hits a successor */
    _Atomic(struct message *) system_lane; /* stack of system messages; SYSTEM_LANE_SHUT when nobody is here */
    _Atomic uint32_t mailbox_bytes;        /* of bodies over TROUPE_SMALL_BODY_BYTES */
    _Atomic uint8_t state;                 /* enum troupe_actor_state; 0: never used. Set by the owner, monotonic */
    _Atomic uint8_t policy;                /* set by spawn, as the next four: */
    _Atomic uint8_t marks;                 /* ACTOR_... */
    bool exact;                            /* small bound: settle at each message */
    _Atomic uint32_t messages_max;
    _Atomic uint32_t bytes_max;
    _Atomic(struct kind *) kind;
    uint32_t slot;                         /* set once */
    _Atomic uint32_t parent_slot;          /* set by spawn; 0: no parent; a parent outlives its children */
    uint32_t run_next;                     /* a slot: in the inject queue, or among a parent's ended children */

    /* Owner. */
    uint32_t captured;                     /* of the word's count: seen */
    uint32_t handled;                      /* of those: done with, not yet told */
    uint8_t pause;                         /* PAUSE_... */
    uint8_t exit_cause;                    /* valid from stopping on; the parent's when stopped */
    bool has_name : 1;                     /* it has had one */
    bool began : 1;                        /* init was run */
    bool drains : 1;                       /* it drains, and ends by that: its children are drained too */
    bool bursts : 1;                       /* it sent much in its last turn: whom it wakes comes next */
    bool ending;                           /* life.c has begun to end it */
    struct message *inbox_head, *inbox_tail;
    struct message *system_head;           /* what was taken from the system lane, oldest first */
    struct extra *extra;
    void *state_ptr;                       /* the behavior's state: inline_state, or a block of its own */
    _Atomic uint64_t processed;            /* messages; one writer */
    _Atomic uint64_t started_ms;

    /* The parent's. Slots; 0 is no slot. */
    union {
        struct {
            uint32_t sibling_prev, sibling_next; /* free slots: sibling_next links them */
        };
        struct child *child;               /* when supervised */
    };
    uint32_t child_seq : 31;               /* start order among the children */
    uint32_t supervised : 1;               /* the parent has a struct child for it */
    int32_t exit_error;
    _Alignas(16) unsigned char inline_state[ACTOR_STATE_INLINE_BYTES];
};

_Static_assert(sizeof(struct actor) <= 192, "an idle actor has three cache lines");

static inline struct kind *actor_kind(const struct actor *actor) { return atomic_load_relaxed(&actor->kind); }

static inline uint32_t actor_generation(const struct actor *actor)
{
    return (uint32_t)(atomic_load_relaxed(&actor->identity) >> 32);
}

/* Signals are set before the word is looked at (raise) and looked at after going idle: sequentially consistent. */
static inline uint32_t actor_signals(const struct actor *actor)
{
    return (uint32_t)atomic_load_seq(&actor->identity);
}

static inline bool actor_is_killed(const struct actor *actor)
{
    return (uint32_t)atomic_load_relaxed(&actor->identity) & SIGNAL_KILL;
}

#endif
