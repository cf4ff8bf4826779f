/* SPDX-License-Identifier: Apache-2.0
 *
 * counter: a number. The worked example of docs/writing-a-behavior.md.
 *
 *   args   {"value": n}     optional: where to start, 0 otherwise
 *
 *   add    {"by": n}        -> {"value": n}   by is 1 when it is left out; negative counts down
 *   get    nothing          -> {"value": n}
 *   reset  nothing          -> {"value": 0}
 *
 * The number has 64 bits. An add that would leave them changes nothing and is refused with the application error
 * "overflow" (409). add and reset can also be cast. */
#include <troupe/behaviors.h>

#include "support.h"

struct counter {
    int64_t value;
};

enum { OP_ADD, OP_GET, OP_RESET }; /* the order of the table below */

#define VALUE_SCHEMA                                                                                                   \
    "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"integer\"}},\"required\":[\"value\"],"                 \
    "\"additionalProperties\":false}"

static const troupe_type types[] = {
    [OP_ADD] = {.name = "add",
                .summary = "Add to the number and give the sum",
                .body_schema = "{\"type\":\"object\",\"properties\":{\"by\":{\"type\":\"integer\"}},"
                               "\"additionalProperties\":false}",
                .reply_schema = VALUE_SCHEMA},
    [OP_GET] = {.name = "get",
                .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                .summary = "Give the number",
                .reply_schema = VALUE_SCHEMA},
    [OP_RESET] = {.name = "reset",
                  .flags = TROUPE_TYPE_IDEMPOTENT,
                  .summary = "Set the number to 0",
                  .reply_schema = VALUE_SCHEMA},
};

/* Read the one integer member that both args and add have. */
static int read_integer(const troupe_msg *msg, const char *name, troupe_json_reader *reader, int64_t *value)
{
    troupe_json_string key;

    support_read(reader, msg);
    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, name))
            *value = troupe_json_read_int(reader, INT64_MIN, INT64_MAX);
        else
            support_unknown_member(reader);
    }
    return troupe_json_read_end(reader);
}

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct counter *counter = state;
    troupe_json_reader reader;

    if (read_integer(args, "value", &reader, &counter->value) != 0)
        return support_fail_args(ctx, &reader);
    return 0;
}

static void write_value(troupe_json_writer *writer, char *buf, size_t cap, const struct counter *counter)
{
    troupe_json_write_init(writer, buf, cap);
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "value");
    troupe_json_write_int(writer, counter->value);
    troupe_json_write_object_end(writer);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct counter *counter = state;
    troupe_json_reader reader;
    troupe_json_writer writer;
    int64_t by = 1;
    char buf[48];

    switch (msg->op) {
    case OP_ADD:
        if (read_integer(msg, "by", &reader, &by) != 0)
            return support_refuse_body(ctx, msg, &reader);
        if (__builtin_add_overflow(counter->value, by, &by))
            return support_refuse_app(ctx, msg, "overflow", 409, "the sum does not fit into 64 bits");
        counter->value = by;
        break;
    case OP_RESET:
        counter->value = 0;
        break;
    default:
        break; /* get changes nothing */
    }

    write_value(&writer, buf, sizeof buf, counter);
    return support_answer(ctx, msg, &writer, buf);
}

static int view(troupe_ctx *ctx, const void *state)
{
    troupe_json_writer writer;
    char buf[48];

    write_value(&writer, buf, sizeof buf, state);
    return support_show(ctx, &writer, buf);
}

const troupe_behavior troupe_behavior_counter = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "counter",
    .version = "1.0.0",
    .summary = "A number: add, get, reset",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct counter),
    .init = init,
    .args_schema = "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"integer\"}},"
                   "\"additionalProperties\":false}",
    .receive = receive,
    .view = view,
};
