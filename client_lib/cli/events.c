/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of events as lines: for people as the command likes them, as NDJSON, or as YAML documents. Each is written
 * out at once, so that a pipe sees it. What happens to the connection is told on standard error, once per loss. */
#include <string.h>

#include "cli/cli.h"
#include "cli/colour.h"

const struct cli_option_use cli_events_options[] = {
    CLI_EVENTS_OPTIONS,
    {.text = NULL},
};

struct follower {
    struct cli *cli;
    const struct cli_stream *stream;
    uint64_t count, limit; /* events; limit 0: all */
    bool was_lost, has_title;
    int code;
};

/* The body as a value: JSON as what it is, anything else as a string. NULL: no memory, or no UTF-8. */
static json_t *read_data(const troupe_client_event *event)
{
    json_t *data = json_loadb(event->data, event->data_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return data != NULL ? data : json_stringn(event->data, event->data_len);
}

/* A text as a value; one that is no UTF-8, which a node does not send, as null. */
static json_t *read_word(const char *word)
{
    json_t *value = json_string(word);
    return value != NULL ? value : json_null();
}

/* One line of NDJSON, or a document of YAML. */
static int print_document(struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    json_t *document =
        json_pack("{s:o, s:o, s:O?}", "id", read_word(event->id), "event", read_word(event->type), "data", data);
    return cli_output_made(cli, document);
}

static void print_event(struct follower *follower, const troupe_client_event *event)
{
    struct cli *cli = follower->cli;
    json_t *data = read_data(event);
    if (cli->format != CLI_FORMAT_TABLE) {
        follower->code = print_document(cli, event, data);
    } else if (event->kind == TROUPE_CLIENT_EVENT) {
        follower->stream->line(cli, event, data);
    }
    json_decref(data);
    if (fflush(cli->out) != 0) {
        follower->code = CLI_EXIT_LOCAL; /* main says why */
    }
}

static void tell_lag(const troupe_client_event *event)
{
    if (event->missed > 0) {
        cli_complain("%lld events were missed: they came faster than they were read, or are no longer kept",
                     (long long)event->missed);
    } else {
        cli_complain("events were missed: they came faster than they were read, or are no longer kept");
    }
}

static void tell_end(const troupe_client_event *event)
{
    json_t *data = read_data(event);
    const char *cause = json_string_value(json_object_get(data, "cause"));
    const char *detail = json_string_value(json_object_get(data, "detail"));
    cli_complain("the actor has ended%s%s%s%s", cause != NULL ? ": " : "", cause != NULL ? cause : "",
                 detail != NULL && detail[0] != '\0' ? ": " : "", detail != NULL ? detail : "");
    json_decref(data);
}

static void tell_loss(struct follower *follower, const troupe_client_event *event)
{
    char wait[32];
    if (event->failures == 0) {
        cli_duration_format(event->wait_ms, wait, sizeof wait);
        cli_complain("the connection to %s is lost: %s; trying again in %s", troupe_client_url(follower->cli->client),
                     cli_problem_text(event->problem), wait);
    }
    follower->was_lost = true;
}

/* Once, when the stream is there. */
static bool print_title(struct follower *follower)
{
    struct cli *cli = follower->cli;
    if (follower->stream->title != NULL && cli->format == CLI_FORMAT_TABLE && !follower->has_title) {
        fprintf(cli->out, "%s%s%s\n", cli->has_colour ? COLOUR_TITLE : "", follower->stream->title,
                cli->has_colour ? COLOUR_END : "");
        follower->code = fflush(cli->out) == 0 ? follower->code : CLI_EXIT_LOCAL; /* main says why */
    }
    follower->has_title = true;
    return follower->code == CLI_EXIT_DONE;
}

static bool on_event(void *user, const troupe_client_event *event)
{
    struct follower *follower = user;
    switch (event->kind) {
    case TROUPE_CLIENT_EVENT_OPEN:
        if (follower->was_lost) {
            cli_complain("connected again");
        }
        follower->was_lost = false;
        return print_title(follower);
    case TROUPE_CLIENT_EVENT_RETRY:
        tell_loss(follower, event);
        return true;
    case TROUPE_CLIENT_EVENT_LAGGED:
        tell_lag(event);
        break;
    case TROUPE_CLIENT_EVENT_DOWN:
        tell_end(event);
        break;
    case TROUPE_CLIENT_EVENT:
        follower->count++;
        break;
    }
    print_event(follower, event);
    const char *last_type = follower->stream->last_type;
    bool is_last = last_type != NULL && event->kind == TROUPE_CLIENT_EVENT && strcmp(event->type, last_type) == 0;
    return follower->code == CLI_EXIT_DONE && !is_last && (follower->limit == 0 || follower->count < follower->limit);
}

int cli_events_print(struct cli *cli, const struct cli_stream *stream)
{
    struct follower follower = {.cli = cli, .stream = stream};
    troupe_client_problem problem;
    int code = cli_count_option(cli, CLI_LIMIT, UINT32_MAX, &follower.limit);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    troupe_client_stream_options options = stream->options;
    options.from = cli->value[CLI_FROM];
    options.after = cli->value[CLI_AFTER];
    options.types = cli->value[CLI_TYPES];
    options.on_event = on_event;
    options.user = &follower;
    cli->is_round = true;
    if (troupe_client_stream(cli->client, &options, &problem) == 0) {
        return follower.code;
    }
    return cli_complain_problem(cli, &problem, "%s", stream->what);
}
