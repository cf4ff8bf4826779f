/* SPDX-License-Identifier: Apache-2.0
 *
 * Content types. Thread: any. */
#ifndef TROUPE_SERVER_MEDIA_H
#define TROUPE_SERVER_MEDIA_H

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Is a content type this media type, perhaps with parameters? */
static inline bool media_is(const char *content_type, const char *media)
{
    size_t len = strlen(media);
    return strncasecmp(content_type, media, len) == 0 && strchr("; \t", content_type[len]) != NULL;
}

#endif
