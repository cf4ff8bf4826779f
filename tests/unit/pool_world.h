/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool whose workers are hands: each job of type "work" stays open until the test says finish(), so that the test
 * sees who began what, in which order. One system, virtual time; include it once, after cmocka.h. */
#ifndef TROUPE_TESTS_POOL_WORLD_H
#define TROUPE_TESTS_POOL_WORLD_H

#include <stdio.h>
#include <string.h>

#include <troupe/behaviors.h>
#include <troupe/json.h>
#include <troupe/pool.h>
#include <troupe/system.h>

#include "port/port.h"

#define NS_PER_MS UINT64_C(1000000)
#define JOBS_MAX 4096

/* A request, and what came of it. */
struct asked {
    troupe_request request;
    unsigned times;
    int error;
    unsigned app_status;
    troupe_ref ref;
    char body[2048];
    char detail[TROUPE_REASON_BYTES_MAX + 1];
};

/* A job that a worker has begun. */
struct begun {
    char text[40]; /* its body */
    troupe_ref worker;
    troupe_handle handle;
    bool is_call;
};

static struct {
    troupe_system *system;
    troupe_worker *worker, *second;
    uint64_t now_ns;
    troupe_ref pool;
    struct asked asked[JOBS_MAX];
    unsigned asked_count;
    struct begun begun[JOBS_MAX];
    unsigned begun_count, starts, starts_to_fail, fails;
    unsigned pool_ends;
    troupe_exit pool_exit;
    void (*in_turn)(void); /* of a job "stay" */
    troupe_ref keeper;     /* a hand outside of the pool, which a job "pause" waits for */
} world;

/* ---- the worker ---- */

static int hand_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)state;
    (void)args;
    world.starts++;
    if (world.starts_to_fail == 0)
        return 0;
    world.starts_to_fail--;
    return troupe_fail(ctx, TROUPE_E_SCHEMA, "no hand is free");
}

static int on_pause_over(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)state;
    return troupe_reply_to(ctx, world.begun[reply->tag].handle, troupe_body_json("\"paused\"", 8));
}

static int hand_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    char ref[TROUPE_REF_TEXT_MAX + 2];
    uint32_t which;

    (void)state;
    if (strcmp(msg->type, "finish") == 0) {
        memcpy(&which, msg->body, sizeof which);
        const struct begun *job = &world.begun[which];
        return troupe_reply_to(ctx, job->handle, troupe_body_json(job->text, strlen(job->text)));
    }
    if (strcmp(msg->type, "who") == 0) {
        size_t len = troupe_ref_format(troupe_self(ctx), ref + 1);
        ref[0] = ref[len + 1] = '"';
        return troupe_reply(ctx, troupe_body_json(ref, len + 2));
    }
    if (strcmp(msg->type, "refuse") == 0)
        return troupe_reply_app_error(ctx, "out-of-stock", 409, "none is left");
    if (strcmp(msg->type, "silence") == 0)
        return 0;
    if (strcmp(msg->type, "end") == 0) {
        troupe_stop_self(ctx, "enough");
        return 0;
    }
    assert_true(world.begun_count < JOBS_MAX);
    struct begun *job = &world.begun[world.begun_count++];
    size_t len = msg->body_len < sizeof job->text ? msg->body_len : sizeof job->text - 1;
    *job = (struct begun){.worker = troupe_self(ctx), .is_call = msg->kind == TROUPE_MSG_CALL};
    memcpy(job->text, msg->body, len);
    if (strcmp(msg->type, "stay") == 0)
        world.in_turn();
    if (strcmp(msg->type, "fail") == 0 || (strcmp(msg->type, "fail_some") == 0 && world.fails != 0)) {
        world.fails -= world.fails != 0;
        return troupe_fail(ctx, TROUPE_E_INTERNAL, "the hand was burnt");
    }
    if (strcmp(msg->type, "work") == 0)
        return troupe_reply_keep(ctx, &job->handle);
    if (strcmp(msg->type, "pause") == 0) {
        int rc = troupe_reply_keep(ctx, &job->handle);
        return rc ? rc
                  : troupe_call_wait(ctx, world.keeper, "work", troupe_body_none(), 20000, on_pause_over,
                                     world.begun_count - 1);
    }
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_of(msg)) : 0;
}

static const troupe_type hand_types[] = {{.name = "work"},   {.name = "fail"},   {.name = "fail_some"}, {.name = "who"},
                                         {.name = "finish"}, {.name = "stay"},   {.name = "refuse"},
                                         {.name = "silence"}, {.name = "end"},   {.name = "echo"},
                                         {.name = "pause"}};

static const troupe_behavior hand = {TROUPE_BEHAVIOR_HEAD,
                                     .name = "hand",
                                     .version = "1",
                                     .summary = "keeps what it is given",
                                     .types = hand_types,
                                     .types_count = sizeof hand_types / sizeof hand_types[0],
                                     .init = hand_init,
                                     .receive = hand_receive};

/* ---- the world ---- */

static void on_ended(void *user, troupe_ref actor, const char *behavior, const troupe_exit *exit)
{
    (void)user;
    if (!troupe_ref_equal(actor, world.pool) && strcmp(behavior, "pool") != 0)
        return;
    world.pool_ends++;
    world.pool_exit = *exit;
    world.pool_exit.detail = (troupe_view){0};
}

static inline int open_with(unsigned workers)
{
    troupe_system_config config = {
        .node = 7, .seed = 7, .workers = workers, .no_inline = true, .actors_max = 16384, .ended = on_ended};

    memset(&world, 0, sizeof world);
    world.now_ns = 1000 * NS_PER_MS;
    assert_int_equal(troupe_system_new(&config, &world.system), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &troupe_behavior_pool), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &hand), 0);
    world.worker = troupe_system_worker(world.system, 0);
    world.second = workers > 1 ? troupe_system_worker(world.system, 1) : NULL;
    troupe_worker_set_now(world.worker, world.now_ns);
    return 0;
}

