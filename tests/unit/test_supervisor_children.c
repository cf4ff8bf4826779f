/* SPDX-License-Identifier: Apache-2.0
 *
 * What a parent can ask of its children while they run: list, count, terminate, restart, delete; how many it may have;
 * and when it ends with them. */
#include "supervisor_family.h"

#include "core/worker.h"

static int do_delete(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    asked_result = troupe_child_delete(ctx, asked_tag);
    return 0;
}

static int delete_kid(uint64_t tag)
{
    asked_tag = tag;
    lab_do(&lab, &parent, do_delete);
    return asked_result;
}

/* ---- terminate, restart, delete ---- */

static void test_a_terminated_child_stays_listed_until_it_is_restarted_or_deleted(void **state)
{
    (void)state;
    start_family(2);
    assert_int_equal(terminate(1), 0);
    assert_int_equal(kids[0].exit.cause, TROUPE_EXIT_SHUTDOWN);
    assert_int_equal(kids[0].stops, 1);
    assert_int_equal(parent.ended, 1);
    assert_int_equal(parent.restarting, 0); /* though it is permanent */
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_ENDED);
    assert_false(troupe_ref_is_actor(asked_child.ref));
    assert_int_equal(terminate(1), 0); /* twice is as good as once */
    assert_int_equal(restart(1), 0);
    assert_int_equal(kids[0].inits, 2);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_RUNNING);
    assert_true(troupe_ref_equal(asked_child.ref, kids[0].ref));
    assert_int_equal(asked_child.restarts, 0); /* it was asked for */
    assert_int_equal(terminate(1), 0);
    assert_int_equal(delete_kid(1), 0);
    assert_int_equal(state_of(1), 0);
    assert_int_equal(delete_kid(1), TROUPE_E_NOT_FOUND);
    assert_int_equal(terminate(1), TROUPE_E_NOT_FOUND);
    assert_int_equal(restart(1), TROUPE_E_NOT_FOUND);
    assert_int_equal(restart(0), TROUPE_E_NOT_FOUND);
}

static void test_a_child_that_lives_cannot_be_restarted_or_deleted(void **state)
{
    (void)state;
    start_family(1);
    assert_int_equal(restart(1), TROUPE_E_STATE);
    assert_int_equal(delete_kid(1), TROUPE_E_STATE);
    assert_int_equal(kids[0].inits, 1);
    assert_true(lab_is_alive(&lab, &kids[0]));
}

static void test_a_terminated_temporary_child_is_forgotten(void **state)
{
    (void)state;
    kid_opts[0].restart = TROUPE_TEMPORARY;
    start_family(1);
    assert_int_equal(terminate(1), 0);
    assert_int_equal(parent.ended, 1);
    assert_int_equal(state_of(1), 0);
}

static void test_a_child_that_waits_in_backoff_can_be_terminated(void **state)
{
    (void)state;
    kid_opts[0].backoff_min_ms = kid_opts[0].backoff_max_ms = 1000;
    start_family(1);
    lab_do(&lab, &kids[0], puppet_fail);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_RESTARTING);
    assert_int_equal(restart(1), TROUPE_E_STATE);
    assert_int_equal(delete_kid(1), TROUPE_E_STATE);
    assert_int_equal(terminate(1), 0);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_ENDED);
    lab_pass(&lab, 5000);
    assert_int_equal(kids[0].inits, 1); /* it was not started behind our back */
    assert_int_equal(parent.ended, 0);
    assert_int_equal(restart(1), 0);
    assert_int_equal(kids[0].inits, 2);
}

static int terminate_and_delete(troupe_ctx *ctx, struct puppet *self)
{
    if (self->child.what != TROUPE_CHILD_RESTARTING)
        return 0;
    assert_int_equal(troupe_child_delete(ctx, self->child.child), TROUPE_E_STATE);
    assert_int_equal(troupe_child_terminate(ctx, self->child.child), 0);
    return self->child.child == 1 ? 0 : troupe_child_delete(ctx, self->child.child);
}

