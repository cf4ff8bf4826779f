/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the registry: each (phase, event) of its table, the lease, the names, the member list. Calls are
 * answered by hand, on virtual time. */
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

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
    size_t len = strlen(world.log);
    va_list args;
    va_start(args, format);
    vsnprintf(world.log + len, sizeof world.log - len, format, args);
    va_end(args);
}

#define assert_told(text) (assert_string_equal(world.log, text), world.log[0] = '\0')

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (; text != NULL && (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

static void perform(void *user, const struct registry_call *call)
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

static void forget(unsigned i) { world.calls[i] = world.calls[--world.count]; }

static void on_abort(void *user, uint64_t id)
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

static bool on_cluster(void *user, const char *cluster, char *words, size_t words_cap)
{
    (void)user;
    tell("cluster %s;", cluster);
    snprintf(words, words_cap, "no secret");
    if (!world.has_no_secret)
        registry_client_set_secret(world.client, &secret);
    return !world.has_no_secret;
}

static void on_state(void *user, enum registry_client_state state, const char *words)
{
    static const char *const names[] = {"", "finding", "registering", "joining", "up", "lost", "left", "refused"};
    (void)user;
    tell("%s%s;", names[state], words[0] != '\0' ? "!" : "");
}

static void on_event(void *user, const struct registry_event *event)
{
    (void)user;
    tell("%s %llu;", registry_what_word(event->what) + 5, (unsigned long long)event->record->node.low);
}

static void on_list(void *user, const struct registry_record *records, unsigned count)
{
    (void)user, (void)records;
    tell("list %u;", count);
}

static void on_drain(void *user)
{
    (void)user;
    tell("drain;");
}

static void on_name(void *user, uint64_t ticket, int error, troupe_ref ref)
{
    (void)user;
    tell("%llu %s %u;", (unsigned long long)ticket, error == 0 ? "yes" : troupe_error_lookup(error)->code, ref.slot);
}

static void on_name_lost(void *user, troupe_view name, troupe_ref ref)
{
    (void)user;
    tell("lost %.*s %u;", (int)name.len, name.ptr, ref.slot);
}

static int begin(void **state)
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

static int end(void **state)
{
    (void)state;
    registry_client_free(world.client);
    assert_int_equal(world.count, 0); /* all that was open was aborted */
    return 0;
}

/* ---- the hand of the registry ---- */

static struct call *open_call(const char *what)
{
    for (unsigned i = 0; i < world.count; i++) {
        size_t len = strlen(what);
        char behind = strncmp(world.calls[i].what, what, len) == 0 ? world.calls[i].what[len] : 'x';
        if (behind == '\0' || behind == '?')
            return &world.calls[i];
    }
    return NULL;
}

static const struct call *open_name_call(void)
{
    for (unsigned i = 0; i < world.count; i++) {
        if (strstr(world.calls[i].what, "/names") != NULL)
            return &world.calls[i];
    }
    return NULL;
}

static struct call take(const char *what)
{
    struct call *call = open_call(what);
    if (call == NULL)
        fail_msg("there is no call %s; the first of %u is %s", what, world.count, world.calls[0].what);
    struct call copy = *call;
    forget((unsigned)(call - world.calls));
    return copy;
}

static void answer_as(const char *what, unsigned status, const char *body, bool is_proven)
{
    struct call call = take(what);
    char proof[AUTH_MAC_TEXT] = "";
    if (is_proven && call.nonce[0] != '\0')
        registry_auth_prove(&secret, call.nonce, status, troupe_view_of(body), proof);
    registry_client_on_reply(world.client, call.id, status, troupe_view_of(proof), troupe_view_of(body), world.now_ms);
}

static void answer(const char *what, unsigned status, const char *body) { answer_as(what, status, body, true); }

static void fail_call(const char *what)
{
    struct call call = take(what);
    registry_client_on_error(world.client, call.id, "refused", world.now_ms);
}

static uint64_t tick(void) { return registry_client_tick(world.client, world.now_ms); }

static void advance(uint64_t ms)
{
    world.now_ms += ms;
    (void)tick();
}

/* Let time go on, tick by tick, until a call is open. */
static void wait_for(const char *what)
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
    "{\"node\":\"n.000000000000" id "\",\"revision\":1,\"state\":\"" state "\",\"protocol\":{\"min\":1,\"max\":1},"        \
    "\"version\":\"1\",\"started_at_ms\":1,\"endpoints\":[{\"purpose\":\"api\",\"scheme\":\"http\",\"host\":\"h\","        \
    "\"port\":1,\"bound_port\":1}]}"
#define MEMBERS(epoch, revision, nodes) "{\"epoch\":\"" epoch "\",\"revision\":" revision ",\"nodes\":[" nodes "]}"
#define EVENTS(revision, events) "{\"epoch\":\"e1\",\"revision\":" revision ",\"events\":[" events "]}"
#define EVENT(revision, what, node) "{\"revision\":" revision ",\"event\":\"node." what "\",\"node\":" node "}"

static void be_registered(const char *state)
{
    char lease[200];
    snprintf(lease, sizeof lease, LEASE("e1", "%s", ""), state);
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, lease);
}

static void be_up(void)
{
    be_registered("up");
    answer(LIST, 200, MEMBERS("e1", "3", NODE("1", "up") "," NODE("5", "up")));
    world.log[0] = '\0';
}

/* ---- finding, registering ---- */

static void a_node_joins_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    assert_told("cluster c;registering;");
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":1"));
    answer(PUT_NODE, 200, LEASE("e1", "joining", ""));
    assert_told("joining;");
    wait_for(RENEW);
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
    answer(LIST, 200, MEMBERS("e1", "3", NODE("1", "up") "," NODE("5", "up")));
    assert_told("list 2;");
    assert_non_null(strstr(open_call(WATCH)->what, "revision=3&wait=10s"));
}

