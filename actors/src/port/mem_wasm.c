/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of <troupe/mem.h> for wasm32 without a libc: the core calls them, and the compiler emits calls to them.
 * Whole words where both ends are aligned alike, bytes elsewhere. To be compiled with -ffreestanding, without which the
 * compiler would turn each loop into a call of the function it is in. */
#include <troupe/mem.h>

#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word;

#define WORD sizeof(word)

/* Is it worth, and possible, to copy words? */
static int words_fit(const void *dst, const void *src, size_t len)
{
    return len >= 2 * WORD && ((uintptr_t)dst - (uintptr_t)src) % WORD == 0;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    unsigned char *to = dst;
    const unsigned char *from = src;

    if (words_fit(dst, src, len)) {
        for (; (uintptr_t)to % WORD != 0; len--)
            *to++ = *from++;
        for (; len >= WORD; len -= WORD, to += WORD, from += WORD)
            *(word *)(void *)to = *(const word *)(const void *)from;
    }
    for (; len != 0; len--)
        *to++ = *from++;
    return dst;
}

/* Copy downwards, from the ends: for a destination that lies behind the beginning of its source. */
static void copy_backwards(unsigned char *to, const unsigned char *from, size_t len)
{
    to += len;
    from += len;
    if (words_fit(to, from, len)) {
        for (; (uintptr_t)to % WORD != 0; len--)
            *--to = *--from;
        for (; len >= WORD; len -= WORD) {
            to -= WORD;
            from -= WORD;
            *(word *)(void *)to = *(const word *)(const void *)from;
        }
    }
    for (; len != 0; len--)
        *--to = *--from;
}

void *memmove(void *dst, const void *src, size_t len)
{
    if ((uintptr_t)dst - (uintptr_t)src >= len)
        return memcpy(dst, src, len); /* copies upwards: also right for a destination before its source */
    copy_backwards(dst, src, len);
    return dst;
}

void *memset(void *dst, int byte, size_t len)
{
    unsigned char *to = dst;
    word pattern = (unsigned char)byte * UINT64_C(0x0101010101010101);

    if (len >= 2 * WORD) {
        for (; (uintptr_t)to % WORD != 0; len--)
            *to++ = (unsigned char)byte;
        for (; len >= WORD; len -= WORD, to += WORD)
            *(word *)(void *)to = pattern;
    }
    for (; len != 0; len--)
        *to++ = (unsigned char)byte;
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;

    for (; len != 0; len--, x++, y++) {
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0')
        len++;
    return len;
}
