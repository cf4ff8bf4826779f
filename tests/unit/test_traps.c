/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong in other actor systems, each test named after the symptom. A number is the thread in the repository
 * of slawlor/ractor. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;

/* ---- a kill looked like a normal end ---- */

static int spawn_transient(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.restart = TROUPE_TRANSIENT});
}

static void test_a_killed_transient_child_is_started_again(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &parent, NULL);
    parent.other = &child;
    lab_do(&lab, &parent, spawn_transient);
    troupe_ref first = child.ref;
    lab_stop(&lab, first, TROUPE_KILL, &done, 100);
    lab_run(&lab);
    assert_true(done.done);
    assert_int_equal(child.exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(child.stops, 0); /* a killed actor has no last words */
    assert_int_equal(child.finis, 1);
    assert_int_equal(child.inits, 2);
    assert_false(troupe_ref_equal(first, child.ref));
    assert_int_equal(parent.restarting, 1);
    assert_int_equal(parent.child.what, TROUPE_CHILD_STARTED);
}

/* ---- a name was freed before the stop hook, and once more after it (#411) ---- */

static int look_for_own_name(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;

    if (troupe_whereis(ctx, troupe_view_of("hits"), &ref) == 0 && troupe_ref_equal(ref, self->ref))
        self->number++;
    return 0;
}

static void test_a_name_is_still_held_in_the_stop_hook(void **state)
{
    PUPPET(holder, 'h');
    static struct lab_request done;

    (void)state;
    holder.on_stop = look_for_own_name;
    lab_spawn(&lab, &holder, &(troupe_spawn_opts){.name = troupe_view_of("hits")});
    lab_stop(&lab, holder.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    assert_int_equal(holder.stops, 1);
    assert_int_equal(holder.number, 1);
    assert_false(lab_holds(&lab, "hits", &holder));
}

static void test_the_end_of_a_former_holder_does_not_erase_the_successors_name(void **state)
{
    PUPPET(first, 'a');
    PUPPET(second, 'b');
    PUPPET(third, 'c');
    troupe_spawn_opts hits = {.name = troupe_view_of("hits")};
    static struct lab_request done, refused;

    (void)state;
    lab_spawn(&lab, &first, &hits);
    lab_stop(&lab, first.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    lab_spawn(&lab, &second, &hits);
    lab_stop(&lab, first.ref, TROUPE_STOP, &done, 100); /* once more */
    lab_stop(&lab, first.ref, TROUPE_KILL, &done, 100);
    lab_pass(&lab, 1000);
    assert_true(lab_holds(&lab, "hits", &second));
    lab_spawn_later(&lab, &third, &hits, &refused);
    lab_run(&lab);
    assert_int_equal(refused.error, TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(refused.ref, second.ref));
    assert_int_equal(third.inits, 0);
}

/* ---- monitoring a dead actor was silent for ever ---- */

static void test_monitoring_a_dead_actor_gives_one_down(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(dead, 'd');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &dead, NULL);
    lab_stop(&lab, dead.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    watcher.other = &dead;
    lab_do(&lab, &watcher, puppet_monitor_other);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.down.exit.cause, TROUPE_EXIT_NOPROC);
    assert_int_equal(watcher.down.monitor, watcher.number);
    assert_true(troupe_ref_equal(watcher.down.ref, dead.ref));
    lab_pass(&lab, 10000);
    assert_int_equal(watcher.downs, 1);
}

/* ---- a call whose callee or handle was gone never answered ---- */

static int forget(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return 0;
}

static void test_a_call_to_a_dead_actor_is_answered(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(dead, 'd');
    static struct lab_request done, call;

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &dead, NULL);
    lab_stop(&lab, dead.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    lab_ask(&lab, &dead, &call, 1000);
    lab_run(&lab);
    assert_int_equal(call.times, 1);
    assert_int_equal(call.error, TROUPE_E_GONE);
}

static void test_a_call_without_a_reply_is_answered_at_once(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = forget;
    lab_do(&lab, &caller, puppet_ask_other);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, TROUPE_E_NO_REPLY);
}

