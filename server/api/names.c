/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/names: who has which name. */
#include "api/actor_doc.h"
#include "api/authorize.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/resolve.h"

static void write_name(struct text *text, troupe_view name, troupe_ref ref)
{
    text_add_str(text, "{\"name\":");
    text_add_json(text, name);
    text_add_str(text, ",\"ref\":");
    actor_doc_ref(text, ref);
    text_add_str(text, "}");
}

static bool add_name(void *user, troupe_view name, troupe_ref ref)
{
    struct page *page = user;
    const struct api_request *req = page->req;
    if (!authorize_actor(req->env->system, req->token, ACCESS_READ, ref, name, (troupe_view){"", 0}))
        return true;
    write_name(page_add(page), name, ref);
    return page_is_open(page);
}

void names_list(struct api_request *req)
{
    struct page page;
    if (!page_begin(&page, req, 'n'))
        return;
    bool more = troupe_system_scan_names(req->env->system, &page.cursor, PAGE_SLOTS_MAX, add_name, &page);
    page_reply(&page, "/v1/names", more);
}

void names_get(struct api_request *req)
{
    troupe_ref ref = {0};
    troupe_view name = req->params[0];
    int error = name.len <= TROUPE_NAME_BYTES_MAX ? api_find(req, name, &ref) : TROUPE_E_NOT_FOUND;
    if (error == API_LATER)
        return;
    if (error != 0)
        ref = (troupe_ref){0};
    if (!authorize_request(req, ref, name))
        return;
    if (error == TROUPE_E_NOT_FOUND) {
        api_refuse_name(req, "name", name);
        return;
    }
    if (error != 0) {
        api_reply_answer(req, &(troupe_answer){.error = error}, ref);
        return;
    }
    struct text document = {0};
    write_name(&document, name, ref);
    api_reply_text(req, 200, &document, NULL, 0);
}
