/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a connection leaves HTTP, without sockets: what a handshake must be (RFC 6455, part 4), where a stream begins,
 * and what becomes of it when the taker cannot take it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/assets.h"
#include "api/guard.h"
#include "api/reply.h"

static const unsigned char page[] = "<p>";
const struct asset assets[] = {{"/index.html", "text/html", "\"tag\"", page, 1, page, 3}};
const unsigned assets_count = 1;

static struct {
    struct api_env env;
    unsigned answers, takeovers, status;
    int refuses;                 /* what take_over returns */
    struct api_takeover to;
    char code[64], field[64], headers[512], content_type[64];
    bool close;
} world;

static void keep_answer(struct api_request *req, const struct api_response *response)
{
    struct text headers;
    (void)req;
    world.answers++;
    world.status = response->status;
    world.close = response->close;
    snprintf(world.content_type, sizeof world.content_type, "%s", response->content_type);
    text_init_fixed(&headers, world.headers, sizeof world.headers);
    for (unsigned i = 0; i < response->headers_count; i++)
        text_printf(&headers, "%s: %s\n", response->headers[i].name, response->headers[i].value);
    json_t *doc = json_loadb(response->body, response->len, 0, NULL);
    const char *code = json_string_value(json_object_get(doc, "code"));
    const char *field = json_string_value(json_object_get(doc, "field"));
    snprintf(world.code, sizeof world.code, "%s", code != NULL ? code : "");
    snprintf(world.field, sizeof world.field, "%s", field != NULL ? field : "");
    json_decref(doc);
}

static int keep_takeover(struct api_request *req, const struct api_takeover *to)
{
    (void)req;
    world.takeovers++;
    world.to = *to;
    return world.refuses;
}

static int no_fd(struct api_request *req)
{
    (void)req;
    return -1;
}

static const struct api_transport transport = {.send = keep_answer, .take_over = keep_takeover, .fd = no_fd};

static int open_world(void **state)
{
    troupe_system_config config = {.workers = 1, .node = 1, .seed = 1};
    static struct api_health health;
    (void)state;
    memset(&world, 0, sizeof world);
    world.env.health = &health;
    atomic_store(&health.phase, API_UP);
    return troupe_system_new(&config, &world.env.system);
}

static int close_world(void **state)
{
    (void)state;
    troupe_system_free(world.env.system);
    return 0;
}

/* Run one request; the caller fills what matters. */
static void run(struct api_request *req, const char *target)
{
    char *copy = strdup(target);
    assert_non_null(copy);
    req->env = &world.env;
    req->transport = &transport;
    req->method = req->method != 0 ? req->method : API_GET;
    req->target = copy;
    req->target_len = strlen(copy);
    req->host = troupe_view_of("127.0.0.1:1");
    world.answers = world.takeovers = world.status = 0;
    if (api_begin(req))
        api_run(req);
    free(copy);
}

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

static struct api_request upgrade_of(const char *version, const char *with_key, const char *protocols)
{
    struct api_request req = {0};
    req.websocket.is_upgrade = true;
    req.websocket.version = troupe_view_of(version);
    req.websocket.key = troupe_view_of(with_key);
    req.websocket.protocols = troupe_view_of(protocols);
    req.websocket.protocol_lines = protocols != NULL ? 1 : 0;
    return req;
}

static void expect_taken(struct api_request req, const char *protocol)
{
    run(&req, "/v1/ws");
    assert_int_equal(world.answers, 0);
    assert_int_equal(world.takeovers, 1);
    assert_int_equal(world.to.kind, API_TO_WEBSOCKET);
    if (protocol == NULL)
        assert_null(world.to.protocol);
    else
        assert_string_equal(world.to.protocol, protocol);
}

static void expect_refused(struct api_request req, unsigned status, const char *code, const char *field)
{
    run(&req, "/v1/ws");
    assert_int_equal(world.takeovers, 0);
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.status, status);
    assert_string_equal(world.code, code);
    assert_string_equal(world.field, field);
}

static void a_handshake_that_is_right_is_handed_over(void **state)
{
    (void)state;
    expect_taken(upgrade_of("13", key, NULL), NULL);
    assert_true(troupe_view_equal(world.to.key, troupe_view_of(key)));
    expect_taken(upgrade_of("13", key, "troupe.v1.json"), "troupe.v1.json");
    expect_taken(upgrade_of("13", key, "chat, \t troupe.v1.json ,"), "troupe.v1.json");
    expect_taken(upgrade_of("13", key, ""), NULL);
    expect_taken(upgrade_of("13", key, "troupe.token.tt_x"), NULL);
    expect_taken(upgrade_of("13", key, "troupe.ticket.tk_x, troupe.v1.json"), "troupe.v1.json");
}

