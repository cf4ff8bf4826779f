/* SPDX-License-Identifier: Apache-2.0
 *
 * Start: data directory, descriptors, core, socket (bind, listen, getsockname), loops, announcement, control.
 * Stop, in reverse, by control.c: actors, socket, loops; then here: what is left is freed and the ports file removed.
 *
 * Everything a node has hangs on struct node, and fini of a half-built one is legal. */
#include "node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <troupe/behaviors.h>

#include "announce.h"
#include "api/openapi.h"
#include "base/clock.h"
#include "data_dir.h"
#include "host.h"
#include "io/control.h"

enum { BACKLOG = 4096, FILES_BESIDE_CONNECTIONS = 256, BODIES_SHARE = 4, URL_BYTES = 320 };

struct node {
    const struct config *config;
    uint64_t files;              /* descriptors that may be open */
    unsigned workers;
    troupe_system *system;
    struct loop *loops[TROUPE_WORKERS_MAX];
    unsigned loops_count;
    struct http_shared http;
    struct traffic_control traffic;
    struct api_health health;
    struct api_env env;
    struct announce announce;
    char url[URL_BYTES], bound_url[URL_BYTES];
    char bound_host[INET6_ADDRSTRLEN];
    int listen_fd, data_fd;
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
    loop_wake(node->loops[worker]);
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

/* ---- start ---- */

static int start_core(struct node *node)
{
    uint64_t random[2] = {0, 0};
    if (!host_random(random, sizeof random) || random[0] == 0)
        return fail(CONFIG_EXIT_FAILED, "the kernel gives no random bits");
    troupe_system_config core = {
        .workers = node->workers, .node = random[0], .seed = random[1], .memory_max = node->env.memory_max,
        .user = node, .wake = wake, .clock_ns = read_clock, .log = log_actor, .ended = log_end,
    };
    if (troupe_system_new(&core, &node->system) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    const troupe_behavior *behavior;
    for (unsigned i = 0; (behavior = troupe_behaviors_at(i)) != NULL; i++) {
        if (troupe_system_add_behavior(node->system, behavior) != 0)
            return fail(CONFIG_EXIT_FAILED, "a standard behavior was not taken");
    }
    return CONFIG_EXIT_OK;
}

static int fail_bind(const struct node *node, const char *what)
{
    char words[256];
    const char *remedy = errno == EADDRINUSE      ? "stop what uses the port, or take port 0 for a free one"
                         : errno == EACCES        ? "take a port from 1024 up, or 0 for a free one"
                         : errno == EADDRNOTAVAIL ? "take an address of this machine"
                                                  : "take another address";
    snprintf(words, sizeof words, "--listen-api: cannot %s %s port %u: %s; %s", what, node->config->listen_host,
             node->config->listen_port, strerror(errno), remedy);
    return fail(CONFIG_EXIT_BIND, words);
}

static int bind_api(struct node *node)
{
    const struct config *config = node->config;
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
    const int on = 1, off = 0;
    bool is_v6 = strchr(config->listen_host, ':') != NULL;
    socklen_t len = is_v6 ? sizeof *v6 : sizeof *v4;
    address.ss_family = is_v6 ? AF_INET6 : AF_INET;
    (void)inet_pton(address.ss_family, config->listen_host, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr);
    if (is_v6)
        v6->sin6_port = htons((uint16_t)config->listen_port);
    else
        v4->sin_port = htons((uint16_t)config->listen_port);
    node->listen_fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (node->listen_fd < 0)
        return fail_bind(node, "make a socket for");
    /* SO_REUSEADDR lets a port be taken again whose old connections linger; a port in use is still refused. */
    (void)setsockopt(node->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_v6)
        (void)setsockopt(node->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(node->listen_fd, (struct sockaddr *)&address, len) != 0)
        return fail_bind(node, "bind");
    if (listen(node->listen_fd, BACKLOG) != 0)
        return fail_bind(node, "listen on");
    len = sizeof address;
    if (getsockname(node->listen_fd, (struct sockaddr *)&address, &len) != 0)
        return fail_bind(node, "read back");
    node->env.port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    (void)inet_ntop(address.ss_family, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr, node->bound_host,
                    sizeof node->bound_host);
    return CONFIG_EXIT_OK;
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void make_url(char url[static URL_BYTES], const char *host, unsigned port)
{
    bool needs_brackets = strchr(host, ':') != NULL && host[0] != '[';
    snprintf(url, URL_BYTES, needs_brackets ? "http://[%s]:%u" : "http://%s:%u", host, port);
}

/* What is bound, as this machine reaches it (who binds every address is reached by loopback); and what others are told:
 * --advertise, else the same. */
static void make_urls(struct node *node)
{
    const struct config *config = node->config;
    const char *bound = node->bound_host;
    if (is_any(bound))
        bound = strchr(bound, ':') != NULL ? "::1" : "127.0.0.1";
    make_url(node->bound_url, bound, node->env.port);
    make_url(node->url, config->advertise_host[0] != '\0' ? config->advertise_host : bound,
             config->advertise_port != 0 ? config->advertise_port : node->env.port);
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
    }
    for (unsigned reason = 0; reason < 16; reason++)
        sum.heads_refused[reason] += traffic_read(&node->traffic.refused[reason]);
    sum.heads_timed_out = traffic_read(&node->traffic.timed_out);
    sum.heads_waiting = traffic_read(&node->traffic.heads_waiting);
    sum.connections_refused = traffic_read(&node->traffic.connections_refused);
    *ret_traffic = sum;
}

static int make_env(struct node *node)
{
    struct api_env *env = &node->env;
    const struct config *config = node->config;
    make_urls(node);
    troupe_home_format(troupe_system_home(node->system), env->node);
    env->system = node->system;
    env->version = TROUPE_VERSION;
    env->url = node->url;
    env->host = node->bound_host;
    env->started_mono_ms = clock_now_ms();
    env->started_wall_ms = clock_wall_ms();
    env->body_max = (size_t)config->body_max;
    env->origins = (struct origin_rules){
        .hosts = config->allow_hosts, .origins = config->allow_origins,
        .advertised = config->advertise_host[0] != '\0' ? config->advertise_host : NULL,
    };
    env->health = &node->health;
    env->traffic = collect_traffic;
    env->traffic_user = node;
    node->http.bodies_bytes_max = env->memory_max / BODIES_SHARE;
    if (openapi_write(env->version, env->url, &env->openapi, &env->openapi_len) != 0)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    return CONFIG_EXIT_OK;
}

static int start_loops(struct node *node)
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
    for (unsigned i = 0; i < node->loops_count; i++) {
        if (loop_start(node->loops[i]) != 0)
            return fail(CONFIG_EXIT_FAILED, "a thread could not be made");
    }
    return CONFIG_EXIT_OK;
}

/* The cluster id of a node that has no data directory is made at each start. */
static int open_data(struct node *node)
{
    char words[512], home[TROUPE_HOME_TEXT_MAX];
    uint64_t random;
    if (!host_random(&random, sizeof random))
        return fail(CONFIG_EXIT_FAILED, "the kernel gives no random bits");
    troupe_home_format((troupe_home){.low = random | 1}, home);
    snprintf(node->env.cluster, DATA_DIR_CLUSTER_BYTES, "c.%.13s", home + 2);
    if (node->config->data_dir == NULL || node->config->data_dir[0] == '\0')
        return CONFIG_EXIT_OK;
    node->data_fd = data_dir_open(node->config->data_dir, node->env.cluster, words, sizeof words);
    return node->data_fd >= 0 ? CONFIG_EXIT_OK : fail(CONFIG_EXIT_DATA_DIR, words);
}

static void set_limits(struct node *node)
{
    const struct config *config = node->config;
    node->workers = config->workers != 0 ? config->workers : host_cores();
    if (node->workers > TROUPE_WORKERS_MAX)
        node->workers = TROUPE_WORKERS_MAX;
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

static int announce_node(struct node *node)
{
    char words[512];
    node->announce.version = TROUPE_VERSION;
    node->announce.cluster = node->env.cluster;
    node->announce.node = node->env.node;
    node->announce.url = node->url;
    node->announce.bound_url = node->bound_url;
    node->announce.workers = node->workers;
    node->announce.ports_file = node->config->ports_file;
    if (!announce_write_file(&node->announce, words, sizeof words))
        return fail(CONFIG_EXIT_FAILED, words);
    atomic_store_explicit(&node->health.phase, API_UP, memory_order_relaxed);
    if (!announce_print(&node->announce, node->config->announce_json))
        return fail(CONFIG_EXIT_FAILED, "standard output cannot be written");
    host_notify("READY=1");
    return CONFIG_EXIT_OK;
}

static void forget_file(void *user)
{
    struct node *node = user;
    announce_remove_file(&node->announce);
}

static int run(struct node *node)
{
    struct control_config control = {
        .env = &node->env, .health = &node->health, .listen_fd = node->listen_fd, .loops = node->loops,
        .loops_count = node->loops_count, .traffic = &node->traffic,
        .head_timeout_ms = node->config->head_timeout_ms, .drain_timeout_ms = node->config->drain_timeout_ms,
        .stuck_turn_max_ms = node->config->stuck_turn_max_ms, .leave = forget_file, .user = node,
    };
    if (control_run(&control) != 0)
        return fail(CONFIG_EXIT_FAILED, "the control thread could not start: memory or descriptors are exhausted");
    node->listen_fd = -1;
    return CONFIG_EXIT_OK;
}

/* State: half-built is fine. Loops whose threads run are told to end first. */
static void fini(struct node *node)
{
    announce_remove_file(&node->announce);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_send_stop(node->loops[i], 0);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_join(node->loops[i]);
    for (unsigned i = 0; i < node->loops_count; i++)
        loop_free(node->loops[i]);
    if (node->system != NULL)
        troupe_system_free(node->system);
    free(node->env.openapi);
    if (node->listen_fd >= 0)
        close(node->listen_fd);
    if (node->data_fd >= 0)
        close(node->data_fd);
}

int node_run(const struct config *config)
{
    static int (*const steps[])(struct node *) = {
        open_data, start_core, bind_api, make_env, start_loops, announce_node, run,
    };
    struct node *node = calloc(1, sizeof *node);
    int status = CONFIG_EXIT_OK;
    if (node == NULL)
        return fail(CONFIG_EXIT_FAILED, "memory is exhausted");
    node->config = config;
    node->listen_fd = node->data_fd = -1;
    control_block_signals();
    set_limits(node);
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0] && status == CONFIG_EXIT_OK; i++)
        status = steps[i](node);
    fini(node);
    free(node);
    return status;
}
