/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog looks at turns that do not end. The actor's own turn asks it to look, as the control thread would
 * meanwhile, at times that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "io/watchdog.h"

#define START_MS 1000u
#define STUCK_MAX_MS 60000u

static struct world {
    troupe_system *system;
    struct watchdog watchdog;
    struct api_health health;
    void (*in_turn)(void); /* what the next turn does */
    unsigned turns;
} world;

static bool look(uint64_t ms) { return watchdog_look(&world.watchdog, START_MS + ms); }

static unsigned stuck(void) { return atomic_load(&world.health.stuck); }

static uint64_t blocked_since_ms(void) { return atomic_load(&world.health.blocked_since_ms[0]); }

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx, (void)state, (void)msg;
    world.turns++;
    world.in_turn();
    return 0;
}

static const troupe_type types[] = {{.name = "go", .flags = TROUPE_TYPE_CAST}};

#define BEHAVIOR(word, bits)                                                                                           \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "is looked at", .types = types,             \
                              .types_count = 1, .flags = bits, .receive = receive                                      \
    }
static const troupe_behavior ordinary = BEHAVIOR("ordinary", 0);
static const troupe_behavior blocking = BEHAVIOR("blocking", TROUPE_BEHAVIOR_BLOCKING);

static void drive(void)
{
    for (unsigned round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 2; i++)
            while (troupe_worker_poll(troupe_system_worker(world.system, i), START_MS * UINT64_C(1000000), 1) == 0)
                continue;
}

static int setup(void **state)
{
    const troupe_system_config config = {.workers = 1, .blocking_workers = 1, .node = 4};
    (void)state;
    world = (struct world){.turns = 0};
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &ordinary), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &blocking), 0);
    world.watchdog =
        (struct watchdog){.system = world.system, .health = &world.health, .stuck_turn_max_ms = STUCK_MAX_MS};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    troupe_system_free(world.system);
    return 0;
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    *(troupe_ref *)request->user = answer->ref;
}

/* Run this in two turns of an actor. */
static void run_in_turns(const char *behavior, void (*first)(void), void (*second)(void))
{
    troupe_worker *worker = troupe_system_worker(world.system, 0);
    troupe_ref ref = {0};
    troupe_request request = {.user = &ref};
    const troupe_spawn_opts opts = {.behavior = behavior};
    troupe_request_spawn(worker, &request, on_done, &opts);
    drive();
    for (unsigned i = 0; i < 2; i++) {
        world.in_turn = i == 0 ? first : second;
        assert_int_equal(troupe_worker_cast(worker, ref, troupe_view_of("go"), troupe_body_none(), (troupe_caller){0}),
                         0);
        drive();
    }
    assert_int_equal(world.turns, 2);
}

static void look_while_it_lasts(void)
{
    assert_true(look(0)); /* from here on it is known */
    assert_true(look(WATCHDOG_STUCK_MS));
    assert_int_equal(stuck(), 0);
    assert_true(look(WATCHDOG_STUCK_MS + 1));
    assert_int_equal(stuck(), 1);
    assert_true(look(STUCK_MAX_MS));
    assert_int_equal(stuck(), 1);
}

static void look_at_the_next_one(void)
{
    assert_true(look(STUCK_MAX_MS + 1000)); /* another turn, which has just begun */
    assert_int_equal(stuck(), 0);
    assert_true(look(2 * STUCK_MAX_MS + 1000));
    assert_false(look(2 * STUCK_MAX_MS + 1001));
}

static void test_a_turn_over_10_s_turns_the_node_red_and_one_over_the_most_ends_it(void **state)
{
    (void)state;
    run_in_turns("ordinary", look_while_it_lasts, look_at_the_next_one);
    assert_true(look(3 * STUCK_MAX_MS)); /* nobody is in a turn */
    assert_int_equal(stuck(), 0);
}

static void look_for_an_hour(void)
{
    assert_true(look(0));
    assert_int_equal(blocked_since_ms(), 0); /* it may be over in a moment */
    assert_true(look(500));
    assert_int_equal(blocked_since_ms(), START_MS);
    assert_true(look(3600000));
    assert_int_equal(blocked_since_ms(), START_MS);
    assert_int_equal(stuck(), 0);
}

static void look_later(void)
{
    assert_true(look(3700000));
    assert_int_equal(blocked_since_ms(), 0);
    assert_true(look(3700500));
    assert_int_equal(blocked_since_ms(), START_MS + 3700000);
}

static void test_a_turn_that_blocks_is_shown_and_neither_turns_the_node_red_nor_ends_it(void **state)
{
    (void)state;
    run_in_turns("blocking", look_for_an_hour, look_later);
    assert_true(look(3800000));
    assert_int_equal(blocked_since_ms(), 0);
}

static void test_it_looks_often_enough_for_a_short_limit(void **state)
{
    (void)state;
    assert_int_equal(watchdog_period_ms(&world.watchdog), WATCHDOG_MS);
    world.watchdog.stuck_turn_max_ms = 100;
    assert_int_equal(watchdog_period_ms(&world.watchdog), 25);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_turn_over_10_s_turns_the_node_red_and_one_over_the_most_ends_it),
        TEST(test_a_turn_that_blocks_is_shown_and_neither_turns_the_node_red_nor_ends_it),
        TEST(test_it_looks_often_enough_for_a_short_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
