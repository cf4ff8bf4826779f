/* SPDX-License-Identifier: Apache-2.0
 *
 * Monitors and subscriptions of a session: each is told in order, exactly once, and a slow client lags instead of
 * growing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_world.h"

#define FIRST NODE_TEXT ".1.1"

/* ---- monitors ---- */

static void down_comes_once_and_behind_the_replies_of_the_actor(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'monitor','id':'m','to':'@f'}");
    HEAR("{'op':'reply','id':'m','body':{'ref':'" FIRST "'}}");
    say("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':0}}");
    say("{'op':'call','id':2,'to':'@f','type':'stop'}");
    pass_ms(10);
    const char *frame = hear(), *last = "";
    static char copy[256];
    for (unsigned i = 0; frame[0] != '\0'; i++, frame = hear()) {
        snprintf(copy, sizeof copy, "%s", frame);
        last = copy;
        assert_true(i < 3);
    }
    assert_string_equal(last, "{\"op\":\"down\",\"id\":\"m\",\"ref\":\"" FIRST "\",\"cause\":\"normal\"}");
    SAY("{'op':'ping','id':'m'}"); /* the id is free */
    HEAR("{'op':'pong','id':'m'}");
}

static void down_tells_why(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'monitor','id':1,'to':'@f'}");
    hear();
    SAY("{'op':'cast','to':'@f','type':'fail','body':{'detail':'boom \\u0022'}}");
    json_t *doc = json_loads(hear(), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(doc, "cause")), "failed");
    assert_non_null(json_object_get(doc, "error"));
    assert_string_equal(json_string_value(json_object_get(doc, "detail")), "boom \"");
    json_decref(doc);
}

/* Symptom: monitoring a dead actor was silent for ever. */
static void monitor_of_a_dead_actor_is_down_at_once(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'stop','id':1,'to':'@e'}");
    hear();
    SAY("{'op':'monitor','id':1,'to':'" FIRST "'}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'" FIRST "'}}");
    HEAR("{'op':'down','id':1,'ref':'" FIRST "','cause':'noproc'}");
    silence();
    SAY("{'op':'demonitor','id':2,'monitor':1}");
    HEAR_ERROR("2", "not_found", "monitor", NULL);
    SAY("{'op':'monitor','id':1,'to':'@e'}");
    HEAR_ERROR("1", "not_found", "to", NULL);
}

static void after_demonitor_no_down_comes(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'monitor','id':1,'to':'@e'}");
    hear();
    SAY("{'op':'monitor','id':'two','to':'@e'}");
    hear();
    say("{'op':'stop','id':3,'to':'@e'}");
    say("{'op':'demonitor','id':4,'monitor':1}");
    unsigned downs = 0, ended = 0;
    pass_ms(0);
    for (const char *frame; (frame = hear())[0] != '\0';) {
        downs += strstr(frame, "\"down\"") != NULL;
        ended += strstr(frame, "\"id\":1,") != NULL && strstr(frame, "\"down\"") != NULL;
    }
    assert_int_equal(downs, 1);
    assert_int_equal(ended, 0);
    SAY("{'op':'demonitor','id':5,'monitor':77}");
    HEAR_ERROR("5", "not_found", "monitor", NULL);
}

static void a_monitor_is_no_subscription(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'monitor','id':1,'to':'@e'}");
    hear();
    SAY("{'op':'unsubscribe','id':2,'subscription':1}");
    HEAR_ERROR("2", "not_found", "subscription", NULL);
}

static void monitors_are_limited(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    for (unsigned i = 0; i < 1024; i++) {
        SAY("{'op':'monitor','id':%u,'to':'@e'}", i);
        assert_non_null(strstr(hear(), "\"reply\""));
    }
    SAY("{'op':'monitor','id':'more','to':'@e'}");
    HEAR_ERROR("\"more\"", "limit", NULL, "monitors");
    assert_false(session_is_busy(world.session));
    SAY("{'op':'demonitor','id':'d','monitor':512}");
    HEAR("{'op':'reply','id':'d','body':{}}");
    SAY("{'op':'monitor','id':'more','to':'@e'}");
    assert_non_null(strstr(hear(), "\"reply\""));
    SAY("{'op':'stop','id':'s','to':'@e'}");
    unsigned downs = 0;
    for (const char *frame; (frame = hear())[0] != '\0';)
        downs += strstr(frame, "\"down\"") != NULL;
    assert_int_equal(downs, 1024);
}

