/* SPDX-License-Identifier: Apache-2.0
 *
 * The AsyncAPI 3.0 document of the WebSocket sessions, made from the tables that their frames are read by. */
#ifndef TROUPE_SERVER_ASYNCAPI_H
#define TROUPE_SERVER_ASYNCAPI_H

#include "api/api.h"

/* Make the document as text. The caller frees it. Fails: TROUPE_E_NO_MEMORY. Thread: any. */
TROUPE_MUST_USE int asyncapi_write(const char *version, const char *url, char **ret_text, size_t *ret_len);

#endif
