/* SPDX-License-Identifier: Apache-2.0
 *
 * The small functions of a turn's context, see troupe/context.h. */
#include "core/worker.h"

#include "base/mem.h"

/* What behaviors own, of all systems in the process. */
static _Atomic uint64_t heap_bytes;

/* In front of each block: its size. 16 keeps the alignment. */
struct heap_head {
    _Alignas(16) size_t size;
};

uint64_t troupe__heap_bytes(void) { return atomic_load_relaxed(&heap_bytes); }

void *troupe_alloc(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    struct heap_head *head = troupe__port_alloc(sizeof *head + size);
    if (!head)
        return NULL;
    head->size = size;
    atomic_add_relaxed(&heap_bytes, size);
    return head + 1;
}

void troupe_free(void *ptr)
{
    if (!ptr)
        return;
    struct heap_head *head = (struct heap_head *)ptr - 1;
    atomic_sub_relaxed(&heap_bytes, head->size);
    troupe__port_free(head, sizeof *head + head->size);
}

void *troupe_realloc(void *ptr, size_t size)
{
    void *fresh = troupe_alloc(size);
    if (!fresh || !ptr)
        return fresh;
    size_t old = ((struct heap_head *)ptr - 1)->size;
    memcpy(fresh, ptr, old < size ? old : size);
    troupe_free(ptr);
    return fresh;
}

troupe_ref troupe_self(const troupe_ctx *ctx) { return actor_ref(ctx->worker->system, ctx->actor); }

troupe_ref troupe_parent(const troupe_ctx *ctx)
{
    const troupe_system *system = ctx->worker->system;
    uint32_t parent_slot = atomic_load_relaxed(&ctx->actor->parent_slot);
    if (!parent_slot)
        return (troupe_ref){0};
    return actor_ref(system, slots_at(&system->slots, parent_slot));
}

troupe_view troupe_self_name(const troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    if (!actor->has_name)
        return (troupe_view){"", 0};
    troupe__names_copy(&ctx->worker->system->names, actor->slot, actor_generation(actor), ctx->worker->self_name);
    return troupe_view_of(ctx->worker->self_name);
}

uint64_t troupe_now_ms(const troupe_ctx *ctx) { return ctx->worker->now_ns / NS_PER_MS; }

uint64_t troupe_random(troupe_ctx *ctx) { return rng_next(&ctx->worker->rng); }

int troupe_name_register(troupe_ctx *ctx, troupe_view name)
{
    struct actor *actor = ctx->actor;
    struct name_entry *entry;
    troupe_ref holder;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending)
        return TROUPE_E_STATE;
    actor->has_name = true;
    int rc = troupe__name_take(ctx->worker->system, name, troupe_self(ctx), &entry, &holder);
    if (rc == 0)
        troupe__name_taken(ctx->worker->system, entry);
    return rc;
}

int troupe_name_release(troupe_ctx *ctx, troupe_view name)
{
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    return name.len ? troupe__name_give(ctx->worker->system, name, troupe_self(ctx)) : TROUPE_E_NOT_FOUND;
}

int troupe_whereis(troupe_ctx *ctx, troupe_view name, troupe_ref *ret_ref)
{
    return troupe_system_whereis(ctx->worker->system, name, ret_ref);
}

void troupe_log(troupe_ctx *ctx, enum troupe_log_level level, const char *text)
{
    const troupe_system_config *config = &ctx->worker->system->config;
    if (config->log)
        config->log(config->user, level, troupe_self(ctx), actor_kind(ctx->actor)->behavior->name, text);
}
