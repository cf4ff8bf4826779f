/* SPDX-License-Identifier: Apache-2.0
 *
 * The pages that the node serves, compiled into it by web_ui/embed.sh. The table is constant. */
#ifndef TROUPE_SERVER_ASSETS_H
#define TROUPE_SERVER_ASSETS_H

#include <stddef.h>

#include <troupe/view.h>

struct asset {
    const char *path;            /* "/index.html" */
    const char *content_type;
    const char *etag;            /* with its quotes */
    const unsigned char *gz;
    size_t gz_len;
    const unsigned char *raw;
    size_t raw_len;
};

extern const struct asset assets[];
extern const unsigned assets_count;

struct api_request;
struct api_route;

/* The route of a path that is an asset's, NULL when there is none. */
const struct api_route *assets_route(troupe_view path);

/* Serve the asset that the path of the request names; "/" is "/index.html". */
void assets_serve(struct api_request *req);

#endif
