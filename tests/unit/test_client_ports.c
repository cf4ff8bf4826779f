/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports files: what is read from one, which files and directories are believed, and which node is chosen. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "src/ports.h"

#define GOOD(pid)                                                                                                      \
    "{\"event\":\"ready\",\"cluster\":\"c1\",\"node\":\"n.abc\",\"api\":\"http://127.0.0.1:41873/\","                  \
    "\"peer\":\"127.0.0.1:39127\",\"pid\":" pid "}"

static void test_a_ports_file_is_read(void **state)
{
    troupe_client_node_entry entry;
    (void)state;

    assert_int_equal(troupe__ports_parse(GOOD("17"), strlen(GOOD("17")), &entry), 0);
    assert_string_equal(entry.api, "http://127.0.0.1:41873");
    assert_string_equal(entry.node, "n.abc");
    assert_string_equal(entry.cluster, "c1");
    assert_int_equal(entry.pid, 17);
}

/* The bound address is what counts on the node's machine; one that is damaged is not passed over. */
static void test_the_bound_address_comes_first(void **state)
{
    static const char good[] = "{\"cluster\":\"c\",\"node\":\"n.a\",\"api\":\"http://node.example:80\","
                               "\"api_bound\":\"http://127.0.0.1:41873\",\"pid\":1}";
    static const char bad[] = "{\"cluster\":\"c\",\"node\":\"n.a\",\"api\":\"http://node.example:80\","
                              "\"api_bound\":\"\",\"pid\":1}";
    troupe_client_node_entry entry;
    (void)state;
    assert_int_equal(troupe__ports_parse(good, sizeof good - 1, &entry), 0);
    assert_string_equal(entry.api, "http://127.0.0.1:41873");
    assert_int_equal(troupe__ports_parse(bad, sizeof bad - 1, &entry), TROUPE_E_MALFORMED);
}

/* Every truncation is refused: the file of a node that died while it wrote is not half believed. */
static void test_a_truncated_ports_file_is_refused(void **state)
{
    troupe_client_node_entry entry;
    (void)state;
    for (size_t len = 0; len < strlen(GOOD("17")); len++) {
        assert_int_equal(troupe__ports_parse(GOOD("17"), len, &entry), TROUPE_E_MALFORMED);
    }
}

static void test_a_wrong_ports_file_is_refused(void **state)
{
    static const char *const rows[] = {
        "[]",
        GOOD("0"),
        GOOD("-1"),
        GOOD("\"17\""),
        GOOD("99999999999"),
        "{\"cluster\":\"c\",\"node\":\"n.a\",\"pid\":1}",
        "{\"cluster\":\"c\",\"node\":\"\",\"api\":\"http://x\",\"pid\":1}",
        "{\"cluster\":\"c\",\"node\":\"n.a\",\"api\":\"file:///etc/passwd\",\"pid\":1}",
        "{\"cluster\":\"c\",\"node\":\"n.a\\u001b\",\"api\":\"http://x\",\"pid\":1}",
        "{\"cluster\":\"c\",\"node\":\"n.a\",\"node\":\"n.b\",\"api\":\"http://x\",\"pid\":1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        troupe_client_node_entry entry;
        assert_int_equal(troupe__ports_parse(rows[i], strlen(rows[i]), &entry), TROUPE_E_MALFORMED);
    }
}

static void test_ports_files_are_told_by_their_names(void **state)
{
    (void)state;
    assert_true(troupe__ports_is_name("17.ports.json"));
    assert_false(troupe__ports_is_name(".ports.json"));
    assert_false(troupe__ports_is_name(".17.ports.json"));
    assert_false(troupe__ports_is_name("17.ports.json.tmp"));
    assert_false(troupe__ports_is_name("secret"));
}

/* ---- the directory ---- */

struct place {
    char root[64]; /* stands for XDG_RUNTIME_DIR */
    char dir[80];  /* root/troupe */
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    strcpy(place->root, "/tmp/troupe-test-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    snprintf(place->dir, sizeof place->dir, "%s/troupe", place->root);
    assert_int_equal(mkdir(place->dir, 0700), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", place->root, 1), 0);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    DIR *dir = opendir(place->dir);
    assert_non_null(dir);
    for (struct dirent *item = readdir(dir); item != NULL; item = readdir(dir)) {
        if (item->d_name[0] != '.') {
            unlinkat(dirfd(dir), item->d_name, 0);
        }
    }
    closedir(dir);
    assert_int_equal(rmdir(place->dir), 0);
    assert_int_equal(rmdir(place->root), 0);
    free(place);
    return unsetenv("XDG_RUNTIME_DIR");
}

static void write_file(const struct place *place, const char *name, const char *node, long pid)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "{\"cluster\":\"c\",\"node\":\"%s\",\"api\":\"http://127.0.0.1:1\",\"pid\":%ld}", node, pid);
    assert_int_equal(fclose(file), 0);
}

