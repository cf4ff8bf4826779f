/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of the random actors: casts, calls with their continuations, and all the ways to answer or not to. */
#include "chaos.h"

#include <string.h>

/* ---- send ---- */

troupe_body chaos_body(uint64_t random, uint32_t from, uint32_t to, uint32_t energy, uint32_t call, uint32_t timer)
{
    static unsigned char bytes[sizeof(struct note) + 6000];
    uint32_t padding = (random & 7) != 0    ? 0
                       : (random & 56) != 0 ? (uint32_t)(random >> 32) % 400
                                            : (uint32_t)(random >> 32) % 6000;
    struct note note = {.magic = NOTE_MAGIC,
                        .sender = from,
                        .energy = energy,
                        .size = (uint32_t)sizeof note + padding,
                        .call = call,
                        .timer = timer,
                        .sequence = to != 0 ? model_sequence(from, to) : 0};
    memcpy(bytes, &note, sizeof note);
    memset(bytes + sizeof note, 0x5a, padding);
    return troupe_body_bytes(bytes, note.size, (random & 64) != 0 ? "application/x-note" : NULL);
}

void chaos_cast(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy)
{
    troupe_body body = chaos_body(troupe_random(ctx), self, to, energy, 0, 0);

    model_sending(self, to);
    model_sent(self, to, troupe_cast(ctx, model_actor_at(to)->ref, chaos_below(ctx, 2) ? "work" : "note", body));
}

void chaos_flood(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    for (uint32_t i = chaos_below(ctx, 24); i > 0 && !sim_world.failed; i--)
        chaos_cast(ctx, self, to, 0);
}

/* The continuation of every call. Its state's first field is the actor's index, see chaos.c. */
int chaos_on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    uint32_t self = *(uint32_t *)state;

    if (!model_enter(self, "continuation") || sim_world.failed)
        return 0;
    if (reply->kind != TROUPE_MSG_REPLY || reply->tag == 0 || reply->tag >= model.calls.count ||
        model.calls.at[reply->tag].caller != self) {
        sim_fail("actor %u got a reply that is not its own", self);
        return 0;
    }
    const struct model_call *call = &model.calls.at[reply->tag];
    if (model_actor_at(self)->waits && !call->wait)
        sim_fail("actor %u got a reply while it waits for another", self);
    if (reply->status == 0)
        sim_event("reply", self, call->callee, 0);
    model_call_over((uint32_t)reply->tag, reply->status, reply->body, reply->body_len);
    if (chaos_below(ctx, 4) == 0)
        chaos_act(ctx, self, 1);
    return chaos_below(ctx, 60) == 0 ? TROUPE_E_INTERNAL : 0;
}

int chaos_on_starting(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    uint32_t self = *(uint32_t *)state;
    int rc = chaos_on_reply(ctx, state, reply);

    if (sim_world.failed || model_actor_at(self)->ended || !model_actor_at(self)->starting)
        return rc;
    model_actor_at(self)->starting = false;
    if (troupe_started(ctx, chaos_below(ctx, 4) == 0 ? TROUPE_E_INTERNAL : 0) != 0 && !chaos_revoked(self))
        sim_fail("actor %u cannot end its start", self);
    return rc;
}

bool chaos_call(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy, bool wait, troupe_reply_fn then)
{
    static const uint32_t timeouts[] = {0, 1, 3, 20, 200, 3000};
    uint32_t timeout_ms = timeouts[chaos_below(ctx, 6)], id = model_add_call();
    troupe_body body = chaos_body(troupe_random(ctx), self, to, energy, id, 0);
    troupe_ref ref = model_actor_at(to)->ref;

    model.calls.at[id] = (struct model_call){
        .caller = self,
        .callee = to,
        .wait = wait,
        .deadline_ms = sim_now_ms() + (timeout_ms == 0 ? TROUPE_CALL_TIMEOUT_MS_DEFAULT : timeout_ms)};
    model_calling(self, to, id);
    model_sending(self, to);
    int rc = wait ? troupe_call_wait(ctx, ref, "work", body, timeout_ms, then, id)
                  : troupe_call(ctx, ref, "work", body, timeout_ms, then, id);
    model_sent(self, to, rc);
    if (rc != 0)
        model.calls.at[id].over = model.calls.at[id].refused = true;
    else if (wait)
        model_actor_at(self)->waits = true;
    return rc == 0;
}

