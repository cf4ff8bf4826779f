/* SPDX-License-Identifier: Apache-2.0
 *
 * Bonds between actors: monitors, links, and senders that wait for room.
 *
 * Each side keeps its half in a table of its own; requests go through the system lane. The half at the one that may end
 * holds the message that will tell the other: the monitor's request becomes the `down`, the link's the exit signal. So
 * an end tells everybody without memory, exactly once, and a request that comes too late is itself turned into the
 * answer (noproc). Downs and exit signals go into the message lane, behind all that their sender sent before.
 *
 * An outsider's monitor is the same, with a request of a worker in the place of the watcher: its `from` is the home
 * with the worker's number + 1 as slot, and its down goes into that worker's inbox (request.c).
 *
 * What is told about a bond that is gone (a demonitor crossed the down, an unlink the signal) finds no half and is
 * dropped.
 *
 * Thread: the actor's owner. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

#define BUCKETS_FIRST 8u

/* ---- the table ---- */

/* An actor's own monitors are found by their id alone. */
static uint64_t hash_of(enum bond_kind kind, troupe_ref ref, uint64_t id)
{
    uint64_t state = id * 8 + kind;
    if (kind != BOND_MONITORS)
        state ^= ref.home.low ^ ((uint64_t)ref.slot << 32 | ref.generation);
    return rng_mix(&state);
}

static size_t buckets_bytes(uint32_t mask) { return (mask + 1u) * sizeof(struct bond *); }

static bool make_room(struct pool *pool, struct bond_table *table)
{
    uint32_t size = table->buckets ? table->bucket_mask + 1 : 0;
    if (table->count < size)
        return true;
    uint32_t mask = size ? size * 2 - 1 : BUCKETS_FIRST - 1;
    struct bond **buckets = troupe__pool_alloc_zeroed(pool, buckets_bytes(mask));
    if (!buckets)
        return size > 0; /* longer chains then */
    for (struct bond *bond = table->first; bond; bond = bond->next) {
        bond->next_in_bucket = buckets[bond->hash & mask];
        buckets[bond->hash & mask] = bond;
    }
    if (size)
        troupe__pool_free(pool, table->buckets, buckets_bytes(table->bucket_mask));
    table->buckets = buckets;
    table->bucket_mask = mask;
    return true;
}

static struct bond *find_bond(const struct bond_table *table, enum bond_kind kind, troupe_ref ref, uint64_t id)
{
    if (!table->buckets)
        return NULL;
    uint64_t hash = hash_of(kind, ref, id);
    struct bond *bond = table->buckets[hash & table->bucket_mask];
    for (; bond; bond = bond->next_in_bucket) {
        if (bond->kind == kind && bond->id == id && (kind == BOND_MONITORS || troupe_ref_equal(bond->ref, ref)))
            return bond;
    }
    return NULL;
}

static struct bond *find_monitor(const struct bond_table *table, uint64_t monitor)
{
    return find_bond(table, BOND_MONITORS, (troupe_ref){0}, monitor);
}

/* Add a half; NULL when memory is exhausted or there are too many. */
static struct bond *add_bond(struct pool *pool, struct actor *actor, enum bond_kind kind, troupe_ref ref, uint64_t id)
{
    struct extra *extra = troupe__extra(pool, actor);
    if (!extra || extra->bonds.counts[kind] >= TROUPE_BONDS_PER_ACTOR_MAX || !make_room(pool, &extra->bonds))
        return NULL;
    struct bond_table *table = &extra->bonds;
    struct bond *bond = troupe__pool_alloc_zeroed(pool, sizeof *bond);
    if (!bond)
        return NULL;
    bond->kind = (uint8_t)kind;
    bond->ref = ref;
    bond->id = id;
    bond->hash = hash_of(kind, ref, id);
    bond->next_in_bucket = table->buckets[bond->hash & table->bucket_mask];
    table->buckets[bond->hash & table->bucket_mask] = bond;
    bond->next = table->first;
    bond->link = &table->first;
    if (bond->next)
        bond->next->link = &bond->next;
    table->first = bond;
    table->counts[kind]++;
    table->count++;
    return bond;
}

