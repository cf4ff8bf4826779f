/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: which actor runs next, when to sleep, whom to wake.
 *
 * poll() takes in answers from other workers, fires timers, then runs actors: its own queue first; every
 * INJECT_EVERY_TURNS turns, and when its own is empty, the inject queue (inject.h); then it steals half of another's.
 *
 * Blocking workers (troupe_system_config.blocking_workers) run the actors whose behavior says that it may block, and no
 * others. They share one queue and have nothing else: such an actor is put there by whoever schedules it, and what they
 * schedule themselves goes there or to the inject queue. The deadlines of an actor that they ran go to the wheel of an
 * ordinary worker, which is told of it as of an addition to its inbox.
 *
 * Sleeping. park() sets the worker's bit in `parked`, then looks once more at everything that others may have left for
 * it: its inbox and the inject queue. Who adds to these does it first and then looks at `parked`; both sides are
 * sequentially consistent, so one of the two sees the other and nothing is left lying. Another worker's run queue is
 * different: work there is in good hands, so a thief that is not woken costs parallelism for a moment, never work.
 * Therefore a push to the own queue looks at `parked` without a fence.
 *
 * Sharing. To wake a core costs some 25 us, and actors that are moved leave the cache in which their messages are: two
 * cores that send to one actor are slower than one. So a worker wakes another one when its queue holds SHARE_NS of
 * work, ten times that, by what its turns took of late (turn_ns); and once in WAKE_AGAIN_NS whatever it holds, as a
 * turn may be longer than all before it. A thief takes half of a queue that holds so much by its owner's turn_ns, or
 * that it has seen to last so long: a part of what lay there SHARE_NS ago still does. While others are at work it looks
 * again, after LOOK_AGAIN_NS_MIN at first and LOOK_AGAIN_NS_MAX in the end, and sleeps without a time only when none of
 * them has run a turn for WAKE_AGAIN_NS. So nothing waits long behind a long turn. */
#include "core/worker.h"

#include "base/compiler.h"
#include "core/mailbox.h"
#include "core/outside.h"

#define WAKE_AGAIN_NS (1 * NS_PER_MS)
#define SHARE_NS 250000u
#define LOOK_AGAIN_NS_MIN 100000u
#define LOOK_AGAIN_NS_MAX (2 * NS_PER_MS)
#define TURN_NS_MAX 1000000000u
#define TURN_NS_STEP 2000u
#define TURNS_WORTH_TIMING 8u
#define LATE_TIMERS_NS (10 * NS_PER_MS) /* a deadline so late is fired by another worker */
#define LOST_AGAIN_NS (10 * NS_PER_MS) /* lost names could not be told for want of memory */

