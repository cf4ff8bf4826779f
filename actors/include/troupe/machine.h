/* SPDX-License-Identifier: Apache-2.0
 *
 * State machines for behaviors, in the spirit of Erlang's gen_statem (docs/state-machines.md has a worked example and
 * says where the two differ). A machine is a table of states, each with a function for what happens in it and perhaps
 * one that is run when it is entered. On top of that: messages postponed until the state changes, timeouts of a state,
 * of an event and with names of their own, and events that the machine sends to itself.
 *
 * The behavior has a troupe_machine in its state, calls troupe_machine_start in init, hands what receive gets to
 * troupe_machine_receive, and calls troupe_machine_free in fini. All else of a behavior stays as it is: calls are
 * answered with troupe_reply, in any of the machine's functions that run for the call.
 *
 * Thread: behavior only. */
#ifndef TROUPE_MACHINE_H
#define TROUPE_MACHINE_H

#include <troupe/behavior.h>

#define TROUPE_MACHINE_TIMEOUTS_MAX 16u   /* named timeouts that run at a time */
#define TROUPE_MACHINE_EVENTS_MAX 64u     /* events of its own that wait at a time */
#define TROUPE_MACHINE_STEPS_MAX 1000u    /* events and entries for one message; more is a loop, and fails the actor */
#define TROUPE_MACHINE_NAME_BYTES_MAX 56u /* of a timeout's name: a message type is made of it, "machine:<name>" */

enum troupe_machine_event_kind {
    TROUPE_MACHINE_MESSAGE = 1,       /* msg is what receive got: a call, a cast, a timer of the behavior's own, ... */
    TROUPE_MACHINE_STATE_TIMEOUT = 2, /* the state has lasted as long as troupe_machine_state_timeout said */
    TROUPE_MACHINE_EVENT_TIMEOUT = 3, /* nothing has happened for as long as troupe_machine_event_timeout said */
    TROUPE_MACHINE_TIMEOUT = 4,       /* that of troupe_machine_timeout; name is its name */
    TROUPE_MACHINE_OWN = 5            /* that of troupe_machine_next_event; name is its name */
};

/* What has happened. Borrowed until the function returns. */
typedef struct troupe_machine_event {
    enum troupe_machine_event_kind kind;
    uint16_t op;                    /* of a message: msg->op; else TROUPE_OP_NONE */
    const char *name;               /* of a message: its type */
    troupe_body body;
    const troupe_msg *msg;          /* the message that led here; an event of the machine's own from init, child() or
                                       down() has none: NULL */
} troupe_machine_event;

/* Handle an event. Returns 0, TROUPE_MACHINE_ELSE, or an error that fails the actor. data: of troupe_machine_start. */
typedef int (*troupe_machine_handle_fn)(troupe_ctx *ctx, void *data, const troupe_machine_event *event);
#define TROUPE_MACHINE_ELSE 2 /* not here: `otherwise` of the table shall have it */

/* The state was entered, coming from another (or, at the start, from itself). It can set timeouts, send, answer, make
 * events of its own; it cannot change the state or postpone. */
typedef int (*troupe_machine_enter_fn)(troupe_ctx *ctx, void *data, uint16_t from);

typedef struct troupe_machine_state {
    const char *name;
    troupe_machine_handle_fn handle; /* NULL: everything goes to `otherwise` */
    troupe_machine_enter_fn enter;   /* or NULL */
} troupe_machine_state;

/* The table. Constant, as a behavior is. */
typedef struct troupe_machine_table {
    const troupe_machine_state *states;
    uint16_t states_count;
    troupe_machine_handle_fn otherwise; /* what is the same in all states. NULL, or ELSE from it too: a call is refused
                                           with "app.wrong_state" (409) and the state's name, all else is dropped */
} troupe_machine_table;

