/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of troupe/json.h, as a behavior uses it. What is JSON and what is not is tested in test_json_suite.c,
 * numbers as text in test_number.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/json.h>

#include "random_input.h"

static void assert_view_equal(troupe_view view, const char *text)
{
    assert_int_equal(view.len, strlen(text));
    assert_memory_equal(view.ptr, text, view.len);
}

static void begin(troupe_json_reader *reader, const char *text) { troupe_json_read_init(reader, text, strlen(text)); }

static void assert_error(troupe_json_reader *reader, int error, size_t offset)
{
    assert_int_equal(troupe_json_read_end(reader), error);
    assert_int_equal(reader->error_offset, offset);
    assert_non_null(reader->reason);
}

/* ---- reading: loops ---- */

/* The example at the head of the header. */
static int64_t read_by(const char *text, int *ret_rc)
{
    troupe_json_reader r;
    troupe_json_string key;
    int64_t by = 1;

    begin(&r, text);
    while (troupe_json_next_member(&r, &key)) {
        if (troupe_json_key_is(&key, "by")) {
            by = troupe_json_read_int(&r, -1000, 1000);
        } else {
            troupe_json_skip(&r);
        }
    }
    *ret_rc = troupe_json_read_end(&r);
    return by;
}

static void test_a_behavior_reads_its_body(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t by;
    } rows[] = {
        {"{\"by\":2}", 0, 2},
        {"{}", 0, 1},
        {" { \"x\" : [1, {\"by\": 9}], \"by\" : -7 , \"y\" : null } ", 0, -7},
        {"{\"b\\u0079\":5}", 0, 5},
        {"{\"by\":2,\"by\":3}", 0, 3}, /* the last one wins */
        {"{\"bye\":2,\"b\":3,\"\":4}", 0, 1},
        {"{\"by\":1001}", TROUPE_E_INVALID, 0},
        {"{\"by\":\"2\"}", TROUPE_E_INVALID, 0},
        {"{\"by\":2", TROUPE_E_MALFORMED, 2},
        {"{\"by\":2} x", TROUPE_E_MALFORMED, 2},
        {"[]", TROUPE_E_INVALID, 1},
        {"", TROUPE_E_MALFORMED, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc;

        assert_int_equal(read_by(rows[i].text, &rc), rows[i].by);
        assert_int_equal(rc, rows[i].rc);
    }
}

static void test_loops_inside_loops(void **state)
{
    static const char text[] = "{\"rows\":[[1,2],[],[3]],\"o\":{\"a\":{},\"b\":[]},\"n\":10}";
    troupe_json_reader r;
    troupe_json_string key, inner;
    int64_t sum = 0;
    int rows = 0, members = 0;

    (void)state;
    begin(&r, text);
    while (troupe_json_next_member(&r, &key)) {
        if (troupe_json_key_is(&key, "rows")) {
            while (troupe_json_next_item(&r)) {
                rows++;
                while (troupe_json_next_item(&r)) {
                    sum += troupe_json_read_int(&r, 0, 10);
                }
            }
        } else if (troupe_json_key_is(&key, "o")) {
            while (troupe_json_next_member(&r, &inner)) {
                members++;
                troupe_json_skip(&r);
            }
        } else {
            sum += troupe_json_read_int(&r, 0, 10);
        }
    }
    assert_int_equal(troupe_json_read_end(&r), 0);
    assert_int_equal(rows, 3);
    assert_int_equal(members, 2);
    assert_int_equal(sum, 16);
}

static void test_a_loop_may_leave_early(void **state)
{
    troupe_json_reader r;
    troupe_json_string key;
    int64_t first = 0, last = 0;

    (void)state;
    begin(&r, "{\"a\":[5,[6],{\"x\":7}],\"b\":{\"c\":1,\"d\":[2]},\"e\":8}");
    while (troupe_json_next_member(&r, &key)) {
        if (troupe_json_key_is(&key, "a") && troupe_json_next_item(&r)) {
            first = troupe_json_read_int(&r, 0, 9);
            troupe_json_leave(&r); /* behind an item */
        } else if (troupe_json_key_is(&key, "b") && troupe_json_next_member(&r, &key)) {
            troupe_json_leave(&r); /* before a value */
        } else {
            last = troupe_json_read_int(&r, 0, 9);
        }
    }
    assert_int_equal(troupe_json_read_end(&r), 0);
    assert_int_equal(first, 5);
    assert_int_equal(last, 8);

    begin(&r, "[1, tru]");
    assert_true(troupe_json_next_item(&r));
    troupe_json_leave(&r); /* what is left is checked */
    assert_error(&r, TROUPE_E_MALFORMED, 4);
    begin(&r, "1");
    troupe_json_leave(&r);
    assert_error(&r, TROUPE_E_STATE, 0);
}

