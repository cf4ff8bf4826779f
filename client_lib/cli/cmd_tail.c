/* SPDX-License-Identifier: Apache-2.0
 *
 * The events of an actor, as they are published. */
#include "cli/commands.h"

/* The id, the type, and the body on one line. */
static void line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    char head[320];
    (void)data;
    snprintf(head, sizeof head, "%s  %s", event->id[0] != '\0' ? event->id : "-", event->type);
    char clean[4 * sizeof head];
    cli_clean_copy(clean, sizeof clean, head);
    fprintf(cli->out, "%s  ", clean);
    cli_output_clean(cli, event->data, event->data_len);
    fputc('\n', cli->out);
}

static int run(struct cli *cli)
{
    char what[CLI_CELL_BYTES];
    snprintf(what, sizeof what, "follow %s", cli->arg[0]);
    return cli_events_print(cli, &(struct cli_stream){.what = what, .options.ref = cli->arg[0], .line = line});
}

const struct cli_command cmd_tail = {
    .name = "tail",
    .usage = "REF",
    .summary = "Show the events that an actor publishes, one a line",
    .text =
        "With -o json each event is a line of JSON: id, event, data. A connection that is lost is made again, and goes "
        "on behind the last event. Ends with the actor, or with Ctrl-C.",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = cli_events_options,
    .run = run,
};
