/* SPDX-License-Identifier: Apache-2.0
 *
 * Behaviors of one's own: shared objects that the node loads (--behavior FILE.so or a directory of them).
 *
 * Loading is all or nothing for a file: every table is looked at, every schema compiled, every name checked, before the
 * first behavior is made known. A refusal at the start ends the node; later it leaves the node as it was.
 *
 * Loading again (SIGHUP): a file whose bytes have changed is loaded anew, and files that have come into a directory are
 * loaded. What is spawned or restarted from then on is of the new version; actors that live keep the code that they
 * began with until they end, so code is never unloaded. A behavior that the new file does not have any more stays as it
 * was, as does a file that was removed.
 *
 * Thread: at the start, then control. */
#ifndef TROUPE_SERVER_PLUGINS_H
#define TROUPE_SERVER_PLUGINS_H

#include <troupe/system.h>

struct plugins;

/* Load all. paths end with NULL and live as long as the plugins.
 * Fails: TROUPE_E_INVALID, NO_MEMORY; words (cap bytes) names the file, what is wrong and the remedy. */
TROUPE_MUST_USE int plugins_new(troupe_system *system, const char *const *paths, struct plugins **ret_plugins,
                                char *words, size_t cap);

/* Were any asked for? */
bool plugins_are_wanted(const struct plugins *plugins);

/* Load what has changed, and log it. True: this node has other behaviors, or versions of them, than before. */
bool plugins_reload(struct plugins *plugins);

/* State: the system is freed. NULL is legal. The code stays until the process ends. */
void plugins_free(struct plugins *plugins);

#endif
