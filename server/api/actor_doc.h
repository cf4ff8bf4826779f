/* SPDX-License-Identifier: Apache-2.0
 *
 * An actor as a JSON document. Thread: any. */
#ifndef TROUPE_SERVER_ACTOR_DOC_H
#define TROUPE_SERVER_ACTOR_DOC_H

#include <jansson.h>

#include "api/api.h"

/* The short form, from what one sees from outside: items of lists. The caller owns it; NULL: no memory. */
json_t *actor_doc_short(const struct api_env *env, const troupe_peek *peek, uint64_t now_ms);

/* The whole form. */
json_t *actor_doc_full(const struct api_env *env, const troupe_info *info, uint64_t now_ms);

/* A reference as a JSON text; null for nobody. */
json_t *actor_doc_ref(troupe_ref ref);

const char *actor_doc_policy(enum troupe_mailbox_policy policy);

#endif
