/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may reach the node: the rules of Host and Origin, and the guard over the fields of later heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/guard.h"
#include "api/origin.h"

static const char *const hosts[] = {"node.example", NULL};
static const char *const origins[] = {"https://app.example", "http://app.example:8080", NULL};
static const struct origin_rules rules = {.hosts = hosts, .origins = origins, .advertised = "adv.example"};

static void hosts_are_compared_whole_test(void **state)
{
    static const struct { const char *host; bool allowed; } rows[] = {
        {"127.0.0.1", true}, {"127.0.0.1:80", true}, {"10.1.2.3:1", true}, {"[::1]", true}, {"[::1]:8080", true},
        {"localhost", true}, {"LocalHost:1", true}, {"node.example", true}, {"NODE.example:65535", true},
        {"adv.example", true},
        {"", false}, {"evil.example", false}, {"node.example.evil.com", false}, {"evilnode.example", false},
        {"node.exampl", false}, {"localhost.evil.com", false}, {"127.0.0.1.evil.com", false}, {"127.1", false},
        {"2130706433", false}, {"0x7f.1", false}, {"::1", false}, {"[::1", false}, {"[::1]x", false}, {"[]", false},
        {"[127.0.0.1]", false}, {"localhost:", false}, {"localhost:99999", false}, {"localhost:x", false},
        {":80", false}, {"a:b:c", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (origin_host_is_allowed(&rules, troupe_view_of(rows[i].host)) != rows[i].allowed)
            fail_msg("Host '%s' should be %s", rows[i].host, rows[i].allowed ? "allowed" : "refused");
    }
}

static void origins_are_compared_whole_test(void **state)
{
    static const struct { const char *origin, *host; bool allowed; } rows[] = {
        {"http://127.0.0.1:80", "127.0.0.1:80", true}, {"https://node.example", "node.example", true},
        {"http://LOCALHOST:1", "localhost:1", true}, {"https://app.example", "127.0.0.1:80", true},
        {"http://app.example:8080", "127.0.0.1:80", true},
        {"null", "127.0.0.1:80", false}, {"", "127.0.0.1:80", false}, {"http://127.0.0.1:81", "127.0.0.1:80", false},
        {"http://127.0.0.1", "127.0.0.1:80", false}, {"https://app.example.evil.com", "127.0.0.1:80", false},
        {"https://app.example:444", "127.0.0.1:80", false}, {"http://app.example", "127.0.0.1:80", false},
        {"ftp://127.0.0.1:80", "127.0.0.1:80", false}, {"127.0.0.1:80", "127.0.0.1:80", false},
        {"http://", "", false}, {"http://127.0.0.1:80/", "127.0.0.1:80", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (origin_is_allowed(&rules, troupe_view_of(rows[i].origin), troupe_view_of(rows[i].host)) != rows[i].allowed)
            fail_msg("Origin '%s' at '%s' should be %s", rows[i].origin, rows[i].host,
                     rows[i].allowed ? "allowed" : "refused");
    }
}

static bool is_member(void *user, troupe_view origin)
{
    unsigned *asked = user;
    (*asked)++;
    return troupe_view_equal(origin, troupe_view_of("http://10.0.0.2:41873"));
}

/* The cluster is asked about nothing but well-formed origins, and its answer is about the whole of it. */
static void a_page_of_a_member_may_use_the_node_test(void **state)
{
    unsigned asked = 0;
    const struct origin_rules cluster_rules = {.is_member = is_member, .user = &asked};
    const troupe_view host = troupe_view_of("10.0.0.1:41873");
    (void)state;
    assert_true(origin_is_allowed(&cluster_rules, troupe_view_of("http://10.0.0.1:41873"), host));
    assert_int_equal(asked, 0);
    assert_true(origin_is_allowed(&cluster_rules, troupe_view_of("http://10.0.0.2:41873"), host));
    assert_false(origin_is_allowed(&cluster_rules, troupe_view_of("http://10.0.0.2:41873.evil.example"), host));
    assert_false(origin_is_allowed(&cluster_rules, troupe_view_of("http://10.0.0.3:41873"), host));
    asked = 0;
    assert_false(origin_is_allowed(&cluster_rules, troupe_view_of("null"), host));
    assert_false(origin_is_allowed(&cluster_rules, troupe_view_of("http://10.0.0.2:41873/"), host));
    assert_false(origin_is_allowed(&cluster_rules, troupe_view_of(""), host));
    assert_int_equal(asked, 0);
}

static void origins_of_flags_are_checked_test(void **state)
{
    (void)state;
    assert_true(origin_is_valid(troupe_view_of("https://app.example")));
    assert_true(origin_is_valid(troupe_view_of("http://[::1]:80")));
    assert_false(origin_is_valid(troupe_view_of("app.example")));
    assert_false(origin_is_valid(troupe_view_of("https://app.example/")));
    assert_false(origin_is_valid(troupe_view_of("*")));
    assert_false(origin_is_valid(troupe_view_of("https://")));
}

struct field {
    const char *name, *value;
};

static enum head_reason guard_of(const struct field *fields, struct guard *guard)
{
    *guard = (struct guard){0};
    for (; fields->name != NULL; fields++)
        guard_field(guard, troupe_view_of(fields->name), troupe_view_of(fields->value));
    return guard_end(guard, false);
}

static void the_guard_refuses_what_has_two_meanings_test(void **state)
{
    static const struct { struct field fields[4]; enum head_reason reason; } rows[] = {
        {{{"Host", "a"}}, HEAD_FINE},
        {{{"Host", "a"}, {"Content-Length", "2"}}, HEAD_FINE},
        {{{"Host", "a"}, {"Transfer-Encoding", "Chunked"}}, HEAD_FINE},
        {{{"X", "a"}}, HEAD_HOST},
        {{{"Host", ""}}, HEAD_HOST},
        {{{"Host", "a"}, {"host", "a"}}, HEAD_HOST},
        {{{"Host", "a"}, {"Content-Length", "2"}, {"content-length", "2"}}, HEAD_LENGTH},
        {{{"Host", "a"}, {"Content-Length", "2x"}}, HEAD_LENGTH},
        {{{"Host", "a"}, {"Content-Length", "+2"}}, HEAD_LENGTH},
        {{{"Host", "a"}, {"Content-Length", ""}}, HEAD_LENGTH},
        {{{"Host", "a"}, {"Content-Length", "9999999999999999999"}}, HEAD_LENGTH},
        {{{"Host", "a"}, {"Content-Length", "2"}, {"Transfer-Encoding", "chunked"}}, HEAD_LENGTH_AND_CODING},
        {{{"Host", "a"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "2"}}, HEAD_LENGTH_AND_CODING},
        {{{"Host", "a"}, {"Transfer-Encoding", "gzip"}}, HEAD_CODING},
        {{{"Host", "a"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, HEAD_CODING},
        {{{"Host", "a"}, {"X ", "a"}}, HEAD_SPACE},
        {{{"Host", "a"}, {"", "a"}}, HEAD_FIELD_NAME},
        {{{"Host", "a"}, {"X(", "a"}}, HEAD_FIELD_NAME},
        {{{"Host", "a"}, {"X", "a\rb"}}, HEAD_BARE_CR},
        {{{"Host", "a"}, {"X", "a\x01"}}, HEAD_CONTROL},
        {{{"Host", "a"}, {"Origin", "b"}, {"Origin", "b"}}, HEAD_FIELD_NAME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard guard;
        enum head_reason reason = guard_of(rows[i].fields, &guard);
        if (reason != rows[i].reason)
            fail_msg("row %zu: %s, expected %s", i, head_reason_word(reason), head_reason_word(rows[i].reason));
    }
}

static void the_guard_picks_out_what_matters_test(void **state)
{
    static const struct field fields[] = {
        {"Host", "a:1"}, {"Content-Length", "1234567890"}, {"Content-Type", "x/y"}, {"If-None-Match", "\"t\""},
        {"Accept-Encoding", "br, gzip;q=0.5"}, {"Expect", "100-continue"}, {"Origin", "http://a:1"},
        {"Access-Control-Request-Method", "POST"}, {NULL, NULL},
    };
    struct guard guard;
    (void)state;
    assert_int_equal(guard_of(fields, &guard), HEAD_FINE);
    assert_int_equal(guard.length, 1234567890);
    assert_string_equal(guard.content_type, "x/y");
    assert_true(troupe_view_equal(guard.host, troupe_view_of("a:1")));
    assert_true(troupe_view_equal(guard.origin, troupe_view_of("http://a:1")));
    assert_true(troupe_view_equal(guard.if_none_match, troupe_view_of("\"t\"")));
    assert_true(guard.accepts_gzip && guard.expects_continue && guard.is_preflight && guard.has_origin);
}

static void gzip_with_weight_zero_is_not_wanted_test(void **state)
{
    static const struct { const char *value; bool wanted; } rows[] = {
        {"gzip", true}, {"GZIP", true}, {"br,gzip", true}, {"gzip;q=1", true}, {"gzip;q=0.1", true}, {"gzip;q=0.0", false},
        {"", false}, {"br", false}, {"gzip;q=0", false}, {"gzi", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct field fields[] = {{"Host", "a"}, {"Accept-Encoding", rows[i].value}, {NULL, NULL}};
        struct guard guard;
        assert_int_equal(guard_of(fields, &guard), HEAD_FINE);
        assert_int_equal(guard.accepts_gzip, rows[i].wanted);
    }
}

static void too_many_fields_are_refused_test(void **state)
{
    struct guard guard = {0};
    (void)state;
    guard_field(&guard, troupe_view_of("Host"), troupe_view_of("a"));
    for (unsigned i = 1; i < HEAD_FIELDS_MAX; i++)
        guard_field(&guard, troupe_view_of("X"), troupe_view_of("y"));
    assert_int_equal(guard_end(&guard, false), HEAD_FINE);
    guard_field(&guard, troupe_view_of("X"), troupe_view_of("y"));
    assert_int_equal(guard_end(&guard, false), HEAD_TOO_LARGE);
}

static void too_many_bytes_are_refused_test(void **state)
{
    const size_t len = HEAD_BYTES_MAX / 2;
    struct guard guard = {0};
    char *text = malloc(len);
    (void)state;
    memset(text, 'x', len);
    guard_field(&guard, troupe_view_of("Host"), troupe_view_of("a"));
    guard_field(&guard, troupe_view_of("X"), (troupe_view){text, len});
    assert_int_equal(guard_end(&guard, false), HEAD_FINE);
    guard_field(&guard, troupe_view_of("X"), (troupe_view){text, len});
    assert_int_equal(guard_end(&guard, false), HEAD_TOO_LARGE);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_compared_whole_test), cmocka_unit_test(origins_are_compared_whole_test),
        cmocka_unit_test(origins_of_flags_are_checked_test),
        cmocka_unit_test(a_page_of_a_member_may_use_the_node_test), cmocka_unit_test(the_guard_refuses_what_has_two_meanings_test),
        cmocka_unit_test(the_guard_picks_out_what_matters_test), cmocka_unit_test(gzip_with_weight_zero_is_not_wanted_test),
        cmocka_unit_test(too_many_fields_are_refused_test), cmocka_unit_test(too_many_bytes_are_refused_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
