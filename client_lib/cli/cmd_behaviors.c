/* SPDX-License-Identifier: Apache-2.0
 *
 * What actors of a node can be: the behaviors with their figures, or one of them with the types that it takes. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/member.h"
#include "cli/table.h"
#include "cli/watch.h"

/* ---- the list ---- */

static const struct table_column columns[] = {
    {"BEHAVIOR", false, false}, {"VERSION", false, false}, {"ACTORS", true, false}, {"SPAWNED", true, false},
    {"FAILED", true, false},    {"MESSAGES", true, false}, {"BUSY", true, false},   {"FILE", false, false},
};

static void format_busy(const json_t *stats, char *cell)
{
    json_int_t busy_ns = json_integer_value(json_object_get(stats, "busy_ns"));
    if (busy_ns >= 60000000000) {
        cli_duration_format(busy_ns / 1000000, cell, CLI_CELL_BYTES);
    } else {
        cli_nanoseconds_format(busy_ns, cell, CLI_CELL_BYTES);
    }
}

static void fill(const json_t *behavior, char (*cells)[CLI_CELL_BYTES])
{
    const json_t *stats = json_object_get(behavior, "stats");
    member_text(behavior, "name", cells[0]);
    member_text(behavior, "version", cells[1]);
    member_count(behavior, "actors", cells[2]);
    member_count(stats, "spawned", cells[3]);
    member_count(stats, "failed", cells[4]);
    member_count(stats, "messages", cells[5]);
    format_busy(stats, cells[6]);
    member_text(behavior, "file", cells[7]);
}

static void quiet(const json_t *behavior, char *cell) { member_text(behavior, "name", cell); }

static int list(struct cli *cli)
{
    static const struct cli_list behaviors = {
        .what = "list the behaviors",
        .get_page = troupe_client_behaviors,
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .fill = fill,
        .quiet = quiet,
    };
    return cli_pages_print(cli, &behaviors, (troupe_client_filter){0});
}

/* ---- one ---- */

static const struct table_column type_columns[] = {
    {"TYPE", false, false}, {"BODY", false, false}, {"KIND", false, false}, {"SUMMARY", false, false}};

/* The members that a body may have; a required one stands plain, the others in brackets: "id [by]". */
static void describe_body(const json_t *schema, char *cell)
{
    const json_t *required = json_object_get(schema, "required");
    const char *key;
    json_t *value;
    size_t len = 0;
    snprintf(cell, CLI_CELL_BYTES, "-");
    json_object_foreach(json_object_get(schema, "properties"), key, value)
    {
        size_t i;
        json_t *word;
        bool is_required = false;
        json_array_foreach(required, i, word)
        {
            is_required = is_required || (json_is_string(word) && strcmp(json_string_value(word), key) == 0);
        }
        int more = snprintf(cell + len, CLI_CELL_BYTES - len, is_required ? "%s%s" : "%s[%s]", len > 0 ? " " : "", key);
        len = more < 0 || len + (size_t)more >= CLI_CELL_BYTES ? CLI_CELL_BYTES - 1 : len + (size_t)more;
    }
}

static int add_type(struct table *table, const json_t *type)
{
    char cells[4][CLI_CELL_BYTES];
    const char *texts[4];
    bool is_read = json_is_true(json_object_get(type, "read_only"));
    bool is_cast = json_is_true(json_object_get(type, "cast"));
    bool is_idempotent = json_is_true(json_object_get(type, "idempotent"));
    member_text(type, "name", cells[0]);
    describe_body(json_object_get(type, "body_schema"), cells[1]);
    snprintf(cells[2], CLI_CELL_BYTES, "%s%s", is_cast ? "cast" : "call",
             is_read         ? ", reads"
             : is_idempotent ? ", repeatable"
                             : "");
    member_text(type, "summary", cells[3]);
    for (size_t i = 0; i < 4; i++) {
        texts[i] = cells[i];
    }
    return table_add(table, texts);
}

/* Its fields, and a table of its types below. */
static int write_one(const struct cli *cli, json_t *behavior)
{
    struct table table;
    size_t i;
    json_t *type;
    int rc = 0;
    char args[CLI_CELL_BYTES];
    json_t *types = json_incref(json_object_get(behavior, "types"));
    describe_body(json_object_get(behavior, "args_schema"), args);
    json_object_del(behavior, "types");
    json_object_del(behavior, "args_schema");
    json_object_set_new(behavior, "args", json_string(args)); /* without it where there is no memory */
    int code = cli_output_fields(cli, behavior);
    if (json_array_size(types) > 0) {
        fputc('\n', cli->out);
        table_init(&table, type_columns, sizeof type_columns / sizeof *type_columns);
        table.has_colour = cli->has_colour;
        json_array_foreach(types, i, type) { rc = rc != 0 ? rc : add_type(&table, type); }
        table_write(&table, cli->out);
        table_fini(&table);
    }
    json_decref(types);
    return rc == 0 ? code : cli_no_memory();
}

static int show(struct cli *cli)
{
    troupe_client_problem problem;
    json_t *behavior = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_behavior(cli->client, cli->arg[0], &behavior, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "show the behavior %s", cli->arg[0]);
    }
    code = cli->format == CLI_FORMAT_TABLE ? write_one(cli, behavior) : cli_output_document(cli, behavior);
    json_decref(behavior);
    return code;
}

static int answer(struct cli *cli) { return cli->arg_count == 0 ? list(cli) : show(cli); }

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100)"},
    {CLI_QUIET, NULL, "Print names only, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_behaviors = {
    .name = "behaviors",
    .usage = "[BEHAVIOR]",
    .summary = "List what actors can be, with figures, or show one",
    .text = "BUSY is time in turns, measured by samples; FILE is where a behavior of your own came from. One is shown "
            "with the types of messages that it takes: members of a body in brackets may be left out.",
    .args_max = 1,
    .options = options,
    .run = run,
};
