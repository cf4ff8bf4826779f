/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors: one table (error.def), negative codes. A function that can fail returns 0 or a negative TROUPE_E_...;
 * one that counts returns the count or a negative code. Out parameters are untouched on failure.
 *
 * Thread: any, for everything in this file. */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include <stdint.h>

#if defined(__GNUC__)
#define TROUPE_MUST_USE __attribute__((warn_unused_result))
#else
#define TROUPE_MUST_USE
#endif

enum troupe_error {
    TROUPE_OK = 0,
#define TROUPE_ERROR(name, number, code, http, retry, outcome, text) TROUPE_E_##name = -(number),
#include <troupe/error.def>
#undef TROUPE_ERROR
};

/* May the caller send the same again? */
enum troupe_retry { TROUPE_RETRY_NO = 0, TROUPE_RETRY_IF_IDEMPOTENT = 1, TROUPE_RETRY_YES = 2 };

/* Did it happen? */
enum troupe_outcome { TROUPE_OUTCOME_NOT_DONE = 0, TROUPE_OUTCOME_UNKNOWN = 1 };

/* One row of the table. Lives: for ever; all strings are literals. */
typedef struct troupe_error_info {
    int error;                   /* TROUPE_E_..., negative */
    int http_status;             /* 400..599 */
    enum troupe_retry retry;
    enum troupe_outcome outcome;
    const char *code;            /* "mailbox_full" */
    const char *text;            /* "The mailbox is full" */
} troupe_error_info;

/* Look up a row; an unknown number gives the row of TROUPE_E_INTERNAL. Never NULL. */
const troupe_error_info *troupe_error_lookup(int error);

/* Look up a row by its code string; NULL when there is none. */
const troupe_error_info *troupe_error_by_code(const char *code);

/* Walk the table: row i, or NULL past the end. */
const troupe_error_info *troupe_error_at(unsigned i);

/* The words of the two enums: "no", "if_idempotent", "yes"; "not_done", "unknown". */
const char *troupe_retry_word(enum troupe_retry retry);
const char *troupe_outcome_word(enum troupe_outcome outcome);

#endif
