/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of tokens, strictly read; and tokens that live through reloads of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "access/access.h"
#include "access/tokens.h"
#include "base/clock.h"

#define WEB "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OPS "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int parse(const char *text, struct tokens *tokens, char words[static 512])
{
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, text, len);
    int error = tokens_parse("tokens.json", exact, len, tokens, words, 512);
    free(exact);
    return error;
}

static void a_row_has_what_the_file_says_test(void **state)
{
    struct tokens tokens;
    char words[512] = "";
    (void)state;
    assert_int_equal(parse("{\"tokens\":[{\"id\":\"web\",\"sha256\":\"" WEB "\",\"subject\":\"the web\","
                           "\"grants\":[\"read\",\"message:counter/*:add\"],\"name_prefix\":\"web-\",\"rate\":100,\"connections_max\":7,"
                           "\"expires_at\":\"2027-01-31T12:00:00Z\"},{\"id\":\"ops\",\"sha256\":\"" OPS "\"}]}",
                           &tokens, words), 0);
    assert_int_equal(tokens.count, 2);
    const struct token_row *web = tokens.rows[0], *ops = tokens.rows[1]; /* by hash */
    assert_string_equal(web->id, "web");
    assert_string_equal(web->subject, "the web");
    assert_string_equal(web->name_prefix, "web-");
    assert_int_equal(web->rate, 100);
    assert_int_equal(web->connections_max, 7);
    assert_int_equal(web->expires_wall_ms, 1801396800000);
    assert_int_equal(web->grants.count, 2);
    assert_int_equal(web->hash[31], 0xaa);
    assert_string_equal(ops->subject, "ops");
    assert_int_equal(ops->rate + ops->connections_max + ops->grants.count + (unsigned)ops->expires_wall_ms, 0);
    tokens_fini(&tokens);
    assert_int_equal(parse("{\"tokens\":[]}", &tokens, words), 0);
    assert_int_equal(tokens.count, 0);
    tokens_fini(&tokens);
}

#define ROW(more) "{\"tokens\":[{\"id\":\"web\",\"sha256\":\"" WEB "\"" more "}]}"
#define SECRET "tt_MySecretTokenThatMustNotBeShownAnywhere0123"

static void what_is_wrong_is_told_with_its_place_test(void **state)
{
    static const struct { const char *text, *words; } rows[] = {
        {"", "line 1"}, {"{", "this is not JSON"}, {"{\"tokens\":[]}x", "this is not JSON"}, {"[]", "\"tokens\""},
        {"{}", "\"tokens\""}, {"{\"tokens\":{}}", "\"tokens\""}, {"{\"tokens\":[],\"x\":1}", "\"tokens\""},
        {"{\"tokens\":[],\n\"tokens\":[]}", "line 2: a member comes twice"}, {"{\"tokens\":[1]}", "row 1, the row"},
        {"{\"tokens\":[{}]}", "row 1, id"}, {"{\"tokens\":[{\"id\":\"\"}]}", "row 1, id"},
        {"{\"tokens\":[{\"id\":\"a b\"}]}", "row 1, id"}, {"{\"tokens\":[{\"id\":1}]}", "row 1, id"},
        {"{\"tokens\":[{\"id\":\"web\"}]}", "row 1 (web), sha256"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":\"\"}]}", "row 1 (web), sha256"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":1}]}", "row 1 (web), sha256"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":\"" SECRET "\"}]}", "never the token itself"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":\"g" WEB "\"}]}", "row 1 (web), sha256"},
        {ROW(",\"grants\":\"read\""), "row 1 (web), grants:"}, {ROW(",\"grants\":[\"read\",1]"), "grants[1]"},
        {ROW(",\"grants\":[\"reed\"]"), "grants[0]: the scope"}, {ROW(",\"grants\":[\"" SECRET "\"]"), "grants[0]"},
        {ROW(",\"grants\":null"), "grants"}, {ROW(",\"subject\":\"\""), "subject"}, {ROW(",\"subject\":1"), "subject"},
        {ROW(",\"subject\":\"a\\nb\""), "subject"}, {ROW(",\"name_prefix\":\"\""), "name_prefix"},
        {ROW(",\"rate\":0"), "rate"}, {ROW(",\"rate\":1.5"), "rate"}, {ROW(",\"rate\":\"9\""), "rate"},
        {ROW(",\"rate\":1000001"), "rate"}, {ROW(",\"connections_max\":-1"), "connections_max"},
        {ROW(",\"expires_at\":\"tomorrow\""), "expires_at"}, {ROW(",\"expires_at\":1801396800"), "expires_at"},
        {ROW(",\"expires_at\":\"2027-02-29T00:00:00Z\""), "expires_at"},
        {ROW(",\"secret\":\"" SECRET "\""), "a member that is none of"}, {ROW(",\"" SECRET "\":1"), "is none of"},
        {ROW(",\"subject\":" SECRET), "line 1, column"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":\"" WEB "\"},{\"id\":\"web\",\"sha256\":\"" OPS "\"}]}",
         "two rows have the id web"},
        {"{\"tokens\":[{\"id\":\"web\",\"sha256\":\"" WEB "\"},{\"id\":\"ops\",\"sha256\":\"" WEB "\"}]}",
         "the same sha256"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokens tokens;
        char words[512] = "";
        if (parse(rows[i].text, &tokens, words) != TROUPE_E_INVALID || strstr(words, rows[i].words) == NULL)
            fail_msg("%s: %s", rows[i].text, words);
        assert_non_null(strstr(words, "tokens.json: "));
        if (strstr(words, "Secret") != NULL)
            fail_msg("a secret is shown: %s", words);
    }
}

static void every_cut_and_every_flip_is_refused_or_read_test(void **state)
{
    static const char text[] = ROW(",\"grants\":[\"message:c%3A*/k:*\"],\"expires_at\":\"2027-01-31T12:00:00+01:00\"");
    char copy[sizeof text];
    struct tokens tokens;
    char words[512];
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        assert_int_not_equal(parse(copy, &tokens, words), 0);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, text, sizeof text);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            if (parse(copy, &tokens, words) == 0)
                tokens_fini(&tokens);
        }
    }
}

