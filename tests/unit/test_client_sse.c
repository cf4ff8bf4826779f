/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of event streams: each rule of the standard, and each stream cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sse.h"

struct seen {
    char text[4096]; /* "id|type|data;" for each event */
    size_t len;
    int events_max; /* stop after so many; 0: never */
    int events;
};

static bool on_event(void *user, const struct sse_event *event)
{
    struct seen *seen = user;
    int len = snprintf(seen->text + seen->len, sizeof seen->text - seen->len, "%s|%s|%.*s;", event->id, event->type,
                       (int)event->data_len, event->data);
    assert_in_range(len, 0, sizeof seen->text - seen->len - 1);
    assert_int_equal(event->data[event->data_len], '\0');
    seen->len += (size_t)len;
    return ++seen->events != seen->events_max;
}

/* The bytes in two pieces, the second from `cut`, and in pieces of one byte when cut is SIZE_MAX. */
static void feed_cut(const char *bytes, size_t len, size_t cut, struct seen *seen, int64_t *ret_retry_ms)
{
    struct sse sse;
    *seen = (struct seen){.events_max = seen->events_max};
    troupe__sse_init(&sse, on_event, seen);
    if (cut == SIZE_MAX) {
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(troupe__sse_feed(&sse, bytes + i, 1), 0);
        }
    } else {
        assert_int_equal(troupe__sse_feed(&sse, bytes, cut), 0);
        assert_int_equal(troupe__sse_feed(&sse, bytes + cut, len - cut), 0);
    }
    *ret_retry_ms = sse.retry_ms;
    troupe__sse_fini(&sse);
}

static void check_bytes(const char *bytes, size_t len, const char *events, int64_t retry_ms)
{
    for (size_t cut = 0; cut <= len + 1; cut++) {
        struct seen seen = {0};
        int64_t told_ms;
        feed_cut(bytes, len, cut <= len ? cut : SIZE_MAX, &seen, &told_ms);
        assert_string_equal(seen.text, events);
        assert_int_equal(told_ms, retry_ms);
    }
}

static void check(const char *text, const char *events) { check_bytes(text, strlen(text), events, -1); }

static void test_an_event_is_told_at_its_empty_line(void **state)
{
    (void)state;
    check("", "");
    check("data: a", "");
    check("data: a\n", "");
    check("data: a\n\n", "|message|a;");
    check("id: 1\nevent: add\ndata: a\n\n", "1|add|a;");
    check("data: a\n\ndata: b\n\n", "|message|a;|message|b;");
    check("data: a\n\ndata: never whole", "|message|a;");
}

static void test_lines_end_with_lf_cr_or_both(void **state)
{
    (void)state;
    check("data: a\r\rdata: b\r\r", "|message|a;|message|b;");
    check("data: a\r\n\r\ndata: b\r\n\r\n", "|message|a;|message|b;");
    check("id: 1\rdata: a\ndata: b\r\n\r", "1|message|a\nb;");
    check("data: a\n\r\n\rdata: b\r\n\n", "|message|a;|message|b;");
}

static void test_lines_of_data_are_joined(void **state)
{
    (void)state;
    check("data: a\ndata: b\ndata:\ndata: c\n\n", "|message|a\nb\n\nc;");
    check("data\n\n", "|message|;");
    check("data\ndata\n\n", "|message|\n;");
    check("data:a\n\ndata:  a \n\n", "|message|a;|message| a ;");
    check("data: x:y: z\n\n", "|message|x:y: z;");
}

/* Without data nothing is told, but the id counts. */
static void test_an_id_stays_until_the_next(void **state)
{
    (void)state;
    check("id: 1\n\ndata: a\n\nid: 2\ndata: b\n\nid\ndata: c\n\n", "1|message|a;2|message|b;|message|c;");
    check("event: add\n\ndata: a\n\n", "|message|a;");
    check("event: add\ndata: a\n\ndata: b\n\n", "|add|a;|message|b;");
}

static void test_comments_and_unknown_fields_are_passed_over(void **state)
{
    (void)state;
    check(": ping\n\n:\n\ndata: a\n: between\nfoo: bar\nDATA: no\n data: no\ndataa: no\ndat: no\n\n", "|message|a;");
}

static void test_a_byte_order_mark_is_passed_over_once(void **state)
{
    (void)state;
    check("\xef\xbb\xbf"
          "data: a\n\n",
          "|message|a;");
    check("\xef\xbb\xbf\xef\xbb\xbf"
          "data: a\n\ndata: b\n\n",
          "|message|b;");
    check("\xef\xbb"
          "data: a\n\ndata: b\n\n",
          "|message|b;");
    check("\xef", "");
}

static void test_retry_is_digits(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
    } rows[] = {{"retry: 1000\n", 1000},
                {"retry:0\n", 0},
                {"retry: 1s\n", -1},
                {"retry: -5\n", -1},
                {"retry\n", -1},
                {"retry: 99999999999999999999\n", -1},
                {"retry: 86400000\n", 86400000},
                {"retry: 86400001\n", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_bytes(rows[i].line, strlen(rows[i].line), "", rows[i].ms);
    }
}

