/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool's workers: their ends, retries, the dead man's switch, resize, capacity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_world.h"

static void stop_worker(unsigned which, enum troupe_stop_mode mode)
{
    struct asked *asked = new_asked();

    troupe_request_stop(world.worker, &asked->request, on_done, world.begun[which].worker, mode, (troupe_view){0},
                        60000);
    run();
}

/* ---- a worker's end ---- */

static void test_a_crash_answers_its_caller_and_the_worker_is_replaced(void **state)
{
    (void)state;
    open_pool("");
    assert_answered(ask("fail", "1"), TROUPE_E_ACTOR_FAILED, "the hand was burnt");
    assert_answered(ask("echo", "2"), 0, "2");
    assert_false(troupe_ref_equal(world.begun[0].worker, world.begun[1].worker));
    assert_int_equal(world.starts, 2);
    assert_int_equal(figure("crashes"), 1);
    assert_int_equal(figure("failed"), 1);
    assert_int_equal(figure("ready"), 1);
    for (int i = 0; i < 5; i++) { /* at once each time, for between the crashes it did a job */
        assert_answered(ask("fail", "1"), TROUPE_E_ACTOR_FAILED, "");
        assert_answered(ask("echo", "2"), 0, "2");
    }
    assert_books_are_balanced();
}

/* Ractor loses what is queued at a worker that crashes. */
static void test_jobs_behind_a_crash_are_done_by_the_next_worker(void **state)
{
    static const char *const routings[] = {"", "\"routing\":\"round_robin\"", "\"routing\":\"key\",\"key\":\"k\"",
                                           "\"routing\":\"sticky\",\"key\":\"k\""};

    (void)state;
    for (unsigned i = 0; i < sizeof routings / sizeof routings[0]; i++) {
        open_pool(routings[i]);
        unsigned first = world.begun_count;
        struct asked *kept = ask("work", "{\"k\":1}"), *second = ask("echo", "{\"k\":1,\"n\":2}"),
                     *third = ask("echo", "{\"k\":1,\"n\":3}");
        assert_open(third);
        stop_worker(first, TROUPE_KILL);
        assert_answered(kept, TROUPE_E_KILLED, "");
        assert_answered(second, 0, "\"n\":2");
        assert_answered(third, 0, "\"n\":3");
        assert_books_are_balanced();
    }
}

static void test_a_worker_that_ends_by_itself_or_is_stopped_is_replaced(void **state)
{
    (void)state;
    open_pool("");
    assert_answered(ask("end", ""), TROUPE_E_NO_REPLY, "");
    struct asked *kept = ask("work", "1");
    stop_worker(0, TROUPE_STOP);
    assert_answered(kept, TROUPE_E_ENDED, "");
    pass(1000); /* the second end in a row: after a backoff */
    assert_answered(ask("echo", "2"), 0, "2");
    assert_int_equal(figure("crashes"), 0);
    assert_books_are_balanced();
}

static void test_a_job_is_tried_again_as_often_as_it_says(void **state)
{
    (void)state;
    open_pool("\"retries\":3");
    world.fails = 3;
    struct asked *job = ask("fail_some", "1");
    pass(5000); /* backoffs */
    assert_answered(job, 0, "1");
    assert_int_equal(figure("retried"), 3);
    assert_int_equal(figure("completed"), 1);
    cast("fail_some", "2"); /* a cast too: it is copied for that */
    assert_int_equal(world.begun_count, 5);
    world.fails = 1;
    cast("fail_some", "3");
    pass(5000);
    assert_begun(5, "3");
    assert_begun(6, "3");
    assert_books_are_balanced();
}

/* Ractor resubmits what was shed or timed out, for ever: a loop that spins. */
static void test_a_job_that_kills_every_worker_comes_to_an_end(void **state)
{
    (void)state;
    open_pool("\"retries\":2");
    struct asked *job = ask("fail", "1");
    pass(60000);
    assert_answered(job, TROUPE_E_ACTOR_FAILED, "the hand was burnt");
    assert_int_equal(world.begun_count, 3);
    assert_answered(ask("echo", "2"), 0, "2");
    assert_int_equal(figure("retried"), 2);
    assert_books_are_balanced();
}

