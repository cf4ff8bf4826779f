/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: joins and leaves are events of the group's topic and of its scope's.
 *
 * A change is noted under the lock of the group's shard, in the order in which the members change, and told without a
 * lock, by one thread at a time: who comes while another one tells leaves its change to that. Nobody is kept telling
 * for ever by others who join and leave: after TELL_MAX changes the next one who comes goes on, or worker 0. When
 * GROUP_CHANGES_MAX wait, who joins and leaves before it was told is left out; so no more wait than that and one for
 * each member. What is noted is a part of the membership, so a leave can always be noted. When memory is out for the
 * event itself the change stays where it is, and worker 0 tries again: watchers may hear late, but they hear. */
#include "core/group.h"

#include "base/mem.h"
#include "core/worker.h"

#define TELL_MAX 256u            /* changes that one thread tells in a row */
#define TELL_BY_WORKER_MAX 4096u /* ... that worker 0 does in a poll */

static bool is_watched(const struct group *group)
{
    return atomic_load_acquire(&group->topic) || atomic_load_acquire(&group->scope->topic);
}

static void unlink_change(struct group *group, struct group_change *change)
{
    if (change->prev)
        change->prev->next = change->next;
    else
        group->changes = change->next;
    if (change->next)
        change->next->prev = change->prev;
    else
        group->changes_last = change->prev;
    change->waits = false;
    group->changes_count--;
}

/* Take back a join that nobody was told of, as its member leaves again. False: somebody was, or is being told. */
static bool take_back(struct group *group, struct membership *membership)
{
    struct group_change *join = &membership->join;
    if (!join->waits || join->told || (group->telling && group->changes == join))
        return false;
    unlink_change(group, join);
    membership->users--;
    return true;
}

void troupe__group_note_change(struct group *group, struct membership *membership, bool leaves)
{
    if (!is_watched(group))
        return;
    if (leaves && group->changes_count >= GROUP_CHANGES_MAX && take_back(group, membership))
        return;
    struct group_change *change = leaves ? &membership->leave : &membership->join;
    *change = (struct group_change){.prev = group->changes ? group->changes_last : NULL,
                                    .membership = membership,
                                    .members = atomic_load_relaxed(&group->size),
                                    .leaves = leaves,
                                    .waits = true};
    membership->users++;
    if (change->prev)
        change->prev->next = change;
    else
        group->changes = change;
    group->changes_last = change;
    group->changes_count++;
}

bool troupe__membership_unuse(struct membership *membership) { return --membership->users == 0; }

/* ---- the event ---- */

static size_t put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return len;
}

#define PUT(text) put(body + len, text, sizeof text - 1)

/* {"scope":"...","group":"...","ref":"...","members":N}; these words need no escapes. Returns the length. */
static size_t write_body(char *body, const struct group *group, const struct group_change *change, troupe_ref ref)
{
    size_t len = 0;
    len += PUT("{\"scope\":\"");
    len += put(body + len, group_scope(group).ptr, group->scope_len);
    len += PUT("\",\"group\":\"");
    len += put(body + len, group_name(group).ptr, group->name_len);
    len += PUT("\",\"ref\":\"");
    len += troupe_ref_format(ref, body + len);
    len += PUT("\",\"members\":");
    char digits[10];
    size_t n = 0;
    uint32_t members = change->members;
    do
        digits[n++] = (char)('0' + members % 10);
    while (members /= 10);
    while (n > 0)
        body[len++] = digits[--n];
    body[len++] = '}';
    return len;
}

/* The group's topic, held, or NULL. */
static struct troupe_topic *hold_topic(struct group *group)
{
    struct group_shard *shard = troupe__group_shard(group);
    if (!atomic_load_acquire(&group->topic))
        return NULL;
    troupe__lock_acquire(&shard->lock);
    struct troupe_topic *topic = atomic_load_relaxed(&group->topic);
    topic_hold(topic);
    troupe__lock_release(&shard->lock);
    return topic;
}

/* Fails: TROUPE_E_NO_MEMORY. */
static int publish(struct group *group, troupe_worker *worker, const struct group_change *change, const char *text,
                   size_t len)
{
    const struct membership *membership = change->membership;
    troupe_ref ref = {group->system->home, membership->slot, membership->generation};
    troupe_body body = troupe_body_json(text, len);
    struct troupe_topic *topic = hold_topic(group);
    if (!topic)
        return 0;
    int rc = troupe__topic_publish(topic, worker, troupe_view_of(change->leaves ? "leave" : "join"), &body, &ref, NULL);
    troupe__topic_drop(topic);
    return rc;
}

