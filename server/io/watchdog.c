/* SPDX-License-Identifier: Apache-2.0 */
#include "io/watchdog.h"

#include <stdio.h>

#include "base/log.h"

uint64_t watchdog_period_ms(const struct watchdog *watchdog)
{
    uint64_t quarter_ms = watchdog->stuck_turn_max_ms / 4;
    return quarter_ms < WATCHDOG_MS ? quarter_ms : WATCHDOG_MS;
}

static void tell_stuck(const char *words, troupe_ref actor, const char *behavior, uint64_t age_ms)
{
    char ref[TROUPE_REF_TEXT_MAX], age[32];
    troupe_ref_format(actor, ref);
    snprintf(age, sizeof age, "%llu ms", (unsigned long long)age_ms);
    const struct log_field fields[] = {{"actor", ref}, {"behavior", behavior}, {"turn", age}, {NULL, NULL}};
    log_write(TROUPE_LOG_ERROR, words, fields);
}

/* How long the worker has been in the turn it is in, as far as was seen. */
static uint64_t age_of_turn(struct watchdog *watchdog, unsigned i, uint64_t now_ms, troupe_ref *ret_actor,
                            const char **ret_behavior)
{
    uint64_t turn = 0;
    struct watched *watched = &watchdog->workers[i];
    bool in_turn = troupe_worker_turn(troupe_system_worker(watchdog->system, i), ret_actor, ret_behavior, &turn);
    if (in_turn && watched->in_turn && turn == watched->turn)
        return now_ms - watched->since_ms;
    *watched = (struct watched){.in_turn = in_turn, .turn = turn, .since_ms = now_ms};
    return 0;
}

static uint64_t look(struct watchdog *watchdog, unsigned i, uint64_t now_ms)
{
    troupe_ref actor;
    const char *behavior = NULL;
    struct watched *watched = &watchdog->workers[i];
    uint64_t age_ms = age_of_turn(watchdog, i, now_ms, &actor, &behavior);
    if (age_ms > watchdog->stuck_turn_max_ms) {
        tell_stuck("a turn did not end; the node ends", actor, behavior, age_ms);
    } else if (age_ms > WATCHDOG_STUCK_MS && !watched->told) {
        watched->told = true;
        tell_stuck("a turn holds a worker", actor, behavior, age_ms);
    }
    return age_ms;
}

/* The turns of blocking workers may last as long as they like: they are only shown. */
static void look_at_blocking(struct watchdog *watchdog, uint64_t now_ms)
{
    unsigned workers = troupe_system_workers(watchdog->system);
    for (unsigned i = 0; i < troupe_system_blocking_workers(watchdog->system); i++) {
        troupe_ref actor;
        const char *behavior;
        uint64_t age_ms = age_of_turn(watchdog, workers + i, now_ms, &actor, &behavior);
        atomic_store_explicit(&watchdog->health->blocked_since_ms[i], age_ms > 0 ? now_ms - age_ms : 0,
                              memory_order_relaxed);
    }
}

bool watchdog_look(struct watchdog *watchdog, uint64_t now_ms)
{
    unsigned stuck = 0;
    look_at_blocking(watchdog, now_ms);
    for (unsigned i = 0; i < troupe_system_workers(watchdog->system); i++) {
        uint64_t age_ms = look(watchdog, i, now_ms);
        if (age_ms > watchdog->stuck_turn_max_ms)
            return false;
        stuck += age_ms > WATCHDOG_STUCK_MS ? 1 : 0;
    }
    atomic_store_explicit(&watchdog->health->stuck, stuck, memory_order_relaxed);
    return true;
}
