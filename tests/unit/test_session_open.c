/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations of a session that are open: their ids, their limits, and those that ask for names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_world.h"

/* ---- ids and limits ---- */

static void an_id_that_is_open_is_refused_and_free_after_the_answer(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':10}}");
    SAY("{'op':'ping','id':1}");
    HEAR_ERROR("1", "invalid", "id", "open");
    SAY("{'op':'ping','id':'1'}"); /* another id */
    HEAR("{'op':'pong','id':'1'}");
    pass_ms(10);
    HEAR("{'op':'reply','id':1,'body':{}}");
    SAY("{'op':'ping','id':1}");
    HEAR("{'op':'pong','id':1}");
}

static void open_calls_are_limited(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    for (unsigned i = 0; i < 1024; i++)
        say("{'op':'call','id':%u,'to':'@f','type':'late','body':{'ms':1000}}", i);
    silence();
    say("{'op':'call','id':'more','to':'@f','type':'late'}");
    HEAR_ERROR("\"more\"", "limit", NULL, "open calls");
    for (unsigned i = 0; i < 1024; i += 100) {
        char id[8];
        say("{'op':'ping','id':%u}", i); /* each is found among the many */
        snprintf(id, sizeof id, "%u", i);
        HEAR_ERROR(id, "invalid", "id", NULL);
    }
    pass_ms(1000);
    for (unsigned i = 0; i < 1024; i++)
        assert_non_null(strstr(hear(), "\"body\":{}"));
    silence();
    SAY("{'op':'call','id':1,'to':'@f','type':'report'}");
    assert_non_null(strstr(hear(), "\"reply\""));
}

/* Trap: who had as many open calls as may be could not stop the actor that owed the replies. */
static void what_is_no_call_works_at_the_limit_of_open_calls(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    troupe_ref ref = ref_of(spawn_actor("echo", "e", NULL));
    for (unsigned i = 0; i < 1024; i++)
        say("{'op':'call','id':%u,'to':'@f','type':'late','body':{'ms':60000},'timeout_ms':600000}", i);
    SAY("{'op':'ping','id':'p'}");
    HEAR("{'op':'pong','id':'p'}");
    SAY("{'op':'spawn','id':'new','behavior':'echo','name':'new'}");
    assert_non_null(strstr(hear(), "{\"op\":\"reply\",\"id\":\"new\""));
    SAY("{'op':'monitor','id':'m','to':'@e'}");
    assert_non_null(strstr(hear(), "{\"op\":\"reply\",\"id\":\"m\""));
    SAY("{'op':'stop','id':'s','to':'@new'}");
    HEAR("{'op':'reply','id':'s','body':{'ended':true}}");
    world.place_mode = PLACE_ASKS; /* also while a name is asked for */
    SAY("{'op':'stop','id':'s','to':'@e'}");
    silence();
    answer_question(0, 0, ref);
    pass_ms(0);
    HEAR("{'op':'reply','id':'s','body':{'ended':true}}");
    assert_non_null(strstr(hear(), "{\"op\":\"down\",\"id\":\"m\""));
    world.place_mode = PLACE_KNOWS;
    SAY("{'op':'stop','id':'s','to':'@f','mode':'kill'}");
    for (unsigned i = 0; i < 1024; i++)
        assert_non_null(strstr(hear(), "\"actor_killed\""));
    HEAR("{'op':'reply','id':'s','body':{'ended':true}}");
    silence();
}

static void open_stops_are_limited(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':'late','to':'@f','type':'late','body':{'ms':1000}}");
    for (unsigned i = 0; i < 1024; i++)
        say("{'op':'stop','id':%u,'to':'@f','mode':'drain'}", i);
    pass_ms(0);
    silence();
    SAY("{'op':'stop','id':'more','to':'@f','mode':'kill'}");
    HEAR_ERROR("\"more\"", "limit", NULL, "spawns and stops");
    pass_ms(1000);
    HEAR("{'op':'reply','id':'late','body':{}}");
    for (unsigned i = 0; i < 1024; i++)
        assert_non_null(strstr(hear(), "\"ended\":true"));
    silence();
}

/* ---- names that have to be asked for ---- */