/* ---- subscriptions ---- */

static char epoch[20];

/* Publish by the topic actor; the first one tells the epoch. */
static void publish(const char *body)
{
    SAY("{'op':'publish','id':'p','to':'@t','type':'news','body':%s}", body);
    json_t *doc = json_loads(hear(), 0, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(doc, "body"), "id"));
    if (id == NULL)
        fail_msg("%s", world.heard);
    snprintf(epoch, sizeof epoch, "%.16s", id);
    json_decref(doc);
}

static void expect_event(const char *id, unsigned seq, const char *body)
{
    char want[512];
    snprintf(want, sizeof want, "{'op':'event','id':%s,'event':'%s.%u','type':'news','body':%s}", id, epoch, seq, body);
    HEAR(want);
}

static void events_come_from_now_on(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    publish("0");
    SAY("{'op':'subscribe','id':1,'to':'@t'}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'" FIRST "'}}");
    SAY("{'op':'cast','to':'@t','type':'news','body':{ 'x':1 }}");
    expect_event("1", 2, "{ 'x':1 }");
    SAY("{'op':'cast','to':'@t','type':'b','body_b64':'AAE='}");
    char want[200];
    snprintf(want, sizeof want, "{'op':'event','id':1,'event':'%s.3','type':'b','content_type':"
             "'application/octet-stream','body_b64':'AAE='}", epoch);
    HEAR(want);
    SAY("{'op':'cast','to':'@t','type':'empty'}");
    snprintf(want, sizeof want, "{'op':'event','id':1,'event':'%s.4','type':'empty'}", epoch);
    HEAR(want);
    silence();
}

static void events_come_from_the_oldest_or_after_one_that_was_seen(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    publish("1");
    publish("2");
    SAY("{'op':'subscribe','id':1,'to':'@t','from':'oldest'}");
    hear();
    expect_event("1", 1, "1");
    expect_event("1", 2, "2");
    SAY("{'op':'subscribe','id':2,'to':'@t','after':'%s.1'}", epoch);
    hear();
    expect_event("2", 2, "2");
    silence();
    SAY("{'op':'subscribe','id':3,'to':'@t','after':'0000000000000001.1'}"); /* of another epoch */
    hear();
    assert_non_null(strstr(hear(), "{\"op\":\"lagged\",\"id\":3,\"missed\":"));
    expect_event("3", 1, "1");
    expect_event("3", 2, "2");
    silence();
}

static void refusals_of_a_subscription(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    static const char *const bad[] = {"0123456789abcdef.", "0123456789abcdeF.1", "0123456789abcdef.01",
                                      "0123456789abcdef.99999999999999999999", "0123456789abcdefx1",
                                      "0123456789abcdef.1x"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        SAY("{'op':'subscribe','id':1,'to':'@t','after':'%s'}", bad[i]);
        HEAR_ERROR("1", "schema", "after", NULL);
    }
    SAY("{'op':'subscribe','id':1,'to':'@t','after':'0123456789abcdef.1','from':'now'}");
    HEAR_ERROR("1", "schema", "from", "not with after");
    SAY("{'op':'subscribe','id':1}");
    HEAR_ERROR("1", "schema", "to", "either to or topic");
    SAY("{'op':'subscribe','id':1,'to':'@t','topic':'cluster'}");
    HEAR_ERROR("1", "schema", "to", "either to or topic");
    SAY("{'op':'subscribe','id':1,'topic':'weather'}");
    HEAR_ERROR("1", "schema", "topic", "cluster");
    SAY("{'op':'subscribe','id':1,'to':'@no'}");
    HEAR_ERROR("1", "not_found", "to", NULL);
    SAY("{'op':'unsubscribe','id':2,'subscription':1}");
    HEAR_ERROR("2", "not_found", "subscription", NULL);
    silence();
}

