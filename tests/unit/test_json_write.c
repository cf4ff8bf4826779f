/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer of troupe/json.h, and what is written read back. Numbers as text are tested in test_number.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/json.h>

#include "random_input.h"

static void write_all(troupe_json_writer *w)
{
    troupe_json_write_object_begin(w);
    troupe_json_write_key(w, "int");
    troupe_json_write_int(w, INT64_MIN);
    troupe_json_write_key(w, "list");
    troupe_json_write_array_begin(w);
    troupe_json_write_uint(w, UINT64_MAX);
    troupe_json_write_double(w, 0.1);
    troupe_json_write_bool(w, true);
    troupe_json_write_bool(w, false);
    troupe_json_write_null(w);
    troupe_json_write_array_begin(w);
    troupe_json_write_array_end(w);
    troupe_json_write_object_begin(w);
    troupe_json_write_object_end(w);
    troupe_json_write_text(w, NULL);
    troupe_json_write_array_end(w);
    troupe_json_write_key_view(w, (troupe_view){"k\"\0", 3});
    troupe_json_write_string(w, (troupe_view){"a\\b\"c\b\f\n\r\t\001\037/\177\342\202\254", 17});
    troupe_json_write_key(w, "raw");
    troupe_json_write_raw(w, troupe_view_of(" [1, 2]\n"));
    troupe_json_write_key(w, "");
    troupe_json_write_raw_trusted(w, troupe_view_of("{\"x\":0}"));
    troupe_json_write_key(w, "t");
    troupe_json_write_text(w, "");
    troupe_json_write_object_end(w);
}

static const char all_written[] =
    "{\"int\":-9223372036854775808,\"list\":[18446744073709551615,0.1,true,false,null,[],{},null],"
    "\"k\\\"\\u0000\":\"a\\\\b\\\"c\\b\\f\\n\\r\\t\\u0001\\u001f/\177\342\202\254\","
    "\"raw\":[1, 2],\"\":{\"x\":0},\"t\":\"\"}";

static void test_all_kinds_are_written(void **state)
{
    troupe_json_writer w;
    char buf[512];

    (void)state;
    troupe_json_write_init(&w, buf, sizeof(buf));
    write_all(&w);
    assert_int_equal(troupe_json_write_end(&w), 0);
    assert_int_equal(troupe_json_write_length(&w), sizeof(all_written) - 1);
    assert_memory_equal(buf, all_written, sizeof(all_written) - 1);
    assert_int_equal(troupe_json_validate(buf, sizeof(all_written) - 1, NULL), 0);
}

/* For each size that is too small: nothing is written past the end, what is written is a beginning of the text, and the
 * size that is needed is told. */
static void test_a_small_buffer_is_not_overrun(void **state)
{
    size_t needed = sizeof(all_written) - 1;

    (void)state;
    for (size_t cap = 0; cap <= needed; cap++) {
        char *buf = malloc(cap + 1); /* the sanitizer sees more; the byte below catches the rest */
        troupe_json_writer w;

        assert_non_null(buf);
        memset(buf, '#', cap + 1);
        troupe_json_write_init(&w, buf, cap);
        write_all(&w);
        assert_int_equal(troupe_json_write_end(&w), cap == needed ? 0 : TROUPE_E_TOO_LARGE);
        assert_int_equal(w.error, 0);
        assert_int_equal(troupe_json_write_length(&w), needed);
        assert_int_equal(buf[cap], '#');
        for (size_t i = 0; i < cap && buf[i] != '#'; i++) {
            assert_int_equal(buf[i], all_written[i]);
        }
        free(buf);
    }
}

static void test_one_value_at_the_top(void **state)
{
    troupe_json_writer w;
    char buf[16];

    (void)state;
    troupe_json_write_init(&w, buf, sizeof(buf));
    troupe_json_write_int(&w, 7);
    assert_int_equal(troupe_json_write_end(&w), 0);
    assert_int_equal(troupe_json_write_length(&w), 1);
    troupe_json_write_int(&w, 8);
    assert_int_equal(troupe_json_write_end(&w), TROUPE_E_STATE);
    assert_int_equal(troupe_json_write_length(&w), 1);
}

static void wrong_nothing(troupe_json_writer *w) { (void)w; }

static void wrong_open_array(troupe_json_writer *w) { troupe_json_write_array_begin(w); }

static void wrong_value_without_key(troupe_json_writer *w)
{
    troupe_json_write_object_begin(w);
    troupe_json_write_int(w, 1);
    troupe_json_write_object_end(w);
}

