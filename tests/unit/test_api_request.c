/* SPDX-License-Identifier: Apache-2.0
 *
 * The API as a whole, without sockets: requests go through api_begin and api_run against a real system with one worker,
 * and a transport that keeps the answer. The documents that go out, the route table and the OpenAPI document agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <troupe/behaviors.h>

#include "api/assets.h"
#include "api/openapi.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/log.h"
#include "cluster.h"
#include "route/place.h"

static const unsigned char page[] = "<p>";

const struct asset assets[] = {{"/index.html", "text/html", "\"tag\"", page, 1, page, 3}};
const unsigned assets_count = 1;

struct world {
    struct api_env env;
    struct api_health health;
    uint64_t now_ns;
    /* the last answer */
    unsigned answers, status;
    char content_type[64], headers[1024];
    char *body;
    size_t body_len;
};

static struct world world;

static void keep_answer(struct api_request *req, const struct api_response *response)
{
    struct text headers;
    (void)req;
    world.answers++;
    world.status = response->status;
    snprintf(world.content_type, sizeof world.content_type, "%s",
             response->content_type != NULL ? response->content_type : "");
    text_init_fixed(&headers, world.headers, sizeof world.headers);
    for (unsigned i = 0; i < response->headers_count; i++)
        text_printf(&headers, "%s: %s\n", response->headers[i].name, response->headers[i].value);
    free(world.body);
    world.body = malloc(response->len + 1);
    assert_non_null(world.body);
    memcpy(world.body, response->body, response->len);
    world.body[response->len] = '\0';
    world.body_len = response->len;
    if (response->owner == API_MALLOCED)
        free((void *)response->body);
}

static void no_peer(struct api_request *req, char *text, size_t cap)
{
    (void)req;
    snprintf(text, cap, "test");
}

static const struct api_transport transport = {.send = keep_answer, .peer = no_peer};

static void no_traffic(void *user, struct api_traffic *ret_traffic)
{
    (void)user, (void)ret_traffic;
}

