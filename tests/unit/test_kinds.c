/* SPDX-License-Identifier: Apache-2.0
 *
 * core/kinds.c: behaviors that are made known, and replaced, while actors run; also from another thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    (void)memory;
    if (msg->kind == TROUPE_MSG_CAST)
        return troupe_fail(ctx, TROUPE_E_INTERNAL, "it was told to");
    return 0;
}

/* Each answers `ask` with its own version. */
#define BEHAVIOR_OF(n)                                                                                                 \
    static int receive_##n(troupe_ctx *ctx, void *memory, const troupe_msg *msg)                                       \
    {                                                                                                                  \
        if (msg->kind == TROUPE_MSG_CALL)                                                                              \
            return troupe_reply(ctx, troupe_body_json(#n, 1));                                                         \
        return receive(ctx, memory, msg);                                                                              \
    }                                                                                                                  \
    static const troupe_behavior version_##n = {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = #n, .types = types,      \
                                                .types_count = 2, .receive = receive_##n}

static const troupe_type types[] = {{.name = "ask"}, {.name = "fail"}};
BEHAVIOR_OF(1);
BEHAVIOR_OF(2);
BEHAVIOR_OF(3);

struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    bool is_done;
    int error;
    troupe_ref ref;
    char body[8];
};

static void open_world(struct world *world)
{
    const troupe_system_config config = {.node = 1, .actors_max = 1024, .no_inline = true};
    *world = (struct world){.now_ns = 1};
    assert_int_equal(troupe_system_new(&config, &world->system), 0);
    world->worker = troupe_system_worker(world->system, 0);
}

static void run(struct world *world)
{
    while (troupe_worker_poll(world->worker, world->now_ns, 8) == 0)
        ;
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct world *world = request->user;
    world->is_done = true;
    world->error = answer->error;
    world->ref = answer->ref;
    snprintf(world->body, sizeof world->body, "%.*s", (int)answer->body.len, answer->body.ptr);
}

static troupe_ref spawn(struct world *world, const troupe_spawn_opts *opts)
{
    troupe_request request = {.user = world};
    troupe_request_spawn(world->worker, &request, on_done, opts);
    run(world);
    assert_int_equal(world->error, 0);
    return world->ref;
}

static const char *ask(struct world *world, troupe_ref ref)
{
    troupe_request request = {.user = world};
    world->is_done = false;
    troupe_request_call(world->worker, &request, on_done, ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 0);
    run(world);
    assert_true(world->is_done);
    assert_int_equal(world->error, 0);
    return world->body;
}

static void test_a_replaced_behavior_stays_that_of_its_actors(void **state)
{
    struct world world;
    troupe_installed installed;
    const troupe_spawn_opts opts = {.behavior = "b"};
    int host_1, host_2;
    (void)state;
    open_world(&world);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_1, &host_1, false), 0);
    troupe_ref old = spawn(&world, &opts);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_2, &host_2, false), TROUPE_E_NAME_TAKEN);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_2, &host_2, true), 0);
    troupe_ref young = spawn(&world, &opts);
    assert_string_equal(ask(&world, old), "1");
    assert_string_equal(ask(&world, young), "2");

    troupe_target target;
    assert_int_equal(troupe_system_target(world.system, old, troupe_view_of("fail"), &target), 0);
    assert_ptr_equal(target.behavior, &version_1);
    assert_ptr_equal(target.host, &host_1);
    assert_int_equal(target.op, 1);
    assert_int_equal(troupe_system_target(world.system, young, troupe_view_of("other"), &target), 0);
    assert_ptr_equal(target.host, &host_2);
    assert_int_equal(target.op, TROUPE_OP_NONE);
    young.generation++;
    assert_int_equal(troupe_system_target(world.system, young, troupe_view_of("ask"), &target), TROUPE_E_NOT_FOUND);

    assert_true(troupe_system_installed_at(world.system, 0, &installed));
    assert_true(installed.is_replaced);
    assert_true(troupe_system_installed_at(world.system, 1, &installed));
    assert_false(installed.is_replaced);
    assert_ptr_equal(installed.behavior, &version_2);
    assert_false(troupe_system_installed_at(world.system, 2, &installed));
    assert_ptr_equal(troupe_system_behavior(world.system, troupe_view_of("b")), &version_2);
    assert_ptr_equal(troupe_system_behavior_host(world.system, troupe_view_of("b")), &host_2);
    assert_null(troupe_system_behavior_host(world.system, troupe_view_of("none")));
    troupe_system_free(world.system);
}

static void test_whoever_spawns_by_the_name_of_the_old_table_gets_the_newest(void **state)
{
    struct world world;
    const troupe_spawn_opts opts = {.behavior = version_1.name};
    (void)state;
    open_world(&world);
    assert_int_equal(troupe_system_add_behavior(world.system, &version_1), 0);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_2, NULL, true), 0);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_3, NULL, true), 0);
    assert_string_equal(ask(&world, spawn(&world, &opts)), "3");
    troupe_system_free(world.system);
}

