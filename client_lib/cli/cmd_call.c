/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/message.h"

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    struct cli_message message = {0};
    int code = cli_message_read(cli, 0, &message);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    if (code == CLI_EXIT_DONE) {
        int rc = troupe_client_call(cli->client, &message.message, &reply, &problem);
        code = rc != 0 ? cli_complain_problem(cli, &problem, "call %s %s", cli->arg[0], cli->arg[1])
                       : cli_output_reply(cli, &reply);
    }
    troupe_client_reply_fini(&reply);
    cli_message_fini(&message);
    return code;
}

const struct cli_command cmd_call = {
    .name = "call",
    .usage = "REF TYPE [BODY]",
    .summary = "Send a message to an actor and print its reply",
    .text = "BODY is JSON unless --content-type says otherwise; - reads standard input. "
            "The reply is printed as it came, with -o json or -o yaml as a document. Example: troupe call @hits add "
            "'{\"by\":2}'",
    .args_min = 2,
    .args_max = 3,
    .first_arg = CLI_ARG_REF,
    .options = cli_call_options,
    .run = run,
};