static void finding_is_tried_again_with_backoff_test(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
    } bad[] = {
        {0, NULL}, {200, "{}"}, {200, "[]"}, {200, "x"}, {200, "{\"cluster\":\"c\",\"epoch\":\"e\",\"time_ms\":0}"},
        {200, "{\"cluster\":\"0123456789012345\",\"epoch\":\"e\",\"time_ms\":1}"}, {404, ""}, {409, PROBLEM("wrong_cluster")},
        {503, ""},
    };
    uint64_t sum_ms = 0;
    (void)state;
    (void)tick();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bad[i].status == 0)
            fail_call(FIND);
        else
            answer(FIND, bad[i].status, bad[i].body);
        assert_int_equal(world.count, 0);
        uint64_t delay_ms = tick();
        assert_true(delay_ms >= 25 && delay_ms <= 2000);
        sum_ms += delay_ms;
        world.now_ms += delay_ms;
        (void)tick();
    }
    assert_true(sum_ms > 2000); /* it grows */
    answer(FIND, 200, INFO("e1"));
    assert_non_null(open_call(PUT_NODE));
}

static void a_node_without_the_secret_is_refused_test(void **state)
{
    (void)state;
    world.has_no_secret = true;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    assert_told("cluster c;refused!;");
    assert_int_equal(tick(), UINT64_MAX);
}

static void what_does_not_prove_the_secret_is_no_registry_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer_as(PUT_NODE, 200, LEASE("e1", "up", ""), false);
    assert_told("cluster c;registering;finding!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer_as(PUT_NODE, 410, PROBLEM("not_member"), false); /* a verdict of a stranger counts no more */
    assert_told("registering!;finding!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 401, PROBLEM("unauthorized"));
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e0", "up", "")); /* proven, and of another epoch than was found */
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 429, PROBLEM("limit"));
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    fail_call(PUT_NODE);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_proven_no_is_final_test(void **state)
{
    static const unsigned statuses[] = {400, 409, 410, 422};
    (void)state;
    for (int i = 0; i < 4; i++) {
        (void)tick();
        answer(FIND, 200, INFO("e1"));
        answer(PUT_NODE, statuses[i], PROBLEM("invalid"));
        assert_told("cluster c;registering;refused!;");
        assert_int_equal(tick(), UINT64_MAX);
        assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
        registry_client_leave(world.client, world.now_ms);
        assert_told("");
        assert_int_equal(end(NULL) + begin(NULL), 0);
    }
}

/* A port that is reused: the registry's address belongs to another cluster now. */
static void the_registrys_port_belongs_to_another_cluster_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer_as(RENEW, 401, PROBLEM("unauthorized"), false);
    answer(FIND, 200, "{\"cluster\":\"d\",\"epoch\":\"e1\",\"time_ms\":5000}");
    assert_told("up!;up!;");
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
}

