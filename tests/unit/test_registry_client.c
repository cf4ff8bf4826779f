/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the registry: each (phase, event) of its table, the lease, the member list. Its names are in
 * test_registry_client_names.c. */
#include "registry_client_world.h"

/* ---- finding, registering ---- */

static void a_node_joins_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    assert_told("cluster c;registering;");
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":1"));
    answer(PUT_NODE, 200, LEASE("e1", "joining", ""));
    assert_told("joining;");
    wait_for(RENEW);
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
    answer(LIST, 200, MEMBERS("e1", "3", NODE("1", "up") "," NODE("5", "up")));
    assert_told("list 2;");
    assert_non_null(strstr(open_call(WATCH)->what, "revision=3&wait=10s"));
}

static void finding_is_tried_again_with_backoff_test(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
    } bad[] = {
        {0, NULL}, {200, "{}"}, {200, "[]"}, {200, "x"}, {200, "{\"cluster\":\"c\",\"epoch\":\"e\",\"time_ms\":0}"},
        {200, "{\"cluster\":\"0123456789012345\",\"epoch\":\"e\",\"time_ms\":1}"}, {404, ""},
        {409, PROBLEM("wrong_cluster")}, {503, ""},
    };
    uint64_t sum_ms = 0;
    (void)state;
    (void)tick();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bad[i].status == 0)
            fail_call(FIND);
        else
            answer(FIND, bad[i].status, bad[i].body);
        assert_int_equal(world.count, 0);
        uint64_t delay_ms = tick();
        assert_true(delay_ms >= 25 && delay_ms <= 2000);
        sum_ms += delay_ms;
        world.now_ms += delay_ms;
        (void)tick();
    }
    assert_true(sum_ms > 2000); /* it grows */
    answer(FIND, 200, INFO("e1"));
    assert_non_null(open_call(PUT_NODE));
}

static void a_node_without_the_secret_is_refused_test(void **state)
{
    (void)state;
    world.has_no_secret = true;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    assert_told("cluster c;refused!;");
    assert_int_equal(tick(), UINT64_MAX);
}

static void what_does_not_prove_the_secret_is_no_registry_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer_as(PUT_NODE, 200, LEASE("e1", "up", ""), false);
    assert_told("cluster c;registering;finding!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer_as(PUT_NODE, 410, PROBLEM("not_member"), false); /* a verdict of a stranger counts no more */
    assert_told("registering!;finding!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 401, PROBLEM("unauthorized"));
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e0", "up", "")); /* proven, and of another epoch than was found */
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 429, PROBLEM("limit"));
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    fail_call(PUT_NODE);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_proven_no_is_final_test(void **state)
{
    static const unsigned statuses[] = {400, 409, 410, 422};
    (void)state;
    for (int i = 0; i < 4; i++) {
        (void)tick();
        answer(FIND, 200, INFO("e1"));
        answer(PUT_NODE, statuses[i], PROBLEM("invalid"));
        assert_told("cluster c;registering;refused!;");
        assert_int_equal(tick(), UINT64_MAX);
        assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
        registry_client_leave(world.client, world.now_ms);
        assert_told("");
        assert_int_equal(end(NULL) + begin(NULL), 0);
    }
}

/* A port that is reused: the registry's address belongs to another cluster now. */
static void the_registrys_port_belongs_to_another_cluster_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer_as(RENEW, 401, PROBLEM("unauthorized"), false);
    answer(FIND, 200, "{\"cluster\":\"d\",\"epoch\":\"e1\",\"time_ms\":5000}");
    assert_told("up!;up!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
}

/* ---- member ---- */

static void renewals_are_tried_again_then_the_registry_is_looked_for_test(void **state)
{
    (void)state;
    be_up();
    uint64_t before_ms = world.now_ms;
    wait_for(RENEW);
    assert_true(world.now_ms - before_ms > 2500 && world.now_ms - before_ms <= 3000);
    fail_call(RENEW);
    wait_for(RENEW);
    fail_call(RENEW);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(RENEW, 200, LEASE("e1", "up", "")); /* the same epoch: no need to register */
    assert_told("up!;up;");
}

static void a_lease_that_is_over_is_final_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer(RENEW, 410, PROBLEM("not_member"));
    assert_told("refused!;");
    assert_int_equal(tick(), UINT64_MAX);
}

