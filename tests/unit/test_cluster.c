/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's view of its cluster: the table, its past, its documents, and what it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "cluster.h"

static const troupe_home own = {.low = 100};

static struct registry_record record_of(uint64_t id, enum registry_state state, unsigned port)
{
    struct registry_record record = {
        .node = {.low = id}, .revision = 1, .state = state, .version = "1.2.3", .endpoints_count = 2,
        .endpoints = {{"api", "http", "10.0.0.1", (uint16_t)port, 80},
                      {"peer", "troupe", "::1", (uint16_t)(port + 1), 81}},
    };
    return record;
}

static void tell(struct cluster *cluster, enum registry_what what, uint64_t id, enum registry_state state,
                 unsigned port)
{
    const struct registry_record record = record_of(id, state, port);
    const struct registry_event event = {.revision = 1, .what = what, .record = &record};
    cluster_on_event(cluster, &event);
}

static struct cluster *cluster_of(void)
{
    struct cluster *cluster = NULL;
    log_init(LOG_JSON, TROUPE_LOG_ERROR);
    assert_int_equal(cluster_new(own, NULL, &cluster), 0);
    return cluster;
}

static size_t count_of(struct cluster *cluster)
{
    json_t *list = cluster_nodes_doc(cluster);
    size_t count = json_array_size(list);
    json_decref(list);
    return count;
}

static void members_come_change_and_go_test(void **state)
{
    struct cluster *cluster = cluster_of();
    json_t *document = NULL;
    char url[CLUSTER_URL_BYTES];
    (void)state;
    tell(cluster, REGISTRY_NODE_UP, 3, REGISTRY_UP, 1000);
    tell(cluster, REGISTRY_NODE_JOINING, 1, REGISTRY_JOINING, 2000);
    tell(cluster, REGISTRY_NODE_UP, 2, REGISTRY_UP, 3000);
    json_t *list = cluster_nodes_doc(cluster);
    const char *last = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *node = json_string_value(json_object_get(json_array_get(list, i), "node"));
        assert_true(strcmp(last, node) < 0); /* sorted */
        last = node;
    }
    assert_int_equal(json_array_size(list), 3);
    assert_int_equal(cluster_node_doc(cluster, (troupe_home){.low = 3}, &document), 0);
    assert_string_equal(json_string_value(json_object_get(document, "api")), "http://10.0.0.1:1000");
    assert_string_equal(json_string_value(json_object_get(document, "peer")), "[::1]:1001");
    json_decref(document);
    json_decref(list);
    tell(cluster, REGISTRY_NODE_CHANGED, 3, REGISTRY_UP, 1500);
    assert_true(cluster_api_url(cluster, (troupe_home){.low = 3}, url, sizeof url));
    assert_string_equal(url, "http://10.0.0.1:1500");
    tell(cluster, REGISTRY_NODE_DOWN, 3, REGISTRY_DOWN, 1500);
    tell(cluster, REGISTRY_NODE_DOWN, 77, REGISTRY_DOWN, 1); /* never heard of */
    assert_false(cluster_api_url(cluster, (troupe_home){.low = 3}, url, sizeof url));
    assert_int_equal(cluster_node_doc(cluster, (troupe_home){.low = 3}, &document), TROUPE_E_GONE);
    assert_int_equal(cluster_node_doc(cluster, (troupe_home){.low = 77}, &document), TROUPE_E_NOT_FOUND);
    assert_int_equal(count_of(cluster), 2);
    cluster_free(cluster);
}

static void a_list_replaces_all_test(void **state)
{
    struct cluster *cluster = cluster_of();
    struct cluster_figures figures;
    json_t *document;
    (void)state;
    tell(cluster, REGISTRY_NODE_UP, 1, REGISTRY_UP, 1000);
    tell(cluster, REGISTRY_NODE_UP, 2, REGISTRY_UP, 2000);
    const struct registry_record records[] = {record_of(2, REGISTRY_DRAINING, 2000), record_of(3, REGISTRY_UP, 3000)};
    cluster_on_list(cluster, records, 2);
    assert_int_equal(count_of(cluster), 2);
    assert_int_equal(cluster_node_doc(cluster, (troupe_home){.low = 1}, &document), TROUPE_E_GONE);
    cluster_figures(cluster, &figures);
    assert_int_equal(figures.members, 1); /* the other one drains */
    cluster_on_list(cluster, NULL, 0);
    assert_int_equal(count_of(cluster), 0);
    cluster_free(cluster);
}

