/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum { PAST_MAX = 1024, TROUBLE_BYTES = 256, SILENT = -1 };

struct member {
    struct registry_record record;
    char api_url[CLUSTER_URL_BYTES];
};

struct cluster {
    troupe_home own;             /* set once, this and below */
    troupe_topic *events;
    int (*ask_drain)(void *user, troupe_home node);
    void *ask_drain_user;

    pthread_mutex_t lock;        /* of all below */
    struct member members[REGISTRY_NODES_MAX + 1]; /* sorted by id */
    unsigned count;
    struct registry_record own_record;
    bool has_own;
    uint64_t past[PAST_MAX];     /* ids that were members, a ring */
    unsigned past_next;
    char trouble[TROUBLE_BYTES];
    uint64_t renewals, renewed_at_ms;
};

/* ---- documents ---- */

static void write_url(const struct registry_endpoint *endpoint, bool with_scheme, char *url, size_t cap)
{
    bool is_v6 = endpoint != NULL && strchr(endpoint->host, ':') != NULL;
    url[0] = '\0';
    if (endpoint != NULL)
        snprintf(url, cap, "%s%s%s%s%s:%u", with_scheme ? endpoint->scheme : "", with_scheme ? "://" : "",
                 is_v6 ? "[" : "", endpoint->host, is_v6 ? "]" : "", (unsigned)endpoint->port);
}

static json_t *endpoints_doc(const struct registry_record *record)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < record->endpoints_count; i++) {
        const struct registry_endpoint *endpoint = &record->endpoints[i];
        json_t *item = json_pack("{s:s, s:s, s:s, s:i, s:i}", "purpose", endpoint->purpose, "scheme", endpoint->scheme,
                                 "host", endpoint->host, "port", (int)endpoint->port, "bound_port",
                                 (int)endpoint->bound_port);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* A copy: reference counts of jansson are not for several threads. */
static json_t *copy_extra(const struct registry_record *record, const char *member, json_t *otherwise)
{
    const json_t *found = record->extra != NULL ? json_object_get(record->extra, member) : NULL;
    if (found == NULL)
        return otherwise;
    json_decref(otherwise);
    return json_deep_copy(found);
}

static json_t *member_doc(const struct member *member)
{
    const struct registry_record *record = &member->record;
    char node[TROUPE_HOME_TEXT_MAX], peer[CLUSTER_URL_BYTES], started_at[CLOCK_TEXT_BYTES];
    troupe_home_format(record->node, node);
    clock_format(record->started_at_ms, started_at);
    write_url(registry_record_endpoint(record, "peer"), false, peer, sizeof peer);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "node", node, "state",
                     registry_state_word(record->state), "api", member->api_url, "peer", peer, "version",
                     record->version, "started_at", started_at, "revision", (int)record->revision, "endpoints",
                     endpoints_doc(record), "behaviors", copy_extra(record, "behaviors", json_array()), "labels",
                     copy_extra(record, "labels", json_object()));
}

/* ---- events ---- */

static void publish(struct cluster *cluster, const char *type, json_t *document)
{
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (text != NULL && cluster->events != NULL &&
        troupe_topic_publish(cluster->events, troupe_view_of(type), troupe_body_json(text, strlen(text)), NULL) != 0)
        log_printf(TROUPE_LOG_ERROR, "an event of the cluster could not be told: memory is exhausted");
    free(text);
}

