/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of a cluster from a node that has joined: each way a question can go, and each moment at which the asker can
 * leave. The registry is this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/behaviors.h>

#include "base/log.h"
#include "cluster.h"
#include "route/place.h"

struct world {
    troupe_system *system;
    troupe_worker *worker;
    struct cluster *cluster;
    struct place *place;
    uint64_t now_ns;
    unsigned wakes, control_wakes;
    /* what came out at the registry */
    uint64_t tickets[16];
    troupe_ref refs[16];
    bool finds[16];
    unsigned count, named, unnamed, drains;
    /* what came back */
    unsigned found, spawned;
    int error;
    troupe_ref ref;
};

static void wake(void *user, uint32_t worker)
{
    (void)worker;
    ((struct world *)user)->wakes++;
}

static void wake_control(void *user) { ((struct world *)user)->control_wakes++; }
static uint64_t read_clock(void *user) { return ((struct world *)user)->now_ns; }

static void tell_named(void *user, troupe_view name, troupe_ref actor, bool taken)
{
    place_named(((struct world *)user)->place, name, actor, taken);
}

static void note(struct world *world, uint64_t ticket, troupe_ref ref, bool is_find)
{
    world->tickets[world->count] = ticket;
    world->refs[world->count] = ref;
    world->finds[world->count++] = is_find;
}

static void on_claim(void *user, uint64_t ticket, troupe_view name, troupe_ref ref)
{
    assert_true(troupe_view_equal(name, troupe_view_of("hits")));
    note(user, ticket, ref, false);
}

static void on_find(void *user, uint64_t ticket, troupe_view name)
{
    assert_true(troupe_view_equal(name, troupe_view_of("hits")));
    note(user, ticket, (troupe_ref){0}, true);
}

static void on_named(void *user, troupe_view name, troupe_ref ref, bool taken)
{
    struct world *world = user;
    (void)name, (void)ref;
    world->named += taken ? 1 : 0;
    world->unnamed += taken ? 0 : 1;
}

static void on_drain(void *user, troupe_home node)
{
    assert_int_equal(node.low, 42);
    ((struct world *)user)->drains++;
}

static void serve(struct world *world)
{
    const struct place_registry registry = {
        .user = world, .claim = on_claim, .find = on_find, .named = on_named, .drain = on_drain,
    };
    place_serve(world->place, &registry);
}

/* Let the worker do what there is. */
static void run(struct world *world)
{
    for (int i = 0; i < 20; i++) {
        place_run(world->place, 0);
        (void)troupe_worker_poll(world->worker, world->now_ns, 64);
    }
}

static void start(struct world *world, bool asks)
{
    *world = (struct world){.now_ns = 1000000000u};
    log_init(LOG_JSON, TROUPE_LOG_ERROR);
    troupe_system_config core = {
        .workers = 1, .node = 7, .seed = 1, .memory_max = 64u << 20, .user = world, .wake = wake,
        .clock_ns = read_clock, .named = tell_named,
    };
    assert_int_equal(troupe_system_new(&core, &world->system), 0);
    for (unsigned i = 0; troupe_behaviors_at(i) != NULL; i++)
        assert_int_equal(troupe_system_add_behavior(world->system, troupe_behaviors_at(i)), 0);
    world->worker = troupe_system_worker(world->system, 0);
    assert_int_equal(cluster_new(troupe_system_home(world->system), NULL, &world->cluster), 0);
    const struct place_config place = {
        .system = world->system, .cluster = world->cluster, .asks = asks, .wake_worker = wake,
        .wake_control = wake_control, .user = world,
    };
    assert_int_equal(place_new(&place, &world->place), 0);
}

static void stop(struct world *world)
{
    troupe_system_free(world->system);
    place_free(world->place);
    cluster_free(world->cluster);
}

static void found(struct place_request *request, int error, troupe_ref ref)
{
    struct world *world = request->user;
    world->found++;
    world->error = error;
    world->ref = ref;
}

