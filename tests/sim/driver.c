/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver: the world of the system under test. In each step it runs a worker for some turns, or parks it, or lets
 * time pass, or lets an outsider ask. A parked worker is left alone until wake() was called for it or its deadline has
 * come, as a blocked thread would be: so a lost wake-up leaves work undone, and rest.c sees it. */
#include "chaos.h"
#include "follow.h"
#include "groups.h"
#include "inspector.h"
#include "outsider.h"
#include "pools.h"
#include "subscriber.h"
#include "timers.h"

#include <troupe/behaviors.h>

#include "core/worker.h" /* for the choice of inline runs alone */
#include "port/port.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REST_POLLS_MAX 20000u /* more polls than this without time passing: a livelock */
#define REST_EVERY 50u        /* steps between two judgements at rest */
#define SHUTDOWN_MS 3000u

struct sim_world sim_world;

struct lane {
    bool parked, woken;
    uint64_t due_ns; /* the deadline that its last poll told */
};

static struct driver {
    uint32_t workers; /* the ordinary ones */
    uint32_t lanes_count;
    struct lane lanes[SIM_WORKERS_MAX + SIM_BLOCKING_MAX]; /* the blocking workers come last */
    bool chooses_inline, has_pools;
} driver;

bool sim_fail(const char *format, ...)
{
    va_list args;

    if (sim_world.failed)
        return false;
    sim_world.failed = true;
    va_start(args, format);
    vsnprintf(sim_world.text, sizeof sim_world.text, format, args);
    va_end(args);
    if (sim_world.trace)
        printf("# FAILED: %s\n", sim_world.text);
    return false;
}

