/* SPDX-License-Identifier: Apache-2.0
 *
 * The alarms that are set on the asked node: long mailboxes and long turns, from GET /v1/node.
 *
 * Thread: one. */
#ifndef TROUPE_CLI_ALARMS_H
#define TROUPE_CLI_ALARMS_H

#include "cli/cli.h"

/* Ask for them; where the node has none, or the token may not see them, the list is empty.
 * Owns: *ret is owned; NULL: no memory. */
json_t *alarms_ask(struct cli *cli);

/* One as words: "long_mailbox of n.a.1.1 (counter): 9000 messages, threshold 8000". */
void alarms_format(const json_t *alarm, char *out, size_t cap);

/* The kinds that are set for an actor, "long_mailbox long_turn", or "-". */
void alarms_of(const json_t *alarms, const char *ref, char *cell);

#endif