static void a_name_that_is_asked_for_keeps_the_order(void **state)
{
    (void)state;
    troupe_ref ref = ref_of(spawn_actor("counter", "c", NULL));
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'cast','to':'@c','type':'add','body':{'by':5}}");
    SAY("{'op':'call','id':1,'to':'@c','type':'get'}");
    SAY("{'op':'cast','id':2,'to':'@c','type':'reset'}");
    SAY("{'op':'call','id':3,'to':'@other','type':'get'}");
    SAY("{'op':'ping','id':3}");
    HEAR_ERROR("3", "invalid", "id", NULL);
    world.place_mode = PLACE_KNOWS; /* this must wait behind the others all the same */
    SAY("{'op':'call','id':4,'to':'@c','type':'get'}");
    silence();
    assert_int_equal(world.finds, 2);
    assert_true(session_is_busy(world.session));
    answer_question(0, 0, ref);
    pass_ms(0);
    HEAR("{'op':'reply','id':2,'body':{'accepted':1}}"); /* by the mailbox */
    HEAR("{'op':'reply','id':1,'body':{'value':5}}");
    HEAR("{'op':'reply','id':4,'body':{'value':0}}");
    silence();
    answer_question(1, TROUPE_E_REGISTRY_LOST, (troupe_ref){0});
    HEAR_ERROR("3", "registry_lost", NULL, NULL);
    assert_false(session_is_busy(world.session));
}

static void a_name_that_is_not_found_after_asking(void **state)
{
    (void)state;
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'cast','to':'@no','type':'add'}");
    SAY("{'op':'monitor','id':1,'to':'@no'}");
    SAY("{'op':'subscribe','id':2,'to':'@no'}");
    SAY("{'op':'stop','id':3,'to':'@no'}");
    answer_question(0, TROUPE_E_NOT_FOUND, (troupe_ref){0});
    expect_error("undelivered", NULL, "not_found", "to", "the name no");
    HEAR_ERROR("1", "not_found", "to", NULL);
    HEAR_ERROR("2", "not_found", "to", NULL);
    HEAR_ERROR("3", "not_found", "to", NULL);
    silence();
}

static void a_monitor_that_asks_for_its_name_cannot_be_taken_back_yet(void **state)
{
    (void)state;
    troupe_ref ref = ref_of(spawn_actor("echo", "e", NULL));
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'monitor','id':1,'to':'@e'}");
    SAY("{'op':'cast','id':2,'to':'@e','type':'x'}"); /* waits behind it */
    SAY("{'op':'demonitor','id':3,'monitor':1}");
    HEAR_ERROR("3", "not_found", "monitor", NULL);
    answer_question(0, 0, ref);
    assert_non_null(strstr(hear(), "{\"op\":\"reply\",\"id\":1,"));
    HEAR("{'op':'reply','id':2,'body':{'accepted':1}}");
    SAY("{'op':'demonitor','id':3,'monitor':1}");
    HEAR("{'op':'reply','id':3,'body':{}}");
}

static void questions_are_cancelled_with_the_session(void **state)
{
    (void)state;
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'call','id':1,'to':'@a','type':'x'}");
    SAY("{'op':'call','id':2,'to':'@a','type':'x'}");
    SAY("{'op':'spawn','id':3,'behavior':'faulty','args':{'init':'hang'}}");
    session_gone();
    assert_int_equal(world.cancels, 2);
    assert_null(world.asked[0]);
}

static void drain_waits_for_stops_and_for_names(void **state)
{
    (void)state;
    troupe_ref echo = ref_of(spawn_actor("echo", "e", NULL));
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':10}}");
    SAY("{'op':'stop','id':2,'to':'@f','mode':'drain'}");
    world.place_mode = PLACE_ASKS;
    SAY("{'op':'monitor','id':3,'to':'@e'}");
    session_drain(world.session);
    assert_non_null(strstr(hear(), "\"bye\""));
    pass_ms(10);
    HEAR("{'op':'reply','id':1,'body':{}}");
    HEAR("{'op':'reply','id':2,'body':{'ended':true}}");
    assert_int_equal(world.wants_close, 0);
    answer_question(0, 0, echo);
    assert_non_null(strstr(hear(), "{\"op\":\"reply\",\"id\":3,"));
    expect_close(1001); /* a monitor is not waited for */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_id_that_is_open_is_refused_and_free_after_the_answer),
        T(open_calls_are_limited),
        T(what_is_no_call_works_at_the_limit_of_open_calls),
        T(open_stops_are_limited),
        T(a_name_that_is_asked_for_keeps_the_order),
        T(a_name_that_is_not_found_after_asking),
        T(a_monitor_that_asks_for_its_name_cannot_be_taken_back_yet),
        T(questions_are_cancelled_with_the_session),
        T(drain_waits_for_stops_and_for_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
