/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the registry is that --join names: an URL, or "file:" and the path of a node's ports file, which is read anew
 * at each attempt, so that a registry that has come back on another port is found.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_JOIN_H
#define TROUPE_SERVER_JOIN_H

#include <stdbool.h>
#include <stddef.h>

enum { JOIN_URL_BYTES = 600, JOIN_WORDS_BYTES = 320 };

struct join {
    const char *asked;           /* borrowed */
    char url[JOIN_URL_BYTES];    /* without a slash at its end; "": not known now */
};

bool join_is_wanted(const char *asked); /* is it neither NULL nor ""? */

void join_init(struct join *join, const char *asked);

/* Look where it is now. False with words: it cannot be told, and the URL is "". */
bool join_locate(struct join *join, char *words, size_t words_cap);

#endif
