/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an actor: start, the three ways to end it, what runs and what does not, links and monitors. */
#include "lib/lab.h"

static struct lab lab;

static void stop(struct puppet *puppet, enum troupe_stop_mode mode)
{
    static struct lab_request done;

    lab_stop(&lab, puppet->ref, mode, &done, 1000);
    lab_run(&lab);
    assert_int_equal(done.times, 1);
    assert_int_equal(done.error, 0);
}

/* ---- start ---- */

static void test_an_actor_that_is_stopped_before_its_init_runs_nothing(void **state)
{
    static const enum troupe_stop_mode modes[] = {TROUPE_STOP, TROUPE_KILL};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        static struct puppet actors[2];
        static struct lab_request spawned, stopped;
        troupe_ref ref;
        actors[i] = (struct puppet){.letter = 'a'};
        lab_spawn_later(&lab, &actors[i], &(troupe_spawn_opts){.name = troupe_view_of("early")}, &spawned);
        assert_int_equal(troupe_system_whereis(lab.system, troupe_view_of("early"), &ref), 0); /* known at once */
        lab_stop(&lab, ref, modes[i], &stopped, 1000);
        lab_run(&lab);
        assert_int_equal(stopped.error, 0);
        assert_int_equal(spawned.times, 1);
        assert_int_not_equal(spawned.error, 0);
        assert_int_equal(actors[i].inits + actors[i].stops, 0);
        assert_int_equal(troupe_system_whereis(lab.system, troupe_view_of("early"), &ref), TROUPE_E_NOT_FOUND);
    }
}

static int stay_starting(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_timer_after(ctx, 20, "note", troupe_body_none(), &self->number) ? TROUPE_E_INTERNAL : TROUPE_STARTING;
}

static int end_start(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_started(ctx, self->status), 0);
    assert_int_equal(troupe_started(ctx, 0), TROUPE_E_STATE);
    return 0;
}

static void test_messages_wait_until_an_open_start_ends(void **state)
{
    static struct lab_request spawned;
    PUPPET(actor, 'a');

    (void)state;
    actor.on_init = stay_starting;
    actor.on_timer = end_start;
    lab_spawn_later(&lab, &actor, NULL, &spawned);
    lab_run(&lab);
    assert_int_equal(lab_state(&lab, &actor), TROUPE_STATE_STARTING);
    assert_int_equal(lab_note(&lab, &actor), 0);
    lab_pass(&lab, 10);
    assert_false(spawned.done);
    assert_int_equal(actor.notes, 0);
    lab_pass(&lab, 12);
    assert_int_equal(spawned.times, 1);
    assert_int_equal(spawned.error, 0);
    assert_int_equal(lab_state(&lab, &actor), TROUPE_STATE_RUNNING);
    assert_int_equal(actor.notes, 1);
}

static void test_an_open_start_can_be_given_up(void **state)
{
    static struct lab_request spawned, call;
    PUPPET(actor, 'a');

    (void)state;
    actor.on_init = stay_starting;
    actor.on_timer = end_start;
    actor.status = TROUPE_E_LIMIT;
    lab_spawn_later(&lab, &actor, NULL, &spawned);
    lab_run(&lab);
    lab_ask(&lab, &actor, &call, 1000);
    lab_pass(&lab, 25);
    assert_int_equal(spawned.error, TROUPE_E_LIMIT); /* the behavior's own 4xx */
    assert_int_equal(call.times, 1);
    assert_int_equal(call.error, TROUPE_E_STOPPED);
    assert_int_equal(actor.exit.cause, TROUPE_EXIT_NOT_STARTED);
    assert_int_equal(actor.stops, 0);
    assert_int_equal(actor.finis, 1);
}

/* ---- end ---- */

