/* SPDX-License-Identifier: Apache-2.0
 *
 * The token file of a node (docs/security.md): {"tokens":[row, ...]}. Here a row is only added: the file is replaced as
 * a whole, by a new one that is renamed over it, so that a node that reads it meanwhile sees the old one or the new
 * one.
 *
 * Thread: any; other processes that add at the same time wait (a lock on the folder). */
#ifndef TROUPE_CLI_TOKEN_FILE_H
#define TROUPE_CLI_TOKEN_FILE_H

#include <jansson.h>
#include <stddef.h>

#include <troupe/error.h>

#define TOKEN_FILE_BYTES_MAX (16u << 20)

/* Add a row; a file that is not there yet is made with mode 0600. A link is followed, and an existing file keeps its
 * owner; its mode becomes 0600. The row is borrowed.
 * Fails: TROUPE_E_INVALID   it is no token file, or has a row with this id already
 *        TROUPE_E_INTERNAL  it cannot be read or written
 *        and a sentence in why */
TROUPE_MUST_USE int token_file_add(const char *path, const json_t *row, char *why, size_t why_cap);

#endif
