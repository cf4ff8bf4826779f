/* SPDX-License-Identifier: Apache-2.0
 *
 * The port for POSIX threads. Memory is malloc's; on Linux large zeroed blocks come untouched from the kernel. */
#include "port/port.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct troupe__lock), "troupe__lock is too small");
_Static_assert(_Alignof(pthread_mutex_t) <= _Alignof(struct troupe__lock), "troupe__lock is not aligned");
_Static_assert(_Alignof(max_align_t) >= 16, "malloc must align to 16");

/* Tests only: allocations left until one fails; 0 means that none does. Relaxed: fault tests have one thread. */
static _Atomic uint64_t fail_countdown;

void troupe__port_fail_after(uint64_t n) { atomic_store_explicit(&fail_countdown, n, memory_order_relaxed); }

static int fails_now(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0)
        return 0;
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *troupe__port_alloc(size_t size) { return fails_now() ? NULL : malloc(size); }

void *troupe__port_alloc_zeroed(size_t size) { return fails_now() ? NULL : calloc(1, size); }

void troupe__port_free(void *ptr, size_t size)
{
    (void)size;
    free(ptr);
}

/* Zeroed memory is PTHREAD_MUTEX_INITIALIZER on every libc we build on; locks are never destroyed as they hold nothing. */
void troupe__lock_acquire(struct troupe__lock *lock) { pthread_mutex_lock((pthread_mutex_t *)(void *)lock); }

void troupe__lock_release(struct troupe__lock *lock) { pthread_mutex_unlock((pthread_mutex_t *)(void *)lock); }
