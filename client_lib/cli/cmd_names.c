/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/table.h"
#include "cli/watch.h"

static const struct table_column columns[] = {{"NAME", false, false}, {"REF", false, false}};

static void fill(const json_t *entry, char (*cells)[CLI_CELL_BYTES])
{
    member_text(entry, "name", cells[0]);
    member_text(entry, "ref", cells[1]);
}

static void quiet(const json_t *entry, char *cell)
{
    cell[0] = '@';
    const char *name = json_string_value(json_object_get(entry, "name"));
    snprintf(cell + 1, CLI_CELL_BYTES - 1, "%s", name != NULL ? name : "");
}

/* Who holds one name: the table is its reference, for use in scripts. */
static int look_up(struct cli *cli, const char *name)
{
    troupe_client_problem problem;
    json_t *entry = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    name += name[0] == '@';
    if (troupe_client_name(cli->client, name, &entry, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "look up the name %s", name);
    }
    code = cli_output_member(cli, entry, "ref");
    json_decref(entry);
    return code;
}

static int answer(struct cli *cli)
{
    static const struct cli_list list = {
        .what = "list the names",
        .get_page = troupe_client_names,
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .fill = fill,
        .quiet = quiet,
    };
    return cli->arg_count == 1 ? look_up(cli, cli->arg[0]) : cli_pages_print(cli, &list, (troupe_client_filter){0});
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100)"},
    {CLI_QUIET, NULL, "Print names only, each with its @, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_names = {
    .name = "names",
    .usage = "[NAME]",
    .summary = "List the names, or look one up",
    .text = "With NAME, prints the reference of the actor that holds it.",
    .args_max = 1,
    .first_arg = CLI_ARG_NAME,
    .options = options,
    .run = run,
};
