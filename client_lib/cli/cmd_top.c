/* SPDX-License-Identifier: Apache-2.0
 *
 * The busiest actors, live: by default those with the longest mailboxes. One round asks for all actors, so that the
 * order is right; what is shown is cut afterwards. */
#include <stdlib.h>
#include <string.h>

#include "cli/alarms.h"
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/rank.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/timestamp.h"
#include "cli/watch.h"

#define ROWS 20        /* where --limit is not given and there is no terminal */
#define ALARMS_SHOWN 3 /* in lines of their own, on a terminal */
#define LINES_AROUND 3 /* of a terminal: the summary, the titles, the cursor */

static const char *const orders[RANK_ORDERS] = {"depth", "rate", "processed", "uptime", "bytes"};

static const struct table_column columns[] = {
    {"REF", false, false},      {"NAME", false, false},  {"BEHAVIOR", false, false},
    {"STATE", false, true},     {"DEPTH", true, false},  {"RATE", true, false},
    {"PROCESSED", true, false}, {"UPTIME", true, false}, {"ALARM", false, true},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

/* The program's one top; `answer` has no other way to it. */
static struct top {
    struct rank rank;
    enum rank_order order;
    uint64_t limit;
    bool is_limited; /* by --limit */
    bool is_cut;     /* there are more actors than are looked at */
    struct watch watch;
    json_t *alarms; /* owned: those that are set */
} top;

static void format_rate(double rate, char *cell)
{
    snprintf(cell, CLI_CELL_BYTES, rate < 0 ? "-" : rate < 100 ? "%.1f" : "%.0f", rate);
}

static bool take_actor(void *user, json_t *actor)
{
    int *ret_error = user;
    *ret_error = rank_add(&top.rank, actor);
    return *ret_error == 0;
}

/* All actors into the ranking. Returns a cli_exit. */
static int take_round(struct cli *cli)
{
    troupe_client_problem problem;
    int error = 0;
    rank_begin(&top.rank, terminal_now_ms());
    top.is_cut = false;
    if (cli_pages_each(cli, troupe_client_list, take_actor, &error, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "list the actors");
    }
    top.is_cut = error == TROUPE_E_LIMIT;
    rank_end(&top.rank);
    json_decref(top.alarms);
    top.alarms = alarms_ask(cli);
    return (error == 0 || top.is_cut) && top.alarms != NULL ? CLI_EXIT_DONE : cli_no_memory();
}

/* Lines of alarms above the table: up to 3, and one that says how many there are more. */
static size_t alarm_lines(void)
{
    size_t count = json_array_size(top.alarms);
    return count > ALARMS_SHOWN ? ALARMS_SHOWN + 1 : count;
}

static size_t rows_to_show(void)
{
    unsigned lines, width;
    uint64_t limit = top.limit;
    if (!top.is_limited && top.watch.is_drawn) {
        terminal_size(&lines, &width);
        size_t around = LINES_AROUND + alarm_lines();
        limit = lines > around + 1 ? lines - around : 1;
    }
    return limit == 0 || limit > top.rank.count ? top.rank.count : (size_t)limit;
}

static int add_row(struct table *table, const struct rank_row *row)
{
    char cells[COLUMN_COUNT][CLI_CELL_BYTES];
    const char *texts[COLUMN_COUNT];
    member_text(row->actor, "ref", cells[0]);
    member_text(row->actor, "name", cells[1]);
    member_text(row->actor, "behavior", cells[2]);
    member_state(row->actor, cells[3]);
    member_count(json_object_get(row->actor, "mailbox"), "depth", cells[4]);
    format_rate(row->rate, cells[5]);
    member_count(row->actor, "processed", cells[6]);
    member_duration(row->actor, "uptime_ms", cells[7]);
    alarms_of(top.alarms, cells[0], cells[8]);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        texts[i] = cells[i];
    }
    return table_add(table, texts);
}

/* One line above the table; not in a file, where it would be in the way. */
static void write_summary(FILE *out)
{
    char rate[CLI_CELL_BYTES];
    format_rate(rank_total_rate(&top.rank), rate);
    fprintf(out, "%zu%s actor%s, %s messages/s, by %s (left, right: another column; q: end)\n", top.rank.count,
            top.is_cut ? " and more" : "", top.rank.count == 1 ? "" : "s", rate, orders[top.order]);
}

static void write_alarms(const struct cli *cli)
{
    char line[4 * CLI_CELL_BYTES];
    for (size_t i = 0; i < json_array_size(top.alarms) && i < ALARMS_SHOWN; i++) {
        alarms_format(json_array_get(top.alarms, i), line, sizeof line);
        fputs("alarm: ", cli->out);
        cli_output_line(cli, line);
    }
    if (json_array_size(top.alarms) > ALARMS_SHOWN) {
        fprintf(cli->out, "... %zu more alarms\n", json_array_size(top.alarms) - ALARMS_SHOWN);
    }
}

