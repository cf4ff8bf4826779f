/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups, as actors use them: members, scopes, watches. The tests named after a symptom are of bugs that Ractor's pg
 * had, and of traps. */
#include "group_world.h"

#include <stdio.h>
#include <stdlib.h>

static int leave(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    rc_seen = troupe_group_leave(ctx, scope, group);
    return 0;
}

static int add_other(troupe_ctx *ctx, struct puppet *self)
{
    rc_seen = troupe_group_add(ctx, scope, group, self->other->ref);
    return 0;
}

static int remove_other(troupe_ctx *ctx, struct puppet *self)
{
    rc_seen = troupe_group_remove(ctx, scope, group, self->other->ref);
    return 0;
}

/* The members, in their order; returns how many. */
static uint32_t members_of(const char *in_scope, const char *in_group, troupe_ref *refs, uint32_t max)
{
    uint64_t cursor = 0;

    return troupe_system_group_members(lab.system, troupe_view_of(in_scope), troupe_view_of(in_group), &cursor, refs,
                                       max);
}

/* The list of groups or scopes as text: "scope/group=size ". */
static char listed[1024];

static bool list_one(void *user, troupe_view in_scope, troupe_view in_group, uint32_t size)
{
    size_t len = strlen(listed);

    (void)user;
    snprintf(listed + len, sizeof listed - len, "%.*s/%.*s=%u ", (int)in_scope.len, in_scope.ptr, (int)in_group.len,
             in_group.ptr, size);
    return true;
}

static const char *list(bool scopes)
{
    uint64_t cursor = 0;

    listed[0] = '\0';
    while (troupe_system_scan_groups(lab.system, scopes, &cursor, 7, list_one, NULL)) {}
    return listed;
}

/* ---- members ---- */

static void test_members_stand_in_the_order_of_joining(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');
    PUPPET(c, 'c');
    troupe_ref refs[8];

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    lab_spawn(&lab, &c, NULL);
    b.other = &c;
    assert_int_equal(do_in(&a, join, "", "room"), 0);
    assert_int_equal(do_in(&b, add_other, "", "room"), 0);
    assert_int_equal(do_in(&b, join, "", "room"), 0);
    assert_int_equal(members_of("", "room", refs, 8), 3);
    assert_true(troupe_ref_equal(refs[0], a.ref) && troupe_ref_equal(refs[1], c.ref) &&
                troupe_ref_equal(refs[2], b.ref));
    assert_int_equal(do_in(&b, remove_other, "", "room"), 0);
    assert_int_equal(do_in(&b, remove_other, "", "room"), TROUPE_E_NOT_FOUND);
    assert_int_equal(members_of("", "room", refs, 8), 2);
    assert_int_equal(members_of("", "room", refs, 1), 1);
    assert_int_equal(members_of("other", "room", refs, 8), 0);
    assert_int_equal(do_in(&a, leave, "", "room"), 0);
    assert_int_equal(do_in(&b, leave, "", "room"), 0);
    assert_int_equal(do_in(&b, leave, "", "room"), TROUPE_E_NOT_FOUND);
    assert_string_equal(list(false), "");
}

/* Ractor's pg: a dead actor that was joined stayed for ever. */
static void test_a_dead_actor_that_is_joined_does_not_stay_for_ever(void **state)
{
    PUPPET(a, 'a');
    PUPPET(dead, 'd');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &dead, NULL);
    kill_puppet(&dead);
    a.other = &dead;
    assert_int_equal(do_in(&a, add_other, "", "room"), TROUPE_E_GONE);
    assert_int_equal(troupe_system_group_join(lab.system, troupe_view_of(""), troupe_view_of("room"), dead.ref),
                     TROUPE_E_GONE);
    assert_int_equal(size_of("", "room"), 0);
    assert_string_equal(list(false), "");
}

static int join_in_stop(troupe_ctx *ctx, struct puppet *self)
{
    rc_seen = troupe_group_join(ctx, scope, group);
    (void)self;
    return 0;
}

static int add_other_who_stops(troupe_ctx *ctx, struct puppet *self)
{
    rc_seen = troupe_group_add(ctx, scope, group, self->ref); /* it was told to stop in this turn, and still is alive */
    troupe_stop_self(ctx, "the test says so");
    return 0;
}

