/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedded registry: each (state, event) of a member once, the event log, names by identity, the silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "registry/engine.h"

enum { LEASE_MS = 10000, NAMES = 4 };

static struct {
    char log[4096];              /* "up 5 joining 6 ..." */
    unsigned verifications;
    uint32_t verified_revision;
    troupe_ref names[NAMES];
    bool closed;
    struct registry *registry;
} world;

static troupe_ref *slot(troupe_view name)
{
    assert_int_equal(name.len, 1);
    return &world.names[name.ptr[0] - 'a'];
}

static int put(void *user, troupe_view name, troupe_ref ref, troupe_ref *ret_holder)
{
    (void)user;
    if (troupe_ref_is_actor(*slot(name)) && !troupe_ref_equal(*slot(name), ref)) {
        *ret_holder = *slot(name);
        return TROUPE_E_NAME_TAKEN;
    }
    *slot(name) = ref;
    return 0;
}

static int drop(void *user, troupe_view name, troupe_ref ref)
{
    (void)user;
    assert_true(troupe_ref_equal(*slot(name), ref));
    *slot(name) = (troupe_ref){0};
    return 0;
}

static int find(void *user, troupe_view name, troupe_ref *ret_ref)
{
    (void)user;
    *ret_ref = *slot(name);
    return troupe_ref_is_actor(*slot(name)) ? 0 : TROUPE_E_NOT_FOUND;
}

static void close_names(void *user, bool closed)
{
    (void)user;
    world.closed = closed;
}

static void changed(void *user, const struct registry_event *event)
{
    size_t len = strlen(world.log);
    (void)user;
    if (len < sizeof world.log - 64)
        snprintf(world.log + len, sizeof world.log - len, "%s %llu;", registry_what_word(event->what) + 5,
                 (unsigned long long)event->record->node.low);
}

static void verify(void *user, const struct registry_record *record)
{
    (void)user;
    world.verifications++;
    world.verified_revision = record->revision;
}

static struct registry_record record_of(uint64_t node)
{
    return (struct registry_record){
        .node = {0, node}, .revision = 1, .state = REGISTRY_UP, .protocol_min = 1, .protocol_max = 1, .version = "1",
        .endpoints_count = 1, .endpoints = {{"api", "http", "10.0.0.1", 80, 80}},
    };
}

static void begin(bool was_used)
{
    memset(&world, 0, sizeof world);
    const struct registry_config config = {
        .cluster = "c", .epoch = "e", .lease_ms = LEASE_MS, .renew_ms = 3000, .was_used = was_used, .own = record_of(1),
        .ops = {NULL, put, drop, find, close_names, changed, verify},
    };
    assert_int_equal(registry_new(&config, 0, &world.registry), 0);
    world.log[0] = '\0';
}

static void end(void) { registry_free(world.registry); }

static int join_as(const struct registry_record *record, uint64_t now_ms)
{
    char words[256];
    int error = registry_register(world.registry, record, now_ms, words, sizeof words);
    assert_true(error == 0 || words[0] != '\0');
    return error;
}

static int join(uint64_t node, uint64_t now_ms)
{
    struct registry_record record = record_of(node);
    return join_as(&record, now_ms);
}

static void join_up(uint64_t node, uint64_t now_ms)
{
    assert_int_equal(join(node, now_ms), 0);
    registry_verified(world.registry, (troupe_home){0, node}, 1, true, NULL, now_ms);
}

static struct registry_renewal renew(uint64_t node, enum registry_state state, uint64_t now_ms)
{
    struct registry_renewal renewal;
    assert_int_equal(registry_renew(world.registry, (troupe_home){0, node}, state, now_ms, &renewal), 0);
    return renewal;
}

static int renew_error(uint64_t node, uint64_t now_ms)
{
    struct registry_renewal renewal;
    return registry_renew(world.registry, (troupe_home){0, node}, REGISTRY_UP, now_ms, &renewal);
}

#define assert_log(text) (assert_string_equal(world.log, text), world.log[0] = '\0')

