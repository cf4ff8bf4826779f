/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: each ends once, in whatever way; the order around call_wait; handles that are kept. */
#include "lib/lab.h"

static struct lab lab;
static struct puppet caller, callee;

static int set_up(void **state)
{
    (void)state;
    lab_open(&lab);
    caller = (struct puppet){.letter = 'a', .other = &callee};
    callee = (struct puppet){.letter = 'b', .other = &caller};
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

/* ---- the continuations ---- */

struct state {
    struct puppet *puppet;
};

static char last_body[64], last_code[64];
static unsigned last_app_status;

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = ((struct state *)memory)->puppet;
    troupe_view code = troupe_msg_app_code(reply), detail = troupe_msg_detail(reply);

    (void)ctx;
    assert_int_equal(reply->kind, TROUPE_MSG_REPLY);
    assert_int_equal(reply->tag, 77);
    self->replies++;
    self->status = reply->status;
    last_app_status = reply->app_status;
    memset(last_body, 0, sizeof last_body);
    memset(last_code, 0, sizeof last_code);
    memcpy(last_code, code.ptr, code.len);
    memcpy(last_body, detail.ptr, detail.len < sizeof last_body ? detail.len : sizeof last_body - 1);
    size_t len = strlen(lab.log);
    lab.log[len] = self->letter;
    lab.log[len + 1] = 'r';
    lab.log[len + 2] = '\0';
    return 0;
}

static int ask_for(troupe_ctx *ctx, struct puppet *self, uint32_t timeout_ms)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_json("[1]", 3), timeout_ms, on_reply, 77);
}

static int ask(troupe_ctx *ctx, struct puppet *self) { return ask_for(ctx, self, 0); }
static int ask_100_ms(troupe_ctx *ctx, struct puppet *self) { return ask_for(ctx, self, 100); }

static int ask_and_wait(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call_wait(ctx, self->other->ref, "ask", troupe_body_json("[1]", 3), 300, on_reply, 77);
}

/* ---- how a call can end ---- */

static int refuse(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_reply_error(ctx, TROUPE_E_LIMIT, "three at most");
}

static int refuse_by_app(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_reply_app_error(ctx, "out-of-stock", 409, "none is left");
}

static int fail_without_words(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return TROUPE_E_INTERNAL;
}

static int say_nothing(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return 0;
}

static void test_each_way_of_a_call_to_end(void **state)
{
    static const struct {
        puppet_fn on_ask;
        int status;
        const char *body; /* the reply, or the words */
    } cases[] = {
        {NULL, 0, "[1]"}, /* echoed */
        {refuse, TROUPE_E_LIMIT, "three at most"},
        {refuse_by_app, TROUPE_E_APP, "none is left"},
        {say_nothing, TROUPE_E_NO_REPLY, ""},
        {fail_without_words, TROUPE_E_ACTOR_FAILED, ""},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        callee.on_ask = cases[i].on_ask;
        caller.replies = 0;
        lab_do(&lab, &caller, ask);
        assert_int_equal(caller.replies, 1);
        assert_int_equal(caller.status, cases[i].status);
        assert_string_equal(last_body, cases[i].body);
        assert_string_equal(last_code, cases[i].status == TROUPE_E_APP ? "out-of-stock" : "");
        assert_int_equal(last_app_status, cases[i].status == TROUPE_E_APP ? 409 : 0);
    }
    assert_false(lab_is_alive(&lab, &callee)); /* the last one failed */
    lab_pass(&lab, 10000);
    assert_int_equal(caller.replies, 1);
}

static void test_a_call_without_answer_ends_at_its_deadline_not_before_and_not_twice(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, ask_100_ms);
    lab_pass(&lab, 99);
    assert_int_equal(caller.replies, 0);
    lab_pass(&lab, 2);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
    lab_pass(&lab, 10000);
    assert_int_equal(caller.replies, 1);
}

static void test_the_default_timeout_is_five_seconds(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, ask);
    lab_pass(&lab, TROUPE_CALL_TIMEOUT_MS_DEFAULT - 1);
    assert_int_equal(caller.replies, 0);
    lab_pass(&lab, 2);
    assert_int_equal(caller.replies, 1);
}

