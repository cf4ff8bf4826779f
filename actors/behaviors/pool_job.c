/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a job. The happy path:
 *
 *   accepted    its call is kept (troupe_reply_keep): the message itself waits in the runtime, nothing is copied. A
 *               cast, which nobody keeps, is copied if it must wait or may be tried again
 *   begun       the kept message is called on to the worker; the tag of that call is the job's index and generation
 *   answered    the worker's answer goes to the caller as it came
 *
 * Whatever else happens, who called is answered, once:
 *
 *   the worker ended before it began         the job waits again, in front; this is not a retry
 *   ... while it had it, or did not answer   tried again if retries are left, else actor_failed or actor_killed
 *   it does not take the job (unknown type)  that error
 *   it did not answer in job_timeout_ms      timeout, also when the job still waits
 *   memory is out                            no_memory: an error goes back in the call's own memory
 *   the pool ends                            the runtime answers kept calls
 *
 * A cast that is lost has nobody to tell: the pool publishes the event "job_lost". */
#include "pool_inside.h"

#define JOBS_FIRST 16u

static uint64_t tag_of(const troupe_pool *pool, uint32_t at) { return (uint64_t)pool->jobs[at].generation << 32 | at; }

/* ---- the table ---- */

static int grow(troupe_pool *pool)
{
    uint32_t capacity = pool->jobs_capacity ? 2 * pool->jobs_capacity : JOBS_FIRST;
    struct pool_job *jobs;

    if (pool->config.routing == ROUTE_STICKY && pool_sticky_reserve(pool, capacity) != 0)
        return TROUPE_E_NO_MEMORY;
    jobs = troupe_realloc(pool->jobs, capacity * sizeof *jobs);
    if (jobs == NULL)
        return TROUPE_E_NO_MEMORY;
    pool->jobs = jobs;
    pool->jobs_capacity = capacity;
    return 0;
}

static int take_entry(troupe_pool *pool, uint32_t *ret_at)
{
    if (pool->jobs_free != POOL_NONE) {
        *ret_at = pool->jobs_free;
        pool->jobs_free = pool->jobs[*ret_at].next;
        return 0;
    }
    if (pool->jobs_used == pool->jobs_capacity && grow(pool) != 0)
        return TROUPE_E_NO_MEMORY;
    *ret_at = pool->jobs_used++;
    pool->jobs[*ret_at].generation = 1;
    return 0;
}

static void give_entry(troupe_pool *pool, uint32_t at)
{
    struct pool_job *job = &pool->jobs[at];

    troupe_free(job->copy);
    job->copy = NULL;
    job->state = JOB_FREE;
    job->generation = job->generation == UINT32_MAX ? 1 : job->generation + 1;
    job->next = pool->jobs_free;
    pool->jobs_free = at;
}

/* The job has had its end. */
static void settle(troupe_ctx *ctx, troupe_pool *pool, uint32_t at)
{
    give_entry(pool, at);
    if (pool->is_draining && pool->stats.waiting == 0 && pool->stats.in_flight == 0)
        pool_control_drained(ctx, pool);
}

static struct pool_copy *copy_of(const troupe_msg *msg)
{
    size_t type_bytes = (size_t)msg->type_len + 1;
    size_t content_bytes = msg->content_type ? strlen(msg->content_type) + 1 : 0;
    struct pool_copy *copy = troupe_alloc(sizeof *copy + msg->body_len + type_bytes + content_bytes);

    if (copy == NULL)
        return NULL;
    char *at = copy->bytes;
    copy->msg = (troupe_msg){.kind = TROUPE_MSG_CAST, .type_len = msg->type_len, .body_len = msg->body_len};
    copy->msg.body = memcpy(at, msg->body, msg->body_len);
    copy->msg.type = memcpy(at + msg->body_len, msg->type, type_bytes);
    if (content_bytes)
        copy->msg.content_type = memcpy(at + msg->body_len + type_bytes, msg->content_type, content_bytes);
    return copy;
}

