/* SPDX-License-Identifier: Apache-2.0
 *
 * Alarms: long mailboxes and long turns are told once when they begin and once when they are over. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;
static uint64_t clock_ns; /* of turns */
static struct {
    unsigned set, cleared;
    troupe_alarm last;
} told;

static uint64_t read_clock(void *user)
{
    (void)user;
    return clock_ns;
}

static void on_alarm(void *user, const troupe_alarm *alarm, bool is_set)
{
    (void)user;
    told.set += is_set;
    told.cleared += !is_set;
    told.last = *alarm;
}

static void open_with(uint32_t mailbox_percent, uint32_t turn_ms)
{
    memset(&told, 0, sizeof told);
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 4096, .clock_ns = read_clock,
                                               .alarm = on_alarm, .alarm_mailbox_percent = mailbox_percent,
                                               .alarm_turn_ms = turn_ms});
}

static int set_up(void **state)
{
    (void)state;
    open_with(0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->error, 0);
}

static void suspend(const struct puppet *puppet, bool on)
{
    troupe_request request = {0};

    troupe_request_suspend(lab.worker, &request, on_done, puppet->ref, on, 1000);
    lab_run(&lab);
}

static uint32_t alarms_now(void) { return troupe_system_alarms(lab.system, NULL, 0); }

/* ---- long mailboxes ---- */

static void test_a_long_mailbox_is_told_once_and_again_when_it_is_short(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 10};
    troupe_alarm alarm;
    troupe_stats stats;

    (void)state;
    lab_spawn(&lab, &puppet, &opts);
    suspend(&puppet, true);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(lab_note(&lab, &puppet), 0);
        lab_run(&lab);
        assert_int_equal(told.set, i >= 8); /* 80 % */
    }
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(lab_note(&lab, &puppet), TROUPE_E_FULL);
    lab_pass(&lab, 5000);
    assert_int_equal(told.set, 1);
    assert_int_equal(told.cleared, 0);
    assert_int_equal(troupe_system_alarms(lab.system, &alarm, 1), 1);
    assert_int_equal(alarm.kind, TROUPE_ALARM_LONG_MAILBOX);
    assert_string_equal(troupe_alarm_word(alarm.kind), "long_mailbox");
    assert_true(troupe_ref_equal(alarm.actor, puppet.ref));
    assert_string_equal(alarm.behavior, "puppet");
    assert_int_equal(alarm.threshold, 8);
    assert_int_equal(alarm.value, 10); /* the worst so far */
    suspend(&puppet, false);
    lab_pass(&lab, 500);
    assert_int_equal(told.cleared, 0); /* it has to stay short */
    lab_pass(&lab, 1000);
    assert_int_equal(told.set, 1);
    assert_int_equal(told.cleared, 1);
    assert_int_equal(alarms_now(), 0);
    troupe_system_stats(lab.system, &stats);
    assert_int_equal(stats.alarms_set, 1);
    suspend(&puppet, true); /* and it can be set again */
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab);
    assert_int_equal(told.set, 2);
}

/* It runs all the time and cannot keep up: found at the end of its share. */
static void test_a_busy_actor_with_a_long_mailbox_is_told(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 2000};

    (void)state;
    lab_spawn(&lab, &puppet, &opts);
    for (unsigned i = 0; i < 1900; i++)
        assert_int_equal(lab_note(&lab, &puppet), 0);
    assert_int_equal(told.set, 0); /* nothing is looked at on the way of a message */
    lab_run(&lab);
    assert_int_equal(told.set, 1);
    lab_pass(&lab, 1500);
    assert_int_equal(told.cleared, 1);
}

/* Nobody runs it, so its senders tell. */
static void test_a_refusal_tells_of_a_full_mailbox(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 10};

    (void)state;
    lab_spawn(&lab, &puppet, &opts);
    while (lab_note(&lab, &puppet) == 0)
        continue;
    assert_int_equal(told.set, 1);
    lab_pass(&lab, 1500);
    assert_int_equal(told.cleared, 1);
}

static void test_an_alarm_ends_with_its_actor(void **state)
{
    PUPPET(puppet, 'p');
    PUPPET(successor, 's');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 10};
    static struct lab_request killed;

    (void)state;
    lab_spawn(&lab, &puppet, &opts);
    suspend(&puppet, true);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab);
    assert_int_equal(told.set, 1);
    lab_stop(&lab, puppet.ref, TROUPE_KILL, &killed, 100);
    lab_run(&lab);
    lab_spawn(&lab, &successor, &opts); /* perhaps in its slot: an alarm of its own */
    suspend(&successor, true);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(lab_note(&lab, &successor), 0);
    lab_run(&lab);
    assert_int_equal(told.set, 2);
    lab_pass(&lab, 1500);
    assert_int_equal(told.cleared, 1);
    assert_int_equal(alarms_now(), 1);
}

