/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts by the kind of the node:
 *
 *   keeps the registry   registry, service, verify   up at once; a secret of its own, or --secret-file, or none: then
 *                                                    its registry refuses everybody, with the remedy
 *   has joined           client, service             up when the registry says so; the service only tells who this is
 *
 * The failure modes of a joined node: the registry does not answer -> it is tried for ever, and the log says so when
 * the words change; it refuses for good, or has ended the lease -> on_failed. */
#include "membership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host.h"
#include "io/verify.h"
#include "join.h"
#include "registry/client.h"
#include "secret.h"

enum {
    EPOCH_BYTES = 17, VERIFY_MS_MIN = 200, VERIFY_MS_MAX = 2000,
    RENEW_PERCENT = 30, MARGIN_PERCENT = 20, PULSE_PERCENT = 12, SLEEP_PERCENT = 25 /* of the lease */
};

/* A call of the client that is under way, or that could not even be begun. */
struct call {
    uint64_t id, fetch_id;       /* fetch_id 0: it fails at the next tick */
    bool is_renewal;
    char trouble[JOIN_WORDS_BYTES];
    struct membership *membership;
    struct call *next;
};

struct membership {
    struct membership_config config;
    struct fetch *fetch;
    struct peer_port *peers;
    struct registry_secret secret;
    char secret_path[SECRET_PATH_BYTES]; /* of a secret that ends with this node, or "" */
    char epoch[EPOCH_BYTES];
    struct registry_service *service;
    /* of a node that keeps the registry */
    struct registry *registry;
    struct verify *verify;
    char refusal[192];
    bool was_told_to_drain;
    uint64_t ran_ms;             /* when this thread was last seen to run; 0: not yet */
    /* of a node that joins */
    struct registry_client *client;
    struct call *calls;
    struct join join;
    char told[JOIN_WORDS_BYTES]; /* in the log */
    bool was_up, has_left;
};

static bool joins(const struct membership *membership) { return join_is_wanted(membership->config.config->join); }

static uint64_t share_of(uint64_t lease_ms, unsigned percent) { return lease_ms * percent / 100; }

/* ---- a node that keeps the registry ---- */

static int put_name(void *user, troupe_view name, troupe_ref ref, troupe_ref *ret_holder)
{
    return troupe_system_name_put(((struct membership *)user)->config.system, name, ref, ret_holder);
}

static int drop_name(void *user, troupe_view name, troupe_ref ref)
{
    return troupe_system_name_drop(((struct membership *)user)->config.system, name, ref);
}

static int find_name(void *user, troupe_view name, troupe_ref *ret_ref)
{
    return troupe_system_whereis(((struct membership *)user)->config.system, name, ret_ref);
}

static void close_names(void *user, bool closed)
{
    troupe_system_names_close(((struct membership *)user)->config.system, closed);
}

/* After a restart the registry must know that others may still believe in what the last one granted. */
static void mark_members(struct membership *membership)
{
    if (data_dir_keep_members(membership->config.data) != 0)
        log_printf(TROUPE_LOG_ERROR, "--data-dir: cannot write in %s: names may be granted twice after a restart; make "
                                     "room there, or make it writable", membership->config.data->path);
}

static void on_changed(void *user, const struct registry_event *event)
{
    struct membership *membership = user;
    if (!troupe_home_equal(event->record->node, membership->config.self->record.node))
        mark_members(membership);
    if (membership->service != NULL)
        registry_service_changed(membership->service);
    cluster_on_event(membership->config.cluster, event);
}

static void on_verify(void *user, const struct registry_record *record)
{
    verify_start(((struct membership *)user)->verify, record);
}

static void on_verified(void *user, troupe_home node, uint32_t revision, bool is_good, const char *words)
{
    struct membership *membership = user;
    char text[TROUPE_HOME_TEXT_MAX];
    troupe_home_format(node, text);
    const struct log_field fields[] = {{"node", text}, {"reason", words}, {NULL, NULL}};
    if (!is_good)
        log_write(TROUPE_LOG_WARN, "a node that wants to join cannot be reached where it says", fields);
    registry_verified(membership->registry, node, revision, is_good, words, clock_boot_ms());
}