static void test_a_restart_is_of_the_newest_version(void **state)
{
    struct world world;
    const troupe_spawn_opts opts = {.behavior = "b", .name = troupe_view_of("it"), .restart = TROUPE_PERMANENT};
    troupe_ref ref;
    (void)state;
    open_world(&world);
    assert_int_equal(troupe_system_add_behavior(world.system, &version_1), 0);
    ref = spawn(&world, &opts);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_2, NULL, true), 0);
    assert_string_equal(ask(&world, ref), "1");
    assert_int_equal(troupe_worker_cast(world.worker, ref, troupe_view_of("fail"), troupe_body_none(),
                                        (troupe_caller){0}), 0);
    run(&world);
    assert_int_equal(troupe_system_whereis(world.system, troupe_view_of("it"), &ref), 0);
    assert_string_equal(ask(&world, ref), "2");
    troupe_system_free(world.system);
}

static void test_the_table_has_an_end(void **state)
{
    struct world world;
    (void)state;
    open_world(&world);
    for (unsigned i = 0; i < TROUPE_BEHAVIORS_MAX; i++)
        assert_int_equal(troupe_system_install_behavior(world.system, &version_1, NULL, true), 0);
    assert_int_equal(troupe_system_install_behavior(world.system, &version_2, NULL, true), TROUPE_E_LIMIT);
    assert_ptr_equal(troupe_system_behavior(world.system, troupe_view_of("b")), &version_1);
    troupe_system_free(world.system);
}

static void test_wrong_tables_are_refused(void **state)
{
    static const troupe_type twice[] = {{.name = "a"}, {.name = "a"}}, bad[] = {{.name = "a b"}},
                             none[] = {{.name = NULL}};
    troupe_behavior good = version_1;
    struct world world;
    (void)state;
    open_world(&world);
    const troupe_behavior tables[] = {
        {.abi = TROUPE_BEHAVIOR_ABI + 1, .size = sizeof good, .name = "b", .version = "1", .receive = receive},
        {.abi = TROUPE_BEHAVIOR_ABI, .size = sizeof good - 1, .name = "b", .version = "1", .receive = receive},
        {TROUPE_BEHAVIOR_HEAD, .version = "1", .receive = receive},
        {TROUPE_BEHAVIOR_HEAD, .name = "", .version = "1", .receive = receive},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .receive = receive},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1"},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .receive = receive, .types_count = 1},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .receive = receive, .types = types,
         .types_count = TROUPE_TYPES_PER_BEHAVIOR_MAX + 1},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .receive = receive, .types = twice, .types_count = 2},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .receive = receive, .types = bad, .types_count = 1},
        {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .receive = receive, .types = none, .types_count = 1},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        assert_int_equal(troupe_system_add_behavior(world.system, &tables[i]), TROUPE_E_INVALID);
    good.name = "troupe.root";
    assert_int_equal(troupe_system_install_behavior(world.system, &good, NULL, true), TROUPE_E_NAME_TAKEN);
    assert_null(troupe_system_behavior_at(world.system, 0));
    troupe_system_free(world.system);
}

/* ---- from another thread: for the build with ThreadSanitizer ---- */

static void *replace_all(void *memory)
{
    troupe_system *system = memory;
    for (unsigned i = 0; i < 100; i++)
        if (troupe_system_install_behavior(system, i % 2 != 0 ? &version_3 : &version_2, NULL, true) != 0)
            return memory;
    return NULL;
}

static void test_behaviors_are_replaced_while_another_thread_spawns(void **state)
{
    struct world world;
    const troupe_spawn_opts opts = {.behavior = "b"};
    pthread_t thread;
    void *failed;
    (void)state;
    open_world(&world);
    assert_int_equal(troupe_system_add_behavior(world.system, &version_1), 0);
    assert_int_equal(pthread_create(&thread, NULL, replace_all, world.system), 0);
    for (unsigned i = 0; i < 200; i++) {
        troupe_ref ref = spawn(&world, &opts);
        char version = ask(&world, ref)[0];
        assert_in_range(version, '1', '3');
        assert_int_equal(ask(&world, ref)[0], version);
    }
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_string_equal(ask(&world, spawn(&world, &opts)), "3");
    troupe_system_free(world.system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replaced_behavior_stays_that_of_its_actors),
        cmocka_unit_test(test_whoever_spawns_by_the_name_of_the_old_table_gets_the_newest),
        cmocka_unit_test(test_a_restart_is_of_the_newest_version),
        cmocka_unit_test(test_the_table_has_an_end),
        cmocka_unit_test(test_wrong_tables_are_refused),
        cmocka_unit_test(test_behaviors_are_replaced_while_another_thread_spawns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
