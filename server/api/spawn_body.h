/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked for when an actor is spawned from outside: the body of POST /v1/actors, and the file of --app.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_SPAWN_BODY_H
#define TROUPE_SERVER_SPAWN_BODY_H

#include <troupe/system.h>

#include "api/check.h"

enum { IF_EXISTS_ERROR = 0, IF_EXISTS_RETURN = 1 };

struct spawn_body {
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char name[TROUPE_NAME_BYTES_MAX + 1];
    uint32_t if_exists;
    troupe_view args;            /* JSON text inside the body; empty: none */
    uint32_t mailbox_messages, mailbox_bytes, mailbox_policy;
    uint32_t restart;            /* enum troupe_restart */
    uint32_t start_timeout_ms;   /* 0: the default */
};

/* Fill it; what is absent stays as it is. Fails: as check_object. */
TROUPE_MUST_USE int spawn_body_read(const char *body, size_t len, struct spawn_body *spawn,
                                    struct check_fault *ret_fault);

/* The same as options. Lives: as long as the body and *spawn. */
troupe_spawn_opts spawn_body_opts(const struct spawn_body *spawn);

#endif
