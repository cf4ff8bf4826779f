/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox word on its own: order, the bound and its policies, and who must schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/mailbox.h"

#define MESSAGES_MAX 4u

struct box {
    struct actor actor;
    struct message messages[64];
};

static struct box *make_box(enum troupe_mailbox_policy policy)
{
    struct box *box = aligned_alloc(64, (sizeof *box + 63) & ~(size_t)63);

    assert_non_null(box);
    memset(box, 0, sizeof *box);
    box->actor.policy = (uint8_t)policy;
    box->actor.messages_max = MESSAGES_MAX;
    atomic_store(&box->actor.word, WORD_IDLE);
    for (unsigned i = 0; i < 64; i++)
        box->messages[i].droppable = true;
    return box;
}

/* Messages are numbered by their place; the size of a message is a multiple of 16, as the word needs. */
_Static_assert(sizeof(struct message) % 16 == 0, "an array of messages is aligned");

static int push(struct box *box, unsigned i) { return mailbox_push(&box->actor, &box->messages[i]); }

static void assert_pops(struct box *box, unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++)
        assert_ptr_equal(mailbox_pop(&box->actor), &box->messages[i]);
}

static void test_only_the_first_message_claims_an_idle_actor(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    assert_int_equal(push(box, 0), PUSH_CLAIMED);
    assert_int_equal(push(box, 1), PUSH_QUEUED);
    assert_pops(box, 0, 1);
    assert_null(mailbox_pop(&box->actor));
    assert_int_equal(push(box, 2), PUSH_QUEUED); /* still owned: it has not gone idle */
    assert_false(mailbox_go_idle(&box->actor));  /* something new has come */
    assert_pops(box, 2, 2);
    assert_true(mailbox_go_idle(&box->actor));
    assert_int_equal(push(box, 3), PUSH_CLAIMED);
    free(box);
}

static void test_messages_come_out_in_the_order_they_went_in(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    box->actor.messages_max = 64;
    for (unsigned i = 0; i < 3; i++)
        assert_true(push(box, i) >= 0);
    assert_pops(box, 0, 0);
    for (unsigned i = 3; i < 6; i++)
        assert_true(push(box, i) >= 0);
    assert_int_equal(mailbox_capture(&box->actor), 3); /* behind what was captured before */
    for (unsigned i = 6; i < 9; i++)
        assert_true(push(box, i) >= 0);
    assert_pops(box, 1, 8);
    assert_null(mailbox_pop(&box->actor));
    free(box);
}

static void test_a_full_mailbox_refuses_until_there_is_room(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    for (unsigned i = 0; i < MESSAGES_MAX; i++)
        assert_true(push(box, i) >= 0);
    assert_int_equal(mailbox_depth(&box->actor), MESSAGES_MAX);
    assert_int_equal(push(box, 4), TROUPE_E_FULL);
    assert_pops(box, 0, 0);
    mailbox_settle(&box->actor);
    assert_int_equal(mailbox_depth(&box->actor), MESSAGES_MAX - 1);
    assert_int_equal(push(box, 4), PUSH_QUEUED);
    assert_int_equal(push(box, 5), TROUPE_E_FULL);
    assert_pops(box, 1, 4);
    free(box);
}

static void test_drop_newest_sheds_the_newcomer(void **state)
{
    struct box *box = make_box(TROUPE_DROP_NEWEST);

    (void)state;
    for (unsigned i = 0; i < MESSAGES_MAX; i++)
        assert_true(push(box, i) >= 0);
    assert_int_equal(push(box, 4), TROUPE_E_SHED);
    assert_pops(box, 0, 3);
    free(box);
}

static void test_drop_oldest_takes_twice_its_bound_and_no_more(void **state)
{
    struct box *box = make_box(TROUPE_DROP_OLDEST);

    (void)state;
    for (unsigned i = 0; i < 2 * MESSAGES_MAX; i++)
        assert_true(push(box, i) >= 0);
    assert_int_equal(push(box, 8), TROUPE_E_FULL);
    free(box);
}

static void test_a_reply_needs_no_room(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    for (unsigned i = 0; i < MESSAGES_MAX; i++)
        assert_true(push(box, i) >= 0);
    box->messages[4].droppable = false;
    assert_int_equal(push(box, 4), PUSH_QUEUED);
    assert_pops(box, 0, 4);
    free(box);
}

