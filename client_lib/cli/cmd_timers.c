/* SPDX-License-Identifier: Apache-2.0
 *
 * The timers of an actor: those that clients have set, by an id, and its own. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/member.h"
#include "cli/message.h"
#include "cli/table.h"
#include "cli/watch.h"

#define DELAY_MS_MAX (49ull * 86400000) /* of a timer: 49 days */

/* ---- list ---- */

static const struct table_column columns[] = {
    {"ID", false, false},   {"ACTION", false, false}, {"OF", false, false},     {"DUE", true, false},
    {"EVERY", true, false}, {"MISSED", false, false}, {"SET BY", false, false},
};

/* OF is the type of the message, or the actor that is to end. */
static void fill(const json_t *timer, char (*cells)[CLI_CELL_BYTES])
{
    const char *action = json_string_value(json_object_get(timer, "action"));
    bool is_message = action != NULL && strcmp(action, "message") == 0;
    member_text(timer, "id", cells[0]);
    member_text(timer, "action", cells[1]);
    member_text(timer, is_message ? "type" : "target", cells[2]);
    member_duration(timer, "due_in_ms", cells[3]);
    member_duration(timer, "every_ms", cells[4]);
    member_text(timer, "missed", cells[5]);
    member_text(timer, "set_by", cells[6]);
}

static void quiet(const json_t *timer, char *cell) { member_text(timer, "id", cell); }

static const char *asked_ref; /* whose: cli_page_fn has no other way to it */
static size_t total;          /* how many it has, more than are listed at most */

static int get_page(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                    troupe_client_problem *problem)
{
    (void)filter; /* there is one page */
    int rc = troupe_client_timers(client, asked_ref, ret_page, problem);
    total = rc == 0 ? (size_t)json_integer_value(json_object_get(*ret_page, "total")) : 0;
    return rc;
}

static int answer(struct cli *cli)
{
    char what[CLI_CELL_BYTES];
    snprintf(what, sizeof what, "list the timers of %s", cli->arg[0]);
    const struct cli_list list = {
        .what = what,
        .get_page = get_page,
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .fill = fill,
        .quiet = quiet,
    };
    asked_ref = cli->arg[0];
    return cli_pages_print(cli, &list, (troupe_client_filter){0});
}

/* ---- set ---- */

/* The body of the message as a value; it is to be JSON. Owns: *ret_body is owned, NULL: none. Returns a cli_exit. */
static int read_body(const struct cli *cli, json_t **ret_body)
{
    struct cli_message message = {0};
    json_error_t error;
    int code = cli_message_read(cli, 2, &message);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (message.message.body_len > 0) {
        *ret_body = json_loadb(message.message.body, message.message.body_len, JSON_DECODE_ANY, &error);
        if (*ret_body == NULL) {
            cli_complain("the body is not JSON: %s; a timer takes no other", error.text);
            code = CLI_EXIT_USAGE;
        }
    }
    cli_message_fini(&message);
    return code;
}

static int read_times(const struct cli *cli, troupe_client_timer *timer)
{
    timer->at = cli->value[CLI_AT];
    timer->missed = cli->value[CLI_MISSED];
    int code = cli_span_option(cli, CLI_DELAY, DELAY_MS_MAX, &timer->after_ms);
    code = code != CLI_EXIT_DONE ? code : cli_span_option(cli, CLI_EVERY, DELAY_MS_MAX, &timer->every_ms);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (timer->at != NULL && timer->after_ms != 0) {
        cli_complain("when? --delay and --at are both given; give one of them");
        return CLI_EXIT_USAGE;
    }
    if (timer->at == NULL && timer->after_ms == 0 && timer->every_ms == 0) {
        cli_complain("when? give --delay TIME, --at MOMENT or --every TIME");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_DONE;
}

static int ask_set(struct cli *cli, const troupe_client_timer *timer)
{
    troupe_client_problem problem;
    json_t *document = NULL;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_timer_set(cli->client, cli->arg[0], cli->arg[2], timer, &document, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "set the timer %s of %s", cli->arg[2], cli->arg[0]);
    }
    code = cli->format == CLI_FORMAT_TABLE ? CLI_EXIT_DONE : cli_output_document(cli, document);
    json_decref(document);
    return code;
}

static int set(struct cli *cli)
{
    json_t *body = NULL;
    troupe_client_timer timer = {.type = cli->arg[3]};
    int code = read_times(cli, &timer);
    code = code != CLI_EXIT_DONE ? code : read_body(cli, &body);
    timer.body = body;
    code = code != CLI_EXIT_DONE ? code : ask_set(cli, &timer);
    json_decref(body);
    return code;
}

/* ---- cancel ---- */

static int cancel(struct cli *cli)
{
    troupe_client_problem problem;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_timer_cancel(cli->client, cli->arg[0], cli->arg[2], &problem) != 0) {
        return cli_complain_problem(cli, &problem, "cancel the timer %s of %s", cli->arg[2], cli->arg[0]);
    }
    if (cli->format == CLI_FORMAT_TABLE) {
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli, json_pack("{s:s, s:s, s:b}", "ref", cli->arg[0], "id", cli->arg[2], "cancelled", 1));
}

/* ---- the command ---- */

static int misuse(const char *why)
{
    cli_complain("%s; 'troupe timers REF set ID TYPE [BODY]' and 'troupe timers REF cancel ID' change timers", why);
    return CLI_EXIT_USAGE;
}

static int run(struct cli *cli)
{
    const char *verb = cli->arg_count > 1 ? cli->arg[1] : NULL;
    char why[CLI_CELL_BYTES];
    if (verb == NULL) {
        return cli_watch_run(cli, answer);
    }
    if (cli->value[CLI_WATCH] != NULL) {
        return misuse("only the list can be watched");
    }
    if (strcmp(verb, "set") == 0) {
        return cli->arg_count >= 4 ? set(cli) : misuse("an argument is missing");
    }
    if (strcmp(verb, "cancel") == 0) {
        return cli->arg_count == 3 ? cancel(cli) : misuse("one timer at a time is cancelled");
    }
    snprintf(why, sizeof why, "'%s' is nothing that can be done to timers", verb);
    return misuse(why);
}

static const struct cli_option_use options[] = {
    {CLI_DELAY, "TIME", "set: the first time is in so long, up to 49d, such as 500ms, 5s, 2h, 1d"},
    {CLI_AT, "MOMENT", "set: the first time is then, such as 2030-01-31T12:00:00Z"},
    {CLI_EVERY, "TIME", "set: and then again after each so long"},
    {CLI_MISSED, "skip|burst", "set: what becomes of times at which the actor was busy (default skip)"},
    {CLI_FILE, "FILE", "set: take the body from a file; - is standard input"},
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100)"},
    {CLI_QUIET, NULL, "Print ids only, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_timers = {
    .name = "timers",
    .usage = "REF [set ID TYPE [BODY] | cancel ID]",
    .summary = "List the timers of an actor, set one, or cancel one",
    .text =
        "set has the actor get a message later, or again and again. ID is of your choice; a timer of the same id is "
        "replaced. BODY is JSON, - is standard input. A timer ends with its actor.",
    .args_min = 1,
    .args_max = 5,
    .first_arg = CLI_ARG_REF,
    .words = "set|cancel",
    .options = options,
    .run = run,
};
