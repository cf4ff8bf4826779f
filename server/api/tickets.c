/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/tickets: exchange a token for a ticket, which a browser may put into a URL or a subprotocol. */
#include "access/tickets.h"

#include <stdio.h>

#include "access/grants.h"
#include "api/audit.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "base/clock.h"

struct body {
    troupe_view grants;          /* ptr NULL: all that the token has */
};

static const struct check_field fields[] = {
    {.name = "grants", .type = CHECK_ANY, .offset = offsetof(struct body, grants)},
    {.name = NULL},
};

/* False: it was answered with a refusal, and grants is empty. */
static bool read_grants(struct api_request *req, const struct body *body, struct grants *grants)
{
    char field[32] = "grants";
    const char *words = "grants is a list of texts such as [\"read\"]";
    size_t at = 0;
    json_t *list = json_loadb(body->grants.ptr, body->grants.len, JSON_DECODE_ANY, NULL);
    int error = TROUPE_E_INVALID;
    if (json_is_array(list)) {
        error = grants_add_list(grants, list, &at, &words);
        snprintf(field, sizeof field, "grants[%zu]", at);
    }
    json_decref(list);
    if (error == 0)
        return true;
    grants_fini(grants);
    if (error == TROUPE_E_NO_MEMORY)
        api_refuse(req, error, NULL, "%s; try again later", words);
    else
        api_refuse(req, TROUPE_E_SCHEMA, field, "%s", words);
    return false;
}

static void reply(struct api_request *req, const char *ticket)
{
    static const struct api_header headers[] = {{"Cache-Control", "no-store"}};
    char expires[CLOCK_TEXT_BYTES];
    uint64_t age_ms = req->now_ms - req->env->started_mono_ms;
    clock_format(req->env->started_wall_ms + age_ms + TICKET_TTL_MS, expires);
    api_reply_json(req, 201, json_pack("{s:s, s:s, s:i}", "ticket", ticket, "expires_at", expires, "ttl_ms",
                                       TICKET_TTL_MS), headers, 1);
}

void tickets_create(struct api_request *req)
{
    struct body body = {{NULL, 0}};
    struct check_fault fault;
    struct grants grants = {0};
    char ticket[TICKET_TEXT_BYTES];
    if (req->body_len > 0 && check_object(req->body, req->body_len, fields, &body, &fault) != 0) {
        api_refuse_body(req, &fault);
        return;
    }
    if (body.grants.ptr != NULL && !read_grants(req, &body, &grants))
        return;
    int error = access_issue_ticket(req->env->access, req->token, body.grants.ptr != NULL ? &grants : NULL, req->now_ms,
                                    ticket);
    grants_fini(&grants);
    audit_log(req, "ticket", (troupe_ref){0}, NULL, (troupe_view){"", 0}, error);
    if (error == 0)
        reply(req, ticket);
    else
        api_refuse(req, error, NULL, error == TROUPE_E_LIMIT
                   ? "there are too many open tickets; use those there are, or wait until they end after 30 seconds"
                   : "the node could not make a ticket; try again later");
}
