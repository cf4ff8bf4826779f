/* SPDX-License-Identifier: Apache-2.0
 *
 * The port for wasm32 without a libc: memory from memory.grow, locks that are nothing, as an instance has one thread.
 *
 * The heap. A wasm memory only grows, so what is given back must be joined and used again. Chunks lie side by side from
 * the linker's __heap_base up to `top`; above it is memory that nobody has:
 *
 *     __heap_base                                    top            end of memory
 *     | chunk | chunk | chunk | ...          | chunk | never used    |
 *
 *     a chunk in use            a free chunk, in the list of its class
 *     0   size | flags          0           size | flags
 *     4   the caller's bytes    4           next in the list
 *     ...                       8           previous in the list
 *                               size - 4    size again, for the chunk behind to find the beginning
 *
 * Sizes are multiples of 16, flags their low bits: USED, and PREVIOUS_USED, which tells whether the 4 bytes before a
 * chunk are a size or another caller's. Chunks begin 4 bytes before a multiple of 16, so callers' bytes are aligned to
 * 16 at 4 bytes of overhead. No two free chunks touch, and none touches top: free() joins both sides at once.
 *
 * Lists are by power of two. A request looks at the first few chunks of its own class, then takes the first chunk of
 * the next class that has one (any of those is large enough), then memory from the top; bounded work in each case. Only
 * when the memory cannot grow any more is its own class searched to the end.
 *
 * A free of what is no chunk, or with another size, is a bug that would corrupt the heap: it traps. */
#include "port/port_wasm.h"

#include <troupe/mem.h>

#define PAGE_BYTES 65536u
#define GRAIN 16u
#define USED 1u
#define PREVIOUS_USED 2u
#define FLAGS (GRAIN - 1u)
#define CLASSES 28u        /* 16 bytes to 2 GiB */
#define LOOKS_MAX 8u       /* chunks of its own class that a request looks at */
#define REQUEST_MAX (1u << 30)

typedef uint32_t __attribute__((may_alias)) word; /* heap words lie where callers stored their own types */

extern unsigned char __heap_base; /* wasm-ld: the first byte behind stack and static data */

static uint32_t bottom;          /* address of the first chunk; 0 before the first request */
static uint32_t top;             /* address of the first byte that is in no chunk; like a chunk's address */
static uint32_t end;             /* bytes of memory */
static uint32_t touched;         /* no byte from here on was ever written: it is zero */
static uint32_t in_use;          /* bytes of chunks in use */
static uint32_t heads[CLASSES];  /* address of the first free chunk of each class, or 0 */
static uint32_t classes_filled;  /* a bit for each head that is not 0 */
static uint64_t fail_countdown;  /* tests: requests until one fails; 0: none does */

static word *at(uint32_t address) { return (word *)(uintptr_t)address; }

static uint32_t size_at(uint32_t chunk) { return *at(chunk) & ~FLAGS; }

static uint32_t class_of(uint32_t size) { return 31u - (uint32_t)__builtin_clz(size / GRAIN); }

/* ---- lists ---- */

static void list_put(uint32_t chunk, uint32_t size)
{
    uint32_t class = class_of(size), next = heads[class];

    *at(chunk + 4) = next;
    *at(chunk + 8) = 0;
    if (next != 0)
        *at(next + 8) = chunk;
    heads[class] = chunk;
    classes_filled |= 1u << class;
}

static void list_take(uint32_t chunk, uint32_t size)
{
    uint32_t class = class_of(size), next = *at(chunk + 4), previous = *at(chunk + 8);

    if (next != 0)
        *at(next + 8) = previous;
    if (previous != 0)
        *at(previous + 4) = next;
    else
        heads[class] = next;
    if (heads[class] == 0)
        classes_filled &= ~(1u << class);
}

/* A free chunk of at least `size`, at most `looks` deep in the list of its class; 0 when there is none. */
static uint32_t find(uint32_t size, uint32_t looks)
{
    uint32_t class = class_of(size), larger;

    for (uint32_t chunk = heads[class]; chunk != 0 && looks != 0; chunk = *at(chunk + 4), looks--) {
        if (size_at(chunk) >= size)
            return chunk;
    }
    larger = classes_filled & ~((2u << class) - 1u);
    return larger != 0 ? heads[__builtin_ctz(larger)] : 0;
}

/* ---- chunks ---- */

