/* SPDX-License-Identifier: Apache-2.0
 *
 * See groups.h. What is sent to a group is one body for all, so the note in it has a number instead of the pair's
 * sequence and the call's index; two tables lead from the number and the receiver to these. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_SENT_MAX (1u << 16)

static const char *const scopes[] = {"", "s1"};
static const char *const names[] = {"g0", "g1", "g2", "g3"};

/* Something that was sent to a group. */
struct group_sent {
    uint32_t sender, members, results;
    bool is_call, over;
    uint64_t deadline_ms;
};

static struct groups {
    struct group_sent *sent; /* by number, from 1 */
    uint32_t count, from;
    struct table sequences, calls; /* of number and receiver */
    uint32_t joins;
    uint32_t casting; /* the sender, while it casts */
    uint32_t refused_count, refused[GROUP_MEMBERS_MAX];
    int errors[GROUP_MEMBERS_MAX];
} groups;

const char *groups_scope(uint32_t group) { return scopes[group / 4]; }
const char *groups_name(uint32_t group) { return names[group % 4]; }
static uint64_t key_of(uint32_t number, uint32_t actor) { return (uint64_t)number << 32 | actor; }

void groups_init(void)
{
    memset(&groups, 0, sizeof groups);
    groups.sent = malloc(GROUPS_SENT_MAX * sizeof *groups.sent);
    if (groups.sent == NULL)
        abort();
    groups.count = groups.from = 1;
}

void groups_fini(void)
{
    free(groups.sent);
    table_fini(&groups.sequences);
    table_fini(&groups.calls);
}

/* The members in the order of their joins. */
uint32_t groups_members(uint32_t group, uint32_t *members)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < model.actors.count; i++) {
        const struct model_actor *actor = model_actor_at(i);
        if (actor->ended || (actor->groups & 1u << group) == 0 || count == GROUP_MEMBERS_MAX)
            continue;
        uint32_t at = count++;
        for (; at > 0 && model_actor_at(members[at - 1])->joined[group] > actor->joined[group]; at--)
            members[at] = members[at - 1];
        members[at] = i;
    }
    return count;
}

/* ---- join and leave ---- */

static void join(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t group)
{
    struct model_actor *actor = model_actor_at(to);
    int rc = to == self ? troupe_group_join(ctx, groups_scope(group), groups_name(group))
                        : troupe_group_add(ctx, groups_scope(group), groups_name(group), actor->ref);

    sim_event("join", self, (uint64_t)to << 8 | group, (uint64_t)(int64_t)rc);
    if (rc == 0 && actor->ended)
        sim_fail("actor %u, which has ended, could join a group", to);
    if (rc == TROUPE_E_GONE && actor->state < TROUPE_STATE_STOPPING && !actor->ended) {
        troupe_peek peek;
        if (model_look(to, &peek) == 0 && peek.state < TROUPE_STATE_STOPPING)
            sim_fail("actor %u cannot join a group: it is called gone while it lives", to);
    }
    if (rc != 0 || (actor->groups & 1u << group) != 0)
        return;
    actor->groups |= 1u << group;
    actor->joined[group] = ++groups.joins;
}

static void leave(troupe_ctx *ctx, uint32_t self, uint32_t to, uint32_t group)
{
    struct model_actor *actor = model_actor_at(to);
    bool was_member = (actor->groups & 1u << group) != 0 && !actor->ended;
    int rc = to == self ? troupe_group_leave(ctx, groups_scope(group), groups_name(group))
                        : troupe_group_remove(ctx, groups_scope(group), groups_name(group), actor->ref);

    sim_event("leave", self, (uint64_t)to << 8 | group, (uint64_t)(int64_t)rc);
    if (rc == TROUPE_E_KILLED || rc == TROUPE_E_STATE)
        return;
    if ((rc == 0) != was_member)
        sim_fail("actor %u, which is %s member, left the group %s: %s", to, was_member ? "a" : "no", groups_name(group),
                 rc == 0 ? "yes" : troupe_error_lookup(rc)->code);
    if (rc == 0)
        actor->groups &= ~(1u << group);
}

/* ---- send ---- */

