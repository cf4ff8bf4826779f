/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/actors/{ref}/state, /suspend, /resume and /trace: looking inside an actor and intervening. The stream of a trace
 * is in events.c. */
#include <string.h>

#include "api/actor_doc.h"
#include "api/audit.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/inspect.h"
#include "api/reply.h"
#include "api/resolve.h"

enum { TRACE_MESSAGES_DEFAULT = 100 };

void inspect_refuse(struct api_request *req, const troupe_answer *answer)
{
    if (answer->error == TROUPE_E_TIMEOUT)
        api_refuse(req, TROUPE_E_TIMEOUT, NULL, "a turn of the actor lasts longer than %d s; try again later",
                   INSPECT_TIMEOUT_MS / 1000);
    else
        api_reply_answer(req, answer, req->actor);
}

static void reply_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    if (answer->error == 0)
        api_reply_empty(req, 204, NULL, 0);
    else
        inspect_refuse(req, answer);
}

/* ---- state ---- */

static void state_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    troupe_peek peek;
    if (answer->error == TROUPE_E_NO_VIEW && troupe_system_peek(req->env->system, req->actor, &peek) == 0)
        api_refuse(req, TROUPE_E_NO_VIEW, NULL, "the behavior %s has no view; GET /v1/behaviors/%s lists its read-only "
                   "types", peek.behavior->name, peek.behavior->name);
    else if (answer->error != 0)
        inspect_refuse(req, answer);
    else
        api_reply_body(req, answer);
}

void inspect_state(struct api_request *req)
{
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_view(req->worker, &req->core, state_done, req->actor, INSPECT_TIMEOUT_MS);
}

/* ---- suspension ---- */

static void suspend_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    audit_log(req, req->flags != 0 ? "suspend" : "resume", req->actor, NULL, (troupe_view){"", 0}, answer->error);
    reply_done(core, answer);
}

static void ask_suspend(struct api_request *req, bool suspend)
{
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->flags = suspend;
    req->core = (troupe_request){.user = req};
    troupe_request_suspend(req->worker, &req->core, suspend_done, req->actor, suspend, INSPECT_TIMEOUT_MS);
}

void inspect_suspend(struct api_request *req) { ask_suspend(req, true); }

void inspect_resume(struct api_request *req) { ask_suspend(req, false); }

/* ---- traces ---- */

struct trace_body {
    uint32_t messages;
    uint32_t bodies;             /* index in switch_words */
};

static const struct check_field trace_fields[] = {
    {.name = "messages", .type = CHECK_UINT, .min = 1, .max = TROUPE_TRACE_MESSAGES_MAX,
     .offset = offsetof(struct trace_body, messages)},
    {.name = "bodies", .type = CHECK_BOOL, .offset = offsetof(struct trace_body, bodies)},
    {.name = NULL},
};

enum { WITH_BODIES = 1u << 31 }; /* in flags, above the number of messages */

static void trace_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    struct text document = {0};
    audit_log(req, "trace", req->actor, NULL, (troupe_view){"", 0}, answer->error);
    if (answer->error != 0) {
        inspect_refuse(req, answer);
        return;
    }
    text_add_str(&document, "{\"ref\":");
    actor_doc_ref(&document, req->actor);
    text_printf(&document, ",\"messages\":%u,\"bodies\":%s}", (unsigned)(req->flags & ~WITH_BODIES),
                (req->flags & WITH_BODIES) != 0 ? "true" : "false");
    api_reply_text(req, 200, &document, NULL, 0);
}

void inspect_trace(struct api_request *req)
{
    struct trace_body body = {.messages = TRACE_MESSAGES_DEFAULT};
    struct check_fault fault;
    if (req->body_len > 0 && check_object(req->body, req->body_len, trace_fields, &body, &fault) != 0) {
        api_refuse_body(req, &fault);
        return;
    }
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->flags = body.messages | (body.bodies != 0 ? WITH_BODIES : 0);
    req->core = (troupe_request){.user = req};
    troupe_request_trace(req->worker, &req->core, trace_done, req->actor, body.messages, body.bodies != 0,
                         INSPECT_TIMEOUT_MS);
}

void inspect_trace_stop(struct api_request *req)
{
    if (!api_resolve(req, req->params[0], &req->actor))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_trace(req->worker, &req->core, reply_done, req->actor, 0, false, INSPECT_TIMEOUT_MS);
}
