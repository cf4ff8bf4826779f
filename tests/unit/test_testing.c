/* SPDX-License-Identifier: Apache-2.0
 *
 * troupe/testing.h: the lab that authors of behaviors test with, tried on the standard behaviors. What a failed
 * expectation does (a line, and exit status 1) is seen in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <troupe/testing.h>

static int leak(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    static void *kept[2];
    (void)ctx, (void)memory;
    if (msg->kind == TROUPE_MSG_CALL)
        troupe_free(kept[0]); /* so that the test itself does not leak */
    else
        kept[0] = troupe_alloc(100);
    return 0;
}

static const troupe_type leaky_types[] = {{.name = "leak"}};
static const troupe_behavior leaky = {TROUPE_BEHAVIOR_HEAD, .name = "leaky", .version = "1", .types = leaky_types,
                                      .types_count = 1, .receive = leak};
TROUPE_EXPORT_BEHAVIORS(&leaky);

static void test_calls_casts_and_events(void **state)
{
    troupe_lab *lab = troupe_lab_new(NULL);
    (void)state;
    troupe_ref counter = troupe_lab_spawn(lab, "counter", "{\"value\":40}");
    TROUPE_LAB_REPLY(lab, counter, "add", "{\"by\":2}", "{\"value\":42}");
    TROUPE_LAB_ERROR(lab, counter, "add", "{\"by\":\"two\"}", "schema");
    TROUPE_LAB_ERROR(lab, counter, "add", "{\"by\":9223372036854775807}", "app.overflow");
    TROUPE_LAB_ERROR(lab, counter, "nothing", NULL, "unknown_type");
    assert_int_equal(troupe_lab_cast(lab, counter, "reset", NULL), 0);
    assert_string_equal(troupe_lab_call(lab, counter, "get", NULL)->body, "{\"value\":0}");
    assert_int_equal(troupe_lab_cast(lab, counter, "nothing", NULL), TROUPE_E_UNKNOWN_TYPE);

    troupe_ref topic = troupe_lab_spawn(lab, "topic", NULL);
    troupe_lab_follow(lab, topic);
    assert_null(troupe_lab_next_event(lab));
    assert_int_equal(troupe_lab_cast(lab, topic, "news", "[1]"), 0);
    const troupe_lab_event *event = troupe_lab_next_event(lab);
    assert_non_null(event);
    assert_string_equal(event->type, "news");
    assert_string_equal(event->body, "[1]");
    assert_null(troupe_lab_next_event(lab));
    assert_int_equal(troupe_lab_free(lab), 0);
}

static void test_time_passes_when_the_test_says_so(void **state)
{
    troupe_lab *lab = troupe_lab_new(NULL);
    char args[128], ref[TROUPE_REF_TEXT_MAX];
    (void)state;
    troupe_ref topic = troupe_lab_spawn(lab, "topic", NULL);
    troupe_ref_format(topic, ref);
    troupe_lab_follow(lab, topic);
    snprintf(args, sizeof args, "{\"to\":\"%s\",\"period_ms\":60000}", ref);
    troupe_lab_spawn(lab, "ticker", args);
    troupe_lab_advance(lab, 59999);
    assert_null(troupe_lab_next_event(lab));
    troupe_lab_advance(lab, 1);
    assert_non_null(troupe_lab_next_event(lab));
    TROUPE_LAB_CHECK(troupe_lab_next_event(lab) == NULL);
    assert_int_equal(troupe_lab_free(lab), 0);
}

static void test_ends_are_told(void **state)
{
    troupe_lab *lab = troupe_lab_new(NULL);
    troupe_ref ref;
    (void)state;
    troupe_ref faulty = troupe_lab_spawn(lab, "faulty", NULL);
    assert_true(troupe_lab_is_alive(lab, faulty));
    assert_null(troupe_lab_end(lab, faulty));
    TROUPE_LAB_ERROR(lab, faulty, "fail", "{\"detail\":\"on purpose\"}", "actor_failed");
    assert_false(troupe_lab_is_alive(lab, faulty));
    assert_int_equal(troupe_lab_end(lab, faulty)->cause, TROUPE_EXIT_FAILED);
    assert_int_equal(troupe_lab_end(lab, faulty)->detail.len, strlen("on purpose"));
    assert_int_equal(troupe_lab_call(lab, faulty, "stop", NULL)->error, TROUPE_E_GONE);

    troupe_ref echo = troupe_lab_spawn(lab, "echo", NULL);
    assert_int_equal(troupe_lab_stop(lab, echo, TROUPE_STOP), 0);
    assert_int_equal(troupe_lab_end(lab, echo)->cause, TROUPE_EXIT_STOPPED);
    const troupe_spawn_opts opts = {.behavior = "faulty", .args = troupe_body_json("{\"init\":\"fail\"}", 15)};
    assert_int_equal(troupe_lab_try_spawn(lab, &opts, &ref), TROUPE_E_START_FAILED);
    assert_int_equal(troupe_lab_free(lab), 0);
}

