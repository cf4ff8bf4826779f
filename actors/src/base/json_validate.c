/* SPDX-License-Identifier: Apache-2.0
 *
 * The two functions over a whole text, written with the pull reader.
 *
 * Thread: any; there is no state. */
#include <troupe/json.h>

int troupe_json_validate(const void *ptr, size_t len, size_t *ret_offset)
{
    troupe_json_reader reader;
    int rc;

    troupe_json_read_init(&reader, ptr, len);
    troupe_json_skip(&reader);
    rc = troupe_json_read_end(&reader);
    if (rc != 0 && ret_offset != NULL) {
        *ret_offset = reader.error_offset;
    }
    return rc;
}

int troupe_json_find(const void *ptr, size_t len, const char *name, troupe_view *ret_slice)
{
    troupe_json_reader reader;
    troupe_json_string key;
    troupe_view slice = {NULL, 0};
    int rc;

    troupe_json_read_init(&reader, ptr, len);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, name)) {
            slice = troupe_json_read_raw(&reader);
        } else {
            troupe_json_skip(&reader);
        }
    }
    rc = troupe_json_read_end(&reader);
    if (rc == 0 && slice.ptr == NULL) {
        rc = TROUPE_E_NOT_FOUND;
    }
    if (rc == 0) {
        *ret_slice = slice;
    }
    return rc;
}
