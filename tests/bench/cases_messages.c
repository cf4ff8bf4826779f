/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases that move messages between actors that are there already. Each has a behavior that sets the scene in its
 * init, is called with "run" and the number of messages, and answers when the last one was handled. A tenth of the
 * messages goes first, unmeasured, so that memory and caches are as in a node that has been up for a second. */
#include <stdio.h>

#include "bench.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ---- a ring: a token goes around; of two actors it is ping-pong ---- */

struct ring_node {
    troupe_ref next;
};

enum { RING_NODE_NEXT, RING_NODE_TOKEN };
static const troupe_type ring_node_types[] = {{.name = "next", .flags = TROUPE_TYPE_CAST},
                                              {.name = "token", .flags = TROUPE_TYPE_CAST}};

static int ring_node_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)ctx;
    struct ring_node *node = state;
    return BENCH_READ(args, &node->next) ? 0 : TROUPE_E_INVALID;
}

static int ring_node_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct ring_node *node = state;
    uint64_t left;

    if (msg->op == RING_NODE_NEXT)
        return BENCH_READ(msg, &node->next) ? 0 : TROUPE_E_INVALID;
    if (!BENCH_READ(msg, &left))
        return TROUPE_E_INVALID;
    if (left == 0)
        return troupe_cast(ctx, troupe_parent(ctx), "done", troupe_body_none());
    left--;
    return troupe_cast(ctx, node->next, "token", BENCH_BODY(left));
}

const troupe_behavior bench_ring_node = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.ring_node",
    .version = "1.0.0",
    .summary = "Passes a token on",
    .types = ring_node_types,
    .types_count = COUNT(ring_node_types),
    .state_bytes = sizeof(struct ring_node),
    .init = ring_node_init,
    .receive = ring_node_receive,
};

struct ring {
    troupe_ref first;
    troupe_handle asked;
};

enum { RING_RUN, RING_DONE };
static const troupe_type ring_types[] = {{.name = "run"}, {.name = "done", .flags = TROUPE_TYPE_CAST}};

/* Spawn all, then tell each its next one, which may lie anywhere in memory. */
static int ring_init_shuffled(troupe_ctx *ctx, struct ring *ring, uint32_t size)
{
    const troupe_ref none = {.generation = 0};
    troupe_ref *all = troupe_alloc(size * sizeof(*all));
    uint64_t random = 1;
    int error = all != NULL ? 0 : TROUPE_E_NO_MEMORY;

    for (uint32_t i = 0; error == 0 && i < size; i++) {
        troupe_spawn_opts opts = {.behavior = bench_ring_node.name, .args = BENCH_BODY(none)};
        error = troupe_spawn(ctx, &opts, &all[i]);
    }
    for (uint32_t i = size; error == 0 && i > 1; i--) { /* Fisher and Yates; the generator is Knuth's MMIX */
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t other = (uint32_t)((random >> 33) % i);
        troupe_ref kept = all[other];
        all[other] = all[i - 1];
        all[i - 1] = kept;
    }
    for (uint32_t i = 0; error == 0 && i < size; i++)
        error = troupe_cast(ctx, all[i], "next", BENCH_BODY(all[(i + 1) % size]));
    if (error == 0)
        ring->first = all[0];
    troupe_free(all);
    return error;
}

/* Each actor is told its next when it is spawned; the first, which has none yet, when the last is there. */
static int ring_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct ring *ring = state;
    struct bench_ring_args wishes;
    troupe_ref next = {.generation = 0};

    if (!BENCH_READ(args, &wishes) || wishes.size == 0)
        return TROUPE_E_INVALID;
    if (wishes.shuffled)
        return ring_init_shuffled(ctx, ring, wishes.size);
    for (uint32_t i = 0; i < wishes.size; i++) {
        troupe_spawn_opts opts = {.behavior = bench_ring_node.name, .args = BENCH_BODY(next)};
        int error = troupe_spawn(ctx, &opts, &next);
        if (error != 0)
            return error;
        if (i == 0)
            ring->first = next;
    }
    return troupe_cast(ctx, ring->first, "next", BENCH_BODY(next));
}

static int ring_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct ring *ring = state;
    uint64_t hops;

    if (msg->op == RING_DONE)
        return troupe_reply_to(ctx, ring->asked, troupe_body_none());
    if (!BENCH_READ(msg, &hops))
        return TROUPE_E_INVALID;
    int error = troupe_reply_keep(ctx, &ring->asked);
    return error != 0 ? error : troupe_cast(ctx, ring->first, "token", BENCH_BODY(hops));
}

const troupe_behavior bench_ring = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.ring",
    .version = "1.0.0",
    .summary = "A ring of actors",
    .types = ring_types,
    .types_count = COUNT(ring_types),
    .state_bytes = sizeof(struct ring),
    .init = ring_init,
    .receive = ring_receive,
};

/* ---- producers to one sink ---- */

#define PRODUCERS_MAX 64u
#define PRODUCER_BURST 64u /* casts in a turn; then others have theirs */

