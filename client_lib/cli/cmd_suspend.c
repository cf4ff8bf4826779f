/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

/* For people, silence is success; a document is for those who asked for one. */
static int tell(const struct cli *cli)
{
    if (cli->format == CLI_FORMAT_TABLE) {
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli, json_pack("{s:s, s:b}", "ref", cli->arg[0], "suspended", 1));
}

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    int rc = troupe_client_suspend(cli->client, cli->arg[0], &problem);
    return rc != 0 ? cli_complain_problem(cli, &problem, "suspend %s", cli->arg[0]) : tell(cli);
}

const struct cli_command cmd_suspend = {
    .name = "suspend",
    .usage = "REF",
    .summary = "Have an actor handle nothing until it is resumed",
    .text =
        "What comes waits in its mailbox, whose limits hold; calls end at their deadlines. It can still be stopped.",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .run = run,
};
