/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of the client of the registry: reserved, claimed, released, asked for, one by one and in batches. */
#include "registry_client_world.h"

/* ---- names ---- */

static void a_spawn_reserves_then_claims_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    assert_null(strstr(open_call(CLAIM_A)->body, "\"ref\""));
    answer(CLAIM_A, 200, "{}");
    assert_told("1 yes 0;");
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    assert_int_equal(registry_client_claim(world.client, 2, A, one, world.now_ms), 0);
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"ref\":\"n.0000000000005.1.1\""));
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    assert_told("2 yes 1;");
    assert_null(open_call(CLAIM_A));
    assert_int_equal(registry_client_claim(world.client, 3, A, two, world.now_ms), 0); /* known without asking */
    assert_told("3 name_taken 1;");
    (void)registry_client_named(world.client, A, two, false, world.now_ms); /* not the holder: nothing */
    assert_null(open_call(RELEASE_A));
    (void)registry_client_named(world.client, A, one, false, world.now_ms);
    assert_non_null(strstr(open_call(RELEASE_A)->what, "?ref=n.0000000000005.1.1&seq="));
    answer(RELEASE_A, 204, "");
    assert_false(registry_client_holds(world.client, A, one, world.now_ms));
}

static void a_name_of_another_is_refused_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms); /* taken inside a turn */
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\",\"actor\":\"n.0000000000006.1.1\"}");
    assert_told("lost a 1;");
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\"}"); /* reserved */
    assert_told("1 name_taken 0;");
    assert_int_equal(registry_client_claim(world.client, 2, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 503, PROBLEM("registry_lost"));
    assert_told("2 registry_lost 0;");
    assert_int_equal(registry_client_claim(world.client, 3, A, (troupe_ref){0}, world.now_ms), 0);
    wait_for(CLAIM_A);
    answer(CLAIM_A, 429, PROBLEM("limit"));
    assert_told("3 limit 0;");
}

/* The registry has what nobody here holds any more: it is released by identity, and asked for again. */
static void a_name_that_was_left_behind_is_released_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\",\"actor\":\"n.0000000000005.9.1\"}");
    assert_non_null(strstr(open_call(RELEASE_A)->what, "ref=n.0000000000005.9.1"));
    answer(RELEASE_A, 404, PROBLEM("not_found"));
    answer(CLAIM_A, 200, "{}");
    assert_told("1 yes 0;");
}

static void a_call_without_answer_is_made_again_above_its_floor_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"seq\":1,\"floor\":1"));
    fail_call(CLAIM_A);
    (void)registry_client_named(world.client, A, one, false, world.now_ms);
    wait_for(RELEASE_A);
    assert_non_null(strstr(open_call(RELEASE_A)->what, "seq=2&floor=2"));
    answer_as(RELEASE_A, 204, "", false);
    wait_for(RELEASE_A);
    answer(RELEASE_A, 503, PROBLEM("no_memory"));
    wait_for(RELEASE_A);
    answer(RELEASE_A, 401, PROBLEM("replayed"));
    wait_for(RELEASE_A);
    answer(RELEASE_A, 204, "");
    assert_told("");
    (void)tick();
    assert_null(open_call(RELEASE_A));
}

static void finds_are_answered_in_every_case_test(void **state)
{
    static const struct {
        unsigned status;
        const char *body, *told;
        bool is_proven;
    } cases[] = {
        {200, "{\"name\":\"a\",\"ref\":\"n.0000000000006.1.1\"}", "1 yes 1;", true},
        {404, PROBLEM("not_found"), "1 not_found 0;", true},
        {503, PROBLEM("registry_lost"), "1 registry_lost 0;", true},
        {200, "{\"name\":\"a\",\"ref\":\"n.0000000000006.1.1\"}", "1 registry_lost 0;", false},
        {200, "{\"ref\":\"x\"}", "1 registry_lost 0;", true},
        {410, PROBLEM("not_member"), "1 registry_lost 0;", true},
    };
    (void)state;
    be_up();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(registry_client_find(world.client, 1, A, world.now_ms), 0);
        answer_as(LOOKUP_A, cases[i].status, cases[i].body, cases[i].is_proven);
        assert_told(cases[i].told);
    }
}

