/* SPDX-License-Identifier: Apache-2.0
 *
 * What actors ask of the world outside: HTTP requests, which the test's host answers by hand, and pauses. */
#include "lib/lab.h"

#include <stdlib.h>

#include <troupe/http.h>

/* ---- the host ---- */

static struct host {
    unsigned asked;
    troupe_outside who;          /* of the last request */
    int refusal;
    char method[32], url[64], content_type[64], header[64], key[16], body[64];
    uint32_t timeout_ms;
    unsigned replies;
    int status;
    unsigned http_status;
    char reply[64], reply_type[64];
} host;

static int on_http(void *user, troupe_outside who, const troupe_http *request)
{
    (void)user;
    host.asked++;
    host.who = who;
    host.timeout_ms = request->timeout_ms;
    strcpy(host.method, request->method);
    strcpy(host.url, request->url);
    strcpy(host.content_type, request->body.content_type != NULL ? request->body.content_type : "");
    strcpy(host.header, request->headers_count > 0 ? request->headers[0].value : "");
    memcpy(host.key, request->sign_key.len > 0 ? request->sign_key.ptr : "", request->sign_key.len);
    if (request->body.ptr != NULL)
        memcpy(host.body, request->body.ptr, request->body.len);
    return host.refusal;
}

static void open_host(struct lab *lab)
{
    host = (struct host){0};
    lab_open_with(lab, (troupe_system_config){.no_inline = true, .actors_max = 64, .http = on_http});
}

static void answer(struct lab *lab, unsigned status, const char *type, const char *body)
{
    const troupe_answer said = {.app_status = (uint16_t)status, .content_type = type, .body = troupe_view_of(body)};
    assert_int_equal(troupe_system_answer(lab->system, host.who, &said), 0);
    lab_run(lab);
}

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)ctx, (void)state;
    host.replies++;
    host.status = reply->status;
    host.http_status = troupe_http_status(reply);
    memset(host.reply, 0, sizeof host.reply);
    memcpy(host.reply, reply->body, reply->body_len);
    strcpy(host.reply_type, reply->content_type != NULL ? reply->content_type : "");
    assert_int_equal(reply->kind, TROUPE_MSG_REPLY);
    assert_int_equal(reply->tag, 77);
    return 0;
}

static int result; /* of the last request */

static int get(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_http request = {.url = "http://a.example/x"};
    (void)self;
    result = troupe_http_request(ctx, &request, on_reply, 77);
    return 0;
}

static int get_and_wait(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_http request = {.url = "https://a.example/x", .timeout_ms = 300};
    (void)self;
    result = troupe_http_request_wait(ctx, &request, on_reply, 77);
    return 0;
}

/* ---- requests ---- */

static int post(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_http_header header = {"X-Some", "a value"};
    const troupe_http request = {.url = "http://a.example/x", .headers = &header, .headers_count = 1,
                                 .body = troupe_body_bytes("hello", 5, "text/plain"), .timeout_ms = 1234,
                                 .sign_key = troupe_view_of("key")};
    (void)self;
    result = troupe_http_request(ctx, &request, on_reply, 77);
    return 0;
}

static void test_a_request_goes_to_the_host_whole_and_its_answer_comes_back(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, post);
    assert_int_equal(result, 0);
    assert_int_equal(host.asked, 1);
    assert_string_equal(host.method, "POST");
    assert_string_equal(host.url, "http://a.example/x");
    assert_string_equal(host.content_type, "text/plain");
    assert_string_equal(host.header, "a value");
    assert_string_equal(host.body, "hello");
    assert_string_equal(host.key, "key");
    assert_int_equal(host.timeout_ms, 1234);
    assert_true(troupe_ref_equal(host.who.actor, a.ref));
    assert_int_equal(host.replies, 0);

    answer(&lab, 404, "text/html", "<p>");
    assert_int_equal(host.replies, 1);
    assert_int_equal(host.status, 0);
    assert_int_equal(host.http_status, 404);
    assert_string_equal(host.reply, "<p>");
    assert_string_equal(host.reply_type, "text/html");

    lab_do(&lab, &a, get);
    assert_string_equal(host.method, "GET");
    assert_int_equal(host.timeout_ms, TROUPE_HTTP_TIMEOUT_MS_DEFAULT);
    answer(&lab, 204, NULL, "");
    assert_int_equal(host.http_status, 204);
    assert_string_equal(host.reply_type, ""); /* as with any body: JSON */
    lab_close(&lab);
}

