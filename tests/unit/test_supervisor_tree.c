/* SPDX-License-Identifier: Apache-2.0
 *
 * The supervisor behavior: a tree as one document, what it refuses, and its message types. What the core does with
 * children is in the other tests of supervision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "behavior_world.h"

#define CHILD(id, more) "{\"id\":\"" id "\",\"behavior\":\"faulty\"" more "}"
#define TREE(children) "{\"children\":[" children "]}"

static troupe_ref named(const char *name)
{
    troupe_ref ref = {0};

    return troupe_system_whereis(world.system, troupe_view_of(name), &ref) == 0 ? ref : (troupe_ref){0};
}

static bool is_there(const char *name) { return troupe_ref_is_actor(named(name)); }

/* Make a child fail, by its name. */
static void fail_named(const char *name) { assert_int_equal(call(named(name), "fail", ""), TROUPE_E_ACTOR_FAILED); }

static unsigned long long actors(void)
{
    troupe_stats stats;

    troupe_system_stats(world.system, &stats);
    return stats.actors;
}

/* The document is refused, with a part of the words, and nothing of it is left. */
static void refuse(const char *document, int error, const char *says)
{
    print_message("# %s\n", document);
    assert_int_equal(spawn("supervisor", document), error);
    if (strstr(world.outcome.detail, says) == NULL)
        assert_string_equal(world.outcome.detail, says);
    assert_int_equal(actors(), 0);
}

/* ---- documents ---- */

static void test_a_wrong_document_is_refused_with_the_path_of_the_mistake(void **state)
{
    (void)state;
    refuse("[]", TROUPE_E_SCHEMA, "object");
    refuse("{\"strategy\":\"one_for_two\"}", TROUPE_E_SCHEMA,
           "strategy: must be one_for_one, one_for_all or rest_for_one");
    refuse("{\"restarts\":33}", TROUPE_E_SCHEMA, "restarts: ");
    refuse("{\"period_ms\":0}", TROUPE_E_SCHEMA, "period_ms: ");
    refuse("{\"auto_shutdown\":true}", TROUPE_E_SCHEMA, "auto_shutdown: ");
    refuse("{\"children_max\":0}", TROUPE_E_SCHEMA, "children_max: ");
    refuse("{\"kids\":[]}", TROUPE_E_SCHEMA, "kids: there is no such member");
    refuse("{\"children\":{}}", TROUPE_E_SCHEMA, "children: must be an array");
    refuse("{\"template\":[]}", TROUPE_E_SCHEMA, "template: must be an object");
    refuse(TREE("1"), TROUPE_E_SCHEMA, "children[0]: ");
    refuse(TREE("{}"), TROUPE_E_SCHEMA, "children[0]: id is missing");
    refuse(TREE("{\"id\":\"a\"}"), TROUPE_E_SCHEMA, "children[0]: behavior is missing");
    refuse(TREE("{\"id\":\"a b\",\"behavior\":\"faulty\"}"), TROUPE_E_SCHEMA, "children[0].id: must be 1 to 64 of");
    refuse(TREE("{\"id\":7}"), TROUPE_E_SCHEMA, "children[0].id: ");
    refuse(TREE(CHILD("a", "") "," CHILD("b", ",\"restart\":\"always\"")), TROUPE_E_SCHEMA,
           "children[1].restart: must be permanent, transient or temporary");
    refuse(TREE(CHILD("a", ",\"shutdown_timeout_ms\":0")), TROUPE_E_SCHEMA, "children[0].shutdown_timeout_ms: ");
    refuse(TREE(CHILD("a", ",\"start_timeout_ms\":-1")), TROUPE_E_SCHEMA, "children[0].start_timeout_ms: ");
    refuse(TREE(CHILD("a", ",\"backoff_min_ms\":1.5")), TROUPE_E_SCHEMA, "children[0].backoff_min_ms: ");
    refuse(TREE(CHILD("a", ",\"backoff_max_ms\":99999999")), TROUPE_E_SCHEMA, "children[0].backoff_max_ms: ");
    refuse(TREE(CHILD("a", ",\"mailbox\":{\"policy\":\"lose\"}")), TROUPE_E_SCHEMA,
           "children[0].mailbox.policy: must be refuse, drop_oldest or drop_newest");
    refuse(TREE(CHILD("a", ",\"mailbox\":{\"size\":1}")), TROUPE_E_SCHEMA, "children[0].mailbox.size: ");
    refuse(TREE(CHILD("a", ",\"name\":\"\"")), TROUPE_E_SCHEMA, "children[0].name: must not be empty");
    refuse(TREE(CHILD("a", ",\"color\":1")), TROUPE_E_SCHEMA, "children[0].color: there is no such member");
    refuse(TREE(CHILD("a", ",\"significant\":true")), TROUPE_E_SCHEMA, "children[0]: a significant child must be");
    refuse(TREE(CHILD("a", "") "," CHILD("a", "")), TROUPE_E_SCHEMA, "children: two have the id a");
    refuse("{\"children_max\":1,\"children\":[" CHILD("a", "") "," CHILD("b", "") "]}", TROUPE_E_SCHEMA,
           "more than children_max");
    refuse("{\"children\":[],\"template\":{\"behavior\":\"faulty\"}}", TROUPE_E_SCHEMA, "exclude each other");
    refuse("{\"strategy\":\"one_for_all\",\"template\":{\"behavior\":\"faulty\"}}", TROUPE_E_SCHEMA, "one_for_one");
    refuse("{\"template\":{\"behavior\":\"faulty\",\"id\":\"a\"}}", TROUPE_E_SCHEMA, "template.id: there is no such");
    refuse("{\"template\":{}}", TROUPE_E_SCHEMA, "template: behavior is missing");
    refuse("{\"children\":[", TROUPE_E_MALFORMED, "");
}

