/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation fails in turn while a webhook delivers, retries and gives up, and an actor of a blocking worker sets
 * timers and asks outside. Deliveries may be lost and starts refused, but each caller gets one answer, every wait ends,
 * and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/behaviors.h>
#include <troupe/http.h>
#include <troupe/system.h>

#include "port/port.h"

#define NS_PER_MS UINT64_C(1000000)
#define ALLOCATIONS_MAX 2000u
#define ASKED_MAX 64u
#define REQUESTS 16u

static struct world {
    troupe_system *system;
    uint64_t now_ns;
    troupe_outside asked[ASKED_MAX]; /* not answered yet */
    unsigned asked_count, answers;
    unsigned requests, done;
    unsigned no_memory;              /* refusals that were told */
    troupe_ref ref;                  /* of the last spawn */
} world;

static void note(int rc)
{
    world.no_memory += rc == TROUPE_E_NO_MEMORY;
}

/* ---- the host ---- */

static int on_http(void *user, troupe_outside who, const troupe_http *request)
{
    (void)user, (void)request;
    if (world.asked_count == ASKED_MAX)
        return TROUPE_E_LIMIT;
    world.asked[world.asked_count++] = who;
    return 0;
}

/* Every third time the server fails; and each answer may be lost for want of memory. */
static void answer_all(void)
{
    while (world.asked_count > 0) {
        const troupe_outside who = world.asked[--world.asked_count];
        const troupe_answer said = {.app_status = ++world.answers % 3 == 0 ? 500 : 200, .body = {"{}", 2}};
        note(troupe_system_answer(world.system, who, &said));
    }
}

/* ---- the actor of the blocking worker ---- */

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)ctx, (void)state, (void)reply;
    return 0;
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    const troupe_http request = {.url = "http://a.example/", .timeout_ms = 500};
    uint64_t timer;
    (void)state;
    if (msg->kind == TROUPE_MSG_TIMER) {
        note(troupe_http_request(ctx, &request, on_reply, 0));
        note(troupe_pause(ctx, 10, on_reply, 0));
        return 0;
    }
    note(troupe_timer_after(ctx, 5, "later", troupe_body_none(), &timer));
    if (msg->kind == TROUPE_MSG_CALL)
        note(troupe_reply(ctx, troupe_body_json("1", 1)));
    return 0;
}

static const troupe_type types[] = {{.name = "go", .flags = TROUPE_TYPE_CAST}};
static const troupe_behavior blocking = {
    TROUPE_BEHAVIOR_HEAD, .name = "blocking", .version = "1.0.0", .summary = "asks outside",
    .types = types, .types_count = 1, .state_bytes = 100, .flags = TROUPE_BEHAVIOR_BLOCKING, .receive = receive,
};

/* ---- driving ---- */

static void drive(void)
{
    for (unsigned round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 2; i++)
            while (troupe_worker_poll(troupe_system_worker(world.system, i), world.now_ns, 16) == 0)
                continue;
        answer_all();
    }
}

static void pass_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms; i += 5) {
        world.now_ns += 5 * NS_PER_MS;
        drive();
    }
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    world.done++;
    world.ref = answer->ref;
    note(answer->error);
}

static troupe_request *fresh(void)
{
    static troupe_request requests[REQUESTS];
    assert_true(world.requests < REQUESTS);
    requests[world.requests] = (troupe_request){0};
    return &requests[world.requests++];
}

static troupe_ref spawn(const char *behavior, const char *args)
{
    const troupe_spawn_opts opts = {.behavior = behavior, .args = troupe_body_json(args, strlen(args))};
    troupe_request_spawn(troupe_system_worker(world.system, 0), fresh(), on_done, &opts);
    drive();
    return world.ref;
}

static void call(troupe_ref ref, const char *type)
{
    troupe_request_call(troupe_system_worker(world.system, 0), fresh(), on_done, ref, troupe_view_of(type),
                        troupe_body_json("{}", 2), (troupe_caller){0}, 3000);
    drive();
}

static void stop(troupe_ref ref)
{
    troupe_request_stop(troupe_system_worker(world.system, 0), fresh(), on_done, ref, TROUPE_STOP, (troupe_view){"", 0},
                        3000);
    drive();
}

static void play(void)
{
    troupe_ref hook =
        spawn("webhook", "{\"url\":\"http://a.example/\",\"retries\":1,\"backoff_min_ms\":10,\"timeout_ms\":200}");
    troupe_ref actor = spawn("blocking", "");
    for (unsigned i = 0; i < 4; i++) {
        call(hook, "ping");
        call(actor, "go");
    }
    pass_ms(1000);
    stop(hook);
    stop(actor);
    pass_ms(3500);
}

/* Has the failure that was ordered for the n-th allocation not come yet? */
static bool is_still_ordered(void)
{
    for (uint64_t i = 0; i < ALLOCATIONS_MAX; i++) {
        void *block = troupe__port_alloc(16);
        if (block == NULL)
            return true;
        troupe__port_free(block, 16);
    }
    return false;
}

static void test_every_allocation_of_requests_outside_fails_in_turn(void **state)
{
    const troupe_system_config config = {.workers = 1, .blocking_workers = 1, .node = 4, .seed = 4, .http = on_http};
    unsigned told = 0;
    (void)state;
    for (uint64_t n = 1;; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        world = (struct world){.now_ns = 1000 * NS_PER_MS};
        troupe__port_fail_after(0);
        assert_int_equal(troupe_system_new(&config, &world.system), 0);
        assert_int_equal(troupe_system_add_behavior(world.system, &troupe_behavior_webhook), 0);
        assert_int_equal(troupe_system_add_behavior(world.system, &blocking), 0);
        troupe_worker_set_now(troupe_system_worker(world.system, 0), world.now_ns);
        troupe_stats before, after;
        troupe_system_stats(world.system, &before);
        troupe__port_fail_after(n);
        play();
        bool is_over = is_still_ordered();
        troupe__port_fail_after(0);
        told += world.no_memory;
        assert_int_equal(world.done, world.requests);
        /* A stop may have been refused. */
        troupe_system_shutdown(troupe_system_worker(world.system, 0), TROUPE_KILL, 0);
        pass_ms(100);
        troupe_system_stats(world.system, &after);
        assert_int_equal(after.actors, 0);
        assert_true(after.memory_bytes <= before.memory_bytes);
        troupe_system_free(world.system);
        if (is_over) {
            print_message("# %u allocations, %u refusals\n", (unsigned)n - 1, told);
            break;
        }
    }
    assert_true(told > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_of_requests_outside_fails_in_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
