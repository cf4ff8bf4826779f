/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a node: the data directory, the secret, and the ports file that --join reads. */
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

#include "data_dir.h"
#include "join.h"
#include "secret.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/troupe-files-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    setenv("XDG_RUNTIME_DIR", folder, 1);
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- the data directory ---- */

static void a_cluster_and_its_members_are_remembered_test(void **state)
{
    struct data_dir data;
    char words[512] = "";
    (void)state;
    assert_int_equal(data_dir_open(path_of("data"), &data, words, sizeof words), 0);
    assert_string_equal(data.cluster, "");
    assert_false(data.had_members);
    assert_int_equal(data_dir_keep_cluster(&data, "c.4tq8v1m02x7kc", words, sizeof words), 0);
    assert_int_equal(data_dir_keep_cluster(&data, "c.4tq8v1m02x7kc", words, sizeof words), 0);
    assert_int_equal(data_dir_keep_members(&data), 0);
    assert_int_equal(data_dir_keep_members(&data), 0);
    data_dir_close(&data);
    assert_int_equal(data_dir_open(path_of("data"), &data, words, sizeof words), 0);
    assert_string_equal(data.cluster, "c.4tq8v1m02x7kc");
    assert_true(data.had_members);
    assert_int_equal(data_dir_keep_cluster(&data, "c.0000000000001", words, sizeof words), -1);
    assert_non_null(strstr(words, "belongs to cluster c.4tq8v1m02x7kc"));
    data_dir_close(&data);
}

static void two_nodes_do_not_share_a_directory_test(void **state)
{
    struct data_dir one, two;
    char words[512] = "";
    (void)state;
    assert_int_equal(data_dir_open(path_of("one"), &one, words, sizeof words), 0);
    assert_int_equal(data_dir_open(path_of("one"), &two, words, sizeof words), -1);
    assert_non_null(strstr(words, "in use by another node"));
    data_dir_close(&one);
    assert_int_equal(data_dir_open(path_of("one"), &two, words, sizeof words), 0);
    data_dir_close(&two);
}

static void no_directory_remembers_nothing_and_complains_of_nothing_test(void **state)
{
    struct data_dir data;
    char words[64] = "";
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(data_dir_open(i == 0 ? NULL : "", &data, words, sizeof words), 0);
        assert_int_equal(data_dir_keep_cluster(&data, "c.4tq8v1m02x7kc", words, sizeof words), 0);
        assert_int_equal(data_dir_keep_members(&data), 0);
        assert_false(data.had_members);
        data_dir_close(&data);
    }
}

/* ---- the secret ---- */

static void a_secret_is_made_once_and_found_test(void **state)
{
    struct registry_secret made, found, again;
    char path[SECRET_PATH_BYTES], words[512] = "";
    struct stat st;
    (void)state;
    assert_int_equal(secret_find("c.a", &found, words, sizeof words), -1);
    assert_non_null(strstr(words, "--secret-file"));
    assert_int_equal(secret_make("c.a", &made, path, words, sizeof words), 0);
    assert_int_equal(made.len, 64);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(secret_make("c.a", &again, path, words, sizeof words), 0);
    assert_int_equal(secret_find("c.a", &found, words, sizeof words), 0);
    assert_memory_equal(made.bytes, again.bytes, made.len);
    assert_memory_equal(made.bytes, found.bytes, made.len);
    assert_int_equal(secret_make("c.b", &again, path, words, sizeof words), 0);
    assert_memory_not_equal(made.bytes, again.bytes, made.len);
}

static void a_secret_that_others_can_read_is_none_test(void **state)
{
    struct registry_secret secret;
    char path[SECRET_PATH_BYTES], words[512] = "";
    (void)state;
    assert_int_equal(secret_make("c.c", &secret, path, words, sizeof words), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(secret_find("c.c", &secret, words, sizeof words), -1);
    assert_int_equal(secret_make("c.c", &secret, path, words, sizeof words), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(secret_find("c.c", &secret, words, sizeof words), -1);
}

static void the_bytes_of_a_secret_file_count_without_its_newlines_test(void **state)
{
    struct registry_secret secret;
    char words[512] = "", text[300];
    (void)state;
    write_file("secret", "sixteen bytes ab\r\n\n", 0600);
    assert_int_equal(secret_read(path_of("secret"), &secret, words, sizeof words), 0);
    assert_int_equal(secret.len, 16);
    for (unsigned len = 0; len < 280; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        write_file("secret", text, 0600);
        bool is_good = len >= AUTH_SECRET_BYTES_MIN && len <= AUTH_SECRET_BYTES_MAX;
        assert_int_equal(secret_read(path_of("secret"), &secret, words, sizeof words), is_good ? 0 : -1);
    }
    assert_null(strstr(words, "xxxx")); /* it appears in no error */
}

/* ---- where the registry is ---- */

static void a_url_is_itself_test(void **state)
{
    struct join join;
    char words[JOIN_WORDS_BYTES] = "";
    (void)state;
    assert_false(join_is_wanted(NULL));
    assert_false(join_is_wanted(""));
    join_init(&join, "http://127.0.0.1:8080/");
    assert_string_equal(join.url, "http://127.0.0.1:8080");
    assert_true(join_locate(&join, words, sizeof words));
}

static void a_ports_file_is_read_anew_each_time_test(void **state)
{
    static const struct { const char *text, *url; } rows[] = {
        {"{\"api\":\"http://a:1\"}", "http://a:1"},
        {"{\"api\":\"http://a:2\",\"api_bound\":\"http://[::1]:3\"}", "http://[::1]:3"},
        {"", ""}, {"{", ""}, {"[]", ""}, {"{\"api\":1}", ""}, {"{\"api\":\"ftp://a:1\"}", ""},
        {"{\"api\":\"http://a:4\"}", "http://a:4"},
    };
    struct join join;
    char asked[128], words[JOIN_WORDS_BYTES] = "";
    (void)state;
    snprintf(asked, sizeof asked, "file:%s/ports", folder);
    join_init(&join, asked);
    assert_string_equal(join.url, "");
    assert_false(join_locate(&join, words, sizeof words));
    assert_non_null(strstr(words, "cannot be read"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file("ports", rows[i].text, 0600);
        assert_int_equal(join_locate(&join, words, sizeof words), rows[i].url[0] != '\0');
        assert_string_equal(join.url, rows[i].url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_and_its_members_are_remembered_test),
        cmocka_unit_test(two_nodes_do_not_share_a_directory_test),
        cmocka_unit_test(no_directory_remembers_nothing_and_complains_of_nothing_test),
        cmocka_unit_test(a_secret_is_made_once_and_found_test),
        cmocka_unit_test(a_secret_that_others_can_read_is_none_test),
        cmocka_unit_test(the_bytes_of_a_secret_file_count_without_its_newlines_test),
        cmocka_unit_test(a_url_is_itself_test), cmocka_unit_test(a_ports_file_is_read_anew_each_time_test),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
