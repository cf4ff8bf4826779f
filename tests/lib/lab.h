/* SPDX-License-Identifier: Apache-2.0
 *
 * The lab: a system with one worker on virtual time, and puppets: actors whose every turn the test writes itself.
 *
 *     struct lab lab;
 *     struct puppet a = {.letter = 'a'}, b = {.letter = 'b'};
 *     lab_open(&lab);
 *     lab_spawn(&lab, &a, NULL);
 *     a.other = &b;
 *     lab_do(&lab, &a, spawn_other);       // runs spawn_other(ctx, &a) in a turn of a, and all that follows from it
 *     lab_pass(&lab, 100);                 // 100 ms go by
 *     assert_int_equal(b.inits, 1);
 *     lab_close(&lab);                     // ends everything; fails when memory is left
 *
 * A puppet outlives its incarnations: an actor that is started again is the same puppet with another ref.
 *
 * Thread: one. */
#ifndef TESTS_LIB_LAB_H
#define TESTS_LIB_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/system.h>

struct lab {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns, baseline;
    uint64_t dead_letters;
    troupe_ref dead_letter_from; /* of the last one */
    char log[4096]; /* two letters an event: the puppet's and what happened, see lab.c */
    struct puppet *puppets;
};

struct puppet;
typedef int (*puppet_fn)(troupe_ctx *ctx, struct puppet *self);

struct puppet {
    char letter;
    puppet_fn on_init, on_note, on_ask, on_stop, on_down, on_child, on_timer; /* NULL: only counted; an ask is echoed */
    struct puppet *other;                                                     /* for the test's functions */
    uint64_t number;                                                          /* the same */
    troupe_handle handle;

    struct lab *lab;
    troupe_ref ref; /* of the present incarnation */
    unsigned inits, notes, asks, timers, writables, downs, stops, finis, replies, ends, names_lost;
    unsigned started, restarting, ended; /* child events */
    puppet_fn on_event;                  /* of a topic or group that it follows; NULL: not awaited */
    const troupe_msg *msg;               /* during on_note, on_ask, on_timer, on_event */
    troupe_down down;
    troupe_child_event child;
    troupe_exit exit; /* of its last end */
    int status;       /* of its last reply */
    struct puppet *next;
};

/* The test's view of a request. */
struct lab_request {
    troupe_request request;
    bool done;
    int error;
    unsigned times;
    char body[64]; /* of the answer, as far as it fits */
    enum troupe_exit_cause cause; /* of a monitor's down */
    char detail[64];              /* the same */
    troupe_ref ref;
    uint32_t info_monitors, info_timers, info_children;
};

void lab_open(struct lab *lab);
void lab_open_with(struct lab *lab, troupe_system_config config);
void lab_close(struct lab *lab);

/* For a program whose tests each have a fresh lab: `static struct lab lab;`, and LAB_TEST(name) in its list. */
int lab_set_up(void **lab);
int lab_tear_down(void **lab);
#define LAB_TEST(name) cmocka_unit_test_prestate_setup_teardown(name, lab_set_up, lab_tear_down, &lab)

/* A fresh puppet, which lives as long as the system: that is freed in the tear-down. */
#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

/* Spawn options for a puppet; opts may be NULL. Lives: the puppet's pointer inside, until the spawn. */
troupe_spawn_opts lab_opts(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts);

/* Spawn from outside and wait for the init; asserts that it went well. */
void lab_spawn(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts);

/* The same, answered later in *request. */
void lab_spawn_later(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts,
                     struct lab_request *request);

/* Spawn as a child, inside a turn. */
int puppet_spawn(troupe_ctx *ctx, struct puppet *self, struct puppet *child, const troupe_spawn_opts *opts);

/* Run a function in a turn of the puppet, and all that follows from it. */
void lab_do(struct lab *lab, struct puppet *puppet, puppet_fn fn);

/* Only queue it. Returns what the cast returned. */
int lab_do_later(struct lab *lab, struct puppet *puppet, puppet_fn fn);
int lab_note(struct lab *lab, struct puppet *puppet);
void lab_ask(struct lab *lab, struct puppet *puppet, struct lab_request *request, uint32_t timeout_ms);
void lab_ask_type(struct lab *lab, struct puppet *puppet, const char *type, struct lab_request *request,
                  uint32_t timeout_ms);
void lab_stop(struct lab *lab, troupe_ref ref, enum troupe_stop_mode mode, struct lab_request *request,
              uint32_t timeout_ms);
void lab_info(struct lab *lab, struct puppet *puppet, struct lab_request *request);
void lab_monitor(struct lab *lab, troupe_ref ref, struct lab_request *request);

/* Do all that can be done now. */
void lab_run(struct lab *lab);

/* Let time go by, stopping at each deadline. */
void lab_pass(struct lab *lab, uint64_t ms);

bool lab_is_alive(struct lab *lab, const struct puppet *puppet);
enum troupe_actor_state lab_state(struct lab *lab, const struct puppet *puppet);
bool lab_holds(struct lab *lab, const char *name, const struct puppet *puppet);

/* Common turns: fail, stop, stop/drain/kill `other`, ... */
int puppet_fail(troupe_ctx *ctx, struct puppet *self);
int puppet_end(troupe_ctx *ctx, struct puppet *self);
int puppet_spawn_other(troupe_ctx *ctx, struct puppet *self);
int puppet_monitor_other(troupe_ctx *ctx, struct puppet *self);
int puppet_link_other(troupe_ctx *ctx, struct puppet *self);
int puppet_kill_other(troupe_ctx *ctx, struct puppet *self);
int puppet_stop_other(troupe_ctx *ctx, struct puppet *self);
int puppet_ask_other(troupe_ctx *ctx, struct puppet *self);
int puppet_keep(troupe_ctx *ctx, struct puppet *self);

#endif
