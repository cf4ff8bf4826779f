/* SPDX-License-Identifier: Apache-2.0
 *
 * A job is one request in one block of memory: asked for by a worker, which puts it into the crossing, then the control
 * thread's: in the queue, then in flight, then answered and freed.
 *
 * A request whose time is over while its host's name is still being looked up leaves a thread of libcurl's behind,
 * until the name servers answer or are given up. ABANDONED_MAX of those in ABANDONED_MS are the most; then names are
 * not looked up for a while. */
#include "http_out.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http_rule.h"
#include "io/fetch.h"
#include "registry/auth.h"
#include "route/crossing.h"

enum { RULES_MAX = 64, SIGNATURE_BYTES = 128, ABANDONED_MAX = 64, ABANDONED_MS = 30000 };

_Static_assert(TROUPE_HTTP_KEY_BYTES_MAX <= AUTH_SECRET_BYTES_MAX, "a key is one that HMAC takes here");

struct job {
    struct crossing_item item;   /* first; on the way, and in the queue */
    struct http_out *out;
    troupe_outside who;
    uint64_t deadline_ms;
    size_t bytes;                /* of the job itself */
    bool has_name;               /* the host is none that is an address; set when it begins */
    const char *url, *method, *content_type; /* into text */
    const char *body;            /* NULL: none */
    size_t body_len;
    struct registry_secret key;  /* len 0: not signed */
    const char *headers[TROUPE_HTTP_HEADERS_MAX + 2]; /* lines; the last may be the signature, then NULL */
    unsigned headers_count;
    char signature[SIGNATURE_BYTES];
    char text[];
};

struct http_out {
    struct http_out_config config;
    struct http_rule rules[RULES_MAX];
    unsigned rules_count;
    struct fetch *fetch;         /* NULL: not attached */
    struct crossing_item *first, **last; /* the queue */
    struct crossing_item *flying; /* jobs whose fetch is under way, in no order */
    unsigned in_flight;
    uint64_t abandoned_until_ms[ABANDONED_MAX]; /* a ring: when each look-up is taken to be over; the oldest is next */
    unsigned abandoned_next;
    /* any */
    struct crossing asked;
    _Atomic uint64_t jobs, bytes; /* of all that are not answered */
    _Atomic uint64_t flights;     /* in_flight, for others to see */
    _Atomic uint64_t answered, failed, forbidden, refused;
};

static void count(_Atomic uint64_t *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_relaxed);
}

/* ---- life ---- */

int http_out_new(const struct http_out_config *config, struct http_out **ret_out)
{
    struct http_out *out = calloc(1, sizeof *out);
    if (out == NULL)
        return TROUPE_E_NO_MEMORY;
    out->config = *config;
    out->last = &out->first;
    for (; config->allow[out->rules_count] != NULL; out->rules_count++) {
        if (out->rules_count == RULES_MAX ||
            !http_rule_parse(config->allow[out->rules_count], &out->rules[out->rules_count])) {
            free(out);
            return TROUPE_E_INVALID;
        }
    }
    *ret_out = out;
    return 0;
}

int http_out_attach(struct http_out *out, struct ev_loop *ev) { return fetch_new(ev, &out->fetch); }

static void free_job(struct job *job)
{
    atomic_fetch_sub_explicit(&job->out->jobs, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&job->out->bytes, job->bytes, memory_order_relaxed);
    free(job);
}

static void free_jobs(struct crossing_item *item)
{
    for (struct crossing_item *next; item != NULL; item = next) {
        next = item->next;
        free_job((struct job *)(void *)item); /* its first member */
    }
}

void http_out_detach(struct http_out *out)
{
    if (out == NULL)
        return;
    fetch_free(out->fetch); /* which tells nobody */
    free_jobs(out->flying);
    out->fetch = NULL;
    out->flying = NULL;
}

void http_out_free(struct http_out *out)
{
    if (out == NULL)
        return;
    http_out_detach(out);
    free_jobs(crossing_take(&out->asked));
    free_jobs(out->first);
    free(out);
}

/* ---- ask ---- */

static size_t text_bytes(const troupe_http *request)
{
    size_t bytes = strlen(request->url) + strlen(request->method) + request->body.len + 3;
    bytes += request->body.content_type != NULL ? strlen(request->body.content_type) + 1 : 0;
    for (uint32_t i = 0; i < request->headers_count; i++)
        bytes += strlen(request->headers[i].name) + strlen(request->headers[i].value) + 3;
    return bytes;
}

