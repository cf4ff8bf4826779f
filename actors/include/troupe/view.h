/* SPDX-License-Identifier: Apache-2.0
 *
 * A view: bytes that somebody else owns, with their length; no terminating zero is implied. A view never owns, and
 * lives as long as the bytes do. An empty view may have a NULL pointer.
 *
 * The compiler's own forms of strlen and memcmp keep this header free of <string.h>, which wasm32 without a libc
 * does not have.
 *
 * Thread: any, for everything in this file. */
#ifndef TROUPE_VIEW_H
#define TROUPE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

typedef struct troupe_view {
    const char *ptr;
    size_t len; /* bytes */
} troupe_view;

/* View a C string without its terminating zero; NULL gives the empty view. */
static inline troupe_view troupe_view_of(const char *cstr)
{
    troupe_view view = {cstr, cstr != NULL ? __builtin_strlen(cstr) : 0};

    return view;
}

/* Compare by bytes. */
static inline bool troupe_view_equal(troupe_view a, troupe_view b)
{
    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
