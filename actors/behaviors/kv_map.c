/* SPDX-License-Identifier: Apache-2.0 */
#include "kv_map.h"

#include <troupe/context.h>
#include <troupe/mem.h>

static int compare(const struct kv_entry *entry, troupe_view key)
{
    size_t len = entry->key_len < key.len ? entry->key_len : key.len;
    int order = len == 0 ? 0 : memcmp(entry->bytes, key.ptr, len);

    if (order != 0)
        return order;
    return entry->key_len == key.len ? 0 : entry->key_len < key.len ? -1 : 1;
}

uint32_t kv_map_lower_bound(const struct kv_map *map, troupe_view key)
{
    uint32_t low = 0, high = map->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(map->entries[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct kv_entry *kv_map_find(const struct kv_map *map, troupe_view key, uint32_t *ret_at)
{
    uint32_t at = kv_map_lower_bound(map, key);

    *ret_at = at;
    return at < map->count && compare(map->entries[at], key) == 0 ? map->entries[at] : NULL;
}

static uint64_t bytes_of(const struct kv_entry *entry) { return (uint64_t)entry->key_len + entry->value_len; }

static int grow(struct kv_map *map)
{
    uint32_t room = map->room == 0 ? 8 : map->room * 2;
    struct kv_entry **entries = troupe_realloc(map->entries, room * sizeof(struct kv_entry *));

    if (entries == NULL)
        return TROUPE_E_NO_MEMORY;
    map->entries = entries;
    map->room = room;
    return 0;
}

int kv_map_put(struct kv_map *map, troupe_view key, troupe_view value, struct kv_entry *old, uint32_t at)
{
    uint64_t bytes = map->bytes + key.len + value.len - (old != NULL ? bytes_of(old) : 0);
    struct kv_entry *entry;
    int rc;

    if (bytes > map->bytes_max || (old == NULL && map->count == map->keys_max))
        return TROUPE_E_LIMIT;
    if (old == NULL && map->count == map->room) {
        rc = grow(map);
        if (rc != 0)
            return rc;
    }
    entry = troupe_alloc(sizeof *entry + key.len + value.len);
    if (entry == NULL)
        return TROUPE_E_NO_MEMORY;
    entry->revision = ++map->revision;
    entry->key_len = (uint32_t)key.len;
    entry->value_len = (uint32_t)value.len;
    memcpy(entry->bytes, key.ptr, key.len);
    memcpy(entry->bytes + key.len, value.ptr, value.len);

    if (old == NULL) {
        memmove(map->entries + at + 1, map->entries + at, (map->count - at) * sizeof(struct kv_entry *));
        map->count++;
    }
    map->entries[at] = entry;
    map->bytes = bytes;
    troupe_free(old);
    return 0;
}

void kv_map_delete(struct kv_map *map, uint32_t at)
{
    struct kv_entry *entry = map->entries[at];

    map->count--;
    memmove(map->entries + at, map->entries + at + 1, (map->count - at) * sizeof(struct kv_entry *));
    map->bytes -= bytes_of(entry);
    map->revision++;
    troupe_free(entry);
}

void kv_map_fini(struct kv_map *map)
{
    for (uint32_t i = 0; i < map->count; i++)
        troupe_free(map->entries[i]);
    troupe_free(map->entries);
}
