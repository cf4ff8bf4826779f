/* SPDX-License-Identifier: Apache-2.0
 *
 * An event stream that survives its connections.
 *
 * The happy path: one request, whose answer goes through the parser (sse.h) to the caller's function, for days.
 *
 * When it breaks:
 *   before the first connection       the failure is the caller's: a wrong URL should not be tried for ever
 *   the connection ends or is silent  told as RETRY, then again after a wait (backoff.h), with Last-Event-ID, so that
 *                                     the node goes on where it stopped; what it has no more comes as LAGGED
 *   an answer of 408, 429 or 5xx      the same; a longer Retry-After is respected
 *   any other answer                  final: the token, the actor or the route is gone
 *   an actor's end (troupe.down)      told as DOWN; the stream is done
 *   204                               the node asks not to come again; the stream is done
 *
 * The wait grows with each connection that brought nothing, and starts over when one brought an event or lasted. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/backoff.h"
#include "src/problem.h"
#include "src/sse.h"
#include "src/transport.h"

#define RETRY_MS_FIRST 1000 /* where the node has not told one */
#define RETRY_MS_LEAST 100  /* whatever the node says */
#define LASTED_MS 10000     /* a connection that lasted this long was a good one */

struct stream {
    const troupe_client_stream_options *options;
    struct sse sse;
    bool is_open;      /* this connection is a stream */
    bool was_open;     /* so was one before */
    bool has_event;    /* this connection brought one */
    bool is_done;      /* by the caller's word, its stop_fd, or at the actor's end */
    int error;         /* the parser's */
    unsigned failures; /* connections in a row that brought nothing */
};

/* Tell the caller; it may be enough. */
static bool tell(struct stream *stream, const troupe_client_event *event)
{
    stream->is_done = !stream->options->on_event(stream->options->user, event) || stream->is_done;
    return !stream->is_done;
}

static int64_t read_missed(const struct sse_event *event)
{
    json_t *data = json_loadb(event->data, event->data_len, 0, NULL);
    int64_t missed = json_integer_value(json_object_get(data, "missed"));
    json_decref(data);
    return missed > 0 ? missed : 0;
}

static bool on_sse_event(void *user, const struct sse_event *sse_event)
{
    struct stream *stream = user;
    troupe_client_event event = {.kind = TROUPE_CLIENT_EVENT,
                                 .id = sse_event->id,
                                 .type = sse_event->type,
                                 .data = sse_event->data,
                                 .data_len = sse_event->data_len};
    stream->has_event = true;
    if (strcmp(sse_event->type, "troupe.lagged") == 0) {
        event.kind = TROUPE_CLIENT_EVENT_LAGGED;
        event.missed = read_missed(sse_event);
    } else if (strcmp(sse_event->type, "troupe.down") == 0) {
        event.kind = TROUPE_CLIENT_EVENT_DOWN;
        stream->is_done = true;
    }
    return tell(stream, &event);
}

static bool on_open(void *user)
{
    struct stream *stream = user;
    const troupe_client_event event = {.kind = TROUPE_CLIENT_EVENT_OPEN, .id = "", .type = "", .data = ""};
    stream->is_open = stream->was_open = true;
    troupe__sse_restart(&stream->sse);
    return tell(stream, &event);
}

static bool on_bytes(void *user, const char *bytes, size_t len)
{
    struct stream *stream = user;
    stream->error = troupe__sse_feed(&stream->sse, bytes, len);
    return stream->error == 0 && !stream->is_done;
}

