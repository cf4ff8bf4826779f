/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of outsiders: whose messages they are, and what is left of them when the asker goes; those that monitor:
 * exactly one down, behind what came before it, and nothing left at the target. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;

static uint32_t watchers_of(struct puppet *puppet)
{
    static struct lab_request info;

    lab_info(&lab, puppet, &info);
    lab_run(&lab);
    assert_true(info.done);
    assert_int_equal(info.error, 0);
    return info.info_monitors;
}

static uint64_t memory(void)
{
    troupe_stats stats;

    troupe_system_stats(lab.system, &stats);
    return stats.memory_bytes;
}

static void test_an_outsider_is_told_of_an_end_once(void **state)
{
    PUPPET(target, 't');
    static struct lab_request down, other, stopped;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    lab_monitor(&lab, target.ref, &down);
    lab_monitor(&lab, target.ref, &other);
    lab_run(&lab);
    assert_false(down.done);
    assert_int_equal(watchers_of(&target), 2);
    lab_pass(&lab, 1000000); /* it has no deadline */
    assert_false(down.done);
    lab_stop(&lab, target.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_int_equal(down.times, 1);
    assert_int_equal(other.times, 1);
    assert_int_equal(down.error, 0);
    assert_int_equal(down.cause, TROUPE_EXIT_STOPPED);
    assert_string_equal(down.detail, "the test says so");
    assert_true(troupe_ref_equal(down.ref, target.ref));
    troupe_request_cancel(&down.request); /* legal, and does nothing */
    lab_run(&lab);
    assert_int_equal(down.times, 1);
}

static void test_a_kill_and_a_failure_are_told_as_what_they_are(void **state)
{
    PUPPET(killed, 'k');
    PUPPET(failing, 'f');
    static struct lab_request kill_down, fail_down, stopped;

    (void)state;
    lab_spawn(&lab, &killed, NULL);
    lab_spawn(&lab, &failing, NULL);
    lab_monitor(&lab, killed.ref, &kill_down);
    lab_monitor(&lab, failing.ref, &fail_down);
    lab_stop(&lab, killed.ref, TROUPE_KILL, &stopped,
             100); /* it overtakes the monitor, which is told the cause all the same */
    lab_run(&lab);
    lab_do(&lab, &failing, puppet_fail);
    assert_int_equal(kill_down.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(fail_down.cause, TROUPE_EXIT_FAILED);
    assert_int_equal(kill_down.times + fail_down.times, 2);
}

/* Trap: monitoring one that is gone was silent for ever. */
static void test_an_outsider_monitors_a_dead_actor_and_hears_at_once(void **state)
{
    PUPPET(target, 't');
    static struct lab_request down, never, far, stopped;
    troupe_ref nobody = {.home = troupe_system_home(lab.system), .slot = 4000, .generation = 1};
    troupe_ref other = {.home = {.low = 99}, .slot = 1, .generation = 1};

    (void)state;
    lab_spawn(&lab, &target, NULL);
    lab_stop(&lab, target.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    lab_monitor(&lab, target.ref, &down);
    assert_int_equal(down.times, 1);
    assert_int_equal(down.error, 0);
    assert_int_equal(down.cause, TROUPE_EXIT_NOPROC);
    lab_monitor(&lab, nobody, &never);
    assert_int_equal(never.times, 1);
    assert_int_equal(never.cause, TROUPE_EXIT_NOPROC);
    lab_monitor(&lab, other, &far); /* alone: another home is one that has left */
    assert_int_equal(far.cause, TROUPE_EXIT_NOPROC);
    troupe_system_set_clustered(lab.system, true);
    lab_monitor(&lab, other, &far);
    assert_int_equal(far.times, 1);
    assert_int_equal(far.error, 0);
    assert_int_equal(far.cause, TROUPE_EXIT_UNREACHABLE);
}

static void test_a_cancelled_monitor_is_never_told(void **state)
{
    PUPPET(target, 't');
    static struct lab_request early, late, kept, stopped;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    lab_monitor(&lab, target.ref, &early);
    lab_monitor(&lab, target.ref, &late);
    lab_monitor(&lab, target.ref, &kept);
    lab_run(&lab);
    troupe_request_cancel(&early.request);
    assert_int_equal(watchers_of(&target), 2);
    lab_stop(&lab, target.ref, TROUPE_STOP, &stopped, 100);
    assert_int_equal(troupe_worker_poll(lab.worker, lab.now_ns, 8), 0); /* the downs are on their way */
    troupe_request_cancel(&late.request);
    lab_run(&lab);
    assert_int_equal(early.times, 0);
    assert_int_equal(late.times, 0);
    assert_int_equal(kept.times, 1);
}

/* Outsiders that come and go leave no half of a bond behind. */
static void test_churn_of_monitors_leaves_nothing_at_the_target(void **state)
{
    PUPPET(target, 't');
    static struct lab_request down;
    uint64_t before = 0;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    for (int i = 0; i < 1000; i++) {
        lab_monitor(&lab, target.ref, &down);
        if (i % 3)
            lab_run(&lab);
        troupe_request_cancel(&down.request);
        lab_run(&lab);
        if (i == 10)
            before = memory();
    }
    assert_int_equal(down.times, 0);
    assert_int_equal(memory(), before);
    assert_int_equal(watchers_of(&target), 0);
}

/* A cancel needs no memory: else a node that is short of it would never get rid of the bonds. */
static void test_a_cancel_works_without_memory(void **state)
{
    PUPPET(target, 't');
    static struct lab_request downs[40];

    (void)state;
    lab_spawn(&lab, &target, NULL);
    for (int i = 0; i < 40; i++)
        lab_monitor(&lab, target.ref, &downs[i]);
    lab_run(&lab);
    assert_int_equal(watchers_of(&target), 40);
    troupe__port_fail_after(1);
    for (int i = 0; i < 40; i++)
        troupe_request_cancel(&downs[i].request);
    lab_run(&lab);
    troupe__port_fail_after(0);
    assert_int_equal(watchers_of(&target), 0);
}

static int reply_to_kept(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_reply_to(ctx, self->handle, troupe_body_json("2", 1)), 0);
    return 0;
}

static char order[8];

static void note(char letter)
{
    size_t len = strlen(order);

    assert_true(len + 1 < sizeof order);
    order[len] = letter;
    order[len + 1] = '\0';
}

static void on_reply(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->error, 0);
    note('r');
}

static void on_down(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->exit->cause, TROUPE_EXIT_NORMAL);
    note('d');
}

