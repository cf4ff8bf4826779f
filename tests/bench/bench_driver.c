/* SPDX-License-Identifier: Apache-2.0
 *
 * Driving a system as a plain program does: one thread per worker that polls, looks again a few times, and parks.
 *
 * Worker 0 belongs to the main thread, which drives it only while it waits for something (an answer to its request).
 * Every other worker has a thread of its own from new to free.
 *
 * Parking: the thread asks troupe_worker_park(); when it may block it waits on its condition until wake() (any thread)
 * sets `roused`, or until the worker's next deadline. `roused` is under the mutex, so a wake between park and wait is
 * not lost. Waking an idle core costs some 25 us, which is why a worker looks around LOOKS_BEFORE_PARK times first. */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURNS_PER_POLL 256u
#define LOOKS_BEFORE_PARK 64u

struct driver {
    struct bench_node *node;
    troupe_worker *worker;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond; /* on the monotonic clock */
    bool roused;         /* under mutex */
    bool started;        /* the thread runs */
};

struct bench_node {
    troupe_system *system;
    uint32_t workers;
    atomic_bool ending;     /* set by free, read by every thread */
    struct driver *drivers; /* one per worker */
};

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t on_clock(void *user)
{
    (void)user;
    return bench_now_ns();
}

/* ---- park and wake ---- */

static void rouse(struct driver *driver)
{
    pthread_mutex_lock(&driver->mutex);
    driver->roused = true;
    pthread_cond_signal(&driver->cond);
    pthread_mutex_unlock(&driver->mutex);
}

static void on_wake(void *user, uint32_t worker)
{
    struct bench_node *node = user;
    rouse(&node->drivers[worker]);
}

/* Block until roused, or for delay_ns. */
static void sleep_until_roused(struct driver *driver, uint64_t delay_ns)
{
    uint64_t until_ns = delay_ns == TROUPE_NEVER ? TROUPE_NEVER : bench_now_ns() + delay_ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

    pthread_mutex_lock(&driver->mutex);
    int error = 0;
    while (!driver->roused && error == 0) {
        if (until_ns == TROUPE_NEVER)
            error = pthread_cond_wait(&driver->cond, &driver->mutex);
        else
            error = pthread_cond_timedwait(&driver->cond, &driver->mutex, &until);
    }
    driver->roused = false;
    pthread_mutex_unlock(&driver->mutex);
}

/* Poll until `*done` (main thread) or until the node ends (the others). */
static void drive(struct driver *driver, const bool *done)
{
    unsigned looks = 0;
    while (done != NULL ? !*done : !atomic_load_explicit(&driver->node->ending, memory_order_acquire)) {
        uint64_t delay_ns = troupe_worker_poll(driver->worker, bench_now_ns(), TURNS_PER_POLL);
        if (delay_ns == 0 || (done != NULL && *done)) {
            looks = 0;
        } else if (looks < LOOKS_BEFORE_PARK) {
            looks++;
        } else {
            if (troupe_worker_park(driver->worker))
                sleep_until_roused(driver, delay_ns);
            troupe_worker_unpark(driver->worker);
            looks = 0;
        }
    }
}

static void *thread_main(void *arg)
{
    drive(arg, NULL);
    return NULL;
}

/* ---- make and destroy ---- */

static void driver_init(struct driver *driver, struct bench_node *node, uint32_t i)
{
    pthread_condattr_t attr;
    driver->node = node;
    driver->worker = troupe_system_worker(node->system, i);
    pthread_mutex_init(&driver->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&driver->cond, &attr);
    pthread_condattr_destroy(&attr);
}

int bench_node_new(const struct bench_round *round, const troupe_behavior *const *behaviors,
                   struct bench_node **ret_node)
{
    struct bench_node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return TROUPE_E_NO_MEMORY;
    node->workers = round->workers;
    node->drivers = calloc(round->workers, sizeof(*node->drivers));
    int error = node->drivers == NULL ? TROUPE_E_NO_MEMORY : 0;
    if (error != 0)
        goto out;