static void test_no_child_is_started_when_the_last_one_is_wrong(void **state)
{
    (void)state;
    unsigned before = world.ended;
    refuse(TREE(CHILD("a", "") "," CHILD("b", "") ",{}"), TROUPE_E_SCHEMA, "children[2]: id is missing");
    assert_int_equal(world.ended, before + 1); /* the supervisor itself, and nobody else */
}

/* ---- start ---- */

static void test_a_tree_starts_in_order_and_answers_when_all_run(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn(
        "supervisor", TREE(CHILD("db", ",\"name\":\"db\"") "," CHILD(
                          "late", ",\"args\":{\"init\":\"late\",\"ms\":50},\"name\":\"late\"") "," CHILD("web", "")));
    assert_int_equal(call(tree, "count_children", ""), 0);
    assert_string_equal(world.outcome.body,
                        "{\"specs\":3,\"active\":3,\"restarting\":0,\"supervisors\":3,\"workers\":0}");
    assert_int_equal(call(tree, "which_children", ""), 0);
    assert_reply_has("{\"items\":[{\"id\":\"db\",\"ref\":\"");
    assert_reply_has("\"state\":\"running\",\"restart\":\"permanent\",\"restarts\":0,\"behavior\":\"faulty\","
                     "\"name\":\"late\",\"significant\":false},{\"id\":\"web\"");
    assert_reply_has("\"next\":null}");
}

static void test_a_child_that_fails_to_start_in_the_middle_stops_those_before_it(void **state)
{
    (void)state;
    refuse(TREE(CHILD("a", ",\"name\":\"a\"") "," CHILD("b", "") "," CHILD(
               "bad", ",\"args\":{\"init\":\"fail\"}") "," CHILD("never", ",\"name\":\"never\"")),
           TROUPE_E_START_FAILED, "bad: it was told to fail in init");
    assert_false(is_there("a"));
    assert_int_equal(world.ended, 4); /* a, b, bad and the supervisor; the last child was never started */
}

static void test_a_child_with_wrong_args_is_a_mistake_of_the_document(void **state)
{
    (void)state;
    refuse(TREE(CHILD("a", ",\"args\":{\"nonsense\":1}")), TROUPE_E_SCHEMA, "a: nonsense: there is no such member");
}

