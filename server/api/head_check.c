/* SPDX-License-Identifier: Apache-2.0 */
#include "api/head_check.h"

#include <string.h>
#include <strings.h>

enum { METHOD_BYTES_MAX = 32, LENGTH_DIGITS_MAX = 18 };

static const struct {
    const char *word;
    const char *text;
} reasons[HEAD_REASONS] = {
    [HEAD_FINE] = {"none", "the head is fine"},
    [HEAD_BARE_LF] = {"bare_lf", "a line ends with LF alone; end every line of the head with CR LF"},
    [HEAD_BARE_CR] = {"bare_cr", "a CR is not followed by LF; end every line of the head with CR LF"},
    [HEAD_CONTROL] = {"control_character", "the head contains a control character; send printable bytes and tabs only"},
    [HEAD_METHOD] = {"method", "the method is not a token; begin the request with a method such as GET or POST"},
    [HEAD_TARGET] = {"target", "the target is not a path; send it as /path?query with other bytes as %XX"},
    [HEAD_VERSION] = {"version", "the version is not HTTP/1.1 or HTTP/1.0; speak HTTP/1.1"},
    [HEAD_SPACE] = {"white_space", "white space where none may be; use one space between the parts of the request "
                                   "line and none before a colon"},
    [HEAD_FIELD_NAME] = {"field_name", "a header line has no valid name; write it as name: value"},
    [HEAD_FOLDED] = {"folded_line", "a header line begins with white space; folded lines are not taken"},
    [HEAD_LENGTH] = {"content_length", "Content-Length is not one whole number; send it once, in digits"},
    [HEAD_LENGTH_AND_CODING] = {"length_and_coding",
                                "Content-Length and Transfer-Encoding came together; send one of the two"},
    [HEAD_CODING] = {"transfer_encoding", "the Transfer-Encoding is not exactly chunked, in HTTP/1.1; use chunked or "
                                          "Content-Length"},
    [HEAD_HOST] = {"host", "there is not exactly one valid Host; send one Host header"},
    [HEAD_TOO_LARGE] = {"too_large", "the head is larger than 16 KiB or has more than 100 lines; send fewer headers"},
};

const char *head_reason_word(enum head_reason reason)
{
    return reasons[reason].word;
}

const char *head_reason_text(enum head_reason reason)
{
    return reasons[reason].text;
}

/* What a byte may be part of. */
enum {
    IN_TOKEN = 1,  /* tchar of RFC 9110: letters, digits and !#$%&'*+-.^_`|~ */
    IN_TARGET = 2, /* visible, but #"<>\ */
    IN_HOST = 4    /* letters, digits and .-_:[] */
};

