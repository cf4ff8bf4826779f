/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents: a tree, and a child in it. What is wrong is told with the place where it is: "children[2].restart: must be
 * permanent, transient or temporary". */
#include "supervisor.h"

#define CHILDREN_MAX 10000000u
#define PERIOD_MS_MAX 86400000u        /* a day */
#define SHUTDOWN_TIMEOUT_MS_MAX 3600000u
#define BACKOFF_MS_MAX 3600000u

/* ---- small readers ---- */

/* Read a string that must be one of a list, ended by NULL; gives its index. */
static unsigned read_word(troupe_json_reader *reader, const char *const *words, const char *reason)
{
    troupe_json_string text = troupe_json_read_string(reader);

    for (unsigned i = 0; words[i] != NULL; i++)
        if (reader->error == 0 && troupe_json_key_is(&text, words[i]))
            return i;
    troupe_json_fail(reader, TROUPE_E_SCHEMA, reason);
    return 0;
}

static uint32_t read_number(troupe_json_reader *reader, uint32_t min, uint32_t max)
{
    return (uint32_t)troupe_json_read_int(reader, min, max);
}

static void say_number(struct support_words *words, size_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    support_say(words, (troupe_view){.ptr = digits + at, .len = sizeof digits - at});
}

/* "children[2].mailbox.policy: reason" */
static int explain(const troupe_json_reader *reader, const char *path, size_t index, const char *inner,
                   struct support_words *words)
{
    *words = (struct support_words){0};
    if (path[0] != '\0') {
        support_say(words, troupe_view_of(path));
        if (index != SIZE_MAX) {
            support_say(words, troupe_view_of("["));
            say_number(words, index);
            support_say(words, troupe_view_of("]"));
        }
        if (reader->key.raw.len != 0 || inner[0] != '\0')
            support_say(words, troupe_view_of("."));
    }
    support_say(words, troupe_view_of(inner));
    support_say(words, support_cut(reader->key.raw, SUPPORT_KEY_BYTES_MAX));
    support_say(words, troupe_view_of(words->len != 0 ? ": " : ""));
    support_say(words, troupe_view_of(reader->reason != NULL ? reader->reason : "not understood"));
    return reader->error == TROUPE_E_INVALID ? TROUPE_E_SCHEMA : reader->error;
}

/* ---- a child ---- */

static void read_mailbox(troupe_json_reader *reader, troupe_spawn_opts *opts)
{
    static const char *const policies[] = {"refuse", "drop_oldest", "drop_newest", NULL};
    troupe_json_string key;

    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "messages"))
            opts->mailbox_messages_max = read_number(reader, 1, TROUPE_MAILBOX_MESSAGES_MAX);
        else if (troupe_json_key_is(&key, "bytes"))
            opts->mailbox_bytes_max = read_number(reader, 1, UINT32_MAX);
        else if (troupe_json_key_is(&key, "policy"))
            opts->mailbox_policy = (enum troupe_mailbox_policy)read_word(
                reader, policies, "must be refuse, drop_oldest or drop_newest");
        else
            support_unknown_member(reader);
    }
}

static void read_id(troupe_json_reader *reader, struct child_spec *spec)
{
    spec->id_len = troupe_json_read_text(reader, spec->id, sizeof spec->id);
    if (reader->error == 0 && !support_is_type((troupe_view){.ptr = spec->id, .len = spec->id_len}))
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "must be 1 to 64 of A-Z a-z 0-9 _ . : -");
}

/* What a child of a template may have of its own. False: the key is none of these. */
static bool read_own(troupe_json_reader *reader, const troupe_json_string *key, struct child_spec *spec)
{
    troupe_view args;

    if (troupe_json_key_is(key, "id")) {
        read_id(reader, spec);
    } else if (troupe_json_key_is(key, "name")) {
        spec->opts.name.len = troupe_json_read_text(reader, spec->name, sizeof spec->name);
        if (reader->error == 0 && spec->opts.name.len == 0)
            troupe_json_fail(reader, TROUPE_E_SCHEMA, "must not be empty");
    } else if (troupe_json_key_is(key, "args")) {
        args = troupe_json_read_raw(reader);
        spec->opts.args = troupe_body_json(args.ptr, args.len);
    } else {
        return false;
    }
    return true;
}

/* What a child has with all of its template. */
static bool read_common(troupe_json_reader *reader, const troupe_json_string *key, struct child_spec *spec,
                        const char **ret_inner)
{
    static const char *const restarts[] = {"temporary", "transient", "permanent", NULL};
    troupe_spawn_opts *opts = &spec->opts;

    if (troupe_json_key_is(key, "behavior")) {
        if (troupe_json_read_text(reader, spec->behavior, sizeof spec->behavior) == 0)
            troupe_json_fail(reader, TROUPE_E_SCHEMA, "must not be empty");
    } else if (troupe_json_key_is(key, "restart")) {
        opts->restart = (enum troupe_restart)read_word(reader, restarts, "must be permanent, transient or temporary");
    } else if (troupe_json_key_is(key, "shutdown_timeout_ms")) {
        opts->shutdown_timeout_ms = read_number(reader, 1, SHUTDOWN_TIMEOUT_MS_MAX);
    } else if (troupe_json_key_is(key, "start_timeout_ms")) {
        opts->start_timeout_ms = read_number(reader, 1, TROUPE_CALL_TIMEOUT_MS_MAX);
    } else if (troupe_json_key_is(key, "backoff_min_ms")) {
        opts->backoff_min_ms = read_number(reader, 0, BACKOFF_MS_MAX);
    } else if (troupe_json_key_is(key, "backoff_max_ms")) {
        opts->backoff_max_ms = read_number(reader, 0, BACKOFF_MS_MAX);
    } else if (troupe_json_key_is(key, "significant")) {
        opts->significant = troupe_json_read_bool(reader);
    } else if (troupe_json_key_is(key, "mailbox")) {
        *ret_inner = "mailbox.";
        read_mailbox(reader, opts);
        if (reader->error == 0)
            *ret_inner = "";
    } else {
        return false;
    }
    return true;
}

