/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters of events: a few patterns, each looked at in turn. See troupe/event.h.
 *
 * Thread: any. */
#include <troupe/event.h>

#include "base/mem.h"
#include "core/message.h"

/* A type, or the beginning of one with a * behind it. */
static bool is_pattern(troupe_view pattern)
{
    bool has_star = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
    if (has_star && pattern.len == 1)
        return true;
    return troupe__is_word((troupe_view){pattern.ptr, pattern.len - has_star});
}

bool troupe_filter_is_valid(const troupe_filter *filter)
{
    if (filter->count > TROUPE_FILTER_TYPES_MAX)
        return false;
    for (uint32_t i = 0; i < filter->count; i++)
        if (!is_pattern(filter->types[i]))
            return false;
    return true;
}

int troupe_filter_parse(troupe_view text, troupe_filter *ret_filter)
{
    troupe_filter filter = {.count = 0};
    for (size_t at = 0; at <= text.len; at++) {
        size_t start = at;
        while (at < text.len && text.ptr[at] != ',')
            at++;
        troupe_view pattern = {text.ptr + start, at - start};
        if (!is_pattern(pattern))
            return TROUPE_E_INVALID;
        if (filter.count == TROUPE_FILTER_TYPES_MAX)
            return TROUPE_E_LIMIT;
        filter.types[filter.count++] = pattern;
    }
    *ret_filter = filter;
    return 0;
}

static bool matches(troupe_view pattern, troupe_view type)
{
    if (pattern.ptr[pattern.len - 1] != '*')
        return troupe_view_equal(pattern, type);
    size_t len = pattern.len - 1;
    return type.len >= len && (len == 0 || memcmp(pattern.ptr, type.ptr, len) == 0);
}

bool troupe_filter_takes(const troupe_filter *filter, troupe_view type)
{
    if (!filter || filter->count == 0)
        return true;
    for (uint32_t i = 0; i < filter->count; i++)
        if (matches(filter->types[i], type))
            return true;
    return false;
}
