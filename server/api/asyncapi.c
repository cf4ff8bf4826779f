/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /asyncapi.json. One channel, /v1/ws; each row of the tables of frames is a message, and each operation of the
 * client an operation that this application receives. Two operations of a name, one each way, are told apart by their
 * keys: the node's is node_ and its name.
 *
 * jansson's functions take NULL for a value that could not be made and pass the failure on, so it is looked at once. */
#include "api/asyncapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "session/frames.h"

#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

/* ---- members ---- */

static json_t *words_doc(const char *const *words)
{
    json_t *list = json_array();
    for (unsigned i = 0; words[i] != NULL; i++)
        json_array_append_new(list, json_string(words[i]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *uint_doc(uint64_t min, uint64_t max)
{
    json_t *doc = json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)min);
    if (max <= JSON_INTEGER_MAX)
        json_object_set_new(doc, "maximum", json_integer((json_int_t)max));
    return doc;
}

static json_t *text_doc(uint64_t min, uint64_t max)
{
    return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength", (json_int_t)min, "maxLength", (json_int_t)max);
}

static json_t *fields_doc(const struct check_field *fields)
{
    json_t *properties = json_object();
    for (; fields->name != NULL; fields++)
        json_object_set_new(properties, fields->name, fields->type == CHECK_WORD ? words_doc(fields->words)
                                                                                : uint_doc(fields->min, fields->max));
    return json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", false);
}

static json_t *type_doc(const struct frame_member_row *row)
{
    switch (row->type) {
    case FRAME_TYPE_ID:
        return json_pack("{s:[o, o]}", "oneOf", uint_doc(0, JSON_INTEGER_MAX), text_doc(1, FRAME_ID_BYTES_MAX));
    case FRAME_TYPE_TEXT:   return text_doc(row->min, row->max);
    case FRAME_TYPE_WORD:   return words_doc(row->words);
    case FRAME_TYPE_UINT:   return uint_doc(row->min, row->max);
    case FRAME_TYPE_BOOL:   return json_pack("{s:s}", "type", "boolean");
    case FRAME_TYPE_BASE64: return json_pack("{s:s, s:s}", "type", "string", "contentEncoding", "base64");
    case FRAME_TYPE_OBJECT: return fields_doc(row->fields);
    case FRAME_TYPE_TYPES:
        return json_pack("{s:s, s:i, s:i, s:{s:s, s:s}}", "type", "array", "minItems", 1, "maxItems",
                         TROUPE_FILTER_TYPES_MAX, "items", "type", "string", "pattern",
                         "^([A-Za-z0-9_.:-]{1,64}|[A-Za-z0-9_.:-]{0,64}\\*)$");
    default:                return json_object();
    }
}

/* Members are components, so that each is told once. */
static json_t *schemas_doc(void)
{
    json_t *schemas = json_object();
    for (unsigned i = FRAME_OP + 1; i < FRAME_MEMBERS; i++) {
        json_t *schema = type_doc(&frame_members[i]);
        json_object_set_new(schema, "description", json_string(frame_members[i].summary));
        json_object_set_new(schemas, frame_members[i].name, schema);
    }
    return schemas;
}

/* ---- messages ---- */

enum { KEY_BYTES = 96 };

static void write_key(enum frame_op op, char key[static KEY_BYTES])
{
    bool is_taken = false;
    for (unsigned i = 0; i < OP_SERVERS && op >= OP_SERVERS; i++)
        is_taken |= strcmp(frame_ops[i].name, frame_ops[op].name) == 0;
    snprintf(key, KEY_BYTES, "%s%s", is_taken ? "node_" : "", frame_ops[op].name);
}

static json_t *ref_doc(const char *place, const char *key)
{
    char ref[KEY_BYTES * 2];
    snprintf(ref, sizeof ref, "#/%s/%s", place, key);
    return json_pack("{s:s}", "$ref", ref);
}

static json_t *required_doc(uint64_t members)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < FRAME_MEMBERS; i++) {
        if ((members & FRAME_BIT(i)) != 0)
            json_array_append_new(list, json_string(frame_members[i].name));
    }
    return list;
}

/* What members have to do with each other, as a list for allOf. */
static json_t *rules_doc(const struct frame_op_row *op)
{
    uint64_t all = op->required | op->optional;
    json_t *list = json_array();
    for (const struct frame_rule *rule = frame_rules; rule->member != FRAME_OP; rule++) {
        uint64_t both = FRAME_BIT(rule->member) | FRAME_BIT(rule->other);
        if ((all & both) != both)
            continue;
        if (rule->needs)
            json_array_append_new(list, json_pack("{s:{s:o}}", "dependencies", frame_members[rule->member].name,
                                                  required_doc(FRAME_BIT(rule->other))));
        else
            json_array_append_new(list, json_pack("{s:{s:o}}", "not", "required", required_doc(both)));
    }
    if (op->one_of != 0) {
        json_t *choice = json_array();
        for (unsigned i = 0; i < FRAME_MEMBERS; i++) {
            if ((op->one_of & FRAME_BIT(i)) != 0)
                json_array_append_new(choice, json_pack("{s:o}", "required", required_doc(FRAME_BIT(i))));
        }
        json_array_append_new(list, json_pack("{s:o}", "oneOf", choice));
    }
    return list;
}

