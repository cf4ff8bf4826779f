/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit lines: who asked for a spawn, stop or kill, from where, and what came of it. Thread: the request's. */
#ifndef TROUPE_SERVER_AUDIT_H
#define TROUPE_SERVER_AUDIT_H

#include "api/api.h"

/* Log one line; error 0 is "ok". behavior may be NULL; reason, the client's words, may be empty. */
void audit_log(struct api_request *req, const char *action, troupe_ref actor, const char *behavior, troupe_view reason,
               int error);

#endif
