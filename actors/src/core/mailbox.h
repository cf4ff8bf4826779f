/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox word: many senders, one owner, and "who schedules" in a single compare-and-swap.
 *
 *    63        62 ........ 44   43 ................. 0
 *   +---------+---------------+----------------------+
 *   | closing |     count     |  top message / 16    |   top: 0 empty and owned, 1 empty and idle, 2 shut
 *   +---------+---------------+----------------------+
 *
 * Senders push on a stack: link the message to the old top, swap the word, count one more. Whoever replaces "idle" has
 * claimed the actor and must schedule it (or run it at once): exactly one does. The owner (the turn that runs the
 * actor) never pops from the stack. It knows how many of `count` it has seen (`captured`), and takes the new ones by
 * walking that many links down from the top, which reverses them into its private list, oldest first. So a message
 * costs two locked instructions: the push, and the end of the turn.
 *
 * Invariants
 *   1. Only the owner lowers `count`: by what it has handled, when it goes idle or yields. Between two of its own
 *      changes the count only grows, so "the word is as I saw it" cannot be mistaken (no ABA), though the address at
 *      the top may be that of a message freed long ago. Such an address is never followed: the owner walks by count.
 *   2. `count` covers the private list as well, so the bound holds for all that waits. It also covers up to
 *      TROUPE_TURN_MESSAGES_MAX messages already handled in the running turn (actors with bounds under
 *      MAILBOX_EXACT_BELOW lower it with each message).
 *   3. "idle" may have a count: the actor is paused (it waits for a reply, or is suspended) and looks at what is new.
 *   4. Replies, downs and the like need no room (`droppable` is false) and are not refused while closing. What an actor
 *      may have open at a time fits into the count behind MAILBOX_ORDINARY_MAX.
 *   5. FIFO for each sender: pushes of one thread are ordered by the word, the reversal keeps that order.
 *
 * Orders: a push releases the message to the owner, who acquires by loading the word. Going idle releases the owner's
 * fields to the next claimant, whose push acquires them. Idle and claims by signal are sequentially consistent: the
 * signal's bit is set before the word is looked at, and the owner looks at the bits after it went idle, so that one of
 * the two sees the other (signal in actor.h). */
#ifndef TROUPE_CORE_MAILBOX_H
#define TROUPE_CORE_MAILBOX_H

#include "base/plant.h"
#include "core/actor.h"

#define WORD_TOP_BITS 44
#define WORD_TOP_MASK ((UINT64_C(1) << WORD_TOP_BITS) - 1)
#define WORD_COUNT_MASK UINT64_C(0x7ffff)
#define WORD_ONE (UINT64_C(1) << WORD_TOP_BITS)
#define WORD_CLOSING (UINT64_C(1) << 63)
#define WORD_OWNED UINT64_C(0)
#define WORD_IDLE UINT64_C(1)
#define WORD_SHUT (WORD_CLOSING | UINT64_C(2)) /* the word of one who is gone: closing, so that one test finds both */
#define MAILBOX_EXACT_BELOW 1024u

/* Ordinary messages go no further than this. Behind it is room for all that an actor may have reserved. */
#define MAILBOX_ORDINARY_MAX 300000u
_Static_assert(MAILBOX_ORDINARY_MAX >= TROUPE_MAILBOX_MESSAGES_MAX + TROUPE_TURN_MESSAGES_MAX, "the bound can be felt");
_Static_assert(MAILBOX_ORDINARY_MAX + TROUPE_CALLS_PER_ACTOR_MAX + 2 * TROUPE_BONDS_PER_ACTOR_MAX +
                       TROUPE_TIMERS_PER_ACTOR_MAX + TROUPE_FOLLOWS_PER_ACTOR_MAX + TROUPE_GROUP_CALLS_PER_ACTOR_MAX <
                   WORD_COUNT_MASK,
               "count has room for replies, downs, exit signals, timers, events and results");

static inline uint64_t word_top(uint64_t word) { return word & WORD_TOP_MASK; }
static inline uint32_t word_count(uint64_t word) { return (uint32_t)((word >> WORD_TOP_BITS) & WORD_COUNT_MASK); }
static inline struct message *word_message(uint64_t word)
{
    return (struct message *)(uintptr_t)(word_top(word) << 4);
}

enum push_result {
    PUSH_QUEUED = 0,
    PUSH_CLAIMED = 1   /* the caller must schedule or run the actor */
};

/* Why the actor takes no ordinary message while its word is this; 0: it takes it all the same, and its owner sheds. */
int troupe__mailbox_refusal(const struct actor *actor, uint64_t word);

/* Give a message to the actor. On success the mailbox owns it. Thread: any.
 * Fails: TROUPE_E_FULL, TROUPE_E_SHED (policy drop newest), TROUPE_E_DRAINING, TROUPE_E_GONE; the message stays the
 * caller's. */
