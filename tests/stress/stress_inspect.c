/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking inside and intervening from several threads at once, while the actors work, move between workers and end:
 * views, suspensions, traces and their readers, clients' timers, peeks, figures, alarms. The build with ThreadSanitizer
 * runs it.
 *
 * At the end: every request was answered once, every alarm that was set was cleared, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

#include "sleeper.h"

#define DRIVERS 3u
#define ACTORS 24u
#define ROUNDS 4000u
#define REQUESTS 64u
#define READERS 8u

static struct {
    troupe_system *system;
    struct sleeper sleepers[DRIVERS];
    _Atomic uint64_t board[ACTORS]; /* slot << 32 | generation */
    _Atomic uint32_t asking;
    _Atomic bool over;
    _Atomic uint64_t asked, answered, alarms_set, alarms_cleared;
} world;

struct driver {
    uint32_t index, random;
    troupe_worker *worker;
    struct {
        troupe_request request;
        bool is_open;
        uint32_t place;
    } requests[REQUESTS];
    troupe_subscription readers[READERS];
    bool reads[READERS];
};

static uint32_t draw(struct driver *driver, uint32_t n)
{
    driver->random = driver->random * 1664525u + 1013904223u;
    return (driver->random >> 8) % n;
}

static troupe_ref ref_at(uint32_t place)
{
    uint64_t value = atomic_load(&world.board[place]);

    return (troupe_ref){troupe_system_home(world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

/* ---- the actors: they pass notes on ---- */

struct busy {
    uint64_t notes;
};

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct busy *busy = state;
    uint32_t energy = 0;

    busy->notes++;
    if (msg->body_len == sizeof energy)
        memcpy(&energy, msg->body, sizeof energy);
    if (msg->kind == TROUPE_MSG_CALL)
        return busy->notes % 3 ? troupe_reply(ctx, troupe_body_none())
                               : troupe_reply_error(ctx, TROUPE_E_LIMIT, "third");
    if (energy == 0)
        return 0;
    energy--;
    troupe_body body = troupe_body_bytes(&energy, sizeof energy, NULL);
    for (unsigned i = 0; i < 2; i++) {
        int rc = troupe_cast(ctx, ref_at((uint32_t)(troupe_random(ctx) % ACTORS)), "note", body);
        (void)rc; /* full, or gone */
    }
    return 0;
}

static int view(troupe_ctx *ctx, const void *state)
{
    const struct busy *busy = state;

    return troupe_reply(ctx, troupe_body_json(busy->notes % 2 ? "1" : "0", 1));
}

static const troupe_type types[] = {{.name = "note"}};

static const troupe_behavior behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "busy", .version = "1.0.0", .types = types, .types_count = 1,
    .state_bytes = sizeof(struct busy), .receive = receive, .view = view,
};

/* ---- hooks ---- */

static void on_wake(void *user, uint32_t worker)
{
    (void)user;
    sleeper_wake(&world.sleepers[worker]);
}

static uint64_t read_clock(void *user)
{
    (void)user;
    return sleeper_now_ns();
}

static void on_alarm(void *user, const troupe_alarm *alarm, bool is_set)
{
    (void)user, (void)alarm;
    atomic_fetch_add(is_set ? &world.alarms_set : &world.alarms_cleared, 1);
}

/* ---- the drivers ---- */

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    bool *is_open = request->user;

    (void)answer;
    *is_open = false;
    atomic_fetch_add(&world.answered, 1);
}

static void on_ready(troupe_subscription *subscription) { (void)subscription; }

static void follow_trace(struct driver *driver, troupe_ref ref)
{
    uint32_t i = draw(driver, READERS);
    troupe_topic *topic;
    troupe_event event;

    if (!driver->reads[i] && troupe_system_trace(world.system, ref, &topic) == 0) {
        driver->readers[i] = (troupe_subscription){.ready = on_ready};
        driver->reads[i] = troupe_subscribe_to(driver->worker, &driver->readers[i], topic, TROUPE_FROM_OLDEST,
                                               (troupe_event_id){0, 0}) == 0;
        troupe_topic_release(topic);
    } else if (driver->reads[i]) {
        int got = 1;
        for (unsigned n = 0; n < 20 && got > 0; n++)
            got = troupe_subscription_read(&driver->readers[i], &event);
        if (got < 0) {
            troupe_unsubscribe(&driver->readers[i]);
            driver->reads[i] = false;
        }
    }
}

