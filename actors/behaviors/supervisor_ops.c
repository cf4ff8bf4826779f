/* SPDX-License-Identifier: Apache-2.0
 *
 * The message types of a supervisor, and who waits for an answer: start_child and restart_child are answered when the
 * child has started, terminate_child when it has ended. A caller whose deadline passes meanwhile is not answered, and
 * is forgotten when the next one comes; what it asked for happens all the same. */
#include "supervisor.h"

#define LIST_DEFAULT 100u
#define LIST_MAX 1000u
#define ITEM_BYTES_MAX (512u + TROUPE_REF_TEXT_MAX + 6 * (TROUPE_NAME_BYTES_MAX + SUPERVISOR_ID_BYTES_MAX))
#define MADE_UP "child-"

enum { OP_WHICH, OP_COUNT, OP_START, OP_TERMINATE, OP_RESTART, OP_DELETE }; /* the order of the table below */

#define ID_SCHEMA "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64}"
#define ID_ONLY                                                                                                        \
    "{\"type\":\"object\",\"properties\":{" ID_SCHEMA "},\"required\":[\"id\"],\"additionalProperties\":false}"
#define STARTED                                                                                                        \
    "{\"type\":\"object\",\"properties\":{" ID_SCHEMA ",\"ref\":{\"type\":\"string\"}},"                               \
    "\"required\":[\"id\",\"ref\"],\"additionalProperties\":false}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"

const troupe_type supervisor_types[SUPERVISOR_TYPES] = {
    [OP_WHICH] = {.name = "which_children",
                  .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                  .summary = "List the children in the order of their starts, a page at a time",
                  .body_schema = "{\"type\":\"object\",\"properties\":{\"after\":" COUNT ","
                                 "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"
                                 "\"additionalProperties\":false}",
                  .reply_schema =
                      "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{"
                      "\"type\":\"object\",\"properties\":{" ID_SCHEMA ",\"ref\":{\"type\":[\"string\",\"null\"]},"
                      "\"state\":{\"type\":\"string\"},\"restart\":{\"type\":\"string\"},\"restarts\":" COUNT ","
                      "\"behavior\":{\"type\":\"string\"},\"name\":{\"type\":[\"string\",\"null\"]},"
                      "\"significant\":{\"type\":\"boolean\"}},"
                      "\"required\":[\"id\",\"ref\",\"state\",\"restart\",\"restarts\",\"behavior\",\"name\","
                      "\"significant\"],\"additionalProperties\":false}},"
                      "\"next\":{\"type\":[\"integer\",\"null\"]}},"
                      "\"required\":[\"items\",\"next\"],\"additionalProperties\":false}"},
    [OP_COUNT] = {.name = "count_children",
                  .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                  .summary = "Count the children: listed, alive, waiting for a restart, supervisors, others",
                  .reply_schema = "{\"type\":\"object\",\"properties\":{\"specs\":" COUNT ",\"active\":" COUNT ","
                                  "\"restarting\":" COUNT ",\"supervisors\":" COUNT ",\"workers\":" COUNT "},"
                                  "\"required\":[\"specs\",\"active\",\"restarting\",\"supervisors\",\"workers\"],"
                                  "\"additionalProperties\":false}"},
    [OP_START] = {.name = "start_child",
                  .summary = "Add a child and start it: a child as in args; with a template id, name and args only",
                  .body_schema = "{\"type\":\"object\"}",
                  .reply_schema = STARTED},
    [OP_TERMINATE] = {.name = "terminate_child",
                      .flags = TROUPE_TYPE_IDEMPOTENT,
                      .summary = "End a child, also one that waits for its restart; answered when it has ended",
                      .body_schema = ID_ONLY,
                      .reply_schema = ID_ONLY},
    [OP_RESTART] = {.name = "restart_child",
                    .summary = "Start a child that is ended",
                    .body_schema = ID_ONLY,
                    .reply_schema = STARTED},
    [OP_DELETE] = {.name = "delete_child",
                   .summary = "Forget a child that is ended",
                   .body_schema = ID_ONLY,
                   .reply_schema = ID_ONLY},
};

