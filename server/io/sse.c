/* SPDX-License-Identifier: Apache-2.0
 *
 * The happy path of a stream, all on the worker's thread:
 *   sse_take()         subscribes, and monitors the actor; the response head is written
 *   on_ready()         the topic has events: the stream is dirty
 *   sse_flush()        once in each pass of the loop: a dirty stream reads its events and writes them by one send().
 *                      What an event is as text is made once and used for all streams of the pass
 *   on_down()          the actor has ended: when its events are read, the last event tells why, and the stream ends
 *
 * The failure modes:
 *   slow reader        what the socket does not take, at most FLUSH_BYTES_MAX and one event, is kept; until it is gone
 *                      the topic is not read. So the subscription lags, and the reader is told how many it missed. One
 *                      that takes nothing for STALL_MS is closed
 *   many slow readers  what they keep together has a limit, KEPT_SHARE; a stream that would exceed it is closed
 *   client gone        its end of the socket is seen at once, because reading is always watched for; what it sends is
 *                      dropped, and too much of it closes. A client that vanished without a word is found by the ping
 *                      comments, which TCP gives up after STALL_MS */
#include "io/sse.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/access.h"
#include "base/clock.h"
#include "io/ring.h"
#include "session/stream.h"

enum {
    FLUSH_BYTES_MAX = 32 << 10,  /* of a stream in one pass */
    PING_MS = 15000, STALL_MS = 60000,
    KEPT_SHARE = 8,              /* of the node's memory, for what all slow readers have not taken */
    INPUT_BYTES_MAX = 64 << 10,  /* that a client may send, though nobody reads it */
    SWEEP_TICKS = 4              /* every stream is looked at once in this many ticks */
};

struct stream {
    ev_io in, out;               /* out: while bytes wait */
    struct ring all, dirty;
    struct sse *sse;
    struct access_token *token;
    troupe_subscription subscription;
    troupe_request monitor;
    troupe_ref ref;
    int fd;
    bool has_no_actor;           /* it follows a topic of the node: its end is the last word */
    bool is_read;                /* the actor has ended and its events are read */
    bool is_last;                /* nothing follows what waits: then close */
    uint32_t input;              /* bytes that the client sent */
    uint64_t wrote_ms;           /* when the socket took bytes last */
    char *waiting;               /* what the socket did not take: NULL, or [at, len) of it */
    size_t waiting_at, waiting_len;
    char *down;                  /* the last event, once the actor has ended */
    size_t down_len;
    troupe_filter filter;
    char types[];                /* the text of the filter */
};

struct sse {
    struct sse_config config;
    struct ring all;             /* next is the one to sweep first */
    struct ring dirty;
    unsigned count;
    size_t kept_bytes, kept_bytes_max; /* what waits of all streams */
    uint64_t now_ms;             /* 0: not read yet in this pass */
    struct text scratch;         /* what is written next */
    struct text shared;          /* the event shared_id as text; several streams may want it */
    troupe_event_id shared_id;
};

static uint64_t now_of(struct sse *sse)
{
    if (sse->now_ms == 0)
        sse->now_ms = clock_now_ms();
    return sse->now_ms;
}

static void make_dirty(struct stream *stream)
{
    if (ring_is_empty(&stream->dirty))
        ring_append(&stream->sse->dirty, &stream->dirty);
}

static void drop_waiting(struct stream *stream)
{
    if (stream->waiting == NULL)
        return;
    stream->sse->kept_bytes -= stream->waiting_len;
    troupe_free(stream->waiting);
    stream->waiting = NULL;
}

/* Everything but the descriptor. */
static void free_stream(struct stream *stream)
{
    ring_remove(&stream->all);
    ring_remove(&stream->dirty);
    troupe_unsubscribe(&stream->subscription);
    if (stream->monitor.done != NULL)
        troupe_request_cancel(&stream->monitor);
    drop_waiting(stream);
    free(stream->down);
    free(stream);
}