static void test_the_list_of_alarms_is_bounded(void **state)
{
    static struct puppet puppets[TROUPE_ALARMS_MAX + 10];
    const troupe_spawn_opts opts = {.mailbox_messages_max = 1};
    troupe_stats stats;

    (void)state;
    for (unsigned i = 0; i < TROUPE_ALARMS_MAX + 10; i++) {
        puppets[i] = (struct puppet){.letter = 'p'};
        lab_spawn(&lab, &puppets[i], &opts);
        suspend(&puppets[i], true);
        assert_int_equal(lab_note(&lab, &puppets[i]), 0);
        lab_run(&lab);
    }
    assert_int_equal(alarms_now(), TROUPE_ALARMS_MAX);
    assert_int_equal(told.set, TROUPE_ALARMS_MAX);
    troupe_system_stats(lab.system, &stats);
    assert_true(stats.alarms_missed >= 10); /* each time that it is found long */
    for (unsigned i = 0; i < TROUPE_ALARMS_MAX + 10; i++)
        suspend(&puppets[i], false);
    lab_pass(&lab, 2000);
    assert_int_equal(alarms_now(), 0);
    assert_int_equal(told.cleared, TROUPE_ALARMS_MAX);
}

static void test_an_alarm_for_which_there_was_no_room_is_set_when_there_is(void **state)
{
    static struct puppet puppets[TROUPE_ALARMS_MAX + 1];
    const troupe_spawn_opts opts = {.mailbox_messages_max = 1};
    struct puppet *last = &puppets[TROUPE_ALARMS_MAX];
    troupe_alarm alarm;

    (void)state;
    for (unsigned i = 0; i <= TROUPE_ALARMS_MAX; i++) {
        puppets[i] = (struct puppet){.letter = 'p'};
        lab_spawn(&lab, &puppets[i], &opts);
        suspend(&puppets[i], true);
        assert_int_equal(lab_note(&lab, &puppets[i]), 0);
        lab_run(&lab);
    }
    for (unsigned i = 0; i < TROUPE_ALARMS_MAX; i++)
        suspend(&puppets[i], false);
    lab_pass(&lab, 2000);
    assert_int_equal(alarms_now(), 0);
    assert_int_equal(lab_note(&lab, last), TROUPE_E_FULL); /* its mailbox was long all the time */
    lab_run(&lab);
    assert_int_equal(troupe_system_alarms(lab.system, &alarm, 1), 1);
    assert_true(troupe_ref_equal(alarm.actor, last->ref));
}

static void test_alarms_can_be_off(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 10};

    (void)state;
    lab_close(&lab);
    open_with(TROUPE_ALARM_OFF, TROUPE_ALARM_OFF);
    lab_spawn(&lab, &puppet, &opts);
    while (lab_note(&lab, &puppet) == 0)
        continue;
    lab_run(&lab);
    assert_int_equal(told.set, 0);
}

/* ---- long turns ---- */

static int take_long(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    clock_ns += self->number * 1000000u;
    return 0;
}

static void test_a_long_turn_is_told_and_is_over_after_a_while_without(void **state)
{
    PUPPET(puppet, 'p');
    troupe_alarm alarm;
    troupe_behavior_stats stats;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    puppet.number = 99;
    lab_do(&lab, &puppet, take_long);
    assert_int_equal(told.set, 0);
    puppet.number = 150;
    lab_do(&lab, &puppet, take_long);
    assert_int_equal(told.set, 1);
    assert_int_equal(told.last.kind, TROUPE_ALARM_LONG_TURN);
    assert_string_equal(troupe_alarm_word(told.last.kind), "long_turn");
    assert_int_equal(told.last.value, 150);
    assert_int_equal(told.last.threshold, 100);
    assert_true(troupe_ref_equal(told.last.actor, puppet.ref));
    lab_pass(&lab, TROUPE_ALARM_QUIET_MS / 2);
    puppet.number = 300;
    lab_do(&lab, &puppet, take_long); /* again: no second alarm, but a later end */
    lab_pass(&lab, TROUPE_ALARM_QUIET_MS - 1000);
    assert_int_equal(told.set, 1);
    assert_int_equal(troupe_system_alarms(lab.system, &alarm, 1), 1);
    assert_int_equal(alarm.value, 300);
    lab_pass(&lab, 2000);
    assert_int_equal(told.cleared, 1);
    assert_int_equal(alarms_now(), 0);
    troupe_system_behavior_stats(lab.system, troupe_system_behavior(lab.system, troupe_view_of("puppet")), &stats);
    assert_int_equal(stats.busy_ns / 1000000, 99 + 150 + 300);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_long_mailbox_is_told_once_and_again_when_it_is_short),
        TEST(test_a_busy_actor_with_a_long_mailbox_is_told),
        TEST(test_a_refusal_tells_of_a_full_mailbox),
        TEST(test_an_alarm_ends_with_its_actor),
        TEST(test_the_list_of_alarms_is_bounded),
        TEST(test_an_alarm_for_which_there_was_no_room_is_set_when_there_is),
        TEST(test_alarms_can_be_off),
        TEST(test_a_long_turn_is_told_and_is_over_after_a_while_without),
    };
    return cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
}
