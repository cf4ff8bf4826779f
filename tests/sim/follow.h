/* SPDX-License-Identifier: Apache-2.0
 *
 * Actors that follow topics of other actors, with filters, and that watch groups. What each event must be follows from
 * what was published; see also subscriber.h, for the outsiders. */
#ifndef SIM_FOLLOW_H
#define SIM_FOLLOW_H

#include "chaos.h"

void follow_init(void);

/* Follow, watch, or give one of both up. */
void follow_act(troupe_ctx *ctx, uint32_t self);

/* TROUPE_MSG_EVENT or TROUPE_MSG_GROUP has come. */
bool follow_told(uint32_t self, const troupe_msg *msg);

/* Judge a system at rest: everybody has read to the end, or cannot now. */
bool follow_rest(void);

#endif
