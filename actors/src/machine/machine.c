/* SPDX-License-Identifier: Apache-2.0
 *
 * See troupe/machine.h. Written with the public headers only.
 *
 * One message is one run: its event is handled; if a function said goto, the postponed messages are called back and the
 * new state is entered; then the machine's own events follow, each in the same way, until there are none. So own events
 * come before the postponed messages, and these before newer ones, as gen_statem orders them.
 *
 *   phase    | goto, become, repeat | postpone | next_event, timeouts | tell
 *   ---------+----------------------+----------+----------------------+------
 *   REST     | no                   | no       | yes                  | yes      between runs
 *   MESSAGE  | once                 | once     | yes                  | no       a message or timeout is handled
 *   OWN      | once                 | no       | yes                  | no       an event of the machine's own is
 *   ENTER    | no                   | no       | yes                  | no       an enter function
 *
 * Timeouts are timers of the actor, known by their message type: "machine.state", "machine.event", "machine:<name>". A
 * cancelled timer's message never arrives, so what arrives needs no check; one that was postponed arrives again, when
 * its id is forgotten already.
 *
 * Thread: behavior only. */
#include <troupe/machine.h>
#include <troupe/mem.h>

#define TYPE_STATE "machine.state"
#define TYPE_EVENT "machine.event"
#define TYPE_NAMED "machine:"
#define TYPE_NAMED_LEN (sizeof TYPE_NAMED - 1)

_Static_assert(sizeof(troupe_machine) <= 56, "docs/state-machines.md says so");
_Static_assert(TYPE_NAMED_LEN + TROUPE_MACHINE_NAME_BYTES_MAX == TROUPE_TYPE_BYTES_MAX, "the name fits into a type");

enum phase { PHASE_REST = 0, PHASE_MESSAGE, PHASE_OWN, PHASE_ENTER };

struct own_event {
    struct own_event *next;
    const char *name;
    const char *content_type;
    uint32_t body_len;
    _Alignas(8) char body[];
};

struct named_timeout {
    struct named_timeout *next;
    uint64_t timer;
    char type[TROUPE_TYPE_BYTES_MAX + 1]; /* "machine:<name>" */
};

struct troupe_machine_more {
    struct own_event *events_first, *events_last;
    struct named_timeout *timeouts;
    uint32_t events_count, timeouts_count;
};

static struct troupe_machine_more *more_of(troupe_machine *machine)
{
    if (!machine->more && (machine->more = troupe_alloc(sizeof *machine->more)))
        *machine->more = (struct troupe_machine_more){0};
    return machine->more;
}

/* ---- events of its own ---- */

static struct own_event *take_own_event(troupe_machine *machine)
{
    struct troupe_machine_more *more = machine->more;
    struct own_event *own = more ? more->events_first : NULL;

    if (own) {
        more->events_first = own->next;
        more->events_count--;
    }
    return own;
}

