/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking inside an actor and intervening: views, suspension, errors, figures; and that asking costs the asked
 * actor nothing that it would notice. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;

/* ---- glass: a behavior that shows its state ---- */

struct glass {
    uint64_t number;
};

static troupe_ref asked_by_glass; /* who a "wait" calls */

static int glass_waited(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)ctx, (void)reply;
    ((struct glass *)state)->number = 99;
    return 0;
}

static int glass_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct glass *glass = state;

    if (msg->op == 1)
        return troupe_call_wait(ctx, asked_by_glass, "ask", troupe_body_none(), 50, glass_waited, 0);
    if (msg->op == 2)
        return troupe_reply_error(ctx, TROUPE_E_LIMIT, "the glass is full");
    memcpy(&glass->number, msg->body, sizeof glass->number);
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_none()) : 0;
}

enum { SHOWS_NOTHING = 7, SHOWS_AN_ERROR = 8, MISBEHAVES = 9 };

static int glass_view(troupe_ctx *ctx, const void *state)
{
    const struct glass *glass = state;
    troupe_handle handle;
    char text[16] = "{\"n\":0}";

    text[5] = (char)('0' + glass->number % 10);
    switch (glass->number) {
    case SHOWS_NOTHING:
        return 0;
    case SHOWS_AN_ERROR:
        return troupe_fail(ctx, TROUPE_E_NO_MEMORY, "the glass is broken");
    case MISBEHAVES:
        assert_int_equal(troupe_reply_keep(ctx, &handle), TROUPE_E_STATE);
        troupe_stop_self(ctx, "a view must not do this");
        break;
    default:
        break;
    }
    return troupe_reply(ctx, troupe_body_json(text, strlen(text)));
}

static const troupe_type glass_types[] = {
    {.name = "set"}, {.name = "wait", .flags = TROUPE_TYPE_CAST}, {.name = "fill"}};

static const troupe_behavior glass_behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "glass", .version = "1.0.0", .types = glass_types, .types_count = 3,
    .state_bytes = sizeof(struct glass), .receive = glass_receive, .view = glass_view,
};

/* ---- asking ---- */

struct asked {
    troupe_request request;
    unsigned times;
    int error;
    char body[160], detail[80];
    troupe_ref ref;
    troupe_info info;
    uint64_t memory; /* of the system, when it was answered */
};

static uint64_t memory(void)
{
    troupe_stats stats;

    troupe_system_stats(lab.system, &stats);
    return stats.memory_bytes;
}

static void copy(char *to, size_t cap, troupe_view text)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len > 0)
        memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;

    asked->times++;
    asked->error = answer->error;
    asked->ref = answer->ref;
    copy(asked->body, sizeof asked->body, answer->body);
    copy(asked->detail, sizeof asked->detail, answer->detail);
    if (answer->info != NULL)
        asked->info = *answer->info;
    asked->memory = memory();
}

static troupe_request *fresh(struct asked *asked)
{
    memset(asked, 0, sizeof *asked);
    asked->request.user = asked;
    return &asked->request;
}

