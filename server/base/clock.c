/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#define LAST_MS 253402300799999u /* of the year 9999: RFC 3339 knows no later one */

/* Write exactly so many digits, and the character behind them; returns the place behind that. */
static char *put_digits(char *at, unsigned digits, uint64_t value, char behind)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    at[digits] = behind;
    return at + digits + 1;
}

/* By hand, since lists write one time for each item, and strftime takes longer than the rest of an item. The date is
 * the inverse of days_of, from the same source; its years begin in March. */
void clock_format(uint64_t wall_ms, char text[static CLOCK_TEXT_BYTES])
{
    uint64_t ms = wall_ms < LAST_MS ? wall_ms : LAST_MS;
    uint64_t days = ms / 86400000 + 719468, second = ms / 1000 % 86400;
    uint64_t era = days / 146097, of_era = days % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    text = put_digits(text, 4, era * 400 + year + (month >= 10 ? 1 : 0), '-');
    text = put_digits(text, 2, month < 10 ? month + 3 : month - 9, '-');
    text = put_digits(text, 2, of_year - (153 * month + 2) / 5 + 1, 'T');
    text = put_digits(text, 2, second / 3600, ':');
    text = put_digits(text, 2, second / 60 % 60, ':');
    text = put_digits(text, 2, second % 60, '.');
    text = put_digits(text, 3, ms % 1000, 'Z');
    *text = '\0';
}

/* Read exactly so many digits. */
static bool take_digits(const char **at, unsigned digits, unsigned max, unsigned *ret_value)
{
    unsigned value = 0;
    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (unsigned)(**at - '0');
    }
    *ret_value = value;
    return value <= max;
}

static bool take_char(const char **at, char upper, char lower)
{
    if (**at != upper && **at != lower)
        return false;
    (*at)++;
    return true;
}

/* Days since 1970 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible date algorithms"). */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/* Z, or an offset in minutes to take away. */
static bool take_zone(const char **at, int64_t *ret_minutes)
{
    unsigned hours, minutes;
    *ret_minutes = 0;
    if (take_char(at, 'Z', 'z'))
        return true;
    bool is_behind = **at == '-';
    if (!take_char(at, '+', '-') || !take_digits(at, 2, 23, &hours) || !take_char(at, ':', ':') ||
        !take_digits(at, 2, 59, &minutes))
        return false;
    *ret_minutes = (is_behind ? -1 : 1) * (int64_t)(hours * 60 + minutes);
    return true;
}

bool clock_parse(const char *text, uint64_t *ret_wall_ms)
{
    unsigned year, month, day, hour, minute, second, ms = 0;
    int64_t offset_minutes;
    const char *at = text;
    if (!take_digits(&at, 4, 9999, &year) || !take_char(&at, '-', '-') || !take_digits(&at, 2, 12, &month) ||
        !take_char(&at, '-', '-') || !take_digits(&at, 2, 31, &day) || !take_char(&at, 'T', 't') ||
        !take_digits(&at, 2, 23, &hour) || !take_char(&at, ':', ':') || !take_digits(&at, 2, 59, &minute) ||
        !take_char(&at, ':', ':') || !take_digits(&at, 2, 60, &second))
        return false;
    if (month == 0 || day == 0 || day > month_days(year, month))
        return false;
    if (take_char(&at, '.', '.')) {
        unsigned digits = 0;
        for (; *at >= '0' && *at <= '9'; at++, digits++)
            ms = digits < 3 ? ms * 10 + (unsigned)(*at - '0') : ms;
        if (digits == 0)
            return false;
        for (; digits < 3; digits++)
            ms *= 10;
    }
    if (!take_zone(&at, &offset_minutes) || *at != '\0')
        return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
    if (seconds < 0)
        return false;
    *ret_wall_ms = (uint64_t)seconds * 1000 + ms;
    return true;
}