static void publish_member(struct cluster *cluster, enum registry_what what, uint64_t revision,
                           const struct registry_record *record)
{
    char node[TROUPE_HOME_TEXT_MAX], at[CLOCK_TEXT_BYTES], api[CLUSTER_URL_BYTES], peer[CLUSTER_URL_BYTES];
    bool is_gone = what == REGISTRY_NODE_LEFT || what == REGISTRY_NODE_DOWN;
    troupe_home_format(record->node, node);
    clock_format(clock_wall_ms(), at);
    write_url(registry_record_endpoint(record, "api"), true, api, sizeof api);
    write_url(registry_record_endpoint(record, "peer"), false, peer, sizeof peer);
    const char *state = registry_state_word(is_gone ? REGISTRY_DOWN : record->state);
    publish(cluster, registry_what_word(what),
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "node", node, "state", state, "api", api, "peer", peer,
                      "version", record->version, "revision", (json_int_t)revision, "at", at));
    const struct log_field fields[] = {{"node", node}, {"api", api}, {NULL, NULL}};
    if (!troupe_home_equal(record->node, cluster->own))
        log_write(what == REGISTRY_NODE_DOWN ? TROUPE_LOG_WARN : TROUPE_LOG_INFO, registry_what_word(what), fields);
}

/* ---- the table; under the lock ---- */

static unsigned place_of(const struct cluster *cluster, troupe_home node)
{
    unsigned low = 0, high = cluster->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (cluster->members[middle].record.node.low < node.low)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct member *find(struct cluster *cluster, troupe_home node)
{
    unsigned at = place_of(cluster, node);
    bool is_there = at < cluster->count && troupe_home_equal(cluster->members[at].record.node, node);
    return is_there ? &cluster->members[at] : NULL;
}

static void remove_at(struct cluster *cluster, unsigned at)
{
    cluster->past[cluster->past_next++ % PAST_MAX] = cluster->members[at].record.node.low;
    registry_record_fini(&cluster->members[at].record);
    cluster->count--;
    memmove(&cluster->members[at], &cluster->members[at + 1], (cluster->count - at) * sizeof cluster->members[0]);
}

static void put(struct cluster *cluster, const struct registry_record *record)
{
    struct registry_record copy;
    unsigned at = place_of(cluster, record->node);
    bool is_known = find(cluster, record->node) != NULL;
    if ((!is_known && cluster->count > REGISTRY_NODES_MAX) || registry_record_copy(&copy, record) != 0) {
        log_printf(TROUPE_LOG_ERROR, "a member of the cluster could not be noted: there are too many, or memory is "
                                     "exhausted");
        return;
    }
    if (is_known) {
        registry_record_fini(&cluster->members[at].record);
    } else {
        memmove(&cluster->members[at + 1], &cluster->members[at], (cluster->count - at) * sizeof cluster->members[0]);
        cluster->count++;
    }
    struct member *member = &cluster->members[at];
    *member = (struct member){.record = copy};
    write_url(registry_record_endpoint(record, "api"), true, member->api_url, sizeof member->api_url);
}

/* ---- control ---- */

int cluster_new(troupe_home own, troupe_topic *events, struct cluster **ret_cluster)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL)
        return TROUPE_E_NO_MEMORY;
    cluster->own = own;
    cluster->events = events;
    pthread_mutex_init(&cluster->lock, NULL);
    *ret_cluster = cluster;
    return 0;
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    while (cluster->count > 0)
        remove_at(cluster, cluster->count - 1);
    if (cluster->has_own)
        registry_record_fini(&cluster->own_record);
    pthread_mutex_destroy(&cluster->lock);
    free(cluster);
}

void cluster_set_drain(struct cluster *cluster, int (*ask)(void *user, troupe_home node), void *user)
{
    cluster->ask_drain = ask;
    cluster->ask_drain_user = user;
}

void cluster_set_own(struct cluster *cluster, const struct registry_record *record)
{
    struct registry_record copy;
    if (registry_record_copy(&copy, record) != 0)
        return;
    pthread_mutex_lock(&cluster->lock);
    if (cluster->has_own)
        registry_record_fini(&cluster->own_record);
    cluster->own_record = copy;
    cluster->has_own = true;
    pthread_mutex_unlock(&cluster->lock);
}