static const char *view_of(troupe_ref ref)
{
    static struct asked asked;

    troupe_request_view(lab.worker, fresh(&asked), on_done, ref, 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    return asked.error ? troupe_error_lookup(asked.error)->code : asked.body;
}

static int suspend(troupe_ref ref, bool on)
{
    static struct asked asked;

    troupe_request_suspend(lab.worker, fresh(&asked), on_done, ref, on, 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    return asked.error;
}

static int trace(troupe_ref ref, uint32_t messages, bool bodies)
{
    static struct asked asked;

    troupe_request_trace(lab.worker, fresh(&asked), on_done, ref, messages, bodies, 1000);
    lab_run(&lab);
    assert_int_equal(asked.times, 1);
    return asked.error;
}

static const troupe_info *info_of(troupe_ref ref)
{
    static struct asked asked;

    troupe_request_info(lab.worker, fresh(&asked), on_done, ref, 1000);
    lab_run(&lab);
    assert_int_equal(asked.error, 0);
    return &asked.info;
}

static troupe_peek peek_at(troupe_ref ref)
{
    troupe_peek peek;

    assert_int_equal(troupe_system_peek(lab.system, ref, &peek), 0);
    return peek;
}

static troupe_ref spawn_glass(void)
{
    static struct asked asked;
    const troupe_spawn_opts opts = {.behavior = "glass"};

    troupe_request_spawn(lab.worker, fresh(&asked), on_done, &opts);
    lab_run(&lab);
    assert_int_equal(asked.error, 0);
    return asked.ref;
}

static void set_glass(troupe_ref ref, uint64_t number)
{
    assert_int_equal(troupe_worker_cast(lab.worker, ref, troupe_view_of("set"),
                                        troupe_body_bytes(&number, sizeof number, "application/octet-stream"),
                                        (troupe_caller){0}), 0);
    lab_run(&lab);
}

static int set_up(void **state)
{
    (void)state;
    lab_open(&lab);
    assert_int_equal(troupe_system_add_behavior(lab.system, &glass_behavior), 0);
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

/* ---- views ---- */

static void test_a_view_shows_the_state(void **state)
{
    troupe_ref glass = spawn_glass();

    (void)state;
    assert_string_equal(view_of(glass), "{\"n\":0}");
    set_glass(glass, 5);
    assert_string_equal(view_of(glass), "{\"n\":5}");
    assert_int_equal(peek_at(glass).processed, 1); /* looking is no message */
}

static void test_a_view_is_shown_while_the_actor_waits_for_a_call_or_is_suspended(void **state)
{
    PUPPET(silent, 's');
    troupe_ref glass = spawn_glass();

    (void)state;
    silent.on_ask = puppet_keep;
    lab_spawn(&lab, &silent, NULL);
    asked_by_glass = silent.ref;
    set_glass(glass, 3);
    assert_int_equal(troupe_worker_cast(lab.worker, glass, troupe_view_of("wait"), troupe_body_none(),
                                        (troupe_caller){0}), 0);
    lab_run(&lab);
    assert_string_equal(view_of(glass), "{\"n\":3}");
    assert_int_equal(suspend(glass, true), 0);
    assert_string_equal(view_of(glass), "{\"n\":3}");
    lab_pass(&lab, 100); /* the deadline of the call has passed, but its continuation may not run */
    assert_string_equal(view_of(glass), "{\"n\":3}");
    assert_int_equal(suspend(glass, false), 0);
    assert_string_equal(view_of(glass), "{\"n\":9}"); /* 99: it ran, once resumed */
}

static void test_a_behavior_without_a_view_says_so(void **state)
{
    PUPPET(puppet, 'p');

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_string_equal(view_of(puppet.ref), "no_view");
    assert_true(lab_is_alive(&lab, &puppet));
}

static void test_a_bad_view_does_the_actor_no_harm(void **state)
{
    troupe_ref glass = spawn_glass();

    (void)state;
    set_glass(glass, SHOWS_NOTHING);
    assert_string_equal(view_of(glass), "no_reply");
    set_glass(glass, SHOWS_AN_ERROR);
    assert_string_equal(view_of(glass), "no_memory");
    set_glass(glass, MISBEHAVES);
    assert_string_equal(view_of(glass), "{\"n\":9}");
    set_glass(glass, 1);
    assert_string_equal(view_of(glass), "{\"n\":1}");
    assert_int_equal(info_of(glass)->last_error, 0); /* those are no errors of its calls */
}

static int stay_starting(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx, (void)self;
    return TROUPE_STARTING;
}

static void test_an_actor_that_has_not_started_shows_nothing(void **state)
{
    PUPPET(starting, 's');
    static struct lab_request spawned;

    (void)state;
    starting.on_init = stay_starting;
    lab_spawn_later(&lab, &starting, NULL, &spawned);
    lab_run(&lab);
    assert_string_equal(view_of(starting.ref), "not_running");
}

static void test_a_question_to_a_dead_actor_is_answered(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request stopped;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    lab_stop(&lab, puppet.ref, TROUPE_KILL, &stopped, 100);
    lab_run(&lab);
    assert_string_equal(view_of(puppet.ref), "gone");
    assert_int_equal(suspend(puppet.ref, true), TROUPE_E_GONE);
    assert_int_equal(trace(puppet.ref, 5, true), TROUPE_E_GONE); /* and nothing of it is left: see the tear-down */
}

/* It ends while the request waits in its lane. */
static void test_a_question_to_one_who_is_being_killed_is_answered(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request killed;
    static struct asked asked[4];
    const troupe_timer_opts timer = {.name = troupe_view_of("late"), .type = troupe_view_of("note"),
                                     .body = troupe_body_none(), .after_ms = 10};

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    lab_stop(&lab, puppet.ref, TROUPE_KILL, &killed, 100);
    troupe_request_view(lab.worker, fresh(&asked[0]), on_done, puppet.ref, 1000);
    troupe_request_trace(lab.worker, fresh(&asked[1]), on_done, puppet.ref, 5, true, 1000);
    troupe_request_timer_set(lab.worker, fresh(&asked[2]), on_done, puppet.ref, &timer, 1000);
    troupe_request_suspend(lab.worker, fresh(&asked[3]), on_done, puppet.ref, true, 1000);
    lab_run(&lab);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(asked[i].times, 1);
        assert_true(asked[i].error == TROUPE_E_GONE || asked[i].error == TROUPE_E_NOT_RUNNING);
    }
}

/* ---- suspension ---- */

static void test_a_suspended_actor_handles_nothing_and_then_all_in_order(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request asked;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(suspend(puppet.ref, true), 0);
    assert_int_equal(suspend(puppet.ref, true), 0); /* twice is as good as once */
    assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_ask(&lab, &puppet, &asked, 1000);
    assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab);
    lab_pass(&lab, 10);
    assert_int_equal(puppet.notes + puppet.asks, 0);
    assert_true(peek_at(puppet.ref).is_suspended);
    assert_int_equal(peek_at(puppet.ref).mailbox_depth, 3);
    lab.log[0] = '\0';
    assert_int_equal(suspend(puppet.ref, false), 0);
    assert_string_equal(lab.log, "pnpqpn");
    assert_true(asked.done);
    assert_int_equal(asked.error, 0);
    assert_false(peek_at(puppet.ref).is_suspended);
}

static void test_the_mailbox_of_a_suspended_actor_has_its_bound(void **state)
{
    PUPPET(puppet, 'p');
    const troupe_spawn_opts opts = {.mailbox_messages_max = 4};

    (void)state;
    lab_spawn(&lab, &puppet, &opts);
    assert_int_equal(suspend(puppet.ref, true), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(lab_note(&lab, &puppet), 0);
        lab_run(&lab);
    }
    assert_int_equal(lab_note(&lab, &puppet), TROUPE_E_FULL);
    assert_int_equal(suspend(puppet.ref, false), 0);
    assert_int_equal(puppet.notes, 4);
    assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab);
    assert_int_equal(puppet.notes, 5);
}

