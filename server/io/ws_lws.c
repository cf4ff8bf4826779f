/* SPDX-License-Identifier: Apache-2.0
 *
 * The happy path of a session's socket, all on the worker's thread:
 *   ws_take()          the upgrade was checked by api/ws.c; libwebsockets adopts the socket and reads a head that we
 *                      write ourselves, so it sees only what was checked; it answers 101
 *   on_bytes()         a piece of a message: whole ones go to the session at once, others are collected
 *   the session        queues frames and says so by wants_write(), which makes the socket dirty
 *   ws_flush()         once in each pass of the loop: the frames of a dirty socket are written together
 *   on_writable()      what the socket did not take is written when it can be
 *   on_closed()        the session is freed
 *
 * The failure modes:
 *   message too big    close 1009, by the length that its header promises, before the bytes have come: on_readable()
 *                      sees to it that check_promise() looks at it after the library has read
 *   binary             close 1003. Bytes that are not UTF-8: the library closes with 1007, and we for a character that
 *                      an empty last fragment cuts off, which it does not see
 *   broken framing     close 1002, also where the library would only hang up, or echo a close code that is none:
 *                      on_end(), on_peer_close(). Two things it does not notice: frames that are not masked, and
 *                      lengths that are written longer than need be. Its interface shows neither. on_readable() looks
 *                      at the first frame of a client for itself: who does not mask that one masks none. The rest does
 *                      harm to nobody but its sender
 *   slow reader        at most FLUSH_BYTES_MAX are out of the session's queue; the session bounds the rest (1013).
 *                      One that takes nothing for SILENCE_MS, whatever it sends, is given up by TCP
 *   slow writer        a message must be whole MESSAGE_MS after its first byte, 1008
 *   silent client      is sent a ping after PING_MS, and closed after SILENCE_MS, 1008
 *   no end             a close that is not done after CLOSE_MS is done by shutdown()
 *
 * The end of a connection is ours, not the library's, which reads on with a parser that may be out of step, and closes
 * with bytes unread, so that TCP resets and the client never sees the code. on_end() writes the close frame and shuts
 * our side; the library then fails to write its own, and gives up; and what the client still sends is read and dropped
 * from a second descriptor until its end comes: farewell.h.
 *
 * Frames are made here (RFC 6455, part 5.2: a byte, a length, no mask from the server), because several of them then go
 * out by one send(): lws_write() with LWS_WRITE_HTTP passes bytes through as they are. Control frames are the
 * library's.
 *
 * What matters in its settings (4.1.6): no value of fd_limit_per_thread (a lower one than the limit of descriptors
 * makes each lookup linear); a zeroed retry policy (else each connection has timers in a sorted list); tx_packet_size
 * (else frames leave in pieces of rx_buffer_size); no extensions (compression costs 107 KB a connection). */
#include "io/ws_lws.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8_text.h"
#include "io/farewell.h"
#include "io/ring.h"
#include "session/session.h"

enum {
    RX_BYTES = 1024,             /* the library's buffer for each connection: longer frames come in pieces */
    SEND_BYTES_MAX = 1 << 20,    /* of one send() */
    FLUSH_BYTES_MAX = 64 << 10,  /* of one connection in one pass */
    OUT_BYTES = 16 << 10,        /* frames that go out together */
    AROUND_BYTES = 4 << 10,      /* of a frame, beside its body */
    QUEUE_BYTES_MAX = 4 << 20,   /* of frames that a session has queued, and twice the largest body */
    HEADER_BYTES_MAX = 10,
    HEAD_BYTES = 512,
    PING_MS = 30000, SILENCE_MS = 60000, MESSAGE_MS = 60000, CLOSE_MS = 5000,
    REASON_BYTES_MAX = 123,      /* of a close frame: 125 without its code */
    SWEEP_TICKS = 4,             /* every connection is looked at once in this many ticks */
    POLL_TURNS = 4               /* the run queue's share after each TROUPE_INLINE_PER_PASS_MAX messages */
};

_Static_assert(SESSION_HEADROOM >= HEADER_BYTES_MAX, "a frame's header fits before it");

