/* SPDX-License-Identifier: Apache-2.0
 *
 * The application of a node: the actor that --app FILE describes, most often a supervisor with a tree below it. It is
 * started once, when the node is a member of its cluster and before the node says that it is ready.
 *
 * Thread: control, where nothing else is said. */
#ifndef TROUPE_SERVER_APP_H
#define TROUPE_SERVER_APP_H

#include <troupe/system.h>

struct app;
struct loop;
struct place;

struct app_config {
    const char *path;
    troupe_system *system;
    void (*wake_control)(void *user); /* any thread */
    void *user;
};

/* Read and check the file. Fails: an exit status (enum config_exit), with words. */
TROUPE_MUST_USE int app_new(const struct app_config *config, struct app **ret_app, char *words, size_t words_cap);
void app_free(struct app *app);

/* Start it on this loop's worker. Once. */
void app_start(struct app *app, struct place *place, struct loop *loop);

enum app_state {
    APP_IDLE = 0,                /* not started yet */
    APP_STARTING,
    APP_RUNS,
    APP_FAILED
};
enum app_state app_look(const struct app *app);

/* Why it failed: one line for people. State: APP_FAILED. */
const char *app_words(const struct app *app);

#endif
