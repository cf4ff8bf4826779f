/* SPDX-License-Identifier: Apache-2.0
 *
 * What the random actor can do: chaos.c has the behavior's functions, actions.c what they choose from, messages.c what
 * they send and answer. */
#ifndef SIM_CHAOS_H
#define SIM_CHAOS_H

#include "model.h"

/* The args of every actor, which a restart must give again. */
struct birth {
    uint64_t tag;
    uint32_t restart, policy, messages_max;
    uint32_t name; /* 1 + index; 0: none */
    uint32_t trap, significant;
};

static inline uint32_t chaos_below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

/* It was killed in this very turn, by itself: its context does nothing any more. */
static inline bool chaos_revoked(uint32_t self) { return model_actor_at(self)->kill_asked; }

/* ---- actions.c ---- */

/* Tell the model what an actor is. */
void chaos_born(uint32_t self, uint32_t parent, const struct birth *birth);

/* Choose how to spawn an actor. The views in *ret_opts live as long as *ret_birth. random: 64 bits to choose with. */
void chaos_birth(uint64_t random, struct birth *ret_birth, troupe_spawn_opts *ret_opts);

/* Choose an actor, most often a living one; 0 when there is none. */
uint32_t chaos_target(troupe_ctx *ctx);
uint32_t chaos_target_of(uint64_t random);

/* One random action. */
void chaos_act(troupe_ctx *ctx, uint32_t self, uint32_t energy);

/* What may be done in the stop hook. */
void chaos_last_words(troupe_ctx *ctx, uint32_t self);

/* ---- messages.c ---- */

/* Make a body: a note and some padding. Lives: until the next call. */
troupe_body chaos_body(uint64_t random, uint32_t from, uint32_t to, uint32_t energy, uint32_t call, uint32_t timer);

void chaos_cast(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy);
void chaos_flood(troupe_ctx *ctx, uint32_t self, uint32_t to);

/* Call an actor. False when the call was refused. */
bool chaos_call(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy, bool wait, troupe_reply_fn then);
void chaos_call_wait(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy);

/* The continuation of every call, but of the one that an open start waits for. */
int chaos_on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply);
int chaos_on_starting(troupe_ctx *ctx, void *state, const troupe_msg *reply);

/* Answer the call at hand in one of the ways that there are, or not at all. Returns what receive should return. */
int chaos_answer(troupe_ctx *ctx, uint32_t self, const struct note *note);

/* Answer one of the kept calls. */
void chaos_answer_kept(troupe_ctx *ctx, uint32_t self);

#endif
