/* SPDX-License-Identifier: Apache-2.0
 *
 * Traces: each message of an actor as an event, how it went, and the end. */
#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;

static int set_up(void **state)
{
    (void)state;
    lab_open(&lab);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

static void copy(char *to, size_t cap, troupe_view text)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len > 0)
        memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    int *error = request->user;

    *error = answer->error;
}

static int trace(troupe_ref ref, uint32_t messages, bool bodies)
{
    int error = 1;
    troupe_request request = {.user = &error};

    troupe_request_trace(lab.worker, &request, on_done, ref, messages, bodies, 1000);
    lab_run(&lab);
    return error;
}

static troupe_peek peek_at(troupe_ref ref)
{
    troupe_peek peek;

    assert_int_equal(troupe_system_peek(lab.system, ref, &peek), 0);
    return peek;
}

static troupe_subscription reader;

static void on_news(troupe_subscription *subscription) { (void)subscription; }

static void read_trace(troupe_ref ref)
{
    troupe_topic *topic;

    reader = (troupe_subscription){.ready = on_news};
    assert_int_equal(troupe_system_trace(lab.system, ref, &topic), 0);
    assert_int_equal(troupe_subscribe_to(lab.worker, &reader, topic, TROUPE_FROM_OLDEST, (troupe_event_id){0}), 0);
    troupe_topic_release(topic);
}

/* The next event's body, "" when there is none now, "gone" at the end. */
static const char *next_event(void)
{
    static char text[2048];
    troupe_event event;
    int got = troupe_subscription_read(&reader, &event);

    text[0] = '\0';
    if (got > 0)
        copy(text, sizeof text, event.body);
    return got < 0 ? "gone" : text;
}

static bool next_has(const char *part)
{
    const char *text = next_event();

    if (strstr(text, part) != NULL)
        return true;
    print_error("%s\n", text);
    return false;
}

static void test_a_trace_tells_each_message_and_then_its_end(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request asked;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(lab_note(&lab, &puppet), 0);
    lab_run(&lab); /* before the trace */
    assert_int_equal(trace(puppet.ref, 2, true), 0);
    assert_true(peek_at(puppet.ref).is_traced);
    read_trace(puppet.ref);
    assert_string_equal(next_event(), "");
    lab_ask(&lab, &puppet, &asked, 1000);
    assert_int_equal(lab_note(&lab, &puppet), 0);
    assert_int_equal(lab_note(&lab, &puppet), 0); /* behind it */
    lab_run(&lab);
    assert_int_equal(asked.error, 0);
    assert_string_equal(next_event(), "{\"kind\":\"call\",\"type\":\"ask\",\"from\":null,\"subject\":null,\"bytes\":1,"
                                      "\"content_type\":null,\"body\":1,\"duration_ns\":0,\"result\":\"ok\","
                                      "\"error\":null,\"left\":1}");
    assert_true(next_has("\"kind\":\"cast\",\"type\":\"note\""));
    assert_string_equal(next_event(), "{\"reason\":\"done\"}");
    assert_string_equal(next_event(), "gone");
    troupe_unsubscribe(&reader);
    assert_false(peek_at(puppet.ref).is_traced);
    assert_int_equal(puppet.notes, 3);
}

static int reply_with_an_error(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_reply_error(ctx, TROUPE_E_LIMIT, "so many");
}

static void test_a_trace_tells_how_it_went(void **state)
{
    PUPPET(puppet, 'p');
    static struct lab_request asked, kept, failing;

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(trace(puppet.ref, 100, false), 0);
    read_trace(puppet.ref);
    puppet.on_ask = reply_with_an_error;
    lab_ask(&lab, &puppet, &asked, 1000);
    lab_run(&lab);
    assert_true(next_has("\"result\":\"error\",\"error\":\"limit\""));
    puppet.on_ask = puppet_keep;
    lab_ask(&lab, &puppet, &kept, 1000);
    lab_run(&lab);
    assert_true(next_has("\"result\":\"kept\",\"error\":null"));
    puppet.on_ask = puppet_fail;
    lab_ask(&lab, &puppet, &failing, 1000);
    lab_run(&lab);
    assert_true(next_has("\"result\":\"ended\",\"error\":\"actor_failed\""));
    assert_string_equal(next_event(), "{\"reason\":\"ended\"}");
    assert_string_equal(next_event(), "gone");
    troupe_unsubscribe(&reader);
}

static void test_a_trace_shows_bodies_as_they_can_be_shown(void **state)
{
    PUPPET(puppet, 'p');
    char large[4000];
    const troupe_view note = troupe_view_of("note");

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(trace(puppet.ref, 100, true), 0);
    read_trace(puppet.ref);
    memset(large, '7', sizeof large);
    assert_int_equal(troupe_worker_cast(lab.worker, puppet.ref, note, troupe_body_json(large, sizeof large),
                                        (troupe_caller){0}), 0);
    assert_int_equal(troupe_worker_cast(lab.worker, puppet.ref, note, troupe_body_bytes("a\"b\xff", 4, "text/plain"),
                                        (troupe_caller){0}), 0);
    assert_int_equal(troupe_worker_cast(lab.worker, puppet.ref, note, troupe_body_none(),
                                        (troupe_caller){.subject = troupe_view_of("ann")}), 0);
    lab_run(&lab);
    assert_true(next_has("\"bytes\":4000,\"content_type\":null,\"body_text\":\"7777"));
    assert_true(next_has("\"content_type\":\"text/plain\",\"body_text\":\"a\\\"b\""));
    assert_true(next_has("\"subject\":\"ann\",\"bytes\":0"));
    troupe_unsubscribe(&reader);
}