static void look_from_outside(struct driver *driver, troupe_ref ref)
{
    troupe_peek peek;
    troupe_behavior_stats stats;
    static _Thread_local troupe_alarm alarms[16];

    if (troupe_system_peek(world.system, ref, &peek) == 0)
        assert_int_equal(peek.behavior == &behavior, 1);
    troupe_system_behavior_stats(world.system, &behavior, &stats);
    (void)troupe_system_alarms(world.system, alarms, 16);
    follow_trace(driver, ref);
}

static void ask_one(struct driver *driver, uint32_t at, troupe_ref ref)
{
    troupe_request *request = &driver->requests[at].request;
    troupe_timer_opts timer = {.name = troupe_view_of(draw(driver, 2) ? "a" : "b"), .type = troupe_view_of("note"),
                               .body = troupe_body_none(), .after_ms = draw(driver, 5), .every_ms = draw(driver, 3)};
    uint32_t energy = draw(driver, 4);
    troupe_body body = troupe_body_bytes(&energy, sizeof energy, NULL);

    *request = (troupe_request){.user = &driver->requests[at].is_open};
    driver->requests[at].is_open = true;
    atomic_fetch_add(&world.asked, 1);
    switch (draw(driver, 9)) {
    case 0:
        troupe_request_view(driver->worker, request, on_done, ref, 50);
        break;
    case 1:
        troupe_request_suspend(driver->worker, request, on_done, ref, true, 50);
        break;
    case 2:
    case 3:
        troupe_request_suspend(driver->worker, request, on_done, ref, false, 50);
        break;
    case 4:
        troupe_request_trace(driver->worker, request, on_done, ref, draw(driver, 30), draw(driver, 2), 50);
        break;
    case 5:
        troupe_request_timer_set(driver->worker, request, on_done, ref, &timer, 50);
        break;
    case 6:
        troupe_request_timer_cancel(driver->worker, request, on_done, ref, timer.name, 50);
        break;
    case 7:
        troupe_request_timers(driver->worker, request, on_done, ref, 50);
        break;
    default:
        troupe_request_call(driver->worker, request, on_done, ref, troupe_view_of("note"), body, (troupe_caller){0},
                            20);
    }
}

/* Its own actor in the place has ended, or is to: another one takes its place. */
static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    struct driver *driver = request->user;
    uint32_t at = (uint32_t)((size_t)((char *)request - (char *)driver->requests) / sizeof driver->requests[0]);

    driver->requests[at].is_open = false;
    atomic_fetch_add(&world.answered, 1);
    if (answer->error == 0)
        atomic_store(&world.board[driver->requests[at].place],
                     (uint64_t)answer->ref.slot << 32 | answer->ref.generation);
}

static void replace_one(struct driver *driver, uint32_t at, uint32_t place, bool kills)
{
    const troupe_spawn_opts opts = {.behavior = "busy", .mailbox_messages_max = 8};
    static const enum troupe_stop_mode modes[] = {TROUPE_STOP, TROUPE_DRAIN, TROUPE_KILL};
    troupe_request *request = &driver->requests[at].request;

    driver->requests[at].is_open = true;
    driver->requests[at].place = place;
    atomic_fetch_add(&world.asked, 1);
    if (kills) {
        *request = (troupe_request){.user = &driver->requests[at].is_open};
        troupe_request_stop(driver->worker, request, on_done, ref_at(place), modes[draw(driver, 3)],
                            troupe_view_of("x"), 20);
    } else {
        *request = (troupe_request){.user = driver};
        troupe_request_spawn(driver->worker, request, on_spawned, &opts);
    }
}

