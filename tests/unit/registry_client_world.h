/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of the registry on virtual time whose calls are answered by hand, for one test program: include it once.
 * What the client tells its node is written into world.log. */
#ifndef TROUPE_TESTS_REGISTRY_CLIENT_WORLD_H
#define TROUPE_TESTS_REGISTRY_CLIENT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/client.h"

enum { LEASE_MS = 10000, MARGIN_MS = 2000, CALLS_MAX = 64, CLIENT_BATCH_NAMES = 256 };

static const struct registry_secret secret = {.bytes = "sixteen bytes and a few more", .len = 28};
static const troupe_home self = {0, 5};
static const troupe_ref one = {{0, 5}, 1, 1}, two = {{0, 5}, 2, 1}, stranger = {{0, 6}, 1, 1};
#define A troupe_view_of("a")

struct call {
    uint64_t id;
    char what[200];              /* "PUT /v1/registry/nodes/n.0000000000005" */
    char nonce[AUTH_NONCE_TEXT];
    char body[512];
    unsigned names, held;        /* items of a batch */
    uint32_t timeout_ms;
};

static struct {
    struct registry_client *client;
    uint64_t now_ms;
    struct call calls[CALLS_MAX];
    unsigned count;
    char log[2048];              /* what was told, with ; */
    bool has_no_secret;
} world;

static inline void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void tell(const char *format, ...)
{
    size_t len = strlen(world.log);
    va_list args;
    va_start(args, format);
    vsnprintf(world.log + len, sizeof world.log - len, format, args);
    va_end(args);
}

#define assert_told(text) (assert_string_equal(world.log, text), world.log[0] = '\0')