static inline int set_up(void **state)
{
    (void)state;
    return open_with(1);
}

static inline uint64_t run(void)
{
    uint64_t delay_ns;

    while ((delay_ns = troupe_worker_poll(world.worker, world.now_ns, 100)) == 0)
        ;
    return delay_ns;
}

static inline void pass(uint64_t ms)
{
    uint64_t until_ns = world.now_ns + ms * NS_PER_MS, delay_ns;

    while ((delay_ns = run()) <= until_ns - world.now_ns)
        world.now_ns += delay_ns;
    world.now_ns = until_ns;
    run();
}

static inline int tear_down(void **state)
{
    troupe_stats stats;

    (void)state;
    troupe__port_fail_after(0);
    troupe_system_shutdown(world.worker, TROUPE_KILL, 1000);
    run();
    pass(2000);
    troupe_system_stats(world.system, &stats);
    assert_int_equal(stats.actors, 0);
    troupe_system_free(world.system);
    for (unsigned i = 0; i < world.asked_count; i++)
        assert_in_range(world.asked[i].times, 1, 1); /* each was answered once */
    return 0;
}

/* ---- asking ---- */

static void copy_text(char *dst, size_t cap, troupe_view src)
{
    size_t len = src.len < cap ? src.len : cap - 1;

    if (len != 0)
        memcpy(dst, src.ptr, len);
    dst[len] = '\0';
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;

    asked->times++;
    asked->error = answer->error;
    asked->app_status = answer->app_status;
    asked->ref = answer->ref;
    copy_text(asked->body, sizeof asked->body, answer->body);
    copy_text(asked->detail, sizeof asked->detail, answer->detail);
}

static inline struct asked *new_asked(void)
{
    assert_true(world.asked_count < JOBS_MAX);
    struct asked *asked = &world.asked[world.asked_count++];
    asked->request.user = asked;
    return asked;
}

/* Call the pool, and let all happen that can happen now. */
static inline struct asked *ask_within(const char *type, const char *body, uint32_t timeout_ms)
{
    struct asked *asked = new_asked();

    troupe_request_call(world.worker, &asked->request, on_done, world.pool, troupe_view_of(type),
                        troupe_body_json(body, strlen(body)), (troupe_caller){0}, timeout_ms);
    run();
    return asked;
}

static inline struct asked *ask(const char *type, const char *body) { return ask_within(type, body, 300000); }

static inline void cast(const char *type, const char *body)
{
    assert_int_equal(troupe_worker_cast(world.worker, world.pool, troupe_view_of(type),
                                        troupe_body_json(body, strlen(body)), (troupe_caller){0}),
                     0);
    run();
}

/* Let the worker answer the job that was begun as the which-th. */
static inline void finish(uint32_t which)
{
    assert_true(which < world.begun_count);
    assert_int_equal(troupe_worker_cast(world.worker, world.begun[which].worker, troupe_view_of("finish"),
                                        troupe_body_bytes(&which, sizeof which, "application/octet-stream"),
                                        (troupe_caller){0}),
                     0);
    run();
}

static inline struct asked *spawn_pool_as(const char *behavior, const char *args)
{
    struct asked *asked = new_asked();
    troupe_spawn_opts opts = {.behavior = behavior, .args = troupe_body_json(args, strlen(args))};

    troupe_request_spawn(world.worker, &asked->request, on_done, &opts);
    run();
    world.pool = asked->ref;
    return asked;
}

/* args: members besides the worker. */
static inline void open_pool(const char *args)
{
    char text[512];

    snprintf(text, sizeof text, "{\"worker\":{\"behavior\":\"hand\"}%s%s}", args[0] ? "," : "", args);
    struct asked *asked = spawn_pool_as("pool", text);
    if (asked->error != 0)
        print_message("# %s\n", asked->detail);
    assert_int_equal(asked->times, 1);
    assert_int_equal(asked->error, 0);
}

static inline void assert_begun(unsigned which, const char *text)
{
    assert_true(which < world.begun_count);
    assert_string_equal(world.begun[which].text, text);
}

static inline void assert_answered(const struct asked *asked, int error, const char *says)
{
    assert_int_equal(asked->times, 1);
    assert_int_equal(asked->error, error);
    const char *said = error == 0 ? asked->body : asked->detail;
    if (strstr(said, says) == NULL)
        assert_string_equal(said, says);
}

static inline void assert_open(const struct asked *asked) { assert_int_equal(asked->times, 0); }

/* A figure of pool.stats. */
static inline uint64_t figure(const char *name)
{
    struct asked *asked = ask("pool.stats", "");
    troupe_json_reader reader;
    troupe_json_string key;
    uint64_t value = UINT64_MAX;

    assert_answered(asked, 0, "");
    troupe_json_read_init(&reader, asked->body, strlen(asked->body));
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, name))
            value = troupe_json_read_uint(&reader, UINT64_MAX / 2);
        else
            troupe_json_skip(&reader);
    }
    assert_int_equal(troupe_json_read_end(&reader), 0);
    assert_true(value != UINT64_MAX);
    return value;
}

/* Every accepted job is somewhere. */
static inline void assert_books_are_balanced(void)
{
    uint64_t sum = figure("completed") + figure("failed") + figure("shed") + figure("expired") + figure("abandoned") +
                   figure("waiting") + figure("in_flight");

    assert_int_equal(figure("accepted"), sum);
}

#endif
