/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/alarms.h"
#include "cli/commands.h"
#include "cli/watch.h"

/* The alarms that are set for it, as further fields; a document is the node's own and stays as it is. */
static void tell_alarms(struct cli *cli, const json_t *actor)
{
    size_t i;
    json_t *alarm;
    char line[4 * CLI_CELL_BYTES];
    const char *ref = json_string_value(json_object_get(actor, "ref"));
    json_t *alarms = alarms_ask(cli);
    json_array_foreach(alarms, i, alarm)
    {
        const char *of = json_string_value(json_object_get(alarm, "actor"));
        if (ref != NULL && of != NULL && strcmp(ref, of) == 0) {
            alarms_format(alarm, line, sizeof line);
            fprintf(cli->out, "%-22s  ", "alarm");
            cli_output_line(cli, line);
        }
    }
    json_decref(alarms);
}

static int answer(struct cli *cli)
{
    troupe_client_problem problem;
    json_t *actor = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_info(cli->client, cli->arg[0], &actor, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "show %s", cli->arg[0]);
    }
    code = cli_output_fields(cli, actor);
    if (code == CLI_EXIT_DONE && cli->format == CLI_FORMAT_TABLE) {
        tell_alarms(cli, actor);
    }
    json_decref(actor);
    return code;
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_info = {
    .name = "info",
    .usage = "REF",
    .summary = "Show one actor: state, mailbox, counters, children, alarms",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