/* A body that forgets to read a value must not loop for ever, and must not go unnoticed, whatever the value is. */
static void test_a_value_that_is_not_read_is_noticed(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1}", "{\"a\":{}}", "{\"a\":{\"b\":1}}", "{\"a\":[]}", "{\"a\":\"\",\"b\":2}",
        "[1]",       "[[]]",       "[[[1]],2]"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        troupe_json_reader r;
        troupe_json_string key;
        unsigned rounds = 0;

        begin(&r, texts[i]);
        while (texts[i][0] == '{' ? troupe_json_next_member(&r, &key) : troupe_json_next_item(&r)) {
            assert_true(++rounds < 10);
        }
        assert_int_not_equal(troupe_json_read_end(&r), 0);
    }
}

static void test_wrong_order_of_calls(void **state)
{
    troupe_json_reader r;
    troupe_json_string key;

    (void)state;
    begin(&r, "[1]"); /* nothing is read */
    assert_error(&r, TROUPE_E_STATE, 0);

    begin(&r, "1 ");
    assert_int_equal(troupe_json_read_int(&r, 0, 9), 1);
    assert_int_equal(troupe_json_read_int(&r, 0, 9), 0); /* a second value */
    assert_error(&r, TROUPE_E_STATE, 1);

    begin(&r, "[1,2]");
    assert_true(troupe_json_next_item(&r));
    assert_int_equal(troupe_json_read_int(&r, 0, 9), 1);
    assert_false(troupe_json_next_member(&r, &key)); /* in an array */
    assert_error(&r, TROUPE_E_STATE, 2);

    begin(&r, "{\"a\":1}");
    assert_true(troupe_json_next_member(&r, &key));
    troupe_json_skip(&r);
    assert_false(troupe_json_next_item(&r)); /* in an object */
    assert_error(&r, TROUPE_E_STATE, 6);

    begin(&r, "[1,2]");
    assert_true(troupe_json_next_item(&r));
    troupe_json_skip(&r);
    assert_error(&r, TROUPE_E_STATE, 2); /* the loop was left without troupe_json_leave */

    begin(&r, "{}");
    assert_false(troupe_json_next_member(&r, &key));
    assert_false(troupe_json_next_member(&r, &key)); /* behind the end */
    assert_error(&r, TROUPE_E_STATE, 2);
}

/* ---- reading: values ---- */

static void test_integers_have_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int rc;
        int64_t value;
    } rows[] = {
        {"0", INT64_MIN, INT64_MAX, 0, 0},
        {"-0", INT64_MIN, INT64_MAX, 0, 0},
        {"-0", 0, 0, 0, 0},
        {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
        {"-9223372036854775808", INT64_MIN, INT64_MIN, 0, INT64_MIN},
        {"9223372036854775808", INT64_MIN, INT64_MAX, TROUPE_E_INVALID, 0},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, TROUPE_E_INVALID, 0},
        {"-9223372036854775808", -5, 5, TROUPE_E_INVALID, 0},
        {"18446744073709551617", INT64_MIN, INT64_MAX, TROUPE_E_INVALID, 0},
        {"-5", -5, 5, 0, -5},
        {"-6", -5, 5, TROUPE_E_INVALID, 0},
        {"5", -5, 5, 0, 5},
        {"6", -5, 5, TROUPE_E_INVALID, 0},
        {"1.0", -5, 5, TROUPE_E_INVALID, 0},
        {"1e0", -5, 5, TROUPE_E_INVALID, 0},
        {"\"1\"", -5, 5, TROUPE_E_INVALID, 0},
        {"null", -5, 5, TROUPE_E_INVALID, 0},
        {"-", -5, 5, TROUPE_E_MALFORMED, 0},
        {"01", -5, 5, TROUPE_E_MALFORMED, 0},
        {"+1", -5, 5, TROUPE_E_MALFORMED, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        troupe_json_reader r;

        begin(&r, rows[i].text);
        assert_true(troupe_json_read_int(&r, rows[i].min, rows[i].max) == rows[i].value);
        assert_int_equal(troupe_json_read_end(&r), rows[i].rc);
    }
}

