/* SPDX-License-Identifier: Apache-2.0
 *
 * The table entries, one from each cmd_*.c. */
#ifndef TROUPE_CLI_COMMANDS_H
#define TROUPE_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_behaviors;
extern const struct cli_command cmd_call;
extern const struct cli_command cmd_cast;
extern const struct cli_command cmd_completion;
extern const struct cli_command cmd_doctor;
extern const struct cli_command cmd_groups;
extern const struct cli_command cmd_help;
extern const struct cli_command cmd_info;
extern const struct cli_command cmd_ls;
extern const struct cli_command cmd_names;
extern const struct cli_command cmd_nodes;
extern const struct cli_command cmd_resume;
extern const struct cli_command cmd_spawn;
extern const struct cli_command cmd_state;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_stop;
extern const struct cli_command cmd_suspend;
extern const struct cli_command cmd_tail;
extern const struct cli_command cmd_tickets;
extern const struct cli_command cmd_timers;
extern const struct cli_command cmd_token;
extern const struct cli_command cmd_top;
extern const struct cli_command cmd_trace;
extern const struct cli_command cmd_tree;
extern const struct cli_command cmd_version;
extern const struct cli_command cmd_watch;

#endif
