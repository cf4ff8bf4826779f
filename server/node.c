/* SPDX-License-Identifier: Apache-2.0
 *
 * Start: data directory, descriptors, core, sockets (bind, listen, getsockname), what all requests share, workers, the
 * control thread's own set-up, the cluster's secret; then control.c: a member of the cluster, then announced.
 * Stop, in reverse, by control.c: actors, membership, sockets, loops; then here: what is left is freed and the ports
 * file removed.
 *
 * Everything a node has hangs on struct node, and fini of a half-built one is legal. */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <troupe/behaviors.h>

#include "access/access.h"
#include "alerts.h"
#include "announce.h"
#include "app.h"
#include "api/asyncapi.h"
#include "api/contract.h"
#include "api/openapi.h"
#include "base/clock.h"
#include "host.h"
#include "http_out.h"
#include "io/blocking.h"
#include "io/control.h"
#include "join.h"
#include "plugins.h"

enum { FILES_BESIDE_CONNECTIONS = 256, BODIES_SHARE = 4 };

struct node {
    const struct config *config;
    uint64_t files;              /* descriptors that may be open */
    unsigned workers;
    troupe_system *system;
    struct loop *loops[TROUPE_WORKERS_MAX];
    unsigned loops_count;
    struct blocking *blocking;
    struct http_out *http_out;
    struct http_shared http;
    struct traffic_control traffic;
    struct api_health health;
    struct api_env env;
    struct announce announce;
    struct traffic_worker registry_traffic; /* of the control thread's HTTP */
    struct data_dir data;
    struct ports *ports;
    struct self self;
    char url[SELF_URL_BYTES];    /* as it was at the start */
    struct control *control;
    struct membership *membership;
    struct plugins *plugins;
    struct app *app;             /* NULL: none */
};

/* Tell what went wrong, and give the status back. */
static int fail(int status, const char *words)
{
    fprintf(stderr, "trouped: %s\n", words);
    return status;
}

/* ---- hooks of the core ---- */

static void wake(void *user, uint32_t worker)
{
    struct node *node = user;
    if (worker < node->workers)
        loop_wake(node->loops[worker]);
    else
        blocking_wake(node->blocking, worker - node->workers);
}

static void wake_control(void *user)
{
    control_wake(((struct node *)user)->control);
}

static int ask_http(void *user, troupe_outside who, const troupe_http *request)
{
    return http_out_ask(((struct node *)user)->http_out, who, request);
}

static void tell_named(void *user, troupe_view name, troupe_ref actor, bool taken)
{
    place_named(((struct node *)user)->env.place, name, actor, taken);
}

static uint64_t read_clock(void *user)
{
    (void)user;
    return clock_now_ns();
}

static void log_actor(void *user, enum troupe_log_level level, troupe_ref actor, const char *behavior,
                      const char *text)
{
    char ref[TROUPE_REF_TEXT_MAX];
    (void)user;
    troupe_ref_format(actor, ref);
    const struct log_field fields[] = {{"actor", ref}, {"behavior", behavior}, {NULL, NULL}};
    log_write(level, text, fields);
}

static void log_end(void *user, troupe_ref actor, const char *behavior, const troupe_exit *why)
{
    char ref[TROUPE_REF_TEXT_MAX], detail[TROUPE_REASON_BYTES_MAX + 1];
    (void)user;
    if (!troupe_exit_is_abnormal(why->cause) || why->cause == TROUPE_EXIT_KILLED)
        return; /* a kill has its audit line */
    size_t len = why->detail.len < sizeof detail ? why->detail.len : sizeof detail - 1;
    memcpy(detail, why->detail.len > 0 ? why->detail.ptr : "", len);
    detail[len] = '\0';
    troupe_ref_format(actor, ref);
    const struct log_field fields[] = {
        {"actor", ref}, {"behavior", behavior}, {"cause", troupe_exit_word(why->cause)},
        {"error", why->error != 0 ? troupe_error_lookup(why->error)->code : NULL},
        {"detail", len > 0 ? detail : NULL}, {NULL, NULL},
    };
    log_write(TROUPE_LOG_WARN, "an actor ended abnormally", fields);
}

static void tell_alarm(void *user, const troupe_alarm *alarm, bool is_set)
{
    alerts_on_alarm(&((struct node *)user)->env, alarm, is_set);
}

static void tell_dead_letter(void *user, troupe_ref to, troupe_ref from, const char *type, int error)
{
    alerts_on_dead_letter(&((struct node *)user)->env, to, from, type, error);
}

/* ---- start ---- */

