/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks. Only main, node and io read them; the API gets the time with its request.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_CLOCK_H
#define TROUPE_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_now_ms(void)
{
    return clock_now_ns() / 1000000u;
}

/* Time since the machine was started, sleep included: leases count it, so that a machine that was suspended does not
 * believe in a lease that is long over. */
static inline uint64_t clock_boot_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Wall time in ms since 1970. */
static inline uint64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#define CLOCK_TEXT_BYTES 32

/* Write wall time as RFC 3339 with milliseconds: 2026-01-02T03:04:05.678Z */
void clock_format(uint64_t wall_ms, char text[static CLOCK_TEXT_BYTES]);

/* Read RFC 3339, from 1970 on: a date and a time, perhaps a fraction, and Z or an offset. False when it is not that. */
bool clock_parse(const char *text, uint64_t *ret_wall_ms);

#endif