/* A process id that was alive a moment ago and is no more. */
static long dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static size_t find(const struct place *place, troupe_client_node_entry *entries, size_t entries_max)
{
    size_t count = 99;
    const char *dir = NULL;
    assert_int_equal(troupe_client_nodes_find(entries, entries_max, &count, &dir), 0);
    assert_string_equal(dir, place->dir);
    return count;
}

static void test_a_live_node_is_found_and_stale_files_are_not(void **state)
{
    const struct place *place = *state;
    troupe_client_node_entry entries[4];
    char path[128];

    write_file(place, "1.ports.json", "n.alive", getpid());
    write_file(place, "2.ports.json", "n.dead", dead_pid());
    write_file(place, "3.ports.json.tmp", "n.half", getpid());
    assert_int_equal(find(place, entries, 4), 1);
    assert_string_equal(entries[0].node, "n.alive");
    snprintf(path, sizeof path, "%s/1.ports.json", place->dir);
    assert_string_equal(entries[0].path, path);
}

static void test_a_directory_open_to_others_is_not_believed(void **state)
{
    const struct place *place = *state;
    troupe_client_node_entry entries[4];
    write_file(place, "1.ports.json", "n.alive", getpid());
    assert_int_equal(find(place, entries, 4), 1);
    assert_int_equal(chmod(place->dir, 0770), 0);
    size_t count = 99;
    const char *dir = NULL;
    assert_int_equal(troupe_client_nodes_find(entries, 4, &count, &dir), 0);
    assert_string_not_equal(dir, place->dir); /* it looks in /tmp/troupe-<uid> instead, as a node does */
    assert_int_equal(chmod(place->dir, 0700), 0);
}

static void test_links_and_fifos_are_not_followed(void **state)
{
    const struct place *place = *state;
    troupe_client_node_entry entries[4];
    char from[128];
    char to[128];

    write_file(place, "1.ports.json", "n.alive", getpid());
    snprintf(to, sizeof to, "%s/1.ports.json", place->dir);
    snprintf(from, sizeof from, "%s/2.ports.json", place->dir);
    assert_int_equal(symlink(to, from), 0);
    snprintf(from, sizeof from, "%s/3.ports.json", place->dir);
    assert_int_equal(mkfifo(from, 0600), 0);
    assert_int_equal(find(place, entries, 4), 1);
}

static void test_too_many_nodes_are_an_error_not_a_choice(void **state)
{
    const struct place *place = *state;
    troupe_client_node_entry entries[1];
    size_t count = 99;

    write_file(place, "1.ports.json", "n.a", getpid());
    write_file(place, "2.ports.json", "n.b", getpid());
    assert_int_equal(troupe_client_nodes_find(entries, 1, &count, NULL), TROUPE_E_LIMIT);
    assert_int_equal(count, 99);
}

/* ---- the choice ---- */

static const troupe_client_node_entry two[] = {
    {.api = "http://127.0.0.1:1", .node = "n.a"},
    {.api = "http://127.0.0.1:2", .node = "n.b"},
};

static void test_one_node_is_chosen_and_several_are_listed(void **state)
{
    char why[512] = "";
    (void)state;

    assert_int_equal(cli_connect_pick(two, 1, NULL, "/d", why, sizeof why), 0);
    assert_int_equal(cli_connect_pick(two, 2, "n.b", "/d", why, sizeof why), 1);
    assert_int_equal(cli_connect_pick(two, 2, NULL, "/d", why, sizeof why), -1);
    assert_string_equal(why, "2 nodes of yours run here: n.a at http://127.0.0.1:1, n.b at http://127.0.0.1:2; "
                             "give --node or --url");
    assert_int_equal(cli_connect_pick(two, 2, "n.c", "/d", why, sizeof why), -1);
    assert_non_null(strstr(why, "n.c"));
    assert_int_equal(cli_connect_pick(two, 0, NULL, "/d", why, sizeof why), -1);
    assert_non_null(strstr(why, "/d"));
    assert_non_null(strstr(why, "'trouped'"));
}

static void test_a_long_list_is_cut_and_stays_a_string(void **state)
{
    char why[40];
    (void)state;
    assert_int_equal(cli_connect_pick(two, 2, NULL, "/d", why, sizeof why), -1);
    assert_int_equal(strlen(why), sizeof why - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ports_file_is_read),
        cmocka_unit_test(test_the_bound_address_comes_first),
        cmocka_unit_test(test_a_truncated_ports_file_is_refused),
        cmocka_unit_test(test_a_wrong_ports_file_is_refused),
        cmocka_unit_test(test_ports_files_are_told_by_their_names),
        cmocka_unit_test_setup_teardown(test_a_live_node_is_found_and_stale_files_are_not, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_a_directory_open_to_others_is_not_believed, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_links_and_fifos_are_not_followed, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_too_many_nodes_are_an_error_not_a_choice, make_place, remove_place),
        cmocka_unit_test(test_one_node_is_chosen_and_several_are_listed),
        cmocka_unit_test(test_a_long_list_is_cut_and_stays_a_string),
    };
    return cmocka_run_group_tests_name("client ports", tests, NULL, NULL);
}
