/* SPDX-License-Identifier: Apache-2.0
 *
 * Postponed messages: handled again in their order and before newer ones, counted in the bounds, answered at the end. A
 * puppet is "closed" while its number is 1: then it postpones all that it is asked. */
#include "lib/lab.h"

static char heard[64]; /* the letters that were handled, in order */

static int hear(troupe_ctx *ctx, struct puppet *self)
{
    if (self->number == 1)
        return troupe_postpone(ctx);
    strncat(heard, self->msg->body, 1);
    return self->msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_of(self->msg)) : 0;
}

static int reopen(troupe_ctx *ctx, struct puppet *self)
{
    self->number = 0;
    troupe_unpostpone(ctx);
    return 0;
}

static int tell(struct lab *lab, struct puppet *puppet, const char *letter)
{
    return troupe_worker_cast(lab->worker, puppet->ref, troupe_view_of("ask"), troupe_body_json(letter, 1),
                              (troupe_caller){0});
}

static void tell_all(struct lab *lab, struct puppet *puppet, const char *letters)
{
    for (; *letters; letters++)
        assert_int_equal(tell(lab, puppet, letters), 0);
    lab_run(lab);
}

static void open_closed(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts)
{
    heard[0] = '\0';
    *puppet = (struct puppet){.letter = 'a', .number = 1, .on_ask = hear, .on_timer = hear};
    lab_open(lab);
    lab_spawn(lab, puppet, opts);
}

static uint32_t depth(struct lab *lab, const struct puppet *puppet)
{
    troupe_peek peek;

    assert_int_equal(troupe_system_peek(lab->system, puppet->ref, &peek), 0);
    return peek.mailbox_depth;
}

static void test_messages_are_handled_again_in_their_order(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    tell_all(&lab, &a, "123");
    assert_string_equal(heard, "");
    assert_int_equal(depth(&lab, &a), 3);
    lab_do(&lab, &a, reopen);
    assert_string_equal(heard, "123");
    assert_int_equal(depth(&lab, &a), 0);
    lab_close(&lab);
}

static void test_they_come_before_newer_ones_that_wait(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    tell_all(&lab, &a, "12");
    assert_int_equal(lab_do_later(&lab, &a, reopen), 0);
    tell_all(&lab, &a, "34");
    assert_string_equal(heard, "1234");
    lab_close(&lab);
}

static int reopen_but_postpone(troupe_ctx *ctx, struct puppet *self)
{
    if (self->msg->body_len == 1 && *(const char *)self->msg->body == '2' && self->number == 0) {
        self->number = 1; /* from here on closed again */
        return troupe_postpone(ctx);
    }
    return hear(ctx, self);
}

static void test_what_is_postponed_again_keeps_its_place(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    tell_all(&lab, &a, "1234");
    a.on_ask = reopen_but_postpone;
    lab_do(&lab, &a, reopen); /* hears 1; 2 closes it again, so 2, 3 and 4 are set aside */
    assert_string_equal(heard, "1");
    tell_all(&lab, &a, "5");
    a.on_ask = hear;
    lab_do(&lab, &a, reopen);
    assert_string_equal(heard, "12345");
    lab_close(&lab);
}

static int postpone_and_reopen(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_postpone(ctx), 0);
    assert_int_equal(troupe_postponed_count(ctx), 2);
    self->on_ask = hear;
    return reopen(ctx, self);
}

static void test_a_change_of_state_in_the_same_function_takes_the_message_along(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    tell_all(&lab, &a, "1");
    a.on_ask = postpone_and_reopen;
    tell_all(&lab, &a, "23");
    assert_string_equal(heard, "123");
    lab_close(&lab);
}

static void test_a_small_mailbox_full_of_postponed_messages_refuses(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, &(troupe_spawn_opts){.mailbox_messages_max = 3});
    tell_all(&lab, &a, "123");
    assert_int_equal(tell(&lab, &a, "4"), TROUPE_E_FULL);
    assert_int_equal(lab_do_later(&lab, &a, reopen), TROUPE_E_FULL); /* the function that opens it is a message, too */
    assert_int_equal(lab.dead_letters, 2);
    lab_stop(&lab, a.ref, TROUPE_STOP, &(struct lab_request){0}, 1000);
    lab_run(&lab);
    assert_int_equal(lab.dead_letters, 5);
    lab_close(&lab);
}

static int fill_self(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_cast(ctx, self->ref, "ask", troupe_body_json("2", 1)), 0);
    assert_int_equal(troupe_cast(ctx, self->ref, "ask", troupe_body_json("3", 1)), 0);
    assert_int_equal(troupe_cast(ctx, self->ref, "ask", troupe_body_json("4", 1)), TROUPE_E_FULL);
    self->on_ask = hear;
    return troupe_postpone(ctx);
}

