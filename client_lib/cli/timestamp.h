/* SPDX-License-Identifier: Apache-2.0
 *
 * Times of documents: RFC 3339 in UTC, as nodes write them.
 *
 * Thread: any; pure. */
#ifndef TROUPE_CLI_TIMESTAMP_H
#define TROUPE_CLI_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TIMESTAMP_CAP 25 /* of "2026-01-02T03:04:05Z" and more, with its NUL */

/* "2026-01-02T03:04:05.678Z" in milliseconds since 1970; -1: it is none, or NULL. */
int64_t timestamp_parse(const char *text);

/* How long ago that was, never less than 0; -1 when it is not known. */
int64_t timestamp_age_ms(int64_t at_ms, time_t now);

/* Seconds since 1970 as "2026-01-02T03:04:05Z". */
void timestamp_format(time_t at, char out[TIMESTAMP_CAP]);

#endif
