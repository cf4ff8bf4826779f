/* SPDX-License-Identifier: Apache-2.0
 *
 * Members and their leases.
 *
 *   state      event                            then
 *   -          register                         joining: an event, and its verification begins
 *   joining    verified good                    up: an event
 *              verified bad                     words for the renewals; to register again verifies again
 *   up         register, another revision       verified first; then published: an event
 *              renew with draining              draining: an event
 *   any        register, the same revision      the lease is renewed
 *              renew                            the lease is renewed
 *              leave                            left: an event, the names are released; the id is never taken again
 *              the lease ends                   down: the same
 *   past       anything                         TROUPE_E_NOT_MEMBER
 *
 * So the end of a member is told once: it is told where the member is taken out, and nowhere else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/engine_impl.h"
#include "registry/plant.h"

/* ---- members ---- */

struct member *registry__member(const struct registry *registry, troupe_home node)
{
    for (uint32_t i = 0; i < registry->members_count; i++) {
        if (troupe_home_equal(registry->members[i]->record.node, node))
            return registry->members[i];
    }
    return NULL;
}

static bool is_past(const struct registry *registry, troupe_home node)
{
    for (uint32_t i = 0; i < registry->past_count; i++) {
        if (registry->past[i] == node.low)
            return true;
    }
    return false;
}

static void free_member(struct member *member)
{
    registry_record_fini(&member->record);
    registry_record_fini(&member->next);
    free(member);
}

static void take_out(struct registry *registry, uint32_t at, enum registry_what what)
{
    struct member *member = registry->members[at];
    registry__names_release_all(registry, member);
    registry->past[registry->past_next] = member->record.node.low;
    registry->past_next = (registry->past_next + 1) % REGISTRY_PAST_MAX;
    registry->past_count += registry->past_count < REGISTRY_PAST_MAX;
    registry->members_count--;
    memmove(&registry->members[at], &registry->members[at + 1],
            (registry->members_count - at) * sizeof(struct member *));
    member->record.state = REGISTRY_DOWN;
    registry__tell(registry, member, what);
    free_member(member);
}

/* ---- registration ---- */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0 ||
           strncmp(host, "::ffff:127.", 11) == 0;
}

static bool is_wildcard(const char *host) { return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0; }

/* May this node be a member at all? */
static int judge(const struct registry *registry, const struct registry_record *record, char *words, size_t words_cap)
{
    const struct registry_record *own = &registry->members[0]->record;
    const struct registry_endpoint *own_api = registry_record_endpoint(own, "api");
    if (troupe_home_equal(record->node, own->node)) {
        snprintf(words, words_cap, "this is the id of the registry's own node");
        return TROUPE_E_INVALID;
    }
    if (record->protocol_min > own->protocol_max || record->protocol_max < own->protocol_min) {
        snprintf(words, words_cap, "this node speaks the protocol %u to %u, the registry %u to %u; upgrade one version "
                 "at a time", record->protocol_min, record->protocol_max, own->protocol_min, own->protocol_max);
        return TROUPE_E_PROTOCOL;
    }
    for (uint32_t i = 0; i < record->endpoints_count; i++) {
        const char *host = record->endpoints[i].host;
        if (is_wildcard(host) || (is_loopback(host) && own_api != NULL && !is_loopback(own_api->host))) {
            snprintf(words, words_cap, "the address %s cannot be reached from other machines, and the registry is at %s; "
                     "start this node with --advertise and an address that others can reach", host,
                     own_api != NULL ? own_api->host : "another machine");
            return TROUPE_E_INVALID;
        }
    }
    return 0;
}

static void verify(struct registry *registry, struct member *member)
{
    member->is_verifying = true;
    member->words[0] = '\0';
    registry->ops.verify(registry->ops.user, member->has_next ? &member->next : &member->record);
}

static int add_member(struct registry *registry, const struct registry_record *record, uint64_t now_ms)
{
    struct member *member = calloc(1, sizeof *member);
    int error = member == NULL ? TROUPE_E_NO_MEMORY : registry_record_copy(&member->record, record);
    if (error != 0) {
        free(member);
        return error;
    }
    LIST_INIT(&member->names);
    member->record.state = REGISTRY_JOINING;
    member->is_draining = record->state == REGISTRY_DRAINING;
    member->lease_end_ms = now_ms + registry->lease_ms;
    registry->members[registry->members_count++] = member;
    registry__tell(registry, member, REGISTRY_NODE_JOINING);
    verify(registry, member);
    return 0;
}

