/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/actors/{ref}/cast/{type} and /call/{type}. Bodies pass through untouched, with their content type. */
#include <string.h>
#include <strings.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/router.h"

enum { BATCH_LINES_MAX = 10000 };

static const char ndjson[] = "application/x-ndjson";

/* ---- call ---- */

static void call_done(troupe_request *core, const troupe_answer *answer)
{
    struct api_request *req = core->user;
    if (answer->error != 0)
        api_reply_answer(req, answer, (troupe_ref){0});
    else if (answer->body.len == 0)
        api_reply_empty(req, 204, NULL, 0);
    else
        api_reply(req, 200, answer->content_type != NULL ? answer->content_type : "application/json",
                  answer->body.ptr, answer->body.len, API_COPY, NULL, 0);
}

static void call(struct api_request *req, troupe_ref ref)
{
    uint32_t timeout_ms = 0;
    if (req->query_count > 0 && !api_query_duration(req, "timeout", 1, TROUPE_CALL_TIMEOUT_MS_MAX, &timeout_ms))
        return;
    req->core = (troupe_request){.user = req};
    troupe_request_call(req->worker, &req->core, call_done, ref, req->params[1],
                        troupe_body_bytes(req->body, req->body_len, req->content_type), (troupe_view){"", 0},
                        timeout_ms);
}

void calls_call(struct api_request *req)
{
    troupe_ref ref;
    if (api_resolve(req, req->params[0], &ref))
        call(req, ref);
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
    troupe_ref ref;
    troupe_peek peek;
    if (!api_resolve(req, req->params[0], &ref))
        return;
    int error = troupe_system_peek(req->env->system, ref, &peek);
    if (error != 0) {
        troupe_answer answer = {.error = error};
        api_reply_answer(req, &answer, (troupe_ref){0});
        return;
    }
    const troupe_type *type = find_type(peek.behavior, req->params[1]);
    if (type == NULL && (peek.behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) == 0) {
        api_refuse(req, TROUPE_E_UNKNOWN_TYPE, "type", "the behavior %s does not take this type; GET "
                   "/v1/behaviors/%s lists its types", peek.behavior->name, peek.behavior->name);
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
    call(req, ref);
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

static int cast_one(struct api_request *req, troupe_ref ref, const char *body, size_t len, const char *content_type)
{
    return troupe_worker_cast(req->worker, ref, req->params[1], troupe_body_bytes(body, len, content_type),
                              (troupe_view){"", 0});
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

/* One body a line: all are offered in order until one is refused. */
static void cast_batch(struct api_request *req, troupe_ref ref)
{
    const char *at = req->body;
    const char *end = req->body + req->body_len;
    int error = 0;
    int64_t accepted = 0;
    troupe_view line;
    while (error == 0 && (line = next_line(&at, end)).len > 0) {
        if (accepted == BATCH_LINES_MAX)
            error = TROUPE_E_TOO_LARGE;
        else
            error = cast_one(req, ref, line.ptr, line.len, NULL);
        accepted += error == 0 ? 1 : 0;
    }
    if (error == 0) {
        reply_accepted(req, (uint64_t)accepted);
        return;
    }
    struct api_problem problem = {
        .error = error, .is_batch = true, .accepted = accepted,
        .detail = troupe_view_of(accepted == BATCH_LINES_MAX
                                     ? "a batch has at most 10000 lines; send the rest in another request"
                                     : "a line was refused; those before it were taken, those after it were not sent"),
    };
    api_reply_problem(req, &problem);
}

void calls_cast(struct api_request *req)
{
    troupe_ref ref;
    if (!api_resolve(req, req->params[0], &ref))
        return;
    if (req->content_type != NULL && strncasecmp(req->content_type, ndjson, sizeof ndjson - 1) == 0) {
        cast_batch(req, ref);
        return;
    }
    int error = cast_one(req, ref, req->body, req->body_len, req->content_type);
    if (error == 0) {
        reply_accepted(req, 1);
        return;
    }
    troupe_answer answer = {.error = error};
    api_reply_answer(req, &answer, (troupe_ref){0});
}