static const troupe_home five = {0, 5}, six = {0, 6};
static const troupe_ref actor5 = {{0, 5}, 1, 1}, other5 = {{0, 5}, 2, 1}, actor6 = {{0, 6}, 1, 1};
#define A troupe_view_of("a")

/* ---- members ---- */

static void a_node_is_up_when_it_was_verified_test(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(join(5, 0), 0);
    assert_log("joining 5;");
    assert_int_equal(world.verifications, 1);
    assert_int_equal(renew(5, REGISTRY_UP, 100).state, REGISTRY_JOINING);
    registry_verified(world.registry, five, 1, false, "nobody answers", 100);
    struct registry_renewal renewal = renew(5, REGISTRY_UP, 200);
    assert_int_equal(renewal.state, REGISTRY_JOINING);
    assert_string_equal(renewal.words, "nobody answers");
    assert_log("");
    assert_int_equal(join(5, 300), 0); /* registers again: it is verified again */
    assert_int_equal(world.verifications, 2);
    assert_int_equal(join(5, 300), 0); /* which is under way */
    assert_int_equal(world.verifications, 2);
    registry_verified(world.registry, five, 1, true, NULL, 400);
    registry_verified(world.registry, five, 1, true, NULL, 400);
    assert_log("up 5;");
    assert_int_equal(join(5, 500), 0);
    assert_int_equal(world.verifications, 2);
    assert_string_equal(renew(5, REGISTRY_UP, 600).words, "");
    assert_log("");
    end();
}

static void another_record_is_published_when_it_was_verified_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    struct registry_record record = record_of(5);
    world.log[0] = '\0';
    record.revision = 3;
    record.endpoints[0].port = 81;
    assert_int_equal(join_as(&record, 100), 0);
    assert_int_equal(world.verified_revision, 3);
    registry_verified(world.registry, five, 1, true, NULL, 100); /* of the one before: nothing */
    registry_verified(world.registry, five, 3, false, "deaf", 100);
    assert_log("");
    assert_string_equal(renew(5, REGISTRY_UP, 200).words, "deaf");
    record.revision = 2; /* overtaken */
    assert_int_equal(join_as(&record, 200), 0);
    assert_int_equal(world.verifications, 2);
    record.revision = 3;
    assert_int_equal(join_as(&record, 200), 0);
    registry_verified(world.registry, five, 3, true, NULL, 300);
    assert_log("changed 5;");
    json_t *list = registry_list(world.registry);
    const json_t *endpoint = json_array_get(json_object_get(json_array_get(list, 1), "endpoints"), 0);
    assert_int_equal(json_integer_value(json_object_get(endpoint, "port")), 81);
    json_decref(list);
    end();
}

static void a_record_that_changes_while_joining_is_up_once_test(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(join(5, 0), 0);
    struct registry_record record = record_of(5);
    record.revision = 2;
    assert_int_equal(join_as(&record, 10), 0);
    registry_verified(world.registry, five, 1, true, NULL, 20);
    assert_log("joining 5;");
    registry_verified(world.registry, five, 2, true, NULL, 20);
    assert_log("up 5;");
    end();
}

static void draining_is_told_once_and_stays_test(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(join(5, 0), 0);
    assert_int_equal(renew(5, REGISTRY_DRAINING, 0).state, REGISTRY_JOINING);
    registry_verified(world.registry, five, 1, true, NULL, 0);
    assert_log("joining 5;up 5;draining 5;");
    assert_int_equal(renew(5, REGISTRY_DRAINING, 0).state, REGISTRY_DRAINING);
    assert_int_equal(renew(5, REGISTRY_UP, 0).state, REGISTRY_DRAINING);
    assert_log("");
    join_up(6, 0);
    world.log[0] = '\0';
    assert_int_equal(renew(6, REGISTRY_DRAINING, 0).state, REGISTRY_DRAINING);
    assert_log("draining 6;");
    end();
}

