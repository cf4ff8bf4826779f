/* SPDX-License-Identifier: Apache-2.0
 *
 * The map of kv: an array of pointers in the order of the keys. Beside a hash table that makes put and delete cost a
 * memmove (of 8 bytes a key, 80 KB at the default size), and list, with its pages and prefixes, costs nothing.
 *
 * Thread: the actor's turn. Owns: everything; kv_map_fini frees it. Zeroed memory with the two maxima set is empty. */
#ifndef TROUPE_BEHAVIORS_KV_MAP_H
#define TROUPE_BEHAVIORS_KV_MAP_H

#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

struct kv_entry {
    uint64_t revision;
    uint32_t key_len;   /* bytes */
    uint32_t value_len; /* bytes */
    char bytes[];       /* the key, then the value */
};

struct kv_map {
    struct kv_entry **entries; /* ordered by key */
    uint32_t count;
    uint32_t room;             /* pointers that entries has room for */
    uint32_t keys_max;
    uint32_t bytes_max;
    uint64_t bytes;            /* of keys and values */
    uint64_t revision;         /* of the last change: grows by one with each */
};

/* The place of the first key that is not before this one, by bytes; count when there is none. */
uint32_t kv_map_lower_bound(const struct kv_map *map, troupe_view key);

/* The entry of the key, or NULL; *ret_at is its place or the place where it belongs.
 * Lives: until the map changes. */
struct kv_entry *kv_map_find(const struct kv_map *map, troupe_view key, uint32_t *ret_at);

/* Set a value; `old` and `at` are what kv_map_find gave for the key. Key and value are copied.
 * Fails: TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY; then nothing has changed */
TROUPE_MUST_USE int kv_map_put(struct kv_map *map, troupe_view key, troupe_view value, struct kv_entry *old,
                               uint32_t at);

/* Forget the entry at this place. */
void kv_map_delete(struct kv_map *map, uint32_t at);

void kv_map_fini(struct kv_map *map);

static inline troupe_view kv_entry_key(const struct kv_entry *entry)
{
    return (troupe_view){.ptr = entry->bytes, .len = entry->key_len};
}

static inline troupe_view kv_entry_value(const struct kv_entry *entry)
{
    return (troupe_view){.ptr = entry->bytes + entry->key_len, .len = entry->value_len};
}

#endif
