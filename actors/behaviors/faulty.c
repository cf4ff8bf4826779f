/* SPDX-License-Identifier: Apache-2.0
 *
 * faulty: does what actors should not do. For tests of what surrounds an actor: timeouts, failures, supervision.
 *
 *   args       {"init": "fail", "hang" or "late", "ms": n}   fail in init, stay in "starting" until the start deadline,
 *                                           or start after n ms; none of it by default
 *              {"restarts": n, "period_ms": n}   the restart intensity of its children
 *
 *   fail       {"detail"}                   the actor fails with these words
 *   stop       nothing                      replies {}, then the actor ends itself, normally
 *   no_reply   nothing                      ends the turn without a reply
 *   never      nothing                      keeps the reply handle for ever
 *   late       {"ms": n}       -> {}        replies after n ms
 *   app_error  {"code", "status", "detail"} refuses with this application error; teapot and 418 when left out
 *   big        {"bytes": n}    -> n bytes of text/plain
 *   spin       {"us": n}       -> {}        keeps its thread busy for about n microseconds
 *   flood      {"to", "type", "count": n} -> {"sent", "refused"}   casts n messages; to itself, as noop, by default
 *   noop       anything                     does nothing; to be cast
 *   child      {"behavior", "name", "args", "restart", "link", "backoff_ms"} -> {"ref"}   spawns a child; "faulty" and
 *                                           "temporary" when left out
 *   watch      {"to", "link"}  -> {}        monitors an actor, or links to it
 *   report     nothing         -> {"children", "started", "ended", "restarting", "downs", "last_cause", "noops"}
 *
 * A behavior has no clock, so spin counts loop turns: a microsecond is about right on a machine of 2020, and a second
 * is the most. */
#include <troupe/behaviors.h>

#include "support.h"

#define SPIN_US_MAX 1000000u
#define SPIN_TURNS_PER_US 500u
#define LATE_MS_MAX 600000u
#define FLOOD_COUNT_MAX 1000000u

struct faulty {
    uint32_t started, ended, restarting, downs, noops; /* events seen */
    enum troupe_exit_cause last_cause;                 /* of the last event that had one */
};

/* Every member that some type takes; each type uses a few. One reader for all keeps this file short. */
struct ask {
    char detail[TROUPE_REASON_BYTES_MAX + 1];
    char code[TROUPE_TYPE_BYTES_MAX + 1];
    char to[SUPPORT_TARGET_BYTES_MAX + 1];
    char type[TROUPE_TYPE_BYTES_MAX + 1];
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char name[TROUPE_NAME_BYTES_MAX + 1];
    char word[16];       /* of init and restart */
    troupe_view args;
    uint32_t number;     /* of bytes, us, count, restarts */
    uint32_t ms;
    uint32_t period_ms;
    uint32_t backoff_ms;
    uint32_t status;
    bool link;
};

enum {
    OP_FAIL, OP_STOP, OP_NO_REPLY, OP_NEVER, OP_LATE, OP_APP_ERROR, OP_BIG, OP_SPIN, OP_FLOOD, OP_NOOP, OP_CHILD,
    OP_WATCH, OP_REPORT
}; /* the order of the table below */

#define BODY(members) "{\"type\":\"object\",\"properties\":{" members "},\"additionalProperties\":false}"
#define INTEGER(name) "\"" name "\":{\"type\":\"integer\",\"minimum\":0}"
#define STRING(name) "\"" name "\":{\"type\":\"string\"}"
#define EMPTY BODY("")

