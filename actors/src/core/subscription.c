/* SPDX-License-Identifier: Apache-2.0
 *
 * See topic.h: the subscribers' side.
 *
 * A subscription is in one of these states:
 *
 *   WAITING  it has read all; in the place's list `waiting`
 *   DUE      there is news; in the list `due`, `ready` will run
 *   READING  `ready` ran, or it reads without having been asked to; in no list
 *
 *   from      what happens                              to
 *   WAITING   the place's notice has come               DUE
 *   DUE       its turn has come: `ready`                READING
 *   any       a read gives an event, or "gone"          READING
 *   any       a read finds nothing                      WAITING
 *
 * A notice moves all that wait in one step, however many they are: the two lists are told apart by their ends alone.
 *
 * All that a worker does here is in proportion to its own subscribers, and `ready` runs for some of them in each poll,
 * so that actors get their turns under a flood of events (a bounded share).
 *
 * The last events that were read are held by the place, in a small cache by number: when thousands wait for the same
 * event, one of them takes the lock. What a read gave is held until the next call on the subscription: by the cache,
 * which counts its readers, or, when its entry is in use for another event, by a hold of its own. When all wait, or
 * nobody is left, the cache is emptied.
 *
 * Thread: the owner of the worker. */
#include "core/topic.h"
#include "core/worker.h"

#include "base/mem.h"
#include "base/plant.h"

#define STATE_LISTED 1u /* WAITING or DUE */
#define STATE_READING 2u

/* ---- the place ---- */

/* The worker's place in the topic, made when there is none; NULL when memory is exhausted. */
static struct topic_place *place_of(troupe_worker *worker, struct troupe_topic *topic)
{
    struct topic_place *place = topic->places[worker->index];
    if (place)
        return place;
    place = troupe_alloc(sizeof *place);
    if (!place)
        return NULL;
    memset(place, 0, sizeof *place);
    place->notice.what = NOTICE_TOPIC;
    place->topic = topic;
    topic->places[worker->index] = place;
    return place;
}

static struct topic_place *place_at(const troupe_subscription *subscription)
{
    return subscription->topic->places[subscription->worker->index];
}

/* See that the worker comes to it: there is somebody to tell. */
static void queue_place(troupe_worker *worker, struct topic_place *place)
{
    if (place->queued)
        return;
    place->queued = true;
    place->next = NULL;
    topic_hold(place->topic);
    if (worker->topics_last)
        worker->topics_last->next = place;
    else
        worker->topics_due = place;
    worker->topics_last = place;
}

/* ---- the lists ---- */

static void leave_list(struct topic_place *place, troupe_subscription *subscription)
{
    troupe_subscription *next = subscription->list_next, *prev = subscription->list_prev;
    struct topic_list *list =
        place->due.first == subscription || place->due.last == subscription ? &place->due : &place->waiting;
    if (subscription->state == STATE_READING)
        return;
    if (next)
        next->list_prev = prev;
    else
        list->last = prev;
    if (prev)
        prev->list_next = next;
    else
        list->first = next;
    subscription->list_next = subscription->list_prev = NULL;
    subscription->state = STATE_READING;
    place->reading++;
}

/* Put one that is in no list at the end of this one. */
static void enter_list(struct topic_place *place, struct topic_list *list, troupe_subscription *subscription)
{
    subscription->list_prev = list->last;
    subscription->list_next = NULL;
    if (list->last)
        list->last->list_next = subscription;
    else
        list->first = subscription;
    list->last = subscription;
    subscription->state = STATE_LISTED;
    place->reading--;
}

static void all_are_due(troupe_worker *worker, struct topic_place *place)
{
    struct topic_list *waiting = &place->waiting, *due = &place->due;
    if (!waiting->first)
        return;
    waiting->first->list_prev = due->last;
    if (due->last)
        due->last->list_next = waiting->first;
    else
        due->first = waiting->first;
    due->last = waiting->last;
    *waiting = (struct topic_list){NULL, NULL};
    queue_place(worker, place);
}

/* ---- what readers hold ---- */

static void empty_cache(struct topic_place *place)
{
    for (uint32_t i = 0; i < TOPIC_CACHE; i++) {
        struct topic_event *event = place->cache[i].event;
        place->cache[i].event = NULL;
        if (event)
            troupe__topic_event_drop(event);
    }
}

static struct topic_cached *cached_at(struct topic_place *place, uint64_t seq)
{
    return &place->cache[seq % TOPIC_CACHE];
}

