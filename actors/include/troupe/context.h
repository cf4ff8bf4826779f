/* SPDX-License-Identifier: Apache-2.0
 *
 * What a behavior can do: the functions of the running turn.
 *
 * Thread: behavior only (inside one of its functions or continuations, with the ctx it was given).
 * After a kill the context is revoked: what sends or changes anything returns TROUPE_E_KILLED and does nothing. */
#ifndef TROUPE_CONTEXT_H
#define TROUPE_CONTEXT_H

#include <troupe/behavior.h>
#include <troupe/event.h>

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

/* Handle no other message for so long (at most TROUPE_CALL_TIMEOUT_MS_MAX), then run `then`, with status 0: a pause of
 * this actor that holds up no worker. Kill, stop and the system lane do not wait. It is one of the open calls.
 * Fails: TROUPE_E_STATE when the actor waits already, and in stop; INVALID, LIMIT, NO_MEMORY */
TROUPE_MUST_USE int troupe_pause(troupe_ctx *ctx, uint32_t delay_ms, troupe_reply_fn then, uint64_t tag);

/* ---- answer the call that is being handled ---- */

/* Each answers once; TROUPE_E_STATE when the message is no call or has its answer (or its handle was kept). */
TROUPE_MUST_USE int troupe_reply(troupe_ctx *ctx, troupe_body body);
TROUPE_MUST_USE int troupe_reply_error(troupe_ctx *ctx, int error, const char *detail);

/* An error of the application: problem+json of code "app.<code>" by REST. status: 400..499. code: [a-z0-9_.-]{1,64} */
TROUPE_MUST_USE int troupe_reply_app_error(troupe_ctx *ctx, const char *code, unsigned status, const char *detail);

/* Keep the handle of the call that is being handled, to answer in a later turn. The caller's deadline still holds; an
 * end of this actor answers all that it kept, and while it drains the handles of outsiders who have gone are used
 * up. */
typedef struct troupe_handle {
    uint32_t index;
    uint32_t generation;
} troupe_handle;
TROUPE_MUST_USE int troupe_reply_keep(troupe_ctx *ctx, troupe_handle *ret_handle);

/* The kept call itself, to look at it again or to pass it on; NULL when the handle was used or its caller's deadline
 * has passed. Lives: until this function of the behavior returns or the handle is used. */
const troupe_msg *troupe_kept_msg(troupe_ctx *ctx, troupe_handle handle);

/* Answer a kept call; the handle is used up. TROUPE_E_STATE when it was used or its caller's deadline has passed. */
TROUPE_MUST_USE int troupe_reply_to(troupe_ctx *ctx, troupe_handle handle, troupe_body body);
TROUPE_MUST_USE int troupe_reply_error_to(troupe_ctx *ctx, troupe_handle handle, int error, const char *detail);
TROUPE_MUST_USE int troupe_reply_app_error_to(troupe_ctx *ctx, troupe_handle handle, const char *code, unsigned status,
                                              const char *detail);

/* How long the caller of the call at hand, or of a kept one, still waits: in ms, rounded up. 0: no longer, because it
 * has its answer, has given up or has ended; or the message is no call, or is kept (then ask by the handle). For work
 * that nobody wants any more, and for giving others no more time than one has: do not pass a 0 on, which is the default
 * there. */
uint32_t troupe_call_left_ms(const troupe_ctx *ctx);
uint32_t troupe_kept_left_ms(const troupe_ctx *ctx, troupe_handle handle);

/* ---- postpone ---- */

/* Set the message at hand aside, a cast, a call or a timer's: it goes on waiting in the mailbox, counted in its bounds,
 * until troupe_unpostpone. A call keeps its deadline. An end answers what is set aside as all that waits; a drain does
 * not wait for it. While a timer's message is set aside the timer can still be cancelled.
 * Fails: TROUPE_E_STATE for other messages, and when the call is answered, kept or set aside already; NO_MEMORY */
