/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime bench, shared by its files.
 *
 *   bench_runtime.c   arguments, rounds, the yardstick in turn with each case, the printed lines
 *   bench_driver.c    a plain program's way to drive workers: a thread per worker that polls and parks
 *   cases_messages.c  ping-pong, ring, producers, call, request
 *   cases_topics.c    broadcast
 *   cases_actors.c    spawn, skynet, idle memory
 *   yardstick.c       bare C dispatch with malloc: the unit in which speed is told apart from the machine's mood
 *
 * Thread: everything here is for the main thread; it drives worker 0 itself while it waits for an answer, so that with
 * one worker the bench has one thread and can be read under callgrind. */
#ifndef BENCH_H
#define BENCH_H

#include <string.h>

#include <troupe/system.h>

#define BENCH_CALL_TIMEOUT_MS 300000u /* a round that takes longer is stuck, and fails */
#define BENCH_NOTE_BYTES 96

/* One round of one case: what is asked, and what came of it. */
struct bench_round {
    uint32_t workers;
    uint64_t count;              /* messages, calls, actors: what the figure is divided by */
    bool clock;                  /* give the system a clock, as the node does, so that it measures turns */
    double value;                /* out: per unit, in the case's unit */
    char note[BENCH_NOTE_BYTES]; /* out: a remark for the line, or "" */
};

struct bench_case {
    const char *name;
    const char *what;     /* one of these, in words */
    const char *unit;     /* "ns" or "B" */
    double goal;          /* at most; 0: none */
    uint64_t count;       /* of a round */
    uint64_t quick_count; /* with --quick */
    bool parallel;        /* also worth a line with a worker per core */
    bool own_process;     /* measures the process itself: run in a fresh one */
    int (*run)(struct bench_round *round);
};

extern const struct bench_case bench_cases_messages[]; /* all end with a case without name */
extern const struct bench_case bench_cases_topics[];
extern const struct bench_case bench_cases_actors[];

/* For --scale, ns with `actors` actors in the system: a hop of a token around all of them, in the order in which they
 * lie in memory, and in random order; a message of a ping-pong beside as many that are idle; an actor spawned, sent a
 * message and stopped beside them. */
int bench_scale_ring(struct bench_round *round, uint32_t actors);
int bench_scale_shuffled(struct bench_round *round, uint32_t actors);
int bench_scale_ping_pong(struct bench_round *round, uint32_t actors);
int bench_scale_spawn(struct bench_round *round, uint32_t actors);

struct bench_ring_args {
    uint32_t size;
    uint32_t shuffled; /* bool: each one's next is anywhere */
};
extern const troupe_behavior bench_ring, bench_ring_node; /* init args: the above; "run": uint64_t hops */

/* ns per message of a bare dispatch loop. */
double bench_yardstick(uint64_t messages);

/* ---- bench_driver.c ---- */

struct bench_node;

/* Make a system with these behaviors (NULL at the end) and start the threads of its workers but the first. */
int bench_node_new(const struct bench_round *round, const troupe_behavior *const *behaviors,
                   struct bench_node **ret_node);
void bench_node_free(struct bench_node *node);

/* Spawn an actor and wait for its init. */
int bench_node_spawn(struct bench_node *node, const troupe_behavior *behavior, troupe_body args, troupe_ref *ret_ref);

/* Call an actor and wait for the reply; *ret_ns is the time between. */
int bench_node_call(struct bench_node *node, troupe_ref to, const char *type, troupe_body body, double *ret_ns);

/* Call an actor `count` times, one after the other, as an outsider; *ret_ns is the time of all. */
int bench_node_ask(struct bench_node *node, troupe_ref to, const char *type, troupe_body body, uint64_t count,
                   double *ret_ns);

/* Stop an actor and wait for its end and that of all its children; *ret_ns is the time between. */
int bench_node_stop(struct bench_node *node, troupe_ref ref, double *ret_ns);

/* The main thread's own worker, and drive it until *done. */
troupe_worker *bench_node_worker(struct bench_node *node);
void bench_node_drive(struct bench_node *node, const bool *done);

void bench_node_stats(struct bench_node *node, troupe_stats *ret_stats);

uint64_t bench_now_ns(void);

/* ---- small things the cases share ---- */

/* The bytes of a value as a body. The content type is of no account here: none is sent. */
#define BENCH_BODY(value) ((troupe_body){.ptr = &(value), .len = sizeof(value)})

/* Read a body of exactly this type; false when it is something else. */
#define BENCH_READ(msg, ret_value)                                                                                     \
    ((msg)->body_len == sizeof(*(ret_value)) && memcpy((ret_value), (msg)->body, sizeof(*(ret_value))) != NULL)

#endif
