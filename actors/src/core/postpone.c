/* SPDX-License-Identifier: Apache-2.0
 *
 * Postponed messages: set aside by the behavior in the order of their coming, and handled again when it says so, before
 * everything newer (gen_statem's postpone; the stash of other systems).
 *
 * They are a list of the actor's own, beside the mailbox's: the oldest of all that waits. They go on counting in the
 * mailbox word, and in its bytes, as if they had not been handled, so a mailbox full of them is full. With the policy
 * drop oldest they are what goes first. What the end of an actor does with its mailbox it does with them (life.c).
 *
 * A message that was taken has given its place back before its function ran, where the bound is small and exact; so a
 * bound may be felt by one too many, that of the message at hand.
 *
 * A timer's message is put into the list when its function has returned (wait.c): until then it belongs to the timer.
 *
 * Thread: the actor's owner. */
#include "core/mailbox.h"
#include "core/worker.h"

void troupe__postpone_add(struct actor *actor, struct message *message)
{
    struct extra *extra = actor->extra;
    actor->handled--; /* it still waits */
    if (actor->exact)
        mailbox_settle(actor); /* its place was given back: take it again */
    if (message->droppable && message->msg.body_len > TROUPE_SMALL_BODY_BYTES)
        atomic_add_relaxed(&actor->mailbox_bytes, message->msg.body_len);
    message->next = NULL;
    if (extra->postponed_head)
        extra->postponed_tail->next = message;
    else
        extra->postponed_head = message;
    extra->postponed_tail = message;
    extra->postponed_count++;
}

/* The oldest that may be shed, taken out of the list; or NULL. */
struct message *troupe__postpone_take_oldest(struct actor *actor)
{
    struct extra *extra = actor->extra;
    if (!extra)
        return NULL;
    struct message *before = NULL, *at = extra->postponed_head;
    while (at && !at->droppable) {
        before = at;
        at = at->next;
    }
    if (!at)
        return NULL;
    if (before)
        before->next = at->next;
    else
        extra->postponed_head = at->next;
    if (extra->postponed_tail == at)
        extra->postponed_tail = before;
    extra->postponed_count--;
    actor->handled++;
    return at;
}

struct message *troupe__postpone_take_all(struct actor *actor)
{
    struct extra *extra = actor->extra;
    struct message *list = extra ? extra->postponed_head : NULL;
    if (!list)
        return NULL;
    actor->handled += extra->postponed_count;
    extra->postponed_head = extra->postponed_tail = NULL;
    extra->postponed_count = 0;
    return list;
}

int troupe_postpone(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    struct message *message = ctx->message;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (ctx->timer == CTX_TIMER_RUNS && !actor->ending) {
        ctx->timer = CTX_TIMER_POSTPONED;
        return 0;
    }
    bool is_answered = message && message->msg.kind == TROUPE_MSG_CALL && ctx->answered;
    if (!message || message->what != MESSAGE_USER || is_answered || ctx->kept || actor->ending)
        return TROUPE_E_STATE; /* a view, too, has one at hand */
    if (!troupe__extra(&ctx->worker->pool, actor))
        return TROUPE_E_NO_MEMORY;
    ctx->kept = ctx->answered = true; /* the turn does not free it, and nobody answers it meanwhile */
    troupe__postpone_add(actor, message);
    return 0;
}

void troupe_unpostpone(troupe_ctx *ctx)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    if (ctx->timer >= CTX_TIMER_POSTPONED) {
        ctx->timer = CTX_TIMER_RETURNS; /* when it is in the list, too */
        return;
    }
    if (!extra || !extra->postponed_head || actor_is_killed(actor))
        return;
    troupe__turn_resume(actor, 0); /* what a pause holds back is newer; if the pause goes on it is held back again */
    if (TROUPE_PLANTED(22) && actor->inbox_head) {
        actor->inbox_tail->next = extra->postponed_head;
        actor->inbox_tail = extra->postponed_tail;
    } else {
        if (!actor->inbox_head)
            actor->inbox_tail = extra->postponed_tail;
        extra->postponed_tail->next = actor->inbox_head;
        actor->inbox_head = extra->postponed_head;
    }
    extra->postponed_head = extra->postponed_tail = NULL;
    extra->postponed_count = 0;
}

uint32_t troupe_postponed_count(const troupe_ctx *ctx)
{
    const struct extra *extra = ctx->actor->extra;
    return extra ? extra->postponed_count : 0;
}
