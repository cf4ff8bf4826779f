/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedded registry: members under leases, names with identity, a member list that can be watched. A state machine:
 * it knows no socket, no HTTP and no clock. Soft state, but for the cluster's id: after a restart its owners claim again
 * what they have, and for one lease nothing else is granted.
 *
 * Names are kept in the core's table of the registry's own node (ops below), so that its own actors need not ask.
 *
 * Time: now_ms is of the boot clock. Thread: control. */
#ifndef TROUPE_SERVER_REGISTRY_ENGINE_H
#define TROUPE_SERVER_REGISTRY_ENGINE_H

#include <troupe/limits.h>
#include <troupe/view.h>

#include "registry/record.h"

enum {
    REGISTRY_EVENTS_KEPT = 512,  /* of the member list, for watchers that were away */
    REGISTRY_PAST_MAX = 4096,    /* ids of members that are none any more */
    REGISTRY_NAMES_MAX = 1 << 20, /* of all members together */
    REGISTRY_RESERVE_MS = 15000,
    REGISTRY_WORDS_BYTES = 192
};

struct registry;

struct registry_ops {
    void *user;
    /* The table of names; as troupe_system_name_put, _drop, _whereis. */
    int (*name_put)(void *user, troupe_view name, troupe_ref ref, troupe_ref *ret_holder);
    int (*name_drop)(void *user, troupe_view name, troupe_ref ref);
    int (*name_find)(void *user, troupe_view name, troupe_ref *ret_ref);
    void (*names_close)(void *user, bool closed); /* for the actors of the registry's own node, in the silence */
    /* The member list has changed: watchers can be answered, and the node itself told. The first NODE_JOINING of another
     * node is the moment to write the mark for was_used: the member's registration is answered behind it. Not from
     * inside: calls of the registry that change it. */
    void (*changed)(void *user, const struct registry_event *event);
    /* Find out whether a joining node is reachable and is who it says: registry_verified follows, once, not from
     * inside. The record is borrowed. */
    void (*verify)(void *user, const struct registry_record *record);
};

struct registry_config {
    const char *cluster;
    const char *epoch;           /* random text of this start */
    uint64_t lease_ms, renew_ms;
    bool was_used;               /* this cluster had other members before: begin with a lease of silence */
    struct registry_record own;  /* of the registry's node, copied; it is up at once and has no lease */
    struct registry_ops ops;
};

/* The first event, of the own node, is told from inside. */
int registry_new(const struct registry_config *config, uint64_t now_ms, struct registry **ret_registry);
void registry_free(struct registry *registry);

/* Register or replace a record; it begins or renews the lease. Another revision of a member's record is published when it
 * is verified; the same revision again is verified again when it was not found good. A node id that was a member and is not any more, which is never taken again:
 * TROUPE_E_NOT_MEMBER. Fails also: TROUPE_E_LIMIT (REGISTRY_NODES_MAX), TROUPE_E_PROTOCOL (versions),
 * TROUPE_E_INVALID (loopback advertised to a cluster that is not, and the like) with words. */
int registry_register(struct registry *registry, const struct registry_record *record, uint64_t now_ms, char *words,
                      size_t words_cap);

/* The outcome of ops.verify: from now on it is up, or words say why not (it stays joining and may register again). */
void registry_verified(struct registry *registry, troupe_home node, uint32_t revision, bool is_good, const char *words,
                       uint64_t now_ms);

/* What a renewal is told. */
struct registry_renewal {
    enum registry_state state;   /* as the registry sees it */
    bool shall_drain;            /* somebody asked for it */
    uint64_t revision;
    char words[REGISTRY_WORDS_BYTES]; /* why the newest record is not verified, or "" */
};
/* Fails: TROUPE_E_NOT_MEMBER. `state` may say that the node drains. */
int registry_renew(struct registry *registry, troupe_home node, enum registry_state state, uint64_t now_ms,
                   struct registry_renewal *ret_renewal);
int registry_leave(struct registry *registry, troupe_home node, uint64_t now_ms);
/* Ask a member to drain: it is told by its next renewal, the own node by registry_own_shall_drain.
 * Fails: TROUPE_E_NOT_FOUND, TROUPE_E_GONE (it was a member). */
int registry_ask_drain(struct registry *registry, troupe_home node);
bool registry_own_shall_drain(const struct registry *registry);

/* The registry's own record has changed (re-listen, draining). */
int registry_set_own(struct registry *registry, const struct registry_record *record);

/* The registry's own node ends: its members are told that it has left, so that they do not list it for ever. */
void registry_leave_own(struct registry *registry);

/* Name calls of a node are numbered: `floor` is the lowest that it still waits for. False: this one was given up by the
 * node before, so it must not have an effect any more. seq 0: not numbered. */
bool registry_admit(struct registry *registry, troupe_home node, uint64_t seq, uint64_t floor);

/* Claim a name. ref.generation 0 only reserves it for the node, for RESERVE_MS. held: the node says that it had it
 * already. Fails: TROUPE_E_NAME_TAKEN (*ret_holder; generation 0: reserved), TROUPE_E_NOT_MEMBER,
 * TROUPE_E_REGISTRY_LOST in the silence after a restart unless held. */
int registry_claim(struct registry *registry, troupe_home node, troupe_view name, troupe_ref ref, bool held,
                   uint64_t now_ms, troupe_ref *ret_holder);
/* Give a name back, or a reservation (ref.generation 0). Fails: TROUPE_E_NOT_FOUND, TROUPE_E_NOT_MEMBER. */
int registry_release(struct registry *registry, troupe_home node, troupe_view name, troupe_ref ref);
/* Fails: TROUPE_E_NOT_FOUND, TROUPE_E_REGISTRY_LOST (in the silence, when it is not known). */
int registry_find(struct registry *registry, troupe_view name, troupe_ref *ret_ref);

/* The member list as it is, and what happened since: events after `revision`, oldest first, into a JSON array; or
 * TROUPE_E_WRONG_EPOCH when they are not kept any more (take the list instead). */
json_t *registry_list(const struct registry *registry);
uint64_t registry_revision(const struct registry *registry);
int registry_events_after(const struct registry *registry, uint64_t revision, json_t **ret_events);

/* This process did not run for so long: what its members said meanwhile waits in its sockets. Their leases go on for as
 * long more, which does no harm: they give up their names by their own clocks. */
void registry_slept(struct registry *registry, uint64_t ms);

/* End leases that are over, and the silence. Returns the ms until it must be called again. */
uint64_t registry_tick(struct registry *registry, uint64_t now_ms);

#endif