TROUPE_MUST_USE int troupe_postpone(troupe_ctx *ctx);

/* Handle all that was set aside once more, in the order of its coming and before everything newer, beginning after the
 * running function. */
void troupe_unpostpone(troupe_ctx *ctx);

uint32_t troupe_postponed_count(const troupe_ctx *ctx);

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
    uint64_t child_tag;               /* comes back in child events; names it for the troupe_child_... functions */
    bool significant;                 /* its own end may end this parent: troupe_supervision.auto_shutdown */
    bool start_once;                  /* a first start that fails is final, whatever restart says */
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

/* ---- supervise: any actor can; a child is known by its child_tag ---- */

/* Who is started again when one child has failed (after Erlang's supervisor). */
enum troupe_strategy {
    TROUPE_ONE_FOR_ONE = 0,  /* it alone */
    TROUPE_ONE_FOR_ALL = 1,  /* all: the others are stopped newest first, then all are started in order */
    TROUPE_REST_FOR_ONE = 2  /* it and those that were started after it */
};

/* When the parent itself ends, normally, because children that are significant did (OTP 24). */
enum troupe_auto_shutdown { TROUPE_AUTO_NEVER = 0, TROUPE_AUTO_ANY = 1, TROUPE_AUTO_ALL = 2 };

typedef struct troupe_supervision {
    enum troupe_strategy strategy;
    enum troupe_auto_shutdown auto_shutdown;
    uint32_t restarts, period_ms; /* more restarts in this time end the children and fail the parent
                                     (TROUPE_EXIT_INTENSITY). period_ms 0: the defaults, 3 in 5 s */
    uint32_t children_max;        /* more are refused with TROUPE_E_LIMIT; 0: no limit of its own */
    bool keep_ended;              /* who ended for good stays listed, unless temporary: to be restarted or deleted */
} troupe_supervision;

/* How this actor treats its children; without it the zeroed one holds. Fails: INVALID, STATE in stop, NO_MEMORY. */
TROUPE_MUST_USE int troupe_supervise(troupe_ctx *ctx, const troupe_supervision *how);

uint32_t troupe_children_count(const troupe_ctx *ctx); /* that live */

enum troupe_child_state {
    TROUPE_CHILD_IS_STARTING = 1,
    TROUPE_CHILD_IS_RUNNING = 2,
    TROUPE_CHILD_IS_STOPPING = 3,   /* or draining */
    TROUPE_CHILD_IS_RESTARTING = 4, /* it has ended and waits for its start: a backoff, or its turn in a group */
    TROUPE_CHILD_IS_ENDED = 5       /* and stays so: terminated, or kept by troupe_supervision.keep_ended */
};

/* A child as its parent knows it. Views live until the next function that changes children, or the end of the turn. */
typedef struct troupe_child {
    uint64_t child;               /* its child_tag, or 0 */
    troupe_ref ref;               /* zeroed while restarting and ended */
    enum troupe_child_state state;
    enum troupe_restart restart;
    bool significant;
    bool supervises;              /* its behavior cares for children of its own: it has a child() */
    uint32_t restarts;            /* how often it was started again without being asked for */
    troupe_view behavior, name;
} troupe_child;

typedef struct troupe_children {
    uint32_t specs;               /* all that are listed */
    uint32_t active;              /* ... that live */
    uint32_t restarting;          /* ... that wait for their start */
    uint32_t supervisors, workers; /* of specs: those that supervise, and the others */
} troupe_children;

/* Count the children. Costs the same however many there are. */
void troupe_children_counts(const troupe_ctx *ctx, troupe_children *ret_counts);

/* Look at each child in the order of the starts, also at those that do not live, until fn returns false.
 * State: fn changes no children. */
void troupe_children_each(const troupe_ctx *ctx, bool (*fn)(void *user, const troupe_child *child), void *user);

/* The functions below find a child by its tag, which is not 0; when several have it, one of them. */

