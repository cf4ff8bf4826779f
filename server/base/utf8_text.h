/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_UTF8_TEXT_H
#define TROUPE_SERVER_UTF8_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at ptr, or 0 when the bytes are not UTF-8. len must not be 0. */
static inline size_t utf8_sequence(const char *ptr, size_t len)
{
    const unsigned char *s = (const unsigned char *)ptr;
    if (s[0] < 0x80)
        return 1;
    size_t need = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len < need)
        return 0;
    unsigned char min = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char max = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < min || s[1] > max)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return need;
}

/* True when all bytes are UTF-8 and none is a control character. */
static inline bool utf8_is_clean(const char *ptr, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_sequence(ptr + i, len - i);
        if (step == 0 || (unsigned char)ptr[i] < 0x20 || ptr[i] == 0x7f)
            return false;
        i += step;
    }
    return true;
}

#endif
