/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/nodes: the members of the cluster, as this node knows them; and what an operator does with them: drain, and
 * listen on another port. */
#include <stdio.h>

#include "api/audit.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "cluster.h"
#include "ports.h"

void nodes_list(struct api_request *req)
{
    json_t *items = cluster_nodes_doc(req->env->members);
    api_reply_json(req, 200, items == NULL ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), NULL, 0);
}

/* Refuse what cannot be done with this node. */
static void refuse_node(struct api_request *req, int error)
{
    troupe_view node = req->params[0];
    api_refuse(req, error, "node",
               error == TROUPE_E_GONE
                   ? "the node %.*s has left the cluster, or is down; GET /v1/nodes lists those that are there"
               : error == TROUPE_E_REGISTRY_LOST
                   ? "the registry is away, so the node %.*s cannot be told; ask it itself"
               : error == TROUPE_E_NO_MEMORY
                   ? "memory is exhausted, so the node %.*s cannot be told; try again later"
                   : "the cluster has no node %.*s; GET /v1/nodes lists those that it has",
               (int)node.len, node.ptr);
}

/* A node's id is "n." and 13 characters; the word self stands for the node that is asked. */
static bool parse_node(struct api_request *req, troupe_home *ret_node)
{
    troupe_view text = req->params[0];
    if (troupe_view_equal(text, troupe_view_of("self")))
        text = troupe_view_of(req->env->node);
    if (troupe_home_parse(text.ptr, text.len, ret_node) == 0 && ret_node->high == 0)
        return true;
    refuse_node(req, TROUPE_E_NOT_FOUND);
    return false;
}

void nodes_get(struct api_request *req)
{
    troupe_home node;
    json_t *document = NULL;
    if (!parse_node(req, &node))
        return;
    int error = cluster_node_doc(req->env->members, node, &document);
    if (error == TROUPE_E_NOT_FOUND || error == TROUPE_E_GONE)
        refuse_node(req, error);
    else
        api_reply_json(req, 200, document, NULL, 0);
}

void nodes_drain(struct api_request *req)
{
    troupe_home node;
    char text[TROUPE_HOME_TEXT_MAX];
    if (!parse_node(req, &node))
        return;
    int error = cluster_ask_drain(req->env->members, node);
    troupe_home_format(node, text);
    audit_log(req, "drain_node", (troupe_ref){0}, NULL, troupe_view_of(text), error);
    if (error == 0)
        api_reply_json(req, 202, json_pack("{s:s, s:s}", "node", text, "state", "draining"), NULL, 0);
    else
        refuse_node(req, error);
}

/* ---- listen on another port ---- */

struct relisten {
    uint32_t purpose;            /* enum ports_purpose */
    uint32_t port;
};

static const char *const purposes[] = {[PORTS_API] = "api", [PORTS_PEER] = "peer", [PORTS_COUNT] = NULL};

static const struct check_field relisten_fields[] = {
    {.name = "purpose", .type = CHECK_WORD, .required = true, .words = purposes,
     .offset = offsetof(struct relisten, purpose)},
    {.name = "port", .type = CHECK_UINT, .min = 0, .max = 65535, .offset = offsetof(struct relisten, port)},
    {.name = NULL},
};

void node_relisten(struct api_request *req)
{
    struct relisten asked = {0};
    struct check_fault fault;
    struct listener made;
    char words[256] = "memory is exhausted";
    if (check_object(req->body, req->body_len, relisten_fields, &asked, &fault) != 0) {
        api_refuse_body(req, &fault);
        return;
    }
    int error = ports_ask(req->env->ports, (enum ports_purpose)asked.purpose, asked.port, &made, words, sizeof words);
    audit_log(req, "relisten", (troupe_ref){0}, NULL, troupe_view_of(purposes[asked.purpose]), error);
    if (error != 0)
        api_refuse(req, error, "port", "%s", words);
    else
        api_reply_json(req, 202, json_pack("{s:s, s:s, s:i}", "purpose", purposes[asked.purpose], "host", made.host,
                                           "port", (int)made.port), NULL, 0);
}
