/* SPDX-License-Identifier: Apache-2.0
 *
 * The head stage: accepts connections, waits until the first head of each is whole, checks it, and hands the connection
 * over: with a request of the registry to the control thread's own HTTP, any other to the worker with the fewest. The
 * bytes stay in the socket (MSG_PEEK) for the library that will own it.
 *
 * Thread: the control thread. */
#ifndef TROUPE_SERVER_HEAD_H
#define TROUPE_SERVER_HEAD_H

#include "io/loop.h"

struct head_stage;

struct head_config {
    const struct api_env *env;
    struct loop *const *loops;
    unsigned loops_count;
    struct traffic_control *traffic;
    uint64_t timeout_ms;         /* for a head, from accept */
    bool (*to_registry)(void *user, int fd); /* false: not taken, the caller still owns fd */
    unsigned (*registry_connections)(void *user);
    void *user;
};

TROUPE_MUST_USE int head_new(const struct head_config *config, struct head_stage **ret_stage);

/* Close the connections that are here and free. */
void head_free(struct head_stage *stage);

/* A descriptor to watch for reading; then call head_on_ready. */
int head_fd(const struct head_stage *stage);
void head_on_ready(struct head_stage *stage, uint64_t now_ms);

/* This listening socket is readable. False: descriptors are exhausted, come back in HEAD_PAUSE_MS. */
#define HEAD_PAUSE_MS 100u
bool head_on_accept(struct head_stage *stage, int listen_fd, uint64_t now_ms);

/* Close what is past its deadline. Returns the ms until it must be called again, UINT64_MAX for never. */
uint64_t head_tick(struct head_stage *stage, uint64_t now_ms);

#endif