static void test_a_parent_that_is_told_of_a_restart_can_call_it_off(void **state)
{
    (void)state;
    parent.on_child = terminate_and_delete;
    start_family(2);
    lab_do(&lab, &kids[0], puppet_fail);
    lab_do(&lab, &kids[1], puppet_fail);
    lab_pass(&lab, 1000);
    assert_int_equal(kids[0].inits, 1);
    assert_int_equal(kids[1].inits, 1);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_ENDED);
    assert_int_equal(state_of(2), 0);
}

static int restart_when_ended(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;
    return self->child.what == TROUPE_CHILD_ENDED ? troupe_child_restart(ctx, self->child.child, &ref) : 0;
}

static void test_a_parent_that_is_told_of_an_end_can_start_it_again_at_once(void **state)
{
    (void)state;
    parent.on_child = restart_when_ended;
    start_family(1);
    assert_int_equal(terminate(1), 0);
    assert_int_equal(kids[0].inits, 2);
    assert_true(lab_is_alive(&lab, &kids[0]));
}

static int terminate_three(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    for (uint64_t tag = 1; tag <= 3; tag++) {
        assert_int_equal(troupe_child_terminate(ctx, tag), 0);
        assert_int_equal(troupe_child_find(ctx, tag, &asked_child), 0);
        assert_int_equal(asked_child.state, TROUPE_CHILD_IS_STOPPING);
    }
    return 0;
}

static void test_several_children_are_terminated_at_the_same_time(void **state)
{
    (void)state;
    start_family(3);
    lab_do(&lab, &parent, terminate_three);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(state_of(i + 1), TROUPE_CHILD_IS_ENDED);
    assert_int_equal(parent.ended, 3);
}

/* In a turn of a, on another worker, which its parent does not wait out. */
static int outlive_the_timeout(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    assert_int_equal(terminate(1), 0);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_STOPPING);
    lab.now_ns += 299 * UINT64_C(1000000);
    lab_run(&lab);
    assert_int_equal(self->ends, 0);
    assert_int_equal(terminate(1), 0); /* the time does not begin anew */
    lab.now_ns += 2 * UINT64_C(1000000);
    lab_run(&lab);
    assert_int_equal(troupe_cast(ctx, parent.ref, "note", troupe_body_none()), TROUPE_E_KILLED);
    return 0;
}

static void test_a_terminated_child_is_killed_after_its_shutdown_timeout(void **state)
{
    puppet_fn fn = outlive_the_timeout;

    (void)state;
    lab_close(&lab);
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 4096, .workers = 2});
    troupe_worker *other = troupe_system_worker(lab.system, 1);
    kid_opts[0].shutdown_timeout_ms = 300;
    start_family(1);
    troupe_worker_set_now(other, lab.now_ns);
    assert_int_equal(troupe_worker_cast(other, kids[0].ref, troupe_view_of("do"),
                                        troupe_body_bytes(&fn, sizeof fn, "application/octet-stream"),
                                        (troupe_caller){0}),
                     0);
    while (troupe_worker_poll(other, lab.now_ns, 8) == 0)
        ;
    lab_run(&lab);
    assert_int_equal(kids[0].exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_ENDED);
}

static int fail_but_first(troupe_ctx *ctx, struct puppet *self)
{
    return self->inits == 1 ? 0 : troupe_fail(ctx, TROUPE_E_LIMIT, "not again");
}

static void test_a_restart_by_hand_that_fails_is_not_tried_again(void **state)
{
    (void)state;
    kids[0].on_init = fail_but_first;
    start_family(1);
    assert_int_equal(terminate(1), 0);
    assert_int_equal(restart(1), 0);
    assert_int_equal(kids[0].inits, 2);
    assert_int_equal(parent.child.what, TROUPE_CHILD_ENDED);
    assert_int_equal(parent.child.exit.cause, TROUPE_EXIT_NOT_STARTED);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_ENDED);
    assert_int_equal(restart(1), 0); /* it may be tried by hand */
    assert_int_equal(kids[0].inits, 3);
}

