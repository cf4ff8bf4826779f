/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <argp.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/limits.h>

#include "api/origin.h"
#include "base/units.h"
#include "base/utf8_text.h"
#include "http_rule.h"

enum { CHOICES_MAX = 4, FLAG_BYTES_MAX = 32, BLOCKING_MAX = 32 };

#define HOST_CHARS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_[]:"
#define LABEL_CHARS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_/"
#define HOUR_MS (3600ull * 1000)

/* How a setting is written. Those after FLAG take no value and have no environment variable. */
enum kind {
    ADDRESS = 1, ADVERTISE, NUMBER, DURATION, SIZE, MEMORY, PATH, REGISTRY, HOSTS, ORIGINS, LABELS, PATHS, URLS, CHOICE,
    FLAG, ACTION
};

struct setting {
    const char *flag;
    const char *arg;             /* the word for the value in --help */
    const char *help;
    enum kind kind;
    size_t offset;               /* in struct config */
    uint64_t min, max;
    const char *choices[CHOICES_MAX + 1];
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"listen-api", "ADDR:PORT", "where to serve the API; port 0 takes a free one (127.0.0.1:0)", ADDRESS,
     AT(listen_api), 0, 0, {NULL}},
    {"listen-peer", "ADDR:PORT", "where to hear other nodes; port 0 takes a free one (the API's address, port 0)",
     ADDRESS, AT(listen_peer), 0, 0, {NULL}},
    {"join", "URL", "the cluster to join: the URL of its registry, or file: and the path of a node's ports file "
     "(none: this node begins one)", REGISTRY, AT(join), 0, 0, {NULL}},
    {"secret-file", "FILE", "what only the nodes of the cluster know, 16 to 256 bytes (made by itself on loopback)",
     PATH, AT(secret_file), 0, 0, {NULL}},
    {"tokens", "FILE", "who may do what; see troupe token (none: whoever reaches the port, everything)", PATH,
     AT(tokens_file), 0, 0, {NULL}},
    {"behavior", "FILE", "a shared object with behaviors of your own, or a directory of them; may be given again",
     PATHS, AT(behaviors), 0, 0, {NULL}},
    {"app", "FILE", "an actor to start before the node is ready, most often a supervisor: a JSON file as the body of "
     "POST /v1/actors (none)", PATH, AT(app), 0, 0, {NULL}},
    {"label", "KEY=VALUE", "a word about this node for the others; may be given again", LABELS, AT(labels), 0, 0,
     {NULL}},
    {"lease", "TIME", "a node that is silent for so long is down; the registry's counts (10s)", DURATION, AT(lease_ms),
     500, HOUR_MS, {NULL}},
    {"workers", "N", "threads that run actors; 0 is one per core (0)", NUMBER, AT(workers), 0, TROUPE_WORKERS_MAX,
     {NULL}},
    {"blocking-workers", "N", "threads for behaviors that may block, made when they are needed; 0 runs those on the "
     "workers (4)", NUMBER, AT(blocking_workers), 0, BLOCKING_MAX, {NULL}},
    {"allow-http", "URL", "behaviors may make requests to this URL and to those below it; may be given again (none)",
     URLS, AT(allow_http), 0, 0, {NULL}},
    {"announce", "FORM", "how to tell on standard output that the node is ready: human or json (human)", CHOICE,
     AT(announce_json), 0, 0, {"human", "json", NULL}},
    {"ports-file", "FILE", "where to write the real ports ($XDG_RUNTIME_DIR/troupe/PID.ports.json)", PATH,
     AT(ports_file), 0, 0, {NULL}},
    {"data-dir", "DIR", "a directory for what lasts; made if missing, locked while the node runs (none)", PATH,
     AT(data_dir), 0, 0, {NULL}},
    {"memory-max", "SIZE|PCT", "memory for messages, actors and their state (75%)", MEMORY, AT(memory_max), 1, 0,
     {NULL}},
    {"connections-max", "N", "connections at once (65536)", NUMBER, AT(connections_max), 1, 1000000, {NULL}},
    {"address-connections-max", "N", "connections at once from one address, loopback aside; 0 is no limit (0)", NUMBER,
     AT(address_connections_max), 0, 1000000, {NULL}},
    {"address-rate", "N", "requests a second from one address, loopback aside; 0 is no limit (0)", NUMBER,
     AT(address_rate), 0, 1000000, {NULL}},
    {"body-max", "SIZE", "the largest body of a request (1M)", SIZE, AT(body_max), 1, TROUPE_BODY_BYTES_MAX, {NULL}},
    {"head-timeout", "TIME", "how long a request head may take (10s)", DURATION, AT(head_timeout_ms), 10, HOUR_MS,
     {NULL}},
    {"idle-timeout", "TIME", "how long a connection may be silent (60s)", DURATION, AT(idle_timeout_ms), 1000, HOUR_MS,
     {NULL}},
    {"allow-host", "HOST", "a name that the Host header may have; may be given again", HOSTS, AT(allow_hosts), 0, 0,
     {NULL}},
    {"allow-origin", "ORIGIN", "pages of this origin may use the API; may be given again", ORIGINS, AT(allow_origins),
     0, 0, {NULL}},
    {"advertise", "HOST[:PORT]", "the address of the API to tell others (as bound)", ADVERTISE, AT(advertise_api), 0,
     0, {NULL}},
    {"advertise-peer", "HOST[:PORT]", "the address of the peer port to tell other nodes (as bound)", ADVERTISE,
     AT(advertise_peer), 0, 0, {NULL}},
    {"stuck-turn-max", "TIME", "end the node, with status 70, when a turn lasts longer (60s)", DURATION,
     AT(stuck_turn_max_ms), 100, 24 * HOUR_MS, {NULL}},
    {"alarm-mailbox", "PERCENT", "an alarm is set when a mailbox is so full; 0: never (80)", NUMBER, AT(alarm_mailbox),
     0, 100, {NULL}},
    {"alarm-turn", "TIME", "an alarm is set when a turn lasts as long; 0ms: never (100ms)", DURATION,
     AT(alarm_turn_ms), 0, HOUR_MS, {NULL}},
    {"drain-timeout", "TIME", "how long SIGTERM waits for the actors (10s)", DURATION, AT(drain_timeout_ms), 1,
     HOUR_MS, {NULL}},
    {"log", "FORM", "the form of the log on standard error: human, json or auto (auto)", CHOICE, AT(log_format), 0, 0,
     {"auto", "human", "json", NULL}},
    {"log-level", "LEVEL", "the least that is logged: debug, info, warn or error (info)", CHOICE, AT(log_level), 0, 0,
     {"debug", "info", "warn", "error", NULL}},
    {"insecure", NULL, "serve other machines although there are no tokens", FLAG, AT(insecure), 0, 0, {NULL}},
    {"check-config", NULL, "check the settings and leave", ACTION, AT(check_only), 0, 0, {NULL}},
    {"print-config", NULL, "print the settings and leave", ACTION, AT(print_only), 0, 0, {NULL}},
};

