/* SPDX-License-Identifier: Apache-2.0
 *
 * What live output is made of: frames on a terminal, colours, the ranking of top, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/colour.h"
#include "cli/rank.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/timestamp.h"

/* ---- frames ---- */

static void check_frame(struct screen *screen, const char *frame, unsigned rows, unsigned columns, const char *bytes)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    assert_non_null(file);
    screen_draw(screen, frame, strlen(frame), rows, columns, file);
    fclose(file);
    assert_string_equal(text, bytes);
    free(text);
}

static void test_a_frame_is_drawn_over_the_one_before(void **state)
{
    struct screen screen = {0};
    (void)state;
    check_frame(&screen, "a\nb\n", 24, 80, "a\x1b[K\nb\x1b[K\n\x1b[J");
    check_frame(&screen, "c\n", 24, 80, "\x1b[2A\rc\x1b[K\n\x1b[J");
    check_frame(&screen, "", 24, 80, "\x1b[1A\r\x1b[J");
    check_frame(&screen, "no end", 24, 80, "no end\x1b[K\n\x1b[J");
}

static void test_lines_are_cut_to_the_width_in_characters(void **state)
{
    struct screen screen = {0};
    (void)state;
    check_frame(&screen, "abcdef\nabc\n", 24, 3, "abc\x1b[K\nabc\x1b[K\n\x1b[J");
    screen = (struct screen){0};
    check_frame(&screen, "caf\xc3\xa9s\n", 24, 4, "caf\xc3\xa9\x1b[K\n\x1b[J");
}

/* A colour takes no room, and what is cut off does not colour the rest of the screen. */
static void test_a_colour_that_is_cut_is_ended(void **state)
{
    struct screen screen = {0};
    (void)state;
    check_frame(&screen, "\x1b[32mup\x1b[0m x\n", 24, 4, "\x1b[32mup\x1b[0m x\x1b[K\n\x1b[J");
    screen = (struct screen){0};
    check_frame(&screen, "\x1b[32mrunning\x1b[0m\n", 24, 3, "\x1b[32mrun\x1b[0m\x1b[K\n\x1b[J");
}

static void test_a_frame_never_scrolls(void **state)
{
    struct screen screen = {0};
    (void)state;
    check_frame(&screen, "1\n2\n3\n", 4, 80, "1\x1b[K\n2\x1b[K\n3\x1b[K\n\x1b[J");
    screen = (struct screen){0};
    check_frame(&screen, "1\n2\n3\n4\n", 4, 80, "1\x1b[K\n2\x1b[K\n... 2 more lines\x1b[K\n\x1b[J");
    check_frame(&screen, "1\n", 4, 80, "\x1b[3A\r1\x1b[K\n\x1b[J");
    screen = (struct screen){0};
    check_frame(&screen, "1\n2\n", 1, 80, "... 2 more lines\x1b[K\n\x1b[J");
}

static void test_another_size_clears(void **state)
{
    struct screen screen = {0};
    (void)state;
    check_frame(&screen, "a\n", 24, 80, "a\x1b[K\n\x1b[J");
    check_frame(&screen, "a\n", 24, 40, "\x1b[H\x1b[2Ja\x1b[K\n\x1b[J");
    check_frame(&screen, "a\n", 20, 40, "\x1b[H\x1b[2Ja\x1b[K\n\x1b[J");
    check_frame(&screen, "a\n", 20, 40, "\x1b[1A\ra\x1b[K\n\x1b[J");
}

/* ---- colours ---- */

static void check_colour(const char *given, bool is_terminal, const char *no_color, const char *term, bool is_wanted)
{
    assert_int_equal(no_color != NULL ? setenv("NO_COLOR", no_color, 1) : unsetenv("NO_COLOR"), 0);
    assert_int_equal(term != NULL ? setenv("TERM", term, 1) : unsetenv("TERM"), 0);
    assert_int_equal(colour_is_wanted(given, is_terminal), is_wanted);
}