static void test_a_retry_ends_with_the_jobs_time(void **state)
{
    (void)state;
    open_pool("\"retries\":10,\"job_timeout_ms\":500");
    struct asked *job = ask("fail", "1");
    pass(2000);
    assert_answered(job, TROUPE_E_TIMEOUT, "waited too long");
    assert_in_range(world.begun_count, 2, 6);
    assert_books_are_balanced();
}

/* A worker that fails again and again does not turn into a loop of starts. */
static void test_restarts_come_after_a_backoff(void **state)
{
    unsigned starts;

    (void)state;
    open_pool("\"queue_max\":10");
    for (int i = 0; i < 20; i++)
        ask("fail", "1");
    starts = world.starts;
    assert_in_range(starts, 2, 3);
    pass(60000); /* all are begun in time, ever slower */
    assert_in_range(world.starts, 8, 14);
    assert_books_are_balanced();
    struct asked *last = ask("echo", "2");
    pass(30000);
    assert_answered(last, 0, "2");
    assert_int_equal(figure("waiting"), 0);
}

static void test_a_pool_whose_workers_cannot_start_fails_and_answers_its_jobs(void **state)
{
    (void)state;
    open_pool("");
    struct asked *first = ask("work", "1");
    world.starts_to_fail = 100;
    stop_worker(0, TROUPE_KILL);
    assert_answered(first, TROUPE_E_KILLED, "");
    struct asked *second = ask("echo", "2");
    pass(30000);
    assert_int_equal(world.pool_ends, 1);
    assert_int_equal(world.pool_exit.cause, TROUPE_EXIT_FAILED);
    assert_answered(second, TROUPE_E_ACTOR_FAILED, "");
}

static void test_a_start_that_fails_once_is_tried_again(void **state)
{
    (void)state;
    open_pool("");
    ask("work", "1");
    world.starts_to_fail = 2;
    stop_worker(0, TROUPE_KILL);
    struct asked *second = ask("echo", "2");
    assert_open(second);
    pass(2000);
    assert_answered(second, 0, "2");
    assert_int_equal(world.pool_ends, 0);
}

/* ---- the dead man's switch ---- */

static void pass_on_second(uint64_t ms)
{
    uint64_t until_ns = world.now_ns + ms * NS_PER_MS;

    for (; world.now_ns < until_ns; world.now_ns += NS_PER_MS)
        while (troupe_worker_poll(world.second, world.now_ns, 100) == 0)
            ;
}

static int set_up_two_workers(void **state)
{
    (void)state;
    return open_with(2);
}

static void do_nothing(void) {}

/* The first to begin stays in its turn for 2 s; pool, timers and the other workers go on on the second thread. */
static void stay_once(void)
{
    world.in_turn = do_nothing;
    pass_on_second(2000);
}

static struct asked *stuck;
static unsigned answers_in_turn;
static int error_in_turn;

static void stay_and_look(void)
{
    pass_on_second(2000);
    answers_in_turn = stuck->times;
    error_in_turn = stuck->error;
}

/* Trap 8: it is judged by an unanswered probe, which does not queue behind work. */
static void test_busy_but_healthy_workers_are_not_killed_by_the_dead_mans_switch(void **state)
{
    (void)state;
    open_pool("\"size\":2,\"concurrency\":3,\"dead_man_ms\":300");
    struct asked *jobs[6];
    for (int i = 0; i < 6; i++)
        jobs[i] = ask("work", "1"); /* they take as long as they like */
    pass(30000);
    for (int i = 0; i < 6; i++)
        assert_open(jobs[i]);
    assert_int_equal(figure("killed"), 0);
    assert_int_equal(world.starts, 2);
    for (uint32_t i = 0; i < 6; i++)
        finish(i);
    for (int i = 0; i < 6; i++)
        assert_answered(jobs[i], 0, "1");
}