/* ---- answers ---- */

static const troupe_ref no_ref;

/* Write {"id", "ref"}, or {"id"} for no ref. Returns the length. */
static size_t write_child(char *buf, size_t cap, const struct entry *entry, troupe_ref ref)
{
    troupe_json_writer writer;
    char text[TROUPE_REF_TEXT_MAX];

    troupe_json_write_init(&writer, buf, cap);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "id");
    troupe_json_write_text(&writer, entry->id);
    if (troupe_ref_is_actor(ref)) {
        troupe_json_write_key(&writer, "ref");
        troupe_json_write_string(&writer, (troupe_view){.ptr = text, .len = troupe_ref_format(ref, text)});
    }
    troupe_json_write_object_end(&writer);
    return troupe_json_write_length(&writer);
}

#define CHILD_BYTES_MAX (32 + SUPERVISOR_ID_BYTES_MAX + TROUPE_REF_TEXT_MAX)

static int answer_child(troupe_ctx *ctx, const troupe_msg *msg, const struct entry *entry, troupe_ref ref)
{
    char buf[CHILD_BYTES_MAX];
    size_t len = write_child(buf, sizeof buf, entry, ref);

    return msg->kind == TROUPE_MSG_CALL ? support_replied(troupe_reply(ctx, troupe_body_json(buf, len))) : 0;
}

/* Forget those whose deadlines have passed. Returns how many still wait. */
static unsigned drop_gone(troupe_ctx *ctx, struct entry *entry)
{
    unsigned waiting = 0;

    for (struct asker **at = &entry->askers, *asker; (asker = *at) != NULL;) {
        if (troupe_kept_msg(ctx, asker->handle) != NULL) {
            at = &asker->next;
            waiting++;
            continue;
        }
        *at = asker->next;
        troupe_free(asker);
    }
    return waiting;
}

