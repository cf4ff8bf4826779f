/* SPDX-License-Identifier: Apache-2.0
 *
 * What the frames of troupe.v1.json are made of, in two tables: the members, each with its type and limits, and the
 * operations, each with the members it must and may have. The reader of frames and /asyncapi.json are made from them,
 * so code and document cannot differ; the tests hold every frame that goes out against them too.
 *
 * Thread: any; the tables are constant. */
#ifndef TROUPE_SERVER_SESSION_FRAMES_H
#define TROUPE_SERVER_SESSION_FRAMES_H

#include <troupe/json.h>

#include "access/access.h"
#include "api/check.h"

/* Members, in the order of the table. Those from FRAME_SERVERS on are only in frames of the server. */
enum frame_member {
    FRAME_OP, FRAME_ID, FRAME_TO, FRAME_TYPE, FRAME_BODY, FRAME_BODY_B64, FRAME_CONTENT_TYPE, FRAME_TIMEOUT_MS,
    FRAME_BEHAVIOR, FRAME_NAME, FRAME_IF_EXISTS, FRAME_ARGS, FRAME_MAILBOX, FRAME_RESTART, FRAME_START_TIMEOUT_MS,
    FRAME_MODE, FRAME_REASON, FRAME_MONITOR, FRAME_SUBSCRIPTION, FRAME_TOPIC, FRAME_FROM, FRAME_AFTER, FRAME_TYPES,
    FRAME_CLIENT, FRAME_RESUME, FRAME_SESSION, FRAME_SEQ, FRAME_ACK, FRAME_CREDIT, FRAME_N,
    FRAME_SERVERS,
    FRAME_NODE = FRAME_SERVERS, FRAME_CLUSTER, FRAME_PROTOCOL, FRAME_VERSION, FRAME_FRAME_BYTES_MAX, FRAME_PING_MS,
    FRAME_CODE, FRAME_TITLE, FRAME_STATUS, FRAME_DETAIL, FRAME_RETRY, FRAME_OUTCOME, FRAME_FIELD, FRAME_RETRY_AFTER_MS,
    FRAME_ACTOR, FRAME_REF, FRAME_CAUSE, FRAME_ERROR, FRAME_EVENT, FRAME_MISSED,
    FRAME_MEMBERS
};
#define FRAME_BIT(member) (UINT64_C(1) << (member))

enum frame_type {
    FRAME_TYPE_ID = 1,           /* an integer from 0 to 2^53-1, or a string; kept as it was written */
    FRAME_TYPE_TEXT,             /* a string of min to max bytes */
    FRAME_TYPE_WORD,             /* one of words */
    FRAME_TYPE_UINT,             /* an integer from min to max */
    FRAME_TYPE_BOOL,
    FRAME_TYPE_BASE64,           /* a string, kept as it was written */
    FRAME_TYPE_ANY,              /* any JSON, kept as it was written */
    FRAME_TYPE_OBJECT,           /* an object, the same; fields say what is in it */
    FRAME_TYPE_TYPES             /* an array of types of events, the same: a filter */
};

struct frame_member_row {
    const char *name;
    enum frame_type type;
    uint64_t min, max;
    const char *const *words;    /* ends with NULL */
    const struct check_field *fields;
    size_t offset;               /* in struct frame; 0 for those of the server */
    const char *summary;         /* for the document */
};

/* Operations. Those from OP_SERVERS on are the server's. */
enum frame_op {
    OP_HELLO, OP_CALL, OP_CAST, OP_PUBLISH, OP_SPAWN, OP_STOP, OP_MONITOR, OP_DEMONITOR, OP_SUBSCRIBE, OP_UNSUBSCRIBE,
    OP_PING, OP_ACK, OP_CREDIT, OP_BYE,
    OP_SERVERS,
    OP_WELCOME = OP_SERVERS, OP_REPLY, OP_ERROR, OP_UNDELIVERED, OP_DOWN, OP_EVENT, OP_LAGGED, OP_END, OP_PONG,
    OP_GOODBYE,
    FRAME_OPS
};

struct frame_op_row {
    const char *name;
    uint64_t required, optional; /* FRAME_BIT of members; op itself is not named */
    uint64_t one_of;             /* exactly one of these, which are optional too; 0: no such rule */
    enum access_scope scope;     /* of the grant it needs for its actor, behavior or topic; ACCESS_PUBLIC: none */
    const char *answers;         /* names of the server's operations that answer it, with blanks between; NULL: none */
    const char *summary;
};

/* What frame.mailbox is read into, by frame_mailbox_fields. */
struct frame_mailbox {
    uint32_t messages, bytes, policy;
};
extern const struct check_field frame_mailbox_fields[];

/* Rules between two members, in any operation that takes both. */
struct frame_rule {
    enum frame_member member, other;
    bool needs;                  /* member comes with other only; else never with it */
};

extern const struct frame_member_row frame_members[FRAME_MEMBERS];
extern const struct frame_op_row frame_ops[FRAME_OPS];
extern const struct frame_rule frame_rules[]; /* ends with member FRAME_OP */

/* The longest string as an id, between its quotes. */
enum { FRAME_ID_BYTES_MAX = 64, FRAME_ID_TEXT_MAX = FRAME_ID_BYTES_MAX + 2, FRAME_SCRATCH_BYTES = 1536 };

/* A frame that was read. Views lie in the text that was read, or in scratch. */
struct frame {
    enum frame_op op;
    uint64_t given;              /* FRAME_BIT of the members that came */
    troupe_view id, monitor, subscription;    /* as written, with quotes */
    troupe_view to, type, content_type, behavior, name, reason, topic, after, client, session; /* the text */
    troupe_view body, args, mailbox, types;   /* JSON */
    troupe_json_string body_b64;
    uint64_t timeout_ms, start_timeout_ms, seq, ack, credit, n;
    uint32_t if_exists, restart, mode, from;  /* indices of the words */
    bool resume;
    size_t scratch_len;
    char scratch[FRAME_SCRATCH_BYTES];        /* strings that had escapes */
};

/* Read a frame. On failure its id is there if it could be read, so that the answer can name it.
 *
 * Fails: TROUPE_E_MALFORMED no JSON, TROUPE_E_SCHEMA a member, TROUPE_E_PROTOCOL the op; then *ret_fault says more. */
TROUPE_MUST_USE int frame_read(const char *text, size_t len, struct frame *ret_frame, struct check_fault *ret_fault);

static inline bool frame_has(const struct frame *frame, enum frame_member member)
{
    return (frame->given & FRAME_BIT(member)) != 0;
}

#endif
