/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker of the simulated pools: "job", and "stuck", which runs on blocking workers; when the driver leaves those
 * alone for a while, it gives no sign of life. */
#include "pools.h"

#include <stdio.h>
#include <string.h>

#define HELD_MAX 8u

struct state {
    uint32_t pool;
    uint32_t index; /* in sim_pools.workers */
    struct {
        uint32_t job;
        troupe_handle handle;
    } held[HELD_MAX];
};

static uint32_t below(troupe_ctx *ctx, uint32_t n) { return (uint32_t)((troupe_random(ctx) >> 32) % n); }

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;
    uint32_t pool = (uint32_t)pool_figure((troupe_view){args->body, args->body_len}, "pool");

    if (args->body_len == 0 || pool >= sim_pools.count || sim_pools.workers_count == POOL_WORKERS_MAX) {
        sim_fail("a worker of a pool got wrong args");
        return TROUPE_E_INTERNAL;
    }
    state->pool = pool;
    state->index = sim_pools.workers_count++;
    sim_pools.workers[state->index] = (struct sim_pool_worker){.ref = troupe_self(ctx), .pool = pool};
    sim_event("pool worker", pool, state->index, 0);
    if (!sim_pools.pools[pool].calm && below(ctx, 30) == 0)
        return troupe_fail(ctx, TROUPE_E_APP, "job: init failed");
    return 0;
}

static troupe_body reply_of(uint32_t job)
{
    static char text[32];

    return troupe_body_json(text, (size_t)snprintf(text, sizeof text, "{\"job\":%u}", job));
}

static void answer_held(troupe_ctx *ctx, struct state *state, uint32_t at)
{
    uint32_t job = state->held[at].job;

    sim_pools.jobs[job].replied = true; /* before: the caller may hear of it in this very call */
    if (troupe_reply_to(ctx, state->held[at].handle, reply_of(job)) != TROUPE_E_STATE)
        sim_pools.pools[state->pool].replied++; /* without memory an error is the answer */
    state->held[at].job = 0;
}

static int on_timer(troupe_ctx *ctx, struct state *state)
{
    for (uint32_t i = 0; i < HELD_MAX; i++)
        if (state->held[i].job != 0) {
            answer_held(ctx, state, i);
            return 0;
        }
    return 0;
}

/* Answer later, or never. */
static bool hold(troupe_ctx *ctx, struct state *state, uint32_t job, bool for_ever)
{
    uint64_t timer;
    uint32_t at = 0;

    while (at < HELD_MAX && state->held[at].job != 0)
        at++;
    if (at == HELD_MAX || troupe_reply_keep(ctx, &state->held[at].handle) != 0)
        return false;
    state->held[at].job = job;
    if (!for_ever && troupe_timer_after(ctx, 1 + below(ctx, 80), "later", troupe_body_none(), &timer) != 0)
        answer_held(ctx, state, at);
    return true;
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct state *state = memory;
    struct sim_pool *pool = &sim_pools.pools[state->pool];
    uint32_t job = (uint32_t)pool_figure((troupe_view){msg->body, msg->body_len}, "job");

    if (msg->kind == TROUPE_MSG_TIMER)
        return on_timer(ctx, state);
    if (job == 0 || job >= sim_pools.jobs_count || msg->kind != TROUPE_MSG_CALL) {
        sim_fail("a worker of a pool got what is no job");
        return 0;
    }
    sim_event("job begins", job, state->index, sim_pools.jobs[job].key * 10 + sim_pools.jobs[job].priority);
    if (!pool_rule_begins(state->pool, job))
        return 0;
    switch (below(ctx, pool->calm ? 12 : 18)) {
    case 12:
        return troupe_fail(ctx, TROUPE_E_APP, "job: failed");
    case 13:
        troupe_stop_self(ctx, "job: enough");
        pool->replied++; /* a cast is done by its return, and so below */
        return 0;
    case 14:
        pool->replied += !hold(ctx, state, job, true);
        return 0;
    case 15:
        pool->replied++;
        return 0;
    case 0:
    case 1:
    case 2:
    case 3:
        if (hold(ctx, state, job, false))
            return 0;
        break;
    case 4:
        sim_pools.jobs[job].refused = true;
        pool->refused++;
        return troupe_reply_app_error(ctx, "job", 409, "job: no");
    default:
        break;
    }
    sim_pools.jobs[job].replied = true;
    pool->replied++;
    (void)!troupe_reply(ctx, reply_of(job));
    return 0;
}

static void fini(void *memory)
{
    struct state *state = memory;

    sim_pools.workers[state->index].ended = true;
}

static const troupe_type types[] = {
    {.name = "work"},
    {.name = "note", .flags = TROUPE_TYPE_CAST},
    {.name = "later", .flags = TROUPE_TYPE_CAST},
};

#define WORKER(word, bits)                                                                                             \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "a job", .types = types,                    \
                              .types_count = sizeof types / sizeof types[0], .state_bytes = sizeof(struct state),      \
                              .flags = bits, .init = init, .receive = receive, .fini = fini                            \
    }

const troupe_behavior sim_pool_worker = WORKER("job", 0);
const troupe_behavior sim_pool_worker_blocking = WORKER("stuck", TROUPE_BEHAVIOR_BLOCKING);
