/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages as a behavior sees them, and bodies as it gives them.
 *
 * A message is a type (what to do), a content type and a body of bytes, plus who sent it. What a behavior receives is
 * borrowed: it is valid until the function that got it returns. What it sends is copied into the message.
 *
 * Thread: a message belongs to the turn that handles it. */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include <troupe/ref.h>
#include <troupe/view.h>

/* Why a behavior's receive (or continuation) is run. */
enum troupe_msg_kind {
    TROUPE_MSG_CAST = 1,        /* no answer is awaited */
    TROUPE_MSG_CALL = 2,        /* answer with troupe_reply..., or keep the handle */
    TROUPE_MSG_TIMER = 3,       /* a timer of the actor itself; tag is the timer's id */
    TROUPE_MSG_REPLY = 4,       /* in a continuation only: status is 0 or the error */
    TROUPE_MSG_WRITABLE = 5,    /* the mailbox of `from`, which was full, is at half its depth again; op is NONE */
    TROUPE_MSG_UNDELIVERED = 6, /* a cast to `from` was accepted and then refused: status says why; op is NONE */
    TROUPE_MSG_ARGS = 7,        /* in init only: the spawn's args */
    TROUPE_MSG_NAME_LOST = 8,   /* the cluster has taken a name from this actor; body is the name, op is NONE */
    TROUPE_MSG_EVENT = 9,       /* an event of a topic that this actor follows: from is the publisher, tag the id of the
                                   subscription, status how many events were lost before this one; see troupe_follow */
    TROUPE_MSG_GROUP = 10       /* a watched group: type is "join" or "leave", from the member, tag the watch, status
                                   how many such were lost before this one; op is NONE; see troupe_group_watch */
};

#define TROUPE_OP_NONE 0xffffu  /* the type is not in the behavior's table */

typedef struct troupe_msg {
    uint8_t kind;               /* enum troupe_msg_kind */
    uint8_t type_len;
    uint16_t op;                /* index of the type in the behavior's table, or TROUPE_OP_NONE */
    int32_t status;             /* replies: 0, or TROUPE_E_... with the detail as body */
    troupe_ref from;            /* the sender; slot and generation 0: its home itself, from outside */
    uint64_t tag;               /* replies: the tag of the call; timers: the timer's id */
    const char *type;           /* type_len bytes and a NUL; "" for replies */
    const char *content_type;   /* with a NUL; NULL means application/json */
    const void *body;           /* body_len bytes, 8-aligned; never NULL */
    uint32_t body_len;
    uint16_t app_status;        /* replies with TROUPE_E_APP: the application's 4xx status */
    uint8_t app_code_len;       /* replies with TROUPE_E_APP: its code is the first bytes of the body, detail follows */
    uint8_t subject_len;        /* who asked, as the edge authenticated it: troupe_msg_subject() */
} troupe_msg;

/* A body to send: bytes and their content type. NULL content type means application/json. */
typedef struct troupe_body {
    const void *ptr;
    size_t len;
    const char *content_type;
} troupe_body;

static inline troupe_body troupe_body_none(void) { return (troupe_body){.ptr = "", .len = 0}; }

static inline troupe_body troupe_body_json(const void *text, size_t len)
{
    return (troupe_body){.ptr = text, .len = len};
}

static inline troupe_body troupe_body_bytes(const void *bytes, size_t len, const char *content_type)
{
    return (troupe_body){.ptr = bytes, .len = len, .content_type = content_type};
}

/* Who asks from outside, as an edge tells of its client. Borrowed during the call. All zero: the node itself. */
typedef struct troupe_caller {
    troupe_home home;           /* what `from` will be: a session; zero: the node */
    troupe_view subject;        /* as the edge authenticated it; or "" */
} troupe_caller;

/* The body of a received message, to send it on untouched. Lives: as long as the message. */
static inline troupe_body troupe_body_of(const troupe_msg *msg)
{
    return (troupe_body){.ptr = msg->body, .len = msg->body_len, .content_type = msg->content_type};
}

static inline troupe_view troupe_msg_type(const troupe_msg *msg)
{
    return (troupe_view){.ptr = msg->type, .len = msg->type_len};
}

/* The application's own code and detail of a TROUPE_E_APP reply; the detail alone for other errors. */
static inline troupe_view troupe_msg_app_code(const troupe_msg *msg)
{
    return (troupe_view){.ptr = (const char *)msg->body, .len = msg->app_code_len};
}

static inline troupe_view troupe_msg_detail(const troupe_msg *msg)
{
    return (troupe_view){.ptr = (const char *)msg->body + msg->app_code_len, .len = msg->body_len - msg->app_code_len};
}

/* The authenticated caller of a message that came through an edge ("" inside the node). Lives: as long as the
 * message. */
troupe_view troupe_msg_subject(const troupe_msg *msg);

#endif
