/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of topics: their ids, where a reader begins, and which types it wants. Shared by behaviors that follow
 * (troupe/context.h) and by outsiders that subscribe (troupe/system.h).
 *
 * Thread: any, for everything in this file. */
#ifndef TROUPE_EVENT_H
#define TROUPE_EVENT_H

#include <troupe/error.h>
#include <troupe/limits.h>
#include <troupe/view.h>

#include <stdbool.h>
#include <stdint.h>

/* epoch.seq: random bits of the topic, and a number that counts from 1 without gaps. */
typedef struct troupe_event_id {
    uint64_t epoch, seq;
} troupe_event_id;

/* Where to begin. */
enum troupe_from { TROUPE_FROM_NOW = 0, TROUPE_FROM_OLDEST = 1, TROUPE_FROM_AFTER = 2 };

/* Which types of events a reader wants: each pattern is a type, or the beginning of types with a * behind it ("*":
 * all). It is looked at by the reader, so it costs a publisher nothing. Zeroed: all. */
typedef struct troupe_filter {
    uint32_t count;
    troupe_view types[TROUPE_FILTER_TYPES_MAX];
} troupe_filter;

/* Is every pattern one? */
bool troupe_filter_is_valid(const troupe_filter *filter);

/* Read "a,b.*" into a filter. Lives: the views point into the text. Fails: TROUPE_E_INVALID (an empty or wrong
 * pattern), TROUPE_E_LIMIT (more than TROUPE_FILTER_TYPES_MAX). */
TROUPE_MUST_USE int troupe_filter_parse(troupe_view text, troupe_filter *ret_filter);

/* Does it want this type? NULL is no filter: yes. */
bool troupe_filter_takes(const troupe_filter *filter, troupe_view type);

#endif