static void test_what_waits_in_the_mailbox_is_answered_at_the_end(void **state)
{
    static const struct {
        enum troupe_stop_mode mode;
        int error;
        unsigned asks, stops;
        enum troupe_exit_cause cause;
    } cases[] = {
        {TROUPE_STOP, TROUPE_E_STOPPED, 0, 1, TROUPE_EXIT_STOPPED},
        {TROUPE_DRAIN, 0, 3, 1, TROUPE_EXIT_DRAINED},
        {TROUPE_KILL, TROUPE_E_KILLED, 0, 0, TROUPE_EXIT_KILLED},
    };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        static struct puppet actors[3];
        static struct lab_request calls[3];
        actors[i] = (struct puppet){.letter = 'a'};
        lab_spawn(&lab, &actors[i], NULL);
        for (unsigned k = 0; k < 3; k++)
            lab_ask(&lab, &actors[i], &calls[k], 1000);
        stop(&actors[i], cases[i].mode);
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(calls[k].times, 1);
            assert_int_equal(calls[k].error, cases[i].error);
        }
        assert_int_equal(actors[i].asks, cases[i].asks);
        assert_int_equal(actors[i].stops, cases[i].stops);
        assert_int_equal(actors[i].finis, 1);
        assert_int_equal(actors[i].exit.cause, cases[i].cause);
        assert_int_equal(lab_note(&lab, &actors[i]), TROUPE_E_GONE);
    }
}

static int kill_myself(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t id;

    assert_int_equal(troupe_stop(ctx, self->ref, TROUPE_KILL, "enough"), 0);
    assert_int_equal(troupe_cast(ctx, self->other->ref, "note", troupe_body_none()), TROUPE_E_KILLED);
    assert_int_equal(troupe_monitor(ctx, self->other->ref, &id), TROUPE_E_KILLED);
    assert_int_equal(troupe_link(ctx, self->other->ref), TROUPE_E_KILLED);
    assert_int_equal(troupe_name_register(ctx, troupe_view_of("x")), TROUPE_E_KILLED);
    assert_int_equal(troupe_timer_after(ctx, 1, "note", troupe_body_none(), &id), TROUPE_E_KILLED);
    assert_int_equal(troupe_stop(ctx, self->other->ref, TROUPE_STOP, ""), TROUPE_E_KILLED);
    return TROUPE_E_INTERNAL; /* the kill is the cause all the same */
}

