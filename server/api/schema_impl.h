/* SPDX-License-Identifier: Apache-2.0
 *
 * A compiled schema: what schema_compile.c makes and schema_check.c reads. Schemas inside each other are rows of one
 * table, which name each other by index; row 0 is the outermost. */
#ifndef TROUPE_SERVER_SCHEMA_IMPL_H
#define TROUPE_SERVER_SCHEMA_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include <troupe/json.h>

#include "api/schema.h"

enum { SCHEMA_ANY = -1, SCHEMA_NONE = -2 }; /* instead of an index: every value fits; none does */

/* Sets of types. An integer is a number too. */
enum {
    SCHEMA_NULL = 1, SCHEMA_BOOLEAN = 2, SCHEMA_INTEGER = 4, SCHEMA_NUMBER = 8, SCHEMA_STRING = 16, SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64, SCHEMA_ALL_TYPES = 127
};

/* A number: exact when it is an integer of 64 bits. */
struct schema_number {
    bool is_exact;
    int64_t exact;
    double value;
};

struct schema_bound {
    bool is_set, is_exclusive;
    struct schema_number at;
};

/* A member of an object. */
struct schema_property {
    char *name;                  /* owned */
    size_t name_len;
    int node;                    /* or SCHEMA_ANY, SCHEMA_NONE */
};

/* A value of an enum. */
struct schema_value {
    enum troupe_json_type type;
    bool is_true;
    struct schema_number number;
    char *text;                  /* owned; of a string, which has no U+0000 */
};

struct schema_node {
    unsigned types;              /* a set */
    struct schema_bound min, max;
    uint64_t length_min, length_max; /* characters */
    uint64_t items_min, items_max;
    int items;                   /* of an array: an index, SCHEMA_ANY, SCHEMA_NONE */
    int additional;              /* of an object: of members that are not in the list */
    struct schema_property *properties; /* owned */
    unsigned properties_count;
    uint64_t required;           /* a bit for each property */
    struct schema_value *values; /* owned; NULL: no enum */
    unsigned values_count;
};

struct schema {
    struct schema_node *nodes;   /* owned */
    unsigned nodes_count;
};

/* Read a JSON number. One that is too large for a double is infinite. */
struct schema_number schema_number_read(troupe_view text);

/* Less than 0, 0, more than 0. */
int schema_number_compare(const struct schema_number *a, const struct schema_number *b);

/* ---- schema_quick.c ---- */

/* True: this body fits. False: the careful way has to say. body has one byte at least. */
bool schema_fits_plainly(const struct schema *schema, troupe_view body);

/* ---- pointers ---- */

/* Add a step: "/", and its text with ~ and / escaped. One for which there is no room is left out, as are those after
 * it. */
struct schema_path {
    char *text;                  /* SCHEMA_POINTER_BYTES */
    size_t len;
    bool is_full;
};
void schema_path_add(struct schema_path *path, troupe_view step);

#endif
