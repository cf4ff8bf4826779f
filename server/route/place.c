/* SPDX-License-Identifier: Apache-2.0
 *
 * A question is one piece of memory that crosses to the control thread and comes back. Its worker's half is only
 * touched by the worker, also while the control thread has the other half: so an asker that leaves just takes itself
 * out. */
#include "route/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster.h"
#include "route/crossing.h"

enum kind { FIND = 1, RESERVE, CLAIM, NAMED, UNNAMED, DRAIN };

struct question {
    struct crossing_item item;   /* first */
    struct place *place;
    enum kind kind;
    /* the worker's */
    unsigned worker;
    struct place_request *request; /* NULL: nobody asks any more */
    bool is_in_core;             /* the core spawns, and its request has us as user */
    troupe_request *core;
    void *core_user;             /* the caller's, meanwhile */
    const troupe_spawn_opts *opts;
    troupe_ref spawned;
    /* what crosses */
    troupe_ref ref;
    int error;
    size_t name_len;
    char name[];
};

struct place {
    struct place_config config;
    struct place_registry registry;
    _Atomic uint64_t trusted_until_ms; /* of the core's names, on a node that has joined */
    struct crossing to_control, to_worker[TROUPE_WORKERS_MAX];
};

static troupe_view name_of(const struct question *question)
{
    return (troupe_view){question->name, question->name_len};
}

static struct question *new_question(struct place *place, enum kind kind, troupe_view name)
{
    struct question *question = malloc(sizeof *question + name.len);
    if (question == NULL)
        return NULL;
    memset(question, 0, sizeof *question);
    question->place = place;
    question->kind = kind;
    question->name_len = name.len;
    if (name.len > 0)
        memcpy(question->name, name.ptr, name.len);
    return question;
}

static void send_to_control(struct question *question)
{
    struct place *place = question->place;
    if (crossing_put(&place->to_control, &question->item))
        place->config.wake_control(place->config.user);
}

/* ---- the worker's side: finding ---- */

static unsigned index_of(const struct place *place, const troupe_worker *worker)
{
    unsigned index = 0;
    while (troupe_system_worker(place->config.system, index) != worker)
        index++;
    return index;
}

bool place_asks(const struct place *place) { return place->config.asks; }

int place_find_now(struct place *place, troupe_view name, troupe_ref *ret_ref)
{
    if (place->config.asks && atomic_load_explicit(&place->trusted_until_ms, memory_order_relaxed) <= clock_boot_ms())
        return TROUPE_E_STATE;
    int error = troupe_system_whereis(place->config.system, name, ret_ref);
    return error == TROUPE_E_NOT_FOUND && place->config.asks ? TROUPE_E_STATE : error;
}

void place_find(struct place *place, troupe_worker *worker, struct place_request *request, place_fn done,
                troupe_view name)
{
    troupe_ref ref = {0};
    request->open = NULL;
    int error = place_find_now(place, name, &ref);
    struct question *question = error == TROUPE_E_STATE ? new_question(place, FIND, name) : NULL;
    if (question == NULL) {
        done(request, error == TROUPE_E_STATE ? TROUPE_E_NO_MEMORY : error, ref);
        return;
    }
    question->worker = index_of(place, worker);
    question->request = request;
    request->worker = worker;
    request->done = done;
    request->open = question;
    send_to_control(question);
}

static void finish_find(struct question *question)
{
    struct place_request *request = question->request;
    int error = question->error;
    troupe_ref ref = question->ref;
    free(question);
    request->open = NULL;
    request->done(request, error, ref);
}

/* ---- spawning ---- */

static void finish_spawn(struct question *question, const troupe_answer *answer)
{
    struct place_request *request = question->request;
    troupe_request *core = question->core;
    free(question);
    request->open = NULL;
    request->spawned(core, answer);
}

static void on_spawned(troupe_request *core, const troupe_answer *answer)
{
    struct question *question = core->user;
    core->user = question->core_user;
    question->is_in_core = false;
    if (answer->error != 0) {
        finish_spawn(question, answer);
        return;
    }
    question->kind = CLAIM;
    question->spawned = question->ref = answer->ref;
    send_to_control(question);
}

static void spawn(struct question *question)
{
    question->core_user = question->core->user;
    question->core->user = question;
    question->is_in_core = true;
    troupe_request_spawn(question->request->worker, question->core, on_spawned, question->opts);
}

static void on_killed(troupe_request *core, const troupe_answer *answer)
{
    (void)answer;
    free(core);
}

/* The name is not the actor's: it, which nobody knows yet, ends. */
static void kill_nameless(struct question *question)
{
    troupe_system *system = question->place->config.system;
    troupe_request *core = calloc(1, sizeof *core);
    (void)troupe_system_name_drop(system, name_of(question), question->spawned);
    if (core != NULL)
        troupe_request_stop(troupe_system_worker(system, question->worker), core, on_killed, question->spawned,
                            TROUPE_KILL, troupe_view_of("its name was not confirmed"), TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT);
}

/* Only what the registry has confirmed is told as done: one that went away meanwhile may give the name to another when it
 * is back, and then two would have been told that it is theirs. */
static void claimed(struct question *question)
{
    troupe_answer answer = {.error = question->error};
    if (question->error == 0)
        answer.ref = question->spawned;
    else if (question->error == TROUPE_E_NAME_TAKEN)
        answer.ref = question->ref;
    if (question->error != 0)
        kill_nameless(question);
    if (question->request != NULL)
        finish_spawn(question, &answer);
    else
        free(question);
}

static void reserved(struct question *question)
{
    if (question->error == 0) {
        spawn(question);
        return;
    }
    const troupe_answer answer = {.error = question->error, .ref = question->ref};
    finish_spawn(question, &answer);
}

