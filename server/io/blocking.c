/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread drives one blocking worker: it polls until nothing is left, parks, and waits for its semaphore. The worker
 * has no deadlines, so there is nothing else to wait for.
 *
 * The core says by wake() that a worker is wanted. The first time there is no thread yet: its bit is set in `wanted`,
 * and the control thread makes it, as it makes and joins them all. The semaphore counts meanwhile, so no wake is
 * lost. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "io/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

struct blocking_thread {
    /* set once */
    struct blocking *blocking;
    troupe_worker *worker;
    uint32_t i;
    pthread_t thread;
    bool has_thread;
    /* any */
    sem_t work;
    _Atomic bool has_ended;      /* the thread's last act */
};

struct blocking {
    struct blocking_config config;
    uint32_t count;
    bool told;                   /* that a thread could not be made */
    _Atomic uint64_t made;       /* bit i: thread i was made; set by the control thread, read by those who wake */
    _Atomic uint64_t wanted;     /* bit i: it should be */
    _Atomic bool stops;
    struct blocking_thread threads[];
};

int blocking_new(const struct blocking_config *config, struct blocking **ret_blocking)
{
    uint32_t count = troupe_system_blocking_workers(config->system);
    struct blocking *blocking = calloc(1, sizeof *blocking + count * sizeof blocking->threads[0]);
    if (blocking == NULL)
        return TROUPE_E_NO_MEMORY;
    blocking->config = *config;
    blocking->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct blocking_thread *thread = &blocking->threads[i];
        thread->blocking = blocking;
        thread->i = i;
        thread->worker = troupe_system_worker(config->system, troupe_system_workers(config->system) + i);
        sem_init(&thread->work, 0, 0);
    }
    *ret_blocking = blocking;
    return 0;
}

void blocking_free(struct blocking *blocking)
{
    if (blocking == NULL)
        return;
    for (uint32_t i = 0; i < blocking->count; i++)
        sem_destroy(&blocking->threads[i].work);
    free(blocking);
}

void blocking_wake(struct blocking *blocking, uint32_t i)
{
    uint64_t bit = UINT64_C(1) << i;
    sem_post(&blocking->threads[i].work);
    if ((atomic_load_explicit(&blocking->made, memory_order_relaxed) & bit) != 0)
        return;
    atomic_fetch_or_explicit(&blocking->wanted, bit, memory_order_release);
    blocking->config.wake_control(blocking->config.user);
}

static void *run(void *arg)
{
    struct blocking_thread *thread = arg;
    while (!atomic_load_explicit(&thread->blocking->stops, memory_order_acquire)) {
        if (troupe_worker_poll(thread->worker, clock_now_ns(), 1) == 0 || !troupe_worker_park(thread->worker))
            continue;
        while (sem_wait(&thread->work) != 0 && errno == EINTR)
            continue;
        troupe_worker_unpark(thread->worker);
    }
    atomic_store_explicit(&thread->has_ended, true, memory_order_release);
    return NULL;
}

static bool make(struct blocking *blocking, struct blocking_thread *thread)
{
    char name[16]; /* the kernel's bound */
    thread->has_thread = pthread_create(&thread->thread, NULL, run, thread) == 0;
    if (!thread->has_thread) {
        if (!blocking->told)
            log_printf(TROUPE_LOG_ERROR, "a thread for blocking work could not be made; it is tried again");
        blocking->told = true;
        return false;
    }
    snprintf(name, sizeof name, "blocking-%u", thread->i);
    (void)pthread_setname_np(thread->thread, name);
    return true;
}

void blocking_make_wanted(struct blocking *blocking)
{
    uint64_t wanted = atomic_load_explicit(&blocking->wanted, memory_order_relaxed);
    if (wanted == 0 || atomic_load_explicit(&blocking->stops, memory_order_relaxed))
        return;
    wanted = atomic_exchange_explicit(&blocking->wanted, 0, memory_order_acquire);
    wanted &= ~atomic_load_explicit(&blocking->made, memory_order_relaxed); /* who wakes may look too early */
    for (uint32_t i = 0; i < blocking->count; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if ((wanted & bit) == 0)
            continue;
        if (make(blocking, &blocking->threads[i]))
            atomic_fetch_or_explicit(&blocking->made, bit, memory_order_relaxed);
        else
            atomic_fetch_or_explicit(&blocking->wanted, bit, memory_order_relaxed);
    }
}

void blocking_stop(struct blocking *blocking)
{
    atomic_store_explicit(&blocking->stops, true, memory_order_release);
    for (uint32_t i = 0; i < blocking->count; i++)
        sem_post(&blocking->threads[i].work);
}

static bool is_held(const struct blocking_thread *thread)
{
    return thread->has_thread && !atomic_load_explicit((_Atomic bool *)&thread->has_ended, memory_order_acquire);
}

bool blocking_have_ended(const struct blocking *blocking)
{
    for (uint32_t i = 0; i < blocking->count; i++) {
        if (is_held(&blocking->threads[i]))
            return false;
    }
    return true;
}

void blocking_tell_held(const struct blocking *blocking)
{
    troupe_ref actor;
    const char *behavior;
    uint64_t turn;
    for (uint32_t i = 0; i < blocking->count; i++) {
        const struct blocking_thread *thread = &blocking->threads[i];
        if (!is_held(thread) || !troupe_worker_turn(thread->worker, &actor, &behavior, &turn))
            continue;
        char ref[TROUPE_REF_TEXT_MAX];
        troupe_ref_format(actor, ref);
        const struct log_field fields[] = {{"actor", ref}, {"behavior", behavior}, {NULL, NULL}};
        log_write(TROUPE_LOG_ERROR, "a blocking turn did not end with the node and is cut off", fields);
    }
}

void blocking_join(struct blocking *blocking)
{
    if (blocking == NULL)
        return;
    for (uint32_t i = 0; i < blocking->count; i++) {
        if (blocking->threads[i].has_thread)
            pthread_join(blocking->threads[i].thread, NULL);
        blocking->threads[i].has_thread = false;
    }
}