static int start_registry(struct membership *membership)
{
    const struct membership_config *config = &membership->config;
    uint64_t lease_ms = config->config->lease_ms, timeout_ms = lease_ms / 4;
    const struct verify_config verify = {
        .fetch = membership->fetch, .peers = membership->peers, .secret = &membership->secret,
        .cluster = config->cluster_id, .user = membership, .done = on_verified,
        .timeout_ms = (uint32_t)(timeout_ms < VERIFY_MS_MIN   ? VERIFY_MS_MIN
                                 : timeout_ms > VERIFY_MS_MAX ? VERIFY_MS_MAX
                                                              : timeout_ms),
    };
    const struct registry_config registry = {
        .cluster = config->cluster_id, .epoch = membership->epoch, .lease_ms = lease_ms,
        .renew_ms = share_of(lease_ms, RENEW_PERCENT), .was_used = config->data->had_members,
        .own = config->self->record,
        .ops = {
            .user = membership, .name_put = put_name, .name_drop = drop_name, .name_find = find_name,
            .names_close = close_names, .changed = on_changed, .verify = on_verify,
        },
    };
    int error = verify_new(&verify, &membership->verify);
    if (error == 0)
        error = registry_new(&registry, clock_boot_ms(), &membership->registry);
    if (error == 0)
        registry_service_serve(membership->service, config->cluster_id, membership->epoch, &membership->secret,
                               membership->registry);
    return error;
}

/* ---- a node that joins: calls ---- */