static const unsigned char parts[256] = {
    [0x20] = 0, 3, 0, 1, 3, 3, 3, 3, 2, 2, 3, 3, 2, 7, 7, 2, /*  !"#$%&'()*+,-./ */
    [0x30] = 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 2, 0, 2, 0, 2, /* 0123456789:;<=>? */
    [0x40] = 2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* @ABCDEFGHIJKLMNO */
    [0x50] = 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 0, 6, 3, 7, /* PQRSTUVWXYZ[\]^_ */
    [0x60] = 3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* `abcdefghijklmno */
    [0x70] = 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 3, 2, 3, 0, /* pqrstuvwxyz{|}~  */
};

/* How many bytes of this part the text begins with. */
static size_t span(troupe_view text, unsigned part)
{
    size_t len = 0;
    while (len < text.len && (parts[(unsigned char)text.ptr[len]] & part) != 0)
        len++;
    return len;
}

size_t head_token_len(troupe_view text)
{
    return span(text, IN_TOKEN);
}

enum head_reason head_check_request(troupe_view method, troupe_view target)
{
    if (method.len == 0 || method.len > METHOD_BYTES_MAX)
        return HEAD_METHOD;
    if (head_token_len(method) != method.len)
        return HEAD_METHOD;
    if (target.len == 1 && target.ptr[0] == '*')
        return troupe_view_equal(method, troupe_view_of("OPTIONS")) ? HEAD_FINE : HEAD_TARGET;
    if (target.len == 0 || target.ptr[0] != '/')
        return HEAD_TARGET;
    return span(target, IN_TARGET) == target.len ? HEAD_FINE : HEAD_TARGET;
}

/* "METHOD SP target SP HTTP/1.x" */
static enum head_reason check_request_line(struct head_check *check, const char *bytes, uint32_t end)
{
    uint32_t at = (uint32_t)head_token_len((troupe_view){bytes, end});
    if (at == 0 || at > METHOD_BYTES_MAX || at == end)
        return HEAD_METHOD;
    if (bytes[at] != ' ')
        return bytes[at] == '\t' ? HEAD_SPACE : HEAD_METHOD;
    check->method_len = at++;
    check->target = at;
    if (at == end || bytes[at] == ' ' || bytes[at] == '\t')
        return HEAD_SPACE;
    check->target_len = (uint32_t)span((troupe_view){bytes + at, end - at}, IN_TARGET);
    at += check->target_len;
    bool is_star = check->target_len == 1 && bytes[check->target] == '*';
    if (check->target_len == 0 || (bytes[check->target] != '/' && !is_star))
        return HEAD_TARGET;
    if (is_star && (check->method_len != 7 || memcmp(bytes, "OPTIONS", 7) != 0))
        return HEAD_TARGET;
    if (at == end)
        return HEAD_VERSION;
    if (bytes[at] != ' ')
        return bytes[at] == '\t' ? HEAD_SPACE : HEAD_TARGET;
    at++;
    if (at < end && (bytes[at] == ' ' || bytes[at] == '\t'))
        return HEAD_SPACE;
    if (end - at < 8 || memcmp(bytes + at, "HTTP/1.", 7) != 0 || (bytes[at + 7] != '1' && bytes[at + 7] != '0'))
        return HEAD_VERSION;
    if (end - at > 8)
        return bytes[at + 8] == ' ' || bytes[at + 8] == '\t' ? HEAD_SPACE : HEAD_VERSION;
    check->is_http_1_0 = bytes[at + 7] == '0';
    return HEAD_FINE;
}

static enum head_reason check_length(struct head_check *check, troupe_view value)
{
    if (check->has_length || value.len == 0 || value.len > LENGTH_DIGITS_MAX)
        return HEAD_LENGTH;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return HEAD_LENGTH;
    }
    check->has_length = true;
    return check->has_coding ? HEAD_LENGTH_AND_CODING : HEAD_FINE;
}

static enum head_reason check_coding(struct head_check *check, troupe_view value)
{
    if (check->has_length)
        return HEAD_LENGTH_AND_CODING;
    if (check->has_coding || check->is_http_1_0 || value.len != 7 || strncasecmp(value.ptr, "chunked", 7) != 0)
        return HEAD_CODING;
    check->has_coding = true;
    return HEAD_FINE;
}

bool head_is_host(troupe_view value)
{
    return value.len > 0 && span(value, IN_HOST) == value.len;
}

static enum head_reason check_host(struct head_check *check, troupe_view value, const char *bytes)
{
    if (check->has_host || !head_is_host(value))
        return HEAD_HOST;
    check->has_host = true;
    check->host = (uint32_t)(value.ptr - bytes);
    check->host_len = (uint32_t)value.len;
    return HEAD_FINE;
}

static bool name_is(troupe_view name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp(name.ptr, lower, name.len) == 0;
}

/* "name: value" with optional blanks around the value */
static enum head_reason check_field(struct head_check *check, const char *bytes, uint32_t end)
{
    const char *line = bytes + check->line;
    uint32_t len = end - check->line;
    if (line[0] == ' ' || line[0] == '\t')
        return HEAD_FOLDED;
    if (++check->fields > HEAD_FIELDS_MAX)
        return HEAD_TOO_LARGE;
    uint32_t name_len = (uint32_t)head_token_len((troupe_view){line, len});
    if (name_len == len || name_len == 0)
        return HEAD_FIELD_NAME;
    if (line[name_len] != ':')
        return line[name_len] == ' ' || line[name_len] == '\t' ? HEAD_SPACE : HEAD_FIELD_NAME;
    troupe_view name = {line, name_len};
    uint32_t from = name_len + 1;
    while (from < len && (line[from] == ' ' || line[from] == '\t'))
        from++;
    while (len > from && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    troupe_view value = {line + from, len - from};
    if (name_is(name, "content-length"))
        return check_length(check, value);
    if (name_is(name, "transfer-encoding"))
        return check_coding(check, value);
    if (name_is(name, "host"))
        return check_host(check, value, bytes);
    if (name_is(name, "origin"))
        check->has_origin = true;
    return HEAD_FINE;
}

/* A line whose CR LF is there ended at `end`. Returns true when it was the empty line after the head. */
static bool take_line(struct head_check *check, const char *bytes, uint32_t end)
{
    bool is_last = check->has_line && end == check->line;
    if (is_last) {
        check->reason = check->has_host ? HEAD_FINE : HEAD_HOST;
        check->head_len = end + 2;
    } else if (check->has_line) {
        check->reason = check_field(check, bytes, end);
    } else {
        check->reason = check_request_line(check, bytes, end);
        check->has_line = true;
    }
    check->line = end + 2;
    return is_last;
}

/* What is refused as soon as it is seen, wherever it stands. */
static enum head_reason check_byte(const char *bytes, uint32_t at)
{
    unsigned char c = (unsigned char)bytes[at];
    bool after_cr = at > 0 && bytes[at - 1] == '\r';
    if (c == '\n')
        return after_cr ? HEAD_FINE : HEAD_BARE_LF;
    if (after_cr)
        return HEAD_BARE_CR;
    return (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f ? HEAD_CONTROL : HEAD_FINE;
}

enum head_state head_check_feed(struct head_check *check, const char *bytes, size_t len)
{
    uint32_t end = len < HEAD_BYTES_MAX ? (uint32_t)len : HEAD_BYTES_MAX;
    while (check->scanned < end) {
        uint32_t at = check->scanned++;
        check->reason = check_byte(bytes, at);
        if (check->reason != HEAD_FINE)
            return HEAD_REFUSED;
        if (!check->has_line && at == 0 && head_token_len((troupe_view){bytes, 1}) == 0) {
            check->reason = HEAD_METHOD;
            return HEAD_REFUSED;
        }
        if (bytes[at] != '\n')
            continue;
        bool is_whole = take_line(check, bytes, at - 1);
        if (check->reason != HEAD_FINE)
            return HEAD_REFUSED;
        if (is_whole)
            return HEAD_WHOLE;
    }
    if (check->scanned < HEAD_BYTES_MAX)
        return HEAD_MORE;
    check->reason = HEAD_TOO_LARGE;
    return HEAD_REFUSED;
}

bool head_target_is_registry(troupe_view target)
{
    static const char path[] = "/v1/registry";
    size_t len = sizeof path - 1;
    return target.len >= len && memcmp(target.ptr, path, len) == 0 &&
           (target.len == len || target.ptr[len] == '/' || target.ptr[len] == '?');
}