static void wrong_key_in_array(troupe_json_writer *w)
{
    troupe_json_write_array_begin(w);
    troupe_json_write_key(w, "a");
    troupe_json_write_array_end(w);
}

static void wrong_key_at_the_top(troupe_json_writer *w)
{
    troupe_json_write_key(w, "a");
    troupe_json_write_int(w, 1);
}

static void wrong_two_keys(troupe_json_writer *w)
{
    troupe_json_write_object_begin(w);
    troupe_json_write_key(w, "a");
    troupe_json_write_key(w, "b");
    troupe_json_write_int(w, 1);
    troupe_json_write_object_end(w);
}

static void wrong_key_without_value(troupe_json_writer *w)
{
    troupe_json_write_object_begin(w);
    troupe_json_write_key(w, "a");
    troupe_json_write_object_end(w);
    troupe_json_write_object_end(w);
}

static void wrong_end_of_array(troupe_json_writer *w)
{
    troupe_json_write_object_begin(w);
    troupe_json_write_array_end(w);
}

static void wrong_end_of_object(troupe_json_writer *w)
{
    troupe_json_write_array_begin(w);
    troupe_json_write_object_end(w);
}

static void wrong_end_at_the_top(troupe_json_writer *w)
{
    troupe_json_write_int(w, 1);
    troupe_json_write_array_end(w);
}

static void test_wrong_order_of_writes(void **state)
{
    static void (*const wrong[])(troupe_json_writer * w) = {
        wrong_nothing,  wrong_open_array,        wrong_value_without_key, wrong_key_in_array,  wrong_key_at_the_top,
        wrong_two_keys, wrong_key_without_value, wrong_end_of_array,      wrong_end_of_object, wrong_end_at_the_top,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        troupe_json_writer w;
        char buf[64];

        troupe_json_write_init(&w, buf, sizeof(buf));
        wrong[i](&w);
        assert_int_equal(troupe_json_write_end(&w), TROUPE_E_STATE);
        assert_non_null(w.reason);
    }
}

/* A wrong value is an error also where the buffer is too small already, and nothing is written after it. */
static void test_values_that_json_does_not_have(void **state)
{
    static const struct {
        const char *raw;
        const char *string;
        double number;
        int error;
    } rows[] = {
        {NULL, NULL, NAN, TROUPE_E_INVALID},
        {NULL, NULL, INFINITY, TROUPE_E_INVALID},
        {NULL, NULL, -INFINITY, TROUPE_E_INVALID},
        {NULL, "a\377", 0, TROUPE_E_INVALID},
        {NULL, "a\355\240\200", 0, TROUPE_E_INVALID},
        {NULL, "a\342\202", 0, TROUPE_E_INVALID},
        {"", NULL, 0, TROUPE_E_MALFORMED},
        {"[1,", NULL, 0, TROUPE_E_MALFORMED},
        {"1 2", NULL, 0, TROUPE_E_MALFORMED},
        {"1,\"a\":2", NULL, 0, TROUPE_E_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cap = 0; cap <= 64; cap += 64) {
            troupe_json_writer w;
            char buf[64];
            size_t len;

            troupe_json_write_init(&w, buf, cap);
            troupe_json_write_array_begin(&w);
            if (rows[i].raw != NULL) {
                troupe_json_write_raw(&w, troupe_view_of(rows[i].raw));
            } else if (rows[i].string != NULL) {
                troupe_json_write_text(&w, rows[i].string);
            } else {
                troupe_json_write_double(&w, rows[i].number);
            }
            len = troupe_json_write_length(&w);
            troupe_json_write_text(&w, "more");
            troupe_json_write_raw(&w, troupe_view_of("1"));
            troupe_json_write_array_end(&w);
            assert_int_equal(troupe_json_write_length(&w), len);
            assert_int_equal(troupe_json_write_end(&w), rows[i].error);
        }
    }
}

