/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdlib.h>

static uint32_t slot_of(const struct table *table, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    uint32_t i = (uint32_t)(hash >> 32) & table->mask;

    while (table->keys[i] != 0 && table->keys[i] != key) {
        i = (i + 1) & table->mask;
    }
    return i;
}

static void grow(struct table *table)
{
    struct table old = *table;
    uint32_t size = old.keys == NULL ? 64 : (old.mask + 1) * 2;

    table->keys = calloc(size, sizeof(uint64_t));
    table->values = calloc(size, sizeof(uint64_t));
    if (table->keys == NULL || table->values == NULL) {
        abort();
    }
    table->mask = size - 1;
    for (uint32_t i = 0; old.keys != NULL && i <= old.mask; i++) {
        if (old.keys[i] != 0) {
            uint32_t to = slot_of(table, old.keys[i]);
            table->keys[to] = old.keys[i];
            table->values[to] = old.values[i];
        }
    }
    free(old.keys);
    free(old.values);
}

uint64_t *table_at(struct table *table, uint64_t key)
{
    if (table->keys == NULL || table->count * 2 > table->mask) {
        grow(table);
    }
    uint32_t i = slot_of(table, key);
    if (table->keys[i] == 0) {
        table->keys[i] = key;
        table->count++;
    }
    return &table->values[i];
}

void table_fini(struct table *table)
{
    free(table->keys);
    free(table->values);
    *table = (struct table){0};
}
