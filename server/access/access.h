/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may do what: tokens, their grants, and the one question that everything asks: access_allows().
 *
 * A grant is `scope[:target[:type]]`, and each part may have * as a wildcard for any bytes:
 *
 *   scope    read, message, spawn, stop, host, admin, or * for all of them
 *   target   *                  anything (so it is without a target)
 *            BEHAVIOR/KEY       actors of this behavior; KEY is an entity's key, "*" for all and for actors without
 *            @NAME              actors that have this name
 *            +GROUP             groups
 *   type     message types
 *
 * In a target and a type, %XX stands for a byte that would be read as : * or %. A type is for the scope message (or *)
 * only. Examples: read, message:counter/x:add, host:@cursor-x with x an asterisk.
 *
 * The tokens are read from a file, and again at each reload. What a reload changes is true at once, for open sessions
 * and event streams too: a token that was held stays the same object, with new grants, or allows nothing any more when
 * it is not in the file any more. Without a token file everything is allowed to everyone, and `token` is NULL
 * throughout. `access` may be NULL too: there are neither tokens nor limits.
 *
 * Thread: any, but access_reload. */
#ifndef TROUPE_SERVER_ACCESS_H
#define TROUPE_SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

enum access_scope {
    ACCESS_PUBLIC = 0,           /* no token is needed */
    ACCESS_TOKEN,                /* any token that is valid, whatever its grants: no scope that can be granted */
    ACCESS_READ, ACCESS_MESSAGE, ACCESS_SPAWN, ACCESS_STOP, ACCESS_HOST, ACCESS_ADMIN,
    ACCESS_SCOPES
};
const char *access_scope_word(enum access_scope scope);

/* What a request wants to touch; views may be empty: not known, or there is none. All empty: the node as a whole, which
 * only a grant for everything covers. */
struct access_target {
    troupe_view behavior, key, name, group, type;
};

struct access;                   /* all that concerns tokens: the present table, tickets, rates */
struct access_token;             /* a token, or what a ticket stands for. Counted: hold, drop */

struct access_config {
    const char *tokens_file;     /* NULL or "": no tokens, everything is allowed */
    uint64_t address_rate;       /* requests and frames a second of one address, 0: no limit; loopback has none */
    uint32_t address_connections_max; /* connections of one address, 0: no limit; loopback has none */
    uint64_t (*wall_ms)(void);   /* wall time, for expires_at; NULL: the system's clock */
};

/* Fails: TROUPE_E_... with a line in words that names file, place and remedy, and never shows what a secret may be. */
TROUPE_MUST_USE int access_new(const struct access_config *config, struct access **ret_access, char *words,
                               size_t words_cap);
void access_free(struct access *access);

/* Read the file again; on failure the table stays as it is. Thread: control. */
TROUPE_MUST_USE int access_reload(struct access *access, char *words, size_t words_cap);

/* Are there tokens at all? */
bool access_is_on(const struct access *access);

/* Whose is it? `secret` is a token or, if is_ticket, a ticket, which is used up by this (access/tickets.h).
 * Holds: *ret_token. Fails: TROUPE_E_UNAUTHORIZED (unknown, expired, used). Time does not tell how much of it fits. */
TROUPE_MUST_USE int access_identify(struct access *access, troupe_view secret, bool is_ticket, uint64_t now_ms,
                                    struct access_token **ret_token);
void access_token_hold(struct access_token *token);
void access_token_drop(struct access_token *token); /* NULL is legal */

/* May it? token NULL: yes (there are no tokens). */
bool access_allows(const struct access_token *token, enum access_scope scope, const struct access_target *target);

/* May it do this to anything at all? For lists, which are filtered item by item, and for first checks. */
bool access_allows_some(const struct access_token *token, enum access_scope scope);

/* Is a name one that this token may give: does it begin with the token's prefix? */
bool access_name_is_allowed(const struct access_token *token, troupe_view name);

/* Who it is, for messages and audit lines: "" for NULL. A C string too. Lives: as long as the token is held. */
troupe_view access_subject(const struct access_token *token);

/* The id of its row in the file, for people; "" for NULL. Lives: as long as the token is held. */
const char *access_token_id(const struct access_token *token);

/* May it be used still: is it in the file, and not expired? What was identified before asks this again. */
bool access_token_is_live(const struct access_token *token);

/* Take one request or frame from the token's rate. 0, or the ms until there is one again. */
uint32_t access_take_rate(struct access_token *token, uint64_t now_ms);

/* Count a WebSocket session or event stream of the token in (false: it has as many as it may) and out. */
bool access_connection_enter(struct access_token *token);
void access_connection_leave(struct access_token *token);

/* For metrics: count a refusal by its error, and tell how many there were. Those of TROUPE_E_UNAUTHORIZED,
 * TROUPE_E_FORBIDDEN and TROUPE_E_RATE are counted, others not. */
void access_note_refusal(struct access *access, int error);
uint64_t access_refusals(const struct access *access, int error);

/* Connections and rates of addresses: an IPv4 address, or the /64 of an IPv6 address. Loopback is exempt. A connection
 * is known by its descriptor: enter when it is accepted (false: its address has as many as it may, and nothing was
 * counted), leave before its descriptor is closed for good, move when another descriptor stands for it from now on
 * (dup). Both are legal for descriptors that never entered. One that was closed without leave is put right when it is
 * entered again. */
bool access_address_enter(struct access *access, int fd, uint64_t now_ms);
void access_address_move(struct access *access, int from_fd, int to_fd);
void access_address_leave(struct access *access, int fd);
/* As access_take_rate, for the address behind the descriptor. */
uint32_t access_address_take_rate(struct access *access, int fd, uint64_t now_ms);

#endif