static void a_member_is_asked_to_drain_by_its_renewal_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    assert_false(renew(5, REGISTRY_UP, 0).shall_drain);
    assert_int_equal(registry_ask_drain(world.registry, five), 0);
    assert_true(renew(5, REGISTRY_UP, 0).shall_drain);
    assert_int_equal(registry_ask_drain(world.registry, six), TROUPE_E_NOT_FOUND);
    assert_int_equal(registry_leave(world.registry, five, 0), 0);
    assert_int_equal(registry_ask_drain(world.registry, five), TROUPE_E_GONE);
    assert_false(registry_own_shall_drain(world.registry));
    assert_int_equal(registry_ask_drain(world.registry, (troupe_home){0, 1}), 0);
    assert_true(registry_own_shall_drain(world.registry));
    end();
}

/* Trap 34: a registry without leases kept crashed nodes listed. */
static void crashed_nodes_stay_listed_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 4000);
    world.log[0] = '\0';
    assert_int_equal(registry_tick(world.registry, LEASE_MS - 1), 1);
    assert_log("");
    assert_int_equal(registry_tick(world.registry, LEASE_MS), 4000);
    assert_log("down 5;");
    (void)renew(6, REGISTRY_UP, 13000);
    assert_int_equal(registry_tick(world.registry, LEASE_MS + 4000), 9000);
    assert_log("");
    assert_int_equal(renew_error(6, 13000 + LEASE_MS), TROUPE_E_NOT_MEMBER); /* nobody has looked, and it is over */
    assert_log("down 6;");
    assert_int_equal(registry_tick(world.registry, 100000), UINT64_MAX);
    json_t *list = registry_list(world.registry);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    end();
}

/* What members said while this process was stopped waits in its sockets, behind the end of their leases. */
static void a_registry_that_slept_ends_no_lease_for_it_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 4000);
    world.log[0] = '\0';
    registry_slept(world.registry, 3 * LEASE_MS);
    assert_int_equal(renew_error(5, 3 * LEASE_MS), 0);
    assert_log("");
    assert_int_equal(registry_tick(world.registry, 4 * LEASE_MS), 4000); /* 6 says nothing; 5 has renewed */
    assert_log("down 5;");
    (void)registry_tick(world.registry, 4 * LEASE_MS + 4000);
    assert_log("down 6;");
    end();
}

static void a_node_that_left_or_died_never_comes_back_test(void **state)
{
    troupe_ref holder;
    (void)state;
    begin(false);
    join_up(5, 0);
    assert_int_equal(join(6, 0), 0);
    assert_int_equal(registry_leave(world.registry, five, 0), 0);
    (void)registry_tick(world.registry, LEASE_MS);
    assert_log("joining 5;up 5;joining 6;left 5;down 6;");
    for (uint64_t node = 5; node <= 6; node++) {
        assert_int_equal(join(node, LEASE_MS), TROUPE_E_NOT_MEMBER);
        assert_int_equal(renew_error(node, LEASE_MS), TROUPE_E_NOT_MEMBER);
        assert_int_equal(registry_leave(world.registry, (troupe_home){0, node}, LEASE_MS), TROUPE_E_NOT_MEMBER);
        registry_verified(world.registry, (troupe_home){0, node}, 1, true, NULL, LEASE_MS);
        assert_int_equal(registry_claim(world.registry, (troupe_home){0, node}, A, (troupe_ref){{0, node}, 1, 1}, false,
                                        LEASE_MS, &holder), TROUPE_E_NOT_MEMBER);
        assert_int_equal(registry_release(world.registry, (troupe_home){0, node}, A, actor5), TROUPE_E_NOT_MEMBER);
    }
    assert_log("");
    for (uint64_t node = 1000; node < 1000 + REGISTRY_PAST_MAX - 2; node++) {
        assert_int_equal(join(node, LEASE_MS), 0);
        assert_int_equal(registry_leave(world.registry, (troupe_home){0, node}, LEASE_MS), 0);
    }
    assert_int_equal(join(5, LEASE_MS), TROUPE_E_NOT_MEMBER); /* as many are remembered as are promised */
    end();
}

