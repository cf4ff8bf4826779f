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
#include "src/target.h"

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
    int rc = troupe__target_check_word(spec->behavior, "behavior", problem);
    rc = rc != 0 || spec->name == NULL ? rc : troupe__target_check_name(spec->name, "name", problem);
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
    rc = troupe__target_finish("POST", &target, ret_request, problem);
    if (rc != 0) {
        free(body);
        return rc;
    }
    troupe__request_set_body(ret_request, body);
    return 0;
}

int troupe__request_send(const char *verb, const troupe_client_message *message, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    int rc = troupe__target_check_ref(message->ref, problem);
    rc = rc != 0 ? rc : troupe__target_check_word(message->type, "type", problem);
    rc = rc != 0 ? rc : troupe__target_check_content_type(message->content_type, problem);
    if (rc != 0) {
        return rc;
    }
    bool is_call = strcmp(verb, "call") == 0;
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__target_add_actor(&target, message->ref);
    troupe__text_add(&target, "/");
    troupe__text_add(&target, verb);
    troupe__text_add(&target, "/");
    troupe__text_add_escaped(&target, message->type);
    troupe__target_add_ms(&target, "timeout", is_call ? message->timeout_ms : 0);
    troupe__target_add_ms(&target, "delay", is_call ? 0 : message->delay_ms);
    rc = troupe__target_finish("POST", &target, ret_request, problem);
    if (rc == 0) {
        troupe__request_set_message(ret_request, message, is_call);
    }
    return rc;
}

int troupe__request_list(const char *path, const troupe_client_filter *filter, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%" PRIu32, filter->limit);
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, path);
    troupe__target_add_query(&target, "scope", filter->scope);
    troupe__target_add_query(&target, "behavior", filter->behavior);
    troupe__target_add_query(&target, "state", filter->state);
    troupe__target_add_query(&target, "name", filter->name);
    troupe__target_add_query(&target, "limit", filter->limit == 0 ? NULL : limit);
    troupe__target_add_query(&target, "cursor", filter->cursor);
    return troupe__target_finish("GET", &target, ret_request, problem);
}

int troupe__request_stop(const char *ref, const char *mode, const char *reason, uint32_t timeout_ms,
                         struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = troupe__target_check_ref(ref, problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__target_add_actor(&target, ref);
    troupe__target_add_query(&target, "mode", mode);
    troupe__target_add_query(&target, "reason", reason);
    troupe__target_add_ms(&target, "timeout", timeout_ms);
    rc = troupe__target_finish("DELETE", &target, ret_request, problem);
    if (rc == 0) {
        ret_request->timeout_ms = troupe__target_wait_ms(timeout_ms);
    }
    return rc;
}

int troupe__request_name(const char *name, struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = troupe__target_check_name(name, "name", problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/names/");
    troupe__text_add_escaped(&target, name);
    return troupe__target_finish("GET", &target, ret_request, problem);
}

/* Ids of nodes are opaque here, but no path of their own. */
int troupe__request_node(const char *method, const char *node, const char *rest, struct http_request *ret_request,
                         troupe_client_problem *problem)
{
    if (strcmp(node, "self") != 0 && (strncmp(node, "n.", 2) != 0 || !troupe__target_is_id(node))) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "node",
                                    "'%s' is not the id of a node, such as n.4tq8v1m02x7kc", node);
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/nodes/");
    troupe__text_add_escaped(&target, node);
    troupe__text_add(&target, rest);
    return troupe__target_finish(method, &target, ret_request, problem);
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
    int rc = troupe__target_finish("POST", &target, ret_request, problem);
    if (rc != 0 || count == 0) {
        free(body);
        return rc;
    }
    troupe__request_set_body(ret_request, body);
    return 0;
}

/* Where the events come from. */
static int add_source(struct text *target, const troupe_client_stream_options *options, troupe_client_problem *problem)
{
    bool is_of_actor = options->source == TROUPE_CLIENT_SOURCE_TRACE ||
                       (options->source == TROUPE_CLIENT_SOURCE_EVENTS && options->ref != NULL);
    int rc = 0;
    if (is_of_actor) {
        rc = troupe__target_check_ref(options->ref, problem);
        if (rc == 0) {
            troupe__target_add_actor(target, options->ref);
            troupe__text_add(target, options->source == TROUPE_CLIENT_SOURCE_TRACE ? "/trace" : "/events");
        }
    } else if (options->source == TROUPE_CLIENT_SOURCE_GROUP) {
        rc = troupe__target_check_word(options->group, "group", problem);
        if (rc == 0) {
            troupe__text_add(target, "/v1/groups/");
            troupe__text_add_escaped(target, options->group);
            troupe__text_add(target, "/events");
            troupe__target_add_query(target, "scope", options->scope);
        }
    } else {
        troupe__text_add(target, options->source == TROUPE_CLIENT_SOURCE_DEAD ? "/v1/events/dead" : "/v1/events");
    }
    return rc;
}

int troupe__request_stream(const troupe_client_stream_options *options, struct http_request *ret_request,
                           troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    int rc = add_source(&target, options, problem);
    if (rc != 0) {
        troupe__text_fini(&target);
        return rc;
    }
    troupe__target_add_query(&target, "from", options->from);
    troupe__target_add_query(&target, "after", options->after);
    troupe__target_add_query(&target, "types", options->types);
    rc = troupe__target_finish("GET", &target, ret_request, problem);
    if (rc == 0) {
        ret_request->accept = "text/event-stream";
        ret_request->stop_fd = options->stop_fd;
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
    return troupe__target_finish("GET", &target, ret_request, problem);
}

void troupe__request_fini(struct http_request *request)
{
    free(request->target);
    free(request->owned_body);
    *request = (struct http_request){0};
}
