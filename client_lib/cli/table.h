/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables for people and for awk: columns by two spaces, numbers to the right, nothing cut, no trailing spaces, and no
 * colour unless asked for. Rows are collected and written in batches; a later batch keeps the widths of the earlier
 * ones where it can. Width counts characters (code points); control characters are written as \xNN.
 *
 * Thread: one at a time. */
#ifndef TROUPE_CLI_TABLE_H
#define TROUPE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <troupe/error.h>

#define TABLE_COLUMNS_MAX 12

struct table_column {
    const char *title;
    bool is_number; /* aligned to the right */
    bool is_state;  /* coloured by its word, where colours are wanted */
};

struct table {
    const struct table_column *columns; /* borrowed */
    size_t column_count;
    size_t width[TABLE_COLUMNS_MAX];
    char **cells; /* owned, row by row */
    size_t cell_count, cell_cap;
    bool has_colour; /* set by the caller after table_init */
    bool has_title;  /* is the title line written? */
};

void table_init(struct table *table, const struct table_column *columns, size_t column_count);

/* Add a row; copies the cells. Fails: TROUPE_E_NO_MEMORY */
TROUPE_MUST_USE int table_add(struct table *table, const char *const *cells);

/* Write the title line, once, and the rows collected so far; the table is then without rows. */
void table_write(struct table *table, FILE *file);

void table_fini(struct table *table);

#endif
