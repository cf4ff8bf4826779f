/* SPDX-License-Identifier: Apache-2.0
 *
 * one_for_all and rest_for_one: who is stopped and started again with a child that failed, in which order, and that
 * each step awaits the real end or start of the one before. */
#include "supervisor_family.h"

/* ---- who, and in which order ---- */

static int do_kill(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_stop(ctx, kids[asked_tag - 1].ref, TROUPE_KILL, "the test says so");
}

/* Kill a child by a turn of its parent. */
static void kill_kid(uint64_t tag)
{
    asked_tag = tag;
    lab_do(&lab, &parent, do_kill);
}

static void test_one_for_all_stops_newest_first_and_starts_all_in_order(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_fail);
    expect_log("bsbfbxcscfcxasafaxaibici");
    assert_int_equal(kids[0].exit.cause, TROUPE_EXIT_SHUTDOWN);
    assert_int_equal(parent.restarting, 3);
    assert_int_equal(parent.started, 6);
    assert_int_equal(parent.ended, 0);
}

static void test_rest_for_one_leaves_older_children_alone(void **state)
{
    (void)state;
    how.strategy = TROUPE_REST_FOR_ONE;
    start_family(4);
    lab_do(&lab, &kids[1], puppet_fail);
    expect_log("bsbfbxdsdfdxcscfcxbicidi");
    lab_do(&lab, &kids[3], puppet_fail);
    expect_log("dsdfdxdi");
    assert_int_equal(kids[0].inits, 1);
}

static void test_a_killed_transient_child_restarts_its_group(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[0].restart = TROUPE_TRANSIENT;
    start_family(2);
    kill_kid(1);
    assert_int_equal(kids[0].inits, 2);
    assert_int_equal(kids[1].inits, 2);
}

static void test_a_transient_child_that_ends_normally_restarts_nobody(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[1].restart = TROUPE_TRANSIENT;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_end);
    expect_log("bsbfbx");
    assert_int_equal(state_of(2), 0); /* forgotten */
}

static void test_temporary_siblings_are_stopped_and_not_started_again(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[1].restart = TROUPE_TEMPORARY;
    kid_opts[2] = (troupe_spawn_opts){0}; /* no wishes at all: it is linked by its slot only */
    start_family(4);
    lab_do(&lab, &kids[0], puppet_fail);
    expect_log("asafaxdsdfdxcscfcxbsbfbxaidi");
    assert_int_equal(parent.ended, 2);
    assert_int_equal(parent.restarting, 2);
}

static void test_one_who_had_ended_for_good_is_started_with_its_group_when_it_is_kept(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    how.keep_ended = true;
    kid_opts[1].restart = TROUPE_TRANSIENT;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_end);
    assert_int_equal(state_of(2), TROUPE_CHILD_IS_ENDED);
    lab.log[0] = '\0';
    lab_do(&lab, &kids[2], puppet_fail);
    expect_log("cscfcxasafaxaibici");
}

/* ---- how often, and when ---- */

static void test_an_incident_counts_once_however_many_are_restarted(void **state)
{
    (void)state;
    how = (troupe_supervision){.strategy = TROUPE_ONE_FOR_ALL, .restarts = 2, .period_ms = 1000};
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    lab_do(&lab, &kids[2], puppet_fail);
    expect_inits(3, 3, 3);
    assert_true(lab_is_alive(&lab, &parent));
    lab_do(&lab, &kids[1], puppet_fail);
    expect_inits(3, 3, 3);
    assert_false(lab_is_alive(&lab, &parent));
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_INTENSITY);
}

static void test_children_that_fail_together_are_one_incident(void **state)
{
    (void)state;
    how = (troupe_supervision){.strategy = TROUPE_ONE_FOR_ALL, .restarts = 1, .period_ms = 1000};
    start_family(3);
    assert_int_equal(lab_do_later(&lab, &kids[0], puppet_fail), 0);
    assert_int_equal(lab_do_later(&lab, &kids[1], puppet_fail), 0);
    lab_run(&lab);
    expect_inits(2, 2, 2);
    assert_true(lab_is_alive(&lab, &parent));
}

