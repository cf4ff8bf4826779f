/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocking workers, driven by hand: one ordinary worker and two for behaviors that may block, on virtual time. Nothing
 * blocks here: what is shown is who runs what, and who is woken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#define NS_PER_MS UINT64_C(1000000)
#define ORDINARY 0u
#define BLOCKING 1u /* and 2 */
#define NOBODY UINT32_MAX

static struct world {
    troupe_system *system;
    troupe_worker *workers[3];
    uint64_t now_ns;
    uint32_t driving;      /* the worker whose poll runs */
    uint64_t clock_ns, clock_step_ns;
    unsigned wakes[3];
    char order[64];        /* a letter for each message that was handled */
    bool answered;
    int error;
    troupe_ref ref;        /* of the last spawn */
    troupe_ref peer;       /* whom a "pass" goes to */
} world;

/* ---- the behaviors: one that may block and one that may not, else alike ---- */

struct state {
    char letter;
};

enum { OP_NOTE, OP_PASS, OP_LATER, OP_TICK };

static void note(const struct state *state, char event)
{
    size_t len = strlen(world.order);
    assert_true(len + 2 < sizeof world.order);
    world.order[len] = event != '\0' ? event : state->letter;
    world.order[len + 1] = '\0';
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;
    (void)ctx;
    state->letter = *(const char *)args->body;
    assert_true((world.driving != ORDINARY) == (state->letter >= 'A' && state->letter <= 'Z'));
    return 0;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    uint64_t timer;
    assert_true((world.driving != ORDINARY) == (state->letter >= 'A' && state->letter <= 'Z'));
    world.clock_ns += world.clock_step_ns;
    note(state, '\0');
    switch (msg->op) {
    case OP_PASS:
        return troupe_cast(ctx, world.peer, "note", troupe_body_none());
    case OP_LATER:
        return troupe_timer_after(ctx, 100, "tick", troupe_body_none(), &timer);
    case OP_TICK:
        note(state, '!');
        return 0;
    default:
        return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json("1", 1)) : 0;
    }
}

static const troupe_type types[] = {{.name = "note"}, {.name = "pass"}, {.name = "later"}, {.name = "tick"}};

#define BEHAVIOR(word, bits)                                                                                           \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "notes who runs it", .types = types,        \
                              .types_count = 4, .state_bytes = sizeof(struct state), .flags = bits, .init = init,      \
                              .receive = receive                                                                       \
    }
static const troupe_behavior blocking = BEHAVIOR("blocking", TROUPE_BEHAVIOR_BLOCKING);
static const troupe_behavior ordinary = BEHAVIOR("ordinary", 0);

/* ---- driving ---- */

static void wake(void *user, uint32_t worker)
{
    (void)user;
    assert_in_range(worker, 0, 2);
    world.wakes[worker]++;
}

static uint64_t read_clock(void *user)
{
    (void)user;
    return world.clock_ns;
}

static void open_with(uint32_t blocking_workers)
{
    const troupe_system_config config = {.workers = 1, .blocking_workers = blocking_workers, .node = 3, .seed = 3,
                                         .wake = wake, .clock_ns = read_clock};
    world = (struct world){.now_ns = 1000 * NS_PER_MS, .clock_ns = 1, .driving = NOBODY};
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &blocking), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &ordinary), 0);
    for (uint32_t i = 0; i < 1 + blocking_workers; i++)
        world.workers[i] = troupe_system_worker(world.system, i);
    troupe_worker_set_now(world.workers[ORDINARY], world.now_ns);
}

