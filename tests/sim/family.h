/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision in the simulation: what actors do with their children, and the rules. Every actor may be a parent; who
 * lives is taken from the list that the core shows, which is compared with what the model was told. */
#ifndef SIM_FAMILY_H
#define SIM_FAMILY_H

#include "chaos.h"

/* Choose a strategy, once, before there are children. */
void family_supervise(troupe_ctx *ctx, uint32_t self);

/* Terminate, restart or delete one of the children. */
void family_act(troupe_ctx *ctx, uint32_t self);

/* In the init of an actor: may it be started now? */
bool family_born(uint32_t self);

/* A child has ended: is that what its parent is told? */
bool family_told(uint32_t self, uint32_t child, const troupe_child_event *event);

/* After the child function of a parent, whatever it did: compare the lists, and follow the restart of a group. */
void family_settled(troupe_ctx *ctx, uint32_t self, const troupe_child_event *event);

/* May this younger sibling outlive the actor? */
bool family_excuses(uint32_t self, uint32_t sibling);

#endif
