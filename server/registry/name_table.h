/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of names whose nodes are embedded in what the names belong to. The engine keeps the names of all members
 * in one, the client those of its node.
 *
 * Thread: one owner. */
#ifndef TROUPE_SERVER_REGISTRY_NAME_TABLE_H
#define TROUPE_SERVER_REGISTRY_NAME_TABLE_H

#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

struct name_node {
    struct name_node *chain;     /* the table's own */
    uint32_t hash;
    troupe_view name;            /* its bytes live as long as the node is in the table */
};

struct name_table {
    struct name_node **buckets;  /* `mask` + 1, NULL while empty */
    uint32_t mask, count;
    uint64_t seed;               /* set by the owner before the first use, so that nobody can choose collisions */
};

void name_table_fini(struct name_table *table); /* the nodes are their owners' */
struct name_node *name_table_find(const struct name_table *table, troupe_view name);
/* Fails: TROUPE_E_NO_MEMORY. The name must not be in the table. */
TROUPE_MUST_USE int name_table_add(struct name_table *table, struct name_node *node);
void name_table_remove(struct name_table *table, struct name_node *node);

#endif
