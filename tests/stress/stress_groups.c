/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups and follows on real threads: actors join, leave, cast, call all, watch, follow and end on whichever worker
 * runs them, while outsiders on each worker cast, call, subscribe and cancel, and a thread without a worker makes
 * actors join and leave. ThreadSanitizer watches; the rules are checked here.
 *
 *   stress_groups [--workers N] [--steps N] [--seed N]     N steps on each worker, then the shutdown
 *
 * Checked: who follows misses no event that is not told; every multi-call that was begun and whose caller lives is
 * over once, with a result of each member; in the end nobody is a member any more, though nobody left by himself;
 * nothing is left. Speaks TAP. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/system.h>

#include "sleeper.h"
#include "tap.h"

#define WORKERS_MAX 8u
#define ASK_AGAIN_NS 1000000u
#define BOARD 64u /* places where actors leave their ids */
#define ACTORS_MAX 64u
#define GROUPS 6u
#define FOLLOWS 4u /* of an actor */

static struct {
    _Atomic uint64_t joins, leaves, changes, casts, calls, results, events, lagged, ends, asked, answered;
    _Atomic uint64_t board[BOARD]; /* slot << 32 | generation */
    _Atomic(const char *) failure;
    _Atomic unsigned asking; /* threads that are not done with their steps */
    _Atomic uint64_t open;   /* requests of outsiders */
    _Atomic bool over;
    troupe_system *system;
    uint32_t steps_each;
} world;

#define COUNT(name) atomic_fetch_add_explicit(&world.name, 1, memory_order_relaxed)

static void fail(const char *text)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&world.failure, &none, text);
}

