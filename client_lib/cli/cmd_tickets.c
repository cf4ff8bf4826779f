/* SPDX-License-Identifier: Apache-2.0
 *
 * A ticket: what a browser's page gives instead of a token where it cannot set a header. */
#include "cli/commands.h"

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    json_t *ticket = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_ticket(cli->client, cli->grant, cli->grant_count, &ticket, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "make a ticket");
    }
    code = cli_output_member(cli, ticket, "ticket");
    json_decref(ticket);
    return code;
}

static const struct cli_option_use options[] = {
    {CLI_GRANT, "GRANT", "Give the ticket only this right of the token; may be given again (default: all)"},
    {.text = NULL},
};

const struct cli_command cmd_tickets = {
    .name = "tickets",
    .usage = "",
    .summary = "Make a ticket, which opens one WebSocket or event stream, and print it",
    .text = "It has the rights of the token that asks for it, counts once, and for 30 seconds. A page gives it as "
            "?ticket= to an EventSource, which cannot send a token.",
    .options = options,
    .run = run,
};
