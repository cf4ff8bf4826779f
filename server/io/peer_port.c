/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of a connection; its deadline is one timer, whatever the state.
 *
 *   reading   bytes of the first frame come: a hello (accepted), or a here (asked)
 *             whole, good hello -> the here is sent, -> ending     whole here -> done, closed
 *             bad, ended, late  -> closed (asked: done with words)
 *   ending    our side is shut and what still comes is dropped, so that the other end can read the answer; links will
 *             go on from here instead                          its end, late -> closed
 *
 * A frame of HELLO_BYTES always fits into the empty buffer of a new socket, so there is no state for writing. */
#define _GNU_SOURCE /* accept4 */
#include "io/peer_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "host.h"

enum { ACCEPTS_MAX = 64, PAUSE_MS = 100, ENDING_MS = 1000 };

struct peer {
    ev_io io;
    ev_timer timer;
    struct peer_port *port;
    uint64_t id;                 /* 0: it was accepted */
    bool is_ending;
    size_t len;
    unsigned char frame[HELLO_BYTES]; /* what has come */
    unsigned char hello[HELLO_BYTES]; /* what we asked with */
    peer_asked_fn done;
    void *user;
    struct peer *next, *prev;    /* accepted ones: in the order they came */
};

struct peer_port {
    struct peer_port_config config;
    ev_io accept_io;
    ev_timer pause;
    struct peer accepted, asking; /* rings */
    unsigned accepted_count;
    uint64_t ids;
    struct log_gate gate;
};

static void add(struct peer *ring, struct peer *peer)
{
    peer->prev = ring->prev;
    peer->next = ring;
    ring->prev->next = peer;
    ring->prev = peer;
}

static void close_peer(struct peer *peer)
{
    struct peer_port *port = peer->port;
    ev_io_stop(port->config.ev, &peer->io);
    ev_timer_stop(port->config.ev, &peer->timer);
    close(peer->io.fd);
    peer->prev->next = peer->next;
    peer->next->prev = peer->prev;
    if (peer->id == 0)
        port->accepted_count--;
    free(peer);
}

static void tell(struct peer *peer, int error, const char *words)
{
    peer_asked_fn done = peer->done;
    void *user = peer->user;
    close_peer(peer);
    done(user, error, words);
}

/* ---- whole frames ---- */

static bool send_frame(int fd, const unsigned char *frame)
{
    return send(fd, frame, HELLO_BYTES, MSG_NOSIGNAL | MSG_DONTWAIT) == HELLO_BYTES;
}

static void answer(struct peer *peer)
{
    struct peer_port *port = peer->port;
    unsigned char nonce[HELLO_NONCE_BYTES], here[HELLO_BYTES];
    if (!host_random(nonce, sizeof nonce) ||
        hello_answer(port->config.secret, port->config.cluster, port->config.node, peer->frame, nonce, here) != 0 ||
        !send_frame(peer->io.fd, here)) {
        close_peer(peer);
        return;
    }
    peer->is_ending = true;
    shutdown(peer->io.fd, SHUT_WR);
    ev_timer_stop(port->config.ev, &peer->timer);
    ev_timer_set(&peer->timer, ENDING_MS / 1e3, 0.);
    ev_timer_start(port->config.ev, &peer->timer);
}

static void judge(struct peer *peer)
{
    int error = hello_judge(peer->port->config.secret, peer->hello, peer->frame);
    tell(peer, error, error == 0                        ? ""
                      : error == TROUPE_E_WRONG_CLUSTER ? "another node answers there"
                      : error == TROUPE_E_UNAUTHORIZED  ? "it has another secret"
                      : error == TROUPE_E_PROTOCOL      ? "it speaks no version of the protocol that this one does"
                                                        : "what answers there is no node");
}

/* ---- events ---- */