static void test_a_call_whose_kept_handle_is_lost_with_its_keeper_is_answered(void **state)
{
    static const struct {
        enum troupe_stop_mode mode;
        int error;
    } cases[] = {{TROUPE_STOP, TROUPE_E_ENDED}, {TROUPE_KILL, TROUPE_E_KILLED}};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        static struct puppet callers[2], callees[2];
        struct puppet *caller = &callers[i], *callee = &callees[i];
        static struct lab_request done;
        caller->letter = 'a';
        callee->letter = 'b';
        lab_spawn(&lab, caller, NULL);
        lab_spawn(&lab, callee, NULL);
        caller->other = callee;
        callee->on_ask = puppet_keep;
        lab_do(&lab, caller, puppet_ask_other);
        assert_int_equal(caller->replies, 0);
        lab_stop(&lab, callee->ref, cases[i].mode, &done, 100);
        lab_run(&lab); /* no time passes: it is no timeout */
        assert_int_equal(caller->replies, 1);
        assert_int_equal(caller->status, cases[i].error);
    }
}

/* A drain finishes what was accepted: it waits for a kept call, though not beyond the caller's deadline. */
static void test_a_drain_waits_for_a_kept_call_but_not_for_ever(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    caller.other = &callee;
    callee.on_ask = puppet_keep;
    lab_do(&lab, &caller, puppet_ask_other);
    lab_stop(&lab, callee.ref, TROUPE_DRAIN, &done, 5000);
    lab_pass(&lab, 990);
    assert_int_equal(lab_state(&lab, &callee), TROUPE_STATE_DRAINING);
    assert_int_equal(caller.replies, 0);
    lab_pass(&lab, 20);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, TROUPE_E_TIMEOUT);
    assert_int_equal(callee.exit.cause, TROUPE_EXIT_DRAINED);
    assert_int_equal(done.error, 0);
}

/* ---- waiting for an end twice hung the second time ---- */

static void test_waiting_for_an_end_twice_answers_both(void **state)
{
    PUPPET(target, 't');
    static struct lab_request first, second, late;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    lab_stop(&lab, target.ref, TROUPE_STOP, &first, 1000);
    lab_stop(&lab, target.ref, TROUPE_STOP, &second, 1000);
    lab_run(&lab);
    assert_int_equal(first.times, 1);
    assert_int_equal(first.error, 0);
    assert_int_equal(second.times, 1);
    assert_int_equal(second.error, 0);
    lab_stop(&lab, target.ref, TROUPE_STOP, &late, 1000);
    lab_run(&lab);
    assert_int_equal(late.times, 1);
    assert_true(late.error == 0 || late.error == TROUPE_E_GONE);
}

/* ---- drain: an accepted message landed behind the marker; the status went back (#447) ---- */

static void test_drain_handles_all_that_was_accepted_and_nothing_later(void **state)
{
    PUPPET(target, 't');
    static struct lab_request done;
    unsigned accepted = 0;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    for (unsigned i = 0; i < 200; i++)
        accepted += lab_note(&lab, &target) == 0;
    lab_stop(&lab, target.ref, TROUPE_DRAIN, &done, 100);
    for (unsigned i = 0; i < 200; i++)
        accepted += lab_note(&lab, &target) == 0;
    enum troupe_actor_state last = 0;
    for (unsigned polls = 0; !done.done && polls < 100; polls++) {
        accepted += lab_note(&lab, &target) == 0;
        assert_true(lab_state(&lab, &target) >= last);
        last = lab_state(&lab, &target);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
    }
    assert_true(done.done);
    assert_int_equal(done.error, 0);
    assert_int_equal(target.exit.cause, TROUPE_EXIT_DRAINED);
    assert_true(accepted >= 200);
    assert_int_equal(target.notes, accepted);
    assert_int_equal(target.stops, 1);
}

/* ---- a flood of supervision events starved messages ---- */

#define FLOOD 400u
static struct lab_request infos[FLOOD];

static int count_answered(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    for (unsigned i = 0; i < FLOOD; i++)
        self->number += infos[i].done;
    return 0;
}

static void test_a_flood_in_the_system_lane_does_not_starve_messages(void **state)
{
    PUPPET(target, 't');

    (void)state;
    target.on_note = count_answered;
    lab_spawn(&lab, &target, NULL);
    for (unsigned i = 0; i < FLOOD; i++)
        lab_info(&lab, &target, &infos[i]);
    assert_int_equal(lab_note(&lab, &target), 0);
    lab_run(&lab);
    assert_int_equal(target.notes, 1);
    assert_true(target.number <= TROUPE_TURN_SYSTEM_MAX); /* no more of the flood came before it */
    for (unsigned i = 0; i < FLOOD; i++)
        assert_int_equal(infos[i].times, 1);
}

