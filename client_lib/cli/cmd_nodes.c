/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes of the cluster as the asked node knows them: a list, one of them, or one told to leave. */
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/member.h"
#include "cli/table.h"
#include "cli/timestamp.h"
#include "cli/watch.h"

static const struct table_column columns[] = {
    {"NODE", false, false},    {"STATE", false, true},     {"API", false, false},   {"PEER", false, false},
    {"VERSION", false, false}, {"BEHAVIORS", true, false}, {"UPTIME", true, false},
};

static void fill(const json_t *node, char (*cells)[CLI_CELL_BYTES])
{
    const json_t *behaviors = json_object_get(node, "behaviors");
    int64_t started_ms = timestamp_parse(json_string_value(json_object_get(node, "started_at")));
    member_text(node, "node", cells[0]);
    member_text(node, "state", cells[1]);
    member_text(node, "api", cells[2]);
    member_text(node, "peer", cells[3]);
    member_text(node, "version", cells[4]);
    snprintf(cells[5], CLI_CELL_BYTES, json_is_array(behaviors) ? "%zu" : "-", json_array_size(behaviors));
    cli_duration_format(timestamp_age_ms(started_ms, time(NULL)), cells[6], CLI_CELL_BYTES);
}

static void quiet(const json_t *node, char *cell) { member_text(node, "node", cell); }

static int show(struct cli *cli, const char *id)
{
    troupe_client_problem problem;
    json_t *node = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_node(cli->client, id, &node, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "show the node %s", id);
    }
    code = cli_output_fields(cli, node);
    json_decref(node);
    return code;
}

static int drain(struct cli *cli, const char *id)
{
    troupe_client_problem problem;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_node_drain(cli->client, id, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "drain the node %s", id);
    }
    if (cli->format == CLI_FORMAT_TABLE) {
        cli_output_line(cli, "draining: it takes no new work, finishes what it has, and leaves");
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli, json_pack("{s:s, s:s}", "node", id, "state", "draining"));
}

static int list(struct cli *cli)
{
    static const struct cli_list nodes = {
        .what = "list the nodes",
        .get_page = troupe_client_nodes,
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .fill = fill,
        .quiet = quiet,
    };
    return cli->arg_count == 1 ? show(cli, cli->arg[0]) : cli_pages_print(cli, &nodes, (troupe_client_filter){0});
}

static int run(struct cli *cli)
{
    bool is_drain = cli->arg_count > 0 && strcmp(cli->arg[0], "drain") == 0;
    if (cli->arg_count == 2 && !is_drain) {
        cli_complain("'%s' is nothing that can be done to a node; 'troupe nodes drain ID' is", cli->arg[0]);
        return CLI_EXIT_USAGE;
    }
    if (is_drain && (cli->arg_count == 1 || cli->value[CLI_WATCH] != NULL)) {
        cli_complain(cli->arg_count == 1 ? "which node? 'troupe nodes drain ID'; 'troupe nodes' lists them"
                                         : "a drain cannot be watched; 'troupe nodes --watch' shows how it goes");
        return CLI_EXIT_USAGE;
    }
    return is_drain ? drain(cli, cli->arg[1]) : cli_watch_run(cli, list);
}

static const struct cli_option_use options[] = {
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100)"},
    {CLI_QUIET, NULL, "Print ids only, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_nodes = {
    .name = "nodes",
    .usage = "[ID | drain ID]",
    .summary = "List the nodes of the cluster, show one, or have one leave",
    .text = "drain has a node take no new work, finish what it has, and leave the cluster. ID may be self, the node "
            "that is asked.",
    .args_max = 2,
    .first_arg = CLI_ARG_WORD,
    .words = "drain",
    .options = options,
    .run = run,
};
