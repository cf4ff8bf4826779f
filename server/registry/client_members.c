/* SPDX-License-Identifier: Apache-2.0
 *
 * The member list as this node knows it. The list is taken once, then followed by long polls; a watch that was cut goes
 * on at the revision where it was. The list is taken again when the registry does not keep those events any more, and
 * when it was restarted; what differs is then told as events, so that those who listen see one story:
 *
 *   known        comes                            told
 *   no           joining, up, draining            that state
 *   yes          a newer record                   changed
 *   yes          a later state                    up, draining
 *   yes          an earlier state                 nothing: a restarted registry verifies its members again
 *   yes          left, down                       that, and it is known no more
 *   no           left, down                       nothing: it was told
 *   yes          not in the list, same registry   down
 *   yes          not in the list of another       down, when a lease has passed: until then it may register there
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/client_impl.h"
#include "registry/plant.h"

enum { WATCH_WAIT_MS_MIN = 50, WATCH_WAIT_MS_MAX = 2000 };

static struct known *known_of(struct registry_client *client, troupe_home node)
{
    for (uint32_t i = 0; i < client->known_count; i++) {
        if (troupe_home_equal(client->known[i].record.node, node))
            return &client->known[i];
    }
    return NULL;
}

static void tell(struct registry_client *client, enum registry_what what, const struct registry_record *record,
                 uint64_t revision)
{
    const struct registry_event event = {.revision = revision, .what = what, .record = record};
    client->config.on_event(client->config.user, &event);
}

static enum registry_what what_of(enum registry_state state)
{
    return state == REGISTRY_DRAINING ? REGISTRY_NODE_DRAINING
         : state == REGISTRY_UP ? REGISTRY_NODE_UP : REGISTRY_NODE_JOINING;
}

static void forget(struct registry_client *client, struct known *known, enum registry_what what, uint64_t revision)
{
    struct registry_record record = known->record;
    *known = client->known[--client->known_count];
    record.state = REGISTRY_DOWN;
    tell(client, what, &record, revision);
    registry_record_fini(&record);
}

/* A member as the registry tells it. record is taken. */
static void learn(struct registry_client *client, struct registry_record *record, uint64_t revision, bool is_told)
{
    struct known *known = known_of(client, record->node);
    if (troupe_home_equal(record->node, client->own.node) && record->state != REGISTRY_JOINING)
        client->is_told_up = true;
    if (known == NULL) {
        if (client->known_count == CLIENT_KNOWN_MAX) {
            registry_record_fini(record);
            return; /* more than a cluster can have: the registry is not in its right mind */
        }
        known = &client->known[client->known_count++];
        *known = (struct known){.record = *record, .is_listed = true};
        if (is_told)
            tell(client, what_of(record->state), &known->record, revision);
        return;
    }
    enum registry_state before = known->record.state;
    bool is_newer = record->revision > known->record.revision;
    if (record->state < before && !REGISTRY_PLANTED(7))
        record->state = before;
    registry_record_fini(&known->record);
    *known = (struct known){.record = *record, .is_listed = true};
    if (is_newer)
        tell(client, REGISTRY_NODE_CHANGED, &known->record, revision);
    if (known->record.state > before)
        tell(client, what_of(known->record.state), &known->record, revision);
}

static void lose_missing(struct registry_client *client, uint64_t revision)
{
    client->missing_until_ms = 0;
    for (uint32_t i = 0; i < client->known_count;) {
        if (client->known[i].is_listed)
            i++;
        else
            forget(client, &client->known[i], REGISTRY_NODE_DOWN, revision);
    }
}

void client__members_doubt(struct registry_client *client, uint64_t now_ms)
{
    client__abort(client, &client->watch);
    client->needs_list = true;
    client->watch_ms = now_ms;
    client->missing_until_ms = 0;
    client->is_resync = client->is_first_list_told;
}

/* ---- calls ---- */

void client__members_pump(struct registry_client *client, uint64_t now_ms)
{
    char target[96];
    if (client->phase != PHASE_MEMBER || client->watch.id != 0 || now_ms < client->watch_ms)
        return;
    if (client->needs_list) {
        client__perform(client, &client->watch, CALL_LIST, "GET", "/v1/registry/nodes", NULL, client__call_ms(client),
                        now_ms);
        return;
    }
    snprintf(target, sizeof target, "/v1/registry/watch?revision=%llu&wait=%us",
             (unsigned long long)client->watch_revision, CLIENT_WATCH_MS / 1000);
    client__perform(client, &client->watch, CALL_WATCH, "GET", target, NULL,
                    CLIENT_WATCH_MS + client__call_ms(client), now_ms);
}

