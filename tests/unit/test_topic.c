/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: what is published comes to each subscriber in order and once, or is counted as lost; who reads nothing is not
 * thrown out; the end is told; nothing is left over. */
#include "lib/lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/worker.h"

static struct lab lab;

/* A subscriber. */
struct reader {
    troupe_subscription subscription;
    unsigned readies, events;
    bool reads; /* all, whenever it is ready */
    bool gone;
    uint64_t last_seq, lagged;
    char last_type[65], last_body[64];
    struct reader *ends; /* unsubscribes this one when it is ready */
};

/* Read one; returns what the read did. */
static int read_one(struct reader *reader)
{
    troupe_event event;
    int rc = troupe_subscription_read(&reader->subscription, &event);

    reader->gone = rc == TROUPE_E_GONE;
    if (rc != 1)
        return rc;
    assert_int_equal(event.id.epoch, reader->subscription.topic->epoch);
    if (reader->last_seq != 0)
        assert_int_equal(event.id.seq, reader->last_seq + 1 + event.lagged); /* no gap that is not told */
    reader->last_seq = event.id.seq;
    reader->lagged += event.lagged;
    reader->events++;
    snprintf(reader->last_type, sizeof reader->last_type, "%.*s", (int)event.type.len, event.type.ptr);
    snprintf(reader->last_body, sizeof reader->last_body, "%.*s", (int)event.body.len, event.body.ptr);
    return rc;
}

static void read_all(struct reader *reader)
{
    while (read_one(reader) == 1) {}
}

static void on_ready(troupe_subscription *subscription)
{
    struct reader *reader = subscription->user;

    reader->readies++;
    if (reader->ends != NULL)
        troupe_unsubscribe(&reader->ends->subscription);
    if (reader->reads && subscription->topic != NULL)
        read_all(reader);
}

static int subscribe(struct reader *reader, troupe_ref ref, enum troupe_from from, troupe_event_id after)
{
    memset(reader, 0, sizeof *reader);
    reader->reads = true;
    reader->subscription.user = reader;
    reader->subscription.ready = on_ready;
    return troupe_subscribe(lab.worker, &reader->subscription, ref, from, after);
}

static void must_subscribe(struct reader *reader, const struct puppet *puppet, enum troupe_from from)
{
    assert_int_equal(subscribe(reader, puppet->ref, from, (troupe_event_id){0}), 0);
}

static int publish_one(troupe_ctx *ctx, struct puppet *self)
{
    char body[32];
    int len = snprintf(body, sizeof body, "%u", ++self->asks);

    assert_int_equal(troupe_publish(ctx, "news", troupe_body_json(body, (size_t)len)), 0);
    return 0;
}

static int publish_many(troupe_ctx *ctx, struct puppet *self)
{
    for (uint64_t i = 0; i < self->number; i++)
        (void)publish_one(ctx, self);
    return 0;
}

static void publish(struct puppet *puppet, unsigned n)
{
    puppet->number = n;
    lab_do(&lab, puppet, publish_many);
}

static uint64_t memory(void)
{
    troupe_stats stats;

    troupe_system_stats(lab.system, &stats);
    return stats.memory_bytes;
}

/* ---- one after another ---- */

static void test_events_come_in_order_to_each_subscriber(void **state)
{
    PUPPET(source, 's');
    struct reader a, b;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    must_subscribe(&b, &source, TROUPE_FROM_NOW);
    publish(&source, 3);
    assert_int_equal(a.events, 3);
    assert_int_equal(b.events, 3);
    assert_int_equal(a.last_seq, 3);
    assert_string_equal(a.last_type, "news");
    assert_string_equal(a.last_body, "3");
    assert_int_equal(a.readies, 1); /* one for the three, which were published in one turn */
    publish(&source, 1);
    assert_int_equal(a.readies, 2);
    assert_string_equal(b.last_body, "4");
    assert_int_equal(a.lagged + b.lagged, 0);
    troupe_unsubscribe(&a.subscription);
    publish(&source, 1);
    assert_int_equal(a.events, 4);
    assert_int_equal(b.events, 5);
    troupe_unsubscribe(&b.subscription);
    troupe_unsubscribe(&b.subscription); /* once more is legal */
}

