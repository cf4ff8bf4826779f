/* SPDX-License-Identifier: Apache-2.0
 *
 * The topics of the simulation: actors publish; outsiders subscribe, read at once or when they like, and go. What each
 * read must give follows from what was published: event n of actor a has a body that a and n alone decide. */
#ifndef SIM_SUBSCRIBER_H
#define SIM_SUBSCRIBER_H

#include "chaos.h"

void subscriber_init(void);

/* An actor publishes some events. */
void subscriber_publish(troupe_ctx *ctx, uint32_t self);

/* Do something random at a worker that is not parked. */
void subscriber_act(troupe_worker *worker);

/* Judge a system in which nothing is left to do: everybody was told. */
bool subscriber_rest(void);

/* All actors have ended: everybody reads to the end and goes. Thread: no worker is parked. */
bool subscriber_end(void);

#endif
