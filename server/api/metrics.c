/* SPDX-License-Identifier: Apache-2.0
 *
 * /metrics: the Prometheus text format, version 0.0.4. One row of the table is one metric without labels. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access/access.h"
#include "api/handlers.h"
#include "api/head_check.h"
#include "api/health.h"
#include "api/reply.h"
#include "base/clock.h"
#include "cluster.h"
#include "http_out.h"

enum kind { GAUGE, COUNTER };

struct metric {
    const char *name;
    enum kind kind;
    const char *help;
    size_t offset;               /* of the uint64_t in troupe_stats or struct api_traffic */
};

#define STAT(field) offsetof(troupe_stats, field)
#define TRAFFIC(field) offsetof(struct api_traffic, field)

static const struct metric core_metrics[] = {
    {"troupe_actors", GAUGE, "Actors that are alive.", STAT(actors)},
    {"troupe_names", GAUGE, "Names that are taken.", STAT(names)},
    {"troupe_memory_bytes", GAUGE, "Memory of messages, actors and their state.", STAT(memory_bytes)},
    {"troupe_actors_spawned_total", COUNTER, "Actors that were spawned.", STAT(spawned)},
    {"troupe_actors_ended_total", COUNTER, "Actors that ended.", STAT(ended)},
    {"troupe_actors_failed_total", COUNTER, "Actors that ended because a function of theirs failed.", STAT(failed)},
    {"troupe_actors_killed_total", COUNTER, "Actors that were killed.", STAT(killed)},
    {"troupe_actors_restarted_total", COUNTER, "Restarts by supervisors.", STAT(restarts)},
    {"troupe_turns_total", COUNTER, "Turns that workers ran.", STAT(turns)},
    {"troupe_turns_long_total", COUNTER, "Turns that lasted over 100 microseconds.", STAT(turns_long)},
    {"troupe_turns_blocking_total", COUNTER, "Turns of behaviors that may block.", STAT(turns_blocking)},
    {"troupe_blocking_busy", GAUGE, "Blocking workers that are in a turn.", STAT(blocking_busy)},
    {"troupe_blocking_waiting", GAUGE, "Actors that wait for a blocking worker.", STAT(blocking_waiting)},
    {"troupe_turns_inline_total", COUNTER, "Turns run by the thread that brought the message.", STAT(turns_inline)},
    {"troupe_messages_total", COUNTER, "Messages that actors handled.", STAT(messages)},
    {"troupe_calls_total", COUNTER, "Calls that were made.", STAT(calls)},
    {"troupe_steals_total", COUNTER, "Actors taken over from another worker.", STAT(steals)},
    {"troupe_dead_letters_total", COUNTER, "Messages that nobody took.", STAT(dead_letters)},
    {"troupe_dead_letters_full_total", COUNTER, "Messages refused by a full mailbox.", STAT(dead_full)},
    {"troupe_dead_letters_gone_total", COUNTER, "Messages to actors that had ended.", STAT(dead_gone)},
    {"troupe_dead_letters_shed_total", COUNTER, "Messages shed from a full mailbox.", STAT(dead_shed)},
    {"troupe_alarms_set_total", COUNTER, "Alarms that were set: long mailboxes and long turns.", STAT(alarms_set)},
    {"troupe_alarms_missed_total", COUNTER, "Alarms for which there was no room in the list.", STAT(alarms_missed)},
    {"troupe_call_timeouts_total", COUNTER, "Calls whose deadline passed.", STAT(timeouts)},
};

static const struct metric traffic_metrics[] = {
    {"troupe_http_connections", GAUGE, "Connections that are open.", TRAFFIC(connections)},
    {"troupe_http_requests_waiting", GAUGE, "Requests whose answer is not there yet.", TRAFFIC(waiting)},
    {"troupe_http_heads_waiting", GAUGE, "Connections whose first head is not whole.", TRAFFIC(heads_waiting)},
    {"troupe_http_connections_opened_total", COUNTER, "Connections handed to workers.", TRAFFIC(connections_opened)},
    {"troupe_http_connections_refused_total", COUNTER, "Connections refused because there were too many.",
     TRAFFIC(connections_refused)},
    {"troupe_http_connections_swept_total", COUNTER, "Connections closed because a request did not get on.",
     TRAFFIC(connections_swept)},
    {"troupe_http_heads_timed_out_total", COUNTER, "First heads that were not whole in time.",
     TRAFFIC(heads_timed_out)},
    {"troupe_ws_sessions", GAUGE, "WebSocket sessions that are open.", TRAFFIC(sessions)},
    {"troupe_ws_frames_received_total", COUNTER, "Messages that sessions sent.", TRAFFIC(frames_in)},
    {"troupe_ws_frames_sent_total", COUNTER, "Messages that were sent to sessions.", TRAFFIC(frames_out)},
    {"troupe_streams", GAUGE, "Event streams that are open.", TRAFFIC(streams)},
    {"troupe_stream_events_total", COUNTER, "Events that were written to streams.", TRAFFIC(events_out)},
    {"troupe_stream_events_missed_total", COUNTER, "Events that slow streams missed.", TRAFFIC(events_lagged)},
};

