/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to happen, in order of time and then of making: a binary heap. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

struct event {
    uint64_t at_ms, number;
    event_fn fn;
    void *data;
};

static struct event *heap;
static size_t heap_count, heap_cap;
static uint64_t numbers;

void events_init(void)
{
    heap_count = 0;
    numbers = 0;
}

void events_fini(void)
{
    for (size_t i = 0; i < heap_count; i++)
        free(heap[i].data);
    free(heap);
    heap = NULL;
    heap_count = heap_cap = 0;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

void events_at(uint64_t at_ms, event_fn fn, void *data)
{
    if (heap_count == heap_cap) {
        heap_cap = heap_cap == 0 ? 256 : 2 * heap_cap;
        heap = realloc(heap, heap_cap * sizeof *heap);
        if (heap == NULL)
            abort();
    }
    struct event event = {at_ms, ++numbers, fn, data};
    size_t i = heap_count++;
    for (; i > 0 && is_before(&event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = event;
}

bool events_next_ms(uint64_t *ret_ms)
{
    if (heap_count == 0)
        return false;
    *ret_ms = heap[0].at_ms;
    return true;
}

void events_run_one(void)
{
    struct event event = heap[0], last = heap[--heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
        if (child + 1 < heap_count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!is_before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    event.fn(event.data);
    free(event.data);
}

uint32_t world_below(uint32_t n) { return rng_below(&world.rng, n); }

bool world_chance(uint32_t percent) { return world_below(100) < percent; }

void world_sign(uint64_t value)
{
    uint64_t mixed = world.signature ^ value ^ (world.now_ms << 20);
    world.signature = rng_mix(&mixed);
}

void world_fail(const char *format, ...)
{
    va_list args;
    if (world.failed)
        return;
    world.failed = true;
    int len = snprintf(world.text, sizeof world.text, "at %llu ms: ", (unsigned long long)world.now_ms);
    va_start(args, format);
    vsnprintf(world.text + len, sizeof world.text - (size_t)len, format, args);
    va_end(args);
}

void world_trace(const char *format, ...)
{
    va_list args;
    if (!world.options.trace)
        return;
    printf("# %8llu ", (unsigned long long)world.now_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}
