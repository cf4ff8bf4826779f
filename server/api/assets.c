/* SPDX-License-Identifier: Apache-2.0 */
#include "api/assets.h"

#include <string.h>

#include "api/reply.h"
#include "api/router.h"

static const char policy[] = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/* Not a row of the table: the pages are no API. */
static const struct api_route page_route = {
    .method = API_GET, .path = "/", .operation = "getPage", .handle = assets_serve, .body = API_BODY_NONE,
};

static const struct asset *find(troupe_view path)
{
    if (path.len == 1)
        path = troupe_view_of("/index.html");
    for (unsigned i = 0; i < assets_count; i++) {
        if (troupe_view_equal(path, troupe_view_of(assets[i].path)))
            return &assets[i];
    }
    return NULL;
}

const struct api_route *assets_route(troupe_view path)
{
    return find(path) != NULL ? &page_route : NULL;
}

/* If-None-Match: a list of tags, weak ones too, or "*". */
static bool has_tag(troupe_view list, const char *etag)
{
    size_t len = strlen(etag);
    if (list.len == 1 && list.ptr[0] == '*')
        return true;
    for (size_t at = 0; at + len <= list.len; at++) {
        if (memcmp(list.ptr + at, etag, len) == 0)
            return true;
    }
    return false;
}

void assets_serve(struct api_request *req)
{
    const char *query = memchr(req->target, '?', req->target_len);
    size_t path_len = query != NULL ? (size_t)(query - req->target) : req->target_len;
    const struct asset *asset = find((troupe_view){req->target, path_len});
    if (asset == NULL) {
        api_refuse(req, TROUPE_E_NO_ROUTE, NULL, "this node was built without pages; the API is at /v1/node");
        return;
    }
    struct api_header headers[API_HEADERS_MAX] = {
        {"ETag", asset->etag}, {"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"},
        {"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
    };
    unsigned count = 6;
    if (has_tag(req->if_none_match, asset->etag)) {
        api_reply_empty(req, 304, headers, count);
        return;
    }
    bool packed = req->accepts_gzip && asset->gz_len < asset->raw_len;
    if (packed)
        headers[count++] = (struct api_header){"Content-Encoding", "gzip"};
    api_reply(req, 200, asset->content_type, packed ? asset->gz : asset->raw, packed ? asset->gz_len : asset->raw_len,
              API_STATIC, headers, count);
}
