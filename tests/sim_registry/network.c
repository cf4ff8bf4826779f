/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers on their way. Each is dropped, delayed or repeated by chance; a repeated request is what somebody
 * has recorded and plays again: its answer goes to him. Both ways count for a process that is cut off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "world.h"

struct flight {
    struct process *from;        /* who asked, if it is still ... */
    uint64_t incarnation;        /* ... this process */
    uint64_t id;                 /* of its call; 0: the registry's verification */
    bool is_replay;
    int address;
    char method[8], target[900], authorization[AUTH_HEADER_BYTES];
    bool has_authorization;
    size_t body_len;
    char *body;
    /* of the answer */
    unsigned status;
    char proof[AUTH_MAC_TEXT];
    uint64_t answerer;           /* home of who answered */
    /* of a verification */
    uint64_t number;
    troupe_home node;
    uint32_t revision;
    char nonce[AUTH_NONCE_TEXT];
};

static uint64_t delay_ms(void) { return 1 + world_below(world.delay_max_ms); }

static struct flight *copy_flight(const struct flight *flight)
{
    struct flight *copy = malloc(sizeof *copy + flight->body_len + 1); /* the body is behind it */
    if (copy == NULL)
        abort();
    *copy = *flight;
    copy->body = (char *)(copy + 1);
    if (flight->body_len > 0)
        memcpy(copy->body, flight->body, flight->body_len);
    copy->body[flight->body_len] = '\0';
    return copy;
}

/* ---- answers ---- */

static void arrive(void *data)
{
    struct flight *flight = data;
    struct process *to = flight->from;
    const troupe_view body = {flight->body, flight->body_len};
    if (to->incarnation == flight->incarnation && to->kind == PROCESS_NODE) {
        registry_client_on_reply(to->client, flight->id, flight->status, troupe_view_of(flight->proof), body,
                                 world.now_ms);
        process_tick(to);
    }
}

static void judge_identity(struct flight *flight)
{
    struct process *registry = flight->from;
    const troupe_view body = {flight->body, flight->body_len};
    char node[TROUPE_HOME_TEXT_MAX], cluster[REGISTRY_CLUSTER_BYTES];
    const char *told_node = "", *told_cluster = "";
    bool *is_judged = &world.verified[flight->number % WORLD_VERIFICATIONS];
    if (*is_judged || registry->incarnation != flight->incarnation || registry->kind != PROCESS_REGISTRY)
        return;
    *is_judged = true;
    json_t *document = json_loadb(body.ptr, body.len, 0, NULL);
    (void)json_unpack(document, "{s:s, s:s}", "node", &told_node, "cluster", &told_cluster);
    troupe_home_format(flight->node, node);
    world_cluster_text(registry->cluster, cluster);
    bool is_good = flight->status == 200 && strcmp(told_node, node) == 0 && strcmp(told_cluster, cluster) == 0 &&
                   registry_auth_proof_is_good(world_secret(registry->cluster), flight->nonce, 200, body,
                                               troupe_view_of(flight->proof));
    json_decref(document);
    if (is_good && flight->answerer != flight->node.low)
        world_fail("the process at a reused address was taken for the node that had it before");
    world.stats.wrong_identity += flight->status == 200 && !is_good;
    registry_verified(registry->registry, flight->node, flight->revision, is_good, "it did not prove itself",
                      world.now_ms);
    process_tick(registry);
}

static void arrive_identity(void *data) { judge_identity(data); }

struct handled {
    struct service_request request;
    struct process *to;
    struct flight flight;        /* body NULL */
};

