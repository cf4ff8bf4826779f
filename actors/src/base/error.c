/* SPDX-License-Identifier: Apache-2.0
 *
 * The error table as rows, and the look-ups over it. A number that is used twice in error.def does not compile (it
 * would be a second equal case label).
 *
 * Thread: any; all data is constant. */
#include <troupe/error.h>
#include <troupe/view.h>

enum row {
#define TROUPE_ERROR(name, number, code, http, retry, outcome, text) ROW_##name,
#include <troupe/error.def>
#undef TROUPE_ERROR
    ROW_COUNT
};

static const troupe_error_info rows[ROW_COUNT] = {
#define TROUPE_ERROR(name, number, code, http, retry, outcome, text)                                                   \
    {-(number), http, TROUPE_RETRY_##retry, TROUPE_OUTCOME_##outcome, code, text},
#include <troupe/error.def>
#undef TROUPE_ERROR
};

const troupe_error_info *troupe_error_lookup(int error)
{
    switch (error) {
#define TROUPE_ERROR(name, number, code, http, retry, outcome, text)                                                   \
    case -(number):                                                                                                    \
        return &rows[ROW_##name];
#include <troupe/error.def>
#undef TROUPE_ERROR
    default:
        return &rows[ROW_INTERNAL];
    }
}

const troupe_error_info *troupe_error_by_code(const char *code)
{
    troupe_view wanted = troupe_view_of(code);

    for (unsigned i = 0; i < ROW_COUNT; i++) {
        if (troupe_view_equal(wanted, troupe_view_of(rows[i].code))) {
            return &rows[i];
        }
    }
    return NULL;
}

const troupe_error_info *troupe_error_at(unsigned i) { return i < ROW_COUNT ? &rows[i] : NULL; }

const char *troupe_retry_word(enum troupe_retry retry)
{
    switch (retry) {
    case TROUPE_RETRY_YES:
        return "yes";
    case TROUPE_RETRY_IF_IDEMPOTENT:
        return "if_idempotent";
    case TROUPE_RETRY_NO:
        break;
    }
    return "no";
}

const char *troupe_outcome_word(enum troupe_outcome outcome)
{
    return outcome == TROUPE_OUTCOME_NOT_DONE ? "not_done" : "unknown";
}
