/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/groups: named sets of actors. A group is there as long as it has members, so one that nobody is in is empty
 * rather than not found; ?scope= says in which scope it is.
 *
 * A grant names a group as +GROUP, and one of another scope than the default one as +SCOPE/GROUP. Who may send to a
 * group may send to all its members, whatever they are; therefore who makes an actor a member needs the right to send
 * all types of messages to the group and to that actor.
 *
 * A multi-call gathers the results of all members in one document, and waits with it for the slowest of them. What it
 * may hold is bounded: behind GROUP_RESULTS_BYTES_MAX results have no body any more, and say so. All of the node that
 * are under way share a part of the memory budget: behind it they go on without bodies, and no other begins. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/json.h>

#include "api/actor_doc.h"
#include "api/authorize.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/resolve.h"
#include "api/router.h"
#include "base/base64.h"
#include "base/media.h"

enum {
    GROUP_CALL_MEMBERS_MAX = 10000,
    GROUP_RESULTS_BYTES_MAX = 16 << 20,
    RESULTS_SHARE = 8,           /* of the node's memory budget */
    RESULTS_ROOM = 64 << 10,     /* that a call begins with */
    TARGET_BYTES = 2 * TROUPE_TYPE_BYTES_MAX + 1,
    BASE64_PIECE = 3 * 256
};

static const char word_rule[] = "1 to 64 of A-Z a-z 0-9 _ . : -";

/* ---- which group ---- */

static troupe_view scope_of(const struct api_request *req)
{
    const troupe_view *scope = api_query(req, "scope");
    return scope != NULL ? *scope : (troupe_view){"", 0};
}

static bool is_word(troupe_view text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
    for (size_t i = 0; i < text.len; i++)
        if (memchr(letters, text.ptr[i], sizeof letters - 1) == NULL)
            return false;
    return text.len > 0 && text.len <= TROUPE_TYPE_BYTES_MAX;
}

static bool may(const struct access_token *token, enum access_scope right, troupe_view scope, troupe_view group,
                troupe_view type)
{
    char text[TARGET_BYTES];
    struct access_target target = {.group = group, .type = type};
    if (scope.len > 0) {
        memcpy(text, scope.ptr, scope.len);
        text[scope.len] = '/';
        memcpy(text + scope.len + 1, group.ptr, group.len);
        target.group = (troupe_view){text, scope.len + 1 + group.len};
    }
    return token == NULL || access_allows(token, right, &target);
}

static bool check_scope(struct api_request *req)
{
    troupe_view scope = scope_of(req);
    if (scope.len == 0 || is_word(scope))
        return true;
    api_refuse(req, TROUPE_E_INVALID, "scope", "a scope is %s, or empty for the default one", word_rule);
    return false;
}

/* The group of the path, and that the token covers it. False: the request was answered. */
static bool check_group(struct api_request *req, troupe_view type)
{
    troupe_view group = req->params[0];
    if (!is_word(group)) {
        api_refuse(req, TROUPE_E_INVALID, "group", "a group is %s", word_rule);
        return false;
    }
    if (!check_scope(req))
        return false;
    if (may(req->token, req->route->scope, scope_of(req), group, type))
        return true;
    authorize_refuse(req);
    return false;
}

static bool check_type(struct api_request *req)
{
    if (is_word(req->params[1]))
        return true;
    api_refuse(req, TROUPE_E_INVALID, "type", "a message type is %s", word_rule);
    return false;
}

/* ---- lists ---- */

static bool add_group(void *user, troupe_view scope, troupe_view group, uint32_t size)
{
    struct page *page = user;
    const struct api_request *req = page->req;
    if (api_query(req, "scope") != NULL && !troupe_view_equal(scope_of(req), scope))
        return true;
    if (!may(req->token, ACCESS_READ, scope, group, (troupe_view){"", 0}))
        return true;
    struct text *item = page_add(page);
    text_add_str(item, "{\"scope\":");
    text_add_json(item, scope);
    text_add_str(item, ",\"group\":");
    text_add_json(item, group);
    text_add_str(item, ",\"members\":");
    text_add_u64(item, size);
    text_add_str(item, "}");
    return page_is_open(page);
}