static void spawned(troupe_request *core, const troupe_answer *answer)
{
    struct world *world = core->user;
    world->spawned++;
    world->error = answer->error;
    world->ref = answer->ref;
}

static const troupe_spawn_opts opts = {.behavior = "counter", .name = {"hits", 4}};
static const troupe_ref far_away = {.home = {.low = 99}, .slot = 3, .generation = 4};

struct spawning {
    struct place_request place;
    troupe_request core;
};

static void begin_spawn(struct world *world, struct spawning *spawning)
{
    *spawning = (struct spawning){.core = {.user = world}};
    place_spawn(world->place, world->worker, &spawning->place, &spawning->core, spawned, &opts);
}

static void a_node_that_keeps_the_registry_asks_nobody_test(void **state)
{
    struct world world;
    struct place_request request = {.user = &world};
    struct spawning spawning;
    troupe_ref ref;
    (void)state;
    start(&world, false);
    place_find(world.place, world.worker, &request, found, troupe_view_of("hits"));
    assert_int_equal(world.found, 1);
    assert_int_equal(world.error, TROUPE_E_NOT_FOUND);
    begin_spawn(&world, &spawning);
    run(&world);
    assert_int_equal(world.spawned, 1);
    assert_int_equal(world.error, 0);
    assert_int_equal(place_find_now(world.place, troupe_view_of("hits"), &ref), 0);
    assert_true(troupe_ref_equal(ref, world.ref));
    assert_int_equal(world.control_wakes, 0);
    stop(&world);
}

static void a_name_is_found_elsewhere_test(void **state)
{
    static const int errors[] = {0, TROUPE_E_NOT_FOUND, TROUPE_E_REGISTRY_LOST, TROUPE_E_LIMIT};
    (void)state;
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct world world;
        troupe_ref ref;
        struct place_request request = {0};
        start(&world, true);
        request.user = &world;
        assert_int_equal(place_find_now(world.place, troupe_view_of("hits"), &ref), TROUPE_E_STATE);
        place_find(world.place, world.worker, &request, found, troupe_view_of("hits"));
        assert_int_equal(world.control_wakes, 1);
        serve(&world);
        assert_int_equal(world.count, 1);
        assert_true(world.finds[0]);
        run(&world);
        assert_int_equal(world.found, 0);
        place_answer(world.place, world.tickets[0], errors[i], errors[i] == 0 ? far_away : (troupe_ref){0});
        assert_true(world.wakes > 0);
        run(&world);
        assert_int_equal(world.found, 1);
        assert_int_equal(world.error, errors[i]);
        stop(&world);
    }
}

static void a_spawn_reserves_then_spawns_then_claims_test(void **state)
{
    struct world world;
    struct spawning spawning;
    (void)state;
    start(&world, true);
    begin_spawn(&world, &spawning);
    serve(&world);
    assert_int_equal(world.count, 1);
    assert_int_equal(world.refs[0].generation, 0); /* a reservation, of this node */
    assert_int_equal(world.refs[0].home.low, 7);
    place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
    run(&world);
    assert_int_equal(world.spawned, 0); /* it runs, but the registry does not know it yet */
    serve(&world);
    assert_int_equal(world.count, 2);
    assert_int_equal(world.named, 1);
    assert_true(troupe_ref_is_actor(world.refs[1]));
    place_answer(world.place, world.tickets[1], 0, world.refs[1]);
    run(&world);
    assert_int_equal(world.spawned, 1);
    assert_int_equal(world.error, 0);
    assert_true(troupe_ref_equal(world.ref, world.refs[1]));
    assert_null(spawning.place.open);
    stop(&world);
}

