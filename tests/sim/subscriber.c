/* SPDX-License-Identifier: Apache-2.0
 *
 * See subscriber.h. A read gives the next number, or tells exactly how many it skips and then has a reason: the ring
 * keeps TROUPE_TOPIC_EVENTS_MAX events and TROUPE_TOPIC_BYTES_MAX bytes, and they would not have fitted any more. */
#include "subscriber.h"

#include <stdio.h>
#include <string.h>

#define SUBSCRIBERS 24u
#define BODY_BYTES_MAX 200000u

struct subscriber {
    troupe_subscription subscription;
    bool open, eager;
    bool told; /* `ready` ran, and no read has said since that there is nothing */
    bool gone;
    bool any_start;   /* where it begins is not known: the first event says it */
    bool other_epoch; /* it must be told that it missed something */
    uint32_t target;
    uint64_t expected; /* the next number */
};

static struct subscriber subscribers[SUBSCRIBERS];

void subscriber_init(void) { memset(subscribers, 0, sizeof subscribers); }

/* ---- publish ---- */

/* The size of the body of an event: most are small, and some are large. */
static uint32_t size_of(uint32_t actor, uint64_t seq)
{
    uint64_t z = (actor * 0x9e3779b97f4a7c15u) ^ (seq * 0xbf58476d1ce4e5b9u);

    z = (z ^ (z >> 31)) * 0x94d049bb133111ebu;
    return (uint32_t)sizeof(struct event_body) + (z >> 40) % (z % 97 == 0 ? BODY_BYTES_MAX - 100 : 60);
}

const char *subscriber_type(uint32_t actor, uint64_t seq) { return (actor + seq) % 3 == 0 ? "other.event" : "event"; }

uint64_t subscriber_epoch(uint32_t actor)
{
    unsigned long long epoch = 0;

    sscanf(model_actor_at(actor)->epoch, "%llx", &epoch);
    return epoch;
}

static void publish_one(troupe_ctx *ctx, uint32_t self)
{
    static char room[BODY_BYTES_MAX];
    struct model_actor *actor = model_actor_at(self);
    uint64_t seq = actor->published + 1;
    struct event_body body = {.actor = self, .size = size_of(self, seq), .seq = seq};
    char id[TROUPE_EVENT_ID_TEXT_MAX], want[24];

    memcpy(room, &body, sizeof body);
    actor->published++; /* before: a subscriber of this worker is told later, but let us not rely on it */
    int rc = troupe_publish_id(ctx, subscriber_type(self, seq),
                               troupe_body_bytes(room, body.size, "application/x-event"), id);
    if (rc != 0) {
        actor->published--;
        bool in_stop = actor->state >= TROUPE_STATE_STOPPING;
        if (!chaos_revoked(self) && !(in_stop && rc == TROUPE_E_STATE) && !sim_lacks_memory(rc))
            sim_fail("actor %u cannot publish: %s", self, troupe_error_lookup(rc)->code);
        return;
    }
    snprintf(want, sizeof want, ".%llu", (unsigned long long)seq);
    if (strcmp(id + 16, want) != 0)
        sim_fail("event %llu of actor %u is numbered %s", (unsigned long long)seq, self, id);
    id[16] = '\0';
    if (seq == 1)
        memcpy(actor->epoch, id, sizeof actor->epoch);
    else if (strcmp(actor->epoch, id) != 0)
        sim_fail("the epoch of actor %u changed at its event %llu", self, (unsigned long long)seq);
}

void subscriber_publish(troupe_ctx *ctx, uint32_t self)
{
    uint32_t n = chaos_below(ctx, 60) == 0 ? TROUPE_TOPIC_EVENTS_MAX + 80 : chaos_below(ctx, 6) == 0 ? 40 : 3;

    n = 1 + chaos_below(ctx, n);
    sim_event("publish", self, n, 0);
    while (n-- > 0 && !sim_world.failed)
        publish_one(ctx, self);
}

/* ---- read ---- */