static const troupe_type types[] = {
    [OP_FAIL] = {.name = "fail", .summary = "Fail with the words of detail", .body_schema = BODY(STRING("detail"))},
    [OP_STOP] = {.name = "stop", .summary = "Reply, then end normally", .reply_schema = EMPTY},
    [OP_NO_REPLY] = {.name = "no_reply", .summary = "End the turn without a reply"},
    [OP_NEVER] = {.name = "never", .summary = "Keep the reply handle for ever"},
    [OP_LATE] = {.name = "late",
                 .summary = "Reply after some milliseconds",
                 .body_schema = BODY(INTEGER("ms")),
                 .reply_schema = EMPTY},
    [OP_APP_ERROR] = {.name = "app_error",
                      .summary = "Refuse with an application error",
                      .body_schema = BODY(STRING("code") "," INTEGER("status") "," STRING("detail"))},
    [OP_BIG] = {.name = "big",
                .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                .summary = "Reply with so many bytes of text",
                .body_schema = BODY(INTEGER("bytes"))},
    [OP_SPIN] = {.name = "spin",
                 .summary = "Keep the thread busy",
                 .body_schema = BODY(INTEGER("us")),
                 .reply_schema = EMPTY},
    [OP_FLOOD] = {.name = "flood",
                  .summary = "Cast many messages",
                  .body_schema = BODY(STRING("to") "," STRING("type") "," INTEGER("count")),
                  .reply_schema = BODY(INTEGER("sent") "," INTEGER("refused"))},
    [OP_NOOP] = {.name = "noop", .flags = TROUPE_TYPE_CAST | TROUPE_TYPE_IDEMPOTENT, .summary = "Do nothing"},
    [OP_CHILD] = {.name = "child",
                  .summary = "Spawn a child",
                  .body_schema = BODY(STRING("behavior") "," STRING("name") ",\"args\":{}," STRING("restart")
                                      ",\"link\":{\"type\":\"boolean\"}," INTEGER("backoff_ms")),
                  .reply_schema = BODY(STRING("ref"))},
    [OP_WATCH] = {.name = "watch",
                  .summary = "Monitor an actor, or link to it",
                  .body_schema = BODY(STRING("to") ",\"link\":{\"type\":\"boolean\"}"),
                  .reply_schema = EMPTY},
    [OP_REPORT] = {.name = "report",
                   .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Tell what was seen",
                   .reply_schema = BODY(INTEGER("children") "," INTEGER("started") "," INTEGER("ended") ","
                                        INTEGER("restarting") "," INTEGER("downs") ","
                                        "\"last_cause\":{\"type\":[\"string\",\"null\"]}," INTEGER("noops"))},
};

/* One row for each member that can come: where it goes, and how large it may be. */
static const struct member {
    const char *name;
    uint32_t offset; /* in struct ask */
    uint32_t max;    /* of text: bytes with the zero; of numbers: the value */
    bool is_text;
} members[] = {
#define TEXT(name, field) {name, offsetof(struct ask, field), sizeof((struct ask *)0)->field, true}
#define NUMBER(name, field, max) {name, offsetof(struct ask, field), max, false}
    TEXT("detail", detail),
    TEXT("code", code),
    TEXT("to", to),
    TEXT("type", type),
    TEXT("behavior", behavior),
    TEXT("name", name),
    TEXT("init", word),
    TEXT("restart", word),
    NUMBER("status", status, 499),
    NUMBER("ms", ms, LATE_MS_MAX),
    NUMBER("bytes", number, TROUPE_BODY_BYTES_MAX + 1),
    NUMBER("us", number, SPIN_US_MAX),
    NUMBER("count", number, FLOOD_COUNT_MAX),
    NUMBER("restarts", number, TROUPE_RESTARTS_MAX),
    NUMBER("period_ms", period_ms, UINT32_MAX),
    NUMBER("backoff_ms", backoff_ms, LATE_MS_MAX),
};

static void read_member(troupe_json_reader *reader, const troupe_json_string *key, struct ask *ask)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct member *member = &members[i];
        char *field = (char *)ask + member->offset;

        if (!troupe_json_key_is(key, member->name))
            continue;
        if (member->is_text)
            troupe_json_read_text(reader, field, member->max);
        else
            *(uint32_t *)(void *)field = (uint32_t)troupe_json_read_uint(reader, member->max);
        return;
    }
    support_unknown_member(reader);
}

static int read_ask(const troupe_msg *msg, struct ask *ask, troupe_json_reader *reader)
{
    troupe_json_string key;

    *ask = (struct ask){.code = "teapot", .status = 418, .type = "noop", .behavior = "faulty"};
    support_read(reader, msg);
    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "args"))
            ask->args = troupe_json_read_raw(reader);
        else if (troupe_json_key_is(&key, "link"))
            ask->link = troupe_json_read_bool(reader);
        else
            read_member(reader, &key, ask);
    }
    if (ask->status < 400)
        support_missing_member(reader, "status: must be 400 to 499");
    return troupe_json_read_end(reader);
}

static bool word_is(const struct ask *ask, const char *word)
{
    return troupe_view_equal(troupe_view_of(ask->word), troupe_view_of(word));
}

static int answer_empty(troupe_ctx *ctx, const troupe_msg *msg)
{
    return msg->kind == TROUPE_MSG_CALL ? support_replied(troupe_reply(ctx, troupe_body_json("{}", 2))) : 0;
}

/* ---- the faults ---- */

static int keep_for_ever(troupe_ctx *ctx)
{
    troupe_handle forgotten;

    return troupe_reply_keep(ctx, &forgotten);
}

