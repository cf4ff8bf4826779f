/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine gives: memory, descriptors, random bits, and word to systemd. Thread: before threads are made, but
 * host_notify: any. */
#ifndef TROUPE_SERVER_HOST_H
#define TROUPE_SERVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A share of the memory that this process may use: the cgroup's limit or the machine's memory, whichever is less. */
uint64_t host_memory(unsigned percent);

/* Let the process open so many descriptors. False when the hard limit is lower; *ret_files is what there is. */
bool host_raise_files(uint64_t files, uint64_t *ret_files);

unsigned host_cores(void);

/* Fill with bits of the kernel's generator; false when it has none. */
bool host_random(void *ptr, size_t len);

/* The directory for what lives as long as the session of the user: $XDG_RUNTIME_DIR/troupe, else /tmp/troupe-UID, when
 * nobody else can write in it. Made if missing. False: there is none. */
bool host_runtime_dir(char *dir, size_t cap);

/* Tell systemd, when it asked by $NOTIFY_SOCKET: "READY=1", "STOPPING=1". */
void host_notify(const char *state);

#endif