static void names_are_given_up_before_the_lease_ends_test(void **state)
{
    (void)state;
    be_up();
    uint64_t sent_ms = world.now_ms;
    assert_int_equal(registry_client_named(world.client, A, one, true, world.now_ms), 0);
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, world.now_ms));
    assert_int_equal(registry_client_find(world.client, 7, A, world.now_ms), 0);
    while (world.now_ms < sent_ms + LEASE_MS - MARGIN_MS) {
        assert_true(registry_client_holds(world.client, A, one, world.now_ms));
        if (open_call(RENEW) != NULL)
            fail_call(RENEW);
        if (open_call(FIND) != NULL)
            fail_call(FIND);
        uint64_t delay_ms = tick(), left_ms = sent_ms + LEASE_MS - MARGIN_MS - world.now_ms;
        world.now_ms += delay_ms < left_ms ? delay_ms : left_ms;
    }
    assert_false(registry_client_holds(world.client, A, one, world.now_ms)); /* also before anybody ticks */
    world.log[0] = '\0';
    (void)tick();
    assert_told("lost a 1;lost!;");
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(registry_client_find(world.client, 1, A, world.now_ms), TROUPE_E_REGISTRY_LOST);
    if (open_call(FIND) == NULL)
        wait_for(FIND);
    answer(FIND, 200, INFO("e1")); /* found again, within the lease: what was given up is given back */
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
    assert_non_null(open_call(RELEASE_A));
}

/* A process that was stopped is asked before it has looked at the time. */
static void a_node_that_slept_through_its_lease_answers_nothing_from_memory_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_named(world.client, A, one, true, world.now_ms), 0);
    answer(CLAIM_A, 200, "{}");
    assert_in_range(registry_client_names_until_ms(world.client), world.now_ms, world.now_ms + LEASE_MS - MARGIN_MS);
    world.now_ms += LEASE_MS;
    assert_in_range(registry_client_names_until_ms(world.client), 0, world.now_ms - 1);
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_told("lost a 1;lost!;");
    assert_int_equal(registry_client_find(world.client, 2, A, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(registry_client_names_until_ms(world.client), 0);
}

static void the_lease_counts_from_when_the_renewal_was_sent_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    uint64_t sent_ms = world.now_ms;
    world.now_ms += 1500; /* the answer takes its time */
    answer(RENEW, 200, LEASE("e1", "up", ""));
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, sent_ms + LEASE_MS - MARGIN_MS - 1));
    assert_false(registry_client_holds(world.client, A, one, sent_ms + LEASE_MS - MARGIN_MS));
}

static void a_call_that_the_driver_forgets_is_ended_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    uint32_t timeout_ms = open_call(RENEW)->timeout_ms;
    uint64_t id = open_call(RENEW)->id;
    advance(timeout_ms + 1000);
    assert_true(open_call(RENEW) == NULL || open_call(RENEW)->id != id); /* aborted, and perhaps made again */
    registry_client_on_error(world.client, id, "late", world.now_ms);
    registry_client_on_reply(world.client, id, 410, A, A, world.now_ms);
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_record_that_is_not_found_good_is_sent_again_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e1", "joining", "nobody answers at 127.0.0.1:1"));
    assert_told("cluster c;registering;joining!;");
    wait_for(PUT_NODE);
    fail_call(PUT_NODE);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    wait_for(PUT_NODE);
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_new_record_is_told_until_it_is_known_test(void **state)
{
    struct registry_record record = {.node = self, .revision = 2, .state = REGISTRY_UP, .protocol_min = 1,
                                     .protocol_max = 1, .version = "1"};
    (void)state;
    be_up();
    assert_int_equal(registry_client_set_own(world.client, &record, world.now_ms), 0);
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":2"));
    record.revision = 3;
    assert_int_equal(registry_client_set_own(world.client, &record, world.now_ms), 0);
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":3"));
    answer(PUT_NODE, 422, PROBLEM("schema")); /* a member stays one, with the record before */
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
    wait_for(PUT_NODE);
    answer(PUT_NODE, 410, PROBLEM("not_member"));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_REFUSED);
}

