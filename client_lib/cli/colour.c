/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/colour.h"

#include <stdlib.h>
#include <string.h>

bool colour_is_wanted(const char *given, bool is_terminal)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (given != NULL && strcmp(given, "auto") != 0) {
        return strcmp(given, "always") == 0;
    }
    bool is_refused = no_color != NULL && no_color[0] != '\0';
    bool is_dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;
    return is_terminal && !is_refused && !is_dumb;
}

const char *colour_of(const char *word)
{
    static const struct {
        const char *word;
        const char *colour;
    } rows[] = {
        {"running", COLOUR_GOOD},
        {"up", COLOUR_GOOD},
        {"ok", COLOUR_GOOD},
        {"node.up", COLOUR_GOOD},
        {"starting", COLOUR_CHANGE},
        {"joining", COLOUR_CHANGE},
        {"draining", COLOUR_CHANGE},
        {"stopping", COLOUR_CHANGE},
        {"leaving", COLOUR_CHANGE},
        {"left", COLOUR_CHANGE},
        {"suspect", COLOUR_CHANGE},
        {"suspended", COLOUR_CHANGE},
        {"warn", COLOUR_CHANGE},
        {"node.joining", COLOUR_CHANGE},
        {"node.draining", COLOUR_CHANGE},
        {"node.left", COLOUR_CHANGE},
        {"stopped", COLOUR_BAD},
        {"down", COLOUR_BAD},
        {"fail", COLOUR_BAD},
        {"node.down", COLOUR_BAD},
        {"registry.lost", COLOUR_BAD},
        {"alarm_set", COLOUR_BAD},
        {"alarm_cleared", COLOUR_GOOD},
        {"registry.found", COLOUR_GOOD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].word, word) == 0) {
            return rows[i].colour;
        }
    }
    return "";
}
