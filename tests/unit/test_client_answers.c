/* SPDX-License-Identifier: Apache-2.0
 *
 * The client on a scripted transport: what each answer becomes, and that nothing leaks when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "src/problem.h"
#include "src/transport.h"

/* Answers every exchange with the same script and remembers the last target. */
struct script {
    struct transport base;
    int error; /* fail with this instead of answering */
    int http_status;
    const char *content_type;
    const char *body;
    char target[256];
    int exchanges;
    int freed;
};

static int exchange(struct transport *base, const struct http_request *request, troupe_client_reply *ret_reply,
                    troupe_client_problem *problem)
{
    struct script *script = (struct script *)base;
    script->exchanges++;
    strncpy(script->target, request->target, sizeof script->target - 1);
    if (script->error != 0) {
        return troupe__problem_make(problem, script->error, NULL, "scripted");
    }
    *ret_reply = (troupe_client_reply){
        .http_status = script->http_status,
        .content_type = strdup(script->content_type),
        .body = strdup(script->body),
        .body_len = strlen(script->body),
    };
    return 0;
}

static void on_free(struct transport *base) { ((struct script *)base)->freed++; }

static troupe_client *make_client(struct script *script, int http_status, const char *content_type, const char *body)
{
    troupe_client *client = NULL;
    *script = (struct script){.base = {.exchange = exchange, .free = on_free},
                              .http_status = http_status,
                              .content_type = content_type,
                              .body = body};
    assert_int_equal(troupe__client_new_on(&script->base, "http://h", &client, NULL), 0);
    assert_string_equal(troupe_client_url(client), "http://h");
    return client;
}

#define JSON "application/json"
#define PROBLEM "application/problem+json"

static void test_spawn_gives_the_actor_and_whether_it_is_new(void **state)
{
    struct script script;
    troupe_client_spawn_spec spec = {.behavior = "counter"};
    (void)state;
    for (int status = 200; status <= 201; status++) {
        json_t *actor = NULL;
        bool created = status == 200;
        troupe_client *client = make_client(&script, status, JSON, "{\"ref\":\"n.a.1.1\"}");
        assert_int_equal(troupe_client_spawn(client, &spec, &actor, &created, NULL), 0);
        assert_string_equal(json_string_value(json_object_get(actor, "ref")), "n.a.1.1");
        assert_int_equal(created, status == 201);
        json_decref(actor);
        troupe_client_free(client);
        assert_int_equal(script.freed, 1);
    }
}

