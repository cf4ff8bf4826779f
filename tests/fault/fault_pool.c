/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool without memory: jobs of all sorts, crashes, retries, a stuck probe's timer, resize and drain, with the first
 * allocation failing, then the second, and so on until none of them fails any more.
 *
 * Whatever fails: every call is answered once, each accepted job is accounted for, the pool does not end, it has all
 * its workers afterwards, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/pool_world.h"

#define ALLOCATIONS_MAX 5000u

static unsigned finished;

/* Tell whoever began a job to answer it. A cast may find no memory, or nobody. */
static void finish_next(void)
{
    if (finished == world.begun_count)
        return;
    uint32_t which = finished++;
    int rc = troupe_worker_cast(world.worker, world.begun[which].worker, troupe_view_of("finish"),
                                troupe_body_bytes(&which, sizeof which, "a/b"), (troupe_caller){0});
    assert_true(rc == 0 || rc == TROUPE_E_GONE || rc == TROUPE_E_NO_MEMORY);
    run();
}

static void cast_if_memory(const char *type, const char *body)
{
    int rc = troupe_worker_cast(world.worker, world.pool, troupe_view_of(type), troupe_body_json(body, strlen(body)),
                                (troupe_caller){0});
    assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY);
    run();
}

static void jobs_of_all_sorts(const char *args)
{
    char text[512];
    static char long_body[400];

    snprintf(text, sizeof text, "{\"worker\":{\"behavior\":\"hand\"},\"size\":2,\"retries\":1,\"dead_man_ms\":90,"
                                "\"job_timeout_ms\":3000,\"queue_max\":6,\"shed\":\"oldest\"%s}", args);
    memset(long_body, 'x', sizeof long_body - 1);
    memcpy(long_body, "{\"k\":1,\"x\":\"", 12);
    memcpy(long_body + sizeof long_body - 3, "\"}", 2);
    finished = 0;
    if (spawn_pool_as("pool", text)->error != 0)
        return; /* refused: nobody has a job */
    world.fails = 1;
    for (int i = 0; i < 5; i++) {
        ask("work", "{\"k\":1}");
        cast_if_memory("work", "{\"k\":2}");
        ask("work", long_body);
        cast_if_memory("work", long_body);
    }
    finish_next();
    finish_next();
    ask("fail_some", "{\"k\":3}");
    ask("pool.resize", "{\"size\":4}");
    pass(200);
    ask("pool.resize", "{\"size\":1}");
    ask("pool.workers", "");
    for (int i = 0; i < 4; i++)
        finish_next();
    ask("pool.drain", "");
    pass(3500); /* what nobody finished has had its time */
    ask("pool.resume", "");
    pass(20000); /* all backoffs */
    finished = world.begun_count;
}

/* Was the n-th allocation never reached? */
static bool is_still_ordered(void)
{
    void *block = troupe__port_alloc(16);
    bool is_ordered = false;

    for (unsigned i = 0; i < ALLOCATIONS_MAX && block != NULL; i++) {
        troupe__port_free(block, 16);
        block = troupe__port_alloc(16);
    }
    is_ordered = block == NULL;
    troupe__port_free(block, 16);
    troupe__port_fail_after(0);
    return is_ordered;
}

/* False: the scenario needs fewer allocations. */
static bool play(const char *args, uint64_t n)
{
    unsigned opened, before;

    troupe__port_fail_after(n);
    jobs_of_all_sorts(args);
    if (is_still_ordered())
        return false;
    opened = world.asked_count;
    for (unsigned i = 0; i < opened; i++)
        assert_in_range(world.asked[i].times, 1, 1);
    if (world.asked[0].error != 0)
        return true;
    assert_int_equal(world.pool_ends, 0);
    assert_answered(ask("pool.resume", ""), 0, "null"); /* the first may have been refused for want of memory */
    ask("echo", "{\"k\":1}"); /* a pool whose timer was lost sets it again with the next message */
    pass(20000);
    assert_int_equal(figure("waiting") + figure("in_flight"), 0);
    assert_int_equal(figure("ready"), figure("size"));
    assert_books_are_balanced();
    before = world.begun_count;
    assert_answered(ask("echo", "{\"k\":1}"), 0, "{\"k\":1}");
    assert_int_equal(world.begun_count, before + 1);
    return true;
}

static void fail_each_in_turn(const char *args)
{
    uint64_t n = 0;
    bool was_reached = true;

    while (was_reached && ++n < ALLOCATIONS_MAX) {
        open_with(1);
        was_reached = play(args, n);
        void *none = NULL;
        tear_down(&none);
    }
    assert_in_range(n, 10, ALLOCATIONS_MAX - 1);
    print_message("# %llu allocations failed in turn\n", (unsigned long long)n - 1);
}

static void test_every_accepted_job_is_answered_though_an_allocation_fails(void **state)
{
    (void)state;
    fail_each_in_turn("");
}

static void test_the_same_with_sticky_keys(void **state)
{
    (void)state;
    fail_each_in_turn(",\"routing\":\"sticky\",\"key\":\"k\",\"priority\":\"p\"");
}

static void test_the_same_with_a_capacity_rule(void **state)
{
    (void)state;
    fail_each_in_turn(",\"capacity\":{\"max\":6,\"interval_ms\":100,\"idle_ms\":500}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_accepted_job_is_answered_though_an_allocation_fails),
        cmocka_unit_test(test_the_same_with_sticky_keys),
        cmocka_unit_test(test_the_same_with_a_capacity_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