static void test_unsigned_integers_have_a_bound(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        int rc;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0, 0},
        {"-0", 0, 0, 0},
        {"-1", UINT64_MAX, TROUPE_E_INVALID, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, TROUPE_E_INVALID, 0},
        {"65535", 65535, 0, 65535},
        {"65536", 65535, TROUPE_E_INVALID, 0},
        {"1.5", 65535, TROUPE_E_INVALID, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        troupe_json_reader r;

        begin(&r, rows[i].text);
        assert_true(troupe_json_read_uint(&r, rows[i].max) == rows[i].value);
        assert_int_equal(troupe_json_read_end(&r), rows[i].rc);
    }
}

static void test_doubles(void **state)
{
    static const struct {
        const char *text;
        int rc;
        double value;
    } rows[] = {
        {"0.1", 0, 0.1},
        {"-2", 0, -2},
        {"1e-400", 0, 0},
        {"1e400", TROUPE_E_INVALID, 0},
        {"-1e400", TROUPE_E_INVALID, 0},
        {"\"1\"", TROUPE_E_INVALID, 0},
        {"1.", TROUPE_E_MALFORMED, 0},
        {"Infinity", TROUPE_E_MALFORMED, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        troupe_json_reader r;

        begin(&r, rows[i].text);
        assert_true(troupe_json_read_double(&r) == rows[i].value);
        assert_int_equal(troupe_json_read_end(&r), rows[i].rc);
    }
}

static void test_words(void **state)
{
    troupe_json_reader r;

    (void)state;
    begin(&r, "[true,false,null]");
    assert_true(troupe_json_next_item(&r));
    assert_true(troupe_json_read_bool(&r));
    assert_true(troupe_json_next_item(&r));
    assert_false(troupe_json_read_bool(&r));
    assert_true(troupe_json_next_item(&r));
    troupe_json_read_null(&r);
    assert_false(troupe_json_next_item(&r));
    assert_int_equal(troupe_json_read_end(&r), 0);

    begin(&r, "1");
    assert_false(troupe_json_read_bool(&r));
    assert_error(&r, TROUPE_E_INVALID, 0);
    begin(&r, "truE");
    assert_false(troupe_json_read_bool(&r));
    assert_error(&r, TROUPE_E_MALFORMED, 0);
    begin(&r, "false");
    troupe_json_read_null(&r);
    assert_error(&r, TROUPE_E_INVALID, 0);
}

static void test_strings_are_borrowed_or_decoded(void **state)
{
    troupe_json_reader r;
    troupe_json_string string;
    char buf[64];
    size_t len = 99;

    (void)state;
    begin(&r, "\"plain \303\251\"");
    string = troupe_json_read_string(&r);
    assert_int_equal(troupe_json_read_end(&r), 0);
    assert_false(string.escaped);
    assert_ptr_equal(string.raw.ptr, r.start + 1); /* no copy */
    assert_view_equal(string.raw, "plain \303\251");
    assert_int_equal(troupe_json_string_copy(&string, buf, 8, &len), 0);
    assert_int_equal(len, 8);
    assert_int_equal(troupe_json_string_copy(&string, buf, 7, &len), TROUPE_E_TOO_LARGE);
    assert_int_equal(len, 8); /* untouched */

    begin(&r, "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u0041\\u00e9\\u20AC\\ud834\\udd1Ez\"");
    string = troupe_json_read_string(&r);
    assert_int_equal(troupe_json_read_end(&r), 0);
    assert_true(string.escaped);
    assert_int_equal(troupe_json_string_copy(&string, buf, sizeof(buf), &len), 0);
    assert_int_equal(len, 21);
    assert_memory_equal(buf, "a\"\\/\b\f\n\r\t\0A\303\251\342\202\254\360\235\204\236z", 21);
    assert_true(troupe_json_string_equal(&string, (troupe_view){buf, len}));
    assert_false(troupe_json_string_equal(&string, (troupe_view){buf, len - 1}));
    assert_false(troupe_json_string_equal(&string, (troupe_view){buf, 0}));
    buf[len] = 'z';
    assert_false(troupe_json_string_equal(&string, (troupe_view){buf, len + 1}));
    buf[12] ^= 1;
    assert_false(troupe_json_string_equal(&string, (troupe_view){buf, len}));
    for (size_t cap = 0; cap < 21; cap++) {
        char *exact = malloc(cap + 1);

        assert_non_null(exact);
        assert_int_equal(troupe_json_string_copy(&string, exact, cap, &len), TROUPE_E_TOO_LARGE);
        free(exact);
    }

    begin(&r, "\"\"");
    string = troupe_json_read_string(&r);
    assert_int_equal(troupe_json_string_copy(&string, NULL, 0, &len), 0);
    assert_int_equal(len, 0);
    assert_true(troupe_json_key_is(&string, ""));
    begin(&r, "[]");
    string = troupe_json_read_string(&r);
    assert_int_equal(string.raw.len, 0);
    assert_error(&r, TROUPE_E_INVALID, 0);
}

/* The eight bytes that are looked at together: a byte that ends them, at each place in strings of each length. */
static void test_each_place_of_a_special_byte_in_a_string(void **state)
{
    static const char special[] = "\"\\\001\037\200\377\303";

    (void)state;
    for (size_t len = 1; len < 28; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof(special); i++) { /* with the zero byte at its end */
                char text[32];
                char *input;
                size_t offset = 0;

                memset(text, i % 2 ? '!' : '~', sizeof(text));
                text[0] = '"';
                text[1 + at] = special[i];
                text[1 + len] = '"';
                input = exact_copy(text, len + 2);
                assert_int_equal(troupe_json_validate(input, len + 2, &offset), TROUPE_E_MALFORMED);
                /* a quote ends the string; a backslash before the quote that should end it hides that one */
                assert_int_equal(offset, special[i] == '"'                     ? at + 2
                                         : special[i] == '\\' && at == len - 1 ? len + 2
                                                                               : at + 1);
                free(input);
            }
        }
    }
}