static void test_a_child_that_cannot_be_spawned_is_named(void **state)
{
    (void)state;
    refuse(TREE("{\"id\":\"a\",\"behavior\":\"no.such\"}"), TROUPE_E_UNKNOWN_BEHAVIOR,
           "a: there is no such behavior: no.such");
    refuse(TREE(CHILD("a", ",\"name\":\"same\"") "," CHILD("b", ",\"name\":\"same\"")), TROUPE_E_START_FAILED,
           "b: another actor has the name same");
}

static void test_a_nested_tree_starts_and_ends_as_one(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn(
        "supervisor",
        TREE("{\"id\":\"inner\",\"behavior\":\"supervisor\",\"name\":\"inner\",\"args\":" TREE(
            CHILD("x", ",\"name\":\"x\"") ",{\"id\":\"deep\",\"behavior\":\"supervisor\",\"args\":" TREE(
                CHILD("y", ",\"name\":\"y\"")) "}") "}," CHILD("z", ",\"name\":\"z\"")));
    assert_true(is_there("x") && is_there("y") && is_there("z"));
    assert_int_equal(call(named("inner"), "count_children", ""), 0);
    assert_reply_has("\"specs\":2");
    troupe_ref before = named("y");
    fail_named("y");
    advance_ms(1);
    assert_true(is_there("y") && !troupe_ref_equal(before, named("y")));
    assert_int_equal(stop(tree), 0);
    assert_int_equal(actors(), 0);
}

static void test_a_mistake_in_a_nested_tree_is_told_with_its_path(void **state)
{
    (void)state;
    refuse(TREE(CHILD("a", "") ",{\"id\":\"inner\",\"behavior\":\"supervisor\",\"args\":" TREE(
               CHILD("x", ",\"restart\":1")) "}"),
           TROUPE_E_SCHEMA, "inner: children[0].restart: ");
}

static void test_a_failed_start_is_told_when_none_of_its_children_is_left(void **state)
{
    troupe_request request = request_new();
    const char *tree = TREE(CHILD("a", ",\"name\":\"a\"") "," CHILD("b", ",\"args\":{\"init\":\"fail\"}"));
    troupe_spawn_opts opts = {.behavior = "supervisor", .args = troupe_body_json(tree, strlen(tree))};

    (void)state;
    troupe_request_spawn(world.worker, &request, on_done, &opts);
    for (int i = 0; !world.outcome.is_done; i++) {
        assert_true(i < POLLS_MAX);
        troupe_worker_poll(world.worker, world.now_ns, 1);
        if (world.outcome.is_done)
            assert_false(is_there("a"));
    }
    assert_int_equal(world.outcome.error, TROUPE_E_START_FAILED);
}

static void test_a_tree_that_fails_too_often_ends_and_is_restarted_by_the_one_above(void **state)
{
    (void)state;
    must_spawn(
        "supervisor",
        "{\"restarts\":5,\"children\":[{\"id\":\"inner\",\"behavior\":\"supervisor\",\"name\":\"inner\",\"args\":"
        "{\"restarts\":1,\"strategy\":\"one_for_all\",\"children\":[" CHILD("x", ",\"name\":\"x\"") "," CHILD(
            "y", ",\"name\":\"y\"") "]}}]}");
    troupe_ref inner = named("inner");
    fail_named("x");
    advance_ms(1);
    assert_true(troupe_ref_equal(inner, named("inner")));
    fail_named("y");
    advance_ms(1);
    assert_true(is_there("inner") && !troupe_ref_equal(inner, named("inner")));
    assert_true(is_there("x") && is_there("y"));
}

static void test_a_tree_ends_normally_with_its_significant_child(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn(
        "supervisor",
        "{\"auto_shutdown\":\"any\",\"children\":[" CHILD(
            "job", ",\"name\":\"job\",\"restart\":\"transient\",\"significant\":true") "," CHILD("help", "") "]}");
    assert_int_equal(call(named("job"), "stop", ""), 0);
    advance_ms(1);
    assert_int_equal(call(tree, "count_children", ""), TROUPE_E_GONE);
    assert_int_equal(world.last_exit.cause, TROUPE_EXIT_NORMAL);
    assert_int_equal(actors(), 0);
}

