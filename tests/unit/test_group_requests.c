/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups, as outsiders use them: casts and multi-calls in slices, subscriptions; and what comes of them when memory is
 * out. */
#include "lib/lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/worker.h"

enum { MEMBERS = 1000 };

static struct lab lab;
static struct puppet members[MEMBERS];

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

static const troupe_view default_scope = {"", 0}, room = {"room", 4};

static void fill_room(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct puppet){.letter = 'm'};
        lab_spawn(&lab, &members[i], NULL);
        assert_int_equal(troupe_system_group_join(lab.system, default_scope, room, members[i].ref), 0);
    }
}

/* A request and what came of it. */
struct asked {
    troupe_group_request request;
    unsigned results, errors, dones;
    int last_error;
    troupe_group_counts counts;
    struct asked *cancels; /* with the first result */
};

static void on_each(troupe_group_request *request, troupe_ref member, const troupe_answer *answer)
{
    struct asked *asked = request->user;

    assert_true(troupe_ref_is_actor(member));
    asked->results++;
    asked->errors += answer->error != 0;
    asked->last_error = answer->error;
    if (asked->cancels != NULL)
        troupe_group_request_cancel(&asked->cancels->request);
}

static void on_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    struct asked *asked = request->user;

    asked->dones++;
    asked->counts = *counts;
    troupe_group_request_cancel(request); /* legal when it is over */
}

static int ask(struct asked *asked, const char *type, uint32_t timeout_ms)
{
    asked->request = (troupe_group_request){.user = asked, .each = on_each, .done = on_done};
    return troupe_request_group_call(lab.worker, &asked->request, default_scope, room, troupe_view_of(type),
                                     troupe_body_bytes("1", 1, "application/json"),
                                     (troupe_caller){.subject = troupe_view_of("somebody")}, timeout_ms);
}

static int cast(struct asked *asked, const char *type)
{
    asked->request = (troupe_group_request){.user = asked, .done = on_done};
    return troupe_request_group_cast(lab.worker, &asked->request, default_scope, room, troupe_view_of(type),
                                     troupe_body_none(), (troupe_caller){0});
}

/* ---- calls ---- */

/* Trap 15: multi_call stopped at the first failed send, though earlier ones were delivered. */
static void test_trap_15_a_multi_call_from_outside_gives_a_result_for_each_member(void **state)
{
    struct asked asked = {0};
    int rc = 0;

    (void)state;
    fill_room(4);
    members[2].on_ask = puppet_keep; /* says nothing */
    members[3].on_ask = puppet_fail;
    struct puppet full = {.letter = 'f'};
    lab_spawn(&lab, &full, &(troupe_spawn_opts){.mailbox_messages_max = 1});
    assert_int_equal(troupe_system_group_join(lab.system, default_scope, room, full.ref), 0);
    while (rc == 0)
        rc = lab_note(&lab, &full);
    assert_int_equal(ask(&asked, "ask", 1000), 0);
    lab_run(&lab);
    assert_int_equal(asked.results, 4);
    assert_int_equal(asked.errors, 2);
    assert_int_equal(asked.dones, 0);
    lab_pass(&lab, 1500);
    assert_int_equal(asked.last_error, TROUPE_E_TIMEOUT);
    assert_int_equal(asked.dones, 1);
    assert_int_equal(asked.counts.members, 5);
    assert_int_equal(asked.counts.accepted, 2);
    assert_int_equal(asked.counts.refused, 3);
    struct lab_request stop;
    lab_stop(&lab, full.ref, TROUPE_KILL, &stop, 100); /* it lives on this stack */
    lab_run(&lab);
    lab.puppets = full.next;
}

static void test_a_large_group_is_called_in_slices(void **state)
{
    struct asked asked = {0};

    (void)state;
    fill_room(MEMBERS);
    assert_int_equal(ask(&asked, "ask", 0), 0);
    assert_in_range(asked.results, 0, GROUP_SENDS_PER_POLL);
    troupe_stats stats;
    troupe_system_stats(lab.system, &stats);
    assert_in_range(stats.calls, 1, GROUP_SENDS_PER_POLL); /* the others come with polls */
    lab_run(&lab);
    assert_int_equal(asked.results, MEMBERS);
    assert_int_equal(asked.counts.accepted, MEMBERS);
    assert_int_equal(asked.dones, 1);
}

