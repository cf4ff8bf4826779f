/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text, exact in both directions, without libc and without floating-point arithmetic (so the rounding mode
 * of the caller and the extra precision of old processors change nothing).
 *
 *     number_read.c   decimal text to integer and double
 *     number_write.c  integer and double to the shortest decimal text
 *     number_pow10.c  the powers of ten that both need, 128 bits each
 *
 * Thread: any; there is no state. */
#ifndef TROUPE_BASE_NUMBER_H
#define TROUPE_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any text that is written: sign, 17 digits, point and 5 leading zeros; or 21 digits; or an exponent. */
#define TROUPE__NUMBER_TEXT_MAX 32

/* Read digits (only 0 to 9, at least one) as an integer. False: it does not fit, and *ret_value is untouched. */
bool troupe__number_read_uint64(const char *digits, size_t len, uint64_t *ret_value);

/* Read a number that has the grammar of JSON, rounded to nearest, ties to even. False: it is too large for a finite
 * double, and *ret_value is untouched. Any number of digits is read exactly. */
bool troupe__number_read_double(const char *token, size_t len, double *ret_value);

/* Write into TROUPE__NUMBER_TEXT_MAX bytes, without terminating zero; returns the length. */
size_t troupe__number_write_uint64(uint64_t value, char *buf);
size_t troupe__number_write_double(double value, char *buf); /* value must be finite */

/* ---- shared by the files above ---- */

struct u128 {
    uint64_t hi;
    uint64_t lo;
};

#define TROUPE__POW10_MIN (-342)
#define TROUPE__POW10_MAX 332

/* Give 10^k, scaled by a power of two to 128 bits with the top bit set, rounded up: the smallest integer that is at
 * least 10^k * 2^(127 - troupe__log2_pow10(k)). */
struct u128 troupe__pow10(int k);

/* floor(log2(10^k)) for all k of troupe__pow10: 1741647 / 2^19 is log2(10) closely enough. */
static inline int troupe__log2_pow10(int k)
{
    int scaled = k * 1741647;

    return scaled >= 0 ? scaled / 524288 : -((524287 - scaled) / 524288);
}

/* Multiply to 128 bits. In 32-bit halves: a 128-bit type would need the compiler's library, which wasm32 lacks here. */
static inline struct u128 troupe__multiply(uint64_t a, uint64_t b)
{
    uint64_t a_lo = a & UINT32_MAX, a_hi = a >> 32;
    uint64_t b_lo = b & UINT32_MAX, b_hi = b >> 32;
    uint64_t low = a_lo * b_lo;
    uint64_t cross = a_hi * b_lo + (low >> 32);
    uint64_t middle = a_lo * b_hi + (cross & UINT32_MAX);
    struct u128 product = {a_hi * b_hi + (cross >> 32) + (middle >> 32), middle << 32 | (low & UINT32_MAX)};

    return product;
}

#endif
