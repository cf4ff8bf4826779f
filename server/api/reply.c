/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/check.h"
#include "api/router.h"

enum { PROBLEM_BYTES = 6144, RETRY_AFTER_MS = 1000 };

static const char problem_type[] = "application/problem+json";

void api_reply(struct api_request *req, unsigned status, const char *content_type, const void *body, size_t len,
               enum api_body owner, const struct api_header *headers, unsigned headers_count)
{
    struct api_response response = {
        .status = status, .content_type = content_type, .body = body, .len = len, .owner = owner,
        .headers = headers, .headers_count = headers_count,
    };
    req->is_answered = true;
    req->transport->send(req, &response);
}

void api_reply_empty(struct api_request *req, unsigned status, const struct api_header *headers,
                     unsigned headers_count)
{
    api_reply(req, status, NULL, "", 0, API_STATIC, headers, headers_count);
}

/* Answer with bytes from malloc; NULL is no_memory. */
static void reply_document(struct api_request *req, unsigned status, char *bytes, size_t len,
                           const struct api_header *headers, unsigned headers_count)
{
    if (bytes != NULL)
        api_reply(req, status, "application/json", bytes, len, API_MALLOCED, headers, headers_count);
    else
        api_refuse(req, TROUPE_E_NO_MEMORY, NULL, "there was no memory for the answer; try again later");
}

void api_reply_json(struct api_request *req, unsigned status, json_t *document, const struct api_header *headers,
                    unsigned headers_count)
{
    char *bytes = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    reply_document(req, status, bytes, bytes != NULL ? strlen(bytes) : 0, headers, headers_count);
}

void api_reply_text(struct api_request *req, unsigned status, struct text *document, const struct api_header *headers,
                    unsigned headers_count)
{
    size_t len = 0;
    char *bytes = text_take(document, &len);
    reply_document(req, status, bytes, len, headers, headers_count);
}

unsigned api_retry_after(int error)
{
    const troupe_error_info *info = troupe_error_lookup(error);
    bool is_busy = info->http_status == 429 || info->http_status == 503;
    return is_busy ? RETRY_AFTER_MS / 1000 : 0;
}

static void add_member(struct text *document, const char *key, troupe_view value)
{
    text_printf(document, ",\"%s\":", key);
    text_add_json(document, value);
}

/* The code: of the table, and behind it that of the behavior. */
static void add_code(struct text *document, const struct api_problem *problem)
{
    text_add_str(document, troupe_error_lookup(problem->error)->code);
    if (problem->error == TROUPE_E_APP) {
        text_add_str(document, ".");
        text_add_view(document, problem->app_code);
    }
}

unsigned api_problem_write_members(const struct api_problem *problem, struct text *document)
{
    const troupe_error_info *info = troupe_error_lookup(problem->error);
    bool is_app = problem->error == TROUPE_E_APP;
    unsigned status = is_app && problem->app_status != 0 ? problem->app_status : (unsigned)info->http_status;
    /* Of a batch that was taken in part, "as it is" would send its first lines twice. */
    bool is_partial = problem->is_batch && problem->accepted > 0;
    enum troupe_outcome outcome = is_partial ? TROUPE_OUTCOME_UNKNOWN : info->outcome;
    enum troupe_retry retry = is_partial && info->retry == TROUPE_RETRY_YES ? TROUPE_RETRY_IF_IDEMPOTENT : info->retry;
    text_printf(document, "\"title\":\"%s\",\"status\":%u", info->text, status);
    add_member(document, "detail", problem->detail.len > 0 ? problem->detail : troupe_view_of(info->text));
    text_add_str(document, ",\"code\":\"");
    add_code(document, problem);
    text_printf(document, "\",\"retry\":\"%s\",\"outcome\":\"%s\"", troupe_retry_word(retry),
                troupe_outcome_word(outcome));
    if (api_retry_after(problem->error) > 0)
        text_printf(document, ",\"retry_after_ms\":%u",
                    problem->retry_after_ms > 0 ? problem->retry_after_ms : (unsigned)RETRY_AFTER_MS);
    if (problem->field != NULL)
        add_member(document, "field", troupe_view_of(problem->field));
    if (troupe_ref_is_actor(problem->actor)) {
        char ref[TROUPE_REF_TEXT_MAX];
        troupe_ref_format(problem->actor, ref);
        add_member(document, "actor", troupe_view_of(ref));
    }
    if (problem->is_batch)
        text_printf(document, ",\"accepted\":%lld", (long long)problem->accepted);
    return status;
}

