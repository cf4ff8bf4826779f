/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON for behaviors: a strict (RFC 8259), bounded pull reader and a writer. Neither allocates, both work on memory of
 * the caller, and both keep the first error ("sticky"), so that a behavior checks once, at the end:
 *
 *     troupe_json_reader r;
 *     troupe_json_string key;
 *     int64_t by = 1;
 *
 *     troupe_json_read_init(&r, body, len);
 *     while (troupe_json_next_member(&r, &key)) {
 *         if (troupe_json_key_is(&key, "by")) {
 *             by = troupe_json_read_int(&r, -1000, 1000);
 *         } else {
 *             troupe_json_skip(&r);
 *         }
 *     }
 *     rc = troupe_json_read_end(&r);
 *
 * It is no document tree: values are read in the order in which they come.
 *
 * Strict means: UTF-8 without byte order mark, overlong forms or surrogates; no lone surrogate in \u escapes; no raw
 * control character or zero byte; no leading zero, plus sign, comment, trailing comma or trailing byte; no empty input.
 * Numbers may be of any length and size where they are skipped or taken raw; a typed read refuses what it cannot give
 * exactly (integers) or as a finite number rounded to nearest, ties to even (doubles).
 *
 * Duplicate keys are legal JSON and are not refused: detecting them needs memory or quadratic time. Everything here
 * lets the last one win, as the loop above does by itself, and as JavaScript does.
 *
 * Thread: any; an object belongs to one thread at a time. */
#ifndef TROUPE_JSON_H
#define TROUPE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

/* Containers inside each other, the outermost included; one bit each in a 64-bit word. */
#define TROUPE_JSON_DEPTH_MAX 64

enum troupe_json_type {
    TROUPE_JSON_NONE = 0, /* no value comes next, or the reader has an error */
    TROUPE_JSON_NULL,
    TROUPE_JSON_BOOL,
    TROUPE_JSON_NUMBER,
    TROUPE_JSON_STRING,
    TROUPE_JSON_ARRAY,
    TROUPE_JSON_OBJECT
};

/* A string or key inside the input, already checked. Lives: as long as the input. */
typedef struct troupe_json_string {
    troupe_view raw; /* the bytes between the quotes, as they came */
    bool escaped;    /* raw has escapes: only troupe_json_string_copy gives the text. Else raw is the text */
} troupe_json_string;

/* Reads one text. Lives on the caller's stack; needs no end call when it is dropped half-way. */
typedef struct troupe_json_reader {
    /* for the caller to look at, after an error */
    int error;              /* 0, or the first error: TROUPE_E_... */
    size_t error_offset;    /* bytes from the start of the input */
    const char *reason;     /* what is wrong, for people, a literal; NULL without an error */
    troupe_json_string key; /* the member whose value was being read; empty outside of members */
    /* the reader's own */
    const char *start;
    const char *at;
    const char *end;
    const char *value;  /* where the value read last begins */
    uint64_t objects;   /* one bit per open container, the innermost lowest: 1 is an object */
    unsigned depth;     /* open containers */
    bool value_pending; /* a value comes next and was not read yet */
} troupe_json_reader;

/* ---- reading ---- */

/* Begin to read len bytes.
 *
 * Lives: the input is borrowed for as long as the reader, and every string and view it gave, is used. */
void troupe_json_read_init(troupe_json_reader *reader, const void *ptr, size_t len);

/* Step to the next member of an object; its value must then be read or skipped.
 *
 * Where a value comes next, the call enters it, so that a loop over this function reads one object whole, at the top
 * as inside another value. False: the object has ended and is left, or there is an error.
 *
 * Fails:  TROUPE_E_INVALID    the value is not an object
 *         TROUPE_E_MALFORMED  the input is not JSON, or is nested deeper than TROUPE_JSON_DEPTH_MAX
 *         TROUPE_E_STATE      no object is open here (also: the value of the member before was not read) */
bool troupe_json_next_member(troupe_json_reader *reader, troupe_json_string *ret_key);

/* Step to the next item of an array; it must then be read or skipped. Otherwise as troupe_json_next_member. */
bool troupe_json_next_item(troupe_json_reader *reader);

/* Tell the type of the value that comes next, from its first byte. */
enum troupe_json_type troupe_json_peek(troupe_json_reader *reader);

/* Read the value that comes next. After an error they read nothing and return zero, false or empty.
 *
 * Fails:  TROUPE_E_INVALID    another type, or outside of the bounds; the offset is that of the value
 *         TROUPE_E_MALFORMED  the input is not JSON; the offset is that of the first bad byte
 *         TROUPE_E_STATE      no value comes next */
int64_t troupe_json_read_int(troupe_json_reader *reader, int64_t min, int64_t max); /* no fraction, no exponent */
uint64_t troupe_json_read_uint(troupe_json_reader *reader, uint64_t max);           /* the same, not negative */
double troupe_json_read_double(troupe_json_reader *reader); /* too small is 0, too large is TROUPE_E_INVALID */
bool troupe_json_read_bool(troupe_json_reader *reader);
void troupe_json_read_null(troupe_json_reader *reader);
troupe_json_string troupe_json_read_string(troupe_json_reader *reader);

/* Read a string into a buffer as a C string; returns its length without the terminating zero, which is always
 * written. A string of cap bytes or more, or with U+0000 in it, is TROUPE_E_INVALID. cap is 1 or more. */
size_t troupe_json_read_text(troupe_json_reader *reader, char *buf, size_t cap);

/* Read a value of any type as the bytes it is made of, checked, without the blanks around it. */
troupe_view troupe_json_read_raw(troupe_json_reader *reader);

