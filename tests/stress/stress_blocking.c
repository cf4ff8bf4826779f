/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocking workers and the world outside, on real threads: behaviors that may block and others call each other, set
 * timers, ask for HTTP, pause, are killed and started anew, while a thread without a worker answers what was asked
 * outside. ThreadSanitizer watches; the rules are checked here.
 *
 *   stress_blocking [--workers N] [--blocking N] [--steps N] [--seed N]     N requests on each worker, then the
 *                                                                           shutdown
 *
 * Checked: who may block is run by blocking workers alone and everybody else never; every call and every request
 * outside ends; who sleeps is woken (threads sleep without looking around); nothing is left. Speaks TAP. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/http.h>
#include <troupe/system.h>

#include "sleeper.h"
#include "tap.h"

#define WORKERS_MAX 8u
#define OPEN_MAX 32u
#define ACTORS 24u           /* first half: they may block */
#define ASKED_MAX 4096u

static struct {
    _Atomic uint64_t requests, answers, calls, replies, outside, outside_replies, ticks, wrong_worker;
    _Atomic uint64_t refs[ACTORS]; /* slot << 32 | generation; 0: not started yet */
    _Atomic unsigned asking;       /* drivers that are not done with their requests */
    _Atomic bool over;
    troupe_system *system;
    uint32_t steps_each;
} world;

/* What was asked outside, for the thread that answers; a ring under its lock. */
static struct {
    struct sleeper sleeper;
    pthread_mutex_t lock;
    troupe_outside waiting[ASKED_MAX];
    uint32_t first, count;
} outside;

struct driver {
    pthread_t thread;
    struct sleeper sleeper;
    troupe_worker *worker;
    uint32_t index;
    uint64_t random;
    struct asked {
        troupe_request request;
        bool open;
    } asked[OPEN_MAX];
    uint32_t open;
};

static struct driver drivers[2 * WORKERS_MAX];
static _Thread_local struct driver *this_driver;

#define COUNT(name) atomic_fetch_add_explicit(&world.name, 1, memory_order_relaxed)

static uint32_t draw(struct driver *driver, uint32_t below)
{
    driver->random = driver->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(driver->random >> 33) % below;
}

static troupe_ref ref_at(uint32_t i)
{
    uint64_t value = atomic_load_explicit(&world.refs[i], memory_order_relaxed);
    return (troupe_ref){troupe_system_home(world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

/* ---- the behaviors ---- */

struct state {
    bool blocks;
};

enum { OP_WORK, OP_TICK };

static void check_worker(bool blocks)
{
    if (blocks != (this_driver->index >= troupe_system_workers(world.system)))
        COUNT(wrong_worker);
}

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    (void)ctx;
    check_worker(((struct state *)memory)->blocks);
    if (reply->tag == 1)
        COUNT(replies);
    else
        COUNT(outside_replies);
    return 0;
}

static int init_blocking(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    (void)ctx, (void)args;
    ((struct state *)memory)->blocks = true;
    check_worker(true);
    return 0;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    const struct state *state = memory;
    const troupe_http request = {.url = "http://a.example/", .timeout_ms = 1 + draw(this_driver, 200)};
    uint64_t timer;
    int rc = 0;

    check_worker(state->blocks);
    if (msg->kind == TROUPE_MSG_TIMER) {
        COUNT(ticks);
        return 0;
    }
    switch (draw(this_driver, 12)) {
    case 0:
    case 1:
    case 2: /* somebody of the other kind, most often */
        rc = troupe_call(ctx, ref_at(draw(this_driver, ACTORS)), "work", troupe_body_none(), 1 + draw(this_driver, 50),
                         on_reply, 1);
        if (rc == 0)
            COUNT(calls);
        break;
    case 3:
    case 4:
        if (troupe_http_request(ctx, &request, on_reply, 2) == 0)
            COUNT(outside);
        break;
    case 5:
        if (troupe_http_request_wait(ctx, &request, on_reply, 2) == 0)
            COUNT(outside);
        break;
    case 6:
    case 7:
        rc = troupe_timer_after(ctx, draw(this_driver, 20), "tick", troupe_body_none(), &timer);
        break;
    case 8:
        if (troupe_pause(ctx, 1 + draw(this_driver, 3), on_reply, 2) == 0)
            COUNT(outside);
        break;
    default:
        break;
    }
    (void)rc; /* a receiver may be full, or not there yet */
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json("1", 1)) : 0;
}

static const troupe_type types[] = {{.name = "work", .flags = TROUPE_TYPE_CAST}, {.name = "tick"}};

static const troupe_behavior blocking = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "blocking",
    .version = "1.0.0",
    .summary = "may block",
    .types = types,
    .types_count = 2,
    .state_bytes = sizeof(struct state),
    .flags = TROUPE_BEHAVIOR_BLOCKING,
    .init = init_blocking,
    .receive = receive,
};
static const troupe_behavior ordinary = {
    TROUPE_BEHAVIOR_HEAD, .name = "ordinary", .version = "1.0.0", .summary = "does not block", .types = types,
    .types_count = 2, .state_bytes = sizeof(struct state), .receive = receive,
};