static void test_a_refusal_of_the_host_is_an_error_with_words(void **state)
{
    const troupe_answer said = {.error = TROUPE_E_FORBIDDEN, .app_status = 200, .detail = troupe_view_of("not there")};
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    assert_int_equal(troupe_system_answer(lab.system, host.who, &said), 0);
    lab_run(&lab);
    assert_int_equal(host.status, TROUPE_E_FORBIDDEN);
    assert_int_equal(host.http_status, 0);
    assert_string_equal(host.reply, "not there");

    host.refusal = TROUPE_E_LIMIT; /* at once: then the continuation does not run */
    lab_do(&lab, &a, get);
    assert_int_equal(result, TROUPE_E_LIMIT);
    lab_pass(&lab, 20000);
    assert_int_equal(host.replies, 1);
    lab_close(&lab);
}

static void test_a_host_without_http_refuses_all(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    lab_open(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    assert_int_equal(result, TROUPE_E_FORBIDDEN);
    lab_close(&lab);
}

static void test_a_request_that_is_not_answered_ends_by_its_deadline_and_a_late_answer_is_dropped(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    lab_pass(&lab, TROUPE_HTTP_TIMEOUT_MS_DEFAULT + 10);
    assert_int_equal(host.replies, 1);
    assert_int_equal(host.status, TROUPE_E_TIMEOUT);
    answer(&lab, 200, NULL, "late");
    assert_int_equal(host.replies, 1);
    lab_close(&lab);
}

static void test_an_answer_for_an_actor_that_has_ended_is_dropped(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    lab_do(&lab, &a, puppet_end);
    assert_false(lab_is_alive(&lab, &a));
    answer(&lab, 200, NULL, "late");
    lab_spawn(&lab, &a, NULL); /* perhaps in the same slot */
    answer(&lab, 200, NULL, "late");
    assert_int_equal(host.replies, 0);
    lab_close(&lab);
}

static void test_a_drain_waits_for_a_request_under_way(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    struct lab_request drained;
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    lab_stop(&lab, a.ref, TROUPE_DRAIN, &drained, 5000);
    lab_pass(&lab, 100);
    assert_false(drained.done);
    answer(&lab, 200, NULL, "");
    assert_int_equal(host.replies, 1);
    assert_true(drained.done);
    lab_close(&lab);
}

static void test_nothing_else_is_handled_while_an_actor_waits_for_its_answer(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get_and_wait);
    assert_int_equal(lab_note(&lab, &a), 0);
    lab_run(&lab);
    assert_int_equal(a.notes, 0);
    answer(&lab, 200, NULL, "");
    assert_int_equal(host.replies, 1);
    assert_int_equal(a.notes, 1);

    lab_do(&lab, &a, get_and_wait); /* and its deadline */
    assert_int_equal(lab_note(&lab, &a), 0);
    lab_pass(&lab, 290);
    assert_int_equal(a.notes, 1);
    lab_pass(&lab, 20);
    assert_int_equal(host.status, TROUPE_E_TIMEOUT);
    assert_int_equal(a.notes, 2);
    lab_close(&lab);
}

static int wait_twice(troupe_ctx *ctx, struct puppet *self)
{
    get_and_wait(ctx, self);
    assert_int_equal(result, 0);
    get_and_wait(ctx, self);
    assert_int_equal(result, TROUPE_E_STATE);
    assert_int_equal(troupe_pause(ctx, 1, on_reply, 77), TROUPE_E_STATE);
    return 0;
}

static void test_an_actor_waits_for_one_thing_at_a_time_and_can_be_killed_meanwhile(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    struct lab_request killed;
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, wait_twice);
    lab_stop(&lab, a.ref, TROUPE_KILL, &killed, 0);
    lab_run(&lab);
    assert_true(killed.done);
    assert_false(lab_is_alive(&lab, &a));
    lab_close(&lab);
}

static int ask_in_stop(troupe_ctx *ctx, struct puppet *self) { return get(ctx, self); }

static void test_an_actor_that_stops_asks_for_nothing(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a', .on_stop = ask_in_stop};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    result = 0;
    lab_do(&lab, &a, puppet_end);
    assert_int_equal(result, TROUPE_E_STATE);
    assert_int_equal(host.asked, 0);
    lab_close(&lab);
}

/* ---- pauses ---- */

static int pause_50_ms(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    assert_int_equal(troupe_pause(ctx, TROUPE_CALL_TIMEOUT_MS_MAX + 1, on_reply, 77), TROUPE_E_INVALID);
    result = troupe_pause(ctx, 50, on_reply, 77);
    return 0;
}