static void drop_input(struct peer *peer)
{
    char bytes[256];
    ssize_t len = recv(peer->io.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        close_peer(peer);
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct peer *peer = w->data;
    (void)ev, (void)events;
    if (peer->is_ending) {
        drop_input(peer);
        return;
    }
    ssize_t len = recv(w->fd, peer->frame + peer->len, sizeof peer->frame - peer->len, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        if (peer->id != 0)
            tell(peer, TROUPE_E_UNREACHABLE,
                 "it closed the connection without a word: another cluster, node or secret");
        else
            close_peer(peer);
        return;
    }
    peer->len += (size_t)len;
    if (peer->len < sizeof peer->frame)
        return;
    if (peer->id != 0)
        judge(peer);
    else
        answer(peer);
}

static void on_late(struct ev_loop *ev, ev_timer *w, int events)
{
    struct peer *peer = w->data;
    (void)ev, (void)events;
    if (peer->id != 0)
        tell(peer, TROUPE_E_TIMEOUT, "it does not answer the hello");
    else
        close_peer(peer);
}

static struct peer *new_peer(struct peer_port *port, int fd, uint32_t timeout_ms)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        close(fd);
        return NULL;
    }
    peer->port = port;
    ev_io_init(&peer->io, on_readable, fd, EV_READ);
    ev_timer_init(&peer->timer, on_late, (double)timeout_ms / 1e3, 0.);
    peer->io.data = peer->timer.data = peer;
    ev_io_start(port->config.ev, &peer->io);
    ev_timer_start(port->config.ev, &peer->timer);
    return peer;
}

/* ---- accept ---- */

static void take(struct peer_port *port, int fd)
{
    if (port->accepted_count >= PEER_WAITING_MAX)
        close_peer(port->accepted.next);
    struct peer *peer = new_peer(port, fd, PEER_DEADLINE_MS);
    if (peer == NULL)
        return;
    add(&port->accepted, peer);
    port->accepted_count++;
}

static void on_pause_over(struct ev_loop *ev, ev_timer *w, int events)
{
    struct peer_port *port = w->data;
    (void)events;
    if (port->accept_io.fd >= 0)
        ev_io_start(ev, &port->accept_io);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int events)
{
    struct peer_port *port = w->data;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(port, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        if (log_gate_open(&port->gate, clock_now_ms()))
            log_printf(TROUPE_LOG_WARN, "a peer's connection could not be accepted: %s", strerror(errno));
        ev_io_stop(ev, w);
        ev_timer_set(&port->pause, PAUSE_MS / 1e3, 0.);
        ev_timer_start(ev, &port->pause);
        return;
    }
}

void peer_port_listen(struct peer_port *port, int fd)
{
    ev_io_stop(port->config.ev, &port->accept_io);
    ev_timer_stop(port->config.ev, &port->pause);
    ev_io_set(&port->accept_io, fd, EV_READ);
    if (fd >= 0)
        ev_io_start(port->config.ev, &port->accept_io);
}

/* ---- ask ---- */

uint64_t peer_port_ask(struct peer_port *port, int fd, uint64_t node, uint32_t timeout_ms, peer_asked_fn done,
                       void *user)
{
    unsigned char nonce[HELLO_NONCE_BYTES];
    struct peer *peer = new_peer(port, fd, timeout_ms);
    if (peer == NULL)
        return 0;
    peer->id = ++port->ids;
    peer->done = done;
    peer->user = user;
    add(&port->asking, peer);
    /* What cannot be sent is noticed by the connection's end or the deadline. */
    if (host_random(nonce, sizeof nonce)) {
        hello_ask(port->config.secret, port->config.cluster, node, nonce, peer->hello);
        (void)send_frame(fd, peer->hello);
    }
    return peer->id;
}

void peer_port_forget(struct peer_port *port, uint64_t id)
{
    struct peer *peer = port->asking.next;
    while (peer != &port->asking && peer->id != id)
        peer = peer->next;
    if (peer != &port->asking)
        close_peer(peer);
}

/* ---- life ---- */

int peer_port_new(const struct peer_port_config *config, struct peer_port **ret_port)
{
    struct peer_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return TROUPE_E_NO_MEMORY;
    port->config = *config;
    port->accepted.next = port->accepted.prev = &port->accepted;
    port->asking.next = port->asking.prev = &port->asking;
    ev_io_init(&port->accept_io, on_accept, -1, EV_READ);
    ev_timer_init(&port->pause, on_pause_over, 0., 0.);
    port->accept_io.data = port->pause.data = port;
    *ret_port = port;
    return 0;
}

void peer_port_free(struct peer_port *port)
{
    if (port == NULL)
        return;
    peer_port_listen(port, -1);
    while (port->accepted.next != &port->accepted)
        close_peer(port->accepted.next);
    while (port->asking.next != &port->asking)
        close_peer(port->asking.next);
    free(port);
}
