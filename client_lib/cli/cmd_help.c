/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

static int run(struct cli *cli)
{
    if (cli->arg_count == 0) {
        cli_help_print(stdout);
        return CLI_EXIT_DONE;
    }
    const struct cli_command *command = cli_command_find(cli->arg[0]);
    if (command == NULL) {
        cli_complain("there is no command '%s'; 'troupe help' lists them", cli->arg[0]);
        return CLI_EXIT_USAGE;
    }
    cli_help_print_command(command, stdout);
    return CLI_EXIT_DONE;
}

const struct cli_command cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "Show the commands, or what one of them takes",
    .args_max = 1,
    .first_arg = CLI_ARG_COMMAND,
    .is_local = true,
    .run = run,
};
