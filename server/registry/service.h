/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's endpoint without HTTP: requests that prove the cluster's secret, answers that prove it back, and the
 * watchers that wait for a change of the member list. Every node has one. On a node that keeps the registry it serves
 * the engine; on one that has joined another it says so, and tells who this node is.
 *
 * api/registry.c puts it behind the routes /v1/registry..., the simulator of the cluster behind its network.
 *
 * Who answers a request: `finish` of the request runs once, inside registry_service_handle or, for a watch, later from
 * registry_service_changed, registry_service_tick, another watch of the same node, or registry_service_free.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_REGISTRY_SERVICE_H
#define TROUPE_SERVER_REGISTRY_SERVICE_H

#include <jansson.h>

#include "registry/auth.h"
#include "registry/engine.h"

enum {
    SERVICE_WATCHES_MAX = 2 * REGISTRY_NODES_MAX, /* more are refused: TROUPE_E_LIMIT */
    SERVICE_WAIT_MS_MAX = 30000,
    SERVICE_BATCH_MAX = 1024     /* names in one call; the client sends fewer */
};

struct registry_service_config {
    troupe_home node;
    uint64_t lease_ms, renew_ms;
    uint64_t now_wall_ms, now_ms; /* both at the start; from then on the boot clock alone counts */
    const char *refusal;          /* why nobody is served (no secret file, ...) with the remedy; NULL: all is well */
};

struct registry_service;
int registry_service_new(const struct registry_service_config *config, struct registry_service **ret_service);
void registry_service_free(struct registry_service *service); /* watches are answered first */

/* This node keeps the registry. Lives: all that is given, as long as the service. */
void registry_service_serve(struct registry_service *service, const char *cluster, const char *epoch,
                            const struct registry_secret *secret, struct registry *registry);
/* This node has joined that of `url`; also when the cluster or its secret became known or changed. cluster "" and
 * secret NULL: not known yet. The texts are copied, the secret is not. */
void registry_service_join(struct registry_service *service, const char *cluster, const char *url,
                           const struct registry_secret *secret);

enum service_what {
    SERVICE_INFO = 1,            /* GET /v1/registry */
    SERVICE_IDENTITY,            /* GET /v1/registry/identity */
    SERVICE_REGISTER, SERVICE_RENEW, SERVICE_LEAVE, SERVICE_DRAIN,
    SERVICE_LIST, SERVICE_WATCH,
    SERVICE_CLAIM, SERVICE_FIND,
    SERVICE_NAMES,               /* POST /v1/registry/nodes/{node}/names */
    SERVICE_RELEASE
};

/* An answer. `error` is 0 or what the problem says: then `document` is NULL and `words` the detail. */
struct service_answer {
    unsigned status;
    int error;
    const char *words;           /* borrowed */
    const char *field;           /* at fault, or NULL */
    troupe_ref actor;            /* the holder of a taken name */
    json_t *document;            /* borrowed; NULL: no body */
    const char *nonce;           /* the answer is to be proved over this; NULL: it is not */
    const struct registry_secret *secret; /* with that */
};

struct service_request {
    enum service_what what;
    const char *method, *target; /* what the mac covers; the target is the canonical one, see api/registry.c */
    troupe_view authorization;   /* ptr NULL: none */
    troupe_view body;
    troupe_view node, name;      /* variable segments */
    troupe_view ref, nonce;      /* parameters, ptr NULL: none */
    uint64_t revision, wait_ms;  /* parameters of a watch */
    uint64_t seq, floor;         /* parameters of a release */
    void (*finish)(struct service_request *request, struct service_answer *answer);
    /* the service's own while a watch waits */
    struct service_request *prev, *next;
    bool waits;
    uint64_t until_ms;
    troupe_home watcher;
    char nonce_text[AUTH_NONCE_TEXT];
};

/* Handle a request. Lives: `request` until finish ran or registry_service_cancel; the views until this returns. */
void registry_service_handle(struct registry_service *service, struct service_request *request, uint64_t now_ms);
void registry_service_cancel(struct registry_service *service, struct service_request *request); /* the client left */

/* The member list has changed: to be called from the engine's ops.changed. Watches are answered by the next tick, so
 * that what changes together is told together. */
void registry_service_changed(struct registry_service *service);

/* Answer watches that are due. Returns the ms until it must be called again, UINT64_MAX for never. */
uint64_t registry_service_tick(struct registry_service *service, uint64_t now_ms);

#endif
