/* SPDX-License-Identifier: Apache-2.0
 *
 * The happy path: accept; peek, which most often finds the whole head; check; hand over. A head that is not whole waits
 * in a nested epoll, edge-triggered, so that a half head costs nothing until more of it comes.
 *
 * The failure modes: a bad head gets a problem, then the connection lingers: our side is shut, what the client still
 * sends is dropped for LINGER_MS, so that it can read the answer before the end. A head that is late gets 408. Too many
 * connections get 503. Without descriptors, one held in reserve accepts and closes, and accepting pauses.
 *
 * /livez and /readyz are answered here, so that they do not depend on a worker. When the node is full, OVER_MAX heads
 * more are read to see whether they are such probes, or of the registry: a full node is not a dead one.
 *
 * Both lists are in the order of their deadlines, because each has one timeout: looking at the first is enough. */
#define _GNU_SOURCE /* accept4 */
#include "io/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "access/access.h"
#include "api/head_check.h"
#include "api/health.h"
#include "base/log.h"

enum {
    EVENTS_MAX = 128,
    ACCEPTS_MAX = 128,              /* in one go; the loop comes back for more */
    OVER_MAX = 64,                  /* heads beyond the node's connections */
    LINGER_MS = 1000,
    LINGERING_MAX = 1024,
    LINGER_BYTES_MAX = 4 << 20,
    ANSWER_BYTES = 2048
};

struct head {
    int fd;
    bool is_lingering;
    bool is_over;                   /* the node is full: only a probe is answered */
    uint64_t deadline_ms;
    uint64_t dropped;               /* bytes, while lingering */
    struct head_check check;
    struct head *next, *prev;
};

struct list {
    struct head first;              /* ring */
    unsigned count;
};

struct head_stage {
    struct head_config config;
    int epoll_fd, reserve_fd;
    struct list reading, lingering;
    struct log_gate gate;
    char bytes[HEAD_BYTES_MAX];
};

static void list_add(struct list *list, struct head *head)
{
    head->prev = list->first.prev;
    head->next = &list->first;
    list->first.prev->next = head;
    list->first.prev = head;
    list->count++;
}

static void list_remove(struct list *list, struct head *head)
{
    head->prev->next = head->next;
    head->next->prev = head->prev;
    list->count--;
}

static void count_waiting(struct head_stage *stage)
{
    atomic_store_explicit(&stage->config.traffic->heads_waiting, stage->reading.count, memory_order_relaxed);
}

static void leave(struct head_stage *stage, struct head *head)
{
    list_remove(head->is_lingering ? &stage->lingering : &stage->reading, head);
    count_waiting(stage);
    free(head);
}

static void close_head(struct head_stage *stage, struct head *head)
{
    access_address_leave(stage->config.env->access, head->fd);
    close(head->fd);
    leave(stage, head);
}

/* ---- answers of our own ---- */

static const char *phrase_of(unsigned status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 408: return "Request Timeout";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    default:  return "Service Unavailable";
    }
}

