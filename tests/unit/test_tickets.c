/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets: good once, for 30 seconds, bounded, and never more than their token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "access/access.h"
#include "access/grants.h"
#include "access/tickets.h"
#include "access/tokens.h"
#include "random_input.h"

struct world {
    char path[64];
    struct access *access;
    struct access_token *token;
};

static void write_file(const struct world *world, const char *grants)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    FILE *file = fopen(world->path, "w");
    assert_non_null(file);
    tokens_hash(troupe_view_of("tt_web"), hash);
    fprintf(file, "{\"tokens\":[");
    if (grants != NULL) {
        fprintf(file, "{\"id\":\"web\",\"connections_max\":1,\"grants\":%s,\"sha256\":\"", grants);
        for (unsigned byte = 0; byte < sizeof hash; byte++)
            fprintf(file, "%02x", hash[byte]);
        fprintf(file, "\"}");
    }
    fprintf(file, "]}\n");
    assert_int_equal(fclose(file), 0);
}

static void open_world(struct world *world)
{
    char words[512];
    strcpy(world->path, "/tmp/troupe-test-tickets-XXXXXX");
    int fd = mkstemp(world->path);
    assert_true(fd >= 0);
    close(fd);
    write_file(world, "[\"read\",\"message:counter/*\"]");
    const struct access_config config = {.tokens_file = world->path};
    assert_int_equal(access_new(&config, &world->access, words, sizeof words), 0);
    assert_int_equal(access_identify(world->access, troupe_view_of("tt_web"), false, 0, &world->token), 0);
}

static void close_world(struct world *world)
{
    access_token_drop(world->token);
    access_free(world->access);
    unlink(world->path);
}

static struct access_token *redeem(struct world *world, const char *ticket, uint64_t now_ms)
{
    struct access_token *token = NULL;
    int error = access_identify(world->access, troupe_view_of(ticket), true, now_ms, &token);
    assert_int_equal(error, token != NULL ? 0 : TROUPE_E_UNAUTHORIZED);
    return token;
}

static int issue(struct world *world, const char *grant, uint64_t now_ms, char ticket[static TICKET_TEXT_BYTES])
{
    struct grants grants = {0};
    const char *words;
    if (grant != NULL)
        assert_int_equal(grants_add(&grants, troupe_view_of(grant), &words), 0);
    int error = access_issue_ticket(world->access, world->token, grant != NULL ? &grants : NULL, now_ms, ticket);
    assert_int_equal(grants.count, 0); /* taken */
    return error;
}

static bool allows(const struct access_token *token, enum access_scope scope, const char *behavior)
{
    const struct access_target target = {.behavior = troupe_view_of(behavior)};
    return access_allows(token, scope, &target);
}

static void a_ticket_is_good_once_test(void **state)
{
    struct world world;
    char ticket[TICKET_TEXT_BYTES], other[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, NULL, 1000, ticket), 0);
    assert_int_equal(issue(&world, NULL, 1000, other), 0);
    assert_int_equal(strlen(ticket), 46);
    assert_int_equal(strspn(ticket + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_memory_equal(ticket, "tk_", 3);
    assert_string_not_equal(ticket, other);
    struct access_token *token = NULL; /* where no ticket may be, it is none, and stays good */
    assert_int_equal(access_identify(world.access, troupe_view_of(ticket), false, 1000, &token), TROUPE_E_UNAUTHORIZED);
    assert_null(token);
    token = redeem(&world, ticket, 1000);
    assert_ptr_equal(token, world.token);
    access_token_drop(token);
    assert_null(redeem(&world, ticket, 1000));
    assert_non_null(token = redeem(&world, other, 1000));
    access_token_drop(token);
    close_world(&world);
}

static void a_ticket_is_good_for_30_seconds_test(void **state)
{
    struct world world;
    char early[TICKET_TEXT_BYTES], late[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, NULL, 1000, early), 0);
    assert_int_equal(issue(&world, NULL, 1001, late), 0);
    assert_null(redeem(&world, early, 1000 + TICKET_TTL_MS));
    struct access_token *token = redeem(&world, late, 1000 + TICKET_TTL_MS);
    assert_non_null(token);
    access_token_drop(token);
    close_world(&world);
}

static void what_is_nearly_a_ticket_is_none_test(void **state)
{
    struct world world;
    char ticket[TICKET_TEXT_BYTES + 1];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, NULL, 0, ticket), 0);
    for (size_t i = 0; i < TICKET_TEXT_BYTES - 1; i++) {
        char kept = ticket[i];
        ticket[i] = kept == 'A' ? 'B' : 'A';
        assert_null(redeem(&world, ticket, 0));
        ticket[i] = '\0';
        assert_null(redeem(&world, ticket, 0));
        ticket[i] = kept;
    }
    strcat(ticket, "A");
    assert_null(redeem(&world, ticket, 0));
    close_world(&world);
}

