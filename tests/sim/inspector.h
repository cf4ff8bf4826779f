/* SPDX-License-Identifier: Apache-2.0
 *
 * Outsiders that look inside actors and intervene: views, suspend and resume, and timers that clients set. */
#ifndef SIM_INSPECTOR_H
#define SIM_INSPECTOR_H

#include "chaos.h"

void inspector_init(void);

/* Do something random at a worker that is not parked. */
void inspector_act(troupe_worker *worker);

/* Is a change of the client's timers of this actor and name under way? */
bool inspector_is_busy(uint32_t target, uint32_t name);

/* Judge a system at rest: the system lane waits for nobody, so all is answered. */
bool inspector_rest(void);

#endif
