/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of the cluster's simulator: many seeds, each run twice. Speaks TAP.
 *
 *   sim_registry [--seed FIRST] [--seeds COUNT] [--faults N] [--reuses N] [--trace]
 *
 * A seed that fails is printed with the command that repeats it. Exit code: 0 all passed, 1 a seed failed, 2 usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { SEEDS_DEFAULT = 40, FAULTS_DEFAULT = 60, REUSES_DEFAULT = 10000, REUSES_PER_IMPOSTOR_MAX = 20 };

struct arguments {
    uint64_t first;
    uint32_t seeds, reuses;
    struct world_options options;
};

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            arguments->options.trace = true;
            continue;
        }
        if (i + 1 >= argc)
            return false;
        uint64_t number = strtoull(argv[i + 1], &end, 10);
        if (*argv[i + 1] == '\0' || *end != '\0')
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            arguments->first = number;
        else if (strcmp(argv[i], "--seeds") == 0)
            arguments->seeds = (uint32_t)number;
        else if (strcmp(argv[i], "--reuses") == 0)
            arguments->reuses = (uint32_t)number;
        else if (strcmp(argv[i], "--faults") == 0)
            arguments->options.faults = (uint32_t)number;
        else
            return false;
        i++;
    }
    return arguments->seeds > 0;
}

static bool run_twice(const struct world_options *options, struct world_result *first)
{
    struct world_result second;
    struct world_options quiet = *options;
    quiet.trace = false;
    world_run(options, first);
    if (first->failed)
        return false;
    world_run(&quiet, &second);
    if (!second.failed && second.signature == first->signature &&
        memcmp(&second.stats, &first->stats, sizeof second.stats) == 0)
        return true;
    first->failed = true;
    snprintf(first->text, sizeof first->text, "the second run differs: signature %016llx, then %016llx",
             (unsigned long long)first->signature, (unsigned long long)second.signature);
    return false;
}

static void add(struct world_stats *sum, const struct world_stats *stats)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)stats;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

/* A story in which nothing happens any more would pass every check. */
static bool is_lively(const struct world_stats *sum)
{
    return sum->restarts > 0 && sum->restarts_unmarked > 0 && sum->kills > 0 && sum->reuses > 0 && sum->lost > 0 &&
           sum->refused > 0 && sum->downs > 0 && sum->lefts > 0 && sum->grants > 0 && sum->refusals > 0 &&
           sum->name_losts > 0 && sum->timeouts > 0 && sum->replays > 0 && sum->finds > 0 && sum->wrong_identity > 0 &&
           sum->batches > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 1, .seeds = SEEDS_DEFAULT, .reuses = REUSES_DEFAULT,
                                  .options = {.faults = FAULTS_DEFAULT}};
    struct world_stats sum = {0};
    uint32_t failures = 0;

    if (!read_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "usage: %s [--seed FIRST] [--seeds COUNT] [--faults N] [--reuses N] [--trace]\n", argv[0]);
        return 2;
    }
    printf("1..%u\n", arguments.seeds + 2);
    for (uint32_t i = 0; i < arguments.seeds; i++) {
        struct world_result result;
        arguments.options.seed = arguments.first + i;
        bool ok = run_twice(&arguments.options, &result);
        printf("%s %u - seed %llu %016llx\n", ok ? "ok" : "not ok", i + 1, (unsigned long long)arguments.options.seed,
               (unsigned long long)result.signature);
        if (!ok)
            printf("# %s\n# repeat: %s --seed %llu --seeds 1 --faults %u --trace\n", result.text, argv[0],
                   (unsigned long long)arguments.options.seed, arguments.options.faults);
        fflush(stdout);
        failures += !ok;
        add(&sum, &result.stats);
    }
    bool lively = arguments.seeds < 20 || is_lively(&sum);
    printf("%s %u - all kinds of things happen\n", lively ? "ok" : "not ok", arguments.seeds + 1);
    printf("# %llu steps, %llu restarts (%llu without data), %llu kills, %llu ports reused, %llu times lost, %llu refused, "
           "%llu down, %llu left, %llu names granted, %llu refused, %llu lost, %llu questions timed out, %llu replays "
           "refused, %llu found, %llu impostors\n",
           (unsigned long long)sum.steps, (unsigned long long)sum.restarts, (unsigned long long)sum.restarts_unmarked,
           (unsigned long long)sum.kills, (unsigned long long)sum.reuses, (unsigned long long)sum.lost,
           (unsigned long long)sum.refused, (unsigned long long)sum.downs, (unsigned long long)sum.lefts,
           (unsigned long long)sum.grants, (unsigned long long)sum.refusals, (unsigned long long)sum.name_losts,
           (unsigned long long)sum.timeouts, (unsigned long long)sum.replays, (unsigned long long)sum.finds,
           (unsigned long long)sum.wrong_identity);
    struct world_result reuse;
    world_run_reuse(arguments.first, arguments.reuses, &reuse);
    bool is_safe = !reuse.failed && reuse.stats.wrong_identity > arguments.reuses / REUSES_PER_IMPOSTOR_MAX;
    printf("%s %u - a port that is reused %u times is never taken for the node that had it\n", is_safe ? "ok" : "not ok",
           arguments.seeds + 2, arguments.reuses);
    printf("# %s%llu times another answered there, %llu ends were told\n", reuse.text,
           (unsigned long long)reuse.stats.wrong_identity, (unsigned long long)reuse.stats.downs);
    return failures == 0 && lively && is_safe ? 0 : 1;
}
