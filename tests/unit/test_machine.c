/* SPDX-License-Identifier: Apache-2.0
 *
 * The state-machine helper: each (state, event) of its own phases, the order of what follows from one message, and the
 * timeouts. The machine under test is written by the test: a state's functions do what `script` says. */
#include "lib/lab.h"

#include <stdio.h>
#include <stdlib.h>

#include <troupe/machine.h>

enum { A, B, C };

typedef int (*script_fn)(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event);

static char diary[512];                        /* what happened, in order */
static script_fn on_event, on_enter, on_other; /* what the functions do beside writing the diary */
static troupe_machine *machine_now;

static void write_down(const char *words, const char *more)
{
    size_t len = strlen(diary);

    snprintf(diary + len, sizeof diary - len, "%s%s ", words, more);
}

static void assert_diary(const char *text)
{
    assert_string_equal(diary, text);
    diary[0] = '\0';
}

static int run_event(troupe_ctx *ctx, void *data, const char *state, const troupe_machine_event *event)
{
    static const char *const kinds[] = {"?", "", "state-timeout", "event-timeout", "timeout:", "own:"};
    char words[64];

    assert_ptr_equal(data, machine_now);
    snprintf(words, sizeof words, "%s.%s", state, kinds[event->kind]);
    write_down(words, event->kind == TROUPE_MACHINE_STATE_TIMEOUT || event->kind == TROUPE_MACHINE_EVENT_TIMEOUT
                          ? ""
                          : event->name);
    return on_event != NULL ? on_event(ctx, data, event) : 0;
}

static int handle_a(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    return run_event(ctx, data, "A", event);
}

static int handle_b(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    return run_event(ctx, data, "B", event);
}

static int run_enter(troupe_ctx *ctx, void *data, const char *words, uint16_t from)
{
    write_down(words, from == A ? "A" : from == B ? "B" : "C");
    return on_enter != NULL ? on_enter(ctx, data, NULL) : 0;
}

static int enter_a(troupe_ctx *ctx, void *data, uint16_t from) { return run_enter(ctx, data, ">A<", from); }
static int enter_b(troupe_ctx *ctx, void *data, uint16_t from) { return run_enter(ctx, data, ">B<", from); }

static int otherwise(troupe_ctx *ctx, void *data, const troupe_machine_event *event)
{
    return on_other != NULL ? on_other(ctx, data, event) : TROUPE_MACHINE_ELSE;
}

static const troupe_machine_state states[] = {
    [A] = {"A", handle_a, enter_a}, [B] = {"B", handle_b, enter_b}, [C] = {"C", NULL, NULL}};
static const troupe_machine_table table = {states, 3, otherwise};
static const troupe_machine_state other_states[] = {[A] = {"A2", handle_b, enter_b}};
static const troupe_machine_table other_table = {other_states, 1, NULL};

/* ---- the behavior ---- */

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)args;
    machine_now = state;
    return troupe_machine_start(ctx, state, &table, A, state);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    return troupe_machine_receive(ctx, state, msg);
}

static int down(troupe_ctx *ctx, void *state, const troupe_down *event)
{
    (void)event;
    return troupe_machine_tell(ctx, state, "down", troupe_body_none());
}

static void fini(void *state) { troupe_machine_free(state); }

static const troupe_type types[] = {{.name = "x"}, {.name = "y"}, {.name = "z"}};
static const troupe_behavior behavior = {TROUPE_BEHAVIOR_HEAD,
                                         .name = "machine",
                                         .version = "1.0.0",
                                         .summary = "does what the test says",
                                         .types = types,
                                         .types_count = 3,
                                         .state_bytes = sizeof(troupe_machine),
                                         .init = init,
                                         .receive = receive,
                                         .down = down,
                                         .fini = fini};

static struct lab lab;
static struct puppet actor; /* the machine's actor, for the lab's functions: no puppet is inside */

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct lab_request *asked = request->user;

    asked->times++;
    asked->done = true;
    asked->error = answer->error;
    asked->ref = answer->ref;
    snprintf(asked->detail, sizeof asked->detail, "%.*s", (int)answer->detail.len, answer->detail.ptr);
    snprintf(asked->body, sizeof asked->body, "%.*s", (int)answer->app_code.len, answer->app_code.ptr);
}

static int spawn_machine(void)
{
    struct lab_request request = {.request.user = &request};
    troupe_spawn_opts opts = {.behavior = "machine"};

    troupe_request_spawn(lab.worker, &request.request, on_done, &opts);
    lab_run(&lab);
    assert_true(request.done);
    actor.ref = request.ref;
    return request.error;
}

