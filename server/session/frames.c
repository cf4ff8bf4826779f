/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of session/frames.h. To add an operation: its row here, its handler in session.c, its section in
 * docs/websocket.md. */
#include "session/frames.h"

#include <stddef.h>

#include <troupe/limits.h>
#include <troupe/ref.h>

#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1) /* what JavaScript counts exactly */

static const char *const if_exists_words[] = {"error", "return", NULL};
static const char *const policy_words[] = {"refuse", "drop_oldest", "drop_newest", NULL};
static const char *const restart_words[] = {"temporary", "transient", "permanent", NULL};
static const char *const mode_words[] = {"stop", "drain", "kill", NULL};
static const char *const from_words[] = {"now", "oldest", NULL};
static const char *const retry_words[] = {"no", "if_idempotent", "yes", NULL};
static const char *const outcome_words[] = {"not_done", "unknown", NULL};

#define AT(member) .offset = offsetof(struct frame_mailbox, member)
const struct check_field frame_mailbox_fields[] = {
    {.name = "messages", .type = CHECK_UINT, .min = 1, .max = TROUPE_MAILBOX_MESSAGES_MAX, AT(messages)},
    {.name = "bytes", .type = CHECK_UINT, .min = 1, .max = UINT32_MAX, AT(bytes)},
    {.name = "policy", .type = CHECK_WORD, .words = policy_words, AT(policy)},
    {.name = NULL},
};
#undef AT

#define ID(n, field, words) \
    {.name = n, .type = FRAME_TYPE_ID, .offset = offsetof(struct frame, field), .summary = words}
#define TEXT(n, field, low, high, words) \
    {.name = n, .type = FRAME_TYPE_TEXT, .min = low, .max = high, .offset = offsetof(struct frame, field), \
     .summary = words}
#define WORD(n, field, list, is) \
    {.name = n, .type = FRAME_TYPE_WORD, .words = list, .offset = offsetof(struct frame, field), .summary = is}
#define UINT(n, field, low, high, words) \
    {.name = n, .type = FRAME_TYPE_UINT, .min = low, .max = high, .offset = offsetof(struct frame, field), \
     .summary = words}
#define OURS(n, is, high, words) {.name = n, .type = is, .max = high, .summary = words}