int troupe_machine_next_event(troupe_machine *machine, const char *name, troupe_body body)
{
    struct troupe_machine_more *more = more_of(machine);

    if (body.len > TROUPE_BODY_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    if (!more)
        return TROUPE_E_NO_MEMORY;
    if (more->events_count == TROUPE_MACHINE_EVENTS_MAX)
        return TROUPE_E_LIMIT;
    struct own_event *own = troupe_alloc(sizeof *own + body.len);
    if (!own)
        return TROUPE_E_NO_MEMORY;
    *own = (struct own_event){.name = name, .content_type = body.content_type, .body_len = (uint32_t)body.len};
    if (body.len != 0)
        memcpy(own->body, body.ptr, body.len);
    if (more->events_first)
        more->events_last->next = own;
    else
        more->events_first = own;
    more->events_last = own;
    more->events_count++;
    return 0;
}

/* ---- timeouts ---- */

static bool cancel(troupe_ctx *ctx, uint64_t *timer)
{
    uint64_t id = *timer;

    *timer = 0;
    return id != 0 && troupe_timer_cancel(ctx, id) == 0;
}

static int set(troupe_ctx *ctx, uint64_t *timer, uint64_t delay_ms, const char *type)
{
    uint64_t fresh;
    int rc = troupe_timer_after(ctx, delay_ms, type, troupe_body_none(), &fresh);

    if (rc != 0)
        return rc; /* and the old one, if any, runs on */
    cancel(ctx, timer);
    *timer = fresh;
    return 0;
}

int troupe_machine_state_timeout(troupe_ctx *ctx, troupe_machine *machine, uint64_t delay_ms)
{
    return set(ctx, &machine->state_timer, delay_ms, TYPE_STATE);
}

int troupe_machine_event_timeout(troupe_ctx *ctx, troupe_machine *machine, uint64_t delay_ms)
{
    return set(ctx, &machine->event_timer, delay_ms, TYPE_EVENT);
}

bool troupe_machine_state_timeout_cancel(troupe_ctx *ctx, troupe_machine *machine)
{
    return cancel(ctx, &machine->state_timer);
}

/* Where the timeout with this type hangs, or the end of the list. */
static struct named_timeout **find_timeout(struct troupe_machine_more *more, troupe_view type)
{
    struct named_timeout **at = &more->timeouts;

    while (*at && !troupe_view_equal(troupe_view_of((*at)->type), type))
        at = &(*at)->next;
    return at;
}

static void drop_timeout(struct troupe_machine_more *more, struct named_timeout **at)
{
    struct named_timeout *timeout = *at;

    *at = timeout->next;
    more->timeouts_count--;
    troupe_free(timeout);
}

/* "machine:<name>"; false when the name is too short or too long. */
static bool type_of(const char *name, char *type)
{
    size_t len = strlen(name);

    if (len == 0 || len > TROUPE_MACHINE_NAME_BYTES_MAX)
        return false;
    memcpy(type, TYPE_NAMED, TYPE_NAMED_LEN);
    memcpy(type + TYPE_NAMED_LEN, name, len + 1);
    return true;
}

int troupe_machine_timeout(troupe_ctx *ctx, troupe_machine *machine, const char *name, uint64_t delay_ms)
{
    struct troupe_machine_more *more = more_of(machine);
    char type[TROUPE_TYPE_BYTES_MAX + 1];

    if (!type_of(name, type))
        return TROUPE_E_INVALID;
    if (!more)
        return TROUPE_E_NO_MEMORY;
    struct named_timeout **at = find_timeout(more, troupe_view_of(type));
    if (!*at) {
        if (more->timeouts_count == TROUPE_MACHINE_TIMEOUTS_MAX)
            return TROUPE_E_LIMIT;
        struct named_timeout *fresh = troupe_alloc(sizeof *fresh);
        if (!fresh)
            return TROUPE_E_NO_MEMORY;
        *fresh = (struct named_timeout){0};
        memcpy(fresh->type, type, sizeof type);
        more->timeouts_count++;
        *at = fresh;
    }
    int rc = set(ctx, &(*at)->timer, delay_ms, type);
    if (rc != 0 && (*at)->timer == 0)
        drop_timeout(more, at);
    return rc;
}

bool troupe_machine_timeout_cancel(troupe_ctx *ctx, troupe_machine *machine, const char *name)
{
    char type[TROUPE_TYPE_BYTES_MAX + 1];

    if (!machine->more || !type_of(name, type))
        return false;
    struct named_timeout **at = find_timeout(machine->more, troupe_view_of(type));
    if (!*at)
        return false;
    bool ran = cancel(ctx, &(*at)->timer);
    drop_timeout(machine->more, at);
    return ran;
}

/* ---- a run ---- */

/* Nobody takes the event. Whoever asks is told; an answer that memory is missing for is the core's to give. */
static int refuse(troupe_ctx *ctx, const troupe_machine *machine, const troupe_machine_event *event)
{
    static const char words[] = "not in the state ";
    char detail[TROUPE_REASON_BYTES_MAX + 1];
    troupe_view name = troupe_view_of(troupe_machine_state_name(machine));
    size_t len = sizeof words - 1, room = sizeof detail - 1 - len;

    if (event->kind != TROUPE_MACHINE_MESSAGE || event->msg->kind != TROUPE_MSG_CALL)
        return 0;
    memcpy(detail, words, len);
    memcpy(detail + len, name.ptr, name.len < room ? name.len : room);
    detail[len + (name.len < room ? name.len : room)] = '\0';
    int rc = troupe_reply_app_error(ctx, "wrong_state", 409, detail);
    return rc == TROUPE_E_NO_MEMORY || rc == TROUPE_E_STATE ? 0 : rc;
}

static int handle(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_event *event, enum phase phase)
{
    const troupe_machine_state *state = &machine->table->states[machine->state];
    int rc = TROUPE_MACHINE_ELSE;

    cancel(ctx, &machine->event_timer); /* something has happened */
    machine->phase = (uint8_t)phase;
    if (state->handle)
        rc = state->handle(ctx, machine->data, event);
    if (rc == TROUPE_MACHINE_ELSE && machine->table->otherwise)
        rc = machine->table->otherwise(ctx, machine->data, event);
    return rc == TROUPE_MACHINE_ELSE ? refuse(ctx, machine, event) : rc;
}

static int enter(troupe_ctx *ctx, troupe_machine *machine, uint16_t from)
{
    troupe_machine_enter_fn fn = machine->table->states[machine->state].enter;

    machine->phase = PHASE_ENTER;
    return fn ? fn(ctx, machine->data, from) : 0;
}

/* Do what the function that has returned asked for. */
static int settle(troupe_ctx *ctx, troupe_machine *machine)
{
    uint16_t from = machine->state;

    if (machine->goes) {
        machine->goes = machine->repeats = false;
        machine->table = machine->next_table;
        machine->state = machine->next;
        troupe_unpostpone(ctx);
        return enter(ctx, machine, from);
    }
    if (!machine->repeats)
        return 0;
    machine->repeats = false;
    return enter(ctx, machine, from);
}

/* What follows from a step that returned rc: until nothing is left, or one fails. */
static int finish(troupe_ctx *ctx, troupe_machine *machine, const troupe_msg *msg, int rc)
{
    struct own_event *own;

    if (rc == 0)
        rc = settle(ctx, machine);
    for (unsigned steps = 0; rc == 0 && (own = take_own_event(machine)); steps++) {
        troupe_machine_event event = {.kind = TROUPE_MACHINE_OWN,
                                      .op = TROUPE_OP_NONE,
                                      .name = own->name,
                                      .body = troupe_body_bytes(own->body, own->body_len, own->content_type),
                                      .msg = msg};
        if (steps == TROUPE_MACHINE_STEPS_MAX)
            rc = troupe_fail(ctx, TROUPE_E_LIMIT, "the machine's own events go round in a loop");
        else
            rc = handle(ctx, machine, &event, PHASE_OWN);
        troupe_free(own);
        if (rc == 0)
            rc = settle(ctx, machine);
    }
    machine->phase = PHASE_REST;
    return rc;
}

/* What a message is to the machine. A timeout that comes is not running any more. */
static troupe_machine_event event_of(troupe_machine *machine, const troupe_msg *msg)
{
    troupe_machine_event event = {.kind = TROUPE_MACHINE_MESSAGE, .op = msg->op, .name = msg->type, .msg = msg};
    troupe_view type = troupe_msg_type(msg);

    event.body = troupe_body_of(msg);
    if (msg->kind != TROUPE_MSG_TIMER)
        return event;
    if (troupe_view_equal(type, troupe_view_of(TYPE_STATE))) {
        event.kind = TROUPE_MACHINE_STATE_TIMEOUT;
        if (machine->state_timer == msg->tag)
            machine->state_timer = 0;
    } else if (troupe_view_equal(type, troupe_view_of(TYPE_EVENT))) {
        event.kind = TROUPE_MACHINE_EVENT_TIMEOUT;
        if (machine->event_timer == msg->tag)
            machine->event_timer = 0;
    } else if (type.len > TYPE_NAMED_LEN && memcmp(type.ptr, TYPE_NAMED, TYPE_NAMED_LEN) == 0) {
        struct named_timeout **at = machine->more ? find_timeout(machine->more, type) : NULL;

        event.kind = TROUPE_MACHINE_TIMEOUT;
        event.name = msg->type + TYPE_NAMED_LEN;
        if (at && *at && (*at)->timer == msg->tag)
            drop_timeout(machine->more, at);
    }
    return event;
}

/* ---- for the behavior's functions ---- */

int troupe_machine_start(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_table *table, uint16_t state,
                         void *data)
{
    if (state >= table->states_count)
        return TROUPE_E_INVALID;
    *machine = (troupe_machine){.table = table, .data = data, .state = state, .next = state};
    return finish(ctx, machine, NULL, enter(ctx, machine, state));
}

int troupe_machine_receive(troupe_ctx *ctx, troupe_machine *machine, const troupe_msg *msg)
{
    troupe_machine_event event = event_of(machine, msg);

    return finish(ctx, machine, msg, handle(ctx, machine, &event, PHASE_MESSAGE));
}

int troupe_machine_tell(troupe_ctx *ctx, troupe_machine *machine, const char *name, troupe_body body)
{
    troupe_machine_event event = {.kind = TROUPE_MACHINE_OWN, .op = TROUPE_OP_NONE, .name = name, .body = body};

    if (machine->phase != PHASE_REST || !machine->table)
        return TROUPE_E_STATE;
    return finish(ctx, machine, NULL, handle(ctx, machine, &event, PHASE_OWN));
}

void troupe_machine_free(troupe_machine *machine)
{
    struct troupe_machine_more *more = machine->more;
    struct own_event *own;

    while ((own = take_own_event(machine)))
        troupe_free(own);
    while (more && more->timeouts)
        drop_timeout(more, &more->timeouts); /* the timers end with the actor */
    troupe_free(more);
    machine->more = NULL;
}

uint16_t troupe_machine_state_now(const troupe_machine *machine) { return machine->state; }

const char *troupe_machine_state_name(const troupe_machine *machine)
{
    return machine->table->states[machine->state].name;
}

/* ---- for the functions of the table ---- */

static bool may_go(const troupe_machine *machine)
{
    return (machine->phase == PHASE_MESSAGE || machine->phase == PHASE_OWN) && !machine->goes && !machine->repeats;
}

int troupe_machine_become(troupe_ctx *ctx, troupe_machine *machine, const troupe_machine_table *table, uint16_t state)
{
    if (state >= table->states_count)
        return TROUPE_E_INVALID;
    if (!may_go(machine))
        return TROUPE_E_STATE;
    cancel(ctx, &machine->state_timer);
    machine->next_table = table;
    machine->next = state;
    machine->goes = true;
    return 0;
}

int troupe_machine_goto(troupe_ctx *ctx, troupe_machine *machine, uint16_t state)
{
    if (state == machine->state && may_go(machine))
        return 0;
    return troupe_machine_become(ctx, machine, machine->table, state);
}

int troupe_machine_repeat(troupe_machine *machine)
{
    if (!may_go(machine))
        return TROUPE_E_STATE;
    machine->repeats = true;
    return 0;
}

int troupe_machine_postpone(troupe_ctx *ctx, troupe_machine *machine)
{
    return machine->phase == PHASE_MESSAGE ? troupe_postpone(ctx) : TROUPE_E_STATE;
}