static int publish_with_a_content_type(troupe_ctx *ctx, struct puppet *self)
{
    char id[TROUPE_EVENT_ID_TEXT_MAX];

    (void)self;
    assert_int_equal(troupe_publish_id(ctx, "a.b:c-d_e", troupe_body_bytes("\0\1", 2, "image/x"), id), 0);
    assert_string_equal(id + 16, ".1");
    assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    assert_int_equal(troupe_publish_id(ctx, "none", troupe_body_none(), id), 0);
    assert_string_equal(id + 16, ".2");
    return 0;
}

static void test_an_event_has_its_type_content_type_and_body(void **state)
{
    PUPPET(source, 's');
    struct reader a;
    troupe_event event;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    a.reads = false;
    lab_do(&lab, &source, publish_with_a_content_type);
    assert_int_equal(troupe_subscription_read(&a.subscription, &event), 1);
    assert_true(troupe_view_equal(event.type, troupe_view_of("a.b:c-d_e")));
    assert_string_equal(event.content_type, "image/x");
    assert_int_equal(event.body.len, 2);
    assert_memory_equal(event.body.ptr, "\0\1", 2);
    assert_int_equal((uintptr_t)event.body.ptr % 8, 0);
    assert_int_equal(troupe_subscription_read(&a.subscription, &event), 1);
    assert_null(event.content_type);
    assert_int_equal(event.body.len, 0);
    assert_int_equal(troupe_subscription_read(&a.subscription, &event), 0);
    troupe_unsubscribe(&a.subscription);
}

/* ---- where to begin ---- */

static void test_a_subscriber_begins_where_it_says(void **state)
{
    PUPPET(source, 's');
    struct reader now, oldest, after, all;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    publish(&source, 5);
    must_subscribe(&now, &source, TROUPE_FROM_NOW);
    must_subscribe(&oldest, &source, TROUPE_FROM_OLDEST);
    uint64_t epoch = now.subscription.topic->epoch;
    assert_int_equal(subscribe(&after, source.ref, TROUPE_FROM_AFTER, (troupe_event_id){epoch, 3}), 0);
    assert_int_equal(subscribe(&all, source.ref, TROUPE_FROM_AFTER, (troupe_event_id){epoch, 5}), 0);
    lab_run(&lab); /* who has something to read is told without a publication */
    assert_int_equal(now.events, 0);
    assert_int_equal(now.readies, 0);
    assert_int_equal(oldest.events, 5);
    assert_int_equal(after.events, 2);
    assert_int_equal(all.events, 0);
    publish(&source, 1);
    assert_int_equal(now.events, 1);
    assert_int_equal(now.last_seq, 6);
    assert_int_equal(oldest.events, 6);
    assert_int_equal(after.events, 3);
    assert_int_equal(all.events, 1);
    assert_int_equal(now.lagged + oldest.lagged + after.lagged + all.lagged, 0);
    troupe_unsubscribe(&now.subscription);
    troupe_unsubscribe(&oldest.subscription);
    troupe_unsubscribe(&after.subscription);
    troupe_unsubscribe(&all.subscription);
}

/* A cursor from before a restart, or out of thin air, is told that it has missed something. */
static void test_a_cursor_of_another_epoch_has_lagged(void **state)
{
    PUPPET(source, 's');
    struct reader other, future, early;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    assert_int_equal(subscribe(&early, source.ref, TROUPE_FROM_AFTER, (troupe_event_id){1, 7}), 0);
    uint64_t epoch = early.subscription.topic->epoch;
    publish(&source, 3);
    assert_int_equal(early.events, 3);
    assert_int_equal(early.lagged, 1);
    assert_int_equal(subscribe(&other, source.ref, TROUPE_FROM_AFTER, (troupe_event_id){1, 2}), 0);
    assert_int_equal(subscribe(&future, source.ref, TROUPE_FROM_AFTER, (troupe_event_id){epoch, UINT64_MAX}), 0);
    lab_run(&lab);
    assert_int_equal(other.events, 3);
    assert_int_equal(other.lagged, 1);
    assert_int_equal(future.events, 3);
    assert_int_equal(future.lagged, 1);
    troupe_unsubscribe(&other.subscription);
    troupe_unsubscribe(&future.subscription);
    troupe_unsubscribe(&early.subscription);
}