unsigned api_problem_write(const struct api_problem *problem, struct text *document)
{
    text_add_str(document, "{\"type\":\"urn:troupe:error:");
    add_code(document, problem);
    text_add_str(document, "\",");
    unsigned status = api_problem_write_members(problem, document);
    text_add_str(document, "}");
    return status;
}

/* What a 401 asks for: the registry's routes take the cluster's secret, all others a token. */
static const char *challenge(const struct api_request *req)
{
    bool wants_secret = req->route != NULL && req->route->target == API_TARGET_SECRET;
    return wants_secret ? "Troupe-HMAC" : "Bearer realm=\"troupe\"";
}

void api_reply_problem(struct api_request *req, const struct api_problem *problem)
{
    char buf[PROBLEM_BYTES];
    struct text document;
    text_init_fixed(&document, buf, sizeof buf);
    unsigned status = api_problem_write(problem, &document);
    access_note_refusal(req->env->access, problem->error);
    if (document.failed) {
        struct api_problem short_problem = *problem;
        short_problem.detail = (troupe_view){0};
        short_problem.field = NULL;
        text_init_fixed(&document, buf, sizeof buf);
        status = api_problem_write(&short_problem, &document);
    }
    struct api_header headers[6];
    unsigned count = 0;
    char seconds[16];
    if (problem->error == TROUPE_E_UPGRADE) {
        headers[count++] = (struct api_header){"Upgrade", "websocket"};
        headers[count++] = (struct api_header){"Sec-WebSocket-Version", "13"};
    }
    if (problem->allow != NULL)
        headers[count++] = (struct api_header){"Allow", problem->allow};
    if (status == 401)
        headers[count++] = (struct api_header){"WWW-Authenticate", challenge(req)};
    if (api_retry_after(problem->error) > 0) {
        unsigned wanted = (problem->retry_after_ms + 999) / 1000;
        snprintf(seconds, sizeof seconds, "%u", wanted > 0 ? wanted : api_retry_after(problem->error));
        headers[count++] = (struct api_header){"Retry-After", seconds};
    }
    struct api_response response = {
        .status = status, .content_type = problem_type, .body = buf, .len = document.len, .owner = API_COPY,
        .headers = headers, .headers_count = count, .close = problem->close,
    };
    req->is_answered = true;
    req->transport->send(req, &response);
}

void api_refuse(struct api_request *req, int error, const char *field, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    struct api_problem problem = {
        .error = error, .field = field,
        .detail = {detail, (size_t)len < sizeof detail ? (size_t)len : sizeof detail - 1},
    };
    api_reply_problem(req, &problem);
}

void api_refuse_body(struct api_request *req, const struct check_fault *fault)
{
    api_refuse(req, fault->error, fault->field[0] != '\0' ? fault->field : NULL, "%s", fault->detail);
}

bool api_take_rate(struct api_request *req, uint32_t wait_ms, const char *words)
{
    if (wait_ms == 0)
        return true;
    struct api_problem problem = {
        .error = TROUPE_E_RATE, .retry_after_ms = wait_ms, .detail = troupe_view_of(words),
    };
    api_reply_problem(req, &problem);
    return false;
}

/* What to do about the errors of the core that come without words. */
static const char *remedy(int error)
{
    switch (error) {
    case TROUPE_E_NO_MEMORY:    return "the node found no memory for this; try again later";
    case TROUPE_E_LIMIT:        return "the node has as many of these as it may; end some, or try again later";
    case TROUPE_E_NOT_FOUND:    return "no actor was ever issued this reference; GET /v1/actors lists those that live";
    case TROUPE_E_GONE:         return "the actor has ended, and references are not used again; spawn another one";
    case TROUPE_E_FULL:         return "the actor does not keep up; send again later, or give it a larger mailbox";
    case TROUPE_E_NAME_TAKEN:   return "another actor has the name; use it, take another name, or spawn with "
                                       "\"if_exists\":\"return\"";
    case TROUPE_E_UNKNOWN_TYPE: return "the actor's behavior does not take this message type; GET /v1/behaviors lists "
                                       "the types";
    case TROUPE_E_DRAINING:     return "the actor or the node takes no more work; use another one";
    case TROUPE_E_OVERLOADED:   return "the node is over 80 % of its memory budget; try again later";
    case TROUPE_E_TOO_LARGE:    return "the message is larger than actors take; send less";
    case TROUPE_E_STOPPED:      return "the actor stopped before it came to the message; spawn another one";
    case TROUPE_E_ENDED:        return "the actor ended and still owed this reply; look whether it did what was asked";
    case TROUPE_E_KILLED:       return "the actor was killed while the call was with it; look whether it did what was "
                                       "asked";
    case TROUPE_E_NO_REPLY:     return "the actor handled the message and did not reply; cast to it instead";
    case TROUPE_E_SHED:         return "a newer message took the place in the full mailbox; send again later";
    case TROUPE_E_TIMEOUT:      return "no reply before the deadline; give it more time with the parameter timeout";
    case TROUPE_E_ACTOR_FAILED: return "the actor ended over this message and said no more; the log of the node may";
    case TROUPE_E_START_FAILED: return "the actor ended in its start and said no more; the log of the node may";
    case TROUPE_E_START_TIMEOUT:
        return "its start took too long and was ended; give it more time with start_timeout_ms";
    case TROUPE_E_NOT_RUNNING:  return "the actor has not ended its start, or has begun to end; look at its state";
    case TROUPE_E_NO_VIEW:
        return "the behavior of this actor has no view; GET /v1/behaviors lists read-only types";
    case TROUPE_E_APP:          return "the behavior gave this code and no more words; its documentation explains the "
                                       "code";
    case TROUPE_E_SCHEMA:
    case TROUPE_E_INVALID:
    case TROUPE_E_MALFORMED:    return "the behavior did not take the body; GET /v1/behaviors tells what it takes";
    default:                    return "this should not happen; the log of the node may say more";
    }
}