/* Read over the value that comes next; it is checked as strictly as one that is read. */
void troupe_json_skip(troupe_json_reader *reader);

/* Read over the rest of the innermost open object or array and leave it: for a loop that ends early. */
void troupe_json_leave(troupe_json_reader *reader);

/* Set an error at the value read last, for rules that the caller has. The first error stays.
 *
 * Lives: reason is kept as a pointer: pass a literal. */
void troupe_json_fail(troupe_json_reader *reader, int error, const char *reason);

/* Check that the text was read whole and that nothing but blanks follows; returns 0 or the first error.
 *
 * Fails:  TROUPE_E_STATE  the caller did not read the value to its end; else the sticky error */
TROUPE_MUST_USE int troupe_json_read_end(troupe_json_reader *reader);

/* ---- strings that were read ---- */

/* Compare the text of a string, escapes decoded, with a view. */
bool troupe_json_string_equal(const troupe_json_string *string, troupe_view text);

/* Compare a key with a C string. */
static inline bool troupe_json_key_is(const troupe_json_string *key, const char *name)
{
    return troupe_json_string_equal(key, troupe_view_of(name));
}

/* Decode a string into buf, without a terminating zero; returns its length. raw.len bytes are always enough.
 *
 * Fails:  TROUPE_E_TOO_LARGE  it needs more than cap bytes; buf has then no defined content */
TROUPE_MUST_USE int troupe_json_string_copy(const troupe_json_string *string, char *buf, size_t cap, size_t *ret_len);

/* ---- a text as a whole ---- */

/* Check that the bytes are one JSON text.
 *
 * Fails:  TROUPE_E_MALFORMED; then, and only then, *ret_offset (may be NULL) is the offset of the first bad byte. For
 *         the reason: read_init, skip, read_end */
TROUPE_MUST_USE int troupe_json_validate(const void *ptr, size_t len, size_t *ret_offset);

/* Find the value of a member of the outermost object and give its bytes. The text is checked to its end.
 *
 * Lives:  *ret_slice is valid as long as the input
 * Fails:  TROUPE_E_NOT_FOUND  no such member
 *         TROUPE_E_INVALID    the text is not an object
 *         TROUPE_E_MALFORMED */
TROUPE_MUST_USE int troupe_json_find(const void *ptr, size_t len, const char *name, troupe_view *ret_slice);

/* ---- writing ---- */

/* Writes one text without blanks. Lives on the caller's stack; needs no end call when it is dropped half-way. */
typedef struct troupe_json_writer {
    int error;          /* 0, or the first error. That the buffer is too small is told by write_end only */
    const char *reason; /* what is wrong, a literal; NULL without an error */
    /* the writer's own */
    char *buf;
    size_t cap;
    size_t len;       /* bytes that the text needs so far; bytes past cap are counted, not written */
    uint64_t objects; /* as in the reader */
    unsigned depth;
    bool comma; /* a value stands before in this container, or at the top */
    bool keyed; /* a key was written, its value comes next */
} troupe_json_writer;

/* Begin to write into cap bytes. NULL with 0 measures.
 *
 * Lives: buf is borrowed for as long as the writer is used. */
void troupe_json_write_init(troupe_json_writer *writer, char *buf, size_t cap);

/* Write the next value, or the beginning or end of one; commas and colons are written as needed.
 *
 * Fails:  TROUPE_E_STATE    a value without key in an object, a key outside, an end that does not match, a second
 *                           value at the top
 *         TROUPE_E_LIMIT    more than TROUPE_JSON_DEPTH_MAX containers
 *         TROUPE_E_INVALID  a string is not UTF-8, a double is not finite */
void troupe_json_write_object_begin(troupe_json_writer *writer);
void troupe_json_write_object_end(troupe_json_writer *writer);
void troupe_json_write_array_begin(troupe_json_writer *writer);
void troupe_json_write_array_end(troupe_json_writer *writer);
void troupe_json_write_key(troupe_json_writer *writer, const char *name);
void troupe_json_write_key_view(troupe_json_writer *writer, troupe_view name);
void troupe_json_write_string(troupe_json_writer *writer, troupe_view text);
void troupe_json_write_text(troupe_json_writer *writer, const char *cstr); /* NULL is written as null */
void troupe_json_write_int(troupe_json_writer *writer, int64_t value);
void troupe_json_write_uint(troupe_json_writer *writer, uint64_t value);
void troupe_json_write_double(troupe_json_writer *writer, double value); /* the fewest digits that read back equal */
void troupe_json_write_bool(troupe_json_writer *writer, bool value);
void troupe_json_write_null(troupe_json_writer *writer);

/* Write a value that is JSON text already. It is checked first; a text that is not JSON sets that error. */
void troupe_json_write_raw(troupe_json_writer *writer, troupe_view json);

/* The same without the check: only for bytes that troupe_json_read_raw or a writer gave. */
void troupe_json_write_raw_trusted(troupe_json_writer *writer, troupe_view json);

/* Tell how many bytes the text needs so far; after write_end said TROUPE_E_TOO_LARGE, what the buffer must hold. */
static inline size_t troupe_json_write_length(const troupe_json_writer *writer) { return writer->len; }

/* Check that one whole value was written and that it fits; returns 0 or the first error. The text is the first
 * troupe_json_write_length bytes of the buffer; no terminating zero is written.
 *
 * Fails:  TROUPE_E_TOO_LARGE  nothing else is wrong, but the buffer is too small
 *         TROUPE_E_STATE      nothing was written, or a container is open */
TROUPE_MUST_USE int troupe_json_write_end(troupe_json_writer *writer);

#endif
