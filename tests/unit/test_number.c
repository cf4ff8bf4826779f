/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text: the table of powers is proved with exact integers, the conversions are compared with libc's. */
#include <errno.h>
#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "random_input.h"

/* ---- exact integers, for the proof of the powers ---- */

#define LIMBS 96

struct exact {
    uint32_t limb[LIMBS]; /* lowest first */
};

static struct exact exact_of(struct u128 value)
{
    struct exact x = {{(uint32_t)value.lo, (uint32_t)(value.lo >> 32), (uint32_t)value.hi, (uint32_t)(value.hi >> 32)}};

    return x;
}

/* Multiply by factor^times. */
static void exact_multiply(struct exact *x, uint32_t factor, int times)
{
    for (; times > 0; times--) {
        uint64_t carry = 0;

        for (int i = 0; i < LIMBS; i++) {
            carry += (uint64_t)x->limb[i] * factor;
            x->limb[i] = (uint32_t)carry;
            carry >>= 32;
        }
        assert_int_equal(carry, 0);
    }
}

static int exact_compare(const struct exact *a, const struct exact *b)
{
    for (int i = LIMBS; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Compare power * 2^-shift with 10^k; all negative exponents are moved to the other side. */
static int compare_power(struct u128 power, int k, int shift)
{
    const struct u128 one = {0, 1};
    struct exact left = exact_of(power), right = exact_of(one);

    exact_multiply(k < 0 ? &left : &right, 10, abs(k));
    exact_multiply(shift < 0 ? &left : &right, 2, abs(shift));
    return exact_compare(&left, &right);
}

/* The entry is the smallest 128-bit number with the top bit set that is at least the power of ten, scaled. */
static void test_each_power_of_ten_is_exact(void **state)
{
    (void)state;
    for (int k = TROUPE__POW10_MIN; k <= TROUPE__POW10_MAX; k++) {
        struct u128 power = troupe__pow10(k);
        struct u128 less = {power.hi - (power.lo == 0), power.lo - 1};
        int shift = 127 - troupe__log2_pow10(k);

        assert_true(power.hi >> 63 == 1);
        assert_true(power.hi < UINT64_MAX - 32); /* reading a double adds up to 17 to it */
        assert_true(compare_power(power, k, shift) >= 0);
        assert_true(compare_power(less, k, shift) < 0);
    }
}

static void test_multiplication_to_128_bits(void **state)
{
    static const uint64_t edges[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX - 1, UINT64_MAX};
    struct u128 product = troupe__multiply(UINT64_MAX, UINT64_MAX);

    (void)state;
    assert_true(product.hi == UINT64_MAX - 1 && product.lo == 1);
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            struct exact x = exact_of((struct u128){0, edges[i]});
            struct exact y = x, expected;

            product = troupe__multiply(edges[i], edges[j]);
            expected = exact_of(product);
            exact_multiply(&x, (uint32_t)edges[j], 1); /* low half, and the high half moved up */
            exact_multiply(&y, (uint32_t)(edges[j] >> 32), 1);
            exact_multiply(&y, UINT32_C(1) << 16, 2);
            for (uint64_t carry = 0, n = 0; n < LIMBS; n++) {
                carry += (uint64_t)x.limb[n] + y.limb[n];
                x.limb[n] = (uint32_t)carry;
                carry >>= 32;
            }
            assert_int_equal(exact_compare(&x, &expected), 0);
        }
    }
}

/* ---- reading ---- */

static uint64_t seed; /* of the random test that runs; 0 in the others */

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Read as libc does, bit by bit; the text is put where a read past its end is seen. */
static void assert_reads_as_libc(const char *text)
{
    size_t len = strlen(text);
    char *input = exact_copy(text, len);
    double expected = strtod(text, NULL), value = 12345;
    bool ok = troupe__number_read_double(input, len, &value);

    if (ok != (isfinite(expected) != 0) || (ok && bits_of(value) != bits_of(expected))) {
        fail_msg("%s is read as %d, %a; libc has %a; TROUPE_TEST_SEED=%" PRIu64, text, ok, value, expected, seed);
    }
    free(input);
}

