/* SPDX-License-Identifier: Apache-2.0
 *
 * A system with the standard behaviors and one worker on virtual time, for one test program: include it once, after
 * cmocka.h. Requests are driven until they are done, and time jumps from deadline to deadline, so nothing waits. */
#ifndef TROUPE_TESTS_BEHAVIOR_WORLD_H
#define TROUPE_TESTS_BEHAVIOR_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/behaviors.h>
#include <troupe/system.h>

#include "port/port.h"

#define NS_PER_MS 1000000u
#define POLLS_MAX 100000

/* What came back, copied out of the answer. */
struct outcome {
    bool is_done;
    int error;
    unsigned app_status;
    troupe_ref ref;
    char app_code[TROUPE_TYPE_BYTES_MAX + 1];
    char detail[TROUPE_REASON_BYTES_MAX + 1];
    char content_type[TROUPE_CONTENT_TYPE_BYTES_MAX + 1];
    char *body; /* owned: a C string, until the next request */
    size_t body_len;
};

struct world {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    struct outcome outcome;
    unsigned ended; /* actors, so far */
    troupe_exit last_exit; /* without its detail */
};

static struct world world;

static inline void on_ended(void *user, troupe_ref actor, const char *behavior, const troupe_exit *exit)
{
    (void)user;
    (void)actor;
    (void)behavior;
    world.ended++;
    world.last_exit = *exit;
    world.last_exit.detail = (troupe_view){0};
}

static inline int setup_with(troupe_system_config config)
{
    config.node = config.seed = 7;
    config.ended = on_ended;
    world = (struct world){.now_ns = 1000 * (uint64_t)NS_PER_MS};
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    for (unsigned i = 0; troupe_behaviors_at(i) != NULL; i++)
        assert_int_equal(troupe_system_add_behavior(world.system, troupe_behaviors_at(i)), 0);
    world.worker = troupe_system_worker(world.system, 0);
    troupe_worker_set_now(world.worker, world.now_ns);
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    return setup_with((troupe_system_config){0});
}

static inline int teardown(void **state)
{
    (void)state;
    troupe__port_fail_after(0);
    troupe_system_free(world.system);
    free(world.outcome.body);
    return 0;
}

/* ---- driving ---- */

/* Run what is due; returns the ns until there is more. */
static inline uint64_t run_due(void)
{
    uint64_t delay_ns;

    do
        delay_ns = troupe_worker_poll(world.worker, world.now_ns, 100);
    while (delay_ns == 0);
    return delay_ns;
}

/* Let time go by, from deadline to deadline. */
static inline void advance_ms(uint64_t ms)
{
    uint64_t until_ns = world.now_ns + ms * NS_PER_MS, delay_ns;

    while ((delay_ns = run_due()) <= until_ns - world.now_ns)
        world.now_ns += delay_ns;
    world.now_ns = until_ns;
    run_due();
}

static inline void copy_view(char *dst, size_t cap, troupe_view src)
{
    assert_true(src.len < cap);
    memcpy(dst, src.len != 0 ? src.ptr : "", src.len);
    dst[src.len] = '\0';
}

static inline void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct outcome *outcome = request->user;

    assert_false(outcome->is_done);
    outcome->is_done = true;
    outcome->error = answer->error;
    outcome->app_status = answer->app_status;
    outcome->ref = answer->ref;
    copy_view(outcome->app_code, sizeof outcome->app_code, answer->app_code);
    copy_view(outcome->detail, sizeof outcome->detail, answer->detail);
    copy_view(outcome->content_type, sizeof outcome->content_type, troupe_view_of(answer->content_type));
    outcome->body = malloc(answer->body.len + 1);
    assert_non_null(outcome->body);
    outcome->body_len = answer->body.len;
    copy_view(outcome->body, answer->body.len + 1, answer->body);
}

static inline troupe_request request_new(void)
{
    free(world.outcome.body);
    world.outcome = (struct outcome){0};
    return (troupe_request){.user = &world.outcome};
}

/* Drive until the request is done. Time goes by only while nothing else can be done. */
static inline int until_done(void)
{
    for (int i = 0; !world.outcome.is_done; i++) {
        uint64_t delay_ns = run_due();

        assert_true(i < POLLS_MAX);
        if (world.outcome.is_done)
            break;
        assert_true(delay_ns != TROUPE_NEVER); /* else it would be open for ever */
        world.now_ns += delay_ns;
    }
    return world.outcome.error;
}

static inline int spawn(const char *behavior, const char *args)
{
    troupe_spawn_opts opts = {.behavior = behavior, .args = troupe_body_json(args, strlen(args))};
    troupe_request request = request_new();

    troupe_request_spawn(world.worker, &request, on_done, &opts);
    return until_done();
}

static inline troupe_ref must_spawn(const char *behavior, const char *args)
{
    assert_int_equal(spawn(behavior, args), 0);
    assert_true(troupe_ref_is_actor(world.outcome.ref));
    return world.outcome.ref;
}

static inline int call_body(troupe_ref ref, const char *type, troupe_body body, uint32_t timeout_ms)
{
    troupe_request request = request_new();

    troupe_request_call(world.worker, &request, on_done, ref, troupe_view_of(type), body, (troupe_caller){0},
                        timeout_ms);
    return until_done();
}

static inline int call(troupe_ref ref, const char *type, const char *body)
{
    return call_body(ref, type, troupe_body_json(body, strlen(body)), 0);
}

static inline int stop(troupe_ref ref)
{
    troupe_request request = request_new();

    troupe_request_stop(world.worker, &request, on_done, ref, TROUPE_STOP, (troupe_view){0}, 0);
    return until_done();
}

/* A call, what it must end with, and the reply or (for errors) a part of the detail; NULL: any. */
struct row {
    const char *type;
    const char *body;
    int error;
    const char *says;
};

static inline void check_rows(troupe_ref ref, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        const char *said;

        print_message("# %s %s\n", row->type, row->body);
        assert_int_equal(call(ref, row->type, row->body), row->error);
        said = row->error == 0 ? world.outcome.body : world.outcome.detail;
        if (row->says != NULL && row->error == 0)
            assert_string_equal(said, row->says);
        else if (row->says != NULL)
            assert_non_null(strstr(said, row->says));
    }
}

#define CHECK_ROWS(ref, rows) check_rows(ref, rows, sizeof(rows) / sizeof(rows)[0])

static inline void assert_app_error(const char *code, unsigned status)
{
    assert_int_equal(world.outcome.error, TROUPE_E_APP);
    assert_string_equal(world.outcome.app_code, code);
    assert_int_equal(world.outcome.app_status, status);
}

/* The reply has this text in it; the failure shows the reply. */
static inline void assert_reply_has(const char *part)
{
    if (strstr(world.outcome.body, part) == NULL)
        assert_string_equal(world.outcome.body, part);
}

/* A reference inside a JSON text: args or body with one %s. */
static inline const char *with_ref(const char *format, troupe_ref ref)
{
    static char text[512];
    char ref_text[TROUPE_REF_TEXT_MAX];

    troupe_ref_format(ref, ref_text);
    snprintf(text, sizeof text, format, ref_text);
    return text;
}

#endif
