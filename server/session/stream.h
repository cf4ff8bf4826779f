/* SPDX-License-Identifier: Apache-2.0
 *
 * What an event stream is as text: server-sent events (HTML, "Server-sent events"). Knows no socket. The formats are in
 * docs/api.md.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_STREAM_H
#define TROUPE_SERVER_STREAM_H

#include <troupe/system.h>

#include "base/text.h"

enum { STREAM_RETRY_MS = 1000 };  /* a client that lost the stream waits so long */

/* The response head and the first line. allow_origin: the page that may read it, empty for none. */
void stream_add_head(struct text *text, troupe_view allow_origin);

/* One event, without what it says of lost ones. A body of JSON, or of text/..., goes out as it is, if lines can carry
 * it; any other as base64 in JSON. */
void stream_add_event(struct text *text, const troupe_event *event);

/* So many events were lost. */
void stream_add_lagged(struct text *text, uint64_t missed);

/* The actor has ended: the last event of its stream. exit NULL: the cause is not known. */
void stream_add_down(struct text *text, troupe_ref ref, const troupe_exit *why);

/* A comment that keeps proxies from closing the connection. */
void stream_add_ping(struct text *text);

#endif
