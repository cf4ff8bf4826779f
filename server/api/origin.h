/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of Host and Origin: what keeps web pages that this node did not serve from reaching it through a person's
 * browser (DNS rebinding, cross-site requests). Compared by equality, never by prefix.
 *
 *   Host    an IP literal, localhost, the advertised name, or one of --allow-host; any port
 *   Origin  absent, http://Host or https://Host itself, one of --allow-origin, or the API of a node of the same cluster
 *           (its pages use all nodes); "null" is refused
 *
 * Thread: any; the rules are set before threads are made. */
#ifndef TROUPE_SERVER_ORIGIN_H
#define TROUPE_SERVER_ORIGIN_H

#include <stdbool.h>

#include <troupe/view.h>

/* Lists end with NULL. Lives: as long as the rules are used. */
struct origin_rules {
    const char *const *hosts;    /* --allow-host, without port */
    const char *const *origins;  /* --allow-origin: scheme://host[:port] */
    const char *advertised;      /* a name without port, or NULL */
    /* Is it the API's origin of a member of the cluster? NULL: there are no others. Thread: any. */
    bool (*is_member)(void *user, troupe_view origin);
    void *user;
};

/* Split "host[:port]" or "[v6][:port]"; false when it is neither. */
bool origin_split(troupe_view host_port, troupe_view *ret_host, troupe_view *ret_port);

/* Is the text an IPv4 address or a [bracketed] IPv6 address? */
bool origin_is_ip(troupe_view host);

bool origin_host_is_allowed(const struct origin_rules *rules, troupe_view host_port);

/* May a page of this origin use the node? host_port is the request's Host. */
bool origin_is_allowed(const struct origin_rules *rules, troupe_view origin, troupe_view host_port);

/* Is it a well-formed scheme://host[:port], as --allow-origin wants it? */
bool origin_is_valid(troupe_view origin);

#endif
