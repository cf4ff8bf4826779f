/* SPDX-License-Identifier: Apache-2.0
 *
 * A session on a real system with one worker on virtual time, with a place of the test's own; include once, after
 * cmocka.h. Every frame that the session writes is held against the tables that the document is made from.
 *
 *     SAY("{'op':'ping','id':1}");                 // single quotes are double ones
 *     HEAR("{'op':'pong','id':1}");                // the next frame, byte for byte
 *     silence();                                   // and there is no other */
#ifndef TROUPE_TESTS_SESSION_WORLD_H
#define TROUPE_TESTS_SESSION_WORLD_H

#pragma GCC diagnostic ignored "-Wunused-function" /* each test uses some of these */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <troupe/behaviors.h>

#include "port/port.h"
#include "route/place.h"
#include "session/frames.h"
#include "session/session.h"

#ifndef SESSION_WORLD_WITHOUT
#define SESSION_WORLD_WITHOUT "" /* a behavior that is left out */
#endif

#define NODE 7u
#define NODE_TEXT "n.0000000000007"

/* How the place answers for names. */
enum place_mode { PLACE_KNOWS = 0, PLACE_ASKS };

static struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    struct api_env env;
    struct api_health health;
    struct session_config config;
    struct session *session;
    /* what the session asked of its driver */
    unsigned wants_write, wants_close, close_code;
    char close_reason[64];
    bool frees_on_write, frees_on_close;
    uint32_t rate_wait_ms;
    /* the place */
    enum place_mode place_mode;
    struct place_request *asked[16]; /* questions that are open */
    char asked_names[16][TROUPE_NAME_BYTES_MAX + 1];
    unsigned asked_count, finds, cancels;
    char heard[1 << 20];
} world;

/* ---- the place ---- */

int place_find_now(struct place *place, troupe_view name, troupe_ref *ret_ref)
{
    (void)place;
    if (world.place_mode == PLACE_ASKS)
        return TROUPE_E_STATE;
    return troupe_system_whereis(world.system, name, ret_ref);
}

void place_find(struct place *place, troupe_worker *worker, struct place_request *request, place_fn done,
                troupe_view name)
{
    (void)place, (void)worker;
    assert_true(world.asked_count < 16);
    request->done = done;
    snprintf(world.asked_names[world.asked_count], sizeof world.asked_names[0], "%.*s", (int)name.len, name.ptr);
    world.asked[world.asked_count++] = request;
    world.finds++;
}

static void place_spawned(troupe_request *core, const troupe_answer *answer)
{
    struct place_request *request = core->user;
    core->user = request->user;
    request->spawned(core, answer);
}

void place_spawn(struct place *place, troupe_worker *worker, struct place_request *request, troupe_request *core,
                 troupe_request_fn spawned, const troupe_spawn_opts *opts)
{
    (void)place;
    request->spawned = spawned;
    request->core = core;
    core->user = request;
    troupe_request_spawn(worker, core, place_spawned, opts);
}

void place_cancel(struct place_request *request)
{
    world.cancels++;
    for (unsigned i = 0; i < world.asked_count; i++) {
        if (world.asked[i] == request)
            world.asked[i] = NULL;
    }
    if (request->core != NULL)
        troupe_request_cancel(request->core);
}

void place_tell_home(struct place *place, troupe_home home, char *text, size_t cap)
{
    (void)place;
    snprintf(text, cap, "%s", home.low == 9 ? "it lives on http://127.0.0.1:9" : "");
}

/* Answer the i-th question that was asked. */
static void answer_question(unsigned i, int error, troupe_ref ref)
{
    struct place_request *request = world.asked[i];
    assert_non_null(request);
    world.asked[i] = NULL;
    request->done(request, error, ref);
}

/* ---- the driver ---- */

static void session_gone(void)
{
    session_free(world.session);
    world.session = NULL;
}

static void on_wants_write(void *user)
{
    (void)user;
    world.wants_write++;
    if (world.frees_on_write)
        session_gone();
}

