/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the head stage: the byte-level check (api/head_check.h), the guard that sees what the HTTP library
 * makes of a head (api/guard.h), and what the API reads from it: path, query, Host and Origin. For any bytes:
 *
 *   - it does not matter in which pieces they come, nor what comes behind a whole head;
 *   - of a whole head, everything that was found lies inside it, and a plain reading of it, line by line, finds the
 *     same: one Host, at most one length, no length beside a coding, no byte that two parsers could read in two ways;
 *   - the guard lets its fields pass too, or names one of the few things that only the guard refuses;
 *   - lines that were never checked do not pass the guard with a control character or without a Host. */
#include <string.h>
#include <strings.h>

#include "api/guard.h"
#include "api/head_check.h"
#include "api/origin.h"
#include "api/path.h"
#include "fuzz.h"

#define SIZE_MAX_BYTES (HEAD_BYTES_MAX + 64u)

static void release(const char *owned) { free((void *)(uintptr_t)owned); }

/* A copy with a NUL behind it, in a block of its own, so that the sanitizer sees what is read past it. */
static troupe_view copy_of(const char *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    check(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return (troupe_view){copy, len};
}

static enum head_state feed_at_once(const char *bytes, size_t len, struct head_check *ret_check)
{
    *ret_check = (struct head_check){0};
    return head_check_feed(ret_check, bytes, len);
}

/* Pieces of 1 to 16 bytes, as the bytes themselves would have it. */
static enum head_state feed_in_pieces(const char *bytes, size_t len, struct head_check *ret_check)
{
    enum head_state state = HEAD_MORE;
    *ret_check = (struct head_check){0};
    for (size_t at = 0; at < len && state == HEAD_MORE;) {
        size_t step = 1 + ((unsigned char)bytes[at] & 15);
        at = step < len - at ? at + step : len;
        state = head_check_feed(ret_check, bytes, at);
    }
    return state;
}

static void check_same(const struct head_check *a, const struct head_check *b)
{
    check(a->reason == b->reason && a->head_len == b->head_len && a->method_len == b->method_len);
    check(a->target == b->target && a->target_len == b->target_len && a->host == b->host && a->host_len == b->host_len);
    check(a->has_length == b->has_length && a->has_coding == b->has_coding && a->has_origin == b->has_origin);
}

/* What a plain reading of a whole head finds. */
struct reading {
    unsigned hosts, lengths, codings, origins, fields;
    troupe_view host, origin;
};

static troupe_view trim(troupe_view value)
{
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value.ptr++;
        value.len--;
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static bool name_is(troupe_view name, const char *word)
{
    return name.len == strlen(word) && strncasecmp(name.ptr, word, name.len) == 0;
}

/* Split "name: value"; false when there is no colon. */
static bool split_field(troupe_view line, troupe_view *ret_name, troupe_view *ret_value)
{
    const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    if (colon == NULL)
        return false;
    *ret_name = (troupe_view){line.ptr, (size_t)(colon - line.ptr)};
    *ret_value = trim((troupe_view){colon + 1, line.len - ret_name->len - 1});
    return true;
}

static void read_field(struct reading *reading, troupe_view name, troupe_view value)
{
    reading->fields++;
    if (name_is(name, "host")) {
        reading->hosts++;
        reading->host = value;
    } else if (name_is(name, "content-length")) {
        reading->lengths++;
    } else if (name_is(name, "transfer-encoding")) {
        reading->codings++;
        check(name_is(value, "chunked"));
    } else if (name_is(name, "origin")) {
        reading->origins++;
        reading->origin = value;
    }
}

/* The field goes to the guard as the HTTP library would give it. */
static void guard_line(struct guard *guard, troupe_view name, troupe_view value, troupe_view *keep)
{
    keep[0] = copy_of(name.ptr, name.len);
    keep[1] = copy_of(value.ptr, value.len);
    guard_field(guard, keep[0], keep[1]);
}

static void check_guard(const struct guard *guard, const struct head_check *head, const struct reading *reading)
{
    enum head_reason reason = guard_end(guard, head->is_http_1_0);
    if (reason == HEAD_TOO_LARGE) { /* it counts a blank behind each colon, which need not be there */
        check(head->head_len + reading->fields > HEAD_BYTES_MAX);
    } else if (reason != HEAD_FINE) {
        check(reason == HEAD_FIELD_NAME); /* two that may differ, such as Origin */
    } else {
        check(guard->has_length == head->has_length && guard->has_coding == head->has_coding);
        check(guard->has_origin == head->has_origin && troupe_view_equal(guard->host, reading->host));
    }
}

static void check_target(const char *bytes, const struct head_check *head)
{
    troupe_view method = {bytes, head->method_len};
    troupe_view target = copy_of(bytes + head->target, head->target_len);
    troupe_view segments[PATH_SEGMENTS_MAX];
    struct api_query_item items[API_QUERY_MAX];
    unsigned count = 0;
    check(head_check_request(method, target) == HEAD_FINE);
    const char *question = memchr(target.ptr, '?', target.len);
    size_t path_len = question != NULL ? (size_t)(question - target.ptr) : target.len;
    if (question != NULL) {
        int rc = path_query((char *)(uintptr_t)(question + 1), target.len - path_len - 1, items, &count);
        check(rc != 0 || count <= API_QUERY_MAX);
    }
    if (path_len > 0 && target.ptr[0] == '/') {
        unsigned found = path_split(target.ptr + 1, path_len - 1, segments);
        for (unsigned i = 0; i < found && i < PATH_SEGMENTS_MAX; i++) {
            size_t raw = segments[i].len;
            if (path_decode(&segments[i]) != 0)
                continue;
            check(segments[i].len <= raw);
            check(segments[i].len == 0 || memchr(segments[i].ptr, 0, segments[i].len) == NULL);
        }
    }
    release(target.ptr);
}

static void check_origin(const struct reading *reading)
{
    static const char *const none[] = {NULL};
    static const struct origin_rules rules = {.hosts = none, .origins = none};
    troupe_view host = copy_of(reading->host.ptr, reading->host.len);
    (void)origin_host_is_allowed(&rules, host);
    if (reading->origins == 1) {
        troupe_view origin = copy_of(reading->origin.ptr, reading->origin.len);
        if (origin_is_allowed(&rules, origin, host)) /* then it is the Host behind a scheme */
            check(origin.len > host.len && strncasecmp(origin.ptr + origin.len - host.len, host.ptr, host.len) == 0);
        release(origin.ptr);
    }
    release(host.ptr);
}

/* Read the head again, plainly, and let the guard see its fields. */
static void check_whole(const char *bytes, const struct head_check *head)
{
    struct reading reading = {0};
    struct guard guard = {0};
    troupe_view kept[2 * (HEAD_FIELDS_MAX + 1)];
    check(head->head_len >= 4 && memcmp(bytes + head->head_len - 4, "\r\n\r\n", 4) == 0);
    check(head->target + head->target_len < head->head_len && head->host + head->host_len < head->head_len);
    for (uint32_t i = 0; i < head->head_len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        check(c >= 0x20 ? c != 0x7f : c == '\t' || c == '\r' || c == '\n');
        check(c != '\r' || bytes[i + 1] == '\n');
        check(c != '\n' || bytes[i - 1] == '\r');
    }
    const char *end = bytes + head->head_len - 2;
    const char *line = (const char *)memchr(bytes, '\n', head->head_len) + 1;
    guard.bytes = (size_t)(line - bytes) + 2;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        troupe_view name, value;
        check(next != NULL && reading.fields <= HEAD_FIELDS_MAX);
        check(split_field((troupe_view){line, (size_t)(next - 1 - line)}, &name, &value));
        guard_line(&guard, name, value, &kept[2 * reading.fields]);
        read_field(&reading, name, value);
        line = next + 1;
    }
    check(reading.hosts == 1 && reading.lengths <= 1 && reading.codings <= 1 && reading.lengths + reading.codings <= 1);
    check(head->has_length == (reading.lengths == 1) && head->has_coding == (reading.codings == 1));
    check(troupe_view_equal(reading.host, (troupe_view){bytes + head->host, head->host_len}));
    check(head_is_host(reading.host) && head->has_origin == (reading.origins > 0));
    check_guard(&guard, head, &reading);
    check_target(bytes, head);
    check_origin(&reading);
    for (unsigned i = 0; i < 2 * reading.fields; i++)
        release(kept[i].ptr);
}

/* Lines that nothing has checked: what the HTTP library might make of a later head. */
static void check_guard_alone(const char *bytes, size_t len)
{
    struct guard guard = {0};
    troupe_view kept[2 * 64];
    unsigned count = 0;
    bool has_control = false;
    for (size_t at = 0; at < len && count + 2 <= 2 * 64;) {
        const char *next = memchr(bytes + at, '\n', len - at);
        size_t end = next != NULL ? (size_t)(next - bytes) : len;
        troupe_view name, value;
        if (split_field((troupe_view){bytes + at, end - at}, &name, &value)) {
            for (size_t i = 0; i < value.len; i++) {
                unsigned char c = (unsigned char)value.ptr[i];
                has_control = has_control || (c < 0x20 && c != '\t') || c == 0x7f;
            }
            guard_line(&guard, name, value, &kept[count]);
            count += 2;
        }
        at = end + 1;
    }
    if (guard_end(&guard, false) == HEAD_FINE) {
        check(!has_control && head_is_host(guard.host));
        check(!guard.has_length || !guard.has_coding);
    }
    for (unsigned i = 0; i < count; i++)
        release(kept[i].ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head_check once, pieces, shorter;
    troupe_view bytes;
    if (size > SIZE_MAX_BYTES)
        return 0;
    bytes = copy_of((const char *)data, size);
    enum head_state state = feed_at_once(bytes.ptr, size, &once);
    check(feed_in_pieces(bytes.ptr, size, &pieces) == state);
    check((state == HEAD_REFUSED) == (once.reason != HEAD_FINE) && (unsigned)once.reason < HEAD_REASONS);
    check(head_reason_word(once.reason) != NULL && head_reason_text(once.reason) != NULL);
    if (state == HEAD_REFUSED)
        check(pieces.reason == once.reason);
    if (state == HEAD_WHOLE) {
        check_same(&once, &pieces);
        check(feed_at_once(bytes.ptr, once.head_len, &shorter) == HEAD_WHOLE);
        check_same(&once, &shorter);
        check(feed_at_once(bytes.ptr, once.head_len - 1, &shorter) == HEAD_MORE);
        check_whole(bytes.ptr, &once);
    }
    if (state == HEAD_MORE)
        check(size < HEAD_BYTES_MAX);
    check_guard_alone(bytes.ptr, size);
    release(bytes.ptr);
    return 0;
}
