/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests: what goes into the path, the query and the body, and what is refused before it is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "src/request.h"

/* A reference goes into one path segment: all but unreserved characters are percent-encoded, the @ of a name stays. */
static void test_a_reference_becomes_one_segment(void **state)
{
    static const struct {
        const char *ref;
        const char *target;
    } rows[] = {
        {"n.4tq8v1m02x7kc.3f.1", "/v1/actors/n.4tq8v1m02x7kc.3f.1"},
        {"s.0123456789abcdef.1.1", "/v1/actors/s.0123456789abcdef.1.1"},
        {"@hits", "/v1/actors/@hits"},
        {"@a/b", "/v1/actors/@a%2Fb"},
        {"@a b?c#d%e", "/v1/actors/@a%20b%3Fc%23d%25e"},
        {"@@x", "/v1/actors/@%40x"},
        {"@caf\xc3\xa9", "/v1/actors/@caf%C3%A9"},
        {"@-._~", "/v1/actors/@-._~"},
        {"@...", "/v1/actors/@..."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_request request;
        assert_int_equal(troupe__request_actor("GET", rows[i].ref, "", &request, NULL), 0);
        assert_string_equal(request.target, rows[i].target);
        assert_string_equal(request.method, "GET");
        troupe__request_fini(&request);
    }
}

static void test_a_bad_reference_is_refused_and_said_why(void **state)
{
    static const struct {
        const char *ref;
        int error;
        const char *detail; /* a part of it */
    } rows[] = {
        {"hits", TROUPE_E_BAD_REFERENCE, "write @hits"},
        {"", TROUPE_E_BAD_REFERENCE, "a reference is an id"},
        {"n.ABC.1.1", TROUPE_E_BAD_REFERENCE, "is not an id"},
        {"x.abc.1.1", TROUPE_E_BAD_REFERENCE, "is not an id"},
        {"@", TROUPE_E_INVALID, "1 to 255 bytes"},
        {"@.", TROUPE_E_INVALID, "'.' or '..'"},
        {"@..", TROUPE_E_INVALID, "'.' or '..'"},
        {"@a\nb", TROUPE_E_INVALID, "control"},
        {"@a\x7f", TROUPE_E_INVALID, "control"},
        {"@\xc2\x85", TROUPE_E_INVALID, "control"},
        {"@\xff", TROUPE_E_INVALID, "UTF-8"},
        {"@\xc0\xaf", TROUPE_E_INVALID, "UTF-8"},
        {"@\xed\xa0\x80", TROUPE_E_INVALID, "UTF-8"},
        {"@\xe2\x82", TROUPE_E_INVALID, "UTF-8"},
        {"@\xf4\x90\x80\x80", TROUPE_E_INVALID, "UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_request request;
        troupe_client_problem problem;
        assert_int_equal(troupe__request_actor("GET", rows[i].ref, "", &request, &problem), rows[i].error);
        assert_int_equal(problem.error, rows[i].error);
        assert_int_equal(problem.http_status, 0);
        assert_string_equal(problem.field, "ref");
        assert_non_null(strstr(problem.detail, rows[i].detail));
        assert_int_equal(troupe__request_actor("GET", rows[i].ref, "", &request, NULL),
                         rows[i].error); /* a problem is optional */
    }
}

/* The limits of part 15: 255 bytes of name, 64 of a word, and one more is refused. */
static void test_limits_of_names_and_words(void **state)
{
    char name[1 + TROUPE_CLIENT_NAME_BYTES_MAX + 2] = "@";
    char word[TROUPE_CLIENT_WORD_BYTES_MAX + 2] = "";
    struct http_request request;
    (void)state;

    memset(name + 1, 'a', TROUPE_CLIENT_NAME_BYTES_MAX);
    assert_int_equal(troupe__request_actor("GET", name, "", &request, NULL), 0);
    troupe__request_fini(&request);
    name[1 + TROUPE_CLIENT_NAME_BYTES_MAX] = 'a';
    assert_int_equal(troupe__request_actor("GET", name, "", &request, NULL), TROUPE_E_INVALID);

    memset(word, 'a', TROUPE_CLIENT_WORD_BYTES_MAX);
    troupe_client_message message = {.ref = "@hits", .type = word};
    assert_int_equal(troupe__request_send("cast", &message, &request, NULL), 0);
    troupe__request_fini(&request);
    word[TROUPE_CLIENT_WORD_BYTES_MAX] = 'a';
    assert_int_equal(troupe__request_send("cast", &message, &request, NULL), TROUPE_E_INVALID);
}

/* The longest name of characters that all need escapes still fits. */
static void test_the_longest_escaped_name_fits(void **state)
{
    char name[1 + TROUPE_CLIENT_NAME_BYTES_MAX + 1] = "@";
    struct http_request request;
    (void)state;
    memset(name + 1, ' ', TROUPE_CLIENT_NAME_BYTES_MAX);
    assert_int_equal(troupe__request_actor("GET", name, "", &request, NULL), 0);
    assert_int_equal(strlen(request.target), strlen("/v1/actors/@") + 3 * TROUPE_CLIENT_NAME_BYTES_MAX);
    troupe__request_fini(&request);
}

static void test_a_call_has_body_type_and_timeout(void **state)
{
    troupe_client_message message = {
        .ref = "@hits", .type = "add", .body = "{\"by\":2}", .body_len = 8, .timeout_ms = 1500};
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_send("call", &message, &request, NULL), 0);
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.target, "/v1/actors/@hits/call/add?timeout=1500ms");
    assert_string_equal(request.content_type, "application/json");
    assert_ptr_equal(request.body, message.body);
    assert_int_equal(request.body_len, 8);
    assert_int_equal(request.timeout_ms, 1500 + TROUPE_CLIENT_GRACE_MS);
    troupe__request_fini(&request);
}

