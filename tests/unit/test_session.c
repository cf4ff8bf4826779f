/* SPDX-License-Identifier: Apache-2.0
 *
 * A session: each operation and each refusal, the states and what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_world.h"

#define ECHO NODE_TEXT ".1.1"

/* ---- hello, ping, what has no effect ---- */

static void hello_is_answered_once(void **state)
{
    (void)state;
    SAY("{'op':'hello','id':1,'client':'test','resume':true,'session':'s.1','seq':0,'ack':0,'credit':9}");
    HEAR("{'op':'welcome','id':1,'session':'s.0000000000000g000000000002','node':'" NODE_TEXT "','cluster':'test',"
         "'protocol':'troupe.v1.json','version':'0.0.0','seq':0,'ack':0,'resume':false,'credit':1024,"
         "'frame_bytes_max':69632,'ping_ms':30000}");
    SAY("{'op':'hello','id':2}");
    HEAR_ERROR("2", "protocol", "op", "once");
    silence();
}

static void hello_may_come_late_and_without_id(void **state)
{
    (void)state;
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
    SAY("{'op':'hello'}");
    assert_non_null(strstr(hear(), "\"op\":\"welcome\",\"session\""));
}

static void ids_come_back_as_they_came(void **state)
{
    (void)state;
    SAY("{ 'id' : 9007199254740991 , 'op' : 'ping' }");
    HEAR("{'op':'pong','id':9007199254740991}");
    SAY("{'op':'ping','id':'a\\u0041\\\\ \\u00e9'}");
    HEAR("{'op':'pong','id':'a\\u0041\\\\ \\u00e9'}");
    SAY("{'op':'ping','id':'\\u0000'}");
    HEAR("{'op':'pong','id':'\\u0000'}");
    SAY("{'op':'ping','id':null}");
    HEAR("{'op':'pong'}");
}

static void ack_and_credit_are_checked_and_have_no_effect(void **state)
{
    (void)state;
    SAY("{'op':'ack','seq':1}");
    SAY("{'op':'credit','n':10}");
    silence();
    SAY("{'op':'ack'}");
    HEAR_ERROR(NULL, "schema", "seq", "required");
    SAY("{'op':'credit','n':0}");
    HEAR_ERROR(NULL, "schema", "n", "from 1");
}

/* ---- call ---- */

static void call_is_answered_with_the_body_as_it_came(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body':{ 'a' : 1.0e+2 , 'a' : [ ] }}");
    HEAR("{'op':'reply','id':1,'body':{ 'a' : 1.0e+2 , 'a' : [ ] }}");
    SAY("{'op':'call','id':'x','to':'" ECHO "','type':'echo','body':null}");
    HEAR("{'op':'reply','id':'x','body':null}");
    SAY("{'op':'call','id':2,'to':'@e','type':'echo'}");
    HEAR("{'op':'reply','id':2}");
    silence();
}

static void call_of_an_idle_actor_is_answered_before_the_next_frame(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    unsigned before = world.wants_write;
    say("{'op':'call','id':1,'to':'@e','type':'echo','body':1}");
    assert_int_equal(world.wants_write, before + 1);
    HEAR("{'op':'reply','id':1,'body':1}");
    assert_false(session_is_busy(world.session));
}

static void bytes_travel_as_base64(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAEC/w==','content_type':'image/x'}");
    HEAR("{'op':'reply','id':1,'content_type':'image/x','body_b64':'AAEC/w=='}");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAEC\\/w=='}");
    HEAR("{'op':'reply','id':1,'content_type':'application/octet-stream','body_b64':'AAEC/w=='}");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'','content_type':'text/plain; a=\\'b\\''}");
    HEAR("{'op':'reply','id':1,'content_type':'text/plain; a=\\'b\\'','body_b64':''}");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'MQ==','content_type':'application/json; charset=x'}");
    HEAR("{'op':'reply','id':1,'body':1}");
}