static void who_cannot_be_a_member_is_told_the_remedy_test(void **state)
{
    char words[256];
    (void)state;
    begin(false);
    struct registry_record record = record_of(5);
    static const char *const hosts[] = {"127.0.0.1", "127.8.9.1", "::1", "localhost", "0.0.0.0", "::",
                                        "::ffff:127.0.0.1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        snprintf(record.endpoints[0].host, sizeof record.endpoints[0].host, "%s", hosts[i]);
        assert_int_equal(registry_register(world.registry, &record, 0, words, sizeof words), TROUPE_E_INVALID);
        assert_non_null(strstr(words, "--advertise"));
    }
    assert_int_equal(join(1, 0), TROUPE_E_INVALID); /* the registry's own id */
    assert_int_equal(renew_error(1, 0), TROUPE_E_NOT_MEMBER);
    assert_int_equal(registry_leave(world.registry, (troupe_home){0, 1}, 0), TROUPE_E_NOT_MEMBER);
    record = record_of(5);
    record.protocol_min = 2;
    record.protocol_max = 3;
    assert_int_equal(registry_register(world.registry, &record, 0, words, sizeof words), TROUPE_E_PROTOCOL);
    assert_non_null(strstr(words, "upgrade"));
    record.protocol_min = 1;
    record.protocol_max = 2; /* the next version speaks this one too */
    assert_int_equal(join_as(&record, 0), 0);
    for (uint64_t node = 100; node < 100 + REGISTRY_NODES_MAX - 2; node++)
        assert_int_equal(join(node, 0), 0);
    assert_int_equal(join(6, 0), TROUPE_E_LIMIT);
    end();
}

static void the_own_record_changes_and_drains_once_test(void **state)
{
    (void)state;
    begin(false);
    struct registry_record record = record_of(1);
    record.revision = 2;
    assert_int_equal(registry_set_own(world.registry, &record), 0);
    assert_log("changed 1;");
    record.state = REGISTRY_DRAINING;
    assert_int_equal(registry_set_own(world.registry, &record), 0);
    assert_log("draining 1;");
    record.state = REGISTRY_UP;
    assert_int_equal(registry_set_own(world.registry, &record), 0);
    assert_log("");
    registry_leave_own(world.registry);
    assert_log("left 1;");
    end();
}

/* ---- the log ---- */

static void a_watch_goes_on_where_it_was_test(void **state)
{
    json_t *events;
    (void)state;
    begin(false);
    assert_int_equal(registry_revision(world.registry), 1); /* the own node is up */
    join_up(5, 0);
    assert_int_equal(registry_events_after(world.registry, 1, &events), 0);
    assert_int_equal(json_array_size(events), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(events, 1), "event")), "node.up");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(events, 1), "revision")), 3);
    json_decref(events);
    assert_int_equal(registry_events_after(world.registry, 3, &events), 0);
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
    assert_int_equal(registry_events_after(world.registry, 4, &events), TROUPE_E_WRONG_EPOCH); /* of the future */
    for (uint64_t node = 1000; registry_revision(world.registry) < REGISTRY_EVENTS_KEPT + 2; node++) {
        assert_int_equal(join(node, 0), 0);
        assert_int_equal(registry_leave(world.registry, (troupe_home){0, node}, 0), 0);
    }
    uint64_t oldest = registry_revision(world.registry) - REGISTRY_EVENTS_KEPT;
    assert_int_equal(registry_events_after(world.registry, oldest - 1, &events), TROUPE_E_WRONG_EPOCH);
    assert_int_equal(registry_events_after(world.registry, oldest, &events), 0);
    assert_int_equal(json_array_size(events), REGISTRY_EVENTS_KEPT);
    json_decref(events);
    end();
}

/* ---- names ---- */

static int claim(troupe_home node, troupe_ref ref, bool held, uint64_t now_ms)
{
    troupe_ref holder;
    return registry_claim(world.registry, node, A, ref, held, now_ms, &holder);
}

