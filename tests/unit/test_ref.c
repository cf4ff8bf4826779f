/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of references: one text for each id, and no other text is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/ref.h>

#include "base/rng.h"

static void check_round_trip(troupe_ref ref)
{
    char text[TROUPE_REF_TEXT_MAX + 8];
    troupe_ref back = {{0, 0}, 0, 0};

    memset(text, '#', sizeof text);
    size_t len = troupe_ref_format(ref, text);
    assert_int_equal(strlen(text), len);
    assert_true(len < TROUPE_REF_TEXT_MAX);
    assert_int_equal(text[TROUPE_REF_TEXT_MAX], '#');
    assert_int_equal(troupe_ref_parse(text, len, &back), 0);
    assert_true(troupe_ref_equal(ref, back));
    for (size_t cut = 0; cut < len; cut++) { /* a prefix is another id or none, never this one */
        troupe_ref other = {{0, 0}, 0, 0};
        if (troupe_ref_parse(text, cut, &other) == 0)
            assert_false(troupe_ref_equal(other, ref));
    }
}

static void test_random_and_extreme_ids_survive_the_round_trip(void **state)
{
    static const uint32_t numbers[] = {1, 31, 32, 1023, 1024, UINT32_MAX - 1, UINT32_MAX};
    static const uint64_t halves[] = {1, 31, UINT64_C(1) << 63, UINT64_MAX};
    struct rng rng;

    (void)state;
    for (unsigned i = 0; i < 7; i++)
        for (unsigned k = 0; k < 7; k++)
            for (unsigned low = 0; low < 4; low++) {
                check_round_trip((troupe_ref){{0, halves[low]}, numbers[i], numbers[k]});
                for (unsigned high = 0; high < 4; high++)
                    check_round_trip((troupe_ref){{halves[high], halves[low]}, numbers[i], numbers[k]});
            }
    rng_init(&rng, 7);
    for (unsigned i = 0; i < 5000; i++) {
        troupe_ref ref = {{i % 2 ? rng_next(&rng) | 1 : 0, rng_next(&rng) | 1},
                          rng_below(&rng, UINT32_MAX) + 1,
                          rng_below(&rng, UINT32_MAX) + 1};
        check_round_trip(ref);
    }
}

/* The form is fixed for ever: these texts must not change. */
static void test_golden_texts(void **state)
{
    char text[TROUPE_REF_TEXT_MAX];

    (void)state;
    troupe_ref_format((troupe_ref){{0, 1}, 1, 1}, text);
    assert_string_equal(text, "n.0000000000001.1.1");
    troupe_ref_format((troupe_ref){{0, UINT64_MAX}, UINT32_MAX, UINT32_MAX}, text);
    assert_string_equal(text, "n.fzzzzzzzzzzzz.3zzzzzz.3zzzzzz");
    troupe_ref_format((troupe_ref){{1, 0}, 32, 33}, text);
    assert_string_equal(text, "s.0000000000000g000000000000.10.11");
    troupe_ref_format((troupe_ref){{UINT64_MAX, UINT64_MAX}, UINT32_MAX, UINT32_MAX}, text);
    assert_string_equal(text, "s.7zzzzzzzzzzzzzzzzzzzzzzzzz.3zzzzzz.3zzzzzz");
    troupe_home_format((troupe_home){0, UINT64_C(0x0123456789abcdef)}, text);
    assert_string_equal(text, "n.028t5cy4tqkff");
}

