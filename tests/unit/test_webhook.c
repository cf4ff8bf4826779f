/* SPDX-License-Identifier: Apache-2.0
 *
 * The standard behavior webhook, against a web server that is played by the test, on virtual time. */
#include "lib/lab.h"

#include <troupe/behaviors.h>
#include <troupe/http.h>

/* ---- the server ---- */

static struct server {
    struct lab lab;
    unsigned asked;
    troupe_outside who;
    int refusal;
    char url[64], type[64], delivery[128], attempt[16], missed[16], content_type[64], key[64], body[256];
    uint32_t timeout_ms;
} server;

static void copy(char *dst, const char *src) { strcpy(dst, src != NULL ? src : ""); }

static const char *header(const troupe_http *request, const char *name)
{
    for (uint32_t i = 0; i < request->headers_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

static int on_http(void *user, troupe_outside who, const troupe_http *request)
{
    (void)user;
    server.asked++;
    server.who = who;
    server.timeout_ms = request->timeout_ms;
    assert_string_equal(request->method, "POST");
    copy(server.url, request->url);
    copy(server.type, header(request, "Troupe-Type"));
    copy(server.delivery, header(request, "Troupe-Delivery"));
    copy(server.attempt, header(request, "Troupe-Attempt"));
    copy(server.missed, header(request, "Troupe-Missed"));
    copy(server.content_type, request->body.content_type);
    memset(server.key, 0, sizeof server.key);
    memcpy(server.key, request->sign_key.ptr, request->sign_key.len);
    memset(server.body, 0, sizeof server.body);
    memcpy(server.body, request->body.ptr, request->body.len);
    return server.refusal;
}

static void answer(unsigned status)
{
    const troupe_answer said = {.app_status = (uint16_t)status, .body = troupe_view_of("{}")};
    assert_int_equal(troupe_system_answer(server.lab.system, server.who, &said), 0);
    lab_run(&server.lab);
}

static void fail_with(int error, const char *detail)
{
    const troupe_answer said = {.error = error, .detail = troupe_view_of(detail)};
    assert_int_equal(troupe_system_answer(server.lab.system, server.who, &said), 0);
    lab_run(&server.lab);
}

/* ---- asking the webhook ---- */

struct asked {
    troupe_request request;
    bool done;
    int error;
    unsigned app_status;
    troupe_ref ref;
    char body[256], detail[256];
};

static void on_done(troupe_request *request, const troupe_answer *said)
{
    struct asked *asked = request->user;
    assert_false(asked->done);
    asked->done = true;
    asked->error = said->error;
    asked->app_status = said->app_status;
    asked->ref = said->ref;
    if (said->body.len > 0)
        memcpy(asked->body, said->body.ptr, said->body.len);
    if (said->detail.len > 0)
        memcpy(asked->detail, said->detail.ptr, said->detail.len);
}

static troupe_request *fresh(struct asked *asked)
{
    *asked = (struct asked){.request.user = asked};
    return &asked->request;
}

static void spawn_behavior(struct asked *asked, const char *behavior, const char *name, const char *args)
{
    const troupe_spawn_opts opts = {.behavior = behavior, .name = troupe_view_of(name),
                                    .args = troupe_body_json(args, strlen(args))};
    troupe_request_spawn(server.lab.worker, fresh(asked), on_done, &opts);
    lab_run(&server.lab);
    assert_true(asked->done);
}

static troupe_ref spawn(const char *args)
{
    struct asked asked;
    spawn_behavior(&asked, "webhook", "", args);
    if (asked.error != 0)
        fail_msg("%s", asked.detail);
    return asked.ref;
}

static void call(struct asked *asked, troupe_ref ref, const char *type, const char *body, uint32_t timeout_ms)
{
    troupe_request_call(server.lab.worker, fresh(asked), on_done, ref, troupe_view_of(type),
                        troupe_body_json(body, strlen(body)), (troupe_caller){0}, timeout_ms);
    lab_run(&server.lab);
}

static void cast(troupe_ref ref, const char *type, const char *body)
{
    assert_int_equal(troupe_worker_cast(server.lab.worker, ref, troupe_view_of(type),
                                        troupe_body_json(body, strlen(body)), (troupe_caller){0}),
                     0);
    lab_run(&server.lab);
}

static void assert_status(troupe_ref ref, const char *expected)
{
    struct asked asked;
    call(&asked, ref, "webhook.status", "", 0);
    assert_true(asked.done);
    assert_string_equal(asked.body, expected);
}

/* The event `dead` that comes next. */
static void read_dead(troupe_subscription *subscription, char event[static 1024])
{
    troupe_event read;
    assert_int_equal(troupe_subscription_read(subscription, &read), 1);
    assert_true(troupe_view_equal(read.type, troupe_view_of("dead")));
    assert_true(read.body.len < 1024);
    memcpy(event, read.body.ptr, read.body.len);
    event[read.body.len] = '\0';
}

static void on_ready(troupe_subscription *subscription) { (void)subscription; }

static int setup(void **state)
{
    (void)state;
    memset(&server, 0, sizeof server);
    lab_open_with(&server.lab, (troupe_system_config){.no_inline = true, .actors_max = 64, .http = on_http});
    assert_int_equal(troupe_system_add_behavior(server.lab.system, &troupe_behavior_webhook), 0);
    assert_int_equal(troupe_system_add_behavior(server.lab.system, &troupe_behavior_topic), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lab_close(&server.lab);
    return 0;
}

/* ---- tests ---- */

static void test_a_message_is_posted_with_what_identifies_it(void **state)
{
    char ref_text[TROUPE_REF_TEXT_MAX];
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"https://a.example/hook\",\"secret\":\"s3cret\",\"timeout_ms\":2000}");
    cast(ref, "order.paid", "{\"id\":7}");
    assert_int_equal(server.asked, 1);
    assert_string_equal(server.url, "https://a.example/hook");
    assert_string_equal(server.type, "order.paid");
    assert_string_equal(server.body, "{\"id\":7}");
    assert_string_equal(server.content_type, "");
    assert_string_equal(server.attempt, "1");
    assert_string_equal(server.missed, "");
    assert_string_equal(server.key, "s3cret");
    assert_int_equal(server.timeout_ms, 2000);
    troupe_ref_format(ref, ref_text);
    assert_memory_equal(server.delivery, ref_text, strlen(ref_text));
    assert_string_equal(server.delivery + strlen(ref_text), ".1");
    answer(204);
    assert_status(ref, "{\"delivered\":1,\"dead\":0,\"retried\":0,\"missed\":0}");
}

static void test_a_caller_is_answered_when_the_server_took_it(void **state)
{
    struct asked asked;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
    call(&asked, ref, "ping", "{}", 0);
    assert_false(asked.done);
    answer(202);
    assert_true(asked.done);
    assert_int_equal(asked.error, 0);
    assert_string_equal(asked.body, "{\"status\":202,\"attempts\":1}");
}

static void test_deliveries_are_one_at_a_time_and_in_order(void **state)
{
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
    cast(ref, "a", "1");
    cast(ref, "b", "2");
    cast(ref, "c", "3");
    assert_int_equal(server.asked, 1);
    assert_string_equal(server.type, "a");
    answer(200);
    assert_int_equal(server.asked, 2);
    assert_string_equal(server.type, "b");
    answer(200);
    assert_string_equal(server.type, "c");
    answer(200);
    assert_int_equal(server.asked, 3);
}

static void test_a_failed_attempt_is_repeated_after_a_growing_pause(void **state)
{
    struct asked asked;
    char delivery[128];
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\",\"backoff_min_ms\":100,\"backoff_max_ms\":300}");
    call(&asked, ref, "ping", "{}", 60000);
    strcpy(delivery, server.delivery);
    answer(503);
    lab_pass(&server.lab, 48); /* at the least half of it */
    assert_int_equal(server.asked, 1);
    lab_pass(&server.lab, 54);
    assert_int_equal(server.asked, 2);
    assert_string_equal(server.attempt, "2");
    assert_string_equal(server.delivery, delivery);
    fail_with(TROUPE_E_UNREACHABLE, "no route");
    lab_pass(&server.lab, 98);
    assert_int_equal(server.asked, 2);
    lab_pass(&server.lab, 104);
    assert_int_equal(server.asked, 3);
    answer(429);
    lab_pass(&server.lab, 148); /* no more than the most */
    assert_int_equal(server.asked, 3);
    lab_pass(&server.lab, 154);
    assert_int_equal(server.asked, 4);
    answer(200);
    assert_string_equal(asked.body, "{\"status\":200,\"attempts\":4}");
    assert_status(ref, "{\"delivered\":1,\"dead\":0,\"retried\":3,\"missed\":0}");
}

static void test_what_cannot_be_delivered_becomes_an_event_with_its_body(void **state)
{
    struct asked asked;
    troupe_subscription subscription = {.ready = on_ready};
    char event[1024];
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\",\"retries\":1,\"backoff_min_ms\":10}");
    assert_int_equal(troupe_subscribe(server.lab.worker, &subscription, ref, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    call(&asked, ref, "ping", "{\"n\":1}", 60000);
    answer(500);
    lab_pass(&server.lab, 20);
    answer(502);
    assert_int_equal(asked.error, TROUPE_E_APP);
    assert_int_equal(asked.app_status, 424);
    assert_string_equal(asked.detail, "the server answered 502");
    read_dead(&subscription, event);
    assert_non_null(strstr(event, "\"type\":\"ping\",\"attempts\":2,\"status\":502,\"error\":null,"));
    assert_non_null(strstr(event, "\"body\":{\"n\":1}}"));

    cast(ref, "next", "no JSON"); /* and the next one is tried */
    answer(400); /* ... once: it would be refused again */
    assert_int_equal(server.asked, 3);
    read_dead(&subscription, event);
    assert_non_null(strstr(event, "\"type\":\"next\",\"attempts\":1,\"status\":400,"));
    assert_null(strstr(event, "body"));
    assert_status(ref, "{\"delivered\":0,\"dead\":2,\"retried\":1,\"missed\":0}");
    troupe_unsubscribe(&subscription);
}

static void test_a_url_that_the_node_does_not_allow_is_not_tried_again(void **state)
{
    struct asked asked;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
    call(&asked, ref, "ping", "{}", 0);
    fail_with(TROUPE_E_FORBIDDEN, "start the node with --allow-http");
    assert_true(asked.done);
    assert_int_equal(asked.error, TROUPE_E_FORBIDDEN);
    assert_string_equal(asked.detail, "start the node with --allow-http");
    assert_int_equal(server.asked, 1);
}

static void test_a_node_with_no_room_for_the_request_is_asked_again(void **state)
{
    struct asked asked;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\",\"backoff_min_ms\":10}");
    server.refusal = TROUPE_E_LIMIT;
    call(&asked, ref, "ping", "{}", 0);
    assert_false(asked.done);
    server.refusal = 0;
    lab_pass(&server.lab, 20);
    assert_int_equal(server.asked, 2);
    answer(200);
    assert_true(asked.done);
    assert_int_equal(asked.error, 0);
}

static void test_a_caller_that_has_given_up_does_not_stop_the_delivery(void **state)
{
    struct asked asked;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
    call(&asked, ref, "ping", "{}", 100);
    lab_pass(&server.lab, 200);
    assert_int_equal(asked.error, TROUPE_E_TIMEOUT);
    answer(200);
    assert_status(ref, "{\"delivered\":1,\"dead\":0,\"retried\":0,\"missed\":0}");
}

static void test_only_the_types_that_were_named_are_passed_on(void **state)
{
    struct asked asked;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\",\"types\":[\"order.*\",\"ping\"]}");
    cast(ref, "other", "{}");
    call(&asked, ref, "pings", "{}", 0);
    assert_int_equal(asked.error, TROUPE_E_UNKNOWN_TYPE);
    assert_int_equal(server.asked, 0);
    cast(ref, "order.new", "{}");
    assert_int_equal(server.asked, 1);
    answer(200);
}

