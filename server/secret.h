/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the cluster's secret comes from: --secret-file; else, among nodes of one user on one machine, a file that the
 * first node writes into the runtime directory and the others read:
 *
 *   $XDG_RUNTIME_DIR/troupe/<cluster>.secret      mode 0600; /tmp/troupe-UID/ where there is no such directory
 *
 * A secret is the bytes of its file without the newlines at the end. It appears in no log and no error.
 *
 * Thread: before threads are made, then control. */
#ifndef TROUPE_SERVER_SECRET_H
#define TROUPE_SERVER_SECRET_H

#include "registry/auth.h"

/* Read --secret-file. Returns 0, or -1 with words that name the remedy. */
int secret_read(const char *path, struct registry_secret *ret_secret, char *words, size_t words_cap);

/* The secret of a cluster that begins on this machine: read again when its file is there, made when not. *ret_path is
 * its name, for who removes it at the end. Returns as secret_read. */
enum { SECRET_PATH_BYTES = 512 };
int secret_make(const char *cluster, struct registry_secret *ret_secret, char ret_path[static SECRET_PATH_BYTES],
                char *words, size_t words_cap);

/* The secret of a cluster that this user began on this machine. Returns as secret_read. */
int secret_find(const char *cluster, struct registry_secret *ret_secret, char *words, size_t words_cap);

#endif
