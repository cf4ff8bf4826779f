/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stdint.h>
#include <string.h>

/* In the order of `troupe help`: by how often they are wanted. */
const struct cli_command *const cli_commands[] = {
    &cmd_spawn,   &cmd_call,   &cmd_cast,       &cmd_ls,      &cmd_info,  &cmd_stop,    &cmd_names,
    &cmd_tail,    &cmd_top,    &cmd_tree,       &cmd_trace,   &cmd_state, &cmd_suspend, &cmd_resume,
    &cmd_timers,  &cmd_groups, &cmd_behaviors,  &cmd_nodes,   &cmd_watch, &cmd_status,  &cmd_token,
    &cmd_tickets, &cmd_doctor, &cmd_completion, &cmd_version, &cmd_help,  NULL,
};

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0) {
            return *at;
        }
    }
    return NULL;
}

#define GUESS_BYTES_MAX 16 /* longer words are no misspelt command */

/* Levenshtein's distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[GUESS_BYTES_MAX + 1];
    size_t b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *cli_command_guess(const char *name)
{
    const char *guess = NULL;
    size_t least = SIZE_MAX;
    if (strlen(name) < 2 || strlen(name) > GUESS_BYTES_MAX) {
        return NULL;
    }
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        size_t mistakes = distance(name, (*at)->name);
        size_t allowed = (*at)->name[0] == name[0] ? 2 : 1;
        if (mistakes <= allowed && mistakes < least) {
            least = mistakes;
            guess = (*at)->name;
        }
    }
    return guess;
}