static void test_the_events_of_an_actor_are_passed_on_until_it_ends(void **state)
{
    struct asked asked, stopped;
    (void)state;
    spawn_behavior(&asked, "topic", "news", "");
    troupe_ref topic = asked.ref;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\",\"follow\":\"@news\",\"types\":[\"a.*\"]}");
    cast(topic, "a.one", "{\"n\":1}");
    cast(topic, "b", "{}");
    cast(topic, "a.two", "{\"n\":2}");
    assert_int_equal(server.asked, 1);
    assert_string_equal(server.type, "a.one");
    assert_string_equal(server.body, "{\"n\":1}");
    answer(200);
    assert_string_equal(server.type, "a.two");
    troupe_request_stop(server.lab.worker, fresh(&stopped), on_done, topic, TROUPE_STOP, (troupe_view){0}, 0);
    lab_run(&server.lab);
    call(&asked, ref, "webhook.status", "", 0);
    assert_false(asked.done); /* it waits behind the delivery, and all events come before the end */
    answer(200);
    lab_run(&server.lab);
    troupe_peek peek;
    assert_int_equal(troupe_system_peek(server.lab.system, ref, &peek), TROUPE_E_GONE);
}

static void test_a_drain_delivers_all_that_was_accepted(void **state)
{
    struct asked stopped;
    (void)state;
    troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
    cast(ref, "a", "1");
    cast(ref, "b", "2");
    troupe_request_stop(server.lab.worker, fresh(&stopped), on_done, ref, TROUPE_DRAIN, (troupe_view){0}, 60000);
    lab_run(&server.lab);
    answer(200);
    assert_false(stopped.done);
    assert_string_equal(server.type, "b");
    answer(200);
    assert_true(stopped.done);
    assert_int_equal(stopped.error, 0);
}