static int be_told(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return 0;
}

static int publish(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_publish(ctx, "news", troupe_body_json("1", 1));
}

static int follow_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_follow(ctx, self->other->ref, NULL, TROUPE_FROM_NOW, (troupe_event_id){0, 0}, &self->number);
}

static int call_nobody(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_group_call(ctx, NULL, "nobody", "note", troupe_body_none(), 0, NULL, NULL, 0);
}

/* What the runtime itself puts into a mailbox has room behind it that is nobody's business: pointers, and what the
 * memory held before. */
static void test_a_trace_with_bodies_does_not_show_the_runtimes_memory(void **state)
{
    PUPPET(puppet, 'p');
    PUPPET(publisher, 'q');

    (void)state;
    puppet.other = &publisher;
    puppet.on_event = be_told;
    lab_spawn(&lab, &publisher, NULL);
    lab_spawn(&lab, &puppet, NULL);
    lab_do(&lab, &puppet, follow_other);
    lab_do(&lab, &puppet, call_nobody); /* so that there is memory to show */
    assert_int_equal(trace(puppet.ref, 100, true), 0);
    read_trace(puppet.ref);
    lab_do(&lab, &publisher, publish);
    assert_true(next_has("{\"kind\":\"event\",\"type\":null,\"from\":null,\"subject\":null,\"bytes\":0,"
                         "\"content_type\":null,\"duration_ns\":0,\"result\":\"ok\""));
    lab_do(&lab, &puppet, call_nobody);
    assert_true(next_has("\"type\":\"do\""));
    assert_true(next_has("{\"kind\":\"reply\",\"type\":null,\"from\":null,\"subject\":null,\"bytes\":0,"
                         "\"content_type\":null,\"duration_ns\":0,\"result\":\"ok\""));
    troupe_unsubscribe(&reader);
}

static void test_a_new_trace_replaces_the_old_one_and_zero_stops_it(void **state)
{
    PUPPET(puppet, 'p');

    (void)state;
    lab_spawn(&lab, &puppet, NULL);
    assert_int_equal(trace(puppet.ref, 10, false), 0);
    read_trace(puppet.ref);
    assert_int_equal(trace(puppet.ref, 10, false), 0);
    assert_string_equal(next_event(), "{\"reason\":\"replaced\"}");
    troupe_unsubscribe(&reader);
    read_trace(puppet.ref);
    assert_int_equal(trace(puppet.ref, 0, false), 0);
    assert_string_equal(next_event(), "{\"reason\":\"stopped\"}");
    troupe_unsubscribe(&reader);
    assert_int_equal(trace(puppet.ref, 0, false), 0); /* legal without one */
    assert_int_equal(trace(puppet.ref, TROUPE_TRACE_MESSAGES_MAX + 1, false), TROUPE_E_INVALID);
}

static void test_only_so_many_actors_are_traced_at_a_time(void **state)
{
    static struct puppet puppets[TROUPE_TRACES_MAX + 1];
    troupe_topic *topic;

    (void)state;
    for (unsigned i = 0; i <= TROUPE_TRACES_MAX; i++) {
        puppets[i] = (struct puppet){.letter = 'p'};
        lab_spawn(&lab, &puppets[i], NULL);
        assert_int_equal(trace(puppets[i].ref, 1, false), i < TROUPE_TRACES_MAX ? 0 : TROUPE_E_LIMIT);
    }
    assert_false(peek_at(puppets[TROUPE_TRACES_MAX].ref).is_traced);
    assert_int_equal(lab_note(&lab, &puppets[3]), 0); /* that trace is over, and kept until its place is needed */
    lab_run(&lab);
    assert_int_equal(troupe_system_trace(lab.system, puppets[3].ref, &topic), 0);
    troupe_topic_release(topic);
    assert_int_equal(trace(puppets[TROUPE_TRACES_MAX].ref, 1, false), 0);
    assert_int_equal(troupe_system_trace(lab.system, puppets[3].ref, &topic), TROUPE_E_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_trace_tells_each_message_and_then_its_end),
        TEST(test_a_trace_tells_how_it_went),
        TEST(test_a_trace_shows_bodies_as_they_can_be_shown),
        TEST(test_a_trace_with_bodies_does_not_show_the_runtimes_memory),
        TEST(test_a_new_trace_replaces_the_old_one_and_zero_stops_it),
        TEST(test_only_so_many_actors_are_traced_at_a_time),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
