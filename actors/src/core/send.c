/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a message into a mailbox. Every sender, an actor or an outsider, comes through here; what lives on another
 * home would leave here. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/compiler.h"
#include "base/mem.h"

#define TYPES_LOOKED_AT 8u /* by their address; then by their letters */

static const char *const state_words[] = {"never", "starting", "running", "draining", "stopping", "stopped"};

const char *troupe_actor_state_word(enum troupe_actor_state state)
{
    return (unsigned)state < 6 ? state_words[state] : "unknown";
}

int troupe__find(const troupe_system *system, troupe_ref ref, struct actor **ret_actor)
{
    if (!troupe_home_equal(ref.home, system->home))
        return atomic_load_relaxed(&system->clustered) ? TROUPE_E_UNREACHABLE
                                                       : TROUPE_E_GONE; /* alone: another home is one that has left */
    struct actor *actor = slots_at(&system->slots, ref.slot);
    uint32_t generation = actor ? actor_generation(actor) : 0;
    if (ref.generation == 0 || ref.generation > generation)
        return TROUPE_E_NOT_FOUND;
    /* Acquire: what spawn wrote before it set the state is seen. 0: its name is known already, but it is not made
     * yet. */
    uint8_t state = atomic_load_acquire(&actor->state);
    if (state == 0)
        return TROUPE_E_NOT_FOUND;
    if (ref.generation < generation || state == TROUPE_STATE_STOPPED)
        return TROUPE_E_GONE;
    *ret_actor = actor;
    return 0;
}

/* The first 8 letters of a type as a number, zeros behind. Read in one or two loads: a load of bytes that were just
 * stored one by one would have to wait for all of them. */
static inline uint64_t type_head(const char *type, size_t len)
{
    uint64_t head = 0;
    if (len >= 8) {
        memcpy(&head, type, 8);
        return head;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (len >= 4) { /* two halves, which overlap */
        uint32_t low, high;
        memcpy(&low, type, 4);
        memcpy(&high, type + len - 4, 4);
        return low | (uint64_t)high << (8 * (len - 4));
    }
    for (size_t i = 0; i < len; i++)
        head |= (uint64_t)(unsigned char)type[i] << (8 * i);
#else
    memcpy(&head, type, len);
#endif
    return head;
}

/* The same text at the same address: the quick way for a literal that stands in the behavior's table as well. */
static inline uint32_t find_same_text(const troupe_behavior *behavior, const char *type)
{
    for (uint32_t i = 0; i < behavior->types_count && i < TYPES_LOOKED_AT; i++)
        if (behavior->types[i].name == type)
            return i;
    return TROUPE_OP_NONE;
}

uint32_t troupe__kind_find(const struct kind *kind, troupe_view type)
{
    const troupe_behavior *behavior = kind->behavior;
    uint64_t head = type_head(type.ptr, type.len);
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        if (kind->type_heads[i] == head && kind->type_lens[i] == type.len &&
            (type.len <= 8 || memcmp(behavior->types[i].name + 8, type.ptr + 8, type.len - 8) == 0))
            return i;
    }
    return TROUPE_OP_NONE;
}

void troupe__dead_letter(troupe_worker *worker, const troupe_ref *to, const troupe_ref *from, troupe_view type,
                         int error)
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
    if (config->dead_letter) {
        char text[TROUPE_TYPE_BYTES_MAX + 1];
        size_t len = type.len < TROUPE_TYPE_BYTES_MAX ? type.len : TROUPE_TYPE_BYTES_MAX;
        memcpy(text, type.ptr, len);
        text[len] = '\0';
        config->dead_letter(config->user, *to, *from, text, error);
    }
}

/* Push a message whose body counts in bytes too. */
static int push_large(struct actor *actor, struct message *message)
{
    uint32_t bytes = message->msg.body_len, bytes_max = atomic_load_relaxed(&actor->bytes_max);
    if (bytes > bytes_max)
        return TROUPE_E_TOO_LARGE; /* it will never fit */
    uint32_t before = atomic_add_relaxed(&actor->mailbox_bytes, bytes);
    int rc;
    if (before <= bytes_max && bytes <= bytes_max - before) {
        rc = mailbox_push(actor, message);
    } else {
        bool closing = atomic_load_relaxed(&actor->word) & WORD_CLOSING;
        bool drops_newest = atomic_load_relaxed(&actor->policy) == TROUPE_DROP_NEWEST;
        rc = closing ? TROUPE_E_DRAINING : drops_newest ? TROUPE_E_SHED : TROUPE_E_FULL;
    }
    if (rc < 0)
        atomic_sub_relaxed(&actor->mailbox_bytes, bytes);
    return rc;
}