static void test_a_full_mailbox_takes_the_message_at_hand_back(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, &(troupe_spawn_opts){.mailbox_messages_max = 2});
    a.on_ask = fill_self;
    tell_all(&lab, &a, "1");
    assert_int_equal(depth(&lab, &a), 3); /* one too many, and none more */
    assert_int_equal(tell(&lab, &a, "5"), TROUPE_E_FULL);
    lab_stop(&lab, a.ref, TROUPE_STOP, &(struct lab_request){0}, 1000);
    lab_run(&lab);
    assert_int_equal(lab.dead_letters, 2 + 3);
    lab_close(&lab);
}

static void test_large_bodies_count_in_bytes_again(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    static char large[3000];
    troupe_body body = troupe_body_json(large, sizeof large);
    open_closed(&lab, &a, &(troupe_spawn_opts){.mailbox_bytes_max = 7000});
    large[0] = 'L';
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(troupe_worker_cast(lab.worker, a.ref, troupe_view_of("ask"), body, (troupe_caller){0}), 0);
        lab_run(&lab);
    }
    assert_int_equal(troupe_worker_cast(lab.worker, a.ref, troupe_view_of("ask"), body, (troupe_caller){0}),
                     TROUPE_E_FULL);
    lab_do(&lab, &a, reopen);
    assert_string_equal(heard, "LL");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(troupe_worker_cast(lab.worker, a.ref, troupe_view_of("ask"), body, (troupe_caller){0}), 0);
    lab_run(&lab);
    assert_string_equal(heard, "LLLL");
    lab_close(&lab);
}

static void test_drop_oldest_sheds_postponed_messages_first(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, &(troupe_spawn_opts){.mailbox_messages_max = 3, .mailbox_policy = TROUPE_DROP_OLDEST});
    for (const char *letter = "12345"; *letter; letter++) {
        assert_int_equal(tell(&lab, &a, letter), 0);
        lab_run(&lab);
    }
    assert_int_equal(lab.dead_letters, 2);
    assert_int_equal(depth(&lab, &a), 3);
    lab_do(&lab, &a, reopen); /* a message, too: it costs the oldest its place */
    assert_string_equal(heard, "45");
    lab_close(&lab);
}

static void test_a_call_waits_for_its_answer_until_its_deadline(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    struct lab_request soon, late;
    open_closed(&lab, &a, NULL);
    lab_ask(&lab, &a, &late, 100);
    lab_ask(&lab, &a, &soon, 5000);
    lab_pass(&lab, 200);
    assert_true(late.done && !soon.done);
    assert_int_equal(late.error, TROUPE_E_TIMEOUT);
    lab_do(&lab, &a, reopen);
    assert_true(soon.done);
    assert_int_equal(soon.error, 0);
    assert_int_equal(a.asks, 3); /* two times postponed, one time answered: nobody waits for the late one any more */
    lab_close(&lab);
}

static void test_the_end_answers_postponed_calls(void **state)
{
    (void)state;
    static const struct {
        enum troupe_stop_mode mode;
        int error;
    } rows[] = {{TROUPE_STOP, TROUPE_E_STOPPED}, {TROUPE_DRAIN, TROUPE_E_STOPPED}, {TROUPE_KILL, TROUPE_E_KILLED}};
    for (unsigned i = 0; i < 3; i++) {
        struct lab lab;
        struct puppet a;
        struct lab_request call, end;
        open_closed(&lab, &a, NULL);
        lab_ask(&lab, &a, &call, 5000);
        tell_all(&lab, &a, "1");
        lab_stop(&lab, a.ref, rows[i].mode, &end, 1000);
        lab_run(&lab);
        assert_true(call.done && end.done);
        assert_int_equal(call.error, rows[i].error);
        assert_int_equal(lab.dead_letters, 2); /* the call and the cast */
        lab_close(&lab);
    }
}

static int open_on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = *(struct puppet **)memory;

    (void)reply;
    return reopen(ctx, self);
}

static int ask_other_to_open(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), 1000, open_on_reply, 0);
}

static int answer_kept(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_reply_to(ctx, self->handle, troupe_body_none());
}

static void test_a_drain_waits_for_a_reply_that_brings_postponed_messages_back(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a, b = {.letter = 'b', .on_ask = puppet_keep};
    struct lab_request end;
    open_closed(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    a.other = &b;
    tell_all(&lab, &a, "12");
    lab_do(&lab, &a, ask_other_to_open);
    lab_stop(&lab, a.ref, TROUPE_DRAIN, &end, 1000);
    lab_run(&lab);
    assert_false(end.done);
    lab_do(&lab, &b, answer_kept);
    assert_true(end.done);
    assert_string_equal(heard, "12");
    assert_int_equal(lab.dead_letters, 0);
    lab_close(&lab);
}

static int call_wait_other(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_call_wait(ctx, self->other->ref, "ask", troupe_body_none(), 1000, open_on_reply, 0), 0);
    troupe_unpostpone(ctx); /* held back by the pause, and still the oldest */
    self->number = 0;
    return 0;
}