static void test_a_stop_or_kill_frees_what_is_under_way(void **state)
{
    static const enum troupe_stop_mode modes[] = {TROUPE_STOP, TROUPE_KILL};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct asked stopped, asked;
        troupe_ref ref = spawn("{\"url\":\"http://a.example/\"}");
        call(&asked, ref, "a", "1", 60000);
        troupe_request_stop(server.lab.worker, fresh(&stopped), on_done, ref, modes[i], (troupe_view){0}, 0);
        lab_run(&server.lab);
        assert_true(stopped.done);
        assert_true(asked.done);
        assert_int_not_equal(asked.error, 0);
        answer(200); /* nobody is there */
    }
}

static void test_bad_args_are_refused_with_words(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "url is missing"},
        {"{\"url\":\"ftp://a.example/\"}", "url must begin"},
        {"{\"url\":\"http://a/\",\"retries\":21}", "retries"},
        {"{\"url\":\"http://a/\",\"types\":[\"a b\"]}", "types"},
        {"{\"url\":\"http://a/\",\"types\":[]}", "types"},
        {"{\"url\":\"http://a/\",\"types\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}", "types"},
        {"{\"url\":\"http://a b/\"}", "%20"},
        {"{\"url\":\"http://a/\",\"follow\":\"@nobody\"}", "follow: there is no such actor"},
        {"{\"url\":\"http://a/\",\"follow\":\"nobody\"}", "follow: an actor is given by its id"},
        {"{\"url\":\"http://a/\",\"tries\":1}", "there is no such member"},
        {"[]", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asked asked;
        print_message("# %s\n", rows[i][0]);
        spawn_behavior(&asked, "webhook", "", rows[i][0]);
        assert_int_not_equal(asked.error, 0);
        assert_non_null(strstr(asked.detail, rows[i][1]));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_message_is_posted_with_what_identifies_it),
        TEST(test_a_caller_is_answered_when_the_server_took_it),
        TEST(test_deliveries_are_one_at_a_time_and_in_order),
        TEST(test_a_failed_attempt_is_repeated_after_a_growing_pause),
        TEST(test_what_cannot_be_delivered_becomes_an_event_with_its_body),
        TEST(test_a_url_that_the_node_does_not_allow_is_not_tried_again),
        TEST(test_a_node_with_no_room_for_the_request_is_asked_again),
        TEST(test_a_caller_that_has_given_up_does_not_stop_the_delivery),
        TEST(test_only_the_types_that_were_named_are_passed_on),
        TEST(test_the_events_of_an_actor_are_passed_on_until_it_ends),
        TEST(test_a_drain_delivers_all_that_was_accepted),
        TEST(test_a_stop_or_kill_frees_what_is_under_way),
        TEST(test_bad_args_are_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