static void moments_are_read_test(void **state)
{
    static const struct { const char *text; uint64_t ms; } rows[] = {
        {"1970-01-01T00:00:00Z", 0}, {"2000-02-29T23:59:59.5Z", 951868799500},
        {"2026-11-22T15:00:00.1239z", 1795359600123},
        {"2026-11-22t16:00:00+01:00", 1795359600000}, {"2026-11-22T14:30:00-00:30", 1795359600000},
        {"2100-03-01T00:00:00Z", 4107542400000},
    };
    static const char *const bad[] = {
        "", "2026", "2026-11-22", "2026-11-22 15:00:00Z", "2026-11-22T15:00:00", "2026-13-22T15:00:00Z",
        "2026-00-22T15:00:00Z", "2026-11-31T15:00:00Z", "2026-11-00T15:00:00Z", "2100-02-29T15:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T15:60:00Z", "2026-11-22T15:00:00.Z", "2026-11-22T15:00:00+1:00",
        "2026-11-22T15:00:00+01:60", "2026-11-22T15:00:00Zx", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
        "+026-11-22T15:00:00Z",
    };
    uint64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(clock_parse(rows[i].text, &ms));
        assert_int_equal(ms, rows[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (clock_parse(bad[i], &ms))
            fail_msg("%s was read", bad[i]);
    }
    for (uint64_t day = 0; day < 100000; day++) {
        char text[CLOCK_TEXT_BYTES];
        clock_format(day * 86400000 + 12345678, text);
        assert_true(clock_parse(text, &ms));
        assert_int_equal(ms, day * 86400000 + 12345678);
    }
}

/* ---- tokens that live ---- */

static uint64_t wall_ms = 1000000;

static uint64_t read_wall(void) { return wall_ms; }

struct world {
    char path[64];
    struct access *access;
};

static const char web_secret[] = "tt_web", ops_secret[] = "tt_ops";

/* A row of a file: the id, which is the end of the secret too, and more members. */
static void write_file(const struct world *world, const char *rows[][2])
{
    FILE *file = fopen(world->path, "w");
    assert_non_null(file);
    fprintf(file, "{\"tokens\":[");
    for (unsigned i = 0; rows[i][0] != NULL; i++) {
        unsigned char hash[TOKEN_HASH_BYTES];
        char secret[32];
        snprintf(secret, sizeof secret, "tt_%s", rows[i][0]);
        tokens_hash(troupe_view_of(secret), hash);
        fprintf(file, "%s{\"id\":\"%s\",\"sha256\":\"", i > 0 ? "," : "", rows[i][0]);
        for (unsigned byte = 0; byte < sizeof hash; byte++)
            fprintf(file, "%02x", hash[byte]);
        fprintf(file, "\"%s}", rows[i][1]);
    }
    fprintf(file, "]}\n");
    assert_int_equal(fclose(file), 0);
}

static void open_world(struct world *world, const char *rows[][2])
{
    char words[512] = "";
    strcpy(world->path, "/tmp/troupe-test-tokens-XXXXXX");
    int fd = mkstemp(world->path);
    assert_true(fd >= 0);
    close(fd);
    write_file(world, rows);
    const struct access_config config = {.tokens_file = world->path, .wall_ms = read_wall};
    assert_int_equal(access_new(&config, &world->access, words, sizeof words), 0);
    assert_true(access_is_on(world->access));
}

static void close_world(struct world *world)
{
    access_free(world->access);
    unlink(world->path);
}

static void reload(struct world *world, const char *rows[][2])
{
    char words[512];
    write_file(world, rows);
    assert_int_equal(access_reload(world->access, words, sizeof words), 0);
}

static struct access_token *identify(struct world *world, const char *secret)
{
    struct access_token *token = NULL;
    int error = access_identify(world->access, troupe_view_of(secret), false, 0, &token);
    assert_int_equal(error, token != NULL ? 0 : TROUPE_E_UNAUTHORIZED);
    return token;
}

static bool allows(const struct access_token *token, enum access_scope scope)
{
    const struct access_target everything = {0};
    return access_allows(token, scope, &everything);
}

static void a_token_is_known_by_its_secret_test(void **state)
{
    struct world world;
    char secret[TOKEN_SECRET_BYTES_MAX + 2];
    (void)state;
    open_world(&world, (const char *[][2]){{"web", ",\"subject\":\"w\",\"grants\":[\"read\"]"}, {"ops", ""}, {NULL}});
    struct access_token *web = identify(&world, web_secret), *ops = identify(&world, ops_secret);
    assert_non_null(web);
    assert_non_null(ops);
    assert_ptr_not_equal(web, ops);
    assert_true(troupe_view_equal(access_subject(web), troupe_view_of("w")));
    assert_string_equal(access_token_id(web), "web");
    assert_true(allows(web, ACCESS_READ));
    assert_true(allows(web, ACCESS_TOKEN));
    assert_true(allows(web, ACCESS_PUBLIC));
    assert_false(allows(web, ACCESS_MESSAGE));
    assert_false(allows(ops, ACCESS_READ)); /* without grants: nothing */
    assert_false(access_allows_some(ops, ACCESS_READ));
    assert_true(allows(ops, ACCESS_TOKEN));
    access_token_drop(web);
    access_token_drop(ops);
    assert_null(identify(&world, ""));
    assert_null(identify(&world, "tt_we"));
    assert_null(identify(&world, "tt_webs"));
    assert_null(identify(&world, "tk_web"));
    memset(secret, 'a', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    assert_null(identify(&world, secret));
    close_world(&world);
}

static void without_a_file_everything_is_allowed_test(void **state)
{
    const struct access_config config = {0};
    struct access *access;
    struct access_token *token = (struct access_token *)&config;
    char words[512];
    (void)state;
    assert_int_equal(access_new(&config, &access, words, sizeof words), 0);
    assert_false(access_is_on(access));
    assert_int_equal(access_identify(access, troupe_view_of("x"), false, 0, &token), 0);
    assert_null(token);
    assert_true(allows(NULL, ACCESS_ADMIN));
    assert_true(access_allows_some(NULL, ACCESS_ADMIN));
    assert_true(access_name_is_allowed(NULL, troupe_view_of("x")));
    assert_int_equal(access_subject(NULL).len, 0);
    assert_int_equal(access_take_rate(NULL, 0), 0);
    assert_true(access_connection_enter(NULL));
    access_connection_leave(NULL);
    assert_true(access_address_enter(access, 0, 0));
    access_address_leave(access, 0);
    assert_int_equal(access_address_take_rate(NULL, 0, 0), 0);
    assert_int_equal(access_reload(access, words, sizeof words), 0);
    access_free(access);
    access_free(NULL);
}

static void what_a_reload_changes_is_true_at_once_for_those_who_hold_the_token_test(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, (const char *[][2]){{"web", ",\"grants\":[\"read\"]"}, {"ops", ",\"grants\":[\"*\"]"}, {NULL}});
    struct access_token *web = identify(&world, web_secret), *ops = identify(&world, ops_secret);
    reload(&world, (const char *[][2]){{"web", ",\"grants\":[\"stop\"],\"subject\":\"new\""}, {NULL}});
    assert_false(allows(web, ACCESS_READ));
    assert_true(allows(web, ACCESS_STOP));
    assert_true(troupe_view_equal(access_subject(web), troupe_view_of("new")));
    struct access_token *again = identify(&world, web_secret);
    assert_ptr_equal(again, web); /* one object: its rate and connections go on */
    access_token_drop(again);
    assert_false(access_token_is_live(ops)); /* not in the file any more */
    assert_false(allows(ops, ACCESS_READ));
    assert_false(allows(ops, ACCESS_TOKEN));
    assert_null(identify(&world, ops_secret));
    reload(&world, (const char *[][2]){{"web", ""}, {"ops", ",\"grants\":[\"read\"]"}, {NULL}});
    assert_false(allows(ops, ACCESS_READ)); /* what was revoked stays so */
    struct access_token *newer = identify(&world, ops_secret);
    assert_true(allows(newer, ACCESS_READ));
    access_token_drop(newer);
    access_token_drop(ops);
    access_token_drop(web);
    close_world(&world);
}

static void a_bad_file_changes_nothing_test(void **state)
{
    struct world world;
    char words[512] = "";
    (void)state;
    open_world(&world, (const char *[][2]){{"web", ",\"grants\":[\"read\"]"}, {NULL}});
    write_file(&world, (const char *[][2]){{"web", ",\"grants\":[\"reed\"]"}, {NULL}});
    assert_int_equal(access_reload(world.access, words, sizeof words), TROUPE_E_INVALID);
    assert_non_null(strstr(words, "row 1 (web), grants[0]"));
    assert_non_null(strstr(words, world.path));
    struct access_token *web = identify(&world, web_secret);
    assert_true(allows(web, ACCESS_READ));
    access_token_drop(web);
    assert_int_equal(chmod(world.path, 0666), 0);
    assert_int_equal(access_reload(world.access, words, sizeof words), TROUPE_E_INVALID);
    assert_non_null(strstr(words, "chmod go-w"));
    unlink(world.path);
    assert_int_equal(access_reload(world.access, words, sizeof words), TROUPE_E_INVALID);
    assert_non_null(strstr(words, "cannot be opened"));
    assert_non_null(web = identify(&world, web_secret));
    access_token_drop(web);
    close_world(&world);
    struct access *access;
    const struct access_config folder = {.tokens_file = "/tmp"};
    assert_int_equal(access_new(&folder, &access, words, sizeof words), TROUPE_E_INVALID);
    assert_non_null(strstr(words, "not a file"));
}

static void a_token_ends_at_its_time_test(void **state)
{
    struct world world;
    (void)state;
    wall_ms = 1801396800000 - 1; /* 2027-01-31T12:00:00Z */
    open_world(&world, (const char *[][2]){
        {"web", ",\"grants\":[\"read\"],\"expires_at\":\"2027-01-31T12:00:00Z\""}, {NULL}});
    struct access_token *web = identify(&world, web_secret);
    assert_true(allows(web, ACCESS_READ));
    assert_true(access_allows_some(web, ACCESS_READ));
    wall_ms++;
    assert_false(allows(web, ACCESS_READ));
    assert_false(access_allows_some(web, ACCESS_READ));
    assert_null(identify(&world, web_secret));
    access_token_drop(web);
    close_world(&world);
}

static void names_begin_with_the_prefix_test(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, (const char *[][2]){{"web", ",\"name_prefix\":\"web-\""}, {"ops", ""}, {NULL}});
    struct access_token *web = identify(&world, web_secret), *ops = identify(&world, ops_secret);
    assert_true(access_name_is_allowed(web, troupe_view_of("web-1")));
    assert_true(access_name_is_allowed(web, troupe_view_of("web-")));
    assert_false(access_name_is_allowed(web, troupe_view_of("web")));
    assert_false(access_name_is_allowed(web, troupe_view_of("xweb-1")));
    assert_true(access_name_is_allowed(ops, troupe_view_of("any")));
    access_token_drop(web);
    access_token_drop(ops);
    close_world(&world);
}

