/* SPDX-License-Identifier: Apache-2.0
 *
 * Colours: only of words that say how something fares, and of titles. They are added to what is there already, so that
 * nothing is told by colour alone.
 *
 * Thread: any. */
#ifndef TROUPE_CLI_COLOUR_H
#define TROUPE_CLI_COLOUR_H

#include <stdbool.h>

#define COLOUR_GOOD "\x1b[32m"
#define COLOUR_CHANGE "\x1b[33m"
#define COLOUR_BAD "\x1b[31m"
#define COLOUR_TITLE "\x1b[1m"
#define COLOUR_END "\x1b[0m"

/* The rule: --color always or never, where given; else colours on a terminal, unless NO_COLOR is set (no-color.org) or
 * the terminal is a dumb one. `given` may be NULL. */
bool colour_is_wanted(const char *given, bool is_terminal);

/* The colour of a state or verdict; "" for a word without one. */
const char *colour_of(const char *word);

/* What ends it: "" where there was none. */
static inline const char *colour_end(const char *colour) { return colour[0] != '\0' ? COLOUR_END : ""; }

#endif