int pool_job_new(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg, const struct pool_wish *wish,
                 uint32_t worker, uint32_t *ret_job)
{
    uint32_t at;
    troupe_handle handle = {0, 0};
    int rc = take_entry(pool, &at);

    if (rc == 0 && msg->kind == TROUPE_MSG_CALL) {
        rc = troupe_reply_keep(ctx, &handle);
        if (rc != 0) {
            pool->jobs[at].copy = NULL;
            give_entry(pool, at);
        }
    }
    if (rc != 0)
        return rc;
    pool->jobs[at] = (struct pool_job){.generation = pool->jobs[at].generation,
                                       .worker = worker,
                                       .priority = wish->priority,
                                       .is_for_any = worker == POOL_NONE,
                                       .is_call = msg->kind == TROUPE_MSG_CALL,
                                       .handle = handle,
                                       .has_key = wish->has_key,
                                       .key = wish->key,
                                       .accepted_ms = troupe_now_ms(ctx)};
    pool->stats.accepted++;
    *ret_job = at;
    return 0;
}

int pool_job_wait(troupe_ctx *ctx, troupe_pool *pool, uint32_t at, const troupe_msg *msg)
{
    struct pool_job *job = &pool->jobs[at];

    if (!job->is_call && job->copy == NULL) {
        job->copy = copy_of(msg);
        if (job->copy == NULL) {
            pool_job_fail(ctx, pool, at, TROUPE_E_NO_MEMORY, "memory is out", &pool->stats.failed);
            return TROUPE_E_NO_MEMORY;
        }
    }
    pool_queue_push(pool, at, false);
    pool_tick_by(ctx, pool, pool_job_deadline_ms(pool, job));
    return 0;
}

/* ---- ends ---- */

/* What a reply's result says of the pool: nothing; a caller who has gone is no failure. */
static void ignore(int rc) { (void)rc; }

static void tell_lost(troupe_ctx *ctx, const char *words)
{
    troupe_json_writer writer;
    char buf[TROUPE_REASON_BYTES_MAX + 32];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "reason");
    troupe_json_write_text(&writer, words);
    troupe_json_write_object_end(&writer);
    if (troupe_json_write_end(&writer) == 0)
        ignore(troupe_publish(ctx, "job_lost", troupe_body_json(buf, troupe_json_write_length(&writer))));
}

void pool_job_fail(troupe_ctx *ctx, troupe_pool *pool, uint32_t at, int error, const char *words, uint64_t *counter)
{
    ++*counter;
    if (pool->jobs[at].is_call)
        ignore(troupe_reply_error_to(ctx, pool->jobs[at].handle, error, words));
    else
        tell_lost(ctx, words);
    settle(ctx, pool, at);
}

static void abandon(troupe_ctx *ctx, troupe_pool *pool, uint32_t at)
{
    pool->stats.abandoned++; /* its handle is used up */
    settle(ctx, pool, at);
}

void pool_job_sweep(troupe_ctx *ctx, troupe_pool *pool)
{
    uint32_t looks = POOL_SWEEP_MAX;

    for (int i = TROUPE_POOL_PRIORITIES - 1; i >= 0; i--) {
        uint32_t at = pool->all[i].head;

        for (; at != POOL_NONE && looks > 0; looks--) {
            uint32_t newer = pool->jobs[at].newer;

            if (pool->jobs[at].is_call && troupe_kept_msg(ctx, pool->jobs[at].handle) == NULL) {
                pool_queue_remove(pool, at);
                abandon(ctx, pool, at);
            }
            at = newer;
        }
    }
}

/* Pass the worker's answer on as it came. */
static void pass_answer(troupe_ctx *ctx, const struct pool_job *job, const troupe_msg *reply)
{
    struct support_words detail = {0}, code = {0};

    if (reply->status == 0) {
        ignore(troupe_reply_to(ctx, job->handle, troupe_body_of(reply)));
        return;
    }
    support_say(&detail, troupe_msg_detail(reply));
    support_say(&code, troupe_msg_app_code(reply));
    if (reply->status == TROUPE_E_APP)
        ignore(troupe_reply_app_error_to(ctx, job->handle, code.text, reply->app_status, detail.text));
    else
        ignore(troupe_reply_error_to(ctx, job->handle, reply->status, detail.text));
}

/* ---- running ---- */

