/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of a cluster: those of other homes in the table, names that the cluster takes away, the hook that tells of each,
 * and what holds while the registry is lost. */
#include "lib/lab.h"

#include <stdio.h>

#include "core/worker.h"

/* The news of names as the hook gave them: "+hits -hits ". */
static char news[1024];
static troupe_system *in_hook; /* drops the name inside the hook, as the control thread may do at the same time */
static int dropped_in_hook;

static void on_named(void *user, troupe_view name, troupe_ref actor, bool taken)
{
    size_t len = strlen(news);

    (void)user;
    snprintf(news + len, sizeof news - len, "%c%.*s ", taken ? '+' : '-', (int)name.len, name.ptr);
    if (in_hook != NULL)
        dropped_in_hook = troupe_system_name_drop(in_hook, name, actor);
}

static struct lab lab;

static int set_up(void **state)
{
    (void)state;
    news[0] = '\0';
    in_hook = NULL;
    lab_open_with(&lab, (troupe_system_config){.no_inline = true, .actors_max = 4096, .named = on_named});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

/* The puppets of a test live as long as its system, which is freed in the tear-down. */
#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

static const troupe_ref far = {{0, 99}, 3, 5}, farther = {{0, 98}, 3, 5};
#define HITS troupe_view_of("hits")

static void spawn_named(struct puppet *puppet, const char *name)
{
    lab_spawn(&lab, puppet, &(troupe_spawn_opts){.name = troupe_view_of(name)});
}

static troupe_ref holder_of(const char *name)
{
    troupe_ref ref = {0};

    assert_int_equal(troupe_system_whereis(lab.system, troupe_view_of(name), &ref), 0);
    return ref;
}

static int take_hits(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_name_register(ctx, HITS);
    return 0;
}

static int release_hits(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_name_release(ctx, HITS);
    return 0;
}

static int note_own_name(troupe_ctx *ctx, struct puppet *self)
{
    self->number = troupe_self_name(ctx).len;
    return 0;
}

/* ---- other homes ---- */

static bool on_name(void *user, troupe_view name, troupe_ref ref)
{
    if (troupe_view_equal(name, HITS) && troupe_ref_equal(ref, far))
        ++*(unsigned *)user;
    return true;
}

static void test_a_name_of_another_home_is_found_and_refused_with_its_whole_ref(void **state)
{
    PUPPET(local, 'l');
    static struct lab_request spawned;
    troupe_ref holder = {0};
    unsigned seen = 0;
    uint64_t cursor = 0;

    (void)state;
    assert_int_equal(troupe_system_name_put(lab.system, HITS, far, &holder), 0);
    assert_int_equal(troupe_system_name_put(lab.system, HITS, far, &holder), 0); /* the same again */
    assert_int_equal(holder.slot, 0);
    assert_int_equal(troupe_system_name_put(lab.system, HITS, farther, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, far));
    assert_true(troupe_ref_equal(holder_of("hits"), far));
    while (troupe_system_scan_names(lab.system, &cursor, 100, on_name, &seen)) {}
    assert_int_equal(seen, 1);
    lab_spawn_later(&lab, &local, &(troupe_spawn_opts){.name = HITS}, &spawned);
    lab_run(&lab);
    assert_int_equal(spawned.error, TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(spawned.ref, far));
    lab_spawn_later(&lab, &local, &(troupe_spawn_opts){.name = HITS, .restart = TROUPE_PERMANENT}, &spawned);
    lab_run(&lab);
    assert_int_equal(spawned.error, TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(spawned.ref, far)); /* also by way of the node's supervisor */
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, farther), TROUPE_E_NOT_FOUND);
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, far), 0);
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, far), TROUPE_E_NOT_FOUND);
    assert_int_equal(troupe_system_whereis(lab.system, HITS, &holder), TROUPE_E_NOT_FOUND);
    assert_string_equal(news, ""); /* the hook tells of this node's actors alone */
}