const struct frame_member_row frame_members[FRAME_MEMBERS] = {
    [FRAME_OP] = {.name = "op", .type = FRAME_TYPE_TEXT, .min = 1, .max = 64, .summary = "What the frame is."},
    [FRAME_ID] = ID("id", id, "Chosen by the client; answers carry it back exactly as it came."),
    [FRAME_TO] = TEXT("to", to, 1, TROUPE_NAME_BYTES_MAX + 1, "An actor: its id, or @ and its name."),
    [FRAME_TYPE] = TEXT("type", type, 1, TROUPE_TYPE_BYTES_MAX, "The message type."),
    [FRAME_BODY] = {.name = "body", .type = FRAME_TYPE_ANY, .offset = offsetof(struct frame, body),
                    .summary = "Any JSON; passed on as it came."},
    [FRAME_BODY_B64] = {.name = "body_b64", .type = FRAME_TYPE_BASE64, .offset = offsetof(struct frame, body_b64),
                        .summary = "A body of bytes, in Base64 with padding."},
    [FRAME_CONTENT_TYPE] = TEXT("content_type", content_type, 1, TROUPE_CONTENT_TYPE_BYTES_MAX,
                                "Of body_b64; application/octet-stream unless told."),
    [FRAME_TIMEOUT_MS] = UINT("timeout_ms", timeout_ms, 1, TROUPE_CALL_TIMEOUT_MS_MAX,
                              "How long to wait; 5000 unless told."),
    [FRAME_BEHAVIOR] = TEXT("behavior", behavior, 1, TROUPE_TYPE_BYTES_MAX, "What the actor shall be."),
    [FRAME_NAME] = TEXT("name", name, 1, TROUPE_NAME_BYTES_MAX, "A name for the actor."),
    [FRAME_IF_EXISTS] = WORD("if_exists", if_exists, if_exists_words,
                             "What to do when the name is taken; error unless told."),
    [FRAME_ARGS] = {.name = "args", .type = FRAME_TYPE_ANY, .offset = offsetof(struct frame, args),
                    .summary = "Any JSON, for the behavior."},
    [FRAME_MAILBOX] = {.name = "mailbox", .type = FRAME_TYPE_OBJECT, .fields = frame_mailbox_fields,
                       .offset = offsetof(struct frame, mailbox), .summary = "The limits of its mailbox."},
    [FRAME_RESTART] = WORD("restart", restart, restart_words, "When to start it again; temporary is never."),
    [FRAME_START_TIMEOUT_MS] = UINT("start_timeout_ms", start_timeout_ms, 1, TROUPE_CALL_TIMEOUT_MS_MAX,
                                    "How long its start may take; 10000 unless told."),
    [FRAME_MODE] = WORD("mode", mode, mode_words, "stop: finish the running message. drain: finish all that was "
                                                  "accepted. kill: at once."),
    [FRAME_REASON] = TEXT("reason", reason, 1, TROUPE_REASON_BYTES_MAX, "Words for those who watch the actor."),
    [FRAME_MONITOR] = ID("monitor", monitor, "The id of the frame that began the monitor."),
    [FRAME_SUBSCRIPTION] = ID("subscription", subscription, "The id of the frame that began the subscription."),
    [FRAME_TOPIC] = TEXT("topic", topic, 1, 64, "cluster: the events of the cluster."),
    [FRAME_FROM] = WORD("from", from, from_words, "Where to begin: with what is published from now on, or with the "
                                                  "oldest event that is kept."),
    [FRAME_AFTER] = TEXT("after", after, 18, 37, "The last event that was seen: go on behind it."),
    [FRAME_TYPES] = {.name = "types", .type = FRAME_TYPE_TYPES, .offset = offsetof(struct frame, types),
                     .summary = "Only events of these types; one may end with a *, and then it is their beginning."},
    [FRAME_CLIENT] = TEXT("client", client, 1, 64, "A name of the client's program."),
    [FRAME_RESUME] = {.name = "resume", .type = FRAME_TYPE_BOOL, .offset = offsetof(struct frame, resume),
                      .summary = "Whether sessions survive their socket: not in this version."},
    [FRAME_SESSION] = TEXT("session", session, 1, 28, "The id of a session."),
    [FRAME_SEQ] = UINT("seq", seq, 0, JSON_INTEGER_MAX, "Counts frames of a session that can be resumed."),
    [FRAME_ACK] = UINT("ack", ack, 0, JSON_INTEGER_MAX, "The last seq that came."),
    [FRAME_CREDIT] = UINT("credit", credit, 0, JSON_INTEGER_MAX, "In a welcome: how many calls may be open at once."),
    [FRAME_N] = UINT("n", n, 1, JSON_INTEGER_MAX, "How much more."),

    [FRAME_NODE] = OURS("node", FRAME_TYPE_TEXT, 28, "The node's id."),
    [FRAME_CLUSTER] = OURS("cluster", FRAME_TYPE_TEXT, 28, "The cluster's id."),
    [FRAME_PROTOCOL] = OURS("protocol", FRAME_TYPE_TEXT, 64, "The subprotocol."),
    [FRAME_VERSION] = OURS("version", FRAME_TYPE_TEXT, 64, "The node's version."),
    [FRAME_FRAME_BYTES_MAX] = OURS("frame_bytes_max", FRAME_TYPE_UINT, JSON_INTEGER_MAX,
                                   "The largest frame that the node takes."),
    [FRAME_PING_MS] = OURS("ping_ms", FRAME_TYPE_UINT, JSON_INTEGER_MAX,
                           "After so long a silence the node sends a WebSocket ping."),
    [FRAME_CODE] = OURS("code", FRAME_TYPE_TEXT, 128, "What programs compare."),
    [FRAME_TITLE] = OURS("title", FRAME_TYPE_TEXT, 128, "The code in words."),
    [FRAME_STATUS] = {.name = "status", .type = FRAME_TYPE_UINT, .min = 400, .max = 599,
                      .summary = "The same as by HTTP."},
    [FRAME_DETAIL] = OURS("detail", FRAME_TYPE_TEXT, 4096, "What is wrong and what to do."),
    [FRAME_RETRY] = {.name = "retry", .type = FRAME_TYPE_WORD, .words = retry_words,
                     .summary = "Is the same again of use?"},
    [FRAME_OUTCOME] = {.name = "outcome", .type = FRAME_TYPE_WORD, .words = outcome_words,
                       .summary = "not_done: nothing happened. unknown: it may have happened."},
    [FRAME_FIELD] = OURS("field", FRAME_TYPE_TEXT, 96, "The member at fault."),
    [FRAME_RETRY_AFTER_MS] = OURS("retry_after_ms", FRAME_TYPE_UINT, JSON_INTEGER_MAX, "How long to wait before."),
    [FRAME_ACTOR] = OURS("actor", FRAME_TYPE_TEXT, TROUPE_REF_TEXT_MAX - 1, "The actor concerned."),
    [FRAME_REF] = OURS("ref", FRAME_TYPE_TEXT, TROUPE_REF_TEXT_MAX - 1, "The id of the actor."),
    [FRAME_CAUSE] = OURS("cause", FRAME_TYPE_TEXT, 64, "Why the actor ended: normal, stopped, failed, noproc, ..."),
    [FRAME_ERROR] = OURS("error", FRAME_TYPE_TEXT, 64, "The code of the error that ended it."),
    [FRAME_EVENT] = OURS("event", FRAME_TYPE_TEXT, 37, "The id of the event: epoch.seq."),
    [FRAME_MISSED] = {.name = "missed", .type = FRAME_TYPE_UINT, .min = 1, .max = UINT64_MAX,
                      .summary = "So many events before the next one are lost to this subscription."},
};

