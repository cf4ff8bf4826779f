/* SPDX-License-Identifier: Apache-2.0
 *
 * What the random actors choose from: whom, and what. Each action tells the model before or after, as the promise
 * begins; those of messages are in messages.c. */
#include "family.h"
#include "follow.h"
#include "groups.h"
#include "subscriber.h"
#include "timers.h"

/* ---- choosing ---- */

uint32_t chaos_target_of(uint64_t random)
{
    if (model.actors.count <= 1)
        return 0;
    uint32_t window = model.actors.count - 1 < 60 ? model.actors.count - 1 : 60;
    uint32_t first = model.actors.count - window, at = (uint32_t)(random >> 32) % window;
    for (uint32_t i = 0; i < window; i++) {
        uint32_t index = first + (at + i) % window;
        if (!model_actor_at(index)->ended || (random & 31) == 0) /* now and then a dead one */
            return index;
    }
    return first + at;
}

uint32_t chaos_target(troupe_ctx *ctx) { return chaos_target_of(troupe_random(ctx)); }

void chaos_birth(uint64_t random, struct birth *ret_birth, troupe_spawn_opts *ret_opts)
{
    static const char *const behaviors[] = {"chaos", "chaos", "big", "trap"};
    static const uint32_t bounds[] = {0, 0, 0, 2, 4, 8, 16, 2000};
    uint32_t name = (uint32_t)(random >> 8) % (SIM_NAMES * 4);

    *ret_birth = (struct birth){
        .tag = model_add_spec(),
        .restart = (uint32_t)(random >> 2) % 3,
        .policy = (random & 0x70) != 0   ? TROUPE_REFUSE
                  : (random & 0x80) != 0 ? TROUPE_DROP_OLDEST
                                         : TROUPE_DROP_NEWEST,
        .messages_max = bounds[(random >> 16) & 7],
        .name = name < SIM_NAMES ? name + 1 : 0,
        .trap = (random & 3) == 3 && (random >> 33 & 7) != 0,
        .significant = (random >> 30 & 3) == 0,
    };
    *ret_opts = (troupe_spawn_opts){
        .behavior = (random >> 33 & 7) == 0 ? "blocking" : behaviors[random & 3],
        .name = ret_birth->name != 0 ? sim_name(ret_birth->name - 1) : troupe_view_of(""),
        .args = troupe_body_bytes(ret_birth, sizeof *ret_birth, NULL),
        .mailbox_messages_max = ret_birth->messages_max,
        .mailbox_policy = (enum troupe_mailbox_policy)ret_birth->policy,
        .restart = (enum troupe_restart)ret_birth->restart,
        .start_timeout_ms = (random >> 24 & 1) != 0 ? 50 : 0,
        .shutdown_timeout_ms = (random >> 25 & 1) != 0 ? 20 : 0,
        .backoff_min_ms = (random >> 26 & 1) != 0 ? 10 : 0,
        .backoff_max_ms = (random >> 26 & 1) != 0 ? 80 : 0,
        .child_tag = ret_birth->tag,
        .significant = (random >> 30 & 3) == 0,
        .link = (random >> 27 & 7) == 0,
    };
}

void chaos_born(uint32_t self, uint32_t parent, const struct birth *birth)
{
    struct model_actor *actor = model_actor_at(self);

    actor->tag = birth->tag;
    actor->restart = (enum troupe_restart)birth->restart;
    actor->policy = (enum troupe_mailbox_policy)birth->policy;
    actor->trap = birth->trap != 0;
    if (birth->messages_max != 0)
        actor->messages_max = birth->messages_max;
    if (actor->parent != 0 && actor->parent != parent)
        sim_fail("actor %u has the parent %u, but %u spawned it", self, parent, actor->parent);
    actor->parent = parent;
    actor->significant = birth->significant != 0;
    struct model_spec *spec = &model.specs.at[birth->tag];
    spec->parent = parent;
    spec->restart = actor->restart;
    spec->significant = actor->significant;
}

/* ---- life ---- */

