/* SPDX-License-Identifier: Apache-2.0
 *
 * The happy path of a request, all on the worker's thread:
 *   MHD reads the request line    on_target()     the raw target is copied: MHD would decode it before it is split
 *   MHD has the head              begin()         one pass over the fields: guard, Host, Origin; the route is found
 *   MHD has body bytes            conn_take_body(): into the connection's buffer, within the limits
 *   MHD has the whole request     run()           the handler; an answer at once is queued at once
 *   the answer is later           suspend         send_response() builds the response when it comes and resumes
 *   the answer is sent            on_completed()
 *   or the socket is given away   take_over(): a second descriptor goes to WebSocket or an event stream, and MHD closes
 *                                 its own, because the handler then returns MHD_NO
 *
 * The failure modes:
 *   hostile head                  a problem and Connection: close, from the handler's first call
 *   refused before its body       the answer waits until the body was read and dropped (CONN_DISCARD_BYTES_MAX), so
 *                                 that the client can read it; a client that expects 100-continue has it at once
 *   client leaves while waiting   MHD does not notice while a connection is suspended; on_gone() does: a request that
 *                                 waits longer than a tick is watched for EPOLLRDHUP in an epoll of our own
 *   dripping head, body, reader   MHD's timeout measures silence only. Each state has a deadline, which conn_tick
 *                                 enforces, going round all connections; an idle one is judged by the bytes that TCP
 *                                 has received without a request coming of them
 *
 * MHD facts this rests on (0.9.75): a response that is queued in the first call closes the connection; the daemon must
 * not block in epoll_wait itself (it stalls at 128 ready connections), so it is run on readiness with timeout 0. With
 * MHD_USE_TURBO a connection whose handler returned MHD_NO is closed without shutdown() and without a byte sent, and
 * its descriptor leaves MHD's epoll before it is closed; so a duplicate of it lives on. What MHD has read beyond the
 * request is lost with its buffer: a client that sends frames without waiting for the answer, which RFC 6455, part 4.1,
 * forbids, is refused. MHD splits a head where it stands, so its first and last byte tell its length. */
#include "io/http_mhd.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/guard.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/clock.h"
#include "io/conn.h"
#include "io/peer.h"

enum {
    POOL_BYTES = 24 << 10,          /* cleared for each request: the largest head, its fields, an answer */
    BODY_BASE_MS = 30000,           /* a body may take this long and 1 ms per CONN_BYTES_PER_MS */
    SEND_BASE_MS = 60000,
    GONE_EVENTS_MAX = 64,
    POLL_TURNS = 4                  /* the run queue's share after each TROUPE_INLINE_PER_PASS_MAX requests */
};

/* ---- waiting ---- */

static void suspend(struct conn *conn)
{
    MHD_suspend_connection(conn->mhd);
    conn->suspended = true;
    conn->suspended_ms = conn->http->now_ms;
    conn_enter(conn, CONN_WAITING, 0);
    conn_watch(conn);
}

static void resume(struct conn *conn)
{
    conn_unwatch(conn);
    conn->suspended = false;
    conn->http->again = true;
    MHD_resume_connection(conn->mhd);
}

/* Nobody waits for the answer any more. */
static void cancel(struct conn *conn)
{
    troupe_request_cancel(&conn->req.core);
    if (conn->req.has_more)
        troupe_request_cancel(&conn->req.more);
    if (conn->req.cancelled != NULL)
        conn->req.cancelled(&conn->req);
    conn->req.cancelled = NULL;
    conn_enter(conn, CONN_SENDING, 0);
}

/* ---- the transport of the API ---- */

static int add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES ? 0 : -1;
}

static int add_cors(struct MHD_Response *response, troupe_view origin)
{
    char text[300];
    if (origin.len >= sizeof text)
        return -1;
    memcpy(text, origin.ptr, origin.len);
    text[origin.len] = '\0';
    return add_header(response, "Access-Control-Allow-Origin", text) | add_header(response, "Vary", "Origin") |
           add_header(response, "Access-Control-Expose-Headers", "Location, Link, Retry-After, ETag");
}

