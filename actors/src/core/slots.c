/* SPDX-License-Identifier: Apache-2.0
 *
 * See slots.h. */
#include "core/slots.h"

#include "core/mailbox.h"

#define LINE_BYTES 64u
#define CHUNK_BYTES (SLOTS_CHUNK * sizeof(struct actor) + LINE_BYTES)

/* Chunks are aligned to cache lines inside their block, whose address stands right before the first actor. */
struct chunk_head {
    void *block;
};

static uint32_t directory_entries(const struct slot_table *table)
{
    return (table->slots_max >> SLOTS_CHUNK_BITS) + 1;
}

int troupe__slots_init(struct slot_table *table, uint32_t slots_max)
{
    table->slots_max = slots_max + 1; /* slot 0 */
    table->chunks = troupe__port_alloc_zeroed(directory_entries(table) * sizeof table->chunks[0]);
    table->cut = 1;
    return table->chunks ? 0 : TROUPE_E_NO_MEMORY;
}

void troupe__slots_fini(struct slot_table *table)
{
    if (!table->chunks)
        return;
    for (uint32_t i = 0; i < directory_entries(table); i++) {
        struct actor *chunk = atomic_load_relaxed(&table->chunks[i]);
        if (chunk)
            troupe__port_free(((struct chunk_head *)(void *)chunk)[-1].block, CHUNK_BYTES + LINE_BYTES);
    }
    troupe__port_free(table->chunks, directory_entries(table) * sizeof table->chunks[0]);
    table->chunks = NULL;
}

/* Under the lock: give the next chunk memory. */
static bool grow(struct slot_table *table)
{
    uint32_t end = atomic_load_relaxed(&table->end);
    if (end >= table->slots_max)
        return false;
    unsigned char *block = troupe__port_alloc_zeroed(CHUNK_BYTES + LINE_BYTES);
    if (!block)
        return false;
    uintptr_t first = ((uintptr_t)block + sizeof(struct chunk_head) + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);
    struct actor *chunk = (struct actor *)first;
    ((struct chunk_head *)first)[-1].block = block;
    for (uint32_t i = 0; i < SLOTS_CHUNK; i++) {
        chunk[i].slot = end + i;
        atomic_store_relaxed(&chunk[i].word, WORD_SHUT);
        atomic_store_relaxed(&chunk[i].system_lane, SYSTEM_LANE_SHUT);
    }
    atomic_store_relaxed(&table->chunks[end >> SLOTS_CHUNK_BITS], chunk);
    /* Publishes the chunk and its contents to slots_at. */
    atomic_store_release(&table->end, end + SLOTS_CHUNK);
    return true;
}

static struct actor *queue_pop(const struct slot_table *table, struct slot_queue *queue)
{
    struct actor *actor = slots_at(table, queue->first);
    queue->first = actor->sibling_next;
    if (--queue->count == 0)
        queue->last = 0;
    actor->sibling_next = 0;
    return actor;
}

static void queue_push(const struct slot_table *table, struct slot_queue *queue, struct actor *actor)
{
    actor->sibling_next = 0;
    if (queue->count++ == 0)
        queue->first = actor->slot;
    else
        slots_at(table, queue->last)->sibling_next = actor->slot;
    queue->last = actor->slot;
}

/* Get more: the oldest of the shared queue, else new ones. */
static void refill(struct slot_table *table, struct slot_cache *cache)
{
    troupe__lock_acquire(&table->lock);
    if (table->shared.count) {
        for (uint32_t i = 0; i < SLOTS_RUN && table->shared.count; i++)
            queue_push(table, &cache->free, queue_pop(table, &table->shared));
    } else if (table->cut < atomic_load_relaxed(&table->end) || grow(table)) {
        uint32_t end = atomic_load_relaxed(&table->end);
        if (end > table->slots_max)
            end = table->slots_max;
        cache->run_next = table->cut;
        cache->run_end = end - table->cut > SLOTS_RUN ? table->cut + SLOTS_RUN : end;
        table->cut = cache->run_end;
    }
    troupe__lock_release(&table->lock);
}

struct actor *troupe__slots_take(struct slot_table *table, struct slot_cache *cache)
{
    if (cache->free.count == 0 && cache->run_next == cache->run_end)
        refill(table, cache);
    if (cache->free.count)
        return queue_pop(table, &cache->free);
    if (cache->run_next < cache->run_end)
        return slots_at(table, cache->run_next++);
    return NULL;
}

void troupe__slots_give(struct slot_table *table, struct slot_cache *cache, struct actor *actor)
{
    if (actor_generation(actor) == UINT32_MAX)
        return; /* retired: its ids would come again */
    queue_push(table, &cache->free, actor);
    if (cache->free.count < SLOTS_QUEUE_MAX)
        return;
    troupe__lock_acquire(&table->lock);
    while (cache->free.count > SLOTS_QUEUE_MAX / 2)
        queue_push(table, &table->shared, queue_pop(table, &cache->free));
    troupe__lock_release(&table->lock);
}
