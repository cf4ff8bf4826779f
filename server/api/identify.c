/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identify.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "access/access.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/comma_list.h"

struct presented {
    troupe_view secret;          /* ptr NULL: none */
    bool is_ticket;
    const char *field;           /* where it stood, or should */
};

static const char token_prefix[] = "troupe.token.", ticket_prefix[] = "troupe.ticket.";

static bool starts_with(troupe_view view, const char *prefix)
{
    size_t len = strlen(prefix);
    return view.len >= len && memcmp(view.ptr, prefix, len) == 0;
}

/* "Bearer TOKEN" (RFC 6750); another scheme gives an empty secret, which is no token. */
static troupe_view bearer_of(troupe_view field)
{
    size_t at = 6;
    if (field.len < 7 || strncasecmp(field.ptr, "Bearer ", 7) != 0)
        return (troupe_view){"", 0};
    while (at < field.len && field.ptr[at] == ' ')
        at++;
    return (troupe_view){field.ptr + at, field.len - at};
}

bool identify_is_secret(troupe_view protocol)
{
    return starts_with(protocol, token_prefix) || starts_with(protocol, ticket_prefix);
}

/* An entry of the list of subprotocols that carries a secret; the first one counts. */
static struct presented of_protocols(troupe_view list)
{
    troupe_view entry;
    while (comma_list_next(&list, &entry)) {
        if (!identify_is_secret(entry))
            continue;
        bool is_ticket = starts_with(entry, ticket_prefix);
        size_t len = strlen(is_ticket ? ticket_prefix : token_prefix);
        return (struct presented){{entry.ptr + len, entry.len - len}, is_ticket, "Sec-WebSocket-Protocol"};
    }
    return (struct presented){{NULL, 0}, false, "Authorization"};
}

static bool takes_ticket(const struct api_route *route)
{
    const struct api_param *param = route->query;
    while (param != NULL && param->name != NULL && strcmp(param->name, "ticket") != 0)
        param++;
    return param != NULL && param->name != NULL;
}

static struct presented find(const struct api_request *req)
{
    struct presented presented = {{NULL, 0}, false, "Authorization"};
    const troupe_view *ticket = takes_ticket(req->route) ? api_query(req, "ticket") : NULL;
    if (req->authorization.ptr != NULL)
        presented.secret = bearer_of(req->authorization);
    else if (req->route->handle == ws_open && req->websocket.is_upgrade)
        presented = of_protocols(req->websocket.protocols);
    if (presented.secret.ptr == NULL && ticket != NULL)
        presented = (struct presented){*ticket, true, "ticket"};
    return presented;
}

static bool is_remembered(const struct identify_memory *memory, troupe_view secret)
{
    return memory != NULL && memory->token != NULL && memory->len == secret.len &&
           CRYPTO_memcmp(memory->secret, secret.ptr, secret.len) == 0 && access_token_is_live(memory->token);
}

void identify_forget(struct identify_memory *memory)
{
    access_token_drop(memory->token);
    memory->token = NULL;
    OPENSSL_cleanse(memory->secret, memory->len);
    memory->len = 0;
}

/* The memory takes the hold over, if it takes the secret at all. */
static void remember(struct identify_memory *memory, troupe_view secret, struct access_token *token)
{
    if (memory == NULL || secret.len > sizeof memory->secret)
        return;
    identify_forget(memory);
    memcpy(memory->secret, secret.ptr, secret.len);
    memory->len = secret.len;
    memory->token = token;
}

void identify_end(struct api_request *req)
{
    if (req->identity == NULL || req->token != req->identity->token)
        access_token_drop(req->token);
    req->token = NULL;
}

static bool refuse(struct api_request *req, const struct presented *presented)
{
    const char *words = "send Authorization: Bearer and a token that this node knows";
    if (presented->is_ticket)
        words = "this ticket was used, is older than 30 seconds, or never was one; POST /v1/tickets gives another";
    else if (presented->secret.ptr != NULL)
        words = "this node knows no such token, or it has expired; ask whoever keeps the file of tokens";
    else if (req->route->handle == ws_open && req->websocket.is_upgrade)
        words = "send Authorization: Bearer and a token, or offer troupe.token. or troupe.ticket. and the secret among "
                "the subprotocols";
    api_refuse(req, TROUPE_E_UNAUTHORIZED, presented->field, "%s", words);
    return false;
}

static bool take_rate(struct api_request *req)
{
    return api_take_rate(req, access_take_rate(req->token, req->now_ms),
                         "the token's rate is used up; wait, or send less often");
}

bool identify_request(struct api_request *req)
{
    struct access *access = req->env->access;
    if (!access_is_on(access) || req->route->scope == ACCESS_PUBLIC || req->route->target == API_TARGET_SECRET)
        return true;
    struct presented presented = find(req);
    if (!presented.is_ticket && is_remembered(req->identity, presented.secret)) {
        req->token = req->identity->token;
        return take_rate(req);
    }
    if (presented.secret.ptr == NULL ||
        access_identify(access, presented.secret, presented.is_ticket, req->now_ms, &req->token) != 0)
        return refuse(req, &presented);
    if (!presented.is_ticket)
        remember(req->identity, presented.secret, req->token);
    else if (req->identity != NULL && req->identity->token == req->token)
        access_token_drop(req->token); /* the memory holds it already; identify_end leaves that hold alone */
    return take_rate(req);
}
