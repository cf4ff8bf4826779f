/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens and the file that knows them by their hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <troupe/client.h>

#include "cli/token_file.h"

static void test_tokens_are_random_and_well_formed(void **state)
{
    char token[TROUPE_CLIENT_TOKEN_CAP];
    char other[TROUPE_CLIENT_TOKEN_CAP];
    uint64_t seen_low = 0; /* which digits came, of 64 */
    (void)state;
    for (int i = 0; i < 200; i++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        assert_int_equal(troupe_client_token_make(token), 0);
        assert_int_equal(strlen(token), 46);
        assert_memory_equal(token, "tt_", 3);
        assert_int_equal(strspn(token + 3, digits), 43);
        assert_true(troupe_client_token_is_valid(token));
        for (const char *at = token + 3; *at != '\0'; at++) {
            seen_low |= UINT64_C(1) << (strchr(digits, *at) - digits);
        }
        assert_int_equal((strchr(digits, token[45]) - digits) % 4, 0); /* 256 bits: the last digit has four */
        assert_int_equal(troupe_client_token_make(other), 0);
        assert_string_not_equal(token, other);
    }
    assert_true(seen_low == UINT64_MAX);
}

static void test_the_hash_is_sha256(void **state)
{
    char hash[TROUPE_CLIENT_HASH_CAP];
    (void)state;
    assert_int_equal(troupe_client_token_hash("abc", hash), 0); /* FIPS 180-4's example */
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_what_can_be_sent_as_a_token(void **state)
{
    char text[TROUPE_CLIENT_TOKEN_BYTES_MAX + 2];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(troupe_client_token_is_valid(text));
    assert_true(troupe_client_token_is_valid(text + 1));
    assert_true(troupe_client_token_is_valid("x"));
    static const char *const bad[] = {"", " x", "x y", "x\r\nHost: evil", "x\n", "caf\xc3\xa9", "x\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        troupe_client_options options = {.url = "http://127.0.0.1:1", .token = bad[i]};
        troupe_client_problem problem;
        troupe_client *client = NULL;
        assert_false(troupe_client_token_is_valid(bad[i]));
        assert_int_equal(troupe_client_new(&options, &client, &problem), TROUPE_E_INVALID);
        assert_string_equal(problem.field, "token");
        assert_null(strstr(problem.detail, "evil")); /* it is a secret */
    }
}

/* ---- the file ---- */

static char folder[] = "/tmp/troupe-test-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/tokens.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static int add(const char *id, char *why, size_t why_cap)
{
    json_t *row = json_pack("{s:s, s:s}", "id", id, "sha256", "00");
    assert_non_null(row);
    int rc = token_file_add(path, row, why, why_cap);
    json_decref(row);
    return rc;
}

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

/* What the file has, as compact JSON; "" when there is none. */
static void check_file(const char *json)
{
    json_t *document = json_load_file(path, 0, NULL);
    json_t *expected = json_loads(json, 0, NULL);
    struct stat st;
    assert_true(json_equal(document, expected));
    json_decref(document);
    json_decref(expected);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_rows_are_added(void **state)
{
    char why[512] = "";
    (void)state;
    assert_int_equal(add("a", why, sizeof why), 0);
    check_file("{\"tokens\":[{\"id\":\"a\",\"sha256\":\"00\"}]}");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(add("b", why, sizeof why), 0);
    check_file("{\"tokens\":[{\"id\":\"a\",\"sha256\":\"00\"},{\"id\":\"b\",\"sha256\":\"00\"}]}");
    assert_string_equal(why, "");
}

static void test_an_id_is_given_once(void **state)
{
    char why[512];
    (void)state;
    assert_int_equal(add("a", why, sizeof why), 0);
    assert_int_equal(add("a", why, sizeof why), TROUPE_E_INVALID);
    assert_non_null(strstr(why, "'a' already"));
    check_file("{\"tokens\":[{\"id\":\"a\",\"sha256\":\"00\"}]}");
}

/* Something else that has this name is not overwritten. */
static void test_another_file_is_left_alone(void **state)
{
    static const char *const texts[] = {"", "hello", "[]", "{}", "{\"tokens\":{}}", "{\"tokens\":[],\"tokens\":[]}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char why[512];
        char text[64] = "";
        write_file(texts[i], 0640);
        assert_int_equal(add("a", why, sizeof why), TROUPE_E_INVALID);
        assert_non_null(strstr(why, "no token file"));
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        assert_int_equal(len, strlen(texts[i]));
        assert_string_equal(text, texts[i]);
    }
}

static void test_a_link_is_followed(void **state)
{
    char why[512];
    char target[80];
    struct stat st;
    (void)state;
    snprintf(target, sizeof target, "%s/real.json", folder);
    assert_int_equal(add("a", why, sizeof why), 0);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink("real.json", path), 0);
    assert_int_equal(add("b", why, sizeof why), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    check_file("{\"tokens\":[{\"id\":\"a\",\"sha256\":\"00\"},{\"id\":\"b\",\"sha256\":\"00\"}]}");
    assert_int_equal(unlink(target), 0);
}

static void test_a_place_that_cannot_be_written_is_told(void **state)
{
    char why[512];
    json_t *row = json_pack("{s:s}", "id", "a");
    char missing[96];
    (void)state;
    assert_non_null(row);
    snprintf(missing, sizeof missing, "%s/missing/tokens.json", folder);
    assert_int_equal(token_file_add(missing, row, why, sizeof why), TROUPE_E_INTERNAL);
    assert_non_null(strstr(why, "No such file"));
    assert_int_equal(token_file_add(folder, row, why, sizeof why), TROUPE_E_INVALID);
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(token_file_add("/", row, why, sizeof why), TROUPE_E_INTERNAL);
    assert_int_equal(token_file_add("", row, why, sizeof why), TROUPE_E_INTERNAL);
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_are_random_and_well_formed),
        cmocka_unit_test(test_the_hash_is_sha256),
        cmocka_unit_test(test_what_can_be_sent_as_a_token),
        cmocka_unit_test_setup_teardown(test_rows_are_added, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_an_id_is_given_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_another_file_is_left_alone, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_link_is_followed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_place_that_cannot_be_written_is_told, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("client tokens", tests, NULL, NULL);
}
