/* SPDX-License-Identifier: Apache-2.0
 *
 * See follow.h. Between two events that arrive, each number in between was lost and is counted, or is of a type that
 * the filter does not want; so nothing is lost without being told. A watcher keeps a list of members of its own, from
 * what it hears alone, which must be the model's at rest. */
#include "follow.h"
#include "groups.h"
#include "subscriber.h"

#include <string.h>

#define FOLLOWS_MAX 4096u
#define HEARD_MAX 128u

enum wanted { WANTS_ALL, WANTS_EVENTS, WANTS_OTHERS };

struct follow {
    uint32_t owner, target; /* target 0: a group, or all of its scope */
    uint64_t id;
    enum wanted wanted;
    uint64_t last; /* the last number that was seen */
    bool any_start, over;
    uint32_t group;
    bool all, lossy;                        /* all groups of the scope; events were lost, so its list is of no use */
    uint32_t heard_count, heard[HEARD_MAX]; /* group << 24 | actor */
};

static struct follow follows[FOLLOWS_MAX];
static uint32_t follows_count, follows_from;

void follow_init(void) { follows_count = follows_from = 0; }

static bool wants(const struct follow *follow, uint64_t seq)
{
    return follow->wanted == WANTS_ALL ||
           (follow->wanted == WANTS_EVENTS) == (strcmp(subscriber_type(follow->target, seq), "event") == 0);
}

/* Events that are wanted and lie between. */
static uint64_t count_wanted(const struct follow *follow, uint64_t after, uint64_t before)
{
    uint64_t count = 0;

    for (uint64_t seq = after + 1; seq < before; seq++)
        count += wants(follow, seq);
    return count;
}

/* ---- begin and end ---- */

static struct follow *new_follow(uint32_t self)
{
    if (follows_count == FOLLOWS_MAX)
        return NULL;
    struct follow *follow = &follows[follows_count];
    memset(follow, 0, sizeof *follow);
    follow->owner = self;
    return follow;
}

static void begin_follow(troupe_ctx *ctx, uint32_t self)
{
    static const char *const patterns[] = {"*", "event", "other.*"};
    struct follow *follow = new_follow(self);
    uint32_t target = chaos_target(ctx);
    if (follow == NULL || target == 0)
        return;
    const struct model_actor *actor = model_actor_at(target);
    enum troupe_from from = (enum troupe_from)chaos_below(ctx, actor->published > 0 ? 3 : 2);
    troupe_event_id after = {0};
    uint64_t published = actor->published;

    follow->target = target;
    follow->wanted = (enum wanted)chaos_below(ctx, 3);
    troupe_filter filter = {.count = 1, .types = {troupe_view_of(patterns[follow->wanted])}};
    if (from == TROUPE_FROM_AFTER) {
        after.seq = chaos_below(ctx, (uint32_t)published + 1);
        after.epoch = subscriber_epoch(target);
    }
    follow->last = from == TROUPE_FROM_AFTER ? after.seq : published;
    follow->any_start = from == TROUPE_FROM_OLDEST;
    int rc = troupe_follow(ctx, actor->ref, follow->wanted == WANTS_ALL && chaos_below(ctx, 2) ? NULL : &filter, from,
                           after, &follow->id);
    sim_event("follow", self, target, (uint64_t)(int64_t)rc);
    if (rc == 0 && actor->ended)
        sim_fail("actor %u could follow %u, which has ended", self, target);
    if (rc == TROUPE_E_GONE && !actor->ended && actor->state < TROUPE_STATE_STOPPING)
        sim_fail("actor %u cannot follow %u, which lives", self, target);
    follows_count += rc == 0;
}

