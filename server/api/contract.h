/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of a behavior as the edges hold clients to it: the compiled schemas of its args and of the bodies of its
 * message types. It goes with the behavior into the core (troupe_system_install_behavior), so an edge finds it by the
 * actor it is about to send to, and each version of a behavior has its own.
 *
 * Behaviors that were made known to the core without a contract are not checked.
 *
 * Thread: any; a contract does not change and lives as long as the system. */
#ifndef TROUPE_SERVER_CONTRACT_H
#define TROUPE_SERVER_CONTRACT_H

#include <troupe/system.h>

#include "api/schema.h"

struct contract {
    char *file;                  /* owned; where the behavior came from, NULL: it is a part of the node */
    uint64_t loaded_at_ms;       /* wall clock */
    struct schema *args;         /* owned; NULL: any args, this and the others */
    struct schema *bodies[TROUPE_TYPES_PER_BEHAVIOR_MAX];
};

/* Compile the schemas of a behavior; file may be NULL. Reply schemas are compiled too, to be sure of them, and not
 * kept.
 * Fails: TROUPE_E_INVALID, NO_MEMORY; words (cap bytes) says which schema is wrong, where and why. */
TROUPE_MUST_USE int contract_new(const troupe_behavior *behavior, const char *file, uint64_t now_ms,
                                 struct contract **ret_contract, char *words, size_t cap);
void contract_free(struct contract *contract);

/* The same and make the behavior known to the system. */
TROUPE_MUST_USE int contract_install(troupe_system *system, const troupe_behavior *behavior, uint64_t now_ms,
                                     char *words, size_t cap);

/* Free the contracts of a system that is about to be freed. State: no edge runs any more. */
void contract_free_all(troupe_system *system);

/* What the body of a message of this type to this actor must be like; NULL: anything, or the core will say why not. */
const struct schema *contract_of_body(const troupe_system *system, troupe_ref ref, troupe_view type);

/* What the args of a new actor of this behavior must be like; NULL: anything. */
const struct schema *contract_of_args(const troupe_system *system, troupe_view behavior);

#endif