/* Trap 8: ... nor does a worker count as dead that waits for an answer, with a mailbox full of work behind it. */
static void test_a_paused_worker_with_a_long_mailbox_is_not_killed(void **state)
{
    troupe_spawn_opts opts = {.behavior = "hand"};
    struct asked *keeper = new_asked(), *job;

    (void)state;
    troupe_request_spawn(world.worker, &keeper->request, on_done, &opts);
    run();
    world.keeper = keeper->ref;
    open_pool("\"dead_man_ms\":30");
    job = ask("pause", "1");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(troupe_worker_cast(world.worker, world.begun[0].worker, troupe_view_of("echo"),
                                            troupe_body_json("1", 1), (troupe_caller){0}),
                         0);
    pass(10000);
    assert_int_equal(figure("killed"), 0);
    assert_int_equal(world.begun_count, 2); /* none of the 1000 was handled yet; the second is the keeper's */
    pass(10000);
    assert_answered(job, 0, "\"paused\"");
    assert_int_equal(world.begun_count, 1002);
}

/* Trap 8: ... nor a standstill of the whole machine, after which all deadlines have passed at once. */
static void test_a_standstill_of_the_machine_kills_nobody(void **state)
{
    (void)state;
    open_pool("\"size\":3,\"dead_man_ms\":300");
    for (int i = 0; i < 3; i++)
        ask("work", "1");
    for (int i = 0; i < 20; i++) {
        world.now_ns += (97 + 13 * (uint64_t)i) * NS_PER_MS; /* at any point of a probe's way */
        troupe_worker_poll(world.worker, world.now_ns, 1);
        world.now_ns += 500 * NS_PER_MS;
        run();
    }
    assert_int_equal(figure("killed"), 0);
    for (uint32_t i = 0; i < 3; i++)
        finish(i);
}

/* Ask on the second thread, which does nothing yet, and run pool and job on the first, which takes them over. */
static void ask_and_run_on_first(const char *type)
{
    stuck = new_asked();
    troupe_request_call(world.second, &stuck->request, on_done, world.pool, troupe_view_of(type),
                        troupe_body_json("1", 1), (troupe_caller){0}, 60000);
    for (int i = 0; i < 100 && world.begun_count == 0; i++) {
        world.now_ns += NS_PER_MS;
        troupe_worker_poll(world.worker, world.now_ns, 1);
    }
    assert_true(world.begun_count > 0);
}

/* Until nothing more can be done now, by either. */
static void run_both(void)
{
    for (int i = 0; i < 100; i++) {
        run();
        while (troupe_worker_poll(world.second, world.now_ns, 100) == 0)
            ;
    }
}

static void test_a_stuck_worker_is_killed_and_its_caller_told(void **state)
{
    (void)state;
    open_pool("\"size\":2,\"dead_man_ms\":300");
    world.in_turn = stay_and_look;
    ask_and_run_on_first("stay");
    assert_int_equal(answers_in_turn, 1); /* while it was stuck */
    assert_int_equal(error_in_turn, TROUPE_E_KILLED);
    pass(1000);
    assert_int_equal(figure("killed"), 1);
    assert_int_equal(figure("ready"), 2); /* replaced, when the turn had come to its end */
    assert_int_equal(world.starts, 3);
    assert_answered(ask("echo", "2"), 0, "2");
    assert_books_are_balanced();
}

static void stay_250_ms(void) { pass_on_second(250); }

/* One probe went unanswered, the second did not. */
static void test_a_turn_that_is_shorter_than_the_switch_kills_nobody(void **state)
{
    (void)state;
    open_pool("\"size\":2,\"dead_man_ms\":300");
    world.in_turn = stay_250_ms;
    ask_and_run_on_first("stay");
    run_both();
    assert_answered(stuck, 0, "1");
    pass(1000);
    assert_int_equal(figure("killed"), 0);
    assert_int_equal(world.starts, 2);
}

static void test_a_stuck_workers_job_is_tried_again(void **state)
{
    (void)state;
    open_pool("\"size\":2,\"dead_man_ms\":300,\"retries\":1");
    world.in_turn = stay_once;
    ask_and_run_on_first("stay");
    run_both();
    assert_int_equal(world.begun_count, 2);
    assert_answered(stuck, 0, "1");
    assert_int_equal(figure("retried"), 1);
    pass(1000);
    assert_books_are_balanced();
}

