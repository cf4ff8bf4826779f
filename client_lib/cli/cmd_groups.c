/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups: which there are, who is in one, one more or less, a message to all, and who comes and goes. */
#include <stdlib.h>
#include <string.h>

#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/message.h"
#include "cli/table.h"
#include "cli/watch.h"

static troupe_client_group group_of(const struct cli *cli)
{
    return (troupe_client_group){.name = cli->arg[1], .scope = cli->value[CLI_SCOPE]};
}

/* ---- lists ---- */

static const struct table_column group_columns[] = {
    {"GROUP", false, false}, {"SCOPE", false, false}, {"MEMBERS", true, false}};

static void fill_group(const json_t *group, char (*cells)[CLI_CELL_BYTES])
{
    member_text(group, "group", cells[0]);
    const char *scope = json_string_value(json_object_get(group, "scope"));
    snprintf(cells[1], CLI_CELL_BYTES, "%s", scope != NULL && scope[0] != '\0' ? scope : "-");
    member_count(group, "members", cells[2]);
}

static void quiet_group(const json_t *group, char *cell) { member_text(group, "group", cell); }

static int list_groups(struct cli *cli)
{
    static const struct cli_list list = {
        .what = "list the groups",
        .get_page = troupe_client_groups,
        .columns = group_columns,
        .column_count = sizeof group_columns / sizeof *group_columns,
        .fill = fill_group,
        .quiet = quiet_group,
    };
    return cli_pages_print(cli, &list, (troupe_client_filter){.scope = cli->value[CLI_SCOPE]});
}

static const struct table_column member_columns[] = {
    {"REF", false, false}, {"NAME", false, false}, {"BEHAVIOR", false, false}};

static void fill_member(const json_t *member, char (*cells)[CLI_CELL_BYTES])
{
    member_text(member, "ref", cells[0]);
    member_text(member, "name", cells[1]);
    member_text(member, "behavior", cells[2]);
}

static void quiet_member(const json_t *member, char *cell) { member_text(member, "ref", cell); }

/* Here the name of the filter is that of the group. */
static int get_members(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                       troupe_client_problem *problem)
{
    const troupe_client_group group = {.name = filter->name, .scope = filter->scope};
    return troupe_client_group_members(client, &group, filter, ret_page, problem);
}

static int list_members(struct cli *cli)
{
    char what[CLI_CELL_BYTES];
    snprintf(what, sizeof what, "list the members of %s", cli->arg[1]);
    const struct cli_list list = {
        .what = what,
        .get_page = get_members,
        .columns = member_columns,
        .column_count = sizeof member_columns / sizeof *member_columns,
        .fill = fill_member,
        .quiet = quiet_member,
    };
    return cli_pages_print(cli, &list, (troupe_client_filter){.name = cli->arg[1], .scope = cli->value[CLI_SCOPE]});
}

static int list(struct cli *cli) { return cli->arg_count == 0 ? list_groups(cli) : list_members(cli); }

static int watch_list(struct cli *cli) { return cli_watch_run(cli, list); }

/* ---- join, leave ---- */

static int change(struct cli *cli, bool is_join)
{
    troupe_client_problem problem;
    const troupe_client_group group = group_of(cli);
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    int rc = is_join ? troupe_client_group_join(cli->client, &group, cli->arg[2], &problem)
                     : troupe_client_group_leave(cli->client, &group, cli->arg[2], &problem);
    if (rc != 0) {
        return cli_complain_problem(cli, &problem, is_join ? "have %s join %s" : "have %s leave %s", cli->arg[2],
                                    group.name);
    }
    if (cli->format == CLI_FORMAT_TABLE) {
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli,
                           json_pack("{s:s, s:s, s:b}", "group", group.name, "ref", cli->arg[2], "member", is_join));
}

static int join(struct cli *cli) { return change(cli, true); }

static int leave(struct cli *cli) { return change(cli, false); }

/* ---- cast, call ---- */