static int refuse(troupe_worker *worker, const troupe_ref *to, const struct outgoing *out, int error)
{
    troupe_ref from = out->sender ? actor_ref(worker->system, out->sender)
                                  : (troupe_ref){.home = *troupe__caller_home(worker->system, out->caller)};
    struct actor *full;
    if ((error == TROUPE_E_FULL || error == TROUPE_E_SHED) && troupe__find(worker->system, *to, &full) == 0)
        troupe__alarm_look(worker, full);
    if (error == TROUPE_E_FULL && out->sender && (actor_kind(out->sender)->behavior->flags & TROUPE_BEHAVIOR_WRITABLE))
        troupe__bond_ask_for_room(worker, out->sender, *to);
    troupe__dead_letter(worker, to, &from, out->type, error);
    return error;
}

/* What the sender is told when a push failed: one who stops refuses as one who drains, but it is over with it. */
static int error_of_push(const struct actor *actor, int error)
{
    return error == TROUPE_E_DRAINING && actor_state_now(actor) >= TROUPE_STATE_STOPPING ? TROUPE_E_GONE : error;
}

/* The message of an ordinary send. */
static inline struct message *new_message(troupe_worker *worker, const struct outgoing *out, const char *own_type)
{
    const troupe_body *body = out->body;
    struct message *message;
    troupe_view subject = out->sender ? (troupe_view){"", 0} : out->caller->subject;
    if (own_type && !body->content_type && subject.len == 0) { /* the usual one: nothing but a body */
        message = troupe__message_take(&worker->pool, MESSAGE_USER, body->len);
        if (!message)
            return NULL;
        message->msg.kind = (uint8_t)out->kind;
        message->msg.type = own_type;
        message->msg.type_len = (uint8_t)out->type.len;
        message->msg.body = message + 1;
        message->msg.body_len = (uint32_t)body->len;
        if (body->len)
            memcpy(message + 1, body->ptr, body->len);
    } else {
        struct message_parts parts = {.what = MESSAGE_USER,
                                      .kind = out->kind,
                                      .type = out->type,
                                      .body = *body,
                                      .subject = subject,
                                      .own_type = own_type};
        message = troupe__message_new(&worker->pool, &parts);
        if (!message)
            return NULL;
    }
    const troupe_home *home =
        out->sender ? &worker->system->home : troupe__caller_home(worker->system, out->caller);
    message->msg.from.home.high = home->high;
    message->msg.from.home.low = home->low;
    message->msg.from.slot = out->sender ? out->sender->slot : 0;
    message->msg.from.generation = out->sender ? actor_generation(out->sender) : 0;
    message->droppable = true;
    message->reply_to = (uint8_t)out->reply_to;
    message->reply_worker = (uint8_t)worker->index;
    message->call_id = out->call_id;
    message->deadline_ns = out->deadline_ns;
    return message;
}

/* Who has sent much makes way for whoever receives it. sender: NULL for an outsider. */
static ALWAYS_INLINE void schedule_receiver(troupe_worker *worker, const struct actor *sender, struct actor *receiver)
{
    if (sender && sender->bursts)
        troupe__worker_schedule_next(worker, receiver);
    else
        troupe__worker_schedule(worker, receiver);
}

