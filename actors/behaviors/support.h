/* SPDX-License-Identifier: Apache-2.0
 *
 * What the standard behaviors share, all in this header: to copy a behavior, copy this file beside it.
 *
 * The rule behind it: a bad message is the sender's fault and never fails the actor. A call is refused with words; a
 * cast, which has nobody to tell, leaves a line in the log at debug. Only what the actor itself cannot survive is
 * returned from receive.
 *
 * Thread: behavior only. */
#ifndef TROUPE_BEHAVIORS_SUPPORT_H
#define TROUPE_BEHAVIORS_SUPPORT_H

#include <troupe/behavior.h>
#include <troupe/json.h>
#include <troupe/mem.h>

#define SUPPORT_KEY_BYTES_MAX 64 /* of a member's name in a sentence */

/* A sentence that is being built, and cut at the limit. */
struct support_words {
    size_t len;
    char text[TROUPE_REASON_BYTES_MAX + 1]; /* always ends with a zero */
};

/* The first bytes of a UTF-8 text, without half a character at the end. */
static inline troupe_view support_cut(troupe_view text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xc0) == 0x80)
        max--;
    return (troupe_view){.ptr = text.ptr, .len = max};
}

static inline void support_say(struct support_words *words, troupe_view more)
{
    troupe_view part = support_cut(more, TROUPE_REASON_BYTES_MAX - words->len);

    if (part.len != 0)
        memcpy(words->text + words->len, part.ptr, part.len);
    words->len += part.len;
    words->text[words->len] = '\0';
}

/* Begin to read a message's JSON body; no body at all reads as {}. */
static inline void support_read(troupe_json_reader *reader, const troupe_msg *msg)
{
    if (msg->body_len == 0)
        troupe_json_read_init(reader, "{}", 2);
    else
        troupe_json_read_init(reader, msg->body, msg->body_len);
}

/* The member that came is none of ours: a misspelt optional member must not pass for its default. */
static inline void support_unknown_member(troupe_json_reader *reader)
{
    troupe_json_skip(reader);
    troupe_json_fail(reader, TROUPE_E_SCHEMA, "there is no such member");
}

/* A member that must be there is not. Call it after the loop, before troupe_json_read_end(). */
static inline void support_missing_member(troupe_json_reader *reader, const char *reason)
{
    troupe_json_fail(reader, TROUPE_E_SCHEMA, reason);
}

/* Say what is wrong with a body: "by: out of bounds". Returns the error to tell: well-formed JSON that breaks the
 * schema is TROUPE_E_SCHEMA. */
static inline int support_explain(const troupe_json_reader *reader, struct support_words *words)
{
    *words = (struct support_words){0};
    if (reader->key.raw.len != 0) {
        support_say(words, support_cut(reader->key.raw, SUPPORT_KEY_BYTES_MAX));
        support_say(words, troupe_view_of(": "));
    }
    support_say(words, troupe_view_of(reader->reason != NULL ? reader->reason : "not understood"));
    return reader->error == TROUPE_E_INVALID ? TROUPE_E_SCHEMA : reader->error;
}

/* What a reply's result means for receive. Whoever asks is told of exhausted memory by the core: the actor goes on. */
static inline int support_replied(int rc) { return rc == TROUPE_E_NO_MEMORY ? 0 : rc; }

/* Refuse the message: the error to a caller, a line in the log for a cast. Returns what receive returns. */
static inline int support_refuse(troupe_ctx *ctx, const troupe_msg *msg, int error, const char *detail)
{
    if (msg->kind == TROUPE_MSG_CALL)
        return support_replied(troupe_reply_error(ctx, error, detail));
    troupe_log(ctx, TROUPE_LOG_DEBUG, detail);
    return 0;
}

/* The same for a body that was not understood. */
static inline int support_refuse_body(troupe_ctx *ctx, const troupe_msg *msg, const troupe_json_reader *reader)
{
    struct support_words words;
    int error = support_explain(reader, &words);

    return support_refuse(ctx, msg, error, words.text);
}

/* The same with an error of the application, which a REST client sees as "app.<code>". */
static inline int support_refuse_app(troupe_ctx *ctx, const troupe_msg *msg, const char *code, unsigned status,
                                     const char *detail)
{
    if (msg->kind == TROUPE_MSG_CALL)
        return support_replied(troupe_reply_app_error(ctx, code, status, detail));
    troupe_log(ctx, TROUPE_LOG_DEBUG, detail);
    return 0;
}

/* Give up in init because of bad args; returns what init returns. */
static inline int support_fail_args(troupe_ctx *ctx, const troupe_json_reader *reader)
{
    struct support_words words;
    int error = support_explain(reader, &words);

    return troupe_fail(ctx, error, words.text);
}

/* Answer with what the writer holds, when there is somebody to answer. Returns what receive returns. */
static inline int support_answer(troupe_ctx *ctx, const troupe_msg *msg, troupe_json_writer *writer, const char *buf)
{
    int rc;

    if (msg->kind != TROUPE_MSG_CALL)
        return 0;
    rc = troupe_json_write_end(writer);
    if (rc != 0)
        return troupe_fail(ctx, rc, "the reply could not be written");
    return support_replied(troupe_reply(ctx, troupe_body_json(buf, troupe_json_write_length(writer))));
}

/* Answer a view with what the writer holds. Returns what view returns. */
static inline int support_show(troupe_ctx *ctx, troupe_json_writer *writer, const char *buf)
{
    int rc = troupe_json_write_end(writer);

    return rc != 0 ? rc : troupe_reply(ctx, troupe_body_json(buf, troupe_json_write_length(writer)));
}

/* Write a member that is a number. */
static inline void support_write_uint(troupe_json_writer *writer, const char *name, uint64_t value)
{
    troupe_json_write_key(writer, name);
    troupe_json_write_uint(writer, value);
}

/* Turn "@name" or the text of a reference into a reference.
 * Fails: NOT_FOUND for a name that nobody has, TROUPE_E_BAD_REFERENCE */
static inline int support_resolve(troupe_ctx *ctx, troupe_view to, troupe_ref *ret_ref)
{
    if (to.len > 1 && to.ptr[0] == '@')
        return troupe_whereis(ctx, (troupe_view){.ptr = to.ptr + 1, .len = to.len - 1}, ret_ref);
    return troupe_ref_parse(to.ptr, to.len, ret_ref);
}

#define SUPPORT_TARGET_BYTES_MAX (TROUPE_NAME_BYTES_MAX + 1) /* '@' and a name; a reference is shorter */

/* Is this a message type, [A-Za-z0-9_.:-]{1,64}? */
static inline bool support_is_type(troupe_view type)
{
    if (type.len == 0 || type.len > TROUPE_TYPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < type.len; i++) {
        char c = type.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == ':' || c == '-'))
            return false;
    }
    return true;
}

#endif
