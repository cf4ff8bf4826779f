/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups and scopes inside the core. What they promise is in troupe/group.h.
 *
 *   group.c          the table of groups; hold and release; topics of groups
 *   group_walk.c     the walk through the table
 *   group_members.c  who is in a group, in order of joining; which groups an actor is in; joins, leaves, ends
 *   group_change.c   telling the watchers of joins and leaves
 *   group_cast.c     casts and multi-calls of actors
 *   group_job.c      casts and multi-calls of outsiders, in slices
 *
 * Two tables. By name: groups, and scopes, which are groups without a name and without members of their own. By slot:
 * the memberships of each actor. Where both are changed the lock of the slot's shard is taken first and that of the
 * group's inside it; so a membership is in both or in none, and an actor's joins and leaves come in one order.
 *
 * A group's members stand in blocks, in the order of their numbers, which count up and are never used twice. A leave
 * leaves a hole; empty blocks are freed and neighbours that are both nearly empty are made one. So a walk takes time
 * in proportion to the members, can be done in slices with nothing held between them (it goes on behind the number it
 * has seen last), and shows everybody who stays once.
 *
 * A group is freed when it has no members, nobody holds it, and its topic, if there is one, has no reader. Who drops a
 * hold on such a topic does it under the lock of the group's shard, so the last one is known.
 *
 * The end of an actor. Who makes an actor join sets a mark on its slot and then looks whether its system lane is shut;
 * the end shuts the lane and then looks at the mark: one of the two sees the other, so no dead actor stays. Memory for
 * telling a leave is in the membership.
 *
 * Memory is that of troupe_alloc. Threads: any, where nothing else is said. */
#ifndef TROUPE_CORE_GROUP_H
#define TROUPE_CORE_GROUP_H

#include <troupe/group.h>

#include "base/atomic.h"
#include "core/topic.h"
#include "port/port.h"

#define GROUP_SHARDS 64u
#define GROUP_SHARD_BITS 6u /* of those */
#define GROUP_BLOCK 128u
#define GROUP_CHANGES_MAX 4096u   /* that wait to be told; then what comes and goes meanwhile is left out */
#define GROUP_SLICE 64u           /* members that are read under the lock at a time */
#define GROUP_SENDS_PER_POLL 256u /* of outsiders' casts and calls, before actors get their turns */
#define GROUP_BYTES_PER_SEND 8192u /* a larger body counts as several sends */

struct membership;

/* A join or leave that is to be told. */
struct group_change {
    struct group_change *next, *prev;
    struct membership *membership;
    uint32_t members; /* behind it */
    bool leaves;
    bool waits; /* it is in the group's list */
    bool told;  /* to the group's topic; the scope's is left */
};

struct membership {
    struct membership *next;   /* in its bucket, under the lock of the slot's shard */
    struct group *group;       /* by being its member it keeps it */
    uint32_t slot, generation; /* set once, as the number */
    uint64_t number;           /* its place in the group */
    uint32_t users;            /* under the group's: 1 as a member, and 1 for each change that is to be told */
    struct group_change join, leave;
};

struct group_entry {
    uint64_t number;
    uint32_t slot, generation; /* generation 0: a hole */
};

struct group_block {
    uint32_t used, live;
    struct group_entry entries[GROUP_BLOCK];
};

struct group {
    /* Set once. */
    troupe_system *system;
    struct group *scope; /* held; NULL: it is one */
    uint64_t hash;

    /* Under the lock of its shard. */
    struct group *next; /* in its bucket */
    uint32_t holds;
    struct group_block **blocks;
    uint32_t blocks_count, blocks_capacity;
    uint64_t last_number;
    struct group_change *changes, *changes_last;
    uint32_t changes_count;
    bool telling; /* somebody tells the first of them */

    _Atomic uint32_t size; /* members, or of a scope the groups with members; changed under the group's lock */
    _Atomic(struct troupe_topic *) topic; /* held once for the group; set under the lock. Release: the topic */