static struct MHD_Response *build_response(struct conn *conn, const struct api_response *from)
{
    static const enum MHD_ResponseMemoryMode modes[] = {
        [API_COPY] = MHD_RESPMEM_MUST_COPY,
        [API_STATIC] = MHD_RESPMEM_PERSISTENT,
        [API_MALLOCED] = MHD_RESPMEM_MUST_FREE,
    };
    struct MHD_Response *response = MHD_create_response_from_buffer(from->len, (void *)from->body, modes[from->owner]);
    if (response == NULL) {
        if (from->owner == API_MALLOCED)
            free((void *)from->body);
        return NULL;
    }
    int failed = 0;
    if (from->content_type != NULL)
        failed |= add_header(response, "Content-Type", from->content_type);
    for (unsigned i = 0; i < from->headers_count; i++)
        failed |= add_header(response, from->headers[i].name, from->headers[i].value);
    if (conn->req.allow_origin)
        failed |= add_cors(response, conn->req.origin);
    else if (conn->req.method == API_GET || conn->req.method == API_HEAD)
        failed |= add_header(response, "Vary", "Origin"); /* a cache may keep it, for those who have one too */
    if (from->close || conn->http->is_retiring)
        failed |= add_header(response, "Connection", "close");
    if (failed != 0) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static void send_response(struct api_request *req, const struct api_response *from)
{
    struct conn *conn = (struct conn *)(void *)req;
    conn->response = build_response(conn, from);
    conn->status = from->status;
    conn->response_len = from->len;
    conn->failed = conn->response == NULL;
    if (conn->suspended)
        resume(conn);
}

static void tell_peer(struct api_request *req, char *text, size_t cap)
{
    peer_format(((struct conn *)(void *)req)->fd, text, cap);
}

/* MHD may have left the socket corked or without TCP_NODELAY. */
static void make_prompt(int fd)
{
    const int on = 1, off = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int take_over(struct api_request *req, const struct api_takeover *to)
{
    struct conn *conn = (struct conn *)(void *)req;
    const struct http_config *config = &conn->http->config;
    if (config->take == NULL || conn->suspended)
        return TROUPE_E_STATE;
    if (to->kind == API_TO_WEBSOCKET && conn_is_ahead(conn))
        return TROUPE_E_INVALID;
    int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return TROUPE_E_CONNECTIONS;
    make_prompt(fd);
    int error = config->take(config->user, req, fd, to);
    if (error == 0 && config->env->access != NULL)
        access_address_move(config->env->access, conn->fd, fd);
    conn->taken = error == 0;
    conn->status = to->kind == API_TO_WEBSOCKET ? 101 : 200;
    return error;
}

static int tell_fd(struct api_request *req)
{
    return ((struct conn *)(void *)req)->fd;
}

static const struct api_transport transport = {
    .send = send_response, .peer = tell_peer, .take_over = take_over, .fd = tell_fd,
};

/* ---- the request ---- */

static void count_answer(const struct conn *conn)
{
    unsigned class = conn->status / 100;
    traffic_add(&conn->http->config.traffic->requests[class < 6 ? class : 5], 1);
}

static enum MHD_Result queue(struct conn *conn)
{
    struct MHD_Response *response = conn->response;
    conn->response = NULL;
    count_answer(conn);
    conn_enter(conn, CONN_SENDING, SEND_BASE_MS + conn->response_len / CONN_BYTES_PER_MS);
    enum MHD_Result result = MHD_queue_response(conn->mhd, conn->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t value_len)
{
    (void)kind;
    guard_field(cls, (troupe_view){name, name_len}, (troupe_view){value != NULL ? value : "", value_len});
    return MHD_YES;
}

/* The head is hostile: answer and close. */
static enum MHD_Result refuse_head(struct conn *conn, enum head_reason reason)
{
    struct api_problem problem = {
        .error = reason == HEAD_TOO_LARGE ? TROUPE_E_HEAD_TOO_LARGE : TROUPE_E_BAD_HEAD,
        .detail = troupe_view_of(head_reason_text(reason)), .close = true,
    };
    traffic_add(&conn->http->config.traffic->refused[reason], 1);
    api_reply_problem(&conn->req, &problem);
    return conn->response != NULL ? queue(conn) : MHD_NO;
}

static void fill_request(struct conn *conn, const struct guard *guard, const char *method, bool is_http_1_0)
{
    struct api_request *req = &conn->req;
    req->method = api_method_parse(troupe_view_of(method));
    req->host = guard->host;
    req->origin = guard->has_origin ? guard->origin : (troupe_view){0};
    req->content_type = guard->content_type;
    req->if_none_match = guard->if_none_match;
    req->authorization = guard->authorization;
    req->last_event_id = guard->last_event_id;
    req->websocket.is_upgrade = guard->wants_upgrade && guard->wants_websocket && !is_http_1_0;
    req->websocket.version = guard->versions == 1 ? guard->version : (troupe_view){0};
    req->websocket.key = guard->keys == 1 ? guard->key : (troupe_view){0};
    req->websocket.protocols = guard->protocols;
    req->websocket.protocol_lines = guard->protocol_lines;
    req->accepts_gzip = guard->accepts_gzip;
    req->is_preflight = guard->is_preflight;
    req->host_is_trusted = conn->host_len > 0 && conn->host_len == guard->host.len &&
                           memcmp(conn->host, guard->host.ptr, conn->host_len) == 0;
}

static void remember_host(struct conn *conn)
{
    size_t len = conn->req.host.len;
    if (!conn->req.host_is_trusted || len > sizeof conn->host || len == conn->host_len)
        return;
    memcpy(conn->host, conn->req.host.ptr, len);
    conn->host_len = len;
}

/* The registry is served by the control thread, all else by the workers: no actor can delay a lease, and no list of
 * nodes an actor. Health is served by both. */
static bool is_right_here(const struct conn *conn)
{
    const struct api_route *route = conn->req.route;
    return route == NULL || route->on_control == conn->http->config.is_control || route->handle == health_live ||
           route->handle == health_ready || route->handle == health_report;
}

static void refuse_connection(struct conn *conn)
{
    struct api_problem problem = {
        .error = TROUPE_E_WRONG_CONNECTION, .close = true,
        .detail = troupe_view_of("the registry has connections of its own; send this request on a new one"),
    };
    conn->refused = true;
    api_reply_problem(&conn->req, &problem);
}

static enum MHD_Result begin(struct conn *conn, const char *method, const char *version)
{
    /* The request line with two blanks and its end, and the empty line; each field adds itself. */
    struct guard guard = {.bytes = strlen(method) + conn->req.target_len + strlen(version) + 6};
    bool is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    conn->begun = true;
    MHD_get_connection_values_n(conn->mhd, MHD_HEADER_KIND, on_field, &guard);
    enum head_reason reason = guard_end(&guard, is_http_1_0);
    if (reason == HEAD_FINE && strcmp(version, "HTTP/1.1") != 0 && !is_http_1_0)
        reason = HEAD_VERSION;
    if (reason == HEAD_FINE)
        reason = head_check_request(troupe_view_of(method), (troupe_view){conn->req.target, conn->req.target_len});
    if (reason != HEAD_FINE)
        return refuse_head(conn, reason);
    fill_request(conn, &guard, method, is_http_1_0);
    conn->refused = !api_begin(&conn->req);
    remember_host(conn);
    if (!conn->refused && !is_right_here(conn))
        refuse_connection(conn);
    if (!conn->refused && guard.has_length && guard.length > conn->http->config.env->body_max)
        conn_refuse_size(conn);
    bool has_body = guard.has_coding || guard.length > 0;
    conn_account(conn, (uint64_t)(guard.end + 4 - method), guard.length, guard.has_coding);
    if (has_body) {
        uint64_t size = guard.has_coding ? conn->http->config.env->body_max : guard.length;
        conn_enter(conn, CONN_BODY, BODY_BASE_MS + size / CONN_BYTES_PER_MS);
    }
    bool answer_now = conn->refused && has_body && (guard.expects_continue || guard.length > CONN_DISCARD_BYTES_MAX);
    if (answer_now)
        return conn->response != NULL ? queue(conn) : MHD_NO;
    return MHD_YES;
}

static enum MHD_Result run(struct conn *conn)
{
    struct http *http = conn->http;
    conn->req.body = conn->body;
    conn->req.body_len = conn->body_len;
    conn->req.now_ms = http->now_ms;
    if (http->config.worker != NULL && ++http->in_pass > TROUPE_INLINE_PER_PASS_MAX) {
        /* Whatever runs inline here must not keep the run queue waiting. */
        (void)troupe_worker_poll(http->config.worker, clock_now_ns(), POLL_TURNS);
        http->in_pass = 1;
    }
    api_run(&conn->req);
    if (conn->response != NULL)
        return queue(conn);
    if (conn->taken) {
        count_answer(conn);
        http->is_taking = true;
        return MHD_NO;
    }
    if (conn->failed)
        return MHD_NO;
    suspend(conn);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **con_cls)
{
    struct conn *conn = *con_cls;
    (void)cls, (void)mhd, (void)url;
    if (conn == NULL || conn->failed || conn->gone)
        return MHD_NO;
    if (!conn->begun)
        return begin(conn, method, version);
    if (*upload_len > 0) {
        size_t len = *upload_len;
        *upload_len = 0;
        return conn_take_body(conn, upload, len) ? MHD_YES : MHD_NO;
    }
    if (conn->response != NULL)
        return queue(conn);
    if (conn->refused)
        return MHD_NO;
    return run(conn);
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The arguments are ours to read: MHD would make a record of each, and a few hundred of them exhaust its memory for the
 * connection, which it then neither answers nor closes. It has found the '?' by now and goes on behind it, up to a NUL,
 * in its own buffer, which is not const there. */
static void hide_arguments(const char *target)
{
    char *query = strchr(target, '?');
    if (query != NULL && query[1] != '\0')
        query[1] = '\0';
}

/* MHD has the request line; what this returns is *con_cls of the request. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct conn *conn = conn_of(mhd);
    (void)cls;
    if (conn == NULL)
        return NULL;
    size_t len = target != NULL ? strlen(target) : 0;
    memset(&conn->req, 0, offsetof(struct api_request, query));
    conn->req.query_count = 0;
    conn->req.has_more = conn->req.allow_origin = conn->req.is_answered = false;
    conn->req.core = (troupe_request){0};
    conn->req.cancelled = NULL;
    conn->req.actor = (troupe_ref){0};
    conn->req.flags = 0;
    conn->req.token = NULL;
    conn->begun = conn->refused = conn->gone = false;
    conn->discarded = 0;
    conn->target = len <= sizeof conn->target_inline ? conn->target_inline : malloc(len);
    conn->failed = conn->target == NULL;
    conn->req.env = conn->http->config.env;
    conn->req.identity = &conn->identity;
    conn->req.now_ms = conn->http->now_ms;
    conn->req.transport = &transport;
    conn->req.worker = conn->http->config.worker;
    conn->req.target = conn->target;
    conn->req.target_len = len;
    if (!conn->failed && len > 0)
        memcpy(conn->target, target, len);
    if (target != NULL)
        hide_arguments(target);
    conn_enter(conn, CONN_HEAD, conn->http->config.head_timeout_ms);
    return conn;
}

/* The target stays as it came; router and path decode it once, segment by segment. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

static void end_request(struct conn *conn)
{
    if (conn->state == CONN_WAITING)
        cancel(conn);
    conn_unwatch(conn);
    if (conn->response != NULL)
        MHD_destroy_response(conn->response);
    conn->response = NULL;
    conn_drop_body(conn);
    if (conn->target != conn->target_inline)
        free(conn->target);
    conn->target = conn->target_inline;
    identify_end(&conn->req);
    conn->requests++;
    conn_enter(conn, CONN_IDLE, 0);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls, enum MHD_RequestTerminationCode code)
{
    (void)cls, (void)mhd, (void)code;
    if (*con_cls != NULL)
        end_request(*con_cls);
    *con_cls = NULL;
}

/* ---- connections ---- */

static void open_conn(struct http *http, struct MHD_Connection *mhd, void **socket_context)
{
    struct conn *conn = malloc(sizeof *conn);
    *socket_context = conn;
    if (conn == NULL)
        return; /* every request of it is refused */
    memset(conn, 0, offsetof(struct conn, host));
    conn->http = http;
    conn->mhd = mhd;
    conn->body = conn->body_inline;
    conn->body_cap = sizeof conn->body_inline;
    conn->target = conn->target_inline;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    conn->fd = info != NULL ? info->connect_fd : -1;
    conn_link(conn);
    http->connections++;
    traffic_add(&http->config.traffic->opened, 1);
}

/* A connection is about to be closed for good. */
static void leave(struct http *http, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    atomic_fetch_sub_explicit(http->config.connections, 1, memory_order_relaxed);
    if (info != NULL)
        access_address_leave(http->config.env->access, info->connect_fd);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_conn(http, mhd, socket_context);
        return;
    }
    struct conn *conn = *socket_context;
    *socket_context = NULL;
    if (conn == NULL || !conn->taken)
        leave(http, mhd);
    if (conn == NULL)
        return;
    if (conn->state != CONN_IDLE)
        end_request(conn); /* MHD does not tell the end of a request that it refused by itself */
    conn_unlink(conn);
    identify_forget(&conn->identity);
    http->connections--;
    free(conn);
}

void http_add(struct http *http, int fd)
{
    const struct sockaddr_in unknown = {.sin_family = AF_INET}; /* peer.h asks the socket when somebody wants to know */
    make_prompt(fd);
    http->again = true;
    unsigned before = http->connections;
    if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)&unknown, sizeof unknown) == MHD_YES)
        return;
    /* MHD has closed the descriptor. */
    if (http->connections == before)
        atomic_fetch_sub_explicit(http->config.connections, 1, memory_order_relaxed);
    if (log_gate_open(&http->gate, http->now_ms))
        log_printf(TROUPE_LOG_WARN, "a connection could not be taken over: %s", strerror(errno));
}

