/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit lines: who asked for a spawn, stop, kill, ticket or drain, or was refused one, from where, and what came of it.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_AUDIT_H
#define TROUPE_SERVER_AUDIT_H

#include "api/api.h"

/* What is zero or NULL is left out. */
struct audit_line {
    const char *action;          /* "spawn" */
    const char *from;            /* "127.0.0.1:5123" */
    const struct access_token *token;
    troupe_ref actor;
    const char *behavior;
    const char *operation;       /* of a refusal: what was asked for */
    troupe_view reason;          /* the client's words */
    int error;                   /* 0: "ok" */
};
void audit_write(const struct audit_line *line);

/* The same for a request. Thread: the request's. */
void audit_log(struct api_request *req, const char *action, troupe_ref actor, const char *behavior, troupe_view reason,
               int error);

/* A request that its token may not make. Thread: the request's. */
void audit_refusal(struct api_request *req, const char *operation);

#endif
