/* SPDX-License-Identifier: Apache-2.0 */
#include "api/page.h"

#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "api/router.h"
#include "base/units.h"

enum { CURSOR_BYTES = 24, LINK_BYTES = 2048 };

/* ---- the parameters ---- */

static void format_cursor(char kind, uint64_t cursor, char text[static CURSOR_BYTES])
{
    snprintf(text, CURSOR_BYTES, "%c.%llx", kind, (unsigned long long)cursor);
}

/* Exactly what format_cursor writes. */
static bool parse_cursor(char kind, troupe_view text, uint64_t *ret_cursor)
{
    uint64_t cursor = 0;
    char again[CURSOR_BYTES];
    if (text.len < 3 || text.len > 18 || text.ptr[0] != kind || text.ptr[1] != '.')
        return false;
    for (size_t i = 2; i < text.len; i++) {
        const char *digit = memchr("0123456789abcdef", text.ptr[i], 16);
        if (digit == NULL)
            return false;
        unsigned value = (unsigned)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
        cursor = cursor << 4 | value;
    }
    format_cursor(kind, cursor, again);
    if (!troupe_view_equal(text, troupe_view_of(again)))
        return false;
    *ret_cursor = cursor;
    return true;
}

bool page_begin(struct page *page, struct api_request *req, char kind)
{
    uint64_t limit = PAGE_ITEMS_DEFAULT, cursor = 0;
    const troupe_view *text = api_query(req, "limit");
    if (text != NULL && (units_parse_u64(*text, PAGE_ITEMS_MAX, &limit) != 0 || limit == 0)) {
        api_refuse(req, TROUPE_E_INVALID, "limit", "limit must be a number from 1 to %d", PAGE_ITEMS_MAX);
        return false;
    }
    text = api_query(req, "cursor");
    if (text != NULL && !parse_cursor(kind, *text, &cursor)) {
        api_refuse(req, TROUPE_E_INVALID, "cursor", "cursor must be the member next of an earlier page of this list");
        return false;
    }
    *page = (struct page){.req = req, .cursor = cursor, .limit = (uint32_t)limit, .kind = kind};
    text_add_str(&page->text, "{\"items\":[");
    return true;
}

/* ---- the document ---- */

struct text *page_add(struct page *page)
{
    if (page->count++ > 0)
        text_add_str(&page->text, ",");
    return &page->text;
}

bool page_is_open(const struct page *page)
{
    return page->count < page->limit && !page->text.failed;
}

/* The value of a Link header: the same list with the next cursor. False when it does not fit. */
static bool write_link(const struct api_request *req, const char *path, const char *cursor, char *link, size_t cap)
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

void page_reply(struct page *page, const char *path, bool more)
{
    char next[CURSOR_BYTES], link[LINK_BYTES];
    const struct api_header headers[] = {{"Link", link}};
    format_cursor(page->kind, page->cursor, next);
    bool has_link = more && write_link(page->req, path, next, link, sizeof link);
    text_add_str(&page->text, "],\"next\":");
    if (more)
        text_add_json(&page->text, troupe_view_of(next));
    else
        text_add_str(&page->text, "null");
    text_add_str(&page->text, "}");
    api_reply_text(page->req, 200, &page->text, headers, has_link ? 1 : 0);
}
