/* SPDX-License-Identifier: Apache-2.0
 *
 * See family.h. The rules: a child is started again when its restart and its end say so, or with its group; a group is
 * started when all of its members have really ended, oldest first, each when the one before has said that it runs; an
 * incident counts once for the intensity; who was terminated does not come back by itself; the end of a significant
 * child ends a parent that wants that.
 *
 * What happens to a group follows from the events that its parent is told and from the list of children after each; see
 * core/restart.c for the phases. Waiting for the delay is a part of starting here. */
#include "family.h"

#include <string.h>

#define LOOK_MAX 64u

/* ---- look ---- */

struct look {
    uint32_t self, count, living, restarting;
    uint64_t last;
    struct {
        uint64_t tag;
        uint32_t actor; /* 0: it does not live */
        enum troupe_child_state state;
    } at[LOOK_MAX];
};

static bool on_child(void *user, const troupe_child *child)
{
    struct look *look = user;
    uint64_t tag = child->child;

    if (look->count == LOOK_MAX || tag == 0 || tag >= model.specs.count)
        return sim_fail("actor %u has too many children, or one without a tag", look->self);
    if (tag <= look->last)
        return sim_fail("the children of actor %u are not in the order of their starts", look->self);
    look->last = tag;
    uint32_t index = model_actor_of(child->ref);
    look->at[look->count].tag = tag;
    look->at[look->count].actor = index;
    look->at[look->count++].state = child->state;
    look->living += index != 0;
    look->restarting += child->state == TROUPE_CHILD_IS_RESTARTING;
    model.specs.at[tag].pending = child->state == TROUPE_CHILD_IS_RESTARTING;
    if (index == 0)
        return true;
    struct model_actor *actor = model_actor_at(index);
    if (actor->told_parent || (actor->parent != 0 && actor->parent != look->self))
        return sim_fail("actor %u lists %u, which has ended or is not its child", look->self, index);
    actor->parent = look->self;
    actor->listed = true;
    return true;
}

/* Look at all children; false when something is wrong. */
static bool look_at(troupe_ctx *ctx, uint32_t self, struct look *ret_look)
{
    const struct model_actor *actor = model_actor_at(self);
    troupe_children counts;
    uint32_t known = 0;

    memset(ret_look, 0, sizeof *ret_look);
    ret_look->self = self;
    for (uint32_t tag = 1; tag < model.specs.count; tag++)
        model.specs.at[tag].pending &= model.specs.at[tag].parent != self; /* some are not listed any more */
    troupe_children_each(ctx, on_child, ret_look);
    if (sim_world.failed)
        return false;
    troupe_children_counts(ctx, &counts);
    if (counts.specs != ret_look->count || counts.active != ret_look->living ||
        counts.restarting != ret_look->restarting || counts.active != troupe_children_count(ctx))
        return sim_fail("actor %u counts %u children, %u living and %u restarting, but lists %u, %u and %u", self,
                        counts.specs, counts.active, counts.restarting, ret_look->count, ret_look->living,
                        ret_look->restarting);
    if (actor->family.children_max != 0 && counts.specs > actor->family.children_max)
        return sim_fail("actor %u has %u children of at most %u", self, counts.specs, actor->family.children_max);
    for (uint32_t i = 1; i < model.actors.count; i++)
        known += model_actor_at(i)->parent == self && !model_actor_at(i)->told_parent;
    if (known != ret_look->living)
        return sim_fail("actor %u lists %u living children, but has %u", self, ret_look->living, known);
    return true;
}

/* ---- act ---- */

void family_supervise(troupe_ctx *ctx, uint32_t self)
{
    struct model_actor *actor = model_actor_at(self);
    static const enum troupe_strategy strategies[] = {TROUPE_ONE_FOR_ONE, TROUPE_ONE_FOR_ALL, TROUPE_ONE_FOR_ALL,
                                                      TROUPE_REST_FOR_ONE, TROUPE_REST_FOR_ONE};
    troupe_children counts;
    troupe_supervision how = {.restarts = 1 + chaos_below(ctx, 5),
                              .period_ms = 50 + chaos_below(ctx, 1000),
                              .strategy = sim_world.spawns_fail ? TROUPE_ONE_FOR_ONE : strategies[chaos_below(ctx, 5)],
                              .auto_shutdown = (enum troupe_auto_shutdown)(chaos_below(ctx, 9) % 5 % 3),
                              .children_max = chaos_below(ctx, 3) == 0 ? 2 + chaos_below(ctx, 4) : 0,
                              .keep_ended = chaos_below(ctx, 2) != 0};

    troupe_children_counts(ctx, &counts);
    if (actor->restarts_count != 0 || counts.specs != 0 || troupe_supervise(ctx, &how) != 0)
        return;
    actor->intensity = how.restarts;
    actor->period_ms = how.period_ms;
    actor->family.strategy = how.strategy;
    actor->family.auto_shutdown = how.auto_shutdown;
    actor->family.children_max = how.children_max;
}

