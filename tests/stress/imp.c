/* SPDX-License-Identifier: Apache-2.0
 *
 * Imps: actors whose every function does any of the things that a context allows, to others and to themselves, also in
 * init, down, child and stop. See stress_everything.c.
 *
 * Thread: the turn at hand. */
#include "imp.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <troupe/system.h>

#define ACTORS_MAX 100
#define TAGS 6u

struct imp_world imp_world;

const char *const imp_groups[IMP_GROUPS] = {"a", "b", "c", "d"};

static const char *const types_sent[] = {"cast", "call", "odd", "tick"};

/* Most results are an error now and then: that is the point. */
static void may_fail(int rc) { (void)rc; }

troupe_ref imp_at(uint64_t random)
{
    uint64_t value = atomic_load(&imp_world.board[random % IMP_BOARD]);

    return (troupe_ref){troupe_system_home(imp_world.system), (uint32_t)(value >> 32), (uint32_t)value};
}

struct state {
    uint64_t timer, monitor, follow, watch;
    troupe_handle handle;
    bool began;
};

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)(troupe_random(ctx) % n); }

static troupe_ref anybody(troupe_ctx *ctx) { return imp_at(troupe_random(ctx)); }

static const char *any_group(troupe_ctx *ctx) { return imp_groups[below(ctx, IMP_GROUPS)]; }

static troupe_body any_body(troupe_ctx *ctx)
{
    static const char large[1000];

    return below(ctx, 8) ? troupe_body_json("1", 1) : troupe_body_bytes(large, sizeof large, "x/y");
}

static int act(troupe_ctx *ctx, struct state *state, const troupe_msg *msg);

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)reply;
    return below(ctx, 3) ? 0 : act(ctx, state, NULL);
}

static int on_all(troupe_ctx *ctx, void *state, uint64_t tag, const troupe_group_counts *counts)
{
    (void)tag;
    (void)counts;
    return below(ctx, 3) ? 0 : act(ctx, state, NULL);
}

static int start_now(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)state;
    (void)reply;
    may_fail(troupe_started(ctx, below(ctx, 6) ? 0 : TROUPE_E_INVALID));
    return 0;
}

static void send(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    const char *type = types_sent[below(ctx, 4)];
    troupe_group_counts counts;

    (void)state;
    (void)msg;
    switch (below(ctx, 7)) {
    case 0:
        may_fail(troupe_call(ctx, anybody(ctx), type, any_body(ctx), 1 + below(ctx, 20), on_reply, 7));
        break;
    case 1:
        may_fail(troupe_call_wait(ctx, anybody(ctx), type, any_body(ctx), 1 + below(ctx, 5), on_reply, 7));
        break;
    case 2:
        may_fail(troupe_probe(ctx, anybody(ctx), 1 + below(ctx, 10), on_reply, 1));
        break;
    case 3:
        may_fail(troupe_group_cast(ctx, NULL, any_group(ctx), "cast", any_body(ctx), &counts));
        break;
    case 4:
        may_fail(troupe_group_call(ctx, NULL, any_group(ctx), "call", any_body(ctx), 1 + below(ctx, 10), on_reply,
                                   on_all, 3));
        break;
    default:
        may_fail(troupe_cast(ctx, anybody(ctx), type, any_body(ctx)));
    }
}

static void answer(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    switch (below(ctx, 6)) {
    case 0:
        may_fail(troupe_postpone(ctx));
        break;
    case 1:
        troupe_unpostpone(ctx);
        break;
    case 2:
        may_fail(troupe_reply_to(ctx, state->handle, any_body(ctx)));
        break;
    case 3:
        may_fail(troupe_reply_error(ctx, TROUPE_E_LIMIT, "no"));
        break;
    case 4:
        may_fail(msg && msg->kind == TROUPE_MSG_CALL ? troupe_reply_keep(ctx, &state->handle) : 0);
        break;
    default:
        may_fail(troupe_reply(ctx, any_body(ctx)));
    }
}

