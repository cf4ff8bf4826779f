/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens in the cluster, as it happens: nodes that come, change and go. */
#include <string.h>

#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/member.h"

/* When, what, which node, its state and address. */
static void line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    char cells[4][CLI_CELL_BYTES];
    char text[5 * CLI_CELL_BYTES];
    char type[64];
    char clean[4 * sizeof text];
    member_text(data, "at", cells[0]);
    member_text(data, "node", cells[1]);
    member_text(data, "state", cells[2]);
    member_text(data, "api", cells[3]);
    cli_clean_copy(type, sizeof type, event->type);
    const char *colour = cli->has_colour ? colour_of(type) : "";
    cli_clean_copy(clean, sizeof clean, cells[0]);
    fprintf(cli->out, "%-24s  %s%s%s%*s  ", clean, colour, type, colour_end(colour),
            (int)(strlen(type) < 14 ? 14 - strlen(type) : 0), "");
    snprintf(text, sizeof text, "%-15s  %-8s  %s", cells[1], cells[2], cells[3]);
    cli_output_line(cli, text);
}

static int run(struct cli *cli) { return cli_events_print(cli, NULL, line); }

const struct cli_command cmd_watch = {
    .name = "watch",
    .usage = "",
    .summary = "Show what happens in the cluster, one event a line",
    .text =
        "With -o json each event is a line of JSON: id, event, data. A connection that is lost is made again, and goes "
        "on behind the last event. Ends with Ctrl-C.",
    .options = cli_events_options,
    .run = run,
};
