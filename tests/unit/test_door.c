/* SPDX-License-Identifier: Apache-2.0
 *
 * door: each state with each message, and what time does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <troupe/json.h>

#include "behavior_world.h"

#define STATUS(state, digits, wrong, passed)                                                                           \
    "{\"state\":\"" state "\",\"digits\":" #digits ",\"wrong\":" #wrong ",\"passed\":" #passed "}"

static void press(troupe_ref door, const char *digits)
{
    char body[] = "{\"digit\":0}";

    for (; *digits; digits++) {
        body[9] = *digits;
        assert_int_equal(call(door, "press", body), 0);
    }
}

/* Call, and let the answer come when it will. */
static void call_later(troupe_request *request, troupe_ref door, const char *type, const char *body)
{
    *request = request_new();
    troupe_request_call(world.worker, request, on_done, door, troupe_view_of(type),
                        troupe_body_json(body, strlen(body)), (troupe_caller){0}, 60000);
    run_due();
}

static void test_the_right_code_opens(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\"}");
    static const struct row rows[] = {
        {"status", "", 0, STATUS("locked", 0, 0, 0)},
        {"press", "{\"digit\":1}", 0, STATUS("locked", 1, 0, 0)},
        {"status", "", 0, STATUS("locked", 1, 0, 0)},
        {"lock", "", 0, STATUS("locked", 1, 0, 0)},
        {"press", "{\"digit\":2}", 0, STATUS("open", 0, 0, 0)},
        {"pass", "", 0, STATUS("open", 0, 0, 1)},
        {"pass", "", 0, STATUS("open", 0, 0, 2)},
        {"status", "", 0, STATUS("open", 0, 0, 2)},
        {"lock", "", 0, STATUS("locked", 0, 0, 2)},
    };

    (void)state;
    CHECK_ROWS(door, rows);
}

static void test_an_open_door_locks_by_itself(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\",\"open_ms\":500}");

    (void)state;
    press(door, "12");
    advance_ms(499);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("open", 0, 0, 0));
    advance_ms(2);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("locked", 0, 0, 0));
}

static void test_who_wants_to_pass_waits_for_the_door(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\"}");
    troupe_request request;

    (void)state;
    call_later(&request, door, "pass", "");
    assert_false(world.outcome.is_done);
    for (const char *body = "{\"digit\":1}"; body; body = strchr(body, '1') ? "{\"digit\":2}" : NULL)
        assert_int_equal(troupe_worker_cast(world.worker, door, troupe_view_of("press"),
                                            troupe_body_json(body, strlen(body)), (troupe_caller){0}),
                         0);
    run_due();
    assert_true(world.outcome.is_done);
    assert_string_equal(world.outcome.body, STATUS("open", 0, 0, 1));
}

static void test_digits_pressed_while_it_is_open_count_when_it_is_locked(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\",\"open_ms\":500}");
    troupe_request request;

    (void)state;
    press(door, "12");
    call_later(&request, door, "press", "{\"digit\":1}");
    advance_ms(400);
    assert_false(world.outcome.is_done);
    advance_ms(200);
    assert_true(world.outcome.is_done);
    assert_string_equal(world.outcome.body, STATUS("locked", 1, 0, 0));
    press(door, "2");
    assert_string_equal(world.outcome.body, STATUS("open", 0, 0, 0));
}

static void test_digits_are_forgotten_when_nothing_happens(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\",\"patience_ms\":100}");

    (void)state;
    press(door, "1");
    advance_ms(99);
    assert_int_equal(call(door, "status", ""), 0); /* something happens: the patience begins anew */
    assert_string_equal(world.outcome.body, STATUS("locked", 1, 0, 0));
    advance_ms(99);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("locked", 1, 0, 0));
    advance_ms(101);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("locked", 0, 0, 0));
}

static void test_many_wrong_codes_block_it_for_a_while(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\",\"tries\":2,\"blocked_ms\":1000}");
    troupe_request request;

    (void)state;
    press(door, "99");
    assert_string_equal(world.outcome.body, STATUS("locked", 0, 1, 0));
    call_later(&request, door, "pass", ""); /* set aside; refused as soon as it is blocked */
    static const char *const digits[] = {"{\"digit\":9}", "{\"digit\":9}"};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(troupe_worker_cast(world.worker, door, troupe_view_of("press"),
                                            troupe_body_json(digits[i], strlen(digits[i])), (troupe_caller){0}),
                         0);
    run_due();
    assert_true(world.outcome.is_done);
    assert_app_error("wrong_state", 409);
    static const struct row rows[] = {
        {"status", "", 0, STATUS("blocked", 0, 2, 0)},
        {"press", "{\"digit\":1}", TROUPE_E_APP, "not in the state blocked"},
        {"pass", "", TROUPE_E_APP, "not in the state blocked"},
        {"lock", "", TROUPE_E_APP, "not in the state blocked"},
    };
    CHECK_ROWS(door, rows);
    advance_ms(1001);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("locked", 0, 0, 0));
}

static void test_wrong_codes_are_forgiven_in_any_state(void **state)
{
    troupe_ref door = must_spawn("door", "{\"code\":\"12\",\"tries\":3,\"blocked_ms\":1000,\"open_ms\":5000}");

    (void)state;
    press(door, "99");
    advance_ms(1001);
    assert_int_equal(call(door, "status", ""), 0);
    assert_string_equal(world.outcome.body, STATUS("locked", 0, 0, 0));
    press(door, "99");
    press(door, "12");
    assert_string_equal(world.outcome.body, STATUS("open", 0, 0, 0)); /* the right one forgives as well */
}

static void test_bad_bodies_and_args_are_refused(void **state)
{
    static const char *const args[] = {"{}",
                                       "{\"code\":\"\"}",
                                       "{\"code\":\"12a\"}",
                                       "{\"code\":\"12345678901234567\"}",
                                       "{\"code\":\"1\",\"open_ms\":0}",
                                       "{\"code\":\"1\",\"tries\":0}",
                                       "{\"code\":\"1\",\"patience_ms\":86400001}",
                                       "{\"code\":\"1\",\"no\":1}",
                                       "{"};
    troupe_ref door = must_spawn("door", "{\"code\":\"12\"}");
    static const struct row rows[] = {
        {"press", "{}", TROUPE_E_SCHEMA, "digit is missing"},
        {"press", "{\"digit\":10}", TROUPE_E_SCHEMA, "digit: "},
        {"press", "{\"digit\":-1}", TROUPE_E_SCHEMA, "digit: "},
        {"press", "{\"digits\":1}", TROUPE_E_SCHEMA, "there is no such member"},
        {"press", "{", TROUPE_E_MALFORMED, NULL},
        {"status", "", 0, STATUS("locked", 0, 0, 0)},
    };

    (void)state;
    CHECK_ROWS(door, rows);
    for (size_t i = 0; i < sizeof args / sizeof args[0]; i++) {
        print_message("# %s\n", args[i]);
        assert_int_not_equal(spawn("door", args[i]), 0);
        assert_true(world.outcome.detail[0] != '\0');
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_right_code_opens),
        TEST(test_an_open_door_locks_by_itself),
        TEST(test_who_wants_to_pass_waits_for_the_door),
        TEST(test_digits_pressed_while_it_is_open_count_when_it_is_locked),
        TEST(test_digits_are_forgotten_when_nothing_happens),
        TEST(test_many_wrong_codes_block_it_for_a_while),
        TEST(test_wrong_codes_are_forgiven_in_any_state),
        TEST(test_bad_bodies_and_args_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
