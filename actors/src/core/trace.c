/* SPDX-License-Identifier: Apache-2.0
 *
 * Traces: each message that an actor handles, told as an event. See trace.h.
 *
 * The event of a message, in JSON:
 *
 *   kind         "call", "cast", "timer", "reply", "down", ... type: its type, or null
 *   from         the sender's id, or null: from outside; subject: who asked there, or null
 *   bytes        of the body; content_type: null is JSON
 *   body         with bodies: the JSON as it came; body_text: what is no JSON, or too long, as far as it is UTF-8
 *   duration_ns  of its handling, 0 where there is no clock
 *   result       "ok"; "kept": to be answered later; "error": answered with `error`; "ended": it was the actor's last
 *   left         messages that the trace has left
 *
 * The half that is known before is written before, as the message is gone afterwards; the record lives on the stack.
 *
 * Thread: the actor's owner; the table: any. */
#include "core/trace.h"

#include <troupe/json.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "core/worker.h"

#define BODY_MAX TROUPE_TRACE_BODY_BYTES_MAX
#define RECORD_BYTES (6 * BODY_MAX + 6 * TROUPE_SUBJECT_BYTES_MAX + 1024) /* any byte may need six letters */

struct record {
    uint64_t started_ns;
    troupe_json_writer writer;
    char text[RECORD_BYTES];
};

/* ---- the table ---- */

static struct trace_place *find_place(struct trace_table *table, troupe_ref actor)
{
    for (uint32_t i = 0; i < TROUPE_TRACES_MAX; i++)
        if (table->places[i].topic && troupe_ref_equal(table->places[i].actor, actor))
            return &table->places[i];
    return NULL;
}

/* A free place, or that of a trace that is over; going round, so that the newest of those stays longest. */
static struct trace_place *free_place(struct trace_table *table)
{
    for (uint32_t i = 0; i < TROUPE_TRACES_MAX; i++) {
        uint32_t at = (table->next + i) % TROUPE_TRACES_MAX;
        if (!table->places[at].topic || table->places[at].is_over) {
            table->next = (at + 1) % TROUPE_TRACES_MAX;
            return &table->places[at];
        }
    }
    return NULL;
}

static int enter_table(struct trace_table *table, troupe_ref actor, troupe_topic *topic)
{
    troupe_topic *old = NULL;
    troupe__lock_acquire(&table->lock);
    struct trace_place *place = find_place(table, actor);
    if (!place)
        place = free_place(table);
    if (place) {
        old = place->topic;
        topic_hold(topic);
        *place = (struct trace_place){.actor = actor, .topic = topic};
    }
    troupe__lock_release(&table->lock);
    if (old)
        troupe__topic_drop(old);
    return place ? 0 : TROUPE_E_LIMIT;
}

static void set_over(struct trace_table *table, troupe_ref actor)
{
    troupe__lock_acquire(&table->lock);
    struct trace_place *place = find_place(table, actor);
    if (place)
        place->is_over = true;
    troupe__lock_release(&table->lock);
}

void troupe__trace_forget(troupe_system *system, troupe_ref actor)
{
    struct trace_table *table = &system->traces;
    troupe__lock_acquire(&table->lock);
    struct trace_place *place = find_place(table, actor);
    troupe_topic *topic = place ? place->topic : NULL;
    if (place)
        *place = (struct trace_place){.topic = NULL};
    troupe__lock_release(&table->lock);
    if (topic)
        troupe__topic_drop(topic);
}

int troupe_system_trace(troupe_system *system, troupe_ref ref, troupe_topic **ret_topic)
{
    struct trace_table *table = &system->traces;
    troupe__lock_acquire(&table->lock);
    struct trace_place *place = find_place(table, ref);
    if (place) {
        topic_hold(place->topic);
        *ret_topic = place->topic;
    }
    troupe__lock_release(&table->lock);
    return place ? 0 : TROUPE_E_NOT_FOUND;
}

void troupe_topic_release(troupe_topic *topic) { troupe__topic_drop(topic); }

