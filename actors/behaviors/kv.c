/* SPDX-License-Identifier: Apache-2.0
 *
 * kv: a bounded map from keys to JSON values.
 *
 *   args    {"keys_max": n, "bytes_max": n}     10,000 keys and 16 MiB of keys and values when left out
 *
 *   put     {"key", "value": any}               -> {"revision": n}
 *   cas     {"key", "value": any, "revision"}   -> {"revision": n}; only if the key is at that revision, 0: not there
 *   get     {"key"}                             -> {"value": any, "revision": n}
 *   delete  {"key"}                             -> {"deleted": true or false}
 *   list    {"prefix", "after", "limit"}        -> {"items": [{"key", "revision"}], "next": key or null}
 *
 * Application errors: "not_found" (404) by get, "conflict" (409) by cas. A map that is full refuses with "limit".
 *
 * Revisions come from one number per map that grows with each change, so a key that was deleted and put again never
 * has an old revision and cas cannot be deceived. Values are kept as the JSON text they came as. A key is 1 to 255
 * bytes without U+0000. */
#include <troupe/behaviors.h>

#include "kv_map.h"
#include "support.h"

#define KEYS_MAX_DEFAULT 10000u
#define KEYS_MAX 100000u
#define BYTES_MAX_DEFAULT (16u << 20)
#define BYTES_MAX (1u << 30)
#define KEY_BYTES_MAX 255u
#define LIST_DEFAULT 100u
#define LIST_MAX 1000u
#define REVISION_MAX ((uint64_t)1 << 53) /* exact in every JSON reader */

/* What put, cas, get and delete ask for. */
struct ask {
    troupe_view key;        /* in key_text */
    troupe_view value;      /* JSON text inside the message; empty: none came */
    uint64_t revision;
    bool has_revision;
    char key_text[KEY_BYTES_MAX + 1];
};

enum { OP_PUT, OP_CAS, OP_GET, OP_DELETE, OP_LIST }; /* the order of the table below */

#define KEY_SCHEMA "\"key\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}"
#define REVISION_REPLY                                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"revision\":{\"type\":\"integer\"}},\"required\":[\"revision\"],"           \
    "\"additionalProperties\":false}"

static const troupe_type types[] = {
    [OP_PUT] = {.name = "put",
                .flags = TROUPE_TYPE_IDEMPOTENT,
                .summary = "Set the value of a key",
                .body_schema = "{\"type\":\"object\",\"properties\":{" KEY_SCHEMA ",\"value\":{}},"
                               "\"required\":[\"key\",\"value\"],\"additionalProperties\":false}",
                .reply_schema = REVISION_REPLY},
    [OP_CAS] = {.name = "cas",
                .summary = "Set the value of a key if its revision is the one given (0: the key is not there)",
                .body_schema = "{\"type\":\"object\",\"properties\":{" KEY_SCHEMA ",\"value\":{},"
                               "\"revision\":{\"type\":\"integer\",\"minimum\":0}},"
                               "\"required\":[\"key\",\"value\",\"revision\"],\"additionalProperties\":false}",
                .reply_schema = REVISION_REPLY},
    [OP_GET] = {.name = "get",
                .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                .summary = "Give the value of a key and its revision",
                .body_schema = "{\"type\":\"object\",\"properties\":{" KEY_SCHEMA "},\"required\":[\"key\"],"
                               "\"additionalProperties\":false}",
                .reply_schema = "{\"type\":\"object\",\"properties\":{\"value\":{},"
                                "\"revision\":{\"type\":\"integer\"}},"
                                "\"required\":[\"value\",\"revision\"],\"additionalProperties\":false}"},
    [OP_DELETE] = {.name = "delete",
                   .flags = TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Forget a key",
                   .body_schema = "{\"type\":\"object\",\"properties\":{" KEY_SCHEMA "},\"required\":[\"key\"],"
                                  "\"additionalProperties\":false}",
                   .reply_schema = "{\"type\":\"object\",\"properties\":{\"deleted\":{\"type\":\"boolean\"}},"
                                   "\"required\":[\"deleted\"],\"additionalProperties\":false}"},
    [OP_LIST] = {.name = "list",
                 .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                 .summary = "List keys in the order of their bytes, a page at a time",
                 .body_schema = "{\"type\":\"object\",\"properties\":{"
                                "\"prefix\":{\"type\":\"string\",\"maxLength\":255},"
                                "\"after\":{\"type\":\"string\",\"maxLength\":255},"
                                "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"
                                "\"additionalProperties\":false}",
                 .reply_schema = "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{"
                                 "\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                                 "\"revision\":{\"type\":\"integer\"}},\"required\":[\"key\",\"revision\"],"
                                 "\"additionalProperties\":false}},\"next\":{\"type\":[\"string\",\"null\"]}},"
                                 "\"required\":[\"items\",\"next\"],\"additionalProperties\":false}"},
};