static void draining_is_told_and_asked_for_once_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer(RENEW, 200, "{\"state\":\"up\",\"drain\":true,\"words\":\"\"}");
    wait_for(RENEW);
    answer(RENEW, 200, "{\"state\":\"up\",\"drain\":true,\"words\":\"\"}");
    assert_told("drain;");
    registry_client_drain(world.client, world.now_ms);
    registry_client_drain(world.client, world.now_ms);
    assert_non_null(strstr(open_call(RENEW)->body, "draining")); /* at once */
    answer(RENEW, 200, "{\"state\":\"draining\",\"words\":\"\"}");
    registry_client_ask_drain(world.client, stranger.home, world.now_ms);
    registry_client_ask_drain(world.client, stranger.home, world.now_ms);
    fail_call("POST /v1/registry/nodes/n.0000000000006/drain");
    wait_for("POST /v1/registry/nodes/n.0000000000006/drain");
    answer("POST /v1/registry/nodes/n.0000000000006/drain", 204, "");
    (void)tick();
    assert_null(open_call("POST /v1/registry/nodes/n.0000000000006/drain"));
}

/* ---- leaving ---- */

static void leaving_is_told_and_does_not_wait_for_ever_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    registry_client_leave(world.client, world.now_ms);
    registry_client_leave(world.client, world.now_ms);
    assert_int_equal(world.count, 1);
    assert_told("lost a 1;");
    fail_call(LEAVE);
    wait_for(LEAVE);
    answer(LEAVE, 204, "");
    assert_told("left;");
    assert_int_equal(tick(), UINT64_MAX);
    assert_int_equal(end(NULL) + begin(NULL), 0);
    be_up();
    registry_client_leave(world.client, world.now_ms);
    advance(2000);
    assert_told("left;");
    assert_int_equal(end(NULL) + begin(NULL), 0);
    (void)tick();
    registry_client_leave(world.client, world.now_ms); /* never was a member */
    assert_told("left;");
}

/* ---- a registry that was restarted ---- */

static void a_restart_of_the_registry_is_not_noticed_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    answer(RENEW, 401, PROBLEM("unauthorized"));
    answer(FIND, 200, INFO("e2")); /* at once */
    assert_non_null(open_call(PUT_NODE));
    assert_true(registry_client_holds(world.client, A, one, world.now_ms)); /* by the old lease */
    answer(PUT_NODE, 200, LEASE("e2", "joining", ""));
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"held\":true"));
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, world.now_ms));
    answer(LIST, 200, MEMBERS("e2", "2", NODE("7", "up") "," NODE("5", "joining")));
    assert_told("up!;up;up 7;");
    advance(0);
    wait_for(RENEW);
    answer(RENEW, 200, LEASE("e2", "up", ""));
    assert_told("");
    for (int i = 0; i < 4; i++) { /* who is not there after a lease is down */
        wait_for(RENEW);
        answer(RENEW, 200, LEASE("e2", "up", ""));
    }
    assert_told("down 1;");
}