static json_t *payload_doc(const struct frame_op_row *op)
{
    json_t *properties = json_pack("{s:{s:s}}", "op", "const", op->name);
    for (unsigned i = FRAME_OP + 1; i < FRAME_MEMBERS; i++) {
        if (((op->required | op->optional) & FRAME_BIT(i)) != 0)
            json_object_set_new(properties, frame_members[i].name,
                                ref_doc("components/schemas", frame_members[i].name));
    }
    json_t *payload = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "required",
                                required_doc(op->required | FRAME_BIT(FRAME_OP)), "properties", properties,
                                "additionalProperties", false);
    json_t *rules = rules_doc(op);
    if (json_array_size(rules) > 0)
        json_object_set(payload, "allOf", rules);
    json_decref(rules);
    return payload;
}

static json_t *messages_doc(bool are_refs)
{
    json_t *messages = json_object();
    for (unsigned i = 0; i < FRAME_OPS; i++) {
        char key[KEY_BYTES];
        write_key((enum frame_op)i, key);
        json_object_set_new(messages, key, are_refs ? ref_doc("components/messages", key)
                            : json_pack("{s:s, s:s, s:o}", "name", key, "summary", frame_ops[i].summary, "payload",
                                        payload_doc(&frame_ops[i])));
    }
    return messages;
}

/* ---- operations ---- */

static json_t *channel_ref(void)
{
    return ref_doc("channels", "session");
}

/* The messages that answer, by the names of their operations. */
static json_t *answers_doc(const char *names)
{
    json_t *list = json_array();
    while (*names != '\0') {
        char name[KEY_BYTES];
        size_t len = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)len, names);
        json_array_append_new(list, ref_doc("channels/session/messages", name));
        names += len + (names[len] == ' ');
    }
    return json_pack("{s:o, s:o}", "channel", channel_ref(), "messages", list);
}

static json_t *operations_doc(void)
{
    json_t *operations = json_object();
    for (unsigned i = 0; i < FRAME_OPS; i++) {
        char key[KEY_BYTES];
        write_key((enum frame_op)i, key);
        bool is_ours = i >= OP_SERVERS;
        json_t *doc = json_pack("{s:s, s:o, s:s, s:[o]}", "action", is_ours ? "send" : "receive", "channel",
                                channel_ref(), "summary", frame_ops[i].summary, "messages",
                                ref_doc("channels/session/messages", key));
        if (frame_ops[i].answers != NULL)
            json_object_set_new(doc, "reply", answers_doc(frame_ops[i].answers));
        if (!is_ours)
            json_object_set_new(doc, "x-troupe-scope", json_string(access_scope_word(frame_ops[i].scope)));
        if (frame_ops[i].scope != ACCESS_PUBLIC)
            json_object_set_new(doc, "x-troupe-target", json_string(i == OP_SPAWN ? "spawn" : "actor"));
        json_object_set_new(operations, key, doc);
    }
    return operations;
}

/* ---- the document ---- */

static json_t *document(const char *version, const char *host)
{
    json_t *server = json_pack("{s:s, s:s, s:s, s:[o]}", "host", host, "protocol", "ws", "description", "This node",
                               "security", ref_doc("components/securitySchemes", "token"));
    json_t *binding = json_pack("{s:s, s:{s:s, s:{s:{s:s, s:s}}}, s:s}", "method", "GET", "headers", "type", "object",
                                "properties", "Sec-WebSocket-Protocol", "type", "string", "description",
                                "troupe.v1.json, and where no Authorization can be sent troupe.token.T or "
                                "troupe.ticket.T, with a comma between.", "bindingVersion", "0.1.0");
    json_t *channel = json_pack("{s:s, s:s, s:o, s:{s:o}}", "address", "/v1/ws", "description",
                                "A session: one JSON object a text frame, both ways. Subprotocol troupe.v1.json.",
                                "messages", messages_doc(true), "bindings", "ws", binding);
    json_t *token = json_pack("{s:s, s:s, s:s}", "type", "http", "scheme", "bearer", "description",
                              "Needed by nodes that have a file of tokens.");
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:s, s:{s:o}, s:{s:o}, s:o, s:{s:o, s:o, s:{s:o}}}",
                     "asyncapi", "3.0.0", "info", "title", "Troupe sessions", "version", version, "description",
                     "Actors by WebSocket: call them, watch them, hear their events. Any node answers.", "license",
                     "name", "Apache-2.0", "url", "https://www.apache.org/licenses/LICENSE-2.0",
                     "defaultContentType", "application/json", "servers", "node", server, "channels", "session",
                     channel, "operations", operations_doc(), "components", "messages", messages_doc(false),
                     "schemas", schemas_doc(), "securitySchemes", "token", token);
}

int asyncapi_write(const char *version, const char *url, char **ret_text, size_t *ret_len)
{
    const char *host = strstr(url, "://");
    json_t *doc = document(version, host != NULL ? host + 3 : url);
    char *text = doc != NULL ? json_dumps(doc, JSON_INDENT(1)) : NULL;
    json_decref(doc);
    if (text == NULL)
        return TROUPE_E_NO_MEMORY;
    *ret_text = text;
    *ret_len = strlen(text);
    return 0;
}

void asyncapi_get(struct api_request *req)
{
    api_reply(req, 200, "application/json", req->env->asyncapi, req->env->asyncapi_len, API_STATIC, NULL, 0);
}