static void test_a_closing_mailbox_refuses_messages_but_takes_replies(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    assert_int_equal(push(box, 0), PUSH_CLAIMED);
    mailbox_close(&box->actor);
    assert_int_equal(push(box, 1), TROUPE_E_DRAINING);
    box->messages[2].droppable = false;
    assert_int_equal(push(box, 2), PUSH_QUEUED);
    assert_ptr_equal(mailbox_pop(&box->actor), &box->messages[0]);
    assert_ptr_equal(mailbox_pop(&box->actor), &box->messages[2]);
    assert_true(mailbox_go_idle(&box->actor));
    assert_int_equal(push(box, 3), TROUPE_E_DRAINING); /* also when it is idle */
    free(box);
}

static void test_a_shut_mailbox_keeps_what_it_had_and_takes_nothing(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(push(box, i) >= 0);
    assert_pops(box, 0, 0);
    mailbox_shut(&box->actor);
    box->messages[4].droppable = false;
    assert_int_equal(push(box, 3), TROUPE_E_GONE);
    assert_int_equal(push(box, 4), TROUPE_E_GONE);
    assert_int_equal(mailbox_depth(&box->actor), 0);
    assert_ptr_equal(box->actor.inbox_head, &box->messages[1]);
    assert_ptr_equal(box->actor.inbox_head->next, &box->messages[2]);
    assert_null(box->actor.inbox_head->next->next);
    assert_false(mailbox_claim(&box->actor));
    free(box);
}

static void test_a_claim_needs_an_idle_actor(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    assert_true(mailbox_claim(&box->actor));
    assert_false(mailbox_claim(&box->actor));
    assert_int_equal(push(box, 0), PUSH_QUEUED);
    assert_pops(box, 0, 0);
    assert_true(mailbox_go_idle(&box->actor));
    assert_true(mailbox_claim(&box->actor));
    free(box);
}

/* A paused actor goes idle with messages in its private list: they count, and new ones come behind them. */
static void test_a_paused_actor_keeps_its_messages_and_its_count(void **state)
{
    struct box *box = make_box(TROUPE_REFUSE);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(push(box, i) >= 0);
    assert_pops(box, 0, 0);
    assert_true(mailbox_go_idle(&box->actor));
    assert_int_equal(mailbox_depth(&box->actor), 2);
    assert_int_equal(push(box, 3), PUSH_CLAIMED);
    assert_int_equal(push(box, 4), PUSH_QUEUED);
    assert_int_equal(push(box, 5), TROUPE_E_FULL);
    assert_pops(box, 1, 4);
    assert_true(mailbox_go_idle(&box->actor));
    assert_int_equal(mailbox_depth(&box->actor), 0);
    free(box);
}

/* Any mix of operations keeps order, count and bound. */
static void test_random_operations(void **state)
{
    struct rng rng;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct box *box = make_box(TROUPE_REFUSE);
        unsigned in = 0, out = 0; /* message n lies at n % 64 */
        bool owned = false;

        box->actor.messages_max = 1 + (uint32_t)(seed % 20);
        rng_init(&rng, seed);
        for (unsigned step = 0; step < 3000; step++) {
            switch (rng_below(&rng, 5)) {
            case 0:
            case 1: {
                int rc = push(box, in % 64);
                if (rc == TROUPE_E_FULL) {
                    assert_true(mailbox_depth(&box->actor) >= box->actor.messages_max);
                    break;
                }
                assert_int_equal(rc, owned ? PUSH_QUEUED : PUSH_CLAIMED);
                owned = true;
                in++;
                break;
            }
            case 2:
                if (owned && out < in)
                    assert_ptr_equal(mailbox_pop(&box->actor), &box->messages[out++ % 64]);
                else if (owned)
                    assert_null(mailbox_pop(&box->actor));
                break;
            case 3:
                if (owned)
                    mailbox_settle(&box->actor);
                if (owned)
                    assert_int_equal(mailbox_depth(&box->actor), in - out);
                break;
            default:
                if (owned)
                    owned = !mailbox_go_idle(&box->actor);
                break;
            }
            assert_true(in - out <= box->actor.messages_max);
        }
        assert_true(out > 100);
        free(box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_first_message_claims_an_idle_actor),
        cmocka_unit_test(test_messages_come_out_in_the_order_they_went_in),
        cmocka_unit_test(test_a_full_mailbox_refuses_until_there_is_room),
        cmocka_unit_test(test_drop_newest_sheds_the_newcomer),
        cmocka_unit_test(test_drop_oldest_takes_twice_its_bound_and_no_more),
        cmocka_unit_test(test_a_reply_needs_no_room),
        cmocka_unit_test(test_a_closing_mailbox_refuses_messages_but_takes_replies),
        cmocka_unit_test(test_a_shut_mailbox_keeps_what_it_had_and_takes_nothing),
        cmocka_unit_test(test_a_claim_needs_an_idle_actor),
        cmocka_unit_test(test_a_paused_actor_keeps_its_messages_and_its_count),
        cmocka_unit_test(test_random_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