/* Keep the caller until something becomes of the child. Without anybody to answer that is nothing. */
static int keep_asker(troupe_ctx *ctx, const troupe_msg *msg, struct entry *entry, bool wants_end)
{
    struct asker *asker;
    int rc;

    if (msg->kind != TROUPE_MSG_CALL)
        return 0;
    if (drop_gone(ctx, entry) >= SUPERVISOR_ASKERS_MAX)
        return support_refuse(ctx, msg, TROUPE_E_LIMIT, "too many wait for this child; it goes on all the same");
    asker = troupe_alloc(sizeof *asker);
    if (asker == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory to wait for the child; it goes on all the same");
    rc = troupe_reply_keep(ctx, &asker->handle);
    if (rc != 0) {
        troupe_free(asker);
        return support_refuse(ctx, msg, rc, "too many wait for children; it goes on all the same");
    }
    asker->wants_end = wants_end;
    asker->next = entry->askers;
    entry->askers = asker;
    return 0;
}

/* Take those out who wait for the end, or for the start. */
static struct asker *take_askers(struct entry *entry, bool wants_end)
{
    struct asker *taken = NULL, **at = &entry->askers;

    while (*at != NULL) {
        struct asker *asker = *at;

        if (asker->wants_end != wants_end) {
            at = &asker->next;
            continue;
        }
        *at = asker->next;
        asker->next = taken;
        taken = asker;
    }
    return taken;
}

/* Answer them with the child, or with an error when there are words. */
static void tell(troupe_ctx *ctx, struct asker *askers, const struct entry *entry, troupe_ref ref, int error,
                 const char *words)
{
    char buf[CHILD_BYTES_MAX];
    size_t len = write_child(buf, sizeof buf, entry, ref);

    while (askers != NULL) {
        struct asker *asker = askers;
        int rc = error != 0 ? troupe_reply_error_to(ctx, asker->handle, error, words)
                            : troupe_reply_to(ctx, asker->handle, troupe_body_json(buf, len));

        (void)rc; /* its deadline has passed: it was told so */
        askers = asker->next;
        troupe_free(asker);
    }
}

void supervisor_tell_started(troupe_ctx *ctx, struct entry *entry, troupe_ref ref)
{
    tell(ctx, take_askers(entry, false), entry, ref, 0, NULL);
}

void supervisor_tell_ended(troupe_ctx *ctx, struct entry *entry, troupe_ref ref, const troupe_exit *exit)
{
    struct support_words words = {0};
    bool has_started = exit->cause == TROUPE_EXIT_NORMAL || exit->cause == TROUPE_EXIT_FAILED;
    int error = has_started                                                                  ? 0
                : exit->error == TROUPE_E_SCHEMA || exit->error == TROUPE_E_MALFORMED ? exit->error
                                                                                             : TROUPE_E_START_FAILED;

    support_say(&words, (troupe_view){.ptr = entry->id, .len = entry->id_len});
    support_say(&words, troupe_view_of(": "));
    support_say(&words, exit->detail.len != 0 ? exit->detail : troupe_view_of(troupe_exit_word(exit->cause)));
    tell(ctx, take_askers(entry, false), entry, ref, error, words.text);
    tell(ctx, take_askers(entry, true), entry, no_ref, 0, NULL);
}

/* ---- start ---- */

/* An id that nobody has; ids that were given may look like it. */
static troupe_view make_up_id(struct supervisor *self, struct child_spec *spec)
{
    do {
        uint64_t number = ++self->last_made_up;
        char digits[20];
        size_t at = sizeof digits, len = sizeof MADE_UP - 1;

        do
            digits[--at] = (char)('0' + number % 10);
        while ((number /= 10) != 0);
        memcpy(spec->id, MADE_UP, len);
        memcpy(spec->id + len, digits + at, sizeof digits - at);
        spec->id_len = len + sizeof digits - at;
        spec->id[spec->id_len] = '\0';
    } while (supervisor_find(&self->table, (troupe_view){.ptr = spec->id, .len = spec->id_len}) != NULL);
    return (troupe_view){.ptr = spec->id, .len = spec->id_len};
}

static int read_child(const struct supervisor *self, const troupe_msg *msg, struct child_spec *spec,
                      struct support_words *words)
{
    troupe_view body = msg->body_len != 0 ? (troupe_view){.ptr = msg->body, .len = msg->body_len}
                                          : (troupe_view){.ptr = "{}", .len = 2};
    int rc = 0;

    if (self->template.len == 0)
        return supervisor_read_spec(body, SPEC_WHOLE, "", SIZE_MAX, spec, words);
    rc = supervisor_read_spec(self->template, SPEC_TEMPLATE, "template", SIZE_MAX, spec, words);
    return rc != 0 ? rc : supervisor_read_spec(body, SPEC_OF_TEMPLATE, "", SIZE_MAX, spec, words);
}

static int start_child(troupe_ctx *ctx, struct supervisor *self, const troupe_msg *msg)
{
    struct support_words words = {0};
    struct child_spec spec;
    struct entry *entry;
    troupe_ref ref;
    int rc = read_child(self, msg, &spec, &words);

    if (rc != 0)
        return support_refuse(ctx, msg, rc, words.text);
    troupe_view id = spec.id_len != 0 ? (troupe_view){.ptr = spec.id, .len = spec.id_len} : make_up_id(self, &spec);
    if (supervisor_find(&self->table, id) != NULL)
        return support_refuse_app(ctx, msg, "exists", 409, "there is a child with this id");
    entry = supervisor_add(&self->table, id);
    if (entry == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory for the child");
    rc = supervisor_start(ctx, entry, &spec, &ref, &words);
    if (rc != 0) {
        supervisor_remove(&self->table, entry);
        return support_refuse(ctx, msg, rc, words.text);
    }
    return keep_asker(ctx, msg, entry, false);
}

/* ---- terminate, restart, delete ---- */

/* What a child that has lost its turn is told as, to those who wait for its start. */
static const troupe_exit terminated = {.cause = TROUPE_EXIT_SHUTDOWN,
                                       .detail = {.ptr = "it was terminated before it started", .len = 35}};

static int terminate_child(troupe_ctx *ctx, struct supervisor *self, const troupe_msg *msg, struct entry *entry)
{
    int rc = troupe_child_terminate(ctx, entry->number);
    troupe_child now;

    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the child could not be told to stop");
    if (troupe_child_find(ctx, entry->number, &now) == 0 && now.state != TROUPE_CHILD_IS_ENDED)
        return keep_asker(ctx, msg, entry, true);
    rc = answer_child(ctx, msg, entry, no_ref);
    supervisor_tell_ended(ctx, entry, no_ref, &terminated);
    if (self->template.len != 0 && troupe_child_delete(ctx, entry->number) == 0)
        supervisor_remove(&self->table, entry);
    return rc;
}

static int restart_child(troupe_ctx *ctx, const troupe_msg *msg, struct entry *entry)
{
    troupe_ref ref;
    int rc = troupe_child_restart(ctx, entry->number, &ref);

    if (rc == TROUPE_E_STATE)
        return support_refuse_app(ctx, msg, "running", 409, "the child is not ended");
    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the child could not be started");
    return keep_asker(ctx, msg, entry, false);
}

static int delete_child(troupe_ctx *ctx, struct supervisor *self, const troupe_msg *msg, struct entry *entry)
{
    int rc = troupe_child_delete(ctx, entry->number);

    if (rc != 0)
        return support_refuse_app(ctx, msg, "running", 409, "the child is not ended: terminate it first");
    rc = answer_child(ctx, msg, entry, no_ref);
    supervisor_remove(&self->table, entry);
    return rc;
}

/* Read {"id"} and find the child. NULL: the message was refused, and *ret_rc is what receive returns. */
static struct entry *find_asked(troupe_ctx *ctx, struct supervisor *self, const troupe_msg *msg, int *ret_rc)
{
    char id[SUPERVISOR_ID_BYTES_MAX + 1];
    size_t id_len = 0;
    troupe_json_reader reader;
    troupe_json_string key;
    struct entry *entry;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "id"))
            id_len = troupe_json_read_text(&reader, id, sizeof id);
        else
            support_unknown_member(&reader);
    }
    if (id_len == 0)
        support_missing_member(&reader, "id is missing or empty");
    if (troupe_json_read_end(&reader) != 0) {
        *ret_rc = support_refuse_body(ctx, msg, &reader);
        return NULL;
    }
    entry = supervisor_find(&self->table, (troupe_view){.ptr = id, .len = id_len});
    if (entry == NULL)
        *ret_rc = support_refuse_app(ctx, msg, "not_found", 404, "there is no child with this id");
    return entry;
}

