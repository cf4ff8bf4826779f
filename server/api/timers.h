/* SPDX-License-Identifier: Apache-2.0
 *
 * A cast that is to arrive later. Thread: the request's. */
#ifndef TROUPE_SERVER_TIMERS_H
#define TROUPE_SERVER_TIMERS_H

#include "api/api.h"

#define TIMERS_DELAY_MS_MAX 3600000000u /* 1000 hours */

/* Send the message of the request to req->actor after so long. Answers the request. */
void timers_cast_later(struct api_request *req, uint32_t delay_ms);

#endif
