/* SPDX-License-Identifier: Apache-2.0
 *
 * A followed stream on a scripted transport with virtual time: when it comes back, with what, after how long, and when
 * it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/backoff.h"
#include "src/problem.h"
#include "src/transport.h"

/* One connection. */
#define STOP_FD 77 /* no file: the script tells whether it can be read */

struct scene {
    int error;         /* the transport fails with it, after the bytes */
    int status;        /* 200 is a stream */
    const char *body;  /* of the stream, or of a problem */
    uint64_t lasts_ms; /* virtual time */
};

struct script {
    struct transport base;
    const struct scene *scenes; /* the last has status 0 and error 0 */
    size_t at;
    size_t stops_behind; /* so many scenes; 0: never */
    uint64_t now_ms;
    uint32_t random;
    char log[4096]; /* what happened: ">" request, "~" wait, "." event */
};

static void note(struct script *script, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct script *script, const char *format, ...)
{
    size_t len = strlen(script->log);
    va_list args;
    va_start(args, format);
    vsnprintf(script->log + len, sizeof script->log - len, format, args);
    va_end(args);
}

static int follow(struct transport *base, const struct http_request *request, uint32_t silence_ms,
                  const struct stream_sink *sink, troupe_client_reply *ret_reply, troupe_client_problem *problem)
{
    struct script *script = (struct script *)base;
    const struct scene *scene = &script->scenes[script->at++];
    assert_true(scene->status != 0 || scene->error != 0); /* else it asked once too often */
    assert_int_equal(silence_ms, TROUPE_CLIENT_SILENCE_MS);
    assert_string_equal(request->accept, "text/event-stream");
    note(script, ">%s", request->last_event_id != NULL ? request->last_event_id : "");
    script->now_ms += scene->lasts_ms;
    *ret_reply = (troupe_client_reply){.http_status = scene->status};
    if (scene->status == 200) {
        if (sink->on_open(sink->user)) {
            (void)sink->on_bytes(sink->user, scene->body, strlen(scene->body));
        }
        ret_reply->body = strdup("");
    } else {
        ret_reply->body = strdup(scene->body != NULL ? scene->body : "");
    }
    ret_reply->body_len = strlen(ret_reply->body);
    ret_reply->content_type = strdup(scene->status == 200 ? "text/event-stream" : "application/problem+json");
    if (scene->error != 0) {
        troupe_client_reply_fini(ret_reply);
        return troupe__problem_make(problem, scene->error, NULL, "as the script says");
    }
    return 0;
}

static uint64_t now_ms(struct transport *base) { return ((struct script *)base)->now_ms; }

static void wait_ms(struct transport *base, uint32_t ms, int stop_fd)
{
    struct script *script = (struct script *)base;
    assert_int_equal(stop_fd, STOP_FD);
    script->now_ms += ms;
    note(script, "~%u", (unsigned)ms);
}

/* The file can be read when so many scenes were played. */
static bool is_stopped(struct transport *base, int stop_fd)
{
    struct script *script = (struct script *)base;
    assert_int_equal(stop_fd, STOP_FD);
    return script->stops_behind != 0 && script->at >= script->stops_behind;
}

static uint32_t random_bits(struct transport *base) { return ((struct script *)base)->random; }

static void on_free(struct transport *base) { (void)base; }

struct reader {
    struct script *script;
    const char *stop_at; /* the data of the event at which it has enough; "RETRY": at a loss */
};

static bool on_event(void *user, const troupe_client_event *event)
{
    struct reader *reader = user;
    switch (event->kind) {
    case TROUPE_CLIENT_EVENT_OPEN:
        note(reader->script, "(");
        return true;
    case TROUPE_CLIENT_EVENT_RETRY:
        assert_non_null(event->problem);
        assert_true(event->problem->error != 0);
        return reader->stop_at == NULL || strcmp(reader->stop_at, "RETRY") != 0;
    case TROUPE_CLIENT_EVENT_LAGGED:
        note(reader->script, "-%lld", (long long)event->missed);
        return true;
    case TROUPE_CLIENT_EVENT_DOWN:
        note(reader->script, "x%s", event->data);
        return true;
    case TROUPE_CLIENT_EVENT:
        note(reader->script, ".%s", event->data);
        return reader->stop_at == NULL || strcmp(reader->stop_at, event->data) != 0;
    }
    return false;
}

