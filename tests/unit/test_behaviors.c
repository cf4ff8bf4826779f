/* SPDX-License-Identifier: Apache-2.0
 *
 * The standard behaviors, each message type of each, in a real system with one worker on virtual time. The table in
 * tests/conformance runs the same behaviors on every host; here is what needs C: schemas, limits, failing memory, and
 * what is left when an actor has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <troupe/json.h>

#include "behavior_world.h"

/* ---- the tables ---- */

/* Every behavior says what it is, and its schemas are JSON. */
static void test_tables_are_whole(void **state)
{
    unsigned count = 0;

    (void)state;
    for (const troupe_behavior *behavior; (behavior = troupe_behaviors_at(count)) != NULL; count++) {
        assert_ptr_equal(troupe_system_behavior(world.system, troupe_view_of(behavior->name)), behavior);
        assert_true(strlen(behavior->summary) > 10);
        for (uint32_t i = 0; i < behavior->types_count; i++) {
            const troupe_type *type = &behavior->types[i];

            assert_true(strlen(type->summary) > 5);
            if (type->body_schema != NULL)
                assert_int_equal(troupe_json_validate(type->body_schema, strlen(type->body_schema), NULL), 0);
            if (type->reply_schema != NULL)
                assert_int_equal(troupe_json_validate(type->reply_schema, strlen(type->reply_schema), NULL), 0);
        }
    }
    assert_in_range(count, 8, 64);
    assert_null(troupe_behaviors_at(UINT32_MAX));
}

/* ---- echo ---- */

static void test_echo_gives_back_any_body(void **state)
{
    troupe_ref echo = must_spawn("echo", "");
    char *large = malloc(1 << 20);

    (void)state;
    assert_non_null(large);
    memset(large, 'e', 1 << 20);
    assert_int_equal(call_body(echo, "echo", troupe_body_bytes(large, 1 << 20, "text/plain"), 0), 0);
    assert_int_equal(world.outcome.body_len, 1 << 20);
    assert_memory_equal(world.outcome.body, large, 1 << 20);
    assert_string_equal(world.outcome.content_type, "text/plain");
    free(large);

    assert_int_equal(call_body(echo, "any.type", troupe_body_none(), 0), 0);
    assert_int_equal(world.outcome.body_len, 0);
    assert_int_equal(call(echo, "echo", "{not json"), 0);
    assert_string_equal(world.outcome.body, "{not json");
}

/* ---- topic ---- */

static void assert_next_event(troupe_subscription *reader, const char *type, const char *content_type, const char *body)
{
    troupe_event event;

    assert_int_equal(troupe_subscription_read(reader, &event), 1);
    assert_true(troupe_view_equal(event.type, troupe_view_of(type)));
    assert_true(troupe_view_equal(event.body, troupe_view_of(body)));
    if (content_type == NULL)
        assert_null(event.content_type);
    else
        assert_string_equal(event.content_type, content_type);
    if (world.outcome.body_len > 0) { /* the caller was told its id */
        char id[64];
        snprintf(id, sizeof id, "{\"id\":\"%016llx.%llu\"}", (unsigned long long)event.id.epoch,
                 (unsigned long long)event.id.seq);
        assert_string_equal(world.outcome.body, id);
    }
    assert_int_equal(troupe_subscription_read(reader, &event), 0);
}

