/* SPDX-License-Identifier: Apache-2.0
 *
 * door: a door with a code lock. The worked example of docs/state-machines.md.
 *
 *   args    {"code": "1234", "open_ms": n, "patience_ms": n, "tries": n, "blocked_ms": n}
 *           code is 1 to 16 digits; without the others 5000, 10000, 3 and 30000
 *
 *   press   {"digit": 0..9} -> status
 *   pass    nothing -> status        walk through: waits until the door is open
 *   lock    nothing -> status
 *   status  nothing -> {"state", "digits", "wrong", "passed"}
 *
 *   state   | press                   | pass     | lock  | its timeout     | other timeouts
 *   --------+-------------------------+----------+-------+-----------------+-------------------------------
 *   locked  | right: open             | postpone | stay  |                 | nothing for patience_ms: digits
 *           | so many wrong: blocked  |          |       |                 | are forgotten
 *   open    | postpone                | count it | locked| open_ms: locked |
 *   blocked | refuse                  | refuse   | refuse| blocked_ms:     | "forgive", blocked_ms after the first
 *           |                         |          |       | locked          | wrong code, in any state: wrong is 0
 *
 * Each state that is entered is published as an event of its name. */
#include <troupe/behaviors.h>
#include <troupe/machine.h>

#include "support.h"

#define CODE_DIGITS_MAX 16u
#define DELAY_MS_MAX 86400000u /* a day */
#define TRIES_MAX 100u
#define STATUS_BYTES_MAX 160

enum { LOCKED, OPEN, BLOCKED };
enum { OP_PRESS, OP_PASS, OP_LOCK, OP_STATUS }; /* the order of the table below */

struct door {
    troupe_machine machine;
    uint64_t passed;
    uint32_t open_ms, patience_ms, blocked_ms;
    uint32_t tries, wrong;
    uint8_t code_len, digits_len;
    char code[CODE_DIGITS_MAX + 1], digits[CODE_DIGITS_MAX + 1];
};

#define STATUS_SCHEMA                                                                                                  \
    "{\"type\":\"object\",\"properties\":{\"state\":{\"enum\":[\"locked\",\"open\",\"blocked\"]},"                     \
    "\"digits\":{\"type\":\"integer\"},\"wrong\":{\"type\":\"integer\"},\"passed\":{\"type\":\"integer\"}},"           \
    "\"required\":[\"state\",\"digits\",\"wrong\",\"passed\"],\"additionalProperties\":false}"

static const troupe_type types[] = {
    [OP_PRESS] = {.name = "press",
                  .summary = "Press a digit; while the door is open it is kept for later",
                  .body_schema = "{\"type\":\"object\",\"properties\":{\"digit\":{\"type\":\"integer\",\"minimum\":0,"
                                 "\"maximum\":9}},\"required\":[\"digit\"],\"additionalProperties\":false}",
                  .reply_schema = STATUS_SCHEMA},
    [OP_PASS] = {.name = "pass", .summary = "Walk through, when the door is open", .reply_schema = STATUS_SCHEMA},
    [OP_LOCK] = {.name = "lock",
                 .flags = TROUPE_TYPE_IDEMPOTENT,
                 .summary = "Lock the door",
                 .reply_schema = STATUS_SCHEMA},
    [OP_STATUS] = {.name = "status",
                   .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Tell the state, and how many digits were pressed, codes were wrong, people passed",
                   .reply_schema = STATUS_SCHEMA},
};

/* ---- answers ---- */

static void write_status(troupe_json_writer *writer, char *buf, size_t cap, const struct door *door, const char *state,
                         unsigned digits)
{
    troupe_json_write_init(writer, buf, cap);
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "state");
    troupe_json_write_text(writer, state);
    troupe_json_write_key(writer, "digits");
    troupe_json_write_uint(writer, digits);
    troupe_json_write_key(writer, "wrong");
    troupe_json_write_uint(writer, door->wrong);
    troupe_json_write_key(writer, "passed");
    troupe_json_write_uint(writer, door->passed);
    troupe_json_write_object_end(writer);
}

/* Tell how things are, as the state that is about to be entered would. */
static int answer(troupe_ctx *ctx, const struct door *door, const troupe_msg *msg, const char *state, unsigned digits)
{
    troupe_json_writer writer;
    char buf[STATUS_BYTES_MAX];

    write_status(&writer, buf, sizeof buf, door, state, digits);
    return support_answer(ctx, msg, &writer, buf);
}