static void link_running(troupe_pool *pool, struct pool_worker *worker, uint32_t at)
{
    struct pool_job *job = &pool->jobs[at];

    job->prev = POOL_NONE;
    job->next = worker->running;
    if (worker->running != POOL_NONE)
        pool->jobs[worker->running].prev = at;
    worker->running = at;
}

/* The call to the worker is over, or is given up. */
static void stop_running(troupe_pool *pool, uint32_t at)
{
    struct pool_job *job = &pool->jobs[at];
    struct pool_worker *worker = &pool->workers[job->worker];

    if (job->next != POOL_NONE)
        pool->jobs[job->next].prev = job->prev;
    if (job->prev != POOL_NONE)
        pool->jobs[job->prev].next = job->next;
    else
        worker->running = job->next;
    if (worker->incarnation == job->incarnation)
        worker->in_flight--;
    pool->stats.in_flight--;
    pool_sticky_here(pool, job, job->worker, -1);
}

/* Wait for a worker again, in front of the others. */
static void wait_again(troupe_ctx *ctx, troupe_pool *pool, uint32_t at)
{
    struct pool_job *job = &pool->jobs[at];
    struct pool_wish wish = {.key = job->key, .has_key = job->has_key};

    if (job->is_for_any && pool->config.routing != ROUTE_STICKY) /* a sticky key stays in order */
        job->worker = POOL_NONE;
    else if (job->worker >= pool->stats.size)
        job->worker = pool_route_choose(pool, &wish);
    job->generation = job->generation == UINT32_MAX ? 1 : job->generation + 1; /* what comes of the old call is old */
    pool_queue_push(pool, at, true);
    pool_tick_by(ctx, pool, pool_job_deadline_ms(pool, job));
}

static bool is_expired(const troupe_ctx *ctx, const troupe_pool *pool, const struct pool_job *job)
{
    return pool_job_deadline_ms(pool, job) <= troupe_now_ms(ctx);
}

/* Somebody must take what waits: the worker may be free, lost, or replaced. */
static void feed_for(troupe_ctx *ctx, troupe_pool *pool, uint32_t worker)
{
    if (worker != POOL_NONE)
        pool_worker_feed(ctx, pool, worker);
    pool_worker_feed_free(ctx, pool);
}

void pool_job_lost(troupe_ctx *ctx, troupe_pool *pool, uint32_t at, int error, const char *words)
{
    struct pool_job *job = &pool->jobs[at];
    bool can_repeat = job->is_call || job->copy != NULL;

    stop_running(pool, at);
    if (job->attempts < pool->config.retries && can_repeat && !is_expired(ctx, pool, job)) {
        job->attempts++;
        pool->stats.retried++;
        wait_again(ctx, pool, at);
        feed_for(ctx, pool, pool->jobs[at].worker);
    } else {
        pool_job_fail(ctx, pool, at, error, words, &pool->stats.failed);
    }
}

static void count_times(troupe_ctx *ctx, troupe_pool *pool, const struct pool_job *job)
{
    troupe_pool_stats *stats = &pool->stats;
    uint64_t wait_ms = job->begun_ms - job->accepted_ms, run_ms = troupe_now_ms(ctx) - job->begun_ms;

    stats->wait_ms_sum += wait_ms;
    stats->run_ms_sum += run_ms;
    stats->wait_ms_max = wait_ms > stats->wait_ms_max ? wait_ms : stats->wait_ms_max;
    stats->run_ms_max = run_ms > stats->run_ms_max ? run_ms : stats->run_ms_max;
}

/* Did the job go down with its worker? */
static bool is_end(int status)
{
    return status == TROUPE_E_ACTOR_FAILED || status == TROUPE_E_KILLED || status == TROUPE_E_ENDED;
}

