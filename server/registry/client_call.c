/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: signed on their way out. What comes back counts only when it is proven; the bodies of problems that are not
 * are read for their words alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/client_impl.h"

/* splitmix64: jitter and nonces need no secret randomness, the mac is what protects a call. */
uint64_t client__random(struct registry_client *client)
{
    uint64_t z = (client->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t client__backoff_ms(struct registry_client *client, uint64_t min_ms, uint64_t max_ms, uint32_t attempt)
{
    uint64_t delay_ms = min_ms;
    for (uint32_t i = 1; i < attempt && delay_ms < max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > max_ms)
        delay_ms = max_ms;
    return delay_ms / 2 + client__random(client) % (delay_ms / 2 + 1);
}

uint64_t client__call_ms(const struct registry_client *client)
{
    uint64_t ms = client->lease_ms / 4;
    if (client->lease_ms == 0 || ms > CLIENT_CALL_MS_MAX)
        return CLIENT_CALL_MS_MAX;
    return ms < CLIENT_CALL_MS_MIN ? CLIENT_CALL_MS_MIN : ms;
}

const char *client__text(const json_t *document, const char *name)
{
    const char *text = json_string_value(json_object_get(document, name));
    return text != NULL ? text : "";
}

void client__perform(struct registry_client *client, struct slot *slot, enum call_kind kind, const char *method,
                     const char *target, json_t *body, uint64_t timeout_ms, uint64_t now_ms)
{
    char header[AUTH_HEADER_BYTES];
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct registry_auth auth = {
        .cluster = client->cluster, .epoch = kind == CALL_REGISTER ? client->found_epoch : client->epoch,
        .method = method, .target = target, .node = client->node, .time_ms = client->time_base_ms + now_ms,
        .body = troupe_view_of(text),
    };
    json_decref(body);
    snprintf(auth.nonce, sizeof auth.nonce, "%016llx%016llx", (unsigned long long)client__random(client),
             (unsigned long long)client__random(client));
    slot->id = ++client->next_id;
    slot->kind = kind;
    slot->sent_ms = now_ms;
    slot->until_ms = now_ms + timeout_ms + CLIENT_SLACK_MS;
    memcpy(slot->nonce, auth.nonce, sizeof slot->nonce);
    if (kind != CALL_FIND)
        registry_auth_sign(client->config.secret, &auth, header);
    const struct registry_call call = {
        .id = slot->id, .method = method, .target = target, .authorization = kind != CALL_FIND ? header : NULL,
        .body = text, .body_len = auth.body.len, .timeout_ms = (uint32_t)timeout_ms,
    };
    client->config.perform(client->config.user, &call);
    free(text);
}

void client__abort(struct registry_client *client, struct slot *slot)
{
    if (slot->id != 0)
        client->config.abort(client->config.user, slot->id);
    slot->id = 0;
}
