/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks at the end of a stress test, one line of TAP each. Include it once in a program.
 *
 * Thread: the main one. */
#ifndef TESTS_STRESS_TAP_H
#define TESTS_STRESS_TAP_H

#include <stdbool.h>
#include <stdio.h>

static unsigned checks, failures;

static inline void check(bool ok, const char *text)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", ++checks, text);
    failures += !ok;
}

#endif
