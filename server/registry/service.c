/* SPDX-License-Identifier: Apache-2.0
 *
 * A request goes through three doors: does this node keep a registry, is the request proven, is it of the node that it
 * speaks for. Then one function per route asks the engine and writes the answer.
 *
 * A watch that has nothing to tell waits in one list. A node has one: its next takes the place of the one before, which
 * is answered with no events, so that clients that come and go cannot heap them up. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/service_impl.h"

/* ---- answers ---- */

static void finish(struct service_request *request, unsigned status, json_t *document, const char *nonce,
                   const struct registry_secret *secret)
{
    struct service_answer answer = {.status = status, .document = document, .nonce = nonce, .secret = secret};
    if (status == 200 && document == NULL) {
        answer.error = TROUPE_E_NO_MEMORY;
        answer.words = "there was no memory for the answer; try again later";
    }
    request->finish(request, &answer);
    json_decref(document);
}

void service__answer(const struct at_hand *at, unsigned status, json_t *document)
{
    finish(at->request, status, document, at->nonce, at->service->secret);
}

void service__refuse(const struct at_hand *at, int error, const char *field, troupe_ref actor, const char *format, ...)
{
    struct registry_service *service = at->service;
    struct service_answer to = {.error = error, .words = service->words, .field = field, .actor = actor,
                                .nonce = at->nonce, .secret = service->secret};
    va_list args;
    va_start(args, format);
    vsnprintf(service->words, sizeof service->words, format, args);
    va_end(args);
    at->request->finish(at->request, &to);
}

static const troupe_ref nobody;

void service__refuse_engine(const struct at_hand *at, int error, const char *words)
{
    const char *text = words;
    if (words == NULL || words[0] == '\0')
        text = error == TROUPE_E_NOT_MEMBER ? "this node is not a member, or its lease has ended; start it again"
             : error == TROUPE_E_REGISTRY_LOST ? "the registry was restarted, and gives no names for one lease"
             : error == TROUPE_E_LIMIT ? "the registry is full" : "";
    service__refuse(at, error, NULL, nobody, "%s", text);
}

/* ---- open to everybody ---- */

static bool must_serve(const struct at_hand *at)
{
    const struct registry_service *service = at->service;
    if (service->config.refusal != NULL)
        service__refuse(at, TROUPE_E_FORBIDDEN, NULL, nobody, "%s", service->config.refusal);
    else if (service->registry == NULL)
        service__refuse(at, TROUPE_E_WRONG_CLUSTER, NULL, nobody, "this node keeps no registry; it has joined %s",
               service->url[0] != '\0' ? service->url : "another, which it has not found yet");
    return service->config.refusal == NULL && service->registry != NULL;
}

static uint64_t wall_ms(const struct registry_service *service, uint64_t now_ms)
{
    return service->config.now_wall_ms + (now_ms - service->config.now_ms);
}

static void tell_info(const struct at_hand *at)
{
    const struct registry_service *service = at->service;
    service__answer(at, 200, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:i}", "cluster", service->cluster, "node",
                              service->node, "epoch", service->epoch, "time_ms",
                              (json_int_t)wall_ms(service, at->now_ms), "lease_ms",
                              (json_int_t)service->config.lease_ms, "renew_ms", (json_int_t)service->config.renew_ms,
                              "protocol_min", REGISTRY_PROTOCOL, "protocol_max", REGISTRY_PROTOCOL));
}

static bool is_nonce(troupe_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool is_hex = (text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f');
        if (!is_hex)
            return false;
    }
    return text.len == AUTH_NONCE_TEXT - 1;
}

/* Anybody may ask who is here. The proof is over the asker's nonce, and its body is of a form that no other answer has,
 * so that it cannot be taken for one. */
