/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl tells by callbacks which sockets it wants watched and when its next timer is due (multi_socket interface);
 * each socket is an ev_io, the timer one ev_timer. Whatever happens goes to curl_multi_socket_action(), and then the
 * transfers that are over are taken from its queue. `done` runs there, so never inside fetch_start: that only adds the
 * transfer, and libcurl sets its timer to 0.
 *
 * An exchange has left the list when its `done` runs, which may start and abort others: libcurl drops what it has in
 * its queue of one that is removed. */
#include "io/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/text.h"

enum { CONNECTIONS_KEPT_MAX = 16, PROOF_BYTES = 128, BODY_FIRST_BYTES = 1024 };

struct watch {
    ev_io io;
    struct fetch *fetch;
};

struct exchange {
    uint64_t id;
    CURL *easy;
    struct curl_slist *headers;
    fetch_done_fn done;
    void *user;
    bool connects_only, is_too_long, is_opened, is_guarded; /* is_guarded: and no other address was there yet */
    bool (*guards)(const struct sockaddr *address);
    char proof[PROOF_BYTES];
    struct text body;
    char trouble[CURL_ERROR_SIZE];
    struct exchange *next;
};

struct fetch {
    struct ev_loop *ev;
    CURLM *multi;                /* NULL: nothing was asked yet */
    ev_timer timer;
    struct exchange *exchanges;
    unsigned count;
    uint64_t ids;
};

static void free_exchange(struct fetch *fetch, struct exchange *exchange)
{
    if (exchange->easy != NULL) {
        (void)curl_multi_remove_handle(fetch->multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
    }
    curl_slist_free_all(exchange->headers);
    text_fini(&exchange->body);
    free(exchange);
}

static struct exchange **find(struct fetch *fetch, uint64_t id)
{
    struct exchange **at = &fetch->exchanges;
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct exchange *unlink_at(struct fetch *fetch, struct exchange **at)
{
    struct exchange *exchange = *at;
    *at = exchange->next;
    fetch->count--;
    return exchange;
}

/* ---- what is over ---- */

static const char *words_of(const struct exchange *exchange, CURLcode code)
{
    if (exchange->is_too_long)
        return "the answer is too long";
    if (exchange->is_guarded)
        return "the host's name leads to an address that is link-local or not for one host; allow the address itself "
               "if it is meant";
    return exchange->trouble[0] != '\0' ? exchange->trouble : curl_easy_strerror(code);
}

static int error_of(const struct exchange *exchange, CURLcode code)
{
    if (exchange->is_guarded)
        return TROUPE_E_FORBIDDEN;
    return exchange->is_too_long              ? TROUPE_E_TOO_LARGE
           : code == CURLE_OPERATION_TIMEDOUT ? TROUPE_E_TIMEOUT
           : code == CURLE_OUT_OF_MEMORY      ? TROUPE_E_NO_MEMORY
                                              : TROUPE_E_UNREACHABLE;
}

/* The socket of a connection, for the caller: libcurl closes its own descriptor. */
static int take_socket(const struct exchange *exchange)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(exchange->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void finish(struct fetch *fetch, struct exchange *exchange, CURLcode code)
{
    struct fetch_answer answer = {.fd = -1};
    long status = 0;
    if (code != CURLE_OK) {
        double looked_up_s = 0;
        answer.trouble = words_of(exchange, code);
        answer.error = error_of(exchange, code);
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_NAMELOOKUP_TIME, &looked_up_s);
        answer.has_no_address = looked_up_s <= 0;
    } else if (exchange->connects_only) {
        answer.fd = take_socket(exchange);
        answer.trouble = answer.fd < 0 ? "no descriptor is left" : NULL;
    } else {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &answer.content_type);
        answer.status = (unsigned)status;
        answer.proof = troupe_view_of(exchange->proof);
        answer.body = (troupe_view){exchange->body.ptr, exchange->body.len};
    }
    exchange->done(exchange->user, exchange->id, &answer);
    free_exchange(fetch, exchange);
}

static void take_over_ones(struct fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        struct exchange *exchange = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange) != CURLE_OK)
            continue;
        finish(fetch, unlink_at(fetch, find(fetch, exchange->id)), code);
    }
}

