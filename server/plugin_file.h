/* SPDX-License-Identifier: Apache-2.0
 *
 * One shared object: from a path to code in this process and the tables it exports, checked so far that they can be
 * read.
 *
 * The file is copied into memory first and the copy is loaded. So the file can be compiled anew, in place, under a
 * running node (code that is mapped from a file changes with it), and the loader, which knows what it has by path,
 * takes the next version for another object.
 *
 * Thread: one at a time. */
#ifndef TROUPE_SERVER_PLUGIN_FILE_H
#define TROUPE_SERVER_PLUGIN_FILE_H

#include <sys/stat.h>

#include <troupe/behavior.h>

enum { PLUGIN_DIGEST_BYTES = 32, PLUGIN_FILE_BYTES_MAX = 64 << 20, PLUGIN_BEHAVIORS_MAX = 64 };

/* What was loaded from a path last. */
struct plugin_identity {
    struct stat stat;
    unsigned char digest[PLUGIN_DIGEST_BYTES]; /* of the bytes */
};

/* A copy of a file. Once it is loaded and in use it is never dropped: its code may run as long as the process. */
struct plugin_copy {
    int fd;                      /* owned; -1: none */
    void *object;                /* owned; NULL: it is not loaded */
    struct plugin_identity identity;
};

/* Has the file other bytes than those that are known? It is read only when its stat has changed.
 * 1: it has, and *ret_copy is the caller's. 0: it has not (known is brought up to date).
 * Fails: TROUPE_E_INVALID (words) */
TROUPE_MUST_USE int plugin_file_read(const char *path, struct plugin_identity *known, struct plugin_copy *ret_copy,
                                     char *words, size_t cap);

/* Load the copy. Fails: TROUPE_E_INVALID (words) */
TROUPE_MUST_USE int plugin_file_load(struct plugin_copy *copy, const troupe_export **ret_export, char *words,
                                     size_t cap);

/* Unload it, if it was loaded, and forget it. State: nothing of it is in use. */
void plugin_file_drop(struct plugin_copy *copy);

#endif
