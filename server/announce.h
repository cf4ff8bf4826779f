/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling the world where the node is: a line on standard output, and the ports file, whose text is the same JSON
 * object. The file is written whole or not at all, with mode 0600, and removed at the end.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_ANNOUNCE_H
#define TROUPE_SERVER_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>

struct announce {
    const char *version, *cluster, *node;
    const char *url;             /* to tell others */
    const char *bound_url;       /* for programs on this machine; told where it is another */
    const char *peer;            /* the peer port, to tell others: "127.0.0.1:39127" */
    const char *join;            /* what --join said, or NULL: this node keeps the registry */
    unsigned workers;
    const char *ports_file;      /* from the configuration: NULL the default place, "" none */
    char path[512];              /* of the file that was written, or "" */
};

/* Write the ports file, the first time or again. False, with a line in words, when a file that was asked for cannot be
 * written; the default place is only tried. */
bool announce_write_file(struct announce *announce, char *words, size_t words_cap);

/* Print that the node is ready. False when standard output cannot be written. */
bool announce_print(const struct announce *announce, bool json);

/* Remove the ports file. */
void announce_remove_file(struct announce *announce);

#endif
