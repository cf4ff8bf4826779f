/* SPDX-License-Identifier: Apache-2.0
 *
 * See pools.h. The outsiders of pools. */
#include "pools.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REQUESTS 48u
#define LATE_MS 2u

enum ask { ASK_NEW, ASK_JOB, ASK_STATS, ASK_RESIZE, ASK_DRAIN, ASK_RESUME, ASK_STOP, ASK_STOP_WORKER };

struct asked {
    struct troupe_request request;
    bool open;
    enum ask what;
    uint32_t pool;
    uint32_t job; /* or so many were sent before */
};

struct sim_pools sim_pools;
static struct asked asked_all[REQUESTS];

void pools_init(void)
{
    memset(asked_all, 0, sizeof asked_all);
    memset(&sim_pools.pools, 0, sizeof sim_pools.pools);
    sim_pools.count = sim_pools.workers_count = 0;
    sim_pools.jobs_count = 1;
}

/* ---- answers ---- */

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;
    struct sim_pool *pool = &sim_pools.pools[asked->pool];

    if (!asked->open) {
        sim_fail("a request to a pool is answered twice");
        return;
    }
    asked->open = false;
    sim_event("pool done", asked->what, asked->pool, (uint64_t)(int64_t)answer->error);
    switch (asked->what) {
    case ASK_NEW:
        if (answer->error == TROUPE_E_INVALID || answer->error == TROUPE_E_SCHEMA)
            sim_fail("a pool was refused: %.*s", (int)answer->detail.len, answer->detail.ptr);
        if (answer->error == 0)
            pool->ref = answer->ref;
        pool->made = answer->error == 0;
        break;
    case ASK_JOB:
        pool_rule_answered(asked->job, answer->error, answer->body);
        break;
    case ASK_STATS:
        if (answer->error == 0)
            pool_rule_figures(asked->pool, answer->body, asked->job);
        break;
    case ASK_DRAIN:
        if (answer->error == 0)
            pool_rule_drained(asked->pool, asked->job);
        break;
    case ASK_STOP:
        pool->ended |= answer->error == 0;
        break;
    case ASK_RESIZE:
    case ASK_RESUME:
    case ASK_STOP_WORKER:
        break;
    }
}

static struct asked *free_request(enum ask what, uint32_t pool)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct asked *asked = &asked_all[i];
        if (asked->open)
            continue;
        *asked = (struct asked){.open = true, .what = what, .pool = pool, .job = sim_pools.jobs_count};
        asked->request.user = asked;
        return asked;
    }
    return NULL;
}

/* ---- make ---- */

struct text {
    char at[600];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->len += (size_t)vsnprintf(text->at + text->len, sizeof text->at - text->len, format, args);
    va_end(args);
}

static void choose_routing(struct text *text, struct sim_pool *pool)
{
    static const char *const routings[] = {"queue", "key", "sticky", "round_robin"};
    uint32_t routing = sim_below(4);

    pool->keyed = routing == 1 || routing == 2;
    put(text, ",\"routing\":\"%s\"", routings[routing]);
    if (pool->keyed)
        put(text, ",\"key\":\"key\"");
    if (sim_below(2) != 0)
        put(text, ",\"priority\":\"priority\",\"aging_ms\":%u", sim_below(3) * 50);
}

/* What makes a pool refuse, drop and repeat jobs, and replace its workers. */
static void choose_trouble(struct text *text, struct sim_pool *pool)
{
    static const char *const sheds[] = {"refuse", "oldest", "newest"};
    static const uint32_t queues[] = {0, 1, 3, 20};

    pool->job_timeout_ms = 20 + sim_below(1500);
    pool->retries = sim_below(3);
    put(text, ",\"queue_max\":%u,\"shed\":\"%s\",\"job_timeout_ms\":%u,\"retries\":%u", queues[sim_below(4)],
        sheds[sim_below(3)], pool->job_timeout_ms, pool->retries);
    if (sim_below(4) == 0)
        put(text, ",\"rate\":{\"per_second\":%u,\"burst\":%u}", 5 + sim_below(100), 1 + sim_below(5));
    if (sim_below(2) == 0)
        put(text, ",\"dead_man_ms\":%u", 100 + sim_below(200));
    if (sim_below(4) == 0) {
        pool->resized = true;
        put(text, ",\"capacity\":{\"min\":1,\"max\":4,\"interval_ms\":%u,\"idle_ms\":100}", 10 + sim_below(100));
    }
}