static void a_handshake_with_a_fault_is_refused(void **state)
{
    struct api_request plain = {0}, twice = upgrade_of("13", key, "troupe.v1.json");
    (void)state;
    twice.websocket.protocol_lines = 2;
    expect_refused(plain, 426, "upgrade_required", "");
    assert_non_null(strstr(world.headers, "Sec-WebSocket-Version: 13\n"));
    assert_non_null(strstr(world.headers, "Upgrade: websocket\n"));
    static const char *const versions[] = {"", "8", "12", "130", "013", " 13", NULL};
    for (unsigned i = 0; i < sizeof versions / sizeof versions[0]; i++)
        expect_refused(upgrade_of(versions[i], key, NULL), 426, "upgrade_required", "Sec-WebSocket-Version");
    static const char *const keys[] = {NULL, "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZXM=",
                                       "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j!Q==",
                                       "dGhlIHNhbXBsZSBub25jZQ==dGhl", "dGhlIHNhbXBsZSBub25jZQ==\n"};
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
        expect_refused(upgrade_of("13", keys[i], NULL), 400, "invalid", "Sec-WebSocket-Key");
    static const char *const lists[] = {"chat", "chat, superchat", "troupe.v1.jso", "troupe.v1.json2", "TROUPE.V1.JSON",
                                        "troupe.token.x, chat"};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        expect_refused(upgrade_of("13", key, lists[i]), 400, "invalid", "Sec-WebSocket-Protocol");
    expect_refused(twice, 400, "invalid", "Sec-WebSocket-Protocol");
}

static void what_cannot_be_handed_over_is_answered(void **state)
{
    static const struct {
        int error;
        unsigned status;
        const char *code;
        bool close;
    } rows[] = {
        {TROUPE_E_LIMIT, 429, "limit", false},
        {TROUPE_E_NO_MEMORY, 503, "no_memory", false},
        {TROUPE_E_CONNECTIONS, 503, "too_many_connections", false},
        {TROUPE_E_INTERNAL, 500, "internal", false},
        {TROUPE_E_DRAINING, 503, "draining", false},
        {TROUPE_E_INVALID, 400, "invalid", true}, /* it sent frames already: what comes is not HTTP */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct api_request req = upgrade_of("13", key, NULL);
        world.refuses = rows[i].error;
        run(&req, "/v1/ws");
        assert_int_equal(world.takeovers, 1);
        assert_int_equal(world.answers, 1);
        assert_int_equal(world.status, rows[i].status);
        assert_string_equal(world.code, rows[i].code);
        assert_int_equal(world.close, rows[i].close);
    }
    world.refuses = 0;
}

static void expect_stream(const char *target, const char *last_event_id, enum troupe_from from, uint64_t seq)
{
    struct api_request req = {.last_event_id = troupe_view_of(last_event_id)};
    run(&req, target);
    assert_int_equal(world.answers, 0);
    assert_int_equal(world.takeovers, 1);
    assert_int_equal(world.to.kind, API_TO_EVENTS);
    assert_int_equal(world.to.from, from);
    assert_int_equal(world.to.after.seq, seq);
}

static void expect_no_stream(const char *target, const char *last_event_id, const char *field)
{
    struct api_request req = {.last_event_id = troupe_view_of(last_event_id)};
    run(&req, target);
    assert_int_equal(world.takeovers, 0);
    assert_int_equal(world.status, 400);
    assert_string_equal(world.field, field);
}