static int answer_now(troupe_ctx *ctx, const struct door *door, const troupe_msg *msg)
{
    return answer(ctx, door, msg, troupe_machine_state_name(&door->machine), door->digits_len);
}

/* Postpone, or say why not. Whoever calls is told of exhausted memory; the door goes on. */
static int postpone(troupe_ctx *ctx, struct door *door, const troupe_msg *msg)
{
    int rc = troupe_machine_postpone(ctx, &door->machine);

    return rc == TROUPE_E_NO_MEMORY ? support_refuse(ctx, msg, rc, "it cannot be kept for later") : rc;
}

static int publish_state(troupe_ctx *ctx, const struct door *door)
{
    int rc = troupe_publish(ctx, troupe_machine_state_name(&door->machine), troupe_body_json("{}", 2));

    return rc == TROUPE_E_NO_MEMORY ? 0 : rc; /* who listens misses it; the door works */
}

/* ---- locked ---- */

static int enter_locked(troupe_ctx *ctx, void *data, uint16_t from)
{
    struct door *door = data;

    (void)from;
    door->digits_len = 0;
    return publish_state(ctx, door);
}

static int press(troupe_ctx *ctx, struct door *door, const troupe_msg *msg)
{
    troupe_json_reader reader;
    troupe_json_string key;
    int64_t digit = -1;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "digit"))
            digit = troupe_json_read_int(&reader, 0, 9);
        else
            support_unknown_member(&reader);
    }
    if (digit < 0)
        support_missing_member(&reader, "digit is missing");
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);
    door->digits[door->digits_len++] = (char)('0' + digit);
    if (door->digits_len == door->code_len)
        return troupe_machine_next_event(&door->machine, "code", troupe_body_none());
    int rc = troupe_machine_event_timeout(ctx, &door->machine, door->patience_ms);
    return rc != 0 ? rc : answer_now(ctx, door, msg);
}

/* All digits of a code were pressed. */
static int try_code(troupe_ctx *ctx, struct door *door, const troupe_msg *msg)
{
    bool is_right = memcmp(door->digits, door->code, door->code_len) == 0;
    int rc = 0;

    door->digits_len = 0;
    if (is_right) {
        door->wrong = 0;
        rc = troupe_machine_goto(ctx, &door->machine, OPEN);
        return rc != 0 ? rc : answer(ctx, door, msg, "open", 0);
    }
    if (++door->wrong == 1)
        rc = troupe_machine_timeout(ctx, &door->machine, "forgive", door->blocked_ms);
    if (rc == 0 && door->wrong >= door->tries) {
        rc = troupe_machine_goto(ctx, &door->machine, BLOCKED);
        return rc != 0 ? rc : answer(ctx, door, msg, "blocked", 0);
    }
    return rc != 0 ? rc : answer_now(ctx, door, msg);
}

static int when_locked(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    struct door *door = data;

    if (event->kind == TROUPE_MACHINE_OWN)
        return try_code(ctx, door, event->msg);
    if (event->kind == TROUPE_MACHINE_EVENT_TIMEOUT) {
        door->digits_len = 0;
        return 0;
    }
    switch (event->op) {
    case OP_PRESS:
        return press(ctx, door, event->msg);
    case OP_PASS:
        return postpone(ctx, door, event->msg);
    case OP_LOCK:
        return answer_now(ctx, door, event->msg);
    default:
        return TROUPE_MACHINE_ELSE;
    }
}

/* ---- open ---- */

static int enter_open(troupe_ctx *ctx, void *data, uint16_t from)
{
    struct door *door = data;
    int rc = troupe_machine_state_timeout(ctx, &door->machine, door->open_ms);

    (void)from;
    return rc != 0 ? rc : publish_state(ctx, door);
}

static int when_open(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    struct door *door = data;
    int rc;

    if (event->kind == TROUPE_MACHINE_STATE_TIMEOUT)
        return troupe_machine_goto(ctx, &door->machine, LOCKED);
    switch (event->op) {
    case OP_PRESS:
        return postpone(ctx, door, event->msg);
    case OP_PASS:
        door->passed++;
        return answer_now(ctx, door, event->msg);
    case OP_LOCK:
        rc = troupe_machine_goto(ctx, &door->machine, LOCKED);
        return rc != 0 ? rc : answer(ctx, door, event->msg, "locked", 0);
    default:
        return TROUPE_MACHINE_ELSE;
    }
}

