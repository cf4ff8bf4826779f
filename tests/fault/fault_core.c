/* SPDX-License-Identifier: Apache-2.0
 *
 * The core without memory: one scenario that touches all of it, run with the first allocation failing, then the second,
 * and so on until none of them fails any more. And once more with all allocations failing from some step on.
 *
 * Whatever fails, nothing crashes or leaks; every refusal says no_memory (or follows from one: an actor that could not
 * be started is not found later); every request is answered once; and the end of the system needs no memory at all.
 *
 * In a sanitizer build each block of a pool is an allocation of its own, so there every single one fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "port/port.h"

#define REQUESTS 32u
#define READERS 4u
#define ALLOCATIONS_MAX 100000u

/* ---- the world of one run ---- */

static struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    troupe_ref refs[8]; /* of the actors by their number; zeroed: it was not started */
    unsigned no_memory; /* refusals seen */
    unsigned inits, finis;
    struct {
        troupe_request request;
        unsigned started, done;
    } requests[REQUESTS];
    unsigned requests_count;
    troupe_subscription readers[READERS];
    unsigned events;
} world;

/* A result that may be: success, no memory, or what follows from an earlier one. */
static int check(int rc)
{
    switch (rc) {
    case TROUPE_E_NO_MEMORY:
        world.no_memory++;
        return rc;
    case 0:
    case TROUPE_E_NOT_FOUND:
    case TROUPE_E_GONE:
    case TROUPE_E_STATE:
    case TROUPE_E_NAME_TAKEN:
    case TROUPE_E_STOPPED:
    case TROUPE_E_ENDED:
    case TROUPE_E_DRAINING:
    case TROUPE_E_TIMEOUT:
    case TROUPE_E_NO_REPLY:
    case TROUPE_E_ACTOR_FAILED:
    case TROUPE_E_KILLED:
    case TROUPE_E_START_FAILED:
    case TROUPE_E_APP:
    case TROUPE_E_UNREACHABLE:
        return rc;
    default:
        fail_msg("an unexpected error: %s", troupe_error_lookup(rc)->code);
        return rc;
    }
}

/* ---- the actor: does what the functions say that are sent to it ---- */

struct state {
    unsigned number;
    void *block;
    troupe_handle kept;
    unsigned char rest[100]; /* too large to be kept in the slot */
};

typedef int (*turn_fn)(troupe_ctx *ctx, struct state *state);

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;

    world.inits++;
    memcpy(&state->number, args->body, sizeof state->number);
    world.refs[state->number] = troupe_self(ctx);
    state->block = troupe_alloc(3000);
    if (state->block == NULL)
        return check(TROUPE_E_NO_MEMORY);
    void *more = troupe_realloc(state->block, 9000);
    if (more == NULL)
        return check(TROUPE_E_NO_MEMORY); /* fini frees the old block */
    state->block = more;
    return 0;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    turn_fn fn;

    switch (msg->op) {
    case 0:
        memcpy(&fn, msg->body, sizeof fn);
        return fn(ctx, state);
    case 1:
        check(troupe_reply(ctx, troupe_body_of(msg)));
        return 0;
    case 2:
        check(troupe_reply_keep(ctx, &state->kept));
        return 0;
    default:
        check(troupe_reply_app_error(ctx, "no", 409, "the test says so"));
        return 0;
    }
}

static int down(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    (void)ctx;
    (void)memory;
    (void)event;
    return 0;
}

static int child(troupe_ctx *ctx, void *memory, const troupe_child_event *event)
{
    (void)ctx;
    (void)memory;
    (void)event;
    return 0;
}

static void fini(void *memory)
{
    struct state *state = memory;

    world.finis += state->number != 0; /* 0: init never ran */
    troupe_free(state->block);
}

static const troupe_type types[] = {{.name = "do"}, {.name = "echo"}, {.name = "keep"}, {.name = "refuse"}};
static const troupe_behavior behavior = {TROUPE_BEHAVIOR_HEAD,
                                         .name = "worker",
                                         .version = "1.0.0",
                                         .summary = "does what it is told",
                                         .types = types,
                                         .types_count = 4,
                                         .state_bytes = sizeof(struct state),
                                         .flags = TROUPE_BEHAVIOR_TRAP_EXIT,
                                         .init = init,
                                         .receive = receive,
                                         .down = down,
                                         .child = child,
                                         .fini = fini};

/* ---- turns ---- */

static const char big[20000]; /* larger than any class of the pool */

