/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass of the loop: descriptors and timers; then, before it waits again, the work that they and other threads have
 * brought: on_pass() serves the registry's HTTP, lets the membership do what is due, and sets one timer to the earliest
 * time at which something will be.
 *
 * The life of a node, by the phases of api.h:
 *   starting   the registry has this node as a member -> the application is started, if there is one, and runs -> up,
 *              and it is announced. A node that keeps the registry itself is a member at once. Until then only probes
 *              and the registry's requests are answered
 *   up         SIGTERM, a drain -> draining: the cluster is told, readyz is red, actors drain, at most --drain-timeout
 *              SIGINT           -> draining: the same with stop instead of drain, at most INTERRUPT_MS
 *              the registry has ended the lease -> as SIGTERM, with CONFIG_EXIT_NOT_MEMBER
 *   draining   no actor is left, or the time is over: the cluster is left -> stopping, when it has been told or does
 *              not answer
 *   stopping   the sockets are closed, requests under way get GRACE_MS, loops end; then control_run returns
 *   a second signal at any time ends the process at once
 *
 * A socket that was replaced is still accepted from for OLD_MS, so that who has read the address before is served. */
#include "io/control.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "access/access.h"
#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "host.h"
#include "http_out.h"
#include "io/blocking.h"
#include "io/watchdog.h"

enum { INTERRUPT_MS = 1000, GRACE_MS = 1000, LATE_MS = 2000, END_TICK_MS = 10, OLD_MS = 1000 };

struct control {
    struct control_config config;
    struct membership *membership;
    struct ev_loop *ev;
    struct head_stage *heads;
    struct http *http;
    struct fetch *fetch;
    struct peer_port *peers;
    struct watchdog watchdog;
    int signal_fd;
    ev_io accept_io, heads_io, http_io, gone_io, signal_io, old_io;
    ev_timer heads_timer, pause_timer, work_timer, watch_timer, end_timer, old_timer;
    ev_prepare pass;
    ev_async wake;
    struct listener old;         /* the API socket that was replaced last */
    _Atomic unsigned connections; /* of http; on this thread only, but it is counted as a worker's are */
    bool http_ready;
    uint64_t http_at_ns, http_tick_at_ns; /* TROUPE_NEVER: not */
    unsigned signals;
    uint64_t end_at_ms;          /* of the phase */
    bool is_leaving;
    int status;                  /* for control_run */
};

static void set_phase(struct control *control, enum api_phase phase)
{
    atomic_store_explicit(&control->config.health->phase, (int)phase, memory_order_relaxed);
}

static enum api_phase phase_of(const struct control *control)
{
    return (enum api_phase)atomic_load_explicit(&control->config.health->phase, memory_order_relaxed);
}

_Noreturn static void leave(struct control *control, int status)
{
    control->config.leave(control->config.user);
    _exit(status);
}

static void begin_draining(struct control *control, bool at_once);
static void look_at_app(struct control *control);

/* End the node because of something that went wrong. */
static void fail(struct control *control, int status, const char *words)
{
    log_printf(TROUPE_LOG_ERROR, "%s", words);
    if (control->status == CONFIG_EXIT_OK)
        control->status = status;
    if (phase_of(control) <= API_UP)
        begin_draining(control, phase_of(control) == API_STARTING);
}

/* ---- heads ---- */

static void arm_heads(struct control *control)
{
    uint64_t delay_ms = head_tick(control->heads, clock_now_ms());
    if (delay_ms == UINT64_MAX) {
        ev_timer_stop(control->ev, &control->heads_timer);
        return;
    }
    control->heads_timer.repeat = (double)(delay_ms + 1) / 1e3;
    ev_timer_again(control->ev, &control->heads_timer);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)events;
    if (!head_on_accept(control->heads, w->fd, clock_now_ms())) {
        ev_io_stop(ev, w);
        ev_timer_set(&control->pause_timer, HEAD_PAUSE_MS / 1e3, 0.);
        ev_timer_start(ev, &control->pause_timer);
    }
    arm_heads(control);
}

