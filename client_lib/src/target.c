/* SPDX-License-Identifier: Apache-2.0 */
#include "src/target.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "src/problem.h"

/* Behaviors and message types: [A-Za-z0-9_.:-]{1,64}. */
static bool is_word(const char *word)
{
    size_t len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");
    return len >= 1 && len <= TROUPE_CLIENT_WORD_BYTES_MAX && word[len] == '\0';
}

/* An id begins with the kind of its home, n. or s., and has no other characters than these. */
bool troupe__target_is_id(const char *ref)
{
    size_t len = strspn(ref, "abcdefghijklmnopqrstuvwxyz0123456789.");
    return (ref[0] == 'n' || ref[0] == 's') && ref[1] == '.' && len <= TROUPE_CLIENT_REF_BYTES_MAX && ref[len] == '\0';
}

int troupe__target_check_name(const char *name, const char *field, troupe_client_problem *problem)
{
    size_t len = strlen(name);
    if (len == 0 || len > TROUPE_CLIENT_NAME_BYTES_MAX) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, field, "a name has 1 to %d bytes, this has %zu",
                                    TROUPE_CLIENT_NAME_BYTES_MAX, len);
    }
    if (!troupe__text_is_clean_utf8(name)) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, field, "a name is UTF-8 without control characters");
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, field, "a name cannot be '.' or '..'");
    }
    return 0;
}

int troupe__target_check_ref(const char *ref, troupe_client_problem *problem)
{
    if (ref[0] == '@') {
        return troupe__target_check_name(ref + 1, "ref", problem);
    }
    if (troupe__target_is_id(ref)) {
        return 0;
    }
    if (troupe__target_check_name(ref, "ref", NULL) != 0) {
        return troupe__problem_make(problem, TROUPE_E_BAD_REFERENCE, "ref",
                                    "a reference is an id such as n.4tq8v1m02x7kc.3f.1, or @name");
    }
    return troupe__problem_make(problem, TROUPE_E_BAD_REFERENCE, "ref", "'%s' is not an id; if it is a name, write @%s",
                                ref, ref);
}

int troupe__target_check_word(const char *word, const char *field, troupe_client_problem *problem)
{
    if (word != NULL && is_word(word)) {
        return 0;
    }
    return troupe__problem_make(problem, TROUPE_E_INVALID, field,
                                "a %s has 1 to %d of the characters A-Z a-z 0-9 _ . : -", field,
                                TROUPE_CLIENT_WORD_BYTES_MAX);
}

int troupe__target_check_content_type(const char *content_type, troupe_client_problem *problem)
{
    if (content_type == NULL || (content_type[0] != '\0' && troupe__text_is_clean_utf8(content_type))) {
        return 0;
    }
    return troupe__problem_make(problem, TROUPE_E_INVALID, "content_type", "a content type is one line of text");
}

/* An @name keeps its @, so that the node can tell it from an id. */
void troupe__target_add_ref(struct text *target, const char *ref)
{
    if (ref[0] == '@') {
        troupe__text_add(target, "@");
        ref++;
    }
    troupe__text_add_escaped(target, ref);
}

void troupe__target_add_actor(struct text *target, const char *ref)
{
    troupe__text_add(target, "/v1/actors/");
    troupe__target_add_ref(target, ref);
}

void troupe__target_add_query(struct text *target, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    bool is_first = target->at == NULL || memchr(target->at, '?', target->len) == NULL;
    troupe__text_add(target, is_first ? "?" : "&");
    troupe__text_add(target, key);
    troupe__text_add(target, "=");
    troupe__text_add_escaped(target, value);
}

void troupe__target_add_ms(struct text *target, const char *key, uint32_t ms)
{
    char value[16];
    snprintf(value, sizeof value, "%" PRIu32 "ms", ms);
    troupe__target_add_query(target, key, ms == 0 ? NULL : value);
}

uint32_t troupe__target_wait_ms(uint32_t timeout_ms)
{
    if (timeout_ms > TROUPE_CLIENT_TIMEOUT_MS_MAX) {
        return TROUPE_CLIENT_TIMEOUT_MS_MAX;
    }
    return timeout_ms == 0 ? 0 : timeout_ms + TROUPE_CLIENT_GRACE_MS;
}

int troupe__target_finish(const char *method, struct text *target, struct http_request *ret_request,
                          troupe_client_problem *problem)
{
    char *string;
    int rc = troupe__text_take(target, &string);
    troupe__text_fini(target);
    if (rc == TROUPE_E_LIMIT) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, NULL, "the request is longer than %d bytes",
                                    TARGET_BYTES_MAX);
    }
    if (rc != 0) {
        return troupe__problem_make(problem, rc, NULL, "while building the request");
    }
    *ret_request = (struct http_request){.method = method, .target = string};
    return 0;
}

void troupe__request_set_body(struct http_request *request, char *body)
{
    request->content_type = "application/json";
    request->owned_body = body;
    request->body = body;
    request->body_len = strlen(body);
}

int troupe__request_set_document(struct http_request *request, json_t *document, troupe_client_problem *problem)
{
    char *body = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (body == NULL) {
        troupe__request_fini(request);
        return troupe__problem_make(problem, TROUPE_E_INVALID, NULL, "the request cannot be written as JSON");
    }
    troupe__request_set_body(request, body);
    return 0;
}

void troupe__request_set_message(struct http_request *request, const troupe_client_message *message, bool is_call)
{
    request->content_type = message->content_type;
    if (message->content_type == NULL && message->body_len > 0) {
        request->content_type = "application/json";
    }
    request->body = message->body;
    request->body_len = message->body_len;
    request->timeout_ms = is_call ? troupe__target_wait_ms(message->timeout_ms) : message->timeout_ms;
}

int troupe__request_actor(const char *method, const char *ref, const char *rest, struct http_request *ret_request,
                          troupe_client_problem *problem)
{
    int rc = troupe__target_check_ref(ref, problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__target_add_actor(&target, ref);
    troupe__text_add(&target, rest);
    return troupe__target_finish(method, &target, ret_request, problem);
}