static void test_topic_publishes_what_it_is_sent(void **state)
{
    troupe_ref topic = must_spawn("topic", "");
    troupe_subscription reader = {0};
    size_t len = TROUPE_TOPIC_BYTES_MAX + 1;
    char *large = calloc(1, len);

    (void)state;
    assert_non_null(large);
    assert_int_equal(troupe_subscribe(world.worker, &reader, topic, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    assert_int_equal(call_body(topic, "publish", troupe_body_bytes("21,5", 4, "text/csv"), 0), 0);
    assert_next_event(&reader, "publish", "text/csv", "21,5");
    assert_int_equal(call(topic, "any.type", "{not json"), 0);
    assert_next_event(&reader, "any.type", NULL, "{not json");
    assert_int_equal(call_body(topic, "large", troupe_body_bytes(large, len, NULL), 0), TROUPE_E_TOO_LARGE);
    assert_int_equal(troupe_worker_cast(world.worker, topic, troupe_view_of("large"),
                                        troupe_body_bytes(large, len, NULL), (troupe_caller){0}),
                     0); /* nobody to tell */
    assert_int_equal(
        troupe_worker_cast(world.worker, topic, troupe_view_of("cast"), troupe_body_none(), (troupe_caller){0}), 0);
    run_due();
    assert_next_event(&reader, "cast", NULL, "");
    free(large);
    troupe_unsubscribe(&reader);
}

/* ---- counter ---- */

#define OPEN_16 "[[[[[[[[[[[[[[[["
#define OPEN_64 OPEN_16 OPEN_16 OPEN_16 OPEN_16

static void test_counter_counts(void **state)
{
    static const struct row rows[] = {
        {"get", "", 0, "{\"value\":41}"},
        {"add", "", 0, "{\"value\":42}"},
        {"add", "{}", 0, "{\"value\":43}"},
        {"add", "{\"by\":-44}", 0, "{\"value\":-1}"},
        {"add", "{\"by\":1,\"by\":3}", 0, "{\"value\":2}"},
        {"reset", "", 0, "{\"value\":0}"},
        {"add", "{\"by\":9223372036854775807}", 0, "{\"value\":9223372036854775807}"},
        {"add", "{\"by\":1}", TROUPE_E_APP, "64 bits"},
        {"get", "", 0, "{\"value\":9223372036854775807}"},
        {"reset", "", 0, NULL},
        {"add", "{\"by\":-9223372036854775808}", 0, "{\"value\":-9223372036854775808}"},
        {"add", "{\"by\":-1}", TROUPE_E_APP, NULL},
        {"add", "{\"by\":9223372036854775808}", TROUPE_E_SCHEMA, "by: "},
        {"add", "{\"by\":\"1\"}", TROUPE_E_SCHEMA, "by: "},
        {"add", "{\"by\":1.0}", TROUPE_E_SCHEMA, "by: "},
        {"add", "{\"by\":null}", TROUPE_E_SCHEMA, "by: "},
        {"add", "{\"to\":1}", TROUPE_E_SCHEMA, "to: there is no such member"},
        {"add", "5", TROUPE_E_SCHEMA, NULL},
        {"add", "{\"by\":1", TROUPE_E_MALFORMED, NULL},
        {"add", "{\"by\":1} x", TROUPE_E_MALFORMED, NULL},
        {"add", "{\"to\":" OPEN_64, TROUPE_E_MALFORMED, "nested deeper than 64 levels"},
        {"subtract", "{}", TROUPE_E_UNKNOWN_TYPE, NULL},
        {"get", "", 0, "{\"value\":-9223372036854775808}"},
    };

    (void)state;
    CHECK_ROWS(must_spawn("counter", "{\"value\":41}"), rows);
}

static void test_counter_overflow_is_an_application_error(void **state)
{
    troupe_ref counter = must_spawn("counter", "{\"value\":9223372036854775807}");

    (void)state;
    call(counter, "add", "{\"by\":1}");
    assert_app_error("overflow", 409);
}

static void test_counter_takes_casts_and_forgives_bad_ones(void **state)
{
    troupe_ref counter = must_spawn("counter", "");
    const char *bodies[] = {"{\"by\":2}", "{\"by\":", "{\"by\":[]}", "", "{\"by\":9223372036854775807}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_int_equal(troupe_worker_cast(world.worker, counter, troupe_view_of("add"),
                                            troupe_body_json(bodies[i], strlen(bodies[i])), (troupe_caller){0}), 0);
    assert_int_equal(call(counter, "get", ""), 0);
    assert_string_equal(world.outcome.body, "{\"value\":3}");
}

static void test_bad_args_do_not_start(void **state)
{
    static const struct {
        const char *behavior, *args;
    } rows[] = {
        {"counter", "{\"value\":\"1\"}"},
        {"counter", "{\"value\":1"},
        {"counter", "{\"valeu\":1}"},
        {"kv", "{\"keys_max\":0}"},
        {"kv", "{\"keys_max\":100001}"},
        {"kv", "{\"bytes_max\":0}"},
        {"kv", "[]"},
        {"relay", "{}"},
        {"relay", "{\"to\":\"\"}"},
        {"relay", "{\"to\":\"nobody\"}"},
        {"relay", "{\"to\":\"@a\",\"timeout_ms\":600001}"},
        {"ticker", "{}"},
        {"ticker", "{\"period_ms\":5}"},
        {"ticker", "{\"to\":\"@nobody\",\"period_ms\":5}"},
        {"faulty", "{\"init\":\"fail\"}"},
        {"faulty", "{\"inti\":\"fail\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("# %s %s\n", rows[i].behavior, rows[i].args);
        assert_int_not_equal(spawn(rows[i].behavior, rows[i].args), 0);
        assert_true(world.outcome.detail[0] != '\0');
        assert_int_equal(world.ended, i + 1);
        assert_int_equal(world.last_exit.cause, TROUPE_EXIT_NOT_STARTED);
    }
}

/* ---- kv ---- */

static void test_kv_keeps_values(void **state)
{
    static const struct row rows[] = {
        {"get", "{\"key\":\"a\"}", TROUPE_E_APP, "no such key"},
        {"put", "{\"key\":\"a\",\"value\": [1, {\"b\":null}] }", 0, "{\"revision\":1}"},
        {"get", "{\"key\":\"a\"}", 0, "{\"value\":[1, {\"b\":null}],\"revision\":1}"},
        {"put", "{\"value\":0,\"key\":\"a\"}", 0, "{\"revision\":2}"},
        {"get", "{\"key\":\"\\u0061\"}", 0, "{\"value\":0,\"revision\":2}"},
        {"cas", "{\"key\":\"a\",\"value\":1,\"revision\":1}", TROUPE_E_APP, "another revision"},
        {"cas", "{\"key\":\"z\",\"value\":1,\"revision\":2}", TROUPE_E_APP, "not there"},
        {"cas", "{\"key\":\"a\",\"value\":1,\"revision\":2}", 0, "{\"revision\":3}"},
        {"cas", "{\"key\":\"z\",\"value\":26,\"revision\":0}", 0, "{\"revision\":4}"},
        {"delete", "{\"key\":\"a\"}", 0, "{\"deleted\":true}"},
        {"delete", "{\"key\":\"a\"}", 0, "{\"deleted\":false}"},
        {"list", "", 0, "{\"items\":[{\"key\":\"z\",\"revision\":4}],\"next\":null}"},
        {"put", "{}", TROUPE_E_SCHEMA, "key is missing"},
        {"put", "{\"key\":\"\",\"value\":1}", TROUPE_E_SCHEMA, "key is missing or empty"},
        {"put", "{\"key\":\"b\"}", TROUPE_E_SCHEMA, "value is missing"},
        {"put", "{\"key\":\"b\",\"value\":1,\"revision\":1}", TROUPE_E_SCHEMA, "revision: there is no such member"},
        {"put", "{\"key\":\"b\",\"value\":}", TROUPE_E_MALFORMED, NULL},
        {"put", "{\"key\":\"b\\u0000\",\"value\":1}", TROUPE_E_SCHEMA, "key: "},
        {"cas", "{\"key\":\"b\",\"value\":1}", TROUPE_E_SCHEMA, "revision is missing"},
        {"cas", "{\"key\":\"b\",\"value\":1,\"revision\":-1}", TROUPE_E_SCHEMA, "revision: "},
        {"get", "", TROUPE_E_SCHEMA, "key is missing"},
        {"get", "{\"key\":7}", TROUPE_E_SCHEMA, "key: "},
        {"delete", "[\"b\"]", TROUPE_E_SCHEMA, NULL},
        {"list", "{\"limit\":1001}", TROUPE_E_SCHEMA, "limit: "},
        {"list", "{\"limit\":0}", TROUPE_E_SCHEMA, "limit: "},
        {"list", "{\"key\":\"a\"}", TROUPE_E_SCHEMA, "key: "},
        {"put", "{\"key\":\"b\",\"value\":2}", 0, "{\"revision\":6}"},
    };

    (void)state;
    CHECK_ROWS(must_spawn("kv", ""), rows);
}

static void test_kv_application_errors_have_code_and_status(void **state)
{
    troupe_ref kv = must_spawn("kv", "");

    (void)state;
    call(kv, "get", "{\"key\":\"a\"}");
    assert_app_error("not_found", 404);
    call(kv, "cas", "{\"key\":\"a\",\"value\":1,\"revision\":9}");
    assert_app_error("conflict", 409);
}

static void test_kv_takes_keys_up_to_255_bytes(void **state)
{
    troupe_ref kv = must_spawn("kv", "");
    char body[400];

    (void)state;
    for (int len = 255; len <= 256; len++) {
        snprintf(body, sizeof body, "{\"key\":\"%0*d\",\"value\":1}", len, 0);
        assert_int_equal(call(kv, "put", body), len == 255 ? 0 : TROUPE_E_SCHEMA);
    }
}

static void test_kv_holds_its_limits(void **state)
{
    static const struct row rows[] = {
        {"put", "{\"key\":\"a\",\"value\":1234}", 0, NULL},               /* 5 bytes */
        {"put", "{\"key\":\"b\",\"value\":12345}", TROUPE_E_LIMIT, "bytes_max"},
        {"put", "{\"key\":\"b\",\"value\":1234}", 0, NULL},               /* 10: full */
        {"put", "{\"key\":\"a\",\"value\":12345}", TROUPE_E_LIMIT, NULL},
        {"get", "{\"key\":\"a\"}", 0, "{\"value\":1234,\"revision\":1}"}, /* the refused put changed nothing */
        {"put", "{\"key\":\"a\",\"value\":9}", 0, NULL},
        {"put", "{\"key\":\"c\",\"value\":1}", TROUPE_E_LIMIT, "keys_max"},
        {"delete", "{\"key\":\"b\"}", 0, NULL},
        {"put", "{\"key\":\"c\",\"value\":1}", 0, NULL},
    };

    (void)state;
    CHECK_ROWS(must_spawn("kv", "{\"keys_max\":2,\"bytes_max\":10}"), rows);
}

/* Thousands of keys in an order that is no order come back sorted, page by page, each once. */
static void test_kv_pages_give_every_key_once_in_order(void **state)
{
    enum { KEYS = 2500, PAGE = 300 };
    troupe_ref kv = must_spawn("kv", "");
    char body[128], after[32] = "", previous[32] = "";
    unsigned seen = 0;

    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(body, sizeof body, "{\"key\":\"k%05u\",\"value\":%u}", i * 7919u % KEYS, i);
        assert_int_equal(call(kv, "put", body), 0);
    }
    for (bool more = true; more;) {
        troupe_json_reader reader;
        troupe_json_string member;

        snprintf(body, sizeof body, "{\"prefix\":\"k0\",\"limit\":%d%s%s%s}", PAGE, after[0] ? ",\"after\":\"" : "",
                 after, after[0] ? "\"" : "");
        assert_int_equal(call(kv, "list", body), 0);
        troupe_json_read_init(&reader, world.outcome.body, world.outcome.body_len);
        while (troupe_json_next_member(&reader, &member)) {
            if (troupe_json_key_is(&member, "next")) {
                more = troupe_json_peek(&reader) == TROUPE_JSON_STRING;
                if (more)
                    troupe_json_read_text(&reader, after, sizeof after);
                else
                    troupe_json_read_null(&reader);
                continue;
            }
            while (troupe_json_next_item(&reader)) {
                while (troupe_json_next_member(&reader, &member)) {
                    char key[32];

                    if (!troupe_json_key_is(&member, "key")) {
                        troupe_json_skip(&reader);
                        continue;
                    }
                    troupe_json_read_text(&reader, key, sizeof key);
                    assert_true(strcmp(previous, key) < 0);
                    strcpy(previous, key);
                    seen++;
                }
            }
        }
        assert_int_equal(troupe_json_read_end(&reader), 0);
    }
    assert_int_equal(seen, KEYS);
}

/* Whichever allocation fails, the call is answered, and afterwards the map holds the old value or the new one. */
static void test_kv_survives_failing_memory(void **state)
{
    troupe_ref kv = must_spawn("kv", "");
    bool failed = false;

    (void)state;
    assert_int_equal(call(kv, "put", "{\"key\":\"k\",\"value\":0}"), 0);
    for (uint64_t n = 1; n < 20; n++) {
        char body[700];
        int rc;

        snprintf(body, sizeof body, "{\"key\":\"k\",\"value\":\"%0600d\"}", (int)n);
        troupe__port_fail_after(n);
        rc = call(kv, "put", body);
        troupe__port_fail_after(0);
        failed |= rc != 0;
        assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY);
        troupe__port_fail_after(n);
        rc = call(kv, "get", "{\"key\":\"k\"}");
        troupe__port_fail_after(0);
        assert_true(rc == 0 || rc == TROUPE_E_NO_MEMORY);
        assert_int_equal(call(kv, "get", "{\"key\":\"k\"}"), 0);
    }
    assert_true(failed);
    assert_int_equal(world.ended, 0);
}