static int write_table(const struct cli *cli, const struct rank_row *rows, size_t count)
{
    struct table table;
    int rc = 0;
    if (top.watch.is_drawn) {
        write_summary(cli->out);
        write_alarms(cli);
    }
    table_init(&table, columns, COLUMN_COUNT);
    table.has_colour = cli->has_colour;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add_row(&table, &rows[i]);
    }
    table_write(&table, cli->out);
    table_fini(&table);
    return rc == 0 ? CLI_EXIT_DONE : cli_no_memory();
}

/* {"at":...,"items":[actors, each with its rate],"alarms":[...]} */
static int write_document(const struct cli *cli, const struct rank_row *rows, size_t count)
{
    char at[TIMESTAMP_CAP];
    timestamp_format(time(NULL), at);
    json_t *items = json_array();
    int rc = items == NULL ? TROUPE_E_NO_MEMORY : 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_t *rate = rows[i].rate < 0 ? json_null() : json_real(rows[i].rate);
        rc = json_object_set_new(rows[i].actor, "rate", rate) == 0 && json_array_append(items, rows[i].actor) == 0
                 ? 0
                 : TROUPE_E_NO_MEMORY;
    }
    json_t *document = rc == 0 ? json_pack("{s:s, s:O, s:O}", "at", at, "items", items, "alarms", top.alarms) : NULL;
    json_decref(items);
    return cli_output_made(cli, document);
}

static int write_ranking(struct cli *cli)
{
    struct rank_row *rows = rank_sort(&top.rank, top.order);
    size_t count = rows != NULL ? rows_to_show() : 0;
    int code = rows == NULL && top.rank.count > 0 ? cli_no_memory()
               : cli->format == CLI_FORMAT_TABLE  ? write_table(cli, rows, count)
                                                  : write_document(cli, rows, count);
    free(rows);
    return code;
}

static int answer(struct cli *cli)
{
    int code = cli_connect(cli);
    code = code != CLI_EXIT_DONE ? code : take_round(cli);
    return code != CLI_EXIT_DONE ? code : write_ranking(cli);
}

/* Another order at once, from what is there. */
static int on_key(enum terminal_key key)
{
    if (key == TERMINAL_LEFT || key == TERMINAL_RIGHT) {
        top.order = (enum rank_order)(((int)top.order + (key == TERMINAL_LEFT ? RANK_ORDERS - 1 : 1)) % RANK_ORDERS);
        return watch_round(&top.watch, write_ranking);
    }
    return CLI_EXIT_DONE;
}

static int read_options(struct cli *cli)
{
    const char *sort = cli->value[CLI_SORT];
    top.limit = ROWS;
    top.is_limited = cli->value[CLI_LIMIT] != NULL;
    for (int i = 0; sort != NULL && i < RANK_ORDERS; i++) {
        top.order = strcmp(sort, orders[i]) == 0 ? (enum rank_order)i : top.order;
    }
    return cli_count_option(cli, CLI_LIMIT, UINT32_MAX, &top.limit);
}

static int run(struct cli *cli)
{
    int code = read_options(cli);
    code = code != CLI_EXIT_DONE ? code : watch_start(&top.watch, cli);
    while (code == CLI_EXIT_DONE) {
        code = watch_round(&top.watch, answer);
        if (code != CLI_EXIT_DONE || watch_is_over(&top.watch)) {
            break;
        }
        enum terminal_key key;
        do { /* a key shows another order at once; then the wait begins anew */
            key = terminal_wait(top.watch.interval_ms);
            code = on_key(key);
        } while (code == CLI_EXIT_DONE && (key == TERMINAL_LEFT || key == TERMINAL_RIGHT));
        if (key == TERMINAL_QUIT) {
            break;
        }
    }
    rank_fini(&top.rank);
    json_decref(top.alarms);
    return code;
}

static const struct cli_option_use options[] = {
    {CLI_SORT, "depth|rate|processed|uptime|bytes",
     "What comes first: the largest of this; depth, the default, and bytes are of the mailbox"},
    {CLI_LIMIT, "N", "At most this many; 0 for all (default: as many as fit, 20 off a terminal)"},
    {CLI_WATCH, "[SECONDS]", "How often, every 2 seconds unless told"},
    {CLI_ROUNDS, "N", "End after this many times"},
    {.text = NULL},
};

const struct cli_command cmd_top = {
    .name = "top",
    .usage = "",
    .summary = "Show the busiest actors, live",
    .text = "RATE is how many messages an actor handles in a second, from one time to the next; ALARM tells of a long "
            "mailbox or a long turn. On a terminal the arrow "
            "keys choose what to sort by and q ends; elsewhere each time is a table or a document of its own.",
    .options = options,
    .run = run,
};
