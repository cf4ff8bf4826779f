/* SPDX-License-Identifier: Apache-2.0
 *
 * Problems: what is read from an answer, and what exit code and words the CLI makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "src/problem.h"

#define PROBLEM_JSON "application/problem+json"

static int read_answer(int status, const char *content_type, const char *body, troupe_client_problem *problem)
{
    troupe_client_reply reply = {
        .http_status = status, .content_type = strdup(content_type), .body = strdup(body), .body_len = strlen(body)};
    int rc = troupe__problem_read(&reply, problem);
    troupe_client_reply_fini(&reply);
    return rc;
}

static void test_all_members_are_read(void **state)
{
    troupe_client_problem problem;
    (void)state;

    int rc = read_answer(429, PROBLEM_JSON "; charset=utf-8",
                         "{\"type\":\"urn:troupe:error:mailbox_full\",\"title\":\"T\",\"status\":429,\"detail\":\"D\","
                         "\"code\":\"mailbox_full\",\"retry\":\"if_idempotent\",\"outcome\":\"unknown\","
                         "\"retry_after_ms\":250,\"field\":\"f\"}",
                         &problem);
    assert_int_equal(rc, TROUPE_E_FULL);
    assert_int_equal(problem.error, TROUPE_E_FULL);
    assert_int_equal(problem.http_status, 429);
    assert_int_equal(problem.retry, TROUPE_RETRY_IF_IDEMPOTENT); /* the answer's word, not the table's */
    assert_int_equal(problem.outcome, TROUPE_OUTCOME_UNKNOWN);
    assert_int_equal(problem.retry_after_ms, 250);
    assert_string_equal(problem.code, "mailbox_full");
    assert_string_equal(problem.title, "T");
    assert_string_equal(problem.detail, "D");
    assert_string_equal(problem.field, "f");
}

/* A sparse problem takes what it leaves out from the table. */
static void test_a_sparse_problem_is_filled_from_the_table(void **state)
{
    troupe_client_problem problem;
    (void)state;

    assert_int_equal(read_answer(429, PROBLEM_JSON, "{\"code\":\"mailbox_full\"}", &problem), TROUPE_E_FULL);
    assert_string_equal(problem.title, troupe_error_lookup(TROUPE_E_FULL)->text);
    assert_int_equal(problem.retry, TROUPE_RETRY_YES);
    assert_int_equal(problem.outcome, TROUPE_OUTCOME_NOT_DONE);
    assert_int_equal(problem.retry_after_ms, -1);
    assert_string_equal(problem.detail, "");
    assert_string_equal(problem.field, "");
}

/* Each row of the table is recognised by its code; that is how a node and its clients stay in step. */
static void test_each_code_of_the_table_is_recognised(void **state)
{
    (void)state;
    for (unsigned i = 0; troupe_error_at(i) != NULL; i++) {
        const troupe_error_info *info = troupe_error_at(i);
        char body[128];
        troupe_client_problem problem;
        snprintf(body, sizeof body, "{\"code\":\"%s\"}", info->code);
        assert_int_equal(read_answer(info->http_status, PROBLEM_JSON, body, &problem), info->error);
        assert_string_equal(problem.code, info->code);
    }
}

static void test_an_application_error_keeps_its_code(void **state)
{
    troupe_client_problem problem;
    (void)state;

    assert_int_equal(read_answer(409, PROBLEM_JSON, "{\"code\":\"app.overdrawn\",\"title\":\"No\"}", &problem),
                     TROUPE_E_APP);
    assert_string_equal(problem.code, "app.overdrawn");
    assert_int_equal(problem.http_status, 409);
}

