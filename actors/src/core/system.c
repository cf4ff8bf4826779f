/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, filling and ending a system. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

#define SHUTDOWN_SLICE 4096u            /* slots looked at in one poll */
#define SHUTDOWN_AGAIN_NS (10 * NS_PER_MS) /* a new pass over the table, for what was spawned meanwhile */

/* ---- make ---- */

static int check_config(const troupe_system_config *config)
{
    bool ok = config->node != 0 && config->workers <= TROUPE_WORKERS_MAX && config->actors_max <= TROUPE_ACTORS_MAX &&
              config->mailbox_messages_max <= TROUPE_MAILBOX_MESSAGES_MAX &&
              config->call_timeout_ms <= TROUPE_CALL_TIMEOUT_MS_MAX;
    return ok ? 0 : TROUPE_E_INVALID;
}

static uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

static troupe_worker *new_worker(troupe_system *system, uint32_t index)
{
    troupe_worker *worker = troupe__port_alloc_zeroed(sizeof *worker);
    if (!worker)
        return NULL;
    worker->system = system;
    worker->index = index;
    worker->pool.depot = &system->depot;
    worker->until_inject = INJECT_EVERY_TURNS;
    worker->inline_left = TROUPE_INLINE_PER_PASS_MAX;
    rng_init(&worker->rng, system->config.seed + index);
    return worker;
}

static void init_kind(struct kind *kind, const troupe_behavior *behavior)
{
    kind->behavior = behavior;
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        size_t len = strlen(behavior->types[i].name);
        kind->type_lens[i] = (uint8_t)len;
        memcpy(&kind->type_heads[i], behavior->types[i].name, len < 8 ? len : 8);
    }
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
    system->home = (troupe_home){.low = config->node};
    init_kind(&system->root_kind, &troupe__root_behavior);
    troupe__names_init(&system->names, system->home, config->seed);
    system->kinds = troupe__port_alloc_zeroed(TROUPE_BEHAVIORS_MAX * sizeof system->kinds[0]);
    system->workers = troupe__port_alloc_zeroed(system->config.workers * sizeof system->workers[0]);
    rc = troupe__slots_init(&system->slots, system->config.actors_max);
    if (!system->kinds || !system->workers)
        rc = TROUPE_E_NO_MEMORY;
    for (uint32_t i = 0; rc == 0 && i < system->config.workers; i++)
        if (!(system->workers[i] = new_worker(system, i)))
            rc = TROUPE_E_NO_MEMORY;
    if (rc) {
        troupe_system_free(system);
        return rc;
    }
    *ret_system = system;
    return 0;
}

/* ---- behaviors ---- */

static int check_behavior(const troupe_behavior *behavior)
{
    if (behavior->abi != TROUPE_BEHAVIOR_ABI || behavior->size < sizeof *behavior || !behavior->receive ||
        !behavior->name || !troupe__is_word(troupe_view_of(behavior->name)) || !behavior->version ||
        behavior->types_count > TROUPE_TYPES_PER_BEHAVIOR_MAX)
        return TROUPE_E_INVALID;
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        const troupe_type *type = &behavior->types[i];
        if (!type->name || !troupe__is_word(troupe_view_of(type->name)))
            return TROUPE_E_INVALID;
        for (uint32_t k = 0; k < i; k++)
            if (troupe_view_equal(troupe_view_of(type->name), troupe_view_of(behavior->types[k].name)))
                return TROUPE_E_INVALID;
    }
    return 0;
}

int troupe_system_add_behavior(troupe_system *system, const troupe_behavior *behavior)
{
    int rc = check_behavior(behavior);
    if (rc)
        return rc;
    troupe_view name = troupe_view_of(behavior->name);
    if (troupe_system_behavior(system, name) || troupe_view_equal(name, troupe_view_of(troupe__root_behavior.name)))
        return TROUPE_E_NAME_TAKEN;
    if (system->kinds_count == TROUPE_BEHAVIORS_MAX)
        return TROUPE_E_LIMIT;
    init_kind(&system->kinds[system->kinds_count], behavior);
    system->kinds_count++;
    return 0;
}

const troupe_behavior *troupe_system_behavior_at(const troupe_system *system, uint32_t i)
{
    return i < system->kinds_count ? system->kinds[i].behavior : NULL;
}

troupe_home troupe_system_home(const troupe_system *system) { return system->home; }

troupe_worker *troupe_system_worker(troupe_system *system, uint32_t i)
{
    return i < system->config.workers ? system->workers[i] : NULL;
}

uint32_t troupe_system_workers(const troupe_system *system) { return system->config.workers; }

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
        if (state == 0 || state == TROUPE_STATE_STOPPED || (atomic_load_relaxed(&actor->marks) & ACTOR_IS_CHILD) || is_told ||
            (is_root && others > 0))
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
        for (uint32_t i = 0; i < system->config.workers; i++) {
            troupe_worker *each = system->workers[i];
            if (troupe_worker_poll(each, each->now_ns, 1024) == 0)
                busy = true;
        }
    }
}

void troupe_system_free(troupe_system *system)
{
    if (!system)
        return;
    bool whole = system->workers && system->kinds && system->slots.chunks;
    for (uint32_t i = 0; whole && i < system->config.workers; i++)
        whole = system->workers[i] != NULL;
    if (whole) {
        atomic_store_relaxed(&system->shutdown.worker, NULL);
        atomic_store_relaxed(&system->draining, true); /* an answer on the way must not start anything */
        end_all_left(system);
    }
    for (uint32_t i = 0; system->workers && i < system->config.workers; i++) {
        if (!system->workers[i])
            continue;
        troupe__requests_fini(system->workers[i]);
        troupe__name_forget_lost(system->workers[i]);
        troupe__port_free(system->workers[i], sizeof *system->workers[i]);
    }
    if (system->workers)
        troupe__port_free(system->workers, system->config.workers * sizeof system->workers[0]);
    if (system->kinds)
        troupe__port_free(system->kinds, TROUPE_BEHAVIORS_MAX * sizeof system->kinds[0]);
    troupe__names_fini(&system->names);
    troupe__topics_fini(&system->topics);
    troupe__slots_fini(&system->slots);
    troupe__pool_depot_fini(&system->depot);
    troupe__port_free(system, sizeof *system);
}
