/* SPDX-License-Identifier: Apache-2.0
 *
 * The actors of the simulation: in every turn something random, out of everything that a behavior can do. Each tells
 * the model what it did and what came of it. A message carries energy, which its children share, so that no storm
 * lasts; when the driver sends no more, the system comes to rest. */
#include "aside.h"
#include "family.h"
#include "follow.h"
#include "groups.h"

#include <string.h>

#define BIG_STATE_BYTES 200u

struct state {
    uint32_t self; /* index in the model; 0 until init ran */
    uint32_t unused;
    void *block; /* memory of its own, freed by fini */
};

/* ---- the functions of the behavior ---- */

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;
    struct birth birth;
    uint32_t self = model_actor_of(troupe_self(ctx));
    struct model_actor *actor = model_actor_at(self);

    if (state->self != 0 || state->block != NULL || args->kind != TROUPE_MSG_ARGS || args->body_len != sizeof birth)
        sim_fail("init of actor %u got a used state, or no args", self);
    state->self = self;
    if (!model_enter(self, "init") || sim_world.failed)
        return TROUPE_E_INTERNAL;
    if (actor->inited)
        sim_fail("init of actor %u ran twice", self);
    memcpy(&birth, args->body, sizeof birth);
    actor->inited = true;
    chaos_born(self, model_find(troupe_parent(ctx)), &birth);
    if (!family_born(self))
        return TROUPE_E_INTERNAL;
    troupe_view name = troupe_self_name(ctx);
    if (birth.name != 0 && !troupe_view_equal(name, sim_name(birth.name - 1)))
        sim_fail("actor %u was not given its name", self);
    if (birth.name != 0)
        model_name_taken(self, birth.name - 1);

    if (chaos_below(ctx, 4) == 0) {
        state->block = troupe_alloc(100 + chaos_below(ctx, 3000));
        if (state->block == NULL)
            return TROUPE_E_NO_MEMORY;
    }
    switch (chaos_below(ctx, 24)) {
    case 0:
        return troupe_fail(ctx, TROUPE_E_APP, "chaos: init failed");
    case 1:
        if (chaos_call(ctx, self, chaos_target(ctx), 2, false, chaos_on_starting))
            actor->starting = true;
        return actor->starting ? TROUPE_STARTING : 0;
    default:
        if (chaos_below(ctx, 3) == 0)
            chaos_act(ctx, self, 3);
        return 0;
    }
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    uint32_t self = state->self;
    struct note note = {0};

    if (!model_enter(self, "receive") || sim_world.failed)
        return 0;
    if (!troupe_ref_equal(troupe_self(ctx), model_actor_at(self)->ref) || troupe_now_ms(ctx) != sim_now_ms())
        sim_fail("actor %u was run with the state or the time of another", self);
    if (msg->kind == TROUPE_MSG_WRITABLE) {
        model_writable(self, model_actor_of(msg->from));
        return 0;
    }
    if (msg->kind == TROUPE_MSG_EVENT || msg->kind == TROUPE_MSG_GROUP) {
        follow_told(self, msg);
        return 0;
    }
    if (msg->body_len >= sizeof note)
        memcpy(&note, msg->body, sizeof note);
    if (!groups_resolve(self, &note, msg->kind))
        return 0;
    bool ok;
    if (!aside_comes_again(self, &note, &ok))
        ok = note.timer != 0 ? model_timer_fired(self, &note, msg) : model_received(self, &note, msg);
    if (!ok)
        return 0;
    aside_release(ctx, self);
    if (aside_postpone(ctx, self, &note))
        return 0;
    if (chaos_below(ctx, 50) == 0)
        sim_world.turn_ns += 200000; /* a long turn, for the clock that measures them */
    int rc = msg->kind == TROUPE_MSG_CALL ? chaos_answer(ctx, self, &note) : 0;
    uint32_t actions = note.energy == 0 ? 0 : 1 + chaos_below(ctx, 2);
    for (uint32_t i = 0; i < actions && !sim_world.failed; i++)
        chaos_act(ctx, self, note.energy - 1);
    if (rc == 0 && chaos_below(ctx, 40) == 0)
        rc = troupe_fail(ctx, TROUPE_E_APP, "chaos: failed");
    if (note.call != 0)
        model_turn_over(note.call);
    return rc;
}