static void close_stream(struct stream *stream)
{
    struct sse *sse = stream->sse;
    ev_io_stop(sse->config.ev, &stream->in);
    ev_io_stop(sse->config.ev, &stream->out);
    if (sse->config.env->access != NULL)
        access_address_leave(sse->config.env->access, stream->fd);
    if (stream->token != NULL)
        access_connection_leave(stream->token);
    access_token_drop(stream->token);
    close(stream->fd);
    sse->count--;
    traffic_add(&sse->config.traffic->streams, (uint64_t)-1);
    atomic_fetch_sub_explicit(sse->config.connections, 1, memory_order_relaxed);
    free_stream(stream);
}

/* ---- out ---- */

/* Returns the bytes that the socket took, or -1 when the connection has failed. */
static ssize_t send_some(struct stream *stream, const char *ptr, size_t len)
{
    ssize_t sent;
    do {
        sent = send(stream->fd, ptr, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    stream->wrote_ms = now_of(stream->sse);
    return sent;
}

/* Write, and keep what is not taken. False: the connection has failed, or too much is kept already; then this one goes,
 * and its reader can come back for what it missed. State: nothing waits. */
static bool write_or_keep(struct stream *stream, const char *ptr, size_t len)
{
    struct sse *sse = stream->sse;
    ssize_t sent = send_some(stream, ptr, len);
    if (sent < 0)
        return false;
    if ((size_t)sent == len)
        return true;
    size_t rest = len - (size_t)sent;
    if (rest > sse->kept_bytes_max - sse->kept_bytes || (stream->waiting = troupe_alloc(rest)) == NULL)
        return false;
    memcpy(stream->waiting, ptr + sent, rest);
    stream->waiting_len = rest;
    stream->waiting_at = 0;
    sse->kept_bytes += rest;
    ev_io_start(sse->config.ev, &stream->out);
    return true;
}

static void add_event(struct sse *sse, const troupe_event *event)
{
    if (event->lagged > 0) {
        stream_add_lagged(&sse->scratch, event->lagged);
        traffic_add(&sse->config.traffic->events_lagged, event->lagged);
    }
    if (sse->shared.len == 0 || sse->shared_id.epoch != event->id.epoch || sse->shared_id.seq != event->id.seq) {
        sse->shared.len = 0;
        stream_add_event(&sse->shared, event);
        sse->shared_id = event->id;
    }
    if (sse->shared.failed) {
        sse->scratch.failed = true;
        text_fini(&sse->shared);
        return;
    }
    text_add(&sse->scratch, sse->shared.ptr, sse->shared.len);
    traffic_add(&sse->config.traffic->events_out, 1);
}

/* Read events into scratch, and what follows the last one. */
static void read_events(struct stream *stream)
{
    struct sse *sse = stream->sse;
    troupe_event event;
    while (!stream->is_read && !sse->scratch.failed) {
        if (sse->scratch.len >= FLUSH_BYTES_MAX) {
            make_dirty(stream); /* there may be more */
            return;
        }
        int got = troupe_subscription_read(&stream->subscription, &event);
        if (got == 0)
            return;
        if (got > 0)
            add_event(sse, &event);
        else
            stream->is_read = true;
    }
    if (stream->is_read && stream->has_no_actor)
        stream->is_last = true;
    if (stream->down != NULL) {
        text_add(&sse->scratch, stream->down, stream->down_len);
        stream->is_last = true;
    }
}

/* Begin scratch anew; what one large event made of it is given back. */
static void clear(struct text *text)
{
    if (text->failed || text->cap > 2 * FLUSH_BYTES_MAX)
        text_fini(text);
    text->len = 0;
}

/* Write what there is. False: the stream is at its end, or failed. */
static bool flush(struct stream *stream)
{
    struct sse *sse = stream->sse;
    if (stream->waiting != NULL)
        return true;
    clear(&sse->scratch);
    read_events(stream);
    if (sse->scratch.failed)
        return false;
    if (sse->scratch.len > 0 && !write_or_keep(stream, sse->scratch.ptr, sse->scratch.len))
        return false;
    return !stream->is_last || stream->waiting != NULL;
}

void sse_flush(struct sse *sse)
{
    struct ring due;
    ring_init(&due);
    while (!ring_is_empty(&sse->dirty)) /* those that stay dirty wait for the next pass */
        ring_append(&due, sse->dirty.next);
    while (!ring_is_empty(&due)) {
        struct stream *stream = RING_OF(due.next, struct stream, dirty);
        ring_remove(&stream->dirty);
        if (!flush(stream))
            close_stream(stream);
    }
    clear(&sse->shared);
    sse->now_ms = 0;
}

bool sse_is_due(const struct sse *sse) { return !ring_is_empty(&sse->dirty); }

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    struct stream *stream = w->data;
    (void)events;
    ssize_t sent = send_some(stream, stream->waiting + stream->waiting_at, stream->waiting_len - stream->waiting_at);
    stream->waiting_at += sent > 0 ? (size_t)sent : 0;
    if (sent >= 0 && stream->waiting_at < stream->waiting_len)
        return;
    drop_waiting(stream);
    ev_io_stop(ev, &stream->out);
    if (sent < 0 || stream->is_last)
        close_stream(stream);
    else
        make_dirty(stream);
}

/* ---- in ---- */

static void on_input(struct ev_loop *ev, ev_io *w, int events)
{
    struct stream *stream = w->data;
    (void)ev, (void)events;
    ssize_t len = recv(stream->fd, NULL, INPUT_BYTES_MAX, MSG_TRUNC | MSG_DONTWAIT); /* TCP: dropped uncopied */
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len > 0)
        stream->input += (uint32_t)len;
    if (len <= 0 || stream->input > INPUT_BYTES_MAX)
        close_stream(stream);
}