int troupe__send(troupe_worker *worker, const troupe_ref *to, const struct outgoing *out, struct actor **ret_claimed)
{
    struct actor *actor;
    int rc = troupe__message_check(out->type, out->body);
    if (rc)
        return rc;
    if ((rc = troupe__find(worker->system, *to, &actor)))
        return refuse(worker, to, out, rc);
    const struct kind *kind = actor_kind(actor);
    const troupe_behavior *behavior = kind->behavior;
    uint32_t op = troupe__kind_find(kind, out->type);
    if (op == TROUPE_OP_NONE && !((behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) && troupe__is_word(out->type)))
        return refuse(worker, to, out, TROUPE_E_UNKNOWN_TYPE);
    struct message *message = new_message(worker, out, op == TROUPE_OP_NONE ? NULL : behavior->types[op].name);
    if (!message)
        return TROUPE_E_NO_MEMORY;
    message->msg.op = (uint16_t)op;
    message->target_generation = to->generation;
    rc = out->body->len > TROUPE_SMALL_BODY_BYTES ? push_large(actor, message) : mailbox_push(actor, message);
    if (rc == PUSH_QUEUED)
        return 0;
    if (rc == PUSH_CLAIMED) {
        if (ret_claimed)
            *ret_claimed = actor;
        else
            schedule_receiver(worker, out->sender, actor);
        return 0;
    }
    troupe__message_free(&worker->pool, message);
    return refuse(worker, to, out, error_of_push(actor, rc));
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
    else if (rc != PUSH_QUEUED) {
        (void)atomic_load_acquire(&actor->word); /* its end looked at its notes before it shut the word: follow.c */
        troupe__message_free(&worker->pool, message);
    }
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

/* The usual message between actors: to one of this node who lives, of a type whose text is the table's own, with a
 * small body without content type. NULL when anything about it is less usual, and nothing has happened then: the long
 * way (troupe__send) decides. */
static ALWAYS_INLINE struct message *new_usual(const troupe_ctx *ctx, const troupe_ref *to, enum troupe_msg_kind kind,
                                        const char *type, const troupe_body *body, struct actor **ret_actor)
{
    troupe_worker *worker = ctx->worker;
    const troupe_system *system = worker->system;
    if (to->home.low != system->home.low || to->home.high != system->home.high || body->content_type ||
        body->len > TROUPE_SMALL_BODY_BYTES || to->slot >= atomic_load_acquire(&system->slots.end))
        return NULL;
    struct actor *actor = slots_have(&system->slots, to->slot);
    /* Acquire pairs with the release of a word that spawn opens: what it filled in before is seen. */
    if (actor_generation(actor) != to->generation || atomic_load_acquire(&actor->word) == WORD_SHUT)
        return NULL;
    const troupe_behavior *behavior = actor_kind(actor)->behavior;
    uint32_t op = find_same_text(behavior, type);
    if (op == TROUPE_OP_NONE)
        return NULL;
    struct message *message = troupe__message_take_small(&worker->pool, MESSAGE_USER, body->len);
    if (!message)
        return NULL;
    const struct actor *sender = ctx->actor;
    message->droppable = true;
    message->target_generation = to->generation;
    message->msg.kind = (uint8_t)kind;
    message->msg.type_len = actor_kind(actor)->type_lens[op];
    message->msg.op = (uint16_t)op;
    message->msg.from.home.high = system->home.high;
    message->msg.from.home.low = system->home.low;
    message->msg.from.slot = sender->slot;
    message->msg.from.generation = actor_generation(sender);
    message->msg.type = type;
    message->msg.body = message + 1;
    message->msg.body_len = (uint32_t)body->len;
    if (body->len == 8) /* so often that it is worth a test */
        memcpy(message + 1, body->ptr, 8);
    else if (body->len)
        memcpy(message + 1, body->ptr, body->len);
    *ret_actor = actor;
    return message;
}

RARE static int send_slowly(troupe_ctx *ctx, const troupe_ref *to, enum troupe_msg_kind kind, const char *type,
                            const troupe_body *body, uint64_t call_id, uint64_t deadline_ns)
{
    struct outgoing out = {.kind = kind,
                           .type = troupe_view_of(type),
                           .body = body,
                           .sender = ctx->actor,
                           .reply_to = kind == TROUPE_MSG_CALL ? REPLY_ACTOR : REPLY_NOBODY,
                           .call_id = call_id,
                           .deadline_ns = deadline_ns};
    return troupe__send(ctx->worker, to, &out, NULL);
}

RARE static int refuse_usual(troupe_ctx *ctx, struct actor *actor, const troupe_ref *to, struct message *message,
                             int error)
{
    struct outgoing out = {.type = troupe_msg_type(&message->msg), .sender = ctx->actor};
    troupe__message_free(&ctx->worker->pool, message);
    return refuse(ctx->worker, to, &out, error_of_push(actor, error));
}

static ALWAYS_INLINE int send_quickly(troupe_ctx *ctx, const troupe_ref *to, enum troupe_msg_kind kind,
                                      const char *type, const troupe_body *body, uint64_t call_id, uint64_t deadline_ns)
{
    ctx->sends++;
    struct actor *actor;
    struct message *message = new_usual(ctx, to, kind, type, body, &actor);
    if (!message)
        return send_slowly(ctx, to, kind, type, body, call_id, deadline_ns);
    if (kind == TROUPE_MSG_CALL) {
        message->reply_to = REPLY_ACTOR;
        message->call_id = call_id;
        message->deadline_ns = deadline_ns;
    }
    int rc = mailbox_push(actor, message);
    if (rc == PUSH_QUEUED)
        return 0;
    if (rc < 0)
        return refuse_usual(ctx, actor, to, message, rc);
    schedule_receiver(ctx->worker, ctx->actor, actor);
    return 0;
}

int troupe_cast_by_address(troupe_ctx *ctx, const troupe_ref *to, const char *type, const troupe_body *body)
{
    return actor_is_killed(ctx->actor) ? TROUPE_E_KILLED : send_quickly(ctx, to, TROUPE_MSG_CAST, type, body, 0, 0);
}

int troupe__send_call(troupe_ctx *ctx, const troupe_ref *to, const char *type, const troupe_body *body,
                      uint64_t call_id, uint64_t deadline_ns)
{
    return send_quickly(ctx, to, TROUPE_MSG_CALL, type, body, call_id, deadline_ns);
}

int troupe_worker_cast(troupe_worker *worker, troupe_ref to, troupe_view type, troupe_body body, troupe_caller caller)
{
    if (caller.subject.len > TROUPE_SUBJECT_BYTES_MAX)
        return TROUPE_E_INVALID;
    if (atomic_load_relaxed(&worker->system->overloaded))
        return TROUPE_E_OVERLOADED;
    struct outgoing out = {.kind = TROUPE_MSG_CAST, .type = type, .body = &body, .caller = &caller};
    return troupe__send(worker, &to, &out, NULL);
}
