/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking inside: the state of an actor, its pause, its trace, its timers; what behaviors there are. */
#include <jansson.h>

#include "src/ask.h"

/* Ask for what has no answer but a status of 2xx. */
static int tell(troupe_client *client, struct http_request *request, troupe_client_problem *problem)
{
    troupe_client_reply reply = {0};
    int rc = troupe__client_ask(client, request, &reply, problem);
    troupe_client_reply_fini(&reply);
    return rc;
}

int troupe_client_state(troupe_client *client, const char *ref, troupe_client_reply *ret_reply,
                        troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("GET", ref, "/state", &request, problem);
    return rc != 0 ? rc : troupe__client_ask(client, &request, ret_reply, problem);
}

int troupe_client_suspend(troupe_client *client, const char *ref, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("POST", ref, "/suspend", &request, problem);
    return rc != 0 ? rc : tell(client, &request, problem);
}

int troupe_client_resume(troupe_client *client, const char *ref, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("POST", ref, "/resume", &request, problem);
    return rc != 0 ? rc : tell(client, &request, problem);
}

int troupe_client_trace(troupe_client *client, const char *ref, uint32_t messages, bool has_bodies,
                        troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_trace(ref, messages, has_bodies, &request, problem);
    return rc != 0 ? rc : tell(client, &request, problem);
}

int troupe_client_trace_end(troupe_client *client, const char *ref, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("DELETE", ref, "/trace", &request, problem);
    return rc != 0 ? rc : tell(client, &request, problem);
}

int troupe_client_timers(troupe_client *client, const char *ref, json_t **ret_list, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("GET", ref, "/timers", &request, problem);
    return rc != 0 ? rc : troupe__client_ask_page(client, &request, ret_list, problem);
}

int troupe_client_timer_set(troupe_client *client, const char *ref, const char *id, const troupe_client_timer *timer,
                            json_t **ret_timer, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_timer_set(ref, id, timer, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "id", NULL, ret_timer, problem);
}

int troupe_client_timer_cancel(troupe_client *client, const char *ref, const char *id, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_timer("DELETE", ref, id, &request, problem);
    return rc != 0 ? rc : tell(client, &request, problem);
}

int troupe_client_behavior(troupe_client *client, const char *behavior, json_t **ret_behavior,
                           troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_behavior(behavior, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "name", NULL, ret_behavior, problem);
}
