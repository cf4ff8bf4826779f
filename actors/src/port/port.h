/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core needs of a platform: memory and a lock. Nothing else: time, wake-ups and threads come from whoever
 * drives the workers (troupe/system.h), randomness from the seed it gives.
 *
 * port_posix.c is for programs with threads, port_wasm.c for wasm32 without a libc. To port the core, write these
 * functions. Zeroed memory is a valid, unlocked troupe__lock. */
#ifndef TROUPE_PORT_H
#define TROUPE_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Memory of at least `size` bytes aligned to 16, below 2^48; NULL when there is none. size > 0. Thread: any. */
void *troupe__port_alloc(size_t size);

/* The same, zeroed; large blocks cost no memory before they are touched. */
void *troupe__port_alloc_zeroed(size_t size);

/* Give back what the two above gave, with its size. NULL is legal. */
void troupe__port_free(void *ptr, size_t size);

/* Tests: the n-th allocation from now fails, once (n = 1: the next); 0: none. */
void troupe__port_fail_after(uint64_t n);

/* A lock for sections of a few dozen instructions that call nothing but the core's own leaves. Not recursive. */
struct troupe__lock {
#ifdef __wasm__
    int unused;
#else
    _Alignas(8) unsigned char storage[48]; /* a pthread_mutex_t; checked in port_posix.c */
#endif
};
void troupe__lock_acquire(struct troupe__lock *lock);
void troupe__lock_release(struct troupe__lock *lock);

#endif