uint64_t client__members_next_ms(const struct registry_client *client)
{
    uint64_t next_ms = client->missing_until_ms != 0 ? client->missing_until_ms : UINT64_MAX;
    uint64_t call_ms = client->watch.id != 0 ? client->watch.until_ms
                     : client->phase == PHASE_MEMBER ? client->watch_ms : UINT64_MAX;
    return call_ms < next_ms ? call_ms : next_ms;
}

void client__members_tick(struct registry_client *client, uint64_t now_ms)
{
    if (client->missing_until_ms != 0 && now_ms >= client->missing_until_ms)
        lose_missing(client, client->watch_revision);
}

/* ---- answers ---- */

static void tell_first_list(struct registry_client *client)
{
    struct registry_record *records = calloc(client->known_count + 1, sizeof *records);
    if (records == NULL) {
        client->needs_list = true;
        client->known_count = 0;
        return;
    }
    for (uint32_t i = 0; i < client->known_count; i++)
        records[i] = client->known[i].record;
    client->is_first_list_told = true;
    client->config.on_list(client->config.user, records, client->known_count);
    free(records);
}

static bool take_list(struct registry_client *client, const json_t *document, uint64_t now_ms)
{
    const json_t *nodes = json_object_get(document, "nodes"), *node;
    uint64_t revision = (uint64_t)json_integer_value(json_object_get(document, "revision"));
    char words[CLIENT_WORDS_BYTES];
    size_t i;
    if (!json_is_array(nodes) || json_array_size(nodes) > REGISTRY_NODES_MAX)
        return false;
    for (uint32_t k = 0; k < client->known_count; k++)
        client->known[k].is_listed = false;
    json_array_foreach(nodes, i, node) {
        struct registry_record record;
        if (registry_record_from_json(node, &record, words, sizeof words) == 0)
            learn(client, &record, revision, client->is_first_list_told);
    }
    client->watch_revision = revision;
    client->needs_list = false;
    if (!client->is_first_list_told)
        tell_first_list(client);
    else if (client->is_resync)
        client->missing_until_ms = now_ms + client->lease_ms;
    else if (client->missing_until_ms == 0)
        lose_missing(client, revision);
    client->is_resync = false;
    return true;
}

static bool take_event(struct registry_client *client, const json_t *event)
{
    struct registry_record record;
    char words[CLIENT_WORDS_BYTES];
    uint64_t revision = (uint64_t)json_integer_value(json_object_get(event, "revision"));
    enum registry_what what = registry_what_parse(client__text(event, "event"));
    if (revision <= client->watch_revision)
        return true; /* seen */
    if (revision != client->watch_revision + 1)
        return false;
    client->watch_revision = revision;
    if (what == 0 || registry_record_from_json(json_object_get(event, "node"), &record, words, sizeof words) != 0)
        return true; /* of a later version: passed over */
    if (what != REGISTRY_NODE_LEFT && what != REGISTRY_NODE_DOWN) {
        learn(client, &record, revision, true);
        return true;
    }
    struct known *known = known_of(client, record.node);
    if (known != NULL)
        forget(client, known, what, revision);
    registry_record_fini(&record);
    return true;
}

static bool take_events(struct registry_client *client, const json_t *document)
{
    const json_t *events = json_object_get(document, "events"), *event;
    size_t i;
    if (!json_is_array(events))
        return false;
    json_array_foreach(events, i, event) {
        if (!take_event(client, event))
            return false;
    }
    return true;
}

void client__members_answered(struct registry_client *client, const struct slot *call, const struct answer *answer,
                              uint64_t now_ms)
{
    bool is_good = answer->is_proven && answer->status == 200 &&
                   strcmp(client__text(answer->document, "epoch"), client->epoch) == 0;
    if (is_good && call->kind == CALL_LIST)
        is_good = take_list(client, answer->document, now_ms);
    else if (is_good && !take_events(client, answer->document))
        client->needs_list = true;
    if (answer->is_proven && answer->status == 412)
        client->needs_list = is_good = true;
    if (client->is_told_up && !client->is_up)
        client__probe(client, now_ms); /* so that this node knows it as soon as the others do */
    client->is_told_up = false;
    if (is_good) {
        client->watch_attempts = 0;
        client->watch_ms = now_ms;
        return;
    }
    client->watch_attempts++;
    client->watch_ms = now_ms + client__backoff_ms(client, WATCH_WAIT_MS_MIN, WATCH_WAIT_MS_MAX, client->watch_attempts);
    if (answer->status == 401)
        client__probe(client, now_ms);
}

void client__members_fini(struct registry_client *client)
{
    for (uint32_t i = 0; i < client->known_count; i++)
        registry_record_fini(&client->known[i].record);
    free(client->known);
}
