/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything at once: imps, whose every function does any of the things that a context allows, to each other and to
 * themselves, also in init, down, child and stop; outsiders on each worker do what requests allow and cancel half of
 * it; some imps are run by blocking workers. Few actors, so that what they do meets. Sanitizers watch; what is checked
 * here is only that every request ends once and that nothing is left. stress_random.c checks the promises.
 *
 *   stress_everything [--seed N]
 *
 * In an AddressSanitizer build allocations fail at random as well. Speaks TAP. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/system.h>

#include "core/worker.h"
#include "imp.h"
#include "port/port.h"
#include "sleeper.h"

#define WORKERS 3u
#define BLOCKING 2u
#define ALL (WORKERS + BLOCKING)
#define STEPS 6000u     /* of each outsider */
#define STEP_NS 100000u /* between two, while nothing else is to be done */
#define OPEN_MAX 32u    /* requests of an outsider */
#define SECONDS_MAX 100u

static struct {
    struct sleeper sleepers[ALL];
    _Atomic int open, ended_twice;
    _Atomic unsigned asking;
    _Atomic bool over;
    uint64_t seed;
} world;

/* ---- the outsiders ---- */

struct asked {
    troupe_request request;
    bool open;
};

struct driver {
    pthread_t thread;
    uint32_t index, steps;
    uint64_t random;
    troupe_worker *worker;
    struct asked asked[OPEN_MAX];
    troupe_group_request group;
    troupe_subscription reader;
    bool group_open, reads, shuts_down;
};

static struct driver drivers[ALL];

static uint32_t dice(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(driver->random >> 33) % n;
}

static void on_done(troupe_request *request, const troupe_answer *reply)
{
    struct asked *asked = request->user;

    (void)reply;
    if (!asked->open)
        atomic_fetch_add(&world.ended_twice, 1);
    asked->open = false;
    atomic_fetch_sub(&world.open, 1);
}

static void on_group_done(troupe_group_request *request, const troupe_group_counts *counts)
{
    struct driver *driver = request->user;

    (void)counts;
    driver->group_open = false;
}

static void on_news(troupe_subscription *reader)
{
    struct driver *driver = reader->user;
    troupe_event event;
    int got;

    do
        got = troupe_subscription_read(reader, &event);
    while (got > 0);
    if (got < 0) {
        troupe_unsubscribe(reader);
        driver->reads = false;
    }
}

static void ask_group(struct driver *driver, troupe_view group)
{
    const troupe_view none = {"", 0};
    int rc;

    if (driver->group_open) {
        troupe_group_request_cancel(&driver->group);
        driver->group_open = false;
        return;
    }
    driver->group = (troupe_group_request){.user = driver, .done = on_group_done};
    driver->group_open = true;
    if (dice(driver, 2))
        rc = troupe_request_group_call(driver->worker, &driver->group, none, group, troupe_view_of("call"),
                                       troupe_body_none(), (troupe_caller){0}, 1 + dice(driver, 20));
    else
        rc = troupe_request_group_cast(driver->worker, &driver->group, none, group, troupe_view_of("cast"),
                                       troupe_body_none(), (troupe_caller){0});
    if (rc)
        driver->group_open = false;
}

static void subscribe(struct driver *driver, troupe_ref ref, troupe_view group)
{
    const troupe_view none = {"", 0};
    const troupe_event_id nothing = {0, 0};
    troupe_topic *topic;
    int rc = 0;

    if (driver->reads) {
        troupe_unsubscribe(&driver->reader);
        driver->reads = false;
        return;
    }
    driver->reader = (troupe_subscription){.user = driver, .ready = on_news};
    switch (dice(driver, 3)) {
    case 0:
        rc = troupe_subscribe(driver->worker, &driver->reader, ref, TROUPE_FROM_OLDEST, nothing);
        break;
    case 1:
        rc = troupe_group_subscribe(driver->worker, &driver->reader, none, group, TROUPE_FROM_NOW, nothing);
        break;
    default:
        if ((rc = troupe_system_trace(imp_world.system, ref, &topic)) != 0)
            break;
        rc = troupe_subscribe_to(driver->worker, &driver->reader, topic, TROUPE_FROM_OLDEST, nothing);
        troupe_topic_release(topic);
    }
    driver->reads = rc == 0;
}

