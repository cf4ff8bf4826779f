/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rule.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { HOST_LETTERS_MAX = 255, PORT_DIGITS_MAX = 5 };

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define ADDRESS_CHARS "0123456789abcdefABCDEF:."

/* ---- a URL ---- */

static bool is_address(troupe_view host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    bool is_v6 = host.len > 2 && host.ptr[0] == '[';
    if (is_v6)
        host = (troupe_view){host.ptr + 1, host.len - 2};
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes) == 1;
}

/* The host at the start of the text; its length, 0: none. */
static size_t host_len(const char *text)
{
    if (text[0] != '[')
        return strspn(text, HOST_CHARS);
    size_t len = 1 + strspn(text + 1, ADDRESS_CHARS);
    return text[len] == ']' && is_address((troupe_view){text, len + 1}) ? len + 1 : 0;
}

/* The byte that a path begins with, %xx read as one. */
static char read_byte(const char **at, const char *end)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = *at;
    const char *high = end - text > 2 && text[0] == '%' && text[1] != '\0' ? strchr(digits, text[1] | 0x20) : NULL;
    const char *low = high != NULL && text[2] != '\0' ? strchr(digits, text[2] | 0x20) : NULL;
    if (low == NULL) {
        *at = text + 1;
        return *text;
    }
    *at = text + 3;
    return (char)((high - digits) << 4 | (low - digits));
}

/* Has it a segment that is . or .., or a byte that some take for a slash? What a segment has behind a ; are parameters
 * to some, who then see ..;x as .. */
static bool is_twisted(troupe_view path)
{
    const char *end = path.ptr + path.len;
    unsigned dots = 0, others = 1; /* of the segment; before the first slash there is none */
    bool is_name = true;
    for (const char *at = path.ptr; at < end;) {
        bool is_plain = *at != '%';
        char byte = read_byte(&at, end);
        if (byte == '\\' || byte == '\0' || (byte == '/' && !is_plain))
            return true;
        if (byte == '/') {
            if (others == 0 && dots > 0 && dots <= 2)
                return true;
            dots = others = 0;
            is_name = true;
        } else if (byte == ';') {
            is_name = false;
        } else if (is_name) {
            dots += byte == '.' ? 1 : 0;
            others += byte == '.' ? 0 : 1;
        }
    }
    return others == 0 && dots > 0 && dots <= 2;
}

/* "", or ":" and a port. False when it is neither. */
static bool read_port(const char **at, unsigned *port)
{
    if (**at != ':')
        return true;
    size_t digits = strspn(*at + 1, "0123456789");
    if (digits == 0 || digits > PORT_DIGITS_MAX)
        return false;
    *port = 0;
    for (size_t i = 0; i < digits; i++)
        *port = *port * 10 + (unsigned)((*at)[1 + i] - '0');
    *at += 1 + digits;
    return *port > 0 && *port <= 65535;
}

bool http_rule_parse_url(const char *text, struct http_rule *ret_url)
{
    bool is_https = strncmp(text, "https://", 8) == 0;
    if (!is_https && strncmp(text, "http://", 7) != 0)
        return false;
    struct http_rule url = {.is_https = is_https, .port = is_https ? 443 : 80};
    const char *at = text + (is_https ? 8 : 7);
    url.host = (troupe_view){at, host_len(at)};
    at += url.host.len;
    if (url.host.len == 0 || url.host.len > HOST_LETTERS_MAX || !read_port(&at, &url.port) ||
        (*at != '\0' && *at != '/' && *at != '?'))
        return false;
    for (const char *c = at; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#')
            return false;
    }
    url.path = (troupe_view){at, strcspn(at, "?")};
    if (is_twisted(url.path))
        return false;
    url.is_address = is_address(url.host);
    *ret_url = url;
    return true;
}

bool http_rule_parse(const char *text, struct http_rule *ret_rule)
{
    return strchr(text, '?') == NULL && http_rule_parse_url(text, ret_rule);
}

bool http_rule_allows(const struct http_rule *rule, const struct http_rule *url)
{
    troupe_view path = rule->path;
    if (rule->is_https != url->is_https || rule->port != url->port || rule->host.len != url->host.len ||
        strncasecmp(rule->host.ptr, url->host.ptr, rule->host.len) != 0)
        return false;
    if (path.len <= 1)
        return true;
    if (url->path.len < path.len || memcmp(url->path.ptr, path.ptr, path.len) != 0)
        return false;
    return path.ptr[path.len - 1] == '/' || url->path.len == path.len || url->path.ptr[path.len] == '/';
}

/* ---- an address ---- */

static bool guards_v4(const unsigned char *v4)
{
    static const unsigned char alibaba[] = {100, 100, 100, 200};
    return v4[0] == 0 || v4[0] >= 224 || (v4[0] == 169 && v4[1] == 254) || memcmp(v4, alibaba, sizeof alibaba) == 0;
}

/* The IPv4 address that is inside of an IPv6 one and that packets to it reach, or NULL. */
static const unsigned char *inner_v4(const unsigned char *v6)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}, compatible[12] = {0},
                               nat64[12] = {0, 0x64, 0xff, 0x9b}, local_nat64[6] = {0, 0x64, 0xff, 0x9b, 0, 1};
    static const unsigned char loopback[16] = {[15] = 1};
    if (memcmp(v6, loopback, sizeof loopback) == 0)
        return NULL;
    if (memcmp(v6, mapped, sizeof mapped) == 0 || memcmp(v6, compatible, sizeof compatible) == 0 ||
        memcmp(v6, nat64, sizeof nat64) == 0 || memcmp(v6, local_nat64, sizeof local_nat64) == 0)
        return v6 + 12;
    return v6[0] == 0x20 && v6[1] == 0x02 ? v6 + 2 : NULL; /* 6to4 */
}

bool http_rule_guards(const struct sockaddr *address)
{
    static const unsigned char aws[16] = {0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    if (address->sa_family == AF_INET)
        return guards_v4((const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family != AF_INET6)
        return true;
    const unsigned char *v6 = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    const unsigned char *v4 = inner_v4(v6);
    bool is_link_local = v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80;
    return (v4 != NULL && guards_v4(v4)) || is_link_local || v6[0] == 0xff || memcmp(v6, aws, sizeof aws) == 0;
}