static void test_the_backoff_of_the_failed_child_holds_for_its_group(void **state)
{
    (void)state;
    how = (troupe_supervision){.strategy = TROUPE_ONE_FOR_ALL, .restarts = 5, .period_ms = 10000};
    kid_opts[1].backoff_min_ms = kid_opts[1].backoff_max_ms = 100;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_fail);
    expect_log("bsbfbxcscfcxasafax");
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_RESTARTING);
    lab_pass(&lab, 49); /* jitter takes away a half at most */
    expect_log("");
    lab_pass(&lab, 52);
    expect_log("aibici");
    lab_do(&lab, &kids[0], puppet_fail); /* it has no backoff */
    expect_log("asafaxcscfcxbsbfbxaibici");
}

/* ---- starts ---- */

static int start_in_50_ms(troupe_ctx *ctx, struct puppet *self)
{
    if (self->inits == 1)
        return 0;
    int rc = troupe_timer_after(ctx, 50, "note", troupe_body_none(), &self->number);
    return rc ? rc : TROUPE_STARTING;
}

static int say_started(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_started(ctx, 0);
}

static void test_each_start_is_awaited_before_the_next(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kids[0].on_init = kids[1].on_init = start_in_50_ms;
    kids[0].on_timer = kids[1].on_timer = say_started;
    start_family(3);
    lab_do(&lab, &kids[2], puppet_fail);
    expect_inits(2, 1, 1);
    lab_pass(&lab, 49);
    expect_inits(2, 1, 1);
    lab_pass(&lab, 2);
    expect_inits(2, 2, 1);
    lab_pass(&lab, 48);
    expect_inits(2, 2, 1);
    lab_pass(&lab, 2);
    expect_inits(2, 2, 2);
}

static int fail_twice(troupe_ctx *ctx, struct puppet *self)
{
    return self->inits == 2 || self->inits == 3 ? troupe_fail(ctx, TROUPE_E_LIMIT, "not yet") : 0;
}

static void test_a_start_that_fails_in_the_middle_is_an_incident_of_its_own(void **state)
{
    (void)state;
    how = (troupe_supervision){.strategy = TROUPE_ONE_FOR_ALL, .restarts = 3, .period_ms = 1000};
    kids[1].on_init = fail_twice;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    expect_inits(4, 4, 2); /* a was stopped again each time; c had not been started */
    assert_true(lab_is_alive(&lab, &parent));
    lab_do(&lab, &kids[0], puppet_fail); /* the fourth */
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_INTENSITY);
}

static void test_rest_for_one_keeps_those_before_a_start_that_fails(void **state)
{
    (void)state;
    how = (troupe_supervision){.strategy = TROUPE_REST_FOR_ONE, .restarts = 3, .period_ms = 1000};
    kids[1].on_init = fail_twice;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    expect_inits(2, 4, 2);
}

static void test_an_older_child_that_fails_while_a_group_starts_widens_it(void **state)
{
    (void)state;
    how.strategy = TROUPE_REST_FOR_ONE;
    kids[1].on_init = start_in_50_ms;
    kids[1].on_timer = say_started;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_fail);
    expect_inits(1, 2, 1);
    lab.log[0] = '\0';
    lab_do(&lab, &kids[0], puppet_fail);
    expect_log("asafaxbsbfbxaibi"); /* b, which had not started yet, is started behind a */
    lab_pass(&lab, 51);
    expect_inits(2, 3, 2);
}

static void test_a_newer_child_that_fails_while_a_group_starts_does_not_stop_older_ones_that_run(void **state)
{
    (void)state;
    how.strategy = TROUPE_REST_FOR_ONE;
    kids[1].on_init = start_in_50_ms;
    kids[1].on_timer = say_started;
    start_family(2);
    lab_do(&lab, &kids[0], puppet_fail); /* a starts at once, b takes its time */
    expect_inits(2, 2, 0);
    add_kid(); /* c is started at once */
    lab.log[0] = '\0';
    lab_do(&lab, &kids[2], puppet_fail);
    expect_log("cscfcxbsbfbxbi"); /* b is still to be started, a is left alone */
    lab_pass(&lab, 51);
    expect_inits(2, 3, 2);
}

