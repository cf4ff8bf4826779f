/* SPDX-License-Identifier: Apache-2.0
 *
 * Which actor runs next, and on which worker: a receiver before those who wait, within bounds; quick work stays where
 * it is, work that lasts is shared. Two workers on virtual time, driven by one thread; what threads do to the queues
 * together is for tests/stress. */
#include "lib/lab.h"

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define CROWD 8

static struct lab lab;
static troupe_worker *second;
static unsigned wakes;
static uint64_t clock_now_ns;
static char order[64];

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    assert_int_equal(worker, 1);
    wakes++;
}

static uint64_t on_clock(void *user)
{
    (void)user;
    return clock_now_ns;
}

static int set_up(void **state, bool has_clock)
{
    (void)state;
    wakes = 0;
    clock_now_ns = 1;
    order[0] = '\0';
    lab_open_with(&lab,
                  (troupe_system_config){
                      .actors_max = 4096, .workers = 2, .wake = on_wake, .clock_ns = has_clock ? on_clock : NULL});
    second = troupe_system_worker(lab.system, 1);
    troupe_worker_set_now(second, lab.now_ns);
    return 0;
}

static int open_lab(void **state) { return set_up(state, false); }

static int open_lab_with_clock(void **state) { return set_up(state, true); }

static int close_lab(void **state)
{
    (void)state;
    troupe_worker_unpark(second);
    while (troupe_worker_poll(second, lab.now_ns, 64) == 0)
        ;
    lab_close(&lab);
    return 0;
}

static uint64_t steals(void)
{
    troupe_stats stats;
    troupe_system_stats(lab.system, &stats);
    return stats.steals;
}

static int write_letter(troupe_ctx *ctx, struct puppet *self)
{
    size_t len = strlen(order);
    (void)ctx;
    assert_true(len + 1 < sizeof order);
    order[len] = self->letter;
    order[len + 1] = '\0';
    return 0;
}

static int be_slow(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx, (void)self;
    clock_now_ns += NS_PER_MS;
    return 0;
}

static void spawn_crowd(struct puppet *crowd, puppet_fn on_note)
{
    memset(crowd, 0, CROWD * sizeof *crowd);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i].letter = (char)('a' + i);
        crowd[i].on_note = on_note;
        lab_spawn(&lab, &crowd[i], NULL);
    }
}

static void note_each(struct puppet *crowd)
{
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(lab_note(&lab, &crowd[i]), 0);
}

static int note_other(troupe_ctx *ctx, struct puppet *self)
{
    int rc = write_letter(ctx, self);
    return rc ? rc : troupe_cast(ctx, self->other->ref, "note", troupe_body_none());
}

/* A whole share of messages, after which the receiver comes next. */
static int send_much(troupe_ctx *ctx, struct puppet *self)
{
    int rc = write_letter(ctx, self);
    for (unsigned i = 0; rc == 0 && i < TROUPE_TURN_SENDS_MAX; i++)
        rc = troupe_cast(ctx, self->other->ref, "ask", troupe_body_none());
    return rc;
}

static int write_when_asked(troupe_ctx *ctx, struct puppet *self)
{
    return self->asks % TROUPE_TURN_SENDS_MAX == 1 ? write_letter(ctx, self) : 0;
}

/* ---- which one is next ---- */

static void test_the_receiver_of_a_burst_runs_before_those_who_wait(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    crowd[0].on_note = send_much;
    crowd[0].other = &crowd[7];
    crowd[7].on_ask = write_when_asked;
    assert_int_equal(lab_note(&lab, &crowd[0]), 0);
    lab_run(&lab); /* its first burst: now it is known for them */
    assert_string_equal(order, "ah");
    order[0] = '\0';
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(lab_note(&lab, &crowd[i]), 0);
    lab_run(&lab);
    assert_string_equal(order, "ahbcd");
}

static void test_the_receiver_of_one_message_waits_its_turn(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    crowd[0].on_note = note_other;
    crowd[0].other = &crowd[7];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lab_note(&lab, &crowd[i]), 0);
    lab_run(&lab);
    assert_string_equal(order, "abch");
}

