/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision, one_for_one: who is started again after which end, how often, when, and as what. */
#include "lib/lab.h"

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

static troupe_spawn_opts child_opts;
static uint32_t restarts_max, period_ms;

static int spawn_child(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &child_opts);
}

static int supervise(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_supervise(ctx, &(troupe_supervision){.restarts = restarts_max, .period_ms = period_ms});
}

/* A parent with one child, both new. */
static void start_family(struct puppet *parent, struct puppet *child, troupe_spawn_opts opts)
{
    *parent = (struct puppet){.letter = 'p', .other = child};
    *child = (struct puppet){.letter = 'c'};
    child_opts = opts;
    lab_spawn(&lab, parent, NULL);
    lab_do(&lab, parent, spawn_child);
    assert_int_equal(child->inits, 1);
    assert_int_equal(parent->started, 1);
}

/* ---- who is started again ---- */

static int kill_other(troupe_ctx *ctx, struct puppet *self) { return puppet_kill_other(ctx, self); }

static int drain_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_stop(ctx, self->other->ref, TROUPE_DRAIN, "");
}

static void test_the_policy_and_the_end_decide_about_a_restart(void **state)
{
    static const struct {
        puppet_fn end; /* in the child, or in its parent */
        bool by_parent;
        enum troupe_exit_cause cause;
        bool restarts[3]; /* temporary, transient, permanent */
    } cases[] = {
        {puppet_end, false, TROUPE_EXIT_NORMAL, {false, false, true}},
        {puppet_fail, false, TROUPE_EXIT_FAILED, {false, true, true}},
        {kill_other, true, TROUPE_EXIT_KILLED, {false, true, true}},
    };
    static struct puppet parents[9], children[9];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned policy = 0; policy < 3; policy++) {
            struct puppet *parent = &parents[i * 3 + policy], *child = &children[i * 3 + policy];
            start_family(parent, child, (troupe_spawn_opts){.restart = (enum troupe_restart)policy});
            lab_do(&lab, cases[i].by_parent ? parent : child, cases[i].end);
            assert_int_equal(child->exit.cause, cases[i].cause);
            assert_int_equal(child->inits, cases[i].restarts[policy] ? 2 : 1);
            assert_int_equal(parent->restarting, cases[i].restarts[policy]);
            assert_int_equal(parent->ended, !cases[i].restarts[policy]);
            assert_int_equal(parent->started, child->inits);
            if (parent->ended != 0)
                assert_int_equal(parent->child.exit.cause, cases[i].cause);
            assert_true(lab_is_alive(&lab, parent));
        }
}

static void test_a_stopped_transient_child_ends_for_good(void **state)
{
    static struct puppet parent, child;
    static const puppet_fn ends[] = {puppet_stop_other, drain_other};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start_family(&parent, &child, (troupe_spawn_opts){.restart = TROUPE_TRANSIENT});
        lab_do(&lab, &parent, ends[i]);
        assert_int_equal(child.inits, 1);
        assert_int_equal(parent.ended, 1);
        lab.puppets = NULL; /* the next round uses the same memory */
        static struct lab_request done;
        lab_stop(&lab, parent.ref, TROUPE_STOP, &done, 100);
        lab_run(&lab);
        assert_int_equal(done.error, 0);
    }
}

/* ---- as what ---- */

static void test_a_restart_gives_args_name_tag_and_a_new_id(void **state)
{
    static struct puppet parent, child;

    (void)state;
    start_family(&parent, &child,
                 (troupe_spawn_opts){.restart = TROUPE_PERMANENT, .name = troupe_view_of("worker"), .child_tag = 77});
    troupe_ref first = child.ref;
    assert_true(lab_holds(&lab, "worker", &child));
    assert_int_equal(parent.child.child, 77);
    lab_do(&lab, &child, puppet_fail);
    assert_int_equal(child.inits, 2); /* its args were the puppet's address */
    assert_false(troupe_ref_equal(child.ref, first));
    assert_true(lab_holds(&lab, "worker", &child));
    assert_int_equal(parent.child.what, TROUPE_CHILD_STARTED);
    assert_int_equal(parent.child.child, 77);
    assert_true(troupe_ref_equal(parent.child.ref, child.ref));
    static struct lab_request gone;
    struct puppet former = {.lab = &lab, .ref = first};
    lab_ask(&lab, &former, &gone, 100);
    lab_run(&lab);
    assert_int_equal(gone.error, TROUPE_E_GONE);
}

/* ---- how often ---- */