static void terminate(troupe_ctx *ctx, uint32_t self, uint64_t tag, bool lives)
{
    struct model_spec *spec = &model.specs.at[tag];
    troupe_child child;
    int rc = troupe_child_terminate(ctx, tag);

    sim_event("terminate", self, tag, (uint64_t)(int64_t)rc);
    if (rc != 0) {
        if (rc == TROUPE_E_NOT_FOUND)
            sim_fail("actor %u cannot terminate its child %llu", self, (unsigned long long)tag);
        return;
    }
    spec->terminated = true;
    spec->pending = false;
    if (!lives && (troupe_child_find(ctx, tag, &child) != 0 || child.state != TROUPE_CHILD_IS_ENDED))
        sim_fail("child %llu of %u was terminated while it did not live, and is not ended", (unsigned long long)tag,
                 self);
}

static void restart(troupe_ctx *ctx, uint32_t self, uint64_t tag, enum troupe_child_state state)
{
    troupe_ref ref;

    if (model_actor_at(self)->family.phase != FAMILY_IDLE)
        return;
    int rc = troupe_child_restart(ctx, tag, &ref);
    sim_event("restart", self, tag, (uint64_t)(int64_t)rc);
    if (rc == 0 && state != TROUPE_CHILD_IS_ENDED)
        sim_fail("child %llu of %u could be started, though it was not ended", (unsigned long long)tag, self);
    if (rc == TROUPE_E_STATE && state == TROUPE_CHILD_IS_ENDED)
        sim_fail("child %llu of %u is ended, but cannot be started", (unsigned long long)tag, self);
    if (rc != 0)
        return;
    struct model_actor *child = model_actor_at(model_actor_of(ref));
    child->by_hand = true;
    child->parent = self;
    child->tag = tag;
    model.specs.at[tag].terminated = false;
}

void family_act(troupe_ctx *ctx, uint32_t self)
{
    struct look look;
    troupe_child child;

    if (chaos_revoked(self) || !look_at(ctx, self, &look) || look.count == 0)
        return;
    uint32_t i = chaos_below(ctx, look.count);
    uint64_t tag = look.at[i].tag;
    switch (chaos_below(ctx, 4)) {
    case 0:
    case 1:
        terminate(ctx, self, tag, look.at[i].actor != 0);
        break;
    case 2:
        restart(ctx, self, tag, look.at[i].state);
        break;
    default: {
        int rc = troupe_child_delete(ctx, tag);
        sim_event("delete", self, tag, (uint64_t)(int64_t)rc);
        if (rc == 0 && (look.at[i].state != TROUPE_CHILD_IS_ENDED || troupe_child_find(ctx, tag, &child) == 0))
            sim_fail("child %llu of %u was deleted, though it was not ended, or is still there",
                     (unsigned long long)tag, self);
        break;
    }
    }
}

/* ---- judge ---- */

bool family_born(uint32_t self)
{
    const struct model_actor *actor = model_actor_at(self), *parent = model_actor_at(actor->parent);
    const struct model_family *family = &parent->family;

    if (actor->parent == 0 || actor->fresh || actor->by_hand || actor->listed || parent->kill_asked)
        return true;
    if (family->strategy == TROUPE_ONE_FOR_ONE)
        return !model.specs.at[actor->tag].terminated ||
               sim_fail("actor %u was started again, though its parent %u had terminated it", self, actor->parent);
    if (family->phase == FAMILY_STOPPING && actor->tag >= family->from)
        return sim_fail("actor %u was started again before all siblings of its group had ended", self);
    for (uint64_t tag = family->from; family->phase == FAMILY_STARTING && tag < actor->tag; tag++)
        if (model.specs.at[tag].parent == actor->parent && model.specs.at[tag].pending)
            return sim_fail("actor %u was started again before its older sibling of tag %llu", self,
                            (unsigned long long)tag);
    return true;
}

static bool is_member(const struct model_family *family, uint64_t tag)
{
    return family->strategy != TROUPE_ONE_FOR_ONE && family->phase == FAMILY_STOPPING && tag >= family->from;
}

