/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of actors' slots: none is given twice, they come back oldest first, and a slot that has used up its
 * generations does not come back at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/slots.h"

#define SLOTS 300u

static struct slot_table table;
static struct slot_cache cache, other_cache;

static int set_up(void **state)
{
    (void)state;
    memset(&table, 0, sizeof table);
    memset(&cache, 0, sizeof cache);
    memset(&other_cache, 0, sizeof other_cache);
    return troupe__slots_init(&table, SLOTS);
}

static int tear_down(void **state)
{
    (void)state;
    troupe__slots_fini(&table);
    return 0;
}

/* What spawn does: the next generation. */
static struct actor *take(struct slot_cache *from)
{
    struct actor *actor = troupe__slots_take(&table, from);

    if (actor)
        atomic_store(&actor->identity, (uint64_t)(actor_generation(actor) + 1) << 32);
    return actor;
}

static void test_every_slot_is_given_once_and_then_no_more(void **state)
{
    bool seen[SLOTS + 1] = {false};

    (void)state;
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct actor *actor = take(&cache);
        assert_non_null(actor);
        assert_in_range(actor->slot, 1, SLOTS); /* slot 0 means none */
        assert_false(seen[actor->slot]);
        seen[actor->slot] = true;
        assert_ptr_equal(slots_at(&table, actor->slot), actor);
        assert_int_equal((uintptr_t)actor % 64, 0); /* whole cache lines */
    }
    assert_null(take(&cache));
    assert_null(take(&other_cache));
    assert_null(slots_at(&table, 0));
    assert_null(slots_at(&table, UINT32_MAX));
}

static void test_slots_come_back_oldest_first(void **state)
{
    struct actor *actors[SLOTS];

    (void)state;
    for (uint32_t i = 0; i < SLOTS; i++)
        actors[i] = take(&cache);
    for (uint32_t i = 0; i < SLOTS; i++)
        troupe__slots_give(&table, &cache, actors[(i * 7) % SLOTS]); /* 7 and 300 have no common factor */
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct actor *actor = take(&cache);
        assert_ptr_equal(actor, actors[(i * 7) % SLOTS]);
        assert_int_equal(actor_generation(actor), 2);
    }
}

static void test_a_slot_without_generations_left_is_retired(void **state)
{
    (void)state;
    struct actor *worn = take(&cache);
    atomic_store(&worn->identity, (uint64_t)UINT32_MAX << 32);
    troupe__slots_give(&table, &cache, worn);
    for (uint32_t i = 1; i < SLOTS; i++) {
        struct actor *actor = take(&cache);
        assert_non_null(actor);
        assert_ptr_not_equal(actor, worn);
    }
    assert_null(take(&cache));
}

/* Two workers: what ends on one can be started on the other only by way of the shared queue; none is lost or doubled. */
static void test_random_takes_and_gives_of_two_workers(void **state)
{
    static struct actor *held[SLOTS];
    struct rng rng;
    uint32_t count = 0, most = 0;

    (void)state;
    rng_init(&rng, 9);
    for (unsigned step = 0; step < 20000; step++) {
        struct slot_cache *worker = rng_below(&rng, 2) ? &cache : &other_cache;
        if (rng_below(&rng, 2) == 0 && count < SLOTS) {
            struct actor *actor = take(worker);
            if (!actor)
                continue; /* the free ones lie with the other worker */
            for (uint32_t i = 0; i < count; i++)
                assert_ptr_not_equal(held[i], actor);
            held[count++] = actor;
            most = count > most ? count : most;
        } else if (count > 0) {
            uint32_t i = rng_below(&rng, count);
            troupe__slots_give(&table, worker, held[i]);
            held[i] = held[--count];
        }
    }
    assert_true(most > 20);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_every_slot_is_given_once_and_then_no_more),
        CASE(test_slots_come_back_oldest_first),
        CASE(test_a_slot_without_generations_left_is_retired),
        CASE(test_random_takes_and_gives_of_two_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