static void set_timer(struct driver *driver, troupe_request *request, troupe_ref ref)
{
    const troupe_timer_opts opts = {.name = troupe_view_of(dice(driver, 2) ? "alarm" : ""),
                                    .type = troupe_view_of("cast"),
                                    .body = troupe_body_none(),
                                    .after_ms = dice(driver, 20),
                                    .every_ms = dice(driver, 3) ? 0 : 1 + dice(driver, 10)};

    troupe_request_timer_set(driver->worker, request, on_done, ref, &opts, 20);
}

static void ask_spawn(struct driver *driver, troupe_request *request)
{
    const troupe_spawn_opts opts = {.behavior = dice(driver, 6) ? "imp" : "slow",
                                    .restart = (enum troupe_restart)dice(driver, 3),
                                    .start_timeout_ms = dice(driver, 2) ? 0 : 1 + dice(driver, 10)};

    troupe_request_spawn(driver->worker, request, on_done, &opts);
}

static void ask(struct driver *driver, struct asked *asked, troupe_ref ref)
{
    troupe_worker *worker = driver->worker;
    troupe_request *request = &asked->request;
    uint32_t timeout_ms = 1 + dice(driver, 50);

    *asked = (struct asked){.request = {.user = asked}, .open = true};
    atomic_fetch_add(&world.open, 1);
    switch (dice(driver, 11)) {
    case 0:
        troupe_request_call(worker, request, on_done, ref, troupe_view_of("call"), troupe_body_none(),
                            (troupe_caller){0}, timeout_ms);
        break;
    case 1:
        troupe_request_stop(worker, request, on_done, ref, (enum troupe_stop_mode)dice(driver, 3), (troupe_view){"", 0},
                            timeout_ms);
        break;
    case 2:
        troupe_request_info(worker, request, on_done, ref, timeout_ms);
        break;
    case 3:
        troupe_request_monitor(worker, request, on_done, ref);
        break;
    case 4:
        troupe_request_view(worker, request, on_done, ref, timeout_ms);
        break;
    case 5:
        troupe_request_suspend(worker, request, on_done, ref, dice(driver, 3) == 0, timeout_ms);
        break;
    case 6:
        troupe_request_trace(worker, request, on_done, ref, dice(driver, 20), dice(driver, 2), timeout_ms);
        break;
    case 7:
        set_timer(driver, request, ref);
        break;
    case 8:
        troupe_request_timer_cancel(worker, request, on_done, ref, troupe_view_of("alarm"), timeout_ms);
        break;
    case 9:
        troupe_request_timers(worker, request, on_done, ref, timeout_ms);
        break;
    default:
        ask_spawn(driver, request);
    }
}

static void cancel(struct asked *asked)
{
    troupe_request_cancel(&asked->request);
    asked->open = false;
    atomic_fetch_sub(&world.open, 1);
}

static void step(struct driver *driver)
{
    struct asked *asked = &driver->asked[dice(driver, OPEN_MAX)];
    troupe_ref ref = imp_at(dice(driver, IMP_BOARD));
    troupe_view group = troupe_view_of(imp_groups[dice(driver, IMP_GROUPS)]);

#ifdef __SANITIZE_ADDRESS__
    if (dice(driver, 3) == 0)
        troupe__port_fail_after(1 + dice(driver, 40));
#endif
    if (asked->open && dice(driver, 4) == 0)
        cancel(asked);
    else if (asked->open)
        return;
    else if (dice(driver, 8) == 0)
        ask_group(driver, group);
    else if (dice(driver, 8) == 0)
        subscribe(driver, ref, group);
    else
        ask(driver, asked, ref);
}

static void ask_no_more(struct driver *driver)
{
    if (driver->group_open)
        troupe_group_request_cancel(&driver->group);
    if (driver->reads)
        troupe_unsubscribe(&driver->reader);
    for (uint32_t i = 0; i < OPEN_MAX; i++)
        if (driver->asked[i].open && dice(driver, 2))
            cancel(&driver->asked[i]);
    driver->group_open = driver->reads = false;
    atomic_fetch_sub(&world.asking, 1);
}

/* ---- the threads ---- */

static uint64_t read_clock(void *user)
{
    (void)user;
    return sleeper_now_ns();
}

static void on_wake(void *user, uint32_t index)
{
    (void)user;
    sleeper_wake(&world.sleepers[index]);
}

