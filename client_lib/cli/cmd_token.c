/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: makes one and the row for a node's token file, or the hash of one that is there. Asks no node. The token is
 * printed once and kept nowhere; the file has its SHA-256 only. It is never an argument: other users could read it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/timestamp.h"
#include "cli/token_file.h"

#define ID_BYTES_MAX 64
#define FIGURE_MAX 1000000 /* of a rate or a number of connections, as a node takes it */
#define DAY_S 86400

/* ---- the row ---- */

static bool is_id(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return len >= 1 && len <= ID_BYTES_MAX && id[len] == '\0';
}

/* Only the scope is looked at, where a slip would give a token that can do nothing; a node reads the rest. */
static bool has_scope(const char *grant)
{
    static const char *const scopes[] = {"read", "message", "spawn", "stop", "host", "admin", "*"};
    size_t len = strcspn(grant, ":");
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        if (strlen(scopes[i]) == len && memcmp(scopes[i], grant, len) == 0) {
            return true;
        }
    }
    return false;
}

static int check_grants(const struct cli *cli)
{
    if (cli->grant_count == 0) {
        cli_complain("what may the token do? Give at least one --grant, such as --grant read or --grant "
                     "message:counter/*; --grant '*' allows everything");
        return CLI_EXIT_USAGE;
    }
    for (size_t i = 0; i < cli->grant_count; i++) {
        if (!has_scope(cli->grant[i])) {
            cli_complain("--grant '%s' does not begin with a scope: read, message, spawn, stop, host, admin or *",
                         cli->grant[i]);
            return CLI_EXIT_USAGE;
        }
    }
    return CLI_EXIT_DONE;
}

/* "30d", "12h" from now, or a moment as it is. Returns a cli_exit. */
static int read_expiry(const char *text, char out[64])
{
    char *rest;
    unsigned long days = strtoul(text, &rest, 10);
    uint32_t ms = 0;
    bool is_days = text[0] >= '0' && text[0] <= '9' && strcmp(rest, "d") == 0 && days >= 1 && days <= 36500;
    if (is_days || cli_duration_parse(text, &ms) == 0) {
        timestamp_format(time(NULL) + (is_days ? (time_t)days * DAY_S : (time_t)ms / 1000), out);
        return CLI_EXIT_DONE;
    }
    int64_t at_ms = timestamp_parse(text);
    if (at_ms < 0 || strlen(text) >= 64 || at_ms / 1000 <= (int64_t)time(NULL)) {
        cli_complain("--expires is '%s'; it must be a time from now, such as 12h or 30d, or a moment that is to come, "
                     "such as 2030-01-31T12:00:00Z",
                     text);
        return CLI_EXIT_USAGE;
    }
    snprintf(out, 64, "%s", text);
    return CLI_EXIT_DONE;
}

/* 0 is no limit, which a row says by leaving it out. */
static bool add_count(json_t *row, const char *key, uint64_t value)
{
    return value == 0 || json_object_set_new(row, key, json_integer((json_int_t)value)) == 0;
}

/* Complains. Returns a cli_exit. */
static int hash_token(const char *token, char hash[static TROUPE_CLIENT_HASH_CAP])
{
    if (troupe_client_token_hash(token, hash) == 0) {
        return CLI_EXIT_DONE;
    }
    cli_complain("cannot make the SHA-256 of the token: the cryptographic library failed");
    return CLI_EXIT_LOCAL;
}

/* Make the row of a token; complains. Owns: *ret_row is owned. Returns a cli_exit. */
static int make_row(const struct cli *cli, const char *token, json_t **ret_row)
{
    char hash[TROUPE_CLIENT_HASH_CAP];
    char expiry[64];
    uint64_t rate = 0;
    uint64_t connections = 0;
    const char *id = cli->value[CLI_ID];
    int code = cli_count_option(cli, CLI_RATE, FIGURE_MAX, &rate);
    code = code != CLI_EXIT_DONE ? code : cli_count_option(cli, CLI_CONNECTIONS, FIGURE_MAX, &connections);
    if (code == CLI_EXIT_DONE && cli->value[CLI_EXPIRES] != NULL) {
        code = read_expiry(cli->value[CLI_EXPIRES], expiry);
    }
    code = code != CLI_EXIT_DONE ? code : hash_token(token, hash);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    json_t *grants = json_array();
    bool is_good = grants != NULL;
    for (size_t i = 0; is_good && i < cli->grant_count; i++) {
        is_good = json_array_append_new(grants, json_string(cli->grant[i])) == 0;
    }
    const char *subject = cli->value[CLI_SUBJECT] != NULL ? cli->value[CLI_SUBJECT] : id;
    json_t *row =
        is_good ? json_pack("{s:s, s:s, s:s, s:O}", "id", id, "sha256", hash, "subject", subject, "grants", grants)
                : NULL;
    is_good = row != NULL &&
              (cli->value[CLI_NAME_PREFIX] == NULL ||
               json_object_set_new(row, "name_prefix", json_string(cli->value[CLI_NAME_PREFIX])) == 0) &&
              add_count(row, "rate", rate) && add_count(row, "connections_max", connections) &&
              (cli->value[CLI_EXPIRES] == NULL || json_object_set_new(row, "expires_at", json_string(expiry)) == 0);
    json_decref(grants);
    if (!is_good) {
        json_decref(row);
        return cli_no_memory();
    }
    *ret_row = row;
    return CLI_EXIT_DONE;
}