static void on_pause_over(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    (void)events;
    if (phase_of(control) == API_STOPPING)
        return;
    ev_io_start(ev, &control->accept_io);
    if (control->old.fd >= 0)
        ev_io_start(ev, &control->old_io);
}

static void on_heads(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)ev, (void)events;
    head_on_ready(control->heads, clock_now_ms());
    arm_heads(control);
}

static void on_heads_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev, (void)events;
    arm_heads(w->data);
}

/* ---- HTTP of the registry ---- */

static bool take_registry(void *user, int fd)
{
    struct control *control = user;
    atomic_fetch_add_explicit(&control->connections, 1, memory_order_relaxed);
    http_add(control->http, fd);
    control->http_ready = true;
    return true;
}

static unsigned count_registry(void *user)
{
    return atomic_load_explicit(&((struct control *)user)->connections, memory_order_relaxed);
}

static void on_http(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)ev, (void)events;
    control->http_ready = true;
}

static void on_gone(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)ev, (void)events;
    http_on_gone(control->http);
}

static void serve_http(struct control *control)
{
    uint64_t now_ns = clock_now_ns();
    if (control->http_ready || http_is_due(control->http) || now_ns >= control->http_at_ns) {
        control->http_ready = false;
        uint64_t delay_ms = http_run(control->http, now_ns);
        control->http_at_ns = delay_ms == UINT64_MAX ? TROUPE_NEVER : now_ns + delay_ms * 1000000u;
    }
    if (now_ns >= control->http_tick_at_ns) {
        http_tick(control->http, now_ns / 1000000u);
        control->http_tick_at_ns = TROUPE_NEVER;
    }
    if (control->http_tick_at_ns == TROUPE_NEVER && http_connections(control->http) > 0)
        control->http_tick_at_ns = now_ns + HTTP_TICK_MS * 1000000ull;
}

/* ---- other ports ---- */

static void close_old(struct control *control)
{
    if (control->old.fd < 0)
        return;
    (void)head_on_accept(control->heads, control->old.fd, clock_now_ms()); /* who is in its queue */
    arm_heads(control);
    ev_io_stop(control->ev, &control->old_io);
    ev_timer_stop(control->ev, &control->old_timer);
    listen_close(&control->old);
}

static void on_old(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev, (void)events;
    close_old(w->data);
}

static void listen_to(struct control *control, ev_io *w, int fd)
{
    ev_io_stop(control->ev, w);
    ev_io_set(w, fd, EV_READ);
    ev_io_start(control->ev, w);
}

static void keep_old(struct control *control, struct listener *old)
{
    close_old(control);
    control->old = *old;
    listen_to(control, &control->old_io, old->fd);
    ev_timer_set(&control->old_timer, OLD_MS / 1e3, 0.);
    ev_timer_start(control->ev, &control->old_timer);
}

/* Publish where the node is now. */
static void tell_moved(struct control *control)
{
    char words[SELF_URL_BYTES + 64];
    const struct control_config *config = &control->config;
    self_set_ports(config->self, config->config, ports_at(config->ports, PORTS_API),
                   ports_at(config->ports, PORTS_PEER));
    membership_set_own(control->membership);
    config->moved(config->user);
    snprintf(words, sizeof words, "STATUS=%s", config->self->url);
    host_notify(words);
    const struct log_field fields[] = {{"api", config->self->url}, {"peer", config->self->peer}, {NULL, NULL}};
    log_write(TROUPE_LOG_INFO, "the node listens elsewhere now", fields);
}

static void take_ports(struct control *control)
{
    enum ports_purpose purpose;
    struct listener old;
    while (ports_take(control->config.ports, &purpose, &old)) {
        int fd = ports_at(control->config.ports, purpose)->fd;
        if (phase_of(control) == API_STOPPING) {
            listen_close(&old);
            ports_close(control->config.ports, purpose);
            continue;
        }
        if (purpose == PORTS_API)
            listen_to(control, &control->accept_io, fd);
        else
            peer_port_listen(control->peers, fd);
        tell_moved(control);
        if (purpose == PORTS_API)
            keep_old(control, &old);
        else
            listen_close(&old);
    }
}

