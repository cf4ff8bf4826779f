/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing string with a sticky failure: append without looking, ask once at the end. Zeroed memory with `max` set is
 * an empty text; past `max` bytes, or without memory, it fails and stays failed.
 *
 * Thread: one at a time. */
#ifndef TROUPE_CLIENT_TEXT_H
#define TROUPE_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <troupe/error.h>

struct text {
    char *at;   /* owned; NUL-terminated once anything was added */
    size_t len; /* bytes before the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes allowed before the NUL; set by the owner */
    int error;  /* 0, TROUPE_E_NO_MEMORY or TROUPE_E_LIMIT */
};

/* Append len bytes. */
void troupe__text_add_bytes(struct text *text, const void *bytes, size_t len);

/* Append a string. */
void troupe__text_add(struct text *text, const char *string);

/* Append a string percent-encoded as RFC 3986 asks of one path segment or query value: all but unreserved bytes. */
void troupe__text_add_escaped(struct text *text, const char *string);

/* Move the string out and leave the text empty. Owns: *ret_string is owned. Fails: the sticky error. */
TROUPE_MUST_USE int troupe__text_take(struct text *text, char **ret_string);

void troupe__text_fini(struct text *text);

/* Is this valid UTF-8 (RFC 3629: no surrogates, no overlong forms), free of control characters? */
bool troupe__text_is_clean_utf8(const char *string);

/* Copy at most cap - 1 bytes, cut before a character that does not fit whole. */
void troupe__text_copy(char *dst, size_t cap, const char *src);

#endif
