/* SPDX-License-Identifier: Apache-2.0
 *
 * From the words of a request to what they mean: references, durations, limits, cursors. Each function that returns
 * false has answered the request with a problem that names the parameter.
 *
 * Thread: the request's. */
#ifndef TROUPE_SERVER_RESOLVE_H
#define TROUPE_SERVER_RESOLVE_H

#include "api/api.h"

enum { API_LIST_DEFAULT = 100, API_LIST_MAX = 1000, API_SCAN_SLOTS_MAX = 100000 };

/* The actor of {ref}: an id, or @name. */
bool api_resolve(struct api_request *req, troupe_view ref, troupe_ref *ret_ref);

/* Is a content type this media type, perhaps with parameters? */
bool api_media_is(const char *content_type, const char *media);

/* A parameter that is a duration; *value stays as it is when it was not given. */
bool api_query_duration(struct api_request *req, const char *name, uint32_t min_ms, uint32_t max_ms,
                        uint32_t *value_ms);

/* The parameters limit and cursor of a list. kind is one letter: a cursor is good for the list that gave it. */
bool api_query_page(struct api_request *req, char kind, uint32_t *ret_limit, uint64_t *ret_cursor);

#define API_CURSOR_BYTES 24

/* Write the cursor of the next page. */
void api_cursor_format(char kind, uint64_t cursor, char text[static API_CURSOR_BYTES]);

/* The value of a Link header: the same list with the next cursor. False when it does not fit. */
bool api_link_next(const struct api_request *req, const char *path, const char *cursor, char *link, size_t cap);

#endif