static void test_a_member_that_starts_and_ends_at_once_does_not_hold_up_its_group(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[0].restart = TROUPE_TRANSIENT;
    start_family(2);
    kids[0].on_init = puppet_end; /* from now on */
    lab_do(&lab, &kids[1], puppet_fail);
    assert_int_equal(kids[0].inits, 2);
    assert_int_equal(kids[0].exit.cause, TROUPE_EXIT_NORMAL);
    assert_int_equal(kids[1].inits, 2);
}

/* ---- real ends ---- */

static troupe_worker *other_worker;

static void pass_on_the_first_worker(uint64_t ms)
{
    lab.now_ns += ms * 1000000u;
    lab_run(&lab);
}

static bool has_waited, was_added;

/* In a turn of c, on another worker: it does not come to an end while the group waits for it. */
static int be_stuck(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    has_waited = true;
    assert_int_equal(lab_do_later(&lab, &kids[0], puppet_fail), 0);
    lab_run(&lab);
    if (was_added)
        add_kid();
    pass_on_the_first_worker(999);
    assert_true(lab_is_alive(&lab, self));
    assert_int_equal(kids[0].ends, 1);
    assert_int_equal(kids[1].ends, 0); /* c is told first, and awaited */
    pass_on_the_first_worker(2);       /* its shutdown timeout passes: it is killed, but its turn goes on */
    pass_on_the_first_worker(60000);
    assert_int_equal(kids[1].ends, 0);
    expect_inits(1, 1, 1);
    return 0;
}

static void hold_up_the_group_by(puppet_fn fn)
{
    lab_close(&lab);
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 4096, .workers = 2});
    other_worker = troupe_system_worker(lab.system, 1);
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[2].shutdown_timeout_ms = 1000;
    start_family(3);
    has_waited = false;
    troupe_worker_set_now(other_worker, lab.now_ns);
    assert_int_equal(troupe_worker_cast(other_worker, kids[2].ref, troupe_view_of("do"),
                                        troupe_body_bytes(&fn, sizeof fn, "application/octet-stream"),
                                        (troupe_caller){0}),
                     0);
    while (troupe_worker_poll(other_worker, lab.now_ns, 8) == 0)
        ;
    lab_run(&lab);
    assert_true(has_waited);
}

static void hold_up_the_group(void) { hold_up_the_group_by(be_stuck); }

static void test_siblings_are_restarted_only_after_the_real_end_of_the_stopped_ones(void **state)
{
    (void)state;
    was_added = false;
    hold_up_the_group();
    assert_int_equal(kids[2].exit.cause, TROUPE_EXIT_KILLED); /* after its timeout */
    assert_int_equal(kids[1].exit.cause, TROUPE_EXIT_SHUTDOWN);
    expect_inits(2, 2, 2);
    expect_log("asafaxcfcxbsbfbxaibici");
}

static void test_a_child_added_while_its_group_stops_is_a_member(void **state)
{
    (void)state;
    was_added = true;
    hold_up_the_group();
    expect_inits(2, 2, 2);
    assert_int_equal(kids[3].inits, 2);
    expect_log("asafaxdicfcxdsdfdxbsbfbxaibicidi");
}

/* In a turn of c, on another worker: its group is told to stop, and then their parent is killed. */
static int lose_the_parent(troupe_ctx *ctx, struct puppet *self)
{
    static struct lab_request killed;

    (void)ctx;
    (void)self;
    has_waited = true;
    assert_int_equal(lab_do_later(&lab, &kids[0], puppet_fail), 0);
    lab_run(&lab);
    lab_stop(&lab, parent.ref, TROUPE_KILL, &killed, 1000);
    lab_run(&lab);
    assert_int_equal(kids[2].ends, 0); /* its turn goes on */
    return 0;
}

static void test_a_killed_parent_gives_a_member_that_it_was_stopping_no_more_time(void **state)
{
    (void)state;
    hold_up_the_group_by(lose_the_parent);
    assert_int_equal(kids[2].exit.cause, TROUPE_EXIT_KILLED); /* and not its stop hook, for up to 1 s */
    assert_int_equal(kids[2].stops, 0);
    assert_int_equal(kids[1].exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_KILLED);
    expect_inits(1, 1, 1);
}

/* ---- a group and other ends ---- */

static int stop_self(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    troupe_stop_self(ctx, "");
    return 0;
}

