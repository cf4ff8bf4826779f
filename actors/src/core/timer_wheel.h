/* SPDX-License-Identifier: Apache-2.0
 *
 * A hierarchical timing wheel (Varghese and Lauck, 1987): six levels of 64 slots, ticks of 1 ms, 2.2 years ahead, with a
 * bitmap of the occupied slots of each level, so that the next deadline is one count of zeros a level.
 *
 * The wheel never reads a clock. An entry is embedded in what waits, so starting and stopping allocates nothing. It
 * never fires early, and at most a tick late as the clock is told. Entries further ahead than the wheel reaches are put
 * at its end and fall again.
 *
 * Threads: none here; who shares a wheel locks it (worker.h). */
#ifndef TROUPE_CORE_TIMER_WHEEL_H
#define TROUPE_CORE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_LEVELS 6
#define WHEEL_SLOT_BITS 6
#define WHEEL_SLOTS 64
#define WHEEL_TICK_NS 1000000u
#define WHEEL_NONE UINT64_MAX

struct actor;

struct wheel_entry {
    struct wheel_entry *next, **link; /* link: what points to this entry; NULL when not in a wheel */
    uint64_t tick;                    /* due from this tick on */
    uint16_t place;                   /* level * 64 + slot */
    struct actor *owner;              /* whose deadline it is; NULL: an outsider's request */
};

struct timer_wheel {
    uint64_t now_tick;
    uint64_t occupied[WHEEL_LEVELS];
    struct wheel_entry *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

static inline bool wheel_entry_is_armed(const struct wheel_entry *entry) { return entry->link != 0; }

/* The first tick at which `deadline_ns` has come. */
static inline uint64_t wheel_tick_of(uint64_t deadline_ns)
{
    return deadline_ns / WHEEL_TICK_NS + (deadline_ns % WHEEL_TICK_NS != 0);
}

/* State: the entry is not armed. A deadline in the past fires at the next tick. */
void troupe__wheel_start(struct timer_wheel *wheel, struct wheel_entry *entry, uint64_t deadline_ns);

/* Legal for an entry that is not armed. */
void troupe__wheel_stop(struct timer_wheel *wheel, struct wheel_entry *entry);

/* Move the time on and take out all entries that are due: a list linked by next, in the order of their ticks. Their
 * link is NULL. Time that goes backwards is ignored. */
struct wheel_entry *troupe__wheel_advance(struct timer_wheel *wheel, uint64_t now_ns);

/* When to advance next, in ns: never after the earliest deadline's tick (perhaps before it, to sort a level down);
 * WHEEL_NONE when the wheel is empty. */
uint64_t troupe__wheel_next_ns(const struct timer_wheel *wheel);

#endif
