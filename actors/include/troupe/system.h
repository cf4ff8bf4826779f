/* SPDX-License-Identifier: Apache-2.0
 *
 * Driving a system: for programs that host actors (the node, benches, the simulator, the browser), not for behaviors.
 *
 * A system is a number of workers. A worker is an object to be driven, not a thread: whoever owns it calls
 * troupe_worker_poll(), which runs turns and returns the delay to the next deadline. The core starts no thread, reads no
 * clock and does no I/O. The owner of a worker is the only one to call its "owner" functions; different workers can be
 * driven by different threads at once. Actors move between workers by stealing.
 *
 * An outsider (a REST connection, a session) asks through requests: a request belongs to the worker that made it, and
 * its `done` runs once, on that worker. */
#ifndef TROUPE_SYSTEM_H
#define TROUPE_SYSTEM_H

#include <troupe/behavior.h>

typedef struct troupe_system troupe_system;
typedef struct troupe_worker troupe_worker;

/* ---- make ---- */

typedef struct troupe_system_config {
    uint32_t workers;             /* 0: 1 */
    uint64_t node;                /* the home's 64 random bits, not 0 */
    uint64_t seed;                /* of troupe_random, backoff jitter and the scheduler's victims */
    uint32_t actors_max;          /* 0: TROUPE_ACTORS_DEFAULT */
    uint64_t memory_max;          /* bytes of messages, actors and state; over 80 % spawns and calls of outsiders are
                                     refused with TROUPE_E_OVERLOADED. 0: no budget */
    uint32_t mailbox_messages_max; /* default of actors; 0: TROUPE_MAILBOX_MESSAGES_DEFAULT */
    uint32_t mailbox_bytes_max;
    uint32_t call_timeout_ms;     /* default of calls; 0: TROUPE_CALL_TIMEOUT_MS_DEFAULT */
    bool no_inline;               /* requests never run the actor in the asking turn (the simulator chooses per call) */

    /* Hooks; each may be NULL. They run on the thread that drives the worker at hand, without locks held, and must
     * not call back into the system. */
    void *user;
    void (*wake)(void *user, uint32_t worker);  /* any thread: make the driver of this parked worker poll */
    uint64_t (*clock_ns)(void *user);           /* measures turns; NULL: turns are not measured */
    void (*log)(void *user, enum troupe_log_level level, troupe_ref actor, const char *behavior, const char *text);
    void (*dead_letter)(void *user, troupe_ref to, troupe_ref from, const char *type, int error);
    void (*ended)(void *user, troupe_ref actor, const char *behavior, const troupe_exit *exit);
    /* An actor of this node has taken a name, or is giving it back (also by its end). For each name in the order of what
     * happened: nobody else can have the name before this returns, so it should be quick. */
    void (*named)(void *user, troupe_view name, troupe_ref actor, bool taken);
} troupe_system_config;

/* Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INVALID. Thread: any. */
TROUPE_MUST_USE int troupe_system_new(const troupe_system_config *config, troupe_system **ret_system);

/* End every actor that is left without its stop hook, and free all. State: no worker is being driven. */
void troupe_system_free(troupe_system *system);

/* Make a behavior known; the table must live as long as the system. State: before the first poll.
 * Fails: TROUPE_E_INVALID (ABI, names, receive missing), TROUPE_E_NAME_TAKEN, TROUPE_E_LIMIT. */
TROUPE_MUST_USE int troupe_system_add_behavior(troupe_system *system, const troupe_behavior *behavior);
const troupe_behavior *troupe_system_behavior(const troupe_system *system, troupe_view name); /* NULL: unknown */
const troupe_behavior *troupe_system_behavior_at(const troupe_system *system, uint32_t i);    /* NULL past the end */

troupe_home troupe_system_home(const troupe_system *system);
troupe_worker *troupe_system_worker(troupe_system *system, uint32_t i);
uint32_t troupe_system_workers(const troupe_system *system);

/* ---- drive: owner functions of a worker ---- */

#define TROUPE_NEVER UINT64_MAX

/* Take in what arrived, fire due timers, run at most `turns` turns. now_ns is monotonic. Returns 0 when there is more
 * to do at once, else the ns until the next deadline, else TROUPE_NEVER. */
uint64_t troupe_worker_poll(troupe_worker *worker, uint64_t now_ns, uint32_t turns);

/* Before blocking: true when the worker may block (from then on wake() will be called for it), false when there is work
 * after all. After blocking, always: unpark. */
