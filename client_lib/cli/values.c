/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

/* Leading digits of text up to max; *ret_rest is what follows. */
static bool read_digits(const char *text, uint64_t max, uint64_t *ret_count, const char **ret_rest)
{
    uint64_t count = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (count > (max - digit) / 10) {
            return false;
        }
        count = count * 10 + digit;
    }
    *ret_count = count;
    *ret_rest = at;
    return at > text;
}

int cli_count_parse(const char *text, uint64_t max, uint64_t *ret_count)
{
    uint64_t count;
    const char *rest;
    if (!read_digits(text, max, &count, &rest) || *rest != '\0' || count > max) {
        return TROUPE_E_INVALID;
    }
    *ret_count = count;
    return 0;
}

int cli_duration_parse(const char *text, uint32_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint32_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t count;
    const char *rest;
    if (!read_digits(text, TROUPE_CLIENT_TIMEOUT_MS_MAX, &count, &rest)) {
        return TROUPE_E_INVALID;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(rest, units[i].unit) == 0 && count >= 1 && count <= TROUPE_CLIENT_TIMEOUT_MS_MAX / units[i].ms) {
            *ret_ms = (uint32_t)count * units[i].ms;
            return 0;
        }
    }
    return TROUPE_E_INVALID;
}

int cli_interval_parse(const char *text, uint32_t *ret_ms)
{
    uint64_t seconds;
    uint32_t ms;
    if (cli_count_parse(text, TROUPE_CLIENT_TIMEOUT_MS_MAX / 1000, &seconds) == 0) {
        ms = (uint32_t)seconds * 1000;
    } else if (cli_duration_parse(text, &ms) != 0) {
        return TROUPE_E_INVALID;
    }
    if (ms < CLI_INTERVAL_MS_MIN) {
        return TROUPE_E_INVALID;
    }
    *ret_ms = ms;
    return 0;
}

void cli_duration_format(int64_t ms, char *out, size_t cap)
{
    int64_t s = ms / 1000;
    if (ms < 0) {
        snprintf(out, cap, "-");
    } else if (s < 60) {
        snprintf(out, cap, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
    } else if (s < 3600) {
        snprintf(out, cap, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(out, cap, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    } else {
        snprintf(out, cap, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    }
}

void cli_bytes_format(uint64_t bytes, char *out, size_t cap)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(out, cap, "%u B", (unsigned)bytes);
        return;
    }
    for (; amount >= 1023.95 && unit + 1 < sizeof units / sizeof *units; unit++) { /* else it were 1024.0 */
        amount /= 1024;
    }
    snprintf(out, cap, "%.1f %s", amount, units[unit]);
}

int cli_count_option(const struct cli *cli, enum cli_option option, uint64_t max, uint64_t *ret_count)
{
    const char *text = cli->value[option];
    if (text == NULL || cli_count_parse(text, max, ret_count) == 0) {
        return CLI_EXIT_DONE;
    }
    cli_complain("--%s is '%s'; it must be a number from 0 to %" PRIu64, cli_option_name(option), text, max);
    return CLI_EXIT_USAGE;
}