/* ---- timers outlived their actor; missed ticks came in a burst ---- */

static int start_timers(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t timer;
    int rc = troupe_timer_after(ctx, 50, "note", troupe_body_none(), &timer);

    (void)self;
    return rc ? rc : troupe_timer_every(ctx, 10, TROUPE_EVERY_SKIP, "note", troupe_body_none(), &timer);
}

static int start_bursting_timer(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_timer_every(ctx, 10, TROUPE_EVERY_BURST, "note", troupe_body_none(), &self->number);
}

static void test_timers_end_with_their_actor(void **state)
{
    PUPPET(owner, 'o');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &owner, NULL);
    lab_do(&lab, &owner, start_timers);
    lab_stop(&lab, owner.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    uint64_t dead_letters = lab.dead_letters;
    assert_int_equal(troupe_worker_poll(lab.worker, lab.now_ns, 8), TROUPE_NEVER); /* nothing is armed any more */
    lab_pass(&lab, 1000);
    assert_int_equal(owner.timers, 0);
    assert_int_equal(lab.dead_letters, dead_letters);
}

static void test_missed_ticks_are_skipped_unless_a_burst_was_asked_for(void **state)
{
    PUPPET(skipping, 's');
    PUPPET(bursting, 'b');

    (void)state;
    lab_spawn(&lab, &skipping, NULL);
    lab_spawn(&lab, &bursting, NULL);
    lab_do(&lab, &skipping, start_timers);
    lab_do(&lab, &bursting, start_bursting_timer);
    lab.now_ns += 105 * UINT64_C(1000000); /* the node was away for ten periods */
    lab_run(&lab);
    assert_in_range(skipping.timers, 2, 3); /* the one-shot and a tick, not ten */
    assert_int_equal(bursting.timers, 10);
    unsigned before = skipping.timers;
    lab_pass(&lab, 100);
    assert_in_range(skipping.timers, before + 9, before + 11); /* and then it goes on at its period */
    assert_in_range(bursting.timers, 19, 21);
}

/* ---- a child waiting in backoff could not be cancelled; a fixed sleep stood in for the end of siblings ---- */

static int spawn_with_backoff(troupe_ctx *ctx, struct puppet *self)
{
    troupe_spawn_opts opts = {.restart = TROUPE_PERMANENT, .backoff_min_ms = 60000, .backoff_max_ms = 60000};

    return puppet_spawn(ctx, self, self->other, &opts);
}

static void test_a_parent_ends_at_once_while_a_child_waits_in_backoff(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &parent, NULL);
    parent.other = &child;
    lab_do(&lab, &parent, spawn_with_backoff);
    lab_do(&lab, &child, puppet_fail);
    assert_int_equal(child.ends, 1);
    assert_int_equal(parent.restarting, 1);
    lab_stop(&lab, parent.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab); /* no time passes */
    assert_true(done.done);
    assert_int_equal(done.error, 0);
    lab_pass(&lab, 120000);
    assert_int_equal(child.inits, 1);
}

/* ---- shedding dropped what had been reported as accepted; limit 0 meant unlimited ---- */

static void test_a_shed_call_is_told_to_its_caller(void **state)
{
    PUPPET(target, 't');
    static struct lab_request calls[12];
    unsigned shed = 0, replied = 0;

    (void)state;
    lab_spawn(&lab, &target, &(troupe_spawn_opts){.mailbox_messages_max = 4, .mailbox_policy = TROUPE_DROP_OLDEST});
    for (unsigned i = 0; i < 12; i++)
        lab_ask(&lab, &target, &calls[i], 1000);
    lab_run(&lab);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(calls[i].times, 1);
        shed += calls[i].error == TROUPE_E_SHED || calls[i].error == TROUPE_E_FULL;
        replied += calls[i].error == 0;
    }
    assert_int_equal(shed + replied, 12);
    assert_int_equal(replied, 4);
    assert_int_equal(target.asks, 4);
}

