/* SPDX-License-Identifier: Apache-2.0
 *
 * The native transport: one libcurl easy handle, kept for the life of the client so that its connection is kept too.
 * Streams are in stream_curl.c.
 *
 * HTTP/1.1 only, http and https only, no redirects (a node answers for itself), and no proxy towards this machine even
 * when the environment names one. The answer is bounded while it arrives. Certificates are verified.
 *
 * Thread: that of the client. curl_global_init is safe from any thread since libcurl 7.84. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "native/curl.h"
#include "src/problem.h"
#include "src/url.h"

#define URL_BYTES_MAX (TROUPE_CLIENT_URL_BYTES_MAX + 8192) /* a base and the longest target */

size_t troupe__curl_on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct transport_curl *transport = user;
    troupe__text_add_bytes(&transport->body, bytes, size * count);
    return transport->body.error == 0 ? size * count : 0;
}

static void lower_first(char *text)
{
    if (text[0] >= 'A' && text[0] <= 'Z') {
        text[0] = (char)(text[0] - 'A' + 'a');
    }
}

int troupe__curl_explain(struct transport_curl *transport, CURLcode code, uint32_t timeout_ms,
                         troupe_client_problem *problem)
{
    long os_error = 0;
    char why[CURL_ERROR_SIZE];
    curl_easy_getinfo(transport->easy, CURLINFO_OS_ERRNO, &os_error);
    const char *text = code == CURLE_COULDNT_CONNECT && os_error != 0 ? strerror((int)os_error)
                       : transport->error[0] != '\0'                  ? transport->error
                                                                      : curl_easy_strerror(code);
    troupe__text_copy(why, sizeof why, text);
    lower_first(why);
    curl_off_t connect_us = 0;
    curl_easy_getinfo(transport->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        if (connect_us == 0) {
            return troupe__problem_make(problem, TROUPE_E_UNREACHABLE, NULL, "no connection within %u ms",
                                        (unsigned)transport->connect_timeout_ms);
        }
        return troupe__problem_make(problem, TROUPE_E_TIMEOUT, NULL, "no answer within %u ms", (unsigned)timeout_ms);
    case CURLE_WRITE_ERROR:
        if (transport->body.error == TROUPE_E_LIMIT) {
            return troupe__problem_make(problem, TROUPE_E_TOO_LARGE, NULL, "the answer is over %u bytes",
                                        TROUPE_CLIENT_ANSWER_BYTES_MAX);
        }
        return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while the answer arrived");
    case CURLE_OUT_OF_MEMORY:
        return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while asking the node");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return troupe__problem_make(problem, TROUPE_E_MALFORMED, NULL, "what answered does not speak HTTP: %s", why);
    default:
        return troupe__problem_make(problem, TROUPE_E_UNREACHABLE, NULL, "%s", why);
    }
}

static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    struct text line = {.max = 8192};
    troupe__text_add(&line, name);
    troupe__text_add(&line, value);
    struct curl_slist *longer = line.error == 0 ? curl_slist_append(*headers, line.at) : NULL;
    troupe__text_fini(&line);
    if (longer == NULL) {
        return false;
    }
    *headers = longer;
    return true;
}

static bool has_body(const struct http_request *request)
{
    return strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
}

static bool make_headers(const struct transport_curl *transport, const struct http_request *request,
                         struct curl_slist **headers)
{
    const char *accept = request->accept != NULL ? request->accept : "application/json, */*";
    bool is_good = add_header(headers, "Accept: ", accept) && add_header(headers, "Expect:", "");
    if (is_good && request->last_event_id != NULL) {
        is_good = add_header(headers, "Last-Event-ID: ", request->last_event_id);
    }
    if (is_good && request->content_type != NULL) {
        is_good = add_header(headers, "Content-Type: ", request->content_type);
    } else if (is_good && has_body(request)) {
        is_good = add_header(headers, "Content-Type:", ""); /* not curl's default, a form */
    }
    is_good = is_good && (transport->token_header == NULL || add_header(headers, transport->token_header, ""));
    return is_good && (transport->host_header == NULL || add_header(headers, transport->host_header, ""));
}

static void set_method(CURL *easy, const struct http_request *request)
{
    if (has_body(request)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body_len > 0 ? request->body : "");
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* The Date header in seconds, -1 without one. */
static int64_t answer_date(CURL *easy)
{
    struct curl_header *header;
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return -1;
    }
    return (int64_t)curl_getdate(header->value, NULL);
}

int troupe__curl_take_reply(struct transport_curl *transport, troupe_client_reply *ret_reply,
                            troupe_client_problem *problem)
{
    long status = 0;
    const char *content_type = NULL;
    curl_easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transport->easy, CURLINFO_CONTENT_TYPE, &content_type);
    troupe_client_reply reply = {.http_status = (int)status, .date_s = answer_date(transport->easy)};
    reply.body_len = transport->body.len;
    reply.content_type = strdup(content_type != NULL ? content_type : "");
    if (reply.content_type == NULL || troupe__text_take(&transport->body, &reply.body) != 0) {
        troupe_client_reply_fini(&reply);
        return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while reading the answer");
    }
    *ret_reply = reply;
    return 0;
}

int troupe__curl_prepare(struct transport_curl *transport, const struct http_request *request,
                         struct curl_slist **ret_headers, troupe_client_problem *problem)
{
    CURL *easy = transport->easy;
    struct curl_slist *headers = NULL;
    struct text url = {.max = URL_BYTES_MAX};