static void make_pool(troupe_worker *worker)
{
    if (sim_pools.count == POOLS_MAX || sim_world.ending)
        return;
    struct asked *asked = free_request(ASK_NEW, sim_pools.count);
    struct text text = {.len = 0};
    if (asked == NULL)
        return;
    struct sim_pool *pool = &sim_pools.pools[sim_pools.count];
    *pool = (struct sim_pool){.calm = sim_below(3) == 0 && !sim_world.spawns_fail,
                              .size = 1 + sim_below(4),
                              .concurrency = 1 + sim_below(2) * sim_below(3),
                              .job_timeout_ms = 60000};
    put(&text, "{\"worker\":{\"behavior\":\"%s\",\"args\":{\"pool\":%u}},\"size\":%u,\"concurrency\":%u",
        sim_below(3) == 0 ? "stuck" : "job", sim_pools.count, pool->size, pool->concurrency);
    choose_routing(&text, pool);
    if (!pool->calm)
        choose_trouble(&text, pool);
    put(&text, "}");
    sim_pools.count++;
    troupe_spawn_opts opts = {.behavior = "pool", .args = troupe_body_json(text.at, text.len)};
    troupe_request_spawn(worker, &asked->request, on_done, &opts);
}

/* ---- send ---- */

static void send_job(troupe_worker *worker, uint32_t index)
{
    struct sim_pool *pool = &sim_pools.pools[index];
    uint32_t id = sim_pools.jobs_count;
    char text[100];

    if (id == JOBS_MAX)
        return;
    bool is_call = sim_below(3) != 0;
    struct asked *asked = is_call ? free_request(ASK_JOB, index) : NULL;
    if (is_call && asked == NULL)
        return;
    uint32_t timeout_ms = sim_below(2) ? 0 : 1 + sim_below(500);
    struct sim_job *job = &sim_pools.jobs[id];
    *job =
        (struct sim_job){.pool = index,
                         .is_call = is_call,
                         .owed = !pool->drains && !pool->end_asked,
                         .key = sim_below(POOL_KEYS),
                         .priority = sim_below(POOL_PRIORITIES),
                         .asked_ms = sim_now_ms(),
                         .deadline_ms = sim_now_ms() + (timeout_ms == 0 ? TROUPE_CALL_TIMEOUT_MS_DEFAULT : timeout_ms)};
    sim_pools.jobs_count++;
    troupe_body body =
        troupe_body_json(text, (size_t)snprintf(text, sizeof text, "{\"job\":%u,\"key\":\"k%u\",\"priority\":%u}", id,
                                                job->key, job->priority));
    troupe_caller caller = {.subject = troupe_view_of("sim")};
    sim_event("job", index, id, job->key * 10 + job->priority);
    pool->offered++;
    if (is_call) {
        asked->job = id;
        troupe_request_call(worker, &asked->request, on_done, pool->ref, troupe_view_of("work"), body, caller,
                            timeout_ms);
        return;
    }
    int rc = troupe_worker_cast(worker, pool->ref, troupe_view_of("note"), body, caller);
    if (rc == 0 && pool->ended)
        sim_fail("pool %u took a job after its end", index);
    job->owed &= rc == 0;
    pool->offered -= rc != 0;
}

static void ask(troupe_worker *worker, uint32_t index, enum ask what, const char *type, const char *text)
{
    struct asked *asked = free_request(what, index);

    if (asked != NULL)
        troupe_request_call(worker, &asked->request, on_done, sim_pools.pools[index].ref, troupe_view_of(type),
                            troupe_body_json(text, strlen(text)), (troupe_caller){.subject = troupe_view_of("sim")}, 0);
}

