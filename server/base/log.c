/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { LINE_BYTES = 2048, GATE_LINES_MAX = 10 };

static bool is_json;
static enum troupe_log_level level_min = TROUPE_LOG_INFO;

static const char *const level_words[] = {"debug", "info", "warn", "error"};

void log_init(enum log_format format, enum troupe_log_level level)
{
    is_json = format == LOG_JSON || (format == LOG_AUTO && isatty(STDERR_FILENO) != 1);
    level_min = level;
}

/* Control characters of a stranger must not move the cursor of a terminal, neither those of ASCII nor those of Latin 1
 * (U+0080 to U+009F, C2 80 to C2 9F in UTF-8). */
static void add_plain(struct text *line, const char *words)
{
    for (; *words != '\0'; words++) {
        const unsigned char *byte = (const unsigned char *)words;
        bool is_latin_control = byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] <= 0x9f;
        bool is_control = byte[0] < 0x20 || byte[0] == 0x7f || is_latin_control;
        text_add(line, is_control ? "?" : words, 1);
        words += is_latin_control ? 1 : 0;
    }
}

static void format_json(struct text *line, const char *now, enum troupe_log_level level, const char *words,
                        const struct log_field *fields)
{
    text_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", now, level_words[level]);
    text_add_json(line, troupe_view_of(words));
    for (; fields != NULL && fields->key != NULL; fields++) {
        if (fields->value == NULL)
            continue;
        text_printf(line, ",\"%s\":", fields->key);
        text_add_json(line, troupe_view_of(fields->value));
    }
    text_add_str(line, "}\n");
}

static void format_human(struct text *line, const char *now, enum troupe_log_level level, const char *words,
                         const struct log_field *fields)
{
    text_printf(line, "%.8s %-5s ", now + 11, level_words[level]);
    add_plain(line, words);
    for (; fields != NULL && fields->key != NULL; fields++) {
        if (fields->value == NULL)
            continue;
        text_printf(line, "  %s=", fields->key);
        add_plain(line, fields->value);
    }
    text_add_str(line, "\n");
}

void log_write(enum troupe_log_level level, const char *words, const struct log_field *fields)
{
    if (level < level_min)
        return;
    char now[CLOCK_TEXT_BYTES];
    char buf[LINE_BYTES];
    struct text line;
    clock_format(clock_wall_ms(), now);
    text_init_fixed(&line, buf, sizeof buf);
    if (is_json)
        format_json(&line, now, level, words, fields);
    else
        format_human(&line, now, level, words, fields);
    if (line.failed) {
        text_init_fixed(&line, buf, sizeof buf);
        text_add_str(&line, is_json ? "{\"level\":\"error\",\"msg\":\"a log line was too long\"}\n"
                                    : "a log line was too long\n");
    }
    /* A log that cannot be written has nobody to be told. */
    if (write(STDERR_FILENO, line.ptr, line.len) < 0)
        return;
}

void log_printf(enum troupe_log_level level, const char *format, ...)
{
    char words[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    log_write(level, words, NULL);
}

bool log_gate_open(struct log_gate *gate, uint64_t now_ms)
{
    if (now_ms / 1000 != gate->second) {
        gate->second = now_ms / 1000;
        gate->count = 0;
    }
    if (++gate->count <= GATE_LINES_MAX)
        return true;
    gate->held++;
    return false;
}