static void test_when_there_are_colours(void **state)
{
    (void)state;
    check_colour(NULL, true, NULL, "xterm", true);
    check_colour("auto", true, NULL, "xterm", true);
    check_colour(NULL, false, NULL, "xterm", false);
    check_colour(NULL, true, "1", "xterm", false);
    check_colour(NULL, true, "", "xterm", true); /* set, but empty: no-color.org */
    check_colour(NULL, true, NULL, "dumb", false);
    check_colour(NULL, true, NULL, "", false);
    check_colour(NULL, true, NULL, NULL, false);
    check_colour("always", false, "1", "dumb", true);
    check_colour("never", true, NULL, "xterm", false);
}

/* Colours do not move the columns. */
static void test_a_table_has_coloured_states(void **state)
{
    static const struct table_column columns[] = {{"STATE", false, true}, {"N", true, false}};
    static const char *const rows[][2] = {{"up", "1"}, {"draining", "22"}, {"odd", "3"}};
    struct table table;
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    (void)state;
    assert_non_null(file);
    table_init(&table, columns, 2);
    table.has_colour = true;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(table_add(&table, rows[i]), 0);
    }
    table_write(&table, file);
    table_fini(&table);
    fclose(file);
    assert_string_equal(text, "\x1b[1mSTATE\x1b[0m      \x1b[1mN\x1b[0m\n"
                              "\x1b[32mup\x1b[0m         1\n"
                              "\x1b[33mdraining\x1b[0m  22\n"
                              "odd        3\n");
    free(text);
}

/* ---- keys ---- */

/* What was typed quickly comes in one piece. */
static void test_keys_are_read_one_by_one(void **state)
{
    static const char typed[] = "x\x1b[C\x1bOD\x1b[A q\x1b[3~\x1b";
    static const enum terminal_key keys[] = {TERMINAL_NONE, TERMINAL_RIGHT, TERMINAL_LEFT, TERMINAL_NONE, TERMINAL_NOW,
                                             TERMINAL_QUIT, TERMINAL_NONE,  TERMINAL_NONE, TERMINAL_NONE};
    const char *at = typed;
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t used = 0;
        assert_int_equal(terminal_key_read(at, strlen(at), &used), keys[i]);
        assert_in_range(used, 1, 3);
        at += used;
    }
    assert_string_equal(at, "");
}

/* ---- the ranking ---- */

static void add_actor(struct rank *rank, const char *ref, int depth, int processed, int uptime_ms)
{
    json_t *actor = json_pack("{s:s, s:{s:i}, s:i, s:i}", "ref", ref, "mailbox", "depth", depth, "processed", processed,
                              "uptime_ms", uptime_ms);
    assert_non_null(actor);
    assert_int_equal(rank_add(rank, actor), 0);
    json_decref(actor);
}

static void check_order(const struct rank *rank, enum rank_order order, const char *refs)
{
    char got[256] = "";
    struct rank_row *rows = rank_sort(rank, order);
    for (size_t i = 0; i < rank->count; i++) {
        strcat(got, json_string_value(json_object_get(rows[i].actor, "ref")));
    }
    free(rows);
    assert_string_equal(got, refs);
}

static void test_actors_are_ranked(void **state)
{
    struct rank rank = {0};
    (void)state;
    rank_begin(&rank, 1000);
    add_actor(&rank, "c", 5, 10, 9);
    add_actor(&rank, "a", 0, 100, 7);
    add_actor(&rank, "b", 0, 100, 8);
    rank_end(&rank);
    check_order(&rank, RANK_BY_DEPTH, "cab"); /* ties by what was processed, then by reference */
    check_order(&rank, RANK_BY_RATE, "cab");  /* no rates yet: by depth */
    check_order(&rank, RANK_BY_PROCESSED, "abc");
    check_order(&rank, RANK_BY_UPTIME, "cba");
    assert_true(rank_total_rate(&rank) < 0);
    rank_fini(&rank);
}