static void test_stop_and_kill_do_not_wait_for_a_resume(void **state)
{
    PUPPET(stopped, 's');
    PUPPET(killed, 'k');
    static struct lab_request stop, kill, waits;

    (void)state;
    lab_spawn(&lab, &stopped, NULL);
    lab_spawn(&lab, &killed, NULL);
    assert_int_equal(suspend(stopped.ref, true), 0);
    assert_int_equal(suspend(killed.ref, true), 0);
    lab_ask(&lab, &stopped, &waits, 1000);
    lab_stop(&lab, stopped.ref, TROUPE_STOP, &stop, 100);
    lab_stop(&lab, killed.ref, TROUPE_KILL, &kill, 100);
    lab_run(&lab);
    assert_true(stop.done && kill.done);
    assert_int_equal(stopped.stops, 1);
    assert_int_equal(stopped.exit.cause, TROUPE_EXIT_STOPPED);
    assert_int_equal(killed.exit.cause, TROUPE_EXIT_KILLED);
    assert_int_equal(waits.error, TROUPE_E_STOPPED); /* what waited is answered */
}

/* A drain finishes what was accepted: a suspended actor would never come to that. */
static void test_a_drain_resumes(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request drained;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(suspend(puppet.ref, true), 0);
    assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab);
    lab_stop(&lab, puppet.ref, TROUPE_DRAIN, &drained, 100);
    lab_run(&lab);
    assert_int_equal(puppet.notes, 1);
    assert_int_equal(puppet.exit.cause, TROUPE_EXIT_DRAINED);
    assert_true(drained.done);
}

