/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a request: arguments checked by field, the target written into a bounded text, and what the requests of
 * request*.c have in common.
 *
 * Thread: any. */
#ifndef TROUPE_CLIENT_TARGET_H
#define TROUPE_CLIENT_TARGET_H

#include "src/request.h"
#include "src/text.h"

#define TARGET_BYTES_MAX 8192 /* half of the request head a node takes (16 KiB) */

/* Is it an id: of an actor, or of a node? */
bool troupe__target_is_id(const char *ref);

/* Each fails with TROUPE_E_INVALID, or TROUPE_E_BAD_REFERENCE, and a problem that names the field. */
TROUPE_MUST_USE int troupe__target_check_name(const char *name, const char *field, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__target_check_ref(const char *ref, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__target_check_word(const char *word, const char *field, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__target_check_content_type(const char *content_type, troupe_client_problem *problem);

/* The wait for an answer: what the node was told, and a little more to hear it; 0 stays 0. */
uint32_t troupe__target_wait_ms(uint32_t timeout_ms);

/* Append a reference; one that was checked. */
void troupe__target_add_ref(struct text *target, const char *ref);

/* Append the path of an actor. */
void troupe__target_add_actor(struct text *target, const char *ref);

/* Append a parameter of the query; a value of NULL, or 0 ms, is left out. */
void troupe__target_add_query(struct text *target, const char *key, const char *value);
void troupe__target_add_ms(struct text *target, const char *key, uint32_t ms);

/* Finish a request from its parts; consumes the target. */
TROUPE_MUST_USE int troupe__target_finish(const char *method, struct text *target, struct http_request *ret_request,
                                          troupe_client_problem *problem);

/* Give a request a JSON body. Owns: takes it. */
void troupe__request_set_body(struct http_request *request, char *body);

/* Give a request the body of a message, which stays the caller's, and the time that it may take. */
void troupe__request_set_message(struct http_request *request, const troupe_client_message *message, bool is_call);

/* Give a request a document as its body. Owns: takes the document; NULL: it could not be made. On failure the request
 * is released. Fails: TROUPE_E_INVALID  it cannot be written as JSON */
TROUPE_MUST_USE int troupe__request_set_document(struct http_request *request, struct json_t *document,
                                                 troupe_client_problem *problem);

#endif
