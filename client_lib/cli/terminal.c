/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ROWS 24
#define COLUMNS 80

static struct termios settings; /* as they were before us */
static volatile sig_atomic_t has_settings;

bool terminal_can_draw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

void terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size;
    bool is_told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *ret_rows = is_told ? size.ws_row : ROWS;
    *ret_columns = is_told ? size.ws_col : COLUMNS;
}

static void restore(void)
{
    if (has_settings) {
        has_settings = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    }
}

static void on_signal(int number)
{
    int error = errno;
    restore();
    signal(number, SIG_DFL);
    raise(number);
    errno = error;
}

/* A background job that touches its terminal is stopped; leave it alone then. */
static bool is_foreground(void) { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

/* Single keys, not echoed. Once; and anew after a stop, when the shell has put its own settings back. */
static bool take_keys(void)
{
    static bool is_ready;
    struct termios now;
    if (!isatty(STDIN_FILENO) || !is_foreground() || tcgetattr(STDIN_FILENO, &now) != 0) {
        return false;
    }
    if (!is_ready) {
        settings = now;
        is_ready = atexit(restore) == 0;
        for (size_t i = 0; i < 3; i++) {
            static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
            signal(ends[i], on_signal);
        }
    }
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    has_settings = is_ready ? 1 : 0;
    return is_ready && tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

uint64_t terminal_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum terminal_key terminal_key_read(const char *bytes, size_t len, size_t *ret_used)
{
    bool is_sequence = len >= 3 && bytes[0] == '\x1b' && (bytes[1] == '[' || bytes[1] == 'O');
    *ret_used = is_sequence ? 3 : 1;
    switch (is_sequence ? bytes[2] : bytes[0]) {
    case 'C':
        return is_sequence ? TERMINAL_RIGHT : TERMINAL_NONE;
    case 'D':
        return is_sequence ? TERMINAL_LEFT : TERMINAL_NONE;
    case 'q':
        return is_sequence ? TERMINAL_NONE : TERMINAL_QUIT;
    case ' ':
        return is_sequence ? TERMINAL_NONE : TERMINAL_NOW;
    default:
        return TERMINAL_NONE;
    }
}

static char typed[64]; /* what was read and not looked at yet */
static size_t typed_len;

static enum terminal_key next_key(void)
{
    enum terminal_key key = TERMINAL_NONE;
    while (typed_len > 0 && key == TERMINAL_NONE) {
        size_t used;
        key = terminal_key_read(typed, typed_len, &used);
        typed_len -= used;
        memmove(typed, typed + used, typed_len);
    }
    return key;
}

enum terminal_key terminal_wait(uint32_t ms)
{
    uint64_t end_ms = terminal_now_ms() + ms;
    bool has_keys = take_keys();
    enum terminal_key key = next_key();
    for (uint64_t at_ms = terminal_now_ms(); key == TERMINAL_NONE && at_ms < end_ms; at_ms = terminal_now_ms()) {
        struct pollfd input = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
        if (poll(&input, 1, (int)(end_ms - at_ms)) <= 0) {
            continue; /* the time is over, or a signal came */
        }
        ssize_t len = read(STDIN_FILENO, typed, sizeof typed);
        typed_len = len > 0 ? (size_t)len : 0;
        has_keys = len > 0; /* else it hung up */
        key = next_key();
    }
    return key;
}