/* ---- member ---- */

static void renewals_are_tried_again_then_the_registry_is_looked_for_test(void **state)
{
    (void)state;
    be_up();
    uint64_t before_ms = world.now_ms;
    wait_for(RENEW);
    assert_true(world.now_ms - before_ms > 2500 && world.now_ms - before_ms <= 3000);
    fail_call(RENEW);
    wait_for(RENEW);
    fail_call(RENEW);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    answer(RENEW, 200, LEASE("e1", "up", "")); /* the same epoch: no need to register */
    assert_told("up!;up;");
}

static void a_lease_that_is_over_is_final_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer(RENEW, 410, PROBLEM("not_member"));
    assert_told("refused!;");
    assert_int_equal(tick(), UINT64_MAX);
}

static void names_are_given_up_before_the_lease_ends_test(void **state)
{
    (void)state;
    be_up();
    uint64_t sent_ms = world.now_ms;
    assert_int_equal(registry_client_named(world.client, A, one, true, world.now_ms), 0);
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, world.now_ms));
    assert_int_equal(registry_client_find(world.client, 7, A, world.now_ms), 0);
    while (world.now_ms < sent_ms + LEASE_MS - MARGIN_MS) {
        assert_true(registry_client_holds(world.client, A, one, world.now_ms));
        if (open_call(RENEW) != NULL)
            fail_call(RENEW);
        if (open_call(FIND) != NULL)
            fail_call(FIND);
        uint64_t delay_ms = tick(), left_ms = sent_ms + LEASE_MS - MARGIN_MS - world.now_ms;
        world.now_ms += delay_ms < left_ms ? delay_ms : left_ms;
    }
    assert_false(registry_client_holds(world.client, A, one, world.now_ms)); /* also before anybody ticks */
    world.log[0] = '\0';
    (void)tick();
    assert_told("lost a 1;lost!;");
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(registry_client_find(world.client, 1, A, world.now_ms), TROUPE_E_REGISTRY_LOST);
    if (open_call(FIND) == NULL)
        wait_for(FIND);
    answer(FIND, 200, INFO("e1")); /* found again, within the lease: what was given up is given back */
    answer(RENEW, 200, LEASE("e1", "up", ""));
    assert_told("up;");
    assert_non_null(open_call(RELEASE_A));
}

/* A process that was stopped is asked before it has looked at the time. */
static void a_node_that_slept_through_its_lease_answers_nothing_from_memory_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_named(world.client, A, one, true, world.now_ms), 0);
    answer(CLAIM_A, 200, "{}");
    assert_in_range(registry_client_names_until_ms(world.client), world.now_ms, world.now_ms + LEASE_MS - MARGIN_MS);
    world.now_ms += LEASE_MS;
    assert_in_range(registry_client_names_until_ms(world.client), 0, world.now_ms - 1);
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_told("lost a 1;lost!;");
    assert_int_equal(registry_client_find(world.client, 2, A, world.now_ms), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(registry_client_names_until_ms(world.client), 0);
}

static void the_lease_counts_from_when_the_renewal_was_sent_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    uint64_t sent_ms = world.now_ms;
    world.now_ms += 1500; /* the answer takes its time */
    answer(RENEW, 200, LEASE("e1", "up", ""));
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, sent_ms + LEASE_MS - MARGIN_MS - 1));
    assert_false(registry_client_holds(world.client, A, one, sent_ms + LEASE_MS - MARGIN_MS));
}

