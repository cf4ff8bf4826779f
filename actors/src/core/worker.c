/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: which actor runs next, when to sleep, whom to wake.
 *
 * poll() takes in answers from other workers, fires timers, then runs actors: its own queue first; every
 * INJECT_EVERY_TURNS turns, and when its own is empty, the inject queue (inject.h); then it steals half of another's.
 *
 * Sleeping. park() sets the worker's bit in `parked`, then looks once more at everything that others may have left for
 * it: its inbox and the inject queue. Who adds to these does it first and then looks at `parked`; both sides are
 * sequentially consistent, so one of the two sees the other and nothing is left lying. Another worker's run queue is
 * different: work there is in good hands, so a thief that is not woken costs parallelism for a moment, never work.
 * Therefore a push to the own queue looks at `parked` without a fence, and wakes somebody when two or more wait; for one
 * alone, which this worker will most likely run next, it does so once in WAKE_AGAIN_NS. And who finds nothing to steal
 * while another worker is in a turn looks again after STEAL_AGAIN_NS. So nothing waits long behind a long turn. */
#include "core/worker.h"

#include "core/mailbox.h"

#define WAKE_AGAIN_NS (1 * NS_PER_MS)
#define STEAL_AGAIN_NS (2 * NS_PER_MS)
#define LOST_AGAIN_NS (10 * NS_PER_MS) /* lost names could not be told for want of memory */

/* Wake one parked worker, if there is one: whoever clears its bit calls wake. */
static void wake_one(troupe_system *system, uint64_t parked)
{
    while (parked) {
        uint32_t index = (uint32_t)__builtin_ctzll(parked);
        if (atomic_cas_weak_seq(&system->parked, &parked, parked & ~(UINT64_C(1) << index))) {
            if (system->config.wake)
                system->config.wake(system->config.user, index);
            return;
        }
    }
}

void troupe__worker_wake(troupe_system *system, uint32_t index)
{
    uint64_t bit = UINT64_C(1) << index, parked = atomic_load_seq(&system->parked);
    while (parked & bit) {
        if (atomic_cas_weak_seq(&system->parked, &parked, parked & ~bit)) {
            if (system->config.wake)
                system->config.wake(system->config.user, index);
            return;
        }
    }
}

/* ---- queues ---- */

static void inject(troupe_system *system, struct actor **actors, uint32_t n)
{
    inject_put(&system->inject, &system->slots, actors, n);
    wake_one(system, atomic_load_seq(&system->parked));
}

/* Take from the inject queue: one to run, and a fair share for the own ring, as far as there is room. */
static struct actor *take_injected(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    struct actor *actors[RUNQ_SIZE / 2];
    uint32_t room = RUNQ_SIZE - runq_depth(&worker->runq) + 1; /* only the owner makes it less */
    uint32_t n = inject_take(&system->inject, &system->slots, system->config.workers, actors,
                             room < RUNQ_SIZE / 2 ? room : RUNQ_SIZE / 2);
    for (uint32_t i = 1; i < n; i++)
        troupe__worker_schedule(worker, actors[i]);
    return n ? actors[0] : NULL;
}

static struct actor *steal(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    uint32_t workers = system->config.workers;
    if (workers == 1)
        return NULL;
    uint32_t start = rng_below(&worker->rng, workers);
    for (uint32_t i = 0; i < workers; i++) {
        troupe_worker *victim = system->workers[(start + i) % workers];
        if (victim == worker)
            continue;
        struct actor *loot[RUNQ_SIZE / 2];
        uint32_t depth = runq_depth(&victim->runq);
        if (depth == 0 || depth > RUNQ_SIZE)
            continue; /* empty, or head and tail were read at different times */
        uint32_t n = runq_take(&victim->runq, loot, (depth + 1) / 2);
        if (n == 0)
            continue;
        counter_add(&worker->stats.steals, n);
        for (uint32_t k = 1; k < n; k++)
            troupe__worker_schedule(worker, loot[k]);
        return loot[0];
    }
    return NULL;
}

static struct actor *next_actor(troupe_worker *worker)
{
    struct actor *actor = NULL;
    if (--worker->until_inject == 0) {
        worker->until_inject = INJECT_EVERY_TURNS;
        if ((actor = take_injected(worker)))
            return actor;
    }
    bool is_alone = worker->system->config.workers == 1;
    if (is_alone ? runq_take_alone(&worker->runq, &actor) : runq_take(&worker->runq, &actor, 1))
        return actor;
    if ((actor = take_injected(worker)))
        return actor;
    return steal(worker);
}