static void test_two_large_requests_take_turns(void **state)
{
    struct asked first = {0}, second = {0};

    (void)state;
    fill_room(MEMBERS);
    assert_int_equal(cast(&first, "note"), 0);
    assert_int_equal(cast(&second, "note"), 0);
    while (first.dones == 0)
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 0);
    for (unsigned polls = 0; second.dones == 0; polls++) {
        assert_in_range(polls, 0, 2); /* it was as far */
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 0);
    }
    assert_int_equal(first.counts.accepted, MEMBERS);
    assert_int_equal(second.counts.accepted, MEMBERS);
    lab_run(&lab);
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_int_equal(members[i].notes, 2);
}

static void test_a_request_to_nobody_is_done_at_once(void **state)
{
    struct asked asked = {0};

    (void)state;
    assert_int_equal(ask(&asked, "ask", 0), 0);
    assert_int_equal(asked.dones, 1);
    assert_int_equal(asked.counts.members, 0);
    assert_int_equal(cast(&asked, "note"), 0);
    assert_int_equal(asked.dones, 2);
}

static void test_what_cannot_be_sent_runs_nothing(void **state)
{
    struct asked asked = {0};
    static char subject[TROUPE_SUBJECT_BYTES_MAX + 1];

    (void)state;
    fill_room(1);
    memset(subject, 'x', sizeof subject);
    assert_int_equal(ask(&asked, "no type", 0), TROUPE_E_INVALID);
    assert_int_equal(ask(&asked, "ask", TROUPE_CALL_TIMEOUT_MS_MAX + 1), TROUPE_E_INVALID);
    assert_int_equal(troupe_request_group_cast(lab.worker, &asked.request, default_scope, troupe_view_of("no group"),
                                               troupe_view_of("note"), troupe_body_none(), (troupe_caller){0}),
                     TROUPE_E_INVALID);
    assert_int_equal(troupe_request_group_cast(lab.worker, &asked.request, default_scope, room, troupe_view_of("note"),
                                               troupe_body_none(),
                                               (troupe_caller){.subject = {subject, sizeof subject}}),
                     TROUPE_E_INVALID);
    assert_int_equal(troupe_request_group_cast(lab.worker, &asked.request, default_scope, room, troupe_view_of("note"),
                                               (troupe_body){subject, TROUPE_BODY_BYTES_MAX + 1, NULL},
                                               (troupe_caller){0}),
                     TROUPE_E_TOO_LARGE);
    lab_run(&lab);
    assert_int_equal(asked.dones + asked.results + members[0].notes, 0);
    assert_int_equal(cast(&asked, "unknown"), 0);
    assert_int_equal(asked.counts.refused, 1);
}

static void test_who_is_cancelled_hears_no_more_and_sends_no_more(void **state)
{
    struct asked asked = {0}, itself = {0};
    unsigned notes = 0;

    (void)state;
    fill_room(MEMBERS);
    for (unsigned i = 0; i < MEMBERS; i++)
        members[i].on_ask = puppet_keep;
    assert_int_equal(ask(&asked, "ask", 0), 0);
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 8);
    troupe_group_request_cancel(&asked.request);
    troupe_group_request_cancel(&asked.request);
    lab_pass(&lab, 10000);
    assert_int_equal(asked.results + asked.dones, 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        notes += members[i].asks;
        members[i].on_ask = NULL;
    }
    assert_in_range(notes, 1, 2 * GROUP_SENDS_PER_POLL);
    itself.cancels = &itself;
    assert_int_equal(ask(&itself, "ask", 0), 0);
    lab_run(&lab);
    assert_int_equal(itself.results, 1);
    assert_int_equal(itself.dones, 0);
}

/* A request that runs its members in the asking call may cancel itself there. */
static void test_a_request_may_be_cancelled_before_it_returns(void **state)
{
    struct asked itself = {0};

    (void)state;
    lab_close(&lab);
    lab_open_with(&lab, (troupe_system_config){.actors_max = 4096}); /* turns run inline */
    fill_room(20);
    itself.cancels = &itself;
    assert_int_equal(ask(&itself, "ask", 0), 0);
    assert_int_equal(itself.results, 1);
    assert_null(itself.request.job);
    lab_run(&lab);
    assert_int_equal(itself.results, 1);
    struct asked whole = {0};
    assert_int_equal(ask(&whole, "ask", 0), 0);
    assert_int_equal(whole.dones, 1); /* before it returned */
    assert_int_equal(whole.counts.accepted, 20);
}