/* Was the event out of the ring when so many had been published? */
bool subscriber_may_be_lost(uint32_t target, uint64_t seq)
{
    uint64_t newest = model_actor_at(target)->published, bytes = 0;

    if (newest - seq >= TROUPE_TOPIC_EVENTS_MAX)
        return true;
    for (; seq <= newest; seq++)
        bytes += size_of(target, seq);
    return bytes > TROUPE_TOPIC_BYTES_MAX;
}

static bool check_event(struct subscriber *subscriber, const troupe_event *event)
{
    struct event_body body = {0};
    uint32_t target = subscriber->target;
    unsigned long long seq = event->id.seq;
    char epoch[20];

    snprintf(epoch, sizeof epoch, "%016llx", (unsigned long long)event->id.epoch);
    if (event->body.len >= sizeof body)
        memcpy(&body, event->body.ptr, sizeof body);
    if (body.actor != target || body.seq != seq || body.size != event->body.len ||
        strcmp(event->content_type, "application/x-event") != 0 || strcmp(epoch, model_actor_at(target)->epoch) != 0 ||
        !troupe_view_equal(event->type, troupe_view_of(subscriber_type(target, seq))))
        return sim_fail("event %llu of actor %u is not what was published", seq, target);
    if (seq > model_actor_at(target)->published)
        return sim_fail("event %llu of actor %u was never published", seq, target);
    if (subscriber->other_epoch) {
        subscriber->other_epoch = false;
        return event->lagged > 0 || sim_fail("a cursor of another epoch was not told that it missed something");
    }
    if (subscriber->any_start) {
        subscriber->any_start = false;
        subscriber->expected = event->id.seq - event->lagged;
    }
    if (event->id.seq != subscriber->expected + event->lagged)
        return sim_fail("actor %u: event %llu came with lagged %llu, but %llu was next", target, seq,
                        (unsigned long long)event->lagged, (unsigned long long)subscriber->expected);
    if (event->lagged > 0 && !subscriber_may_be_lost(target, event->id.seq - 1))
        return sim_fail("event %llu of actor %u was lost without need", seq - 1, target);
    return true;
}

/* Has it something to read, or to be told? */
static bool has_news(const struct subscriber *subscriber)
{
    const struct model_actor *target = model_actor_at(subscriber->target);
    bool has_events = subscriber->other_epoch ? target->published > 0 : subscriber->expected <= target->published;

    return has_events || target->ended;
}

/* Read one; false when there is nothing more. */
static bool read_one(struct subscriber *subscriber)
{
    troupe_event event;
    uint32_t target = subscriber->target;
    int rc = troupe_subscription_read(&subscriber->subscription, &event);

    if (rc == 1) {
        sim_event("event", target, event.id.seq, event.lagged);
        if (subscriber->gone)
            return sim_fail("an event of actor %u came behind its end", target);
        if (!check_event(subscriber, &event))
            return false;
        subscriber->expected = event.id.seq + 1;
        return true;
    }
    subscriber->told = rc != 0;
    if (rc == TROUPE_E_GONE) {
        subscriber->gone = true;
        if (!model_actor_at(target)->ended)
            return sim_fail("the topic of actor %u ended, but it lives", target);
        if (!subscriber->any_start && !subscriber->other_epoch &&
            subscriber->expected <= model_actor_at(target)->published)
            return sim_fail("the topic of actor %u ended before its event %llu", target,
                            (unsigned long long)subscriber->expected);
        return false;
    }
    if (rc != 0)
        return sim_fail("a read failed: %s", troupe_error_lookup(rc)->code);
    /* The end of an actor comes to its topic a moment before the model hears of it, never later than at rest. */
    if (!subscriber->any_start && has_news(subscriber) && !model_actor_at(target)->ended)
        return sim_fail("a read of actor %u found nothing, but event %llu was published", target,
                        (unsigned long long)subscriber->expected);
    return false;
}

static void close_one(struct subscriber *subscriber)
{
    subscriber->open = false;
    troupe_unsubscribe(&subscriber->subscription);
}

