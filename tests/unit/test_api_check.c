/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies that the API reads: every fault names the field and says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/check.h"

struct body {
    char name[9];
    uint32_t count, word, inner;
    troupe_view any;
};

static const char *const words[] = {"one", "two", NULL};

static const struct check_field inner_fields[] = {
    {.name = "inner", .type = CHECK_UINT, .max = 9, .offset = offsetof(struct body, inner)},
    {.name = NULL},
};

static const struct check_field fields[] = {
    {.name = "name", .type = CHECK_TEXT, .required = true, .max = 8, .offset = offsetof(struct body, name)},
    {.name = "count", .type = CHECK_UINT, .min = 1, .max = 10, .offset = offsetof(struct body, count)},
    {.name = "word", .type = CHECK_WORD, .words = words, .offset = offsetof(struct body, word)},
    {.name = "any", .type = CHECK_ANY, .offset = offsetof(struct body, any)},
    {.name = "object", .type = CHECK_OBJECT, .fields = inner_fields},
    {.name = NULL},
};

static void a_good_body_fills_the_struct_test(void **state)
{
    static const char json[] = " {\"name\":\"\\u00e9x\", \"count\":10, \"word\":\"two\", \"any\":[1, {\"a\":1e999}], "
                               "\"object\":{\"inner\":3}} ";
    struct body body = {0};
    struct check_fault fault;
    (void)state;
    assert_int_equal(check_object(json, strlen(json), fields, &body, &fault), 0);
    assert_string_equal(body.name, "\xc3\xa9x");
    assert_int_equal(body.count, 10);
    assert_int_equal(body.word, 1);
    assert_int_equal(body.inner, 3);
    assert_true(troupe_view_equal(body.any, troupe_view_of("[1, {\"a\":1e999}]")));
}

static void null_is_as_good_as_absent_test(void **state)
{
    static const char json[] = "{\"name\":\"n\",\"count\":null,\"word\":null,\"object\":null,\"any\":null}";
    struct body body = {.count = 7};
    struct check_fault fault;
    (void)state;
    assert_int_equal(check_object(json, strlen(json), fields, &body, &fault), 0);
    assert_int_equal(body.count, 7);
    assert_true(troupe_view_equal(body.any, troupe_view_of("null")));
}

static void each_fault_is_told_test(void **state)
{
    static const struct { const char *json; int error; const char *field, *detail; } rows[] = {
        {"", TROUPE_E_MALFORMED, "", "send a JSON object"},
        {"{", TROUPE_E_MALFORMED, "", "not JSON"},
        {"{\"name\":\"a\"}x", TROUPE_E_MALFORMED, "", "not JSON"},
        {"{\"name\":\"a\",}", TROUPE_E_MALFORMED, "", "not JSON"},
        {"{\"name\":\"a\",\"any\":[1,]}", TROUPE_E_MALFORMED, "", "not JSON"},
        {"{\"name\":\"\xff\"}", TROUPE_E_MALFORMED, "", "not JSON"},
        {"[]", TROUPE_E_SCHEMA, "", "must be a JSON object"},
        {"null", TROUPE_E_SCHEMA, "", "must be a JSON object"},
        {"{}", TROUPE_E_SCHEMA, "name", "required"},
        {"{\"name\":null}", TROUPE_E_SCHEMA, "name", "text of 1 to 8"},
        {"{\"name\":7}", TROUPE_E_SCHEMA, "name", "text of 1 to 8"},
        {"{\"name\":\"\"}", TROUPE_E_SCHEMA, "name", "text of 1 to 8"},
        {"{\"name\":\"123456789\"}", TROUPE_E_SCHEMA, "name", "text of 1 to 8"},
        {"{\"name\":\"a\\u0000\"}", TROUPE_E_SCHEMA, "name", "text of 1 to 8"},
        {"{\"name\":\"a\",\"name\":\"b\"}", TROUPE_E_SCHEMA, "name", "twice"},
        {"{\"name\":\"a\",\"count\":0}", TROUPE_E_SCHEMA, "count", "from 1 to 10"},
        {"{\"name\":\"a\",\"count\":11}", TROUPE_E_SCHEMA, "count", "from 1 to 10"},
        {"{\"name\":\"a\",\"count\":1.5}", TROUPE_E_SCHEMA, "count", "whole number"},
        {"{\"name\":\"a\",\"count\":\"1\"}", TROUPE_E_SCHEMA, "count", "whole number"},
        {"{\"name\":\"a\",\"word\":\"three\"}", TROUPE_E_SCHEMA, "word", "\"one\", \"two\""},
        {"{\"name\":\"a\",\"word\":1}", TROUPE_E_SCHEMA, "word", "\"one\", \"two\""},
        {"{\"name\":\"a\",\"object\":[]}", TROUPE_E_SCHEMA, "object", "must be an object"},
        {"{\"name\":\"a\",\"object\":{\"inner\":10}}", TROUPE_E_SCHEMA, "object.inner", "from 0 to 9"},
        {"{\"name\":\"a\",\"object\":{\"x\":1}}", TROUPE_E_SCHEMA, "object.x", "the fields are inner"},
        {"{\"name\":\"a\",\"nam\":1}", TROUPE_E_SCHEMA, "nam", "the fields are name, count"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct body body = {0};
        struct check_fault fault = {0};
        int error = check_object(rows[i].json, strlen(rows[i].json), fields, &body, &fault);
        if (error != rows[i].error || strcmp(fault.field, rows[i].field) != 0 || fault.error != error ||
            strstr(fault.detail, rows[i].detail) == NULL)
            fail_msg("%s: %d, field '%s', detail '%s'", rows[i].json, error, fault.field, fault.detail);
    }
}

/* Every prefix of a good body is refused, and nothing is read past its end. */
static void a_body_cut_anywhere_is_refused_test(void **state)
{
    static const char json[] = "{\"name\":\"n\",\"any\":{\"a\":[true,\"\\n\"]},\"object\":{\"inner\":1}}";
    (void)state;
    for (size_t len = 0; len < strlen(json); len++) {
        struct body body = {0};
        struct check_fault fault;
        char *copy = malloc(len + 1);
        memcpy(copy, json, len);
        assert_int_equal(check_object(copy, len, fields, &body, &fault), TROUPE_E_MALFORMED);
        free(copy);
    }
}

static void deep_nesting_is_refused_test(void **state)
{
    char json[400] = "{\"any\":";
    struct body body = {0};
    struct check_fault fault;
    (void)state;
    memset(json + strlen(json), '[', 200);
    assert_int_equal(check_object(json, strlen(json), fields, &body, &fault), TROUPE_E_MALFORMED);
    assert_non_null(strstr(fault.detail, "nested deeper than 64 levels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_body_fills_the_struct_test), cmocka_unit_test(null_is_as_good_as_absent_test),
        cmocka_unit_test(each_fault_is_told_test), cmocka_unit_test(a_body_cut_anywhere_is_refused_test),
        cmocka_unit_test(deep_nesting_is_refused_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