/* ---- children at run time ---- */

static void test_a_child_is_added_terminated_restarted_and_deleted(void **state)
{
    static const struct row rows[] = {
        {"start_child", "{\"id\":\"b\",\"behavior\":\"faulty\",\"name\":\"b\"}", 0, NULL},
        {"start_child", "{\"id\":\"b\",\"behavior\":\"faulty\"}", TROUPE_E_APP, "there is a child with this id"},
        {"restart_child", "{\"id\":\"b\"}", TROUPE_E_APP, "the child is not ended"},
        {"delete_child", "{\"id\":\"b\"}", TROUPE_E_APP, "terminate it first"},
        {"terminate_child", "{\"id\":\"b\"}", 0, "{\"id\":\"b\"}"},
        {"terminate_child", "{\"id\":\"b\"}", 0, "{\"id\":\"b\"}"},
        {"count_children", "", 0, "{\"specs\":2,\"active\":1,\"restarting\":0,\"supervisors\":2,\"workers\":0}"},
        {"restart_child", "{\"id\":\"b\"}", 0, NULL},
        {"count_children", "", 0, "{\"specs\":2,\"active\":2,\"restarting\":0,\"supervisors\":2,\"workers\":0}"},
        {"terminate_child", "{\"id\":\"b\"}", 0, "{\"id\":\"b\"}"},
        {"delete_child", "{\"id\":\"b\"}", 0, "{\"id\":\"b\"}"},
        {"delete_child", "{\"id\":\"b\"}", TROUPE_E_APP, "there is no child with this id"},
        {"terminate_child", "{\"id\":\"b\"}", TROUPE_E_APP, "there is no child with this id"},
        {"restart_child", "{\"id\":\"b\"}", TROUPE_E_APP, "there is no child with this id"},
        {"count_children", "", 0, "{\"specs\":1,\"active\":1,\"restarting\":0,\"supervisors\":1,\"workers\":0}"},
    };

    (void)state;
    troupe_ref tree = must_spawn("supervisor", TREE(CHILD("a", "")));
    CHECK_ROWS(tree, rows);
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"b\"}"), TROUPE_E_APP);
    assert_app_error("not_found", 404);
    assert_int_equal(call(tree, "restart_child", "{\"id\":\"a\"}"), TROUPE_E_APP);
    assert_app_error("running", 409);
    assert_int_equal(call(tree, "start_child", "{\"id\":\"a\",\"behavior\":\"faulty\"}"), TROUPE_E_APP);
    assert_app_error("exists", 409);
    assert_int_equal(call(tree, "start_child", "{\"id\":\"b\",\"behavior\":\"faulty\",\"name\":\"b\"}"), 0);
    assert_true(is_there("b")); /* the id is free again */
    assert_reply_has("{\"id\":\"b\",\"ref\":\"");
}

static void test_messages_that_are_wrong_are_refused(void **state)
{
    static const struct row rows[] = {
        {"start_child", "{\"id\":\"b\"}", TROUPE_E_SCHEMA, "behavior is missing"},
        {"start_child", "{\"id\":\"b\",\"behavior\":\"faulty\",\"restart\":1}", TROUPE_E_SCHEMA, "restart: "},
        {"start_child", "{\"behavior\":\"faulty\"}", TROUPE_E_SCHEMA, "id is missing"},
        {"start_child", "{\"id\":\"b\",\"behavior\":\"no.such\"}", TROUPE_E_UNKNOWN_BEHAVIOR, "no.such"},
        {"start_child", "", TROUPE_E_SCHEMA, "id is missing"},
        {"start_child", "{", TROUPE_E_MALFORMED, NULL},
        {"terminate_child", "{}", TROUPE_E_SCHEMA, "id is missing"},
        {"terminate_child", "{\"id\":1}", TROUPE_E_SCHEMA, "id: "},
        {"delete_child", "{\"id\":\"a\",\"now\":true}", TROUPE_E_SCHEMA, "now: there is no such member"},
        {"which_children", "{\"limit\":0}", TROUPE_E_SCHEMA, "limit: "},
        {"which_children", "{\"page\":0}", TROUPE_E_SCHEMA, "page: "},
        {"count_children", "", 0, "{\"specs\":1,\"active\":1,\"restarting\":0,\"supervisors\":1,\"workers\":0}"},
    };

    (void)state;
    troupe_ref tree = must_spawn("supervisor", TREE(CHILD("a", "")));
    CHECK_ROWS(tree, rows);
}