void cluster_on_event(struct cluster *cluster, const struct registry_event *event)
{
    bool is_gone = event->what == REGISTRY_NODE_LEFT || event->what == REGISTRY_NODE_DOWN;
    pthread_mutex_lock(&cluster->lock);
    bool was_known = find(cluster, event->record->node) != NULL;
    if (!is_gone)
        put(cluster, event->record);
    else if (was_known)
        remove_at(cluster, place_of(cluster, event->record->node));
    pthread_mutex_unlock(&cluster->lock);
    if (!is_gone || was_known)
        publish_member(cluster, event->what, event->revision, event->record);
}

static enum registry_what what_of(enum registry_state state)
{
    return state == REGISTRY_JOINING    ? REGISTRY_NODE_JOINING
           : state == REGISTRY_DRAINING ? REGISTRY_NODE_DRAINING
                                        : REGISTRY_NODE_UP;
}

/* What an entry of a list tells, beside what is known: an enum registry_what, or SILENT for nothing new. */
static int news_of(struct cluster *cluster, const struct registry_record *record)
{
    const struct member *known = find(cluster, record->node);
    if (known == NULL || known->record.state != record->state)
        return (int)what_of(record->state);
    return known->record.revision != record->revision ? (int)REGISTRY_NODE_CHANGED : SILENT;
}

static bool has(const struct registry_record *records, unsigned count, troupe_home node)
{
    for (unsigned i = 0; i < count; i++) {
        if (troupe_home_equal(records[i].node, node))
            return true;
    }
    return false;
}

/* Only this thread changes the table, so reading it needs no lock here. */
static void remove_missing(struct cluster *cluster, const struct registry_record *records, unsigned count)
{
    for (unsigned i = 0; i < cluster->count;) {
        struct registry_record gone;
        if (has(records, count, cluster->members[i].record.node)) {
            i++;
            continue;
        }
        bool is_copied = registry_record_copy(&gone, &cluster->members[i].record) == 0;
        pthread_mutex_lock(&cluster->lock);
        remove_at(cluster, i);
        pthread_mutex_unlock(&cluster->lock);
        if (is_copied) {
            publish_member(cluster, REGISTRY_NODE_DOWN, 0, &gone);
            registry_record_fini(&gone);
        }
    }
}

void cluster_on_list(struct cluster *cluster, const struct registry_record *records, unsigned count)
{
    remove_missing(cluster, records, count);
    for (unsigned i = 0; i < count; i++) {
        int news = news_of(cluster, &records[i]);
        pthread_mutex_lock(&cluster->lock);
        put(cluster, &records[i]);
        pthread_mutex_unlock(&cluster->lock);
        if (news != SILENT)
            publish_member(cluster, (enum registry_what)news, 0, &records[i]);
    }
}

void cluster_set_trouble(struct cluster *cluster, const char *words)
{
    char at[CLOCK_TEXT_BYTES], own[TROUPE_HOME_TEXT_MAX];
    pthread_mutex_lock(&cluster->lock);
    bool was_lost = cluster->trouble[0] != '\0';
    snprintf(cluster->trouble, sizeof cluster->trouble, "%s", words != NULL ? words : "");
    bool is_lost = cluster->trouble[0] != '\0';
    pthread_mutex_unlock(&cluster->lock);
    if (was_lost == is_lost)
        return;
    clock_format(clock_wall_ms(), at);
    troupe_home_format(cluster->own, own);
    publish(cluster, is_lost ? "registry.lost" : "registry.found",
            json_pack("{s:s, s:s, s:s}", "node", own, "detail", is_lost ? words : "", "at", at));
    log_printf(is_lost ? TROUPE_LOG_WARN : TROUPE_LOG_INFO,
               is_lost ? "the registry is away: %s" : "the registry is back%s", is_lost ? words : "");
}

void cluster_renewed(struct cluster *cluster, uint64_t now_ms)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->renewals++;
    cluster->renewed_at_ms = now_ms;
    pthread_mutex_unlock(&cluster->lock);
}

/* ---- readers ---- */

