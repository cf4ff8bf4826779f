/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer; the contract is in troupe/json.h.
 *
 * Bytes that do not fit are counted and not written. From the first of them on nothing more is written, since the count
 * stays above the capacity; so the writer goes on checking and measuring, and the caller may come back with a buffer
 * of the right size.
 *
 * Thread: any; a writer belongs to one thread at a time. */
#include <troupe/json.h>
#include <troupe/mem.h>

#include "base/json_scan.h"
#include "base/number.h"
#include "base/utf8.h"

static void fail(troupe_json_writer *writer, int error, const char *reason)
{
    if (writer->error == 0) {
        writer->error = error;
        writer->reason = reason;
    }
}

static void put(troupe_json_writer *writer, const char *bytes, size_t len)
{
    if (writer->len <= writer->cap && len <= writer->cap - writer->len) {
        if (len > 0) {
            memcpy(writer->buf + writer->len, bytes, len);
        }
    } else if (len > SIZE_MAX - writer->len) {
        fail(writer, TROUPE_E_LIMIT, "the text is too long to be counted");
        return;
    }
    writer->len += len;
}

void troupe_json_write_init(troupe_json_writer *writer, char *buf, size_t cap)
{
    memset(writer, 0, sizeof(*writer));
    writer->buf = buf;
    writer->cap = buf != NULL ? cap : 0;
}

/* ---- the places where a value, a key, an end may stand ---- */

static bool in_object(const troupe_json_writer *writer) { return writer->depth > 0 && (writer->objects & 1) != 0; }

/* Write what belongs in front of a value. False: there is an error. */
static bool begin_value(troupe_json_writer *writer)
{
    if (writer->error != 0) {
        return false;
    }
    if (in_object(writer)) {
        if (!writer->keyed) {
            fail(writer, TROUPE_E_STATE, "a value in an object needs a key");
            return false;
        }
        writer->keyed = false;
    } else if (writer->comma) {
        if (writer->depth == 0) {
            fail(writer, TROUPE_E_STATE, "the value is whole already");
            return false;
        }
        put(writer, ",", 1);
    }
    writer->comma = true;
    return true;
}

static void put_value(troupe_json_writer *writer, const char *bytes, size_t len)
{
    if (begin_value(writer)) {
        put(writer, bytes, len);
    }
}

static void begin_container(troupe_json_writer *writer, bool object)
{
    if (writer->depth >= TROUPE_JSON_DEPTH_MAX) {
        fail(writer, TROUPE_E_LIMIT, "too many objects and arrays inside each other");
    }
    if (begin_value(writer)) {
        put(writer, object ? "{" : "[", 1);
        writer->objects = writer->objects << 1 | object;
        writer->depth++;
        writer->comma = false;
    }
}

static void end_container(troupe_json_writer *writer, bool object)
{
    if (writer->error != 0) {
        return;
    }
    if (writer->depth == 0 || in_object(writer) != object || writer->keyed) {
        fail(writer, TROUPE_E_STATE, object ? "no object can end here" : "no array can end here");
        return;
    }
    put(writer, object ? "}" : "]", 1);
    writer->objects >>= 1;
    writer->depth--;
    writer->comma = true;
}

void troupe_json_write_object_begin(troupe_json_writer *writer) { begin_container(writer, true); }

void troupe_json_write_object_end(troupe_json_writer *writer) { end_container(writer, true); }

void troupe_json_write_array_begin(troupe_json_writer *writer) { begin_container(writer, false); }

void troupe_json_write_array_end(troupe_json_writer *writer) { end_container(writer, false); }

/* ---- strings ---- */

/* Write the escape of a quote, a backslash or a control character. */
static void put_escape(troupe_json_writer *writer, char c)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', c, '0', '0', '0', '0'};
    size_t len = 2;

    switch (c) {
    case '"':
    case '\\':
        break;
    case '\b':
        escape[1] = 'b';
        break;
    case '\f':
        escape[1] = 'f';
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    case '\t':
        escape[1] = 't';
        break;
    default:
        escape[1] = 'u';
        escape[4] = hex[(unsigned char)c >> 4];
        escape[5] = hex[c & 15];
        len = 6;
    }
    put(writer, escape, len);
}