static int start_core(struct node *node)
{
    uint64_t random[2] = {0, 0};
    if (!host_random(random, sizeof random) || random[0] == 0)
        return fail(CONFIG_EXIT_FAILED, "the kernel gives no random bits");
    troupe_system_config core = {
        .workers = node->workers, .blocking_workers = node->config->blocking_workers, .node = random[0],
        .seed = random[1], .memory_max = node->env.memory_max,
        .user = node, .wake = wake, .clock_ns = read_clock, .log = log_actor, .ended = log_end, .named = tell_named,
        .alarm = tell_alarm, .dead_letter = tell_dead_letter,
        .alarm_mailbox_percent = node->config->alarm_mailbox != 0 ? node->config->alarm_mailbox : TROUPE_ALARM_OFF,
        .alarm_turn_ms = node->config->alarm_turn_ms != 0 ? (uint32_t)node->config->alarm_turn_ms : TROUPE_ALARM_OFF,
        .http = ask_http,
    };
    if (troupe_system_new(&core, &node->system) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    const troupe_behavior *behavior;
    for (unsigned i = 0; (behavior = troupe_behaviors_at(i)) != NULL; i++) {
        char words[512];
        if (contract_install(node->system, behavior, clock_wall_ms(), words, sizeof words) != 0)
            return fail(CONFIG_EXIT_FAILED, words);
    }
    char words[1024];
    if (plugins_new(node->system, node->config->behaviors, &node->plugins, words, sizeof words) != 0)
        return fail(CONFIG_EXIT_USAGE, words);
    return CONFIG_EXIT_OK;
}

static int read_app(struct node *node)
{
    char words[1024];
    const struct app_config config = {
        .path = node->config->app, .system = node->system, .wake_control = wake_control, .user = node,
    };
    if (config.path == NULL || config.path[0] == '\0')
        return CONFIG_EXIT_OK;
    int status = app_new(&config, &node->app, words, sizeof words);
    return status == CONFIG_EXIT_OK ? status : fail(status, words);
}

static int bind_ports(struct node *node)
{
    char words[256];
    int status = ports_new(node->config, &node->ports, words, sizeof words);
    if (status != CONFIG_EXIT_OK)
        return fail(status, words);
    ports_set_wake(node->ports, wake_control, node);
    if (self_init(&node->self, node->config, node->system, clock_wall_ms()) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    self_set_ports(&node->self, node->config, ports_at(node->ports, PORTS_API), ports_at(node->ports, PORTS_PEER));
    memcpy(node->url, node->self.url, sizeof node->url);
    return CONFIG_EXIT_OK;
}

static void collect_traffic(void *user, struct api_traffic *ret_traffic)
{
    struct node *node = user;
    struct api_traffic sum = {0};
    for (unsigned i = 0; i < node->loops_count; i++) {
        const struct traffic_worker *worker = loop_traffic(node->loops[i]);
        for (unsigned class = 0; class < 6; class++)
            sum.requests[class] += traffic_read(&worker->requests[class]);
        for (unsigned reason = 0; reason < 16; reason++)
            sum.heads_refused[reason] += traffic_read(&worker->refused[reason]);
        sum.connections += loop_connections(node->loops[i]);
        sum.connections_opened += traffic_read(&worker->opened);
        sum.connections_swept += traffic_read(&worker->swept);
        sum.waiting += traffic_read(&worker->waiting);
        sum.sessions += traffic_read(&worker->sessions);
        sum.frames_in += traffic_read(&worker->frames_in);
        sum.frames_out += traffic_read(&worker->frames_out);
        sum.streams += traffic_read(&worker->streams);
        sum.events_out += traffic_read(&worker->events_out);
        sum.events_lagged += traffic_read(&worker->events_lagged);
    }
    for (unsigned class = 0; class < 6; class++)
        sum.requests[class] += traffic_read(&node->registry_traffic.requests[class]);
    sum.waiting += traffic_read(&node->registry_traffic.waiting);
    for (unsigned reason = 0; reason < 16; reason++)
        sum.heads_refused[reason] += traffic_read(&node->traffic.refused[reason]) +
                                     traffic_read(&node->registry_traffic.refused[reason]);
    sum.heads_timed_out = traffic_read(&node->traffic.timed_out);
    sum.heads_waiting = traffic_read(&node->traffic.heads_waiting);
    sum.connections_refused = traffic_read(&node->traffic.connections_refused);
    *ret_traffic = sum;
}

static int make_access(struct node *node)
{
    char words[512];
    const struct config *config = node->config;
    const struct access_config access = {
        .tokens_file = config->tokens_file, .address_rate = config->address_rate,
        .address_connections_max = config->address_connections_max,
    };
    if (access_new(&access, &node->env.access, words, sizeof words) != 0)
        return fail(CONFIG_EXIT_USAGE, words);
    return CONFIG_EXIT_OK;
}

static bool is_member_origin(void *user, troupe_view origin)
{
    return cluster_has_origin(user, origin);
}

/* What requests reach the cluster by. */
static int make_cluster(struct node *node)
{
    struct api_env *env = &node->env;
    if (troupe_topic_new(node->system, &env->events) != 0 || troupe_topic_new(node->system, &env->dead) != 0 ||
        cluster_new(troupe_system_home(node->system), env->events, &env->members) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    env->origins.is_member = is_member_origin;
    env->origins.user = env->members;
    const struct place_config place = {
        .system = node->system, .cluster = env->members, .asks = join_is_wanted(node->config->join),
        .wake_worker = wake, .wake_control = wake_control, .user = node,
    };
    if (place_new(&place, &env->place) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    cluster_set_drain(env->members, place_ask_drain, env->place);
    return CONFIG_EXIT_OK;
}

static int make_env(struct node *node)
{
    struct api_env *env = &node->env;
    const struct config *config = node->config;
    const char *advertised = config->advertise_api.host;
    troupe_home_format(troupe_system_home(node->system), env->node);
    env->system = node->system;
    env->version = TROUPE_VERSION;
    env->url = node->url;
    env->ports = node->ports;
    env->started_mono_ms = clock_now_ms();
    env->started_wall_ms = clock_wall_ms();
    env->body_max = (size_t)config->body_max;
    env->origins = (struct origin_rules){
        .hosts = config->allow_hosts, .origins = config->allow_origins,
        .advertised = advertised[0] != '\0' ? advertised : NULL,
    };
    env->health = &node->health;
    env->traffic = collect_traffic;
    env->traffic_user = node;
    node->http.bodies_bytes_max = env->memory_max / BODIES_SHARE;
    if (openapi_write(env->version, env->url, &env->openapi, &env->openapi_len) != 0 ||
        asyncapi_write(env->version, env->url, &env->asyncapi, &env->asyncapi_len) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    int status = make_access(node);
    return status == CONFIG_EXIT_OK ? make_cluster(node) : status;
}

static int make_loops(struct node *node)
{
    for (unsigned i = 0; i < node->workers; i++) {
        struct loop_config config = {
            .env = &node->env, .index = i, .shared = &node->http,
            .head_timeout_ms = node->config->head_timeout_ms, .idle_timeout_ms = node->config->idle_timeout_ms,
        };
        if (loop_new(&config, &node->loops[i]) != 0)
            return fail(CONFIG_EXIT_FAILED, "a worker could not be made: memory or descriptors are exhausted");
        node->loops_count++;
    }
    return CONFIG_EXIT_OK;
}

/* What actors reach that is not an actor. */
static int make_outside(struct node *node)
{
    const struct blocking_config blocking = {.system = node->system, .wake_control = wake_control, .user = node};
    const struct http_out_config http = {
        .system = node->system, .allow = node->config->allow_http, .wake_control = wake_control, .user = node,
    };
    if (blocking_new(&blocking, &node->blocking) != 0 || http_out_new(&http, &node->http_out) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    node->env.http_out = node->http_out;
    return CONFIG_EXIT_OK;
}

static int start_loops(struct node *node)
{
    for (unsigned i = 0; i < node->loops_count; i++) {
        if (loop_start(node->loops[i]) != 0)
            return fail(CONFIG_EXIT_FAILED, "a thread could not be made");
    }
    return CONFIG_EXIT_OK;
}

static int open_data(struct node *node)
{
    char words[512];
    if (data_dir_open(node->config->data_dir, &node->data, words, sizeof words) != 0)
        return fail(CONFIG_EXIT_DATA_DIR, words);
    return CONFIG_EXIT_OK;
}

static void set_limits(struct node *node)
{
    const struct config *config = node->config;
    node->workers = config->workers != 0 ? config->workers : host_cores();
    if (node->workers > TROUPE_WORKERS_MAX - config->blocking_workers)
        node->workers = TROUPE_WORKERS_MAX - config->blocking_workers;
    node->env.memory_max = config->memory_max != 0 ? config->memory_max : host_memory(config->memory_percent);
    node->env.connections_max = config->connections_max;
    if (host_raise_files((uint64_t)config->connections_max + FILES_BESIDE_CONNECTIONS, &node->files))
        return;
    node->env.connections_max = node->files > 2 * FILES_BESIDE_CONNECTIONS
                                    ? (unsigned)(node->files - FILES_BESIDE_CONNECTIONS)
                                    : (unsigned)(node->files / 2);
    log_printf(TROUPE_LOG_DEBUG, "the limit of open files is %llu, so connections are limited to %u",
               (unsigned long long)node->files, node->env.connections_max);
}

/* ---- hooks of the control thread ---- */

static int announce_node(void *user)
{
    struct node *node = user;
    char words[512], state[SELF_URL_BYTES + 32];
    node->announce = (struct announce){
        .version = TROUPE_VERSION, .cluster = node->env.cluster, .node = node->env.node, .url = node->self.url,
        .bound_url = node->self.bound_url, .peer = node->self.peer, .workers = node->workers,
        .join = join_is_wanted(node->config->join) ? node->config->join : NULL,
        .ports_file = node->config->ports_file,
    };
    if (!announce_write_file(&node->announce, words, sizeof words))
        return fail(CONFIG_EXIT_FAILED, words);
    if (!announce_print(&node->announce, node->config->announce_json))
        return fail(CONFIG_EXIT_FAILED, "standard output cannot be written");
    snprintf(state, sizeof state, "READY=1\nSTATUS=%s", node->self.url);
    host_notify(state);
    return CONFIG_EXIT_OK;
}

static void write_file_again(void *user)
{
    struct node *node = user;
    char words[512];
    if (!announce_write_file(&node->announce, words, sizeof words))
        log_printf(TROUPE_LOG_ERROR, "%s", words);
}

static bool load_behaviors_again(void *user)
{
    struct node *node = user;
    if (!plugins_are_wanted(node->plugins))
        return false;
    if (!plugins_reload(node->plugins))
        return true;
    if (self_set_behaviors(&node->self, node->system) == 0)
        membership_set_own(node->membership);
    else
        log_printf(TROUPE_LOG_ERROR, "memory is exhausted: the other nodes are not told of the new behaviors");
    return true;
}

static void forget_file(void *user)
{
    struct node *node = user;
    announce_remove_file(&node->announce);
}

static int make_control(struct node *node)
{
    char words[512];
    const struct control_config control = {
        .env = &node->env, .config = node->config, .health = &node->health, .ports = node->ports, .self = &node->self,
        .loops = node->loops, .loops_count = node->loops_count, .blocking = node->blocking,
        .http_out = node->http_out, .app = node->app, .shared = &node->http, .traffic = &node->traffic,
        .requests = &node->registry_traffic, .user = node, .up = announce_node, .moved = write_file_again,
        .leave = forget_file, .hangup = load_behaviors_again,
    };
    if (control_new(&control, &node->control) != 0)
        return fail(CONFIG_EXIT_FAILED, "the control thread could not start: memory or descriptors are exhausted");
    const struct membership_config membership = {
        .config = node->config, .system = node->system, .self = &node->self, .cluster = node->env.members,
        .place = node->env.place, .data = &node->data, .cluster_id = node->env.cluster,
        .is_loopback = config_is_loopback(ports_at(node->ports, PORTS_API)->host), .user = node->control,
        .on_up = control_on_up, .on_drain = control_on_drain, .on_failed = control_on_failed,
    };
    int status = membership_new(&membership, &node->membership, words, sizeof words);
    if (status != CONFIG_EXIT_OK)
        return fail(status, words);
    node->env.registry = membership_service(node->membership);
    return CONFIG_EXIT_OK;
}

static int run(struct node *node)
{
    return control_run(node->control, node->membership);
}

/* State: half-built is fine. Loops whose threads run are told to end first. */
static void fini(struct node *node)
{
    announce_remove_file(&node->announce);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_send_stop(node->loops[i], 0);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_join(node->loops[i]);
    if (node->blocking != NULL)
        blocking_stop(node->blocking);
    blocking_join(node->blocking);
    membership_free(node->membership);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_free(node->loops[i]);
    control_free(node->control);
    cluster_free(node->env.members);
    if (node->env.events != NULL)
        troupe_topic_drop(node->env.events);
    if (node->env.dead != NULL)
        troupe_topic_drop(node->env.dead);
    node->env.events = node->env.dead = NULL; /* what the end of the system has to tell is told to nobody */
    if (node->system != NULL) {
        contract_free_all(node->system);
        troupe_system_free(node->system);
    }
    blocking_free(node->blocking);
    http_out_free(node->http_out);
    plugins_free(node->plugins);
    place_free(node->env.place);
    app_free(node->app); /* what the place had under way may have been its start */
    access_free(node->env.access);
    free(node->env.openapi);
    free(node->env.asyncapi);
    self_fini(&node->self);
    ports_free(node->ports);
    data_dir_close(&node->data);
}

int node_run(const struct config *config)
{
    static int (*const steps[])(struct node *) = {
        open_data, start_core, read_app, bind_ports, make_env, make_loops, make_outside, make_control, start_loops, run,
    };
    struct node *node = calloc(1, sizeof *node);
    int status = CONFIG_EXIT_OK;
    if (node == NULL)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    node->config = config;
    node->data.dir_fd = node->data.lock_fd = -1;
    control_block_signals();
    set_limits(node);
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0] && status == CONFIG_EXIT_OK; i++)
        status = steps[i](node);
    fini(node);
    free(node);
    return status;
}