static void test_a_start_that_fails_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", TREE(CHILD("a", "")));
    assert_int_equal(call(tree, "start_child", CHILD("b", ",\"args\":{\"init\":\"fail\"}")), TROUPE_E_START_FAILED);
    assert_string_equal(world.outcome.detail, "b: it was told to fail in init");
    assert_int_equal(call(tree, "start_child", CHILD("b", ",\"args\":{\"nonsense\":1}")), TROUPE_E_SCHEMA);
    assert_int_equal(call(tree, "count_children", ""), 0);
    assert_reply_has("{\"specs\":1,");
}

static void test_a_child_in_backoff_is_listed_as_restarting_and_can_be_terminated(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn(
        "supervisor", TREE(CHILD("a", ",\"name\":\"a\",\"backoff_min_ms\":60000,\"backoff_max_ms\":60000")));
    fail_named("a");
    assert_int_equal(call(tree, "which_children", ""), 0);
    assert_reply_has("{\"items\":[{\"id\":\"a\",\"ref\":null,\"state\":\"restarting\"");
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"a\"}"), 0);
    advance_ms(120000);
    assert_int_equal(call(tree, "which_children", ""), 0);
    assert_reply_has("\"state\":\"ended\"");
    assert_int_equal(call(tree, "restart_child", "{\"id\":\"a\"}"), 0);
    assert_true(is_there("a"));
}

static void test_a_transient_child_that_ended_stays_listed_and_can_be_restarted(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", TREE(CHILD("a", ",\"name\":\"a\",\"restart\":\"transient\"") "," CHILD(
                                                   "t", ",\"name\":\"t\",\"restart\":\"temporary\"")));
    assert_int_equal(call(named("a"), "stop", ""), 0);
    assert_int_equal(call(named("t"), "stop", ""), 0);
    assert_int_equal(call(tree, "which_children", ""), 0);
    assert_reply_has("{\"items\":[{\"id\":\"a\",\"ref\":null,\"state\":\"ended\",\"restart\":\"transient\"");
    assert_null(strstr(world.outcome.body, "\"id\":\"t\""));
    assert_int_equal(call(tree, "restart_child", "{\"id\":\"a\"}"), 0);
    assert_true(is_there("a"));
}

static void test_children_are_listed_in_pages(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", TREE(CHILD("a", "") "," CHILD("b", "") "," CHILD("c", "")));
    assert_int_equal(call(tree, "which_children", "{\"limit\":2}"), 0);
    assert_reply_has("\"next\":2}");
    assert_null(strstr(world.outcome.body, "\"id\":\"c\""));
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"b\"}"), 0);
    assert_int_equal(call(tree, "delete_child", "{\"id\":\"b\"}"), 0); /* the page ended with it */
    assert_int_equal(call(tree, "which_children", "{\"after\":2}"), 0);
    assert_reply_has("{\"items\":[{\"id\":\"c\"");
    assert_reply_has("\"next\":null}");
    assert_int_equal(call(tree, "which_children", "{\"after\":3}"), 0);
    assert_string_equal(world.outcome.body, "{\"items\":[],\"next\":null}");
}

/* ---- callers that wait for a child that is stuck ---- */

enum { WAITING_MAX = 256 }; /* for one child: SUPERVISOR_ASKERS_MAX */

static struct {
    troupe_ref tree;
    troupe_request requests[2 * WAITING_MAX + 1];
    unsigned asked, answered, refused, timed_out, others;
} crowd;

