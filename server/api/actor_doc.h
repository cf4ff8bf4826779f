/* SPDX-License-Identifier: Apache-2.0
 *
 * An actor as a JSON document. All are written straight into a text: a list has 1,000 of them. Thread: any. */
#ifndef TROUPE_SERVER_ACTOR_DOC_H
#define TROUPE_SERVER_ACTOR_DOC_H

#include "api/api.h"

/* The short form, from what one sees from outside: items of lists. */
void actor_doc_short(struct text *text, const struct api_env *env, const troupe_peek *peek, uint64_t now_ms);

/* The whole form. */
void actor_doc_full(struct text *text, const struct api_env *env, const troupe_info *info, uint64_t now_ms);

/* A reference as a JSON string; null for nobody. */
void actor_doc_ref(struct text *text, troupe_ref ref);

#endif
