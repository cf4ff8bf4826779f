/* SPDX-License-Identifier: Apache-2.0
 *
 * What the node is told: defaults, then TROUPE_... of the environment, then flags. One table makes --help, parsing,
 * environment and --print-config, so they cannot disagree.
 *
 * Thread: before threads are made. */
#ifndef TROUPE_SERVER_CONFIG_H
#define TROUPE_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* Exit codes; they are documented in trouped(1). */
enum config_exit {
    CONFIG_EXIT_OK = 0,
    CONFIG_EXIT_FAILED = 1,
    CONFIG_EXIT_USAGE = 2,
    CONFIG_EXIT_BIND = 3,
    CONFIG_EXIT_DATA_DIR = 4,
    CONFIG_EXIT_JOIN = 5,
    CONFIG_EXIT_APP = 6,
    CONFIG_EXIT_STUCK = 70,
    CONFIG_EXIT_NOT_MEMBER = 71
};

enum { CONFIG_LIST_MAX = 64, CONFIG_HOST_BYTES = 256 };

struct config_address {
    char host[CONFIG_HOST_BYTES]; /* without brackets; "": not given */
    unsigned port;                /* 0: any free one, or as bound */
};

struct config {
    struct config_address listen_api, listen_peer;       /* IP addresses; no host for the peer port: as the API's */
    struct config_address advertise_api, advertise_peer; /* a name or an address; what is not given is as bound */
    const char *join;            /* NULL or "": this node is its own registry; else an URL, or "file:PATH" */
    const char *secret_file, *tokens_file; /* NULL or "": none */
    const char *behaviors[CONFIG_LIST_MAX + 1]; /* shared objects and directories of them; end with NULL */
    const char *labels[CONFIG_LIST_MAX + 1]; /* "key=value"; end with NULL */
    uint64_t lease_ms;
    unsigned address_connections_max, address_rate; /* 0: no limit */
    unsigned workers;            /* 0: one per core */
    unsigned blocking_workers;   /* 0: behaviors that block are run as all others are */
    const char *allow_http[CONFIG_LIST_MAX + 1]; /* URLs that behaviors may ask for; end with NULL */
    bool announce_json;
    const char *ports_file;      /* NULL: the default place; "": none */
    const char *data_dir;        /* NULL: none */
    const char *app;             /* the file that describes the application; NULL or "": none */
    uint64_t memory_max;         /* bytes; 0: 75 % of what there is */
    unsigned memory_percent;     /* with memory_max 0 */
    unsigned connections_max;
    uint64_t body_max;
    uint64_t head_timeout_ms, idle_timeout_ms, drain_timeout_ms, stuck_turn_max_ms;
    unsigned alarm_mailbox;      /* percent; 0: no alarms of mailboxes */
    uint64_t alarm_turn_ms;      /* 0: no alarms of turns */
    const char *allow_hosts[CONFIG_LIST_MAX + 1];   /* end with NULL */
    const char *allow_origins[CONFIG_LIST_MAX + 1];
    bool insecure;
    enum log_format log_format;
    enum troupe_log_level log_level;
    bool check_only, print_only;
};

/* Fill the configuration from environment and arguments. On a mistake, --help and --version the process ends here, with
 * a line on standard error that names the flag and the remedy. */
void config_parse(struct config *config, int argc, char **argv);

/* Is this IP address one that only this machine reaches? */
bool config_is_loopback(const char *host);

/* May other machines reach the API: are there tokens, or did the operator say that none are needed? */
bool config_is_guarded(const struct config *config);

/* Print the settings, one "flag = value" a line. Each line can be given back: as a flag, as a variable. */
void config_print(const struct config *config);

#endif
