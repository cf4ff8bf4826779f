/* SPDX-License-Identifier: Apache-2.0
 *
 * The model's rules for a system at rest: every worker is parked and no deadline is due, so whatever has been promised
 * without a delay must have happened. This is where a lost wake-up, a lost message and a forgotten caller show. */
#include "aside.h"
#include "follow.h"
#include "groups.h"
#include "inspector.h"
#include "outsider.h"
#include "pools.h"
#include "subscriber.h"
#include "timers.h"

#define LATE_MS 2u  /* a timer may be late by the tick of the wheel */
#define LOOK_MS 50u /* so often a draining actor looks whether its askers are there (wait.c) */

/* Its message lane does not move until somebody else does something. */
static bool lane_pauses(const struct model_actor *actor)
{
    return actor->waits || actor->starting || actor->is_suspended;
}

/* Is this kept call one that a drain waits for? An actor that asked may be gone; an outsider may not, for long. */
static bool is_owed(uint32_t id)
{
    const struct model_call *call = &model.calls.at[id];

    return sim_now_ms() < call->deadline_ms + LATE_MS &&
           (call->given_up_ms == 0 || sim_now_ms() < call->given_up_ms + LOOK_MS + LATE_MS);
}

/* Draining waits for its own calls and for those that it has to answer. */
static bool has_open(uint32_t i)
{
    const struct model_actor *actor = model_actor_at(i);

    for (uint32_t k = 0; k < MODEL_KEPT_MAX; k++)
        if (actor->kept[k] != 0 && is_owed(actor->kept[k]))
            return true;
    for (uint32_t id = model.calls_from; id < model.calls.count; id++)
        if (!model.calls.at[id].over && model.calls.at[id].caller == i)
            return true;
    return false;
}

static bool rest_actor(uint32_t i)
{
    struct model_actor *actor = model_actor_at(i);
    troupe_peek peek;
    int rc = model_look(i, &peek);

    if (actor->ended)
        return rc == TROUPE_E_GONE || sim_fail("actor %u has ended, but can be seen", i);
    if (rc != 0)
        return sim_fail("actor %u lives, but cannot be seen: %s", i, troupe_error_lookup(rc)->code);
    if (actor->suspended && !actor->is_suspended && peek.state < TROUPE_STATE_DRAINING)
        return sim_fail("actor %u was suspended, and does not say so", i);
    bool ends = actor->is_suspended && !actor->end_refused && !actor->waits && !actor->starting &&
                (actor->kill_asked || actor->stop_asked);
    if (peek.state == TROUPE_STATE_STOPPING || (lane_pauses(actor) && !ends))
        return true;
    if (!actor->inited)
        return sim_fail("actor %u never ran its init", i);
    if (actor->queued != 0)
        model_expire(i);
    if (peek.state == TROUPE_STATE_DRAINING && has_open(i))
        return true;
    bool asked = actor->kill_asked || actor->stop_asked || actor->drain_asked;
    if (peek.state == TROUPE_STATE_DRAINING || (asked && !actor->end_refused))
        return sim_fail("actor %u was told to end and rests in state %s", i, troupe_actor_state_word(peek.state));
    if (!aside_rest(i))
        return false;
    if (actor->policy == TROUPE_REFUSE && actor->queued != actor->aside_queued)
        return sim_fail("actor %u rests with %u messages in its mailbox, of which it postponed %u", i, actor->queued,
                        actor->aside_queued);
    if (peek.mailbox_depth != 0 && actor->aside_count == 0)
        return sim_fail("actor %u rests, and says that its mailbox holds %u", i, peek.mailbox_depth);
    return true;
}

static bool rest_name(uint32_t name)
{
    troupe_ref ref;
    uint32_t holder = 0;

    if (troupe_system_whereis(sim_world.system, sim_name(name), &ref) == 0)
        holder = model_actor_of(ref);
    if (holder != 0 && (model_actor_at(holder)->ended || (model_actor_at(holder)->names & 1u << name) == 0))
        return sim_fail("the name n%u leads to %u, which does not hold it", name, holder);
    for (uint32_t i = 1; i < model.actors.count; i++) {
        const struct model_actor *actor = model_actor_at(i);
        if (!actor->ended && (actor->names & 1u << name) != 0 && i != holder)
            return sim_fail("actor %u holds the name n%u, but it leads to %u", i, name, holder);
    }
    return true;
}

