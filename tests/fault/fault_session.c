/* SPDX-License-Identifier: Apache-2.0
 *
 * A session without memory: one conversation that touches all of it, with the first allocation failing, then the
 * second, and so on until none of them fails any more.
 *
 * Whatever fails, nothing crashes or leaks; each frame that has an id is answered, or the session is closed with 1011;
 * and refusals say no_memory, or follow from one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/session_world.h"
#include "base/log.h"

enum { ALLOCATIONS_MAX = 5000 };

static unsigned answers[64], asked, monitored;

/* Say it under the next id. */
#define ASK(...) (say(__VA_ARGS__, asked), asked++)

static void take_answers(void)
{
    for (const char *frame; (frame = hear())[0] != '\0';) {
        const char *id = strstr(frame, "\"id\":");
        bool is_answer = strstr(frame, "\"op\":\"reply\"") != NULL || strstr(frame, "\"op\":\"error\"") != NULL;
        if (id != NULL && is_answer) {
            unsigned long i = strtoul(id + 5, NULL, 10);
            assert_true(i < asked);
            answers[i]++;
        }
    }
}

static void converse(void)
{
    ASK("{'op':'spawn','behavior':'echo','name':'e','args':[1],'id':%u}");
    ASK("{'op':'spawn','behavior':'topic','name':'t','id':%u}");
    ASK("{'op':'spawn','behavior':'faulty','name':'f','args':{},'id':%u}");
    pass_ms(1);
    ASK("{'op':'call','to':'@e','type':'echo','body':{'a':1},'id':%u}");
    ASK("{'op':'call','to':'@e','type':'echo','body_b64':'AAEC','id':%u}");
    ASK("{'op':'call','to':'@f','type':'late','body':{'ms':3},'id':%u}");
    ASK("{'op':'call','to':'@f','type':'never','timeout_ms':3,'id':%u}");
    monitored = asked;
    ASK("{'op':'monitor','to':'@f','id':%u}");
    ASK("{'op':'subscribe','to':'@t','id':%u}");
    for (unsigned i = 0; i < 12; i++) /* more than one chain holds */
        ASK("{'op':'subscribe','to':'@t','from':'oldest','id':%u}");
    ASK("{'op':'publish','to':'@t','type':'x','body':1,'id':%u}");
    say("{'op':'cast','to':'@t','type':'y','body_b64':'AAEC'}");
    pass_ms(1);
    world.place_mode = PLACE_ASKS;
    ASK("{'op':'call','to':'@e','type':'echo','id':%u}");
    ASK("{'op':'monitor','to':'@e','id':%u}");
    for (unsigned i = 0; i < world.asked_count; i++) {
        if (world.asked[i] != NULL)
            answer_question(i, TROUPE_E_NOT_FOUND, (troupe_ref){0});
    }
    world.place_mode = PLACE_KNOWS;
    ASK("{'op':'stop','to':'@f','reason':'enough','id':%u}");
    pass_ms(10);
}

/* Is the failure still to come? */
static bool has_not_failed(unsigned n)
{
    bool failed = false;
    for (unsigned i = 0; i < n && !failed; i++) {
        void *ptr = troupe_alloc(1);
        failed = ptr == NULL;
        troupe_free(ptr);
    }
    return failed;
}

static void every_allocation_fails_once(void **state)
{
    unsigned n = 1, closed = 0;
    (void)state;
    log_init(LOG_HUMAN, TROUPE_LOG_ERROR);
    for (bool is_over = false; !is_over; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        open_world();
        memset(answers, 0, sizeof answers);
        asked = 0;
        troupe__port_fail_after(n);
        converse();
        is_over = has_not_failed(n);
        troupe__port_fail_after(0);
        pass_ms(10000); /* whatever has a deadline */
        take_answers();
        for (unsigned i = 0; i < asked && world.wants_close == 0; i++) {
            /* Whether an actor can be monitored is known there: the error may come behind the reply. */
            if (answers[i] != 1 && !(i == monitored && answers[i] == 2))
                fail_msg("allocation %u: frame %u has %u answers", n, i, answers[i]);
        }
        if (world.wants_close > 0) {
            assert_int_equal(world.close_code, 1011);
            closed++;
        }
        close_world();
    }
    assert_true(n > 20);
    assert_true(closed > 5);
    print_message("# %u allocations failed in turn, %u ended the session\n", n - 2, closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
