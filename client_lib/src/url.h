/* SPDX-License-Identifier: Apache-2.0
 *
 * Base URLs: what a person types, checked and put into one form: scheme://host[:port][/path], no slash at the end.
 *
 * Thread: any. */
#ifndef TROUPE_CLIENT_URL_H
#define TROUPE_CLIENT_URL_H

#include <troupe/client.h>

/* Normalise `url` into base. "host:port" gets http://. A user, a query or a fragment is refused: secrets do not belong
 * into addresses, and the rest would be lost silently.
 * Fails: TROUPE_E_INVALID */
TROUPE_MUST_USE int troupe__url_normalise(const char *url, char base[static TROUPE_CLIENT_URL_BYTES_MAX + 1],
                                          troupe_client_problem *problem);

/* Does a normalised URL name this machine by its loopback address or as localhost? */
bool troupe__url_is_loopback(const char *base);

#endif