static void on_ready(troupe_subscription *subscription)
{
    struct subscriber *subscriber = subscription->user;

    sim_event("ready", subscriber->target, (uint64_t)(subscriber - subscribers), 0);
    if (!subscriber->open)
        sim_fail("a subscriber was told after it had gone");
    else if (subscriber->told)
        sim_fail("a subscriber of actor %u was told twice", subscriber->target);
    if (sim_world.failed)
        return;
    subscriber->told = true;
    if (sim_below(30) == 0) { /* somebody goes, perhaps this one */
        struct subscriber *other = &subscribers[sim_below(SUBSCRIBERS)];
        if (other->open && other->subscription.worker == subscription->worker)
            close_one(other);
    }
    while (subscriber->open && subscriber->eager && read_one(subscriber) && !sim_world.failed) {}
}

/* ---- come and go ---- */

static void open_one(troupe_worker *worker, struct subscriber *subscriber)
{
    uint32_t target = chaos_target_of(sim_random());
    if (target == 0)
        return;
    const struct model_actor *actor = model_actor_at(target);
    enum troupe_from from = (enum troupe_from)sim_below(3);
    troupe_event_id after = {.seq = actor->published == 0 ? 0 : sim_below((uint32_t)actor->published + 1)};
    uint64_t epoch = 0;

    *subscriber = (struct subscriber){.open = true, .eager = sim_below(3) != 0, .target = target};
    if (from == TROUPE_FROM_AFTER && actor->published > 0 && sim_below(4) != 0)
        epoch = subscriber_epoch(target);
    after.epoch = epoch;
    subscriber->expected = from == TROUPE_FROM_AFTER ? after.seq + 1 : actor->published + 1;
    subscriber->any_start = from == TROUPE_FROM_OLDEST;
    subscriber->other_epoch = from == TROUPE_FROM_AFTER && epoch == 0;
    subscriber->subscription.user = subscriber;
    subscriber->subscription.ready = on_ready;
    int rc = troupe_subscribe(worker, &subscriber->subscription, actor->ref, from, after);
    sim_event("subscribe", target, from, (uint64_t)(int64_t)rc);
    if (rc != (actor->ended ? TROUPE_E_GONE : 0) && !sim_lacks_memory(rc))
        sim_fail("a subscription to actor %u, which %s, gave %s", target, actor->ended ? "has ended" : "lives",
                 troupe_error_lookup(rc)->code);
    subscriber->open = rc == 0;
}

void subscriber_act(troupe_worker *worker)
{
    struct subscriber *subscriber = &subscribers[sim_below(SUBSCRIBERS)];

    if (!subscriber->open) {
        open_one(worker, subscriber);
        return;
    }
    if (subscriber->subscription.worker != worker)
        return;
    if (sim_below(4) == 0) {
        sim_event("unsubscribe", subscriber->target, (uint64_t)(subscriber - subscribers), 0);
        close_one(subscriber);
        return;
    }
    /* Read some, whether it was told or not: from then on it is its own business, until a read finds nothing. */
    subscriber->told = true;
    for (uint32_t n = 1 + sim_below(20); n > 0 && read_one(subscriber) && !sim_world.failed; n--) {}
}

/* ---- judge ---- */

bool subscriber_rest(void)
{
    for (uint32_t i = 0; i < SUBSCRIBERS; i++) {
        const struct subscriber *subscriber = &subscribers[i];
        if (!subscriber->open || subscriber->told || subscriber->any_start)
            continue;
        if (has_news(subscriber))
            return sim_fail("a subscriber of actor %u was not told of %s", subscriber->target,
                            model_actor_at(subscriber->target)->ended ? "its end" : "an event");
    }
    return true;
}

bool subscriber_end(void)
{
    for (uint32_t i = 0; i < SUBSCRIBERS && !sim_world.failed; i++) {
        struct subscriber *subscriber = &subscribers[i];
        if (!subscriber->open)
            continue;
        subscriber->told = true;
        while (read_one(subscriber)) {}
        if (!subscriber->gone)
            return sim_fail("the topic of actor %u has not ended with it", subscriber->target);
        close_one(subscriber);
    }
    return !sim_world.failed;
}
