/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a message into a mailbox. Every sender, an actor or an outsider, comes through here; what lives on another
 * home would leave here. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

static const char *const state_words[] = {"never", "starting", "running", "draining", "stopping", "stopped"};

const char *troupe_actor_state_word(enum troupe_actor_state state)
{
    return (unsigned)state < 6 ? state_words[state] : "unknown";
}

int troupe__find(const troupe_system *system, troupe_ref ref, struct actor **ret_actor)
{
    if (!troupe_home_equal(ref.home, system->home))
        return TROUPE_E_GONE; /* this node is the cluster: another home is one that has left */
    struct actor *actor = slots_at(&system->slots, ref.slot);
    uint32_t generation = actor ? actor_generation(actor) : 0;
    if (ref.generation == 0 || ref.generation > generation)
        return TROUPE_E_NOT_FOUND;
    /* Acquire: what spawn wrote before it set the state is seen. */
    if (ref.generation < generation || atomic_load_acquire(&actor->state) == TROUPE_STATE_STOPPED)
        return TROUPE_E_GONE;
    *ret_actor = actor;
    return 0;
}

/* The first 8 bytes of a type; its memory is in a message, which has at least so many behind it. */
static uint64_t type_head(const char *type, size_t len)
{
    uint64_t head;
    memcpy(&head, type, sizeof head);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return len >= 8 ? head : head & ((UINT64_C(1) << (8 * len)) - 1);
#else
    return len >= 8 ? head : head & ~((~UINT64_C(0)) >> (8 * len));
#endif
}

bool troupe__kind_resolve(const struct kind *kind, troupe_msg *msg)
{
    const troupe_behavior *behavior = kind->behavior;
    uint64_t head = type_head(msg->type, msg->type_len);
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        if (kind->type_heads[i] == head && kind->type_lens[i] == msg->type_len &&
            (msg->type_len <= 8 || memcmp(behavior->types[i].name + 8, msg->type + 8, msg->type_len - 8u) == 0)) {
            msg->op = (uint16_t)i;
            return true;
        }
    }
    msg->op = TROUPE_OP_NONE;
    return (behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) && troupe__is_word(troupe_msg_type(msg));
}

void troupe__dead_letter(troupe_worker *worker, troupe_ref to, const struct message *message, int error)
{
    struct worker_stats *stats = &worker->stats;
    counter_add(&stats->dead_letters, 1);
    if (error == TROUPE_E_FULL)
        counter_add(&stats->dead_full, 1);
    else if (error == TROUPE_E_SHED)
        counter_add(&stats->dead_shed, 1);
    else if (error == TROUPE_E_GONE || error == TROUPE_E_NOT_FOUND || error == TROUPE_E_STOPPED)
        counter_add(&stats->dead_gone, 1);
    const troupe_system_config *config = &worker->system->config;
    if (config->dead_letter)
        config->dead_letter(config->user, to, message->msg.from, message->msg.type, error);
}

/* Count the bytes of a large body against the mailbox. False when they do not fit. */
static bool reserve_bytes(struct actor *actor, uint32_t bytes)
{
    uint32_t before = atomic_add_relaxed(&actor->mailbox_bytes, bytes), bytes_max = atomic_load_relaxed(&actor->bytes_max);
    if (before <= bytes_max && bytes <= bytes_max - before)
        return true;
    atomic_sub_relaxed(&actor->mailbox_bytes, bytes);
    return false;
}

/* The sender was refused: ask for one event when there is room. Best effort of memory: without it the sender retries by
 * its own means. */
static void ask_for_room(troupe_worker *worker, troupe_ref to, const struct message *message)
{
    troupe_ref from = message->msg.from;
    struct actor *sender;
    if (!troupe_ref_is_actor(from) || troupe__find(worker->system, from, &sender) ||
        !(actor_kind(sender)->behavior->flags & TROUPE_BEHAVIOR_WRITABLE))
        return;
    struct message *request = troupe__message_new_bare(&worker->pool, SYSTEM_WANT_WRITABLE, 0);
    if (!request)
        return;
    request->msg.from = from;
    if (troupe__send_system(worker, to, request, SIGNAL_SYSTEM))
        troupe__message_free(&worker->pool, request);
}

