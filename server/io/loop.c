/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass: HTTP serves what is ready, then the core's worker runs some turns and tells its next deadline, those of the
 * requests that HTTP just made included; then what sessions and streams have to say is written; then the loop waits for
 * descriptors, for a wake of the core, or for the earliest deadline of all. It blocks only after troupe_worker_park()
 * allowed it. Sessions and streams have watchers of their own on the loop, which run while it waits. */
#define _GNU_SOURCE /* pipe2 */
#include "io/loop.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/farewell.h"
#include "io/sse.h"
#include "io/ws_lws.h"
#include "route/place.h"

enum { TURNS_PER_PASS = 16, ORDERS_PER_READ = 64 };

enum order_kind { ORDER_CONNECTION = 1, ORDER_SHUTDOWN, ORDER_RETIRE, ORDER_TASK, ORDER_STOP };

struct order {
    int kind;                    /* enum order_kind */
    int value;                   /* the descriptor; the mode */
    uint32_t timeout_ms;
    void (*task)(void *user, troupe_worker *worker);
    void *user;
};

struct loop {
    /* set once */
    const struct api_env *env;
    uint32_t index;
    struct ev_loop *ev;
    troupe_worker *worker;
    struct http *http;
    struct farewell *farewell;
    struct ws *ws;
    struct sse *sse;
    int orders[2];               /* a pipe: [0] read by the thread, [1] written by the control thread */
    pthread_t thread;
    bool has_thread;
    /* the thread's own */
    ev_io http_io, gone_io, orders_io;
    ev_async wake;
    ev_timer timer;
    bool http_ready, is_retiring, is_stopping;
    bool had_task;               /* which may have asked where things are */
    uint64_t http_at_ns, tick_at_ns, stop_at_ns; /* TROUPE_NEVER: not */
    struct traffic_worker traffic;
    /* others too */
    _Atomic bool has_ended;       /* set by this thread as its last act */
    _Atomic unsigned connections; /* up: control thread, at hand-over; down: this thread, when one is closed */
};

static void on_http(struct ev_loop *ev, ev_io *w, int events)
{
    struct loop *loop = w->data;
    (void)ev, (void)events;
    loop->http_ready = true;
}

static void on_gone(struct ev_loop *ev, ev_io *w, int events)
{
    struct loop *loop = w->data;
    (void)ev, (void)events;
    http_on_gone(loop->http);
}

/* Being woken is all that is wanted of these. */
static void on_wake(struct ev_loop *ev, ev_async *w, int events) { (void)ev, (void)w, (void)events; }

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    ev_timer_stop(ev, w);
}

static void obey(struct loop *loop, const struct order *order)
{
    switch (order->kind) {
    case ORDER_CONNECTION:
        http_add(loop->http, order->value);
        break;
    case ORDER_SHUTDOWN:
        troupe_system_shutdown(loop->worker, (enum troupe_stop_mode)order->value, order->timeout_ms);
        break;
    case ORDER_TASK:
        loop->had_task = true;
        order->task(order->user, loop->worker);
        break;
    case ORDER_RETIRE:
        http_retire(loop->http);
        ws_drain(loop->ws);
        loop->is_retiring = true;
        break;
    default:
        http_retire(loop->http);
        ws_stop(loop->ws);
        sse_stop(loop->sse);
        loop->is_stopping = true;
        loop->stop_at_ns = clock_now_ns() + (uint64_t)order->timeout_ms * 1000000u;
        break;
    }
}

static void on_orders(struct ev_loop *ev, ev_io *w, int events)
{
    struct loop *loop = w->data;
    struct order orders[ORDERS_PER_READ];
    (void)ev, (void)events;
    ssize_t len = read(loop->orders[0], orders, sizeof orders); /* writes of whole orders are atomic */
    for (ssize_t i = 0; len > 0 && i < len / (ssize_t)sizeof orders[0]; i++)
        obey(loop, &orders[i]);
}

/* A connection leaves HTTP. */
static int take(void *user, const struct api_request *req, int fd, const struct api_takeover *to)
{
    struct loop *loop = user;
    if (to->kind == API_TO_WEBSOCKET && !loop->is_retiring && !loop->is_stopping)
        return ws_take(loop->ws, req, fd, to);
    if (to->kind == API_TO_EVENTS && !loop->is_stopping)
        return sse_take(loop->sse, req, fd, to);
    close(fd);
    return TROUPE_E_DRAINING;
}

static bool has_connections(const struct loop *loop)
{
    return http_connections(loop->http) > 0 || ws_sessions(loop->ws) > 0 || sse_streams(loop->sse) > 0 ||
           farewell_count(loop->farewell) > 0;
}