static void test_a_killed_context_does_nothing_more(void **state)
{
    PUPPET(actor, 'a');
    PUPPET(other, 'o');

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    lab_spawn(&lab, &other, NULL);
    actor.other = &other;
    assert_int_equal(lab_do_later(&lab, &actor, kill_myself), 0);
    assert_int_equal(lab_note(&lab, &actor), 0);
    lab_run(&lab);
    assert_int_equal(actor.notes, 0);
    assert_int_equal(actor.stops, 0);
    assert_int_equal(actor.finis, 1);
    assert_int_equal(actor.exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(other.notes, 0);
    assert_true(lab_is_alive(&lab, &other));
}

/* What is asked of a context that is revoked, all of it in one turn, which is that of a call. */
static int try_everything_after_a_kill(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_body none = troupe_body_none();
    const troupe_supervision how = {.strategy = TROUPE_ONE_FOR_ALL};
    troupe_ref other = self->other->ref, ref;
    troupe_group_counts counts;
    troupe_handle handle;
    uint64_t id;
    char event_id[TROUPE_EVENT_ID_TEXT_MAX];

    assert_int_equal(troupe_stop(ctx, self->ref, TROUPE_KILL, "enough"), 0);
    const int results[] = {
        troupe_call(ctx, other, "ask", none, 0, NULL, 0),
        troupe_call_wait(ctx, other, "ask", none, 0, NULL, 0),
        troupe_pause(ctx, 1, NULL, 0),
        troupe_probe(ctx, other, 1, NULL, 0),
        troupe_reply(ctx, none),
        troupe_reply_error(ctx, TROUPE_E_LIMIT, ""),
        troupe_reply_app_error(ctx, "x", 409, ""),
        troupe_reply_keep(ctx, &handle),
        troupe_reply_to(ctx, (troupe_handle){0, 0}, none),
        troupe_postpone(ctx),
        puppet_spawn(ctx, self, self->other, NULL),
        troupe_started(ctx, 0),
        troupe_supervise(ctx, &how),
        troupe_child_terminate(ctx, 1),
        troupe_child_restart(ctx, 1, &ref),
        troupe_child_delete(ctx, 1),
        troupe_demonitor(ctx, 1),
        troupe_unlink(ctx, other),
        troupe_name_release(ctx, troupe_view_of("x")),
        troupe_timer_at(ctx, 1, "note", none, &id),
        troupe_timer_every(ctx, 1, TROUPE_EVERY_SKIP, "note", none, &id),
        troupe_timer_cancel(ctx, 1),
        troupe_exit_after(ctx, other, 0, "", &id),
        troupe_kill_after(ctx, other, 0, &id),
        troupe_publish(ctx, "news", none),
        troupe_publish_id(ctx, "news", none, event_id),
        troupe_follow(ctx, other, NULL, TROUPE_FROM_NOW, (troupe_event_id){0, 0}, &id),
        troupe_unfollow(ctx, 1),
        troupe_group_join(ctx, NULL, "room"),
        troupe_group_leave(ctx, NULL, "room"),
        troupe_group_add(ctx, NULL, "room", other),
        troupe_group_remove(ctx, NULL, "room", other),
        troupe_group_watch(ctx, NULL, "room", &id),
        troupe_group_unwatch(ctx, 1),
        troupe_group_cast(ctx, NULL, "room", "note", none, &counts),
        troupe_group_call(ctx, NULL, "room", "note", none, 0, NULL, NULL, 0),
    };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (results[i] != TROUPE_E_KILLED)
            fail_msg("number %zu returned %d", i, results[i]);
    return 0;
}

static void test_a_killed_context_refuses_everything(void **state)
{
    PUPPET(actor, 'a');
    PUPPET(other, 'o');
    static struct lab_request asked;

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    lab_spawn(&lab, &other, NULL);
    actor.other = &other;
    actor.on_ask = try_everything_after_a_kill;
    lab_ask(&lab, &actor, &asked, 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    assert_int_equal(asked.error, TROUPE_E_KILLED);
    assert_int_equal(actor.exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(other.inits, 1);
}

static int kill_self_on_timer(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_stop(ctx, self->ref, TROUPE_KILL, "");
}

static int two_timers(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_timer_after(ctx, 10, "note", troupe_body_none(), &self->number);

    return rc ? rc : troupe_timer_after(ctx, 10, "note", troupe_body_none(), &self->number);
}

static int kill_self_on_down(troupe_ctx *ctx, struct puppet *self) { return kill_self_on_timer(ctx, self); }

/* A kill from within a hook, not from a message: the next message must not be handled either. */
static void test_nothing_follows_a_kill_from_a_hook(void **state)
{
    PUPPET(actor, 'a');
    PUPPET(watcher, 'w');
    PUPPET(other, 'o');

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    actor.on_timer = kill_self_on_timer;
    lab_do(&lab, &actor, two_timers);
    lab_pass(&lab, 8);
    lab.now_ns += 5 * UINT64_C(1000000);
    assert_int_equal(lab_note(&lab, &actor), 0);
    lab_run(&lab);
    assert_int_equal(actor.timers, 1);

    lab_spawn(&lab, &other, NULL);
    lab_spawn(&lab, &watcher, NULL);
    watcher.other = &other;
    watcher.on_down = kill_self_on_down;
    lab_do(&lab, &watcher, puppet_monitor_other);
    static struct lab_request done;
    lab_stop(&lab, other.ref, TROUPE_STOP, &done, 100);
    assert_int_equal(lab_note(&lab, &watcher), 0);
    lab_run(&lab);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(lab_note(&lab, &watcher), TROUPE_E_GONE);
    assert_int_equal(watcher.exit.cause, TROUPE_EXIT_KILLED);
}

static int spawn_and_monitor(troupe_ctx *ctx, struct puppet *self)
{
    int rc = puppet_spawn_other(ctx, self);

    return rc ? rc : puppet_monitor_other(ctx, self);
}

/* The down of a child reaches a parent that is ending and waits for that child: it is dropped, and its memory returned
 * (the tear-down counts). */
static void test_a_down_for_an_ending_parent_is_dropped(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');

    (void)state;
    parent.other = &child;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_and_monitor);
    stop(&parent, TROUPE_STOP);
    assert_int_equal(child.ends, 1);
    assert_int_equal(parent.downs, 0);
    assert_int_equal(parent.stops, 1);
}

static void test_states_follow_each_other_and_end_at_stopped(void **state)
{
    PUPPET(actor, 'a');
    troupe_peek peek;

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    assert_int_equal(lab_state(&lab, &actor), TROUPE_STATE_RUNNING);
    actor.on_ask = puppet_keep;
    static struct lab_request call, done;
    lab_ask(&lab, &actor, &call, 500);
    lab_run(&lab);
    lab_stop(&lab, actor.ref, TROUPE_DRAIN, &done, 1000);
    lab_run(&lab);
    assert_int_equal(lab_state(&lab, &actor), TROUPE_STATE_DRAINING);
    assert_int_equal(lab_note(&lab, &actor), TROUPE_E_DRAINING);
    lab_pass(&lab, 502);
    assert_int_equal(troupe_system_peek(lab.system, actor.ref, &peek), TROUPE_E_GONE);
    assert_string_equal(troupe_actor_state_word(TROUPE_STATE_DRAINING), "draining");
    assert_string_equal(troupe_exit_word(TROUPE_EXIT_DRAINED), "drained");
}

/* ---- links ---- */

static int unlink_other(troupe_ctx *ctx, struct puppet *self) { return troupe_unlink(ctx, self->other->ref); }

static void start_pair(struct puppet *a, struct puppet *b, const char *behavior)
{
    *a = (struct puppet){.letter = 'a', .other = b};
    *b = (struct puppet){.letter = 'b', .other = a};
    lab_spawn(&lab, a, &(troupe_spawn_opts){.behavior = behavior});
    lab_spawn(&lab, b, NULL);
    lab_do(&lab, a, puppet_link_other);
}

static void test_an_abnormal_end_ends_the_other_and_a_normal_one_does_not(void **state)
{
    static struct puppet pairs[4][2];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct puppet *a = &pairs[i][0], *b = &pairs[i][1];
        bool fails = i % 2 == 0, a_ends = i < 2; /* either way round */
        start_pair(a, b, NULL);
        lab_do(&lab, a_ends ? a : b, fails ? puppet_fail : puppet_end);
        struct puppet *other = a_ends ? b : a;
        assert_int_equal(lab_is_alive(&lab, other), !fails);
        if (fails)
            assert_int_equal(other->exit.cause, TROUPE_EXIT_LINKED);
    }
}

static void test_one_that_traps_is_told_of_the_end_instead(void **state)
{
    static struct puppet a, b;

    (void)state;
    start_pair(&a, &b, "trap");
    lab_do(&lab, &b, puppet_fail);
    assert_true(lab_is_alive(&lab, &a));
    assert_int_equal(a.downs, 1);
    assert_int_equal(a.down.monitor, 0);
    assert_int_equal(a.down.exit.cause, TROUPE_EXIT_FAILED);
    assert_int_equal(a.down.exit.error, TROUPE_E_INTERNAL);
}

static void test_after_unlink_each_ends_alone(void **state)
{
    static struct puppet a, b;

    (void)state;
    start_pair(&a, &b, NULL);
    lab_do(&lab, &b, unlink_other); /* by the one who did not make it */
    lab_do(&lab, &a, puppet_fail);
    assert_true(lab_is_alive(&lab, &b));
}

static void test_a_link_to_a_dead_actor_ends_the_linker(void **state)
{
    PUPPET(a, 'a');
    PUPPET(dead, 'd');

    (void)state;
    lab_spawn(&lab, &a, NULL);
    lab_spawn(&lab, &dead, NULL);
    stop(&dead, TROUPE_STOP);
    a.other = &dead;
    lab_do(&lab, &a, puppet_link_other);
    assert_int_equal(a.exit.cause, TROUPE_EXIT_LINKED);
}

/* ---- monitors ---- */

static int demonitor(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_demonitor(ctx, self->number);
    return 0;
}

static void test_each_monitor_gives_one_down_with_the_cause(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(target, 't');

    (void)state;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &target, NULL);
    watcher.other = &target;
    lab_do(&lab, &watcher, puppet_monitor_other);
    lab_do(&lab, &watcher, puppet_monitor_other); /* two monitors are two */
    stop(&target, TROUPE_KILL);
    assert_int_equal(watcher.downs, 2);
    assert_int_equal(watcher.down.exit.cause, TROUPE_EXIT_KILLED);
}

