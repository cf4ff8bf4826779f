/* SPDX-License-Identifier: Apache-2.0
 *
 * The OpenAPI 3.1 document, made from the route table. */
#ifndef TROUPE_SERVER_OPENAPI_H
#define TROUPE_SERVER_OPENAPI_H

#include "api/api.h"

/* Make the document as text. The caller frees it. Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INTERNAL (a row's schema is not
 * JSON). Thread: any. */
TROUPE_MUST_USE int openapi_write(const char *version, const char *url, char **ret_text, size_t *ret_len);

/* The components of the document, as JSON text: one object of schemas. */
extern const char openapi_schemas[];

#endif
