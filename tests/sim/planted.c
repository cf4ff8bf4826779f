/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof that the simulator can find a bug: a build of the core with twenty-two bugs planted in it (base/plant.h),
 * of which one at a time is switched on. Each must be found within 400 seeds, and nothing when all are off.
 * Speaks TAP.
 *
 *   planted [--plant N] [--seeds COUNT] [--steps N]
 *
 * Each plant has a process of its own: a planted bug may crash the core or hang it, which counts as found. */
#include "sim.h"

#include "base/plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS_DEFAULT 400u
#define STEPS_DEFAULT 1500u
#define SECONDS_MAX 120u

int troupe__plant;

/* What each number means, see the places in the core. */
static const char *const plants[] = {
    "none",
    "a wake-up is lost: a paused actor gets its reply",
    "a down comes after demonitor",
    "a cancelled timer comes when it was on its way already",
    "messages that waited for a pause come behind later ones",
    "a name is not given back at the end",
    "one restart too many is allowed",
    "drain drops the last message",
    "a kept call is not answered at the end",
    "a kill counts as a normal end",
    "the mailbox takes one message too many",
    "a subscriber is not told of the end of its actor",
    "a subscriber that lags is told of one event too few",
    "an outsider's down overtakes an answer",
    "a child that was terminated in its backoff comes back",
    "a group is started again before all of it has ended",
    "a group is started again without waiting for each start",
    "the end of a member leaves all groups but one on the books",
    "a follower is not told of an event until there is one more",
    "the answer to a probe comes while its asker waits for a call",
    "a client's cancelled timer comes when it was on its way already",
    "what came during a suspension stays aside",
    "postponed messages come behind later ones",
};
#define PLANTS (sizeof plants / sizeof plants[0])

struct report {
    bool found;
    uint64_t seed;
    char text[400];
};

/* In the child: run seeds until one fails. */
static void search(int pipe_end, uint32_t seeds, uint32_t steps)
{
    struct report report = {0};

    alarm(SECONDS_MAX);
    for (uint64_t seed = 1; seed <= seeds && !report.found; seed++) {
        struct sim_result result;
        report.seed = seed;
        sim_run(&(struct sim_options){.seed = seed, .steps = steps}, &result);
        report.found = result.failed;
        memcpy(report.text, result.text, sizeof report.text);
    }
    _exit(write(pipe_end, &report, sizeof report) == (ssize_t)sizeof report ? 0 : 3);
}

static struct report try_plant(unsigned plant, uint32_t seeds, uint32_t steps)
{
    struct report report = {0};
    int ends[2], status = 0;

    if (pipe(ends) != 0)
        return report;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        troupe__plant = (int)plant;
        search(ends[1], seeds, steps);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], &report, sizeof report) == (ssize_t)sizeof report;
    close(ends[0]);
    if (child > 0 && waitpid(child, &status, 0) == child && !told) {
        report.found = true;
        snprintf(report.text, sizeof report.text, WIFSIGNALED(status) ? "the core died of signal %d" : "exit code %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return report;
}

int main(int argc, char **argv)
{
    uint32_t seeds = SEEDS_DEFAULT, steps = STEPS_DEFAULT;
    unsigned first = 0, last = PLANTS - 1, failures = 0;

    for (int i = 1; i < argc; i += 2) {
        unsigned long number = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
        if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc && number < PLANTS) {
            first = last = (unsigned)number;
        } else if (strcmp(argv[i], "--seeds") == 0 && number > 0) {
            seeds = (uint32_t)number;
        } else if (strcmp(argv[i], "--steps") == 0 && number > 0) {
            steps = (uint32_t)number;
        } else {
            fprintf(stderr, "usage: %s [--plant 0..%zu] [--seeds COUNT] [--steps N]\n", argv[0], PLANTS - 1);
            return 2;
        }
    }
    printf("1..%u\n", last - first + 1);
    for (unsigned plant = first; plant <= last; plant++) {
        /* Without a plant the sim itself runs all seeds; here a few show that this build is sound. */
        struct report report = try_plant(plant, plant == 0 && seeds > 20 ? 20 : seeds, steps);
        bool ok = report.found == (plant != 0);
        printf("%s %u - plant %u: %s\n", ok ? "ok" : "not ok", plant - first + 1, plant, plants[plant]);
        if (report.found)
            printf("# found by seed %llu: %s\n", (unsigned long long)report.seed, report.text);
        failures += !ok;
    }
    return failures == 0 ? 0 : 1;
}