static void test_what_cannot_be_put(void **state)
{
    PUPPET(local, 'l');
    troupe_ref holder = {0}, home_only = {.home = {.low = 99}};

    (void)state;
    spawn_named(&local, "mine");
    assert_int_equal(troupe_system_name_put(lab.system, troupe_view_of(".."), far, &holder), TROUPE_E_INVALID);
    assert_int_equal(troupe_system_name_put(lab.system, HITS, home_only, &holder), TROUPE_E_INVALID);
    assert_int_equal(troupe_system_name_put(lab.system, HITS, local.ref, &holder), TROUPE_E_INVALID);
    assert_int_equal(troupe_system_name_put(lab.system, troupe_view_of("mine"), local.ref, &holder), 0); /* it has it */
    assert_int_equal(troupe_system_name_put(lab.system, troupe_view_of("mine"), far, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, local.ref));
    assert_int_equal(troupe_system_name_put(lab.system, HITS, far, &holder), 0);
    assert_int_equal(troupe_system_name_put(lab.system, HITS, local.ref, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, far));
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, far), 0);
}

/* ---- the hook ---- */

static void test_the_hook_tells_of_each_name_taken_and_given_back(void **state)
{
    PUPPET(a, 'a');
    static struct lab_request stopped;

    (void)state;
    spawn_named(&a, "one");
    assert_string_equal(news, "+one ");
    lab_do(&lab, &a, take_hits);
    assert_int_equal(a.status, 0);
    lab_do(&lab, &a, release_hits);
    lab_do(&lab, &a, release_hits);
    assert_int_equal(a.status, TROUPE_E_NOT_FOUND);
    lab_do(&lab, &a, take_hits);
    lab_do(&lab, &a, take_hits);
    assert_int_equal(a.status, TROUPE_E_NAME_TAKEN);
    assert_string_equal(news, "+one +hits -hits +hits ");
    lab_stop(&lab, a.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_string_equal(news, "+one +hits -hits +hits -hits -one ");
}

/* ---- lost ---- */

static void test_an_actor_whose_name_the_cluster_takes_is_told_once(void **state)
{
    PUPPET(a, 'a');
    PUPPET(b, 'b');

    (void)state;
    spawn_named(&a, "hits");
    lab_do(&lab, &a, note_own_name);
    assert_int_equal(a.number, 4);
    assert_true(troupe_worker_park(lab.worker));
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), 0);
    assert_int_equal(atomic_load(&lab.system->parked), 0); /* the worker was to be woken for it */
    troupe_worker_unpark(lab.worker);
    lab_do(&lab, &a, note_own_name);
    assert_int_equal(a.number, 0);
    assert_int_equal(a.names_lost, 1);
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), TROUPE_E_NOT_FOUND);
    spawn_named(&b, "hits");
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), TROUPE_E_NOT_FOUND); /* late, for the former */
    lab_do(&lab, &a, release_hits);
    assert_int_equal(a.status, TROUPE_E_NOT_FOUND); /* it is another's */
    assert_true(troupe_ref_equal(holder_of("hits"), b.ref));
    assert_string_equal(news, "+hits +hits "); /* who drops knows */
    assert_int_equal(a.names_lost, 1);
    assert_int_equal(b.names_lost, 0);
}

static int check_lost(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    if (self->msg->kind != TROUPE_MSG_NAME_LOST)
        return 0;
    assert_int_equal(self->msg->op, TROUPE_OP_NONE);
    assert_int_equal(self->msg->body_len, 4);
    assert_memory_equal(self->msg->body, "hits", 4);
    self->number = 1;
    return 0;
}

