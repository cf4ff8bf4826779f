/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rank.h"

#include <stdlib.h>
#include <string.h>

static const char *ref_of(const struct rank_row *row)
{
    const char *ref = json_string_value(json_object_get(row->actor, "ref"));
    return ref != NULL ? ref : "";
}

static int by_ref(const void *a, const void *b) { return strcmp(ref_of(a), ref_of(b)); }

static void drop_rows(struct rank_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(rows[i].actor);
    }
}

void rank_begin(struct rank *rank, uint64_t now_ms)
{
    struct rank_row *rows = rank->before;
    size_t cap = rank->before_cap;
    drop_rows(rank->before, rank->before_count);
    rank->before = rank->rows;
    rank->before_count = rank->count;
    rank->before_cap = rank->cap;
    rank->before_ms = rank->at_ms;
    rank->rows = rows;
    rank->count = 0;
    rank->cap = cap;
    rank->at_ms = now_ms;
}

int rank_add(struct rank *rank, json_t *actor)
{
    if (rank->count == RANK_ROWS_MAX) {
        return TROUPE_E_LIMIT;
    }
    if (rank->count == rank->cap) {
        size_t cap = rank->cap == 0 ? 64 : 2 * rank->cap;
        struct rank_row *rows = realloc(rank->rows, cap * sizeof *rows);
        if (rows == NULL) {
            return TROUPE_E_NO_MEMORY;
        }
        rank->rows = rows;
        rank->cap = cap;
    }
    rank->rows[rank->count++] = (struct rank_row){
        .actor = json_incref(actor),
        .depth = json_integer_value(json_object_get(json_object_get(actor, "mailbox"), "depth")),
        .processed = json_integer_value(json_object_get(actor, "processed")),
        .uptime_ms = json_integer_value(json_object_get(actor, "uptime_ms")),
        .bytes = json_integer_value(json_object_get(json_object_get(actor, "mailbox"), "bytes")),
        .rate = -1,
    };
    return 0;
}

void rank_end(struct rank *rank)
{
    if (rank->count > 0) {
        qsort(rank->rows, rank->count, sizeof *rank->rows, by_ref);
    }
    double seconds = (double)(rank->at_ms - rank->before_ms) / 1000;
    for (size_t i = 0; i < rank->count && rank->before_count > 0 && seconds > 0; i++) {
        struct rank_row *row = &rank->rows[i];
        const struct rank_row *old = bsearch(row, rank->before, rank->before_count, sizeof *row, by_ref);
        if (old != NULL && row->processed >= old->processed) {
            row->rate = (double)(row->processed - old->processed) / seconds;
        }
    }
}

static int compare(double a, double b) { return a > b ? -1 : a < b; }

/* qsort has no context; one order after the other, the most important one first. */
static int by_rest(const struct rank_row *a, const struct rank_row *b)
{
    int order = compare(a->rate, b->rate);
    order = order != 0 ? order : compare((double)a->depth, (double)b->depth);
    order = order != 0 ? order : compare((double)a->processed, (double)b->processed);
    return order != 0 ? order : by_ref(a, b);
}

static int by_depth(const void *a, const void *b)
{
    int order = compare((double)((const struct rank_row *)a)->depth, (double)((const struct rank_row *)b)->depth);
    return order != 0 ? order : by_rest(a, b);
}

static int by_rate(const void *a, const void *b) { return by_rest(a, b); }

static int by_processed(const void *a, const void *b)
{
    int order =
        compare((double)((const struct rank_row *)a)->processed, (double)((const struct rank_row *)b)->processed);
    return order != 0 ? order : by_rest(a, b);
}

static int by_uptime(const void *a, const void *b)
{
    int order =
        compare((double)((const struct rank_row *)a)->uptime_ms, (double)((const struct rank_row *)b)->uptime_ms);
    return order != 0 ? order : by_rest(a, b);
}

static int by_bytes(const void *a, const void *b)
{
    int order = compare((double)((const struct rank_row *)a)->bytes, (double)((const struct rank_row *)b)->bytes);
    return order != 0 ? order : by_rest(a, b);
}

struct rank_row *rank_sort(const struct rank *rank, enum rank_order order)
{
    static int (*const orders[RANK_ORDERS])(const void *a, const void *b) = {by_depth, by_rate, by_processed, by_uptime,
                                                                             by_bytes};
    struct rank_row *rows = rank->count > 0 ? malloc(rank->count * sizeof *rows) : NULL;
    if (rows != NULL) {
        memcpy(rows, rank->rows, rank->count * sizeof *rows);
        qsort(rows, rank->count, sizeof *rows, orders[order]);
    }
    return rows;
}

double rank_total_rate(const struct rank *rank)
{
    double total = -1;
    for (size_t i = 0; i < rank->count; i++) {
        if (rank->rows[i].rate >= 0) {
            total = (total > 0 ? total : 0) + rank->rows[i].rate;
        }
    }
    return total;
}

void rank_fini(struct rank *rank)
{
    drop_rows(rank->rows, rank->count);
    drop_rows(rank->before, rank->before_count);
    free(rank->rows);
    free(rank->before);
    *rank = (struct rank){0};
}
