/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges an HTTP request before the host gets it: one form of URL, and no header that would begin another one, or that
 * says something about the connection. So no host has to look again.
 *
 * Thread: any. */
#include <troupe/http.h>

#include "core/outside.h"

#include "base/mem.h"

#define METHOD_LETTERS_MAX 16u

static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

static bool is_printable(const char *text, size_t len, char least)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < least || text[i] > '~')
            return false;
    return true;
}

static bool is_method(const char *method)
{
    size_t len = strlen(method);
    for (size_t i = 0; i < len; i++)
        if (method[i] < 'A' || method[i] > 'Z')
            return false;
    return len > 0 && len <= METHOD_LETTERS_MAX &&
           !troupe_view_equal(troupe_view_of(method), troupe_view_of("CONNECT"));
}

static bool starts_with(troupe_view text, troupe_view start)
{
    return text.len > start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

static bool is_url(const char *url)
{
    troupe_view text = troupe_view_of(url);
    return text.len <= TROUPE_HTTP_URL_BYTES_MAX && is_printable(url, text.len, '!') &&
           (starts_with(text, troupe_view_of("http://")) || starts_with(text, troupe_view_of("https://")));
}

static bool is_same_word(troupe_view a, const char *lower)
{
    size_t i = 0;
    for (; i < a.len && lower[i]; i++) {
        char c = a.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i])
            return false;
    }
    return i == a.len && !lower[i];
}

/* What the host writes itself. */
static bool is_reserved(troupe_view name)
{
    static const char *const words[] = {
        "connection",        "content-length", "content-type", "expect",          "host", "keep-alive", "te",
        "transfer-encoding", "trailer",        "upgrade",      "troupe-signature"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_same_word(name, words[i]))
            return true;
    return starts_with(name, troupe_view_of("Proxy-")) || starts_with(name, troupe_view_of("proxy-"));
}

static bool is_header(const troupe_http_header *header)
{
    if (!header->name || !header->value)
        return false;
    troupe_view name = troupe_view_of(header->name), value = troupe_view_of(header->value);
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_')
            return false;
    return name.len > 0 && value.len > 0 && name.len + value.len <= TROUPE_HTTP_HEADER_BYTES_MAX &&
           is_printable(value.ptr, value.len, ' ') && !is_reserved(name);
}

int troupe__http_check(const troupe_http *request)
{
    const char *content_type = request->body.content_type;
    if (!request->url || !is_url(request->url) || (request->method && !is_method(request->method)) ||
        request->headers_count > TROUPE_HTTP_HEADERS_MAX || request->sign_key.len > TROUPE_HTTP_KEY_BYTES_MAX ||
        request->timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        return TROUPE_E_INVALID;
    for (uint32_t i = 0; i < request->headers_count; i++)
        if (!is_header(&request->headers[i]))
            return TROUPE_E_INVALID;
    if (content_type && (strlen(content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX ||
                         !is_printable(content_type, strlen(content_type), ' ')))
        return TROUPE_E_INVALID;
    return request->body.ptr && request->body.len > TROUPE_HTTP_BODY_BYTES_MAX ? TROUPE_E_TOO_LARGE : 0;
}
