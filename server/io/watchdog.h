/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at the turn each worker is in, several times within --stuck-turn-max. The same turn for WATCHDOG_STUCK_MS turns
 * readyz red and is named in the log; for --stuck-turn-max it is the end, because a native turn cannot be stopped. The
 * turns of blocking workers may last: /healthz names them, and that is all.
 *
 * Thread: control. */
#ifndef TROUPE_SERVER_WATCHDOG_H
#define TROUPE_SERVER_WATCHDOG_H

#include "api/api.h"

enum { WATCHDOG_STUCK_MS = 10000, WATCHDOG_MS = 500 };

struct watched {
    uint64_t turn, since_ms;
    bool in_turn, told;
};

struct watchdog {
    troupe_system *system;
    struct api_health *health;   /* told how many workers are stuck */
    uint64_t stuck_turn_max_ms;
    struct watched workers[TROUPE_WORKERS_MAX];
};

/* How often to look, in ms. */
uint64_t watchdog_period_ms(const struct watchdog *watchdog);

/* False: a turn lasts longer than --stuck-turn-max, and the log says which; the process has to end. */
bool watchdog_look(struct watchdog *watchdog, uint64_t now_ms);

#endif
