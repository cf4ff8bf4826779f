/* SPDX-License-Identifier: Apache-2.0
 *
 * What actors ask of the world outside, see outside.c. */
#ifndef TROUPE_CORE_OUTSIDE_H
#define TROUPE_CORE_OUTSIDE_H

#include <troupe/http.h>
#include <troupe/system.h>

#include "core/message.h"

/* Is the request one that a host may be given? Fails: TROUPE_E_INVALID, TROUPE_E_TOO_LARGE. Thread: any. */
int troupe__http_check(const troupe_http *request);

/* The answer of the host has come. Consumes the notice. Thread: the owner of the worker. */
void troupe__outside_on_notice(troupe_worker *worker, struct message *notice);

#endif
