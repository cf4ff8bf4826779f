/* SPDX-License-Identifier: Apache-2.0
 *
 * ticker: casts a message to an actor at a period.
 *
 *   args    {"to": "@name" or reference, "period_ms": n, "type": t, "body": any, "count": n}
 *           type is "tick" and the body {} when they are left out; without count it goes on for ever
 *
 *   pause   nothing -> status     no ticks until resume
 *   resume  nothing -> status     the next tick comes one period later
 *   status  nothing -> {"to", "type", "period_ms", "count", "sent", "refused", "paused"}
 *
 * It ends itself, normally, when count ticks were sent or when the target has ended. A tick that the target's mailbox
 * refuses is counted as refused and not sent again. Ticks that are missed because the node was busy are skipped. */
#include <troupe/behaviors.h>

#include "support.h"

#define PERIOD_MS_MAX 86400000u                 /* a day */
#define COUNT_MAX ((uint64_t)1 << 53)           /* exact in every JSON reader */

struct ticker {
    troupe_ref to;
    uint64_t timer;      /* 0: paused */
    uint64_t period_ms;
    uint64_t count;      /* ticks to send; 0: no end */
    uint64_t sent;
    uint64_t refused;
    char *body;          /* owned: JSON text */
    uint32_t body_len;   /* bytes */
    char type[TROUPE_TYPE_BYTES_MAX + 1];
};

enum { OP_PAUSE, OP_RESUME, OP_STATUS }; /* the order of the table below */

#define STATUS_SCHEMA                                                                                                  \
    "{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"},"                \
    "\"period_ms\":{\"type\":\"integer\"},\"count\":{\"type\":[\"integer\",\"null\"]},"                                \
    "\"sent\":{\"type\":\"integer\"},\"refused\":{\"type\":\"integer\"},\"paused\":{\"type\":\"boolean\"}},"           \
    "\"required\":[\"to\",\"type\",\"period_ms\",\"count\",\"sent\",\"refused\",\"paused\"],"                          \
    "\"additionalProperties\":false}"

static const troupe_type types[] = {
    [OP_PAUSE] = {.name = "pause",
                  .flags = TROUPE_TYPE_IDEMPOTENT,
                  .summary = "Send no ticks until resume",
                  .reply_schema = STATUS_SCHEMA},
    [OP_RESUME] = {.name = "resume",
                   .flags = TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Send ticks again, the next one period later",
                   .reply_schema = STATUS_SCHEMA},
    [OP_STATUS] = {.name = "status",
                   .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Tell the target, the period and what was sent",
                   .reply_schema = STATUS_SCHEMA},
};

static int start_timer(troupe_ctx *ctx, struct ticker *ticker)
{
    return troupe_timer_every(ctx, ticker->period_ms, TROUPE_EVERY_SKIP, "tick", troupe_body_none(), &ticker->timer);
}

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct ticker *ticker = state;
    char to[SUPPORT_TARGET_BYTES_MAX + 1];
    size_t to_len = 0, type_len = 4;
    troupe_view body = {.ptr = "{}", .len = 2};
    troupe_json_reader reader;
    troupe_json_string key;
    uint64_t monitor;
    int rc;

    memcpy(ticker->type, "tick", type_len);
    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "to"))
            to_len = troupe_json_read_text(&reader, to, sizeof to);
        else if (troupe_json_key_is(&key, "type"))
            type_len = troupe_json_read_text(&reader, ticker->type, sizeof ticker->type);
        else if (troupe_json_key_is(&key, "period_ms"))
            ticker->period_ms = (uint64_t)troupe_json_read_int(&reader, 1, PERIOD_MS_MAX);
        else if (troupe_json_key_is(&key, "count"))
            ticker->count = (uint64_t)troupe_json_read_int(&reader, 1, COUNT_MAX);
        else if (troupe_json_key_is(&key, "body"))
            body = troupe_json_read_raw(&reader);
        else
            support_unknown_member(&reader);
    }
    if (to_len == 0)
        support_missing_member(&reader, "to is missing: a name such as \"@hits\" or a reference");
    else if (ticker->period_ms == 0)
        support_missing_member(&reader, "period_ms is missing");
    if (troupe_json_read_end(&reader) != 0)
        return support_fail_args(ctx, &reader);
    if (!support_is_type((troupe_view){.ptr = ticker->type, .len = type_len}))
        return troupe_fail(ctx, TROUPE_E_SCHEMA, "type: must be 1 to 64 of A-Z a-z 0-9 _ . : -");

    rc = support_resolve(ctx, (troupe_view){.ptr = to, .len = to_len}, &ticker->to);
    if (rc != 0)
        return troupe_fail(ctx, rc, "to: there is no such actor");
    ticker->body = troupe_alloc(body.len);
    if (ticker->body == NULL)
        return TROUPE_E_NO_MEMORY;
    memcpy(ticker->body, body.ptr, body.len);
    ticker->body_len = (uint32_t)body.len;
    rc = troupe_monitor(ctx, ticker->to, &monitor);
    if (rc != 0)
        return troupe_fail(ctx, rc, "to: cannot be monitored");
    return start_timer(ctx, ticker);
}

