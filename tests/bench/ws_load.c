/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients of WebSocket and of event streams, many of them, and load on some. Told what to do by lines on stdin; each
 * is answered by a line of JSON on stdout when it is done:
 *
 *   sessions N              open N sessions; they stay. {"event":"sessions","open":N}
 *   streams N PATH          open N event streams. {"event":"streams","open":N}
 *   echo N SECONDS TEXT     N further sessions each send TEXT, await a message, and so on.
 *                           {"event":"echo","messages":M,"seconds":S,"cpu_us":C}: C is the server's CPU time
 *   say TEXT                each of the sessions that stay sends TEXT, and awaits a message.
 *                           {"event":"say","messages":N}
 *   publish COUNT TEXT      one further session sends TEXT COUNT times; all sessions and streams that stay await COUNT
 *                           messages. {"event":"publish","messages":M,"seconds":S,"cpu_us":C}
 *
 * usage: ws_load PORT SERVER_PID
 *
 * One thread, one epoll; a client is an entry in a table, found by its index. Frames of the server are counted by their
 * headers; pings are answered, so that sessions live. Ends with stdin; any failure ends it with words on stderr. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* memmem */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 19000u
#define OPENING_MAX 16u                    /* at once */
#define TEXT_BYTES_MAX 1024
#define BYTES_MAX 2048                     /* of what a client has received and not read */
#define EVENTS_PER_WAIT 256
#define WAIT_MS 60000

struct client {
    int fd;
    bool is_stream, is_open, is_active;
    uint64_t messages;
    size_t len, skip;                      /* bytes received; bytes of a payload to pass over */
    char *bytes;
};

struct load {
    int epoll;
    uint16_t port;
    long pid;
    uint32_t count, open, stay;            /* clients; those whose head was answered; those that stay */
    uint64_t messages;
    bool is_echoing;
    char frame[TEXT_BYTES_MAX + 8];        /* what active clients send */
    size_t frame_len;
    struct client clients[CLIENTS_MAX];
};

static _Noreturn void fail(const char *words)
{
    fprintf(stderr, "ws_load: %s: %s\n", words, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU time of the server, user and system, all its threads. */
static double cpu_us(const struct load *load)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", load->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail("the server is gone");
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        fail("the server's figures cannot be read");
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static void send_all(struct client *client, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(client->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0)
            fail("a client cannot send");
        bytes += sent;
        len -= (size_t)sent;
    }
}

/* A masked text frame. */
static void make_frame(struct load *load, const char *text)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t len = strlen(text), at = 0;
    if (len > TEXT_BYTES_MAX)
        fail("the text is too long");
    load->frame[at++] = (char)0x81;
    if (len < 126) {
        load->frame[at++] = (char)(0x80 | len);
    } else {
        load->frame[at++] = (char)(0x80 | 126);
        load->frame[at++] = (char)(len >> 8);
        load->frame[at++] = (char)len;
    }
    memcpy(load->frame + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        load->frame[at++] = (char)((unsigned char)text[i] ^ mask[i & 3]);
    load->frame_len = at;
}

static void client_open(struct load *load, const char *path)
{
    char head[512];
    if (load->count == CLIENTS_MAX)
        fail("too many clients");
    struct client *client = &load->clients[load->count];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = load->count};
    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .is_stream = path != NULL,
                              .bytes = malloc(BYTES_MAX)};
    if (client->fd < 0 || client->bytes == NULL ||
        connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("a client cannot connect");
    load->count++;
    int len = path != NULL
                  ? snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path)
                  : snprintf(head, sizeof(head),
                             "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    send_all(client, head, (size_t)len);
}

static void on_message(struct load *load, struct client *client)
{
    client->messages++;
    load->messages++;
    if (client->is_active && load->is_echoing)
        send_all(client, load->frame, load->frame_len);
}

