/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of json_suite.def, each given to the validation and to a full read through the pull reader, which must
 * agree to the byte; what is accepted is written again and must be read back as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/json.h>

#include "json_copy.h"
#include "random_input.h"

enum verdict { MUST_ACCEPT, MUST_REFUSE, CHOSE_ACCEPT, CHOSE_REFUSE, VERDICTS };

struct suite_case {
    enum verdict verdict;
    const char *bytes;
    size_t len;
    size_t repeat;
};

static const struct suite_case cases[] = {
#define ACCEPT(bytes) {MUST_ACCEPT, bytes, sizeof(bytes) - 1, 1},
#define REFUSE(bytes) {MUST_REFUSE, bytes, sizeof(bytes) - 1, 1},
#define REFUSE_MANY(count, bytes) {MUST_REFUSE, bytes, sizeof(bytes) - 1, count},
#define MAY_ACCEPT(bytes, why) {CHOSE_ACCEPT, bytes, sizeof(bytes) - 1, 1},
#define MAY_REFUSE(bytes, why) {CHOSE_REFUSE, bytes, sizeof(bytes) - 1, 1},
#include "json_suite.def"
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* Print a case, so that a failure names it. */
static void explain(const struct suite_case *c, const char *what)
{
    fprintf(stderr, "%s: ", what);
    for (size_t i = 0; i < c->len; i++) {
        unsigned char byte = (unsigned char)c->bytes[i];

        fprintf(stderr, byte >= 0x20 && byte < 0x7f ? "%c" : "<%02x>", byte);
    }
    fprintf(stderr, c->repeat > 1 ? " (%zu times)\n" : "\n", c->repeat);
}

static char *bytes_of(const struct suite_case *c, size_t *ret_len)
{
    char *input = malloc(c->len * c->repeat);

    assert_non_null(input);
    for (size_t i = 0; i < c->repeat; i++) {
        memcpy(input + i * c->len, c->bytes, c->len);
    }
    *ret_len = c->len * c->repeat;
    return input;
}

/* Run all cases of a verdict; returns how many. */
static size_t run_cases(enum verdict verdict)
{
    bool accept = verdict == MUST_ACCEPT || verdict == CHOSE_ACCEPT;
    size_t count = 0, failures = 0;

    for (size_t i = 0; i < CASE_COUNT; i++) {
        const struct suite_case *c = &cases[i];
        size_t len, offset = SIZE_MAX;
        char *input;
        int rc;

        if (c->verdict != verdict) {
            continue;
        }
        count++;
        input = bytes_of(c, &len);
        rc = troupe_json_validate(input, len, &offset);
        if (accept ? rc != 0 : rc != TROUPE_E_MALFORMED) {
            explain(c, accept ? "should be accepted" : "should be refused");
            failures++;
        }
        if (accept ? offset != SIZE_MAX : offset > len) {
            explain(c, "has a wrong offset of the error");
            failures++;
        }
        free(input);
    }
    assert_int_equal(failures, 0);
    return count;
}

static void test_what_is_json_is_accepted(void **state)
{
    (void)state;
    assert_true(run_cases(MUST_ACCEPT) >= 95);
}

static void test_what_is_not_json_is_refused(void **state)
{
    (void)state;
    assert_true(run_cases(MUST_REFUSE) >= 188);
}

static void test_what_is_left_open_is_decided_as_documented(void **state)
{
    (void)state;
    assert_int_equal(run_cases(CHOSE_ACCEPT) + run_cases(CHOSE_REFUSE), 35);
}

static void test_the_full_read_agrees_with_the_validation(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        size_t len, offset = SIZE_MAX, read_offset = SIZE_MAX;
        char *input = bytes_of(&cases[i], &len);
        troupe_view copy = {NULL, 0};
        int rc = troupe_json_validate(input, len, &offset);
        int read_rc = copy_text(input, len, &copy, &read_offset);

        if (rc != read_rc || offset != read_offset) {
            explain(&cases[i], "is read differently");
        }
        assert_int_equal(rc, read_rc);
        assert_int_equal(offset, read_offset);
        free((void *)(uintptr_t)copy.ptr);
        free(input);
    }
}

