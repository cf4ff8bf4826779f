/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer and double to decimal text.
 *
 * The double is Raffaello Giulietti's Schubfach ("The Schubfach way to render doubles", 2020): of all decimals that
 * round to the value, the shortest, and of these the closest. It needs no loop and no big integer: the value and the
 * two ends of its rounding interval are scaled by a power of ten in 128 bits, keeping one sticky bit. The layout of the
 * text is that of JavaScript (plain from 1e-6 to below 1e21, else with an exponent), but -0 keeps its sign.
 *
 * Thread: any; there is no state. */
#include "base/number.h"

#include <troupe/mem.h>

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1075 /* of the mantissa as an integer */

/* digits * 10^exponent */
struct shortest {
    uint64_t digits;
    int exponent;
};

size_t troupe__number_write_uint64(uint64_t value, char *buf)
{
    char reversed[20];
    size_t len = 0;

    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < len; i++) {
        buf[i] = reversed[len - 1 - i];
    }
    return len;
}

static int floor_divide_pow2(int value, unsigned exponent)
{
    int divisor = 1 << exponent;

    return value >= 0 ? value / divisor : -((divisor - 1 - value) / divisor);
}

/* power * x / 2^128, with the lowest bit set when the division left a rest that matters */
static uint64_t scale_to_odd(struct u128 power, uint64_t x)
{
    struct u128 low = troupe__multiply(power.lo, x);
    struct u128 high = troupe__multiply(power.hi, x);

    high.lo += low.hi;
    high.hi += high.lo < low.hi;
    return high.hi | (high.lo > 1);
}

/* The paper's names, for c * 2^q and its interval: k is the decimal exponent; vb, vbl and vbr are 4 times the value and
 * the ends of the interval in units of 10^k. */
static struct shortest find_shortest(uint64_t mantissa, int biased)
{
    uint64_t c = biased != 0 ? mantissa | UINT64_C(1) << MANTISSA_BITS : mantissa;
    int q = (biased != 0 ? biased : 1) - EXPONENT_BIAS;
    bool odd = (c & 1) != 0;                         /* an even mantissa owns the ends of its interval */
    bool closer_below = mantissa == 0 && biased > 1; /* at a power of two the spacing below is half */
    int k = floor_divide_pow2(q * 1262611 - (closer_below ? 524031 : 0), 22);
    unsigned h = (unsigned)(q + troupe__log2_pow10(-k) + 1);
    struct u128 power = troupe__pow10(-k);
    uint64_t vbl = scale_to_odd(power, (4 * c - 2 + closer_below) << h) + odd;
    uint64_t vb = scale_to_odd(power, (4 * c) << h);
    uint64_t vbr = scale_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = vb / 4;
    struct shortest result = {s, k};
    bool down_inside, up_inside;

    if (s >= 10) {
        uint64_t tens = s / 10;

        down_inside = vbl <= 40 * tens;
        up_inside = 40 * tens + 40 <= vbr;
        if (down_inside != up_inside) {
            result.digits = tens + up_inside;
            result.exponent = k + 1;
            return result;
        }
    }
    down_inside = vbl <= 4 * s;
    up_inside = 4 * s + 4 <= vbr;
    if (down_inside != up_inside) {
        result.digits += up_inside;
    } else {
        uint64_t middle = 4 * s + 2;

        result.digits += vb > middle || (vb == middle && (s & 1) != 0);
    }
    return result;
}

static size_t put_zeros(char *buf, size_t count)
{
    memset(buf, '0', count);
    return count;
}

/* Lay out digits with the decimal point after the first `point` of them (which may be none, or more than there are). */
static size_t lay_out(const char *digits, size_t count, int point, char *buf)
{
    size_t len = 0;

    if (point > 21 || point < -5) {
        int exponent = point - 1;

        buf[len++] = digits[0];
        if (count > 1) {
            buf[len++] = '.';
            memcpy(buf + len, digits + 1, count - 1);
            len += count - 1;
        }
        buf[len++] = 'e';
        buf[len++] = exponent < 0 ? '-' : '+';
        return len + troupe__number_write_uint64((uint64_t)(exponent < 0 ? -exponent : exponent), buf + len);
    }
    if (point <= 0) {
        buf[len++] = '0';
        buf[len++] = '.';
        len += put_zeros(buf + len, (size_t)-point);
        memcpy(buf + len, digits, count);
        return len + count;
    }
    if (count <= (size_t)point) {
        memcpy(buf, digits, count);
        return count + put_zeros(buf + count, (size_t)point - count);
    }
    memcpy(buf, digits, (size_t)point);
    buf[point] = '.';
    memcpy(buf + point + 1, digits + point, count - (size_t)point);
    return count + 1;
}

size_t troupe__number_write_double(double value, char *buf)
{
    uint64_t bits, magnitude;
    size_t len = 0, count;
    struct shortest shortest;
    char digits[20];

    memcpy(&bits, &value, sizeof(bits));
    magnitude = bits & ~(UINT64_C(1) << 63);
    if (magnitude != bits) {
        buf[len++] = '-';
    }
    if (magnitude == 0) {
        buf[len++] = '0';
        return len;
    }
    shortest = find_shortest(bits & ((UINT64_C(1) << MANTISSA_BITS) - 1), (int)(magnitude >> MANTISSA_BITS));
    while (shortest.digits % 10 == 0) {
        shortest.digits /= 10;
        shortest.exponent++;
    }
    count = troupe__number_write_uint64(shortest.digits, digits);
    return len + lay_out(digits, count, (int)count + shortest.exponent, buf + len);
}
