/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of JSON (RFC 8259), see json_scan.h.
 *
 * A value is checked in one loop without recursion; what is open is kept as one bit per container, so the stack does
 * not grow with the input.
 *
 * Thread: any; there is no state. */
#include "base/json_scan.h"
#include "base/utf8.h"

__attribute__((cold)) const char *troupe__json_fault(struct json_fault *ret_fault, const char *at, int error,
                                                     const char *reason)
{
    ret_fault->at = at;
    ret_fault->error = error;
    ret_fault->reason = reason;
    return NULL;
}

static const char *malformed(struct json_fault *ret_fault, const char *at, const char *reason)
{
    return troupe__json_fault(ret_fault, at, TROUPE_E_MALFORMED, reason);
}

const char *troupe__json_fault_value(struct json_fault *ret_fault, const char *at, const char *end)
{
    if (at >= end) {
        return malformed(ret_fault, end, "the input ends where a value should begin");
    }
    if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        return malformed(ret_fault, at, "a byte order mark is not allowed");
    }
    return malformed(ret_fault, at, "a value should begin here");
}

/* ---- strings ---- */

/* Read four hexadecimal digits; returns -1 when they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t value = 0;

    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit;

        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* Check an escape; p is at its backslash. */
static const char *scan_escape(const char *p, const char *end, struct json_fault *ret_fault)
{
    int32_t code;

    if (end - p < 2) {
        return malformed(ret_fault, end, "the input ends inside a string");
    }
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        break;
    default:
        return malformed(ret_fault, p, "there is no such escape");
    }
    code = hex4(p + 2, end);
    if (code < 0) {
        return malformed(ret_fault, p, "\\u needs four hexadecimal digits");
    }
    if (code < 0xd800 || code > 0xdfff) {
        return p + 6;
    }
    if (code <= 0xdbff && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        int32_t low = hex4(p + 8, end);

        if (low >= 0xdc00 && low <= 0xdfff) {
            return p + 12;
        }
    }
    return malformed(ret_fault, p, "a surrogate needs its other half");
}

const char *troupe__json_scan_string(const char *p, const char *end, bool *ret_escaped, struct json_fault *ret_fault)
{
    bool escaped = false;

    for (;;) {
        p = troupe__json_skip_plain(p, end);
        if (p == end) {
            return malformed(ret_fault, end, "the input ends inside a string");
        }
        if (*p == '"') {
            *ret_escaped = escaped;
            return p + 1;
        }
        if (*p == '\\') {
            escaped = true;
            p = scan_escape(p, end, ret_fault);
            if (p == NULL) {
                return NULL;
            }
        } else if ((unsigned char)*p < 0x20) {
            return malformed(ret_fault, p, "a control character in a string must be escaped");
        } else {
            do { /* text that is not ASCII tends to go on so */
                size_t len = troupe__utf8_length(p, end);

                if (len == 0) {
                    return malformed(ret_fault, p, "this is not UTF-8");
                }
                p += len;
            } while (p < end && (unsigned char)*p >= 0x80);
        }
    }
}

const char *troupe__json_scan_key(const char *p, const char *end, troupe_json_string *ret_key,
                                  struct json_fault *ret_fault)
{
    const char *start = p;
    bool escaped;

    p = troupe__json_scan_string(p, end, &escaped, ret_fault);
    if (p == NULL) {
        return NULL;
    }
    ret_key->raw.ptr = start;
    ret_key->raw.len = (size_t)(p - start) - 1;
    ret_key->escaped = escaped;
    p = troupe__json_skip_blanks(p, end);
    if (p == end || *p != ':') {
        return malformed(ret_fault, p, "a colon should follow the key");
    }
    return troupe__json_skip_blanks(p + 1, end);
}