static inline int mailbox_push(struct actor *actor, struct message *message)
{
    uint64_t top = (uint64_t)(uintptr_t)message >> 4;
    uint64_t old = atomic_load_relaxed(&actor->word);
    for (;;) {
        if (message->droppable) {
            /* One test for full, closing and shut: those two have a bit above the count. */
            if (old >> WORD_TOP_BITS >= (uint64_t)atomic_load_relaxed(&actor->messages_max) + TROUPE_PLANTED(10)) {
                int rc = troupe__mailbox_refusal(actor, old);
                if (rc)
                    return rc;
            }
        } else if (old == WORD_SHUT) {
            return TROUPE_E_GONE;
        } else if (word_count(old) == WORD_COUNT_MASK) {
            return TROUPE_E_FULL;
        }
        message->next = word_message(old);
        uint64_t new = (old & ~WORD_TOP_MASK) + WORD_ONE + top;
        if (atomic_cas_weak_acq_rel(&actor->word, &old, new))
            return word_top(old) == WORD_IDLE && !(TROUPE_PLANTED(1) && word_count(old)) ? PUSH_CLAIMED : PUSH_QUEUED;
    }
}

/* Bring what is new into the private list. Returns how many. Thread: owner. */
static inline uint32_t mailbox_capture(struct actor *actor)
{
    uint64_t word = atomic_load_acquire(&actor->word);
    uint32_t fresh = word_count(word) - actor->captured;
    if (fresh == 0)
        return 0;
    struct message *at = word_message(word), *newest = at, *list = NULL;
    for (uint32_t i = 0; i < fresh; i++) {
        struct message *below = at->next;
        at->next = list;
        list = at;
        at = below;
    }
    if (actor->inbox_head)
        actor->inbox_tail->next = list;
    else
        actor->inbox_head = list;
    actor->inbox_tail = newest;
    actor->captured += fresh;
    return fresh;
}

/* Take the oldest message of the private list. */
static inline void mailbox_take_head(struct actor *actor, struct message *head)
{
    actor->inbox_head = head->next;
    __builtin_prefetch(head->next); /* the next one while this one is handled: a long list is in no near cache */
    __builtin_prefetch((const char *)head->next + 64);
    actor->handled++;
}

/* The oldest message, or NULL. Thread: owner. */
static inline struct message *mailbox_pop(struct actor *actor)
{
    struct message *message = actor->inbox_head;
    if (!message) {
        if (mailbox_capture(actor) == 0)
            return NULL;
        message = actor->inbox_head;
    }
    mailbox_take_head(actor, message);
    return message;
}

/* Tell the senders what was handled: there is room again. Thread: owner. */
static inline void mailbox_settle(struct actor *actor)
{
    if (actor->handled == 0)
        return;
    actor->captured -= actor->handled;
    /* Release: not needed for the messages, which are the owner's; it keeps the count behind their handling. */
    atomic_sub_release(&actor->word, (uint64_t)actor->handled << WORD_TOP_BITS);
    actor->handled = 0;
}

/* Give the actor up unless something new has come. False: go on. Thread: owner, who is none any more after true. */
static inline bool mailbox_go_idle(struct actor *actor)
{
    uint64_t old = atomic_load_relaxed(&actor->word);
    if (word_count(old) != actor->captured)
        return false;
    uint32_t handled = actor->handled, captured = actor->captured;
    actor->handled = 0;
    actor->captured = captured - handled;
    uint64_t new = (old & WORD_CLOSING) | ((uint64_t)(captured - handled) << WORD_TOP_BITS) | WORD_IDLE;
    if (atomic_cas_strong_seq(&actor->word, &old, new))
        return true;
    actor->handled = handled;
    actor->captured = captured;
    return false;
}

/* Become the owner of an idle actor without a message. Thread: any. */
static inline bool mailbox_claim(struct actor *actor)
{
    uint64_t old = atomic_load_seq(&actor->word);
    while (word_top(old) == WORD_IDLE) {
        if (atomic_cas_weak_seq(&actor->word, &old, (old & ~WORD_TOP_MASK) | WORD_OWNED))
            return true;
    }
    return false;
}

/* Refuse ordinary messages from now on. Thread: owner. */
static inline void mailbox_close(struct actor *actor) { atomic_or_relaxed(&actor->word, WORD_CLOSING); }

/* Refuse all; afterwards what was captured is everything there is. Thread: owner. */
static inline void mailbox_shut(struct actor *actor)
{
    uint64_t old = atomic_load_acquire(&actor->word);
    do
        mailbox_capture(actor);
    while (!atomic_cas_weak_acq_rel(&actor->word, &old, WORD_SHUT)); /* success: nothing came since old was read */
    actor->captured = actor->handled = 0;
}

/* How much waits. Thread: any, advisory; exact for the owner between turns. */
static inline uint32_t mailbox_depth(const struct actor *actor)
{
    uint64_t word = atomic_load_relaxed(&actor->word);
    return word == WORD_SHUT ? 0 : word_count(word);
}

#endif
