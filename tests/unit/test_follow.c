/* SPDX-License-Identifier: Apache-2.0
 *
 * Actors that follow actors: each event in order and once, or counted as lost; the follower's other messages get their
 * turn; the end is told; nothing is left over. And filters, for actors and for subscribers. */
#include "lib/lab.h"

#include <stdio.h>

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

/* The puppets of a test live as long as its system, which is freed in the tear-down. */
#define PUPPET(variable, mark)                                                                                         \
    static struct puppet variable;                                                                                     \
    variable = (struct puppet) { .letter = (mark) }

/* What the follower of a test was told; one is enough at a time. */
static struct {
    unsigned events, ends, notes_between;
    uint64_t lagged, follow, last_number;
    char last_type[65], last_body[64];
    troupe_ref from;
    int rc;
    enum troupe_from start;
    troupe_event_id after;
    const troupe_filter *filter;
    bool ends_itself, stops;
} seen;

static int on_event(troupe_ctx *ctx, struct puppet *self)
{
    const troupe_msg *msg = self->msg;

    assert_int_equal(msg->kind, TROUPE_MSG_EVENT);
    assert_int_equal(msg->tag, seen.follow);
    assert_int_equal((uintptr_t)msg->body % 8, 0);
    seen.lagged += (uint64_t)msg->status;
    seen.from = msg->from;
    if (troupe_msg_is_end(msg)) {
        seen.ends++;
        assert_int_equal(msg->op, TROUPE_OP_NONE);
        assert_int_equal(troupe_unfollow(ctx, seen.follow), TROUPE_E_NOT_FOUND); /* it is over */
        return 0;
    }
    seen.events++;
    snprintf(seen.last_type, sizeof seen.last_type, "%s", msg->type);
    snprintf(seen.last_body, sizeof seen.last_body, "%.*s", (int)msg->body_len, (const char *)msg->body);
    if (seen.ends_itself)
        assert_int_equal(troupe_unfollow(ctx, seen.follow), 0);
    if (seen.stops)
        troupe_stop_self(ctx, "the test says so");
    return 0;
}

static int follow(troupe_ctx *ctx, struct puppet *self)
{
    self->on_event = on_event;
    seen.rc = troupe_follow(ctx, self->other->ref, seen.filter, seen.start, seen.after, &seen.follow);
    return 0;
}

static int unfollow(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    seen.rc = troupe_unfollow(ctx, seen.follow);
    return 0;
}

static int publish_many(troupe_ctx *ctx, struct puppet *self)
{
    for (uint64_t i = 0; i < self->number; i++) {
        char body[32];
        int len = snprintf(body, sizeof body, "%u", ++self->asks);

        assert_int_equal(troupe_publish(ctx, self->asks % 2 ? "odd" : "even.one", troupe_body_json(body, (size_t)len)),
                         0);
    }
    return 0;
}

static void publish(struct puppet *puppet, unsigned n)
{
    puppet->number = n;
    lab_do(&lab, puppet, publish_many);
}

/* A source and a follower of it. */
static void begin(struct puppet *source, struct puppet *follower, enum troupe_from start)
{
    const troupe_filter *filter = seen.filter;

    memset(&seen, 0, sizeof seen);
    seen.filter = filter;
    seen.start = start;
    lab_spawn(&lab, source, NULL);
    lab_spawn(&lab, follower, NULL);
    follower->other = source;
    lab_do(&lab, follower, follow);
    seen.filter = NULL;
    assert_int_equal(seen.rc, 0);
}

static uint64_t memory(void)
{
    troupe_stats stats;

    troupe_system_stats(lab.system, &stats);
    return stats.memory_bytes;
}

/* ---- events ---- */

static void test_events_arrive_in_order_with_their_publisher(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    publish(&source, 3);
    assert_int_equal(seen.events, 3);
    assert_int_equal(seen.lagged, 0);
    assert_string_equal(seen.last_type, "odd");
    assert_string_equal(seen.last_body, "3");
    assert_true(troupe_ref_equal(seen.from, source.ref));
    publish(&source, 1);
    assert_int_equal(seen.events, 4);
    lab_do(&lab, &follower, unfollow);
    assert_int_equal(seen.rc, 0);
    publish(&source, 1);
    assert_int_equal(seen.events, 4);
    lab_do(&lab, &follower, unfollow);
    assert_int_equal(seen.rc, TROUPE_E_NOT_FOUND);
}

