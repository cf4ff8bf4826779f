/* SPDX-License-Identifier: Apache-2.0
 *
 * Behaviors that block, for tests of a node, which compiles this file as its users compile theirs:
 *
 *   sleeper   declares that it may block
 *     sleep   a number of ms -> the name of the thread, after that time
 *     hold    nothing -> the name of the thread, after a gate was opened
 *     where   nothing -> the name of the thread, at once
 *   rogue     the same, undeclared
 *   gate      does not declare it either, and need not
 *     open    nothing -> null; lets those go who hold, and those who will
 *     where   as above */
#define _GNU_SOURCE /* pthread_getname_np */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <troupe/behavior.h>
#include <troupe/json.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open; /* under the lock */

static int answer_thread(troupe_ctx *ctx, const troupe_msg *msg)
{
    char name[16], text[32];
    pthread_getname_np(pthread_self(), name, sizeof name);
    int len = snprintf(text, sizeof text, "\"%s\"", name);
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json(text, (size_t)len)) : 0;
}

/* Wait for the gate, at most so long; 0: without end. */
static void wait_for_gate(uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000 * 1000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&lock);
    if (ms > 0) /* nobody signals: it is a time that passes */
        while (pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT)
            continue;
    while (ms == 0 && !is_open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int sleep_and_answer(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    troupe_json_reader reader;
    (void)state;
    if (msg->op == 0) {
        troupe_json_read_init(&reader, msg->body, msg->body_len);
        uint64_t ms = troupe_json_read_uint(&reader, 60000);
        if (troupe_json_read_end(&reader) != 0)
            return troupe_reply_error(ctx, TROUPE_E_SCHEMA, "a number of milliseconds");
        wait_for_gate(ms);
    } else if (msg->op == 1) {
        wait_for_gate(0);
    }
    return answer_thread(ctx, msg);
}

static int open_gate(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)state;
    if (msg->op != 0)
        return answer_thread(ctx, msg);
    pthread_mutex_lock(&lock);
    is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json("null", 4)) : 0;
}

static const troupe_type sleeper_types[] = {{.name = "sleep"}, {.name = "hold"}, {.name = "where"}};
static const troupe_type gate_types[] = {{.name = "open"}, {.name = "where"}};

static const troupe_behavior sleeper = {
    TROUPE_BEHAVIOR_HEAD, .name = "sleeper", .version = "1.0.0", .summary = "Blocks its thread", .types = sleeper_types,
    .types_count = 3, .flags = TROUPE_BEHAVIOR_BLOCKING, .receive = sleep_and_answer,
};

static const troupe_behavior rogue = {
    TROUPE_BEHAVIOR_HEAD, .name = "rogue", .version = "1.0.0", .summary = "Blocks a worker", .types = sleeper_types,
    .types_count = 3, .receive = sleep_and_answer,
};

static const troupe_behavior gate = {
    TROUPE_BEHAVIOR_HEAD, .name = "gate", .version = "1.0.0", .summary = "Lets sleepers go", .types = gate_types,
    .types_count = 2, .receive = open_gate,
};

TROUPE_EXPORT_BEHAVIORS(&sleeper, &rogue, &gate);
