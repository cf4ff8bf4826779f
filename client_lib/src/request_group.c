/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a group: its members, one more or less, a message to all. */
#include <inttypes.h>
#include <stdio.h>

#include "src/problem.h"
#include "src/target.h"

/* Begin a target with the group; its scope goes behind it, by add_scope. */
static int add_group(struct text *target, const troupe_client_group *group, troupe_client_problem *problem)
{
    int rc = troupe__target_check_word(group->name, "group", problem);
    if (rc == 0 && group->scope != NULL && group->scope[0] != '\0') {
        rc = troupe__target_check_word(group->scope, "scope", problem);
    }
    if (rc == 0) {
        troupe__text_add(target, "/v1/groups/");
        troupe__text_add_escaped(target, group->name);
    }
    return rc;
}

static void add_scope(struct text *target, const troupe_client_group *group)
{
    bool is_default = group->scope == NULL || group->scope[0] == '\0';
    troupe__target_add_query(target, "scope", is_default ? NULL : group->scope);
}

int troupe__request_member(const char *method, const troupe_client_group *group, const char *ref,
                           struct http_request *ret_request, troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    int rc = troupe__target_check_ref(ref, problem);
    rc = rc != 0 ? rc : add_group(&target, group, problem);
    if (rc != 0) {
        return rc;
    }
    troupe__text_add(&target, "/members/");
    troupe__target_add_ref(&target, ref);
    add_scope(&target, group);
    return troupe__target_finish(method, &target, ret_request, problem);
}

int troupe__request_members(const troupe_client_group *group, const troupe_client_filter *filter,
                            struct http_request *ret_request, troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    char limit[16];
    int rc = add_group(&target, group, problem);
    if (rc != 0) {
        return rc;
    }
    snprintf(limit, sizeof limit, "%" PRIu32, filter->limit);
    add_scope(&target, group);
    troupe__target_add_query(&target, "limit", filter->limit == 0 ? NULL : limit);
    troupe__target_add_query(&target, "cursor", filter->cursor);
    return troupe__target_finish("GET", &target, ret_request, problem);
}

int troupe__request_group_send(const char *verb, const troupe_client_group *group, const troupe_client_message *message,
                               struct http_request *ret_request, troupe_client_problem *problem)
{
    struct text target = {.max = TARGET_BYTES_MAX};
    int rc = troupe__target_check_word(message->type, "type", problem);
    rc = rc != 0 ? rc : troupe__target_check_content_type(message->content_type, problem);
    rc = rc != 0 ? rc : add_group(&target, group, problem);
    if (rc != 0) {
        return rc;
    }
    bool is_call = verb[2] == 'l';
    troupe__text_add(&target, "/");
    troupe__text_add(&target, verb);
    troupe__text_add(&target, "/");
    troupe__text_add_escaped(&target, message->type);
    add_scope(&target, group);
    troupe__target_add_ms(&target, "timeout", is_call ? message->timeout_ms : 0);
    rc = troupe__target_finish("POST", &target, ret_request, problem);
    if (rc == 0) {
        troupe__request_set_message(ret_request, message, is_call);
    }
    return rc;
}
