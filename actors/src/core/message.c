/* SPDX-License-Identifier: Apache-2.0
 *
 * See message.h. */
#include "core/message.h"

#include <troupe/limits.h>

#include "base/mem.h"

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

/* Copy a text with a NUL behind it; returns what is behind that. */
static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    at[len] = '\0';
    return at + len + 1;
}

struct message *troupe__message_new(struct pool *pool, const struct message_parts *parts)
{
    const char *content_type = parts->body.content_type;
    size_t content_type_len = content_type ? strlen(content_type) : 0, subject_len = parts->subject.len;
    size_t type_len = parts->type.len, body_len = parts->body.len;
    size_t texts_bytes = (content_type_len ? content_type_len + 1 : 0) + (subject_len ? subject_len + 1 : 0);
    if (!parts->own_type)
        texts_bytes += type_len + 1;
    size_t head_bytes = ALIGN8(texts_bytes);
    struct message *message = troupe__message_take(pool, parts->what, head_bytes + body_len);
    if (!message)
        return NULL;
    char *at = (char *)(message + 1), *body = at + head_bytes;
    troupe_msg *msg = &message->msg;
    msg->kind = (uint8_t)parts->kind;
    msg->type_len = (uint8_t)type_len;
    msg->from.home.high = parts->from.home.high;
    msg->from.home.low = parts->from.home.low;
    msg->from.slot = parts->from.slot;
    msg->from.generation = parts->from.generation;
    msg->body = body;
    msg->body_len = (uint32_t)body_len;
    if (subject_len) {
        msg->subject_len = (uint8_t)subject_len;
        at = put_text(at, parts->subject.ptr, subject_len);
    }
    if (content_type_len) {
        msg->content_type = at;
        message->content_type_len = (uint8_t)content_type_len;
        at = put_text(at, content_type, content_type_len);
    }
    msg->type = parts->own_type ? parts->own_type : at;
    if (!parts->own_type)
        put_text(at, type_len ? parts->type.ptr : "", type_len);
    if (body_len)
        memcpy(body, parts->body.ptr, body_len);
    return message;
}

struct message *troupe__message_new_bare(struct pool *pool, enum message_what what, size_t body_bytes)
{
    struct message *message = troupe__message_take(pool, what, body_bytes);
    if (!message)
        return NULL;
    message->msg.from = (troupe_ref){0};
    message->msg.type = "";
    message->msg.body = (char *)(message + 1);
    message->msg.body_len = (uint32_t)body_bytes;
    return message;
}

size_t troupe__message_text_room(const struct message *message)
{
    return message_block_bytes(message) - sizeof *message;
}

/* Not inside a UTF-8 character. */
static troupe_view cut(troupe_view text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xc0) == 0x80)
        max--;
    return (troupe_view){text.ptr, max};
}

troupe_view troupe__reason_cut(troupe_view text) { return cut(text, TROUPE_REASON_BYTES_MAX); }

void troupe__message_set_text(struct message *message, troupe_view text)
{
    char *start = (char *)(message + 1);
    text = cut(troupe__reason_cut(text), troupe__message_text_room(message));
    message->msg.type = "";
    message->msg.type_len = 0;
    message->msg.content_type = NULL;
    message->msg.subject_len = 0;
    message->content_type_len = 0;
    if (text.len)
        memmove(start, text.ptr, text.len);
    message->msg.body = start;
    message->msg.body_len = (uint32_t)text.len;
}

troupe_view troupe_msg_subject(const troupe_msg *msg)
{
    return (troupe_view){.ptr = msg->subject_len ? (const char *)(msg + 1) : "", .len = msg->subject_len};
}

bool troupe__is_word(troupe_view text)
{
    if (text.len == 0 || text.len > TROUPE_TYPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                  c == ':' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}

int troupe__message_check(troupe_view type, const troupe_body *body)
{
    if (type.len == 0 || type.len > TROUPE_TYPE_BYTES_MAX)
        return TROUPE_E_INVALID;
    if (body->len > TROUPE_BODY_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    if (body->content_type && strlen(body->content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX)
        return TROUPE_E_INVALID;
    return 0;
}
