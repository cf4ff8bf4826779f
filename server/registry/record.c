/* SPDX-License-Identifier: Apache-2.0
 *
 * Records to JSON and back. What comes from the wire is checked here, whole, and nowhere else: a record that was read
 * has bounded texts, known words and ports that fit. Members that this version does not know are passed over, so that
 * the next version may add some. */
#include "registry/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8_text.h"

enum { BEHAVIORS_MAX = 256, LABELS_MAX = 64, WORD_BYTES_MAX = 64, LABEL_BYTES_MAX = 255 };

static const char *const state_words[] = {
    [REGISTRY_JOINING] = "joining", [REGISTRY_UP] = "up", [REGISTRY_DRAINING] = "draining", [REGISTRY_DOWN] = "down",
};

static const char *const what_words[] = {
    [REGISTRY_NODE_JOINING] = "node.joining", [REGISTRY_NODE_UP] = "node.up", [REGISTRY_NODE_CHANGED] = "node.changed",
    [REGISTRY_NODE_DRAINING] = "node.draining", [REGISTRY_NODE_LEFT] = "node.left", [REGISTRY_NODE_DOWN] = "node.down",
};

const char *registry_state_word(enum registry_state state)
{
    return state >= REGISTRY_JOINING && state <= REGISTRY_DOWN ? state_words[state] : "unknown";
}

enum registry_state registry_state_parse(const char *word)
{
    for (int i = REGISTRY_JOINING; word != NULL && i <= REGISTRY_DOWN; i++) {
        if (strcmp(word, state_words[i]) == 0)
            return (enum registry_state)i;
    }
    return 0;
}

const char *registry_what_word(enum registry_what what)
{
    return what >= REGISTRY_NODE_JOINING && what <= REGISTRY_NODE_DOWN ? what_words[what] : "unknown";
}

enum registry_what registry_what_parse(const char *word)
{
    for (int i = REGISTRY_NODE_JOINING; word != NULL && i <= REGISTRY_NODE_DOWN; i++) {
        if (strcmp(word, what_words[i]) == 0)
            return (enum registry_what)i;
    }
    return 0;
}

void registry_record_fini(struct registry_record *record)
{
    json_decref(record->extra);
    record->extra = NULL;
}

int registry_record_copy(struct registry_record *dst, const struct registry_record *src)
{
    json_t *extra = src->extra != NULL ? json_deep_copy(src->extra) : NULL;
    if (src->extra != NULL && extra == NULL)
        return TROUPE_E_NO_MEMORY;
    *dst = *src;
    dst->extra = extra;
    return 0;
}

const struct registry_endpoint *registry_record_endpoint(const struct registry_record *record, const char *purpose)
{
    for (uint32_t i = 0; i < record->endpoints_count; i++) {
        if (strcmp(record->endpoints[i].purpose, purpose) == 0)
            return &record->endpoints[i];
    }
    return NULL;
}

/* ---- out ---- */

static json_t *endpoint_to_json(const struct registry_endpoint *endpoint)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i}", "purpose", endpoint->purpose, "scheme", endpoint->scheme, "host",
                     endpoint->host, "port", (int)endpoint->port, "bound_port", (int)endpoint->bound_port);
}