static void begin_watch(troupe_ctx *ctx, uint32_t self)
{
    struct follow *follow = new_follow(self);
    if (follow == NULL)
        return;
    follow->group = chaos_below(ctx, MODEL_GROUPS);
    follow->all = chaos_below(ctx, 3) == 0;
    int rc = troupe_group_watch(ctx, groups_scope(follow->group), follow->all ? NULL : groups_name(follow->group),
                                &follow->id);
    sim_event("watch", self, follow->group, (uint64_t)(int64_t)rc);
    if (rc != 0)
        return;
    follows_count++;
    for (uint32_t group = 0; group < MODEL_GROUPS; group++) {
        uint32_t members[GROUP_MEMBERS_MAX], count = groups_members(group, members);
        bool is_meant = follow->all ? groups_scope(group) == groups_scope(follow->group) : group == follow->group;
        for (uint32_t i = 0; is_meant && i < count; i++) {
            if (follow->heard_count < HEARD_MAX)
                follow->heard[follow->heard_count++] = group << 24 | members[i];
            else
                follow->lossy = true;
        }
    }
}

static void give_up(troupe_ctx *ctx, uint32_t self)
{
    for (uint32_t i = follows_from; i < follows_count; i++) {
        struct follow *follow = &follows[i];
        if (follow->owner != self || follow->over || chaos_below(ctx, 2) == 0)
            continue;
        int rc = follow->target != 0 ? troupe_unfollow(ctx, follow->id) : troupe_group_unwatch(ctx, follow->id);
        if (rc != 0 && !chaos_revoked(self) && rc != TROUPE_E_STATE && !model_drains(self) &&
            model_actor_at(self)->state < TROUPE_STATE_STOPPING)
            sim_fail("actor %u cannot give up following %u: %s", self, follow->target, troupe_error_lookup(rc)->code);
        follow->over = true;
        return;
    }
}

void follow_act(troupe_ctx *ctx, uint32_t self)
{
    uint32_t choice = chaos_below(ctx, 6);

    if (choice < 3)
        begin_follow(ctx, self);
    else if (choice < 5)
        begin_watch(ctx, self);
    else
        give_up(ctx, self);
}

/* ---- what comes ---- */

static bool on_event(struct follow *follow, const troupe_msg *msg)
{
    struct event_body body = {0};
    uint64_t lost = (uint64_t)msg->status, published = model_actor_at(follow->target)->published;
    bool is_end = troupe_msg_is_end(msg);

    if (!troupe_ref_equal(msg->from, model_actor_at(follow->target)->ref))
        return sim_fail("actor %u got an event of another than %u", follow->owner, follow->target);
    if (!is_end && msg->body_len >= sizeof body)
        memcpy(&body, msg->body, sizeof body);
    uint64_t seq = is_end ? published + 1 : body.seq;
    if (!is_end && (body.actor != follow->target || body.size != msg->body_len || seq == 0 || seq > published ||
                    !troupe_view_equal(troupe_msg_type(msg), troupe_view_of(subscriber_type(body.actor, seq)))))
        return sim_fail("actor %u got an event of %u that was not published so", follow->owner, follow->target);
    if (!is_end && !wants(follow, seq))
        return sim_fail("actor %u got an event of %u that it did not want", follow->owner, follow->target);
    if (follow->any_start)
        follow->last = count_wanted(follow, 0, seq) > lost ? seq - 1 : 0; /* it began behind what was gone by then */
    if (seq <= follow->last)
        return sim_fail("actor %u got event %llu of %u after event %llu", follow->owner, (unsigned long long)seq,
                        follow->target, (unsigned long long)follow->last);
    uint64_t between = seq - follow->last - 1, wanted = count_wanted(follow, follow->last, seq);
    if (!follow->any_start && (lost < wanted || lost > between))
        return sim_fail(
            "actor %u got event %llu of %u after event %llu, of the %llu between it wants %llu, and was told "
            "that %llu are lost",
            follow->owner, (unsigned long long)seq, follow->target, (unsigned long long)follow->last,
            (unsigned long long)between, (unsigned long long)wanted, (unsigned long long)lost);
    if (lost > 0 && !follow->any_start && !subscriber_may_be_lost(follow->target, follow->last + 1))
        return sim_fail("actor %u lost events of %u without need", follow->owner, follow->target);
    follow->any_start = false;
    follow->last = seq;
    follow->over = is_end;
    return true;
}

