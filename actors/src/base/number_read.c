/* SPDX-License-Identifier: Apache-2.0
 *
 * Decimal text to integer and double.
 *
 * The double takes two steps, and the second is rarely needed:
 *
 * 1. The first 19 significant digits, an integer w, are multiplied with 10^q in 128 bits (troupe__pow10). Digits left
 *    out and the rounding of the power make the true value lie in a narrow interval. Where both its ends round to the
 *    same double, that is the answer. This is the idea of Eisel and Lemire ("Number Parsing at a Gigabyte per Second",
 *    2021), with an interval in place of their case analysis.
 * 2. Else the two ends round to neighbours, and the true value is close to the point half-way between them. Both are
 *    written as exact integers (fixed size, see BIG_LIMBS) and compared: below, above, or a tie that goes to even.
 *
 * Thread: any; there is no state. */
#include "base/number.h"

#include <troupe/mem.h>

#define W_DIGITS 19 /* as many digits as always fit into 64 bits */

#define MANTISSA_BITS 52
#define EXPONENT_MIN (-1022) /* of the smallest normal double */
#define INFINITY_BITS UINT64_C(0x7ff0000000000000)

/* More digits than this cannot change the rounding other than by not being zero: the decimal form of a point half-way
 * between two doubles has at most 767 significant digits. */
#define DIGITS_MAX 768

/* Both sides of the comparison are about equal, and the left one is below 2^(54 - 2.33 E) with E >= -1093: 2,600 bits.
 * 96 limbs are 3,072 bits. */
#define BIG_LIMBS 96

/* ---- integers ---- */

bool troupe__number_read_uint64(const char *digits, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(digits[i] - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* ---- the parts of a number ---- */

/* (-1)^negative * w * 10^q, and less than one more in the last place of w when cut is set */
struct decimal {
    uint64_t w;
    int64_t q;
    int64_t exponent; /* as written after the e */
    bool negative;
    bool cut; /* digits other than zero follow those in w */
};

static bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* Read "e+12" to its end; saturates far outside of what matters, far inside of 64 bits. */
static int64_t read_exponent(const char *p, const char *end)
{
    int64_t value = 0;
    bool negative = false;

    p++;
    if (*p == '+' || *p == '-') {
        negative = *p == '-';
        p++;
    }
    for (; p < end; p++) {
        if (value < INT64_C(1000000000000000)) {
            value = value * 10 + (*p - '0');
        }
    }
    return negative ? -value : value;
}

static struct decimal split(const char *p, const char *end)
{
    struct decimal d = {0, 0, 0, false, false};
    unsigned taken = 0;
    bool fraction = false;

    if (*p == '-') {
        d.negative = true;
        p++;
    }
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
        } else if (taken < W_DIGITS) {
            d.w = d.w * 10 + (uint64_t)(*p - '0');
            taken += d.w != 0;
            d.q -= fraction;
        } else {
            d.cut |= *p != '0';
            d.q += !fraction;
        }
    }
    d.exponent = p < end ? read_exponent(p, end) : 0;
    d.q += d.exponent;
    return d;
}

/* ---- exact comparison ---- */

struct big {
    unsigned len;             /* limbs in use; the highest is not zero */
    uint32_t limb[BIG_LIMBS]; /* lowest first */
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;

    for (unsigned i = 0; i < big->len; i++) {
        carry += (uint64_t)big->limb[i] * factor;
        big->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0 && big->len < BIG_LIMBS) {
        big->limb[big->len++] = (uint32_t)carry;
    }
}

static void big_multiply_pow5(struct big *big, unsigned exponent)
{
    for (; exponent >= 13; exponent -= 13) {
        big_multiply_add(big, 1220703125, 0); /* 5^13 */
    }
    for (; exponent > 0; exponent--) {
        big_multiply_add(big, 5, 0);
    }
}

