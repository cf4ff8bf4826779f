/* SPDX-License-Identifier: Apache-2.0
 *
 * May this token do that? The questions that need more than access.h knows: what an actor is, and what an answer may
 * give away. Used by the REST API and by sessions.
 *
 * What is not there is judged by what the client itself said of it. So without a grant that covers it, an actor that is
 * there and one that is not are refused alike: nobody learns by trying which names are taken and which ids live.
 *
 * Thread: the owner of the worker. */
#ifndef TROUPE_SERVER_AUTHORIZE_H
#define TROUPE_SERVER_AUTHORIZE_H

#include "access/access.h"
#include "api/api.h"

enum { AUTHORIZE_WORDS_BYTES = 256 };

/* An actor: `ref` as far as it is known (zero: nobody has the name), `name` by which it was asked for (or empty),
 * `type` of the message (or empty). */
bool authorize_actor(troupe_system *system, const struct access_token *token, enum access_scope scope, troupe_ref ref,
                     troupe_view name, troupe_view type);

/* A spawn: behavior and name (or empty), with the token's name prefix. */
bool authorize_spawn(const struct access_token *token, troupe_view behavior, troupe_view name);

/* The holder of a name that a spawn wanted: may it be shown? With a grant to read or to spawn it. */
bool authorize_holder(troupe_system *system, const struct access_token *token, troupe_ref holder, troupe_view name);

/* What to say to a refusal. It is the same whether the thing is there or not. */
void authorize_words(const struct access_token *token, enum access_scope scope,
                     char words[static AUTHORIZE_WORDS_BYTES]);

/* Answer 403. */
void authorize_refuse(struct api_request *req);

/* authorize_actor for the route of a request, {type} being the path's. False: it was answered with 403. */
bool authorize_request(struct api_request *req, troupe_ref ref, troupe_view name);

/* The look at a request when its head is there: routes of the node as a whole and of behaviors are judged for good,
 * those of actors and names roughly. False: it was answered with 403. */
bool authorize_begin(struct api_request *req);

#endif
