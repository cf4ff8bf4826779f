/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of a system and its workers, and what the rooms of the core offer each other.
 *
 * Reading order: actor.h, message.h, mailbox.h (the word), turn.c (how an actor runs), life.c (spawn and end), then the
 * rest: call.c, wait.c (timers, deadlines), bond.c (links, monitors), supervisor.c, names.c, request.c (outsiders),
 * worker.c (poll, steal, park), system.c.
 *
 * Threads: a worker's fields are its driver's, but those marked any. A system's are set once, or under the named lock,
 * or atomic. */
#ifndef TROUPE_CORE_WORKER_H
#define TROUPE_CORE_WORKER_H

#include <troupe/system.h>

#include "base/rng.h"
#include "core/actor.h"
#include "core/extra.h"
#include "core/follow.h"
#include "core/group.h"
#include "core/inject.h"
#include "core/names.h"
#include "core/pool.h"
#include "core/runq.h"
#include "core/slots.h"
#include "core/timer_wheel.h"
#include "core/topic.h"
#include "core/trace.h"

#define INJECT_EVERY_TURNS 61u  /* every so many turns the inject queue comes first */
#define NS_PER_MS UINT64_C(1000000)
#define TURN_FIRST_CHECK 4u     /* messages of a turn before the first look at the clock */
#define TURN_TIME_CHECK 16u     /* ... and between looks */

/* A registered behavior. */
struct kind {
    const troupe_behavior *behavior;
    const void *host;            /* what the host gave with it */
    _Atomic(struct kind *) newer; /* what has taken the place of this one for new actors, or NULL */
    uint32_t index;              /* of kind_stats */
    _Atomic uint32_t message_ns; /* of recent turns, smoothed; advisory: decides only about inline turns */
    uint64_t type_heads[TROUPE_TYPES_PER_BEHAVIOR_MAX]; /* the first 8 bytes of each type's name */
    uint8_t type_lens[TROUPE_TYPES_PER_BEHAVIOR_MAX];
};

/* Counters: one writer (the worker), any reader. The names are those of troupe_stats. */
struct worker_stats {
    _Atomic uint64_t spawned, ended, failed, killed, restarts;
    _Atomic uint64_t turns, turns_long, turns_inline, messages, calls, steals, turns_blocking;
    _Atomic uint64_t dead_letters, dead_full, dead_gone, dead_shed, timeouts;
};

/* The same for one kind of actors. The names are those of troupe_behavior_stats. */
struct kind_stats {
    _Atomic uint64_t spawned, ended, failed, messages, turns, busy_ns;
};

/* An outsider's open request; blocks of them never move. */
struct open_request {
    troupe_request *request;     /* NULL: free */
    _Atomic uint32_t generation; /* grows when it is closed; others may look: troupe__request_is_open */
    uint32_t next_free;
    uint32_t slot;
    bool armed;                  /* the timer was started: its links change under others' hands, so they do not tell */
    troupe_ref monitored;        /* of a monitor */
    struct message *demonitor;   /* ... that takes it back: made with it, so that a cancel needs no memory; else NULL */
    struct wheel_entry timer;    /* in this worker's wheel */
};
#define REQUESTS_BLOCK 64u
#define REQUESTS_BLOCKS_MAX 16384u

/* A timer's message is being handled; has been postponed; is to come back with all that is postponed. */
enum ctx_timer { CTX_TIMER_NONE = 0, CTX_TIMER_RUNS, CTX_TIMER_POSTPONED, CTX_TIMER_RETURNS };

/* One turn. In the worker, which runs one at a time: there it costs a turn neither stack nor guard. */
struct troupe_ctx {
    troupe_worker *worker;
    struct actor *actor;
    struct message *message;     /* being handled; NULL in hooks */
    bool answered;               /* ... and answered, kept, or no call */
    bool kept;                   /* ... its message lives on in the table of kept calls */
    bool answer_failed;          /* memory was out: answered with an error after the turn */
    bool stop_self;
    uint8_t timer;               /* enum ctx_timer */
    uint32_t sends;              /* in this turn: they count towards it */
    uint32_t deadlines;          /* handled since the signals were looked at; they count towards the turn */
    bool traced_end;             /* for a trace alone: the message at hand ended the actor, ... */
    int traced_error;            /* ... or was answered with this */
    uint8_t detail_len;
    char detail[TROUPE_REASON_BYTES_MAX + 1];
};

