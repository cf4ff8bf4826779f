/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator's command line: many seeds, each run twice. Speaks TAP.
 *
 *   sim [--seed FIRST] [--seeds COUNT] [--steps N] [--trace] [--terse]
 *
 * A seed that fails is printed with the command that repeats it. Exit code: 0 all passed, 1 a seed failed, 2 usage. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_DEFAULT 200u
#define STEPS_DEFAULT 1500u

struct arguments {
    uint64_t first;
    uint32_t seeds;
    bool terse; /* print the seeds that fail alone */
    struct sim_options options;
};

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            arguments->options.trace = true;
            continue;
        }
        if (strcmp(argv[i], "--terse") == 0) {
            arguments->terse = true;
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
        else if (strcmp(argv[i], "--steps") == 0)
            arguments->options.steps = (uint32_t)number;
        else
            return false;
        i++;
    }
    return arguments->seeds > 0;
}

static bool run_twice(struct sim_options *options, struct sim_result *first)
{
    struct sim_result second;

    sim_run(options, first);
    if (first->failed)
        return false;
    sim_run(options, &second);
    if (!second.failed && second.signature == first->signature &&
        memcmp(&second.stats, &first->stats, sizeof second.stats) == 0)
        return true;
    first->failed = true;
    snprintf(first->text, sizeof first->text, "the second run differs: signature %016llx, then %016llx%s%.200s",
             (unsigned long long)first->signature, (unsigned long long)second.signature, second.failed ? ", " : "",
             second.text);
    return false;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 1, .seeds = SEEDS_DEFAULT, .options = {.steps = STEPS_DEFAULT}};
    uint32_t failures = 0, same = 0;
    troupe_stats sum = {0};

    if (!read_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "usage: %s [--seed FIRST] [--seeds COUNT] [--steps N] [--trace] [--terse]\n", argv[0]);
        return 2;
    }
    uint64_t *signatures = calloc(arguments.seeds, sizeof *signatures);
    if (signatures == NULL)
        return 2;
    printf("1..%u\n", arguments.seeds + 1);
    for (uint32_t i = 0; i < arguments.seeds; i++) {
        struct sim_result result;
        arguments.options.seed = arguments.first + i;
        bool ok = run_twice(&arguments.options, &result);
        signatures[i] = result.signature;
        if (!ok || !arguments.terse)
            printf("%s %u - seed %llu %016llx\n", ok ? "ok" : "not ok", i + 1,
                   (unsigned long long)arguments.options.seed, (unsigned long long)result.signature);
        if (!ok)
            printf("# %s\n# repeat: %s --seed %llu --seeds 1 --steps %u --trace\n", result.text, argv[0],
                   (unsigned long long)arguments.options.seed, arguments.options.steps);
        fflush(stdout);
        failures += !ok;
        sum.messages += result.stats.messages;
        sum.spawned += result.stats.spawned;
        sum.restarts += result.stats.restarts;
        sum.steals += result.stats.steals;
        sum.turns_inline += result.stats.turns_inline;
    }
    qsort(signatures, arguments.seeds, sizeof *signatures, compare);
    for (uint32_t i = 1; i < arguments.seeds; i++)
        same += signatures[i] == signatures[i - 1];
    /* A scenario that no longer does anything would pass every check above. */
    bool lively = arguments.seeds < 20 || (sum.messages > 20u * arguments.seeds && sum.spawned > arguments.seeds &&
                                           sum.restarts > 0 && sum.steals > 0 && sum.turns_inline > 0);
    bool ok = same == 0 && lively;
    printf("%s %u - every seed is an order of its own, and all kinds of things happen\n", ok ? "ok" : "not ok",
           arguments.seeds + 1);
    printf("# %llu messages, %llu actors, %llu restarts, %llu steals, %llu inline turns\n",
           (unsigned long long)sum.messages, (unsigned long long)sum.spawned, (unsigned long long)sum.restarts,
           (unsigned long long)sum.steals, (unsigned long long)sum.turns_inline);
    free(signatures);
    return failures == 0 && ok ? 0 : 1;
}
