/* SPDX-License-Identifier: Apache-2.0
 *
 * A map from a non-zero 64-bit key to a 64-bit value, open addressing, never shrinks, nothing is removed. For the
 * simulator's model only. Thread: one. */
#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include <stdint.h>

struct table {
    uint64_t *keys, *values;
    uint32_t mask, count;
};

/* The place of a key's value, made as 0 when it is new. Lives: until the next call. Ends the program without memory. */
uint64_t *table_at(struct table *table, uint64_t key);

/* Forget everything. Legal for a zeroed table. */
void table_fini(struct table *table);

#endif
