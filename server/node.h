/* SPDX-License-Identifier: Apache-2.0
 *
 * The node: owns the subsystems and knows in which order they start and stop. */
#ifndef TROUPE_SERVER_NODE_H
#define TROUPE_SERVER_NODE_H

#include "config.h"

/* Run a node until a signal ends it. The calling thread is its control thread. What goes wrong is told in one line on
 * standard error. Returns the exit status. */
int node_run(const struct config *config);

#endif
