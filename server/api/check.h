/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies that the API reads, by declarative tables: one row per field says its name, type and range and where the
 * value goes. One checker gives the same words for the same fault everywhere.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_CHECK_H
#define TROUPE_SERVER_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

enum check_type {
    CHECK_TEXT = 1,              /* char[max + 1], a C string; not empty */
    CHECK_UINT,                  /* uint32_t, min to max */
    CHECK_WORD,                  /* uint32_t, the index in words */
    CHECK_ANY,                   /* troupe_view, the JSON text as it came */
    CHECK_BOOL,                  /* uint32_t, 0 or 1 */
    CHECK_OBJECT                 /* fields, into the same struct */
};

struct check_field {
    const char *name;            /* NULL ends a table */
    enum check_type type;
    bool required;
    uint64_t min, max;
    const char *const *words;    /* ends with NULL */
    const struct check_field *fields;
    size_t offset;               /* in the struct that is filled */
};

enum { CHECK_FIELD_BYTES = 96, CHECK_DETAIL_BYTES = 256 };

struct check_fault {
    int error;                   /* TROUPE_E_MALFORMED (no JSON), TROUPE_E_SCHEMA */
    char field[CHECK_FIELD_BYTES]; /* "mailbox.policy", "" for the body */
    char detail[CHECK_DETAIL_BYTES]; /* what is wrong and what to do */
};

/* Read an object. Fields that are absent, or null, leave the struct as it is. An unknown field, a field that comes
 * twice and a missing required one are TROUPE_E_SCHEMA.
 *
 * Lives: views in the struct are valid as long as the body. */
TROUPE_MUST_USE int check_object(const char *body, size_t len, const struct check_field *fields, void *dst,
                                 struct check_fault *ret_fault);

/* Is this a word of the API: 1 to 64 of A-Z a-z 0-9 _ . : -? */
bool check_is_word(troupe_view word);

/* May an actor have this name? check_name_rule says in words what one is. */
bool check_is_name(troupe_view name);
extern const char check_name_rule[];

#endif