/* Take a half out and give its message to the caller. */
static struct message *remove_bond(struct pool *pool, struct bond_table *table, struct bond *bond)
{
    struct bond **at = &table->buckets[bond->hash & table->bucket_mask];
    while (*at != bond)
        at = &(*at)->next_in_bucket;
    *at = bond->next_in_bucket;
    *bond->link = bond->next;
    if (bond->next)
        bond->next->link = bond->link;
    table->counts[bond->kind]--;
    table->count--;
    struct message *message = bond->message;
    troupe__pool_free(pool, bond, sizeof *bond);
    return message;
}

static void drop_bond(struct pool *pool, struct bond_table *table, struct bond *bond)
{
    struct message *message = remove_bond(pool, table, bond);
    if (message)
        troupe__message_free(pool, message);
}

/* ---- the message that tells ---- */

/* Turn a reserved message into what it is for, and send it. */
static void tell(troupe_worker *worker, struct message *message, enum message_what what, troupe_ref about,
                 enum troupe_exit_cause cause, int error, troupe_view detail)
{
    troupe_ref to = message->msg.from;
    if (detail.len > troupe__message_text_room(message)) { /* where there is no memory they are cut */
        struct message *larger = troupe__message_new_bare(&worker->pool, what, troupe__reason_cut(detail).len);
        if (larger) {
            larger->call_id = message->call_id;
            larger->reply_to = message->reply_to;
            larger->reply_worker = message->reply_worker;
            troupe__message_free(&worker->pool, message);
            message = larger;
        }
    }
    troupe__message_set_text(message, detail);
    message->what = (uint8_t)what;
    message->cause = (uint8_t)cause;
    message->msg.status = error;
    message->msg.from = about;
    if (TROUPE_PLANTED(13) && message->reply_to == REPLY_REQUEST && message->reply_worker == worker->index)
        troupe__request_on_message(worker, message);
    else if (message->reply_to == REPLY_REQUEST) /* also to this worker by its inbox: behind the replies in it */
        troupe__worker_post(worker->system, message->reply_worker, message);
    else
        troupe__send_reserved(worker, to, message);
}

/* What is asked of another, and will tell of its end: there is room for a few words. */
static struct message *new_request(troupe_worker *worker, enum message_what what, troupe_ref from, uint64_t id)
{
    struct message *request = troupe__message_new_bare(&worker->pool, what, 0);
    if (request) {
        request->msg.from = from;
        request->call_id = id;
    }
    return request;
}

enum troupe_exit_cause troupe__bond_cause_without(const troupe_system *system, troupe_ref target)
{
    bool may_live = atomic_load_relaxed(&system->clustered) && !troupe_home_equal(target.home, system->home);
    return may_live ? TROUPE_EXIT_UNREACHABLE : TROUPE_EXIT_NOPROC;
}

void troupe__bond_refuse(troupe_worker *worker, struct message *request, troupe_ref target)
{
    troupe_view none = {"", 0};
    enum troupe_exit_cause cause = troupe__bond_cause_without(worker->system, target);
    switch (request->what) {
    case SYSTEM_MONITOR:
        tell(worker, request, MESSAGE_DOWN, target, cause, 0, none);
        break;
    case SYSTEM_LINK:
        tell(worker, request, MESSAGE_EXIT, target, cause, 0, none);
        break;
    case SYSTEM_WANT_WRITABLE:
        tell(worker, request, MESSAGE_WRITABLE, target, TROUPE_EXIT_NORMAL, 0, none); /* its next send says why not */
        break;
    case SYSTEM_STOP: /* it has ended, which is what was asked for */
        troupe__answer_with_error(worker, request, target, TROUPE_OK, none);
        break;
    case SYSTEM_INFO:
        troupe__answer_with_error(worker, request, target, TROUPE_E_GONE, none);
        break;
    case SYSTEM_SPAWN:
        troupe__root_refuse(worker, request);
        break;
    case SYSTEM_VIEW:
    case SYSTEM_SUSPEND:
    case SYSTEM_TRACE:
    case SYSTEM_TIMER_SET:
    case SYSTEM_TIMER_CANCEL:
    case SYSTEM_TIMERS:
        troupe__inspect_refuse(worker, request, target);
        break;
    case SYSTEM_PROBE:
        troupe__probe_answer(worker, request, target, TROUPE_E_GONE);
        break;
    default:
        troupe__message_free(&worker->pool, request);
    }
}

/* ---- at the one who may end ---- */