static int open_world(void **state)
{
    troupe_system_config config = {.workers = 1, .node = 1234567, .seed = 1};
    const troupe_behavior *behavior;
    (void)state;
    memset(&world, 0, sizeof world);
    world.now_ns = 1000000000;
    assert_int_equal(troupe_system_new(&config, &world.env.system), 0);
    for (unsigned i = 0; (behavior = troupe_behaviors_at(i)) != NULL; i++)
        assert_int_equal(troupe_system_add_behavior(world.env.system, behavior), 0);
    troupe_home_format(troupe_system_home(world.env.system), world.env.node);
    snprintf(world.env.cluster, sizeof world.env.cluster, "c.0");
    world.env.version = "0.0.0";
    world.env.url = "http://127.0.0.1:1";
    assert_int_equal(troupe_topic_new(world.env.system, &world.env.events), 0);
    assert_int_equal(cluster_new(troupe_system_home(world.env.system), world.env.events, &world.env.members), 0);
    const struct place_config place = {.system = world.env.system, .cluster = world.env.members};
    assert_int_equal(place_new(&place, &world.env.place), 0);
    world.env.health = &world.health;
    world.env.traffic = no_traffic;
    atomic_store(&world.health.phase, API_UP);
    assert_int_equal(openapi_write("0.0.0", world.env.url, &world.env.openapi, &world.env.openapi_len), 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    place_free(world.env.place);
    cluster_free(world.env.members);
    troupe_topic_drop(world.env.events);
    troupe_system_free(world.env.system);
    free(world.env.openapi);
    free(world.body);
    return 0;
}

static void pass(uint64_t ms)
{
    troupe_worker *worker = troupe_system_worker(world.env.system, 0);
    for (uint64_t i = 0; i <= ms; i++) {
        world.now_ns += i > 0 ? 1000000 : 0;
        for (unsigned polls = 0; polls < 100 && troupe_worker_poll(worker, world.now_ns, 64) == 0; polls++)
            ;
    }
}

/* One request; what a test does not say is as curl would send it. */
struct ask {
    const char *method, *target, *body, *content_type, *origin, *host, *if_none_match;
};

static void send_request(struct api_request *req, char *target, const struct ask *ask)
{
    *req = (struct api_request){
        .env = &world.env, .transport = &transport, .worker = troupe_system_worker(world.env.system, 0),
        .now_ms = world.now_ns / 1000000, .method = api_method_parse(troupe_view_of(ask->method)), .target = target,
        .target_len = strlen(target), .host = troupe_view_of(ask->host != NULL ? ask->host : "127.0.0.1:1"),
        .content_type = ask->content_type, .body = ask->body != NULL ? ask->body : "",
        .body_len = ask->body != NULL ? strlen(ask->body) : 0, .if_none_match = troupe_view_of(ask->if_none_match),
    };
    if (ask->origin != NULL)
        req->origin = troupe_view_of(ask->origin);
    if (api_begin(req))
        api_run(req);
}

/* Ask and wait for the one answer. */
static unsigned ask_all(const struct ask *ask)
{
    struct api_request req;
    char *target = strdup(ask->target);
    unsigned before = world.answers;
    send_request(&req, target, ask);
    for (unsigned i = 0; i < 700 && world.answers == before; i++)
        pass(10);
    assert_int_equal(world.answers, before + 1);
    free(target);
    return world.status;
}

static unsigned ask(const char *method, const char *target, const char *body)
{
    return ask_all(&(struct ask){.method = method, .target = target, .body = body});
}

/* The answer is a problem of this code, and its members agree with the table. */
static void expect_problem(unsigned status, const char *code, const char *field)
{
    json_t *doc = json_loadb(world.body, world.body_len, 0, NULL);
    if (doc == NULL || world.status != status || strcmp(world.content_type, "application/problem+json") != 0)
        fail_msg("status %u, %s: %s; expected %u %s", world.status, world.content_type, world.body, status, code);
    assert_string_equal(json_string_value(json_object_get(doc, "code")), code);
    assert_int_equal(json_integer_value(json_object_get(doc, "status")), status);
    assert_true(strlen(json_string_value(json_object_get(doc, "detail"))) > 5);
    assert_string_not_equal(json_string_value(json_object_get(doc, "detail")),
                            json_string_value(json_object_get(doc, "title")));
    assert_non_null(json_object_get(doc, "retry"));
    assert_non_null(json_object_get(doc, "outcome"));
    assert_non_null(strstr(json_string_value(json_object_get(doc, "type")), code));
    if (field != NULL)
        assert_string_equal(json_string_value(json_object_get(doc, "field")), field);
    json_decref(doc);
}

static void expect_member(const char *key, const char *value)
{
    json_t *doc = json_loadb(world.body, world.body_len, 0, NULL);
    const char *got = json_string_value(json_object_get(doc, key));
    if (got == NULL || strcmp(got, value) != 0)
        fail_msg("%s is not %s in %s", key, value, world.body);
    json_decref(doc);
}

static void spawn_call_and_stop_test(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"hits\"}"), 201);
    assert_non_null(strstr(world.headers, "Location: /v1/actors/n."));
    expect_member("name", "hits");
    expect_member("state", "running");
    assert_int_equal(ask("POST", "/v1/actors/@hits/call/add", "{\"by\":2}"), 200);
    assert_string_equal(world.body, "{\"value\":2}");
    assert_string_equal(world.content_type, "application/json");
    assert_int_equal(ask("GET", "/v1/actors/@hits/call/get", NULL), 200);
    assert_int_equal(ask("POST", "/v1/actors/%40hits/cast/add", "{\"by\":2}"), 202);
    assert_string_equal(world.body, "{\"accepted\":1}");
    assert_int_equal(ask("GET", "/v1/names/hits", NULL), 200);
    assert_int_equal(ask("GET", "/v1/actors/@hits", NULL), 200);
    expect_member("behavior", "counter");
    assert_int_equal(ask("DELETE", "/v1/actors/@hits?mode=drain&reason=done&timeout=1s", NULL), 204);
    assert_int_equal(ask("GET", "/v1/actors/@hits", NULL), 404);
}

static void names_may_have_slashes_test(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"a/b \\u00e9%\"}"), 201);
    assert_int_equal(ask("POST", "/v1/actors/@a%2Fb%20%C3%A9%25/call/add", "{\"by\":2}"), 200);
    assert_int_equal(ask("GET", "/v1/names/a%2Fb%20%C3%A9%25", NULL), 200);
    assert_int_equal(ask("GET", "/v1/names/a/b", NULL), 404);
}