#define B(member) FRAME_BIT(FRAME_##member)
#define BODY_BITS (B(BODY) | B(BODY_B64) | B(CONTENT_TYPE))
#define PROBLEM_BITS (B(CODE) | B(TITLE) | B(STATUS) | B(DETAIL) | B(RETRY) | B(OUTCOME))
#define PROBLEM_MORE (B(FIELD) | B(RETRY_AFTER_MS) | B(ACTOR))
#define SPAWN_BITS (B(NAME) | B(IF_EXISTS) | B(ARGS) | B(MAILBOX) | B(RESTART) | B(START_TIMEOUT_MS))
#define WELCOME_BITS \
    (B(SESSION) | B(NODE) | B(CLUSTER) | B(PROTOCOL) | B(VERSION) | B(SEQ) | B(ACK) | B(RESUME) | B(CREDIT) | \
     B(FRAME_BYTES_MAX) | B(PING_MS))

const struct frame_op_row frame_ops[FRAME_OPS] = {
    [OP_HELLO] = {"hello", 0, B(ID) | B(CLIENT) | B(RESUME) | B(SESSION) | B(SEQ) | B(ACK) | B(CREDIT), 0,
                  ACCESS_PUBLIC, "welcome error", "Ask who the node is. Once in a session, if at all."},
    [OP_CALL] = {"call", B(ID) | B(TO) | B(TYPE), BODY_BITS | B(TIMEOUT_MS), 0, ACCESS_MESSAGE, "reply error",
                 "Send to an actor and await its reply."},
    [OP_CAST] = {"cast", B(TO) | B(TYPE), B(ID) | BODY_BITS, 0, ACCESS_MESSAGE, "reply error undelivered",
                 "Send to an actor. With an id the answer tells that its mailbox took the message; without one only a "
                 "refusal is told."},
    [OP_PUBLISH] = {"publish", B(TO) | B(TYPE), B(ID) | BODY_BITS | B(TIMEOUT_MS), 0, ACCESS_MESSAGE,
                    "reply error undelivered", "Send an event to a topic. With an id the reply has the event's id."},
    [OP_SPAWN] = {"spawn", B(ID) | B(BEHAVIOR), SPAWN_BITS, 0, ACCESS_SPAWN, "reply error",
                  "Start an actor, or get the one that has the name."},
    [OP_STOP] = {"stop", B(ID) | B(TO), B(MODE) | B(REASON) | B(TIMEOUT_MS), 0, ACCESS_STOP, "reply error",
                 "End an actor."},
    [OP_MONITOR] = {"monitor", B(ID) | B(TO), 0, 0, ACCESS_READ, "reply error down",
                    "Be told of the end of an actor, once."},
    [OP_DEMONITOR] = {"demonitor", B(ID) | B(MONITOR), 0, 0, ACCESS_PUBLIC, "reply error", "Take a monitor back."},
    [OP_SUBSCRIBE] = {"subscribe", B(ID), B(TO) | B(TOPIC) | B(FROM) | B(AFTER) | B(TYPES), B(TO) | B(TOPIC),
                      ACCESS_READ, "reply error event lagged end",
                      "Be sent the events of an actor, or of the cluster."},
    [OP_UNSUBSCRIBE] = {"unsubscribe", B(ID) | B(SUBSCRIPTION), 0, 0, ACCESS_PUBLIC, "reply error",
                        "Take a subscription back."},
    [OP_PING] = {"ping", 0, B(ID), 0, ACCESS_PUBLIC, "pong", "Is the node there?"},
    [OP_ACK] = {"ack", B(SEQ), 0, 0, ACCESS_PUBLIC, NULL, "Tell what came. Without effect in this version."},
    [OP_CREDIT] = {"credit", B(N), 0, 0, ACCESS_PUBLIC, NULL,
                   "Let the node send more. Without effect in this version."},
    [OP_BYE] = {"bye", 0, 0, 0, ACCESS_PUBLIC, NULL,
                "End the session: what is open is given up, and the node closes with 1000."},

    [OP_WELCOME] = {"welcome", WELCOME_BITS, B(ID), 0, ACCESS_PUBLIC, NULL, "The answer to hello."},
    [OP_REPLY] = {"reply", B(ID), BODY_BITS, 0, ACCESS_PUBLIC, NULL, "It was done; body is what came of it."},
    [OP_ERROR] = {"error", PROBLEM_BITS, B(ID) | PROBLEM_MORE, 0, ACCESS_PUBLIC, NULL,
                  "It was refused or it failed. Without an id when the frame's own could not be read."},
    [OP_UNDELIVERED] = {"undelivered", B(TO) | B(TYPE) | PROBLEM_BITS, PROBLEM_MORE, 0, ACCESS_PUBLIC, NULL,
                        "A cast or publish without an id was refused."},
    [OP_DOWN] = {"down", B(ID) | B(REF) | B(CAUSE), B(ERROR) | B(DETAIL), 0, ACCESS_PUBLIC, NULL,
                 "The actor of the monitor with this id has ended."},
    [OP_EVENT] = {"event", B(ID) | B(EVENT) | B(TYPE), BODY_BITS, 0, ACCESS_PUBLIC, NULL,
                  "An event of the subscription with this id."},
    [OP_LAGGED] = {"lagged", B(ID) | B(MISSED), 0, 0, ACCESS_PUBLIC, NULL,
                   "The client was too slow for this subscription."},
    [OP_END] = {"end", B(ID), 0, 0, ACCESS_PUBLIC, NULL,
                "The actor of the subscription has ended; no more events come."},
    [OP_PONG] = {"pong", 0, B(ID), 0, ACCESS_PUBLIC, NULL, "The answer to ping."},
    [OP_GOODBYE] = {"bye", B(CODE) | B(DETAIL), 0, 0, ACCESS_PUBLIC, NULL,
                    "The node ends; use another one. It closes with 1001 when open calls are answered."},
};

const struct frame_rule frame_rules[] = {
    {FRAME_BODY, FRAME_BODY_B64, false},
    {FRAME_CONTENT_TYPE, FRAME_BODY_B64, true},
    {FRAME_FROM, FRAME_AFTER, false},
    {FRAME_OP, FRAME_OP, false},
};
