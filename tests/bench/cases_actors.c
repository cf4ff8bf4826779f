/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases that make and end actors: spawn, skynet, and what an idle actor weighs. */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ---- spawn: a parent keeps children coming; each takes one message and stops ---- */

#define SPAWN_BURST 64u       /* spawned in a turn of the parent */
#define SPAWN_ALIVE_MAX 1024u /* the parent waits while so many of its children live */

static int once_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    uint64_t *seen = state;
    if (!BENCH_READ(msg, seen))
        return TROUPE_E_INVALID;
    troupe_stop_self(ctx, "");
    return 0;
}

static const troupe_type once_types[] = {{.name = "hit", .flags = TROUPE_TYPE_CAST}};

static const troupe_behavior once = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.once",
    .version = "1.0.0",
    .summary = "Takes one message and stops",
    .types = once_types,
    .types_count = COUNT(once_types),
    .state_bytes = sizeof(uint64_t),
    .receive = once_receive,
};

struct spawner {
    uint64_t left;
    troupe_handle asked;
};

enum { SPAWNER_RUN, SPAWNER_MORE };
static const troupe_type spawner_types[] = {{.name = "run"}, {.name = "more", .flags = TROUPE_TYPE_CAST}};

static int spawn_one(troupe_ctx *ctx, struct spawner *spawner)
{
    troupe_spawn_opts opts = {.behavior = once.name};
    troupe_ref ref;
    int error = troupe_spawn(ctx, &opts, &ref);
    if (error != 0)
        return error;
    spawner->left--;
    return troupe_cast(ctx, ref, "hit", BENCH_BODY(spawner->left));
}

static int spawner_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct spawner *spawner = state;
    int error = 0;

    if (msg->op == SPAWNER_RUN) {
        if (!BENCH_READ(msg, &spawner->left))
            return TROUPE_E_INVALID;
        error = troupe_reply_keep(ctx, &spawner->asked);
    }
    uint32_t alive = troupe_children_count(ctx);
    for (uint32_t i = 0; error == 0 && i < SPAWN_BURST && spawner->left > 0 && alive + i < SPAWN_ALIVE_MAX; i++)
        error = spawn_one(ctx, spawner);
    if (error != 0)
        return error;
    if (spawner->left == 0 && troupe_children_count(ctx) == 0)
        return troupe_reply_to(ctx, spawner->asked, troupe_body_none());
    return troupe_cast(ctx, troupe_self(ctx), "more", troupe_body_none());
}

static const troupe_behavior spawner = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.spawner",
    .version = "1.0.0",
    .summary = "Spawns children that stop at once",
    .types = spawner_types,
    .types_count = COUNT(spawner_types),
    .state_bytes = sizeof(struct spawner),
    .receive = spawner_receive,
};

static int run_spawn(struct bench_round *round)
{
    static const troupe_behavior *const behaviors[] = {&once, &spawner, NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    double ns = 0;
    uint64_t tenth = round->count / 10 + 1;

    int error = bench_node_new(round, behaviors, &node);
    if (error != 0)
        return error;
    error = bench_node_spawn(node, &spawner, troupe_body_none(), &ref);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(tenth), &ns);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(round->count), &ns);
    round->value = ns / (double)round->count;
    bench_node_free(node);
    return error;
}

/* ---- skynet (github.com/atemerev/skynet): a tree of actors, ten children each, whose leaves send up their number.
 * The system is new in each round, as a process is for the peers. ---- */

#define SKYNET_CHILDREN 10u

struct skynet_args {
    uint64_t first, size; /* the leaves below: first .. first + size - 1 */
};

struct skynet {
    uint64_t sum;
    uint32_t heard;
};

static int skynet_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)state;
    struct skynet_args mine;
    if (!BENCH_READ(args, &mine))
        return TROUPE_E_INVALID;
    if (mine.size == 1) {
        troupe_stop_self(ctx, "");
        return troupe_cast(ctx, troupe_parent(ctx), "sum", BENCH_BODY(mine.first));
    }
    for (uint32_t i = 0; i < SKYNET_CHILDREN; i++) {
        uint64_t size = mine.size / SKYNET_CHILDREN;
        struct skynet_args child = {.first = mine.first + i * size, .size = size};
        troupe_spawn_opts opts = {.behavior = "bench.skynet", .args = BENCH_BODY(child)};
        troupe_ref ref;
        int error = troupe_spawn(ctx, &opts, &ref);
        if (error != 0)
            return error;
    }
    return 0;
}