static inline unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (; text != NULL && (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

static inline void perform(void *user, const struct registry_call *call)
{
    struct call *to = &world.calls[world.count++];
    (void)user;
    assert_true(world.count <= CALLS_MAX);
    *to = (struct call){.id = call->id, .timeout_ms = call->timeout_ms, .names = count_of(call->body, "\"name\":"),
                        .held = count_of(call->body, "\"held\":true")};
    snprintf(to->what, sizeof to->what, "%s %s", call->method, call->target);
    if (call->body != NULL)
        snprintf(to->body, sizeof to->body, "%s", call->body);
    const char *nonce = call->authorization != NULL ? strstr(call->authorization, "nonce=\"") : NULL;
    assert_true((nonce == NULL) == (strcmp(to->what, "GET /v1/registry") == 0));
    if (nonce != NULL)
        snprintf(to->nonce, sizeof to->nonce, "%s", nonce + 7);
}

static inline void forget(unsigned i) { world.calls[i] = world.calls[--world.count]; }

static inline void on_abort(void *user, uint64_t id)
{
    (void)user;
    for (unsigned i = 0; i < world.count; i++) {
        if (world.calls[i].id == id) {
            forget(i);
            return;
        }
    }
    fail_msg("a call is aborted that is not open");
}

static inline bool on_cluster(void *user, const char *cluster, char *words, size_t words_cap)
{
    (void)user;
    tell("cluster %s;", cluster);
    snprintf(words, words_cap, "no secret");
    if (!world.has_no_secret)
        registry_client_set_secret(world.client, &secret);
    return !world.has_no_secret;
}

static inline void on_state(void *user, enum registry_client_state state, const char *words)
{
    static const char *const names[] = {"", "finding", "registering", "joining", "up", "lost", "left", "refused"};
    (void)user;
    tell("%s%s;", names[state], words[0] != '\0' ? "!" : "");
}

static inline void on_event(void *user, const struct registry_event *event)
{
    (void)user;
    tell("%s %llu;", registry_what_word(event->what) + 5, (unsigned long long)event->record->node.low);
}

static inline void on_list(void *user, const struct registry_record *records, unsigned count)
{
    (void)user, (void)records;
    tell("list %u;", count);
}

static inline void on_drain(void *user)
{
    (void)user;
    tell("drain;");
}

static inline void on_name(void *user, uint64_t ticket, int error, troupe_ref ref)
{
    (void)user;
    tell("%llu %s %u;", (unsigned long long)ticket, error == 0 ? "yes" : troupe_error_lookup(error)->code, ref.slot);
}

static inline void on_name_lost(void *user, troupe_view name, troupe_ref ref)
{
    (void)user;
    tell("lost %.*s %u;", (int)name.len, name.ptr, ref.slot);
}

static inline int begin(void **state)
{
    memset(&world, 0, sizeof world);
    world.now_ms = 1000;
    const struct registry_client_config config = {
        .own = {.node = self, .revision = 1, .state = REGISTRY_UP, .protocol_min = 1, .protocol_max = 1, .version = "1",
                .endpoints_count = 1, .endpoints = {{"api", "http", "127.0.0.1", 1, 1}}},
        .seed = 3, .margin_ms = MARGIN_MS, .perform = perform, .abort = on_abort, .on_cluster = on_cluster,
        .on_state = on_state, .on_event = on_event, .on_list = on_list, .on_drain = on_drain, .on_name = on_name,
        .on_name_lost = on_name_lost,
    };
    (void)state;
    return registry_client_new(&config, world.now_ms, &world.client);
}

static inline int end(void **state)
{
    (void)state;
    registry_client_free(world.client);
    assert_int_equal(world.count, 0); /* all that was open was aborted */
    return 0;
}

/* ---- the hand of the registry ---- */

static inline struct call *open_call(const char *what)
{
    for (unsigned i = 0; i < world.count; i++) {
        size_t len = strlen(what);
        char behind = strncmp(world.calls[i].what, what, len) == 0 ? world.calls[i].what[len] : 'x';
        if (behind == '\0' || behind == '?')
            return &world.calls[i];
    }
    return NULL;
}

static inline const struct call *open_name_call(void)
{
    for (unsigned i = 0; i < world.count; i++) {
        if (strstr(world.calls[i].what, "/names") != NULL)
            return &world.calls[i];
    }
    return NULL;
}

static inline struct call take(const char *what)
{
    struct call *call = open_call(what);
    if (call == NULL)
        fail_msg("there is no call %s; the first of %u is %s", what, world.count, world.calls[0].what);
    struct call copy = *call;
    forget((unsigned)(call - world.calls));
    return copy;
}

static inline void answer_as(const char *what, unsigned status, const char *body, bool is_proven)
{
    struct call call = take(what);
    char proof[AUTH_MAC_TEXT] = "";
    if (is_proven && call.nonce[0] != '\0')
        registry_auth_prove(&secret, call.nonce, status, troupe_view_of(body), proof);
    registry_client_on_reply(world.client, call.id, status, troupe_view_of(proof), troupe_view_of(body), world.now_ms);
}

static inline void answer(const char *what, unsigned status, const char *body) { answer_as(what, status, body, true); }

static inline void fail_call(const char *what)
{
    struct call call = take(what);
    registry_client_on_error(world.client, call.id, "refused", world.now_ms);
}

static inline uint64_t tick(void) { return registry_client_tick(world.client, world.now_ms); }

static inline void advance(uint64_t ms)
{
    world.now_ms += ms;
    (void)tick();
}

/* Let time go on, tick by tick, until a call is open. */
static inline void wait_for(const char *what)
{
    for (int i = 0; i < 100 && open_call(what) == NULL; i++) {
        uint64_t delay_ms = tick();
        if (open_call(what) != NULL)
            return;
        assert_true(delay_ms < LEASE_MS);
        world.now_ms += delay_ms;
    }
    assert_non_null(open_call(what));
}

#define FIND "GET /v1/registry"
#define PUT_NODE "PUT /v1/registry/nodes/n.0000000000005"
#define RENEW "POST /v1/registry/nodes/n.0000000000005/renew"
#define LEAVE "DELETE /v1/registry/nodes/n.0000000000005"
#define LIST "GET /v1/registry/nodes"
#define WATCH "GET /v1/registry/watch"
#define BATCH "POST /v1/registry/nodes/n.0000000000005/names"
#define CLAIM_A "PUT /v1/registry/names/a"
#define RELEASE_A "DELETE /v1/registry/names/a"
#define LOOKUP_A "GET /v1/registry/names/a"

#define INFO(epoch) "{\"cluster\":\"c\",\"epoch\":\"" epoch "\",\"time_ms\":5000}"
#define LEASE(epoch, state, words)                                                                                     \
    "{\"epoch\":\"" epoch "\",\"lease_ms\":10000,\"renew_ms\":3000,\"state\":\"" state "\",\"words\":\"" words "\"}"
#define PROBLEM(code) "{\"code\":\"" code "\",\"detail\":\"words\"}"
#define NODE(id, state)                                                                                                \
    "{\"node\":\"n.000000000000" id "\",\"revision\":1,\"state\":\"" state "\",\"protocol\":{\"min\":1,\"max\":1},"    \
    "\"version\":\"1\",\"started_at_ms\":1,\"endpoints\":[{\"purpose\":\"api\",\"scheme\":\"http\",\"host\":\"h\","    \
    "\"port\":1,\"bound_port\":1}]}"
#define MEMBERS(epoch, revision, nodes) "{\"epoch\":\"" epoch "\",\"revision\":" revision ",\"nodes\":[" nodes "]}"
#define EVENTS(revision, events) "{\"epoch\":\"e1\",\"revision\":" revision ",\"events\":[" events "]}"
#define EVENT(revision, what, node) "{\"revision\":" revision ",\"event\":\"node." what "\",\"node\":" node "}"

static inline void be_registered(const char *state)
{
    char lease[200];
    snprintf(lease, sizeof lease, LEASE("e1", "%s", ""), state);
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, lease);
}

static inline void be_up(void)
{
    be_registered("up");
    answer(LIST, 200, MEMBERS("e1", "3", NODE("1", "up") "," NODE("5", "up")));
    world.log[0] = '\0';
}

#define TEST(name) cmocka_unit_test_setup_teardown(name##_test, begin, end)

#endif
