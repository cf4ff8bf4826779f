/* SPDX-License-Identifier: Apache-2.0
 *
 * Actors that follow topics: the events of another actor, the joins and leaves of a group.
 *
 * A follow is a cursor into the topic's ring, as a subscription is, but its reader is an actor, which moves between
 * workers. It has one message of its own, the note, made with it. The note is in one of two places:
 *
 *   listed     in the topic's list: the follower has read all. Under the topic's lock
 *   on its way in the follower's mailbox, or in the hands of the worker that is about to push it there
 *
 *   from       what happens                                                     to
 *   listed     an event, or the topic's end: a worker takes it off the list      on its way
 *   on its way the follower handles it: one event, and there are more            on its way, at the back of the mailbox
 *   on its way the follower handles it, and has read all                         listed
 *   listed     the follow ends                                                   freed
 *   on its way the follow ends                                                   freed when it arrives
 *
 * So a mailbox has one message of a follow at most, and a flood of events comes to an actor one by one between its
 * other messages. Whether there is news is looked at under the topic's lock, by the follower that lists its note and
 * by the publisher that has added an event: none is slept through.
 *
 * Who tells. A publication costs the publisher one look at the list. If somebody is in it and nobody tells yet, it
 * posts the topic's own notice to a worker, which takes the notes off the list, FOLLOW_NOTES_PER_POLL in each poll.
 * Notes are listed in the order of what they wait for, so the first one without news ends it. */
#ifndef TROUPE_CORE_FOLLOW_H
#define TROUPE_CORE_FOLLOW_H

#include <troupe/event.h>

#include "core/topic.h"

#define FOLLOW_NOTES_PER_POLL 1024u
#define FOLLOW_SCAN_MAX 128u /* events that a filter may pass over before the actor's other messages get their turn */

struct follow_note {
    struct message message; /* MESSAGE_EVENT; call_id is the follow's id */
    troupe_ref follower;    /* set once */

    /* Under the topic's lock. */
    bool listed;
    uint64_t wanted; /* the event that it waits for */
    struct follow_note *next, *prev;
};

/* The follower's owner's. */
struct follow {
    uint32_t generation;
    uint32_t next_free;         /* index + 1, while it is free */
    struct troupe_topic *topic; /* held; NULL: free */
    struct follow_note *note;
    troupe_event_id next;  /* the cursor */
    uint64_t lagged;       /* not told yet */
    uint64_t last;         /* the actor drains: no event behind this one. 0: it does not */
    troupe_filter *filter; /* one block with its text; NULL: all */
    size_t filter_bytes;
    bool is_watch; /* of a group: TROUPE_MSG_GROUP */
};

struct follow_table {
    struct follow *entries;
    uint32_t capacity, used, count, free_first; /* index + 1 */
};

/* ---- the publisher's side. Thread: any ---- */

/* Under the topic's lock: is somebody to be told, and nobody does it yet? Then the caller must, by the next one. */
bool troupe__follow_begin_telling(struct troupe_topic *topic);
void troupe__follow_tell(struct troupe_topic *topic, troupe_worker *worker);

/* ---- the teller's. Thread: the owner of the worker ---- */

void troupe__follow_on_notice(troupe_worker *worker, struct message *notice);
void troupe__follows_run(troupe_worker *worker);

/* ---- the follower's. Thread: its owner ---- */

/* Follow a topic; consumes a hold on it on success. */
int troupe__follow_topic(troupe_ctx *ctx, struct troupe_topic *topic, const troupe_filter *filter,
                         enum troupe_from from, troupe_event_id after, bool is_watch, uint64_t *ret_follow);

/* A note has come to the front. Consumes it. Returns what receive returned. */
int troupe__follow_on_note(troupe_ctx *ctx, struct message *message);

/* The actor begins to end: nothing arrives any more. */
void troupe__follow_stop_all(troupe_ctx *ctx);

#endif
