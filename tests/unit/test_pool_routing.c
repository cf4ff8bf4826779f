/* SPDX-License-Identifier: Apache-2.0
 *
 * Which worker gets a job: by key, sticky key, in turn, by a router of the author's; and the author's capacity rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_world.h"

/* ---- keys ---- */

#define KEYS 1000

static void ask_where_keys_are(char where[KEYS][64])
{
    char text[64];

    for (int i = 0; i < KEYS; i++) {
        snprintf(text, sizeof text, "{\"user\":\"u%d\",\"n\":%d}", i, i * 7);
        struct asked *asked = ask("who", text);
        assert_answered(asked, 0, "");
        strcpy(where[i], asked->body);
        world.asked_count--; /* settled: its place is used again */
        memset(asked, 0, sizeof *asked);
    }
}

/* Trap 18. */
static void test_a_resize_moves_few_keys(void **state)
{
    static char before[KEYS][64], again[KEYS][64], after[KEYS][64], back[KEYS][64];
    unsigned moved = 0, same = 0, first = 0;

    (void)state;
    open_pool("\"size\":9,\"routing\":\"key\",\"key\":\"user\"");
    ask_where_keys_are(before);
    ask_where_keys_are(again);
    assert_answered(ask("pool.resize", "{\"size\":10}"), 0, "{\"size\":10,\"before\":9}");
    ask_where_keys_are(after);
    assert_answered(ask("pool.resize", "{\"size\":9}"), 0, "");
    ask_where_keys_are(back);
    for (int i = 0; i < KEYS; i++) {
        assert_string_equal(before[i], again[i]);
        assert_string_equal(before[i], back[i]);
        moved += strcmp(before[i], after[i]) != 0;
        same += strcmp(before[0], before[i]) == 0;
        first += strcmp(after[i], before[0]) == 0;
    }
    assert_in_range(moved, 60, 140);       /* a tenth of them */
    assert_in_range(same, KEYS / 9 / 2, KEYS / 9 * 2); /* spread evenly */
    assert_true(first <= same);            /* none moved between the old ones */
}

static void test_a_key_is_its_text_however_it_is_written(void **state)
{
    (void)state;
    open_pool("\"size\":50,\"routing\":\"key\",\"key\":\"user\"");
    struct asked *plain = ask("who", "{\"user\":\"ab/c\"}");
    assert_string_equal(plain->body, ask("who", "{\"x\":{\"user\":1},\"user\":\"\\u0061b\\/c\"}")->body);
    assert_answered(ask("who", "{\"user\":17}"), 0, "");
    assert_answered(ask("who", "{\"user\":true}"), 0, "");
}

