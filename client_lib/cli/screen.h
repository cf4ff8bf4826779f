/* SPDX-License-Identifier: Apache-2.0
 *
 * Redrawing in place: a frame (lines of text, maybe with colours) becomes the bytes that put it over the frame before.
 * Pure: it knows no terminal. No other screen is opened and the cursor stays visible, so nothing is left to be cleaned
 * up whenever the program ends, and the last frame stays to be read.
 *
 *   first frame     the lines
 *   next frames     up to the first line of the frame before; each line, erased behind its text; all below erased
 *   another size    the terminal has broken its lines anew, so it is cleared
 *
 * A frame is cut to the terminal: lines to its width, and the lines to one less than its height, the last of which says
 * how many there are more.
 *
 * Thread: one at a time. */
#ifndef TROUPE_CLI_SCREEN_H
#define TROUPE_CLI_SCREEN_H

#include <stddef.h>
#include <stdio.h>

struct screen {
    unsigned rows, columns; /* of the terminal when the last frame was drawn; 0: none was */
    size_t lines;           /* of that frame */
};

/* Write the bytes for a frame of `len` bytes. rows and columns are at least 1. A zeroed screen has no frame yet. */
void screen_draw(struct screen *screen, const char *frame, size_t len, unsigned rows, unsigned columns, FILE *file);

#endif
