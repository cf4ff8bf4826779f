/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/names: who has which name. */
#include "api/actor_doc.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/resolve.h"

struct list {
    json_t *items;
    uint32_t limit;
    bool failed;
};

static bool add_name(void *user, troupe_view name, troupe_ref ref)
{
    struct list *list = user;
    json_t *item = json_pack("{s:s%, s:o}", "name", name.ptr, name.len, "ref", actor_doc_ref(ref));
    list->failed = item == NULL || json_array_append_new(list->items, item) != 0;
    return !list->failed && json_array_size(list->items) < list->limit;
}

void names_list(struct api_request *req)
{
    struct list list = {0};
    uint64_t cursor;
    if (!api_query_page(req, 'n', &list.limit, &cursor))
        return;
    list.items = json_array();
    bool more = list.items != NULL &&
                troupe_system_scan_names(req->env->system, &cursor, API_SCAN_SLOTS_MAX, add_name, &list);
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
        api_refuse_name(req, "name", name);
        return;
    }
    api_reply_json(req, 200, json_pack("{s:s%, s:o}", "name", name.ptr, name.len, "ref", actor_doc_ref(ref)), NULL, 0);
}