static void the_end_of_the_actor_ends_the_subscription_behind_its_last_event(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    publish("0");
    SAY("{'op':'subscribe','id':1,'to':'@t'}");
    hear();
    say("{'op':'cast','to':'@t','type':'news','body':1}");
    say("{'op':'stop','id':2,'to':'@t','mode':'drain'}");
    pass_ms(0);
    unsigned events = 0, ends = 0;
    for (const char *frame; (frame = hear())[0] != '\0';) {
        events += strstr(frame, "\"event\"") != NULL;
        if (strcmp(frame, "{\"op\":\"end\",\"id\":1}") == 0) {
            ends++;
            assert_int_equal(events, 1);
        }
    }
    assert_int_equal(events, 1);
    assert_int_equal(ends, 1);
    SAY("{'op':'subscribe','id':1,'to':'" FIRST "'}");
    HEAR_ERROR("1", "gone", "to", NULL);
}

static void after_unsubscribe_no_event_comes(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    SAY("{'op':'subscribe','id':1,'to':'@t'}");
    hear();
    SAY("{'op':'subscribe','id':2,'to':'@t'}");
    hear();
    SAY("{'op':'unsubscribe','id':3,'subscription':1}");
    HEAR("{'op':'reply','id':3,'body':{}}");
    SAY("{'op':'cast','to':'@t','type':'news','body':1}");
    assert_non_null(strstr(hear(), "\"op\":\"event\",\"id\":2,"));
    silence();
}

static void the_events_of_the_cluster(void **state)
{
    (void)state;
    SAY("{'op':'subscribe','id':1,'topic':'cluster'}");
    HEAR("{'op':'reply','id':1,'body':{}}");
    assert_int_equal(troupe_topic_publish(world.env.events, (troupe_view){"node.up", 7},
                                          troupe_body_json("{\"node\":1}", 10), NULL), 0);
    pass_ms(0);
    assert_non_null(strstr(hear(), ".1\",\"type\":\"node.up\",\"body\":{\"node\":1}}"));
}

static void subscriptions_are_limited(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    for (unsigned i = 0; i < 256; i++) {
        SAY("{'op':'subscribe','id':%u,'to':'@t'}", i);
        assert_non_null(strstr(hear(), "\"reply\""));
    }
    SAY("{'op':'subscribe','id':'more','to':'@t'}");
    HEAR_ERROR("\"more\"", "limit", NULL, "subscriptions");
    SAY("{'op':'cast','to':'@t','type':'news','body':1}");
    unsigned events = 0;
    while (strstr(hear(), "\"event\"") != NULL)
        events++;
    assert_int_equal(events, 256);
    silence();
}

/* Symptom: after a burst of large events to all of 256 topics, the next event came only with the one after it. */
static void an_event_comes_at_once_after_large_ones_of_all_topics(void **state)
{
    static char body[65500];
    (void)state;
    memset(body, 'x', sizeof body);
    body[0] = body[sizeof body - 2] = '\'';
    body[sizeof body - 1] = '\0';
    for (unsigned i = 0; i < 256; i++) {
        SAY("{'op':'spawn','id':'s','behavior':'topic','name':'t%u'}", i);
        hear();
        SAY("{'op':'subscribe','id':%u,'to':'@t%u'}", i, i);
        hear();
    }
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'call','id':'e','to':'@e','type':'echo','body':%s}", body); /* a reply that is not read for now */
    for (unsigned i = 0; i < 256; i++)
        SAY("{'op':'cast','to':'@t%u','type':'news','body':%s}", i, body);
    assert_non_null(strstr(hear(), "\"reply\""));
    for (unsigned i = 0; i < 256; i++)
        assert_non_null(strstr(hear(), "\"event\""));
    silence();
    for (unsigned i = 0; i < 256; i++) {
        SAY("{'op':'cast','to':'@t%u','type':'news','body':1}", i);
        assert_non_null(strstr(hear(), "\"event\""));
    }
    silence();
}

/* An operation that asks for its name counts as what it will be, but a drain waits for it. */
static void limits_hold_for_names_that_are_asked_for(void **state)
{
    (void)state;
    troupe_ref ref = ref_of(spawn_actor("topic", "t", NULL));
    for (unsigned i = 0; i < 255; i++) {
        SAY("{'op':'subscribe','id':%u,'to':'@t'}", i);
        hear();
    }
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'subscribe','id':'a','to':'@t'}");
    SAY("{'op':'subscribe','id':'b','to':'@t'}");
    HEAR_ERROR("\"b\"", "limit", NULL, "subscriptions");
    assert_true(session_is_busy(world.session));
    answer_question(0, 0, ref);
    assert_non_null(strstr(hear(), "{\"op\":\"reply\",\"id\":\"a\""));
    assert_false(session_is_busy(world.session));
    silence();
}

