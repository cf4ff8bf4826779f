/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

struct unit {
    const char *word;
    uint64_t factor;
};

static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};

static const struct unit sizes[] = {
    {"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40},
};

/* Read the digits at the start; the rest stays in *ret_rest. */
static int parse_digits(troupe_view text, uint64_t max, uint64_t *ret_value, troupe_view *ret_rest)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (value > (max - digit) / 10)
            return TROUPE_E_INVALID;
        value = value * 10 + digit;
    }
    if (i == 0 || value > max)
        return TROUPE_E_INVALID;
    *ret_value = value;
    *ret_rest = (troupe_view){text.ptr + i, text.len - i};
    return 0;
}

static int parse_unit(troupe_view text, const struct unit *units, unsigned count, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    troupe_view rest;
    if (parse_digits(text, UINT64_MAX - 9, &value, &rest) != 0)
        return TROUPE_E_INVALID;
    for (unsigned i = 0; i < count; i++) {
        if (!troupe_view_equal(rest, troupe_view_of(units[i].word)))
            continue;
        if (value > max / units[i].factor)
            return TROUPE_E_INVALID;
        *ret_value = value * units[i].factor;
        return 0;
    }
    return TROUPE_E_INVALID;
}

int units_parse_u64(troupe_view text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    troupe_view rest;
    if (max < 9 || parse_digits(text, max, &value, &rest) != 0 || rest.len != 0)
        return TROUPE_E_INVALID;
    *ret_value = value;
    return 0;
}

int units_parse_duration(troupe_view text, uint64_t max_ms, uint64_t *ret_ms)
{
    return parse_unit(text, durations, sizeof durations / sizeof durations[0], max_ms, ret_ms);
}

int units_parse_size(troupe_view text, uint64_t max, uint64_t *ret_bytes)
{
    return parse_unit(text, sizes, sizeof sizes / sizeof sizes[0], max, ret_bytes);
}