static void big_multiply_pow2(struct big *big, unsigned exponent)
{
    unsigned limbs = exponent / 32;

    big_multiply_add(big, UINT32_C(1) << exponent % 32, 0);
    if (limbs > 0 && big->len + limbs <= BIG_LIMBS) {
        for (unsigned i = big->len; i-- > 0;) {
            big->limb[i + limbs] = big->limb[i];
        }
        memset(big->limb, 0, limbs * sizeof(big->limb[0]));
        big->len += limbs;
    }
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    for (unsigned i = a->len; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Read the digits of a number, at most DIGITS_MAX significant ones and a 1 for any others that are not all zero.
 * The value is *ret_big * 10^(the result). */
static int64_t big_read(struct big *ret_big, const char *p, const char *end, int64_t exponent)
{
    unsigned taken = 0;
    bool fraction = false;
    bool cut = false;

    ret_big->len = 0;
    for (; p < end && (is_digit(*p) || *p == '.' || *p == '-'); p++) {
        if (!is_digit(*p)) {
            fraction = *p == '.';
        } else if (taken < DIGITS_MAX) {
            big_multiply_add(ret_big, 10, (uint32_t)(*p - '0'));
            taken += ret_big->len != 0;
            exponent -= fraction;
        } else {
            cut |= *p != '0';
            exponent += !fraction;
        }
    }
    if (cut) {
        big_multiply_add(ret_big, 10, 1);
        exponent--;
    }
    return exponent;
}

/* Compare a number with the point half-way between the double with these bits and the next one: -1, 0, 1. */
static int compare_half_way(const char *token, const char *end, int64_t exponent, uint64_t bits)
{
    struct big number, half;
    uint64_t biased = bits >> MANTISSA_BITS;
    uint64_t mantissa = bits & ((UINT64_C(1) << MANTISSA_BITS) - 1);
    int exponent_2;
    int exponent_10 = (int)big_read(&number, token, end, exponent);
    int shift;

    if (biased != 0) {
        mantissa |= UINT64_C(1) << MANTISSA_BITS;
    } else {
        biased = 1;
    }
    mantissa = mantissa * 2 + 1;
    exponent_2 = (int)biased + EXPONENT_MIN - 1 - MANTISSA_BITS - 1;

    half.limb[0] = (uint32_t)mantissa;
    half.limb[1] = (uint32_t)(mantissa >> 32);
    half.len = half.limb[1] != 0 ? 2 : 1;
    big_multiply_pow5(exponent_10 >= 0 ? &number : &half, (unsigned)(exponent_10 >= 0 ? exponent_10 : -exponent_10));
    shift = exponent_10 - exponent_2;
    big_multiply_pow2(shift >= 0 ? &number : &half, (unsigned)(shift >= 0 ? shift : -shift));
    return big_compare(&number, &half);
}

/* ---- rounding ---- */

/* Round x * 2^exponent to the bits of a double; a remainder of just one half goes down. */
static uint64_t round_bits(struct u128 x, int exponent)
{
    unsigned top = 127 - (unsigned)__builtin_clzll(x.hi); /* 125 to 127 */
    int top_exponent = (int)top + exponent;
    int keep = top_exponent >= EXPONENT_MIN ? MANTISSA_BITS + 1 : top_exponent - EXPONENT_MIN + MANTISSA_BITS + 1;
    uint64_t mantissa, rest_hi, half_hi, bits;
    unsigned drop;

    if (keep < 0) {
        return 0;
    }
    drop = top + 1 - (unsigned)keep - 64; /* bits of x.hi, 9 to 64; all of x.lo is dropped */
    mantissa = drop < 64 ? x.hi >> drop : 0;
    rest_hi = drop < 64 ? x.hi & ((UINT64_C(1) << drop) - 1) : x.hi;
    half_hi = UINT64_C(1) << (drop - 1);
    bits = mantissa;
    if (top_exponent >= EXPONENT_MIN) {
        bits += (uint64_t)(top_exponent - EXPONENT_MIN) << MANTISSA_BITS; /* the top bit of mantissa adds the one */
    }
    if (rest_hi > half_hi || (rest_hi == half_hi && x.lo != 0)) {
        bits++; /* a carry into the exponent is just right */
    }
    return bits;
}

/* Give the bits of |token|; INFINITY_BITS when it is too large. */
static uint64_t read_bits(const char *token, const char *end, const struct decimal *d)
{
    struct u128 power, product, carry, below, above;
    unsigned zeros;
    int q, exponent;
    uint64_t low, high;

    if (d->w == 0 || d->q < TROUPE__POW10_MIN) {
        return 0; /* less than 10^19 * 10^-343, below half of the smallest double */
    }
    if (d->q > 308) {
        return INFINITY_BITS;
    }
    q = (int)d->q;
    zeros = (unsigned)__builtin_clzll(d->w);
    power = troupe__pow10(q);

    /* product is w * power * 2^(zeros - 64), rounded down: 126 to 128 bits */
    product = troupe__multiply(d->w << zeros, power.hi);
    carry = troupe__multiply(d->w << zeros, power.lo);
    product.lo += carry.hi;
    product.hi += product.lo < carry.hi; /* at most power.hi, which is never near 2^64: the sums below fit */
    exponent = troupe__log2_pow10(q) - (int)zeros - 63;

    /* The power may be too large by less than one, which is less than one here; the rounding down hid less than one. */
    below.hi = product.hi - (product.lo == 0);
    below.lo = product.lo - 1;
    above.hi = product.hi + (product.lo == UINT64_MAX);
    above.lo = product.lo + 1;
    if (d->cut) {
        above.hi += UINT64_C(1) << zeros; /* w by less than one, which is power * 2^(zeros - 64); zeros is 4 at most */
    }
    low = round_bits(below, exponent); /* the true value is above this end, and below the other */
    high = round_bits(above, exponent);
    if (low != high) {
        int order = compare_half_way(token, end, d->exponent, low);

        low += order > 0 || (order == 0 && (low & 1) != 0);
    }
    return low;
}

bool troupe__number_read_double(const char *token, size_t len, double *ret_value)
{
    struct decimal d = split(token, token + len);
    uint64_t bits = read_bits(token, token + len, &d);

    if (bits >= INFINITY_BITS) {
        return false;
    }
    bits |= (uint64_t)d.negative << 63;
    memcpy(ret_value, &bits, sizeof(bits));
    return true;
}