static void a_call_that_the_driver_forgets_is_ended_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    uint32_t timeout_ms = open_call(RENEW)->timeout_ms;
    uint64_t id = open_call(RENEW)->id;
    advance(timeout_ms + 1000);
    assert_true(open_call(RENEW) == NULL || open_call(RENEW)->id != id); /* aborted, and perhaps made again */
    registry_client_on_error(world.client, id, "late", world.now_ms);
    registry_client_on_reply(world.client, id, 410, A, A, world.now_ms);
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_record_that_is_not_found_good_is_sent_again_test(void **state)
{
    (void)state;
    (void)tick();
    answer(FIND, 200, INFO("e1"));
    answer(PUT_NODE, 200, LEASE("e1", "joining", "nobody answers at 127.0.0.1:1"));
    assert_told("cluster c;registering;joining!;");
    wait_for(PUT_NODE);
    fail_call(PUT_NODE);
    wait_for(FIND);
    answer(FIND, 200, INFO("e1"));
    wait_for(PUT_NODE);
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

static void a_new_record_is_told_until_it_is_known_test(void **state)
{
    struct registry_record record = {.node = self, .revision = 2, .state = REGISTRY_UP, .protocol_min = 1,
                                     .protocol_max = 1, .version = "1"};
    (void)state;
    be_up();
    assert_int_equal(registry_client_set_own(world.client, &record, world.now_ms), 0);
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":2"));
    record.revision = 3;
    assert_int_equal(registry_client_set_own(world.client, &record, world.now_ms), 0);
    answer(PUT_NODE, 200, LEASE("e1", "up", ""));
    assert_non_null(strstr(open_call(PUT_NODE)->body, "\"revision\":3"));
    answer(PUT_NODE, 422, PROBLEM("schema")); /* a member stays one, with the record before */
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
    wait_for(PUT_NODE);
    answer(PUT_NODE, 410, PROBLEM("not_member"));
    assert_int_equal(registry_client_state_of(world.client), CLIENT_REFUSED);
}

static void draining_is_told_and_asked_for_once_test(void **state)
{
    (void)state;
    be_up();
    wait_for(RENEW);
    answer(RENEW, 200, "{\"state\":\"up\",\"drain\":true,\"words\":\"\"}");
    wait_for(RENEW);
    answer(RENEW, 200, "{\"state\":\"up\",\"drain\":true,\"words\":\"\"}");
    assert_told("drain;");
    registry_client_drain(world.client, world.now_ms);
    registry_client_drain(world.client, world.now_ms);
    assert_non_null(strstr(open_call(RENEW)->body, "draining")); /* at once */
    answer(RENEW, 200, "{\"state\":\"draining\",\"words\":\"\"}");
    registry_client_ask_drain(world.client, stranger.home, world.now_ms);
    registry_client_ask_drain(world.client, stranger.home, world.now_ms);
    fail_call("POST /v1/registry/nodes/n.0000000000006/drain");
    wait_for("POST /v1/registry/nodes/n.0000000000006/drain");
    answer("POST /v1/registry/nodes/n.0000000000006/drain", 204, "");
    (void)tick();
    assert_null(open_call("POST /v1/registry/nodes/n.0000000000006/drain"));
}

/* ---- leaving ---- */

static void leaving_is_told_and_does_not_wait_for_ever_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    registry_client_leave(world.client, world.now_ms);
    registry_client_leave(world.client, world.now_ms);
    assert_int_equal(world.count, 1);
    assert_told("lost a 1;");
    fail_call(LEAVE);
    wait_for(LEAVE);
    answer(LEAVE, 204, "");
    assert_told("left;");
    assert_int_equal(tick(), UINT64_MAX);
    assert_int_equal(end(NULL) + begin(NULL), 0);
    be_up();
    registry_client_leave(world.client, world.now_ms);
    advance(2000);
    assert_told("left;");
    assert_int_equal(end(NULL) + begin(NULL), 0);
    (void)tick();
    registry_client_leave(world.client, world.now_ms); /* never was a member */
    assert_told("left;");
}

/* ---- a registry that was restarted ---- */

static void a_restart_of_the_registry_is_not_noticed_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    answer(RENEW, 401, PROBLEM("unauthorized"));
    answer(FIND, 200, INFO("e2")); /* at once */
    assert_non_null(open_call(PUT_NODE));
    assert_true(registry_client_holds(world.client, A, one, world.now_ms)); /* by the old lease */
    answer(PUT_NODE, 200, LEASE("e2", "joining", ""));
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"held\":true"));
    answer(CLAIM_A, 200, "{}");
    assert_true(registry_client_holds(world.client, A, one, world.now_ms));
    answer(LIST, 200, MEMBERS("e2", "2", NODE("7", "up") "," NODE("5", "joining")));
    assert_told("up!;up;up 7;");
    advance(0);
    wait_for(RENEW);
    answer(RENEW, 200, LEASE("e2", "up", ""));
    assert_told("");
    for (int i = 0; i < 4; i++) { /* who is not there after a lease is down */
        wait_for(RENEW);
        answer(RENEW, 200, LEASE("e2", "up", ""));
    }
    assert_told("down 1;");
}