static void spawn(troupe_ctx *ctx)
{
    troupe_ref ref;

    if (atomic_load(&imp_world.alive) > ACTORS_MAX)
        return;
    troupe_spawn_opts opts = {.behavior = below(ctx, 8) ? "imp" : "slow",
                              .restart = (enum troupe_restart)below(ctx, 3),
                              .child_tag = below(ctx, TAGS),
                              .shutdown_timeout_ms = below(ctx, 3) ? 0 : 1 + below(ctx, 10),
                              .start_timeout_ms = below(ctx, 4) ? 0 : 1 + below(ctx, 20),
                              .backoff_min_ms = below(ctx, 3),
                              .backoff_max_ms = 5,
                              .link = below(ctx, 8) == 0,
                              .start_once = below(ctx, 4) == 0,
                              .mailbox_messages_max = below(ctx, 3) ? 0 : 4 + below(ctx, 30),
                              .mailbox_policy = (enum troupe_mailbox_policy)below(ctx, 3)};
    opts.significant = opts.restart != TROUPE_PERMANENT && below(ctx, 4) == 0;
    may_fail(troupe_spawn(ctx, &opts, &ref));
}

static void supervise(troupe_ctx *ctx)
{
    const troupe_supervision how = {.strategy = (enum troupe_strategy)below(ctx, 3),
                                    .auto_shutdown = (enum troupe_auto_shutdown)below(ctx, 3),
                                    .restarts = 3 + below(ctx, 20),
                                    .period_ms = 1 + below(ctx, 100),
                                    .children_max = below(ctx, 3) ? 0 : 10,
                                    .keep_ended = below(ctx, 2) == 0};

    may_fail(troupe_supervise(ctx, &how));
}

static bool count_child(void *user, const troupe_child *child)
{
    (void)child;
    ++*(uint32_t *)user;
    return true;
}

static void rear(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    troupe_children counts;
    uint32_t seen = 0;
    troupe_ref ref;

    (void)state;
    (void)msg;
    switch (below(ctx, 9)) {
    case 0:
        supervise(ctx);
        break;
    case 1:
        may_fail(troupe_child_terminate(ctx, below(ctx, TAGS)));
        break;
    case 2:
        may_fail(troupe_child_restart(ctx, below(ctx, TAGS), &ref));
        break;
    case 3:
        may_fail(troupe_child_delete(ctx, below(ctx, TAGS)));
        break;
    case 4:
        troupe_children_each(ctx, count_child, &seen);
        troupe_children_counts(ctx, &counts);
        if (seen != counts.specs)
            abort(); /* the lists and their counts differ */
        break;
    default:
        spawn(ctx);
    }
}

static void listen(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    troupe_filter filter = {.count = 1, .types = {troupe_view_of("n*")}};
    char name[] = {'n', (char)('a' + below(ctx, 16)), '\0'};

    (void)msg;
    switch (below(ctx, 9)) {
    case 0:
        may_fail(troupe_group_join(ctx, NULL, any_group(ctx)));
        break;
    case 1:
        may_fail(troupe_group_leave(ctx, NULL, any_group(ctx)));
        break;
    case 2:
        may_fail(troupe_group_add(ctx, NULL, any_group(ctx), anybody(ctx)));
        break;
    case 3:
        may_fail(troupe_group_watch(ctx, NULL, below(ctx, 3) ? any_group(ctx) : NULL, &state->watch));
        break;
    case 4:
        may_fail(troupe_group_unwatch(ctx, state->watch));
        break;
    case 5:
        may_fail(troupe_publish(ctx, below(ctx, 2) ? "news" : "weather", any_body(ctx)));
        break;
    case 6:
        may_fail(troupe_follow(ctx, anybody(ctx), below(ctx, 2) ? &filter : NULL, (enum troupe_from)below(ctx, 3),
                               (troupe_event_id){0, 0}, &state->follow));
        break;
    case 7:
        may_fail(troupe_unfollow(ctx, state->follow));
        break;
    default:
        may_fail(troupe_name_register(ctx, troupe_view_of(name)));
    }
}

static void wait(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    troupe_timer timers[4];

    (void)msg;
    switch (below(ctx, 7)) {
    case 0:
        may_fail(troupe_timer_every(ctx, 1 + below(ctx, 10), (enum troupe_every)below(ctx, 2), "tick", any_body(ctx),
                                    &state->timer));
        break;
    case 1:
        may_fail(troupe_timer_cancel(ctx, state->timer));
        break;
    case 2:
        may_fail(troupe_exit_after(ctx, anybody(ctx), below(ctx, 50), "the time is up", &state->timer));
        break;
    case 3:
        may_fail(below(ctx, 4) ? 0 : troupe_kill_after(ctx, anybody(ctx), below(ctx, 50), &state->timer));
        break;
    case 4:
        may_fail(troupe_pause(ctx, below(ctx, 4), on_reply, 0));
        break;
    case 5:
        (void)troupe_timer_list(ctx, timers, 4);
        break;
    default:
        may_fail(troupe_timer_after(ctx, below(ctx, 10), "tick", any_body(ctx), &state->timer));
    }
}