/* What a thief saw of another one's run queue. */
struct seen_queue {
    uint64_t at_ns;
    uint64_t turns;              /* turns that the other one had begun */
    uint32_t tail;               /* of its ring */
};

struct troupe_worker {
    /* Set once. */
    troupe_system *system;
    uint32_t index;
    bool is_blocking;            /* it runs actors that may block, and no others */

    /* The driver's. */
    uint64_t now_ns;
    struct rng rng;
    struct pool pool;
    struct slot_cache slots;
    struct open_request **request_blocks; /* REQUESTS_BLOCKS_MAX pointers, made on first use */
    uint32_t requests_count, requests_free; /* slots made; first free slot + 1, 0: none */
    uint32_t inline_left;        /* inline turns until the next poll */
    uint32_t until_inject;
    bool took_front;             /* the last actor was taken from the front of the run queue */
    uint64_t woke_ns;            /* when this worker last woke another one */
    uint64_t turns_began_ns;     /* now_ns of the last poll */
    uint32_t turns_to_note;      /* turns of that poll, whose time is not known yet */
    uint64_t look_again_ns;      /* how long to wait until the next look at others' queues */
    uint64_t others_turns, others_worked_ns; /* how many turns others had run, when that was last seen to change */
    struct seen_queue seen[TROUPE_WORKERS_MAX]; /* others' queues */
    uint64_t looked_at_others_ns; /* for late deadlines */
    struct name_entry *lost;     /* of names.lost, not told yet */
    struct topic_place *topics_due, *topics_last; /* topics with subscribers here that are to be told */
    struct troupe_topic *telling, *telling_last;  /* topics whose followers this worker tells */
    struct group_job *group_jobs; /* of outsiders, that are still sent; a ring: the next to go on */
    bool in_turn;
    bool had_long_turn;          /* in this poll */
    uint64_t clock_at_now_ns;    /* the turns' clock when now_ns was told */
    uint64_t slice_started_ns;   /* for measuring turns */
    uint32_t slice_turns, precise_turns;
    struct worker_stats stats;
    struct kind_stats kind_stats[TROUPE_BEHAVIORS_MAX + 1]; /* by kind.index; a page for each 85 that are used */
    struct troupe_ctx ctx;       /* of the running turn */
    char self_name[TROUPE_NAME_BYTES_MAX + 1]; /* of its actor, for troupe_self_name */

    /* Any. */
    struct runq runq;
    _Atomic uint32_t turn_ns;        /* of turns of late, smoothed; advisory */
    _Atomic(struct message *) inbox; /* answers for requests, notices of topics: a stack */
    struct troupe__lock wheel_lock;
    struct timer_wheel wheel;        /* under wheel_lock */
    _Atomic bool armed_by_other;     /* others put something into the wheel, or left it to worker 0: pairs with park */
    _Atomic(struct actor *) turn_actor; /* for watchdogs, advisory */
    _Atomic uint64_t turn_count;
};

struct shutdown {
    _Atomic(troupe_worker *) worker; /* the one that began it, whose the others are; NULL: none */
    bool killing;
    enum troupe_stop_mode mode;
    uint64_t kill_at_ns;
    uint64_t cursor;
    uint64_t again_at_ns;
};

struct troupe_system {
    troupe_system_config config; /* with the defaults filled in */
    troupe_home home;
    struct kind *kinds;          /* TROUPE_BEHAVIORS_MAX; those below kinds_count never change, but newer */
    _Atomic uint32_t kinds_count; /* release: of kinds */
    struct troupe__lock kinds_lock; /* of those who add */
    struct slot_table slots;
    struct names names;
    struct topic_table topics;   /* of actors */
    struct group_table groups;
    struct pool_depot depot;
    troupe_worker **workers;
    struct kind root_kind;
    struct troupe__lock root_lock;
    troupe_ref root;             /* the node's supervisor, under the lock; zeroed until it is needed */

