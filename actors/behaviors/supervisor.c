/* SPDX-License-Identifier: Apache-2.0
 *
 * supervisor: a tree of actors as one document (after Erlang's supervisor, and its DynamicSupervisor in Elixir).
 *
 *   args    {"strategy": "one_for_one" | "one_for_all" | "rest_for_one", "restarts": 3, "period_ms": 5000,
 *            "auto_shutdown": "never" | "any" | "all", "children_max": n, "children": [child, ...]}
 *           or, for children of one kind that come and go, "template": child instead of children
 *   child   {"id", "behavior", "name", "args", "restart": "permanent" | "transient" | "temporary",
 *            "shutdown_timeout_ms", "start_timeout_ms", "backoff_min_ms", "backoff_max_ms", "significant",
 *            "mailbox": {"messages", "bytes", "policy"}}; a template has no id and no name
 *
 *   which_children   {"after": n, "limit": n}  -> {"items": [...], "next": n or null}
 *   count_children   nothing                   -> {"specs", "active", "restarting", "supervisors", "workers"}
 *   start_child      a child; with a template {"id", "name", "args"}, all of which may be left out
 *                                              -> {"id", "ref"}, when it has started
 *   terminate_child  {"id"}                    -> {"id"}, when it has ended; it stays listed, unless it is temporary or
 *                                                 of a template
 *   restart_child    {"id"}                    -> {"id", "ref"}, when it has started
 *   delete_child     {"id"}                    -> {"id"}
 *
 * Application errors: "not_found" (404), "exists" (409) by start_child, "running" (409) by restart_child and
 * delete_child of one that is not ended.
 *
 * The strategies, limits and waits are the core's; here is what a document says, and who waits for an answer. A tree is
 * nested by a child whose behavior is "supervisor" and whose args are a tree.
 *
 * The start, as it goes well: all specs are read before any child is started, so that a mistake in the last one costs
 * nothing; then the first is started, its "started" starts the next, and the last one ends this actor's own start. A
 * child that cannot be started ends that too: the core ends those before it, newest first, and then tells who waits.
 *
 * Children are known by numbers, which are their tags in the core; an id is looked up in a table. What the core has
 * dropped at an end is dropped here when the end is told. */
#include <troupe/behaviors.h>

#include "supervisor.h"

/* ---- start ---- */

static const char *words_for(int error)
{
    switch (error) {
    case TROUPE_E_UNKNOWN_BEHAVIOR:
        return "there is no such behavior: ";
    case TROUPE_E_NAME_TAKEN:
        return "another actor has the name ";
    case TROUPE_E_INVALID:
        return "this cannot be a name: ";
    case TROUPE_E_LIMIT:
        return "there are as many children as children_max allows, or as many actors as the node may have: no ";
    case TROUPE_E_REGISTRY_LOST:
        return "the registry cannot be asked for the name ";
    default:
        return "memory is out: no ";
    }
}

int supervisor_start(troupe_ctx *ctx, struct entry *entry, struct child_spec *spec, troupe_ref *ret_ref,
                     struct support_words *words)
{
    int rc;

    spec->opts.child_tag = entry->number;
    rc = troupe_spawn(ctx, &spec->opts, ret_ref);
    if (rc == 0)
        return 0;
    *words = (struct support_words){0};
    support_say(words, (troupe_view){.ptr = entry->id, .len = entry->id_len});
    support_say(words, troupe_view_of(": "));
    support_say(words, troupe_view_of(words_for(rc)));
    support_say(words, rc == TROUPE_E_NAME_TAKEN || rc == TROUPE_E_INVALID || rc == TROUPE_E_REGISTRY_LOST
                           ? spec->opts.name
                           : troupe_view_of(spec->behavior));
    return rc;
}

/* Note the children of the document, each with its text; they are not started yet. */
static int note_children(struct supervisor *self, troupe_view children, struct support_words *words)
{
    troupe_json_reader reader;
    struct child_spec spec;

    troupe_json_read_init(&reader, children.ptr, children.len);
    for (size_t i = 0; troupe_json_next_item(&reader); i++) {
        troupe_view document = troupe_json_read_raw(&reader);
        struct entry *entry;
        int rc = supervisor_read_spec(document, SPEC_WHOLE, "children", i, &spec, words);

        if (rc != 0)
            return rc;
        if (supervisor_find(&self->table, (troupe_view){.ptr = spec.id, .len = spec.id_len}) != NULL) {
            support_say(words, troupe_view_of("children: two have the id "));
            support_say(words, troupe_view_of(spec.id));
            return TROUPE_E_SCHEMA;
        }
        entry = supervisor_add(&self->table, (troupe_view){.ptr = spec.id, .len = spec.id_len});
        if (entry == NULL)
            return TROUPE_E_NO_MEMORY;
        entry->document = document;
    }
    return troupe_json_read_end(&reader);
}