static void test_another_incarnation_has_another_epoch(void **state)
{
    PUPPET(first, 'a');
    PUPPET(second, 'b');
    struct reader a, b;

    (void)state;
    lab_spawn(&lab, &first, NULL);
    lab_spawn(&lab, &second, NULL);
    must_subscribe(&a, &first, TROUPE_FROM_NOW);
    must_subscribe(&b, &second, TROUPE_FROM_NOW);
    assert_true(a.subscription.topic->epoch != b.subscription.topic->epoch);
    assert_true(a.subscription.topic->epoch != 0);
    troupe_unsubscribe(&a.subscription);
    troupe_unsubscribe(&b.subscription);
}

/* ---- behind ---- */

static void test_a_subscriber_that_lags_is_told_how_much_it_missed(void **state)
{
    PUPPET(source, 's');
    struct reader slow;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&slow, &source, TROUPE_FROM_NOW);
    slow.reads = false;
    publish(&source, TROUPE_TOPIC_EVENTS_MAX + 100);
    assert_int_equal(slow.readies, 1);
    assert_int_equal(read_one(&slow), 1);
    assert_int_equal(slow.lagged, 100);
    assert_int_equal(slow.last_seq, 101);
    publish(&source, 50); /* it is told only once that there is something, until it has read all */
    assert_int_equal(slow.readies, 1);
    assert_int_equal(read_one(&slow), 1);
    assert_int_equal(slow.lagged, 149);
    read_all(&slow);
    assert_int_equal(slow.last_seq, TROUPE_TOPIC_EVENTS_MAX + 150);
    assert_int_equal(slow.events + slow.lagged, TROUPE_TOPIC_EVENTS_MAX + 150);
    publish(&source, 1);
    assert_int_equal(slow.readies, 2);
    troupe_unsubscribe(&slow.subscription);
}

static int publish_large(troupe_ctx *ctx, struct puppet *self)
{
    static char body[TROUPE_TOPIC_BYTES_MAX + 1];

    assert_int_equal(troupe_publish(ctx, "large", troupe_body_json(body, TROUPE_TOPIC_BYTES_MAX + 1)),
                     TROUPE_E_TOO_LARGE);
    assert_int_equal(troupe_publish(ctx, "large", troupe_body_json(body, self->number)), 0);
    return 0;
}

static void test_a_topic_keeps_no_more_bytes_than_it_may(void **state)
{
    PUPPET(source, 's');
    struct reader oldest;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    publish(&source, 10);
    source.number = TROUPE_TOPIC_BYTES_MAX / 2;
    for (int i = 0; i < 5; i++)
        lab_do(&lab, &source, publish_large);
    assert_in_range(memory(), TROUPE_TOPIC_BYTES_MAX, TROUPE_TOPIC_BYTES_MAX + 8192); /* it counts for the budget */
    must_subscribe(&oldest, &source, TROUPE_FROM_OLDEST);
    lab_run(&lab);
    assert_int_equal(oldest.events, 2);
    assert_int_equal(oldest.last_seq, 15);
    assert_int_equal(oldest.lagged, 0); /* it had asked for what is there */
    source.number = TROUPE_TOPIC_BYTES_MAX;
    lab_do(&lab, &source, publish_large);
    assert_in_range(memory(), TROUPE_TOPIC_BYTES_MAX, TROUPE_TOPIC_BYTES_MAX + 8192);
    assert_int_equal(oldest.last_seq, 16);
    troupe_unsubscribe(&oldest.subscription);
}