static void test_texts_that_are_no_reference(void **state)
{
    static const char *const bad[] = {
        "",                           /* nothing */
        "n",                          /* no home */
        "n.",                         /* an empty home */
        "n.0000000000001",            /* a home alone */
        "n.0000000000001.",           /* no slot */
        "n.0000000000001.1",          /* no generation */
        "n.0000000000001.1.",         /* an empty generation */
        "n.0000000000001..1",         /* an empty slot */
        "n.0000000000001.1.1.",       /* something behind it */
        "n.0000000000001.1.1.1",      /* one part too many */
        "n.0000000000001.01.1",       /* a leading zero in the slot */
        "n.0000000000001.1.01",       /* ... in the generation */
        "n.0000000000001.0.1",        /* slot 0 is never used */
        "n.0000000000001.1.0",        /* generation 0 is never issued */
        "n.0000000000000.1.1",        /* no home has all zeros */
        "n.000000000001.1.1",         /* a digit is missing */
        "n.00000000000001.1.1",       /* a digit too many */
        "n.g000000000000.1.1",        /* 65 bits */
        "n.0000000000001.4000000.1",  /* 33 bits */
        "n.0000000000001.1.4000000",  /* 33 bits */
        "n.0000000000001.10000000.1", /* eight digits */
        "N.0000000000001.1.1",        /* upper case */
        "n.000000000000A.1.1",        /* upper case */
        "n.000000000000i.1.1",        /* not in the alphabet: i, l, o, u */
        "n.000000000000l.1.1",
        "n.000000000000o.1.1",
        "n.000000000000u.1.1",
        "n.0000000000001.1.1 ", /* a space */
        " n.0000000000001.1.1",
        "n-0000000000001.1.1",
        "n.0000000000001-1.1",
        "m.0000000000001.1.1",
        "s.0000000000001.1.1",              /* the length of a node's home */
        "s.00000000000000000000000001.1.1", /* a session whose high half is zero */
        "s.80000000000000000000000000.1.1", /* 129 bits */
        "@hits",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        troupe_ref ref = {{9, 9}, 9, 9};
        if (troupe_ref_parse(bad[i], strlen(bad[i]), &ref) != TROUPE_E_BAD_REFERENCE)
            fail_msg("taken for a reference: %s", bad[i]);
        assert_int_equal(ref.slot, 9); /* untouched on failure */
    }
    troupe_ref ref;
    assert_int_equal(troupe_ref_parse("n.0000000000001.1.1\0", 20, &ref), TROUPE_E_BAD_REFERENCE); /* a NUL */
}

/* Change any one byte of a good text: it is refused, or it is another id whose one text this is. */
static void test_every_mutation_is_refused_or_another_id(void **state)
{
    troupe_ref ref = {{0, UINT64_C(0x4bd0b80a4c33a39)}, 0x6f, 0x1203}, other;
    char text[TROUPE_REF_TEXT_MAX], again[TROUPE_REF_TEXT_MAX];
    size_t len = troupe_ref_format(ref, text);

    (void)state;
    for (size_t at = 0; at < len; at++) {
        char was = text[at];
        for (int byte = 0; byte < 256; byte++) {
            text[at] = (char)byte;
            if (text[at] == was || troupe_ref_parse(text, len, &other) != 0)
                continue;
            assert_false(troupe_ref_equal(other, ref));
            assert_int_equal(troupe_ref_format(other, again), len);
            assert_memory_equal(again, text, len);
        }
        text[at] = was;
    }
}

static void test_homes(void **state)
{
    troupe_home homes[] = {{0, 1}, {0, UINT64_MAX}, {1, 0}, {UINT64_MAX, UINT64_MAX}}, back;
    char text[TROUPE_HOME_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        size_t len = troupe_home_format(homes[i], text);
        assert_true(len < TROUPE_HOME_TEXT_MAX);
        assert_int_equal(troupe_home_parse(text, len, &back), 0);
        assert_true(troupe_home_equal(homes[i], back));
        assert_int_equal(troupe_home_parse(text, len - 1, &back), TROUPE_E_BAD_REFERENCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_and_extreme_ids_survive_the_round_trip),
        cmocka_unit_test(test_golden_texts),
        cmocka_unit_test(test_texts_that_are_no_reference),
        cmocka_unit_test(test_every_mutation_is_refused_or_another_id),
        cmocka_unit_test(test_homes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