static int spawn(troupe_ctx *ctx, unsigned number, enum troupe_restart restart, const char *name, bool link)
{
    troupe_ref ref;
    troupe_spawn_opts opts = {.behavior = "worker",
                              .args = troupe_body_bytes(&number, sizeof number, "a/b"),
                              .restart = restart,
                              .name = troupe_view_of(name),
                              .child_tag = number,
                              .link = link,
                              .backoff_min_ms = number == 3 ? 10 : 0,
                              .backoff_max_ms = number == 3 ? 20 : 0};

    return check(troupe_spawn(ctx, &opts, &ref));
}

static int do_spawn(troupe_ctx *ctx, struct state *state)
{
    (void)state;
    spawn(ctx, 2, TROUPE_PERMANENT, "two", false);
    spawn(ctx, 3, TROUPE_TRANSIENT, "", true);
    spawn(ctx, 4, TROUPE_TEMPORARY, "four", false);
    check(troupe_supervise(ctx, &(troupe_supervision){.restarts = 10, .period_ms = 1000}));
    return 0;
}

static int do_bonds(troupe_ctx *ctx, struct state *state)
{
    uint64_t monitor = 0;

    (void)state;
    for (unsigned number = 2; number < 8; number++) {
        troupe_ref ref = world.refs[number];
        if (!troupe_ref_is_actor(ref))
            continue;
        check(troupe_monitor(ctx, ref, &monitor));
        if (number == 2 && monitor != 0)
            check(troupe_demonitor(ctx, monitor));
        check(troupe_link(ctx, ref));
        if (number == 4)
            check(troupe_unlink(ctx, ref));
    }
    return 0;
}

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    (void)ctx;
    (void)memory;
    check(reply->status);
    return 0;
}

static int do_messages(troupe_ctx *ctx, struct state *state)
{
    troupe_body small = troupe_body_bytes(big, 100, "application/x-small"),
                large = troupe_body_bytes(big, sizeof big, NULL);

    (void)state;
    for (unsigned number = 2; number < 8; number++) {
        troupe_ref ref = world.refs[number];
        if (!troupe_ref_is_actor(ref))
            continue;
        check(troupe_cast(ctx, ref, "echo", small));
        check(troupe_cast(ctx, ref, "echo", large));
        check(troupe_call(ctx, ref, "echo", large, 100, on_reply, 1));
        check(troupe_call(ctx, ref, "keep", small, 50, on_reply, 2));
        check(troupe_call(ctx, ref, "refuse", small, 100, on_reply, 3));
    }
    check(troupe_call_wait(ctx, world.refs[2], "echo", small, 100, on_reply, 4));
    return 0;
}

static int do_timers_and_names(troupe_ctx *ctx, struct state *state)
{
    uint64_t timer = 0;
    troupe_ref ref;
    troupe_body body = troupe_body_bytes(big, 300, "application/x-timer");

    (void)state;
    check(troupe_timer_after(ctx, 5, "refuse", body, &timer));
    check(troupe_timer_every(ctx, 7, TROUPE_EVERY_SKIP, "refuse", body, &timer));
    check(troupe_timer_at(ctx, troupe_now_ms(ctx) + 9, "refuse", body, &timer));
    if (timer != 0)
        check(troupe_timer_cancel(ctx, timer));
    check(troupe_name_register(ctx, troupe_view_of("second name")));
    check(troupe_name_register(ctx, troupe_view_of("third name")));
    check(troupe_name_release(ctx, troupe_view_of("second name")));
    check(troupe_whereis(ctx, troupe_view_of("third name"), &ref));
    return 0;
}

static int do_publish(troupe_ctx *ctx, struct state *state)
{
    char id[TROUPE_EVENT_ID_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < 20; i++) /* the ring grows once */
        check(troupe_publish(ctx, "small", troupe_body_bytes(big, 10, NULL)));
    check(troupe_publish_id(ctx, "large", troupe_body_bytes(big, sizeof big, "application/x-large"), id));
    return 0;
}

static int do_answer_kept(troupe_ctx *ctx, struct state *state)
{
    check(troupe_reply_to(ctx, state->kept, troupe_body_bytes(big, sizeof big, NULL)));
    return 0;
}

static int do_fail(troupe_ctx *ctx, struct state *state)
{
    (void)state;
    return troupe_fail(ctx, TROUPE_E_APP, "the test says so");
}

/* ---- asking from outside ---- */

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    ++*(unsigned *)request->user;
    check(answer->error);
    if (answer->exit != NULL)
        assert_true(answer->error == 0 || answer->exit->cause == TROUPE_EXIT_NOPROC);
}

static troupe_request *next_request(void)
{
    unsigned i = world.requests_count++;

    assert_in_range(i, 0, REQUESTS - 1);
    world.requests[i].started = 1;
    world.requests[i].request.user = &world.requests[i].done;
    return &world.requests[i].request;
}

