/* SPDX-License-Identifier: Apache-2.0
 *
 * What stress_random.c and its actor share: the counts of what was begun and of what has ended, and the board where
 * actors leave their ids for others. */
#ifndef TESTS_STRESS_ROAMER_H
#define TESTS_STRESS_ROAMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <troupe/system.h>

#define ROAMER_BOARD 128u
#define ROAMER_GROUPS 4u

struct roamer_world {
    _Atomic uint64_t notes, notes_refused, notes_handled, notes_dead; /* casts */
    _Atomic uint64_t calls, calls_over, calls_left;                   /* and probes; left: their caller ended first */
    _Atomic uint64_t group_calls, group_calls_over, group_calls_left;
    _Atomic uint64_t monitors, monitors_over, monitors_left;
    _Atomic uint64_t postponed, timers, events, inits, finis, requests, answers, senders;
    _Atomic uint64_t board[ROAMER_BOARD]; /* slot << 32 | generation */
    _Atomic(const char *) failure;        /* the first rule that was broken */
    _Atomic unsigned asking;              /* threads that still ask */
    _Atomic bool over;
    troupe_system *system;
    uint32_t rounds;
};

extern struct roamer_world roamer_world;
extern const troupe_behavior roamer_behavior;

struct roamer_message {
    uint64_t sender, sequence; /* 0: an outsider */
    uint32_t energy;           /* how far its consequences go */
};

#define ROAMER_COUNT(name) atomic_fetch_add_explicit(&roamer_world.name, 1, memory_order_relaxed)

/* Thread: any. */
void roamer_fail(const char *text);
void roamer_expect(int rc); /* a result that may be */
troupe_ref roamer_at(uint32_t place);
void roamer_show(uint32_t place, troupe_ref ref);

#endif
