/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the node alive, is it ready? Asked by the routes and by the head stage, which answers when all workers are busy.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_HEALTH_H
#define TROUPE_SERVER_HEALTH_H

#include "api/api.h"
#include "api/reply.h"

extern const char health_live_body[];

const char *health_phase_word(const struct api_env *env);

/* Has the node not joined its cluster yet? */
bool health_is_starting(const struct api_env *env);

/* True when the node takes work; else *ret_problem says why not. */
bool health_judge(const struct api_env *env, struct api_problem *ret_problem);

#endif
