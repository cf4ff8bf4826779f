/* SPDX-License-Identifier: Apache-2.0
 *
 * The terminal under --watch and top: its size, and single keys while it waits. What is changed on it is put back at
 * the end, also when a signal ends the program.
 *
 * Thread: one. */
#ifndef TROUPE_CLI_TERMINAL_H
#define TROUPE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum terminal_key { TERMINAL_NONE, TERMINAL_QUIT, TERMINAL_NOW, TERMINAL_LEFT, TERMINAL_RIGHT };

/* May things be drawn in place? Standard output must be a terminal, and no dumb one. */
bool terminal_can_draw(void);

/* Its size; 24 by 80 where it does not tell. */
void terminal_size(unsigned *ret_rows, unsigned *ret_columns);

/* The monotonic clock by which it waits. */
uint64_t terminal_now_ms(void);

/* Wait, or less long if q, the space bar or an arrow key is pressed. Without a terminal to read from it only waits. */
enum terminal_key terminal_wait(uint32_t ms);

/* The key at the beginning of what a terminal sent, and how many bytes it has. Pure. len is at least 1. */
enum terminal_key terminal_key_read(const char *bytes, size_t len, size_t *ret_used);

#endif