void sim_event(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t hash = sim_world.signature;

    for (const char *at = what; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    hash = ((hash ^ a) * 0x9e3779b97f4a7c15u) ^ (hash >> 29);
    hash = ((hash ^ b) * 0x9e3779b97f4a7c15u) ^ (hash >> 31);
    hash = ((hash ^ c) * 0x9e3779b97f4a7c15u) ^ (hash >> 30);
    sim_world.signature = hash;
    if (sim_world.trace)
        printf("# %8llu ms  %-14s %llu:%llu %llu:%llu %lld\n", (unsigned long long)sim_now_ms(), what,
               (unsigned long long)(a >> 32), (unsigned long long)(a & 0xffffffffu), (unsigned long long)(b >> 32),
               (unsigned long long)(b & 0xffffffffu), (long long)c);
}

uint64_t sim_random(void)
{
    uint64_t z = (sim_world.random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t sim_below(uint32_t n) { return (uint32_t)((sim_random() >> 32) % n); }

troupe_view sim_name(uint32_t i)
{
    static const char *const names[SIM_NAMES] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};

    return troupe_view_of(names[i]);
}

bool sim_is_chaos(const char *behavior)
{
    return strcmp(behavior, "chaos") == 0 || strcmp(behavior, "big") == 0 || strcmp(behavior, "trap") == 0 ||
           strcmp(behavior, "blocking") == 0;
}

/* ---- the hooks of the system ---- */

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    if (worker >= driver.lanes_count)
        sim_fail("worker %u, which is none, is woken", worker);
    else
        driver.lanes[worker].woken = true;
}

static uint64_t on_clock(void *user)
{
    (void)user;
    return sim_world.now_ns + sim_world.turn_ns;
}

static void on_dead_letter(void *user, troupe_ref to, troupe_ref from, const char *type, int error)
{
    (void)user;
    groups_dead_letter(to, from, error);
    sim_event("dead letter", model_find(to), (uint64_t)model_find(from) << 8 | (unsigned char)type[0],
              (uint64_t)(int64_t)error);
}

static void on_ended(void *user, troupe_ref ref, const char *behavior, const troupe_exit *exit)
{
    (void)user;
    if (behavior != NULL && sim_is_chaos(behavior))
        model_ended(model_actor_of(ref), exit);
}

/* ---- time and workers ---- */

static troupe_worker *worker_at(uint32_t i) { return troupe_system_worker(sim_world.system, i); }

static void unpark(uint32_t i)
{
    struct lane *lane = &driver.lanes[i];

    if (lane->parked)
        troupe_worker_unpark(worker_at(i));
    lane->parked = lane->woken = false;
}

/* A worker whose driver is awake and knows the time. */
static troupe_worker *unparked(uint32_t i)
{
    unpark(i);
    troupe_worker_set_now(worker_at(i), sim_world.now_ns);
    return worker_at(i);
}

static bool may_run(uint32_t i)
{
    const struct lane *lane = &driver.lanes[i];

    return !lane->parked || lane->woken || lane->due_ns <= sim_world.now_ns;
}

/* Run a worker; true when it has nothing to do before its next deadline. */
static bool run(uint32_t i, uint32_t turns)
{
    struct lane *lane = &driver.lanes[i];

    unpark(i);
    uint64_t delay_ns = troupe_worker_poll(worker_at(i), sim_world.now_ns, turns);
    lane->due_ns = delay_ns == TROUPE_NEVER ? TROUPE_NEVER : sim_world.now_ns + delay_ns;
    return delay_ns != 0;
}

static void park(uint32_t i)
{
    struct lane *lane = &driver.lanes[i];

    if (!lane->parked && troupe_worker_park(worker_at(i)))
        lane->parked = true;
}

/* Let every worker do all that it can now. */
static bool settle(void)
{
    bool moved = true;

    for (uint32_t polls = 0; moved && !sim_world.failed;) {
        moved = false;
        uint32_t first = sim_below(driver.lanes_count);
        for (uint32_t n = 0; n < driver.lanes_count && !sim_world.failed; n++) {
            uint32_t i = (first + n) % driver.lanes_count;
            if (!may_run(i))
                continue;
            moved = true;
            if (run(i, 1 + sim_below(8)))
                park(i);
            if (++polls > REST_POLLS_MAX)
                return sim_fail("the workers are busy for ever at %llu ms", (unsigned long long)sim_now_ms());
        }
    }
    return !sim_world.failed;
}

static uint64_t next_deadline_ns(void)
{
    uint64_t due_ns = TROUPE_NEVER;

    for (uint32_t i = 0; i < driver.lanes_count; i++)
        if (driver.lanes[i].due_ns < due_ns)
            due_ns = driver.lanes[i].due_ns;
    return due_ns;
}

static void pass_time(void)
{
    uint64_t due_ns = next_deadline_ns();

    if (due_ns != TROUPE_NEVER && due_ns > sim_world.now_ns && sim_below(3) == 0)
        sim_world.now_ns = due_ns;
    else
        sim_world.now_ns += sim_below(4) == 0 ? (uint64_t)sim_below(400) * 1000000u : sim_below(3000000);
    sim_event("time", sim_world.now_ns, 0, 0);
}

/* ---- a run ---- */

static void step(void)
{
    uint32_t i = sim_below(driver.workers), lane = sim_below(driver.lanes_count);

    if (driver.chooses_inline)
        sim_world.system->config.no_inline = sim_below(2) != 0;
    if (sim_world.no_memory && sim_below(25) == 0)
        troupe__port_fail_after(1 + sim_below(30));
    switch (sim_below(22)) {
    case 0:
    case 1:
        pass_time();
        break;
    case 2:
    case 3:
    case 4:
        outsider_act(unparked(i));
        break;
    case 5:
    case 6:
        subscriber_act(unparked(i));
        break;
    case 7:
    case 8:
        inspector_act(unparked(i));
        break;
    case 9:
    case 10:
        if (driver.has_pools)
            pools_act(unparked(i));
        break;
    default:
        if (may_run(lane) && run(lane, 1 + sim_below(6)) && sim_below(2) == 0)
            park(lane);
        break;
    }
}

static void drive(uint32_t steps)
{
    for (uint32_t n = 1; n <= steps && !sim_world.failed; n++) {
        step();
        if (n % REST_EVERY == 0 && settle())
            model_rest();
    }
    troupe__port_fail_after(0);
    /* Let what is open come to its end: every call has a deadline. */
    for (uint32_t n = 0; n < 8 && !sim_world.failed; n++) {
        sim_world.now_ns += 1000000000u;
        if (settle())
            model_rest();
    }
    if (sim_world.failed)
        return;
    pools_look(unparked(0));
    settle();
}

static void shut_down(uint64_t baseline)
{
    troupe_stats stats;
    uint64_t until_ns;

    for (uint32_t n = sim_below(20); n > 0 && !sim_world.failed; n--)
        outsider_act(unparked(sim_below(driver.workers))); /* in the midst of things */
    sim_world.ending = true;
    troupe_system_shutdown(unparked(0), sim_below(2) ? TROUPE_STOP : TROUPE_DRAIN, SHUTDOWN_MS);
    for (uint32_t n = sim_below(10); n > 0 && !sim_world.failed; n--) {
        outsider_act(unparked(sim_below(driver.workers))); /* some do not know yet */
        step();
    }
    troupe__port_fail_after(0);
    until_ns = sim_world.now_ns + (SHUTDOWN_MS + 60000u) * (uint64_t)1000000u;
    for (;;) {
        if (!settle())
            return;
        troupe_system_stats(sim_world.system, &stats);
        uint64_t due_ns = next_deadline_ns();
        if (stats.actors == 0 || due_ns == TROUPE_NEVER || due_ns > until_ns)
            break;
        sim_world.now_ns = due_ns;
    }
    if (stats.actors != 0) {
        sim_fail("%llu actors live through the shutdown", (unsigned long long)stats.actors);
        return;
    }
    sim_world.now_ns += 1000000u;
    if (!settle() || !subscriber_rest() || !subscriber_end() || !settle() || !outsider_rest() ||
        !pools_end())
        return;
    model_end(baseline);
}

static int make_system(uint64_t seed)
{
    /* Few slots come back soon; a budget that is a bit more than what the first slots take is passed now and then. */
    uint32_t actors_max = sim_below(3) == 0 ? SIM_POPULATION + 8 : 4096;
    uint64_t memory_max = sim_below(4) == 0 ? 990000 + sim_below(60000) : 0;
    bool no_inline = sim_below(4) == 0, measures = sim_below(2) == 0;
    troupe_system_config config = {.workers = driver.workers,
                                   .blocking_workers = driver.lanes_count - driver.workers,
                                   .node = seed | 1,
                                   .seed = seed ^ 0x5eed,
                                   .actors_max = actors_max,
                                   .memory_max = memory_max,
                                   .no_inline = no_inline,
                                   .wake = on_wake,
                                   .clock_ns = measures ? on_clock : NULL,
                                   .dead_letter = on_dead_letter,
                                   .ended = on_ended};
    static const troupe_behavior *const behaviors[] = {&sim_chaos, &sim_chaos_big, &sim_chaos_trap, &sim_chaos_blocking,
                                                       &sim_pool_worker, &sim_pool_worker_blocking,
                                                       &troupe_behavior_pool};
    int rc = troupe_system_new(&config, &sim_world.system);

    for (uint32_t i = 0; rc == 0 && i < sizeof behaviors / sizeof behaviors[0]; i++)
        rc = troupe_system_add_behavior(sim_world.system, behaviors[i]);
    for (uint32_t i = driver.workers; i < driver.lanes_count; i++)
        driver.lanes[i] = (struct lane){.parked = true, .due_ns = TROUPE_NEVER}; /* they are, from the start */
    driver.chooses_inline = !no_inline;
    driver.has_pools = sim_below(3) != 0;
    sim_world.no_memory = sim_below(6) == 0;
    sim_world.spawns_fail = actors_max < 4096 || memory_max != 0 || sim_world.no_memory;
    return rc;
}

void sim_run(const struct sim_options *options, struct sim_result *ret_result)
{
    troupe_stats stats = {0};
    struct sim_result result = {0};

    memset(&driver, 0, sizeof driver);
    outsider_init();
    subscriber_init();
    follow_init();
    timers_init();
    inspector_init();
    pools_init();
    groups_init();
    sim_world = (struct sim_world){.random = options->seed * 0x9e3779b97f4a7c15u,
                                   .now_ns = 1000000000u,
                                   .signature = 0xcbf29ce484222325u,
                                   .trace = options->trace};
    driver.workers = 1 + sim_below(SIM_WORKERS_MAX);
    driver.lanes_count = driver.workers + (sim_below(2) != 0 ? 1 + sim_below(SIM_BLOCKING_MAX) : 0);
    model_init();
    if (make_system(options->seed) != 0) {
        sim_fail("the system cannot be made");
    } else {
        model.actors.at[0].ref = (troupe_ref){.home = troupe_system_home(sim_world.system)};
        troupe_system_stats(sim_world.system, &stats);
        uint64_t baseline = stats.memory_bytes;
        drive(options->steps);
        troupe_system_stats(sim_world.system, &result.stats);
        if (!sim_world.failed)
            shut_down(baseline);
        troupe__port_fail_after(0);
        troupe_system_free(sim_world.system);
    }
    result.signature = sim_world.signature;
    result.failed = sim_world.failed;
    memcpy(result.text, sim_world.text, sizeof result.text);
    groups_fini();
    model_fini();
    *ret_result = result;
}