/* Follow @a through the scenes; gives what troupe_client_stream returned. */
static int play(const struct scene *scenes, const char *stop_at, uint32_t random, struct script *script,
                troupe_client_problem *problem)
{
    struct reader reader = {.script = script, .stop_at = stop_at};
    const troupe_client_stream_options options = {
        .ref = "@a", .on_event = on_event, .user = &reader, .stop_fd = STOP_FD};
    troupe_client *client = NULL;
    *script = (struct script){.base = {.follow = follow,
                                       .now_ms = now_ms,
                                       .wait_ms = wait_ms,
                                       .is_stopped = is_stopped,
                                       .random = random_bits,
                                       .free = on_free},
                              .scenes = scenes,
                              .stops_behind = script->stops_behind,
                              .now_ms = 5000,
                              .random = random};
    assert_int_equal(troupe__client_new_on(&script->base, "http://node", &client, NULL), 0);
    int rc = troupe_client_stream(client, &options, problem);
    troupe_client_free(client);
    return rc;
}

static void check(const struct scene *scenes, const char *stop_at, int rc, const char *log)
{
    struct script script = {0};
    troupe_client_problem problem = {.error = 77};
    assert_int_equal(play(scenes, stop_at, 0, &script, &problem), rc);
    assert_string_equal(script.log, log);
    assert_int_equal(problem.error, rc != 0 ? rc : 77); /* untouched on success */
}

static void test_it_ends_when_the_reader_has_enough(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "data: a\n\ndata: b\n\ndata: c\n\n"}, {0}};
    (void)state;
    check(scenes, "b", 0, ">(.a.b");
}

static void test_a_lost_connection_goes_on_behind_the_last_event(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "id: 0a.1\ndata: a\n\nid: 0a.2\ndata: ha"},
                                   {.error = TROUPE_E_UNREACHABLE},
                                   {.status = 200, .body = "id: 0a.2\ndata: b\n\n", .error = TROUPE_E_TIMEOUT},
                                   {.status = 200, .body = "id: 0a.3\ndata: c\n\n"},
                                   {0}};
    (void)state;
    check(scenes, "c", 0, ">(.a~1000>0a.1~2000>0a.1(.b~1000>0a.2(.c");
}

static void test_a_first_connection_that_fails_is_final(void **state)
{
    const struct scene unreachable[] = {{.error = TROUPE_E_UNREACHABLE}, {0}};
    const struct scene busy[] = {{.status = 503, .body = "{\"code\":\"draining\"}"}, {0}};
    (void)state;
    check(unreachable, NULL, TROUPE_E_UNREACHABLE, ">");
    check(busy, NULL, TROUPE_E_DRAINING, ">");
}

/* 408, 429 and 5xx pass; the token, the actor and the route do not come back by themselves. */
static void test_which_answers_are_tried_again(void **state)
{
    static const struct {
        int status;
        const char *code;
        int rc; /* 0: tried again */
    } rows[] = {{503, "draining", 0},
                {503, "too_many_connections", 0},
                {429, "rate_limited", 0},
                {408, "head_timeout", 0},
                {500, "internal", 0},
                {502, NULL, 0}, /* a proxy's */
                {401, "unauthorized", TROUPE_E_UNAUTHORIZED},
                {403, "forbidden", TROUPE_E_FORBIDDEN},
                {404, "not_found", TROUPE_E_NOT_FOUND},
                {410, "gone", TROUPE_E_GONE},
                {421, "wrong_host", TROUPE_E_WRONG_HOST},
                {202, NULL, TROUPE_E_MALFORMED}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[64] = "<html>";
        if (rows[i].code != NULL) {
            snprintf(body, sizeof body, "{\"code\":\"%s\"}", rows[i].code);
        }
        const struct scene scenes[] = {{.status = 200, .body = "data: a\n\n"},
                                       {.status = rows[i].status, .body = body},
                                       {.status = 200, .body = "data: b\n\n"},
                                       {0}};
        check(scenes, "b", rows[i].rc, rows[i].rc == 0 ? ">(.a~1000>~2000>(.b" : ">(.a~1000>");
    }
}

static void test_204_asks_not_to_come_again(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "data: a\n\n"}, {.status = 204}, {0}};
    (void)state;
    check(scenes, NULL, 0, ">(.a~1000>");
}

static void test_the_end_of_an_actor_ends_its_stream(void **state)
{
    const struct scene scenes[] = {
        {.status = 200, .body = "data: a\n\nevent: troupe.down\ndata: {\"cause\":\"stopped\"}\n\ndata: late\n\n"}, {0}};
    (void)state;
    check(scenes, NULL, 0, ">(.ax{\"cause\":\"stopped\"}");
}