/* A body for all: with a number, of which more is known here. */
static troupe_body body_of(troupe_ctx *ctx, uint32_t self, uint32_t energy, uint32_t number)
{
    troupe_body body = chaos_body(troupe_random(ctx), self, 0, energy, 0, 0);
    struct note note;

    memcpy(&note, body.ptr, sizeof note);
    note.group = number;
    memcpy((void *)(uintptr_t)body.ptr, &note, sizeof note);
    return body;
}

static uint32_t new_sent(uint32_t self, uint32_t members)
{
    if (groups.count == GROUPS_SENT_MAX)
        abort();
    groups.sent[groups.count] = (struct group_sent){.sender = self, .members = members};
    return groups.count++;
}

void groups_dead_letter(troupe_ref to, troupe_ref from, int error)
{
    const struct model_actor *receiver = model_actor_at(model_find(to));

    if (groups.casting == 0 || model_find(from) != groups.casting || groups.refused_count == GROUP_MEMBERS_MAX ||
        (receiver->policy == TROUPE_DROP_OLDEST && error == TROUPE_E_SHED)) /* an older one had to go */
        return;
    groups.refused[groups.refused_count] = model_find(to);
    groups.errors[groups.refused_count++] = error;
}

static int result_of(uint32_t member)
{
    for (uint32_t i = 0; i < groups.refused_count; i++)
        if (groups.refused[i] == member)
            return groups.errors[i];
    return 0;
}

static void cast(troupe_ctx *ctx, uint32_t self, uint32_t group, uint32_t energy)
{
    uint32_t members[GROUP_MEMBERS_MAX], count = groups_members(group, members), number = new_sent(self, count),
                                         refused = 0;
    troupe_body body = body_of(ctx, self, energy, number);
    troupe_group_counts counts = {0};

    for (uint32_t i = 0; i < count; i++) {
        *table_at(&groups.sequences, key_of(number, members[i])) = model_sequence(self, members[i]);
        model_sending(self, members[i]);
    }
    groups.casting = self;
    groups.refused_count = 0;
    int rc = troupe_group_cast(ctx, groups_scope(group), groups_name(group), "note", body, &counts);
    groups.casting = 0;
    for (uint32_t i = 0; i < count; i++) {
        int error = rc != 0 ? rc : result_of(members[i]);
        refused += error != 0;
        model.was_ended = false;
        model_sent(self, members[i], error);
    }
    groups.sent[number].over = true;
    sim_event("group cast", self, group, counts.members);
    if (rc == 0 &&
        (counts.members != count || counts.refused != refused || counts.accepted + counts.refused != counts.members))
        sim_fail("a cast to %u members, %u of which refused it, counts %u and %u", count, refused, counts.members,
                 counts.refused);
}

static int on_result(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    uint32_t member = model_find(reply->from), self = *(uint32_t *)state;
    uint64_t id = *table_at(&groups.calls, key_of((uint32_t)reply->tag, member));
    troupe_msg result = *reply;

    if (id == 0 || groups.sent[reply->tag].sender != self) {
        sim_fail("actor %u got the result of a member that it did not call", self);
        return 0;
    }
    groups.sent[reply->tag].results++;
    result.tag = id;
    return chaos_on_reply(ctx, state, &result);
}

static int on_all_results(troupe_ctx *ctx, void *state, uint64_t tag, const troupe_group_counts *counts)
{
    struct group_sent *sent = &groups.sent[tag];
    uint32_t self = *(uint32_t *)state;

    (void)ctx;
    if (!model_enter(self, "group results") || sim_world.failed)
        return 0;
    if (sent->over || sent->sender != self || sent->results != sent->members || counts->members != sent->members ||
        counts->accepted + counts->refused != counts->members)
        sim_fail("actor %u called %u members and got %u results, counted as %u", self, sent->members, sent->results,
                 counts->members);
    sent->over = true;
    return 0;
}