static void a_name_that_is_not_confirmed_again_is_lost_with_the_old_lease_test(void **state)
{
    (void)state;
    be_up();
    uint64_t sent_ms = world.now_ms;
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    answer(RENEW, 412, PROBLEM("wrong_epoch"));
    answer(FIND, 200, INFO("e2"));
    answer(PUT_NODE, 200, LEASE("e2", "up", ""));
    world.log[0] = '\0';
    while (world.now_ms < sent_ms + LEASE_MS - MARGIN_MS) {
        if (open_call(CLAIM_A) != NULL)
            fail_call(CLAIM_A);
        if (open_call(RENEW) != NULL)
            answer(RENEW, 200, LEASE("e2", "up", ""));
        uint64_t delay_ms = tick(), left_ms = sent_ms + LEASE_MS - MARGIN_MS - world.now_ms;
        world.now_ms += delay_ms < left_ms ? delay_ms : left_ms;
    }
    assert_false(registry_client_holds(world.client, A, one, world.now_ms));
    (void)tick();
    assert_told("lost a 1;");
    assert_int_equal(registry_client_state_of(world.client), CLIENT_UP);
}

/* ---- names ---- */

static void a_spawn_reserves_then_claims_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    assert_null(strstr(open_call(CLAIM_A)->body, "\"ref\""));
    answer(CLAIM_A, 200, "{}");
    assert_told("1 yes 0;");
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    assert_int_equal(registry_client_claim(world.client, 2, A, one, world.now_ms), 0);
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"ref\":\"n.0000000000005.1.1\""));
    answer(CLAIM_A, 200, "{}");
    wait_for(RENEW);
    assert_told("2 yes 1;");
    assert_null(open_call(CLAIM_A));
    assert_int_equal(registry_client_claim(world.client, 3, A, two, world.now_ms), 0); /* known without asking */
    assert_told("3 name_taken 1;");
    (void)registry_client_named(world.client, A, two, false, world.now_ms); /* not the holder: nothing */
    assert_null(open_call(RELEASE_A));
    (void)registry_client_named(world.client, A, one, false, world.now_ms);
    assert_non_null(strstr(open_call(RELEASE_A)->what, "?ref=n.0000000000005.1.1&seq="));
    answer(RELEASE_A, 204, "");
    assert_false(registry_client_holds(world.client, A, one, world.now_ms));
}

static void a_name_of_another_is_refused_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms); /* taken inside a turn */
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\",\"actor\":\"n.0000000000006.1.1\"}");
    assert_told("lost a 1;");
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\"}"); /* reserved */
    assert_told("1 name_taken 0;");
    assert_int_equal(registry_client_claim(world.client, 2, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 503, PROBLEM("registry_lost"));
    assert_told("2 registry_lost 0;");
    assert_int_equal(registry_client_claim(world.client, 3, A, (troupe_ref){0}, world.now_ms), 0);
    wait_for(CLAIM_A);
    answer(CLAIM_A, 429, PROBLEM("limit"));
    assert_told("3 limit 0;");
}

/* The registry has what nobody here holds any more: it is released by identity, and asked for again. */
static void a_name_that_was_left_behind_is_released_test(void **state)
{
    (void)state;
    be_up();
    assert_int_equal(registry_client_claim(world.client, 1, A, (troupe_ref){0}, world.now_ms), 0);
    answer(CLAIM_A, 409, "{\"code\":\"name_taken\",\"actor\":\"n.0000000000005.9.1\"}");
    assert_non_null(strstr(open_call(RELEASE_A)->what, "ref=n.0000000000005.9.1"));
    answer(RELEASE_A, 404, PROBLEM("not_found"));
    answer(CLAIM_A, 200, "{}");
    assert_told("1 yes 0;");
}

