/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's view of its cluster: who the members are, in what state this node is, and its events. Fed by the registry,
 * be it this node's own (registry/engine.h) or another's (registry/client.h); read by the API.
 *
 * Threads: the control thread writes; any thread reads, under a lock that is held for a copy. */
#ifndef TROUPE_SERVER_CLUSTER_H
#define TROUPE_SERVER_CLUSTER_H

#include <troupe/system.h>

#include "registry/record.h"

struct cluster;

enum { CLUSTER_URL_BYTES = 320 };

/* ---- the control thread's ---- */

/* `events` is the topic that tells; borrowed, may be NULL. Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int cluster_new(troupe_home own, troupe_topic *events, struct cluster **ret_cluster);
void cluster_free(struct cluster *cluster);

/* What this node tells of itself, so that it is known before it is a member. Copied. */
void cluster_set_own(struct cluster *cluster, const struct registry_record *record);

/* Something happened to a member. */
void cluster_on_event(struct cluster *cluster, const struct registry_event *event);

/* The members anew: what is new in it is told, and who is not in it is down. */
void cluster_on_list(struct cluster *cluster, const struct registry_record *records, unsigned count);

/* The registry is away, in words; NULL: it is there (again). */
void cluster_set_trouble(struct cluster *cluster, const char *words);

/* A lease of this node that counts from now_ms (boot clock); and how often it was renewed. */
void cluster_renewed(struct cluster *cluster, uint64_t now_ms);

/* How cluster_ask_drain reaches the control thread; set before other threads are made. */
void cluster_set_drain(struct cluster *cluster, int (*ask)(void *user, troupe_home node), void *user);

/* ---- any thread's ---- */

/* The members as a page of the API: an array of node documents, sorted by id. NULL: no memory. */
json_t *cluster_nodes_doc(struct cluster *cluster);

/* One member. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_NO_MEMORY; TROUPE_E_GONE: it was one. */
int cluster_node_doc(struct cluster *cluster, troupe_home node, json_t **ret_document);

/* Where a member is: its advertised API URL. False: it is none. */
bool cluster_api_url(struct cluster *cluster, troupe_home node, char *url, size_t cap);

/* What this node tells of itself: its API URL, its peer port ("host:port"), its endpoints and its labels as
 * JSON (NULL: no memory). */
struct cluster_own {
    char api_url[CLUSTER_URL_BYTES], peer[CLUSTER_URL_BYTES];
    json_t *endpoints, *labels;  /* owned by the caller */
};
void cluster_own(struct cluster *cluster, struct cluster_own *ret_own);

/* May a page of this origin use the API: is it an API origin of a member ("http://host:port", compared whole)? */
bool cluster_has_origin(struct cluster *cluster, troupe_view origin);

/* Ask that a member drains. Any thread: it is done by the control thread. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_GONE,
 * TROUPE_E_REGISTRY_LOST, TROUPE_E_NO_MEMORY. */
int cluster_ask_drain(struct cluster *cluster, troupe_home node);

/* Is this node's registry away (its lease may end)? For readyz and /v1/node: words, or NULL. The words are copied into
 * text. */
const char *cluster_trouble(struct cluster *cluster, char *text, size_t cap);

/* For metrics. */
struct cluster_figures {
    uint64_t members;            /* that are up */
    uint64_t renewals;           /* of this node's lease */
    uint64_t renewed_at_ms;      /* boot clock; 0: it has no lease */
    bool is_registry_lost;
};
void cluster_figures(struct cluster *cluster, struct cluster_figures *ret_figures);

#endif
