/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers from a seed that a failing test prints, and inputs that end where their memory ends, so that the
 * address sanitizer sees each byte read past them.
 *
 * TROUPE_TEST_SEED=<number> repeats a run. */
#ifndef TROUPE_TEST_RANDOM_INPUT_H
#define TROUPE_TEST_RANDOM_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t random_seed(void)
{
    const char *text = getenv("TROUPE_TEST_SEED");

    return text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * UINT64_C(2654435761);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline size_t random_below(uint64_t *state, size_t bound) { return (size_t)(random_next(state) % bound); }

/* Copy into a block of exactly this size; the caller frees it. */
static inline char *exact_copy(const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    return copy;
}

#endif