static void a_call_without_answer_is_made_again_above_its_floor_test(void **state)
{
    (void)state;
    be_up();
    (void)registry_client_named(world.client, A, one, true, world.now_ms);
    assert_non_null(strstr(open_call(CLAIM_A)->body, "\"seq\":1,\"floor\":1"));
    fail_call(CLAIM_A);
    (void)registry_client_named(world.client, A, one, false, world.now_ms);
    wait_for(RELEASE_A);
    assert_non_null(strstr(open_call(RELEASE_A)->what, "seq=2&floor=2"));
    answer_as(RELEASE_A, 204, "", false);
    wait_for(RELEASE_A);
    answer(RELEASE_A, 503, PROBLEM("no_memory"));
    wait_for(RELEASE_A);
    answer(RELEASE_A, 401, PROBLEM("replayed"));
    wait_for(RELEASE_A);
    answer(RELEASE_A, 204, "");
    assert_told("");
    (void)tick();
    assert_null(open_call(RELEASE_A));
}

static void finds_are_answered_in_every_case_test(void **state)
{
    static const struct {
        unsigned status;
        const char *body, *told;
        bool is_proven;
    } cases[] = {
        {200, "{\"name\":\"a\",\"ref\":\"n.0000000000006.1.1\"}", "1 yes 1;", true},
        {404, PROBLEM("not_found"), "1 not_found 0;", true},
        {503, PROBLEM("registry_lost"), "1 registry_lost 0;", true},
        {200, "{\"name\":\"a\",\"ref\":\"n.0000000000006.1.1\"}", "1 registry_lost 0;", false},
        {200, "{\"ref\":\"x\"}", "1 registry_lost 0;", true},
        {410, PROBLEM("not_member"), "1 registry_lost 0;", true},
    };
    (void)state;
    be_up();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(registry_client_find(world.client, 1, A, world.now_ms), 0);
        answer_as(LOOKUP_A, cases[i].status, cases[i].body, cases[i].is_proven);
        assert_told(cases[i].told);
    }
}

static void a_question_is_answered_by_its_deadline_test(void **state)
{
    (void)state;
    (void)tick();
    assert_int_equal(registry_client_claim(world.client, 1, A, one, world.now_ms), 0); /* before the registry is found */
    assert_int_equal(registry_client_find(world.client, 2, A, world.now_ms), 0);
    advance(4999);
    world.log[0] = '\0';
    advance(1);
    assert_told("1 registry_lost 0;2 registry_lost 0;");
    assert_int_equal(registry_client_find(world.client, 3, (troupe_view){"", 0}, world.now_ms), TROUPE_E_INVALID);
    for (unsigned i = 0; i < CLIENT_NAME_QUEUE_MAX; i++)
        assert_int_equal(registry_client_find(world.client, 4, A, world.now_ms), 0);
    assert_int_equal(registry_client_find(world.client, 4, A, world.now_ms), TROUPE_E_LIMIT);
    world.log[0] = '\0';
}

static void name_calls_are_at_most_so_many_and_one_for_each_name_test(void **state)
{
    (void)state;
    be_up();
    unsigned before = world.count;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(registry_client_claim(world.client, i, A, (troupe_ref){0}, world.now_ms), 0);
    assert_int_equal(world.count, before + 1);
    for (uint64_t i = 3; i < 40; i++)
        assert_int_equal(registry_client_find(world.client, i, A, world.now_ms), 0);
    assert_int_equal(world.count, before + CLIENT_NAME_CALLS_MAX);
    int claims = 0;
    for (int i = 0; i < 40; i++) {
        bool is_claim = open_call(CLAIM_A) != NULL;
        answer(is_claim ? CLAIM_A : LOOKUP_A, is_claim ? 200 : 404, is_claim ? "{}" : PROBLEM("not_found"));
        claims += is_claim;
        assert_true(i < 8 || claims == 3); /* neither kind starves the other */
    }
    assert_int_equal(world.count, before);
}

/* Actors of this node take names so quickly that those behind the first four go together. */
static void take_names(const char *names)
{
    for (; *names != '\0'; names++)
        assert_int_equal(registry_client_named(world.client, (troupe_view){names, 1}, one, true, world.now_ms), 0);
}

#define CLAIM_B "PUT /v1/registry/names/b"
#define CLAIM_C "PUT /v1/registry/names/c"
#define CLAIM_D "PUT /v1/registry/names/d"

static bool holds(char name) { return registry_client_holds(world.client, (troupe_view){&name, 1}, one, world.now_ms); }