static void send_answer(struct handled *handled, const struct service_answer *answer)
{
    struct flight *flight = &handled->flight;
    bool is_verification = flight->id == 0;
    char *text = NULL;
    struct process *to = handled->to;
    if (to->is_dying || flight->is_replay) {
        world.stats.replays += flight->is_replay && answer->error == TROUPE_E_REPLAYED;
        if (flight->is_replay && answer->error == 0 && answer->nonce != NULL && handled->request.what != SERVICE_IDENTITY)
            world_fail("a request that was seen before was served again");
        return;
    }
    if (answer->error != 0) {
        char ref[TROUPE_REF_TEXT_MAX] = "";
        if (troupe_ref_is_actor(answer->actor))
            troupe_ref_format(answer->actor, ref);
        json_t *problem = json_pack("{s:s, s:s, s:s*}", "code", troupe_error_lookup(answer->error)->code, "detail",
                                    answer->words, "actor", ref[0] != '\0' ? ref : NULL);
        text = json_dumps(problem, JSON_COMPACT);
        json_decref(problem);
    } else if (answer->document != NULL) {
        text = json_dumps(answer->document, JSON_COMPACT);
    }
    flight->status = answer->error != 0 ? (unsigned)troupe_error_lookup(answer->error)->http_status : answer->status;
    flight->body = text;
    flight->body_len = text != NULL ? strlen(text) : 0;
    flight->proof[0] = '\0';
    flight->answerer = to->home.low;
    if (answer->nonce != NULL)
        registry_auth_prove(answer->secret, answer->nonce, flight->status, (troupe_view){text, flight->body_len},
                            flight->proof);
    bool is_lost = !world.is_calm && (world_chance(world.drop_percent) || flight->from->is_cut || to->is_cut);
    if (!is_lost)
        events_at(world.now_ms + delay_ms(), is_verification ? arrive_identity : arrive, copy_flight(flight));
    free(text);
}

static void finish(struct service_request *request, struct service_answer *answer)
{
    struct handled *handled = (struct handled *)(void *)request;
    send_answer(handled, answer);
    free(handled);
}

/* ---- requests ---- */

static bool take(troupe_view *rest, const char *word)
{
    size_t len = strlen(word);
    if (rest->len < len || memcmp(rest->ptr, word, len) != 0)
        return false;
    *rest = (troupe_view){rest->ptr + len, rest->len - len};
    return true;
}

