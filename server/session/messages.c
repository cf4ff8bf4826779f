/* SPDX-License-Identifier: Apache-2.0
 *
 * call, cast and publish: messages to actors. Bodies pass through untouched, those of a type that has a schema after a
 * check. */
#include <stdio.h>
#include <string.h>

#include "api/contract.h"
#include "base/base64.h"
#include "session/inside.h"

/* ---- bodies ---- */

/* The body of a frame, and what must be freed after it was sent. */
struct body {
    troupe_body body;
    void *bytes;                     /* owned; NULL: the body lies in the frame */
    char content_type[TROUPE_CONTENT_TYPE_BYTES_MAX + 1];
};

static const char octets[] = "application/octet-stream";

/* Text of Base64 to bytes, in one block: they take less room than their text. */
static int read_bytes(const struct frame *frame, struct body *body)
{
    size_t len;
    body->bytes = troupe_alloc(frame->body_b64.raw.len + 1);
    if (body->bytes == NULL)
        return TROUPE_E_NO_MEMORY;
    if (troupe_json_string_copy(&frame->body_b64, body->bytes, frame->body_b64.raw.len, &len) != 0 ||
        base64_read(body->bytes, len, body->bytes, &len) != 0) {
        troupe_free(body->bytes);
        return TROUPE_E_SCHEMA;
    }
    troupe_view type = frame->content_type.len > 0 ? frame->content_type : troupe_view_of(octets);
    memcpy(body->content_type, type.ptr, type.len);
    body->content_type[type.len] = '\0';
    body->body = troupe_body_bytes(body->bytes, len, body->content_type);
    return 0;
}

/* False: it was refused. */
static bool read_body(struct session *session, struct session_turn *turn, struct body *body)
{
    const struct frame *frame = turn->frame;
    int error = 0;
    body->bytes = NULL;
    body->body = troupe_body_none();
    if (frame_has(frame, FRAME_BODY))
        body->body = troupe_body_json(frame->body.ptr, frame->body.len);
    else if (frame_has(frame, FRAME_BODY_B64))
        error = read_bytes(frame, body);
    if (error == 0 && body->body.len > session->env->body_max) {
        troupe_free(body->bytes);
        error = TROUPE_E_TOO_LARGE;
    }
    if (error == TROUPE_E_SCHEMA)
        session_refuse_words(session, turn, error, "body_b64", "body_b64 must be Base64 with padding");
    else if (error == TROUPE_E_TOO_LARGE)
        session_refuse_words(session, turn, error, "body", "a body has at most %zu bytes on this node",
                             session->env->body_max);
    else if (error != 0)
        session_refuse_core(session, turn, error, (troupe_ref){0});
    return error == 0;
}

/* Does the body fit the schema of the type? False: it does not, and was refused. */
static bool check_body(struct session *session, struct session_turn *turn, troupe_ref ref, const troupe_body *body)
{
    char field[sizeof "/body" + SCHEMA_POINTER_BYTES];
    struct schema_fault fault;
    const struct schema *schema = contract_of_body(session->env->system, ref, turn->frame->type);
    if (schema == NULL || schema_check(schema, (troupe_view){body->ptr, body->len}, &fault) == 0)
        return true;
    snprintf(field, sizeof field, "/body%s", fault.pointer);
    session_refuse_words(session, turn, fault.error, field, "%s", fault.detail);
    return false;
}

/* False: it was refused. */
static bool take_body(struct session *session, struct session_turn *turn, troupe_ref ref, struct body *body)
{
    if (!read_body(session, turn, body))
        return false;
    if (check_body(session, turn, ref, &body->body))
        return true;
    troupe_free(body->bytes);
    return false;
}

/* ---- call ---- */

static void call_done(troupe_request *request, const troupe_answer *answer)
{
    struct session_op *op = request->user;
    struct session *session = op->session;
    session_enter(session);
    if (answer->error == 0) {
        write_reply(session, op_id(op), answer->content_type, answer->body);
    } else {
        char words[SESSION_WORDS_BYTES];
        struct api_problem problem = session_problem(session, answer, op->ref, words);
        write_error(session, op_id(op), &problem);
    }
    op_close(op);
    session_leave(session);
}

static void call(struct session *session, struct session_turn *turn, troupe_ref ref)
{
    const struct frame *frame = turn->frame;
    struct body body;
    if (!take_body(session, turn, ref, &body))
        return;
    struct session_op *op = op_open(session, turn, SESSION_CALL);
    if (op != NULL) {
        op->ref = ref;
        troupe_request_call(session->worker, &op->request, call_done, ref, frame->type, body.body,
                            session_caller(session), (uint32_t)frame->timeout_ms);
    }
    troupe_free(body.bytes);
}

void messages_call(struct session *session, struct session_turn *turn)
{
    troupe_ref ref;
    if (target_resolve(session, turn, SESSION_CALL, &ref))
        call(session, turn, ref);
}

/* ---- cast ---- */

static void cast(struct session *session, struct session_turn *turn, troupe_ref ref)
{
    const struct frame *frame = turn->frame;
    struct body body;
    if (!take_body(session, turn, ref, &body))
        return;
    int error = troupe_worker_cast(session->worker, ref, frame->type, body.body, session_caller(session));
    troupe_free(body.bytes);
    if (error != 0) {
        session_refuse_core(session, turn, error, ref);
        return;
    }
    if (frame->id.len > 0)
        write_reply_json(session, frame->id, troupe_view_of("{\"accepted\":1}"));
    if (turn->op != NULL)
        op_close(turn->op);
}

void messages_cast(struct session *session, struct session_turn *turn)
{
    troupe_ref ref;
    if (target_resolve(session, turn, SESSION_CALL, &ref))
        cast(session, turn, ref);
}

/* A topic replies to a call with the id of the event; without an id nobody waits for it. */
void messages_publish(struct session *session, struct session_turn *turn)
{
    troupe_ref ref;
    if (!target_resolve(session, turn, SESSION_CALL, &ref))
        return;
    if (turn->frame->id.len > 0)
        call(session, turn, ref);
    else
        cast(session, turn, ref);
}
