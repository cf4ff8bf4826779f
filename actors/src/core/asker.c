/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the asker of a call still wait, and for how long? For a callee that would rather not do work that nobody wants
 * any more, or that asks others in turn and gives them no more time than it has itself.
 *
 * It reads what the call carries, and looks once at who asked: nothing is sent, and nobody is woken.
 *
 * Thread: the owner of the actor that was called. */
#include "core/worker.h"

/* Advisory: who asked may be ending on another thread. Its deadline is judged apart. */
static bool is_there(const troupe_system *system, const struct message *asked)
{
    struct actor *caller;
    if (asked->reply_to == REPLY_REQUEST)
        return troupe__request_is_open(system, asked->reply_worker, asked->call_id);
    return asked->reply_to == REPLY_ACTOR && troupe__find(system, asked->msg.from, &caller) == 0 &&
           atomic_load_relaxed(&caller->state) < TROUPE_STATE_STOPPING;
}

static uint32_t left_ms(const troupe_ctx *ctx, const struct message *asked)
{
    uint64_t now_ns = ctx->worker->now_ns;
    if (asked->deadline_ns <= now_ns || !is_there(ctx->worker->system, asked))
        return 0;
    return (uint32_t)((asked->deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

uint32_t troupe_call_left_ms(const troupe_ctx *ctx)
{
    const struct message *message = ctx->message;
    return message && !ctx->answered && message->what == MESSAGE_USER ? left_ms(ctx, message) : 0;
}

uint32_t troupe_kept_left_ms(const troupe_ctx *ctx, troupe_handle handle)
{
    struct extra *extra = ctx->actor->extra;
    uint64_t id = (uint64_t)handle.generation << 32 | handle.index;
    const struct wait *wait = extra ? troupe__wait_find(&extra->waits, id, WAIT_KEPT) : NULL;
    return wait ? left_ms(ctx, wait->message) : 0;
}