/* What one read stays for it, also when the ring and the cache have moved on. */
static void test_an_event_stays_until_the_next_read(void **state)
{
    PUPPET(source, 's');
    struct reader a, b;
    troupe_event event;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    must_subscribe(&b, &source, TROUPE_FROM_NOW);
    a.reads = false;
    publish(&source, 1);
    assert_int_equal(troupe_subscription_read(&a.subscription, &event), 1);
    for (int i = 0; i < 3; i++)
        publish(&source, TROUPE_TOPIC_EVENTS_MAX); /* b reads them all */
    assert_int_equal(b.events, 1 + 3 * TROUPE_TOPIC_EVENTS_MAX);
    assert_true(troupe_view_equal(event.body, troupe_view_of("1")));
    assert_int_equal(troupe_subscription_read(&a.subscription, &event), 1);
    assert_int_equal(event.lagged, 2 * TROUPE_TOPIC_EVENTS_MAX);
    publish(&source, 10);
    assert_true(event.body.len == 4 && memcmp(event.body.ptr, "2050", 4) == 0);
    troupe_unsubscribe(&a.subscription);
    troupe_unsubscribe(&b.subscription);
}

/* ---- who is told ---- */

static void test_ready_may_end_any_subscription(void **state)
{
    PUPPET(source, 's');
    struct reader a, b, c, d;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    must_subscribe(&b, &source, TROUPE_FROM_NOW);
    must_subscribe(&c, &source, TROUPE_FROM_NOW);
    must_subscribe(&d, &source, TROUPE_FROM_NOW);
    a.ends = &b; /* the next */
    c.ends = &c; /* itself */
    d.ends = &a; /* one that was before it */
    publish(&source, 2);
    assert_int_equal(a.events, 2);
    assert_int_equal(b.events, 0);
    assert_int_equal(b.readies, 0);
    assert_int_equal(c.readies, 1);
    assert_int_equal(c.events, 0);
    assert_int_equal(d.events, 2);
    publish(&source, 1);
    assert_int_equal(a.events, 2);
    assert_int_equal(d.events, 3);
    troupe_unsubscribe(&d.subscription);
}

/* Subscribers are told in slices, so that actors get their turns. */
static void test_a_flood_of_events_does_not_starve_actors(void **state)
{
    enum { MANY = 3 * TOPIC_READY_PER_POLL };
    PUPPET(source, 's');
    PUPPET(worker, 'w');
    struct reader *readers = calloc(MANY, sizeof *readers);

    (void)state;
    assert_non_null(readers);
    lab_spawn(&lab, &source, NULL);
    lab_spawn(&lab, &worker, NULL);
    for (unsigned i = 0; i < MANY; i++)
        must_subscribe(&readers[i], &source, TROUPE_FROM_NOW);
    source.number = 1;
    assert_int_equal(lab_do_later(&lab, &source, publish_many), 0);
    assert_int_equal(troupe_worker_poll(lab.worker, lab.now_ns, 8), 0);
    assert_int_equal(lab_note(&lab, &worker), 0);
    assert_int_equal(troupe_worker_poll(lab.worker, lab.now_ns, 8), 0);
    assert_int_equal(worker.notes, 1);
    assert_int_equal(readers[TOPIC_READY_PER_POLL - 1].events, 1); /* who waits longest comes first */
    assert_int_equal(readers[TOPIC_READY_PER_POLL].events, 0);
    assert_false(troupe_worker_park(lab.worker)); /* it may not sleep over it */
    lab_run(&lab);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(readers[i].events, 1);
        troupe_unsubscribe(&readers[i].subscription);
    }
    free(readers);
}

