/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool's front: args, order, shedding, rate, expiry, drain, its own types. Routing is in test_pool_routing.c, what
 * becomes of workers in test_pool_workers.c, failing memory in fault_pool.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_world.h"

/* ---- args ---- */

static void test_bad_args_end_the_start_with_words(void **state)
{
    static const struct {
        const char *args, *says;
        int error;
    } cases[] = {
        {"{}", "worker is missing", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"args\":1}}", "worker is missing", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\",\"colour\":1}}", "no such member", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"nobody\"}}", "no such behavior: nobody", TROUPE_E_UNKNOWN_BEHAVIOR},
        {"{\"worker\":{\"behavior\":\"hand\"},\"size\":0}", "size", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"size\":10001}", "size", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"size\":100,\"concurrency\":151}", "15000", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"routing\":\"random\"}", "must be queue", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"routing\":\"key\"}", "key is missing", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"key\":\"k\"}", "only for the routings", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"routing\":\"custom\"}", "router of their own", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"shed\":\"all\"}", "must be refuse", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"rate\":{\"burst\":1}}", "per_second is missing", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"capacity\":{\"min\":1}}", "max is missing", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"capacity\":{\"min\":3,\"max\":2}}", "min is more", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"size\":9,\"capacity\":{\"max\":2}}", "capacity.min", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"dead_man_ms\":1}", "dead_man_ms", TROUPE_E_SCHEMA},
        {"{\"worker\":{\"behavior\":\"hand\"},\"retries\":11}", "retries", TROUPE_E_SCHEMA},
        {"{\"worker\"", "", TROUPE_E_MALFORMED},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("# %s\n", cases[i].args);
        assert_answered(spawn_pool_as("pool", cases[i].args), cases[i].error, cases[i].says);
    }
}

static void test_a_worker_that_does_not_start_ends_the_start(void **state)
{
    (void)state;
    world.starts_to_fail = 1;
    struct asked *asked = spawn_pool_as("pool", "{\"worker\":{\"behavior\":\"hand\"},\"size\":3}");
    assert_answered(asked, TROUPE_E_SCHEMA, "a worker did not start: no hand is free");
}

/* ---- jobs ---- */

static void test_a_job_goes_to_a_worker_untouched_and_its_answer_back(void **state)
{
    (void)state;
    open_pool("");
    assert_answered(ask("echo", "{\"a\": [1, 2.50] }"), 0, "{\"a\": [1, 2.50] }");
    assert_begun(0, "{\"a\": [1, 2.50] }");
    assert_answered(ask("echo", "not json"), 0, "not json"); /* nobody looks into it */
    struct asked *refused = ask("refuse", "");
    assert_answered(refused, TROUPE_E_APP, "none is left");
    assert_int_equal(refused->app_status, 409);
    assert_answered(ask("silence", ""), TROUPE_E_NO_REPLY, "");
    assert_answered(ask("unheard.of", ""), TROUPE_E_UNKNOWN_TYPE, "did not take");
    assert_answered(ask("pool.unheard", ""), TROUPE_E_UNKNOWN_TYPE, "the pool's own");
    assert_int_equal(figure("completed"), 4);
    assert_int_equal(figure("failed"), 1);
    assert_books_are_balanced();
}

static void test_casts_are_jobs_too(void **state)
{
    (void)state;
    open_pool("");
    cast("work", "1");
    cast("work", "2"); /* waits: it is copied */
    cast("work", "3");
    assert_int_equal(world.begun_count, 1);
    assert_int_equal(figure("waiting"), 2);
    finish(0);
    finish(1);
    finish(2);
    assert_begun(1, "2");
    assert_begun(2, "3");
    assert_int_equal(figure("completed"), 3);
    assert_books_are_balanced();
}

static void test_free_workers_take_jobs_as_they_come(void **state)
{
    struct asked *jobs[5];
    char text[16];

    (void)state;
    open_pool("\"size\":3");
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "%d", i);
        jobs[i] = ask("work", text);
    }
    assert_int_equal(world.begun_count, 3); /* one each */
    for (int i = 0; i < 3; i++)
        assert_false(troupe_ref_equal(world.begun[i].worker, world.begun[(i + 1) % 3].worker));
    finish(1);
    assert_begun(3, "3");
    assert_true(troupe_ref_equal(world.begun[3].worker, world.begun[1].worker));
    finish(3);
    finish(0);
    finish(2);
    finish(4);
    for (int i = 0; i < 5; i++)
        assert_answered(jobs[i], 0, "");
    assert_books_are_balanced();
}

