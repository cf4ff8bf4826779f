/* SPDX-License-Identifier: Apache-2.0
 *
 * Which worker gets a job.
 *
 *   queue        the first that is free
 *   key          always the same for a key: "A Fast, Minimal Memory, Consistent Hash Algorithm" (Lamping, Veach 2014).
 *                It moves as few keys as rendezvous hashing does, 1/(n+1) of them for the n+1st worker and none between
 *                the others, in O(log n) instead of O(n) a job. Workers leave from the end only, which is all it needs
 *   sticky       the one that has jobs of the key now; the first that is free when none has
 *   round_robin  the next one, those left out that take no jobs
 *   custom       the author's hook (pool.c)
 *
 * Keys are known by a 64-bit hash, seeded for each pool so that nobody outside can choose keys that meet. Should two
 * meet all the same, they share a worker: nothing else happens.
 *
 * Sticky keys are in a table with open addressing (linear probing, removal by shifting back), which has an entry while
 * jobs of the key run or wait. A key whose jobs wait in the queue of all keeps to it also for new jobs, so that they
 * stay in order; the first worker that takes one of them has the key from then on. */
#include "pool_inside.h"

/* ---- hashing ---- */

/* The finalizer of MurmurHash3: each bit of the input changes each bit of the result by chance. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

uint64_t pool_route_hash(uint64_t seed, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t hash = mix(seed ^ len), word;

    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    if (len != 0) {
        word = 0;
        memcpy(&word, at, len);
        hash = mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    return mix(hash);
}

uint32_t pool_route_jump(uint64_t key, uint32_t workers)
{
    uint64_t bucket = 0, next = 0;

    while (next < workers) {
        bucket = next;
        key = key * UINT64_C(2862933555777941757) + 1;
        next = ((bucket + 1) << 31) / ((key >> 33) + 1); /* in whole numbers: the quotient is far below 2^53 */
    }
    return (uint32_t)bucket;
}

/* ---- what the body says ---- */

static void read_key(const troupe_pool *pool, troupe_json_reader *reader, struct pool_wish *wish)
{
    char text[TROUPE_POOL_KEY_BYTES_MAX];
    size_t len = 0;

    switch (troupe_json_peek(reader)) {
    case TROUPE_JSON_STRING: {
        troupe_json_string string = troupe_json_read_string(reader);
        const char *bytes = string.raw.ptr;

        len = string.raw.len;
        if (string.escaped) { /* the same text, however it is written */
            if (troupe_json_string_copy(&string, text, sizeof text, &len) != 0)
                len = sizeof text + 1;
            bytes = text;
        }
        if (len > TROUPE_POOL_KEY_BYTES_MAX) {
            troupe_json_fail(reader, TROUPE_E_SCHEMA, "a key has at most 255 bytes");
            return;
        }
        wish->key = pool_route_hash(pool->seed, bytes, len);
        break;
    }
    case TROUPE_JSON_NUMBER:
    case TROUPE_JSON_BOOL: {
        troupe_view raw = troupe_json_read_raw(reader);

        wish->key = pool_route_hash(~pool->seed, raw.ptr, raw.len);
        break;
    }
    default:
        troupe_json_skip(reader);
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "a key is a string, a number, true or false");
        return;
    }
    wish->has_key = true;
}

int pool_route_read(const troupe_pool *pool, const troupe_msg *msg, struct pool_wish *ret_wish,
                    struct support_words *ret_words)
{
    const struct pool_config *config = &pool->config;
    troupe_json_reader reader;
    troupe_json_string key;

    *ret_wish = (struct pool_wish){.priority = TROUPE_POOL_PRIORITY_DEFAULT};
    if (config->key_len == 0 && config->priority_len == 0)
        return 0;
    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        bool is_key = config->key_len && troupe_json_string_equal(&key, (troupe_view){config->key, config->key_len});

        if (config->priority_len &&
            troupe_json_string_equal(&key, (troupe_view){config->priority, config->priority_len}))
            ret_wish->priority = (uint8_t)troupe_json_read_int(&reader, 0, TROUPE_POOL_PRIORITIES - 1);
        else if (is_key)
            read_key(pool, &reader, ret_wish);
        else
            troupe_json_skip(&reader);
    }
    if (config->key_len && !ret_wish->has_key)
        support_missing_member(&reader, "the body has no member that is the pool's key");
    if (troupe_json_read_end(&reader) == 0)
        return 0;
    return support_explain(&reader, ret_words);
}

