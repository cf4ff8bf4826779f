/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens, as it happens: nodes that come, change and go, alarms of the asked one; or its dead letters. */
#include <string.h>

#include "cli/alarms.h"
#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/member.h"

/* When and what. */
static void write_head(const struct cli *cli, const char *at, const char *type)
{
    char clean[4 * CLI_CELL_BYTES];
    cli_clean_copy(clean, sizeof clean, at);
    fprintf(cli->out, "%-24s  ", clean);
    cli_clean_copy(clean, sizeof clean, type);
    const char *colour = cli->has_colour ? colour_of(clean) : "";
    size_t len = strlen(clean);
    fprintf(cli->out, "%s%s%s%*s  ", colour, clean, colour_end(colour), len < 14 ? (int)(14 - len) : 0, "");
}

/* When, what, which node, its state and address; or which actor is in trouble. */
static void line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    char cells[4][CLI_CELL_BYTES];
    char text[5 * CLI_CELL_BYTES];
    bool is_alarm = strncmp(event->type, "alarm_", 6) == 0;
    member_text(data, is_alarm ? "since" : "at", cells[0]);
    member_text(data, "node", cells[1]);
    member_text(data, "state", cells[2]);
    member_text(data, "api", cells[3]);
    snprintf(text, sizeof text, "%-15s  %-8s  %s", cells[1], cells[2], cells[3]);
    if (is_alarm) {
        alarms_format(data, text, sizeof text);
    }
    write_head(cli, cells[0], event->type);
    cli_output_line(cli, text);
}

/* When, why, what, to whom, from whom. */
static void dead_line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    char cells[5][CLI_CELL_BYTES];
    char text[5 * CLI_CELL_BYTES];
    char more[64] = "";
    json_int_t suppressed = json_integer_value(json_object_get(data, "suppressed"));
    bool has_from = json_is_string(json_object_get(data, "from"));
    (void)event;
    member_text(data, "at", cells[0]);
    member_text(data, "error", cells[1]);
    member_text(data, "type", cells[2]);
    member_text(data, "to", cells[3]);
    member_text(data, "from", cells[4]);
    if (suppressed > 0) {
        snprintf(more, sizeof more, "; %" JSON_INTEGER_FORMAT " before it were not told", suppressed);
    }
    snprintf(text, sizeof text, "%s to %s%s%s%s", cells[2], cells[3], has_from ? " from " : "",
             has_from ? cells[4] : "", more);
    write_head(cli, cells[0], cells[1]);
    cli_output_line(cli, text);
}

static int run(struct cli *cli)
{
    static const struct cli_stream cluster = {.what = "watch the cluster", .line = line};
    static const struct cli_stream dead = {
        .what = "watch the dead letters", .options.source = TROUPE_CLIENT_SOURCE_DEAD, .line = dead_line};
    return cli_events_print(cli, cli->value[CLI_DEAD] != NULL ? &dead : &cluster);
}

static const struct cli_option_use options[] = {
    {CLI_DEAD, NULL, "Show messages that nobody took instead: why, what, to whom, from whom"},
    CLI_EVENTS_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_watch = {
    .name = "watch",
    .usage = "",
    .summary = "Show what happens in the cluster, one event a line",
    .text =
        "Nodes that come and go, and alarms of the asked node: actors with a long mailbox or a long turn. With -o json "
        "each event is a line of JSON: id, event, data. A connection that is lost is made again, and goes on behind "
        "the "
        "last event. Ends with Ctrl-C.",
    .options = options,
    .run = run,
};