    uint64_t ordinary;           /* set once: the bits of the workers that are not blocking ones */
    _Atomic uint64_t parked;     /* bit i: worker i is parked and wants wake() */
    _Atomic bool draining;       /* no more spawns of outsiders */
    _Atomic bool overloaded;     /* refreshed by polls; advisory */

    struct inject_queue inject;
    struct inject_queue blocking; /* actors for the blocking workers, in order */

    struct trace_table traces;
    struct alarm_table alarms;

    _Atomic bool clustered;      /* another home may be one that lives */

    struct shutdown shutdown;
};

_Static_assert(TROUPE_REASON_BYTES_MAX < 256, "detail_len");

static inline uint32_t troupe__workers_all(const troupe_system *system)
{
    return system->config.workers + system->config.blocking_workers;
}

static inline void *actor_state(struct actor *actor) { return actor->state_ptr; }

static inline troupe_ref actor_ref(const troupe_system *system, const struct actor *actor)
{
    return (troupe_ref){system->home, actor->slot, actor_generation(actor)};
}

static inline enum troupe_actor_state actor_state_now(const struct actor *actor)
{
    return (enum troupe_actor_state)atomic_load_relaxed(&actor->state);
}

/* ---- kinds.c ---- */

void troupe__kind_init(struct kind *kind, const troupe_behavior *behavior, const void *host);

/* What a new actor of this behavior is: the newest that has the name. NULL: none. Thread: any. */
struct kind *troupe__kind_named(const troupe_system *system, const char *name);

/* ---- turn.c ---- */

/* Run a claimed actor: up to TROUPE_TURN_MESSAGES_MAX messages. It goes idle, or to a run queue, or ends. */
void troupe__turn_run(troupe_worker *worker, struct actor *actor);

/* A pause is over: what it held back comes first. */
void troupe__turn_resume(struct actor *actor, uint8_t pause);

/* A message that will not be handled: answered with the error if it is a call, counted if it is a cast. Consumes it. */
void troupe__turn_dispose(troupe_worker *worker, struct actor *actor, struct message *message, int error);

/* Make the links and monitors that were asked for before the end, which overtook them: they are told the real cause. */
void troupe__turn_take_bonds(troupe_ctx *ctx);

/* ---- postpone.c ---- */

/* Set the message at hand aside. State: the actor has its extra. */
void troupe__postpone_add(struct actor *actor, struct message *message);

/* Take out the oldest that a full mailbox may shed, or all; NULL when there is none. They count as handled. */
struct message *troupe__postpone_take_oldest(struct actor *actor);
struct message *troupe__postpone_take_all(struct actor *actor);

/* ---- turn_time.c ---- */

/* Turns that follow are timed from now. */
void troupe__turn_begin_slice(troupe_worker *worker);

/* A turn of this kind, which handled so many messages, has ended. State: there is a clock. */
void troupe__turn_time(troupe_worker *worker, struct kind *kind, const struct actor *actor, uint32_t generation,
                       uint32_t messages);

/* No more turns for now; this one was the last of the slice. */
void troupe__turn_end_slice(troupe_worker *worker, const struct actor *actor);

/* After how many messages, more than these, to ask that again. */
static inline uint32_t troupe__turn_next_look(const troupe_worker *worker, const struct kind *kind, uint32_t handled)
{
    if (worker->is_blocking)
        return handled + 1;
    if (worker->is_blocking || atomic_load_relaxed(&kind->message_ns) > TROUPE_INLINE_TURN_NS_MAX)
        return handled + 1;
    if (!worker->system->config.clock_ns)
        return TROUPE_TURN_MESSAGES_MAX;
    return handled < TURN_FIRST_CHECK ? TURN_FIRST_CHECK : handled - handled % TURN_TIME_CHECK + TURN_TIME_CHECK;
}