    troupe_system_config config = {.workers = round->workers,
                                   .node = 0xbe7c4u,
                                   .seed = 1,
                                   .user = node,
                                   .wake = on_wake,
                                   .clock_ns = round->clock ? on_clock : NULL};
    error = troupe_system_new(&config, &node->system);
    for (; error == 0 && *behaviors != NULL; behaviors++)
        error = troupe_system_add_behavior(node->system, *behaviors);
    for (uint32_t i = 0; error == 0 && i < node->workers; i++)
        driver_init(&node->drivers[i], node, i);
    for (uint32_t i = 1; error == 0 && i < node->workers; i++) {
        struct driver *driver = &node->drivers[i];
        driver->started = pthread_create(&driver->thread, NULL, thread_main, driver) == 0;
        error = driver->started ? 0 : TROUPE_E_NO_MEMORY;
    }
out:
    if (error != 0)
        bench_node_free(node);
    else
        *ret_node = node;
    return error;
}

void bench_node_free(struct bench_node *node)
{
    if (node == NULL)
        return;
    atomic_store_explicit(&node->ending, true, memory_order_release);
    for (uint32_t i = 0; node->drivers != NULL && i < node->workers; i++) {
        struct driver *driver = &node->drivers[i];
        if (driver->started) {
            rouse(driver);
            pthread_join(driver->thread, NULL);
        }
    }
    troupe_system_free(node->system);
    for (uint32_t i = 0; node->drivers != NULL && i < node->workers; i++) {
        struct driver *driver = &node->drivers[i];
        if (driver->worker == NULL)
            continue;
        pthread_mutex_destroy(&driver->mutex);
        pthread_cond_destroy(&driver->cond);
    }
    free(node->drivers);
    free(node);
}

/* ---- ask ---- */

struct question {
    troupe_request request;
    bool done;
    int error;
    troupe_ref ref;
};

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct question *question = request->user;
    question->done = true;
    question->error = answer->error;
    question->ref = answer->ref;
    if (answer->error != 0)
        fprintf(stderr, "bench: %s: %.*s\n", troupe_error_lookup(answer->error)->text, (int)answer->detail.len,
                answer->detail.len > 0 ? (const char *)answer->detail.ptr : "");
}

static int await(struct bench_node *node, struct question *question)
{
    drive(&node->drivers[0], &question->done);
    return question->error;
}

int bench_node_spawn(struct bench_node *node, const troupe_behavior *behavior, troupe_body args, troupe_ref *ret_ref)
{
    struct question question = {.request.user = &question};
    troupe_spawn_opts opts = {.behavior = behavior->name, .args = args};
    troupe_worker *worker = node->drivers[0].worker;

    troupe_worker_set_now(worker, bench_now_ns());
    troupe_request_spawn(worker, &question.request, on_done, &opts);
    int error = await(node, &question);
    if (error == 0)
        *ret_ref = question.ref;
    return error;
}

int bench_node_ask(struct bench_node *node, troupe_ref to, const char *type, troupe_body body, uint64_t count,
                   double *ret_ns)
{
    troupe_worker *worker = node->drivers[0].worker;
    uint64_t start_ns = bench_now_ns();
    troupe_worker_set_now(worker, start_ns);
    for (uint64_t i = 0; i < count; i++) {
        struct question question = {.request.user = &question};
        troupe_request_call(worker, &question.request, on_done, to, troupe_view_of(type), body, (troupe_caller){0},
                            BENCH_CALL_TIMEOUT_MS);
        int error = await(node, &question);
        if (error != 0)
            return error;
    }
    *ret_ns = (double)(bench_now_ns() - start_ns);
    return 0;
}

int bench_node_stop(struct bench_node *node, troupe_ref ref, double *ret_ns)
{
    troupe_worker *worker = node->drivers[0].worker;
    struct question question = {.request.user = &question};
    uint64_t start_ns = bench_now_ns();
    troupe_worker_set_now(worker, start_ns);
    troupe_request_stop(worker, &question.request, on_done, ref, TROUPE_STOP, (troupe_view){"", 0},
                        BENCH_CALL_TIMEOUT_MS);
    int error = await(node, &question);
    *ret_ns = (double)(bench_now_ns() - start_ns);
    return error;
}

int bench_node_call(struct bench_node *node, troupe_ref to, const char *type, troupe_body body, double *ret_ns)
{
    return bench_node_ask(node, to, type, body, 1, ret_ns);
}

void bench_node_stats(struct bench_node *node, troupe_stats *ret_stats)
{
    troupe_system_stats(node->system, ret_stats);
}

troupe_worker *bench_node_worker(struct bench_node *node) { return node->drivers[0].worker; }

void bench_node_drive(struct bench_node *node, const bool *done) { drive(&node->drivers[0], done); }
