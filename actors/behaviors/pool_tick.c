/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pool does by time. There is one timer, for the earliest of four things; an idle pool without capacity rule has
 * none.
 *
 *   expiry      the oldest jobs of each priority whose job_timeout_ms is over are answered with timeout
 *   restarts    workers whose backoff is over
 *   dead man    a busy worker that gave no sign of life for a third of dead_man_ms is probed; one that leaves two
 *               probes in a row unanswered, of a third each, is killed. Only that counts: not how long a job takes, nor
 *               how much is queued; and after a standstill of the whole machine the second has a fresh deadline
 *   capacity    each interval: the author's rule, or as many workers as have jobs or would have, at once; fewer only
 *               when so many were not wanted for idle_ms. Jobs that were turned away count as wanted */
#include "pool_inside.h"

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void arm(troupe_ctx *ctx, troupe_pool *pool, uint64_t at_ms)
{
    pool->tick_failed = troupe_timer_at(ctx, at_ms, "pool.tick", troupe_body_none(), &pool->tick) != 0;
    if (pool->tick_failed)
        pool->tick = 0; /* without memory: the next message tries again */
    pool->tick_at_ms = at_ms;
}

void pool_tick_by(troupe_ctx *ctx, troupe_pool *pool, uint64_t at_ms)
{
    if (pool->tick != 0 && pool->tick_at_ms <= at_ms)
        return;
    if (pool->tick != 0 && troupe_timer_cancel(ctx, pool->tick) != 0)
        return; /* killed */
    arm(ctx, pool, pool->tick == 0 && pool->tick_failed ? earlier(at_ms, pool->tick_at_ms) : at_ms);
}

/* ---- expiry ---- */

static uint64_t expire(troupe_ctx *ctx, troupe_pool *pool, uint64_t now_ms)
{
    uint64_t due_ms = POOL_NEVER_MS;

    for (int i = 0; i < TROUPE_POOL_PRIORITIES; i++) {
        uint32_t at;

        while ((at = pool->all[i].head) != POOL_NONE) {
            uint64_t deadline_ms = pool_job_deadline_ms(pool, &pool->jobs[at]);

            if (deadline_ms > now_ms) {
                due_ms = earlier(due_ms, deadline_ms);
                break;
            }
            pool_queue_remove(pool, at);
            pool_job_fail(ctx, pool, at, TROUPE_E_TIMEOUT, "the job waited too long and was not begun",
                          &pool->stats.expired);
        }
    }
    return due_ms;
}

/* ---- restarts ---- */

static int restart_workers(troupe_ctx *ctx, troupe_pool *pool, uint64_t now_ms, uint64_t *ret_due_ms)
{
    *ret_due_ms = POOL_NEVER_MS;
    if (pool->stats.ready == pool->stats.size && pool->places == pool->stats.size)
        return 0;
    for (uint32_t i = 0; i < pool->places; i++) {
        struct pool_worker *worker = &pool->workers[i];

        if (worker->state == WORKER_READY && i >= pool->stats.size && worker->in_flight == 0)
            pool_worker_feed(ctx, pool, i); /* its stop was not sent for want of memory */
        if (worker->state != WORKER_WAITING)
            continue;
        if (worker->due_ms <= now_ms) {
            int rc = pool_worker_start(ctx, pool, i);

            if (rc == TROUPE_E_UNKNOWN_BEHAVIOR || rc == TROUPE_E_INVALID)
                return troupe_fail(ctx, rc, "the worker's behavior is not there any more");
            if (rc != 0)
                worker->due_ms = now_ms + POOL_BACKOFF_MIN_MS;
        }
        if (worker->state == WORKER_WAITING)
            *ret_due_ms = earlier(*ret_due_ms, worker->due_ms);
    }
    return 0;
}

/* ---- the dead man's switch ---- */

/* It is taken for stuck: kill it. Its end is reported when the turn that it is in returns. */
static void give_up(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];
    int rc = troupe_stop(ctx, worker->ref, TROUPE_KILL, "it did not answer the pool's probes");

    if (rc == TROUPE_E_NO_MEMORY)
        return; /* the next probe finds it again */
    pool->stats.killed++;
    pool_worker_is_lost(pool, index);
    for (uint32_t at = worker->running, next; at != POOL_NONE; at = next) {
        next = pool->jobs[at].next;
        if (pool->jobs[at].incarnation == worker->incarnation)
            pool_job_lost(ctx, pool, at, TROUPE_E_KILLED, "the worker gave no sign of life and was killed");
    }
}

static int on_probe(troupe_ctx *ctx, void *state, const troupe_msg *reply);

