/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/watch.h"

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
    .summary = "Show one actor: state, mailbox, counters, links, children",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