static bool read_member(troupe_json_reader *reader, const troupe_json_string *key, enum spec_form form,
                        struct child_spec *spec, const char **ret_inner)
{
    bool has_own = form != SPEC_TEMPLATE || troupe_json_key_is(key, "args");
    bool has_common = form != SPEC_OF_TEMPLATE;

    return (has_own && read_own(reader, key, spec)) || (has_common && read_common(reader, key, spec, ret_inner));
}

/* A supervisor's own children have their deadlines; what is above them must not be shorter. */
static void set_defaults(struct child_spec *spec)
{
    if (!troupe_view_equal(troupe_view_of(spec->behavior), troupe_view_of("supervisor")))
        return;
    if (spec->opts.shutdown_timeout_ms == 0)
        spec->opts.shutdown_timeout_ms = SHUTDOWN_TIMEOUT_MS_MAX;
    if (spec->opts.start_timeout_ms == 0)
        spec->opts.start_timeout_ms = TROUPE_CALL_TIMEOUT_MS_MAX;
}

int supervisor_read_spec(troupe_view json, enum spec_form form, const char *path, size_t index,
                         struct child_spec *spec, struct support_words *words)
{
    troupe_json_reader reader;
    troupe_json_string key;
    const char *inner = "";

    if (form != SPEC_OF_TEMPLATE)
        *spec = (struct child_spec){
            .opts = {.restart = TROUPE_PERMANENT, .args = troupe_body_none(), .start_once = true},
        };
    troupe_json_read_init(&reader, json.ptr, json.len);
    while (troupe_json_next_member(&reader, &key)) {
        if (!read_member(&reader, &key, form, spec, &inner))
            support_unknown_member(&reader);
    }
    if (form == SPEC_WHOLE && spec->id_len == 0)
        support_missing_member(&reader, "id is missing");
    else if (spec->behavior[0] == '\0')
        support_missing_member(&reader, "behavior is missing");
    else if (spec->opts.significant && spec->opts.restart == TROUPE_PERMANENT)
        support_missing_member(&reader,
                               "a significant child must be transient or temporary: a permanent one never ends");
    if (troupe_json_read_end(&reader) != 0)
        return explain(&reader, path, index, inner, words);
    set_defaults(spec);
    spec->opts.behavior = spec->behavior;
    spec->opts.name.ptr = spec->name;
    return 0;
}

/* ---- a tree ---- */

int supervisor_read_tree(const troupe_msg *args, struct tree *ret_tree, struct support_words *words)
{
    static const char *const strategies[] = {"one_for_one", "one_for_all", "rest_for_one", NULL};
    static const char *const shutdowns[] = {"never", "any", "all", NULL};
    struct tree tree = {.how = {.restarts = TROUPE_RESTARTS_DEFAULT, .period_ms = TROUPE_RESTART_PERIOD_MS_DEFAULT}};
    troupe_supervision *how = &tree.how;
    troupe_json_reader reader;
    troupe_json_string key;

    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "strategy")) {
            how->strategy = (enum troupe_strategy)read_word(&reader, strategies,
                                                            "must be one_for_one, one_for_all or rest_for_one");
        } else if (troupe_json_key_is(&key, "restarts")) {
            how->restarts = read_number(&reader, 0, TROUPE_RESTARTS_MAX);
        } else if (troupe_json_key_is(&key, "period_ms")) {
            how->period_ms = read_number(&reader, 1, PERIOD_MS_MAX);
        } else if (troupe_json_key_is(&key, "auto_shutdown")) {
            how->auto_shutdown = (enum troupe_auto_shutdown)read_word(&reader, shutdowns, "must be never, any or all");
        } else if (troupe_json_key_is(&key, "children_max")) {
            how->children_max = read_number(&reader, 1, CHILDREN_MAX);
        } else if (troupe_json_key_is(&key, "children")) {
            if (troupe_json_peek(&reader) != TROUPE_JSON_ARRAY)
                troupe_json_fail(&reader, TROUPE_E_SCHEMA, "must be an array of children");
            tree.children = troupe_json_read_raw(&reader);
        } else if (troupe_json_key_is(&key, "template")) {
            if (troupe_json_peek(&reader) != TROUPE_JSON_OBJECT)
                troupe_json_fail(&reader, TROUPE_E_SCHEMA, "must be an object: a child without id and name");
            tree.template = troupe_json_read_raw(&reader);
        } else {
            support_unknown_member(&reader);
        }
    }
    if (tree.template.len != 0 && tree.children.len != 0)
        support_missing_member(&reader, "children and template exclude each other: a supervisor has its own children, "
                                        "or as many of one kind as are started");
    else if (tree.template.len != 0 && how->strategy != TROUPE_ONE_FOR_ONE)
        support_missing_member(&reader, "with a template the strategy is one_for_one");
    if (troupe_json_read_end(&reader) != 0)
        return explain(&reader, "", SIZE_MAX, "", words);
    how->keep_ended = tree.template.len == 0;
    *ret_tree = tree;
    return 0;
}
