/* SPDX-License-Identifier: Apache-2.0
 *
 * Driving a system: for programs that host actors (the node, benches, the simulator, the browser), not for behaviors.
 *
 * A system is a number of workers. A worker is an object to be driven, not a thread: whoever owns it calls
 * troupe_worker_poll(), which runs turns and returns the delay to the next deadline. The core starts no thread, reads
 * no clock and does no I/O. The owner of a worker is the only one to call its "owner" functions; different workers can
 * be driven by different threads at once. Actors move between workers by stealing.
 *
 * An outsider (a REST connection, a session) asks through requests: a request belongs to the worker that made it, and
 * its `done` runs once, on that worker. */
#ifndef TROUPE_SYSTEM_H
#define TROUPE_SYSTEM_H

#include <troupe/behavior.h>

typedef struct troupe_system troupe_system;
typedef struct troupe_worker troupe_worker;

/* ---- make ---- */

struct troupe_alarm;

/* An actor's request to the world outside, for troupe_system_answer. */
typedef struct troupe_outside {
    troupe_ref actor;
    uint64_t call;
} troupe_outside;

struct troupe_http; /* troupe/http.h */

typedef struct troupe_system_config {
    uint32_t workers;             /* 0: 1 */
    uint32_t blocking_workers;    /* more, behind those, for TROUPE_BEHAVIOR_BLOCKING alone; all together at most
                                     TROUPE_WORKERS_MAX. 0: such behaviors run as all others do */
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
    /* An actor of this node has taken a name, or is giving it back (also by its end). For each name in the order of
     * what happened: nobody else can have the name before this returns, so it should be quick. */
    void (*named)(void *user, troupe_view name, troupe_ref actor, bool taken);
    /* An actor asks for an HTTP request: all is borrowed, and method and timeout_ms are set. 0: it is answered later by
     * troupe_system_answer, or by its deadline; else why not, at once. NULL: TROUPE_E_FORBIDDEN. */
    int (*http)(void *user, troupe_outside who, const struct troupe_http *request);

    /* Alarms, see there. 0: the defaults, 80 % and 100 ms; TROUPE_ALARM_OFF: none. */
    uint32_t alarm_mailbox_percent;
    uint32_t alarm_turn_ms;
    void (*alarm)(void *user, const struct troupe_alarm *alarm, bool is_set); /* set, or cleared */
} troupe_system_config;

/* Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INVALID. Thread: any. */
TROUPE_MUST_USE int troupe_system_new(const troupe_system_config *config, troupe_system **ret_system);

/* End every actor that is left without its stop hook, and free all. State: no worker is being driven. */
void troupe_system_free(troupe_system *system);

/* ---- behaviors: any thread, also while actors run ---- */

/* Make a behavior known; the table must live as long as the system.
 * Fails: TROUPE_E_INVALID (ABI, names, receive missing), TROUPE_E_NAME_TAKEN, TROUPE_E_LIMIT (TROUPE_BEHAVIORS_MAX). */
TROUPE_MUST_USE int troupe_system_add_behavior(troupe_system *system, const troupe_behavior *behavior);

/* The same, with something of the host's own that goes with it. `replaces`: it may have the name of one that is known,
 * and takes its place: whatever is spawned or restarted from now on is of the new one, the actors that live stay of the
 * old one until they end. */
TROUPE_MUST_USE int troupe_system_install_behavior(troupe_system *system, const troupe_behavior *behavior,
                                                   const void *host, bool replaces);

/* The newest that has the name, and what was given with it. NULL: unknown; or nothing was given. */
const troupe_behavior *troupe_system_behavior(const troupe_system *system, troupe_view name);
const void *troupe_system_behavior_host(const troupe_system *system, troupe_view name);

/* Walk them in the order in which they came, those that were replaced too. */
typedef struct troupe_installed {
    const troupe_behavior *behavior;
    const void *host;             /* as it was given, or NULL */
    bool is_replaced;             /* its actors are those that were there before */
} troupe_installed;
bool troupe_system_installed_at(const troupe_system *system, uint32_t i, troupe_installed *ret_installed);
const troupe_behavior *troupe_system_behavior_at(const troupe_system *system, uint32_t i);    /* NULL past the end */