static void a_body_that_is_no_json_cannot_end_our_frame(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    /* 1},"op":"bye" under the content type of JSON */
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'MX0sIm9wIjoiYnllIg==',"
        "'content_type':'application/json'}");
    HEAR("{'op':'reply','id':1,'content_type':'application/json','body_b64':'MX0sIm9wIjoiYnllIg=='}");
}

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAE'}");
    HEAR_ERROR("1", "schema", "body_b64", "Base64");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AB=='}");
    HEAR_ERROR("1", "schema", "body_b64", "Base64");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'A-__'}");
    HEAR_ERROR("1", "schema", "body_b64", "Base64");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAEC','body':1}");
    HEAR_ERROR("1", "schema", "body", "not with body_b64");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body':1,'content_type':'text/plain'}");
    HEAR_ERROR("1", "schema", "content_type", "goes with body_b64");
    world.env.body_max = 3;
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body':1234}");
    HEAR_ERROR("1", "too_large", "body", "3 bytes");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAECAw=='}");
    HEAR_ERROR("1", "too_large", "body", "3 bytes");
    SAY("{'op':'call','id':1,'to':'@e','type':'echo','body_b64':'AAEC'}");
    HEAR("{'op':'reply','id':1,'content_type':'application/octet-stream','body_b64':'AAEC'}");
    silence();
}

static void refusals_of_a_call_carry_the_members_of_a_problem(void **state)
{
    (void)state;
    SAY("{'op':'call','id':1,'to':'@nobody','type':'echo'}");
    HEAR("{'op':'error','id':1,'title':'There is no such thing','status':404,'detail':'no actor has the name nobody; "
         "GET /v1/names lists those there are','code':'not_found','retry':'no','outcome':'not_done','field':'to'}");
    SAY("{'op':'call','id':1,'to':'@','type':'echo'}");
    HEAR_ERROR("1", "bad_reference", "to", "255");
    SAY("{'op':'call','id':1,'to':'n.1','type':'echo'}");
    HEAR_ERROR("1", "bad_reference", "to", "reference");
    SAY("{'op':'call','id':1,'to':'" NODE_TEXT ".9.9','type':'echo'}");
    HEAR_ERROR("1", "not_found", "to", NULL);
    SAY("{'op':'call','id':1,'to':'n.0000000000009.1.1','type':'echo'}");
    HEAR_ERROR("1", "gone", "to", NULL); /* a node that was never joined by another: its home is from an earlier run */
    spawn_actor("counter", "c", NULL);
    SAY("{'op':'call','id':1,'to':'@c','type':'nonsense'}");
    HEAR_ERROR("1", "unknown_type", "type", NULL);
    SAY("{'op':'call','id':1,'to':'@c','type':'add','body':[]}");
    HEAR_ERROR("1", "schema", NULL, NULL);
    silence();
}

static void an_actor_of_another_node_is_unreachable_and_where_it_is_is_told(void **state)
{
    (void)state;
    troupe_ref holder, other = ref_of("n.0000000000009.1.1");
    troupe_system_set_clustered(world.system, true);
    assert_int_equal(troupe_system_name_put(world.system, (troupe_view){"o", 1}, other, &holder), 0);
    SAY("{'op':'call','id':1,'to':'@o','type':'echo'}");
    HEAR_ERROR("1", "unreachable", NULL, "it lives on http://127.0.0.1:9");
    SAY("{'op':'subscribe','id':1,'to':'@o'}");
    HEAR_ERROR("1", "unreachable", NULL, "it lives on http://127.0.0.1:9");
    SAY("{'op':'stop','id':1,'to':'@o'}");
    HEAR_ERROR("1", "unreachable", NULL, "it lives on http://127.0.0.1:9");
    SAY("{'op':'cast','to':'@o','type':'echo'}");
    expect_error("undelivered", NULL, "unreachable", NULL, "it lives on http://127.0.0.1:9");
    SAY("{'op':'monitor','id':1,'to':'@o'}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'n.0000000000009.1.1'}}");
    HEAR("{'op':'down','id':1,'ref':'n.0000000000009.1.1','cause':'unreachable'}");
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'o','if_exists':'return'}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'n.0000000000009.1.1','name':'o','behavior':null,'node':'n.0000000000009',"
         "'existed':true}}");
    silence();
}

