/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things are: from a reference or a name to the place that has the actor, and spawns whose names the whole
 * cluster agrees on. All that sends for an outsider (REST, sessions) goes through this room, so it is the only one that
 * has to learn about peers.
 *
 * A node that is its own registry answers at once from its table of names, which then is the cluster's. A node that has
 * joined another asks the registry for what it does not know, on the control thread, and answers later.
 *
 * A spawn under a name, on a node that has joined:
 *   reserve     the registry keeps the name for this node                       taken, lost -> spawned with the error
 *   spawn       the core starts the actor, which takes the name in the core's table     failed -> spawned with it
 *   claim       the registry notes the actor                      taken, lost -> the actor is killed, and spawned tells
 *   done        `spawned` runs
 * The name is claimed behind the back as soon as the core has it, which is before the actor runs: so a start may take
 * longer than a reservation lasts. The last step only waits for that claim's answer.
 * Names that actors take inside a turn come by place_named, and are claimed behind the back.
 *
 * Thread: the owner of the worker, where nothing else is said. */
#ifndef TROUPE_SERVER_PLACE_H
#define TROUPE_SERVER_PLACE_H

#include <troupe/system.h>

struct place;                    /* one in a node; api_env has it */

struct place_request;
typedef void (*place_fn)(struct place_request *request, int error, troupe_ref ref);

/* Embed it; zero it before each use and set user. Lives: until done ran, or place_cancel returned. */
struct place_request {
    void *user;
    place_fn done;
    troupe_request_fn spawned;
    troupe_worker *worker;
    troupe_request *core;
    void *open;                  /* the room's own: what is under way */
};

/* Find the holder of a name. done runs once, on this worker, before this returns or from a later pass of its loop.
 * Errors: TROUPE_E_NOT_FOUND, TROUPE_E_REGISTRY_LOST, TROUPE_E_LIMIT (too many questions are open). */
void place_find(struct place *place, troupe_worker *worker, struct place_request *request, place_fn done,
                troupe_view name);

/* The same without asking anybody: TROUPE_E_STATE when it has to be asked (then place_find). */
TROUPE_MUST_USE int place_find_now(struct place *place, troupe_view name, troupe_ref *ret_ref);

/* As troupe_request_spawn, `spawned` being its done; a name is first made sure of in the whole cluster. With
 * TROUPE_E_NAME_TAKEN the answer's ref is the holder, wherever it is. core is the caller's, as for
 * troupe_request_spawn. opts and what it points to must live until `spawned` ran. */
void place_spawn(struct place *place, troupe_worker *worker, struct place_request *request, troupe_request *core,
                 troupe_request_fn spawned, const troupe_spawn_opts *opts);

/* Does this node ask a registry elsewhere, so that names take time? Any thread. */
bool place_asks(const struct place *place);

/* The asker is gone: nothing of it runs any more (a spawn that has begun still happens). */
void place_cancel(struct place_request *request);

/* Words for an actor of another home, or "": where it is, so that the client can go there. The text is written to
 * `text` (cap bytes). */
void place_tell_home(struct place *place, troupe_home home, char *text, size_t cap);

/* ---- the node's own side ---- */

struct cluster;

struct place_config {
    troupe_system *system;
    struct cluster *cluster;
    bool asks;                   /* this node joins the registry of another */
    void (*wake_worker)(void *user, uint32_t worker); /* any thread */
    void (*wake_control)(void *user);                 /* any thread */
    void *user;
};
TROUPE_MUST_USE int place_new(const struct place_config *config, struct place **ret_place);

/* State: nothing runs any more. What is still under way is dropped. */
void place_free(struct place *place);

/* Answers for this worker. To be called on each pass of its loop, and after a wake. Thread: the worker's. */
void place_run(struct place *place, uint32_t worker);

/* The core has taken a name, or given it back: the hook `named` of the system. Any thread. */
void place_named(struct place *place, troupe_view name, troupe_ref ref, bool taken);

/* Ask the control thread that a member drains: the hook of cluster_set_drain. Any thread. */
int place_ask_drain(void *place, troupe_home node);

/* What comes out at the control thread. A ticket is answered by place_answer, once. */
struct place_registry {
    void *user;
    void (*claim)(void *user, uint64_t ticket, troupe_view name, troupe_ref ref);
    void (*find)(void *user, uint64_t ticket, troupe_view name);
    void (*named)(void *user, troupe_view name, troupe_ref ref, bool taken);
    void (*drain)(void *user, troupe_home node);
};
void place_serve(struct place *place, const struct place_registry *registry); /* thread: control */
/* What the core's table says of names is true until then, by the boot clock; later the registry is asked. A node that was
 * stopped for longer than its lease must not serve a name that is another's by now. Thread: control. */
void place_trust_names(struct place *place, uint64_t until_ms);
void place_answer(struct place *place, uint64_t ticket, int error, troupe_ref ref); /* thread: control */

#endif
