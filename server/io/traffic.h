/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters of the transport. Each set belongs to one thread, which alone writes it; any thread may read. Relaxed: a
 * figure publishes nothing but itself. */
#ifndef TROUPE_SERVER_TRAFFIC_H
#define TROUPE_SERVER_TRAFFIC_H

#include <stdatomic.h>
#include <stdint.h>

#include "api/api.h"

typedef _Atomic uint64_t traffic_counter;

/* Of a worker. */
struct traffic_worker {
    traffic_counter requests[6], opened, waiting, swept, refused[16];
    traffic_counter sessions, frames_in, frames_out; /* WebSocket; sessions are those of now */
    traffic_counter streams, events_out, events_lagged; /* event streams; streams are those of now */
};

/* Of the control thread. */
struct traffic_control {
    traffic_counter refused[16], timed_out, heads_waiting, connections_refused;
};

static inline void traffic_add(traffic_counter *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + n, memory_order_relaxed);
}

static inline uint64_t traffic_read(const traffic_counter *counter)
{
    return atomic_load_explicit((traffic_counter *)counter, memory_order_relaxed);
}

#endif
