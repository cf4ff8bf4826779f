/* SPDX-License-Identifier: Apache-2.0
 *
 * See timer_wheel.h. Level l holds entries 64^l to 64^(l+1) ticks ahead, in the slot (tick >> 6l) & 63. When the time
 * enters a slot of level l > 0, its entries are put in again and fall to lower levels. */
#include "core/timer_wheel.h"

static void put(struct timer_wheel *wheel, struct wheel_entry *entry)
{
    uint64_t tick = entry->tick, delta = tick - wheel->now_tick;
    unsigned level = 0;
    while (level < WHEEL_LEVELS - 1 && delta >> (WHEEL_SLOT_BITS * (level + 1)))
        level++;
    if (delta >> (WHEEL_SLOT_BITS * WHEEL_LEVELS)) /* too far: as far as the last level reaches */
        tick = wheel->now_tick + (UINT64_C(1) << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) - 1;
    unsigned slot = (tick >> (WHEEL_SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
    struct wheel_entry **head = &wheel->slots[level][slot];
    entry->place = (uint16_t)(level * WHEEL_SLOTS + slot);
    entry->next = *head;
    entry->link = head;
    if (entry->next)
        entry->next->link = &entry->next;
    *head = entry;
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void troupe__wheel_start(struct timer_wheel *wheel, struct wheel_entry *entry, uint64_t deadline_ns)
{
    entry->tick = wheel_tick_of(deadline_ns);
    if (entry->tick <= wheel->now_tick)
        entry->tick = wheel->now_tick + 1;
    put(wheel, entry);
}

void troupe__wheel_stop(struct timer_wheel *wheel, struct wheel_entry *entry)
{
    if (!entry->link)
        return;
    *entry->link = entry->next;
    if (entry->next)
        entry->next->link = entry->link;
    unsigned level = entry->place / WHEEL_SLOTS, slot = entry->place % WHEEL_SLOTS;
    if (!wheel->slots[level][slot])
        wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    entry->next = 0;
    entry->link = 0;
}

/* The next tick at which a slot is entered that is not empty; WHEEL_NONE when there is none. */
static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t next = WHEEL_NONE;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (!occupied)
            continue;
        uint64_t at = wheel->now_tick >> (WHEEL_SLOT_BITS * level);
        unsigned turn = (unsigned)(at + 1) & (WHEEL_SLOTS - 1); /* the slot after the one we are in comes first */
        uint64_t ahead = (occupied >> turn) | (turn ? occupied << (WHEEL_SLOTS - turn) : 0);
        uint64_t tick = (at + 1 + (unsigned)__builtin_ctzll(ahead)) << (WHEEL_SLOT_BITS * level);
        if (tick < next)
            next = tick;
    }
    return next;
}

static struct wheel_entry *empty_slot(struct timer_wheel *wheel, unsigned level, unsigned slot)
{
    struct wheel_entry *list = wheel->slots[level][slot];
    wheel->slots[level][slot] = 0;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    return list;
}

struct wheel_entry *troupe__wheel_advance(struct timer_wheel *wheel, uint64_t now_ns)
{
    uint64_t target = now_ns / WHEEL_TICK_NS, tick;
    struct wheel_entry *due = 0, **due_end = &due;
    while ((tick = next_tick(wheel)) <= target) {
        wheel->now_tick = tick;
        for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
            if (tick & ((UINT64_C(1) << (WHEEL_SLOT_BITS * level)) - 1))
                continue;
            unsigned slot = (tick >> (WHEEL_SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
            for (struct wheel_entry *entry = empty_slot(wheel, level, slot), *next; entry; entry = next) {
                next = entry->next;
                put(wheel, entry);
            }
        }
        for (struct wheel_entry *entry = empty_slot(wheel, 0, tick & (WHEEL_SLOTS - 1)), *next; entry; entry = next) {
            next = entry->next;
            entry->next = 0;
            entry->link = 0;
            *due_end = entry;
            due_end = &entry->next;
        }
    }
    if (target > wheel->now_tick)
        wheel->now_tick = target;
    return due;
}

uint64_t troupe__wheel_next_ns(const struct timer_wheel *wheel)
{
    uint64_t tick = next_tick(wheel);
    return tick == WHEEL_NONE ? WHEEL_NONE : tick * WHEEL_TICK_NS;
}