static void a_question_is_answered_by_its_deadline_test(void **state)
{
    (void)state;
    (void)tick();
    /* Before the registry is found. */
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), 0);
    assert_int_equal(registry_client_find(world.client, 2, A, world.now_ms), 0);
    advance(4999);
    world.log[0] = '\0';
    advance(1);
    assert_told("1 registry_lost 0;2 registry_lost 0;");
    assert_int_equal(registry_client_find(world.client, 3, (troupe_view){"", 0}, world.now_ms), TROUPE_E_INVALID);
    for (unsigned i = 0; i < CLIENT_NAME_QUEUE_MAX; i++)
        assert_int_equal(registry_client_find(world.client, 4, A, world.now_ms), 0);
    assert_int_equal(registry_client_find(world.client, 4, A, world.now_ms), TROUPE_E_LIMIT);
    world.log[0] = '\0';
}

static void name_calls_are_at_most_so_many_and_one_for_each_name_test(void **state)
{
    (void)state;
    be_up();
    unsigned before = world.count;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(registry_client_claim(world.client, i, A, (troupe_ref){0}, world.now_ms), 0);
    assert_int_equal(world.count, before + 1);
    for (uint64_t i = 3; i < 40; i++)
        assert_int_equal(registry_client_find(world.client, i, A, world.now_ms), 0);
    assert_int_equal(world.count, before + CLIENT_NAME_CALLS_MAX);
    int claims = 0;
    for (int i = 0; i < 40; i++) {
        bool is_claim = open_call(CLAIM_A) != NULL;
        answer(is_claim ? CLAIM_A : LOOKUP_A, is_claim ? 200 : 404, is_claim ? "{}" : PROBLEM("not_found"));
        claims += is_claim;
        assert_true(i < 8 || claims == 3); /* neither kind starves the other */
    }
    assert_int_equal(world.count, before);
}

/* Actors of this node take names so quickly that those behind the first four go together. */
static void take_names(const char *names)
{
    for (; *names != '\0'; names++)
        assert_int_equal(registry_client_named(world.client, (troupe_view){names, 1}, one, true, world.now_ms), 0);
}

#define CLAIM_B "PUT /v1/registry/names/b"
#define CLAIM_C "PUT /v1/registry/names/c"
#define CLAIM_D "PUT /v1/registry/names/d"

static bool holds(char name) { return registry_client_holds(world.client, (troupe_view){&name, 1}, one, world.now_ms); }

static void a_batch_tells_which_names_are_refused_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    assert_null(open_call(BATCH));
    answer(CLAIM_A, 200, "{}");
    assert_int_equal(open_call(BATCH)->names, 4);
    answer(BATCH, 200, "{\"refused\":[{\"name\":\"e\",\"code\":\"name_taken\",\"actor\":\"n.0000000000006.1.1\"},"
                       "{\"name\":\"f\",\"code\":\"registry_lost\"},{\"name\":\"b\",\"code\":\"name_taken\"},"
                       "{\"name\":\"z\",\"code\":\"name_taken\"},{\"code\":\"name_taken\"},7]}");
    assert_told("lost e 1;"); /* b has a call of its own, z nobody has heard of */
    assert_false(holds('f'));
    assert_true(holds('g') && holds('h'));
    answer(CLAIM_B, 200, "{}");
    answer(CLAIM_C, 200, "{}");
    answer(CLAIM_D, 200, "{}");
    wait_for("PUT /v1/registry/names/f");
    answer("PUT /v1/registry/names/f", 200, "{}");
    assert_true(holds('b') && holds('f'));
}