enum { SETTINGS = sizeof settings / sizeof settings[0], KEY_BASE = 0x100 };

/* ---- values: each returns NULL, or what the value must be ---- */

static void set_host(struct config_address *address, troupe_view host, uint64_t port)
{
    if (host.len > 1 && host.ptr[0] == '[')
        host = (troupe_view){host.ptr + 1, host.len - 2};
    memcpy(address->host, host.ptr, host.len);
    address->host[host.len] = '\0';
    address->port = (unsigned)port;
}

static const char *set_address(struct config_address *address, const char *value)
{
    troupe_view host, port;
    uint64_t number = 0;
    if (!origin_split(troupe_view_of(value), &host, &port) || !origin_is_ip(host) || port.len == 0 ||
        host.len >= sizeof address->host || units_parse_u64(port, 65535, &number) != 0)
        return "an IP address and a port, such as 127.0.0.1:0 or [::1]:8080";
    set_host(address, host, number);
    return NULL;
}

static const char *set_advertise(struct config_address *address, const char *value)
{
    troupe_view host, port;
    uint64_t number = 0;
    if (value[0] == '\0') {
        *address = (struct config_address){.port = 0};
        return NULL;
    }
    if (!origin_split(troupe_view_of(value), &host, &port) || host.len >= sizeof address->host ||
        value[strspn(value, HOST_CHARS)] != '\0' ||
        (port.len > 0 && (units_parse_u64(port, 65535, &number) != 0 || number == 0)))
        return "a host name or address, perhaps with a port, or empty for the address that is bound";
    set_host(address, host, number);
    return NULL;
}