/* Wake one parked worker among these, if there is one: whoever clears its bit calls wake. */
static void wake_one(troupe_system *system, uint64_t among)
{
    uint64_t parked = atomic_load_seq(&system->parked);
    while (parked & among) {
        uint32_t index = (uint32_t)__builtin_ctzll(parked & among);
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
    wake_one(system, system->ordinary);
}

/* One of the two is a blocking one, the worker or the actor: the worker's ring is not the place. */
static void schedule_elsewhere(troupe_worker *worker, struct actor *actor)
{
    troupe_system *system = worker->system;
    if (atomic_load_relaxed(&actor->marks) & ACTOR_BLOCKS) {
        inject_put(&system->blocking, &system->slots, &actor, 1);
        wake_one(system, ~system->ordinary);
    } else {
        inject(system, &actor, 1);
    }
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

/* Does this queue hold so much that it is worth moving? See the head. */
static bool is_worth_stealing(troupe_worker *thief, const troupe_worker *victim, uint32_t in_ring)
{
    uint32_t depth = in_ring + (atomic_load_relaxed(&victim->runq.front) != NULL);
    if ((uint64_t)depth * atomic_load_relaxed(&victim->turn_ns) >= SHARE_NS)
        return depth > 0;
    struct seen_queue *seen = &thief->seen[victim->index];
    uint64_t turns = atomic_load_relaxed(&victim->turn_count);
    uint32_t head = atomic_load_relaxed(&victim->runq.head);
    /* What was seen then is there. */
    bool is_same = turns == seen->turns || (in_ring && (int32_t)(head - seen->tail) < 0);
    if (is_same && depth)
        return thief->now_ns - seen->at_ns >= SHARE_NS;
    seen->turns = turns;
    seen->tail = head + in_ring;
    seen->at_ns = thief->now_ns;
    return false;
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
        uint32_t in_ring = runq_depth(&victim->runq);
        if (in_ring > RUNQ_SIZE)
            continue; /* head and tail were read at different times */
        if (!is_worth_stealing(worker, victim, in_ring))
            continue;
        uint32_t n = in_ring ? runq_take(&victim->runq, loot, (in_ring + 1) / 2) : 0;
        if (n == 0 && (loot[0] = runq_take_front(&victim->runq)))
            n = 1;
        if (n == 0)
            continue;
        counter_add(&worker->stats.steals, n);
        for (uint32_t k = 1; k < n; k++)
            troupe__worker_schedule(worker, loot[k]);
        return loot[0];
    }
    return NULL;
}

/* From the own queue, or NULL. */
static struct actor *take_own(troupe_worker *worker)
{
    struct runq *queue = &worker->runq;
    struct actor *actor = NULL;
    bool is_alone = worker->system->config.workers == 1;
    if (!worker->took_front && (actor = is_alone ? runq_take_front_alone(queue) : runq_take_front(queue))) {
        worker->took_front = true;
        return actor;
    }
    worker->took_front = false;
    if (is_alone ? runq_take_alone(queue, &actor) : runq_take(queue, &actor, 1))
        return actor;
    return runq_take_front(queue);
}

static struct actor *next_actor(troupe_worker *worker)
{
    struct actor *actor = NULL;
    if (worker->is_blocking) {
        (void)inject_take(&worker->system->blocking, &worker->system->slots, 1, &actor, 1);
        return actor;
    }
    if (--worker->until_inject == 0) {
        worker->until_inject = INJECT_EVERY_TURNS;
        if ((actor = take_injected(worker)))
            return actor;
    }
    if ((actor = take_own(worker)) || (actor = take_injected(worker)))
        return actor;
    return steal(worker);
}

/* The queue has grown: wake somebody to share it, if that is worth it (see the head). */
static inline void share(troupe_worker *worker)
{
    uint64_t parked = atomic_load_relaxed(&worker->system->parked) & worker->system->ordinary; /* advisory */
    if (!parked)
        return;
    uint64_t depth = runq_depth(&worker->runq) + (atomic_load_relaxed(&worker->runq.front) != NULL);
    if (worker->now_ns - worker->woke_ns >= WAKE_AGAIN_NS ||
        depth * atomic_load_relaxed(&worker->turn_ns) >= SHARE_NS) {
        worker->woke_ns = worker->now_ns;
        wake_one(worker->system, worker->system->ordinary);
    }
}

/* The ring is full: half of it goes to the inject queue, and the actor behind those, which waited longer. */
static RARE void overflow(troupe_worker *worker, struct actor *actor)
{
    struct actor *half[RUNQ_SIZE / 2 + 1];
    uint32_t n = runq_take(&worker->runq, half, RUNQ_SIZE / 2);
    half[n++] = actor;
    inject(worker->system, half, n);
}

void troupe__worker_schedule(troupe_worker *worker, struct actor *actor)
{
    if (worker->is_blocking || (atomic_load_relaxed(&actor->marks) & ACTOR_BLOCKS)) {
        schedule_elsewhere(worker, actor);
        return;
    }
    __builtin_prefetch((const char *)actor + 64); /* who scheduled it has its first line; the turn needs the others */
    __builtin_prefetch((const char *)actor + 128);
    if (runq_push(&worker->runq, actor))
        share(worker);
    else
        overflow(worker, actor);
}

void troupe__worker_schedule_next(troupe_worker *worker, struct actor *actor)
{
    if (worker->is_blocking || (atomic_load_relaxed(&actor->marks) & ACTOR_BLOCKS) ||
        !runq_push_front(&worker->runq, actor))
        troupe__worker_schedule(worker, actor);
    else
        share(worker);
}

/* Only on the actor that is meant: the slot may have passed to a successor meanwhile. But that something is in the
 * system lane is told to whoever is here: it answers the requests for a predecessor. */
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
    troupe_system *system = worker->system;
    troupe_worker *owner = worker->is_blocking ? system->workers[actor->slot % system->config.workers] : worker;
    troupe__lock_acquire(&owner->wheel_lock);
    extra->timer_worker = owner->index;
    extra->timer_deadline_ns = deadline_ns;
    troupe__wheel_start(&owner->wheel, &extra->timer, deadline_ns);
    troupe__lock_release(&owner->wheel_lock);
    if (owner != worker) { /* after the wheel: pairs with park */
        atomic_store_seq(&owner->armed_by_other, true);
        troupe__worker_wake(system, owner->index);
    }
}

