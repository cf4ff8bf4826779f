/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision without memory: trees of the supervisor behavior are started, changed, failed and ended, with the first
 * allocation failing, then the second, and so on until none of them fails any more; and once more with an allocation
 * failing in each step.
 *
 * Whatever fails, nothing crashes or leaks, every request is answered once, an end needs no memory, and a tree either
 * runs or is not there at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/behaviors.h>
#include <troupe/system.h>

#include "port/port.h"

#define REQUESTS 64u
#define ALLOCATIONS_MAX 100000u
#define NS_PER_MS UINT64_C(1000000)

static struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    struct {
        troupe_request request;
        unsigned started, done;
    } requests[REQUESTS];
    unsigned requests_count;
    unsigned no_memory; /* answers that said so, or that a start failed for it */
    unsigned fine;      /* answers without error */
} world;

/* What may be said: success, no memory, or what follows from an earlier refusal or failure. */
static void check(int rc)
{
    static const int legal[] = {TROUPE_E_NOT_FOUND,    TROUPE_E_GONE,  TROUPE_E_APP,      TROUPE_E_ACTOR_FAILED,
                                TROUPE_E_START_FAILED, TROUPE_E_ENDED, TROUPE_E_TIMEOUT,  TROUPE_E_STOPPED,
                                TROUPE_E_NAME_TAKEN,   TROUPE_E_KILLED, TROUPE_E_DRAINING, TROUPE_E_NO_REPLY};

    world.no_memory += rc == TROUPE_E_NO_MEMORY || rc == TROUPE_E_START_FAILED;
    world.fine += rc == 0;
    if (rc == 0 || rc == TROUPE_E_NO_MEMORY)
        return;
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        if (rc == legal[i])
            return;
    fail_msg("an unexpected error: %s", troupe_error_lookup(rc)->code);
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    unsigned *done = request->user;

    ++*done;
    check(answer->error);
}

static troupe_request *next_request(void)
{
    assert_true(world.requests_count < REQUESTS);
    unsigned i = world.requests_count++;
    world.requests[i].started = 1;
    world.requests[i].request = (troupe_request){.user = &world.requests[i].done};
    return &world.requests[i].request;
}

static void run(void)
{
    for (unsigned i = 0; troupe_worker_poll(world.worker, world.now_ns, 8) == 0; i++)
        assert_in_range(i, 0, 100000);
}

static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 10) {
        world.now_ns += 10 * NS_PER_MS;
        run();
    }
}

static troupe_ref named(const char *name)
{
    troupe_ref ref = {0};

    return troupe_system_whereis(world.system, troupe_view_of(name), &ref) == 0 ? ref : (troupe_ref){0};
}

static void spawn(const char *name, const char *args)
{
    troupe_spawn_opts opts = {.behavior = "supervisor",
                              .name = troupe_view_of(name),
                              .args = troupe_body_json(args, strlen(args)),
                              .restart = TROUPE_PERMANENT};

    troupe_request_spawn(world.worker, next_request(), on_done, &opts);
}

static void call(const char *name, const char *type, const char *body)
{
    troupe_request_call(world.worker, next_request(), on_done, named(name), troupe_view_of(type),
                        troupe_body_json(body, strlen(body)), (troupe_caller){0}, 200);
}

/* ---- the scenario, in steps ---- */

#define FAULTY(id) "{\"id\":\"" id "\",\"behavior\":\"faulty\",\"name\":\"" id "\"}"

static void step_tree(void)
{
    spawn("tree", "{\"strategy\":\"one_for_all\",\"restarts\":32,\"children\":[" FAULTY("a") "," FAULTY("b") ","
                  "{\"id\":\"inner\",\"behavior\":\"supervisor\",\"name\":\"inner\",\"args\":{"
                  "\"strategy\":\"rest_for_one\","
                  "\"restarts\":32,\"children\":[" FAULTY("c") ",{\"id\":\"d\",\"behavior\":\"faulty\",\"name\":\"d\","
                  "\"backoff_min_ms\":20,\"backoff_max_ms\":40,\"restart\":\"transient\",\"significant\":true},"
                  FAULTY("e") "]}}]}");
}
static void step_template(void)
{
    spawn("many", "{\"children_max\":20,\"template\":{\"behavior\":\"faulty\",\"restart\":\"transient\","
                  "\"backoff_min_ms\":1000,\"backoff_max_ms\":1000}}");
}
static void step_start_many(void)
{
    for (unsigned i = 0; i < 12; i++)
        call("many", "start_child", i == 3 ? "{\"id\":\"x\",\"name\":\"x\"}" : "{}");
}
static void step_add(void) { call("tree", "start_child", FAULTY("f")); }
static void step_fail_a(void) { call("a", "fail", ""); }
static void step_fail_c(void) { call("c", "fail", ""); }
static void step_fail_d(void) { call("d", "fail", ""); }
static void step_fail_x(void) { call("x", "fail", ""); }
static void step_look(void)
{
    call("tree", "which_children", "");
    call("many", "which_children", "{\"limit\":5}");
    call("inner", "count_children", "");
}
static void step_terminate(void)
{
    call("tree", "terminate_child", "{\"id\":\"b\"}");
    call("many", "terminate_child", "{\"id\":\"x\"}");
    call("many", "terminate_child", "{\"id\":\"child-2\"}");
}
static void step_restart(void)
{
    call("tree", "restart_child", "{\"id\":\"b\"}");
    call("tree", "delete_child", "{\"id\":\"b\"}");
}
static void step_time(void) { pass(100); }
static void step_stop_inner(void)
{
    troupe_request_stop(world.worker, next_request(), on_done, named("inner"), TROUPE_KILL, troupe_view_of(""), 200);
}

