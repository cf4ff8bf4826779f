/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of a pool, and what its files offer each other:
 *
 *   pool.c          the behavior: messages in, jobs accepted or refused
 *   pool_args.c     the args
 *   pool_job.c      a job's way: table of jobs, hand over, answer, retry
 *   pool_queue.c    jobs that wait: order, aging, whom to shed
 *   pool_route.c    which worker: hash of the key, sticky keys
 *   pool_rate.c     the token bucket
 *   pool_worker.c   workers: start, end, resize, free ones
 *   pool_tick.c     what happens by time: expiry, restarts, dead man's switch, capacity
 *   pool_control.c  the types pool.*
 *
 * A job is FREE, WAITING (in a queue) or RUNNING (a call to its worker is open). Jobs and workers are known by index;
 * a job's index comes with a generation, so that an answer which comes after its job was settled finds nothing.
 *
 * A worker's place (index) outlives its incarnations:
 *
 *   EMPTY -> STARTING -> READY -> (told to stop) STOPPING -> EMPTY
 *              ^  |        |-> LOST (it does not take calls, or did not answer probes and was killed)
 *              |  v        v     |
 *              WAITING <---+-----+   its end was reported; started again at once, or after a backoff
 *
 * Places from `size` on are on their way out: those that are READY finish what they have.
 *
 * Thread: the pool's turn. */
#ifndef TROUPE_BEHAVIORS_POOL_INSIDE_H
#define TROUPE_BEHAVIORS_POOL_INSIDE_H

#include <troupe/pool.h>

#include "support.h"

#define POOL_NONE UINT32_MAX
#define POOL_NEVER_MS UINT64_MAX
#define POOL_SWEEP_MAX 16u          /* callers who have gone are looked for so many at a time */
#define POOL_STARTS_FAILED_MAX 5u   /* in a row, of one place: then the pool fails */
#define POOL_BACKOFF_MIN_MS 100u    /* of the second restart in a row; the first is at once */
#define POOL_BACKOFF_MAX_MS 10000u

enum pool_routing { ROUTE_QUEUE, ROUTE_KEY, ROUTE_STICKY, ROUTE_ROUND_ROBIN, ROUTE_CUSTOM };
enum pool_shed { SHED_REFUSE, SHED_OLDEST, SHED_NEWEST };

struct pool_config {
    uint32_t size, concurrency, queue_max, retries;
    uint32_t job_timeout_ms, dead_man_ms, aging_ms; /* the last two: 0 is off */
    uint8_t routing, shed;       /* enums above */
    uint8_t key_len, priority_len;
    char key[TROUPE_TYPE_BYTES_MAX + 1], priority[TROUPE_TYPE_BYTES_MAX + 1]; /* members of a job's body, or "" */
    uint32_t rate_per_second, rate_burst; /* 0: no limit */
    uint32_t capacity_min, capacity_max, capacity_interval_ms, capacity_idle_ms; /* max 0: no rule */
    uint32_t start_timeout_ms, shutdown_timeout_ms;
    char *worker;                /* owned: behavior NUL args */
    uint32_t worker_args_at, worker_args_len;
};

/* ---- jobs ---- */

enum pool_job_state { JOB_FREE, JOB_WAITING, JOB_RUNNING };

struct pool_job {
    uint32_t generation;
    uint32_t next, prev;         /* waiting: in its queue; running: among its worker's; free: next */
    uint32_t newer, older;       /* waiting: among all of its priority */
    uint32_t worker;             /* index; POOL_NONE: any */
    uint32_t incarnation;        /* of the worker that runs it */
    uint8_t state;               /* enum pool_job_state */
    uint8_t priority;
    uint8_t attempts;
    bool is_call, has_key;
    bool is_for_any;             /* the router named no worker */
    troupe_handle handle;        /* of the caller, when is_call */
    uint64_t key;                /* hash */
    uint64_t accepted_ms;
    uint64_t begun_ms;
    struct pool_copy *copy;      /* owned: of a cast that waits, or may be tried again; or NULL */
};

/* A cast has no handle that would keep its message. */
struct pool_copy {
    troupe_msg msg;              /* points into the bytes behind */
    _Alignas(8) char bytes[];
};

/* What the router needs to know of a job. */
struct pool_wish {
    uint64_t key;
    bool has_key;
    uint8_t priority;
};

/* ---- queues ---- */