/* ---- new ---- */

/* With --file the row is there, and the token is all that is printed, so that a script can take it. */
static int tell_new(const struct cli *cli, const char *token, json_t *row)
{
    const char *path = cli->value[CLI_FILE];
    if (cli->format != CLI_FORMAT_TABLE) {
        return cli_output_made(cli, json_pack("{s:s, s:O, s:s?}", "token", token, "row", row, "file", path));
    }
    if (path != NULL) {
        cli_output_line(cli, token);
        return CLI_EXIT_DONE;
    }
    char *text = json_dumps(row, JSON_COMPACT);
    if (text == NULL) {
        return cli_no_memory();
    }
    fprintf(cli->out, "token  %s\nrow    %s\n", token, text);
    free(text);
    return CLI_EXIT_DONE;
}

static int make_new(struct cli *cli)
{
    char token[TROUPE_CLIENT_TOKEN_CAP];
    char why[4096];
    json_t *row = NULL;
    const char *id = cli->value[CLI_ID];
    if (id == NULL || !is_id(id)) {
        cli_complain(id == NULL ? "which token? Give it an --id, by which logs and its row name it, such as --id web"
                                : "--id is 1 to 64 of the characters A-Z a-z 0-9 _ . -");
        return CLI_EXIT_USAGE;
    }
    int code = check_grants(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (troupe_client_token_make(token) != 0) {
        cli_complain("cannot make a token: the system gives no random bytes");
        return CLI_EXIT_LOCAL;
    }
    code = make_row(cli, token, &row);
    if (code == CLI_EXIT_DONE && cli->value[CLI_FILE] != NULL) {
        int rc = token_file_add(cli->value[CLI_FILE], row, why, sizeof why);
        if (rc != 0) {
            cli_complain("%s", why);
            code = rc == TROUPE_E_INVALID ? CLI_EXIT_USAGE : CLI_EXIT_LOCAL;
        }
    }
    code = code != CLI_EXIT_DONE ? code : tell_new(cli, token, row);
    json_decref(row);
    return code;
}

/* ---- hash ---- */

static int print_hash(struct cli *cli)
{
    char hash[TROUPE_CLIENT_HASH_CAP];
    char text[TROUPE_CLIENT_TOKEN_BYTES_MAX + 3];
    if (isatty(STDIN_FILENO)) {
        fputs("The token, then Enter: ", stderr);
    }
    if (fgets(text, sizeof text, stdin) == NULL) {
        text[0] = '\0';
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (!troupe_client_token_is_valid(text)) {
        cli_complain("standard input has no token: one line of 1 to %d visible ASCII characters",
                     TROUPE_CLIENT_TOKEN_BYTES_MAX);
        return CLI_EXIT_USAGE;
    }
    int code = hash_token(text, hash);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (cli->format == CLI_FORMAT_TABLE) {
        cli_output_line(cli, hash);
        return CLI_EXIT_DONE;
    }
    return cli_output_made(cli, json_pack("{s:s}", "sha256", hash));
}

static int run(struct cli *cli)
{
    if (strcmp(cli->arg[0], "new") == 0) {
        return make_new(cli);
    }
    if (strcmp(cli->arg[0], "hash") == 0) {
        return print_hash(cli);
    }
    cli_complain("'%s' is nothing that can be done with a token; choose new or hash (a token itself is never an "
                 "argument: others could read it)",
                 strncmp(cli->arg[0], "tt_", 3) == 0 ? "tt_..." : cli->arg[0]);
    return CLI_EXIT_USAGE;
}

static const struct cli_option_use options[] = {
    {CLI_ID, "ID", "What the row and the log call the token"},
    {CLI_GRANT, "GRANT", "What it may do, such as read or message:counter/*:add; may be given again"},
    {CLI_SUBJECT, "TEXT", "Who it stands for, as behaviors see it (default its id)"},
    {CLI_NAME_PREFIX, "TEXT", "What the names begin with that it may give to actors"},
    {CLI_RATE, "N", "How many requests a second it may make; 0 for no limit"},
    {CLI_CONNECTIONS, "N", "How many sessions and streams it may have open; 0 for no limit"},
    {CLI_EXPIRES, "TIME", "When it ends: 12h or 30d from now, or a moment such as 2030-01-31T12:00:00Z"},
    {CLI_FILE, "FILE", "Add the row to this token file, and print the token only"},
    {CLI_OUTPUT, "table|json|yaml", "The form of the output"},
    {.text = NULL},
};

const struct cli_command cmd_token = {
    .name = "token",
    .usage = "new|hash",
    .summary = "Make a token for clients of a node, or the hash of one",
    .text = "new prints the token, which is shown this once, and the row for the token file of the node. hash reads a "
            "token from standard input. Example: troupe token new --id web --grant read --file tokens.json",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_WORD,
    .words = "new|hash",
    .is_local = true,
    .options = options,
    .run = run,
};
