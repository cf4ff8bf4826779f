/* SPDX-License-Identifier: Apache-2.0
 *
 * What an actor has beyond its slot, made on first use and freed at its end: what it waits for (calls, timers), bonds
 * (links and monitors), children.
 *
 * Threads: the owner's, but ended_children. */
#ifndef TROUPE_CORE_EXTRA_H
#define TROUPE_CORE_EXTRA_H

#include <troupe/behavior.h>

#include "base/atomic.h"
#include "base/rate.h"
#include "core/message.h"
#include "core/timer_wheel.h"

struct actor;
struct troupe_topic;
struct follow_table;
struct group_call;
struct trace;

/* The last error that an actor answered with. */
struct last_error {
    int error;
    uint64_t at_ms;
    uint8_t len;
    char detail[TROUPE_REASON_BYTES_MAX + 1];
};

/* A timer that a client has set under a name of its own. */
struct named_timer {
    struct named_timer *next;
    uint64_t wait;            /* its entry, unless it is over */
    uint8_t len;
    char name[TROUPE_TYPE_BYTES_MAX];
};

/* ---- waits: all that has a deadline, in one table with a heap by deadline ---- */

enum wait_kind {
    WAIT_FREE = 0,
    WAIT_CALL,        /* a call of this actor: then, tag */
    WAIT_KEPT,        /* a call that this actor answers later: message */
    WAIT_TIMER,       /* message, period */
    WAIT_FIRED,       /* a one-shot timer whose function runs: over, unless its message is postponed */
    WAIT_START,       /* the start deadline */
    WAIT_SHUTDOWN,    /* a child's shutdown timeout: its slot */
    WAIT_RESTART      /* a child's backoff: child; NULL: that of a group */
};

struct wait {
    uint64_t deadline_ns;
    uint32_t generation;
    uint32_t heap_at;         /* index in the heap; WAIT_NOT_IN_HEAP; free: the next free entry + 1 */
    uint8_t kind;             /* enum wait_kind */
    bool pauses;              /* CALL: by troupe_call_wait */
    bool in_mailbox;          /* TIMER: its message is on its way */
    bool is_delay;            /* CALL: by troupe_pause: its deadline is what is waited for */
    bool overdue;             /* CALL: its deadline passed while the actor waits for another call */
    uint8_t every;            /* TIMER: enum troupe_every */
    union {
        troupe_reply_fn then; /* CALL */
        struct message *message; /* KEPT, TIMER */
        struct child *child;  /* RESTART */
    };
    uint64_t tag_or_period;   /* CALL: tag. TIMER: period in ns, 0: once. SHUTDOWN: slot */
};

#define WAIT_NOT_IN_HEAP UINT32_MAX

struct wait_table {
    struct wait *entries;
    uint32_t *heap;           /* indices of entries, earliest deadline first */
    uint32_t capacity, used, heap_count;
    uint32_t free_first;      /* index + 1 */
    uint32_t calls, kept, timers; /* how many of these */
    bool has_overdue;
};

/* ---- bonds ---- */

enum bond_kind {
    BOND_MONITORS,            /* this actor monitors ref; id */
    BOND_MONITORED_BY,        /* ref's monitor id; message becomes its down */
    BOND_LINK,                /* message becomes the exit signal to ref */
    BOND_WRITER,              /* ref waits for room; message becomes its writable */
    BOND_REFUSED,             /* this actor was refused by ref, which was full, and has asked to be told of room */
    BOND_KINDS
};

struct bond {
    struct bond *next_in_bucket;
    struct bond *next, **link; /* all bonds of the actor, newest first */
    uint64_t hash;
    uint64_t id;
    troupe_ref ref;
    struct message *message;
    uint8_t kind;
};

struct bond_table {
    struct bond **buckets;
    uint32_t bucket_mask;     /* buckets - 1; 0 with NULL: none */
    uint32_t counts[BOND_KINDS];
    uint32_t count;
    struct bond *first;
};

/* ---- children ---- */

/* Which start of a child this is, for what becomes of it when it fails. */
enum child_start { CHILD_FIRST = 0, CHILD_BY_HAND, CHILD_AGAIN };

/* A child that is started again, or has wishes of its own: a tag, a shutdown timeout. Others are linked through their
 * slots and have none.
 *
 *   lives      slot: the present incarnation
 *   restarting restart_wait: its backoff; or pending: it is started with its group, or a decision is under way
 *   ended      none of these: it was terminated, or ended for good and is kept */
struct child {
    struct child *next, *prev; /* start order */
    struct child *tag_next;    /* in its bucket */
    uint32_t slot;
    uint32_t seq;              /* order among all children */
    uint32_t attempts;         /* restarts in a row, for the backoff */
    uint32_t restarts;         /* ever */
    uint64_t started_ns;
    uint64_t restart_wait;     /* the WAIT_RESTART entry while it waits, else 0 */
    uint64_t shutdown_wait;    /* the WAIT_SHUTDOWN entry of troupe_child_terminate, else 0 */
    struct restart_window *window; /* under the node's supervisor: its own */
    uint8_t start;             /* enum child_start */
    bool pending;
    bool terminating;          /* told to end by troupe_child_terminate */
    bool supervises;
    bool counted;              /* in significant_count */
    troupe_spawn_opts opts;    /* its views point into text */
    size_t block_bytes;
    char text[];               /* args, then behavior NUL name content type NUL */
};

