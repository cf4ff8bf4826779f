/* SPDX-License-Identifier: Apache-2.0
 *
 * The error table: every row can be found by its number and by its code, and no two rows share either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/error.h>

/* The numbers of the rows, by another use of the table. */
static const int expected[] = {
#define TROUPE_ERROR(name, number, code, http, retry, outcome, text) TROUPE_E_##name,
#include <troupe/error.def>
#undef TROUPE_ERROR
};

#define EXPECTED_COUNT (sizeof(expected) / sizeof(expected[0]))

static void test_each_row_is_found_by_its_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXPECTED_COUNT; i++) {
        const troupe_error_info *info = troupe_error_at(i);

        assert_non_null(info);
        assert_int_equal(info->error, expected[i]);
        assert_ptr_equal(troupe_error_lookup(expected[i]), info);
    }
    assert_null(troupe_error_at(EXPECTED_COUNT));
    assert_null(troupe_error_at(UINT32_MAX));
}

static void test_each_row_is_found_by_its_code(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXPECTED_COUNT; i++) {
        const troupe_error_info *info = troupe_error_at(i);

        assert_ptr_equal(troupe_error_by_code(info->code), info); /* also: no two rows have the same code */
    }
    assert_null(troupe_error_by_code("no_such_code"));
    assert_null(troupe_error_by_code("mailbox_ful"));
    assert_null(troupe_error_by_code(""));
    assert_null(troupe_error_by_code(NULL));
}

static void test_an_unknown_number_is_internal(void **state)
{
    (void)state;
    assert_int_equal(troupe_error_lookup(-100000)->error, TROUPE_E_INTERNAL);
    assert_int_equal(troupe_error_lookup(7)->error, TROUPE_E_INTERNAL);
    assert_int_equal(troupe_error_lookup(TROUPE_OK)->error, TROUPE_E_INTERNAL);
}

static void test_rows_keep_the_rules_of_the_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXPECTED_COUNT; i++) {
        const troupe_error_info *info = troupe_error_at(i);
        size_t len = strlen(info->text);

        assert_true(info->error < 0);
        assert_in_range(info->http_status, 400, 599);
        assert_in_range(strspn(info->code, "abcdefghijklmnopqrstuvwxyz_"), 1, 64);
        assert_int_equal(info->code[strspn(info->code, "abcdefghijklmnopqrstuvwxyz_")], '\0');
        assert_true(len > 0 && info->text[len - 1] != '.');
        if (info->outcome == TROUPE_OUTCOME_UNKNOWN) {
            assert_int_not_equal(info->retry, TROUPE_RETRY_YES); /* it might happen twice */
        }
    }
}

static void test_a_row_has_what_the_table_says(void **state)
{
    const troupe_error_info *info = troupe_error_lookup(TROUPE_E_FULL);

    (void)state;
    assert_int_equal(TROUPE_E_FULL, -8);
    assert_string_equal(info->code, "mailbox_full");
    assert_string_equal(info->text, "The mailbox is full");
    assert_int_equal(info->http_status, 429);
    assert_int_equal(info->retry, TROUPE_RETRY_YES);
    assert_int_equal(info->outcome, TROUPE_OUTCOME_NOT_DONE);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(troupe_retry_word(TROUPE_RETRY_NO), "no");
    assert_string_equal(troupe_retry_word(TROUPE_RETRY_IF_IDEMPOTENT), "if_idempotent");
    assert_string_equal(troupe_retry_word(TROUPE_RETRY_YES), "yes");
    assert_string_equal(troupe_outcome_word(TROUPE_OUTCOME_NOT_DONE), "not_done");
    assert_string_equal(troupe_outcome_word(TROUPE_OUTCOME_UNKNOWN), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_is_found_by_its_number), cmocka_unit_test(test_each_row_is_found_by_its_code),
        cmocka_unit_test(test_an_unknown_number_is_internal),   cmocka_unit_test(test_rows_keep_the_rules_of_the_table),
        cmocka_unit_test(test_a_row_has_what_the_table_says),   cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
