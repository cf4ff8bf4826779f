/* SPDX-License-Identifier: Apache-2.0
 *
 * The run queue of a worker: order, the bound, and taking from it while it wraps around; and the inject queue: which
 * batch is next, and that nobody is lost or starves. What threads do to them together is for tests/stress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/inject.h"
#include "core/runq.h"

/* The queue never looks into an actor: numbers will do. */
static struct actor *actor_no(uintptr_t n) { return (struct actor *)(n + 1); }

static void test_what_goes_in_first_comes_out_first(void **state)
{
    struct runq queue = {0};
    struct actor *out[4];

    (void)state;
    assert_int_equal(runq_take(&queue, out, 4), 0);
    for (uintptr_t i = 0; i < 6; i++)
        assert_true(runq_push(&queue, actor_no(i)));
    assert_int_equal(runq_depth(&queue), 6);
    assert_int_equal(runq_take(&queue, out, 4), 4);
    for (uintptr_t i = 0; i < 4; i++)
        assert_ptr_equal(out[i], actor_no(i));
    assert_int_equal(runq_take(&queue, out, 4), 2); /* as many as there are */
    assert_ptr_equal(out[0], actor_no(4));
    assert_ptr_equal(out[1], actor_no(5));
    assert_int_equal(runq_depth(&queue), 0);
}

static void test_the_place_in_front_is_filled_once_and_apart_from_the_ring(void **state)
{
    struct runq queue = {0};
    struct actor *out[4];

    (void)state;
    assert_true(runq_is_empty(&queue));
    assert_null(runq_take_front(&queue));
    assert_true(runq_push_front(&queue, actor_no(1)));
    assert_false(runq_push_front(&queue, actor_no(2)));
    assert_false(runq_is_empty(&queue));
    assert_int_equal(runq_depth(&queue), 0);
    assert_int_equal(runq_take(&queue, out, 4), 0);
    assert_true(runq_push(&queue, actor_no(2)));
    assert_ptr_equal(runq_take_front(&queue), actor_no(1));
    assert_null(runq_take_front_alone(&queue));
    assert_true(runq_push_front(&queue, actor_no(3)));
    assert_ptr_equal(runq_take_front_alone(&queue), actor_no(3));
    assert_int_equal(runq_take(&queue, out, 4), 1);
    assert_true(runq_is_empty(&queue));
}

static void test_a_full_queue_says_so_and_loses_nothing(void **state)
{
    struct runq queue = {0};
    struct actor *out[RUNQ_SIZE];

    (void)state;
    for (uintptr_t i = 0; i < RUNQ_SIZE; i++)
        assert_true(runq_push(&queue, actor_no(i)));
    assert_false(runq_push(&queue, actor_no(999)));
    assert_int_equal(runq_take(&queue, out, 1), 1);
    assert_true(runq_push(&queue, actor_no(RUNQ_SIZE)));
    assert_false(runq_push(&queue, actor_no(999)));
    assert_int_equal(runq_take(&queue, out, RUNQ_SIZE), RUNQ_SIZE);
    for (uintptr_t i = 0; i < RUNQ_SIZE; i++)
        assert_ptr_equal(out[i], actor_no(i + 1));
}

/* Also where head and tail, which only grow, run over the end of 32 bits. */
static void test_random_pushes_and_takes_keep_the_order(void **state)
{
    static const uint32_t starts[] = {0, RUNQ_SIZE - 1, UINT32_MAX - 100};
    struct actor *out[RUNQ_SIZE];
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (unsigned i = 0; i < 3; i++) {
        struct runq queue = {0};
        uintptr_t in = 0, taken = 0;
        atomic_store(&queue.head, starts[i]);
        atomic_store(&queue.tail, starts[i]);
        for (unsigned step = 0; step < 5000; step++) {
            if (rng_below(&rng, 2) == 0) {
                bool pushed = runq_push(&queue, actor_no(in));
                assert_int_equal(pushed, in - taken < RUNQ_SIZE);
                in += pushed;
            } else if (rng_below(&rng, 3) == 0) {
                uint32_t n = runq_take(&queue, out, 1 + rng_below(&rng, RUNQ_SIZE));
                for (uint32_t k = 0; k < n; k++)
                    assert_ptr_equal(out[k], actor_no(taken++));
            } else {
                bool had_one = runq_take_alone(&queue, &out[0]);
                assert_int_equal(had_one, in > taken);
                if (had_one)
                    assert_ptr_equal(out[0], actor_no(taken++));
            }
            assert_int_equal(runq_depth(&queue), in - taken);
        }
        assert_true(taken > 1000);
    }
}

/* ---- the inject queue ---- */

#define BATCH 10u

/* A queue, and actors to put in it. */
struct injected {
    struct slot_table slots;
    struct slot_cache cache;
    struct inject_queue queue;
};

static void injected_init(struct injected *all)
{
    memset(all, 0, sizeof *all);
    assert_int_equal(troupe__slots_init(&all->slots, 10000), 0);
}

