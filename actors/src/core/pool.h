/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for messages and side tables: free lists by size class in each worker, balanced through a depot.
 *
 * A block is taken from the worker at hand and given back to whichever worker frees it. A worker that frees more than
 * it takes passes whole batches to the system's depot; one that takes more than it frees gets batches from there. So
 * the depot's lock is taken once in POOL_BATCH blocks, and memory does not pile up where messages end.
 *
 * In sanitizer builds each block is an allocation of its own, so that a use after free is seen.
 *
 * Threads: a pool belongs to the owner of its worker; the depot is for all, under its lock. */
#ifndef TROUPE_CORE_POOL_H
#define TROUPE_CORE_POOL_H

#include "base/atomic.h"
#include "port/port.h"

#define POOL_CLASSES 9   /* 64 128 192 256 384 512 1024 2048 4096 bytes */
#define POOL_LARGE POOL_CLASSES /* the "class" of blocks that come from the port one by one */
#define POOL_BATCH 32
#define POOL_SLAB_BYTES (64u << 10)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POOL_PASS_THROUGH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define POOL_PASS_THROUGH 1
#endif
#endif
#ifndef POOL_PASS_THROUGH
#define POOL_PASS_THROUGH 0
#endif

struct pool_block {
    struct pool_block *next;
    struct pool_block *next_batch; /* in the depot: the next batch */
};

struct pool_slab {
    struct pool_slab *next;
    size_t size_bytes;
};

struct pool_depot {
    struct troupe__lock lock;
    struct pool_block *batches[POOL_CLASSES]; /* each of POOL_BATCH blocks */
    struct pool_slab *slabs;                  /* what the port gave, freed with the system */
};

struct pool_list {
    struct pool_block *head;
    struct pool_block *spare; /* a whole batch kept back, so that going to and fro at the edge costs nothing */
    _Atomic uint32_t count;   /* blocks at head */
    _Atomic uint32_t lent;    /* plus those taken less those given here, modulo 2^32; changes with whole batches only */
};

struct pool {
    struct pool_depot *depot;
    struct pool_list lists[POOL_CLASSES];
    _Atomic uint64_t large_bytes; /* taken less freed here, modulo 2^64 */
};

extern const uint16_t troupe__pool_bytes[POOL_CLASSES];
extern const uint8_t troupe__pool_small_class[9];

/* The class for a size, POOL_LARGE when none is large enough. */
static inline uint8_t troupe__pool_class(size_t size)
{
    if (size <= 512)
        return troupe__pool_small_class[(size + 63) / 64];
    return size <= 1024 ? 6 : size <= 2048 ? 7 : size <= 4096 ? 8 : POOL_LARGE;
}

/* The rare half of the two below: an empty list, a full one. */
void *troupe__pool_take_slowly(struct pool *pool, uint8_t pool_class);
void troupe__pool_make_room(struct pool *pool, uint8_t pool_class);

/* Change a number that only the owner writes: no locked instruction. */
static inline void pool_count(_Atomic uint32_t *number, uint32_t by)
{
    atomic_store_relaxed(number, atomic_load_relaxed(number) + by);
}

/* Take a block of a class below POOL_LARGE, not zeroed; NULL when memory is exhausted. */
static inline void *troupe__pool_take(struct pool *pool, uint8_t pool_class)
{
    struct pool_list *list = &pool->lists[pool_class];
    struct pool_block *block = list->head;
    if (POOL_PASS_THROUGH || !block)
        return troupe__pool_take_slowly(pool, pool_class);
    list->head = block->next;
    __builtin_prefetch(block->next, 1);
    pool_count(&list->count, (uint32_t)-1);
    return block;
}

static inline void troupe__pool_give(struct pool *pool, uint8_t pool_class, void *memory)
{
    struct pool_list *list = &pool->lists[pool_class];
    struct pool_block *block = memory;
    if (POOL_PASS_THROUGH) {
        pool_count(&list->lent, (uint32_t)-1);
        troupe__port_free(memory, troupe__pool_bytes[pool_class]);
        return;
    }
    if (atomic_load_relaxed(&list->count) == POOL_BATCH)
        troupe__pool_make_room(pool, pool_class);
    block->next = list->head;
    list->head = block;
    pool_count(&list->count, 1);
}

/* Bytes taken less bytes given here, modulo 2^64: only the sum over all workers means something. Thread: any,
 * advisory. */
uint64_t troupe__pool_used_bytes(const struct pool *pool);

/* Take and give blocks of any size by their size. */
void *troupe__pool_alloc(struct pool *pool, size_t size);
void *troupe__pool_alloc_zeroed(struct pool *pool, size_t size);
void troupe__pool_free(struct pool *pool, void *block, size_t size);

/* Free all slabs. State: no block is in use. */
void troupe__pool_depot_fini(struct pool_depot *depot);

#endif
