/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NO_DIGIT = 64 };

void base64_write(const void *bytes, size_t len, char *text)
{
    const unsigned char *in = bytes;
    for (; len >= 3; len -= 3, in += 3, text += 4) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        text[0] = alphabet[group >> 18];
        text[1] = alphabet[group >> 12 & 63];
        text[2] = alphabet[group >> 6 & 63];
        text[3] = alphabet[group & 63];
    }
    if (len == 0)
        return;
    uint32_t group = (uint32_t)in[0] << 16 | (len == 2 ? (uint32_t)in[1] << 8 : 0);
    text[0] = alphabet[group >> 18];
    text[1] = alphabet[group >> 12 & 63];
    text[2] = len == 2 ? alphabet[group >> 6 & 63] : '=';
    text[3] = '=';
}

static uint32_t digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}

int base64_read(const char *text, size_t len, void *bytes, size_t *ret_len)
{
    unsigned char *out = bytes;
    if (len % 4 != 0)
        return TROUPE_E_MALFORMED;
    size_t pads = len == 0 ? 0 : text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
    size_t digits = len - pads, count = digits * 6 / 8, at = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < digits; i++) {
        uint32_t digit = digit_of(text[i]);
        if (digit == NO_DIGIT)
            return TROUPE_E_MALFORMED;
        group = group << 6 | digit;
        if (i % 4 != 0)
            out[at++] = (unsigned char)(group >> (6 - i % 4 * 2));
    }
    /* Bits of the last digit that belong to no byte. */
    if ((pads == 1 && (group & 3) != 0) || (pads == 2 && (group & 15) != 0))
        return TROUPE_E_MALFORMED;
    *ret_len = count;
    return 0;
}
