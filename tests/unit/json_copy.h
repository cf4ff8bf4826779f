/* SPDX-License-Identifier: Apache-2.0
 *
 * Read a whole JSON text through the pull reader and write it again: what the unit tests and the fuzz target compare
 * with the validation. Uses every typed read. */
#ifndef TROUPE_TEST_JSON_COPY_H
#define TROUPE_TEST_JSON_COPY_H

#include <stdlib.h>
#include <string.h>

#include <troupe/json.h>

/* End the program when a slice does not lie inside the input. */
static inline void check_inside(const troupe_json_reader *reader, troupe_view slice)
{
    if (slice.len > 0 && (slice.ptr < reader->start || slice.ptr + slice.len > reader->end)) {
        abort();
    }
}

/* Decode a string; the caller frees the result's ptr. */
static inline troupe_view decode_string(const troupe_json_string *string)
{
    char *buf = malloc(string->raw.len + 1);
    troupe_view text = {buf, 0};

    if (buf == NULL || troupe_json_string_copy(string, buf, string->raw.len, &text.len) != 0 ||
        !troupe_json_string_equal(string, text)) {
        abort();
    }
    return text;
}

/* Write a number as an integer where it is one, else as a double, else (too large) as it is. */
static inline void copy_number(troupe_json_reader *reader, troupe_json_writer *writer)
{
    troupe_view raw = troupe_json_read_raw(reader);
    troupe_json_reader number;
    int64_t integer;
    double real;

    check_inside(reader, raw);
    troupe_json_read_init(&number, raw.ptr, raw.len);
    integer = troupe_json_read_int(&number, INT64_MIN, INT64_MAX);
    if (troupe_json_read_end(&number) == 0 && (integer != 0 || raw.len == 1)) { /* -0 is no integer */
        troupe_json_write_int(writer, integer);
        return;
    }
    troupe_json_read_init(&number, raw.ptr, raw.len);
    real = troupe_json_read_double(&number);
    if (troupe_json_read_end(&number) == 0) {
        troupe_json_write_double(writer, real);
    } else {
        troupe_json_write_raw(writer, raw);
    }
}

static inline void copy_value(troupe_json_reader *reader, troupe_json_writer *writer)
{
    troupe_json_string string;
    troupe_view text;

    switch (troupe_json_peek(reader)) {
    case TROUPE_JSON_OBJECT:
        troupe_json_write_object_begin(writer);
        while (troupe_json_next_member(reader, &string)) {
            check_inside(reader, string.raw);
            text = decode_string(&string);
            troupe_json_write_key_view(writer, text);
            free((void *)(uintptr_t)text.ptr);
            copy_value(reader, writer);
        }
        troupe_json_write_object_end(writer);
        break;
    case TROUPE_JSON_ARRAY:
        troupe_json_write_array_begin(writer);
        while (troupe_json_next_item(reader)) {
            copy_value(reader, writer);
        }
        troupe_json_write_array_end(writer);
        break;
    case TROUPE_JSON_STRING:
        string = troupe_json_read_string(reader);
        check_inside(reader, string.raw);
        text = decode_string(&string);
        troupe_json_write_string(writer, text);
        free((void *)(uintptr_t)text.ptr);
        break;
    case TROUPE_JSON_NUMBER:
        copy_number(reader, writer);
        break;
    case TROUPE_JSON_BOOL:
        troupe_json_write_bool(writer, troupe_json_read_bool(reader));
        break;
    case TROUPE_JSON_NULL:
        troupe_json_read_null(reader);
        troupe_json_write_null(writer);
        break;
    case TROUPE_JSON_NONE:
        troupe_json_skip(reader); /* sets the error */
        break;
    }
}

/* Copy a text. Returns the reader's error with its offset; on 0 the copy is *ret_copy, which the caller frees. */
static inline int copy_text(const char *text, size_t len, troupe_view *ret_copy, size_t *ret_offset)
{
    troupe_json_reader reader;
    troupe_json_writer writer;
    char *buf;
    size_t needed;
    int rc;

    troupe_json_read_init(&reader, text, len);
    troupe_json_write_init(&writer, NULL, 0);
    copy_value(&reader, &writer);
    rc = troupe_json_read_end(&reader);
    if (rc != 0) {
        *ret_offset = reader.error_offset;
        return rc;
    }
    if (troupe_json_write_end(&writer) != TROUPE_E_TOO_LARGE) {
        abort(); /* every text has at least one byte, and there was no room for it */
    }
    needed = troupe_json_write_length(&writer);

    buf = malloc(needed);
    if (buf == NULL) {
        abort();
    }
    troupe_json_read_init(&reader, text, len);
    troupe_json_write_init(&writer, buf, needed);
    copy_value(&reader, &writer);
    if (troupe_json_read_end(&reader) != 0 || troupe_json_write_end(&writer) != 0 ||
        troupe_json_write_length(&writer) != needed) {
        abort();
    }
    ret_copy->ptr = buf;
    ret_copy->len = needed;
    return 0;
}

#endif