static void test_concurrency_is_how_many_jobs_a_worker_has(void **state)
{
    (void)state;
    open_pool("\"concurrency\":2");
    struct asked *first = ask("work", "1"), *second = ask("work", "2"), *third = ask("work", "3");
    assert_int_equal(world.begun_count, 2);
    finish(1);
    assert_answered(second, 0, "2");
    assert_open(first);
    assert_int_equal(world.begun_count, 3);
    finish(2);
    finish(0);
    assert_answered(third, 0, "3");
}

/* ---- priority ---- */

static void test_urgent_jobs_come_first(void **state)
{
    static const char *const order[] = {"{\"p\":0}", "{\"p\":1}", "{}", "{\"p\":2}", "{\"p\":4}"};

    (void)state;
    open_pool("\"priority\":\"p\",\"aging_ms\":0");
    ask("work", "{\"p\":3}");
    ask("work", "{\"p\":4}");
    ask("work", "{}");
    ask("work", "{\"p\":2}");
    ask("work", "{\"p\":1}");
    ask("work", "{\"p\":0}");
    assert_answered(ask("work", "{\"p\":5}"), TROUPE_E_SCHEMA, "p: ");
    assert_answered(ask("work", "{\"p\":\"1\"}"), TROUPE_E_SCHEMA, "p: ");
    for (uint32_t i = 0; i < 5; i++) {
        finish(i);
        assert_begun(i + 1, order[i]);
    }
    finish(5);
}

static void test_a_steady_stream_of_urgent_jobs_does_not_starve_the_others(void **state)
{
    uint32_t at = 0;

    (void)state;
    open_pool("\"priority\":\"p\",\"aging_ms\":100");
    ask("work", "{\"p\":0}");
    ask("work", "{\"p\":4,\"patient\":1}");
    for (; strcmp(world.begun[world.begun_count - 1].text, "{\"p\":4,\"patient\":1}") != 0; at++) {
        ask("work", "{\"p\":0}");
        ask("work", "{\"p\":0}");
        pass(50);
        finish(at);
        assert_in_range(at, 0, 50);
    }
    assert_true(at > 4); /* but urgent ones did come first */
}

/* ---- shedding ---- */

/* Trap 17. */
static void test_a_job_that_was_accepted_is_never_shed_without_a_word(void **state)
{
    struct asked *jobs[6];
    char text[16];

    (void)state;
    open_pool("\"queue_max\":2,\"shed\":\"oldest\"");
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "%d", i);
        jobs[i] = ask("work", text);
    }
    assert_open(jobs[0]); /* at the worker */
    for (int i = 1; i < 4; i++)
        assert_answered(jobs[i], TROUPE_E_SHED, "queue is full"); /* each when a later one came */
    finish(0);
    finish(1);
    finish(2);
    assert_begun(1, "4");
    assert_begun(2, "5");
    assert_answered(jobs[5], 0, "5");
    assert_int_equal(figure("shed"), 3);
    assert_int_equal(figure("refused_full"), 0);
    assert_books_are_balanced();
}

/* Trap 17, second half. */
static void test_a_queue_of_0_is_none_and_not_an_unlimited_one(void **state)
{
    static const char *const routings[] = {"", ",\"routing\":\"round_robin\"", ",\"routing\":\"key\",\"key\":\"k\"",
                                           ",\"routing\":\"sticky\",\"key\":\"k\"", ",\"shed\":\"oldest\"",
                                           ",\"shed\":\"newest\""};
    char args[128];

    (void)state;
    for (unsigned i = 0; i < sizeof routings / sizeof routings[0]; i++) {
        snprintf(args, sizeof args, "\"queue_max\":0%s", routings[i]);
        open_pool(args);
        struct asked *first = ask("work", "{\"k\":1}"), *second = ask("work", "{\"k\":1}");
        assert_open(first);
        assert_answered(second, TROUPE_E_SHED, "queue is full");
        finish(world.begun_count - 1);
        assert_answered(first, 0, "");
        assert_answered(ask("echo", "{\"k\":1}"), 0, "");
        assert_int_equal(figure("refused_full"), 1);
        assert_books_are_balanced();
    }
}