static int replace_record(struct registry *registry, struct member *member, const struct registry_record *record)
{
    struct registry_record copy;
    uint32_t newest = member->has_next ? member->next.revision : member->record.revision;
    if (record->revision < newest)
        return 0; /* it was overtaken on its way */
    if (record->revision == newest) {
        if (!member->is_verifying && (member->has_next || !member->was_verified))
            verify(registry, member);
        return 0;
    }
    int error = registry_record_copy(&copy, record);
    if (error != 0)
        return error;
    registry_record_fini(&member->next);
    member->next = copy;
    member->has_next = true;
    verify(registry, member);
    return 0;
}

int registry_register(struct registry *registry, const struct registry_record *record, uint64_t now_ms, char *words,
                      size_t words_cap)
{
    (void)registry_tick(registry, now_ms);
    struct member *member = registry__member(registry, record->node);
    words[0] = '\0';
    if (!REGISTRY_PLANTED(5) && is_past(registry, record->node)) {
        snprintf(words, words_cap, "this node was a member and is not any more; start it again, so that it has a new id");
        return TROUPE_E_NOT_MEMBER;
    }
    int error = judge(registry, record, words, words_cap);
    if (error != 0)
        return error;
    if (member != NULL) {
        member->lease_end_ms = now_ms + registry->lease_ms;
        return replace_record(registry, member, record);
    }
    if (registry->members_count >= REGISTRY_NODES_MAX) {
        snprintf(words, words_cap, "the cluster has %d nodes already, and takes no more", REGISTRY_NODES_MAX);
        return TROUPE_E_LIMIT;
    }
    return add_member(registry, record, now_ms);
}

/* Put the record that was verified in the place of the one before. */
static void publish_next(struct registry *registry, struct member *member)
{
    enum registry_state state = member->record.state;
    registry_record_fini(&member->record);
    member->record = member->next;
    member->record.state = state;
    member->next = (struct registry_record){0};
    member->has_next = false;
    if (member->was_verified)
        registry__tell(registry, member, REGISTRY_NODE_CHANGED);
}

static void drain(struct registry *registry, struct member *member)
{
    member->is_draining = true;
    if (member->record.state != REGISTRY_UP)
        return; /* it is told when it is up, or is told already */
    member->record.state = REGISTRY_DRAINING;
    registry__tell(registry, member, REGISTRY_NODE_DRAINING);
}

void registry_verified(struct registry *registry, troupe_home node, uint32_t revision, bool is_good, const char *words,
                       uint64_t now_ms)
{
    struct member *member = registry__member(registry, node);
    (void)now_ms;
    if (member == NULL || !member->is_verifying)
        return;
    if (revision != (member->has_next ? member->next.revision : member->record.revision))
        return; /* of a record that was replaced meanwhile; that of the newest is under way */
    member->is_verifying = false;
    snprintf(member->words, sizeof member->words, "%s", is_good || words == NULL ? "" : words);
    if (!is_good)
        return;
    if (member->has_next)
        publish_next(registry, member);
    if (member->was_verified)
        return;
    member->was_verified = true;
    member->record.state = REGISTRY_UP;
    registry__tell(registry, member, REGISTRY_NODE_UP);
    if (member->is_draining)
        drain(registry, member);
}

/* ---- what members say ---- */

int registry_renew(struct registry *registry, troupe_home node, enum registry_state state, uint64_t now_ms,
                   struct registry_renewal *ret_renewal)
{
    (void)registry_tick(registry, now_ms); /* it may be too late, though nobody has looked yet */
    struct member *member = registry__member(registry, node);
    if (member == NULL || member == registry->members[0])
        return TROUPE_E_NOT_MEMBER;
    member->lease_end_ms = now_ms + registry->lease_ms;
    if (state == REGISTRY_DRAINING && !member->is_draining)
        drain(registry, member);
    *ret_renewal = (struct registry_renewal){
        .state = member->record.state, .shall_drain = member->shall_drain, .revision = registry->revision,
    };
    memcpy(ret_renewal->words, member->words, sizeof member->words);
    return 0;
}

int registry_leave(struct registry *registry, troupe_home node, uint64_t now_ms)
{
    (void)now_ms;
    for (uint32_t i = 1; i < registry->members_count; i++) {
        if (!troupe_home_equal(registry->members[i]->record.node, node))
            continue;
        take_out(registry, i, REGISTRY_NODE_LEFT);
        return 0;
    }
    return TROUPE_E_NOT_MEMBER;
}

