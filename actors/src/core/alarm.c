/* SPDX-License-Identifier: Apache-2.0
 *
 * Alarms: actors in trouble. After Erlang's system_monitor (long_message_queue, long_schedule), but as a state that is
 * set and cleared, not as a stream of reports.
 *
 * Nothing is looked at on the way of a message. A mailbox is looked at where it can be found long: when the actor has
 * had its share of a turn and messages are left, when a message is set aside because the lane is paused, and when one
 * was refused. A turn is looked at where it was timed (turn_time.c). Whether an alarm is over is looked at by worker 0,
 * every REVIEW_NS as long as there are any, from outside, as a peek does: so an actor does nothing for its alarms, and
 * one that hangs cannot keep an alarm from being told.
 *
 * Threads: the table is under its lock, the hook runs without it. */
#include "core/mailbox.h"
#include "core/trace.h"
#include "core/worker.h"

#include "base/mem.h"

#define REVIEW_NS (100 * NS_PER_MS)
#define SETTLED_NS (1000 * NS_PER_MS) /* a mailbox is short for so long: one that goes up and down is one alarm */
#define CLEARED_MAX 16u /* told in one review */

const char *troupe_alarm_word(enum troupe_alarm_kind kind)
{
    static const char *const words[] = {"unknown", "long_mailbox", "long_turn"};
    return words[(unsigned)kind < sizeof words / sizeof words[0] ? kind : 0];
}

static void tell(troupe_system *system, const troupe_alarm *alarm, bool is_set)
{
    if (system->config.alarm)
        system->config.alarm(system->config.user, alarm, is_set);
}

/* ---- set ---- */

static struct alarm_entry *find(struct alarm_table *table, const troupe_alarm *alarm)
{
    struct alarm_entry *room = NULL;
    for (uint32_t i = 0; i < TROUPE_ALARMS_MAX; i++) {
        struct alarm_entry *entry = &table->entries[i];
        if (entry->alarm.kind == alarm->kind && troupe_ref_equal(entry->alarm.actor, alarm->actor))
            return entry;
        if (!room && entry->alarm.kind == 0)
            room = entry;
    }
    return room;
}

/* Note it; tell of it if it is new. False: there is no room for it, and it is counted. */
static bool note(troupe_worker *worker, const troupe_alarm *alarm)
{
    struct alarm_table *table = &worker->system->alarms;
    bool is_new = false;
    troupe__lock_acquire(&table->lock);
    struct alarm_entry *entry = find(table, alarm);
    if (entry) {
        is_new = entry->alarm.kind == 0;
        if (is_new || entry->alarm.value < alarm->value) {
            uint64_t since_ms = is_new ? alarm->since_ms : entry->alarm.since_ms;
            entry->alarm = *alarm;
            entry->alarm.since_ms = since_ms;
        }
        entry->last_ns = worker->now_ns;
        atomic_store_relaxed(&table->active, atomic_load_relaxed(&table->active) + is_new);
    }
    troupe__lock_release(&table->lock);
    if (!entry)
        atomic_add_relaxed(&table->missed, 1);
    if (!is_new)
        return entry != NULL;
    atomic_add_relaxed(&table->set, 1);
    tell(worker->system, alarm, true);
    /* It looks when they are over. Pairs with park. */
    atomic_store_seq(&worker->system->workers[0]->armed_by_other, true);
    troupe__worker_wake(worker->system, 0);
    return true;
}

/* The messages that are too many, or 0: the alarm is off. */
static uint32_t threshold_of(const troupe_system *system, const struct actor *actor)
{
    uint32_t percent = system->config.alarm_mailbox_percent;
    uint64_t hundredfold = (uint64_t)atomic_load_relaxed(&actor->messages_max) * percent;
    return percent > 100 ? 0 : (uint32_t)((hundredfold + 99) / 100);
}