static void on_null(troupe_request *request, const troupe_answer *answer)
{
    (void)request, (void)answer;
    note('n');
}

/* The reply lies in the inbox of the asker's worker, as the actor gave it on another one; its end, which this worker
 * then runs within a call of its own, may not overtake it. */
static void test_a_down_comes_behind_a_reply(void **state)
{
    PUPPET(target, 't');
    struct lab pair;
    troupe_request reply = {0}, null = {0}, down = {0};

    (void)state;
    order[0] = '\0';
    lab_open_with(&pair, (troupe_system_config){.actors_max = 4096, .workers = 2});
    lab_spawn(&pair, &target, NULL);
    target.on_ask = puppet_keep;
    target.on_note = puppet_end;
    troupe_worker *second = troupe_system_worker(pair.system, 1);
    troupe_worker_set_now(second, pair.now_ns);
    troupe_request_monitor(second, &down, on_down, target.ref);
    (void)troupe_worker_poll(second, pair.now_ns, 8);
    lab_run(&pair); /* the actor has been told, and is idle */
    troupe_request_call(second, &reply, on_reply, target.ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 0);
    assert_int_equal(target.asks, 1);
    lab_do(&pair, &target, reply_to_kept);
    assert_string_equal(order, "");
    troupe_request_call(second, &null, on_null, target.ref, troupe_view_of("note"), troupe_body_none(),
                        (troupe_caller){0}, 0);
    assert_string_equal(order, "n");
    assert_int_equal(target.ends, 1);
    (void)troupe_worker_poll(second, pair.now_ns, 8);
    assert_string_equal(order, "nrd");
    lab_close(&pair);
}

/* ---- who asks ---- */

static const troupe_home session = {.high = 5, .low = 6};
static const troupe_caller alice = {.home = {.high = 5, .low = 6}, .subject = {"alice", 5}};
static troupe_ref heard_from;
static char heard_subject[16];

static int hear_caller(troupe_ctx *ctx, struct puppet *self)
{
    troupe_view subject = troupe_msg_subject(self->msg);

    heard_from = self->msg->from;
    assert_true(subject.len < sizeof heard_subject);
    memcpy(heard_subject, subject.ptr, subject.len);
    heard_subject[subject.len] = '\0';
    return self->msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json("1", 1)) : 0;
}

static void assert_heard(troupe_home home, const char *subject)
{
    assert_true(troupe_ref_equal(heard_from, (troupe_ref){.home = home}));
    assert_string_equal(heard_subject, subject);
    heard_from = (troupe_ref){0};
}

