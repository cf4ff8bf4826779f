/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a JSON value as a YAML 1.2 document in block style. A string is left plain only when every YAML reader takes
 * it for a string; otherwise it is double quoted. Members keep their order.
 *
 * Thread: any. */
#ifndef TROUPE_CLI_YAML_H
#define TROUPE_CLI_YAML_H

#include <jansson.h>
#include <stdio.h>

void yaml_write(const json_t *document, FILE *file);

#endif
