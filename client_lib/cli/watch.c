/* SPDX-License-Identifier: Apache-2.0
 *
 * --watch: an answer again and again. Each round is written to memory first. On a terminal it is then drawn over the
 * round before (screen.h); on a pipe or in a file it follows it: a table behind an empty line, JSON as one line, YAML
 * as a document of its own. Nothing moves off a terminal.
 *
 * The first round must succeed. A later one that reaches no node is told and tried again at the next; anything else
 * that fails ends the watch. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/watch.h"

/* Show what a round wrote. Returns a cli_exit. */
static int show(struct watch *watch, const char *text, size_t len)
{
    unsigned rows, columns;
    struct cli *cli = watch->cli;
    if (watch->is_drawn) {
        terminal_size(&rows, &columns);
        screen_draw(&watch->screen, text, len, rows, columns, stdout);
    } else {
        if (cli->format == CLI_FORMAT_TABLE && watch->round > 0) {
            putchar('\n');
        }
        fwrite(text, 1, len, stdout);
    }
    return fflush(stdout) == 0 ? CLI_EXIT_DONE : CLI_EXIT_LOCAL; /* main says that it failed, and why */
}

int watch_start(struct watch *watch, struct cli *cli)
{
    *watch = (struct watch){.cli = cli, .interval_ms = CLI_INTERVAL_MS, .rounds_max = UINT64_MAX};
    const char *interval = cli->value[CLI_WATCH];
    if (interval != NULL && interval[0] != '\0' && cli_interval_parse(interval, &watch->interval_ms) != 0) {
        cli_complain("--watch is '%s'; it must be seconds or a time from 100ms to 24h, such as 5 or 500ms", interval);
        return CLI_EXIT_USAGE;
    }
    int code = cli_count_option(cli, CLI_ROUNDS, UINT32_MAX, &watch->rounds_max);
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    watch->rounds_max = watch->rounds_max == 0 ? UINT64_MAX : watch->rounds_max;
    watch->is_drawn = cli->format == CLI_FORMAT_TABLE && terminal_can_draw();
    cli->is_round = true;
    return CLI_EXIT_DONE;
}

int watch_round(struct watch *watch, int (*answer)(struct cli *cli))
{
    struct cli *cli = watch->cli;
    char *text = NULL;
    size_t len = 0;
    cli->out = open_memstream(&text, &len);
    if (cli->out == NULL) {
        cli->out = stdout;
        return cli_no_memory();
    }
    int code = answer(cli);
    bool is_whole = fclose(cli->out) == 0;
    cli->out = stdout;
    if (!is_whole) {
        free(text);
        return cli_no_memory();
    }
    int shown = len > 0 ? show(watch, text, len) : CLI_EXIT_DONE;
    free(text);
    if (shown != CLI_EXIT_DONE) {
        return shown;
    }
    if (code == CLI_EXIT_UNREACHABLE) {
        cli_disconnect(cli);
        watch->screen = (struct screen){0}; /* below the complaint */
    }
    bool is_passing = code == CLI_EXIT_UNREACHABLE && watch->round > 0;
    watch->round++;
    watch->code = code;
    return is_passing || (code == CLI_EXIT_NO && len > 0) ? CLI_EXIT_DONE : code;
}

bool watch_is_over(const struct watch *watch) { return watch->round >= watch->rounds_max; }

int cli_watch_run(struct cli *cli, int (*answer)(struct cli *cli))
{
    struct watch watch;
    if (cli->value[CLI_WATCH] == NULL) {
        if (cli->value[CLI_ROUNDS] == NULL) {
            return answer(cli);
        }
        cli_complain("--rounds goes with --watch");
        return CLI_EXIT_USAGE;
    }
    int code = watch_start(&watch, cli);
    while (code == CLI_EXIT_DONE) {
        code = watch_round(&watch, answer);
        if (code != CLI_EXIT_DONE || watch_is_over(&watch) || terminal_wait(watch.interval_ms) == TERMINAL_QUIT) {
            break;
        }
    }
    return code != CLI_EXIT_DONE ? code : watch.code;
}
