/* SPDX-License-Identifier: Apache-2.0 */
#include "self.h"

#include <stdio.h>
#include <string.h>

/* ---- what does not change ---- */

static json_t *behaviors_of(const troupe_system *system)
{
    troupe_installed installed;
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && troupe_system_installed_at(system, i, &installed); i++) {
        const troupe_behavior *behavior = installed.behavior;
        if (!installed.is_replaced && json_array_append_new(list, json_pack("{s:s, s:s}", "name", behavior->name,
                                                                        "version", behavior->version)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* "key=value" each; the last of a key counts. */
static json_t *labels_of(const char *const *labels)
{
    json_t *object = json_object();
    for (unsigned i = 0; object != NULL && labels[i] != NULL; i++) {
        char key[64];
        size_t key_len = strcspn(labels[i], "=");
        snprintf(key, sizeof key, "%.*s", (int)key_len, labels[i]);
        if (json_object_set_new(object, key, json_string(labels[i] + key_len + 1)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

int self_init(struct self *self, const struct config *config, const troupe_system *system, uint64_t started_at_ms)
{
    *self = (struct self){.record = {
        .node = troupe_system_home(system), .state = REGISTRY_JOINING, .protocol_min = REGISTRY_PROTOCOL,
        .protocol_max = REGISTRY_PROTOCOL, .started_at_ms = started_at_ms,
    }};
    snprintf(self->record.version, sizeof self->record.version, "%s", TROUPE_VERSION);
    self->record.extra = json_pack("{s:o, s:o}", "behaviors", behaviors_of(system), "labels",
                                   labels_of(config->labels));
    return self->record.extra != NULL ? 0 : TROUPE_E_NO_MEMORY;
}

int self_set_behaviors(struct self *self, const troupe_system *system)
{
    json_t *list = behaviors_of(system);
    if (list == NULL || json_object_set_new(self->record.extra, "behaviors", list) != 0)
        return TROUPE_E_NO_MEMORY;
    self->record.revision++;
    return 0;
}

void self_fini(struct self *self) { registry_record_fini(&self->record); }

/* ---- ports ---- */

static void make_url(char url[static SELF_URL_BYTES], const char *scheme, const char *host, unsigned port)
{
    snprintf(url, SELF_URL_BYTES, strchr(host, ':') != NULL ? "%s[%s]:%u" : "%s%s:%u", scheme, host, port);
}

static const char *reachable(const char *bound)
{
    if (!listen_is_any(bound))
        return bound;
    return strchr(bound, ':') != NULL ? "::1" : "127.0.0.1";
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    return a[0] != '\0' ? a : b[0] != '\0' ? b : c;
}

static void set_endpoint(struct registry_endpoint *endpoint, const char *purpose, const char *scheme, const char *host,
                         unsigned port, unsigned bound_port)
{
    snprintf(endpoint->purpose, sizeof endpoint->purpose, "%s", purpose);
    snprintf(endpoint->scheme, sizeof endpoint->scheme, "%s", scheme);
    snprintf(endpoint->host, sizeof endpoint->host, "%s", host);
    endpoint->port = (uint16_t)port;
    endpoint->bound_port = (uint16_t)bound_port;
}

void self_set_ports(struct self *self, const struct config *config, const struct listener *api,
                    const struct listener *peer)
{
    const struct config_address *told = &config->advertise_api, *told_peer = &config->advertise_peer;
    const char *api_host = first_of(told->host, "", reachable(api->host));
    const char *peer_host = first_of(told_peer->host, told->host, reachable(peer->host));
    unsigned api_port = told->port != 0 ? told->port : api->port;
    unsigned peer_port = told_peer->port != 0 ? told_peer->port : peer->port;
    make_url(self->bound_url, "http://", reachable(api->host), api->port);
    make_url(self->url, "http://", api_host, api_port);
    make_url(self->peer, "", peer_host, peer_port);
    set_endpoint(&self->record.endpoints[0], "api", "http", api_host, api_port, api->port);
    set_endpoint(&self->record.endpoints[1], "peer", "troupe", peer_host, peer_port, peer->port);
    self->record.endpoints_count = 2;
    self->record.revision++;
}