static void test_a_call_without_body_has_no_content_type(void **state)
{
    troupe_client_message message = {.ref = "@hits", .type = "get"};
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_send("call", &message, &request, NULL), 0);
    assert_string_equal(request.target, "/v1/actors/@hits/call/get");
    assert_null(request.content_type);
    assert_int_equal(request.timeout_ms, 0);
    troupe__request_fini(&request);
}

static void test_a_header_cannot_be_smuggled_into_the_content_type(void **state)
{
    troupe_client_message message = {.ref = "@hits", .type = "get", .content_type = "text/plain\r\nHost: x"};
    struct http_request request;
    troupe_client_problem problem;
    (void)state;

    assert_int_equal(troupe__request_send("call", &message, &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "content_type");
    message.content_type = "";
    assert_int_equal(troupe__request_send("call", &message, &request, &problem), TROUPE_E_INVALID);
}

static void test_spawn_sends_only_what_was_given(void **state)
{
    json_t *args = json_pack("{s:i}", "start", 3);
    troupe_client_spawn_spec bare = {.behavior = "counter"};
    troupe_client_spawn_spec full = {
        .behavior = "counter",
        .name = "hits",
        .if_exists = "return",
        .args = args,
        .mailbox_messages = 10,
        .mailbox_bytes = 4096,
        .mailbox_policy = "drop_oldest",
        .restart = "transient",
    };
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_spawn(&bare, &request, NULL), 0);
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.target, "/v1/actors");
    assert_string_equal(request.content_type, "application/json");
    assert_string_equal(request.body, "{\"behavior\":\"counter\"}");
    troupe__request_fini(&request);

    assert_int_equal(troupe__request_spawn(&full, &request, NULL), 0);
    assert_string_equal(request.body,
                        "{\"behavior\":\"counter\",\"name\":\"hits\",\"if_exists\":\"return\",\"args\":{\"start\":3},"
                        "\"mailbox\":{\"messages\":10,\"bytes\":4096,\"policy\":\"drop_oldest\"},"
                        "\"restart\":\"transient\"}");
    assert_int_equal(request.body_len, strlen(request.body));
    troupe__request_fini(&request);
    json_decref(args);
}

static void test_spawn_refuses_what_no_node_takes(void **state)
{
    static const struct {
        troupe_client_spawn_spec spec;
        const char *field;
    } rows[] = {
        {{.behavior = NULL}, "behavior"},
        {{.behavior = ""}, "behavior"},
        {{.behavior = "a/b"}, "behavior"},
        {{.behavior = "counter", .name = ""}, "name"},
        {{.behavior = "counter", .name = "a\tb"}, "name"},
        {{.behavior = "counter", .mailbox_bytes = UINT64_MAX}, "mailbox"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_request request;
        troupe_client_problem problem;
        assert_int_equal(troupe__request_spawn(&rows[i].spec, &request, &problem), TROUPE_E_INVALID);
        assert_string_equal(problem.field, rows[i].field);
    }
}

static void test_a_list_has_its_filters_in_the_query(void **state)
{
    troupe_client_filter none = {0};
    troupe_client_filter all = {
        .behavior = "counter", .state = "running", .name = "a&b=c", .limit = 50, .cursor = "x+/="};
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_list("/v1/actors", &none, &request, NULL), 0);
    assert_string_equal(request.target, "/v1/actors");
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_list("/v1/actors", &all, &request, NULL), 0);
    assert_string_equal(request.target,
                        "/v1/actors?behavior=counter&state=running&name=a%26b%3Dc&limit=50&cursor=x%2B%2F%3D");
    troupe__request_fini(&request);
}

