/* SPDX-License-Identifier: Apache-2.0
 *
 * The client: makes a request, has it exchanged, and reads the answer. Success is 2xx; everything else is a problem.
 * Functions that promise a document also check that the answer is one, so that a proxy's page never passes for it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/ask.h"
#include "src/problem.h"
#include "src/text.h"
#include "src/transport.h"
#include "src/url.h"

struct troupe_client {
    struct transport *transport; /* owned */
    char base[TROUPE_CLIENT_URL_BYTES_MAX + 1];
};

int troupe__client_new_on(struct transport *transport, const char *base, troupe_client **ret_client,
                          troupe_client_problem *problem)
{
    troupe_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        transport->free(transport);
        return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while making a client");
    }
    client->transport = transport;
    troupe__text_copy(client->base, sizeof client->base, base);
    *ret_client = client;
    return 0;
}

void troupe_client_free(troupe_client *client)
{
    if (client != NULL) {
        client->transport->free(client->transport);
        free(client);
    }
}

const char *troupe_client_url(const troupe_client *client) { return client->base; }

bool troupe_client_is_local(const troupe_client *client) { return troupe__url_is_loopback(client->base); }

struct transport *troupe__client_transport(troupe_client *client) { return client->transport; }

void troupe_client_reply_fini(troupe_client_reply *reply)
{
    free(reply->content_type);
    free(reply->body);
    *reply = (troupe_client_reply){0};
}

int troupe__client_ask(troupe_client *client, struct http_request *request, troupe_client_reply *ret_reply,
                       troupe_client_problem *problem)
{
    troupe_client_reply reply = {0};
    int rc = client->transport->exchange(client->transport, request, &reply, problem);
    troupe__request_fini(request);
    if (rc != 0) {
        return rc;
    }
    if (reply.http_status < 200 || reply.http_status > 299) {
        rc = troupe__problem_read(&reply, problem);
        troupe_client_reply_fini(&reply);
        return rc;
    }
    *ret_reply = reply;
    return 0;
}

int troupe__client_odd_answer(int http_status, const char *what, troupe_client_problem *problem)
{
    int rc = troupe__problem_make(problem, TROUPE_E_MALFORMED, NULL, "%s: is this a Troupe node?", what);
    if (problem != NULL) {
        problem->http_status = http_status;
        problem->outcome = TROUPE_OUTCOME_UNKNOWN;
        problem->code[0] = '\0';
    }
    return rc;
}

int troupe__client_ask_document(troupe_client *client, struct http_request *request, const char *member,
                                int *ret_status, json_t **ret_document, troupe_client_problem *problem)
{
    troupe_client_reply reply = {0};
    int rc = troupe__client_ask(client, request, &reply, problem);
    if (rc != 0) {
        return rc;
    }
    int status = reply.http_status;
    bool is_json = troupe__problem_is_json(reply.content_type);
    json_t *document = is_json ? json_loadb(reply.body, reply.body_len, 0, NULL) : NULL;
    troupe_client_reply_fini(&reply);
    if (!is_json) {
        return troupe__client_odd_answer(status, "the answer is not JSON", problem);
    }
    if (document == NULL) {
        return troupe__client_odd_answer(status, "the answer is damaged JSON", problem);
    }
    if (!json_is_object(document) || (member != NULL && json_object_get(document, member) == NULL)) {
        json_decref(document);
        return troupe__client_odd_answer(status, "the answer is not the document that was asked for", problem);
    }
    *ret_document = document;
    if (ret_status != NULL) {
        *ret_status = status;
    }
    return 0;
}

int troupe_client_spawn(troupe_client *client, const troupe_client_spawn_spec *spec, json_t **ret_actor,
                        bool *ret_created, troupe_client_problem *problem)
{
    struct http_request request;
    int status = 0;
    int rc = troupe__request_spawn(spec, &request, problem);
    rc = rc != 0 ? rc : troupe__client_ask_document(client, &request, "ref", &status, ret_actor, problem);
    if (rc == 0 && ret_created != NULL) {
        *ret_created = status == 201;
    }
    return rc;
}

int troupe_client_call(troupe_client *client, const troupe_client_message *message, troupe_client_reply *ret_reply,
                       troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_send("call", message, &request, problem);
    return rc != 0 ? rc : troupe__client_ask(client, &request, ret_reply, problem);
}

int troupe_client_cast(troupe_client *client, const troupe_client_message *message, troupe_client_problem *problem)
{
    struct http_request request;
    troupe_client_reply reply = {0};
    int rc = troupe__request_send("cast", message, &request, problem);
    rc = rc != 0 ? rc : troupe__client_ask(client, &request, &reply, problem);
    if (rc == 0 && reply.http_status != 202) {
        rc = troupe__client_odd_answer(reply.http_status, "a cast is answered 202", problem);
    }
    troupe_client_reply_fini(&reply);
    return rc;
}

