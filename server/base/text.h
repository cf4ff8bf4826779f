/* SPDX-License-Identifier: Apache-2.0
 *
 * A text that is being built: grows on the heap, or fills a buffer of the caller. Errors are sticky: a text that could
 * not grow stays as it was and says so at the end.
 *
 * Thread: any; a text belongs to one thread at a time. */
#ifndef TROUPE_SERVER_TEXT_H
#define TROUPE_SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <troupe/view.h>

struct text {
    char *ptr;     /* len bytes and a NUL, once something was added */
    size_t len;
    size_t cap;
    bool is_fixed; /* ptr is the caller's */
    bool failed;   /* something did not fit, or memory was exhausted */
};

/* Begin on the heap; a zeroed struct does the same. */
void text_init(struct text *text);

/* Begin in a buffer of the caller, which must hold at least the NUL. */
void text_init_fixed(struct text *text, char *buf, size_t cap);

/* Free the memory; of a zeroed text it is legal. */
void text_fini(struct text *text);

/* Take the memory out; the caller frees it. NULL when the text failed. */
char *text_take(struct text *text, size_t *ret_len);

/* Make room for len bytes more and a NUL. False: the text failed, now or before. */
bool text_grow(struct text *text, size_t len);

/* These are inline so that a literal is a few moves: lists are written with them. */
static inline void text_add(struct text *text, const void *ptr, size_t len)
{
    if ((text->failed || len >= text->cap - text->len) && !text_grow(text, len))
        return;
    if (len > 0)
        memcpy(text->ptr + text->len, ptr, len);
    text->len += len;
    text->ptr[text->len] = '\0';
}

static inline void text_add_str(struct text *text, const char *str)
{
    text_add(text, str, strlen(str));
}

static inline void text_add_view(struct text *text, troupe_view view)
{
    text_add(text, view.ptr, view.len);
}

void text_add_u64(struct text *text, uint64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Add a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_add_json(struct text *text, troupe_view view);

/* Add bytes for a URL: all but unreserved characters are written as %XX. */
void text_add_escaped(struct text *text, troupe_view view);

#endif