static void test_a_nul_in_an_id_or_a_type_makes_the_line_void(void **state)
{
    static const char bytes[] = "id: 1\ndata: a\n\nid: 2\0x\nevent: e\0f\ndata: b\0c\n\n";
    struct seen seen = {0};
    int64_t retry_ms;
    (void)state;
    feed_cut(bytes, sizeof bytes - 1, SIZE_MAX, &seen, &retry_ms);
    assert_int_equal(seen.events, 2);
    assert_memory_equal(seen.text, "1|message|a;1|message|b", 23); /* the NUL ends what snprintf copies */
}

static void test_the_reader_can_stop(void **state)
{
    static const char bytes[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    (void)state;
    for (size_t cut = 0; cut < sizeof bytes; cut++) {
        struct seen seen = {.events_max = 2};
        int64_t retry_ms;
        feed_cut(bytes, sizeof bytes - 1, cut, &seen, &retry_ms);
        assert_string_equal(seen.text, "|message|a;|message|b;");
    }
}

/* What a broken connection left half is not glued to the next; the id of its last whole event is what goes on. */
static void test_a_restart_forgets_what_is_half(void **state)
{
    struct seen seen = {0};
    struct sse sse;
    (void)state;
    troupe__sse_init(&sse, on_event, &seen);
    assert_int_equal(troupe__sse_feed(&sse, "retry: 7\nid: 1\ndata: a\n\nid: 2\nevent: x\ndata: ha", 45), 0);
    assert_string_equal(sse.last_id, "1");
    troupe__sse_restart(&sse);
    assert_string_equal(sse.last_id, "1");
    assert_int_equal(sse.retry_ms, 7);
    assert_int_equal(troupe__sse_feed(&sse, "\xef\xbb\xbf", 3), 0);
    assert_int_equal(troupe__sse_feed(&sse, "data: b\n\n", 9), 0);
    assert_string_equal(seen.text, "1|message|a;1|message|b;");
    troupe__sse_fini(&sse);
}

static void test_a_word_that_is_too_long_is_a_failure(void **state)
{
    static const char *const fields[] = {"id", "event"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int len = SSE_WORD_BYTES_MAX; len <= SSE_WORD_BYTES_MAX + 1; len++) {
            char line[256];
            struct seen seen = {0};
            struct sse sse;
            int bytes = snprintf(line, sizeof line, "%s:%0*d\n", fields[i], len, 7);
            troupe__sse_init(&sse, on_event, &seen);
            assert_int_equal(troupe__sse_feed(&sse, line, (size_t)bytes),
                             len == SSE_WORD_BYTES_MAX ? 0 : TROUPE_E_LIMIT);
            troupe__sse_fini(&sse);
        }
    }
}

/* A line without end, and an event without end, do not take memory without end. */
static void test_endless_lines_and_events_are_a_failure(void **state)
{
    static const char *const starts[] = {"data: ", ""};
    static const char *const pieces[] = {"xxxxxxxxxxxxxxxx", "data: x\ndata: x\n"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {0};
        struct sse sse;
        size_t len = 1 << 20;
        char *block = malloc(len);
        int rc = 0;
        assert_non_null(block);
        for (size_t at = 0; at < len; at += 16) {
            memcpy(block + at, pieces[i], 16);
        }
        troupe__sse_init(&sse, on_event, &seen);
        assert_int_equal(troupe__sse_feed(&sse, starts[i], strlen(starts[i])), 0);
        for (int n = 0; n < 200 && rc == 0; n++) {
            rc = troupe__sse_feed(&sse, block, len);
        }
        assert_int_equal(rc, TROUPE_E_LIMIT);
        assert_true(sse.line.cap + sse.data.cap <= 2 * 2 * SSE_LINE_BYTES_MAX);
        assert_int_equal(seen.events, 0);
        troupe__sse_fini(&sse);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_told_at_its_empty_line),
        cmocka_unit_test(test_lines_end_with_lf_cr_or_both),
        cmocka_unit_test(test_lines_of_data_are_joined),
        cmocka_unit_test(test_an_id_stays_until_the_next),
        cmocka_unit_test(test_comments_and_unknown_fields_are_passed_over),
        cmocka_unit_test(test_a_byte_order_mark_is_passed_over_once),
        cmocka_unit_test(test_retry_is_digits),
        cmocka_unit_test(test_a_nul_in_an_id_or_a_type_makes_the_line_void),
        cmocka_unit_test(test_the_reader_can_stop),
        cmocka_unit_test(test_a_restart_forgets_what_is_half),
        cmocka_unit_test(test_a_word_that_is_too_long_is_a_failure),
        cmocka_unit_test(test_endless_lines_and_events_are_a_failure),
    };
    return cmocka_run_group_tests_name("client event streams", tests, NULL, NULL);
}
