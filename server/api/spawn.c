/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/actors. The args of the actor are passed on as the bytes they came in.
 *
 * The happy path: the body is checked, the core spawns, its `done` comes when init has ended, and the actor's info is
 * asked for, so that 201 carries the same document as GET. The failure modes: the name is taken (409 with the holder,
 * or 200 with if_exists=return); init fails or is late (the core's error); the actor ended before its info was there
 * (201 still, with what is known). */
#include <stdio.h>
#include <string.h>

#include "api/actor_doc.h"
#include "api/audit.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "base/utf8_text.h"

enum { INFO_TIMEOUT_MS = 1000, IF_EXISTS_RETURN = 1 };

struct spawn_body {
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char name[TROUPE_NAME_BYTES_MAX + 1];
    uint32_t if_exists;
    troupe_view args;
    uint32_t mailbox_messages, mailbox_bytes, mailbox_policy;
    uint32_t restart;
    uint32_t start_timeout_ms;
};

static const char *const if_exists_words[] = {"error", "return", NULL};
static const char *const policy_words[] = {"refuse", "drop_oldest", "drop_newest", NULL};
static const char *const restart_words[] = {"temporary", "transient", "permanent", NULL};

#define AT(member) .offset = offsetof(struct spawn_body, member)

static const struct check_field mailbox_fields[] = {
    {.name = "messages", .type = CHECK_UINT, .min = 1, .max = TROUPE_MAILBOX_MESSAGES_MAX, AT(mailbox_messages)},
    {.name = "bytes", .type = CHECK_UINT, .min = 1, .max = UINT32_MAX, AT(mailbox_bytes)},
    {.name = "policy", .type = CHECK_WORD, .words = policy_words, AT(mailbox_policy)},
    {.name = NULL},
};

static const struct check_field spawn_fields[] = {
    {.name = "behavior", .type = CHECK_TEXT, .required = true, .max = TROUPE_TYPE_BYTES_MAX, AT(behavior)},
    {.name = "name", .type = CHECK_TEXT, .max = TROUPE_NAME_BYTES_MAX, AT(name)},
    {.name = "if_exists", .type = CHECK_WORD, .words = if_exists_words, AT(if_exists)},
    {.name = "args", .type = CHECK_ANY, AT(args)},
    {.name = "mailbox", .type = CHECK_OBJECT, .fields = mailbox_fields},
    {.name = "restart", .type = CHECK_WORD, .words = restart_words, AT(restart)},
    {.name = "start_timeout_ms", .type = CHECK_UINT, .min = 1, .max = TROUPE_CALL_TIMEOUT_MS_MAX,
     AT(start_timeout_ms)},
    {.name = NULL},
};

static void reply_actor(struct api_request *req, json_t *document)
{
    char location[sizeof "/v1/actors/" + TROUPE_REF_TEXT_MAX] = "/v1/actors/";
    troupe_ref_format(req->actor, location + strlen(location));
    const struct api_header headers[] = {{"Location", location}};
    bool is_new = req->flags != IF_EXISTS_RETURN;
    api_reply_json(req, is_new ? 201 : 200, document, headers, is_new ? 1 : 0);
}

static void info_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    troupe_peek peek;
    if (answer->error == 0) {
        reply_actor(req, actor_doc_full(req->env, answer->info, req->now_ms));
    } else if (troupe_system_peek(req->env->system, req->actor, &peek) == 0) {
        reply_actor(req, actor_doc_short(req->env, &peek, req->now_ms));
    } else if (req->flags == IF_EXISTS_RETURN) {
        api_reply_answer(req, answer, req->actor);
    } else {
        json_t *ref = actor_doc_ref(req->actor);
        reply_actor(req, json_pack("{s:o, s:s}", "ref", ref, "state", troupe_actor_state_word(TROUPE_STATE_STOPPED)));
    }
}

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

static void spawn_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct spawn_body body = {0};
    struct check_fault fault;
    req->actor = answer->ref;
    if (answer->error == TROUPE_E_NAME_TAKEN && req->flags == IF_EXISTS_RETURN) {
        ask_info(req);
        return;
    }
    req->flags = 0;
    /* The body is still there, and was fine before: it is read again rather than kept in every request. */
    bool is_read = check_object(req->body, req->body_len, spawn_fields, &body, &fault) == 0;
    audit_log(req, "spawn", answer->ref, is_read ? body.behavior : NULL, (troupe_view){"", 0}, answer->error);
    if (answer->error == 0)
        ask_info(req);
    else
        refuse_spawn(req, answer, &body);
}

static bool check_name(struct api_request *req, const char *name)
{
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && utf8_is_clean(name, strlen(name)))
        return true;
    api_refuse(req, TROUPE_E_SCHEMA, "name", "a name has no control characters and is not . or ..");
    return false;
}

void actors_spawn(struct api_request *req)
{
    struct spawn_body body = {0};
    struct check_fault fault;
    if (check_object(req->body, req->body_len, spawn_fields, &body, &fault) != 0) {
        api_refuse(req, fault.error, fault.field[0] != '\0' ? fault.field : NULL, "%s", fault.detail);
        return;
    }
    if (!check_name(req, body.name))
        return;
    if (troupe_system_behavior(req->env->system, troupe_view_of(body.behavior)) == NULL) {
        api_refuse(req, TROUPE_E_UNKNOWN_BEHAVIOR, "behavior",
                   "this node has no behavior %s; GET /v1/behaviors lists what it has", body.behavior);
        return;
    }
    troupe_spawn_opts opts = {
        .behavior = body.behavior,
        .name = troupe_view_of(body.name),
        .args = body.args.len > 0 ? troupe_body_json(body.args.ptr, body.args.len) : troupe_body_none(),
        .mailbox_messages_max = body.mailbox_messages,
        .mailbox_bytes_max = body.mailbox_bytes,
        .mailbox_policy = (enum troupe_mailbox_policy)body.mailbox_policy,
        .start_timeout_ms = body.start_timeout_ms,
        .restart = (enum troupe_restart)body.restart,
    };
    req->flags = body.if_exists;
    req->core = (troupe_request){.user = req};
    troupe_request_spawn(req->worker, &req->core, spawn_done, &opts);
}