void chaos_call_wait(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t energy)
{
    bool waits = model_actor_at(self)->waits, took = chaos_call(ctx, self, to, energy, true, chaos_on_reply);

    if (took && (waits || to == self))
        sim_fail("actor %u may wait %s", self, waits ? "twice" : "for itself");
}

/* ---- answers ---- */

static int answer_now(troupe_ctx *ctx, const struct note *note)
{
    enum model_answer before;
    int rc;

    switch (chaos_below(ctx, 8)) {
    case 0:
        before = model_answering(note->call, MODEL_REFUSED);
        rc = troupe_reply_error(ctx, TROUPE_E_LIMIT, "chaos: no");
        break;
    case 1:
        before = model_answering(note->call, MODEL_APP_REFUSED);
        rc = troupe_reply_app_error(ctx, "chaos", 409, "chaos: no");
        break;
    default:
        before = model_answering(note->call, MODEL_REPLIED);
        rc = troupe_reply(ctx, troupe_body_bytes(note, sizeof *note, NULL));
        break;
    }
    if (model_answered(note->call, before, rc) && rc == 0 && chaos_below(ctx, 8) == 0 &&
        troupe_reply(ctx, troupe_body_none()) == 0)
        sim_fail("call %u could be answered twice in one turn", note->call);
    return rc;
}

int chaos_answer(troupe_ctx *ctx, uint32_t self, const struct note *note)
{
    struct model_actor *actor = model_actor_at(self);
    uint32_t free_place = MODEL_KEPT_MAX;

    for (uint32_t i = 0; i < MODEL_KEPT_MAX; i++)
        if (actor->kept[i] == 0)
            free_place = i;
    switch (chaos_below(ctx, 10)) {
    case 0:
        return 0; /* no reply */
    case 1:
        return TROUPE_E_INTERNAL;
    case 2:
    case 3:
    case 4:
        if (free_place < MODEL_KEPT_MAX && troupe_reply_keep(ctx, &actor->handles[free_place]) == 0) {
            actor->kept[free_place] = note->call;
            model.calls.at[note->call].answer = MODEL_KEPT;
            if (troupe_reply(ctx, troupe_body_none()) == 0)
                sim_fail("call %u could be answered though its handle was kept", note->call);
        }
        return 0;
    default:
        answer_now(ctx, note);
        return 0;
    }
}

/* Answer one of the kept calls. */
void chaos_answer_kept(troupe_ctx *ctx, uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);
    uint32_t at = chaos_below(ctx, MODEL_KEPT_MAX), id = actor->kept[at];

    if (id == 0)
        return;
    struct note note = {.magic = NOTE_MAGIC, .call = id, .size = sizeof note};
    bool refuse = chaos_below(ctx, 4) == 0;
    troupe_handle handle = actor->handles[at];
    bool was_over = model.calls.at[id].over;
    enum model_answer before = model_answering(id, refuse ? MODEL_REFUSED : MODEL_REPLIED);
    int rc = refuse ? troupe_reply_error_to(ctx, handle, TROUPE_E_LIMIT, "chaos: late no")
                    : troupe_reply_to(ctx, handle, troupe_body_bytes(&note, sizeof note, NULL));
    actor->kept[at] = 0;
    const struct model_call *call = &model.calls.at[id];
    model_answered(id, before, rc);
    if (rc == TROUPE_E_STATE && sim_now_ms() < call->deadline_ms && !was_over &&
        model_actor_at(self)->state < TROUPE_STATE_STOPPING && !model_actor_at(call->caller)->ended)
        sim_fail("the kept handle of call %u is of no use before its deadline", id);
    if (troupe_reply_to(ctx, handle, troupe_body_none()) == 0)
        sim_fail("the kept handle of call %u could be used twice", id);
}