static void put_string(troupe_json_writer *writer, troupe_view text)
{
    const char *p = text.ptr != NULL ? text.ptr : "";
    const char *end = p + text.len;
    const char *start = p; /* of what can be copied as it is */

    put(writer, "\"", 1);
    for (;;) {
        p = troupe__json_skip_plain(p, end);
        if (p < end && (unsigned char)*p >= 0x80) {
            size_t len = troupe__utf8_length(p, end);

            if (len == 0) {
                fail(writer, TROUPE_E_INVALID, "a string is not UTF-8");
                return;
            }
            p += len;
            continue;
        }
        put(writer, start, (size_t)(p - start));
        if (p == end) {
            break;
        }
        put_escape(writer, *p++);
        start = p;
    }
    put(writer, "\"", 1);
}

void troupe_json_write_key_view(troupe_json_writer *writer, troupe_view name)
{
    if (writer->error != 0) {
        return;
    }
    if (!in_object(writer) || writer->keyed) {
        fail(writer, TROUPE_E_STATE, "no key can stand here");
        return;
    }
    if (writer->comma) {
        put(writer, ",", 1);
    }
    put_string(writer, name);
    put(writer, ":", 1);
    writer->keyed = true;
}

void troupe_json_write_key(troupe_json_writer *writer, const char *name)
{
    troupe_json_write_key_view(writer, troupe_view_of(name));
}

void troupe_json_write_string(troupe_json_writer *writer, troupe_view text)
{
    if (begin_value(writer)) {
        put_string(writer, text);
    }
}

void troupe_json_write_text(troupe_json_writer *writer, const char *cstr)
{
    if (cstr == NULL) {
        troupe_json_write_null(writer);
    } else {
        troupe_json_write_string(writer, troupe_view_of(cstr));
    }
}

/* ---- numbers and words ---- */

void troupe_json_write_int(troupe_json_writer *writer, int64_t value)
{
    char text[TROUPE__NUMBER_TEXT_MAX] = {'-'};
    bool negative = value < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value : (uint64_t)value;

    put_value(writer, text, negative + troupe__number_write_uint64(magnitude, text + negative));
}

void troupe_json_write_uint(troupe_json_writer *writer, uint64_t value)
{
    char text[TROUPE__NUMBER_TEXT_MAX];

    put_value(writer, text, troupe__number_write_uint64(value, text));
}

void troupe_json_write_double(troupe_json_writer *writer, double value)
{
    char text[TROUPE__NUMBER_TEXT_MAX];

    if (value - value != 0) { /* infinite or not a number */
        fail(writer, TROUPE_E_INVALID, "JSON has no infinity and no NaN");
        return;
    }
    put_value(writer, text, troupe__number_write_double(value, text));
}

void troupe_json_write_bool(troupe_json_writer *writer, bool value)
{
    put_value(writer, value ? "true" : "false", value ? 4 : 5);
}

void troupe_json_write_null(troupe_json_writer *writer) { put_value(writer, "null", 4); }

/* ---- JSON as it is ---- */

void troupe_json_write_raw_trusted(troupe_json_writer *writer, troupe_view json)
{
    put_value(writer, json.ptr, json.len);
}

void troupe_json_write_raw(troupe_json_writer *writer, troupe_view json)
{
    const char *start = json.len > 0 ? json.ptr : "";
    const char *end = start + json.len;
    struct json_fault fault;
    const char *p;

    if (writer->error != 0) {
        return;
    }
    start = troupe__json_skip_blanks(start, end);
    p = troupe__json_scan_value(start, end, writer->depth, &fault);
    if (p == NULL) {
        fail(writer, fault.error, fault.reason);
    } else if (troupe__json_skip_blanks(p, end) != end) {
        fail(writer, TROUPE_E_MALFORMED, "nothing may follow the value");
    } else {
        put_value(writer, start, (size_t)(p - start));
    }
}

/* ---- the end ---- */

int troupe_json_write_end(troupe_json_writer *writer)
{
    if (writer->error == 0 && (writer->depth > 0 || !writer->comma)) {
        fail(writer, TROUPE_E_STATE, "the value is not whole");
    }
    if (writer->error == 0 && writer->len > writer->cap) {
        return TROUPE_E_TOO_LARGE;
    }
    return writer->error;
}