/* A reservation lasts 15 s, a start as long as it likes: the actor has the name before it first runs. */
static void a_start_that_outlasts_the_reservation_keeps_its_name_test(void **state)
{
    struct world world;
    struct spawning spawning;
    troupe_stats stats;
    (void)state;
    start(&world, true);
    begin_spawn(&world, &spawning);
    serve(&world);
    place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
    place_run(world.place, 0);
    serve(&world);
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.turns, 0);
    assert_int_equal(world.named, 1);
    assert_int_equal(world.count, 1);
    run(&world);
    serve(&world);
    assert_int_equal(world.count, 2);
    place_answer(world.place, world.tickets[1], 0, world.refs[1]);
    run(&world);
    assert_int_equal(world.error, 0);
    stop(&world);
}

/* The core's table is not believed behind the end of the lease, though nobody has emptied it yet. */
static void a_node_that_slept_serves_no_name_from_its_table_test(void **state)
{
    struct world world;
    struct spawning spawning;
    struct place_request request = {.user = &world};
    troupe_ref ref;
    (void)state;
    start(&world, true);
    begin_spawn(&world, &spawning);
    serve(&world);
    place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
    run(&world);
    serve(&world);
    place_answer(world.place, world.tickets[1], 0, world.refs[1]);
    run(&world);
    assert_int_equal(place_find_now(world.place, troupe_view_of("hits"), &ref), 0);
    place_trust_names(world.place, 1); /* long ago by the boot clock */
    assert_int_equal(place_find_now(world.place, troupe_view_of("hits"), &ref), TROUPE_E_STATE);
    place_find(world.place, world.worker, &request, found, troupe_view_of("hits"));
    serve(&world);
    assert_true(world.finds[2]);
    place_answer(world.place, world.tickets[2], TROUPE_E_REGISTRY_LOST, (troupe_ref){0});
    run(&world);
    assert_int_equal(world.error, TROUPE_E_REGISTRY_LOST);
    place_trust_names(world.place, UINT64_MAX);
    assert_int_equal(place_find_now(world.place, troupe_view_of("hits"), &ref), 0);
    stop(&world);
}

static void a_name_that_is_taken_spawns_nothing_test(void **state)
{
    struct world world;
    struct spawning spawning;
    troupe_stats stats;
    (void)state;
    start(&world, true);
    begin_spawn(&world, &spawning);
    serve(&world);
    place_answer(world.place, world.tickets[0], TROUPE_E_NAME_TAKEN, far_away);
    run(&world);
    assert_int_equal(world.spawned, 1);
    assert_int_equal(world.error, TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(world.ref, far_away));
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.spawned, 0);
    stop(&world);
}

static void an_actor_whose_name_was_taken_meanwhile_ends_test(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        struct world world;
        struct spawning spawning;
        troupe_stats stats;
        start(&world, true);
        begin_spawn(&world, &spawning);
        serve(&world);
        place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
        run(&world);
        serve(&world);
        if (leaves)
            place_cancel(&spawning.place);
        place_answer(world.place, world.tickets[1], TROUPE_E_NAME_TAKEN, far_away);
        run(&world);
        assert_int_equal(world.spawned, leaves ? 0 : 1);
        if (!leaves)
            assert_int_equal(world.error, TROUPE_E_NAME_TAKEN);
        troupe_system_stats(world.system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(stats.names, 0);
        stop(&world);
    }
}

/* The registry went away between the reservation and the claim: when it is back it may give the name to another. */
static void a_name_that_was_not_confirmed_is_told_twice_test(void **state)
{
    static const int errors[] = {TROUPE_E_REGISTRY_LOST, TROUPE_E_LIMIT};
    (void)state;
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct world world;
        struct spawning spawning;
        troupe_stats stats;
        start(&world, true);
        begin_spawn(&world, &spawning);
        serve(&world);
        place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
        run(&world);
        serve(&world);
        place_answer(world.place, world.tickets[1], errors[i], (troupe_ref){0});
        run(&world);
        assert_int_equal(world.spawned, 1);
        assert_int_equal(world.error, errors[i]);
        troupe_system_stats(world.system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(stats.names, 0);
        stop(&world);
    }
}