static void a_name_has_one_holder_test(void **state)
{
    troupe_ref holder, found;
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 0);
    assert_int_equal(registry_find(world.registry, A, &found), TROUPE_E_NOT_FOUND);
    assert_int_equal(claim(five, actor5, false, 0), 0);
    assert_int_equal(claim(five, actor5, false, 0), 0);
    assert_int_equal(registry_find(world.registry, A, &found), 0);
    assert_true(troupe_ref_equal(found, actor5));
    assert_int_equal(registry_claim(world.registry, six, A, actor6, false, 0, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, actor5));
    assert_int_equal(registry_claim(world.registry, five, A, other5, false, 0, &holder), TROUPE_E_NAME_TAKEN);
    assert_int_equal(registry_claim(world.registry, five, A, (troupe_ref){0}, false, 0, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, actor5));
    assert_int_equal(claim(five, actor6, false, 0), TROUPE_E_INVALID); /* not its actor */
    static const char *const bad[] = {"", "a\nb", "\xff"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(registry_claim(world.registry, five, troupe_view_of(bad[i]), actor5, false, 0, &holder),
                         TROUPE_E_INVALID);
    end();
}

/* Trap 2 over nodes: compared by identity, so that a late release does not free the successor's name. */
static void a_late_release_frees_the_successors_name_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 0);
    assert_int_equal(claim(five, actor5, false, 0), 0);
    assert_int_equal(registry_release(world.registry, five, A, actor5), 0);
    assert_int_equal(claim(five, other5, false, 0), 0);
    assert_int_equal(registry_release(world.registry, five, A, actor5), TROUPE_E_NOT_FOUND);
    assert_int_equal(registry_release(world.registry, six, A, other5), TROUPE_E_NOT_FOUND);
    assert_true(troupe_ref_equal(world.names[0], other5));
    end();
}

static void a_call_that_was_given_up_has_no_effect_test(void **state)
{
    (void)state;
    begin(false);
    join_up(5, 0);
    assert_true(registry_admit(world.registry, five, 1, 1));
    assert_true(registry_admit(world.registry, five, 3, 3)); /* 2 was given up */
    assert_false(registry_admit(world.registry, five, 2, 2));
    assert_true(registry_admit(world.registry, five, 4, 3));
    assert_true(registry_admit(world.registry, five, 0, 0)); /* not numbered */
    assert_true(registry_admit(world.registry, six, 1, 1));  /* no member: that is said elsewhere */
    end();
}

static void the_end_of_a_lease_releases_exactly_its_names_test(void **state)
{
    troupe_ref holder;
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 5000);
    world.names[3] = (troupe_ref){{0, 1}, 1, 1}; /* of the registry's own node */
    assert_int_equal(claim(five, actor5, false, 0), 0);
    assert_int_equal(registry_claim(world.registry, five, troupe_view_of("b"), (troupe_ref){0}, false, 0, &holder), 0);
    assert_int_equal(registry_claim(world.registry, six, troupe_view_of("c"), actor6, false, 0, &holder), 0);
    (void)registry_tick(world.registry, LEASE_MS);
    assert_false(troupe_ref_is_actor(world.names[0]));
    assert_true(troupe_ref_equal(world.names[2], actor6));
    assert_true(troupe_ref_is_actor(world.names[3]));
    assert_int_equal(registry_claim(world.registry, six, troupe_view_of("b"), actor6, false, LEASE_MS, &holder), 0);
    end();
}

static void a_reservation_ends_by_itself_test(void **state)
{
    troupe_ref holder;
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 0);
    for (uint64_t now_ms = 0; now_ms < REGISTRY_RESERVE_MS; now_ms += 3000) {
        (void)renew(5, REGISTRY_UP, now_ms);
        (void)renew(6, REGISTRY_UP, now_ms);
    }
    assert_int_equal(claim(five, (troupe_ref){0}, false, 0), 0);
    assert_int_equal(registry_find(world.registry, A, &holder), TROUPE_E_NOT_FOUND);
    assert_int_equal(registry_claim(world.registry, six, A, actor6, false, 100, &holder), TROUPE_E_NAME_TAKEN);
    assert_false(troupe_ref_is_actor(holder));
    assert_int_equal(claim(five, (troupe_ref){0}, false, 100), 0); /* again: from now on */
    assert_int_equal(claim(six, actor6, false, REGISTRY_RESERVE_MS + 99), TROUPE_E_NAME_TAKEN);
    assert_int_equal(claim(six, actor6, false, REGISTRY_RESERVE_MS + 100), 0);
    assert_int_equal(registry_release(world.registry, six, A, actor6), 0);
    assert_int_equal(claim(five, (troupe_ref){0}, false, REGISTRY_RESERVE_MS + 200), 0);
    assert_int_equal(registry_release(world.registry, five, A, (troupe_ref){0}), 0); /* given back early */
    assert_int_equal(claim(six, (troupe_ref){0}, false, REGISTRY_RESERVE_MS + 200), 0);
    assert_int_equal(claim(six, actor6, false, REGISTRY_RESERVE_MS + 200), 0); /* and made use of */
    world.names[1] = (troupe_ref){{0, 1}, 1, 1};
    assert_int_equal(registry_claim(world.registry, six, troupe_view_of("b"), (troupe_ref){0}, false,
                                    REGISTRY_RESERVE_MS + 200, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, world.names[1]));
    end();
}

