/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of behaviors' requests to the control thread: the bounds, the judgement, the deadline. No socket is opened:
 * what gets as far as that is in tests/node/webhook.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>

#include "base/clock.h"
#include "http_out.h"

static struct world {
    troupe_system *system;
    struct http_out *out;
    unsigned wakes;
    unsigned replies;
    int status;
    char detail[TROUPE_REASON_BYTES_MAX + 1];
    int asked;               /* what the hook said */
    const char *url;         /* what the actor asks for */
    uint32_t timeout_ms;
} world;

/* ---- an actor that asks, when it is told to ---- */

static int on_http(void *user, troupe_outside who, const troupe_http *request)
{
    (void)user;
    world.asked = http_out_ask(world.out, who, request);
    return world.asked;
}

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)ctx, (void)state;
    world.replies++;
    world.status = reply->status;
    memset(world.detail, 0, sizeof world.detail);
    memcpy(world.detail, troupe_msg_detail(reply).ptr, troupe_msg_detail(reply).len);
    return 0;
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    const troupe_http request = {.url = world.url, .timeout_ms = world.timeout_ms};
    (void)state, (void)msg;
    return troupe_http_request(ctx, &request, on_reply, 0);
}

static const troupe_type types[] = {{.name = "go", .flags = TROUPE_TYPE_CAST}};
static const troupe_behavior behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "asker", .version = "1.0.0", .summary = "asks", .types = types, .types_count = 1,
    .receive = receive,
};

static void wake_control(void *user)
{
    (void)user;
    world.wakes++;
}

static void drive(void)
{
    while (troupe_worker_poll(troupe_system_worker(world.system, 0), clock_now_ns(), 16) == 0)
        continue;
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    *(troupe_ref *)request->user = answer->ref;
}

static void ask_as_actor(const char *url, uint32_t timeout_ms)
{
    troupe_worker *worker = troupe_system_worker(world.system, 0);
    troupe_ref ref = {0};
    troupe_request request = {.user = &ref};
    const troupe_spawn_opts opts = {.behavior = "asker"};
    world.url = url;
    world.timeout_ms = timeout_ms;
    troupe_worker_set_now(worker, clock_now_ns());
    troupe_request_spawn(worker, &request, on_done, &opts);
    drive();
    assert_int_equal(troupe_worker_cast(worker, ref, troupe_view_of("go"), troupe_body_none(), (troupe_caller){0}), 0);
    drive();
    assert_int_equal(world.asked, 0);
}

static int setup(void **state)
{
    static const char *const rules[] = {"http://allowed.example/", NULL};
    const troupe_system_config config = {.node = 5, .http = on_http};
    (void)state;
    world = (struct world){.replies = 0};
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &behavior), 0);
    const struct http_out_config out = {.system = world.system, .allow = rules, .wake_control = wake_control};
    assert_int_equal(http_out_new(&out, &world.out), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    troupe_system_free(world.system);
    http_out_free(world.out);
    return 0;
}

static struct http_out_figures figures(void)
{
    struct http_out_figures now;
    http_out_figures(world.out, &now);
    return now;
}

/* ---- tests ---- */

static void test_what_waits_is_bounded_by_number(void **state)
{
    const troupe_http request = {.method = "GET", .url = "http://allowed.example/", .timeout_ms = 1000};
    (void)state;
    for (unsigned i = 0; i < HTTP_OUT_REQUESTS_MAX; i++)
        assert_int_equal(http_out_ask(world.out, (troupe_outside){.call = i}, &request), 0);
    assert_int_equal(world.wakes, 1); /* the crossing was not empty behind it */
    assert_int_equal(http_out_ask(world.out, (troupe_outside){.call = 1}, &request), TROUPE_E_LIMIT);
    assert_int_equal(figures().waiting, HTTP_OUT_REQUESTS_MAX);
    assert_int_equal(figures().refused, 1);
}

static void test_what_waits_is_bounded_by_bytes(void **state)
{
    char *body = calloc(1, TROUPE_HTTP_BODY_BYTES_MAX);
    unsigned taken = 0;
    (void)state;
    assert_non_null(body);
    const troupe_http request = {.method = "POST", .url = "http://allowed.example/", .timeout_ms = 1000,
                                 .body = troupe_body_json(body, TROUPE_HTTP_BODY_BYTES_MAX)};
    while (http_out_ask(world.out, (troupe_outside){.call = 1}, &request) == 0)
        taken++;
    assert_int_equal(taken, HTTP_OUT_BYTES_MAX / TROUPE_HTTP_BODY_BYTES_MAX - 1);
    free(body);
}

static void test_a_url_is_judged_by_the_rules_and_the_words_say_what_to_do(void **state)
{
    static const char *const urls[] = {"http://other.example/", "https://allowed.example/",
                                       "http://allowed.example:81/", "http://allowed.example@other.example/",
                                       "http://allowed.example/a/../b"};
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    (void)state;
    assert_int_equal(http_out_attach(world.out, loop), 0);
    for (unsigned i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        ask_as_actor(urls[i], 1000);
        assert_int_equal(world.replies, i);
        http_out_run(world.out);
        drive();
        assert_int_equal(world.replies, i + 1);
        assert_int_equal(world.status, TROUPE_E_FORBIDDEN);
        assert_non_null(strstr(world.detail, i < 3 ? "--allow-http" : "form"));
    }
    assert_int_equal(figures().forbidden, sizeof urls / sizeof urls[0]);
    assert_int_equal(figures().waiting, 0);
    http_out_detach(world.out);
    ev_loop_destroy(loop);
}

static void test_a_request_whose_time_is_over_before_its_turn_is_not_made(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    const troupe_http request = {.method = "GET", .url = "http://allowed.example/", .timeout_ms = 0};
    (void)state;
    assert_int_equal(http_out_ask(world.out, (troupe_outside){.call = 1}, &request), 0);
    assert_int_equal(http_out_attach(world.out, loop), 0);
    http_out_run(world.out);
    assert_int_equal(figures().failed, 1);
    assert_int_equal(figures().in_flight, 0);
    http_out_detach(world.out);
    http_out_run(world.out); /* legal, and nothing */
    ev_loop_destroy(loop);
}

static void test_what_is_no_rule_is_refused(void **state)
{
    static const char *const rules[] = {"allowed.example", NULL};
    const struct http_out_config config = {.system = world.system, .allow = rules, .wake_control = wake_control};
    struct http_out *out;
    (void)state;
    assert_int_equal(http_out_new(&config, &out), TROUPE_E_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_waits_is_bounded_by_number),
        TEST(test_what_waits_is_bounded_by_bytes),
        TEST(test_a_url_is_judged_by_the_rules_and_the_words_say_what_to_do),
        TEST(test_a_request_whose_time_is_over_before_its_turn_is_not_made),
        TEST(test_what_is_no_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
