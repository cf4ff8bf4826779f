/* SPDX-License-Identifier: Apache-2.0
 *
 * See message.h. */
#include "core/message.h"

#include <troupe/limits.h>

#include "base/mem.h"

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

/* A block for a message of so many bytes, its header filled in but for what the parts say. Field by field: a message is
 * made for every send, and this is a third of the cost of a compound literal. */
static inline struct message *take(struct pool *pool, size_t bytes, enum message_what what)
{
    uint8_t pool_class = troupe__pool_class(bytes);
    bool is_large = pool_class == POOL_LARGE;
    struct message *message = is_large ? troupe__pool_alloc(pool, bytes) : troupe__pool_take(pool, pool_class);
    if (!message)
        return NULL;
    message->next = NULL;
    message->what = (uint8_t)what;
    message->pool_class = pool_class;
    message->reply_to = REPLY_NOBODY;
    message->reply_worker = 0;
    message->target_generation = 0;
    message->call_id = 0;
    message->deadline_ns = 0;
    message->block_bytes = is_large ? (uint32_t)bytes : (uint32_t)troupe__pool_class_bytes(pool_class);
    message->cause = 0;
    message->content_type_len = 0;
    message->droppable = false;
    troupe_msg *msg = &message->msg;
    msg->kind = 0;
    msg->type_len = 0;
    msg->op = TROUPE_OP_NONE;
    msg->status = 0;
    msg->tag = 0;
    msg->type = (char *)(message + 1);
    msg->content_type = NULL;
    msg->app_status = 0;
    msg->app_code_len = 0;
    msg->subject_len = 0;
    return message;
}

struct message *troupe__message_new(struct pool *pool, const struct message_parts *parts)
{
    const char *content_type = parts->body.content_type;
    size_t content_type_len = content_type ? strlen(content_type) : 0;
    size_t content_type_bytes = content_type_len ? content_type_len + 1 : 0;
    size_t subject_bytes = parts->subject.len ? parts->subject.len + 1 : 0, type_len = parts->type.len;
    size_t head_bytes = ALIGN8(sizeof(struct message) + type_len + 1 + content_type_bytes + subject_bytes);
    size_t body_len = parts->body.len;
    struct message *message = take(pool, head_bytes + body_len, parts->what);
    if (!message)
        return NULL;
    char *type = (char *)(message + 1), *after_type = type + type_len + 1, *body = (char *)message + head_bytes;
    troupe_msg *msg = &message->msg;
    msg->kind = (uint8_t)parts->kind;
    msg->type_len = (uint8_t)type_len;
    msg->from = parts->from;
    msg->body = body;
    msg->body_len = (uint32_t)body_len;
    for (size_t i = 0; i < type_len; i++) /* a few letters: shorter than a call */
        type[i] = parts->type.ptr[i];
    type[type_len] = '\0';
    if (content_type_bytes) {
        msg->content_type = memcpy(after_type, content_type, content_type_bytes);
        message->content_type_len = (uint8_t)content_type_len;
    }
    if (subject_bytes) {
        memcpy(after_type + content_type_bytes, parts->subject.ptr, parts->subject.len);
        after_type[content_type_bytes + parts->subject.len] = '\0';
        msg->subject_len = (uint8_t)parts->subject.len;
    }
    if (body_len)
        memcpy(body, parts->body.ptr, body_len);
    return message;
}

struct message *troupe__message_new_bare(struct pool *pool, enum message_what what, size_t body_bytes)
{
    size_t head_bytes = ALIGN8(sizeof(struct message) + 1);
    struct message *message = take(pool, head_bytes + body_bytes, what);
    if (!message)
        return NULL;
    message->msg.from = (troupe_ref){0};
    message->msg.body = (char *)message + head_bytes;
    message->msg.body_len = (uint32_t)body_bytes;
    *(char *)(message + 1) = '\0';
    return message;
}

void troupe__message_free(struct pool *pool, struct message *message)
{
    if (message->pool_class == POOL_LARGE)
        troupe__pool_free(pool, message, message->block_bytes);
    else
        troupe__pool_give(pool, message->pool_class, message);
}

size_t troupe__message_text_room(const struct message *message)
{
    return message->block_bytes - sizeof *message - 1; /* the empty type's NUL is in front */
}

void troupe__message_set_text(struct message *message, troupe_view text)
{
    char *start = (char *)(message + 1);
    size_t room = troupe__message_text_room(message);
    size_t len = text.len < room ? text.len : room;
    if (len > TROUPE_REASON_BYTES_MAX)
        len = TROUPE_REASON_BYTES_MAX;
    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--; /* not inside a UTF-8 character */
    *start = '\0';
    message->msg.type = start;
    message->msg.type_len = 0;
    message->msg.content_type = NULL;
    message->msg.subject_len = 0;
    message->content_type_len = 0;
    if (len)
        memmove(start + 1, text.ptr, len);
    message->msg.body = start + 1;
    message->msg.body_len = (uint32_t)len;
}

troupe_view troupe_msg_subject(const troupe_msg *msg)
{
    if (msg->subject_len == 0)
        return (troupe_view){.ptr = "", .len = 0};
    const char *at = msg->type + msg->type_len + 1;
    if (msg->content_type)
        at += strlen(at) + 1;
    return (troupe_view){.ptr = at, .len = msg->subject_len};
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