static void on_wants_close(void *user, unsigned code, const char *reason)
{
    (void)user;
    world.wants_close++;
    world.close_code = code;
    snprintf(world.close_reason, sizeof world.close_reason, "%s", reason);
    if (world.frees_on_close)
        session_gone();
}

static uint32_t take_address_rate(void *user, uint64_t now_ms)
{
    (void)user, (void)now_ms;
    return world.rate_wait_ms;
}

static void open_session(void)
{
    assert_int_equal(session_new(&world.config, world.now_ns / 1000000, &world.session), 0);
}

static void open_world(void)
{
    troupe_system_config config = {.node = NODE, .seed = 1, .workers = 1};
    const troupe_behavior *behavior;
    memset(&world, 0, sizeof world);
    world.now_ns = 1000000000;
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    for (unsigned i = 0; (behavior = troupe_behaviors_at(i)) != NULL; i++) {
        if (strcmp(behavior->name, SESSION_WORLD_WITHOUT) != 0)
            assert_int_equal(troupe_system_add_behavior(world.system, behavior), 0);
    }
    world.worker = troupe_system_worker(world.system, 0);
    troupe_worker_set_now(world.worker, world.now_ns);
    assert_int_equal(troupe_topic_new(world.system, &world.env.events), 0);
    world.env.system = world.system;
    world.env.version = "0.0.0";
    world.env.health = &world.health;
    world.env.body_max = 65536;
    snprintf(world.env.node, sizeof world.env.node, NODE_TEXT);
    snprintf(world.env.cluster, sizeof world.env.cluster, "test");
    world.config = (struct session_config){
        .env = &world.env, .worker = world.worker, .peer = "127.0.0.1:5", .frame_bytes_max = 65536 + 4096,
        .queue_bytes_max = 1 << 20, .home = {1, 2}, .wants_write = on_wants_write, .wants_close = on_wants_close,
    };
    open_session();
}

static void close_world(void)
{
    troupe__port_fail_after(0);
    session_gone();
    troupe_topic_drop(world.env.events);
    troupe_system_free(world.system);
}

static int setup(void **state)
{
    (void)state;
    open_world();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_world();
    return 0;
}

/* Let time go by, from deadline to deadline. */
static void pass_ms(uint64_t ms)
{
    uint64_t until_ns = world.now_ns + ms * 1000000;
    for (;;) {
        uint64_t delay_ns = troupe_worker_poll(world.worker, world.now_ns, 100);
        if (delay_ns > until_ns - world.now_ns)
            break;
        world.now_ns += delay_ns;
    }
    world.now_ns = until_ns;
}

/* ---- frames ---- */

static char *unquote(char *text)
{
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at;
    return text;
}

static void say_bytes(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1); /* of exactly this size, for the sanitizer */
    assert_non_null(copy);
    memcpy(copy, text, len);
    session_on_text(world.session, copy, len, world.now_ns / 1000000);
    free(copy);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    static char text[1 << 18];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(len, 1, sizeof text - 1);
    unquote(text);
    say_bytes(text, (size_t)len);
}

/* Say it and let all that follows from it happen. */
#define SAY(...) (say(__VA_ARGS__), pass_ms(0))

static bool has_bit(uint64_t bits, const char *name)
{
    for (unsigned i = 0; i < FRAME_MEMBERS; i++) {
        if (strcmp(frame_members[i].name, name) == 0)
            return (bits & FRAME_BIT(i)) != 0;
    }
    return false;
}

/* The frame is one of the server's by the table: its members are known to it, those that must be there are, and each
 * is what its row says. */