static int try_what_cannot_be_called(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref to = self->other->ref, never = to;
    troupe_body body = troupe_body_none();
    static char large[TROUPE_BODY_BYTES_MAX + 1];

    assert_int_equal(troupe_call(ctx, to, "", body, 0, on_reply, 0), TROUPE_E_INVALID);
    assert_int_equal(troupe_call(ctx, to, "never heard of", body, 0, on_reply, 0), TROUPE_E_UNKNOWN_TYPE);
    assert_int_equal(troupe_call(ctx, to, "ask", troupe_body_json(large, sizeof large), 0, on_reply, 0),
                     TROUPE_E_TOO_LARGE);
    assert_int_equal(troupe_call(ctx, to, "ask", body, TROUPE_CALL_TIMEOUT_MS_MAX + 1, on_reply, 0), TROUPE_E_INVALID);
    never.slot += 5000;
    assert_int_equal(troupe_call(ctx, never, "ask", body, 0, on_reply, 0), TROUPE_E_NOT_FOUND);
    never = to;
    never.generation += 1;
    assert_int_equal(troupe_call(ctx, never, "ask", body, 0, on_reply, 0), TROUPE_E_NOT_FOUND);
    assert_int_equal(troupe_call_wait(ctx, self->ref, "ask", body, 0, on_reply, 0), TROUPE_E_STATE);
    return 0;
}

static void test_a_call_that_is_refused_has_no_continuation(void **state)
{
    (void)state;
    lab_do(&lab, &caller, try_what_cannot_be_called);
    lab_pass(&lab, 10000);
    assert_int_equal(caller.replies, 0);
    assert_int_equal(callee.asks, 0);
    assert_true(lab_is_alive(&lab, &caller));
}

/* ---- one answer ---- */

static int answer_in_every_way(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_reply(ctx, troupe_body_of(self->msg));

    assert_int_equal(rc, 0);
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), TROUPE_E_STATE);
    assert_int_equal(troupe_reply_error(ctx, TROUPE_E_LIMIT, ""), TROUPE_E_STATE);
    assert_int_equal(troupe_reply_app_error(ctx, "code", 400, ""), TROUPE_E_STATE);
    assert_int_equal(troupe_reply_keep(ctx, &self->handle), TROUPE_E_STATE);
    return 0;
}

static int answer_a_note(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), TROUPE_E_STATE);
    assert_int_equal(troupe_reply_keep(ctx, &self->handle), TROUPE_E_STATE);
    return 0;
}

static void test_a_message_is_answered_once_and_only_when_it_is_a_call(void **state)
{
    (void)state;
    callee.on_ask = answer_in_every_way;
    callee.on_note = answer_a_note;
    lab_do(&lab, &caller, ask);
    assert_int_equal(lab_note(&lab, &callee), 0);
    lab_run(&lab);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, 0);
    assert_int_equal(callee.notes, 1);
}

static int answer_kept(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_reply_to(ctx, self->handle, troupe_body_json("2", 1));
    return 0;
}

static void test_a_kept_call_is_answered_in_a_later_turn_once(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, ask);
    assert_int_equal(caller.replies, 0);
    lab_do(&lab, &callee, answer_kept);
    assert_int_equal(callee.status, 0);
    assert_int_equal(caller.replies, 1);
    assert_string_equal(last_body, "2");
    lab_do(&lab, &callee, answer_kept);
    assert_int_equal(callee.status, TROUPE_E_STATE);
    assert_int_equal(caller.replies, 1);
}

static void test_a_kept_call_cannot_be_answered_after_its_deadline(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, ask_100_ms);
    lab_pass(&lab, 102);
    lab_do(&lab, &callee, answer_kept);
    assert_int_equal(callee.status, TROUPE_E_STATE);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
}

static int keep_and_answer_at_once(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_reply_keep(ctx, &self->handle);

    assert_int_equal(rc, 0);
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), TROUPE_E_STATE); /* by the handle only */
    assert_int_equal(troupe_reply_to(ctx, self->handle, troupe_body_json("3", 1)), 0);
    assert_int_equal(troupe_reply_to(ctx, self->handle, troupe_body_json("4", 1)), TROUPE_E_STATE);
    return 0;
}

static void test_a_handle_can_be_used_in_the_turn_that_kept_it(void **state)
{
    (void)state;
    callee.on_ask = keep_and_answer_at_once;
    lab_do(&lab, &caller, ask);
    assert_int_equal(caller.replies, 1);
    assert_string_equal(last_body, "3");
}

/* ---- call_wait ---- */

static int notes_to_self_then_wait(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_cast(ctx, self->ref, "note", troupe_body_none());

    return rc ? rc : ask_and_wait(ctx, self);
}