static int start_ticking(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_timer_every(ctx, 10, TROUPE_EVERY_SKIP, "note", troupe_body_none(), &self->number);
}

static void test_a_timer_of_a_suspended_actor_waits_with_one_message(void **state)
{
    PUPPET(puppet, 'p');

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    lab_do(&lab, &puppet, start_ticking);
    assert_int_equal(suspend(puppet.ref, true), 0);
    lab_pass(&lab, 1000);
    assert_int_equal(puppet.timers, 0);
    assert_int_equal(peek_at(puppet.ref).mailbox_depth, 1);
    assert_int_equal(suspend(puppet.ref, false), 0);
    assert_int_equal(puppet.timers, 1); /* skip: those missed are gone */
    lab_pass(&lab, 100);
    assert_in_range(puppet.timers, 10, 11);
}

static int spawn_permanent(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.restart = TROUPE_PERMANENT});
}

static void test_a_restart_forgets_the_suspension(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(worker, 'w');

    (void)state;
    parent.other = &worker;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_permanent);
    assert_int_equal(suspend(worker.ref, true), 0);
    lab_do(&lab, &parent, puppet_kill_other);
    assert_int_equal(worker.inits, 2);
    assert_false(peek_at(worker.ref).is_suspended);
    assert_int_equal(lab_note(&lab, &worker), 0);
    lab_run(&lab);
    assert_int_equal(worker.notes, 1);
}

/* ---- info ---- */

static void test_info_tells_the_last_error_and_the_memory(void **state)
{
    troupe_ref glass = spawn_glass();
    static struct lab_request asked;
    struct puppet puppet = {.ref = glass};
    const troupe_info *info = info_of(glass);

    (void)state;
    assert_int_equal(info->last_error, 0);
    assert_int_equal(info->mailbox_bytes, 0);
    uint64_t idle_bytes = info->memory_bytes;
    lab_pass(&lab, 5);
    lab_ask_type(&lab, &puppet, "fill", &asked, 1000);
    lab_run(&lab);
    assert_int_equal(asked.error, TROUPE_E_LIMIT);
    info = info_of(glass);
    assert_int_equal(info->last_error, TROUPE_E_LIMIT);
    assert_string_equal(info->last_error_detail, "the glass is full");
    assert_int_equal(info->last_error_ms, lab.now_ns / 1000000);
    assert_int_equal(suspend(glass, true), 0);
    char large[1000] = {0};
    assert_int_equal(troupe_worker_cast(lab.worker, glass, troupe_view_of("set"), troupe_body_json(large, sizeof large),
                                        (troupe_caller){0}), 0);
    lab_run(&lab);
    info = info_of(glass);
    assert_in_range(info->mailbox_bytes, 1000, 1000 + 200);
    assert_true(info->memory_bytes > idle_bytes + 1000);
    assert_true(info->peek.is_suspended);
}

static void test_a_peek_tells_the_parent(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(kid, 'k');

    (void)state;
    parent.other = &kid;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, puppet_spawn_other);
    assert_true(troupe_ref_equal(peek_at(kid.ref).parent, parent.ref));
    assert_false(troupe_ref_is_actor(peek_at(parent.ref).parent));
}

static void test_figures_of_a_behavior_count_its_actors_alone(void **state)
{
    PUPPET(puppet, 'p');
    troupe_behavior_stats stats;
    troupe_ref glass = spawn_glass();

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    for (uint64_t i = 0; i < 5; i++)
        set_glass(glass, i);
    lab_do(&lab, &puppet, puppet_fail);
    troupe_system_behavior_stats(lab.system, &glass_behavior, &stats);
    assert_int_equal(stats.actors, 1);
    assert_int_equal(stats.spawned, 1);
    assert_int_equal(stats.messages, 5);
    assert_in_range(stats.turns, 5, 7);
    assert_int_equal(stats.failed, 0);
    troupe_system_behavior_stats(lab.system, troupe_system_behavior(lab.system, troupe_view_of("puppet")), &stats);
    assert_int_equal(stats.actors, 0);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.messages, 1);
    troupe_behavior stranger = glass_behavior;
    troupe_system_behavior_stats(lab.system, &stranger, &stats);
    assert_int_equal(stats.spawned, 0);
}