static int fail_start(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_fail(ctx, TROUPE_E_LIMIT, "no");
}

static void test_a_first_start_that_is_to_be_tried_once_is_not_tried_again(void **state)
{
    (void)state;
    kids[0].on_init = fail_start;
    kid_opts[0].start_once = true;
    how.keep_ended = true;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, do_supervise);
    add_kid();
    assert_int_equal(kids[0].inits, 1);
    assert_int_equal(parent.ended, 1);
    assert_int_equal(state_of(1), 0); /* it never was a child */
}

static int control_in_stop(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;

    self->number += troupe_child_terminate(ctx, 1) == TROUPE_E_STATE;
    self->number += troupe_child_restart(ctx, 1, &ref) == TROUPE_E_STATE;
    self->number += troupe_child_delete(ctx, 1) == TROUPE_E_STATE;
    return 0;
}

static void test_children_are_not_controlled_in_the_stop_hook(void **state)
{
    (void)state;
    start_family(1);
    parent.on_stop = control_in_stop;
    lab_do(&lab, &parent, puppet_end);
    assert_int_equal(parent.number, 3);
}

/* ---- list and count ---- */

static char seen[KIDS_MAX * 4 + 1];

static bool see(void *user, const troupe_child *child)
{
    static const char states[] = "?srSRe"; /* starting running Stopping Restarting ended */
    size_t len = strlen(seen);

    (void)user;
    seen[len] = (char)('0' + child->child);
    seen[len + 1] = states[child->state];
    seen[len + 2] = '\0';
    assert_int_equal(troupe_ref_is_actor(child->ref), child->state <= TROUPE_CHILD_IS_STOPPING);
    assert_true(child->supervises); /* each puppet has a child() */
    assert_true(troupe_view_equal(child->behavior, troupe_view_of("puppet")));
    return child->child != 9;
}

static troupe_children counts;

static int do_look(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    seen[0] = '\0';
    troupe_children_each(ctx, see, NULL);
    troupe_children_counts(ctx, &counts);
    assert_int_equal(troupe_children_count(ctx), counts.active);
    return 0;
}

static void test_children_are_listed_in_the_order_of_their_starts_and_counted(void **state)
{
    (void)state;
    kid_opts[1] = (troupe_spawn_opts){0};
    kid_opts[2].backoff_min_ms = kid_opts[2].backoff_max_ms = 1000;
    kid_opts[3] = (troupe_spawn_opts){0};
    start_family(5);
    lab_do(&lab, &kids[0], puppet_fail); /* started again, it keeps its place */
    lab_do(&lab, &kids[2], puppet_fail);
    terminate(5);
    lab_do(&lab, &parent, do_look);
    assert_string_equal(seen, "1r0r3R0r5e");
    assert_int_equal(counts.specs, 5);
    assert_int_equal(counts.active, 3);
    assert_int_equal(counts.restarting, 1);
    assert_int_equal(counts.supervisors, 5);
    assert_int_equal(counts.workers, 0);
    lab_do(&lab, &kids[1], puppet_end);
    assert_int_equal(delete_kid(5), 0);
    lab_pass(&lab, 1001);
    lab_do(&lab, &parent, do_look);
    assert_string_equal(seen, "1r3r0r");
    assert_int_equal(counts.specs, 3);
    assert_int_equal(counts.restarting, 0);
    assert_int_equal(counts.supervisors, 3);
    assert_int_equal(state_of(1), TROUPE_CHILD_IS_RUNNING);
    assert_int_equal(asked_child.restarts, 1);
    assert_int_equal(asked_child.restart, TROUPE_PERMANENT);
}

