/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of troupe/json.h. For any bytes:
 *
 *   - the validation and a read of everything through the pull reader agree, to the byte of the error;
 *   - all strings and slices lie inside the input (checked in json_copy.h);
 *   - what was read can be written; that is JSON, and read and written again it stays as it is;
 *   - a member that is found is a value by itself;
 *   - the bytes as the text of a string come back as they were, or are refused as no UTF-8. */
#include <string.h>

#include <troupe/json.h>

#include "../unit/json_copy.h"
#include "fuzz.h"

#define SIZE_MAX_BYTES 65536

static void release(troupe_view owned) { free((void *)(uintptr_t)owned.ptr); }

static void check_text(const char *text, size_t len)
{
    size_t offset = SIZE_MAX, read_offset = SIZE_MAX;
    troupe_view once = {NULL, 0}, twice = {NULL, 0}, member = {NULL, 0};
    int rc = troupe_json_validate(text, len, &offset);

    check(rc == 0 || (rc == TROUPE_E_MALFORMED && offset <= len));
    if (copy_text(text, len, &once, &read_offset) != rc) {
        abort();
    }
    check(read_offset == offset);
    if (rc != 0) {
        check(troupe_json_find(text, len, "a", &member) != 0);
        return;
    }
    check(troupe_json_validate(once.ptr, once.len, NULL) == 0);
    check(copy_text(once.ptr, once.len, &twice, &offset) == 0);
    check(once.len == twice.len && memcmp(once.ptr, twice.ptr, once.len) == 0);
    release(once);
    release(twice);

    if (troupe_json_find(text, len, "a", &member) == 0) {
        check(member.ptr >= text && member.ptr + member.len <= text + len);
        check(troupe_json_validate(member.ptr, member.len, NULL) == 0);
    }
}

static void check_string(troupe_view text)
{
    size_t cap = 6 * text.len + 2; /* \u00xx for each byte */
    char *json = malloc(cap);
    troupe_json_writer writer;
    troupe_json_reader reader;
    int rc;

    check(json != NULL);
    troupe_json_write_init(&writer, json, cap);
    troupe_json_write_string(&writer, text);
    rc = troupe_json_write_end(&writer);
    if (rc == 0) {
        troupe_json_string string;
        troupe_view back;

        troupe_json_read_init(&reader, json, troupe_json_write_length(&writer));
        string = troupe_json_read_string(&reader);
        check(troupe_json_read_end(&reader) == 0);
        back = decode_string(&string);
        check(troupe_view_equal(back, text));
        release(back);
    } else {
        check(rc == TROUPE_E_INVALID);
    }
    free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    troupe_view text = {(const char *)data, size};

    if (size <= SIZE_MAX_BYTES) {
        check_text(text.ptr, text.len);
        check_string(text);
    }
    return 0;
}
