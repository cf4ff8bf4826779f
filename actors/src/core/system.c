/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, filling and ending a system. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

#define SHUTDOWN_SLICE 4096u            /* slots looked at in one poll */
#define SHUTDOWN_AGAIN_NS (10 * NS_PER_MS) /* a new pass over the table, for what was spawned meanwhile */

/* ---- make ---- */

static uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

static int check_config(const troupe_system_config *config)
{
    bool ok = config->node != 0 && config->workers <= TROUPE_WORKERS_MAX && config->actors_max <= TROUPE_ACTORS_MAX &&
              config->blocking_workers <= TROUPE_WORKERS_MAX - or_default(config->workers, 1) &&
              config->mailbox_messages_max <= TROUPE_MAILBOX_MESSAGES_MAX &&
              config->call_timeout_ms <= TROUPE_CALL_TIMEOUT_MS_MAX;
    return ok ? 0 : TROUPE_E_INVALID;
}

static troupe_worker *new_worker(troupe_system *system, uint32_t index)
{
    troupe_worker *worker = troupe__port_alloc_zeroed(sizeof *worker);
    if (!worker)
        return NULL;
    worker->system = system;
    worker->index = index;
    worker->is_blocking = index >= system->config.workers;
    worker->pool.depot = &system->depot;
    worker->until_inject = INJECT_EVERY_TURNS;
    worker->inline_left = TROUPE_INLINE_PER_PASS_MAX;
    rng_init(&worker->rng, system->config.seed + index);
    return worker;
}

int troupe_system_new(const troupe_system_config *config, troupe_system **ret_system)
{
    int rc = check_config(config);
    if (rc)
        return rc;
    troupe_system *system = troupe__port_alloc_zeroed(sizeof *system);
    if (!system)
        return TROUPE_E_NO_MEMORY;
    system->config = *config;
    system->config.workers = or_default(config->workers, 1);
    system->config.actors_max = or_default(config->actors_max, TROUPE_ACTORS_DEFAULT);
    system->config.mailbox_messages_max = or_default(config->mailbox_messages_max, TROUPE_MAILBOX_MESSAGES_DEFAULT);
    system->config.mailbox_bytes_max = or_default(config->mailbox_bytes_max, TROUPE_MAILBOX_BYTES_DEFAULT);
    system->config.call_timeout_ms = or_default(config->call_timeout_ms, TROUPE_CALL_TIMEOUT_MS_DEFAULT);
    system->config.alarm_mailbox_percent =
        or_default(config->alarm_mailbox_percent, TROUPE_ALARM_MAILBOX_PERCENT_DEFAULT);
    system->config.alarm_turn_ms = or_default(config->alarm_turn_ms, TROUPE_ALARM_TURN_MS_DEFAULT);
    system->home = (troupe_home){.low = config->node};
    system->ordinary = UINT64_MAX >> (TROUPE_WORKERS_MAX - system->config.workers);
    system->blocking.in_order = true;
    troupe__kind_init(&system->root_kind, &troupe__root_behavior, NULL);
    system->root_kind.index = TROUPE_BEHAVIORS_MAX;
    troupe__names_init(&system->names, system->home, config->seed);
    system->kinds = troupe__port_alloc_zeroed(TROUPE_BEHAVIORS_MAX * sizeof system->kinds[0]);
    system->workers = troupe__port_alloc_zeroed(troupe__workers_all(system) * sizeof system->workers[0]);
    rc = troupe__slots_init(&system->slots, system->config.actors_max);
    if (!system->kinds || !system->workers)
        rc = TROUPE_E_NO_MEMORY;
    for (uint32_t i = 0; rc == 0 && i < troupe__workers_all(system); i++)
        if (!(system->workers[i] = new_worker(system, i)))
            rc = TROUPE_E_NO_MEMORY;
    for (uint32_t i = system->config.workers; rc == 0 && i < troupe__workers_all(system); i++)
        atomic_or_relaxed(&system->parked, UINT64_C(1) << i); /* nobody drives it until it is woken */
    if (rc) {
        troupe_system_free(system);
        return rc;
    }
    *ret_system = system;
    return 0;
}

troupe_home troupe_system_home(const troupe_system *system) { return system->home; }

troupe_worker *troupe_system_worker(troupe_system *system, uint32_t i)
{
    return i < troupe__workers_all(system) ? system->workers[i] : NULL;
}

uint32_t troupe_system_workers(const troupe_system *system) { return system->config.workers; }

uint32_t troupe_system_blocking_workers(const troupe_system *system) { return system->config.blocking_workers; }

/* ---- end ---- */

void troupe_system_shutdown(troupe_worker *worker, enum troupe_stop_mode mode, uint32_t timeout_ms)
{
    troupe_system *system = worker->system;
    struct shutdown *shutdown = &system->shutdown;
    atomic_store_relaxed(&system->draining, true);
    shutdown->mode = mode;
    shutdown->killing = mode == TROUPE_KILL;
    shutdown->kill_at_ns = worker->now_ns + timeout_ms * NS_PER_MS;
    shutdown->cursor = 0;
    shutdown->again_at_ns = worker->now_ns;
    atomic_store_relaxed(&shutdown->worker, worker); /* the others only ask whether it is they */
}