static void test_a_pause_holds_the_messages_back_for_its_time_and_ends_well(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    troupe_stats stats;
    (void)state;
    open_host(&lab);
    host.status = 1;
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, pause_50_ms);
    assert_int_equal(result, 0);
    assert_int_equal(lab_note(&lab, &a), 0);
    lab_pass(&lab, 48);
    assert_int_equal(a.notes, 0);
    assert_int_equal(host.replies, 0);
    lab_pass(&lab, 4);
    assert_int_equal(host.replies, 1);
    assert_int_equal(host.status, 0);
    assert_int_equal(a.notes, 1);
    troupe_system_stats(lab.system, &stats);
    assert_int_equal(stats.timeouts, 0); /* no call was late */
    lab_close(&lab);
}

/* ---- what may be asked ---- */

static char long_text[TROUPE_HTTP_URL_BYTES_MAX + 2];
static const troupe_http_header bad_headers[] = {
    {"", "x"},
    {"A B", "x"},
    {"A:", "x"},
    {"A", ""},
    {"A", "x\r\nB: y"},
    {"A", "x\ny"},
    {"A", "\x7f"},
    {"A", "\xc3\xa4"},
    {NULL, "x"},
    {"A", NULL},
    {"Host", "x"},
    {"content-length", "1"},
    {"Transfer-Encoding", "chunked"},
    {"CONNECTION", "x"},
    {"Content-Type", "x"},
    {"Proxy-Authorization", "x"},
    {"Troupe-Signature", "x"},
    {"Upgrade", "x"},
    {"A", long_text},
};

static int ask_badly(troupe_ctx *ctx, struct puppet *self)
{
    static const char *const urls[] = {
        "",          "http://", "ftp://a.example/", "a.example", "http://a b/", "http://a/\n", "http://a/\xc3\xa4",
        "HTTP://a/", long_text};
    static const char *const methods[] = {"", "get", "GET ", "CONNECT", "G\r\nX", "ABCDEFGHIJKLMNOPQ"};
    static char big[TROUPE_HTTP_BODY_BYTES_MAX + 1];
    troupe_http request = {0};
    (void)self;
    memset(long_text, 'x', sizeof long_text - 1);
    memcpy(long_text, "http://", 7);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        request.url = urls[i];
        assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    }
    request.url = NULL;
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    request.url = "http://a/";
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        request.method = methods[i];
        assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    }
    request.method = NULL;
    request.headers_count = 1;
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
        request.headers = &bad_headers[i];
        assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    }
    request.headers_count = TROUPE_HTTP_HEADERS_MAX + 1;
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    request.headers_count = 0;
    request.timeout_ms = TROUPE_CALL_TIMEOUT_MS_MAX + 1;
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    request.timeout_ms = 0;
    request.sign_key = (troupe_view){big, TROUPE_HTTP_KEY_BYTES_MAX + 1};
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    request.sign_key.len = 0;
    request.body = troupe_body_bytes("x", 1, "text/plain\r\nX: y");
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_INVALID);
    request.body = troupe_body_json(big, sizeof big);
    assert_int_equal(troupe_http_request(ctx, &request, on_reply, 77), TROUPE_E_TOO_LARGE);
    return 0;
}

static void test_what_could_become_another_request_never_reaches_the_host(void **state)
{
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, ask_badly);
    assert_int_equal(host.asked, 0);
    lab_close(&lab);
}

static void test_an_answer_larger_than_may_be_is_refused(void **state)
{
    const troupe_answer said = {.body = {"", TROUPE_BODY_BYTES_MAX + 1}};
    struct lab lab;
    struct puppet a = {.letter = 'a'};
    (void)state;
    open_host(&lab);
    lab_spawn(&lab, &a, NULL);
    lab_do(&lab, &a, get);
    assert_int_equal(troupe_system_answer(lab.system, host.who, &said), TROUPE_E_TOO_LARGE);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_goes_to_the_host_whole_and_its_answer_comes_back),
        cmocka_unit_test(test_a_refusal_of_the_host_is_an_error_with_words),
        cmocka_unit_test(test_a_host_without_http_refuses_all),
        cmocka_unit_test(test_a_request_that_is_not_answered_ends_by_its_deadline_and_a_late_answer_is_dropped),
        cmocka_unit_test(test_an_answer_for_an_actor_that_has_ended_is_dropped),
        cmocka_unit_test(test_a_drain_waits_for_a_request_under_way),
        cmocka_unit_test(test_nothing_else_is_handled_while_an_actor_waits_for_its_answer),
        cmocka_unit_test(test_an_actor_waits_for_one_thing_at_a_time_and_can_be_killed_meanwhile),
        cmocka_unit_test(test_an_actor_that_stops_asks_for_nothing),
        cmocka_unit_test(test_a_pause_holds_the_messages_back_for_its_time_and_ends_well),
        cmocka_unit_test(test_what_could_become_another_request_never_reaches_the_host),
        cmocka_unit_test(test_an_answer_larger_than_may_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