static void test_a_supervisor_fails_at_one_restart_too_many(void **state)
{
    static struct puppet parent, child;

    (void)state;
    start_family(&parent, &child, (troupe_spawn_opts){.restart = TROUPE_PERMANENT});
    restarts_max = 2;
    period_ms = 1000;
    lab_do(&lab, &parent, supervise);
    for (unsigned i = 1; i <= 2; i++) {
        lab_do(&lab, &child, puppet_fail);
        assert_int_equal(child.inits, i + 1);
        assert_true(lab_is_alive(&lab, &parent));
        lab_pass(&lab, 100);
    }
    lab_do(&lab, &child, puppet_fail);
    assert_int_equal(child.inits, 3);
    assert_false(lab_is_alive(&lab, &parent));
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_INTENSITY);
}

static void test_restarts_that_are_spread_out_are_allowed_for_ever(void **state)
{
    static struct puppet parent, child;

    (void)state;
    start_family(&parent, &child, (troupe_spawn_opts){.restart = TROUPE_PERMANENT});
    restarts_max = 2;
    period_ms = 1000;
    lab_do(&lab, &parent, supervise);
    for (unsigned i = 1; i <= 20; i++) {
        lab_do(&lab, &child, puppet_fail);
        assert_int_equal(child.inits, i + 1);
        lab_pass(&lab, 501);
    }
    assert_true(lab_is_alive(&lab, &parent));
}

static void test_the_default_intensity_is_three_in_five_seconds(void **state)
{
    static struct puppet parent, child;

    (void)state;
    start_family(&parent, &child, (troupe_spawn_opts){.restart = TROUPE_PERMANENT});
    for (unsigned i = 0; i < 3; i++)
        lab_do(&lab, &child, puppet_fail);
    assert_int_equal(child.inits, 4);
    assert_true(lab_is_alive(&lab, &parent));
    lab_do(&lab, &child, puppet_fail);
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_INTENSITY);
}

static void test_a_supervisor_that_fails_takes_its_other_children_along(void **state)
{
    static struct puppet parent, child, sibling;

    (void)state;
    start_family(&parent, &child, (troupe_spawn_opts){.restart = TROUPE_PERMANENT});
    sibling = (struct puppet){.letter = 's'};
    parent.other = &sibling;
    child_opts = (troupe_spawn_opts){0};
    lab_do(&lab, &parent, spawn_child);
    for (unsigned i = 0; i < 4; i++)
        lab_do(&lab, &child, puppet_fail);
    assert_int_equal(sibling.exit.cause, TROUPE_EXIT_SHUTDOWN);
    assert_int_equal(sibling.stops, 1);
    assert_false(lab_is_alive(&lab, &sibling));
}

/* ---- when ---- */

static void test_backoff_delays_double_up_to_their_maximum(void **state)
{
    static const uint32_t most_ms[] = {100, 200, 400, 400};
    static struct puppet parent, child;

    (void)state;
    start_family(&parent, &child,
                 (troupe_spawn_opts){.restart = TROUPE_PERMANENT, .backoff_min_ms = 100, .backoff_max_ms = 400});
    restarts_max = 10;
    period_ms = 10000;
    lab_do(&lab, &parent, supervise);
    for (unsigned i = 0; i < 4; i++) {
        lab_do(&lab, &child, puppet_fail);
        assert_int_equal(parent.restarting, i + 1);
        assert_int_equal(child.inits, i + 1);
        lab_pass(&lab, most_ms[i] / 2 - 1); /* jitter takes away a half at most */
        assert_int_equal(child.inits, i + 1);
        lab_pass(&lab, most_ms[i] / 2 + 2);
        assert_int_equal(child.inits, i + 2);
    }
}

/* ---- starts that fail ---- */

static int fail_first(troupe_ctx *ctx, struct puppet *self)
{
    return self->inits > self->number ? 0 : troupe_fail(ctx, TROUPE_E_LIMIT, "not yet");
}

static int stay_starting(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return TROUPE_STARTING;
}

static void test_a_child_whose_init_fails_is_told_as_not_started(void **state)
{
    static struct puppet parent, child;

    (void)state;
    parent = (struct puppet){.letter = 'p', .other = &child};
    child = (struct puppet){.letter = 'c', .on_init = fail_first, .number = 99};
    child_opts = (troupe_spawn_opts){0};
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_child);
    assert_int_equal(parent.started, 0);
    assert_int_equal(parent.ended, 1);
    assert_int_equal(parent.child.exit.cause, TROUPE_EXIT_NOT_STARTED);
    assert_int_equal(parent.child.exit.error, TROUPE_E_LIMIT);
    assert_int_equal(child.finis, 1);
    assert_int_equal(child.stops, 0);
}