static void test_a_message_names_its_caller(void **state)
{
    PUPPET(target, 't');
    const troupe_caller nobody = {0}, nameless = {.home = session};
    static const char long_subject[TROUPE_SUBJECT_BYTES_MAX + 1];
    const troupe_caller too_long = {.subject = {long_subject, sizeof long_subject}};
    troupe_view note_type = troupe_view_of("note"), ask_type = troupe_view_of("ask");
    troupe_request reply = {0};

    (void)state;
    order[0] = '\0';
    lab_spawn(&lab, &target, NULL);
    target.on_note = target.on_ask = hear_caller;
    assert_int_equal(troupe_worker_cast(lab.worker, target.ref, note_type, troupe_body_none(), alice), 0);
    lab_run(&lab);
    assert_heard(session, "alice");
    assert_int_equal(troupe_worker_cast(lab.worker, target.ref, note_type, troupe_body_none(), nameless), 0);
    lab_run(&lab);
    assert_heard(session, "");
    assert_int_equal(troupe_worker_cast(lab.worker, target.ref, note_type, troupe_body_none(), nobody), 0);
    lab_run(&lab);
    assert_heard(troupe_system_home(lab.system), "");
    assert_int_equal(troupe_worker_cast(lab.worker, target.ref, note_type, troupe_body_none(), too_long),
                     TROUPE_E_INVALID);
    troupe_request_call(lab.worker, &reply, on_reply, target.ref, ask_type, troupe_body_bytes("x", 1, "a/b"), alice, 0);
    lab_run(&lab);
    assert_heard(session, "alice");
    assert_string_equal(order, "r"); /* the reply finds the request, wherever it is from */
}

static int take_args(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct puppet self = {.msg = args};

    (void)memory;
    return hear_caller(ctx, &self);
}

static int take_nothing(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    (void)ctx, (void)memory, (void)msg;
    return 0;
}

static const troupe_behavior newborn_behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "newborn", .version = "1.0.0", .init = take_args, .receive = take_nothing};

static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    assert_int_equal(answer->error, 0);
    *(troupe_ref *)request->user = answer->ref;
}

static void test_a_dead_letter_and_the_args_of_a_spawn_name_their_caller(void **state)
{
    static const enum troupe_restart restarts[] = {TROUPE_TEMPORARY, TROUPE_TRANSIENT};
    troupe_ref ref;
    troupe_request request = {.user = &ref};

    (void)state;
    assert_int_equal(troupe_system_add_behavior(lab.system, &newborn_behavior), 0);
    for (int i = 0; i < 2; i++) { /* without a parent, and under the node's supervisor */
        troupe_request_spawn(lab.worker, &request, on_spawned,
                             &(troupe_spawn_opts){.behavior = "newborn", .restart = restarts[i], .caller = alice});
        lab_run(&lab);
        assert_heard(session, "alice");
    }
    assert_int_equal(troupe_worker_cast(lab.worker, ref, troupe_view_of("any"), troupe_body_none(), alice),
                     TROUPE_E_UNKNOWN_TYPE);
    assert_true(troupe_ref_equal(lab.dead_letter_from, (troupe_ref){.home = session}));
}

/* ---- the asker goes while the actor drains ---- */

/* Trap: the node waited for all of --drain-timeout, as an actor owed a reply to a client that had gone. */
static void test_a_drain_does_not_wait_for_askers_who_are_gone(void **state)
{
    PUPPET(target, 't');
    static struct lab_request before, after, unseen, stopped;

    (void)state;
    target.on_ask = puppet_keep;
    lab_spawn(&lab, &target, NULL);
    lab_ask(&lab, &target, &before, 60000);
    lab_ask(&lab, &target, &after, 60000);
    lab_run(&lab);
    assert_int_equal(target.asks, 2);
    lab_ask(&lab, &target, &unseen, 60000); /* waits in the mailbox */
    assert_int_equal(target.asks, 2);
    troupe_request_cancel(&before.request);
    troupe_request_cancel(&unseen.request);
    lab_stop(&lab, target.ref, TROUPE_DRAIN, &stopped, 60000);
    lab_run(&lab);
    assert_int_equal(target.asks, 3);
    lab_pass(&lab, 1000); /* one is there still */
    assert_int_equal(lab_state(&lab, &target), TROUPE_STATE_DRAINING);
    assert_int_equal(target.ends, 0);
    troupe_request_cancel(&after.request);
    lab_pass(&lab, 100);
    assert_true(stopped.done);
    assert_int_equal(stopped.error, 0);
    assert_int_equal(target.exit.cause, TROUPE_EXIT_DRAINED);
    assert_int_equal(before.times + after.times + unseen.times, 0);
}

static int answer_late(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_reply_to(ctx, self->handle, troupe_body_json("3", 1));
}

