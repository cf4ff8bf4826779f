/* SPDX-License-Identifier: Apache-2.0
 *
 * The pull reader; the contract is in troupe/json.h.
 *
 * A reader is always in one of two places: before a value (value_pending), or behind one. A step (next_member,
 * next_item) taken before a value opens it; taken behind a value it goes on in the innermost open container. Every
 * call consumes input or sets an error, so a loop over steps ends, whatever its body does.
 *
 * Thread: any; a reader belongs to one thread at a time. */
#include <troupe/json.h>
#include <troupe/mem.h>

#include "base/json_scan.h"
#include "base/number.h"

static const troupe_json_string no_string = {{"", 0}, false};

/* ---- errors ---- */

__attribute__((cold)) static void fail_at(troupe_json_reader *reader, const char *at, int error, const char *reason)
{
    if (reader->error == 0) {
        reader->error = error;
        reader->error_offset = (size_t)(at - reader->start);
        reader->reason = reason;
        reader->value_pending = false;
    }
}

static void fail_fault(troupe_json_reader *reader, const struct json_fault *fault)
{
    fail_at(reader, fault->at, fault->error, fault->reason);
}

/* The value at p is not of the type asked for; or it is no value at all. */
__attribute__((cold)) static void fail_type(troupe_json_reader *reader, const char *p, const char *reason)
{
    struct json_fault fault;

    if (p < reader->end && troupe__json_type_of(*p) != TROUPE_JSON_NONE) {
        fail_at(reader, p, TROUPE_E_INVALID, reason);
    } else {
        troupe__json_fault_value(&fault, p, reader->end);
        fail_fault(reader, &fault);
    }
}

void troupe_json_fail(troupe_json_reader *reader, int error, const char *reason)
{
    fail_at(reader, reader->value, error, reason);
}

/* ---- the place ---- */

void troupe_json_read_init(troupe_json_reader *reader, const void *ptr, size_t len)
{
    const char *start = ptr != NULL ? (const char *)ptr : "";

    memset(reader, 0, sizeof(*reader));
    reader->start = start;
    reader->end = start + (ptr != NULL ? len : 0);
    reader->at = troupe__json_skip_blanks(start, reader->end);
    reader->value = reader->at;
    reader->key = no_string;
    reader->value_pending = true;
    if (reader->at == reader->end) {
        fail_at(reader, reader->at, TROUPE_E_MALFORMED, "the input is empty");
    }
}

/* Is there a value to read? If not, an error is set. */
static bool at_value(troupe_json_reader *reader)
{
    if (!reader->value_pending) {
        fail_at(reader, reader->at, TROUPE_E_STATE, "no value comes next here");
        return false;
    }
    reader->value = reader->at;
    return true;
}

/* The value ends at p. */
static void finish_value(troupe_json_reader *reader, const char *p)
{
    reader->at = p;
    reader->value_pending = false;
}

/* ---- containers ---- */

static bool enter(troupe_json_reader *reader, bool object)
{
    reader->value = reader->at;
    if (reader->at == reader->end || *reader->at != (object ? '{' : '[')) {
        fail_type(reader, reader->at, object ? "an object is expected" : "an array is expected");
        return false;
    }
    if (reader->depth >= TROUPE_JSON_DEPTH_MAX) {
        fail_at(reader, reader->at, TROUPE_E_MALFORMED, TROUPE__JSON_TOO_DEEP);
        return false;
    }
    reader->objects = reader->objects << 1 | object;
    reader->depth++;
    finish_value(reader, reader->at + 1);
    return true;
}

/* Step behind the comma or the end of the innermost container, opening it first where a value is pending. True: an
 * element follows at reader->at. */
static bool step(troupe_json_reader *reader, bool object)
{
    bool opened = reader->value_pending;
    char close = object ? '}' : ']';

    if (reader->error != 0 || (opened && !enter(reader, object))) {
        return false;
    }
    if (reader->depth == 0 || ((reader->objects & 1) != 0) != object) {
        fail_at(reader, reader->at, TROUPE_E_STATE, object ? "no object is open here" : "no array is open here");
        return false;
    }
    reader->at = troupe__json_skip_blanks(reader->at, reader->end);
    if (reader->at < reader->end && *reader->at == close) {
        reader->at++;
        reader->objects >>= 1;
        reader->depth--;
        reader->key = no_string;
        return false;
    }
    if (!opened) {
        if (reader->at == reader->end || *reader->at != ',') {
            fail_at(reader, reader->at, TROUPE_E_MALFORMED,
                    object ? "a comma or } should follow" : "a comma or ] should follow");
            return false;
        }
        reader->at = troupe__json_skip_blanks(reader->at + 1, reader->end);
    }
    return true;
}

