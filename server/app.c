/* SPDX-License-Identifier: Apache-2.0
 *
 * The file is the body of POST /v1/actors, with two defaults of its own: restart is permanent, so the actor lives under
 * troupe.root and is started again like any other, and the start may take as long as a start may. What is wrong with
 * the file itself is told before anything is made.
 *
 * The control thread asks worker 0 to spawn it; the answer comes there, is written down, and the control thread is
 * woken: `state` is published with release by the worker and read with acquire by the control thread. */
#include "app.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract.h"
#include "api/spawn_body.h"
#include "base/log.h"
#include "config.h"
#include "io/loop.h"
#include "route/place.h"

enum { WORDS_BYTES = 1024 };

struct app {
    struct app_config config;
    char *text;                  /* of the file */
    struct spawn_body body;      /* its args point into the text */
    troupe_spawn_opts opts;
    struct place *place;
    struct place_request request;
    troupe_request core;
    _Atomic int state;           /* enum app_state */
    char words[WORDS_BYTES];     /* set before the state is APP_FAILED */
};

static int refuse(const struct app_config *config, char *words, size_t words_cap, const char *field, const char *detail)
{
    snprintf(words, words_cap, "--app %s: %s%s%s", config->path, field, field[0] != '\0' ? ": " : "", detail);
    return CONFIG_EXIT_USAGE;
}

/* Read the whole file. NULL with errno. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(TROUPE_BODY_BYTES_MAX + 1) : NULL;
    size_t len = text != NULL ? fread(text, 1, TROUPE_BODY_BYTES_MAX + 1, file) : 0;
    int error = text == NULL || ferror(file) ? errno : len > TROUPE_BODY_BYTES_MAX ? EFBIG : 0;
    if (file != NULL)
        fclose(file);
    if (error != 0) {
        free(text);
        errno = error;
        return NULL;
    }
    char *fitting = realloc(text, len + 1);
    *ret_len = len;
    return fitting != NULL ? fitting : text;
}

static int check(struct app *app, size_t len, char *words, size_t words_cap)
{
    const struct app_config *config = &app->config;
    struct check_fault fault;
    struct schema_fault wrong;
    app->body.restart = TROUPE_PERMANENT;
    app->body.start_timeout_ms = TROUPE_CALL_TIMEOUT_MS_MAX;
    if (spawn_body_read(app->text, len, &app->body, &fault) != 0)
        return refuse(config, words, words_cap, fault.field, fault.detail);
    if (app->body.name[0] != '\0' && !check_is_name(troupe_view_of(app->body.name)))
        return refuse(config, words, words_cap, "name", check_name_rule);
    if (troupe_system_behavior(config->system, troupe_view_of(app->body.behavior)) == NULL)
        return refuse(config, words, words_cap, "behavior", "this node has no such behavior");
    const struct schema *schema = contract_of_args(config->system, troupe_view_of(app->body.behavior));
    if (schema != NULL && schema_check(schema, app->body.args, &wrong) != 0) {
        char field[sizeof "/args" + SCHEMA_POINTER_BYTES];
        snprintf(field, sizeof field, "/args%s", wrong.pointer);
        return refuse(config, words, words_cap, field, wrong.detail);
    }
    app->opts = spawn_body_opts(&app->body);
    return CONFIG_EXIT_OK;
}

int app_new(const struct app_config *config, struct app **ret_app, char *words, size_t words_cap)
{
    struct app *app = calloc(1, sizeof *app);
    size_t len = 0;
    if (app == NULL) {
        snprintf(words, words_cap, "memory is exhausted");
        return CONFIG_EXIT_FAILED;
    }
    app->config = *config;
    app->text = read_file(config->path, &len);
    int status = app->text == NULL ? refuse(config, words, words_cap, "", strerror(errno))
                                   : check(app, len, words, words_cap);
    if (status != CONFIG_EXIT_OK) {
        app_free(app);
        return status;
    }
    *ret_app = app;
    return CONFIG_EXIT_OK;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    free(app->text);
    free(app);
}

/* Thread: the worker's. */
static void set_state(struct app *app, enum app_state state)
{
    atomic_store_explicit(&app->state, (int)state, memory_order_release);
    app->config.wake_control(app->config.user);
}

static void spawned(troupe_request *core, const troupe_answer *answer)
{
    struct app *app = core->user;
    bool is_elsewhere = answer->error == TROUPE_E_NAME_TAKEN && app->body.if_exists == IF_EXISTS_RETURN;
    if (answer->error == 0 || is_elsewhere) {
        set_state(app, APP_RUNS);
        return;
    }
    const troupe_error_info *error = troupe_error_lookup(answer->error);
    bool is_named = answer->detail.len > 0;
    snprintf(app->words, sizeof app->words, "--app %s: the application did not start: %s: %.*s", app->config.path,
             error->code, is_named ? (int)answer->detail.len : (int)strlen(error->text),
             is_named ? answer->detail.ptr : error->text);
    set_state(app, APP_FAILED);
}

static void spawn(void *user, troupe_worker *worker)
{
    struct app *app = user;
    app->core = (troupe_request){.user = app};
    app->request = (struct place_request){.user = app};
    place_spawn(app->place, worker, &app->request, &app->core, spawned, &app->opts);
}

void app_start(struct app *app, struct place *place, struct loop *loop)
{
    log_printf(TROUPE_LOG_DEBUG, "the application is being started");
    app->place = place;
    atomic_store_explicit(&app->state, APP_STARTING, memory_order_relaxed);
    loop_send_task(loop, spawn, app);
}

enum app_state app_look(const struct app *app)
{
    return (enum app_state)atomic_load_explicit(&app->state, memory_order_acquire);
}

const char *app_words(const struct app *app) { return app->words; }