static void tell(unsigned number, turn_fn fn)
{
    if (troupe_ref_is_actor(world.refs[number]))
        check(troupe_worker_cast(world.worker, world.refs[number], troupe_view_of("do"),
                                 troupe_body_bytes(&fn, sizeof fn, NULL),
                                 (troupe_caller){.subject = troupe_view_of("tester")}));
}

static void ask_spawn(unsigned number, enum troupe_restart restart)
{
    troupe_spawn_opts opts = {.behavior = "worker",
                              .args = troupe_body_bytes(&number, sizeof number, NULL),
                              .name = number == 1 ? troupe_view_of("one") : troupe_view_of(""),
                              .restart = restart};

    troupe_request_spawn(world.worker, next_request(), on_done, &opts);
}

static void ask_call(unsigned number, const char *type)
{
    troupe_request_call(world.worker, next_request(), on_done, world.refs[number], troupe_view_of(type),
                        troupe_body_bytes(big, 5000, "x/y"), (troupe_caller){.subject = troupe_view_of("tester")}, 200);
}

static void run(void)
{
    for (unsigned polls = 0; troupe_worker_poll(world.worker, world.now_ns, 16) == 0; polls++)
        assert_in_range(polls, 0, 10000);
}

static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        world.now_ns += 1000000;
        run();
    }
}

/* ---- the scenario, in steps ---- */

static void step_first(void) { ask_spawn(1, TROUPE_TEMPORARY); }
static void step_second(void) { ask_spawn(5, TROUPE_TRANSIENT); }
static void step_spawn(void) { tell(1, do_spawn); }
static void step_bonds(void) { tell(1, do_bonds); }
static void step_messages(void)
{
    tell(1, do_messages);
    tell(2, do_messages);
}
static void step_timers(void) { tell(1, do_timers_and_names); }
static void step_calls(void)
{
    ask_call(1, "echo");
    ask_call(5, "echo");
    ask_call(5, "keep");
    ask_call(4, "refuse");
}
static void step_kept(void)
{
    tell(2, do_answer_kept);
    tell(5, do_answer_kept);
}
static void step_info(void) { troupe_request_info(world.worker, next_request(), on_done, world.refs[1], 100); }

/* One subscriber for each actor; whoever is ready reads all. */
static void on_ready(troupe_subscription *subscription)
{
    troupe_event event;
    int rc;

    while ((rc = troupe_subscription_read(subscription, &event)) == 1)
        world.events++;
    check(rc);
}

static void step_subscribe(void)
{
    static const unsigned numbers[READERS] = {1, 2, 4, 5};

    for (unsigned i = 0; i < READERS; i++) {
        troupe_subscription *reader = &world.readers[i];
        troupe_unsubscribe(reader);
        reader->ready = on_ready;
        if (troupe_ref_is_actor(world.refs[numbers[i]]))
            check(troupe_subscribe(world.worker, reader, world.refs[numbers[i]],
                                   i % 2 ? TROUPE_FROM_OLDEST : TROUPE_FROM_NOW, (troupe_event_id){0}));
    }
}
static void step_publish(void)
{
    tell(1, do_publish);
    tell(2, do_publish);
    tell(5, do_publish);
}

/* A topic of the system, from its beginning to its end. */
static void step_topic(void)
{
    troupe_topic *topic;
    troupe_subscription reader = {.ready = on_ready};

    if (check(troupe_topic_new(world.system, &topic)))
        return;
    int rc = check(troupe_subscribe_to(world.worker, &reader, topic, TROUPE_FROM_OLDEST, (troupe_event_id){0}));
    for (unsigned i = 0; i < 3; i++)
        check(troupe_topic_publish(topic, troupe_view_of("t"), troupe_body_bytes(big, 10, "x/y"), NULL));
    run();
    troupe_topic_drop(topic);
    run();
    if (rc == 0)
        troupe_unsubscribe(&reader);
}

/* Who monitors is told once; who has taken it back never. */
static void step_monitor(void)
{
    troupe_request taken_back = {0};
    unsigned told = 0;

    for (unsigned number = 1; number < 6; number += 2)
        troupe_request_monitor(world.worker, next_request(), on_done, world.refs[number]);
    taken_back.user = &told;
    troupe_request_monitor(world.worker, &taken_back, on_done, world.refs[1]);
    unsigned at_once = told;
    run();
    troupe_request_cancel(&taken_back);
    assert_true(told == at_once || world.no_memory != 0);
}