#define HTTP_OUT(field) offsetof(struct http_out_figures, field)
static const struct metric http_out_metrics[] = {
    {"troupe_http_out_waiting", GAUGE, "Requests of behaviors that wait for their turn.", HTTP_OUT(waiting)},
    {"troupe_http_out_in_flight", GAUGE, "Requests of behaviors that are under way.", HTTP_OUT(in_flight)},
    {"troupe_http_out_answered_total", COUNTER, "Requests of behaviors that a server answered.", HTTP_OUT(answered)},
    {"troupe_http_out_failed_total", COUNTER, "Requests of behaviors that got no answer.", HTTP_OUT(failed)},
    {"troupe_http_out_forbidden_total", COUNTER, "Requests of behaviors that --allow-http does not allow.",
     HTTP_OUT(forbidden)},
    {"troupe_http_out_refused_total", COUNTER, "Requests of behaviors for which there was no room.", HTTP_OUT(refused)},
};

static void add_head(struct text *text, const char *name, enum kind kind, const char *help)
{
    text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind == GAUGE ? "gauge" : "counter");
}

static void add_value(struct text *text, const char *name, enum kind kind, const char *help, uint64_t value)
{
    add_head(text, name, kind, help);
    text_printf(text, "%s %llu\n", name, (unsigned long long)value);
}

static void add_table(struct text *text, const struct metric *metrics, size_t count, const void *figures)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t *value = (const uint64_t *)(const void *)((const char *)figures + metrics[i].offset);
        add_value(text, metrics[i].name, metrics[i].kind, metrics[i].help, *value);
    }
}

static uint64_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_process(struct text *text)
{
    struct rusage usage;
    add_value(text, "troupe_process_resident_memory_bytes", GAUGE, "Resident memory of the node.", resident_bytes());
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    add_head(text, "troupe_process_cpu_seconds_total", COUNTER, "Processor time of the node.");
    text_printf(text, "troupe_process_cpu_seconds_total %.6f\n", seconds);
}

/* A node that keeps the registry itself has no lease: its age is 0. */
static void add_cluster(struct text *text, struct cluster *cluster)
{
    struct cluster_figures figures;
    cluster_figures(cluster, &figures);
    uint64_t age_ms = figures.renewed_at_ms != 0 ? clock_boot_ms() - figures.renewed_at_ms : 0;
    add_value(text, "troupe_cluster_nodes", GAUGE, "Nodes of the cluster that are up.", figures.members);
    add_value(text, "troupe_cluster_registry_lost", GAUGE, "1 when the registry is away.", figures.is_registry_lost);
    add_value(text, "troupe_cluster_lease_renewals_total", COUNTER, "Renewals of the node's lease.", figures.renewals);
    add_head(text, "troupe_cluster_lease_age_seconds", GAUGE, "Time since the node's lease was renewed.");
    text_printf(text, "troupe_cluster_lease_age_seconds %.3f\n", (double)age_ms / 1e3);
}

static void add_refusals(struct text *text, const struct access *access)
{
    static const int errors[] = {TROUPE_E_UNAUTHORIZED, TROUPE_E_FORBIDDEN, TROUPE_E_RATE};
    add_head(text, "troupe_access_refused_total", COUNTER,
             "Requests and frames without the right token or over a rate, by the code of the refusal.");
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
        text_printf(text, "troupe_access_refused_total{code=\"%s\"} %llu\n", troupe_error_lookup(errors[i])->code,
                    (unsigned long long)access_refusals(access, errors[i]));
}

/* All versions of a behavior together. */
static void sum_behavior(troupe_system *system, const char *name, troupe_behavior_stats *ret_sum)
{
    const troupe_behavior *behavior;
    troupe_behavior_stats sum = {0}, stats;
    for (uint32_t i = 0; (behavior = troupe_system_behavior_at(system, i)) != NULL; i++) {
        if (strcmp(behavior->name, name) != 0)
            continue;
        troupe_system_behavior_stats(system, behavior, &stats);
        sum.actors += stats.actors;
        sum.spawned += stats.spawned;
        sum.failed += stats.failed;
        sum.messages += stats.messages;
        sum.turns += stats.turns;
        sum.busy_ns += stats.busy_ns;
    }
    *ret_sum = sum;
}