static void act_spawn(troupe_ctx *ctx, uint32_t self)
{
    struct birth birth;
    troupe_spawn_opts opts;
    troupe_ref ref, holder;

    if (model.living >= SIM_POPULATION)
        return;
    chaos_birth(troupe_random(ctx), &birth, &opts);
    if (model_actor_at(self)->family.strategy != TROUPE_ONE_FOR_ONE) { /* no restart of a member fails silently */
        birth.name = 0;
        opts.name = troupe_view_of("");
    }
    int rc = troupe_spawn(ctx, &opts, &ref);
    sim_event("spawn", self, (uint64_t)(int64_t)rc, birth.tag);
    if (rc == TROUPE_E_NAME_TAKEN && troupe_whereis(ctx, opts.name, &holder) != 0)
        sim_fail("a name is said to be taken, but leads nowhere");
    if (rc != 0)
        return;
    uint32_t child = model_actor_of(ref);
    if (model_actor_at(child)->inited)
        sim_fail("actor %u ran before its parent's turn ended, or its id was given twice", child);
    chaos_born(child, self, &birth);
    model_actor_at(child)->fresh = true;
    if (birth.name != 0)
        model_name_taken(child, birth.name - 1);
    if (opts.link) {
        uint32_t i = model_add_link();
        model.links.at[i] = (struct model_link){.a = self, .b = child};
    }
}

static void act_stop(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    static const enum troupe_stop_mode modes[] = {TROUPE_STOP, TROUPE_STOP, TROUPE_DRAIN, TROUPE_DRAIN, TROUPE_KILL};
    enum troupe_stop_mode mode = modes[chaos_below(ctx, 5)];
    struct model_actor *target = model_actor_at(to);
    troupe_peek peek;

    (void)model_look(to, &peek);
    int rc = troupe_stop(ctx, target->ref, mode, "chaos");
    sim_event("stop", self, to, mode);
    if (rc != 0)
        return;
    if (target->ended)
        sim_fail("actor %u could be stopped after its end", to);
    target->stop_asked |= mode == TROUPE_STOP;
    target->drain_asked |= mode == TROUPE_DRAIN;
    target->kill_asked |= mode == TROUPE_KILL;
    target->suspended = false; /* a drain resumes it */
}

/* ---- bonds ---- */

static void act_monitor(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    uint64_t id;

    if (troupe_monitor(ctx, model_actor_at(to)->ref, &id) != 0)
        return;
    uint32_t i = model_add_monitor();
    model.monitors.at[i] =
        (struct model_monitor){.watcher = self, .target = to, .id = id, .target_was_gone = model_actor_at(to)->ended};
}

static void act_demonitor(troupe_ctx *ctx, uint32_t self)
{
    for (uint32_t i = model.monitors_from; i < model.monitors.count; i++) {
        struct model_monitor *monitor = &model.monitors.at[i];
        if (monitor->watcher != self || monitor->over)
            continue;
        if (troupe_demonitor(ctx, monitor->id) != 0 && !chaos_revoked(self))
            sim_fail("actor %u cannot take back its monitor of %u", self, monitor->target);
        monitor->over = true;
        return;
    }
}

static bool is_linked(uint32_t a, uint32_t b)
{
    for (uint32_t i = model.links_from; i < model.links.count; i++) {
        const struct model_link *link = &model.links.at[i];
        if (!link->over && ((link->a == a && link->b == b) || (link->a == b && link->b == a)))
            return true;
    }
    return false;
}

static void act_link(troupe_ctx *ctx, uint32_t self, uint32_t to)
{
    bool again = is_linked(self, to); /* by either side: one bond is enough */

    if (to == self)
        return;
    int rc = troupe_link(ctx, model_actor_at(to)->ref);
    sim_event("link", self, to, (uint64_t)(int64_t)rc);
    if (rc != 0 || again)
        return;
    uint32_t i = model_add_link();
    model.links.at[i] = (struct model_link){.a = self, .b = to, .target_was_gone = model_actor_at(to)->ended};
}