json_t *registry_record_to_json(const struct registry_record *record)
{
    char node[TROUPE_HOME_TEXT_MAX];
    troupe_home_format(record->node, node);
    json_t *endpoints = json_array();
    for (uint32_t i = 0; endpoints != NULL && i < record->endpoints_count; i++) {
        if (json_array_append_new(endpoints, endpoint_to_json(&record->endpoints[i])) != 0) {
            json_decref(endpoints);
            return NULL;
        }
    }
    /* json_pack takes the endpoints, also when it fails. */
    json_t *json = json_pack("{s:s, s:I, s:s, s:{s:i, s:i}, s:s, s:I, s:o}", "node", node, "revision",
                             (json_int_t)record->revision, "state", registry_state_word(record->state), "protocol",
                             "min", (int)record->protocol_min, "max", (int)record->protocol_max, "version",
                             record->version, "started_at_ms", (json_int_t)record->started_at_ms, "endpoints",
                             endpoints);
    if (json != NULL && record->extra != NULL && json_object_update(json, record->extra) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- in ---- */

struct reading {
    char *words;
    size_t words_cap;
    bool failed;
};

static bool fail(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct reading *reading, const char *format, ...)
{
    va_list args;
    if (reading->failed)
        return false;
    reading->failed = true;
    va_start(args, format);
    vsnprintf(reading->words, reading->words_cap, format, args);
    va_end(args);
    return false;
}

static bool is_clean(const json_t *json, size_t max)
{
    size_t len = json_string_length(json);
    return json_is_string(json) && len > 0 && len <= max && utf8_is_clean(json_string_value(json), len);
}

static void read_text(struct reading *reading, const json_t *object, const char *name, char *text, size_t cap)
{
    const json_t *json = json_object_get(object, name);
    if (!is_clean(json, cap - 1)) {
        fail(reading, "%s must be a text of 1 to %zu bytes without control characters", name, cap - 1);
        return;
    }
    memcpy(text, json_string_value(json), json_string_length(json) + 1);
}

static uint64_t read_number(struct reading *reading, const json_t *object, const char *name, uint64_t min, uint64_t max)
{
    const json_t *json = json_object_get(object, name);
    json_int_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < 0 || (uint64_t)value < min || (uint64_t)value > max) {
        fail(reading, "%s must be a whole number from %llu to %llu", name, (unsigned long long)min,
             (unsigned long long)max);
        return 0;
    }
    return (uint64_t)value;
}

static bool host_is_plain(const char *host)
{
    for (; *host != '\0'; host++) {
        bool is_word = (*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') || (*host >= '0' && *host <= '9');
        if (!is_word && strchr(".-_:%", *host) == NULL)
            return false;
    }
    return true;
}

static void read_endpoint(struct reading *reading, const json_t *json, struct registry_endpoint *endpoint)
{
    read_text(reading, json, "purpose", endpoint->purpose, sizeof endpoint->purpose);
    read_text(reading, json, "scheme", endpoint->scheme, sizeof endpoint->scheme);
    read_text(reading, json, "host", endpoint->host, sizeof endpoint->host);
    endpoint->port = (uint16_t)read_number(reading, json, "port", 1, UINT16_MAX);
    endpoint->bound_port = (uint16_t)read_number(reading, json, "bound_port", 0, UINT16_MAX);
    if (!host_is_plain(endpoint->host))
        fail(reading, "host must be a name or an address, an IPv6 address without brackets");
}

static void read_endpoints(struct reading *reading, const json_t *json, struct registry_record *record)
{
    size_t count = json_array_size(json);
    if (!json_is_array(json) || count > REGISTRY_ENDPOINTS_MAX) {
        fail(reading, "endpoints must be a list of at most %d", REGISTRY_ENDPOINTS_MAX);
        return;
    }
    for (size_t i = 0; i < count && !reading->failed; i++) {
        struct registry_endpoint *endpoint = &record->endpoints[i];
        read_endpoint(reading, json_array_get(json, i), endpoint);
        if (!reading->failed && registry_record_endpoint(record, endpoint->purpose) != NULL)
            fail(reading, "there are two endpoints with purpose %s", endpoint->purpose);
        record->endpoints_count++;
    }
    if (!reading->failed && registry_record_endpoint(record, "api") == NULL)
        fail(reading, "there is no endpoint with purpose api");
}

static json_t *read_behaviors(struct reading *reading, const json_t *json)
{
    json_t *behaviors = json_array();
    size_t i;
    const json_t *item;
    if (!json_is_array(json) || json_array_size(json) > BEHAVIORS_MAX)
        fail(reading, "behaviors must be a list of at most %d", BEHAVIORS_MAX);
    json_array_foreach(json, i, item) {
        const json_t *name = json_object_get(item, "name"), *version = json_object_get(item, "version");
        if (reading->failed)
            break;
        if (!is_clean(name, WORD_BYTES_MAX) || !is_clean(version, WORD_BYTES_MAX))
            fail(reading, "each of behaviors has a name and a version, texts of 1 to %d bytes", WORD_BYTES_MAX);
        else if (json_array_append_new(behaviors, json_pack("{s:O, s:O}", "name", name, "version", version)) != 0)
            fail(reading, "memory is exhausted");
    }
    return behaviors;
}

static json_t *read_labels(struct reading *reading, json_t *json)
{
    json_t *labels = json_object();
    const char *key;
    json_t *value;
    if (!json_is_object(json) || json_object_size(json) > LABELS_MAX)
        fail(reading, "labels must be an object of at most %d members", LABELS_MAX);
    json_object_foreach(json, key, value) {
        size_t len = strlen(key);
        if (reading->failed)
            break;
        if (len == 0 || len > WORD_BYTES_MAX || !utf8_is_clean(key, len) || !is_clean(value, LABEL_BYTES_MAX))
            fail(reading, "a label has a key of 1 to %d bytes and a text of 1 to %d bytes", WORD_BYTES_MAX,
                 LABEL_BYTES_MAX);
        else if (json_object_set(labels, key, value) != 0)
            fail(reading, "memory is exhausted");
    }
    return labels;
}

static void read_extra(struct reading *reading, const json_t *json, struct registry_record *record)
{
    const json_t *behaviors = json_object_get(json, "behaviors");
    json_t *labels = json_object_get(json, "labels");
    if (behaviors == NULL && labels == NULL)
        return;
    record->extra = json_object();
    if (behaviors != NULL && json_object_set_new(record->extra, "behaviors", read_behaviors(reading, behaviors)) != 0)
        fail(reading, "memory is exhausted");
    if (labels != NULL && json_object_set_new(record->extra, "labels", read_labels(reading, labels)) != 0)
        fail(reading, "memory is exhausted");
}

int registry_record_from_json(const json_t *json, struct registry_record *ret_record, char *words, size_t words_cap)
{
    struct registry_record record = {0};
    struct reading reading = {.words = words, .words_cap = words_cap};
    const json_t *node = json_object_get(json, "node"), *protocol = json_object_get(json, "protocol");
    if (!json_is_object(json))
        fail(&reading, "a record is an object");
    if (!json_is_string(node) ||
        troupe_home_parse(json_string_value(node), json_string_length(node), &record.node) != 0 ||
        record.node.high != 0 || record.node.low == 0)
        fail(&reading, "node must be the id of a node");
    record.revision = (uint32_t)read_number(&reading, json, "revision", 1, UINT32_MAX);
    const char *word = json_string_value(json_object_get(json, "state"));
    record.state = registry_state_parse(word);
    if (record.state == 0)
        fail(&reading, "state must be joining, up, draining or down");
    record.protocol_min = (uint16_t)read_number(&reading, protocol, "min", 1, UINT16_MAX);
    record.protocol_max = (uint16_t)read_number(&reading, protocol, "max", record.protocol_min, UINT16_MAX);
    read_text(&reading, json, "version", record.version, sizeof record.version);
    record.started_at_ms = read_number(&reading, json, "started_at_ms", 0, INT64_MAX);
    read_endpoints(&reading, json_object_get(json, "endpoints"), &record);
    if (!reading.failed)
        read_extra(&reading, json, &record);
    if (reading.failed) {
        registry_record_fini(&record);
        return TROUPE_E_SCHEMA;
    }
    *ret_record = record;
    return 0;
}
