/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups, watches, follows and multi-calls without memory: one scenario with the first allocation failing, then the
 * second, and so on until none of them fails any more. Whatever fails, nothing leaks, a refusal says no_memory, a
 * multi-call that was begun is over once with a result of each member, and a watcher hears of every join and leave
 * that took place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "port/port.h"

#define ACTORS 4u
#define ALLOCATIONS_MAX 10000u

static struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    troupe_ref refs[ACTORS]; /* zeroed: it was not started */
    unsigned spawned, no_memory;
    bool watches, watches_scope, follows, in_room[ACTORS];
    unsigned changes, told, told_of_scope; /* of the room, since it is watched */
    uint64_t watch, scope_watch, follow;
    unsigned published, events, ends;
    unsigned calls_begun, calls_over, results_awaited, results;
    unsigned requests_begun, requests_over, answers;
    troupe_group_request request;
} world;

static int check(int rc)
{
    world.no_memory += rc == TROUPE_E_NO_MEMORY;
    assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY || rc == TROUPE_E_GONE || rc == TROUPE_E_NOT_FOUND);
    return rc;
}

/* ---- the actors ---- */

typedef int (*turn_fn)(troupe_ctx *ctx);

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    turn_fn fn;

    (void)memory;
    if (msg->kind == TROUPE_MSG_GROUP) {
        assert_int_equal(msg->status, 0);
        world.told += msg->tag == world.watch;
        world.told_of_scope += msg->tag == world.scope_watch;
        return 0;
    }
    if (msg->kind == TROUPE_MSG_EVENT) {
        world.ends += troupe_msg_is_end(msg);
        world.events += !troupe_msg_is_end(msg) + (unsigned)msg->status;
        return 0;
    }
    if (msg->op != 0) {
        if (msg->kind == TROUPE_MSG_CALL)
            (void)check(troupe_reply(ctx, troupe_body_of(msg)));
        return 0;
    }
    memcpy(&fn, msg->body, sizeof fn);
    return fn(ctx);
}

static const troupe_type types[] = {{.name = "do", .flags = TROUPE_TYPE_CAST, .summary = "run a function"},
                                    {.name = "ask", .summary = "be answered"}};
static const troupe_behavior behavior = {TROUPE_BEHAVIOR_HEAD, .name = "actor",  .version = "1",    .summary = "x",
                                         .types = types,       .types_count = 2, .receive = receive};

static int do_watch(troupe_ctx *ctx)
{
    world.watches = check(troupe_group_watch(ctx, "s", "room", &world.watch)) == 0;
    world.watches_scope = check(troupe_group_watch(ctx, "s", NULL, &world.scope_watch)) == 0;
    return 0;
}

static int do_follow(troupe_ctx *ctx)
{
    static const troupe_filter news = {.count = 1, .types = {{"news*", 5}}};
    const troupe_event_id none = {0, 0};

    world.follows = check(troupe_follow(ctx, world.refs[1], &news, TROUPE_FROM_OLDEST, none, &world.follow)) == 0;
    return 0;
}

static int do_publish(troupe_ctx *ctx)
{
    for (unsigned i = 0; i < 20; i++)
        world.published += check(troupe_publish(ctx, "news.today", troupe_body_json("1", 1))) == 0;
    (void)check(troupe_publish(ctx, "noise", troupe_body_none()));
    return 0;
}

static int do_cast(troupe_ctx *ctx)
{
    troupe_group_counts counts = {0};

    assert_int_equal(troupe_group_cast(ctx, "s", "room", "ask", troupe_body_none(), &counts), 0);
    return 0;
}

static int on_result(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)ctx, (void)state;
    (void)check(reply->status == TROUPE_E_TIMEOUT ? TROUPE_E_GONE : reply->status);
    world.results++;
    return 0;
}

static int on_all(troupe_ctx *ctx, void *state, uint64_t tag, const troupe_group_counts *counts)
{
    (void)ctx, (void)state, (void)tag;
    world.calls_over++;
    world.results_awaited += counts->members;
    assert_int_equal(counts->members, counts->accepted + counts->refused);
    return 0;
}

static int do_call(troupe_ctx *ctx)
{
    world.calls_begun +=
        check(troupe_group_call(ctx, "s", "room", "ask", troupe_body_none(), 100, on_result, on_all, 0)) == 0;
    return 0;
}

/* ---- the outside ---- */

static void run(void)
{
    for (unsigned polls = 0; troupe_worker_poll(world.worker, world.now_ns, 16) == 0; polls++)
        assert_in_range(polls, 0, 10000);
}

static void pass(unsigned ms)
{
    for (unsigned i = 0; i < ms / 10; i++) {
        world.now_ns += 10000000;
        run();
    }
}

static void tell(unsigned actor, turn_fn fn)
{
    if (troupe_ref_is_actor(world.refs[actor]))
        (void)check(troupe_worker_cast(world.worker, world.refs[actor], troupe_view_of("do"),
                                       troupe_body_bytes(&fn, sizeof fn, NULL), (troupe_caller){0}));
    run();
}

static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    if (check(answer->error) == 0)
        *(troupe_ref *)request->user = answer->ref;
}