static void check_against_table(const char *text, size_t len)
{
    json_t *doc = json_loadb(text, len, JSON_ALLOW_NUL, NULL), *value;
    const char *op = json_string_value(json_object_get(doc, "op")), *name;
    const struct frame_op_row *row = NULL;
    assert_non_null(op);
    for (unsigned i = OP_SERVERS; i < FRAME_OPS; i++)
        row = strcmp(frame_ops[i].name, op) == 0 ? &frame_ops[i] : row;
    assert_non_null(row);
    for (unsigned i = 0; i < FRAME_MEMBERS; i++) {
        const struct frame_member_row *member = &frame_members[i];
        value = json_object_get(doc, member->name);
        assert_true(value != NULL || (row->required & FRAME_BIT(i)) == 0);
        if (value == NULL)
            continue;
        size_t size = json_string_length(value);
        uint64_t number = (uint64_t)json_integer_value(value);
        if (member->type == FRAME_TYPE_TEXT)
            assert_true(json_is_string(value) && size >= member->min && size <= member->max);
        else if (member->type == FRAME_TYPE_UINT)
            assert_true(json_is_integer(value) && number >= member->min && number <= member->max);
    }
    json_object_foreach(doc, name, value)
        assert_true(strcmp(name, "op") == 0 || has_bit(row->required | row->optional, name));
    json_decref(doc);
}

/* Take the next frame; "" when there is none. */
static const char *hear(void)
{
    char *frame;
    size_t len;
    world.heard[0] = '\0';
    if (world.session == NULL || !session_peek(world.session, &frame, &len))
        return world.heard;
    memset(frame - SESSION_HEADROOM, 0xee, SESSION_HEADROOM); /* it is the driver's */
    assert_true(len < sizeof world.heard);
    memcpy(world.heard, frame, len);
    world.heard[len] = '\0';
    check_against_table(frame, len);
    session_pop(world.session);
    return world.heard;
}

static void expect(const char *want)
{
    char text[4096];
    snprintf(text, sizeof text, "%s", want);
    assert_string_equal(hear(), unquote(text));
}

#define HEAR(want) expect(want)

/* The next frame is an error with this id (as written, or NULL), code, field (or NULL) and words in its detail. */
static void expect_error(const char *op, const char *id, const char *code, const char *field, const char *words)
{
    json_t *doc = json_loads(hear(), 0, NULL);
    char *got = json_dumps(json_object_get(doc, "id"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    const char *detail = json_string_value(json_object_get(doc, "detail"));
    const char *got_field = json_string_value(json_object_get(doc, "field"));
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "op")), op);
    assert_string_equal(got != NULL ? got : "none", id != NULL ? id : "none");
    assert_string_equal(json_string_value(json_object_get(doc, "code")), code);
    assert_string_equal(got_field != NULL ? got_field : "none", field != NULL ? field : "none");
    assert_non_null(detail);
    if (words != NULL && strstr(detail, words) == NULL)
        assert_string_equal(detail, words);
    free(got);
    json_decref(doc);
}

#define HEAR_ERROR(id, code, field, words) expect_error("error", id, code, field, words)

static void silence(void) { assert_string_equal(hear(), ""); }

/* Spawn by a frame; the ref's text lives until the next spawn. */
static const char *spawn_actor(const char *behavior, const char *name, const char *args)
{
    static char ref[TROUPE_REF_TEXT_MAX];
    SAY("{'op':'spawn','id':'spawn','behavior':'%s'%s%s%s,'args':%s}", behavior, name != NULL ? ",'name':'" : "",
        name != NULL ? name : "", name != NULL ? "'" : "", args != NULL ? args : "{}");
    json_t *doc = json_loads(hear(), 0, NULL);
    const char *text = json_string_value(json_object_get(json_object_get(doc, "body"), "ref"));
    if (text == NULL)
        fail_msg("%s", world.heard);
    snprintf(ref, sizeof ref, "%s", text);
    json_decref(doc);
    return ref;
}

static troupe_ref ref_of(const char *text)
{
    troupe_ref ref;
    assert_int_equal(troupe_ref_parse(text, strlen(text), &ref), 0);
    return ref;
}

static void expect_close(unsigned code)
{
    assert_int_equal(world.wants_close, 1);
    assert_int_equal(world.close_code, code);
}

#endif
