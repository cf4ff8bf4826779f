/* SPDX-License-Identifier: Apache-2.0
 *
 * The service's inside: service.c has the doors, the members and the watches, service_names.c the names. */
#ifndef TROUPE_SERVER_REGISTRY_SERVICE_IMPL_H
#define TROUPE_SERVER_REGISTRY_SERVICE_IMPL_H

#include "registry/service.h"

enum { SERVICE_WORDS_BYTES = 400, SERVICE_URL_BYTES = 320 };

struct registry_service {
    struct registry_service_config config;
    char node[TROUPE_HOME_TEXT_MAX];
    char cluster[REGISTRY_CLUSTER_BYTES];
    char epoch[AUTH_NONCE_TEXT];
    char url[SERVICE_URL_BYTES];         /* of the registry that was joined, or "" */
    const struct registry_secret *secret; /* NULL: not known */
    struct registry *registry;   /* NULL: this node keeps none */
    struct registry_nonces *nonces;
    struct service_request watches; /* head of a ring */
    uint32_t watches_count;
    bool has_changed;
    char words[SERVICE_WORDS_BYTES];     /* of the answer at hand */
};

/* What is at hand: a request that was judged, and who asks. */
struct at_hand {
    struct registry_service *service;
    struct service_request *request;
    uint64_t now_ms;
    troupe_home asker;           /* of the node that signed */
    const char *nonce;           /* NULL: nothing is proven */
};

/* ---- service.c ---- */
void service__answer(const struct at_hand *at, unsigned status, json_t *document); /* document is taken */
void service__refuse(const struct at_hand *at, int error, const char *field, troupe_ref actor, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void service__refuse_engine(const struct at_hand *at, int error, const char *words); /* words NULL: those of the error */
/* These refuse when they fail. */
bool service__read_node(const struct at_hand *at, troupe_home *ret_node); /* of the path */
bool service__must_be_own(const struct at_hand *at, troupe_home node);
json_t *service__read_body(const struct at_hand *at);

/* ---- service_names.c ---- */
void service__claim(const struct at_hand *at);
void service__find(const struct at_hand *at);
void service__names(const struct at_hand *at);
void service__release(const struct at_hand *at);

#endif
