/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator: one thread drives a whole system on virtual time, and a seed decides everything.
 *
 *   driver.c      the world: the virtual clock, which worker runs next and for how many turns, parking, failing memory
 *   outsider.c    those who spawn, call, cast and stop by requests; inspector.c: who look inside, suspend, set timers
 *   subscriber.c  those who read what actors publish; follow.c: the actors that do, and that watch groups
 *   chaos.c       the actors: a behavior that does something random in every turn; actions.c and messages.c say what,
 *                 and each with its rules: family.c (supervision), groups.c, timers.c (and probes), aside.c (postpone)
 *   pools.c       pools and those who send them jobs; pool_worker.c, and the rules in pool_rules.c
 *   model.c       the rules: a shadow of the system that is told of every event, and says which one broke a promise;
 *                 model_life.c has those of start and end, children, monitors, names, timers
 *   rest.c        the rules that can be judged only when nothing is left to do at this instant
 *   main.c        the command line: many seeds, each twice
 *   planted.c     the proof that the rules bite: the same, against a build of the core with planted bugs
 *
 * All that can be observed (who received what from whom, ends, downs, child events, answers) is folded into one hash,
 * the order signature (after Pony's systematic testing): the same seed gives the same signature, or something in the
 * core depends on an address or on the outer world. The first broken promise stops the run; the seed repeats it.
 *
 * Thread: one. The world is a global, because the behavior's functions have no other way to find it. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include <troupe/system.h>

#define SIM_WORKERS_MAX 4u
#define SIM_BLOCKING_MAX 2u
#define SIM_NAMES 8u         /* names that the actors fight for */
#define SIM_REQUESTS_MAX 32u /* open requests of outsiders */
#define SIM_POPULATION 40u   /* spawns pause above so many living actors */

struct sim_options {
    uint64_t seed;
    uint32_t steps;
    bool trace; /* print every event */
};

struct sim_result {
    bool failed;
    char text[400]; /* the first broken promise */
    uint64_t signature;
    troupe_stats stats; /* as they were before the shutdown */
};

/* Run one seed from an empty system to an empty system. */
void sim_run(const struct sim_options *options, struct sim_result *ret_result);

/* ---- the world, for the other files of the simulator ---- */

struct sim_world {
    troupe_system *system;
    uint64_t now_ns;  /* the virtual clock */
    uint64_t turn_ns; /* the clock that measures turns runs ahead of it by this */
    uint64_t random;  /* the driver's generator; actors use troupe_random */
    uint64_t signature;
    bool trace;
    bool ending; /* the shutdown has begun */
    bool no_memory;   /* now and then an allocation fails */
    bool spawns_fail; /* there are few slots, or little memory: a start may fail without being told */
    bool failed;
    char text[400];
};
extern struct sim_world sim_world;

static inline uint64_t sim_now_ms(void) { return sim_world.now_ns / 1000000u; }

/* Is that because an allocation was made to fail? */
static inline bool sim_lacks_memory(int rc) { return rc == TROUPE_E_NO_MEMORY && sim_world.no_memory; }

/* Note the first broken promise. Always returns false, so that a check can end with it. */
bool sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fold an event into the signature. what: a word for the trace. */
void sim_event(const char *what, uint64_t a, uint64_t b, uint64_t c);

/* Begin a driver's generator. (splitmix64) */
uint64_t sim_random(void);

/* A number below n, from the driver's generator. */
uint32_t sim_below(uint32_t n);

/* "n0".. */
troupe_view sim_name(uint32_t i);

/* The behaviors. big: with a large state; trap: traps exits; blocking: on the blocking workers, if there are any. */
extern const troupe_behavior sim_chaos, sim_chaos_big, sim_chaos_trap, sim_chaos_blocking;
bool sim_is_chaos(const char *behavior);

#endif
