/* SPDX-License-Identifier: Apache-2.0
 *
 * Planted bugs: some places in the core can go wrong on purpose, so that a test can show that the simulator finds such
 * bugs (tests/sim/planted.c has the list). Only the build of that test has them; everywhere else the condition is the
 * constant 0 and no code remains. */
#ifndef TROUPE_BASE_PLANT_H
#define TROUPE_BASE_PLANT_H

#ifdef TROUPE_PLANT_BUILD
extern int troupe__plant; /* which one is switched on; 0: none. Set once, before the first system is made */
#define TROUPE_PLANTED(n) (troupe__plant == (n))
#else
#define TROUPE_PLANTED(n) 0
#endif

#endif
