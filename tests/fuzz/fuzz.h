/* SPDX-License-Identifier: Apache-2.0
 *
 * What fuzz targets share. A target is one function for any bytes; what must hold of them is checked, and a fault
 * aborts, so that libFuzzer keeps the input and standalone.c fails.
 *
 * Thread: one. */
#ifndef TROUPE_FUZZ_H
#define TROUPE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool holds)
{
    if (!holds)
        abort();
}

#endif
