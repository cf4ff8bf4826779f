/* SPDX-License-Identifier: Apache-2.0
 *
 * Grants: what they look like as text (access.h), and whether they cover a target.
 *
 * A pattern is kept as the literal pieces between its asterisks. The first piece must begin the text, the last must end
 * it, and those between are found from left to right, each at its first place: if any fit exists, this one does. So a
 * comparison is one pass over the text with memmem, and no pattern makes it slow.
 *
 * Thread: any; grants do not change once they are parsed. */
#ifndef TROUPE_SERVER_GRANTS_H
#define TROUPE_SERVER_GRANTS_H

#include <jansson.h>

#include <troupe/error.h>

#include "access/access.h"

enum {
    GRANTS_MAX = 64,             /* of a token or a ticket */
    GRANT_BYTES_MAX = 1024,
    GRANT_STARS_MAX = 8          /* in one pattern */
};

struct grant_pattern {
    char *bytes;                 /* the pieces, one behind the other, with their escapes decoded */
    unsigned char stars;
    unsigned short ends[GRANT_STARS_MAX + 1]; /* piece i is bytes[ends[i - 1] .. ends[i]) */
};

enum grant_kind { GRANT_ANYTHING, GRANT_BEHAVIOR, GRANT_NAME, GRANT_GROUP };

struct grant {
    unsigned scopes;             /* bit per scope */
    enum grant_kind kind;
    bool any_type;
    struct grant_pattern target; /* behavior, name or group */
    struct grant_pattern key;    /* with GRANT_BEHAVIOR */
    struct grant_pattern type;   /* unless any_type */
};

struct grants {
    unsigned count;
    unsigned scopes_some;        /* bit per scope: there is a grant with it */
    unsigned scopes_all;         /* bit per scope: there is one that covers everything */
    struct grant *list;
};

/* Parse one more. On failure the grants are as before, and *ret_words, a literal, says what is wrong and what to write.
 * Fails: TROUPE_E_INVALID, TROUPE_E_LIMIT (too many), TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int grants_add(struct grants *grants, troupe_view text, const char **ret_words);

/* The same for all of a list; on failure *ret_at is the place of the one that is to blame. */
TROUPE_MUST_USE int grants_add_list(struct grants *grants, const json_t *list, size_t *ret_at, const char **ret_words);

/* Of zeroed grants it is legal. */
void grants_fini(struct grants *grants);

bool grants_cover(const struct grants *grants, enum access_scope scope, const struct access_target *target);
bool grants_cover_some(const struct grants *grants, enum access_scope scope);

/* The matcher by itself, for tests. Fails: as grants_add. */
TROUPE_MUST_USE int grant_pattern_parse(struct grant_pattern *pattern, troupe_view text, const char **ret_words);
bool grant_pattern_fits(const struct grant_pattern *pattern, troupe_view text);

#endif
