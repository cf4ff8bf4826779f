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

static const struct {
    const char *unit;
    uint32_t ms;
} spans[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

int cli_span_parse(const char *text, uint64_t max_ms, uint64_t *ret_ms)
{
    uint64_t count;
    const char *rest;
    if (!read_digits(text, max_ms, &count, &rest)) {
        return TROUPE_E_INVALID;
    }
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        if (strcmp(rest, spans[i].unit) == 0 && count >= 1 && count <= max_ms / spans[i].ms) {
            *ret_ms = count * spans[i].ms;
            return 0;
        }
    }
    return TROUPE_E_INVALID;
}

int cli_duration_parse(const char *text, uint32_t *ret_ms)
{
    uint64_t ms;
    size_t len = strlen(text);
    if ((len > 0 && text[len - 1] == 'd') || cli_span_parse(text, TROUPE_CLIENT_TIMEOUT_MS_MAX, &ms) != 0) {
        return TROUPE_E_INVALID;
    }
    *ret_ms = (uint32_t)ms;
    return 0;
}

int cli_span_option(const struct cli *cli, enum cli_option option, uint64_t max_ms, uint32_t *ret_ms)
{
    uint64_t ms;
    const char *text = cli->value[option];
    if (text == NULL) {
        return CLI_EXIT_DONE;
    }
    if (cli_span_parse(text, max_ms, &ms) != 0) {
        cli_complain("--%s is '%s'; it must be a time from 1ms to %" PRIu64 "h, such as 500ms, 5s, 2m, 1h, 7d",
                     cli_option_name(option), text, max_ms / 3600000);
        return CLI_EXIT_USAGE;
    }
    *ret_ms = (uint32_t)ms;
    return CLI_EXIT_DONE;
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

void cli_nanoseconds_format(int64_t ns, char *out, size_t cap)
{
    static const char *const names[] = {"us", "ms", "s"};
    double amount = (double)ns / 1000;
    size_t unit = 0;
    if (ns < 1000) {
        snprintf(out, cap, ns < 0 ? "-" : "%dns", (int)ns);
        return;
    }
    for (; amount >= 999.95 && unit + 1 < sizeof names / sizeof *names; unit++) { /* else it were 1000.0 */
        amount /= 1000;
    }
    snprintf(out, cap, "%.1f%s", amount, names[unit]);
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
