/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the registry: to JSON and back, and every fault is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "registry/record.h"

static const char full[] =
    "{\"node\":\"n.0000000000005\",\"revision\":2,\"state\":\"up\",\"protocol\":{\"min\":1,\"max\":2},\"version\":\"0.1\","
    "\"started_at_ms\":5,\"endpoints\":[{\"purpose\":\"api\",\"scheme\":\"http\",\"host\":\"::1\",\"port\":4,"
    "\"bound_port\":3}],\"behaviors\":[{\"name\":\"counter\",\"version\":\"1\"}],\"labels\":{\"zone\":\"a\"}}";

static int read(const char *text, struct registry_record *ret_record, char words[static 256])
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    int error = registry_record_from_json(json, ret_record, words, 256);
    json_decref(json);
    return error;
}

static void a_record_comes_back_as_it_was_test(void **state)
{
    struct registry_record record, copy;
    char words[256];
    (void)state;
    assert_int_equal(read(full, &record, words), 0);
    assert_int_equal(record.node.low, 5);
    assert_int_equal(record.endpoints[0].port, 4);
    assert_ptr_equal(registry_record_endpoint(&record, "api"), &record.endpoints[0]);
    assert_null(registry_record_endpoint(&record, "peer"));
    assert_int_equal(registry_record_copy(&copy, &record), 0);
    registry_record_fini(&record);
    json_t *json = registry_record_to_json(&copy), *expected = json_loads(full, 0, NULL);
    assert_true(json_equal(json, expected));
    json_decref(json);
    json_decref(expected);
    registry_record_fini(&copy);
    registry_record_fini(&copy);
}

static void members_of_the_next_version_are_passed_over_test(void **state)
{
    struct registry_record record;
    char words[256];
    json_t *json = json_loads(full, 0, NULL);
    (void)state;
    json_object_set_new(json, "tls", json_true());
    assert_int_equal(registry_record_from_json(json, &record, words, sizeof words), 0);
    assert_null(json_object_get(record.extra, "tls"));
    registry_record_fini(&record);
    json_decref(json);
}

/* Put a value at "a.b" or "endpoints.port" of the first endpoint; NULL takes it away. */
static json_t *broken(const char *path, const char *value)
{
    json_t *json = json_loads(full, 0, NULL), *at = json;
    const char *dot = strchr(path, '.');
    if (dot != NULL) {
        char first[32] = "";
        memcpy(first, path, (size_t)(dot - path));
        at = json_object_get(json, first);
        at = json_is_array(at) ? json_array_get(at, 0) : at;
        path = dot + 1;
    }
    if (value == NULL)
        json_object_del(at, path);
    else
        json_object_set_new(at, path, json_loads(value, JSON_DECODE_ANY, NULL));
    return json;
}

static void every_fault_of_a_record_is_named_test(void **state)
{
    static const struct {
        const char *path, *value, *says;
    } faults[] = {
        {"node", NULL, "node"}, {"node", "\"x\"", "node"}, {"node", "\"s.00000000000000000000000005\"", "node"},
        {"node", "\"n.0000000000000\"", "node"}, {"revision", "0", "revision"}, {"revision", "4294967296", "revision"},
        {"revision", "-1", "revision"}, {"revision", "1.5", "revision"}, {"state", "\"gone\"", "state"},
        {"state", NULL, "state"}, {"protocol", "1", "min"}, {"protocol.min", "3", "max"}, {"version", "\"\"", "version"},
        {"version", "\"0123456789012345678901234567890123\"", "version"}, {"version", "\"a\\nb\"", "version"},
        {"started_at_ms", "-1", "started_at_ms"}, {"endpoints", "{}", "endpoints"}, {"endpoints", "[]", "purpose api"},
        {"endpoints", "[1,2,3,4,5]", "at most 4"}, {"endpoints", "[1]", "purpose"},
        {"endpoints.purpose", "\"peer\"", "purpose api"}, {"endpoints.purpose", "\"12345678\"", "purpose"},
        {"endpoints.host", "\"a b\"", "host"}, {"endpoints.host", "\"[::1]\"", "host"},
        {"endpoints.host", "\"http://x\"", "host"}, {"endpoints.port", "0", "port"}, {"endpoints.port", "65536", "port"},
        {"endpoints.bound_port", "null", "bound_port"}, {"endpoints.scheme", NULL, "scheme"},
        {"behaviors", "{}", "behaviors"}, {"behaviors", "[{\"name\":\"a\"}]", "version"},
        {"behaviors", "[1]", "behaviors"}, {"labels", "[]", "labels"}, {"labels", "{\"\":\"a\"}", "label"},
        {"labels", "{\"a\":1}", "label"}, {"labels", "{\"a\":\"\"}", "label"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct registry_record record;
        char words[256] = "";
        json_t *json = broken(faults[i].path, faults[i].value);
        assert_int_equal(registry_record_from_json(json, &record, words, sizeof words), TROUPE_E_SCHEMA);
        if (strstr(words, faults[i].says) == NULL)
            fail_msg("fault %zu: \"%s\" does not say %s", i, words, faults[i].says);
        json_decref(json);
    }
}

static void a_purpose_comes_once_and_texts_are_bounded_test(void **state)
{
    struct registry_record record;
    char words[256] = "";
    (void)state;
    json_t *json = json_loads(full, 0, NULL), *endpoints = json_object_get(json, "endpoints");
    json_array_append_new(endpoints, json_deep_copy(json_array_get(endpoints, 0)));
    assert_int_equal(registry_record_from_json(json, &record, words, sizeof words), TROUPE_E_SCHEMA);
    assert_non_null(strstr(words, "two endpoints"));
    json_decref(json);
    json = json_loads("[]", 0, NULL);
    assert_int_equal(registry_record_from_json(json, &record, words, sizeof words), TROUPE_E_SCHEMA);
    assert_non_null(strstr(words, "object"));
    json_decref(json);
}

static void words_have_a_way_back_test(void **state)
{
    (void)state;
    for (int i = REGISTRY_JOINING; i <= REGISTRY_DOWN; i++)
        assert_int_equal(registry_state_parse(registry_state_word((enum registry_state)i)), i);
    for (int i = REGISTRY_NODE_JOINING; i <= REGISTRY_NODE_DOWN; i++)
        assert_int_equal(registry_what_parse(registry_what_word((enum registry_what)i)), i);
    assert_int_equal(registry_state_parse(NULL), 0);
    assert_int_equal(registry_state_parse("UP"), 0);
    assert_int_equal(registry_what_parse("node"), 0);
    assert_int_equal(registry_what_parse(NULL), 0);
    assert_string_equal(registry_state_word((enum registry_state)0), "unknown");
    assert_string_equal(registry_what_word((enum registry_what)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was_test),
        cmocka_unit_test(members_of_the_next_version_are_passed_over_test),
        cmocka_unit_test(every_fault_of_a_record_is_named_test),
        cmocka_unit_test(a_purpose_comes_once_and_texts_are_bounded_test),
        cmocka_unit_test(words_have_a_way_back_test),
    };
    return cmocka_run_group_tests_name("registry_record", tests, NULL, NULL);
}
