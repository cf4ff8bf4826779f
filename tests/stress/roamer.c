/* SPDX-License-Identifier: Apache-2.0
 *
 * The actor of stress_random.c: each message makes it do some of all that an actor can do. It knows what it has begun,
 * and tells when something ends twice, comes in the wrong order, or after it was taken back.
 *
 * Thread: behavior only, but for the functions of roamer.h. */
#include "roamer.h"

#include <stdio.h>
#include <string.h>

#include <troupe/group.h>

#define ACTORS_MAX 300u /* spawns pause above it */
#define NAMES 24u
#define KEEPS 8u    /* timers, monitors, kept calls, follows of an actor, of each */
#define SENDERS 64u /* of which an actor remembers the last sequence number */

struct roamer_world roamer_world;

void roamer_fail(const char *text)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&roamer_world.failure, &none, text);
}

struct state {
    uint64_t id, sequence;
    uint32_t open_calls;
    bool closed;                                             /* it postpones */
    uint64_t timers[KEEPS], monitors[KEEPS], follows[KEEPS]; /* ids; 0: free */
    bool is_watch[KEEPS];                                    /* the follow is one of a group's joins and leaves */
    uint32_t open_group_calls;
    bool every[KEEPS];
    troupe_handle kept[KEEPS];
    bool is_kept[KEEPS];
    struct {
        uint64_t id, sequence;
    } senders[SENDERS];
};

enum { OP_NOTE, OP_ASK };

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