/* clang-format off */
static const char *const hard_numbers[] = {
    /* plain, and zero in its forms */
    "0", "-0", "0.0", "-0.0e5", "0e999999999999999999999", "1", "-1", "0.1", "0.5", "1.5", "123456789", "1e22",
    "1e23", "0.000001", "3.141592653589793", "2.718281828459045235360287471352662497757247093699959574966967627724",
    /* the largest double, half-way to the next, and beyond */
    "1.7976931348623157e308", "1.7976931348623158e308", "1.79769313486231570814527423731704356798070e308",
    "1.7976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028"
    "641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447573027006985557"
    "1366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497791e308",
    "1.7976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028"
    "641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447573027006985557"
    "1366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792e308",
    "1.7976931348623159e308", "1.8e308", "1e309", "1e310", "1e400", "9e99999", "1e18446744073709551617",
    /* the smallest normal double and the largest subnormal one; both sides of it */
    "2.2250738585072014e-308", "2.2250738585072011e-308", "2.2250738585072009e-308",
    "2.225073858507201136057409796709e-308", "2.2250738585072012e-308", "2.2250738585072013e-308",
    /* the smallest double, half of it, and below */
    "4.9406564584124654e-324", "5e-324", "3e-324", "2.4703282292062328e-324", "2.4703282292062327e-324",
    "2.47032822920623272088284396434110686182e-324", "2e-324", "1e-324", "1e-325", "1e-400", "1e-99999",
    "1e-18446744073709551617",
    "2.4703282292062327208828439643411068618252990130716238221279284125033775363510437593264991818081799618989828"
    "234772285886546332835517796989819938739800539093906315035659515570226392290858392449105184435931802849936536"
    "152500319370457678249219365623669863658480757001585769269903706311928279558551332927834338409351978015531246"
    "597263579574622766465272827220056374006485499977096599470454020828166226237857393450736339007967761930577506"
    "740176324673600968951340535537458516661134223766678604162159680461914467291840300530057530849048765391711386"
    "591646239524912623653881879636239373280423891018672348497668235089863388587925628302755995657524455507255189"
    "313690836254779186948667994968324049705821028513185451396213837722826145437693412532098591327667236328124e-3"
    "24",
    "2.4703282292062327208828439643411068618252990130716238221279284125033775363510437593264991818081799618989828"
    "234772285886546332835517796989819938739800539093906315035659515570226392290858392449105184435931802849936536"
    "152500319370457678249219365623669863658480757001585769269903706311928279558551332927834338409351978015531246"
    "597263579574622766465272827220056374006485499977096599470454020828166226237857393450736339007967761930577506"
    "740176324673600968951340535537458516661134223766678604162159680461914467291840300530057530849048765391711386"
    "591646239524912623653881879636239373280423891018672348497668235089863388587925628302755995657524455507255189"
    "313690836254779186948667994968324049705821028513185451396213837722826145437693412532098591327667236328125e-3"
    "24",
    "2.4703282292062327208828439643411068618252990130716238221279284125033775363510437593264991818081799618989828"
    "234772285886546332835517796989819938739800539093906315035659515570226392290858392449105184435931802849936536"
    "152500319370457678249219365623669863658480757001585769269903706311928279558551332927834338409351978015531246"
    "597263579574622766465272827220056374006485499977096599470454020828166226237857393450736339007967761930577506"
    "740176324673600968951340535537458516661134223766678604162159680461914467291840300530057530849048765391711386"
    "591646239524912623653881879636239373280423891018672348497668235089863388587925628302755995657524455507255189"
    "313690836254779186948667994968324049705821028513185451396213837722826145437693412532098591327667236328126e-3"
    "24",
    /* half-way between neighbours, and a hair beside it */
    "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0000000000000000000000000000000001",
    "9007199254740992.9999999999999999999999999999999999", "9007199254740994", "9007199254740995",
    "9007199254740995e0", "9223372036854775807", "9223372036854776832", "9223372036854776833", "18446744073709551615",
    "18446744073709551616", "1.00000000000000011102230246251565404236316680908203125",
    "1.00000000000000011102230246251565404236316680908203124",
    "1.00000000000000011102230246251565404236316680908203126", "5708990770823839207320493820740630171355185151999e-3",
    "100000000000000016777215", "100000000000000016777216", "100000000000000016777217", "2.5e-1", "1e-7",
    /* known from the bug lists of other implementations */
    "2.2250738585072012e-308", "6.9294956446009195e15", "3.7455744005952583e15", "2.2250738585072011e-308",
    "7.3177701707893310e+15", "5.0052077379577523147070740258e199", "1.448997445238699", "0.3e-323", "8.41e+21",
    "2.0e-1", "6.631236846766476e-316", "3.2378839133029012895883524125015321748630094238914e-319",
    "1090544144181609348835077142190",
    "10.0000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000123456789e90",
    "0.500000000000000166533453693773481063544750213623046875", "3.518437208883201171875e13",
    "62.5364939768271845828", "8.10109172351e-10", "1.50000000000000011102230246251565",
    "6250000000000000000000000000000000e-12", "1152921504606846975999e-3", "1152921504606846975",
    "11529215046068469755", "1844674407370955161599999999999999999e-18", "9999999999999999999",
    "99999999999999999999", "9999999999999999999e-342", "9.999999999999999999e-325",
};
/* clang-format on */

