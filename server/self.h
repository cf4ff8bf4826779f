/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node tells of itself: where its two ports are bound, what others are told instead, and the record that the
 * registry gets. Bound and advertised addresses are apart: what is bound to every address is reached by loopback unless
 * --advertise says better.
 *
 * Thread: before threads are made, then control. */
#ifndef TROUPE_SERVER_SELF_H
#define TROUPE_SERVER_SELF_H

#include <troupe/system.h>

#include "config.h"
#include "io/listen.h"
#include "registry/record.h"

enum { SELF_URL_BYTES = 320 };

struct self {
    struct registry_record record; /* owned; its revision counts up with each change */
    char url[SELF_URL_BYTES];    /* "http://127.0.0.1:41873": for others */
    char bound_url[SELF_URL_BYTES]; /* the same for programs on this machine */
    char peer[SELF_URL_BYTES];   /* "127.0.0.1:39127": for others */
};

/* Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int self_init(struct self *self, const struct config *config, const troupe_system *system,
                              uint64_t started_at_ms);
void self_fini(struct self *self);

/* Other behaviors have been loaded. Fails: TROUPE_E_NO_MEMORY. */
TROUPE_MUST_USE int self_set_behaviors(struct self *self, const troupe_system *system);

/* The ports are bound here, now. */
void self_set_ports(struct self *self, const struct config *config, const struct listener *api,
                    const struct listener *peer);

#endif