/* A newer node may have more codes: the status then tells the kind. */
static void test_an_unknown_code_goes_by_its_status(void **state)
{
    static const struct {
        int status;
        int error;
    } rows[] = {{404, TROUPE_E_NOT_FOUND},
                {410, TROUPE_E_GONE},
                {418, TROUPE_E_INVALID},
                {503, TROUPE_E_NO_MEMORY},
                {599, TROUPE_E_INTERNAL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        troupe_client_problem problem;
        assert_int_equal(read_answer(rows[i].status, PROBLEM_JSON, "{\"code\":\"newer\"}", &problem), rows[i].error);
        assert_string_equal(problem.code, "newer");
        assert_int_equal(problem.http_status, rows[i].status);
    }
}

/* A proxy's page, damaged JSON and a document without a code are no node's answer: no code, and the detail shows it. */
static void test_what_is_no_problem_document_has_no_code(void **state)
{
    static const char *const rows[][2] = {
        {"text/html", "<h1>502</h1>"},
        {"", ""},
        {"application/json", "{\"code\":\"gone\"}"},
        {"application/problem+jsonx", "{\"code\":\"gone\"}"},
        {PROBLEM_JSON, "{\"code\":\"gone\""},
        {PROBLEM_JSON, "[]"},
        {PROBLEM_JSON, "{\"code\":5}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        troupe_client_problem problem;
        assert_true(read_answer(502, rows[i][0], rows[i][1], &problem) < 0);
        assert_string_equal(problem.code, "");
        assert_non_null(strstr(problem.detail, "status 502"));
        assert_int_equal(cli_problem_exit(&problem), CLI_EXIT_UNREACHABLE);
    }
}

/* Hostile sizes: a text is cut at a character, never inside one, and a negative delay is not believed. */
static void test_long_texts_are_cut_at_a_character(void **state)
{
    char body[4096] = "{\"code\":\"gone\",\"retry_after_ms\":-5,\"detail\":\"";
    troupe_client_problem problem;
    (void)state;

    size_t len = strlen(body);
    for (int i = 0; i < 700; i++, len += 3) {
        memcpy(body + len, "\xe2\x82\xac", 4);
    }
    strcat(body, "\"}");
    assert_int_equal(read_answer(410, PROBLEM_JSON, body, &problem), TROUPE_E_GONE);
    assert_int_equal(strlen(problem.detail), (sizeof problem.detail - 1) / 3 * 3);
    assert_int_equal(problem.retry_after_ms, -1);
}

static void test_json_is_told_by_its_media_type(void **state)
{
    (void)state;
    assert_true(troupe__problem_is_json("application/json"));
    assert_true(troupe__problem_is_json("Application/JSON; charset=utf-8"));
    assert_true(troupe__problem_is_json("application/problem+json"));
    assert_true(troupe__problem_is_json("text/json ;x=y"));
    assert_false(troupe__problem_is_json(""));
    assert_false(troupe__problem_is_json("text/html"));
    assert_false(troupe__problem_is_json("application/jsonx"));
    assert_false(troupe__problem_is_json("+json"));
    assert_false(troupe__problem_is_json("text/html; a=+json"));
}

/* The exit codes are documented in troupe(1): they follow from status, code and error alone. */
static void test_exit_codes(void **state)
{
    static const struct {
        int error;
        int http_status;
        const char *code;
        int exit_code;
    } rows[] = {
        {TROUPE_E_NOT_FOUND, 404, "not_found", CLI_EXIT_NO},
        {TROUPE_E_BAD_REFERENCE, 404, "bad_reference", CLI_EXIT_NO},
        {TROUPE_E_GONE, 410, "gone", CLI_EXIT_NO},
        {TROUPE_E_STOPPED, 410, "actor_stopped", CLI_EXIT_NO},
        {TROUPE_E_NO_ROUTE, 404, "no_route", CLI_EXIT_REFUSED},
        {TROUPE_E_NAME_TAKEN, 409, "name_taken", CLI_EXIT_REFUSED},
        {TROUPE_E_FULL, 429, "mailbox_full", CLI_EXIT_REFUSED},
        {TROUPE_E_TIMEOUT, 504, "timeout", CLI_EXIT_REFUSED},
        {TROUPE_E_UNREACHABLE, 503, "unreachable", CLI_EXIT_REFUSED},
        {TROUPE_E_APP, 418, "app.teapot", CLI_EXIT_REFUSED},
        {TROUPE_E_UNREACHABLE, 0, "unreachable", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_TIMEOUT, 0, "timeout", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_MALFORMED, 200, "", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_TOO_LARGE, 0, "too_large", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_INTERNAL, 502, "", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_NOT_FOUND, 404, "", CLI_EXIT_UNREACHABLE},
        {TROUPE_E_INVALID, 0, "invalid", CLI_EXIT_USAGE},
        {TROUPE_E_BAD_REFERENCE, 0, "bad_reference", CLI_EXIT_USAGE},
        {TROUPE_E_NO_MEMORY, 0, "no_memory", CLI_EXIT_LOCAL},
        {TROUPE_E_NO_MEMORY, 503, "no_memory", CLI_EXIT_REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        troupe_client_problem problem = {.error = rows[i].error, .http_status = rows[i].http_status};
        strcpy(problem.code, rows[i].code);
        assert_int_equal(cli_problem_exit(&problem), rows[i].exit_code);
    }
}

/* A name or a detail must not steer the terminal. */
static void test_control_characters_are_made_visible(void **state)
{
    char clean[64];
    (void)state;

    cli_clean_copy(clean, sizeof clean, "a\x1b[31mb\n\x7f \xc2\x9b \xc3\xa9");
    assert_string_equal(clean, "a\\x1b[31mb\\x0a\\x7f \\x9b \xc3\xa9");
    cli_clean_copy(clean, 6,
                   "ab\x1b"
                   "c");
    assert_string_equal(clean, "ab");
    cli_clean_copy(clean, sizeof clean, "a\xc2");
    assert_string_equal(clean, "a\xc2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_are_read),
        cmocka_unit_test(test_a_sparse_problem_is_filled_from_the_table),
        cmocka_unit_test(test_each_code_of_the_table_is_recognised),
        cmocka_unit_test(test_an_application_error_keeps_its_code),
        cmocka_unit_test(test_an_unknown_code_goes_by_its_status),
        cmocka_unit_test(test_what_is_no_problem_document_has_no_code),
        cmocka_unit_test(test_long_texts_are_cut_at_a_character),
        cmocka_unit_test(test_json_is_told_by_its_media_type),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_control_characters_are_made_visible),
    };
    return cmocka_run_group_tests_name("client problem", tests, NULL, NULL);
}
