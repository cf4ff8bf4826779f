/* SPDX-License-Identifier: Apache-2.0 */
#include "session/stream.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/utf8_text.h"
#include "session/event_id.h"

enum { BASE64_BYTES = 768 /* that are coded in one go; a multiple of 3 */ };

void stream_add_head(struct text *text, troupe_view allow_origin)
{
    text_add_str(text, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                 "X-Accel-Buffering: no\r\nConnection: close\r\n");
    if (allow_origin.len > 0) {
        text_add_str(text, "Access-Control-Allow-Origin: ");
        text_add_view(text, allow_origin);
        text_add_str(text, "\r\nVary: Origin\r\n");
    }
    text_printf(text, "\r\nretry: %d\n\n", STREAM_RETRY_MS);
}

/* Could the lines of an event carry these bytes, so that they are the same again at the other end? */
static bool fits_lines(troupe_view body)
{
    size_t step;
    for (size_t at = 0; at < body.len; at += step) {
        step = utf8_sequence(body.ptr + at, body.len - at);
        if (step == 0 || body.ptr[at] == '\r' || body.ptr[at] == '\0')
            return false;
    }
    return true;
}

static bool is_readable(const char *content_type)
{
    return content_type == NULL || strcasecmp(content_type, "application/json") == 0 ||
           strncasecmp(content_type, "text/", 5) == 0;
}

static void add_lines(struct text *text, troupe_view body)
{
    for (size_t at = 0;;) {
        const char *end = body.len > at ? memchr(body.ptr + at, '\n', body.len - at) : NULL;
        size_t len = (end != NULL ? (size_t)(end - body.ptr) : body.len) - at;
        text_add_str(text, "data: ");
        text_add(text, body.len > 0 ? body.ptr + at : "", len);
        text_add_str(text, "\n");
        if (end == NULL)
            return;
        at += len + 1;
    }
}

static void add_base64(struct text *text, const troupe_event *event)
{
    char chars[BASE64_CHARS(BASE64_BYTES)];
    text_add_str(text, "data: {\"content_type\":");
    text_add_json(text, troupe_view_of(event->content_type != NULL ? event->content_type : "application/json"));
    text_add_str(text, ",\"body_b64\":\"");
    for (size_t at = 0; at < event->body.len; at += BASE64_BYTES) {
        size_t len = event->body.len - at < BASE64_BYTES ? event->body.len - at : BASE64_BYTES;
        base64_write(event->body.ptr + at, len, chars);
        text_add(text, chars, BASE64_CHARS(len));
    }
    text_add_str(text, "\"}\n");
}

void stream_add_event(struct text *text, const troupe_event *event)
{
    char id[EVENT_ID_BYTES];
    event_id_format(event->id, id);
    text_printf(text, "id: %s\nevent: %.*s\n", id, (int)event->type.len, event->type.ptr);
    if (is_readable(event->content_type) && fits_lines(event->body))
        add_lines(text, event->body);
    else
        add_base64(text, event);
    text_add_str(text, "\n");
}

void stream_add_lagged(struct text *text, uint64_t missed)
{
    text_printf(text, "event: troupe.lagged\ndata: {\"missed\":%llu}\n\n", (unsigned long long)missed);
}

void stream_add_down(struct text *text, troupe_ref ref, const troupe_exit *why)
{
    char ref_text[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(ref, ref_text);
    text_printf(text, "event: troupe.down\ndata: {\"ref\":\"%s\",\"cause\":", ref_text);
    text_add_json(text, troupe_view_of(troupe_exit_word(why != NULL ? why->cause : TROUPE_EXIT_NOPROC)));
    if (why != NULL && why->error != 0) {
        text_add_str(text, ",\"error\":");
        text_add_json(text, troupe_view_of(troupe_error_lookup(why->error)->code));
    }
    if (why != NULL && why->detail.len > 0) {
        text_add_str(text, ",\"detail\":");
        text_add_json(text, why->detail);
    }
    text_add_str(text, "}\n\n");
}

void stream_add_ping(struct text *text) { text_add_str(text, ": ping\n\n"); }
