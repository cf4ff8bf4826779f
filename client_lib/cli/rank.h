/* SPDX-License-Identifier: Apache-2.0
 *
 * Actors in the order in which they are wanted: what top shows. A round takes all actors as the node lists them; the
 * rate of one is how many messages it handled since the round before, so the first round has none.
 *
 * Thread: one at a time; pure. */
#ifndef TROUPE_CLI_RANK_H
#define TROUPE_CLI_RANK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>

#define RANK_ROWS_MAX 100000 /* actors that are looked at; a round of more says so */

enum rank_order { RANK_BY_DEPTH, RANK_BY_RATE, RANK_BY_PROCESSED, RANK_BY_UPTIME, RANK_BY_BYTES, RANK_ORDERS };

struct rank_row {
    json_t *actor; /* held: the document */
    int64_t depth, processed, uptime_ms, bytes;
    double rate; /* messages a second; negative: not known */
};

/* Zeroed memory is an empty ranking. */
struct rank {
    struct rank_row *rows; /* owned: of this round, by reference until rank_sort */
    size_t count, cap;
    struct rank_row *before; /* owned: of the round before, by reference */
    size_t before_count, before_cap;
    uint64_t at_ms, before_ms; /* when the rounds were taken; monotonic */
};

/* Begin a round: the rows of the last one are the round before. */
void rank_begin(struct rank *rank, uint64_t now_ms);

/* Add an actor; holds it. Fails: TROUPE_E_NO_MEMORY, TROUPE_E_LIMIT (RANK_ROWS_MAX) */
TROUPE_MUST_USE int rank_add(struct rank *rank, json_t *actor);

/* All are there: work out the rates. */
void rank_end(struct rank *rank);

/* Sort a copy of the rows, the largest first; ties by rate, depth and reference. Owns: the array is owned, its rows are
 * borrowed until the next rank_begin; NULL: no memory, or no rows. */
struct rank_row *rank_sort(const struct rank *rank, enum rank_order order);

/* Messages a second of all together; negative: not known. */
double rank_total_rate(const struct rank *rank);

void rank_fini(struct rank *rank);

#endif