static void add_watcher(troupe_ctx *ctx, struct message *request, enum bond_kind kind, uint64_t id)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    struct extra *extra = troupe__extra(&worker->pool, actor);
    uint32_t count = !extra ? 0 : actor->ending ? extra->late_watchers_count : extra->bonds.counts[kind];
    bool is_full = count >= TROUPE_BONDS_PER_ACTOR_MAX;
    struct bond *bond =
        actor->ending || is_full ? NULL : add_bond(&worker->pool, actor, kind, request->msg.from, id);
    if (bond)
        bond->message = request;
    else if (actor->ending && extra && !is_full) {
        request->next = extra->late_watchers; /* told with the others, at the end */
        extra->late_watchers = request;
        extra->late_watchers_count++;
    } else if (request->reply_to == REPLY_REQUEST) { /* an outsider's monitor: it is told why */
        tell(worker, request, MESSAGE_DOWN, actor_ref(worker->system, actor), TROUPE_EXIT_NOPROC,
             is_full ? TROUPE_E_LIMIT : TROUPE_E_NO_MEMORY, (troupe_view){"", 0});
    } else {
        troupe__bond_refuse(worker, request, actor_ref(worker->system, actor)); /* no room: as good as gone */
    }
}

void troupe__bond_on_monitor(troupe_ctx *ctx, struct message *request)
{
    add_watcher(ctx, request, BOND_MONITORED_BY, request->call_id);
}

void troupe__bond_on_demonitor(troupe_ctx *ctx, struct message *request)
{
    struct extra *extra = ctx->actor->extra;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_MONITORED_BY, request->msg.from, request->call_id) : NULL;
    if (bond)
        drop_bond(&ctx->worker->pool, &extra->bonds, bond);
    troupe__message_free(&ctx->worker->pool, request);
}

void troupe__bond_on_link(troupe_ctx *ctx, struct message *request)
{
    struct extra *extra = ctx->actor->extra;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_LINK, request->msg.from, 0) : NULL;
    if (bond) /* both linked at once: one is enough */
        troupe__message_free(&ctx->worker->pool, request);
    else
        add_watcher(ctx, request, BOND_LINK, 0);
}

void troupe__bond_on_unlink(troupe_ctx *ctx, struct message *request)
{
    struct extra *extra = ctx->actor->extra;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_LINK, request->msg.from, 0) : NULL;
    if (bond)
        drop_bond(&ctx->worker->pool, &extra->bonds, bond);
    troupe__message_free(&ctx->worker->pool, request);
}

static bool has_room(const struct actor *actor)
{
    return mailbox_depth(actor) - actor->handled <= atomic_load_relaxed(&actor->messages_max) / 2 &&
           atomic_load_relaxed(&actor->mailbox_bytes) <= atomic_load_relaxed(&actor->bytes_max) / 2;
}

void troupe__bond_on_want_writable(troupe_ctx *ctx, struct message *request)
{
    struct extra *extra = ctx->actor->extra;
    bool known = extra && find_bond(&extra->bonds, BOND_WRITER, request->msg.from, 0);
    if (known)
        troupe__message_free(&ctx->worker->pool, request);
    else if (!ctx->actor->ending && has_room(ctx->actor)) /* the room came before the request */
        troupe__bond_refuse(ctx->worker, request, actor_ref(ctx->worker->system, ctx->actor));
    else
        add_watcher(ctx, request, BOND_WRITER, 0);
}

void troupe__bond_on_room(troupe_ctx *ctx)
{
    troupe_worker *worker = ctx->worker;
    struct bond_table *table = &ctx->actor->extra->bonds;
    if (!has_room(ctx->actor))
        return;
    for (struct bond *bond = table->first, *next; bond; bond = next) {
        next = bond->next;
        if (bond->kind == BOND_WRITER)
            troupe__bond_refuse(worker, remove_bond(&worker->pool, table, bond), actor_ref(worker->system, ctx->actor));
    }
}

static void tell_of_end(troupe_worker *worker, struct message *message, troupe_ref self, enum troupe_exit_cause cause,
                        int error, troupe_view detail)
{
    if (message->what == SYSTEM_MONITOR)
        tell(worker, message, MESSAGE_DOWN, self, cause, error, detail);
    else if (message->what == SYSTEM_LINK)
        tell(worker, message, MESSAGE_EXIT, self, cause, error, detail);
    else
        troupe__bond_refuse(worker, message, self);
}