static void (*const steps[])(void) = {step_tree,   step_template,   step_start_many, step_add,     step_fail_a,
                                      step_time,   step_fail_c,     step_fail_d,     step_time,    step_fail_x,
                                      step_look,   step_terminate,  step_look,       step_restart, step_time,
                                      step_fail_a, step_stop_inner, step_time};
#define STEPS (sizeof steps / sizeof steps[0])

/* A tree that lives has all that its document says: what failed for want of memory was tried again. (It may have begun
 * anew meanwhile, and then has lost the child that was added.) */
static void expect_whole(void)
{
    if (troupe_ref_is_actor(named("tree"))) {
        assert_true(troupe_ref_is_actor(named("a")));
        assert_true(troupe_ref_is_actor(named("c")));
        assert_true(troupe_ref_is_actor(named("d")));
        assert_true(troupe_ref_is_actor(named("e")));
    }
}

/* Run it all. fails_from: the step from which each step begins with a failing allocation. */
static void play(size_t fails_from)
{
    troupe_system_config config = {.workers = 1, .node = 9, .seed = 9, .actors_max = 1000};
    troupe_stats stats;
    int rc;

    memset(&world, 0, sizeof world);
    world.now_ns = 1000 * NS_PER_MS;
    rc = troupe_system_new(&config, &world.system);
    if (rc != 0) {
        check(rc);
        return;
    }
    for (unsigned i = 0; rc == 0 && troupe_behaviors_at(i) != NULL; i++)
        rc = troupe_system_add_behavior(world.system, troupe_behaviors_at(i));
    check(rc);
    if (rc == 0) {
        world.worker = troupe_system_worker(world.system, 0);
        troupe_worker_set_now(world.worker, world.now_ns);
        run();
        troupe_system_stats(world.system, &stats);
        uint64_t baseline = stats.memory_bytes;
        for (size_t i = 0; i < STEPS; i++) {
            if (i >= fails_from)
                troupe__port_fail_after(1 + i % 3);
            steps[i]();
            run();
        }
        pass(1000); /* every deadline passes, and whoever lacked memory has tried again */
        expect_whole();
        troupe_system_shutdown(world.worker, TROUPE_STOP, 1000);
        run();
        pass(1500);
        troupe_system_stats(world.system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(stats.names, 0);
        assert_true(stats.memory_bytes <= baseline);
        for (unsigned i = 0; i < world.requests_count; i++)
            assert_int_equal(world.requests[i].done, world.requests[i].started);
    }
    troupe_system_free(world.system);
}

/* Has the failure that was ordered for the n-th allocation not come yet? */
static bool is_still_ordered(uint64_t n)
{
    bool ordered = false;

    for (uint64_t i = 0; i < n && !ordered; i++) {
        void *block = troupe__port_alloc(16);
        ordered = block == NULL;
        troupe__port_free(block, 16);
    }
    troupe__port_fail_after(0);
    return ordered;
}

static void test_everything_happens_with_enough_memory(void **state)
{
    (void)state;
    play(STEPS);
    assert_int_equal(world.no_memory, 0);
    assert_true(world.fine >= world.requests_count - 8); /* the calls of "fail" and one delete are refused */
}

static void test_each_allocation_may_fail(void **state)
{
    uint64_t n = 1, refusals = 0;

    (void)state;
    for (bool failed = true; failed; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        troupe__port_fail_after(n);
        play(STEPS);
        failed = !is_still_ordered(n);
        refusals += world.no_memory;
    }
    assert_true(n > 10);
    assert_true(refusals > 0);
}

static void test_an_allocation_of_each_step_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        play(i);
        troupe__port_fail_after(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_happens_with_enough_memory),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_an_allocation_of_each_step_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