struct producer {
    uint64_t left;
};

enum { PRODUCER_START, PRODUCER_MORE };
static const troupe_type producer_types[] = {{.name = "start", .flags = TROUPE_TYPE_CAST},
                                             {.name = "more", .flags = TROUPE_TYPE_CAST}};

/* Send a burst. A full sink says once when it is writable again. */
static int produce(troupe_ctx *ctx, struct producer *producer)
{
    troupe_ref sink = troupe_parent(ctx);
    for (uint32_t i = 0; i < PRODUCER_BURST && producer->left > 0; i++) {
        uint64_t by = 1;
        int error = troupe_cast(ctx, sink, "hit", BENCH_BODY(by));
        if (error == TROUPE_E_FULL)
            return 0;
        if (error != 0)
            return error;
        producer->left--;
    }
    return producer->left > 0 ? troupe_cast(ctx, troupe_self(ctx), "more", troupe_body_none()) : 0;
}

static int producer_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct producer *producer = state;
    if (msg->op == PRODUCER_START && !BENCH_READ(msg, &producer->left))
        return TROUPE_E_INVALID;
    return produce(ctx, producer); /* start, more, or writable again */
}

static const troupe_behavior producer = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.producer",
    .version = "1.0.0",
    .summary = "Casts as fast as it may",
    .types = producer_types,
    .types_count = COUNT(producer_types),
    .state_bytes = sizeof(struct producer),
    .flags = TROUPE_BEHAVIOR_WRITABLE,
    .receive = producer_receive,
};

struct sink {
    uint64_t count, expected;
    troupe_handle asked;
    uint32_t producers_count;
    troupe_ref producers[PRODUCERS_MAX];
};

enum { SINK_HIT, SINK_RUN };
static const troupe_type sink_types[] = {{.name = "hit", .flags = TROUPE_TYPE_CAST}, {.name = "run"}};

static int sink_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct sink *sink = state;
    if (!BENCH_READ(args, &sink->producers_count) || sink->producers_count > PRODUCERS_MAX)
        return TROUPE_E_INVALID;
    for (uint32_t i = 0; i < sink->producers_count; i++) {
        troupe_spawn_opts opts = {.behavior = producer.name};
        int error = troupe_spawn(ctx, &opts, &sink->producers[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

static int sink_run(troupe_ctx *ctx, struct sink *sink, const troupe_msg *msg)
{
    uint64_t each;
    if (!BENCH_READ(msg, &each))
        return TROUPE_E_INVALID;
    sink->expected += each * sink->producers_count;
    int error = troupe_reply_keep(ctx, &sink->asked);
    for (uint32_t i = 0; error == 0 && i < sink->producers_count; i++)
        error = troupe_cast(ctx, sink->producers[i], "start", BENCH_BODY(each));
    return error;
}

static int sink_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct sink *sink = state;
    uint64_t by;

    if (msg->op == SINK_RUN)
        return sink_run(ctx, sink, msg);
    if (!BENCH_READ(msg, &by))
        return TROUPE_E_INVALID;
    sink->count += by;
    return sink->count == sink->expected ? troupe_reply_to(ctx, sink->asked, troupe_body_none()) : 0;
}

static const troupe_behavior sink = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.sink",
    .version = "1.0.0",
    .summary = "Counts what its producers cast",
    .types = sink_types,
    .types_count = COUNT(sink_types),
    .state_bytes = sizeof(struct sink),
    .init = sink_init,
    .receive = sink_receive,
};

/* ---- calls: one actor asks another, again and again ---- */

static int answerer_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)state;
    return troupe_reply(ctx, troupe_body_of(msg));
}

static const troupe_type answerer_types[] = {{.name = "ask"}};

static const troupe_behavior answerer = {
    TROUPE_BEHAVIOR_HEAD,        .name = "bench.answerer",
    .version = "1.0.0",          .summary = "Answers with what it was asked",
    .types = answerer_types,     .types_count = COUNT(answerer_types),
    .receive = answerer_receive,
};

struct caller {
    troupe_ref answerer;
    uint64_t left;
    troupe_handle asked;
};

static const troupe_type caller_types[] = {{.name = "run"}};

static int caller_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)args;
    struct caller *caller = state;
    troupe_spawn_opts opts = {.behavior = answerer.name};
    return troupe_spawn(ctx, &opts, &caller->answerer);
}

static int on_answer(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    struct caller *caller = state;
    if (reply->status != 0)
        return troupe_reply_error_to(ctx, caller->asked, reply->status, "The answerer did not answer");
    if (--caller->left == 0)
        return troupe_reply_to(ctx, caller->asked, troupe_body_none());
    return troupe_call(ctx, caller->answerer, "ask", BENCH_BODY(caller->left), 0, on_answer, 0);
}

static int caller_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct caller *caller = state;
    if (!BENCH_READ(msg, &caller->left) || caller->left == 0)
        return TROUPE_E_INVALID;
    int error = troupe_reply_keep(ctx, &caller->asked);
    if (error != 0)
        return error;
    return troupe_call(ctx, caller->answerer, "ask", BENCH_BODY(caller->left), 0, on_answer, 0);
}