static void tell_identity(struct at_hand *at)
{
    const struct registry_service *service = at->service;
    char nonce[AUTH_NONCE_TEXT];
    if (!is_nonce(at->request->nonce)) {
        service__refuse(at, TROUPE_E_INVALID, "nonce", nobody, "nonce must be %d hexadecimal digits in lower case",
               AUTH_NONCE_TEXT - 1);
        return;
    }
    if (service->secret == NULL || service->cluster[0] == '\0') {
        service__refuse(at, TROUPE_E_REGISTRY_LOST, NULL, nobody, "this node does not know its cluster yet");
        return;
    }
    memcpy(nonce, at->request->nonce.ptr, sizeof nonce - 1);
    nonce[sizeof nonce - 1] = '\0';
    at->nonce = nonce;
    service__answer(at, 200, json_pack("{s:s, s:s}", "cluster", service->cluster, "node", service->node));
}

/* ---- members ---- */

bool service__read_node(const struct at_hand *at, troupe_home *ret_node)
{
    troupe_view text = at->request->node;
    if (troupe_home_parse(text.ptr, text.len, ret_node) == 0 && ret_node->high == 0)
        return true;
    service__refuse(at, TROUPE_E_INVALID, "node", nobody, "this is not the id of a node");
    return false;
}

bool service__must_be_own(const struct at_hand *at, troupe_home node)
{
    if (troupe_home_equal(node, at->asker))
        return true;
    service__refuse(at, TROUPE_E_FORBIDDEN, "node", nobody, "a node speaks for itself only");
    return false;
}

json_t *service__read_body(const struct at_hand *at)
{
    json_t *body = json_loadb(at->request->body.ptr != NULL ? at->request->body.ptr : "", at->request->body.len,
                              JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(body))
        return body;
    json_decref(body);
    service__refuse(at, TROUPE_E_MALFORMED, NULL, nobody, "the body must be a JSON object");
    return NULL;
}

static void tell_renewal(const struct at_hand *at, const struct registry_renewal *renewal)
{
    const struct registry_service *service = at->service;
    service__answer(at, 200, json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:s}", "epoch", service->epoch, "lease_ms",
                              (json_int_t)service->config.lease_ms, "renew_ms", (json_int_t)service->config.renew_ms,
                              "revision", (json_int_t)renewal->revision, "state", registry_state_word(renewal->state),
                              "drain", renewal->shall_drain, "words", renewal->words));
}

static void renew_as(const struct at_hand *at, enum registry_state state)
{
    struct registry_renewal renewal;
    int error = registry_renew(at->service->registry, at->asker, state, at->now_ms, &renewal);
    if (error != 0)
        service__refuse_engine(at, error, NULL);
    else
        tell_renewal(at, &renewal);
}

static void register_node(const struct at_hand *at)
{
    char words[256];
    struct registry_record record;
    troupe_home node;
    if (!service__read_node(at, &node) || !service__must_be_own(at, node))
        return;
    json_t *body = service__read_body(at);
    if (body == NULL)
        return;
    int error = registry_record_from_json(body, &record, words, sizeof words);
    json_decref(body);
    if (error == 0 && !troupe_home_equal(record.node, node)) {
        registry_record_fini(&record);
        error = TROUPE_E_SCHEMA;
        snprintf(words, sizeof words, "node must be that of the path");
    }
    if (error != 0) {
        service__refuse(at, error, NULL, nobody, "%s", words);
        return;
    }
    enum registry_state state = record.state;
    error = registry_register(at->service->registry, &record, at->now_ms, words, sizeof words);
    registry_record_fini(&record);
    if (error != 0)
        service__refuse_engine(at, error, words);
    else
        renew_as(at, state);
}

static void renew(const struct at_hand *at)
{
    troupe_home node;
    if (!service__read_node(at, &node) || !service__must_be_own(at, node))
        return;
    json_t *body = service__read_body(at);
    if (body == NULL)
        return;
    enum registry_state state = registry_state_parse(json_string_value(json_object_get(body, "state")));
    json_decref(body);
    if (state == 0)
        service__refuse(at, TROUPE_E_SCHEMA, "state", nobody, "state must be up or draining");
    else
        renew_as(at, state);
}

static void leave(const struct at_hand *at)
{
    troupe_home node;
    if (!service__read_node(at, &node) || !service__must_be_own(at, node))
        return;
    int error = registry_leave(at->service->registry, node, at->now_ms);
    if (error != 0)
        service__refuse_engine(at, error, NULL);
    else
        service__answer(at, 204, NULL);
}

