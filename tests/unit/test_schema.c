/* SPDX-License-Identifier: Apache-2.0
 *
 * api/schema.h: what compiles, what fits, and what is said where of what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/contract.h"
#include "api/schema.h"

#define OBJECT(properties) "{\"type\":\"object\",\"properties\":{" properties "},\"additionalProperties\":false}"

/* ---- check ---- */

struct row {
    const char *schema, *body;
    const char *pointer;         /* NULL: it fits */
    const char *detail;          /* a part of it */
};

static void check_row(const struct row *row)
{
    struct schema *schema = NULL;
    struct schema_fault fault = {0};
    print_message("# %s %s\n", row->schema, row->body);
    assert_int_equal(schema_compile(row->schema, &schema, &fault), 0);
    assert_non_null(schema);
    int error = schema_check(schema, troupe_view_of(row->body), &fault);
    if (row->pointer == NULL) {
        assert_int_equal(error, 0);
    } else {
        assert_int_equal(error, TROUPE_E_SCHEMA);
        assert_int_equal(fault.error, TROUPE_E_SCHEMA);
        assert_string_equal(fault.pointer, row->pointer);
        assert_non_null(strstr(fault.detail, row->detail));
    }
    schema_free(schema);
}

static void test_types(void **state)
{
    static const struct {
        const char *type, *fits, *others[6];
    } rows[] = {
        {"null", "null", {"0", "\"\"", "[]", "{}", "true"}},
        {"boolean", "true", {"0", "\"\"", "[]", "{}", "null"}},
        {"integer", "-12345678901234567890", {"1.0", "1e2", "\"1\"", "[]", "{}", "null"}},
        {"number", "1.5", {"\"1\"", "[]", "{}", "null", "false"}},
        {"string", "\"\"", {"0", "[]", "{}", "null", "false"}},
        {"array", "[1,{}]", {"0", "\"\"", "{}", "null", "false"}},
        {"object", "{\"a\":[]}", {"0", "\"\"", "[]", "null", "false"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char schema[64];
        snprintf(schema, sizeof schema, "{\"type\":\"%s\"}", rows[i].type);
        check_row(&(struct row){schema, rows[i].fits, NULL, NULL});
        for (size_t k = 0; k < 6 && rows[i].others[k] != NULL; k++)
            check_row(&(struct row){schema, rows[i].others[k], "", "it must be "});
    }
}

static void test_rows(void **state)
{
    static const struct row rows[] = {
        {"{\"type\":\"number\"}", "1", NULL, NULL},
        {"{\"type\":[\"integer\",\"null\"]}", "null", NULL, NULL},
        {"{\"type\":[\"string\",\"null\"]}", "1", "", "it must be null or a string, not a number"},
        {"{\"type\":[\"number\",\"integer\"]}", "\"\"", "", "it must be a number, not a string"},
        /* bounds are exact for integers of 64 bits */
        {"{\"minimum\":2}", "2", NULL, NULL},
        {"{\"minimum\":2}", "1", "", "it must be at least 2"},
        {"{\"exclusiveMinimum\":2}", "2", "", "it must be more than 2"},
        {"{\"maximum\":2.5}", "2.5", NULL, NULL},
        {"{\"maximum\":2.5}", "2.6", "", "it must be at most 2.5"},
        {"{\"exclusiveMaximum\":0}", "-0.0", "", "it must be less than 0"},
        {"{\"maximum\":9223372036854775806}", "9223372036854775807", "", "at most"},
        {"{\"maximum\":9223372036854775806}", "9223372036854775806", NULL, NULL},
        {OBJECT("\"a\":{\"maximum\":9223372036854775806}"), "{\"a\":9223372036854775807}", "/a", "at most"},
        {OBJECT("\"a\":{\"maximum\":999999999999999999}"), "{\"a\":1000000000000000000}", "/a", "at most"},
        {OBJECT("\"a\":{\"maximum\":999999999999999999}"), "{\"a\":999999999999999999}", NULL, NULL},
        {OBJECT("\"a\":{\"minimum\":-5}"), "{\"a\":-99999999999999999999}", "/a", "at least"},
        {OBJECT("\"a\":{\"minimum\":-5}"), "{\"a\":-5}", NULL, NULL},
        {"{\"maximum\":5}", "1e999", "", "at most"},
        {"{\"minimum\":5}", "-1e999", "", "at least"},
        {"{\"minimum\":5}", "\"not a number\"", NULL, NULL},
        /* characters, not bytes, and a pair of surrogates is one of them */
        {"{\"minLength\":2,\"maxLength\":2}", "\"\xc3\xa9\xe2\x82\xac\"", NULL, NULL},
        {"{\"minLength\":2,\"maxLength\":2}", "\"\\ud83d\\ude00\\n\"", NULL, NULL},
        {"{\"maxLength\":1}", "\"ab\"", "", "at most 1 characters"},
        {"{\"minLength\":1}", "\"\"", "", "at least 1 characters"},
        /* enum and const */
        {"{\"enum\":[\"a\",\"b\"]}", "\"\\u0061\"", NULL, NULL},
        {"{\"enum\":[\"a\",\"b\"]}", "\"c\"", "", "it must be one of a, b"},
        {"{\"enum\":[1,2.5]}", "2.5", NULL, NULL},
        {"{\"enum\":[1,2.5]}", "3", "", "not among"},
        {"{\"enum\":[true,null]}", "null", NULL, NULL},
        {"{\"enum\":[true]}", "false", "", "not among"},
        {"{\"enum\":[true]}", "null", "", "not among"},
        {"{\"enum\":[1]}", "[1]", "", "an array is not among"},
        {"{\"enum\":[1]}", "{}", "", "an object is not among"},
        {"{\"enum\":[1]}", "\"1\"", "", "not among"},
        {"{\"const\":7}", "7", NULL, NULL},
        /* members */
        {OBJECT("\"a\":{\"type\":\"integer\"}"), "{\"a\":1}", NULL, NULL},
        {OBJECT("\"a\":{\"type\":\"integer\"}"), "{\"a\":\"1\"}", "/a", "a: it must be an integer, not a string"},
        {OBJECT("\"a\":{}"), "{\"b\":1}", "/b", "b: there is no such member"},
        {OBJECT("\"a/b\":{\"type\":\"null\"}"), "{\"a/b\":1}", "/a~1b", "a/b: "},
        {OBJECT("\"~\":{\"type\":\"null\"}"), "{\"\\u007e\":1}", "/~0", "it must be null"},
        {OBJECT("\"a\":false"), "{\"a\":1}", "/a", "there is no such member"},
        {"{\"additionalProperties\":{\"type\":\"string\"}}", "{\"x\":\"\",\"y\":1}", "/y", "a string"},
        {"{\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"b\",\"a\"]}", "{\"a\":1}", "/b", "b is missing"},
        {"{\"properties\":{\"a\":{}},\"required\":[\"a\"]}", "", "/a", "a is missing"},
        {"{\"properties\":{\"a\":{}},\"required\":[\"a\"]}", "[]", NULL, NULL},
        /* the last of two members counts, so each is checked */
        {OBJECT("\"a\":{\"type\":\"integer\"}"), "{\"a\":1,\"a\":\"x\"}", "/a", "an integer"},
        /* items */
        {"{\"items\":{\"items\":{\"type\":\"null\"}}}", "[[],[null,0]]", "/1/1", "it must be null"},
        {"{\"minItems\":1,\"maxItems\":2}", "[]", "", "at least 1 items"},
        {"{\"minItems\":1,\"maxItems\":2}", "[1,2,3]", "", "at most 2 items"},
        {"{\"type\":\"array\",\"maxItems\":2}", "[1,2]", NULL, NULL},
        /* a blank schema inside lets all pass */
        {OBJECT("\"a\":{\"title\":\"any\",\"description\":\"x\",\"default\":1,\"examples\":[],\"format\":\"x\"}"),
         "{\"a\":[[[{}]]]}", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

static void test_what_is_not_json_is_malformed_wherever_it_breaks(void **state)
{
    static const char *const bodies[] = {
        "{\"a\":",       "{\"a\":1", "{\"a\":1,}", "{\"a\":01}",       "{\"a\":1}x",
        "{\"a\":\"x\",", "[",        "nul",        "{\"b\":\"\xff\"}",
    };
    struct schema *schema;
    (void)state;
    struct schema_fault fault;
    assert_int_equal(schema_compile(OBJECT("\"a\":{\"type\":\"integer\"}"), &schema, &fault), 0);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        print_message("# %s\n", bodies[i]);
        assert_int_equal(schema_check(schema, troupe_view_of(bodies[i]), &fault), TROUPE_E_MALFORMED);
        assert_string_equal(fault.pointer, "");
        assert_non_null(strstr(fault.detail, "at byte "));
    }
    schema_free(schema);
}

static void test_a_long_name_is_cut_in_words_and_left_out_of_the_pointer(void **state)
{
    struct schema *schema;
    struct schema_fault fault;
    char body[4096] = "{\"deep\":{\"";
    (void)state;
    for (unsigned i = 0; i < 700; i++)
        strcat(body, "\xc3\xa4");
    strcat(body, "\":1}}");
    assert_int_equal(schema_compile(OBJECT("\"deep\":" OBJECT("")), &schema, &fault), 0);
    assert_int_equal(schema_check(schema, troupe_view_of(body), &fault), TROUPE_E_SCHEMA);
    assert_string_equal(fault.pointer, "/deep");
    assert_int_equal(strlen(fault.detail), 64 + strlen(": there is no such member"));
    schema_free(schema);
}

/* ---- compile ---- */

static void test_nothing_to_check_compiles_to_nothing(void **state)
{
    static const char *const texts[] = {NULL, "{}", "true", "{\"title\":\"x\"}", "{\"type\":[\"null\",\"boolean\","
                                        "\"number\",\"string\",\"array\",\"object\"]}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct schema *schema = (struct schema *)&state;
        struct schema_fault fault;
        assert_int_equal(schema_compile(texts[i], &schema, &fault), 0);
        assert_null(schema);
    }
}

static void test_what_is_outside_the_subset_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *schema, *pointer, *detail;
    } rows[] = {
        {"{", "", "not JSON"}, {"[]", "", "an object, true or false"}, {"false", "", "no message fits"},
        {"{\"type\":1}", "/type", "a type is"}, {"{\"type\":[]}", "/type", "at least one"},
        {"{\"type\":[\"int\"]}", "/type", "a type is"}, {"{\"pattern\":\"x\"}", "/pattern", "keyword pattern"},
        {"{\"properties\":[]}", "/properties", "takes an object"},
        {"{\"properties\":{\"a\":1}}", "/properties/a", "an object, true or false"},
        {"{\"properties\":{\"a/b\":{\"anyOf\":[]}}}", "/properties/a~1b/anyOf", "keyword anyOf"},
        {"{\"items\":[]}", "/items", "an object, true or false"},
        {"{\"additionalProperties\":{\"not\":{}}}", "/additionalProperties/not", "keyword not"},
        {"{\"required\":\"a\"}", "/required", "a list of names"},
        {"{\"required\":[\"a\"]}", "/required", "a is required and not among"},
        {"{\"required\":[1]}", "/required", "not among"},
        {"{\"minimum\":\"1\"}", "/minimum", "takes a number"},
        {"{\"minimum\":1,\"exclusiveMinimum\":1}", "/exclusiveMinimum", "either inclusive or exclusive"},
        {"{\"minLength\":-1}", "/minLength", "whole number"}, {"{\"maxItems\":1.5}", "/maxItems", "whole number"},
        {"{\"enum\":[]}", "/enum", "one value at least"}, {"{\"enum\":1}", "/enum", "one value at least"},
        {"{\"enum\":[{}]}", "/enum", "can be compared"}, {"{\"const\":[1]}", "/const", "no list"},
        {"{\"enum\":[1],\"const\":1}", "/const", "exclude each other"},
        {"{\"type\":\"null\",\"type\":\"null\"}", "", "JSON"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schema *schema;
        struct schema_fault fault = {0};
        print_message("# %s\n", rows[i].schema);
        assert_int_equal(schema_compile(rows[i].schema, &schema, &fault), TROUPE_E_INVALID);
        assert_null(schema);
        assert_string_equal(fault.pointer, rows[i].pointer);
        assert_non_null(strstr(fault.detail, rows[i].detail));
    }
}

/* A schema of so many levels; the innermost is of type null. */
static int compile_deep(unsigned levels, struct schema_fault *fault)
{
    char text[4096] = "";
    struct schema *schema;
    for (unsigned i = 1; i < levels; i++)
        strcat(text, "{\"items\":");
    strcat(text, "{\"type\":\"null\"}");
    for (unsigned i = 1; i < levels; i++)
        strcat(text, "}");
    int error = schema_compile(text, &schema, fault);
    schema_free(schema);
    return error;
}

static int compile_wide(unsigned properties, struct schema_fault *fault)
{
    char text[8192] = "{\"properties\":{";
    struct schema *schema;
    for (unsigned i = 0; i < properties; i++)
        snprintf(text + strlen(text), 64, "%s\"p%u\":{\"type\":\"null\"}", i > 0 ? "," : "", i);
    strcat(text, "}}");
    int error = schema_compile(text, &schema, fault);
    schema_free(schema);
    return error;
}

static void test_the_limits_hold(void **state)
{
    struct schema_fault fault;
    (void)state;
    assert_int_equal(compile_deep(SCHEMA_DEPTH_MAX, &fault), 0);
    assert_int_equal(compile_deep(SCHEMA_DEPTH_MAX + 1, &fault), TROUPE_E_INVALID);
    assert_non_null(strstr(fault.detail, "16 deep"));
    assert_int_equal(compile_wide(SCHEMA_PROPERTIES_MAX, &fault), 0);
    assert_int_equal(compile_wide(SCHEMA_PROPERTIES_MAX + 1, &fault), TROUPE_E_INVALID);
    assert_non_null(strstr(fault.detail, "at most 64 properties"));
}

static void test_a_schema_has_a_limit_of_parts(void **state)
{
    enum { GROUPS = 9 };
    struct schema *schema;
    struct schema_fault fault;
    char *text = calloc(1, 65536);
    (void)state;
    strcat(text, "{\"properties\":{");
    for (unsigned i = 0; i < GROUPS; i++) {
        sprintf(text + strlen(text), "%s\"g%u\":{\"properties\":{", i > 0 ? "," : "", i);
        for (unsigned k = 0; k < SCHEMA_PROPERTIES_MAX; k++)
            sprintf(text + strlen(text), "%s\"p%u\":{\"type\":\"null\"}", k > 0 ? "," : "", k);
        strcat(text, "}}");
    }
    strcat(text, "}}");
    assert_int_equal(schema_compile(text, &schema, &fault), TROUPE_E_INVALID);
    assert_non_null(strstr(fault.detail, "at most 512 parts"));
    free(text);
}

/* ---- contracts ---- */

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    (void)ctx, (void)memory, (void)msg;
    return 0;
}

static const troupe_type contract_types[] = {
    {.name = "free"},
    {.name = "strict", .body_schema = "{\"type\":\"integer\"}", .reply_schema = "{\"type\":\"null\"}"},
};

static void test_a_contract_names_the_schema_that_is_wrong(void **state)
{
    static const troupe_type bad[] = {{.name = "t", .reply_schema = "{\"items\":{\"oneOf\":[]}}"}};
    troupe_behavior behavior = {TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .types = bad, .types_count = 1,
                                .receive = receive};
    struct contract *contract;
    char words[256];
    (void)state;
    assert_int_equal(contract_new(&behavior, NULL, 0, &contract, words, sizeof words), TROUPE_E_INVALID);
    assert_non_null(strstr(words, "the reply_schema of t is wrong at /items/oneOf: the keyword oneOf"));
    behavior.args_schema = "1";
    assert_int_equal(contract_new(&behavior, "x.so", 0, &contract, words, sizeof words), TROUPE_E_INVALID);
    assert_string_equal(words, "the args_schema of b is wrong: a schema is an object, true or false");
}

struct found {
    bool is_done;
    troupe_ref ref;
};

static void on_spawned(troupe_request *request, const troupe_answer *answer)
{
    struct found *found = request->user;
    assert_int_equal(answer->error, 0);
    *found = (struct found){true, answer->ref};
}

static void test_a_contract_is_found_by_the_actor_and_only_for_types_that_have_a_schema(void **state)
{
    static const troupe_behavior behavior = {
        TROUPE_BEHAVIOR_HEAD, .name = "b", .version = "1", .types = contract_types, .types_count = 2,
        .receive = receive, .args_schema = "{\"type\":\"object\"}",
    };
    const troupe_system_config config = {.node = 1, .actors_max = 64};
    const troupe_spawn_opts opts = {.behavior = "b"};
    troupe_system *system;
    char words[256];
    struct found found = {0};
    troupe_request request = {.user = &found};
    (void)state;
    assert_int_equal(troupe_system_new(&config, &system), 0);
    assert_int_equal(contract_install(system, &behavior, 0, words, sizeof words), 0);
    assert_int_equal(contract_install(system, &behavior, 0, words, sizeof words), TROUPE_E_NAME_TAKEN);
    assert_non_null(contract_of_args(system, troupe_view_of("b")));
    assert_null(contract_of_args(system, troupe_view_of("c")));
    troupe_request_spawn(troupe_system_worker(system, 0), &request, on_spawned, &opts);
    while (!found.is_done)
        (void)troupe_worker_poll(troupe_system_worker(system, 0), 1, 8);
    assert_non_null(contract_of_body(system, found.ref, troupe_view_of("strict")));
    assert_null(contract_of_body(system, found.ref, troupe_view_of("free")));
    assert_null(contract_of_body(system, found.ref, troupe_view_of("nothing")));
    found.ref.generation++;
    assert_null(contract_of_body(system, found.ref, troupe_view_of("strict")));
    contract_free_all(system);
    troupe_system_free(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_what_is_not_json_is_malformed_wherever_it_breaks),
        cmocka_unit_test(test_a_long_name_is_cut_in_words_and_left_out_of_the_pointer),
        cmocka_unit_test(test_nothing_to_check_compiles_to_nothing),
        cmocka_unit_test(test_what_is_outside_the_subset_is_refused_with_its_place),
        cmocka_unit_test(test_the_limits_hold),
        cmocka_unit_test(test_a_schema_has_a_limit_of_parts),
        cmocka_unit_test(test_a_contract_names_the_schema_that_is_wrong),
        cmocka_unit_test(test_a_contract_is_found_by_the_actor_and_only_for_types_that_have_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
