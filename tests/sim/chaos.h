/* SPDX-License-Identifier: Apache-2.0
 *
 * What the random actor can do: chaos.c has the behavior's functions, actions.c what they choose from. */
#ifndef SIM_CHAOS_H
#define SIM_CHAOS_H

#include "model.h"

/* The args of every actor, which a restart must give again. */
struct birth {
    uint64_t tag;
    uint32_t restart, policy, messages_max;
    uint32_t name;                   /* 1 + index; 0: none */
    uint32_t trap;
};

/* Tell the model what an actor is. */
void chaos_born(uint32_t self, uint32_t parent, const struct birth *birth);

/* Choose how to spawn an actor. The views in *ret_opts live as long as *ret_birth. random: 64 bits to choose with. */
void chaos_birth(uint64_t random, struct birth *ret_birth, troupe_spawn_opts *ret_opts);

/* Choose an actor, most often a living one; 0 when there is none. */
uint32_t chaos_target(troupe_ctx *ctx);
uint32_t chaos_target_of(uint64_t random);

/* Make a body: a note and some padding. Lives: until the next call. */
troupe_body chaos_body(uint64_t random, uint32_t from, uint32_t to, uint32_t energy, uint32_t call, uint32_t timer);

/* One random action. */
void chaos_act(troupe_ctx *ctx, uint32_t self, uint32_t energy);

/* What may be done in the stop hook. */
void chaos_last_words(troupe_ctx *ctx, uint32_t self);

/* Answer the call at hand in one of the ways that there are, or not at all. Returns what receive should return. */
int chaos_answer(troupe_ctx *ctx, uint32_t self, const struct note *note);

/* Call an actor. False when the call was refused. */
bool chaos_call(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy, bool wait, troupe_reply_fn then);
int chaos_on_starting(troupe_ctx *ctx, void *state, const troupe_msg *reply);

#endif