static void test_a_job_without_its_key_is_refused(void **state)
{
    static const char *const bodies[] = {"", "{}", "{\"user\":null}", "{\"user\":[1]}", "[1]", "{\"u\":1}"};
    char text[300];

    (void)state;
    open_pool("\"routing\":\"key\",\"key\":\"user\"");
    for (unsigned i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_answered(ask("echo", bodies[i]), TROUPE_E_SCHEMA, "");
    assert_answered(ask("echo", "{\"user\""), TROUPE_E_MALFORMED, "");
    memset(text, 'k', sizeof text);
    memcpy(text, "{\"user\":\"", 9);
    strcpy(text + 9 + 256, "\"}");
    assert_answered(ask("echo", text), TROUPE_E_SCHEMA, "at most 255 bytes");
    strcpy(text + 9 + 255, "\"}");
    assert_answered(ask("echo", text), 0, "");
    assert_int_equal(figure("refused_invalid"), 8);
    assert_int_equal(figure("accepted"), 1);
}

static void test_jobs_of_a_key_are_done_in_order_by_one_worker(void **state)
{
    (void)state;
    open_pool("\"size\":4,\"routing\":\"key\",\"key\":\"k\"");
    ask("work", "{\"k\":1,\"n\":1}");
    ask("work", "{\"k\":1,\"n\":2}");
    ask("work", "{\"k\":1,\"n\":3}");
    assert_int_equal(world.begun_count, 1); /* three workers are free all the same */
    finish(0);
    finish(1);
    finish(2);
    assert_begun(1, "{\"k\":1,\"n\":2}");
    assert_begun(2, "{\"k\":1,\"n\":3}");
    assert_true(troupe_ref_equal(world.begun[0].worker, world.begun[2].worker));
}

static void test_a_sticky_key_stays_while_it_has_jobs(void **state)
{
    (void)state;
    open_pool("\"size\":2,\"routing\":\"sticky\",\"key\":\"k\"");
    ask("work", "{\"k\":1,\"n\":0}");
    ask("work", "{\"k\":1,\"n\":1}"); /* waits for the first's worker, though another is free */
    assert_int_equal(world.begun_count, 1);
    ask("work", "{\"k\":2,\"n\":2}");
    assert_int_equal(world.begun_count, 2);
    assert_false(troupe_ref_equal(world.begun[0].worker, world.begun[1].worker));
    ask("work", "{\"k\":3,\"n\":3}"); /* all are busy: for whoever is free first */
    ask("work", "{\"k\":3,\"n\":4}");
    ask("work", "{\"k\":2,\"n\":5}");
    finish(1); /* 2's worker: its own queue has n 5, the queue of all n 3 and n 4 */
    assert_begun(2, "{\"k\":2,\"n\":5}");
    finish(2);
    assert_begun(3, "{\"k\":3,\"n\":3}");
    finish(0);
    assert_begun(4, "{\"k\":1,\"n\":1}");
    finish(4); /* 1's worker is free now; but 3 has its worker */
    assert_int_equal(world.begun_count, 5);
    ask("work", "{\"k\":3,\"n\":6}");
    assert_int_equal(world.begun_count, 5);
    finish(3);
    finish(5);
    assert_begun(5, "{\"k\":3,\"n\":4}");
    assert_begun(6, "{\"k\":3,\"n\":6}");
    assert_true(troupe_ref_equal(world.begun[6].worker, world.begun[3].worker));
    finish(6);
    assert_int_equal(figure("completed"), 7);
    assert_books_are_balanced();
}

/* Found by the simulator, seed 101690: a job of the queue of all overtook one of its key that had been given to the
 * worker already, because there a newer job of another key stood in front. */
static void test_jobs_of_a_sticky_key_keep_their_order_when_some_are_given_to_its_worker(void **state)
{
    uint32_t at = 4;

    (void)state;
    open_pool("\"size\":2,\"routing\":\"sticky\",\"key\":\"k\",\"priority\":\"p\",\"aging_ms\":1");
    ask("work", "{\"k\":1}");
    ask("work", "{\"k\":2}");
    ask("work", "{\"k\":5,\"p\":0}");
    ask("work", "{\"k\":5,\"p\":1,\"n\":1}");
    ask("work", "{\"k\":9,\"p\":1}");
    ask("work", "{\"k\":5,\"p\":1,\"n\":2}");
    pass(10);
    ask("work", "{\"k\":1,\"p\":1}");
    finish(0);
    assert_begun(2, "{\"k\":5,\"p\":0}");
    finish(1); /* the other worker gives n 1 to the key's, and takes what is behind it */
    assert_begun(3, "{\"k\":9,\"p\":1}");
    finish(2);
    while (strcmp(world.begun[at].text, "{\"k\":1,\"p\":1}") == 0)
        finish(at++);
    assert_begun(at, "{\"k\":5,\"p\":1,\"n\":1}");
    for (at = 3; at < world.begun_count; at++)
        if (world.begun[at].text[0] != '\0' && strcmp(world.begun[at].text, "{\"k\":1,\"p\":1}") != 0)
            finish(at);
    assert_int_equal(figure("completed"), 7);
    assert_books_are_balanced();
}

/* Many keys, at random: order of each key, one worker at a time, nothing forgotten. */
static void test_sticky_keys_at_random_keep_their_order(void **state)
{
    enum { JOBS = 400, KINDS = 12 };
    unsigned last[KINDS], open[KINDS] = {0}, finished = 0, sent = 0;
    bool is_open[JOBS_MAX] = {false};
    uint32_t random = 12345, seen = 0;
    char text[64];

    (void)state;
    memset(last, 0, sizeof last);
    open_pool("\"size\":5,\"routing\":\"sticky\",\"key\":\"k\"");
    while (finished < JOBS) {
        random = random * 1664525 + 1013904223;
        if (sent < JOBS && (random >> 16) % 5 < 3) {
            snprintf(text, sizeof text, "{\"k\":%u,\"n\":%u}", (random >> 24) % KINDS, ++sent);
            ask("work", text);
        } else if (seen > 0) {
            uint32_t which = (random >> 8) % seen;
            for (unsigned tries = 0; tries < seen && !is_open[which]; tries++)
                which = (which + 1) % seen;
            if (is_open[which]) {
                unsigned k, n;
                is_open[which] = false;
                assert_int_equal(sscanf(world.begun[which].text, "{\"k\":%u,\"n\":%u}", &k, &n), 2);
                open[k]--;
                finish(which);
                finished++;
            }
        }
        for (; seen < world.begun_count; seen++) {
            unsigned k, n;
            assert_int_equal(sscanf(world.begun[seen].text, "{\"k\":%u,\"n\":%u}", &k, &n), 2);
            assert_int_equal(open[k], 0); /* one at a time: concurrency is 1 and a key has one worker */
            assert_true(n > last[k]);
            last[k] = n;
            open[k]++;
            is_open[seen] = true;
        }
    }
    assert_int_equal(figure("completed"), JOBS);
    assert_books_are_balanced();
}

static void test_round_robin_takes_turns(void **state)
{
    (void)state;
    open_pool("\"size\":3,\"routing\":\"round_robin\"");
    for (int i = 0; i < 6; i++)
        ask("work", "1");
    assert_int_equal(world.begun_count, 3); /* the others wait for theirs */
    finish(0);
    finish(1);
    finish(2);
    for (int i = 0; i < 3; i++) {
        assert_true(troupe_ref_equal(world.begun[i].worker, world.begun[i + 3].worker));
        assert_false(troupe_ref_equal(world.begun[i].worker, world.begun[(i + 1) % 3].worker));
    }
    for (uint32_t i = 3; i < 6; i++)
        finish(i);
}

/* ---- a router and a capacity rule of one's own ---- */

struct mine {
    troupe_pool *pool;
    uint32_t turn;
};

static uint32_t wanted = 2;

static int by_body(troupe_ctx *ctx, void *memory, const troupe_msg *job, const troupe_pool_stats *stats)
{
    struct mine *mine = memory;

    (void)ctx;
    mine->turn++;
    assert_ptr_equal(troupe_pool_stats_of(mine->pool), stats);
    if (job->body_len == 0)
        return TROUPE_E_FORBIDDEN;
    int at = *(const char *)job->body - '0';
    return at == 9 ? TROUPE_POOL_ANY_WORKER : at;
}

static uint32_t as_wanted(troupe_ctx *ctx, void *memory, const troupe_pool_stats *stats)
{
    (void)ctx;
    (void)memory;
    (void)stats;
    return wanted;
}

static const troupe_pool_hooks hooks = {.size = sizeof hooks, .route = by_body, .capacity = as_wanted};

static int mine_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    return troupe_pool_init(ctx, state, args, &hooks);
}

