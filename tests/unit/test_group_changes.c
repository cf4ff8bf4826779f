/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins and leaves that are not told yet: who tells them, how many there may be, and what becomes of them. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;
static uint64_t told, lagged; /* events that the watcher had, and missed */

static int on_change(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    told++;
    lagged += (uint64_t)self->msg->status;
    return 0;
}

static int watch(troupe_ctx *ctx, struct puppet *self)
{
    self->on_event = on_change;
    return troupe_group_watch(ctx, NULL, "room", &self->number);
}

/* As if another thread were telling the changes of the room, and were slow. */
static void be_slow_to_tell(bool telling)
{
    struct group *room;

    assert_int_equal(troupe__group_hold(lab.system, troupe_view_of(""), troupe_view_of("room"), false, &room), 0);
    room->telling = telling;
    troupe__group_release(room);
}

static uint32_t changes_waiting(void)
{
    struct group *room;

    assert_int_equal(troupe__group_hold(lab.system, troupe_view_of(""), troupe_view_of("room"), false, &room), 0);
    uint32_t count = room->changes_count;
    troupe__group_release(room);
    return count;
}

static void come_and_go(const struct puppet *puppet, unsigned times)
{
    const troupe_view in = troupe_view_of(""), room = troupe_view_of("room");

    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(troupe_system_group_join(lab.system, in, room, puppet->ref), 0);
        assert_int_equal(troupe_system_group_leave(lab.system, in, room, puppet->ref), 0);
    }
}

/* Others who come and go all the time kept the one who told them for ever, while more and more was left to tell. */
static void test_who_joins_is_not_kept_telling_the_changes_of_others(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    told = lagged = 0;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    lab_do(&lab, &watcher, watch);
    be_slow_to_tell(true);
    come_and_go(&a, 1000);
    assert_int_equal(changes_waiting(), 2000);
    be_slow_to_tell(false);
    assert_int_equal(troupe_system_group_join(lab.system, troupe_view_of(""), troupe_view_of("room"), b.ref), 0);
    assert_in_range(changes_waiting(), 1, 1999); /* it has told some */
    lab_pass(&lab, 100);
    assert_int_equal(changes_waiting(), 0);
    assert_int_equal(told + lagged, 2001);
}

static void test_changes_that_wait_to_be_told_are_bounded(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    told = lagged = 0;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    lab_do(&lab, &watcher, watch);
    be_slow_to_tell(true);
    assert_int_equal(troupe_system_group_join(lab.system, troupe_view_of(""), troupe_view_of("room"), b.ref), 0);
    come_and_go(&a, 10 * GROUP_CHANGES_MAX);
    assert_int_equal(troupe_system_group_leave(lab.system, troupe_view_of(""), troupe_view_of("room"), b.ref), 0);
    assert_in_range(changes_waiting(), GROUP_CHANGES_MAX, GROUP_CHANGES_MAX + 2);
    be_slow_to_tell(false);
    assert_int_equal(troupe_system_group_join(lab.system, troupe_view_of(""), troupe_view_of("room"), a.ref), 0);
    lab_pass(&lab, 100);
    assert_int_equal(changes_waiting(), 0);
    assert_int_equal(troupe_system_group_size(lab.system, troupe_view_of(""), troupe_view_of("room")), 1);
    assert_in_range(told + lagged, GROUP_CHANGES_MAX, GROUP_CHANGES_MAX + 3);
}

/* A topic that nobody reads at the moment: no reader's notice wakes a worker. */
static struct troupe_topic *leave_changes_to_worker_0(const struct puppet *a, const struct puppet *b)
{
    struct troupe_topic *topic;

    assert_int_equal(troupe_system_group_topic(lab.system, troupe_view_of(""), troupe_view_of("room"), &topic), 0);
    be_slow_to_tell(true);
    come_and_go(a, 1000);
    be_slow_to_tell(false);
    assert_true(troupe_worker_park(lab.worker));
    assert_int_equal(troupe_system_group_join(lab.system, troupe_view_of(""), troupe_view_of("room"), b->ref), 0);
    assert_true(changes_waiting() > 0);
    return topic;
}

static void test_worker_0_does_not_sleep_when_changes_are_left_to_it(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    struct troupe_topic *topic = leave_changes_to_worker_0(&a, &b);
    assert_int_equal(atomic_load(&lab.system->parked), 0);
    assert_false(troupe_worker_park(lab.worker)); /* also when it was about to */
    lab_run(&lab);
    assert_int_equal(changes_waiting(), 0);
    troupe_topic_release(topic);
}

static void test_changes_that_nobody_was_told_of_are_freed_at_the_end(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    struct troupe_topic *topic = leave_changes_to_worker_0(&a, &b);
    troupe_topic_release(topic); /* the changes keep the group */
    troupe__port_fail_after(1);
    troupe_system_free(lab.system);
    troupe__port_fail_after(0);
    assert_int_equal(troupe__heap_bytes(), 0);
    lab_open(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_who_joins_is_not_kept_telling_the_changes_of_others),
        LAB_TEST(test_changes_that_wait_to_be_told_are_bounded),
        LAB_TEST(test_worker_0_does_not_sleep_when_changes_are_left_to_it),
        LAB_TEST(test_changes_that_nobody_was_told_of_are_freed_at_the_end),
    };
    return cmocka_run_group_tests_name("group_changes", tests, NULL, NULL);
}