static void on_ready(troupe_subscription *subscription) { make_dirty(subscription->user); }

static void on_down(troupe_request *request, const troupe_answer *answer)
{
    struct stream *stream = request->user;
    struct text text = {0};
    stream_add_down(&text, stream->ref, answer->error == 0 ? answer->exit : NULL);
    stream->down = text_take(&text, &stream->down_len);
    stream->is_last = stream->down == NULL; /* without memory it ends without a word */
    make_dirty(stream);
}

/* ---- taking over ---- */

static int subscribe(struct stream *stream, const struct api_takeover *to)
{
    struct sse *sse = stream->sse;
    stream->subscription.user = stream->monitor.user = stream;
    stream->subscription.ready = on_ready;
    if (stream->filter.count > 0)
        stream->subscription.filter = &stream->filter;
    if (to->is_cluster)
        return troupe_subscribe_to(sse->config.worker, &stream->subscription, sse->config.env->events, to->from,
                                   to->after);
    stream->has_no_actor = to->topic != NULL;
    if (to->topic != NULL)
        return troupe_subscribe_to(sse->config.worker, &stream->subscription, to->topic, to->from, to->after);
    int error = troupe_subscribe(sse->config.worker, &stream->subscription, to->ref, to->from, to->after);
    if (error == 0)
        troupe_request_monitor(sse->config.worker, &stream->monitor, on_down, to->ref);
    return error;
}

static struct stream *make_stream(struct sse *sse, int fd, const struct api_takeover *to)
{
    struct stream *stream = calloc(1, sizeof *stream + to->types.len);
    if (stream == NULL)
        return NULL;
    if (to->types.len > 0)
        memcpy(stream->types, to->types.ptr, to->types.len);
    if (to->types.len > 0 && troupe_filter_parse((troupe_view){stream->types, to->types.len}, &stream->filter) != 0)
        stream->filter = (troupe_filter){0}; /* the API has checked it */
    ring_init(&stream->all);
    ring_init(&stream->dirty);
    stream->sse = sse;
    stream->fd = fd;
    stream->ref = to->ref;
    stream->wrote_ms = now_of(sse);
    ev_io_init(&stream->in, on_input, fd, EV_READ);
    ev_io_init(&stream->out, on_writable, fd, EV_WRITE);
    stream->in.data = stream->out.data = stream;
    return stream;
}