/* "http://host:port", perhaps with a last slash; "file:" and a path; or nothing. */
static const char *set_registry(const char **registry, const char *value)
{
    static const char http[] = "http://";
    troupe_view host, port;
    uint64_t number = 0;
    size_t len = strlen(value);
    *registry = value;
    if (len == 0 || (strncmp(value, "file:", 5) == 0 && len > 5 && len < 1024))
        return NULL;
    if (strncmp(value, http, sizeof http - 1) != 0 || len > 512)
        return "the URL that a node has announced, such as http://127.0.0.1:41873, or file: and the path of its ports "
               "file";
    troupe_view rest = {value + sizeof http - 1, len - (sizeof http - 1)};
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    if (!origin_split(rest, &host, &port) || host.len == 0 || memchr(rest.ptr, '/', rest.len) != NULL ||
        (port.len > 0 && (units_parse_u64(port, 65535, &number) != 0 || number == 0)))
        return "an URL of host and port alone, such as http://127.0.0.1:41873";
    return NULL;
}

static bool is_label(const char *value)
{
    size_t key_len = strspn(value, LABEL_CHARS), len = strlen(value);
    if (key_len == 0 || key_len > 63 || value[key_len] != '=' || len - key_len - 1 > 255)
        return false;
    return utf8_is_clean(value + key_len + 1, len - key_len - 1);
}

static const char *set_memory(struct config *config, const char *value)
{
    uint64_t number;
    size_t len = strlen(value);
    if (len > 1 && value[len - 1] == '%') {
        if (units_parse_u64((troupe_view){value, len - 1}, 100, &number) != 0 || number == 0)
            return "a size, such as 512M, or a share from 1% to 100%";
        config->memory_percent = (unsigned)number;
        config->memory_max = 0;
        return NULL;
    }
    if (units_parse_size(troupe_view_of(value), 1ull << 50, &number) != 0 || number < (1u << 20))
        return "a size of at least 1M, such as 512M, or a share such as 75%";
    config->memory_max = number;
    return NULL;
}

/* Values of lists stay where argv or the environment has them; commas separate in the environment too. */
static const char *add_to_list(const char **list, enum kind kind, const char *value)
{
    unsigned count = 0;
    while (list[count] != NULL)
        count++;
    if (count == CONFIG_LIST_MAX)
        return "given at most 64 times";
    troupe_view host, port;
    if (kind == ORIGINS && !origin_is_valid(troupe_view_of(value)))
        return "an origin, such as https://app.example.com";
    if (kind == HOSTS && (!origin_split(troupe_view_of(value), &host, &port) || port.len > 0))
        return "a host name without port";
    struct http_rule rule;
    if (kind == URLS && !http_rule_parse(value, &rule))
        return "a URL, such as https://api.example.com/v1/, with no ? and no #";
    if (kind == PATHS && (value[0] == '\0' || strlen(value) > 1024))
        return "the path of a shared object or of a directory";
    if (kind == LABELS && !is_label(value))
        return "a key, = and a value, such as zone=a; a key has at most 63 of A-Z a-z 0-9 . - _ /, a value 255 bytes";
    list[count] = value;
    return NULL;
}

static const char *set_list(const char **list, enum kind kind, const char *value)
{
    if (value[strspn(value, ",")] == '\0')
        return NULL; /* nothing is in it */
    char *copy = strdup(value); /* lives as long as the process */
    const char *wrong = copy == NULL ? "shorter: memory is exhausted" : NULL;
    for (char *save, *part = copy != NULL ? strtok_r(copy, ",", &save) : NULL; part != NULL && wrong == NULL;
         part = strtok_r(NULL, ",", &save))
        wrong = add_to_list(list, kind, part);
    if (wrong != NULL)
        free(copy);
    return wrong;
}

static const char *set_choice(const struct setting *setting, void *dst, const char *value)
{
    static const char *const wanted[] = {"human or json", "auto, human or json", "debug, info, warn or error"};
    for (unsigned i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(value, setting->choices[i]) != 0)
            continue;
        if (setting->offset == AT(announce_json))
            *(bool *)dst = i == 1;
        else
            *(unsigned *)dst = i;
        return NULL;
    }
    return setting->offset == AT(announce_json) ? wanted[0] : setting->offset == AT(log_format) ? wanted[1] : wanted[2];
}

