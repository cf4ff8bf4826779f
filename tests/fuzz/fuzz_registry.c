/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of what the registry reads. The first byte chooses:
 *
 *   0  a record: what is read is within its limits, and written and read again it stays as it is
 *   1  an Authorization header: nothing but the one that was signed is taken, and that once
 *   2  a whole request at a real service, its body from the input, signed by a member: it is answered exactly once, and
 *      what comes back proves the secret
 *   3  an answer at a real client in each of its calls, proven or not: it goes on, and leaves no call open */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "registry/client.h"
#include "registry/service.h"

enum { SIZE_MAX_BYTES = 65536, NOW_MS = 1000 };

static const struct registry_secret secret = {.bytes = "sixteen bytes and a few more", .len = 28};
static const char node_text[] = "n.0000000000005";
static const troupe_home node = {0, 5};

/* ---- records ---- */

static void check_record(troupe_view text)
{
    struct registry_record once, twice;
    char words[256] = "";
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL)
        return;
    int error = registry_record_from_json(json, &once, words, sizeof words);
    json_decref(json);
    check(error == 0 || (error == TROUPE_E_SCHEMA && words[0] != '\0'));
    if (error != 0)
        return;
    check(once.endpoints_count <= REGISTRY_ENDPOINTS_MAX && registry_record_endpoint(&once, "api") != NULL);
    json_t *first = registry_record_to_json(&once);
    check(first != NULL && registry_record_from_json(first, &twice, words, sizeof words) == 0);
    json_t *second = registry_record_to_json(&twice);
    check(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    registry_record_fini(&once);
    registry_record_fini(&twice);
}

/* ---- headers ---- */

static void check_header(troupe_view text)
{
    struct registry_auth auth = {
        .cluster = "c", .epoch = "e", .method = "PUT", .target = "/t", .node = node_text, .time_ms = NOW_MS,
        .nonce = "0123456789abcdef0123456789abcdef", .body = {"{}", 2},
    };
    char signed_header[AUTH_HEADER_BYTES], who[TROUPE_HOME_TEXT_MAX];
    struct registry_nonces *nonces;
    check(registry_nonces_new(&nonces) == 0);
    registry_auth_sign(&secret, &auth, signed_header);
    bool is_signed = text.len >= strlen(signed_header) && memcmp(text.ptr, signed_header, strlen(signed_header)) == 0;
    int error = registry_auth_verify(&secret, nonces, text, NOW_MS, &auth, who, sizeof who);
    check(error != 0 || is_signed);
    if (error == 0)
        check(registry_auth_verify(&secret, nonces, text, NOW_MS, &auth, who, sizeof who) == TROUPE_E_REPLAYED);
    registry_nonces_free(nonces);
}

/* ---- the service ---- */

static int put(void *user, troupe_view name, troupe_ref ref, troupe_ref *ret_holder)
{
    (void)user, (void)name, (void)ref, (void)ret_holder;
    return 0;
}

static int drop(void *user, troupe_view name, troupe_ref ref)
{
    (void)user, (void)name, (void)ref;
    return 0;
}

static int find(void *user, troupe_view name, troupe_ref *ret_ref)
{
    (void)user, (void)name, (void)ret_ref;
    return TROUPE_E_NOT_FOUND;
}

static void close_names(void *user, bool closed) { (void)user, (void)closed; }
static void on_changed(void *user, const struct registry_event *event) { (void)user, (void)event; }
static void on_verify(void *user, const struct registry_record *record) { (void)user, (void)record; }

static const struct registry_record own = {
    .node = {0, 1}, .revision = 1, .state = REGISTRY_UP, .protocol_min = 1, .protocol_max = 1, .version = "1",
    .endpoints_count = 1, .endpoints = {{"api", "http", "127.0.0.1", 1, 1}},
};

static unsigned finished;

static void finish(struct service_request *request, struct service_answer *answer)
{
    (void)request;
    finished++;
    check(answer->nonce != NULL && answer->secret == &secret);
    check(answer->error != 0 ? answer->document == NULL && answer->words != NULL : answer->status < 300);
}

static void check_service(enum service_what what, troupe_view name, troupe_view body)
{
    const struct registry_service_config service_config = {
        .node = own.node, .lease_ms = 10000, .renew_ms = 3000, .now_wall_ms = NOW_MS, .now_ms = NOW_MS,
    };
    const struct registry_config config = {
        .cluster = "c", .epoch = "e", .lease_ms = 10000, .renew_ms = 3000, .own = own,
        .ops = {NULL, put, drop, find, close_names, on_changed, on_verify},
    };
    struct registry_record member = own;
    struct registry_service *service;
    struct registry *registry;
    char words[256], header[AUTH_HEADER_BYTES];
    struct registry_auth auth = {.cluster = "c", .epoch = "e", .method = "PUT", .target = "/t", .node = node_text,
                                 .time_ms = NOW_MS, .nonce = "0123456789abcdef0123456789abcdef", .body = body};
    check(registry_new(&config, NOW_MS, &registry) == 0);
    check(registry_service_new(&service_config, &service) == 0);
    registry_service_serve(service, "c", "e", &secret, registry);
    member.node = node;
    check(registry_register(registry, &member, NOW_MS, words, sizeof words) == 0);
    registry_auth_sign(&secret, &auth, header);
    struct service_request request = {
        .what = what, .method = "PUT", .target = "/t", .authorization = troupe_view_of(header), .body = body,
        .node = troupe_view_of(node_text), .name = name, .ref = name, .revision = body.len, .wait_ms = body.len % 2,
        .finish = finish,
    };
    finished = 0;
    registry_service_handle(service, &request, NOW_MS);
    (void)registry_service_tick(service, NOW_MS + SERVICE_WAIT_MS_MAX);
    check(finished == 1);
    registry_service_free(service);
    registry_free(registry);
}