static void a_taken_name_is_told_with_its_holder_test(void **state)
{
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"hits\"}");
    ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"hits\"}");
    expect_problem(409, "name_taken", "name");
    assert_non_null(strstr(world.body, "\"actor\":\"n."));
    assert_int_equal(ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"hits\",\"if_exists\":\"return\"}"),
                     200);
    expect_member("name", "hits");
}

/* 65 letters */
#define LONG_TYPE "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"

/* method, target, body, then what is refused and at which field */
static void refusals_name_what_is_wrong_test(void **state)
{
    static const struct { const char *method, *target, *body; unsigned status; const char *code, *field; } rows[] = {
        {"POST", "/v1/actors", "", 400, "malformed", NULL},
        {"POST", "/v1/actors", "{", 400, "malformed", NULL},
        {"POST", "/v1/actors", "{\"behavior\":\"nope\"}", 422, "unknown_behavior", "behavior"},
        {"POST", "/v1/actors", "{\"behavior\":\"counter\",\"x\":1}", 422, "schema", "x"},
        {"POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"..\"}", 422, "schema", "name"},
        {"POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"a\\n\"}", 422, "schema", "name"},
        {"POST", "/v1/actors?x=1", "{\"behavior\":\"counter\"}", 400, "invalid", "x"},
        {"GET", "/v1/actors?limit=0", NULL, 400, "invalid", "limit"},
        {"GET", "/v1/actors?limit=1001", NULL, 400, "invalid", "limit"},
        {"GET", "/v1/actors?limit=1&limit=1", NULL, 400, "invalid", "query"},
        {"GET", "/v1/actors?cursor=a.", NULL, 400, "invalid", "cursor"},
        {"GET", "/v1/actors?cursor=n.1", NULL, 400, "invalid", "cursor"},
        {"GET", "/v1/actors?cursor=a.01", NULL, 400, "invalid", "cursor"},
        {"GET", "/v1/actors?cursor=a.fffffffffffffffff", NULL, 400, "invalid", "cursor"},
        {"GET", "/v1/actors?state=x", NULL, 400, "invalid", "state"},
        {"GET", "/v1/actors?a=%zz", NULL, 400, "invalid", "query"},
        {"GET", "/v1/actors/@none", NULL, 404, "not_found", "ref"},
        {"GET", "/v1/actors/@", NULL, 404, "bad_reference", "ref"},
        {"GET", "/v1/actors/x", NULL, 404, "bad_reference", "ref"},
        {"GET", "/v1/actors/@%ff", NULL, 400, "invalid", "path"},
        {"GET", "/v1/actors/@%00", NULL, 400, "invalid", "path"},
        {"DELETE", "/v1/actors/@c?mode=x", NULL, 400, "invalid", "mode"},
        {"DELETE", "/v1/actors/@c?timeout=5", NULL, 400, "invalid", "timeout"},
        {"POST", "/v1/actors/@c/call/add?timeout=0ms", "", 400, "invalid", "timeout"},
        {"POST", "/v1/actors/@c/call/add?timeout=11m", "", 400, "invalid", "timeout"},
        {"POST", "/v1/actors/@c/call/add", "{\"by\":", 400, "malformed", NULL},
        {"POST", "/v1/actors/@c/call/nope", "", 422, "unknown_type", "type"},
        {"POST", "/v1/actors/@c/call/" LONG_TYPE, "", 400, "invalid", "type"},
        {"POST", "/v1/actors/@c/cast/" LONG_TYPE, "", 400, "invalid", "type"},
        {"GET", "/v1/actors/@c/call/" LONG_TYPE, NULL, 400, "invalid", "type"},
        {"GET", "/v1/actors/@c/call/nope", NULL, 422, "unknown_type", "type"},
        {"GET", "/v1/actors/@c/call/add", NULL, 405, "method_not_allowed", NULL},
        {"GET", "/v1/names/none", NULL, 404, "not_found", "name"},
        {"GET", "/v1/behaviors/none", NULL, 404, "not_found", "behavior"},
        {"GET", "/v1/ws", NULL, 426, "upgrade_required", NULL},
        {"GET", "/v1", NULL, 404, "no_route", NULL},
        {"GET", "/v1/actors/", NULL, 404, "no_route", NULL},
        {"GET", "/1/2/3/4/5/6/7/8/9", NULL, 404, "no_route", NULL},
        {"PUT", "/v1/actors", NULL, 405, "method_not_allowed", NULL},
        {"BREW", "/", NULL, 405, "method_not_allowed", NULL},
        {"POST", "/index.html", NULL, 405, "method_not_allowed", NULL},
        {"GET", "relative", NULL, 400, "invalid", "path"},
    };
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"c\"}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask(rows[i].method, rows[i].target, rows[i].body);
        expect_problem(rows[i].status, rows[i].code, rows[i].field);
    }
}

