/* SPDX-License-Identifier: Apache-2.0
 *
 * A spawn with a link, without memory: with the first allocation failing, then the second, and so on. Found by the
 * simulator in a sanitizer build (seed 49): the child was made and its link was not, so the spawn was refused and the
 * child killed, and then its parent started it again, because it was a permanent one.
 *
 * In a sanitizer build each block of a pool is an allocation of its own, so there every single one fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "port/port.h"

#define NS_PER_MS UINT64_C(1000000)
#define ALLOCATIONS_MAX 60u

static struct {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    uint64_t fails_at; /* the allocation of the spawn that fails; 0: none */
    int rc;
    unsigned starts;
} world;

static int leaf_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)ctx, (void)state, (void)args;
    world.starts++;
    return 0;
}

static int ignore(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx, (void)state, (void)msg;
    return 0;
}

static int spawn_linked(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    troupe_spawn_opts opts = {.behavior = "leaf", .restart = TROUPE_PERMANENT, .child_tag = 1, .link = true};
    troupe_ref ref;

    (void)state, (void)msg;
    troupe__port_fail_after(world.fails_at);
    world.rc = troupe_spawn(ctx, &opts, &ref);
    troupe__port_fail_after(0);
    return 0;
}

static const troupe_behavior leaf = {TROUPE_BEHAVIOR_HEAD, .name = "leaf",    .version = "1", .summary = "a child",
                                     .init = leaf_init,    .receive = ignore, .flags = TROUPE_BEHAVIOR_ANY_TYPE};
static const troupe_behavior trunk = {TROUPE_BEHAVIOR_HEAD, .name = "trunk", .version = "1", .summary = "a parent",
                                      .receive = spawn_linked,
                                      .flags = TROUPE_BEHAVIOR_ANY_TYPE | TROUPE_BEHAVIOR_TRAP_EXIT};

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    *(troupe_ref *)request->user = answer->ref;
}

static void pass(uint64_t ms)
{
    world.now_ns += ms * NS_PER_MS;
    for (unsigned i = 0; troupe_worker_poll(world.worker, world.now_ns, 8) == 0; i++)
        assert_in_range(i, 0, 100000);
}

static void play(uint64_t fails_at)
{
    troupe_ref ref = {0};
    troupe_request request = {.user = &ref};
    troupe_stats stats;

    memset(&world, 0, sizeof world);
    world.now_ns = 1000 * NS_PER_MS;
    world.fails_at = fails_at;
    assert_int_equal(troupe_system_new(&(troupe_system_config){.node = 7}, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &leaf), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &trunk), 0);
    world.worker = troupe_system_worker(world.system, 0);
    troupe_worker_set_now(world.worker, world.now_ns);
    troupe_request_spawn(world.worker, &request, on_done, &(troupe_spawn_opts){.behavior = "trunk"});
    pass(0);
    assert_int_equal(
        troupe_worker_cast(world.worker, ref, troupe_view_of("go"), troupe_body_none(), (troupe_caller){0}), 0);
    pass(0);
    pass(1000);
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.restarts, 0);
    assert_int_equal(world.starts, world.rc == 0);
    troupe_system_free(world.system);
}

static void test_a_spawn_that_was_refused_leaves_no_child_that_comes_back(void **state)
{
    (void)state;
    play(0);
    assert_int_equal(world.rc, 0);
    for (uint64_t n = 1; n <= ALLOCATIONS_MAX; n++) {
        play(n);
        assert_true(world.rc == 0 || world.rc == TROUPE_E_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_spawn_that_was_refused_leaves_no_child_that_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
