/* SPDX-License-Identifier: Apache-2.0
 *
 * Names as actors and the cluster use them: the table (names.h), the hook `named` that tells the world of it, and names
 * that the cluster takes away.
 *
 * Order. For each name the hook runs in the order of what happened, though it runs under no lock and on many threads: a
 * name that was taken stays its holder's until the hook has returned (its entry is pinned), and a name that is given back
 * is told first and removed after. So "given" of one has returned before the next can take it, and "taken" has returned
 * before anybody can have it away. What the cluster takes itself (troupe_system_name_drop) is not told: it knows.
 *
 * An actor that has lost a name so is told by a message. Who drops has no worker and may have no memory: the entry goes
 * on a stack, and worker 0 makes the message of it, again later when there is no memory now.
 *
 * Threads: said at each function. */
#include "core/worker.h"

#include "base/mem.h"

/* Put an entry that was taken from an actor of this node where worker 0 finds it. */
static void push_lost(troupe_system *system, struct name_entry *entry)
{
    struct name_entry *top = atomic_load_relaxed(&system->names.lost);
    do
        entry->next = top;
    while (!atomic_cas_weak_seq(&system->names.lost, &top, entry));
    troupe__worker_wake(system, 0); /* after the push: pairs with park */
}

int troupe__name_take(troupe_system *system, troupe_view name, troupe_ref ref, struct name_entry **ret_entry,
                      troupe_ref *ret_holder)
{
    if (atomic_load_relaxed(&system->names.closed))
        return TROUPE_E_REGISTRY_LOST;
    return troupe__names_take(&system->names, name, ref, ret_entry, ret_holder);
}

void troupe__name_taken(troupe_system *system, struct name_entry *entry)
{
    const troupe_system_config *config = &system->config;
    if (config->named)
        config->named(config->user, (troupe_view){entry->text, entry->len}, entry->ref, true);
    if (!troupe__names_unpin(&system->names, entry))
        push_lost(system, entry);
}

/* Give back a name, or with an empty view the newest. False: there is none. */
static bool give(troupe_system *system, troupe_view name, troupe_ref ref)
{
    const troupe_system_config *config = &system->config;
    struct name_entry *entry = troupe__names_pin(&system->names, name, ref);
    if (!entry)
        return false;
    if (config->named)
        config->named(config->user, (troupe_view){entry->text, entry->len}, ref, false);
    troupe__names_remove(&system->names, entry);
    return true;
}

int troupe__name_give(troupe_system *system, troupe_view name, troupe_ref ref)
{
    return give(system, name, ref) ? 0 : TROUPE_E_NOT_FOUND;
}

void troupe__name_give_all(troupe_system *system, troupe_ref ref)
{
    while (give(system, (troupe_view){"", 0}, ref)) {}
}

/* Tell the actor. False: no memory now. */
static bool tell_lost(troupe_worker *worker, const struct name_entry *entry)
{
    struct message *message = troupe__message_new_bare(&worker->pool, MESSAGE_NAME_LOST, entry->len);
    if (!message)
        return false;
    memcpy(message + 1, entry->text, entry->len);
    message->msg.from = (troupe_ref){.home = worker->system->home};
    troupe__send_reserved(worker, entry->ref, message);
    return true;
}

void troupe__name_tell_lost(troupe_worker *worker)
{
    struct names *names = &worker->system->names;
    if (!worker->lost && atomic_load_relaxed(&names->lost))
        worker->lost = atomic_exchange_acq_rel(&names->lost, NULL); /* pairs with the push */
    while (worker->lost) {
        struct name_entry *entry = worker->lost;
        if (!tell_lost(worker, entry))
            return;
        worker->lost = entry->next;
        troupe__names_free(entry);
    }
}

void troupe__name_forget_lost(troupe_worker *worker)
{
    for (struct name_entry *entry = worker->lost, *next; entry; entry = next) {
        next = entry->next;
        troupe__names_free(entry);
    }
    worker->lost = NULL;
}

/* ---- what the node calls ---- */

int troupe_system_whereis(troupe_system *system, troupe_view name, troupe_ref *ret_ref)
{
    if (atomic_load_relaxed(&system->names.closed))
        return TROUPE_E_REGISTRY_LOST;
    return troupe__names_find(&system->names, name, ret_ref);
}

bool troupe_system_scan_names(troupe_system *system, uint64_t *cursor, uint32_t buckets,
                              bool (*fn)(void *user, troupe_view name, troupe_ref ref), void *user)
{
    return troupe__names_scan(&system->names, cursor, buckets, fn, user);
}

int troupe_system_name_put(troupe_system *system, troupe_view name, troupe_ref ref, troupe_ref *ret_holder)
{
    troupe_ref holder;
    bool is_ours = troupe_home_equal(ref.home, system->home);
    if (!troupe_ref_is_actor(ref))
        return TROUPE_E_INVALID;
    int rc = is_ours ? TROUPE_E_INVALID : troupe__names_take(&system->names, name, ref, NULL, &holder);
    if (is_ours && troupe__names_find(&system->names, name, &holder) == 0)
        rc = TROUPE_E_NAME_TAKEN;
    if (rc != TROUPE_E_NAME_TAKEN)
        return rc;
    if (troupe_ref_equal(holder, ref))
        return 0;
    *ret_holder = holder;
    return rc;
}

int troupe_system_name_drop(troupe_system *system, troupe_view name, troupe_ref ref)
{
    struct name_entry *entry;
    int rc = troupe__names_drop(&system->names, name, ref, &entry);
    if (entry)
        push_lost(system, entry);
    return rc;
}

void troupe_system_names_close(troupe_system *system, bool closed)
{
    atomic_store_relaxed(&system->names.closed, closed);
}

void troupe_system_set_clustered(troupe_system *system, bool clustered)
{
    atomic_store_relaxed(&system->clustered, clustered);
}