static void a_wrong_method_is_told_the_right_ones_test(void **state)
{
    (void)state;
    assert_int_equal(ask("PUT", "/v1/actors", NULL), 405);
    assert_string_equal(world.headers, "Allow: POST, GET, HEAD, OPTIONS\n");
    assert_int_equal(ask("OPTIONS", "/v1/actors", NULL), 204);
    assert_string_equal(world.headers, "Allow: POST, GET, HEAD, OPTIONS\n");
    assert_int_equal(ask("OPTIONS", "*", NULL), 204);
    assert_int_equal(ask("HEAD", "/version", NULL), 200);
}

static void content_types_are_checked_test(void **state)
{
    static const struct { const char *type; unsigned status; } rows[] = {
        {NULL, 201}, {"application/json", 201}, {"application/json; charset=utf-8", 201}, {"Application/JSON", 201},
        {"application/x-www-form-urlencoded", 201}, {"application/cloudevents+json", 201}, {"text/plain", 415},
        {"application/jsonx", 415}, {"multipart/form-data; boundary=x", 415}, {"", 415},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ask question = {.method = "POST", .target = "/v1/actors", .body = "{\"behavior\":\"counter\"}",
                               .content_type = rows[i].type};
        if (ask_all(&question) != rows[i].status)
            fail_msg("%s: %u", rows[i].type, world.status);
    }
}

static void bodies_pass_through_with_their_type_test(void **state)
{
    struct ask question = {.method = "POST", .target = "/v1/actors/@e/call/echo", .body = "\x01\xff",
                           .content_type = "application/octet-stream"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"echo\",\"name\":\"e\"}");
    assert_int_equal(ask_all(&question), 200);
    assert_string_equal(world.content_type, "application/octet-stream");
    assert_string_equal(world.body, "\x01\xff");
    assert_int_equal(ask("POST", "/v1/actors/@e/call/echo", NULL), 204);
}

static void a_batch_is_one_body_a_line_test(void **state)
{
    struct ask question = {.method = "POST", .target = "/v1/actors/@c/cast/add", .content_type = "application/x-ndjson",
                           .body = "{\"by\":1}\n\r\n{\"by\":2}\r\n\n{\"by\":3}"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"c\"}");
    assert_int_equal(ask_all(&question), 202);
    assert_string_equal(world.body, "{\"accepted\":3}");
    ask("GET", "/v1/actors/@c/call/get", NULL);
    assert_string_equal(world.body, "{\"value\":6}");
    question.body = "";
    assert_int_equal(ask_all(&question), 202);
    assert_string_equal(world.body, "{\"accepted\":0}");
}

/* With parameters it is a batch; a type that only begins so is a body like any other. */
static void a_batch_is_told_by_its_whole_type_test(void **state)
{
    struct ask question = {.method = "POST", .target = "/v1/actors/@e/cast/echo", .body = "1\n2\n",
                           .content_type = "application/x-ndjson; charset=utf-8"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"echo\",\"name\":\"e\"}");
    assert_int_equal(ask_all(&question), 202);
    assert_string_equal(world.body, "{\"accepted\":2}");
    question.content_type = "application/x-ndjsonx";
    assert_int_equal(ask_all(&question), 202);
    assert_string_equal(world.body, "{\"accepted\":1}");
}

/* Nothing polls between the lines, so a mailbox of two takes two. */
static void a_batch_says_how_many_were_taken_test(void **state)
{
    struct ask question = {.method = "POST", .target = "/v1/actors/@c/cast/add", .content_type = "application/x-ndjson",
                           .body = "{}\n{}\n{}\n"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"counter\",\"name\":\"c\",\"mailbox\":{\"messages\":2}}");
    ask_all(&question);
    expect_problem(429, "mailbox_full", NULL);
    assert_non_null(strstr(world.body, "\"accepted\":2"));
    assert_non_null(strstr(world.body, "line 3 was refused"));
    assert_non_null(strstr(world.body, "\"retry_after_ms\":"));
    assert_non_null(strstr(world.headers, "Retry-After: 1"));
}