static int use_up_numbers(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    ctx->actor->extra->children.next_seq = (UINT32_MAX >> 1) - 1; /* as after two thousand million starts */
    return 0;
}

static void test_the_order_of_children_survives_any_number_of_starts(void **state)
{
    (void)state;
    how.strategy = TROUPE_REST_FOR_ONE;
    kid_opts[1] = kid_opts[4] = (troupe_spawn_opts){0};
    start_family(3);
    lab_do(&lab, &parent, use_up_numbers);
    add_kid();
    add_kid();
    add_kid();
    lab_do(&lab, &parent, do_look);
    assert_string_equal(seen, "1r0r3r4r0r6r");
    lab.log[0] = '\0';
    lab_do(&lab, &kids[2], puppet_fail);
    expect_log("cscfcxfsfffxesefexdsdfdxcidifi");
    lab_do(&lab, &parent, puppet_end);
    expect_log("fsfffxdsdfdxcscfcxbsbfbxasafaxpspfpx");
}

static void test_an_actor_without_children_has_nothing_to_list(void **state)
{
    (void)state;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, do_look);
    assert_string_equal(seen, "");
    assert_int_equal(counts.specs, 0);
    assert_int_equal(state_of(1), 0);
    assert_int_equal(terminate(1), TROUPE_E_NOT_FOUND);
}

#define MANY 1000u
static struct puppet many[MANY];

static int spawn_many(troupe_ctx *ctx, struct puppet *self)
{
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(puppet_spawn(ctx, self, &many[i],
                                      &(troupe_spawn_opts){.restart = TROUPE_PERMANENT, .child_tag = 100 + i}),
                         0);
    return 0;
}

static void test_each_of_many_children_is_found_by_its_tag(void **state)
{
    (void)state;
    memset(many, 0, sizeof many);
    start_family(1);
    lab_do(&lab, &parent, spawn_many);
    for (unsigned i = 0; i < MANY; i += 2) {
        assert_int_equal(terminate(100 + i), 0);
        assert_int_equal(delete_kid(100 + i), 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(state_of(100 + i), i % 2 == 0 ? 0 : TROUPE_CHILD_IS_RUNNING);
        if (i % 2 != 0)
            assert_true(troupe_ref_equal(asked_child.ref, many[i].ref));
    }
}

/* ---- how many ---- */

static void test_more_children_than_the_maximum_are_refused(void **state)
{
    (void)state;
    how.children_max = 2;
    kid_opts[1] = (troupe_spawn_opts){0};
    start_family(2);
    lab_do(&lab, &parent, do_spawn_next);
    assert_int_equal(asked_result, TROUPE_E_LIMIT);
    lab_do(&lab, &kids[0], puppet_fail); /* a restart is no new child */
    assert_int_equal(kids[0].inits, 2);
    terminate(1); /* nor does it make room */
    lab_do(&lab, &parent, do_spawn_next);
    assert_int_equal(asked_result, TROUPE_E_LIMIT);
    lab_do(&lab, &kids[1], puppet_end);
    lab_do(&lab, &parent, do_spawn_next);
    assert_int_equal(asked_result, 0);
}

static void test_wishes_that_cannot_be_are_refused(void **state)
{
    static const troupe_supervision wrong[] = {{.restarts = TROUPE_RESTARTS_MAX + 1, .period_ms = 1},
                                               {.strategy = (enum troupe_strategy)3},
                                               {.auto_shutdown = (enum troupe_auto_shutdown)3}};

    (void)state;
    start_family(1);
    for (unsigned i = 0; i < 3; i++) {
        how = wrong[i];
        lab_do(&lab, &parent, do_supervise); /* the puppet fails with what it returns */
        assert_int_equal(parent.exit.error, TROUPE_E_INVALID);
        memset(kids, 0, sizeof kids);
        parent = (struct puppet){.letter = 'p'};
        lab.puppets = NULL;
        lab_spawn(&lab, &parent, NULL);
    }
    kid_opts[1].significant = true; /* and permanent: it never ends for good */
    kids_count = 1;
    lab_do(&lab, &parent, do_spawn_next);
    assert_int_equal(asked_result, TROUPE_E_INVALID);
}

/* ---- significant children ---- */

static void make_significant(enum troupe_auto_shutdown shutdown, unsigned count)
{
    how.auto_shutdown = shutdown;
    for (unsigned i = 0; i < count; i++) {
        kid_opts[i].significant = true;
        kid_opts[i].restart = TROUPE_TRANSIENT;
    }
}

static void test_a_parent_ends_with_any_significant_child(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ANY, 2);
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail); /* it is started again */
    assert_true(lab_is_alive(&lab, &parent));
    lab.log[0] = '\0';
    lab_do(&lab, &kids[0], puppet_end);
    expect_log("asafaxcscfcxbsbfbxpspfpx");
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_NORMAL);
}