static int set_up(void **state)
{
    (void)state;
    diary[0] = '\0';
    on_event = on_enter = on_other = NULL;
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 64});
    assert_int_equal(troupe_system_add_behavior(lab.system, &behavior), 0);
    assert_int_equal(spawn_machine(), 0);
    assert_diary(">A<A ");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

static void tell(const char *type)
{
    assert_int_equal(
        troupe_worker_cast(lab.worker, actor.ref, troupe_view_of(type), troupe_body_none(), (troupe_caller){0}), 0);
}

static void tell_now(const char *type)
{
    tell(type);
    lab_run(&lab);
}

static void ask(struct lab_request *request)
{
    *request = (struct lab_request){.request.user = request};
    troupe_request_call(lab.worker, &request->request, on_done, actor.ref, troupe_view_of("x"), troupe_body_none(),
                        (troupe_caller){0}, 1000);
    lab_run(&lab);
}

/* ---- scripts ---- */

static bool is_message(const troupe_machine_event *event, const char *type)
{
    return event != NULL && event->kind == TROUPE_MACHINE_MESSAGE && strcmp(event->name, type) == 0;
}

/* x goes to B, y to A, z is postponed in A. */
static int walk(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (is_message(event, "x"))
        return troupe_machine_goto(ctx, machine, B);
    if (is_message(event, "y"))
        return troupe_machine_goto(ctx, machine, A);
    if (is_message(event, "z") && troupe_machine_state_now(machine) == A)
        return troupe_machine_postpone(ctx, machine);
    return 0;
}

static void test_goto_enters_the_new_state(void **state)
{
    (void)state;
    on_event = walk;
    tell_now("y"); /* in A already: nothing */
    assert_diary("A.y ");
    tell_now("x");
    assert_diary("A.x >B<A ");
    assert_string_equal(troupe_machine_state_name(machine_now), "B");
    tell_now("y");
    assert_diary("B.y >A<B ");
}

static void test_postponed_messages_come_first_in_the_new_state(void **state)
{
    (void)state;
    on_event = walk;
    tell_now("z");
    tell_now("z");
    tell("x");
    tell_now("y");
    assert_diary("A.z A.z A.x >B<A B.z B.z B.y >A<B ");
}

static int go_and_say_own(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (is_message(event, "x")) {
        assert_int_equal(troupe_machine_next_event(machine, "one", troupe_body_json("1", 1)), 0);
        assert_int_equal(troupe_machine_next_event(machine, "two", troupe_body_none()), 0);
        return troupe_machine_goto(ctx, machine, B);
    }
    if (event != NULL && event->kind == TROUPE_MACHINE_OWN && strcmp(event->name, "one") == 0) {
        assert_int_equal(event->body.len, 1);
        assert_memory_equal(event->body.ptr, "1", 1);
        assert_non_null(event->msg);
        assert_int_equal(troupe_machine_postpone(ctx, machine), TROUPE_E_STATE);
        return troupe_machine_next_event(machine, "three", troupe_body_none());
    }
    return walk(ctx, machine, event);
}

static void test_own_events_come_before_postponed_and_waiting_messages(void **state)
{
    (void)state;
    on_event = go_and_say_own;
    tell_now("z");
    tell("x");
    tell_now("y");
    assert_diary("A.z A.x >B<A B.own:one B.own:two B.own:three B.z B.y >A<B ");
}

static int loop_for_ever(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    (void)ctx;
    (void)event;
    diary[0] = '\0';
    return troupe_machine_next_event(machine, "again", troupe_body_none());
}

static void test_own_events_that_go_round_fail_the_actor(void **state)
{
    (void)state;
    troupe_stats stats;
    on_event = loop_for_ever;
    tell_now("x");
    troupe_system_stats(lab.system, &stats);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.actors, 0);
}

static int fill_events(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    static char large[TROUPE_BODY_BYTES_MAX + 1];

    (void)ctx;
    diary[0] = '\0';
    if (!is_message(event, "x"))
        return 0;
    assert_int_equal(troupe_machine_next_event(machine, "l", troupe_body_json(large, sizeof large)),
                     TROUPE_E_TOO_LARGE);
    for (unsigned i = 0; i < TROUPE_MACHINE_EVENTS_MAX; i++)
        assert_int_equal(troupe_machine_next_event(machine, "e", troupe_body_none()), 0);
    assert_int_equal(troupe_machine_next_event(machine, "e", troupe_body_none()), TROUPE_E_LIMIT);
    return TROUPE_E_INTERNAL; /* and what waits is freed with the actor */
}

static void test_own_events_are_bounded(void **state)
{
    (void)state;
    on_event = fill_events;
    tell_now("x");
    assert_false(lab_is_alive(&lab, &actor));
}

