/* SPDX-License-Identifier: Apache-2.0
 *
 * A message in memory: one block that holds the header, what a behavior sees of it, and behind that the bytes.
 *
 *   struct message | subject NUL | content type NUL | type NUL | (to 8) body
 *
 * Each of the three texts is there only if it is needed. The type most often is not: a type that stands in the
 * receiver's table is told by the table's own text.
 *
 * Some messages are promises: a monitor's request stays with the target and becomes the `down`; a link's becomes the
 * exit signal; a timer's is sent each time it is due. So the end of an actor, which may come when memory is exhausted,
 * allocates nothing.
 *
 * Ownership: a message has one owner: its maker, then the mailbox that took it, then the turn. */
#ifndef TROUPE_CORE_MESSAGE_H
#define TROUPE_CORE_MESSAGE_H

#include <troupe/limits.h>
#include <troupe/message.h>

#include "core/pool.h"

struct worker;

/* What is in a mailbox (up to MESSAGE_LAST_IN_MAILBOX) or in a system lane (the rest). */
enum message_what {
    MESSAGE_USER = 1,  /* cast or call, see msg.kind */
    MESSAGE_ARGS,      /* the first message of every actor */
    MESSAGE_REPLY,     /* call_id is the receiver's */
    MESSAGE_TIMER,     /* call_id is the timer's id */
    MESSAGE_DOWN,      /* call_id is the monitor's id; from is who ended */
    MESSAGE_EXIT,      /* from, who was linked, has ended */
    MESSAGE_WRITABLE,
    MESSAGE_NAME_LOST, /* body is the name */
    MESSAGE_EVENT,     /* there is an event to read: the note of a follow, whose id is call_id (follow.h) */
    MESSAGE_GROUP_RESULTS, /* call_id is a multi-call of the actor, which has results to tell (group_call.c) */
    MESSAGE_LAST_IN_MAILBOX = MESSAGE_GROUP_RESULTS,
    SYSTEM_STOP,       /* mode; call flag: the sender waits for the end */
    SYSTEM_MONITOR,    /* call_id is the watcher's monitor */
    SYSTEM_DEMONITOR,
    SYSTEM_LINK,
    SYSTEM_UNLINK,
    SYSTEM_WANT_WRITABLE,
    SYSTEM_INFO,       /* body is room for a troupe_info */
    SYSTEM_CHILD_STARTED, /* from a child to its parent; call_id is its tag */
    SYSTEM_SPAWN,      /* to the node's supervisor: body is a struct spawn_job */
    SYSTEM_VIEW,       /* a call of the behavior's view */
    SYSTEM_SUSPEND,    /* cause: 1, or 0 to resume */
    SYSTEM_TRACE,      /* body is a struct trace_job */
    SYSTEM_TIMER_SET,  /* body is a struct timer_job, as that of ... */
    SYSTEM_TIMER_CANCEL,
    SYSTEM_TIMERS,     /* body is room for a troupe_timer_page */
    SYSTEM_PROBE,      /* call_id is the asker's; it goes back as ... */
    SYSTEM_PROBED,     /* ... this, with msg.status */
    NOTICE_OUTSIDE,    /* in a worker's inbox only: an answer from the world outside; part of a struct outside_notice */
    NOTICE_TOPIC,      /* in a worker's inbox only: a topic has news for subscribers; part of a struct topic_place */
    NOTICE_FOLLOW      /* the same for the actors that follow it; part of a struct troupe_topic */
};

#define STOP_BY_PARENT 1u /* call_id of a SYSTEM_STOP: the end is a shutdown */

/* Who waits for the answer. */
enum reply_to {
    REPLY_NOBODY = 0,
    REPLY_ACTOR,       /* msg.from, its call call_id */
    REPLY_REQUEST      /* the open request call_id of worker reply_worker */
};

struct message {
    struct message *next;
    uint8_t what;                /* enum message_what */
    uint8_t pool_class;          /* POOL_LARGE: block_bytes tells */
    uint8_t reply_to;            /* enum reply_to */
    uint8_t reply_worker;
    uint32_t target_generation;  /* a message that finds another one in the slot is for somebody who is gone */
    uint64_t call_id;
    uint64_t deadline_ns;        /* of a call; 0: none */
    uint32_t block_bytes;        /* of POOL_LARGE only: see message_block_bytes */
    uint8_t cause;               /* DOWN, EXIT: enum troupe_exit_cause. STOP: enum troupe_stop_mode */
    uint8_t content_type_len;    /* 0: none */
    bool droppable;              /* an ordinary message, which a full mailbox may refuse or shed */
    troupe_msg msg;              /* subject stands right behind it */
};