static void resize(troupe_worker *worker, uint32_t index)
{
    struct sim_pool *pool = &sim_pools.pools[index];
    char text[32];

    pool->resized = true;
    snprintf(text, sizeof text, "{\"size\":%u}", 1 + sim_below(5));
    ask(worker, index, ASK_RESIZE, "pool.resize", text);
}

static void stop(troupe_worker *worker, uint32_t index)
{
    struct asked *asked = free_request(ASK_STOP, index);

    if (asked == NULL)
        return;
    sim_pools.pools[index].end_asked = true;
    troupe_request_stop(worker, &asked->request, on_done, sim_pools.pools[index].ref,
                        (enum troupe_stop_mode)sim_below(3), troupe_view_of("sim"), 100);
}

/* One of the workers is told to end, or killed. */
static void stop_worker(troupe_worker *worker)
{
    if (sim_pools.workers_count == 0)
        return;
    const struct sim_pool_worker *at = &sim_pools.workers[sim_below(sim_pools.workers_count)];
    if (at->ended || sim_pools.pools[at->pool].calm)
        return;
    struct asked *asked = free_request(ASK_STOP_WORKER, at->pool);
    if (asked != NULL)
        troupe_request_stop(worker, &asked->request, on_done, at->ref, sim_below(2) ? TROUPE_KILL : TROUPE_STOP,
                            troupe_view_of("sim"), 100);
}

/* A caller goes. */
static void cancel(const troupe_worker *worker)
{
    struct asked *asked = &asked_all[sim_below(REQUESTS)];

    if (!asked->open || asked->what != ASK_JOB || asked->request.worker != worker)
        return;
    asked->open = false;
    sim_pools.jobs[asked->job].cancelled = true;
    troupe_request_cancel(&asked->request);
}

void pools_act(troupe_worker *worker)
{
    uint32_t index = sim_pools.count == 0 ? 0 : sim_below(sim_pools.count);
    struct sim_pool *pool = &sim_pools.pools[index];

    if (sim_pools.count == 0 || sim_below(40) == 0) {
        make_pool(worker);
        return;
    }
    if (!pool->made)
        return;
    switch (sim_below(30)) {
    case 0:
        resize(worker, index);
        break;
    case 1:
        ask(worker, index, ASK_STATS, "pool.stats", "{}");
        break;
    case 2:
        if (sim_below(2) != 0)
            break;
        pool->drains = true;
        pool->end_asked |= sim_below(4) == 0;
        ask(worker, index, ASK_DRAIN, "pool.drain", pool->end_asked ? "{\"stop\":true}" : "{}");
        break;
    case 3:
        ask(worker, index, ASK_RESUME, "pool.resume", "{}");
        break;
    case 4:
        if (sim_below(10) == 0)
            stop(worker, index);
        break;
    case 5:
    case 6:
        stop_worker(worker);
        break;
    case 7:
        cancel(worker);
        break;
    default:
        for (uint32_t n = 1 + sim_below(6); n > 0 && !sim_world.failed; n--)
            send_job(worker, index);
        break;
    }
}

/* ---- judge ---- */

void pools_look(troupe_worker *worker)
{
    for (uint32_t i = 0; i < sim_pools.count; i++)
        if (sim_pools.pools[i].made && !sim_pools.pools[i].ended)
            ask(worker, i, ASK_STATS, "pool.stats", "{}");
}

bool pools_rest(void)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct asked *asked = &asked_all[i];
        if (asked->open && asked->what == ASK_JOB && sim_now_ms() >= sim_pools.jobs[asked->job].deadline_ms + LATE_MS)
            return sim_fail("job %u of pool %u is not answered %llu ms after its deadline", asked->job, asked->pool,
                            (unsigned long long)(sim_now_ms() - sim_pools.jobs[asked->job].deadline_ms));
    }
    return true;
}

bool pools_end(void)
{
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (asked_all[i].open)
            return sim_fail("a request to a pool (kind %d) is not answered after the shutdown", (int)asked_all[i].what);
    for (uint32_t i = 0; i < sim_pools.workers_count; i++)
        if (!sim_pools.workers[i].ended)
            return sim_fail("worker %u of a pool outlives the shutdown", i);
    return true;
}