static json_int_t count_of(const json_t *document, const char *key)
{
    return json_integer_value(json_object_get(document, key));
}

/* 1 when not all of them did as they were asked. Says so, with how many there are. */
static int judge(const struct cli *cli, const json_t *document, const char *did)
{
    json_int_t members = count_of(document, "members");
    json_int_t refused = count_of(document, "refused");
    if (members == 0) {
        cli_complain("nobody is in the group %s; 'troupe groups' lists those that have members", cli->arg[1]);
    } else if (refused > 0) {
        cli_complain("%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " members did not %s", refused, members, did);
    }
    return refused > 0 ? CLI_EXIT_NO : CLI_EXIT_DONE;
}

static int tell_cast(const struct cli *cli, const json_t *counts)
{
    int code = cli->format == CLI_FORMAT_TABLE ? CLI_EXIT_DONE : cli_output_document(cli, counts);
    return code != CLI_EXIT_DONE ? code
                                 : judge(cli, counts,
                                         "take it: their mailbox is full, or their behavior has "
                                         "no such type");
}

static const struct table_column result_columns[] = {
    {"REF", false, false}, {"STATUS", true, false}, {"REPLY", false, false}};

/* A result as a row: the reply, or the code of the error with its detail. */
static int add_result(struct table *table, const json_t *result)
{
    char ref[CLI_CELL_BYTES];
    char status[CLI_CELL_BYTES];
    char error[4 * CLI_CELL_BYTES];
    const json_t *body = json_object_get(result, "body");
    const char *code = json_string_value(json_object_get(result, "code"));
    const char *detail = json_string_value(json_object_get(result, "detail"));
    const char *bytes = json_string_value(json_object_get(result, "body_b64"));
    member_text(result, "ref", ref);
    member_count(result, "status", status);
    snprintf(error, sizeof error, "%s%s%s", code != NULL ? code : "", code != NULL && detail != NULL ? ": " : "",
             code != NULL && detail != NULL ? detail : "");
    char *text = body != NULL ? json_dumps(body, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    const char *reply = code != NULL ? error : text != NULL ? text : bytes != NULL ? bytes : "-";
    const char *const cells[] = {ref, status, reply};
    int rc = table_add(table, cells);
    free(text);
    return rc;
}

static int tell_call(const struct cli *cli, const json_t *document)
{
    struct table table;
    size_t i;
    json_t *result;
    int code = CLI_EXIT_DONE;
    if (cli->format != CLI_FORMAT_TABLE) {
        code = cli_output_document(cli, document);
    } else {
        int rc = 0;
        table_init(&table, result_columns, sizeof result_columns / sizeof *result_columns);
        table.has_colour = cli->has_colour;
        json_array_foreach(json_object_get(document, "results"), i, result)
        {
            rc = rc != 0 ? rc : add_result(&table, result);
        }
        table_write(&table, cli->out);
        table_fini(&table);
        code = rc == 0 ? CLI_EXIT_DONE : cli_no_memory();
    }
    return code != CLI_EXIT_DONE ? code : judge(cli, document, "answer");
}

static int send(struct cli *cli, bool is_call)
{
    troupe_client_problem problem;
    struct cli_message message = {0};
    json_t *document = NULL;
    const troupe_client_group group = group_of(cli);
    int code = cli_message_read(cli, 1, &message);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    if (code == CLI_EXIT_DONE) {
        int rc = is_call ? troupe_client_group_call(cli->client, &group, &message.message, &document, &problem)
                         : troupe_client_group_cast(cli->client, &group, &message.message, &document, &problem);
        code = rc != 0   ? cli_complain_problem(cli, &problem, "%s the group %s", cli->arg[0], group.name)
               : is_call ? tell_call(cli, document)
                         : tell_cast(cli, document);
    }
    json_decref(document);
    cli_message_fini(&message);
    return code;
}

static int cast(struct cli *cli) { return send(cli, false); }

static int call(struct cli *cli) { return send(cli, true); }

/* ---- tail ---- */

/* Who came or went, and how many there are then. */
static void line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    char cells[2][CLI_CELL_BYTES];
    char text[3 * CLI_CELL_BYTES];
    member_text(data, "ref", cells[0]);
    member_count(data, "members", cells[1]);
    snprintf(text, sizeof text, "%-5s  %-20s  %s member%s", event->type, cells[0], cells[1],
             strcmp(cells[1], "1") == 0 ? "" : "s");
    cli_output_line(cli, text);
}

static int tail(struct cli *cli)
{
    char what[CLI_CELL_BYTES];
    snprintf(what, sizeof what, "follow the group %s", cli->arg[1]);
    return cli_events_print(cli, &(struct cli_stream){.what = what,
                                                      .options = {.source = TROUPE_CLIENT_SOURCE_GROUP,
                                                                  .group = cli->arg[1],
                                                                  .scope = cli->value[CLI_SCOPE]},
                                                      .line = line});
}

/* ---- the command ---- */

static int run(struct cli *cli)
{
    static const struct {
        const char *verb;
        const char *usage;
        int args_min, args_max;
        bool can_be_watched;
        int (*run)(struct cli *cli);
    } verbs[] = {
        {"members", "members GROUP", 2, 2, true, watch_list},  {"join", "join GROUP REF", 3, 3, false, join},
        {"leave", "leave GROUP REF", 3, 3, false, leave},      {"cast", "cast GROUP TYPE [BODY]", 3, 4, false, cast},
        {"call", "call GROUP TYPE [BODY]", 3, 4, false, call}, {"tail", "tail GROUP", 2, 2, false, tail},
    };
    if (cli->arg_count == 0) {
        return watch_list(cli);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(cli->arg[0], verbs[i].verb) != 0) {
            continue;
        }
        if (cli->arg_count < verbs[i].args_min || cli->arg_count > verbs[i].args_max) {
            cli_complain("an argument is %s: 'troupe groups %s'",
                         cli->arg_count < verbs[i].args_min ? "missing" : "too many", verbs[i].usage);
            return CLI_EXIT_USAGE;
        }
        if (cli->value[CLI_WATCH] != NULL && !verbs[i].can_be_watched) {
            cli_complain("only lists can be watched: 'troupe groups members GROUP --watch'");
            return CLI_EXIT_USAGE;
        }
        return verbs[i].run(cli);
    }
    cli_complain("'%s' is nothing that can be done to groups; members, join, leave, cast, call and tail are",
                 cli->arg[0]);
    return CLI_EXIT_USAGE;
}

