/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking inside without memory: views, suspension, traces, clients' timers and timers that end others, with the first
 * allocation failing, then the second, and so on until none of them fails any more. Every request is answered once,
 * with no_memory or as it should be; what was promised before, a timer's message, an end, comes; and nothing is
 * left. */
#include "lib/lab.h"

#include "port/port.h"

#define ALLOCATIONS_MAX 10000u

static struct lab lab;
static struct puppet puppet, target;
static unsigned asked, answered, no_memory;
static troupe_request requests[64];

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    assert_null(request->user); /* once */
    request->user = request;
    answered++;
    no_memory += answer->error == TROUPE_E_NO_MEMORY;
    if (answer->error != 0 && answer->error != TROUPE_E_NO_MEMORY && answer->error != TROUPE_E_NOT_FOUND &&
        answer->error != TROUPE_E_NO_VIEW && answer->error != TROUPE_E_GONE)
        fail_msg("%s", troupe_error_lookup(answer->error)->code);
}

static troupe_request *next(void)
{
    troupe_request *request = &requests[asked++];

    *request = (troupe_request){0};
    return request;
}

static void set(const char *name, uint64_t after_ms, uint64_t every_ms)
{
    const troupe_timer_opts opts = {.name = troupe_view_of(name), .type = troupe_view_of("note"),
                                    .body = troupe_body_none(), .after_ms = after_ms, .every_ms = every_ms};

    troupe_request_timer_set(lab.worker, next(), on_done, puppet.ref, &opts, 1000);
    lab_run(&lab);
}

static int end_target(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_kill_after(ctx, self->other->ref, 30, &self->number);

    assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY);
    no_memory += rc != 0;
    return 0;
}

static void trace(uint32_t messages)
{
    troupe_request_trace(lab.worker, next(), on_done, puppet.ref, messages, true, 1000);
    lab_run(&lab);
}

static void do_later(puppet_fn fn)
{
    int rc = lab_do_later(&lab, &puppet, fn);

    assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY);
    no_memory += rc != 0;
    lab_run(&lab);
}

static void play(void)
{
    static struct lab_request stopped;

    trace(3);
    set("beat", 10, 10);
    set("beat", 20, 0);
    set("", 15, 0);
    do_later(end_target);
    troupe_request_view(lab.worker, next(), on_done, puppet.ref, 1000);
    troupe_request_timers(lab.worker, next(), on_done, puppet.ref, 1000);
    troupe_request_suspend(lab.worker, next(), on_done, puppet.ref, true, 1000);
    lab_pass(&lab, 12);
    troupe_request_suspend(lab.worker, next(), on_done, puppet.ref, false, 1000);
    lab_pass(&lab, 100);
    set("late", 1000, 0);
    troupe_request_timer_cancel(lab.worker, next(), on_done, puppet.ref, troupe_view_of("late"), 1000);
    trace(2);
    troupe__port_fail_after(0); /* from here on there is memory again */
    lab_run(&lab);
    /* The suspension may have held, if its end could not be asked for. */
    troupe_request_suspend(lab.worker, next(), on_done, puppet.ref, false, 1000);
    lab_pass(&lab, 100);
    lab_stop(&lab, puppet.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_true(stopped.done);
    assert_int_equal(answered, asked);
}

/* Whatever fails, what was accepted happens: with all memory there, one message of each timer and the end. */
static bool play_with(uint64_t failing)
{
    asked = answered = no_memory = 0;
    puppet = (struct puppet){.letter = 'p', .other = &target};
    target = (struct puppet){.letter = 't'};
    lab_open(&lab);
    lab_spawn(&lab, &puppet, NULL);
    lab_spawn(&lab, &target, NULL);
    troupe__port_fail_after(failing);
    play();
    troupe__port_fail_after(0);
    bool was_failed = no_memory > 0;
    if (failing == 0) {
        assert_int_equal(puppet.notes, 2);
        assert_int_equal(target.exit.cause, TROUPE_EXIT_KILLED);
    }
    lab_close(&lab);
    return was_failed;
}

static void test_every_allocation_fails_in_turn(void **state)
{
    unsigned quiet = 0, failures = 0;
    uint64_t n;

    (void)state;
    assert_false(play_with(0));
    for (n = 1; quiet < 20 && n < ALLOCATIONS_MAX; n++) { /* some are of events, whose loss nobody is told */
        bool failed = play_with(n);
        failures += failed;
        quiet = failed ? 0 : quiet + 1;
    }
    print_message("# %u of %llu failures were told\n", failures, (unsigned long long)n);
    assert_true(n < ALLOCATIONS_MAX);
    assert_true(failures > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_in_turn)};

    return cmocka_run_group_tests_name("fault_inspect", tests, NULL, NULL);
}
