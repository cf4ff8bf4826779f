/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

static int tell(const struct cli *cli, bool ended)
{
    int code = CLI_EXIT_DONE;
    if (cli->format == CLI_FORMAT_TABLE) {
        cli_output_line(cli, ended ? "ended" : "still ending");
    } else {
        code = cli_output_made(cli, json_pack("{s:s, s:b}", "ref", cli->arg[0], "ended", ended));
    }
    return code != CLI_EXIT_DONE || ended ? code : CLI_EXIT_NO;
}

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    bool ended = false;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    const char *mode = cli->value[CLI_MODE] != NULL ? cli->value[CLI_MODE] : "stop";
    if (troupe_client_stop(cli->client, cli->arg[0], mode, cli->value[CLI_REASON], cli->timeout_ms, &ended, &problem) !=
        0) {
        return cli_complain_problem(cli, &problem, "%s %s", mode, cli->arg[0]);
    }
    return tell(cli, ended);
}

static const struct cli_option_use options[] = {
    {CLI_MODE, "stop|drain|kill", "stop: finish the running message; drain: all accepted ones; kill: at once"},
    {CLI_REASON, "TEXT", "Why, for those who watch the actor"},
    {CLI_TIMEOUT, "TIME", "How long to wait for the end, such as 500ms, 5s, 2m"},
    {.text = NULL},
};

const struct cli_command cmd_stop = {
    .name = "stop",
    .usage = "REF",
    .summary = "End an actor",
    .text = "Exits with 1 when the actor is still ending after the timeout.",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
