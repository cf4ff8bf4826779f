/* SPDX-License-Identifier: Apache-2.0
 *
 * The core on real threads: each drives a worker, sleeps when it may, and asks as an outsider, while the actors send,
 * call, spawn, link, monitor, stop and kill each other at random. ThreadSanitizer watches; the counts are checked here.
 *
 *   stress [--workers N] [--requests N] [--seed N]     N requests on each worker, then the shutdown
 *
 * Checked: one turn at a time for an actor; order for each sender; every call and request ends exactly once; one down
 * for each monitor; nobody receives after the end; nothing is left. What depends on the order of threads is counted,
 * not predicted: the simulator (tests/sim) is the place for that. Speaks TAP. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <troupe/system.h>

#include "sleeper.h"
#include "tap.h"

#define WORKERS_MAX 8u
#define ASK_AGAIN_NS 1000000u
#define OPEN_MAX 128u   /* open requests of a worker */
#define BOARD 256u      /* places where actors leave their ids for others */
#define HOT 3u          /* places that everybody likes to send to */
#define ACTORS_MAX 300u /* spawns pause above it */
#define SENDERS 64u     /* of which an actor remembers the last sequence number */

static struct {
    _Atomic uint64_t casts, received, calls, calls_over, calls_left, monitors, downs, monitors_left;
    _Atomic uint64_t inits, finis, ended, requests, answers, senders;
    _Atomic uint64_t board[BOARD]; /* slot << 32 | generation */
    _Atomic(const char *) failure;
    _Atomic unsigned asking; /* threads that still ask */
    _Atomic bool over;
    troupe_system *system;
    uint32_t requests_each;
} world;

#define COUNT(name) atomic_fetch_add_explicit(&world.name, 1, memory_order_relaxed)

static void fail(const char *text)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&world.failure, &none, text);
}

/* ---- the actor ---- */

struct state {
    _Atomic bool inside;
    uint64_t id, sequence; /* of its messages */
    uint32_t open_calls, open_monitors;
    bool stopped;
    struct {
        uint64_t id, sequence;
    } senders[SENDERS];
};

struct note {
    uint64_t sender, sequence;
    uint32_t energy;
};

static bool enter(struct state *state)
{
    if (atomic_exchange_explicit(&state->inside, true, memory_order_relaxed))
        fail("two turns of one actor at the same time");
    if (state->stopped)
        fail("a function ran after the stop hook");
    return true;
}

static int leave(struct state *state, int rc)
{
    atomic_store_explicit(&state->inside, false, memory_order_relaxed);
    return rc;
}

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