static const char *set_number(const struct setting *setting, void *dst, const char *value)
{
    static char wanted[96];
    uint64_t number = 0;
    troupe_view text = troupe_view_of(value);
    int error = setting->kind == NUMBER     ? units_parse_u64(text, setting->max, &number)
                : setting->kind == DURATION ? units_parse_duration(text, setting->max, &number)
                                            : units_parse_size(text, setting->max, &number);
    if (error != 0 && setting->kind == DURATION) {
        error = units_parse_u64(text, setting->max / 1000, &number); /* a bare number is seconds */
        number *= 1000;
    }
    if (error == 0 && number >= setting->min) {
        if (setting->kind == NUMBER)
            *(unsigned *)dst = (unsigned)number;
        else
            *(uint64_t *)dst = number;
        return NULL;
    }
    const char *unit = setting->kind == DURATION ? "ms" : "";
    snprintf(wanted, sizeof wanted, "%s from %llu%s to %llu%s",
             setting->kind == NUMBER ? "a number" : setting->kind == DURATION ? "a time such as 500ms, 5s or 2m,"
                                                                              : "a size such as 64K or 1M,",
             (unsigned long long)setting->min, unit, (unsigned long long)setting->max, unit);
    return wanted;
}

static const char *set(struct config *config, const struct setting *setting, const char *value)
{
    void *dst = (char *)config + setting->offset;
    switch (setting->kind) {
    case ADDRESS:   return set_address(dst, value);
    case ADVERTISE: return set_advertise(dst, value);
    case REGISTRY:  return set_registry(dst, value);
    case MEMORY:    return set_memory(config, value);
    case HOSTS:
    case ORIGINS:
    case URLS:
    case LABELS:
    case PATHS:     return set_list(dst, setting->kind, value);
    case CHOICE:    return set_choice(setting, dst, value);
    case PATH:      *(const char **)dst = value; return NULL;
    case FLAG:
    case ACTION:    *(bool *)dst = true; return NULL;
    default:        return set_number(setting, dst, value);
    }
}

/* ---- sources ---- */