static void test_memory_that_is_not_given_back_is_told(void **state)
{
    (void)state;
    troupe_lab *lab = troupe_lab_new(&troupe_exported_behaviors);
    troupe_ref ref = troupe_lab_spawn(lab, "leaky", NULL);
    assert_int_equal(troupe_lab_cast(lab, ref, "leak", NULL), 0);
    assert_int_equal(troupe_lab_free(lab), 1);
    lab = troupe_lab_new(&troupe_exported_behaviors);
    ref = troupe_lab_spawn(lab, "leaky", NULL);
    TROUPE_LAB_ERROR(lab, ref, "leak", NULL, "no_reply");
    (void)troupe_lab_free(lab);
}

/* ---- expectations that do not hold ---- */

static void expect_wrong_reply(troupe_lab *lab, troupe_ref ref)
{
    TROUPE_LAB_REPLY(lab, ref, "get", NULL, "{\"value\":1}");
}
static void expect_reply_of_error(troupe_lab *lab, troupe_ref ref) { TROUPE_LAB_REPLY(lab, ref, "add", "[]", "{}"); }
static void expect_wrong_error(troupe_lab *lab, troupe_ref ref) { TROUPE_LAB_ERROR(lab, ref, "add", "[]", "timeout"); }
static void expect_error_of_reply(troupe_lab *lab, troupe_ref ref)
{
    TROUPE_LAB_ERROR(lab, ref, "get", NULL, "schema");
}

static void expect_what_does_not_hold(troupe_lab *lab, troupe_ref ref)
{
    TROUPE_LAB_CHECK(!troupe_lab_is_alive(lab, ref));
}

static void spawn_what_does_not_start(troupe_lab *lab, troupe_ref ref)
{
    (void)ref;
    troupe_lab_spawn(lab, "counter", "7");
}

static void load_another_abi(troupe_lab *lab, troupe_ref ref)
{
    static const troupe_export other = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI + 1, 0, 0, 0, NULL};
    (void)lab, (void)ref;
    (void)troupe_lab_new(&other);
}

static void load_a_name_twice(troupe_lab *lab, troupe_ref ref)
{
    static const troupe_behavior *const list[] = {&leaky, &leaky};
    static const troupe_export twice = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI, sizeof leaky, sizeof(troupe_type), 2,
                                        list};
    (void)lab, (void)ref;
    (void)troupe_lab_new(&twice);
}

/* Run it in a child; give its exit status, and what it wrote to standard error. */
static int run_child(void (*fn)(troupe_lab *lab, troupe_ref ref), char *text, size_t cap)
{
    int ends[2], status;
    size_t len = 0;
    ssize_t got;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        troupe_lab *lab = troupe_lab_new(NULL);
        fn(lab, troupe_lab_spawn(lab, "counter", NULL));
        _exit(0);
    }
    close(ends[1]);
    while (len < cap - 1 && (got = read(ends[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_does_not_hold_ends_the_test_with_a_line(void **state)
{
    static const struct {
        void (*fn)(troupe_lab *lab, troupe_ref ref);
        const char *words;
    } rows[] = {
        {expect_wrong_reply, ": get (no body) is answered with {\"value\":0}, not with {\"value\":1}\n"},
        {expect_reply_of_error, ": add [] is answered with the error schema ("},
        {expect_wrong_error, "not with timeout\n"},
        {expect_error_of_reply, ": get (no body) is answered with {\"value\":0}, not with the error schema\n"},
        {expect_what_does_not_hold, ": this does not hold: !troupe_lab_is_alive(lab, ref)\n"},
        {spawn_what_does_not_start, "counter does not start with the args 7: schema ("},
        {load_another_abi, "another version of the headers"},
        {load_a_name_twice, "behavior 2 (leaky) is refused: there is one of this name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[8192];
        assert_int_equal(run_child(rows[i].fn, text, sizeof text), 1);
        assert_non_null(strstr(text, rows[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_casts_and_events),
        cmocka_unit_test(test_time_passes_when_the_test_says_so),
        cmocka_unit_test(test_ends_are_told),
        cmocka_unit_test(test_memory_that_is_not_given_back_is_told),
        cmocka_unit_test(test_what_does_not_hold_ends_the_test_with_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