/* Has a batch of so many messages had its share, of messages or of time? */
bool troupe__turn_is_used_up(troupe_worker *worker, const struct kind *kind, uint32_t handled);

/* ---- worker.c ---- */

/* Put a claimed actor where it will be run. Thread: owner of the worker. */
void troupe__worker_schedule(troupe_worker *worker, struct actor *actor);

/* The same for one to whom much is sent: before the others, within bounds (runq.h). */
void troupe__worker_schedule_next(troupe_worker *worker, struct actor *actor);

/* Set signals on an actor of this generation and see that it looks at them. A successor in the slot gets SYSTEM
 * alone. */
void troupe__worker_raise(troupe_worker *worker, struct actor *actor, uint32_t generation, uint32_t signals);

/* Tell the time of the actor's earliest deadline to a wheel. Thread: owner of the actor. */
void troupe__worker_arm(troupe_worker *worker, struct actor *actor, uint64_t deadline_ns);
void troupe__worker_disarm(troupe_worker *worker, struct actor *actor);

/* Wake the worker if it is parked. Thread: any. */
void troupe__worker_wake(troupe_system *system, uint32_t index);

/* Put an answer into the inbox of the worker whose request it is, or a notice. Consumes the message. Thread: any. */
void troupe__worker_post(troupe_system *system, uint32_t to, struct message *message);

void troupe__dead_letter(troupe_worker *worker, const troupe_ref *to, const troupe_ref *from, troupe_view type,
                         int error);

/* ---- send.c ---- */

/* Find a living actor of this node. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_GONE, TROUPE_E_UNREACHABLE. Thread: any;
 * advisory until a message that carries the generation is accepted. */
int troupe__find(const troupe_system *system, troupe_ref ref, struct actor **ret_actor);

/* The index of a type in the behavior's table, or TROUPE_OP_NONE. */
uint32_t troupe__kind_find(const struct kind *kind, troupe_view type);

/* An ordinary message to be sent. All is borrowed. */
struct outgoing {
    enum troupe_msg_kind kind;
    troupe_view type;
    const troupe_body *body;
    struct actor *sender;        /* NULL: an outsider */
    const troupe_caller *caller; /* ... and who it is; never NULL then */
    enum reply_to reply_to;      /* with REPLY_REQUEST this worker's */
    uint64_t call_id;
    uint64_t deadline_ns;
};

/* The home that an outsider's messages come from. Lives: as both. */
static inline const troupe_home *troupe__caller_home(const troupe_system *system, const troupe_caller *caller)
{
    return (caller->home.high | caller->home.low) ? &caller->home : &system->home;
}

/* Send an ordinary message. The receiver is looked up before the message is made, so that its type need not be copied.
 * *ret_claimed is the actor when the caller must run or schedule it; without ret_claimed it is scheduled here. A
 * refusal is counted as a dead letter. Fails: what troupe_cast says. */
int troupe__send(troupe_worker *worker, const troupe_ref *to, const struct outgoing *out, struct actor **ret_claimed);

/* Send a call of the running actor, whose reply has this id. Fails: as troupe__send. */
int troupe__send_call(troupe_ctx *ctx, const troupe_ref *to, const char *type, const troupe_body *body,
                      uint64_t call_id, uint64_t deadline_ns);

/* Send what needs no room (replies, downs, ...) into the mailbox of an actor of this node. Consumes the message. */
void troupe__send_reserved(troupe_worker *worker, troupe_ref to, struct message *message);

/* Send into the system lane. Consumes on success only. */
int troupe__send_system(troupe_worker *worker, troupe_ref to, struct message *message, uint32_t signals);

/* ---- call.c ---- */

/* Answer a call; reply_to NOBODY is legal. The call's message stays the caller's. Fails: TROUPE_E_NO_MEMORY. */
int troupe__answer(troupe_worker *worker, const struct message *call, troupe_ref from, const troupe_answer *answer);

