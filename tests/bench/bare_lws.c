/* SPDX-License-Identifier: Apache-2.0
 *
 * Bare libwebsockets, the measure of a message over WebSocket: one thread, libev, an echo of each text message. It has
 * the settings that the node has (server/io/ws_lws.c), and no routing, no JSON, no actor: what is left is the cost of
 * WebSocket.
 *
 * Prints {"event":"ready","api":"http://127.0.0.1:PORT","pid":N} and serves until SIGTERM or SIGINT. */
#include <ev.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RX_BYTES 1024
#define TX_BYTES (1 << 20)

/* What waits to be echoed: one message, because its client waits for it. */
struct session {
    size_t len;
    unsigned char bytes[LWS_PRE + RX_BYTES];
};

static int no_delay(int fd)
{
    const int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct session *session = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return no_delay(lws_get_socket_fd(wsi));
    case LWS_CALLBACK_RECEIVE:
        if (len > RX_BYTES)
            return -1;
        memcpy(session->bytes + LWS_PRE, in, len);
        session->len = len;
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (session->len > 0 && lws_write(wsi, session->bytes + LWS_PRE, session->len, LWS_WRITE_TEXT) < 0)
            return -1;
        session->len = 0;
        return 0;
    default:
        return 0;
    }
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)w, (void)events;
    ev_break(ev, EVBREAK_ALL);
}

int main(void)
{
    static const struct lws_protocols protocols[] = {
        {"echo", on_event, sizeof(struct session), RX_BYTES, 0, NULL, TX_BYTES}, {NULL, NULL, 0, 0, 0, NULL, 0}};
    static const lws_retry_bo_t no_timers;
    struct ev_loop *ev = ev_loop_new(EVBACKEND_EPOLL);
    void *loops[1] = {ev};
    const struct lws_context_creation_info info = {
        .port = 0, .iface = "127.0.0.1", .protocols = protocols, .foreign_loops = loops, .gid = (gid_t)-1,
        .uid = (uid_t)-1, .retry_and_idle_policy = &no_timers,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS};
    ev_signal terminated, interrupted;

    lws_set_log_level(0, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context != NULL ? lws_create_vhost(context, &info) : NULL;
    if (vhost == NULL) {
        fprintf(stderr, "bare_lws: libwebsockets does not start\n");
        return 1;
    }
    ev_signal_init(&terminated, on_signal, SIGTERM);
    ev_signal_init(&interrupted, on_signal, SIGINT);
    ev_signal_start(ev, &terminated);
    ev_signal_start(ev, &interrupted);
    printf("{\"event\":\"ready\",\"api\":\"http://127.0.0.1:%d\",\"pid\":%ld}\n", lws_get_vhost_port(vhost),
           (long)getpid());
    fflush(stdout);
    ev_run(ev, 0);
    lws_context_destroy(context);
    ev_loop_destroy(ev);
    return 0;
}