/* Fails: TROUPE_E_NOT_FOUND */
TROUPE_MUST_USE int troupe_child_find(const troupe_ctx *ctx, uint64_t child, troupe_child *ret_child);

/* End a child for now: it stops, and is killed after its shutdown timeout; TROUPE_CHILD_ENDED follows. It stays listed
 * as ended, unless it is temporary. One that does not live (it waits in backoff) is ended at once, without an event.
 * Fails: NOT_FOUND, KILLED, STATE in stop, NO_MEMORY (then nothing has happened) */
TROUPE_MUST_USE int troupe_child_terminate(troupe_ctx *ctx, uint64_t child);

/* Start a child that is ended. A start that fails is not tried again: it is ended again.
 * Fails: NOT_FOUND, STATE when it is not ended or while its group is being stopped, and as troupe_spawn */
TROUPE_MUST_USE int troupe_child_restart(troupe_ctx *ctx, uint64_t child, troupe_ref *ret_ref);

/* Forget a child that is ended. Fails: NOT_FOUND, STATE when it is not ended */
TROUPE_MUST_USE int troupe_child_delete(troupe_ctx *ctx, uint64_t child);

/* ---- links and monitors ---- */

/* Exactly one down() follows, also when the target is gone already or lies on a lost home.
 * Fails: TROUPE_E_LIMIT at TROUPE_BONDS_PER_ACTOR_MAX, TROUPE_E_STATE in stop, NO_MEMORY; links too. */
TROUPE_MUST_USE int troupe_monitor(troupe_ctx *ctx, troupe_ref ref, uint64_t *ret_monitor);
TROUPE_MUST_USE int troupe_demonitor(troupe_ctx *ctx, uint64_t monitor); /* no down() after it, also not a queued one */

/* Die together: an abnormal end of one ends the other (or comes to down() with TROUPE_BEHAVIOR_TRAP_EXIT). */
TROUPE_MUST_USE int troupe_link(troupe_ctx *ctx, troupe_ref ref);
TROUPE_MUST_USE int troupe_unlink(troupe_ctx *ctx, troupe_ref ref);

/* ---- probe: is it alive, and not stuck? ---- */

/* Ask for a sign of life. It is given by the runtime, not by the behavior, and does not queue behind the messages of
 * `ref`: also while it waits in call_wait, starts, or drains. `then` runs once in a later turn, with the status 0, or
 * TROUPE_E_TIMEOUT when `ref` came to no end of its turn in time (0: the default, 5 s; a behavior with
 * TROUPE_BEHAVIOR_BLOCKING is stuck in this sense while it blocks), or GONE. The answer does not queue behind the
 * messages of this actor either: a deadline is judged after the answers that are there.
 * Fails: GONE, NOT_FOUND, UNREACHABLE, and then `then` never runs; TROUPE_E_LIMIT (it is one of the open calls),
 *        INVALID, STATE in stop and for oneself, NO_MEMORY */
TROUPE_MUST_USE int troupe_probe(troupe_ctx *ctx, troupe_ref ref, uint32_t timeout_ms, troupe_reply_fn then,
                                 uint64_t tag);

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

/* Stop, or kill, an actor later: oneself, a child, anybody. The timer belongs to this actor: it ends with it, and then
 * the other one lives on. What it needs is reserved now, so that exhausted memory saves nobody. Once the time has come
 * the other one is told, and a cancel says TROUPE_E_NOT_FOUND. (Ractor's exit_after and kill_after.)
 * Fails: as troupe_timer_after. */
TROUPE_MUST_USE int troupe_exit_after(troupe_ctx *ctx, troupe_ref ref, uint64_t delay_ms, const char *detail,
                                      uint64_t *ret_timer);
TROUPE_MUST_USE int troupe_kill_after(troupe_ctx *ctx, troupe_ref ref, uint64_t delay_ms, uint64_t *ret_timer);