static void send_answer(int fd, unsigned status, const char *content_type, const char *body, size_t len,
                        unsigned retry_after, bool without_body)
{
    char buf[ANSWER_BYTES];
    char date[40];
    struct tm tm;
    time_t now = time(NULL);
    struct text text;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    text_init_fixed(&text, buf, sizeof buf);
    text_printf(&text, "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                "Connection: close\r\n", status, phrase_of(status), date, content_type, len);
    if (retry_after > 0)
        text_printf(&text, "Retry-After: %u\r\n", retry_after);
    text_add_str(&text, "\r\n");
    if (!without_body)
        text_add(&text, body, len);
    /* The socket is new and its buffer empty: what does not fit now is for a client that does not read. */
    if (!text.failed)
        (void)!send(fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_problem(int fd, const struct api_problem *problem, bool without_body)
{
    char buf[ANSWER_BYTES / 2];
    struct text document;
    text_init_fixed(&document, buf, sizeof buf);
    unsigned status = api_problem_write(problem, &document);
    send_answer(fd, status, "application/problem+json", buf, document.len, api_retry_after(problem->error),
                without_body);
}

/* Drop what has come. Returns false when the connection has ended or sends without end. */
static bool drop_input(struct head *head)
{
    for (;;) {
        ssize_t len = recv(head->fd, NULL, HEAD_BYTES_MAX, MSG_TRUNC | MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return len < 0 && errno == EAGAIN;
        head->dropped += (uint64_t)len;
        if (head->dropped > LINGER_BYTES_MAX)
            return false;
    }
}

/* The answer is sent: let the client read it before the connection ends. */
static void linger(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    shutdown(head->fd, SHUT_WR);
    if (!drop_input(head) || stage->lingering.count >= LINGERING_MAX) {
        close_head(stage, head);
        return;
    }
    list_remove(&stage->reading, head);
    count_waiting(stage);
    head->is_lingering = true;
    head->deadline_ms = now_ms + LINGER_MS;
    list_add(&stage->lingering, head);
}

static void refuse(struct head_stage *stage, struct head *head, int error, const char *detail, uint64_t now_ms)
{
    struct api_problem problem = {.error = error, .detail = troupe_view_of(detail)};
    send_problem(head->fd, &problem, false);
    linger(stage, head, now_ms);
}

static void refuse_head(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    enum head_reason reason = head->check.reason;
    traffic_add(&stage->config.traffic->refused[reason], 1);
    refuse(stage, head, reason == HEAD_TOO_LARGE ? TROUPE_E_HEAD_TOO_LARGE : TROUPE_E_BAD_HEAD,
           head_reason_text(reason), now_ms);
}

/* ---- whole heads ---- */

static bool target_is(const struct head_stage *stage, const struct head *head, const char *path)
{
    const char *target = stage->bytes + head->check.target;
    size_t len = strlen(path);
    return head->check.target_len >= len && memcmp(target, path, len) == 0 &&
           (head->check.target_len == len || target[len] == '?');
}

/* GET and HEAD of /livez and /readyz by a client that sent no body and no Origin (pages are for the workers). */
static bool answer_probe(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    bool is_head = head->check.method_len == 4 && memcmp(stage->bytes, "HEAD", 4) == 0;
    bool is_get = head->check.method_len == 3 && memcmp(stage->bytes, "GET", 3) == 0;
    bool is_ready = target_is(stage, head, "/readyz");
    if ((!is_head && !is_get) || (!is_ready && !target_is(stage, head, "/livez")) || head->check.has_origin)
        return false;
    troupe_view host = {stage->bytes + head->check.host, head->check.host_len};
    struct api_problem problem;
    if (!origin_host_is_allowed(&stage->config.env->origins, host)) {
        problem = (struct api_problem){.error = TROUPE_E_WRONG_HOST,
                                       .detail = troupe_view_of("use an IP address, localhost or the advertised name")};
        send_problem(head->fd, &problem, is_head);
    } else if (is_ready && !health_judge(stage->config.env, &problem)) {
        send_problem(head->fd, &problem, is_head);
    } else {
        send_answer(head->fd, 200, "application/json", health_live_body, strlen(health_live_body), 0, is_head);
    }
    linger(stage, head, now_ms);
    return true;
}

static void refuse_over(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    traffic_add(&stage->config.traffic->connections_refused, 1);
    refuse(stage, head, TROUPE_E_CONNECTIONS,
           "close connections that are not used, or start the node with a larger --connections-max", now_ms);
}

static void refuse_address(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    traffic_add(&stage->config.traffic->connections_refused, 1);
    refuse(stage, head, TROUPE_E_LIMIT,
           "your address has as many connections as --address-connections-max lets it; close some that are not used",
           now_ms);
}

/* False: nobody took it. */
static bool give_away(struct head_stage *stage, struct head *head)
{
    const struct head_config *config = &stage->config;
    struct loop *best = config->loops[0];
    (void)epoll_ctl(stage->epoll_fd, EPOLL_CTL_DEL, head->fd, NULL);
    if (head_target_is_registry((troupe_view){stage->bytes + head->check.target, head->check.target_len}))
        return config->to_registry(config->user, head->fd);
    for (unsigned i = 1; i < config->loops_count; i++) {
        if (loop_connections(config->loops[i]) < loop_connections(best))
            best = config->loops[i];
    }
    return loop_send_connection(best, head->fd);
}

static void hand_over(struct head_stage *stage, struct head *head, uint64_t now_ms)
{
    bool is_registry = head_target_is_registry((troupe_view){stage->bytes + head->check.target, head->check.target_len});
    if (answer_probe(stage, head, now_ms))
        return;
    if (head->is_over && !is_registry) { /* clients must not cost a member its lease */
        refuse_over(stage, head, now_ms);
        return;
    }
    if (health_is_starting(stage->config.env) && !is_registry) {
        refuse(stage, head, TROUPE_E_DRAINING, "the node has not joined its cluster yet; try again, or use another one",
               now_ms);
        return;
    }
    if (give_away(stage, head)) {
        leave(stage, head);
        return;
    }
    traffic_add(&stage->config.traffic->connections_refused, 1);
    refuse(stage, head, TROUPE_E_CONNECTIONS, "no worker takes connections now; try again later", now_ms);
}

/* Look at what has come so far; has_ended: no more will. */
static void look(struct head_stage *stage, struct head *head, bool has_ended, uint64_t now_ms)
{
    ssize_t len;
    do {
        len = recv(head->fd, stage->bytes, sizeof stage->bytes, MSG_PEEK | MSG_DONTWAIT);
    } while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0) {
        close_head(stage, head);
        return;
    }
    switch (head_check_feed(&head->check, stage->bytes, (size_t)len)) {
    case HEAD_WHOLE:   hand_over(stage, head, now_ms); break;
    case HEAD_REFUSED: refuse_head(stage, head, now_ms); break;
    case HEAD_MORE:
        if (has_ended)
            close_head(stage, head);
        break;
    }
}

/* ---- events ---- */

void head_on_ready(struct head_stage *stage, uint64_t now_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(stage->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        struct head *head = events[i].data.ptr;
        if (!head->is_lingering)
            look(stage, head, (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0, now_ms);
        else if (!drop_input(head))
            close_head(stage, head);
    }
}

static unsigned connections_now(const struct head_stage *stage)
{
    const struct head_config *config = &stage->config;
    unsigned count = stage->reading.count + stage->lingering.count + config->registry_connections(config->user);
    for (unsigned i = 0; i < config->loops_count; i++)
        count += loop_connections(config->loops[i]);
    return count;
}

static void take(struct head_stage *stage, int fd, uint64_t now_ms)
{
    struct head *head = calloc(1, sizeof *head);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = head};
    bool is_in = access_address_enter(stage->config.env->access, fd, now_ms);
    if (head == NULL || epoll_ctl(stage->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        access_address_leave(stage->config.env->access, fd);
        close(fd);
        free(head);
        return;
    }
    unsigned connections = connections_now(stage), connections_max = stage->config.env->connections_max;
    head->is_over = connections >= connections_max;
    head->fd = fd;
    head->deadline_ms = now_ms + stage->config.timeout_ms;
    list_add(&stage->reading, head);
    count_waiting(stage);
    if (!is_in)
        refuse_address(stage, head, now_ms);
    else if (connections >= connections_max + OVER_MAX)
        refuse_over(stage, head, now_ms);
    else
        look(stage, head, false, now_ms);
}

/* No descriptor is left: take the next connection with the one in reserve, and close it, so that it does not wait. */
static void turn_away(struct head_stage *stage, int listen_fd, uint64_t now_ms)
{
    if (stage->reserve_fd >= 0) {
        close(stage->reserve_fd);
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
    }
    stage->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    traffic_add(&stage->config.traffic->connections_refused, 1);
    if (log_gate_open(&stage->gate, now_ms))
        log_printf(TROUPE_LOG_WARN,
                   "no descriptor is left for a new connection; raise the limit of open files or lower "
                   "--connections-max");
}

bool head_on_accept(struct head_stage *stage, int listen_fd, uint64_t now_ms)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(stage, fd, now_ms);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return true;
        if (errno == EMFILE || errno == ENFILE)
            turn_away(stage, listen_fd, now_ms);
        else if (log_gate_open(&stage->gate, now_ms))
            log_printf(TROUPE_LOG_ERROR, "a connection could not be accepted: %s", strerror(errno));
        return false;
    }
    return true;
}

uint64_t head_tick(struct head_stage *stage, uint64_t now_ms)
{
    struct head *reading = stage->reading.first.next;
    while (reading != &stage->reading.first && reading->deadline_ms <= now_ms) {
        traffic_add(&stage->config.traffic->timed_out, 1);
        refuse(stage, reading, TROUPE_E_HEAD_TIMEOUT, "send the whole request head at once", now_ms);
        reading = stage->reading.first.next;
    }
    struct head *lingering = stage->lingering.first.next;
    while (lingering != &stage->lingering.first && lingering->deadline_ms <= now_ms) {
        close_head(stage, lingering);
        lingering = stage->lingering.first.next;
    }
    uint64_t at_ms = reading != &stage->reading.first ? reading->deadline_ms : UINT64_MAX;
    if (lingering != &stage->lingering.first && lingering->deadline_ms < at_ms)
        at_ms = lingering->deadline_ms;
    return at_ms == UINT64_MAX ? UINT64_MAX : at_ms - now_ms;
}

/* ---- the object ---- */

int head_new(const struct head_config *config, struct head_stage **ret_stage)
{
    struct head_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return TROUPE_E_NO_MEMORY;
    stage->config = *config;
    stage->reading.first.next = stage->reading.first.prev = &stage->reading.first;
    stage->lingering.first.next = stage->lingering.first.prev = &stage->lingering.first;
    stage->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    stage->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (stage->epoll_fd < 0) {
        head_free(stage);
        return TROUPE_E_INTERNAL;
    }
    *ret_stage = stage;
    return 0;
}

void head_free(struct head_stage *stage)
{
    if (stage == NULL)
        return;
    while (stage->reading.first.next != &stage->reading.first)
        close_head(stage, stage->reading.first.next);
    while (stage->lingering.first.next != &stage->lingering.first)
        close_head(stage, stage->lingering.first.next);
    if (stage->reserve_fd >= 0)
        close(stage->reserve_fd);
    if (stage->epoll_fd >= 0)
        close(stage->epoll_fd);
    free(stage);
}

int head_fd(const struct head_stage *stage) { return stage->epoll_fd; }
