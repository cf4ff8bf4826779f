/* SPDX-License-Identifier: Apache-2.0
 *
 * Where behaviors may send HTTP requests: a rule of --allow-http is a URL, and allows itself and what lies below it.
 *
 *   rule                          allows                              not
 *   http://10.0.0.7:8080          all of that host and port           http://10.0.0.70:8080/, https://10.0.0.7:8080/
 *   https://api.example.com/v1    .../v1, .../v1?x=1, .../v1/users    .../v10, .../v1/../admin, .../v1%2f..%2fadmin
 *
 * A URL is read by one strict form, so that nothing can be one URL here and another one to who connects: no user, no
 * fragment, no backslash, no path with a segment that is . or .. by any spelling.
 *
 * An address is looked at as well, when it is connected to: names may be made to lead anywhere, so the link-local
 * addresses, where clouds keep their credentials, are refused, but to a rule whose host is itself an address.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_HTTP_RULE_H
#define TROUPE_SERVER_HTTP_RULE_H

#include <stdbool.h>

#include <troupe/view.h>

struct sockaddr;

/* The parts of a URL; also a rule. Lives: as long as the text. */
struct http_rule {
    bool is_https;
    bool is_address;             /* the host is an IP address */
    unsigned port;
    troupe_view host;            /* with the brackets of an IPv6 address */
    troupe_view path;            /* "" or from the first slash to the query */
};

/* Read a rule; false when it is none. */
bool http_rule_parse(const char *text, struct http_rule *ret_rule);

/* Read the URL of a request; false when it is not of the form. */
bool http_rule_parse_url(const char *text, struct http_rule *ret_url);

bool http_rule_allows(const struct http_rule *rule, const struct http_rule *url);

/* Is it an address that only a rule that names an address may lead to? */
bool http_rule_guards(const struct sockaddr *address);

#endif
