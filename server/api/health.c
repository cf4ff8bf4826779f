/* SPDX-License-Identifier: Apache-2.0 */
#include "api/health.h"

#include "api/handlers.h"
#include "cluster.h"

const char health_live_body[] = "{\"status\":\"ok\"}";

const char *health_phase_word(const struct api_env *env)
{
    static const char *const words[] = {"starting", "up", "draining", "stopping"};
    return words[atomic_load_explicit(&env->health->phase, memory_order_relaxed)];
}

bool health_is_starting(const struct api_env *env)
{
    return atomic_load_explicit(&env->health->phase, memory_order_relaxed) == API_STARTING;
}

bool health_judge(const struct api_env *env, struct api_problem *ret_problem)
{
    const char *detail = NULL;
    int error = TROUPE_E_DRAINING;
    if (atomic_load_explicit(&env->health->phase, memory_order_relaxed) != API_UP) {
        detail = "the node is not up: it starts, drains or stops; use another one";
    } else if (atomic_load_explicit(&env->health->stuck, memory_order_relaxed) > 0) {
        error = TROUPE_E_OVERLOADED;
        detail = "a turn of an actor lasts over 10 s and holds a worker; the log names the actor";
    } else if (troupe_system_is_overloaded(env->system)) {
        error = TROUPE_E_OVERLOADED;
        detail = "the node is over 80 % of its memory budget; stop actors or raise --memory-max";
    }
    if (detail != NULL)
        *ret_problem = (struct api_problem){.error = error, .detail = troupe_view_of(detail)};
    return detail == NULL;
}

void health_live(struct api_request *req)
{
    api_reply(req, 200, "application/json", health_live_body, sizeof "{\"status\":\"ok\"}" - 1, API_STATIC, NULL, 0);
}

void health_ready(struct api_request *req)
{
    struct api_problem problem;
    if (health_judge(req->env, &problem))
        health_live(req);
    else
        api_reply_problem(req, &problem);
}

/* The turns that hold blocking workers, as the watchdog has seen them. NULL when memory is exhausted. */
static json_t *list_blocking(const struct api_request *req)
{
    troupe_system *system = req->env->system;
    json_t *list = json_array();
    for (uint32_t i = 0; i < troupe_system_blocking_workers(system); i++) {
        uint64_t since_ms = atomic_load_explicit(&req->env->health->blocked_since_ms[i], memory_order_relaxed), turn;
        troupe_ref actor;
        const char *behavior;
        char ref[TROUPE_REF_TEXT_MAX];
        if (since_ms == 0 || !troupe_worker_turn(troupe_system_worker(system, troupe_system_workers(system) + i),
                                                 &actor, &behavior, &turn))
            continue;
        troupe_ref_format(actor, ref);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "actor", ref, "behavior", behavior, "turn_ms",
                                              (json_int_t)(req->now_ms > since_ms ? req->now_ms - since_ms : 0)));
    }
    return list;
}

void health_report(struct api_request *req)
{
    struct api_problem problem;
    troupe_stats stats;
    char trouble[256];
    bool ready = health_judge(req->env, &problem);
    troupe_system_stats(req->env->system, &stats);
    api_reply_json(req, ready ? 200 : 503,
                   json_pack("{s:s, s:s, s:s?, s:i, s:o, s:b, s:I, s:I, s:I, s:I}", "status",
                             ready ? "ok" : "not_ready", "phase", health_phase_word(req->env),
                             "trouble", cluster_trouble(req->env->members, trouble, sizeof trouble),
                             "stuck_workers", (int)atomic_load_explicit(&req->env->health->stuck, memory_order_relaxed),
                             "blocking", list_blocking(req),
                             "overloaded", troupe_system_is_overloaded(req->env->system),
                             "memory_bytes", (json_int_t)stats.memory_bytes,
                             "memory_max_bytes", (json_int_t)req->env->memory_max,
                             "actors", (json_int_t)stats.actors,
                             "uptime_ms", (json_int_t)(req->now_ms - req->env->started_mono_ms)),
                   NULL, 0);
}