static void probe(troupe_ctx *ctx, troupe_pool *pool, uint32_t index)
{
    struct pool_worker *worker = &pool->workers[index];

    if (troupe_probe(ctx, worker->ref, pool->config.dead_man_ms / 3, on_probe,
                     (uint64_t)worker->incarnation << 32 | index) == 0)
        worker->is_probed = true; /* else: no memory, try again later; or its end is on its way */
}

static int on_probe(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    troupe_pool *pool = pool_of(state);
    uint32_t index = (uint32_t)reply->tag;
    struct pool_worker *worker = &pool->workers[index];

    if (worker->incarnation != (uint32_t)(reply->tag >> 32))
        return 0;
    worker->is_probed = false;
    if (reply->status == 0) {
        worker->alive_ms = troupe_now_ms(ctx);
        worker->probes_missed = 0;
    } else if (reply->status == TROUPE_E_TIMEOUT && worker->state == WORKER_READY && worker->in_flight != 0) {
        if (++worker->probes_missed >= 2)
            give_up(ctx, pool, index);
        else
            probe(ctx, pool, index);
    }
    return 0;
}

static void look_for_dead(troupe_ctx *ctx, troupe_pool *pool, uint64_t now_ms)
{
    uint32_t third_ms = pool->config.dead_man_ms / 3;

    if (pool->dead_man_at_ms > now_ms)
        return;
    for (uint32_t i = 0; i < pool->places; i++) {
        const struct pool_worker *worker = &pool->workers[i];

        if (worker->state == WORKER_READY && worker->in_flight != 0 && !worker->is_probed &&
            now_ms - worker->alive_ms >= third_ms)
            probe(ctx, pool, i);
    }
    pool->dead_man_at_ms = pool->stats.in_flight ? now_ms + third_ms : POOL_NEVER_MS; /* the next job begins it anew */
}

/* ---- capacity ---- */

static uint32_t wanted_by_rule(troupe_pool *pool, uint64_t now_ms)
{
    troupe_pool_stats *stats = &pool->stats;
    uint32_t concurrency = pool->config.concurrency;
    uint32_t wanted = (stats->in_flight_peak + stats->waiting + concurrency - 1) / concurrency;
    uint64_t turned_away = stats->refused_full + stats->shed - pool->turned_away;

    if (turned_away != 0) /* those would have work too; at most twice as many at a time */
        wanted = stats->size + (uint32_t)earlier(turned_away, stats->size);
    pool->turned_away += turned_away;
    if (wanted > pool->idle_peak)
        pool->idle_peak = wanted;
    if (wanted >= stats->size || now_ms - pool->idle_since_ms >= pool->config.capacity_idle_ms) {
        wanted = wanted >= stats->size ? wanted : pool->idle_peak;
        pool->idle_since_ms = now_ms;
        pool->idle_peak = 0;
        return wanted;
    }
    return stats->size;
}

static int look_at_capacity(troupe_ctx *ctx, void *state, troupe_pool *pool, uint64_t now_ms)
{
    const struct pool_config *config = &pool->config;
    uint32_t wanted;

    if (pool->capacity_at_ms > now_ms)
        return 0;
    pool->capacity_at_ms = now_ms + config->capacity_interval_ms;
    if (pool->hooks != NULL && pool->hooks->capacity != NULL)
        wanted = pool->hooks->capacity(ctx, state, &pool->stats);
    else
        wanted = wanted_by_rule(pool, now_ms);
    wanted = wanted < config->capacity_min ? config->capacity_min : wanted;
    wanted = wanted > config->capacity_max ? config->capacity_max : wanted;
    pool->stats.in_flight_peak = pool->stats.in_flight;
    if (wanted == pool->stats.size)
        return 0;
    int rc = pool_worker_resize(ctx, pool, wanted);
    return rc == TROUPE_E_NO_MEMORY ? 0 : rc; /* the next look tries again */
}

int pool_tick(troupe_ctx *ctx, void *state, troupe_pool *pool)
{
    uint64_t now_ms = troupe_now_ms(ctx), restart_ms, expiry_ms;

    pool->tick = 0;
    pool->tick_at_ms = POOL_NEVER_MS;
    expiry_ms = expire(ctx, pool, now_ms);
    int rc = restart_workers(ctx, pool, now_ms, &restart_ms);
    if (rc == 0)
        rc = look_at_capacity(ctx, state, pool, now_ms);
    if (rc != 0)
        return rc;
    look_for_dead(ctx, pool, now_ms);
    uint64_t due_ms = earlier(earlier(expiry_ms, restart_ms), earlier(pool->dead_man_at_ms, pool->capacity_at_ms));
    if (due_ms != POOL_NEVER_MS)
        pool_tick_by(ctx, pool, due_ms);
    return 0;
}