/* Cancel always wins: the timer's message does not arrive any more. TROUPE_E_NOT_FOUND when it is over. */
TROUPE_MUST_USE int troupe_timer_cancel(troupe_ctx *ctx, uint64_t timer);

enum troupe_timer_what { TROUPE_TIMER_MESSAGE = 1, TROUPE_TIMER_STOP = 2, TROUPE_TIMER_KILL = 3 };

/* A timer that runs. */
typedef struct troupe_timer {
    uint64_t id;                      /* for troupe_timer_cancel */
    uint64_t due_ms;                  /* on the clock of troupe_now_ms; not after now: it waits in the mailbox */
    uint64_t period_ms;               /* 0: once */
    enum troupe_timer_what what;
    enum troupe_every missed;
    bool from_outside;                /* set by a client, not by the actor */
    troupe_ref target;                /* of a stop or kill; else the actor itself */
    char name[TROUPE_TYPE_BYTES_MAX + 1]; /* as a client knows it, else "" */
    char type[TROUPE_TYPE_BYTES_MAX + 1]; /* of the message, else "" */
} troupe_timer;

/* List this actor's timers, in no order: at most `max` of them are written. Returns how many there are. */
uint32_t troupe_timer_list(const troupe_ctx *ctx, troupe_timer *timers, uint32_t max);

/* ---- events ---- */

/* Publish an event to whoever subscribes to this actor (troupe/system.h, topics). Costs the same whether there are
 * subscribers or none. Fails: TROUPE_E_INVALID (the type), TOO_LARGE (more than TROUPE_TOPIC_BYTES_MAX), NO_MEMORY,
 * STATE in stop. */
TROUPE_MUST_USE int troupe_publish(troupe_ctx *ctx, const char *type, troupe_body body);

/* The same, and tell the event's id: "epoch.seq" in hexadecimal and decimal, TROUPE_EVENT_ID_TEXT_MAX bytes. */
#define TROUPE_EVENT_ID_TEXT_MAX 40
TROUPE_MUST_USE int troupe_publish_id(troupe_ctx *ctx, const char *type, troupe_body body, char *ret_id);

/* Follow what another actor of this node publishes (Ractor's output port). Its events arrive in receive as
 * TROUPE_MSG_EVENT, in their order: from is the publisher, tag *ret_follow, status how many events were lost before
 * this one, because this actor was slower than the topic's ring. One message for each follow waits in the mailbox,
 * needing no room, however many events there are: who is slow holds up nobody, is never thrown out, and its other
 * messages get their turn between events. An actor that drains is given what was published until then.
 *
 * The last one has the type "" (troupe_msg_is_end): the publisher has ended, all it published was seen, and the follow
 * is over. filter and what it points to are copied; NULL: all types. `after` counts with TROUPE_FROM_AFTER only.
 * Fails: NOT_FOUND, GONE, UNREACHABLE, TROUPE_E_INVALID (the filter), LIMIT (TROUPE_FOLLOWS_PER_ACTOR_MAX),
 * STATE in stop, NO_MEMORY. */
TROUPE_MUST_USE int troupe_follow(troupe_ctx *ctx, troupe_ref publisher, const troupe_filter *filter,
                                  enum troupe_from from, troupe_event_id after, uint64_t *ret_follow);

/* No event of it arrives any more, also not one that waits. TROUPE_E_NOT_FOUND when it is over. */
TROUPE_MUST_USE int troupe_unfollow(troupe_ctx *ctx, uint64_t follow);

static inline bool troupe_msg_is_end(const troupe_msg *msg)
{
    return msg->kind == TROUPE_MSG_EVENT && msg->type_len == 0;
}

/* ---- log ---- */

enum troupe_log_level { TROUPE_LOG_DEBUG = 0, TROUPE_LOG_INFO = 1, TROUPE_LOG_WARN = 2, TROUPE_LOG_ERROR = 3 };
void troupe_log(troupe_ctx *ctx, enum troupe_log_level level, const char *text);

#include <troupe/group.h>

#endif