static void test_a_follower_begins_where_it_says(void **state)
{
    PUPPET(source, 's');
    PUPPET(late, 'l');
    PUPPET(again, 'a');

    (void)state;
    memset(&seen, 0, sizeof seen);
    lab_spawn(&lab, &source, NULL);
    publish(&source, 5);
    late.other = again.other = &source;
    lab_spawn(&lab, &late, NULL);
    lab_spawn(&lab, &again, NULL);
    seen.start = TROUPE_FROM_OLDEST;
    lab_do(&lab, &late, follow);
    assert_int_equal(seen.events, 5);
    lab_do(&lab, &late, unfollow);
    seen.events = 0;
    seen.start = TROUPE_FROM_AFTER;
    seen.after = (troupe_event_id){12345, 3}; /* of no epoch that is known */
    lab_do(&lab, &again, follow);
    assert_int_equal(seen.events, 5);
    assert_int_equal(seen.lagged, 1);
}

/* Trap 13: a subscriber that lagged by more than ten items was unsubscribed silently. */
static void test_trap_13_a_slow_follower_is_told_how_much_it_missed_and_stays(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    publish(&source, TROUPE_TOPIC_EVENTS_MAX + 500); /* in one turn, which the follower cannot interrupt */
    assert_int_equal(seen.events, TROUPE_TOPIC_EVENTS_MAX);
    assert_int_equal(seen.lagged, 500);
    publish(&source, 2);
    assert_int_equal(seen.events, TROUPE_TOPIC_EVENTS_MAX + 2);
    assert_int_equal(seen.lagged, 500);
}

static unsigned events_at_note;

static int note_events(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx, (void)self;
    events_at_note = seen.events;
    return 0;
}

/* Trap 7: a flood of events starved messages. */
static void test_trap_7_a_flood_of_events_comes_one_by_one_between_messages(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    troupe_peek peek;

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    follower.on_note = note_events;
    source.number = 1000;
    assert_int_equal(lab_do_later(&lab, &source, publish_many), 0);
    while (seen.events == 0)
        assert_true(troupe_worker_poll(lab.worker, lab.now_ns, 1) == 0);
    assert_int_equal(troupe_system_peek(lab.system, follower.ref, &peek), 0);
    assert_in_range(peek.mailbox_depth, 0,
                    TROUPE_TURN_MESSAGES_MAX + 1); /* one note, and what the turn has not told yet */
    unsigned before = seen.events;
    assert_int_equal(lab_note(&lab, &follower), 0);
    lab_run(&lab);
    assert_int_equal(follower.notes, 1);
    assert_in_range(events_at_note, before, before + 1); /* it waited behind one event, not behind all */
    assert_int_equal(seen.events, 1000);
}

static void test_a_full_mailbox_gets_its_events_all_the_same(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    int rc = 0;

    (void)state;
    memset(&seen, 0, sizeof seen);
    lab_spawn(&lab, &source, NULL);
    lab_spawn(&lab, &follower, &(troupe_spawn_opts){.mailbox_messages_max = 4});
    follower.other = &source;
    lab_do(&lab, &follower, follow);
    source.number = 3;
    assert_int_equal(lab_do_later(&lab, &source, publish_many), 0);
    while (rc == 0)
        rc = lab_note(&lab, &follower);
    assert_int_equal(rc, TROUPE_E_FULL);
    lab_run(&lab);
    assert_int_equal(seen.events, 3);
}

/* ---- ends ---- */

static void test_the_publishers_end_is_the_last_event(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    struct lab_request stop;

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    source.number = 2;
    assert_int_equal(lab_do_later(&lab, &source, publish_many), 0);
    lab_stop(&lab, source.ref, TROUPE_DRAIN, &stop, 1000);
    lab_run(&lab);
    assert_int_equal(seen.events, 2);
    assert_int_equal(seen.ends, 1);
    assert_true(troupe_ref_equal(seen.from, source.ref));
}