/* Turn a stack of messages, newest first, into a list, oldest first. */
static inline struct message *message_reverse(struct message *top)
{
    struct message *list = NULL;
    while (top) {
        struct message *below = top->next;
        top->next = list;
        list = top;
        top = below;
    }
    return list;
}

/* What a message is made of. All is borrowed and copied. */
struct message_parts {
    enum message_what what;
    enum troupe_msg_kind kind;
    troupe_view type;
    troupe_body body;
    troupe_view subject;
    troupe_ref from;
    const char *own_type;        /* the type's text where it lives for ever, instead of a copy; or NULL */
};

static inline uint32_t message_block_bytes(const struct message *message)
{
    return message->pool_class == POOL_LARGE ? message->block_bytes : troupe__pool_bytes[message->pool_class];
}

/* Fill in the header as far as all messages are alike: but for next, block_bytes and from, type, body, body_len. Field
 * by field, and here, because every send makes a message: a compound literal would cost three times as much. */
static inline void message_init(struct message *message, enum message_what what, uint8_t pool_class)
{
    message->what = (uint8_t)what;
    message->pool_class = pool_class;
    message->reply_to = REPLY_NOBODY;
    message->reply_worker = 0;
    message->target_generation = 0;
    message->call_id = 0;
    message->deadline_ns = 0;
    message->cause = 0;
    message->content_type_len = 0;
    message->droppable = false;
    troupe_msg *msg = &message->msg;
    msg->kind = 0;
    msg->type_len = 0;
    msg->op = TROUPE_OP_NONE;
    msg->status = 0;
    msg->tag = 0;
    msg->content_type = NULL;
    msg->app_status = 0;
    msg->app_code_len = 0;
    msg->subject_len = 0;
}

/* Take a block for a message with so many bytes behind the header, and fill that in. NULL when memory is exhausted. */
static inline struct message *troupe__message_take(struct pool *pool, enum message_what what, size_t bytes_behind)
{
    size_t bytes = sizeof(struct message) + bytes_behind;
    uint8_t pool_class = troupe__pool_class(bytes);
    bool is_large = pool_class == POOL_LARGE;
    struct message *message = is_large ? troupe__pool_alloc(pool, bytes) : troupe__pool_take(pool, pool_class);
    if (!message)
        return NULL;
    message_init(message, what, pool_class);
    message->next = NULL;
    message->block_bytes = is_large ? (uint32_t)bytes : 0;
    return message;
}

/* The same for a body of up to TROUPE_SMALL_BODY_BYTES and nothing else. */
static inline struct message *troupe__message_take_small(struct pool *pool, enum message_what what, size_t body_bytes)
{
    _Static_assert(sizeof(struct message) + TROUPE_SMALL_BODY_BYTES <= 512, "it has a class below 512 bytes");
    uint8_t pool_class = troupe__pool_small_class[(sizeof(struct message) + body_bytes + 63) / 64];
    struct message *message = troupe__pool_take(pool, pool_class);
    if (message)
        message_init(message, what, pool_class);
    return message;
}

/* Make a message; NULL when memory is exhausted. The sizes of the parts are checked (troupe__message_check). */
struct message *troupe__message_new(struct pool *pool, const struct message_parts *parts);

/* Make a message without type and content, with room for body_bytes (not zeroed). */
struct message *troupe__message_new_bare(struct pool *pool, enum message_what what, size_t body_bytes);

/* Check the sizes of a message to be sent: TROUPE_E_INVALID, TROUPE_E_TOO_LARGE. The letters of its type are looked at
 * only by troupe__kind_resolve, when the type is in no table. */
int troupe__message_check(troupe_view type, const troupe_body *body);

static inline void troupe__message_free(struct pool *pool, struct message *message)
{
    if (message->pool_class == POOL_LARGE)
        troupe__pool_free(pool, message, message->block_bytes);
    else
        troupe__pool_give(pool, message->pool_class, message);
}

/* How many letters troupe__message_set_text has room for. */
size_t troupe__message_text_room(const struct message *message);

/* The words of an end or an error, cut to TROUPE_REASON_BYTES_MAX and not inside a letter. */
troupe_view troupe__reason_cut(troupe_view text);

/* Make the message carry these words as its body, as many as there is room for in its block: no allocation. */
void troupe__message_set_text(struct message *message, troupe_view text);

/* Letters of behaviors, types and codes: [A-Za-z0-9_.:-]{1,64}. */
bool troupe__is_word(troupe_view text);

#endif