static void env_name(const struct setting *setting, char name[static FLAG_BYTES_MAX])
{
    size_t len = (size_t)snprintf(name, FLAG_BYTES_MAX, "TROUPE_%s", setting->flag);
    for (size_t i = 0; i < len; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
}

static void fail(const char *what, const char *value, const char *wanted)
{
    fprintf(stderr, "trouped: %s: '%s' is not right; it must be %s\n", what, value, wanted);
    exit(CONFIG_EXIT_USAGE);
}

static void read_environment(struct config *config)
{
    char name[FLAG_BYTES_MAX];
    for (unsigned i = 0; i < SETTINGS; i++) {
        if (settings[i].kind == ACTION)
            continue;
        env_name(&settings[i], name);
        const char *value = getenv(name);
        if (value == NULL || (settings[i].kind == FLAG && strcmp(value, "0") == 0))
            continue;
        const char *wanted = settings[i].kind == FLAG && strcmp(value, "1") != 0 ? "0 or 1"
                                                                                 : set(config, &settings[i], value);
        if (wanted != NULL)
            fail(name, value, wanted);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is not expected: all settings are flags", arg);
    if (key < KEY_BASE || key >= KEY_BASE + SETTINGS)
        return ARGP_ERR_UNKNOWN;
    const struct setting *setting = &settings[key - KEY_BASE];
    struct config *config = state->input;
    char flag[FLAG_BYTES_MAX];
    snprintf(flag, sizeof flag, "--%s", setting->flag);
    const char *wanted = set(config, setting, arg);
    if (wanted != NULL)
        fail(flag, arg, wanted);
    return 0;
}

bool config_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void set_defaults(struct config *config)
{
    *config = (struct config){
        .listen_api = {"127.0.0.1", 0}, .blocking_workers = 4, .lease_ms = 10000, .memory_percent = 75,
        .connections_max = 65536,
        .body_max = 1u << 20,
        .head_timeout_ms = 10000, .idle_timeout_ms = 60000, .drain_timeout_ms = 10000, .stuck_turn_max_ms = 60000,
        .alarm_mailbox = TROUPE_ALARM_MAILBOX_PERCENT_DEFAULT, .alarm_turn_ms = TROUPE_ALARM_TURN_MS_DEFAULT,
        .log_level = TROUPE_LOG_INFO,
    };
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "trouped %s\n", TROUPE_VERSION);
}

bool config_is_guarded(const struct config *config)
{
    return config->insecure || (config->tokens_file != NULL && config->tokens_file[0] != '\0');
}

/* What is wrong only beside something else. */
static void check_together(struct config *config)
{
    const char *host = config->listen_api.host;
    if (config->listen_peer.host[0] == '\0')
        memcpy(config->listen_peer.host, host, sizeof config->listen_peer.host);
    if (config->workers > TROUPE_WORKERS_MAX - config->blocking_workers) {
        fprintf(stderr, "trouped: --workers: %u and --blocking-workers %u are more than %u threads; ask for fewer\n",
                config->workers, config->blocking_workers, TROUPE_WORKERS_MAX);
        exit(CONFIG_EXIT_USAGE);
    }
    if (config_is_loopback(host) || config_is_guarded(config))
        return;
    fprintf(stderr, "trouped: --listen-api: %s can be reached by other machines, and there are no tokens; listen on "
                    "127.0.0.1, say who may come in with --tokens, or add --insecure if the network is yours alone\n",
            host);
    exit(CONFIG_EXIT_USAGE);
}

void config_parse(struct config *config, int argc, char **argv)
{
    struct argp_option options[SETTINGS + 1] = {0};
    for (unsigned i = 0; i < SETTINGS; i++)
        options[i] = (struct argp_option){.name = settings[i].flag, .key = (int)(KEY_BASE + i),
                                          .arg = settings[i].arg, .doc = settings[i].help};
    const struct argp argp = {
        .options = options, .parser = parse_option,
        .doc = "Serve actors by HTTP and WebSocket.\v"
               "Each flag with a value can also be set in the environment, as TROUPE_LISTEN_API for --listen-api. "
               "SIGTERM drains the node, SIGINT ends it at once but cleanly. See trouped(1).",
    };
    argp_err_exit_status = CONFIG_EXIT_USAGE;
    argp_program_version_hook = print_version;
    set_defaults(config);
    read_environment(config);
    if (argp_parse(&argp, argc, argv, 0, NULL, config) != 0)
        exit(CONFIG_EXIT_USAGE);
    check_together(config);
}

/* ---- print ---- */

static void print_list(const char *flag, const char *const *list)
{
    printf("%s =", flag);
    for (unsigned i = 0; list[i] != NULL; i++)
        printf("%s%s", i > 0 ? "," : " ", list[i]);
    printf("\n");
}

static void print_listen(const char *flag, const struct config_address *address)
{
    printf(strchr(address->host, ':') != NULL ? "%s = [%s]:%u\n" : "%s = %s:%u\n", flag, address->host, address->port);
}

static void print_advertise(const char *flag, const struct config_address *address)
{
    bool needs_brackets = strchr(address->host, ':') != NULL;
    printf("%s =%s%s%s%s", flag, address->host[0] != '\0' ? " " : "", needs_brackets ? "[" : "", address->host,
           needs_brackets ? "]" : "");
    if (address->port != 0)
        printf(":%u", address->port);
    printf("\n");
}

static void print_setting(const struct config *config, const struct setting *setting)
{
    const void *src = (const char *)config + setting->offset;
    const char *text = NULL;
    switch (setting->kind) {
    case ADDRESS:   print_listen(setting->flag, src); return;
    case ADVERTISE: print_advertise(setting->flag, src); return;
    case HOSTS:
    case ORIGINS:
    case URLS:
    case LABELS:
    case PATHS:     print_list(setting->flag, src); return;
    case PATH:
    case REGISTRY:
        text = *(const char *const *)src;
        if (text == NULL && setting->offset == AT(ports_file))
            return; /* an empty name means nowhere, and nothing names the default place */
        break;
    case NUMBER:    printf("%s = %u\n", setting->flag, *(const unsigned *)src); return;
    case DURATION:  printf("%s = %llums\n", setting->flag, (unsigned long long)*(const uint64_t *)src); return;
    case SIZE:      printf("%s = %llu\n", setting->flag, (unsigned long long)*(const uint64_t *)src); return;
    case FLAG:      text = *(const bool *)src ? "1" : "0"; break;
    case ACTION:    return;
    case CHOICE:
        text = setting->choices[setting->offset == AT(announce_json) ? (unsigned)config->announce_json
                                                                     : *(const unsigned *)src];
        break;
    case MEMORY:
        if (config->memory_max == 0)
            printf("%s = %u%%\n", setting->flag, config->memory_percent);
        else
            printf("%s = %llu\n", setting->flag, (unsigned long long)config->memory_max);
        return;
    }
    printf("%s =%s%s\n", setting->flag, text != NULL && text[0] != '\0' ? " " : "", text != NULL ? text : "");
}

void config_print(const struct config *config)
{
    for (unsigned i = 0; i < SETTINGS; i++)
        print_setting(config, &settings[i]);
}