static void test_what_a_name_lost_message_says(void **state)
{
    PUPPET(a, 'a');
    PUPPET(deaf, 'd');
    static struct lab_request stopped;

    (void)state;
    a.on_note = check_lost;
    spawn_named(&a, "hits");
    lab_spawn(&lab, &deaf, &(troupe_spawn_opts){.name = troupe_view_of("deaf"), .behavior = "trap"});
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), 0);
    assert_int_equal(troupe_system_name_drop(lab.system, troupe_view_of("deaf"), deaf.ref), 0);
    lab_run(&lab);
    assert_int_equal(a.number, 1);
    assert_int_equal(deaf.names_lost, 0); /* its behavior does not want to know */
    assert_true(lab_is_alive(&lab, &deaf));
    /* One that ends first is not told. */
    lab_do(&lab, &a, take_hits);
    lab_stop(&lab, a.ref, TROUPE_KILL, &stopped, 100);
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), 0);
    lab_run(&lab);
    assert_int_equal(a.names_lost, 1);
    assert_true(stopped.done);
}

/* The cluster refuses the name while the hook still runs: the name stays until the hook is over, then it is lost. */
static void test_a_name_that_is_dropped_inside_the_hook_is_lost_after_it(void **state)
{
    PUPPET(a, 'a');
    troupe_ref holder;

    (void)state;
    in_hook = lab.system;
    lab_spawn(&lab, &a, &(troupe_spawn_opts){.name = HITS});
    in_hook = NULL;
    assert_int_equal(dropped_in_hook, 0);
    assert_int_equal(troupe_system_whereis(lab.system, HITS, &holder), TROUPE_E_NOT_FOUND);
    lab_run(&lab);
    assert_int_equal(a.names_lost, 1);
    lab_do(&lab, &a, take_hits);
    assert_int_equal(a.status, 0);
    in_hook = lab.system;
    lab_do(&lab, &a, release_hits);
    in_hook = NULL;
    assert_int_equal(dropped_in_hook, TROUPE_E_NOT_FOUND); /* it is being given back already */
    lab_run(&lab);
    assert_int_equal(a.names_lost, 1);
    assert_string_equal(news, "+hits +hits -hits ");
}

/* Without memory for the message the actor is told later. */
static void test_a_lost_name_is_told_when_there_is_memory_again(void **state)
{
    PUPPET(a, 'a');
    struct pool_block *all = NULL;

    (void)state;
    spawn_named(&a, "hits");
    for (void *block; (block = troupe__pool_alloc(&lab.worker->pool, sizeof(struct message) + 4)) != NULL;) {
        ((struct pool_block *)block)->next = all; /* all that the pool has at hand */
        all = block;
        troupe__port_fail_after(1);
    }
    assert_int_equal(troupe_system_name_drop(lab.system, HITS, a.ref), 0);
    troupe__port_fail_after(1);
    assert_true(troupe_worker_poll(lab.worker, lab.now_ns, 8) <= 10000000); /* it comes again by itself */
    troupe__port_fail_after(0);
    assert_int_equal(a.names_lost, 0);
    while (all) {
        struct pool_block *next = all->next;
        troupe__pool_free(&lab.worker->pool, all, sizeof(struct message) + 4);
        all = next;
    }
    lab_run(&lab);
    assert_int_equal(a.names_lost, 1);
}

/* ---- closed ---- */

static int spawn_named_child(troupe_ctx *ctx, struct puppet *self)
{
    self->status = puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.name = HITS});
    return 0;
}

static int find_hits(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;

    self->status = troupe_whereis(ctx, HITS, &ref);
    return 0;
}

