/* SPDX-License-Identifier: Apache-2.0
 *
 * The data directory: what lasts over restarts. One node at a time has it, by a lock on the file "lock". The file
 * "layout" holds the version of what is in it, "cluster" the id of the cluster.
 *
 * Thread: before threads are made. */
#ifndef TROUPE_SERVER_DATA_DIR_H
#define TROUPE_SERVER_DATA_DIR_H

#include <stddef.h>

enum { DATA_DIR_LAYOUT = 1, DATA_DIR_CLUSTER_BYTES = 16 };

/* Make the directory when it is missing, lock it, and read the cluster id; when there is none yet, *cluster is written
 * there. Returns the descriptor that holds the lock, which ends with the process, or -1 with a line in `words` that
 * names the remedy. */
int data_dir_open(const char *path, char cluster[static DATA_DIR_CLUSTER_BYTES], char *words, size_t words_cap);

#endif