/* The handle travels in the timer's body. */
static int reply_late(troupe_ctx *ctx, const struct ask *ask)
{
    troupe_handle handle;
    uint64_t timer;
    int rc = troupe_reply_keep(ctx, &handle);

    if (rc != 0)
        return rc;
    return troupe_timer_after(ctx, ask->ms, "late",
                              troupe_body_bytes(&handle, sizeof handle, "application/octet-stream"), &timer);
}

static int on_timer(troupe_ctx *ctx, const troupe_msg *msg)
{
    troupe_handle handle;
    int rc;

    if (msg->body_len == 0)
        return troupe_started(ctx, 0);
    memcpy(&handle, msg->body, sizeof handle);
    rc = troupe_reply_to(ctx, handle, troupe_body_json("{}", 2));
    return rc == TROUPE_E_STATE ? 0 : support_replied(rc); /* the caller may not have waited so long */
}

static int reply_big(troupe_ctx *ctx, const troupe_msg *msg, const struct ask *ask)
{
    char *text = troupe_alloc(ask->number + 1u);
    int rc;

    if (text == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory for so many bytes");
    memset(text, 'x', ask->number);
    rc = troupe_reply(ctx, troupe_body_bytes(text, ask->number, "text/plain"));
    troupe_free(text);
    if (rc == TROUPE_E_TOO_LARGE)
        return support_refuse(ctx, msg, rc, "the reply is larger than a body may be");
    return support_replied(rc);
}

static int spin(troupe_ctx *ctx, const troupe_msg *msg, const struct ask *ask)
{
    for (volatile uint32_t turns = ask->number * SPIN_TURNS_PER_US; turns != 0; turns = turns - 1)
        continue;
    return answer_empty(ctx, msg);
}

static int flood(troupe_ctx *ctx, const troupe_msg *msg, const struct ask *ask)
{
    troupe_ref to = troupe_self(ctx);
    uint32_t sent = 0;
    troupe_json_writer writer;
    char buf[64];

    if (ask->to[0] != '\0' && support_resolve(ctx, troupe_view_of(ask->to), &to) != 0)
        return support_refuse(ctx, msg, TROUPE_E_NOT_FOUND, "to: there is no such actor");
    for (uint32_t i = 0; i < ask->number; i++)
        sent += troupe_cast(ctx, to, ask->type, troupe_body_none()) == 0;

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "sent");
    troupe_json_write_uint(&writer, sent);
    troupe_json_write_key(&writer, "refused");
    troupe_json_write_uint(&writer, ask->number - sent);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

/* ---- supervision ---- */

static int spawn_child(troupe_ctx *ctx, const troupe_msg *msg, const struct ask *ask)
{
    troupe_spawn_opts opts = {.behavior = ask->behavior,
                              .name = troupe_view_of(ask->name),
                              .args = troupe_body_json(ask->args.ptr, ask->args.len),
                              .restart = word_is(ask, "permanent")   ? TROUPE_PERMANENT
                                         : word_is(ask, "transient") ? TROUPE_TRANSIENT
                                                                     : TROUPE_TEMPORARY,
                              .backoff_min_ms = ask->backoff_ms,
                              .backoff_max_ms = ask->backoff_ms,
                              .link = ask->link};
    troupe_json_writer writer;
    char buf[TROUPE_REF_TEXT_MAX + 16], text[TROUPE_REF_TEXT_MAX];
    troupe_ref ref;
    int rc = troupe_spawn(ctx, &opts, &ref);

    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the child was not spawned");
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "ref");
    troupe_json_write_string(&writer, (troupe_view){.ptr = text, .len = troupe_ref_format(ref, text)});
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static int watch(troupe_ctx *ctx, const troupe_msg *msg, const struct ask *ask)
{
    troupe_ref ref;
    uint64_t monitor;
    int rc = support_resolve(ctx, troupe_view_of(ask->to), &ref);

    if (rc == 0)
        rc = ask->link ? troupe_link(ctx, ref) : troupe_monitor(ctx, ref, &monitor);
    return rc == 0 ? answer_empty(ctx, msg) : support_refuse(ctx, msg, rc, "to: cannot be watched");
}

static void write_count(troupe_json_writer *writer, const char *name, uint32_t count)
{
    troupe_json_write_key(writer, name);
    troupe_json_write_uint(writer, count);
}

static int report(troupe_ctx *ctx, const struct faulty *faulty, const troupe_msg *msg)
{
    troupe_json_writer writer;
    char buf[256];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    write_count(&writer, "children", troupe_children_count(ctx));
    write_count(&writer, "started", faulty->started);
    write_count(&writer, "ended", faulty->ended);
    write_count(&writer, "restarting", faulty->restarting);
    write_count(&writer, "downs", faulty->downs);
    troupe_json_write_key(&writer, "last_cause");
    if (faulty->ended + faulty->restarting + faulty->downs != 0)
        troupe_json_write_text(&writer, troupe_exit_word(faulty->last_cause));
    else
        troupe_json_write_null(&writer);
    write_count(&writer, "noops", faulty->noops);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static int child(troupe_ctx *ctx, void *state, const troupe_child_event *event)
{
    struct faulty *faulty = state;

    (void)ctx;
    if (event->what == TROUPE_CHILD_STARTED) {
        faulty->started++;
        return 0;
    }
    if (event->what == TROUPE_CHILD_ENDED)
        faulty->ended++;
    else
        faulty->restarting++;
    faulty->last_cause = event->exit.cause;
    return 0;
}

static int down(troupe_ctx *ctx, void *state, const troupe_down *down)
{
    struct faulty *faulty = state;

    (void)ctx;
    faulty->downs++;
    faulty->last_cause = down->exit.cause;
    return 0;
}

/* ---- the behavior ---- */

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    troupe_json_reader reader;
    struct ask ask;
    uint64_t timer;

    (void)state;
    if (read_ask(args, &ask, &reader) != 0)
        return support_fail_args(ctx, &reader);
    if (word_is(&ask, "fail"))
        return troupe_fail(ctx, TROUPE_E_INTERNAL, "it was told to fail in init");
    if (ask.number != 0 || ask.period_ms != 0) {
        troupe_supervision how = {.restarts = ask.number, .period_ms = ask.period_ms};
        int rc = troupe_supervise(ctx, &how);

        if (rc != 0)
            return rc;
    }
    if (word_is(&ask, "late")) {
        int rc = troupe_timer_after(ctx, ask.ms, "started", troupe_body_none(), &timer);

        return rc == 0 ? TROUPE_STARTING : rc;
    }
    return word_is(&ask, "hang") ? TROUPE_STARTING : 0;
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct faulty *faulty = state;
    troupe_json_reader reader;
    struct ask ask;

    if (msg->kind == TROUPE_MSG_TIMER)
        return on_timer(ctx, msg);
    if (msg->op == OP_NOOP || msg->op == TROUPE_OP_NONE) {
        faulty->noops += msg->op == OP_NOOP;
        return 0;
    }
    if (read_ask(msg, &ask, &reader) != 0)
        return support_refuse_body(ctx, msg, &reader);

    switch (msg->op) {
    case OP_FAIL:
        return troupe_fail(ctx, TROUPE_E_INTERNAL, ask.detail[0] != '\0' ? ask.detail : "it was told to fail");
    case OP_STOP:
        troupe_stop_self(ctx, ask.detail);
        return answer_empty(ctx, msg);
    case OP_NEVER:
        return msg->kind == TROUPE_MSG_CALL ? keep_for_ever(ctx) : 0;
    case OP_LATE:
        return msg->kind == TROUPE_MSG_CALL ? reply_late(ctx, &ask) : 0;
    case OP_APP_ERROR:
        return support_refuse_app(ctx, msg, ask.code, ask.status, ask.detail);
    case OP_BIG:
        return msg->kind == TROUPE_MSG_CALL ? reply_big(ctx, msg, &ask) : 0;
    case OP_SPIN:
        return spin(ctx, msg, &ask);
    case OP_FLOOD:
        return flood(ctx, msg, &ask);
    case OP_CHILD:
        return spawn_child(ctx, msg, &ask);
    case OP_WATCH:
        return watch(ctx, msg, &ask);
    case OP_REPORT:
        return report(ctx, faulty, msg);
    default:
        return 0; /* no_reply */
    }
}

static int view(troupe_ctx *ctx, const void *state)
{
    const struct faulty *faulty = state;
    troupe_json_writer writer;
    char buf[160];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    support_write_uint(&writer, "started", faulty->started);
    support_write_uint(&writer, "ended", faulty->ended);
    support_write_uint(&writer, "restarting", faulty->restarting);
    support_write_uint(&writer, "downs", faulty->downs);
    support_write_uint(&writer, "noops", faulty->noops);
    troupe_json_write_object_end(&writer);
    return support_show(ctx, &writer, buf);
}

const troupe_behavior troupe_behavior_faulty = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "faulty",
    .version = "1.0.0",
    .summary = "Fails, never replies, replies late, floods: for tests",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct faulty),
    .init = init,
    .receive = receive,
    .down = down,
    .child = child,
    .view = view,
};