static void a_batch_tells_which_names_are_refused_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    assert_null(open_call(BATCH));
    answer(CLAIM_A, 200, "{}");
    assert_int_equal(open_call(BATCH)->names, 4);
    answer(BATCH, 200, "{\"refused\":[{\"name\":\"e\",\"code\":\"name_taken\",\"actor\":\"n.0000000000006.1.1\"},"
                       "{\"name\":\"f\",\"code\":\"registry_lost\"},{\"name\":\"b\",\"code\":\"name_taken\"},"
                       "{\"name\":\"z\",\"code\":\"name_taken\"},{\"code\":\"name_taken\"},7]}");
    assert_told("lost e 1;"); /* b has a call of its own, z nobody has heard of */
    assert_false(holds('f'));
    assert_true(holds('g') && holds('h'));
    answer(CLAIM_B, 200, "{}");
    answer(CLAIM_C, 200, "{}");
    answer(CLAIM_D, 200, "{}");
    wait_for("PUT /v1/registry/names/f");
    answer("PUT /v1/registry/names/f", 200, "{}");
    assert_true(holds('b') && holds('f'));
}

static void names_are_given_back_in_batches_too_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    for (const char *what = CLAIM_A; what != NULL; what = open_call(CLAIM_B) != NULL ? CLAIM_B : NULL)
        answer(what, 200, "{}");
    answer(BATCH, 200, "{\"refused\":[]}");
    for (const char *name = "efgh"; *name != '\0'; name++)
        (void)registry_client_named(world.client, (troupe_view){name, 1}, one, false, world.now_ms);
    take_names("i");
    answer(CLAIM_C, 200, "{}");
    const struct call *batch = open_call(BATCH);
    assert_non_null(batch);
    assert_non_null(strstr(batch->body, "\"release\":[{\"name\":"));
    answer(BATCH, 200, "{\"refused\":[]}");
    assert_false(holds('g') || holds('h'));
    assert_told("");
}

static void a_batch_without_answer_is_asked_again_above_its_floor_test(void **state)
{
    (void)state;
    be_up();
    take_names("abcdefgh");
    answer(CLAIM_A, 200, "{}");
    answer(CLAIM_B, 200, "{}");
    answer(CLAIM_C, 200, "{}");
    answer(CLAIM_D, 200, "{}");
    assert_non_null(strstr(open_call(BATCH)->body, "\"seq\":5,\"floor\":2"));
    fail_call(BATCH);
    assert_false(holds('e'));
    wait_for(BATCH);
    assert_int_equal(open_call(BATCH)->names, 4);
    assert_non_null(strstr(open_call(BATCH)->body, "\"seq\":6,\"floor\":6"));
    answer_as(BATCH, 200, "{\"refused\":[]}", false); /* not proven: nothing is known */
    assert_false(holds('e'));
    wait_for(BATCH);
    answer_as(BATCH, 413, PROBLEM("too_large"), false); /* the registry's node takes small bodies only */
    while (!holds('e') || !holds('h')) {
        wait_for(BATCH);
        assert_true(open_call(BATCH)->names <= CLIENT_BATCH_NAMES / 2);
        answer(BATCH, 200, "{\"refused\":[]}");
    }
}

/* By a call for each, sixteen at a time, this would take longer than the lease. */
static void a_hundred_thousand_names_are_claimed_again_within_the_lease_test(void **state)
{
    enum { NAMES = 100000, CALLS = NAMES / CLIENT_BATCH_NAMES + 16 };
    unsigned calls = 0, held = 0;
    char name[16];
    (void)state;
    be_up();
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "name-%u", i);
        assert_int_equal(registry_client_named(world.client, troupe_view_of(name), one, true, world.now_ms), 0);
    }
    for (const struct call *call; (call = open_name_call()) != NULL; calls++)
        answer(call->what, 200, "{\"refused\":[]}");
    assert_in_range(calls, NAMES / CLIENT_BATCH_NAMES, CALLS);
    wait_for(RENEW);
    answer(RENEW, 412, PROBLEM("wrong_epoch"));
    answer(FIND, 200, INFO("e2"));
    answer(PUT_NODE, 200, LEASE("e2", "up", ""));
    calls = 0;
    for (const struct call *call; (call = open_name_call()) != NULL; calls++) {
        held += call->held;
        answer(call->what, 200, "{\"refused\":[]}");
    }
    assert_in_range(calls, NAMES / CLIENT_BATCH_NAMES, CALLS);
    assert_int_equal(held, NAMES);
    world.log[0] = '\0';
}