static void a_ticket_may_do_less_and_never_more_than_its_token_test(void **state)
{
    static const struct { const char *grant; bool reads_counter, reads_echo, messages_counter, stops; } rows[] = {
        {NULL, true, true, true, false}, {"*", true, true, true, false}, {"read:counter/*", true, false, false, false},
        {"read", true, true, false, false}, {"message", false, false, true, false},
        {"stop", false, false, false, false},
    };
    struct world world;
    (void)state;
    open_world(&world);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char ticket[TICKET_TEXT_BYTES];
        assert_int_equal(issue(&world, rows[i].grant, 0, ticket), 0);
        struct access_token *token = redeem(&world, ticket, 0);
        assert_int_equal(allows(token, ACCESS_READ, "counter"), rows[i].reads_counter);
        assert_int_equal(allows(token, ACCESS_READ, "echo"), rows[i].reads_echo);
        assert_int_equal(allows(token, ACCESS_MESSAGE, "counter"), rows[i].messages_counter);
        assert_false(allows(token, ACCESS_MESSAGE, "echo"));
        assert_int_equal(allows(token, ACCESS_STOP, "counter"), rows[i].stops);
        assert_true(troupe_view_equal(access_subject(token), troupe_view_of("web")));
        access_token_drop(token);
    }
    close_world(&world);
}

static void connections_by_ticket_count_for_the_token_test(void **state)
{
    struct world world;
    char ticket[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, "read", 0, ticket), 0);
    struct access_token *token = redeem(&world, ticket, 0);
    assert_true(access_connection_enter(token));
    assert_false(access_connection_enter(world.token));
    access_connection_leave(token);
    assert_true(access_connection_enter(world.token));
    access_connection_leave(world.token);
    access_token_drop(token);
    close_world(&world);
}

static void a_ticket_gives_no_ticket_test(void **state)
{
    struct world world;
    struct grants grants = {0};
    const char *words;
    char ticket[TICKET_TEXT_BYTES], next[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, "read", 0, ticket), 0);
    struct access_token *token = redeem(&world, ticket, 0);
    assert_int_equal(access_issue_ticket(world.access, token, NULL, 0, next), TROUPE_E_FORBIDDEN);
    assert_int_equal(grants_add(&grants, troupe_view_of("read"), &words), 0);
    assert_int_equal(access_issue_ticket(world.access, token, &grants, 0, next), TROUPE_E_FORBIDDEN);
    assert_int_equal(grants.count, 0); /* taken */
    access_token_drop(token);
    close_world(&world);
}

/* A token in a URL would end up in logs, so where a ticket stands only a ticket is taken. */
static void a_token_is_no_ticket_test(void **state)
{
    struct world world;
    struct access_token *token = NULL;
    (void)state;
    open_world(&world);
    assert_int_equal(access_identify(world.access, troupe_view_of("tt_web"), true, 0, &token), TROUPE_E_UNAUTHORIZED);
    assert_null(token);
    close_world(&world);
}

static void a_ticket_ends_with_its_token_test(void **state)
{
    struct world world;
    char ticket[TICKET_TEXT_BYTES], used[TICKET_TEXT_BYTES], words[512];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, "read", 0, ticket), 0);
    assert_int_equal(issue(&world, "read", 0, used), 0);
    struct access_token *token = redeem(&world, used, 0);
    assert_true(allows(token, ACCESS_READ, "counter"));
    write_file(&world, NULL);
    assert_int_equal(access_reload(world.access, words, sizeof words), 0);
    assert_null(redeem(&world, ticket, 0));
    assert_false(allows(token, ACCESS_READ, "counter"));
    access_token_drop(token);
    close_world(&world);
}