static int count(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    self->number++;
    return 0;
}

/* Each of many senders has a turn, but the one they all send to would have one in a round. */
static void test_one_that_is_far_behind_has_each_second_turn(void **state)
{
    static struct puppet behind, crowd[CROWD];
    uint64_t before = 0;

    (void)state;
    spawn_crowd(crowd, write_letter);
    behind = (struct puppet){.letter = 'z', .on_note = count};
    lab_spawn(&lab, &behind, NULL);
    for (unsigned i = 0; i < 600; i++)
        assert_int_equal(lab_note(&lab, &behind), 0);
    note_each(crowd);
    for (unsigned turns = 0; turns < 2 * CROWD; turns += 2) {
        size_t others = strlen(order);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 2);
        assert_in_range(behind.number - before, turns == 0 ? 0 : TROUPE_TURN_MESSAGES_MAX,
                        2 * TROUPE_TURN_MESSAGES_MAX);
        assert_true(turns == 0 || strlen(order) == others + 1);
        before = behind.number;
    }
    lab_run(&lab);
    assert_int_equal(behind.number, 600);
    assert_int_equal(strlen(order), CROWD);
}

static void test_what_a_turn_sends_counts_towards_it(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    crowd[0].on_note = send_much;
    crowd[0].other = &crowd[7];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lab_note(&lab, &crowd[0]), 0);
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
    assert_string_equal(order, "a"); /* one message, and its share is used up */
    lab_run(&lab);
    assert_string_equal(order, "aaa");
    assert_int_equal(crowd[7].asks, 3 * TROUPE_TURN_SENDS_MAX);
}

static int send_and_drain(troupe_ctx *ctx, struct puppet *self)
{
    if (self->notes > 1)
        return 0;
    int rc = troupe_cast(ctx, self->ref, "ask", troupe_body_none());
    return rc ? rc : troupe_stop(ctx, self->ref, TROUPE_DRAIN, "");
}

/* What lies in the word, while older messages have been taken out of it, was accepted too. */
static void test_a_drain_waits_for_what_came_since_the_mailbox_was_looked_at(void **state)
{
    static struct puppet small;

    (void)state;
    small = (struct puppet){.letter = 'z', .on_note = send_and_drain};
    lab_spawn(&lab, &small, &(troupe_spawn_opts){.mailbox_messages_max = 8});
    assert_int_equal(lab_note(&lab, &small), 0);
    assert_int_equal(lab_note(&lab, &small), 0);
    lab_run(&lab);
    assert_int_equal(small.notes, 2);
    assert_int_equal(small.asks, 1);
    assert_int_equal(small.ends, 1);
}

/* ---- which worker ---- */

static void test_quick_work_stays_with_its_worker(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    for (unsigned round = 0; round < 100; round++) {
        order[0] = '\0';
        note_each(crowd);
        (void)troupe_worker_poll(second, lab.now_ns, 64);
        lab_run(&lab);
        assert_string_equal(order, "abcdefgh");
        lab.now_ns += 10 * NS_PER_US;
    }
    assert_int_equal(steals(), 0);
}

static void test_a_queue_that_lasts_is_shared_though_nobody_knows_why(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    note_each(crowd);
    (void)troupe_worker_poll(second, lab.now_ns, 1); /* it has seen the queue */
    assert_int_equal(steals(), 0);
    (void)troupe_worker_poll(second, lab.now_ns + NS_PER_MS, 1);
    assert_int_equal(steals(), CROWD / 2);
    assert_string_equal(order, "a");
}

/* As behind a turn that computes: it has sent a burst and goes on. */
static void test_a_receiver_does_not_wait_behind_the_turn_that_sent_to_it(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, write_letter);
    crowd[0].on_note = send_much;
    crowd[0].other = &crowd[1];
    crowd[1].on_ask = write_when_asked;
    assert_int_equal(lab_note(&lab, &crowd[0]), 0);
    lab_run(&lab);
    assert_int_equal(lab_note(&lab, &crowd[0]), 0);
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 1); /* the turn is over, but this worker does not go on */
    (void)troupe_worker_poll(second, lab.now_ns, 1);
    assert_string_equal(order, "aba");
    (void)troupe_worker_poll(second, lab.now_ns + NS_PER_MS, 1);
    assert_string_equal(order, "abab");
    assert_int_equal(steals(), 1);
}

