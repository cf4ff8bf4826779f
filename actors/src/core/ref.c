/* SPDX-License-Identifier: Apache-2.0
 *
 * Text of references, see troupe/ref.h. */
#include <troupe/ref.h>

#include "base/mem.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's: no i l o u */

#define NODE_DIGITS 13    /* 65 bits for 64 */
#define SESSION_DIGITS 26 /* 130 bits for 128 */

static int digit_value(char c)
{
    static const signed char letters[26] = { /* a to z */
        10, 11, 12, 13, 14, 15, 16, 17, -1, 18, 19, -1, 20, 21, -1, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30, 31,
    };
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'z' ? letters[c - 'a'] : -1;
}

/* Write exactly n digits of a 128-bit number. */
static void write_fixed(char *text, size_t n, troupe_home number)
{
    for (size_t i = n; i-- > 0;) {
        text[i] = digits[number.low & 31];
        number.low = number.low >> 5 | number.high << 59;
        number.high >>= 5;
    }
}

static bool read_fixed(const char *text, size_t n, unsigned first_digit_max, troupe_home *ret)
{
    troupe_home number = {0, 0};
    for (size_t i = 0; i < n; i++) {
        int value = digit_value(text[i]);
        if (value < 0 || (i == 0 && (unsigned)value > first_digit_max))
            return false;
        number.high = number.high << 5 | number.low >> 59;
        number.low = number.low << 5 | (unsigned)value;
    }
    *ret = number;
    return true;
}

static size_t write_number(char *text, uint32_t number)
{
    char reversed[8];
    size_t n = 0;
    do
        reversed[n++] = digits[number & 31];
    while (number >>= 5);
    for (size_t i = 0; i < n; i++)
        text[i] = reversed[n - 1 - i];
    return n;
}

/* Read digits up to the end or a dot; returns how many, 0 when it is no canonical 32-bit number above 0. */
static size_t read_number(const char *text, size_t len, uint32_t *ret)
{
    uint64_t number = 0;
    size_t n = 0;
    for (; n < len && text[n] != '.'; n++) {
        int value = digit_value(text[n]);
        if (value < 0 || n == 7 || (n == 0 && value == 0))
            return 0;
        number = number << 5 | (unsigned)value;
    }
    if (n == 0 || number > UINT32_MAX)
        return 0;
    *ret = (uint32_t)number;
    return n;
}

size_t troupe_home_format(troupe_home home, char *text)
{
    bool is_node = home.high == 0;
    size_t n = is_node ? NODE_DIGITS : SESSION_DIGITS;
    text[0] = is_node ? 'n' : 's';
    text[1] = '.';
    write_fixed(text + 2, n, home);
    text[2 + n] = '\0';
    return 2 + n;
}

int troupe_home_parse(const char *text, size_t len, troupe_home *ret_home)
{
    troupe_home home;
    bool ok = false;
    if (len == 2 + NODE_DIGITS && text[0] == 'n' && text[1] == '.')
        ok = read_fixed(text + 2, NODE_DIGITS, 15, &home) && home.low != 0;
    else if (len == 2 + SESSION_DIGITS && text[0] == 's' && text[1] == '.')
        ok = read_fixed(text + 2, SESSION_DIGITS, 7, &home) && home.high != 0;
    if (!ok)
        return TROUPE_E_BAD_REFERENCE;
    *ret_home = home;
    return 0;
}

size_t troupe_ref_format(troupe_ref ref, char *text)
{
    size_t n = troupe_home_format(ref.home, text);
    text[n++] = '.';
    n += write_number(text + n, ref.slot);
    text[n++] = '.';
    n += write_number(text + n, ref.generation);
    text[n] = '\0';
    return n;
}

int troupe_ref_parse(const char *text, size_t len, troupe_ref *ret_ref)
{
    troupe_ref ref;
    size_t home_len = 2 + (len > 0 && text[0] == 's' ? SESSION_DIGITS : NODE_DIGITS);
    if (len <= home_len || text[home_len] != '.' || troupe_home_parse(text, home_len, &ref.home))
        return TROUPE_E_BAD_REFERENCE;
    const char *at = text + home_len + 1, *end = text + len;
    size_t n = read_number(at, (size_t)(end - at), &ref.slot);
    if (n == 0 || at + n == end)
        return TROUPE_E_BAD_REFERENCE;
    at += n + 1; /* over the dot */
    n = read_number(at, (size_t)(end - at), &ref.generation);
    if (n == 0 || at + n != end)
        return TROUPE_E_BAD_REFERENCE;
    *ret_ref = ref;
    return 0;
}
