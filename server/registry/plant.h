/* SPDX-License-Identifier: Apache-2.0
 *
 * Planted bugs: places in the registry that can go wrong on purpose, so that a test can show that the simulator finds
 * such bugs (tests/sim_registry/planted.c has the list). Only the build of that test has them; everywhere else the
 * condition is the constant 0 and no code remains. */
#ifndef TROUPE_SERVER_REGISTRY_PLANT_H
#define TROUPE_SERVER_REGISTRY_PLANT_H

#ifdef REGISTRY_PLANT_BUILD
extern int registry_plant;       /* which one is switched on; 0: none. Set once, before the first run */
#define REGISTRY_PLANTED(n) (registry_plant == (n))
#else
#define REGISTRY_PLANTED(n) 0
#endif

#endif
