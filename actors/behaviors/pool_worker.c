/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers of a pool: children that the pool itself starts again, each in its place.
 *
 *   a worker ended      started again at once; if it ends again before it has done a job, after a backoff that doubles
 *                       from 100 ms to 10 s. The jobs that wait for it wait on (key, sticky), or go to others
 *   it cannot start     during the start of the pool: the pool's start fails with the worker's words. Later: tried
 *                       again, and the 5th time in a row the pool fails, for its own supervisor to see
 *   resize, larger      new places at the end; those on their way out are kept
 *   resize, smaller     the last places go. What waits for them alone is routed anew; what they have they finish, then
 *                       they are stopped
 *
 * Free workers are in a list, the last used first: it is the one whose memory is warm, and the others stay idle long
 * enough to be given up. */
#include "pool_inside.h"

/* ---- the list of free ones ---- */

void pool_worker_take_from_free(troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];

    if (!worker->is_free)
        return;
    worker->is_free = false;
    if (worker->free_prev != POOL_NONE)
        pool->workers[worker->free_prev].free_next = worker->free_next;
    else
        pool->free_first = worker->free_next;
    if (worker->free_next != POOL_NONE)
        pool->workers[worker->free_next].free_prev = worker->free_prev;
}

static void put_into_free(troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];

    if (worker->is_free)
        return;
    worker->is_free = true;
    worker->free_prev = POOL_NONE;
    worker->free_next = pool->free_first;
    if (pool->free_first != POOL_NONE)
        pool->workers[pool->free_first].free_prev = index;
    pool->free_first = index;
}

/* ---- states ---- */

static void set_state(troupe_pool *pool, uint32_t index, enum pool_worker_state state)
{
    struct pool_worker *worker = &pool->workers[index];
    bool was_ready = worker->state == WORKER_READY && index < pool->stats.size;

    worker->state = (uint8_t)state;
    if (state != WORKER_READY)
        pool_worker_take_from_free(pool, index);
    pool->stats.ready += (uint32_t)(state == WORKER_READY && index < pool->stats.size) - (uint32_t)was_ready;
}

void pool_worker_is_lost(troupe_pool *pool, uint32_t index)
{
    if (pool->workers[index].state == WORKER_READY)
        set_state(pool, index, WORKER_LOST);
}

static void wait_for_start(troupe_ctx *ctx, troupe_pool *pool, uint32_t index, uint64_t delay_ms)
{
    set_state(pool, index, WORKER_WAITING);
    pool->workers[index].due_ms = troupe_now_ms(ctx) + delay_ms;
    pool_tick_by(ctx, pool, pool->workers[index].due_ms);
}

int pool_worker_start(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    const struct pool_config *config = &pool->config;
    const char *args = config->worker + config->worker_args_at;
    struct pool_worker *worker = &pool->workers[index];
    troupe_spawn_opts opts = {.behavior = config->worker,
                              .args = troupe_body_json(args, config->worker_args_len),
                              .start_timeout_ms = config->start_timeout_ms,
                              .shutdown_timeout_ms = config->shutdown_timeout_ms,
                              .child_tag = (uint64_t)index + 1};
    int rc = troupe_spawn(ctx, &opts, &worker->ref);

    if (rc != 0)
        return rc;
    worker->incarnation++;
    worker->in_flight = 0;
    worker->probes_missed = 0;
    worker->is_probed = false;
    set_state(pool, index, WORKER_STARTING);
    return 0;
}

/* The same; what cannot be started now is tried again later. Returns what receive returns. */
static int start_or_wait(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    int rc = pool_worker_start(ctx, pool, index);

    if (rc == TROUPE_E_UNKNOWN_BEHAVIOR || rc == TROUPE_E_INVALID)
        return troupe_fail(ctx, rc, "the worker's behavior is not there any more");
    if (rc != 0)
        wait_for_start(ctx, pool, index, POOL_BACKOFF_MIN_MS);
    return 0;
}

/* A place on its way out has nothing left to do. */
static void let_go(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    if (troupe_stop(ctx, pool->workers[index].ref, TROUPE_STOP, "the pool was made smaller") == TROUPE_E_NO_MEMORY)
        pool_tick_by(ctx, pool, troupe_now_ms(ctx) + POOL_BACKOFF_MIN_MS); /* it is READY still: tried again */
    else
        set_state(pool, index, WORKER_STOPPING);
}

void pool_worker_feed(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    const struct pool_worker *worker = &pool->workers[index];
    uint32_t job = 0;

    while (pool_worker_has_room(pool, worker) &&
           (job = pool_queue_take(pool, index, troupe_now_ms(ctx))) != POOL_NONE)
        pool_job_begin(ctx, pool, job, index, NULL);
    if (worker->state == WORKER_READY && index >= pool->stats.size && worker->in_flight == 0)
        let_go(ctx, pool, index);
    else if (pool_worker_has_room(pool, worker) && index < pool->stats.size)
        put_into_free(pool, index);
    else
        pool_worker_take_from_free(pool, index);
}

void pool_worker_feed_free(troupe_ctx *ctx, troupe_pool *pool)
{
    while (pool->central.count != 0 && pool->free_first != POOL_NONE)
        pool_worker_feed(ctx, pool, pool->free_first);
}

/* ---- resize ---- */

