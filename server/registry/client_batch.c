/* SPDX-License-Identifier: Apache-2.0
 *
 * Names by the hundred: what nobody waits for is told in batches, each with claims and releases of different names. The
 * answer names those that were refused; all others are as they were asked for. A call without an answer leaves its
 * entries as calls of their own would: told, not sure, to be asked again above its number.
 *
 *   answer                      of the batch
 *   200, a name is in refused   as a 409 or 503 of its own (client_names.c)
 *   200, it is not              claimed: sure; released: told -
 *   413                         smaller batches from now on; wait
 *   else                        wait; the lease is looked after
 *
 * A batch of one is an ordinary call. */
#include <stdio.h>
#include <string.h>

#include "registry/client_impl.h"
#include "registry/plant.h"

enum { TARGET_BYTES = 80 };

/* ---- out ---- */

static json_t *item_of(const struct own_name *entry, bool is_held)
{
    char ref[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(entry->told, ref);
    json_t *item = json_pack("{s:s%, s:s}", "name", entry->node.name.ptr, entry->node.name.len, "ref", ref);
    if (is_held)
        json_object_set_new(item, "held", json_true());
    return item;
}

static void take(struct registry_client *client, struct slot *slot, struct own_name *entry, json_t *claims,
                 json_t *releases, uint64_t now_ms)
{
    bool is_held = false;
    entry->is_released = troupe_ref_is_actor(entry->told) && !troupe_ref_equal(entry->core, entry->told);
    if (entry->is_released)
        entry->is_sure = entry->was_sure = false;
    else
        is_held = client__name_tell(client, entry, entry->core, now_ms);
    if (json_array_append_new(entry->is_released ? releases : claims, item_of(entry, is_held)) == 0) {
        entry->slot = slot;
        entry->next_of_batch = slot->batch;
        slot->batch = entry;
    } else {
        client__name_wait(client, entry, now_ms); /* no memory now */
    }
    client__name_settle(client, entry);
}

bool client__batch_begin(struct registry_client *client, struct slot *slot, uint64_t now_ms)
{
    char target[TARGET_BYTES];
    size_t bytes = 0;
    struct own_name *entry = TAILQ_FIRST(&client->lines[LINE_WORK]);
    if (entry == NULL)
        return false;
    if (client->batch_max <= 1 || TAILQ_NEXT(entry, of_line) == NULL) {
        client__name_work(client, slot, entry, now_ms);
        return true;
    }
    json_t *claims = json_array(), *releases = json_array();
    *slot = (struct slot){.seq = ++client->next_seq};
    for (uint32_t i = 0; i < client->batch_max && entry != NULL && bytes < CLIENT_BATCH_BYTES_MAX; i++) {
        bytes += entry->node.name.len;
        take(client, slot, entry, claims, releases, now_ms);
        entry = TAILQ_FIRST(&client->lines[LINE_WORK]);
    }
    json_t *body = json_pack("{s:I, s:I, s:o, s:o}", "seq", (json_int_t)slot->seq, "floor",
                             (json_int_t)client__name_floor(client, slot->seq), "claim", claims, "release", releases);
    snprintf(target, sizeof target, "/v1/registry/nodes/%s/names", client->node);
    client__perform(client, slot, CALL_BATCH, "POST", target, body, client__call_ms(client), now_ms);
    return true;
}

/* ---- answers ---- */

static void take_refusals(struct registry_client *client, const struct slot *slot, const json_t *refused,
                          uint64_t now_ms)
{
    const json_t *item;
    size_t i;
    json_array_foreach(refused, i, item) {
        const json_t *name = json_object_get(item, "name");
        struct own_name *entry =
            json_is_string(name)
                ? client__name_of(client, (troupe_view){json_string_value(name), json_string_length(name)})
                : NULL;
        bool is_of_this = entry != NULL && entry->slot == slot;
        if (!is_of_this || entry->is_released || REGISTRY_PLANTED(8))
            continue;
        entry->slot = NULL;
        client__name_refused(client, entry, NULL, entry->told, item, now_ms);
    }
}

static void take_success(struct own_name *entry)
{
    entry->attempts = 0;
    entry->is_sure = !entry->is_released;
    entry->was_sure = false;
    if (entry->is_released)
        entry->told = (troupe_ref){0};
}

static void take_failure(struct registry_client *client, const struct answer *answer, uint64_t now_ms)
{
    if (answer->status == 413 && client->batch_max > 1)
        client->batch_max /= 2;
    if (!answer->is_proven || client__is_about_lease(answer))
        client__probe(client, now_ms);
}

void client__batch_answered(struct registry_client *client, const struct slot *call, struct slot *slot,
                            const struct answer *answer, uint64_t now_ms)
{
    const json_t *refused = json_object_get(answer->document, "refused");
    bool is_good = answer->is_proven && answer->status == 200 && json_is_array(refused);
    if (is_good)
        take_refusals(client, slot, refused, now_ms);
    else
        take_failure(client, answer, now_ms);
    for (struct own_name *entry = call->batch, *next; entry != NULL; entry = next) {
        next = entry->next_of_batch;
        bool is_open = entry->slot != NULL;
        entry->slot = NULL;
        if (is_open && is_good)
            take_success(entry);
        else if (is_open)
            client__name_wait(client, entry, now_ms);
        client__name_settle(client, entry);
    }
}
