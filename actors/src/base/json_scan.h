/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of JSON over bytes: functions that check one piece and give the place behind it. The reader, the
 * validation and the raw values of the writer all stand on these, so there is one opinion of what is JSON.
 *
 * A function that fails returns NULL and fills the fault.
 *
 * Thread: any; there is no state. */
#ifndef TROUPE_BASE_JSON_SCAN_H
#define TROUPE_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/json.h>

#include <troupe/mem.h>

_Static_assert(TROUPE_JSON_DEPTH_MAX == 64, "the text below");
#define TROUPE__JSON_TOO_DEEP "nested deeper than 64 levels"

struct json_fault {
    const char *at; /* the first bad byte, or the end of the input */
    const char *reason;
    int error;
};

/* Fill the fault; returns NULL, to be passed on. */
const char *troupe__json_fault(struct json_fault *ret_fault, const char *at, int error, const char *reason);

/* The same for a byte where a value should begin. */
const char *troupe__json_fault_value(struct json_fault *ret_fault, const char *at, const char *end);

/* Check a string; p is behind its opening quote, the result behind its closing one. */
const char *troupe__json_scan_string(const char *p, const char *end, bool *ret_escaped, struct json_fault *ret_fault);

/* Check a number. It may be followed by anything that is not a part of it. */
const char *troupe__json_scan_number(const char *p, const char *end, bool *ret_integer, struct json_fault *ret_fault);

/* Check true, false or null; p is at its first letter. */
const char *troupe__json_scan_word(const char *p, const char *end, struct json_fault *ret_fault);

/* Check from behind a key's opening quote to behind its colon and blanks. */
const char *troupe__json_scan_key(const char *p, const char *end, troupe_json_string *ret_key,
                                  struct json_fault *ret_fault);

/* Check a value of any type inside `depth` open containers. p is at its first byte, or at end. */
const char *troupe__json_scan_value(const char *p, const char *end, unsigned depth, struct json_fault *ret_fault);

static inline const char *troupe__json_skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

/* Tell the type that a value with this first byte has. */
static inline enum troupe_json_type troupe__json_type_of(char first)
{
    switch (first) {
    case '{':
        return TROUPE_JSON_OBJECT;
    case '[':
        return TROUPE_JSON_ARRAY;
    case '"':
        return TROUPE_JSON_STRING;
    case 't':
    case 'f':
        return TROUPE_JSON_BOOL;
    case 'n':
        return TROUPE_JSON_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? TROUPE_JSON_NUMBER : TROUPE_JSON_NONE;
    }
}

/* Step over bytes that stand for themselves in a string: ASCII from the space on, without quote and backslash.
 *
 * Eight bytes are looked at together. The tests may flag a byte wrongly only above one that they flag rightly, and the
 * lowest flag is what counts. */
static inline const char *troupe__json_skip_plain(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (end - p >= 8) {
        uint64_t word, quote, backslash, flags;

        memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        quote = word ^ ones * '"';
        backslash = word ^ ones * '\\';
        flags = ((quote - ones) | (backslash - ones) | (word - ones * 0x20) | word) & ones * 0x80;
        /* a byte of 0x80 or more is flagged by itself, so the usual "and not" of these tests can be left out for it */
        if (flags != 0) {
            return p + __builtin_ctzll(flags) / 8;
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }
    return p;
}

#endif