void troupe__worker_schedule(troupe_worker *worker, struct actor *actor)
{
    if (!runq_push(&worker->runq, actor)) {
        struct actor *half[RUNQ_SIZE / 2 + 1];
        uint32_t n = runq_take(&worker->runq, half, RUNQ_SIZE / 2);
        half[n++] = actor; /* behind those that waited longer */
        inject(worker->system, half, n);
        return;
    }
    uint64_t parked = atomic_load_relaxed(&worker->system->parked); /* advisory, see the head */
    if (parked && (runq_depth(&worker->runq) >= 2 || worker->now_ns - worker->woke_ns >= WAKE_AGAIN_NS)) {
        worker->woke_ns = worker->now_ns;
        wake_one(worker->system, parked);
    }
}

/* Only on the actor that is meant: the slot may have passed to a successor meanwhile. But that something is in the system
 * lane is told to whoever is here: it answers the requests for a predecessor. */
static void set_signals(struct actor *actor, uint32_t generation, uint32_t signals)
{
    uint64_t identity = atomic_load_relaxed(&actor->identity);
    for (;;) {
        uint32_t wanted = identity >> 32 == generation ? signals : signals & SIGNAL_SYSTEM;
        if (wanted == 0 || atomic_cas_weak_seq(&actor->identity, &identity, identity | wanted))
            return;
    }
}

void troupe__worker_raise(troupe_worker *worker, struct actor *actor, uint32_t generation, uint32_t signals)
{
    set_signals(actor, generation, signals);
    if (mailbox_claim(actor))
        troupe__worker_schedule(worker, actor);
}

/* ---- timers ---- */

void troupe__worker_disarm(troupe_worker *worker, struct actor *actor)
{
    struct extra *extra = actor->extra;
    if (!extra || extra->timer_deadline_ns == UINT64_MAX)
        return; /* it is in no wheel */
    troupe_worker *owner = worker->system->workers[extra->timer_worker];
    troupe__lock_acquire(&owner->wheel_lock);
    troupe__wheel_stop(&owner->wheel, &extra->timer);
    troupe__lock_release(&owner->wheel_lock);
    extra->timer_deadline_ns = UINT64_MAX;
}

void troupe__worker_arm(troupe_worker *worker, struct actor *actor, uint64_t deadline_ns)
{
    struct extra *extra = actor->extra;
    if (extra->timer_deadline_ns <= deadline_ns)
        return; /* it will look at its deadlines before this one */
    troupe__worker_disarm(worker, actor);
    troupe__lock_acquire(&worker->wheel_lock);
    extra->timer_worker = worker->index;
    extra->timer_deadline_ns = deadline_ns;
    troupe__wheel_start(&worker->wheel, &extra->timer, deadline_ns);
    troupe__lock_release(&worker->wheel_lock);
}

/* Fire what is due. Actors are told under the lock: an actor cannot end meanwhile, as its end takes the lock to disarm.
 * Those that were idle are ours from then on, and are queued after it; requests are this thread's alone. They wait in a
 * list which they leave as they leave a wheel: the answer to one may end another, and a new one may take its place. */
static void fire_timers(troupe_worker *worker)
{
    struct wheel_entry *requests = NULL, **requests_end = &requests;
    uint32_t claimed = 0;
    troupe__lock_acquire(&worker->wheel_lock);
    struct wheel_entry *due = troupe__wheel_advance(&worker->wheel, worker->now_ns);
    while (due) {
        struct wheel_entry *entry = due;
        due = entry->next;
        if (entry->owner) {
            set_signals(entry->owner, actor_generation(entry->owner), SIGNAL_TIMER);
            if (mailbox_claim(entry->owner)) {
                entry->owner->run_next = claimed;
                claimed = entry->owner->slot;
            }
        } else {
            *requests_end = entry;
            entry->link = requests_end;
            requests_end = &entry->next;
        }
    }
    *requests_end = NULL;
    troupe__lock_release(&worker->wheel_lock);
    while (claimed) {
        struct actor *actor = slots_at(&worker->system->slots, claimed);
        claimed = actor->run_next;
        troupe__worker_schedule(worker, actor);
    }
    while (requests)
        troupe__request_on_due(worker, requests); /* takes it out */
}

/* ---- inbox ---- */

void troupe__worker_post(troupe_system *system, uint32_t to, struct message *message)
{
    troupe_worker *worker = system->workers[to];
    struct message *top = atomic_load_relaxed(&worker->inbox);
    do
        message->next = top;
    while (!atomic_cas_weak_seq(&worker->inbox, &top, message));
    troupe__worker_wake(system, to); /* after the push: pairs with park */
}

