/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of the member list: every change has the next revision, and the last REGISTRY_EVENTS_KEPT are kept so that a
 * watcher that was away goes on where it was. */
#include <string.h>

#include "registry/engine_impl.h"

void registry__tell(struct registry *registry, const struct member *member, enum registry_what what)
{
    struct log_entry *entry = &registry->log[++registry->revision % REGISTRY_EVENTS_KEPT];
    struct registry_event event = {.revision = registry->revision, .what = what, .record = &member->record};
    json_decref(entry->record);
    entry->what = what;
    entry->record = registry_record_to_json(&member->record); /* NULL: a watcher is told to take the list */
    registry->ops.changed(registry->ops.user, &event);
}

void registry__log_fini(struct registry *registry)
{
    for (uint32_t i = 0; i < REGISTRY_EVENTS_KEPT; i++)
        json_decref(registry->log[i].record);
}

uint64_t registry_revision(const struct registry *registry) { return registry->revision; }

json_t *registry_list(const struct registry *registry)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < registry->members_count; i++) {
        if (json_array_append_new(list, registry_record_to_json(&registry->members[i]->record)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int registry_events_after(const struct registry *registry, uint64_t revision, json_t **ret_events)
{
    if (revision > registry->revision || registry->revision - revision > REGISTRY_EVENTS_KEPT)
        return TROUPE_E_WRONG_EPOCH;
    json_t *events = json_array();
    for (uint64_t at = revision + 1; at <= registry->revision; at++) {
        const struct log_entry *entry = &registry->log[at % REGISTRY_EVENTS_KEPT];
        if (entry->record == NULL) {
            json_decref(events);
            return TROUPE_E_WRONG_EPOCH;
        }
        json_t *event = json_pack("{s:I, s:s, s:O}", "revision", (json_int_t)at, "event",
                                  registry_what_word(entry->what), "node", entry->record);
        if (events == NULL || json_array_append_new(events, event) != 0) {
            json_decref(events);
            return TROUPE_E_NO_MEMORY;
        }
    }
    if (events == NULL)
        return TROUPE_E_NO_MEMORY;
    *ret_events = events;
    return 0;
}
