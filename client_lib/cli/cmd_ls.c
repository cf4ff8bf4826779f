/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/table.h"
#include "cli/watch.h"

static const struct table_column columns[] = {
    {"REF", false, false},  {"NAME", false, false},     {"BEHAVIOR", false, false}, {"STATE", false, true},
    {"DEPTH", true, false}, {"PROCESSED", true, false}, {"UPTIME", true, false},
};

static void fill(const json_t *actor, char (*cells)[CLI_CELL_BYTES])
{
    member_text(actor, "ref", cells[0]);
    member_text(actor, "name", cells[1]);
    member_text(actor, "behavior", cells[2]);
    member_state(actor, cells[3]);
    member_count(json_object_get(actor, "mailbox"), "depth", cells[4]);
    member_count(actor, "processed", cells[5]);
    member_duration(actor, "uptime_ms", cells[6]);
}

static void quiet(const json_t *actor, char *cell) { member_text(actor, "ref", cell); }

static int answer(struct cli *cli)
{
    static const struct cli_list list = {
        .what = "list the actors",
        .get_page = troupe_client_list,
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .fill = fill,
        .quiet = quiet,
    };
    return cli_pages_print(cli, &list,
                           (troupe_client_filter){.behavior = cli->value[CLI_BEHAVIOR],
                                                  .state = cli->value[CLI_STATE],
                                                  .name = cli->value[CLI_NAME]});
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    {CLI_BEHAVIOR, "BEHAVIOR", "Only actors of this behavior"},
    {CLI_STATE, "starting|running|draining|stopping|stopped", "Only actors in this state"},
    {CLI_NAME, "NAME", "Only the actor of this name"},
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100)"},
    {CLI_QUIET, NULL, "Print references only, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_ls = {
    .name = "ls",
    .usage = "",
    .summary = "List the actors of a node",
    .options = options,
    .run = run,
};