/* Tell the actors without parent in the next slice of the table to end. */
static void stop_slice(troupe_worker *worker, struct shutdown *shutdown)
{
    static const char words[] = "the node ends";
    troupe_system *system = worker->system;
    troupe_stats stats;
    troupe_system_stats(system, &stats);
    uint64_t others = stats.actors > 0 ? stats.actors - 1 : 0; /* the node's supervisor goes last */
    uint32_t end = atomic_load_acquire(&system->slots.end);
    uint32_t from = shutdown->cursor ? (uint32_t)shutdown->cursor : 1;
    uint32_t to = end > from && end - from > SHUTDOWN_SLICE ? from + SHUTDOWN_SLICE : end; /* end is 0 in a new table */
    for (uint32_t slot = from; slot < to; slot++) {
        struct actor *actor = slots_at(&system->slots, slot);
        enum troupe_actor_state state = actor_state_now(actor);
        bool is_told = !shutdown->killing && state >= TROUPE_STATE_DRAINING;
        bool is_root = actor_kind(actor) == &system->root_kind;
        if (state == 0 || state == TROUPE_STATE_STOPPED || (atomic_load_relaxed(&actor->marks) & ACTOR_IS_CHILD) ||
            is_told || (is_root && others > 0))
            continue;
        enum troupe_stop_mode mode = shutdown->killing ? TROUPE_KILL : shutdown->mode;
        int rc = troupe__stop_send(worker, actor_ref(system, actor), mode, (troupe_view){words, sizeof words - 1},
                                   STOP_BY_PARENT);
        (void)rc; /* it has just ended, or memory is out and the next pass tries again */
    }
    shutdown->cursor = to;
    if (to == end) {
        shutdown->cursor = 0;
        shutdown->again_at_ns = worker->now_ns + SHUTDOWN_AGAIN_NS;
    }
}

uint64_t troupe__shutdown_step(troupe_worker *worker)
{
    struct shutdown *shutdown = &worker->system->shutdown;
    if (atomic_load_relaxed(&shutdown->worker) != worker)
        return TROUPE_NEVER;
    if (!shutdown->killing && worker->now_ns >= shutdown->kill_at_ns) {
        shutdown->killing = true;
        shutdown->cursor = 0;
        shutdown->again_at_ns = worker->now_ns;
    }
    if (worker->now_ns >= shutdown->again_at_ns)
        stop_slice(worker, shutdown);
    troupe_stats stats;
    troupe_system_stats(worker->system, &stats);
    if (stats.actors == 0)
        return TROUPE_NEVER;
    return shutdown->again_at_ns;
}

/* Bring an actor that is left to its end, whatever it waits for. */
static void end_left(troupe_worker *worker, struct actor *actor)
{
    if (!actor || actor_state_now(actor) == 0 || actor_state_now(actor) == TROUPE_STATE_STOPPED)
        return;
    troupe__worker_raise(worker, actor, actor_generation(actor), SIGNAL_KILL);
}

static void end_all_left(troupe_system *system)
{
    troupe_worker *worker = system->workers[0];
    uint32_t end = atomic_load_relaxed(&system->slots.end);
    for (uint32_t slot = 1; slot < end; slot++)
        end_left(worker, slots_at(&system->slots, slot));
    /* Every end goes on by messages: drive until all are over. Killed actors wait for nobody but killed children. */
    for (bool busy = true; busy;) {
        busy = false;
        for (uint32_t i = 0; i < troupe__workers_all(system); i++) {
            troupe_worker *each = system->workers[i];
            if (troupe_worker_poll(each, each->now_ns, 1024) == 0)
                busy = true;
        }
        for (uint32_t i = 0; i < troupe__workers_all(system); i++) /* the last one may have left work for the first */
            busy =
                busy || atomic_load_relaxed(&system->inject.count) || atomic_load_relaxed(&system->workers[i]->inbox);
    }
}

void troupe_system_free(troupe_system *system)
{
    if (!system)
        return;
    bool whole = system->workers && system->kinds && system->slots.chunks;
    for (uint32_t i = 0; whole && i < troupe__workers_all(system); i++)
        whole = system->workers[i] != NULL;
    if (whole) {
        atomic_store_relaxed(&system->shutdown.worker, NULL);
        atomic_store_relaxed(&system->draining, true); /* an answer on the way must not start anything */
        end_all_left(system);
        troupe__group_forget_stuck(&system->groups);
    }
    for (uint32_t i = 0; system->workers && i < troupe__workers_all(system); i++) {
        if (!system->workers[i])
            continue;
        troupe__requests_fini(system->workers[i]);
        troupe__name_forget_lost(system->workers[i]);
        troupe__port_free(system->workers[i], sizeof *system->workers[i]);
    }
    if (system->workers)
        troupe__port_free(system->workers, troupe__workers_all(system) * sizeof system->workers[0]);
    if (system->kinds)
        troupe__port_free(system->kinds, TROUPE_BEHAVIORS_MAX * sizeof system->kinds[0]);
    troupe__names_fini(&system->names);
    troupe__traces_fini(&system->traces);
    troupe__topics_fini(&system->topics);
    troupe__groups_fini(&system->groups);
    troupe__slots_fini(&system->slots);
    troupe__pool_depot_fini(&system->depot);
    troupe__port_free(system, sizeof *system);
}