static void test_who_joins_while_it_ends_does_not_stay(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    a.on_stop = join_in_stop;
    lab_do(&lab, &a, puppet_end);
    assert_int_equal(rc_seen, TROUPE_E_STATE);
    lab_spawn(&lab, &b, NULL);
    assert_int_equal(do_in(&b, add_other_who_stops, "", "room"), 0);
    assert_int_equal(size_of("", "room"), 0);
}

static int look_at_the_room(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_group_size(ctx, "", "room");
    return 0;
}

static void test_who_ends_has_left_before_its_monitors_hear_of_it(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');

    (void)state;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    watcher.other = &a;
    watcher.on_down = look_at_the_room;
    (void)do_in(&a, join, "", "room");
    lab_do(&lab, &watcher, puppet_monitor_other);
    watcher.number = 99;
    kill_puppet(&a);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.number, 0);
}

/* Ractor's pg: the leave of one member took the group out of the index of its scope, though others remained. */
static void test_the_leave_of_one_member_keeps_the_group_of_the_others(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    assert_int_equal(do_in(&a, join, "s", "room"), 0);
    assert_int_equal(do_in(&b, join, "s", "room"), 0);
    assert_int_equal(do_in(&a, leave, "s", "room"), 0);
    assert_string_equal(list(false), "s/room=1 ");
    assert_string_equal(list(true), "s/=1 ");
    kill_puppet(&b);
    assert_string_equal(list(false), "");
    assert_string_equal(list(true), "");
}

/* Ractor's pg: which_scopes gave duplicates. */
static void test_groups_and_scopes_are_listed_once(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(do_in(&a, join, "s", "one"), 0);
        assert_int_equal(do_in(&b, join, "s", "one"), 0);
        assert_int_equal(do_in(&b, join, "s", "two"), 0);
    }
    assert_string_equal(list(true), "s/=2 ");
    (void)list(false);
    assert_int_equal(strlen(listed), strlen("s/one=2 s/two=1 "));
    assert_non_null(strstr(listed, "s/one=2 "));
    assert_non_null(strstr(listed, "s/two=1 "));
}

static unsigned shown, shown_size;

static bool count_group(void *user, troupe_view in_scope, troupe_view in_group, uint32_t size)
{
    (void)user, (void)in_scope, (void)in_group;
    shown++;
    shown_size += size;
    return shown % 3 != 0; /* the walk is interrupted again and again */
}

static void test_a_thousand_groups_are_walked_in_slices_each_once(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');
    uint64_t cursor = 0;
    char name[16];

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    for (unsigned i = 0; i < TROUPE_GROUPS_PER_ACTOR_MAX; i++) {
        snprintf(name, sizeof name, "g%u", i);
        assert_int_equal(do_in(&a, join, "", name), 0);
    }
    assert_int_equal(do_in(&a, join, "", "more"), TROUPE_E_LIMIT);
    assert_int_equal(do_in(&b, join, "", "g7"), 0);
    shown = shown_size = 0;
    while (troupe_system_scan_groups(lab.system, false, &cursor, 5, count_group, NULL)) {}
    assert_int_equal(shown, TROUPE_GROUPS_PER_ACTOR_MAX);
    assert_int_equal(shown_size, TROUPE_GROUPS_PER_ACTOR_MAX + 1);
    kill_puppet(&a);
    assert_string_equal(list(false), "/g7=1 ");
}

static void test_what_is_no_group(void **state)
{
    PUPPET(a, 'a');
    uint64_t cursor = 0;
    troupe_ref refs[1];
    char longest[TROUPE_TYPE_BYTES_MAX + 2];

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    lab_spawn(&lab, &a, NULL);
    assert_int_equal(do_in(&a, join, "", ""), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, join, "", "a b"), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, join, "a/b", "room"), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, join, "", longest), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, leave, "", longest), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, join, longest, "room"), TROUPE_E_INVALID);
    assert_int_equal(do_in(&a, join, longest + 1, longest + 1), 0);
    assert_int_equal(size_of(longest, longest), 0);
    assert_int_equal(
        troupe_system_group_members(lab.system, troupe_view_of(""), troupe_view_of(longest), &cursor, refs, 1), 0);
}