/* Give back what the last read gave. */
static void release(struct topic_place *place, troupe_subscription *subscription)
{
    struct topic_event *event = subscription->held;
    if (!event)
        return;
    subscription->held = NULL;
    struct topic_cached *cached = cached_at(place, event->seq);
    if (cached->event == event && cached->readers > 0)
        cached->readers--;
    else
        troupe__topic_event_drop(event);
}

/* Hold an event for a subscription; it comes held once. */
static void keep(struct topic_place *place, troupe_subscription *subscription, struct topic_event *event)
{
    struct topic_cached *cached = cached_at(place, event->seq);
    subscription->held = event;
    if (cached->readers > 0 || event->body_len > TOPIC_CACHE_BYTES_MAX)
        return;
    if (cached->event)
        troupe__topic_event_drop(cached->event);
    cached->event = event;
    cached->readers = 1;
}

/* When nobody here reads, hold nothing that the ring may let go. */
static void rest_place(struct topic_place *place)
{
    if (place->reading == 0 && !place->due.first)
        empty_cache(place);
}

/* ---- read ---- */

/* Is there something that this one has not seen? `ended` counts: it is told as well. Sequentially consistent where it
 * is the look behind the arming. */
static bool has_news(const troupe_subscription *subscription)
{
    struct troupe_topic *topic = subscription->topic;
    uint64_t newest = atomic_load_seq(&topic->newest);
    bool knows_epoch = subscription->next.epoch == topic->epoch;
    return (knows_epoch ? subscription->next.seq <= newest : newest > 0) || atomic_load_seq(&topic->ended);
}

/* Wait for news. False when there is some already. */
static bool wait_for_news(struct topic_place *place, troupe_subscription *subscription)
{
    leave_list(place, subscription);
    enter_list(place, &place->waiting, subscription);
    if (place->armed)
        return true;
    place->armed = true;
    atomic_fetch_or_explicit(&subscription->topic->waiting, UINT64_C(1) << subscription->worker->index,
                             memory_order_seq_cst);
    if (!has_news(subscription))
        return true;
    leave_list(place, subscription); /* the notice may come all the same, and find nobody */
    return false;
}

/* Take the event at the cursor, or the oldest behind it, out of the ring, held once. State: it is not newer than
 * `newest`. */
static struct topic_event *take(struct troupe_topic *topic, uint64_t seq)
{
    troupe__lock_acquire(&topic->lock);
    if (seq < topic->oldest)
        seq = topic->oldest;
    struct topic_event *event = topic->ring[seq & (topic->capacity - 1)];
    topic_event_hold(event);
    troupe__lock_release(&topic->lock);
    return event;
}

static void show(troupe_subscription *subscription, const struct topic_event *event, uint64_t lagged,
                 troupe_event *ret_event)
{
    uint64_t epoch = subscription->topic->epoch;
    subscription->next = (troupe_event_id){epoch, event->seq + 1};
    ret_event->id = (troupe_event_id){epoch, event->seq};
    ret_event->lagged = lagged;
    ret_event->type = (troupe_view){event->bytes, event->type_len};
    ret_event->content_type = event->has_content_type ? event->bytes + event->type_len + 1 : NULL;
    ret_event->body = (troupe_view){event->bytes + event->body_at, event->body_len};
}

/* False: the filter does not take it, and the cursor has passed it. */
static bool read_event(struct topic_place *place, troupe_subscription *subscription, troupe_event *ret_event)
{
    struct troupe_topic *topic = subscription->topic;
    bool knows_epoch = subscription->next.epoch == topic->epoch;
    uint64_t wanted = knows_epoch ? subscription->next.seq : 1;
    struct topic_cached *cached = cached_at(place, wanted);
    struct topic_event *event = cached->event;
    if (event && event->seq == wanted) {
        cached->readers++;
        subscription->held = event;
    } else {
        event = take(topic, wanted);
        keep(place, subscription, event);
    }
    uint64_t lagged = event->seq - wanted;
    if (TROUPE_PLANTED(12) && lagged > 0)
        lagged--;
    if (!knows_epoch && lagged == 0)
        lagged = 1; /* what it missed of the other epoch is not known: at least it is told that there was something */
    show(subscription, event, lagged + subscription->lagged, ret_event);
    bool takes = troupe_filter_takes(subscription->filter, ret_event->type);
    subscription->lagged = takes ? 0 : ret_event->lagged;
    if (!takes)
        release(place, subscription);
    return takes;
}