static int skynet_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct skynet *skynet = state;
    uint64_t sum;
    if (!BENCH_READ(msg, &sum))
        return TROUPE_E_INVALID;
    skynet->sum += sum;
    if (++skynet->heard < SKYNET_CHILDREN)
        return 0;
    troupe_stop_self(ctx, "");
    return troupe_cast(ctx, troupe_parent(ctx), "sum", BENCH_BODY(skynet->sum));
}

static const troupe_type skynet_types[] = {{.name = "sum", .flags = TROUPE_TYPE_CAST}};

static const troupe_behavior skynet = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.skynet",
    .version = "1.0.0",
    .summary = "A part of the tree",
    .types = skynet_types,
    .types_count = COUNT(skynet_types),
    .state_bytes = sizeof(struct skynet),
    .init = skynet_init,
    .receive = skynet_receive,
};

struct skynet_root {
    uint64_t leaves;
    troupe_handle asked;
};

enum { SKYNET_ROOT_RUN, SKYNET_ROOT_SUM };
static const troupe_type skynet_root_types[] = {{.name = "run"}, {.name = "sum", .flags = TROUPE_TYPE_CAST}};

static int skynet_root_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct skynet_root *root = state;
    uint64_t number;
    if (!BENCH_READ(msg, &number))
        return TROUPE_E_INVALID;
    if (msg->op == SKYNET_ROOT_RUN) {
        struct skynet_args args = {.first = 0, .size = number};
        troupe_spawn_opts opts = {.behavior = skynet.name, .args = BENCH_BODY(args)};
        troupe_ref ref;
        root->leaves = number;
        int error = troupe_reply_keep(ctx, &root->asked);
        return error != 0 ? error : troupe_spawn(ctx, &opts, &ref);
    }
    if (number != root->leaves * (root->leaves - 1) / 2)
        return troupe_reply_error_to(ctx, root->asked, TROUPE_E_INTERNAL, "The sum is wrong");
    return troupe_reply_to(ctx, root->asked, troupe_body_none());
}

static const troupe_behavior skynet_root = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.skynet_root",
    .version = "1.0.0",
    .summary = "Starts the tree and checks its sum",
    .types = skynet_root_types,
    .types_count = COUNT(skynet_root_types),
    .state_bytes = sizeof(struct skynet_root),
    .receive = skynet_root_receive,
};

static int run_skynet(struct bench_round *round)
{
    static const troupe_behavior *const behaviors[] = {&skynet, &skynet_root, NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    double ns = 0;
    uint64_t leaves = SKYNET_CHILDREN;

    while (leaves * SKYNET_CHILDREN <= round->count)
        leaves *= SKYNET_CHILDREN;
    round->count = leaves;
    int error = bench_node_new(round, behaviors, &node);
    if (error != 0)
        return error;
    error = bench_node_spawn(node, &skynet_root, troupe_body_none(), &ref);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(leaves), &ns);
    round->value = ns / (double)leaves;
    bench_node_free(node);
    return error;
}

/* ---- idle: actors that have started, handled one message, and wait. They are made a batch at a time, and the next
 * batch waits until all of the last have handled theirs, so that no backlog of messages counts as their memory. ---- */

#define IDLE_BATCH 256u

struct idle {
    uint64_t seen[2];
};

static int idle_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct idle *idle = state;
    if (!BENCH_READ(msg, &idle->seen[0]))
        return TROUPE_E_INVALID;
    return troupe_cast(ctx, troupe_parent(ctx), "here", troupe_body_none());
}

static const troupe_type idle_types[] = {{.name = "hit", .flags = TROUPE_TYPE_CAST}};

static const troupe_behavior idle = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.idle",
    .version = "1.0.0",
    .summary = "Waits",
    .types = idle_types,
    .types_count = COUNT(idle_types),
    .state_bytes = sizeof(struct idle),
    .receive = idle_receive,
};

struct crowd {
    uint64_t left;    /* to be spawned */
    uint32_t awaited; /* spawned, but not here yet */
    troupe_handle asked;
};

enum { CROWD_RUN, CROWD_HERE };
static const troupe_type crowd_types[] = {{.name = "run"}, {.name = "here", .flags = TROUPE_TYPE_CAST}};

static int crowd_spawn_batch(troupe_ctx *ctx, struct crowd *crowd)
{
    for (uint32_t i = 0; i < IDLE_BATCH && crowd->left > 0; i++) {
        troupe_spawn_opts opts = {.behavior = idle.name};
        troupe_ref ref;
        int error = troupe_spawn(ctx, &opts, &ref);
        if (error == 0)
            error = troupe_cast(ctx, ref, "hit", BENCH_BODY(crowd->left));
        if (error != 0)
            return error;
        crowd->left--;
        crowd->awaited++;
    }
    return 0;
}