static void test_refuse_and_newest_and_priority_say_who_goes(void **state)
{
    static const struct {
        const char *shed;
        const char *bodies[4]; /* the first is at the worker, the second and third wait, the fourth is one too many */
        int goes;
    } cases[] = {
        {"refuse", {"{}", "{\"p\":4}", "{\"p\":3}", "{\"p\":0}"}, 3},
        {"newest", {"{}", "{\"p\":2}", "{\"p\":2}", "{\"p\":2}"}, 3},
        {"newest", {"{}", "{\"p\":3}", "{\"p\":3}", "{\"p\":2}"}, 2}, /* of the least urgent, the last */
        {"newest", {"{}", "{\"p\":1}", "{\"p\":1}", "{\"p\":2}"}, 3},
        {"oldest", {"{}", "{\"p\":2}", "{\"p\":2}", "{\"p\":2}"}, 1},
        {"oldest", {"{}", "{\"p\":1}", "{\"p\":3}", "{\"p\":2}"}, 2},
        {"oldest", {"{}", "{\"p\":1}", "{\"p\":1}", "{\"p\":2}"}, 3}, /* never one that is more urgent */
    };
    char args[128];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked *jobs[4];

        print_message("# %u %s\n", i, cases[i].shed);
        snprintf(args, sizeof args, "\"queue_max\":2,\"priority\":\"p\",\"shed\":\"%s\"", cases[i].shed);
        open_pool(args);
        for (int k = 0; k < 4; k++)
            jobs[k] = ask("work", cases[i].bodies[k]);
        for (int k = 0; k < 4; k++) {
            if (k == cases[i].goes)
                assert_answered(jobs[k], TROUPE_E_SHED, "queue is full");
            else
                assert_open(jobs[k]);
        }
        assert_books_are_balanced();
    }
}

static void test_callers_who_have_gone_make_room(void **state)
{
    (void)state;
    open_pool("\"queue_max\":2");
    struct asked *first = ask("work", "1");
    ask_within("work", "2", 100);
    ask_within("work", "3", 100);
    assert_answered(ask("work", "4"), TROUPE_E_SHED, "");
    pass(200);
    struct asked *fifth = ask("work", "5");
    assert_open(fifth);
    finish(0);
    assert_answered(first, 0, "1");
    assert_begun(1, "5"); /* nobody waits for the others */
    finish(1);
    assert_int_equal(figure("abandoned"), 2);
    assert_books_are_balanced();
}

