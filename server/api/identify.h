/* SPDX-License-Identifier: Apache-2.0
 *
 * Who asks? The token of a request, from where a client may put it:
 *
 *   Authorization: Bearer TOKEN                             everywhere
 *   Sec-WebSocket-Protocol: troupe.v1.json, troupe.token.TOKEN   where WebSocket begins; troupe.ticket.TICKET too
 *   ?ticket=TICKET                                          routes that have this parameter: event streams
 *
 * A connection remembers its last token and by which secret it came, so that the requests that follow cost one
 * comparison and no hash.
 *
 * Thread: the request's. */
#ifndef TROUPE_SERVER_IDENTIFY_H
#define TROUPE_SERVER_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include <troupe/view.h>

struct access_token;
struct api_request;

enum { IDENTIFY_SECRET_BYTES_MAX = 64 }; /* of one that is remembered; ours have 46 */

/* Of a connection; zeroed at first. */
struct identify_memory {
    struct access_token *token;  /* held */
    size_t len;
    char secret[IDENTIFY_SECRET_BYTES_MAX];
};
void identify_forget(struct identify_memory *memory);

/* Find the token of a request whose route is known and count the request. False: it was answered with 401 or 429. */
bool identify_request(struct api_request *req);

/* Does an entry of the list of subprotocols carry a secret? Then it is none to choose. */
bool identify_is_secret(troupe_view protocol);

/* The request is over: let its token go. */
void identify_end(struct api_request *req);

#endif