static void take_inbox(troupe_worker *worker)
{
    if (!atomic_load_relaxed(&worker->inbox))
        return;
    struct message *list = message_reverse(atomic_exchange_acq_rel(&worker->inbox, NULL));
    while (list) {
        struct message *next = list->next;
        if (list->what == NOTICE_TOPIC)
            troupe__topic_on_notice(worker, list);
        else
            troupe__request_on_message(worker, list);
        list = next;
    }
}

/* ---- drive ---- */

static void refresh_overload(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    if (system->config.memory_max == 0)
        return;
    bool over = troupe__system_memory(system) > system->config.memory_max / 5 * 4;
    if (over != atomic_load_relaxed(&system->overloaded))
        atomic_store_relaxed(&system->overloaded, over);
}

static bool is_another_in_turn(const troupe_worker *worker)
{
    const troupe_system *system = worker->system;
    for (uint32_t i = 0; i < system->config.workers; i++)
        if (system->workers[i] != worker && atomic_load_relaxed(&system->workers[i]->turn_actor))
            return true;
    return false;
}

uint64_t troupe_worker_poll(troupe_worker *worker, uint64_t now_ns, uint32_t turns)
{
    troupe_worker_set_now(worker, now_ns);
    worker->inline_left = TROUPE_INLINE_PER_PASS_MAX;
    take_inbox(worker);
    fire_timers(worker);
    troupe__topics_run(worker);
    if (worker->index == 0)
        troupe__name_tell_lost(worker);
    uint64_t shutdown_ns = troupe__shutdown_step(worker);
    refresh_overload(worker);
    worker->had_long_turn = false;
    for (uint32_t i = 0; i < turns && !worker->had_long_turn; i++) { /* after a long one the driver's turn has come */
        struct actor *actor = next_actor(worker);
        if (!actor)
            break;
        if (i == 0)
            troupe__turn_begin_slice(worker);
        troupe__turn_run(worker, actor);
    }
    if (runq_depth(&worker->runq) || atomic_load_relaxed(&worker->system->inject.count) ||
        atomic_load_relaxed(&worker->inbox) || worker->topics_due)
        return 0;
    troupe__lock_acquire(&worker->wheel_lock);
    uint64_t next_ns = troupe__wheel_next_ns(&worker->wheel);
    troupe__lock_release(&worker->wheel_lock);
    if (shutdown_ns < next_ns)
        next_ns = shutdown_ns;
    if (worker->lost && next_ns > worker->now_ns + LOST_AGAIN_NS)
        next_ns = worker->now_ns + LOST_AGAIN_NS;
    if (next_ns > worker->now_ns + STEAL_AGAIN_NS && is_another_in_turn(worker))
        next_ns = worker->now_ns + STEAL_AGAIN_NS;
    if (next_ns == TROUPE_NEVER)
        return TROUPE_NEVER;
    return next_ns > worker->now_ns ? next_ns - worker->now_ns : 0;
}

void troupe_worker_set_now(troupe_worker *worker, uint64_t now_ns)
{
    const troupe_system_config *config = &worker->system->config;
    if (now_ns > worker->now_ns)
        worker->now_ns = now_ns;
    if (config->clock_ns)
        worker->clock_at_now_ns = config->clock_ns(config->user);
}

bool troupe_worker_park(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    atomic_fetch_or_explicit(&system->parked, UINT64_C(1) << worker->index, memory_order_seq_cst);
    bool work = atomic_load_seq(&worker->inbox) || atomic_load_seq(&system->inject.count) ||
                runq_depth(&worker->runq) || worker->topics_due ||
                (worker->index == 0 && atomic_load_seq(&system->names.lost));
    if (work)
        troupe_worker_unpark(worker);
    return !work;
}

void troupe_worker_unpark(troupe_worker *worker)
{
    uint64_t bit = UINT64_C(1) << worker->index;
    if (atomic_load_relaxed(&worker->system->parked) & bit)
        atomic_fetch_and_explicit(&worker->system->parked, ~bit, memory_order_seq_cst);
}

bool troupe_worker_turn(const troupe_worker *worker, troupe_ref *ret_actor, const char **ret_behavior,
                        uint64_t *ret_turn)
{
    struct actor *actor = atomic_load_acquire(&worker->turn_actor);
    if (!actor)
        return false;
    *ret_actor = actor_ref(worker->system, actor);
    *ret_behavior = actor_kind(actor)->behavior->name;
    *ret_turn = atomic_load_relaxed(&worker->turn_count);
    return true;
}
