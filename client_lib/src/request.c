/* SPDX-License-Identifier: Apache-2.0
 *
 * How each question of the client looks over HTTP. The order is always: check the arguments by field, write the target
 * into a bounded text, take it, add the body. What is checked here is what would otherwise change its meaning on the
 * way (a name of two dots, a header hidden in a content type) or has a better sentence here than at the node. */
#include "src/request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/problem.h"
#include "src/text.h"

#define TARGET_BYTES_MAX 8192 /* half of the request head a node takes (16 KiB) */

/* Behaviors and message types: [A-Za-z0-9_.:-]{1,64}. */
static bool is_word(const char *word)
{
    size_t len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");
    return len >= 1 && len <= TROUPE_CLIENT_WORD_BYTES_MAX && word[len] == '\0';
}

/* An id begins with the kind of its home, n. or s., and has no other characters than these. */
static bool is_id(const char *ref)
{
    size_t len = strspn(ref, "abcdefghijklmnopqrstuvwxyz0123456789.");
    return (ref[0] == 'n' || ref[0] == 's') && ref[1] == '.' && len <= TROUPE_CLIENT_REF_BYTES_MAX && ref[len] == '\0';
}

static int check_name(const char *name, const char *field, troupe_client_problem *problem)
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

static int check_ref(const char *ref, troupe_client_problem *problem)
{
    if (ref[0] == '@') {
        return check_name(ref + 1, "ref", problem);
    }
    if (is_id(ref)) {
        return 0;
    }
    if (check_name(ref, "ref", NULL) != 0) {
        return troupe__problem_make(problem, TROUPE_E_BAD_REFERENCE, "ref",
                                    "a reference is an id such as n.4tq8v1m02x7kc.3f.1, or @name");
    }
    return troupe__problem_make(problem, TROUPE_E_BAD_REFERENCE, "ref", "'%s' is not an id; if it is a name, write @%s",
                                ref, ref);
}

static int check_word(const char *word, const char *field, troupe_client_problem *problem)
{
    if (word != NULL && is_word(word)) {
        return 0;
    }
    return troupe__problem_make(problem, TROUPE_E_INVALID, field,
                                "a %s has 1 to %d of the characters A-Z a-z 0-9 _ . : -", field,
                                TROUPE_CLIENT_WORD_BYTES_MAX);
}

/* An @name keeps its @, so that the node can tell it from an id. */
static void add_ref(struct text *target, const char *ref)
{
    troupe__text_add(target, "/v1/actors/");
    if (ref[0] == '@') {
        troupe__text_add(target, "@");
        ref++;
    }
    troupe__text_add_escaped(target, ref);
}

static void add_query(struct text *target, const char *key, const char *value)
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

static void add_query_ms(struct text *target, const char *key, uint32_t ms)
{
    char value[16];
    snprintf(value, sizeof value, "%" PRIu32 "ms", ms);
    add_query(target, key, ms == 0 ? NULL : value);
}

/* Finish a request from its parts; consumes the target. */
static int finish(const char *method, struct text *target, struct http_request *ret_request,
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

/* Give a request a JSON body; takes it. */
static void set_body(struct http_request *request, char *body)
{
    request->content_type = "application/json";
    request->owned_body = body;
    request->body = body;
    request->body_len = strlen(body);
}

/* The wait for an answer: what the node was told, and a little more to hear it. */
static uint32_t with_grace(uint32_t timeout_ms)
{
    if (timeout_ms > TROUPE_CLIENT_TIMEOUT_MS_MAX) {
        return TROUPE_CLIENT_TIMEOUT_MS_MAX;
    }
    return timeout_ms == 0 ? 0 : timeout_ms + TROUPE_CLIENT_GRACE_MS;
}

static int set_member(json_t *document, const char *key, json_t *value)
{
    return json_object_set_new(document, key, value) == 0 ? 0 : TROUPE_E_NO_MEMORY;
}

static int set_string(json_t *document, const char *key, const char *value)
{
    return value == NULL ? 0 : set_member(document, key, json_string(value));
}

static int set_count(json_t *document, const char *key, uint64_t value)
{
    return value == 0 ? 0 : set_member(document, key, json_integer((json_int_t)value));
}

static int fill_mailbox(json_t *document, const troupe_client_spawn_spec *spec)
{
    if (spec->mailbox_messages == 0 && spec->mailbox_bytes == 0 && spec->mailbox_policy == NULL) {
        return 0;
    }
    json_t *mailbox = json_object();
    int rc = set_count(mailbox, "messages", spec->mailbox_messages);
    rc = rc != 0 ? rc : set_count(mailbox, "bytes", spec->mailbox_bytes);
    rc = rc != 0 ? rc : set_string(mailbox, "policy", spec->mailbox_policy);
    if (rc != 0) {
        json_decref(mailbox);
        return rc;
    }
    return set_member(document, "mailbox", mailbox);
}

static int fill_spawn(json_t *document, const troupe_client_spawn_spec *spec)
{
    int rc = set_string(document, "behavior", spec->behavior);
    rc = rc != 0 ? rc : set_string(document, "name", spec->name);
    rc = rc != 0 ? rc : set_string(document, "if_exists", spec->if_exists);
    rc = rc != 0 || spec->args == NULL ? rc : set_member(document, "args", json_deep_copy(spec->args));
    rc = rc != 0 ? rc : fill_mailbox(document, spec);
    return rc != 0 ? rc : set_string(document, "restart", spec->restart);
}

int troupe__request_spawn(const troupe_client_spawn_spec *spec, struct http_request *ret_request,
                          troupe_client_problem *problem)
{
    int rc = check_word(spec->behavior, "behavior", problem);
    rc = rc != 0 || spec->name == NULL ? rc : check_name(spec->name, "name", problem);
    if (rc != 0) {
        return rc;
    }
    if (spec->mailbox_messages > INT64_MAX || spec->mailbox_bytes > INT64_MAX) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "mailbox", "a limit must be below 2^63");
    }
    json_t *document = json_object();
    char *body = fill_spawn(document, spec) == 0 ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (body == NULL) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, NULL, "the request cannot be written as JSON");
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/actors");
    rc = finish("POST", &target, ret_request, problem);
    if (rc != 0) {
        free(body);
        return rc;
    }
    set_body(ret_request, body);
    return 0;
}