static void test_hard_numbers_are_read_as_libc_reads_them(void **state)
{
    char text[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(hard_numbers) / sizeof(hard_numbers[0]); i++) {
        assert_reads_as_libc(hard_numbers[i]);
        snprintf(text, sizeof(text), "-%s", hard_numbers[i] + (hard_numbers[i][0] == '-'));
        assert_reads_as_libc(text);
    }
}

static void test_each_exponent_is_read_as_libc_reads_it(void **state)
{
    static const char *const digits[] = {
        "1", "9", "1.7976931348623157", "4.9406564584124654", "9999999999999999999", "12345678901234567890123", "8.5"};
    char text[64];

    (void)state;
    for (int exponent = -420; exponent <= 420; exponent++) {
        for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
            snprintf(text, sizeof(text), "%se%d", digits[i], exponent);
            assert_reads_as_libc(text);
        }
    }
}

/* Write the exact decimal form of a double, or of the point half-way to the next one, then change its last digit: the
 * hardest inputs there are, with up to 770 digits. */
static void test_points_half_way_between_doubles(void **state)
{
    uint64_t random = seed = random_seed();
    char text[1200];

    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint64_t bits = random_next(&random) & ~(UINT64_C(1) << 63);
        long double half;
        char *last;

        if (round % 3 == 0) {
            bits &= UINT64_C(0x001fffffffffffff); /* around the smallest normal one */
        }
        if (bits >= UINT64_C(0x7fe0000000000000)) {
            continue;
        }
        half = ((long double)double_of(bits) + (long double)double_of(bits + 1)) / 2; /* exact where it has 64 bits */
        snprintf(text, sizeof(text), "%.800Le", half);
        assert_reads_as_libc(text);
        last = strchr(text, 'e') - 1;
        *last = '1'; /* far behind the last digit of the exact form: a hair above */
        assert_reads_as_libc(text);
        snprintf(text, sizeof(text), "%.30Le", half);
        assert_reads_as_libc(text);
    }
}

static void test_random_numbers_are_read_as_libc_reads_them(void **state)
{
    uint64_t random = seed = random_seed();
    char text[128];

    (void)state;
    for (int round = 0; round < 100000; round++) {
        int len = 0, digits = 1 + (int)random_below(&random, 40);

        for (int i = 0; i < digits; i++) {
            text[len++] = (char)('0' + random_below(&random, 10));
            if (i == 0) {
                text[len++] = '.';
            }
        }
        text[len++] = '0';
        snprintf(text + len, sizeof(text) - (size_t)len, "e%d", (int)random_below(&random, 660) - 340);
        assert_reads_as_libc(text);
    }
}

static void test_zeros_do_not_count_as_digits(void **state)
{
    static char text[5000];
    double value = 0;

    (void)state;
    memset(text, '0', sizeof(text));
    text[1] = '.';
    memcpy(text + 4000, "25e3998", 7);
    assert_true(troupe__number_read_double(text, 4007, &value));
    assert_true(value == 0.25);
    memset(text, '0', sizeof(text));
    text[0] = '7';
    memcpy(text + 4000, "e-3998", 6);
    assert_true(troupe__number_read_double(text, 4006, &value));
    assert_true(value == 70);
}

/* The conversion uses integers only, so the mode of the floating-point unit must not matter. */
static void test_the_rounding_mode_does_not_matter(void **state)
{
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    double nearest = 0.1, value;
    char text[TROUPE__NUMBER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        bool ok;
        size_t len;

        fesetround(modes[i]);
        ok = troupe__number_read_double("0.1", 3, &value);
        len = troupe__number_write_double(nearest, text);
        fesetround(FE_TONEAREST);
        assert_true(ok && bits_of(value) == bits_of(nearest));
        assert_int_equal(len, 3);
        assert_memory_equal(text, "0.1", 3);
    }
}

static void test_integers_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"9", true, 9},
        {"18446744073709551614", true, UINT64_MAX - 1},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"36893488147419103232", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 77;

        assert_int_equal(troupe__number_read_uint64(rows[i].text, strlen(rows[i].text), &value), rows[i].fits);
        assert_true(value == (rows[i].fits ? rows[i].value : 77));
    }
}

/* ---- writing ---- */