static bool on_change(struct follow *follow, const troupe_msg *msg)
{
    uint32_t actor = model_find(msg->from), group = follow->group, at = 0;
    bool joins = troupe_view_equal(troupe_msg_type(msg), troupe_view_of("join"));

    follow->lossy |= msg->status > 0;
    if (follow->all) { /* which group? */
        const char *text = msg->body, *name = strstr(text, "\"group\":\"g");
        if (name == NULL)
            return sim_fail("an event of a scope does not name a group");
        group = follow->group / 4 * 4 + (uint32_t)(name[10] - '0');
    }
    uint32_t entry = group << 24 | actor;
    while (at < follow->heard_count && follow->heard[at] != entry)
        at++;
    bool is_known = at < follow->heard_count;
    if (follow->lossy)
        return true;
    if (is_known == joins && sim_world.no_memory) { /* a change that could not be told at once is told later */
        follow->lossy = true;
        return true;
    }
    if (is_known == joins)
        return sim_fail("actor %u heard that %u has %s the group %s, but it was there %s", follow->owner, actor,
                        joins ? "joined" : "left", groups_name(group), joins ? "already" : "never");
    if (!joins)
        follow->heard[at] = follow->heard[--follow->heard_count];
    else if (follow->heard_count < HEARD_MAX)
        follow->heard[follow->heard_count++] = entry;
    else
        follow->lossy = true;
    return true;
}

bool follow_told(uint32_t self, const troupe_msg *msg)
{
    sim_event("event", self, msg->kind, (uint64_t)msg->status);
    if (!model_may_run(self, "event"))
        return false;
    for (uint32_t i = follows_from; i < follows_count; i++) {
        struct follow *follow = &follows[i];
        if (follow->owner != self || follow->over || follow->id != msg->tag)
            continue;
        if ((msg->kind == TROUPE_MSG_EVENT) != (follow->target != 0))
            return sim_fail("actor %u got an event of the wrong kind", self);
        return follow->target != 0 ? on_event(follow, msg) : on_change(follow, msg);
    }
    return sim_fail("actor %u got an event that it does not follow any more", self);
}

/* ---- judge ---- */

static bool rest_watch(const struct follow *follow)
{
    uint32_t count = 0;

    if (follow->lossy)
        return true;
    for (uint32_t group = 0; group < MODEL_GROUPS; group++) {
        uint32_t members[GROUP_MEMBERS_MAX];
        bool is_meant = follow->all ? groups_scope(group) == groups_scope(follow->group) : group == follow->group;
        if (is_meant)
            count += groups_members(group, members);
    }
    if (count != follow->heard_count)
        return sim_fail("actor %u has heard of %u members where there are %u", follow->owner, follow->heard_count,
                        count);
    for (uint32_t i = 0; i < count; i++) {
        const struct model_actor *member = model_actor_at(follow->heard[i] & 0xffffff);
        if (member->ended || (member->groups & 1u << (follow->heard[i] >> 24)) == 0)
            return sim_fail("actor %u has heard of a member that is none", follow->owner);
    }
    return true;
}

bool follow_rest(void)
{
    while (follows_from < follows_count && follows[follows_from].over)
        follows_from++;
    for (uint32_t i = follows_from; i < follows_count; i++) {
        struct follow *follow = &follows[i];
        const struct model_actor *owner = model_actor_at(follow->owner), *target = model_actor_at(follow->target);
        follow->over |= owner->ended;
        if (follow->over || owner->waits || owner->starting || owner->is_suspended ||
            owner->state >= TROUPE_STATE_DRAINING)
            continue;
        if (follow->target == 0) {
            if (!rest_watch(follow))
                return false;
            continue;
        }
        if (target->ended)
            return sim_fail("actor %u follows %u, which has ended, and was not told", follow->owner, follow->target);
        if (!follow->any_start && count_wanted(follow, follow->last, target->published + 1) != 0)
            return sim_fail("actor %u follows %u, which published event %llu, and was not told of what came after %llu",
                            follow->owner, follow->target, (unsigned long long)target->published,
                            (unsigned long long)follow->last);
    }
    return true;
}