TROUPE_MUST_USE bool troupe_worker_park(troupe_worker *worker);
void troupe_worker_unpark(troupe_worker *worker);

/* Tell the time without running anything: before requests made between polls. */
void troupe_worker_set_now(troupe_worker *worker, uint64_t now_ns);

/* ---- ask: owner functions of a worker ---- */

/* The answer to a request. Borrowed during `done`. */
typedef struct troupe_answer {
    int error;                    /* 0 or TROUPE_E_... */
    uint16_t app_status;          /* with TROUPE_E_APP */
    troupe_view app_code;         /* with TROUPE_E_APP */
    troupe_view detail;           /* with an error: words, or "" */
    troupe_view body;             /* calls: the reply */
    const char *content_type;     /* NULL: application/json */
    troupe_ref ref;               /* spawn: the actor; an existing holder with TROUPE_E_NAME_TAKEN */
    const struct troupe_info *info; /* info requests */
    const troupe_exit *exit;      /* monitor requests: never NULL */
} troupe_answer;

typedef struct troupe_request troupe_request;
typedef void (*troupe_request_fn)(troupe_request *request, const troupe_answer *answer);

/* Embed it; zero it before each use and set user. Lives: until done ran or cancel returned. */
struct troupe_request {
    void *user;
    troupe_request_fn done;       /* set by the functions below */
    troupe_worker *worker;
    uint32_t slot, generation;    /* of the worker's table of open requests; the runtime's own */
};

/* Call an actor for an outsider. `done` runs exactly once, on this worker: before this returns when the actor is here,
 * idle and quick (it then ran in this very call), else from a later poll. Refusals come through `done` too.
 * timeout_ms 0: the default. Inside a `done` the actor is never run at once: it is queued. */
void troupe_request_call(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref to,
                         troupe_view type, troupe_body body, troupe_caller caller, uint32_t timeout_ms);

/* Spawn an actor without parent (restart temporary), or under the node's own supervisor (transient, permanent).
 * done: when its init ended; answer.ref is the actor. */
void troupe_request_spawn(troupe_worker *worker, troupe_request *request, troupe_request_fn done,
                          const troupe_spawn_opts *opts);

/* Stop an actor and wait for its end. done: 0 when it ended, TROUPE_E_TIMEOUT when it has not yet (it still will). When
 * TROUPE_STOPS_PER_ACTOR_MAX wait for it already: TROUPE_E_LIMIT; a kill is done all the same, and says TIMEOUT. */
void troupe_request_stop(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         enum troupe_stop_mode mode, troupe_view detail, uint32_t timeout_ms);

/* Ask for the full info of an actor by its system lane. */
void troupe_request_info(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         uint32_t timeout_ms);

/* Monitor an actor for an outsider: done runs once, with answer.exit, when the actor has ended, behind everything that
 * the actor sent to this worker before; at once, before this returns, when it is gone already (cause noproc) or lies on
 * another home (unreachable). It has no deadline; cancel takes the monitor back from the actor too, and needs no memory.
 * answer.error is TROUPE_E_NO_MEMORY or LIMIT (TROUPE_BONDS_PER_ACTOR_MAX) when the monitor could not be made; the cause
 * is noproc then. */
void troupe_request_monitor(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref);

/* The asker is gone: done will not run. Legal for a request that is done already. */
void troupe_request_cancel(troupe_request *request);

/* Cast for an outsider: 0 when the mailbox took it. Owner of the worker. */
TROUPE_MUST_USE int troupe_worker_cast(troupe_worker *worker, troupe_ref to, troupe_view type, troupe_body body,
                                       troupe_caller caller);

/* ---- topics: events that an actor publishes (troupe_publish), or the system itself ----
 *
 * A topic is a ring of the last TROUPE_TOPIC_EVENTS_MAX events or TROUPE_TOPIC_BYTES_MAX bytes. A subscriber is a cursor
 * into it: it reads when it likes, and when the ring has gone past it, it is told how many it missed. So a slow
 * subscriber costs a publisher nothing, and is never thrown out. (The output port of Ractor, with the cursor of a log.)
 *
 * An event's id is epoch.seq. The epoch is random bits of the topic, the seq counts from 1 without gaps. */

typedef struct troupe_topic troupe_topic; /* counted */

typedef struct troupe_event_id {
    uint64_t epoch, seq;
} troupe_event_id;

