/* SPDX-License-Identifier: Apache-2.0
 *
 * How long to wait before the next try: twice as long each time up to a limit, less a random part of up to a half, so
 * that many clients of a node that restarts do not come back at one moment.
 *
 * Thread: any; pure. */
#ifndef TROUPE_CLIENT_BACKOFF_H
#define TROUPE_CLIENT_BACKOFF_H

#include <stdint.h>

#define TROUPE_BACKOFF_MS_MAX 30000

/* `failures` is how many tries in a row have failed before this one; `random` is any 32 random bits. */
static inline uint32_t troupe__backoff_ms(uint32_t first_ms, unsigned failures, uint32_t random)
{
    uint64_t ms = first_ms;
    for (unsigned i = 0; i < failures && ms < TROUPE_BACKOFF_MS_MAX; i++) {
        ms *= 2;
    }
    ms = ms < TROUPE_BACKOFF_MS_MAX ? ms : TROUPE_BACKOFF_MS_MAX;
    return (uint32_t)(ms - (ms / 2 * random >> 32));
}

#endif
