/* SPDX-License-Identifier: Apache-2.0
 *
 * The outsiders of the simulation: they ask by requests of the worker at hand, as a REST connection does, for calls,
 * spawns, stops, info and monitors; and cast, and give up. */
#ifndef SIM_OUTSIDER_H
#define SIM_OUTSIDER_H

#include "sim.h"

void outsider_init(void);

/* Do something random at a worker that is not parked. */
void outsider_act(troupe_worker *worker);

/* Judge a system in which nothing is left to do: no monitor of one that has ended is open. */
bool outsider_rest_monitors(void);

/* Judge that every request was answered. */
bool outsider_rest(void);

#endif
