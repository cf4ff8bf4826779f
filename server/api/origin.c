/* SPDX-License-Identifier: Apache-2.0 */
#include "api/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HOST_BYTES_MAX = 253 };

static bool equal_caseless(troupe_view view, const char *word)
{
    return view.len == strlen(word) && strncasecmp(view.ptr, word, view.len) == 0;
}

static bool is_port(troupe_view port)
{
    unsigned value = 0;
    if (port.len == 0 || port.len > 5)
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(port.ptr[i] - '0');
    }
    return value <= 65535;
}

bool origin_split(troupe_view host_port, troupe_view *ret_host, troupe_view *ret_port)
{
    if (host_port.len == 0)
        return false;
    size_t host_len = host_port.len;
    if (host_port.ptr[0] == '[') {
        const char *end = memchr(host_port.ptr, ']', host_port.len);
        if (end == NULL)
            return false;
        host_len = (size_t)(end - host_port.ptr) + 1;
    } else {
        const char *colon = memchr(host_port.ptr, ':', host_port.len);
        if (colon != NULL)
            host_len = (size_t)(colon - host_port.ptr);
    }
    troupe_view port = {host_port.ptr + host_len, host_port.len - host_len};
    if (port.len > 0) {
        if (port.ptr[0] != ':')
            return false;
        port = (troupe_view){port.ptr + 1, port.len - 1};
        if (!is_port(port))
            return false;
    }
    if (host_len == 0 || host_len > HOST_BYTES_MAX)
        return false;
    *ret_host = (troupe_view){host_port.ptr, host_len};
    *ret_port = port;
    return true;
}

bool origin_is_ip(troupe_view host)
{
    char text[64];
    unsigned char address[16];
    bool is_v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (is_v6)
        host = (troupe_view){host.ptr + 1, host.len - 2};
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, address) == 1;
}

bool origin_host_is_allowed(const struct origin_rules *rules, troupe_view host_port)
{
    troupe_view host, port;
    if (!origin_split(host_port, &host, &port))
        return false;
    if (origin_is_ip(host) || equal_caseless(host, "localhost"))
        return true;
    if (rules->advertised != NULL && equal_caseless(host, rules->advertised))
        return true;
    for (const char *const *allowed = rules->hosts; allowed != NULL && *allowed != NULL; allowed++) {
        if (equal_caseless(host, *allowed))
            return true;
    }
    return false;
}

/* The part after http:// or https://, empty when the scheme is another. */
static troupe_view after_scheme(troupe_view origin)
{
    size_t skip = 0;
    if (origin.len > 7 && memcmp(origin.ptr, "http://", 7) == 0)
        skip = 7;
    else if (origin.len > 8 && memcmp(origin.ptr, "https://", 8) == 0)
        skip = 8;
    return skip == 0 ? (troupe_view){0} : (troupe_view){origin.ptr + skip, origin.len - skip};
}

bool origin_is_valid(troupe_view origin)
{
    troupe_view host, port;
    troupe_view rest = after_scheme(origin);
    if (rest.len == 0 || memchr(rest.ptr, '/', rest.len) != NULL)
        return false;
    return origin_split(rest, &host, &port);
}

bool origin_is_allowed(const struct origin_rules *rules, troupe_view origin, troupe_view host_port)
{
    for (const char *const *allowed = rules->origins; allowed != NULL && *allowed != NULL; allowed++) {
        if (equal_caseless(origin, *allowed))
            return true;
    }
    troupe_view own = after_scheme(origin);
    if (own.len > 0 && own.len == host_port.len && strncasecmp(own.ptr, host_port.ptr, own.len) == 0)
        return true;
    return rules->is_member != NULL && origin_is_valid(origin) && rules->is_member(rules->user, origin);
}