/* Zeroed before the start. All is the machine's own. */
typedef struct troupe_machine {
    const troupe_machine_table *table, *next_table;
    void *data;
    uint64_t state_timer, event_timer; /* ids; 0: not running */
    struct troupe_machine_more *more;  /* named timeouts, events of its own; made on first use, owned */
    uint16_t state, next;              /* next: what troupe_machine_goto said */
    uint8_t phase;                     /* what is running */
    bool goes, repeats;                /* goto, repeat were called */
} troupe_machine;

/* ---- for the behavior's functions ---- */

/* Begin in a state and enter it. In init; returns what init returns.
 * Fails: TROUPE_E_INVALID (no such state), or as the enter function. */
TROUPE_MUST_USE int troupe_machine_start(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_table *table,
                                         uint16_t state, void *data);

/* Handle a message; returns what receive returns. */
TROUPE_MUST_USE int troupe_machine_receive(troupe_ctx *ctx, troupe_machine *machine, const troupe_msg *msg);

/* Handle an event that came another way (a continuation, down(), child()), now. Returns what that function returns. */
TROUPE_MUST_USE int troupe_machine_tell(troupe_ctx *ctx, troupe_machine *machine, const char *name, troupe_body body);

/* Free what the machine owns. In fini. */
void troupe_machine_free(troupe_machine *machine);

/* The present state, and its name. */
uint16_t troupe_machine_state_now(const troupe_machine *machine);
const char *troupe_machine_state_name(const troupe_machine *machine);

/* ---- for the functions of the table ---- */

/* Go to another state when the running function has returned. Its timeout ends now; a timeout that is set after this is
 * the new state's. What was postponed is handled again, before anything newer. To the same state: nothing happens.
 * Fails: TROUPE_E_INVALID (no such state), TROUPE_E_STATE (not in a function that handles an event, or said before) */
TROUPE_MUST_USE int troupe_machine_goto(troupe_ctx *ctx, troupe_machine *machine, uint16_t state);

/* Go on with another table, in this state of it. It is a change of the state, also when the numbers are equal. */
TROUPE_MUST_USE int troupe_machine_become(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_table *table,
                                          uint16_t state);

/* Run the enter function of the present state again when the running function has returned. Nothing else changes.
 * Fails: TROUPE_E_STATE as goto. */
TROUPE_MUST_USE int troupe_machine_repeat(troupe_machine *machine);

/* Handle the message at hand again after the next change of the state.
 * Fails: TROUPE_E_STATE (no message: an event of the machine's own, an enter function), and as troupe_postpone */
TROUPE_MUST_USE int troupe_machine_postpone(troupe_ctx *ctx, troupe_machine *machine);

/* Handle an event of the machine's own after the running function, before any message. The name lives on; the body is
 * copied. Fails: TROUPE_E_LIMIT (TROUPE_MACHINE_EVENTS_MAX), NO_MEMORY, TOO_LARGE */
TROUPE_MUST_USE int troupe_machine_next_event(troupe_machine *machine, const char *name, troupe_body body);

/* Timeouts. Setting one that runs begins it anew. What they do when they end is told by the event's kind.
 * - of the state: a change of the state ends it
 * - of an event: whatever happens next ends it
 * - with a name of 1 to 56 bytes: it runs over changes of the state; several may run
 * Fails: TROUPE_E_LIMIT, INVALID, NO_MEMORY as troupe_timer_after; STATE when the actor ends */
TROUPE_MUST_USE int troupe_machine_state_timeout(troupe_ctx *ctx, troupe_machine *machine, uint64_t delay_ms);
TROUPE_MUST_USE int troupe_machine_event_timeout(troupe_ctx *ctx, troupe_machine *machine, uint64_t delay_ms);
TROUPE_MUST_USE int troupe_machine_timeout(troupe_ctx *ctx, troupe_machine *machine, const char *name,
                                           uint64_t delay_ms);

/* End a timeout: its event does not come any more, also when it was on its way. True when it ran. */
bool troupe_machine_state_timeout_cancel(troupe_ctx *ctx, troupe_machine *machine);
bool troupe_machine_timeout_cancel(troupe_ctx *ctx, troupe_machine *machine, const char *name);

#endif
