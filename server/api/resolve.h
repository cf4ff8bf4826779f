/* SPDX-License-Identifier: Apache-2.0
 *
 * From the words of a request to what they mean: references, durations. Each function that returns false has answered
 * the request with a problem that names the parameter, or api_resolve runs the handler again later.
 *
 * Thread: the request's. */
#ifndef TROUPE_SERVER_RESOLVE_H
#define TROUPE_SERVER_RESOLVE_H

#include "api/api.h"

/* The actor of {ref}: an id, or @name. */
bool api_resolve(struct api_request *req, troupe_view ref, troupe_ref *ret_ref);

/* Find the holder of a name in the cluster. Returns 0, TROUPE_E_..., or API_LATER: the registry is asked, and the
 * handler is run again from its beginning when it has answered; so it must not have done anything yet. */
enum { API_LATER = 1 };
int api_find(struct api_request *req, troupe_view name, troupe_ref *ret_ref);

/* A parameter that is a duration; *value stays as it is when it was not given. */
bool api_query_duration(struct api_request *req, const char *name, uint32_t min_ms, uint32_t max_ms,
                        uint32_t *value_ms);

#endif