static void test_a_pause_holds_them_back_in_front(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a, b = {.letter = 'b', .on_ask = puppet_keep};
    open_closed(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    a.other = &b;
    tell_all(&lab, &a, "12");
    lab_do(&lab, &a, call_wait_other);
    tell_all(&lab, &a, "34");
    assert_string_equal(heard, "");
    assert_int_equal(depth(&lab, &a), 4);
    lab_do(&lab, &b, answer_kept);
    assert_string_equal(heard, "1234");
    lab_close(&lab);
}

/* ---- timers ---- */

static uint64_t timer_id;

static int start_once(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_timer_after(ctx, 10, "t", troupe_body_json("t", 1), &timer_id);
}

static int start_every(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_timer_every(ctx, 10, TROUPE_EVERY_SKIP, "t", troupe_body_json("t", 1), &timer_id);
}

static int cancel(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_timer_cancel(ctx, timer_id);
    return 0;
}

static int hear_timer(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(self->msg->tag, timer_id);
    assert_int_equal(troupe_timer_cancel(ctx, timer_id), TROUPE_E_NOT_FOUND); /* while it is handled it is over */
    return hear(ctx, self);
}

static void test_a_timer_keeps_its_place_among_messages(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    a.on_timer = hear_timer;
    lab_do(&lab, &a, start_once);
    tell_all(&lab, &a, "1");
    lab_pass(&lab, 20);
    tell_all(&lab, &a, "2");
    assert_int_equal(a.timers, 1);
    lab_do(&lab, &a, reopen);
    assert_string_equal(heard, "1t2");
    lab_close(&lab);
}

static void test_the_timer_arrives_after_its_cancel(void **state)
{
    (void)state;
    static const puppet_fn starts[] = {start_once, start_every};
    for (unsigned i = 0; i < 2; i++) {
        struct lab lab;
        struct puppet a;
        open_closed(&lab, &a, NULL);
        lab_do(&lab, &a, starts[i]);
        lab_pass(&lab, 50);
        assert_int_equal(a.timers, 1); /* a tick that is set aside holds the next one back */
        lab_do(&lab, &a, cancel);
        assert_int_equal(a.status, 0);
        lab_do(&lab, &a, reopen);
        lab_pass(&lab, 50);
        assert_int_equal(a.timers, 1);
        lab_close(&lab);
    }
}

static void test_a_periodic_timer_goes_on_after_a_postponed_tick(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    lab_do(&lab, &a, start_every);
    lab_pass(&lab, 15);
    lab_do(&lab, &a, reopen);
    lab_pass(&lab, 20);
    assert_string_equal(heard, "ttt");
    lab_close(&lab);
}

static void test_an_actor_with_a_postponed_timer_ends_and_leaves_nothing(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    open_closed(&lab, &a, NULL);
    lab_do(&lab, &a, start_once);
    lab_pass(&lab, 20);
    lab_close(&lab); /* checks the memory */
}

/* ---- refusals ---- */

static int postpone_twice(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_postpone(ctx), 0);
    assert_int_equal(troupe_postpone(ctx), TROUPE_E_STATE);
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), TROUPE_E_STATE);
    assert_int_equal(troupe_reply_keep(ctx, &self->handle), TROUPE_E_STATE);
    self->on_ask = hear;
    return 0;
}

static int postpone_answered(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_reply(ctx, troupe_body_of(self->msg)), 0);
    assert_int_equal(troupe_postpone(ctx), TROUPE_E_STATE);
    return 0;
}

static int postpone_kept(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_reply_keep(ctx, &self->handle), 0);
    assert_int_equal(troupe_postpone(ctx), TROUPE_E_STATE);
    return troupe_reply_to(ctx, self->handle, troupe_body_none());
}

static void test_a_message_is_postponed_once_or_answered(void **state)
{
    (void)state;
    static const puppet_fn fns[] = {postpone_twice, postpone_answered, postpone_kept};
    for (unsigned i = 0; i < 3; i++) {
        struct lab lab;
        struct puppet a;
        struct lab_request call;
        open_closed(&lab, &a, NULL);
        a.on_ask = fns[i];
        lab_ask(&lab, &a, &call, 1000);
        lab_run(&lab);
        lab_do(&lab, &a, reopen);
        assert_int_equal(call.times, 1);
        assert_int_equal(call.error, 0);
        lab_close(&lab);
    }
}

