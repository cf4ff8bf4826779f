/* SPDX-License-Identifier: Apache-2.0
 *
 * See timers.h. */
#include "timers.h"

#include <string.h>

#define PROBES_MAX 4096u
#define LIST_MAX 64u
#define LATE_MS 2u

struct probe {
    uint32_t owner, target;
    uint64_t deadline_ms;
    bool over;
};

static struct probe probes[PROBES_MAX];
static uint32_t probes_count, probes_from;

void timers_init(void) { probes_count = probes_from = 1; }

/* ---- timers ---- */

static void send_later(troupe_ctx *ctx, uint32_t self)
{
    uint32_t i = model_add_timer(), mode = chaos_below(ctx, 4);
    uint64_t delay_ms = chaos_below(ctx, 3) == 0   ? chaos_below(ctx, 3)
                        : chaos_below(ctx, 3) != 0 ? chaos_below(ctx, 100)
                                                   : chaos_below(ctx, 100000);
    struct model_timer timer = {.owner = self, .what = TROUPE_TIMER_MESSAGE, .due_ms = sim_now_ms() + delay_ms};
    uint32_t energy = chaos_below(ctx, 3);
    troupe_body body = chaos_body(troupe_random(ctx), self, 0, energy, 0, i);
    int rc;

    if (mode == 0) {
        timer.period_ms = 5 + delay_ms;
        timer.due_ms = sim_now_ms() + timer.period_ms;
        timer.missed = chaos_below(ctx, 2) ? TROUPE_EVERY_SKIP : TROUPE_EVERY_BURST;
        rc = troupe_timer_every(ctx, timer.period_ms, timer.missed, "tick", body, &timer.id);
    } else if (mode == 1) {
        rc = troupe_timer_at(ctx, timer.due_ms, "tick", body, &timer.id);
    } else {
        rc = troupe_timer_after(ctx, delay_ms, "tick", body, &timer.id);
    }
    timer.over = rc != 0;
    model.timers.at[i] = timer;
}

/* End somebody later, perhaps oneself. */
static void end_later(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    uint32_t i = model_add_timer();
    uint64_t delay_ms = chaos_below(ctx, 200);
    bool kills = chaos_below(ctx, 2) != 0;
    struct model_actor *target = model_actor_at(to);
    struct model_timer timer = {.owner = self,
                                .target = to,
                                .what = kills ? TROUPE_TIMER_KILL : TROUPE_TIMER_STOP,
                                .due_ms = sim_now_ms() + delay_ms};
    int rc = kills ? troupe_kill_after(ctx, target->ref, delay_ms, &timer.id)
                   : troupe_exit_after(ctx, target->ref, delay_ms, "chaos: time is up", &timer.id);

    sim_event("end later", self, to, (uint64_t)(int64_t)rc);
    timer.over = rc != 0;
    model.timers.at[i] = timer;
    if (rc == 0 && kills)
        target->kill_later = true;
    else if (rc == 0)
        target->stop_later = true;
}

/* Every timer in the list is one that runs. */
static void look(troupe_ctx *ctx, uint32_t self)
{
    static troupe_timer list[LIST_MAX];
    uint32_t count = troupe_timer_list(ctx, list, LIST_MAX);

    for (uint32_t k = 0; k < count && k < LIST_MAX; k++) {
        uint32_t i = model.timers_from;
        while (i < model.timers.count && (model.timers.at[i].owner != self || model.timers.at[i].id != list[k].id))
            i++;
        if (list[k].from_outside)
            continue;
        const struct model_timer *timer = &model.timers.at[i];
        if (i == model.timers.count || timer->what != list[k].what || timer->period_ms != list[k].period_ms ||
            (timer->over && timer->due_ms > sim_now_ms()))
            sim_fail("actor %u lists a timer that it has not set, or has cancelled", self);
    }
}

void timers_act(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    if (chaos_below(ctx, 16) == 0)
        end_later(ctx, self, to);
    else if (chaos_below(ctx, 16) == 0)
        look(ctx, self);
    else
        send_later(ctx, self);
}