/* Two topics share what a poll has for subscribers. */
static void test_topics_take_turns(void **state)
{
    enum { MANY = 2 * TOPIC_READY_PER_POLL };
    PUPPET(big, 'b');
    PUPPET(small, 's');
    struct reader *readers = calloc(MANY, sizeof *readers), one;

    (void)state;
    assert_non_null(readers);
    lab_spawn(&lab, &big, NULL);
    lab_spawn(&lab, &small, NULL);
    for (unsigned i = 0; i < MANY; i++)
        must_subscribe(&readers[i], &big, TROUPE_FROM_NOW);
    must_subscribe(&one, &small, TROUPE_FROM_NOW);
    big.number = small.number = 1;
    assert_int_equal(lab_do_later(&lab, &big, publish_many), 0);
    assert_int_equal(lab_do_later(&lab, &small, publish_many), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(troupe_worker_poll(lab.worker, lab.now_ns, 8), 0);
    assert_int_equal(one.events, 1);
    assert_int_equal(readers[MANY - 1].events, 0);
    lab_run(&lab);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(readers[i].events, 1);
        troupe_unsubscribe(&readers[i].subscription);
    }
    troupe_unsubscribe(&one.subscription);
    free(readers);
}

/* ---- the end ---- */

static void test_the_end_comes_behind_the_last_event(void **state)
{
    PUPPET(source, 's');
    struct reader a, slow, late;
    static struct lab_request stopped;
    troupe_event event;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    must_subscribe(&slow, &source, TROUPE_FROM_NOW);
    slow.reads = false;
    publish(&source, 2);
    lab_stop(&lab, source.ref, TROUPE_KILL, &stopped, 100);
    lab_run(&lab);
    assert_true(stopped.done);
    assert_int_equal(a.events, 2);
    assert_true(a.gone);
    assert_int_equal(read_one(&slow), 1);
    assert_int_equal(read_one(&slow), 1);
    assert_int_equal(read_one(&slow), TROUPE_E_GONE);
    assert_int_equal(read_one(&slow), TROUPE_E_GONE);
    assert_int_equal(subscribe(&late, source.ref, TROUPE_FROM_OLDEST, (troupe_event_id){0}), TROUPE_E_GONE);
    troupe_unsubscribe(&late.subscription); /* as it was zeroed */
    assert_int_equal(troupe_subscription_read(&late.subscription, &event), TROUPE_E_STATE);
    troupe_unsubscribe(&a.subscription);
    troupe_unsubscribe(&slow.subscription);
}