/* Fire what is due. Actors are told under the lock: an actor cannot end meanwhile, as its end takes the lock to disarm.
 * Those that were idle are ours from then on, and are queued after it; requests are this thread's alone. They wait in a
 * list which they leave as they leave a wheel: the answer to one may end another, and a new one may take its place. */
static void fire_timers(troupe_worker *worker, troupe_worker *owner)
{
    struct wheel_entry *requests = NULL, **requests_end = &requests;
    uint32_t claimed = 0;
    troupe__lock_acquire(&owner->wheel_lock);
    struct wheel_entry *due = troupe__wheel_advance(&owner->wheel, worker->now_ns);
    while (due) {
        struct wheel_entry *entry = due;
        due = entry->next;
        if (entry->owner) {
            set_signals(entry->owner, actor_generation(entry->owner), SIGNAL_TIMER);
            if (mailbox_claim(entry->owner)) {
                entry->owner->run_next = claimed;
                claimed = entry->owner->slot;
            }
        } else if (owner != worker) {
            troupe__wheel_start(&owner->wheel, entry, worker->now_ns); /* its own thread's alone, when it comes to it */
        } else {
            *requests_end = entry;
            entry->link = requests_end;
            requests_end = &entry->next;
        }
    }
    *requests_end = NULL;
    troupe__lock_release(&owner->wheel_lock);
    while (claimed) {
        struct actor *actor = slots_at(&worker->system->slots, claimed);
        claimed = actor->run_next;
        troupe__worker_schedule(worker, actor);
    }
    while (requests)
        troupe__request_on_due(worker, requests); /* takes it out */
}

/* Deadlines of actors do not wait for a worker that stays in a turn: another one fires them. Looked at now and then; a
 * worker that finds one in a turn sleeps no longer than LOOK_AGAIN_NS_MAX. */