static void test_a_cast_that_is_shed_is_told_to_subscribers(void **state)
{
    troupe_subscription reader = {0};
    troupe_event event;

    (void)state;
    open_pool("\"queue_max\":1,\"shed\":\"oldest\"");
    assert_int_equal(troupe_subscribe(world.worker, &reader, world.pool, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    cast("work", "1");
    cast("work", "2");
    cast("work", "3");
    assert_int_equal(troupe_subscription_read(&reader, &event), 1);
    assert_true(troupe_view_equal(event.type, troupe_view_of("job_lost")));
    assert_int_equal(troupe_subscription_read(&reader, &event), 0);
    assert_int_equal(figure("shed"), 1);
    assert_books_are_balanced();
    troupe_unsubscribe(&reader);
}

/* ---- rate ---- */

static void test_the_rate_holds_and_a_burst_is_a_burst(void **state)
{
    (void)state;
    open_pool("\"rate\":{\"per_second\":10,\"burst\":3}");
    for (int i = 0; i < 3; i++)
        assert_answered(ask("echo", "1"), 0, "1");
    assert_answered(ask("echo", "1"), TROUPE_E_RATE, "rate");
    pass(99);
    assert_answered(ask("echo", "1"), TROUPE_E_RATE, "rate");
    pass(1);
    assert_answered(ask("echo", "1"), 0, "1");
    assert_answered(ask("echo", "1"), TROUPE_E_RATE, "rate");
    pass(60000); /* a long rest is a full bucket, and no more */
    for (int i = 0; i < 3; i++)
        assert_answered(ask("echo", "1"), 0, "1");
    assert_answered(ask("echo", "1"), TROUPE_E_RATE, "rate");
    assert_int_equal(figure("refused_rate"), 4);
    assert_answered(ask("pool.stats", ""), 0, ""); /* not a job */
}

/* ---- deadlines ---- */

/* The clock is the node's, and only the time since acceptance counts. */
static void test_a_job_that_waits_too_long_is_answered(void **state)
{
    (void)state;
    open_pool("\"job_timeout_ms\":1000");
    struct asked *first = ask("work", "1");
    pass(600);
    struct asked *second = ask("work", "2");
    cast("work", "3");
    pass(390);
    assert_open(first);
    pass(20); /* the worker is taken for free again: the first job's time is over */
    assert_answered(first, TROUPE_E_TIMEOUT, "");
    assert_open(second);
    assert_begun(1, "2");
    pass(610);
    assert_answered(second, TROUPE_E_TIMEOUT, "");
    assert_int_equal(figure("expired"), 1); /* the cast, which was not begun */
    assert_int_equal(figure("failed"), 2);
    assert_int_equal(figure("waiting"), 0);
    assert_books_are_balanced();
}

/* ---- drain ---- */

static void test_drain_finishes_what_was_accepted_and_refuses_the_rest(void **state)
{
    (void)state;
    open_pool("");
    struct asked *first = ask("work", "1"), *second = ask("work", "2"), *drained = ask("pool.drain", "{}");
    assert_open(drained);
    assert_answered(ask("work", "3"), TROUPE_E_DRAINING, "no more jobs");
    finish(0);
    assert_answered(first, 0, "1");
    assert_open(drained);
    finish(1);
    assert_answered(second, 0, "2");
    assert_answered(drained, 0, "{\"drained\":true}");
    assert_answered(ask("pool.drain", "{}"), 0, "{\"drained\":true}");
    assert_answered(ask("pool.drain", "{\"stop\":1}"), TROUPE_E_SCHEMA, "stop");
    assert_answered(ask("pool.resume", ""), 0, "null");
    assert_answered(ask("echo", "4"), 0, "4");
    assert_int_equal(figure("refused_draining"), 1);

    ask("work", "5");
    drained = ask("pool.drain", "{\"stop\":true}");
    assert_int_equal(world.pool_ends, 0);
    finish(world.begun_count - 1);
    assert_answered(drained, 0, "{\"drained\":true}");
    assert_int_equal(world.pool_ends, 1);
    assert_int_equal(world.pool_exit.cause, TROUPE_EXIT_NORMAL);
}

static void test_so_many_wait_for_a_drain_and_a_resume_tells_them(void **state)
{
    struct asked *waiting[TROUPE_POOL_DRAINS_MAX];

    (void)state;
    open_pool("");
    ask("work", "1");
    for (unsigned i = 0; i < TROUPE_POOL_DRAINS_MAX; i++)
        waiting[i] = ask_within("pool.drain", "", 1000);
    assert_answered(ask("pool.drain", ""), TROUPE_E_LIMIT, "as many wait");
    pass(2000); /* they have gone */
    struct asked *another = ask("pool.drain", "");
    assert_open(another);
    assert_answered(waiting[0], TROUPE_E_TIMEOUT, "");
    assert_answered(ask("pool.resume", ""), 0, "null");
    assert_answered(another, TROUPE_E_APP, "resumed");
    finish(0);
    assert_answered(ask("echo", "2"), 0, "2");
}

/* The node's own drain of an actor. */
static void test_an_actor_drain_of_the_pool_finishes_its_queue(void **state)
{
    (void)state;
    open_pool("");
    struct asked *first = ask("work", "1"), *second = ask("work", "2"), *end = new_asked();
    troupe_request_stop(world.worker, &end->request, on_done, world.pool, TROUPE_DRAIN, (troupe_view){0}, 60000);
    run();
    finish(0);
    finish(1);
    assert_answered(first, 0, "1");
    assert_answered(second, 0, "2");
    assert_answered(end, 0, "");
}

static void test_a_stop_answers_every_job(void **state)
{
    (void)state;
    open_pool("");
    struct asked *first = ask("work", "1"), *second = ask("work", "2"), *end = new_asked();
    troupe_request_stop(world.worker, &end->request, on_done, world.pool, TROUPE_STOP, (troupe_view){0}, 60000);
    pass(10000);
    assert_answered(first, TROUPE_E_ENDED, "");
    assert_answered(second, TROUPE_E_ENDED, "");
    assert_answered(end, 0, "");
}

/* ---- its own types ---- */

static void test_the_types_of_the_pool_itself(void **state)
{
    (void)state;
    open_pool("\"size\":3");
    assert_answered(ask("pool.workers", "{\"limit\":2}"), 0, "\"more\":true");
    assert_answered(ask("pool.workers", "{\"from\":2}"), 0, "\"index\":2");
    assert_answered(ask("pool.workers", "{\"from\":9}"), 0, "{\"workers\":[],\"more\":false}");
    assert_answered(ask("pool.workers", "{\"page\":9}"), TROUPE_E_SCHEMA, "page");
    assert_answered(ask("pool.resize", "{}"), TROUPE_E_SCHEMA, "size is missing");
    assert_answered(ask("pool.resize", "{\"size\":0}"), TROUPE_E_SCHEMA, "size");
    assert_answered(ask("pool.resize", "{\"siz\":1}"), TROUPE_E_SCHEMA, "siz");
    cast("pool.resize", "{\"size\":x}"); /* nobody to tell */
    cast("pool.resize", "{\"size\":4}");
    assert_int_equal(figure("size"), 4);
    assert_int_equal(figure("ready"), 4);
    open_pool("\"concurrency\":1000");
    assert_answered(ask("pool.resize", "{\"size\":16}"), TROUPE_E_INVALID, "more than 15000");
    assert_answered(ask("pool.resize", "{\"size\":15}"), 0, "{\"size\":15,\"before\":1}");
}

static void test_the_figures_tell_how_long_jobs_waited_and_ran(void **state)
{
    (void)state;
    open_pool("");
    ask("work", "0");
    ask("work", "1"); /* it waits for the first */
    pass(30);
    finish(0);
    pass(50);
    finish(1);
    assert_int_equal(figure("wait_ms_max"), 30);
    assert_int_equal(figure("wait_ms_mean"), 15);
    assert_int_equal(figure("run_ms_max"), 50);
    assert_int_equal(figure("run_ms_mean"), 40);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_bad_args_end_the_start_with_words),
        CASE(test_a_worker_that_does_not_start_ends_the_start),
        CASE(test_a_job_goes_to_a_worker_untouched_and_its_answer_back),
        CASE(test_casts_are_jobs_too),
        CASE(test_free_workers_take_jobs_as_they_come),
        CASE(test_concurrency_is_how_many_jobs_a_worker_has),
        CASE(test_urgent_jobs_come_first),
        CASE(test_a_steady_stream_of_urgent_jobs_does_not_starve_the_others),
        CASE(test_a_job_that_was_accepted_is_never_shed_without_a_word),
        CASE(test_a_queue_of_0_is_none_and_not_an_unlimited_one),
        CASE(test_refuse_and_newest_and_priority_say_who_goes),
        CASE(test_callers_who_have_gone_make_room),
        CASE(test_a_cast_that_is_shed_is_told_to_subscribers),
        CASE(test_the_rate_holds_and_a_burst_is_a_burst),
        CASE(test_a_job_that_waits_too_long_is_answered),
        CASE(test_drain_finishes_what_was_accepted_and_refuses_the_rest),
        CASE(test_so_many_wait_for_a_drain_and_a_resume_tells_them),
        CASE(test_an_actor_drain_of_the_pool_finishes_its_queue),
        CASE(test_a_stop_answers_every_job),
        CASE(test_the_types_of_the_pool_itself),
        CASE(test_the_figures_tell_how_long_jobs_waited_and_ran),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
