/* SPDX-License-Identifier: Apache-2.0
 *
 * The one thing the client needs of the world: a way to exchange a request for an answer. libcurl natively
 * (native/transport_curl.c), a script in the unit tests.
 *
 * Thread: that of the client. */
#ifndef TROUPE_CLIENT_TRANSPORT_H
#define TROUPE_CLIENT_TRANSPORT_H

#include "src/request.h"

struct transport {
    /* Exchange one request for an answer of any status.
     * Owns:  *ret_reply is owned by the caller: body and content_type are from malloc and never NULL.
     * Fails: TROUPE_E_UNREACHABLE, TROUPE_E_TIMEOUT, TROUPE_E_TOO_LARGE, TROUPE_E_MALFORMED, TROUPE_E_NO_MEMORY */
    int (*exchange)(struct transport *transport, const struct http_request *request, troupe_client_reply *ret_reply,
                    troupe_client_problem *problem);

    /* Release the transport itself. */
    void (*free)(struct transport *transport);
};

/* Make a client on a transport; `base` is normalised. Owns: takes the transport, also on failure. */
TROUPE_MUST_USE int troupe__client_new_on(struct transport *transport, const char *base, troupe_client **ret_client,
                                          troupe_client_problem *problem);

#endif
