/* SPDX-License-Identifier: Apache-2.0
 *
 * Who started whom, as a tree. One round lists all actors, which have their parents; those that have children are then
 * asked how often they restarted some, for at most ASK_MS altogether, since one in a long turn answers late. */
#include <string.h>

#include "cli/commands.h"
#include "cli/member.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/tree.h"
#include "cli/watch.h"

#define CHILDREN 20 /* of one actor, where --limit is not given */
#define ASK_MS 2000

static const struct table_column columns[] = {
    {"ACTOR", false, false}, {"BEHAVIOR", false, false}, {"STATE", false, true},
    {"DEPTH", true, false},  {"RESTARTS", true, false},  {"UPTIME", true, false},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

struct view {
    struct cli *cli;
    struct tree tree;
    struct tree_walk walk;
    struct table table;
    uint64_t ask_until_ms;
    json_t *lists[TREE_DEPTH_MAX + 2]; /* borrowed: where the documents of a level go */
    int error;                         /* of tree_add */
    bool is_ascii;
};

static bool take_actor(void *user, json_t *actor)
{
    struct view *view = user;
    view->error = tree_add(&view->tree, actor);
    return view->error == 0;
}

/* How often it restarted children, or NULL: it has none, or cannot be asked. Owns: the result is owned. */
static json_t *ask_restarts(struct view *view, const struct tree_node *node)
{
    const char *behavior = json_string_value(json_object_get(node->actor, "behavior"));
    const char *ref = json_string_value(json_object_get(node->actor, "ref"));
    json_t *info = NULL;
    bool is_supervisor = node->count > 0 || (behavior != NULL && strcmp(behavior, "supervisor") == 0);
    if (!is_supervisor || ref == NULL || terminal_now_ms() >= view->ask_until_ms ||
        troupe_client_info(view->cli->client, ref, &info, NULL) != 0) {
        return NULL; /* it may have ended meanwhile, which its parent's line tells the next time */
    }
    json_t *restarts = json_incref(json_object_get(info, "restarts"));
    json_decref(info);
    return restarts;
}

/* ---- for people ---- */

static int add_row(struct view *view, const struct tree_line *line)
{
    char actor[TREE_PREFIX_BYTES + CLI_CELL_BYTES];
    char cells[COLUMN_COUNT][CLI_CELL_BYTES] = {{0}};
    const char *texts[COLUMN_COUNT] = {actor};
    for (size_t i = 1; i < COLUMN_COUNT; i++) {
        texts[i] = cells[i];
    }
    tree_prefix(line, view->is_ascii, actor);
    size_t len = strlen(actor);
    if (line->node == NULL) {
        snprintf(actor + len, sizeof actor - len, "... %zu more", line->left_out);
        return table_add(&view->table, texts);
    }
    const json_t *document = line->node->actor;
    const char *name = json_string_value(json_object_get(document, "name"));
    member_text(document, "ref", cells[0]);
    snprintf(actor + len, sizeof actor - len, "%s%s", name != NULL ? "@" : "", name != NULL ? name : cells[0]);
    member_text(document, "behavior", cells[1]);
    member_state(document, cells[2]);
    member_count(json_object_get(document, "mailbox"), "depth", cells[3]);
    json_t *restarts = ask_restarts(view, line->node);
    snprintf(cells[4], CLI_CELL_BYTES, restarts != NULL ? "%" JSON_INTEGER_FORMAT : "-", json_integer_value(restarts));
    json_decref(restarts);
    member_duration(document, "uptime_ms", cells[5]);
    return table_add(&view->table, texts);
}

static int on_row(void *user, const struct tree_line *line) { return add_row(user, line); }

static int write_table(struct view *view, const struct tree_node *from)
{
    table_init(&view->table, columns, COLUMN_COUNT);
    view->table.has_colour = view->cli->has_colour;
    view->walk.on_line = on_row;
    int rc = tree_walk(&view->tree, from, &view->walk);
    table_write(&view->table, view->cli->out);
    table_fini(&view->table);
    return rc == 0 ? CLI_EXIT_DONE : cli_no_memory();
}

/* ---- for programs ---- */

/* The actor's document with its children in it. */
static int on_document(void *user, const struct tree_line *line)
{
    struct view *view = user;
    if (line->node == NULL) {
        return 0; /* children_count tells */
    }
    json_t *document = json_copy(line->node->actor);
    json_t *children = json_array();
    json_t *restarts = ask_restarts(view, line->node);
    view->lists[line->depth + 1] = children;
    int rc = json_object_set_new(document, "restarts", restarts != NULL ? restarts : json_null());
    rc = json_object_set_new(document, "children_count", json_integer((json_int_t)line->node->count)) != 0 ? -1 : rc;
    rc = json_object_set_new(document, "children", children) != 0 ? -1 : rc;
    return json_array_append_new(view->lists[line->depth], document) != 0 ? -1 : rc;
}

static int write_document(struct view *view, const struct tree_node *from)
{
    json_t *document = json_pack("{s:[]}", "items");
    view->lists[0] = json_object_get(document, "items");
    view->walk.on_line = on_document;
    if (document == NULL || tree_walk(&view->tree, from, &view->walk) != 0) {
        json_decref(document);
        return cli_no_memory();
    }
    return cli_output_made(view->cli, document);
}

/* ---- asking ---- */

/* The id of the actor that was asked for; it stays in *ret_actor. Returns a cli_exit. */
static int resolve(struct cli *cli, json_t **ret_actor)
{
    troupe_client_problem problem;
    if (cli->arg_count == 0 || troupe_client_info(cli->client, cli->arg[0], ret_actor, &problem) == 0) {
        return CLI_EXIT_DONE;
    }
    return cli_complain_problem(cli, &problem, "show the tree below %s", cli->arg[0]);
}

static int show(struct view *view, const json_t *actor)
{
    const char *ref = json_string_value(json_object_get(actor, "ref"));
    const struct tree_node *from = ref != NULL ? tree_find(&view->tree, ref) : NULL;
    if (actor != NULL && from == NULL) {
        cli_complain("cannot show the tree below %s: %s", view->cli->arg[0],
                     view->error == TROUPE_E_LIMIT ? "it is not among the first 100000 actors; 'troupe info' shows it"
                                                   : "it has ended meanwhile; 'troupe ls' shows what runs");
        return CLI_EXIT_NO;
    }
    if (view->error == TROUPE_E_LIMIT && !view->cli->is_round) {
        cli_complain("this is made of the first %d actors of the node; there are more", TREE_ACTORS_MAX);
    }
    return view->cli->format == CLI_FORMAT_TABLE ? write_table(view, from) : write_document(view, from);
}

static int read_options(struct view *view)
{
    uint64_t depth = TREE_DEPTH_MAX;
    uint64_t limit = CHILDREN;
    int code = cli_count_option(view->cli, CLI_LIMIT, UINT32_MAX, &limit);
    code = code != CLI_EXIT_DONE ? code : cli_count_option(view->cli, CLI_DEPTH, TREE_DEPTH_MAX, &depth);
    view->walk = (struct tree_walk){.children_max = (size_t)limit, .depth_max = (unsigned)depth, .user = view};
    view->is_ascii = view->cli->value[CLI_ASCII] != NULL || !tree_is_utf8();
    return code;
}

static int answer(struct cli *cli)
{
    struct view view = {.cli = cli, .ask_until_ms = terminal_now_ms() + ASK_MS};
    troupe_client_problem problem;
    json_t *actor = NULL;
    int code = read_options(&view);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    code = code != CLI_EXIT_DONE ? code : resolve(cli, &actor);
    if (code == CLI_EXIT_DONE && cli_pages_each(cli, troupe_client_list, take_actor, &view, &problem) != 0) {
        code = cli_complain_problem(cli, &problem, "list the actors");
    }
    if (code == CLI_EXIT_DONE && (view.error == TROUPE_E_NO_MEMORY || tree_end(&view.tree) != 0)) {
        code = cli_no_memory();
    }
    code = code != CLI_EXIT_DONE ? code : show(&view, actor);
    tree_fini(&view.tree);
    json_decref(actor);
    return code;
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    {CLI_DEPTH, "N", "At most this many levels below the first (default and most: 64)"},
    {CLI_LIMIT, "N", "At most this many children of one actor; 0 for all (default 20)"},
    {CLI_ASCII, NULL, "Draw with ASCII only, as where the locale is not one of UTF-8"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_tree = {
    .name = "tree",
    .usage = "[REF]",
    .summary = "Show which actor started which, as a tree",
    .text = "All actors of the node, or REF and those below it. RESTARTS is how often an actor started children again.",
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
