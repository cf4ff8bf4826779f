/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strptime, timegm */

#include "cli/timestamp.h"

#include <stdio.h>
#include <string.h>

int64_t timestamp_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (rest == NULL) {
        return -1;
    }
    int64_t ms = 0;
    if (*rest == '.') {
        int64_t unit = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10) {
            ms += unit * (*rest - '0');
        }
    }
    return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&tm) * 1000 + ms : -1;
}

int64_t timestamp_age_ms(int64_t at_ms, time_t now)
{
    int64_t age_ms = (int64_t)now * 1000 - at_ms;
    return at_ms < 0 ? -1 : age_ms > 0 ? age_ms : 0;
}

void timestamp_format(time_t at, char out[TIMESTAMP_CAP])
{
    struct tm tm;
    if (gmtime_r(&at, &tm) == NULL || strftime(out, TIMESTAMP_CAP, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        snprintf(out, TIMESTAMP_CAP, "-");
    }
}
