/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/actors. The args of the actor are passed on as the bytes they came in.
 *
 * The happy path: the body is checked, the core spawns, its `done` comes when init has ended, and the actor's info is
 * asked for, so that 201 carries the same document as GET. The failure modes: the name is taken (409 with the holder,
 * or 200 with if_exists=return); init fails or is late (the core's error); the actor ended before its info was there
 * (201 still, with what is known). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/actor_doc.h"
#include "api/audit.h"
#include "api/authorize.h"
#include "api/check.h"
#include "api/contract.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/spawn_body.h"
#include "route/place.h"

enum { INFO_TIMEOUT_MS = 1000 };

static void reply_actor(struct api_request *req, struct text *document)
{
    char location[sizeof "/v1/actors/" + TROUPE_REF_TEXT_MAX] = "/v1/actors/";
    troupe_ref_format(req->actor, location + strlen(location));
    const struct api_header headers[] = {{"Location", location}};
    bool is_new = req->flags != IF_EXISTS_RETURN;
    api_reply_text(req, is_new ? 201 : 200, document, headers, is_new ? 1 : 0);
}

/* An actor at which this node cannot look: it has ended, or it has this name at another node. */
static void write_known(struct text *document, troupe_ref ref, const char *name, enum troupe_actor_state state)
{
    char node[TROUPE_HOME_TEXT_MAX];
    text_add_str(document, "{\"ref\":");
    actor_doc_ref(document, ref);
    if (name != NULL) {
        troupe_home_format(ref.home, node);
        text_add_str(document, ",\"name\":");
        text_add_json(document, troupe_view_of(name));
        text_add_str(document, ",\"node\":");
        text_add_json(document, troupe_view_of(node));
    }
    text_add_str(document, ",\"state\":");
    text_add_json(document, troupe_view_of(troupe_actor_state_word(state)));
    text_add_str(document, "}");
}

static void info_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct text document = {0};
    troupe_peek peek;
    if (answer->error == 0) {
        actor_doc_full(&document, req->env, answer->info, req->now_ms);
    } else if (troupe_system_peek(req->env->system, req->actor, &peek) == 0) {
        actor_doc_short(&document, req->env, &peek, req->now_ms);
    } else if (req->flags == IF_EXISTS_RETURN) {
        api_reply_answer(req, answer, req->actor);
        return;
    } else {
        write_known(&document, req->actor, NULL, TROUPE_STATE_STOPPED);
    }
    reply_actor(req, &document);
}

/* ---- the holder of a name is at another node ---- */

static bool is_here(const struct api_request *req)
{
    return troupe_home_equal(req->actor.home, troupe_system_home(req->env->system));
}

/* This node cannot look at it; that it holds the name says that it runs. */
static void reply_elsewhere(struct api_request *req, const char *name)
{
    struct text document = {0};
    write_known(&document, req->actor, name, TROUPE_STATE_RUNNING);
    reply_actor(req, &document);
}

/* ---- looking at what was spawned ---- */

static void ask_info(struct api_request *req)
{
    req->more = (troupe_request){.user = req};
    req->has_more = true;
    troupe_request_info(req->worker, &req->more, info_done, req->actor, INFO_TIMEOUT_MS);
}

static void refuse_spawn(struct api_request *req, const troupe_answer *answer, const struct spawn_body *body)
{
    if (answer->error != TROUPE_E_NAME_TAKEN) {
        api_reply_answer(req, answer, (troupe_ref){0});
        return;
    }
    char detail[TROUPE_NAME_BYTES_MAX + 128];
    int len = snprintf(detail, sizeof detail, "another actor has the name %s; use it, take another name, or spawn with "
                                              "\"if_exists\":\"return\"", body->name);
    troupe_answer taken = {.error = answer->error, .detail = {detail, (size_t)len}};
    api_reply_answer(req, &taken, answer->ref);
}

/* The name is taken by an actor that this token may neither read nor spawn: that much is told, since a name can be had
 * once, but not by which. */
static void refuse_hidden(struct api_request *req)
{
    api_refuse(req, TROUPE_E_NAME_TAKEN, "name", "the name is taken by an actor that this token may not see; take "
                                                 "another name");
}

