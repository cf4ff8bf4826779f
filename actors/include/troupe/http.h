/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP requests to the world outside, for behaviors: asked without waiting, answered to a continuation, as a call is.
 *
 * The host decides where requests may go: a node asks its list of --allow-http, and refuses all without one; a host
 * without HTTP refuses all. There are no redirects, no proxies, no cookies; an answer has at most
 * TROUPE_HTTP_BODY_BYTES_MAX bytes; certificates of https are verified.
 *
 * Thread: behavior only (inside one of its functions or continuations, with the ctx it was given). */
#ifndef TROUPE_HTTP_H
#define TROUPE_HTTP_H

#include <troupe/behavior.h>

#define TROUPE_HTTP_URL_BYTES_MAX 2048u
#define TROUPE_HTTP_BODY_BYTES_MAX (1u << 20)  /* of a request, of an answer */
#define TROUPE_HTTP_HEADERS_MAX 16u
#define TROUPE_HTTP_HEADER_BYTES_MAX 1024u     /* name and value of one */
#define TROUPE_HTTP_KEY_BYTES_MAX 256u
#define TROUPE_HTTP_TIMEOUT_MS_DEFAULT 10000u

typedef struct troupe_http_header {
    const char *name;             /* not one that HTTP itself needs: Host, Content-Length, Connection, ... */
    const char *value;            /* printable ASCII */
} troupe_http_header;

/* A request. Zero everywhere but url is a good start. All is borrowed during the call. */
typedef struct troupe_http {
    const char *method;           /* [A-Z]{1,16}; NULL: GET, or POST when there is a body */
    const char *url;              /* http://host[:port]/path?query or https://...; nothing else is taken */
    const troupe_http_header *headers;
    uint32_t headers_count;
    troupe_body body;             /* ptr NULL: none; else its content type goes along */
    troupe_view sign_key;         /* not empty: the host adds Troupe-Signature: t=SECONDS,v1=HEX, where HEX is the
                                     HMAC-SHA-256 of SECONDS "." body with this key */
    uint32_t timeout_ms;          /* for all of it, waiting for its turn included; 0: TROUPE_HTTP_TIMEOUT_MS_DEFAULT */
} troupe_http;

/* Send a request and go on; `then` runs once in a later turn. reply->status 0: there was an answer, of whatever HTTP
 * status (troupe_http_status), with its body and content type. Else why there was none:
 *   TROUPE_E_FORBIDDEN    the host does not allow it; the detail says what its operator can do
 *   TROUPE_E_UNREACHABLE  no connection, no valid certificate, no answer; TROUPE_E_TIMEOUT
 *   TROUPE_E_TOO_LARGE    the answer is larger than may be: the request was made
 * It is one of the actor's open calls: a drain waits for it. The end of the actor does not take the request back.
 * Fails, and then `then` never runs:
 *   TROUPE_E_INVALID      method, url, headers, key or timeout
 *   TROUPE_E_TOO_LARGE    the body
 *   TROUPE_E_LIMIT        as many requests wait in the host as may, or TROUPE_CALLS_PER_ACTOR_MAX calls are open
 *   TROUPE_E_FORBIDDEN    the host has no HTTP;  TROUPE_E_STATE in stop;  TROUPE_E_NO_MEMORY */
TROUPE_MUST_USE int troupe_http_request(troupe_ctx *ctx, const troupe_http *request, troupe_reply_fn then,
                                        uint64_t tag);

/* The same, and no other message is handled until `then` has run, as with troupe_call_wait. TROUPE_E_STATE when the
 * actor waits already. */
TROUPE_MUST_USE int troupe_http_request_wait(troupe_ctx *ctx, const troupe_http *request, troupe_reply_fn then,
                                             uint64_t tag);

/* The HTTP status of an answer; 0 when there was none. */
static inline unsigned troupe_http_status(const troupe_msg *reply)
{
    return reply->status == 0 ? reply->app_status : 0;
}

#endif