static void test_a_request_over_the_limit_is_refused(void **state)
{
    static char cursor[10000];
    troupe_client_filter filter = {.cursor = cursor};
    struct http_request request;
    troupe_client_problem problem;
    (void)state;

    memset(cursor, 'a', sizeof cursor - 1);
    assert_int_equal(troupe__request_list("/v1/actors", &filter, &request, &problem), TROUPE_E_INVALID);
    assert_non_null(strstr(problem.detail, "longer than"));
}

static void test_a_stop_has_mode_reason_and_timeout(void **state)
{
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_stop("@hits", "drain", "new & old", 2000, &request, NULL), 0);
    assert_string_equal(request.method, "DELETE");
    assert_string_equal(request.target, "/v1/actors/@hits?mode=drain&reason=new%20%26%20old&timeout=2000ms");
    assert_int_equal(request.timeout_ms, 2000 + TROUPE_CLIENT_GRACE_MS);
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_stop("@hits", NULL, NULL, 0, &request, NULL), 0);
    assert_string_equal(request.target, "/v1/actors/@hits");
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_stop("@hits", NULL, NULL, UINT32_MAX, &request, NULL), 0);
    assert_int_equal(request.timeout_ms, TROUPE_CLIENT_TIMEOUT_MS_MAX); /* does not wrap around */
    troupe__request_fini(&request);
}

static void test_a_name_is_looked_up_without_its_at(void **state)
{
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_name("a/b", &request, NULL), 0);
    assert_string_equal(request.target, "/v1/names/a%2Fb");
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_name("", &request, NULL), TROUPE_E_INVALID);
}

static void test_a_path_must_be_one(void **state)
{
    static const char *const bad[] = {"", "v1/node", "http://x/", "/a b", "/a\r\nHost: x", "/a#b", "/\xff"};
    struct http_request request;
    (void)state;

    assert_int_equal(troupe__request_get("/v1/node", &request, NULL), 0);
    assert_string_equal(request.target, "/v1/node");
    troupe__request_fini(&request);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(troupe__request_get(bad[i], &request, NULL), TROUPE_E_INVALID);
    }
}

/* ---- looking inside, timers, groups ---- */

static void expect(int rc, struct http_request *request, const char *method, const char *target, const char *body)
{
    assert_int_equal(rc, 0);
    assert_string_equal(request->method, method);
    assert_string_equal(request->target, target);
    if (body == NULL) {
        assert_null(request->body);
    } else {
        assert_int_equal(request->body_len, strlen(body));
        assert_memory_equal(request->body, body, strlen(body));
    }
    troupe__request_fini(request);
}

