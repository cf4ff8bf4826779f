/* SPDX-License-Identifier: Apache-2.0
 *
 * --watch, and its parts for a command that does more between two rounds than wait. The rules are in watch.c. */
#ifndef TROUPE_CLI_WATCH_H
#define TROUPE_CLI_WATCH_H

#include "cli/cli.h"
#include "cli/screen.h"

struct watch {
    struct cli *cli; /* borrowed */
    struct screen screen;
    uint32_t interval_ms;
    uint64_t round, rounds_max;
    bool is_drawn; /* on a terminal */
    int code;      /* a cli_exit: of the last round */
};

/* Run a command once, or with --watch every few seconds: on a terminal the answer is drawn in place, else each is a
 * document of its own. Returns a cli_exit. */
int cli_watch_run(struct cli *cli, int (*answer)(struct cli *cli));

/* Read --watch and --rounds; complains. Returns a cli_exit. */
TROUPE_MUST_USE int watch_start(struct watch *watch, struct cli *cli);

/* Run `answer`, which writes to cli->out, and show what it wrote. Returns a cli_exit; anything but CLI_EXIT_DONE ends
 * the watch. */
TROUPE_MUST_USE int watch_round(struct watch *watch, int (*answer)(struct cli *cli));

/* Were there as many rounds as --rounds says? */
bool watch_is_over(const struct watch *watch);

/* The options of a command that can be watched. */
#define WATCH_OPTIONS                                                                                                  \
    {CLI_WATCH, "[SECONDS]", "Show it again and again, every 2 seconds unless told"},                                  \
    {                                                                                                                  \
        CLI_ROUNDS, "N", "With --watch: end after this many times"                                                     \
    }

#endif
