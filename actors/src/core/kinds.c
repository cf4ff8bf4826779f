/* SPDX-License-Identifier: Apache-2.0
 *
 * The behaviors that a system knows: a table that only grows. A newer version does not overwrite the older one but is
 * put behind it, and the older one points at it from then on. So actors keep the kind that they were made of as long as
 * they live, and whoever makes a new one finds the newest, without a lock.
 *
 *   writers  one at a time, under kinds_lock: fill the next row; let kinds_count, or newer, tell of it (release)
 *   readers  any thread: rows below kinds_count (acquire) do not change, but for newer
 *
 * A row costs about 600 bytes and is never given back: TROUPE_BEHAVIORS_MAX bounds how often a node can load again. */
#include "core/worker.h"

#include "base/mem.h"

void troupe__kind_init(struct kind *kind, const troupe_behavior *behavior, const void *host)
{
    kind->behavior = behavior;
    kind->host = host;
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        size_t len = strlen(behavior->types[i].name);
        kind->type_lens[i] = (uint8_t)len;
        memcpy(&kind->type_heads[i], behavior->types[i].name, len < 8 ? len : 8);
    }
}

/* ---- find ---- */

static struct kind *newest_of(struct kind *kind)
{
    struct kind *newer;
    while ((newer = atomic_load_acquire(&kind->newer)) != NULL)
        kind = newer;
    return kind;
}

static struct kind *find(const troupe_system *system, troupe_view name)
{
    uint32_t count = atomic_load_acquire(&system->kinds_count);
    for (uint32_t i = 0; i < count; i++)
        if (troupe_view_equal(troupe_view_of(system->kinds[i].behavior->name), name))
            return newest_of(&system->kinds[i]);
    return NULL;
}

/* By the address of the text first: a behavior that spawns most often gives the other's own name. */
struct kind *troupe__kind_named(const troupe_system *system, const char *name)
{
    uint32_t count = atomic_load_acquire(&system->kinds_count);
    for (uint32_t i = 0; i < count; i++)
        if (system->kinds[i].behavior->name == name)
            return newest_of(&system->kinds[i]);
    return find(system, troupe_view_of(name));
}

const troupe_behavior *troupe_system_behavior(const troupe_system *system, troupe_view name)
{
    const struct kind *kind = find(system, name);
    return kind ? kind->behavior : NULL;
}

const void *troupe_system_behavior_host(const troupe_system *system, troupe_view name)
{
    const struct kind *kind = find(system, name);
    return kind ? kind->host : NULL;
}

bool troupe_system_installed_at(const troupe_system *system, uint32_t i, troupe_installed *ret_installed)
{
    if (i >= atomic_load_acquire(&system->kinds_count))
        return false;
    const struct kind *kind = &system->kinds[i];
    *ret_installed = (troupe_installed){
        .behavior = kind->behavior, .host = kind->host, .is_replaced = atomic_load_acquire(&kind->newer) != NULL,
    };
    return true;
}

const troupe_behavior *troupe_system_behavior_at(const troupe_system *system, uint32_t i)
{
    return i < atomic_load_acquire(&system->kinds_count) ? system->kinds[i].behavior : NULL;
}

int troupe_system_target(const troupe_system *system, troupe_ref ref, troupe_view type, troupe_target *ret_target)
{
    struct actor *actor;
    int rc = troupe__find(system, ref, &actor);
    if (rc)
        return rc;
    const struct kind *kind = actor_kind(actor); /* a row of the table, also if the slot has just become another's */
    *ret_target = (troupe_target){kind->behavior, kind->host, troupe__kind_find(kind, type)};
    return 0;
}

/* ---- add ---- */

static bool has_type_before(const troupe_behavior *behavior, uint32_t i)
{
    troupe_view name = troupe_view_of(behavior->types[i].name);
    for (uint32_t k = 0; k < i; k++)
        if (troupe_view_equal(name, troupe_view_of(behavior->types[k].name)))
            return true;
    return false;
}

static int check(const troupe_behavior *behavior)
{
    if (behavior->abi != TROUPE_BEHAVIOR_ABI || behavior->size < sizeof *behavior || !behavior->receive ||
        !behavior->name || !troupe__is_word(troupe_view_of(behavior->name)) || !behavior->version ||
        behavior->types_count > TROUPE_TYPES_PER_BEHAVIOR_MAX || (behavior->types_count > 0 && !behavior->types))
        return TROUPE_E_INVALID;
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        const char *name = behavior->types[i].name;
        if (!name || !troupe__is_word(troupe_view_of(name)) || has_type_before(behavior, i))
            return TROUPE_E_INVALID;
    }
    return 0;
}

/* State: under the lock. */
static int add(troupe_system *system, const troupe_behavior *behavior, const void *host, bool replaces)
{
    uint32_t count = atomic_load_relaxed(&system->kinds_count);
    struct kind *old = find(system, troupe_view_of(behavior->name));
    if (old && !replaces)
        return TROUPE_E_NAME_TAKEN;
    if (count == TROUPE_BEHAVIORS_MAX)
        return TROUPE_E_LIMIT;
    struct kind *kind = &system->kinds[count];
    troupe__kind_init(kind, behavior, host);
    kind->index = count;
    atomic_store_release(&system->kinds_count, count + 1);
    if (old)
        atomic_store_release(&old->newer, kind);
    return 0;
}

int troupe_system_install_behavior(troupe_system *system, const troupe_behavior *behavior, const void *host,
                                   bool replaces)
{
    int rc = check(behavior);
    if (rc)
        return rc;
    if (troupe_view_equal(troupe_view_of(behavior->name), troupe_view_of(troupe__root_behavior.name)))
        return TROUPE_E_NAME_TAKEN;
    troupe__lock_acquire(&system->kinds_lock);
    rc = add(system, behavior, host, replaces);
    troupe__lock_release(&system->kinds_lock);
    return rc;
}

int troupe_system_add_behavior(troupe_system *system, const troupe_behavior *behavior)
{
    return troupe_system_install_behavior(system, behavior, NULL, false);
}