/* ---- the world outside ---- */

static int on_http(void *user, troupe_outside who, const troupe_http *request)
{
    (void)user, (void)request;
    bool has_room;
    pthread_mutex_lock(&outside.lock);
    has_room = outside.count < ASKED_MAX;
    if (has_room)
        outside.waiting[(outside.first + outside.count++) % ASKED_MAX] = who;
    pthread_mutex_unlock(&outside.lock);
    sleeper_wake(&outside.sleeper);
    return has_room ? 0 : TROUPE_E_LIMIT;
}

static bool take_asked(troupe_outside *ret_who)
{
    pthread_mutex_lock(&outside.lock);
    bool has_one = outside.count > 0;
    if (has_one) {
        *ret_who = outside.waiting[outside.first];
        outside.first = (outside.first + 1) % ASKED_MAX;
        outside.count--;
    }
    pthread_mutex_unlock(&outside.lock);
    return has_one;
}

/* Every eighth is never answered: the deadline ends it. */
static void *answer_outside(void *argument)
{
    static char body[6000];
    troupe_outside who;
    uint32_t number = 0;
    (void)argument;
    while (!atomic_load(&world.over)) {
        if (!take_asked(&who)) {
            sleeper_rest(&outside.sleeper, UINT64_MAX);
            continue;
        }
        const troupe_answer said = {
            .app_status = 200, .body = {body, number % sizeof body}, .content_type = "text/plain"};
        if (++number % 8 != 0 && troupe_system_answer(world.system, who, &said) != 0)
            abort(); /* there is memory */
    }
    return NULL;
}

/* ---- drivers ---- */

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&drivers[worker].sleeper);
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;
    (void)answer;
    asked->open = false;
    this_driver->open--;
    COUNT(answers);
}

static void ask(struct driver *driver)
{
    struct asked *asked = NULL;
    for (uint32_t i = 0; i < OPEN_MAX && asked == NULL; i++)
        if (!driver->asked[i].open)
            asked = &driver->asked[i];
    if (asked == NULL)
        return;
    memset(&asked->request, 0, sizeof asked->request);
    asked->request.user = asked;
    asked->open = true;
    driver->open++;
    COUNT(requests);
    troupe_ref to = ref_at(draw(driver, ACTORS));
    if (draw(driver, 50) == 0)
        troupe_request_info(driver->worker, &asked->request, on_done, to, 1 + draw(driver, 200));
    else if (draw(driver, 50) == 0) /* another one takes its place */
        troupe_request_stop(driver->worker, &asked->request, on_done, to, TROUPE_KILL, troupe_view_of("stress"), 200);
    else
        troupe_request_call(driver->worker, &asked->request, on_done, to, troupe_view_of("work"), troupe_body_none(),
                            (troupe_caller){0}, 1 + draw(driver, 100));
}

static void remember(troupe_request *request, const troupe_answer *answer)
{
    uint32_t i = (uint32_t)(uintptr_t)request->user;
    if (answer->error == 0)
        atomic_store(&world.refs[i], (uint64_t)answer->ref.slot << 32 | answer->ref.generation);
    free(request);
}

/* Start those that are not there, or no more. */
static void start_actors(struct driver *driver)
{
    for (uint32_t i = 0; i < ACTORS; i++) {
        troupe_peek peek;
        if (troupe_ref_is_actor(ref_at(i)) && troupe_system_peek(world.system, ref_at(i), &peek) == 0)
            continue;
        const troupe_spawn_opts opts = {.behavior = i < ACTORS / 2 ? "blocking" : "ordinary"};
        troupe_request *request = calloc(1, sizeof *request);
        if (request == NULL)
            abort();
        request->user = (void *)(uintptr_t)i;
        troupe_request_spawn(driver->worker, request, remember, &opts);
    }
}

static void end_all(void)
{
    atomic_store(&world.over, true);
    for (uint32_t i = 0; i < 2 * WORKERS_MAX; i++)
        if (drivers[i].worker != NULL)
            on_wake(NULL, i);
    sleeper_wake(&outside.sleeper);
}

static void *drive_blocking(void *argument)
{
    struct driver *driver = this_driver = argument;
    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1);
        if (delay_ns != 0 && troupe_worker_park(driver->worker)) {
            sleeper_rest(&driver->sleeper, delay_ns);
            troupe_worker_unpark(driver->worker);
        }
    }
    return NULL;
}