/* Answer a call with an error, in the call's own memory: cannot fail. Consumes the message. */
void troupe__answer_with_error(troupe_worker *worker, struct message *call, troupe_ref from, int error,
                               troupe_view detail);

/* A reply has reached its caller. Consumes the message. Returns what the continuation returned. */
int troupe__call_on_reply(troupe_ctx *ctx, struct message *reply);

/* End a call with this reply: runs its continuation. */
int troupe__call_end(troupe_ctx *ctx, struct wait *wait, troupe_msg *reply);

/* ---- probe.c ---- */

/* Send a probe back to its asker. Consumes it; allocates nothing. Thread: any driver. */
void troupe__probe_answer(troupe_worker *worker, struct message *probe, troupe_ref from, int status);

/* The answer to a probe of this actor. Consumes it. Returns what the continuation returned. */
int troupe__probe_on_answer(troupe_ctx *ctx, struct message *answer);

/* ---- wait.c ---- */

/* What is due, as many as a turn may: deadlines of calls, timers, starts, shutdowns, restarts. Returns 0 or the failure
 * of a function. */
int troupe__wait_on_due(troupe_ctx *ctx);

/* The actor drains: drop the calls that it kept for outsiders who are gone, if it is time to look. Nobody tells of
 * them, as that would cost each call; so while it owes replies it looks again and again. */
void troupe__wait_look_for_askers(troupe_ctx *ctx);

/* The actor ends: answer what it kept, forget its calls. */
void troupe__wait_stop_all(troupe_ctx *ctx, enum troupe_exit_cause cause);

/* A timer's message has reached the front. Consumes it. */
int troupe__wait_on_timer(troupe_ctx *ctx, struct message *message);

/* ---- life.c ---- */

/* Where a spawn comes from. */
struct spawn_origin {
    struct actor *parent;        /* whose owner is the caller; NULL: none */
    struct message *args;        /* the ARGS message, which also carries who waits for the start; consumed on success.
                                    NULL: no args, nobody waits; it is made when init runs */
};

/* Make an actor. Thread: owner of the worker and of the parent. On TROUPE_E_NAME_TAKEN *ret_ref is the holder. */
int troupe__spawn(troupe_worker *worker, const troupe_spawn_opts *opts, const struct spawn_origin *origin,
                  troupe_ref *ret_ref);
int troupe__spawn_kind(troupe_worker *worker, struct kind *kind, const troupe_spawn_opts *opts,
                       const struct spawn_origin *origin, troupe_ref *ret_ref);

/* What is wrong with the wishes, or 0. */
int troupe__spawn_check(const troupe_spawn_opts *opts);

/* The ARGS message of a spawn, or NULL. */
struct message *troupe__spawn_args(troupe_worker *worker, const troupe_spawn_opts *opts, troupe_ref from);

/* An actor without args and without init, whose parent need not hear of it, runs from now on. False: it is another
 * one. */
bool troupe__life_begins_at_once(troupe_ctx *ctx);

/* init has returned. Consumes the ARGS message, or keeps it while the start is open. */
void troupe__life_on_init(troupe_ctx *ctx, struct message *args, int result);

/* Refuse what is new, finish what was accepted, then stop. */
void troupe__life_drain(troupe_ctx *ctx, enum troupe_exit_cause cause, troupe_view detail);

/* Begin to end the actor: refuse and answer what waits, end the children, then finish. Thread: owner. */
void troupe__life_stop(troupe_ctx *ctx, enum troupe_exit_cause cause, int error, troupe_view detail);

/* The start deadline has come. */
void troupe__life_on_start_due(troupe_ctx *ctx);

/* Keep words for the end, cut to what there is room for. */
void troupe__ctx_set_detail(troupe_ctx *ctx, const char *detail);

/* Ask an actor to stop, with nobody waiting. call_id: 0 or STOP_BY_PARENT. */
int troupe__stop_send(troupe_worker *worker, troupe_ref ref, enum troupe_stop_mode mode, troupe_view detail,
                      uint64_t call_id);

/* Children have ended: go on with the end, if one is under way. True when the actor is no more. */
bool troupe__life_proceed(troupe_ctx *ctx);

