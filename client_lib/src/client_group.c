/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups: who is in one, and messages to all of it. The list of groups is in client.c, with the other lists. */
#include <jansson.h>

#include "src/ask.h"

int troupe_client_group_members(troupe_client *client, const troupe_client_group *group,
                                const troupe_client_filter *filter, json_t **ret_page, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_members(group, filter, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_page(client, &request, ret_page, problem);
}

static int change(troupe_client *client, const char *method, const troupe_client_group *group, const char *ref,
                  troupe_client_problem *problem)
{
    struct http_request request;
    troupe_client_reply reply = {0};
    int rc = troupe__request_member(method, group, ref, &request, problem);
    rc = rc != 0 ? rc : troupe__client_ask(client, &request, &reply, problem);
    troupe_client_reply_fini(&reply);
    return rc;
}

int troupe_client_group_join(troupe_client *client, const troupe_client_group *group, const char *ref,
                             troupe_client_problem *problem)
{
    return change(client, "PUT", group, ref, problem);
}

int troupe_client_group_leave(troupe_client *client, const troupe_client_group *group, const char *ref,
                              troupe_client_problem *problem)
{
    return change(client, "DELETE", group, ref, problem);
}

int troupe_client_group_cast(troupe_client *client, const troupe_client_group *group,
                             const troupe_client_message *message, json_t **ret_counts, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_group_send("cast", group, message, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "members", NULL, ret_counts, problem);
}

int troupe_client_group_call(troupe_client *client, const troupe_client_group *group,
                             const troupe_client_message *message, json_t **ret_results, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_group_send("call", group, message, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "results", NULL, ret_results, problem);
}
