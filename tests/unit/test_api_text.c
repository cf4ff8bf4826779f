/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, sizes and times as people write them, and texts that are being built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"

static void durations_need_a_unit_test(void **state)
{
    static const struct { const char *text; uint64_t ms; int error; } rows[] = {
        {"0ms", 0, 0}, {"500ms", 500, 0}, {"5s", 5000, 0}, {"2m", 120000, 0}, {"1h", 3600000, 0},
        {"", 0, TROUPE_E_INVALID}, {"5", 0, TROUPE_E_INVALID}, {"s", 0, TROUPE_E_INVALID}, {"-5s", 0, TROUPE_E_INVALID},
        {"+5s", 0, TROUPE_E_INVALID}, {"5 s", 0, TROUPE_E_INVALID}, {"5S", 0, TROUPE_E_INVALID},
        {"5sec", 0, TROUPE_E_INVALID}, {"1.5s", 0, TROUPE_E_INVALID}, {"2h", 0, TROUPE_E_INVALID},
        {"99999999999999999999s", 0, TROUPE_E_INVALID}, {"18446744073709551615h", 0, TROUPE_E_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = 77;
        assert_int_equal(units_parse_duration(troupe_view_of(rows[i].text), 3600000, &ms), rows[i].error);
        assert_int_equal(ms, rows[i].error == 0 ? rows[i].ms : 77);
    }
}

static void sizes_may_have_a_unit_test(void **state)
{
    static const struct { const char *text; uint64_t bytes; int error; } rows[] = {
        {"0", 0, 0}, {"4096", 4096, 0}, {"64K", 65536, 0}, {"1M", 1 << 20, 0}, {"2G", 2ull << 30, 0},
        {"3G", 0, TROUPE_E_INVALID}, {"1k", 0, TROUPE_E_INVALID}, {"M", 0, TROUPE_E_INVALID},
        {"1MB", 0, TROUPE_E_INVALID}, {"99999999999T", 0, TROUPE_E_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 77;
        assert_int_equal(units_parse_size(troupe_view_of(rows[i].text), 2ull << 30, &bytes), rows[i].error);
        assert_int_equal(bytes, rows[i].error == 0 ? rows[i].bytes : 77);
    }
}

static void numbers_are_digits_only_test(void **state)
{
    uint64_t value = 0;
    (void)state;
    assert_int_equal(units_parse_u64(troupe_view_of("1000"), 1000, &value), 0);
    assert_int_equal(value, 1000);
    assert_int_equal(units_parse_u64(troupe_view_of("1001"), 1000, &value), TROUPE_E_INVALID);
    assert_int_equal(units_parse_u64(troupe_view_of("10 "), 1000, &value), TROUPE_E_INVALID);
    assert_int_equal(units_parse_u64(troupe_view_of(""), 1000, &value), TROUPE_E_INVALID);
}

static void expect_json(const char *bytes, size_t len, const char *json)
{
    struct text text = {0};
    text_add_json(&text, (troupe_view){bytes, len});
    assert_false(text.failed);
    assert_string_equal(text.ptr, json);
    text_fini(&text);
}

static void json_strings_are_escaped_test(void **state)
{
    (void)state;
    expect_json("", 0, "\"\"");
    expect_json("plain", 5, "\"plain\"");
    expect_json("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    expect_json("\n\t\x01\x7f\0", 5, "\"\\n\\t\\u0001\\u007f\\u0000\"");
    expect_json("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    expect_json("a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_json("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void a_text_that_does_not_fit_says_so_test(void **state)
{
    char buf[8];
    struct text text;
    (void)state;
    text_init_fixed(&text, buf, sizeof buf);
    text_add_str(&text, "1234567");
    assert_false(text.failed);
    assert_string_equal(buf, "1234567");
    text_add_str(&text, "8");
    assert_true(text.failed);
    assert_string_equal(buf, "1234567");
    text_add_str(&text, "");
    assert_true(text.failed);
}

static void a_text_on_the_heap_grows_test(void **state)
{
    struct text text = {0};
    size_t len;
    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        text_add_u64(&text, i % 10);
    char *bytes = text_take(&text, &len);
    assert_int_equal(len, 10000);
    assert_int_equal(bytes[9999], '9');
    assert_int_equal(bytes[10000], '\0');
    assert_null(text.ptr);
    free(bytes);
    bytes = text_take(&text, &len);
    assert_string_equal(bytes, "");
    free(bytes);
}

static void urls_are_escaped_test(void **state)
{
    struct text text = {0};
    (void)state;
    text_add_escaped(&text, troupe_view_of("a-Z_0.~/ \xc3\xa9%"));
    assert_string_equal(text.ptr, "a-Z_0.~%2F%20%C3%A9%25");
    text_fini(&text);
}

/* Each day from 1970 on for 140 years: 2000 has a leap day, 2100 has none. And the last ms there is. */
static void times_are_written_as_the_library_does_test(void **state)
{
    char text[CLOCK_TEXT_BYTES], expected[64];
    uint64_t again = 0;
    (void)state;
    for (uint64_t day = 0; day < 51500; day++) {
        uint64_t wall_ms = day * 86400000 + day * 7919 % 86400000;
        time_t seconds = (time_t)(wall_ms / 1000);
        struct tm tm;
        size_t len = strftime(expected, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
        snprintf(expected + len, sizeof expected - len, ".%03uZ", (unsigned)(wall_ms % 1000));
        clock_format(wall_ms, text);
        assert_string_equal(text, expected);
        assert_true(clock_parse(text, &again));
        assert_int_equal(again, wall_ms);
    }
    clock_format(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_need_a_unit_test), cmocka_unit_test(sizes_may_have_a_unit_test),
        cmocka_unit_test(numbers_are_digits_only_test), cmocka_unit_test(json_strings_are_escaped_test),
        cmocka_unit_test(a_text_that_does_not_fit_says_so_test), cmocka_unit_test(a_text_on_the_heap_grows_test),
        cmocka_unit_test(urls_are_escaped_test), cmocka_unit_test(times_are_written_as_the_library_does_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