/* What a message type is to an actor, for an edge that checks a body before it sends it. As advisory as a peek, and
 * much cheaper. op is TROUPE_OP_NONE when the type is not in the table. Fails: as troupe_system_peek. */
typedef struct troupe_target {
    const troupe_behavior *behavior;
    const void *host;
    uint32_t op;
} troupe_target;
TROUPE_MUST_USE int troupe_system_target(const troupe_system *system, troupe_ref ref, troupe_view type,
                                         troupe_target *ret_target);

/* ---- workers ---- */

troupe_home troupe_system_home(const troupe_system *system);

/* Worker i: the ordinary ones, then the blocking ones; NULL past the end. */
troupe_worker *troupe_system_worker(troupe_system *system, uint32_t i);
uint32_t troupe_system_workers(const troupe_system *system);          /* the ordinary ones */
uint32_t troupe_system_blocking_workers(const troupe_system *system);

/* A blocking worker is driven as the others are, but by a thread that may be held up for long: it has no timers, so its
 * poll returns 0 or TROUPE_NEVER, runs one turn, and requests are not for it. It counts as parked from the start: the
 * first wake() for it says that its thread is needed. */

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
    const struct troupe_timer_page *timers; /* requests for the list of timers */
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
 * another home (unreachable). It has no deadline; cancel takes the monitor back from the actor too, and needs no
 * memory. answer.error is TROUPE_E_NO_MEMORY or LIMIT (TROUPE_BONDS_PER_ACTOR_MAX) when the monitor could not be made;
 * the cause is noproc then. */
void troupe_request_monitor(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref);

/* ---- look inside and intervene: by the system lane, which never waits behind messages ----
 *
 * All of them are answered while the actor runs other messages, waits in troupe_call_wait or is suspended, but not
 * while a turn is stuck: TROUPE_E_TIMEOUT. What they need is made here and goes back as the answer, so the actor
 * allocates nothing (but what a view itself writes), and TROUPE_TURN_SYSTEM_MAX of them at most come between two
 * messages. */

/* Ask for the state, as the behavior's view writes it: answer.body.
 * Fails: TROUPE_E_NO_VIEW, NOT_RUNNING (it has not started, or is ending). */
void troupe_request_view(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         uint32_t timeout_ms);

/* Suspend an actor: it handles no message, reply or timer until it is resumed; what comes waits in its mailbox, whose
 * bound holds. Stop and kill, its children, and these requests do not wait; a drain resumes it. Twice is as good as
 * once, and a restart forgets it. Fails: TROUPE_E_NOT_RUNNING (it is ending). */
void troupe_request_suspend(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                            bool suspend, uint32_t timeout_ms);

/* Trace the next so many messages of an actor (at most TROUPE_TRACE_MESSAGES_MAX; 0: stop now): each is an event of the
 * type "message" in a topic of the trace, a last event "end" says why it is over, and then the topic ends. A new trace
 * ends the one before. `bodies`: with the bodies, cut at TROUPE_TRACE_BODY_BYTES_MAX.
 * Fails: TROUPE_E_LIMIT when TROUPE_TRACES_MAX actors are traced, NOT_RUNNING. */
void troupe_request_trace(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                          uint32_t messages, bool bodies, uint32_t timeout_ms);

typedef struct troupe_topic troupe_topic; /* counted */

/* The topic of an actor's trace, which may be over: the last one is kept until another needs its place or the actor
 * ends. Held for the caller, who gives it back by troupe_topic_release. Thread: any. Fails: TROUPE_E_NOT_FOUND */
TROUPE_MUST_USE int troupe_system_trace(troupe_system *system, troupe_ref ref, troupe_topic **ret_topic);
void troupe_topic_release(troupe_topic *topic);

/* A timer that a client sets at an actor. It is the actor's and ends with it. When it is due the actor handles a
 * cast. */