static troupe_ref ref_at(uint32_t place)
{
    uint64_t value = atomic_load_explicit(&world.board[place], memory_order_relaxed);

    return (troupe_ref){troupe_system_home(world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

static void show(uint32_t place, troupe_ref ref)
{
    atomic_store_explicit(&world.board[place], (uint64_t)ref.slot << 32 | ref.generation, memory_order_relaxed);
}

static bool is_expected(int rc)
{
    switch (rc) {
    case 0:
    case TROUPE_E_FULL:
    case TROUPE_E_GONE:
    case TROUPE_E_NOT_FOUND:
    case TROUPE_E_DRAINING:
    case TROUPE_E_SHED:
    case TROUPE_E_KILLED:
    case TROUPE_E_STATE:
    case TROUPE_E_LIMIT:
    case TROUPE_E_NAME_TAKEN:
        return true;
    default:
        return false;
    }
}

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct state *state = memory;

    enter(state);
    COUNT(calls_over);
    if (state->open_calls-- == 0)
        fail("a call ended twice");
    if (reply->status == 0 && reply->body_len != sizeof(struct note))
        fail("a reply is not what was sent");
    return leave(state, below(ctx, 200) == 0 ? TROUPE_E_INTERNAL : 0);
}

static void spawn(troupe_ctx *ctx)
{
    char name[16];
    troupe_stats stats;
    troupe_ref ref;

    troupe_system_stats(world.system, &stats);
    if (stats.actors > ACTORS_MAX)
        return;
    snprintf(name, sizeof name, "n%u", (unsigned)below(ctx, 16));
    troupe_spawn_opts opts = {.behavior = "rover",
                              .name = troupe_view_of(below(ctx, 4) == 0 ? name : ""),
                              .restart = (enum troupe_restart)below(ctx, 3),
                              .link = below(ctx, 4) == 0,
                              .mailbox_messages_max = below(ctx, 2) ? 0 : 4 + below(ctx, 30),
                              .mailbox_policy = (enum troupe_mailbox_policy)below(ctx, 3),
                              .backoff_min_ms = below(ctx, 2),
                              .backoff_max_ms = 2};
    if (!is_expected(troupe_spawn(ctx, &opts, &ref)))
        fail("spawn gave an unexpected error");
}

static void act(troupe_ctx *ctx, struct state *state, uint32_t energy)
{
    static const uint32_t timeouts[] = {0, 1, 5, 50};
    troupe_ref to = ref_at(below(ctx, 3) == 0 ? below(ctx, HOT) : below(ctx, BOARD));
    struct note note = {.sender = state->id, .sequence = state->sequence + 1, .energy = energy};
    troupe_body body = troupe_body_bytes(&note, sizeof note, NULL);
    uint64_t id;
    int rc = 0;

    if (!troupe_ref_is_actor(to))
        return;
    switch (below(ctx, 24)) {
    case 0:
    case 1:
        spawn(ctx);
        break;
    case 2:
        if (below(ctx, 4) == 0)
            rc = troupe_stop(ctx, to, (enum troupe_stop_mode)below(ctx, 3), "stress");
        break;
    case 3:
    case 4:
        rc = troupe_monitor(ctx, to, &id);
        if (rc == 0) {
            COUNT(monitors);
            state->open_monitors++;
        }
        break;
    case 5:
        if (!troupe_ref_equal(to, troupe_self(ctx)))
            rc = troupe_link(ctx, to);
        break;
    case 6:
        rc = troupe_unlink(ctx, to);
        break; /* not_found when they are not linked */
    case 7:
        rc = troupe_timer_after(ctx, below(ctx, 5), "work", troupe_body_none(), &id);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        rc = below(ctx, 4) == 0 && !troupe_ref_equal(to, troupe_self(ctx))
                 ? troupe_call_wait(ctx, to, "work", body, timeouts[below(ctx, 4)], on_reply, 0)
                 : troupe_call(ctx, to, "work", body, timeouts[below(ctx, 4)], on_reply, 0);
        if (rc == 0) {
            state->sequence++;
            state->open_calls++;
            COUNT(calls);
        }
        break;
    default:
        for (uint32_t i = below(ctx, 4) == 0 ? below(ctx, 40) : 1; i > 0 && rc == 0; i--) {
            note.sequence = state->sequence + 1;
            note.energy = i == 1 ? energy : 0;
            rc = troupe_cast(ctx, to, "work", body);
            if (rc == 0) {
                state->sequence++;
                COUNT(casts);
            }
        }
        break;
    }
    if (!is_expected(rc))
        fail("an action gave an unexpected error");
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;

    (void)args;
    enter(state);
    COUNT(inits);
    state->id = 1 + COUNT(senders);
    show(below(ctx, BOARD), troupe_self(ctx));
    return leave(state, below(ctx, 50) == 0 ? TROUPE_E_INTERNAL : 0);
}

static void check_order(struct state *state, const struct note *note)
{
    uint32_t at = (uint32_t)(note->sender % SENDERS);

    if (note->sender == 0)
        return; /* an outsider */
    if (state->senders[at].id == note->sender && note->sequence <= state->senders[at].sequence)
        fail("messages of one sender came out of order, or twice");
    state->senders[at].id = note->sender;
    state->senders[at].sequence = note->sequence;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    struct note note = {0};

    enter(state);
    COUNT(received);
    if (msg->kind == TROUPE_MSG_CAST || msg->kind == TROUPE_MSG_CALL) {
        memcpy(&note, msg->body, sizeof note);
        check_order(state, &note);
    }
    if (msg->kind == TROUPE_MSG_CALL && below(ctx, 8) != 0) {
        troupe_handle handle;
        if (below(ctx, 4) == 0) {
            if (troupe_reply_keep(ctx, &handle) == 0 && below(ctx, 2) == 0)
                (void)!troupe_reply_to(ctx, handle, troupe_body_bytes(&note, sizeof note, NULL));
        } else {
            (void)!troupe_reply(ctx, troupe_body_bytes(&note, sizeof note, NULL));
        }
    }
    for (uint32_t i = note.energy == 0 ? 0 : below(ctx, 3); i > 0; i--)
        act(ctx, state, note.energy - 1);
    if (below(ctx, 500) == 0)
        troupe_stop_self(ctx, "stress");
    return leave(state, below(ctx, 300) == 0 ? TROUPE_E_INTERNAL : 0);
}

static int down(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    struct state *state = memory;

    (void)ctx;
    enter(state);
    if (event->monitor != 0) {
        COUNT(downs);
        if (state->open_monitors-- == 0)
            fail("a monitor gave two downs");
    }
    return leave(state, 0);
}

static void stop(troupe_ctx *ctx, void *memory, const troupe_exit *exit)
{
    struct state *state = memory;

    (void)ctx;
    (void)exit;
    enter(state);
    state->stopped = true;
    leave(state, 0);
}

static void fini(void *memory)
{
    struct state *state = memory;

    if (state->id == 0)
        return; /* init never ran */
    COUNT(finis);
    atomic_fetch_add(&world.calls_left, state->open_calls);
    atomic_fetch_add(&world.monitors_left, state->open_monitors);
}

static const troupe_type types[] = {{.name = "work"}};
static const troupe_behavior rover = {TROUPE_BEHAVIOR_HEAD,
                                      .name = "rover",
                                      .version = "1.0.0",
                                      .summary = "moves",
                                      .types = types,
                                      .types_count = 1,
                                      .state_bytes = sizeof(struct state),
                                      .init = init,
                                      .receive = receive,
                                      .down = down,
                                      .stop = stop,
                                      .fini = fini};

/* ---- the threads ---- */

struct driver {
    pthread_t thread;
    struct sleeper sleeper;
    uint32_t index;
    uint64_t random;
    troupe_worker *worker;
    uint32_t open;
    struct {
        troupe_request request;
        bool open;
    } requests[OPEN_MAX];
};

static struct driver drivers[WORKERS_MAX];
static _Thread_local struct driver *this_driver;

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&drivers[worker].sleeper);
}