static troupe_ref ref_at(uint32_t place)
{
    uint64_t value = atomic_load_explicit(&world.board[place], memory_order_relaxed);

    return (troupe_ref){troupe_system_home(world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

static const char *const group_names[GROUPS] = {"a", "b", "c", "d", "e", "f"};
static const char *const scope_names[2] = {"", "s"};

/* ---- the actor ---- */

struct state {
    uint64_t published;
    struct {
        uint64_t id, last; /* last: number of the last event; 0: none yet */
    } follows[FOLLOWS];
    uint64_t watch;
    uint32_t call_open, results;
};

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

static void expect(int rc, int other, const char *text)
{
    if (rc != 0 && rc != other && rc != TROUPE_E_KILLED && rc != TROUPE_E_GONE && rc != TROUPE_E_NOT_FOUND)
        fail(text);
}

static int on_result(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct state *state = memory;

    (void)ctx;
    if (!troupe_ref_is_actor(reply->from))
        fail("a result has no member");
    state->results++;
    COUNT(results);
    return 0;
}

static int on_all(troupe_ctx *ctx, void *memory, uint64_t tag, const troupe_group_counts *counts)
{
    struct state *state = memory;

    (void)ctx, (void)tag;
    if (state->call_open != 1 || state->results != counts->members ||
        counts->accepted + counts->refused != counts->members)
        fail("a multi-call has not one result of each member");
    state->call_open = 0;
    return 0;
}

static void act_follow(troupe_ctx *ctx, struct state *state)
{
    uint32_t i = below(ctx, FOLLOWS);
    const troupe_event_id none = {0, 0};

    if (state->follows[i].id != 0) {
        expect(troupe_unfollow(ctx, state->follows[i].id), 0, "a follow that is known could not be ended");
        state->follows[i].id = 0;
        return;
    }
    state->follows[i].last = 0;
    if (troupe_follow(ctx, ref_at(below(ctx, BOARD)), NULL, below(ctx, 2) ? TROUPE_FROM_NOW : TROUPE_FROM_OLDEST, none,
                      &state->follows[i].id) != 0)
        state->follows[i].id = 0;
}

static void act_watch(troupe_ctx *ctx, struct state *state)
{
    if (state->watch != 0) {
        expect(troupe_group_unwatch(ctx, state->watch), 0, "a watch that is known could not be ended");
        state->watch = 0;
    } else if (troupe_group_watch(ctx, scope_names[below(ctx, 2)],
                                  below(ctx, 3) ? group_names[below(ctx, GROUPS)] : NULL, &state->watch) != 0) {
        state->watch = 0;
    }
}

static void act(troupe_ctx *ctx, struct state *state)
{
    const char *scope = scope_names[below(ctx, 2)], *group = group_names[below(ctx, GROUPS)];
    troupe_group_counts counts;

    switch (below(ctx, 10)) {
    case 0:
    case 1:
        expect(troupe_group_join(ctx, scope, group), 0, "a join was refused");
        COUNT(joins);
        return;
    case 2:
        expect(troupe_group_leave(ctx, scope, group), 0, "a leave was refused");
        COUNT(leaves);
        return;
    case 3:
        expect(troupe_group_add(ctx, scope, group, ref_at(below(ctx, BOARD))), 0, "the join of another was refused");
        return;
    case 4:
        act_watch(ctx, state);
        return;
    case 5:
        if (troupe_group_cast(ctx, scope, group, "noop", troupe_body_none(), &counts) == 0)
            COUNT(casts);
        return;
    case 6:
        if (state->call_open ||
            troupe_group_call(ctx, scope, group, "echo", troupe_body_json("1", 1), 200, on_result, on_all, 7) != 0)
            return;
        state->call_open = 1;
        state->results = 0;
        COUNT(calls);
        return;
    case 7:
    case 8:
        act_follow(ctx, state);
        return;
    default:
        for (uint32_t n = below(ctx, 30) == 0 ? 1500 : below(ctx, 5); n > 0; n--) {
            uint64_t seq = state->published + 1;
            if (troupe_publish(ctx, "news", troupe_body_json(&seq, sizeof seq)) == 0)
                state->published++;
        }
    }
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    uint64_t timer;
    troupe_ref self = troupe_self(ctx);

    (void)args, (void)memory;
    /* Also those that are on no place of the board any more do something, and end. */
    if (troupe_timer_every(ctx, 10 + below(ctx, 20), TROUPE_EVERY_SKIP, "go", troupe_body_none(), &timer) != 0)
        return TROUPE_E_INTERNAL;
    atomic_store_explicit(&world.board[below(ctx, BOARD)], (uint64_t)self.slot << 32 | self.generation,
                          memory_order_relaxed);
    return 0;
}

static void on_event(struct state *state, const troupe_msg *msg)
{
    uint64_t seq;

    for (uint32_t i = 0; i < FOLLOWS; i++) {
        if (state->follows[i].id != msg->tag)
            continue;
        COUNT(events);
        atomic_fetch_add_explicit(&world.lagged, (uint64_t)msg->status, memory_order_relaxed);
        if (troupe_msg_is_end(msg)) {
            state->follows[i].id = 0;
            COUNT(ends);
            return;
        }
        memcpy(&seq, msg->body, sizeof seq);
        if (state->follows[i].last != 0 && seq != state->follows[i].last + 1 + (uint64_t)msg->status)
            fail("an event is missing, and nobody tells");
        state->follows[i].last = seq;
        return;
    }
    fail("an event came behind the end of its follow");
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;

    if (msg->kind == TROUPE_MSG_GROUP) {
        if (msg->tag != state->watch)
            fail("a watch told after it was ended");
        COUNT(changes);
        return 0;
    }
    if (msg->kind == TROUPE_MSG_EVENT) {
        on_event(state, msg);
        return 0;
    }
    if (msg->op == 1)
        return 0;
    if (msg->op == 2)
        return below(ctx, 50) == 0            ? TROUPE_E_INTERNAL
               : msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_of(msg))
                                              : 0;
    for (uint32_t i = 0; i < 4; i++)
        act(ctx, state);
    if (below(ctx, 25) == 0)
        troupe_stop_self(ctx, "enough");
    return 0;
}

static const troupe_type types[] = {{.name = "go", .flags = TROUPE_TYPE_CAST, .summary = "do something"},
                                    {.name = "noop", .flags = TROUPE_TYPE_CAST, .summary = "nothing"},
                                    {.name = "echo", .summary = "reply"}};
static const troupe_behavior member = {TROUPE_BEHAVIOR_HEAD,
                                       .name = "member",
                                       .version = "1.0.0",
                                       .summary = "joins",
                                       .types = types,
                                       .types_count = 3,
                                       .state_bytes = sizeof(struct state),
                                       .init = init,
                                       .receive = receive};

/* ---- the outsiders ---- */

#define REQUESTS 4u

struct driver;

struct sent {
    troupe_group_request request;
    struct driver *driver;
    bool open;
    uint32_t results;
};

struct driver {
    pthread_t thread;
    struct sleeper sleeper;
    troupe_worker *worker;
    uint32_t index;
    uint64_t random;
    struct sent sent[REQUESTS];
    troupe_subscription subscription;
    troupe_request spawn;
    bool spawning;
};

static struct driver drivers[WORKERS_MAX];

static uint32_t draw(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((driver->random >> 33) % n);
}

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&drivers[worker].sleeper);
}

static void on_each(troupe_group_request *request, troupe_ref ref, const troupe_answer *answer)
{
    struct sent *sent = request->user;

    (void)ref, (void)answer;
    if (!sent->open)
        fail("a request told after it was cancelled");
    sent->results++;
    COUNT(answered);
}

