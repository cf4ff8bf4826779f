/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/actors/{ref}/cast/{type} and /call/{type}. Bodies pass through untouched, with their content type; those of a
 * type that has a schema are checked first, whatever their content type says. */
#include <string.h>

#include "api/contract.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/router.h"
#include "api/timers.h"
#include "base/media.h"

enum { BATCH_LINES_MAX = 10000 };

static const char type_rule[] = "a message type is 1 to 64 of A-Z a-z 0-9 _ . : -";

/* A type that no actor could take. */
static bool check_type(struct api_request *req)
{
    if (req->params[1].len <= TROUPE_TYPE_BYTES_MAX)
        return true;
    api_refuse(req, TROUPE_E_INVALID, "type", "%s", type_rule);
    return false;
}

/* Say which behavior does not take the type, and what it takes. A behavior that takes any refuses only what is none. */
static void refuse_type(struct api_request *req, const troupe_behavior *behavior)
{
    if ((behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) != 0)
        api_refuse(req, TROUPE_E_UNKNOWN_TYPE, "type", "%s; GET /v1/behaviors/%s lists those of the behavior",
                   type_rule, behavior->name);
    else
        api_refuse(req, TROUPE_E_UNKNOWN_TYPE, "type",
                   "the behavior %s does not take the type %.*s; GET /v1/behaviors/%s lists its types", behavior->name,
                   (int)req->params[1].len, req->params[1].ptr, behavior->name);
}

/* ---- bodies ---- */

static void refuse_body(struct api_request *req, const struct schema_fault *fault)
{
    api_refuse(req, fault->error, fault->error == TROUPE_E_SCHEMA ? fault->pointer : NULL, "%s", fault->detail);
}

/* Does the body fit the schema of its type? False: it does not, and that was answered. */
static bool check_body(struct api_request *req)
{
    struct schema_fault fault;
    const struct schema *schema = contract_of_body(req->env->system, req->actor, req->params[1]);
    if (schema == NULL || schema_check(schema, (troupe_view){req->body, req->body_len}, &fault) == 0)
        return true;
    refuse_body(req, &fault);
    return false;
}

/* An answer of the core that is an error. */
static void refuse(struct api_request *req, const troupe_answer *answer)
{
    troupe_peek peek;
    if (answer->error == TROUPE_E_UNKNOWN_TYPE && answer->detail.len == 0 &&
        troupe_system_peek(req->env->system, req->actor, &peek) == 0)
        refuse_type(req, peek.behavior);
    else
        api_reply_answer(req, answer, (troupe_ref){0});
}

/* ---- call ---- */

static void call_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    if (answer->error != 0)
        refuse(req, answer);
    else if (answer->body.len == 0)
        api_reply_empty(req, 204, NULL, 0);
    else
        api_reply_body(req, answer);
}

static void call(struct api_request *req)
{
    uint32_t timeout_ms = 0;
    if (!check_body(req))
        return;
    if (req->query_count > 0 && !api_query_duration(req, "timeout", 1, TROUPE_CALL_TIMEOUT_MS_MAX, &timeout_ms))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_call(req->worker, &req->core, call_done, req->actor, req->params[1],
                        troupe_body_bytes(req->body, req->body_len, req->content_type),
                        (troupe_caller){.subject = access_subject(req->token)}, timeout_ms);
}

void calls_call(struct api_request *req)
{
    if (check_type(req) && api_resolve(req, req->params[0], &req->actor))
        call(req);
}

static const troupe_type *find_type(const troupe_behavior *behavior, troupe_view name)
{
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        if (troupe_view_equal(name, troupe_view_of(behavior->types[i].name)))
            return &behavior->types[i];
    }
    return NULL;
}

/* GET: only for types that change nothing. */
void calls_read(struct api_request *req)
{
    troupe_peek peek;
    if (!check_type(req) || !api_resolve(req, req->params[0], &req->actor))
        return;
    int error = troupe_system_peek(req->env->system, req->actor, &peek);
    if (error != 0) {
        refuse(req, &(troupe_answer){.error = error});
        return;
    }
    const troupe_type *type = find_type(peek.behavior, req->params[1]);
    if (type == NULL && (peek.behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) == 0) {
        refuse_type(req, peek.behavior);
        return;
    }
    if (type == NULL || (type->flags & TROUPE_TYPE_READ_ONLY) == 0) {
        struct api_problem problem = {
            .error = TROUPE_E_BAD_METHOD, .allow = "POST, OPTIONS",
            .detail = troupe_view_of("this message type may change the actor; call it with POST"),
        };
        api_reply_problem(req, &problem);
        return;
    }
    req->body_len = 0;
    call(req);
}