void troupe__bond_on_end(troupe_ctx *ctx, enum troupe_exit_cause cause, int error, troupe_view detail)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    struct bond_table *table = &extra->bonds;
    troupe_ref self = actor_ref(worker->system, ctx->actor);
    while (table->first) {
        struct bond *bond = table->first;
        if (bond->kind == BOND_MONITORS) { /* those it watched need not tell it: it is gone */
            struct message *request = new_request(worker, SYSTEM_DEMONITOR, self, bond->id);
            if (request && troupe__send_system(worker, bond->ref, request, SIGNAL_SYSTEM))
                troupe__message_free(&worker->pool, request);
        }
        struct message *message = remove_bond(&worker->pool, table, bond);
        if (message)
            tell_of_end(worker, message, self, cause, error, detail);
    }
    if (table->buckets)
        troupe__pool_free(&worker->pool, table->buckets, buckets_bytes(table->bucket_mask));
    table->buckets = NULL;
    while (extra->late_watchers) {
        struct message *message = extra->late_watchers;
        extra->late_watchers = message->next;
        tell_of_end(worker, message, self, cause, error, detail);
    }
}

/* ---- at the one who is told ---- */

static troupe_exit exit_of(const struct message *message)
{
    return (troupe_exit){(enum troupe_exit_cause)message->cause, message->msg.status,
                         {message->msg.body, message->msg.body_len}};
}

int troupe__bond_on_down(troupe_ctx *ctx, struct message *message)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    const troupe_behavior *behavior = actor_kind(actor)->behavior;
    struct bond *bond = extra ? find_monitor(&extra->bonds, message->call_id) : NULL;
    int rc = 0;
    if (bond) {
        troupe_ref ref = bond->ref;
        drop_bond(&ctx->worker->pool, &extra->bonds, bond);
        troupe_down down = {.ref = ref, .monitor = message->call_id, .exit = exit_of(message)};
        if (behavior->down)
            rc = behavior->down(ctx, actor_state(actor), &down);
    }
    troupe__message_free(&ctx->worker->pool, message);
    return rc;
}

int troupe__bond_on_exit(troupe_ctx *ctx, struct message *message)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    const troupe_behavior *behavior = actor_kind(actor)->behavior;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_LINK, message->msg.from, 0) : NULL;
    int rc = 0;
    if (bond) {
        drop_bond(&ctx->worker->pool, &extra->bonds, bond);
        troupe_down down = {.ref = message->msg.from, .exit = exit_of(message)};
        if (behavior->flags & TROUPE_BEHAVIOR_TRAP_EXIT) {
            if (behavior->down)
                rc = behavior->down(ctx, actor_state(actor), &down);
        } else if (troupe_exit_is_abnormal(down.exit.cause)) {
            troupe__life_stop(ctx, TROUPE_EXIT_LINKED, down.exit.error, down.exit.detail);
        }
    }
    troupe__message_free(&ctx->worker->pool, message);
    return rc;
}

int troupe__bond_on_writable(troupe_ctx *ctx, struct message *message)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_REFUSED, message->msg.from, 0) : NULL;
    int rc = 0;
    if (bond) {
        drop_bond(&ctx->worker->pool, &extra->bonds, bond);
        message->msg.kind = TROUPE_MSG_WRITABLE;
        rc = actor_kind(actor)->behavior->receive(ctx, actor_state(actor), &message->msg);
    }
    troupe__message_free(&ctx->worker->pool, message);
    return rc;
}

void troupe__bond_ask_for_room(troupe_worker *worker, struct actor *asker, troupe_ref of)
{
    if (asker->ending || (asker->extra && find_bond(&asker->extra->bonds, BOND_REFUSED, of, 0)))
        return;
    struct message *request = new_request(worker, SYSTEM_WANT_WRITABLE, actor_ref(worker->system, asker), 0);
    struct bond *bond = request ? add_bond(&worker->pool, asker, BOND_REFUSED, of, 0) : NULL;
    if (bond && troupe__send_system(worker, of, request, SIGNAL_SYSTEM) == 0)
        return;
    if (bond)
        drop_bond(&worker->pool, &asker->extra->bonds, bond);
    if (request)
        troupe__message_free(&worker->pool, request);
}

/* ---- what behaviors call ---- */