static int check_content_type(const char *content_type, troupe_client_problem *problem)
{
    if (content_type == NULL || (content_type[0] != '\0' && troupe__text_is_clean_utf8(content_type))) {
        return 0;
    }
    return troupe__problem_make(problem, TROUPE_E_INVALID, "content_type", "a content type is one line of text");
}

int troupe__request_send(const char *verb, const troupe_client_message *message, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    int rc = check_ref(message->ref, problem);
    rc = rc != 0 ? rc : check_word(message->type, "type", problem);
    rc = rc != 0 ? rc : check_content_type(message->content_type, problem);
    if (rc != 0) {
        return rc;
    }
    bool is_call = strcmp(verb, "call") == 0;
    struct text target = {.max = TARGET_BYTES_MAX};
    add_ref(&target, message->ref);
    troupe__text_add(&target, "/");
    troupe__text_add(&target, verb);
    troupe__text_add(&target, "/");
    troupe__text_add_escaped(&target, message->type);
    add_query_ms(&target, "timeout", is_call ? message->timeout_ms : 0);
    rc = finish("POST", &target, ret_request, problem);
    if (rc != 0) {
        return rc;
    }
    ret_request->content_type = message->content_type;
    if (message->content_type == NULL && message->body_len > 0) {
        ret_request->content_type = "application/json";
    }
    ret_request->body = message->body;
    ret_request->body_len = message->body_len;
    ret_request->timeout_ms = is_call ? with_grace(message->timeout_ms) : message->timeout_ms;
    return 0;
}

int troupe__request_info(const char *ref, struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = check_ref(ref, problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    add_ref(&target, ref);
    return finish("GET", &target, ret_request, problem);
}

int troupe__request_list(const char *path, const troupe_client_filter *filter, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%" PRIu32, filter->limit);
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, path);
    add_query(&target, "behavior", filter->behavior);
    add_query(&target, "state", filter->state);
    add_query(&target, "name", filter->name);
    add_query(&target, "limit", filter->limit == 0 ? NULL : limit);
    add_query(&target, "cursor", filter->cursor);
    return finish("GET", &target, ret_request, problem);
}

int troupe__request_stop(const char *ref, const char *mode, const char *reason, uint32_t timeout_ms,
                         struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = check_ref(ref, problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    add_ref(&target, ref);
    add_query(&target, "mode", mode);
    add_query(&target, "reason", reason);
    add_query_ms(&target, "timeout", timeout_ms);
    rc = finish("DELETE", &target, ret_request, problem);
    if (rc == 0) {
        ret_request->timeout_ms = with_grace(timeout_ms);
    }
    return rc;
}

int troupe__request_name(const char *name, struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = check_name(name, "name", problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/names/");
    troupe__text_add_escaped(&target, name);
    return finish("GET", &target, ret_request, problem);
}

/* Ids of nodes are opaque here, but no path of their own. */
int troupe__request_node(const char *method, const char *node, const char *rest, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    if (strcmp(node, "self") != 0 && (strncmp(node, "n.", 2) != 0 || !is_id(node))) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "node",
                                    "'%s' is not the id of a node, such as n.4tq8v1m02x7kc", node);
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/nodes/");
    troupe__text_add_escaped(&target, node);
    troupe__text_add(&target, rest);
    return finish(method, &target, ret_request, problem);
}

int troupe__request_ticket(const char *const *grants, size_t count, struct http_request *ret_request,
                           troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    json_t *list = json_array();
    bool is_good = list != NULL;
    for (size_t i = 0; is_good && i < count; i++) {
        is_good = json_array_append_new(list, json_string(grants[i])) == 0;
    }
    json_t *document = is_good ? json_pack("{s:O}", "grants", list) : NULL;
    char *body = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    json_decref(list);
    if (body == NULL) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "grants", "the request cannot be written as JSON");
    }
    troupe__text_add(&target, "/v1/tickets");
    int rc = finish("POST", &target, ret_request, problem);
    if (rc != 0 || count == 0) {
        free(body);
        return rc;
    }
    set_body(ret_request, body);
    return 0;
}

int troupe__request_stream(const troupe_client_stream_options *options, struct http_request *ret_request,
                           troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    int rc = options->ref != NULL ? check_ref(options->ref, problem) : 0;
    if (rc != 0) {
        return rc;
    }
    if (options->ref != NULL) {
        add_ref(&target, options->ref);
        troupe__text_add(&target, "/events");
    } else {
        troupe__text_add(&target, "/v1/events");
    }
    add_query(&target, "from", options->from);
    add_query(&target, "after", options->after);
    rc = finish("GET", &target, ret_request, problem);
    if (rc == 0) {
        ret_request->accept = "text/event-stream";
    }
    return rc;
}

int troupe__request_get(const char *path, struct http_request *ret_request, troupe_client_problem *problem)
{
    if (path[0] != '/' || strpbrk(path, " #\r\n") != NULL || !troupe__text_is_clean_utf8(path)) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "path", "a path begins with / and is percent-encoded");
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, path);
    return finish("GET", &target, ret_request, problem);
}

void troupe__request_fini(struct http_request *request)
{
    free(request->target);
    free(request->owned_body);
    *request = (struct http_request){0};
}
