/* SPDX-License-Identifier: Apache-2.0
 *
 * Postponed messages: set aside in order, and handled again before everything newer. */
#ifndef SIM_ASIDE_H
#define SIM_ASIDE_H

#include "chaos.h"

/* Perhaps postpone the message at hand, which the model has taken as received. True: it was; do no more with it. */
bool aside_postpone(troupe_ctx *ctx, uint32_t self, const struct note *note);

/* Perhaps let everything come again. */
void aside_release(troupe_ctx *ctx, uint32_t self);

/* A message has come: is it one that comes again? *ret_ok: as the rules say. */
bool aside_comes_again(uint32_t self, const struct note *note, bool *ret_ok);

/* The next ones to come again may have been dropped: take them out. */
void aside_expire(uint32_t self);

/* Judge an actor at rest: what was released has come again. */
bool aside_rest(uint32_t self);

#endif