/* ---- what is refused ---- */

static int misuse_goto(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (!is_message(event, "x"))
        return 0;
    assert_int_equal(troupe_machine_goto(ctx, machine, 3), TROUPE_E_INVALID);
    assert_int_equal(troupe_machine_become(ctx, machine, &other_table, 1), TROUPE_E_INVALID);
    assert_int_equal(troupe_machine_tell(ctx, machine, "inside", troupe_body_none()), TROUPE_E_STATE);
    assert_int_equal(troupe_machine_goto(ctx, machine, B), 0);
    assert_int_equal(troupe_machine_goto(ctx, machine, C), TROUPE_E_STATE);
    assert_int_equal(troupe_machine_repeat(machine), TROUPE_E_STATE);
    return 0;
}

static int misuse_enter(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    (void)event;
    assert_int_equal(troupe_machine_goto(ctx, machine, C), TROUPE_E_STATE);
    assert_int_equal(troupe_machine_goto(ctx, machine, troupe_machine_state_now(machine)), TROUPE_E_STATE);
    assert_int_equal(troupe_machine_postpone(ctx, machine), TROUPE_E_STATE);
    assert_int_equal(troupe_machine_repeat(machine), TROUPE_E_STATE);
    return troupe_machine_next_event(machine, "entered", troupe_body_none());
}

static void test_what_a_phase_does_not_allow_is_refused(void **state)
{
    (void)state;
    on_event = misuse_goto;
    on_enter = misuse_enter;
    tell_now("x");
    assert_diary("A.x >B<A B.own:entered ");
}

static int answer_twice(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    (void)machine;
    (void)event;
    assert_int_equal(troupe_reply(ctx, troupe_body_none()), 0);
    return TROUPE_MACHINE_ELSE;
}

static int no(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    (void)ctx, (void)machine, (void)event;
    return TROUPE_MACHINE_ELSE;
}

static void test_a_call_that_no_state_takes_is_refused_by_name(void **state)
{
    struct lab_request request;

    (void)state;
    on_event = no;
    ask(&request);
    assert_int_equal(request.error, TROUPE_E_APP);
    assert_string_equal(request.body, "wrong_state");
    assert_string_equal(request.detail, "not in the state A");
    tell_now("x"); /* a cast is dropped */
    assert_true(lab_is_alive(&lab, &actor));

    on_event = answer_twice;
    ask(&request);
    assert_int_equal(request.error, 0);

    on_event = no;
    on_other = answer_twice;
    ask(&request);
    assert_int_equal(request.error, 0);
}

static int go_to_c(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    return is_message(event, "x") ? troupe_machine_goto(ctx, machine, C) : 0;
}

static int back_to_a(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    write_down("any.", event->name);
    return troupe_machine_goto(ctx, machine, A);
}

static void test_a_state_without_functions_leaves_all_to_the_table(void **state)
{
    (void)state;
    on_event = go_to_c;
    on_other = back_to_a;
    tell_now("x");
    assert_string_equal(troupe_machine_state_name(machine_now), "C");
    tell_now("y");
    assert_diary("A.x any.y >A<C ");
}

static int fail_now(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    (void)machine, (void)event;
    return troupe_fail(ctx, TROUPE_E_INTERNAL, "the test says so");
}

static void test_a_failing_function_fails_the_actor(void **state)
{
    struct lab_request request;

    (void)state;
    on_event = fail_now;
    ask(&request);
    assert_int_equal(request.error, TROUPE_E_ACTOR_FAILED);
    on_enter = fail_now; /* also that of the first state */
    assert_int_equal(spawn_machine(), TROUPE_E_START_FAILED);
}

static int start_wrong(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    (void)args;
    return troupe_machine_start(ctx, memory, &table, 3, memory);
}

static void test_a_machine_starts_in_a_state_that_there_is(void **state)
{
    troupe_behavior wrong = behavior;
    struct lab_request request = {.request.user = &request};
    troupe_spawn_opts opts = {.behavior = "wrong"};

    (void)state;
    wrong.name = "wrong";
    wrong.init = start_wrong;
    assert_int_equal(troupe_system_add_behavior(lab.system, &wrong), 0);
    troupe_request_spawn(lab.worker, &request.request, on_done, &opts);
    lab_run(&lab);
    assert_int_equal(request.error, TROUPE_E_INVALID);
}

/* ---- repeat, become, tell ---- */

static int say_repeat(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (is_message(event, "x"))
        return troupe_machine_repeat(machine);
    if (is_message(event, "y"))
        return troupe_machine_become(ctx, machine, &other_table, A);
    return walk(ctx, machine, event);
}