/* ---- asking costs nothing ---- */

enum { CURIOUS = 1000, NOTES = 50 };

/* A thousand questions wait when the actor gets its turn: between any TROUPE_TURN_SYSTEM_MAX of them and the next, it
 * has handled a message. */
static void test_a_flood_of_questions_does_not_hold_up_messages(void **state)
{
    PUPPET(puppet, 'p');
    static struct asked asked[CURIOUS];
    unsigned turns = 0, answered = 0;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    for (unsigned i = 0; i < NOTES; i++)
        assert_int_equal(lab_note(&lab, &puppet), 0);
    for (unsigned i = 0; i < CURIOUS; i++) {
        if (i % 2)
            troupe_request_timers(lab.worker, fresh(&asked[i]), on_done, puppet.ref, 1000);
        else
            troupe_request_info(lab.worker, fresh(&asked[i]), on_done, puppet.ref, 1000);
    }
    for (; puppet.notes < NOTES; turns++) {
        assert_in_range(turns, 0, CURIOUS);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
        for (answered = 0; answered < CURIOUS && asked[answered].times > 0;)
            answered++;
        assert_true(puppet.notes == NOTES || answered <= (puppet.notes + 1) * TROUPE_TURN_SYSTEM_MAX);
    }
    assert_true(answered < CURIOUS); /* the messages were through first */
    lab_run(&lab);
    for (unsigned i = 0; i < CURIOUS; i++)
        assert_int_equal(asked[i].times, 1);
}

/* What is needed is made by who asks: when it is answered the system has no more memory than when it was asked. */
static void test_the_asked_actor_allocates_nothing(void **state)
{
    static struct asked asked[5];
    troupe_ref glass = spawn_glass();

    (void)state;
    set_glass(glass, 3);
    troupe_request_info(lab.worker, fresh(&asked[0]), on_done, glass, 1000);
    troupe_request_view(lab.worker, fresh(&asked[1]), on_done, glass, 1000);
    troupe_request_timers(lab.worker, fresh(&asked[2]), on_done, glass, 1000);
    troupe_request_timer_cancel(lab.worker, fresh(&asked[3]), on_done, glass, troupe_view_of("none"), 1000);
    troupe_request_suspend(lab.worker, fresh(&asked[4]), on_done, glass, false, 1000);
    uint64_t before = memory();
    lab_run(&lab);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(asked[i].times, 1);
        assert_true(asked[i].memory <= before);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_view_shows_the_state),
        TEST(test_a_view_is_shown_while_the_actor_waits_for_a_call_or_is_suspended),
        TEST(test_a_behavior_without_a_view_says_so),
        TEST(test_a_bad_view_does_the_actor_no_harm),
        TEST(test_an_actor_that_has_not_started_shows_nothing),
        TEST(test_a_question_to_a_dead_actor_is_answered),
        TEST(test_a_question_to_one_who_is_being_killed_is_answered),
        TEST(test_a_suspended_actor_handles_nothing_and_then_all_in_order),
        TEST(test_the_mailbox_of_a_suspended_actor_has_its_bound),
        TEST(test_stop_and_kill_do_not_wait_for_a_resume),
        TEST(test_a_drain_resumes),
        TEST(test_a_timer_of_a_suspended_actor_waits_with_one_message),
        TEST(test_a_restart_forgets_the_suspension),
        TEST(test_info_tells_the_last_error_and_the_memory),
        TEST(test_a_peek_tells_the_parent),
        TEST(test_figures_of_a_behavior_count_its_actors_alone),
        TEST(test_a_flood_of_questions_does_not_hold_up_messages),
        TEST(test_the_asked_actor_allocates_nothing),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