static void failures_of_a_call_are_told(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':1,'to':'@f','type':'app_error','body':{'code':'sold_out','status':409,"
        "'detail':'no seats'}}");
    HEAR("{'op':'error','id':1,'title':'The behavior refused the message','status':409,'detail':'no seats',"
         "'code':'app.sold_out','retry':'no','outcome':'unknown'}");
    SAY("{'op':'call','id':2,'to':'@f','type':'never','timeout_ms':50}");
    silence();
    assert_true(session_is_busy(world.session));
    pass_ms(49);
    silence();
    pass_ms(1);
    HEAR_ERROR("2", "timeout", NULL, "deadline");
    SAY("{'op':'call','id':3,'to':'@f','type':'no_reply'}");
    HEAR_ERROR("3", "no_reply", NULL, NULL);
    SAY("{'op':'call','id':4,'to':'@f','type':'fail','body':{'detail':'boom'}}");
    HEAR_ERROR("4", "actor_failed", NULL, NULL);
    silence();
}

static void sends_to_one_actor_keep_their_order(void **state)
{
    (void)state;
    spawn_actor("counter", "c", NULL);
    say("{'op':'cast','to':'@c','type':'add','body':{'by':1}}");
    say("{'op':'cast','to':'" ECHO "','type':'add','body':{'by':10}}");
    say("{'op':'call','id':1,'to':'@c','type':'get'}");
    say("{'op':'cast','to':'@c','type':'reset'}");
    say("{'op':'call','id':2,'to':'@c','type':'get'}");
    pass_ms(0);
    HEAR("{'op':'reply','id':1,'body':{'value':11}}");
    HEAR("{'op':'reply','id':2,'body':{'value':0}}");
}

/* ---- who asks ---- */

static struct {
    troupe_ref init, cast, call;
} seen;

static int witness_init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    (void)ctx, (void)memory;
    seen.init = args->from;
    return 0;
}

static int witness_receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    (void)memory;
    *(msg->kind == TROUPE_MSG_CALL ? &seen.call : &seen.cast) = msg->from;
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json("1", 1)) : 0;
}

static const troupe_behavior witness = {
    TROUPE_BEHAVIOR_HEAD, .name = "witness", .version = "1.0.0", .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .init = witness_init, .receive = witness_receive,
};

static void messages_come_from_the_session(void **state)
{
    (void)state;
    troupe_ref session = {.home = {1, 2}};
    assert_int_equal(troupe_system_add_behavior(world.system, &witness), 0);
    spawn_actor("witness", "w", NULL);
    SAY("{'op':'cast','to':'@w','type':'a'}");
    SAY("{'op':'call','id':1,'to':'@w','type':'b','body_b64':'AA=='}");
    HEAR("{'op':'reply','id':1,'body':1}");
    assert_true(troupe_ref_equal(seen.init, session));
    assert_true(troupe_ref_equal(seen.cast, session));
    assert_true(troupe_ref_equal(seen.call, session));
}

/* ---- cast, publish ---- */

static void cast_with_an_id_is_accepted_and_without_only_refused(void **state)
{
    (void)state;
    spawn_actor("counter", "c", NULL);
    SAY("{'op':'cast','id':1,'to':'@c','type':'add','body':{'by':2}}");
    HEAR("{'op':'reply','id':1,'body':{'accepted':1}}");
    SAY("{'op':'cast','to':'@c','type':'add','body':{'by':2}}");
    silence();
    SAY("{'op':'cast','id':2,'to':'@no','type':'add'}");
    HEAR_ERROR("2", "not_found", "to", NULL);
    SAY("{'op':'cast','to':'@no','type':'a\\u0064d'}");
    HEAR("{'op':'undelivered','to':'@no','type':'add','title':'There is no such thing','status':404,'detail':'no actor "
         "has the name no; GET /v1/names lists those there are','code':'not_found','retry':'no','outcome':'not_done',"
         "'field':'to'}");
    SAY("{'op':'cast','to':'@c','type':'nonsense'}");
    expect_error("undelivered", NULL, "unknown_type", "type", NULL);
    SAY("{'op':'cast','to':'@c','type':'add','timeout_ms':1}");
    HEAR_ERROR(NULL, "schema", "timeout_ms", "cast has no such member");
    silence();
}

