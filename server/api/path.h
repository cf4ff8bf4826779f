/* SPDX-License-Identifier: Apache-2.0
 *
 * The target of a request: the raw path is split on '/', then each segment is decoded once, in place. So %2F stays
 * inside its segment and nothing is decoded twice.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_PATH_H
#define TROUPE_SERVER_PATH_H

#include "api/api.h"

enum { PATH_SEGMENTS_MAX = 8 };

/* Split target (without its first '/') at '/'; ret_segments are raw. Returns their number, or PATH_SEGMENTS_MAX + 1
 * when there are more. "/" has one empty segment. */
unsigned path_split(const char *path, size_t len, troupe_view ret_segments[static PATH_SEGMENTS_MAX]);

/* Decode %XX in place. Fails: TROUPE_E_INVALID for a bad escape, NUL, a control character, or what is not UTF-8. */
TROUPE_MUST_USE int path_decode(troupe_view *segment);

/* Split and decode a query in place ('+' is a space). Fails: TROUPE_E_INVALID as path_decode, TROUPE_E_LIMIT. */
TROUPE_MUST_USE int path_query(char *query, size_t len, struct api_query_item *items, unsigned *ret_count);

#endif
