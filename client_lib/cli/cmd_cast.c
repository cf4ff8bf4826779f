/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/message.h"

/* For people, silence is success; a document is for those who asked for one. */
static int tell(const struct cli *cli)
{
    if (cli->format == CLI_FORMAT_TABLE) {
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli, json_pack("{s:s, s:b}", "ref", cli->arg[0], "accepted", 1));
}

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    struct cli_message message = {0};
    int code = cli_message_read(cli, 0, &message);
    code = code != CLI_EXIT_DONE ? code : cli_span_option(cli, CLI_DELAY, CLI_DELAY_MS_MAX, &message.message.delay_ms);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    if (code == CLI_EXIT_DONE) {
        int rc = troupe_client_cast(cli->client, &message.message, &problem);
        code = rc != 0 ? cli_complain_problem(cli, &problem, "cast %s %s", cli->arg[0], cli->arg[1]) : tell(cli);
    }
    cli_message_fini(&message);
    return code;
}

const struct cli_command cmd_cast = {
    .name = "cast",
    .usage = "REF TYPE [BODY]",
    .summary = "Send a message to an actor without awaiting a reply",
    .text =
        "Exits with 0 once the mailbox of the actor has the message, or with --delay the actor a timer that sends it. "
        "BODY is as for call.",
    .args_min = 2,
    .args_max = 3,
    .first_arg = CLI_ARG_REF,
    .options = cli_cast_options,
    .run = run,
};
