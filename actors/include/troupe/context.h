/* SPDX-License-Identifier: Apache-2.0
 *
 * What a behavior can do: the functions of the running turn.
 *
 * Thread: behavior only (inside one of its functions or continuations, with the ctx it was given).
 * After a kill the context is revoked: what sends or changes anything returns TROUPE_E_KILLED and does nothing. */
#ifndef TROUPE_CONTEXT_H
#define TROUPE_CONTEXT_H

#include <troupe/behavior.h>

/* ---- who and when ---- */

troupe_ref troupe_self(const troupe_ctx *ctx);
troupe_ref troupe_parent(const troupe_ctx *ctx);      /* zeroed when it has none */
troupe_view troupe_self_name(const troupe_ctx *ctx);  /* the name it was spawned with or took last, or "" */

/* The monotonic time at the start of the turn, in ms. */
uint64_t troupe_now_ms(const troupe_ctx *ctx);

/* Random bits, not for secrets; repeatable under the simulator. */
uint64_t troupe_random(troupe_ctx *ctx);

/* ---- memory that counts against the node's budget ---- */

/* Like malloc, realloc and free; what an actor owns it frees in fini. */
TROUPE_MUST_USE void *troupe_alloc(size_t size);
TROUPE_MUST_USE void *troupe_realloc(void *ptr, size_t size);
void troupe_free(void *ptr);

/* ---- send ---- */

/* Send without answer. 0 means the receiver's mailbox took it.
 * Fails: TROUPE_E_FULL (with TROUPE_BEHAVIOR_WRITABLE one TROUPE_MSG_WRITABLE follows when the
 *        mailbox is at half its depth), GONE, NOT_FOUND,
 *        SHED (policy drop newest), DRAINING, UNKNOWN_TYPE, TOO_LARGE (also when it is larger than the whole
 *        mailbox), UNREACHABLE, NO_MEMORY */
static inline int troupe_cast(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body);

/* The same; by address, because two structs by value cost more than the rest of the call. */
TROUPE_MUST_USE int troupe_cast_by_address(troupe_ctx *ctx, const troupe_ref *to, const char *type,
                                           const troupe_body *body);

TROUPE_MUST_USE static inline int troupe_cast(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body)
{
    return troupe_cast_by_address(ctx, &to, type, &body);
}

/* The continuation of a call. reply->kind is TROUPE_MSG_REPLY, reply->status 0 or the error, reply->tag the call's. */
typedef int (*troupe_reply_fn)(troupe_ctx *ctx, void *state, const troupe_msg *reply);

/* Send and go on; `then` runs once in a later turn: with the reply, the error or the timeout (0: the default, 5 s).
 * Fails: as troupe_cast, and then `then` never runs; TROUPE_E_LIMIT at TROUPE_CALLS_PER_ACTOR_MAX open calls. */
TROUPE_MUST_USE int troupe_call(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body,
                                uint32_t timeout_ms, troupe_reply_fn then, uint64_t tag);

/* The same, and no other message is handled until `then` has run: the message lane pauses. Kill, stop, and the system
 * lane do not wait. One at a time: TROUPE_E_STATE when the actor waits already. A call to oneself is TROUPE_E_STATE. */
TROUPE_MUST_USE int troupe_call_wait(troupe_ctx *ctx, troupe_ref to, const char *type, troupe_body body,
                                     uint32_t timeout_ms, troupe_reply_fn then, uint64_t tag);

/* ---- answer the call that is being handled ---- */

/* Each answers once; TROUPE_E_STATE when the message is no call or has its answer (or its handle was kept). */
TROUPE_MUST_USE int troupe_reply(troupe_ctx *ctx, troupe_body body);
TROUPE_MUST_USE int troupe_reply_error(troupe_ctx *ctx, int error, const char *detail);

/* An error of the application: problem+json of code "app.<code>" by REST. status: 400..499. code: [a-z0-9_.-]{1,64} */
TROUPE_MUST_USE int troupe_reply_app_error(troupe_ctx *ctx, const char *code, unsigned status, const char *detail);