static void publish_is_a_call_with_an_id_and_a_cast_without(void **state)
{
    (void)state;
    spawn_actor("topic", "t", NULL);
    SAY("{'op':'publish','id':1,'to':'@t','type':'news','body':1}");
    assert_non_null(strstr(hear(), ".1\"}}"));
    SAY("{'op':'publish','to':'@t','type':'news','body':2}");
    silence();
    SAY("{'op':'publish','to':'@no','type':'news','body':2}");
    expect_error("undelivered", NULL, "not_found", "to", NULL);
    SAY("{'op':'publish','id':1,'to':'@t','type':'news','body':3}");
    assert_non_null(strstr(hear(), ".3\"}}"));
}

/* ---- spawn, stop ---- */

static void spawn_tells_all_about_the_actor(void **state)
{
    (void)state;
    SAY("{'op':'spawn','id':1,'behavior':'counter','name':'\\u0022q','args':{'value':5},'restart':'temporary',"
        "'mailbox':{'messages':10,'bytes':1000,'policy':'drop_oldest'},'start_timeout_ms':100}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'" ECHO "','name':'\\'q','behavior':'counter','node':'" NODE_TEXT
         "','existed':false}}");
    troupe_ref ref;
    troupe_peek peek;
    assert_int_equal(troupe_ref_parse(ECHO, strlen(ECHO), &ref), 0);
    assert_int_equal(troupe_system_peek(world.system, ref, &peek), 0);
    assert_int_equal(peek.mailbox_messages_max, 10);
    assert_int_equal(peek.mailbox_bytes_max, 1000);
    assert_int_equal(peek.mailbox_policy, TROUPE_DROP_OLDEST);
    SAY("{'op':'spawn','id':1,'behavior':'echo'}");
    assert_non_null(strstr(hear(), "\"name\":null,\"behavior\":\"echo\""));
}

static void spawn_of_a_taken_name(void **state)
{
    (void)state;
    spawn_actor("counter", "c", NULL);
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'c'}");
    HEAR_ERROR("1", "name_taken", "name", "the name c");
    assert_non_null(strstr(world.heard, "\"actor\":\"" ECHO "\""));
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'c','if_exists':'error'}");
    HEAR_ERROR("1", "name_taken", "name", NULL);
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'c','if_exists':'return'}");
    HEAR("{'op':'reply','id':1,'body':{'ref':'" ECHO "','name':'c','behavior':'counter','node':'" NODE_TEXT
         "','existed':true}}");
}

static void refusals_of_a_spawn(void **state)
{
    (void)state;
    SAY("{'op':'spawn','id':1,'behavior':'no'}");
    HEAR_ERROR("1", "unknown_behavior", "behavior", "GET /v1/behaviors");
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'..'}");
    HEAR_ERROR("1", "schema", "name", "..");
    SAY("{'op':'spawn','id':1,'behavior':'echo','name':'a\\nb'}");
    HEAR_ERROR("1", "schema", "name", "control");
    SAY("{'op':'spawn','id':1,'behavior':'echo\\u0000x'}");
    HEAR_ERROR("1", "schema", "behavior", "U+0000");
    SAY("{'op':'spawn','id':1,'behavior':'echo','mailbox':{'messages':0}}");
    HEAR_ERROR("1", "schema", "mailbox", "mailbox.messages");
    SAY("{'op':'spawn','id':1,'behavior':'echo','restart':'always'}");
    HEAR_ERROR("1", "schema", "restart", "\"temporary\", \"transient\", \"permanent\"");
    SAY("{'op':'spawn','id':1,'behavior':'faulty','args':{'init':'fail'}}");
    HEAR_ERROR("1", "start_failed", NULL, NULL);
    SAY("{'op':'spawn','id':1,'behavior':'faulty','args':{'init':'hang'},'start_timeout_ms':20}");
    silence();
    pass_ms(20);
    HEAR_ERROR("1", "start_timeout", NULL, NULL);
    silence();
}