/* Put a batch of new actors in; returns the slot of the first, behind which the others' follow. */
static uint32_t put(struct injected *all, enum troupe_actor_state state)
{
    struct actor *actors[BATCH];
    for (uint32_t i = 0; i < BATCH; i++) {
        actors[i] = troupe__slots_take(&all->slots, &all->cache);
        assert_non_null(actors[i]);
        atomic_store(&actors[i]->state, (uint8_t)state);
    }
    inject_put(&all->queue, &all->slots, actors, BATCH);
    return actors[0]->slot;
}

/* Take a whole batch of BATCH; returns the slot of the first. */
static uint32_t take(struct injected *all)
{
    struct actor *out[2 * BATCH];
    assert_int_equal(inject_take(&all->queue, &all->slots, 1, out, 2 * BATCH), BATCH);
    for (uint32_t i = 1; i < BATCH; i++)
        assert_int_equal(out[i]->slot, out[0]->slot + i);
    return out[0]->slot;
}

static void test_batches_are_taken_in_the_order_they_came(void **state)
{
    struct injected all;
    struct actor *out[BATCH];
    uint32_t firsts[5];

    (void)state;
    injected_init(&all);
    assert_int_equal(inject_take(&all.queue, &all.slots, 1, out, BATCH), 0);
    for (unsigned i = 0; i < 5; i++)
        firsts[i] = put(&all, TROUPE_STATE_RUNNING);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(take(&all), firsts[i]);
    assert_int_equal(inject_take(&all.queue, &all.slots, 1, out, BATCH), 0);
    troupe__slots_fini(&all.slots);
}

static void test_a_share_leaves_the_rest_of_its_batch_in_front(void **state)
{
    struct injected all;
    struct actor *out[BATCH];

    (void)state;
    injected_init(&all);
    uint32_t first = put(&all, TROUPE_STATE_RUNNING);
    assert_int_equal(inject_take(&all.queue, &all.slots, 5, out, BATCH), BATCH / 5 + 1);
    assert_int_equal(out[0]->slot, first);
    assert_int_equal(inject_take(&all.queue, &all.slots, 1, out, 4), 4); /* no more than there is room for */
    assert_int_equal(out[0]->slot, first + BATCH / 5 + 1);
    assert_int_equal(atomic_load(&all.queue.count), BATCH - BATCH / 5 - 1 - 4);
    troupe__slots_fini(&all.slots);
}

static void test_a_young_batch_comes_first_but_the_oldest_does_not_starve(void **state)
{
    struct injected all;

    (void)state;
    injected_init(&all);
    uint32_t old = put(&all, TROUPE_STATE_RUNNING);
    for (unsigned i = 1; i < INJECT_OLDEST_EVERY; i++) {
        uint32_t young = put(&all, TROUPE_STATE_STARTING);
        assert_int_equal(take(&all), young);
    }
    uint32_t young = put(&all, TROUPE_STATE_STARTING);
    assert_int_equal(take(&all), old);
    assert_int_equal(take(&all), young);
    troupe__slots_fini(&all.slots);
}

/* Also when there are more batches than are noted. */
static void test_what_is_injected_comes_out_once(void **state)
{
    struct injected all;
    struct actor *out[BATCH];
    struct rng rng;
    uint32_t most = 0;

    (void)state;
    injected_init(&all);
    rng_init(&rng, 7);
    for (uint32_t batches = 0; batches < 900 || atomic_load(&all.queue.count) > 0;) {
        if (batches < 900 && rng_below(&rng, 100) < 70) {
            put(&all, rng_below(&rng, 2) ? TROUPE_STATE_STARTING : TROUPE_STATE_RUNNING);
            batches++;
        } else {
            uint32_t waiting = atomic_load(&all.queue.count);
            uint32_t n = inject_take(&all.queue, &all.slots, 1 + rng_below(&rng, 3), out, 1 + rng_below(&rng, BATCH));
            assert_true(n > 0 || waiting == 0);
            assert_int_equal(atomic_load(&all.queue.count), waiting - n);
            for (uint32_t i = 0; i < n; i++) {
                assert_int_not_equal(atomic_load(&out[i]->state), TROUPE_STATE_STOPPED);
                atomic_store(&out[i]->state, (uint8_t)TROUPE_STATE_STOPPED); /* taken */
            }
        }
        most = all.queue.batches_count > most ? all.queue.batches_count : most;
    }
    assert_int_equal(most, INJECT_BATCHES);
    assert_int_equal(all.queue.batches_count, 0);
    for (uint32_t slot = 1; slot <= 900 * BATCH; slot++)
        assert_int_equal(atomic_load(&slots_at(&all.slots, slot)->state), TROUPE_STATE_STOPPED);
    troupe__slots_fini(&all.slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_first_comes_out_first),
        cmocka_unit_test(test_the_place_in_front_is_filled_once_and_apart_from_the_ring),
        cmocka_unit_test(test_a_full_queue_says_so_and_loses_nothing),
        cmocka_unit_test(test_random_pushes_and_takes_keep_the_order),
        cmocka_unit_test(test_batches_are_taken_in_the_order_they_came),
        cmocka_unit_test(test_a_share_leaves_the_rest_of_its_batch_in_front),
        cmocka_unit_test(test_a_young_batch_comes_first_but_the_oldest_does_not_starve),
        cmocka_unit_test(test_what_is_injected_comes_out_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