static void begin_stream(struct stream *stream, const struct api_request *req)
{
    struct sse *sse = stream->sse;
    const int on = 1, stall_ms = STALL_MS;
    troupe_view nobody = {0};
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof stall_ms);
    ring_append(&sse->all, &stream->all);
    sse->count++;
    traffic_add(&sse->config.traffic->streams, 1);
    ev_io_start(sse->config.ev, &stream->in);
    clear(&sse->scratch);
    stream_add_head(&sse->scratch, req->allow_origin ? req->origin : nobody);
    if (sse->scratch.failed || !write_or_keep(stream, sse->scratch.ptr, sse->scratch.len))
        shutdown(stream->fd, SHUT_RDWR); /* on_input sees it */
    make_dirty(stream);
}

int sse_take(struct sse *sse, const struct api_request *req, int fd, const struct api_takeover *to)
{
    struct stream *stream = make_stream(sse, fd, to);
    int error = TROUPE_E_NO_MEMORY;
    if (stream == NULL)
        goto out;
    error = to->token == NULL || access_connection_enter(to->token) ? 0 : TROUPE_E_LIMIT;
    if (error != 0)
        goto out;
    error = subscribe(stream, to);
    if (error != 0) {
        if (to->token != NULL)
            access_connection_leave(to->token);
        goto out;
    }
    stream->token = to->token;
    begin_stream(stream, req);
    return 0;
out:
    close(fd);
    if (stream != NULL)
        free_stream(stream);
    return error;
}

/* ---- time ---- */

static void look(struct stream *stream, uint64_t now_ms)
{
    uint64_t quiet_ms = now_ms > stream->wrote_ms ? now_ms - stream->wrote_ms : 0;
    if (!access_token_is_live(stream->token)) {
        close_stream(stream);
        return;
    }
    if (stream->waiting != NULL) {
        if (quiet_ms > STALL_MS)
            close_stream(stream);
        return;
    }
    if (quiet_ms < PING_MS)
        return;
    clear(&stream->sse->scratch);
    stream_add_ping(&stream->sse->scratch);
    if (!stream->sse->scratch.failed &&
        !write_or_keep(stream, stream->sse->scratch.ptr, stream->sse->scratch.len))
        close_stream(stream);
}

void sse_tick(struct sse *sse, uint64_t now_ms)
{
    for (unsigned left = sse->count / SWEEP_TICKS + 1; left > 0 && !ring_is_empty(&sse->all); left--) {
        struct stream *stream = RING_OF(sse->all.next, struct stream, all);
        ring_append(&sse->all, &stream->all);
        look(stream, now_ms);
    }
}

unsigned sse_streams(const struct sse *sse) { return sse->count; }

/* ---- the object ---- */

int sse_new(const struct sse_config *config, struct sse **ret_sse)
{
    struct sse *sse = calloc(1, sizeof *sse);
    if (sse == NULL)
        return TROUPE_E_NO_MEMORY;
    sse->config = *config;
    uint64_t share = config->env->memory_max / KEPT_SHARE / troupe_system_workers(config->env->system);
    sse->kept_bytes_max = config->env->memory_max == 0 || share > SIZE_MAX ? SIZE_MAX : (size_t)share;
    ring_init(&sse->all);
    ring_init(&sse->dirty);
    *ret_sse = sse;
    return 0;
}

void sse_stop(struct sse *sse)
{
    sse_flush(sse);
    while (!ring_is_empty(&sse->all))
        close_stream(RING_OF(sse->all.next, struct stream, all));
}

void sse_free(struct sse *sse)
{
    if (sse == NULL)
        return;
    sse_stop(sse);
    text_fini(&sse->scratch);
    text_fini(&sse->shared);
    free(sse);
}