static void on_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    struct sent *sent = request->user;

    if (!sent->open || (sent->request.each && sent->results != counts->members))
        fail("a request is over twice, or not whole");
    sent->open = false;
    atomic_fetch_sub(&world.open, 1);
}

static void act_request(struct driver *driver)
{
    struct sent *sent = &driver->sent[draw(driver, REQUESTS)];
    troupe_view scope = troupe_view_of(scope_names[draw(driver, 2)]),
                group = troupe_view_of(group_names[draw(driver, GROUPS)]);
    bool calls = draw(driver, 2);

    if (sent->open) {
        sent->open = false;
        troupe_group_request_cancel(&sent->request);
        atomic_fetch_sub(&world.open, 1);
        return;
    }
    sent->request = (troupe_group_request){.user = sent, .each = calls ? on_each : NULL, .done = on_done};
    sent->open = true;
    sent->results = 0;
    COUNT(open);
    COUNT(asked);
    int rc = calls ? troupe_request_group_call(driver->worker, &sent->request, scope, group, troupe_view_of("echo"),
                                               troupe_body_json("1", 1), (troupe_caller){0}, 100)
                   : troupe_request_group_cast(driver->worker, &sent->request, scope, group, troupe_view_of("noop"),
                                               troupe_body_none(), (troupe_caller){0});
    if (rc != 0)
        fail("a request of an outsider was refused");
}

static void act_subscription(struct driver *driver)
{
    const troupe_event_id none = {0, 0};
    troupe_event event;

    if (driver->subscription.topic != NULL) {
        while (troupe_subscription_read(&driver->subscription, &event) == 1) {}
        troupe_unsubscribe(&driver->subscription);
        return;
    }
    driver->subscription = (troupe_subscription){.user = driver};
    if (troupe_group_subscribe(driver->worker, &driver->subscription, troupe_view_of(scope_names[draw(driver, 2)]),
                               troupe_view_of(draw(driver, 2) ? group_names[draw(driver, GROUPS)] : ""),
                               TROUPE_FROM_OLDEST, none) != 0)
        fail("an outsider could not subscribe to a group");
}

static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    (void)answer;
    ((struct driver *)request->user)->spawning = false;
}

static bool ignore_group(void *user, troupe_view scope, troupe_view group, uint32_t size)
{
    (void)scope, (void)group;
    *(uint64_t *)user += size;
    return true;
}

static void step(struct driver *driver)
{
    troupe_stats stats;
    uint64_t cursor = 0, sum = 0;
    int rc;

    switch (draw(driver, 10)) {
    case 0:
    case 1:
        act_request(driver);
        return;
    case 2:
        act_subscription(driver);
        return;
    case 3:
        troupe_system_stats(world.system, &stats);
        if (driver->spawning || stats.actors > ACTORS_MAX)
            return;
        driver->spawn = (troupe_request){.user = driver};
        driver->spawning = true;
        troupe_request_spawn(driver->worker, &driver->spawn, on_spawned, &(troupe_spawn_opts){.behavior = "member"});
        return;
    case 4:
        while (troupe_system_scan_groups(world.system, false, &cursor, 16, ignore_group, &sum)) {}
        return;
    default:
        rc = troupe_worker_cast(driver->worker, ref_at(draw(driver, BOARD)), troupe_view_of("go"), troupe_body_none(),
                                (troupe_caller){0});
        (void)rc; /* most have ended */
    }
}

static void end_all(void)
{
    atomic_store(&world.over, true);
    for (uint32_t i = 0; i < troupe_system_workers(world.system); i++)
        on_wake(NULL, i);
}

static void look_for_the_end(struct driver *driver, bool *is_shutting_down)
{
    troupe_stats stats;

    if (!*is_shutting_down)
        troupe_system_shutdown(driver->worker, TROUPE_STOP, 2000);
    *is_shutting_down = true;
    troupe_system_stats(world.system, &stats);
    if (stats.actors == 0 && atomic_load(&world.open) == 0)
        end_all();
}

static void *drive(void *argument)
{
    struct driver *driver = argument;
    uint32_t left = world.steps_each;
    bool is_shutting_down = false;
    uint64_t give_up_ns = sleeper_now_ns() + (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;

    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1 + draw(driver, 32));
        for (uint32_t i = left == 0 ? 0 : draw(driver, 6); i > 0 && left > 0; i--) {
            step(driver);
            delay_ns = 0;
            if (--left == 0)
                atomic_fetch_sub(&world.asking, 1);
        }
        if (atomic_load(&world.asking) == 0 && driver->index != 0)
            on_wake(NULL, 0); /* it waits for all to be over */
        else if (atomic_load(&world.asking) == 0)
            look_for_the_end(driver, &is_shutting_down);
        if (sleeper_now_ns() > give_up_ns) {
            fail("the system did not come to its end: somebody was not told");
            end_all();
        }
        if (left > 0 && delay_ns > ASK_AGAIN_NS)
            delay_ns = ASK_AGAIN_NS; /* it has more to ask, whoever sleeps */
        if (delay_ns != 0 && troupe_worker_park(driver->worker)) {
            sleeper_rest(&driver->sleeper, delay_ns);
            troupe_worker_unpark(driver->worker);
        }
    }
    troupe_unsubscribe(&driver->subscription);
    return NULL;
}