/* The field of the request that such an error is about. */
static const char *field_at_fault(int error)
{
    switch (error) {
    case TROUPE_E_NOT_FOUND:
    case TROUPE_E_GONE:
    case TROUPE_E_STOPPED:      return "ref";
    case TROUPE_E_NAME_TAKEN:   return "name";
    case TROUPE_E_UNKNOWN_TYPE: return "type";
    case TROUPE_E_TOO_LARGE:    return "body";
    default:                    return NULL;
    }
}

bool api_is_draining(const struct api_env *env)
{
    return atomic_load_explicit(&env->health->phase, memory_order_relaxed) >= API_DRAINING;
}

struct api_problem api_problem_from(const struct api_env *env, int error)
{
    if ((error == TROUPE_E_NOT_FOUND || error == TROUPE_E_GONE) && api_is_draining(env))
        return (struct api_problem){
            .error = TROUPE_E_DRAINING,
            .detail = troupe_view_of("this actor is not here, and the node is ending its actors; use another node"),
        };
    return (struct api_problem){
        .error = error, .field = field_at_fault(error), .detail = troupe_view_of(remedy(error)),
    };
}

struct api_problem api_problem_of(const struct api_request *req, int error)
{
    return api_problem_from(req->env, error);
}

void api_reply_body(struct api_request *req, const troupe_answer *answer)
{
    static const struct api_header headers[] = {
        {"Content-Security-Policy", "sandbox; default-src 'none'"}, {"X-Content-Type-Options", "nosniff"},
    };
    if (answer->content_type == NULL)
        api_reply(req, 200, "application/json", answer->body.ptr, answer->body.len, API_COPY, NULL, 0);
    else
        api_reply(req, 200, answer->content_type, answer->body.ptr, answer->body.len, API_COPY, headers, 2);
}

void api_reply_answer(struct api_request *req, const troupe_answer *answer, troupe_ref actor)
{
    struct api_problem problem = api_problem_of(req, answer->error);
    if (answer->detail.len > 0)
        problem.detail = answer->detail;
    problem.actor = actor;
    problem.app_status = answer->app_status;
    problem.app_code = answer->app_code;
    api_reply_problem(req, &problem);
}

void api_hand_over(struct api_request *req, const struct api_takeover *to)
{
    access_token_hold(req->token);
    int error = req->transport->take_over(req, to);
    if (error == 0) {
        req->is_answered = true;
        return;
    }
    access_token_drop(req->token);
    struct api_problem problem = api_problem_of(req, error);
    problem.actor = to->ref;
    problem.close = error == TROUPE_E_INVALID;
    if (error == TROUPE_E_INVALID)
        problem.detail = troupe_view_of("send nothing behind an upgrade before it is answered");
    if (error == TROUPE_E_LIMIT)
        problem.detail = troupe_view_of("the token has as many sessions and streams as it may; close one");
    api_reply_problem(req, &problem);
}

void api_refuse_name(struct api_request *req, const char *field, troupe_view name)
{
    if (api_is_draining(req->env)) {
        struct api_problem problem = api_problem_of(req, TROUPE_E_NOT_FOUND);
        api_reply_problem(req, &problem);
        return;
    }
    int len = (int)(name.len < TROUPE_NAME_BYTES_MAX ? name.len : TROUPE_NAME_BYTES_MAX);
    api_refuse(req, TROUPE_E_NOT_FOUND, field, "no actor has the name %.*s; GET /v1/names lists those there are", len,
               name.ptr);
}
