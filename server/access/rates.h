/* SPDX-License-Identifier: Apache-2.0
 *
 * A rate limit in one atomic word: the generic cell rate algorithm (ITU-T I.371, Turner 1986), which allows what a
 * token bucket allows. The word is the time at which a steady stream at the full rate would have come to its next
 * request. A request is taken when that is no more than a burst ahead of now: the burst is one second's worth.
 *
 * Thread: any. Time is passed in. */
#ifndef TROUPE_SERVER_RATES_H
#define TROUPE_SERVER_RATES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
    _Atomic uint64_t next_ns;    /* zero is a good start */
};

/* Take one of `per_second` (0: no limit). 0, or the ms until there is one; then nothing was taken. */
uint32_t rate_take(struct rate *rate, uint32_t per_second, uint64_t now_ms);

/* Is it as if nothing had been taken lately? */
bool rate_is_idle(const struct rate *rate, uint64_t now_ms);

#endif
