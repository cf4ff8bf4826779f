/* SPDX-License-Identifier: Apache-2.0 */
#include "io/conn.h"

#include <linux/tcp.h> /* its struct tcp_info has tcpi_bytes_received */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "api/reply.h"
#include "api/router.h"

enum { SWEEP_TICKS = 20 /* every connection is looked at once in this many ticks */ };

/* ---- rings ---- */

void conn_link(struct conn *conn)
{
    struct http *http = conn->http;
    conn->prev = http->all.prev;
    conn->next = &http->all;
    http->all.prev->next = conn;
    http->all.prev = conn;
}

void conn_unlink(struct conn *conn)
{
    conn->prev->next = conn->next;
    conn->next->prev = conn->prev;
}

void conn_watch(struct conn *conn)
{
    struct http *http = conn->http;
    conn->fresh_prev = http->fresh.fresh_prev;
    conn->fresh_next = &http->fresh;
    http->fresh.fresh_prev->fresh_next = conn;
    http->fresh.fresh_prev = conn;
    conn->is_fresh = true;
}

static void fresh_remove(struct conn *conn)
{
    if (!conn->is_fresh)
        return;
    conn->fresh_prev->fresh_next = conn->fresh_next;
    conn->fresh_next->fresh_prev = conn->fresh_prev;
    conn->is_fresh = false;
}

/* ---- states ---- */

void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowance_ms)
{
    struct http *http = conn->http;
    if (conn->state == CONN_IDLE && state != CONN_IDLE)
        http->requests++;
    if (conn->state != CONN_IDLE && state == CONN_IDLE)
        http->requests--;
    if (conn->state != CONN_WAITING && state == CONN_WAITING)
        traffic_add(&http->config.traffic->waiting, 1);
    if (conn->state == CONN_WAITING && state != CONN_WAITING)
        traffic_add(&http->config.traffic->waiting, (uint64_t)-1);
    conn->state = state;
    conn->deadline_ms = allowance_ms != 0 ? http->now_ms + allowance_ms : 0;
}

void conn_unwatch(struct conn *conn)
{
    fresh_remove(conn);
    if (conn->watched)
        (void)epoll_ctl(conn->http->gone_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    conn->watched = false;
}

/* ---- the body ---- */

void conn_drop_body(struct conn *conn)
{
    if (conn->body != conn->body_inline) {
        atomic_fetch_sub_explicit(&conn->http->config.shared->bodies_bytes, conn->body_cap, memory_order_relaxed);
        free(conn->body);
        conn->body = conn->body_inline;
        conn->body_cap = sizeof conn->body_inline;
    }
    conn->body_len = 0;
}

void conn_refuse_size(struct conn *conn)
{
    conn->refused = true;
    api_refuse(&conn->req, TROUPE_E_TOO_LARGE, "body", "a body has at most %zu bytes on this node; send less, or start "
               "the node with a larger --body-max", conn->http->config.env->body_max);
}

static bool grow_body(struct conn *conn, size_t need)
{
    struct http_shared *shared = conn->http->config.shared;
    size_t cap = conn->body_cap;
    while (cap < need)
        cap *= 2;
    bool was_inline = conn->body == conn->body_inline;
    size_t more = was_inline ? cap : cap - conn->body_cap;
    uint64_t total = atomic_fetch_add_explicit(&shared->bodies_bytes, more, memory_order_relaxed) + more;
    char *body = total > shared->bodies_bytes_max ? NULL : realloc(was_inline ? NULL : conn->body, cap);
    if (body == NULL) {
        atomic_fetch_sub_explicit(&shared->bodies_bytes, more, memory_order_relaxed);
        return false;
    }
    if (was_inline)
        memcpy(body, conn->body_inline, conn->body_len);
    conn->body = body;
    conn->body_cap = cap;
    return true;
}

bool conn_take_body(struct conn *conn, const char *bytes, size_t len)
{
    if (!conn->refused && len > conn->http->config.env->body_max - conn->body_len)
        conn_refuse_size(conn);
    if (!conn->refused && conn->req.route->body != API_BODY_NONE) {
        if (conn->body_len + len > conn->body_cap && !grow_body(conn, conn->body_len + len)) {
            conn->refused = true;
            api_refuse(&conn->req, TROUPE_E_OVERLOADED, "body", "the node holds too many request bodies at once; try "
                                                                "again later");
        } else {
            memcpy(conn->body + conn->body_len, bytes, len);
            conn->body_len += len;
            return true;
        }
    }
    if (conn->refused)
        conn_drop_body(conn);
    conn->discarded += len;
    return conn->discarded <= CONN_DISCARD_BYTES_MAX;
}

/* ---- deadlines ---- */

/* Bytes that TCP has received on the connection, ever. */
static uint64_t received(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received : 0;
}

void conn_account(struct conn *conn, uint64_t head_bytes, uint64_t body_bytes, bool is_chunked)
{
    conn->accounted += head_bytes + body_bytes;
    conn->is_uncounted = conn->is_uncounted || is_chunked;
}

bool conn_is_ahead(const struct conn *conn)
{
    int unread = 0;
    if (conn->is_uncounted || ioctl(conn->fd, FIONREAD, &unread) != 0)
        return false;
    return received(conn->fd) > conn->accounted + (uint64_t)unread;
}

static void sweep_out(struct conn *conn)
{
    traffic_add(&conn->http->config.traffic->swept, 1);
    conn->deadline_ms = 0;
    shutdown(conn->fd, SHUT_RDWR); /* MHD sees the end and closes */
}

/* Between requests: bytes that came and made no request within the head's time are a head that drips. */
static void sweep_idle(struct conn *conn, uint64_t now_ms)
{
    uint64_t bytes = received(conn->fd);
    if (conn->requests != conn->requests_seen) {
        conn->requests_seen = conn->requests;
        conn->received = bytes;
        conn->suspicious = false;
        return;
    }
    if (bytes == conn->received)
        return;
    if (!conn->suspicious) {
        conn->suspicious = true;
        conn->suspicious_ms = now_ms;
    } else if (now_ms - conn->suspicious_ms > conn->http->config.head_timeout_ms) {
        sweep_out(conn);
    }
}

static void watch_fresh(struct http *http, uint64_t now_ms)
{
    while (http->fresh.fresh_next != &http->fresh &&
           http->fresh.fresh_next->suspended_ms + HTTP_TICK_MS / 2 <= now_ms) {
        struct conn *conn = http->fresh.fresh_next;
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = conn};
        fresh_remove(conn);
        conn->watched = epoll_ctl(http->gone_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
    }
}

void conn_tick(struct http *http, uint64_t now_ms)
{
    http->now_ms = now_ms;
    watch_fresh(http, now_ms);
    for (unsigned left = http->connections / SWEEP_TICKS + 1; left > 0 && http->all.next != &http->all; left--) {
        struct conn *conn = http->all.next;
        conn_unlink(conn);
        conn_link(conn);
        if (http->is_retiring && conn->state == CONN_IDLE)
            shutdown(conn->fd, SHUT_RDWR);
        else if (conn->state == CONN_IDLE)
            sweep_idle(conn, now_ms);
        else if (conn->deadline_ms != 0 && now_ms > conn->deadline_ms)
            sweep_out(conn);
    }
}

