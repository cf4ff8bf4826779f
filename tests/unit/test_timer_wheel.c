/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer wheel: whatever the time and the delay, an entry fires at its tick: never before, never after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/timer_wheel.h"

#define TICK ((uint64_t)WHEEL_TICK_NS)
#define REACH (UINT64_C(1) << (WHEEL_SLOT_BITS * WHEEL_LEVELS))

static struct wheel_entry *list_of(struct timer_wheel *wheel, uint64_t tick)
{
    return troupe__wheel_advance(wheel, tick * TICK);
}

/* Wake up whenever the wheel asks for it until the one entry fires. Returns how often. */
static unsigned wake_ups_until_fired(struct timer_wheel *wheel, struct wheel_entry *entry, uint64_t due)
{
    for (unsigned wake_ups = 1;; wake_ups++) {
        uint64_t next_ns = troupe__wheel_next_ns(wheel);
        assert_true(next_ns <= due * TICK); /* never late */
        struct wheel_entry *fired = troupe__wheel_advance(wheel, next_ns);
        if (fired) {
            assert_ptr_equal(fired, entry);
            assert_null(fired->next);
            assert_false(wheel_entry_is_armed(fired));
            assert_int_equal(next_ns, due * TICK);
            assert_int_equal(troupe__wheel_next_ns(wheel), WHEEL_NONE);
            return wake_ups;
        }
    }
}

static void check_pair(uint64_t base, uint64_t delta)
{
    struct timer_wheel wheel = {.now_tick = base};
    struct wheel_entry entry = {0};

    troupe__wheel_start(&wheel, &entry, (base + delta) * TICK);
    assert_true(wake_ups_until_fired(&wheel, &entry, base + delta) <= WHEEL_LEVELS);

    /* The same in one jump, from just before. */
    wheel = (struct timer_wheel){.now_tick = base};
    troupe__wheel_start(&wheel, &entry, (base + delta) * TICK);
    assert_null(troupe__wheel_advance(&wheel, (base + delta) * TICK - 1));
    assert_true(wheel_entry_is_armed(&entry));
    assert_ptr_equal(list_of(&wheel, base + delta), &entry);
}

static void test_every_small_delay_at_every_small_time(void **state)
{
    (void)state;
    for (uint64_t base = 0; base < 200; base++)
        for (uint64_t delta = 1; delta < 5000; delta += delta < 200 ? 1 : 13)
            check_pair(base, delta);
    for (uint64_t base = 4000; base < 4200; base++)
        for (uint64_t delta = 1; delta < 200; delta++)
            check_pair(base, delta);
}

static void test_delays_around_the_edge_of_each_level(void **state)
{
    (void)state;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t span = UINT64_C(1) << (WHEEL_SLOT_BITS * level);
        for (uint64_t near = 0; near <= 4; near++)
            for (uint64_t slots = 1; slots <= WHEEL_SLOTS; slots++)
                for (uint64_t offset = 0; offset <= 4; offset++)
                    if (slots * span + near > 2)
                        check_pair(span * 3 - offset % (span * 3), slots * span + near - 2);
    }
}

/* 2.2 years ahead and more: put at the end of the wheel, falls again, fires at its own tick. */
static void test_a_deadline_beyond_the_reach_of_the_wheel(void **state)
{
    struct timer_wheel wheel = {.now_tick = 12345};
    struct wheel_entry entry = {0};
    uint64_t due = 12345 + 3 * REACH + 17;

    (void)state;
    troupe__wheel_start(&wheel, &entry, due * TICK);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t next_ns = troupe__wheel_next_ns(&wheel);
        assert_true(next_ns <= due * TICK);
        struct wheel_entry *fired = troupe__wheel_advance(&wheel, next_ns);
        if (fired) {
            assert_int_equal(next_ns, due * TICK);
            return;
        }
    }
    fail_msg("the entry did not fire");
}

static void test_a_deadline_in_the_past_fires_at_the_next_tick(void **state)
{
    struct timer_wheel wheel = {.now_tick = 1000};
    struct wheel_entry past = {0}, present = {0};

    (void)state;
    troupe__wheel_start(&wheel, &past, 5 * TICK);
    troupe__wheel_start(&wheel, &present, 1000 * TICK);
    assert_null(list_of(&wheel, 1000));
    struct wheel_entry *fired = list_of(&wheel, 1001);
    assert_non_null(fired);
    assert_non_null(fired->next);
    assert_null(fired->next->next);
}