static void on_crowd(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    unsigned *count = answer->error == 0                  ? &crowd.answered
                      : answer->error == TROUPE_E_LIMIT   ? &crowd.refused
                      : answer->error == TROUPE_E_TIMEOUT ? &crowd.timed_out
                                                          : &crowd.others;
    ++*count;
}

static void ask_for_the_end(unsigned count, uint32_t timeout_ms)
{
    const char *body = "{\"id\":\"stuck\"}";

    while (count-- > 0)
        troupe_request_call(world.worker, &crowd.requests[crowd.asked++], on_crowd, crowd.tree,
                            troupe_view_of("terminate_child"), troupe_body_json(body, strlen(body)),
                            (troupe_caller){0}, timeout_ms);
    run_due();
}

/* The child's turn on its worker, while the first worker runs the supervisor. */
static int be_stuck(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx, (void)state, (void)msg;
    ask_for_the_end(WAITING_MAX, 1000);
    assert_int_equal(crowd.refused, 0);
    ask_for_the_end(1, 60000);
    assert_int_equal(crowd.refused, 1);
    world.now_ns += 2000 * (uint64_t)NS_PER_MS;
    run_due();
    assert_int_equal(crowd.timed_out, WAITING_MAX);
    ask_for_the_end(WAITING_MAX, 60000);
    assert_int_equal(crowd.refused, 1); /* those who had given up took no place */
    assert_int_equal(crowd.answered + crowd.others, 0);
    return 0;
}

static void test_callers_who_have_given_up_take_no_place_among_those_who_wait(void **state)
{
    static const troupe_behavior stuck = {TROUPE_BEHAVIOR_HEAD, .name = "stuck", .version = "1.0.0",
                                          .flags = TROUPE_BEHAVIOR_ANY_TYPE, .receive = be_stuck};

    teardown(state);
    assert_int_equal(setup_with((troupe_system_config){.no_inline = true, .workers = 2}), 0);
    assert_int_equal(troupe_system_add_behavior(world.system, &stuck), 0);
    memset(&crowd, 0, sizeof crowd);
    crowd.tree = must_spawn("supervisor", TREE("{\"id\":\"stuck\",\"behavior\":\"stuck\",\"name\":\"stuck\"}"));
    troupe_worker *other = troupe_system_worker(world.system, 1);
    troupe_worker_set_now(other, world.now_ns);
    assert_int_equal(
        troupe_worker_cast(other, named("stuck"), troupe_view_of("go"), troupe_body_none(), (troupe_caller){0}), 0);
    while (troupe_worker_poll(other, world.now_ns, 8) == 0) {}
    run_due();
    assert_int_equal(crowd.answered, WAITING_MAX);
    assert_int_equal(crowd.others, 0);
}

/* ---- templates ---- */

static void test_children_of_a_template_are_started_with_what_is_their_own(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", "{\"children_max\":3,\"template\":{\"behavior\":\"counter\","
                                               "\"args\":{\"value\":5},\"restart\":\"transient\"}}");
    assert_int_equal(call(tree, "start_child", ""), 0);
    assert_reply_has("{\"id\":\"child-1\"");
    assert_int_equal(call(tree, "start_child", "{\"id\":\"mine\",\"name\":\"n\",\"args\":{\"value\":7}}"), 0);
    assert_int_equal(call(named("n"), "get", ""), 0);
    assert_string_equal(world.outcome.body, "{\"value\":7}");
    assert_int_equal(call(tree, "start_child", "{\"name\":\"m\"}"), 0);
    assert_int_equal(call(named("m"), "get", ""), 0);
    assert_string_equal(world.outcome.body, "{\"value\":5}");
    assert_int_equal(call(tree, "start_child", "{}"), TROUPE_E_LIMIT);
    assert_int_equal(call(tree, "start_child", "{\"behavior\":\"kv\"}"), TROUPE_E_SCHEMA);
    assert_int_equal(call(tree, "count_children", ""), 0);
    assert_string_equal(world.outcome.body,
                        "{\"specs\":3,\"active\":3,\"restarting\":0,\"supervisors\":0,\"workers\":3}");
}