static int down(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    struct state *state = memory;

    if (model_enter(state->self, "down") && !sim_world.failed && model_down(state->self, event) &&
        chaos_below(ctx, 4) == 0)
        chaos_act(ctx, state->self, 2);
    return chaos_below(ctx, 40) == 0 ? TROUPE_E_INTERNAL : 0;
}

static int child(troupe_ctx *ctx, void *memory, const troupe_child_event *event)
{
    struct state *state = memory;

    if (model_enter(state->self, "child") && !sim_world.failed && model_child(state->self, event) &&
        chaos_below(ctx, 4) == 0)
        chaos_act(ctx, state->self, 2);
    family_settled(ctx, state->self, event);
    return 0;
}

static void stop(troupe_ctx *ctx, void *memory, const troupe_exit *exit)
{
    struct state *state = memory;
    troupe_ref ref;

    if (!model_enter(state->self, "stop") || sim_world.failed)
        return;
    sim_event("stop cause", state->self, exit->cause, 0);
    struct model_actor *actor = model_actor_at(state->self);
    actor->state = TROUPE_STATE_STOPPING;
    for (uint32_t i = 0; i < SIM_NAMES; i++)
        if ((actor->names & 1u << i) != 0 &&
            (troupe_whereis(ctx, sim_name(i), &ref) != 0 || !troupe_ref_equal(ref, actor->ref)))
            sim_fail("the name n%u of actor %u was gone before its stop hook ran", i, state->self);
    if (chaos_below(ctx, 3) == 0)
        chaos_last_words(ctx, state->self);
}

/* Shown to an operator: who it is. */
static int view(troupe_ctx *ctx, const void *memory)
{
    const struct state *state = memory;

    if (model_actor_at(state->self)->ended || model_actor_at(state->self)->finished)
        sim_fail("the view of actor %u ran after its end", state->self);
    return troupe_reply(ctx, troupe_body_bytes(&state->self, sizeof state->self, "application/x-self"));
}

static void fini(void *memory)
{
    struct state *state = memory;

    model_finished(state->self);
    troupe_free(state->block);
}

/* ---- the tables ---- */

static const troupe_type types[] = {
    {.name = "work", .summary = "a call, or a cast"},
    {.name = "note", .flags = TROUPE_TYPE_CAST, .summary = "a cast"},
    {.name = "tick", .flags = TROUPE_TYPE_CAST, .summary = "a timer"},
};

#define CHAOS(word, bytes, bits)                                                                                       \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "something random", .types = types,         \
                              .types_count = sizeof types / sizeof types[0], .state_bytes = bytes, .flags = bits,      \
                              .init = init, .receive = receive, .down = down, .child = child, .stop = stop,            \
                              .fini = fini, .view = view                                                               \
    }

const troupe_behavior sim_chaos = CHAOS("chaos", sizeof(struct state), TROUPE_BEHAVIOR_WRITABLE);
const troupe_behavior sim_chaos_big = CHAOS("big", BIG_STATE_BYTES, TROUPE_BEHAVIOR_WRITABLE);
const troupe_behavior sim_chaos_trap =
    CHAOS("trap", sizeof(struct state), TROUPE_BEHAVIOR_TRAP_EXIT | TROUPE_BEHAVIOR_WRITABLE);
const troupe_behavior sim_chaos_blocking =
    CHAOS("blocking", sizeof(struct state), TROUPE_BEHAVIOR_BLOCKING | TROUPE_BEHAVIOR_WRITABLE);
