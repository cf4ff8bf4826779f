/* SPDX-License-Identifier: Apache-2.0
 *
 * Pools: one actor in front, workers behind it. Whatever the pool is sent is a job, but for the types pool.*; it goes
 * to a worker untouched, and the worker's answer goes back to the caller. docs/pools.md says what it promises.
 *
 * The standard behavior `pool` is made of this. Include it to make a behavior of your own that routes or sizes its pool
 * by a rule in C: let its state begin with a troupe_pool *, and let its table name the functions below, or functions
 * that call them:
 *
 *     struct mine { troupe_pool *pool; ... };
 *     static const troupe_pool_hooks hooks = {.size = sizeof hooks, .route = by_region};
 *     static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
 *     {
 *         return troupe_pool_init(ctx, state, args, &hooks);
 *     }
 *     const troupe_behavior mine = {TROUPE_BEHAVIOR_HEAD, .name = "mine", .state_bytes = sizeof(struct mine),
 *                                   .types = troupe_pool_types, .types_count = TROUPE_POOL_TYPES,
 *                                   .flags = TROUPE_BEHAVIOR_ANY_TYPE, .init = init, .receive = troupe_pool_receive,
 *                                   .child = troupe_pool_child, .stop = troupe_pool_stop, .fini = troupe_pool_fini,
 *                                   .view = troupe_pool_view};
 *
 * Thread: behavior only. */
#ifndef TROUPE_POOL_H
#define TROUPE_POOL_H

#include <troupe/behavior.h>

/* Made by troupe_pool_init, freed by troupe_pool_fini; the first member of the actor's state points to it. */
typedef struct troupe_pool troupe_pool;

#define TROUPE_POOL_SIZE_MAX 10000u         /* workers */
#define TROUPE_POOL_IN_FLIGHT_MAX 15000u    /* size x concurrency: each is an open call */
#define TROUPE_POOL_QUEUE_MAX 50000u        /* jobs that wait: each may be a kept call (TROUPE_KEPT_PER_ACTOR_MAX) */
#define TROUPE_POOL_QUEUE_DEFAULT 1000u
#define TROUPE_POOL_JOB_TIMEOUT_MS_DEFAULT 60000u
#define TROUPE_POOL_PRIORITIES 5            /* 0 is served first */
#define TROUPE_POOL_PRIORITY_DEFAULT 2
#define TROUPE_POOL_KEY_BYTES_MAX 255u      /* of a job's key, decoded */
#define TROUPE_POOL_DRAINS_MAX 16u          /* calls of pool.drain that wait */

/* What a pool counts. Always accepted == completed + failed + shed + expired + abandoned + waiting + in_flight. */
typedef struct troupe_pool_stats {
    uint32_t size;               /* workers, as they should be */
    uint32_t ready;              /* of those, that take jobs now */
    uint32_t waiting;            /* jobs in the queue */
    uint32_t in_flight;          /* jobs at workers */
    uint32_t in_flight_peak;     /* the most since the last look at the capacity */
    uint64_t accepted;
    uint64_t completed;          /* answered by the worker, also with an error of the application */
    uint64_t failed;             /* by the worker's end, its silence, or because it does not take the job */
    uint64_t shed;               /* accepted, and dropped for others: the caller was told */
    uint64_t expired;            /* waited longer than job_timeout_ms: the caller was told */
    uint64_t abandoned;          /* the caller had gone before a worker was free */
    uint64_t refused_full;       /* not accepted */
    uint64_t refused_rate;
    uint64_t refused_draining;
    uint64_t refused_invalid;    /* without the key or with a wrong priority */
    uint64_t retried;
    uint64_t crashes;            /* abnormal ends of workers */
    uint64_t killed;             /* of those, by the dead man's switch */
    uint64_t wait_ms_sum, wait_ms_max; /* from acceptance to a worker */
    uint64_t run_ms_sum, run_ms_max;   /* from there to the answer; both of jobs that a worker answered */
} troupe_pool_stats;

#define TROUPE_POOL_ANY_WORKER INT32_MAX    /* from route: the queue of all workers */

/* The author's rules. Both run inside the pool's turn, and must not answer or keep the message. */
typedef struct troupe_pool_hooks {
    uint32_t size;               /* sizeof(troupe_pool_hooks): the table can grow at its end */

    /* Routing "custom": the index of a worker (0 ... stats->size - 1), TROUPE_POOL_ANY_WORKER, or an error, with which
     * the job is refused. */
    int (*route)(troupe_ctx *ctx, void *state, const troupe_msg *job, const troupe_pool_stats *stats);

    /* With args.capacity: how many workers are wanted now; held to min ... max. NULL: the rule of docs/pools.md. */
    uint32_t (*capacity)(troupe_ctx *ctx, void *state, const troupe_pool_stats *stats);
} troupe_pool_hooks;

/* The functions of the behavior. hooks may be NULL; it lives as long as the behavior. */
TROUPE_MUST_USE int troupe_pool_init(troupe_ctx *ctx, void *state, const troupe_msg *args,
                                     const troupe_pool_hooks *hooks);
int troupe_pool_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg);
int troupe_pool_child(troupe_ctx *ctx, void *state, const troupe_child_event *event);
void troupe_pool_stop(troupe_ctx *ctx, void *state, const troupe_exit *exit);
void troupe_pool_fini(void *state);
int troupe_pool_view(troupe_ctx *ctx, const void *state); /* the same figures as pool.stats */

/* Lives: as the pool; the figures are those of now. */
const troupe_pool_stats *troupe_pool_stats_of(const troupe_pool *pool);

/* As pool.resize does. Fails: TROUPE_E_INVALID (0, or more than TROUPE_POOL_SIZE_MAX or the in-flight limit allows),
 * NO_MEMORY */
TROUPE_MUST_USE int troupe_pool_resize(troupe_ctx *ctx, troupe_pool *pool, uint32_t size);

/* The types pool.*, for the behavior's table. */
#define TROUPE_POOL_TYPES 5u
extern const troupe_type troupe_pool_types[TROUPE_POOL_TYPES];

#endif
