/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups in the simulation: actors join, leave, cast to all members and call them. The model knows who is a
 * member, and in which order they came. Who watches a group is in follow.h. */
#ifndef SIM_GROUPS_H
#define SIM_GROUPS_H

#include "chaos.h"

void groups_init(void);
void groups_fini(void);

/* Do something random with a group. */
void groups_act(troupe_ctx *ctx, uint32_t self, uint32_t energy);

/* A message that was sent to a group: fill in what its note cannot say, because it is the same for all. */
bool groups_resolve(uint32_t self, struct note *note, enum troupe_msg_kind kind);

/* The members in the order of their joins; returns how many. */
#define GROUP_MEMBERS_MAX 256u
uint32_t groups_members(uint32_t group, uint32_t *members);
const char *groups_scope(uint32_t group);
const char *groups_name(uint32_t group);

/* While an actor sends to a group: who refused it. */
void groups_dead_letter(troupe_ref to, troupe_ref from, int error);

/* Judge a system at rest: the members are those of the model, and every multi-call has its results. */
bool groups_rest(void);

#endif