/* ---- sticky keys ---- */

static bool is_used(const struct pool_sticky *entry) { return entry->here != 0 || entry->central != 0; }

/* The key's entry, or the empty one where it would be. There is always an empty one. */
static struct pool_sticky *find(const troupe_pool *pool, uint64_t key)
{
    uint32_t at = (uint32_t)key & pool->sticky_mask;

    while (is_used(&pool->sticky[at]) && pool->sticky[at].key != key)
        at = (at + 1) & pool->sticky_mask;
    return &pool->sticky[at];
}

/* Fill the gap that a removed entry leaves, so that searches do not end at it. */
static void close_gap(troupe_pool *pool, uint32_t gap)
{
    for (uint32_t at = (gap + 1) & pool->sticky_mask; is_used(&pool->sticky[at]); at = (at + 1) & pool->sticky_mask) {
        uint32_t home = (uint32_t)pool->sticky[at].key & pool->sticky_mask;

        if (((at - home) & pool->sticky_mask) < ((at - gap) & pool->sticky_mask))
            continue; /* it does not come by the gap on its way from home */
        pool->sticky[gap] = pool->sticky[at];
        pool->sticky[at] = (struct pool_sticky){0};
        gap = at;
    }
}

static void change(troupe_pool *pool, const struct pool_job *job, int here, int central, uint32_t worker)
{
    if (pool->sticky == NULL)
        return;
    struct pool_sticky *entry = find(pool, job->key);

    entry->key = job->key;
    entry->here = (uint32_t)((int64_t)entry->here + here);
    entry->central = (uint32_t)((int64_t)entry->central + central);
    if (here > 0)
        entry->worker = worker;
    if (!is_used(entry))
        close_gap(pool, (uint32_t)(entry - pool->sticky));
}

void pool_sticky_central(troupe_pool *pool, const struct pool_job *job, int by) { change(pool, job, 0, by, POOL_NONE); }

void pool_sticky_here(troupe_pool *pool, const struct pool_job *job, uint32_t worker, int by)
{
    change(pool, job, by, 0, worker);
}

uint32_t pool_sticky_holder(const troupe_pool *pool, uint64_t key)
{
    const struct pool_sticky *entry = find(pool, key);

    return entry->here != 0 && entry->worker < pool->stats.size ? entry->worker : POOL_NONE;
}

int pool_sticky_reserve(troupe_pool *pool, uint32_t jobs)
{
    uint32_t capacity = 16;
    uint32_t old_capacity = pool->sticky ? pool->sticky_mask + 1 : 0;
    struct pool_sticky *old = pool->sticky, *fresh;

    while (capacity < 2 * jobs)
        capacity *= 2;
    if (capacity <= old_capacity)
        return 0;
    fresh = troupe_alloc(capacity * sizeof *fresh);
    if (fresh == NULL)
        return TROUPE_E_NO_MEMORY;
    memset(fresh, 0, capacity * sizeof *fresh);
    pool->sticky = fresh;
    pool->sticky_mask = capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (is_used(&old[i]))
            *find(pool, old[i].key) = old[i];
    troupe_free(old);
    return 0;
}

/* ---- choose ---- */

static uint32_t next_in_turn(troupe_pool *pool)
{
    uint32_t size = pool->stats.size, first = pool->next_worker % size, at = first;

    for (uint32_t i = 0; i < size && pool->workers[at].state != WORKER_READY; i++)
        at = at + 1 < size ? at + 1 : 0;
    pool->next_worker = at + 1;
    return at;
}

uint32_t pool_route_choose(troupe_pool *pool, const struct pool_wish *wish)
{
    switch (pool->config.routing) {
    case ROUTE_KEY:
        return pool_route_jump(wish->key, pool->stats.size);
    case ROUTE_STICKY:
        return find(pool, wish->key)->central != 0 ? POOL_NONE : pool_sticky_holder(pool, wish->key);
    case ROUTE_ROUND_ROBIN:
        return next_in_turn(pool);
    default:
        return POOL_NONE;
    }
}
