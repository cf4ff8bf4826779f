/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core has to complain of, as events: alarms on the topic of the cluster's events (`alarm_set`,
 * `alarm_cleared`), messages that nobody took on a topic of their own (`dead_letter`).
 *
 * A flood of dead letters is not one of events: ALERTS_DEAD_PER_S are told in a second, the rest are counted in
 * `suppressed` of the next one, and in the metrics as ever.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_ALERTS_H
#define TROUPE_SERVER_ALERTS_H

#include <jansson.h>

#include "api/api.h"

enum { ALERTS_DEAD_PER_S = 1000 };

/* Hooks of the core. */
void alerts_on_alarm(const struct api_env *env, const troupe_alarm *alarm, bool is_set);
void alerts_on_dead_letter(const struct api_env *env, troupe_ref to, troupe_ref from, const char *type, int error);

/* An alarm as a document; NULL: no memory. */
json_t *alerts_alarm_doc(const struct api_env *env, const troupe_alarm *alarm);

#endif