static void test_layout_of_doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100"},
        {123456789012345680.0, "123456789012345680"},
        {1e20, "100000000000000000000"},
        {999999999999999900000.0, "999999999999999900000"},
        {1e21, "1e+21"},
        {1.5e21, "1.5e+21"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"},
        {0.000001, "0.000001"},
        {0.0000012345, "0.0000012345"},
        {0.0000001, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {9007199254740993.0, "9007199254740992"},
        {2e-44, "2e-44"},
        {1e23, "1e+23"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
    };
    char text[TROUPE__NUMBER_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text[troupe__number_write_double(rows[i].value, text)] = '\0';
        assert_string_equal(text, rows[i].text);
    }
}

/* Count the digits without leading and trailing zeros. */
static int significant_digits(const char *text)
{
    int count = 0, zeros = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0') {
            zeros += count > 0;
        } else if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* What is written is read back as the same double by both readers; no shorter text is; and of the texts of that length
 * it is a closest one, which is what libc prints for that many digits wherever that reads back. */
static void assert_writes_shortest(double value)
{
    char text[TROUPE__NUMBER_TEXT_MAX + 1], libc_text[64];
    size_t len = troupe__number_write_double(value, text);
    double back = 0;
    int digits;

    assert_in_range(len, 1, TROUPE__NUMBER_TEXT_MAX);
    text[len] = '\0';
    if (!troupe__number_read_double(text, len, &back) || bits_of(back) != bits_of(value) ||
        bits_of(strtod(text, NULL)) != bits_of(value)) {
        fail_msg("%a is written as %s, which reads as %a; TROUPE_TEST_SEED=%" PRIu64, value, text, back, seed);
    }
    digits = significant_digits(text);
    if (digits > 1) {
        snprintf(libc_text, sizeof(libc_text), "%.*e", digits - 2, value);
        if (bits_of(strtod(libc_text, NULL)) == bits_of(value)) {
            fail_msg("%a is written as %s, but %s is shorter; TROUPE_TEST_SEED=%" PRIu64, value, text, libc_text, seed);
        }
    }
    if (digits > 0) {
        snprintf(libc_text, sizeof(libc_text), "%.*e", digits - 1, value);
        if (strtod(libc_text, NULL) == value && strtold(libc_text, NULL) != strtold(text, NULL)) {
            fail_msg("%a is written as %s, but %s is closer; TROUPE_TEST_SEED=%" PRIu64, value, text, libc_text, seed);
        }
    }
}

static void test_doubles_are_written_with_the_fewest_digits(void **state)
{
    uint64_t random = seed = random_seed();

    (void)state;
    for (size_t i = 0; i < sizeof(hard_numbers) / sizeof(hard_numbers[0]); i++) {
        double value = strtod(hard_numbers[i], NULL);

        if (isfinite(value)) {
            assert_writes_shortest(value);
        }
    }
    for (uint64_t exponent = 0; exponent < 0x7ff; exponent++) { /* the spacing changes at each power of two */
        assert_writes_shortest(double_of(exponent << 52));
        assert_writes_shortest(double_of((exponent << 52) + 1));
        assert_writes_shortest(double_of((exponent << 52 | UINT64_C(0xfffffffffffff))));
    }
    for (int round = 0; round < 50000; round++) {
        double value = double_of(random_next(&random));

        if (isfinite(value)) {
            assert_writes_shortest(value);
        }
        assert_writes_shortest((double)random_below(&random, 100000000) / 1000);
    }
}

static void test_integers_are_written(void **state)
{
    char text[TROUPE__NUMBER_TEXT_MAX];

    (void)state;
    assert_int_equal(troupe__number_write_uint64(0, text), 1);
    assert_memory_equal(text, "0", 1);
    assert_int_equal(troupe__number_write_uint64(10, text), 2);
    assert_memory_equal(text, "10", 2);
    assert_int_equal(troupe__number_write_uint64(UINT64_MAX, text), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_power_of_ten_is_exact),
        cmocka_unit_test(test_multiplication_to_128_bits),
        cmocka_unit_test(test_hard_numbers_are_read_as_libc_reads_them),
        cmocka_unit_test(test_each_exponent_is_read_as_libc_reads_it),
        cmocka_unit_test(test_points_half_way_between_doubles),
        cmocka_unit_test(test_random_numbers_are_read_as_libc_reads_them),
        cmocka_unit_test(test_zeros_do_not_count_as_digits),
        cmocka_unit_test(test_the_rounding_mode_does_not_matter),
        cmocka_unit_test(test_integers_are_read_exactly),
        cmocka_unit_test(test_layout_of_doubles),
        cmocka_unit_test(test_doubles_are_written_with_the_fewest_digits),
        cmocka_unit_test(test_integers_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
