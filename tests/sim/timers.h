/* SPDX-License-Identifier: Apache-2.0
 *
 * What actors do with time: timers of their own, timers that end others, and probes. Those of clients: inspector.h. */
#ifndef SIM_TIMERS_H
#define SIM_TIMERS_H

#include "chaos.h"

/* Set a timer, or one that ends `to`, or look at the list. */
void timers_act(troupe_ctx *ctx, uint32_t self, uint32_t to);
void timers_cancel(troupe_ctx *ctx, uint32_t self);

void timers_probe(troupe_ctx *ctx, uint32_t self, uint32_t to);

/* Judge a system at rest: who was to be ended by a timer has ended; a probe is answered. */
bool timers_rest(uint32_t i);
bool timers_rest_probes(void);

void timers_init(void);

#endif