static void test_a_publisher_that_was_killed_has_an_end_too(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    struct lab_request stop;

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    lab_stop(&lab, source.ref, TROUPE_KILL, &stop, 1000);
    lab_run(&lab);
    assert_int_equal(seen.ends, 1);
    lab_do(&lab, &follower, follow);
    assert_int_equal(seen.rc, TROUPE_E_GONE);
}

static void test_who_ends_while_events_are_on_their_way_leaves_nothing(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    seen.stops = true;
    publish(&source, 10);
    assert_int_equal(seen.events, 1);
    assert_int_equal(follower.ends, 1);
    publish(&source, 10);
    assert_int_equal(seen.events, 1);
}

static void test_a_follow_can_be_ended_inside_its_event(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    seen.ends_itself = true;
    publish(&source, 10);
    assert_int_equal(seen.events, 1);
}

static void test_a_drain_is_not_held_up_by_a_publisher_that_never_rests(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    struct lab_request stop;

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    source.number = 100;
    assert_int_equal(lab_do_later(&lab, &source, publish_many), 0);
    lab_stop(&lab, follower.ref, TROUPE_DRAIN, &stop, 1000);
    for (unsigned polls = 0; polls < 300 && !stop.done; polls++) {
        source.number = 1;
        (void)lab_do_later(&lab, &source, publish_many);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 4);
    }
    assert_true(stop.done);
    assert_int_equal(stop.error, 0);
}

/* ---- what cannot be ---- */

static void test_what_cannot_be_followed(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    static const troupe_filter bad = {.count = 1, .types = {{"a b", 3}}};
    struct puppet nobody = {.ref = {.slot = 4000, .generation = 7}};

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    nobody.ref.home = troupe_system_home(lab.system);
    follower.other = &nobody;
    lab_do(&lab, &follower, follow);
    assert_int_equal(seen.rc, TROUPE_E_NOT_FOUND);
    follower.other = &source;
    seen.filter = &bad;
    lab_do(&lab, &follower, follow);
    assert_int_equal(seen.rc, TROUPE_E_INVALID);
    seen.filter = NULL;
}

static int follow_many(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t id;
    const troupe_event_id none = {0, 0};

    for (unsigned i = 0; i < TROUPE_FOLLOWS_PER_ACTOR_MAX; i++)
        assert_int_equal(troupe_follow(ctx, self->other->ref, NULL, TROUPE_FROM_NOW, none, &id), 0);
    assert_int_equal(troupe_follow(ctx, self->other->ref, NULL, TROUPE_FROM_NOW, none, &id), TROUPE_E_LIMIT);
    assert_int_equal(troupe_unfollow(ctx, id), 0);
    assert_int_equal(troupe_follow(ctx, self->other->ref, NULL, TROUPE_FROM_NOW, none, &id), 0);
    return 0;
}

static unsigned counted;

static int count_event(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx, (void)self;
    counted++;
    return 0;
}

static void test_follows_of_an_actor_have_a_limit_and_all_are_told(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');

    (void)state;
    memset(&seen, 0, sizeof seen);
    counted = 0;
    lab_spawn(&lab, &source, NULL);
    lab_spawn(&lab, &follower, NULL);
    follower.other = &source;
    follower.on_event = count_event;
    lab_do(&lab, &follower, follow_many);
    publish(&source, 2);
    assert_int_equal(counted, 2 * TROUPE_FOLLOWS_PER_ACTOR_MAX);
}

static void test_churn_of_followers_leaves_nothing(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    uint64_t before = 0;

    (void)state;
    begin(&source, &follower, TROUPE_FROM_NOW);
    lab_do(&lab, &follower, unfollow);
    publish(&source, 2 * TROUPE_TOPIC_EVENTS_MAX); /* from now on all events in the ring are of one size */
    for (unsigned i = 0; i < 200; i++) {
        lab_do(&lab, &follower, follow);
        publish(&source, 1);
        lab_do(&lab, &follower, unfollow);
        if (i == 50)
            before = memory();
    }
    assert_int_equal(memory(), before);
}

/* ---- filters ---- */