static struct call **find_call(struct membership *membership, uint64_t id)
{
    struct call **at = &membership->calls;
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void drop_call(struct call **at)
{
    struct call *call = *at;
    *at = call->next;
    free(call);
}

static void on_fetched(void *user, uint64_t fetch_id, const struct fetch_answer *answer)
{
    struct call call = *(struct call *)user;
    struct membership *membership = call.membership;
    uint64_t now_ms = clock_boot_ms();
    (void)fetch_id;
    drop_call(find_call(membership, call.id));
    if (answer->trouble == NULL && answer->status == 200 && call.is_renewal)
        cluster_renewed(membership->config.cluster, now_ms);
    if (answer->trouble == NULL)
        registry_client_on_reply(membership->client, call.id, answer->status, answer->proof, answer->body, now_ms);
    else
        registry_client_on_error(membership->client, call.id, answer->trouble, now_ms);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void on_perform(void *user, const struct registry_call *asked)
{
    struct membership *membership = user;
    char url[FETCH_URL_BYTES];
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return; /* the client gives it up when its time is over */
    call->id = asked->id;
    call->membership = membership;
    call->is_renewal = ends_with(asked->target, "/renew");
    call->next = membership->calls;
    membership->calls = call;
    /* The first call of each attempt to find the registry looks where it is now. */
    if (strcmp(asked->target, "/v1/registry") == 0)
        (void)join_locate(&membership->join, call->trouble, sizeof call->trouble);
    int len = snprintf(url, sizeof url, "%s%s", membership->join.url, asked->target);
    if (membership->join.url[0] == '\0' || len >= (int)sizeof url)
        return;
    const struct fetch_request request = {
        .method = asked->method, .url = url, .authorization = asked->authorization, .body = asked->body,
        .body_len = asked->body_len, .timeout_ms = asked->timeout_ms, .done = on_fetched, .user = call,
    };
    call->fetch_id = fetch_start(membership->fetch, &request);
}

static void on_abort(void *user, uint64_t id)
{
    struct membership *membership = user;
    struct call **at = find_call(membership, id);
    if (*at == NULL)
        return;
    if ((*at)->fetch_id != 0)
        fetch_abort(membership->fetch, (*at)->fetch_id);
    drop_call(at);
}

/* Calls that were never begun fail now, outside of on_perform. */
static void fail_calls(struct membership *membership)
{
    struct call **at = &membership->calls;
    while (*at != NULL) {
        if ((*at)->fetch_id != 0) {
            at = &(*at)->next;
            continue;
        }
        struct call call = **at;
        drop_call(at);
        registry_client_on_error(membership->client, call.id,
                                 call.trouble[0] != '\0' ? call.trouble : "no request could be made", clock_boot_ms());
        at = &membership->calls;
    }
}

/* ---- a node that joins: what the client tells ---- */

static bool on_cluster(void *user, const char *cluster, char *words, size_t words_cap)
{
    struct membership *membership = user;
    const struct membership_config *config = &membership->config;
    const char *file = config->config->secret_file;
    bool has_file = file != NULL && file[0] != '\0';
    if ((!has_file && secret_find(cluster, &membership->secret, words, words_cap) != 0) ||
        data_dir_keep_cluster(config->data, cluster, words, words_cap) != 0)
        return false;
    snprintf(config->cluster_id, TROUPE_HOME_TEXT_MAX, "%s", cluster);
    registry_client_set_secret(membership->client, &membership->secret);
    registry_service_join(membership->service, cluster, membership->join.url, &membership->secret);
    return true;
}

/* From now on the record says so, when it is told again. */
static void set_up(struct membership *membership)
{
    struct registry_record *record = &membership->config.self->record;
    if (record->state == REGISTRY_JOINING)
        record->state = REGISTRY_UP;
}

/* Said once for each change: a node that waits for its registry may wait long. */
static void tell(struct membership *membership, const char *words)
{
    if (words[0] == '\0' || strcmp(membership->told, words) == 0)
        return;
    snprintf(membership->told, sizeof membership->told, "%s", words);
    const struct log_field fields[] = {{"join", membership->config.config->join}, {"reason", words}, {NULL, NULL}};
    log_write(TROUPE_LOG_WARN, "the node has not joined yet; it goes on trying", fields);
}

static void on_state(void *user, enum registry_client_state state, const char *words)
{
    struct membership *membership = user;
    const struct membership_config *config = &membership->config;
    switch (state) {
    case CLIENT_UP:
        set_up(membership);
        cluster_set_trouble(config->cluster, NULL);
        registry_service_join(membership->service, config->cluster_id, membership->join.url, &membership->secret);
        if (!membership->was_up)
            config->on_up(config->user);
        membership->was_up = true;
        break;
    case CLIENT_LOST:
        cluster_set_trouble(config->cluster, words[0] != '\0' ? words : "it does not answer");
        break;
    case CLIENT_LEFT:
        membership->has_left = true;
        break;
    case CLIENT_REFUSED:
        membership->has_left = true;
        config->on_failed(config->user, membership->was_up ? CONFIG_EXIT_NOT_MEMBER : CONFIG_EXIT_JOIN, words);
        break;
    default:
        tell(membership, words);
        break;
    }
}

static void on_event(void *user, const struct registry_event *event)
{
    cluster_on_event(((struct membership *)user)->config.cluster, event);
}

static void on_list(void *user, const struct registry_record *records, unsigned count)
{
    cluster_on_list(((struct membership *)user)->config.cluster, records, count);
}

static void on_drain(void *user)
{
    struct membership *membership = user;
    membership->config.on_drain(membership->config.user);
}

static void on_name(void *user, uint64_t ticket, int error, troupe_ref ref)
{
    place_answer(((struct membership *)user)->config.place, ticket, error, ref);
}

static void on_name_lost(void *user, troupe_view name, troupe_ref ref)
{
    (void)troupe_system_name_drop(((struct membership *)user)->config.system, name, ref);
}

static int start_client(struct membership *membership)
{
    const struct membership_config *config = &membership->config;
    uint64_t seed = 0;
    (void)host_random(&seed, sizeof seed);
    const struct registry_client_config client = {
        .secret = &membership->secret, .own = config->self->record, .seed = seed,
        .margin_ms = share_of(config->config->lease_ms, MARGIN_PERCENT), .user = membership, .perform = on_perform,
        .abort = on_abort, .on_cluster = on_cluster, .on_state = on_state, .on_event = on_event, .on_list = on_list,
        .on_drain = on_drain, .on_name = on_name, .on_name_lost = on_name_lost,
    };
    return registry_client_new(&client, clock_boot_ms(), &membership->client);
}

/* ---- what workers want ---- */

static void on_claim(void *user, uint64_t ticket, troupe_view name, troupe_ref ref)
{
    struct membership *membership = user;
    int error = registry_client_claim(membership->client, ticket, name, ref, clock_boot_ms());
    if (error != 0)
        place_answer(membership->config.place, ticket, error, (troupe_ref){0});
}

static void on_find(void *user, uint64_t ticket, troupe_view name)
{
    struct membership *membership = user;
    int error = registry_client_find(membership->client, ticket, name, clock_boot_ms());
    if (error != 0)
        place_answer(membership->config.place, ticket, error, (troupe_ref){0});
}

static void on_named(void *user, troupe_view name, troupe_ref ref, bool taken)
{
    registry_client_named(((struct membership *)user)->client, name, ref, taken, clock_boot_ms());
}

static void on_asked_drain(void *user, troupe_home node)
{
    struct membership *membership = user;
    if (troupe_home_equal(node, membership->config.self->record.node))
        on_drain(membership);
    else if (membership->client != NULL)
        registry_client_ask_drain(membership->client, node, clock_boot_ms());
    else
        (void)registry_ask_drain(membership->registry, node); /* it may have left meanwhile */
}

/* ---- time ---- */

void membership_wake(struct membership *membership)
{
    uint64_t now_ms = clock_boot_ms(), away_ms = membership->ran_ms != 0 ? now_ms - membership->ran_ms : 0;
    bool was_away = away_ms > share_of(membership->config.config->lease_ms, SLEEP_PERCENT);
    if (membership->registry != NULL && was_away)
        registry_slept(membership->registry, away_ms);
    membership->ran_ms = now_ms;
}

/* While there are members this thread runs often enough that to be away is seen. */
static uint64_t tick_registry(struct membership *membership, uint64_t now_ms)
{
    uint64_t pulse_ms = share_of(membership->config.config->lease_ms, PULSE_PERCENT);
    uint64_t delay_ms = registry_tick(membership->registry, now_ms);
    if (registry_own_shall_drain(membership->registry) && !membership->was_told_to_drain) {
        membership->was_told_to_drain = true;
        on_drain(membership);
    }
    return delay_ms == UINT64_MAX || delay_ms < pulse_ms ? delay_ms : pulse_ms;
}

uint64_t membership_tick(struct membership *membership)
{
    const struct place_registry workers = {
        .user = membership, .claim = on_claim, .find = on_find, .named = on_named, .drain = on_asked_drain,
    };
    uint64_t now_ms = clock_boot_ms();
    uint64_t delay_ms = UINT64_MAX;
    if (membership->client == NULL && membership->registry == NULL)
        return UINT64_MAX; /* it could not be started */
    place_serve(membership->config.place, &workers);
    if (membership->client != NULL) {
        fail_calls(membership);
        delay_ms = registry_client_tick(membership->client, now_ms);
        for (const struct call *call = membership->calls; call != NULL; call = call->next)
            delay_ms = call->fetch_id == 0 ? 0 : delay_ms;
        place_trust_names(membership->config.place, registry_client_names_until_ms(membership->client));
    } else {
        delay_ms = tick_registry(membership, now_ms);
    }
    uint64_t service_ms = registry_service_tick(membership->service, now_ms);
    return service_ms < delay_ms ? service_ms : delay_ms;
}

/* ---- what the node does ---- */

void membership_set_own(struct membership *membership)
{
    const struct registry_record *record = &membership->config.self->record;
    int error = 0;
    cluster_set_own(membership->config.cluster, record);
    if (membership->client != NULL)
        error = registry_client_set_own(membership->client, record, clock_boot_ms());
    else if (membership->registry != NULL)
        error = registry_set_own(membership->registry, record);
    if (error != 0)
        log_printf(TROUPE_LOG_ERROR, "the node's new record could not be told: memory is exhausted");
}

void membership_drain(struct membership *membership)
{
    membership->config.self->record.state = REGISTRY_DRAINING;
    if (membership->client != NULL)
        registry_client_drain(membership->client, clock_boot_ms());
    else
        membership_set_own(membership);
}

void membership_leave(struct membership *membership)
{
    if (membership->client != NULL && !membership->has_left) {
        registry_client_leave(membership->client, clock_boot_ms());
        return;
    }
    if (membership->registry != NULL && !membership->has_left) {
        registry_leave_own(membership->registry);
        (void)registry_service_tick(membership->service, clock_boot_ms()); /* those who watch hear it now */
    }
    membership->has_left = true;
}

bool membership_has_left(const struct membership *membership) { return membership->has_left; }

struct registry_service *membership_service(struct membership *membership) { return membership->service; }

const struct registry_secret *membership_secret(const struct membership *membership) { return &membership->secret; }

/* ---- life ---- */

/* The cluster of a node that keeps the registry: that of the data directory, or a new one. */
static int choose_cluster(struct membership *membership, char *words, size_t words_cap)
{
    const struct membership_config *config = &membership->config;
    char home[TROUPE_HOME_TEXT_MAX];
    uint64_t random = 0;
    if (config->data->cluster[0] != '\0') {
        snprintf(config->cluster_id, TROUPE_HOME_TEXT_MAX, "%s", config->data->cluster);
        return CONFIG_EXIT_OK;
    }
    if (!host_random(&random, sizeof random)) {
        snprintf(words, words_cap, "the kernel gives no random bits");
        return CONFIG_EXIT_FAILED;
    }
    troupe_home_format((troupe_home){.low = random | 1}, home);
    snprintf(config->cluster_id, TROUPE_HOME_TEXT_MAX, "c.%s", home + 2);
    return data_dir_keep_cluster(config->data, config->cluster_id, words, words_cap) == 0 ? CONFIG_EXIT_OK
                                                                                          : CONFIG_EXIT_DATA_DIR;
}

static int choose_secret(struct membership *membership, char *words, size_t words_cap)
{
    const struct membership_config *config = &membership->config;
    const char *file = config->config->secret_file;
    if (file != NULL && file[0] != '\0')
        return secret_read(file, &membership->secret, words, words_cap) == 0 ? CONFIG_EXIT_OK : CONFIG_EXIT_FAILED;
    if (joins(membership))
        return CONFIG_EXIT_OK; /* when the cluster is known */
    if (!config->is_loopback) {
        snprintf(membership->refusal, sizeof membership->refusal,
                 "this node can be reached by other machines and has no --secret-file, so no node can join it; start "
                 "both with the same --secret-file");
        return CONFIG_EXIT_OK;
    }
    if (secret_make(config->cluster_id, &membership->secret, membership->secret_path, words, words_cap) == 0)
        return CONFIG_EXIT_OK;
    snprintf(membership->refusal, sizeof membership->refusal, "%s", words); /* a lone node needs none */
    return CONFIG_EXIT_OK;
}

static int make_service(struct membership *membership)
{
    uint64_t lease_ms = membership->config.config->lease_ms;
    const struct registry_service_config service = {
        .node = membership->config.self->record.node, .lease_ms = lease_ms,
        .renew_ms = share_of(lease_ms, RENEW_PERCENT), .now_wall_ms = clock_wall_ms(), .now_ms = clock_boot_ms(),
        .refusal = membership->refusal[0] != '\0' ? membership->refusal : NULL,
    };
    uint64_t random;
    if (!host_random(&random, sizeof random))
        return TROUPE_E_INTERNAL;
    snprintf(membership->epoch, sizeof membership->epoch, "%016llx", (unsigned long long)random);
    return registry_service_new(&service, &membership->service);
}

int membership_new(const struct membership_config *config, struct membership **ret_membership, char *words,
                   size_t words_cap)
{
    struct membership *membership = calloc(1, sizeof *membership);
    int status = membership != NULL ? CONFIG_EXIT_OK : CONFIG_EXIT_FAILED;
    snprintf(words, words_cap, "memory is exhausted");
    if (membership == NULL)
        return status;
    membership->config = *config;
    if (joins(membership))
        join_init(&membership->join, config->config->join);
    else
        status = choose_cluster(membership, words, words_cap);
    if (status == CONFIG_EXIT_OK)
        status = choose_secret(membership, words, words_cap);
    if (status == CONFIG_EXIT_OK && make_service(membership) != 0)
        status = CONFIG_EXIT_FAILED;
    if (status != CONFIG_EXIT_OK) {
        membership_free(membership);
        return status;
    }
    if (joins(membership))
        registry_service_join(membership->service, "", config->config->join, NULL);
    *ret_membership = membership;
    return CONFIG_EXIT_OK;
}

int membership_start(struct membership *membership, struct fetch *fetch, struct peer_port *peers)
{
    membership->fetch = fetch;
    membership->peers = peers;
    if (!joins(membership))
        set_up(membership);
    cluster_set_own(membership->config.cluster, &membership->config.self->record);
    int error = joins(membership) ? start_client(membership) : start_registry(membership);
    if (error == 0 && !joins(membership))
        membership->config.on_up(membership->config.user);
    return error;
}

void membership_free(struct membership *membership)
{
    if (membership == NULL)
        return;
    registry_client_free(membership->client);
    while (membership->calls != NULL)
        drop_call(&membership->calls);
    registry_service_free(membership->service);
    verify_free(membership->verify);
    registry_free(membership->registry);
    if (membership->secret_path[0] != '\0' && membership->config.data->path == NULL)
        (void)remove(membership->secret_path); /* no other node will be of this cluster */
    free(membership);
}
