/* SPDX-License-Identifier: Apache-2.0
 *
 * The message of call, cast and their kind: REF TYPE [BODY], the body from an argument, standard input or a file. */
#ifndef TROUPE_CLI_MESSAGE_H
#define TROUPE_CLI_MESSAGE_H

#include "cli/cli.h"

#define CLI_BODY_BYTES_MAX (16u << 20) /* the hard limit of a node */
#define CLI_DELAY_MS_MAX 3600000000u   /* 1000h: what a node lets a message wait */

struct cli_message {
    troupe_client_message message; /* body points into `owned` or an argument */
    char *owned;                   /* owned; NULL when the body is an argument */
};

/* Read the message from the command line: REF is the argument of index `at`, TYPE and BODY follow; complains. Returns a
 * cli_exit; on success call cli_message_fini. */
TROUPE_MUST_USE int cli_message_read(const struct cli *cli, int at, struct cli_message *ret_message);

void cli_message_fini(struct cli_message *message);

extern const struct cli_option_use cli_call_options[];
extern const struct cli_option_use cli_cast_options[];

#endif
