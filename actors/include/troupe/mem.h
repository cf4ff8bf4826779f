/* SPDX-License-Identifier: Apache-2.0
 *
 * The five functions of <string.h> that work on bytes and that every target has. Natively they are the C library's; on
 * wasm32, where there is no C library, the port defines them (actors/src/port/mem_wasm.c). Compilers also emit calls to
 * the first four by themselves.
 *
 * Thread: any, for everything in this file. */
#ifndef TROUPE_MEM_H
#define TROUPE_MEM_H

#include <stddef.h>

#if __STDC_HOSTED__

#include <string.h>

#else

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *text);

#endif

#endif
