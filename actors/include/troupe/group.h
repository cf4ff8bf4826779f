/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups: named sets of actors, to publish to and to ask all at once (after Erlang's pg, Ractor's pg).
 *
 * A group lives in a scope; "" is the default one. Both are words as types are, [A-Za-z0-9_.:-]{1,64}. A group is
 * there as long as it has members. An actor is a member once, however often it joins, and its end leaves for it,
 * whoever made it join. Members are told apart by id: a child that was started again joins again, in its init.
 *
 * Order: what one sender sends to a group and to its members reaches each of them in the order it was sent. Who joins
 * or leaves while a message is being sent may get it or not; everybody else gets it once.
 *
 * Thread: behavior only, where nothing else is said. Outsiders: the last part. */
#ifndef TROUPE_GROUP_H
#define TROUPE_GROUP_H

#include <troupe/context.h>

/* ---- join and leave ---- */

/* Join; again is no error and tells nobody. Fails: TROUPE_E_INVALID (the words), TROUPE_E_LIMIT
 * (TROUPE_GROUPS_PER_ACTOR_MAX, TROUPE_GROUPS_MAX), TROUPE_E_STATE in stop, NO_MEMORY. */
TROUPE_MUST_USE int troupe_group_join(troupe_ctx *ctx, const char *scope, const char *group);

/* Leave. TROUPE_E_NOT_FOUND: it is no member. */
TROUPE_MUST_USE int troupe_group_leave(troupe_ctx *ctx, const char *scope, const char *group);

/* The same for another actor of this node. Fails also: GONE (it has ended: it never stays), NOT_FOUND, UNREACHABLE. */
TROUPE_MUST_USE int troupe_group_add(troupe_ctx *ctx, const char *scope, const char *group, troupe_ref ref);
TROUPE_MUST_USE int troupe_group_remove(troupe_ctx *ctx, const char *scope, const char *group, troupe_ref ref);

/* ---- look ---- */

uint32_t troupe_group_size(troupe_ctx *ctx, const char *scope, const char *group); /* 0: there is none */

/* Read members in the order in which they joined, from *cursor on (0 at first), into refs; returns how many, 0 at the
 * end. Who is a member from the first call to the last is shown once. */
uint32_t troupe_group_members(troupe_ctx *ctx, const char *scope, const char *group, uint64_t *cursor, troupe_ref *refs,
                              uint32_t refs_max);

/* ---- watch ---- */

/* From now on each join and leave arrives in receive as TROUPE_MSG_GROUP: type "join" or "leave", from the member, tag
 * the watch, body {"scope":"...","group":"...","ref":"...","members":N}. Group NULL: all groups of the scope. It is a
 * subscription as of troupe_follow: one message at a time waits in the mailbox, and if more happened than a topic
 * keeps, status says how many were lost (then read the members again). Fails: INVALID, LIMIT
 * (TROUPE_FOLLOWS_PER_ACTOR_MAX), STATE in stop, NO_MEMORY. */
TROUPE_MUST_USE int troupe_group_watch(troupe_ctx *ctx, const char *scope, const char *group, uint64_t *ret_watch);
TROUPE_MUST_USE int troupe_group_unwatch(troupe_ctx *ctx, uint64_t watch); /* NOT_FOUND: it is none */

/* ---- send ---- */

typedef struct troupe_group_counts {
    uint32_t members;  /* that the message was offered to */
    uint32_t accepted; /* cast: whose mailbox took it. call: that replied */
    uint32_t refused;  /* the others: each counted as a dead letter, or told by `then` */
} troupe_group_counts;

/* Cast to all members, this actor too if it is one. 0 also when some refused it, or there is none: *ret_counts says.
 * Costs one send for each member. Fails: TROUPE_E_INVALID, TOO_LARGE. */
TROUPE_MUST_USE int troupe_group_cast(troupe_ctx *ctx, const char *scope, const char *group, const char *type,
                                      troupe_body body, troupe_group_counts *ret_counts);

/* After the last result. */
typedef int (*troupe_group_done_fn)(troupe_ctx *ctx, void *state, uint64_t tag, const troupe_group_counts *counts);