/* FIFO for each priority; POOL_NONE: empty. */
struct pool_list {
    uint32_t head, tail;
};

struct pool_queue {
    struct pool_list lists[TROUPE_POOL_PRIORITIES];
    uint32_t count;
};

/* ---- workers ---- */

enum pool_worker_state { WORKER_EMPTY, WORKER_STARTING, WORKER_READY, WORKER_STOPPING, WORKER_LOST, WORKER_WAITING };

struct pool_worker {
    troupe_ref ref;
    uint8_t state;               /* enum pool_worker_state */
    uint8_t probes_missed;       /* in a row */
    uint8_t starts_failed;       /* in a row */
    bool is_probed;
    bool is_free;                /* in the list of free ones */
    uint32_t incarnation;
    uint32_t in_flight;          /* of this incarnation */
    uint32_t running;            /* first job */
    uint32_t free_next, free_prev;
    uint32_t failures;           /* abnormal ends in a row */
    uint64_t due_ms;             /* WAITING: when it is started again */
    uint64_t alive_ms;           /* last sign of life */
    uint64_t done;               /* jobs that it answered */
    uint64_t restarts;
    struct pool_queue queue;     /* jobs for it alone */
};

/* ---- sticky keys: those of jobs that are running or wait ---- */

struct pool_sticky {
    uint64_t key;
    uint32_t worker;             /* valid while here > 0 */
    uint32_t here;               /* jobs at that worker or in its queue */
    uint32_t central;            /* jobs in the queue of all; here and central 0: the entry is empty */
};

struct troupe_pool {
    struct pool_config config;
    const troupe_pool_hooks *hooks; /* or NULL */
    troupe_pool_stats stats;
    bool is_starting, is_draining, stops_when_drained, tick_failed;
    uint32_t started;            /* while starting: workers that run */

    struct pool_job *jobs;
    uint32_t jobs_capacity, jobs_used, jobs_free; /* jobs_free: index or POOL_NONE */

    struct pool_worker *workers;
    uint32_t workers_capacity, places; /* places: how many are initialized; size or more */
    uint32_t free_first;
    uint32_t next_worker;        /* round robin */

    struct pool_queue central;   /* for any worker */
    struct pool_list all[TROUPE_POOL_PRIORITIES]; /* whatever waits, by arrival */

    struct pool_sticky *sticky;  /* open addressing; NULL unless routing is sticky */
    uint32_t sticky_mask;
    uint64_t seed;               /* of the hash */

    uint64_t rate_ns;            /* token bucket: when it would be full again */
    uint64_t tick, tick_at_ms;   /* the timer; 0 and POOL_NEVER_MS: none */
    uint64_t dead_man_at_ms, capacity_at_ms;
    uint64_t idle_since_ms;      /* capacity: begin of the window ... */
    uint32_t idle_peak;          /* ... and the most workers wanted in it */
    uint64_t turned_away;        /* jobs, up to the last look */

    troupe_handle drains[TROUPE_POOL_DRAINS_MAX];
    uint32_t drains_count;
};

static inline troupe_pool *pool_of(void *state) { return *(troupe_pool **)state; }

static inline bool pool_worker_has_room(const troupe_pool *pool, const struct pool_worker *worker)
{
    return worker->state == WORKER_READY && worker->in_flight < pool->config.concurrency;
}

static inline uint64_t pool_job_deadline_ms(const troupe_pool *pool, const struct pool_job *job)
{
    return job->accepted_ms + pool->config.job_timeout_ms;
}

/* ---- pool_args.c ---- */

/* Read the args. Returns what init returns. Owns: config->worker, also on failure. */
int pool_args_read(troupe_ctx *ctx, struct pool_config *config, const troupe_msg *args, bool has_custom_route);

/* ---- pool_rate.c ---- */

/* Take a token; false: there is none. */
bool pool_rate_take(troupe_pool *pool, uint64_t now_ms);

/* ---- pool_route.c ---- */

/* Read key and priority out of a job's body, if the pool wants them. On failure *ret_words says what is wrong.
 * Fails: TROUPE_E_SCHEMA, TROUPE_E_MALFORMED */
int pool_route_read(const troupe_pool *pool, const troupe_msg *msg, struct pool_wish *ret_wish,
                    struct support_words *ret_words);