struct ws_conn {
    ev_io readable;              /* beside the library's own, and before it */
    struct ring all, dirty;
    struct ws *ws;
    struct lws *wsi;
    struct session *session;
    int fd;
    uint16_t close_code;         /* 0: open; else: to be closed with it when the queue is written */
    bool is_over;                /* it is being closed: nothing more of the session's may be written */
    bool has_said_close;         /* its close frame is out, or is none of ours */
    bool is_pinged;
    bool is_masked;              /* its first frame was looked at */
    bool has_read;               /* the library has read in this pass */
    const char *close_reason;    /* a literal */
    uint64_t heard_ms;           /* when bytes of it came last */
    uint64_t deadline_ms;        /* of the end, or of the message that is coming */
    char *text;                  /* a message that is not whole yet */
    size_t text_len, text_cap;
};

struct ws {
    struct ws_config config;
    struct lws_context *context; /* NULL: not made yet */
    struct lws_vhost *vhost;
    struct ws_conn *adopted;     /* the one that ws_take is about */
    struct ring all;             /* next is the one to sweep first */
    struct ring dirty;           /* those whose session has frames to write, or wants to be closed */
    unsigned count, in_pass;
    uint64_t now_ns;             /* 0: not read yet in this pass */
    bool is_ending;
    struct log_gate gate;
    unsigned char out[LWS_PRE + OUT_BYTES];
};

/* The time, once in a pass; the core gets it too. */
static uint64_t now_ms_of(struct ws *ws)
{
    if (ws->now_ns == 0) {
        ws->now_ns = clock_now_ns();
        troupe_worker_set_now(ws->config.worker, ws->now_ns);
    }
    return ws->now_ns / 1000000u;
}

static size_t frame_bytes_max(const struct ws *ws) { return ws->config.env->body_max + AROUND_BYTES; }

static void make_dirty(struct ws_conn *conn)
{
    if (ring_is_empty(&conn->dirty))
        ring_append(&conn->ws->dirty, &conn->dirty);
}

/* Close with this code, when what is queued is written. The first one counts. */
static void begin_close(struct ws_conn *conn, unsigned code, const char *reason)
{
    if (conn->close_code != 0)
        return;
    conn->close_code = (uint16_t)code;
    conn->close_reason = reason;
    conn->deadline_ms = now_ms_of(conn->ws) + CLOSE_MS;
    make_dirty(conn);
}

/* Close now, from a callback of the library: what is returned makes it do so. */
static int close_now(struct ws_conn *conn, unsigned code, const char *reason)
{
    begin_close(conn, code, reason);
    lws_close_reason(conn->wsi, (enum lws_close_status)conn->close_code, (unsigned char *)conn->close_reason,
                     strlen(conn->close_reason));
    return -1;
}

/* ---- what the session says ---- */

static void on_session_writes(void *user) { make_dirty(user); }

static void on_session_closes(void *user, unsigned code, const char *reason) { begin_close(user, code, reason); }

/* Of the client's address. */
static uint32_t take_rate(void *user, uint64_t now_ms)
{
    struct ws_conn *conn = user;
    struct access *access = conn->ws->config.env->access;
    return access != NULL ? access_address_take_rate(access, conn->fd, now_ms) : 0;
}

/* ---- out ---- */

static size_t header_len(size_t len) { return len < 126 ? 2 : len < 65536 ? 4 : 10; }

/* Write the header of a whole text frame; ends at `end`. */
static void write_header(unsigned char *end, size_t len)
{
    size_t bytes = header_len(len) - 2; /* of the extended length */
    end[-(ptrdiff_t)bytes - 2] = 0x81;
    end[-(ptrdiff_t)bytes - 1] = bytes == 0 ? (unsigned char)len : bytes == 2 ? 126 : 127;
    for (size_t i = 1; i <= bytes; i++, len >>= 8)
        end[-(ptrdiff_t)i] = (unsigned char)len;
}

static bool send_bytes(struct ws_conn *conn, unsigned char *ptr, size_t len)
{
    return lws_write(conn->wsi, ptr, len, LWS_WRITE_HTTP) >= 0;
}

/* Write the next frames: those that fit together into the buffer, or one that does not fit. Returns the bytes, 0 when
 * there is nothing, or -1 when the connection has failed. */
