/* SPDX-License-Identifier: Apache-2.0
 *
 * Pools in the simulation: outsiders make them by random documents and send them jobs (pools.c), whose workers
 * answer, are slow or silent, fail or are killed (pool_worker.c); the rules are in pool_rules.c. Neither pools nor
 * their workers are actors of the model. */
#ifndef SIM_POOLS_H
#define SIM_POOLS_H

#include "sim.h"

#define POOLS_MAX 8u
#define JOBS_MAX 16384u
#define POOL_WORKERS_MAX 4096u
#define POOL_KEYS 4u
#define POOL_PRIORITIES 5u

struct sim_pool {
    troupe_ref ref; /* zeroed: it was not started */
    bool made, ended;
    bool end_asked;       /* a stop or kill; a drain in the end, too */
    bool calm;            /* its workers never fail, and it takes everything: nothing may be lost */
    bool resized, drains; /* ever; drain was asked for */
    bool keyed, prioritized;
    uint32_t size, concurrency, retries, job_timeout_ms;
    uint32_t offered, replied, refused, runs;  /* jobs that its mailbox took; what workers said; how often one began */
    uint32_t last[POOL_KEYS][POOL_PRIORITIES]; /* the last job of a key and priority that began */
};

struct sim_job {
    uint32_t pool, runs, key, priority;
    uint64_t asked_ms, deadline_ms;
    bool is_call, owed;    /* the mailbox took it, and nobody has told the pool to take no more */
    bool replied, refused; /* a worker did */
    bool over, cancelled;  /* the caller has its answer, or went */
    int status;            /* ... that one */
};

struct sim_pools {
    struct sim_pool pools[POOLS_MAX];
    struct sim_job jobs[JOBS_MAX];
    uint32_t count, jobs_count; /* from 1 */
    uint32_t workers_count;
    struct sim_pool_worker {
        troupe_ref ref;
        uint32_t pool;
        bool ended;
    } workers[POOL_WORKERS_MAX];
};
extern struct sim_pools sim_pools;

/* ---- pools.c ---- */

void pools_init(void);

/* Do something random at a worker that is not parked. */
void pools_act(troupe_worker *worker);

/* Ask every pool for its figures, when nothing more is sent. */
void pools_look(troupe_worker *worker);

/* Judge a system at rest, and one whose shutdown is over. */
bool pools_rest(void);
bool pools_end(void);

/* ---- pool_rules.c ---- */

/* The number behind a member's name in a JSON text, which need not end with a NUL; 0: there is none. */
uint64_t pool_figure(troupe_view text, const char *name);

/* A worker begins with a job. */
bool pool_rule_begins(uint32_t pool, uint32_t job);

/* A caller has its answer. body: of status 0. */
bool pool_rule_answered(uint32_t job, int status, troupe_view body);

/* The figures of a pool, which it was asked for behind the jobs up to this number. */
bool pool_rule_figures(uint32_t pool, troupe_view text, uint32_t jobs);

/* The pool says that it has nothing to do any more: the jobs up to this number are done. */
bool pool_rule_drained(uint32_t pool, uint32_t jobs);

/* ---- pool_worker.c ---- */

extern const troupe_behavior sim_pool_worker, sim_pool_worker_blocking;

#endif