void timers_cancel(troupe_ctx *ctx, uint32_t self)
{
    for (uint32_t i = model.timers_from; i < model.timers.count; i++) {
        struct model_timer *timer = &model.timers.at[i];
        if (timer->owner != self || timer->over || timer->from_outside || chaos_below(ctx, 2) == 0)
            continue;
        int rc = troupe_timer_cancel(ctx, timer->id);
        bool has_come = timer->what != TROUPE_TIMER_MESSAGE && sim_now_ms() >= timer->due_ms;
        if (rc != 0 && !chaos_revoked(self) && !has_come)
            sim_fail("actor %u cannot cancel its timer %u: %s", self, i, troupe_error_lookup(rc)->code);
        timer->over = true;
        if (troupe_timer_cancel(ctx, timer->id) != TROUPE_E_NOT_FOUND && !chaos_revoked(self))
            sim_fail("actor %u could cancel its timer %u twice", self, i);
        return;
    }
}

bool timers_rest(uint32_t i)
{
    struct model_timer *timer = &model.timers.at[i];
    const struct model_actor *target = model_actor_at(timer->target);

    if (timer->due_ms + LATE_MS > sim_now_ms())
        return true;
    timer->over = true;
    return target->ended || target->state >= TROUPE_STATE_STOPPING || target->waits || target->starting ||
           sim_fail("actor %u was to be ended %llu ms ago by a timer of %u, and lives", timer->target,
                    (unsigned long long)(sim_now_ms() - timer->due_ms), timer->owner);
}

/* ---- probes ---- */

static int on_probed(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    uint32_t self = *(uint32_t *)state;
    struct probe *probe = &probes[reply->tag];

    (void)ctx;
    if (!model_enter(self, "probe answer") || sim_world.failed || !model_may_run(self, "probe answer"))
        return 0;
    sim_event("probed", self, probe->target, (uint64_t)(int64_t)reply->status);
    if (reply->tag == 0 || reply->tag >= probes_count || probe->owner != self || probe->over)
        sim_fail("actor %u got the answer to a probe twice, or to one that is not its own", self);
    else if (reply->status == TROUPE_E_TIMEOUT ? sim_now_ms() < probe->deadline_ms
                                               : reply->status != 0 && reply->status != TROUPE_E_GONE)
        sim_fail("the probe of %u by %u was answered with %s", probe->target, self,
                 troupe_error_lookup(reply->status)->code);
    probe->over = true;
    return 0;
}

void timers_probe(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    uint32_t timeout_ms = chaos_below(ctx, 2) == 0 ? 0 : 1 + chaos_below(ctx, 100);

    if (probes_count == PROBES_MAX)
        return;
    struct probe *probe = &probes[probes_count];
    *probe =
        (struct probe){.owner = self,
                       .target = to,
                       .deadline_ms = sim_now_ms() + (timeout_ms == 0 ? TROUPE_CALL_TIMEOUT_MS_DEFAULT : timeout_ms)};
    int rc = troupe_probe(ctx, model_actor_at(to)->ref, timeout_ms, on_probed, probes_count);
    sim_event("probe", self, to, (uint64_t)(int64_t)rc);
    if (rc == 0 && (to == self || model_actor_at(to)->ended))
        sim_fail("actor %u could probe itself, or one that has ended", self);
    probes_count += rc == 0;
}

bool timers_rest_probes(void)
{
    while (probes_from < probes_count && probes[probes_from].over)
        probes_from++;
    for (uint32_t i = probes_from; i < probes_count; i++) {
        struct probe *probe = &probes[i];
        const struct model_actor *owner = model_actor_at(probe->owner);
        probe->over |= owner->ended;
        if (!probe->over && !owner->waits && !owner->is_suspended && owner->state < TROUPE_STATE_STOPPING)
            return sim_fail("the probe of %u by %u is not answered", probe->target, probe->owner);
    }
    return true;
}