/* ---- resize ---- */

static void test_a_smaller_pool_lets_busy_workers_finish(void **state)
{
    struct asked *jobs[4];

    (void)state;
    open_pool("\"size\":3");
    for (int i = 0; i < 4; i++)
        jobs[i] = ask("work", "1");
    assert_answered(ask("pool.resize", "{\"size\":1}"), 0, "{\"size\":1,\"before\":3}");
    assert_int_equal(figure("ready"), 1);
    for (int i = 0; i < 4; i++)
        assert_open(jobs[i]);
    assert_answered(ask("pool.workers", ""), 0, "leaving");
    /* Two of the three are leaving; the one that stays takes the fourth job. */
    for (uint32_t i = 0; i < 3; i++)
        finish(i);
    assert_int_equal(world.begun_count, 4);
    finish(3);
    for (int i = 0; i < 4; i++)
        assert_answered(jobs[i], 0, "1");
    pass(100);
    assert_answered(ask("pool.workers", ""), 0, "empty");
    assert_int_equal(world.starts, 3);
    assert_int_equal(figure("crashes"), 0);
    assert_answered(ask("pool.resize", "{\"size\":2}"), 0, "");
    assert_int_equal(world.starts, 4);
    assert_int_equal(figure("ready"), 2);
    assert_books_are_balanced();
}

static void test_a_worker_on_its_way_out_stays_when_the_pool_grows_again(void **state)
{
    (void)state;
    open_pool("\"size\":2");
    struct asked *first = ask("work", "1"), *second = ask("work", "2");
    assert_answered(ask("pool.resize", "{\"size\":1}"), 0, "");
    assert_answered(ask("pool.resize", "{\"size\":2}"), 0, "");
    finish(0);
    finish(1);
    assert_answered(first, 0, "1");
    assert_answered(second, 0, "2");
    assert_int_equal(world.starts, 2);
    assert_int_equal(figure("ready"), 2);
}

/* Every job that waits for a worker which leaves goes to another, in its order. */
static void test_jobs_that_wait_for_a_worker_that_leaves_go_to_others(void **state)
{
    static const char *const routings[] = {"round_robin", "key\",\"key\":\"k", "sticky\",\"key\":\"k"};
    char args[128], body[32];

    (void)state;
    for (unsigned r = 0; r < 3; r++) {
        struct asked *jobs[40];
        unsigned first = world.begun_count;

        snprintf(args, sizeof args, "\"size\":4,\"routing\":\"%s\"", routings[r]);
        open_pool(args);
        for (int i = 0; i < 40; i++) {
            snprintf(body, sizeof body, "{\"k\":%d,\"n\":%d}", i % 8, i);
            jobs[i] = ask("work", body);
        }
        unsigned begun = world.begun_count;
        assert_answered(ask("pool.resize", "{\"size\":1}"), 0, "");
        for (unsigned at = first; at < world.begun_count; at++)
            finish(at);
        for (unsigned at = begun; at < world.begun_count; at++) /* all by the one that stays */
            assert_true(troupe_ref_equal(world.begun[at].worker, world.begun[begun].worker));
        for (int i = 0; i < 40; i++)
            assert_answered(jobs[i], 0, "");
        assert_int_equal(figure("completed"), 40);
        assert_books_are_balanced();
    }
}