static void call(troupe_ctx *ctx, uint32_t self, uint32_t group, uint32_t energy)
{
    uint32_t members[GROUP_MEMBERS_MAX], count = groups_members(group, members), number = new_sent(self, count);
    uint32_t timeout_ms = chaos_below(ctx, 2) == 0 ? 0 : 1 + chaos_below(ctx, 200), first = model.calls.count;
    struct group_sent *sent = &groups.sent[number];

    sent->is_call = true;
    sent->deadline_ms = sim_now_ms() + (timeout_ms == 0 ? TROUPE_CALL_TIMEOUT_MS_DEFAULT : timeout_ms);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = model_add_call();
        model.calls.at[id] =
            (struct model_call){.caller = self, .callee = members[i], .group = true, .deadline_ms = sent->deadline_ms};
        *table_at(&groups.calls, key_of(number, members[i])) = id;
        *table_at(&groups.sequences, key_of(number, members[i])) = model_sequence(self, members[i]);
        model_calling(self, members[i], id);
        ++*table_at(&model.sent, (uint64_t)self << 32 | members[i]);
        ++*table_at(&model.fulls, (uint64_t)self << 32 | members[i]); /* perhaps; it is told later */
    }
    int rc = troupe_group_call(ctx, groups_scope(group), groups_name(group), "work", body_of(ctx, self, energy, number),
                               timeout_ms, on_result, on_all_results, number);
    sim_event("group call", self, (uint64_t)group << 32 | count, (uint64_t)(int64_t)rc);
    sent->over = rc != 0;
    for (uint32_t id = first; rc != 0 && id < first + count; id++)
        model.calls.at[id].over = model.calls.at[id].refused = true;
}

bool groups_resolve(uint32_t self, struct note *note, enum troupe_msg_kind kind)
{
    if (note->group == 0)
        return true;
    note->sequence = *table_at(&groups.sequences, key_of(note->group, self));
    if (kind == TROUPE_MSG_CALL)
        note->call = (uint32_t)*table_at(&groups.calls, key_of(note->group, self));
    return note->sequence != 0 || sim_fail("actor %u got a message to a group of which it was no member", self);
}

/* ---- the choice ---- */

void groups_act(troupe_ctx *ctx, uint32_t self, uint32_t energy)
{
    uint32_t group = chaos_below(ctx, MODEL_GROUPS), to = chaos_target(ctx);

    switch (chaos_below(ctx, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        join(ctx, self, self, group);
        break;
    case 4:
        join(ctx, self, to, group);
        break;
    case 5:
        leave(ctx, self, self, group);
        break;
    case 6:
        leave(ctx, self, to, group);
        break;
    case 7:
    case 8:
        cast(ctx, self, group, energy / 2);
        break;
    default:
        call(ctx, self, group, energy / 2);
        break;
    }
}

/* ---- judge ---- */

static bool rest_group(uint32_t group)
{
    uint32_t members[GROUP_MEMBERS_MAX], count = groups_members(group, members), at = 0, got;
    troupe_view scope = troupe_view_of(groups_scope(group)), name = troupe_view_of(groups_name(group));
    troupe_ref refs[5];
    uint64_t cursor = 0;

    if (troupe_system_group_size(sim_world.system, scope, name) != count)
        return sim_fail("the group %s/%s has %u members instead of %u", groups_scope(group), groups_name(group),
                        troupe_system_group_size(sim_world.system, scope, name), count);
    while ((got = troupe_system_group_members(sim_world.system, scope, name, &cursor, refs, 5)) > 0)
        for (uint32_t i = 0; i < got; i++, at++)
            if (at >= count || !troupe_ref_equal(refs[i], model_actor_at(members[at])->ref))
                return sim_fail("member %u of the group %s/%s is not the one that joined then", at, groups_scope(group),
                                groups_name(group));
    return at == count ||
           sim_fail("the group %s/%s shows %u of %u members", groups_scope(group), groups_name(group), at, count);
}

bool groups_rest(void)
{
    for (uint32_t group = 0; group < MODEL_GROUPS; group++)
        if (!rest_group(group))
            return false;
    while (groups.from < groups.count && groups.sent[groups.from].over)
        groups.from++;
    for (uint32_t i = groups.from; i < groups.count; i++) {
        struct group_sent *sent = &groups.sent[i];
        const struct model_actor *sender = model_actor_at(sent->sender);
        sent->over |= sender->ended;
        if (sent->over || sender->waits || sender->is_suspended || sender->state >= TROUPE_STATE_STOPPING)
            continue;
        if (sim_now_ms() > sent->deadline_ms + 2 || sent->results == sent->members)
            return sim_fail("actor %u called %u members of a group and was told %u results, and no end", sent->sender,
                            sent->members, sent->results);
    }
    return true;
}