static void test_written_depth_is_bounded(void **state)
{
    troupe_json_writer w;
    char buf[1024], text[2 * TROUPE_JSON_DEPTH_MAX];

    (void)state;
    memset(text, '[', TROUPE_JSON_DEPTH_MAX);
    memset(text + TROUPE_JSON_DEPTH_MAX, ']', TROUPE_JSON_DEPTH_MAX);
    troupe_json_write_init(&w, buf, sizeof(buf));
    for (int i = 0; i < TROUPE_JSON_DEPTH_MAX; i++) {
        troupe_json_write_array_begin(&w);
    }
    for (int i = 0; i < TROUPE_JSON_DEPTH_MAX; i++) {
        troupe_json_write_array_end(&w);
    }
    assert_int_equal(troupe_json_write_end(&w), 0);
    assert_int_equal(troupe_json_validate(buf, troupe_json_write_length(&w), NULL), 0);

    troupe_json_write_init(&w, buf, sizeof(buf));
    for (int i = 0; i <= TROUPE_JSON_DEPTH_MAX; i++) {
        troupe_json_write_array_begin(&w);
    }
    assert_int_equal(troupe_json_write_end(&w), TROUPE_E_LIMIT);

    /* raw values count from where they stand */
    troupe_json_write_init(&w, buf, sizeof(buf));
    troupe_json_write_array_begin(&w);
    troupe_json_write_raw(&w, (troupe_view){text + 1, sizeof(text) - 2});
    troupe_json_write_array_end(&w);
    assert_int_equal(troupe_json_write_end(&w), 0);
    troupe_json_write_init(&w, buf, sizeof(buf));
    troupe_json_write_array_begin(&w);
    troupe_json_write_raw(&w, (troupe_view){text, sizeof(text)});
    troupe_json_write_array_end(&w);
    assert_int_equal(troupe_json_write_end(&w), TROUPE_E_MALFORMED);
}

static void test_a_length_that_cannot_be_counted(void **state)
{
    troupe_json_writer w;

    (void)state;
    troupe_json_write_init(&w, NULL, 0);
    troupe_json_write_array_begin(&w);
    troupe_json_write_raw_trusted(&w, (troupe_view){"", SIZE_MAX - 1});
    troupe_json_write_array_end(&w);
    assert_int_equal(troupe_json_write_end(&w), TROUPE_E_LIMIT);
    assert_true(troupe_json_write_length(&w) == SIZE_MAX);
}

/* ---- round trips ---- */

static void test_random_values_come_back(void **state)
{
    uint64_t seed = random_seed(), random = seed;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t bits = random_next(&random) >> random_below(&random, 64);
        char text[24], json[256], back[24];
        size_t len = random_below(&random, sizeof(text)), back_len = 0;
        double real;
        troupe_json_writer w;
        troupe_json_reader r;
        bool same;

        memcpy(&real, &bits, sizeof(real));
        real = isfinite(real) ? real : 0.5;
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)random_below(&random, 128);
        }
        troupe_json_write_init(&w, json, sizeof(json));
        troupe_json_write_array_begin(&w);
        troupe_json_write_uint(&w, bits);
        troupe_json_write_int(&w, (int64_t)bits);
        troupe_json_write_double(&w, real);
        troupe_json_write_string(&w, (troupe_view){text, len});
        troupe_json_write_array_end(&w);
        same = troupe_json_write_end(&w) == 0;

        troupe_json_read_init(&r, json, troupe_json_write_length(&w));
        same = same && troupe_json_next_item(&r) && troupe_json_read_uint(&r, UINT64_MAX) == bits;
        same = same && troupe_json_next_item(&r) && troupe_json_read_int(&r, INT64_MIN, INT64_MAX) == (int64_t)bits;
        same = same && troupe_json_next_item(&r) && troupe_json_read_double(&r) == real;
        if (same && troupe_json_next_item(&r)) {
            troupe_json_string string = troupe_json_read_string(&r);

            same = troupe_json_string_copy(&string, back, sizeof(back), &back_len) == 0 && back_len == len &&
                   memcmp(back, text, len) == 0 && troupe_json_string_equal(&string, (troupe_view){text, len});
        }
        same = same && !troupe_json_next_item(&r) && troupe_json_read_end(&r) == 0;
        if (!same) {
            fail_msg("TROUPE_TEST_SEED=%llu, round %u: %.*s", (unsigned long long)seed, round,
                     (int)troupe_json_write_length(&w), json);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds_are_written),
        cmocka_unit_test(test_a_small_buffer_is_not_overrun),
        cmocka_unit_test(test_one_value_at_the_top),
        cmocka_unit_test(test_wrong_order_of_writes),
        cmocka_unit_test(test_values_that_json_does_not_have),
        cmocka_unit_test(test_written_depth_is_bounded),
        cmocka_unit_test(test_a_length_that_cannot_be_counted),
        cmocka_unit_test(test_random_values_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
