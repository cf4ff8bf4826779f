/* SPDX-License-Identifier: Apache-2.0
 *
 * Bare libmicrohttpd, the measure of a REST call: one thread, one daemon in external epoll mode, its own accept. GET
 * answers 12 bytes of text; POST reads its body, which must be a JSON object, and answers a small one. There is no
 * routing, no check, no log: what is left is the cost of HTTP.
 *
 * The mode is the one the node uses. MHD's own threads are not: in 0.9.75 they stall when exactly k * 128 connections
 * are ready at once. A response is never queued on the handler's first call: MHD would close the connection after it.
 *
 * Prints {"event":"ready","api":"http://127.0.0.1:PORT","pid":N} and serves until SIGTERM or SIGINT. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* accept4, signalfd */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define CONNECTIONS_MAX 16384u
#define CONNECTION_MEMORY_BYTES 16384u
#define BODY_BYTES_MAX 256u

/* A request between the handler's first call and its end. */
struct exchange {
    size_t len;
    char body[BODY_BYTES_MAX];
};

static struct MHD_Response *hello, *value, *refusal; /* set once, before the first connection */

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **exchange_ptr)
{
    (void)user, (void)url, (void)version;
    struct exchange *exchange = *exchange_ptr;
    if (exchange == NULL) {
        *exchange_ptr = exchange = malloc(sizeof(*exchange));
        if (exchange == NULL)
            return MHD_NO;
        exchange->len = 0;
        return MHD_YES;
    }
    if (*data_len > 0) {
        size_t room = sizeof(exchange->body) - exchange->len;
        size_t len = *data_len < room ? *data_len : room;
        memcpy(exchange->body + exchange->len, data, len);
        exchange->len += len;
        *data_len = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") == 0)
        return MHD_queue_response(connection, MHD_HTTP_OK, hello);
    bool is_object = exchange->len >= 2 && exchange->body[0] == '{' && exchange->body[exchange->len - 1] == '}';
    return MHD_queue_response(connection, is_object ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST, is_object ? value : refusal);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **exchange_ptr,
                         enum MHD_RequestTerminationCode code)
{
    (void)user, (void)connection, (void)code;
    free(*exchange_ptr);
    *exchange_ptr = NULL;
}

static struct MHD_Response *response_of(const char *text, const char *content_type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL || MHD_add_response_header(response, "Content-Type", content_type) != MHD_YES)
        return NULL;
    return response;
}

/* A listening socket on loopback, any free port; *ret_port is what it got. */
static int listen_loopback(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int signals_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void accept_all(struct MHD_Daemon *daemon, int listener)
{
    for (;;) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            (void)MHD_add_connection(daemon, fd, (struct sockaddr *)&address, len); /* closes fd when it refuses */
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static bool watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Serve until a signal. MHD_run polls without waiting; a timeout of 0 means that it has more to do at once. */
static void serve(struct MHD_Daemon *daemon, int epoll, int listener, int signals)
{
    for (;;) {
        struct epoll_event events[4];
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        bool busy = MHD_get_timeout(daemon, &timeout_ms) == MHD_YES && timeout_ms == 0;
        int count = epoll_wait(epoll, events, 4, busy ? 0 : 1000);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == signals)
                return;
            if (events[i].data.fd == listener)
                accept_all(daemon, listener);
        }
        MHD_run(daemon);
    }
}

int main(void)
{
    unsigned port = 0;
    int listener = listen_loopback(&port);
    int signals = signals_fd();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    hello = response_of("Hello world\n", "text/plain");
    value = response_of("{\"value\":1234567}", "application/json");
    refusal = response_of("{\"code\":\"malformed\"}", "application/problem+json");
    if (listener < 0 || signals < 0 || epoll < 0 || hello == NULL || value == NULL || refusal == NULL) {
        perror("bare_mhd");
        return 1;
    }

    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = daemon == NULL ? NULL : MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || !watch(epoll, info->epoll_fd) || !watch(epoll, listener) || !watch(epoll, signals)) {
        fprintf(stderr, "bare_mhd: the daemon does not start\n");
        return 1;
    }
    printf("{\"event\":\"ready\",\"api\":\"http://127.0.0.1:%u\",\"pid\":%d}\n", port, (int)getpid());
    fflush(stdout);
    serve(daemon, epoll, listener, signals);

    MHD_stop_daemon(daemon);
    MHD_destroy_response(hello);
    MHD_destroy_response(value);
    MHD_destroy_response(refusal);
    close(epoll);
    close(signals);
    close(listener);
    return 0;
}