/* ---- clients that leave ---- */

void http_on_gone(struct http *http)
{
    struct epoll_event events[GONE_EVENTS_MAX];
    int count = epoll_wait(http->gone_fd, events, GONE_EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        struct conn *conn = events[i].data.ptr;
        cancel(conn);
        conn->gone = true;
        resume(conn);
    }
}

/* ---- the object ---- */

static void on_library_log(void *cls, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void on_library_log(void *cls, const char *format, va_list args)
{
    struct http *http = cls;
    char words[256];
    bool is_taking = http->is_taking;
    http->is_taking = false;
    if (is_taking)
        return; /* it tells of MHD_NO, as of an error */
    if (!log_gate_open(&http->gate, http->now_ms))
        return;
    vsnprintf(words, sizeof words, format, args);
    words[strcspn(words, "\r\n")] = '\0';
    log_printf(TROUPE_LOG_DEBUG, "http: %s", words);
}

static int start_daemon(struct http *http)
{
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_ERROR_LOG;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http,
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, (void *)http,
        MHD_OPTION_CONNECTION_LIMIT, http->config.env->connections_max + 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((http->config.idle_timeout_ms + 999) / 1000),
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, (void *)http,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, (void *)http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, (void *)http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, (void *)http,
        MHD_OPTION_END);
    if (http->daemon == NULL)
        return TROUPE_E_INTERNAL;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->fd = info != NULL ? info->epoll_fd : -1;
    return http->fd >= 0 ? 0 : TROUPE_E_INTERNAL;
}