/* Leave, if it is a member still. */
static void leave_many(const struct puppet *puppet)
{
    int rc = troupe_system_group_leave(lab.system, troupe_view_of(""), troupe_view_of("many"), puppet->ref);

    assert_true(rc == 0 || rc == TROUPE_E_NOT_FOUND);
}

/* Joins and leaves in all places: members stand in blocks, which come and go. */
static void test_members_are_read_in_slices_once_though_others_come_and_go(void **state)
{
    enum { COUNT = 1500 };
    static struct puppet puppets[COUNT];
    static bool seen[COUNT];
    troupe_view in = troupe_view_of("");
    troupe_ref refs[50];
    uint64_t cursor = 0;
    uint32_t got, gone = 0, read = 0, again = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        puppets[i] = (struct puppet){.letter = 'p'};
        seen[i] = false;
        lab_spawn(&lab, &puppets[i], NULL);
        assert_int_equal(troupe_system_group_join(lab.system, in, troupe_view_of("many"), puppets[i].ref), 0);
    }
    while ((got = troupe_system_group_members(lab.system, in, troupe_view_of("many"), &cursor, refs, 50)) > 0) {
        for (uint32_t i = 0; i < got; i++)
            for (unsigned k = 0; k < COUNT; k++)
                if (troupe_ref_equal(refs[i], puppets[k].ref)) {
                    again += seen[k];
                    seen[k] = true;
                    read++;
                }
        for (unsigned k = 0; k < 40; k++, gone++) /* two of three leave, before, at and behind the place of reading */
            if (gone < COUNT && gone % 3 != 0)
                leave_many(&puppets[gone * 7 % COUNT]);
    }
    assert_int_equal(again, 0);
    for (unsigned i = 0; i < COUNT; i++)
        if (!seen[i]) /* who was never shown has left */
            assert_int_equal(troupe_system_group_leave(lab.system, in, troupe_view_of("many"), puppets[i].ref),
                             TROUPE_E_NOT_FOUND);
    assert_in_range(read, COUNT / 3, COUNT);
    cursor = 0;
    read = 0;
    while ((got = troupe_system_group_members(lab.system, in, troupe_view_of("many"), &cursor, refs, 50)) > 0)
        read += got;
    assert_int_equal(read, size_of("", "many"));
    for (unsigned i = 0; i < COUNT; i++)
        leave_many(&puppets[i]);
    assert_int_equal(size_of("", "many"), 0);
    assert_string_equal(list(false), "");
}

/* ---- watches ---- */

static struct {
    char log[512]; /* "+a:2 " join of a, 2 members; "-a:1 " */
    uint64_t watch, lagged, other_watch;
    unsigned events;
} told;

static int on_change(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_msg *msg = self->msg;
    char text[TROUPE_REF_TEXT_MAX], body[300];
    const char *members;
    size_t len = strlen(told.log);

    (void)ctx;
    assert_int_equal(msg->kind, TROUPE_MSG_GROUP);
    assert_int_equal(msg->op, TROUPE_OP_NONE);
    snprintf(body, sizeof body, "%.*s", (int)msg->body_len, (const char *)msg->body);
    (void)troupe_ref_format(msg->from, text);
    assert_non_null(strstr(body, text));
    members = strstr(body, "\"members\":");
    assert_non_null(members);
    told.lagged += (uint64_t)msg->status;
    told.events++;
    for (struct puppet *puppet = lab.puppets; puppet != NULL; puppet = puppet->next)
        if (troupe_ref_equal(puppet->ref, msg->from))
            snprintf(told.log + len, sizeof told.log - len, "%c%c:%d ", msg->type[0] == 'j' ? '+' : '-', puppet->letter,
                     atoi(members + strlen("\"members\":")));
    return 0;
}

static int watch(troupe_ctx *ctx, struct puppet *self)
{
    self->on_event = on_change;
    rc_seen = troupe_group_watch(ctx, scope, group, &told.watch);
    return 0;
}

static int unwatch(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    rc_seen = troupe_group_unwatch(ctx, told.watch);
    return 0;
}