static void test_children_of_a_template_are_forgotten_with_their_end(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", "{\"template\":{\"behavior\":\"faulty\",\"restart\":\"transient\","
                                               "\"backoff_min_ms\":60000,\"backoff_max_ms\":60000}}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(tree, "start_child",
                              i == 0   ? "{\"id\":\"a\",\"name\":\"a\"}"
                              : i == 1 ? "{\"id\":\"b\",\"name\":\"b\"}"
                                       : "{\"id\":\"c\",\"name\":\"c\"}"),
                         0);
    assert_int_equal(call(named("a"), "stop", ""), 0);
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"b\"}"), 0);
    fail_named("c");
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"c\"}"), 0); /* in backoff */
    assert_int_equal(call(tree, "which_children", ""), 0);
    assert_string_equal(world.outcome.body, "{\"items\":[],\"next\":null}");
    assert_int_equal(call(tree, "start_child", "{\"id\":\"a\"}"), 0);
}

static void test_an_id_that_is_made_up_is_never_one_that_was_given(void **state)
{
    (void)state;
    troupe_ref tree = must_spawn("supervisor", "{\"template\":{\"behavior\":\"counter\"}}");
    assert_int_equal(call(tree, "start_child", "{\"id\":\"child-1\"}"), 0);
    assert_int_equal(call(tree, "start_child", ""), 0);
    assert_reply_has("{\"id\":\"child-2\"");
}

static void test_a_template_serves_many_children(void **state)
{
    char body[64];

    (void)state;
    troupe_ref tree = must_spawn("supervisor", "{\"template\":{\"behavior\":\"counter\",\"restart\":\"temporary\"}}");
    for (int i = 0; i < 500; i++)
        assert_int_equal(call(tree, "start_child", ""), 0);
    for (int i = 1; i <= 500; i += 1 + (i % 3 == 0)) {
        snprintf(body, sizeof body, "{\"id\":\"child-%d\"}", i);
        assert_int_equal(call(tree, "terminate_child", body), 0);
    }
    assert_int_equal(call(tree, "which_children", "{\"limit\":1}"), 0);
    assert_reply_has("{\"items\":[{\"id\":\"child-4\"");
    assert_int_equal(call(tree, "terminate_child", "{\"id\":\"child-4\"}"), 0);
    assert_int_equal(stop(tree), 0);
    assert_int_equal(actors(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_a_wrong_document_is_refused_with_the_path_of_the_mistake),
        CASE(test_no_child_is_started_when_the_last_one_is_wrong),
        CASE(test_a_tree_starts_in_order_and_answers_when_all_run),
        CASE(test_a_child_that_fails_to_start_in_the_middle_stops_those_before_it),
        CASE(test_a_child_with_wrong_args_is_a_mistake_of_the_document),
        CASE(test_a_child_that_cannot_be_spawned_is_named),
        CASE(test_a_nested_tree_starts_and_ends_as_one),
        CASE(test_a_mistake_in_a_nested_tree_is_told_with_its_path),
        CASE(test_a_failed_start_is_told_when_none_of_its_children_is_left),
        CASE(test_a_tree_that_fails_too_often_ends_and_is_restarted_by_the_one_above),
        CASE(test_a_tree_ends_normally_with_its_significant_child),
        CASE(test_a_child_is_added_terminated_restarted_and_deleted),
        CASE(test_messages_that_are_wrong_are_refused),
        CASE(test_a_start_that_fails_is_told_and_leaves_nothing),
        CASE(test_a_child_in_backoff_is_listed_as_restarting_and_can_be_terminated),
        CASE(test_a_transient_child_that_ended_stays_listed_and_can_be_restarted),
        CASE(test_children_are_listed_in_pages),
        CASE(test_callers_who_have_given_up_take_no_place_among_those_who_wait),
        CASE(test_children_of_a_template_are_started_with_what_is_their_own),
        CASE(test_children_of_a_template_are_forgotten_with_their_end),
        CASE(test_an_id_that_is_made_up_is_never_one_that_was_given),
        CASE(test_a_template_serves_many_children),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
