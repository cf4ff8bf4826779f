/* SPDX-License-Identifier: Apache-2.0
 *
 * The control thread: the one that calls control_run. It never runs an actor, so no actor can hold it, nor cost the
 * node its lease. It owns the listening sockets and the head stage, the node's membership of its cluster with all
 * requests of the registry, the signals, the watchdog and the end of the node. */
#ifndef TROUPE_SERVER_CONTROL_H
#define TROUPE_SERVER_CONTROL_H

#include "io/head.h"
#include "membership.h"
#include "ports.h"

struct app;
struct blocking;
struct control;
struct http_out;

struct control_config {
    const struct api_env *env;   /* borrowed, this and below */
    const struct config *config;
    struct api_health *health;
    struct ports *ports;
    struct self *self;
    struct loop *const *loops;
    unsigned loops_count;
    struct blocking *blocking;
    struct http_out *http_out;
    struct app *app;             /* NULL: none */
    struct http_shared *shared;
    struct traffic_control *traffic;
    struct traffic_worker *requests; /* of the control thread's own HTTP object */
    void *user;
    int (*up)(void *user);       /* the node is a member: announce it. Returns an exit status */
    void (*moved)(void *user);   /* its ports have changed: write the ports file again */
    bool (*hangup)(void *user);  /* SIGHUP: load again what else there is. False: there is nothing */
    void (*leave)(void *user);   /* the process is about to end without clean-up: remove what others would see */
};

/* Block the signals that the control thread reads; before any thread is made, so that all inherit it. */
void control_block_signals(void);

/* Make everything that the control thread needs, so that nothing is missing once the node is announced.
 * Fails: TROUPE_E_NO_MEMORY, TROUPE_E_INTERNAL (no descriptors). */
TROUPE_MUST_USE int control_new(const struct control_config *config, struct control **ret_control);
void control_free(struct control *control); /* State: other threads have ended. NULL is legal */

/* Rouse the thread: something is in its crossings. Any thread. */
void control_wake(void *control);

/* The hooks of membership_config; user is the control. Thread: control. */
void control_on_up(void *control);
void control_on_drain(void *control);
void control_on_failed(void *control, int status, const char *words);

/* Be a member, and run until a signal, a drain or the registry has ended the node: its loops have then ended. Owns the
 * listening sockets from here on. Returns an exit status. A worker that is stuck ends the process from here, with
 * CONFIG_EXIT_STUCK. */
TROUPE_MUST_USE int control_run(struct control *control, struct membership *membership);

#endif