static int answer_in_a_second(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t timer;
    int rc = puppet_keep(ctx, self);

    return rc ? rc : troupe_timer_after(ctx, 1000, "later", troupe_body_none(), &timer);
}

static void test_a_drain_waits_for_the_reply_of_who_is_there(void **state)
{
    PUPPET(target, 't');
    static struct lab_request reply, taken, stopped;

    (void)state;
    target.on_ask = answer_in_a_second;
    target.on_timer = answer_late;
    lab_spawn(&lab, &target, NULL);
    lab_ask(&lab, &target, &reply, 60000);
    troupe_request_cancel(&reply.request);
    lab_ask(&lab, &target, &taken, 60000); /* in the same place of the table */
    assert_int_equal(taken.request.slot, reply.request.slot);
    lab_stop(&lab, target.ref, TROUPE_DRAIN, &stopped, 60000);
    lab_pass(&lab, 999);
    assert_false(taken.done);
    assert_int_equal(target.ends, 0);
    lab_pass(&lab, 1);
    assert_int_equal(taken.error, 0);
    assert_string_equal(taken.body, "3");
    assert_true(stopped.done);
}

/* ---- limits ---- */

static void test_so_many_may_wait_for_an_end(void **state)
{
    PUPPET(target, 't');
    static struct lab_request reply, stops[TROUPE_STOPS_PER_ACTOR_MAX], more, killed;

    (void)state;
    target.on_ask = puppet_keep;
    lab_spawn(&lab, &target, NULL);
    lab_ask(&lab, &target, &reply, 60000);
    for (unsigned i = 0; i < TROUPE_STOPS_PER_ACTOR_MAX; i++)
        lab_stop(&lab, target.ref, TROUPE_DRAIN, &stops[i], 60000);
    lab_run(&lab);
    assert_false(stops[0].done);
    lab_stop(&lab, target.ref, TROUPE_STOP, &more, 60000);
    lab_run(&lab);
    assert_int_equal(more.error, TROUPE_E_LIMIT);
    assert_int_equal(target.ends, 0); /* not done */
    lab_stop(&lab, target.ref, TROUPE_KILL, &killed, 60000);
    lab_run(&lab);
    assert_int_equal(killed.error, TROUPE_E_TIMEOUT);
    assert_int_equal(target.exit.cause, TROUPE_EXIT_KILLED);
    for (unsigned i = 0; i < TROUPE_STOPS_PER_ACTOR_MAX; i++) {
        assert_int_equal(stops[i].times, 1);
        assert_int_equal(stops[i].error, 0);
    }
}

static unsigned stopped_downs, limited_downs;

static void count_down(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    stopped_downs += answer->error == 0 && answer->exit->cause == TROUPE_EXIT_STOPPED;
    limited_downs += answer->error == TROUPE_E_LIMIT && answer->exit->cause == TROUPE_EXIT_NOPROC;
}

/* The stop overtakes the monitors, which come to one who ends. */
static void test_so_many_may_begin_to_watch_an_end(void **state)
{
    PUPPET(target, 't');
    static troupe_request downs[TROUPE_BONDS_PER_ACTOR_MAX + 3];
    static struct lab_request stopped;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    stopped_downs = limited_downs = 0;
    for (unsigned i = 0; i < sizeof downs / sizeof downs[0]; i++)
        troupe_request_monitor(lab.worker, &downs[i], count_down, target.ref);
    lab_stop(&lab, target.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_int_equal(stopped_downs, TROUPE_BONDS_PER_ACTOR_MAX);
    assert_int_equal(limited_downs, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_an_outsider_is_told_of_an_end_once),
        LAB_TEST(test_a_kill_and_a_failure_are_told_as_what_they_are),
        LAB_TEST(test_an_outsider_monitors_a_dead_actor_and_hears_at_once),
        LAB_TEST(test_a_cancelled_monitor_is_never_told),
        LAB_TEST(test_churn_of_monitors_leaves_nothing_at_the_target),
        LAB_TEST(test_a_cancel_works_without_memory),
        LAB_TEST(test_a_down_comes_behind_a_reply),
        LAB_TEST(test_a_message_names_its_caller),
        LAB_TEST(test_a_dead_letter_and_the_args_of_a_spawn_name_their_caller),
        LAB_TEST(test_a_drain_does_not_wait_for_askers_who_are_gone),
        LAB_TEST(test_a_drain_waits_for_the_reply_of_who_is_there),
        LAB_TEST(test_so_many_may_wait_for_an_end),
        LAB_TEST(test_so_many_may_begin_to_watch_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