/* ---- ticker ---- */

static void test_ticker_ticks_at_its_period(void **state)
{
    troupe_ref counter = must_spawn("counter", "");
    troupe_ref ticker = must_spawn("ticker", with_ref("{\"to\":\"%s\",\"type\":\"add\",\"period_ms\":100,\"count\":3,"
                                                      "\"body\":{\"by\":10}}", counter));

    (void)state;
    advance_ms(99);
    call(counter, "get", "");
    assert_string_equal(world.outcome.body, "{\"value\":0}");
    advance_ms(1);
    call(counter, "get", "");
    assert_string_equal(world.outcome.body, "{\"value\":10}");
    advance_ms(150);
    assert_int_equal(call(ticker, "status", ""), 0);
    assert_reply_has("\"count\":3,\"sent\":2,\"refused\":0,\"paused\":false}");
    advance_ms(50);
    call(counter, "get", "");
    assert_string_equal(world.outcome.body, "{\"value\":30}");
    assert_int_equal(world.ended, 1);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_NORMAL);
    assert_int_equal(call(ticker, "status", ""), TROUPE_E_GONE);
}

static void test_ticker_pauses(void **state)
{
    troupe_ref counter = must_spawn("counter", "");
    troupe_ref ticker = must_spawn("ticker", with_ref("{\"to\":\"%s\",\"type\":\"add\",\"period_ms\":100}", counter));

    (void)state;
    advance_ms(250);
    assert_int_equal(call(ticker, "pause", ""), 0);
    assert_reply_has("\"count\":null,\"sent\":2,\"refused\":0,\"paused\":true}");
    assert_int_equal(call(ticker, "pause", ""), 0);
    advance_ms(1000);
    assert_int_equal(call(ticker, "resume", ""), 0);
    assert_int_equal(call(ticker, "resume", ""), 0);
    advance_ms(99);
    call(counter, "get", "");
    assert_string_equal(world.outcome.body, "{\"value\":2}");
    advance_ms(1);
    call(counter, "get", "");
    assert_string_equal(world.outcome.body, "{\"value\":3}");
}

