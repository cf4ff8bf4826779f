/* SPDX-License-Identifier: Apache-2.0
 *
 * See pool.h. */
#include "core/pool.h"

#include "base/compiler.h"
#include "base/mem.h"

const uint16_t troupe__pool_bytes[POOL_CLASSES] = {64, 128, 192, 256, 384, 512, 1024, 2048, 4096};

/* The class of each size up to 512 in steps of 64: one load instead of a search. */
const uint8_t troupe__pool_small_class[9] = {0, 0, 1, 2, 3, 4, 4, 5, 5};

/* The next whole batch of the depot, or one cut from a new slab. */
static struct pool_block *refill(struct pool_depot *depot, uint8_t pool_class)
{
    troupe__lock_acquire(&depot->lock);
    struct pool_block *batch = depot->batches[pool_class];
    if (batch)
        depot->batches[pool_class] = batch->next_batch;
    troupe__lock_release(&depot->lock);
    if (batch)
        return batch;

    size_t size = troupe__pool_bytes[pool_class], whole = size * POOL_BATCH;
    size_t slab_bytes = whole > POOL_SLAB_BYTES ? whole : POOL_SLAB_BYTES / whole * whole;
    struct pool_slab *slab = troupe__port_alloc(slab_bytes + 64);
    if (!slab)
        return NULL;
    slab->size_bytes = slab_bytes + 64;
    unsigned char *at = (unsigned char *)slab + 64;
    struct pool_block *batches = NULL;
    for (size_t cut = 0; cut < slab_bytes; cut += whole) {
        struct pool_block *list = NULL;
        for (size_t i = POOL_BATCH; i-- > 0;) {
            struct pool_block *block = (struct pool_block *)(void *)(at + cut + i * size);
            block->next = list;
            list = block;
        }
        list->next_batch = batches;
        batches = list;
    }
    batch = batches;
    struct pool_block *last = batches->next_batch;
    troupe__lock_acquire(&depot->lock);
    slab->next = depot->slabs;
    depot->slabs = slab;
    while (last) {
        struct pool_block *after = last->next_batch;
        last->next_batch = depot->batches[pool_class];
        depot->batches[pool_class] = last;
        last = after;
    }
    troupe__lock_release(&depot->lock);
    return batch;
}

static void spill(struct pool_depot *depot, uint8_t pool_class, struct pool_block *batch)
{
    troupe__lock_acquire(&depot->lock);
    batch->next_batch = depot->batches[pool_class];
    depot->batches[pool_class] = batch;
    troupe__lock_release(&depot->lock);
}

RARE void *troupe__pool_take_slowly(struct pool *pool, uint8_t pool_class)
{
    struct pool_list *list = &pool->lists[pool_class];
    if (POOL_PASS_THROUGH) {
        void *block = troupe__port_alloc(troupe__pool_bytes[pool_class]);
        pool_count(&list->lent, block != NULL);
        return block;
    }
    struct pool_block *batch = list->spare;
    list->spare = NULL;
    if (!batch && !(batch = refill(pool->depot, pool_class)))
        return NULL;
    list->head = batch->next;
    atomic_store_relaxed(&list->count, POOL_BATCH - 1);
    pool_count(&list->lent, POOL_BATCH);
    return batch;
}

RARE void troupe__pool_make_room(struct pool *pool, uint8_t pool_class)
{
    struct pool_list *list = &pool->lists[pool_class];
    if (list->spare)
        spill(pool->depot, pool_class, list->spare);
    list->spare = list->head;
    list->head = NULL;
    atomic_store_relaxed(&list->count, 0);
    pool_count(&list->lent, (uint32_t)-POOL_BATCH);
}

uint64_t troupe__pool_used_bytes(const struct pool *pool)
{
    uint64_t bytes = atomic_load_relaxed(&pool->large_bytes);
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        const struct pool_list *list = &pool->lists[i];
        int32_t blocks = (int32_t)(atomic_load_relaxed(&list->lent) - atomic_load_relaxed(&list->count));
        bytes += (uint64_t)(int64_t)blocks * troupe__pool_bytes[i];
    }
    return bytes;
}

void *troupe__pool_alloc(struct pool *pool, size_t size)
{
    uint8_t pool_class = troupe__pool_class(size);
    if (pool_class != POOL_LARGE)
        return troupe__pool_take(pool, pool_class);
    void *block = troupe__port_alloc(size);
    if (block)
        counter_add(&pool->large_bytes, size);
    return block;
}

void *troupe__pool_alloc_zeroed(struct pool *pool, size_t size)
{
    void *block = troupe__pool_alloc(pool, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void troupe__pool_free(struct pool *pool, void *block, size_t size)
{
    if (!block)
        return;
    uint8_t pool_class = troupe__pool_class(size);
    if (pool_class != POOL_LARGE) {
        troupe__pool_give(pool, pool_class, block);
        return;
    }
    counter_add(&pool->large_bytes, 0 - (uint64_t)size);
    troupe__port_free(block, size);
}

void troupe__pool_depot_fini(struct pool_depot *depot)
{
    for (struct pool_slab *slab = depot->slabs, *next; slab; slab = next) {
        next = slab->next;
        troupe__port_free(slab, slab->size_bytes);
    }
    depot->slabs = NULL;
}