static void fire_for_others(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    if (worker->now_ns - worker->looked_at_others_ns < LATE_TIMERS_NS)
        return;
    worker->looked_at_others_ns = worker->now_ns;
    for (uint32_t i = 0; i < system->config.workers; i++) {
        troupe_worker *other = system->workers[i];
        if (other == worker || !atomic_load_relaxed(&other->turn_actor))
            continue;
        troupe__lock_acquire(&other->wheel_lock);
        uint64_t next_ns = troupe__wheel_next_ns(&other->wheel);
        troupe__lock_release(&other->wheel_lock);
        if (next_ns != TROUPE_NEVER && next_ns + LATE_TIMERS_NS <= worker->now_ns)
            fire_timers(worker, other);
    }
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
        else if (list->what == NOTICE_FOLLOW)
            troupe__follow_on_notice(worker, list);
        else if (list->what == NOTICE_OUTSIDE)
            troupe__outside_on_notice(worker, list);
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

/* Do others work? Then there may soon be something to steal, and it is time to look again after this; else
 * TROUPE_NEVER. State: there was nothing to do. */
static uint64_t look_again_after(troupe_worker *worker)
{
    const troupe_system *system = worker->system;
    uint64_t turns = 0;
    bool in_turn = false;
    if (system->config.workers == 1)
        return TROUPE_NEVER;
    for (uint32_t i = 0; i < system->config.workers; i++) {
        const troupe_worker *other = system->workers[i];
        if (other == worker)
            continue;
        turns += atomic_load_relaxed(&other->turn_count);
        in_turn = in_turn || atomic_load_relaxed(&other->turn_actor) || !runq_is_empty(&other->runq);
    }
    if (in_turn || turns != worker->others_turns) {
        worker->others_turns = turns;
        worker->others_worked_ns = worker->now_ns;
    } else if (worker->now_ns - worker->others_worked_ns >= WAKE_AGAIN_NS) {
        worker->look_again_ns = 0;
        return TROUPE_NEVER;
    }
    uint64_t after_ns = worker->look_again_ns ? worker->look_again_ns : LOOK_AGAIN_NS_MIN;
    worker->look_again_ns = after_ns * 2 < LOOK_AGAIN_NS_MAX ? after_ns * 2 : LOOK_AGAIN_NS_MAX;
    return after_ns;
}

/* Smooth what a turn costs. */
static void note_turns(troupe_worker *worker, uint32_t turns, uint64_t spent_ns)
{
    uint64_t sample = spent_ns / turns;
    uint32_t smoothed = atomic_load_relaxed(&worker->turn_ns);
    if (sample > 2 * (uint64_t)smoothed + TURN_NS_STEP) /* the kernel may have taken the core away for once */
        sample = 2 * (uint64_t)smoothed + TURN_NS_STEP;
    if (sample > TURN_NS_MAX)
        sample = TURN_NS_MAX;
    atomic_store_relaxed(&worker->turn_ns, smoothed - smoothed / 4 + (uint32_t)sample / 4);
}

/* So many turns were run in this poll. A few that are short are not worth a look at the clock. Without a clock it is
 * the next poll that tells how long they took, if it comes at once. */
static void after_turns(troupe_worker *worker, uint32_t turns)
{
    const troupe_system_config *config = &worker->system->config;
    worker->look_again_ns = 0;
    if (!config->clock_ns)
        worker->turns_to_note = turns;
    else if (turns >= TURNS_WORTH_TIMING || worker->had_long_turn)
        note_turns(worker, turns, config->clock_ns(config->user) - worker->clock_at_now_ns);
    else
        note_turns(worker, turns, 0);
}

/* Is there something to be done at once? Sequentially consistent: park asks again behind its bit. */
static bool has_work(troupe_worker *worker)
{
    troupe_system *system = worker->system;
    struct inject_queue *shared = worker->is_blocking ? &system->blocking : &system->inject;
    return atomic_load_seq(&worker->inbox) || atomic_load_seq(&shared->count) || !runq_is_empty(&worker->runq) ||
           worker->topics_due || worker->telling || worker->group_jobs;
}

uint64_t troupe_worker_poll(troupe_worker *worker, uint64_t now_ns, uint32_t turns)
{
    troupe_worker_set_now(worker, now_ns);
    worker->inline_left = TROUPE_INLINE_PER_PASS_MAX;
    if (worker->turns_to_note)
        note_turns(worker, worker->turns_to_note, worker->now_ns - worker->turns_began_ns);
    worker->turns_to_note = 0;
    worker->turns_began_ns = worker->now_ns;
    if (atomic_load_relaxed(&worker->armed_by_other)) /* by an exchange: what it was set for is seen below */
        (void)atomic_exchange_explicit(&worker->armed_by_other, false, memory_order_seq_cst);
    take_inbox(worker);
    fire_timers(worker, worker);
    fire_for_others(worker);
    troupe__topics_run(worker);
    troupe__follows_run(worker);
    troupe__groups_run(worker);
    if (worker->index == 0)
        troupe__name_tell_lost(worker);
    uint64_t shutdown_ns = troupe__shutdown_step(worker);
    uint64_t review_ns = worker->index == 0 ? troupe__alarm_review(worker) : TROUPE_NEVER;
    struct actor *last = NULL;
    refresh_overload(worker);
    worker->had_long_turn = false;
    if (worker->is_blocking && turns > 1)
        turns = 1; /* the next one begins at its own time */
    uint32_t ran = 0;
    for (; ran < turns && !worker->had_long_turn; ran++) { /* after a long one the driver's turn has come */
        struct actor *actor = next_actor(worker);
        if (!actor)
            break;
        if (ran == 0)
            troupe__turn_begin_slice(worker);
        troupe__turn_run(worker, actor);
        last = actor;
        if (worker->is_blocking)
            counter_add(&worker->stats.turns_blocking, 1);
    }
    if (last)
        troupe__turn_end_slice(worker, last);
    if (worker->is_blocking)
        return has_work(worker) ? 0 : TROUPE_NEVER;
    if (ran)
        after_turns(worker, ran);
    if (has_work(worker))
        return 0;
    worker->turns_to_note = 0; /* it may be long until the next poll */
    troupe__lock_acquire(&worker->wheel_lock);
    uint64_t next_ns = troupe__wheel_next_ns(&worker->wheel);
    troupe__lock_release(&worker->wheel_lock);
    if (shutdown_ns < next_ns)
        next_ns = shutdown_ns;
    if (review_ns < next_ns)
        next_ns = review_ns;
    if ((worker->lost || (worker->index == 0 && atomic_load_relaxed(&worker->system->groups.stuck))) &&
        next_ns > worker->now_ns + LOST_AGAIN_NS)
        next_ns = worker->now_ns + LOST_AGAIN_NS;
    uint64_t look_ns = look_again_after(worker);
    if (look_ns != TROUPE_NEVER && next_ns > worker->now_ns + look_ns)
        next_ns = worker->now_ns + look_ns;
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
    bool work = has_work(worker) || atomic_load_seq(&worker->armed_by_other) ||
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
