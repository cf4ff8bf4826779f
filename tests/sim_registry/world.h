/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator of a cluster: one registry and up to 20 nodes, each with the real client or the real engine and service,
 * on virtual time and a virtual network that drops, delays, reorders and repeats, by seed.
 *
 *   events.c   the queue of what is to happen, the random numbers and the signature
 *   network.c  addresses, who is there, requests and answers on their way
 *   process.c  the processes: a registry, a node that joins; their names and the drivers of the state machines
 *   faults.c   what goes wrong, and the story of a run
 *   check.c    what must hold after every step, and at the end
 *
 * An address is a small number, as a port is. Who is at an address is asked when a request arrives there, so that a
 * reused address is reached by what was meant for the one before. */
#ifndef SIM_REGISTRY_WORLD_H
#define SIM_REGISTRY_WORLD_H

#include "base/rng.h"
#include "registry/client.h"
#include "registry/engine.h"
#include "registry/service.h"

enum {
    WORLD_NODES_MAX = 20, WORLD_NAMES = 6, WORLD_ADDRESSES = 32, WORLD_TICKETS_MAX = 64, WORLD_TOLD_MAX = 16384,
    WORLD_VERIFICATIONS = 4096, /* that may be open at a time */
    WORLD_LEASE_MS = 2000, WORLD_RENEW_MS = 600, WORLD_MARGIN_MS = 400,
    WORLD_REGISTRY_ADDRESS = 0, WORLD_FOREIGN_CLUSTER = 1007,
    WORLD_CALM_MS = 40000        /* so long after the last fault all must be well: reservations end after 15 s */
};

enum process_kind { PROCESS_NONE = 0, PROCESS_REGISTRY, PROCESS_NODE, PROCESS_DEAF, PROCESS_FOREIGN };

struct ticket {
    uint64_t id, until_ms;       /* id 0: free */
    enum { TICKET_FIND = 1, TICKET_RESERVE, TICKET_CLAIM } kind;
    int name;
    troupe_ref ref;
};

/* What a listener has been told of a node. */
struct told {
    uint64_t node;
    enum registry_state state;   /* REGISTRY_DOWN: its end */
};

struct process {
    enum process_kind kind;
    uint64_t incarnation;        /* which process this is; a slot of the world is used again */
    int address;
    troupe_home home;
    bool is_cut;                 /* from the registry */
    bool is_dying;               /* its answers go nowhere */
    uint32_t cluster;            /* which cluster it believes to be in; 0: not known */
    uint32_t next_slot;
    struct registry_record record;
    troupe_ref names[WORLD_NAMES]; /* the core's table: actors of this node, and on the registry those of others */
    bool names_closed;
    struct registry_service *service;
    /* a registry */
    struct registry *registry;
    char epoch[AUTH_NONCE_TEXT];
    struct told ended[WORLD_TOLD_MAX]; /* nodes whose end was told */
    uint32_t ended_count;
    /* a node */
    struct registry_client *client;
    enum registry_client_state state;
    uint64_t ticks, posted_ms, next_ticket;
    struct ticket tickets[WORLD_TICKETS_MAX];
    struct told told[WORLD_TOLD_MAX];
    uint32_t told_count;
};

struct world_stats {
    uint64_t steps, restarts, restarts_unmarked, kills, reuses, lost, refused, downs, lefts, grants, refusals, name_losts,
        timeouts, replays, finds, wrong_identity, lists, batches;
};

struct world_options {
    uint64_t seed;
    uint32_t faults;             /* how many things go wrong */
    bool trace;
};

struct world {
    struct world_options options;
    struct rng rng;
    uint64_t now_ms, signature;
    uint32_t drop_percent, repeat_percent, delay_max_ms;
    bool is_calm;                /* no more faults */
    struct process registry;     /* kind NONE while it is down */
    struct process nodes[WORLD_NODES_MAX];
    struct process *at[WORLD_ADDRESSES]; /* who has the address; NULL: nobody */
    struct process deaf, foreign;
    uint32_t cluster;            /* the number of the cluster, which is new when the registry lost its data */
    bool has_mark;               /* the durable one */
    uint64_t incarnations, verifications;
    bool verified[WORLD_VERIFICATIONS]; /* by its number: it was judged */
    struct world_stats stats;
    bool failed;
    char text[400];
};
extern struct world world;

/* The secret of a cluster, and its id. */
const struct registry_secret *world_secret(uint32_t cluster);
void world_cluster_text(uint32_t cluster, char text[static REGISTRY_CLUSTER_BYTES]);

/* ---- events.c ---- */
typedef void (*event_fn)(void *data);
void events_init(void);
void events_fini(void);
/* Let something happen; data is freed behind it. */
void events_at(uint64_t at_ms, event_fn fn, void *data);
bool events_next_ms(uint64_t *ret_ms);
void events_run_one(void);
uint32_t world_below(uint32_t n);
bool world_chance(uint32_t percent);
void world_sign(uint64_t value);
void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void world_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- network.c ---- */
void network_send(struct process *from, const struct registry_call *call);
void network_verify(const struct registry_record *record);

/* ---- process.c ---- */
void process_start_registry(void); /* at WORLD_REGISTRY_ADDRESS */
void process_start_foreign(int address); /* the registry of another cluster */
void process_start_node(int slot, int address);
void process_end(struct process *process);
void process_tick(struct process *process); /* after whatever was done to it */
void process_leave(struct process *process);
void process_drain(struct process *process);
void process_move(struct process *process, int address); /* re-listen */
void process_act(struct process *process); /* something that its actors do */
int world_name_index(troupe_view name);
troupe_view world_name(int i);

/* ---- check.c ---- */
void check_step(void);
void check_end(void);

/* ---- faults.c ---- */
struct world_result {
    uint64_t signature;
    struct world_stats stats;
    bool failed;
    char text[400];
};
void world_run(const struct world_options *options, struct world_result *ret_result);

/* One address, used by one process after the other, so many times. */
void world_run_reuse(uint64_t seed, uint32_t cycles, struct world_result *ret_result);

#endif
