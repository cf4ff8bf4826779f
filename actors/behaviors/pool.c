/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: passes jobs to workers, with routing, priorities, a bounded queue, rate limit, retries, dead man's switch and
 * a capacity rule (after Ractor's factory). docs/pools.md describes args and types.
 *
 * A message whose type does not begin with "pool." is a job. It is refused (draining, no key, rate, full), or accepted;
 * what was accepted is answered once, whatever becomes of worker, queue or pool (pool_job.c). The pool's mailbox is
 * bounded like any actor's, so that the bound of the queue is one.
 *
 * What a job costs: a keep and a call, O(1) list work, and O(log n) for a key. Its body is looked into only when there
 * is a key or a priority, and is copied into the call's message only. */
#include <troupe/behaviors.h>

#include "pool_inside.h"

#define CONTROL_PREFIX "pool."
#define CONTROL_PREFIX_LEN (sizeof CONTROL_PREFIX - 1)

/* ---- life ---- */

static int fail_start(troupe_ctx *ctx, const troupe_pool *pool, int error)
{
    struct support_words words = {0};

    if (error != TROUPE_E_UNKNOWN_BEHAVIOR)
        return troupe_fail(ctx, error, "the workers could not be started");
    support_say(&words, troupe_view_of("worker: there is no such behavior: "));
    support_say(&words, troupe_view_of(pool->config.worker));
    return troupe_fail(ctx, error, words.text);
}

static int set_up(troupe_ctx *ctx, void *state, const troupe_msg *args, const troupe_pool_hooks *hooks)
{
    troupe_pool *pool = pool_of(state);
    bool has_route = hooks != NULL && hooks->route != NULL;
    int rc = pool_args_read(ctx, &pool->config, args, has_route);

    if (rc != 0)
        return rc;
    pool->hooks = hooks;
    pool->jobs_free = pool->free_first = POOL_NONE;
    pool->tick_at_ms = pool->dead_man_at_ms = pool->capacity_at_ms = POOL_NEVER_MS;
    pool->seed = troupe_random(ctx);
    pool_queue_init(&pool->central);
    for (int i = 0; i < TROUPE_POOL_PRIORITIES; i++)
        pool->all[i] = (struct pool_list){POOL_NONE, POOL_NONE};
    if (pool->config.routing == ROUTE_STICKY && pool_sticky_reserve(pool, 1) != 0)
        return TROUPE_E_NO_MEMORY;
    if (pool->config.capacity_max != 0) {
        pool->idle_since_ms = troupe_now_ms(ctx);
        pool->capacity_at_ms = pool->idle_since_ms + pool->config.capacity_interval_ms;
        pool_tick_by(ctx, pool, pool->capacity_at_ms);
    }
    pool->is_starting = true;
    rc = pool_worker_resize(ctx, pool, pool->config.size);
    if (rc != 0)
        return fail_start(ctx, pool, rc);
    return TROUPE_STARTING;
}

int troupe_pool_init(troupe_ctx *ctx, void *state, const troupe_msg *args, const troupe_pool_hooks *hooks)
{
    troupe_pool *pool = troupe_alloc(sizeof *pool);

    if (pool == NULL)
        return TROUPE_E_NO_MEMORY;
    memset(pool, 0, sizeof *pool);
    *(troupe_pool **)state = pool;
    if (hooks != NULL && hooks->size < sizeof *hooks)
        return troupe_fail(ctx, TROUPE_E_INVALID, "the hooks' size is wrong");
    return set_up(ctx, state, args, hooks);
}

int troupe_pool_child(troupe_ctx *ctx, void *state, const troupe_child_event *event)
{
    troupe_pool *pool = pool_of(state);

    if (pool->tick_failed)
        pool_tick_by(ctx, pool, pool->tick_at_ms);
    return pool_worker_on_event(ctx, pool, event);
}

void troupe_pool_stop(troupe_ctx *ctx, void *state, const troupe_exit *exit)
{
    const troupe_pool *pool = pool_of(state);

    (void)exit;
    if (pool != NULL && pool->stats.waiting + pool->stats.in_flight != 0) /* callers are answered, casts are not */
        troupe_log(ctx, TROUPE_LOG_INFO, "a pool ends with jobs that are not done");
}

void troupe_pool_fini(void *state)
{
    troupe_pool *pool = pool_of(state);

    if (pool == NULL)
        return;
    for (uint32_t i = 0; i < pool->jobs_used; i++)
        troupe_free(pool->jobs[i].copy);
    troupe_free(pool->jobs);
    troupe_free(pool->workers);
    troupe_free(pool->sticky);
    troupe_free(pool->config.worker);
    troupe_free(pool);
}

const troupe_pool_stats *troupe_pool_stats_of(const troupe_pool *pool) { return &pool->stats; }

int troupe_pool_resize(troupe_ctx *ctx, troupe_pool *pool, uint32_t size)
{
    if (size == 0 || size > TROUPE_POOL_SIZE_MAX || size * pool->config.concurrency > TROUPE_POOL_IN_FLIGHT_MAX)
        return TROUPE_E_INVALID;
    return pool_worker_resize(ctx, pool, size);
}

/* ---- jobs ---- */

static int refuse(troupe_ctx *ctx, const troupe_msg *msg, uint64_t *counter, int error, const char *words)
{
    ++*counter;
    return support_refuse(ctx, msg, error, words);
}

/* The author's router: an index, POOL_NONE, or (negative) *ret_error. */
static int route_by_hook(troupe_ctx *ctx, void *state, troupe_pool *pool, const troupe_msg *msg, uint32_t *ret_worker)
{
    int at = pool->hooks->route(ctx, state, msg, &pool->stats);

    if (at < 0)
        return at;
    if (at != TROUPE_POOL_ANY_WORKER && (uint32_t)at >= pool->stats.size)
        return TROUPE_E_INVALID;
    *ret_worker = at == TROUPE_POOL_ANY_WORKER ? POOL_NONE : (uint32_t)at;
    return 0;
}

/* The worker that could begin the job now, or POOL_NONE. */
static uint32_t worker_with_room(const troupe_pool *pool, uint32_t routed)
{
    if (routed == POOL_NONE)
        return pool->central.count == 0 ? pool->free_first : POOL_NONE;
    return pool->workers[routed].queue.count == 0 && pool_worker_has_room(pool, &pool->workers[routed]) ? routed
                                                                                                          : POOL_NONE;
}

/* The queue is full: who goes? False: the new job. */
static bool make_room(troupe_ctx *ctx, troupe_pool *pool, uint8_t priority)
{
    pool_job_sweep(ctx, pool);
    if (pool->stats.waiting < pool->config.queue_max)
        return true;
    uint32_t victim = pool->config.queue_max ? pool_queue_victim(pool, priority) : POOL_NONE;
    if (victim == POOL_NONE)
        return false;
    pool_queue_remove(pool, victim);
    pool_job_fail(ctx, pool, victim, TROUPE_E_SHED, "the pool's queue is full, and others were to stay",
                  &pool->stats.shed);
    return true;
}

static int take_job(troupe_ctx *ctx, void *state, troupe_pool *pool, const troupe_msg *msg)
{
    struct support_words words;
    struct pool_wish wish;
    uint32_t routed = POOL_NONE, job = 0;
    int rc;

    if (pool->is_draining)
        return refuse(ctx, msg, &pool->stats.refused_draining, TROUPE_E_DRAINING, "the pool takes no more jobs");
    rc = pool_route_read(pool, msg, &wish, &words);
    if (rc != 0)
        return refuse(ctx, msg, &pool->stats.refused_invalid, rc, words.text);
    if (pool->config.routing == ROUTE_CUSTOM)
        rc = route_by_hook(ctx, state, pool, msg, &routed);
    if (rc != 0)
        return refuse(ctx, msg, &pool->stats.refused_invalid, rc, "the pool's router refused the job");
    if (!pool_rate_take(pool, troupe_now_ms(ctx)))
        return refuse(ctx, msg, &pool->stats.refused_rate, TROUPE_E_RATE, "more jobs than the pool's rate allows");
    if (pool->config.routing != ROUTE_CUSTOM)
        routed = pool_route_choose(pool, &wish);

    uint32_t worker = worker_with_room(pool, routed);
    if (worker == POOL_NONE && pool->stats.waiting >= pool->config.queue_max && !make_room(ctx, pool, wish.priority))
        return refuse(ctx, msg, &pool->stats.refused_full, TROUPE_E_SHED, "the pool's queue is full");
    rc = pool_job_new(ctx, pool, msg, &wish, routed, &job);
    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the pool holds as many jobs as it can");
    if (worker == POOL_NONE) {
        rc = pool_job_wait(ctx, pool, job, msg);
        return rc == TROUPE_E_NO_MEMORY ? 0 : rc;
    }
    pool_job_begin(ctx, pool, job, worker, msg);
    if (!pool_worker_has_room(pool, &pool->workers[worker]))
        pool_worker_take_from_free(pool, worker);
    pool_worker_feed_free(ctx, pool);
    return 0;
}

int troupe_pool_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    troupe_pool *pool = pool_of(state);

    if (pool->tick_failed)
        pool_tick_by(ctx, pool, pool->tick_at_ms);
    if (msg->kind == TROUPE_MSG_TIMER)
        return msg->tag == pool->tick ? pool_tick(ctx, state, pool) : 0;
    if (msg->kind != TROUPE_MSG_CALL && msg->kind != TROUPE_MSG_CAST)
        return 0;
    if (msg->type_len > CONTROL_PREFIX_LEN && memcmp(msg->type, CONTROL_PREFIX, CONTROL_PREFIX_LEN) == 0)
        return pool_control(ctx, pool, msg);
    return take_job(ctx, state, pool, msg);
}