static const char *copy(char **at, const void *bytes, size_t len)
{
    char *start = *at;
    if (len > 0)
        memcpy(start, bytes, len);
    start[len] = '\0';
    *at += len + 1;
    return start;
}

static const char *copy_header(char **at, const troupe_http_header *header)
{
    const char *start = *at;
    *at += sprintf(*at, "%s: %s", header->name, header->value) + 1;
    return start;
}

/* Methods that have a body have one always, perhaps an empty one: so the server is told its length. */
static bool has_body(const troupe_http *request)
{
    return request->body.ptr != NULL || request->method[0] == 'P';
}

static void fill(struct job *job, const troupe_http *request)
{
    char *at = job->text;
    const char *content_type = request->body.content_type;
    job->url = copy(&at, request->url, strlen(request->url));
    job->method = copy(&at, request->method, strlen(request->method));
    job->content_type = content_type != NULL ? copy(&at, content_type, strlen(content_type)) : "application/json";
    for (; job->headers_count < request->headers_count; job->headers_count++)
        job->headers[job->headers_count] = copy_header(&at, &request->headers[job->headers_count]);
    if (has_body(request)) {
        job->body_len = request->body.ptr != NULL ? request->body.len : 0;
        job->body = copy(&at, request->body.ptr, job->body_len);
    }
    if (request->sign_key.len > 0)
        memcpy(job->key.bytes, request->sign_key.ptr, request->sign_key.len);
    job->key.len = request->sign_key.len;
}

int http_out_ask(struct http_out *out, troupe_outside who, const troupe_http *request)
{
    size_t bytes = sizeof(struct job) + text_bytes(request);
    /* Both are added before they are looked at, so many askers together do not go past the bounds. */
    uint64_t jobs = atomic_fetch_add_explicit(&out->jobs, 1, memory_order_relaxed);
    uint64_t all = atomic_fetch_add_explicit(&out->bytes, bytes, memory_order_relaxed);
    bool is_full = jobs >= HTTP_OUT_REQUESTS_MAX || all + bytes > HTTP_OUT_BYTES_MAX;
    struct job *job = is_full ? NULL : calloc(1, bytes);
    if (job == NULL) {
        atomic_fetch_sub_explicit(&out->jobs, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&out->bytes, bytes, memory_order_relaxed);
        count(&out->refused);
        return is_full ? TROUPE_E_LIMIT : TROUPE_E_NO_MEMORY;
    }
    job->out = out;
    job->who = who;
    job->bytes = bytes;
    job->deadline_ms = clock_now_ms() + request->timeout_ms;
    fill(job, request);
    if (crossing_put(&out->asked, &job->item))
        out->config.wake_control(out->config.user);
    return 0;
}

/* ---- answer ---- */

static void answer(struct job *job, const troupe_answer *said)
{
    struct http_out *out = job->out;
    count(said->error == 0 ? &out->answered : said->error == TROUPE_E_FORBIDDEN ? &out->forbidden : &out->failed);
    int error = troupe_system_answer(out->config.system, job->who, said);
    (void)error; /* without memory for it the actor hears of its deadline */
    free_job(job);
}

static void refuse(struct job *job, int error, const char *words)
{
    troupe_answer said = {.error = error, .detail = troupe_view_of(words)};
    answer(job, &said);
}