static void test_a_subscriber_of_one_that_never_publishes_is_told_of_its_end(void **state)
{
    PUPPET(silent, 's');
    struct reader a;
    static struct lab_request stopped;

    (void)state;
    lab_spawn(&lab, &silent, NULL);
    must_subscribe(&a, &silent, TROUPE_FROM_NOW);
    lab_stop(&lab, silent.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_int_equal(a.readies, 1);
    assert_true(a.gone);
    troupe_unsubscribe(&a.subscription);
}

static void test_who_is_not_there_has_no_topic(void **state)
{
    struct reader a;
    troupe_ref nobody = {.home = troupe_system_home(lab.system), .slot = 4000, .generation = 1};
    troupe_ref other = {.home = {.low = 99}, .slot = 1, .generation = 1};

    (void)state;
    assert_int_equal(subscribe(&a, nobody, TROUPE_FROM_NOW, (troupe_event_id){0}), TROUPE_E_NOT_FOUND);
    assert_int_equal(subscribe(&a, other, TROUPE_FROM_NOW, (troupe_event_id){0}), TROUPE_E_GONE);
    troupe_system_set_clustered(lab.system, true);
    assert_int_equal(subscribe(&a, other, TROUPE_FROM_NOW, (troupe_event_id){0}), TROUPE_E_UNREACHABLE);
    troupe_system_set_clustered(lab.system, false);
}

/* ---- what publishing refuses ---- */

static int publish_wrongly(troupe_ctx *ctx, struct puppet *self)
{
    char long_type[TROUPE_TYPE_BYTES_MAX + 2], long_content[TROUPE_CONTENT_TYPE_BYTES_MAX + 2];

    (void)self;
    memset(long_type, 't', sizeof long_type - 1);
    long_type[sizeof long_type - 1] = '\0';
    memset(long_content, 'c', sizeof long_content - 1);
    long_content[sizeof long_content - 1] = '\0';
    assert_int_equal(troupe_publish(ctx, "", troupe_body_none()), TROUPE_E_INVALID);
    assert_int_equal(troupe_publish(ctx, "two words", troupe_body_none()), TROUPE_E_INVALID);
    assert_int_equal(troupe_publish(ctx, long_type, troupe_body_none()), TROUPE_E_INVALID);
    assert_int_equal(troupe_publish(ctx, "t", troupe_body_bytes("", 0, long_content)), TROUPE_E_INVALID);
    return 0;
}

static int publish_in_stop(troupe_ctx *ctx, struct puppet *self)
{
    self->status = troupe_publish(ctx, "late", troupe_body_none());
    return 0;
}

static int publish_after_own_kill(troupe_ctx *ctx, struct puppet *self)
{
    assert_int_equal(troupe_stop(ctx, self->ref, TROUPE_KILL, ""), 0);
    self->status = troupe_publish(ctx, "late", troupe_body_none());
    return 0;
}

static void test_what_cannot_be_published(void **state)
{
    PUPPET(source, 's');
    PUPPET(killed, 'k');
    struct reader a, b;
    static struct lab_request stopped;

    (void)state;
    source.on_stop = publish_in_stop;
    lab_spawn(&lab, &source, NULL);
    lab_spawn(&lab, &killed, NULL);
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    must_subscribe(&b, &killed, TROUPE_FROM_NOW);
    lab_do(&lab, &source, publish_wrongly);
    lab_stop(&lab, source.ref, TROUPE_STOP, &stopped, 100);
    lab_do(&lab, &killed, publish_after_own_kill);
    assert_int_equal(source.status, TROUPE_E_STATE);
    assert_int_equal(killed.status, TROUPE_E_KILLED);
    assert_int_equal(a.events + b.events, 0);
    assert_true(a.gone && b.gone);
    troupe_unsubscribe(&a.subscription);
    troupe_unsubscribe(&b.subscription);
}

/* ---- the system's own ---- */

static void test_a_topic_of_the_system_is_published_without_a_worker(void **state)
{
    troupe_topic *topic;
    troupe_event_id id;
    struct reader a = {.reads = true};

    (void)state;
    assert_int_equal(troupe_topic_new(lab.system, &topic), 0);
    assert_int_equal(troupe_topic_publish(topic, troupe_view_of("early"), troupe_body_none(), NULL), 0);
    a.subscription.user = &a;
    a.subscription.ready = on_ready;
    assert_int_equal(troupe_subscribe_to(lab.worker, &a.subscription, topic, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    assert_true(troupe_worker_park(lab.worker));
    assert_int_equal(troupe_topic_publish(topic, troupe_view_of("node.up"), troupe_body_json("{}", 2), &id), 0);
    assert_int_equal(id.seq, 2);
    assert_int_equal(id.epoch, topic->epoch);
    assert_int_equal(atomic_load(&lab.system->parked), 0); /* the worker was to be woken */
    troupe_worker_unpark(lab.worker);
    lab_run(&lab);
    assert_int_equal(a.events, 1);
    assert_string_equal(a.last_type, "node.up");
    assert_int_equal(troupe_topic_publish(topic, troupe_view_of(""), troupe_body_none(), NULL), TROUPE_E_INVALID);
    troupe_topic_drop(topic);
    lab_run(&lab);
    assert_true(a.gone);
    troupe_unsubscribe(&a.subscription);
    troupe_topic_drop(NULL);
}

/* ---- what it costs ---- */

/* A publisher does the same for one subscriber and for thousands: one notice for each worker that waits. */
static void test_a_publication_costs_one_notice_however_many_wait(void **state)
{
    enum { MANY = 500 };
    PUPPET(source, 's');
    static struct reader readers[MANY];
    troupe_topic *topic;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    assert_int_equal(troupe_topic_new(lab.system, &topic), 0);
    for (unsigned i = 0; i < MANY; i++) {
        memset(&readers[i], 0, sizeof readers[i]);
        assert_int_equal(
            troupe_subscribe_to(lab.worker, &readers[i].subscription, topic, TROUPE_FROM_NOW, (troupe_event_id){0}), 0);
    }
    uint64_t before = memory();
    for (int i = 0; i < 10; i++)
        assert_int_equal(troupe_topic_publish(topic, troupe_view_of("t"), troupe_body_none(), NULL), 0);
    assert_in_range(memory() - before, 1, 10 * 128 + 16 * sizeof(void *)); /* ten events, and the ring */
    const struct message *notice = atomic_load(&lab.worker->inbox);
    assert_non_null(notice);
    assert_null(notice->next);
    for (unsigned i = 0; i < MANY; i++)
        troupe_unsubscribe(&readers[i].subscription);
    troupe_topic_drop(topic);
    lab_run(&lab); /* the notice finds nobody */
}

static void test_an_actor_without_topic_costs_what_it_did(void **state)
{
    PUPPET(plain, 'p');
    PUPPET(source, 's');
    struct reader a;

    (void)state;
    assert_int_equal(sizeof(struct actor), 192);
    lab_spawn(&lab, &plain, NULL);
    uint64_t before = memory();
    lab_spawn(&lab, &source, NULL);
    assert_int_equal(memory() - before, sizeof(struct actor));
    must_subscribe(&a, &source, TROUPE_FROM_NOW);
    publish(&source, 100);
    troupe_unsubscribe(&a.subscription);
    static struct lab_request stopped;
    lab_stop(&lab, source.ref, TROUPE_STOP, &stopped, 100);
    lab_run(&lab);
    assert_int_equal(memory(), before); /* all of it is gone with the actor */
}

/* Subscribers that come and go leave nothing. */
static void test_churn_of_subscribers_leaves_nothing(void **state)
{
    PUPPET(source, 's');
    struct reader a;
    uint64_t before = 0;

    (void)state;
    lab_spawn(&lab, &source, NULL);
    for (int i = 0; i < 200; i++) {
        must_subscribe(&a, &source, TROUPE_FROM_NOW);
        if (i % 3 == 0)
            lab_run(&lab);
        troupe_unsubscribe(&a.subscription);
        if (i == 10) {
            lab_run(&lab);
            before = memory();
        }
    }
    lab_run(&lab);
    assert_int_equal(memory(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_events_come_in_order_to_each_subscriber),
        LAB_TEST(test_an_event_has_its_type_content_type_and_body),
        LAB_TEST(test_a_subscriber_begins_where_it_says),
        LAB_TEST(test_a_cursor_of_another_epoch_has_lagged),
        LAB_TEST(test_another_incarnation_has_another_epoch),
        LAB_TEST(test_a_subscriber_that_lags_is_told_how_much_it_missed),
        LAB_TEST(test_a_topic_keeps_no_more_bytes_than_it_may),
        LAB_TEST(test_an_event_stays_until_the_next_read),
        LAB_TEST(test_ready_may_end_any_subscription),
        LAB_TEST(test_a_flood_of_events_does_not_starve_actors),
        LAB_TEST(test_topics_take_turns),
        LAB_TEST(test_the_end_comes_behind_the_last_event),
        LAB_TEST(test_a_subscriber_of_one_that_never_publishes_is_told_of_its_end),
        LAB_TEST(test_who_is_not_there_has_no_topic),
        LAB_TEST(test_what_cannot_be_published),
        LAB_TEST(test_a_topic_of_the_system_is_published_without_a_worker),
        LAB_TEST(test_a_publication_costs_one_notice_however_many_wait),
        LAB_TEST(test_an_actor_without_topic_costs_what_it_did),
        LAB_TEST(test_churn_of_subscribers_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
