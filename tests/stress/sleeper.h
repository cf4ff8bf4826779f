/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that drives a worker sleeps here until somebody wakes it. There is no look around now and then: a wake-up that
 * is lost must not be made good by chance.
 *
 * Thread: sleeper_wake by any, the others by the one that sleeps. */
#ifndef TESTS_STRESS_SLEEPER_H
#define TESTS_STRESS_SLEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SLEEPER_SECONDS_MAX 100 /* of a whole run, too */

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t roused;
    bool woken; /* under the lock */
};

static inline uint64_t sleeper_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleeper_init(struct sleeper *sleeper)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&sleeper->lock, NULL);
    pthread_cond_init(&sleeper->roused, &attributes);
    sleeper->woken = false;
}

static inline void sleeper_wake(struct sleeper *sleeper)
{
    pthread_mutex_lock(&sleeper->lock);
    sleeper->woken = true;
    pthread_cond_signal(&sleeper->roused);
    pthread_mutex_unlock(&sleeper->lock);
}

/* Sleep until somebody wakes us or the delay is over. */
static inline void sleeper_rest(struct sleeper *sleeper, uint64_t delay_ns)
{
    const uint64_t most_ns = (uint64_t)SLEEPER_SECONDS_MAX * 1000000000u;
    struct timespec until;
    uint64_t at = sleeper_now_ns() + (delay_ns > most_ns ? most_ns : delay_ns);

    until.tv_sec = (time_t)(at / 1000000000u);
    until.tv_nsec = (long)(at % 1000000000u);
    pthread_mutex_lock(&sleeper->lock);
    while (!sleeper->woken && pthread_cond_timedwait(&sleeper->roused, &sleeper->lock, &until) == 0) {}
    sleeper->woken = false;
    pthread_mutex_unlock(&sleeper->lock);
}

#endif