static void on_ended(void *user, troupe_ref actor, const char *behavior, const troupe_exit *exit)
{
    (void)user;
    (void)actor;
    (void)exit;
    if (behavior != NULL && strcmp(behavior, "rover") == 0)
        COUNT(ended);
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct driver *driver = request->user;

    COUNT(answers);
    if (driver != this_driver)
        fail("a request was answered on another thread");
    for (uint32_t i = 0; i < OPEN_MAX; i++)
        if (&driver->requests[i].request == request) {
            if (!driver->requests[i].open)
                fail("a request was answered twice");
            driver->requests[i].open = false;
            driver->open--;
        }
    if (answer->error == 0 && troupe_ref_is_actor(answer->ref))
        show((uint32_t)(answer->ref.slot % BOARD), answer->ref);
}

static uint32_t draw(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(driver->random >> 33) % n;
}

static void ask(struct driver *driver)
{
    troupe_request *request = NULL;
    troupe_ref to = ref_at(draw(driver, BOARD));
    struct note note = {.energy = 3 + draw(driver, 8)};
    troupe_spawn_opts opts = {.behavior = "rover", .restart = (enum troupe_restart)draw(driver, 3)};

    for (uint32_t i = 0; i < OPEN_MAX && request == NULL; i++)
        if (!driver->requests[i].open) {
            memset(&driver->requests[i], 0, sizeof driver->requests[i]);
            driver->requests[i].open = true;
            request = &driver->requests[i].request;
        }
    if (request == NULL)
        return;
    request->user = driver;
    driver->open++;
    COUNT(requests);
    uint32_t what = troupe_ref_is_actor(to) ? draw(driver, 40) : 0;
    if (what < 3)
        troupe_request_spawn(driver->worker, request, on_done, &opts);
    else if (what == 3)
        troupe_request_stop(driver->worker, request, on_done, to, (enum troupe_stop_mode)draw(driver, 3),
                            troupe_view_of("stress"), 1 + draw(driver, 20));
    else if (what < 6)
        troupe_request_info(driver->worker, request, on_done, to, 1 + draw(driver, 100));
    else
        troupe_request_call(driver->worker, request, on_done, to, troupe_view_of("work"),
                            troupe_body_bytes(&note, sizeof note, NULL),
                            (troupe_caller){.subject = troupe_view_of("stress")}, draw(driver, 50));
}

