/* SPDX-License-Identifier: Apache-2.0
 *
 * Base URLs: one form for what people type, and no secrets in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/url.h"

static void test_a_url_takes_one_form(void **state)
{
    static const char *const rows[][2] = {
        {"http://127.0.0.1:41873", "http://127.0.0.1:41873"},
        {"http://127.0.0.1:41873/", "http://127.0.0.1:41873"},
        {"HTTP://localhost", "http://localhost"},
        {"https://node.example//", "https://node.example"},
        {"https://node.example/troupe/", "https://node.example/troupe"},
        {"127.0.0.1:80", "http://127.0.0.1:80"},
        {"localhost", "http://localhost"},
        {"[::1]:65535", "http://[::1]:65535"},
        {"http://[fe80::1%25eth0]", NULL}, /* zones are not supported by every library: refused */
        {"ftp://x", NULL},
        {"://x", NULL},
        {"", NULL},
        {"http://", NULL},
        {"http:///v1", NULL},
        {"http://x:", NULL},
        {"http://x:0", NULL},
        {"http://x:65536", NULL},
        {"http://x:99999999999", NULL},
        {"http://x:8o", NULL},
        {"http://[::1", NULL},
        {"http://[]", NULL},
        {"http://[::1]x", NULL},
        {"http://a:b@x", NULL},
        {"http://x/?a", NULL},
        {"http://x/#a", NULL},
        {"http://x y", NULL},
        {"http://x\n", NULL},
        {"http://{x}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char base[TROUPE_CLIENT_URL_BYTES_MAX + 1] = "untouched";
        troupe_client_problem problem;
        int rc = troupe__url_normalise(rows[i][0], base, &problem);
        if (rows[i][1] != NULL) {
            assert_int_equal(rc, 0);
            assert_string_equal(base, rows[i][1]);
        } else {
            assert_int_equal(rc, TROUPE_E_INVALID);
            assert_string_equal(base, "untouched");
            assert_string_equal(problem.field, "url");
        }
    }
}

static void test_a_password_is_not_repeated(void **state)
{
    char base[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    troupe_client_problem problem;
    (void)state;

    assert_int_equal(troupe__url_normalise("http://user:secret@x", base, &problem), TROUPE_E_INVALID);
    assert_null(strstr(problem.detail, "secret"));
}

static void test_the_longest_url(void **state)
{
    char url[TROUPE_CLIENT_URL_BYTES_MAX + 2] = "http://x/";
    char base[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    (void)state;

    memset(url + 9, 'a', sizeof url - 9 - 2);
    assert_int_equal(troupe__url_normalise(url, base, NULL), 0);
    assert_string_equal(base, url);
    url[sizeof url - 2] = 'a';
    assert_int_equal(troupe__url_normalise(url, base, NULL), TROUPE_E_INVALID);
}

static void test_loopback_is_recognised(void **state)
{
    static const char *const yes[] = {"http://127.0.0.1", "http://127.1.2.3:8/x", "https://localhost:1",
                                      "http://[::1]:5"};
    static const char *const no[] = {"http://127.0.0.1.example", "http://localhost.example", "http://10.0.0.1",
                                     "http://[::2]", "http://127.x"};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_true(troupe__url_is_loopback(yes[i]));
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_false(troupe__url_is_loopback(no[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_url_takes_one_form),
        cmocka_unit_test(test_a_password_is_not_repeated),
        cmocka_unit_test(test_the_longest_url),
        cmocka_unit_test(test_loopback_is_recognised),
    };
    return cmocka_run_group_tests_name("client url", tests, NULL, NULL);
}
