/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers that end others, timers that clients set, and the list of both. Plain timers are in test_traps.c. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;

static int set_up(void **state)
{
    (void)state;
    lab_open(&lab);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

struct asked {
    troupe_request request;
    unsigned times;
    int error;
    troupe_timer_page page;
};

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;

    asked->times++;
    asked->error = answer->error;
    if (answer->timers != NULL)
        asked->page = *answer->timers;
}

static troupe_request *fresh(struct asked *asked)
{
    memset(asked, 0, sizeof *asked);
    asked->request.user = asked;
    return &asked->request;
}

static int set_opts(const struct puppet *puppet, const troupe_timer_opts *opts)
{
    static struct asked asked;

    troupe_request_timer_set(lab.worker, fresh(&asked), on_done, puppet->ref, opts, 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    return asked.error;
}

static int set(const struct puppet *puppet, const char *name, uint64_t after_ms, uint64_t every_ms)
{
    const troupe_timer_opts opts = {.name = troupe_view_of(name), .type = troupe_view_of("note"),
                                    .body = troupe_body_none(), .after_ms = after_ms, .every_ms = every_ms};

    return set_opts(puppet, &opts);
}

static int cancel(const struct puppet *puppet, const char *name)
{
    static struct asked asked;

    troupe_request_timer_cancel(lab.worker, fresh(&asked), on_done, puppet->ref, troupe_view_of(name), 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    return asked.error;
}

static const troupe_timer_page *list(const struct puppet *puppet)
{
    static struct asked asked;

    troupe_request_timers(lab.worker, fresh(&asked), on_done, puppet->ref, 1000);
    lab_run(&lab);
    assert_int_equal(asked.error, 0);
    return &asked.page;
}

/* ---- to end another, later ---- */

static int exit_other_after_50(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_exit_after(ctx, self->other->ref, 50, "the time is up", &self->number);
}

static int kill_other_after_50(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_kill_after(ctx, self->other->ref, 50, &self->number);
}

static int cancel_number(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_timer_cancel(ctx, self->number);
    return 0;
}

static void test_exit_after_stops_the_other_when_the_time_has_come(void **state)
{
    PUPPET(owner, 'o');
    PUPPET(target, 't');
    static struct lab_request down;

    (void)state;
    owner.other = &target;
    lab_spawn(&lab, &owner, NULL);
    lab_spawn(&lab, &target, NULL);
    lab_monitor(&lab, target.ref, &down);
    lab_do(&lab, &owner, exit_other_after_50);
    lab_pass(&lab, 49);
    assert_int_equal(target.ends, 0);
    lab_pass(&lab, 2);
    assert_int_equal(target.exit.cause, TROUPE_EXIT_STOPPED);
    assert_int_equal(target.stops, 1); /* with its last words */
    assert_string_equal(down.detail, "the time is up");
    assert_int_equal(list(&owner)->total, 0);
    lab_do(&lab, &owner, cancel_number);
    assert_int_equal(owner.status, TROUPE_E_NOT_FOUND); /* it is over */
}

static void test_kill_after_kills(void **state)
{
    PUPPET(owner, 'o');
    PUPPET(target, 't');

    (void)state;
    owner.other = &target;
    lab_spawn(&lab, &owner, NULL);
    lab_spawn(&lab, &target, NULL);
    lab_do(&lab, &owner, kill_other_after_50);
    lab_pass(&lab, 51);
    assert_int_equal(target.exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(target.stops, 0);
}

static void test_a_cancelled_end_does_not_come(void **state)
{
    PUPPET(owner, 'o');
    PUPPET(target, 't');

    (void)state;
    owner.other = &target;
    lab_spawn(&lab, &owner, NULL);
    lab_spawn(&lab, &target, NULL);
    lab_do(&lab, &owner, kill_other_after_50);
    lab_pass(&lab, 40);
    lab_do(&lab, &owner, cancel_number);
    assert_int_equal(owner.status, 0);
    lab_pass(&lab, 1000);
    assert_int_equal(target.ends, 0);
}

static int exit_self_after_50(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_exit_after(ctx, troupe_self(ctx), 50, NULL, &self->number);
}

static void test_an_actor_may_set_its_own_end(void **state)
{
    PUPPET(owner, 'o');

    (void)state;
    lab_spawn(&lab, &owner, NULL);
    lab_do(&lab, &owner, exit_self_after_50);
    lab_pass(&lab, 51);
    assert_int_equal(owner.exit.cause, TROUPE_EXIT_STOPPED);
}

static int try_bad_ends(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t timer;

    assert_int_equal(troupe_exit_after(ctx, (troupe_ref){0}, 1, NULL, &timer), TROUPE_E_INVALID);
    assert_int_equal(troupe_kill_after(ctx, self->ref, TROUPE_TIMER_DELAY_MS_MAX + 1, &timer), TROUPE_E_INVALID);
    return 0;
}

static void test_an_end_of_nobody_or_too_far_ahead_is_refused(void **state)
{
    PUPPET(owner, 'o');

    (void)state;
    lab_spawn(&lab, &owner, NULL);
    lab_do(&lab, &owner, try_bad_ends);
}

static void test_an_end_whose_target_is_gone_does_nothing(void **state)
{
    PUPPET(owner, 'o');
    PUPPET(target, 't');
    PUPPET(successor, 's');

    (void)state;
    owner.other = &target;
    lab_spawn(&lab, &owner, NULL);
    lab_spawn(&lab, &target, NULL);
    lab_do(&lab, &owner, kill_other_after_50);
    lab_do(&lab, &target, puppet_end);
    lab_spawn(&lab, &successor, NULL); /* perhaps in its slot */
    lab_pass(&lab, 100);
    assert_int_equal(successor.ends + owner.ends, 0);
}

/* ---- trap: timers were tasks that outlived their actor ---- */

static void test_timers_that_outlived_their_actor(void **state)
{
    PUPPET(owner, 'o');
    PUPPET(target, 't');

    (void)state;
    owner.other = &target;
    lab_spawn(&lab, &owner, NULL);
    lab_spawn(&lab, &target, NULL);
    lab_do(&lab, &owner, kill_other_after_50);
    assert_int_equal(set(&owner, "beat", 10, 10), 0);
    lab_do(&lab, &owner, puppet_end);
    lab_pass(&lab, 1000);
    assert_int_equal(target.ends, 0);
    assert_int_equal(owner.notes, 0);
    assert_int_equal(set(&owner, "beat", 10, 10), TROUPE_E_GONE);
}

/* ---- clients ---- */

static int check_cast(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    assert_int_equal(self->msg->kind, TROUPE_MSG_CAST);
    assert_int_equal(self->msg->tag, 0);
    assert_string_equal(troupe_msg_subject(self->msg).ptr, "ann");
    assert_int_equal(self->msg->body_len, 2);
    return 0;
}

static void test_a_clients_timer_comes_as_a_cast(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_timer_opts opts = {.name = troupe_view_of("once"), .type = troupe_view_of("note"),
                                    .body = troupe_body_json("{}", 2), .after_ms = 20,
                                    .caller = {.subject = troupe_view_of("ann")}};

    (void)state;
    puppet.on_note = check_cast;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(set_opts(&puppet, &opts), 0);
    lab_pass(&lab, 19);
    assert_int_equal(puppet.notes, 0);
    lab_pass(&lab, 2);
    assert_int_equal(puppet.notes, 1);
    assert_int_equal(puppet.timers, 0);
    assert_int_equal(cancel(&puppet, "once"), TROUPE_E_NOT_FOUND); /* it is over */
    lab_pass(&lab, 100);
    assert_int_equal(puppet.notes, 1);
}

static void test_a_clients_timer_is_replaced_by_one_of_the_same_name(void **state)
{
    PUPPET(puppet, 'p');

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(set(&puppet, "beat", 10, 10), 0);
    assert_int_equal(set(&puppet, "beat", 500, 0), 0);
    lab_pass(&lab, 400);
    assert_int_equal(puppet.notes, 0);
    assert_int_equal(list(&puppet)->total, 1);
    lab_pass(&lab, 200);
    assert_int_equal(puppet.notes, 1);
}

static void test_a_cancel_wins_against_a_message_that_waits(void **state)
{
    PUPPET(puppet, 'p');
    static struct asked asked;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(set(&puppet, "beat", 10, 10), 0);
    troupe_request_suspend(lab.worker, fresh(&asked), on_done, puppet.ref, true, 1000);
    lab_pass(&lab, 100); /* its message is in the mailbox */
    assert_int_equal(cancel(&puppet, "beat"), 0);
    troupe_request_suspend(lab.worker, fresh(&asked), on_done, puppet.ref, false, 1000);
    lab_pass(&lab, 100);
    assert_int_equal(puppet.notes, 0);
}

static void test_missed_ticks_of_a_clients_timer_do_not_come_in_a_burst(void **state)
{
    PUPPET(skipping, 's');
    PUPPET(bursting, 'b');
    troupe_timer_opts opts = {.type = troupe_view_of("note"), .body = troupe_body_none(), .after_ms = 10,
                              .every_ms = 10};

    (void)state;
    lab_spawn(&lab, &skipping, NULL);
    lab_spawn(&lab, &bursting, NULL);
    assert_int_equal(set_opts(&skipping, &opts), 0);
    opts.missed = TROUPE_EVERY_BURST;
    assert_int_equal(set_opts(&bursting, &opts), 0);
    lab.now_ns += 95 * UINT64_C(1000000); /* the worker was away */
    lab_run(&lab);
    assert_int_equal(skipping.notes, 1);
    assert_int_equal(bursting.notes, 9);
}

static void test_wrong_timers_are_refused(void **state)
{
    PUPPET(puppet, 'p');
    troupe_timer_opts opts = {.type = troupe_view_of("unheard"), .body = troupe_body_none()};

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(set_opts(&puppet, &opts), TROUPE_E_UNKNOWN_TYPE);
    opts.type = troupe_view_of("note");
    opts.name = troupe_view_of("no good");
    assert_int_equal(set_opts(&puppet, &opts), TROUPE_E_INVALID);
    opts.name = troupe_view_of("");
    opts.after_ms = TROUPE_TIMER_DELAY_MS_MAX + 1;
    assert_int_equal(set_opts(&puppet, &opts), TROUPE_E_INVALID);
    opts.after_ms = 0;
    opts.body.len = TROUPE_BODY_BYTES_MAX + 1;
    assert_int_equal(set_opts(&puppet, &opts), TROUPE_E_TOO_LARGE);
    assert_int_equal(cancel(&puppet, "no good"), TROUPE_E_INVALID);
    assert_int_equal(cancel(&puppet, "never"), TROUPE_E_NOT_FOUND);
    assert_int_equal(list(&puppet)->total, 0);
}

static void test_timers_have_their_limits(void **state)
{
    PUPPET(puppet, 'p');
    char name[16];

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    for (unsigned i = 0; i < TROUPE_NAMED_TIMERS_PER_ACTOR_MAX; i++) {
        name[0] = (char)('a' + i % 16);
        name[1] = (char)('a' + i / 16);
        name[2] = '\0';
        assert_int_equal(set(&puppet, name, 1000, 0), 0);
    }
    assert_int_equal(set(&puppet, "more", 1000, 0), TROUPE_E_LIMIT);
    assert_int_equal(set(&puppet, "aa", 5, 0), 0); /* to replace one is no more */
    for (unsigned i = TROUPE_NAMED_TIMERS_PER_ACTOR_MAX; i < TROUPE_TIMERS_PER_ACTOR_MAX; i++)
        assert_int_equal(set(&puppet, "", 1000, 0), 0);
    assert_int_equal(set(&puppet, "", 1000, 0), TROUPE_E_LIMIT);
    assert_int_equal(list(&puppet)->total, TROUPE_TIMERS_PER_ACTOR_MAX);
    assert_int_equal(list(&puppet)->count, TROUPE_TIMER_PAGE_MAX);
    lab_pass(&lab, 10);
    assert_int_equal(puppet.notes, 1);
    assert_int_equal(set(&puppet, "more", 1000, 0), 0); /* that name is free again */
    lab_pass(&lab, 1000);
    assert_int_equal(puppet.notes, TROUPE_TIMERS_PER_ACTOR_MAX + 1);
}

/* ---- lists ---- */

static int start_own(troupe_ctx *ctx, struct puppet *self)
{
    troupe_timer timers[4];
    uint64_t id;

    assert_int_equal(troupe_timer_list(ctx, timers, 4), 1);
    assert_string_equal(timers[0].name, "beat");
    assert_int_equal(troupe_timer_every(ctx, 30, TROUPE_EVERY_BURST, "tick", troupe_body_none(), &self->number), 0);
    assert_int_equal(troupe_exit_after(ctx, self->other->ref, 50, NULL, &id), 0);
    assert_int_equal(troupe_timer_list(ctx, timers, 1), 3); /* so many there are; one of them was written */
    return 0;
}

static void on_suspended(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->error, 0);
}

static int list_in_stop(troupe_ctx *ctx, struct puppet *self)
{
    troupe_timer timers[4];

    self->number = troupe_timer_list(ctx, timers, 4);
    return 0;
}

/* The end disposes of the mailbox, with the messages of timers in it; their entries were there until the actor was
 * gone, for stop() and for clients to list. */
static void test_a_list_of_an_actor_that_ends_does_not_show_timers_whose_messages_are_freed(void **state)
{
    PUPPET(puppet, 'p');
    static troupe_request suspended;
    static struct lab_request stopped;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(set(&puppet, "waits", 10, 10), 0);
    assert_int_equal(set(&puppet, "runs", 1000, 0), 0);
    troupe_request_suspend(lab.worker, &suspended, on_suspended, puppet.ref, true, 1000);
    lab_pass(&lab, 20);
    assert_int_equal(puppet.notes, 0); /* its message waits */
    puppet.on_stop = list_in_stop;
    lab_stop(&lab, puppet.ref, TROUPE_STOP, &stopped, 1000);
    lab_run(&lab);
    assert_int_equal(puppet.stops, 1);
    assert_int_equal(puppet.number, 1);
}

static void test_a_list_tells_what_each_timer_does(void **state)
{
    PUPPET(puppet, 'p');
    PUPPET(target, 't');

    (void)state;
    puppet.other = &target;
    lab_spawn(&lab, &puppet, NULL);
    lab_spawn(&lab, &target, NULL);
    assert_int_equal(set(&puppet, "beat", 20, 10), 0);
    lab_do(&lab, &puppet, start_own);
    const troupe_timer_page *page = list(&puppet);
    assert_int_equal(page->total, 3);
    assert_int_equal(page->count, 3);
    assert_int_equal(page->now_ms, lab.now_ns / 1000000);
    const troupe_timer *beat = &page->timers[0], *own = &page->timers[1], *end = &page->timers[2];
    assert_string_equal(beat->name, "beat");
    assert_string_equal(beat->type, "note");
    assert_int_equal(beat->due_ms, page->now_ms + 20);
    assert_int_equal(beat->period_ms, 10);
    assert_true(beat->from_outside);
    assert_int_equal(beat->what, TROUPE_TIMER_MESSAGE);
    assert_string_equal(own->name, "");
    assert_string_equal(own->type, "tick");
    assert_int_equal(own->id, puppet.number);
    assert_int_equal(own->missed, TROUPE_EVERY_BURST);
    assert_false(own->from_outside);
    assert_true(troupe_ref_equal(own->target, puppet.ref));
    assert_int_equal(end->what, TROUPE_TIMER_STOP);
    assert_true(troupe_ref_equal(end->target, target.ref));
    assert_int_equal(end->period_ms, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_exit_after_stops_the_other_when_the_time_has_come),
        TEST(test_kill_after_kills),
        TEST(test_a_cancelled_end_does_not_come),
        TEST(test_an_actor_may_set_its_own_end),
        TEST(test_an_end_of_nobody_or_too_far_ahead_is_refused),
        TEST(test_an_end_whose_target_is_gone_does_nothing),
        TEST(test_timers_that_outlived_their_actor),
        TEST(test_a_clients_timer_comes_as_a_cast),
        TEST(test_a_clients_timer_is_replaced_by_one_of_the_same_name),
        TEST(test_a_cancel_wins_against_a_message_that_waits),
        TEST(test_missed_ticks_of_a_clients_timer_do_not_come_in_a_burst),
        TEST(test_wrong_timers_are_refused),
        TEST(test_timers_have_their_limits),
        TEST(test_a_list_of_an_actor_that_ends_does_not_show_timers_whose_messages_are_freed),
        TEST(test_a_list_tells_what_each_timer_does),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
