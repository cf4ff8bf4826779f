/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a node that wants to be a member really where it says? Its advertised API address and its advertised peer port
 * must both answer as this node of this cluster, and prove the secret. So a port that belongs to somebody else by now,
 * a loopback address that is another machine's, and a firewall are noticed before anybody is told.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_VERIFY_H
#define TROUPE_SERVER_VERIFY_H

#include "io/fetch.h"
#include "io/peer_port.h"

struct verify;

struct verify_config {
    struct fetch *fetch;         /* borrowed, this and below */
    struct peer_port *peers;
    const struct registry_secret *secret;
    const char *cluster;
    uint32_t timeout_ms;         /* of each of the two */
    void *user;
    /* Once for each verify_start: words are "" when it is good. */
    void (*done)(void *user, troupe_home node, uint32_t revision, bool is_good, const char *words);
};

TROUPE_MUST_USE int verify_new(const struct verify_config *config, struct verify **ret_verify);
void verify_free(struct verify *verify); /* what is under way is dropped; NULL is legal */

/* done does not run from inside this, unless memory is exhausted. */
void verify_start(struct verify *verify, const struct registry_record *record);

#endif
