/* SPDX-License-Identifier: Apache-2.0
 *
 * The model: what the system has promised so far, told event by event, and the checks that need one event only. It
 * trusts nothing that the core says about itself; an actor here is known by an index that is never reused.
 *
 * Index 0 of the actors is the outsider. Everything lives until model_fini. Thread: one. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "sim.h"
#include "table.h"

#define MODEL_KEPT_MAX 6u
#define MODEL_ASIDE_MAX 12u
#define MODEL_GROUPS 8u
#define MODEL_ACTORS_MAX (1u << 14) /* of one run */
#define MODEL_EVENTS_MAX (1u << 17) /* calls, timers, monitors, links */

/* What the callee has done with a call so far. */
enum model_answer {
    MODEL_UNSEEN = 0, /* not received yet */
    MODEL_OPEN,       /* being handled */
    MODEL_KEPT,
    MODEL_REPLIED,
    MODEL_REFUSED, /* with an error of the core */
    MODEL_APP_REFUSED,
    MODEL_DROPPED, /* the turn ended without answer */
    MODEL_EXPIRED, /* not handled any more: its caller had given up */
    MODEL_ASIDE    /* postponed: to be handled once more */
};

/* A message that was postponed: what it is known by when it comes again. */
struct model_aside {
    uint32_t sender, call, timer;
    uint64_t sequence;
};

/* What an actor does with its children, and where a restart of a group stands (family.c). */
struct model_family {
    enum troupe_strategy strategy;
    enum troupe_auto_shutdown auto_shutdown;
    uint32_t children_max;
    enum { FAMILY_IDLE = 0, FAMILY_STOPPING, FAMILY_STARTING } phase; /* starting: or waiting for that */
    uint64_t from;      /* the tag of the oldest member of the group */
    uint64_t newest;    /* the newest tag when its stop began */
    uint64_t incident;  /* the tag of the child whose end is being told, if it is one */
    uint64_t awaited;   /* the tag of the member that was started and has not said so */
};

struct model_actor {
    troupe_ref ref;
    uint32_t parent; /* index; 0: none, or the node's own supervisor */
    uint64_t tag;    /* of the child; they grow with the order of first starts */
    enum troupe_restart restart;
    enum troupe_mailbox_policy policy;
    uint32_t messages_max;
    bool trap;

    bool inited, started, ended, finished; /* init was run; child event or answer came; the hook ran; fini ran */
    bool stop_asked, drain_asked, kill_asked, self_ended;
    bool end_refused;              /* one of these could not be done for want of memory */
    bool told_parent;              /* the child event of its end came */
    uint64_t end_number;           /* ends in the order in which they came */
    troupe_exit exit;              /* without the detail */
    enum troupe_actor_state state; /* the last that was seen: it never goes back */
    bool waits;                    /* in troupe_call_wait: its message lane pauses */
    bool starting;                 /* init returned TROUPE_STARTING */
    uint32_t queued;               /* accepted and not received; REFUSE only */
    uint32_t names;                /* bits of the names that it holds */
    uint32_t kept[MODEL_KEPT_MAX]; /* calls whose handle it keeps: id, 0: free */
    troupe_handle handles[MODEL_KEPT_MAX];

    uint32_t intensity;
    uint64_t period_ms;
    uint64_t restarts_ms[64]; /* the last ones, a ring */
    uint32_t restarts_count;
    uint64_t published; /* events of its topic */
    char epoch[17];     /* of its topic, once it has published */
    bool must_fail; /* one restart too many: nothing but its end may follow */
    bool must_end;  /* a significant child has ended: the same */
    struct model_family family;
    bool significant;
    bool fresh, by_hand, listed;  /* how its start was made: spawned, asked for; its parent knew it before its init */
    bool stop_later, kill_later;  /* a timer of somebody may end it at any time */
    bool is_suspended;            /* as it was last seen */
    uint32_t suspend_number;      /* of the last that asked to suspend or resume it */
    bool suspended;               /* an outsider was told so, and nobody has asked for anything else since */
    uint32_t groups;              /* bits of the groups that it is a member of */
    uint32_t joined[MODEL_GROUPS]; /* the order of the joins */
    struct model_aside aside[MODEL_ASIDE_MAX], again[MODEL_ASIDE_MAX]; /* set aside; and to be handled again */
    uint32_t aside_count, again_count;
    uint32_t aside_queued;        /* of both, those that count in `queued` */
};

struct model_call {
    uint32_t caller, callee; /* caller 0: an outsider */
    uint64_t deadline_ms;
    uint64_t given_up_ms;    /* when its outsider cancelled it, or 0 */
    enum model_answer answer;
    bool wait, over;
    bool refused; /* it was never accepted */
    bool group;   /* of a call to a group: whether it was accepted is not told at once */
};

struct model_timer {
    uint32_t owner;
    enum troupe_timer_what what;
    uint32_t target;            /* of a stop or kill */
    bool from_outside;          /* a client's */
    uint8_t name;               /* its name */
    bool doubtful;              /* whether it runs was not told */
    uint64_t late_ms;           /* it was set so much later than it was asked for */
    bool aside;                 /* its message is postponed */
    uint64_t id;                /* the core's */
    uint64_t due_ms, period_ms; /* period 0: once */
    enum troupe_every missed;
    bool over; /* cancelled, or fired once */
};