static ssize_t write_some(struct ws_conn *conn)
{
    struct ws *ws = conn->ws;
    unsigned char *out = ws->out + LWS_PRE;
    size_t filled = 0, len;
    uint64_t frames = 0;
    char *frame;
    bool is_sent = true;
    while (session_peek(conn->session, &frame, &len)) {
        size_t total = header_len(len) + len;
        if (filled + total > OUT_BYTES)
            break;
        filled += header_len(len);
        write_header(out + filled, len);
        memcpy(out + filled, frame, len);
        filled += len;
        frames++;
        session_pop(conn->session);
    }
    if (filled > 0) {
        is_sent = send_bytes(conn, out, filled);
    } else if (session_peek(conn->session, &frame, &len)) {
        unsigned char *end = (unsigned char *)frame;
        write_header(end, len);
        filled = header_len(len) + len;
        is_sent = send_bytes(conn, end - header_len(len), filled);
        frames++;
        session_pop(conn->session);
    }
    traffic_add(&ws->config.traffic->frames_out, frames);
    return is_sent ? (ssize_t)filled : -1;
}

static bool has_frames(struct ws_conn *conn)
{
    char *frame;
    size_t len;
    return session_peek(conn->session, &frame, &len);
}

/* Write what the socket takes. Returns false when the connection has failed. */
static bool flush(struct ws_conn *conn)
{
    ssize_t wrote = 0;
    for (size_t sum = 0; sum < FLUSH_BYTES_MAX && !lws_partial_buffered(conn->wsi); sum += (size_t)wrote) {
        wrote = write_some(conn);
        if (wrote <= 0)
            break;
    }
    if (wrote >= 0 && (has_frames(conn) || conn->close_code != 0))
        lws_callback_on_writable(conn->wsi);
    return wrote >= 0;
}

static int on_writable(struct ws_conn *conn)
{
    if (conn->is_over)
        return 0;
    if (!flush(conn))
        return -1;
    if (conn->close_code == 0 || has_frames(conn) || lws_partial_buffered(conn->wsi))
        return 0;
    return close_now(conn, conn->close_code, conn->close_reason);
}

/* The library tells nobody of the header of a frame, only of what follows it. */
static void check_promise(struct ws_conn *conn)
{
    size_t rest = lws_remaining_packet_payload(conn->wsi), max = frame_bytes_max(conn->ws);
    conn->has_read = false;
    if (rest > max || conn->text_len > max - rest)
        begin_close(conn, SESSION_TOO_BIG, "the message is too big");
}

