/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking, as the functions of troupe/client.h do it: a request in, an answer checked. Each consumes the request.
 *
 * Thread: that of the client. */
#ifndef TROUPE_CLIENT_ASK_H
#define TROUPE_CLIENT_ASK_H

#include "src/request.h"

/* Exchange a request for an answer of 2xx; any other becomes a problem. Owns: *ret_reply is owned. */
TROUPE_MUST_USE int troupe__client_ask(troupe_client *client, struct http_request *request,
                                       troupe_client_reply *ret_reply, troupe_client_problem *problem);

/* Ask for a JSON object; `member` (may be NULL) is one it must have. ret_status may be NULL.
 * Owns: *ret_document is owned. */
TROUPE_MUST_USE int troupe__client_ask_document(troupe_client *client, struct http_request *request, const char *member,
                                                int *ret_status, struct json_t **ret_document,
                                                troupe_client_problem *problem);

/* Ask for a page of a list. Owns: *ret_page is owned. */
TROUPE_MUST_USE int troupe__client_ask_page(troupe_client *client, struct http_request *request,
                                            struct json_t **ret_page, troupe_client_problem *problem);

#endif