/* ---- the messages ---- */

/* Read the body of put, cas, get or delete; which members there must be follows from the op. */
static int read_ask(const troupe_msg *msg, struct ask *ask, troupe_json_reader *reader)
{
    bool wants_value = msg->op == OP_PUT || msg->op == OP_CAS, wants_revision = msg->op == OP_CAS;
    troupe_json_string key;

    *ask = (struct ask){.key = {.ptr = ask->key_text}};
    support_read(reader, msg);
    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "key")) {
            ask->key.len = troupe_json_read_text(reader, ask->key_text, sizeof ask->key_text);
        } else if (wants_value && troupe_json_key_is(&key, "value")) {
            ask->value = troupe_json_read_raw(reader);
        } else if (wants_revision && troupe_json_key_is(&key, "revision")) {
            ask->revision = troupe_json_read_uint(reader, REVISION_MAX);
            ask->has_revision = true;
        } else {
            support_unknown_member(reader);
        }
    }
    if (ask->key.len == 0)
        support_missing_member(reader, "key is missing or empty");
    else if (wants_value && ask->value.len == 0)
        support_missing_member(reader, "value is missing");
    else if (wants_revision && !ask->has_revision)
        support_missing_member(reader, "revision is missing");
    return troupe_json_read_end(reader);
}

static int set_value(troupe_ctx *ctx, struct kv_map *map, const troupe_msg *msg, const struct ask *ask)
{
    uint32_t at;
    struct kv_entry *old = kv_map_find(map, ask->key, &at);
    troupe_json_writer writer;
    char buf[48];
    int rc;

    if (msg->op == OP_CAS && ask->revision != (old != NULL ? old->revision : 0))
        return support_refuse_app(ctx, msg, "conflict", 409,
                                  old != NULL ? "the key is at another revision" : "the key is not there");
    rc = kv_map_put(map, ask->key, ask->value, old, at);
    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the map has no room: see keys_max and bytes_max");
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "revision");
    troupe_json_write_uint(&writer, map->revision);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static int get_value(troupe_ctx *ctx, const struct kv_map *map, const troupe_msg *msg, const struct ask *ask)
{
    uint32_t at;
    const struct kv_entry *entry = kv_map_find(map, ask->key, &at);
    char small[512], *buf = small;
    troupe_json_writer writer;
    size_t cap;
    int rc;

    if (entry == NULL)
        return support_refuse_app(ctx, msg, "not_found", 404, "there is no such key");
    cap = entry->value_len + sizeof "{\"value\":,\"revision\":18446744073709551615}";
    if (cap > sizeof small) {
        buf = troupe_alloc(cap);
        if (buf == NULL)
            return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory for the reply");
    }
    troupe_json_write_init(&writer, buf, cap);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "value");
    troupe_json_write_raw_trusted(&writer, kv_entry_value(entry));
    troupe_json_write_key(&writer, "revision");
    troupe_json_write_uint(&writer, entry->revision);
    troupe_json_write_object_end(&writer);
    rc = support_answer(ctx, msg, &writer, buf);
    if (buf != small)
        troupe_free(buf);
    return rc;
}

static int delete_key(troupe_ctx *ctx, struct kv_map *map, const troupe_msg *msg, const struct ask *ask)
{
    uint32_t at;
    bool deleted = kv_map_find(map, ask->key, &at) != NULL;
    troupe_json_writer writer;
    char buf[24];

    if (deleted)
        kv_map_delete(map, at);
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "deleted");
    troupe_json_write_bool(&writer, deleted);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

/* ---- list ---- */

struct page {
    troupe_view prefix, after; /* in the texts */
    uint32_t limit;
    char prefix_text[KEY_BYTES_MAX + 1], after_text[KEY_BYTES_MAX + 1];
};

static bool is_on_page(const struct kv_map *map, const struct page *page, uint32_t at)
{
    troupe_view key = at < map->count ? kv_entry_key(map->entries[at]) : (troupe_view){0};

    return key.len != 0 && key.len >= page->prefix.len && memcmp(key.ptr, page->prefix.ptr, page->prefix.len) == 0;
}

