/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's inside: engine.c has the members and their leases, engine_log.c the event log, engine_names.c the names.
 *
 * Invariants: a name entry is in `names` and in exactly one member's list; one with an actor is in the core's table too,
 * put there by us, one without is in `reservations`; a member that is taken out has no entry left, and its id is among
 * the past ones. */
#ifndef TROUPE_SERVER_REGISTRY_ENGINE_IMPL_H
#define TROUPE_SERVER_REGISTRY_ENGINE_IMPL_H

#include <sys/queue.h>

#include "registry/engine.h"
#include "registry/name_table.h"

struct name_entry {
    struct name_node node;
    LIST_ENTRY(name_entry) of_member;
    TAILQ_ENTRY(name_entry) reserved;
    struct member *member;
    troupe_ref ref;              /* generation 0: reserved until ... */
    uint64_t until_ms;
    char text[];
};

struct member {
    struct registry_record record; /* as published */
    struct registry_record next; /* has_next: not verified yet, so not published */
    bool has_next, is_verifying, was_verified, shall_drain, is_draining;
    uint64_t lease_end_ms;       /* UINT64_MAX: the registry's own node */
    uint64_t floor;              /* of name calls: those below were given up by the node */
    LIST_HEAD(, name_entry) names;
    char words[REGISTRY_WORDS_BYTES];
};

struct log_entry {
    enum registry_what what;
    json_t *record;              /* owned */
};

struct registry {
    char cluster[REGISTRY_CLUSTER_BYTES];
    uint64_t lease_ms, renew_ms;
    uint64_t silent_until_ms;    /* 0: not silent (any more) */
    struct registry_ops ops;
    struct member *members[REGISTRY_NODES_MAX]; /* [0] is the own node */
    uint32_t members_count;
    uint64_t past[REGISTRY_PAST_MAX]; /* ids that are never taken again, a ring */
    uint32_t past_count, past_next;
    struct name_table names;
    TAILQ_HEAD(, name_entry) reservations; /* the first ends first */
    uint64_t revision;           /* of the last event; log[revision % KEPT] */
    struct log_entry log[REGISTRY_EVENTS_KEPT];
};

struct member *registry__member(const struct registry *registry, troupe_home node);
void registry__tell(struct registry *registry, const struct member *member, enum registry_what what);
void registry__log_fini(struct registry *registry);
void registry__names_release_all(struct registry *registry, struct member *member);
/* End reservations that are over; the earliest end of the others. */
uint64_t registry__names_tick(struct registry *registry, uint64_t now_ms);

#endif