static void end_all(void)
{
    atomic_store(&world.over, true);
    for (uint32_t i = 0; i < troupe_system_workers(world.system); i++)
        on_wake(NULL, i);
}

static void *drive(void *argument)
{
    struct driver *driver = this_driver = argument;
    uint32_t left = world.requests_each;
    bool shutting_down = false;
    troupe_stats stats;
    uint64_t give_up_ns = sleeper_now_ns() + (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;

    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1 + draw(driver, 64));
        for (uint32_t i = left == 0 ? 0 : draw(driver, 8); i > 0 && left > 0 && driver->open < OPEN_MAX; i--) {
            ask(driver);
            delay_ns = 0;
            if (--left == 0)
                atomic_fetch_sub(&world.asking, 1);
        }
        if (driver->index != 0 && atomic_load(&world.asking) == 0)
            on_wake(NULL, 0); /* it waits for all to be over */
        if (driver->index == 0 && atomic_load(&world.asking) == 0) {
            if (!shutting_down)
                troupe_system_shutdown(driver->worker, TROUPE_STOP, 2000);
            shutting_down = true;
            troupe_system_stats(world.system, &stats);
            if (stats.actors == 0 && atomic_load(&world.answers) == atomic_load(&world.requests))
                end_all();
        }
        if (sleeper_now_ns() > give_up_ns) {
            fail("the system did not come to its end");
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

/* ---- the whole ---- */

int main(int argc, char **argv)
{
    troupe_system_config config = {.workers = 4,
                                   .node = 5,
                                   .seed = (uint64_t)time(NULL),
                                   .actors_max = 100000,
                                   .wake = on_wake,
                                   .ended = on_ended};
    troupe_stats stats;

    world.requests_each = 20000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workers") == 0)
            config.workers = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--requests") == 0)
            world.requests_each = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            config.seed = strtoull(argv[i + 1], NULL, 10);
    }
    if (config.workers == 0 || config.workers > WORKERS_MAX || world.requests_each == 0) {
        fprintf(stderr, "usage: %s [--workers 1..%u] [--requests N] [--seed N]\n", argv[0], WORKERS_MAX);
        return 2;
    }
    config.no_inline = config.seed % 2 == 0;
    printf("1..8\n");
    if (troupe_system_new(&config, &world.system) != 0 || troupe_system_add_behavior(world.system, &rover) != 0)
        return 2;
    troupe_system_stats(world.system, &stats);
    uint64_t baseline = stats.memory_bytes;
    atomic_store(&world.asking, config.workers);
    for (uint32_t i = 0; i < config.workers; i++) {
        struct driver *driver = &drivers[i];
        driver->index = i;
        driver->random = config.seed + i;
        driver->worker = troupe_system_worker(world.system, i);
        sleeper_init(&driver->sleeper);
    }
    for (uint32_t i = 0; i < config.workers; i++)
        if (pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]) != 0)
            return 2;
    for (uint32_t i = 0; i < config.workers; i++)
        pthread_join(drivers[i].thread, NULL);
    for (uint32_t i = 0; i < config.workers; i++) /* answers that came after their deadline may lie there */
        (void)troupe_worker_poll(drivers[i].worker, sleeper_now_ns(), 64);

    troupe_system_stats(world.system, &stats);
    const char *failure = atomic_load(&world.failure);
    check(failure == NULL, failure == NULL ? "no rule was broken in a turn" : failure);
    check(stats.actors == 0 && stats.names == 0, "no actor and no name is left");
    check(stats.memory_bytes <= baseline, "no memory is left");
    check(world.requests == world.answers, "every request was answered");
    check(world.calls == world.calls_over + world.calls_left, "every call ended, or its caller did");
    check(world.monitors == world.downs + world.monitors_left, "every monitor gave a down, or its watcher ended");
    check(world.inits == world.finis && world.ended >= world.inits, "every actor that began was finished");
    check(stats.steals > 0 || config.workers == 1, "actors were stolen");
    printf("# seed %llu: %llu casts, %llu calls, %llu actors, %llu restarts, %llu steals, %llu inline turns\n",
           (unsigned long long)config.seed, (unsigned long long)world.casts, (unsigned long long)world.calls,
           (unsigned long long)world.inits, (unsigned long long)stats.restarts, (unsigned long long)stats.steals,
           (unsigned long long)stats.turns_inline);
    troupe_system_free(world.system);
    return failures == 0 ? 0 : 1;
}
