/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a node, by the phases of api.h:
 *   up         SIGTERM -> draining: readyz is red, actors drain, at most --drain-timeout
 *              SIGINT  -> draining: the same with stop instead of drain, at most INTERRUPT_MS
 *   draining   no actor is left, or the time is over -> stopping
 *   stopping   the socket is closed, requests under way get GRACE_MS, loops end; then control_run returns
 *   a second signal at any time ends the process at once
 *
 * The watchdog looks twice a second, or oftener when --stuck-turn-max is short, at the turn each worker is in. The same
 * turn for STUCK_MS turns readyz red and names the actor in the log; for --stuck-turn-max it ends the process, because
 * a native turn cannot be stopped. */
#include "io/control.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config.h"
#include "host.h"

enum {
    STUCK_MS = 10000, INTERRUPT_MS = 1000, GRACE_MS = 1000, LATE_MS = 2000,
    WATCH_MS = 500, END_TICK_MS = 10
};

struct watched {
    uint64_t turn, since_ms;
    bool in_turn, told;
};

struct control {
    const struct control_config *config;
    struct head_stage *heads;
    ev_io accept_io, heads_io, signal_io;
    ev_timer heads_timer, pause_timer, watch_timer, end_timer;
    int signal_fd;
    unsigned signals;
    uint64_t end_at_ms;          /* of the phase */
    struct watched watched[TROUPE_WORKERS_MAX];
};

static void set_phase(struct control *control, enum api_phase phase)
{
    atomic_store_explicit(&control->config->health->phase, (int)phase, memory_order_relaxed);
}

static enum api_phase phase_of(const struct control *control)
{
    return (enum api_phase)atomic_load_explicit(&control->config->health->phase, memory_order_relaxed);
}

_Noreturn static void leave(struct control *control, int status)
{
    control->config->leave(control->config->user);
    _exit(status);
}

/* ---- heads ---- */

static void arm_heads(struct ev_loop *ev, struct control *control)
{
    uint64_t delay_ms = head_tick(control->heads, clock_now_ms());
    if (delay_ms == UINT64_MAX) {
        ev_timer_stop(ev, &control->heads_timer);
        return;
    }
    control->heads_timer.repeat = (double)(delay_ms + 1) / 1e3;
    ev_timer_again(ev, &control->heads_timer);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)events;
    if (!head_on_accept(control->heads, clock_now_ms())) {
        ev_io_stop(ev, &control->accept_io);
        ev_timer_set(&control->pause_timer, HEAD_PAUSE_MS / 1e3, 0.);
        ev_timer_start(ev, &control->pause_timer);
    }
    arm_heads(ev, control);
}

static void on_pause_over(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    (void)events;
    if (phase_of(control) != API_STOPPING)
        ev_io_start(ev, &control->accept_io);
}

static void on_heads(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    (void)events;
    head_on_ready(control->heads, clock_now_ms());
    arm_heads(ev, control);
}

static void on_heads_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    arm_heads(ev, w->data);
}

/* ---- watchdog ---- */

static void tell_stuck(const char *words, troupe_ref actor, const char *behavior, uint64_t age_ms)
{
    char ref[TROUPE_REF_TEXT_MAX], age[32];
    troupe_ref_format(actor, ref);
    snprintf(age, sizeof age, "%llu ms", (unsigned long long)age_ms);
    const struct log_field fields[] = {{"actor", ref}, {"behavior", behavior}, {"turn", age}, {NULL, NULL}};
    log_write(TROUPE_LOG_ERROR, words, fields);
}

/* Returns true when the worker's turn lasts too long for a node that is ready. */
static bool watch(struct control *control, unsigned i, uint64_t now_ms)
{
    troupe_ref actor;
    const char *behavior = NULL;
    uint64_t turn = 0;
    struct watched *watched = &control->watched[i];
    bool in_turn = troupe_worker_turn(troupe_system_worker(control->config->env->system, i), &actor, &behavior, &turn);
    if (!in_turn || !watched->in_turn || turn != watched->turn) {
        *watched = (struct watched){.in_turn = in_turn, .turn = turn, .since_ms = now_ms};
        return false;
    }
    uint64_t age_ms = now_ms - watched->since_ms;
    if (age_ms > control->config->stuck_turn_max_ms) {
        tell_stuck("a turn did not end; the node ends", actor, behavior, age_ms);
        leave(control, CONFIG_EXIT_STUCK);
    }
    if (age_ms > STUCK_MS && !watched->told) {
        watched->told = true;
        tell_stuck("a turn holds a worker", actor, behavior, age_ms);
    }
    return age_ms > STUCK_MS;
}

static void on_watch(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    unsigned stuck = 0;
    (void)ev, (void)events;
    for (unsigned i = 0; i < control->config->loops_count; i++)
        stuck += watch(control, i, clock_now_ms()) ? 1 : 0;
    atomic_store_explicit(&control->config->health->stuck, stuck, memory_order_relaxed);
}

/* ---- the end ---- */