static void spawn_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct spawn_body body = {0};
    struct check_fault fault;
    req->actor = answer->ref;
    /* The body is still there, and was fine before: it is read again rather than kept in every request. */
    bool is_read = spawn_body_read(req->body, req->body_len, &body, &fault) == 0;
    bool is_taken = answer->error == TROUPE_E_NAME_TAKEN;
    bool is_hidden = is_taken && !authorize_holder(req->env->system, req->token, answer->ref,
                                                   troupe_view_of(body.name));
    if (is_taken && !is_hidden && req->flags == IF_EXISTS_RETURN && troupe_ref_is_actor(answer->ref)) {
        if (is_here(req))
            ask_info(req);
        else
            reply_elsewhere(req, body.name);
        return;
    }
    req->flags = 0;
    audit_log(req, "spawn", answer->ref, is_read ? body.behavior : NULL, (troupe_view){"", 0}, answer->error);
    if (answer->error == 0)
        ask_info(req);
    else if (is_hidden)
        refuse_hidden(req);
    else
        refuse_spawn(req, answer, &body);
}

static bool check_name(struct api_request *req, const char *name)
{
    if (check_is_name(troupe_view_of(name)))
        return true;
    api_refuse(req, TROUPE_E_SCHEMA, "name", "%s", check_name_rule);
    return false;
}

/* The args against the schema of the behavior. */
static bool check_args(struct api_request *req, const struct spawn_body *body)
{
    char field[sizeof "/args" + SCHEMA_POINTER_BYTES];
    struct schema_fault fault;
    const struct schema *schema = contract_of_args(req->env->system, troupe_view_of(body->behavior));
    if (schema == NULL || schema_check(schema, body->args, &fault) == 0)
        return true;
    snprintf(field, sizeof field, "/args%s", fault.pointer);
    audit_log(req, "spawn", (troupe_ref){0}, body->behavior, (troupe_view){"", 0}, fault.error);
    api_refuse(req, fault.error, field, "args: %s", fault.detail);
    return false;
}

static void refuse_right(struct api_request *req, const struct spawn_body *body)
{
    if (body->name[0] == '\0' || access_name_is_allowed(req->token, troupe_view_of(body->name))) {
        authorize_refuse(req);
        return;
    }
    audit_refusal(req, req->route->operation);
    api_refuse(req, TROUPE_E_FORBIDDEN, "name", "the token %s may only give names that begin with its name_prefix",
               access_token_id(req->token));
}

/* ---- a name that the registry has to give first ---- */

/* What must live until the actor has started. */
struct naming {
    struct place_request place;
    troupe_spawn_opts opts;
    char name[TROUPE_NAME_BYTES_MAX];
};

static void forget(struct api_request *req)
{
    struct naming *naming = req->waiting;
    req->waiting = NULL;
    place_cancel(&naming->place);
    free(naming);
}

static void named_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    free(req->waiting);
    req->waiting = NULL;
    req->cancelled = NULL;
    spawn_done(core, answer);
}

static void spawn_in_cluster(struct api_request *req, const troupe_spawn_opts *opts)
{
    struct naming *naming = calloc(1, sizeof *naming);
    if (naming == NULL) {
        spawn_done(&req->core, &(troupe_answer){.error = TROUPE_E_NO_MEMORY});
        return;
    }
    naming->opts = *opts;
    naming->opts.behavior = troupe_system_behavior(req->env->system, troupe_view_of(opts->behavior))->name;
    memcpy(naming->name, opts->name.ptr, opts->name.len);
    naming->opts.name = (troupe_view){naming->name, opts->name.len};
    req->waiting = naming;
    req->cancelled = forget;
    place_spawn(req->env->place, req->worker, &naming->place, &req->core, named_done, &naming->opts);
}

void actors_spawn(struct api_request *req)
{
    struct spawn_body body = {0};
    struct check_fault fault;
    if (spawn_body_read(req->body, req->body_len, &body, &fault) != 0) {
        api_refuse_body(req, &fault);
        return;
    }
    if (!check_name(req, body.name))
        return;
    if (!authorize_spawn(req->token, troupe_view_of(body.behavior), troupe_view_of(body.name))) {
        refuse_right(req, &body);
        return;
    }
    if (troupe_system_behavior(req->env->system, troupe_view_of(body.behavior)) == NULL) {
        api_refuse(req, TROUPE_E_UNKNOWN_BEHAVIOR, "behavior",
                   "this node has no behavior %s; GET /v1/behaviors lists what it has", body.behavior);
        return;
    }
    if (!check_args(req, &body))
        return;
    troupe_spawn_opts opts = spawn_body_opts(&body);
    opts.caller.subject = access_subject(req->token);
    req->flags = body.if_exists;
    req->core = (troupe_request){.user = req};
    if (opts.name.len > 0 && req->env->place != NULL && place_asks(req->env->place))
        spawn_in_cluster(req, &opts);
    else
        troupe_request_spawn(req->worker, &req->core, spawn_done, &opts);
}
