/* SPDX-License-Identifier: Apache-2.0
 *
 * The lists of header fields: entries between commas, perhaps with blanks around them (RFC 9110, part 5.6.1).
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_COMMA_LIST_H
#define TROUPE_SERVER_COMMA_LIST_H

#include <stdbool.h>
#include <string.h>

#include <troupe/view.h>

/* Take the next entry off the list, without the blanks; it may be empty. False: there is none. */
static inline bool comma_list_next(troupe_view *list, troupe_view *ret_entry)
{
    if (list->len == 0)
        return false;
    const char *comma = memchr(list->ptr, ',', list->len);
    troupe_view entry = {list->ptr, comma != NULL ? (size_t)(comma - list->ptr) : list->len};
    size_t used = entry.len + (comma != NULL ? 1 : 0);
    *list = (troupe_view){list->ptr + used, list->len - used};
    for (; entry.len > 0 && (entry.ptr[0] == ' ' || entry.ptr[0] == '\t'); entry.ptr++)
        entry.len--;
    while (entry.len > 0 && (entry.ptr[entry.len - 1] == ' ' || entry.ptr[entry.len - 1] == '\t'))
        entry.len--;
    *ret_entry = entry;
    return true;
}

#endif