static void test_text_is_a_c_string(void **state)
{
    troupe_json_reader r;
    char buf[6];

    (void)state;
    begin(&r, "\"12345\"");
    assert_int_equal(troupe_json_read_text(&r, buf, sizeof(buf)), 5);
    assert_string_equal(buf, "12345");
    assert_int_equal(troupe_json_read_end(&r), 0);

    begin(&r, " \"123456\"");
    assert_int_equal(troupe_json_read_text(&r, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");
    assert_error(&r, TROUPE_E_INVALID, 1);

    begin(&r, "\"12\\u00003\""); /* would end the C string early */
    assert_int_equal(troupe_json_read_text(&r, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");
    assert_error(&r, TROUPE_E_INVALID, 0);

    begin(&r, "7");
    buf[0] = 'x';
    assert_int_equal(troupe_json_read_text(&r, buf, 1), 0);
    assert_string_equal(buf, "");
    assert_error(&r, TROUPE_E_INVALID, 0);

    begin(&r, "\"\"");
    assert_int_equal(troupe_json_read_text(&r, buf, 0), 0);
    assert_error(&r, TROUPE_E_STATE, 0);
}

static void test_raw_values_are_slices_of_the_input(void **state)
{
    static const char text[] = " {\"a\" : [ 1 , { \"b\" : \"]\" } ] , \"c\":\t-1.50 }";
    troupe_json_reader r;
    troupe_json_string key;
    troupe_view raw;

    (void)state;
    begin(&r, text);
    assert_true(troupe_json_next_member(&r, &key));
    raw = troupe_json_read_raw(&r);
    assert_ptr_equal(raw.ptr, text + 8);
    assert_view_equal(raw, "[ 1 , { \"b\" : \"]\" } ]");
    assert_true(troupe_json_next_member(&r, &key));
    assert_view_equal(troupe_json_read_raw(&r), "-1.50");
    assert_false(troupe_json_next_member(&r, &key));
    assert_int_equal(troupe_json_read_end(&r), 0);

    begin(&r, "[ 1 , { \"b\" : tru } ]");
    assert_int_equal(troupe_json_read_raw(&r).len, 0);
    assert_error(&r, TROUPE_E_MALFORMED, 14);
}

static void test_peek_tells_the_type(void **state)
{
    static const struct {
        const char *text;
        enum troupe_json_type type;
    } rows[] = {
        {" null", TROUPE_JSON_NULL}, {"true", TROUPE_JSON_BOOL}, {"false", TROUPE_JSON_BOOL},
        {"-1", TROUPE_JSON_NUMBER},  {"0", TROUPE_JSON_NUMBER},  {"\"\"", TROUPE_JSON_STRING},
        {"[", TROUPE_JSON_ARRAY},    {"{", TROUPE_JSON_OBJECT},  {"", TROUPE_JSON_NONE},
        {"x", TROUPE_JSON_NONE},     {"}", TROUPE_JSON_NONE},    {",", TROUPE_JSON_NONE},
    };
    troupe_json_reader r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&r, rows[i].text);
        assert_int_equal(troupe_json_peek(&r), rows[i].type);
    }
    begin(&r, "[1]");
    assert_true(troupe_json_next_item(&r));
    troupe_json_skip(&r);
    assert_int_equal(troupe_json_peek(&r), TROUPE_JSON_NONE); /* behind a value */
}

/* ---- reading: errors ---- */

static void test_the_first_error_stays(void **state)
{
    troupe_json_reader r;
    troupe_json_string key;
    char buf[4];

    (void)state;
    begin(&r, "{\"a\":1,\"b\":true,\"c\":[}");
    assert_true(troupe_json_next_member(&r, &key));
    assert_int_equal(troupe_json_read_string(&r).raw.len, 0);
    assert_int_equal(r.error, TROUPE_E_INVALID);
    assert_true(troupe_json_key_is(&r.key, "a")); /* names the field */
    assert_false(troupe_json_next_member(&r, &key));
    assert_false(troupe_json_next_item(&r));
    assert_int_equal(troupe_json_peek(&r), TROUPE_JSON_NONE);
    assert_int_equal(troupe_json_read_int(&r, 5, 9), 0);
    assert_int_equal(troupe_json_read_uint(&r, 9), 0);
    assert_true(troupe_json_read_double(&r) == 0);
    assert_false(troupe_json_read_bool(&r));
    troupe_json_read_null(&r);
    assert_int_equal(troupe_json_read_text(&r, buf, sizeof(buf)), 0);
    assert_int_equal(troupe_json_read_raw(&r).len, 0);
    troupe_json_skip(&r);
    troupe_json_leave(&r);
    troupe_json_fail(&r, TROUPE_E_SCHEMA, "another");
    assert_error(&r, TROUPE_E_INVALID, 5);
}

static void test_a_rule_of_the_caller(void **state)
{
    troupe_json_reader r;
    troupe_json_string key;

    (void)state;
    begin(&r, "{\"min\":1, \"max\": 0}");
    assert_true(troupe_json_next_member(&r, &key));
    troupe_json_skip(&r);
    assert_true(troupe_json_next_member(&r, &key));
    if (troupe_json_read_int(&r, 0, 9) == 0) {
        troupe_json_fail(&r, TROUPE_E_SCHEMA, "max must not be 0");
    }
    assert_false(troupe_json_next_member(&r, &key));
    assert_string_equal(r.reason, "max must not be 0");
    assert_true(troupe_json_key_is(&r.key, "max"));
    assert_error(&r, TROUPE_E_SCHEMA, 17);
}

static void test_offsets_of_errors(void **state)
{
    static const struct {
        const char *text;
        int error;
        size_t offset;
    } rows[] = {
        {"", TROUPE_E_MALFORMED, 0},
        {"  ", TROUPE_E_MALFORMED, 2},
        {"\357\273\2771", TROUPE_E_MALFORMED, 0},
        {"[1,]", TROUPE_E_MALFORMED, 3},
        {"[1 2]", TROUPE_E_MALFORMED, 3},
        {"[1", TROUPE_E_MALFORMED, 2},
        {"{\"a\" 1}", TROUPE_E_MALFORMED, 5},
        {"{1}", TROUPE_E_MALFORMED, 1},
        {"{\"a\":1,}", TROUPE_E_MALFORMED, 7},
        {"\"ab\003\"", TROUPE_E_MALFORMED, 3},
        {"\"ab\\x\"", TROUPE_E_MALFORMED, 3},
        {"\"ab\\u12\"", TROUPE_E_MALFORMED, 3},
        {"\"ab\\ud800\"", TROUPE_E_MALFORMED, 3},
        {"\"ab\377\"", TROUPE_E_MALFORMED, 3},
        {"\"ab", TROUPE_E_MALFORMED, 3},
        {"[01]", TROUPE_E_MALFORMED, 1},
        {"[1.]", TROUPE_E_MALFORMED, 3},
        {"[-]", TROUPE_E_MALFORMED, 2},
        {"[1e]", TROUPE_E_MALFORMED, 3},
        {"[nule]", TROUPE_E_MALFORMED, 1},
        {"[1] 2", TROUPE_E_MALFORMED, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t offset = SIZE_MAX;

        assert_int_equal(troupe_json_validate(rows[i].text, strlen(rows[i].text), &offset), rows[i].error);
        assert_int_equal(offset, rows[i].offset);
    }
}

static void test_no_input_at_all(void **state)
{
    size_t offset = 9;
    troupe_view slice;

    (void)state;
    assert_int_equal(troupe_json_validate(NULL, 0, &offset), TROUPE_E_MALFORMED);
    assert_int_equal(offset, 0);
    assert_int_equal(troupe_json_find(NULL, 0, "a", &slice), TROUPE_E_MALFORMED);
}

/* ---- depth ---- */

static size_t nest(char *text, size_t depth, bool objects)
{
    size_t len = 0;

    for (size_t i = 0; i < depth; i++) {
        bool object = objects && i % 2 == 1;

        memcpy(text + len, object ? "{\"\":" : "[", object ? 4 : 1);
        len += object ? 4 : 1;
    }
    text[len++] = '0';
    for (size_t i = depth; i-- > 0;) {
        text[len++] = objects && i % 2 == 1 ? '}' : ']';
    }
    return len;
}

static void test_depth_is_bounded(void **state)
{
    char text[1024];

    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        troupe_json_reader r;
        troupe_json_string key;
        size_t offset = SIZE_MAX;
        size_t len = nest(text, TROUPE_JSON_DEPTH_MAX, objects);
        unsigned depth = 0;

        assert_int_equal(troupe_json_validate(text, len, NULL), 0);

        /* by steps half-way down, then as a raw value: the limit is the same one */
        len = nest(text, TROUPE_JSON_DEPTH_MAX + 1, objects);
        assert_int_equal(troupe_json_validate(text, len, &offset), TROUPE_E_MALFORMED);
        troupe_json_read_init(&r, text, len);
        while (depth < 30 &&
               (objects && depth % 2 == 1 ? troupe_json_next_member(&r, &key) : troupe_json_next_item(&r))) {
            depth++;
        }
        assert_int_equal(depth, 30);
        troupe_json_skip(&r);
        assert_error(&r, TROUPE_E_MALFORMED, offset);

        /* by steps only */
        troupe_json_read_init(&r, text, len);
        for (depth = 0; objects && depth % 2 == 1 ? troupe_json_next_member(&r, &key) : troupe_json_next_item(&r);) {
            depth++;
        }
        assert_int_equal(depth, TROUPE_JSON_DEPTH_MAX);
        assert_error(&r, TROUPE_E_MALFORMED, offset);
    }
}

/* ---- a text as a whole ---- */

static void test_find(void **state)
{
    static const char text[] = "{\"a\": {\"b\":1} ,\"b\":[2 ],\"a\":\"last\",\"\\u0063\":3}";
    troupe_view slice = {NULL, 0};

    (void)state;
    assert_int_equal(troupe_json_find(text, sizeof(text) - 1, "b", &slice), 0);
    assert_view_equal(slice, "[2 ]");
    assert_int_equal(troupe_json_find(text, sizeof(text) - 1, "a", &slice), 0);
    assert_view_equal(slice, "\"last\"");
    assert_int_equal(troupe_json_find(text, sizeof(text) - 1, "c", &slice), 0);
    assert_view_equal(slice, "3");
    assert_int_equal(troupe_json_find(text, sizeof(text) - 1, "d", &slice), TROUPE_E_NOT_FOUND);
    assert_int_equal(troupe_json_find("[1]", 3, "a", &slice), TROUPE_E_INVALID);
    assert_int_equal(troupe_json_find("{\"a\":1}x", 8, "a", &slice), TROUPE_E_MALFORMED);
    assert_int_equal(troupe_json_find("{\"a\":1,\"b\":[}", 13, "a", &slice), TROUPE_E_MALFORMED);
    assert_view_equal(slice, "3"); /* untouched by all that failed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_behavior_reads_its_body),
        cmocka_unit_test(test_loops_inside_loops),
        cmocka_unit_test(test_a_loop_may_leave_early),
        cmocka_unit_test(test_a_value_that_is_not_read_is_noticed),
        cmocka_unit_test(test_wrong_order_of_calls),
        cmocka_unit_test(test_integers_have_bounds),
        cmocka_unit_test(test_unsigned_integers_have_a_bound),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_strings_are_borrowed_or_decoded),
        cmocka_unit_test(test_each_place_of_a_special_byte_in_a_string),
        cmocka_unit_test(test_text_is_a_c_string),
        cmocka_unit_test(test_raw_values_are_slices_of_the_input),
        cmocka_unit_test(test_peek_tells_the_type),
        cmocka_unit_test(test_the_first_error_stays),
        cmocka_unit_test(test_a_rule_of_the_caller),
        cmocka_unit_test(test_offsets_of_errors),
        cmocka_unit_test(test_no_input_at_all),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