static int tell_change(struct group *group, troupe_worker *worker, struct group_change *change)
{
    char body[3 * TROUPE_TYPE_BYTES_MAX + TROUPE_REF_TEXT_MAX + 64];
    const struct membership *membership = change->membership;
    troupe_ref ref = {group->system->home, membership->slot, membership->generation};
    size_t len = write_body(body, group, change, ref);
    int rc = change->told ? 0 : publish(group, worker, change, body, len);
    change->told = rc == 0;
    return rc ? rc : publish(group->scope, worker, change, body, len);
}

/* ---- tell ---- */

/* The first that is to be told, or NULL: there is none, or another thread tells. */
static struct group_change *begin(struct group *group, struct group_shard *shard)
{
    troupe__lock_acquire(&shard->lock);
    struct group_change *change = group->telling ? NULL : group->changes;
    if (change)
        group->telling = true;
    troupe__lock_release(&shard->lock);
    return change;
}

static void end(struct group *group, struct group_shard *shard, struct group_change *change, int rc)
{
    struct membership *membership = change->membership;
    bool unused = false;
    troupe__lock_acquire(&shard->lock);
    group->telling = false;
    if (rc == 0) {
        unlink_change(group, change);
        unused = troupe__membership_unuse(membership);
    }
    troupe__lock_release(&shard->lock);
    if (unused)
        troupe_free(membership);
}

/* Leave it to worker 0 to go on with what is to be told. */
static void note_stuck(struct group *group)
{
    struct group_table *table = &group->system->groups;
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    group->holds++; /* for the list */
    troupe__lock_release(&shard->lock);
    troupe__lock_acquire(&table->stuck_lock);
    bool is_new = !group->is_stuck;
    if (is_new) {
        group->is_stuck = true;
        group->next_stuck = atomic_load_relaxed(&table->stuck);
        atomic_store_relaxed(&table->stuck, group);
    }
    troupe__lock_release(&table->stuck_lock);
    if (!is_new)
        troupe__group_release(group);
}

/* Returns false when something is left: memory is out, or that was its share. */
static bool tell(struct group *group, troupe_worker *worker, uint32_t max)
{
    struct group_shard *shard = troupe__group_shard(group);
    struct group_change *change = NULL;
    int rc = 0;
    while (rc == 0 && max > 0 && (change = begin(group, shard))) {
        rc = tell_change(group, worker, change);
        end(group, shard, change, rc);
        max--;
    }
    if (change)
        note_stuck(group);
    return !change;
}

void troupe__group_tell(struct group *group, troupe_worker *worker)
{
    if (tell(group, worker, TELL_MAX))
        return;
    /* Worker 0 may sleep, or be about to: pairs with park. */
    atomic_store_seq(&group->system->workers[0]->armed_by_other, true);
    troupe__worker_wake(group->system, 0);
}

/* Take the first out of a list that was the table's. Returns what is behind it. */
static struct group *take_stuck(struct group_table *table, struct group *group)
{
    troupe__lock_acquire(&table->stuck_lock);
    struct group *next = group->next_stuck;
    group->is_stuck = false;
    troupe__lock_release(&table->stuck_lock);
    return next;
}

void troupe__group_tell_stuck(troupe_worker *worker)
{
    struct group_table *table = &worker->system->groups;
    if (worker->index != 0 || !atomic_load_relaxed(&table->stuck))
        return;
    /* Those that are there now, each once: what gets stuck again comes into a new list. */
    troupe__lock_acquire(&table->stuck_lock);
    struct group *list = atomic_load_relaxed(&table->stuck), *next;
    atomic_store_relaxed(&table->stuck, NULL);
    troupe__lock_release(&table->stuck_lock);
    for (; list; list = next) {
        next = take_stuck(table, list);
        (void)tell(list, worker, TELL_BY_WORKER_MAX); /* the next poll comes for what is left */
        troupe__group_release(list);
    }
}

void troupe__group_forget_stuck(struct group_table *table)
{
    struct group *group = atomic_load_relaxed(&table->stuck), *next;
    atomic_store_relaxed(&table->stuck, NULL);
    for (; group; group = next) {
        struct group_shard *shard = troupe__group_shard(group);
        struct group_change *change;
        next = take_stuck(table, group);
        while ((change = begin(group, shard)))
            end(group, shard, change, 0);
        troupe__group_release(group);
    }
}