static void test_a_rate_is_from_one_round_to_the_next(void **state)
{
    struct rank rank = {0};
    struct rank_row *rows;
    (void)state;
    rank_begin(&rank, 1000);
    add_actor(&rank, "a", 0, 100, 1);
    add_actor(&rank, "gone", 0, 5, 1);
    add_actor(&rank, "b", 0, 7, 1);
    rank_end(&rank);
    rank_begin(&rank, 3000);
    add_actor(&rank, "b", 0, 7, 1);
    add_actor(&rank, "new", 0, 900, 1);
    add_actor(&rank, "a", 0, 103, 1);
    rank_end(&rank);
    check_order(&rank, RANK_BY_RATE, "abnew");
    rows = rank_sort(&rank, RANK_BY_RATE);
    assert_non_null(rows);
    assert_true(rows[0].rate == 1.5 && rows[1].rate == 0 && rows[2].rate < 0);
    free(rows);
    assert_true(rank_total_rate(&rank) == 1.5);
    rank_begin(&rank, 3000); /* no time has passed: no rate, and no division by it */
    add_actor(&rank, "a", 0, 200, 1);
    rank_end(&rank);
    assert_true(rank_total_rate(&rank) < 0);
    rank_begin(&rank, 4000);
    add_actor(&rank, "a", 0, 1, 1); /* the count went back: another life under this reference */
    rank_end(&rank);
    assert_true(rank_total_rate(&rank) < 0);
    rank_fini(&rank);
}

static void test_a_ranking_is_bounded(void **state)
{
    struct rank rank = {0};
    json_t *actor = json_pack("{s:s}", "ref", "a");
    (void)state;
    assert_non_null(actor);
    rank_begin(&rank, 1);
    for (size_t i = 0; i < RANK_ROWS_MAX; i++) {
        assert_int_equal(rank_add(&rank, actor), 0);
    }
    assert_int_equal(rank_add(&rank, actor), TROUPE_E_LIMIT);
    assert_int_equal(rank.count, RANK_ROWS_MAX);
    rank_fini(&rank);
    json_decref(actor);
}

/* ---- times ---- */

static void test_times_are_read(void **state)
{
    char text[TIMESTAMP_CAP];
    (void)state;
    assert_true(timestamp_parse("1970-01-01T00:00:01Z") == 1000);
    assert_true(timestamp_parse("2026-01-02T03:04:05.678Z") == 1767323045678);
    assert_true(timestamp_parse("2026-01-02T03:04:05.6Z") == 1767323045600);
    assert_true(timestamp_parse("2026-01-02T03:04:05.678912Z") == 1767323045678);
    static const char *const bad[] = {"", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.6"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(timestamp_parse(bad[i]) == -1);
    }
    assert_true(timestamp_parse(NULL) == -1);
    assert_true(timestamp_age_ms(1000, 3) == 2000);
    assert_true(timestamp_age_ms(5000, 3) == 0); /* the clocks differ a little */
    assert_true(timestamp_age_ms(-1, 3) == -1);
    timestamp_format(1767323045, text);
    assert_string_equal(text, "2026-01-02T03:04:05Z");
}

static void test_intervals_are_seconds_or_times(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms; /* 0: refused */
    } rows[] = {{"1", 1000},    {"5", 5000},
                {"500ms", 500}, {"2m", 120000},
                {"100ms", 100}, {"99ms", 0},
                {"0", 0},       {"", 0},
                {"-1", 0},      {"1.5", 0},
                {"x", 0},       {"86400", 86400000},
                {"86401", 0},   {"99999999999999999999", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t ms = 77;
        assert_int_equal(cli_interval_parse(rows[i].text, &ms), rows[i].ms != 0 ? 0 : TROUPE_E_INVALID);
        assert_int_equal(ms, rows[i].ms != 0 ? rows[i].ms : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_is_drawn_over_the_one_before),
        cmocka_unit_test(test_lines_are_cut_to_the_width_in_characters),
        cmocka_unit_test(test_a_colour_that_is_cut_is_ended),
        cmocka_unit_test(test_a_frame_never_scrolls),
        cmocka_unit_test(test_another_size_clears),
        cmocka_unit_test(test_when_there_are_colours),
        cmocka_unit_test(test_a_table_has_coloured_states),
        cmocka_unit_test(test_keys_are_read_one_by_one),
        cmocka_unit_test(test_actors_are_ranked),
        cmocka_unit_test(test_a_rate_is_from_one_round_to_the_next),
        cmocka_unit_test(test_a_ranking_is_bounded),
        cmocka_unit_test(test_times_are_read),
        cmocka_unit_test(test_intervals_are_seconds_or_times),
    };
    return cmocka_run_group_tests_name("client screen", tests, NULL, NULL);
}
