/* SPDX-License-Identifier: Apache-2.0
 *
 * Random operations on all cores: what an actor may do to others and to itself, while ThreadSanitizer watches. stress.c
 * is about traffic and life; here are the things that an actor keeps, and that must be neither lost nor doubled:
 * messages that were accepted and perhaps postponed, timers, monitors, kept calls, names.
 *
 *   stress_random [--workers N] [--rounds N] [--seed N]     N rounds of each worker's outsider, then the shutdown
 *
 * Checked: each accepted cast was handled once or is a dead letter; messages of one sender are handled in their order,
 * also when they were postponed; a cancelled timer never arrives, and a one-shot timer is handled once; each monitor
 * that was not taken back gives one down; each call and request ends once; no name, actor or byte is
 * left. Speaks TAP. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <troupe/group.h>

#include "roamer.h"
#include "sleeper.h"
#include "tap.h"

#define WORKERS_MAX 8u
#define OPEN_MAX 64u /* open requests of a worker */

/* ---- the threads ---- */

struct driver {
    pthread_t thread;
    struct sleeper sleeper;
    uint32_t index, open;
    uint64_t random;
    troupe_worker *worker;
    struct {
        troupe_request request;
        bool open;
    } requests[OPEN_MAX];
};

static struct driver drivers[WORKERS_MAX];

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&drivers[worker].sleeper);
}

static void on_dead_letter(void *user, troupe_ref to, troupe_ref from, const char *type, int error)
{
    (void)user, (void)to, (void)from, (void)error;
    if (strcmp(type, "note") == 0)
        ROAMER_COUNT(notes_dead);
}

static uint32_t draw(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(driver->random >> 33) % n;
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct driver *driver = request->user;

    ROAMER_COUNT(answers);
    for (uint32_t i = 0; i < OPEN_MAX; i++)
        if (&driver->requests[i].request == request) {
            if (!driver->requests[i].open)
                roamer_fail("a request was answered twice");
            driver->requests[i].open = false;
            driver->open--;
        }
    if (answer->error == 0 && troupe_ref_is_actor(answer->ref))
        roamer_show(answer->ref.slot % ROAMER_BOARD, answer->ref);
}

static troupe_request *take_request(struct driver *driver)
{
    for (uint32_t i = 0; i < OPEN_MAX; i++)
        if (!driver->requests[i].open) {
            memset(&driver->requests[i], 0, sizeof driver->requests[i]);
            driver->requests[i].open = true;
            driver->requests[i].request.user = driver;
            driver->open++;
            ROAMER_COUNT(requests);
            return &driver->requests[i].request;
        }
    return NULL;
}

static void ask(struct driver *driver)
{
    troupe_ref to = roamer_at(draw(driver, ROAMER_BOARD));
    struct roamer_message message = {.energy = 6 + draw(driver, 10)};
    troupe_body body = troupe_body_bytes(&message, sizeof message, NULL);
    troupe_caller caller = {.subject = troupe_view_of("stress")};
    troupe_spawn_opts opts = {.behavior = "roamer", .restart = (enum troupe_restart)draw(driver, 3)};
    uint32_t what = troupe_ref_is_actor(to) ? draw(driver, 30) : 0;
    troupe_request *request;

    if (what >= 12) { /* a cast */
        int rc = troupe_worker_cast(driver->worker, to, troupe_view_of("note"), body, caller);
        roamer_expect(rc);
        if (rc == 0)
            ROAMER_COUNT(notes);
        else
            ROAMER_COUNT(notes_refused);
        return;
    }
    if (!(request = take_request(driver)))
        return;
    if (what < 4)
        troupe_request_spawn(driver->worker, request, on_done, &opts);
    else if (what == 4)
        troupe_request_stop(driver->worker, request, on_done, to, (enum troupe_stop_mode)draw(driver, 3),
                            troupe_view_of("random"), 1 + draw(driver, 20));
    else if (what == 5 && draw(driver, 2))
        troupe_request_suspend(driver->worker, request, on_done, to, draw(driver, 3) == 0, 1 + draw(driver, 50));
    else if (what == 5)
        troupe_request_info(driver->worker, request, on_done, to, 1 + draw(driver, 50));
    else
        troupe_request_call(driver->worker, request, on_done, to, troupe_view_of("ask"), body, caller,
                            1 + draw(driver, 30));
}

static void end_all(void)
{
    atomic_store(&roamer_world.over, true);
    for (uint32_t i = 0; i < troupe_system_workers(roamer_world.system); i++)
        on_wake(NULL, i);
}

/* The first worker ends the system when all have asked what they wanted. */
static void end_when_over(struct driver *driver, bool *shutting_down)
{
    troupe_stats stats;

    if (atomic_load(&roamer_world.asking) != 0)
        return;
    if (driver->index != 0) {
        on_wake(NULL, 0);
        return;
    }
    if (!*shutting_down)
        troupe_system_shutdown(driver->worker, TROUPE_STOP, 2000);
    *shutting_down = true;
    troupe_system_stats(roamer_world.system, &stats);
    if (stats.actors == 0 && atomic_load(&roamer_world.answers) == atomic_load(&roamer_world.requests))
        end_all();
}