static void test_what_is_accepted_survives_being_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        size_t len, offset;
        char *input;
        troupe_view once = {NULL, 0}, twice = {NULL, 0};

        if (cases[i].verdict != MUST_ACCEPT && cases[i].verdict != CHOSE_ACCEPT) {
            continue;
        }
        input = bytes_of(&cases[i], &len);
        assert_int_equal(copy_text(input, len, &once, &offset), 0);
        assert_int_equal(troupe_json_validate(once.ptr, once.len, NULL), 0);
        assert_int_equal(copy_text(once.ptr, once.len, &twice, &offset), 0);
        assert_int_equal(once.len, twice.len);
        assert_memory_equal(once.ptr, twice.ptr, once.len);
        free((void *)(uintptr_t)once.ptr);
        free((void *)(uintptr_t)twice.ptr);
        free(input);
    }
}

/* A prefix of a text is a text only where the rest is blank, or where it ends a number at the top. */
static void test_a_text_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const struct suite_case *c = &cases[i];
        size_t first = strspn(c->bytes, " \t\r\n");
        size_t end = c->len;

        if ((c->verdict != MUST_ACCEPT && c->verdict != CHOSE_ACCEPT) ||
            strchr("-0123456789", c->bytes[first]) != NULL) {
            continue;
        }
        while (strchr(" \t\r\n", c->bytes[end - 1]) != NULL) {
            end--;
        }
        for (size_t cut = 0; cut < end; cut++) {
            char *input = exact_copy(c->bytes, cut);
            size_t offset = SIZE_MAX;
            int rc = troupe_json_validate(input, cut, &offset);

            if (rc != TROUPE_E_MALFORMED || offset > cut) {
                explain(c, "is accepted after a cut");
                fprintf(stderr, "cut at %zu\n", cut);
            }
            assert_int_equal(rc, TROUPE_E_MALFORMED);
            assert_in_range(offset, 0, cut);
            free(input);
        }
    }
}

static void mutate(char *input, size_t len, uint64_t *random)
{
    static const char telling[] = "{}[]:,\"\\u0-+.eE \n\177\200\302\355\364\377dD8tfn/";

    for (size_t n = 1 + random_below(random, 4); n > 0; n--) {
        size_t at = random_below(random, len);

        switch (random_below(random, 4)) {
        case 0:
            input[at] = (char)random_next(random);
            break;
        case 1:
            input[at] = telling[random_below(random, sizeof(telling))];
            break;
        case 2:
            input[at] = (char)(input[at] ^ 1 << random_below(random, 8));
            break;
        default:
            memmove(input + at, input + len - at - 1, random_below(random, len - at < at + 1 ? len - at : at + 1) + 1);
        }
    }
}

/* Wherever the input is damaged, both readers agree, nothing is read past its end (the sanitizer looks), and what is
 * still JSON survives being written. */
static void test_random_damage(void **state)
{
    uint64_t seed = random_seed(), random = seed;

    (void)state;
    for (unsigned round = 0; round < 60000; round++) {
        const struct suite_case *c = &cases[random_below(&random, CASE_COUNT)];
        size_t offset = SIZE_MAX, read_offset = SIZE_MAX;
        troupe_view copy = {NULL, 0};
        char *input;
        int rc, read_rc;

        if (c->len == 0 || c->repeat > 1) {
            continue;
        }
        input = malloc(c->len);
        assert_non_null(input);
        memcpy(input, c->bytes, c->len);
        mutate(input, c->len, &random);
        rc = troupe_json_validate(input, c->len, &offset);
        read_rc = copy_text(input, c->len, &copy, &read_offset);
        if (rc != read_rc || offset != read_offset ||
            (rc == 0 && troupe_json_validate(copy.ptr, copy.len, NULL) != 0)) {
            explain(c, "after damage: the readers differ");
            fail_msg("TROUPE_TEST_SEED=%llu, round %u: %d at %zu, %d at %zu", (unsigned long long)seed, round, rc,
                     offset, read_rc, read_offset);
        }
        free((void *)(uintptr_t)copy.ptr);
        free(input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_json_is_accepted),
        cmocka_unit_test(test_what_is_not_json_is_refused),
        cmocka_unit_test(test_what_is_left_open_is_decided_as_documented),
        cmocka_unit_test(test_the_full_read_agrees_with_the_validation),
        cmocka_unit_test(test_what_is_accepted_survives_being_written),
        cmocka_unit_test(test_a_text_cut_at_any_byte_is_refused),
        cmocka_unit_test(test_random_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
