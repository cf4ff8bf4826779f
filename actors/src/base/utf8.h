/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF.
 *
 * Thread: any. */
#ifndef TROUPE_BASE_UTF8_H
#define TROUPE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Give the length of the sequence that begins at p and ends before end: 1 to 4, or 0 when it is not valid. */
static inline size_t troupe__utf8_length(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p);
    unsigned char second_min = 0x80, second_max = 0xbf;
    size_t len;

    if (left == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0; /* a continuation, or a lead that is always overlong or too large */
    }
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0) {
        second_min = 0xa0; /* below: overlong */
    } else if (s[0] == 0xed) {
        second_max = 0x9f; /* above: surrogates */
    } else if (s[0] == 0xf0) {
        second_min = 0x90;
    } else if (s[0] == 0xf4) {
        second_max = 0x8f; /* above: more than U+10FFFF */
    }
    if (left < len || s[1] < second_min || s[1] > second_max) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* Write a code point that is no surrogate; returns the length, 1 to 4. */
static inline size_t troupe__utf8_put(uint32_t code, char *buf)
{
    if (code < 0x80) {
        buf[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        buf[0] = (char)(0xc0 | code >> 6);
        buf[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        buf[0] = (char)(0xe0 | code >> 12);
        buf[1] = (char)(0x80 | (code >> 6 & 0x3f));
        buf[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    buf[0] = (char)(0xf0 | code >> 18);
    buf[1] = (char)(0x80 | (code >> 12 & 0x3f));
    buf[2] = (char)(0x80 | (code >> 6 & 0x3f));
    buf[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

#endif