static int crowd_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct crowd *crowd = state;
    if (msg->op == CROWD_RUN) {
        if (!BENCH_READ(msg, &crowd->left) || crowd->left == 0)
            return TROUPE_E_INVALID;
        int error = troupe_reply_keep(ctx, &crowd->asked);
        return error != 0 ? error : crowd_spawn_batch(ctx, crowd);
    }
    if (--crowd->awaited > 0)
        return 0;
    return crowd->left > 0 ? crowd_spawn_batch(ctx, crowd) : troupe_reply_to(ctx, crowd->asked, troupe_body_none());
}

static const troupe_behavior crowd = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.crowd",
    .version = "1.0.0",
    .summary = "Spawns actors that wait",
    .types = crowd_types,
    .types_count = COUNT(crowd_types),
    .state_bytes = sizeof(struct crowd),
    .receive = crowd_receive,
};

/* Resident bytes of this process. 0 when the system does not tell. */
static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "%lu %lu", &size, &resident);
    fclose(file);
    return fields == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* Fill a new node of one worker with a crowd that is idle when this returns; *ret_ns is the time that took. */
static int crowd_new(struct bench_round *round, const troupe_behavior *const *behaviors, uint64_t actors,
                     struct bench_node **ret_node, troupe_ref *ret_crowd, double *ret_ns)
{
    struct bench_node *node = NULL;

    round->workers = 1;
    int error = bench_node_new(round, behaviors, &node);
    if (error != 0)
        return error;
    error = bench_node_spawn(node, &crowd, troupe_body_none(), ret_crowd);
    if (error == 0)
        error = bench_node_call(node, *ret_crowd, "run", BENCH_BODY(actors), ret_ns);
    *ret_node = node;
    return error;
}

static int run_idle(struct bench_round *round)
{
    static const troupe_behavior *const behaviors[] = {&idle, &crowd, NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    troupe_stats stats = {.actors = 0}, left = {.actors = 1};
    double spawn_ns = 0, stop_ns = 0, count = (double)round->count;

    double before = resident_bytes();
    int error = crowd_new(round, behaviors, round->count, &node, &ref, &spawn_ns);
    double after = resident_bytes();
    if (error == 0)
        bench_node_stats(node, &stats);
    if (error == 0 && (before == 0 || stats.actors < round->count))
        error = TROUPE_E_STATE;
    if (error == 0)
        error = bench_node_stop(node, ref, &stop_ns);
    if (error == 0) {
        bench_node_stats(node, &left);
        error = left.actors > 0 ? TROUPE_E_STATE : 0;
    }
    round->value = (after - before) / count;
    snprintf(round->note, sizeof(round->note), "%.2f GiB in all; each made in %.0f ns, stopped in %.0f ns",
             after / (1u << 30), spawn_ns / count, stop_ns / count);
    bench_node_free(node);
    return error;
}

/* Measure "run" of `top` beside a crowd. */
static int measure_beside(struct bench_round *round, uint32_t actors, const troupe_behavior *top, troupe_body args)
{
    static const troupe_behavior *const behaviors[] = {&idle,       &crowd, &once, &spawner, &bench_ring_node,
                                                       &bench_ring, NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    double ns = 0;
    uint64_t tenth = round->count / 10 + 1;

    int error = crowd_new(round, behaviors, actors, &node, &ref, &ns);
    if (error == 0)
        error = bench_node_spawn(node, top, args, &ref);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(tenth), &ns);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(round->count), &ns);
    round->value = ns / (double)round->count;
    bench_node_free(node);
    return error;
}

int bench_scale_ping_pong(struct bench_round *round, uint32_t actors)
{
    struct bench_ring_args two = {.size = 2};
    return measure_beside(round, actors, &bench_ring, BENCH_BODY(two));
}

int bench_scale_spawn(struct bench_round *round, uint32_t actors)
{
    return measure_beside(round, actors, &spawner, troupe_body_none());
}

const struct bench_case bench_cases_actors[] = {
    {.name = "spawn",
     .what = "actor spawned, sent one message, stopped",
     .unit = "ns",
     .goal = 150,
     .count = 1000000,
     .quick_count = 100000,
     .parallel = true,
     .run = run_spawn},
    {.name = "skynet",
     .what = "leaf of skynet, 1 M leaves",
     .unit = "ns",
     .goal = 300,
     .count = 1000000,
     .quick_count = 100000,
     .parallel = true,
     .run = run_skynet},
    {.name = "idle",
     .what = "resident bytes of an idle actor",
     .unit = "B",
     .goal = 256,
     .count = 1000000,
     .quick_count = 1000000,
     .own_process = true,
     .run = run_idle},
    {.name = NULL},
};
