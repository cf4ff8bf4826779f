/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the asker still wait, and for how long? (Ractor's RpcReplyPort::get_timeout and is_closed.) */
#include "lib/lab.h"

static struct lab lab;

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = *(struct puppet **)memory;

    (void)ctx;
    self->replies++;
    self->status = reply->status;
    return 0;
}

static int ask_100_ms(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), 100, on_reply, 0);
}

static int ask_by_default(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), 0, on_reply, 0);
}

static int look_then_answer(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_call_left_ms(ctx);
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), 0);
    assert_int_equal(troupe_call_left_ms(ctx), 0);
    return 0;
}

static int look(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_call_left_ms(ctx);
    return 0;
}

static int look_then_keep(troupe_ctx *ctx, struct puppet *self)
{
    int rc = look(ctx, self);

    assert_int_equal(rc, 0);
    rc = troupe_reply_keep(ctx, &self->handle);
    assert_int_equal(troupe_call_left_ms(ctx), 0); /* by the handle from now on */
    assert_int_equal(troupe_kept_left_ms(ctx, self->handle), self->number);
    return rc;
}

static int look_at_kept(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_kept_left_ms(ctx, self->handle);
    return 0;
}

static uint64_t left_of_kept(struct puppet *callee)
{
    lab_do(&lab, callee, look_at_kept);
    return callee->number;
}

static void test_a_callee_sees_how_long_its_caller_waits(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = look_then_answer;
    lab_do(&lab, &caller, ask_100_ms);
    assert_int_equal(callee.number, 100);
    lab_do(&lab, &caller, ask_by_default);
    assert_int_equal(callee.number, TROUPE_CALL_TIMEOUT_MS_DEFAULT);
    assert_int_equal(caller.replies, 2);
    callee.on_note = look;
    assert_int_equal(lab_note(&lab, &callee), 0); /* a cast, whose sender does not wait */
    lab_run(&lab);
    assert_int_equal(callee.notes, 1);
    assert_int_equal(callee.number, 0);
}

static void test_the_time_left_of_a_kept_call_shrinks_to_nothing(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = look_then_keep;
    lab_do(&lab, &caller, ask_100_ms);
    assert_int_equal(callee.number, 100);
    lab_pass(&lab, 60);
    assert_int_equal(left_of_kept(&callee), 40);
    lab_pass(&lab, 39);
    assert_int_equal(left_of_kept(&callee), 1);
    lab_pass(&lab, 1);
    assert_int_equal(left_of_kept(&callee), 0);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
}

static int answer_kept(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_reply_to(ctx, self->handle, troupe_body_none());
}

static void test_nobody_waits_for_a_call_that_was_answered(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = look_then_keep;
    lab_do(&lab, &caller, ask_100_ms);
    lab_do(&lab, &callee, answer_kept);
    assert_int_equal(left_of_kept(&callee), 0);
}

static void test_a_caller_that_has_ended_does_not_wait(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(successor, 'c');
    PUPPET(callee, 'b');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = look_then_keep;
    lab_do(&lab, &caller, ask_100_ms);
    assert_int_equal(left_of_kept(&callee), 100);
    lab_stop(&lab, caller.ref, TROUPE_KILL, &done, 100);
    lab_run(&lab);
    assert_int_equal(left_of_kept(&callee), 0);
    lab_spawn(&lab, &successor, NULL); /* not even when somebody else has its slot */
    assert_int_equal(left_of_kept(&callee), 0);
}

static void test_an_outsider_that_has_left_does_not_wait(void **state)
{
    PUPPET(callee, 'b');
    static struct lab_request call;

    (void)state;
    lab_spawn(&lab, &callee, NULL);
    callee.on_ask = look_then_keep;
    lab_ask(&lab, &callee, &call, 500);
    lab_run(&lab);
    assert_int_equal(callee.number, 500);
    assert_int_equal(left_of_kept(&callee), 500);
    troupe_request_cancel(&call.request);
    assert_int_equal(left_of_kept(&callee), 0);
    assert_int_equal(call.times, 0);
}

/* ---- no more time for others than one has oneself ---- */

static int ask_on(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_call_left_ms(ctx);
    int rc = troupe_reply_keep(ctx, &self->handle);

    assert_int_equal(rc, 0);
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), (uint32_t)self->number, on_reply, 0);
}

static void test_the_time_that_is_left_is_passed_on(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(middle, 'b');
    PUPPET(last, 'c');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &middle, NULL);
    lab_spawn(&lab, &last, NULL);
    caller.other = &middle;
    middle.other = &last;
    middle.on_ask = ask_on;
    last.on_ask = look_then_keep;
    lab_do(&lab, &caller, ask_100_ms);
    assert_int_equal(last.number, 100);
    lab_pass(&lab, 100);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
    assert_int_equal(middle.replies, 1); /* it does not wait on for nobody */
    assert_int_equal(middle.status, TROUPE_E_TIMEOUT);
}

static int look_at_what_was_never_given(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    assert_int_equal(troupe_kept_left_ms(ctx, (troupe_handle){0, 0}), 0);
    assert_int_equal(troupe_kept_left_ms(ctx, (troupe_handle){7, 1}), 0);
    assert_int_equal(troupe_call_left_ms(ctx), 0);
    return 0;
}

static void test_nobody_waits_for_what_was_never_asked(void **state)
{
    PUPPET(callee, 'b');

    (void)state;
    callee.on_init = look_at_what_was_never_given;
    callee.on_stop = look_at_what_was_never_given;
    lab_spawn(&lab, &callee, NULL);
    lab_do(&lab, &callee, look_at_what_was_never_given);
    lab_do(&lab, &callee, puppet_end);
    assert_int_equal(callee.stops, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_a_callee_sees_how_long_its_caller_waits),
        LAB_TEST(test_the_time_left_of_a_kept_call_shrinks_to_nothing),
        LAB_TEST(test_nobody_waits_for_a_call_that_was_answered),
        LAB_TEST(test_a_caller_that_has_ended_does_not_wait),
        LAB_TEST(test_an_outsider_that_has_left_does_not_wait),
        LAB_TEST(test_the_time_that_is_left_is_passed_on),
        LAB_TEST(test_nobody_waits_for_what_was_never_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
