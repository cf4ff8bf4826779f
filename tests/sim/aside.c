/* SPDX-License-Identifier: Apache-2.0
 *
 * See aside.h. What may be missing when it is released: a call whose deadline has passed, a timer that was cancelled,
 * and whatever a mailbox may drop that does not refuse. */
#include "aside.h"
#include "inspector.h"

#include <string.h>

static bool counts(const struct model_aside *at)
{
    return at->timer == 0 && !(at->call != 0 && model.calls.at[at->call].group);
}

static bool may_be_missing(const struct model_actor *actor, const struct model_aside *at)
{
    const struct model_call *call = &model.calls.at[at->call];
    const struct model_timer *timer = &model.timers.at[at->timer];

    if (timer->from_outside && (timer->doubtful || inspector_is_busy(timer->owner, timer->name)))
        return true;
    return actor->policy != TROUPE_REFUSE || (at->timer != 0 && timer->over) ||
           (at->call != 0 && (call->over || sim_now_ms() >= call->deadline_ms || call->given_up_ms != 0 ||
                              model_actor_at(call->caller)->ended));
}

/* The first that comes again is taken out of the list. */
static struct model_aside take_first(struct model_actor *actor)
{
    struct model_aside first = actor->again[0];

    memmove(&actor->again[0], &actor->again[1], --actor->again_count * sizeof first);
    if (counts(&first) && actor->aside_queued > 0) {
        actor->aside_queued--;
        actor->queued -= actor->queued > 0;
    }
    return first;
}

static void forget_first(struct model_actor *actor)
{
    struct model_aside first = take_first(actor);

    if (first.call != 0 && model.calls.at[first.call].answer == MODEL_ASIDE)
        model.calls.at[first.call].answer = MODEL_EXPIRED;
    if (first.timer != 0)
        model.timers.at[first.timer].aside = false;
}

bool aside_postpone(troupe_ctx *ctx, uint32_t self, const struct note *note)
{
    struct model_actor *actor = model_actor_at(self);
    struct model_aside at = {
        .sender = note->sender, .call = note->call, .timer = note->timer, .sequence = note->sequence};

    if (actor->aside_count + actor->again_count >= MODEL_ASIDE_MAX || chaos_below(ctx, 10) != 0)
        return false;
    int rc = troupe_postpone(ctx);
    sim_event("postpone", self, note->sequence, (uint64_t)(int64_t)rc);
    if (rc == TROUPE_E_STATE)
        sim_fail("actor %u cannot postpone the message at hand", self);
    if (rc != 0)
        return false;
    if (note->call != 0 && (troupe_postpone(ctx) == 0 || troupe_reply(ctx, troupe_body_none()) == 0))
        sim_fail("actor %u could answer what it had postponed, or postpone it twice", self);
    actor->aside[actor->aside_count++] = at;
    if (counts(&at)) {
        actor->queued++;
        actor->aside_queued++;
    }
    if (at.call != 0)
        model.calls.at[at.call].answer = MODEL_ASIDE;
    if (at.timer != 0) {
        struct model_timer *timer = &model.timers.at[at.timer];
        timer->aside = true;
        timer->over &= timer->period_ms != 0;
    }
    return true;
}

void aside_release(troupe_ctx *ctx, uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);

    if (actor->aside_count == 0 || chaos_below(ctx, 3) != 0 || chaos_revoked(self))
        return;
    sim_event("release", self, actor->aside_count, actor->again_count);
    troupe_unpostpone(ctx);
    /* What was set aside is older than what is still to come again. */
    memmove(&actor->again[actor->aside_count], &actor->again[0], actor->again_count * sizeof actor->again[0]);
    memcpy(&actor->again[0], &actor->aside[0], actor->aside_count * sizeof actor->aside[0]);
    actor->again_count += actor->aside_count;
    actor->aside_count = 0;
}

bool aside_comes_again(uint32_t self, const struct note *note, bool *ret_ok)
{
    struct model_actor *actor = model_actor_at(self);
    uint32_t at = 0;

    *ret_ok = true;
    while (at < actor->again_count &&
           (actor->again[at].sender != note->sender || actor->again[at].sequence != note->sequence ||
            actor->again[at].call != note->call || actor->again[at].timer != note->timer))
        at++;
    bool is_again = at < actor->again_count;
    for (; at > 0; at--) {
        if (!may_be_missing(actor, &actor->again[0])) {
            *ret_ok = sim_fail("actor %u got a message before one that it had postponed", self);
            return is_again;
        }
        forget_first(actor);
    }
    if (!is_again)
        return false;
    struct model_aside first = take_first(actor);
    sim_event("again", self, first.sequence, first.timer);
    *ret_ok = model_may_run(self, "postponed message");
    if (first.call != 0) {
        if (model.calls.at[first.call].answer != MODEL_ASIDE)
            *ret_ok = sim_fail("call %u came again to actor %u, but was not set aside", first.call, self);
        model.calls.at[first.call].answer = MODEL_OPEN;
    }
    if (first.timer != 0) {
        struct model_timer *timer = &model.timers.at[first.timer];
        if (timer->over)
            *ret_ok = sim_fail("timer %u came again after it was cancelled", first.timer);
        timer->aside = false;
        timer->over = timer->period_ms == 0;
    }
    return true;
}

void aside_expire(uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);

    while (actor->again_count > 0 && may_be_missing(actor, &actor->again[0]))
        forget_first(actor);
}

bool aside_rest(uint32_t self)
{
    const struct model_actor *actor = model_actor_at(self);

    aside_expire(self);
    return actor->again_count == 0 ||
           sim_fail("actor %u rests, and %u messages that it had postponed did not come again", self,
                    actor->again_count);
}
