/* SPDX-License-Identifier: Apache-2.0
 *
 * What the CLI prints and reads: tables, YAML, durations, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/yaml.h"

/* ---- tables ---- */

static const struct table_column columns[] = {{"NAME", false, false}, {"DEPTH", true, false}, {"STATE", false, true}};

static void add(struct table *table, const char *name, const char *depth, const char *state)
{
    const char *const cells[] = {name, depth, state};
    assert_int_equal(table_add(table, cells), 0);
}

static void test_columns_are_two_spaces_apart_and_nothing_is_cut(void **state)
{
    struct table table;
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    (void)state;

    assert_non_null(file);
    table_init(&table, columns, 3);
    add(&table, "a", "1", "running");
    add(&table, "a-rather-long-name", "1000000", "ok");
    add(&table, "caf\xc3\xa9", "20", "x");
    table_write(&table, file);
    table_fini(&table);
    fclose(file);
    assert_string_equal(text, "NAME                  DEPTH  STATE\n"
                              "a                         1  running\n"
                              "a-rather-long-name  1000000  ok\n"
                              "caf\xc3\xa9                     20  x\n");
    free(text);
}

/* The title is written once, also without rows, and a later page keeps the widths of the first. */
static void test_pages_are_one_table(void **state)
{
    struct table table;
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    (void)state;

    assert_non_null(file);
    table_init(&table, columns, 3);
    table_write(&table, file);
    add(&table, "abcdef", "1", "x");
    table_write(&table, file);
    add(&table, "a", "2", "y\x1b[2J");
    table_write(&table, file);
    add(&table, "left", "3", "unwritten rows are released");
    table_fini(&table);
    fclose(file);
    assert_string_equal(text, "NAME  DEPTH  STATE\n"
                              "abcdef      1  x\n"
                              "a           2  y\\x1b[2J\n");
    free(text);
}

static void test_a_table_of_many_rows(void **state)
{
    struct table table;
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    (void)state;

    assert_non_null(file);
    table_init(&table, columns, 3);
    for (int i = 0; i < 1000; i++) {
        add(&table, "name", "1", "s");
    }
    table_write(&table, file);
    table_fini(&table);
    fclose(file);
    assert_int_equal(len, strlen("NAME  DEPTH  STATE\n") + 1000 * strlen("name      1  s\n"));
    free(text);
}

/* ---- YAML ---- */

static void check_yaml(const char *json, const char *yaml)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    json_t *document = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    assert_non_null(file);
    assert_non_null(document);
    yaml_write(document, file);
    json_decref(document);
    fclose(file);
    assert_string_equal(text, yaml);
    free(text);
}

static void test_yaml_blocks(void **state)
{
    (void)state;
    check_yaml("{\"a\":1,\"b\":{\"c\":[1,\"x\"],\"d\":{}},\"e\":[]}",
               "a: 1\nb:\n  c:\n    - 1\n    - x\n  d: {}\ne: []\n");
    check_yaml("[[1,[2]],{\"a\":1,\"b\":[]},[]]", "- - 1\n  - - 2\n- a: 1\n  b: []\n- []\n");
    check_yaml("{}", "{}\n");
    check_yaml("[]", "[]\n");
    check_yaml("\"x\"", "x\n");
    check_yaml("null", "null\n");
}

