/* SPDX-License-Identifier: Apache-2.0
 *
 * Probes: who is alive answers whatever it is busy with; who is stuck, or gone, does not. */
#include "lib/lab.h"

static struct lab lab;
static struct puppet asker, target;

static int open_with(unsigned workers)
{
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 4096, .workers = workers});
    asker = (struct puppet){.letter = 'a', .other = &target};
    target = (struct puppet){.letter = 'b', .other = &asker};
    lab_spawn(&lab, &asker, NULL);
    lab_spawn(&lab, &target, NULL);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return open_with(1);
}

static int set_up_two_workers(void **state)
{
    (void)state;
    return open_with(2);
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

struct state {
    struct puppet *puppet;
};

static uint64_t answered_ns;

static int on_answer(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = ((struct state *)memory)->puppet;

    assert_int_equal(reply->kind, TROUPE_MSG_REPLY);
    assert_int_equal(reply->tag, 77);
    self->replies++;
    self->status = reply->status;
    answered_ns = troupe_now_ms(ctx) * 1000000u;
    return 0;
}

static int probe(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_probe(ctx, self->other->ref, 300, on_answer, 77);
}

static int ask_and_wait(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call_wait(ctx, self->other->ref, "ask", troupe_body_json("1", 1), 10000, on_answer, 77);
}

static int fill_and_probe(troupe_ctx *ctx, struct puppet *self)
{
    for (int i = 0; i < 5000; i++)
        assert_int_equal(troupe_cast(ctx, self->other->ref, "note", troupe_body_none()), 0);
    return probe(ctx, self);
}

static void assert_probed(int status)
{
    assert_int_equal(asker.replies, 1);
    assert_int_equal(asker.status, status);
}

static void test_an_idle_actor_answers(void **state)
{
    (void)state;
    lab_do(&lab, &asker, probe);
    assert_probed(0);
    assert_int_equal(target.asks + target.notes, 0); /* the behavior has seen nothing of it */
}

static struct puppet waits_for;

/* It waits for an answer, and handles no message meanwhile. */
static void test_a_paused_actor_answers(void **state)
{
    (void)state;
    waits_for = (struct puppet){.letter = 'w', .on_ask = puppet_keep};
    lab_spawn(&lab, &waits_for, NULL);
    target.other = &waits_for;
    lab_do(&lab, &target, ask_and_wait);
    assert_int_equal(waits_for.asks, 1);
    assert_int_equal(target.replies, 0);
    lab_do(&lab, &asker, probe);
    assert_probed(0);
    assert_int_equal(target.replies, 0); /* it still waits */
}

static unsigned notes_when_answered;

static int on_answer_count(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    notes_when_answered = target.notes;
    return on_answer(ctx, memory, reply);
}

static int fill_and_count(troupe_ctx *ctx, struct puppet *self)
{
    for (int i = 0; i < 5000; i++)
        assert_int_equal(troupe_cast(ctx, self->other->ref, "note", troupe_body_none()), 0);
    return troupe_probe(ctx, self->other->ref, 300, on_answer_count, 77);
}

/* Trap 8: heartbeats queued behind work, so healthy workers were killed. */
static void test_a_probe_does_not_queue_behind_work(void **state)
{
    (void)state;
    lab_do(&lab, &asker, fill_and_count);
    assert_probed(0);
    assert_in_range(notes_when_answered, 0, 2 * TROUPE_TURN_MESSAGES_MAX);
    assert_int_equal(target.notes, 5000);
}

static int wait_a_moment(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t timer;

    (void)self;
    lab.now_ns += 1000u * 1000000u; /* the whole machine stands still; the deadline passes meanwhile */
    return troupe_timer_after(ctx, 0, "late", troupe_body_none(), &timer);
}

/* The same on the way back: the answer is there, but the asker comes to look at it after the deadline only. */
static void test_an_answer_that_is_there_counts_though_its_asker_is_late(void **state)
{
    (void)state;
    assert_int_equal(lab_do_later(&lab, &asker, probe), 0);
    assert_int_equal(lab_do_later(&lab, &target, wait_a_moment), 0);
    lab_run(&lab);
    lab_pass(&lab, 5000);
    assert_probed(0);
}

static int probe_and_wait(troupe_ctx *ctx, struct puppet *self)
{
    int rc = probe(ctx, self);

    return rc == 0 ? troupe_call_wait(ctx, waits_for.ref, "ask", troupe_body_json("1", 1), 1000, on_answer, 77) : rc;
}

/* No continuation runs but the one that the asker waits for; the probe is not forgotten, and not late. */
static void test_an_asker_in_call_wait_hears_of_it_afterwards(void **state)
{
    (void)state;
    waits_for = (struct puppet){.letter = 'w', .on_ask = puppet_keep};
    lab_spawn(&lab, &waits_for, NULL);
    lab_do(&lab, &asker, probe_and_wait);
    lab_pass(&lab, 900);
    assert_int_equal(asker.replies, 0);
    lab_pass(&lab, 200);
    assert_int_equal(asker.replies, 2);
    assert_int_equal(asker.status, 0); /* the last of the two: the wait ended with timeout */
}

static void on_suspended(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->error, 0);
}