static int setup(void **state)
{
    (void)state;
    open_with(2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    troupe_system_free(world.system);
    return 0;
}

static uint64_t poll_once(uint32_t worker)
{
    world.driving = worker;
    uint64_t delay_ns = troupe_worker_poll(world.workers[worker], world.now_ns, 16);
    world.driving = NOBODY;
    return delay_ns;
}

/* Poll until the worker has nothing to do at once; its delay. */
static uint64_t drive(uint32_t worker)
{
    for (unsigned polls = 0;; polls++) {
        uint64_t delay_ns = poll_once(worker);
        assert_in_range(polls, 0, 10000);
        if (delay_ns != 0)
            return delay_ns;
    }
}

static void drive_all(void)
{
    for (unsigned round = 0; round < 4; round++)
        for (uint32_t i = 0; i < 1 + troupe_system_blocking_workers(world.system); i++)
            (void)drive(i);
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    world.answered = true;
    world.error = answer->error;
    world.ref = answer->ref;
}

static troupe_request asked;

static troupe_ref spawn(const char *behavior, const char *letter)
{
    const troupe_spawn_opts opts = {.behavior = behavior, .args = troupe_body_json(letter, 1)};
    asked = (troupe_request){0};
    world.answered = false;
    troupe_request_spawn(world.workers[ORDINARY], &asked, on_done, &opts);
    drive_all();
    assert_true(world.answered);
    assert_int_equal(world.error, 0);
    return world.ref;
}

static void call(troupe_ref ref, const char *type)
{
    asked = (troupe_request){0};
    world.answered = false;
    world.driving = ORDINARY; /* it may run in this very call */
    troupe_request_call(world.workers[ORDINARY], &asked, on_done, ref, troupe_view_of(type), troupe_body_none(),
                        (troupe_caller){0}, 0);
    world.driving = NOBODY;
}

static void cast(troupe_ref ref, const char *type)
{
    assert_int_equal(troupe_worker_cast(world.workers[ORDINARY], ref, troupe_view_of(type), troupe_body_none(),
                                        (troupe_caller){0}),
                     0);
}

/* ---- tests: the behaviors themselves assert that they run where they may ---- */

static void test_a_declared_behavior_is_run_by_blocking_workers_alone(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A");
    call(ref, "note");
    assert_true(drive(ORDINARY) > 0);
    assert_false(world.answered); /* however often the ordinary worker looks */
    assert_string_equal(world.order, "");
    (void)drive(BLOCKING);
    assert_string_equal(world.order, "A");
    assert_false(world.answered); /* the answer belongs to the ordinary worker */
    (void)drive(ORDINARY);
    assert_true(world.answered);
    assert_int_equal(world.error, 0);
}

static void test_any_other_behavior_is_never_run_by_a_blocking_worker(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A");
    world.peer = spawn("ordinary", "o");
    cast(ref, "pass");
    (void)drive(BLOCKING);
    assert_int_equal(drive(BLOCKING + 1), TROUPE_NEVER);
    assert_string_equal(world.order, "A"); /* the ordinary actor waits for the ordinary worker ... */
    (void)drive(ORDINARY);
    assert_string_equal(world.order, "Ao"); /* ... which finds it */
}

static void test_a_call_is_answered_while_all_blocking_workers_are_held_up(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A"), other = spawn("ordinary", "o");
    cast(ref, "note");
    call(other, "note");
    assert_true(world.answered); /* even at once */
    assert_string_equal(world.order, "o");
}

static void test_the_first_work_wakes_one_blocking_worker_that_nobody_drives_yet(void **state)
{
    (void)state;
    const troupe_spawn_opts opts = {.behavior = "blocking", .args = troupe_body_json("A", 1)};
    asked = (troupe_request){0};
    troupe_request_spawn(world.workers[ORDINARY], &asked, on_done, &opts);
    assert_int_equal(world.wakes[BLOCKING], 1);
    assert_int_equal(world.wakes[BLOCKING + 1], 0);
    (void)drive(BLOCKING); /* its thread is there now, and runs what came */
    (void)drive(ORDINARY);
    assert_true(world.answered);
}

static void test_a_parked_blocking_worker_is_woken_for_each_piece_of_work(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A");
    unsigned before = world.wakes[BLOCKING];
    assert_true(troupe_worker_park(world.workers[BLOCKING]));
    cast(ref, "note");
    assert_int_equal(world.wakes[BLOCKING], before + 1);
    troupe_worker_unpark(world.workers[BLOCKING]);
    assert_false(troupe_worker_park(world.workers[BLOCKING])); /* the work is there */
    (void)drive(BLOCKING);
    assert_true(troupe_worker_park(world.workers[BLOCKING]));
    troupe_worker_unpark(world.workers[BLOCKING]);
    assert_int_equal(world.wakes[ORDINARY], 0); /* it was never parked */
}

static void test_a_timer_of_a_blocking_actor_is_kept_by_an_ordinary_worker(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A");
    cast(ref, "later");
    assert_int_equal(drive(BLOCKING), TROUPE_NEVER);
    uint64_t delay_ns = drive(ORDINARY);
    assert_true(delay_ns <= 101 * NS_PER_MS);
    world.now_ns += 101 * NS_PER_MS;
    (void)drive(ORDINARY);
    assert_string_equal(world.order, "A");
    (void)drive(BLOCKING);
    assert_string_equal(world.order, "AA!");
}

static void test_a_timer_that_a_blocking_worker_arms_rouses_the_ordinary_worker(void **state)
{
    (void)state;
    troupe_ref ref = spawn("blocking", "A");
    cast(ref, "later");
    (void)drive(ORDINARY);
    assert_true(troupe_worker_park(world.workers[ORDINARY])); /* it knows of no deadline */
    (void)drive(BLOCKING);
    assert_int_equal(world.wakes[ORDINARY], 1);
    troupe_worker_unpark(world.workers[ORDINARY]);
    (void)drive(ORDINARY);

    /* The same when it was just about to park. */
    cast(ref, "later");
    world.now_ns += 200 * NS_PER_MS; /* the first one is over */
    (void)drive(ORDINARY);
    (void)drive(BLOCKING);
    assert_false(troupe_worker_park(world.workers[ORDINARY]));
    (void)drive(ORDINARY);
    assert_true(troupe_worker_park(world.workers[ORDINARY]));
    troupe_worker_unpark(world.workers[ORDINARY]);
}

static void test_a_blocking_turn_is_one_message_so_that_actors_take_turns(void **state)
{
    (void)state;
    troupe_ref a = spawn("blocking", "A"), b = spawn("blocking", "B");
    for (unsigned i = 0; i < 3; i++)
        cast(a, "note");
    cast(b, "note");
    (void)poll_once(BLOCKING);
    assert_string_equal(world.order, "A");
    (void)drive(BLOCKING);
    assert_string_equal(world.order, "ABAA");
}

static void test_blocking_turns_are_counted_and_are_no_long_turns(void **state)
{
    (void)state;
    troupe_stats stats;
    troupe_ref ref = spawn("blocking", "A"), other = spawn("ordinary", "o");
    troupe_system_stats(world.system, &stats);
    uint64_t before = stats.turns_blocking;
    world.clock_step_ns = 500 * NS_PER_MS;
    cast(ref, "note");
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.blocking_waiting, 1);
    (void)drive(BLOCKING);
    troupe_system_stats(world.system, &stats);
    assert_true(stats.turns_blocking > before);
    assert_int_equal(stats.turns_long, 0);
    assert_int_equal(stats.blocking_waiting, 0);
    assert_int_equal(stats.blocking_busy, 0);
    cast(other, "note");
    (void)drive(ORDINARY);
    cast(other, "note"); /* behind a long slice each turn is timed */
    (void)drive(ORDINARY);
    troupe_system_stats(world.system, &stats);
    assert_true(stats.turns_long > 0); /* the clock does count */
}