static void act_unlink(troupe_ctx *ctx, uint32_t self)
{
    for (uint32_t i = model.links_from; i < model.links.count; i++) {
        struct model_link *link = &model.links.at[i];
        uint32_t other = link->a == self ? link->b : link->a;
        if ((link->a != self && link->b != self) || link->over || model_actor_at(other)->ended)
            continue;
        if (troupe_unlink(ctx, model_actor_at(other)->ref) == 0)
            link->over = true;
        return;
    }
}

/* ---- names ---- */

static void act_name(troupe_ctx *ctx, uint32_t self)
{
    uint32_t name = chaos_below(ctx, SIM_NAMES);
    struct model_actor *actor = model_actor_at(self);
    troupe_ref ref;

    if ((actor->names & 1u << name) != 0) {
        if (troupe_name_release(ctx, sim_name(name)) != 0 && !chaos_revoked(self))
            sim_fail("actor %u cannot release its name n%u", self, name);
        actor->names &= ~(1u << name);
        return;
    }
    if (chaos_below(ctx, 4) == 0 && troupe_name_release(ctx, sim_name(name)) == 0)
        sim_fail("actor %u could release the name n%u of another", self, name);
    int rc = troupe_name_register(ctx, sim_name(name));
    sim_event("name", self, name, (uint64_t)(int64_t)rc);
    if (rc == 0)
        model_name_taken(self, name);
    if (rc == 0 && (troupe_whereis(ctx, sim_name(name), &ref) != 0 || !troupe_ref_equal(ref, actor->ref)))
        sim_fail("the name n%u does not lead to %u, which took it", name, self);
}

/* ---- the choice ---- */

void chaos_act(troupe_ctx *ctx, uint32_t self, uint32_t energy)
{
    uint32_t to = chaos_target(ctx);

    if (to == 0 || sim_world.failed)
        return;
    switch (chaos_below(ctx, 58)) {
    case 0:
        chaos_flood(ctx, self, to);
        break;
    case 1:
        act_spawn(ctx, self);
        break;
    case 2:
        act_spawn(ctx, self);
        break;
    case 3:
        act_spawn(ctx, self);
        break;
    case 4:
        if (chaos_below(ctx, 3) == 0)
            act_stop(ctx, self, to);
        break;
    case 5:
        if (chaos_below(ctx, 3) == 0) {
            model_actor_at(self)->self_ended = true;
            troupe_stop_self(ctx, "chaos: enough");
        }
        break;
    case 6:
        family_supervise(ctx, self);
        break;
    case 7:
    case 8:
        act_monitor(ctx, self, to);
        break;
    case 9:
        act_demonitor(ctx, self);
        break;
    case 10:
        act_link(ctx, self, to);
        break;
    case 11:
        act_unlink(ctx, self);
        break;
    case 12:
    case 13:
        act_name(ctx, self);
        break;
    case 14:
    case 15:
    case 16:
        timers_act(ctx, self, to);
        break;
    case 17:
    case 18:
        timers_cancel(ctx, self);
        break;
    case 19:
    case 20:
    case 21:
        chaos_answer_kept(ctx, self);
        break;
    case 22:
    case 23:
        chaos_call_wait(ctx, self, to, energy);
        break;
    case 24:
    case 25:
    case 26:
    case 27:
    case 28:
    case 29:
        chaos_call(ctx, self, to, energy, false, chaos_on_reply);
        break;
    case 30:
    case 31:
        subscriber_publish(ctx, self);
        break;
    case 32:
    case 33:
    case 34:
        family_act(ctx, self);
        break;
    case 35:
    case 36:
    case 37:
        groups_act(ctx, self, energy);
        break;
    case 38:
    case 39:
        follow_act(ctx, self);
        break;
    case 40:
        timers_probe(ctx, self, to);
        break;
    default:
        chaos_cast(ctx, self, to, energy);
        break;
    }
}

void chaos_last_words(troupe_ctx *ctx, uint32_t self)
{
    uint32_t to = chaos_target(ctx);

    if (to != 0 && chaos_below(ctx, 2) == 0)
        chaos_cast(ctx, self, to, 0);
    if (chaos_below(ctx, 4) == 0)
        subscriber_publish(ctx, self);
    chaos_answer_kept(ctx, self);
}