/* A thread without a worker: it makes others join and leave. */
static void *control(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; atomic_load(&world.asking) > 0; i++) {
        troupe_view scope = troupe_view_of(scope_names[i / 7 % 2]), group = troupe_view_of(group_names[i % GROUPS]);
        troupe_ref ref = ref_at(i * 11 % BOARD), refs[8];
        uint64_t cursor = 0;
        expect(i % 3 ? troupe_system_group_join(world.system, scope, group, ref)
                     : troupe_system_group_leave(world.system, scope, group, ref),
               0, "a join by nobody was refused");
        while (troupe_system_group_members(world.system, scope, group, &cursor, refs, 8) > 0) {}
        struct timespec pause = {0, 20000}; /* it is one of many, and no flood */
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* ---- the whole ---- */

static void run_threads(uint32_t workers, uint64_t seed)
{
    pthread_t controller;

    for (uint32_t i = 0; i < workers; i++) {
        drivers[i].index = i;
        drivers[i].random = seed + i;
        drivers[i].worker = troupe_system_worker(world.system, i);
        sleeper_init(&drivers[i].sleeper);
    }
    for (uint32_t i = 0; i < workers; i++)
        if (pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]) != 0)
            exit(2);
    if (pthread_create(&controller, NULL, control, NULL) != 0)
        exit(2);
    for (uint32_t i = 0; i < workers; i++)
        pthread_join(drivers[i].thread, NULL);
    pthread_join(controller, NULL);
    for (uint32_t i = 0; i < 2 * workers; i++) /* notices that find nobody may lie there */
        (void)troupe_worker_poll(drivers[i % workers].worker, sleeper_now_ns(), 64);
}

int main(int argc, char **argv)
{
    troupe_system_config config = {
        .workers = 4, .node = 5, .seed = (uint64_t)time(NULL), .actors_max = 100000, .wake = on_wake};
    troupe_stats stats;
    uint64_t cursor = 0, members = 0;

    world.steps_each = 20000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workers") == 0)
            config.workers = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--steps") == 0)
            world.steps_each = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            config.seed = strtoull(argv[i + 1], NULL, 10);
    }
    if (config.workers == 0 || config.workers > WORKERS_MAX || world.steps_each == 0) {
        fprintf(stderr, "usage: %s [--workers 1..%u] [--steps N] [--seed N]\n", argv[0], WORKERS_MAX);
        return 2;
    }
    printf("1..5\n");
    if (troupe_system_new(&config, &world.system) != 0 || troupe_system_add_behavior(world.system, &member) != 0)
        return 2;
    troupe_system_stats(world.system, &stats);
    uint64_t baseline = stats.memory_bytes;
    atomic_store(&world.asking, config.workers);
    run_threads(config.workers, config.seed);

    troupe_system_stats(world.system, &stats);
    const char *failure = atomic_load(&world.failure);
    check(failure == NULL, failure == NULL ? "no rule was broken" : failure);
    while (troupe_system_scan_groups(world.system, false, &cursor, 16, ignore_group, &members)) {}
    check(stats.actors == 0 && members == 0, "no actor is left, and none is a member");
    check(stats.memory_bytes <= baseline, "no memory is left");
    check(world.open == 0 && world.answered > 0, "every request of an outsider is over");
    check(world.changes > 0 && world.events > 0 && world.ends > 0 && world.results > 0, "something has happened");
    printf(
        "# seed %llu: %llu joins, %llu leaves, %llu changes told, %llu casts, %llu calls, %llu results, %llu events, "
        "%llu lagged, %llu ends, %llu requests, %llu answers\n",
        (unsigned long long)config.seed, (unsigned long long)world.joins, (unsigned long long)world.leaves,
        (unsigned long long)world.changes, (unsigned long long)world.casts, (unsigned long long)world.calls,
        (unsigned long long)world.results, (unsigned long long)world.events, (unsigned long long)world.lagged,
        (unsigned long long)world.ends, (unsigned long long)world.asked, (unsigned long long)world.answered);
    troupe_system_free(world.system);
    return failures == 0 ? 0 : 1;
}