static void a_name_that_was_reserved_and_taken_meanwhile_has_a_holder_test(void **state)
{
    troupe_ref holder;
    (void)state;
    begin(false);
    join_up(5, 0);
    join_up(6, 0);
    assert_int_equal(claim(five, (troupe_ref){0}, false, 0), 0);
    world.names[0] = (troupe_ref){{0, 1}, 1, 1}; /* an actor of the registry's own node, which does not ask */
    assert_int_equal(registry_claim(world.registry, six, A, (troupe_ref){0}, false, 0, &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, world.names[0]));
    end();
}

static void after_a_restart_only_holders_get_their_names_test(void **state)
{
    troupe_ref found;
    (void)state;
    begin(true);
    assert_true(world.closed); /* the registry's own actors too */
    join_up(5, 0);
    join_up(6, 0);
    assert_int_equal(claim(six, actor6, false, 0), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(registry_find(world.registry, A, &found), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(claim(five, actor5, true, 0), 0);
    assert_int_equal(registry_find(world.registry, A, &found), 0);
    assert_int_equal(claim(six, actor6, true, 0), TROUPE_E_NAME_TAKEN);
    (void)renew(5, REGISTRY_UP, 9000);
    (void)renew(6, REGISTRY_UP, 9000);
    assert_int_equal(registry_tick(world.registry, LEASE_MS - 1), 1);
    assert_true(world.closed);
    (void)registry_tick(world.registry, LEASE_MS);
    assert_false(world.closed);
    assert_int_equal(registry_find(world.registry, troupe_view_of("b"), &found), TROUPE_E_NOT_FOUND);
    assert_int_equal(claim(six, actor6, false, LEASE_MS), TROUPE_E_NAME_TAKEN);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_up_when_it_was_verified_test),
        cmocka_unit_test(another_record_is_published_when_it_was_verified_test),
        cmocka_unit_test(a_record_that_changes_while_joining_is_up_once_test),
        cmocka_unit_test(draining_is_told_once_and_stays_test),
        cmocka_unit_test(a_member_is_asked_to_drain_by_its_renewal_test),
        cmocka_unit_test(crashed_nodes_stay_listed_test),
        cmocka_unit_test(a_registry_that_slept_ends_no_lease_for_it_test),
        cmocka_unit_test(a_node_that_left_or_died_never_comes_back_test),
        cmocka_unit_test(who_cannot_be_a_member_is_told_the_remedy_test),
        cmocka_unit_test(the_own_record_changes_and_drains_once_test),
        cmocka_unit_test(a_watch_goes_on_where_it_was_test),
        cmocka_unit_test(a_name_has_one_holder_test),
        cmocka_unit_test(a_late_release_frees_the_successors_name_test),
        cmocka_unit_test(a_call_that_was_given_up_has_no_effect_test),
        cmocka_unit_test(the_end_of_a_lease_releases_exactly_its_names_test),
        cmocka_unit_test(a_reservation_ends_by_itself_test),
        cmocka_unit_test(a_name_that_was_reserved_and_taken_meanwhile_has_a_holder_test),
        cmocka_unit_test(after_a_restart_only_holders_get_their_names_test),
    };
    return cmocka_run_group_tests_name("registry_engine", tests, NULL, NULL);
}
