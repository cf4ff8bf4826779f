/* SPDX-License-Identifier: Apache-2.0 */
#include "src/sse.h"

#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";
#define MARK_LEN 3u

void troupe__sse_init(struct sse *sse, sse_event_fn on_event, void *user)
{
    *sse = (struct sse){.on_event = on_event, .user = user, .retry_ms = -1};
    sse->line.max = sse->data.max = SSE_LINE_BYTES_MAX;
}

void troupe__sse_fini(struct sse *sse)
{
    troupe__text_fini(&sse->line);
    troupe__text_fini(&sse->data);
}

static void forget(struct text *text)
{
    text->len = 0;
    if (text->at != NULL) {
        text->at[0] = '\0';
    }
}

void troupe__sse_restart(struct sse *sse)
{
    forget(&sse->line);
    forget(&sse->data);
    memcpy(sse->id, sse->last_id, sizeof sse->id);
    sse->type[0] = '\0';
    sse->mark_len = 0;
    sse->is_after_cr = sse->has_data = sse->is_stopped = false;
}

/* The empty line: tell the event, if there is one, and begin the next. */
static void dispatch(struct sse *sse)
{
    memcpy(sse->last_id, sse->id, sizeof sse->id);
    if (sse->has_data) {
        size_t len = sse->data.len - 1; /* without the last LF */
        sse->data.at[len] = '\0';
        const struct sse_event event = {.id = sse->last_id,
                                        .type = sse->type[0] != '\0' ? sse->type : "message",
                                        .data = sse->data.at,
                                        .data_len = len};
        sse->is_stopped = !sse->on_event(sse->user, &event);
    }
    forget(&sse->data);
    sse->type[0] = '\0';
    sse->has_data = false;
}

/* Digits only, as the standard says; "" and more than a day are passed over. */
static void take_retry(struct sse *sse, const char *value, size_t len)
{
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9' || ms > SSE_RETRY_MS_MAX) {
            return;
        }
        ms = ms * 10 + (value[i] - '0');
    }
    if (len > 0 && ms <= SSE_RETRY_MS_MAX) {
        sse->retry_ms = ms;
    }
}

static int take_word(char word[static SSE_WORD_BYTES_MAX + 1], const char *value, size_t len)
{
    if (len > SSE_WORD_BYTES_MAX) {
        return TROUPE_E_LIMIT;
    }
    memcpy(word, value, len);
    word[len] = '\0';
    return 0;
}

static bool is_field(const char *line, size_t name_len, const char *name)
{
    return strlen(name) == name_len && memcmp(line, name, name_len) == 0;
}

static int take_line(struct sse *sse, const char *line, size_t len)
{
    if (len == 0) {
        dispatch(sse);
        return 0;
    }
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon == NULL ? len : (size_t)(colon - line);
    const char *value = colon == NULL ? line + len : colon + 1;
    value += colon != NULL && value < line + len && *value == ' ';
    size_t value_len = (size_t)(line + len - value);
    if (is_field(line, name_len, "data")) {
        troupe__text_add_bytes(&sse->data, value, value_len);
        troupe__text_add(&sse->data, "\n");
        sse->has_data = true;
        return sse->data.error;
    }
    if (is_field(line, name_len, "event")) {
        return memchr(value, '\0', value_len) != NULL ? 0 : take_word(sse->type, value, value_len);
    }
    if (is_field(line, name_len, "id")) {
        return memchr(value, '\0', value_len) != NULL ? 0 : take_word(sse->id, value, value_len);
    }
    if (is_field(line, name_len, "retry")) {
        take_retry(sse, value, value_len);
    }
    return 0; /* a comment, with an empty name, or a field of a later version */
}

/* A line is whole; its text may be in one piece, or partly in sse->line. */
static int end_line(struct sse *sse, const char *bytes, size_t len)
{
    if (sse->line.len == 0) {
        return take_line(sse, bytes, len);
    }
    troupe__text_add_bytes(&sse->line, bytes, len);
    if (sse->line.error != 0) {
        return sse->line.error;
    }
    int rc = take_line(sse, sse->line.at, sse->line.len);
    forget(&sse->line);
    return rc;
}

/* Pass over a byte order mark at the beginning; bytes that turn out to be none are the start of the first line. */
static size_t skip_mark(struct sse *sse, const char *bytes, size_t len)
{
    size_t used = 0;
    while (sse->mark_len < MARK_LEN && used < len) {
        if (bytes[used] != byte_order_mark[sse->mark_len]) {
            troupe__text_add_bytes(&sse->line, byte_order_mark, sse->mark_len);
            sse->mark_len = MARK_LEN;
            return used;
        }
        sse->mark_len++;
        used++;
    }
    return used;
}

static size_t find_line_end(const char *bytes, size_t len)
{
    const char *lf = memchr(bytes, '\n', len);
    size_t until = lf == NULL ? len : (size_t)(lf - bytes);
    const char *cr = memchr(bytes, '\r', until);
    return cr == NULL ? until : (size_t)(cr - bytes);
}

int troupe__sse_feed(struct sse *sse, const char *bytes, size_t len)
{
    size_t at = skip_mark(sse, bytes, len);
    while (at < len && !sse->is_stopped) {
        if (sse->is_after_cr && bytes[at] == '\n') {
            sse->is_after_cr = false;
            at++;
            continue;
        }
        sse->is_after_cr = false;
        size_t line_len = find_line_end(bytes + at, len - at);
        if (at + line_len == len) {
            troupe__text_add_bytes(&sse->line, bytes + at, line_len);
            break;
        }
        sse->is_after_cr = bytes[at + line_len] == '\r';
        int rc = end_line(sse, bytes + at, line_len);
        if (rc != 0) {
            return rc;
        }
        at += line_len + 1;
    }
    return sse->line.error;
}
