/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs that wait. There is a queue of all workers, and one of each worker for the jobs that only it may have (routings
 * key, sticky, round_robin). A queue has a FIFO for each priority. Besides, all jobs of a priority are in one list by
 * arrival, wherever they wait: there the oldest to expire and the one to be shed are found. All steps are O(1) but for
 * the choice among five priorities.
 *
 * Aging: a job counts as one priority higher for each aging_ms that it has waited, so that lower ones are served late
 * and not never. With aging_ms 0 the order is strict, and a steady stream of urgent jobs starves the others.
 *
 * Shedding (queue_max jobs wait, one more comes): the least urgent go first. Of those, "oldest" drops the one that has
 * waited longest, "newest" the one that came last, which may be the new one itself; "refuse" always refuses the new
 * one. A job is never shed for a less urgent one. */
#include "pool_inside.h"

static const struct pool_list nothing = {POOL_NONE, POOL_NONE};

void pool_queue_init(struct pool_queue *queue)
{
    for (int i = 0; i < TROUPE_POOL_PRIORITIES; i++)
        queue->lists[i] = nothing;
    queue->count = 0;
}

static struct pool_queue *queue_of(troupe_pool *pool, const struct pool_job *job)
{
    return job->worker == POOL_NONE ? &pool->central : &pool->workers[job->worker].queue;
}

/* ---- the two lists of a job ---- */

static void link_in_queue(troupe_pool *pool, struct pool_list *list, uint32_t at, bool in_front)
{
    struct pool_job *jobs = pool->jobs;

    jobs[at].next = in_front ? list->head : POOL_NONE;
    jobs[at].prev = in_front ? POOL_NONE : list->tail;
    *(jobs[at].next == POOL_NONE ? &list->tail : &jobs[jobs[at].next].prev) = at;
    *(jobs[at].prev == POOL_NONE ? &list->head : &jobs[jobs[at].prev].next) = at;
}

static void unlink_from_queue(troupe_pool *pool, struct pool_list *list, uint32_t at)
{
    struct pool_job *jobs = pool->jobs;

    *(jobs[at].next == POOL_NONE ? &list->tail : &jobs[jobs[at].next].prev) = jobs[at].prev;
    *(jobs[at].prev == POOL_NONE ? &list->head : &jobs[jobs[at].prev].next) = jobs[at].next;
}

static void link_by_age(troupe_pool *pool, struct pool_list *list, uint32_t at, bool in_front)
{
    struct pool_job *jobs = pool->jobs;

    jobs[at].newer = in_front ? list->head : POOL_NONE;
    jobs[at].older = in_front ? POOL_NONE : list->tail;
    *(jobs[at].newer == POOL_NONE ? &list->tail : &jobs[jobs[at].newer].older) = at;
    *(jobs[at].older == POOL_NONE ? &list->head : &jobs[jobs[at].older].newer) = at;
}

static void unlink_by_age(troupe_pool *pool, struct pool_list *list, uint32_t at)
{
    struct pool_job *jobs = pool->jobs;

    *(jobs[at].newer == POOL_NONE ? &list->tail : &jobs[jobs[at].newer].older) = jobs[at].older;
    *(jobs[at].older == POOL_NONE ? &list->head : &jobs[jobs[at].older].newer) = jobs[at].newer;
}

/* ---- in and out ---- */

static void enter(troupe_pool *pool, uint32_t at, bool in_front)
{
    struct pool_job *job = &pool->jobs[at];
    struct pool_queue *queue = queue_of(pool, job);

    link_in_queue(pool, &queue->lists[job->priority], at, in_front);
    queue->count++;
    if (job->worker == POOL_NONE)
        pool_sticky_central(pool, job, 1);
    else
        pool_sticky_here(pool, job, job->worker, 1);
}

static void leave(troupe_pool *pool, uint32_t at)
{
    struct pool_job *job = &pool->jobs[at];
    struct pool_queue *queue = queue_of(pool, job);

    unlink_from_queue(pool, &queue->lists[job->priority], at);
    queue->count--;
    if (job->worker == POOL_NONE)
        pool_sticky_central(pool, job, -1);
    else
        pool_sticky_here(pool, job, job->worker, -1);
}