/* A restart of several: see restart.c. */
enum group_phase { GROUP_IDLE = 0, GROUP_STOPPING, GROUP_WAITING, GROUP_STARTING };

struct child_group {
    uint8_t phase;             /* enum group_phase */
    uint32_t from_seq;         /* those from here on are members */
    uint64_t delay_ns;         /* between the last end and the first start */
    uint64_t wait;             /* the WAIT_RESTART entry, or 0 */
    struct child *cursor;      /* stopping: none behind it lives. starting: none before it is pending */
    struct child *starting;    /* the one whose start is awaited */
};

struct child_list {
    uint32_t first, last;      /* slots of those without struct child, by sibling_next and sibling_prev */
    struct child *specs_first, *specs_last;
    struct child **tags;       /* specs with a tag, by it; NULL: none yet, or no memory: then they are walked */
    uint32_t tags_mask, tags_count;
    uint32_t count;            /* living children of both sorts */
    uint32_t plain_count;      /* of those: without struct child */
    uint32_t specs_count, restarting_count;
    uint32_t supervisors_count; /* of both sorts */
    uint32_t significant_count; /* that live or will */
    uint32_t next_seq;
    struct child *restarting;  /* the one that troupe__child_add is called for again */
    struct child *deciding;    /* its end is being told to the behavior; NULL when that has dropped it */
    uint64_t shutdown_wait;    /* the WAIT_SHUTDOWN entry, or 0 */
    uint32_t stopping_slot;    /* the child that was told to stop, or 0 */
    uint32_t restarts;         /* ever */
    bool window_per_child;     /* the node's supervisor: a child that fails too often is given up alone */
    bool swept;                /* this actor ends, and those who do not live have been dropped */
    bool keep_ended;
    uint8_t strategy, auto_shutdown; /* enum troupe_strategy, troupe_auto_shutdown */
    uint32_t children_max;
    struct restart_window *window; /* made at the first restart */
    uint32_t restarts_max, restart_period_ms;
    struct child_group group;
};

struct extra {
    struct wait_table waits;
    struct wheel_entry timer;  /* under the lock of worker timer_worker's wheel */
    uint64_t timer_deadline_ns;
    uint32_t timer_worker;
    uint64_t call_awaited;     /* the id of the call_wait, or 0 */
    uint64_t start_wait;       /* the WAIT_START entry, or 0 */
    uint64_t askers_look_ns;   /* draining: when to look next whether those it owes replies are still there */
    struct message *args;      /* kept while init is open: who waits for the start */
    struct message *deferred_head, *deferred_tail; /* messages that wait while the lane is paused */
    struct message *postponed_head, *postponed_tail; /* set aside by the behavior; older than those: postpone.c */
    uint32_t postponed_count;
    struct bond_table bonds;
    uint64_t last_monitor;     /* ids count up and are never used twice */
    struct message *late_watchers; /* requests that came while the actor was ending; linked by next */
    uint32_t late_watchers_count;
    struct child_list children;
    _Atomic uint32_t ended_children; /* slots, a stack linked by run_next: children push, the owner takes */
    uint32_t stop_waiters_count;
    struct message *stop_waiters; /* SYSTEM_STOP requests, answered at the end; linked by next */
    struct message *exit_detail;  /* words of the end, in a message; or NULL */
    struct troupe_topic *topic;   /* held, once it has published; or NULL */
    struct follow_table *follows; /* made on first use */
    struct group_call *group_calls; /* multi-calls that are not over, newest first */
    uint32_t group_calls_count;
    struct trace *trace;          /* while it is traced; trace.h */
    bool has_trace_place;         /* it was, and the table knows of it */
    struct named_timer *named_timers; /* set by clients; some may be over: timer.c */
    struct last_error *last_error; /* or NULL: it has answered with none */
};

/* The actor's extra, made when there is none; NULL when memory is exhausted. */
struct extra *troupe__extra(struct pool *pool, struct actor *actor);

/* ---- wait.c ---- */

/* Add an entry; returns its id (never 0) or 0 when memory is exhausted. deadline_ns UINT64_MAX: not in the heap. */
uint64_t troupe__wait_add(struct pool *pool, struct wait_table *table, enum wait_kind kind, uint64_t deadline_ns);
struct wait *troupe__wait_find(struct wait_table *table, uint64_t id, enum wait_kind kind);
void troupe__wait_remove(struct wait_table *table, struct wait *wait);
void troupe__wait_set_deadline(struct wait_table *table, struct wait *wait, uint64_t deadline_ns);
uint64_t troupe__wait_id(const struct wait_table *table, const struct wait *wait);

/* The earliest deadline, or UINT64_MAX. */
uint64_t troupe__wait_earliest(const struct wait_table *table);
void troupe__wait_fini(struct pool *pool, struct wait_table *table);

/* The actor's call_wait is over: calls whose deadline passed meanwhile are due now. */
void troupe__wait_release_overdue(struct wait_table *table);

#endif
