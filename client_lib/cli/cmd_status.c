/* SPDX-License-Identifier: Apache-2.0
 *
 * How the cluster fares, on one screen: what a person asks first, and what a script asks by the exit code. What is told
 * "here" is of the node that was asked. A part that the token may not read is left out; what keeps the node from its
 * work, and nodes that are lost, are trouble. */
#include <stdlib.h>
#include <string.h>

#include "cli/alarms.h"
#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/watch.h"

#define ALARMS_SHOWN 5

struct status {
    struct cli *cli;
    json_t *document; /* owned */
    json_t *trouble;  /* borrowed: a member of it */
    json_t *states;   /* borrowed: a member of it: nodes by state */
    bool out_of_memory;
};

static void set(struct status *status, const char *key, json_t *value)
{
    status->out_of_memory = json_object_set_new(status->document, key, value) != 0 || status->out_of_memory;
}

static void set_from(struct status *status, const char *key, const json_t *document, const char *from)
{
    json_t *value = json_object_get(document, from);
    if (value != NULL) {
        set(status, key, json_incref(value));
    }
}

static void note(struct status *status, const char *text)
{
    status->out_of_memory = json_array_append_new(status->trouble, json_string(text)) != 0 || status->out_of_memory;
}

/* ---- asking ---- */

static int ask_node(struct status *status)
{
    troupe_client_problem problem;
    json_t *node = NULL;
    if (troupe_client_get_document(status->cli->client, "/v1/node", &node, &problem) != 0) {
        return cli_complain_problem(status->cli, &problem, "ask for the status");
    }
    const json_t *stats = json_object_get(node, "stats");
    set_from(status, "cluster", node, "cluster");
    set_from(status, "node", node, "node");
    set_from(status, "api", node, "api");
    set_from(status, "version", node, "version");
    set_from(status, "state", node, "state");
    set_from(status, "uptime_ms", node, "uptime_ms");
    set_from(status, "actors", stats, "actors");
    set_from(status, "memory_bytes", stats, "memory_bytes");
    set_from(status, "alarms", node, "alarms");
    set_from(status, "memory_bytes_max", json_object_get(node, "limits"), "memory_bytes_max");
    json_decref(node);
    return CLI_EXIT_DONE;
}

/* Is the node ready, and if not, why? */
static void ask_ready(struct status *status)
{
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    if (troupe_client_get(status->cli->client, "/readyz", &reply, &problem) != 0) {
        note(status, cli_problem_text(&problem));
    }
    troupe_client_reply_fini(&reply);
}

static bool count_state(void *user, json_t *node)
{
    struct status *status = user;
    const char *state = json_string_value(json_object_get(node, "state"));
    const char *id = json_string_value(json_object_get(node, "node"));
    char text[320];
    state = state != NULL ? state : "unknown";
    json_int_t count = json_integer_value(json_object_get(status->states, state));
    status->out_of_memory =
        json_object_set_new(status->states, state, json_integer(count + 1)) != 0 || status->out_of_memory;
    bool is_fine = strcmp(state, "up") == 0 || strcmp(state, "joining") == 0 || strcmp(state, "starting") == 0 ||
                   strcmp(state, "draining") == 0 || strcmp(state, "left") == 0;
    if (!is_fine) {
        snprintf(text, sizeof text, "node %s is %s", id != NULL ? id : "?", state);
        note(status, text);
    }
    return true;
}

static void ask_nodes(struct status *status)
{
    troupe_client_problem problem;
    if (cli_pages_each(status->cli, troupe_client_nodes, count_state, status, &problem) != 0) {
        note(status, cli_problem_text(&problem));
    }
}

/* A gauge without labels from the text of /metrics; -1: it has none. */
static long long find_metric(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; at != NULL; at = strchr(at, '\n'), at += at != NULL) {
        if (strncmp(at, name, len) == 0 && at[len] == ' ') {
            return strtoll(at + len, NULL, 10);
        }
    }
    return -1;
}