/* Enforce the deadlines of all connections, as often as the one that wants it most often. */
_Static_assert(WS_TICK_MS == HTTP_TICK_MS && SSE_TICK_MS == HTTP_TICK_MS, "one tick serves all");
static void tick(struct loop *loop, uint64_t now_ms)
{
    http_tick(loop->http, now_ms);
    ws_tick(loop->ws, now_ms);
    sse_tick(loop->sse, now_ms);
    farewell_tick(loop->farewell, now_ms);
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Serve HTTP when there is a reason to; returns whether there was. */
static bool serve(struct loop *loop, uint64_t now_ns)
{
    bool is_due = loop->http_ready || http_is_due(loop->http) || now_ns >= loop->http_at_ns;
    if (is_due) {
        loop->http_ready = false;
        uint64_t delay_ms = http_run(loop->http, now_ns);
        loop->http_at_ns = delay_ms == UINT64_MAX ? TROUPE_NEVER : now_ns + delay_ms * 1000000u;
    }
    if (now_ns >= loop->tick_at_ns) {
        tick(loop, now_ns / 1000000u);
        loop->tick_at_ns = TROUPE_NEVER;
    }
    if (loop->tick_at_ns == TROUPE_NEVER && has_connections(loop))
        loop->tick_at_ns = now_ns + HTTP_TICK_MS * 1000000ull;
    return is_due;
}

/* Block until something happens, at the longest until at_ns. */
static void block(struct loop *loop, uint64_t now_ns, uint64_t at_ns)
{
    if (at_ns != TROUPE_NEVER) {
        loop->timer.repeat = at_ns > now_ns ? (double)(at_ns - now_ns) * 1e-9 : 1e-9;
        ev_timer_again(loop->ev, &loop->timer);
    } else if (ev_is_active(&loop->timer)) {
        ev_timer_stop(loop->ev, &loop->timer);
    }
    ev_run(loop->ev, EVRUN_ONCE);
}

static bool is_over(const struct loop *loop, uint64_t now_ns)
{
    bool is_quiet = http_requests(loop->http) == 0 && ws_sessions(loop->ws) == 0 && farewell_count(loop->farewell) == 0;
    return loop->is_stopping && (is_quiet || now_ns >= loop->stop_at_ns);
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (is_over(loop, now_ns))
            break;
        if (serve(loop, now_ns))
            now_ns = clock_now_ns();
        if (has_connections(loop) || loop->had_task) /* they alone ask where things are */
            place_run(loop->env->place, loop->index);
        uint64_t delay_ns = troupe_worker_poll(loop->worker, now_ns, TURNS_PER_PASS);
        ws_flush(loop->ws);
        sse_flush(loop->sse);
        bool is_due = ws_is_due(loop->ws) || sse_is_due(loop->sse) || http_is_due(loop->http);
        bool busy = delay_ns == 0 || is_due || loop->http_at_ns <= now_ns;
        if (busy || !troupe_worker_park(loop->worker)) {
            ev_run(loop->ev, EVRUN_NOWAIT);
            continue;
        }
        uint64_t at_ns = earlier(loop->http_at_ns, earlier(loop->tick_at_ns, loop->stop_at_ns));
        block(loop, now_ns, earlier(at_ns, delay_ns == TROUPE_NEVER ? TROUPE_NEVER : now_ns + delay_ns));
        troupe_worker_unpark(loop->worker);
    }
    atomic_store_explicit(&loop->has_ended, true, memory_order_release);
    return NULL;
}

static int make_takers(struct loop *loop, const struct loop_config *config)
{
    const struct farewell_config farewell = {.env = config->env, .connections = &loop->connections, .ev = loop->ev};
    int error = farewell_new(&farewell, &loop->farewell);
    if (error != 0)
        return error;
    const struct ws_config ws = {
        .env = config->env, .worker = loop->worker, .traffic = &loop->traffic, .shared = config->shared,
        .farewell = loop->farewell, .connections = &loop->connections, .ev = loop->ev,
    };
    const struct sse_config sse = {
        .env = config->env, .worker = loop->worker, .traffic = &loop->traffic, .connections = &loop->connections,
        .ev = loop->ev,
    };
    error = ws_new(&ws, &loop->ws);
    return error != 0 ? error : sse_new(&sse, &loop->sse);
}