static void a_token_has_so_many_open_tickets_test(void **state)
{
    struct world world;
    char ticket[TICKET_TEXT_BYTES], first[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(issue(&world, NULL, 0, first), 0);
    for (unsigned i = 1; i < TICKETS_PER_TOKEN_MAX; i++)
        assert_int_equal(issue(&world, NULL, 0, ticket), 0);
    assert_int_equal(issue(&world, "read", 0, ticket), TROUPE_E_LIMIT);
    access_token_drop(redeem(&world, first, 0)); /* a used one makes room */
    assert_int_equal(issue(&world, NULL, 0, ticket), 0);
    assert_int_equal(issue(&world, NULL, 0, ticket), TROUPE_E_LIMIT);
    assert_int_equal(issue(&world, NULL, TICKET_TTL_MS, ticket), 0); /* and so do late ones */
    close_world(&world);
}

static void a_node_has_so_many_open_tickets_test(void **state)
{
    struct world world;
    struct tickets *tickets;
    unsigned open[TICKETS_MAX / TICKETS_PER_TOKEN_MAX + 1] = {0};
    char ticket[TICKET_TEXT_BYTES];
    (void)state;
    open_world(&world);
    assert_int_equal(tickets_new(&tickets), 0);
    for (unsigned i = 0; i < TICKETS_MAX; i++)
        assert_int_equal(tickets_issue(tickets, world.token, &open[i / TICKETS_PER_TOKEN_MAX], 0, ticket), 0);
    assert_int_equal(tickets_issue(tickets, world.token, &open[TICKETS_MAX / TICKETS_PER_TOKEN_MAX], 0, ticket),
                     TROUPE_E_LIMIT);
    assert_int_equal(tickets_count(tickets), TICKETS_MAX);
    tickets_free(tickets);
    assert_int_equal(open[0], 0);
    tickets_free(NULL);
    close_world(&world);
}

/* Any order of making, using and waiting, against a plain list: the index keeps in step with the places. */
static void tickets_come_and_go_in_any_order_test(void **state)
{
    enum { KEPT = 64, STEPS = 100000 };
    struct world world;
    struct tickets *tickets;
    unsigned open = 0, good = 0;
    char kept[KEPT][TICKET_TEXT_BYTES] = {{0}};
    uint64_t until_ms[KEPT] = {0}, now_ms = 0, seed = random_seed(), random = seed;
    (void)state;
    open_world(&world);
    assert_int_equal(tickets_new(&tickets), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t at = random_below(&random, KEPT);
        struct access_token *token;
        if (until_ms[at] == 0) {
            assert_int_equal(tickets_issue(tickets, world.token, &open, now_ms, kept[at]), 0);
            until_ms[at] = now_ms + TICKET_TTL_MS;
        } else {
            int error = tickets_redeem(tickets, troupe_view_of(kept[at]), now_ms, &token);
            if (error != (until_ms[at] > now_ms ? 0 : TROUPE_E_UNAUTHORIZED))
                fail_msg("seed %llu, step %u", (unsigned long long)seed, i);
            if (error == 0)
                access_token_drop(token);
            good += error == 0;
            until_ms[at] = 0;
        }
        now_ms += random_below(&random, 1000);
    }
    assert_in_range(good, 100, STEPS);
    tickets_free(tickets);
    assert_int_equal(open, 0);
    close_world(&world);
}

/* Two threads that have the same ticket: one of them is let in. */
struct race {
    struct world *world;
    char (*list)[TICKET_TEXT_BYTES];
    unsigned won;
};
enum { RACES = 500 };

static void *redeem_all(void *user)
{
    struct race *race = user;
    for (unsigned i = 0; i < RACES; i++) {
        struct access_token *token = NULL;
        if (access_identify(race->world->access, troupe_view_of(race->list[i]), true, 0, &token) == 0)
            race->won++;
        access_token_drop(token);
    }
    return NULL;
}

static void a_ticket_is_good_once_for_many_threads_test(void **state)
{
    static char list[RACES][TICKET_TEXT_BYTES];
    struct world world;
    struct race races[3];
    pthread_t threads[3];
    unsigned won = 0;
    (void)state;
    open_world(&world);
    for (unsigned i = 0; i < RACES; i++)
        assert_int_equal(issue(&world, i % 2 == 0 ? "read" : NULL, 0, list[i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        races[i] = (struct race){.world = &world, .list = list};
        assert_int_equal(pthread_create(&threads[i], NULL, redeem_all, &races[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        won += races[i].won;
    }
    assert_int_equal(won, RACES);
    close_world(&world);
}

static void a_node_without_tokens_gives_tickets_that_nobody_looks_at_test(void **state)
{
    struct access *access;
    struct access_token *token;
    char ticket[TICKET_TEXT_BYTES], words[512];
    const struct access_config config = {0};
    (void)state;
    assert_int_equal(access_new(&config, &access, words, sizeof words), 0);
    assert_int_equal(access_issue_ticket(access, NULL, NULL, 0, ticket), 0);
    assert_int_equal(strlen(ticket), TICKET_TEXT_BYTES - 1);
    assert_int_equal(access_identify(access, troupe_view_of(ticket), true, 0, &token), 0);
    assert_int_equal(access_identify(access, troupe_view_of(ticket), true, 0, &token), 0);
    assert_null(token);
    access_free(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_good_once_test), cmocka_unit_test(a_ticket_is_good_for_30_seconds_test),
        cmocka_unit_test(what_is_nearly_a_ticket_is_none_test),
        cmocka_unit_test(a_ticket_may_do_less_and_never_more_than_its_token_test),
        cmocka_unit_test(connections_by_ticket_count_for_the_token_test),
        cmocka_unit_test(a_ticket_gives_no_ticket_test), cmocka_unit_test(a_token_is_no_ticket_test),
        cmocka_unit_test(a_ticket_ends_with_its_token_test), cmocka_unit_test(a_token_has_so_many_open_tickets_test),
        cmocka_unit_test(a_node_has_so_many_open_tickets_test),
        cmocka_unit_test(tickets_come_and_go_in_any_order_test),
        cmocka_unit_test(a_ticket_is_good_once_for_many_threads_test),
        cmocka_unit_test(a_node_without_tokens_gives_tickets_that_nobody_looks_at_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
