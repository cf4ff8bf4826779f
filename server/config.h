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
    CONFIG_EXIT_STUCK = 70
};

enum { CONFIG_LIST_MAX = 64 };

struct config {
    char listen_host[64];        /* an IP address, without brackets */
    unsigned listen_port;        /* 0: any free one */
    unsigned workers;            /* 0: one per core */
    bool announce_json;
    const char *ports_file;      /* NULL: the default place; "": none */
    const char *data_dir;        /* NULL: none */
    uint64_t memory_max;         /* bytes; 0: 75 % of what there is */
    unsigned memory_percent;     /* with memory_max 0 */
    unsigned connections_max;
    uint64_t body_max;
    uint64_t head_timeout_ms, idle_timeout_ms, drain_timeout_ms, stuck_turn_max_ms;
    const char *allow_hosts[CONFIG_LIST_MAX + 1];   /* end with NULL */
    const char *allow_origins[CONFIG_LIST_MAX + 1];
    char advertise_host[256];    /* "": as bound */
    unsigned advertise_port;     /* 0: as bound */
    bool insecure;
    enum log_format log_format;
    enum troupe_log_level log_level;
    bool check_only, print_only;
};

/* Fill the configuration from environment and arguments. On a mistake, --help and --version the process ends here, with
 * a line on standard error that names the flag and the remedy. */
void config_parse(struct config *config, int argc, char **argv);

/* Print the settings, one "flag = value" a line. Each line can be given back: as a flag, as a variable. */
void config_print(const struct config *config);

#endif