bool family_told(uint32_t self, uint32_t index, const troupe_child_event *event)
{
    struct model_actor *parent = model_actor_at(self);
    struct model_actor *child = model_actor_at(index);
    const struct model_spec *spec = &model.specs.at[event->child];
    child->tag = event->child; /* it may have ended before its init */
    bool restarts = event->what == TROUPE_CHILD_RESTARTING, member = is_member(&parent->family, child->tag);
    bool may = spec->restart == TROUPE_PERMANENT ||
               (spec->restart == TROUPE_TRANSIENT && troupe_exit_is_abnormal(child->exit.cause)) ||
               (member && spec->restart != TROUPE_TEMPORARY);

    parent->family.incident = restarts && !member ? child->tag : 0;
    if (restarts && !may)
        return sim_fail("child %u is started again, but ended as %s", index, troupe_exit_word(child->exit.cause));
    if (restarts && spec->terminated)
        return sim_fail("child %u is started again, though it was terminated", index);
    if (!restarts && may && (member || child->exit.cause != TROUPE_EXIT_NOT_STARTED) && !parent->self_ended &&
        !child->stop_asked && !child->drain_asked && !spec->terminated && !sim_world.ending)
        return sim_fail("child %u is not started again, though it ended as %s", index,
                        troupe_exit_word(child->exit.cause));
    if (!restarts && !member && !spec->terminated && spec->significant)
        parent->family.incident = UINT64_MAX; /* its parent may end after this */
    return true;
}

/* The oldest member that waits for its start, or has not said that it runs; 0: none. */
static uint64_t oldest_open(const struct look *look)
{
    for (uint32_t i = 0; i < look->count; i++) {
        const struct model_actor *actor = model_actor_at(look->at[i].actor);
        bool is_awaited = look->at[i].actor != 0 && !actor->started && !actor->fresh && !actor->by_hand;
        if (is_awaited || look->at[i].state == TROUPE_CHILD_IS_RESTARTING)
            return look->at[i].tag;
    }
    return 0;
}

static bool a_member_lives(const struct look *look, uint64_t from)
{
    for (uint32_t i = 0; i < look->count; i++)
        if (look->at[i].actor != 0 && look->at[i].tag >= from)
            return true;
    return false;
}

static void begin_group(struct model_family *family, const struct look *look)
{
    uint64_t from = family->strategy == TROUPE_ONE_FOR_ALL ? 0 : family->incident, open = oldest_open(look);

    if (family->phase == FAMILY_STARTING && open != 0 && open < from)
        from = open;
    if (family->phase == FAMILY_STOPPING && family->from < from)
        from = family->from;
    if (family->phase == FAMILY_IDLE)
        family->newest = model.specs.count - 1;
    family->phase = FAMILY_STOPPING;
    family->from = from;
    for (uint32_t i = 0; i < look->count; i++) {
        struct model_spec *spec = &model.specs.at[look->at[i].tag];
        if (look->at[i].tag >= from && look->at[i].actor == 0) {
            spec->pending = true;
            spec->terminated = false; /* as in Erlang: a group starts them, too */
        }
    }
}

void family_settled(troupe_ctx *ctx, uint32_t self, const troupe_child_event *event)
{
    struct model_actor *parent = model_actor_at(self);
    struct model_family *family = &parent->family;
    struct look look;
    bool is_end = event->what != TROUPE_CHILD_STARTED;

    if (sim_world.failed || parent->kill_asked || parent->self_ended || !look_at(ctx, self, &look))
        return;
    parent->must_end = is_end && family->incident == UINT64_MAX && family->auto_shutdown == TROUPE_AUTO_ANY;
    bool counts =
        is_end && family->incident != 0 && family->incident != UINT64_MAX && model.specs.at[family->incident].pending;
    if (counts)
        model_note_restart(self);
    sim_event("family", self, family->phase, family->from);
    if (family->strategy == TROUPE_ONE_FOR_ONE || parent->must_end)
        return;
    if (counts && !parent->must_fail)
        begin_group(family, &look);
    if (family->phase == FAMILY_STOPPING && !a_member_lives(&look, family->from))
        family->phase = FAMILY_STARTING;
    else if (family->phase == FAMILY_STARTING && oldest_open(&look) == 0)
        family->phase = FAMILY_IDLE;
}

bool family_excuses(uint32_t self, uint32_t sibling)
{
    const struct model_actor *actor = model_actor_at(self), *other = model_actor_at(sibling);
    const struct model_family *family = &model_actor_at(actor->parent)->family;

    return model.specs.at[actor->tag].terminated || (family->phase != FAMILY_IDLE && other->tag > family->newest);
}
