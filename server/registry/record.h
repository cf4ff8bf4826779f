/* SPDX-License-Identifier: Apache-2.0
 *
 * What the registry knows of a node, and the events of its member list; their JSON is in docs/registry.md.
 *
 * Thread: any; a record is a value without pointers but `extra`. */
#ifndef TROUPE_SERVER_REGISTRY_RECORD_H
#define TROUPE_SERVER_REGISTRY_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <troupe/ref.h>

enum {
    REGISTRY_PROTOCOL = 1,       /* spoken by this version; a peer may be one away */
    REGISTRY_ENDPOINTS_MAX = 4,
    REGISTRY_NODES_MAX = 128,
    REGISTRY_CLUSTER_BYTES = 16,
    REGISTRY_HOST_BYTES = 256
};

enum registry_state { REGISTRY_JOINING = 1, REGISTRY_UP, REGISTRY_DRAINING, REGISTRY_DOWN };
const char *registry_state_word(enum registry_state state);
enum registry_state registry_state_parse(const char *word); /* 0: no such word, or NULL */

struct registry_endpoint {
    char purpose[8];             /* "api", "peer" */
    char scheme[8];              /* "http", "troupe" */
    char host[REGISTRY_HOST_BYTES]; /* advertised, v6 without brackets */
    uint16_t port, bound_port;   /* advertised; bound */
};

struct registry_record {
    troupe_home node;
    uint32_t revision;           /* the node counts its records up: a re-listen makes a new one */
    enum registry_state state;
    uint16_t protocol_min, protocol_max;
    char version[32];
    uint64_t started_at_ms;      /* wall clock */
    uint32_t endpoints_count;
    struct registry_endpoint endpoints[REGISTRY_ENDPOINTS_MAX];
    json_t *extra;               /* owned: {"behaviors":[{name,version}...],"labels":{...}}; may be NULL */
};

void registry_record_fini(struct registry_record *record);
/* Copy; *dst is overwritten, not finished. Fails: TROUPE_E_NO_MEMORY. */
int registry_record_copy(struct registry_record *dst, const struct registry_record *src);
json_t *registry_record_to_json(const struct registry_record *record); /* NULL: no memory */
/* Fails: TROUPE_E_SCHEMA with words. */
int registry_record_from_json(const json_t *json, struct registry_record *ret_record, char *words, size_t words_cap);
const struct registry_endpoint *registry_record_endpoint(const struct registry_record *record, const char *purpose);

enum registry_what {
    REGISTRY_NODE_JOINING = 1,   /* registered, not verified yet */
    REGISTRY_NODE_UP,            /* verified reachable */
    REGISTRY_NODE_CHANGED,       /* a new record: other endpoints, labels */
    REGISTRY_NODE_DRAINING,
    REGISTRY_NODE_LEFT,          /* it said so */
    REGISTRY_NODE_DOWN           /* its lease has ended */
};
const char *registry_what_word(enum registry_what what); /* "node.joining", "node.up", ... */
enum registry_what registry_what_parse(const char *word); /* 0: no such word, or NULL */

struct registry_event {
    uint64_t revision;           /* of the member list; counts from 1 in each epoch of the registry */
    enum registry_what what;
    const struct registry_record *record;
};

#endif
