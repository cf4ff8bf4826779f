/* SPDX-License-Identifier: Apache-2.0
 *
 * The run queue of a worker: order, the bound, and taking from it while it wraps around. What threads do to it together
 * is for tests/stress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
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
            }
            assert_int_equal(runq_depth(&queue), in - taken);
        }
        assert_true(taken > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_first_comes_out_first),
        cmocka_unit_test(test_a_full_queue_says_so_and_loses_nothing),
        cmocka_unit_test(test_random_pushes_and_takes_keep_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
