/* SPDX-License-Identifier: Apache-2.0 */
#include "io/farewell.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/access.h"
#include "io/ring.h"

enum { FAREWELL_MS = 2000, LEAVING_MAX = 1024, DROPPED_BYTES_MAX = 4 << 20 };

struct leaving {
    ev_io readable;
    struct ring ring;
    struct farewell *farewell;
    int fd;
    uint64_t deadline_ms;
    size_t dropped;              /* bytes */
};

struct farewell {
    struct farewell_config config;
    struct ring all;             /* in the order of their deadlines */
    unsigned count;
};

static void end(struct leaving *one)
{
    const struct farewell_config *config = &one->farewell->config;
    ev_io_stop(config->ev, &one->readable);
    ring_remove(&one->ring);
    one->farewell->count--;
    atomic_fetch_sub_explicit(config->connections, 1, memory_order_relaxed);
    if (config->env->access != NULL)
        access_address_leave(config->env->access, one->fd);
    close(one->fd);
    free(one);
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct leaving *one = w->data;
    (void)ev, (void)events;
    ssize_t len = recv(one->fd, NULL, DROPPED_BYTES_MAX, MSG_TRUNC | MSG_DONTWAIT); /* TCP: dropped uncopied */
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    one->dropped += len > 0 ? (size_t)len : 0;
    if (len <= 0 || one->dropped > DROPPED_BYTES_MAX)
        end(one);
}

bool farewell_take(struct farewell *farewell, int fd, uint64_t now_ms)
{
    char byte;
    struct leaving *one = NULL;
    if (farewell->count < LEAVING_MAX && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        one = calloc(1, sizeof *one);
    if (one == NULL)
        return false;
    shutdown(fd, SHUT_WR);
    one->farewell = farewell;
    one->fd = fd;
    one->deadline_ms = now_ms + FAREWELL_MS;
    ring_init(&one->ring);
    ring_append(&farewell->all, &one->ring);
    farewell->count++;
    ev_io_init(&one->readable, on_readable, fd, EV_READ);
    one->readable.data = one;
    ev_io_start(farewell->config.ev, &one->readable);
    return true;
}

void farewell_tick(struct farewell *farewell, uint64_t now_ms)
{
    while (!ring_is_empty(&farewell->all)) {
        struct leaving *one = RING_OF(farewell->all.next, struct leaving, ring);
        if (one->deadline_ms > now_ms)
            return;
        end(one);
    }
}

unsigned farewell_count(const struct farewell *farewell) { return farewell->count; }

int farewell_new(const struct farewell_config *config, struct farewell **ret_farewell)
{
    struct farewell *farewell = calloc(1, sizeof *farewell);
    if (farewell == NULL)
        return TROUPE_E_NO_MEMORY;
    farewell->config = *config;
    ring_init(&farewell->all);
    *ret_farewell = farewell;
    return 0;
}

void farewell_free(struct farewell *farewell)
{
    if (farewell == NULL)
        return;
    while (!ring_is_empty(&farewell->all))
        end(RING_OF(farewell->all.next, struct leaving, ring));
    free(farewell);
}