static void test_repeat_enters_again_and_changes_nothing_else(void **state)
{
    (void)state;
    on_event = say_repeat;
    tell_now("z");
    tell_now("x");
    assert_diary("A.z A.x >A<A "); /* z is still set aside */
}

static void test_become_takes_another_table(void **state)
{
    (void)state;
    on_event = say_repeat;
    tell_now("z");
    tell_now("y");
    assert_string_equal(troupe_machine_state_name(machine_now), "A2");
    on_event = NULL;
    tell_now("x");
    assert_diary("A.z A.y >B<A B.z B.x "); /* in the other table A is what B is in this one */
}

static int monitor_it(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    uint64_t id;

    (void)machine;
    if (!is_message(event, "x"))
        return walk(ctx, machine, event);
    return troupe_monitor(ctx, (troupe_ref){troupe_system_home(lab.system), actor.ref.slot, 1000}, &id);
}

static void test_an_event_can_be_told_from_another_hook(void **state)
{
    (void)state;
    on_event = monitor_it;
    tell_now("x");
    assert_diary("A.x A.own:down ");
}

/* ---- timeouts ---- */

static int set_all(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (!is_message(event, "z"))
        return walk(ctx, machine, event);
    assert_int_equal(troupe_machine_state_timeout(ctx, machine, 30), 0);
    assert_int_equal(troupe_machine_event_timeout(ctx, machine, 20), 0);
    assert_int_equal(troupe_machine_timeout(ctx, machine, "n1", 40), 0);
    return troupe_machine_timeout(ctx, machine, "n2", 50);
}

static void test_each_timeout_comes_once(void **state)
{
    (void)state;
    on_event = set_all;
    tell_now("z");
    lab_pass(&lab, 200);
    assert_diary("A.z A.event-timeout A.state-timeout A.timeout:n1 A.timeout:n2 ");
}

static int set_none_long(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    return is_message(event, "z") ? troupe_machine_state_timeout(ctx, machine, 0) : 0;
}

static void test_a_timeout_of_0_comes_behind_the_messages_that_wait(void **state)
{
    (void)state;
    on_event = set_none_long;
    tell("z");
    tell("x");
    tell("y");
    lab_run(&lab);
    lab_pass(&lab, 1);
    assert_diary("A.z A.x A.y A.state-timeout ");
}

static void test_whatever_happens_ends_the_event_timeout(void **state)
{
    (void)state;
    on_event = set_all;
    tell_now("z");
    tell_now("y");
    lab_pass(&lab, 200);
    assert_diary("A.z A.y A.state-timeout A.timeout:n1 A.timeout:n2 ");
}

static void test_a_change_of_the_state_ends_its_timeout(void **state)
{
    (void)state;
    on_event = set_all;
    tell_now("z");
    tell_now("x");
    lab_pass(&lab, 200);
    assert_diary("A.z A.x >B<A B.timeout:n1 B.timeout:n2 ");
}

static int go_then_set(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (!is_message(event, "x"))
        return 0;
    assert_int_equal(troupe_machine_state_timeout(ctx, machine, 10), 0);
    assert_int_equal(troupe_machine_goto(ctx, machine, B), 0);
    return troupe_machine_state_timeout(ctx, machine, 20);
}

static void test_a_timeout_set_behind_goto_is_the_new_states(void **state)
{
    (void)state;
    on_event = go_then_set;
    tell_now("x");
    lab_pass(&lab, 100);
    assert_diary("A.x >B<A B.state-timeout ");
}

static int set_again_or_cancel(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (is_message(event, "x")) {
        assert_int_equal(troupe_machine_state_timeout(ctx, machine, 30), 0);
        return troupe_machine_timeout(ctx, machine, "n", 29);
    }
    if (is_message(event, "y")) {
        assert_true(troupe_machine_state_timeout_cancel(ctx, machine));
        assert_false(troupe_machine_state_timeout_cancel(ctx, machine));
        assert_true(troupe_machine_timeout_cancel(ctx, machine, "n"));
        assert_false(troupe_machine_timeout_cancel(ctx, machine, "n"));
        assert_false(troupe_machine_timeout_cancel(ctx, machine, ""));
    }
    return 0;
}

static void test_a_timeout_set_again_begins_anew(void **state)
{
    (void)state;
    on_event = set_again_or_cancel;
    tell_now("x");
    lab_pass(&lab, 20);
    tell_now("x");
    lab_pass(&lab, 20);
    assert_diary("A.x A.x ");
    lab_pass(&lab, 20);
    assert_diary("A.timeout:n A.state-timeout ");
}