static void do_something(struct driver *driver)
{
    uint32_t at = draw(driver, REQUESTS), place = draw(driver, ACTORS);
    uint32_t energy = draw(driver, 5);
    troupe_peek peek;
    troupe_ref ref = ref_at(place);
    int rc = troupe_worker_cast(driver->worker, ref, troupe_view_of("note"),
                                troupe_body_bytes(&energy, sizeof energy, NULL), (troupe_caller){0});

    (void)rc; /* full, or gone */
    look_from_outside(driver, ref);
    if (driver->requests[at].is_open)
        return;
    if (troupe_system_peek(world.system, ref, &peek) != 0)
        replace_one(driver, at, place, false);
    else if (draw(driver, 40) == 0)
        replace_one(driver, at, place, true);
    else
        ask_one(driver, at, ref);
}

static bool is_all_over(struct driver *driver, bool *shutting_down)
{
    troupe_stats stats;

    if (atomic_load(&world.asking) != 0 || driver->index != 0)
        return false;
    if (!*shutting_down)
        troupe_system_shutdown(driver->worker, TROUPE_STOP, 2000);
    *shutting_down = true;
    troupe_system_stats(world.system, &stats);
    return stats.actors == 0 && atomic_load(&world.answered) == atomic_load(&world.asked) &&
           troupe_system_alarms(world.system, NULL, 0) == 0;
}

static void *drive(void *argument)
{
    struct driver *driver = argument;
    uint32_t left = ROUNDS;
    bool shutting_down = false;
    uint64_t give_up_ns = sleeper_now_ns() + (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;

    while (!atomic_load(&world.over)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, sleeper_now_ns(), 1 + draw(driver, 16));
        for (uint32_t i = left ? 1 + draw(driver, 8) : 0; i > 0 && left > 0; i--) {
            do_something(driver);
            delay_ns = 0;
            if (--left == 0)
                atomic_fetch_sub(&world.asking, 1);
        }
        if (is_all_over(driver, &shutting_down) || sleeper_now_ns() > give_up_ns) {
            atomic_store(&world.over, true);
            for (uint32_t i = 0; i < DRIVERS; i++)
                on_wake(NULL, i);
        }
        if (atomic_load(&world.asking) == 0 && delay_ns > 10000000u)
            delay_ns = 10000000u; /* the end is looked for, as nobody tells of it */
        if (delay_ns > 0 && troupe_worker_park(driver->worker))
            sleeper_rest(&world.sleepers[driver->index], delay_ns);
        troupe_worker_unpark(driver->worker);
    }
    for (uint32_t i = 0; i < READERS; i++)
        if (driver->reads[i])
            troupe_unsubscribe(&driver->readers[i]);
    return NULL;
}

static void test_actors_are_looked_at_while_they_work_and_end(void **state)
{
    static struct driver drivers[DRIVERS];
    const troupe_system_config config = {.workers = DRIVERS, .node = 1, .seed = 1, .actors_max = 1000, .wake = on_wake,
                                         .clock_ns = read_clock, .alarm = on_alarm, .alarm_turn_ms = 1};
    pthread_t threads[DRIVERS];
    troupe_stats stats;

    (void)state;
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &behavior), 0);
    atomic_store(&world.asking, DRIVERS);
    for (uint32_t i = 0; i < DRIVERS; i++) {
        sleeper_init(&world.sleepers[i]);
        drivers[i] = (struct driver){.index = i, .random = i + 1, .worker = troupe_system_worker(world.system, i)};
        troupe_worker_set_now(drivers[i].worker, sleeper_now_ns());
    }
    for (uint32_t i = 0; i < DRIVERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, drive, &drivers[i]), 0);
    for (uint32_t i = 0; i < DRIVERS; i++)
        pthread_join(threads[i], NULL);
    troupe_system_stats(world.system, &stats);
    print_message("# %llu requests, %llu actors, %llu messages, %llu alarms\n", (unsigned long long)world.asked,
                  (unsigned long long)stats.spawned, (unsigned long long)stats.messages,
                  (unsigned long long)world.alarms_set);
    assert_int_equal(atomic_load(&world.answered), atomic_load(&world.asked));
    assert_int_equal(atomic_load(&world.alarms_cleared), atomic_load(&world.alarms_set));
    assert_int_equal(stats.actors, 0);
    assert_int_equal(stats.memory_bytes, 0);
    troupe_system_free(world.system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_actors_are_looked_at_while_they_work_and_end)};

    return cmocka_run_group_tests_name("stress_inspect", tests, NULL, NULL);
}
