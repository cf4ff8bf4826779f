/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words that some YAML reader takes for a boolean or null (YAML 1.1 had many). */
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Begins with a letter, continues with characters that mean nothing in YAML, and is no reserved word. */
static bool is_plain(const char *text, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    return len > 0 && strchr(letters, text[0]) != NULL && strspn(text, others) == len && !is_reserved(text);
}

/* The code point at *at, which moves behind it. The input is valid UTF-8: jansson has checked it. */
static uint32_t next_point(const unsigned char **at)
{
    unsigned char first = *(*at)++;
    int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t point = more == 0 ? first : first & (0x3fu >> more);
    while (more-- > 0) {
        point = point << 6 | (*(*at)++ & 0x3fu);
    }
    return point;
}

/* Not printable in YAML 1.2, or a line break, or a byte order mark: written as an escape. */
static bool needs_escape(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 || point == 0xfeff ||
           point == 0xfffe || point == 0xffff;
}

static void write_escape(uint32_t point, FILE *file)
{
    if (point == '\n') {
        fputs("\\n", file);
    } else if (point == '\t') {
        fputs("\\t", file);
    } else {
        fprintf(file, point < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)point);
    }
}

static void write_quoted(const char *text, size_t len, FILE *file)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;
    fputc('"', file);
    while (at < end) {
        const unsigned char *start = at;
        uint32_t point = next_point(&at);
        if (point == '"' || point == '\\') {
            fputc('\\', file);
        }
        if (needs_escape(point)) {
            write_escape(point, file);
        } else {
            fwrite(start, 1, (size_t)(at - start), file);
        }
    }
    fputc('"', file);
}

static void write_string(const char *text, size_t len, FILE *file)
{
    if (is_plain(text, len)) {
        fwrite(text, 1, len, file);
    } else {
        write_quoted(text, len, file);
    }
}

/* The fewest digits that read back as the same number, with a point or an exponent so that it stays a float. */
static void write_real(double value, FILE *file)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    fputs(text, file);
    if (strpbrk(text, ".e") == NULL) {
        fputs(".0", file);
    }
}

static void write_scalar(const json_t *value, FILE *file)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        write_string(json_string_value(value), json_string_length(value), file);
        break;
    case JSON_INTEGER:
        fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(json_real_value(value), file);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fputs(json_is_true(value) ? "true" : "false", file);
        break;
    case JSON_ARRAY:
        fputs("[]", file);
        break;
    case JSON_OBJECT:
        fputs("{}", file);
        break;
    default:
        fputs("null", file);
        break;
    }
}

static bool is_block(const json_t *value) { return json_object_size(value) > 0 || json_array_size(value) > 0; }

static void write_block(const json_t *value, int indent, FILE *file);

static void write_member(const char *key, json_t *value, int indent, FILE *file)
{
    write_string(key, strlen(key), file);
    fputc(':', file);
    if (!is_block(value)) {
        fputc(' ', file);
        write_scalar(value, file);
        fputc('\n', file);
        return;
    }
    fprintf(file, "\n%*s", indent + 2, "");
    write_block(value, indent + 2, file);
}

/* Write a value that has members; the cursor is already at column `indent`. jansson's own depth limit (2,048) bounds
 * the recursion. */
static void write_block(const json_t *value, int indent, FILE *file)
{
    const char *key;
    json_t *member;
    size_t i;
    bool is_first = true;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        fprintf(file, "%*s", is_first ? 0 : indent, "");
        write_member(key, member, indent, file);
        is_first = false;
    }
    json_array_foreach(value, i, member)
    {
        fprintf(file, "%*s- ", i == 0 ? 0 : indent, "");
        if (is_block(member)) {
            write_block(member, indent + 2, file);
        } else {
            write_scalar(member, file);
            fputc('\n', file);
        }
    }
}

void yaml_write(const json_t *document, FILE *file)
{
    if (is_block(document)) {
        write_block(document, 0, file);
    } else {
        write_scalar(document, file);
        fputc('\n', file);
    }
}