typedef struct troupe_timer_opts {
    troupe_view name;             /* [A-Za-z0-9_.:-]{1,64}; one of the same name is replaced. Empty: none */
    troupe_view type;
    troupe_body body;
    uint64_t after_ms;            /* until the first time */
    uint64_t every_ms;            /* 0: once */
    enum troupe_every missed;
    troupe_caller caller;
} troupe_timer_opts;

/* Fails: TROUPE_E_INVALID, UNKNOWN_TYPE, TOO_LARGE, OVERLOADED, NOT_RUNNING, LIMIT (TROUPE_TIMERS_PER_ACTOR_MAX, or for
 * named ones TROUPE_NAMED_TIMERS_PER_ACTOR_MAX). All is borrowed during the call. */
void troupe_request_timer_set(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                              const troupe_timer_opts *opts, uint32_t timeout_ms);

/* Cancel a client's timer by its name; it always wins, as troupe_timer_cancel. Fails: TROUPE_E_NOT_FOUND. */
void troupe_request_timer_cancel(troupe_worker *worker, troupe_request *request, troupe_request_fn done,
                                 troupe_ref ref, troupe_view name, uint32_t timeout_ms);

typedef struct troupe_timer_page {
    uint32_t count, total;        /* in timers, and how many there are; those with a name come first */
    uint64_t now_ms;              /* on the clock of poll */
    troupe_timer timers[TROUPE_TIMER_PAGE_MAX];
} troupe_timer_page;

/* List an actor's timers: answer.timers. */
void troupe_request_timers(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                           uint32_t timeout_ms);

/* The asker is gone: done will not run. Legal for a request that is done already. */
void troupe_request_cancel(troupe_request *request);

/* Cast for an outsider: 0 when the mailbox took it. Owner of the worker. */
TROUPE_MUST_USE int troupe_worker_cast(troupe_worker *worker, troupe_ref to, troupe_view type, troupe_body body,
                                       troupe_caller caller);

/* The answer to what the hook `http` was asked: app_status is the HTTP status, with body and content type; or an error
 * with words. One that comes too late, or for an actor that has ended, is dropped. Any thread, until the system is
 * freed.
 * Fails: TROUPE_E_NO_MEMORY, TROUPE_E_TOO_LARGE; then the actor hears of its deadline alone. */
TROUPE_MUST_USE int troupe_system_answer(troupe_system *system, troupe_outside who, const struct troupe_answer *answer);

/* ---- topics: events that an actor publishes (troupe_publish), or the system itself ----
 *
 * A topic is a ring of the last TROUPE_TOPIC_EVENTS_MAX events or TROUPE_TOPIC_BYTES_MAX bytes. A subscriber is a
 * cursor into it: it reads when it likes, and when the ring has gone past it, it is told how many it missed. So a slow
 * subscriber costs a publisher nothing, and is never thrown out. (The output port of Ractor, with the cursor of a log.)
 *
 * Ids, where to begin, and filters are in <troupe/event.h>. */


/* What a read gives. Borrowed until the next call on the subscription. */
typedef struct troupe_event {
    troupe_event_id id;
    uint64_t lagged;              /* so many events before this one were lost to this subscriber */
    troupe_view type;
    const char *content_type;     /* NULL: application/json */
    troupe_view body;
} troupe_event;

typedef struct troupe_subscription troupe_subscription;
typedef void (*troupe_subscription_fn)(troupe_subscription *subscription);

/* Embed it; zero it, set user and ready, and filter if not all types are wanted. Lives: until troupe_unsubscribe
 * returned, which must be before the system is freed; the filter as long. */
struct troupe_subscription {
    void *user;
    const troupe_filter *filter;
    troupe_subscription_fn ready; /* on this worker, from a poll: there is something to read. Runs again only after a
                                     read has said that there is nothing */
    troupe_worker *worker;
    troupe_topic *topic;
    troupe_event_id next;         /* the cursor */
    uint64_t lagged;              /* lost, and not told yet: the next event that the filter takes tells it */
    struct troupe_subscription *list_next, *list_prev; /* the runtime's own, this and below */
    void *held;
    uint8_t state;
};