void troupe__traces_fini(struct trace_table *table)
{
    for (uint32_t i = 0; i < TROUPE_TRACES_MAX; i++)
        if (table->places[i].topic)
            troupe__topic_drop(table->places[i].topic);
}

/* ---- begin and end ---- */

void troupe__trace_free(struct trace *trace)
{
    if (!trace)
        return;
    troupe_topic_drop(trace->topic);
    troupe_free(trace);
}

int troupe__trace_begin(troupe_ctx *ctx, struct trace *trace)
{
    struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
    int rc = extra ? enter_table(&ctx->worker->system->traces, troupe_self(ctx), trace->topic) : TROUPE_E_NO_MEMORY;
    if (rc)
        return rc;
    extra->trace = trace;
    extra->has_trace_place = true;
    return 0;
}

static void publish(troupe_topic *topic, const char *type, troupe_json_writer *writer, const char *text)
{
    if (troupe_json_write_end(writer))
        return;
    int rc = troupe_topic_publish(topic, troupe_view_of(type),
                                  troupe_body_json(text, troupe_json_write_length(writer)), NULL);
    (void)rc; /* without memory an event is missed: the actor goes on as if nobody looked */
}

/* Say why, and end the topic. Consumes the trace. */
static void finish(troupe_system *system, troupe_ref actor, struct trace *trace, const char *why)
{
    troupe_json_writer writer;
    char text[64];
    troupe_json_write_init(&writer, text, sizeof text);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "reason");
    troupe_json_write_text(&writer, why);
    troupe_json_write_object_end(&writer);
    publish(trace->topic, "end", &writer, text);
    set_over(&system->traces, actor);
    troupe__trace_free(trace);
}

void troupe__trace_end(troupe_ctx *ctx, const char *why)
{
    struct actor *actor = ctx->actor;
    struct trace *trace = actor->extra ? actor->extra->trace : NULL;
    if (!trace)
        return;
    actor->extra->trace = NULL;
    actor->pause &= (uint8_t)~PAUSE_TRACED;
    atomic_fetch_and_explicit(&actor->marks, (uint8_t)~ACTOR_IS_TRACED, memory_order_relaxed);
    finish(ctx->worker->system, troupe_self(ctx), trace, why);
}

/* ---- one message ---- */

static const char *kind_word(const struct message *message)
{
    static const char *const words[] = {
        [TROUPE_MSG_CAST] = "cast",         [TROUPE_MSG_CALL] = "call",   [TROUPE_MSG_TIMER] = "timer",
        [TROUPE_MSG_REPLY] = "reply",       [TROUPE_MSG_WRITABLE] = "writable",
        [TROUPE_MSG_UNDELIVERED] = "undelivered", [TROUPE_MSG_ARGS] = "init", [TROUPE_MSG_NAME_LOST] = "name_lost",
        [TROUPE_MSG_EVENT] = "event",       [TROUPE_MSG_GROUP] = "group",
    };
    switch (message->what) {
    case MESSAGE_DOWN:
        return "down";
    case MESSAGE_EXIT:
        return "exit";
    case MESSAGE_WRITABLE:
        return "writable";
    case MESSAGE_NAME_LOST:
        return "name_lost";
    default:
        return message->msg.kind < sizeof words / sizeof words[0] && words[message->msg.kind] ? words[message->msg.kind]
                                                                                             : "other";
    }
}

static void write_text_or_null(troupe_json_writer *writer, const char *key, troupe_view text)
{
    troupe_json_write_key(writer, key);
    if (text.len)
        troupe_json_write_string(writer, text);
    else
        troupe_json_write_null(writer);
}

static void write_from(troupe_json_writer *writer, troupe_ref from)
{
    char text[TROUPE_REF_TEXT_MAX];
    size_t len = troupe_ref_is_actor(from) ? troupe_ref_format(from, text) : 0;
    write_text_or_null(writer, "from", (troupe_view){text, len});
}