static void test_no_message_is_handled_during_a_call_wait_and_their_order_holds(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, notes_to_self_then_wait);
    assert_int_equal(lab_note(&lab, &caller), 0);
    lab_run(&lab);
    assert_int_equal(caller.notes, 0);
    lab.log[0] = '\0';
    lab_do(&lab, &callee, answer_kept);
    assert_int_equal(caller.notes, 2);
    assert_string_equal(lab.log, "aranan"); /* the reply first, then what had waited */
}

static int wait_again(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(ask_and_wait(ctx, self), 0);
    assert_int_equal(ask_and_wait(ctx, self), TROUPE_E_STATE);
    return 0;
}

static void test_an_actor_waits_for_one_call_at_a_time(void **state)
{
    (void)state;
    lab_do(&lab, &caller, wait_again);
    assert_int_equal(caller.replies, 1);
}

static int ask_soon_and_wait_long(troupe_ctx *ctx, struct puppet *self)
{
    int rc = ask_100_ms(ctx, self);

    return rc ? rc : ask_and_wait(ctx, self);
}

/* A continuation is the actor's code as well: it must not run in the midst of a wait. */
static void test_the_timeout_of_another_call_waits_for_the_call_wait(void **state)
{
    (void)state;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, ask_soon_and_wait_long);
    lab_pass(&lab, 200); /* the first call is overdue */
    assert_int_equal(caller.replies, 0);
    lab_pass(&lab, 102); /* now the wait is over */
    assert_int_equal(caller.replies, 2);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
}

static void test_a_waiting_actor_can_be_stopped_and_killed(void **state)
{
    static const enum troupe_stop_mode modes[] = {TROUPE_STOP, TROUPE_KILL};

    (void)state;
    callee.on_ask = puppet_keep;
    for (unsigned i = 0; i < 2; i++) {
        static struct puppet waiting[2];
        static struct lab_request done;
        waiting[i] = (struct puppet){.letter = 'w', .other = &callee};
        lab_spawn(&lab, &waiting[i], NULL);
        lab_do(&lab, &waiting[i], ask_and_wait);
        lab_stop(&lab, waiting[i].ref, modes[i], &done, 100);
        lab_run(&lab);
        assert_true(done.done);
        assert_int_equal(waiting[i].replies, 0);
        assert_int_equal(waiting[i].stops, modes[i] == TROUPE_STOP);
    }
}

static int ask_each_other_and_wait(troupe_ctx *ctx, struct puppet *self) { return ask_and_wait(ctx, self); }

static void test_two_that_wait_for_each_other_are_freed_by_the_deadline(void **state)
{
    (void)state;
    assert_int_equal(lab_do_later(&lab, &caller, ask_each_other_and_wait), 0);
    assert_int_equal(lab_do_later(&lab, &callee, ask_each_other_and_wait), 0);
    lab_run(&lab);
    assert_int_equal(caller.replies + callee.replies, 0);
    lab_pass(&lab, 302);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(callee.replies, 1);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
}

/* ---- a call of what is meant to be cast ---- */

static void test_a_call_of_a_cast_type_is_answered_with_null(void **state)
{
    static struct lab_request request;

    (void)state;
    lab_ask_type(&lab, &callee, "note", &request, 100);
    lab_run(&lab);
    assert_int_equal(callee.notes, 1);
    assert_int_equal(request.times, 1);
    assert_int_equal(request.error, 0);
    assert_string_equal(request.body, "null");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_each_way_of_a_call_to_end),
        CASE(test_a_call_without_answer_ends_at_its_deadline_not_before_and_not_twice),
        CASE(test_the_default_timeout_is_five_seconds),
        CASE(test_a_call_that_is_refused_has_no_continuation),
        CASE(test_a_message_is_answered_once_and_only_when_it_is_a_call),
        CASE(test_a_kept_call_is_answered_in_a_later_turn_once),
        CASE(test_a_kept_call_cannot_be_answered_after_its_deadline),
        CASE(test_a_handle_can_be_used_in_the_turn_that_kept_it),
        CASE(test_no_message_is_handled_during_a_call_wait_and_their_order_holds),
        CASE(test_an_actor_waits_for_one_call_at_a_time),
        CASE(test_the_timeout_of_another_call_waits_for_the_call_wait),
        CASE(test_a_waiting_actor_can_be_stopped_and_killed),
        CASE(test_two_that_wait_for_each_other_are_freed_by_the_deadline),
        CASE(test_a_call_of_a_cast_type_is_answered_with_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
