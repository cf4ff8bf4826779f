/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/names: who has which name. */
#include "api/actor_doc.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/resolve.h"

/* The core walks names by the bucket, and calls for all names of one. So that a page keeps its limit, the walk here
 * goes bucket by bucket, and a cursor is the core's with, in its top bits, how many names of the bucket were given. */
enum { SKIP_SHIFT = 48 };

struct list {
    json_t *items;
    uint32_t limit;
    uint32_t skip;               /* names of the bucket at hand that an earlier page gave */
    uint32_t seen;               /* names of the bucket at hand that are given or skipped */
    bool is_full, failed;
};

static bool add_name(void *user, troupe_view name, troupe_ref ref)
{
    struct list *list = user;
    if (list->is_full || list->failed)
        return false;
    if (list->seen < list->skip) {
        list->seen++;
        return true;
    }
    if (json_array_size(list->items) == list->limit) {
        list->is_full = true;
        return false;
    }
    json_t *item = json_pack("{s:s%, s:o}", "name", name.ptr, name.len, "ref", actor_doc_ref(ref));
    list->failed = item == NULL || json_array_append_new(list->items, item) != 0;
    list->seen++;
    return !list->failed;
}

/* Fill a page from *cursor on. Returns true when there is more, from the new *cursor on. */
static bool fill(const struct api_request *req, struct list *list, uint64_t *cursor)
{
    list->skip = (uint32_t)(*cursor >> SKIP_SHIFT);
    *cursor &= (1ull << SKIP_SHIFT) - 1;
    for (uint32_t budget = API_SCAN_SLOTS_MAX; budget > 0 && !list->failed; budget--) {
        uint64_t bucket = *cursor;
        list->seen = 0;
        bool more = troupe_system_scan_names(req->env->system, cursor, 1, add_name, list);
        if (list->is_full) {
            *cursor = bucket | (uint64_t)list->seen << SKIP_SHIFT;
            return true;
        }
        if (!more)
            return false;
        list->skip = 0;
    }
    return true;
}

void names_list(struct api_request *req)
{
    struct list list = {0};
    uint64_t cursor;
    if (!api_query_page(req, 'n', &list.limit, &cursor))
        return;
    list.items = json_array();
    bool more = list.items != NULL && fill(req, &list, &cursor);
    char next[API_CURSOR_BYTES];
    char link[256];
    struct api_header headers[1] = {{"Link", link}};
    api_cursor_format('n', cursor, next);
    bool has_link = more && api_link_next(req, "/v1/names", next, link, sizeof link);
    if (list.failed) {
        json_decref(list.items);
        list.items = NULL;
    }
    api_reply_json(req, 200, list.items == NULL ? NULL : json_pack("{s:o, s:s?}", "items", list.items,
                                                                   "next", more ? next : NULL),
                   headers, has_link ? 1 : 0);
}

void names_get(struct api_request *req)
{
    troupe_ref ref;
    troupe_view name = req->params[0];
    if (name.len > TROUPE_NAME_BYTES_MAX || troupe_system_whereis(req->env->system, name, &ref) != 0) {
        api_refuse(req, TROUPE_E_NOT_FOUND, "name", "no actor has the name %.*s",
                   (int)(name.len < 255 ? name.len : 255), name.ptr);
        return;
    }
    api_reply_json(req, 200, json_pack("{s:s%, s:o}", "name", name.ptr, name.len, "ref", actor_doc_ref(ref)), NULL, 0);
}
