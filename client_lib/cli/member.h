/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of a document as table cells: an absent or null one is "-".
 *
 * Thread: any. */
#ifndef TROUPE_CLI_MEMBER_H
#define TROUPE_CLI_MEMBER_H

#include <inttypes.h>

#include "cli/cli.h"

static inline void member_text(const json_t *document, const char *key, char *cell)
{
    const char *text = json_string_value(json_object_get(document, key));
    snprintf(cell, CLI_CELL_BYTES, "%s", text != NULL ? text : "-");
}

static inline void member_count(const json_t *document, const char *key, char *cell)
{
    const json_t *count = json_object_get(document, key);
    if (json_is_integer(count)) {
        snprintf(cell, CLI_CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(count));
    } else {
        snprintf(cell, CLI_CELL_BYTES, "-");
    }
}

/* The state of an actor; one that runs but was told to wait is "suspended". */
static inline void member_state(const json_t *actor, char *cell)
{
    member_text(actor, "state", cell);
    if (json_is_true(json_object_get(actor, "suspended")) && cell[0] == 'r') {
        snprintf(cell, CLI_CELL_BYTES, "suspended");
    }
}

static inline void member_duration(const json_t *document, const char *key, char *cell)
{
    const json_t *ms = json_object_get(document, key);
    cli_duration_format(json_is_integer(ms) ? json_integer_value(ms) : -1, cell, CLI_CELL_BYTES);
}

#endif