/* ---- look ---- */

static void write_item(troupe_json_writer *writer, const troupe_ctx *ctx, const struct entry *entry)
{
    static const char *const states[] = {"", "starting", "running", "stopping", "restarting", "ended"};
    static const char *const restarts[] = {"temporary", "transient", "permanent"};
    troupe_child child;
    char text[TROUPE_REF_TEXT_MAX];

    if (troupe_child_find(ctx, entry->number, &child) != 0)
        return;
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "id");
    troupe_json_write_text(writer, entry->id);
    troupe_json_write_key(writer, "ref");
    if (troupe_ref_is_actor(child.ref))
        troupe_json_write_string(writer, (troupe_view){.ptr = text, .len = troupe_ref_format(child.ref, text)});
    else
        troupe_json_write_null(writer);
    troupe_json_write_key(writer, "state");
    troupe_json_write_text(writer, states[child.state]);
    troupe_json_write_key(writer, "restart");
    troupe_json_write_text(writer, restarts[child.restart]);
    troupe_json_write_key(writer, "restarts");
    troupe_json_write_uint(writer, child.restarts);
    troupe_json_write_key(writer, "behavior");
    troupe_json_write_string(writer, child.behavior);
    troupe_json_write_key(writer, "name");
    if (child.name.len != 0)
        troupe_json_write_string(writer, child.name);
    else
        troupe_json_write_null(writer);
    troupe_json_write_key(writer, "significant");
    troupe_json_write_bool(writer, child.significant);
    troupe_json_write_object_end(writer);
}