void groups_list(struct api_request *req)
{
    struct page page;
    if (!check_scope(req) || !page_begin(&page, req, 'g'))
        return;
    bool more = troupe_system_scan_groups(req->env->system, false, &page.cursor, PAGE_SLOTS_MAX, add_group, &page);
    page_reply(&page, "/v1/groups", more);
}

static bool add_scope(void *user, troupe_view scope, troupe_view group, uint32_t size)
{
    struct page *page = user;
    struct text *item = page_add(page);
    (void)group;
    text_add_str(item, "{\"scope\":");
    text_add_json(item, scope);
    text_add_str(item, ",\"groups\":");
    text_add_u64(item, size);
    text_add_str(item, "}");
    return page_is_open(page);
}

void groups_scopes(struct api_request *req)
{
    struct page page;
    if (!page_begin(&page, req, 's'))
        return;
    bool more = troupe_system_scan_groups(req->env->system, true, &page.cursor, PAGE_SLOTS_MAX, add_scope, &page);
    page_reply(&page, "/v1/scopes", more);
}

static void add_member(struct page *page, troupe_ref ref)
{
    troupe_peek peek;
    if (troupe_system_peek(page->req->env->system, ref, &peek) != 0)
        return; /* it has just ended */
    struct text *item = page_add(page);
    text_add_str(item, "{\"ref\":");
    actor_doc_ref(item, ref);
    text_add_str(item, ",\"behavior\":");
    text_add_json(item, troupe_view_of(peek.behavior->name));
    text_add_str(item, ",\"name\":");
    if (peek.name[0] != '\0')
        text_add_json(item, troupe_view_of(peek.name));
    else
        text_add_str(item, "null");
    text_add_str(item, "}");
}

void groups_members(struct api_request *req)
{
    char path[sizeof "/v1/groups/" + TROUPE_TYPE_BYTES_MAX] = "/v1/groups/";
    troupe_view group = req->params[0];
    struct page page;
    uint32_t got = 1;
    if (!check_group(req, (troupe_view){"", 0}) || !page_begin(&page, req, 'm'))
        return;
    memcpy(path + strlen(path), group.ptr, group.len);
    while (got > 0 && page_is_open(&page)) {
        troupe_ref refs[32];
        uint32_t left = page.limit - page.count;
        got = troupe_system_group_members(req->env->system, scope_of(req), group, &page.cursor, refs,
                                          left < 32 ? left : 32);
        for (uint32_t i = 0; i < got; i++)
            add_member(&page, refs[i]);
    }
    page_reply(&page, path, got > 0);
}

/* ---- members ---- */

static void change(struct api_request *req, bool joins)
{
    troupe_view every_type = {"*", 1}; /* no type is this: only a grant without a type, or for all, covers it */
    if (!check_group(req, every_type))
        return;
    req->message_type = every_type;
    if (!api_resolve(req, req->params[1], &req->actor))
        return;
    int error = joins ? troupe_system_group_join(req->env->system, scope_of(req), req->params[0], req->actor)
                      : troupe_system_group_leave(req->env->system, scope_of(req), req->params[0], req->actor);
    if (error == 0)
        api_reply_empty(req, 204, NULL, 0);
    else if (error == TROUPE_E_NOT_FOUND && !joins)
        api_refuse(req, error, "ref", "the actor is no member of this group");
    else if (error == TROUPE_E_LIMIT)
        api_refuse(req, error, "group", "the actor is in as many groups as it may, or the node has as many as it may");
    else
        api_reply_answer(req, &(troupe_answer){.error = error}, req->actor);
}

void groups_join(struct api_request *req) { change(req, true); }

void groups_leave(struct api_request *req) { change(req, false); }

/* ---- sending ---- */

