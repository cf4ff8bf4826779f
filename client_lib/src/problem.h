/* SPDX-License-Identifier: Apache-2.0
 *
 * Problems: made here when something fails on this side, and read from the application/problem+json (RFC 9457) that a
 * node answers. The words come from the one table, troupe/error.def.
 *
 * Thread: any. */
#ifndef TROUPE_CLIENT_PROBLEM_H
#define TROUPE_CLIENT_PROBLEM_H

#include <troupe/client.h>

/* Fill *problem (may be NULL) for a failure without a node's answer, and return the error.
 * field may be NULL; format makes the detail. */
int troupe__problem_make(troupe_client_problem *problem, int error, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Read an answer that is not a success into *problem (may be NULL); returns the error, never 0. */
int troupe__problem_read(const troupe_client_reply *reply, troupe_client_problem *problem);

/* Does the content type name JSON: application/json, text/json or anything ending in +json, parameters aside? */
bool troupe__problem_is_json(const char *content_type);

#endif