static void test_a_parent_ends_while_its_group_waits(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[0].backoff_min_ms = kid_opts[0].backoff_max_ms = 10000;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    lab_do(&lab, &parent, stop_self);
    assert_false(lab_is_alive(&lab, &parent));
    lab_pass(&lab, 20000);
    expect_inits(1, 1, 1);
}

static void test_a_parent_ends_while_its_group_starts(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kids[1].on_init = start_in_50_ms;
    kids[1].on_timer = say_started;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    lab.log[0] = '\0';
    lab_do(&lab, &parent, stop_self);
    expect_log("bsbfbxasafaxpspfpx");
    lab_pass(&lab, 100);
    expect_inits(2, 2, 1);
}

static void test_a_member_that_is_terminated_while_its_group_waits_does_not_come_back(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kid_opts[0].backoff_min_ms = kid_opts[0].backoff_max_ms = 100;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    assert_int_equal(terminate(2), 0);
    assert_int_equal(state_of(2), TROUPE_CHILD_IS_ENDED);
    lab_pass(&lab, 200);
    expect_inits(2, 1, 2);
    assert_int_equal(restart(2), 0);
    assert_int_equal(kids[1].inits, 2);
}

static void test_a_member_that_is_terminated_while_it_starts_does_not_hold_up_its_group(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kids[1].on_init = start_in_50_ms;
    kids[1].on_timer = say_started;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail);
    expect_inits(2, 2, 1);
    assert_int_equal(terminate(2), 0);
    expect_inits(2, 2, 2);
    assert_int_equal(state_of(2), TROUPE_CHILD_IS_ENDED);
}

/* The group was left half started: nobody took the next step. */
static void test_a_group_comes_to_its_end_though_the_strategy_changes_meanwhile(void **state)
{
    (void)state;
    how.strategy = TROUPE_ONE_FOR_ALL;
    kids[0].on_init = start_in_50_ms;
    kids[0].on_timer = say_started;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_fail);
    expect_inits(2, 1, 1);
    how.strategy = TROUPE_ONE_FOR_ONE;
    lab_do(&lab, &parent, do_supervise);
    kill_kid(1); /* while it starts */
    expect_inits(3, 1, 1);
    lab_pass(&lab, 60);
    expect_inits(3, 2, 2);
    kill_kid(2);
    expect_inits(3, 3, 2); /* and from now on as it was told */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_one_for_all_stops_newest_first_and_starts_all_in_order),
        CASE(test_rest_for_one_leaves_older_children_alone),
        CASE(test_a_killed_transient_child_restarts_its_group),
        CASE(test_a_transient_child_that_ends_normally_restarts_nobody),
        CASE(test_temporary_siblings_are_stopped_and_not_started_again),
        CASE(test_one_who_had_ended_for_good_is_started_with_its_group_when_it_is_kept),
        CASE(test_an_incident_counts_once_however_many_are_restarted),
        CASE(test_children_that_fail_together_are_one_incident),
        CASE(test_the_backoff_of_the_failed_child_holds_for_its_group),
        CASE(test_each_start_is_awaited_before_the_next),
        CASE(test_a_start_that_fails_in_the_middle_is_an_incident_of_its_own),
        CASE(test_rest_for_one_keeps_those_before_a_start_that_fails),
        CASE(test_an_older_child_that_fails_while_a_group_starts_widens_it),
        CASE(test_a_newer_child_that_fails_while_a_group_starts_does_not_stop_older_ones_that_run),
        CASE(test_a_member_that_starts_and_ends_at_once_does_not_hold_up_its_group),
        CASE(test_siblings_are_restarted_only_after_the_real_end_of_the_stopped_ones),
        CASE(test_a_child_added_while_its_group_stops_is_a_member),
        CASE(test_a_killed_parent_gives_a_member_that_it_was_stopping_no_more_time),
        CASE(test_a_parent_ends_while_its_group_waits),
        CASE(test_a_parent_ends_while_its_group_starts),
        CASE(test_a_member_that_is_terminated_while_its_group_waits_does_not_come_back),
        CASE(test_a_member_that_is_terminated_while_it_starts_does_not_hold_up_its_group),
        CASE(test_a_group_comes_to_its_end_though_the_strategy_changes_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
