/* SPDX-License-Identifier: Apache-2.0 */
#include "access/rates.h"

#define SECOND_NS 1000000000u
#define MS_NS 1000000u

uint32_t rate_take(struct rate *rate, uint32_t per_second, uint64_t now_ms)
{
    if (per_second == 0)
        return 0;
    uint64_t now_ns = now_ms * MS_NS;
    uint64_t period_ns = SECOND_NS / per_second;
    /* Relaxed: the word guards nothing but itself. */
    uint64_t was_ns = atomic_load_explicit(&rate->next_ns, memory_order_relaxed);
    uint64_t next_ns;
    do {
        next_ns = (was_ns > now_ns ? was_ns : now_ns) + period_ns;
        if (next_ns - now_ns > SECOND_NS)
            return (uint32_t)((next_ns - now_ns - SECOND_NS + MS_NS - 1) / MS_NS);
    } while (!atomic_compare_exchange_weak_explicit(&rate->next_ns, &was_ns, next_ns, memory_order_relaxed,
                                                    memory_order_relaxed));
    return 0;
}

bool rate_is_idle(const struct rate *rate, uint64_t now_ms)
{
    return atomic_load_explicit(&rate->next_ns, memory_order_relaxed) <= now_ms * MS_NS;
}