/* Call all members. For each one `then` runs once, in a later turn, with reply->from the member and reply->status 0 or
 * why there is no reply from it: also for members whose mailbox refused the call. `done` runs after the last, also
 * when there is no member. Both may be NULL. timeout_ms 0: the default. Fails: INVALID, TOO_LARGE, STATE in stop,
 * LIMIT (TROUPE_GROUP_CALLS_PER_ACTOR_MAX at a time), NO_MEMORY: and then nothing was sent. */
TROUPE_MUST_USE int troupe_group_call(troupe_ctx *ctx, const char *scope, const char *group, const char *type,
                                      troupe_body body, uint32_t timeout_ms, troupe_reply_fn then,
                                      troupe_group_done_fn done, uint64_t tag);

/* ---- outsiders (troupe/system.h): any thread, where nothing else is said ---- */

struct troupe_system;
struct troupe_worker;
struct troupe_subscription;
struct troupe_answer;
struct troupe_topic;

/* As add, remove, size and members above. */
TROUPE_MUST_USE int troupe_system_group_join(struct troupe_system *system, troupe_view scope, troupe_view group,
                                             troupe_ref ref);
TROUPE_MUST_USE int troupe_system_group_leave(struct troupe_system *system, troupe_view scope, troupe_view group,
                                              troupe_ref ref);
uint32_t troupe_system_group_size(struct troupe_system *system, troupe_view scope, troupe_view group);
uint32_t troupe_system_group_members(struct troupe_system *system, troupe_view scope, troupe_view group,
                                     uint64_t *cursor, troupe_ref *refs, uint32_t refs_max);

/* Walk the groups that have members, in slices, in a stable order, as troupe_system_scan_names does: no more than
 * `buckets` buckets from *cursor (0 at first), until fn returns false. With scopes true the scopes that have groups
 * are shown instead: group is "" and size the number of groups. True while there is more. Lives: the views, until fn
 * returns. */
bool troupe_system_scan_groups(struct troupe_system *system, bool scopes, uint64_t *cursor, uint32_t buckets,
                               bool (*fn)(void *user, troupe_view scope, troupe_view group, uint32_t size), void *user);

/* Subscribe to the joins and leaves of a group, or of a whole scope (group ""), which need not be there yet: events of
 * type "join" and "leave" with the body that is shown above. While nobody subscribes to an empty group, nothing is kept
 * of it. Owner of the worker. Fails: INVALID, LIMIT (TROUPE_GROUPS_MAX), NO_MEMORY. */
TROUPE_MUST_USE int troupe_group_subscribe(struct troupe_worker *worker, struct troupe_subscription *subscription,
                                           troupe_view scope, troupe_view group, enum troupe_from from,
                                           troupe_event_id after);

/* The topic itself, held for the caller (troupe_topic_release), to subscribe to it. Fails: the same. */
TROUPE_MUST_USE int troupe_system_group_topic(struct troupe_system *system, troupe_view scope, troupe_view group,
                                              struct troupe_topic **ret_topic);

/* Cast or call all members, for an outsider. Owner of the worker; members are sent to in slices, from polls, so that a
 * large group holds up nobody. Zero it and set user; embed it. Lives: until done ran or cancel returned. */
typedef struct troupe_group_request troupe_group_request;
struct troupe_group_request {
    void *user;
    /* calls: once for each member; refusals too */
    void (*each)(troupe_group_request *request, troupe_ref member, const struct troupe_answer *answer);
    /* once, after the last; at once, when all are idle and quick, or the group is small or empty */
    void (*done)(troupe_group_request *request, const troupe_group_counts *counts);
    struct troupe_worker *worker; /* the runtime's own, this and below */
    void *job;
};

/* timeout_ms 0: the default; it counts from now, for all. When it fails nothing was sent, and nothing will run.
 * Fails: TROUPE_E_INVALID, TOO_LARGE, OVERLOADED, NO_MEMORY. */
TROUPE_MUST_USE int troupe_request_group_cast(struct troupe_worker *worker, troupe_group_request *request,
                                              troupe_view scope, troupe_view group, troupe_view type, troupe_body body,
                                              troupe_caller caller);
TROUPE_MUST_USE int troupe_request_group_call(struct troupe_worker *worker, troupe_group_request *request,
                                              troupe_view scope, troupe_view group, troupe_view type, troupe_body body,
                                              troupe_caller caller, uint32_t timeout_ms);

/* The asker is gone: neither each nor done runs any more; what was not sent yet is not sent. Legal when it is over. */
void troupe_group_request_cancel(troupe_group_request *request);

#endif
