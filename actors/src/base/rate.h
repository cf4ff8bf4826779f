/* SPDX-License-Identifier: Apache-2.0
 *
 * How often is too often, and how long to wait: the restart window of a supervisor and backoff with jitter. Time is
 * passed in; nothing here reads a clock. */
#ifndef TROUPE_BASE_RATE_H
#define TROUPE_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include <troupe/limits.h>

#include "base/rng.h"

/* At most `max` events in `period_ns`: a ring of the last times (Erlang's supervisor: add_restart). */
struct restart_window {
    uint32_t max;      /* 1..TROUPE_RESTARTS_MAX; 0 means that no restart is allowed */
    uint32_t count;    /* events remembered */
    uint32_t next;     /* where the next time goes */
    uint64_t period_ns;
    uint64_t times[TROUPE_RESTARTS_MAX];
};

static inline void restart_window_init(struct restart_window *window, uint32_t max, uint64_t period_ns)
{
    *window = (struct restart_window){.max = max, .period_ns = period_ns};
}

/* Note an event. False when it is one too many within the period. */
static inline bool restart_window_add(struct restart_window *window, uint64_t now_ns)
{
    if (window->max == 0)
        return false;
    bool full = window->count == window->max;
    uint64_t oldest = full ? window->times[window->next] : 0;
    window->times[window->next] = now_ns;
    window->next = (window->next + 1) % window->max;
    if (!full) {
        window->count++;
        return true;
    }
    return now_ns - oldest > window->period_ns;
}

/* The delay before attempt number `attempt` (0, 1, ...): min doubled each time up to max, of which the upper half is
 * random, so that those who failed together do not come back together. */
static inline uint64_t backoff_delay_ns(struct rng *rng, uint32_t min_ms, uint32_t max_ms, uint32_t attempt)
{
    uint64_t delay_ms = min_ms;
    if (max_ms < min_ms)
        max_ms = min_ms;
    for (uint32_t i = 0; i < attempt && delay_ms < max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > max_ms)
        delay_ms = max_ms;
    if (delay_ms == 0)
        return 0;
    uint64_t delay_ns = delay_ms * 1000000u;
    return delay_ns / 2 + rng_next(rng) % (delay_ns / 2 + 1);
}

#endif