void place_spawn(struct place *place, troupe_worker *worker, struct place_request *request, troupe_request *core,
                 troupe_request_fn spawned, const troupe_spawn_opts *opts)
{
    troupe_ref holder;
    request->open = NULL;
    /* A name that the core's own table has is refused by the core itself. */
    if (opts->name.len == 0 || !place->config.asks ||
        troupe_system_whereis(place->config.system, opts->name, &holder) == 0) {
        troupe_request_spawn(worker, core, spawned, opts);
        return;
    }
    struct question *question = new_question(place, RESERVE, opts->name);
    if (question == NULL) {
        const troupe_answer answer = {.error = TROUPE_E_NO_MEMORY};
        spawned(core, &answer);
        return;
    }
    question->worker = index_of(place, worker);
    question->request = request;
    question->core = core;
    question->opts = opts;
    question->ref = (troupe_ref){.home = troupe_system_home(place->config.system)};
    request->worker = worker;
    request->spawned = spawned;
    request->core = core;
    request->open = question;
    send_to_control(question);
}

/* ---- answers ---- */

static void answered(struct question *question)
{
    if (question->kind == CLAIM)
        claimed(question);
    else if (question->request == NULL)
        free(question);
    else if (question->kind == FIND)
        finish_find(question);
    else
        reserved(question);
}

void place_run(struct place *place, uint32_t worker)
{
    if (crossing_is_empty(&place->to_worker[worker]))
        return;
    struct crossing_item *item = crossing_take(&place->to_worker[worker]);
    while (item != NULL) {
        struct crossing_item *next = item->next;
        answered((struct question *)(void *)item);
        item = next;
    }
}

void place_cancel(struct place_request *request)
{
    struct question *question = request->open;
    request->open = NULL;
    if (question == NULL)
        return;
    question->request = NULL;
    if (!question->is_in_core)
        return; /* it comes back, and ends in answered() */
    troupe_request_cancel(question->core);
    question->core->user = question->core_user;
    free(question);
}

void place_tell_home(struct place *place, troupe_home home, char *text, size_t cap)
{
    char node[TROUPE_HOME_TEXT_MAX], url[CLUSTER_URL_BYTES];
    text[0] = '\0';
    if (troupe_home_equal(home, troupe_system_home(place->config.system)) || home.high != 0)
        return;
    troupe_home_format(home, node);
    if (cluster_api_url(place->config.cluster, home, url, sizeof url))
        snprintf(text, cap, "the actor is at node %s; ask there: %s", node, url);
    else
        snprintf(text, cap, "the actor was at node %s, which is no member of this cluster, or not any more", node);
}

/* ---- any thread ---- */

void place_named(struct place *place, troupe_view name, troupe_ref ref, bool taken)
{
    struct question *question = place->config.asks ? new_question(place, taken ? NAMED : UNNAMED, name) : NULL;
    if (question == NULL) {
        if (place->config.asks)
            log_printf(TROUPE_LOG_ERROR, "the registry could not be told of a name: memory is exhausted");
        return;
    }
    question->ref = ref;
    send_to_control(question);
}

int place_ask_drain(void *user, troupe_home node)
{
    struct place *place = user;
    struct question *question = new_question(place, DRAIN, (troupe_view){NULL, 0});
    if (question == NULL)
        return TROUPE_E_NO_MEMORY;
    question->ref.home = node;
    send_to_control(question);
    return 0;
}

/* ---- the control thread's side ---- */

static void serve(const struct place_registry *registry, struct question *question)
{
    uint64_t ticket = (uint64_t)(uintptr_t)question;
    switch (question->kind) {
    case FIND:
        registry->find(registry->user, ticket, name_of(question));
        return;
    case RESERVE:
    case CLAIM:
        registry->claim(registry->user, ticket, name_of(question), question->ref);
        return;
    case NAMED:
    case UNNAMED:
        registry->named(registry->user, name_of(question), question->ref, question->kind == NAMED);
        break;
    case DRAIN:
        registry->drain(registry->user, question->ref.home);
        break;
    }
    free(question);
}

void place_serve(struct place *place, const struct place_registry *registry)
{
    struct crossing_item *item = crossing_take(&place->to_control);
    while (item != NULL) {
        struct crossing_item *next = item->next;
        serve(registry, (struct question *)(void *)item);
        item = next;
    }
}

void place_trust_names(struct place *place, uint64_t until_ms)
{
    atomic_store_explicit(&place->trusted_until_ms, until_ms, memory_order_relaxed);
}

void place_answer(struct place *place, uint64_t ticket, int error, troupe_ref ref)
{
    struct question *question = (struct question *)(uintptr_t)ticket;
    unsigned worker = question->worker;
    question->error = error;
    question->ref = ref;
    if (crossing_put(&place->to_worker[worker], &question->item))
        place->config.wake_worker(place->config.user, worker);
}

/* ---- life ---- */

int place_new(const struct place_config *config, struct place **ret_place)
{
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL)
        return TROUPE_E_NO_MEMORY;
    place->config = *config;
    atomic_init(&place->trusted_until_ms, UINT64_MAX);
    *ret_place = place;
    return 0;
}

static void drop_all(struct crossing *crossing)
{
    struct crossing_item *item = crossing_take(crossing);
    while (item != NULL) {
        struct crossing_item *next = item->next;
        free(item);
        item = next;
    }
}

void place_free(struct place *place)
{
    if (place == NULL)
        return;
    drop_all(&place->to_control);
    for (unsigned i = 0; i < TROUPE_WORKERS_MAX; i++)
        drop_all(&place->to_worker[i]);
    free(place);
}
