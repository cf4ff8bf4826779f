/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of strings that a reader gave: they were checked then, so that decoding cannot fail here.
 *
 * Thread: any; there is no state. */
#include <troupe/json.h>
#include <troupe/mem.h>

#include "base/utf8.h"

static uint32_t hex4(const char *p)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t digit = p[i] <= '9' ? (uint32_t)(p[i] - '0') : (uint32_t)((p[i] | 0x20) - 'a' + 10);

        value = value << 4 | digit;
    }
    return value;
}

/* Decode the escape whose backslash is at *p into at most four bytes; steps *p over it. */
static size_t decode_escape(const char **p, char *buf)
{
    const char *s = *p;
    uint32_t code;

    *p += 2;
    switch (s[1]) {
    case 'b':
        return troupe__utf8_put('\b', buf);
    case 'f':
        return troupe__utf8_put('\f', buf);
    case 'n':
        return troupe__utf8_put('\n', buf);
    case 'r':
        return troupe__utf8_put('\r', buf);
    case 't':
        return troupe__utf8_put('\t', buf);
    case 'u':
        code = hex4(s + 2);
        *p += 4;
        if (code >= 0xd800 && code <= 0xdbff) {
            code = 0x10000 + ((code - 0xd800) << 10) + (hex4(s + 8) - 0xdc00);
            *p += 6;
        }
        return troupe__utf8_put(code, buf);
    default:
        buf[0] = s[1]; /* quote, backslash or slash */
        return 1;
    }
}

/* Give the length of the bytes at p that stand for themselves. */
static size_t literal_length(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p != '\\') {
        p++;
    }
    return (size_t)(p - start);
}

bool troupe_json_string_equal(const troupe_json_string *string, troupe_view text)
{
    const char *p = string->raw.ptr;
    const char *end = p + string->raw.len;

    if (!string->escaped) {
        return troupe_view_equal(string->raw, text);
    }
    while (p < end) {
        char decoded[4];
        troupe_view piece = {p, literal_length(p, end)};

        p += piece.len;
        if (piece.len == 0) {
            piece.len = decode_escape(&p, decoded);
            piece.ptr = decoded;
        }
        if (piece.len > text.len || memcmp(piece.ptr, text.ptr, piece.len) != 0) {
            return false;
        }
        text.ptr += piece.len;
        text.len -= piece.len;
    }
    return text.len == 0;
}

int troupe_json_string_copy(const troupe_json_string *string, char *buf, size_t cap, size_t *ret_len)
{
    const char *p = string->raw.ptr;
    const char *end = p + string->raw.len;
    size_t len = 0;

    while (p < end) {
        char decoded[4];
        troupe_view piece = {p, string->escaped ? literal_length(p, end) : string->raw.len};

        p += piece.len;
        if (piece.len == 0) {
            piece.len = decode_escape(&p, decoded);
            piece.ptr = decoded;
        }
        if (piece.len > cap - len) {
            return TROUPE_E_TOO_LARGE;
        }
        memcpy(buf + len, piece.ptr, piece.len);
        len += piece.len;
    }
    *ret_len = len;
    return 0;
}