static void test_a_parent_ends_with_the_last_of_its_significant_children(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ALL, 2);
    kid_opts[0].restart = TROUPE_TEMPORARY;
    start_family(3);
    lab_do(&lab, &kids[0], puppet_fail); /* temporary: for good, however it ended */
    assert_true(lab_is_alive(&lab, &parent));
    lab_do(&lab, &kids[1], puppet_end);
    assert_false(lab_is_alive(&lab, &parent));
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_NORMAL);
}

static void test_a_significant_child_in_backoff_still_counts(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ALL, 2);
    kid_opts[0].backoff_min_ms = kid_opts[0].backoff_max_ms = 1000;
    start_family(2);
    lab_do(&lab, &kids[0], puppet_fail);
    lab_do(&lab, &kids[1], puppet_end);
    assert_true(lab_is_alive(&lab, &parent));
    lab_pass(&lab, 1001);
    assert_int_equal(kids[0].inits, 2);
    lab_do(&lab, &kids[0], puppet_end);
    assert_false(lab_is_alive(&lab, &parent));
}

static void test_a_parent_does_not_end_with_a_significant_child_that_it_terminated(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ANY, 2);
    start_family(2);
    assert_int_equal(terminate(1), 0);
    assert_true(lab_is_alive(&lab, &parent));
    how.auto_shutdown = TROUPE_AUTO_ALL;
    lab_do(&lab, &parent, do_supervise);
    lab_do(&lab, &kids[1], puppet_end); /* the last that lived */
    assert_false(lab_is_alive(&lab, &parent));
}

static void test_a_parent_does_not_end_with_significant_children_that_are_restarted_with_their_group(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ANY, 2);
    how.strategy = TROUPE_ONE_FOR_ALL;
    start_family(3);
    lab_do(&lab, &kids[2], puppet_fail);
    expect_inits(2, 2, 2);
    assert_true(lab_is_alive(&lab, &parent));
}

static void test_children_that_are_not_significant_end_alone(void **state)
{
    (void)state;
    make_significant(TROUPE_AUTO_ANY, 1);
    kid_opts[1].restart = TROUPE_TEMPORARY;
    start_family(3);
    lab_do(&lab, &kids[1], puppet_end);
    assert_true(lab_is_alive(&lab, &parent));
    how.auto_shutdown = TROUPE_AUTO_NEVER;
    lab_do(&lab, &parent, do_supervise);
    lab_do(&lab, &kids[0], puppet_end);
    assert_true(lab_is_alive(&lab, &parent));
}

/* ---- the end of the parent ---- */

static int answer_in_500_ms(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t timer;

    (void)self;
    return troupe_timer_after(ctx, 500, "tick", troupe_body_none(), &timer);
}

static int answer_kept(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_reply_to(ctx, self->handle, troupe_body_json("2", 1));
}