static void a_stream_begins_where_it_is_told_to(void **state)
{
    (void)state;
    expect_stream("/v1/events", NULL, TROUPE_FROM_NOW, 0);
    assert_true(world.to.is_cluster);
    expect_stream("/v1/events?from=now", NULL, TROUPE_FROM_NOW, 0);
    expect_stream("/v1/events?from=oldest", NULL, TROUPE_FROM_OLDEST, 0);
    expect_stream("/v1/events?after=0123456789abcdef.5", NULL, TROUPE_FROM_AFTER, 5);
    assert_true(world.to.after.epoch == 0x0123456789abcdefu);
    expect_stream("/v1/events?from=oldest&after=0123456789abcdef.5", "0123456789abcdef.9", TROUPE_FROM_AFTER, 9);
    expect_stream("/v1/events?from=oldest", "", TROUPE_FROM_OLDEST, 0);
    expect_stream("/v1/actors/n.0000000000001.1.1/events", NULL, TROUPE_FROM_NOW, 0);
    assert_false(world.to.is_cluster);
    expect_no_stream("/v1/events?from=then", NULL, "from");
    expect_no_stream("/v1/events?from=", NULL, "from");
    expect_no_stream("/v1/events?after=5", NULL, "after");
    expect_no_stream("/v1/events", "0123456789abcdef.", "Last-Event-ID");
    expect_no_stream("/v1/events", "0123456789ABCDEF.1", "Last-Event-ID");
}

static void head_tells_what_a_stream_would_be(void **state)
{
    struct api_request req = {.method = API_HEAD};
    (void)state;
    run(&req, "/v1/events");
    assert_int_equal(world.takeovers, 0);
    assert_int_equal(world.status, 200);
    assert_string_equal(world.content_type, "text/event-stream");
}

/* ---- what of a head makes an upgrade ---- */

struct field {
    const char *name, *value;
};

static struct guard guard_of(const struct field *fields)
{
    struct guard guard = {0};
    for (; fields->name != NULL; fields++)
        guard_field(&guard, troupe_view_of(fields->name), troupe_view_of(fields->value));
    return guard;
}

static void lists_are_read_token_by_token(void **state)
{
    static const struct {
        const char *connection, *upgrade;
        bool wants_upgrade, wants_websocket;
    } rows[] = {
        {"Upgrade", "websocket", true, true},
        {"keep-alive, uPgRaDe", "WebSocket", true, true},
        {"keep-alive ,\tupgrade\t,close", "h2c, websocket", true, true},
        {"upgraded", "websocket/13", false, false},
        {"no upgrade", "websockets", false, false},
        {"", "", false, false},
        {",,", ",", false, false},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct field fields[] = {
            {"Connection", rows[i].connection}, {"Upgrade", rows[i].upgrade}, {"connection", "keep-alive"},
            {NULL, NULL}};
        struct guard guard = guard_of(fields);
        assert_int_equal(guard.wants_upgrade, rows[i].wants_upgrade);
        assert_int_equal(guard.wants_websocket, rows[i].wants_websocket);
    }
}

static void fields_are_counted_so_that_one_of_two_is_not_taken(void **state)
{
    static const struct field fields[] = {
        {"Sec-WebSocket-Key", "a"}, {"sec-websocket-key", "b"}, {"Sec-WebSocket-Version", "13"},
        {"Sec-WebSocket-Protocol", "x"}, {"Sec-WebSocket-Protocol", "y"}, {"Sec-WebSocket-Extensions", "z"},
        {"Last-Event-ID", "i"}, {"Authorization", "Bearer t"}, {NULL, NULL}};
    static const struct field two_tokens[] = {
        {"Authorization", "Bearer a"}, {"authorization", "Bearer b"}, {NULL, NULL}};
    struct guard guard = guard_of(fields);
    (void)state;
    assert_int_equal(guard.reason, HEAD_FINE);
    assert_int_equal(guard.keys, 2);
    assert_int_equal(guard.versions, 1);
    assert_int_equal(guard.protocol_lines, 2);
    assert_true(troupe_view_equal(guard.version, troupe_view_of("13")));
    assert_true(troupe_view_equal(guard.last_event_id, troupe_view_of("i")));
    assert_true(troupe_view_equal(guard.authorization, troupe_view_of("Bearer t")));
    assert_int_equal(guard_of(two_tokens).reason, HEAD_FIELD_NAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_that_is_right_is_handed_over),
        cmocka_unit_test(a_handshake_with_a_fault_is_refused),
        cmocka_unit_test(what_cannot_be_handed_over_is_answered),
        cmocka_unit_test(a_stream_begins_where_it_is_told_to),
        cmocka_unit_test(head_tells_what_a_stream_would_be),
        cmocka_unit_test(lists_are_read_token_by_token),
        cmocka_unit_test(fields_are_counted_so_that_one_of_two_is_not_taken),
    };
    return cmocka_run_group_tests_name("upgrade", tests, open_world, close_world);
}