/* ---- the member list ---- */

static void the_watch_tells_each_event_once_test(void **state)
{
    (void)state;
    be_up();
    answer(WATCH, 200, EVENTS("5", EVENT("4", "joining", NODE("6", "joining")) "," EVENT("5", "up", NODE("6", "up"))));
    assert_told("joining 6;up 6;");
    assert_non_null(strstr(open_call(WATCH)->what, "revision=5"));
    fail_call(WATCH); /* cut: it goes on where it was */
    wait_for(WATCH);
    assert_non_null(strstr(open_call(WATCH)->what, "revision=5"));
    answer(WATCH, 200, EVENTS("6", EVENT("5", "up", NODE("6", "up")) "," EVENT("6", "down", NODE("6", "down"))));
    assert_told("down 6;");
    answer_as(WATCH, 200, EVENTS("7", EVENT("7", "down", NODE("1", "down"))), false);
    assert_told("");
    wait_for(WATCH);
    answer(WATCH, 200, "{\"epoch\":\"e0\",\"revision\":7,\"events\":[]}");
    wait_for(WATCH);
    assert_non_null(strstr(open_call(WATCH)->what, "revision=6"));
}

static void missed_events_are_told_from_the_list_test(void **state)
{
    (void)state;
    be_up();
    answer(WATCH, 412, PROBLEM("wrong_epoch"));
    answer(LIST, 200, MEMBERS("e1", "600", NODE("5", "draining") "," NODE("8", "up")));
    assert_told("draining 5;up 8;down 1;");
    answer(WATCH, 200, EVENTS("602", EVENT("602", "left", NODE("8", "down")))); /* a gap: 601 is missing */
    assert_told("");
    answer(LIST, 503, PROBLEM("no_memory"));
    wait_for(LIST);
    answer(LIST, 200, MEMBERS("e1", "602", NODE("5", "draining")));
    assert_told("down 8;");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name##_test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_node_joins),
        TEST(finding_is_tried_again_with_backoff),
        TEST(a_node_without_the_secret_is_refused),
        TEST(what_does_not_prove_the_secret_is_no_registry),
        TEST(a_proven_no_is_final),
        TEST(the_registrys_port_belongs_to_another_cluster),
        TEST(renewals_are_tried_again_then_the_registry_is_looked_for),
        TEST(a_lease_that_is_over_is_final),
        TEST(names_are_given_up_before_the_lease_ends),
        TEST(a_node_that_slept_through_its_lease_answers_nothing_from_memory),
        TEST(the_lease_counts_from_when_the_renewal_was_sent),
        TEST(a_call_that_the_driver_forgets_is_ended),
        TEST(a_record_that_is_not_found_good_is_sent_again),
        TEST(a_new_record_is_told_until_it_is_known),
        TEST(draining_is_told_and_asked_for_once),
        TEST(leaving_is_told_and_does_not_wait_for_ever),
        TEST(a_restart_of_the_registry_is_not_noticed),
        TEST(a_name_that_is_not_confirmed_again_is_lost_with_the_old_lease),
        TEST(a_spawn_reserves_then_claims),
        TEST(a_name_of_another_is_refused),
        TEST(a_name_that_was_left_behind_is_released),
        TEST(a_call_without_answer_is_made_again_above_its_floor),
        TEST(finds_are_answered_in_every_case),
        TEST(a_question_is_answered_by_its_deadline),
        TEST(name_calls_are_at_most_so_many_and_one_for_each_name),
        TEST(a_batch_tells_which_names_are_refused),
        TEST(names_are_given_back_in_batches_too),
        TEST(a_batch_without_answer_is_asked_again_above_its_floor),
        TEST(a_hundred_thousand_names_are_claimed_again_within_the_lease),
        TEST(the_watch_tells_each_event_once),
        TEST(missed_events_are_told_from_the_list),
    };
    return cmocka_run_group_tests_name("registry_client", tests, NULL, NULL);
}