static void *drive(void *argument)
{
    struct driver *driver = argument;
    uint32_t left = roamer_world.rounds;
    bool shutting_down = false;
    uint64_t give_up_ns = sleeper_now_ns() + (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;

    while (!atomic_load(&roamer_world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1 + draw(driver, 64));
        for (uint32_t i = left == 0 ? 0 : 1 + draw(driver, 8); i > 0 && left > 0; i--) {
            ask(driver);
            delay_ns = 0;
            if (--left == 0)
                atomic_fetch_sub(&roamer_world.asking, 1);
        }
        end_when_over(driver, &shutting_down);
        if (sleeper_now_ns() > give_up_ns) {
            roamer_fail("the system did not come to its end");
            end_all();
        }
        if (delay_ns != 0 && troupe_worker_park(driver->worker)) {
            sleeper_rest(&driver->sleeper, delay_ns);
            troupe_worker_unpark(driver->worker);
        }
    }
    return NULL;
}

/* ---- the whole ---- */

static bool groups_are_empty(void)
{
    static const char *const names[ROAMER_GROUPS] = {"g0", "g1", "g2", "g3"};
    uint32_t members = 0;

    for (unsigned i = 0; i < ROAMER_GROUPS; i++)
        members += troupe_system_group_size(roamer_world.system, troupe_view_of(""), troupe_view_of(names[i]));
    return members == 0;
}

static void judge(uint64_t baseline)
{
    const char *failure = atomic_load(&roamer_world.failure);
    troupe_stats stats;

    troupe_system_stats(roamer_world.system, &stats);
    check(failure == NULL, failure == NULL ? "no rule was broken in a turn" : failure);
    check(stats.actors == 0 && stats.names == 0, "no actor and no name is left");
    check(stats.memory_bytes <= baseline, "no memory is left");
    check(roamer_world.requests == roamer_world.answers, "every request was answered");
    check(roamer_world.calls == roamer_world.calls_over + roamer_world.calls_left,
          "every call ended, or its caller did");
    check(roamer_world.monitors == roamer_world.monitors_over + roamer_world.monitors_left,
          "every monitor ended once, or its watcher did");
    check(roamer_world.group_calls == roamer_world.group_calls_over + roamer_world.group_calls_left,
          "every call of a group ended once, or its caller did");
    check(groups_are_empty(), "no group has a member");
    check(roamer_world.notes + roamer_world.notes_refused == roamer_world.notes_handled + roamer_world.notes_dead,
          "every accepted cast was handled once or is a dead letter");
    check(roamer_world.inits == roamer_world.finis, "every actor that began was finished");
    check(roamer_world.postponed > 0 && roamer_world.timers > 0 && roamer_world.events > 0 &&
              roamer_world.group_calls > 0 && stats.restarts > 0,
          "there was something to see");
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    troupe_system_config config = {.workers = cores < 2                   ? 2
                                              : cores > (long)WORKERS_MAX ? WORKERS_MAX
                                                                          : (uint32_t)cores,
                                   .node = 5,
                                   .seed = (uint64_t)time(NULL),
                                   .actors_max = 100000,
                                   .wake = on_wake,
                                   .dead_letter = on_dead_letter};
    troupe_stats stats;

    roamer_world.rounds = 20000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workers") == 0)
            config.workers = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            roamer_world.rounds = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            config.seed = strtoull(argv[i + 1], NULL, 10);
    }
    if (config.workers == 0 || config.workers > WORKERS_MAX || roamer_world.rounds == 0) {
        fprintf(stderr, "usage: %s [--workers 1..%u] [--rounds N] [--seed N]\n", argv[0], WORKERS_MAX);
        return 2;
    }
    config.no_inline = config.seed % 2 == 0;
    printf("1..11\n");
    if (troupe_system_new(&config, &roamer_world.system) != 0 ||
        troupe_system_add_behavior(roamer_world.system, &roamer_behavior) != 0)
        return 2;
    troupe_system_stats(roamer_world.system, &stats);
    atomic_store(&roamer_world.asking, config.workers);
    for (uint32_t i = 0; i < config.workers; i++) {
        drivers[i].index = i;
        drivers[i].random = config.seed + i;
        drivers[i].worker = troupe_system_worker(roamer_world.system, i);
        sleeper_init(&drivers[i].sleeper);
    }
    for (uint32_t i = 0; i < config.workers; i++)
        if (pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]) != 0)
            return 2;
    for (uint32_t i = 0; i < config.workers; i++)
        pthread_join(drivers[i].thread, NULL);
    for (uint32_t i = 0; i < config.workers; i++) /* answers that came after their deadline may lie there */
        (void)troupe_worker_poll(drivers[i].worker, sleeper_now_ns(), 64);
    judge(stats.memory_bytes);
    printf("# seed %llu: %llu casts, %llu calls, %llu postponed, %llu timers, %llu monitors, %llu actors\n",
           (unsigned long long)config.seed, (unsigned long long)roamer_world.notes,
           (unsigned long long)roamer_world.calls, (unsigned long long)roamer_world.postponed,
           (unsigned long long)roamer_world.timers, (unsigned long long)roamer_world.monitors,
           (unsigned long long)roamer_world.inits);
    troupe_system_free(roamer_world.system);
    return failures == 0 ? 0 : 1;
}