static void on_stopped(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    (void)check(answer->error);
}

static void on_each(troupe_group_request *request, troupe_ref member, const troupe_answer *answer)
{
    (void)request, (void)member;
    (void)check(answer->error == TROUPE_E_TIMEOUT ? TROUPE_E_GONE : answer->error);
    world.answers++;
}

static void on_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    (void)request, (void)counts;
    world.requests_over++;
}

static void change(unsigned actor, bool joins)
{
    troupe_view scope = troupe_view_of("s"), group = troupe_view_of("room");

    if (!troupe_ref_is_actor(world.refs[actor]))
        return;
    int rc = check(joins ? troupe_system_group_join(world.system, scope, group, world.refs[actor])
                         : troupe_system_group_leave(world.system, scope, group, world.refs[actor]));
    world.changes += rc == 0 && world.in_room[actor] != joins;
    if (rc == 0)
        world.in_room[actor] = joins;
    run();
}

static void stop_actor(unsigned actor)
{
    troupe_request request = {0};

    if (!troupe_ref_is_actor(world.refs[actor]))
        return;
    troupe_request_stop(world.worker, &request, on_stopped, world.refs[actor], TROUPE_KILL, troupe_view_of("x"), 50);
    pass(100);
    troupe_peek peek;
    if (troupe_system_peek(world.system, world.refs[actor], &peek) == 0)
        return; /* it could not even be asked */
    world.changes += world.in_room[actor];
    world.in_room[actor] = false;
}

static void play_with(void)
{
    troupe_subscription subscription = {0};
    troupe_event event;
    const troupe_event_id none = {0, 0};
    troupe_view scope = troupe_view_of("s"), room = troupe_view_of("room");

    for (unsigned i = 0; i < ACTORS; i++) {
        troupe_request request = {.user = &world.refs[i]};
        troupe_request_spawn(world.worker, &request, on_spawned, &(troupe_spawn_opts){.behavior = "actor"});
        run();
        troupe_request_cancel(&request);
    }
    tell(0, do_watch);
    tell(0, do_follow);
    int rc = check(troupe_group_subscribe(world.worker, &subscription, scope, room, TROUPE_FROM_NOW, none));
    for (unsigned i = 0; i < ACTORS; i++)
        change(i, true);
    change(1, true);
    change(3, false);
    tell(1, do_publish);
    tell(0, do_cast);
    tell(0, do_call);
    world.request = (troupe_group_request){.each = on_each, .done = on_done};
    world.requests_begun +=
        check(troupe_request_group_call(world.worker, &world.request, scope, room, troupe_view_of("ask"),
                                        troupe_body_json("1", 1), (troupe_caller){0}, 50)) == 0;
    pass(100);
    stop_actor(2);
    stop_actor(1);
    pass(300);
    if (rc == 0) {
        while (troupe_subscription_read(&subscription, &event) == 1) {}
        troupe_unsubscribe(&subscription);
    }
    troupe_group_request_cancel(&world.request);
    if (world.watches && troupe_ref_is_actor(world.refs[0]))
        assert_int_equal(world.told, world.changes);
    if (world.watches_scope)
        assert_int_equal(world.told_of_scope, world.changes);
    if (world.follows)
        assert_int_equal(world.events, world.published);
    assert_int_equal(world.calls_over, world.calls_begun);
    assert_int_equal(world.results, world.results_awaited);
    assert_int_equal(world.requests_over, world.requests_begun);
}

static void play(void)
{
    troupe_system_config config = {.workers = 1, .node = 9, .seed = 9, .actors_max = 1000};
    troupe_stats stats;

    memset(&world, 0, sizeof world);
    world.now_ns = 1000000000;
    if (check(troupe_system_new(&config, &world.system)) != 0)
        return;
    world.worker = troupe_system_worker(world.system, 0);
    if (check(troupe_system_add_behavior(world.system, &behavior)) == 0) {
        run();
        troupe_system_stats(world.system, &stats);
        uint64_t baseline = stats.memory_bytes;
        play_with();
        troupe_system_shutdown(world.worker, TROUPE_STOP, 1000);
        run();
        pass(1500);
        troupe_system_stats(world.system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_true(stats.memory_bytes <= baseline);
    }
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
    play();
    assert_int_equal(world.no_memory, 0);
    assert_int_equal(world.changes, 7);
    assert_int_equal(world.events, 20);
    assert_int_equal(world.ends, 1);
    assert_int_equal(world.results, 3);
    assert_int_equal(world.answers, 3);
}

static void test_each_allocation_fails_in_turn(void **state)
{
    uint64_t n = 1, told = 0;

    (void)state;
    for (; n < ALLOCATIONS_MAX; n++) {
        troupe__port_fail_after(n);
        play();
        if (is_still_ordered(n))
            break;
        told += world.no_memory != 0;
    }
    assert_in_range(n, 10, ALLOCATIONS_MAX - 1);
    assert_in_range(told, 10, n);
    print_message("# %llu allocations failed in turn, %llu were told\n", (unsigned long long)n - 1,
                  (unsigned long long)told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scenario_itself_needs_no_mercy),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
