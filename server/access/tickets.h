/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets: secrets that stand for a token once, within 30 seconds. They are for browsers, whose WebSocket and
 * EventSource send no Authorization: a page exchanges its token for one by REST, and the one that then stands in a URL
 * or a subprotocol is worth nothing any more when somebody reads it in a log.
 *
 * All have the same time to live, so the order in which they were made is the order in which they end: a list by age,
 * and a table of hashes that leads into it. Only hashes are kept.
 *
 * Thread: any; one lock, held for a look-up. */
#ifndef TROUPE_SERVER_TICKETS_H
#define TROUPE_SERVER_TICKETS_H

#include <troupe/error.h>

#include "access/access.h"

enum {
    TICKET_TTL_MS = 30000,
    TICKETS_MAX = 10000,         /* of a node */
    TICKETS_PER_TOKEN_MAX = 1000, /* so that no token can take them all */
    TICKET_TEXT_BYTES = 3 + 43 + 1 /* "tk_", 32 bytes in base64url, NUL */
};

struct tickets;
struct grants;

TROUPE_MUST_USE int tickets_new(struct tickets **ret_tickets);
void tickets_free(struct tickets *tickets);

/* Make a ticket that stands for `token`, which is held as long as the ticket lives. NULL: one that nobody looks at, and
 * that is not kept. `open` counts the tickets of one owner; it is guarded by the lock in here, and lives as long as the
 * token.
 * Fails: TROUPE_E_LIMIT, TROUPE_E_INTERNAL (no random bits). */
TROUPE_MUST_USE int tickets_issue(struct tickets *tickets, struct access_token *token, unsigned *open,
                                  uint64_t now_ms, char ret_ticket[static TICKET_TEXT_BYTES]);

/* Use a ticket up. Holds: *ret_token. Fails: TROUPE_E_UNAUTHORIZED. */
TROUPE_MUST_USE int tickets_redeem(struct tickets *tickets, troupe_view ticket, uint64_t now_ms,
                                   struct access_token **ret_token);

/* How many are open. */
unsigned tickets_count(struct tickets *tickets);

/* ---- of the node: made by access.c ---- */

/* A ticket for what the token may do, and no more than `narrowed` if that is not NULL (its content is taken, also on
 * failure, if there is a token). token NULL: there are no tokens, and nobody will look at the ticket.
 * Fails: as tickets_issue; TROUPE_E_FORBIDDEN (the token is what a narrowed ticket stands for). */
TROUPE_MUST_USE int access_issue_ticket(struct access *access, struct access_token *token, struct grants *narrowed,
                                        uint64_t now_ms, char ret_ticket[static TICKET_TEXT_BYTES]);

#endif
