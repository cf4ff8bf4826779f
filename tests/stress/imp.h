/* SPDX-License-Identifier: Apache-2.0
 *
 * What stress_everything.c and its actors share. */
#ifndef TESTS_STRESS_IMP_H
#define TESTS_STRESS_IMP_H

#include <stdint.h>

#include <troupe/behavior.h>

#define IMP_BOARD 12u
#define IMP_GROUPS 4u

struct troupe_system;

struct imp_world {
    struct troupe_system *system;
    _Atomic uint64_t board[IMP_BOARD]; /* where imps leave their ids: slot << 32 | generation */
    _Atomic int alive;
};

extern struct imp_world imp_world;
extern const char *const imp_groups[IMP_GROUPS]; /* in which imps are */
extern const troupe_behavior imp_behavior;       /* "imp" */
extern const troupe_behavior imp_slow_behavior;  /* "slow": run by blocking workers */

/* One of the board. Thread: any. */
troupe_ref imp_at(uint64_t random);

#endif