/* ---- a pass ---- */

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void on_pass(struct ev_loop *ev, ev_prepare *w, int events)
{
    struct control *control = w->data;
    (void)events;
    membership_wake(control->membership);
    take_ports(control);
    blocking_make_wanted(control->config.blocking);
    http_out_run(control->config.http_out);
    look_at_app(control);
    serve_http(control);
    uint64_t delay_ms = membership_tick(control->membership);
    /* What the membership has just answered goes out in this pass. */
    if (http_is_due(control->http))
        serve_http(control);
    uint64_t now_ns = clock_now_ns();
    uint64_t at_ns = earlier(control->http_at_ns, control->http_tick_at_ns);
    if (delay_ms != UINT64_MAX)
        at_ns = earlier(at_ns, now_ns + delay_ms * 1000000u);
    if (http_is_due(control->http))
        at_ns = now_ns;
    ev_timer_stop(ev, &control->work_timer);
    if (at_ns == TROUPE_NEVER)
        return;
    ev_timer_set(&control->work_timer, at_ns > now_ns ? (double)(at_ns - now_ns) * 1e-9 : 0., 0.);
    ev_timer_start(ev, &control->work_timer);
}

/* Being woken is all that is wanted of these. */
static void on_work(struct ev_loop *ev, ev_timer *w, int events) { (void)ev, (void)w, (void)events; }
static void on_wake(struct ev_loop *ev, ev_async *w, int events) { (void)ev, (void)w, (void)events; }

void control_wake(void *user)
{
    struct control *control = user;
    ev_async_send(control->ev, &control->wake);
}

static void on_watch(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    (void)ev, (void)events;
    if (!watchdog_look(&control->watchdog, clock_now_ms()))
        leave(control, CONFIG_EXIT_STUCK);
}

/* ---- the end ---- */

static void begin_stopping(struct control *control)
{
    set_phase(control, API_STOPPING);
    close_old(control);
    ev_io_stop(control->ev, &control->accept_io);
    ev_timer_stop(control->ev, &control->pause_timer);
    peer_port_listen(control->peers, -1);
    ports_close(control->config.ports, PORTS_API);
    ports_close(control->config.ports, PORTS_PEER);
    for (unsigned i = 0; i < control->config.loops_count; i++)
        loop_send_stop(control->config.loops[i], GRACE_MS);
    blocking_stop(control->config.blocking);
    control->end_at_ms = clock_now_ms() + GRACE_MS + LATE_MS;
}

static void drain_further(struct control *control)
{
    troupe_stats stats;
    troupe_system_stats(control->config.env->system, &stats);
    if (!control->is_leaving && (stats.actors == 0 || clock_now_ms() >= control->end_at_ms)) {
        control->is_leaving = true;
        http_retire(control->http);
        membership_leave(control->membership);
    }
    if (control->is_leaving && membership_has_left(control->membership))
        begin_stopping(control);
}

static void on_end_tick(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    (void)events;
    if (phase_of(control) == API_DRAINING) {
        drain_further(control);
        return;
    }
    unsigned ended = 0;
    for (unsigned i = 0; i < control->config.loops_count; i++)
        ended += loop_has_ended(control->config.loops[i]) ? 1 : 0;
    bool is_told = http_requests(control->http) == 0 || clock_now_ms() + LATE_MS >= control->end_at_ms;
    bool is_quiet = ended == control->config.loops_count && blocking_have_ended(control->config.blocking);
    if (is_quiet && is_told) {
        ev_break(ev, EVBREAK_ALL);
    } else if (clock_now_ms() >= control->end_at_ms) {
        blocking_tell_held(control->config.blocking);
        if (ended < control->config.loops_count)
            log_printf(TROUPE_LOG_ERROR, "a worker did not stop: a turn holds it; the node ends");
        leave(control, CONFIG_EXIT_STUCK);
    }
}