static void names_are_given_back_in_batches_too_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    for (const char *what = CLAIM_A; what != NULL; what = open_call(CLAIM_B) != NULL ? CLAIM_B : NULL)
        answer(what, 200, "{}");
    answer(BATCH, 200, "{\"refused\":[]}");
    for (const char *name = "efgh"; *name != '\0'; name++)
        (void)registry_client_named(world.client, (troupe_view){name, 1}, one, false, world.now_ms);
    take_names("i");
    answer(CLAIM_C, 200, "{}");
    const struct call *batch = open_call(BATCH);
    assert_non_null(batch);
    assert_non_null(strstr(batch->body, "\"release\":[{\"name\":"));
    answer(BATCH, 200, "{\"refused\":[]}");
    assert_false(holds('g') || holds('h'));
    assert_told("");
}

static void a_batch_without_answer_is_asked_again_above_its_floor_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    answer(CLAIM_A, 200, "{}");
    answer(CLAIM_B, 200, "{}");
    answer(CLAIM_C, 200, "{}");
    answer(CLAIM_D, 200, "{}");
    assert_non_null(strstr(open_call(BATCH)->body, "\"seq\":5,\"floor\":2"));
    fail_call(BATCH);
    assert_false(holds('e'));
    wait_for(BATCH);
    assert_int_equal(open_call(BATCH)->names, 4);
    assert_non_null(strstr(open_call(BATCH)->body, "\"seq\":6,\"floor\":6"));
    answer_as(BATCH, 200, "{\"refused\":[]}", false); /* not proven: nothing is known */
    assert_false(holds('e'));
    wait_for(BATCH);
    answer_as(BATCH, 413, PROBLEM("too_large"), false); /* the registry's node takes small bodies only */
    while (!holds('e') || !holds('h')) {
        wait_for(BATCH);
        assert_true(open_call(BATCH)->names <= CLIENT_BATCH_NAMES / 2);
        answer(BATCH, 200, "{\"refused\":[]}");
    }
}

/* By a call for each, sixteen at a time, this would take longer than the lease. */
static void a_hundred_thousand_names_are_claimed_again_within_the_lease_test(void **state)
{
    enum { NAMES = 100000, CALLS = NAMES / CLIENT_BATCH_NAMES + 16 };
    unsigned calls = 0, held = 0;
    char name[16];
    (void)state;
    be_up();
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "name-%u", i);
        assert_int_equal(registry_client_named(world.client, troupe_view_of(name), one, true, world.now_ms), 0);
    }
    for (const struct call *call; (call = open_name_call()) != NULL; calls++)
        answer(call->what, 200, "{\"refused\":[]}");
    assert_in_range(calls, NAMES / CLIENT_BATCH_NAMES, CALLS);
    wait_for(RENEW);
    answer(RENEW, 412, PROBLEM("wrong_epoch"));
    answer(FIND, 200, INFO("e2"));
    answer(PUT_NODE, 200, LEASE("e2", "up", ""));
    calls = 0;
    for (const struct call *call; (call = open_name_call()) != NULL; calls++) {
        held += call->held;
        answer(call->what, 200, "{\"refused\":[]}");
    }
    assert_in_range(calls, NAMES / CLIENT_BATCH_NAMES, CALLS);
    assert_int_equal(held, NAMES);
    world.log[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_spawn_reserves_then_claims),
        TEST(a_name_of_another_is_refused),
        TEST(a_name_that_was_left_behind_is_released),
        TEST(a_call_without_answer_is_made_again_above_its_floor),
        TEST(finds_are_answered_in_every_case),
        TEST(a_question_is_answered_by_its_deadline),
        TEST(name_calls_are_at_most_so_many_and_one_for_each_name),
        TEST(a_batch_tells_which_names_are_refused),
        TEST(names_are_given_back_in_batches_too),
        TEST(a_batch_without_answer_is_asked_again_above_its_floor),
        TEST(a_hundred_thousand_names_are_claimed_again_within_the_lease),
    };
    return cmocka_run_group_tests_name("registry_client_names", tests, NULL, NULL);
}