static void tick(troupe_ctx *ctx, struct ticker *ticker)
{
    if (troupe_cast(ctx, ticker->to, ticker->type, troupe_body_json(ticker->body, ticker->body_len)) == 0)
        ticker->sent++;
    else
        ticker->refused++;
    if (ticker->count != 0 && ticker->sent == ticker->count)
        troupe_stop_self(ctx, "all ticks were sent");
}

static int answer_status(troupe_ctx *ctx, const struct ticker *ticker, const troupe_msg *msg)
{
    troupe_json_writer writer;
    char buf[TROUPE_REF_TEXT_MAX + TROUPE_TYPE_BYTES_MAX + 256], to[TROUPE_REF_TEXT_MAX];
    size_t to_len = troupe_ref_format(ticker->to, to);

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "to");
    troupe_json_write_string(&writer, (troupe_view){.ptr = to, .len = to_len});
    troupe_json_write_key(&writer, "type");
    troupe_json_write_text(&writer, ticker->type);
    troupe_json_write_key(&writer, "period_ms");
    troupe_json_write_uint(&writer, ticker->period_ms);
    troupe_json_write_key(&writer, "count");
    if (ticker->count != 0)
        troupe_json_write_uint(&writer, ticker->count);
    else
        troupe_json_write_null(&writer);
    troupe_json_write_key(&writer, "sent");
    troupe_json_write_uint(&writer, ticker->sent);
    troupe_json_write_key(&writer, "refused");
    troupe_json_write_uint(&writer, ticker->refused);
    troupe_json_write_key(&writer, "paused");
    troupe_json_write_bool(&writer, ticker->timer == 0);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct ticker *ticker = state;
    int rc = 0;

    if (msg->kind == TROUPE_MSG_TIMER) {
        tick(ctx, ticker);
        return 0;
    }
    if (msg->op == OP_PAUSE && ticker->timer != 0) {
        rc = troupe_timer_cancel(ctx, ticker->timer);
        ticker->timer = 0;
    } else if (msg->op == OP_RESUME && ticker->timer == 0) {
        rc = start_timer(ctx, ticker);
    }
    return rc == 0 ? answer_status(ctx, ticker, msg) : rc;
}

static int down(troupe_ctx *ctx, void *state, const troupe_down *down)
{
    (void)state;
    (void)down; /* there is only one monitor */
    troupe_stop_self(ctx, "the target has ended");
    return 0;
}

static void fini(void *state)
{
    struct ticker *ticker = state;

    troupe_free(ticker->body);
}

static int view(troupe_ctx *ctx, const void *state)
{
    const struct ticker *ticker = state;
    troupe_json_writer writer;
    char buf[384], to[TROUPE_REF_TEXT_MAX];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "to");
    troupe_json_write_string(&writer, (troupe_view){.ptr = to, .len = troupe_ref_format(ticker->to, to)});
    troupe_json_write_key(&writer, "type");
    troupe_json_write_text(&writer, ticker->type);
    support_write_uint(&writer, "period_ms", ticker->period_ms);
    support_write_uint(&writer, "count", ticker->count);
    support_write_uint(&writer, "sent", ticker->sent);
    support_write_uint(&writer, "refused", ticker->refused);
    troupe_json_write_key(&writer, "paused");
    troupe_json_write_bool(&writer, ticker->timer == 0);
    troupe_json_write_object_end(&writer);
    return support_show(ctx, &writer, buf);
}

const troupe_behavior troupe_behavior_ticker = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "ticker",
    .version = "1.0.0",
    .summary = "Casts a message to an actor at a period",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct ticker),
    .init = init,
    .args_schema = "{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\",\"minLength\":1,"
                   "\"maxLength\":256},\"period_ms\":{\"type\":\"integer\",\"minimum\":1,"
                   "\"maximum\":86400000},\"type\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},"
                   "\"body\":{},\"count\":{\"type\":\"integer\",\"minimum\":1,"
                   "\"maximum\":9007199254740992}},\"required\":[\"to\",\"period_ms\"],"
                   "\"additionalProperties\":false}",
    .receive = receive,
    .down = down,
    .fini = fini,
    .view = view,
};
