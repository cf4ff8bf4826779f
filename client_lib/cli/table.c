/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/colour.h"

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

void table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
    assert(column_count >= 1 && column_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.columns = columns, .column_count = column_count};
    for (size_t i = 0; i < column_count; i++) {
        table->width[i] = width_of(columns[i].title);
    }
}

static int make_room(struct table *table)
{
    if (table->cell_count + table->column_count <= table->cell_cap) {
        return 0;
    }
    size_t cap = table->cell_cap == 0 ? 16 * table->column_count : 2 * table->cell_cap;
    char **cells = realloc(table->cells, cap * sizeof *cells);
    if (cells == NULL) {
        return TROUPE_E_NO_MEMORY;
    }
    table->cells = cells;
    table->cell_cap = cap;
    return 0;
}

int table_add(struct table *table, const char *const *cells)
{
    int rc = make_room(table);
    size_t made = 0;
    char **row = table->cells + table->cell_count;
    for (; rc == 0 && made < table->column_count; made++) {
        size_t cap = 4 * strlen(cells[made]) + 1; /* if each byte became \xNN */
        row[made] = malloc(cap);
        if (row[made] == NULL) {
            rc = TROUPE_E_NO_MEMORY;
            break;
        }
        cli_clean_copy(row[made], cap, cells[made]);
    }
    if (rc != 0) {
        while (made > 0) {
            free(row[--made]);
        }
        return rc;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        size_t width = width_of(row[i]);
        table->width[i] = width > table->width[i] ? width : table->width[i];
    }
    table->cell_count += table->column_count;
    return 0;
}

static void write_cell(const struct table *table, size_t column, bool is_last, const char *cell, const char *colour,
                       FILE *file)
{
    const char *end = colour_end(colour);
    size_t width = width_of(cell);
    size_t pad = table->width[column] > width ? table->width[column] - width : 0;
    if (table->columns[column].is_number) {
        fprintf(file, "%*s%s%s%s", (int)pad, "", colour, cell, end);
    } else {
        fprintf(file, "%s%s%s%*s", colour, cell, end, is_last ? 0 : (int)pad, "");
    }
    fputs(is_last ? "\n" : "  ", file);
}

/* Empty cells at the end of a row are left out; frees the cells. */
static void write_row(const struct table *table, char **cells, FILE *file)
{
    size_t count = table->column_count;
    while (count > 1 && cells[count - 1][0] == '\0') {
        free(cells[--count]);
    }
    for (size_t i = 0; i < count; i++) {
        bool is_state = table->has_colour && table->columns[i].is_state;
        write_cell(table, i, i + 1 == count, cells[i], is_state ? colour_of(cells[i]) : "", file);
        free(cells[i]);
    }
}

void table_write(struct table *table, FILE *file)
{
    for (size_t i = 0; !table->has_title && i < table->column_count; i++) {
        bool is_last = i + 1 == table->column_count;
        write_cell(table, i, is_last, table->columns[i].title, table->has_colour ? COLOUR_TITLE : "", file);
    }
    table->has_title = true;
    for (size_t i = 0; i < table->cell_count; i += table->column_count) {
        write_row(table, &table->cells[i], file);
    }
    table->cell_count = 0;
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct table){0};
}