static void begin_stopping(struct ev_loop *ev, struct control *control)
{
    set_phase(control, API_STOPPING);
    ev_io_stop(ev, &control->accept_io);
    ev_timer_stop(ev, &control->pause_timer);
    close(control->config->listen_fd);
    for (unsigned i = 0; i < control->config->loops_count; i++)
        loop_send_stop(control->config->loops[i], GRACE_MS);
    control->end_at_ms = clock_now_ms() + GRACE_MS + LATE_MS;
}

static void on_end_tick(struct ev_loop *ev, ev_timer *w, int events)
{
    struct control *control = w->data;
    troupe_stats stats;
    (void)events;
    if (phase_of(control) == API_DRAINING) {
        troupe_system_stats(control->config->env->system, &stats);
        if (stats.actors == 0 || clock_now_ms() >= control->end_at_ms)
            begin_stopping(ev, control);
        return;
    }
    unsigned ended = 0;
    for (unsigned i = 0; i < control->config->loops_count; i++)
        ended += loop_has_ended(control->config->loops[i]) ? 1 : 0;
    if (ended == control->config->loops_count) {
        ev_break(ev, EVBREAK_ALL);
    } else if (clock_now_ms() >= control->end_at_ms) {
        log_printf(TROUPE_LOG_ERROR, "a worker did not stop: a turn holds it; the node ends");
        leave(control, CONFIG_EXIT_STUCK);
    }
}

static void begin_draining(struct ev_loop *ev, struct control *control, bool at_once)
{
    uint64_t timeout_ms = control->config->drain_timeout_ms;
    if (at_once && timeout_ms > INTERRUPT_MS)
        timeout_ms = INTERRUPT_MS;
    log_printf(TROUPE_LOG_INFO, at_once ? "interrupted: the actors stop, then the node"
                                        : "terminated: the actors drain, then the node stops");
    set_phase(control, API_DRAINING);
    host_notify("STOPPING=1");
    loop_send_shutdown(control->config->loops[0], at_once ? TROUPE_STOP : TROUPE_DRAIN, (uint32_t)timeout_ms);
    for (unsigned i = 0; i < control->config->loops_count; i++)
        loop_send_retire(control->config->loops[i]);
    control->end_at_ms = clock_now_ms() + timeout_ms + GRACE_MS;
    ev_timer_set(&control->end_timer, END_TICK_MS / 1e3, END_TICK_MS / 1e3);
    ev_timer_start(ev, &control->end_timer);
}

static void on_signal(struct ev_loop *ev, ev_io *w, int events)
{
    struct control *control = w->data;
    struct signalfd_siginfo info;
    (void)events;
    while (read(control->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            continue; /* there is nothing to load again yet */
        if (control->signals++ > 0) {
            log_printf(TROUPE_LOG_WARN, "signalled again: the node ends at once");
            leave(control, CONFIG_EXIT_FAILED);
        }
        begin_draining(ev, control, info.ssi_signo == SIGINT);
    }
}

/* ---- run ---- */

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

static void start_watchers(struct ev_loop *ev, struct control *control)
{
    uint64_t quarter_ms = control->config->stuck_turn_max_ms / 4;
    double watch_s = (double)(quarter_ms < WATCH_MS ? quarter_ms : WATCH_MS) / 1e3;
    ev_io_init(&control->accept_io, on_accept, control->config->listen_fd, EV_READ);
    ev_io_init(&control->heads_io, on_heads, head_fd(control->heads), EV_READ);
    ev_io_init(&control->signal_io, on_signal, control->signal_fd, EV_READ);
    ev_timer_init(&control->heads_timer, on_heads_timer, 0., 1.);
    ev_timer_init(&control->pause_timer, on_pause_over, 0., 0.);
    ev_timer_init(&control->watch_timer, on_watch, watch_s, watch_s);
    ev_timer_init(&control->end_timer, on_end_tick, 0., 0.);
    control->accept_io.data = control->heads_io.data = control->signal_io.data = control;
    control->heads_timer.data = control->pause_timer.data = control;
    control->watch_timer.data = control->end_timer.data = control;
    ev_io_start(ev, &control->accept_io);
    ev_io_start(ev, &control->heads_io);
    ev_io_start(ev, &control->signal_io);
    ev_timer_start(ev, &control->watch_timer);
}

int control_run(const struct control_config *config)
{
    struct control control = {.config = config, .signal_fd = -1};
    struct head_config heads = {
        .env = config->env, .listen_fd = config->listen_fd, .loops = config->loops,
        .loops_count = config->loops_count, .traffic = config->traffic, .timeout_ms = config->head_timeout_ms,
    };
    int error = head_new(&heads, &control.heads);
    struct ev_loop *ev = NULL;
    sigset_t set = signals_read();
    if (error != 0)
        goto out;
    error = TROUPE_E_INTERNAL;
    control.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ev = control.signal_fd >= 0 ? ev_loop_new(EVFLAG_NOSIGMASK | EVBACKEND_EPOLL) : NULL;
    if (ev == NULL)
        goto out;
    start_watchers(ev, &control);
    ev_run(ev, 0);
    error = 0;
out:
    head_free(control.heads);
    if (ev != NULL)
        ev_loop_destroy(ev);
    if (control.signal_fd >= 0)
        close(control.signal_fd);
    return error;
}