static void set_free(uint32_t chunk, uint32_t size)
{
    *at(chunk) = size | PREVIOUS_USED; /* the chunk before is in use, or they would be one */
    *at(chunk + size - 4) = size;
    list_put(chunk, size);
}

/* Take `size` bytes of a free chunk and give the rest, if any, back. */
static void carve(uint32_t chunk, uint32_t size)
{
    uint32_t whole = size_at(chunk);

    list_take(chunk, whole);
    if (whole > size)
        set_free(chunk + size, whole - size);
    else
        *at(chunk + whole) |= PREVIOUS_USED; /* a free chunk never touches top: there is one behind */
    *at(chunk) = size | USED | PREVIOUS_USED;
}

/* Take `size` bytes from the top; 0 when the memory cannot grow. */
static uint32_t take_top(uint32_t size)
{
    uint32_t chunk;

    if (bottom == 0) {
        bottom = (((uint32_t)(uintptr_t)&__heap_base + 4u + FLAGS) & ~FLAGS) - 4u;
        top = touched = bottom;
        end = (uint32_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
    }
    if (size > end - top) {
        uint32_t pages = (size - (end - top) + PAGE_BYTES - 1u) / PAGE_BYTES;

        if (end + pages * PAGE_BYTES < end || __builtin_wasm_memory_grow(0, pages) == (size_t)-1)
            return 0;
        end += pages * PAGE_BYTES;
    }
    chunk = top;
    top += size;
    *at(chunk) = size | USED | PREVIOUS_USED;
    return chunk;
}

/* The caller's bytes of a new chunk, or NULL; *ret_zeroed_from: the address from which on they are zero. */
static void *allocate(size_t bytes, uint32_t *ret_zeroed_from)
{
    uint32_t size, chunk;

    if (fail_countdown != 0 && --fail_countdown == 0)
        return NULL;
    if (bytes > REQUEST_MAX)
        return NULL;
    size = ((uint32_t)bytes + 4u + FLAGS) & ~FLAGS;
    *ret_zeroed_from = UINT32_MAX;
    chunk = find(size, LOOKS_MAX);
    if (chunk != 0) {
        carve(chunk, size);
    } else {
        chunk = take_top(size);
        if (chunk != 0) {
            *ret_zeroed_from = touched;
            if (top > touched)
                touched = top;
        } else {
            chunk = find(size, UINT32_MAX);
            if (chunk == 0)
                return NULL;
            carve(chunk, size);
        }
    }
    in_use += size;
    return at(chunk + 4);
}

void *troupe__port_alloc(size_t size)
{
    uint32_t zeroed_from;

    return allocate(size, &zeroed_from);
}

void *troupe__port_alloc_zeroed(size_t size)
{
    uint32_t zeroed_from, address;
    void *ptr = allocate(size, &zeroed_from);

    if (ptr == NULL)
        return NULL;
    address = (uint32_t)(uintptr_t)ptr;
    if (zeroed_from > address)
        memset(ptr, 0, zeroed_from - address < size ? zeroed_from - address : size);
    return ptr;
}

void troupe__port_free(void *ptr, size_t bytes)
{
    uint32_t chunk = (uint32_t)(uintptr_t)ptr - 4u, size, behind;

    if (ptr == NULL)
        return;
    if (chunk % GRAIN != GRAIN - 4u || chunk < bottom || chunk >= top || (*at(chunk) & USED) == 0)
        __builtin_trap();
    size = size_at(chunk);
    if (size != (((uint32_t)bytes + 4u + FLAGS) & ~FLAGS))
        __builtin_trap();
    in_use -= size;
    *at(chunk) &= ~USED; /* also where this header ends up inside a larger chunk: a second free still traps */

    if ((*at(chunk) & PREVIOUS_USED) == 0) {
        uint32_t before = *at(chunk - 4);

        chunk -= before;
        list_take(chunk, before);
        size += before;
    }
    behind = chunk + size;
    if (behind == top) {
        top = chunk;
        return;
    }
    if ((*at(behind) & USED) == 0) {
        list_take(behind, size_at(behind));
        size += size_at(behind);
    } else {
        *at(behind) &= ~PREVIOUS_USED;
    }
    set_free(chunk, size);
}

void troupe__port_fail_after(uint64_t n) { fail_countdown = n; }

uint32_t troupe__port_in_use(void) { return in_use; }

void troupe__lock_acquire(struct troupe__lock *lock) { (void)lock; }

void troupe__lock_release(struct troupe__lock *lock) { (void)lock; }