static void ask_drain(const struct at_hand *at)
{
    troupe_home node;
    if (!service__read_node(at, &node))
        return;
    int error = registry_ask_drain(at->service->registry, node);
    if (error != 0)
        service__refuse(at, error, NULL, nobody, "there is no such member%s", error == TROUPE_E_GONE ? " any more" : "");
    else
        service__answer(at, 204, NULL);
}

static void tell_list(const struct at_hand *at)
{
    const struct registry_service *service = at->service;
    json_t *nodes = registry_list(service->registry);
    service__answer(at, 200, nodes == NULL ? NULL
           : json_pack("{s:s, s:I, s:o}", "epoch", service->epoch, "revision",
                       (json_int_t)registry_revision(service->registry), "nodes", nodes));
}

/* ---- watches ---- */

static json_t *events_doc(const struct registry_service *service, json_t *events)
{
    return json_pack("{s:s, s:I, s:o}", "epoch", service->epoch, "revision",
                     (json_int_t)registry_revision(service->registry), "events", events);
}

static void stop_waiting(struct registry_service *service, struct service_request *request)
{
    request->prev->next = request->next;
    request->next->prev = request->prev;
    request->waits = false;
    service->watches_count--;
}

/* Answer a watch that waits with what there is now. */
static void answer_watch(struct registry_service *service, struct service_request *request)
{
    json_t *events = NULL;
    struct at_hand at = {.service = service, .request = request, .nonce = request->nonce_text};
    stop_waiting(service, request);
    int error = registry_events_after(service->registry, request->revision, &events);
    if (error == TROUPE_E_WRONG_EPOCH)
        service__refuse(&at, error, "revision", nobody, "events after this revision are not kept any more; take the list");
    else
        service__answer(&at, 200, error != 0 ? NULL : events_doc(service, events));
}

static void watch(const struct at_hand *at)
{
    struct registry_service *service = at->service;
    struct service_request *request = at->request, *next;
    json_t *events = NULL;
    for (struct service_request *other = service->watches.next; other != &service->watches; other = next) {
        next = other->next;
        if (troupe_home_equal(other->watcher, at->asker))
            answer_watch(service, other);
    }
    int error = registry_events_after(service->registry, request->revision, &events);
    if (error == TROUPE_E_WRONG_EPOCH) {
        service__refuse(at, error, "revision", nobody, "events after this revision are not known here; take the list");
        return;
    }
    if (error != 0 || json_array_size(events) > 0 || request->wait_ms == 0) {
        service__answer(at, 200, error != 0 ? NULL : events_doc(service, events));
        return;
    }
    json_decref(events);
    if (service->watches_count == SERVICE_WATCHES_MAX) {
        service__refuse(at, TROUPE_E_LIMIT, NULL, nobody, "too many watches wait already");
        return;
    }
    request->watcher = at->asker;
    request->until_ms = at->now_ms + (request->wait_ms < SERVICE_WAIT_MS_MAX ? request->wait_ms : SERVICE_WAIT_MS_MAX);
    snprintf(request->nonce_text, sizeof request->nonce_text, "%s", at->nonce);
    request->waits = true;
    request->prev = service->watches.prev;
    request->next = &service->watches;
    request->prev->next = request->next->prev = request;
    service->watches_count++;
}

void registry_service_cancel(struct registry_service *service, struct service_request *request)
{
    if (request->waits)
        stop_waiting(service, request);
}

void registry_service_changed(struct registry_service *service) { service->has_changed = true; }

uint64_t registry_service_tick(struct registry_service *service, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    bool has_changed = service->has_changed;
    struct service_request *next;
    service->has_changed = false;
    for (struct service_request *request = service->watches.next; request != &service->watches; request = next) {
        next = request->next;
        if (has_changed || request->until_ms <= now_ms)
            answer_watch(service, request);
        else if (request->until_ms < next_ms)
            next_ms = request->until_ms;
    }
    return service->has_changed ? 0 : next_ms == UINT64_MAX ? UINT64_MAX : next_ms - now_ms;
}