static void ask_metrics(struct status *status)
{
    static const struct {
        const char *key;
        const char *metric;
    } rows[] = {
        {"connections", "troupe_http_connections"}, {"sessions", "troupe_ws_sessions"}, {"streams", "troupe_streams"}};
    troupe_client_reply reply = {0};
    if (troupe_client_get(status->cli->client, "/metrics", &reply, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long long value = find_metric(reply.body, rows[i].metric);
        if (value >= 0) {
            set(status, rows[i].key, json_integer(value));
        }
    }
    troupe_client_reply_fini(&reply);
}

/* ---- telling ---- */

static const char *text_of(const struct status *status, const char *key)
{
    const char *text = json_string_value(json_object_get(status->document, key));
    return text != NULL ? text : "-";
}

static void print_count(const struct status *status, const char *label, const char *key)
{
    const json_t *value = json_object_get(status->document, key);
    if (json_is_integer(value)) {
        fprintf(status->cli->out, "%-11s  %" JSON_INTEGER_FORMAT " here\n", label, json_integer_value(value));
    }
}

static void print_states(const struct status *status)
{
    const char *state;
    json_t *count;
    const char *between = "";
    fprintf(status->cli->out, "%-11s  ", "nodes");
    json_object_foreach(status->states, state, count)
    {
        char clean[128];
        cli_clean_copy(clean, sizeof clean, state);
        const char *colour = status->cli->has_colour ? colour_of(clean) : "";
        fprintf(status->cli->out, "%s%" JSON_INTEGER_FORMAT " %s%s%s", between, json_integer_value(count), colour,
                clean, colour_end(colour));
        between = ", ";
    }
    fputs(between[0] == '\0' ? "-\n" : "\n", status->cli->out);
}

static void print_memory(const struct status *status)
{
    const json_t *used = json_object_get(status->document, "memory_bytes");
    const json_t *max = json_object_get(status->document, "memory_bytes_max");
    char used_text[32];
    char max_text[32];
    if (json_is_integer(used) && json_is_integer(max)) {
        cli_bytes_format((uint64_t)json_integer_value(used), used_text, sizeof used_text);
        cli_bytes_format((uint64_t)json_integer_value(max), max_text, sizeof max_text);
        fprintf(status->cli->out, "%-11s  %s of %s here\n", "memory", used_text, max_text);
    }
}

/* They tell of actors, not of the node: they are no trouble of its own. */
static void print_alarms(const struct status *status)
{
    char line[2048];
    const json_t *alarms = json_object_get(status->document, "alarms");
    for (size_t i = 0; i < json_array_size(alarms) && i < ALARMS_SHOWN; i++) {
        alarms_format(json_array_get(alarms, i), line, sizeof line);
        fprintf(status->cli->out, "%-11s  ", i == 0 ? "alarms" : "");
        cli_output_line(status->cli, line);
    }
    if (json_array_size(alarms) > ALARMS_SHOWN) {
        fprintf(status->cli->out, "%-11s  ... %zu more; 'troupe status -o json' has them all\n", "",
                json_array_size(alarms) - ALARMS_SHOWN);
    }
}

static void print_trouble(const struct status *status)
{
    size_t i;
    json_t *text;
    const char *bad = status->cli->has_colour ? COLOUR_BAD : "";
    const char *good = status->cli->has_colour ? COLOUR_GOOD : "";
    const char *end = status->cli->has_colour ? COLOUR_END : "";
    json_array_foreach(status->trouble, i, text)
    {
        char clean[2048];
        cli_clean_copy(clean, sizeof clean, json_string_value(text));
        fprintf(status->cli->out, "%-11s  %s%s%s\n", i == 0 ? "trouble" : "", bad, clean, end);
    }
    if (json_array_size(status->trouble) == 0) {
        fprintf(status->cli->out, "%-11s  %snone%s\n", "trouble", good, end);
    }
}

static void print_text(const struct status *status)
{
    char line[1024];
    char uptime[32];
    const json_t *uptime_ms = json_object_get(status->document, "uptime_ms");
    cli_duration_format(json_is_integer(uptime_ms) ? json_integer_value(uptime_ms) : -1, uptime, sizeof uptime);
    snprintf(line, sizeof line, "%-11s  %s", "cluster", text_of(status, "cluster"));
    cli_output_line(status->cli, line);
    snprintf(line, sizeof line, "%-11s  %s at %s, version %s, up %s", "asked", text_of(status, "node"),
             text_of(status, "api"), text_of(status, "version"), uptime);
    cli_output_line(status->cli, line);
    print_states(status);
    print_count(status, "actors", "actors");
    print_count(status, "sessions", "sessions");
    print_count(status, "streams", "streams");
    print_count(status, "connections", "connections");
    print_memory(status);
    print_alarms(status);
    print_trouble(status);
}

static int tell(struct status *status)
{
    bool is_healthy = json_array_size(status->trouble) == 0;
    int code = CLI_EXIT_DONE;
    set(status, "healthy", json_boolean(is_healthy));
    if (status->out_of_memory) {
        return cli_no_memory();
    }
    if (status->cli->format == CLI_FORMAT_TABLE) {
        print_text(status);
    } else {
        code = cli_output_document(status->cli, status->document);
    }
    return code != CLI_EXIT_DONE || is_healthy ? code : CLI_EXIT_NO;
}

static int answer(struct cli *cli)
{
    struct status status = {.cli = cli};
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    status.document = json_pack("{s:{}, s:[]}", "nodes", "trouble");
    if (status.document == NULL) {
        return cli_no_memory();
    }
    status.states = json_object_get(status.document, "nodes");
    status.trouble = json_object_get(status.document, "trouble");
    code = ask_node(&status);
    if (code == CLI_EXIT_DONE) {
        ask_ready(&status);
        ask_nodes(&status);
        ask_metrics(&status);
        code = tell(&status);
    }
    json_decref(status.document);
    return code;
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_status = {
    .name = "status",
    .usage = "",
    .summary = "Show how the cluster fares on one screen",
    .text = "Exits with 0 when all is well, with 1 when there is trouble.",
    .options = options,
    .run = run,
};
