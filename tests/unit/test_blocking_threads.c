/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads of blocking workers: made when they are wanted, tried again when they cannot be made, ended by a stop.
 * The threads are real; the linker puts make_thread in front of pthread_create. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "base/clock.h"
#include "io/blocking.h"

static struct world {
    troupe_system *system;
    struct blocking *blocking;
    unsigned failures;      /* so many threads more cannot be made */
    _Atomic unsigned wanted; /* how often the control thread was woken */
    sem_t handled, go_on;
    troupe_ref ref;
} world;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    if (world.failures > 0) {
        world.failures--;
        return EAGAIN;
    }
    return __real_pthread_create(thread, attr, run, arg);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx, (void)state;
    sem_post(&world.handled);
    while (msg->op == 1 && sem_wait(&world.go_on) != 0)
        continue;
    return 0;
}

static const troupe_type types[] = {{.name = "pass", .flags = TROUPE_TYPE_CAST},
                                    {.name = "hold", .flags = TROUPE_TYPE_CAST}};
static const troupe_behavior behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "blocking", .version = "1.0.0", .summary = "waits", .types = types, .types_count = 2,
    .flags = TROUPE_BEHAVIOR_BLOCKING, .receive = receive,
};

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    if (worker > 0)
        blocking_wake(world.blocking, worker - 1);
}

static void wake_control(void *user)
{
    (void)user;
    atomic_fetch_add(&world.wanted, 1);
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    world.ref = answer->ref;
}

static void cast(const char *type)
{
    assert_int_equal(troupe_worker_cast(troupe_system_worker(world.system, 0), world.ref, troupe_view_of(type),
                                        troupe_body_none(), (troupe_caller){0}),
                     0);
}

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        assert_int_equal(errno, EINTR);
}

static int setup(void **state)
{
    const troupe_system_config config = {.workers = 1, .blocking_workers = 2, .node = 4, .wake = on_wake};
    const troupe_spawn_opts opts = {.behavior = "blocking"};
    static troupe_request request;
    (void)state;
    world = (struct world){.failures = 0};
    sem_init(&world.handled, 0, 0);
    sem_init(&world.go_on, 0, 0);
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &behavior), 0);
    const struct blocking_config threads = {.system = world.system, .wake_control = wake_control};
    assert_int_equal(blocking_new(&threads, &world.blocking), 0);
    troupe_worker_set_now(troupe_system_worker(world.system, 0), clock_now_ns());
    request = (troupe_request){0};
    troupe_request_spawn(troupe_system_worker(world.system, 0), &request, on_done, &opts);
    /* Nobody has run its init yet, so nothing was answered: its reference is that of the first slot. */
    world.ref = (troupe_ref){troupe_system_home(world.system), 1, 1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blocking_stop(world.blocking);
    blocking_join(world.blocking);
    assert_true(blocking_have_ended(world.blocking));
    troupe_system_free(world.system);
    blocking_free(world.blocking);
    sem_destroy(&world.handled);
    sem_destroy(&world.go_on);
    return 0;
}

static void test_a_thread_is_made_when_the_core_wants_it(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&world.wanted), 1); /* by the spawn */
    cast("pass");
    assert_true(blocking_have_ended(world.blocking)); /* there is none */
    blocking_make_wanted(world.blocking);
    assert_false(blocking_have_ended(world.blocking));
    await(&world.handled);
    for (unsigned i = 0; i < 100; i++) { /* and each wake finds it */
        cast("pass");
        await(&world.handled);
    }
}

static void test_a_thread_that_cannot_be_made_is_tried_again(void **state)
{
    (void)state;
    cast("pass");
    world.failures = 2;
    blocking_make_wanted(world.blocking);
    blocking_make_wanted(world.blocking);
    assert_int_equal(world.failures, 0);
    assert_true(blocking_have_ended(world.blocking));
    blocking_make_wanted(world.blocking);
    await(&world.handled);
}

static void test_a_stop_waits_for_the_turn_under_way_and_leaves_the_rest(void **state)
{
    (void)state;
    cast("hold");
    cast("pass");
    blocking_make_wanted(world.blocking);
    await(&world.handled);
    blocking_stop(world.blocking);
    assert_false(blocking_have_ended(world.blocking));
    blocking_tell_held(world.blocking);
    sem_post(&world.go_on);
    blocking_join(world.blocking);
    assert_true(blocking_have_ended(world.blocking));
    assert_int_not_equal(sem_trywait(&world.handled), 0); /* the second message was not handled */
}

static void test_no_thread_is_made_behind_a_stop(void **state)
{
    (void)state;
    blocking_stop(world.blocking);
    blocking_make_wanted(world.blocking);
    assert_true(blocking_have_ended(world.blocking));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_thread_is_made_when_the_core_wants_it),
        TEST(test_a_thread_that_cannot_be_made_is_tried_again),
        TEST(test_a_stop_waits_for_the_turn_under_way_and_leaves_the_rest),
        TEST(test_no_thread_is_made_behind_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