static void stop_waits_for_the_end(void **state)
{
    (void)state;
    spawn_actor("echo", "e", NULL);
    SAY("{'op':'stop','id':1,'to':'@e','mode':'drain','reason':'no longer needed'}");
    HEAR("{'op':'reply','id':1,'body':{'ended':true}}");
    SAY("{'op':'stop','id':1,'to':'" ECHO "'}");
    HEAR_ERROR("1", "gone", "to", NULL);
    SAY("{'op':'stop','id':1,'to':'@e','mode':'murder'}");
    HEAR_ERROR("1", "schema", "mode", "\"stop\", \"drain\", \"kill\"");
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':2,'to':'@f','type':'never'}");
    SAY("{'op':'stop','id':3,'to':'@f','mode':'kill'}");
    HEAR_ERROR("2", "actor_killed", NULL, NULL);
    HEAR("{'op':'reply','id':3,'body':{'ended':true}}");
}

/* ---- what ends a session ---- */

static void bye_gives_up_what_is_open(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':10}}");
    SAY("{'op':'ping','id':2}");
    SAY("{'op':'bye'}");
    expect_close(1000);
    pass_ms(10);
    HEAR("{'op':'pong','id':2}"); /* was queued before */
    silence();
    SAY("{'op':'ping'}");
    silence();
    assert_int_equal(world.wants_close, 1);
}

static void twenty_unreadable_frames_in_a_row_end_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        SAY("{");
        HEAR_ERROR(NULL, "malformed", NULL, "not JSON");
    }
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(world.wants_close, 0);
        SAY("{'op':'dance','id':%u}", i);
    }
    expect_close(1008);
    for (unsigned i = 0; i < 20; i++)
        assert_non_null(strstr(hear(), "\"protocol\""));
    silence();
}

static void a_frame_that_is_too_large_ends_it(void **state)
{
    (void)state;
    char *text = calloc(1, 65536 + 4096 + 1);
    assert_non_null(text);
    memset(text, ' ', 65536 + 4096 + 1);
    say_bytes(text, 65536 + 4096);
    HEAR_ERROR(NULL, "malformed", NULL, NULL);
    say_bytes(text, 65536 + 4096 + 1);
    expect_close(1009);
    free(text);
}

static void a_client_that_does_not_read_is_closed(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    for (unsigned i = 0; i < 100 && world.wants_close == 0; i++)
        SAY("{'op':'call','id':%u,'to':'@f','type':'big','body':{'bytes':20000}}", i);
    expect_close(1013);
    assert_non_null(strstr(hear(), "\"id\":0,"));
    silence(); /* the rest was thrown away */
}

static void a_frame_larger_than_the_queue_passes_an_empty_one(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    session_gone();
    world.config.queue_bytes_max = 1000;
    open_session();
    SAY("{'op':'call','id':1,'to':'@f','type':'big','body':{'bytes':2000}}");
    assert_true(strlen(hear()) > 2000);
    assert_int_equal(world.wants_close, 0);
}

static void over_the_rate_frames_are_refused_and_a_hundred_end_it(void **state)
{
    (void)state;
    session_gone();
    world.config.take_rate = take_address_rate;
    open_session();
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
    world.rate_wait_ms = 7;
    for (unsigned i = 1; i < 100; i++) {
        SAY("{'op':'ping','id':%u}", i);
        assert_non_null(strstr(hear(), "\"rate_limited\""));
        assert_non_null(strstr(world.heard, "\"retry_after_ms\":7"));
    }
    world.rate_wait_ms = 0;
    SAY("{'op':'ping'}");
    HEAR("{'op':'pong'}");
    world.rate_wait_ms = 7;
    SAY("{'op':'cast','to':'@a','type':'b'}");
    expect_error("undelivered", NULL, "rate_limited", NULL, NULL);
    for (unsigned i = 1; i < 100; i++) {
        assert_int_equal(world.wants_close, 0);
        SAY("{'op':'ping','id':%u}", i);
    }
    expect_close(1008);
}

static void drain_of_an_idle_session_closes_it(void **state)
{
    (void)state;
    session_drain(world.session);
    expect_close(1001);
    HEAR("{'op':'bye','code':'draining','detail':'the node is ending; open a session with another one'}");
    session_drain(world.session);
    silence();
}

