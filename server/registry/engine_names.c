/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of members. The core's table of the registry's own node says who holds a name; here is what the table does not
 * know: which member's lease a name hangs on, and names that are only reserved.
 *
 * A node that gave up a call (its answer did not come) can be sure that it has no effect any more as soon as a later one
 * was handled: calls carry a number that grows, and a floor below which nothing of this node is valid. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8_text.h"
#include "registry/engine_impl.h"
#include "registry/plant.h"

static struct name_entry *entry_of(const struct registry *registry, troupe_view name)
{
    return (struct name_entry *)(void *)name_table_find(&registry->names, name);
}

static int add_entry(struct registry *registry, struct member *member, troupe_view name, troupe_ref ref,
                     struct name_entry **ret_entry)
{
    struct name_entry *entry = registry->names.count < REGISTRY_NAMES_MAX ? calloc(1, sizeof *entry + name.len) : NULL;
    if (entry == NULL)
        return registry->names.count < REGISTRY_NAMES_MAX ? TROUPE_E_NO_MEMORY : TROUPE_E_LIMIT;
    memcpy(entry->text, name.ptr, name.len);
    entry->node.name = (troupe_view){entry->text, name.len};
    entry->member = member;
    entry->ref = ref;
    int error = name_table_add(&registry->names, &entry->node);
    if (error != 0) {
        free(entry);
        return error;
    }
    LIST_INSERT_HEAD(&member->names, entry, of_member);
    if (!troupe_ref_is_actor(ref))
        TAILQ_INSERT_TAIL(&registry->reservations, entry, reserved);
    *ret_entry = entry;
    return 0;
}

/* Give the name back in the core's table, by identity, and forget the entry. */
static void drop_entry(struct registry *registry, struct name_entry *entry)
{
    if (troupe_ref_is_actor(entry->ref))
        (void)registry->ops.name_drop(registry->ops.user, entry->node.name, entry->ref);
    else
        TAILQ_REMOVE(&registry->reservations, entry, reserved);
    LIST_REMOVE(entry, of_member);
    name_table_remove(&registry->names, &entry->node);
    free(entry);
}

void registry__names_release_all(struct registry *registry, struct member *member)
{
    for (struct name_entry *entry; (entry = LIST_FIRST(&member->names)) != NULL;)
        drop_entry(registry, entry);
}

uint64_t registry__names_tick(struct registry *registry, uint64_t now_ms)
{
    struct name_entry *entry;
    while ((entry = TAILQ_FIRST(&registry->reservations)) != NULL && entry->until_ms <= now_ms)
        drop_entry(registry, entry);
    return entry != NULL ? entry->until_ms : UINT64_MAX;
}

bool registry_admit(struct registry *registry, troupe_home node, uint64_t seq, uint64_t floor)
{
    struct member *member = registry__member(registry, node);
    if (member == NULL)
        return true; /* what follows says so better */
    if (floor > member->floor)
        member->floor = floor;
    return seq == 0 || seq >= member->floor || REGISTRY_PLANTED(4);
}

static int reserve(struct registry *registry, struct member *member, struct name_entry *entry, troupe_view name,
                   uint64_t now_ms, troupe_ref *ret_holder)
{
    if (entry == NULL && registry->ops.name_find(registry->ops.user, name, ret_holder) == 0)
        return TROUPE_E_NAME_TAKEN; /* an actor of the registry's own node has it */
    if (entry == NULL) {
        int error = add_entry(registry, member, name, (troupe_ref){0}, &entry);
        if (error != 0)
            return error;
    } else if (troupe_ref_is_actor(entry->ref)) {
        *ret_holder = entry->ref;
        return TROUPE_E_NAME_TAKEN;
    }
    TAILQ_REMOVE(&registry->reservations, entry, reserved);
    TAILQ_INSERT_TAIL(&registry->reservations, entry, reserved);
    entry->until_ms = now_ms + REGISTRY_RESERVE_MS;
    return 0;
}

static int grant(struct registry *registry, struct member *member, struct name_entry *entry, troupe_view name,
                 troupe_ref ref, troupe_ref *ret_holder)
{
    int error = registry->ops.name_put(registry->ops.user, name, ref, ret_holder);
    if (error != 0)
        return error;
    *ret_holder = ref;
    if (entry == NULL) {
        error = add_entry(registry, member, name, ref, &entry);
        if (error != 0)
            (void)registry->ops.name_drop(registry->ops.user, name, ref);
        return error;
    }
    if (!troupe_ref_is_actor(entry->ref))
        TAILQ_REMOVE(&registry->reservations, entry, reserved);
    entry->ref = ref;
    return 0;
}

int registry_claim(struct registry *registry, troupe_home node, troupe_view name, troupe_ref ref, bool held,
                   uint64_t now_ms, troupe_ref *ret_holder)
{
    (void)registry_tick(registry, now_ms);
    struct member *member = registry__member(registry, node);
    *ret_holder = (troupe_ref){0};
    if (member == NULL)
        return TROUPE_E_NOT_MEMBER;
    if (name.len == 0 || name.len > TROUPE_NAME_BYTES_MAX || !utf8_is_clean(name.ptr, name.len) ||
        (troupe_ref_is_actor(ref) && !troupe_home_equal(ref.home, node)))
        return TROUPE_E_INVALID;
    if (registry->silent_until_ms > now_ms && !held)
        return TROUPE_E_REGISTRY_LOST;
    struct name_entry *entry = entry_of(registry, name);
    if (entry != NULL && (entry->member != member || (troupe_ref_is_actor(entry->ref) &&
                                                      !troupe_ref_equal(entry->ref, ref)))) {
        *ret_holder = entry->ref;
        /* What is only reserved may have gone to an actor of the registry's own node, which does not ask. */
        if (!troupe_ref_is_actor(entry->ref) &&
            registry->ops.name_find(registry->ops.user, name, ret_holder) != 0)
            *ret_holder = entry->ref;
        return TROUPE_E_NAME_TAKEN;
    }
    return troupe_ref_is_actor(ref) ? grant(registry, member, entry, name, ref, ret_holder)
                                    : reserve(registry, member, entry, name, now_ms, ret_holder);
}

int registry_release(struct registry *registry, troupe_home node, troupe_view name, troupe_ref ref)
{
    struct member *member = registry__member(registry, node);
    struct name_entry *entry = entry_of(registry, name);
    if (member == NULL)
        return TROUPE_E_NOT_MEMBER;
    if (entry == NULL || entry->member != member || !troupe_ref_equal(entry->ref, ref))
        return TROUPE_E_NOT_FOUND;
    drop_entry(registry, entry);
    return 0;
}

int registry_find(struct registry *registry, troupe_view name, troupe_ref *ret_ref)
{
    const struct name_entry *entry = entry_of(registry, name);
    if (entry != NULL && troupe_ref_is_actor(entry->ref)) {
        *ret_ref = entry->ref;
        return 0;
    }
    int error = registry->ops.name_find(registry->ops.user, name, ret_ref);
    if (error == TROUPE_E_NOT_FOUND && registry->silent_until_ms != 0)
        return TROUPE_E_REGISTRY_LOST; /* its holder may not have come back yet */
    return error;
}