static const troupe_behavior mine = {TROUPE_BEHAVIOR_HEAD,
                                     .name = "mine",
                                     .version = "1",
                                     .summary = "a pool with rules of its own",
                                     .types = troupe_pool_types,
                                     .types_count = TROUPE_POOL_TYPES,
                                     .state_bytes = sizeof(struct mine),
                                     .flags = TROUPE_BEHAVIOR_ANY_TYPE,
                                     .init = mine_init,
                                     .receive = troupe_pool_receive,
                                     .child = troupe_pool_child,
                                     .stop = troupe_pool_stop,
                                     .fini = troupe_pool_fini};

static void test_an_author_routes_and_sizes_by_rules_of_his_own(void **state)
{
    (void)state;
    assert_int_equal(troupe_system_add_behavior(world.system, &mine), 0);
    wanted = 2;
    assert_answered(spawn_pool_as("mine", "{\"worker\":{\"behavior\":\"hand\"},\"size\":2,\"routing\":\"custom\","
                                          "\"capacity\":{\"min\":1,\"max\":4,\"interval_ms\":100}}"),
                    0, "");
    ask("work", "1");
    ask("work", "1 again");
    assert_int_equal(world.begun_count, 1); /* it has its worker */
    ask("work", "9");
    assert_int_equal(world.begun_count, 2);
    ask("work", "9 again");
    assert_answered(ask("work", ""), TROUPE_E_FORBIDDEN, "router refused");
    assert_answered(ask("work", "2"), TROUPE_E_INVALID, "router refused"); /* there are two */
    finish(0);
    assert_begun(2, "1 again");
    finish(1);
    assert_begun(3, "9 again");
    finish(2);
    finish(3);
    wanted = 100;
    pass(150);
    assert_int_equal(figure("size"), 4); /* held to the max */
    wanted = 0;
    pass(150);
    assert_int_equal(figure("size"), 1);
    assert_books_are_balanced();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_resize_moves_few_keys),
        CASE(test_a_key_is_its_text_however_it_is_written),
        CASE(test_a_job_without_its_key_is_refused),
        CASE(test_jobs_of_a_key_are_done_in_order_by_one_worker),
        CASE(test_a_sticky_key_stays_while_it_has_jobs),
        CASE(test_jobs_of_a_sticky_key_keep_their_order_when_some_are_given_to_its_worker),
        CASE(test_sticky_keys_at_random_keep_their_order),
        CASE(test_round_robin_takes_turns),
        CASE(test_an_author_routes_and_sizes_by_rules_of_his_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