/* ---- the loop ---- */

static void act(struct fetch *fetch, curl_socket_t fd, int what)
{
    int running;
    (void)curl_multi_socket_action(fetch->multi, fd, what, &running);
    take_over_ones(fetch);
}

static void on_socket(struct ev_loop *ev, ev_io *w, int events)
{
    struct watch *watch = w->data;
    (void)ev;
    act(watch->fetch, w->fd, ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                                ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    ev_timer_stop(ev, w);
    act(w->data, CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct fetch *fetch = user;
    (void)multi;
    ev_timer_stop(fetch->ev, &fetch->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&fetch->timer, (double)timeout_ms / 1e3, 0.);
        ev_timer_start(fetch->ev, &fetch->timer);
    }
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct fetch *fetch = user;
    struct watch *watch = socket_user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            ev_io_stop(fetch->ev, &watch->io);
        free(watch);
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof *watch);
        if (watch == NULL)
            return -1;
        watch->fetch = fetch;
        watch->io.data = watch;
        (void)curl_multi_assign(fetch->multi, fd, watch);
    }
    ev_io_stop(fetch->ev, &watch->io);
    ev_io_init(&watch->io, on_socket, fd,
               ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    watch->io.data = watch;
    ev_io_start(fetch->ev, &watch->io);
    return 0;
}

/* ---- bytes of an answer ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct exchange *exchange = user;
    size_t len = size * count;
    if (exchange->body.len + len > FETCH_ANSWER_BYTES_MAX) {
        exchange->is_too_long = true;
        return 0;
    }
    text_add(&exchange->body, bytes, len);
    return exchange->body.failed ? 0 : len;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    static const char name[] = "Troupe-Proof:";
    struct exchange *exchange = user;
    size_t len = size * count;
    troupe_view value = {line, len};
    if (len <= sizeof name - 1 || strncasecmp(line, name, sizeof name - 1) != 0)
        return len;
    value = (troupe_view){line + sizeof name - 1, len - (sizeof name - 1)};
    while (value.len > 0 && (*value.ptr == ' ' || *value.ptr == '\t'))
        value = (troupe_view){value.ptr + 1, value.len - 1};
    while (value.len > 0 && strchr("\r\n \t", value.ptr[value.len - 1]) != NULL)
        value.len--;
    if (value.len < sizeof exchange->proof) {
        memcpy(exchange->proof, value.ptr, value.len);
        exchange->proof[value.len] = '\0';
    }
    return len;
}

/* ---- requests ---- */

int fetch_new(struct ev_loop *ev, struct fetch **ret_fetch)
{
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL)
        return TROUPE_E_NO_MEMORY;
    fetch->ev = ev;
    ev_timer_init(&fetch->timer, on_timer, 0., 0.);
    fetch->timer.data = fetch;
    *ret_fetch = fetch;
    return 0;
}

void fetch_free(struct fetch *fetch)
{
    if (fetch == NULL)
        return;
    while (fetch->exchanges != NULL)
        free_exchange(fetch, unlink_at(fetch, &fetch->exchanges));
    if (fetch->multi != NULL) {
        (void)curl_multi_cleanup(fetch->multi);
        curl_global_cleanup();
    }
    ev_timer_stop(fetch->ev, &fetch->timer);
    free(fetch);
}

/* The library takes milliseconds to set up, which only a node in a cluster needs. */
static bool set_up(struct fetch *fetch)
{
    if (fetch->multi != NULL)
        return true;
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
        return false;
    fetch->multi = curl_multi_init();
    if (fetch->multi == NULL) {
        curl_global_cleanup();
        return false;
    }
    (void)curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    (void)curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    (void)curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    (void)curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
    (void)curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MAX);
    return true;
}

static bool append_line(struct exchange *exchange, const char *line)
{
    struct curl_slist *list = curl_slist_append(exchange->headers, line);
    if (list == NULL)
        return false;
    exchange->headers = list;
    return true;
}

