/* SPDX-License-Identifier: Apache-2.0
 *
 * The control thread: the one that calls control_run. It never runs an actor, so no actor can hold it. It owns the
 * listening socket and the head stage, the signals, the watchdog and the end of the node. */
#ifndef TROUPE_SERVER_CONTROL_H
#define TROUPE_SERVER_CONTROL_H

#include "io/head.h"

struct control_config {
    const struct api_env *env;
    struct api_health *health;
    int listen_fd;               /* owned by control_run from its start: closed when the node stops */
    struct loop *const *loops;
    unsigned loops_count;
    struct traffic_control *traffic;
    uint64_t head_timeout_ms, drain_timeout_ms, stuck_turn_max_ms;
    void (*leave)(void *user);   /* the process is about to end without clean-up: remove what others would see */
    void *user;
};

/* Block the signals that the control thread reads; before any thread is made, so that all inherit it. */
void control_block_signals(void);

/* Run until a signal has ended the node: its loops have then ended. Returns 0, or TROUPE_E_... when it could not start.
 * A worker that is stuck ends the process from here, with CONFIG_EXIT_STUCK. */
TROUPE_MUST_USE int control_run(const struct control_config *config);

#endif