/* Names of another home, and one that the cluster takes away. */
static void step_names(void)
{
    troupe_ref far = {{0, 77}, 1, 1}, holder;

    check(troupe_system_name_put(world.system, troupe_view_of("far"), far, &holder));
    check(troupe_system_name_drop(world.system, troupe_view_of("far"), far));
    if (troupe_ref_is_actor(world.refs[1]))
        check(troupe_system_name_drop(world.system, troupe_view_of("third name"), world.refs[1]));
}
static void step_time(void) { pass(30); }
static void step_fail(void)
{
    tell(2, do_fail);
    tell(3, do_fail);
    tell(5, do_fail);
}
static void step_kill(void)
{
    troupe_request_stop(world.worker, next_request(), on_done, world.refs[4], TROUPE_KILL, troupe_view_of("x"), 100);
}
static void step_drain(void)
{
    ask_call(3, "echo");
    troupe_request_stop(world.worker, next_request(), on_done, world.refs[3], TROUPE_DRAIN, troupe_view_of("x"), 100);
}

static void (*const steps[])(void) = {
    step_first, step_second,    step_spawn,   step_bonds,    step_messages, step_timers, step_calls, step_kept,
    step_info,  step_subscribe, step_publish, step_monitor,  step_topic,    step_names,  step_time,  step_fail,
    step_time,  step_subscribe, step_publish, step_messages, step_calls,    step_kill,   step_drain, step_time};
#define STEPS (sizeof steps / sizeof steps[0])

/* Run it all. fails_from: the step from which each step begins with a failing allocation. */
static void play(size_t fails_from)
{
    troupe_system_config config = {.workers = 1, .node = 9, .seed = 9, .actors_max = 1000};
    troupe_stats stats;

    memset(&world, 0, sizeof world);
    world.now_ns = 1000000000;
    int rc = check(troupe_system_new(&config, &world.system));
    if (rc != 0) {
        assert_int_equal(rc, TROUPE_E_NO_MEMORY);
        return;
    }
    world.worker = troupe_system_worker(world.system, 0);
    troupe_worker_set_now(world.worker, world.now_ns);
    rc = check(troupe_system_add_behavior(world.system, &behavior));
    if (rc == 0) {
        run();
        troupe_system_stats(world.system, &stats);
        uint64_t baseline = stats.memory_bytes;
        for (size_t i = 0; i < STEPS; i++) {
            if (i >= fails_from)
                troupe__port_fail_after(1 + i % 3);
            steps[i]();
            run();
        }
        pass(300); /* every deadline passes */
        troupe_system_shutdown(world.worker, TROUPE_STOP, 1000);
        run();
        pass(1500); /* a failure at its very beginning costs it a pass */
        for (unsigned i = 0; i < READERS; i++)
            troupe_unsubscribe(&world.readers[i]);
        run();
        troupe_system_stats(world.system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(stats.names, 0);
        assert_true(stats.memory_bytes <= baseline);
        assert_int_equal(world.inits, world.finis);
        for (unsigned i = 0; i < REQUESTS; i++)
            assert_int_equal(world.requests[i].done, world.requests[i].started);
    }
    for (unsigned i = 0; i < READERS; i++)
        troupe_unsubscribe(&world.readers[i]);
    troupe_system_free(world.system);
}

/* Has the failure that was ordered for the n-th allocation not come yet? */
static bool is_still_ordered(uint64_t n)
{
    bool ordered = false;

    for (uint64_t i = 0; i < n && !ordered; i++) {
        void *block = troupe__port_alloc(16);
        ordered = block == NULL;
        troupe__port_free(block, 16);
    }
    troupe__port_fail_after(0);
    return ordered;
}

static void test_the_scenario_itself_needs_no_mercy(void **state)
{
    (void)state;
    troupe__port_fail_after(0);
    play(STEPS);
    assert_int_equal(world.no_memory, 0);
    assert_true(world.inits >= 7); /* five actors, and restarts */
    assert_true(world.events > 80);
}

static void test_each_allocation_fails_in_turn(void **state)
{
    uint64_t n = 1, told = 0;

    (void)state;
    for (; n < ALLOCATIONS_MAX; n++) {
        troupe__port_fail_after(n);
        play(STEPS);
        if (is_still_ordered(n))
            break;
        told += world.no_memory != 0;
    }
    assert_in_range(n, 10, ALLOCATIONS_MAX - 1);
    assert_true(told * 2 > n); /* most failures are told to somebody as no_memory; the others cost only speed */
    print_message("# %llu allocations failed in turn, %llu were told\n", (unsigned long long)n - 1,
                  (unsigned long long)told);
}

static void test_memory_stays_short_from_any_step_on(void **state)
{
    (void)state;
    for (size_t from = 0; from < STEPS; from++) {
        troupe__port_fail_after(0);
        play(from);
        troupe__port_fail_after(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scenario_itself_needs_no_mercy),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_memory_stays_short_from_any_step_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
