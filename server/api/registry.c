/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes /v1/registry...: HTTP in front of registry/service.h. A request is made into one of the service, what comes
 * back into a reply with its proof. A watch waits without a thread of its own: the connection is suspended until the
 * service finishes it, or its client goes.
 *
 * The mac covers the canonical target: the path as the route table has it with each variable segment percent-encoded
 * anew, and the query in the order in which it came, encoded the same way. So what stands between node and registry may
 * write an escape in another way without breaking the mac.
 *
 * Thread: control. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/clock.h"
#include "base/units.h"
#include "registry/service.h"

enum { TARGET_BYTES = 1536, PROBLEM_BYTES = 4096 };

struct pending {
    struct service_request request;
    struct api_request *req;
    char target[TARGET_BYTES];
};

static struct pending *pending_of(struct service_request *request) { return (struct pending *)(void *)request; }

/* ---- out ---- */

static void reply_proven(struct api_request *req, const struct service_answer *answer, unsigned status,
                         const char *content_type, troupe_view body, enum api_body owner)
{
    char proof[AUTH_MAC_TEXT];
    struct api_header headers[3];
    unsigned count = 0;
    if (answer->nonce != NULL && answer->secret != NULL) {
        registry_auth_prove(answer->secret, answer->nonce, status, body, proof);
        headers[count++] = (struct api_header){"Troupe-Proof", proof};
    }
    if (status == 401)
        headers[count++] = (struct api_header){"WWW-Authenticate", "Troupe-HMAC"};
    if (answer->error != 0 && api_retry_after(answer->error) > 0)
        headers[count++] = (struct api_header){"Retry-After", "1"};
    api_reply(req, status, content_type, body.ptr != NULL ? body.ptr : "", body.len, owner, headers, count);
}

static void reply_problem(struct api_request *req, const struct service_answer *answer)
{
    char buf[PROBLEM_BYTES];
    struct text document;
    const struct api_problem problem = {
        .error = answer->error, .detail = troupe_view_of(answer->words), .field = answer->field, .actor = answer->actor,
    };
    text_init_fixed(&document, buf, sizeof buf);
    unsigned status = api_problem_write(&problem, &document);
    reply_proven(req, answer, status, "application/problem+json", (troupe_view){buf, document.len}, API_COPY);
}

static void finish(struct service_request *request, struct service_answer *answer)
{
    struct api_request *req = pending_of(request)->req;
    req->cancelled = NULL;
    if (answer->error != 0) {
        reply_problem(req, answer);
    } else if (answer->document == NULL) {
        reply_proven(req, answer, answer->status, NULL, (troupe_view){"", 0}, API_STATIC);
    } else {
        char *text = json_dumps(answer->document, JSON_COMPACT);
        if (text == NULL)
            api_refuse(req, TROUPE_E_NO_MEMORY, NULL, "there was no memory for the answer; try again later");
        else
            reply_proven(req, answer, answer->status, "application/json", troupe_view_of(text), API_MALLOCED);
    }
    free(request);
}

static void on_cancelled(struct api_request *req)
{
    struct pending *pending = req->waiting;
    registry_service_cancel(req->env->registry, &pending->request);
    free(pending);
}

/* ---- in ---- */

/* The target as the mac covers it. False: it is too long. */
static bool write_target(const struct api_request *req, char target[static TARGET_BYTES])
{
    struct text text;
    unsigned param = 0;
    text_init_fixed(&text, target, TARGET_BYTES);
    for (const char *at = req->route->path; *at != '\0';) {
        size_t len = strcspn(at, "{");
        text_add(&text, at, len);
        at += len;
        if (*at == '\0')
            break;
        text_add_escaped(&text, req->params[param++]);
        at += strcspn(at, "}") + 1;
    }
    for (unsigned i = 0; i < req->query_count; i++) {
        text_add_str(&text, i == 0 ? "?" : "&");
        text_add_escaped(&text, req->query[i].name);
        text_add_str(&text, "=");
        text_add_escaped(&text, req->query[i].value);
    }
    return !text.failed;
}

static bool read_u64(struct api_request *req, const char *name, uint64_t *ret_value)
{
    const troupe_view *text = api_query(req, name);
    if (text == NULL || units_parse_u64(*text, INT64_MAX, ret_value) == 0)
        return true;
    api_refuse(req, TROUPE_E_INVALID, name, "%s must be a whole number", name);
    return false;
}

static bool read_query(struct api_request *req, struct service_request *request)
{
    const troupe_view *wait = api_query(req, "wait"), *ref = api_query(req, "ref"), *nonce = api_query(req, "nonce");
    if (wait != NULL && units_parse_duration(*wait, SERVICE_WAIT_MS_MAX, &request->wait_ms) != 0) {
        api_refuse(req, TROUPE_E_INVALID, "wait", "wait must be a time like 500ms or 10s, at most %ds",
                   SERVICE_WAIT_MS_MAX / 1000);
        return false;
    }
    request->ref = ref != NULL ? *ref : (troupe_view){0};
    request->nonce = nonce != NULL ? *nonce : (troupe_view){0};
    return read_u64(req, "revision", &request->revision) && read_u64(req, "seq", &request->seq) &&
           read_u64(req, "floor", &request->floor);
}

static void handle(struct api_request *req, enum service_what what)
{
    struct pending *pending = calloc(1, sizeof *pending);
    if (pending == NULL) {
        api_refuse(req, TROUPE_E_NO_MEMORY, NULL, "there was no memory for the request; try again later");
        return;
    }
    struct service_request *request = &pending->request;
    pending->req = req;
    request->what = what;
    request->finish = finish;
    request->method = api_method_word(req->method);
    request->target = pending->target;
    request->authorization = req->authorization;
    request->body = (troupe_view){req->body, req->body_len};
    bool is_name = what == SERVICE_CLAIM || what == SERVICE_FIND || what == SERVICE_RELEASE;
    troupe_view param = req->params_count > 0 ? req->params[0] : (troupe_view){0};
    *(is_name ? &request->name : &request->node) = param;
    if (!write_target(req, pending->target)) {
        api_refuse(req, TROUPE_E_INVALID, "path", "the target is longer than any of the registry");
        free(pending);
        return;
    }
    if (!read_query(req, request)) {
        free(pending);
        return;
    }
    req->waiting = pending;
    req->cancelled = on_cancelled; /* until it is finished, which may be at once */
    registry_service_handle(req->env->registry, request, clock_boot_ms());
}

void registry_info(struct api_request *req) { handle(req, SERVICE_INFO); }
void registry_identity(struct api_request *req) { handle(req, SERVICE_IDENTITY); }
void registry_put_node(struct api_request *req) { handle(req, SERVICE_REGISTER); }
void registry_renew_node(struct api_request *req) { handle(req, SERVICE_RENEW); }
void registry_delete_node(struct api_request *req) { handle(req, SERVICE_LEAVE); }
void registry_drain_node(struct api_request *req) { handle(req, SERVICE_DRAIN); }
void registry_nodes(struct api_request *req) { handle(req, SERVICE_LIST); }
void registry_watch(struct api_request *req) { handle(req, SERVICE_WATCH); }
void registry_put_names(struct api_request *req) { handle(req, SERVICE_NAMES); }
void registry_put_name(struct api_request *req) { handle(req, SERVICE_CLAIM); }
void registry_get_name(struct api_request *req) { handle(req, SERVICE_FIND); }
void registry_delete_name(struct api_request *req) { handle(req, SERVICE_RELEASE); }