/* ---- slow clients ---- */

static unsigned frames_waiting(void)
{
    unsigned count = 0;
    while (hear()[0] != '\0')
        count++;
    return count;
}

static void a_slow_client_lags_instead_of_growing(void **state)
{
    (void)state;
    troupe_stats before, after;
    char body[2048];
    spawn_actor("topic", "t", NULL);
    SAY("{'op':'subscribe','id':1,'to':'@t'}");
    hear();
    memset(body, 'x', sizeof body);
    body[0] = body[sizeof body - 2] = '\'';
    body[sizeof body - 1] = '\0';
    troupe_system_stats(world.system, &before);
    for (unsigned i = 0; i < 2000; i++)
        SAY("{'op':'cast','to':'@t','type':'news','body':%s}", body);
    troupe_system_stats(world.system, &after);
    assert_true(after.memory_bytes - before.memory_bytes < (2u << 20)); /* the topic's ring, and a short queue */
    assert_int_equal(world.wants_close, 0);
    unsigned events = 0, lagged = 0;
    for (const char *frame; (frame = hear())[0] != '\0';) {
        const char *missed = strstr(frame, "\"missed\":");
        events += strstr(frame, "\"event\":") != NULL;
        lagged += missed != NULL ? (unsigned)strtoul(missed + 9, NULL, 10) : 0;
    }
    assert_int_equal(events + lagged, 2000);
    assert_true(lagged > 0);
    assert_true(events < 1024);
}

static void replies_pass_a_flood_of_events(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'subscribe','id':1,'to':'@t'}");
    hear();
    for (unsigned i = 0; i < 1000; i++)
        say("{'op':'cast','to':'@t','type':'news','body':'0123456789012345678901234567890123456789'}");
    pass_ms(0);
    SAY("{'op':'call','id':2,'to':'@e','type':'echo'}");
    unsigned before = 0;
    while (strstr(hear(), "\"reply\"") == NULL)
        before++;
    assert_in_range(before, 1, 700); /* of the 1,000 */
    assert_true(before + frames_waiting() == 1000);
}

static void subscriptions_take_turns(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    spawn_actor("topic", "quiet", NULL);
    for (unsigned i = 0; i < 500; i++)
        say("{'op':'cast','to':'@t','type':'news','body':1}");
    say("{'op':'cast','to':'@quiet','type':'news','body':2}");
    pass_ms(0);
    session_gone();
    world.config.queue_bytes_max = 4000; /* so that both have to wait */
    open_session();
    say("{'op':'subscribe','id':'loud','to':'@t','from':'oldest'}");
    say("{'op':'subscribe','id':'quiet','to':'@quiet','from':'oldest'}");
    pass_ms(0);
    unsigned loud = 0;
    for (const char *frame; (frame = hear())[0] != '\0' && strstr(frame, "\"event\",\"id\":\"quiet\"") == NULL;)
        loud += strstr(frame, "\"event\",\"id\":\"loud\"") != NULL;
    assert_in_range(loud, 1, 64);
    assert_int_equal(world.wants_close, 0);
    assert_true(loud + frames_waiting() == 500);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(down_comes_once_and_behind_the_replies_of_the_actor),
        T(down_tells_why),
        T(monitor_of_a_dead_actor_is_down_at_once),
        T(after_demonitor_no_down_comes),
        T(a_monitor_is_no_subscription),
        T(monitors_are_limited),
        T(events_come_from_now_on),
        T(events_come_from_the_oldest_or_after_one_that_was_seen),
        T(refusals_of_a_subscription),
        T(the_end_of_the_actor_ends_the_subscription_behind_its_last_event),
        T(after_unsubscribe_no_event_comes),
        T(the_events_of_the_cluster),
        T(subscriptions_are_limited),
        T(an_event_comes_at_once_after_large_ones_of_all_topics),
        T(limits_hold_for_names_that_are_asked_for),
        T(a_slow_client_lags_instead_of_growing),
        T(replies_pass_a_flood_of_events),
        T(subscriptions_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
