/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"

#include <string.h>
#include <strings.h>

#include "base/comma_list.h"

enum { LENGTH_DIGITS_MAX = 18 };

static bool is(troupe_view name, const char *word, size_t len)
{
    return name.len == len && strncasecmp(name.ptr, word, len) == 0;
}

static enum head_reason take_length(struct guard *guard, troupe_view value)
{
    if (guard->has_length || value.len == 0 || value.len > LENGTH_DIGITS_MAX)
        return HEAD_LENGTH;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return HEAD_LENGTH;
        guard->length = guard->length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    guard->has_length = true;
    return guard->has_coding ? HEAD_LENGTH_AND_CODING : HEAD_FINE;
}

static enum head_reason take_coding(struct guard *guard, troupe_view value)
{
    if (guard->has_coding || !is(value, "chunked", 7))
        return HEAD_CODING;
    guard->has_coding = true;
    return guard->has_length ? HEAD_LENGTH_AND_CODING : HEAD_FINE;
}

/* gzip in a list, unless it is there with q=0 */
static bool accepts_gzip(troupe_view value)
{
    for (size_t at = 0; at + 4 <= value.len; at++) {
        if (strncasecmp(value.ptr + at, "gzip", 4) != 0)
            continue;
        at += 4;
        if (at + 4 > value.len || strncmp(value.ptr + at, ";q=0", 4) != 0)
            return true;
        for (at += 4; at < value.len && (value.ptr[at] == '.' || value.ptr[at] == '0'); at++) {
        }
        return at < value.len && value.ptr[at] >= '1' && value.ptr[at] <= '9'; /* q=0, q=0.0: no */
    }
    return false;
}

/* A word in a list of tokens, whatever its case: "keep-alive, Upgrade". */
static bool has_token(troupe_view list, const char *word)
{
    size_t len = strlen(word);
    troupe_view entry;
    while (comma_list_next(&list, &entry)) {
        if (is(entry, word, len))
            return true;
    }
    return false;
}

/* The fields of RFC 6455, part 4.1. */
static void take_websocket(struct guard *guard, troupe_view name, troupe_view value)
{
    if (is(name, "Sec-WebSocket-Key", 17)) {
        guard->key = value;
        guard->keys++;
    } else if (is(name, "Sec-WebSocket-Version", 21)) {
        guard->version = value;
        guard->versions++;
    } else if (is(name, "Sec-WebSocket-Protocol", 22)) {
        guard->protocols = value;
        guard->protocol_lines++;
    }
}

static enum head_reason take(struct guard *guard, troupe_view name, troupe_view value)
{
    switch (name.len) {
    case 4:
        if (!is(name, "Host", 4))
            break;
        if (guard->host.ptr != NULL)
            return HEAD_HOST;
        guard->host = value;
        break;
    case 6:
        if (is(name, "Origin", 6)) {
            if (guard->has_origin)
                return HEAD_FIELD_NAME;
            guard->has_origin = true;
            guard->origin = value;
        } else if (is(name, "Expect", 6)) {
            guard->expects_continue = true;
        }
        break;
    case 7:
        if (is(name, "Upgrade", 7))
            guard->wants_websocket = guard->wants_websocket || has_token(value, "websocket");
        break;
    case 10:
        if (is(name, "Connection", 10))
            guard->wants_upgrade = guard->wants_upgrade || has_token(value, "upgrade");
        break;
    case 12:
        if (is(name, "Content-Type", 12))
            guard->content_type = value.ptr;
        break;
    case 13:
        if (is(name, "If-None-Match", 13)) {
            guard->if_none_match = value;
        } else if (is(name, "Authorization", 13)) {
            if (guard->authorization.ptr != NULL)
                return HEAD_FIELD_NAME; /* two that may differ */
            guard->authorization = value;
        } else if (is(name, "Last-Event-ID", 13)) {
            guard->last_event_id = value;
        }
        break;
    case 14:
        return is(name, "Content-Length", 14) ? take_length(guard, value) : HEAD_FINE;
    case 15:
        if (is(name, "Accept-Encoding", 15))
            guard->accepts_gzip = accepts_gzip(value);
        break;
    case 17:
        if (is(name, "Transfer-Encoding", 17))
            return take_coding(guard, value);
        take_websocket(guard, name, value);
        break;
    case 21:
    case 22:
        take_websocket(guard, name, value);
        break;
    case 29:
        if (is(name, "Access-Control-Request-Method", 29))
            guard->is_preflight = true;
        break;
    default:
        break;
    }
    return HEAD_FINE;
}

/* How many bytes the text begins with, in steps of eight, that are neither below 0x20 nor DEL: most values, whole. */
static size_t plain_len(troupe_view text)
{
    const uint64_t ones = UINT64_MAX / 255, high_bits = ones << 7;
    size_t len = 0;
    for (; len + 8 <= text.len; len += 8) {
        uint64_t bytes;
        memcpy(&bytes, text.ptr + len, 8);
        uint64_t del_as_zero = bytes ^ ones * 0x7f;
        if ((((bytes - ones * 0x20) & ~bytes) | ((del_as_zero - ones) & ~del_as_zero)) & high_bits)
            break;
    }
    return len;
}

static enum head_reason check_bytes(troupe_view name, troupe_view value)
{
    size_t token_len = head_token_len(name);
    if (token_len < name.len)
        return name.ptr[token_len] == ' ' || name.ptr[token_len] == '\t' ? HEAD_SPACE : HEAD_FIELD_NAME;
    for (size_t i = plain_len(value); i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return c == '\r' ? HEAD_BARE_CR : HEAD_CONTROL;
    }
    return name.len == 0 ? HEAD_FIELD_NAME : HEAD_FINE;
}

void guard_field(struct guard *guard, troupe_view name, troupe_view value)
{
    if (guard->reason != HEAD_FINE)
        return;
    guard->end = value.ptr + value.len;
    guard->bytes += name.len + value.len + 4; /* colon, blank, CR, LF */
    if (++guard->fields > HEAD_FIELDS_MAX || guard->bytes > HEAD_BYTES_MAX) {
        guard->reason = HEAD_TOO_LARGE;
        return;
    }
    guard->reason = check_bytes(name, value);
    if (guard->reason == HEAD_FINE)
        guard->reason = take(guard, name, value);
}

enum head_reason guard_end(const struct guard *guard, bool is_http_1_0)
{
    if (guard->reason != HEAD_FINE)
        return guard->reason;
    if (guard->host.ptr == NULL || !head_is_host(guard->host))
        return HEAD_HOST;
    return is_http_1_0 && guard->has_coding ? HEAD_CODING : HEAD_FINE;
}