/* A cast or call that is under way. */
struct sending {
    troupe_group_request request;
    struct api_request *req;
    struct text results; /* of a call: the items */
    uint32_t count;
};

/* Of all calls that are under way; any worker. Advisory: two may go past the bound together. */
static _Atomic uint64_t results_bytes;

static bool has_room(const struct api_request *req, size_t more)
{
    return atomic_load_explicit(&results_bytes, memory_order_relaxed) + more <= req->env->memory_max / RESULTS_SHARE;
}

static void free_sending(struct sending *sending)
{
    atomic_fetch_sub_explicit(&results_bytes, sending->results.len, memory_order_relaxed);
    text_fini(&sending->results);
    free(sending);
}

static void forget(struct api_request *req)
{
    struct sending *sending = req->waiting;
    req->waiting = NULL;
    troupe_group_request_cancel(&sending->request);
    free_sending(sending);
}

static struct sending *new_sending(struct api_request *req)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending == NULL) {
        api_reply_answer(req, &(troupe_answer){.error = TROUPE_E_NO_MEMORY}, (troupe_ref){0});
        return NULL;
    }
    sending->req = req;
    sending->request.user = sending;
    req->waiting = sending;
    req->cancelled = forget;
    return sending;
}

/* It is over, well or not: the request can be answered. */
static struct api_request *end_sending(struct sending *sending)
{
    struct api_request *req = sending->req;
    req->waiting = NULL;
    req->cancelled = NULL;
    return req;
}

static void refuse_sending(struct sending *sending, int error)
{
    struct api_request *req = end_sending(sending);
    free_sending(sending);
    api_reply_answer(req, &(troupe_answer){.error = error}, (troupe_ref){0});
}

static void add_counts(struct text *text, const troupe_group_counts *counts, const char *accepted_name)
{
    text_printf(text, "{\"members\":%u,\"%s\":%u,\"refused\":%u", counts->members, accepted_name, counts->accepted,
                counts->refused);
}

static void cast_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    struct sending *sending = request->user;
    struct api_request *req = end_sending(sending);
    struct text document = {0};
    free_sending(sending);
    add_counts(&document, counts, "accepted");
    text_add_str(&document, "}");
    api_reply_text(req, 202, &document, NULL, 0);
}

void groups_cast(struct api_request *req)
{
    if (!check_type(req) || !check_group(req, req->params[1]))
        return;
    if (req->content_type != NULL && media_is(req->content_type, "application/x-ndjson")) {
        api_refuse(req, TROUPE_E_INVALID, "Content-Type",
                   "a batch cannot be sent to a group; send its lines one by one");
        return;
    }
    struct sending *sending = new_sending(req);
    if (sending == NULL)
        return;
    sending->request.done = cast_done;
    int error = troupe_request_group_cast(req->worker, &sending->request, scope_of(req), req->params[0], req->params[1],
                                          troupe_body_bytes(req->body, req->body_len, req->content_type),
                                          (troupe_caller){.subject = access_subject(req->token)});
    if (error != 0)
        refuse_sending(sending, error);
}

/* The body of a reply: JSON as it is, other bytes in base64 with their content type. What only says that it is JSON
 * must not be able to end the document. */
static void add_body(struct text *text, const troupe_answer *answer)
{
    const char *content_type = answer->content_type != NULL ? answer->content_type : "application/json";
    troupe_view body = answer->body;
    if (body.len == 0)
        return;
    if (media_is(content_type, "application/json") && troupe_json_validate(body.ptr, body.len, NULL) == 0) {
        text_add_str(text, ",\"body\":");
        text_add_view(text, body);
        return;
    }
    text_add_str(text, ",\"content_type\":");
    text_add_json(text, troupe_view_of(content_type));
    text_add_str(text, ",\"body_b64\":\"");
    for (size_t at = 0; at < body.len; at += BASE64_PIECE) {
        char piece[BASE64_CHARS(BASE64_PIECE)];
        size_t len = body.len - at < BASE64_PIECE ? body.len - at : BASE64_PIECE;
        base64_write(body.ptr + at, len, piece);
        text_add(text, piece, BASE64_CHARS(len));
    }
    text_add_str(text, "\"");
}

