/* SPDX-License-Identifier: Apache-2.0
 *
 * troupe: the command line client. Finds the command in the table, parses, runs it, and makes sure that what it wrote
 * really went out: an unwritten answer is a failure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/colour.h"

#define HELP_FORMAT "no-dup-args-note,opt-doc-col=34,rmargin=100" /* of argp; a user's own setting wins */

/* Registered with atexit, so that it also covers argp's help. A broken stdout that nothing was written to is fine. */
static void check_stdout(void)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0 || failed) {
        cli_complain("cannot write the output%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
        _exit(CLI_EXIT_LOCAL);
    }
}

static int no_command(const char *name)
{
    const char *guess = cli_command_guess(name);
    char hint[64] = ";";
    if (guess != NULL) {
        snprintf(hint, sizeof hint, "; did you mean '%s'?", guess);
    }
    cli_complain("there is no command '%s'%s 'troupe help' lists them", name, hint);
    return CLI_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {.out = stdout};
    char program[] = "troupe";
    if (argc < 1 || atexit(check_stdout) != 0 || setenv("ARGP_HELP_FMT", HELP_FORMAT, 0) != 0) {
        return CLI_EXIT_LOCAL;
    }
    argv[0] = program;
    int index = cli_options_parse_global(&cli, argc, argv);
    if (index < argc) {
        cli.command = cli_command_find(argv[index]);
        if (cli.command == NULL) {
            return no_command(argv[index]);
        }
        cli_options_parse_command(&cli, argc - index, argv + index);
    } else if (cli.command == NULL) { /* not --version either */
        cli_help_print(stderr);
        return CLI_EXIT_USAGE;
    }
    cli.has_colour = colour_is_wanted(cli.value[CLI_COLOR], isatty(STDOUT_FILENO) != 0);
    int code = cli.command->run(&cli);
    troupe_client_free(cli.client);
    if (cli.token != NULL) {
        explicit_bzero(cli.token, strlen(cli.token)); /* for what dumps memory later */
    }
    free(cli.token);
    return code;
}