static void a_name_that_is_not_confirmed_again_is_lost_with_the_old_lease_test(void **state)
{
    (void)state;
    be_up();
    uint64_t sent_ms = world.now_ms;
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    answer(RENEW, 412, PROBLEM("wrong_epoch"));
    answer(FIND, 200, INFO("e2"));
    answer(PUT_NODE, 200, LEASE("e2", "up", ""));
    world.log[0] = '\0';
    while (world.now_ms < sent_ms + LEASE_MS - MARGIN_MS) {
        if (open_call(CLAIM_A) != NULL)
            fail_call(CLAIM_A);
        if (open_call(RENEW) != NULL)
            answer(RENEW, 200, LEASE("e2", "up", ""));
        uint64_t delay_ms = tick(), left_ms = sent_ms + LEASE_MS - MARGIN_MS - world.now_ms;
        world.now_ms += delay_ms < left_ms ? delay_ms : left_ms;
    }
    assert_false(registry_client_holds(world.client, A, one, world.now_ms));
    (void)tick();
    assert_told("lost a 1;");
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

/* ---- the member list ---- */

static void the_watch_tells_each_event_once_test(void **state)
{
    (void)state;
    be_up();
    answer(WATCH, 200, EVENTS("5", EVENT("4", "joining", NODE("6", "joining")) "," EVENT("5", "up", NODE("6", "up"))));
    assert_told("joining 6;up 6;");
    assert_non_null(strstr(open_call(WATCH)->what, "revision=5"));
    fail_call(WATCH); /* cut: it goes on where it was */
    wait_for(WATCH);
    assert_non_null(strstr(open_call(WATCH)->what, "revision=5"));
    answer(WATCH, 200, EVENTS("6", EVENT("5", "up", NODE("6", "up")) "," EVENT("6", "down", NODE("6", "down"))));
    assert_told("down 6;");
    answer_as(WATCH, 200, EVENTS("7", EVENT("7", "down", NODE("1", "down"))), false);
    assert_told("");
    wait_for(WATCH);
    answer(WATCH, 200, "{\"epoch\":\"e0\",\"revision\":7,\"events\":[]}");
    wait_for(WATCH);
    assert_non_null(strstr(open_call(WATCH)->what, "revision=6"));
}

static void missed_events_are_told_from_the_list_test(void **state)
{
    (void)state;
    be_up();
    answer(WATCH, 412, PROBLEM("wrong_epoch"));
    answer(LIST, 200, MEMBERS("e1", "600", NODE("5", "draining") "," NODE("8", "up")));
    assert_told("draining 5;up 8;down 1;");
    answer(WATCH, 200, EVENTS("602", EVENT("602", "left", NODE("8", "down")))); /* a gap: 601 is missing */
    assert_told("");
    answer(LIST, 503, PROBLEM("no_memory"));
    wait_for(LIST);
    answer(LIST, 200, MEMBERS("e1", "602", NODE("5", "draining")));
    assert_told("down 8;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_joins),
        TEST(finding_is_tried_again_with_backoff),
        TEST(a_node_without_the_secret_is_refused),
        TEST(what_does_not_prove_the_secret_is_no_registry),
        TEST(a_proven_no_is_final),
        TEST(the_registrys_port_belongs_to_another_cluster),
        TEST(renewals_are_tried_again_then_the_registry_is_looked_for),
        TEST(a_lease_that_is_over_is_final),
        TEST(names_are_given_up_before_the_lease_ends),
        TEST(a_node_that_slept_through_its_lease_answers_nothing_from_memory),
        TEST(the_lease_counts_from_when_the_renewal_was_sent),
        TEST(a_call_that_the_driver_forgets_is_ended),
        TEST(a_record_that_is_not_found_good_is_sent_again),
        TEST(a_new_record_is_told_until_it_is_known),
        TEST(draining_is_told_and_asked_for_once),
        TEST(leaving_is_told_and_does_not_wait_for_ever),
        TEST(a_restart_of_the_registry_is_not_noticed),
        TEST(a_name_that_is_not_confirmed_again_is_lost_with_the_old_lease),
        TEST(the_watch_tells_each_event_once),
        TEST(missed_events_are_told_from_the_list),
    };
    return cmocka_run_group_tests_name("registry_client", tests, NULL, NULL);
}
