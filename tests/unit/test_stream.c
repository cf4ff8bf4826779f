/* SPDX-License-Identifier: Apache-2.0
 *
 * Event streams as text: what a reader of server-sent events makes of it is what was published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/stream.h"

static troupe_event event_of(const char *content_type, const char *body, size_t len)
{
    return (troupe_event){.id = {0xabc, 7}, .type = troupe_view_of("news"), .content_type = content_type,
                          .body = {body, len}};
}

static void expect(struct text *text, const char *wanted)
{
    assert_false(text->failed);
    assert_string_equal(text->ptr, wanted);
    text_fini(text);
}

static void expect_event(const char *content_type, const char *body, size_t len, const char *wanted)
{
    struct text text = {0}, whole = {0};
    troupe_event event = event_of(content_type, body, len);
    text_printf(&whole, "id: 0000000000000abc.7\nevent: news\n%s\n", wanted);
    stream_add_event(&text, &event);
    expect(&text, whole.ptr);
    text_fini(&whole);
}

static void the_head_names_the_page_that_may_read_it(void **state)
{
    struct text text = {0};
    (void)state;
    stream_add_head(&text, (troupe_view){0});
    assert_non_null(strstr(text.ptr, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(text.ptr, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(text.ptr, "\r\nConnection: close\r\n\r\nretry: 1000\n\n"));
    assert_null(strstr(text.ptr, "Access-Control"));
    assert_null(strstr(text.ptr, "Content-Length"));
    text_fini(&text);
    stream_add_head(&text, troupe_view_of("https://page.example"));
    assert_non_null(strstr(text.ptr, "\r\nAccess-Control-Allow-Origin: https://page.example\r\nVary: Origin\r\n"));
    text_fini(&text);
}

static void bodies_that_lines_can_carry_go_out_as_they_are(void **state)
{
    (void)state;
    expect_event(NULL, "{\"a\":1}", 7, "data: {\"a\":1}\n");
    expect_event("application/json", "[\n1\n]", 5, "data: [\ndata: 1\ndata: ]\n");
    expect_event("text/plain", "a\n\nb\n", 5, "data: a\ndata: \ndata: b\ndata: \n");
    expect_event("text/plain; charset=utf-8", "\xc3\xa9", 2, "data: \xc3\xa9\n");
    expect_event("text/plain", "", 0, "data: \n");
    expect_event(NULL, NULL, 0, "data: \n");
    expect_event("text/plain", " x", 2, "data:  x\n");
}

static void other_bodies_are_wrapped(void **state)
{
    (void)state;
    expect_event("text/plain", "a\rb", 3, "data: {\"content_type\":\"text/plain\",\"body_b64\":\"YQ1i\"}\n");
    expect_event("text/plain", "a\0b", 3, "data: {\"content_type\":\"text/plain\",\"body_b64\":\"YQBi\"}\n");
    expect_event("text/plain", "\xff", 1, "data: {\"content_type\":\"text/plain\",\"body_b64\":\"/w==\"}\n");
    expect_event("image/png", "", 0, "data: {\"content_type\":\"image/png\",\"body_b64\":\"\"}\n");
    expect_event(NULL, "\r\n1", 3, "data: {\"content_type\":\"application/json\",\"body_b64\":\"DQox\"}\n");
    expect_event("application/jsonx", "1", 1, "data: {\"content_type\":\"application/jsonx\",\"body_b64\":\"MQ==\"}\n");
}

/* Pieces of 768 bytes are coded one by one. */
static void a_long_body_is_coded_without_a_seam(void **state)
{
    char body[2000];
    struct text text = {0};
    (void)state;
    memset(body, 0, sizeof body);
    troupe_event event = event_of("application/octet-stream", body, sizeof body);
    stream_add_event(&text, &event);
    const char *from = strstr(text.ptr, "\"body_b64\":\"");
    assert_non_null(from);
    from += strlen("\"body_b64\":\"");
    size_t digits = strspn(from, "A");
    assert_int_equal(digits, (2000 * 8 + 5) / 6);
    assert_int_equal(strncmp(from + digits, "=\"}\n\n", 5), 0);
    text_fini(&text);
}

static void what_the_node_says_itself(void **state)
{
    struct text text = {0};
    troupe_ref ref = {.home = {.low = 1}, .slot = 2, .generation = 3};
    char ref_text[TROUPE_REF_TEXT_MAX], wanted[256];
    (void)state;
    troupe_ref_format(ref, ref_text);
    stream_add_lagged(&text, 20);
    expect(&text, "event: troupe.lagged\ndata: {\"missed\":20}\n\n");
    stream_add_ping(&text);
    expect(&text, ": ping\n\n");

    troupe_exit why = {.cause = TROUPE_EXIT_FAILED, .error = TROUPE_E_APP, .detail = troupe_view_of("no\n\"fuel\"")};
    stream_add_down(&text, ref, &why);
    snprintf(wanted, sizeof wanted, "event: troupe.down\ndata: {\"ref\":\"%s\",\"cause\":\"failed\",\"error\":\"app\","
             "\"detail\":\"no\\n\\\"fuel\\\"\"}\n\n", ref_text);
    expect(&text, wanted);
    why = (troupe_exit){.cause = TROUPE_EXIT_STOPPED};
    stream_add_down(&text, ref, &why);
    snprintf(wanted, sizeof wanted, "event: troupe.down\ndata: {\"ref\":\"%s\",\"cause\":\"stopped\"}\n\n", ref_text);
    expect(&text, wanted);
    stream_add_down(&text, ref, NULL);
    snprintf(wanted, sizeof wanted, "event: troupe.down\ndata: {\"ref\":\"%s\",\"cause\":\"noproc\"}\n\n", ref_text);
    expect(&text, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_names_the_page_that_may_read_it),
        cmocka_unit_test(bodies_that_lines_can_carry_go_out_as_they_are),
        cmocka_unit_test(other_bodies_are_wrapped),
        cmocka_unit_test(a_long_body_is_coded_without_a_seam),
        cmocka_unit_test(what_the_node_says_itself),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