/* Its worker was leaving, and was stopped before it began the job: the job has another worker then, which is idle. */
static void test_a_job_that_a_leaving_worker_did_not_begin_is_taken_by_an_idle_one(void **state)
{
    troupe_spawn_opts opts = {.behavior = "hand"};
    struct asked *keeper = new_asked(), *stop = new_asked(), *first = NULL, *second;
    char body[32] = "", ref[TROUPE_REF_TEXT_MAX + 1];
    troupe_ref worker = {0};

    (void)state;
    troupe_request_spawn(world.worker, &keeper->request, on_done, &opts);
    run();
    world.keeper = keeper->ref;
    open_pool("\"size\":2,\"concurrency\":2,\"routing\":\"key\",\"key\":\"k\"");
    const char *stays = ask("pool.workers", "{\"limit\":1}")->body;
    for (int k = 0; first == NULL; k++) { /* a key of the second worker */
        snprintf(body, sizeof body, "{\"k\":%d}", k);
        ask("work", body);
        worker = world.begun[world.begun_count - 1].worker;
        ref[troupe_ref_format(worker, ref)] = '\0';
        finish(world.begun_count - 1);
        if (strstr(stays, ref) == NULL)
            first = ask("pause", body);
    }
    second = ask("work", body); /* it is behind the first, in the mailbox of the worker */
    unsigned begun = world.begun_count;
    assert_int_equal(figure("in_flight"), 2);
    assert_answered(ask("pool.resize", "{\"size\":1}"), 0, "");
    troupe_request_stop(world.worker, &stop->request, on_done, worker, TROUPE_STOP, (troupe_view){"", 0}, 1000);
    run();
    assert_answered(first, TROUPE_E_ENDED, "");
    assert_int_equal(world.begun_count, begun + 1);
    finish(begun);
    assert_answered(second, 0, body);
    assert_books_are_balanced();
}

/* The jobs of a sticky key stay in order over resizes, too. */
static void test_sticky_keys_keep_their_order_over_resizes(void **state)
{
    unsigned last[4] = {0}, finished = 0, sent = 0;
    uint32_t random = 4711;
    char body[64];

    (void)state;
    open_pool("\"size\":3,\"routing\":\"sticky\",\"key\":\"k\"");
    while (finished < 300) {
        random = random * 1664525 + 1013904223;
        uint32_t dice = (random >> 16) % 10;
        if (dice < 5 && sent < 300) {
            snprintf(body, sizeof body, "{\"k\":%u,\"n\":%u}", (random >> 24) % 4, ++sent);
            ask("work", body);
        } else if (dice == 9) {
            snprintf(body, sizeof body, "{\"size\":%u}", 1 + (random >> 24) % 4);
            assert_answered(ask("pool.resize", body), 0, "");
        } else if (finished < world.begun_count) {
            unsigned k, n;
            assert_int_equal(sscanf(world.begun[finished].text, "{\"k\":%u,\"n\":%u}", &k, &n), 2);
            assert_true(n > last[k]);
            last[k] = n;
            finish(finished++);
        }
    }
    assert_books_are_balanced();
}

static void test_resizes_at_random_lose_nothing(void **state)
{
    static const char *const routings[] = {"", ",\"routing\":\"round_robin\"", ",\"routing\":\"key\",\"key\":\"k\"",
                                           ",\"routing\":\"sticky\",\"key\":\"k\"", ",\"concurrency\":3"};
    uint32_t random = 99;
    char args[160], body[64];

    (void)state;
    for (unsigned r = 0; r < sizeof routings / sizeof routings[0]; r++) {
        unsigned first_asked, finished = world.begun_count;

        snprintf(args, sizeof args, "\"size\":3,\"retries\":1,\"queue_max\":20,\"shed\":\"oldest\"%s", routings[r]);
        open_pool(args);
        first_asked = world.asked_count;
        for (int i = 0; i < 300; i++) {
            random = random * 1664525 + 1013904223;
            uint32_t dice = (random >> 16) % 20;
            if (dice < 9) {
                snprintf(body, sizeof body, "{\"k\":%u}", (random >> 24) % 6);
                ask("work", body);
            } else if (dice < 16 && finished < world.begun_count) {
                uint32_t which = finished++;
                /* It may have ended meanwhile: then there is nobody to tell. */
                int rc = troupe_worker_cast(world.worker, world.begun[which].worker, troupe_view_of("finish"),
                                            troupe_body_bytes(&which, sizeof which, "a/b"), (troupe_caller){0});
                assert_true(rc == 0 || rc == TROUPE_E_GONE);
                run();
            } else if (dice == 16) {
                snprintf(body, sizeof body, "{\"size\":%u}", 1 + (random >> 24) % 6);
                assert_answered(ask("pool.resize", body), 0, "");
            } else if (dice == 17 && world.begun_count > finished) {
                stop_worker(world.begun_count - 1, TROUPE_KILL);
            } else {
                pass(random >> 24);
            }
        }
        assert_books_are_balanced();
        pass(120000); /* job_timeout_ms is 60 s: whatever is left is told so */
        for (unsigned i = first_asked; i < world.asked_count; i++)
            assert_int_equal(world.asked[i].times, 1);
        assert_int_equal(figure("waiting") + figure("in_flight"), 0);
        assert_int_equal(figure("ready"), figure("size"));
        assert_books_are_balanced();
    }
}