static void test_a_mailbox_limit_of_zero_is_the_default_not_unlimited(void **state)
{
    PUPPET(target, 't');
    troupe_peek peek;
    unsigned accepted = 0;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    assert_int_equal(troupe_system_peek(lab.system, target.ref, &peek), 0);
    assert_int_equal(peek.mailbox_messages_max, TROUPE_MAILBOX_MESSAGES_DEFAULT);
    assert_int_equal(peek.mailbox_bytes_max, TROUPE_MAILBOX_BYTES_DEFAULT);
    while (accepted <= TROUPE_MAILBOX_MESSAGES_DEFAULT && lab_note(&lab, &target) == 0)
        accepted++;
    assert_int_equal(accepted, TROUPE_MAILBOX_MESSAGES_DEFAULT);
    assert_int_equal(lab_note(&lab, &target), TROUPE_E_FULL);
    lab_run(&lab);
    assert_int_equal(target.notes, accepted);
}

/* ---- children were killed with their parent, in no order (#398, #278) ---- */

static int spawn_three(troupe_ctx *ctx, struct puppet *self)
{
    for (struct puppet *child = self->other; child != NULL; child = child->other) {
        int rc = puppet_spawn(ctx, self, child, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

static void test_children_end_orderly_and_in_reverse_order(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(a, 'a');
    PUPPET(b, 'b');
    PUPPET(c, 'c');
    static struct lab_request done;

    (void)state;
    parent.other = &a;
    a.other = &b;
    b.other = &c;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_three);
    lab.log[0] = '\0';
    lab_stop(&lab, parent.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    assert_true(done.done);
    assert_int_equal(a.exit.cause, TROUPE_EXIT_SHUTDOWN);
    assert_int_equal(c.exit.cause, TROUPE_EXIT_SHUTDOWN);
    /* Each has its stop hook and is gone before its elder sibling begins to end. */
    const char *last = strstr(lab.log, "cs"), *middle = strstr(lab.log, "bs"), *first = strstr(lab.log, "as");
    assert_non_null(last);
    assert_non_null(middle);
    assert_non_null(first);
    assert_true(last < strstr(lab.log, "cx") && strstr(lab.log, "cx") < middle);
    assert_true(middle < strstr(lab.log, "bx") && strstr(lab.log, "bx") < first);
    assert_true(strstr(lab.log, "ax") < strstr(lab.log, "px"));
}

/* ---- a stale or reused address reached the wrong one ---- */

static void test_a_kill_that_comes_late_does_not_hit_the_successor_in_the_slot(void **state)
{
    PUPPET(actor, 'a');

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    struct actor *slot = slots_at(&lab.system->slots, actor.ref.slot);
    assert_int_equal(actor_generation(slot), actor.ref.generation);
    troupe__worker_raise(lab.worker, slot, actor.ref.generation - 1, SIGNAL_KILL); /* meant for who was here before */
    lab_run(&lab);
    assert_true(lab_is_alive(&lab, &actor));
    assert_int_equal(lab_note(&lab, &actor), 0);
    lab_run(&lab);
    assert_int_equal(actor.notes, 1);
}

static void test_a_message_for_a_former_actor_does_not_reach_the_successor_in_the_slot(void **state)
{
    PUPPET(former, 'f');
    PUPPET(successor, 's');
    static struct lab_request done, call;

    (void)state;
    lab_spawn(&lab, &former, NULL);
    lab_stop(&lab, former.ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    for (unsigned i = 0; i < 200 && (successor.ref.slot != former.ref.slot); i++) { /* slots come back oldest first */
        if (successor.ref.generation != 0) {
            lab_stop(&lab, successor.ref, TROUPE_STOP, &done, 100);
            lab_run(&lab);
        }
        lab_spawn(&lab, &successor, NULL);
    }
    assert_int_equal(successor.ref.slot, former.ref.slot);
    assert_true(successor.ref.generation > former.ref.generation);
    assert_int_equal(lab_note(&lab, &former), TROUPE_E_GONE);
    lab_ask(&lab, &former, &call, 100);
    lab_stop(&lab, former.ref, TROUPE_KILL, &done, 100);
    lab_run(&lab);
    assert_int_equal(call.error, TROUPE_E_GONE);
    assert_true(lab_is_alive(&lab, &successor));
    assert_int_equal(successor.notes + successor.asks, 0);
}

/* ---- and a rule of our own: what was said before the end arrives before the end ---- */

static int reply_and_stop(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_reply(ctx, troupe_body_of(self->msg));

    troupe_stop_self(ctx, "");
    return rc;
}

static int monitor_and_ask(troupe_ctx *ctx, struct puppet *self)
{
    int rc = puppet_monitor_other(ctx, self);

    return rc ? rc : puppet_ask_other(ctx, self);
}

static void test_replied_then_stopped_is_a_reply_and_then_a_down(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(callee, 'b');

    (void)state;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &callee, NULL);
    callee.on_ask = reply_and_stop;
    caller.other = &callee;
    lab_do(&lab, &caller, monitor_and_ask);
    assert_int_equal(caller.replies, 1);
    assert_int_equal(caller.status, 0);
    assert_int_equal(caller.downs, 1);
    assert_int_equal(caller.down.exit.cause, TROUPE_EXIT_NORMAL);
    assert_true(strstr(lab.log, "ar") < strstr(lab.log, "ad"));
}

/* ---- a subscriber that lagged by more than 10 items was unsubscribed silently (#225) ---- */

static int publish_many(troupe_ctx *ctx, struct puppet *self)
{
    for (uint64_t i = 0; i < self->number; i++)
        assert_int_equal(troupe_publish(ctx, "item", troupe_body_none()), 0);
    return 0;
}

static void test_a_subscriber_that_lags_is_not_unsubscribed_silently(void **state)
{
    PUPPET(source, 's');
    troupe_subscription slow = {0};
    troupe_event event;
    uint64_t seen = 0, missed = 0;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    assert_int_equal(troupe_subscribe(lab.worker, &slow, source.ref, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    source.number = 5000;
    lab_do(&lab, &source, publish_many);
    for (; troupe_subscription_read(&slow, &event) == 1; seen++)
        missed += event.lagged;
    assert_int_equal(seen, TROUPE_TOPIC_EVENTS_MAX);
    assert_int_equal(seen + missed, 5000); /* it knows what it does not know */
    source.number = 1;
    lab_do(&lab, &source, publish_many);
    assert_int_equal(troupe_subscription_read(&slow, &event), 1); /* and is still there */
    assert_int_equal(event.id.seq, 5001);
    assert_int_equal(event.lagged, 0);
    troupe_unsubscribe(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_a_killed_transient_child_is_started_again),
        LAB_TEST(test_a_name_is_still_held_in_the_stop_hook),
        LAB_TEST(test_the_end_of_a_former_holder_does_not_erase_the_successors_name),
        LAB_TEST(test_monitoring_a_dead_actor_gives_one_down),
        LAB_TEST(test_a_call_to_a_dead_actor_is_answered),
        LAB_TEST(test_a_call_without_a_reply_is_answered_at_once),
        LAB_TEST(test_a_call_whose_kept_handle_is_lost_with_its_keeper_is_answered),
        LAB_TEST(test_a_drain_waits_for_a_kept_call_but_not_for_ever),
        LAB_TEST(test_waiting_for_an_end_twice_answers_both),
        LAB_TEST(test_drain_handles_all_that_was_accepted_and_nothing_later),
        LAB_TEST(test_a_flood_in_the_system_lane_does_not_starve_messages),
        LAB_TEST(test_timers_end_with_their_actor),
        LAB_TEST(test_missed_ticks_are_skipped_unless_a_burst_was_asked_for),
        LAB_TEST(test_a_parent_ends_at_once_while_a_child_waits_in_backoff),
        LAB_TEST(test_a_shed_call_is_told_to_its_caller),
        LAB_TEST(test_a_mailbox_limit_of_zero_is_the_default_not_unlimited),
        LAB_TEST(test_children_end_orderly_and_in_reverse_order),
        LAB_TEST(test_a_kill_that_comes_late_does_not_hit_the_successor_in_the_slot),
        LAB_TEST(test_a_message_for_a_former_actor_does_not_reach_the_successor_in_the_slot),
        LAB_TEST(test_replied_then_stopped_is_a_reply_and_then_a_down),
        LAB_TEST(test_a_subscriber_that_lags_is_not_unsubscribed_silently),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
