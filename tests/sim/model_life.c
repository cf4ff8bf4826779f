/* SPDX-License-Identifier: Apache-2.0
 *
 * The model's rules of life: start, end, children, monitors, names, timers. */
#include "family.h"

#include <string.h>

bool model_enter(uint32_t self, const char *what)
{
    const struct model_actor *actor = model_actor_at(self);

    if (self == 0 || self >= model.actors.count)
        return sim_fail("%s ran with a state that is not its own", what);
    sim_event(what, self, 0, 0);
    if (actor->ended)
        return sim_fail("%s of actor %u ran after its end", what, self);
    if (actor->kill_asked)
        return sim_fail("%s of actor %u ran after it was killed", what, self);
    if (actor->finished)
        return sim_fail("%s of actor %u ran after fini", what, self);
    if (actor->must_end && strcmp(what, "stop") != 0)
        return sim_fail("actor %u runs on after the end of its significant children", self);
    if (actor->must_fail && strcmp(what, "stop") != 0)
        return sim_fail("actor %u runs on after more than %u restarts in %llu ms", self, actor->intensity,
                        (unsigned long long)actor->period_ms);
    return true;
}

bool model_name_taken(uint32_t self, uint32_t name)
{
    for (uint32_t i = 1; i < model.actors.count; i++) {
        const struct model_actor *other = model_actor_at(i);
        if (i != self && !other->ended && (other->names & 1u << name) != 0)
            return sim_fail("actors %u and %u hold the name n%u together", i, self, name);
    }
    model_actor_at(self)->names |= 1u << name;
    return true;
}

bool model_started(uint32_t self, const char *behavior)
{
    sim_event("started", self, (uint64_t)(unsigned char)behavior[0], 0);
    model_actor_at(self)->started = true;
    return true;
}

/* Children end in reverse order when the parent ends: none that was started later lives on. */
static bool check_order(uint32_t self)
{
    const struct model_actor *actor = model_actor_at(self);

    if (actor->parent == 0 || actor->tag == 0 || actor->exit.cause != TROUPE_EXIT_SHUTDOWN)
        return true;
    for (uint32_t i = 1; i < model.actors.count; i++) {
        const struct model_actor *other = model_actor_at(i);
        if (other->parent == actor->parent && !other->ended && other->tag > actor->tag && !family_excuses(self, i))
            return sim_fail("child %u ended before its younger sibling %u", self, i);
    }
    return true;
}

static bool check_cause(uint32_t self)
{
    const struct model_actor *actor = model_actor_at(self);

    switch (actor->exit.cause) {
    case TROUPE_EXIT_NORMAL:
        return actor->self_ended || actor->family.auto_shutdown != TROUPE_AUTO_NEVER ||
               sim_fail("actor %u ended as normal, but did not stop itself", self);
    case TROUPE_EXIT_STOPPED:
        return actor->stop_asked || actor->stop_later ||
               sim_fail("actor %u ended as stopped, but nobody stopped it", self);
    case TROUPE_EXIT_DRAINED:
        if (!actor->drain_asked && !sim_world.ending)
            return sim_fail("actor %u ended as drained, but nobody drained it", self);
        if (actor->queued != 0)
            model_expire(self);
        if (actor->policy == TROUPE_REFUSE && actor->queued > actor->aside_queued)
            return sim_fail("actor %u was drained and lost %u messages that it had accepted", self, actor->queued);
        return true;
    default:
        return true;
    }
}

bool model_ended(uint32_t self, const troupe_exit *exit)
{
    struct model_actor *actor = model_actor_at(self);

    sim_event("ended", self, exit->cause, (uint64_t)(int64_t)exit->error);
    if (actor->ended)
        return sim_fail("actor %u ended twice", self);
    actor->ended = true;
    actor->waits = actor->starting = false;
    actor->exit = (troupe_exit){.cause = exit->cause, .error = exit->error};
    actor->end_number = ++model.ends;
    model.living--;
    if (actor->kill_asked && !actor->self_ended && actor->state < TROUPE_STATE_STOPPING &&
        exit->cause != TROUPE_EXIT_KILLED)
        return sim_fail("actor %u was killed, but ended as %s", self, troupe_exit_word(exit->cause));
    return check_cause(self) && check_order(self);
}

bool model_finished(uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);

    sim_event("fini", self, 0, 0);
    if (self == 0)
        return true; /* init never ran */
    if (actor->finished)
        return sim_fail("fini of actor %u ran twice", self);
    actor->finished = true;
    return true;
}

void model_note_restart(uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);
    uint64_t now_ms = sim_now_ms();
    const uint32_t ring = sizeof actor->restarts_ms / sizeof actor->restarts_ms[0];
    uint32_t within = 1;

    for (uint32_t i = 0; i < ring && i < actor->restarts_count; i++)
        within += actor->restarts_ms[i] + actor->period_ms > now_ms;
    actor->restarts_ms[actor->restarts_count++ % ring] = now_ms;
    actor->must_fail |= within > actor->intensity;
}