static void finish(void)
{
    atomic_store(&world.over, true);
    for (uint32_t i = 0; i < ALL; i++)
        sleeper_wake(&world.sleepers[i]);
}

/* The first one ends the system when nobody asks any more, and all when nothing is left. */
static void end_all(struct driver *driver)
{
    troupe_stats stats;

    if (!driver->shuts_down) {
        driver->shuts_down = true;
        troupe__port_fail_after(0);
        troupe_system_shutdown(driver->worker, dice(driver, 2) ? TROUPE_STOP : TROUPE_DRAIN, 500);
    }
    troupe_system_stats(imp_world.system, &stats);
    if (stats.actors == 0 && atomic_load(&world.open) == 0)
        finish();
}

static uint64_t drive_once(struct driver *driver)
{
    uint64_t now_ns = sleeper_now_ns(), delay_ns;
    bool asks = driver->index < WORKERS && driver->steps < STEPS;

    troupe_worker_set_now(driver->worker, now_ns);
    if (asks)
        step(driver);
    if (asks && ++driver->steps == STEPS)
        ask_no_more(driver);
    if (driver->index == 0 && atomic_load(&world.asking) == 0)
        end_all(driver);
    delay_ns = troupe_worker_poll(driver->worker, now_ns, 64);
    bool looks_around = asks || (driver->index == 0 && driver->steps == STEPS);
    return looks_around && delay_ns > STEP_NS ? STEP_NS : delay_ns;
}

static void *drive(void *user)
{
    struct driver *driver = user;
    uint64_t until_ns = sleeper_now_ns() + SECONDS_MAX * UINT64_C(1000000000);

    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = drive_once(driver);
        if (delay_ns > 0 && !atomic_load(&world.over) && troupe_worker_park(driver->worker)) {
            sleeper_rest(&world.sleepers[driver->index], delay_ns);
            troupe_worker_unpark(driver->worker);
        }
        if (sleeper_now_ns() > until_ns)
            finish();
    }
    return NULL;
}

static bool report(unsigned number, bool ok, const char *what)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", number, what);
    return ok;
}

int main(int argc, char **argv)
{
    troupe_stats stats;
    bool ok = true;

    world.seed = argc == 3 && strcmp(argv[1], "--seed") == 0 ? strtoull(argv[2], NULL, 0) : sleeper_now_ns();
    troupe_system_config config = {.node = 1, .workers = WORKERS, .blocking_workers = BLOCKING, .actors_max = 4096,
                                   .seed = world.seed, .wake = on_wake, .clock_ns = read_clock};
    if (troupe_system_new(&config, &imp_world.system) || troupe_system_add_behavior(imp_world.system, &imp_behavior) ||
        troupe_system_add_behavior(imp_world.system, &imp_slow_behavior))
        return 1;
    printf("1..4\n");
    world.asking = WORKERS;
    for (uint32_t i = 0; i < ALL; i++) {
        sleeper_init(&world.sleepers[i]);
        drivers[i] = (struct driver){
            .index = i, .random = world.seed + i, .worker = troupe_system_worker(imp_world.system, i)};
    }
    for (uint32_t i = 0; i < ALL; i++)
        if (pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]))
            return 1;
    for (uint32_t i = 0; i < ALL; i++)
        pthread_join(drivers[i].thread, NULL);
    troupe_system_stats(imp_world.system, &stats);
    ok = report(1, stats.actors == 0 && atomic_load(&imp_world.alive) == 0, "no actor is left") && ok;
    bool ended_once = atomic_load(&world.open) == 0 && atomic_load(&world.ended_twice) == 0;
    ok = report(2, ended_once, "every request ended once") && ok;
    troupe_system_free(imp_world.system);
    ok = report(3, troupe__heap_bytes() == 0, "no memory is left") && ok;
    ok = report(4, stats.restarts > 10 && stats.messages > 1000, "something has happened") && ok;
    printf("# seed %llu: %llu spawned, %llu failed, %llu killed, %llu restarts, %llu messages\n",
           (unsigned long long)world.seed, (unsigned long long)stats.spawned, (unsigned long long)stats.failed,
           (unsigned long long)stats.killed, (unsigned long long)stats.restarts, (unsigned long long)stats.messages);
    return ok ? 0 : 1;
}
