/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8_text.h"

enum { FIRST_BYTES = 256 };

void text_init(struct text *text)
{
    *text = (struct text){0};
}

void text_init_fixed(struct text *text, char *buf, size_t cap)
{
    *text = (struct text){.ptr = buf, .cap = cap, .is_fixed = true};
    buf[0] = '\0';
}

void text_fini(struct text *text)
{
    if (!text->is_fixed)
        free(text->ptr);
    *text = (struct text){0};
}

char *text_take(struct text *text, size_t *ret_len)
{
    if (text->failed || text->is_fixed) {
        text_fini(text);
        return NULL;
    }
    char *ptr = text->ptr != NULL ? text->ptr : calloc(1, 1);
    *ret_len = text->len;
    *text = (struct text){0};
    return ptr;
}

bool text_grow(struct text *text, size_t len)
{
    if (text->failed)
        return false;
    if (len < text->cap - text->len)
        return true;
    size_t cap = text->cap == 0 ? FIRST_BYTES : text->cap;
    while (cap - text->len <= len && cap < SIZE_MAX / 2)
        cap *= 2;
    char *ptr = text->is_fixed ? NULL : realloc(text->ptr, cap);
    if (ptr == NULL) {
        text->failed = true;
        return false;
    }
    text->ptr = ptr;
    text->cap = cap;
    return true;
}

void text_add_u64(struct text *text, uint64_t value)
{
    char digits[20];
    unsigned at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_add(text, digits + at, sizeof digits - at);
}

void text_printf(struct text *text, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof line)
        text->failed = true;
    else
        text_add(text, line, (size_t)len);
}

static void add_json_ascii(struct text *text, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 0, '0', '0', hex[byte >> 4], hex[byte & 15]};
    switch (byte) {
    case '"':
    case '\\': escape[1] = (char)byte; break;
    case '\b': escape[1] = 'b'; break;
    case '\f': escape[1] = 'f'; break;
    case '\n': escape[1] = 'n'; break;
    case '\r': escape[1] = 'r'; break;
    case '\t': escape[1] = 't'; break;
    default:   escape[1] = 'u'; break;
    }
    text_add(text, escape, escape[1] == 'u' ? 6 : 2);
}

void text_add_json(struct text *text, troupe_view view)
{
    size_t done = 0;
    text_add(text, "\"", 1);
    for (size_t i = 0; i < view.len;) {
        unsigned char byte = (unsigned char)view.ptr[i];
        size_t len = utf8_sequence(view.ptr + i, view.len - i);
        if (len > 0 && byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f) {
            i += len;
            continue;
        }
        text_add(text, view.ptr + done, i - done);
        if (len == 0)
            text_add(text, "\xef\xbf\xbd", 3);
        else
            add_json_ascii(text, byte);
        done = ++i;
    }
    text_add(text, view.ptr + done, view.len - done);
    text_add(text, "\"", 1);
}

void text_add_escaped(struct text *text, troupe_view view)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < view.len; i++) {
        unsigned char c = (unsigned char)view.ptr[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                        c == '.' || c == '_' || c == '~';
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        text_add(text, is_plain ? (const char *)&view.ptr[i] : escape, is_plain ? 1 : 3);
    }
}