int troupe__send(troupe_worker *worker, troupe_ref to, struct message *message, struct actor **ret_claimed)
{
    struct actor *actor;
    int rc = troupe__find(worker->system, to, &actor);
    if (rc)
        goto out;
    if (!troupe__kind_resolve(actor_kind(actor), &message->msg)) {
        rc = TROUPE_E_UNKNOWN_TYPE;
        goto out;
    }
    message->target_generation = to.generation;
    message->droppable = true;
    uint32_t large = message->msg.body_len > TROUPE_SMALL_BODY_BYTES ? message->msg.body_len : 0;
    if (large && !reserve_bytes(actor, large)) {
        bool closing = atomic_load_relaxed(&actor->word) & WORD_CLOSING;
        bool drops_newest = atomic_load_relaxed(&actor->policy) == TROUPE_DROP_NEWEST;
        rc = closing ? TROUPE_E_DRAINING : drops_newest ? TROUPE_E_SHED : TROUPE_E_FULL;
        goto out;
    }
    rc = mailbox_push(actor, message);
    if (rc == PUSH_QUEUED)
        return 0;
    if (rc == PUSH_CLAIMED) {
        if (ret_claimed)
            *ret_claimed = actor;
        else
            troupe__worker_schedule(worker, actor);
        return 0;
    }
    if (large)
        atomic_sub_relaxed(&actor->mailbox_bytes, large);
    if (rc == TROUPE_E_DRAINING && actor_state_now(actor) >= TROUPE_STATE_STOPPING)
        rc = TROUPE_E_GONE;
out:
    if (rc == TROUPE_E_FULL)
        ask_for_room(worker, to, message);
    troupe__dead_letter(worker, to, message, rc);
    troupe__message_free(&worker->pool, message);
    return rc;
}

void troupe__send_reserved(troupe_worker *worker, troupe_ref to, struct message *message)
{
    struct actor *actor;
    if (troupe__find(worker->system, to, &actor)) {
        troupe__message_free(&worker->pool, message); /* who was to be told is gone as well */
        return;
    }
    message->target_generation = to.generation;
    message->droppable = false;
    int rc = mailbox_push(actor, message);
    if (rc == PUSH_CLAIMED)
        troupe__worker_schedule(worker, actor);
    else if (rc != PUSH_QUEUED)
        troupe__message_free(&worker->pool, message);
}

int troupe__send_system(troupe_worker *worker, troupe_ref to, struct message *message, uint32_t signals)
{
    struct actor *actor;
    int rc = troupe__find(worker->system, to, &actor);
    if (rc)
        return rc;
    message->target_generation = to.generation;
    message->droppable = false;
    struct message *top = atomic_load_relaxed(&actor->system_lane);
    do {
        if (top == SYSTEM_LANE_SHUT)
            return TROUPE_E_GONE;
        message->next = top;
    } while (!atomic_cas_weak_acq_rel(&actor->system_lane, &top, message)); /* pairs with the owner's exchange */
    troupe__worker_raise(worker, actor, to.generation, signals);
    return 0;
}

/* ---- what behaviors and outsiders call ---- */

int troupe_cast(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body)
{
    troupe_worker *worker = ctx->worker;
    troupe_view type_view = troupe_view_of(type);
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    int rc = troupe__message_check(type_view, &body);
    if (rc)
        return rc;
    struct message_parts parts = {.what = MESSAGE_USER,
                                  .kind = TROUPE_MSG_CAST,
                                  .type = type_view,
                                  .body = body,
                                  .from = actor_ref(worker->system, ctx->actor)};
    struct message *message = troupe__message_new(&worker->pool, &parts);
    return message ? troupe__send(worker, to, message, NULL) : TROUPE_E_NO_MEMORY;
}

int troupe_worker_cast(troupe_worker *worker, troupe_ref to, troupe_view type, troupe_body body, troupe_view subject)
{
    int rc = troupe__message_check(type, &body);
    if (rc)
        return rc;
    if (subject.len > 255)
        return TROUPE_E_INVALID;
    if (atomic_load_relaxed(&worker->system->overloaded))
        return TROUPE_E_OVERLOADED;
    struct message_parts parts = {.what = MESSAGE_USER,
                                  .kind = TROUPE_MSG_CAST,
                                  .type = type,
                                  .body = body,
                                  .subject = subject,
                                  .from = {.home = worker->system->home}};
    struct message *message = troupe__message_new(&worker->pool, &parts);
    return message ? troupe__send(worker, to, message, NULL) : TROUPE_E_NO_MEMORY;
}