static uint64_t number_of(const char *target, const char *name)
{
    const char *at = strstr(target, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* What the router and the decoder of paths do; names here need no escapes. */
static bool parse(const struct flight *flight, struct service_request *request)
{
    troupe_view rest = troupe_view_of(flight->target);
    const char *query = strchr(flight->target, '?'), *ref = strstr(flight->target, "ref="),
               *nonce = strstr(flight->target, "nonce=");
    bool is_get = strcmp(flight->method, "GET") == 0, is_put = strcmp(flight->method, "PUT") == 0;
    if (query != NULL)
        rest.len = (size_t)(query - flight->target);
    if (!take(&rest, "/v1/registry"))
        return false;
    request->revision = number_of(flight->target, "revision=");
    request->wait_ms = 1000 * number_of(flight->target, "wait=");
    request->seq = number_of(flight->target, "seq=");
    request->floor = number_of(flight->target, "floor=");
    if (ref != NULL)
        request->ref = (troupe_view){ref + 4, strcspn(ref + 4, "&")};
    if (nonce != NULL)
        request->nonce = troupe_view_of(nonce + 6);
    if (rest.len == 0) {
        request->what = SERVICE_INFO;
    } else if (take(&rest, "/identity")) {
        request->what = SERVICE_IDENTITY;
    } else if (take(&rest, "/watch")) {
        request->what = SERVICE_WATCH;
    } else if (take(&rest, "/names/")) {
        request->what = is_put ? SERVICE_CLAIM : is_get ? SERVICE_FIND : SERVICE_RELEASE;
        request->name = rest;
    } else if (take(&rest, "/nodes/")) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        request->node = (troupe_view){rest.ptr, slash != NULL ? (size_t)(slash - rest.ptr) : rest.len};
        char word = slash != NULL ? slash[1] : '\0';
        request->what = is_put ? SERVICE_REGISTER
                      : slash == NULL ? SERVICE_LEAVE
                      : word == 'r' ? SERVICE_RENEW : word == 'n' ? SERVICE_NAMES : SERVICE_DRAIN;
        world.stats.batches += word == 'n';
    } else {
        request->what = SERVICE_LIST;
    }
    return true;
}

static void deliver(struct flight *flight)
{
    struct process *to = world.at[flight->address];
    if (to == NULL || to->service == NULL)
        return;
    struct handled *handled = calloc(1, sizeof *handled);
    if (handled == NULL)
        abort();
    handled->to = to;
    handled->flight = *flight;
    handled->flight.body = NULL;
    struct service_request *request = &handled->request;
    request->finish = finish;
    request->method = handled->flight.method;
    request->target = handled->flight.target;
    request->authorization = flight->has_authorization ? troupe_view_of(flight->authorization) : (troupe_view){0};
    request->body = (troupe_view){flight->body, flight->body_len};
    if (!parse(&handled->flight, request))
        abort();
    registry_service_handle(to->service, request, world.now_ms);
    process_tick(to);
}

static void arrive_request(void *data) { deliver(data); }

static void time_out(void *data)
{
    struct flight *flight = data;
    struct process *to = flight->from;
    if (to->incarnation == flight->incarnation && flight->id != 0 && to->kind == PROCESS_NODE) {
        registry_client_on_error(to->client, flight->id, "the time for it has passed", world.now_ms);
        process_tick(to);
    } else if (flight->id == 0) {
        flight->status = 0;
        judge_identity(flight);
    }
}

static void launch(struct flight *flight, uint32_t timeout_ms)
{
    struct process *there = world.at[flight->address];
    bool is_cut = flight->from->is_cut || (there != NULL && there->is_cut);
    bool is_lost = !world.is_calm && (world_chance(world.drop_percent) || is_cut);
    events_at(world.now_ms + timeout_ms, time_out, copy_flight(flight));
    if (!is_lost)
        events_at(world.now_ms + delay_ms(), arrive_request, copy_flight(flight));
    if (!world.is_calm && !is_lost && flight->id != 0 && world_chance(world.repeat_percent)) {
        struct flight *again = copy_flight(flight);
        again->is_replay = true;
        events_at(world.now_ms + world.delay_max_ms + 1 + world_below(20000), arrive_request, again);
    }
}

void network_send(struct process *from, const struct registry_call *call)
{
    struct flight flight = {.from = from, .incarnation = from->incarnation, .id = call->id, .address = WORLD_REGISTRY_ADDRESS,
                            .has_authorization = call->authorization != NULL, .body = (char *)(uintptr_t)call->body,
                            .body_len = call->body_len};
    snprintf(flight.method, sizeof flight.method, "%s", call->method);
    snprintf(flight.target, sizeof flight.target, "%s", call->target);
    if (call->authorization != NULL)
        snprintf(flight.authorization, sizeof flight.authorization, "%s", call->authorization);
    launch(&flight, call->timeout_ms);
}

void network_verify(const struct registry_record *record)
{
    const struct registry_endpoint *api = registry_record_endpoint(record, "api");
    struct flight flight = {.from = &world.registry, .incarnation = world.registry.incarnation,
                            .address = api->port - 1, .node = record->node, .revision = record->revision};
    flight.number = ++world.verifications;
    world.verified[flight.number % WORLD_VERIFICATIONS] = false;
    snprintf(flight.nonce, sizeof flight.nonce, "%016llx%016llx", (unsigned long long)rng_next(&world.rng),
             (unsigned long long)rng_next(&world.rng));
    snprintf(flight.method, sizeof flight.method, "GET");
    snprintf(flight.target, sizeof flight.target, "/v1/registry/identity?nonce=%s", flight.nonce);
    launch(&flight, 500);
}
