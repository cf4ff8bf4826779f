/* SPDX-License-Identifier: Apache-2.0
 *
 * From docs/writing-a-behavior.md, which says how to compile and run it. */
#include <stdio.h>

#include <troupe/behavior.h>
#include <troupe/json.h>

/* Zeroed before the first message. */
struct greeter {
    unsigned greeted;
};

enum { GREET, COUNT }; /* the order of the table: msg->op is the index in it */

static const troupe_type types[] = {
    [GREET] = {.name = "greet",
               .summary = "Greet somebody",
               .body_schema = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,"
                              "\"maxLength\":40}},\"required\":[\"name\"],\"additionalProperties\":false}"},
    [COUNT] = {.name = "count",
               .summary = "Tell how many were greeted",
               .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT},
};

static int greet(troupe_ctx *ctx, struct greeter *greeter, const troupe_msg *msg)
{
    char name[161] = "", words[200], json[1200];
    troupe_json_string key;
    troupe_json_reader reader;
    troupe_json_writer writer;

    troupe_json_read_init(&reader, msg->body, msg->body_len);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "name"))
            troupe_json_read_text(&reader, name, sizeof name);
        else
            troupe_json_skip(&reader);
    }
    if (troupe_json_read_end(&reader) != 0 || name[0] == '\0')
        return msg->kind == TROUPE_MSG_CALL ? troupe_reply_error(ctx, TROUPE_E_SCHEMA, "name: say whom to greet") : 0;

    greeter->greeted++;
    snprintf(words, sizeof words, "Hello, %s!", name);
    troupe_json_write_init(&writer, json, sizeof json);
    troupe_json_write_text(&writer, words);
    return msg->kind == TROUPE_MSG_CALL
               ? troupe_reply(ctx, troupe_body_json(json, troupe_json_write_length(&writer))) : 0;
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct greeter *greeter = state;
    char json[16];
    int len;

    if (msg->op == GREET)
        return greet(ctx, greeter, msg);
    len = snprintf(json, sizeof json, "%u", greeter->greeted);
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json(json, (size_t)len)) : 0;
}

static const troupe_behavior greeter = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "greeter",
    .version = "1.0.0",
    .summary = "Greets people and counts them",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct greeter),
    .receive = receive,
};

TROUPE_EXPORT_BEHAVIORS(&greeter);