/* ---- bond.c ---- */

void troupe__bond_on_monitor(troupe_ctx *ctx, struct message *request);
void troupe__bond_on_demonitor(troupe_ctx *ctx, struct message *request);
void troupe__bond_on_link(troupe_ctx *ctx, struct message *request);
void troupe__bond_on_unlink(troupe_ctx *ctx, struct message *request);
void troupe__bond_on_want_writable(troupe_ctx *ctx, struct message *request);
int troupe__bond_on_down(troupe_ctx *ctx, struct message *message);
int troupe__bond_on_exit(troupe_ctx *ctx, struct message *message);
int troupe__bond_on_writable(troupe_ctx *ctx, struct message *message);

/* `of` was full and refused a message: ask it to tell when there is room, unless that was asked already. Best effort of
 * memory: without it the sender retries by its own means. */
void troupe__bond_ask_for_room(troupe_worker *worker, struct actor *asker, troupe_ref of);

/* Tell those who wait that there is room. */
void troupe__bond_on_room(troupe_ctx *ctx);

/* The actor has ended: downs, exit signals; frees the bonds. */
void troupe__bond_on_end(troupe_ctx *ctx, enum troupe_exit_cause cause, int error, troupe_view detail);

/* Why there is no bond with one who cannot be found: gone, or out of reach. */
enum troupe_exit_cause troupe__bond_cause_without(const troupe_system *system, troupe_ref target);

/* Turn a request that came too late into its answer. Consumes it. */
void troupe__bond_refuse(troupe_worker *worker, struct message *request, troupe_ref target);

/* ---- naming.c ---- */

/* Take a name for an actor whose owner is the caller, or that nobody knows yet. The entry is pinned until
 * troupe__name_taken, or troupe__names_remove. Fails: as troupe__names_take, TROUPE_E_REGISTRY_LOST. */
int troupe__name_take(troupe_system *system, troupe_view name, troupe_ref ref, struct name_entry **ret_entry,
                      troupe_ref *ret_holder);

/* Tell the world of it. State: the actor can be sent to. */
void troupe__name_taken(troupe_system *system, struct name_entry *entry);

/* Tell the world and give it back. Thread: the actor's owner. Fails: TROUPE_E_NOT_FOUND. */
int troupe__name_give(troupe_system *system, troupe_view name, troupe_ref ref);
void troupe__name_give_all(troupe_system *system, troupe_ref ref);

/* Tell actors which names they have lost; worker 0 does it. */
void troupe__name_tell_lost(troupe_worker *worker);

/* Free what could not be told. */
void troupe__name_forget_lost(troupe_worker *worker);

/* ---- supervisor.c, children.c, restart.c, root.c ---- */

/* Note a new child of this kind (the caller owns the parent). Fails: TROUPE_E_NO_MEMORY, LIMIT. */
int troupe__child_add(troupe_worker *worker, struct actor *parent, struct actor *child, const struct kind *kind,
                      const troupe_spawn_opts *opts);

/* A child reports its end. Thread: the child's owner. */
void troupe__child_ended(troupe_worker *worker, struct actor *child);

/* A child's init is done. Consumes the message. */
int troupe__supervisor_on_started(troupe_ctx *ctx, struct message *message);

/* Take in the ends of children: restart, or let go. Returns 0 or the failure of child(). */
int troupe__supervisor_on_children(troupe_ctx *ctx);

/* The backoff of a child is over; NULL: that of a group. */
void troupe__restart_on_due(troupe_ctx *ctx, struct child *child);

/* Tell the newest child to stop (and the next one when it has ended). False when there is none left. */
bool troupe__supervisor_stop_next(troupe_ctx *ctx);

/* The actor itself is killed while it stops its children: no more time for them. */
void troupe__supervisor_kill_stopping(troupe_ctx *ctx);

/* The child in this slot was told to stop and has not ended in time. */
void troupe__supervisor_on_shutdown_due(troupe_ctx *ctx, uint32_t slot);