static void *drive(void *argument)
{
    struct driver *driver = this_driver = argument;
    uint32_t left = world.steps_each;
    bool shutting_down = false;
    troupe_stats stats;
    uint64_t give_up_ns = sleeper_now_ns() + (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;

    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1 + draw(driver, 16));
        if (driver->index == 0 && !shutting_down && draw(driver, 100) == 0)
            start_actors(driver);
        for (uint32_t i = draw(driver, 8); i > 0 && left > 0 && driver->open < OPEN_MAX; i--) {
            ask(driver);
            delay_ns = 0;
            if (--left == 0)
                atomic_fetch_sub(&world.asking, 1);
        }
        if (driver->index != 0 && atomic_load(&world.asking) == 0)
            on_wake(NULL, 0); /* it waits for all to be over */
        if (driver->index == 0 && atomic_load(&world.asking) == 0) {
            if (!shutting_down)
                troupe_system_shutdown(driver->worker, TROUPE_STOP, 5000);
            shutting_down = true;
            troupe_system_stats(world.system, &stats);
            if (stats.actors == 0 && atomic_load(&world.answers) == atomic_load(&world.requests))
                end_all();
        }
        if (sleeper_now_ns() > give_up_ns)
            end_all(); /* the checks below tell what is left */
        if ((left > 0 || driver->index == 0) && delay_ns > 1000000)
            delay_ns = 1000000; /* it has more to ask, whoever sleeps */
        if (delay_ns != 0 && troupe_worker_park(driver->worker)) {
            sleeper_rest(&driver->sleeper, delay_ns);
            troupe_worker_unpark(driver->worker);
        }
    }
    return NULL;
}

/* ---- the whole ---- */

static bool start_driver(uint32_t i, uint64_t seed, void *(*run)(void *))
{
    struct driver *driver = &drivers[i];
    driver->index = i;
    driver->random = seed + i;
    driver->worker = troupe_system_worker(world.system, i);
    return pthread_create(&driver->thread, NULL, run, driver) == 0;
}

int main(int argc, char **argv)
{
    troupe_system_config config = {.workers = 2, .blocking_workers = 3, .node = 6, .seed = (uint64_t)time(NULL),
                                   .actors_max = 4096, .wake = on_wake, .http = on_http};
    troupe_stats stats;
    pthread_t answering;

    world.steps_each = 8000;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--workers") == 0)
            config.workers = (uint32_t)value;
        else if (strcmp(argv[i], "--blocking") == 0)
            config.blocking_workers = (uint32_t)value;
        else if (strcmp(argv[i], "--steps") == 0)
            world.steps_each = (uint32_t)value;
        else if (strcmp(argv[i], "--seed") == 0)
            config.seed = value;
    }
    if (config.workers == 0 || config.workers > WORKERS_MAX || config.blocking_workers == 0 ||
        config.blocking_workers > WORKERS_MAX || world.steps_each == 0) {
        fprintf(stderr, "usage: %s [--workers 1..%u] [--blocking 1..%u] [--steps N] [--seed N]\n", argv[0], WORKERS_MAX,
                WORKERS_MAX);
        return 2;
    }
    printf("1..5\n");
    if (troupe_system_new(&config, &world.system) != 0 || troupe_system_add_behavior(world.system, &blocking) != 0 ||
        troupe_system_add_behavior(world.system, &ordinary) != 0)
        return 2;
    troupe_system_stats(world.system, &stats);
    uint64_t baseline = stats.memory_bytes;
    uint32_t all = config.workers + config.blocking_workers;
    atomic_store(&world.asking, config.workers);
    pthread_mutex_init(&outside.lock, NULL);
    sleeper_init(&outside.sleeper);
    for (uint32_t i = 0; i < all; i++)
        sleeper_init(&drivers[i].sleeper);
    if (pthread_create(&answering, NULL, answer_outside, NULL) != 0)
        return 2;
    for (uint32_t i = 0; i < all; i++)
        if (!start_driver(i, config.seed, i < config.workers ? drive : drive_blocking))
            return 2;
    for (uint32_t i = 0; i < all; i++)
        pthread_join(drivers[i].thread, NULL);
    pthread_join(answering, NULL);
    this_driver = &drivers[0];
    for (uint32_t i = 0; i < config.workers; i++) /* answers that came after their deadline may lie there */
        (void)troupe_worker_poll(drivers[i].worker, sleeper_now_ns(), 64);

    troupe_system_stats(world.system, &stats);
    check(world.wrong_worker == 0, "who may block was run by blocking workers alone, and nobody else was");
    check(stats.actors == 0, "no actor is left");
    check(stats.memory_bytes <= baseline, "no memory is left");
    check(world.requests == world.answers, "every request was answered");
    check(stats.turns_blocking > 0 && world.replies > 0 && world.outside_replies > 0 && world.ticks > 0,
          "actors of both kinds called each other, asked outside and were told of time");
    printf("# seed %llu: %llu calls, %llu replies, %llu requests outside, %llu of them answered, %llu ticks, %llu "
           "blocking "
           "turns\n",
           (unsigned long long)config.seed, (unsigned long long)world.calls, (unsigned long long)world.replies,
           (unsigned long long)world.outside, (unsigned long long)world.outside_replies,
           (unsigned long long)world.ticks, (unsigned long long)stats.turns_blocking);
    troupe_system_free(world.system);
    return failures == 0 ? 0 : 1;
}