static void test_lag_is_told(void **state)
{
    const struct scene scenes[] = {{.status = 200,
                                    .body = "event: troupe.lagged\ndata: {\"missed\":12}\n\n"
                                            "event: troupe.lagged\ndata: nonsense\n\n"
                                            "event: troupe.lagged\ndata: {\"missed\":-4}\n\ndata: a\n\n"},
                                   {0}};
    (void)state;
    check(scenes, "a", 0, ">(-12-0-0.a");
}

/* A node that accepts and hangs up at once must not be asked in a tight loop. */
static void test_waits_grow_while_nothing_comes_and_start_over_when_something_does(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "retry: 300\n\n"},
                                   {.status = 200, .body = ": ping\n\n"},
                                   {.status = 200, .body = ""},
                                   {.status = 200, .body = "data: a\n\n"},
                                   {.status = 200, .body = ""},
                                   {.status = 200, .body = "", .lasts_ms = 10000}, /* it lasted */
                                   {.status = 200, .body = "data: b\n\n"},
                                   {0}};
    (void)state;
    check(scenes, "b", 0, ">(~300>(~600>(~1200>(.a~300>(~600>(~300>(.b");
}

static void test_the_nodes_advice_is_respected(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "retry: 0\n\n"}, /* not at once, whatever it says */
                                   {.status = 429, .body = "{\"code\":\"rate_limited\",\"retry_after_ms\":7000}"},
                                   {.status = 503, .body = "{\"code\":\"draining\",\"retry_after_ms\":1}"},
                                   {.status = 200, .body = "data: a\n\n"},
                                   {0}};
    (void)state;
    check(scenes, "a", 0, ">(~100>~7000>~400>(.a");
}

static void test_the_reader_can_give_up_at_a_loss(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = "data: a\n\n"}, {0}};
    (void)state;
    check(scenes, "RETRY", 0, ">(.a");
}

/* What Ctrl-C does in the CLI: wherever the stream is, it ends well, and nothing is asked again. */
static void test_a_stream_can_be_stopped_from_outside(void **state)
{
    const struct scene broken[] = {{.status = 200, .body = "data: a\n\n", .error = TROUPE_E_UNREACHABLE}, {0}};
    const struct scene waiting[] = {
        {.status = 200, .body = "data: a\n\n"}, {.error = TROUPE_E_UNREACHABLE}, {.status = 200, .body = ""}, {0}};
    struct script script = {.stops_behind = 1};
    troupe_client_problem problem = {.error = 77};
    (void)state;
    assert_int_equal(play(broken, NULL, 0, &script, &problem), 0);
    assert_string_equal(script.log, ">(.a");
    script = (struct script){.stops_behind = 2};
    assert_int_equal(play(waiting, NULL, 0, &script, &problem), 0);
    assert_string_equal(script.log, ">(.a~1000>");
    assert_int_equal(problem.error, 77);
}

static void test_a_stream_that_cannot_be_read_is_a_failure(void **state)
{
    char body[512];
    const struct scene scenes[] = {{.status = 200, .body = body}, {0}};
    (void)state;
    snprintf(body, sizeof body, "id:%0200d\n\n", 7);
    check(scenes, NULL, TROUPE_E_LIMIT, ">(");
}

static void test_the_wait_is_spread_and_bounded(void **state)
{
    const struct scene scenes[] = {{.status = 200, .body = ""}, {.status = 200, .body = "data: a\n\n"}, {0}};
    struct script script = {0};
    (void)state;
    assert_int_equal(play(scenes, "a", UINT32_MAX, &script, NULL), 0);
    assert_string_equal(script.log, ">(~501>(.a");
    for (unsigned failures = 0; failures < 100; failures++) {
        assert_in_range(troupe__backoff_ms(1000, failures, 0), 1000, TROUPE_BACKOFF_MS_MAX);
        assert_in_range(troupe__backoff_ms(1000, failures, UINT32_MAX), 500, TROUPE_BACKOFF_MS_MAX / 2 + 1);
    }
    assert_int_equal(troupe__backoff_ms(1000, 99, 0), TROUPE_BACKOFF_MS_MAX);
}