/* What a read gives. Borrowed until the next call on the subscription. */
typedef struct troupe_event {
    troupe_event_id id;
    uint64_t lagged;              /* so many events before this one were lost to this subscriber */
    troupe_view type;
    const char *content_type;     /* NULL: application/json */
    troupe_view body;
} troupe_event;

/* Where to begin. */
enum troupe_from { TROUPE_FROM_NOW = 0, TROUPE_FROM_OLDEST = 1, TROUPE_FROM_AFTER = 2 };

typedef struct troupe_subscription troupe_subscription;
typedef void (*troupe_subscription_fn)(troupe_subscription *subscription);

/* Embed it; zero it, set user and ready. Lives: until troupe_unsubscribe returned, which must be before the system is
 * freed. */
struct troupe_subscription {
    void *user;
    troupe_subscription_fn ready; /* on this worker, from a poll: there is something to read. Runs again only after a
                                     read has said that there is nothing */
    troupe_worker *worker;
    troupe_topic *topic;
    troupe_event_id next;         /* the cursor */
    struct troupe_subscription *list_next, *list_prev; /* the runtime's own, this and below */
    void *held;
    uint8_t state;
};

/* Subscribe to the events of an actor. With TROUPE_FROM_AFTER `after` is the last event that was seen; one of another
 * epoch, or too old, gives `lagged` (1 when it is not known how many). What is there already is told by `ready`, from the
 * next poll; to read at once is legal too. Owner of the worker.
 * Fails: NOT_FOUND, GONE, UNREACHABLE, NO_MEMORY */
TROUPE_MUST_USE int troupe_subscribe(troupe_worker *worker, troupe_subscription *subscription, troupe_ref ref,
                                     enum troupe_from from, troupe_event_id after);

/* The same for a topic that one has. */
TROUPE_MUST_USE int troupe_subscribe_to(troupe_worker *worker, troupe_subscription *subscription, troupe_topic *topic,
                                        enum troupe_from from, troupe_event_id after);

/* Read the next event: 1 and *ret_event; 0 when there is none now (`ready` will tell); TROUPE_E_GONE when the actor has
 * ended and all was read (then unsubscribe). Owner of the worker; also when `ready` has not run. */
TROUPE_MUST_USE int troupe_subscription_read(troupe_subscription *subscription, troupe_event *ret_event);

/* Legal for a zeroed one, for one whose topic has ended, and inside `ready`. Owner of the worker. */
void troupe_unsubscribe(troupe_subscription *subscription);

/* A topic of the system's own, which nobody but its maker publishes to; dropping it is its end, which its subscribers are
 * told. Any thread; drop it before the system is freed.
 * Fails: as troupe_publish. */
TROUPE_MUST_USE int troupe_topic_new(troupe_system *system, troupe_topic **ret_topic);
TROUPE_MUST_USE int troupe_topic_publish(troupe_topic *topic, troupe_view type, troupe_body body,
                                         troupe_event_id *ret_id); /* ret_id may be NULL */
void troupe_topic_drop(troupe_topic *topic);

/* ---- names of a cluster: any thread ----
 *
 * A name in the table belongs to an actor of this node or, when this node keeps the names of the cluster, of another
 * one. The table takes no actor of another home by itself: these do. */

/* Give a name to an actor of another home. On TROUPE_E_NAME_TAKEN *ret_holder is who has it; the same ref again is 0, also
 * for an actor of this node that has it. Fails: TROUPE_E_INVALID (no name, no actor, or one of this node), NO_MEMORY. */
TROUPE_MUST_USE int troupe_system_name_put(troupe_system *system, troupe_view name, troupe_ref ref,
                                           troupe_ref *ret_holder);

/* Take a name back, if this ref (of whatever home) has it. One of this node is told: TROUPE_MSG_NAME_LOST.
 * The hook `named` does not run for it. Fails: TROUPE_E_NOT_FOUND, also when it is just being given back. */
int troupe_system_name_drop(troupe_system *system, troupe_view name, troupe_ref ref);

/* While names are closed, actors of this node can take none (TROUPE_E_REGISTRY_LOST) and whereis answers the same. */
void troupe_system_names_close(troupe_system *system, bool closed);

/* In a cluster an actor of another home may live: TROUPE_E_UNREACHABLE. Without (at first) it is TROUPE_E_GONE. */
void troupe_system_set_clustered(troupe_system *system, bool clustered);

