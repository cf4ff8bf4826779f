/* SPDX-License-Identifier: Apache-2.0 */
#include "api/authorize.h"

#include <stdio.h>

#include "api/audit.h"
#include "api/reply.h"
#include "api/router.h"

static const struct access_target everything;

bool authorize_actor(troupe_system *system, const struct access_token *token, enum access_scope scope, troupe_ref ref,
                     troupe_view name, troupe_view type)
{
    struct access_target target = {.name = name, .type = type};
    troupe_peek peek;
    if (token == NULL || access_allows(token, scope, &everything))
        return true; /* the common case looks at no actor */
    if (!troupe_ref_is_actor(ref) || troupe_system_peek(system, ref, &peek) != 0)
        return access_allows(token, scope, &target);
    target.behavior = troupe_view_of(peek.behavior->name);
    if (name.len > 0 && access_allows(token, scope, &target))
        return true;
    target.name = troupe_view_of(peek.name);
    return access_allows(token, scope, &target);
}

bool authorize_spawn(const struct access_token *token, troupe_view behavior, troupe_view name)
{
    const struct access_target target = {.behavior = behavior, .name = name};
    return access_allows(token, ACCESS_SPAWN, &target) && (name.len == 0 || access_name_is_allowed(token, name));
}

bool authorize_holder(troupe_system *system, const struct access_token *token, troupe_ref holder, troupe_view name)
{
    const troupe_view any_type = {"", 0};
    return authorize_actor(system, token, ACCESS_READ, holder, name, any_type) ||
           authorize_actor(system, token, ACCESS_SPAWN, holder, name, any_type);
}

void authorize_words(const struct access_token *token, enum access_scope scope,
                     char words[static AUTHORIZE_WORDS_BYTES])
{
    snprintf(words, AUTHORIZE_WORDS_BYTES, "the token %s has no grant of the scope %s that covers this, or there is no "
             "such thing; whoever keeps the file of tokens can add a grant", access_token_id(token),
             access_scope_word(scope));
}

void authorize_refuse(struct api_request *req)
{
    char words[AUTHORIZE_WORDS_BYTES];
    if (req->route->scope == ACCESS_SPAWN || req->route->scope == ACCESS_STOP || req->route->scope == ACCESS_ADMIN)
        audit_refusal(req, req->route->operation);
    authorize_words(req->token, req->route->scope, words);
    api_refuse(req, TROUPE_E_FORBIDDEN, NULL, "%s", words);
}

bool authorize_request(struct api_request *req, troupe_ref ref, troupe_view name)
{
    troupe_view type = {"", 0};
    if (req->token == NULL)
        return true;
    if (req->message_type.ptr != NULL)
        type = req->message_type;
    else if (req->route->scope == ACCESS_MESSAGE && req->route->body == API_BODY_MESSAGE)
        type = req->params[1];
    else if (req->route->scope == ACCESS_MESSAGE && req->method == API_GET && req->params_count > 1)
        type = req->params[1];
    if (authorize_actor(req->env->system, req->token, req->route->scope, ref, name, type))
        return true;
    authorize_refuse(req);
    return false;
}

bool authorize_begin(struct api_request *req)
{
    const struct api_route *route = req->route;
    bool is_allowed = true;
    if (req->token == NULL)
        return true;
    if (route->target == API_TARGET_NODE) {
        is_allowed = access_allows(req->token, route->scope, &everything);
    } else if (route->target == API_TARGET_BEHAVIOR) {
        const struct access_target target = {.behavior = req->params[0]};
        is_allowed = access_allows(req->token, route->scope, &target);
    } else {
        is_allowed = access_allows_some(req->token, route->scope);
    }
    if (!is_allowed)
        authorize_refuse(req);
    return is_allowed;
}
