/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen.h"

#include <stdbool.h>
#include <string.h>

#include "cli/colour.h"

#define ERASE_LINE "\x1b[K"
#define ERASE_BELOW "\x1b[J"
#define CLEAR "\x1b[H\x1b[2J"

/* The length of a colour ("ESC [ ... m") at `at`; 0: there is none. */
static size_t colour_len(const char *at, const char *end)
{
    if (end - at < 3 || at[0] != '\x1b' || at[1] != '[') {
        return 0;
    }
    for (const char *next = at + 2; next < end; next++) {
        if (*next == 'm') {
            return (size_t)(next - at) + 1;
        }
    }
    return 0;
}

/* Write as much of a line as fits; colours take no room, and a cut one is ended. */
static void write_line(const char *at, const char *end, unsigned columns, FILE *file)
{
    unsigned used = 0;
    bool is_coloured = false;
    while (at < end) {
        size_t len = colour_len(at, end);
        if (len > 0) {
            is_coloured = len != strlen(COLOUR_END) || memcmp(at, COLOUR_END, len) != 0;
        } else {
            for (len = 1; at + len < end && ((unsigned char)at[len] & 0xc0) == 0x80; len++) {}
            if (++used > columns) {
                break;
            }
        }
        fwrite(at, 1, len, file);
        at += len;
    }
    fputs(is_coloured ? COLOUR_END ERASE_LINE "\n" : ERASE_LINE "\n", file);
}

static size_t count_lines(const char *frame, size_t len)
{
    size_t lines = 0;
    for (size_t i = 0; i < len; i++) {
        lines += frame[i] == '\n';
    }
    return lines + (len > 0 && frame[len - 1] != '\n');
}

static void go_to_start(const struct screen *screen, unsigned rows, unsigned columns, FILE *file)
{
    if (screen->rows != 0 && (screen->rows != rows || screen->columns != columns)) {
        fputs(CLEAR, file);
    } else if (screen->lines > 0) {
        fprintf(file, "\x1b[%zuA\r", screen->lines);
    }
}

void screen_draw(struct screen *screen, const char *frame, size_t len, unsigned rows, unsigned columns, FILE *file)
{
    const char *end = frame + len;
    size_t lines = count_lines(frame, len);
    size_t room = rows > 1 ? rows - 1 : 1;
    size_t shown = lines <= room ? lines : room - 1;
    go_to_start(screen, rows, columns, file);
    for (size_t i = 0; i < shown; i++) {
        const char *stop = memchr(frame, '\n', (size_t)(end - frame));
        write_line(frame, stop != NULL ? stop : end, columns, file);
        frame = stop != NULL ? stop + 1 : end;
    }
    if (shown < lines) {
        char more[64];
        int more_len = snprintf(more, sizeof more, "... %zu more lines", lines - shown);
        write_line(more, more + more_len, columns, file);
        shown++;
    }
    fputs(ERASE_BELOW, file);
    *screen = (struct screen){.rows = rows, .columns = columns, .lines = shown};
}
