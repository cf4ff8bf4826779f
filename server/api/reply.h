/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers. Errors are problem+json (RFC 9457) made from the one error table, everywhere.
 *
 * Thread: the request's. Each answers the request, once. */
#ifndef TROUPE_SERVER_REPLY_H
#define TROUPE_SERVER_REPLY_H

#include <jansson.h>

#include "api/api.h"

/* Answer with bytes. Up to API_HEADERS_MAX headers; NULL with 0 for none. */
void api_reply(struct api_request *req, unsigned status, const char *content_type, const void *body, size_t len,
               enum api_body owner, const struct api_header *headers, unsigned headers_count);

/* Answer without a body. */
void api_reply_empty(struct api_request *req, unsigned status, const struct api_header *headers,
                     unsigned headers_count);

/* Answer with a document, which is consumed; NULL, and a document that cannot be written, is no_memory. */
void api_reply_json(struct api_request *req, unsigned status, json_t *document, const struct api_header *headers,
                    unsigned headers_count);

/* The same with a document that is written already, on the heap. A text that failed is no_memory. */
void api_reply_text(struct api_request *req, unsigned status, struct text *document, const struct api_header *headers,
                    unsigned headers_count);

/* What a problem says beside the row of the table. Zero is a good start. */
struct api_problem {
    int error;                   /* TROUPE_E_... */
    troupe_view detail;          /* what is wrong and what to do */
    const char *field;           /* the field or parameter at fault */
    troupe_ref actor;            /* the actor concerned */
    unsigned app_status;         /* with TROUPE_E_APP */
    troupe_view app_code;        /* with TROUPE_E_APP */
    const char *allow;           /* with TROUPE_E_BAD_METHOD */
    int64_t accepted;            /* of a batch: how many were taken; -1 with is_batch false */
    bool is_batch;
    uint32_t retry_after_ms;     /* 0: as ever, for the errors that have one */
    bool close;
};

void api_reply_problem(struct api_request *req, const struct api_problem *problem);

/* The same for the common case: an error, the field at fault or NULL, and formatted words. */
void api_refuse(struct api_request *req, int error, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a body that check_object refused. */
struct check_fault;
void api_refuse_body(struct api_request *req, const struct check_fault *fault);

/* A request was to be taken from a rate. True if wait_ms is 0: it was. False: there is none until then, which was
 * answered with these words. */
bool api_take_rate(struct api_request *req, uint32_t wait_ms, const char *words);

/* A problem from an error of the core: the field at fault and what to do. A node that drains says of actors that are
 * not there, or not any more, that it drains: another node may have them. */
struct api_problem api_problem_of(const struct api_request *req, int error);
struct api_problem api_problem_from(const struct api_env *env, int error);
bool api_is_draining(const struct api_env *env);

/* Answer 200 with what an actor has said. A type that is not JSON it chose itself, perhaps after a client: a browser
 * must not run it as a page of this node. */
void api_reply_body(struct api_request *req, const troupe_answer *answer);

/* Answer with the error of the core. */
void api_reply_answer(struct api_request *req, const troupe_answer *answer, troupe_ref actor);

/* The status of a problem and its document: for the head stage too, which has no request. Returns the status. */
unsigned api_problem_write(const struct api_problem *problem, struct text *ret_document);

/* The same without braces and type: for error frames too, which have these members. */
unsigned api_problem_write_members(const struct api_problem *problem, struct text *ret_document);

/* Seconds for Retry-After of an error, 0 for none. */
unsigned api_retry_after(int error);

/* Answer by giving the connection away, or by the problem for which that failed. */
void api_hand_over(struct api_request *req, const struct api_takeover *to);

/* Answer that no actor has this name. */
void api_refuse_name(struct api_request *req, const char *field, troupe_view name);

#endif