static void test_no_down_comes_after_demonitor_not_even_a_queued_one(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(target, 't');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &target, NULL);
    watcher.other = &target;
    lab_do(&lab, &watcher, puppet_monitor_other);
    lab_stop(&lab, target.ref, TROUPE_STOP, &done, 100);          /* the target is queued first, */
    assert_int_equal(lab_do_later(&lab, &watcher, demonitor), 0); /* its down comes behind this message */
    lab_run(&lab);
    assert_int_equal(target.ends, 1);
    assert_int_equal(watcher.status, 0);
    assert_int_equal(watcher.downs, 0);
    lab_do(&lab, &watcher, demonitor);
    assert_int_equal(watcher.status, TROUPE_E_NOT_FOUND);
}

/* ---- writable ---- */

static int fill_other(troupe_ctx *ctx, struct puppet *self)
{
    int rc = 0;

    while (rc == 0)
        rc = troupe_cast(ctx, self->other->ref, "note", troupe_body_none());
    assert_int_equal(rc, TROUPE_E_FULL);
    assert_int_equal(troupe_cast(ctx, self->other->ref, "note", troupe_body_none()), TROUPE_E_FULL);
    return 0;
}

static void test_who_was_refused_is_told_once_when_there_is_room(void **state)
{
    PUPPET(sender, 's');
    PUPPET(target, 't');

    (void)state;
    lab_spawn(&lab, &sender, NULL);
    lab_spawn(&lab, &target, &(troupe_spawn_opts){.mailbox_messages_max = 8});
    sender.other = &target;
    lab_do(&lab, &sender, fill_other);
    assert_int_equal(target.notes, 8);
    assert_int_equal(sender.writables, 1);
}

