/* SPDX-License-Identifier: Apache-2.0
 *
 * Events: a topic that publishes to SUBSCRIBERS subscribers of one worker, one event after the other. Each subscriber is
 * told, reads the event and finds nothing more, as a session does; what a session makes of it is not in the figure. */
#include <stdlib.h>

#include <troupe/behaviors.h>

#include "bench.h"

#define SUBSCRIBERS 10000u

struct audience {
    uint64_t read, wanted;
    bool done;
};

static void on_ready(troupe_subscription *subscription)
{
    struct audience *audience = subscription->user;
    troupe_event event;

    while (troupe_subscription_read(subscription, &event) == 1)
        audience->done = ++audience->read == audience->wanted;
}

static int publish(struct bench_node *node, troupe_ref topic, struct audience *audience, uint64_t events)
{
    static const char body[64];

    for (; events > 0; events--) {
        audience->wanted += SUBSCRIBERS;
        audience->done = false;
        int error = troupe_worker_cast(bench_node_worker(node), topic, troupe_view_of("publish"),
                                       troupe_body_bytes(body, sizeof body, NULL), (troupe_caller){0});
        if (error != 0)
            return error;
        bench_node_drive(node, &audience->done);
    }
    return 0;
}

static int run_with(struct bench_round *round, struct bench_node *node, troupe_subscription *subscriptions)
{
    struct audience audience = {0};
    uint64_t events = round->count / SUBSCRIBERS + 1;
    troupe_ref topic;

    int error = bench_node_spawn(node, &troupe_behavior_topic, troupe_body_none(), &topic);
    for (uint32_t i = 0; error == 0 && i < SUBSCRIBERS; i++) {
        subscriptions[i] = (troupe_subscription){.user = &audience, .ready = on_ready};
        error =
            troupe_subscribe(bench_node_worker(node), &subscriptions[i], topic, TROUPE_FROM_NOW, (troupe_event_id){0});
    }
    if (error == 0)
        error = publish(node, topic, &audience, events / 10 + 1);
    uint64_t start_ns = bench_now_ns();
    if (error == 0)
        error = publish(node, topic, &audience, events);
    round->value = (double)(bench_now_ns() - start_ns) / (double)(events * SUBSCRIBERS);
    for (uint32_t i = 0; i < SUBSCRIBERS; i++)
        troupe_unsubscribe(&subscriptions[i]);
    return error;
}

static int run_broadcast(struct bench_round *round)
{
    static const troupe_behavior *const behaviors[] = {&troupe_behavior_topic, NULL};
    troupe_subscription *subscriptions = calloc(SUBSCRIBERS, sizeof *subscriptions);
    struct bench_node *node = NULL;

    int error = subscriptions == NULL ? TROUPE_E_NO_MEMORY : bench_node_new(round, behaviors, &node);
    if (error == 0)
        error = run_with(round, node, subscriptions);
    bench_node_free(node);
    free(subscriptions);
    return error;
}

const struct bench_case bench_cases_topics[] = {
    {.name = "broadcast",
     .what = "event to one of 10,000 subscribers",
     .unit = "ns",
     .goal = 100,
     .count = 5000000,
     .quick_count = 500000,
     .run = run_broadcast},
    {.name = NULL},
};
