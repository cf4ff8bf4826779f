/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a state machine fails in turn: its start, messages that it postpones, its own events, its
 * timeouts. The door goes on, or fails as any actor does; either way each caller gets one answer and nothing is left
 * behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/behavior_world.h"

#define ALLOCATIONS_MAX 1000u

static unsigned told; /* answers that said no_memory, in one play */

static void note(int rc) { told += rc == TROUPE_E_NO_MEMORY; }

static void press(troupe_ref door, const char *digits)
{
    char body[] = "{\"digit\":0}";

    for (; *digits; digits++) {
        body[9] = *digits;
        note(call(door, "press", body));
    }
}

/* A wrong code, one that is forgotten, the right one; a digit and somebody who wants to pass at the wrong time. */
static void play_with(troupe_ref door)
{
    troupe_request waiting;

    press(door, "19");
    press(door, "1");
    advance_ms(150);
    press(door, "12");
    waiting = request_new();
    troupe_request_call(world.worker, &waiting, on_done, door, troupe_view_of("press"),
                        troupe_body_json("{\"digit\":1}", 11), (troupe_caller){0}, 1000);
    advance_ms(2000);
    assert_true(world.outcome.is_done); /* when the door has locked again, or by its deadline */
    note(world.outcome.error);
    (void)!troupe_worker_cast(world.worker, door, troupe_view_of("pass"), troupe_body_none(), (troupe_caller){0});
    run_due();
    int rc = stop(door);
    note(rc);
    if (rc == TROUPE_E_NO_MEMORY) /* the one allocation that failed was this request's */
        stop(door);
}

static void play(void)
{
    troupe_stats before, after;

    troupe_system_stats(world.system, &before);
    int rc = spawn("door", "{\"code\":\"12\",\"tries\":3,\"open_ms\":50,\"patience_ms\":100,\"blocked_ms\":300}");
    note(rc);
    if (rc == 0)
        play_with(world.outcome.ref);
    advance_ms(2000);
    troupe_system_stats(world.system, &after);
    assert_int_equal(after.actors, before.actors);
    assert_true(after.memory_bytes <= before.memory_bytes);
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

static void test_each_allocation_fails_in_turn(void **state)
{
    uint64_t n = 1, plays_told = 0;

    for (; n < ALLOCATIONS_MAX; n++) {
        setup(state);
        told = 0;
        troupe__port_fail_after(n);
        play();
        bool is_over = is_still_ordered(n);
        teardown(state);
        world.outcome.body = NULL;
        if (is_over)
            break;
        plays_told += told != 0;
    }
    assert_in_range(n, 10, ALLOCATIONS_MAX - 1);
    assert_true(plays_told > 2);
    print_message("# %u allocations failed in turn, %u were told\n", (unsigned)n - 1, (unsigned)plays_told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_in_turn)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
