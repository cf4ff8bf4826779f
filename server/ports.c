/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/crossing.h"

struct change {
    struct crossing_item item;   /* first */
    enum ports_purpose purpose;
    struct listener listener;
};

struct ports {
    struct listener at[PORTS_COUNT];
    char hosts[PORTS_COUNT][INET6_ADDRSTRLEN]; /* set once: of any thread */
    bool was_chosen[PORTS_COUNT]; /* set once: the operator has named the port, or systemd */
    void (*wake)(void *user);
    void *user;
    struct crossing asked;
    struct crossing_item *taken; /* the control thread's: what came and is not in its place yet */
};

static const char *const flags[PORTS_COUNT] = {"--listen-api", "--listen-peer"};

static int open_one(struct ports *ports, enum ports_purpose purpose, const struct config_address *address, char *words,
                    size_t words_cap)
{
    struct listener *listener = &ports->at[purpose];
    if (listener->fd < 0 && !listen_open(flags[purpose], address->host, address->port, listener, words, words_cap))
        return CONFIG_EXIT_BIND;
    ports->was_chosen[purpose] = listener->is_inherited || address->port != 0;
    memcpy(ports->hosts[purpose], listener->host, sizeof ports->hosts[purpose]);
    return CONFIG_EXIT_OK;
}

/* What systemd hands over counts more than the flags. */
static int open_all(struct ports *ports, const struct config *config, char *words, size_t words_cap)
{
    if (!listen_inherit(&ports->at[PORTS_API], &ports->at[PORTS_PEER], words, words_cap))
        return CONFIG_EXIT_BIND;
    if (ports->at[PORTS_API].fd >= 0 && !config_is_loopback(ports->at[PORTS_API].host) && !config_is_guarded(config)) {
        snprintf(words, words_cap, "LISTEN_FDS: %s can be reached by other machines, and there are no tokens; say who "
                                   "may come in with --tokens, or add --insecure if the network is yours alone",
                 ports->at[PORTS_API].host);
        return CONFIG_EXIT_USAGE;
    }
    int status = open_one(ports, PORTS_API, &config->listen_api, words, words_cap);
    return status != CONFIG_EXIT_OK ? status : open_one(ports, PORTS_PEER, &config->listen_peer, words, words_cap);
}

int ports_new(const struct config *config, struct ports **ret_ports, char *words, size_t words_cap)
{
    struct ports *ports = calloc(1, sizeof *ports);
    if (ports == NULL) {
        snprintf(words, words_cap, "memory is exhausted");
        return CONFIG_EXIT_FAILED;
    }
    ports->at[PORTS_API].fd = ports->at[PORTS_PEER].fd = -1;
    int status = open_all(ports, config, words, words_cap);
    if (status != CONFIG_EXIT_OK)
        ports_free(ports);
    else
        *ret_ports = ports;
    return status;
}

void ports_set_wake(struct ports *ports, void (*wake)(void *user), void *user)
{
    ports->wake = wake;
    ports->user = user;
}

int ports_ask(struct ports *ports, enum ports_purpose purpose, unsigned port, struct listener *ret_listener,
              char *words, size_t words_cap)
{
    if (port == 0 && ports->was_chosen[purpose]) {
        snprintf(words, words_cap, "the node was told its port; name another one with port");
        return TROUPE_E_INVALID;
    }
    struct change *change = calloc(1, sizeof *change);
    if (change == NULL)
        return TROUPE_E_NO_MEMORY;
    if (!listen_open(flags[purpose], ports->hosts[purpose], port, &change->listener, words, words_cap)) {
        free(change);
        return TROUPE_E_INVALID;
    }
    change->purpose = purpose;
    *ret_listener = change->listener;
    ret_listener->fd = -1;
    if (crossing_put(&ports->asked, &change->item))
        ports->wake(ports->user);
    return 0;
}

const struct listener *ports_at(const struct ports *ports, enum ports_purpose purpose) { return &ports->at[purpose]; }

bool ports_take(struct ports *ports, enum ports_purpose *ret_purpose, struct listener *ret_old)
{
    if (ports->taken == NULL)
        ports->taken = crossing_take(&ports->asked);
    struct change *change = (struct change *)(void *)ports->taken;
    if (change == NULL)
        return false;
    ports->taken = change->item.next;
    *ret_purpose = change->purpose;
    *ret_old = ports->at[change->purpose];
    ports->at[change->purpose] = change->listener;
    free(change);
    return true;
}

void ports_close(struct ports *ports, enum ports_purpose purpose) { listen_close(&ports->at[purpose]); }

void ports_free(struct ports *ports)
{
    enum ports_purpose purpose;
    struct listener old;
    if (ports == NULL)
        return;
    while (ports_take(ports, &purpose, &old))
        listen_close(&old);
    for (unsigned i = 0; i < PORTS_COUNT; i++)
        listen_close(&ports->at[i]);
    free(ports);
}