static void test_a_start_that_takes_too_long_is_given_up(void **state)
{
    static struct puppet slow;
    static struct lab_request request;

    (void)state;
    slow = (struct puppet){.letter = 's', .on_init = stay_starting};
    lab_spawn_later(&lab, &slow, &(troupe_spawn_opts){.start_timeout_ms = 50}, &request);
    lab_pass(&lab, 49);
    assert_int_equal(slow.inits, 1);
    assert_false(request.done);
    assert_int_equal(lab_state(&lab, &slow), TROUPE_STATE_STARTING);
    assert_int_equal(lab_note(&lab, &slow), 0); /* messages wait */
    lab_pass(&lab, 3);
    assert_int_equal(request.times, 1);
    assert_int_equal(request.error, TROUPE_E_START_TIMEOUT);
    assert_false(lab_is_alive(&lab, &slow));
    assert_int_equal(slow.notes, 0);
    assert_int_equal(slow.exit.cause, TROUPE_EXIT_NOT_STARTED);
}

static int spawn_and_fail_child(troupe_ctx *ctx, struct puppet *self)
{
    puppet_fn fn = puppet_fail;
    int rc = puppet_spawn(ctx, self, self->other, &child_opts);

    return rc ? rc : troupe_cast(ctx, self->other->ref, "do", troupe_body_bytes(&fn, sizeof fn, NULL));
}

static int expect_no_start_after_the_end(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    if (self->child.what == TROUPE_CHILD_STARTED)
        assert_int_equal(self->ended, 0);
    return 0;
}

static void test_a_child_that_fails_in_its_first_turn_is_not_told_as_started_afterwards(void **state)
{
    static struct puppet parent, child;

    (void)state;
    parent = (struct puppet){.letter = 'p', .other = &child, .on_child = expect_no_start_after_the_end};
    child = (struct puppet){.letter = 'c'};
    child_opts = (troupe_spawn_opts){0};
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_and_fail_child);
    assert_int_equal(child.ends, 1);
    assert_int_equal(parent.ended, 1);
    assert_int_equal(parent.child.what, TROUPE_CHILD_ENDED); /* the last that it was told */
}

/* An outsider's transient actor lives under the node's own supervisor. */
static void test_an_outsiders_transient_actor_is_started_again(void **state)
{
    static struct puppet actor;

    (void)state;
    actor = (struct puppet){.letter = 'a'};
    lab_spawn(&lab, &actor, &(troupe_spawn_opts){.restart = TROUPE_TRANSIENT, .name = troupe_view_of("hits")});
    troupe_ref first = actor.ref;
    lab_do(&lab, &actor, puppet_fail);
    assert_int_equal(actor.inits, 2);
    assert_false(troupe_ref_equal(actor.ref, first));
    assert_true(lab_holds(&lab, "hits", &actor));
}

static void test_one_actor_that_fails_too_often_does_not_end_the_others(void **state)
{
    static struct puppet bad, good;
    troupe_spawn_opts opts = {.restart = TROUPE_TRANSIENT};

    (void)state;
    bad = (struct puppet){.letter = 'b'};
    good = (struct puppet){.letter = 'g'};
    lab_spawn(&lab, &good, &opts);
    lab_spawn(&lab, &bad, &opts);
    for (unsigned i = 0; i < 10 && lab_is_alive(&lab, &bad); i++)
        lab_do(&lab, &bad, puppet_fail);
    assert_false(lab_is_alive(&lab, &bad));
    assert_int_equal(bad.inits, 4); /* three restarts in five seconds, not more */
    assert_true(lab_is_alive(&lab, &good));
    assert_int_equal(good.inits, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_policy_and_the_end_decide_about_a_restart),
        CASE(test_a_stopped_transient_child_ends_for_good),
        CASE(test_a_restart_gives_args_name_tag_and_a_new_id),
        CASE(test_a_supervisor_fails_at_one_restart_too_many),
        CASE(test_restarts_that_are_spread_out_are_allowed_for_ever),
        CASE(test_the_default_intensity_is_three_in_five_seconds),
        CASE(test_a_supervisor_that_fails_takes_its_other_children_along),
        CASE(test_backoff_delays_double_up_to_their_maximum),
        CASE(test_a_child_whose_init_fails_is_told_as_not_started),
        CASE(test_a_start_that_takes_too_long_is_given_up),
        CASE(test_a_child_that_fails_in_its_first_turn_is_not_told_as_started_afterwards),
        CASE(test_an_outsiders_transient_actor_is_started_again),
        CASE(test_one_actor_that_fails_too_often_does_not_end_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