int troupe_subscription_read(troupe_subscription *subscription, troupe_event *ret_event)
{
    struct troupe_topic *topic = subscription->topic;
    if (!topic)
        return TROUPE_E_STATE;
    struct topic_place *place = place_at(subscription);
    release(place, subscription);
    for (;;) {
        bool ended = atomic_load_acquire(&topic->ended); /* first: when it is set, newest stays as it is */
        uint64_t newest = atomic_load_acquire(&topic->newest);
        bool knows_epoch = subscription->next.epoch == topic->epoch;
        if (knows_epoch ? subscription->next.seq <= newest : newest > 0) {
            leave_list(place, subscription); /* it may not have waited for `ready` */
            if (read_event(place, subscription, ret_event))
                return 1;
            continue; /* at most the ring */
        }
        if (ended) {
            leave_list(place, subscription);
            return TROUPE_E_GONE;
        }
        if (wait_for_news(place, subscription)) {
            rest_place(place);
            return 0;
        }
    }
}

/* ---- ready ---- */

void troupe__topic_on_notice(troupe_worker *worker, struct message *notice)
{
    struct topic_place *place = (struct topic_place *)(void *)((char *)notice - offsetof(struct topic_place, notice));
    place->armed = false;
    all_are_due(worker, place);
    troupe__topic_drop(place->topic); /* it was held for the notice */
}

/* Take the first place off the worker's list. */
static struct topic_place *next_place(troupe_worker *worker)
{
    struct topic_place *place = worker->topics_due;
    if (place) {
        worker->topics_due = place->next;
        if (!place->next)
            worker->topics_last = NULL;
        place->queued = false; /* its hold is the caller's now */
    }
    return place;
}

void troupe__topics_run(troupe_worker *worker)
{
    uint32_t share = TOPIC_READY_PER_POLL;
    while (share > 0 && worker->topics_due) {
        struct topic_place *place = next_place(worker);
        while (share > 0 && place->due.first) {
            troupe_subscription *subscription = place->due.first;
            leave_list(place, subscription);
            share--;
            if (subscription->ready)
                subscription->ready(subscription); /* it may end any subscription, also itself */
        }
        if (place->due.first) /* behind the others */
            queue_place(worker, place);
        troupe__topic_drop(place->topic);
    }
}

/* ---- begin and end ---- */

troupe_event_id troupe__topic_first_wanted(struct troupe_topic *topic, enum troupe_from from, troupe_event_id after)
{
    troupe_event_id first = {topic->epoch, 0};
    troupe__lock_acquire(&topic->lock);
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    first.seq = from == TROUPE_FROM_NOW ? newest + 1 : topic->oldest;
    troupe__lock_release(&topic->lock);
    if (from != TROUPE_FROM_AFTER)
        return first;
    if (after.epoch == topic->epoch && after.seq <= newest)
        return (troupe_event_id){topic->epoch, after.seq + 1};
    return (troupe_event_id){0, 0}; /* no topic has this epoch: the first read tells that something was missed */
}

int troupe_subscribe_to(troupe_worker *worker, troupe_subscription *subscription, troupe_topic *topic,
                        enum troupe_from from, troupe_event_id after)
{
    struct topic_place *place = place_of(worker, topic);
    if (!place)
        return TROUPE_E_NO_MEMORY;
    topic_hold(topic);
    subscription->worker = worker;
    subscription->topic = topic;
    subscription->next = troupe__topic_first_wanted(topic, from, after);
    subscription->lagged = 0;
    subscription->list_next = subscription->list_prev = NULL;
    subscription->held = NULL;
    subscription->state = STATE_READING;
    place->reading++;
    if (has_news(subscription) || !wait_for_news(place, subscription)) {
        enter_list(place, &place->due, subscription);
        queue_place(worker, place);
    }
    return 0;
}

int troupe_subscribe(troupe_worker *worker, troupe_subscription *subscription, troupe_ref ref, enum troupe_from from,
                     troupe_event_id after)
{
    struct actor *actor;
    struct troupe_topic *topic;
    int rc = troupe__find(worker->system, ref, &actor);
    if (rc == 0)
        rc = troupe__topic_of(worker->system, actor, ref.generation, &topic);
    if (rc)
        return rc;
    rc = troupe_subscribe_to(worker, subscription, topic, from, after);
    troupe__topic_drop(topic);
    return rc;
}

void troupe_unsubscribe(troupe_subscription *subscription)
{
    struct troupe_topic *topic = subscription->topic;
    if (!topic)
        return;
    struct topic_place *place = place_at(subscription);
    release(place, subscription);
    leave_list(place, subscription);
    place->reading--;
    rest_place(place);
    subscription->topic = NULL;
    subscription->state = 0;
    troupe__topic_drop(topic);
}