    struct group *next_stuck; /* under stuck_lock, as the next */
    bool is_stuck;

    uint8_t scope_len, name_len;
    char text[]; /* scope NUL name NUL */
};

struct group_shard {
    struct troupe__lock lock;
    struct group **buckets;
    uint32_t buckets_count, count;
};

struct member_shard {
    struct troupe__lock lock;
    struct membership **buckets;
    uint32_t buckets_count, count;
};

struct group_table {
    struct group_shard by_name[GROUP_SHARDS];
    struct member_shard by_slot[GROUP_SHARDS];
    _Atomic uint32_t count;
    struct troupe__lock stuck_lock;
    _Atomic(struct group *)
        stuck; /* held; with changes that are left to worker 0: memory was out, or there were many. Under its lock */
};

static inline troupe_view group_scope(const struct group *group)
{
    return (troupe_view){group->text, group->scope_len};
}
static inline troupe_view group_name(const struct group *group)
{
    return (troupe_view){group->text + group->scope_len + 1, group->name_len};
}

/* ---- group.c ---- */

/* Are these a scope and a group? With `whole` the group may be empty: the scope itself. */
bool troupe__group_words(troupe_view scope, troupe_view name, bool whole);

/* Find a group, or make it, and hold it. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY. */
int troupe__group_hold(troupe_system *system, troupe_view scope, troupe_view name, bool make, struct group **ret_group);
void troupe__group_release(struct group *group);

struct group_shard *troupe__group_shard(const struct group *group);

/* The topic of a group's joins and leaves, made with the group if there is none; held for the caller. */
int troupe__group_topic(troupe_system *system, troupe_view scope, troupe_view name, struct troupe_topic **ret_topic);

/* Drop a hold on it. */
void troupe__group_topic_drop(struct troupe_topic *topic);

void troupe__groups_fini(struct group_table *table);

/* ---- group_members.c ---- */

int troupe__group_join(troupe_system *system, troupe_worker *worker, troupe_view scope, troupe_view name,
                       troupe_ref ref);
int troupe__group_leave(troupe_system *system, troupe_worker *worker, troupe_view scope, troupe_view name,
                        troupe_ref ref);

/* An actor ends: it leaves all its groups. Thread: its owner. */
void troupe__groups_on_end(troupe_worker *worker, const struct actor *actor, uint32_t generation);

/* Read members behind *cursor up to the number `upto`, at most GROUP_SLICE. */
uint32_t troupe__group_slice(struct group *group, uint64_t *cursor, uint64_t upto, troupe_ref *refs, uint32_t max);

/* The number of who joined last. */
uint64_t troupe__group_last(struct group *group);

/* ---- group_change.c ---- */

/* Note a change that is to be told, if anybody would hear of it. Under the lock of the group's shard. */
void troupe__group_note_change(struct group *group, struct membership *membership, bool leaves);

/* Under the same lock: one use of it less; true when the caller is to free it. */
bool troupe__membership_unuse(struct membership *membership);

/* Tell what is to be told. State: the group is held, no lock is. worker may be NULL. */
void troupe__group_tell(struct group *group, troupe_worker *worker);

/* Go on with what could not be told. Thread: the owner of worker 0. */
void troupe__group_tell_stuck(troupe_worker *worker);

/* The system ends: nobody is to be told any more. */
void troupe__group_forget_stuck(struct group_table *table);

/* ---- group_cast.c. Thread: the actor's owner ---- */

/* A multi-call has results that no reply brings. Consumes the message. */
int troupe__group_call_on_results(troupe_ctx *ctx, struct message *message);

/* The actor begins to end: its multi-calls are forgotten. */
void troupe__group_call_stop_all(troupe_ctx *ctx);

/* ---- group_job.c. Thread: the owner of the worker ---- */

/* Go on with what outsiders send to groups. */
void troupe__groups_run(troupe_worker *worker);

#endif
