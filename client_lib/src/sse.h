/* SPDX-License-Identifier: Apache-2.0
 *
 * Event streams as text: the parser of WHATWG HTML part 9.2.6 ("Interpreting an event stream"), for bytes that come in
 * pieces of any size. An event is told when its empty line has come; what a broken connection leaves half is dropped.
 *
 * It differs from a browser's in two ways: bytes are passed on as they are (no UTF-8 is replaced), and everything has a
 * limit, past which the stream fails with TROUPE_E_LIMIT.
 *
 * Thread: one at a time. */
#ifndef TROUPE_CLIENT_SSE_H
#define TROUPE_CLIENT_SSE_H

#include <stdint.h>

#include <troupe/client.h>

#include "src/text.h"

#define SSE_WORD_BYTES_MAX 127    /* of an id or a type; a node's have at most 64 */
#define SSE_RETRY_MS_MAX 86400000 /* a longer retry is not believed */
#define SSE_LINE_BYTES_MAX TROUPE_CLIENT_ANSWER_BYTES_MAX

/* An event. Lives: while the callback runs. */
struct sse_event {
    const char *id;   /* the last id seen so far; "": none */
    const char *type; /* "message" where the stream says nothing */
    const char *data; /* lines are divided by LF; a NUL follows */
    size_t data_len;
};

/* Returns false to stop: nothing that follows is told. */
typedef bool (*sse_event_fn)(void *user, const struct sse_event *event);

struct sse {
    sse_event_fn on_event; /* set once, as is user */
    void *user;
    struct text line; /* the line that is arriving */
    struct text data; /* of the event that is arriving, an LF behind each line */
    char type[SSE_WORD_BYTES_MAX + 1];
    char id[SSE_WORD_BYTES_MAX + 1];      /* as the last id line said */
    char last_id[SSE_WORD_BYTES_MAX + 1]; /* as of the last empty line: what Last-Event-ID says */
    int64_t retry_ms;                     /* how long to wait before the next connection; -1: not told */
    unsigned mark_len;                    /* bytes of a byte order mark seen so far; 3: past the beginning */
    bool is_after_cr;                     /* an LF that follows belongs to the CR */
    bool has_data;
    bool is_stopped; /* by on_event */
};

/* Owns: the parser; release it with troupe__sse_fini. */
void troupe__sse_init(struct sse *sse, sse_event_fn on_event, void *user);

/* Begin a new connection: all but the last id and the retry is forgotten. */
void troupe__sse_restart(struct sse *sse);

/* Take the next bytes; calls on_event for each event that they complete.
 * Fails: TROUPE_E_LIMIT, TROUPE_E_NO_MEMORY: the stream cannot be read on */
TROUPE_MUST_USE int troupe__sse_feed(struct sse *sse, const char *bytes, size_t len);

void troupe__sse_fini(struct sse *sse);

#endif