static void test_the_end_of_the_node_takes_blocking_actors_along(void **state)
{
    (void)state;
    troupe_stats stats;
    (void)spawn("blocking", "A");
    (void)spawn("blocking", "B");
    troupe_system_shutdown(world.workers[ORDINARY], TROUPE_DRAIN, 1000);
    drive_all();
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.actors, 0);
}

static void test_a_system_is_freed_with_work_in_the_blocking_queue(void **state)
{
    (void)state;
    troupe_ref a = spawn("blocking", "A"), b = spawn("blocking", "B");
    cast(a, "note");
    cast(b, "note"); /* teardown frees: the killed actors run nothing more */
}

static void test_without_blocking_workers_such_a_behavior_runs_as_any_other(void **state)
{
    (void)state;
    troupe_system_free(world.system);
    open_with(0);
    world.peer = spawn("ordinary", "o");
    const troupe_spawn_opts opts = {.behavior = "blocking", .args = troupe_body_json("a", 1)};
    asked = (troupe_request){0};
    troupe_request_spawn(world.workers[ORDINARY], &asked, on_done, &opts);
    (void)drive(ORDINARY);
    call(world.ref, "note");
    assert_true(world.answered); /* at once */
    assert_int_equal(troupe_system_blocking_workers(world.system), 0);
    assert_null(troupe_system_worker(world.system, 1));
}

static void test_more_workers_than_bits_are_refused(void **state)
{
    (void)state;
    troupe_system *system;
    troupe_system_config config = {.workers = 60, .blocking_workers = 5, .node = 1};
    assert_int_equal(troupe_system_new(&config, &system), TROUPE_E_INVALID);
    config.blocking_workers = 4;
    assert_int_equal(troupe_system_new(&config, &system), 0);
    assert_int_equal(troupe_system_workers(system), 60);
    assert_non_null(troupe_system_worker(system, 63));
    troupe_system_free(system);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_declared_behavior_is_run_by_blocking_workers_alone),
        TEST(test_any_other_behavior_is_never_run_by_a_blocking_worker),
        TEST(test_a_call_is_answered_while_all_blocking_workers_are_held_up),
        TEST(test_the_first_work_wakes_one_blocking_worker_that_nobody_drives_yet),
        TEST(test_a_parked_blocking_worker_is_woken_for_each_piece_of_work),
        TEST(test_a_timer_of_a_blocking_actor_is_kept_by_an_ordinary_worker),
        TEST(test_a_timer_that_a_blocking_worker_arms_rouses_the_ordinary_worker),
        TEST(test_a_blocking_turn_is_one_message_so_that_actors_take_turns),
        TEST(test_blocking_turns_are_counted_and_are_no_long_turns),
        TEST(test_the_end_of_the_node_takes_blocking_actors_along),
        TEST(test_a_system_is_freed_with_work_in_the_blocking_queue),
        TEST(test_without_blocking_workers_such_a_behavior_runs_as_any_other),
        TEST(test_more_workers_than_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
