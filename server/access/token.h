/* SPDX-License-Identifier: Apache-2.0
 *
 * A token that lives, inside of access/. It is one object for as long as anybody holds it, known by the hash of its
 * secret; its row, what the file says of it, may change with each reload. Rows are never freed before their token: who
 * reads one needs no lock and no count. A row is replaced only when the file was edited there, so a token has few.
 *
 * Thread: any, but token_set_row and token_revoke: control. */
#ifndef TROUPE_SERVER_TOKEN_H
#define TROUPE_SERVER_TOKEN_H

#include <stdatomic.h>

#include "access/rates.h"
#include "access/tokens.h"

struct access_token {
    /* set once */
    uint64_t (*wall_ms)(void);
    unsigned char hash[TOKEN_HASH_BYTES];
    struct access_token *base;   /* of a ticket: the token that it was made with, held. NULL: it is one itself */
    struct grants narrowed;      /* of a ticket: it may do no more than this */
    /* any thread */
    atomic_uint holds;
    _Atomic(struct token_row *) row; /* the newest; its elders hang on it */
    atomic_bool is_revoked;
    struct rate rate;
    atomic_uint connections;
    unsigned tickets;            /* guarded by the lock of the tickets */
};

/* Make one, held once, without a row. NULL: no memory. */
struct access_token *token_new(uint64_t (*wall_ms)(void));

/* Give it a row, which it owns from then on; the first one before anybody else has the token. */
void token_set_row(struct access_token *token, struct token_row *row);

/* Its present row; NULL before the first. */
const struct token_row *token_row(const struct access_token *token);

/* It allows nothing any more, for ever. */
void token_revoke(struct access_token *token);

#endif