void troupe__alarm_look(troupe_worker *worker, struct actor *actor)
{
    uint32_t threshold = threshold_of(worker->system, actor), depth = mailbox_depth(actor);
    if (threshold == 0 || depth < threshold || (atomic_load_relaxed(&actor->marks) & ACTOR_HAS_ALARM))
        return;
    troupe_alarm alarm = {.kind = TROUPE_ALARM_LONG_MAILBOX,
                          .actor = actor_ref(worker->system, actor),
                          .behavior = actor_kind(actor)->behavior->name,
                          .value = depth,
                          .threshold = threshold,
                          .since_ms = worker->now_ns / NS_PER_MS};
    if (atomic_load_relaxed(&worker->system->alarms.active) >= TROUPE_ALARMS_MAX) { /* also without the lock */
        atomic_add_relaxed(&worker->system->alarms.missed, 1);
        return;
    }
    atomic_fetch_or_explicit(&actor->marks, ACTOR_HAS_ALARM, memory_order_relaxed);
    if (!note(worker, &alarm)) /* the mark would never be taken back */
        atomic_fetch_and_explicit(&actor->marks, (uint8_t)~ACTOR_HAS_ALARM, memory_order_relaxed);
}

void troupe__alarm_on_turn(troupe_worker *worker, troupe_ref actor, const struct kind *kind, uint64_t turn_ns)
{
    troupe_alarm alarm = {.kind = TROUPE_ALARM_LONG_TURN,
                          .actor = actor,
                          .behavior = kind->behavior->name,
                          .value = turn_ns / NS_PER_MS,
                          .threshold = worker->system->config.alarm_turn_ms,
                          .since_ms = worker->now_ns / NS_PER_MS};
    (void)note(worker, &alarm); /* it comes again, or is over */
}

/* ---- over ---- */

/* Is it over? Updates what it says. State: under the lock. */
static bool is_over(const troupe_worker *worker, struct alarm_entry *entry)
{
    struct actor *actor;
    if (troupe__find(worker->system, entry->alarm.actor, &actor))
        return true;
    if (entry->alarm.kind == TROUPE_ALARM_LONG_TURN)
        return worker->now_ns - entry->last_ns >= TROUPE_ALARM_QUIET_MS * NS_PER_MS && worker->now_ns >= entry->last_ns;
    uint32_t depth = mailbox_depth(actor);
    if (depth > entry->alarm.value)
        entry->alarm.value = depth;
    if (depth > atomic_load_relaxed(&actor->messages_max) / 2)
        entry->last_ns = worker->now_ns;
    if (worker->now_ns < entry->last_ns + SETTLED_NS)
        return false;
    atomic_fetch_and_explicit(&actor->marks, (uint8_t)~ACTOR_HAS_ALARM, memory_order_relaxed);
    return true;
}

uint64_t troupe__alarm_review(troupe_worker *worker)
{
    struct alarm_table *table = &worker->system->alarms;
    troupe_alarm cleared[CLEARED_MAX];
    uint32_t n = 0;
    if (atomic_load_relaxed(&table->active) == 0)
        return TROUPE_NEVER;
    if (worker->now_ns < table->review_ns)
        return table->review_ns;
    troupe__lock_acquire(&table->lock);
    for (uint32_t i = 0; i < TROUPE_ALARMS_MAX && n < CLEARED_MAX; i++) {
        struct alarm_entry *entry = &table->entries[i];
        if (entry->alarm.kind == 0 || !is_over(worker, entry))
            continue;
        cleared[n++] = entry->alarm;
        entry->alarm = (troupe_alarm){0};
    }
    uint32_t left = atomic_load_relaxed(&table->active) - n;
    atomic_store_relaxed(&table->active, left);
    troupe__lock_release(&table->lock);
    for (uint32_t i = 0; i < n; i++)
        tell(worker->system, &cleared[i], false);
    table->review_ns = worker->now_ns + (n == CLEARED_MAX ? 0 : REVIEW_NS);
    return left ? table->review_ns : TROUPE_NEVER;
}

uint32_t troupe_system_alarms(troupe_system *system, troupe_alarm *alarms, uint32_t max)
{
    struct alarm_table *table = &system->alarms;
    uint32_t n = 0;
    troupe__lock_acquire(&table->lock);
    for (uint32_t i = 0; i < TROUPE_ALARMS_MAX; i++) {
        if (table->entries[i].alarm.kind == 0)
            continue;
        if (n < max)
            alarms[n] = table->entries[i].alarm;
        n++;
    }
    troupe__lock_release(&table->lock);
    return n;
}
