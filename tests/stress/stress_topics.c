/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics, outsiders' monitors and names on real threads: each drives a worker, subscribes, reads, goes and comes again,
 * while actors publish, take names and end on whichever worker runs them, and a control thread without a worker publishes
 * to a topic of the system and takes names away. ThreadSanitizer watches; the rules are checked here.
 *
 *   stress_topics [--workers N] [--steps N] [--seed N]     N steps on each worker, then the shutdown
 *
 * Checked: numbers without gaps but those that are told; bodies that belong to them; nobody is told after he has gone; who
 * waits is woken, also by the end (threads sleep without looking around); one down for each monitor that was not taken
 * back; the hook tells of each name in order; nothing is left. Speaks TAP. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/system.h>

#include "sleeper.h"
#include "tap.h"

#define WORKERS_MAX 8u
#define ASK_AGAIN_NS 1000000u
#define READERS 40u  /* of a worker */
#define MONITORS 16u /* of a worker */
#define BOARD 64u    /* places where actors leave their ids */
#define ACTORS_MAX 64u
#define NAMES 8u
#define PLACE_SYSTEM BOARD /* the system's own topic */

static struct {
    _Atomic uint64_t published, read, lagged, ends, asked, downs, taken_back, names, dropped, names_lost;
    _Atomic uint64_t board[BOARD];   /* slot << 32 | generation */
    _Atomic uint64_t holders[NAMES]; /* the same, as the hook tells it */
    _Atomic(const char *) failure;
    _Atomic unsigned asking; /* threads that are not done with their steps */
    _Atomic uint64_t open;   /* subscriptions and monitors */
    _Atomic bool over;
    troupe_system *system;
    troupe_topic *topic;
    uint32_t steps_each;
} world;

#define COUNT(name) atomic_fetch_add_explicit(&world.name, 1, memory_order_relaxed)

static void fail(const char *text)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&world.failure, &none, text);
}

static uint64_t pack(troupe_ref ref) { return (uint64_t)ref.slot << 32 | ref.generation; }