static void begin_draining(struct control *control, bool at_once)
{
    uint64_t timeout_ms = control->config.config->drain_timeout_ms;
    if (at_once && timeout_ms > INTERRUPT_MS)
        timeout_ms = INTERRUPT_MS;
    set_phase(control, API_DRAINING);
    host_notify("STOPPING=1");
    membership_drain(control->membership);
    loop_send_shutdown(control->config.loops[0], at_once ? TROUPE_STOP : TROUPE_DRAIN, (uint32_t)timeout_ms);
    for (unsigned i = 0; i < control->config.loops_count; i++)
        loop_send_retire(control->config.loops[i]);
    control->end_at_ms = clock_now_ms() + timeout_ms + GRACE_MS;
    ev_timer_set(&control->end_timer, END_TICK_MS / 1e3, END_TICK_MS / 1e3);
    ev_timer_start(control->ev, &control->end_timer);
}

/* ---- signals ---- */

static void reload(struct control *control)
{
    char words[512] = "";
    bool has_other = control->config.hangup(control->config.user);
    if (!access_is_on(control->config.env->access)) {
        if (!has_other)
            log_printf(TROUPE_LOG_INFO, "signalled to load again, but there is no --tokens file and no --behavior");
        return;
    }
    if (access_reload(control->config.env->access, words, sizeof words) == 0)
        log_printf(TROUPE_LOG_INFO, "the tokens were loaded again");
    else
        log_printf(TROUPE_LOG_ERROR, "the tokens stay as they are: %s", words);
}

static void on_signal(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    struct signalfd_siginfo info;
    (void)ev, (void)events;
    while (read(control->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload(control);
            continue;
        }
        if (control->signals++ > 0) {
            log_printf(TROUPE_LOG_WARN, "signalled again: the node ends at once");
            leave(control, CONFIG_EXIT_FAILED);
        }
        bool at_once = info.ssi_signo == SIGINT;
        log_printf(TROUPE_LOG_INFO, at_once ? "interrupted: the actors stop, then the node"
                                            : "terminated: the actors drain, then the node stops");
        if (phase_of(control) <= API_UP)
            begin_draining(control, at_once);
    }
}

