/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is there: entries by id, in buckets, and by number, in an array that only grows at its end. An entry that goes
 * leaves a gap; when half of the array is gaps it is closed up. */
#include "supervisor.h"

#define BUCKETS_FIRST 8u
#define PLACES_FIRST 8u

static uint32_t hash_of(troupe_view id)
{
    uint32_t hash = 2166136261u; /* FNV-1a; ids come from those who may spawn, and a chain costs them only */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 16777619u;
    return hash;
}

static struct entry **bucket_of(const struct table *table, troupe_view id)
{
    return &table->buckets[hash_of(id) & table->buckets_mask];
}

static troupe_view id_of(const struct entry *entry)
{
    return (troupe_view){.ptr = entry->id, .len = entry->id_len};
}

struct entry *supervisor_find(const struct table *table, troupe_view id)
{
    struct entry *entry = table->buckets != NULL ? *bucket_of(table, id) : NULL;

    while (entry != NULL && !troupe_view_equal(id_of(entry), id))
        entry = entry->next;
    return entry;
}

/* The index of the first place with this number or a later one. */
static uint32_t lower_bound(const struct table *table, uint64_t number)
{
    uint32_t low = 0, high = table->places_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (table->places[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct entry *supervisor_at(const struct table *table, uint64_t number)
{
    uint32_t at = lower_bound(table, number);

    return at < table->places_count && table->places[at].number == number ? table->places[at].entry : NULL;
}

struct entry *supervisor_after(const struct table *table, uint64_t number)
{
    uint32_t at = number < table->last_number ? lower_bound(table, number + 1) : table->places_count;

    while (at < table->places_count && table->places[at].entry == NULL)
        at++;
    return at < table->places_count ? table->places[at].entry : NULL;
}

static bool grow_buckets(struct table *table)
{
    uint32_t size = table->buckets != NULL ? (table->buckets_mask + 1) * 2 : BUCKETS_FIRST;
    struct entry **buckets = troupe_alloc(size * sizeof *buckets);

    if (buckets == NULL)
        return table->buckets != NULL; /* longer chains do as well */
    memset(buckets, 0, size * sizeof *buckets);
    troupe_free(table->buckets);
    table->buckets = buckets;
    table->buckets_mask = size - 1;
    for (uint32_t i = 0; i < table->places_count; i++) {
        struct entry *entry = table->places[i].entry, **bucket;

        if (entry == NULL)
            continue;
        bucket = bucket_of(table, id_of(entry));
        entry->next = *bucket;
        *bucket = entry;
    }
    return true;
}

static bool grow_places(struct table *table)
{
    uint32_t max = table->places_max != 0 ? table->places_max * 2 : PLACES_FIRST;
    struct place *places = troupe_realloc(table->places, max * sizeof *places);

    if (places == NULL)
        return false;
    table->places = places;
    table->places_max = max;
    return true;
}

struct entry *supervisor_add(struct table *table, troupe_view id)
{
    struct entry *entry = troupe_alloc(sizeof *entry + id.len + 1), **bucket;

    if (entry == NULL)
        return NULL;
    if (((table->buckets == NULL || table->count > table->buckets_mask) && !grow_buckets(table)) ||
        (table->places_count == table->places_max && !grow_places(table))) {
        troupe_free(entry);
        return NULL;
    }
    *entry = (struct entry){.number = ++table->last_number, .id_len = id.len};
    memcpy(entry->id, id.ptr, id.len);
    entry->id[id.len] = '\0';
    bucket = bucket_of(table, id);
    entry->next = *bucket;
    *bucket = entry;
    table->places[table->places_count++] = (struct place){.number = entry->number, .entry = entry};
    table->count++;
    return entry;
}

static void close_up(struct table *table)
{
    uint32_t to = 0;

    for (uint32_t i = 0; i < table->places_count; i++)
        if (table->places[i].entry != NULL)
            table->places[to++] = table->places[i];
    table->places_count = to;
}

static void free_entry(struct entry *entry)
{
    while (entry->askers != NULL) {
        struct asker *asker = entry->askers;

        entry->askers = asker->next;
        troupe_free(asker);
    }
    troupe_free(entry);
}

void supervisor_remove(struct table *table, struct entry *entry)
{
    struct entry **at = bucket_of(table, id_of(entry));

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->places[lower_bound(table, entry->number)].entry = NULL;
    free_entry(entry);
    table->count--;
    if (table->places_count > PLACES_FIRST && table->count < table->places_count / 2)
        close_up(table);
}

void supervisor_table_fini(struct table *table)
{
    for (uint32_t i = 0; i < table->places_count; i++)
        if (table->places[i].entry != NULL)
            free_entry(table->places[i].entry);
    troupe_free(table->places);
    troupe_free(table->buckets);
}
