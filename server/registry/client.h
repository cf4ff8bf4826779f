/* SPDX-License-Identifier: Apache-2.0
 *
 * A node that joins the registry of another: a state machine that knows no curl, no socket and no clock.
 *
 *   finding      GET /v1/registry: cluster, epoch, lease, the registry's time          -> registering
 *   registering  PUT the record                                                        -> joining
 *   joining      renewals, until the registry has verified that the node is reachable  -> up
 *   up           renewals every renew_ms; the member list is watched by long polls; names are claimed and released. A
 *                restart of the registry is not seen here: the node registers again with its id, and claims again
 *   lost         lease - margin has passed since the last renewal was sent that was answered: names are given up
 *                (on_name_lost for each, then on_state). Ids, links and sessions go on. A registry that is found again
 *                renews (-> up) or, restarted, takes the node in again (-> up)
 *   refused      the registry will not have this node: the lease was over, versions, addresses, no secret. It needs a new
 *                id, so the driver ends it, or goes on without names
 *   left         DELETE was sent and answered, or could not be sent in time
 *
 * An address that answers but does not prove the secret, or is of another cluster, is not the registry: it is tried
 * again for as long as it takes, and the words say so.
 *
 * The events are one story, also over a restart of the registry and over events that were missed: a member is told as new
 * once, and its end once (client_members.c).
 *
 * Callbacks must not call the client, but for registry_client_set_secret inside on_cluster and registry_client_claim and
 * _find inside on_name.
 *
 * Time: now_ms is of the boot clock. Thread: control. */
#ifndef TROUPE_SERVER_REGISTRY_CLIENT_H
#define TROUPE_SERVER_REGISTRY_CLIENT_H

#include "registry/auth.h"
#include "registry/record.h"

struct registry_client;

enum registry_client_state {
    CLIENT_FINDING = 1, CLIENT_REGISTERING, CLIENT_JOINING, CLIENT_UP, CLIENT_LOST, CLIENT_LEFT, CLIENT_REFUSED
};

/* An HTTP request to be performed. Borrowed during perform. */
struct registry_call {
    uint64_t id;
    const char *method, *target; /* "/v1/registry/nodes/n.…" */
    const char *authorization;   /* NULL: none */
    const char *body;            /* NULL: none */
    size_t body_len;
    uint32_t timeout_ms;
};

struct registry_client_config {
    const struct registry_secret *secret; /* may be set later: registry_client_set_secret */
    struct registry_record own;  /* copied */
    uint64_t seed;               /* of jitter and nonces in tests; the driver gives random bits */
    uint64_t margin_ms;
    void *user;
    /* Start a call: exactly one of registry_client_on_reply, registry_client_on_error follows, never from inside. */
    void (*perform)(void *user, const struct registry_call *call);
    void (*abort)(void *user, uint64_t id);    /* then neither follows */
    /* GET /v1/registry has told the cluster: find its secret (registry_client_set_secret before this returns). False
     * with words: there is none, so the node cannot join. */
    bool (*on_cluster)(void *user, const char *cluster, char *words, size_t words_cap);
    /* The state, or the words for a person why it is not better ("": all is well), have changed. */
    void (*on_state)(void *user, enum registry_client_state state, const char *words);
    void (*on_event)(void *user, const struct registry_event *event); /* of another node or this one; each once */
    void (*on_list)(void *user, const struct registry_record *records, unsigned count); /* the first list: replace all */
    void (*on_drain)(void *user);              /* somebody asked that this node drains */
    /* A name question is answered: error as in engine.h, ref the holder. */
    void (*on_name)(void *user, uint64_t ticket, int error, troupe_ref ref);
    /* A name that the core has is not this node's: it was refused, or the lease is over. Take it back from the actor. */
    void (*on_name_lost)(void *user, troupe_view name, troupe_ref ref);
};

int registry_client_new(const struct registry_client_config *config, uint64_t now_ms,
                        struct registry_client **ret_client);
void registry_client_free(struct registry_client *client);
void registry_client_set_secret(struct registry_client *client, const struct registry_secret *secret);

/* Events from the driver. proof is the header Troupe-Proof, or empty. */
void registry_client_on_reply(struct registry_client *client, uint64_t id, unsigned status, troupe_view proof,
                              troupe_view body, uint64_t now_ms);
void registry_client_on_error(struct registry_client *client, uint64_t id, const char *words, uint64_t now_ms);
uint64_t registry_client_tick(struct registry_client *client, uint64_t now_ms); /* ms until the next */

/* Wishes. */
/* A new record, with a higher revision. Fails: TROUPE_E_NO_MEMORY. */
int registry_client_set_own(struct registry_client *client, const struct registry_record *record, uint64_t now_ms);
void registry_client_drain(struct registry_client *client, uint64_t now_ms);   /* tell that this node drains */
void registry_client_ask_drain(struct registry_client *client, troupe_home node, uint64_t now_ms);
void registry_client_leave(struct registry_client *client, uint64_t now_ms);

/* Names. Every name that the core takes and gives back is told by registry_client_named (the hook `named` of the system,
 * in its order), before the question that concerns it: what the core does not have is released. So a spawn under a name is
 * claim with nobody (reserve), spawn, claim with the actor (which waits until the registry has confirmed).
 *
 * `ticket` comes back in on_name, once, within CLIENT_QUESTION_MS. ref.generation 0: reserve. At most
 * CLIENT_NAME_CALLS_MAX are asked at a time, the rest wait in order; those of one name always do.
 *
 * Fails: TROUPE_E_LIMIT, TROUPE_E_REGISTRY_LOST, TROUPE_E_INVALID, TROUPE_E_NO_MEMORY; then there is no on_name. */
enum { CLIENT_NAME_CALLS_MAX = 16, CLIENT_NAME_QUEUE_MAX = 4096 };
int registry_client_claim(struct registry_client *client, uint64_t ticket, troupe_view name, troupe_ref ref,
                          uint64_t now_ms);
int registry_client_find(struct registry_client *client, uint64_t ticket, troupe_view name, uint64_t now_ms);
/* The core has taken a name, or given it back. Remembered until the registry knows; told again after its restart.
 * Fails: TROUPE_E_NO_MEMORY (nothing is remembered: take the name back). */
int registry_client_named(struct registry_client *client, troupe_view name, troupe_ref ref, bool taken, uint64_t now_ms);

/* Has the registry confirmed that this actor holds the name, and is that still so? */
bool registry_client_holds(const struct registry_client *client, troupe_view name, troupe_ref ref, uint64_t now_ms);

/* Until when what the core's table says of names is true, if nothing is heard from the registry: after it, nobody may be
 * served by it. */
uint64_t registry_client_names_until_ms(const struct registry_client *client);

enum registry_client_state registry_client_state_of(const struct registry_client *client);

#endif
