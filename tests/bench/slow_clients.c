/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients that are slow on purpose, a third of each kind:
 *
 *   silent     connects and sends nothing
 *   trickle    sends a request head one byte each TRICKLE_MS
 *   half       sends half a head at once and nothing after it
 *
 * usage: slow_clients PORT COUNT [together]
 *
 * They do not know each other: they come one after another in OPENING_MS, and each trickles at a time of its own. With
 * "together" they come all at once, trickle all at once, and so reach the server's deadlines all at once. A server closes such clients at its deadlines; each is then opened again at once, so that their number holds. When
 * all have been connected, one line goes to stdout:  {"event":"ready","clients":3000}
 * On SIGTERM or the end of stdin a last one:          {"event":"end","opened":3412,"closed_by_server":412,"refused":0}
 *
 * One thread, one epoll; a client is an entry in a table, found by its index. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CLIENTS_MAX 60000u
#define TRICKLE_MS 500
#define TICK_MS 5                          /* at each the next of SLICES parts of the clients has its turn */
#define SLICES (TRICKLE_MS / TICK_MS)
#define OPENING_MS 5000
#define EVENTS_PER_WAIT 256

enum kind { SILENT, TRICKLE, HALF, KINDS };

static const char head[] = "GET /v1/node HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
                           "User-Agent: a-slow-client-with-a-long-name/1.0\r\nX-Patience: a great deal of it\r\n\r\n";

struct client {
    int fd; /* -1: to be opened again at the next tick */
    enum kind kind;
    bool connected;
    size_t sent; /* bytes of head */
};

struct crowd {
    int epoll;
    uint16_t port;
    uint32_t count, connected;
    bool ready; /* said so */
    bool together;
    unsigned long opened, closed_by_server, refused;
    uint64_t tick;
    struct client *clients;
};

static void client_open(struct crowd *crowd, uint32_t i)
{
    struct client *client = &crowd->clients[i];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(crowd->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = i};

    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                              .kind = (enum kind)(i % KINDS)};
    bool trying = client->fd >= 0 && epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, client->fd, &event) == 0 &&
                  (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
    if (trying)
        return;
    crowd->refused++;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static void client_close(struct crowd *crowd, struct client *client)
{
    if (client->connected) {
        crowd->connected--;
        crowd->closed_by_server++;
    } else {
        crowd->refused++;
    }
    close(client->fd);
    client->fd = -1;
}

static void client_send(struct client *client, size_t len)
{
    if (client->sent + len > sizeof(head) - 1)
        return; /* a trickler's head is whole: it has nothing left to say */
    ssize_t sent = send(client->fd, head + client->sent, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        client->sent += (size_t)sent;
}

static void on_event(struct crowd *crowd, uint32_t i, uint32_t events)
{
    struct client *client = &crowd->clients[i];
    char reply[1024];

    if (client->fd < 0)
        return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        bool again = client->connected;
        client_close(crowd, client);
        if (again)
            client_open(crowd, i); /* a refused one waits for the tick */
        return;
    }
    if ((events & EPOLLOUT) && !client->connected) {
        client->connected = true;
        crowd->connected++;
        crowd->opened++;
        if (client->kind == HALF)
            client_send(client, sizeof(head) / 2);
    }
    while ((events & EPOLLIN) && recv(client->fd, reply, sizeof(reply), MSG_DONTWAIT) > 0)
        ; /* what it says does not matter: edge-triggered, so take it all */
}

static void on_tick(struct crowd *crowd)
{
    uint64_t tick = crowd->tick++;
    uint64_t has_come = tick * TICK_MS * crowd->count / OPENING_MS; /* clients, of those that come first */
    if (crowd->together) {
        if (tick % SLICES != 0)
            return; /* one turn for all in TRICKLE_MS */
        has_come = crowd->count;
    }
    for (uint32_t i = crowd->together ? 0 : tick % SLICES; i < crowd->count; i += crowd->together ? 1 : SLICES) {
        struct client *client = &crowd->clients[i];
        if (client->fd < 0 && i <= has_come)
            client_open(crowd, i);
        else if (client->fd < 0)
            break;
        else if (client->kind == TRICKLE && client->connected)
            client_send(client, 1);
    }
}

/* ---- the loop ---- */

enum { ID_TIMER = CLIENTS_MAX, ID_SIGNALS, ID_STDIN };

static bool watch(const struct crowd *crowd, int fd, uint32_t id)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = id};
    /* A file or /dev/null as stdin cannot be watched, and never ends the run. */
    return fd >= 0 && (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || (id == ID_STDIN && errno == EPERM));
}

static void serve(struct crowd *crowd, int timer)
{
    for (;;) {
        struct epoll_event events[EVENTS_PER_WAIT];
        int count = epoll_wait(crowd->epoll, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < count; i++) {
            uint64_t ticks;
            uint32_t id = events[i].data.u32;
            if (id == ID_SIGNALS || id == ID_STDIN)
                return;
            if (id < CLIENTS_MAX)
                on_event(crowd, id, events[i].events);
            else if (read(timer, &ticks, sizeof(ticks)) > 0)
                for (; ticks > 0; ticks--)
                    on_tick(crowd);
        }
        if (!crowd->ready && crowd->connected == crowd->count) {
            crowd->ready = true;
            printf("{\"event\":\"ready\",\"clients\":%u}\n", crowd->count);
            fflush(stdout);
        }
    }
}

/* Every open descriptor this process may have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    crowd.together = argc == 4 && strcmp(argv[3], "together") == 0;
    bool whole = argc == 3 || crowd.together;
    unsigned long port = whole ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long count = whole ? strtoul(argv[2], NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX || count == 0 || count > CLIENTS_MAX) {
        fprintf(stderr, "usage: slow_clients PORT COUNT [together]\n");
        return 2;
    }
    raise_file_limit();
    crowd.port = (uint16_t)port;
    crowd.count = (uint32_t)count;
    crowd.clients = calloc(count, sizeof(*crowd.clients));

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec period = {.it_interval.tv_nsec = TICK_MS * 1000000L, .it_value.tv_nsec = TICK_MS * 1000000L};
    if (crowd.clients == NULL || !watch(&crowd, timer, ID_TIMER) || !watch(&crowd, signals, ID_SIGNALS) ||
        !watch(&crowd, STDIN_FILENO, ID_STDIN) || timerfd_settime(timer, 0, &period, NULL) != 0) {
        perror("slow_clients");
        free(crowd.clients);
        return 1;
    }
    for (uint32_t i = 0; i < crowd.count; i++)
        crowd.clients[i].fd = -1; /* it comes when its turn does */
    serve(&crowd, timer);
    printf("{\"event\":\"end\",\"opened\":%lu,\"closed_by_server\":%lu,\"refused\":%lu}\n", crowd.opened,
           crowd.closed_by_server, crowd.refused);
    free(crowd.clients);
    return 0;
}