/* ---- the doors ---- */

static bool must_prove(struct at_hand *at, struct registry_auth *auth, char *node, size_t node_cap)
{
    struct registry_service *service = at->service;
    struct service_request *request = at->request;
    *auth = (struct registry_auth){
        .cluster = service->cluster, .epoch = service->epoch, .method = request->method, .target = request->target,
        .body = request->body,
    };
    int error = request->authorization.ptr == NULL ? TROUPE_E_UNAUTHORIZED
              : registry_auth_verify(service->secret, service->nonces, request->authorization,
                                     wall_ms(service, at->now_ms), auth, node, node_cap);
    if (error == 0 && (troupe_home_parse(node, strlen(node), &at->asker) != 0 || at->asker.high != 0))
        error = TROUPE_E_UNAUTHORIZED;
    if (error == 0) {
        at->nonce = auth->nonce;
        return true;
    }
    if (error == TROUPE_E_UNAUTHORIZED)
        service__refuse(at, error, "Authorization", nobody, "this route needs Authorization: Troupe-HMAC with the secret of "
               "cluster %s, for the epoch that GET /v1/registry tells", service->cluster);
    else if (error == TROUPE_E_REPLAYED)
        service__refuse(at, error, "Authorization", nobody, "this request was seen before, or its time is not that of the "
               "registry");
    else
        service__refuse(at, error, NULL, nobody, "too many requests in a short time");
    return false;
}

void registry_service_handle(struct registry_service *service, struct service_request *request, uint64_t now_ms)
{
    static void (*const handlers[])(const struct at_hand *at) = {
        [SERVICE_REGISTER] = register_node, [SERVICE_RENEW] = renew, [SERVICE_LEAVE] = leave,
        [SERVICE_DRAIN] = ask_drain, [SERVICE_LIST] = tell_list, [SERVICE_WATCH] = watch, [SERVICE_CLAIM] = service__claim,
        [SERVICE_FIND] = service__find, [SERVICE_NAMES] = service__names, [SERVICE_RELEASE] = service__release,
    };
    struct at_hand at = {.service = service, .request = request, .now_ms = now_ms};
    struct registry_auth auth;
    char node[TROUPE_HOME_TEXT_MAX];
    request->waits = false;
    if (request->what == SERVICE_IDENTITY) {
        tell_identity(&at);
        return;
    }
    if (!must_serve(&at))
        return;
    if (request->what == SERVICE_INFO)
        tell_info(&at);
    else if (must_prove(&at, &auth, node, sizeof node))
        handlers[request->what](&at);
}

/* ---- the object ---- */

int registry_service_new(const struct registry_service_config *config, struct registry_service **ret_service)
{
    struct registry_service *service = calloc(1, sizeof *service);
    int error = service == NULL ? TROUPE_E_NO_MEMORY : registry_nonces_new(&service->nonces);
    if (error != 0) {
        free(service);
        return error;
    }
    service->config = *config;
    service->watches.next = service->watches.prev = &service->watches;
    troupe_home_format(config->node, service->node);
    *ret_service = service;
    return 0;
}

void registry_service_serve(struct registry_service *service, const char *cluster, const char *epoch,
                            const struct registry_secret *secret, struct registry *registry)
{
    snprintf(service->cluster, sizeof service->cluster, "%s", cluster);
    snprintf(service->epoch, sizeof service->epoch, "%s", epoch);
    service->secret = secret;
    service->registry = registry;
}

void registry_service_join(struct registry_service *service, const char *cluster, const char *url,
                           const struct registry_secret *secret)
{
    snprintf(service->cluster, sizeof service->cluster, "%s", cluster);
    snprintf(service->url, sizeof service->url, "%s", url);
    service->secret = secret;
}

void registry_service_free(struct registry_service *service)
{
    if (service == NULL)
        return;
    while (service->watches.next != &service->watches)
        answer_watch(service, service->watches.next);
    registry_nonces_free(service->nonces);
    free(service);
}
