/* SPDX-License-Identifier: Apache-2.0
 *
 * How long turns take: when a batch has had its share of time, which kinds of actor are slow, how many turns were long.
 *
 * Turns are timed in slices of TURN_SLICE, so that a short one does not cost a look at the clock: a slice that is short
 * as a whole had no long turn in it. After a long slice each turn is timed for a while. Without a clock nothing is
 * timed, and a batch ends by its number of messages alone.
 *
 * Thread: the owner of the worker. */
#include "core/worker.h"

#define TURN_SLICE 16u      /* turns timed together */
#define TURN_PRECISE 256u   /* turns timed alone after a long slice */
#define TURN_SAMPLE_NS_MAX (4 * TROUPE_INLINE_TURN_NS_MAX)

/* A batch has had its share: as many messages as it may, or, where there is a clock, as much time. The clock is looked
 * at after the first few messages and then seldom; after each one of a kind whose messages are known to be slow. The
 * slice may have begun before the turn: then the turn ends a little early. */
bool troupe__turn_is_used_up(troupe_worker *worker, const struct kind *kind, uint32_t handled)
{
    const troupe_system_config *config = &worker->system->config;
    if (handled >= TROUPE_TURN_MESSAGES_MAX || worker->is_blocking)
        return true;
    bool looks = handled == TURN_FIRST_CHECK || handled % TURN_TIME_CHECK == 0 ||
                 atomic_load_relaxed(&kind->message_ns) > TROUPE_INLINE_TURN_NS_MAX;
    if (!config->clock_ns || !looks)
        return false;
    if (config->clock_ns(config->user) - worker->slice_started_ns <= TROUPE_TURN_LONG_NS)
        return false;
    worker->precise_turns += worker->precise_turns == 0; /* it counts as a long one */
    return true;
}

/* Smooth what a message of this kind costs. A sample has a cap: a turn may be long because the kernel took the core
 * away, and one such must not keep the kind off the inline way for long. */
static void note_turn(troupe_worker *worker, struct kind *kind, uint64_t turn_ns, uint32_t messages)
{
    uint64_t each_ns = turn_ns / (messages ? messages : 1);
    uint32_t sample = each_ns > TURN_SAMPLE_NS_MAX ? TURN_SAMPLE_NS_MAX : (uint32_t)each_ns;
    uint32_t smoothed = atomic_load_relaxed(&kind->message_ns);
    atomic_store_relaxed(&kind->message_ns, smoothed - smoothed / 4 + sample / 4);
    if (turn_ns > TROUPE_TURN_LONG_NS) {
        counter_add(&worker->stats.turns_long, 1);
        worker->had_long_turn = true;
    }
}

/* A turn was timed alone. */
static void note_one_turn(troupe_worker *worker, struct kind *kind, const struct actor *actor, uint32_t generation,
                          uint64_t turn_ns, uint32_t messages)
{
    uint32_t alarm_ms = worker->system->config.alarm_turn_ms;
    note_turn(worker, kind, turn_ns, messages);
    if (alarm_ms != TROUPE_ALARM_OFF && turn_ns >= alarm_ms * NS_PER_MS)
        troupe__alarm_on_turn(worker, (troupe_ref){worker->system->home, actor->slot, generation}, kind, turn_ns);
}

void troupe__turn_time(troupe_worker *worker, struct kind *kind, const struct actor *actor, uint32_t generation,
                       uint32_t messages)
{
    const troupe_system_config *config = &worker->system->config;
    if (worker->is_blocking) { /* its turns may last: one is a slice, and it is neither long nor told of */
        counter_add(&worker->kind_stats[kind->index].busy_ns,
                    config->clock_ns(config->user) - worker->slice_started_ns);
        return;
    }
    /* A kind that counts as slow is timed each time, or it would never be seen to be quick again. */
    bool is_slow = atomic_load_relaxed(&kind->message_ns) > TROUPE_INLINE_TURN_NS_MAX;
    uint32_t turns = ++worker->slice_turns;
    if (worker->precise_turns == 0 && !is_slow && turns < TURN_SLICE)
        return;
    uint64_t now_ns = config->clock_ns(config->user), spent_ns = now_ns - worker->slice_started_ns;
    if (worker->precise_turns > 0 || turns == 1) {
        worker->precise_turns -= worker->precise_turns > 0;
        note_one_turn(worker, kind, actor, generation, spent_ns, messages);
    } else if (spent_ns > TROUPE_TURN_LONG_NS) {
        worker->precise_turns = TURN_PRECISE;
    } else {
        note_turn(worker, kind, spent_ns / turns, messages); /* so that one long turn is forgotten again */
    }
    counter_add(&worker->kind_stats[kind->index].busy_ns, spent_ns); /* of the slice: who ran oftenest has most of it */
    worker->slice_turns = 0;
    worker->slice_started_ns = now_ns;
}

void troupe__turn_end_slice(troupe_worker *worker, const struct actor *actor)
{
    const troupe_system_config *config = &worker->system->config;
    if (!config->clock_ns || worker->slice_turns == 0)
        return;
    struct kind *kind = actor_kind(actor);
    uint64_t spent_ns = config->clock_ns(config->user) - worker->slice_started_ns;
    if (worker->slice_turns == 1)
        note_one_turn(worker, kind, actor, actor_generation(actor), spent_ns, 1);
    else if (spent_ns > TROUPE_TURN_LONG_NS)
        worker->precise_turns = TURN_PRECISE;
    counter_add(&worker->kind_stats[kind->index].busy_ns, spent_ns);
    worker->slice_turns = 0;
}

void troupe__turn_begin_slice(troupe_worker *worker)
{
    const troupe_system_config *config = &worker->system->config;
    if (config->clock_ns) {
        worker->slice_started_ns = config->clock_ns(config->user);
        worker->slice_turns = 0;
    }
}
