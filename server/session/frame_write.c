/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames out. Replies and events are what a busy session writes, so they are measured first and then copied into one
 * block, body included; the others are written as text.
 *
 * The body of an actor is taken as JSON only if it says so and is: it stands inside our frame, and must not be able to
 * end it. (Whoever calls by REST decides about the bytes that echo replies.) Other bytes travel as body_b64. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/media.h"
#include "session/event_id.h"
#include "session/inside.h"

enum {
    COLD_BYTES = 8192,               /* an error with everything in it is about 6 KiB at worst */
    CONTENT_TYPE_JSON_BYTES = TROUPE_CONTENT_TYPE_BYTES_MAX * 6 + 3
};

/* ---- hot frames ---- */

struct cursor {
    char *at;
};

static inline void put(struct cursor *to, const void *ptr, size_t len)
{
    memcpy(to->at, ptr, len);
    to->at += len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static inline void put_view(struct cursor *to, troupe_view view)
{
    if (view.len > 0)
        put(to, view.ptr, view.len);
}

/* How a body is written, found out once. */
struct body_form {
    troupe_view body;
    bool is_json;
    size_t content_type_len;
    char content_type[CONTENT_TYPE_JSON_BYTES]; /* as a JSON string */
};

/* Returns the bytes that put_body needs. */
static size_t measure_body(const char *content_type, troupe_view body, struct body_form *form)
{
    static const char names[] = ",\"content_type\":,\"body_b64\":\"\"";
    bool says_json = content_type == NULL || media_is(content_type, "application/json");
    form->body = body;
    form->is_json = says_json && (body.len == 0 || troupe_json_validate(body.ptr, body.len, NULL) == 0);
    if (form->is_json)
        return body.len == 0 ? 0 : sizeof ",\"body\":" - 1 + body.len;
    struct text text;
    text_init_fixed(&text, form->content_type, sizeof form->content_type);
    text_add_json(&text, troupe_view_of(content_type != NULL ? content_type : "application/json"));
    form->content_type_len = text.len;
    return sizeof names - 1 + text.len + BASE64_CHARS(body.len);
}

static void put_body(struct cursor *to, const struct body_form *form)
{
    if (form->is_json) {
        if (form->body.len == 0)
            return;
        PUT(to, ",\"body\":");
        put_view(to, form->body);
        return;
    }
    PUT(to, ",\"content_type\":");
    put(to, form->content_type, form->content_type_len);
    PUT(to, ",\"body_b64\":\"");
    base64_write(form->body.ptr, form->body.len, to->at);
    to->at += BASE64_CHARS(form->body.len);
    PUT(to, "\"");
}

static void finish(struct session *session, struct session_out *out, const struct cursor *to)
{
    queue_add(session, out, (size_t)(to->at - queue_text(out)));
}

void write_reply(struct session *session, troupe_view id, const char *content_type, troupe_view body)
{
    static const char head[] = "{\"op\":\"reply\",\"id\":";
    struct body_form form;
    size_t body_len = measure_body(content_type, body, &form);
    struct session_out *out = queue_new(session, sizeof head + id.len + body_len);
    if (out == NULL)
        return;
    struct cursor to = {queue_text(out)};
    PUT(&to, head);
    put_view(&to, id);
    put_body(&to, &form);
    PUT(&to, "}");
    finish(session, out, &to);
}

void write_reply_json(struct session *session, troupe_view id, troupe_view json)
{
    static const char head[] = "{\"op\":\"reply\",\"id\":", body[] = ",\"body\":";
    struct session_out *out = queue_new(session, sizeof head + sizeof body + id.len + json.len);
    if (out == NULL)
        return;
    struct cursor to = {queue_text(out)};
    PUT(&to, head);
    put_view(&to, id);
    PUT(&to, body);
    put_view(&to, json);
    PUT(&to, "}");
    finish(session, out, &to);
}

/* A message type is of characters that need no escapes (troupe/limits.h). */
void write_event(struct session *session, troupe_view id, const troupe_event *event)
{
    static const char head[] = "{\"op\":\"event\",\"id\":,\"event\":\"\",\"type\":\"\"";
    char event_id[EVENT_ID_BYTES];
    size_t event_id_len = event_id_format(event->id, event_id);
    struct body_form form;
    size_t body_len = measure_body(event->content_type, event->body, &form);
    struct session_out *out =
        queue_new(session, sizeof head + id.len + event_id_len + event->type.len + body_len);
    if (out == NULL)
        return;
    struct cursor to = {queue_text(out)};
    PUT(&to, "{\"op\":\"event\",\"id\":");
    put_view(&to, id);
    PUT(&to, ",\"event\":\"");
    put(&to, event_id, event_id_len);
    PUT(&to, "\",\"type\":\"");
    put_view(&to, event->type);
    PUT(&to, "\"");
    put_body(&to, &form);
    PUT(&to, "}");
    finish(session, out, &to);
}

/* ---- cold frames ---- */

struct cold {
    struct text text;
    char buf[COLD_BYTES];
};

static void begin(struct cold *cold, enum frame_op op, troupe_view id)
{
    text_init_fixed(&cold->text, cold->buf, sizeof cold->buf);
    text_printf(&cold->text, "{\"op\":\"%s\"", frame_ops[op].name);
    if (id.len > 0) {
        text_add_str(&cold->text, ",\"id\":");
        text_add_view(&cold->text, id);
    }
}

static void add_text(struct cold *cold, enum frame_member member, troupe_view value)
{
    text_printf(&cold->text, ",\"%s\":", frame_members[member].name);
    text_add_json(&cold->text, value);
}

static void add_number(struct cold *cold, enum frame_member member, uint64_t value)
{
    text_printf(&cold->text, ",\"%s\":%llu", frame_members[member].name, (unsigned long long)value);
}

static void end(struct session *session, struct cold *cold)
{
    text_add_str(&cold->text, "}");
    struct session_out *out = queue_new(session, cold->text.len);
    if (out == NULL)
        return;
    memcpy(queue_text(out), cold->buf, cold->text.len);
    queue_add(session, out, cold->text.len);
}

void write_bare(struct session *session, enum frame_op op, troupe_view id)
{
    struct cold cold;
    begin(&cold, op, id);
    end(session, &cold);
}

void write_lagged(struct session *session, troupe_view id, uint64_t missed)
{
    struct cold cold;
    begin(&cold, OP_LAGGED, id);
    add_number(&cold, FRAME_MISSED, missed);
    end(session, &cold);
}

void write_down(struct session *session, troupe_view id, troupe_ref ref, const troupe_exit *exit)
{
    struct cold cold;
    char ref_text[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(ref, ref_text);
    begin(&cold, OP_DOWN, id);
    add_text(&cold, FRAME_REF, troupe_view_of(ref_text));
    add_text(&cold, FRAME_CAUSE, troupe_view_of(troupe_exit_word(exit->cause)));
    if (exit->error != 0)
        add_text(&cold, FRAME_ERROR, troupe_view_of(troupe_error_lookup(exit->error)->code));
    if (exit->detail.len > 0)
        add_text(&cold, FRAME_DETAIL, exit->detail);
    end(session, &cold);
}

void write_welcome(struct session *session, troupe_view id)
{
    struct cold cold;
    char home[TROUPE_HOME_TEXT_MAX];
    troupe_home_format(session->home, home);
    begin(&cold, OP_WELCOME, id);
    add_text(&cold, FRAME_SESSION, troupe_view_of(home));
    add_text(&cold, FRAME_NODE, troupe_view_of(session->env->node));
    add_text(&cold, FRAME_CLUSTER, troupe_view_of(session->env->cluster));
    add_text(&cold, FRAME_PROTOCOL, troupe_view_of("troupe.v1.json"));
    add_text(&cold, FRAME_VERSION, troupe_view_of(session->env->version));
    add_number(&cold, FRAME_SEQ, 0);
    add_number(&cold, FRAME_ACK, 0);
    text_add_str(&cold.text, ",\"resume\":false");
    add_number(&cold, FRAME_CREDIT, SESSION_CALLS_MAX);
    add_number(&cold, FRAME_FRAME_BYTES_MAX, session->frame_bytes_max);
    add_number(&cold, FRAME_PING_MS, SESSION_PING_MS);
    end(session, &cold);
}

void write_goodbye(struct session *session)
{
    struct cold cold;
    begin(&cold, OP_GOODBYE, (troupe_view){0});
    add_text(&cold, FRAME_CODE, troupe_view_of(troupe_error_lookup(TROUPE_E_DRAINING)->code));
    add_text(&cold, FRAME_DETAIL, troupe_view_of("the node is ending; open a session with another one"));
    end(session, &cold);
}

static void write_problem(struct session *session, struct cold *cold, const struct api_problem *problem)
{
    size_t mark = cold->text.len;
    text_add_str(&cold->text, ",");
    api_problem_write_members(problem, &cold->text);
    if (cold->text.failed) { /* words that need many escapes: rather without them */
        struct api_problem short_problem = *problem;
        short_problem.detail = (troupe_view){0};
        short_problem.field = NULL;
        cold->text.failed = false;
        cold->text.len = mark;
        text_add_str(&cold->text, ",");
        api_problem_write_members(&short_problem, &cold->text);
    }
    end(session, cold);
}

void write_error(struct session *session, troupe_view id, const struct api_problem *problem)
{
    struct cold cold;
    begin(&cold, OP_ERROR, id);
    write_problem(session, &cold, problem);
}

/* to and type are JSON strings as they came; with many escapes they are longer than what they say. */
void write_undelivered(struct session *session, const struct frame *frame, const struct api_problem *problem)
{
    struct cold cold;
    begin(&cold, OP_UNDELIVERED, (troupe_view){0});
    add_text(&cold, FRAME_TO, frame->to);
    add_text(&cold, FRAME_TYPE, frame->type);
    write_problem(session, &cold, problem);
}