static void add_behaviors(struct text *text, troupe_system *system)
{
    static const struct metric metrics[] = {
        {"troupe_behavior_actors", GAUGE, "Actors that are alive, by behavior.",
         offsetof(troupe_behavior_stats, actors)},
        {"troupe_behavior_spawned_total", COUNTER, "Actors that were spawned, by behavior.",
         offsetof(troupe_behavior_stats, spawned)},
        {"troupe_behavior_failed_total", COUNTER, "Actors that ended abnormally, kills apart, by behavior.",
         offsetof(troupe_behavior_stats, failed)},
        {"troupe_behavior_messages_total", COUNTER, "Messages that were handled, by behavior.",
         offsetof(troupe_behavior_stats, messages)},
        {"troupe_behavior_turns_total", COUNTER, "Turns, by behavior.", offsetof(troupe_behavior_stats, turns)},
        {"troupe_behavior_busy_seconds_total", COUNTER, "Time in turns, by samples, by behavior.",
         offsetof(troupe_behavior_stats, busy_ns)},
    };
    troupe_installed installed;
    troupe_behavior_stats sum;
    for (size_t k = 0; k < sizeof metrics / sizeof metrics[0]; k++) {
        add_head(text, metrics[k].name, metrics[k].kind, metrics[k].help);
        for (uint32_t i = 0; troupe_system_installed_at(system, i, &installed); i++) {
            if (installed.is_replaced)
                continue;
            sum_behavior(system, installed.behavior->name, &sum);
            uint64_t value = *(const uint64_t *)(const void *)((const char *)&sum + metrics[k].offset);
            text_printf(text, "%s{behavior=\"%s\"} ", metrics[k].name, installed.behavior->name);
            if (metrics[k].offset == offsetof(troupe_behavior_stats, busy_ns))
                text_printf(text, "%.6f\n", (double)value / 1e9);
            else
                text_printf(text, "%llu\n", (unsigned long long)value);
        }
    }
}

static void add_alarms(struct text *text, troupe_system *system)
{
    add_value(text, "troupe_alarms", GAUGE, "Alarms that are set.", troupe_system_alarms(system, NULL, 0));
}

static void add_labelled(struct text *text, const struct api_traffic *traffic)
{
    add_head(text, "troupe_http_requests_total", COUNTER, "Requests that were answered, by class of status.");
    for (unsigned i = 2; i <= 5; i++)
        text_printf(text, "troupe_http_requests_total{class=\"%uxx\"} %llu\n", i,
                    (unsigned long long)traffic->requests[i]);
    add_head(text, "troupe_http_heads_refused_total", COUNTER, "Request heads that were refused, by reason.");
    for (unsigned i = 1; i < HEAD_REASONS; i++)
        text_printf(text, "troupe_http_heads_refused_total{reason=\"%s\"} %llu\n",
                    head_reason_word((enum head_reason)i), (unsigned long long)traffic->heads_refused[i]);
}

void metrics_get(struct api_request *req)
{
    const struct api_env *env = req->env;
    struct text text = {0};
    troupe_stats stats;
    struct api_traffic traffic = {0};
    struct api_problem problem;
    troupe_system_stats(env->system, &stats);
    env->traffic(env->traffic_user, &traffic);
    add_head(&text, "troupe_build_info", GAUGE, "The version that runs; always 1.");
    text_printf(&text, "troupe_build_info{version=\"%s\",node=\"%s\"} 1\n", env->version, env->node);
    add_value(&text, "troupe_ready", GAUGE, "1 when the node takes work.", health_judge(env, &problem) ? 1 : 0);
    add_head(&text, "troupe_uptime_seconds", GAUGE, "Time since the node started.");
    text_printf(&text, "troupe_uptime_seconds %.3f\n", (double)(req->now_ms - env->started_mono_ms) / 1e3);
    add_value(&text, "troupe_workers", GAUGE, "Workers.", troupe_system_workers(env->system));
    add_value(&text, "troupe_workers_stuck", GAUGE, "Workers in a turn that lasts over 10 seconds.",
              atomic_load_explicit(&env->health->stuck, memory_order_relaxed));
    add_value(&text, "troupe_blocking_workers", GAUGE, "Workers for behaviors that may block.",
              troupe_system_blocking_workers(env->system));
    add_cluster(&text, env->members);
    add_value(&text, "troupe_memory_max_bytes", GAUGE, "The budget of troupe_memory_bytes.", env->memory_max);
    add_table(&text, core_metrics, sizeof core_metrics / sizeof core_metrics[0], &stats);
    struct http_out_figures figures;
    http_out_figures(env->http_out, &figures);
    add_table(&text, http_out_metrics, sizeof http_out_metrics / sizeof http_out_metrics[0], &figures);
    add_table(&text, traffic_metrics, sizeof traffic_metrics / sizeof traffic_metrics[0], &traffic);
    add_behaviors(&text, env->system);
    add_alarms(&text, env->system);
    add_labelled(&text, &traffic);
    add_refusals(&text, env->access);
    add_process(&text);
    size_t len;
    char *body = text_take(&text, &len);
    if (body == NULL)
        api_refuse(req, TROUPE_E_NO_MEMORY, NULL, "there was no memory for the answer; try again later");
    else
        api_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", body, len, API_MALLOCED, NULL, 0);
}