/* Successes that no node of this API would give. */
static void test_an_odd_success_is_malformed(void **state)
{
    static const char *const rows[][2] = {
        {"text/html", "<html>"}, {JSON, ""}, {JSON, "{\"ref\":"}, {JSON, "[1]"}, {JSON, "{\"reference\":1}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script;
        json_t *actor = (json_t *)&script; /* to see that it is untouched */
        troupe_client_problem problem;
        troupe_client *client = make_client(&script, 200, rows[i][0], rows[i][1]);
        assert_int_equal(troupe_client_info(client, "@x", &actor, &problem), TROUPE_E_MALFORMED);
        assert_ptr_equal(actor, &script);
        assert_int_equal(problem.http_status, 200);
        assert_string_equal(problem.code, "");
        troupe_client_free(client);
    }
}

static void test_a_page_must_be_one(void **state)
{
    static const struct {
        const char *body;
        int rc;
    } rows[] = {
        {"{\"items\":[],\"next\":null}", 0},
        {"{\"items\":[],\"next\":\"c\"}", 0},
        {"{\"items\":[]}", 0},
        {"{\"items\":{},\"next\":null}", TROUPE_E_MALFORMED},
        {"{\"items\":[],\"next\":5}", TROUPE_E_MALFORMED},
        {"{\"next\":null}", TROUPE_E_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script;
        json_t *page = NULL;
        troupe_client_filter filter = {.behavior = "counter", .limit = 7, .cursor = "c"};
        troupe_client *client = make_client(&script, 200, JSON, rows[i].body);
        assert_int_equal(troupe_client_list(client, &filter, &page, NULL), rows[i].rc);
        assert_string_equal(script.target, "/v1/actors?behavior=counter&limit=7&cursor=c");
        json_decref(page);
        page = NULL;
        assert_int_equal(troupe_client_names(client, &filter, &page, NULL), rows[i].rc);
        assert_string_equal(script.target, "/v1/names?limit=7&cursor=c");
        json_decref(page);
        troupe_client_free(client);
    }
}

static void test_a_reply_is_given_as_it_came(void **state)
{
    struct script script;
    troupe_client_message message = {.ref = "@x", .type = "t"};
    troupe_client_reply reply;
    troupe_client *client = make_client(&script, 200, "text/plain", "not JSON");
    (void)state;

    assert_int_equal(troupe_client_call(client, &message, &reply, NULL), 0);
    assert_string_equal(reply.content_type, "text/plain");
    assert_string_equal(reply.body, "not JSON");
    troupe_client_reply_fini(&reply);
    troupe_client_reply_fini(&reply); /* of a zeroed reply is legal */
    troupe_client_free(client);
}

static void test_each_request_passes_the_problem_on(void **state)
{
    struct script script;
    troupe_client_message message = {.ref = "@x", .type = "t"};
    troupe_client_spawn_spec spec = {.behavior = "b"};
    troupe_client_filter filter = {0};
    troupe_client_reply reply;
    troupe_client_problem problem;
    json_t *document = NULL;
    bool ended = false;
    troupe_client *client = make_client(&script, 410, PROBLEM, "{\"code\":\"gone\"}");
    (void)state;

    assert_int_equal(troupe_client_spawn(client, &spec, &document, NULL, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_call(client, &message, &reply, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_cast(client, &message, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_info(client, "@x", &document, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_list(client, &filter, &document, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_names(client, &filter, &document, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_stop(client, "@x", NULL, NULL, 0, &ended, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_name(client, "x", &document, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_get(client, "/x", &reply, &problem), TROUPE_E_GONE);
    assert_int_equal(troupe_client_get_document(client, "/x", &document, NULL), TROUPE_E_GONE);
    assert_int_equal(script.exchanges, 10);
    assert_int_equal(problem.http_status, 410);
    assert_null(document);
    troupe_client_free(client);
}

static void test_a_bad_argument_is_never_sent(void **state)
{
    struct script script;
    troupe_client_message message = {.ref = "x", .type = "t"};
    troupe_client_spawn_spec spec = {.behavior = ""};
    troupe_client_reply reply;
    json_t *document = NULL;
    bool ended = false;
    troupe_client *client = make_client(&script, 200, JSON, "{}");
    (void)state;

    assert_int_equal(troupe_client_spawn(client, &spec, &document, NULL, NULL), TROUPE_E_INVALID);
    assert_int_equal(troupe_client_call(client, &message, &reply, NULL), TROUPE_E_BAD_REFERENCE);
    assert_int_equal(troupe_client_cast(client, &message, NULL), TROUPE_E_BAD_REFERENCE);
    assert_int_equal(troupe_client_info(client, "x", &document, NULL), TROUPE_E_BAD_REFERENCE);
    assert_int_equal(troupe_client_stop(client, "x", NULL, NULL, 0, &ended, NULL), TROUPE_E_BAD_REFERENCE);
    assert_int_equal(troupe_client_name(client, "", &document, NULL), TROUPE_E_INVALID);
    assert_int_equal(troupe_client_get(client, "x", &reply, NULL), TROUPE_E_INVALID);
    assert_int_equal(script.exchanges, 0);
    troupe_client_free(client);
}

static void test_stop_and_cast_know_their_statuses(void **state)
{
    static const struct {
        int status;
        int stop_rc, cast_rc;
        bool ended;
    } rows[] = {
        {204, 0, TROUPE_E_MALFORMED, true},
        {202, 0, 0, false},
        {200, TROUPE_E_MALFORMED, TROUPE_E_MALFORMED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script;
        troupe_client_message message = {.ref = "@x", .type = "t"};
        bool ended = !rows[i].ended;
        troupe_client *client = make_client(&script, rows[i].status, "", "");
        assert_int_equal(troupe_client_stop(client, "@x", "kill", NULL, 0, &ended, NULL), rows[i].stop_rc);
        assert_int_equal(ended, rows[i].stop_rc == 0 ? rows[i].ended : !rows[i].ended); /* untouched on failure */
        assert_int_equal(troupe_client_cast(client, &message, NULL), rows[i].cast_rc);
        troupe_client_free(client);
    }
}

static void test_a_redirect_is_not_a_success(void **state)
{
    struct script script;
    troupe_client_reply reply;
    troupe_client_problem problem;
    troupe_client *client = make_client(&script, 301, "text/html", "elsewhere");
    (void)state;

    assert_true(troupe_client_get(client, "/x", &reply, &problem) < 0);
    assert_int_equal(problem.http_status, 301);
    assert_string_equal(problem.code, "");
    troupe_client_free(client);
}

static void test_a_transport_failure_is_passed_on(void **state)
{
    struct script script;
    troupe_client_reply reply;
    troupe_client_problem problem;
    troupe_client *client = make_client(&script, 0, "", "");
    (void)state;

    script.error = TROUPE_E_UNREACHABLE;
    assert_int_equal(troupe_client_get(client, "/x", &reply, &problem), TROUPE_E_UNREACHABLE);
    assert_int_equal(problem.http_status, 0);
    assert_string_equal(problem.detail, "scripted");
    troupe_client_free(client);
    troupe_client_free(NULL);
}

/* ---- memory ---- */

static long allocations_left; /* before the next one fails; negative: none fails */

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left > 0;
    return malloc(size);
}

/* Each allocation of the documents fails in turn, for all of them; leaks show under the address sanitizer. */
static void test_each_failed_allocation_is_survived(void **state)
{
    struct script script;
    troupe_client *client = make_client(&script, 201, JSON, "{\"ref\":\"n.a.1.1\"}");
    troupe_client_spawn_spec spec = {.behavior = "b",
                                     .name = "n",
                                     .if_exists = "error",
                                     .mailbox_messages = 1,
                                     .mailbox_policy = "refuse",
                                     .restart = "temporary"};
    int rc = -1;
    long n = 0;
    (void)state;
    json_set_alloc_funcs(failing_malloc, free);
    for (; rc != 0 && n < 1000; n++) {
        json_t *actor = NULL;
        troupe_client_problem problem = {0};
        allocations_left = n;
        rc = troupe_client_spawn(client, &spec, &actor, NULL, &problem);
        assert_int_equal(rc, rc != 0 ? problem.error : 0);
        assert_int_equal(actor != NULL, rc == 0);
        allocations_left = -1;
        json_decref(actor);
    }
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(rc, 0);
    assert_true(n > 20);
    troupe_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_gives_the_actor_and_whether_it_is_new),
        cmocka_unit_test(test_an_odd_success_is_malformed),
        cmocka_unit_test(test_a_page_must_be_one),
        cmocka_unit_test(test_a_reply_is_given_as_it_came),
        cmocka_unit_test(test_each_request_passes_the_problem_on),
        cmocka_unit_test(test_a_bad_argument_is_never_sent),
        cmocka_unit_test(test_stop_and_cast_know_their_statuses),
        cmocka_unit_test(test_a_redirect_is_not_a_success),
        cmocka_unit_test(test_a_transport_failure_is_passed_on),
        cmocka_unit_test(test_each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("client answers", tests, NULL, NULL);
}