/* ---- cast ---- */

static void reply_accepted(struct api_request *req, uint64_t count)
{
    char buf[48];
    struct text body;
    text_init_fixed(&body, buf, sizeof buf);
    text_add_str(&body, "{\"accepted\":");
    text_add_u64(&body, count);
    text_add_str(&body, "}");
    api_reply(req, 202, "application/json", buf, body.len, API_COPY, NULL, 0);
}

static int cast_one(struct api_request *req, const char *body, size_t len, const char *content_type)
{
    return troupe_worker_cast(req->worker, req->actor, req->params[1], troupe_body_bytes(body, len, content_type),
                              (troupe_caller){.subject = access_subject(req->token)});
}

/* The next line of a batch that is not empty, without its end. */
static troupe_view next_line(const char **at, const char *end)
{
    troupe_view line = {*at, 0};
    while (*at < end && line.len == 0) {
        const char *stop = memchr(*at, '\n', (size_t)(end - *at));
        if (stop == NULL)
            stop = end;
        line = (troupe_view){*at, (size_t)(stop - *at)};
        while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
            line.len--;
        *at = stop < end ? stop + 1 : end;
    }
    return line;
}

/* fault: of the line, or NULL. */
static void refuse_batch(struct api_request *req, int error, const struct schema_fault *fault, int64_t accepted)
{
    char detail[384];
    struct text words;
    struct api_problem problem = api_problem_of(req, error);
    if (fault != NULL) {
        problem.detail = troupe_view_of(fault->detail);
        problem.field = error == TROUPE_E_SCHEMA ? fault->pointer : NULL;
    }
    text_init_fixed(&words, detail, sizeof detail);
    if (accepted == BATCH_LINES_MAX)
        text_printf(&words, "a batch has at most %d lines; send the rest in another request", BATCH_LINES_MAX);
    else
        text_printf(&words, "line %lld was refused: %.*s; those before it were taken, those after it were not sent",
                    (long long)accepted + 1, (int)problem.detail.len, problem.detail.ptr);
    problem.detail = (troupe_view){detail, words.len};
    problem.is_batch = true;
    problem.accepted = accepted;
    api_reply_problem(req, &problem);
}

/* One body a line: all are offered in order until one is refused. */
static void cast_batch(struct api_request *req)
{
    const char *at = req->body;
    const char *end = req->body + req->body_len;
    const struct schema *schema = contract_of_body(req->env->system, req->actor, req->params[1]);
    struct schema_fault fault;
    bool fits = true;
    int error = 0;
    int64_t accepted = 0;
    troupe_view line;
    while (error == 0 && (line = next_line(&at, end)).len > 0) {
        if (accepted == BATCH_LINES_MAX)
            error = TROUPE_E_TOO_LARGE;
        else if (schema != NULL && (error = schema_check(schema, line, &fault)) != 0)
            fits = false;
        else
            error = cast_one(req, line.ptr, line.len, NULL);
        accepted += error == 0 ? 1 : 0;
    }
    if (error == 0)
        reply_accepted(req, (uint64_t)accepted);
    else
        refuse_batch(req, error, fits ? NULL : &fault, accepted);
}

void calls_cast(struct api_request *req)
{
    uint32_t delay_ms = 0;
    if (req->query_count > 0 && !api_query_duration(req, "delay", 0, TIMERS_DELAY_MS_MAX, &delay_ms))
        return;
    if (!check_type(req) || !api_resolve(req, req->params[0], &req->actor))
        return;
    if (req->content_type != NULL && media_is(req->content_type, "application/x-ndjson")) {
        if (delay_ms > 0)
            api_refuse(req, TROUPE_E_INVALID, "delay", "a batch cannot be delayed; send its lines one by one");
        else
            cast_batch(req);
        return;
    }
    if (!check_body(req))
        return;
    if (delay_ms > 0) {
        timers_cast_later(req, delay_ms);
        return;
    }
    int error = cast_one(req, req->body, req->body_len, req->content_type);
    if (error == 0)
        reply_accepted(req, 1);
    else
        refuse(req, &(troupe_answer){.error = error});
}