static void a_token_has_its_rate_and_connections_test(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, (const char *[][2]){{"web", ",\"rate\":2,\"connections_max\":2"}, {NULL}});
    struct access_token *web = identify(&world, web_secret);
    assert_int_equal(access_take_rate(web, 1000), 0);
    assert_int_equal(access_take_rate(web, 1000), 0);
    assert_int_equal(access_take_rate(web, 1000), 500);
    assert_true(access_connection_enter(web));
    assert_true(access_connection_enter(web));
    assert_false(access_connection_enter(web));
    reload(&world, (const char *[][2]){{"web", ",\"rate\":2,\"connections_max\":3"}, {NULL}});
    assert_true(access_connection_enter(web)); /* the two still count */
    assert_false(access_connection_enter(web));
    access_connection_leave(web);
    assert_true(access_connection_enter(web));
    assert_int_equal(access_take_rate(web, 1000), 500);
    access_token_drop(web);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_what_the_file_says_test),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place_test),
        cmocka_unit_test(every_cut_and_every_flip_is_refused_or_read_test), cmocka_unit_test(moments_are_read_test),
        cmocka_unit_test(a_token_is_known_by_its_secret_test),
        cmocka_unit_test(without_a_file_everything_is_allowed_test),
        cmocka_unit_test(what_a_reload_changes_is_true_at_once_for_those_who_hold_the_token_test),
        cmocka_unit_test(a_bad_file_changes_nothing_test), cmocka_unit_test(a_token_ends_at_its_time_test),
        cmocka_unit_test(names_begin_with_the_prefix_test),
        cmocka_unit_test(a_token_has_its_rate_and_connections_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