static void test_no_name_is_granted_while_the_registry_is_lost(void **state)
{
    PUPPET(a, 'a');
    PUPPET(child, 'c');
    static struct lab_request spawned;
    troupe_ref holder;

    (void)state;
    spawn_named(&a, "mine");
    a.other = &child;
    troupe_system_names_close(lab.system, true);
    lab_spawn_later(&lab, &child, &(troupe_spawn_opts){.name = HITS}, &spawned);
    lab_run(&lab);
    assert_int_equal(spawned.error, TROUPE_E_REGISTRY_LOST);
    lab_do(&lab, &a, spawn_named_child);
    assert_int_equal(a.status, TROUPE_E_REGISTRY_LOST);
    lab_do(&lab, &a, take_hits);
    assert_int_equal(a.status, TROUPE_E_REGISTRY_LOST);
    lab_do(&lab, &a, find_hits);
    assert_int_equal(a.status, TROUPE_E_REGISTRY_LOST);
    assert_int_equal(troupe_system_whereis(lab.system, troupe_view_of("mine"), &holder), TROUPE_E_REGISTRY_LOST);
    lab_do(&lab, &a, note_own_name);
    assert_int_equal(a.number, 4); /* what it has it keeps */
    troupe_system_names_close(lab.system, false);
    assert_true(troupe_ref_equal(holder_of("mine"), a.ref));
    lab_do(&lab, &a, take_hits);
    assert_int_equal(a.status, 0);
    assert_string_equal(news, "+mine +hits ");
}

static int spawn_permanent_child(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.name = HITS, .restart = TROUPE_PERMANENT});
}

/* Else a registry that is away for a while would bring down every supervisor of children with names. */
static void test_a_child_with_a_name_waits_for_the_registry(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');
    static struct lab_request stopped;

    (void)state;
    parent.other = &child;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_permanent_child);
    assert_int_equal(child.inits, 1);
    troupe_system_names_close(lab.system, true);
    lab_stop(&lab, child.ref, TROUPE_KILL, &stopped, 100);
    lab_pass(&lab, 60000);
    assert_int_equal(child.inits, 1);
    assert_true(lab_is_alive(&lab, &parent));
    troupe_system_names_close(lab.system, false);
    lab_pass(&lab, 1000);
    assert_int_equal(child.inits, 2);
    assert_true(troupe_ref_equal(holder_of("hits"), child.ref));
}

/* ---- who is where ---- */

static void test_another_home_is_out_of_reach_in_a_cluster_and_gone_without(void **state)
{
    PUPPET(a, 'a');
    static struct puppet other;
    troupe_peek peek;

    (void)state;
    lab_spawn(&lab, &a, NULL);
    assert_int_equal(troupe_system_peek(lab.system, far, &peek), TROUPE_E_GONE);
    troupe_system_set_clustered(lab.system, true);
    assert_int_equal(troupe_system_peek(lab.system, far, &peek), TROUPE_E_UNREACHABLE);
    assert_int_equal(
        troupe_worker_cast(lab.worker, far, troupe_view_of("note"), troupe_body_none(), (troupe_caller){0}),
        TROUPE_E_UNREACHABLE);
    other.ref = far;
    a.other = &other;
    lab_do(&lab, &a, puppet_monitor_other);
    assert_int_equal(a.downs, 1);
    assert_int_equal(a.down.exit.cause, TROUPE_EXIT_UNREACHABLE);
    troupe_system_set_clustered(lab.system, false);
    lab_do(&lab, &a, puppet_monitor_other);
    assert_int_equal(a.downs, 2);
    assert_int_equal(a.down.exit.cause, TROUPE_EXIT_NOPROC);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_of_another_home_is_found_and_refused_with_its_whole_ref),
        TEST(test_what_cannot_be_put),
        TEST(test_the_hook_tells_of_each_name_taken_and_given_back),
        TEST(test_an_actor_whose_name_the_cluster_takes_is_told_once),
        TEST(test_what_a_name_lost_message_says),
        TEST(test_a_name_that_is_dropped_inside_the_hook_is_lost_after_it),
        TEST(test_a_lost_name_is_told_when_there_is_memory_again),
        TEST(test_no_name_is_granted_while_the_registry_is_lost),
        TEST(test_a_child_with_a_name_waits_for_the_registry),
        TEST(test_another_home_is_out_of_reach_in_a_cluster_and_gone_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
