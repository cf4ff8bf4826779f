/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/node and /version: which node this is, where it is reached, and how it fares. */
#include <stdlib.h>
#include <unistd.h>

#include "alerts.h"

#include "api/handlers.h"
#include "api/health.h"
#include "api/reply.h"
#include "base/clock.h"
#include "cluster.h"

static json_t *stats_doc(const struct api_env *env)
{
    troupe_stats s;
    troupe_system_stats(env->system, &s);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "actors", (json_int_t)s.actors, "names", (json_int_t)s.names,
                     "memory_bytes", (json_int_t)s.memory_bytes, "spawned", (json_int_t)s.spawned,
                     "ended", (json_int_t)s.ended, "failed", (json_int_t)s.failed, "killed", (json_int_t)s.killed,
                     "restarts", (json_int_t)s.restarts, "turns", (json_int_t)s.turns,
                     "messages", (json_int_t)s.messages, "calls", (json_int_t)s.calls,
                     "dead_letters", (json_int_t)s.dead_letters, "timeouts", (json_int_t)s.timeouts);
}

static json_t *behaviors_doc(const struct api_env *env)
{
    troupe_installed installed;
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && troupe_system_installed_at(env->system, i, &installed); i++) {
        if (installed.is_replaced)
            continue;
        json_t *item = json_pack("{s:s, s:s}", "name", installed.behavior->name, "version",
                                 installed.behavior->version);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *limits_doc(const struct api_env *env)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "body_bytes_max", (json_int_t)env->body_max,
                     "connections_max", (json_int_t)env->connections_max,
                     "memory_bytes_max", (json_int_t)env->memory_max,
                     "call_timeout_ms_max", (json_int_t)TROUPE_CALL_TIMEOUT_MS_MAX);
}

static json_t *alarms_doc(const struct api_env *env)
{
    troupe_alarm *alarms = calloc(TROUPE_ALARMS_MAX, sizeof *alarms);
    json_t *list = alarms != NULL ? json_array() : NULL;
    uint32_t count = list != NULL ? troupe_system_alarms(env->system, alarms, TROUPE_ALARMS_MAX) : 0;
    for (uint32_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, alerts_alarm_doc(env, &alarms[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(alarms);
    return list;
}

void node_get(struct api_request *req)
{
    const struct api_env *env = req->env;
    char started_at[CLOCK_TEXT_BYTES], trouble[256];
    struct cluster_own own;
    clock_format(env->started_wall_ms, started_at);
    cluster_own(env->members, &own);
    json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s?, s:i, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
                            "node", env->node, "cluster", env->cluster, "version", env->version, "api", own.api_url,
                            "peer", own.peer, "pid", (int)getpid(), "state", health_phase_word(env),
                            "trouble", cluster_trouble(env->members, trouble, sizeof trouble),
                            "workers", (int)troupe_system_workers(env->system), "started_at", started_at,
                            "uptime_ms", (json_int_t)(req->now_ms - env->started_mono_ms), "endpoints", own.endpoints,
                            "labels", own.labels, "behaviors", behaviors_doc(env), "limits", limits_doc(env),
                            "alarms", alarms_doc(env), "stats", stats_doc(env));
    api_reply_json(req, 200, doc, NULL, 0);
}

void node_version(struct api_request *req)
{
    api_reply_json(req, 200, json_pack("{s:s, s:s, s:s}", "name", "trouped", "version", req->env->version,
                                       "api", "v1"), NULL, 0);
}