static const struct cli_option_use options[] = {
    {CLI_SCOPE, "SCOPE", "The scope of the group; of the list, only groups of this scope"},
    {CLI_FILE, "FILE", "cast, call: take the body from a file; - is standard input"},
    {CLI_CONTENT_TYPE, "TYPE", "cast, call: the content type of the body (default application/json)"},
    {CLI_TIMEOUT, "TIME", "call: how long all of them have to reply, such as 500ms, 5s, 2m (default 5s)"},
    {CLI_FROM, "now|oldest", "tail: where to begin: with what comes (default), or with the oldest that is kept"},
    {CLI_AFTER, "ID", "tail: begin behind the event of this id"},
    {CLI_TYPES, "TYPES", "tail: only join, or only leave"},
    {CLI_LIMIT, "N", "At most this many; 0 for all (default 100; of tail: all)"},
    {CLI_QUIET, NULL, "Print groups or references only, one a line"},
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_groups = {
    .name = "groups",
    .usage = "[members|tail GROUP | join|leave GROUP REF | cast|call GROUP TYPE [BODY]]",
    .summary = "List groups and members, join, leave, send to all, follow",
    .text =
        "call shows the result of each member; it exits with 1 when one did not answer, and cast when one did not take "
        "the message. tail shows who joins and leaves. A member leaves by its end.",
    .args_max = 4,
    .first_arg = CLI_ARG_WORD,
    .words = "members|join|leave|cast|call|tail",
    .options = options,
    .run = run,
};