static void test_what_is_asked(void **state)
{
    struct http_request request;
    troupe_client_stream_options options = {.ref = "@a b", .from = "oldest", .after = "0a.1&x"};
    troupe_client_problem problem;
    (void)state;
    assert_int_equal(troupe__request_stream(&options, &request, NULL), 0);
    assert_string_equal(request.method, "GET");
    assert_string_equal(request.target, "/v1/actors/@a%20b/events?from=oldest&after=0a.1%26x");
    troupe__request_fini(&request);
    options = (troupe_client_stream_options){0};
    assert_int_equal(troupe__request_stream(&options, &request, NULL), 0);
    assert_string_equal(request.target, "/v1/events");
    troupe__request_fini(&request);
    static const struct {
        troupe_client_stream_options options;
        const char *target; /* NULL: refused */
    } rows[] = {
        {{.source = TROUPE_CLIENT_SOURCE_TRACE, .ref = "@a"}, "/v1/actors/@a/trace"},
        {{.source = TROUPE_CLIENT_SOURCE_TRACE, .ref = "a"}, NULL},
        {{.source = TROUPE_CLIENT_SOURCE_DEAD, .types = "x,y.*"}, "/v1/events/dead?types=x%2Cy.%2A"},
        {{.source = TROUPE_CLIENT_SOURCE_GROUP, .group = "g"}, "/v1/groups/g/events"},
        {{.source = TROUPE_CLIENT_SOURCE_GROUP, .group = "g", .scope = "s", .from = "oldest"},
         "/v1/groups/g/events?scope=s&from=oldest"},
        {{.source = TROUPE_CLIENT_SOURCE_GROUP, .group = "g/../x"}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = troupe__request_stream(&rows[i].options, &request, &problem);
        assert_int_equal(rc == 0, rows[i].target != NULL);
        if (rc == 0) {
            assert_string_equal(request.target, rows[i].target);
            troupe__request_fini(&request);
        }
    }
    options.ref = "a";
    assert_int_equal(troupe__request_stream(&options, &request, &problem), TROUPE_E_BAD_REFERENCE);
    assert_string_equal(problem.field, "ref");

    static const char *const grants[] = {"read", "message:counter/*"};
    assert_int_equal(troupe__request_ticket(grants, 2, &request, NULL), 0);
    assert_string_equal(request.target, "/v1/tickets");
    assert_string_equal(request.content_type, "application/json");
    assert_string_equal(request.body, "{\"grants\":[\"read\",\"message:counter/*\"]}");
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_ticket(NULL, 0, &request, NULL), 0);
    assert_null(request.body);
    troupe__request_fini(&request);
    static const char *const broken[] = {"\xff"};
    assert_int_equal(troupe__request_ticket(broken, 1, &request, &problem), TROUPE_E_INVALID);
    assert_string_equal(problem.field, "grants");

    assert_int_equal(troupe__request_node("GET", "self", "", &request, NULL), 0);
    assert_string_equal(request.target, "/v1/nodes/self");
    troupe__request_fini(&request);
    assert_int_equal(troupe__request_node("POST", "n.a", "/drain", &request, NULL), 0);
    assert_string_equal(request.target, "/v1/nodes/n.a/drain");
    troupe__request_fini(&request);
    static const char *const bad[] = {"", "n.", "n.a/../b", "@a", "s.a", "n.A", "n.a?"};
    for (size_t i = 2; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(troupe__request_node("GET", bad[i], "", &request, &problem), TROUPE_E_INVALID);
        assert_string_equal(problem.field, "node");
    }
    assert_int_equal(troupe__request_node("GET", bad[0], "", &request, &problem), TROUPE_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_when_the_reader_has_enough),
        cmocka_unit_test(test_a_lost_connection_goes_on_behind_the_last_event),
        cmocka_unit_test(test_a_first_connection_that_fails_is_final),
        cmocka_unit_test(test_which_answers_are_tried_again),
        cmocka_unit_test(test_204_asks_not_to_come_again),
        cmocka_unit_test(test_the_end_of_an_actor_ends_its_stream),
        cmocka_unit_test(test_lag_is_told),
        cmocka_unit_test(test_waits_grow_while_nothing_comes_and_start_over_when_something_does),
        cmocka_unit_test(test_the_nodes_advice_is_respected),
        cmocka_unit_test(test_the_reader_can_give_up_at_a_loss),
        cmocka_unit_test(test_a_stream_can_be_stopped_from_outside),
        cmocka_unit_test(test_a_stream_that_cannot_be_read_is_a_failure),
        cmocka_unit_test(test_the_wait_is_spread_and_bounded),
        cmocka_unit_test(test_what_is_asked),
    };
    return cmocka_run_group_tests_name("client streams", tests, NULL, NULL);
}