static void test_ticker_ends_with_its_target(void **state)
{
    troupe_ref counter = must_spawn("counter", "");
    troupe_ref ticker = must_spawn("ticker", with_ref("{\"to\":\"%s\",\"period_ms\":60000}", counter));

    (void)state;
    assert_int_equal(stop(counter), 0);
    advance_ms(0);
    assert_int_equal(world.ended, 2);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_NORMAL);
    assert_int_equal(call(ticker, "status", ""), TROUPE_E_GONE);
}

static void test_ticker_counts_refusals(void **state)
{
    troupe_ref counter = must_spawn("counter", "");
    troupe_ref ticker = must_spawn("ticker", with_ref("{\"to\":\"%s\",\"period_ms\":10,\"count\":1}", counter));

    (void)state;
    advance_ms(55); /* the type is "tick", which a counter does not take */
    assert_int_equal(call(ticker, "status", ""), 0);
    assert_reply_has("\"sent\":0,\"refused\":5,");
}

static void test_ticker_checks_its_args(void **state)
{
    static const char *const rows[] = {
        "{\"to\":\"%s\"}",
        "{\"to\":\"%s\",\"period_ms\":0}",
        "{\"to\":\"%s\",\"period_ms\":86400001}",
        "{\"to\":\"%s\",\"period_ms\":1,\"count\":0}",
        "{\"to\":\"%s\",\"period_ms\":1,\"type\":\"\"}",
        "{\"to\":\"%s\",\"period_ms\":1,\"type\":\"a b\"}",
        "{\"to\":\"%s\",\"period_ms\":1,\"body\":}",
    };
    troupe_ref counter = must_spawn("counter", "");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_not_equal(spawn("ticker", with_ref(rows[i], counter)), 0);
}

