/* SPDX-License-Identifier: Apache-2.0
 *
 * Where behaviors may send requests: what a rule allows, what it must not be talked into, which addresses are
 * guarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "http_rule.h"

static bool allows(const char *rule_text, const char *url_text)
{
    struct http_rule rule, url;
    assert_true(http_rule_parse(rule_text, &rule));
    return http_rule_parse_url(url_text, &url) && http_rule_allows(&rule, &url);
}

static void test_a_rule_allows_itself_and_what_lies_below_it(void **state)
{
    static const char *const rows[][2] = {
        {"http://10.0.0.7:8080", "http://10.0.0.7:8080/"},
        {"http://10.0.0.7:8080", "http://10.0.0.7:8080"},
        {"http://10.0.0.7:8080/", "http://10.0.0.7:8080?x=1"},
        {"https://api.example.com/v1", "https://api.example.com/v1"},
        {"https://api.example.com/v1", "https://api.example.com/v1?x=/../"},
        {"https://api.example.com/v1", "https://api.example.com/v1/users"},
        {"https://api.example.com/v1", "https://API.Example.com:443/v1/..users/.a/a."},
        {"https://api.example.com/v1/", "https://api.example.com/v1/"},
        {"https://api.example.com/v1/", "https://api.example.com/v1/a%20b"},
        {"https://api.example.com/v1/", "https://api.example.com/v1/a;v=../b"},
        {"http://[::1]:8080/", "http://[::1]:8080/a"},
        {"http://localhost", "http://localhost:80/a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("# %s allows %s\n", rows[i][0], rows[i][1]);
        assert_true(allows(rows[i][0], rows[i][1]));
    }
}

static void test_a_rule_allows_nothing_beside_it(void **state)
{
    static const char *const rows[][2] = {
        {"http://10.0.0.7:8080", "http://10.0.0.70:8080/"},
        {"http://10.0.0.7:8080", "http://10.0.0.7:80/"},
        {"http://10.0.0.7:8080", "https://10.0.0.7:8080/"},
        {"http://a.example", "http://a.example.evil.example/"},
        {"http://a.example", "http://a.example@evil.example/"},
        {"http://a.example", "http://evil.example/http://a.example/"},
        {"http://a.example", "http://a.example:80@evil.example/"},
        {"http://a.example", "http://evil.example#@a.example/"},
        {"http://a.example", "http://evil.example\\@a.example/"},
        {"http://a.example", "http://b.a.example/"},
        {"https://a.example/v1", "https://a.example/v10"},
        {"https://a.example/v1", "https://a.example/"},
        {"https://a.example/v1", "https://a.example/V1"},
        {"https://a.example/v1/", "https://a.example/v1"},
        {"https://a.example/v1", "https://a.example/v1/../admin"},
        {"https://a.example/v1", "https://a.example/v1/.."},
        {"https://a.example/v1", "https://a.example/v1/./x"},
        {"https://a.example/v1", "https://a.example/v1/%2e%2E/admin"},
        {"https://a.example/v1", "https://a.example/v1/.%2e/admin"},
        {"https://a.example/v1", "https://a.example/v1%2f..%2fadmin"},
        {"https://a.example/v1", "https://a.example/v1/..%5cadmin"},
        {"https://a.example/v1", "https://a.example/v1/..\\admin"},
        {"https://a.example/v1", "https://a.example/v1/%00"},
        {"https://a.example/v1", "https://a.example/v1/..;/admin"},
        {"https://a.example/v1", "https://a.example/v1/..;a=.b/admin"},
        {"https://a.example/v1", "https://a.example/v1/.%3bx/admin"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("# %s does not allow %s\n", rows[i][0], rows[i][1]);
        assert_false(allows(rows[i][0], rows[i][1]));
    }
}

static void test_what_is_no_rule_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "a.example",
        "ftp://a.example/",
        "http://",
        "http:///v1",
        "http://:80/",
        "http://a.example:0/",
        "http://a.example:",
        "http://a.example:65536/",
        "http://a.example:123456/",
        "http://u@a.example/",
        "http://a.example/?x",
        "http://a.example/#x",
        "http://[::1/",
        "http://[::g]/",
        "http://[1.2.3.4]/",
        "http://a b/",
        "http://a.example/ x",
        "http://a.example/../x",
        "http://\xc3\xa4/",
        "HTTP://a.example/",
        "http://*/",
    };
    struct http_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        print_message("# %s\n", texts[i]);
        assert_false(http_rule_parse(texts[i], &rule));
    }
}

static void test_a_rule_knows_whether_its_host_is_an_address(void **state)
{
    struct http_rule rule;
    (void)state;
    assert_true(http_rule_parse("http://169.254.169.254/", &rule) && rule.is_address);
    assert_true(http_rule_parse("http://[fe80::1]/", &rule) && rule.is_address);
    assert_true(http_rule_parse("http://a.example/", &rule) && !rule.is_address);
    assert_true(http_rule_parse("http://0xa9fea9fe/", &rule) && !rule.is_address);
}

static bool guards(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_rule_guards((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_rule_guards((const struct sockaddr *)&v6);
}

static void test_addresses_where_clouds_keep_credentials_are_guarded(void **state)
{
    static const char *const guarded[] = {
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "ff02::1",
        "::",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "::169.254.169.254",
        "2002:a9fe:a9fe::1",
    };
    static const char *const open_ones[] = {
        "127.0.0.1", "10.1.2.3",    "192.168.1.1", "169.253.0.1",     "93.184.216.34",
        "::1",       "2001:db8::1", "fd00::1",     "::ffff:10.0.0.1",
    };
    const struct sockaddr unix_one = {.sa_family = AF_UNIX};
    (void)state;
    for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++)
        assert_true(guards(guarded[i]));
    for (size_t i = 0; i < sizeof open_ones / sizeof open_ones[0]; i++)
        assert_false(guards(open_ones[i]));
    assert_true(http_rule_guards(&unix_one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_allows_itself_and_what_lies_below_it),
        cmocka_unit_test(test_a_rule_allows_nothing_beside_it),
        cmocka_unit_test(test_what_is_no_rule_is_refused),
        cmocka_unit_test(test_a_rule_knows_whether_its_host_is_an_address),
        cmocka_unit_test(test_addresses_where_clouds_keep_credentials_are_guarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
