/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's thread: one libev loop that drives the worker of the core and its connections: HTTP, WebSocket, event
 * streams. Others reach it by orders, which go through a pipe: the kernel's queue, no lock of ours.
 *
 * Thread: the control thread (or main, before and after it) for all functions here, unless one says otherwise. */
#ifndef TROUPE_SERVER_LOOP_H
#define TROUPE_SERVER_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/http_mhd.h"

struct loop;

struct loop_config {
    const struct api_env *env;
    uint32_t index;              /* of the worker */
    struct http_shared *shared;
    uint64_t head_timeout_ms, idle_timeout_ms;
};

/* Make a loop; its thread starts with loop_start. Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INTERNAL. */
TROUPE_MUST_USE int loop_new(const struct loop_config *config, struct loop **ret_loop);
TROUPE_MUST_USE int loop_start(struct loop *loop);

/* Close what is open and free. State: its thread has ended, or never started. */
void loop_free(struct loop *loop);

/* Rouse the thread when it blocks. Any thread. */
void loop_wake(struct loop *loop);

/* Hand over a connection. False when the loop's queue is full: the caller still owns fd. */
TROUPE_MUST_USE bool loop_send_connection(struct loop *loop, int fd);

/* Begin to end all actors of the node: to one loop only. */
void loop_send_shutdown(struct loop *loop, enum troupe_stop_mode mode, uint32_t timeout_ms);

/* Run a function on the thread, which owns the worker. */
void loop_send_task(struct loop *loop, void (*task)(void *user, troupe_worker *worker), void *user);

/* Close idle connections; answers say Connection: close; sessions are told to go elsewhere. */
void loop_send_retire(struct loop *loop);

/* End the thread, after the requests under way and the closing of sessions, but no later than grace_ms. */
void loop_send_stop(struct loop *loop, uint32_t grace_ms);

/* Has the thread ended, so that loop_join does not block? */
bool loop_has_ended(const struct loop *loop);

/* Wait for the end of the thread. */
void loop_join(struct loop *loop);

/* Connections that it has, those on their way included. Any thread. */
unsigned loop_connections(const struct loop *loop);

/* Its counters. Any thread. */
const struct traffic_worker *loop_traffic(const struct loop *loop);

#endif