static int postpone_nothing(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_postpone(ctx);
    troupe_unpostpone(ctx);
    return 0;
}

static int postpone_killed(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_stop(ctx, self->ref, TROUPE_KILL, ""), 0);
    self->status = troupe_postpone(ctx);
    return 0;
}

static void test_only_a_message_can_be_postponed(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a, b = {.letter = 'b'};
    open_closed(&lab, &a, NULL);
    lab_spawn(&lab, &b, NULL);
    a.other = &b;
    a.on_down = a.on_stop = postpone_nothing;
    lab_do(&lab, &a, puppet_monitor_other);
    lab_do(&lab, &a, puppet_stop_other);
    assert_int_equal(a.downs, 1);
    assert_int_equal(a.status, TROUPE_E_STATE);
    a.status = 0;
    lab_do(&lab, &a, puppet_end);
    assert_int_equal(a.stops, 1);
    assert_int_equal(a.status, TROUPE_E_STATE);
    lab_close(&lab);
}

static void test_a_killed_actor_postpones_nothing(void **state)
{
    (void)state;
    struct lab lab;
    struct puppet a;
    struct lab_request call;
    open_closed(&lab, &a, NULL);
    a.on_ask = postpone_killed;
    lab_ask(&lab, &a, &call, 1000);
    lab_run(&lab);
    assert_int_equal(a.status, TROUPE_E_KILLED);
    assert_int_equal(call.error, TROUPE_E_KILLED);
    lab_close(&lab);
}

static int only_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx, (void)state, (void)msg;
    return 0;
}

static int view_that_postpones(troupe_ctx *ctx, const void *state)
{
    (void)state;
    assert_int_equal(troupe_postpone(ctx), TROUPE_E_STATE);
    return troupe_reply(ctx, troupe_body_json("{}", 2));
}

static void note_ref(troupe_request *request, const troupe_answer *answer)
{
    struct lab_request *asked = request->user;

    asked->error = answer->error;
    asked->ref = answer->ref;
    asked->times++;
}

static void test_a_view_postpones_nothing(void **state)
{
    static const troupe_behavior viewed = {TROUPE_BEHAVIOR_HEAD, .name = "viewed",        .version = "1.0.0",
                                           .summary = "viewed",  .receive = only_receive, .view = view_that_postpones};
    struct lab lab;
    struct lab_request spawned = {.request.user = &spawned}, shown = {.request.user = &shown};
    troupe_spawn_opts opts = {.behavior = "viewed"};

    (void)state;
    lab_open(&lab);
    assert_int_equal(troupe_system_add_behavior(lab.system, &viewed), 0);
    troupe_request_spawn(lab.worker, &spawned.request, note_ref, &opts);
    lab_run(&lab);
    troupe_request_view(lab.worker, &shown.request, note_ref, spawned.ref, 1000);
    lab_run(&lab);
    assert_int_equal(shown.times, 1);
    assert_int_equal(shown.error, 0);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_handled_again_in_their_order),
        cmocka_unit_test(test_they_come_before_newer_ones_that_wait),
        cmocka_unit_test(test_what_is_postponed_again_keeps_its_place),
        cmocka_unit_test(test_a_change_of_state_in_the_same_function_takes_the_message_along),
        cmocka_unit_test(test_a_small_mailbox_full_of_postponed_messages_refuses),
        cmocka_unit_test(test_a_full_mailbox_takes_the_message_at_hand_back),
        cmocka_unit_test(test_large_bodies_count_in_bytes_again),
        cmocka_unit_test(test_drop_oldest_sheds_postponed_messages_first),
        cmocka_unit_test(test_a_call_waits_for_its_answer_until_its_deadline),
        cmocka_unit_test(test_the_end_answers_postponed_calls),
        cmocka_unit_test(test_a_drain_waits_for_a_reply_that_brings_postponed_messages_back),
        cmocka_unit_test(test_a_pause_holds_them_back_in_front),
        cmocka_unit_test(test_a_timer_keeps_its_place_among_messages),
        cmocka_unit_test(test_the_timer_arrives_after_its_cancel),
        cmocka_unit_test(test_a_periodic_timer_goes_on_after_a_postponed_tick),
        cmocka_unit_test(test_an_actor_with_a_postponed_timer_ends_and_leaves_nothing),
        cmocka_unit_test(test_a_message_is_postponed_once_or_answered),
        cmocka_unit_test(test_only_a_message_can_be_postponed),
        cmocka_unit_test(test_a_killed_actor_postpones_nothing),
        cmocka_unit_test(test_a_view_postpones_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