/* Returns the bytes of whole frames, or of parts of one, that were read. */
static size_t read_frame(struct load *load, struct client *client, const char *bytes, size_t len)
{
    const unsigned char *head = (const unsigned char *)bytes;
    static const char pong[6] = {(char)0x8a, (char)0x80, 1, 2, 3, 4};
    size_t short_len = len >= 2 ? head[1] & 0x7f : 0, head_len = short_len == 127 ? 10 : short_len == 126 ? 4 : 2;
    if (len < head_len || len < 2)
        return 0;
    size_t payload = short_len;
    if (short_len >= 126) {
        payload = 0;
        for (size_t i = 2; i < head_len; i++)
            payload = payload << 8 | head[i];
    }
    if ((head[0] & 0xf) == 9)
        send_all(client, pong, sizeof(pong));
    if ((head[0] & 0xf) == 8)
        fail("the server has closed a session");
    client->skip = payload;
    if (head[0] == 0x81)
        on_message(load, client);
    return head_len;
}

/* An event ends with an empty line; those without data are comments and the retry time. */
static size_t read_event(struct load *load, struct client *client, const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\n\n", 2);
    if (end == NULL)
        return 0;
    if (memmem(bytes, (size_t)(end - bytes), "data:", 5) != NULL)
        on_message(load, client);
    return (size_t)(end - bytes) + 2;
}

