/* SPDX-License-Identifier: Apache-2.0
 *
 * The standard behaviors. Each is a page in actors/behaviors/ and an example to copy. */
#ifndef TROUPE_BEHAVIORS_H
#define TROUPE_BEHAVIORS_H

#include <troupe/behavior.h>

extern const troupe_behavior troupe_behavior_echo;    /* answers with what it was sent */
extern const troupe_behavior troupe_behavior_counter; /* a number: add get reset */
extern const troupe_behavior troupe_behavior_kv;      /* a bounded map: put get delete list cas */
extern const troupe_behavior troupe_behavior_topic;   /* publishes what it is sent, as events */
extern const troupe_behavior troupe_behavior_ticker;  /* casts to a target at a period */
extern const troupe_behavior troupe_behavior_relay;   /* passes everything on to another actor */
extern const troupe_behavior troupe_behavior_door;    /* a door with a code lock: a state machine */
extern const troupe_behavior troupe_behavior_pool;    /* passes jobs to workers, see troupe/pool.h */
extern const troupe_behavior troupe_behavior_webhook; /* passes every message on to a web server */
extern const troupe_behavior troupe_behavior_supervisor; /* a tree of actors as one document */
extern const troupe_behavior troupe_behavior_faulty;  /* fails, never replies, replies late, floods: for tests */

/* All of them, in the order above; NULL past the end. */
const troupe_behavior *troupe_behaviors_at(unsigned i);

#endif
