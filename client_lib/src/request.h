/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests: what goes over HTTP for each thing a client can ask, as a value. Nothing here sends. Arguments that could
 * not be sent truthfully (a bad reference, a name with a NUL or a control character) are refused here, by field.
 *
 * Thread: any. */
#ifndef TROUPE_CLIENT_REQUEST_H
#define TROUPE_CLIENT_REQUEST_H

#include <troupe/client.h>

struct http_request {
    const char *method;       /* literal */
    char *target;             /* owned: path and query, percent-encoded, begins with / */
    const char *content_type; /* borrowed; NULL: no body */
    const void *body;         /* borrowed, or owned_body */
    size_t body_len;
    char *owned_body;          /* owned; NULL when the body is the caller's */
    uint32_t timeout_ms;       /* for the whole exchange, of a stream until its head; 0: the client's */
    const char *accept;        /* borrowed; NULL: JSON, then anything */
    const char *last_event_id; /* borrowed; NULL: none */
    int stop_fd;               /* of a stream: readable, it shall end; 0: none */
};

/* Each makes *ret_request, which is owned (troupe__request_fini), or fails with TROUPE_E_INVALID,
 * TROUPE_E_BAD_REFERENCE or TROUPE_E_NO_MEMORY and a problem that names the field. */
TROUPE_MUST_USE int troupe__request_spawn(const troupe_client_spawn_spec *spec, struct http_request *ret_request,
                                          troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_send(const char *verb, const troupe_client_message *message,
                                         struct http_request *ret_request, troupe_client_problem *problem);
/* What has only the path of an actor and `rest`, which is percent-encoded. */
TROUPE_MUST_USE int troupe__request_actor(const char *method, const char *ref, const char *rest,
                                          struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_list(const char *path, const troupe_client_filter *filter,
                                         struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_stop(const char *ref, const char *mode, const char *reason, uint32_t timeout_ms,
                                         struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_name(const char *name, struct http_request *ret_request,
                                         troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_node(const char *method, const char *node, const char *rest,
                                         struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_ticket(const char *const *grants, size_t count, struct http_request *ret_request,
                                           troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_stream(const troupe_client_stream_options *options,
                                           struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_get(const char *path, struct http_request *ret_request,
                                        troupe_client_problem *problem);

/* request_inspect.c */
TROUPE_MUST_USE int troupe__request_trace(const char *ref, uint32_t messages, bool has_bodies,
                                          struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_timer(const char *method, const char *ref, const char *id,
                                          struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_timer_set(const char *ref, const char *id, const troupe_client_timer *timer,
                                              struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_behavior(const char *behavior, struct http_request *ret_request,
                                             troupe_client_problem *problem);

/* request_group.c */
TROUPE_MUST_USE int troupe__request_member(const char *method, const troupe_client_group *group, const char *ref,
                                           struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_members(const troupe_client_group *group, const troupe_client_filter *filter,
                                            struct http_request *ret_request, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe__request_group_send(const char *verb, const troupe_client_group *group,
                                               const troupe_client_message *message, struct http_request *ret_request,
                                               troupe_client_problem *problem);

void troupe__request_fini(struct http_request *request);

#endif