static void test_a_cancelled_timeout_does_not_come_though_it_was_on_its_way(void **state)
{
    (void)state;
    on_event = set_again_or_cancel;
    tell_now("x");
    lab.now_ns += 30 * 1000000u; /* both are due, and the cancel is in front of them */
    tell_now("y");
    lab_pass(&lab, 50);
    assert_diary("A.x A.y ");
}

static int too_many(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    char name[TROUPE_MACHINE_NAME_BYTES_MAX + 2] = "";

    if (!is_message(event, "x"))
        return 0;
    for (unsigned i = 0; i < TROUPE_MACHINE_TIMEOUTS_MAX; i++) {
        memset(name, 'a' + (int)i, TROUPE_MACHINE_NAME_BYTES_MAX);
        assert_int_equal(troupe_machine_timeout(ctx, machine, name, 1000), 0);
    }
    assert_int_equal(troupe_machine_timeout(ctx, machine, name, 500), 0); /* one that runs */
    assert_int_equal(troupe_machine_timeout(ctx, machine, "one more", 10), TROUPE_E_LIMIT);
    assert_int_equal(troupe_machine_timeout(ctx, machine, "", 10), TROUPE_E_INVALID);
    memset(name, 'x', TROUPE_MACHINE_NAME_BYTES_MAX + 1);
    assert_int_equal(troupe_machine_timeout(ctx, machine, name, 10), TROUPE_E_INVALID);
    memset(name, 'a', TROUPE_MACHINE_NAME_BYTES_MAX);
    name[TROUPE_MACHINE_NAME_BYTES_MAX] = '\0';
    assert_true(troupe_machine_timeout_cancel(ctx, machine, name));
    assert_int_equal(troupe_machine_timeout(ctx, machine, "n", TROUPE_TIMER_DELAY_MS_MAX + 1), TROUPE_E_INVALID);
    assert_false(troupe_machine_timeout_cancel(ctx, machine, "n")); /* it never was */
    return 0;
}

static void test_named_timeouts_are_bounded(void **state)
{
    (void)state;
    on_event = too_many;
    tell_now("x");
    assert_true(lab_is_alive(&lab, &actor));
}

static int postpone_timeout(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event)
{
    if (is_message(event, "y")) {
        assert_int_equal(troupe_machine_timeout(ctx, machine, "n", 10), 0);
        return troupe_machine_state_timeout(ctx, machine, 20);
    }
    if (event->kind == TROUPE_MACHINE_TIMEOUT && troupe_machine_state_now(machine) == A)
        return troupe_machine_postpone(ctx, machine);
    if (event->kind == TROUPE_MACHINE_STATE_TIMEOUT && troupe_machine_state_now(machine) == A) {
        assert_int_equal(troupe_machine_postpone(ctx, machine), 0);
        return troupe_machine_goto(ctx, machine, B);
    }
    return walk(ctx, machine, event);
}

static void test_a_postponed_timeout_comes_in_the_next_state(void **state)
{
    (void)state;
    on_event = postpone_timeout;
    tell_now("y");
    lab_pass(&lab, 100);
    assert_diary("A.y A.timeout:n A.state-timeout >B<A B.timeout:n B.state-timeout ");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_goto_enters_the_new_state),
        CASE(test_postponed_messages_come_first_in_the_new_state),
        CASE(test_own_events_come_before_postponed_and_waiting_messages),
        CASE(test_own_events_that_go_round_fail_the_actor),
        CASE(test_own_events_are_bounded),
        CASE(test_what_a_phase_does_not_allow_is_refused),
        CASE(test_a_call_that_no_state_takes_is_refused_by_name),
        CASE(test_a_state_without_functions_leaves_all_to_the_table),
        CASE(test_a_failing_function_fails_the_actor),
        CASE(test_a_machine_starts_in_a_state_that_there_is),
        CASE(test_repeat_enters_again_and_changes_nothing_else),
        CASE(test_become_takes_another_table),
        CASE(test_an_event_can_be_told_from_another_hook),
        CASE(test_each_timeout_comes_once),
        CASE(test_a_timeout_of_0_comes_behind_the_messages_that_wait),
        CASE(test_whatever_happens_ends_the_event_timeout),
        CASE(test_a_change_of_the_state_ends_its_timeout),
        CASE(test_a_timeout_set_behind_goto_is_the_new_states),
        CASE(test_a_timeout_set_again_begins_anew),
        CASE(test_a_cancelled_timeout_does_not_come_though_it_was_on_its_way),
        CASE(test_named_timeouts_are_bounded),
        CASE(test_a_postponed_timeout_comes_in_the_next_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