static int reserve(troupe_pool *pool, uint32_t places)
{
    if (places > pool->workers_capacity) {
        struct pool_worker *workers = troupe_realloc(pool->workers, places * sizeof *workers);

        if (workers == NULL)
            return TROUPE_E_NO_MEMORY;
        pool->workers = workers;
        pool->workers_capacity = places;
    }
    for (; pool->places < places; pool->places++) {
        pool->workers[pool->places] = (struct pool_worker){.state = WORKER_EMPTY, .running = POOL_NONE};
        pool_queue_init(&pool->workers[pool->places].queue);
    }
    return 0;
}

static int grow(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];

    if (worker->state == WORKER_EMPTY)
        return pool->is_starting ? pool_worker_start(ctx, pool, index) : start_or_wait(ctx, pool, index);
    if (worker->state == WORKER_READY) { /* it was on its way out */
        pool->stats.ready++;
        pool_worker_feed(ctx, pool, index);
    }
    return 0; /* STOPPING, LOST: started again when the end is reported */
}

static void shrink(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];

    pool_worker_take_from_free(pool, index);
    if (worker->state == WORKER_READY)
        pool->stats.ready--;
    pool_queue_hand_on(pool, index);
    if (worker->state == WORKER_WAITING)
        worker->state = WORKER_EMPTY;
    else if (worker->state == WORKER_READY && worker->in_flight == 0)
        let_go(ctx, pool, index);
}

int pool_worker_resize(troupe_ctx *ctx, troupe_pool *pool, uint32_t size)
{
    uint32_t before = pool->stats.size;
    int rc = reserve(pool, size);

    if (rc != 0)
        return rc;
    pool->stats.size = size; /* first: what is routed anew goes to those that stay */
    for (uint32_t i = before; rc == 0 && i < size; i++)
        rc = grow(ctx, pool, i);
    for (uint32_t i = before; i > size; i--)
        shrink(ctx, pool, i - 1);
    if (size < before)
        for (uint32_t i = 0; i < size; i++)
            if (pool->workers[i].queue.count != 0)
                pool_worker_feed(ctx, pool, i);
    pool_worker_feed_free(ctx, pool);
    return rc;
}

/* ---- events ---- */

static int on_started(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    set_state(pool, index, WORKER_READY);
    pool_worker_feed(ctx, pool, index);
    if (pool->is_starting && ++pool->started == pool->stats.size) {
        pool->is_starting = false;
        return troupe_started(ctx, 0);
    }
    return 0;
}

static int fail_start(troupe_ctx *ctx, const troupe_exit *exit)
{
    struct support_words words = {0};

    support_say(&words, troupe_view_of("a worker did not start: "));
    support_say(&words, exit->detail.len ? exit->detail : troupe_view_of(troupe_exit_word(exit->cause)));
    return troupe_fail(ctx, exit->error ? exit->error : TROUPE_E_START_FAILED, words.text);
}

static uint64_t backoff_ms(troupe_ctx *ctx, uint32_t failures)
{
    uint64_t delay_ms = POOL_BACKOFF_MIN_MS;

    if (failures <= 1)
        return 0;
    for (uint32_t i = 2; i < failures && delay_ms < POOL_BACKOFF_MAX_MS; i++)
        delay_ms *= 2;
    delay_ms = delay_ms < POOL_BACKOFF_MAX_MS ? delay_ms : POOL_BACKOFF_MAX_MS;
    return delay_ms / 2 + troupe_random(ctx) % (delay_ms / 2 + 1);
}

static int on_ended(troupe_ctx *ctx, troupe_pool *pool, uint32_t index, const troupe_exit *exit)
{
    struct pool_worker *worker = &pool->workers[index];
    bool has_failed = troupe_exit_is_abnormal(exit->cause);

    if (pool->is_starting) {
        int error = fail_start(ctx, exit);
        return troupe_started(ctx, error);
    }
    worker->in_flight = 0; /* its calls are answered by the runtime, in their order */
    worker->incarnation++;
    set_state(pool, index, WORKER_EMPTY);
    pool->stats.crashes += has_failed;
    if (index >= pool->stats.size)
        return 0;
    worker->restarts++;
    worker->failures++; /* a job done sets it back */
    worker->starts_failed = (uint8_t)(exit->cause == TROUPE_EXIT_NOT_STARTED ? worker->starts_failed + 1 : 0);
    if (worker->starts_failed == POOL_STARTS_FAILED_MAX)
        return fail_start(ctx, exit);
    uint64_t delay_ms = backoff_ms(ctx, worker->failures);
    if (delay_ms == 0)
        return start_or_wait(ctx, pool, index);
    wait_for_start(ctx, pool, index, delay_ms);
    if (pool->config.routing == ROUTE_ROUND_ROBIN && pool->stats.ready != 0) { /* no key holds them here */
        pool_queue_hand_on(pool, index);
        for (uint32_t i = 0; i < pool->stats.size; i++)
            if (pool->workers[i].queue.count != 0)
                pool_worker_feed(ctx, pool, i);
    }
    return 0;
}

int pool_worker_on_event(troupe_ctx *ctx, troupe_pool *pool, const troupe_child_event *event)
{
    uint32_t index = (uint32_t)(event->child - 1);

    if (event->child == 0 || event->child > pool->places ||
        !troupe_ref_equal(pool->workers[index].ref, event->ref))
        return 0; /* a child that an author's behavior started for itself */
    if (event->what == TROUPE_CHILD_STARTED)
        return on_started(ctx, pool, index);
    if (event->what == TROUPE_CHILD_ENDED)
        return on_ended(ctx, pool, index, &event->exit);
    return 0;
}