static bool keeps(const struct model_actor *actor, uint32_t call)
{
    for (uint32_t i = 0; i < MODEL_KEPT_MAX; i++)
        if (actor->kept[i] == call)
            return true;
    return false;
}

static bool rest_call(uint32_t id)
{
    struct model_call *call = &model.calls.at[id];
    const struct model_actor *callee = model_actor_at(call->callee), *caller = model_actor_at(call->caller);

    if (call->caller != 0 && caller->ended)
        call->over = true; /* nobody is left to be told */
    if (call->over || caller->state >= TROUPE_STATE_STOPPING || (caller->waits && !call->wait) || caller->is_suspended)
        return true;
    if (sim_now_ms() >= call->deadline_ms + LATE_MS)
        return sim_fail("call %u of %u to %u is open %llu ms after its deadline", id, call->caller, call->callee,
                        (unsigned long long)(sim_now_ms() - call->deadline_ms));
    if (callee->ended && sim_now_ms() < call->deadline_ms)
        return sim_fail("call %u of %u is not answered, though its callee %u has ended", id, call->caller,
                        call->callee);
    if (sim_now_ms() >= call->deadline_ms)
        return true; /* it is told with the next tick */
    if (call->answer == MODEL_KEPT && keeps(callee, id))
        return true;
    if (call->answer == MODEL_ASIDE)
        return true;
    if (call->answer == MODEL_UNSEEN && (lane_pauses(callee) || callee->state == TROUPE_STATE_STOPPING))
        return true;
    return sim_fail("call %u of %u to %u rests unanswered (its callee did %d)", id, call->caller, call->callee,
                    (int)call->answer);
}

static bool rest_timer(uint32_t i)
{
    struct model_timer *timer = &model.timers.at[i];
    const struct model_actor *owner = model_actor_at(timer->owner);

    if (owner->ended)
        timer->over = true;
    if (timer->over || timer->aside || timer->doubtful || lane_pauses(owner) || owner->state >= TROUPE_STATE_STOPPING)
        return true;
    if (timer->what != TROUPE_TIMER_MESSAGE)
        return timers_rest(i);
    if (timer->period_ms != 0 && timer->missed == TROUPE_EVERY_SKIP) {
        while (timer->due_ms + timer->period_ms <= sim_now_ms())
            timer->due_ms += timer->period_ms; /* some ticks may be missed, the last may not */
        return true;
    }
    if (timer->due_ms + timer->late_ms + LATE_MS <= sim_now_ms())
        return sim_fail("timer %u of %u is due since %llu ms and has not come", i, timer->owner,
                        (unsigned long long)(sim_now_ms() - timer->due_ms));
    return true;
}

static bool rest_monitor(uint32_t i)
{
    struct model_monitor *monitor = &model.monitors.at[i];
    const struct model_actor *watcher = model_actor_at(monitor->watcher);

    if (watcher->ended)
        monitor->over = true;
    if (monitor->over || !model_actor_at(monitor->target)->ended || lane_pauses(watcher) ||
        watcher->state >= TROUPE_STATE_STOPPING)
        return true;
    return sim_fail("actor %u monitors %u, which has ended, and got no down", monitor->watcher, monitor->target);
}

static bool rest_link_end(const struct model_link *link, uint32_t self, uint32_t other, bool told)
{
    const struct model_actor *actor = model_actor_at(self), *dead = model_actor_at(other);

    if (actor->ended || !dead->ended || lane_pauses(actor) || actor->state >= TROUPE_STATE_STOPPING)
        return true;
    if (!link->target_was_gone && !troupe_exit_is_abnormal(dead->exit.cause))
        return true;
    if ((actor->trap && told) || sim_world.no_memory) /* without it the other one is told that this one is gone */
        return true;
    return sim_fail("actor %u lives on, though %u, to which it is linked, ended as %s", self, other,
                    troupe_exit_word(dead->exit.cause));
}

static bool rest_link(uint32_t i)
{
    struct model_link *link = &model.links.at[i];

    if (model_actor_at(link->a)->ended && model_actor_at(link->b)->ended)
        link->over = true;
    return link->over ||
           (rest_link_end(link, link->a, link->b, link->told_a) && rest_link_end(link, link->b, link->a, link->told_b));
}

static bool rest_children(uint32_t i)
{
    const struct model_actor *child = model_actor_at(i), *parent = model_actor_at(child->parent);

    if (!child->ended || child->parent == 0 || child->told_parent || parent->state >= TROUPE_STATE_STOPPING)
        return true;
    if (parent->ended || parent->stop_asked || parent->drain_asked || parent->starting || parent->kill_asked)
        return true;
    return sim_fail("actor %u was not told that its child %u ended", child->parent, i);
}

