/* SPDX-License-Identifier: Apache-2.0
 *
 * The token bucket of a pool, as one number: the time at which the bucket would be full again (the "theoretical arrival
 * time" of the generic cell rate algorithm, ITU-T I.371). A token moves it on by the time that one token takes; there
 * is none when it would lie further ahead than a whole bucket. So nothing is refilled, and nothing can drift. */
#include "pool_inside.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

bool pool_rate_take(troupe_pool *pool, uint64_t now_ms)
{
    const struct pool_config *config = &pool->config;
    if (config->rate_per_second == 0)
        return true;
    uint64_t now_ns = now_ms * NS_PER_MS, token_ns = NS_PER_SECOND / config->rate_per_second;
    uint64_t full_ns = pool->rate_ns > now_ns ? pool->rate_ns : now_ns;
    if (full_ns - now_ns > (uint64_t)(config->rate_burst - 1) * token_ns)
        return false;
    pool->rate_ns = full_ns + token_ns;
    return true;
}