/* ---- relay ---- */

static void test_relay_passes_calls_casts_and_errors(void **state)
{
    static const struct row rows[] = {
        {"no_reply", "", TROUPE_E_NO_REPLY, NULL},
        {"late", "{\"ms\":200}", 0, "{}"},
        {"app_error", "{\"code\":\"c\",\"status\":444,\"detail\":\"d\"}", TROUPE_E_APP, "d"},
        {"no-such-type", "", TROUPE_E_UNKNOWN_TYPE, NULL},
        {"never", "", TROUPE_E_TIMEOUT, NULL},
        {"fail", "", TROUPE_E_ACTOR_FAILED, NULL},
        {"report", "", TROUPE_E_GONE, NULL},
    };
    troupe_ref faulty = must_spawn("faulty", "");
    troupe_ref relay = must_spawn("relay", with_ref("{\"to\":\"%s\",\"timeout_ms\":1000}", faulty));

    (void)state;
    assert_int_equal(troupe_worker_cast(world.worker, relay, troupe_view_of("noop"), troupe_body_none(),
                                        (troupe_caller){0}), 0);
    assert_int_equal(call(relay, "report", ""), 0);
    assert_reply_has("\"noops\":1");
    CHECK_ROWS(relay, rows);
    assert_int_equal(troupe_worker_cast(world.worker, relay, troupe_view_of("noop"), troupe_body_none(),
                                        (troupe_caller){0}), 0);
    advance_ms(1);
    assert_int_equal(world.ended, 1); /* the relay outlives what it relays to */
}