/* One connection from its request to its end. Returns why it ended, never 0 unless the stream is done. */
static int connect_once(troupe_client *client, struct stream *stream, struct http_request *request,
                        troupe_client_problem *problem)
{
    struct transport *transport = troupe__client_transport(client);
    const struct stream_sink sink = {.on_open = on_open, .on_bytes = on_bytes, .user = stream};
    uint32_t silence_ms = stream->options->silence_ms;
    troupe_client_reply reply = {0};
    stream->is_open = stream->has_event = false;
    request->last_event_id = stream->sse.last_id[0] != '\0' ? stream->sse.last_id : NULL;
    int rc = transport->follow(transport, request, silence_ms != 0 ? silence_ms : TROUPE_CLIENT_SILENCE_MS, &sink,
                               &reply, problem);
    stream->is_done = stream->is_done || transport->is_stopped(transport, request->stop_fd);
    if (stream->is_done) {
        rc = 0;
    } else if (stream->error != 0) {
        rc = troupe__problem_make(problem, stream->error, NULL, "a line or an event of the stream is too large");
    } else if (rc == 0 && stream->is_open) {
        rc = troupe__problem_make(problem, TROUPE_E_UNREACHABLE, NULL, "the node closed the stream");
    } else if (rc == 0 && reply.http_status == 204) {
        stream->is_done = true;
    } else if (rc == 0 && reply.http_status >= 200 && reply.http_status <= 299) {
        rc = troupe__client_odd_answer(reply.http_status, "the answer is not an event stream", problem);
    } else if (rc == 0) {
        rc = troupe__problem_read(&reply, problem);
    }
    troupe_client_reply_fini(&reply);
    return rc;
}

/* Could the next connection fare better? */
static bool is_passing(const troupe_client_problem *problem)
{
    if (problem->http_status == 0) {
        return problem->error == TROUPE_E_UNREACHABLE || problem->error == TROUPE_E_TIMEOUT;
    }
    return problem->http_status >= 500 || problem->http_status == 429 || problem->http_status == 408;
}

/* Tell the failure and wait. Returns false when the caller has enough. */
static bool wait_for_next(struct transport *transport, struct stream *stream, const troupe_client_problem *problem)
{
    int64_t first_ms = stream->sse.retry_ms >= 0 ? stream->sse.retry_ms : RETRY_MS_FIRST;
    first_ms = first_ms > RETRY_MS_LEAST ? first_ms : RETRY_MS_LEAST;
    first_ms = first_ms < TROUPE_BACKOFF_MS_MAX ? first_ms : TROUPE_BACKOFF_MS_MAX;
    int64_t wait_ms = troupe__backoff_ms((uint32_t)first_ms, stream->failures, transport->random(transport));
    if (problem->retry_after_ms > wait_ms) {
        wait_ms = problem->retry_after_ms < TROUPE_CLIENT_TIMEOUT_MS_MAX ? problem->retry_after_ms
                                                                         : TROUPE_CLIENT_TIMEOUT_MS_MAX;
    }
    const troupe_client_event event = {.kind = TROUPE_CLIENT_EVENT_RETRY,
                                       .id = "",
                                       .type = "",
                                       .data = "",
                                       .wait_ms = (uint32_t)wait_ms,
                                       .failures = stream->failures,
                                       .problem = problem};
    if (!tell(stream, &event)) {
        return false;
    }
    transport->wait_ms(transport, (uint32_t)wait_ms, stream->options->stop_fd);
    return !transport->is_stopped(transport, stream->options->stop_fd);
}

static int run(troupe_client *client, struct stream *stream, struct http_request *request,
               troupe_client_problem *problem)
{
    struct transport *transport = troupe__client_transport(client);
    for (;;) {
        uint64_t start_ms = transport->now_ms(transport);
        int rc = connect_once(client, stream, request, problem);
        if (stream->is_done || !stream->was_open || !is_passing(problem)) {
            return rc;
        }
        if (stream->has_event || (stream->is_open && transport->now_ms(transport) - start_ms >= LASTED_MS)) {
            stream->failures = 0;
        }
        if (!wait_for_next(transport, stream, problem)) {
            return 0;
        }
        stream->failures++;
    }
}

int troupe_client_stream(troupe_client *client, const troupe_client_stream_options *options,
                         troupe_client_problem *problem)
{
    struct stream stream = {.options = options};
    struct http_request request;
    troupe_client_problem own = {0};
    int rc = troupe__request_stream(options, &request, problem);
    if (rc != 0) {
        return rc;
    }
    troupe__sse_init(&stream.sse, on_sse_event, &stream);
    rc = run(client, &stream, &request, &own);
    if (rc != 0 && problem != NULL) {
        *problem = own;
    }
    troupe__sse_fini(&stream.sse);
    troupe__request_fini(&request);
    return rc;
}