/* ---- observe: any thread ---- */

enum troupe_actor_state {
    TROUPE_STATE_STARTING = 1, TROUPE_STATE_RUNNING = 2, TROUPE_STATE_DRAINING = 3, TROUPE_STATE_STOPPING = 4,
    TROUPE_STATE_STOPPED = 5
};
const char *troupe_actor_state_word(enum troupe_actor_state state);

/* What one can see of an actor from outside, without asking it: advisory. */
typedef struct troupe_peek {
    troupe_ref ref;
    const troupe_behavior *behavior;
    enum troupe_actor_state state;
    uint32_t mailbox_depth;
    uint64_t mailbox_bytes;       /* of bodies over TROUPE_SMALL_BODY_BYTES */
    uint32_t mailbox_messages_max;
    uint32_t mailbox_bytes_max;
    enum troupe_mailbox_policy mailbox_policy;
    uint64_t processed;           /* messages handled */
    uint64_t started_ms;          /* on the clock of poll */
    char name[TROUPE_NAME_BYTES_MAX + 1]; /* "" when it has none */
} troupe_peek;

/* Fails: TROUPE_E_NOT_FOUND never issued, TROUPE_E_GONE ended, TROUPE_E_UNREACHABLE another home. */
TROUPE_MUST_USE int troupe_system_peek(troupe_system *system, troupe_ref ref, troupe_peek *ret_peek);

/* What the actor itself says (by its system lane). */
#define TROUPE_INFO_REFS_MAX 100
typedef struct troupe_info {
    troupe_peek peek;
    troupe_ref parent;
    uint32_t links_count, monitors_count, monitored_by_count, children_count, timers_count, calls_count, kept_count;
    uint32_t restarts;            /* of its children, ever */
    uint32_t memory_bytes;        /* actor, state and side tables, without messages and the behavior's own memory */
    troupe_ref links[TROUPE_INFO_REFS_MAX];       /* the first so many */
    troupe_ref children[TROUPE_INFO_REFS_MAX];
} troupe_info;

/* Walk the actors in slot order, in slices: looks at no more than `slots` slots from *cursor (0 at first) and calls
 * `fn` for each living actor until it returns false. Returns true while there is more; *cursor is where to go on. */
bool troupe_system_scan(troupe_system *system, uint64_t *cursor, uint32_t slots,
                        bool (*fn)(void *user, const troupe_peek *peek), void *user);

TROUPE_MUST_USE int troupe_system_whereis(troupe_system *system, troupe_view name, troupe_ref *ret_ref);

/* Walk the names in a stable order, in slices, as troupe_system_scan does: looks at no more than `buckets` buckets of
 * the table, each of which has two names or so, and stops behind the name for which `fn` returns false. A name that is
 * there from the first slice to the last is shown once. No lock is held while `fn` runs.
 *
 * Lives: `name` is a copy, valid until fn returns. */
bool troupe_system_scan_names(troupe_system *system, uint64_t *cursor, uint32_t buckets,
                              bool (*fn)(void *user, troupe_view name, troupe_ref ref), void *user);

/* Sums over all workers; each figure only grows, but actors, names and memory_bytes. Advisory while workers run. */
typedef struct troupe_stats {
    uint64_t actors, names, memory_bytes;
    uint64_t spawned, ended, failed, killed, restarts;
    uint64_t turns, turns_long, turns_inline, messages, calls, steals;
    uint64_t dead_letters, dead_full, dead_gone, dead_shed, timeouts;
} troupe_stats;
void troupe_system_stats(troupe_system *system, troupe_stats *ret_stats);

/* Is the node over 80 % of its memory budget? */
bool troupe_system_is_overloaded(const troupe_system *system);

/* The turn a worker is in, for a watchdog: the actor and how often turns began. Advisory. Returns false when it is in
 * none. */
bool troupe_worker_turn(const troupe_worker *worker, troupe_ref *ret_actor, const char **ret_behavior,
                        uint64_t *ret_turn);

/* ---- end ---- */

/* Begin to end the node's actors: new spawns of outsiders are refused with TROUPE_E_DRAINING and every actor without
 * parent is told to stop (or drain); after timeout_ms those left are killed. Goes on during polls of this worker; it is
 * over when troupe_stats.actors is 0. Owner of the worker. */
void troupe_system_shutdown(troupe_worker *worker, enum troupe_stop_mode mode, uint32_t timeout_ms);

#endif