static void lists_go_by_pages_test(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char body[80];
        snprintf(body, sizeof body, "{\"behavior\":\"counter\",\"name\":\"n%d\"}", i);
        ask("POST", "/v1/actors", body);
    }
    static const char *const lists[] = {"/v1/actors?behavior=counter&limit=3", "/v1/names?limit=3"};
    for (int list = 0; list < 2; list++) {
        size_t total = 0, pages = 0;
        char target[128];
        snprintf(target, sizeof target, "%s", lists[list]);
        for (bool more = true; more; pages++) {
            assert_int_equal(ask("GET", target, NULL), 200);
            json_t *doc = json_loads(world.body, 0, NULL);
            size_t count = json_array_size(json_object_get(doc, "items"));
            const char *next = json_string_value(json_object_get(doc, "next"));
            assert_true(count <= 3);
            total += count;
            more = next != NULL;
            assert_int_equal(strstr(world.headers, "rel=\"next\"") != NULL, more);
            snprintf(target, sizeof target, "%s&cursor=%s", lists[list], more ? next : "");
            json_decref(doc);
            assert_true(pages < 100);
        }
        assert_int_equal(total, 10);
    }
    ask("GET", "/v1/actors?node=n.0000000000000", NULL);
    assert_string_equal(world.body, "{\"items\":[],\"next\":null}");
    ask("GET", "/v1/actors?name=n3", NULL);
    assert_non_null(strstr(world.body, "\"name\":\"n3\""));
    assert_null(strstr(world.body, "\"name\":\"n4\""));
}

/* The members of `part` stand in `whole`, in the same order and from its beginning. */
static void expect_beginning(json_t *whole, json_t *part)
{
    void *at = json_object_iter(whole);
    assert_int_equal(json_object_size(part), 14);
    for (void *it = json_object_iter(part); it != NULL; it = json_object_iter_next(part, it)) {
        assert_string_equal(json_object_iter_key(it), json_object_iter_key(at));
        assert_true(json_equal(json_object_iter_value(it), json_object_iter_value(at)));
        at = json_object_iter_next(whole, at);
    }
}

/* An item of the list is what the actor's own document begins with, whatever its name has in it. */
static void an_item_of_a_list_is_the_actor_in_short_test(void **state)
{
    static const char *const names[] = {"a\"b\\\\c/", "\u00e9\U0001f600", "plain"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *body = json_pack("{s:s, s:s}", "behavior", "counter", "name", names[i]);
        char *text = json_dumps(body, 0), target[128];
        assert_int_equal(ask("POST", "/v1/actors", text), 201);
        free(text);
        json_decref(body);
        assert_int_equal(ask("GET", "/v1/actors", NULL), 200);
        json_t *list = json_loadb(world.body, world.body_len, 0, NULL);
        json_t *item = json_array_get(json_object_get(list, "items"), i);
        assert_string_equal(json_string_value(json_object_get(item, "name")), names[i]);
        snprintf(target, sizeof target, "/v1/actors/%s", json_string_value(json_object_get(item, "ref")));
        assert_int_equal(ask("GET", target, NULL), 200);
        json_t *whole = json_loadb(world.body, world.body_len, 0, NULL);
        expect_beginning(whole, item);
        json_decref(whole);
        json_decref(list);
        assert_int_equal(ask("GET", "/v1/names", NULL), 200);
        list = json_loadb(world.body, world.body_len, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(list, "items")), i + 1);
        json_decref(list);
    }
}

static void a_document_without_memory_is_a_problem_test(void **state)
{
    struct api_request req = {.env = &world.env, .transport = &transport};
    struct text document = {.failed = true};
    (void)state;
    api_reply_text(&req, 200, &document, NULL, 0);
    expect_problem(503, "no_memory", NULL);
}

static void only_known_hosts_and_origins_may_ask_test(void **state)
{
    struct ask question = {.method = "GET", .target = "/version", .host = "evil.example"};
    (void)state;
    ask_all(&question);
    expect_problem(421, "wrong_host", "Host");
    question = (struct ask){.method = "GET", .target = "/version", .origin = "null"};
    ask_all(&question);
    expect_problem(403, "wrong_origin", "Origin");
    question.origin = "http://127.0.0.1:1";
    assert_int_equal(ask_all(&question), 200);
}