bool troupe_json_next_member(troupe_json_reader *reader, troupe_json_string *ret_key)
{
    struct json_fault fault;
    const char *p;

    if (!step(reader, true)) {
        return false;
    }
    if (reader->at == reader->end || *reader->at != '"') {
        fail_at(reader, reader->at, TROUPE_E_MALFORMED, "a key in quotes should begin here");
        return false;
    }
    p = troupe__json_scan_key(reader->at + 1, reader->end, &reader->key, &fault);
    if (p == NULL) {
        fail_fault(reader, &fault);
        return false;
    }
    *ret_key = reader->key;
    reader->at = p;
    reader->value_pending = true;
    return true;
}

bool troupe_json_next_item(troupe_json_reader *reader)
{
    if (!step(reader, false)) {
        return false;
    }
    reader->value_pending = true;
    return true;
}

void troupe_json_leave(troupe_json_reader *reader)
{
    bool object = (reader->objects & 1) != 0;
    troupe_json_string key;

    if (reader->depth == 0) {
        fail_at(reader, reader->at, TROUPE_E_STATE, "no object or array is open here");
        return;
    }
    if (reader->value_pending) {
        troupe_json_skip(reader);
    }
    while (object ? troupe_json_next_member(reader, &key) : troupe_json_next_item(reader)) {
        troupe_json_skip(reader);
    }
}

/* ---- values ---- */

enum troupe_json_type troupe_json_peek(troupe_json_reader *reader)
{
    if (!reader->value_pending || reader->at == reader->end) {
        return TROUPE_JSON_NONE;
    }
    return troupe__json_type_of(*reader->at);
}

void troupe_json_skip(troupe_json_reader *reader) { (void)troupe_json_read_raw(reader); }

troupe_view troupe_json_read_raw(troupe_json_reader *reader)
{
    troupe_view raw = {"", 0};
    struct json_fault fault;
    const char *p;

    if (!at_value(reader)) {
        return raw;
    }
    p = troupe__json_scan_value(reader->at, reader->end, reader->depth, &fault);
    if (p == NULL) {
        fail_fault(reader, &fault);
        return raw;
    }
    raw.ptr = reader->at;
    raw.len = (size_t)(p - reader->at);
    finish_value(reader, p);
    return raw;
}

/* Read a number's bytes; empty after an error, with the reason that the caller gives where it is another type. */
static troupe_view read_number(troupe_json_reader *reader, bool *ret_integer, const char *reason)
{
    troupe_view token = {"", 0};
    struct json_fault fault;
    const char *p;

    if (!at_value(reader)) {
        return token;
    }
    if (troupe_json_peek(reader) != TROUPE_JSON_NUMBER) {
        fail_type(reader, reader->at, reason);
        return token;
    }
    p = troupe__json_scan_number(reader->at, reader->end, ret_integer, &fault);
    if (p == NULL) {
        fail_fault(reader, &fault);
        return token;
    }
    token.ptr = reader->at;
    token.len = (size_t)(p - reader->at);
    finish_value(reader, p);
    return token;
}

/* Read a whole number as sign and magnitude. False: there is an error. */
static bool read_whole(troupe_json_reader *reader, bool *ret_negative, uint64_t *ret_magnitude)
{
    bool integer = false;
    troupe_view token = read_number(reader, &integer, "a whole number is expected");

    if (reader->error != 0) {
        return false;
    }
    if (!integer) {
        fail_at(reader, token.ptr, TROUPE_E_INVALID, "a whole number is expected, without fraction and exponent");
        return false;
    }
    *ret_negative = *token.ptr == '-';
    token.ptr += *ret_negative;
    token.len -= *ret_negative;
    if (!troupe__number_read_uint64(token.ptr, token.len, ret_magnitude)) {
        fail_at(reader, reader->value, TROUPE_E_INVALID, "the number is out of range");
        return false;
    }
    return true;
}

