/* SPDX-License-Identifier: Apache-2.0
 *
 * What a token may do in a session: each operation with and without its grant, and what a refusal gives away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "access/tokens.h"
#include "session_world.h"

static struct access *access_table;
static struct access_token *token;
static char tokens_file[] = "/tmp/troupe-test-XXXXXX";


static void write_file(const char *row)
{
    FILE *file = fopen(tokens_file, "w");
    assert_non_null(file);
    fprintf(file, "%s", row);
    assert_int_equal(fclose(file), 0);
}

/* The session goes on as one of a token with these members in its row. */
static void use_token(const char *members)
{
    char row[1024], words[512] = "", hex[65];
    unsigned char hash[32];
    const char secret[] = "tt_secret";
    tokens_hash(troupe_view_of(secret), hash);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    snprintf(row, sizeof row, "{\"tokens\":[{\"id\":\"web\",\"sha256\":\"%s\",%s}]}", hex, members);
    write_file(row);
    struct access_config config = {.tokens_file = tokens_file};
    if (access_new(&config, &access_table, words, sizeof words) != 0)
        fail_msg("%s", words);
    assert_int_equal(access_identify(access_table, troupe_view_of(secret), false, world.now_ns / 1000000, &token), 0);
    session_gone();
    world.config.token = token;
    open_session();
}

static int open_all(void **state)
{
    (void)state;
    snprintf(tokens_file, sizeof tokens_file, "/tmp/troupe-test-XXXXXX");
    int fd = mkstemp(tokens_file);
    assert_true(fd >= 0);
    close(fd);
    access_table = NULL;
    token = NULL;
    open_world();
    spawn_actor("counter", "c", NULL);
    spawn_actor("topic", "t", NULL);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    close_world();
    access_token_drop(token);
    access_free(access_table);
    unlink(tokens_file);
    return 0;
}

/* Each row has a grant, a frame that it covers, and the bits of all rows whose frames it covers. */
static const struct {
    const char *grant, *frame;
    unsigned covers;
} rows[] = {
    {"message:counter/*", "{'op':'call','id':1,'to':'@c','type':'get'}", 1u << 0 | 1u << 1 | 1u << 2},
    {"message:counter/*:get", "{'op':'call','id':1,'to':'" NODE_TEXT ".1.1','type':'get'}", 1u << 0 | 1u << 1},
    {"message:@c:add", "{'op':'cast','id':1,'to':'@c','type':'add'}", 1u << 2},
    {"message:topic/*", "{'op':'publish','id':1,'to':'@t','type':'x'}", 1u << 3},
    {"spawn:echo/*", "{'op':'spawn','id':1,'behavior':'echo'}", 1u << 4},
    {"stop:@c", "{'op':'stop','id':1,'to':'@c'}", 1u << 5},
    {"read:counter/*", "{'op':'monitor','id':1,'to':'@c'}", 1u << 6},
    {"read:topic/*", "{'op':'subscribe','id':1,'to':'@t'}", 1u << 7},
    {"read", "{'op':'subscribe','id':1,'topic':'cluster'}", 1u << 6 | 1u << 7 | 1u << 8},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void each_operation_needs_its_grant(void **state)
{
    for (unsigned grant = 0; grant < ROWS; grant++) {
        for (unsigned i = 0; i < ROWS; i++) {
            char members[128];
            snprintf(members, sizeof members, "\"grants\":[\"%s\"]", rows[grant].grant);
            close_all(state);
            open_all(state);
            use_token(members);
            SAY("%s", rows[i].frame);
            const char *want = (rows[grant].covers & 1u << i) != 0 ? "\"op\":\"reply\"" : "\"code\":\"forbidden\"";
            if (strstr(hear(), want) == NULL)
                fail_msg("%s with %s: %s", rows[i].frame, rows[grant].grant, world.heard);
        }
    }
}

static void hello_and_ping_need_no_grant(void **state)
{
    (void)state;
    use_token("\"grants\":[]");
    SAY("{'op':'hello'}");
    assert_non_null(strstr(hear(), "welcome"));
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
}

static void a_refusal_does_not_tell_what_is_there(void **state)
{
    char there[1024];
    (void)state;
    use_token("\"grants\":[\"read:echo/*\",\"message:echo/*\"]");
    SAY("{'op':'call','id':1,'to':'@c','type':'get'}");
    snprintf(there, sizeof there, "%s", hear());
    SAY("{'op':'call','id':1,'to':'@nobody','type':'get'}");
    assert_string_equal(hear(), there);
    SAY("{'op':'cast','to':'@c','type':'get'}");
    expect_error("undelivered", NULL, "forbidden", NULL, NULL);
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'call','id':1,'to':'@nobody','type':'get'}");
    answer_question(0, TROUPE_E_NOT_FOUND, (troupe_ref){0});
    assert_string_equal(hear(), there);
    SAY("{'op':'stop','id':1,'to':'@c'}"); /* without any grant to stop, the registry is not asked */
    HEAR_ERROR("1", "forbidden", NULL, NULL);
    assert_int_equal(world.finds, 1);
}

static void spawns_keep_to_the_prefix(void **state)
{
    (void)state;
    use_token("\"grants\":[\"spawn:echo/*\"],\"name_prefix\":\"web-\"");
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'web-1'}");
    assert_non_null(strstr(hear(), "\"name\":\"web-1\""));
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'other'}");
    HEAR_ERROR("1", "forbidden", "name", "name_prefix");
    SAY("{'op':'spawn','id':1,'behavior':'counter','name':'web-2'}");
    HEAR_ERROR("1", "forbidden", NULL, NULL);
}

static void the_holder_of_a_taken_name_may_be_hidden(void **state)
{
    (void)state;
    use_token("\"grants\":[\"spawn:echo/*\"]");
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'c','if_exists':'return'}");
    HEAR_ERROR("1", "name_taken", "name", "may not see");
    assert_null(strstr(world.heard, "\"actor\""));
}

static void the_rate_of_the_token_holds(void **state)
{
    (void)state;
    use_token("\"grants\":[\"*\"],\"rate\":5");
    unsigned limited = 0;
    for (unsigned i = 0; i < 50; i++) {
        SAY("{'op':'ping'}");
        limited += strstr(hear(), "rate_limited") != NULL;
    }
    assert_in_range(limited, 30, 45);
    pass_ms(10000);
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
}

static void sessions_of_a_token_are_counted(void **state)
{
    struct session *second;
    (void)state;
    use_token("\"grants\":[\"*\"],\"connections_max\":1");
    assert_int_equal(session_new(&world.config, 0, &second), TROUPE_E_LIMIT);
    session_gone();
    open_session();
}

static void a_token_that_is_taken_away_ends_its_sessions(void **state)
{
    char words[256];
    (void)state;
    use_token("\"grants\":[\"*\"]");
    session_tick(world.session, world.now_ns / 1000000);
    silence();
    write_file("{\"tokens\":[]}");
    assert_int_equal(access_reload(access_table, words, sizeof words), 0);
    session_tick(world.session, world.now_ns / 1000000);
    expect_close(1008);
    HEAR_ERROR(NULL, "unauthorized", NULL, "not valid any more");
    session_tick(world.session, world.now_ns / 1000000);
    silence();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(each_operation_needs_its_grant),
        T(hello_and_ping_need_no_grant),
        T(a_refusal_does_not_tell_what_is_there),
        T(spawns_keep_to_the_prefix),
        T(the_holder_of_a_taken_name_may_be_hidden),
        T(the_rate_of_the_token_holds),
        T(sessions_of_a_token_are_counted),
        T(a_token_that_is_taken_away_ends_its_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