/* The worker for a job: an index, or POOL_NONE for any. */
uint32_t pool_route_choose(troupe_pool *pool, const struct pool_wish *wish);

/* Of so many workers, the one for this key: it moves 1/(n+1) of all keys when n grows by one. */
uint32_t pool_route_jump(uint64_t key, uint32_t workers);
uint64_t pool_route_hash(uint64_t seed, const void *bytes, size_t len);

/* Sticky keys: a job waits in the queue of all, is given to a worker (its queue, or at once), has left either. */
void pool_sticky_central(troupe_pool *pool, const struct pool_job *job, int change);
void pool_sticky_here(troupe_pool *pool, const struct pool_job *job, uint32_t worker, int change);

/* The worker that has jobs of the key now, or POOL_NONE. */
uint32_t pool_sticky_holder(const troupe_pool *pool, uint64_t key);

/* Make room for the keys of so many jobs. Fails: TROUPE_E_NO_MEMORY */
int pool_sticky_reserve(troupe_pool *pool, uint32_t jobs);

/* ---- pool_queue.c ---- */

void pool_queue_init(struct pool_queue *queue);
void pool_queue_push(troupe_pool *pool, uint32_t job, bool in_front);
void pool_queue_remove(troupe_pool *pool, uint32_t job);

/* The job that a worker takes next, or POOL_NONE; it is taken out. */
uint32_t pool_queue_take(troupe_pool *pool, uint32_t worker, uint64_t now_ms);

/* The job to be shed for one of this priority, or POOL_NONE: that one itself. */
uint32_t pool_queue_victim(const troupe_pool *pool, uint8_t priority);

/* Give the jobs that wait for this worker alone to others. */
void pool_queue_hand_on(troupe_pool *pool, uint32_t worker);

/* ---- pool_job.c ---- */

/* Make a job of the message at hand, and keep the call. Fails: NO_MEMORY, LIMIT; the message is unanswered then. */
int pool_job_new(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg, const struct pool_wish *wish,
                 uint32_t worker, uint32_t *ret_job);

/* Let it wait: a cast is copied. Fails: NO_MEMORY, and the job is settled. */
int pool_job_wait(troupe_ctx *ctx, troupe_pool *pool, uint32_t job, const troupe_msg *msg);

/* Give a job to a worker with room. msg: the message at hand; NULL: it has waited. */
void pool_job_begin(troupe_ctx *ctx, troupe_pool *pool, uint32_t job, uint32_t worker, const troupe_msg *msg);

/* Answer a job with an error and count it. */
void pool_job_fail(troupe_ctx *ctx, troupe_pool *pool, uint32_t job, int error, const char *words, uint64_t *counter);

/* A worker's end or silence took this job along: try it again, or answer with the error. */
void pool_job_lost(troupe_ctx *ctx, troupe_pool *pool, uint32_t job, int error, const char *words);

/* Drop the oldest jobs whose callers have gone, a few at a time. */
void pool_job_sweep(troupe_ctx *ctx, troupe_pool *pool);

/* ---- pool_worker.c ---- */

/* Start the worker of an empty place. Fails: as troupe_spawn. */
int pool_worker_start(troupe_ctx *ctx, troupe_pool *pool, uint32_t index);
int pool_worker_resize(troupe_ctx *ctx, troupe_pool *pool, uint32_t size);

/* Let the worker take what waits, or be free, or leave. */
void pool_worker_feed(troupe_ctx *ctx, troupe_pool *pool, uint32_t index);

/* Let free workers take what waits for any. */
void pool_worker_feed_free(troupe_ctx *ctx, troupe_pool *pool);
void pool_worker_take_from_free(troupe_pool *pool, uint32_t index);

/* It does not take jobs any more, and its end will be reported. */
void pool_worker_is_lost(troupe_pool *pool, uint32_t index);
int pool_worker_on_event(troupe_ctx *ctx, troupe_pool *pool, const troupe_child_event *event);

/* ---- pool_tick.c ---- */

/* See that the tick comes by then. */
void pool_tick_by(troupe_ctx *ctx, troupe_pool *pool, uint64_t at_ms);
int pool_tick(troupe_ctx *ctx, void *state, troupe_pool *pool);

/* ---- pool_control.c ---- */

int pool_control(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg);

/* Nothing waits or runs any more: tell those who wait for it. */
void pool_control_drained(troupe_ctx *ctx, troupe_pool *pool);

#endif