/* Start the first child behind this number. Returns TROUPE_STARTING, 0 when there is none, or an error with words. */
static int start_next(troupe_ctx *ctx, struct supervisor *self, uint64_t number, struct support_words *words)
{
    struct entry *entry = supervisor_after(&self->table, number);
    struct child_spec spec;
    troupe_ref ref;
    int rc;

    self->starting = 0;
    if (entry == NULL)
        return 0;
    rc = supervisor_read_spec(entry->document, SPEC_WHOLE, "children", SIZE_MAX, &spec, words);
    if (rc == 0)
        rc = supervisor_start(ctx, entry, &spec, &ref, words);
    if (rc != 0)
        return rc == TROUPE_E_NAME_TAKEN ? TROUPE_E_START_FAILED : rc; /* it is not this actor's name */
    entry->document = (troupe_view){0};
    self->starting = entry->number;
    return TROUPE_STARTING;
}

static int read_document(troupe_ctx *ctx, struct supervisor *self, const troupe_msg *args, struct support_words *words)
{
    struct child_spec spec;
    troupe_msg copy = *args;
    struct tree tree;
    int rc;

    if (args->body_len != 0) {
        self->document = troupe_alloc(args->body_len);
        if (self->document == NULL)
            return TROUPE_E_NO_MEMORY;
        memcpy(self->document, args->body, args->body_len);
        copy.body = self->document;
    }
    rc = supervisor_read_tree(&copy, &tree, words);
    if (rc == 0 && tree.template.len != 0)
        rc = supervisor_read_spec(tree.template, SPEC_TEMPLATE, "template", SIZE_MAX, &spec, words);
    if (rc == 0 && tree.children.len != 0)
        rc = note_children(self, tree.children, words);
    if (rc == 0 && tree.how.children_max != 0 && self->table.count > tree.how.children_max) {
        support_say(words, troupe_view_of("children: there are more than children_max"));
        rc = TROUPE_E_SCHEMA;
    }
    self->template = tree.template;
    return rc != 0 ? rc : troupe_supervise(ctx, &tree.how);
}

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct supervisor *self = state;
    struct support_words words = {0};
    int rc = read_document(ctx, self, args, &words);

    if (rc == 0)
        rc = start_next(ctx, self, 0, &words);
    return rc < 0 ? troupe_fail(ctx, rc, words.text) : rc;
}

/* ---- what becomes of the children ---- */

/* This actor's own start is over, or goes on with the next child. */
static int go_on_starting(troupe_ctx *ctx, struct supervisor *self)
{
    struct support_words words = {0};
    int rc = start_next(ctx, self, self->starting, &words);

    if (rc == TROUPE_STARTING)
        return 0;
    if (rc < 0)
        (void)troupe_fail(ctx, rc, words.text); /* for troupe_started to tell */
    return troupe_started(ctx, rc);
}

/* The child whose start is awaited will not start. */
static int give_up_starting(troupe_ctx *ctx, const struct entry *entry, const troupe_exit *exit)
{
    struct support_words words = {0};
    bool is_document = exit->error == TROUPE_E_SCHEMA || exit->error == TROUPE_E_MALFORMED ||
                       exit->error == TROUPE_E_UNKNOWN_BEHAVIOR;

    support_say(&words, (troupe_view){.ptr = entry->id, .len = entry->id_len});
    support_say(&words, troupe_view_of(": "));
    support_say(&words, exit->detail.len != 0 ? exit->detail : troupe_view_of(troupe_exit_word(exit->cause)));
    return troupe_started(ctx, troupe_fail(ctx, is_document ? TROUPE_E_SCHEMA : TROUPE_E_START_FAILED, words.text));
}

static int on_ended(troupe_ctx *ctx, struct supervisor *self, struct entry *entry, const troupe_child_event *event)
{
    bool is_awaited = self->starting == entry->number;
    bool has_started = event->exit.cause != TROUPE_EXIT_NOT_STARTED && event->exit.cause != TROUPE_EXIT_KILLED;
    troupe_child child;
    int rc = 0;

    supervisor_tell_ended(ctx, entry, event->ref, &event->exit);
    if (is_awaited && !has_started)
        return give_up_starting(ctx, entry, &event->exit); /* and with this actor the entry goes */
    if (self->template.len != 0)
        rc = troupe_child_delete(ctx, entry->number); /* it was terminated, or is not there any more */
    if (troupe_child_find(ctx, entry->number, &child) != 0)
        supervisor_remove(&self->table, entry);
    (void)rc;
    return is_awaited ? go_on_starting(ctx, self) : 0;
}

static int child(troupe_ctx *ctx, void *state, const troupe_child_event *event)
{
    struct supervisor *self = state;
    struct entry *entry = supervisor_at(&self->table, event->child);

    if (entry == NULL || event->what == TROUPE_CHILD_RESTARTING)
        return 0;
    if (event->what == TROUPE_CHILD_ENDED)
        return on_ended(ctx, self, entry, event);
    supervisor_tell_started(ctx, entry, event->ref);
    return self->starting == entry->number ? go_on_starting(ctx, self) : 0;
}

static void fini(void *state)
{
    struct supervisor *self = state;

    supervisor_table_fini(&self->table);
    troupe_free(self->document);
}

/* ---- the behavior ---- */

const troupe_behavior troupe_behavior_supervisor = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "supervisor",
    .version = "1.0.0",
    .summary = "A tree of actors as one document: starts them in order, starts them again, ends them in reverse",
    .types = supervisor_types,
    .types_count = SUPERVISOR_TYPES,
    .state_bytes = sizeof(struct supervisor),
    .init = init,
    .receive = supervisor_receive,
    .child = child,
    .fini = fini,
};