int loop_new(const struct loop_config *config, struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return TROUPE_E_NO_MEMORY;
    loop->orders[0] = loop->orders[1] = -1;
    loop->env = config->env;
    loop->index = config->index;
    loop->worker = troupe_system_worker(config->env->system, config->index);
    loop->http_at_ns = loop->tick_at_ns = loop->stop_at_ns = TROUPE_NEVER;
    struct http_config http = {
        .env = config->env, .worker = loop->worker, .traffic = &loop->traffic, .shared = config->shared,
        .connections = &loop->connections, .head_timeout_ms = config->head_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms, .take = take, .user = loop,
    };
    int error = http_new(&http, &loop->http);
    loop->ev = error == 0 ? ev_loop_new(EVFLAG_NOSIGMASK | EVBACKEND_EPOLL) : NULL;
    if (loop->ev != NULL)
        error = make_takers(loop, config);
    if (error != 0 || loop->ev == NULL || pipe2(loop->orders, O_CLOEXEC | O_NONBLOCK) != 0) {
        loop_free(loop);
        return error != 0 ? error : TROUPE_E_INTERNAL;
    }
    ev_io_init(&loop->http_io, on_http, http_fd(loop->http), EV_READ);
    ev_io_init(&loop->gone_io, on_gone, http_gone_fd(loop->http), EV_READ);
    ev_io_init(&loop->orders_io, on_orders, loop->orders[0], EV_READ);
    ev_async_init(&loop->wake, on_wake);
    ev_timer_init(&loop->timer, on_timer, 0., 1.);
    loop->http_io.data = loop->gone_io.data = loop->orders_io.data = loop;
    ev_io_start(loop->ev, &loop->http_io);
    ev_io_start(loop->ev, &loop->gone_io);
    ev_io_start(loop->ev, &loop->orders_io);
    ev_async_start(loop->ev, &loop->wake);
    *ret_loop = loop;
    return 0;
}

int loop_start(struct loop *loop)
{
    loop->has_thread = pthread_create(&loop->thread, NULL, run, loop) == 0;
    return loop->has_thread ? 0 : TROUPE_E_INTERNAL;
}

bool loop_has_ended(const struct loop *loop)
{
    return atomic_load_explicit((_Atomic bool *)&loop->has_ended, memory_order_acquire);
}

void loop_join(struct loop *loop)
{
    if (loop->has_thread)
        pthread_join(loop->thread, NULL);
    loop->has_thread = false;
}

void loop_free(struct loop *loop)
{
    struct order order;
    if (loop == NULL)
        return;
    /* Connections that were on their way when the thread ended. */
    while (loop->orders[0] >= 0 && read(loop->orders[0], &order, sizeof order) == (ssize_t)sizeof order) {
        if (order.kind == ORDER_CONNECTION)
            close(order.value);
    }
    for (int i = 0; i < 2; i++) {
        if (loop->orders[i] >= 0)
            close(loop->orders[i]);
    }
    http_free(loop->http);
    ws_free(loop->ws);
    sse_free(loop->sse);
    farewell_free(loop->farewell);
    if (loop->ev != NULL)
        ev_loop_destroy(loop->ev);
    free(loop);
}

void loop_wake(struct loop *loop)
{
    ev_async_send(loop->ev, &loop->wake);
}

static bool send_order(struct loop *loop, enum order_kind kind, int value, uint32_t timeout_ms)
{
    struct order order = {.kind = (int)kind, .value = value, .timeout_ms = timeout_ms};
    return write(loop->orders[1], &order, sizeof order) == (ssize_t)sizeof order;
}

bool loop_send_connection(struct loop *loop, int fd)
{
    atomic_fetch_add_explicit(&loop->connections, 1, memory_order_relaxed);
    if (send_order(loop, ORDER_CONNECTION, fd, 0))
        return true;
    atomic_fetch_sub_explicit(&loop->connections, 1, memory_order_relaxed);
    return false;
}

/* Orders beside connections are few: the pipe has no room only when the worker has been stuck for thousands of
 * connections, and then the control thread ends the node. */
static void insist(struct loop *loop, enum order_kind kind, int value, uint32_t timeout_ms)
{
    if (!send_order(loop, kind, value, timeout_ms))
        log_printf(TROUPE_LOG_ERROR, "a worker cannot be reached: %s", strerror(errno));
}

void loop_send_shutdown(struct loop *loop, enum troupe_stop_mode mode, uint32_t timeout_ms)
{
    insist(loop, ORDER_SHUTDOWN, (int)mode, timeout_ms);
}

void loop_send_task(struct loop *loop, void (*task)(void *user, troupe_worker *worker), void *user)
{
    struct order order = {.kind = ORDER_TASK, .task = task, .user = user};
    if (write(loop->orders[1], &order, sizeof order) != (ssize_t)sizeof order)
        log_printf(TROUPE_LOG_ERROR, "a worker cannot be reached: %s", strerror(errno));
}

void loop_send_retire(struct loop *loop) { insist(loop, ORDER_RETIRE, 0, 0); }

void loop_send_stop(struct loop *loop, uint32_t grace_ms) { insist(loop, ORDER_STOP, 0, grace_ms); }

unsigned loop_connections(const struct loop *loop)
{
    return atomic_load_explicit((_Atomic unsigned *)&loop->connections, memory_order_relaxed);
}

const struct traffic_worker *loop_traffic(const struct loop *loop) { return &loop->traffic; }