/* A family of two, of which the elder owes an answer that it gives in half a second. */
static void start_indebted_family(struct lab_request *request)
{
    kids[0].on_ask = puppet_keep;
    kids[0].on_timer = answer_kept;
    start_family(2);
    lab_ask(&lab, &kids[0], request, 0);
    lab_run(&lab);
    lab_do(&lab, &kids[0], answer_in_500_ms);
}

static void test_the_children_of_a_drained_parent_finish_what_they_accepted(void **state)
{
    struct lab_request call, drain;

    (void)state;
    start_indebted_family(&call);
    lab_stop(&lab, parent.ref, TROUPE_DRAIN, &drain, 0);
    lab_run(&lab);
    assert_false(lab_is_alive(&lab, &kids[1])); /* newest first, as ever */
    assert_int_equal(lab_state(&lab, &kids[0]), TROUPE_STATE_DRAINING);
    assert_int_equal(call.times, 0);
    lab_pass(&lab, 500);
    assert_int_equal(call.error, 0);
    assert_int_equal(call.times, 1);
    assert_int_equal(kids[0].exit.cause, TROUPE_EXIT_SHUTDOWN);
    assert_int_equal(parent.exit.cause, TROUPE_EXIT_DRAINED);
    assert_int_equal(drain.times, 1);
}

static void test_a_stop_cuts_the_drain_of_a_family_short(void **state)
{
    struct lab_request call, owed, drain, stop;

    (void)state;
    start_indebted_family(&call);
    parent.on_ask = puppet_keep;
    lab_ask(&lab, &parent, &owed, 0); /* so that the parent itself has something to finish */
    lab_run(&lab);
    lab_stop(&lab, parent.ref, TROUPE_DRAIN, &drain, 0);
    lab_run(&lab);
    assert_int_equal(lab_state(&lab, &parent), TROUPE_STATE_DRAINING);
    lab_stop(&lab, parent.ref, TROUPE_STOP, &stop, 0);
    lab_run(&lab);
    assert_int_equal(call.error, TROUPE_E_ENDED);
    assert_false(lab_is_alive(&lab, &parent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_terminated_child_stays_listed_until_it_is_restarted_or_deleted),
        CASE(test_a_child_that_lives_cannot_be_restarted_or_deleted),
        CASE(test_a_terminated_temporary_child_is_forgotten),
        CASE(test_a_child_that_waits_in_backoff_can_be_terminated),
        CASE(test_a_parent_that_is_told_of_a_restart_can_call_it_off),
        CASE(test_a_parent_that_is_told_of_an_end_can_start_it_again_at_once),
        CASE(test_several_children_are_terminated_at_the_same_time),
        CASE(test_a_terminated_child_is_killed_after_its_shutdown_timeout),
        CASE(test_a_restart_by_hand_that_fails_is_not_tried_again),
        CASE(test_a_first_start_that_is_to_be_tried_once_is_not_tried_again),
        CASE(test_children_are_not_controlled_in_the_stop_hook),
        CASE(test_children_are_listed_in_the_order_of_their_starts_and_counted),
        CASE(test_the_order_of_children_survives_any_number_of_starts),
        CASE(test_an_actor_without_children_has_nothing_to_list),
        CASE(test_each_of_many_children_is_found_by_its_tag),
        CASE(test_more_children_than_the_maximum_are_refused),
        CASE(test_wishes_that_cannot_be_are_refused),
        CASE(test_a_parent_ends_with_any_significant_child),
        CASE(test_a_parent_ends_with_the_last_of_its_significant_children),
        CASE(test_a_significant_child_in_backoff_still_counts),
        CASE(test_a_parent_does_not_end_with_a_significant_child_that_it_terminated),
        CASE(test_a_parent_does_not_end_with_significant_children_that_are_restarted_with_their_group),
        CASE(test_children_that_are_not_significant_end_alone),
        CASE(test_the_children_of_a_drained_parent_finish_what_they_accepted),
        CASE(test_a_stop_cuts_the_drain_of_a_family_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
