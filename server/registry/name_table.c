/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/name_table.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64 };

static uint32_t hash_of(const struct name_table *table, troupe_view name)
{
    uint64_t hash = table->seed ^ (name.len * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> 32);
}

void name_table_fini(struct name_table *table)
{
    free(table->buckets);
    *table = (struct name_table){.seed = table->seed};
}

struct name_node *name_table_find(const struct name_table *table, troupe_view name)
{
    if (table->buckets == NULL)
        return NULL;
    uint32_t hash = hash_of(table, name);
    struct name_node *node = table->buckets[hash & table->mask];
    while (node != NULL && (node->hash != hash || !troupe_view_equal(node->name, name)))
        node = node->chain;
    return node;
}

static int grow(struct name_table *table)
{
    uint32_t count = table->buckets == NULL ? BUCKETS_MIN : 2 * (table->mask + 1);
    struct name_node **buckets = calloc(count, sizeof(struct name_node *));
    if (buckets == NULL)
        return table->buckets != NULL ? 0 : TROUPE_E_NO_MEMORY; /* longer chains will do */
    for (uint32_t i = 0; table->buckets != NULL && i <= table->mask; i++) {
        for (struct name_node *node = table->buckets[i], *next; node != NULL; node = next) {
            next = node->chain;
            node->chain = buckets[node->hash & (count - 1)];
            buckets[node->hash & (count - 1)] = node;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->mask = count - 1;
    return 0;
}

int name_table_add(struct name_table *table, struct name_node *node)
{
    if (table->buckets == NULL || table->count > table->mask) {
        int error = grow(table);
        if (error != 0)
            return error;
    }
    node->hash = hash_of(table, node->name);
    node->chain = table->buckets[node->hash & table->mask];
    table->buckets[node->hash & table->mask] = node;
    table->count++;
    return 0;
}

void name_table_remove(struct name_table *table, struct name_node *node)
{
    struct name_node **link = &table->buckets[node->hash & table->mask];
    while (*link != node)
        link = &(*link)->chain;
    *link = node->chain;
    node->chain = NULL;
    table->count--;
}