static void test_relay_keeps_the_application_error_whole(void **state)
{
    troupe_ref faulty = must_spawn("faulty", "");
    troupe_ref relay = must_spawn("relay", with_ref("{\"to\":\"%s\"}", faulty));

    (void)state;
    call(relay, "app_error", "{\"code\":\"no_luck\",\"status\":420,\"detail\":\"out of it\"}");
    assert_app_error("no_luck", 420);
    assert_string_equal(world.outcome.detail, "out of it");
}

/* The first caller gives up before the target answers; the late answer finds nobody and hurts nobody. */
static void test_relay_survives_a_caller_that_did_not_wait(void **state)
{
    troupe_ref faulty = must_spawn("faulty", "");
    troupe_ref relay = must_spawn("relay", with_ref("{\"to\":\"%s\"}", faulty));

    (void)state;
    assert_int_equal(call_body(relay, "late", troupe_body_json("{\"ms\":500}", 10), 100), TROUPE_E_TIMEOUT);
    advance_ms(1000);
    assert_int_equal(call(relay, "late", "{\"ms\":1}"), 0);
    assert_int_equal(world.ended, 0);
}

/* ---- faulty ---- */

static void test_faulty_does_each_fault(void **state)
{
    static const struct row rows[] = {
        {"no_reply", "", TROUPE_E_NO_REPLY, NULL},
        {"never", "", TROUPE_E_TIMEOUT, NULL},
        {"late", "{\"ms\":4999}", 0, "{}"},
        {"late", "{\"ms\":5001}", TROUPE_E_TIMEOUT, NULL},
        {"app_error", "", TROUPE_E_APP, NULL},
        {"app_error", "{\"status\":500}", TROUPE_E_SCHEMA, "status: "},
        {"app_error", "{\"status\":399}", TROUPE_E_SCHEMA, "status: "},
        {"big", "{\"bytes\":3}", 0, "xxx"},
        {"big", "{\"bytes\":16777217}", TROUPE_E_TOO_LARGE, NULL},
        {"big", "{\"bytes\":16777218}", TROUPE_E_SCHEMA, "bytes: "},
        {"spin", "{\"us\":1}", 0, "{}"},
        {"spin", "{\"us\":1000001}", TROUPE_E_SCHEMA, "us: "},
        {"flood", "{\"count\":5}", 0, "{\"sent\":5,\"refused\":0}"},
        {"flood", "{\"count\":2,\"type\":\"unknown\"}", 0, "{\"sent\":0,\"refused\":2}"},
        {"flood", "{\"count\":1,\"to\":\"@nobody\"}", TROUPE_E_NOT_FOUND, "to: "},
        {"noop", "", 0, NULL},
        {"watch", "{\"to\":\"@nobody\"}", TROUPE_E_NOT_FOUND, NULL},
        {"watch", "", TROUPE_E_BAD_REFERENCE, NULL},
        {"child", "{\"behavior\":\"no-such\"}", TROUPE_E_UNKNOWN_BEHAVIOR, NULL},
        {"report", "", 0,
         "{\"children\":0,\"started\":0,\"ended\":0,\"restarting\":0,\"downs\":0,\"last_cause\":null,\"noops\":6}"},
        {"stop", "", 0, "{}"},
        {"report", "", TROUPE_E_GONE, NULL},
    };

    (void)state;
    CHECK_ROWS(must_spawn("faulty", ""), rows);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_NORMAL);
}