/* The asker leaves: before the reservation is answered, while the core spawns, before the claim is answered. */
static void an_asker_that_leaves_hears_nothing_test(void **state)
{
    (void)state;
    for (int moment = 0; moment < 4; moment++) {
        struct world world;
        struct spawning spawning;
        start(&world, true);
        begin_spawn(&world, &spawning);
        if (moment == 0)
            place_cancel(&spawning.place);
        serve(&world);
        if (moment == 1)
            place_cancel(&spawning.place);
        place_answer(world.place, world.tickets[0], 0, (troupe_ref){0});
        if (moment >= 2)
            place_run(world.place, 0); /* the core has it now */
        if (moment == 2)
            place_cancel(&spawning.place);
        run(&world);
        serve(&world);
        if (moment == 3) {
            place_cancel(&spawning.place);
            place_answer(world.place, world.tickets[1], 0, world.refs[1]);
        }
        run(&world);
        assert_int_equal(world.spawned, 0);
        assert_ptr_equal(spawning.core.user, &world);
        place_cancel(&spawning.place); /* legal once more */
        stop(&world);
    }
}

static void a_question_that_is_open_at_the_end_is_dropped_test(void **state)
{
    struct world world;
    struct place_request request = {0};
    struct spawning spawning;
    (void)state;
    start(&world, true);
    request.user = &world;
    place_find(world.place, world.worker, &request, found, troupe_view_of("hits"));
    begin_spawn(&world, &spawning);
    place_named(world.place, troupe_view_of("other"), far_away, true);
    stop(&world); /* a leak is found by the sanitizers */
}

static void drains_come_out_at_the_control_thread_test(void **state)
{
    struct world world;
    (void)state;
    start(&world, false);
    assert_int_equal(place_ask_drain(world.place, (troupe_home){.low = 42}), 0);
    assert_int_equal(world.control_wakes, 1);
    serve(&world);
    assert_int_equal(world.drains, 1);
    stop(&world);
}

static void homes_are_told_test(void **state)
{
    struct world world;
    char text[256];
    (void)state;
    start(&world, true);
    const struct registry_record record = {
        .node = {.low = 99}, .state = REGISTRY_UP, .endpoints_count = 1,
        .endpoints = {{"api", "http", "127.0.0.1", 5000, 5000}},
    };
    cluster_on_event(world.cluster, &(struct registry_event){.what = REGISTRY_NODE_UP, .record = &record});
    place_tell_home(world.place, far_away.home, text, sizeof text);
    assert_non_null(strstr(text, "http://127.0.0.1:5000"));
    place_tell_home(world.place, (troupe_home){.low = 98}, text, sizeof text);
    assert_non_null(strstr(text, "no member"));
    place_tell_home(world.place, troupe_system_home(world.system), text, sizeof text);
    assert_string_equal(text, "");
    stop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_keeps_the_registry_asks_nobody_test),
        cmocka_unit_test(a_name_is_found_elsewhere_test),
        cmocka_unit_test(a_spawn_reserves_then_spawns_then_claims_test),
        cmocka_unit_test(a_start_that_outlasts_the_reservation_keeps_its_name_test),
        cmocka_unit_test(a_node_that_slept_serves_no_name_from_its_table_test),
        cmocka_unit_test(a_name_that_is_taken_spawns_nothing_test),
        cmocka_unit_test(an_actor_whose_name_was_taken_meanwhile_ends_test),
        cmocka_unit_test(a_name_that_was_not_confirmed_is_told_twice_test),
        cmocka_unit_test(an_asker_that_leaves_hears_nothing_test),
        cmocka_unit_test(a_question_that_is_open_at_the_end_is_dropped_test),
        cmocka_unit_test(drains_come_out_at_the_control_thread_test), cmocka_unit_test(homes_are_told_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