/* A part of a tick counts as a whole one: late by less than a tick, never early. */
static void test_a_deadline_between_two_ticks(void **state)
{
    struct timer_wheel wheel = {0};
    struct wheel_entry entry = {0};

    (void)state;
    troupe__wheel_start(&wheel, &entry, 7 * TICK + 1);
    assert_int_equal(troupe__wheel_next_ns(&wheel), 8 * TICK);
    assert_null(troupe__wheel_advance(&wheel, 8 * TICK - 1));
    assert_ptr_equal(troupe__wheel_advance(&wheel, 8 * TICK), &entry);
}

static void test_time_that_goes_backwards_is_ignored(void **state)
{
    struct timer_wheel wheel = {0};
    struct wheel_entry entry = {0};

    (void)state;
    assert_null(list_of(&wheel, 500));
    troupe__wheel_start(&wheel, &entry, 510 * TICK);
    assert_null(list_of(&wheel, 100));
    assert_int_equal(wheel.now_tick, 500);
    assert_null(list_of(&wheel, 509));
    assert_ptr_equal(list_of(&wheel, 510), &entry);
}

static void test_a_stopped_entry_does_not_fire(void **state)
{
    struct timer_wheel wheel = {0};
    struct wheel_entry entries[3] = {{0}};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        troupe__wheel_start(&wheel, &entries[i], 70 * TICK);
    troupe__wheel_stop(&wheel, &entries[1]);
    troupe__wheel_stop(&wheel, &entries[1]); /* twice is legal */
    assert_false(wheel_entry_is_armed(&entries[1]));
    struct wheel_entry *fired = list_of(&wheel, 70);
    unsigned count = 0;
    for (; fired; fired = fired->next, count++)
        assert_ptr_not_equal(fired, &entries[1]);
    assert_int_equal(count, 2);

    troupe__wheel_start(&wheel, &entries[0], 90 * TICK);
    troupe__wheel_stop(&wheel, &entries[0]);
    assert_int_equal(troupe__wheel_next_ns(&wheel), WHEEL_NONE);
}

/* Whatever is started, stopped and waited for: what fires is exactly what is due, in the order of the ticks. */
#define ENTRIES 300u
static void test_random_starts_stops_and_waits(void **state)
{
    static const unsigned spans[] = {2, 64, 300, 5000, 300000, 20000000};
    struct rng rng;

    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct timer_wheel wheel = {.now_tick = seed * 999};
        struct wheel_entry entries[ENTRIES] = {{0}};
        uint64_t due[ENTRIES] = {0}; /* 0: not armed */
        uint64_t now = wheel.now_tick, fired_count = 0;

        rng_init(&rng, seed);
        for (unsigned step = 0; step < 6000; step++) {
            unsigned i = rng_below(&rng, ENTRIES);
            if (due[i] == 0) {
                due[i] = now + 1 + rng_below(&rng, spans[rng_below(&rng, 6)]);
                troupe__wheel_start(&wheel, &entries[i], due[i] * TICK - rng_below(&rng, (uint32_t)TICK));
            } else if (rng_below(&rng, 3) == 0) {
                troupe__wheel_stop(&wheel, &entries[i]);
                due[i] = 0;
            }
            if (rng_below(&rng, 4) != 0)
                continue;
            now += rng_below(&rng, spans[rng_below(&rng, 6)]);
            uint64_t last = 0;
            for (struct wheel_entry *fired = list_of(&wheel, now); fired; fired = fired->next) {
                unsigned at = (unsigned)(fired - entries);
                assert_true(due[at] != 0 && due[at] <= now);
                assert_int_equal(fired->tick, due[at]);
                assert_true(fired->tick >= last);
                last = fired->tick;
                due[at] = 0;
                fired_count++;
            }
            uint64_t earliest = UINT64_MAX;
            for (unsigned at = 0; at < ENTRIES; at++) {
                assert_true(due[at] == 0 || due[at] > now); /* nothing that is due is left */
                assert_int_equal(wheel_entry_is_armed(&entries[at]), due[at] != 0);
                if (due[at] != 0 && due[at] < earliest)
                    earliest = due[at];
            }
            if (earliest == UINT64_MAX)
                assert_int_equal(troupe__wheel_next_ns(&wheel), WHEEL_NONE);
            else
                assert_in_range(troupe__wheel_next_ns(&wheel), (now + 1) * TICK, earliest * TICK);
        }
        assert_true(fired_count > 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_small_delay_at_every_small_time),
        cmocka_unit_test(test_delays_around_the_edge_of_each_level),
        cmocka_unit_test(test_a_deadline_beyond_the_reach_of_the_wheel),
        cmocka_unit_test(test_a_deadline_in_the_past_fires_at_the_next_tick),
        cmocka_unit_test(test_a_deadline_between_two_ticks),
        cmocka_unit_test(test_time_that_goes_backwards_is_ignored),
        cmocka_unit_test(test_a_stopped_entry_does_not_fire),
        cmocka_unit_test(test_random_starts_stops_and_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