int registry_ask_drain(struct registry *registry, troupe_home node)
{
    struct member *member = registry__member(registry, node);
    if (member == NULL)
        return is_past(registry, node) ? TROUPE_E_GONE : TROUPE_E_NOT_FOUND;
    member->shall_drain = true;
    return 0;
}

int registry_set_own(struct registry *registry, const struct registry_record *record)
{
    struct member *own = registry->members[0];
    struct registry_record copy;
    int error = registry_record_copy(&copy, record);
    if (error != 0)
        return error;
    bool drains = copy.state == REGISTRY_DRAINING && own->record.state != REGISTRY_DRAINING;
    bool is_other = copy.revision != own->record.revision;
    if (own->record.state == REGISTRY_DRAINING)
        copy.state = REGISTRY_DRAINING; /* nobody comes back from that */
    registry_record_fini(&own->record);
    own->record = copy;
    if (is_other)
        registry__tell(registry, own, REGISTRY_NODE_CHANGED);
    if (drains)
        registry__tell(registry, own, REGISTRY_NODE_DRAINING);
    return 0;
}

void registry_leave_own(struct registry *registry)
{
    registry->members[0]->record.state = REGISTRY_DOWN;
    registry__tell(registry, registry->members[0], REGISTRY_NODE_LEFT);
}

bool registry_own_shall_drain(const struct registry *registry) { return registry->members[0]->shall_drain; }

/* ---- time ---- */

void registry_slept(struct registry *registry, uint64_t ms)
{
    for (uint32_t i = 1; i < registry->members_count; i++)
        registry->members[i]->lease_end_ms += ms;
}

uint64_t registry_tick(struct registry *registry, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    if (registry->silent_until_ms != 0 && registry->silent_until_ms <= now_ms) {
        registry->silent_until_ms = 0;
        registry->ops.names_close(registry->ops.user, false);
    }
    if (registry->silent_until_ms != 0)
        next_ms = registry->silent_until_ms;
    for (uint32_t i = 1; i < registry->members_count;) {
        uint64_t end_ms = registry->members[i]->lease_end_ms;
        if (end_ms <= now_ms) {
            take_out(registry, i, REGISTRY_NODE_DOWN);
            continue;
        }
        next_ms = end_ms < next_ms ? end_ms : next_ms;
        i++;
    }
    uint64_t names_ms = registry__names_tick(registry, now_ms);
    next_ms = names_ms < next_ms ? names_ms : next_ms;
    return next_ms == UINT64_MAX ? UINT64_MAX : next_ms - now_ms;
}

/* ---- the object ---- */

int registry_new(const struct registry_config *config, uint64_t now_ms, struct registry **ret_registry)
{
    struct registry *registry = calloc(1, sizeof *registry);
    struct member *own = calloc(1, sizeof *own);
    if (registry == NULL || own == NULL || registry_record_copy(&own->record, &config->own) != 0) {
        free(registry);
        free(own);
        return TROUPE_E_NO_MEMORY;
    }
    snprintf(registry->cluster, sizeof registry->cluster, "%s", config->cluster);
    registry->lease_ms = config->lease_ms;
    registry->renew_ms = config->renew_ms;
    registry->ops = config->ops;
    TAILQ_INIT(&registry->reservations);
    registry->names.seed = config->own.node.low;
    for (const char *c = config->epoch; *c != '\0'; c++)
        registry->names.seed = registry->names.seed * 31 + (unsigned char)*c;
    LIST_INIT(&own->names);
    own->lease_end_ms = UINT64_MAX;
    own->was_verified = true;
    own->record.state = config->own.state == REGISTRY_DRAINING ? REGISTRY_DRAINING : REGISTRY_UP;
    registry->members[registry->members_count++] = own;
    if (config->was_used && !REGISTRY_PLANTED(2)) {
        registry->silent_until_ms = now_ms + config->lease_ms;
        registry->ops.names_close(registry->ops.user, !REGISTRY_PLANTED(3));
    }
    registry__tell(registry, own, REGISTRY_NODE_UP);
    *ret_registry = registry;
    return 0;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    for (uint32_t i = 0; i < registry->members_count; i++) {
        registry__names_release_all(registry, registry->members[i]);
        free_member(registry->members[i]);
    }
    name_table_fini(&registry->names);
    registry__log_fini(registry);
    free(registry);
}