static void a_reply_that_is_late_is_a_timeout_test(void **state)
{
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"faulty\",\"name\":\"f\"}");
    ask("POST", "/v1/actors/@f/call/never?timeout=50ms", NULL);
    expect_problem(504, "timeout", NULL);
    assert_int_equal(ask("POST", "/v1/actors/@f/call/late", "{\"ms\":30}"), 200);
    ask("POST", "/v1/actors/@f/call/no_reply", NULL);
    expect_problem(500, "no_reply", NULL);
    ask("POST", "/v1/actors/@f/call/app_error", "{\"code\":\"tea\",\"status\":418,\"detail\":\"short and stout\"}");
    expect_problem(418, "app.tea", NULL);
}

/* Time moves while the actor has its first message: the second, a call that would end the actor, is over by then. */
static void a_call_whose_time_is_over_is_not_handled_test(void **state)
{
    struct api_request req;
    char target[] = "/v1/actors/@f/call/fail?timeout=20ms";
    struct ask question = {.method = "POST", .target = target, .body = "{}"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"faulty\",\"name\":\"f\"}");
    assert_int_equal(ask("POST", "/v1/actors/@f/cast/spin", "{\"us\":1}"), 202);
    unsigned before = world.answers;
    send_request(&req, target, &question); /* queued behind the spin, since nothing polls */
    assert_int_equal(world.answers, before);
    world.now_ns += 30000000;
    pass(0);
    assert_int_equal(world.answers, before + 1);
    expect_problem(504, "timeout", NULL);
    assert_int_equal(ask("GET", "/v1/actors/@f", NULL), 200);
    expect_member("state", "running");
}

/* While the node ends its actors, one that is not there says nothing about other nodes. */
static void who_is_not_there_while_the_node_drains_may_be_elsewhere_test(void **state)
{
    static const struct { const char *method, *target; } rows[] = {
        {"GET", "/v1/actors/@none"},       {"POST", "/v1/actors/@none/call/get"}, {"POST", "/v1/actors/@none/cast/get"},
        {"GET", "/v1/names/none"},         {"DELETE", "/v1/actors/@none"},        {"GET", "/v1/actors/%s"},
        {"POST", "/v1/actors/%s/call/get"}, {"POST", "/v1/actors/%s/cast/get"},    {"GET", "/v1/actors/%s/call/get"},
        {"DELETE", "/v1/actors/%s"},
    };
    char ref[TROUPE_REF_TEXT_MAX], target[256];
    (void)state;
    assert_int_equal(ask("POST", "/v1/actors", "{\"behavior\":\"counter\"}"), 201);
    json_t *doc = json_loadb(world.body, world.body_len, 0, NULL);
    snprintf(ref, sizeof ref, "%s", json_string_value(json_object_get(doc, "ref")));
    json_decref(doc);
    snprintf(target, sizeof target, "/v1/actors/%s", ref);
    assert_int_equal(ask("DELETE", target, NULL), 204);
    for (int draining = 0; draining < 2; draining++) {
        atomic_store(&world.health.phase, draining ? API_DRAINING : API_UP);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            bool is_gone = strstr(rows[i].target, "%s") != NULL;
            const char *after = is_gone ? strstr(rows[i].target, "%s") + 2 : rows[i].target;
            snprintf(target, sizeof target, "%s%s%s", is_gone ? "/v1/actors/" : "", is_gone ? ref : "", after);
            ask(rows[i].method, target, "");
            if (draining)
                expect_problem(503, "draining", NULL);
            else
                expect_problem(is_gone ? 410 : 404, is_gone ? "gone" : "not_found", NULL);
            expect_member("retry", draining ? "yes" : "no");
        }
    }
}

/* A client that leaves: the request is cancelled, and no answer comes for it. */
static void a_cancelled_request_is_not_answered_test(void **state)
{
    struct api_request req;
    char target[] = "/v1/actors/@f/call/late";
    struct ask question = {.method = "POST", .target = target, .body = "{\"ms\":20}"};
    (void)state;
    ask("POST", "/v1/actors", "{\"behavior\":\"faulty\",\"name\":\"f\"}");
    unsigned before = world.answers;
    send_request(&req, target, &question);
    assert_int_equal(world.answers, before);
    troupe_request_cancel(&req.core);
    pass(100);
    assert_int_equal(world.answers, before);
}