static troupe_ref ref_at(uint32_t place)
{
    uint64_t value = atomic_load_explicit(&world.board[place], memory_order_relaxed);

    return (troupe_ref){troupe_system_home(world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

/* ---- the actor ---- */

struct event_body {
    uint64_t source, seq;
};

struct state {
    uint64_t published;
};

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

static void publish(troupe_ctx *ctx, struct state *state, uint32_t n)
{
    static const char padding[2000];
    char body[sizeof padding + sizeof(struct event_body)], id[TROUPE_EVENT_ID_TEXT_MAX];

    for (; n > 0; n--) {
        struct event_body head = {.source = pack(troupe_self(ctx)), .seq = state->published + 1};
        memcpy(body, &head, sizeof head);
        memcpy(body + sizeof head, padding, sizeof padding);
        size_t len = sizeof head + (below(ctx, 20) == 0 ? sizeof padding : 0);
        int rc = troupe_publish_id(ctx, "news", troupe_body_json(body, len), id);
        if (rc == TROUPE_E_KILLED)
            return;
        if (rc != 0 || strtoull(id + 17, NULL, 10) != head.seq)
            fail("an event could not be published, or got a wrong number");
        state->published++;
        COUNT(published);
    }
}

static void act_name(troupe_ctx *ctx)
{
    char name[8];
    int len = snprintf(name, sizeof name, "n%u", (unsigned)below(ctx, NAMES));
    troupe_view view = {name, (size_t)len};
    int rc = below(ctx, 2) == 0 ? troupe_name_release(ctx, view) : troupe_name_register(ctx, view);

    if (rc != 0 && rc != TROUPE_E_NAME_TAKEN && rc != TROUPE_E_NOT_FOUND && rc != TROUPE_E_KILLED)
        fail("a name was refused with a wrong error");
    rc = troupe_name_register(ctx, below(ctx, 2) ? troupe_view_of("drop me") : troupe_view_of("me too"));
    (void)rc; /* most often somebody has it */
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    uint64_t timer;

    (void)args;
    /* Also those that are on no place of the board any more do something, and end. */
    if (troupe_timer_every(ctx, 10 + below(ctx, 20), TROUPE_EVERY_SKIP, "go", troupe_body_none(), &timer) != 0)
        return TROUPE_E_INTERNAL;
    atomic_store_explicit(&world.board[below(ctx, BOARD)], pack(troupe_self(ctx)), memory_order_relaxed);
    if (below(ctx, 2) == 0)
        publish(ctx, memory, 1 + below(ctx, 3));
    return 0;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    if (msg->kind == TROUPE_MSG_NAME_LOST) {
        COUNT(names_lost);
        return 0;
    }
    publish(ctx, memory, below(ctx, 30) == 0 ? 300 : 1 + below(ctx, 4));
    for (uint32_t i = 0; i < 4; i++)
        act_name(ctx);
    if (below(ctx, 20) == 0)
        troupe_stop_self(ctx, "enough");
    return 0;
}

static const troupe_type types[] = {{.name = "go", .flags = TROUPE_TYPE_CAST, .summary = "do something"}};
static const troupe_behavior source = {TROUPE_BEHAVIOR_HEAD,
                                       .name = "source",
                                       .version = "1.0.0",
                                       .summary = "publishes",
                                       .types = types,
                                       .types_count = 1,
                                       .flags = TROUPE_BEHAVIOR_NAME_LOST,
                                       .state_bytes = sizeof(struct state),
                                       .init = init,
                                       .receive = receive};

/* The hook: a name is taken when nobody has it, and given back by who has it. */
static void on_named(void *user, troupe_view name, troupe_ref actor, bool taken)
{
    (void)user;
    if (name.ptr[0] != 'n')
        return; /* one that may be taken away, which the hook does not tell */
    _Atomic uint64_t *holder = &world.holders[name.ptr[1] - '0'];
    uint64_t before = atomic_exchange(holder, taken ? pack(actor) : 0);
    if (before != (taken ? 0 : pack(actor)))
        fail("the news of a name came out of order");
    COUNT(names);
}

/* ---- a worker's thread ---- */

struct reader {
    troupe_subscription subscription;
    bool open, fresh; /* fresh: nothing was read yet */
    uint64_t target, expected;
};

struct monitor {
    troupe_request request;
    bool open;
};

struct driver {
    pthread_t thread;
    struct sleeper sleeper;
    uint32_t index;
    uint64_t random;
    troupe_worker *worker;
    struct reader readers[READERS];
    struct monitor monitors[MONITORS];
    troupe_request spawn;
    bool spawning;
};

static struct driver drivers[WORKERS_MAX];
static _Thread_local struct driver *this_driver;

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&drivers[worker].sleeper);
}

static uint32_t draw(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(driver->random >> 33) % n;
}

static void close_reader(struct reader *reader)
{
    troupe_unsubscribe(&reader->subscription);
    reader->open = false;
    atomic_fetch_sub(&world.open, 1);
}

/* Read one; false when there is nothing more, and then it may be closed. */
static bool read_one(struct reader *reader)
{
    troupe_event event;
    struct event_body body;
    int rc = troupe_subscription_read(&reader->subscription, &event);

    if (rc == 1) {
        memcpy(&body, event.body.ptr, sizeof body);
        if (body.source != reader->target || body.seq != event.id.seq)
            fail("an event is not what was published");
        if (!reader->fresh && event.id.seq != reader->expected + event.lagged)
            fail("there is a gap that was not told");
        reader->fresh = false;
        reader->expected = event.id.seq + 1;
        COUNT(read);
        atomic_fetch_add_explicit(&world.lagged, event.lagged, memory_order_relaxed);
        return true;
    }
    if (rc == TROUPE_E_GONE) {
        COUNT(ends);
        close_reader(reader);
    } else if (rc != 0) {
        fail("a read failed");
    }
    return false;
}

static void on_ready(troupe_subscription *subscription)
{
    struct reader *reader = subscription->user;

    if (!reader->open || subscription->worker != this_driver->worker)
        fail("somebody was told who is not there");
    while (read_one(reader)) {}
}

static void act_reader(struct driver *driver)
{
    struct reader *reader = &driver->readers[draw(driver, READERS)];
    uint32_t place = draw(driver, BOARD + 4);
    enum troupe_from from = draw(driver, 2) ? TROUPE_FROM_NOW : TROUPE_FROM_OLDEST;
    troupe_event_id none = {0};
    int rc;

    if (reader->open) {
        if (draw(driver, 4) == 0)
            close_reader(reader);
        else
            while (read_one(reader) && draw(driver, 8) != 0) {}
        if (reader->open) /* nobody tells it until it has read all */
            on_ready(&reader->subscription);
        return;
    }
    memset(reader, 0, sizeof *reader);
    reader->subscription.user = reader;
    reader->subscription.ready = on_ready;
    reader->fresh = reader->open = true;
    if (place >= PLACE_SYSTEM) {
        rc = troupe_subscribe_to(driver->worker, &reader->subscription, world.topic, from, none);
    } else {
        troupe_ref target = ref_at(place); /* looked at once: who starts may take the place at any time */
        reader->target = pack(target);
        rc = troupe_subscribe(driver->worker, &reader->subscription, target, from, none);
    }
    reader->open = rc == 0;
    if (rc == 0)
        COUNT(open);
    else if (rc != TROUPE_E_GONE && rc != TROUPE_E_NOT_FOUND)
        fail("a subscription was refused");
}

static void on_down(troupe_request *request, const troupe_answer *answer)
{
    struct monitor *monitor = request->user;

    if (!monitor->open || answer->exit == NULL || answer->error != 0)
        fail("a down came twice, or after it was taken back");
    monitor->open = false;
    COUNT(downs);
    atomic_fetch_sub(&world.open, 1);
}

static void act_monitor(struct driver *driver)
{
    struct monitor *monitor = &driver->monitors[draw(driver, MONITORS)];

    if (monitor->open) {
        monitor->open = false;
        troupe_request_cancel(&monitor->request);
        COUNT(taken_back);
        atomic_fetch_sub(&world.open, 1);
        return;
    }
    memset(monitor, 0, sizeof *monitor);
    monitor->open = true;
    monitor->request.user = monitor;
    COUNT(asked);
    COUNT(open);
    troupe_request_monitor(driver->worker, &monitor->request, on_down, ref_at(draw(driver, BOARD)));
}

static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    (void)answer;
    ((struct driver *)request->user)->spawning = false;
}

