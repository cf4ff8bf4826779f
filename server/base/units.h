/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, sizes and numbers as people write them.
 *
 *   duration  a whole number and a unit: 500ms 5s 2m 1h; 0 needs a unit too
 *   size      a whole number and perhaps a unit of 1024: 4096 64K 1M 2G
 *
 * Thread: any. Fails: all return TROUPE_E_INVALID for anything else, and when the value does not fit. */
#ifndef TROUPE_SERVER_UNITS_H
#define TROUPE_SERVER_UNITS_H

#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

TROUPE_MUST_USE int units_parse_u64(troupe_view text, uint64_t max, uint64_t *ret_value);
TROUPE_MUST_USE int units_parse_duration(troupe_view text, uint64_t max_ms, uint64_t *ret_ms);
TROUPE_MUST_USE int units_parse_size(troupe_view text, uint64_t max, uint64_t *ret_bytes);

#endif
