/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of what an actor waits for: the earliest deadline is always on top, and an id never means a later entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/extra.h"

static struct pool_depot depot;
static struct pool pool;
static struct wait_table table;

static int set_up(void **state)
{
    (void)state;
    memset(&depot, 0, sizeof depot);
    memset(&table, 0, sizeof table);
    pool = (struct pool){.depot = &depot};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    troupe__wait_fini(&pool, &table);
    bool clean = troupe__pool_used_bytes(&pool) == 0;
    troupe__pool_depot_fini(&depot);
    return clean ? 0 : -1;
}

static uint64_t add(enum wait_kind kind, uint64_t deadline_ns)
{
    uint64_t id = troupe__wait_add(&pool, &table, kind, deadline_ns);

    assert_true(id != 0);
    return id;
}

static void test_an_id_is_of_one_entry_and_one_kind(void **state)
{
    (void)state;
    uint64_t call = add(WAIT_CALL, 5), restart = add(WAIT_RESTART, 6);
    assert_non_null(troupe__wait_find(&table, call, WAIT_CALL));
    assert_null(troupe__wait_find(&table, call, WAIT_RESTART));
    assert_null(troupe__wait_find(&table, 0, WAIT_CALL));
    assert_null(troupe__wait_find(&table, UINT64_MAX, WAIT_CALL));
    assert_int_equal(troupe__wait_id(&table, troupe__wait_find(&table, restart, WAIT_RESTART)), restart);
    troupe__wait_remove(&table, troupe__wait_find(&table, call, WAIT_CALL));
    assert_null(troupe__wait_find(&table, call, WAIT_CALL));
    uint64_t next = add(WAIT_CALL, 7); /* in the same place */
    assert_int_equal((uint32_t)next, (uint32_t)call);
    assert_null(troupe__wait_find(&table, call, WAIT_CALL)); /* a late reply finds nothing */
    assert_non_null(troupe__wait_find(&table, next, WAIT_CALL));
    assert_int_equal(table.calls, 1);
}

static void test_an_entry_without_deadline_is_never_the_earliest(void **state)
{
    (void)state;
    assert_int_equal(troupe__wait_earliest(&table), UINT64_MAX);
    uint64_t id = add(WAIT_CALL, UINT64_MAX);
    assert_int_equal(troupe__wait_earliest(&table), UINT64_MAX);
    troupe__wait_set_deadline(&table, troupe__wait_find(&table, id, WAIT_CALL), 9);
    assert_int_equal(troupe__wait_earliest(&table), 9);
    troupe__wait_set_deadline(&table, troupe__wait_find(&table, id, WAIT_CALL), UINT64_MAX);
    assert_int_equal(troupe__wait_earliest(&table), UINT64_MAX);
    troupe__wait_remove(&table, troupe__wait_find(&table, id, WAIT_CALL));
}

static void test_overdue_calls_are_due_at_once_when_they_are_released(void **state)
{
    (void)state;
    uint64_t overdue = add(WAIT_CALL, UINT64_MAX), other = add(WAIT_CALL, 50);
    troupe__wait_find(&table, overdue, WAIT_CALL)->overdue = true;
    table.has_overdue = true;
    troupe__wait_release_overdue(&table);
    assert_int_equal(troupe__wait_earliest(&table), 0);
    assert_false(table.has_overdue);
    troupe__wait_remove(&table, troupe__wait_find(&table, overdue, WAIT_CALL));
    assert_int_equal(troupe__wait_earliest(&table), 50);
    troupe__wait_remove(&table, troupe__wait_find(&table, other, WAIT_CALL));
}

#define ENTRIES 500u
static void test_random_entries_keep_the_earliest_on_top(void **state)
{
    static uint64_t ids[ENTRIES], deadlines[ENTRIES]; /* id 0: not there */
    struct rng rng;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        rng_init(&rng, seed);
        for (unsigned step = 0; step < 3000; step++) {
            unsigned i = rng_below(&rng, ENTRIES);
            uint64_t deadline = rng_below(&rng, 10) == 0 ? UINT64_MAX : rng_below(&rng, 1000);
            struct wait *wait = ids[i] ? troupe__wait_find(&table, ids[i], WAIT_RESTART) : NULL;
            assert_int_equal(wait != NULL, ids[i] != 0);
            if (!wait) {
                ids[i] = add(WAIT_RESTART, deadline);
                deadlines[i] = deadline;
            } else if (rng_below(&rng, 2) == 0) {
                assert_int_equal(wait->deadline_ns, deadlines[i]);
                troupe__wait_set_deadline(&table, wait, deadline);
                deadlines[i] = deadline;
            } else {
                troupe__wait_remove(&table, wait);
                ids[i] = 0;
            }
            uint64_t earliest = UINT64_MAX;
            for (unsigned k = 0; k < ENTRIES; k++)
                if (ids[k] && deadlines[k] < earliest)
                    earliest = deadlines[k];
            assert_int_equal(troupe__wait_earliest(&table), earliest);
        }
    }
    memset(ids, 0, sizeof ids);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_an_id_is_of_one_entry_and_one_kind),
        CASE(test_an_entry_without_deadline_is_never_the_earliest),
        CASE(test_overdue_calls_are_due_at_once_when_they_are_released),
        CASE(test_random_entries_keep_the_earliest_on_top),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