static void call_result(troupe_group_request *request, troupe_ref member, const troupe_answer *answer)
{
    struct sending *sending = request->user;
    struct text *text = &sending->results;
    size_t len_before = text->len;
    bool is_large = text->len + answer->body.len > GROUP_RESULTS_BYTES_MAX || !has_room(sending->req, answer->body.len);
    text_add_str(text, sending->count++ > 0 ? ",{\"ref\":" : "{\"ref\":");
    actor_doc_ref(text, member);
    if (answer->error == 0 && !is_large) {
        text_add_str(text, ",\"status\":200");
        add_body(text, answer);
    } else {
        struct api_problem problem =
            api_problem_of(sending->req, answer->error != 0 ? answer->error : TROUPE_E_TOO_LARGE);
        if (answer->error == 0)
            problem.detail = troupe_view_of("it has replied, but the results together are too large; call it alone");
        else if (answer->detail.len > 0)
            problem.detail = answer->detail;
        problem.app_status = answer->app_status;
        problem.app_code = answer->app_code;
        text_add_str(text, ",");
        api_problem_write_members(&problem, text);
    }
    text_add_str(text, "}");
    atomic_fetch_add_explicit(&results_bytes, text->len - len_before, memory_order_relaxed);
}

static void call_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    struct sending *sending = request->user;
    struct api_request *req = end_sending(sending);
    struct text document = {0};
    add_counts(&document, counts, "replied");
    text_add_str(&document, ",\"results\":[");
    text_add(&document, sending->results.ptr != NULL ? sending->results.ptr : "", sending->results.len);
    text_add_str(&document, "]}");
    document.failed |= sending->results.failed;
    free_sending(sending);
    api_reply_text(req, 200, &document, NULL, 0);
}

void groups_call(struct api_request *req)
{
    uint32_t timeout_ms = 0;
    if (!check_type(req) || !check_group(req, req->params[1]) ||
        !api_query_duration(req, "timeout", 1, TROUPE_CALL_TIMEOUT_MS_MAX, &timeout_ms))
        return;
    if (troupe_system_group_size(req->env->system, scope_of(req), req->params[0]) > GROUP_CALL_MEMBERS_MAX) {
        api_refuse(req, TROUPE_E_LIMIT, "group",
                   "a group of more than %d members cannot be called at once; cast to it, "
                   "or divide it",
                   GROUP_CALL_MEMBERS_MAX);
        return;
    }
    if (!has_room(req, RESULTS_ROOM)) {
        api_refuse(req, TROUPE_E_OVERLOADED, NULL,
                   "the results of multi-calls that wait for their last member fill their share of the memory budget; "
                   "try again later, with a shorter timeout");
        return;
    }
    struct sending *sending = new_sending(req);
    if (sending == NULL)
        return;
    sending->request.each = call_result;
    sending->request.done = call_done;
    int error = troupe_request_group_call(req->worker, &sending->request, scope_of(req), req->params[0], req->params[1],
                                          troupe_body_bytes(req->body, req->body_len, req->content_type),
                                          (troupe_caller){.subject = access_subject(req->token)}, timeout_ms);
    if (error != 0)
        refuse_sending(sending, error);
}

/* ---- events ---- */

static void stream(struct api_request *req, troupe_view group)
{
    troupe_topic *topic;
    int error = troupe_system_group_topic(req->env->system, scope_of(req), group, &topic);
    if (error != 0) {
        api_reply_answer(req, &(troupe_answer){.error = error}, (troupe_ref){0});
        return;
    }
    events_topic(req, topic);
    troupe_topic_release(topic);
}

void groups_events(struct api_request *req)
{
    if (check_group(req, (troupe_view){"", 0}))
        stream(req, req->params[0]);
}

void groups_scope_events(struct api_request *req)
{
    if (check_scope(req))
        stream(req, (troupe_view){"", 0});
}