static void test_faulty_floods_until_the_mailbox_is_full(void **state)
{
    troupe_spawn_opts opts = {.behavior = "faulty", .mailbox_messages_max = 10};
    troupe_request request = request_new();
    troupe_ref small;

    (void)state;
    troupe_request_spawn(world.worker, &request, on_done, &opts);
    assert_int_equal(until_done(), 0);
    small = world.outcome.ref;
    assert_int_equal(call(small, "flood", "{\"count\":100}"), 0);
    assert_string_equal(world.outcome.body, "{\"sent\":10,\"refused\":90}");
}

static void test_faulty_hangs_until_its_start_deadline(void **state)
{
    uint64_t start_ns = world.now_ns;

    (void)state;
    assert_int_equal(spawn("faulty", "{\"init\":\"hang\"}"), TROUPE_E_START_TIMEOUT);
    assert_true(world.now_ns - start_ns >= (uint64_t)TROUPE_START_TIMEOUT_MS_DEFAULT * NS_PER_MS);
    advance_ms(1);
    assert_int_equal(world.ended, 1);
}

static void test_faulty_starts_late_and_messages_wait_for_it(void **state)
{
    uint64_t start_ns = world.now_ns;
    troupe_ref faulty = must_spawn("faulty", "{\"init\":\"late\",\"ms\":300}");

    (void)state;
    assert_true(world.now_ns - start_ns >= 300 * (uint64_t)NS_PER_MS);
    assert_int_equal(call(faulty, "spin", "{}"), 0);

    start_ns = world.now_ns;
    assert_int_equal(call(faulty, "child", "{\"name\":\"kid\",\"args\":{\"init\":\"late\",\"ms\":400}}"), 0);
    assert_int_equal(troupe_system_whereis(world.system, troupe_view_of("kid"), &faulty), 0);
    assert_int_equal(call(faulty, "spin", "{}"), 0);
    assert_true(world.now_ns - start_ns >= 400 * (uint64_t)NS_PER_MS);
}

static void test_faulty_restarts_its_children_and_gives_up(void **state)
{
    troupe_ref faulty = must_spawn("faulty", "{\"restarts\":2,\"period_ms\":10000}");
    troupe_ref child = {0};

    (void)state;
    assert_int_equal(call(faulty, "child", "{\"restart\":\"permanent\",\"name\":\"kid\",\"backoff_ms\":50}"), 0);
    for (int i = 0; i < 3; i++) {
        advance_ms(100);
        assert_int_equal(troupe_system_whereis(world.system, troupe_view_of("kid"), &child), 0);
        assert_int_equal(call(child, "fail", "{\"detail\":\"again\"}"), TROUPE_E_ACTOR_FAILED);
        if (i < 2) {
            assert_int_equal(call(faulty, "report", ""), 0);
            assert_reply_has("\"last_cause\":\"failed\"");
        }
    }
    advance_ms(100);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_INTENSITY);
    assert_int_equal(call(faulty, "report", ""), TROUPE_E_GONE);
    assert_int_equal(troupe_system_whereis(world.system, troupe_view_of("kid"), &child), TROUPE_E_NOT_FOUND);
}