void troupe__supervisor_fini(troupe_worker *worker, struct actor *actor);

/* The behavior of the node's own supervisor, which starts what outsiders want restarted. */
extern const troupe_behavior troupe__root_behavior;
int troupe__root_spawn(troupe_worker *worker, const troupe_spawn_opts *opts, struct message *args);
void troupe__root_on_spawn(troupe_ctx *ctx, struct message *request);
void troupe__root_refuse(troupe_worker *worker, struct message *request);

/* ---- request.c ---- */

/* Send a request of the system lane that is answered to an outsider; NULL: memory is exhausted. Consumes the message.
 * Thread: owner of the worker. */
void troupe__request_ask(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         struct message *message, uint32_t signals, uint32_t timeout_ms);

/* Answer at once that nothing was asked. */
void troupe__request_refuse(troupe_request *request, troupe_request_fn done, int error, troupe_ref ref);

/* An answer for an open request of this worker. */
void troupe__request_complete(troupe_worker *worker, uint64_t call_id, const troupe_answer *answer);

/* Does anybody wait for the answer to this call still? Thread: any that has the call's message; advisory. */
bool troupe__request_is_open(const troupe_system *system, uint32_t worker, uint64_t call_id);
void troupe__request_on_message(troupe_worker *worker, struct message *answer);
void troupe__request_on_due(troupe_worker *worker, struct wheel_entry *timer);
void troupe__requests_fini(troupe_worker *worker);

/* ---- inspect.c ---- */

/* Something was asked by the system lane: SYSTEM_VIEW to SYSTEM_TIMERS. Consumes the request. */
void troupe__inspect_on_request(troupe_ctx *ctx, struct message *request);

/* Free what hangs on a request of the system lane that will not be served; most have nothing. */
void troupe__inspect_drop_job(troupe_worker *worker, struct message *request);

/* The same for one who came too late. */
void troupe__inspect_refuse(troupe_worker *worker, struct message *request, troupe_ref target);

/* An operator's suspension is over. Legal without one. */
void troupe__inspect_resume(troupe_ctx *ctx);

/* The actor has answered a call with an error: remember it. Best effort of memory. */
void troupe__inspect_note_error(troupe_ctx *ctx, int error, troupe_view detail);

/* ---- timer.c ---- */

/* What a timer of troupe_exit_after does: its message goes to the system lane of who is to end. Consumes it. */
void troupe__timer_end_other(troupe_ctx *ctx, struct message *stop);

/* What clients asked for; each consumes the request. */
void troupe__timer_on_set(troupe_ctx *ctx, struct message *request);
void troupe__timer_on_cancel(troupe_ctx *ctx, struct message *request);
void troupe__timer_on_list(troupe_ctx *ctx, struct message *request);

/* Free what hangs on a SYSTEM_TIMER_SET that will not be served. */
void troupe__timer_drop_job(troupe_worker *worker, struct message *request);

/* The actor has ended. */
void troupe__timer_fini(struct pool *pool, struct extra *extra);

/* ---- alarm.c ---- */

/* Is the mailbox so long that somebody should know? Thread: owner of the worker. */
void troupe__alarm_look(troupe_worker *worker, struct actor *actor);

/* A turn was so long, of an actor that may be gone by now. */
void troupe__alarm_on_turn(troupe_worker *worker, troupe_ref actor, const struct kind *kind, uint64_t turn_ns);

/* Which alarms are over? Returns when to look again, in ns, or TROUPE_NEVER. Thread: owner of worker 0. */
uint64_t troupe__alarm_review(troupe_worker *worker);

/* ---- system.c ---- */

/* Go on with the end of the node, if this worker began it; returns when to come again, in ns. */
uint64_t troupe__shutdown_step(troupe_worker *worker);

/* ---- info.c ---- */

void troupe__info_on_request(troupe_ctx *ctx, struct message *request);
uint64_t troupe__system_memory(const troupe_system *system);

/* Bytes that behaviors own (troupe_alloc). Thread: any. */
uint64_t troupe__heap_bytes(void);

#endif