/* ---- the capacity rule ---- */

static void test_the_pool_grows_with_its_work_and_shrinks_when_idle(void **state)
{
    (void)state;
    open_pool("\"capacity\":{\"min\":1,\"max\":4,\"interval_ms\":100,\"idle_ms\":1000}");
    assert_int_equal(figure("size"), 1);
    for (int i = 0; i < 3; i++)
        ask("work", "1");
    assert_int_equal(world.begun_count, 1);
    pass(150);
    assert_int_equal(figure("size"), 3);
    assert_int_equal(world.begun_count, 3);
    for (int i = 0; i < 5; i++)
        ask("work", "1");
    pass(150);
    assert_int_equal(figure("size"), 4); /* the max */
    for (uint32_t i = 0; i < 8; i++)
        finish(i);
    pass(500);
    assert_int_equal(figure("size"), 4); /* not yet */
    pass(2500);
    assert_int_equal(figure("size"), 1);
    assert_books_are_balanced();
}

/* Nothing waits in a pool without queue: what it turns away tells. */
static void test_a_pool_without_queue_grows_by_what_it_turns_away(void **state)
{
    (void)state;
    open_pool("\"queue_max\":0,\"capacity\":{\"max\":3,\"interval_ms\":100}");
    ask("work", "1");
    for (int i = 0; i < 9; i++)
        assert_answered(ask("work", "1"), TROUPE_E_SHED, "");
    pass(110);
    assert_int_equal(figure("size"), 2);
    ask("work", "1");
    ask("work", "1");
    pass(110);
    assert_int_equal(figure("size"), 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_2(name) cmocka_unit_test_setup_teardown(name, set_up_two_workers, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_crash_answers_its_caller_and_the_worker_is_replaced),
        CASE(test_jobs_behind_a_crash_are_done_by_the_next_worker),
        CASE(test_a_worker_that_ends_by_itself_or_is_stopped_is_replaced),
        CASE(test_a_job_is_tried_again_as_often_as_it_says),
        CASE(test_a_job_that_kills_every_worker_comes_to_an_end),
        CASE(test_a_retry_ends_with_the_jobs_time),
        CASE(test_restarts_come_after_a_backoff),
        CASE(test_a_pool_whose_workers_cannot_start_fails_and_answers_its_jobs),
        CASE(test_a_start_that_fails_once_is_tried_again),
        CASE(test_busy_but_healthy_workers_are_not_killed_by_the_dead_mans_switch),
        CASE(test_a_paused_worker_with_a_long_mailbox_is_not_killed),
        CASE(test_a_standstill_of_the_machine_kills_nobody),
        CASE_2(test_a_stuck_worker_is_killed_and_its_caller_told),
        CASE_2(test_a_turn_that_is_shorter_than_the_switch_kills_nobody),
        CASE_2(test_a_stuck_workers_job_is_tried_again),
        CASE(test_a_smaller_pool_lets_busy_workers_finish),
        CASE(test_a_worker_on_its_way_out_stays_when_the_pool_grows_again),
        CASE(test_jobs_that_wait_for_a_worker_that_leaves_go_to_others),
        CASE(test_a_job_that_a_leaving_worker_did_not_begin_is_taken_by_an_idle_one),
        CASE(test_sticky_keys_keep_their_order_over_resizes),
        CASE(test_resizes_at_random_lose_nothing),
        CASE(test_the_pool_grows_with_its_work_and_shrinks_when_idle),
        CASE(test_a_pool_without_queue_grows_by_what_it_turns_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