/* How much of the bytes is UTF-8 and may be shown. */
static size_t text_length(const char *text, size_t len)
{
    const char *at = text, *end = text + (len < BODY_MAX ? len : BODY_MAX);
    for (size_t step; at < end && (step = troupe__utf8_length(at, end)) != 0; at += step)
        continue;
    return (size_t)(at - text);
}

static void write_body(troupe_json_writer *writer, const troupe_msg *msg)
{
    bool is_json = !msg->content_type && msg->body_len > 0 && msg->body_len <= BODY_MAX &&
                   troupe_json_validate(msg->body, msg->body_len, NULL) == 0;
    if (is_json) {
        troupe_json_write_key(writer, "body");
        troupe_json_write_raw_trusted(writer, (troupe_view){msg->body, msg->body_len});
    } else if (msg->body_len > 0) {
        troupe_json_write_key(writer, "body_text");
        troupe_json_write_string(writer, (troupe_view){msg->body, text_length(msg->body, msg->body_len)});
    }
}

static void write_before(struct record *record, const struct message *message, bool bodies)
{
    const troupe_msg *msg = &message->msg;
    troupe_json_writer *writer = &record->writer;
    troupe_json_write_init(writer, record->text, sizeof record->text);
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "kind");
    troupe_json_write_text(writer, kind_word(message));
    write_text_or_null(writer, "type", troupe_msg_type(msg));
    write_from(writer, msg->from);
    write_text_or_null(writer, "subject", troupe_msg_subject(msg));
    troupe_json_write_key(writer, "bytes");
    troupe_json_write_uint(writer, msg->body_len);
    write_text_or_null(writer, "content_type", troupe_view_of(msg->content_type ? msg->content_type : ""));
    if (bodies)
        write_body(writer, msg);
}

static uint64_t clock_of(const troupe_worker *worker)
{
    const troupe_system_config *config = &worker->system->config;
    return config->clock_ns ? config->clock_ns(config->user) : 0;
}

static void write_after(troupe_ctx *ctx, struct record *record, bool ended, bool kept, uint32_t left)
{
    troupe_json_writer *writer = &record->writer;
    int error = ctx->traced_error;
    troupe_json_write_key(writer, "duration_ns");
    troupe_json_write_uint(writer, clock_of(ctx->worker) - record->started_ns);
    troupe_json_write_key(writer, "result");
    troupe_json_write_text(writer, ended ? "ended" : error ? "error" : kept ? "kept" : "ok");
    troupe_json_write_key(writer, "error");
    troupe_json_write_text(writer, error ? troupe_error_lookup(error)->code : NULL);
    troupe_json_write_key(writer, "left");
    troupe_json_write_uint(writer, left);
    troupe_json_write_object_end(writer);
}

__attribute__((noinline)) /* its record is no burden on the stack of others */
bool troupe__trace_message(troupe_ctx *ctx, struct message *message,
                           bool (*dispatch)(troupe_ctx *ctx, struct message *message))
{
    struct trace *trace = ctx->actor->extra->trace;
    troupe_system *system = ctx->worker->system;
    troupe_ref self = troupe_self(ctx);
    struct record record;
    bool is_call = message->what == MESSAGE_USER && message->msg.kind == TROUPE_MSG_CALL;
    if (ctx->actor->ending || message->target_generation != actor_generation(ctx->actor))
        return dispatch(ctx, message); /* it is not handled, but disposed of */
    uint32_t left = --trace->left;
    ctx->actor->extra->trace = NULL; /* an end of the actor leaves it: this message comes before the end */
    write_before(&record, message, trace->bodies);
    ctx->traced_error = 0;
    ctx->traced_end = false;
    ctx->kept = false;
    record.started_ns = clock_of(ctx->worker);
    bool is_gone = dispatch(ctx, message);
    write_after(ctx, &record, is_gone || ctx->traced_end, is_call && ctx->kept, left);
    publish(trace->topic, "message", &record.writer, record.text);
    if (is_gone) {
        finish(system, self, trace, "ended");
        return true;
    }
    ctx->actor->extra->trace = trace;
    if (left == 0)
        troupe__trace_end(ctx, "done");
    return false;
}