/* ---- the client ---- */

struct at_client {
    struct registry_client *client;
    uint64_t ids[32];
    char targets[32][64], nonces[32][AUTH_NONCE_TEXT];
    unsigned count;
};

static void perform(void *user, const struct registry_call *call)
{
    struct at_client *at = user;
    check(at->count < 32);
    snprintf(at->targets[at->count], sizeof at->targets[0], "%s", call->target);
    at->nonces[at->count][0] = '\0';
    const char *nonce = call->authorization != NULL ? strstr(call->authorization, "nonce=\"") : NULL;
    if (nonce != NULL)
        snprintf(at->nonces[at->count], AUTH_NONCE_TEXT, "%s", nonce + 7);
    at->ids[at->count++] = call->id;
}

static void take_out(struct at_client *at, unsigned i)
{
    at->count--;
    at->ids[i] = at->ids[at->count];
    memcpy(at->targets[i], at->targets[at->count], sizeof at->targets[0]);
    memcpy(at->nonces[i], at->nonces[at->count], sizeof at->nonces[0]);
}

static void on_abort(void *user, uint64_t id)
{
    struct at_client *at = user;
    for (unsigned i = 0; i < at->count; i++) {
        if (at->ids[i] == id) {
            take_out(at, i);
            return;
        }
    }
    abort();
}

static bool on_cluster(void *user, const char *cluster, char *words, size_t words_cap)
{
    (void)user, (void)cluster, (void)words, (void)words_cap;
    return true;
}
static void on_state(void *user, enum registry_client_state state, const char *words)
{
    (void)user, (void)state, (void)words;
}
static void on_event(void *user, const struct registry_event *event) { (void)user, (void)event; }
static void on_list(void *user, const struct registry_record *records, unsigned count)
{
    (void)user, (void)records, (void)count;
}
static void on_drain(void *user) { (void)user; }
static void on_name(void *user, uint64_t ticket, int error, troupe_ref ref)
{
    (void)user, (void)ticket, (void)error, (void)ref;
}
static void on_name_lost(void *user, troupe_view name, troupe_ref ref) { (void)user, (void)name, (void)ref; }

static const char *good_answer(const char *target)
{
    if (strcmp(target, "/v1/registry") == 0)
        return "{\"cluster\":\"c\",\"epoch\":\"e\",\"time_ms\":5}";
    return "{\"epoch\":\"e\",\"lease_ms\":10000,\"renew_ms\":3000,\"state\":\"up\",\"words\":\"\",\"revision\":1,"
           "\"nodes\":[],\"events\":[]}";
}

static void answer(struct at_client *at, unsigned status, troupe_view body, bool is_proven, uint64_t now_ms)
{
    char proof[AUTH_MAC_TEXT] = "", nonce[AUTH_NONCE_TEXT];
    if (at->count == 0)
        return;
    uint64_t id = at->ids[0];
    memcpy(nonce, at->nonces[0], sizeof nonce);
    if (is_proven && nonce[0] != '\0')
        registry_auth_prove(&secret, nonce, status, body, proof);
    take_out(at, 0);
    registry_client_on_reply(at->client, id, status, troupe_view_of(proof), body, now_ms);
}

/* `good` answers first, then one from the input for each call that is open, then time goes on. */
static void check_client(unsigned good, unsigned status, bool is_proven, troupe_view body)
{
    struct at_client at = {.count = 0};
    struct registry_client_config config = {
        .secret = &secret, .own = own, .seed = 7, .margin_ms = 2000, .user = &at, .perform = perform,
        .abort = on_abort, .on_cluster = on_cluster, .on_state = on_state, .on_event = on_event, .on_list = on_list,
        .on_drain = on_drain, .on_name = on_name, .on_name_lost = on_name_lost,
    };
    uint64_t now_ms = NOW_MS;
    config.own.node = node;
    check(registry_client_new(&config, now_ms, &at.client) == 0);
    (void)registry_client_claim(at.client, 1, troupe_view_of("x"), (troupe_ref){node, 1, 1}, now_ms);
    (void)registry_client_find(at.client, 2, troupe_view_of("y"), now_ms);
    (void)registry_client_tick(at.client, now_ms);
    for (unsigned i = 0; i < good && at.count > 0; i++)
        answer(&at, 200, troupe_view_of(good_answer(at.targets[0])), true, now_ms);
    for (unsigned i = 0; i < 20 && at.count > 0; i++)
        answer(&at, status, body, is_proven, now_ms);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t delay_ms = registry_client_tick(at.client, now_ms);
        if (delay_ms == UINT64_MAX)
            break;
        now_ms += delay_ms + 1;
    }
    registry_client_free(at.client);
    check(at.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 204, 400, 401, 404, 409, 410, 412, 422, 429, 503, 0x7fffffff};
    if (size < 4 || size > SIZE_MAX_BYTES)
        return 0;
    const troupe_view text = {(const char *)data + 3, size - 3};
    switch (data[0] % 4) {
    case 0:
        check_record(text);
        break;
    case 1:
        check_header(text);
        break;
    case 2: {
        size_t name_len = data[2] < text.len ? data[2] : text.len;
        check_service(SERVICE_REGISTER + data[1] % (SERVICE_RELEASE - SERVICE_REGISTER + 1),
                      (troupe_view){text.ptr, name_len}, (troupe_view){text.ptr + name_len, text.len - name_len});
        break;
    }
    case 3:
        check_client(data[1] % 8, statuses[data[2] % 12], data[2] & 0x80, text);
        break;
    }
    return 0;
}