/* ---- what can be seen ---- */

static void test_info_counts_children_timers_and_watchers(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');
    static struct lab_request info;

    (void)state;
    parent.other = &child;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_and_monitor);
    lab_do(&lab, &child, two_timers);
    lab_info(&lab, &parent, &info);
    lab_run(&lab);
    assert_int_equal(info.error, 0);
    assert_int_equal(info.info_children, 1);
    lab_info(&lab, &child, &info);
    lab_run(&lab);
    assert_int_equal(info.info_timers, 2);
    assert_int_equal(info.info_monitors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_an_actor_that_is_stopped_before_its_init_runs_nothing),
        LAB_TEST(test_messages_wait_until_an_open_start_ends),
        LAB_TEST(test_an_open_start_can_be_given_up),
        LAB_TEST(test_what_waits_in_the_mailbox_is_answered_at_the_end),
        LAB_TEST(test_a_killed_context_does_nothing_more),
        LAB_TEST(test_a_killed_context_refuses_everything),
        LAB_TEST(test_nothing_follows_a_kill_from_a_hook),
        LAB_TEST(test_a_down_for_an_ending_parent_is_dropped),
        LAB_TEST(test_states_follow_each_other_and_end_at_stopped),
        LAB_TEST(test_an_abnormal_end_ends_the_other_and_a_normal_one_does_not),
        LAB_TEST(test_one_that_traps_is_told_of_the_end_instead),
        LAB_TEST(test_after_unlink_each_ends_alone),
        LAB_TEST(test_a_link_to_a_dead_actor_ends_the_linker),
        LAB_TEST(test_each_monitor_gives_one_down_with_the_cause),
        LAB_TEST(test_no_down_comes_after_demonitor_not_even_a_queued_one),
        LAB_TEST(test_who_was_refused_is_told_once_when_there_is_room),
        LAB_TEST(test_info_counts_children_timers_and_watchers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
