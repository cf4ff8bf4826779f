/* SPDX-License-Identifier: Apache-2.0
 *
 * The topics of the simulation: actors publish; outsiders subscribe, read at once or when they like, and go. What each
 * read must give follows from what was published: event n of actor a has a body that a and n alone decide. */
#ifndef SIM_SUBSCRIBER_H
#define SIM_SUBSCRIBER_H

#include "chaos.h"

/* What the body of an event begins with. */
struct event_body {
    uint32_t actor, size;
    uint64_t seq;
};

void subscriber_init(void);

/* The type of an event, and the epoch of an actor's topic. */
const char *subscriber_type(uint32_t actor, uint64_t seq);
uint64_t subscriber_epoch(uint32_t actor);

/* May this event be out of the ring by now? */
bool subscriber_may_be_lost(uint32_t actor, uint64_t seq);

/* An actor publishes some events. */
void subscriber_publish(troupe_ctx *ctx, uint32_t self);

/* Do something random at a worker that is not parked. */
void subscriber_act(troupe_worker *worker);

/* Judge a system in which nothing is left to do: everybody was told. */
bool subscriber_rest(void);

/* All actors have ended: everybody reads to the end and goes. Thread: no worker is parked. */
bool subscriber_end(void);

#endif
