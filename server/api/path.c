/* SPDX-License-Identifier: Apache-2.0 */
#include "api/path.h"

#include <string.h>

#include "base/utf8_text.h"

unsigned path_split(const char *path, size_t len, troupe_view ret_segments[static PATH_SEGMENTS_MAX])
{
    unsigned count = 0;
    for (size_t from = 1; from <= len;) {
        const char *slash = memchr(path + from, '/', len - from);
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        if (count == PATH_SEGMENTS_MAX)
            return PATH_SEGMENTS_MAX + 1;
        ret_segments[count++] = (troupe_view){path + from, end - from};
        from = end + 1;
    }
    return count;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode in place; plus says whether '+' is a space. Returns the new length, or -1. */
static long decode(char *ptr, size_t len, bool plus)
{
    size_t to = 0;
    for (size_t from = 0; from < len; from++) {
        char c = ptr[from];
        if (c == '%') {
            int high = len - from > 2 ? hex_digit(ptr[from + 1]) : -1;
            int low = len - from > 2 ? hex_digit(ptr[from + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            from += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        ptr[to++] = c;
    }
    return utf8_is_clean(ptr, to) ? (long)to : -1;
}

int path_decode(troupe_view *segment)
{
    /* The segment lies in the request's own copy of the target. */
    long len = decode((char *)segment->ptr, segment->len, false);
    if (len < 0)
        return TROUPE_E_INVALID;
    segment->len = (size_t)len;
    return 0;
}

int path_query(char *query, size_t len, struct api_query_item *items, unsigned *ret_count)
{
    unsigned count = 0;
    char *end = query + len;
    for (char *at = query; at < end;) {
        char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (stop > at) {
            if (count == API_QUERY_MAX)
                return TROUPE_E_LIMIT;
            char *equals = memchr(at, '=', (size_t)(stop - at));
            char *name_end = equals != NULL ? equals : stop;
            char *value = equals != NULL ? equals + 1 : stop;
            long name_len = decode(at, (size_t)(name_end - at), true);
            long value_len = decode(value, (size_t)(stop - value), true);
            if (name_len < 0 || value_len < 0)
                return TROUPE_E_INVALID;
            items[count].name = (troupe_view){at, (size_t)name_len};
            items[count++].value = (troupe_view){value, (size_t)value_len};
        }
        at = stop + 1;
    }
    *ret_count = count;
    return 0;
}
