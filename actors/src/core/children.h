/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three files of supervision share: children.c (the lists, and what behaviors ask of them), restart.c (who is
 * started again, and when), supervisor.c (events, ends, stops).
 *
 * Thread: the parent's owner. */
#ifndef TROUPE_CORE_CHILDREN_H
#define TROUPE_CORE_CHILDREN_H

#include "core/worker.h"

/* ---- children.c ---- */

static inline bool child_waits(const struct child *child) { return child->restart_wait || child->pending; }

/* Give a child its next incarnation. Fails: as troupe_spawn. */
int troupe__child_respawn(troupe_ctx *ctx, struct child *child, enum child_start start, troupe_ref *ret_ref);

/* Take an incarnation that has ended out of the lists. Its slot is still the parent's. */
void troupe__child_remove(troupe_worker *worker, struct extra *extra, struct actor *actor);

/* The child waits for a start, or no longer does. A backoff that runs is taken back. */
void troupe__child_set_pending(struct extra *extra, struct child *child, bool pending);

/* Does it count for auto_shutdown: does it live, or will it again? */
void troupe__child_set_counted(struct child_list *list, struct child *child, bool counted);

/* Forget a child that does not live. */
void troupe__child_drop(troupe_worker *worker, struct extra *extra, struct child *child);

/* ---- restart.c ---- */

/* Is a child that ended like this to be started again? */
bool troupe__restart_is_wanted(const troupe_system *system, const struct child_list *list, const struct child *child,
                               enum troupe_exit_cause cause);

/* Start a pending child again, alone or with its group; or end this actor when it is one restart too many. */
void troupe__restart(troupe_ctx *ctx, struct child *child);

/* Is this child, which has just ended, one that its group is stopping? */
bool troupe__restart_is_member(const struct child_list *list, uint32_t seq);

/* Go on with the group, as far as it goes now. */
void troupe__restart_proceed(troupe_ctx *ctx);

/* This actor ends: no more of it. */
void troupe__restart_abandon(struct extra *extra);

/* ---- supervisor.c ---- */

/* Tell a child to stop, as the one whose end is awaited. */
void troupe__supervisor_stop(troupe_ctx *ctx, struct actor *actor, bool kill);

#endif