static const troupe_behavior caller = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "bench.caller",
    .version = "1.0.0",
    .summary = "Calls the answerer in turn",
    .types = caller_types,
    .types_count = COUNT(caller_types),
    .state_bytes = sizeof(struct caller),
    .init = caller_init,
    .receive = caller_receive,
};

/* ---- the cases ---- */

/* Spawn `top` with args, call its "run" with a tenth of `each`, then with all of it, and divide by round->count. */
static int measure(struct bench_round *round, const troupe_behavior *top, troupe_body args, uint64_t each)
{
    static const troupe_behavior *const behaviors[] = {&bench_ring_node, &bench_ring, &producer, &sink,
                                                       &answerer,        &caller,     NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    double ns = 0;
    uint64_t tenth = each / 10 + 1;
    troupe_stats before, after;

    int error = bench_node_new(round, behaviors, &node);
    if (error != 0)
        return error;
    error = bench_node_spawn(node, top, args, &ref);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(tenth), &ns);
    bench_node_stats(node, &before);
    if (error == 0)
        error = bench_node_call(node, ref, "run", BENCH_BODY(each), &ns);
    bench_node_stats(node, &after);
    round->value = ns / (double)round->count;
    if (after.dead_full > before.dead_full)
        snprintf(round->note, sizeof(round->note), "refused as full: %.2f %%",
                 100.0 * (double)(after.dead_full - before.dead_full) / (double)round->count);
    else if (round->workers > 1)
        snprintf(round->note, sizeof(round->note), "actors stolen: %llu",
                 (unsigned long long)(after.steals - before.steals));
    bench_node_free(node);
    return error;
}

static int measure_ring(struct bench_round *round, uint32_t size, bool shuffled)
{
    struct bench_ring_args args = {.size = size, .shuffled = shuffled};
    return measure(round, &bench_ring, BENCH_BODY(args), round->count);
}

int bench_scale_ring(struct bench_round *round, uint32_t actors) { return measure_ring(round, actors, false); }

int bench_scale_shuffled(struct bench_round *round, uint32_t actors) { return measure_ring(round, actors, true); }

static int run_ping_pong(struct bench_round *round) { return measure_ring(round, 2, false); }

static int run_ring(struct bench_round *round) { return measure_ring(round, 100, false); }

static int run_producers(struct bench_round *round, uint32_t producers)
{
    round->count -= round->count % producers;
    if (round->count == 0)
        round->count = producers;
    return measure(round, &sink, BENCH_BODY(producers), round->count / producers);
}

static int run_one_producer(struct bench_round *round) { return run_producers(round, 1); }

static int run_64_producers(struct bench_round *round) { return run_producers(round, PRODUCERS_MAX); }

static int run_call(struct bench_round *round) { return measure(round, &caller, troupe_body_none(), round->count); }

/* The path of a REST call without HTTP: an outsider's request, run in the asking turn while the actor is idle. */
static int run_request(struct bench_round *round)
{
    static const troupe_behavior *const behaviors[] = {&answerer, NULL};
    struct bench_node *node = NULL;
    troupe_ref ref;
    double ns = 0;

    int error = bench_node_new(round, behaviors, &node);
    if (error != 0)
        return error;
    error = bench_node_spawn(node, &answerer, troupe_body_none(), &ref);
    if (error == 0)
        error = bench_node_ask(node, ref, "ask", BENCH_BODY(round->count), round->count / 10 + 1, &ns);
    if (error == 0)
        error = bench_node_ask(node, ref, "ask", BENCH_BODY(round->count), round->count, &ns);
    round->value = ns / (double)round->count;
    bench_node_free(node);
    return error;
}

const struct bench_case bench_cases_messages[] = {
    {.name = "ping-pong",
     .what = "message between two actors",
     .unit = "ns",
     .goal = 40,
     .count = 5000000,
     .quick_count = 500000,
     .run = run_ping_pong},
    {.name = "ring",
     .what = "hop in a ring of 100 actors",
     .unit = "ns",
     .goal = 40,
     .count = 5000000,
     .quick_count = 500000,
     .run = run_ring},
    {.name = "one-producer",
     .what = "message from one producer to one counter",
     .unit = "ns",
     .goal = 25,
     .count = 5000000,
     .quick_count = 500000,
     .parallel = true,
     .run = run_one_producer},
    {.name = "64-producers",
     .what = "message from 64 producers to one counter",
     .unit = "ns",
     .goal = 25,
     .count = 5000000,
     .quick_count = 500000,
     .parallel = true,
     .run = run_64_producers},
    {.name = "call",
     .what = "call round trip between two actors",
     .unit = "ns",
     .goal = 120,
     .count = 2000000,
     .quick_count = 200000,
     .run = run_call},
    {.name = "request",
     .what = "call of an outsider, as the REST edge makes it",
     .unit = "ns",
     .count = 2000000,
     .quick_count = 200000,
     .run = run_request},
    {.name = NULL},
};
