/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof that the simulator of the cluster can find a bug: a build of the registry with eight bugs planted in it
 * (registry/plant.h), of which one at a time is switched on. Each must be found, and nothing when all are off. Speaks
 * TAP.
 *
 *   planted [--plant N] [--seeds COUNT] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/plant.h"
#include "world.h"

enum { SEEDS_DEFAULT = 150, SEEDS_SOUND = 5, FAULTS = 60 };

int registry_plant;

/* What each number means, see the places in the registry. */
static const char *const plants[] = {
    "none",
    "the lease is counted from the answer of a renewal, without margin",
    "names are granted at once after a restart",
    "actors of the registry's own node take names at once after a restart",
    "a call that was given up has an effect when it arrives late",
    "a node that has left comes back",
    "names are not claimed again after a restart",
    "a member that is verified again is told as new",
    "a name that a batch was refused is taken for granted",
};
enum { PLANTS = sizeof plants / sizeof plants[0] };

int main(int argc, char **argv)
{
    uint32_t seeds = SEEDS_DEFAULT;
    unsigned first = 0, last = PLANTS - 1, failures = 0;

    for (int i = 1; i < argc; i += 2) {
        unsigned long number = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
        if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc && number < PLANTS) {
            first = last = (unsigned)number;
        } else if (strcmp(argv[i], "--seeds") == 0 && number > 0) {
            seeds = (uint32_t)number;
        } else {
            fprintf(stderr, "usage: %s [--plant 0..%d] [--seeds COUNT]\n", argv[0], PLANTS - 1);
            return 2;
        }
    }
    printf("1..%u\n", last - first + 1);
    for (unsigned plant = first; plant <= last; plant++) {
        struct world_result result = {.failed = false};
        uint64_t seed = 0, end = plant == 0 ? SEEDS_SOUND : seeds;
        registry_plant = (int)plant;
        while (!result.failed && seed < end)
            world_run(&(struct world_options){.seed = ++seed, .faults = FAULTS}, &result);
        bool ok = result.failed == (plant != 0);
        printf("%s %u - plant %u: %s\n", ok ? "ok" : "not ok", plant - first + 1, plant, plants[plant]);
        if (result.failed)
            printf("# found by seed %llu: %s\n", (unsigned long long)seed, result.text);
        fflush(stdout);
        failures += !ok;
    }
    return failures == 0 ? 0 : 1;
}