static void test_independent_slow_actors_are_spread_over_workers(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, be_slow);
    for (unsigned i = 0; i < 20; i++) { /* what their turns cost becomes known */
        assert_int_equal(lab_note(&lab, &crowd[0]), 0);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 64);
    }
    (void)troupe_worker_poll(second, lab.now_ns, 64);
    assert_true(troupe_worker_park(second));
    wakes = 0;
    note_each(crowd);
    assert_int_equal(wakes, 1); /* at the first one: it is worth a wake */
    unsigned of_second = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        unsigned before = crowd[0].notes + crowd[1].notes + crowd[2].notes + crowd[3].notes;
        (void)troupe_worker_poll(second, lab.now_ns, 1);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
        of_second += crowd[0].notes + crowd[1].notes + crowd[2].notes + crowd[3].notes - before;
    }
    assert_int_equal(of_second, CROWD / 2); /* the older half */
    assert_true(steals() >= CROWD / 2);
    for (unsigned i = 1; i < CROWD; i++)
        assert_int_equal(crowd[i].notes, 1);
}

static void test_quick_work_wakes_nobody_but_once_in_a_while(void **state)
{
    static struct puppet crowd[CROWD];
    uint64_t began_ns = lab.now_ns;

    (void)state;
    spawn_crowd(crowd, NULL);
    wakes = 0;
    while (lab.now_ns < began_ns + 10 * NS_PER_MS) {
        (void)troupe_worker_poll(second, lab.now_ns, 64);
        assert_true(troupe_worker_park(second));
        note_each(crowd);
        lab_run(&lab);
        lab.now_ns += 20 * NS_PER_US;
    }
    assert_in_range(wakes, 1, 10);
    assert_int_equal(steals(), 0);
}

static void test_who_finds_nothing_looks_again_while_others_work_and_then_sleeps(void **state)
{
    static struct puppet crowd[CROWD];

    (void)state;
    spawn_crowd(crowd, NULL);
    note_each(crowd);
    uint64_t first_ns = troupe_worker_poll(second, lab.now_ns, 1);
    uint64_t next_ns = troupe_worker_poll(second, lab.now_ns, 1);
    assert_in_range(first_ns, 1, NS_PER_MS);
    assert_in_range(next_ns, first_ns, 2 * NS_PER_MS);
    lab_run(&lab);
    assert_in_range(troupe_worker_poll(second, lab.now_ns, 1), 1, 2 * NS_PER_MS); /* they have worked meanwhile */
    lab.now_ns += 5 * NS_PER_MS;
    assert_true(troupe_worker_poll(second, lab.now_ns, 1) == TROUPE_NEVER);
}

int main(void)
{
#define WITHOUT_CLOCK(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        WITHOUT_CLOCK(test_the_receiver_of_a_burst_runs_before_those_who_wait),
        WITHOUT_CLOCK(test_the_receiver_of_one_message_waits_its_turn),
        WITHOUT_CLOCK(test_one_that_is_far_behind_has_each_second_turn),
        WITHOUT_CLOCK(test_what_a_turn_sends_counts_towards_it),
        WITHOUT_CLOCK(test_a_drain_waits_for_what_came_since_the_mailbox_was_looked_at),
        WITHOUT_CLOCK(test_quick_work_stays_with_its_worker),
        WITHOUT_CLOCK(test_a_queue_that_lasts_is_shared_though_nobody_knows_why),
        WITHOUT_CLOCK(test_a_receiver_does_not_wait_behind_the_turn_that_sent_to_it),
        cmocka_unit_test_setup_teardown(test_independent_slow_actors_are_spread_over_workers, open_lab_with_clock,
                                        close_lab),
        WITHOUT_CLOCK(test_quick_work_wakes_nobody_but_once_in_a_while),
        WITHOUT_CLOCK(test_who_finds_nothing_looks_again_while_others_work_and_then_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