static void test_traces_and_timers_are_asked_for(void **state)
{
    struct http_request request;
    troupe_client_problem problem;
    json_t *by = json_pack("{s:i}", "by", 2);
    troupe_client_timer timer = {.type = "add", .body = by, .after_ms = 5};
    (void)state;
    expect(troupe__request_trace("@a b", 7, true, &request, NULL), &request, "POST", "/v1/actors/@a%20b/trace",
           "{\"messages\":7,\"bodies\":true}");
    expect(troupe__request_trace("@a", 0, false, &request, NULL), &request, "POST", "/v1/actors/@a/trace",
           "{\"bodies\":false}");
    expect(troupe__request_timer_set("@a", "t", &timer, &request, NULL), &request, "PUT", "/v1/actors/@a/timers/t",
           "{\"type\":\"add\",\"body\":{\"by\":2},\"after_ms\":5}");
    timer = (troupe_client_timer){.type = "add", .every_ms = 9, .missed = "burst"};
    expect(troupe__request_timer_set("@a", "t", &timer, &request, NULL), &request, "PUT", "/v1/actors/@a/timers/t",
           "{\"type\":\"add\",\"every_ms\":9,\"missed\":\"burst\"}");
    timer = (troupe_client_timer){.type = "add", .at = "x"};
    expect(troupe__request_timer_set("@a", "t", &timer, &request, NULL), &request, "PUT", "/v1/actors/@a/timers/t",
           "{\"type\":\"add\",\"at\":\"x\"}");
    timer = (troupe_client_timer){.type = "add"};
    expect(troupe__request_timer_set("@a", "t", &timer, &request, NULL), &request, "PUT", "/v1/actors/@a/timers/t",
           "{\"type\":\"add\",\"after_ms\":0}");
    expect(troupe__request_timer("DELETE", "@a", "t:1", &request, NULL), &request, "DELETE",
           "/v1/actors/@a/timers/t%3A1", NULL);
    assert_int_equal(troupe__request_timer("DELETE", "@a", "t/1", &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "timer");
    timer = (troupe_client_timer){.type = "a b"};
    assert_int_equal(troupe__request_timer_set("@a", "t", &timer, &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "type");
    timer = (troupe_client_timer){.type = "add", .at = "\xff"};
    assert_int_equal(troupe__request_timer_set("@a", "t", &timer, &request, &problem), TROUPE_E_INVALID);
    assert_int_equal(troupe__request_behavior("a/b", &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "behavior");
    json_decref(by);
}

static void test_groups_are_asked_with_their_scope(void **state)
{
    const troupe_client_group plain = {.name = "g"};
    const troupe_client_group scoped = {.name = "g", .scope = "s"};
    const troupe_client_group odd = {.name = "g", .scope = "s&t"};
    const troupe_client_filter filter = {.limit = 5, .cursor = "c"};
    const troupe_client_message message = {.type = "add", .body = "1", .body_len = 1, .timeout_ms = 50};
    struct http_request request;
    troupe_client_problem problem;
    (void)state;
    expect(troupe__request_member("PUT", &plain, "@a/b", &request, NULL), &request, "PUT",
           "/v1/groups/g/members/@a%2Fb", NULL);
    expect(troupe__request_member("DELETE", &scoped, "n.a.1.1", &request, NULL), &request, "DELETE",
           "/v1/groups/g/members/n.a.1.1?scope=s", NULL);
    expect(troupe__request_members(&scoped, &filter, &request, NULL), &request, "GET",
           "/v1/groups/g?scope=s&limit=5&cursor=c", NULL);
    expect(troupe__request_group_send("call", &scoped, &message, &request, NULL), &request, "POST",
           "/v1/groups/g/call/add?scope=s&timeout=50ms", "1");
    expect(troupe__request_group_send("cast", &plain, &message, &request, NULL), &request, "POST",
           "/v1/groups/g/cast/add", "1");
    assert_int_equal(troupe__request_member("PUT", &odd, "@a", &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "scope");
    assert_int_equal(troupe__request_members(&(troupe_client_group){.name = ""}, &filter, &request, &problem),
                     TROUPE_E_INVALID);
    assert_string_equal(problem.field, "group");
    assert_int_equal(troupe__request_member("PUT", &plain, "a", &request, &problem), TROUPE_E_BAD_REFERENCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reference_becomes_one_segment),
        cmocka_unit_test(test_a_bad_reference_is_refused_and_said_why),
        cmocka_unit_test(test_limits_of_names_and_words),
        cmocka_unit_test(test_the_longest_escaped_name_fits),
        cmocka_unit_test(test_a_call_has_body_type_and_timeout),
        cmocka_unit_test(test_a_call_without_body_has_no_content_type),
        cmocka_unit_test(test_a_header_cannot_be_smuggled_into_the_content_type),
        cmocka_unit_test(test_spawn_sends_only_what_was_given),
        cmocka_unit_test(test_spawn_refuses_what_no_node_takes),
        cmocka_unit_test(test_a_list_has_its_filters_in_the_query),
        cmocka_unit_test(test_a_request_over_the_limit_is_refused),
        cmocka_unit_test(test_a_stop_has_mode_reason_and_timeout),
        cmocka_unit_test(test_a_name_is_looked_up_without_its_at),
        cmocka_unit_test(test_a_path_must_be_one),
        cmocka_unit_test(test_traces_and_timers_are_asked_for),
        cmocka_unit_test(test_groups_are_asked_with_their_scope),
    };
    return cmocka_run_group_tests_name("client request", tests, NULL, NULL);
}
