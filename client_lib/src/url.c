/* SPDX-License-Identifier: Apache-2.0 */
#include "src/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/problem.h"
#include "src/text.h"

static int refuse(const char *url, const char *why, troupe_client_problem *problem)
{
    return troupe__problem_make(problem, TROUPE_E_INVALID, "url", "'%s' is not a URL of a node: %s", url, why);
}

/* Optional :port, all digits, at most 65535. */
static bool is_port(const char *at, size_t len)
{
    unsigned port = 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9' || port > 6553) {
            return false;
        }
        port = port * 10 + (unsigned)(at[i] - '0');
    }
    return len > 0 && port >= 1 && port <= 65535;
}

/* host, host:port, [v6] or [v6]:port */
static bool is_authority(const char *at, size_t len)
{
    size_t host_len;
    if (at[0] == '[') {
        const char *end = memchr(at, ']', len);
        host_len = end == NULL ? 0 : (size_t)(end - at) + 1;
        if (host_len < 4 || strspn(at + 1, "0123456789abcdefABCDEF:.") < host_len - 2) {
            return false;
        }
    } else {
        const char *colon = memchr(at, ':', len);
        host_len = colon == NULL ? len : (size_t)(colon - at);
        if (strcspn(at, "<>\"\\^`{|}[]") < host_len) {
            return false;
        }
    }
    return host_len > 0 && (host_len == len || (at[host_len] == ':' && is_port(at + host_len + 1, len - host_len - 1)));
}

int troupe__url_normalise(const char *url, char base[static TROUPE_CLIENT_URL_BYTES_MAX + 1],
                          troupe_client_problem *problem)
{
    const char *rest = strstr(url, "://");
    if (!troupe__text_is_clean_utf8(url) || strchr(url, ' ') != NULL) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "url", "a URL has no spaces and no control characters");
    }
    if (strpbrk(url, "@?#") != NULL) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "url",
                                    "the URL of a node has no user, no query and no fragment");
    }
    const char *scheme = "http";
    if (rest == NULL) {
        rest = url;
    } else {
        size_t scheme_len = (size_t)(rest - url);
        bool is_https = scheme_len == 5 && strncasecmp(url, "https", 5) == 0;
        if (!is_https && !(scheme_len == 4 && strncasecmp(url, "http", 4) == 0)) {
            return refuse(url, "it must begin with http:// or https://", problem);
        }
        scheme = is_https ? "https" : "http";
        rest += 3;
    }
    size_t authority_len = strcspn(rest, "/");
    if (!is_authority(rest, authority_len)) {
        return refuse(url, "the host or the port is not valid", problem);
    }
    size_t rest_len = strlen(rest);
    while (rest[rest_len - 1] == '/') {
        rest_len--;
    }
    if (strlen(scheme) + 3 + rest_len > TROUPE_CLIENT_URL_BYTES_MAX) {
        return troupe__problem_make(problem, TROUPE_E_INVALID, "url", "the URL is longer than %d bytes",
                                    TROUPE_CLIENT_URL_BYTES_MAX);
    }
    snprintf(base, TROUPE_CLIENT_URL_BYTES_MAX + 1, "%s://%.*s", scheme, (int)rest_len, rest);
    return 0;
}

bool troupe__url_is_loopback(const char *base)
{
    const char *host = strstr(base, "://");
    host = host == NULL ? base : host + 3;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    return (len == 9 && strncasecmp(host, "localhost", 9) == 0) || (len == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (len >= 7 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len);
}