static void suspend(const struct puppet *puppet, bool on)
{
    troupe_request request = {0};

    troupe_request_suspend(lab.worker, &request, on_suspended, puppet->ref, on, 1000);
    lab_run(&lab);
}

static void test_a_suspended_actor_answers(void **state)
{
    (void)state;
    suspend(&target, true);
    lab_do(&lab, &asker, probe);
    assert_probed(0);
}

static int probe_with_a_moment_to_suspend(troupe_ctx *ctx, struct puppet *self)
{
    static troupe_request request;

    request = (troupe_request){0};
    troupe_request_suspend(lab.worker, &request, on_suspended, self->ref, true, 1000);
    return probe(ctx, self);
}

/* The answer is there in time; that it is heard of late makes it no timeout. */
static void test_a_suspended_asker_hears_of_it_when_it_is_resumed(void **state)
{
    (void)state;
    lab_do(&lab, &asker, probe_with_a_moment_to_suspend);
    lab_pass(&lab, 1000);
    assert_int_equal(asker.replies, 0);
    suspend(&asker, false);
    assert_probed(0);
}

static int refused;

static int probe_refused(troupe_ctx *ctx, struct puppet *self)
{
    refused = troupe_probe(ctx, self->other->ref, 300, on_answer, 77);
    return 0;
}

static int probe_itself(troupe_ctx *ctx, struct puppet *self)
{
    refused = troupe_probe(ctx, self->ref, 300, on_answer, 77);
    assert_int_equal(troupe_probe(ctx, self->other->ref, TROUPE_CALL_TIMEOUT_MS_MAX + 1, on_answer, 77),
                     TROUPE_E_INVALID);
    return 0;
}

static void test_one_that_is_gone_is_told_at_once(void **state)
{
    struct lab_request request;

    (void)state;
    lab_do(&lab, &asker, probe_itself);
    assert_int_equal(refused, TROUPE_E_STATE);
    lab_stop(&lab, target.ref, TROUPE_STOP, &request, 0);
    lab_run(&lab);
    lab_do(&lab, &asker, probe_refused);
    assert_int_equal(refused, TROUPE_E_GONE);
    assert_int_equal(asker.replies, 0);
}

static int probe_and_kill(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_stop(ctx, self->other->ref, TROUPE_KILL, "");

    return rc == 0 ? probe(ctx, self) : rc;
}

static void test_one_that_ends_with_the_probe_in_its_lane_is_gone(void **state)
{
    (void)state;
    lab_do(&lab, &asker, probe_and_kill);
    assert_probed(TROUPE_E_GONE);
}

/* ---- a turn that does not end, on another worker ---- */

static troupe_worker *second;

static void run_second(uint64_t ms)
{
    uint64_t until_ns = lab.now_ns + ms * 1000000u;

    for (; lab.now_ns < until_ns; lab.now_ns += 1000000u)
        while (troupe_worker_poll(second, lab.now_ns, 8) == 0)
            ;
}

static unsigned answers_in_turn;
static int status_in_turn;

/* The asker's deadline is on this very worker's wheel: the other worker has to see to it. */
static int stay_in_turn(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    run_second(1000);
    answers_in_turn = asker.replies;
    status_in_turn = asker.status;
    return 0;
}

static void test_a_stuck_turn_is_told_by_the_deadline(void **state)
{
    (void)state;
    second = troupe_system_worker(lab.system, 1);
    lab_do(&lab, &asker, fill_and_probe); /* both have run here once */
    asker.replies = 0;
    assert_int_equal(lab_do_later(&lab, &target, stay_in_turn), 0);
    assert_int_equal(lab_do_later(&lab, &asker, probe), 0);
    lab_run(&lab);
    assert_int_equal(answers_in_turn, 1);
    assert_int_equal(status_in_turn, TROUPE_E_TIMEOUT);
    assert_int_equal(asker.replies, 1); /* the late answer found nobody */
}


/* Trap 8's kin: a deadline that lies on the wheel of the stuck worker. */
static void test_a_stuck_turn_does_not_hold_up_the_deadlines_of_others(void **state)
{
    (void)state;
    second = troupe_system_worker(lab.system, 1);
    waits_for = (struct puppet){.letter = 'w', .on_ask = puppet_keep};
    lab_spawn(&lab, &waits_for, NULL);
    asker.other = &waits_for;
    lab_do(&lab, &asker, ask_and_wait); /* its deadline, in 10 s, is on the first worker's wheel */
    assert_int_equal(asker.replies, 0);
    lab.now_ns += UINT64_C(9500) * 1000000u;
    lab_do(&lab, &target, stay_in_turn);
    assert_int_equal(answers_in_turn, 1);
    assert_int_equal(status_in_turn, TROUPE_E_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_idle_actor_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_paused_actor_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_probe_does_not_queue_behind_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_there_counts_though_its_asker_is_late, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_asker_in_call_wait_hears_of_it_afterwards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_suspended_actor_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_suspended_asker_hears_of_it_when_it_is_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_gone_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_ends_with_the_probe_in_its_lane_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stuck_turn_is_told_by_the_deadline, set_up_two_workers, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stuck_turn_does_not_hold_up_the_deadlines_of_others, set_up_two_workers,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