static void test_a_watch_tells_each_join_and_leave(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    memset(&told, 0, sizeof told);
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    assert_int_equal(do_in(&watcher, watch, "s", "room"), 0);
    assert_string_equal(list(false), ""); /* who looks makes no group */
    (void)do_in(&a, join, "s", "room");
    (void)do_in(&b, join, "s", "room");
    (void)do_in(&b, join, "s", "elsewhere");
    (void)do_in(&b, join, "", "room");
    (void)do_in(&a, leave, "s", "room");
    kill_puppet(&b);
    assert_string_equal(told.log, "+a:1 +b:2 -a:1 -b:0 ");
    assert_int_equal(do_in(&watcher, unwatch, "s", "room"), 0);
    assert_int_equal(do_in(&watcher, unwatch, "s", "room"), TROUPE_E_NOT_FOUND);
    (void)do_in(&a, join, "s", "room");
    assert_int_equal(told.events, 4);
}

/* Ractor's pg: a repeated join told the monitors again. */
static void test_a_repeated_join_tells_nobody(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');

    (void)state;
    memset(&told, 0, sizeof told);
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    (void)do_in(&watcher, watch, "", "room");
    (void)do_in(&a, join, "", "room");
    (void)do_in(&a, join, "", "room");
    assert_string_equal(told.log, "+a:1 ");
    assert_int_equal(size_of("", "room"), 1);
    (void)do_in(&a, leave, "", "room");
    assert_int_equal(size_of("", "room"), 0);
}

/* Ractor's pg: an actor's end told monitors the wrong group and skipped those of all groups; those of a scope were told
 * twice. */
static void test_the_watch_of_a_scope_tells_all_its_groups_once(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');

    (void)state;
    memset(&told, 0, sizeof told);
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    assert_int_equal(do_in(&watcher, watch, "s", NULL), 0);
    (void)do_in(&a, join, "s", "one");
    (void)do_in(&a, join, "s", "two");
    (void)do_in(&a, join, "t", "one");
    kill_puppet(&a);
    assert_int_equal(told.events, 4);
    assert_non_null(strstr(told.log, "-a:0 -a:0 "));
}

/* Trap 7: a flood of group events starved messages, and filled mailboxes. */
static void test_trap_7_a_flood_of_joins_neither_fills_nor_starves_a_watcher(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');
    troupe_peek peek;
    troupe_view in = troupe_view_of("");

    (void)state;
    memset(&told, 0, sizeof told);
    lab_spawn(&lab, &watcher, &(troupe_spawn_opts){.mailbox_messages_max = 8});
    lab_spawn(&lab, &a, NULL);
    (void)do_in(&watcher, watch, "", "room");
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(troupe_system_group_join(lab.system, in, troupe_view_of("room"), a.ref), 0);
        assert_int_equal(troupe_system_group_leave(lab.system, in, troupe_view_of("room"), a.ref), 0);
    }
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
    assert_int_equal(troupe_system_peek(lab.system, watcher.ref, &peek), 0);
    assert_in_range(peek.mailbox_depth, 0, 1);
    assert_int_equal(lab_note(&lab, &watcher), 0);
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
    assert_int_equal(watcher.notes, 1);
    assert_in_range(told.events, 0, 3 * TROUPE_TURN_MESSAGES_MAX);
    lab_run(&lab);
    assert_int_equal(told.events, TROUPE_TOPIC_EVENTS_MAX);
    assert_int_equal(told.lagged, 10000 - TROUPE_TOPIC_EVENTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_members_stand_in_the_order_of_joining),
        LAB_TEST(test_a_dead_actor_that_is_joined_does_not_stay_for_ever),
        LAB_TEST(test_who_joins_while_it_ends_does_not_stay),
        LAB_TEST(test_who_ends_has_left_before_its_monitors_hear_of_it),
        LAB_TEST(test_the_leave_of_one_member_keeps_the_group_of_the_others),
        LAB_TEST(test_groups_and_scopes_are_listed_once),
        LAB_TEST(test_a_thousand_groups_are_walked_in_slices_each_once),
        LAB_TEST(test_what_is_no_group),
        LAB_TEST(test_members_are_read_in_slices_once_though_others_come_and_go),
        LAB_TEST(test_a_watch_tells_each_join_and_leave),
        LAB_TEST(test_a_repeated_join_tells_nobody),
        LAB_TEST(test_the_watch_of_a_scope_tells_all_its_groups_once),
        LAB_TEST(test_trap_7_a_flood_of_joins_neither_fills_nor_starves_a_watcher),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
