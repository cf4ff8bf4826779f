/* SPDX-License-Identifier: Apache-2.0
 *
 * The next messages of an actor, as it handles them. The trace ends by itself. Whatever ends this program first
 * (Ctrl-C, a pipe that closes) ends it too: the signal makes a pipe readable, at which the stream ends; then the trace
 * is deleted and the signal takes its course. A second signal does so at once. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/member.h"

#define MESSAGES_MAX 100000 /* of one trace */
#define RESULT_WIDTH 6      /* where a body follows */
#define TITLE "KIND       TYPE              FROM                    BYTES      TIME  RESULT"

static int stop_pipe[2];
static volatile sig_atomic_t caught; /* the signal that came; 0: none */

static void on_signal(int number)
{
    int error = errno;
    caught = number;
    ssize_t rc = write(stop_pipe[1], "", 1); /* the pipe is empty, so this cannot block */
    (void)rc;
    errno = error;
}

static bool catch_signals(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    bool is_good = pipe(stop_pipe) == 0;
    for (size_t i = 0; is_good && i < sizeof ends / sizeof *ends; i++) {
        struct sigaction before;
        is_good = sigaction(ends[i], NULL, &before) == 0;
        if (is_good && before.sa_handler != SIG_IGN) { /* nohup, a shell's & */
            is_good = sigaction(ends[i], &action, NULL) == 0;
        }
    }
    return is_good;
}

/* ---- a line ---- */

static void write_body(const struct cli *cli, const json_t *data, size_t pad)
{
    const json_t *body = json_object_get(data, "body");
    const char *body_text = json_string_value(json_object_get(data, "body_text"));
    char *text = body != NULL ? json_dumps(body, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    const char *shown = text != NULL ? text : body_text;
    if (shown != NULL) {
        fprintf(cli->out, "%*s", (int)pad + 2, "");
        cli_output_clean(cli, shown, strlen(shown));
    }
    free(text);
}

/* How it went: the result, or for an error that was answered its code; an actor that ended may have both. */
static void format_result(const json_t *data, char *out, size_t cap)
{
    char cells[2][CLI_CELL_BYTES];
    bool has_error = json_is_string(json_object_get(data, "error"));
    member_text(data, "result", cells[0]);
    member_text(data, "error", cells[1]);
    bool is_error = has_error && strcmp(cells[0], "error") == 0;
    snprintf(out, cap, "%s%s%s", is_error ? "" : cells[0], has_error && !is_error ? " " : "",
             has_error ? cells[1] : "");
}

static void write_message(const struct cli *cli, const json_t *data)
{
    char cells[5][2 * CLI_CELL_BYTES + 2];
    char clean[5][4 * sizeof cells[0]];
    char time[32];
    bool has_actor = json_is_string(json_object_get(data, "from"));
    member_text(data, "kind", cells[0]);
    member_text(data, "type", cells[1]);
    member_text(data, has_actor ? "from" : "subject", cells[2]);
    member_count(data, "bytes", cells[3]);
    format_result(data, cells[4], sizeof cells[4]);
    for (size_t i = 0; i < 5; i++) {
        cli_clean_copy(clean[i], sizeof clean[i], cells[i]);
    }
    const json_t *ns = json_object_get(data, "duration_ns");
    cli_nanoseconds_format(json_is_integer(ns) ? json_integer_value(ns) : -1, time, sizeof time);
    bool is_error = json_is_string(json_object_get(data, "error"));
    const char *colour = !cli->has_colour ? "" : is_error ? COLOUR_BAD : colour_of(clean[4]);
    fprintf(cli->out, "%-9s  %-16s  %-20s  %7s  %8s  %s%s%s", clean[0], clean[1], clean[2], clean[3], time, colour,
            clean[4], colour_end(colour));
    size_t len = strlen(clean[4]);
    write_body(cli, data, len < RESULT_WIDTH ? RESULT_WIDTH - len : 0);
    fputc('\n', cli->out);
}

/* That it is done needs no word. */
static void write_end(const struct cli *cli, const json_t *data)
{
    const char *reason = json_string_value(json_object_get(data, "reason"));
    reason = reason != NULL ? reason : "unknown";
    if (strcmp(reason, "done") == 0) {
        return;
    }
    bool is_replaced = strcmp(reason, "replaced") == 0;
    bool is_stopped = strcmp(reason, "stopped") == 0;
    cli_complain("the trace of %s is over: %s", cli->arg[0],
                 is_replaced                    ? "another has begun"
                 : is_stopped                   ? "somebody ended it"
                 : strcmp(reason, "ended") == 0 ? "the actor has ended"
                                                : reason);
}

static void line(const struct cli *cli, const troupe_client_event *event, const json_t *data)
{
    if (strcmp(event->type, "message") == 0) {
        write_message(cli, data);
    } else if (strcmp(event->type, "end") == 0) {
        write_end(cli, data);
    }
}

/* ---- the trace ---- */

static int trace(struct cli *cli, uint32_t messages)
{
    char what[CLI_CELL_BYTES];
    const char *ref = cli->arg[0];
    troupe_client_problem problem;
    int code = cli_connect(cli);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    if (!catch_signals()) {
        cli_complain("cannot catch signals: %s", strerror(errno));
        return CLI_EXIT_LOCAL;
    }
    if (troupe_client_trace(cli->client, ref, messages, cli->value[CLI_BODIES] != NULL, &problem) != 0) {
        return cli_complain_problem(cli, &problem, "trace %s", ref);
    }
    snprintf(what, sizeof what, "trace %s", ref);
    code = cli_events_print(
        cli,
        &(struct cli_stream){.what = what,
                             .options = {.source = TROUPE_CLIENT_SOURCE_TRACE, .ref = ref, .stop_fd = stop_pipe[0]},
                             .line = line,
                             .last_type = "end",
                             .title = TITLE});
    if ((caught != 0 || code == CLI_EXIT_LOCAL) && troupe_client_trace_end(cli->client, ref, &problem) != 0) {
        code = cli_complain_problem(cli, &problem, "end the trace of %s", ref);
    }
    if (caught != 0) { /* as with any program; a shell's && stops */
        signal(caught, SIG_DFL);
        raise(caught);
    }
    return code;
}

static int run(struct cli *cli)
{
    uint64_t messages = 0;
    int code = cli_count_option(cli, CLI_MESSAGES, MESSAGES_MAX, &messages);
    return code != CLI_EXIT_DONE ? code : trace(cli, (uint32_t)messages);
}

static const struct cli_option_use options[] = {
    {CLI_MESSAGES, "N", "How many messages, up to 100000 (default 100)"},
    {CLI_BODIES, NULL, "Show what is in them too, up to 1 KiB of each"},
    {.text = NULL},
};

const struct cli_command cmd_trace = {
    .name = "trace",
    .usage = "REF",
    .summary = "Show the next messages that an actor handles",
    .text =
        "TIME is how long the actor took; RESULT is ok, kept (a call that it answers later), ended, or the code of the "
        "error that it answered. Ends with the trace; Ctrl-C ends both.",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
