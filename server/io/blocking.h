/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads of the core's blocking workers: behaviors with TROUPE_BEHAVIOR_BLOCKING run there and may hold them up. A
 * thread is made when the core first wants its worker, so a node without such behaviors has none, and lasts until the
 * end.
 *
 * Thread: control (or main, before and after it) for all functions here, but blocking_wake. */
#ifndef TROUPE_SERVER_BLOCKING_H
#define TROUPE_SERVER_BLOCKING_H

#include <stdbool.h>
#include <stdint.h>

#include <troupe/system.h>

struct blocking;

struct blocking_config {
    troupe_system *system;       /* borrowed */
    void (*wake_control)(void *user); /* a thread is to be made: let blocking_make_wanted run. Any thread */
    void *user;
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int blocking_new(const struct blocking_config *config, struct blocking **ret_blocking);

/* State: blocking_join was called, or nobody polls. NULL is legal, here and in blocking_join. */
void blocking_free(struct blocking *blocking);

/* Blocking worker i (of all: 0 is the first one) has work. Any thread. */
void blocking_wake(struct blocking *blocking, uint32_t i);

/* Make the threads that are wanted and are not there. One that cannot be made is tried again by the next call. */
void blocking_make_wanted(struct blocking *blocking);

/* End the threads: each after the turn it is in, whatever waits. Returns at once. */
void blocking_stop(struct blocking *blocking);

/* Have all threads ended, so that blocking_join does not block? */
bool blocking_have_ended(const struct blocking *blocking);

/* Log which actors hold up threads that should end. */
void blocking_tell_held(const struct blocking *blocking);

void blocking_join(struct blocking *blocking);

#endif