static void health_follows_the_phase_test(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/livez", NULL), 200);
    assert_int_equal(ask("GET", "/readyz", NULL), 200);
    assert_int_equal(ask("GET", "/healthz", NULL), 200);
    atomic_store(&world.health.phase, API_DRAINING);
    assert_int_equal(ask("GET", "/livez", NULL), 200);
    ask("GET", "/readyz", NULL);
    expect_problem(503, "draining", NULL);
    assert_int_equal(ask("GET", "/healthz", NULL), 503);
    atomic_store(&world.health.phase, API_UP);
    atomic_store(&world.health.stuck, 1);
    ask("GET", "/readyz", NULL);
    expect_problem(503, "overloaded", NULL);
}

static void pages_have_tags_test(void **state)
{
    struct ask question = {.method = "GET", .target = "/?view=x"};
    (void)state;
    assert_int_equal(ask_all(&question), 200);
    assert_string_equal(world.body, "<p>");
    assert_non_null(strstr(world.headers, "Content-Security-Policy: default-src 'self'"));
    assert_non_null(strstr(world.headers, "ETag: \"tag\""));
    question.if_none_match = "\"x\", W/\"tag\"";
    assert_int_equal(ask_all(&question), 304);
    assert_int_equal(world.body_len, 0);
}

/* Each row is an operation of the document, each operation a row, and each has the statuses of its row. */
static void document_and_routes_agree_test(void **state)
{
    const struct api_route *route;
    const char *path, *method;
    json_t *item, *operation;
    size_t rows = 0, operations = 0;
    (void)state;
    assert_int_equal(ask("GET", "/openapi.json", NULL), 200);
    json_t *doc = json_loads(world.body, JSON_REJECT_DUPLICATES, NULL);
    json_t *paths = json_object_get(doc, "paths");
    for (unsigned i = 0; (route = router_at(i)) != NULL; i++) {
        char key[8] = "", status[16];
        if (route->tag == NULL)
            continue;
        for (size_t c = 0; api_method_word(route->method)[c] != '\0'; c++)
            key[c] = (char)(api_method_word(route->method)[c] | 0x20);
        operation = json_object_get(json_object_get(paths, route->path), key);
        assert_non_null(operation);
        assert_string_equal(json_string_value(json_object_get(operation, "operationId")), route->operation);
        for (const struct api_result *result = route->results; result->status != 0; result++) {
            snprintf(status, sizeof status, "%u", result->status);
            assert_non_null(json_object_get(json_object_get(operation, "responses"), status));
        }
        rows++;
    }
    json_object_foreach(paths, path, item)
        json_object_foreach(item, method, operation)
            operations++;
    assert_int_equal(rows, operations);
    json_decref(doc);
}

static void metrics_have_help_and_type_test(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/metrics", NULL), 200);
    unsigned samples = 0;
    for (char *save, *line = strtok_r(world.body, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        assert_true(strncmp(line, "# HELP troupe_", 14) == 0 || strncmp(line, "# TYPE troupe_", 14) == 0 ||
                    strncmp(line, "troupe_", 7) == 0);
        samples += line[0] != '#';
    }
    assert_true(samples > 30);
}

#define API_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(spawn_call_and_stop_test), API_TEST(names_may_have_slashes_test),
        API_TEST(a_taken_name_is_told_with_its_holder_test), API_TEST(refusals_name_what_is_wrong_test),
        API_TEST(a_wrong_method_is_told_the_right_ones_test), API_TEST(content_types_are_checked_test),
        API_TEST(bodies_pass_through_with_their_type_test), API_TEST(a_batch_is_one_body_a_line_test),
        API_TEST(a_batch_says_how_many_were_taken_test), API_TEST(lists_go_by_pages_test),
        API_TEST(an_item_of_a_list_is_the_actor_in_short_test), API_TEST(a_document_without_memory_is_a_problem_test),
        API_TEST(only_known_hosts_and_origins_may_ask_test), API_TEST(a_reply_that_is_late_is_a_timeout_test),
        API_TEST(a_batch_is_told_by_its_whole_type_test), API_TEST(a_call_whose_time_is_over_is_not_handled_test),
        API_TEST(who_is_not_there_while_the_node_drains_may_be_elsewhere_test),
        API_TEST(a_cancelled_request_is_not_answered_test), API_TEST(health_follows_the_phase_test),
        API_TEST(pages_have_tags_test), API_TEST(document_and_routes_agree_test),
        API_TEST(metrics_have_help_and_type_test),
    };
    log_init(LOG_HUMAN, TROUPE_LOG_ERROR); /* no audit lines */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
