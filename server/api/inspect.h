/* SPDX-License-Identifier: Apache-2.0
 *
 * What routes that ask an actor by its system lane share. Thread: the request's. */
#ifndef TROUPE_SERVER_INSPECT_H
#define TROUPE_SERVER_INSPECT_H

#include "api/api.h"

enum { INSPECT_TIMEOUT_MS = 5000 };

/* Answer that req->actor has refused, or could not be asked. */
void inspect_refuse(struct api_request *req, const troupe_answer *answer);

#endif
