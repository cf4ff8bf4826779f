/* SPDX-License-Identifier: Apache-2.0
 *
 * How this node is a member of its cluster: it keeps the registry (engine and service), or has joined that of another
 * node (client). Here the state machines of registry/ meet the world: requests go out by io/fetch.h, joining nodes are
 * verified by io/verify.h, names and drains come in from the workers through route/place.h, and what happens to members
 * goes to cluster.h.
 *
 * Times are of the boot clock. Thread: control. */
#ifndef TROUPE_SERVER_MEMBERSHIP_H
#define TROUPE_SERVER_MEMBERSHIP_H

#include "cluster.h"
#include "data_dir.h"
#include "io/fetch.h"
#include "io/peer_port.h"
#include "registry/service.h"
#include "route/place.h"
#include "self.h"

struct membership;

struct membership_config {
    const struct config *config; /* borrowed, this and below */
    troupe_system *system;
    struct self *self;
    struct cluster *cluster;
    struct place *place;
    struct data_dir *data;
    char *cluster_id;            /* TROUPE_HOME_TEXT_MAX bytes: written when the cluster is known */
    bool is_loopback;            /* the API is bound to loopback: a secret can be made */

    /* None runs from inside membership_new. */
    void *user;
    void (*on_up)(void *user);   /* once: the node is a member */
    void (*on_drain)(void *user); /* somebody asked for it */
    /* It cannot be a member, or not any more; with an exit status. */
    void (*on_failed)(void *user, int status, const char *words);
};

/* Make it, with the files of secret and data directory. Fails: an exit status (enum config_exit), with words. */
TROUPE_MUST_USE int membership_new(const struct membership_config *config, struct membership **ret_membership,
                                   char *words, size_t words_cap);
void membership_free(struct membership *membership); /* NULL is legal */

/* For the routes of the registry and for the peer port. Lives: as long as the membership. */
struct registry_service *membership_service(struct membership *membership);
const struct registry_secret *membership_secret(const struct membership *membership);

/* Begin; the ways out are there now. Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int membership_start(struct membership *membership, struct fetch *fetch, struct peer_port *peers);

/* Do what is due, and what came from workers. Returns the ms until it must be called again. */
/* To be called before anything is served in a pass: the process may have slept. */
void membership_wake(struct membership *membership);
uint64_t membership_tick(struct membership *membership);

/* The node's record has changed: other ports, or it drains. */
void membership_set_own(struct membership *membership);
void membership_drain(struct membership *membership);

/* Leave; membership_has_left soon says true, also when the registry does not answer. */
void membership_leave(struct membership *membership);
bool membership_has_left(const struct membership *membership);

#endif