    transport->error[0] = '\0';
    transport->body = (struct text){.max = TROUPE_CLIENT_ANSWER_BYTES_MAX};
    troupe__text_add(&url, transport->url);
    troupe__text_add(&url, request->target);
    curl_easy_reset(easy); /* keeps the connection */
    if (url.error != 0 || !make_headers(transport, request, &headers)) {
        troupe__text_fini(&url);
        curl_slist_free_all(headers);
        return troupe__problem_make(problem, TROUPE_E_NO_MEMORY, NULL, "while making the request");
    }
    curl_easy_setopt(easy, CURLOPT_URL, url.at); /* curl copies it */
    troupe__text_fini(&url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "troupe-client");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)transport->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transport->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (troupe__url_is_loopback(transport->url)) {
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    set_method(easy, request);
    *ret_headers = headers;
    return 0;
}

static int exchange(struct transport *base, const struct http_request *request, troupe_client_reply *ret_reply,
                    troupe_client_problem *problem)
{
    struct transport_curl *transport = (struct transport_curl *)base;
    struct curl_slist *headers = NULL;
    uint32_t timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : transport->timeout_ms;
    int rc = troupe__curl_prepare(transport, request, &headers, problem);
    if (rc == 0) {
        curl_easy_setopt(transport->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        curl_easy_setopt(transport->easy, CURLOPT_WRITEFUNCTION, troupe__curl_on_body);
        curl_easy_setopt(transport->easy, CURLOPT_WRITEDATA, transport);
        CURLcode code = curl_easy_perform(transport->easy);
        rc = code == CURLE_OK ? troupe__curl_take_reply(transport, ret_reply, problem)
                              : troupe__curl_explain(transport, code, timeout_ms, problem);
    }
    curl_slist_free_all(headers);
    troupe__text_fini(&transport->body);
    return rc;
}

static void transport_free(struct transport *base)
{
    struct transport_curl *transport = (struct transport_curl *)base;
    curl_easy_cleanup(transport->easy);
    free(transport->url);
    free(transport->host_header);
    free(transport->token_header);
    free(transport);
    curl_global_cleanup();
}

/* A line of the head; NULL when it cannot be made. */
static char *make_header(const char *name, const char *value)
{
    struct text line = {.max = TROUPE_CLIENT_URL_BYTES_MAX + TROUPE_CLIENT_TOKEN_BYTES_MAX};
    char *header = NULL;
    troupe__text_add(&line, name);
    troupe__text_add(&line, value);
    int rc = troupe__text_take(&line, &header);
    troupe__text_fini(&line);
    return rc == 0 ? header : NULL;
}

static int transport_new(const troupe_client_options *options, const char *url, struct transport **ret_transport)
{
    struct transport_curl *transport = calloc(1, sizeof *transport);
    if (transport == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(transport);
        return TROUPE_E_NO_MEMORY;
    }
    transport->base = (struct transport){.exchange = exchange,
                                         .follow = troupe__curl_follow,
                                         .now_ms = troupe__curl_now_ms,
                                         .wait_ms = troupe__curl_wait_ms,
                                         .is_stopped = troupe__curl_is_stopped,
                                         .random = troupe__curl_random,
                                         .free = transport_free};
    transport->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TROUPE_CLIENT_TIMEOUT_MS;
    transport->connect_timeout_ms =
        options->connect_timeout_ms != 0 ? options->connect_timeout_ms : TROUPE_CLIENT_CONNECT_TIMEOUT_MS;
    transport->easy = curl_easy_init();
    transport->url = strdup(url);
    transport->host_header = options->host != NULL ? make_header("Host: ", options->host) : NULL;
    transport->token_header = options->token != NULL ? make_header("Authorization: Bearer ", options->token) : NULL;
    if (transport->easy == NULL || transport->url == NULL ||
        (options->host != NULL && transport->host_header == NULL) ||
        (options->token != NULL && transport->token_header == NULL)) {
        transport_free(&transport->base);
        return TROUPE_E_NO_MEMORY;
    }
    *ret_transport = &transport->base;
    return 0;
}

int troupe_client_new(const troupe_client_options *options, troupe_client **ret_client, troupe_client_problem *problem)
{
    char url[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    struct transport *transport = NULL;
    int rc = troupe__url_normalise(options->url, url, problem);
    if (rc != 0) {
        return rc;
    }
    if (options->timeout_ms > TROUPE_CLIENT_TIMEOUT_MS_MAX ||
        options->connect_timeout_ms > TROUPE_CLIENT_TIMEOUT_MS_MAX) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "timeout_ms", "a timeout is at most one day");
    }
    if (options->host != NULL && (options->host[0] == '\0' || !troupe__text_is_clean_utf8(options->host))) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "host", "a Host header is one line of text");
    }
    if (options->token != NULL && !troupe_client_token_is_valid(options->token)) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "token", "a token is 1 to %d visible ASCII characters",
                                    TROUPE_CLIENT_TOKEN_BYTES_MAX);
    }
    rc = transport_new(options, url, &transport);
    if (rc != 0) {
        return troupe__problem_make(problem, rc, NULL, "while setting up libcurl");
    }
    return troupe__client_new_on(transport, url, ret_client, problem);
}
