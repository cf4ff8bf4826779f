/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of the native transport share: transport_curl.c exchanges, stream_curl.c follows. They are the
 * only files that include curl.
 *
 * Thread: that of the client. */
#ifndef TROUPE_CLIENT_NATIVE_CURL_H
#define TROUPE_CLIENT_NATIVE_CURL_H

#include <curl/curl.h>

#include "src/text.h"
#include "src/transport.h"

struct transport_curl {
    struct transport base; /* first: a transport is one of these */
    CURL *easy;            /* owned */
    char *url;             /* owned: the base URL */
    char *host_header;     /* owned: "Host: ..."; NULL: curl's own */
    char *token_header;    /* owned: "Authorization: Bearer ..."; NULL: none */
    uint32_t timeout_ms;   /* where a request has none */
    uint32_t connect_timeout_ms;
    struct text body;            /* of the answer that is arriving */
    char error[CURL_ERROR_SIZE]; /* curl writes it while it exchanges */
};

/* Set all options of a request on the handle but where its answer's body goes and how long it may take.
 * Owns:  *ret_headers is owned; free it with curl_slist_free_all once the exchange is over. */
TROUPE_MUST_USE int troupe__curl_prepare(struct transport_curl *transport, const struct http_request *request,
                                         struct curl_slist **ret_headers, troupe_client_problem *problem);

/* A write function that collects in transport->body; its user is the transport. */
size_t troupe__curl_on_body(char *bytes, size_t size, size_t count, void *user);

/* Make a reply of the answer that has come, with transport->body. Owns: *ret_reply is owned. */
TROUPE_MUST_USE int troupe__curl_take_reply(struct transport_curl *transport, troupe_client_reply *ret_reply,
                                            troupe_client_problem *problem);

/* What went wrong below HTTP, as one of our errors and a sentence. */
int troupe__curl_explain(struct transport_curl *transport, CURLcode code, uint32_t timeout_ms,
                         troupe_client_problem *problem);

/* The functions of a transport that stream_curl.c has. */
int troupe__curl_follow(struct transport *base, const struct http_request *request, uint32_t silence_ms,
                        const struct stream_sink *sink, troupe_client_reply *ret_reply, troupe_client_problem *problem);
uint64_t troupe__curl_now_ms(struct transport *base);
void troupe__curl_wait_ms(struct transport *base, uint32_t ms, int stop_fd);
bool troupe__curl_is_stopped(struct transport *base, int stop_fd);
uint32_t troupe__curl_random(struct transport *base);

#endif