static void test_a_filter_passes_what_it_names(void **state)
{
    PUPPET(source, 's');
    PUPPET(follower, 'f');
    static const troupe_filter even = {.count = 2, .types = {{"even.*", 6}, {"none", 4}}};

    (void)state;
    seen.filter = &even;
    begin(&source, &follower, TROUPE_FROM_NOW);
    publish(&source, 1000);
    assert_int_equal(seen.events, 500);
    assert_string_equal(seen.last_body, "1000");
    assert_int_equal(seen.lagged, 0);
    publish(&source, TROUPE_TOPIC_EVENTS_MAX + 11); /* ends with an odd one; the first 11 fall out */
    assert_int_equal(seen.events, 500 + TROUPE_TOPIC_EVENTS_MAX / 2);
    assert_int_equal(seen.lagged, 11); /* told with the next that it takes, whatever those were */
}

static void test_a_subscriber_has_a_filter_too(void **state)
{
    PUPPET(source, 's');
    static const troupe_filter odd = {.count = 1, .types = {{"odd", 3}}};
    troupe_subscription subscription = {.filter = &odd};
    troupe_event event;
    uint64_t lagged = 0;
    unsigned count = 0;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    assert_int_equal(troupe_subscribe(lab.worker, &subscription, source.ref, TROUPE_FROM_NOW, (troupe_event_id){0, 0}),
                     0);
    publish(&source, TROUPE_TOPIC_EVENTS_MAX + 4);
    while (troupe_subscription_read(&subscription, &event) == 1) {
        assert_true(troupe_view_equal(event.type, odd.types[0]));
        lagged += event.lagged;
        count++;
    }
    assert_int_equal(count, TROUPE_TOPIC_EVENTS_MAX / 2);
    assert_int_equal(lagged, 4);
    troupe_unsubscribe(&subscription);
}

static void test_patterns_of_filters(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *takes, *passes_over;
    } rows[] = {
        {"a", 0, "a", "ab"},
        {"a*", 0, "ab", "b"},
        {"*", 0, "anything", NULL},
        {"a,b.*", 0, "b.c", "c"},
        {"a,b,c,d,e,f,g,h", 0, "h", "i"},
        {"a,b,c,d,e,f,g,h,i", TROUPE_E_LIMIT, NULL, NULL},
        {"", TROUPE_E_INVALID, NULL, NULL},
        {"a,", TROUPE_E_INVALID, NULL, NULL},
        {",a", TROUPE_E_INVALID, NULL, NULL},
        {"a*b", TROUPE_E_INVALID, NULL, NULL},
        {"**", TROUPE_E_INVALID, NULL, NULL},
        {"a b", TROUPE_E_INVALID, NULL, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        troupe_filter filter;

        assert_int_equal(troupe_filter_parse(troupe_view_of(rows[i].text), &filter), rows[i].rc);
        if (rows[i].rc != 0)
            continue;
        assert_true(troupe_filter_is_valid(&filter));
        assert_true(troupe_filter_takes(&filter, troupe_view_of(rows[i].takes)));
        if (rows[i].passes_over != NULL)
            assert_false(troupe_filter_takes(&filter, troupe_view_of(rows[i].passes_over)));
    }
    assert_true(troupe_filter_takes(NULL, troupe_view_of("x")));
    assert_true(troupe_filter_takes(&(troupe_filter){0}, troupe_view_of("x")));
    assert_false(troupe_filter_is_valid(&(troupe_filter){.count = TROUPE_FILTER_TYPES_MAX + 1}));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_events_arrive_in_order_with_their_publisher),
        TEST(test_a_follower_begins_where_it_says),
        TEST(test_trap_13_a_slow_follower_is_told_how_much_it_missed_and_stays),
        TEST(test_trap_7_a_flood_of_events_comes_one_by_one_between_messages),
        TEST(test_a_full_mailbox_gets_its_events_all_the_same),
        TEST(test_the_publishers_end_is_the_last_event),
        TEST(test_a_publisher_that_was_killed_has_an_end_too),
        TEST(test_who_ends_while_events_are_on_their_way_leaves_nothing),
        TEST(test_a_follow_can_be_ended_inside_its_event),
        TEST(test_a_drain_is_not_held_up_by_a_publisher_that_never_rests),
        TEST(test_what_cannot_be_followed),
        TEST(test_follows_of_an_actor_have_a_limit_and_all_are_told),
        TEST(test_churn_of_followers_leaves_nothing),
        TEST(test_a_filter_passes_what_it_names),
        TEST(test_a_subscriber_has_a_filter_too),
        TEST(test_patterns_of_filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