/* Keep the handle of the call that is being handled, to answer in a later turn. The caller's deadline still holds; an
 * end of this actor answers all that it kept, and while it drains the handles of outsiders who have gone are used up. */
typedef struct troupe_handle {
    uint32_t index;
    uint32_t generation;
} troupe_handle;
TROUPE_MUST_USE int troupe_reply_keep(troupe_ctx *ctx, troupe_handle *ret_handle);

/* Answer a kept call; the handle is used up. TROUPE_E_STATE when it was used or its caller's deadline has passed. */
TROUPE_MUST_USE int troupe_reply_to(troupe_ctx *ctx, troupe_handle handle, troupe_body body);
TROUPE_MUST_USE int troupe_reply_error_to(troupe_ctx *ctx, troupe_handle handle, int error, const char *detail);
TROUPE_MUST_USE int troupe_reply_app_error_to(troupe_ctx *ctx, troupe_handle handle, const char *code, unsigned status,
                                              const char *detail);

/* ---- life ---- */

enum troupe_restart { TROUPE_TEMPORARY = 0, TROUPE_TRANSIENT = 1, TROUPE_PERMANENT = 2 };
enum troupe_mailbox_policy { TROUPE_REFUSE = 0, TROUPE_DROP_OLDEST = 1, TROUPE_DROP_NEWEST = 2 };
enum troupe_stop_mode { TROUPE_STOP = 0, TROUPE_DRAIN = 1, TROUPE_KILL = 2 };

/* How to start an actor. Zero everywhere but behavior is a good start. All is borrowed during the call. */
typedef struct troupe_spawn_opts {
    const char *behavior;
    troupe_view name;                 /* or empty; taken before init runs, given back after the end's clean-up */
    troupe_body args;
    uint32_t mailbox_messages_max;    /* 0: the default */
    uint32_t mailbox_bytes_max;
    enum troupe_mailbox_policy mailbox_policy;
    uint32_t start_timeout_ms;        /* 0: the default, 10 s */
    enum troupe_restart restart;      /* what this parent does when the child ends */
    uint32_t shutdown_timeout_ms;     /* 0: the default, 5 s; then the child is killed */
    uint32_t backoff_min_ms;          /* delay of the first restart in a row; it doubles, with jitter ... */
    uint32_t backoff_max_ms;          /* ... up to this, or the min if that is more; 0 and 0: restarts are immediate */
    uint64_t child_tag;               /* comes back in child events */
    bool link;
    troupe_caller caller;             /* edges only: who asked */
} troupe_spawn_opts;

/* Start a child. It is known at once and can be sent to; its init runs in its own first turn, and its failure comes as
 * a child event. Fails: UNKNOWN_BEHAVIOR, NAME_TAKEN, LIMIT, NO_MEMORY, INVALID, REGISTRY_LOST (with a name) */
TROUPE_MUST_USE int troupe_spawn(troupe_ctx *ctx, const troupe_spawn_opts *opts, troupe_ref *ret_ref);

/* End a start that init left open with TROUPE_STARTING: 0 to run, an error to give up. */
TROUPE_MUST_USE int troupe_started(troupe_ctx *ctx, int error);

/* End this actor after the running function: normal, with words. */
void troupe_stop_self(troupe_ctx *ctx, const char *detail);

/* Keep words for the failure that is about to be returned; gives error back: `return troupe_fail(ctx, e, "...")`. */
int troupe_fail(troupe_ctx *ctx, int error, const char *detail);

/* End another actor. 0 means the request is on its way. */
TROUPE_MUST_USE int troupe_stop(troupe_ctx *ctx, troupe_ref ref, enum troupe_stop_mode mode, const char *detail);

/* Be a supervisor: at most `restarts` restarts of children in `period_ms`, else this actor ends its children and
 * fails with TROUPE_EXIT_INTENSITY. Without it the defaults hold (3 in 5 s). */
TROUPE_MUST_USE int troupe_supervise(troupe_ctx *ctx, uint32_t restarts, uint32_t period_ms);