static sigset_t signals_read(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void control_block_signals(void)
{
    sigset_t set = signals_read();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- life ---- */

static void init_watchers(struct control *control)
{
    double watch_s = (double)watchdog_period_ms(&control->watchdog) / 1e3;
    ev_io_init(&control->accept_io, on_accept, ports_at(control->config.ports, PORTS_API)->fd, EV_READ);
    ev_io_init(&control->old_io, on_accept, -1, EV_READ);
    ev_io_init(&control->heads_io, on_heads, head_fd(control->heads), EV_READ);
    ev_io_init(&control->http_io, on_http, http_fd(control->http), EV_READ);
    ev_io_init(&control->gone_io, on_gone, http_gone_fd(control->http), EV_READ);
    ev_io_init(&control->signal_io, on_signal, control->signal_fd, EV_READ);
    ev_timer_init(&control->heads_timer, on_heads_timer, 0., 1.);
    ev_timer_init(&control->pause_timer, on_pause_over, 0., 0.);
    ev_timer_init(&control->work_timer, on_work, 0., 0.);
    ev_timer_init(&control->watch_timer, on_watch, watch_s, watch_s);
    ev_timer_init(&control->end_timer, on_end_tick, 0., 0.);
    ev_timer_init(&control->old_timer, on_old, 0., 0.);
    ev_prepare_init(&control->pass, on_pass);
    ev_async_init(&control->wake, on_wake);
    control->accept_io.data = control->old_io.data = control->heads_io.data = control->http_io.data = control;
    control->gone_io.data = control->signal_io.data = control->pass.data = control->wake.data = control;
    control->heads_timer.data = control->pause_timer.data = control->work_timer.data = control;
    control->watch_timer.data = control->end_timer.data = control->old_timer.data = control;
    ev_async_start(control->ev, &control->wake);
}

static void start_watchers(struct control *control)
{
    ev_io_start(control->ev, &control->accept_io);
    ev_io_start(control->ev, &control->heads_io);
    ev_io_start(control->ev, &control->http_io);
    ev_io_start(control->ev, &control->gone_io);
    ev_io_start(control->ev, &control->signal_io);
    ev_timer_start(control->ev, &control->watch_timer);
    ev_prepare_start(control->ev, &control->pass);
    peer_port_listen(control->peers, ports_at(control->config.ports, PORTS_PEER)->fd);
}

static int make_parts(struct control *control)
{
    const struct control_config *config = &control->config;
    const struct head_config heads = {
        .env = config->env, .loops = config->loops, .loops_count = config->loops_count, .traffic = config->traffic,
        .timeout_ms = config->config->head_timeout_ms, .to_registry = take_registry,
        .registry_connections = count_registry, .user = control,
    };
    const struct http_config http = {
        .env = config->env, .is_control = true, .traffic = config->requests, .shared = config->shared,
        .connections = &control->connections, .head_timeout_ms = config->config->head_timeout_ms,
        .idle_timeout_ms = config->config->idle_timeout_ms,
    };
    sigset_t set = signals_read();
    control->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    control->ev = control->signal_fd >= 0 ? ev_loop_new(EVFLAG_NOSIGMASK | EVBACKEND_EPOLL) : NULL;
    if (control->ev == NULL)
        return TROUPE_E_INTERNAL;
    int error = head_new(&heads, &control->heads);
    if (error == 0)
        error = http_new(&http, &control->http);
    if (error == 0)
        error = http_out_attach(config->http_out, control->ev);
    return error != 0 ? error : fetch_new(control->ev, &control->fetch);
}

int control_new(const struct control_config *config, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return TROUPE_E_NO_MEMORY;
    control->config = *config;
    control->signal_fd = control->old.fd = -1;
    control->http_at_ns = control->http_tick_at_ns = TROUPE_NEVER;
    control->watchdog = (struct watchdog){
        .system = config->env->system, .health = config->health, .stuck_turn_max_ms = config->config->stuck_turn_max_ms,
    };
    int error = make_parts(control);
    if (error != 0) {
        control_free(control);
        return error;
    }
    init_watchers(control);
    *ret_control = control;
    return 0;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    head_free(control->heads);
    http_free(control->http);
    peer_port_free(control->peers);
    fetch_free(control->fetch);
    http_out_detach(control->config.http_out);
    listen_close(&control->old);
    if (control->ev != NULL)
        ev_loop_destroy(control->ev);
    if (control->signal_fd >= 0)
        close(control->signal_fd);
    free(control);
}

/* ---- membership ---- */

static void go_up(struct control *control)
{
    set_phase(control, API_UP);
    int status = control->config.up(control->config.user);
    if (status != CONFIG_EXIT_OK) {
        control->status = status;
        begin_draining(control, true);
    }
}

/* Does the application run, if it is being started? */
static void look_at_app(struct control *control)
{
    const struct app *app = control->config.app;
    if (app == NULL || phase_of(control) != API_STARTING)
        return;
    if (app_look(app) == APP_RUNS)
        go_up(control);
    else if (app_look(app) == APP_FAILED)
        fail(control, CONFIG_EXIT_APP, app_words(app));
}

void control_on_up(void *user)
{
    struct control *control = user;
    if (phase_of(control) != API_STARTING)
        return; /* it was told to end meanwhile */
    if (control->config.app == NULL)
        go_up(control);
    else if (app_look(control->config.app) == APP_IDLE)
        app_start(control->config.app, control->config.env->place, control->config.loops[0]);
}

void control_on_drain(void *user)
{
    struct control *control = user;
    if (phase_of(control) > API_UP)
        return;
    log_printf(TROUPE_LOG_INFO, "asked to drain: the actors drain, then the node stops");
    begin_draining(control, false);
}

void control_on_failed(void *user, int status, const char *words) { fail(user, status, words); }

int control_run(struct control *control, struct membership *membership)
{
    const struct peer_port_config peers = {
        .ev = control->ev, .secret = membership_secret(membership), .cluster = control->config.env->cluster,
        .node = control->config.self->record.node.low,
    };
    control->membership = membership;
    int error = peer_port_new(&peers, &control->peers);
    if (error != 0)
        return error;
    start_watchers(control);
    error = membership_start(membership, control->fetch, control->peers);
    if (error != 0)
        fail(control, CONFIG_EXIT_FAILED, "the node could not become a member: memory is exhausted");
    ev_run(control->ev, 0);
    return control->status;
}