/* A request to one who is gone is answered into the asker's own mailbox at once: who asks on and on could fill it. */
static int check_asker(const struct actor *actor)
{
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending)
        return TROUPE_E_STATE;
    return mailbox_depth(actor) < MAILBOX_ORDINARY_MAX ? 0 : TROUPE_E_LIMIT;
}

/* Send a request; to one who is gone it is answered at once, by a message to the asker itself. */
static void request_or_refuse(troupe_worker *worker, troupe_ref to, struct message *request)
{
    if (troupe__send_system(worker, to, request, SIGNAL_SYSTEM))
        troupe__bond_refuse(worker, request, to);
}

int troupe_monitor(troupe_ctx *ctx, troupe_ref ref, uint64_t *ret_monitor)
{
    troupe_worker *worker = ctx->worker;
    int rc = check_asker(ctx->actor);
    if (rc)
        return rc;
    if (!troupe_ref_is_actor(ref))
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->bonds.counts[BOND_MONITORS] >= TROUPE_BONDS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    uint64_t id = ++extra->last_monitor;
    struct message *request = new_request(worker, SYSTEM_MONITOR, troupe_self(ctx), id);
    if (!request)
        return TROUPE_E_NO_MEMORY;
    if (!add_bond(&worker->pool, ctx->actor, BOND_MONITORS, ref, id)) {
        troupe__message_free(&worker->pool, request);
        return TROUPE_E_NO_MEMORY;
    }
    request_or_refuse(worker, ref, request);
    *ret_monitor = id;
    return 0;
}

int troupe_demonitor(troupe_ctx *ctx, uint64_t monitor)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    struct bond *bond = extra ? find_monitor(&extra->bonds, monitor) : NULL;
    if (!bond)
        return TROUPE_E_NOT_FOUND;
    troupe_ref ref = bond->ref;
    if (!TROUPE_PLANTED(2))
        drop_bond(&worker->pool, &extra->bonds, bond);
    /* Without memory the other side keeps its half until one of the two ends: its down is dropped then. */
    struct message *request = new_request(worker, SYSTEM_DEMONITOR, troupe_self(ctx), monitor);
    if (request && troupe__send_system(worker, ref, request, SIGNAL_SYSTEM))
        troupe__message_free(&worker->pool, request);
    return 0;
}

int troupe_link(troupe_ctx *ctx, troupe_ref ref)
{
    troupe_worker *worker = ctx->worker;
    int rc = check_asker(ctx->actor);
    if (rc)
        return rc;
    if (!troupe_ref_is_actor(ref) || troupe_ref_equal(ref, troupe_self(ctx)))
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (find_bond(&extra->bonds, BOND_LINK, ref, 0)) {
        /* Linked already, as far as one knows here: the other half may have gone by an unlink that crossed this one's
         * own link. Asking again heals that, and is dropped otherwise. */
        struct message *again = new_request(worker, SYSTEM_LINK, troupe_self(ctx), 0);
        if (again)
            request_or_refuse(worker, ref, again);
        return again ? 0 : TROUPE_E_NO_MEMORY;
    }
    if (extra->bonds.counts[BOND_LINK] >= TROUPE_BONDS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    struct message *request = new_request(worker, SYSTEM_LINK, troupe_self(ctx), 0);
    struct message *signal = new_request(worker, SYSTEM_LINK, ref, 0); /* `from` is whom it will tell */
    struct bond *bond = request && signal ? add_bond(&worker->pool, ctx->actor, BOND_LINK, ref, 0) : NULL;
    if (!bond) {
        if (request)
            troupe__message_free(&worker->pool, request);
        if (signal)
            troupe__message_free(&worker->pool, signal);
        return TROUPE_E_NO_MEMORY;
    }
    bond->message = signal;
    request_or_refuse(worker, ref, request);
    return 0;
}

int troupe_unlink(troupe_ctx *ctx, troupe_ref ref)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    struct bond *bond = extra ? find_bond(&extra->bonds, BOND_LINK, ref, 0) : NULL;
    if (!bond)
        return TROUPE_E_NOT_FOUND;
    struct message *request = new_request(worker, SYSTEM_UNLINK, troupe_self(ctx), 0);
    if (!request)
        return TROUPE_E_NO_MEMORY;
    drop_bond(&worker->pool, &extra->bonds, bond);
    if (troupe__send_system(worker, ref, request, SIGNAL_SYSTEM))
        troupe__message_free(&worker->pool, request);
    return 0;
}