struct model_monitor {
    uint32_t watcher, target;
    uint64_t id; /* the core's */
    bool over, target_was_gone;
};

struct model_link {
    uint32_t a, b;
    bool over, target_was_gone;
    bool told_a, told_b; /* a trapping end got its down */
};

/* What a child tag stands for. */
struct model_spec {
    uint32_t parent;
    enum troupe_restart restart;
    bool significant;
    bool pending;    /* it waits for its start, as its parent was last seen */
    bool terminated; /* ... and does not come back by itself */
};

/* A list of one of the above; index 0 stays unused, so that 0 can mean none. */
#define MODEL_LIST(type)                                                                                               \
    struct {                                                                                                           \
        struct type *at;                                                                                               \
        uint32_t count;                                                                                                \
    }

struct model {
    MODEL_LIST(model_actor) actors;
    MODEL_LIST(model_call) calls;
    MODEL_LIST(model_timer) timers;
    MODEL_LIST(model_monitor) monitors;
    MODEL_LIST(model_link) links;
    MODEL_LIST(model_spec) specs; /* by child tag */
    uint32_t calls_from, timers_from, monitors_from, links_from; /* all before these are over */
    struct table by_ref;                                         /* slot and generation to actor */
    struct table call_at;          /* of a pair and its sequence number: the call that was sent with it */
    struct table sent, received;   /* sender << 32 | receiver to the last sequence number */
    struct table fulls, writables; /* the same key to how often */
    struct table owed;             /* the same key: it was full, and no writable has come yet */
    uint32_t living;
    uint64_t ends, messages;
    bool was_ended; /* the receiver of what is being sent had ended before */
};
extern struct model model;

/* Add a zeroed entry and give its index. */
uint32_t model_add_call(void);
uint32_t model_add_timer(void);
uint32_t model_add_monitor(void);
uint32_t model_add_link(void);
uint32_t model_add_spec(void);

void model_init(void);
void model_fini(void);

/* The index of an actor; it is added when it is new. 0 for what is no actor. */
uint32_t model_actor_of(troupe_ref ref);

/* The same, but 0 for one that is not ours: the node's own supervisor. */
uint32_t model_find(troupe_ref ref);
static inline struct model_actor *model_actor_at(uint32_t i) { return &model.actors.at[i]; }

/* Look at the actor's state, and remember the furthest. Returns what troupe_system_peek did. */
int model_look(uint32_t self, troupe_peek *ret_peek);

/* ---- messages ---- */

/* What every body of the simulation begins with. */
struct note {
    uint32_t magic, sender, energy, size;
    uint64_t sequence; /* of the pair */
    uint32_t call;     /* index, 0: a cast or a timer */
    uint32_t timer;
    uint32_t group;    /* not 0: what was sent to a group; groups.c knows call and sequence */
    uint32_t unused;
};
#define NOTE_MAGIC 0x6e6f7465u

/* The next sequence number from one to the other; used up only by model_sent. */
uint64_t model_sequence(uint32_t from, uint32_t to);
void model_calling(uint32_t from, uint32_t to, uint32_t call); /* before model_sending, when it is a call */
void model_sending(uint32_t from, uint32_t to);                /* before: an outsider's message may run at once */
bool model_sent(uint32_t from, uint32_t to, int rc);           /* after: takes the above back unless rc is 0 */
bool model_received(uint32_t self, const struct note *note, const troupe_msg *msg);
bool model_drains(uint32_t self); /* or may: who drains drains its children */
bool model_may_run(uint32_t self, const char *what); /* its message lane does not pause */
bool model_writable(uint32_t self, uint32_t from);

/* All up to the last were received, but for calls that came too late. */
bool model_skipped(uint32_t from, uint32_t to, uint64_t last);

/* Calls to the actor whose deadline has passed may be dropped unseen: take them out of what is queued. */
void model_expire(uint32_t self);

/* ---- calls ---- */

/* Before the callee answers (its caller may be told in that very call), and after. */
enum model_answer model_answering(uint32_t call, enum model_answer answer);
bool model_answered(uint32_t call, enum model_answer before, int rc);
bool model_call_over(uint32_t call, int status, const void *body, size_t body_len);
void model_turn_over(uint32_t call); /* the callee's function that handled it returned */

/* ---- life ---- */

/* Before a function of the actor runs. what: its name. fails: nothing may run now. */
bool model_enter(uint32_t self, const char *what);
bool model_started(uint32_t self, const char *behavior);
bool model_name_taken(uint32_t self, uint32_t name);
bool model_ended(uint32_t self, const troupe_exit *exit);
bool model_finished(uint32_t self);
bool model_child(uint32_t self, const troupe_child_event *event);
void model_note_restart(uint32_t self); /* one more incident among its children */
bool model_down(uint32_t self, const troupe_down *down);
bool model_timer_fired(uint32_t self, const struct note *note, const troupe_msg *msg);

/* ---- rest.c ---- */

/* Judge a system in which nothing is left to do before the next deadline. */
bool model_rest(void);

/* Judge a system whose shutdown is over. baseline: memory_bytes before the first spawn. */
bool model_end(uint64_t baseline);

#endif