int http_new(const struct http_config *config, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return TROUPE_E_NO_MEMORY;
    http->config = *config;
    http->all.next = http->all.prev = &http->all;
    http->fresh.fresh_next = http->fresh.fresh_prev = &http->fresh;
    http->gone_fd = epoll_create1(EPOLL_CLOEXEC);
    int error = http->gone_fd >= 0 ? start_daemon(http) : TROUPE_E_INTERNAL;
    if (error != 0) {
        http_free(http);
        return error;
    }
    *ret_http = http;
    return 0;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    /* MHD does not end with suspended connections. */
    for (struct conn *conn = http->all.next; conn != &http->all; conn = conn->next) {
        if (!conn->suspended)
            continue;
        cancel(conn);
        conn->gone = true;
        resume(conn);
    }
    if (http->daemon != NULL) {
        (void)MHD_run(http->daemon);
        MHD_stop_daemon(http->daemon);
    }
    if (http->gone_fd >= 0)
        close(http->gone_fd);
    free(http);
}

int http_fd(const struct http *http) { return http->fd; }

int http_gone_fd(const struct http *http) { return http->gone_fd; }

unsigned http_connections(const struct http *http) { return http->connections; }

unsigned http_requests(const struct http *http) { return http->requests; }

bool http_is_due(const struct http *http) { return http->again; }

void http_tick(struct http *http, uint64_t now_ms) { conn_tick(http, now_ms); }

void http_retire(struct http *http) { http->is_retiring = true; }

uint64_t http_run(struct http *http, uint64_t now_ns)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    http->now_ms = now_ns / 1000000u;
    http->in_pass = 0;
    http->again = false;
    if (http->config.worker != NULL)
        troupe_worker_set_now(http->config.worker, now_ns);
    (void)MHD_run(http->daemon);
    if (http->again)
        return 0;
    return MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES ? timeout_ms : UINT64_MAX;
}