static void bond(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    (void)msg;
    switch (below(ctx, 6)) {
    case 0:
        may_fail(troupe_demonitor(ctx, state->monitor));
        break;
    case 1:
        may_fail(troupe_link(ctx, anybody(ctx)));
        break;
    case 2:
        may_fail(troupe_unlink(ctx, anybody(ctx)));
        break;
    case 3:
        may_fail(below(ctx, 6) ? 0 : troupe_stop(ctx, anybody(ctx), (enum troupe_stop_mode)below(ctx, 3), "so it is"));
        break;
    case 4:
        may_fail(below(ctx, 10) ? 0 : troupe_stop(ctx, troupe_self(ctx), TROUPE_KILL, "and the turn goes on"));
        break;
    default:
        may_fail(troupe_monitor(ctx, anybody(ctx), &state->monitor));
    }
}

static int act(troupe_ctx *ctx, struct state *state, const troupe_msg *msg)
{
    static void (*const acts[])(troupe_ctx *ctx, struct state *state, const troupe_msg *msg) = {
        send, send, answer, rear, rear, listen, listen, wait, bond};

    for (uint32_t left = 2 + below(ctx, 4); left > 0; left--)
        acts[below(ctx, sizeof acts / sizeof acts[0])](ctx, state, msg);
    if (below(ctx, 60) == 0)
        troupe_stop_self(ctx, "enough");
    return below(ctx, 60) ? 0 : troupe_fail(ctx, TROUPE_E_INTERNAL, "it had to be");
}

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;
    troupe_ref self = troupe_self(ctx);

    (void)args;
    state->began = true;
    atomic_fetch_add(&imp_world.alive, 1);
    atomic_store(&imp_world.board[below(ctx, IMP_BOARD)], (uint64_t)self.slot << 32 | self.generation);
    if (below(ctx, 2))
        supervise(ctx);
    int rc = act(ctx, state, NULL);
    uint32_t dice = below(ctx, 12);
    if (rc != 0 || dice > 2)
        return rc;
    if (dice == 0)
        return TROUPE_E_INVALID;
    if (dice == 1)
        may_fail(troupe_call(ctx, anybody(ctx), "call", troupe_body_none(), 5, start_now, 0));
    else
        may_fail(troupe_group_call(ctx, NULL, any_group(ctx), "call", troupe_body_none(), 5, start_now, NULL, 0));
    return TROUPE_STARTING;
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    if (msg->kind == TROUPE_MSG_CALL && below(ctx, 2))
        may_fail(troupe_reply(ctx, any_body(ctx)));
    return below(ctx, 2) ? 0 : act(ctx, state, msg);
}

static int down(troupe_ctx *ctx, void *state, const troupe_down *event)
{
    (void)event;
    return below(ctx, 3) ? 0 : act(ctx, state, NULL);
}

static int child(troupe_ctx *ctx, void *state, const troupe_child_event *event)
{
    (void)event;
    return below(ctx, 3) ? 0 : act(ctx, state, NULL);
}

static void stop(troupe_ctx *ctx, void *state, const troupe_exit *exit)
{
    (void)exit;
    may_fail(act(ctx, state, NULL));
}

static void fini(void *memory)
{
    const struct state *state = memory;

    atomic_fetch_sub(&imp_world.alive, state->began);
}

static int view(troupe_ctx *ctx, const void *state)
{
    (void)state;
    return troupe_reply(ctx, troupe_body_json("{}", 2));
}

static const troupe_type types[] = {
    {.name = "cast", .flags = TROUPE_TYPE_CAST, .summary = "do something"},
    {.name = "call", .summary = "do something, and answer perhaps"},
    {.name = "tick", .flags = TROUPE_TYPE_CAST, .summary = "do something"},
};

#define IMP(word, bits)                                                                                                \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "does anything", .types = types,            \
                              .types_count = 3, .state_bytes = sizeof(struct state), .flags = bits, .init = init,      \
                              .receive = receive, .down = down, .child = child, .stop = stop, .fini = fini,            \
                              .view = view                                                                             \
    }

const troupe_behavior imp_behavior = IMP("imp", TROUPE_BEHAVIOR_WRITABLE);
const troupe_behavior imp_slow_behavior = IMP("slow", TROUPE_BEHAVIOR_BLOCKING | TROUPE_BEHAVIOR_TRAP_EXIT);