troupe_ref roamer_at(uint32_t place)
{
    uint64_t value = atomic_load_explicit(&roamer_world.board[place], memory_order_relaxed);

    return (troupe_ref){troupe_system_home(roamer_world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

void roamer_show(uint32_t place, troupe_ref ref)
{
    atomic_store_explicit(&roamer_world.board[place], (uint64_t)ref.slot << 32 | ref.generation, memory_order_relaxed);
}

void roamer_expect(int rc)
{
    switch (rc) {
    case 0:
    case TROUPE_E_FULL:
    case TROUPE_E_GONE:
    case TROUPE_E_NOT_FOUND:
    case TROUPE_E_DRAINING:
    case TROUPE_E_SHED:
    case TROUPE_E_KILLED:
    case TROUPE_E_STATE:
    case TROUPE_E_LIMIT:
    case TROUPE_E_NAME_TAKEN:
        return;
    default:
        roamer_fail("an operation gave an unexpected error");
    }
}

static int find(const uint64_t *ids, uint64_t id)
{
    for (unsigned i = 0; i < KEEPS; i++)
        if (ids[i] == id)
            return (int)i;
    return -1;
}

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct state *state = memory;

    (void)reply;
    ROAMER_COUNT(calls_over);
    if (state->open_calls-- == 0)
        roamer_fail("a call ended twice");
    if (state->closed && below(ctx, 2) == 0) {
        state->closed = false;
        troupe_unpostpone(ctx);
    }
    return 0;
}

static void spawn(troupe_ctx *ctx)
{
    char name[16];
    troupe_stats stats;
    troupe_ref ref;

    troupe_system_stats(roamer_world.system, &stats);
    if (stats.actors > ACTORS_MAX)
        return;
    snprintf(name, sizeof name, "r%u", (unsigned)below(ctx, NAMES));
    troupe_spawn_opts opts = {.behavior = "roamer",
                              .name = troupe_view_of(below(ctx, 3) == 0 ? name : ""),
                              .restart = (enum troupe_restart)below(ctx, 3),
                              .significant = below(ctx, 6) == 0,
                              .link = below(ctx, 6) == 0,
                              .mailbox_messages_max = below(ctx, 2) ? 0 : 3 + below(ctx, 20),
                              .mailbox_policy = (enum troupe_mailbox_policy)below(ctx, 3),
                              .backoff_min_ms = below(ctx, 2),
                              .backoff_max_ms = 2};
    opts.significant = opts.significant && opts.restart != TROUPE_PERMANENT;
    roamer_expect(troupe_spawn(ctx, &opts, &ref));
}

static void use_timer(troupe_ctx *ctx, struct state *state)
{
    int at = find(state->timers, 0), other = (int)below(ctx, KEEPS);

    if (state->timers[other] != 0 && below(ctx, 2) == 0) {
        if (troupe_timer_cancel(ctx, state->timers[other]) != TROUPE_E_KILLED)
            state->timers[other] = 0;
        return;
    }
    if (at < 0)
        return;
    state->every[at] = below(ctx, 3) == 0;
    int rc = state->every[at] ? troupe_timer_every(ctx, 1 + below(ctx, 3), (enum troupe_every)below(ctx, 2), "tick",
                                                   troupe_body_none(), &state->timers[at])
                              : troupe_timer_after(ctx, below(ctx, 4), "tick", troupe_body_none(), &state->timers[at]);
    roamer_expect(rc);
    if (rc == 0)
        ROAMER_COUNT(timers);
    else
        state->timers[at] = 0;
}

static void use_monitor(troupe_ctx *ctx, struct state *state, troupe_ref to)
{
    int at = find(state->monitors, 0), other = (int)below(ctx, KEEPS);

    if (state->monitors[other] != 0 && below(ctx, 3) == 0) {
        int rc = troupe_demonitor(ctx, state->monitors[other]);
        roamer_expect(rc);
        if (rc == 0) {
            state->monitors[other] = 0;
            ROAMER_COUNT(monitors_over);
        }
        return;
    }
    if (at < 0)
        return;
    int rc = troupe_monitor(ctx, to, &state->monitors[at]);
    roamer_expect(rc);
    if (rc == 0)
        ROAMER_COUNT(monitors);
    else
        state->monitors[at] = 0;
}

static void use_name(troupe_ctx *ctx)
{
    char name[16];
    troupe_ref ref;

    snprintf(name, sizeof name, "r%u", (unsigned)below(ctx, NAMES));
    switch (below(ctx, 3)) {
    case 0:
        roamer_expect(troupe_name_register(ctx, troupe_view_of(name)));
        break;
    case 1:
        roamer_expect(troupe_name_release(ctx, troupe_view_of(name)));
        break;
    default:
        if (troupe_whereis(ctx, troupe_view_of(name), &ref) == 0)
            roamer_show(below(ctx, ROAMER_BOARD), ref);
    }
}

/* ---- groups, topics ---- */

static const char *group_name(troupe_ctx *ctx)
{
    static const char *const names[ROAMER_GROUPS] = {"g0", "g1", "g2", "g3"};

    return names[below(ctx, ROAMER_GROUPS)];
}

static int on_group_done(troupe_ctx *ctx, void *memory, uint64_t tag, const troupe_group_counts *counts)
{
    struct state *state = memory;

    (void)ctx, (void)tag;
    ROAMER_COUNT(group_calls_over);
    if (state->open_group_calls-- == 0)
        roamer_fail("a call of a group ended twice");
    if (counts->accepted + counts->refused != counts->members)
        roamer_fail("a member of a group gave no result");
    return 0;
}

static void cast_to_group(troupe_ctx *ctx, struct state *state, const char *group)
{
    struct roamer_message message = {.sender = state->id, .sequence = state->sequence + 1};
    troupe_group_counts counts = {0};

    roamer_expect(
        troupe_group_cast(ctx, "", group, "note", troupe_body_bytes(&message, sizeof message, NULL), &counts));
    state->sequence++;
    atomic_fetch_add(&roamer_world.notes, counts.accepted);
    atomic_fetch_add(&roamer_world.notes_refused, counts.refused);
}

static void use_group(troupe_ctx *ctx, struct state *state)
{
    struct roamer_message message = {.sender = 0};
    const char *group = group_name(ctx);

    switch (below(ctx, 6)) {
    case 0:
    case 1:
        roamer_expect(troupe_group_join(ctx, "", group));
        break;
    case 2:
        roamer_expect(troupe_group_leave(ctx, "", group));
        break;
    case 3:
        if (troupe_group_call(ctx, "", group, "ask", troupe_body_bytes(&message, sizeof message, NULL),
                              1 + below(ctx, 20), NULL, on_group_done, 0) == 0) {
            state->open_group_calls++;
            ROAMER_COUNT(group_calls);
        }
        break;
    default:
        cast_to_group(ctx, state, group);
    }
}

static void use_follow(troupe_ctx *ctx, struct state *state, troupe_ref to)
{
    int at = find(state->follows, 0), other = (int)below(ctx, KEEPS);

    if (state->follows[other] != 0 && below(ctx, 2) == 0) {
        int rc = state->is_watch[other] ? troupe_group_unwatch(ctx, state->follows[other])
                                        : troupe_unfollow(ctx, state->follows[other]);
        roamer_expect(rc);
        if (rc != TROUPE_E_KILLED)
            state->follows[other] = 0;
        return;
    }
    if (at < 0)
        return;
    state->is_watch[at] = below(ctx, 4) == 0;
    int rc = state->is_watch[at]
                 ? troupe_group_watch(ctx, "", group_name(ctx), &state->follows[at])
                 : troupe_follow(ctx, to, NULL, TROUPE_FROM_NOW, (troupe_event_id){0}, &state->follows[at]);
    roamer_expect(rc);
    if (rc != 0)
        state->follows[at] = 0;
}

static int on_event(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    int at = find(state->follows, msg->tag);

    (void)ctx;
    ROAMER_COUNT(events);
    if (at < 0)
        roamer_fail("an event came that was not followed, or not any more");
    else if (troupe_msg_is_end(msg))
        state->follows[at] = 0;
    return 0;
}

static void answer_kept(troupe_ctx *ctx, struct state *state)
{
    unsigned at = below(ctx, KEEPS);

    if (state->is_kept[at]) {
        roamer_expect(troupe_reply_to(ctx, state->kept[at], troupe_body_none()));
        state->is_kept[at] = false;
    }
}

static void send(troupe_ctx *ctx, struct state *state, troupe_ref to, uint32_t energy)
{
    struct roamer_message message = {.sender = state->id, .sequence = state->sequence + 1, .energy = energy};
    troupe_body body = troupe_body_bytes(&message, sizeof message, NULL);
    bool is_call = below(ctx, 3) == 0;
    bool waits = is_call && below(ctx, 4) == 0 && !troupe_ref_equal(to, troupe_self(ctx));
    int rc = waits     ? troupe_call_wait(ctx, to, "ask", body, 1 + below(ctx, 20), on_reply, 0)
             : is_call ? troupe_call(ctx, to, "ask", body, 1 + below(ctx, 20), on_reply, 0)
                       : troupe_cast(ctx, to, "note", body);

    roamer_expect(rc);
    if (rc == 0)
        state->sequence++;
    if (is_call && rc == 0) {
        state->open_calls++;
        ROAMER_COUNT(calls);
    } else if (!is_call && rc == 0) {
        ROAMER_COUNT(notes);
    } else if (!is_call && rc != TROUPE_E_KILLED) { /* a killed one does not send: no dead letter */
        ROAMER_COUNT(notes_refused);
    }
}

static void act(troupe_ctx *ctx, struct state *state, uint32_t energy)
{
    troupe_ref to = roamer_at(below(ctx, ROAMER_BOARD));
    uint64_t timer;

    if (!troupe_ref_is_actor(to))
        return;
    switch (below(ctx, 26)) {
    case 0:
        spawn(ctx);
        break;
    case 1:
        if (below(ctx, 6) == 0)
            roamer_expect(troupe_stop(ctx, to, (enum troupe_stop_mode)below(ctx, 3), "random"));
        break;
    case 2:
        use_monitor(ctx, state, to);
        break;
    case 3:
        if (!troupe_ref_equal(to, troupe_self(ctx)))
            roamer_expect(below(ctx, 2) ? troupe_link(ctx, to) : troupe_unlink(ctx, to));
        break;
    case 4:
    case 5:
        use_timer(ctx, state);
        break;
    case 6:
        use_name(ctx);
        break;
    case 7:
        answer_kept(ctx, state);
        break;
    case 8:
        roamer_expect(troupe_publish(ctx, "news", troupe_body_none()));
        break;
    case 9:
        state->closed = !state->closed;
        if (!state->closed)
            troupe_unpostpone(ctx);
        break;
    case 10:
    case 11:
    case 12:
        use_group(ctx, state);
        break;
    case 13:
        use_follow(ctx, state, to);
        break;
    case 14:
        if (troupe_probe(ctx, to, 1 + below(ctx, 20), on_reply, 0) == 0) {
            state->open_calls++;
            ROAMER_COUNT(calls);
        }
        break;
    case 15:
        if (below(ctx, 6) == 0)
            roamer_expect(below(ctx, 2) ? troupe_exit_after(ctx, to, below(ctx, 4), "random", &timer)
                                        : troupe_kill_after(ctx, to, below(ctx, 4), &timer));
        break;
    default:
        send(ctx, state, to, energy);
    }
}

static void check_order(struct state *state, const struct roamer_message *message)
{
    uint32_t at = (uint32_t)(message->sender % SENDERS);

    if (message->sender == 0)
        return;
    if (state->senders[at].id == message->sender && message->sequence <= state->senders[at].sequence)
        roamer_fail("messages of one sender came out of order, or twice");
    state->senders[at].id = message->sender;
    state->senders[at].sequence = message->sequence;
}

static bool postpones(troupe_ctx *ctx, const struct state *state)
{
    if (!state->closed || troupe_postpone(ctx) != 0)
        return false;
    ROAMER_COUNT(postponed);
    return true;
}

static int on_tick(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    int at = find(state->timers, msg->tag);

    if (at < 0) {
        roamer_fail("a timer came that was cancelled or handled before");
        return 0;
    }
    if (postpones(ctx, state))
        return 0;
    if (!state->every[at])
        state->timers[at] = 0;
    if (below(ctx, 2)) {
        state->closed = false;
        troupe_unpostpone(ctx);
    }
    act(ctx, state, 1);
    return 0;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    struct roamer_message message;

    if (msg->kind == TROUPE_MSG_TIMER)
        return on_tick(ctx, state, msg);
    if (msg->kind == TROUPE_MSG_EVENT || msg->kind == TROUPE_MSG_GROUP)
        return on_event(ctx, state, msg);
    if (postpones(ctx, state)) {
        if (below(ctx, 30) == 0) { /* a change of state in the function that postponed */
            state->closed = false;
            troupe_unpostpone(ctx);
        }
        return 0;
    }
    memcpy(&message, msg->body, sizeof message);
    check_order(state, &message);
    if (msg->op == OP_NOTE)
        ROAMER_COUNT(notes_handled);
    if (msg->kind == TROUPE_MSG_CALL) {
        unsigned at = below(ctx, KEEPS);
        if (below(ctx, 3) == 0 && !state->is_kept[at])
            state->is_kept[at] = troupe_reply_keep(ctx, &state->kept[at]) == 0;
        else if (below(ctx, 8) != 0)
            roamer_expect(troupe_reply(ctx, troupe_body_none()));
    }
    for (uint32_t i = message.energy == 0 ? 0 : below(ctx, 4); i > 0; i--)
        act(ctx, state, message.energy - 1);
    if (below(ctx, 400) == 0)
        troupe_stop_self(ctx, "random");
    return below(ctx, 300) == 0 ? TROUPE_E_INTERNAL : 0;
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;

    (void)args;
    ROAMER_COUNT(inits);
    state->id = 1 + ROAMER_COUNT(senders);
    roamer_show(below(ctx, ROAMER_BOARD), troupe_self(ctx));
    if (below(ctx, 2)) {
        troupe_supervision how = {.strategy = (enum troupe_strategy)below(ctx, 3),
                                  .auto_shutdown = (enum troupe_auto_shutdown)below(ctx, 3),
                                  .restarts = 1 + below(ctx, 4),
                                  .period_ms = 1 + below(ctx, 20)};
        roamer_expect(troupe_supervise(ctx, &how));
    }
    return below(ctx, 60) == 0 ? TROUPE_E_INTERNAL : 0;
}

static int down(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    struct state *state = memory;
    int at = find(state->monitors, event->monitor);

    (void)ctx;
    if (event->monitor == 0)
        return 0; /* a link */
    if (at < 0)
        roamer_fail("a down came for no monitor, or twice");
    else
        state->monitors[at] = 0;
    ROAMER_COUNT(monitors_over);
    return 0;
}

static void fini(void *memory)
{
    struct state *state = memory;

    if (state->id == 0)
        return; /* init never ran */
    ROAMER_COUNT(finis);
    atomic_fetch_add(&roamer_world.calls_left, state->open_calls);
    atomic_fetch_add(&roamer_world.group_calls_left, state->open_group_calls);
    for (unsigned i = 0; i < KEEPS; i++)
        if (state->monitors[i] != 0)
            ROAMER_COUNT(monitors_left);
}

static const troupe_type types[] = {[OP_NOTE] = {.name = "note"}, [OP_ASK] = {.name = "ask"}};
const troupe_behavior roamer_behavior = {TROUPE_BEHAVIOR_HEAD,
                                         .name = "roamer",
                                         .version = "1.0.0",
                                         .summary = "does anything",
                                         .types = types,
                                         .types_count = 2,
                                         .state_bytes = sizeof(struct state),
                                         .init = init,
                                         .receive = receive,
                                         .down = down,
                                         .fini = fini};
