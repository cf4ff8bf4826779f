/* SPDX-License-Identifier: Apache-2.0 */
#include "src/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_CAP_MIN 64 /* bytes of the first allocation: most targets fit */

static bool make_room(struct text *text, size_t more)
{
    if (text->error != 0) {
        return false;
    }
    if (text->len > text->max || more > text->max - text->len) {
        text->error = TROUPE_E_LIMIT;
        return false;
    }
    size_t need = text->len + more + 1;
    if (need <= text->cap) {
        return true;
    }
    size_t cap = text->cap < TEXT_CAP_MIN ? TEXT_CAP_MIN : text->cap;
    while (cap < need) {
        cap *= 2;
    }
    char *at = realloc(text->at, cap);
    if (at == NULL) {
        text->error = TROUPE_E_NO_MEMORY;
        return false;
    }
    text->at = at;
    text->cap = cap;
    return true;
}

void troupe__text_add_bytes(struct text *text, const void *bytes, size_t len)
{
    if (!make_room(text, len)) {
        return;
    }
    if (len > 0) {
        memcpy(text->at + text->len, bytes, len);
    }
    text->len += len;
    text->at[text->len] = '\0';
}

void troupe__text_add(struct text *text, const char *string) { troupe__text_add_bytes(text, string, strlen(string)); }

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void troupe__text_add_escaped(struct text *text, const char *string)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const unsigned char *at = (const unsigned char *)string; *at != '\0'; at++) {
        char escape[3] = {'%', hex[*at >> 4], hex[*at & 15]};
        if (is_unreserved(*at)) {
            troupe__text_add_bytes(text, at, 1);
        } else {
            troupe__text_add_bytes(text, escape, sizeof escape);
        }
    }
}

int troupe__text_take(struct text *text, char **ret_string)
{
    troupe__text_add_bytes(text, "", 0);
    if (text->error != 0) {
        return text->error;
    }
    *ret_string = text->at;
    text->at = NULL;
    text->len = text->cap = 0;
    return 0;
}

void troupe__text_fini(struct text *text)
{
    free(text->at);
    *text = (struct text){0};
}

/* The length of the character at `at`, or 0 where none is; the code point in *ret_point. */
static size_t decode(const unsigned char *at, uint32_t *ret_point)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80             ? 1
                 : (at[0] & 0xe0) == 0xc0 ? 2
                 : (at[0] & 0xf0) == 0xe0 ? 3
                 : (at[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (len <= 1) {
        *ret_point = at[0];
        return len;
    }
    uint32_t point = at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) { /* also stops at the NUL */
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fu);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return 0;
    }
    *ret_point = point;
    return len;
}

bool troupe__text_is_clean_utf8(const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    while (*at != '\0') {
        uint32_t point;
        size_t len = decode(at, &point);
        if (len == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            return false;
        }
        at += len;
    }
    return true;
}

void troupe__text_copy(char *dst, size_t cap, const char *src)
{
    size_t len = strlen(src);
    if (len >= cap) {
        len = cap - 1;
        while (len > 0 && ((unsigned char)src[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(dst, src, len);
    dst[len] = '\0';
}