static void write_page(troupe_json_writer *writer, const struct kv_map *map, const struct page *page)
{
    uint32_t at = kv_map_lower_bound(map, page->prefix), after = kv_map_lower_bound(map, page->after);
    troupe_view key = {0};

    if (after < map->count && troupe_view_equal(kv_entry_key(map->entries[after]), page->after))
        after++;
    if (after > at)
        at = after;
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "items");
    troupe_json_write_array_begin(writer);
    for (uint32_t i = 0; i < page->limit && is_on_page(map, page, at); i++, at++) {
        key = kv_entry_key(map->entries[at]);
        troupe_json_write_object_begin(writer);
        troupe_json_write_key(writer, "key");
        troupe_json_write_string(writer, key);
        troupe_json_write_key(writer, "revision");
        troupe_json_write_uint(writer, map->entries[at]->revision);
        troupe_json_write_object_end(writer);
    }
    troupe_json_write_array_end(writer);
    troupe_json_write_key(writer, "next");
    if (is_on_page(map, page, at))
        troupe_json_write_string(writer, key);
    else
        troupe_json_write_null(writer);
    troupe_json_write_object_end(writer);
}

static int list(troupe_ctx *ctx, const struct kv_map *map, const troupe_msg *msg)
{
    struct page page = {.limit = LIST_DEFAULT};
    troupe_json_reader reader;
    troupe_json_writer writer;
    troupe_json_string key;
    size_t len;
    char *buf;
    int rc;

    page.prefix.ptr = page.prefix_text;
    page.after.ptr = page.after_text;
    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "prefix"))
            page.prefix.len = troupe_json_read_text(&reader, page.prefix_text, sizeof page.prefix_text);
        else if (troupe_json_key_is(&key, "after"))
            page.after.len = troupe_json_read_text(&reader, page.after_text, sizeof page.after_text);
        else if (troupe_json_key_is(&key, "limit"))
            page.limit = (uint32_t)troupe_json_read_int(&reader, 1, LIST_MAX);
        else
            support_unknown_member(&reader);
    }
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);

    troupe_json_write_init(&writer, NULL, 0); /* once to measure, once to write */
    write_page(&writer, map, &page);
    len = troupe_json_write_length(&writer);
    buf = troupe_alloc(len);
    if (buf == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory for the reply");
    troupe_json_write_init(&writer, buf, len);
    write_page(&writer, map, &page);
    rc = support_answer(ctx, msg, &writer, buf);
    troupe_free(buf);
    return rc;
}

/* ---- the behavior ---- */

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct kv_map *map = state;
    troupe_json_reader reader;
    troupe_json_string key;

    map->keys_max = KEYS_MAX_DEFAULT;
    map->bytes_max = BYTES_MAX_DEFAULT;
    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "keys_max"))
            map->keys_max = (uint32_t)troupe_json_read_int(&reader, 1, KEYS_MAX);
        else if (troupe_json_key_is(&key, "bytes_max"))
            map->bytes_max = (uint32_t)troupe_json_read_int(&reader, 1, BYTES_MAX);
        else
            support_unknown_member(&reader);
    }
    return troupe_json_read_end(&reader) == 0 ? 0 : support_fail_args(ctx, &reader);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct kv_map *map = state;
    troupe_json_reader reader;
    struct ask ask;

    if (msg->op == OP_LIST)
        return list(ctx, map, msg);
    if (msg->op > OP_LIST)
        return 0; /* no request */
    if (read_ask(msg, &ask, &reader) != 0)
        return support_refuse_body(ctx, msg, &reader);
    switch (msg->op) {
    case OP_GET:
        return get_value(ctx, map, msg, &ask);
    case OP_DELETE:
        return delete_key(ctx, map, msg, &ask);
    default:
        return set_value(ctx, map, msg, &ask);
    }
}

static void fini(void *state) { kv_map_fini(state); }

static int view(troupe_ctx *ctx, const void *state)
{
    const struct kv_map *map = state;
    troupe_json_writer writer;
    char buf[160];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    support_write_uint(&writer, "keys", map->count);
    support_write_uint(&writer, "keys_max", map->keys_max);
    support_write_uint(&writer, "bytes", map->bytes);
    support_write_uint(&writer, "bytes_max", map->bytes_max);
    support_write_uint(&writer, "revision", map->revision);
    troupe_json_write_object_end(&writer);
    return support_show(ctx, &writer, buf);
}

const troupe_behavior troupe_behavior_kv = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "kv",
    .version = "1.0.0",
    .summary = "A bounded map from keys to JSON values: put, get, delete, list, cas",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct kv_map),
    .init = init,
    .args_schema = "{\"type\":\"object\",\"properties\":{\"keys_max\":{\"type\":\"integer\",\"minimum\":1,"
                   "\"maximum\":100000},\"bytes_max\":{\"type\":\"integer\",\"minimum\":1,"
                   "\"maximum\":1073741824}},\"additionalProperties\":false}",
    .receive = receive,
    .fini = fini,
    .view = view,
};