static size_t read_head(struct load *load, struct client *client, const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (memcmp(bytes, client->is_stream ? "HTTP/1.1 200" : "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "%.*s\n", (int)len, bytes);
        fail("a client is refused");
    }
    client->is_open = true;
    load->open++;
    return (size_t)(end - bytes) + 4;
}

static void on_bytes(struct load *load, struct client *client)
{
    ssize_t got = recv(client->fd, client->bytes + client->len, BYTES_MAX - client->len, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("the server has closed a connection");
    client->len += (size_t)got;
    size_t at = 0, step = 1;
    while (at < client->len && step > 0) {
        const char *bytes = client->bytes + at;
        size_t len = client->len - at;
        if (client->skip > 0) {
            step = client->skip < len ? client->skip : len;
            client->skip -= step;
        } else {
            step = !client->is_open      ? read_head(load, client, bytes, len)
                   : client->is_stream ? read_event(load, client, bytes, len)
                                       : read_frame(load, client, bytes, len);
        }
        at += step;
    }
    if (at == 0 && client->len == BYTES_MAX)
        fail("what the server sent is too long");
    memmove(client->bytes, client->bytes + at, client->len - at);
    client->len -= at;
}

/* Serve clients until `until` has come. */
static void serve(struct load *load, double until_s)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    double left = until_s - now_s();
    int count = epoll_wait(load->epoll, events, EVENTS_PER_WAIT, left > 0 ? (int)(left * 1e3) + 1 : 0);
    for (int i = 0; i < count; i++)
        on_bytes(load, &load->clients[events[i].data.u32]);
}

static void serve_until(struct load *load, const uint64_t *figure, uint64_t wanted)
{
    double until_s = now_s() + WAIT_MS / 1e3;
    while (*figure < wanted) {
        if (now_s() > until_s)
            fail("the server does not answer in time");
        serve(load, until_s);
    }
}

static void open_many(struct load *load, uint32_t count, const char *path)
{
    for (uint32_t i = 0; i < count; i++) {
        client_open(load, path);
        double until_s = now_s() + WAIT_MS / 1e3;
        while (load->count - load->open > OPENING_MAX || (i + 1 == count && load->open < load->count)) {
            if (now_s() > until_s)
                fail("the server does not open sessions in time");
            serve(load, until_s);
        }
    }
}

/* Close the clients that came last. */
static void close_last(struct load *load, uint32_t stay)
{
    while (load->count > stay) {
        struct client *client = &load->clients[--load->count];
        close(client->fd);
        free(client->bytes);
        load->open--;
    }
}

static void echo(struct load *load, uint32_t count, double seconds)
{
    open_many(load, count, NULL);
    load->is_echoing = true;
    for (uint32_t i = load->stay; i < load->count; i++) {
        load->clients[i].is_active = true;
        send_all(&load->clients[i], load->frame, load->frame_len);
    }
    double warm_s = now_s() + seconds / 10;
    while (now_s() < warm_s)
        serve(load, warm_s);
    uint64_t messages = load->messages;
    double from_s = now_s(), from_cpu_us = cpu_us(load);
    while (now_s() < from_s + seconds)
        serve(load, from_s + seconds);
    double took_s = now_s() - from_s, took_cpu_us = cpu_us(load) - from_cpu_us;
    printf("{\"event\":\"echo\",\"messages\":%" PRIu64 ",\"seconds\":%.3f,\"cpu_us\":%.0f}\n",
           load->messages - messages, took_s, took_cpu_us);
    load->is_echoing = false;
    close_last(load, load->stay);
}

static void say(struct load *load)
{
    uint64_t wanted = load->messages;
    for (uint32_t i = 0; i < load->stay; i++) {
        if (load->clients[i].is_stream)
            continue;
        send_all(&load->clients[i], load->frame, load->frame_len);
        wanted++;
        serve(load, 0);
    }
    serve_until(load, &load->messages, wanted);
    printf("{\"event\":\"say\",\"messages\":%" PRIu32 "}\n", load->stay);
}

static void publish(struct load *load, uint32_t count)
{
    open_many(load, 1, NULL);
    double from_s = now_s(), from_cpu_us = cpu_us(load);
    uint64_t before = load->messages;
    for (uint32_t i = 0; i < count; i++) {
        send_all(&load->clients[load->stay], load->frame, load->frame_len);
        serve_until(load, &load->messages, before + (uint64_t)(i + 1) * load->stay);
    }
    printf("{\"event\":\"publish\",\"messages\":%" PRIu64 ",\"seconds\":%.3f,\"cpu_us\":%.0f}\n",
           load->messages - before, now_s() - from_s, cpu_us(load) - from_cpu_us);
    close_last(load, load->stay);
}

static void obey(struct load *load, char *line)
{
    uint32_t count = 0;
    double seconds = 0;
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "sessions %" SCNu32, &count) == 1) {
        open_many(load, count, NULL);
        load->stay = load->count;
        printf("{\"event\":\"sessions\",\"open\":%" PRIu32 "}\n", load->open);
    } else if (sscanf(line, "streams %" SCNu32 " %n", &count, &at) == 1 && at > 0) {
        open_many(load, count, line + at);
        load->stay = load->count;
        printf("{\"event\":\"streams\",\"open\":%" PRIu32 "}\n", load->open);
    } else if (sscanf(line, "echo %" SCNu32 " %lf %n", &count, &seconds, &at) == 2 && at > 0) {
        make_frame(load, line + at);
        echo(load, count, seconds);
    } else if (sscanf(line, "publish %" SCNu32 " %n", &count, &at) == 1 && at > 0) {
        make_frame(load, line + at);
        publish(load, count);
    } else if (sscanf(line, "say %n", &at) == 0 && at > 0) {
        make_frame(load, line + at);
        say(load);
    } else {
        fail(line);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct load load;
    static char line[TEXT_BYTES_MAX + 64];
    size_t len = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: ws_load PORT SERVER_PID\n");
        return 64;
    }
    load.port = (uint16_t)atoi(argv[1]);
    load.pid = atol(argv[2]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    if (load.epoll < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        fail("epoll");
    /* Between orders the clients are served too: they have pings to answer. */
    for (;;) {
        struct epoll_event ready;
        if (epoll_wait(load.epoll, &ready, 1, -1) < 1)
            continue;
        if (ready.data.u32 != UINT32_MAX) {
            on_bytes(&load, &load.clients[ready.data.u32]);
            continue;
        }
        ssize_t got = read(STDIN_FILENO, line + len, 1);
        if (got <= 0)
            return 0;
        if (line[len] != '\n' && ++len < sizeof(line) - 1)
            continue;
        line[len] = '\0';
        len = 0;
        (void)epoll_ctl(load.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        obey(&load, line);
        (void)epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    }
}