/* A content type that can be passed on, also into a header of ours. */
static const char *known_type(const char *content_type)
{
    static const char unknown[] = "application/octet-stream";
    if (content_type == NULL || strlen(content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX)
        return unknown;
    for (const char *c = content_type; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            return unknown;
    }
    return content_type;
}

static void on_done(void *user, uint64_t id, const struct fetch_answer *fetched)
{
    struct job *job = user;
    struct http_out *out = job->out;
    struct crossing_item **at = &out->flying;
    (void)id;
    while (*at != &job->item)
        at = &(*at)->next;
    *at = job->item.next;
    out->in_flight--;
    if (job->has_name && fetched->error == TROUPE_E_TIMEOUT && fetched->has_no_address) {
        out->abandoned_until_ms[out->abandoned_next] = clock_now_ms() + ABANDONED_MS;
        out->abandoned_next = (out->abandoned_next + 1) % ABANDONED_MAX;
    }
    if (fetched->trouble != NULL) {
        refuse(job, fetched->error, fetched->trouble);
    } else {
        troupe_answer said = {.app_status = (uint16_t)fetched->status, .body = fetched->body,
                              .content_type = known_type(fetched->content_type)};
        answer(job, &said);
    }
    http_out_run(out); /* another one may begin */
}

/* ---- begin ---- */

/* The rule that allows the URL, or NULL. */
static const struct http_rule *find_rule(const struct http_out *out, const struct http_rule *url)
{
    for (unsigned i = 0; i < out->rules_count; i++) {
        if (http_rule_allows(&out->rules[i], url))
            return &out->rules[i];
    }
    return NULL;
}

static void sign(struct job *job)
{
    char seconds[32];
    unsigned char mac[32];
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(clock_wall_ms() / 1000));
    const troupe_view parts[] = {troupe_view_of(seconds), {".", 1}, {job->body != NULL ? job->body : "", job->body_len},
                                 {NULL, 0}};
    registry_hmac(&job->key, parts, mac);
    int len = snprintf(job->signature, sizeof job->signature, "Troupe-Signature: t=%s,v1=", seconds);
    for (unsigned i = 0; i < sizeof mac; i++)
        len += sprintf(job->signature + len, "%02x", mac[i]);
    job->headers[job->headers_count++] = job->signature;
}

static void begin(struct http_out *out, struct job *job)
{
    struct http_rule url;
    uint64_t now_ms = clock_now_ms();
    if (!http_rule_parse_url(job->url, &url)) {
        refuse(job, TROUPE_E_FORBIDDEN,
               "the URL is not of the form that the rules are made for: no user, no fragment, no . or .. in the path");
        return;
    }
    const struct http_rule *rule = find_rule(out, &url);
    if (rule == NULL) {
        refuse(job, TROUPE_E_FORBIDDEN, "the node does not allow requests to this URL; its operator can start it with "
                                        "--allow-http and the beginning of the URL");
        return;
    }
    if (now_ms >= job->deadline_ms) {
        refuse(job, TROUPE_E_TIMEOUT, "the request waited for its turn until its deadline");
        return;
    }
    job->has_name = !url.is_address;
    if (job->has_name && out->abandoned_until_ms[out->abandoned_next] > now_ms) {
        refuse(job, TROUPE_E_UNREACHABLE,
               "too many host names could not be looked up in time; look at the name servers "
               "of the node, or give requests more time");
        return;
    }
    if (job->key.len > 0)
        sign(job);
    const struct fetch_outside outside = {.headers = job->headers, .content_type = job->content_type,
                                          .guards = rule->is_address ? NULL : http_rule_guards};
    const struct fetch_request request = {
        .method = job->method, .url = job->url, .body = job->body, .body_len = job->body_len,
        .timeout_ms = (uint32_t)(job->deadline_ms - now_ms), .outside = &outside, .done = on_done, .user = job,
    };
    if (fetch_start(out->fetch, &request) == 0) {
        refuse(job, TROUPE_E_NO_MEMORY, "the node has no memory for the request");
        return;
    }
    job->item.next = out->flying;
    out->flying = &job->item;
    out->in_flight++;
}

void http_out_run(struct http_out *out)
{
    if (out->fetch == NULL)
        return;
    if (!crossing_is_empty(&out->asked)) {
        *out->last = crossing_take(&out->asked);
        while (*out->last != NULL)
            out->last = &(*out->last)->next;
    }
    while (out->first != NULL && out->in_flight < HTTP_OUT_FLIGHTS_MAX) {
        struct crossing_item *item = out->first;
        out->first = item->next;
        if (out->first == NULL)
            out->last = &out->first;
        begin(out, (struct job *)(void *)item);
    }
    atomic_store_explicit(&out->flights, out->in_flight, memory_order_relaxed);
}

void http_out_figures(const struct http_out *out, struct http_out_figures *ret_figures)
{
    *ret_figures = (struct http_out_figures){0};
    if (out == NULL)
        return;
    uint64_t jobs = read_count(&out->jobs), flights = read_count(&out->flights);
    *ret_figures = (struct http_out_figures){
        .answered = read_count(&out->answered), .failed = read_count(&out->failed),
        .forbidden = read_count(&out->forbidden), .refused = read_count(&out->refused),
        .waiting = jobs > flights ? jobs - flights : 0, .in_flight = flights,
    };
}