int64_t troupe_json_read_int(troupe_json_reader *reader, int64_t min, int64_t max)
{
    bool negative;
    uint64_t magnitude;
    int64_t value;

    if (!read_whole(reader, &negative, &magnitude)) {
        return 0;
    }
    if (magnitude <= INT64_MAX) {
        value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
        if (value >= min && value <= max) {
            return value;
        }
    } else if (negative && magnitude == (uint64_t)INT64_MAX + 1 && min == INT64_MIN) {
        return INT64_MIN;
    }
    fail_at(reader, reader->value, TROUPE_E_INVALID, "the number is out of range");
    return 0;
}

uint64_t troupe_json_read_uint(troupe_json_reader *reader, uint64_t max)
{
    bool negative;
    uint64_t magnitude;

    if (!read_whole(reader, &negative, &magnitude)) {
        return 0;
    }
    if ((negative && magnitude != 0) || magnitude > max) {
        fail_at(reader, reader->value, TROUPE_E_INVALID, "the number is out of range");
        return 0;
    }
    return magnitude;
}

double troupe_json_read_double(troupe_json_reader *reader)
{
    bool integer;
    troupe_view token = read_number(reader, &integer, "a number is expected");
    double value = 0;

    if (reader->error == 0 && !troupe__number_read_double(token.ptr, token.len, &value)) {
        fail_at(reader, token.ptr, TROUPE_E_INVALID, "the number is out of range");
    }
    return value;
}

static void read_word(troupe_json_reader *reader, enum troupe_json_type type, const char *reason)
{
    struct json_fault fault;
    const char *p;

    if (!at_value(reader)) {
        return;
    }
    if (troupe_json_peek(reader) != type) {
        fail_type(reader, reader->at, reason);
        return;
    }
    p = troupe__json_scan_word(reader->at, reader->end, &fault);
    if (p == NULL) {
        fail_fault(reader, &fault);
        return;
    }
    finish_value(reader, p);
}

bool troupe_json_read_bool(troupe_json_reader *reader)
{
    read_word(reader, TROUPE_JSON_BOOL, "true or false is expected");
    return reader->error == 0 && *reader->value == 't';
}

void troupe_json_read_null(troupe_json_reader *reader) { read_word(reader, TROUPE_JSON_NULL, "null is expected"); }

troupe_json_string troupe_json_read_string(troupe_json_reader *reader)
{
    troupe_json_string string = no_string;
    struct json_fault fault;
    const char *p;

    if (!at_value(reader)) {
        return string;
    }
    if (troupe_json_peek(reader) != TROUPE_JSON_STRING) {
        fail_type(reader, reader->at, "a string is expected");
        return string;
    }
    p = troupe__json_scan_string(reader->at + 1, reader->end, &string.escaped, &fault);
    if (p == NULL) {
        fail_fault(reader, &fault);
        return string;
    }
    string.raw.ptr = reader->at + 1;
    string.raw.len = (size_t)(p - reader->at) - 2;
    finish_value(reader, p);
    return string;
}

size_t troupe_json_read_text(troupe_json_reader *reader, char *buf, size_t cap)
{
    troupe_json_string string = troupe_json_read_string(reader);
    size_t len = 0;

    if (cap == 0) {
        fail_at(reader, reader->value, TROUPE_E_STATE, "there is no room for a string");
        return 0;
    }
    if (troupe_json_string_copy(&string, buf, cap - 1, &len) != 0) {
        fail_at(reader, reader->value, TROUPE_E_INVALID, "the string is too long");
    }
    for (size_t i = 0; i < len; i++) {
        if (buf[i] == '\0') {
            fail_at(reader, reader->value, TROUPE_E_INVALID, "the string must not hold U+0000");
            len = 0;
        }
    }
    buf[len] = '\0';
    return len;
}

int troupe_json_read_end(troupe_json_reader *reader)
{
    if (reader->error != 0) {
        return reader->error;
    }
    if (reader->value_pending || reader->depth != 0) {
        fail_at(reader, reader->at, TROUPE_E_STATE, "the value was not read to its end");
        return reader->error;
    }
    reader->at = troupe__json_skip_blanks(reader->at, reader->end);
    if (reader->at != reader->end) {
        fail_at(reader, reader->at, TROUPE_E_MALFORMED, "nothing may follow the value");
    }
    return reader->error;
}