int troupe_client_info(troupe_client *client, const char *ref, json_t **ret_actor, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_actor("GET", ref, "", &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "ref", NULL, ret_actor, problem);
}

int troupe__client_ask_page(troupe_client *client, struct http_request *request, json_t **ret_page,
                            troupe_client_problem *problem)
{
    json_t *page = NULL;
    int rc = troupe__client_ask_document(client, request, "items", NULL, &page, problem);
    if (rc != 0) {
        return rc;
    }
    const json_t *next = json_object_get(page, "next");
    bool is_page =
        json_is_array(json_object_get(page, "items")) && (next == NULL || json_is_null(next) || json_is_string(next));
    if (!is_page) {
        json_decref(page);
        return troupe__client_odd_answer(200, "the answer is not a page of a list", problem);
    }
    *ret_page = page;
    return 0;
}

static int ask_page(troupe_client *client, const char *path, const troupe_client_filter *filter, json_t **ret_page,
                    troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_list(path, filter, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_page(client, &request, ret_page, problem);
}

int troupe_client_list(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                       troupe_client_problem *problem)
{
    return ask_page(client, "/v1/actors", filter, ret_page, problem);
}

int troupe_client_names(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                        troupe_client_problem *problem)
{
    troupe_client_filter page_only = {.limit = filter->limit, .cursor = filter->cursor};
    return ask_page(client, "/v1/names", &page_only, ret_page, problem);
}

int troupe_client_groups(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                         troupe_client_problem *problem)
{
    troupe_client_filter of_groups = {.scope = filter->scope, .limit = filter->limit, .cursor = filter->cursor};
    return ask_page(client, "/v1/groups", &of_groups, ret_page, problem);
}

int troupe_client_behaviors(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                            troupe_client_problem *problem)
{
    troupe_client_filter cursor_only = {.cursor = filter->cursor}; /* as of nodes, below */
    return ask_page(client, "/v1/behaviors", &cursor_only, ret_page, problem);
}

int troupe_client_nodes(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                        troupe_client_problem *problem)
{
    troupe_client_filter cursor_only = {.cursor = filter->cursor}; /* the route takes no limit: nodes are few */
    return ask_page(client, "/v1/nodes", &cursor_only, ret_page, problem);
}

int troupe_client_node(troupe_client *client, const char *node, json_t **ret_node, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_node("GET", node, "", &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "node", NULL, ret_node, problem);
}

int troupe_client_node_drain(troupe_client *client, const char *node, troupe_client_problem *problem)
{
    struct http_request request;
    troupe_client_reply reply = {0};
    int rc = troupe__request_node("POST", node, "/drain", &request, problem);
    rc = rc != 0 ? rc : troupe__client_ask(client, &request, &reply, problem);
    troupe_client_reply_fini(&reply);
    return rc;
}

int troupe_client_ticket(troupe_client *client, const char *const *grants, size_t count, json_t **ret_ticket,
                         troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_ticket(grants, count, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "ticket", NULL, ret_ticket, problem);
}

int troupe_client_stop(troupe_client *client, const char *ref, const char *mode, const char *reason,
                       uint32_t timeout_ms, bool *ret_ended, troupe_client_problem *problem)
{
    struct http_request request;
    troupe_client_reply reply = {0};
    int rc = troupe__request_stop(ref, mode, reason, timeout_ms, &request, problem);
    rc = rc != 0 ? rc : troupe__client_ask(client, &request, &reply, problem);
    if (rc == 0 && reply.http_status != 204 && reply.http_status != 202) {
        rc = troupe__client_odd_answer(reply.http_status, "a stop is answered 204 or 202", problem);
    } else if (rc == 0) {
        *ret_ended = reply.http_status == 204;
    }
    troupe_client_reply_fini(&reply);
    return rc;
}

int troupe_client_name(troupe_client *client, const char *name, json_t **ret_entry, troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_name(name, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, "ref", NULL, ret_entry, problem);
}

int troupe_client_get(troupe_client *client, const char *path, troupe_client_reply *ret_reply,
                      troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_get(path, &request, problem);
    return rc != 0 ? rc : troupe__client_ask(client, &request, ret_reply, problem);
}

int troupe_client_get_document(troupe_client *client, const char *path, json_t **ret_document,
                               troupe_client_problem *problem)
{
    struct http_request request;
    int rc = troupe__request_get(path, &request, problem);
    return rc != 0 ? rc : troupe__client_ask_document(client, &request, NULL, NULL, ret_document, problem);
}