static bool add_header(struct exchange *exchange, const char *name, const char *value)
{
    char line[512];
    int len = snprintf(line, sizeof line, "%s:%s%s", name, value[0] != '\0' ? " " : "", value);
    return len < (int)sizeof line && append_line(exchange, line);
}

static bool set_headers(struct exchange *exchange, const struct fetch_request *request)
{
    bool is_done = add_header(exchange, "Expect", ""); /* no 100-continue */
    if (request->authorization != NULL)
        is_done = is_done && add_header(exchange, "Authorization", request->authorization);
    const char *content_type = request->outside != NULL ? request->outside->content_type : "application/json";
    if (request->body != NULL)
        is_done = is_done && add_header(exchange, "Content-Type", content_type);
    for (const char *const *line = request->outside != NULL ? request->outside->headers : NULL;
         is_done && line != NULL && *line != NULL; line++)
        is_done = append_line(exchange, *line);
    return is_done;
}

static bool set_protocols(CURL *easy, bool with_https)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, with_https ? "http,https" : "http") == CURLE_OK;
#else
    long protocols = with_https ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTP;
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, protocols) == CURLE_OK;
#endif
}

/* A name is looked up by a thread of libcurl's own. Without this, whoever takes back a request waits until that thread
 * has its answer, which may take as long as all name servers together; this is the control thread. The thread ends by
 * itself: whoever asks for much that is not looked up in time has to count (http_out.c). */
static void set_quick_exit(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
#endif
}

/* libcurl is about to connect: the name has become an address. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *exchange = user;
    (void)purpose;
    if (exchange->guards(&address->addr)) {
        exchange->is_guarded = !exchange->is_opened;
        return CURL_SOCKET_BAD;
    }
    exchange->is_opened = true;
    exchange->is_guarded = false;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool set_outside(struct exchange *exchange, const struct fetch_request *request)
{
    CURL *easy = exchange->easy;
    const char *authorities = getenv("SSL_CERT_FILE");
    exchange->guards = request->outside->guards;
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "troupe/" TROUPE_VERSION);
    if (authorities != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO, authorities) != CURLE_OK)
        return false;
    if (strcmp(request->method, "HEAD") == 0)
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (exchange->guards == NULL)
        return true;
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK;
}

static bool set_options(struct exchange *exchange, const struct fetch_request *request)
{
    CURL *easy = exchange->easy;
    bool is_done = set_protocols(easy, request->outside != NULL) && set_headers(exchange, request);
    is_done = is_done && curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
    is_done = is_done && curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK;
    is_done = is_done && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->trouble);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    set_quick_exit(easy);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 1L); /* a name may move with its node */
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, request->is_once && request->method != NULL ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->is_once ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    if (request->method == NULL)
        return is_done && curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    if (request->outside != NULL)
        is_done = is_done && set_outside(exchange, request);
    if (request->body != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body_len);
        is_done = is_done && curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body) == CURLE_OK;
    }
    return is_done && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

uint64_t fetch_start(struct fetch *fetch, const struct fetch_request *request)
{
    struct exchange *exchange = fetch->count < FETCH_REQUESTS_MAX && set_up(fetch) ? calloc(1, sizeof *exchange) : NULL;
    if (exchange == NULL)
        return 0;
    exchange->id = ++fetch->ids;
    exchange->done = request->done;
    exchange->user = request->user;
    exchange->connects_only = request->method == NULL;
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL || !set_options(exchange, request) ||
        curl_multi_add_handle(fetch->multi, exchange->easy) != CURLM_OK) {
        free_exchange(fetch, exchange);
        return 0;
    }
    exchange->next = fetch->exchanges;
    fetch->exchanges = exchange;
    fetch->count++;
    return exchange->id;
}

void fetch_abort(struct fetch *fetch, uint64_t id)
{
    struct exchange **at = find(fetch, id);
    if (*at != NULL)
        free_exchange(fetch, unlink_at(fetch, at));
}
