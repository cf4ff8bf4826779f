/* SPDX-License-Identifier: Apache-2.0 */
#include "api/resolve.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/reply.h"
#include "api/router.h"
#include "base/units.h"

bool api_media_is(const char *content_type, const char *media)
{
    size_t len = strlen(media);
    return strncasecmp(content_type, media, len) == 0 && strchr("; \t", content_type[len]) != NULL;
}

static bool resolve_name(struct api_request *req, troupe_view name, troupe_ref *ret_ref)
{
    if (name.len == 0 || name.len > TROUPE_NAME_BYTES_MAX) {
        api_refuse(req, TROUPE_E_BAD_REFERENCE, "ref", "a name has 1 to %d bytes", TROUPE_NAME_BYTES_MAX);
        return false;
    }
    if (troupe_system_whereis(req->env->system, name, ret_ref) != 0) {
        api_refuse_name(req, "ref", name);
        return false;
    }
    return true;
}

bool api_resolve(struct api_request *req, troupe_view ref, troupe_ref *ret_ref)
{
    if (ref.len > 0 && ref.ptr[0] == '@')
        return resolve_name(req, (troupe_view){ref.ptr + 1, ref.len - 1}, ret_ref);
    if (troupe_ref_parse(ref.ptr, ref.len, ret_ref) != 0) {
        api_refuse(req, TROUPE_E_BAD_REFERENCE, "ref",
                   "a reference is an actor's id, such as n.4tq8v1m02x7kc.3f.1, or @ and its name");
        return false;
    }
    return true;
}

bool api_query_duration(struct api_request *req, const char *name, uint32_t min_ms, uint32_t max_ms,
                        uint32_t *value_ms)
{
    uint64_t value;
    const troupe_view *text = api_query(req, name);
    if (text == NULL)
        return true;
    if (units_parse_duration(*text, max_ms, &value) != 0 || value < min_ms) {
        api_refuse(req, TROUPE_E_INVALID, name, "%s must be a duration from %ums to %ums, such as 500ms, 5s or 2m",
                   name, (unsigned)min_ms, (unsigned)max_ms);
        return false;
    }
    *value_ms = (uint32_t)value;
    return true;
}

void api_cursor_format(char kind, uint64_t cursor, char text[static API_CURSOR_BYTES])
{
    snprintf(text, API_CURSOR_BYTES, "%c.%llx", kind, (unsigned long long)cursor);
}

/* Exactly what api_cursor_format writes. */
static bool parse_cursor(char kind, troupe_view text, uint64_t *ret_cursor)
{
    uint64_t cursor = 0;
    char again[API_CURSOR_BYTES];
    if (text.len < 3 || text.len > 18 || text.ptr[0] != kind || text.ptr[1] != '.')
        return false;
    for (size_t i = 2; i < text.len; i++) {
        const char *digit = memchr("0123456789abcdef", text.ptr[i], 16);
        if (digit == NULL)
            return false;
        unsigned value = (unsigned)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
        cursor = cursor << 4 | value;
    }
    api_cursor_format(kind, cursor, again);
    if (!troupe_view_equal(text, troupe_view_of(again)))
        return false;
    *ret_cursor = cursor;
    return true;
}

bool api_query_page(struct api_request *req, char kind, uint32_t *ret_limit, uint64_t *ret_cursor)
{
    uint64_t limit = API_LIST_DEFAULT;
    const troupe_view *text = api_query(req, "limit");
    if (text != NULL && (units_parse_u64(*text, API_LIST_MAX, &limit) != 0 || limit == 0)) {
        api_refuse(req, TROUPE_E_INVALID, "limit", "limit must be a number from 1 to %d", API_LIST_MAX);
        return false;
    }
    *ret_limit = (uint32_t)limit;
    *ret_cursor = 0;
    text = api_query(req, "cursor");
    if (text != NULL && !parse_cursor(kind, *text, ret_cursor)) {
        api_refuse(req, TROUPE_E_INVALID, "cursor", "cursor must be the member next of an earlier page of this list");
        return false;
    }
    return true;
}

bool api_link_next(const struct api_request *req, const char *path, const char *cursor, char *link, size_t cap)
{
    struct text text;
    text_init_fixed(&text, link, cap);
    text_printf(&text, "<%s?", path);
    for (unsigned i = 0; i < req->query_count; i++) {
        if (troupe_view_equal(req->query[i].name, troupe_view_of("cursor")))
            continue;
        text_add_escaped(&text, req->query[i].name);
        text_add_str(&text, "=");
        text_add_escaped(&text, req->query[i].value);
        text_add_str(&text, "&");
    }
    text_printf(&text, "cursor=%s>; rel=\"next\"", cursor);
    return !text.failed;
}