uint32_t troupe_children_count(const troupe_ctx *ctx);

/* ---- links and monitors ---- */

/* Exactly one down() follows, also when the target is gone already or lies on a lost home.
 * Fails: TROUPE_E_LIMIT at TROUPE_BONDS_PER_ACTOR_MAX, TROUPE_E_STATE in stop, NO_MEMORY; links too. */
TROUPE_MUST_USE int troupe_monitor(troupe_ctx *ctx, troupe_ref ref, uint64_t *ret_monitor);
TROUPE_MUST_USE int troupe_demonitor(troupe_ctx *ctx, uint64_t monitor); /* no down() after it, also not a queued one */

/* Die together: an abnormal end of one ends the other (or comes to down() with TROUPE_BEHAVIOR_TRAP_EXIT). */
TROUPE_MUST_USE int troupe_link(troupe_ctx *ctx, troupe_ref ref);
TROUPE_MUST_USE int troupe_unlink(troupe_ctx *ctx, troupe_ref ref);

/* ---- names ---- */

/* Take a name; it is given back by the next, or at the end of the actor.
 * In a cluster it may be lost again: see TROUPE_MSG_NAME_LOST.
 * Fails: TROUPE_E_NAME_TAKEN, INVALID (no name at all), LIMIT (TROUPE_NAMES_PER_ACTOR_MAX), NO_MEMORY, REGISTRY_LOST */
TROUPE_MUST_USE int troupe_name_register(troupe_ctx *ctx, troupe_view name);
TROUPE_MUST_USE int troupe_name_release(troupe_ctx *ctx, troupe_view name);
TROUPE_MUST_USE int troupe_whereis(troupe_ctx *ctx, troupe_view name, troupe_ref *ret_ref);

/* ---- timers: they belong to the actor, end with it, and arrive in receive as TROUPE_MSG_TIMER ---- */

enum troupe_every { TROUPE_EVERY_SKIP = 0, TROUPE_EVERY_BURST = 1 }; /* what becomes of missed ticks */

TROUPE_MUST_USE int troupe_timer_after(troupe_ctx *ctx, uint64_t delay_ms, const char *type, troupe_body body,
                                       uint64_t *ret_timer);
TROUPE_MUST_USE int troupe_timer_at(troupe_ctx *ctx, uint64_t at_ms, const char *type, troupe_body body,
                                    uint64_t *ret_timer);
TROUPE_MUST_USE int troupe_timer_every(troupe_ctx *ctx, uint64_t period_ms, enum troupe_every missed,
                                       const char *type, troupe_body body, uint64_t *ret_timer);

/* Cancel always wins: the timer's message does not arrive any more. TROUPE_E_NOT_FOUND when it is over. */
TROUPE_MUST_USE int troupe_timer_cancel(troupe_ctx *ctx, uint64_t timer);

/* ---- events ---- */

/* Publish an event to whoever subscribes to this actor (troupe/system.h, topics). Costs the same whether there are
 * subscribers or none. Fails: TROUPE_E_INVALID (the type), TOO_LARGE (more than TROUPE_TOPIC_BYTES_MAX), NO_MEMORY,
 * STATE in stop. */
TROUPE_MUST_USE int troupe_publish(troupe_ctx *ctx, const char *type, troupe_body body);

/* The same, and tell the event's id: "epoch.seq" in hexadecimal and decimal, TROUPE_EVENT_ID_TEXT_MAX bytes. */
#define TROUPE_EVENT_ID_TEXT_MAX 40
TROUPE_MUST_USE int troupe_publish_id(troupe_ctx *ctx, const char *type, troupe_body body, char *ret_id);

/* ---- log ---- */

enum troupe_log_level { TROUPE_LOG_DEBUG = 0, TROUPE_LOG_INFO = 1, TROUPE_LOG_WARN = 2, TROUPE_LOG_ERROR = 3 };
void troupe_log(troupe_ctx *ctx, enum troupe_log_level level, const char *text);

#endif