/* ---- blocked ---- */

static int enter_blocked(troupe_ctx *ctx, void *data, uint16_t from)
{
    struct door *door = data;
    int rc = troupe_machine_state_timeout(ctx, &door->machine, door->blocked_ms);

    (void)from;
    return rc != 0 ? rc : publish_state(ctx, door);
}

static int when_blocked(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    struct door *door = data;

    if (event->kind == TROUPE_MACHINE_STATE_TIMEOUT) {
        door->wrong = 0;
        return troupe_machine_goto(ctx, &door->machine, LOCKED);
    }
    return TROUPE_MACHINE_ELSE; /* what changes something is refused with "app.wrong_state" */
}

/* ---- the machine ---- */

static int in_any_state(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    struct door *door = data;
    int rc = 0;

    if (event->kind == TROUPE_MACHINE_TIMEOUT) {
        door->wrong = 0;
        return 0;
    }
    if (event->op != OP_STATUS)
        return TROUPE_MACHINE_ELSE;
    if (door->digits_len > 0) /* this was an event as well */
        rc = troupe_machine_event_timeout(ctx, &door->machine, door->patience_ms);
    return rc != 0 ? rc : answer_now(ctx, door, event->msg);
}

static const troupe_machine_state states[] = {
    [LOCKED] = {"locked", when_locked, enter_locked},
    [OPEN] = {"open", when_open, enter_open},
    [BLOCKED] = {"blocked", when_blocked, enter_blocked},
};

static const troupe_machine_table table = {states, sizeof states / sizeof states[0], in_any_state};

static bool is_code(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0;
}

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct door *door = state;
    troupe_json_reader reader;
    troupe_json_string key;
    size_t code_len = 0;

    door->open_ms = 5000;
    door->patience_ms = 10000;
    door->tries = 3;
    door->blocked_ms = 30000;
    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "code"))
            code_len = troupe_json_read_text(&reader, door->code, sizeof door->code);
        else if (troupe_json_key_is(&key, "open_ms"))
            door->open_ms = (uint32_t)troupe_json_read_int(&reader, 1, DELAY_MS_MAX);
        else if (troupe_json_key_is(&key, "patience_ms"))
            door->patience_ms = (uint32_t)troupe_json_read_int(&reader, 1, DELAY_MS_MAX);
        else if (troupe_json_key_is(&key, "tries"))
            door->tries = (uint32_t)troupe_json_read_int(&reader, 1, TRIES_MAX);
        else if (troupe_json_key_is(&key, "blocked_ms"))
            door->blocked_ms = (uint32_t)troupe_json_read_int(&reader, 1, DELAY_MS_MAX);
        else
            support_unknown_member(&reader);
    }
    if (troupe_json_read_end(&reader) != 0)
        return support_fail_args(ctx, &reader);
    if (!is_code(door->code, code_len))
        return troupe_fail(ctx, TROUPE_E_SCHEMA, "code: must be 1 to 16 digits");
    door->code_len = (uint8_t)code_len;
    return troupe_machine_start(ctx, &door->machine, &table, LOCKED, door);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct door *door = state;

    return troupe_machine_receive(ctx, &door->machine, msg);
}

static int view(troupe_ctx *ctx, const void *state)
{
    const struct door *door = state;
    troupe_json_writer writer;
    char buf[STATUS_BYTES_MAX];

    write_status(&writer, buf, sizeof buf, door, troupe_machine_state_name(&door->machine), door->digits_len);
    return support_show(ctx, &writer, buf);
}

static void fini(void *state)
{
    struct door *door = state;

    troupe_machine_free(&door->machine);
}

const troupe_behavior troupe_behavior_door = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "door",
    .version = "1.0.0",
    .summary = "A door with a code lock: a state machine",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct door),
    .init = init,
    .receive = receive,
    .fini = fini,
    .view = view,
    .args_schema =
        "{\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":16},"
        "\"open_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000},"
        "\"patience_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000},"
        "\"tries\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"
        "\"blocked_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000}},"
        "\"required\":[\"code\"],\"additionalProperties\":false}",
};