static void test_who_leaves_meanwhile_is_not_waited_for(void **state)
{
    struct asked asked = {0};

    (void)state;
    fill_room(MEMBERS);
    assert_int_equal(ask(&asked, "ask", 0), 0);
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_int_equal(troupe_system_group_leave(lab.system, default_scope, room, members[i].ref), 0);
    lab_run(&lab);
    assert_int_equal(asked.dones, 1);
    assert_int_equal(asked.counts.members, GROUP_SENDS_PER_POLL);
    assert_int_equal(troupe_system_group_size(lab.system, default_scope, room), 0);
}

/* ---- subscriptions ---- */

static void read_all(troupe_subscription *subscription, char *log, size_t size)
{
    troupe_event event;

    while (troupe_subscription_read(subscription, &event) == 1) {
        size_t len = strlen(log);
        snprintf(log + len, size - len, "%.*s ", (int)event.type.len, event.type.ptr);
    }
}

static uint64_t memory(void)
{
    troupe_stats stats;

    troupe_system_stats(lab.system, &stats);
    return stats.memory_bytes;
}

static void test_a_subscriber_of_an_empty_group_leaves_nothing(void **state)
{
    troupe_subscription one = {0}, scope = {0};
    const troupe_event_id none = {0, 0};
    char log[128] = "", scope_log[128] = "";

    (void)state;
    fill_room(1);
    assert_int_equal(troupe_system_group_leave(lab.system, default_scope, room, members[0].ref), 0);
    uint64_t before = memory();
    assert_int_equal(troupe_group_subscribe(lab.worker, &one, default_scope, room, TROUPE_FROM_NOW, none), 0);
    assert_int_equal(
        troupe_group_subscribe(lab.worker, &scope, default_scope, (troupe_view){"", 0}, TROUPE_FROM_NOW, none), 0);
    assert_int_equal(troupe_system_group_join(lab.system, default_scope, room, members[0].ref), 0);
    assert_int_equal(troupe_system_group_join(lab.system, default_scope, troupe_view_of("two"), members[0].ref), 0);
    assert_int_equal(troupe_system_group_leave(lab.system, default_scope, room, members[0].ref), 0);
    assert_int_equal(troupe_system_group_leave(lab.system, default_scope, troupe_view_of("two"), members[0].ref), 0);
    read_all(&one, log, sizeof log);
    read_all(&scope, scope_log, sizeof scope_log);
    assert_string_equal(log, "join leave ");
    assert_string_equal(scope_log, "join join leave leave ");
    troupe_unsubscribe(&one);
    troupe_unsubscribe(&scope);
    lab_run(&lab);
    assert_int_equal(memory(), before);
    assert_int_equal(
        troupe_group_subscribe(lab.worker, &one, default_scope, troupe_view_of("a/b"), TROUPE_FROM_NOW, none),
        TROUPE_E_INVALID);
}

static void test_a_subscriber_comes_back_behind_the_last_event_it_saw(void **state)
{
    troupe_subscription subscription = {0};
    troupe_event event;

    (void)state;
    fill_room(1);
    assert_int_equal(troupe_group_subscribe(lab.worker, &subscription, default_scope, room, TROUPE_FROM_NOW,
                                            (troupe_event_id){0, 0}),
                     0);
    assert_int_equal(troupe_system_group_leave(lab.system, default_scope, room, members[0].ref), 0);
    assert_int_equal(troupe_system_group_join(lab.system, default_scope, room, members[0].ref), 0);
    assert_int_equal(troupe_subscription_read(&subscription, &event), 1);
    troupe_event_id seen = event.id;
    troupe_unsubscribe(&subscription);
    lab_run(&lab);
    assert_int_equal(troupe_group_subscribe(lab.worker, &subscription, default_scope, room, TROUPE_FROM_AFTER, seen),
                     0);
    assert_int_equal(troupe_subscription_read(&subscription, &event), 1);
    assert_int_equal(event.lagged, 0); /* the group is there still, and so are its events */
    assert_true(troupe_view_equal(event.type, troupe_view_of("join")));
    troupe_unsubscribe(&subscription);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_trap_15_a_multi_call_from_outside_gives_a_result_for_each_member),
        TEST(test_a_large_group_is_called_in_slices),
        TEST(test_two_large_requests_take_turns),
        TEST(test_a_request_to_nobody_is_done_at_once),
        TEST(test_what_cannot_be_sent_runs_nothing),
        TEST(test_who_is_cancelled_hears_no_more_and_sends_no_more),
        TEST(test_a_request_may_be_cancelled_before_it_returns),
        TEST(test_who_leaves_meanwhile_is_not_waited_for),
        TEST(test_a_subscriber_of_an_empty_group_leaves_nothing),
        TEST(test_a_subscriber_comes_back_behind_the_last_event_it_saw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