static void step(struct driver *driver)
{
    troupe_stats stats;
    int rc;

    switch (draw(driver, 8)) {
    case 0:
    case 1:
    case 2:
        act_reader(driver);
        return;
    case 3:
        act_monitor(driver);
        return;
    case 4:
        troupe_system_stats(world.system, &stats);
        if (driver->spawning || stats.actors > ACTORS_MAX)
            return;
        driver->spawn = (troupe_request){.user = driver};
        driver->spawning = true;
        troupe_request_spawn(driver->worker, &driver->spawn, on_spawned, &(troupe_spawn_opts){.behavior = "source"});
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
    struct driver *driver = this_driver = argument;
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
    return NULL;
}

/* The control thread: it has no worker. */
static void *control(void *argument)
{
    static const char *const names[] = {"drop me", "me too"};
    troupe_ref holder;

    (void)argument;
    for (uint64_t seq = 1; atomic_load(&world.asking) > 0; seq++) {
        struct event_body body = {.source = 0, .seq = seq};
        if (troupe_topic_publish(world.topic, troupe_view_of("system"), troupe_body_json(&body, sizeof body), NULL))
            fail("the system could not publish");
        troupe_view name = troupe_view_of(names[seq % 2]);
        if (troupe_system_whereis(world.system, name, &holder) == 0 &&
            troupe_system_name_drop(world.system, name, holder) == 0)
            COUNT(dropped);
        troupe_ref far = {{0, 77}, 1, (uint32_t)seq + 1};
        if (troupe_system_name_put(world.system, name, far, &holder) == 0 &&
            troupe_system_name_drop(world.system, name, far) != 0)
            fail("a name of another home went by itself");
        struct timespec pause = {0, 20000}; /* it is one of many, and no flood */
        nanosleep(&pause, NULL);
    }
    troupe_topic_drop(world.topic);
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
    troupe_system_config config = {.workers = 4,
                                   .node = 5,
                                   .seed = (uint64_t)time(NULL),
                                   .actors_max = 100000,
                                   .wake = on_wake,
                                   .named = on_named};
    troupe_stats stats;

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
    printf("1..6\n");
    if (troupe_system_new(&config, &world.system) != 0 || troupe_system_add_behavior(world.system, &source) != 0)
        return 2;
    troupe_system_stats(world.system, &stats);
    uint64_t baseline = stats.memory_bytes;
    if (troupe_topic_new(world.system, &world.topic) != 0)
        return 2;
    atomic_store(&world.asking, config.workers);
    run_threads(config.workers, config.seed);

    troupe_system_stats(world.system, &stats);
    const char *failure = atomic_load(&world.failure);
    check(failure == NULL, failure == NULL ? "no rule was broken" : failure);
    check(stats.actors == 0 && stats.names == 0, "no actor and no name is left");
    check(stats.memory_bytes <= baseline, "no memory is left");
    check(world.asked == world.downs + world.taken_back, "every monitor gave one down, or was taken back");
    check(world.open == 0 && world.read > 0 && world.ends > 0, "every subscriber was told of the end");
    check(world.names > 0 && world.dropped > 0 && world.names_lost <= world.dropped, "lost names were told once");
    printf("# seed %llu: %llu events, %llu read, %llu lagged, %llu downs, %llu names, %llu lost, %llu of them told\n",
           (unsigned long long)config.seed, (unsigned long long)world.published, (unsigned long long)world.read,
           (unsigned long long)world.lagged, (unsigned long long)world.downs, (unsigned long long)world.names,
           (unsigned long long)world.dropped, (unsigned long long)world.names_lost);
    troupe_system_free(world.system);
    return failures == 0 ? 0 : 1;
}
