/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports files: the JSON object a node writes once its ports are known. Here it is only read from memory; the
 * directory is native/nodes_posix.c.
 *
 * Thread: any. */
#ifndef TROUPE_CLIENT_PORTS_H
#define TROUPE_CLIENT_PORTS_H

#include <troupe/client.h>

#define TROUPE_PORTS_FILE_BYTES_MAX 16384 /* such a file has about 200 */
#define TROUPE_PORTS_FILE_SUFFIX ".ports.json"

/* Read the text of a ports file into *ret_entry, all but its path.
 * Fails: TROUPE_E_MALFORMED  no such object: a member is missing, empty, too long or of another type */
TROUPE_MUST_USE int troupe__ports_parse(const char *json, size_t len, troupe_client_node_entry *ret_entry);

/* Is this the name of a ports file? */
bool troupe__ports_is_name(const char *file_name);

#endif