static bool was_not_begun(int status) { return status == TROUPE_E_GONE || status == TROUPE_E_STOPPED; }

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    troupe_pool *pool = pool_of(state);
    uint32_t at = (uint32_t)reply->tag;
    struct pool_job *job = at < pool->jobs_used ? &pool->jobs[at] : NULL;

    if (job == NULL || job->generation != (uint32_t)(reply->tag >> 32) || job->state != JOB_RUNNING)
        return 0; /* it was settled: the worker did not answer probes */
    uint32_t index = job->worker;
    struct pool_worker *worker = &pool->workers[index];
    if (worker->incarnation == job->incarnation && reply->status != TROUPE_E_TIMEOUT) {
        worker->alive_ms = troupe_now_ms(ctx);
        worker->probes_missed = 0;
        worker->done++;
    }
    if (is_end(reply->status)) {
        struct support_words words = {0};

        support_say(&words, troupe_msg_detail(reply));
        pool_job_lost(ctx, pool, at, reply->status, words.text);
    } else if (was_not_begun(reply->status) && (job->is_call || job->copy != NULL) && !is_expired(ctx, pool, job)) {
        stop_running(pool, at);
        if (worker->incarnation == job->incarnation)
            pool_worker_is_lost(pool, index);
        wait_again(ctx, pool, at);
        feed_for(ctx, pool, job->worker); /* it may be another one, which is idle */
    } else {
        count_times(ctx, pool, job);
        stop_running(pool, at);
        bool is_failed = was_not_begun(reply->status) || reply->status == TROUPE_E_TIMEOUT;
        ++*(is_failed ? &pool->stats.failed : &pool->stats.completed);
        if (!is_failed)
            worker->failures = worker->starts_failed = 0;
        if (job->is_call)
            pass_answer(ctx, job, reply);
        else if (is_failed)
            tell_lost(ctx, "the worker did not answer in time, or ended");
        settle(ctx, pool, at);
    }
    feed_for(ctx, pool, index);
    return 0;
}

void pool_job_begin(troupe_ctx *ctx, troupe_pool *pool, uint32_t at, uint32_t index, const troupe_msg *msg)
{
    struct pool_job *job = &pool->jobs[at];
    struct pool_worker *worker = &pool->workers[index];
    uint64_t now_ms = troupe_now_ms(ctx), deadline_ms = pool_job_deadline_ms(pool, job);

    if (msg == NULL)
        msg = job->is_call ? troupe_kept_msg(ctx, job->handle) : &job->copy->msg;
    if (msg == NULL) {
        abandon(ctx, pool, at);
        return;
    }
    if (deadline_ms <= now_ms) {
        pool_job_fail(ctx, pool, at, TROUPE_E_TIMEOUT, "the job waited too long and was not begun",
                      &pool->stats.expired);
        return;
    }
    if (!job->is_call && job->copy == NULL && pool->config.retries != 0 && (job->copy = copy_of(msg)) == NULL) {
        pool_job_fail(ctx, pool, at, TROUPE_E_NO_MEMORY, "memory is out", &pool->stats.failed);
        return;
    }
    int rc = troupe_call(ctx, worker->ref, msg->type, troupe_body_of(msg), (uint32_t)(deadline_ms - now_ms), on_reply,
                         tag_of(pool, at));
    if (rc == TROUPE_E_GONE || rc == TROUPE_E_NOT_FOUND || rc == TROUPE_E_DRAINING) {
        pool_worker_is_lost(pool, index); /* its end is on its way to us */
        if (job->is_call || job->copy != NULL || (job->copy = copy_of(msg)) != NULL) {
            pool_queue_push(pool, at, true);
            pool_tick_by(ctx, pool, deadline_ms);
            return;
        }
        rc = TROUPE_E_NO_MEMORY;
    }
    if (rc != 0) {
        pool_job_fail(ctx, pool, at, rc, "the worker did not take the job", &pool->stats.failed);
        return;
    }
    job->state = JOB_RUNNING;
    job->worker = index;
    job->incarnation = worker->incarnation;
    job->begun_ms = now_ms;
    link_running(pool, worker, at);
    pool_sticky_here(pool, job, index, 1);
    if (worker->in_flight++ == 0)
        worker->alive_ms = now_ms;
    if (++pool->stats.in_flight > pool->stats.in_flight_peak)
        pool->stats.in_flight_peak = pool->stats.in_flight;
    if (pool->config.dead_man_ms && pool->dead_man_at_ms == POOL_NEVER_MS) {
        pool->dead_man_at_ms = now_ms + pool->config.dead_man_ms / 3;
        pool_tick_by(ctx, pool, pool->dead_man_at_ms);
    }
}