static bool rest_orphans(uint32_t i)
{
    const struct model_actor *child = model_actor_at(i);

    return child->ended || child->parent == 0 || !model_actor_at(child->parent)->ended ||
           sim_fail("actor %u outlives its parent %u", i, child->parent);
}

#define REST_ALL(list, from, check)                                                                                    \
    do {                                                                                                               \
        while ((from) < (list).count && (list).at[from].over)                                                          \
            (from)++;                                                                                                  \
        for (uint32_t i = (from); i < (list).count; i++)                                                               \
            if (!(list).at[i].over && !check(i))                                                                       \
                return false;                                                                                          \
    } while (0)

/* Who was refused by a full mailbox is told when it has room. */
static bool rest_room(void)
{
    for (uint32_t i = 0; model.owed.keys != NULL && i <= model.owed.mask; i++) {
        if (model.owed.keys[i] == 0 || model.owed.values[i] == 0)
            continue;
        uint32_t from = (uint32_t)(model.owed.keys[i] >> 32), to = (uint32_t)model.owed.keys[i];
        const struct model_actor *sender = model_actor_at(from), *receiver = model_actor_at(to);
        if (from == 0 || sender->ended || lane_pauses(sender) || sender->state >= TROUPE_STATE_STOPPING ||
            lane_pauses(receiver) || receiver->aside_count * 2 >= receiver->messages_max ||
            (!receiver->ended && receiver->state >= TROUPE_STATE_STOPPING))
            continue;
        if (!sim_world.no_memory) /* to be told is what needs memory, not to be refused */
            return sim_fail("actor %u was not told that the mailbox of %u has room again", from, to);
    }
    return true;
}

/* Every actor that can be seen is one that lives; the node's own, and pools, are judged elsewhere. */
static bool on_seen(void *user, const troupe_peek *peek)
{
    uint64_t *counts = user;

    if (!sim_is_chaos(peek->behavior->name))
        counts[1]++;
    else if (model_actor_at(model_actor_of(peek->ref))->ended)
        sim_fail("an actor that has ended is seen");
    else
        counts[0]++;
    return !sim_world.failed;
}

static bool rest_scan(void)
{
    uint64_t counts[2] = {0, 0}, cursor = 0;
    troupe_stats stats;

    while (troupe_system_scan(sim_world.system, &cursor, 64, on_seen, counts) && !sim_world.failed)
        ;
    troupe_system_stats(sim_world.system, &stats);
    if (sim_world.failed)
        return false;
    if (counts[0] != model.living || stats.actors != counts[0] + counts[1])
        return sim_fail("%u actors live, %llu are seen and %llu are counted", model.living,
                        (unsigned long long)counts[0], (unsigned long long)stats.actors);
    return true;
}

bool model_rest(void)
{
    for (uint32_t i = 1; i < model.actors.count; i++)
        if (!rest_actor(i) || !rest_children(i) || !rest_orphans(i))
            return false;
    for (uint32_t name = 0; name < SIM_NAMES; name++)
        if (!rest_name(name))
            return false;
    REST_ALL(model.calls, model.calls_from, rest_call);
    REST_ALL(model.timers, model.timers_from, rest_timer);
    REST_ALL(model.monitors, model.monitors_from, rest_monitor);
    REST_ALL(model.links, model.links_from, rest_link);
    return rest_room() && pools_rest() && timers_rest_probes() && inspector_rest() && outsider_rest_monitors() &&
           subscriber_rest() && follow_rest() && groups_rest() && rest_scan();
}

bool model_end(uint64_t baseline)
{
    troupe_stats stats;

    for (uint32_t i = 1; i < model.actors.count; i++) {
        const struct model_actor *actor = model_actor_at(i);
        if (!actor->ended)
            return sim_fail("actor %u lived through the shutdown", i);
        if (actor->inited && !actor->finished)
            return sim_fail("fini of actor %u never ran", i);
    }
    REST_ALL(model.calls, model.calls_from, rest_call);
    troupe_system_stats(sim_world.system, &stats);
    if (stats.names != 0)
        return sim_fail("%llu names are left", (unsigned long long)stats.names);
    if (stats.memory_bytes != baseline)
        return sim_fail("%lld bytes of memory are left", (long long)(stats.memory_bytes - baseline));
    return true;
}