void pool_queue_push(troupe_pool *pool, uint32_t at, bool in_front)
{
    struct pool_job *job = &pool->jobs[at];

    job->state = JOB_WAITING;
    enter(pool, at, in_front);
    link_by_age(pool, &pool->all[job->priority], at, in_front);
    pool->stats.waiting++;
}

void pool_queue_remove(troupe_pool *pool, uint32_t at)
{
    leave(pool, at);
    unlink_by_age(pool, &pool->all[pool->jobs[at].priority], at);
    pool->stats.waiting--;
}

/* To another queue; its age stays. */
static void move(troupe_pool *pool, uint32_t at, uint32_t worker, bool in_front)
{
    leave(pool, at);
    pool->jobs[at].worker = worker;
    enter(pool, at, in_front);
}

/* ---- who is next ---- */

/* The priority that a job has come to by waiting; may fall below 0, where the longest wait wins. */
static int64_t urgency(const troupe_pool *pool, const struct pool_job *job, uint64_t now_ms)
{
    uint32_t aging_ms = pool->config.aging_ms;

    return aging_ms ? job->priority - (int64_t)((now_ms - job->accepted_ms) / aging_ms) : job->priority;
}

static uint32_t most_urgent(const troupe_pool *pool, const struct pool_queue *queue, uint64_t now_ms)
{
    uint32_t best = POOL_NONE;

    for (int i = 0; queue->count != 0 && i < TROUPE_POOL_PRIORITIES; i++) {
        uint32_t head = queue->lists[i].head;

        if (head != POOL_NONE &&
            (best == POOL_NONE || urgency(pool, &pool->jobs[head], now_ms) < urgency(pool, &pool->jobs[best], now_ms)))
            best = head;
    }
    return best;
}

/* Sticky: jobs at the head of the queue of all whose key some worker has by now go to that one's own queue, also to
 * that of the worker that asks: it may have older ones of the key there, behind others. What is behind them in the
 * queue of all came later, so each key stays in order. */
static void give_to_holders(troupe_pool *pool, uint64_t now_ms)
{
    uint32_t at, holder;

    while ((at = most_urgent(pool, &pool->central, now_ms)) != POOL_NONE) {
        holder = pool_sticky_holder(pool, pool->jobs[at].key);
        if (holder == POOL_NONE)
            return;
        move(pool, at, holder, false);
    }
}

uint32_t pool_queue_take(troupe_pool *pool, uint32_t worker, uint64_t now_ms)
{
    if (pool->sticky != NULL && worker < pool->stats.size)
        give_to_holders(pool, now_ms);

    uint32_t own = most_urgent(pool, &pool->workers[worker].queue, now_ms);
    uint32_t any = worker < pool->stats.size ? most_urgent(pool, &pool->central, now_ms) : POOL_NONE;

    if (own == POOL_NONE ||
        (any != POOL_NONE && urgency(pool, &pool->jobs[any], now_ms) < urgency(pool, &pool->jobs[own], now_ms)))
        own = any;
    if (own != POOL_NONE)
        pool_queue_remove(pool, own);
    return own;
}

uint32_t pool_queue_victim(const troupe_pool *pool, uint8_t priority)
{
    if (pool->config.shed == SHED_REFUSE)
        return POOL_NONE;
    for (int i = TROUPE_POOL_PRIORITIES - 1; i > priority; i--)
        if (pool->all[i].head != POOL_NONE)
            return pool->config.shed == SHED_OLDEST ? pool->all[i].head : pool->all[i].tail;
    return pool->config.shed == SHED_OLDEST ? pool->all[priority].head : POOL_NONE;
}

void pool_queue_hand_on(troupe_pool *pool, uint32_t worker)
{
    for (int i = 0; i < TROUPE_POOL_PRIORITIES; i++) {
        const struct pool_list *list = &pool->workers[worker].queue.lists[i];
        uint32_t last = list->tail, at;

        while (pool->sticky != NULL && list->tail != POOL_NONE) /* they are older than those of their key out there */
            move(pool, list->tail, POOL_NONE, true);
        for (bool more = pool->sticky == NULL && last != POOL_NONE; more;) { /* those of now: one may come back */
            at = list->head;
            more = at != last;
            struct pool_wish wish = {.key = pool->jobs[at].key, .has_key = pool->jobs[at].has_key};
            move(pool, at, pool_route_choose(pool, &wish), false);
        }
    }
}