json_t *cluster_nodes_doc(struct cluster *cluster)
{
    json_t *list = json_array();
    pthread_mutex_lock(&cluster->lock);
    for (unsigned i = 0; list != NULL && i < cluster->count; i++) {
        if (json_array_append_new(list, member_doc(&cluster->members[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    pthread_mutex_unlock(&cluster->lock);
    return list;
}

static int why_not(const struct cluster *cluster, troupe_home node)
{
    for (unsigned i = 0; i < PAST_MAX; i++) {
        if (node.high == 0 && node.low != 0 && cluster->past[i] == node.low)
            return TROUPE_E_GONE;
    }
    return TROUPE_E_NOT_FOUND;
}

int cluster_node_doc(struct cluster *cluster, troupe_home node, json_t **ret_document)
{
    pthread_mutex_lock(&cluster->lock);
    const struct member *member = find(cluster, node);
    int error = member == NULL ? why_not(cluster, node) : 0;
    if (member != NULL) {
        *ret_document = member_doc(member);
        error = *ret_document != NULL ? 0 : TROUPE_E_NO_MEMORY;
    }
    pthread_mutex_unlock(&cluster->lock);
    return error;
}

bool cluster_api_url(struct cluster *cluster, troupe_home node, char *url, size_t cap)
{
    pthread_mutex_lock(&cluster->lock);
    const struct member *member = find(cluster, node);
    if (member != NULL)
        snprintf(url, cap, "%s", member->api_url);
    pthread_mutex_unlock(&cluster->lock);
    return member != NULL;
}

void cluster_own(struct cluster *cluster, struct cluster_own *ret_own)
{
    pthread_mutex_lock(&cluster->lock);
    const struct registry_record *record = &cluster->own_record;
    write_url(cluster->has_own ? registry_record_endpoint(record, "api") : NULL, true, ret_own->api_url,
              sizeof ret_own->api_url);
    write_url(cluster->has_own ? registry_record_endpoint(record, "peer") : NULL, false, ret_own->peer,
              sizeof ret_own->peer);
    ret_own->endpoints = endpoints_doc(record);
    ret_own->labels = copy_extra(record, "labels", json_object());
    pthread_mutex_unlock(&cluster->lock);
}

bool cluster_has_origin(struct cluster *cluster, troupe_view origin)
{
    bool has = false;
    pthread_mutex_lock(&cluster->lock);
    for (unsigned i = 0; i < cluster->count && !has; i++)
        has = troupe_view_equal(troupe_view_of(cluster->members[i].api_url), origin);
    pthread_mutex_unlock(&cluster->lock);
    return has;
}

int cluster_ask_drain(struct cluster *cluster, troupe_home node)
{
    pthread_mutex_lock(&cluster->lock);
    int error = find(cluster, node) == NULL ? why_not(cluster, node) : 0;
    if (error == 0 && cluster->trouble[0] != '\0' && !troupe_home_equal(node, cluster->own))
        error = TROUPE_E_REGISTRY_LOST;
    pthread_mutex_unlock(&cluster->lock);
    return error != 0 ? error : cluster->ask_drain(cluster->ask_drain_user, node);
}

const char *cluster_trouble(struct cluster *cluster, char *text, size_t cap)
{
    pthread_mutex_lock(&cluster->lock);
    snprintf(text, cap, "%s", cluster->trouble);
    pthread_mutex_unlock(&cluster->lock);
    return text[0] != '\0' ? text : NULL;
}

void cluster_figures(struct cluster *cluster, struct cluster_figures *ret_figures)
{
    struct cluster_figures figures = {0};
    pthread_mutex_lock(&cluster->lock);
    for (unsigned i = 0; i < cluster->count; i++)
        figures.members += cluster->members[i].record.state == REGISTRY_UP ? 1 : 0;
    figures.renewals = cluster->renewals;
    figures.renewed_at_ms = cluster->renewed_at_ms;
    figures.is_registry_lost = cluster->trouble[0] != '\0';
    pthread_mutex_unlock(&cluster->lock);
    *ret_figures = figures;
}