static void drain_waits_for_open_calls_and_takes_no_new_ones(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'monitor','id':'m','to':'@f'}");
    hear();
    SAY("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':10}}");
    session_drain(world.session);
    assert_non_null(strstr(hear(), "\"bye\""));
    assert_int_equal(world.wants_close, 0);
    for (unsigned i = 0; i < 3; i++)
        SAY("{'op':'%s','id':2,'to':'@f'%s}", ((const char *[]){"call", "monitor", "subscribe"})[i],
            i == 0 ? ",'type':'noop'" : "");
    for (unsigned i = 0; i < 3; i++)
        HEAR_ERROR("2", "draining", NULL, NULL);
    SAY("{'op':'cast','to':'@f','type':'noop'}");
    expect_error("undelivered", NULL, "draining", NULL, NULL);
    SAY("{'op':'ping','id':3}");
    HEAR("{'op':'pong','id':3}");
    pass_ms(10);
    HEAR("{'op':'reply','id':1,'body':{}}"); /* before the close */
    expect_close(1001);
    silence();
}

static void the_driver_may_free_it_inside_of_its_callbacks(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    world.frees_on_write = true;
    say("{'op':'call','id':1,'to':'@f','type':'report'}"); /* answered inside */
    assert_null(world.session);
    open_session();
    say("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':5}}");
    say("{'op':'call','id':2,'to':'@f','type':'late','body':{'ms':5}}");
    pass_ms(5); /* answered by a poll */
    assert_null(world.session);
    open_session();
    say("{'op':'monitor','id':1,'to':'" NODE_TEXT ".99.1'}");
    assert_null(world.session);
    world.frees_on_write = false;
    world.frees_on_close = true;
    open_session();
    say("{'op':'bye'}");
    assert_null(world.session);
    open_session();
    session_drain(world.session);
    assert_null(world.session);
    session_free(NULL);
}

static void open_calls_are_given_up_with_the_session(void **state)
{
    (void)state;
    spawn_actor("faulty", "f", NULL);
    SAY("{'op':'call','id':1,'to':'@f','type':'late','body':{'ms':5}}");
    SAY("{'op':'stop','id':2,'to':'@f'}");
    session_gone();
    pass_ms(1000);
}

static void an_idle_session_is_small(void **state)
{
    (void)state;
    troupe_stats before, after;
    troupe_system_stats(world.system, &before);
    struct session *session;
    assert_int_equal(session_new(&world.config, 0, &session), 0);
    troupe_system_stats(world.system, &after);
    print_message("# an idle session has %u bytes\n", (unsigned)(after.memory_bytes - before.memory_bytes));
    assert_in_range(after.memory_bytes - before.memory_bytes, 100, 600);
    session_free(session);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(hello_is_answered_once),
        T(hello_may_come_late_and_without_id),
        T(ids_come_back_as_they_came),
        T(ack_and_credit_are_checked_and_have_no_effect),
        T(call_is_answered_with_the_body_as_it_came),
        T(call_of_an_idle_actor_is_answered_before_the_next_frame),
        T(bytes_travel_as_base64),
        T(a_body_that_is_no_json_cannot_end_our_frame),
        T(bad_bodies_are_refused),
        T(refusals_of_a_call_carry_the_members_of_a_problem),
        T(an_actor_of_another_node_is_unreachable_and_where_it_is_is_told),
        T(failures_of_a_call_are_told),
        T(messages_come_from_the_session),
        T(sends_to_one_actor_keep_their_order),
        T(cast_with_an_id_is_accepted_and_without_only_refused),
        T(publish_is_a_call_with_an_id_and_a_cast_without),
        T(spawn_tells_all_about_the_actor),
        T(spawn_of_a_taken_name),
        T(refusals_of_a_spawn),
        T(stop_waits_for_the_end),
        T(bye_gives_up_what_is_open),
        T(twenty_unreadable_frames_in_a_row_end_it),
        T(a_frame_that_is_too_large_ends_it),
        T(a_client_that_does_not_read_is_closed),
        T(a_frame_larger_than_the_queue_passes_an_empty_one),
        T(over_the_rate_frames_are_refused_and_a_hundred_end_it),
        T(drain_of_an_idle_session_closes_it),
        T(drain_waits_for_open_calls_and_takes_no_new_ones),
        T(the_driver_may_free_it_inside_of_its_callbacks),
        T(open_calls_are_given_up_with_the_session),
        T(an_idle_session_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
