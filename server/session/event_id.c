/* SPDX-License-Identifier: Apache-2.0 */
#include "session/event_id.h"

#include <string.h>

enum { EPOCH_DIGITS = 16, SEQ_DIGITS_MAX = 20 };

static const char hex[] = "0123456789abcdef";

size_t event_id_format(troupe_event_id id, char text[static EVENT_ID_BYTES])
{
    char digits[SEQ_DIGITS_MAX];
    size_t count = 0, len = EPOCH_DIGITS;
    for (unsigned i = 0; i < EPOCH_DIGITS; i++)
        text[i] = hex[id.epoch >> (60 - 4 * i) & 15];
    text[len++] = '.';
    do
        digits[count++] = (char)('0' + id.seq % 10);
    while ((id.seq /= 10) > 0);
    while (count > 0)
        text[len++] = digits[--count];
    text[len] = '\0';
    return len;
}

int event_id_parse(troupe_view text, troupe_event_id *ret_id)
{
    troupe_event_id id = {0, 0};
    if (text.len < EPOCH_DIGITS + 2 || text.len > EPOCH_DIGITS + 1 + SEQ_DIGITS_MAX || text.ptr[EPOCH_DIGITS] != '.')
        return TROUPE_E_INVALID;
    for (unsigned i = 0; i < EPOCH_DIGITS; i++) {
        const char *digit = memchr(hex, text.ptr[i], EPOCH_DIGITS);
        if (digit == NULL)
            return TROUPE_E_INVALID;
        id.epoch = id.epoch << 4 | (uint64_t)(digit - hex);
    }
    bool has_zeros = text.ptr[EPOCH_DIGITS + 1] == '0' && text.len > EPOCH_DIGITS + 2;
    for (size_t i = EPOCH_DIGITS + 1; i < text.len; i++) {
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (digit > 9 || has_zeros || id.seq > (UINT64_MAX - digit) / 10)
            return TROUPE_E_INVALID;
        id.seq = id.seq * 10 + digit;
    }
    *ret_id = id;
    return 0;
}