/* ---- numbers and words ---- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

const char *troupe__json_scan_number(const char *p, const char *end, bool *ret_integer, struct json_fault *ret_fault)
{
    const char *digits = *p == '-' ? p + 1 : p;
    bool integer = true;

    p = skip_digits(digits, end);
    if (p == digits) {
        return malformed(ret_fault, p, "a digit should follow the minus sign");
    }
    if (*digits == '0' && p - digits > 1) {
        return malformed(ret_fault, digits, "a number must not begin with a zero");
    }
    if (p < end && *p == '.') {
        digits = p + 1;
        p = skip_digits(digits, end);
        if (p == digits) {
            return malformed(ret_fault, p, "a digit should follow the decimal point");
        }
        integer = false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        digits = p + 1;
        if (digits < end && (*digits == '+' || *digits == '-')) {
            digits++;
        }
        p = skip_digits(digits, end);
        if (p == digits) {
            return malformed(ret_fault, p, "a digit should follow in the exponent");
        }
        integer = false;
    }
    *ret_integer = integer;
    return p;
}

const char *troupe__json_scan_word(const char *p, const char *end, struct json_fault *ret_fault)
{
    const char *word = *p == 't' ? "true" : *p == 'f' ? "false" : "null";
    size_t len = *p == 'f' ? 5 : 4;

    if ((size_t)(end - p) < len || memcmp(p, word, len) != 0) {
        return malformed(ret_fault, p, "only true, false and null are written without quotes");
    }
    return p + len;
}

/* ---- values ---- */

/* Check a value that is no container. */
static inline const char *scan_scalar(const char *p, const char *end, struct json_fault *ret_fault)
{
    bool ignored;

    switch (troupe__json_type_of(*p)) {
    case TROUPE_JSON_STRING:
        return troupe__json_scan_string(p + 1, end, &ignored, ret_fault);
    case TROUPE_JSON_NUMBER:
        return troupe__json_scan_number(p, end, &ignored, ret_fault);
    case TROUPE_JSON_BOOL:
    case TROUPE_JSON_NULL:
        return troupe__json_scan_word(p, end, ret_fault);
    default:
        return troupe__json_fault_value(ret_fault, p, end);
    }
}

/* Check a key at p, which may be at end; the result is at the value. */
static inline const char *scan_member(const char *p, const char *end, struct json_fault *ret_fault)
{
    troupe_json_string ignored;

    if (p == end || *p != '"') {
        return malformed(ret_fault, p, "a key in quotes should begin here");
    }
    return troupe__json_scan_key(p + 1, end, &ignored, ret_fault);
}

const char *troupe__json_scan_value(const char *p, const char *end, unsigned depth, struct json_fault *ret_fault)
{
    uint64_t objects = 0; /* one bit per container opened here, the innermost lowest: 1 is an object */
    unsigned opened = 0;

    for (;;) {
        if (p == end) {
            return troupe__json_fault_value(ret_fault, p, end);
        }
        if (*p == '{' || *p == '[') {
            bool object = *p == '{';

            if (depth + opened >= TROUPE_JSON_DEPTH_MAX) {
                return troupe__json_fault(ret_fault, p, TROUPE_E_MALFORMED, TROUPE__JSON_TOO_DEEP);
            }
            objects = objects << 1 | object;
            opened++;
            p = troupe__json_skip_blanks(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                if (object) {
                    p = scan_member(p, end, ret_fault);
                    if (p == NULL) {
                        return NULL;
                    }
                }
                continue; /* with the first value inside */
            }
        } else {
            p = scan_scalar(p, end, ret_fault);
            if (p == NULL) {
                return NULL;
            }
        }

        /* a scalar has ended, or an empty container is about to */
        while (opened > 0) {
            bool object = (objects & 1) != 0;

            p = troupe__json_skip_blanks(p, end);
            if (p < end && *p == ',') {
                break;
            }
            if (p == end || *p != (object ? '}' : ']')) {
                return malformed(ret_fault, p, object ? "a comma or } should follow" : "a comma or ] should follow");
            }
            p++;
            objects >>= 1;
            opened--;
        }
        if (opened == 0) {
            return p;
        }
        p = troupe__json_skip_blanks(p + 1, end); /* over the comma */
        if ((objects & 1) != 0) {
            p = scan_member(p, end, ret_fault);
            if (p == NULL) {
                return NULL;
            }
        }
    }
}