bool model_child(uint32_t self, const troupe_child_event *event)
{
    uint32_t index = model_actor_of(event->ref);
    struct model_actor *child = model_actor_at(index);

    sim_event("child", self, index, event->what);
    if (child->parent != self && child->parent != 0)
        return sim_fail("actor %u was told of %u, which is not its child", self, index);
    if (event->what == TROUPE_CHILD_STARTED) {
        if (child->started || child->told_parent)
            return sim_fail("actor %u was told twice, or after its end, that %u started", self, index);
        child->started = true;
        return child->tag == event->child || sim_fail("the child tag of %u is wrong", index);
    }
    if (!child->ended)
        return sim_fail("actor %u was told that %u ended, but it lives", self, index);
    if (child->told_parent)
        return sim_fail("actor %u was told twice that %u ended", self, index);
    child->told_parent = true;
    if (event->exit.cause != child->exit.cause)
        return sim_fail("the child event of %u says %s, but it ended as %s", index, troupe_exit_word(event->exit.cause),
                        troupe_exit_word(child->exit.cause));
    return family_told(self, index, event);
}

/* A link's down: the trapping end is told once. */
static bool link_down(uint32_t self, uint32_t target)
{
    for (uint32_t i = model.links_from; i < model.links.count; i++) {
        struct model_link *link = &model.links.at[i];
        bool is_a = link->a == self && link->b == target, is_b = link->b == self && link->a == target;
        bool *told = is_a ? &link->told_a : &link->told_b;
        if ((is_a || is_b) && !link->over && !*told) {
            *told = true;
            link->over = true;
            return true;
        }
    }
    return sim_fail("actor %u got the down of %u, to which it has no link", self, target);
}

/* A bond that could not be made. */
static bool forget_bond(uint32_t self, uint32_t target, uint64_t id)
{
    for (uint32_t i = model.monitors_from; i < model.monitors.count; i++)
        if (id != 0 && model.monitors.at[i].watcher == self && model.monitors.at[i].id == id)
            model.monitors.at[i].over = true;
    for (uint32_t i = model.links_from; i < model.links.count; i++) {
        struct model_link *link = &model.links.at[i];
        if (id == 0 && ((link->a == self && link->b == target) || (link->b == self && link->a == target)))
            link->over = true;
    }
    return true;
}

bool model_down(uint32_t self, const troupe_down *down)
{
    uint32_t target = model_actor_of(down->ref);
    const struct model_actor *dead = model_actor_at(target);

    sim_event("down", self, target, down->exit.cause);
    if (!dead->ended && sim_world.no_memory && down->exit.cause == TROUPE_EXIT_NOPROC)
        return forget_bond(self, target, down->monitor); /* no memory to watch it: as good as gone */
    if (!dead->ended)
        return sim_fail("actor %u got the down of %u, which lives", self, target);
    if (!model_skipped(target, self, *table_at(&model.sent, (uint64_t)target << 32 | self)))
        return sim_fail("actor %u got the down of %u before all that it had sent", self, target);
    if (down->monitor == 0)
        return link_down(self, target);
    for (uint32_t i = model.monitors_from; i < model.monitors.count; i++) {
        struct model_monitor *monitor = &model.monitors.at[i];
        if (monitor->watcher != self || monitor->id != down->monitor || monitor->target != target)
            continue;
        if (monitor->over)
            return sim_fail("actor %u got a second down, or one after demonitor, of %u", self, target);
        monitor->over = true;
        enum troupe_exit_cause want = monitor->target_was_gone ? TROUPE_EXIT_NOPROC : dead->exit.cause;
        if (down->exit.cause != want && !(sim_world.no_memory && down->exit.cause == TROUPE_EXIT_NOPROC))
            return sim_fail("the down of %u says %s instead of %s", target, troupe_exit_word(down->exit.cause),
                            troupe_exit_word(want));
        return true;
    }
    return sim_fail("actor %u got a down of %u that it did not ask for", self, target);
}

bool model_timer_fired(uint32_t self, const struct note *note, const troupe_msg *msg)
{
    struct model_timer *timer = &model.timers.at[note->timer];
    uint64_t now_ms = sim_now_ms();

    sim_event("timer", self, note->timer, now_ms);
    if (note->magic != NOTE_MAGIC || note->timer == 0 || note->timer >= model.timers.count || timer->owner != self)
        return sim_fail("actor %u got a timer that is not its own", self);
    if (!model_may_run(self, "timer"))
        return false;
    if ((msg->kind == TROUPE_MSG_TIMER) == timer->from_outside)
        return sim_fail("timer %u came as a message of the wrong kind", note->timer);
    if (!timer->from_outside && msg->tag != timer->id)
        return sim_fail("timer %u came with a wrong id", note->timer);
    if (timer->over)
        return sim_fail("timer %u came after it was cancelled, or a second time", note->timer);
    if (now_ms < timer->due_ms)
        return sim_fail("timer %u came %llu ms early", note->timer, (unsigned long long)(timer->due_ms - now_ms));
    if (timer->period_ms == 0)
        timer->over = true;
    else
        timer->due_ms += timer->period_ms;
    return true;
}