void ws_flush(struct ws *ws)
{
    struct ring due;
    ring_init(&due);
    while (!ring_is_empty(&ws->dirty)) /* those that become dirty again wait for the next pass */
        ring_append(&due, ws->dirty.next);
    while (!ring_is_empty(&due)) {
        struct ws_conn *conn = RING_OF(due.next, struct ws_conn, dirty);
        ring_remove(&conn->dirty);
        if (conn->has_read && !conn->is_over)
            check_promise(conn);
        if (!conn->is_over && !flush(conn))
            lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
    ws->now_ns = 0;
    ws->in_pass = 0;
}

bool ws_is_due(const struct ws *ws) { return !ring_is_empty(&ws->dirty); }

/* ---- in ---- */

static void drop_text(struct ws_conn *conn)
{
    atomic_fetch_sub_explicit(&conn->ws->config.shared->bodies_bytes, conn->text_cap, memory_order_relaxed);
    free(conn->text);
    conn->text = NULL;
    conn->text_len = conn->text_cap = 0;
}

/* Room for more of a message, within the node's budget of bodies. */
static bool grow_text(struct ws_conn *conn, size_t need)
{
    struct http_shared *shared = conn->ws->config.shared;
    size_t cap = conn->text_cap == 0 ? 2 * RX_BYTES : conn->text_cap;
    while (cap < need)
        cap *= 2;
    size_t more = cap - conn->text_cap;
    uint64_t total = atomic_fetch_add_explicit(&shared->bodies_bytes, more, memory_order_relaxed) + more;
    char *text = total > shared->bodies_bytes_max ? NULL : realloc(conn->text, cap);
    if (text == NULL) {
        atomic_fetch_sub_explicit(&shared->bodies_bytes, more, memory_order_relaxed);
        return false;
    }
    conn->text = text;
    conn->text_cap = cap;
    return true;
}

static bool is_utf8(const char *text, size_t len)
{
    size_t step;
    for (size_t at = 0; at < len; at += step) {
        step = utf8_sequence(text + at, len - at);
        if (step == 0)
            return false;
    }
    return true;
}

static void deliver(struct ws_conn *conn, const char *text, size_t len)
{
    struct ws *ws = conn->ws;
    uint64_t now_ms = now_ms_of(ws);
    if (++ws->in_pass > TROUPE_INLINE_PER_PASS_MAX) {
        /* Whatever runs inline here must not keep the run queue waiting. */
        (void)troupe_worker_poll(ws->config.worker, ws->now_ns, POLL_TURNS);
        ws->in_pass = 1;
    }
    traffic_add(&ws->config.traffic->frames_in, 1);
    session_on_text(conn->session, text, len, now_ms);
}

/* The last piece of a message that came in several. */
static int deliver_collected(struct ws_conn *conn, bool is_last_empty)
{
    if (is_last_empty && !is_utf8(conn->text, conn->text_len))
        return close_now(conn, SESSION_NOT_UTF8, "partial utf8");
    deliver(conn, conn->text, conn->text_len);
    drop_text(conn);
    return 0;
}

/* Runs before the library's own watcher: bytes have come. The second byte of a frame says whether it is masked; of one
 * that comes byte by byte it cannot be told what the library reads next. */
static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct ws_conn *conn = w->data;
    unsigned char head[2];
    (void)ev, (void)events;
    conn->heard_ms = now_ms_of(conn->ws);
    conn->is_pinged = false;
    conn->has_read = true;
    make_dirty(conn);
    if (conn->is_masked)
        return;
    conn->is_masked = true;
    if (recv(conn->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof head && (head[1] & 0x80) == 0)
        begin_close(conn, SESSION_PROTOCOL_ERROR, "a client masks its frames");
}

/* A piece of a message: as much of it as the library has. */
static int on_bytes(struct ws_conn *conn, const char *bytes, size_t len)
{
    struct ws *ws = conn->ws;
    size_t max = frame_bytes_max(ws), rest = lws_remaining_packet_payload(conn->wsi);
    bool is_whole = lws_is_final_fragment(conn->wsi) != 0;
    if (conn->close_code != 0 || conn->is_over)
        return 0; /* it is being closed: what comes is of no interest */
    if (lws_frame_is_binary(conn->wsi))
        return close_now(conn, SESSION_UNSUPPORTED, "text frames only");
    if (rest > max || len > max - rest || conn->text_len > max - rest - len)
        return close_now(conn, SESSION_TOO_BIG, "the message is too big");
    if (is_whole && conn->text_len == 0) {
        deliver(conn, bytes, len);
        return 0;
    }
    if (conn->text_cap < conn->text_len + len && !grow_text(conn, conn->text_len + len))
        return close_now(conn, SESSION_TRY_LATER, "the node reads too many messages at once");
    if (conn->text_len == 0)
        conn->deadline_ms = now_ms_of(ws) + MESSAGE_MS;
    if (len > 0)
        memcpy(conn->text + conn->text_len, bytes, len);
    conn->text_len += len;
    return is_whole ? deliver_collected(conn, len == 0) : 0;
}

/* ---- connections ---- */

static int on_established(struct ws *ws, struct lws *wsi)
{
    struct ws_conn *conn = ws->adopted;
    if (conn == NULL)
        return -1;
    conn->wsi = wsi;
    lws_set_opaque_user_data(wsi, conn);
    ev_io_start(ws->config.ev, &conn->readable);
    ring_append(&ws->all, &conn->all);
    ws->count++;
    traffic_add(&ws->config.traffic->sessions, 1);
    return 0;
}

/* The client closes; the library answers with the same code, whatever it is past 3000, and with half of one. */
static int on_peer_close(struct ws_conn *conn, const unsigned char *payload, size_t len)
{
    bool is_bad = len == 1 || (len >= 2 && (payload[0] << 8 | payload[1]) >= 5000);
    conn->deadline_ms = now_ms_of(conn->ws) + CLOSE_MS;
    conn->is_over = true;
    conn->has_said_close = !is_bad;
    return is_bad ? -1 : 0;
}

/* The library is about to close, for a reason of its own, for ours, or for none when it has met a breach of framing. */
static void on_end(struct ws_conn *conn)
{
    unsigned char frame[4 + REASON_BYTES_MAX] = {0x88, 2, SESSION_PROTOCOL_ERROR >> 8, SESSION_PROTOCOL_ERROR & 0xff};
    char byte;
    if (conn->has_said_close)
        return;
    conn->deadline_ms = now_ms_of(conn->ws) + CLOSE_MS;
    conn->has_said_close = true;
    if (!conn->is_over)
        (void)flush(conn); /* answers to what came before */
    conn->is_over = true;
    int len = lws_get_close_length(conn->wsi);
    if (len <= 0 && recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        return; /* the client has left by the end of its socket */
    if (len >= 2 && len <= 2 + REASON_BYTES_MAX) {
        frame[1] = (unsigned char)len;
        memcpy(frame + 2, lws_get_close_payload(conn->wsi), (size_t)len);
    }
    (void)!send(conn->fd, frame, 2u + frame[1], MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(conn->fd, SHUT_WR);
}

/* ---- after the end ---- */

static void free_conn(struct ws_conn *conn)
{
    ring_remove(&conn->all);
    ring_remove(&conn->dirty);
    session_free(conn->session);
    drop_text(conn);
    free(conn);
}

/* Hold the socket by a second descriptor, until the client has read the close frame and ends it too. */
static bool say_farewell(struct ws_conn *conn)
{
    struct ws *ws = conn->ws;
    int fd = ws->is_ending ? -1 : fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (!farewell_take(ws->config.farewell, fd, now_ms_of(ws))) {
        close(fd);
        return false;
    }
    if (ws->config.env->access != NULL)
        access_address_move(ws->config.env->access, conn->fd, fd);
    return true;
}

static void on_closed(struct ws_conn *conn)
{
    struct ws *ws = conn->ws;
    lws_set_opaque_user_data(conn->wsi, NULL);
    conn->wsi = NULL;
    ev_io_stop(ws->config.ev, &conn->readable);
    ws->count--;
    traffic_add(&ws->config.traffic->sessions, (uint64_t)-1);
    if (conn == ws->adopted)
        return; /* in ws_take still, which tells of the failure */
    if (!say_farewell(conn)) {
        atomic_fetch_sub_explicit(ws->config.connections, 1, memory_order_relaxed);
        if (ws->config.env->access != NULL)
            access_address_leave(ws->config.env->access, conn->fd);
    }
    free_conn(conn);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct ws_conn *conn = wsi != NULL ? lws_get_opaque_user_data(wsi) : NULL;
    (void)user;
    if (reason == LWS_CALLBACK_ESTABLISHED)
        return on_established(lws_context_user(lws_get_context(wsi)), wsi);
    if (conn == NULL)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        return on_bytes(conn, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writable(conn);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(conn, in, len);
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
        on_end(conn);
        return 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* if it came without the other */
        on_closed(conn);
        return 0;
    default:
        return 0;
    }
}

/* ---- taking over ---- */

static int start_library(struct ws *ws)
{
    static const struct lws_protocols protocols[] = {
        /* Its size of user data makes the library tell of LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL. */
        {WS_PROTOCOL, on_event, 1, RX_BYTES, 0, NULL, SEND_BYTES_MAX},
        {NULL, NULL, 0, 0, 0, NULL, 0},
    };
    static const lws_retry_bo_t no_timers;
    void *loops[1] = {ws->config.ev};
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER, .protocols = protocols, .foreign_loops = loops, .user = ws,
        .uid = (uid_t)-1, .gid = (gid_t)-1, .retry_and_idle_policy = &no_timers,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
    };
    ws->context = lws_create_context(&info);
    ws->vhost = ws->context != NULL ? lws_create_vhost(ws->context, &info) : NULL;
    if (ws->vhost != NULL)
        return 0;
    if (ws->context != NULL)
        lws_context_destroy(ws->context);
    ws->context = NULL;
    if (log_gate_open(&ws->gate, now_ms_of(ws)))
        log_printf(TROUPE_LOG_ERROR, "libwebsockets does not start; is its part for libev there (on Debian: "
                                     "libwebsockets-evlib-ev)?");
    return TROUPE_E_INTERNAL;
}

/* Let the library read the head of an upgrade, which it then answers. False: it closed the socket. */
static bool adopt(struct ws_conn *conn, int fd, const struct api_takeover *to)
{
    struct ws *ws = conn->ws;
    char head[HEAD_BYTES];
    struct text text;
    text_init_fixed(&text, head, sizeof head);
    text_printf(&text, "GET /v1/ws HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n", (int)to->key.len, to->key.ptr);
    if (to->protocol != NULL)
        text_printf(&text, "Sec-WebSocket-Protocol: %s\r\n", to->protocol);
    text_add_str(&text, "\r\n");
    ws->adopted = conn;
    struct lws *wsi = lws_adopt_socket_vhost_readbuf(ws->vhost, fd, text.ptr, text.len);
    ws->adopted = NULL;
    if (conn->wsi != NULL)
        return true;
    if (wsi != NULL) /* it waits for something: there is nothing that it should wait for */
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    return false;
}

static int open_session(struct ws_conn *conn, const struct api_request *req, const struct api_takeover *to)
{
    struct ws *ws = conn->ws;
    char peer[80];
    req->transport->peer((struct api_request *)req, peer, sizeof peer);
    const struct session_config config = {
        .env = ws->config.env, .worker = ws->config.worker, .token = to->token, .peer = peer,
        .frame_bytes_max = frame_bytes_max(ws), .queue_bytes_max = QUEUE_BYTES_MAX + 2 * ws->config.env->body_max,
        .user = conn, .wants_write = on_session_writes, .wants_close = on_session_closes,
        .take_rate = take_rate,
    };
    return session_new(&config, now_ms_of(ws), &conn->session);
}

int ws_take(struct ws *ws, const struct api_request *req, int fd, const struct api_takeover *to)
{
    const int silence_ms = SILENCE_MS;
    int error = ws->context != NULL ? 0 : start_library(ws);
    struct ws_conn *conn = error == 0 ? calloc(1, sizeof *conn) : NULL;
    if (conn == NULL) {
        close(fd);
        return error != 0 ? error : TROUPE_E_NO_MEMORY;
    }
    ring_init(&conn->all);
    ring_init(&conn->dirty);
    conn->ws = ws;
    conn->fd = fd;
    conn->heard_ms = now_ms_of(ws);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    ev_set_priority(&conn->readable, 1);
    conn->readable.data = conn;
    error = open_session(conn, req, to);
    if (error != 0)
        close(fd);
    else if (!adopt(conn, fd, to))
        error = TROUPE_E_INTERNAL;
    if (error != 0) {
        free_conn(conn);
        return error;
    }
    access_token_drop(to->token); /* the session holds it too */
    return 0;
}

/* ---- time ---- */

static void look(struct ws_conn *conn, uint64_t now_ms)
{
    session_tick(conn->session, now_ms);
    if (conn->close_code != 0 || conn->is_over) {
        if (now_ms > conn->deadline_ms)
            shutdown(conn->fd, SHUT_RDWR); /* the library sees the end and closes */
        return;
    }
    uint64_t silence_ms = now_ms > conn->heard_ms ? now_ms - conn->heard_ms : 0;
    if (conn->text_len > 0 && now_ms > conn->deadline_ms) {
        begin_close(conn, SESSION_POLICY, "a message did not become whole");
    } else if (silence_ms > SILENCE_MS) {
        begin_close(conn, SESSION_POLICY, "no answer to a ping");
    } else if (silence_ms > PING_MS && !conn->is_pinged && !lws_partial_buffered(conn->wsi)) {
        unsigned char ping[LWS_PRE];
        conn->is_pinged = true;
        (void)lws_write(conn->wsi, ping + LWS_PRE, 0, LWS_WRITE_PING); /* a failure shows when it is read next */
    }
}

void ws_tick(struct ws *ws, uint64_t now_ms)
{
    for (unsigned left = ws->count / SWEEP_TICKS + 1; left > 0 && !ring_is_empty(&ws->all); left--) {
        struct ws_conn *conn = RING_OF(ws->all.next, struct ws_conn, all);
        ring_append(&ws->all, &conn->all);
        look(conn, now_ms);
    }
}

unsigned ws_sessions(const struct ws *ws) { return ws->count; }

void ws_drain(struct ws *ws)
{
    for (struct ring *link = ws->all.next; link != &ws->all; link = link->next)
        session_drain(RING_OF(link, struct ws_conn, all)->session);
}

void ws_stop(struct ws *ws)
{
    for (struct ring *link = ws->all.next; link != &ws->all; link = link->next)
        begin_close(RING_OF(link, struct ws_conn, all), SESSION_GOING_AWAY, "the node stops");
}

/* ---- the object ---- */

int ws_new(const struct ws_config *config, struct ws **ret_ws)
{
    struct ws *ws = calloc(1, sizeof *ws);
    if (ws == NULL)
        return TROUPE_E_NO_MEMORY;
    ws->config = *config;
    ring_init(&ws->all);
    ring_init(&ws->dirty);
    lws_set_log_level(0, NULL); /* what goes wrong shows in its results, and strangers could fill a log */
    *ret_ws = ws;
    return 0;
}

void ws_free(struct ws *ws)
{
    if (ws == NULL)
        return;
    ws->is_ending = true;
    if (ws->context != NULL)
        lws_context_destroy(ws->context);
    free(ws);
}
