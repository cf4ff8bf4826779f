/* SPDX-License-Identifier: Apache-2.0
 *
 * What must hold after every step, and when all has been calm for long enough. It looks into client and engine, and
 * changes nothing. */
#include <string.h>

#include "registry/client_impl.h"
#include "registry/engine_impl.h"
#include "world.h"

/* Does this process hold the name, by all that it can know? */
static bool believes(const struct process *process, int name)
{
    troupe_ref ref = process->names[name];
    if (!troupe_ref_is_actor(ref) || !troupe_home_equal(ref.home, process->home) || process->names_closed)
        return false;
    return process->kind == PROCESS_REGISTRY ||
           registry_client_holds(process->client, world_name(name), ref, world.now_ms);
}

static void check_names(void)
{
    for (int name = 0; name < WORLD_NAMES; name++) {
        const struct process *holder = world.registry.kind != PROCESS_NONE && believes(&world.registry, name)
                                     ? &world.registry : NULL;
        for (int i = 0; i < WORLD_NODES_MAX; i++) {
            const struct process *process = &world.nodes[i];
            if (process->kind != PROCESS_NODE || process->cluster != world.cluster || !believes(process, name))
                continue;
            if (holder != NULL)
                world_fail("%016llx and %016llx both hold the name %s", (unsigned long long)holder->home.low,
                           (unsigned long long)process->home.low, world_name(name).ptr);
            holder = process;
        }
    }
}

/* Who thinks that its lease is good has one at the registry. */
static void check_lease(const struct process *process)
{
    const struct registry_client *client = process->client;
    if (client->is_lost || !client->has_lease || world.now_ms >= client__lease_until_ms(client) ||
        world.registry.kind == PROCESS_NONE || strcmp(client->epoch, world.registry.epoch) != 0)
        return;
    const struct member *member = registry__member(world.registry.registry, process->home);
    if (member == NULL || member->lease_end_ms <= world.now_ms)
        world_fail("%016llx trusts a lease that the registry has ended", (unsigned long long)process->home.low);
}

static const struct process *process_of(troupe_home home)
{
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        if (world.nodes[i].kind == PROCESS_NODE && troupe_home_equal(world.nodes[i].home, home))
            return &world.nodes[i];
    }
    return &world.registry;
}

/* What the registry has for a node, the node knows of, so that it can give it back. */
static void check_leaks(void)
{
    const struct registry *registry = world.registry.registry;
    for (uint32_t i = 1; i < registry->members_count; i++) {
        const struct process *process = process_of(registry->members[i]->record.node);
        const struct name_entry *entry;
        if (process->kind != PROCESS_NODE || process->client->phase >= PHASE_LEAVING ||
            strcmp(process->client->epoch, world.registry.epoch) != 0)
            continue;
        LIST_FOREACH(entry, &registry->members[i]->names, of_member) {
            const struct own_name *own = (const struct own_name *)(const void *)
                name_table_find(&process->client->own_names, entry->node.name);
            if (troupe_ref_is_actor(entry->ref) && (own == NULL || !troupe_ref_equal(own->told, entry->ref)))
                world_fail("the registry has %s for %016llx, which does not know of it any more",
                           world_name(world_name_index(entry->node.name)).ptr, (unsigned long long)process->home.low);
        }
    }
}

static void check_tickets(const struct process *process)
{
    for (int i = 0; i < WORLD_TICKETS_MAX; i++) {
        if (process->tickets[i].id != 0 && process->tickets[i].until_ms < world.now_ms)
            world_fail("a question about a name was not answered in its time");
    }
}

void check_step(void)
{
    check_names();
    if (world.registry.kind != PROCESS_NONE)
        check_leaks();
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        const struct process *process = &world.nodes[i];
        if (process->kind != PROCESS_NODE)
            continue;
        check_lease(process);
        check_tickets(process);
    }
}

/* ---- the end ---- */

static void check_view(const struct process *process)
{
    const struct registry_client *client = process->client;
    const struct registry *registry = world.registry.registry;
    unsigned long long self = (unsigned long long)process->home.low;
    if (client->known_count != registry->members_count)
        world_fail("%016llx knows %u members of %u", self, client->known_count, registry->members_count);
    for (uint32_t i = 0; i < client->known_count; i++) {
        const struct registry_record *record = &client->known[i].record;
        const struct member *member = registry__member(registry, record->node);
        if (member == NULL || member->record.state != record->state || member->record.revision != record->revision)
            world_fail("%016llx has a wrong view of %016llx", self, (unsigned long long)record->node.low);
    }
}

static void check_table(void)
{
    const struct registry *registry = world.registry.registry;
    for (uint32_t i = 0; i < registry->members_count; i++) {
        const struct name_entry *entry;
        LIST_FOREACH(entry, &registry->members[i]->names, of_member) {
            int name = world_name_index(entry->node.name);
            if (!troupe_ref_equal(world.registry.names[name], entry->ref))
                world_fail("the core's table and the registry differ about %s", world_name(name).ptr);
        }
    }
    for (int name = 0; name < WORLD_NAMES; name++) {
        troupe_ref ref = world.registry.names[name];
        if (!troupe_ref_is_actor(ref))
            continue;
        if (!troupe_ref_equal(process_of(ref.home)->names[name], ref))
            world_fail("the registry has %s for an actor that does not have it", world_name(name).ptr);
    }
}

void check_end(void)
{
    for (int i = 0; i < WORLD_NODES_MAX && !world.failed; i++) {
        const struct process *process = &world.nodes[i];
        if (process->kind != PROCESS_NODE)
            continue;
        if (process->state != CLIENT_UP)
            world_fail("%016llx is not up (state %d: %s)", (unsigned long long)process->home.low, (int)process->state,
                       process->client->words);
        check_view(process);
        for (int name = 0; name < WORLD_NAMES; name++) {
            if (troupe_ref_is_actor(process->names[name]) && !believes(process, name))
                world_fail("%016llx has %s, and the registry has not confirmed it",
                           (unsigned long long)process->home.low, world_name(name).ptr);
        }
        for (int t = 0; t < WORLD_TICKETS_MAX; t++) {
            if (process->tickets[t].id != 0)
                world_fail("a question about a name is open still");
        }
    }
    check_table();
}