/* ---- the standard behavior ---- */

struct plain {
    troupe_pool *pool;
};

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    return troupe_pool_init(ctx, state, args, NULL);
}

const troupe_behavior troupe_behavior_pool = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "pool",
    .version = "1.0.0",
    .summary = "Passes jobs to workers: routing, queue, priorities, rate, retries, resize",
    .types = troupe_pool_types,
    .types_count = TROUPE_POOL_TYPES,
    .state_bytes = sizeof(struct plain),
    .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .init = init,
    .receive = troupe_pool_receive,
    .child = troupe_pool_child,
    .stop = troupe_pool_stop,
    .fini = troupe_pool_fini,
    .view = troupe_pool_view,
    .args_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"worker\":{\"type\":\"object\",\"properties\":{\"behavior\":{\"type\":\"string\",\"minLength\":1,"
        "\"maxLength\":64},\"args\":true,\"start_timeout_ms\":{\"type\":\"integer\",\"minimum\":1},"
        "\"shutdown_timeout_ms\":{\"type\":\"integer\",\"minimum\":1}},\"required\":[\"behavior\"],"
        "\"additionalProperties\":false},"
        "\"size\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000},"
        "\"concurrency\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000},"
        "\"routing\":{\"enum\":[\"queue\",\"key\",\"sticky\",\"round_robin\",\"custom\"]},"
        "\"key\":{\"type\":\"string\",\"maxLength\":64},\"priority\":{\"type\":\"string\",\"maxLength\":64},"
        "\"aging_ms\":{\"type\":\"integer\",\"minimum\":0},"
        "\"queue_max\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":50000},"
        "\"shed\":{\"enum\":[\"refuse\",\"oldest\",\"newest\"]},"
        "\"rate\":{\"type\":\"object\",\"properties\":{\"per_second\":{\"type\":\"integer\",\"minimum\":1},"
        "\"burst\":{\"type\":\"integer\",\"minimum\":1}},\"required\":[\"per_second\"],\"additionalProperties\":false},"
        "\"job_timeout_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":600000},"
        "\"retries\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10},"
        "\"dead_man_ms\":{\"type\":\"integer\",\"minimum\":30,\"maximum\":600000},"
        "\"capacity\":{\"type\":\"object\",\"properties\":{\"min\":{\"type\":\"integer\",\"minimum\":1},"
        "\"max\":{\"type\":\"integer\",\"minimum\":1},\"interval_ms\":{\"type\":\"integer\",\"minimum\":10},"
        "\"idle_ms\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"max\"],\"additionalProperties\":false}},"
        "\"required\":[\"worker\"],\"additionalProperties\":false}",
};
