/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of tokens: read strictly, so that a slip of the pen takes nobody's rights or gives them by accident.
 *
 *   {"tokens": [{"id": "web", "sha256": "<64 hexadecimal digits>", "subject": "web", "grants": ["read"],
 *                "name_prefix": "web-", "rate": 100, "connections_max": 1000, "expires_at": "2027-01-01T00:00:00Z"}]}
 *
 * Only id and sha256 are required. A complaint names the file, the row and its member; it shows no value, because that
 * may be a secret in the wrong place.
 *
 * Thread: any; rows do not change once they are read. */
#ifndef TROUPE_SERVER_TOKENS_H
#define TROUPE_SERVER_TOKENS_H

#include "access/grants.h"

enum {
    TOKENS_MAX = 10000,
    TOKENS_FILE_BYTES_MAX = 16 << 20,
    TOKEN_ID_BYTES_MAX = 64,
    TOKEN_SUBJECT_BYTES_MAX = 128,
    TOKEN_PREFIX_BYTES_MAX = 128,
    TOKEN_SECRET_BYTES_MAX = 256, /* what a client may send; longer is no token */
    TOKEN_HASH_BYTES = 32
};

struct token_row {
    struct token_row *older;     /* of the same token: the row before the last reload that changed it */
    char *source;                /* the row as text, to see whether a reload changes it */
    unsigned char hash[TOKEN_HASH_BYTES];
    char id[TOKEN_ID_BYTES_MAX + 1];
    char subject[TOKEN_SUBJECT_BYTES_MAX + 1];
    char name_prefix[TOKEN_PREFIX_BYTES_MAX + 1];
    uint32_t rate;               /* a second, 0: no limit */
    uint32_t connections_max;    /* 0: no limit */
    uint64_t expires_wall_ms;    /* 0: never */
    struct grants grants;
};

struct tokens {
    unsigned count;
    struct token_row **rows;     /* whoever takes one out leaves NULL */
};

/* Fails: TROUPE_E_INVALID, TROUPE_E_NO_MEMORY, with words. */
TROUPE_MUST_USE int tokens_read(const char *path, struct tokens *ret_tokens, char *words, size_t words_cap);

/* The same from text; name is what complaints call it. */
TROUPE_MUST_USE int tokens_parse(const char *name, const char *text, size_t len, struct tokens *ret_tokens,
                                 char *words, size_t words_cap);
void tokens_fini(struct tokens *tokens);
void token_row_free(struct token_row *row);

/* SHA-256. */
void tokens_hash(troupe_view secret, unsigned char hash[static TOKEN_HASH_BYTES]);

#endif
