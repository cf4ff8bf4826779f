/* SPDX-License-Identifier: Apache-2.0
 *
 * The native transport's second half: an answer that does not end. libcurl's multi interface drives the same easy
 * handle, because only it lets us watch two limits of our own: how long the head may take, and how long the stream may
 * be silent. */
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "native/curl.h"
#include "src/problem.h"

#define POLL_MS_MAX 60000

enum phase { PHASE_HEAD, PHASE_STREAM, PHASE_OTHER };

struct follow {
    struct transport_curl *transport;
    const struct stream_sink *sink;
    enum phase phase;
    bool is_closed_here; /* the sink has enough */
    uint64_t last_ms;    /* when bytes came last, or the request began */
};

uint64_t troupe__curl_now_ms(struct transport *base)
{
    struct timespec now;
    (void)base;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool poll_for(int fd, int timeout_ms)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};
    return poll(&file, fd > 0, timeout_ms) > 0;
}

bool troupe__curl_is_stopped(struct transport *base, int stop_fd)
{
    (void)base;
    return poll_for(stop_fd, 0);
}

void troupe__curl_wait_ms(struct transport *base, uint32_t ms, int stop_fd)
{
    uint64_t end_ms = troupe__curl_now_ms(base) + ms;
    for (uint64_t now_ms = end_ms - ms; now_ms < end_ms && !poll_for(stop_fd, 0); now_ms = troupe__curl_now_ms(base)) {
        uint64_t left_ms = end_ms - now_ms;
        poll_for(stop_fd, left_ms < POLL_MS_MAX ? (int)left_ms : POLL_MS_MAX);
    }
}

/* For spreading waits only; a system without random bits at hand gives the clock's. */
uint32_t troupe__curl_random(struct transport *base)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        random = (uint32_t)(troupe__curl_now_ms(base) * 2654435761u);
    }
    return random;
}

static bool is_stream(CURL *easy)
{
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type != NULL && strncasecmp(type, "text/event-stream", 17) == 0 &&
           strchr("; \t", type[17]) != NULL; /* also finds the NUL */
}

/* The head is whole: is it a stream? */
static bool begin_body(struct follow *follow)
{
    follow->phase = is_stream(follow->transport->easy) ? PHASE_STREAM : PHASE_OTHER;
    if (follow->phase == PHASE_STREAM && !follow->sink->on_open(follow->sink->user)) {
        follow->is_closed_here = true;
    }
    return !follow->is_closed_here;
}

/* Curl gives each line of the head; the empty one ends it. That of a 1xx does not count. */
static size_t on_head(char *bytes, size_t size, size_t count, void *user)
{
    struct follow *follow = user;
    long status = 0;
    curl_easy_getinfo(follow->transport->easy, CURLINFO_RESPONSE_CODE, &status);
    follow->last_ms = troupe__curl_now_ms(&follow->transport->base);
    bool is_end = size * count == 2 && memcmp(bytes, "\r\n", 2) == 0 && status >= 200;
    return !is_end || follow->phase != PHASE_HEAD || begin_body(follow) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct follow *follow = user;
    follow->last_ms = troupe__curl_now_ms(&follow->transport->base);
    if (follow->phase != PHASE_STREAM) {
        return troupe__curl_on_body(bytes, size, count, follow->transport);
    }
    follow->is_closed_here = !follow->sink->on_bytes(follow->sink->user, bytes, size * count);
    return follow->is_closed_here ? 0 : size * count;
}

/* How the exchange ended, once it has; CURLE_OK before. */
static bool read_result(CURLM *multi, CURLcode *ret_code)
{
    int left = 0;
    for (CURLMsg *msg = curl_multi_info_read(multi, &left); msg != NULL; msg = curl_multi_info_read(multi, &left)) {
        if (msg->msg == CURLMSG_DONE) {
            *ret_code = msg->data.result;
            return true;
        }
    }
    return false;
}

/* Drive the exchange to its end. head_ms is the limit of anything but a stream. Fails: TROUPE_E_TIMEOUT and what
 * troupe__curl_explain makes. */
static int drive(struct follow *follow, CURLM *multi, int stop_fd, uint32_t head_ms, uint32_t silence_ms,
                 troupe_client_problem *problem)
{
    struct transport_curl *transport = follow->transport;
    uint64_t start_ms = troupe__curl_now_ms(&transport->base);
    CURLcode code = CURLE_OK;
    int running = 0;
    follow->last_ms = start_ms;
    for (;;) {
        if (curl_multi_perform(multi, &running) != CURLM_OK) {
            return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while following a stream");
        }
        if (read_result(multi, &code)) {
            break;
        }
        bool is_streaming = follow->phase == PHASE_STREAM;
        uint64_t due_ms = is_streaming ? follow->last_ms + silence_ms : start_ms + head_ms;
        uint64_t now_ms = troupe__curl_now_ms(&transport->base);
        if (now_ms >= due_ms && is_streaming) {
            return troupe__problem_make(problem, TROUPE_E_TIMEOUT, NULL, "nothing came for %u ms",
                                        (unsigned)silence_ms);
        }
        if (now_ms >= due_ms) {
            return troupe__curl_explain(transport, CURLE_OPERATION_TIMEDOUT, head_ms, problem);
        }
        uint64_t wait_ms = due_ms - now_ms < POLL_MS_MAX ? due_ms - now_ms : POLL_MS_MAX;
        struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
        curl_multi_poll(multi, &stop, stop_fd > 0, (int)wait_ms, NULL);
        if (poll_for(stop_fd, 0)) {
            follow->is_closed_here = true;
            break;
        }
    }
    return code == CURLE_OK || follow->is_closed_here ? 0 : troupe__curl_explain(transport, code, head_ms, problem);
}

int troupe__curl_follow(struct transport *base, const struct http_request *request, uint32_t silence_ms,
                        const struct stream_sink *sink, troupe_client_reply *ret_reply, troupe_client_problem *problem)
{
    struct transport_curl *transport = (struct transport_curl *)base;
    struct follow follow = {.transport = transport, .sink = sink};
    uint32_t head_ms = request->timeout_ms != 0 ? request->timeout_ms : transport->timeout_ms;
    struct curl_slist *headers = NULL;
    CURLM *multi = NULL;
    int rc = troupe__curl_prepare(transport, request, &headers, problem);
    if (rc != 0) {
        goto out;
    }
    curl_easy_setopt(transport->easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(transport->easy, CURLOPT_HEADERDATA, &follow);
    curl_easy_setopt(transport->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(transport->easy, CURLOPT_WRITEDATA, &follow);
    multi = curl_multi_init();
    if (multi == NULL || curl_multi_add_handle(multi, transport->easy) != CURLM_OK) {
        rc = troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while following a stream");
        goto out;
    }
    rc = drive(&follow, multi, request->stop_fd, head_ms, silence_ms, problem);
    rc = rc != 0 ? rc : troupe__curl_take_reply(transport, ret_reply, problem);
    curl_multi_remove_handle(multi, transport->easy);

out:
    curl_multi_cleanup(multi);
    curl_easy_reset(transport->easy); /* its functions point here */
    curl_slist_free_all(headers);
    troupe__text_fini(&transport->body);
    return rc;
}