static void the_table_is_bounded_test(void **state)
{
    struct cluster *cluster = cluster_of();
    (void)state;
    log_init(LOG_JSON, TROUPE_LOG_ERROR);
    for (uint64_t id = 1; id <= 2 * REGISTRY_NODES_MAX; id++)
        tell(cluster, REGISTRY_NODE_UP, id * 7919 % 1000003, REGISTRY_UP, 1000);
    assert_int_equal(count_of(cluster), REGISTRY_NODES_MAX + 1);
    cluster_free(cluster);
}

static void origins_of_members_are_compared_whole_test(void **state)
{
    static const char *const strangers[] = {
        "http://10.0.0.1", "http://10.0.0.1:10000", "https://10.0.0.1:1000", "http://10.0.0.1:1000.evil.example",
        "null", "", "http://10.0.0.1:100",
    };
    struct cluster *cluster = cluster_of();
    (void)state;
    tell(cluster, REGISTRY_NODE_UP, 1, REGISTRY_UP, 1000);
    assert_true(cluster_has_origin(cluster, troupe_view_of("http://10.0.0.1:1000")));
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        assert_false(cluster_has_origin(cluster, troupe_view_of(strangers[i])));
    cluster_free(cluster);
}

static int asked;
static int ask(void *user, troupe_home node)
{
    (void)user;
    asked += (int)node.low;
    return 0;
}

static void a_drain_is_asked_for_members_alone_test(void **state)
{
    struct cluster *cluster = cluster_of();
    char text[64];
    (void)state;
    cluster_set_drain(cluster, ask, NULL);
    tell(cluster, REGISTRY_NODE_UP, 1, REGISTRY_UP, 1000);
    tell(cluster, REGISTRY_NODE_UP, own.low, REGISTRY_UP, 2000);
    assert_int_equal(cluster_ask_drain(cluster, (troupe_home){.low = 1}), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(cluster_ask_drain(cluster, (troupe_home){.low = 5}), TROUPE_E_NOT_FOUND);
    assert_null(cluster_trouble(cluster, text, sizeof text));
    cluster_set_trouble(cluster, "it does not answer");
    assert_string_equal(cluster_trouble(cluster, text, sizeof text), "it does not answer");
    assert_int_equal(cluster_ask_drain(cluster, (troupe_home){.low = 1}), TROUPE_E_REGISTRY_LOST);
    assert_int_equal(cluster_ask_drain(cluster, own), 0); /* it needs no registry for that */
    assert_int_equal(asked, 101);
    cluster_set_trouble(cluster, NULL);
    assert_int_equal(cluster_ask_drain(cluster, (troupe_home){.low = 1}), 0);
    cluster_free(cluster);
}

static void a_node_knows_itself_before_it_is_a_member_test(void **state)
{
    struct cluster *cluster = cluster_of();
    struct registry_record record = record_of(own.low, REGISTRY_JOINING, 4000);
    struct cluster_own told;
    (void)state;
    record.extra = json_pack("{s:{s:s}}", "labels", "zone", "a");
    cluster_set_own(cluster, &record);
    cluster_set_own(cluster, &record);
    cluster_own(cluster, &told);
    assert_string_equal(told.api_url, "http://10.0.0.1:4000");
    assert_string_equal(told.peer, "[::1]:4001");
    assert_int_equal(json_array_size(told.endpoints), 2);
    assert_string_equal(json_string_value(json_object_get(told.labels, "zone")), "a");
    json_decref(told.endpoints);
    json_decref(told.labels);
    assert_int_equal(count_of(cluster), 0);
    registry_record_fini(&record);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_change_and_go_test), cmocka_unit_test(a_list_replaces_all_test),
        cmocka_unit_test(the_table_is_bounded_test), cmocka_unit_test(origins_of_members_are_compared_whole_test),
        cmocka_unit_test(a_drain_is_asked_for_members_alone_test),
        cmocka_unit_test(a_node_knows_itself_before_it_is_a_member_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