static void test_yaml_scalars(void **state)
{
    static const char *const rows[][2] = {
        {"true", "true\n"}, {"false", "false\n"},  {"-9223372036854775808", "-9223372036854775808\n"}, {"0.1", "0.1\n"},
        {"1.0", "1.0\n"},   {"1e300", "1e+300\n"}, {"0.30000000000000004", "0.30000000000000004\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_yaml(rows[i][0], rows[i][1]);
    }
}

/* A string that a reader could take for something else is quoted. */
static void test_yaml_strings(void **state)
{
    static const char *const rows[][2] = {
        {"\"running\"", "running\n"},
        {"\"n.4tq8v1m02x7kc.3f.1\"", "n.4tq8v1m02x7kc.3f.1\n"},
        {"\"drop_oldest\"", "drop_oldest\n"},
        {"\"application/json\"", "application/json\n"},
        {"\"\"", "\"\"\n"},
        {"\"true\"", "\"true\"\n"},
        {"\"No\"", "\"No\"\n"},
        {"\"NULL\"", "\"NULL\"\n"},
        {"\"y\"", "\"y\"\n"},
        {"\"~\"", "\"~\"\n"},
        {"\"1.0.0\"", "\"1.0.0\"\n"},
        {"\"12\"", "\"12\"\n"},
        {"\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00Z\"\n"},
        {"\"http://x\"", "\"http://x\"\n"},
        {"\"a: b\"", "\"a: b\"\n"},
        {"\"a #b\"", "\"a #b\"\n"},
        {"\"- a\"", "\"- a\"\n"},
        {"\"-\"", "\"-\"\n"},
        {"\"@hits\"", "\"@hits\"\n"},
        {"\"a b\"", "\"a b\"\n"},
        {"\" a\"", "\" a\"\n"},
        {"\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"\n"},
        {"\"a\\nb\\tc\\u0001\\u007f\\u0085\"", "\"a\\nb\\tc\\x01\\x7F\\x85\"\n"},
        {"\"a\\u0000b\"", "\"a\\x00b\"\n"},
        {"\"\\u2028\\ufeff\"", "\"\\u2028\\uFEFF\"\n"},
        {"\"caf\\u00e9 \\ud83d\\ude00\"", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_yaml(rows[i][0], rows[i][1]);
    }
    check_yaml("{\"yes\":1,\"a b\":2}", "\"yes\": 1\n\"a b\": 2\n");
}

/* ---- values ---- */

static void test_durations_are_read(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms; /* 0: refused */
    } rows[] = {
        {"1ms", 1},
        {"500ms", 500},
        {"5s", 5000},
        {"2m", 120000},
        {"1h", 3600000},
        {"24h", 86400000},
        {"86400000ms", 86400000},
        {"007s", 7000},
        {"0s", 0},
        {"", 0},
        {"5", 0},
        {"s", 0},
        {"5 s", 0},
        {"5S", 0},
        {"-5s", 0},
        {"+5s", 0},
        {"5s ", 0},
        {"1.5s", 0},
        {"25h", 0},
        {"86400001ms", 0},
        {"99999999999999999999s", 0},
        {"1d", 0},
        {"0x5s", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t ms = 77;
        int rc = cli_duration_parse(rows[i].text, &ms);
        assert_int_equal(rc, rows[i].ms != 0 ? 0 : TROUPE_E_INVALID);
        assert_int_equal(ms, rows[i].ms != 0 ? rows[i].ms : 77);
    }
}

static void test_counts_are_read(void **state)
{
    uint64_t count = 77;
    (void)state;

    assert_int_equal(cli_count_parse("0", 9, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(cli_count_parse("9", 9, &count), 0);
    assert_int_equal(count, 9);
    assert_int_equal(cli_count_parse("18446744073709551615", UINT64_MAX, &count), 0);
    assert_true(count == UINT64_MAX);
    assert_int_equal(cli_count_parse("18446744073709551616", UINT64_MAX, &count), TROUPE_E_INVALID);
    assert_int_equal(cli_count_parse("10", 9, &count), TROUPE_E_INVALID);
    assert_int_equal(cli_count_parse("", 9, &count), TROUPE_E_INVALID);
    assert_int_equal(cli_count_parse("-1", 9, &count), TROUPE_E_INVALID);
    assert_int_equal(cli_count_parse("1x", 9, &count), TROUPE_E_INVALID);
    assert_int_equal(cli_count_parse("5", 3, &count), TROUPE_E_INVALID);
    assert_true(count == UINT64_MAX); /* untouched by failures */
}

static void test_durations_are_written_for_people(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{-1, "-"},           {0, "0.0s"},
                {3299, "3.2s"},      {59999, "59.9s"},
                {60000, "1m00s"},    {3599999, "59m59s"},
                {3600000, "1h00m"},  {86399999, "23h59m"},
                {86400000, "1d00h"}, {INT64_MAX, "106751991167d07h"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        cli_duration_format(rows[i].ms, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_bytes_are_written_for_people(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0 B"},
                {1023, "1023 B"},
                {1024, "1.0 KiB"},
                {1048525, "1.0 MiB"}, /* not 1024.0 KiB */
                {3u << 20, "3.0 MiB"},
                {UINT64_C(19) << 30, "19.0 GiB"},
                {UINT64_C(5) << 50, "5120.0 TiB"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        cli_bytes_format(rows[i].bytes, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

/* ---- commands ---- */

static void test_a_misspelt_command_is_guessed(void **state)
{
    (void)state;
    assert_string_equal(cli_command_guess("spwan"), "spawn");
    assert_string_equal(cli_command_guess("list"), "ls");
    assert_string_equal(cli_command_guess("versoin"), "version");
    assert_string_equal(cli_command_guess("pawn"), "spawn");
    assert_null(cli_command_guess("frobnicate"));
    assert_null(cli_command_guess(""));
    assert_null(cli_command_guess("a-word-that-is-longer-than-any-command"));
}

/* Each entry of the table is complete, and its texts can stand inside the quotes of any shell. */
static void test_each_command_is_complete(void **state)
{
    (void)state;
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        assert_ptr_equal(cli_command_find((*at)->name), *at);
        assert_non_null((*at)->run);
        assert_true((*at)->args_min <= (*at)->args_max && (*at)->args_max <= CLI_ARGS_MAX);
        assert_null(strpbrk((*at)->summary, "'\"`$\\[]"));
        for (const struct cli_option_use *use = (*at)->options; use != NULL && use->text != NULL; use++) {
            assert_non_null(cli_option_name(use->option));
            assert_null(strpbrk(use->text, "'\"`$\\[]"));
        }
    }
    assert_null(cli_command_find("spaw"));
}

static void test_times_in_turns_read_well(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {-1, "-"},         {0, "0ns"},           {999, "999ns"},      {1000, "1.0us"},       {999949, "999.9us"},
        {999950, "1.0ms"}, {12345678, "12.3ms"}, {999950000, "1.0s"}, {61000000000, "61.0s"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        cli_nanoseconds_format(rows[i].ns, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_spans_may_be_days(void **state)
{
    static const char *const bad[] = {"", "d", "0d", "50d", "1w", "1", "-1d", "99999999999999999999ms"};
    uint64_t ms = 7;
    uint32_t duration = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(cli_span_parse(bad[i], 49ull * 86400000, &ms), TROUPE_E_INVALID);
    }
    assert_int_equal(ms, 7);
    assert_int_equal(cli_span_parse("49d", 49ull * 86400000, &ms), 0);
    assert_true(ms == 49ull * 86400000);
    assert_int_equal(cli_duration_parse("1d", &duration), TROUPE_E_INVALID); /* a timeout is no matter of days */
    assert_int_equal(duration, 7);
}

static void test_a_row_ends_with_its_last_cell(void **state)
{
    struct table table;
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    (void)state;
    assert_non_null(file);
    table_init(&table, columns, 3);
    add(&table, "... 3 more", "", "");
    add(&table, "a", "1", "x");
    table_write(&table, file);
    table_fini(&table);
    fclose(file);
    assert_string_equal(text, "NAME        DEPTH  STATE\n... 3 more\na               1  x\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_two_spaces_apart_and_nothing_is_cut),
        cmocka_unit_test(test_pages_are_one_table),
        cmocka_unit_test(test_a_table_of_many_rows),
        cmocka_unit_test(test_yaml_blocks),
        cmocka_unit_test(test_yaml_scalars),
        cmocka_unit_test(test_yaml_strings),
        cmocka_unit_test(test_durations_are_read),
        cmocka_unit_test(test_counts_are_read),
        cmocka_unit_test(test_durations_are_written_for_people),
        cmocka_unit_test(test_bytes_are_written_for_people),
        cmocka_unit_test(test_a_misspelt_command_is_guessed),
        cmocka_unit_test(test_each_command_is_complete),
        cmocka_unit_test(test_times_in_turns_read_well),
        cmocka_unit_test(test_spans_may_be_days),
        cmocka_unit_test(test_a_row_ends_with_its_last_cell),
    };
    return cmocka_run_group_tests_name("client output", tests, NULL, NULL);
}
