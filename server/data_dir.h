/* SPDX-License-Identifier: Apache-2.0
 *
 * The data directory: what lasts over restarts. One node at a time has it, by a lock on the file "lock". The file
 * "layout" holds the version of what is in it, "cluster" the id of the cluster, "members" is there once the cluster of
 * this registry has had other members.
 *
 * Thread: before threads are made, then control. */
#ifndef TROUPE_SERVER_DATA_DIR_H
#define TROUPE_SERVER_DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>

enum { DATA_DIR_LAYOUT = 1, DATA_DIR_CLUSTER_BYTES = 16 };

struct data_dir {
    const char *path;            /* borrowed; NULL: there is no data directory, and nothing lasts */
    int dir_fd, lock_fd;         /* the lock ends with the process */
    char cluster[DATA_DIR_CLUSTER_BYTES]; /* "": not known yet */
    bool had_members;
};

/* Make the directory when it is missing, lock it, and read what is there. A path that is NULL or "" is no directory.
 * Returns 0, or -1 with a line in `words` that names the remedy. */
int data_dir_open(const char *path, struct data_dir *ret_data, char *words, size_t words_cap);

/* The node is of this cluster: written, when there was none yet. Returns -1 with words when it cannot be written, or
 * when the directory is of another cluster. */
int data_dir_keep_cluster(struct data_dir *data, const char *cluster, char *words, size_t words_cap);

/* This cluster has other members now. Returns 0, or -1 with errno. */
int data_dir_keep_members(struct data_dir *data);

void data_dir_close(struct data_dir *data);

#endif