/* Subscribe to the events of an actor. With TROUPE_FROM_AFTER `after` is the last event that was seen; one of another
 * epoch, or too old, gives `lagged` (1 when it is not known how many). What is there already is told by `ready`, from
 * the next poll; to read at once is legal too. Owner of the worker.
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

/* A topic of the system's own, which nobody but its maker publishes to; dropping it is its end, which its subscribers
 * are told. Any thread; drop it before the system is freed.
 * Fails: as troupe_publish. */
TROUPE_MUST_USE int troupe_topic_new(troupe_system *system, troupe_topic **ret_topic);
TROUPE_MUST_USE int troupe_topic_publish(troupe_topic *topic, troupe_view type, troupe_body body,
                                         troupe_event_id *ret_id); /* ret_id may be NULL */
void troupe_topic_drop(troupe_topic *topic);

/* ---- names of a cluster: any thread ----
 *
 * A name in the table belongs to an actor of this node or, when this node keeps the names of the cluster, of another
 * one. The table takes no actor of another home by itself: these do. */

/* Give a name to an actor of another home. On TROUPE_E_NAME_TAKEN *ret_holder is who has it; the same ref again is 0,
 * also for an actor of this node that has it. Fails: TROUPE_E_INVALID (no name, no actor, or one of this node),
 * NO_MEMORY. */
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
    troupe_ref parent;            /* zeroed when it has none */
    bool is_suspended, is_traced;
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
    uint64_t mailbox_bytes;       /* of what waits: each message with its header, and the bodies that count as bytes */
    uint64_t memory_bytes;        /* actor, state, side tables and mailbox, without the behavior's own memory */
    int last_error;               /* the last one that it answered a call with; 0: none yet */
    uint64_t last_error_ms;       /* on the clock of poll */
    char last_error_detail[TROUPE_REASON_BYTES_MAX + 1];
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
    uint64_t turns_blocking;      /* of blocking workers; they are in `turns` too, never in `turns_long` */
    uint64_t blocking_busy, blocking_waiting; /* now: blocking workers in a turn, actors that wait for one */
    uint64_t alarms_set, alarms_missed; /* missed: there was no room in the list */
} troupe_stats;
void troupe_system_stats(troupe_system *system, troupe_stats *ret_stats);

/* The same for the actors of one behavior. */
typedef struct troupe_behavior_stats {
    uint64_t actors;              /* that live */
    uint64_t spawned, ended, failed, messages, turns;
    uint64_t busy_ns;             /* in turns: measured by samples, exact for long turns; 0 without a clock */
} troupe_behavior_stats;
void troupe_system_behavior_stats(troupe_system *system, const troupe_behavior *behavior,
                                  troupe_behavior_stats *ret_stats); /* zeros: it is not one of this system */

/* ---- alarms ----
 *
 * An actor is in trouble: its mailbox is long (the set share of its bound; over when it was no more than half full for
 * a second), or a turn of it was long (over when none was for TROUPE_ALARM_QUIET_MS). There is one alarm for an actor
 * and kind, however often it happens, and TROUPE_ALARMS_MAX at all. Each is told twice, when it is set and when it is
 * over, also by the end of the actor. */

#define TROUPE_ALARM_OFF UINT32_MAX

enum troupe_alarm_kind { TROUPE_ALARM_LONG_MAILBOX = 1, TROUPE_ALARM_LONG_TURN = 2 };
const char *troupe_alarm_word(enum troupe_alarm_kind kind); /* "long_mailbox", "long_turn" */

typedef struct troupe_alarm {
    enum troupe_alarm_kind kind;
    troupe_ref actor;
    const char *behavior;
    uint64_t value, threshold;    /* messages, or ms; of the worst moment so far */
    uint64_t since_ms;            /* on the clock of poll */
} troupe_alarm;

/* Copy the alarms that are set; returns how many there are. Thread: any. */
uint32_t troupe_system_alarms(troupe_system *system, troupe_alarm *alarms, uint32_t max);

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
