/* SPDX-License-Identifier: Apache-2.0
 *
 * C11 atomics with the memory order in the name of the operation, so that the orders in use can be read and searched
 * for. All atomics of the core go through here; each use says what it publishes and what it pairs with. */
#ifndef TROUPE_BASE_ATOMIC_H
#define TROUPE_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define atomic_load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define atomic_load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define atomic_load_seq(p) atomic_load_explicit((p), memory_order_seq_cst)
#define atomic_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define atomic_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define atomic_store_seq(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define atomic_exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define atomic_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define atomic_sub_relaxed(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define atomic_sub_release(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define atomic_or_relaxed(p, v) atomic_fetch_or_explicit((p), (v), memory_order_relaxed)
#define atomic_cas_weak_acq_rel(p, expected, v) \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define atomic_cas_weak_seq(p, expected, v) \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_seq_cst, memory_order_acquire)
#define atomic_cas_strong_seq(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_seq_cst, memory_order_acquire)

/* A counter with one writer and any readers: no locked instruction. Advisory to the readers. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_relaxed(counter, atomic_load_relaxed(counter) + n);
}

#endif