static int which_children(troupe_ctx *ctx, const struct supervisor *self, const troupe_msg *msg)
{
    uint64_t after = 0;
    uint32_t limit = LIST_DEFAULT;
    troupe_json_reader reader;
    troupe_json_writer writer;
    troupe_json_string key;
    size_t cap;
    char *buf;
    int rc;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "after"))
            after = troupe_json_read_uint(&reader, (uint64_t)1 << 53);
        else if (troupe_json_key_is(&key, "limit"))
            limit = (uint32_t)troupe_json_read_int(&reader, 1, LIST_MAX);
        else
            support_unknown_member(&reader);
    }
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);

    if (limit > self->table.count)
        limit = self->table.count;
    cap = sizeof "{\"items\":[],\"next\":18446744073709551615}" + (size_t)limit * ITEM_BYTES_MAX;
    buf = troupe_alloc(cap);
    if (buf == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "no memory for the reply");
    troupe_json_write_init(&writer, buf, cap);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "items");
    troupe_json_write_array_begin(&writer);
    const struct entry *entry = supervisor_after(&self->table, after);
    for (; entry != NULL && limit > 0; limit--) {
        write_item(&writer, ctx, entry);
        after = entry->number;
        entry = supervisor_after(&self->table, after);
    }
    troupe_json_write_array_end(&writer);
    troupe_json_write_key(&writer, "next");
    if (entry != NULL)
        troupe_json_write_uint(&writer, after);
    else
        troupe_json_write_null(&writer);
    troupe_json_write_object_end(&writer);
    rc = support_answer(ctx, msg, &writer, buf);
    troupe_free(buf);
    return rc;
}

static int count_children(troupe_ctx *ctx, const troupe_msg *msg)
{
    troupe_children counts;
    troupe_json_writer writer;
    char buf[128];

    troupe_children_counts(ctx, &counts);
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "specs");
    troupe_json_write_uint(&writer, counts.specs);
    troupe_json_write_key(&writer, "active");
    troupe_json_write_uint(&writer, counts.active);
    troupe_json_write_key(&writer, "restarting");
    troupe_json_write_uint(&writer, counts.restarting);
    troupe_json_write_key(&writer, "supervisors");
    troupe_json_write_uint(&writer, counts.supervisors);
    troupe_json_write_key(&writer, "workers");
    troupe_json_write_uint(&writer, counts.workers);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

int supervisor_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct supervisor *self = state;
    struct entry *entry;
    int rc = 0;

    switch (msg->op) {
    case OP_WHICH:
        return which_children(ctx, self, msg);
    case OP_COUNT:
        return count_children(ctx, msg);
    case OP_START:
        return start_child(ctx, self, msg);
    case OP_TERMINATE:
    case OP_RESTART:
    case OP_DELETE:
        entry = find_asked(ctx, self, msg, &rc);
        if (entry == NULL)
            return rc;
        return msg->op == OP_TERMINATE ? terminate_child(ctx, self, msg, entry)
               : msg->op == OP_RESTART ? restart_child(ctx, msg, entry)
                                       : delete_child(ctx, self, msg, entry);
    default:
        return 0; /* no request */
    }
}