static void test_faulty_sees_the_end_of_what_it_watches(void **state)
{
    troupe_ref victim = must_spawn("echo", ""), watcher = must_spawn("faulty", ""), linked = must_spawn("faulty", "");

    (void)state;
    assert_int_equal(call(watcher, "watch", with_ref("{\"to\":\"%s\"}", victim)), 0);
    assert_int_equal(call(linked, "watch", with_ref("{\"to\":\"%s\",\"link\":true}", watcher)), 0);
    assert_int_equal(stop(victim), 0);
    assert_int_equal(call(watcher, "report", ""), 0);
    assert_reply_has("\"downs\":1,\"last_cause\":\"stopped\"");
    assert_int_equal(call(watcher, "fail", ""), TROUPE_E_ACTOR_FAILED);
    advance_ms(1);
    assert_int_equal(call(linked, "report", ""), TROUPE_E_GONE);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_LINKED);
}

/* ---- all ---- */

/* Behaviors that own memory give it back, also when they are killed or fail in init. */
static void test_nothing_is_left_behind(void **state)
{
    troupe_stats before, after;

    (void)state;
    for (int round = 0; round < 3; round++) {
        troupe_ref kv, ticker, relay;

        if (round == 1) /* the first round fills what is kept for reuse */
            troupe_system_stats(world.system, &before);
        kv = must_spawn("kv", "");
        ticker = must_spawn("ticker", with_ref("{\"to\":\"%s\",\"period_ms\":5,\"body\":[1,2,3]}", kv));
        relay = must_spawn("relay", with_ref("{\"to\":\"%s\"}", kv));
        for (int i = 0; i < 100; i++) {
            char body[64];

            snprintf(body, sizeof body, "{\"key\":\"k%d\",\"value\":%d}", i, i);
            assert_int_equal(call(relay, "put", body), 0);
        }
        assert_int_not_equal(spawn("ticker", with_ref("{\"to\":\"%s\",\"body\":[1],\"period_ms\":0}", kv)), 0);
        assert_int_equal(stop(relay), 0);
        assert_int_equal(stop(kv), 0);
        advance_ms(10);
        assert_int_equal(call(ticker, "status", ""), TROUPE_E_GONE);
    }
    troupe_system_stats(world.system, &after);
    assert_int_equal(after.actors, 0);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tables_are_whole),
        TEST(test_echo_gives_back_any_body),
        TEST(test_topic_publishes_what_it_is_sent),
        TEST(test_counter_counts),
        TEST(test_counter_overflow_is_an_application_error),
        TEST(test_counter_takes_casts_and_forgives_bad_ones),
        TEST(test_bad_args_do_not_start),
        TEST(test_kv_keeps_values),
        TEST(test_kv_application_errors_have_code_and_status),
        TEST(test_kv_takes_keys_up_to_255_bytes),
        TEST(test_kv_holds_its_limits),
        TEST(test_kv_pages_give_every_key_once_in_order),
        TEST(test_kv_survives_failing_memory),
        TEST(test_ticker_ticks_at_its_period),
        TEST(test_ticker_pauses),
        TEST(test_ticker_ends_with_its_target),
        TEST(test_ticker_counts_refusals),
        TEST(test_ticker_checks_its_args),
        TEST(test_relay_passes_calls_casts_and_errors),
        TEST(test_relay_keeps_the_application_error_whole),
        TEST(test_relay_survives_a_caller_that_did_not_wait),
        TEST(test_faulty_does_each_fault),
        TEST(test_faulty_floods_until_the_mailbox_is_full),
        TEST(test_faulty_hangs_until_its_start_deadline),
        TEST(test_faulty_starts_late_and_messages_wait_for_it),
        TEST(test_faulty_restarts_its_children_and_gives_up),
        TEST(test_faulty_sees_the_end_of_what_it_watches),
        TEST(test_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
